"""How long the patients of a fit were followed, and the words for what its model says beyond that or of other patients.

A parametric law goes on for ever, and an average over patients is one of everybody: neither is what Kaplan-Meier shows.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pandas as pd

from ixa_bayes.cohort.summary import SMALL_CELL
from ixa_bayes.inference.survival.fitting import SurvivalFit
from ixa_bayes.report.fit.results import FitResults, levels_of
from ixa_bayes.report.wording import count_text

BEYOND_MARK: Final = "†"
BY_LAW: Final = "by the model's law alone"
LATE_ENTRY: Final = (
    " Patients who enter late had no event before: the model's average over the patients is one of a mix with fewer "
    "early events and need not agree with Kaplan-Meier."
)


def followed_by(fit: SurvivalFit, patients: int) -> float:
    """Months to which at least so many patients were followed; to which all were, if there are fewer."""
    question = fit.question
    end_of_unit = pd.Series(question.rows.upper).groupby(question.unit).max().to_numpy()
    latest = np.argsort(-end_of_unit, kind="stable")
    still = np.cumsum(question.unit_weight[latest])
    return float(end_of_unit[latest][np.searchsorted(still, min(patients, still[-1]))])


def is_beyond(row: Mapping[str, Any], fit: SurvivalFit) -> bool:
    """Whether an estimand is a time, or belongs to one, that no patient was followed to."""
    months = row["median"] if row["estimand"] == "median" else row["time"]
    return bool(float(months) > fit.question.rows.upper.max())


def beyond_words(results: FitResults) -> str:
    """What to say of a number that is beyond all follow-up.

    The longest follow-up is told in whole months; where small counts are kept back, only if at least five patients
    were followed to that month, since it would else be a fact about one of them.
    """
    whole = round(followed_by(results.fit, 1))
    enough = not results.kept_back or round(followed_by(results.fit, SMALL_CELL)) == whole
    length = f" of {count_text(whole, 'month')}" if whole and enough else ""
    return f"beyond the longest follow-up{length}: {BY_LAW}"


def compared_by(results: FitResults, factor: str, level: str) -> float:
    """Months to which patients on both sides of a hazard ratio were followed; all of them, of a measured covariate.

    Where small counts are kept back, to which five on each side were; a smaller side is not told apart.
    """
    fit, patients = results.fit, SMALL_CELL if results.kept_back else 1
    ends = [followed_by(fit, patients)]
    if level:
        labels = levels_of(fit, factor)
        for side in (level, fit.question.design.terms[factor].reference):
            own = fit.question.only((labels == side).to_numpy(dtype=bool))
            if own.unit_weight.sum() >= patients:
                ends.append(followed_by(replace(fit, question=own), patients))
    return min(ends)


def entries(fit: SurvivalFit) -> pd.Series:
    """Months at which each patient (or equal ones together) came under observation."""
    return pd.Series(fit.question.rows.entry).groupby(fit.question.unit).min()


def late_entry_words(fit: SurvivalFit) -> str:
    """Why the model's average need not agree with Kaplan-Meier, where any patient came under observation late.

    Without covariates all patients have the same curve, and no mix.
    """
    return LATE_ENTRY if fit.question.design.terms and (entries(fit) > 0).any() else ""
