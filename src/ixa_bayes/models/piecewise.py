"""Piecewise-exponential proportional hazards: ``h(t|x) = exp(lambda_j + x'beta)`` on ``(c_j-1, c_j]``, t in months.

The log hazards are independent, or a random walk whose steps have a variance in proportion to the
distance of the intervals' midpoints. The last, open interval counts as wide as the one before it. A covariate's
effect may change between intervals: ``h(t|x) = exp(lambda_j + x'beta_j)``; see ``models.over_time``.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike
from scipy.stats import halfnorm, norm

from ixa_bayes.errors import InputError, Problem
from ixa_bayes.formulas import piecewise
from ixa_bayes.formulas.piecewise import root_distances
from ixa_bayes.models.over_time import change_of_predictor
from ixa_bayes.models.ratio_priors import COEFFICIENT
from ixa_bayes.models.survival_analysis import MONTHS_PER, MedianPrior, PiecewiseBaseline
from ixa_bayes.models.survival_likelihood import Structure, linear_predictor, observe, row_data
from ixa_bayes.models.survival_rows import ROW, FloatArray, SurvivalRows, row_kinds

if TYPE_CHECKING:
    import pymc as pm

INTERVAL = piecewise.INTERVAL
STEP = "step"
type Times = xr.DataArray | float


@dataclass(frozen=True, eq=False)
class PiecewiseLaw:
    """Draws of the baseline; see ``survival_likelihood.Law``.

    What covariates add, ``eta``, has the dim ``interval`` where an effect changes over time.

    Attributes
    ----------
    log_hazards : xr.DataArray
        Per month, dims (chain, draw, interval).
    cuts : tuple of float
        Months.
    """

    log_hazards: xr.DataArray
    cuts: tuple[float, ...]

    def log_hazard(self, time: Times, eta: Times) -> xr.DataArray:
        """Log hazard per month."""
        if _changes(eta):
            return piecewise.log_hazard(time, log_hazards=self.log_hazards + eta, cuts=self.cuts)
        return piecewise.log_hazard(time, log_hazards=self.log_hazards, cuts=self.cuts) + eta

    def cumulative_hazard(self, time: Times, eta: Times) -> xr.DataArray:
        """Cumulative hazard from 0."""
        if _changes(eta):
            return piecewise.cumulative_hazard(time, log_hazards=self.log_hazards + eta, cuts=self.cuts)
        total = piecewise.cumulative_hazard(time, log_hazards=self.log_hazards, cuts=self.cuts)
        return xr.DataArray(total * np.exp(eta))

    def quantile(self, prob: float, eta: Times) -> xr.DataArray:
        """Months by which a share ``prob`` has had the event."""
        return piecewise.quantile(prob, log_hazards=self.log_hazards + eta, cuts=self.cuts)

    def time_of(self, cumulative: Times, eta: Times) -> xr.DataArray:
        """Months at which the cumulative hazard reaches a value."""
        return piecewise.time_of(cumulative, log_hazards=self.log_hazards + eta, cuts=self.cuts)

    def rmst(self, horizon: float, eta: Times) -> xr.DataArray:
        """Restricted mean survival time in months."""
        return piecewise.rmst(horizon, log_hazards=self.log_hazards + eta, cuts=self.cuts)


def cut_points(baseline: PiecewiseBaseline, rows: SurvivalRows) -> tuple[float, ...]:
    """Where the intervals end, in months.

    Quantiles of event times are observed times (the smallest by which the share has happened), so
    tied events are never split; where ties make two cut-points equal there is one interval less. An
    event between two visits counts at the later one. So cut-points lie on visits, and where visits are common to
    all no event's interval is cut through, as it would be by midpoints; the price is that a cut-point is late by up
    to the time between visits. The likelihood keeps the interval: only the cut-points take its end.

    Raises
    ------
    InputError
        If quantiles of events are asked for and there are no events.
    """
    if baseline.cuts is not None:
        return baseline.cuts
    probs = baseline.event_quantiles
    if probs is None:
        n = baseline.n_intervals or 1
        probs = tuple(j / n for j in range(1, n))
    if not probs:
        return ()
    seen = rows.event | rows.between
    if not seen.any():
        mend = "give `cuts` in months, or choose an endpoint that has events"
        raise InputError([Problem("cut-points at quantiles of events", "no events", "at least one is needed", mend)])
    times = np.quantile(rows.upper[seen], probs, weights=rows.weight[seen], method="inverted_cdf")
    return tuple(float(cut) for cut in np.unique(times) if cut < rows.upper[seen].max())


def piecewise_model(structure: Structure) -> "pm.Model":
    """Build the model, with rows, exposures and prior numbers as ``pm.Data`` so that one compilation serves all.

    Parameters
    ----------
    structure : Structure

    Returns
    -------
    pm.Model
        Parameters ``log_hazard`` (interval), or ``level``, ``walk_sd`` and ``z`` (step) of the random walk;
        ``normal`` and ``student_t`` (coefficients); ``change_sd`` and ``change_z`` of effects that change over time.
        The dim ``row`` may have any length.
    """
    import pymc as pm  # here, because it takes seconds that commands without sampling need not pay
    import pytensor.tensor as pt

    n_intervals = structure.n_intervals
    coords = {COEFFICIENT: np.arange(structure.n_coefficients), INTERVAL: np.arange(n_intervals)}
    with pm.Model(coords=coords) as model:
        mean, sd = pm.Data("level_mean", 0.0), pm.Data("level_sd", 1.0)
        if structure.walk:
            level = pm.Normal("level", mu=mean, sigma=sd)
            walk_sd = pm.HalfNormal("walk_sd", sigma=pm.Data("walk_scale", 1.0))
            z = pm.Normal("z", shape=n_intervals - 1)
            root_distance = pm.Data("root_distance", np.ones(n_intervals - 1))
            steps = pt.concatenate([pt.zeros(1), pt.cumsum(z * root_distance)])
            log_hazard = level + walk_sd * steps
        else:
            log_hazard = pm.Normal("log_hazard", mu=mean, sigma=sd, shape=n_intervals)
        at_event = pm.Data("at_event", np.zeros((2, n_intervals)), dims=(ROW, INTERVAL))
        exposure = pm.Data("exposure", np.ones((2, n_intervals)), dims=(ROW, INTERVAL))
        eta = linear_predictor(structure)
        ratio, between = pt.exp(eta), None
        if structure.changing:
            log_hazard = log_hazard + change_of_predictor(structure)  # of each row and pattern
        hazard = pt.exp(log_hazard)
        if structure.between:
            spent = pm.Data("exposure_between", np.zeros((2, n_intervals)), dims=(ROW, INTERVAL))
            between = _summed(spent, hazard) * ratio
        observe(_summed(at_event, log_hazard) + eta, _summed(exposure, hazard) * ratio, between, structure=structure)
    return model


def _summed(weight: Any, values: Any) -> Any:
    """Sum over the intervals, shape (row, pattern), of ``weight`` (row, interval) times values.

    These are of all rows, shape (interval,), or of each row and pattern, shape (row, pattern, interval).
    """
    return (weight @ values)[:, None] if values.ndim == 1 else (weight[:, None, :] * values).sum(axis=2)


def piecewise_data(
    rows: SurvivalRows,
    design: pd.DataFrame,
    *,
    baseline: PiecewiseBaseline,
    cuts: tuple[float, ...],
    structure: Structure,
) -> dict[str, ArrayLike]:
    """What the compiled program takes: events and exposure by interval, and the prior numbers of the baseline.

    Rows of one covariate pattern are one there, however many they are, unless events lie between visits or a
    covariate is marginalised.

    Parameters
    ----------
    rows : SurvivalRows
    design : DataFrame, shape (row, coefficient)
        Columns in the order of the compiled program.
    baseline : PiecewiseBaseline
    cuts : tuple of float
        Months.
    structure : Structure
    """
    mean, sd = hazard_numbers(baseline)
    at_event, exposure = _at_event(rows, cuts), piecewise.exposure(rows.entry, rows.end, cuts)
    data: dict[str, ArrayLike] = {"level_mean": mean, "level_sd": sd}
    if baseline.walk is not None and structure.walk:
        data |= {"walk_scale": baseline.walk.scale, "root_distance": root_distances(cuts)}
    if is_by_row(structure):
        data |= row_data(rows, structure) | {"at_event": at_event, "exposure": exposure}
    else:
        data |= _cells(rows, design, at_event=at_event, exposure=exposure)
        design = design.drop_duplicates()
    if design.shape[1]:
        data["design"] = design.to_numpy(dtype=float)
    if structure.between:
        data["exposure_between"] = piecewise.exposure(rows.end, rows.upper, cuts)
    return data


def is_by_row(structure: Structure) -> bool:
    """Whether the program takes the cohort's rows one by one, and not one row per covariate pattern."""
    return structure.between or structure.n_marginalised > 0


