"""What other studies print, for priors and for comparison: the tables of the folder that a study names.

Which disease, which endpoints and which rows may inform a prior is said by the tables, never here.
"""

from ixa_bayes.study.literature.rows import hazard_ratio_rows, literature_factor, response_prior_rows
from ixa_bayes.study.literature.tables import (
    TABLES,
    check_literature,
    read_cited,
    read_factors,
    read_prognostic_hr,
    read_response,
    read_survival,
)

__all__ = [
    "TABLES",
    "check_literature",
    "hazard_ratio_rows",
    "literature_factor",
    "read_cited",
    "read_factors",
    "read_prognostic_hr",
    "read_response",
    "read_survival",
    "response_prior_rows",
]
