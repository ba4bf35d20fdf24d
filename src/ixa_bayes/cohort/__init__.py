"""Patients: the table of a cohort, its description, and everything that may be wrong with either."""
