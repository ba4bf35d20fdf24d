"""How far a fit's numbers depend on its priors and on its patients, as a report tells it."""

from typing import Any, Final

import numpy as np

from ixa_bayes.inference.survival.power_scaling import CONFLICT, HIGH_PARETO_K, NOT_RELIABLE, STRONG_PRIOR, THRESHOLD
from ixa_bayes.report.display import Column, DisplayRow, DisplayTable, records_of
from ixa_bayes.report.fit.over_time import interval_words
from ixa_bayes.report.fit.results import FitResults
from ixa_bayes.report.fit.tables import NONE, fit_table
from ixa_bayes.report.fit.words import FitWords

NOT_COMPUTED: Final = "The log-likelihood of single patients was not kept, so sensitivity to it was not computed."
NO_DEPENDENCE: Final = "No hazard ratio depends much on the priors, all taken together (power scaling)."
_SAID: Final = {
    CONFLICT: "The priors together, that of the baseline included, and the patients may disagree (power scaling): "
    "{names}. If a prior is not what you believe, change it; if it is, report it beside the result.",
    STRONG_PRIOR: "The priors together may say more than the patients (power scaling): {names}. Fit again with another "
    "prior, and report both.",
    NOT_RELIABLE: "How far the priors matter cannot be told by reweighting (power scaling): {names}. Fit again with "
    "another prior, and report both.",
}

_SHOWN: Final = ("prior_sensitivity", "own_prior_sensitivity", "likelihood_sensitivity")
_PARETO_K: Final = ("pareto_k_prior", "pareto_k_own_prior", "pareto_k_likelihood")

type Record = dict[str, Any]


def sensitivity_words(results: FitResults) -> list[str]:
    """Which hazard ratios depend on the prior, a sentence for each way in which they may."""
    table, words = results.sensitivity, FitWords(results.fit.question)
    ratios = table[table["estimand"] == "hazard_ratio"]
    if ratios.empty:
        return [] if len(table) else [NOT_COMPUTED]
    told = []
    for diagnosis, sentence in _SAID.items():
        rows = records_of(ratios[ratios["diagnosis"] == diagnosis])
        if rows:
            names = "; ".join(f"{words.comparison(row['factor'], row['level'])}{_by_which(row)}" for row in rows)
            told.append(sentence.format(names=names))
    return told or [NO_DEPENDENCE]


def _by_which(row: Record) -> str:
    """Whether a ratio's own prior moves it, or only the others do; nothing where that cannot be told."""
    own = float(row["own_prior_sensitivity"])
    if row["diagnosis"] == NOT_RELIABLE or np.isnan(own) or row["pareto_k_own_prior"] > HIGH_PARETO_K:
        return ""
    return " (its own prior alone moves it)" if own >= THRESHOLD else " (its own prior alone does not move it)"


def sensitivity_table(results: FitResults) -> DisplayTable:
    """Sensitivity of every estimand to the priors and to the patients, with its diagnosis."""
    words = FitWords(results.fit.question)
    rows = []
    for row in records_of(results.sensitivity):
        values = [f"{row[name]:.3f}" for name in _SHOWN]
        if np.isnan(row["own_prior_sensitivity"]):
            values[_SHOWN.index("own_prior_sensitivity")] = NONE
        rows.append(DisplayRow((_name(results, row), *values, row["diagnosis"]), group=_group(words, row)))
    highest = float(np.nanmax(results.sensitivity[list(_PARETO_K)].to_numpy(dtype=float), initial=-np.inf))
    reweighting = f" Largest Pareto k of the reweighting: {highest:.2f}." if rows else ""
    return fit_table(
        rows,
        [
            Column("Of what"),
            Column("To the priors", numeric=True),
            Column("To its own prior", numeric=True),
            Column("To the patients", numeric=True),
            Column("Diagnosis"),
        ],
        results=results,
        anchor="table-sensitivity",
        caption="Sensitivity: how fast each number moves if all priors together, or all patients, weigh more; "
        f"and a hazard ratio if its own covariate's prior alone does.{reweighting}",
        missing=NOT_COMPUTED,
        file="sensitivity.csv",
    )


def _group(words: FitWords, row: Record) -> str:
    if row["population"] == "each":
        return "Hazard ratios"
    return words.factor(row["factor"]) if row["factor"] else "All patients"


def _name(results: FitResults, row: Record) -> str:
    """What an estimand is of, within its group."""
    words, estimand, time = FitWords(results.fit.question), str(row["estimand"]), float(row["time"])
    if estimand == "change_sd":
        return f"{words.factor(row['factor'])}: standard deviation of a year's change"
    if row["population"] == "each":
        name = words.comparison(row["factor"], row["level"])
        if estimand == "hazard_ratio_in_interval":
            return f"{name}, {interval_words(results, time)}"
        return f"{name}, last interval over first" if estimand == "hazard_ratio_change" else name
    what = {
        "survival": f"{words.event_free} at {time:g} months",
        "survival_difference": f"difference {words.event_free} at {time:g} months",
        "median": "median",
        "rmst": f"mean up to {time:g} months",
        "rmst_difference": f"difference in means up to {time:g} months",
    }[estimand]
    if not row["factor"]:
        return what
    where = words.comparison if estimand.endswith("_difference") else words.group
    return f"{where(row['factor'], row['level'])}, {what}"
