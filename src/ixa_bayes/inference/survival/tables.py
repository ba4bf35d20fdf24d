"""The estimands of a survival fit as one tidy table: medians, intervals, Monte Carlo errors, probabilities."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import arviz as az
import numpy as np
import pandas as pd
import xarray as xr

from ixa_bayes.formulas.piecewise import INTERVAL
from ixa_bayes.inference.survival.estimands import (
    hazard_ratio_change,
    hazard_ratios,
    hazard_ratios_over_time,
    standardised,
)
from ixa_bayes.inference.survival.fitting import SurvivalFit
from ixa_bayes.models.design_matrix import Design, Term
from ixa_bayes.models.over_time import CHANGE_SD, CHANGING_COVARIATE
from ixa_bayes.models.ratio_priors import CHANGING, COEFFICIENT

COLUMNS: Final[Mapping[str, str]] = {
    "estimand": "hazard_ratio, survival, median, rmst (restricted mean survival time), "
    "survival_difference, rmst_difference; of an effect that changes over time hazard_ratio is the geometric mean over "
    "the intervals, each counted once however long, and there are hazard_ratio_in_interval, hazard_ratio_change (of "
    "the last interval over the first; 1: proportional hazards) and change_sd (standard deviation of a year's change "
    "of the log hazard ratio)",
    "endpoint": "the endpoint",
    "population": "whose quantity it is: `each` for a hazard ratio, `cohort` for an average over the cohort's patients",
    "model": "name of the model file",
    "prior": "`model_file`: the priors as the model file states them",
    "factor": "the covariate; empty for the cohort as it is",
    "level": "its level: of a hazard ratio against the comparator, otherwise the one that every patient is set to",
    "comparator": "the level, or the step of a continuous covariate, that a ratio or difference compares with",
    "time": "months: of a survival, the horizon of a restricted mean, or where the interval of a hazard ratio starts",
    "unit": "ratio, probability, months or log_ratio",
    "median": "posterior median",
    "q025": "lower end of the 95% equal-tailed interval",
    "q975": "upper end of the 95% equal-tailed interval",
    "mcse": "Monte Carlo standard error of the median",
    "p_gt_1": "probability that a ratio exceeds 1, or that a difference exceeds 0",
}
EVIDENCE: Final = ("evidence_kind", "ledger_rows")

type Row = dict[str, object]
"""What names one estimand: ``estimand``, ``population``, ``factor``, ``level``, ``comparator``, ``time``, ``unit``."""


def estimand_table(fit: SurvivalFit) -> pd.DataFrame:
    """Hazard ratios, and survival, medians and restricted means standardised over the cohort with their contrasts.

    Parameters
    ----------
    fit : SurvivalFit

    Returns
    -------
    DataFrame
        Columns of :data:`COLUMNS`, then one ``p_gt_c`` for each further threshold of the model file (``p_gt_1_25``),
        ``p_practically_equal``, ``evidence_kind`` and ``ledger_rows``. Covariates that are measured, not
        levels of a factor, have hazard ratios only, and so have levels that nobody has.

    Examples
    --------
    >>> import ixa_bayes as ib
    >>> fitted = ib.fit("os_weibull", "example_cohort", seed=1)  # doctest: +SKIP
    >>> ib.estimand_table(fitted).query("estimand == 'hazard_ratio'")  # doctest: +SKIP
    """
    return table_of(fit, estimand_draws(fit))


def table_of(fit: SurvivalFit, drawn: Iterable[tuple[Row, xr.DataArray]]) -> pd.DataFrame:
    """The table of :func:`estimand_table` from draws of the estimands that are at hand."""
    analysis = fit.question.analysis
    shared: Row = {
        "endpoint": analysis.endpoint,
        "model": analysis.name,
        "prior": "model_file",
        "evidence_kind": fit.question.cohort.evidence_kind,
        "ledger_rows": "",
    }
    rows = [row | _summary(draws) | _probabilities(row, draws, fit) for row, draws in drawn]
    columns = [*COLUMNS, *_threshold_columns(fit), "p_practically_equal", *EVIDENCE]
    return pd.DataFrame([shared | row for row in rows], columns=columns)


def estimand_draws(fit: SurvivalFit) -> Iterator[tuple[Row, xr.DataArray]]:
    """Every estimand that a fit reports: what names it, and its draws, dims (chain, draw)."""
    yield from _ratios(fit)
    yield from _ratios_over_time(fit)
    yield from _cohort_estimands(fit)


def _threshold_columns(fit: SurvivalFit) -> dict[str, float]:
    """Columns of the probabilities of exceeding the thresholds other than 1."""
    return {f"p_gt_{c:g}".replace(".", "_"): c for c in fit.question.analysis.estimands.thresholds if c != 1}


def _ratios(fit: SurvivalFit) -> Iterator[tuple[Row, xr.DataArray]]:
    ratios = hazard_ratios(fit)
    for name in ratios[COEFFICIENT].to_numpy().tolist():
        yield {"estimand": "hazard_ratio", **ratio_named(fit, name)}, ratios.sel({COEFFICIENT: name}, drop=True)


def _ratios_over_time(fit: SurvivalFit) -> Iterator[tuple[Row, xr.DataArray]]:
    """Of each effect that changes: its hazard ratio in every interval, how far it moves, and by what prior scale."""
    over_time, change = hazard_ratios_over_time(fit), hazard_ratio_change(fit)
    for covariate, names in fit.question.changing.items():
        for name in names:
            own = over_time.sel({CHANGING: name}, drop=True)
            for start in own[INTERVAL].to_numpy().tolist():
                told = {"estimand": "hazard_ratio_in_interval", **ratio_named(fit, name), "time": start}
                yield told, own.sel({INTERVAL: start}, drop=True)
            yield {"estimand": "hazard_ratio_change", **ratio_named(fit, name)}, change.sel({CHANGING: name}, drop=True)
        sd = fit.posterior["posterior"].to_dataset()[CHANGE_SD].sel({CHANGING_COVARIATE: covariate}, drop=True)
        told = {"estimand": "change_sd", "population": "each", "factor": covariate, "level": "", "comparator": ""}
        yield {**told, "unit": "log_ratio"}, sd


def ratio_named(fit: SurvivalFit, coefficient: str) -> Row:
    """What names a ratio of hazards that a coefficient stands for, of a posterior or a prior."""
    term = fit.question.design.term_of(coefficient)
    return {
        "population": "each",
        "factor": term.covariate,
        "level": term.level_of(coefficient),
        "comparator": term.reference,
        "unit": "ratio",
    }


def _probabilities(row: Row, draws: xr.DataArray, fit: SurvivalFit) -> dict[str, float]:
    """Probabilities that a ratio or a difference exceeds what it is compared with; of other estimands none."""
    estimand = str(row["estimand"])
    if estimand.endswith("_difference"):
        return {"p_gt_1": float((draws > 0).mean())}
    if row["unit"] != "ratio":
        return {}
    low, high = fit.question.analysis.estimands.equivalence
    return {
        "p_gt_1": float((draws > 1).mean()),
        **{column: float((draws > c).mean()) for column, c in _threshold_columns(fit).items()},
        "p_practically_equal": float(((draws > low) & (draws < high)).mean()),
    }


@dataclass(frozen=True, eq=False)
class _Cohort:
    """What is reported of the cohort's patients, as they are or with a covariate set."""

    survival: xr.DataArray
    median: xr.DataArray
    rmst: xr.DataArray


