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
    from ixa_bayes.inference.survival.estimands import (
        conditional_survival,
        cumulative_hazard,
        event_probability,
        hazard,
        hazard_ratio_between,
        hazard_ratios,
        quantile,
        rmst,
        standardised,
        survival,
    )
    from ixa_bayes.inference.survival.file import load_fit, save_fit
    from ixa_bayes.inference.survival.fitting import fit
    from ixa_bayes.inference.survival.model_comparison import compare
    from ixa_bayes.inference.survival.posterior_calibration import calibrate
    from ixa_bayes.inference.survival.power_scaling import power_scaling_table
    from ixa_bayes.inference.survival.tables import estimand_table
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
    "calibrate": "inference.survival.posterior_calibration",
    "compare": "inference.survival.model_comparison",
    "conditional_survival": "inference.survival.estimands",
    "count_table": "study.counts",
    "count_tables": "study.counts",
    "cumulative_hazard": "inference.survival.estimands",
    "estimand_table": "inference.survival.tables",
    "event_probability": "inference.survival.estimands",
    "extract_hazard_ratios": "inference.effect_routes",
    "fit": "inference.survival.fitting",
    "hazard": "inference.survival.estimands",
    "hazard_ratio_between": "inference.survival.estimands",
    "hazard_ratio_change": "inference.survival.estimands",
    "hazard_ratios": "inference.survival.estimands",
    "hazard_ratios_over_time": "inference.survival.estimands",
    "load_fit": "inference.survival.file",
    "models_for": "models.analysis",
    "power_scaling_table": "inference.survival.power_scaling",
    "quantile": "inference.survival.estimands",
    "read_cohort": "cohort.table",
    "read_model": "models.analysis",
    "read_study": "study.ledger",
    "reanalyse": "report.run",
    "reanalyse_hazard_ratios": "inference.effects",
    "reanalyse_response": "inference.response",
    "rmst": "inference.survival.estimands",
    "save_fit": "inference.survival.file",
    "standardised": "inference.survival.estimands",
    "survival": "inference.survival.estimands",
}

__all__ = [
    "Cohort",
    "InputError",
    "Problem",
    "Study",
    "audit",
    "calibrate",
    "compare",
    "conditional_survival",
    "count_table",
    "count_tables",
    "cumulative_hazard",
    "estimand_table",
    "event_probability",
    "extract_hazard_ratios",
    "fit",
    "hazard",
    "hazard_ratio_between",
    "hazard_ratio_change",
    "hazard_ratios",
    "hazard_ratios_over_time",
    "load_fit",
    "models_for",
    "power_scaling_table",
    "quantile",
    "read_cohort",
    "read_model",
    "read_study",
    "reanalyse",
    "reanalyse_hazard_ratios",
    "reanalyse_response",
    "rmst",
    "save_fit",
    "standardised",
    "survival",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"ixa_bayes.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'ixa_bayes' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