def _cells(
    rows: SurvivalRows, design: pd.DataFrame, *, at_event: FloatArray, exposure: FloatArray
) -> dict[str, ArrayLike]:
    """Events and exposure of each covariate pattern and interval: all that the likelihood of exact rows depends on.

    The patterns are in the order of ``design.drop_duplicates()``. A pattern's events have the log hazard
    ``sum_j share_j lambda_j + eta`` on average, with share_j the share of them in interval j; an effect that changes
    adds to lambda_j, for all rows of a pattern alike.
    """
    kind = row_kinds(design)
    weighted = [np.concatenate([at_event, exposure], axis=1)[:, k] * rows.weight for k in range(2 * at_event.shape[1])]
    summed = np.stack([np.bincount(kind, weights=column) for column in weighted], axis=1)
    events, exposed = np.split(summed, 2, axis=1)
    n_events = events.sum(axis=1)
    share = events / np.where(n_events > 0, n_events, 1.0).reshape(-1, 1)
    return {"event": n_events, "weight": np.ones(n_events.size), "at_event": share, "exposure": exposed}


def hazard_numbers(baseline: PiecewiseBaseline) -> tuple[float, float]:
    """Mean and standard deviation of the normal prior of a log hazard per month (of the first one, in a walk)."""
    level = baseline.level
    if isinstance(level, MedianPrior):
        return math.log(math.log(2)) - math.log(level.months), level.log_sd
    return level.mean - math.log(MONTHS_PER[level.unit]), level.sd


