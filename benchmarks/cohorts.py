"""The cohorts and models that are fitted to measure what a fit costs."""

from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from benchmarks import small_subgroup
from ixa_bayes.cohort.table import Cohort, read_cohort
from ixa_bayes.inference.survival.question import SurvivalQuestion, question_of
from ixa_bayes.models.survival_analysis import SurvivalAnalysis

Law = Literal["Weibull", "piecewise"]

FACTORS: Final = tuple(small_subgroup.N_WITH)
DAYS_PER_MONTH: Final = 30.4375
TEN_INTERVALS: Final = (3.0, 6.0, 9.0, 12.0, 16.0, 20.0, 24.0, 30.0, 36.0)
HORSESHOE: Final = {
    "kind": "horseshoe",
    "global_scale": 0.5,
    "slab_scale": 2.0,
    "slab_df": 4.0,
    "source": "that of the built-in model",
}


def analysis(
    law: Law, *, factors: tuple[str, ...] = FACTORS, horseshoe: bool = False, draws: int = 1000, tune: int = 500
) -> SurvivalAnalysis:
    """A model of overall survival; the hazard ratios have normal priors, or a horseshoe together."""
    baseline = dict(small_subgroup.BASELINES[law]) | ({"cuts": TEN_INTERVALS} if law == "piecewise" else {})
    content: dict[str, Any] = {"kind": "survival", "name": law.lower(), "title": law, "endpoint": "os"}
    content |= {"baseline": baseline, "sampler": {"draws": draws, "tune": tune}}
    content["covariates"] = {name: {} if horseshoe else {"prior": small_subgroup.PRIOR} for name in factors}
    if horseshoe:
        content["shrinkage"] = HORSESHOE | {"covariates": list(factors)}
    return SurvivalAnalysis.model_validate(content)


def index_table() -> pd.DataFrame:
    """126 patients with the index study's factors."""
    return small_subgroup.cohort(np.log(2), np.random.default_rng(20261125))


def large_table(n: int, *, continuous: bool = False, days: bool = False, seed: int = 1) -> pd.DataFrame:
    """Any number of patients with the index study's prevalences.

    Parameters
    ----------
    n : int
    continuous : bool
        Whether the covariates are normal instead of binary, so that no two patients are alike.
    days : bool
        Whether times are whole days.
    seed : int

    Returns
    -------
    pd.DataFrame
        Times in months, or in whole days.
    """
    rng = np.random.default_rng(seed)
    shares = np.array([size / small_subgroup.N_PATIENTS for size in small_subgroup.N_WITH.values()])
    values = rng.normal(size=(n, len(FACTORS))) if continuous else (rng.random((n, len(FACTORS))) < shares).astype(int)
    ratios = small_subgroup.OTHERS | {small_subgroup.SMALL: np.log(2)}
    needed = rng.exponential(size=n) / (np.log(2) * np.exp(values @ [ratios[name] for name in FACTORS]))
    death = small_subgroup.MEDIAN_AT_REFERENCE * needed ** (1 / small_subgroup.SHAPE)
    censoring = rng.uniform(*small_subgroup.CENSORED_BETWEEN, n)
    time, event = np.minimum(death, censoring), (death <= censoring).astype(int)
    table = pd.DataFrame({"patient": np.arange(n)} | dict(zip(FACTORS, values.T, strict=True)))
    return table.assign(os_time=np.ceil(time * DAYS_PER_MONTH).astype(int) if days else time, os_event=event)


def read(table: pd.DataFrame, *, days: bool = False) -> Cohort:
    """The table as a cohort."""
    return read_cohort(table, description={"time_unit": "days"} if days else None)


def question(model: SurvivalAnalysis, table: pd.DataFrame) -> SurvivalQuestion:
    """The model applied to a table with times in months."""
    return question_of(model, read(table))
