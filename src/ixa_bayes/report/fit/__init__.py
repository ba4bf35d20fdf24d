"""A fit of patients as a folder of results: its run, tables, figures, checks and page."""
