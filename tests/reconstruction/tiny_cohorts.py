"""Every cohort of seven patients on a coarse grid, with its exact probability: the oracle of the sampler.

Two groups of known size; patients of one group are exchangeable, so a group is a multiset of follow-ups and a cohort is
a pair of them. Levels and hazard ratios are integrated over their normal priors by Gauss-Hermite quadrature: given the
follow-up, progression and death factorise, so each integral is two-dimensional and, over all cohorts at once, a product
of matrices.
Nothing here uses the package's own formulas.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations_with_replacement
from math import factorial

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import weibull_min

FloatArray = NDArray[np.float64]

CELLS_PER_VISIT = 1
N_CELLS = 3
SHORTEST = 1.0
"""Months of follow-up of the last patient at the data cut-off; a cell is a month, the first patient has N_CELLS."""
SHAPES = (1.3, 0.8)
RATIO_AFTER = np.log(2.5)
LOSS = np.log(0.05)
PRIOR_OF_LEVELS = ((-1.0, 0.6), (-2.0, 0.5))
PRIOR_OF_EFFECTS = ((0.3, 0.9), (-0.2, 0.7))
SIZES = (4, 3)
N_NODES = 16


def outcomes() -> pd.DataFrame:
    """All follow-ups: visit of progression (0: none), cell of the last contact, death."""
    rows = [
        (found, last, dead)
        for last in range(1, N_CELLS + 1)
        for found in range(last // CELLS_PER_VISIT + 1)
        for dead in (0, 1)
    ]
    return pd.DataFrame(rows, columns=["found", "last", "dead"])


def log_progression(table: pd.DataFrame, log_rate: float) -> FloatArray:
    """Log probability that progression was found at that visit, or at none."""
    law = weibull_min(SHAPES[0], scale=np.exp(-log_rate / SHAPES[0]))
    visits = np.arange(N_CELLS // CELLS_PER_VISIT + 1) * CELLS_PER_VISIT
    free = law.sf(visits)
    found, held = table["found"].to_numpy(), (table["last"] // CELLS_PER_VISIT).to_numpy()
    return _log(np.where(found > 0, free[found - 1] - free[found], free[held]))


def log_death(table: pd.DataFrame, log_rate: float) -> FloatArray:
    """Log probability of the last contact and whether it was death, given when progression was found."""
    base = weibull_min(SHAPES[1], scale=np.exp(-log_rate / SHAPES[1]))
    found, last, dead = (table[name].to_numpy() for name in ("found", "last", "dead"))
    turn = np.where(found > 0, found * CELLS_PER_VISIT, N_CELLS)

    def alive(cell: FloatArray) -> FloatArray:
        before, after = np.minimum(cell, turn), np.maximum(cell - turn, 0)
        extra = np.where(after > 0, base.logsf(cell) - base.logsf(np.minimum(turn, cell)), 0.0)
        return np.asarray(np.exp(base.logsf(before) + np.exp(RATIO_AFTER) * extra))

    def followed(cell: FloatArray) -> FloatArray:
        accrual = np.clip((N_CELLS - cell) / (N_CELLS - SHORTEST), 0, 1)
        return np.asarray(accrual * np.exp(-np.exp(LOSS) * cell))

    of_death = (alive(last - 1) - alive(last)) * followed(last - 1)
    of_end = alive(last) * (followed(last - 1) - followed(last))
    return _log(np.where(dead == 1, of_death, of_end))


def _log(probability: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore"):  # the outermost nodes of the quadrature leave no probability for some
        return np.asarray(np.log(probability))


@dataclass(frozen=True)
class Oracle:
    """Prior probability of every cohort, and the means of the log hazard ratios in it.

    Attributes
    ----------
    members : tuple of ndarray of int, shape (multiset, patient)
        Of each group, rows of :func:`outcomes`.
    probability : ndarray, shape (multiset of group 0, multiset of group 1)
        Adds up to 1.
    effects : tuple of ndarray
        Posterior mean of the log hazard ratio of progression and of death given the cohort, of the same shape.
    """

    members: tuple[NDArray[np.int64], NDArray[np.int64]]
    probability: FloatArray
    effects: tuple[FloatArray, FloatArray]


def oracle() -> Oracle:
    """Enumerate."""
    table = outcomes()
    members = tuple(
        np.array(list(combinations_with_replacement(range(len(table)), size)), dtype=np.int64) for size in SIZES
    )
    orders = [np.array([_orders(row) for row in of_group]) for of_group in members]
    parts = []
    for law, level, effect in zip((log_progression, log_death), PRIOR_OF_LEVELS, PRIOR_OF_EFFECTS, strict=True):
        parts.append(_integrated(law, table, members, level=level, effect=effect))
    (progression, effect_of_progression), (death, effect_of_death) = parts
    probability = np.outer(*orders) * progression * death
    return Oracle((members[0], members[1]), probability, (effect_of_progression, effect_of_death))


def _integrated(
    law: Callable[[pd.DataFrame, float], FloatArray],
    table: pd.DataFrame,
    members: tuple[NDArray[np.int64], ...],
    *,
    level: tuple[float, float],
    effect: tuple[float, float],
) -> tuple[FloatArray, FloatArray]:
    """Marginal likelihood of one cause of every cohort, and the mean of its log hazard ratio given the cohort."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(N_NODES)
    weights = weights / weights.sum()
    levels, effects = level[0] + level[1] * nodes, effect[0] + effect[1] * nodes
    grid = [(b, e, w * v) for b, w in zip(levels, weights, strict=True) for e, v in zip(effects, weights, strict=True)]
    of_group = [
        np.stack([law(table, b + group * e)[members[group]].sum(axis=1) for b, e, _ in grid], axis=1)
        for group in (0, 1)
    ]
    one, other = (np.exp(values) for values in of_group)
    weight, effect_at = np.array([w for _, _, w in grid]), np.array([e for _, e, _ in grid])
    marginal = (one * weight) @ other.T
    return marginal, ((one * weight * effect_at) @ other.T) / marginal


