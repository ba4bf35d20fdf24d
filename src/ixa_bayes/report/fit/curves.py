"""Numbers behind the curves of a report on a fit: Kaplan-Meier steps, patients at risk, and the model's band."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ixa_bayes.cohort.summary import SMALL_CELL, shown_counts
from ixa_bayes.crosscheck.kaplan_meier import numbers_at_risk, survival_curve
from ixa_bayes.crosscheck.observations import follow_up
from ixa_bayes.inference.survival.estimands import hazard, standardised
from ixa_bayes.inference.survival.fitting import SurvivalFit
from ixa_bayes.report.fit.extrapolation import followed_by
from ixa_bayes.report.fit.results import NOT_KNOWN, declared, levels_of

FloatArray = NDArray[np.float64]

DRAWS: Final = 1000
"""Draws that a band rests on: the eye sees no more."""
_STEPS: Final = (1, 2, 3, 6, 12, 24, 36, 60, 120, 240)
_MOST_TICKS: Final = 7
_GRID: Final = 40
_FEW_SHARE: Final = 0.05


@dataclass(frozen=True, eq=False)
class Band:
    """A curve with its 95% equal-tailed interval, point by point.

    Attributes
    ----------
    time : ndarray, shape (time,)
        Months.
    median, lower, upper : ndarray, shape (time,)
    followed : float
        Months to which patients were followed; what lies beyond rests on the model's law alone.
    """

    time: FloatArray
    median: FloatArray
    lower: FloatArray
    upper: FloatArray
    followed: float = np.inf


@dataclass(frozen=True, eq=False)
class GroupCurve:
    """One group of patients: what was seen and what the model says of the same patients.

    Attributes
    ----------
    level : str
        As the model names it; empty for all patients.
    time, survival : ndarray, shape (step,)
        Kaplan-Meier, from time 0; it stops where patients at risk are too few to be shown.
    at_risk : tuple of str
        Patients at risk at each tick, as they may be shown.
    model : Band
    """

    level: str
    time: FloatArray
    survival: FloatArray
    at_risk: tuple[str, ...]
    model: Band


def time_ticks(fit: SurvivalFit) -> FloatArray:
    """Ticks in months, from 0 to where fewer than 5% of the patients (and fewer than five) are still at risk.

    The times and the horizon that the model file asks for are always within.
    """
    asked = fit.question.analysis.estimands
    few = max(SMALL_CELL, round(_FEW_SHARE * fit.question.unit_weight.sum()))
    end = max(followed_by(fit, few), *asked.times, asked.horizon)
    step = next((step for step in _STEPS if end / step <= _MOST_TICKS), _STEPS[-1])
    return np.arange(0.0, end + step, step)


def thinned(fit: SurvivalFit, draws: int = DRAWS) -> SurvivalFit:
    """The fit with at most so many draws in all, evenly spaced, and nothing of single patients."""
    posterior = fit.posterior["posterior"].to_dataset()
    n_chains, available = posterior.sizes["chain"], posterior.sizes["draw"]
    wanted = min(available, max(1, draws // n_chains))
    chosen = np.linspace(0, available - 1, wanted).round().astype(int)
    # Without labels of chains and draws there is nothing to align, which would take most of the time.
    some = posterior.isel(draw=chosen).drop_vars(["chain", "draw"])
    return replace(fit, posterior=xr.DataTree.from_dict({"posterior": some}))


def only(fit: SurvivalFit, rows: NDArray[np.bool_]) -> SurvivalFit:
    """The same posterior asked about some of the patients."""
    return replace(fit, question=fit.question.only(rows))


def group_curves(
    fit: SurvivalFit, ticks: FloatArray, *, kept_back: bool, covariate: str | None = None
) -> list[GroupCurve]:
    """Kaplan-Meier and the model's mean curve of all patients, or of those at each level of a covariate.

    The model's curve averages over the very patients of the group, so that the two can be compared.

    Parameters
    ----------
    fit : SurvivalFit
    ticks : ndarray
        Months at which patients at risk are counted; the model's curve ends at the last.
    kept_back : bool
        Whether small counts may not be shown: a curve stops where fewer than five are at risk, and a group of fewer
        than five has none.
    covariate : str, optional
        One with levels; patients for whom it is not known are in no group.
    """
    some = thinned(fit)
    shown = _at_risk_shown(fit, ticks, kept_back=kept_back, covariate=covariate)
    found = []
    for level, rows in _members(fit, covariate):
        if kept_back and only(fit, rows).question.unit_weight.sum() < SMALL_CELL:
            continue
        time, survival = observed_steps(only(fit, rows), kept_back=kept_back)
        band = replace(
            _model_band(only(some, rows), float(ticks[-1])), followed=_followed(only(fit, rows), kept_back=kept_back)
        )
        found.append(GroupCurve(level, time, survival, shown[level], band))
    return found


def _at_risk_shown(
    fit: SurvivalFit, ticks: FloatArray, *, kept_back: bool, covariate: str | None
) -> dict[str, tuple[str, ...]]:
    """Patients at risk at each tick as they may be shown, by level; those whose level is not known count as another."""
    levels, labels = [""], np.full(fit.question.rows.event.size, "")
    if covariate is not None:
        levels, labels = declared(fit, covariate), levels_of(fit, covariate).to_numpy(dtype=str)
    nobody = np.zeros(ticks.size, dtype=np.int64)  # at a level that nobody has
    counts = np.array(
        [_at_risk(only(fit, own), ticks) if (own := labels == level).any() else nobody for level in levels]
    )
    shown = [shown_counts(column.tolist(), kept_back=kept_back) for column in counts.T]
    return {level: tuple(column[which] for column in shown) for which, level in enumerate(levels)}


def _members(fit: SurvivalFit, covariate: str | None) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    if covariate is None:
        yield "", np.ones(fit.question.rows.event.size, dtype=bool)
        return
    labels, term = levels_of(fit, covariate), fit.question.design.terms[covariate]
    for level in (term.reference, *term.levels):
        rows = (labels == level).to_numpy(dtype=bool)
        if level != NOT_KNOWN and rows.any():
            yield level, rows


def _at_risk(fit: SurvivalFit, ticks: FloatArray) -> NDArray[np.int64]:
    rows = fit.question.rows
    data = follow_up(rows.upper, rows.event | rows.between, entry=rows.entry, weight=rows.weight)
    return numbers_at_risk(data, ticks)


def observed_steps(fit: SurvivalFit, *, kept_back: bool) -> tuple[FloatArray, FloatArray]:
    """Kaplan-Meier times and survival from time 0, up to where patients at risk are too few to be shown."""
    rows = fit.question.rows
    curve = survival_curve(rows.upper, rows.event | rows.between, entry=rows.entry, weight=rows.weight)
    if kept_back:
        few = (curve["n_at_risk"] < SMALL_CELL).to_numpy()
        curve = curve.iloc[: int(np.argmax(few)) if few.any() else len(curve)]
    time, survival = curve["time"].to_numpy(float), curve["survival"].to_numpy(float)
    return np.concatenate([[0.0], time]), np.concatenate([[1.0], survival])


def _followed(fit: SurvivalFit, *, kept_back: bool) -> float:
    """Months to which any patient was followed; to which five were, where the last of them may not be shown."""
    return followed_by(fit, SMALL_CELL if kept_back else 1)


def _model_band(fit: SurvivalFit, end: float) -> Band:
    grid = np.linspace(0.0, end, _GRID + 1)
    return band_of(standardised(fit).survival(grid.tolist()), grid)


def hazard_band(fit: SurvivalFit, end: float, *, kept_back: bool = False) -> Band:
    """Hazard per month of the reference profile, with both sides of each cut-point where there are any."""
    cuts = np.asarray([cut for cut in fit.question.cuts if cut < end])
    grid = np.linspace(0.0, end, 4 * _GRID + 1)[1:]
    grid = np.unique(np.concatenate([grid, cuts, cuts * (1 + 1e-9)]))
    band = band_of(hazard(thinned(fit), grid.tolist()), grid)
    return replace(band, followed=_followed(fit, kept_back=kept_back))


def band_of(draws: xr.DataArray, time: FloatArray) -> Band:
    """Median and 95% interval of draws with the dims (chain, draw, time)."""
    low, middle, high = np.quantile(draws.to_numpy(), [0.025, 0.5, 0.975], axis=(0, 1))
    return Band(time, median=middle, lower=low, upper=high)
