"""Formulas: arrays in, arrays out; no PyMC, no files."""