def piecewise_parameters(draws: xr.Dataset, cuts: tuple[float, ...]) -> xr.Dataset:
    """The baseline's parameters under their own names.

    Parameters
    ----------
    draws : xr.Dataset
        ``log_hazard``, or ``level``, ``walk_sd`` and ``z``.
    cuts : tuple of float

    Returns
    -------
    xr.Dataset
        ``log_hazard`` per month (interval; the coordinate is the interval's start); of a random walk also ``walk_sd``
        and ``z``.
    """
    starts = [0.0, *cuts]
    if "z" not in draws:
        found = draws["log_hazard"]
        hazards = found.rename({found.dims[-1]: INTERVAL}).assign_coords({INTERVAL: starts})
        return hazards.to_dataset(name="log_hazard")
    z = draws["z"].rename({draws["z"].dims[-1]: STEP}).assign_coords({STEP: starts[1:]})
    steps = (z * xr.DataArray(root_distances(cuts), dims=STEP)).cumsum(STEP).rename({STEP: INTERVAL})
    steps = xr.concat([xr.zeros_like(steps.isel({INTERVAL: [0]})), steps], dim=INTERVAL)
    hazards = (draws["level"] + draws["walk_sd"] * steps).transpose("chain", "draw", INTERVAL)
    return xr.Dataset({"log_hazard": hazards.assign_coords({INTERVAL: starts}), "walk_sd": draws["walk_sd"], "z": z})


def piecewise_log_prior(parameters: xr.Dataset, baseline: PiecewiseBaseline) -> xr.Dataset:
    """Log prior density of the baseline's free parameters at each draw, on their own scale (``walk_sd`` not logged)."""
    mean, sd = hazard_numbers(baseline)
    hazards = parameters["log_hazard"]
    if "z" not in parameters or baseline.walk is None:
        return xr.Dataset({"log_hazard": hazards.copy(data=norm.logpdf(hazards, mean, sd))})
    first = hazards.isel({INTERVAL: 0}, drop=True)
    walk_sd, z = parameters["walk_sd"], parameters["z"]
    return xr.Dataset(
        {
            "level": first.copy(data=norm.logpdf(first, mean, sd)),
            "walk_sd": walk_sd.copy(data=halfnorm.logpdf(walk_sd, scale=baseline.walk.scale)),
            "z": z.copy(data=norm.logpdf(z)),
        }
    )


def piecewise_law(parameters: xr.Dataset) -> PiecewiseLaw:
    """The law of posterior or prior draws, from what :func:`piecewise_parameters` returns."""
    starts = parameters[INTERVAL].to_numpy()
    return PiecewiseLaw(parameters["log_hazard"], tuple(float(start) for start in starts[1:]))


def _at_event(rows: SurvivalRows, cuts: tuple[float, ...]) -> FloatArray:
    """1 in the interval of an exact event, 0 elsewhere."""
    which = piecewise.interval_of(np.where(rows.event, rows.end, 1.0), cuts)
    found = np.zeros((rows.event.size, len(cuts) + 1))
    found[np.flatnonzero(rows.event), which[rows.event]] = 1.0
    return found


def _changes(eta: Times) -> bool:
    return isinstance(eta, xr.DataArray) and INTERVAL in eta.dims
