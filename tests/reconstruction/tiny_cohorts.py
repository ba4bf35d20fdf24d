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


@dataclass(frozen=True)
class TinyGrid:
    """Months of a cell, cells between visits, cells in all, and months that everybody is followed at least."""

    cell: float
    per_visit: int
    n_cells: int
    shortest: float

    @property
    def n_visits(self) -> int:
        """Visits until the data cut-off."""
        return self.n_cells // self.per_visit


BY_CELL = TinyGrid(cell=1.0, per_visit=1, n_cells=3, shortest=1.0)
SPARSE_VISITS = TinyGrid(cell=0.6, per_visit=2, n_cells=4, shortest=0.9)
"""A visit every second cell, and cells that are no months."""
SHAPES = (1.3, 0.8)
RATIO_AFTER = np.log(2.5)
LOSS = np.log(0.05)
PRIOR_OF_LEVELS = ((-1.0, 0.6), (-2.0, 0.5))
PRIOR_OF_EFFECTS = ((0.3, 0.9), (-0.2, 0.7))
SIZES = (4, 3)
N_NODES = 16


def outcomes(grid: TinyGrid) -> pd.DataFrame:
    """All follow-ups: visit of progression (0: none), cell of the last contact, death."""
    rows = [
        (found, last, dead)
        for last in range(1, grid.n_cells + 1)
        for found in range(last // grid.per_visit + 1)
        for dead in (0, 1)
    ]
    return pd.DataFrame(rows, columns=["found", "last", "dead"])


def log_progression(grid: TinyGrid, log_rate: float) -> FloatArray:
    """Log probability that progression was found at that visit, or at none."""
    law = weibull_min(SHAPES[0], scale=np.exp(-log_rate / SHAPES[0]))
    table, visits = outcomes(grid), np.arange(grid.n_visits + 1) * grid.per_visit
    free = law.sf(visits * grid.cell)
    found, held = table["found"].to_numpy(), (table["last"] // grid.per_visit).to_numpy()
    return _log(np.where(found > 0, free[found - 1] - free[found], free[held]))


def log_death(grid: TinyGrid, log_rate: float) -> FloatArray:
    """Log probability of the last contact and whether it was death, given when progression was found."""
    table, base = outcomes(grid), weibull_min(SHAPES[1], scale=np.exp(-log_rate / SHAPES[1]))
    found, last, dead = (table[name].to_numpy() for name in ("found", "last", "dead"))
    turn = np.where(found > 0, found * grid.per_visit, grid.n_cells) * grid.cell
    ends, starts = last * grid.cell, (last - 1) * grid.cell

    def alive(month: FloatArray) -> FloatArray:
        before = np.minimum(month, turn)
        extra = base.logsf(month) - base.logsf(before)
        return np.asarray(np.exp(base.logsf(before) + np.exp(RATIO_AFTER) * extra))

    def followed(month: FloatArray) -> FloatArray:
        longest = grid.n_cells * grid.cell
        accrual = np.clip((longest - month) / (longest - grid.shortest), 0, 1)
        return np.asarray(accrual * np.exp(-np.exp(LOSS) * month))

    of_death = (alive(starts) - alive(ends)) * followed(starts)
    of_end = alive(ends) * (followed(starts) - followed(ends))
    return _log(np.where(dead == 1, of_death, of_end))


def _log(probability: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore"):  # the outermost nodes of the quadrature leave no probability for some
        return np.asarray(np.log(probability))


@dataclass(frozen=True)
class Oracle:
    """Prior probability of every cohort, and the means of the log hazard ratios in it.

    Attributes
    ----------
    grid : TinyGrid
    members : tuple of ndarray of int, shape (multiset, patient)
        Of each group, rows of :func:`outcomes`.
    probability : ndarray, shape (multiset of group 0, multiset of group 1)
        Adds up to 1.
    effects : tuple of ndarray
        Posterior mean of the log hazard ratio of progression and of death given the cohort, of the same shape.
    """

    grid: TinyGrid
    members: tuple[NDArray[np.int64], NDArray[np.int64]]
    probability: FloatArray
    effects: tuple[FloatArray, FloatArray]


def oracle(grid: TinyGrid) -> Oracle:
    """Enumerate."""
    n = len(outcomes(grid))
    members = tuple(np.array(list(combinations_with_replacement(range(n), size)), dtype=np.int64) for size in SIZES)
    orders = [np.array([_orders(row) for row in of_group]) for of_group in members]
    parts = []
    for law, level, effect in zip((log_progression, log_death), PRIOR_OF_LEVELS, PRIOR_OF_EFFECTS, strict=True):
        parts.append(_integrated(law, grid, members, level=level, effect=effect))
    (progression, effect_of_progression), (death, effect_of_death) = parts
    probability = np.outer(*orders) * progression * death
    return Oracle(grid, (members[0], members[1]), probability, (effect_of_progression, effect_of_death))


def _integrated(
    law: Callable[[TinyGrid, float], FloatArray],
    cut: TinyGrid,
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
        np.stack([law(cut, b + group * e)[members[group]].sum(axis=1) for b, e, _ in grid], axis=1) for group in (0, 1)
    ]
    one, other = (np.exp(values) for values in of_group)
    weight, effect_at = np.array([w for _, _, w in grid]), np.array([e for _, e, _ in grid])
    marginal = (one * weight) @ other.T
    return marginal, ((one * weight * effect_at) @ other.T) / marginal


def _orders(row: NDArray[np.int64]) -> int:
    """In how many orders the patients of a group may have these follow-ups."""
    counts = np.unique(row, return_counts=True)[1]
    return factorial(row.size) // int(np.prod([factorial(int(count)) for count in counts]))


def log_rank_z(oracle: Oracle) -> FloatArray:
    """Signed log-rank z of progression, group 1 against group 0, of every cohort; NaN without variance."""
    time, event = _progression_free(oracle.grid)
    members = oracle.members
    shape = len(members[0]), len(members[1])
    difference, variance = np.zeros(shape), np.zeros(shape)
    for visit in range(1, oracle.grid.n_visits + 1):
        risk = [(time[rows] >= visit).sum(axis=1) for rows in members]
        seen = [((time[rows] == visit) & event[rows]).sum(axis=1) for rows in members]
        n = risk[0][:, None] + risk[1][None]
        d = seen[0][:, None] + seen[1][None]
        share = np.divide(risk[1][None], n, out=np.zeros(n.shape), where=n > 0)
        difference = difference + seen[1][None] - d * share
        variance = variance + np.where(n > 1, d * share * (1 - share) * (n - d) / np.maximum(n - 1, 1), 0.0)
    z = np.divide(difference, np.sqrt(variance), out=np.full(shape, np.nan), where=variance > 0)
    return np.asarray(z)


def counts(oracle: Oracle, column: str) -> tuple[NDArray[np.int64], ...]:
    """Progressions found (``found``) or deaths (``dead``) in each multiset of each group."""
    values = (outcomes(oracle.grid)[column] > 0).to_numpy().astype(np.int64)
    return tuple(values[rows].sum(axis=1) for rows in oracle.members)


def median_is_the_first_visit(oracle: Oracle) -> NDArray[np.bool_]:
    """Whether half of group 1 or more progressed by the first visit, and its curve does not rest on a half."""
    time, event = _progression_free(oracle.grid)
    members = oracle.members[1]
    at_risk, seen = (time[members] >= 1).sum(axis=1), (event & (time == 1))[members].sum(axis=1)
    later = (event & (time > 1))[members].sum(axis=1) > 0
    return np.asarray((2 * seen > at_risk) | ((2 * seen == at_risk) & (seen > 0) & ~later))


def _progression_free(grid: TinyGrid) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Visit at which each follow-up ends for progression, and whether by progression."""
    table = outcomes(grid)
    event = (table["found"] > 0).to_numpy()
    return np.where(event, table["found"], table["last"] // grid.per_visit), event
