"""The statistics that survival papers print, of whole-number times: medians with limits, and the log-rank z.

Compiled, for the sampler of pseudo-cohorts. Conventions are those of R's ``survfit`` and ``survdiff`` with their
printed defaults, which most papers use: where a curve keeps a half exactly until it falls again, its median is the
middle of that stretch, and where it never falls again the beginning; limits of the curve are normal on the log scale
(Kalbfleisch & Prentice 2002, ch. 1.4); limits of a median are where the limits of the curve reach a half (Brookmeyer &
Crowley 1982, Biometrics 38:29). :mod:`ixa_bayes.crosscheck` has the same from libraries, one cohort at a time.
"""

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

NOT_REACHED: Final = np.inf
Z_95: Final = 1.959963984540054
_SIGN: Final = (0.0, -1.0, 1.0)
"""Of the curve, its lower and its upper limit."""
_TIE: Final = 1.5e-8
"""R takes a curve within this of a half, the square root of machine precision, as resting on it."""


@njit(cache=True)
def median_with_limits(time: IntArray, event: BoolArray, member: BoolArray) -> tuple[float, float, float]:
    """Kaplan-Meier median of some patients, with its 95% limits.

    Parameters
    ----------
    time : ndarray of int, shape (patient,)
        In any unit; 0 for patients without follow-up.
    event : ndarray of bool, shape (patient,)
    member : ndarray of bool, shape (patient,)
        Whose curve it is.

    Returns
    -------
    tuple of float
        Median, lower and upper limit in the unit of ``time``; infinite where not reached.
    """
    last = 0
    for i in range(time.size):
        if member[i] and time[i] > last:
            last = time[i]
    at, events = np.zeros(last + 1, np.int64), np.zeros(last + 1, np.int64)
    at_risk = 0
    for i in range(time.size):
        if member[i] and time[i] > 0:
            at_risk += 1
            at[time[i]] += 1
            events[time[i]] += event[i]
    return _crossings(at, events, at_risk)


@njit(cache=True)
def _crossings(at: IntArray, events: IntArray, at_risk: int) -> tuple[float, float, float]:
    """Where the curve and its limits reach a half, from all ends and the events at each time."""
    found = np.full(3, NOT_REACHED)
    waiting = np.zeros(3, np.bool_)  # the curve, or a limit of it, has been at a half since found[k]
    done = np.zeros(3, np.bool_)
    survival, variance = 1.0, 0.0
    for t in range(1, at.size):
        d = events[t]
        at_risk_now, at_risk = at_risk, at_risk - at[t]
        if d == 0:
            continue
        survival *= (at_risk_now - d) / at_risk_now
        if survival == 0.0:  # R gives no limits where the curve has ended
            if not done[0]:
                found[0] = (found[0] + t) / 2 if waiting[0] else t
            break
        variance += d / (at_risk_now * (at_risk_now - d))
        for k in range(3):
            if done[k]:
                continue
            level = min(survival * np.exp(Z_95 * np.sqrt(variance) * _SIGN[k]), 1.0)
            rests = abs(level - 0.5) < _TIE
            if waiting[k] and not rests:
                found[k], done[k] = (found[k] + t) / 2, True
            elif rests and not waiting[k]:
                found[k], waiting[k] = t, True
            elif level < 0.5:
                found[k], done[k] = t, True
    return found[0], found[1], found[2]


@njit(cache=True)
def log_rank(time: IntArray, event: BoolArray, group: IntArray) -> tuple[float, float]:
    """Observed less expected events of group 1 against group 0, and the variance (hypergeometric; Mantel 1966).

    Parameters
    ----------
    time, event : ndarray, shape (patient,)
    group : ndarray of int, shape (patient,)
        1 or 0; patients with another number are left out.

    Returns
    -------
    tuple of float
        ``O - E`` and ``V``; the test's z is their ratio ``(O - E) / sqrt(V)``, without correction for continuity.
    """
    last = 0
    for i in range(time.size):
        last = max(last, time[i])
    ends, events = np.zeros((2, last + 1), np.int64), np.zeros((2, last + 1), np.int64)
    at_risk = np.zeros(2, np.int64)
    for i in range(time.size):
        if (group[i] == 0 or group[i] == 1) and time[i] > 0:
            ends[group[i], time[i]] += 1
            events[group[i], time[i]] += event[i]
            at_risk[group[i]] += 1
    difference, variance = 0.0, 0.0
    for t in range(1, last + 1):
        n, d = at_risk[0] + at_risk[1], events[0, t] + events[1, t]
        if d > 0:
            share = at_risk[1] / n
            difference += events[1, t] - d * share
            if n > 1:
                variance += d * share * (1 - share) * (n - d) / (n - 1)
        at_risk[0] -= ends[0, t]
        at_risk[1] -= ends[1, t]
    return difference, variance
