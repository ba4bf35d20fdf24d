"""Patients from print: cohorts drawn from their distribution given every statistic that a publication prints."""
