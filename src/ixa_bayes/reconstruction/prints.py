"""How far the statistics of a cohort are from what was printed: 0 where every one prints as it was printed.

A printed number is a box: all values that print so. The distance to the boxes, added up, is what replica exchange
tempers; its shape outside the boxes is a matter of speed only, since cohorts outside are not kept.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ixa_bayes.reconstruction.statistics import IntArray, log_rank, median_with_limits

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

EVENTS: Final = 0
MEDIAN: Final = 1
MEDIAN_LOWER: Final = 2
MEDIAN_UPPER: Final = 3
LOG_RANK: Final = 4
PROGRESSION_FREE: Final = 0
OVERALL: Final = 1
EVERYBODY: Final = -1
_OUTSIDE: Final = 0.05
"""What a median outside its box costs at least, so that the slope towards the box does not end before it."""


@dataclass(frozen=True)
class Statistic:
    """One printed statistic.

    Attributes
    ----------
    kind : int
        ``EVENTS``, ``MEDIAN``, ``MEDIAN_LOWER``, ``MEDIAN_UPPER`` or ``LOG_RANK``.
    endpoint : int
        ``PROGRESSION_FREE`` or ``OVERALL``.
    low, high : float
        The box: numbers of events, cells or visits, or the absolute z; ``inf`` for a median that is not reached.
    factor : int
        Column of the covariates that says whose statistic it is; ``EVERYBODY`` for all.
    levels, others : tuple of int
        Levels of the factor that belong to it, and those that a test compares them with.
    within : int
        Column whose levels ``within_levels`` limit both; ``EVERYBODY`` for all.
    """

    kind: int
    endpoint: int
    low: float
    high: float
    factor: int = EVERYBODY
    levels: tuple[int, ...] = ()
    others: tuple[int, ...] = ()
    within: int = EVERYBODY
    within_levels: tuple[int, ...] = ()


def boxes(statistics: Sequence[Statistic]) -> tuple[IntArray, FloatArray]:
    """Statistics as the compiled functions take them.

    Returns
    -------
    ndarray of int, shape (statistic, 7); ndarray of float, shape (statistic, 2)
        Sets of levels as bits; boxes.
    """
    which = np.array(
        [
            (s.kind, s.endpoint, s.factor, _bits(s.levels), _bits(s.others), s.within, _bits(s.within_levels))
            for s in statistics
        ],
        dtype=np.int64,
    ).reshape(len(statistics), 7)
    return which, np.array([(s.low, s.high) for s in statistics], dtype=float).reshape(len(statistics), 2)


def _bits(levels: tuple[int, ...]) -> int:
    return sum(1 << level for level in set(levels))


@njit(cache=True)
def distance(
    which: IntArray,
    box: FloatArray,
    covariates: IntArray,
    times: IntArray,
    events: BoolArray,
) -> float:
    """Sum over statistics of how far each is outside its box.

    Parameters
    ----------
    which, box
        From :func:`boxes`.
    covariates : ndarray of int, shape (patient, factor)
        Levels.
    times : ndarray of int, shape (endpoint, patient)
        Visits of progression-free survival and cells of overall survival.
    events : ndarray of bool, shape (endpoint, patient)
    """
    total = 0.0
    for s in range(which.shape[0]):
        total += _outside(which[s, 0], value_of(which[s], covariates, times, events), box[s])
    return total


@njit(cache=True)
def value_of(which: IntArray, covariates: IntArray, times: IntArray, events: BoolArray) -> float:
    """One statistic of a cohort; NaN for a test that the cohort does not allow."""
    kind, endpoint = which[0], which[1]
    group = _groups(which, covariates)
    time, event = times[endpoint], events[endpoint]
    if kind == EVENTS:
        count = 0
        for i in range(group.size):
            count += group[i] == 1 and event[i]
        return float(count)
    if kind == LOG_RANK:
        difference, variance = log_rank(time, event, group)
        return np.abs(difference) / np.sqrt(variance) if variance > 0 else np.nan
    return median_with_limits(time, event, group == 1)[kind - MEDIAN]


@njit(cache=True)
def _groups(which: IntArray, covariates: IntArray) -> IntArray:
    """1 for patients whose statistic it is, 0 for those that they are compared with, 2 for the rest."""
    factor, levels, others, within, within_levels = which[2], which[3], which[4], which[5], which[6]
    group = np.full(covariates.shape[0], 2)
    for i in range(group.size):
        if within != EVERYBODY and not (within_levels >> covariates[i, within]) & 1:
            continue
        if factor == EVERYBODY or (levels >> covariates[i, factor]) & 1:
            group[i] = 1
        elif (others >> covariates[i, factor]) & 1:
            group[i] = 0
    return group


@njit(cache=True)
def _outside(kind: int, value: float, box: FloatArray) -> float:
    """Distance of a value to its box: in z, in numbers of events, or of medians in their logarithm, at most 1."""
    if np.isnan(value):
        return 10.0
    if box[0] <= value <= box[1]:
        return 0.0
    if kind in (EVENTS, LOG_RANK):
        return float(max(box[0] - value, value - box[1]))
    if np.isinf(value) or np.isinf(box[0]):
        return 1.0
    nearer = box[0] if value < box[0] else box[1]
    return _OUTSIDE + min(1.0, abs(math.log(value / nearer)))
