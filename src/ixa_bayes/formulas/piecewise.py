"""The piecewise-exponential law of survival times: a hazard that is constant between cut-points.

Intervals are right-closed: with cut-points ``c_1 < ... < c_J-1`` interval ``j`` is ``(c_j-1, c_j]``,
``c_0 = 0``, the last one open-ended, and an event exactly at a cut-point belongs to the interval that
ends there (Friedman 1982, Annals of Statistics 10:101). Covariates multiply the hazard by ``exp(eta)``.
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

INTERVAL = "interval"

FloatArray = NDArray[np.float64]
type Times = xr.DataArray | float


def interval_of(time: ArrayLike, cuts: Sequence[float]) -> NDArray[np.int64]:
    """Index of the right-closed interval that each time (above 0) lies in."""
    return np.searchsorted(np.asarray(cuts, dtype=float), np.asarray(time, dtype=float), side="left")


def exposure(start: ArrayLike, stop: ArrayLike, cuts: Sequence[float]) -> FloatArray:
    """Time spent in each interval between two times.

    Parameters
    ----------
    start, stop : array_like, shape (row,)
        ``0 <= start <= stop``.
    cuts : sequence of float, shape (interval - 1,)

    Returns
    -------
    ndarray, shape (row, interval)
        In the unit of the times; rows add up to ``stop - start``.
    """
    lower, upper = _edges(cuts)
    first, last = np.asarray(start, dtype=float)[:, None], np.asarray(stop, dtype=float)[:, None]
    spent: FloatArray = np.clip(np.minimum(last, upper) - np.maximum(first, lower), 0, None)
    return spent


def log_hazard(time: Times, *, log_hazards: xr.DataArray, cuts: Sequence[float]) -> xr.DataArray:
    """Log hazard at times above 0; ``log_hazards`` has the dim ``interval``, the result those of the times instead."""
    at = time if isinstance(time, xr.DataArray) else xr.DataArray(time)
    which = xr.DataArray(interval_of(at.to_numpy(), cuts), dims=at.dims, coords=at.coords)
    return log_hazards.drop_vars(INTERVAL, errors="ignore").isel({INTERVAL: which})


def cumulative_hazard(time: Times, *, log_hazards: xr.DataArray, cuts: Sequence[float]) -> xr.DataArray:
    """Cumulative hazard from 0 to times of at least 0; ``log_hazards`` has the dim ``interval``."""
    total: xr.DataArray = xr.dot(_hazards(log_hazards), _spent(time, cuts), dim=INTERVAL)
    return total


def quantile(prob: xr.DataArray | float, *, log_hazards: xr.DataArray, cuts: Sequence[float]) -> xr.DataArray:
    """The time by which a share ``prob`` (0 <= prob < 1) has had the event, exactly.

    ``log_hazards`` (with the covariates' ``eta`` already added) has the dim ``interval``.
    """
    return time_of(xr.DataArray(-np.log1p(-prob)), log_hazards=log_hazards, cuts=cuts)


def time_of(cumulative: Times, *, log_hazards: xr.DataArray, cuts: Sequence[float]) -> xr.DataArray:
    """The time at which the cumulative hazard reaches ``cumulative`` (at least 0), exactly.

    ``log_hazards`` (with the covariates' ``eta`` already added) has the dim ``interval``. The
    cumulative hazard is linear within intervals, so it is inverted in the one where it passes
    ``cumulative``.
    """
    hazards = _hazards(log_hazards)
    lower, upper = (xr.DataArray(edge, dims=INTERVAL) for edge in _edges(cuts))
    width = upper - lower
    before = (hazards * width.where(np.isfinite(width), 0.0)).cumsum(INTERVAL).shift({INTERVAL: 1}, fill_value=0.0)
    wanted: xr.DataArray = cumulative * xr.ones_like(hazards)
    inside = lower + (wanted - before) / hazards
    # The interval sought is the last one that begins below the wanted cumulative hazard.
    last = (before < wanted).sum(INTERVAL) - 1
    found: xr.DataArray = inside.isel({INTERVAL: last.clip(min=0)})
    return found.where(wanted.isel({INTERVAL: 0}) > 0, 0.0)


def rmst(horizon: Times, *, log_hazards: xr.DataArray, cuts: Sequence[float]) -> xr.DataArray:
    """Restricted mean survival time, the area under the survival curve from 0 to ``horizon``, exactly.

    Within an interval entered with survival ``S`` and spent for ``w`` at hazard ``h`` the area is
    ``S (1 - exp(-h w)) / h``.
    """
    hazards = _hazards(log_hazards)
    step = hazards * _spent(horizon, cuts)
    entered = xr.ufuncs.exp(step - step.cumsum(INTERVAL))
    area: xr.DataArray = (entered * -xr.ufuncs.expm1(-step) / hazards).sum(INTERVAL)
    return area


def root_distances(cuts: Sequence[float]) -> FloatArray:
    """Square root of the years between the midpoints of neighbouring intervals, shape (interval - 1,).

    The standard deviation of a random walk's steps over the intervals, for one whose change over a year has 1. The
    last, open interval counts as wide as the one before it.
    """
    edges = np.array([0.0, *cuts])
    width = np.diff(edges)
    edges = np.append(edges, edges[-1] + width[-1])
    middle = (edges[:-1] + edges[1:]) / 2
    distance: FloatArray = np.diff(middle) / 12
    return np.sqrt(distance)


def _spent(time: Times, cuts: Sequence[float]) -> xr.DataArray:
    """Time from 0 to each time that falls into each interval."""
    lower, upper = (xr.DataArray(edge, dims=INTERVAL) for edge in _edges(cuts))
    spent: xr.DataArray = (xr.ufuncs.minimum(upper, time) - lower).clip(min=0.0)
    return spent


def _hazards(log_hazards: xr.DataArray) -> xr.DataArray:
    # Labels of intervals would be aligned with the plain positions of the edges.
    hazards: xr.DataArray = xr.ufuncs.exp(log_hazards.drop_vars(INTERVAL, errors="ignore"))
    return hazards


def _edges(cuts: Sequence[float]) -> tuple[FloatArray, FloatArray]:
    inner = np.asarray(cuts, dtype=float)
    if inner.size and not (np.all(np.diff(inner) > 0) and inner[0] > 0 and np.isfinite(inner[-1])):
        raise ValueError(f"cut-points {list(cuts)} must rise from above 0 and be finite.")
    return np.concatenate([[0.0], inner]), np.concatenate([inner, [np.inf]])