def _orders(row: NDArray[np.int64]) -> int:
    """In how many orders the patients of a group may have these follow-ups."""
    counts = np.unique(row, return_counts=True)[1]
    return factorial(row.size) // int(np.prod([factorial(int(count)) for count in counts]))


def log_rank_z(members: tuple[NDArray[np.int64], NDArray[np.int64]]) -> FloatArray:
    """Signed log-rank z of progression, group 1 against group 0, of every cohort; NaN without variance."""
    table = outcomes()
    time = np.where(table["found"] > 0, table["found"], table["last"] // CELLS_PER_VISIT)
    event = (table["found"] > 0).to_numpy()
    shape = len(members[0]), len(members[1])
    difference, variance = np.zeros(shape), np.zeros(shape)
    for visit in range(1, N_CELLS // CELLS_PER_VISIT + 1):
        risk = [(time[rows] >= visit).sum(axis=1) for rows in members]
        seen = [((time[rows] == visit) & event[rows]).sum(axis=1) for rows in members]
        n = risk[0][:, None] + risk[1][None]
        d = seen[0][:, None] + seen[1][None]
        share = np.divide(risk[1][None], n, out=np.zeros(n.shape), where=n > 0)
        difference = difference + seen[1][None] - d * share
        variance = variance + np.where(n > 1, d * share * (1 - share) * (n - d) / np.maximum(n - 1, 1), 0.0)
    z = np.divide(difference, np.sqrt(variance), out=np.full(shape, np.nan), where=variance > 0)
    return np.asarray(z)


def counts(members: tuple[NDArray[np.int64], NDArray[np.int64]], column: str) -> tuple[NDArray[np.int64], ...]:
    """Progressions found (``found``) or deaths (``dead``) in each multiset of each group."""
    values = (outcomes()[column] > 0).to_numpy().astype(np.int64)
    return tuple(values[rows].sum(axis=1) for rows in members)


def median_is_the_first_visit(members: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether half of a group or more progressed by the first visit, and its curve does not rest on a half."""
    table = outcomes()
    time = np.where(table["found"] > 0, table["found"], table["last"] // CELLS_PER_VISIT)
    event = (table["found"] > 0).to_numpy()
    at_risk, seen = (time[members] >= 1).sum(axis=1), (event & (time == 1))[members].sum(axis=1)
    later = (event & (time > 1))[members].sum(axis=1) > 0
    return np.asarray((2 * seen > at_risk) | ((2 * seen == at_risk) & (seen > 0) & ~later))
