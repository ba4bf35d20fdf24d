"""Bayesian reanalysis of small clinical cohorts.

Names load when they are first used, because importing the samplers takes seconds that reading a
ledger need not pay.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ixa_bayes.cohort.table import Cohort, read_cohort
    from ixa_bayes.errors import InputError, Problem
    from ixa_bayes.inference.effect_routes import extract_hazard_ratios
    from ixa_bayes.inference.effects import reanalyse_hazard_ratios
    from ixa_bayes.inference.response import reanalyse_response
    from ixa_bayes.inference.survival import fit
    from ixa_bayes.inference.survival_tables import estimand_table
    from ixa_bayes.models.analysis import models_for, read_model
    from ixa_bayes.report.run import reanalyse
    from ixa_bayes.study.audit import audit
    from ixa_bayes.study.counts import count_table, count_tables
    from ixa_bayes.study.ledger import Study, read_study

__version__ = version("ixa-bayes")

_HOMES: Final = {
    "Cohort": "cohort.table",
    "InputError": "errors",
    "Problem": "errors",
    "Study": "study.ledger",
    "audit": "study.audit",
    "count_table": "study.counts",
    "count_tables": "study.counts",
    "estimand_table": "inference.survival_tables",
    "extract_hazard_ratios": "inference.effect_routes",
    "fit": "inference.survival",
    "models_for": "models.analysis",
    "read_cohort": "cohort.table",
    "read_model": "models.analysis",
    "read_study": "study.ledger",
    "reanalyse": "report.run",
    "reanalyse_hazard_ratios": "inference.effects",
    "reanalyse_response": "inference.response",
}

__all__ = [
    "Cohort",
    "InputError",
    "Problem",
    "Study",
    "audit",
    "count_table",
    "count_tables",
    "estimand_table",
    "extract_hazard_ratios",
    "fit",
    "models_for",
    "read_cohort",
    "read_model",
    "read_study",
    "reanalyse",
    "reanalyse_hazard_ratios",
    "reanalyse_response",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"ixa_bayes.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'ixa_bayes' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
