"""Bayesian reanalysis of small clinical cohorts."""