def _cohort(fit: SurvivalFit, *, covariate: str | None = None, level: str | float | None = None) -> _Cohort:
    asked, patients = fit.question.analysis.estimands, standardised(fit, covariate=covariate, level=level)
    return _Cohort(patients.survival(asked.times), patients.quantile(0.5), patients.rmst(asked.horizon))


def levels_held(design: Design, covariate: str) -> tuple[str, ...]:
    """Levels of a covariate that any patient has, or may have where its value is not known; its reference first.

    What a model says of a level that nobody has is its prior alone, so nothing is reported of it but its hazard ratio.
    """
    term = design.terms[covariate]
    coded = design.matrix[list(term.coefficients)]
    if coded.isna().any(axis=None):
        return (term.reference, *term.levels)
    if term.kind == "binary":
        held = (coded[covariate] + term.centre).round().astype(int).astype(str)
    else:
        held = coded.idxmax(axis=1).map(term.level_of).where(coded.any(axis=1), term.reference)
    return tuple(level for level in (term.reference, *term.levels) if level in set(held))


def _cohort_estimands(fit: SurvivalFit) -> Iterator[tuple[Row, xr.DataArray]]:
    yield from _levels(fit, _cohort(fit))
    for name, term in fit.question.design.terms.items():
        if term.kind == "continuous" or len(held := levels_held(fit.question.design, name)) < 2:
            continue
        cohorts = {level: _cohort(fit, covariate=name, level=_value(term, level)) for level in held}
        reference = cohorts.get(term.reference)
        for level, cohort in cohorts.items():
            yield from _levels(fit, cohort, factor=name, level=level)
            if reference is not None and level != term.reference:
                yield from _contrasts(fit, cohort, reference, term=term, level=level)


def _levels(
    fit: SurvivalFit, cohort: _Cohort, *, factor: str = "", level: str = ""
) -> Iterator[tuple[Row, xr.DataArray]]:
    asked = fit.question.analysis.estimands
    where: Row = {"population": "cohort", "factor": factor, "level": level, "comparator": ""}
    for time in asked.times:
        told: Row = {**where, "estimand": "survival", "time": time, "unit": "probability"}
        yield told, cohort.survival.sel(time=time, drop=True)
    yield {**where, "estimand": "median", "unit": "months"}, cohort.median
    yield {**where, "estimand": "rmst", "time": asked.horizon, "unit": "months"}, cohort.rmst


def _contrasts(
    fit: SurvivalFit, one: _Cohort, other: _Cohort, *, term: Term, level: str
) -> Iterator[tuple[Row, xr.DataArray]]:
    asked = fit.question.analysis.estimands
    where: Row = {"population": "cohort", "factor": term.covariate, "level": level, "comparator": term.reference}
    survival = one.survival - other.survival
    for time in asked.times:
        told: Row = {**where, "estimand": "survival_difference", "time": time, "unit": "probability"}
        yield told, survival.sel(time=time, drop=True)
    yield {**where, "estimand": "rmst_difference", "time": asked.horizon, "unit": "months"}, one.rmst - other.rmst


def _value(term: Term, level: str) -> str | float:
    return level if term.kind == "factor" else float(level)


def _summary(draws: xr.DataArray) -> dict[str, float]:
    low, middle, high = np.quantile(draws.to_numpy(), [0.025, 0.5, 0.975]).tolist()
    return {"median": middle, "q025": low, "q975": high, "mcse": float(az.mcse(draws, method="median"))}
