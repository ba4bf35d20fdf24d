"""A fit of patients: its question, posterior, file, estimands and every check that needs the fit alone."""
