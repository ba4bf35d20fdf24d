"""Exact frequentist inference for counts: Fisher and Clopper-Pearson.

What a paper prints beside its percentages, recomputed. Scans over thousands of candidate tables
need the Fisher p value of each, so it is vectorised here; scipy's own takes one table at a time.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv, gammaln
from scipy.stats import MonteCarloMethod, fisher_exact

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

TIE: Final = 1 + 1e-7
"""Tables this much likelier than the observed one still count as equally likely, as in R's fisher.test."""
ENUMERATED_AT_MOST: Final = 5_000_000


@dataclass(frozen=True)
class FisherP:
    """Fisher p value of a table with any number of rows.

    Attributes
    ----------
    p : float
    exact : bool
        False if the tables were too many to enumerate and ``p`` was simulated.
    mcse : float
        Monte Carlo standard error of ``p``; 0 if exact.
    """

    p: float
    exact: bool
    mcse: float


def fisher_exact_p(responders_1: ArrayLike, n_1: ArrayLike, responders_2: ArrayLike, n_2: ArrayLike) -> FloatArray:
    """Two-sided Fisher exact p of 2x2 tables: the sum over tables no likelier than the observed one.

    Parameters
    ----------
    responders_1, n_1, responders_2, n_2 : array_like of int, shapes that broadcast
        Patients with the outcome and patients in all, per group.

    Returns
    -------
    ndarray
        p values of the broadcast shape (0-d for one table). 1 where a margin is empty.

    Raises
    ------
    ValueError
        If a count is negative or above its group.

    References
    ----------
    Fisher (1935); two-sided by probability as in R's ``fisher.test``.
    """
    a, n1, b, n2 = np.broadcast_arrays(*(_counts(value) for value in (responders_1, n_1, responders_2, n_2)))
    if np.any((a < 0) | (b < 0) | (a > n1) | (b > n2)):
        raise ValueError("responders must lie between 0 and the size of their group.")
    margins = np.stack([n1.ravel(), n2.ravel(), (a + b).ravel()], axis=1)
    distinct, which = np.unique(margins, axis=0, return_inverse=True)
    which = which.ravel()
    order = np.argsort(which, kind="stable")
    starts = np.searchsorted(which[order], np.arange(len(distinct) + 1))
    counts, p = a.ravel(), np.empty(a.size)
    for row, (size_1, size_2, total) in enumerate(distinct.tolist()):
        members = order[starts[row] : starts[row + 1]]
        p[members] = _p_by_count(size_1, size_2, total)[counts[members] - max(0, total - size_2)]
    return p.reshape(a.shape)


def fisher_exact_p_rows(responders: ArrayLike, n: ArrayLike, *, seed: int = 0, simulations: int = 99_999) -> FisherP:
    """Fisher (Freeman-Halton) exact p of a table with one row per group and two columns.

    Parameters
    ----------
    responders, n : array_like of int, shape (group,)
        Patients with the outcome and patients in all; two groups or more.
    seed, simulations : int
        Used only where more than five million tables share the margins: then p is simulated.

    Raises
    ------
    ValueError
        If a count is negative or above its group, or there are fewer than two groups.

    References
    ----------
    Freeman & Halton (1951), Biometrika 38:141.
    """
    r, size = np.broadcast_arrays(_counts(responders), _counts(n))
    if r.ndim != 1 or r.size < 2:
        raise ValueError("responders and n need one entry per group, two groups or more.")
    if np.any((r < 0) | (r > size)):
        raise ValueError("responders must lie between 0 and the size of their group.")
    if math.prod((np.sort(size)[:-1] + 1).tolist()) <= ENUMERATED_AT_MOST:
        return FisherP(p=_enumerated_p(r, size), exact=True, mcse=0.0)
    method = MonteCarloMethod(n_resamples=simulations, rng=np.random.default_rng(seed))
    p = float(fisher_exact(np.stack([r, size - r], axis=1), method=method).pvalue)
    return FisherP(p=p, exact=False, mcse=math.sqrt(p * (1 - p) / simulations))


def clopper_pearson(responders: ArrayLike, n: ArrayLike, *, ci_prob: float = 0.95) -> tuple[FloatArray, FloatArray]:
    """Exact (Clopper-Pearson) confidence limits of a proportion.

    Parameters
    ----------
    responders, n : array_like of int, shapes that broadcast
        n >= 0; with n = 0 the limits are 0 and 1.
    ci_prob : float
        In (0, 1).

    Returns
    -------
    tuple of ndarray
        Lower and upper limits.

    Raises
    ------
    ValueError
        If a count is negative or above n, or ``ci_prob`` is not in (0, 1).

    References
    ----------
    Clopper & Pearson (1934), Biometrika 26:404.
    """
    r, size = np.broadcast_arrays(_counts(responders), _counts(n))
    if np.any((r < 0) | (r > size)):
        raise ValueError("responders must lie between 0 and n.")
    if not 0 < ci_prob < 1:
        raise ValueError(f"ci_prob is {ci_prob!r}; must lie in (0, 1).")
    tail = (1 - ci_prob) / 2
    # betaincinv wants positive parameters; where a limit is 0 or 1 by definition its value is not used.
    lower = np.where(r == 0, 0.0, betaincinv(np.maximum(r, 1), size - r + 1, tail))
    upper = np.where(r == size, 1.0, betaincinv(r + 1, np.maximum(size - r, 1), 1 - tail))
    return lower, upper


def _counts(value: ArrayLike) -> IntArray:
    array = np.asarray(value)
    if not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"counts must be whole numbers, not {array.dtype}.")
    return array.astype(np.int64)


def _log_choose(n: int | IntArray, k: ArrayLike) -> FloatArray:
    k = np.asarray(k)
    return np.asarray(gammaln(np.asarray(n) + 1) - gammaln(k + 1) - gammaln(n - k + 1))


@lru_cache(maxsize=8192)
def _p_by_count(n_1: int, n_2: int, total: int) -> FloatArray:
    """Two-sided p for every count of group 1 that the margins allow, from max(0, total - n_2) up."""
    count = np.arange(max(0, total - n_2), min(n_1, total) + 1)
    log_weight = _log_choose(n_1, count) + _log_choose(n_2, total - count)
    probability = np.exp(log_weight - log_weight.max())
    probability /= probability.sum()
    rising = np.sort(probability)
    no_likelier = np.searchsorted(rising, probability * TIE, side="right")
    p: FloatArray = np.minimum(np.cumsum(rising)[no_likelier - 1], 1.0)
    p.flags.writeable = False  # cached: a caller must not change what the next one gets
    return p


def _enumerated_p(responders: IntArray, n: IntArray) -> float:
    # The largest group's count follows from the total, so it is left out of the enumeration.
    order = np.argsort(n)
    r, size = responders[order], n[order]
    total, last = int(r.sum()), int(size[-1])
    log_weight, used = np.zeros(1), np.zeros(1, dtype=np.int64)
    for group in size[:-1].tolist():
        count = np.arange(group + 1)
        log_weight = np.add.outer(log_weight, _log_choose(group, count)).ravel()
        used = np.add.outer(used, count).ravel()
        log_weight, used = log_weight[used <= total], used[used <= total]
    log_weight, used = log_weight[total - used <= last], used[total - used <= last]
    log_weight = log_weight + _log_choose(last, total - used) - _log_choose(int(size.sum()), total)
    observed = float(np.sum(_log_choose(size, r))) - float(_log_choose(int(size.sum()), total))
    probability = np.exp(log_weight)
    return float(min(1.0, probability[probability <= math.exp(observed) * TIE].sum()))
