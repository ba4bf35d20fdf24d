"""Draw cohorts and parameters together from their distribution given what was printed.

The target is ``p(follow-up | covariates, parameters) p(parameters)`` for cohorts whose statistics all print as they
were printed. Replica exchange over ``exp(-beta * distance)`` reaches them: hot replicas move freely, cold ones stay
where the prints are met (Geyer 1991; Earl & Deem 2005, PCCP 7:3910). A draw at any ``beta`` whose distance is 0 is a
draw from the target.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ixa_bayes.reconstruction.follow_up import (
    LEVEL_OF_DEATH,
    LEVEL_OF_PROGRESSION,
    N_BASELINE,
    log_probability,
    simulate,
)
from ixa_bayes.reconstruction.prints import distance

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

FOUND: Final = 0
LAST: Final = 1
DEAD: Final = 2
"""Rows of a follow-up: the visit of progression, the cell of the last contact, and whether that was death."""


STEP: Final = 0
REDRAW: Final = 1
EXCHANGE_FOLLOW_UP: Final = 2
EXCHANGE_LEVEL: Final = 3
PARAMETER: Final = 4
MOVES: Final = (0.3, 0.3, 0.15, 0.15, 0.1)
"""Share of the moves that change a patient's follow-up a little, draw it anew, exchange it with another patient's,
exchange a level with another patient, and change a parameter."""


@dataclass(frozen=True, eq=False)
class Target:
    """What cohorts are drawn from.

    Attributes
    ----------
    grid : ndarray
        ``follow_up.Grid.as_array``.
    which, box : ndarray
        ``prints.boxes``.
    effects : ndarray of float, shape (factor, level, effect)
        What each level of each factor adds to the linear predictors: 1 where the effect is its own.
    prior : ndarray of float, shape (parameter, 2)
        Mean and standard deviation of each parameter, normal; a parameter of standard deviation 0 is known.
    exchangeable : ndarray of int
        Factors whose levels may be exchanged between patients: their totals are known and who has them is not.
    """

    grid: FloatArray
    which: IntArray
    box: FloatArray
    effects: FloatArray
    prior: FloatArray
    exchangeable: IntArray


@dataclass(frozen=True, eq=False)
class Draws:
    """Cohorts of the coldest replica whose statistics all print as they were printed.

    Attributes
    ----------
    covariates : ndarray of int, shape (draw, patient, factor)
    follow_up : ndarray of int, shape (draw, 3, patient)
    theta : ndarray of float, shape (draw, parameter)
    n_cold : int
        Draws of the coldest replica, with those that were not kept.
    swap_rate : ndarray of float, shape (replica - 1,)
        Share of exchanges between neighbouring replicas that were made.
    round_trips : int
        Times that a state went from the coldest replica to the hottest and back.
    """

    covariates: IntArray
    follow_up: IntArray
    theta: FloatArray
    n_cold: int
    swap_rate: FloatArray
    round_trips: int


def draw_cohorts(
    target: Target,
    covariates: IntArray,
    *,
    betas: FloatArray,
    n_sweeps: int,
    moves_per_sweep: int,
    warm_up: int,
    rng: np.random.Generator,
    moves: Sequence[float] = MOVES,
) -> Draws:
    """Run one replica-exchange chain.

    Parameters
    ----------
    target : Target
    covariates : ndarray of int, shape (patient, factor)
        Levels to begin with; their totals stay.
    betas : ndarray of float, shape (replica,)
        Rising; the last is the coldest.
    n_sweeps, warm_up : int
        Sweeps of all replicas that are recorded, and before them.
    moves_per_sweep : int
        Of each replica, between attempts to exchange.
    rng : Generator
    moves : sequence of float, shape (5,)
        How often each kind of move is tried: see :data:`MOVES`.

    Returns
    -------
    Draws
    """
    n_replicas, n_patients = len(betas), covariates.shape[0]
    x = np.repeat(covariates[None].astype(np.int64), n_replicas, axis=0)
    theta = np.repeat(target.prior[None, :, 0], n_replicas, axis=0)
    follow_up = np.zeros((n_replicas, 3, n_patients), np.int64)
    for replica in range(n_replicas):
        _begin(rng, x[replica], follow_up[replica], theta[replica], target.effects, target.grid)
    kept = _run(
        rng, x, follow_up, theta, np.asarray(betas, float), target.grid, target.which, target.box,
        target.effects, target.prior, target.exchangeable, np.cumsum(moves) / np.sum(moves), n_sweeps,
        moves_per_sweep, warm_up,
    )  # fmt: skip
    n_kept, draws_x, draws_follow_up, draws_theta, swaps, round_trips = kept
    return Draws(draws_x[:n_kept], draws_follow_up[:n_kept], draws_theta[:n_kept], n_sweeps, swaps, round_trips)


@njit(cache=True)
def predictors(x: IntArray, theta: FloatArray, effects: FloatArray) -> tuple[float, float]:
    """Log rates of progression and of death of a patient with some levels."""
    n = effects.shape[2]
    rate, rate_of_death = theta[LEVEL_OF_PROGRESSION], theta[LEVEL_OF_DEATH]
    for factor in range(x.size):
        for k in range(n):
            weight = effects[factor, x[factor], k]
            if weight != 0.0:
                rate += weight * theta[N_BASELINE + k]
                rate_of_death += weight * theta[N_BASELINE + n + k]
    return rate, rate_of_death


@njit(cache=True)
def _log_of(x: IntArray, follow_up: IntArray, theta: FloatArray, effects: FloatArray, grid: FloatArray) -> float:
    """Log probability of one patient's follow-up (a column of three)."""
    rate, rate_of_death = predictors(x, theta, effects)
    return log_probability(follow_up[FOUND], follow_up[LAST], follow_up[DEAD] == 1, rate, rate_of_death, theta, grid)


@njit(cache=True)
def _endpoints(follow_up: IntArray, per_visit: int) -> tuple[IntArray, BoolArray]:
    """Times and events of progression-free (visits) and overall survival (cells), each of shape (2, patient)."""
    n = follow_up.shape[1]
    times, events = np.zeros((2, n), np.int64), np.zeros((2, n), np.bool_)
    for i in range(n):
        found = follow_up[FOUND, i]
        times[0, i] = found if found > 0 else follow_up[LAST, i] // per_visit
        events[0, i] = found > 0
        times[1, i], events[1, i] = follow_up[LAST, i], follow_up[DEAD, i] == 1
    return times, events


@njit(cache=True)
def _distance(x: IntArray, follow_up: IntArray, grid: FloatArray, which: IntArray, box: FloatArray) -> float:
    times, events = _endpoints(follow_up, int(grid[1]))
    return distance(which, box, x, times, events)


@njit(cache=True)
def _begin(
    rng: np.random.Generator, x: IntArray, follow_up: IntArray, theta: FloatArray, effects: FloatArray, grid: FloatArray
) -> None:
    """Fill a cohort with follow-up from the model."""
    for i in range(x.shape[0]):
        rate, rate_of_death = predictors(x[i], theta, effects)
        found, last, dead = simulate(rng, rate, rate_of_death, theta, grid)
        follow_up[FOUND, i], follow_up[LAST, i], follow_up[DEAD, i] = found, last, dead


@njit(cache=True)
def _step(
    rng: np.random.Generator, old: IntArray, new: IntArray, rates: tuple[float, float], theta: FloatArray,
    grid: FloatArray,
) -> float:  # fmt: skip
    """Change one number of a patient's follow-up; the log of the ratio of targets and of proposals, back over forth."""
    per_visit, n_cells = int(grid[1]), int(np.round(grid[3] / grid[0]))
    new[:] = old
    log_ratio, kind = 0.0, rng.random()
    visits = old[LAST] // per_visit
    if kind < 0.4:
        step = 1 + int(rng.random() * 3 * per_visit)
        new[LAST] = old[LAST] + (step if rng.random() < 0.5 else -step)
    elif kind < 0.6:
        new[DEAD] = 1 - old[DEAD]
    elif kind < 0.8 and old[FOUND] > 0:
        new[FOUND] = max(old[FOUND] + (1 if rng.random() < 0.5 else -1), 1)
    elif kind < 0.8 or visits == 0:
        return -np.inf
    elif old[FOUND] > 0:
        new[FOUND] = 0
        log_ratio = -np.log(visits)
    else:
        new[FOUND] = 1 + int(rng.random() * visits)
        log_ratio = np.log(visits)
    if new[LAST] > n_cells:
        return -np.inf
    before = log_probability(old[FOUND], old[LAST], old[DEAD] == 1, rates[0], rates[1], theta, grid)
    after = log_probability(new[FOUND], new[LAST], new[DEAD] == 1, rates[0], rates[1], theta, grid)
    return float(log_ratio + after - before)


@njit(cache=True)
def _change_follow_up(
    rng: np.random.Generator, x: IntArray, follow_up: IntArray, theta: FloatArray, beta: float, energy: float,
    grid: FloatArray, which: IntArray, box: FloatArray, effects: FloatArray, redraw: bool,
) -> float:  # fmt: skip
    """Draw one patient's follow-up anew from the model, or change it a little; the distance afterwards."""
    i = int(rng.random() * x.shape[0])
    old, new = follow_up[:, i].copy(), np.zeros(3, np.int64)
    rates = predictors(x[i], theta, effects)
    if redraw:  # its probability as a proposal cancels against the target's
        found, last, dead = simulate(rng, rates[0], rates[1], theta, grid)
        new[FOUND], new[LAST], new[DEAD] = found, last, dead
        log_ratio = 0.0
    else:
        log_ratio = _step(rng, old, new, rates, theta, grid)
    if log_ratio == -np.inf:
        return energy
    follow_up[:, i] = new
    proposed = _distance(x, follow_up, grid, which, box)
    if np.log(rng.random()) < log_ratio - beta * (proposed - energy):
        return proposed
    follow_up[:, i] = old
    return energy


@njit(cache=True)
def _exchange_follow_up(
    rng: np.random.Generator, x: IntArray, follow_up: IntArray, theta: FloatArray, beta: float, energy: float,
    grid: FloatArray, which: IntArray, box: FloatArray, effects: FloatArray,
) -> float:  # fmt: skip
    """Exchange the whole follow-up of two patients; the distance afterwards."""
    i, j = int(rng.random() * x.shape[0]), int(rng.random() * x.shape[0])
    if i == j:
        return energy
    one, other = follow_up[:, i].copy(), follow_up[:, j].copy()
    before = _log_of(x[i], one, theta, effects, grid) + _log_of(x[j], other, theta, effects, grid)
    after = _log_of(x[i], other, theta, effects, grid) + _log_of(x[j], one, theta, effects, grid)
    follow_up[:, i], follow_up[:, j] = other, one
    proposed = _distance(x, follow_up, grid, which, box)
    if np.log(rng.random()) < after - before - beta * (proposed - energy):
        return proposed
    follow_up[:, i], follow_up[:, j] = one, other
    return energy


@njit(cache=True)
def _exchange_level(
    rng: np.random.Generator, x: IntArray, follow_up: IntArray, theta: FloatArray, beta: float, energy: float,
    grid: FloatArray, which: IntArray, box: FloatArray, effects: FloatArray, exchangeable: IntArray,
) -> float:  # fmt: skip
    """Exchange one factor's levels between two patients; the distance afterwards."""
    factor = exchangeable[int(rng.random() * exchangeable.size)]
    i, j = int(rng.random() * x.shape[0]), int(rng.random() * x.shape[0])
    if x[i, factor] == x[j, factor]:
        return energy
    one, other = follow_up[:, i].copy(), follow_up[:, j].copy()
    before = _log_of(x[i], one, theta, effects, grid) + _log_of(x[j], other, theta, effects, grid)
    x[i, factor], x[j, factor] = x[j, factor], x[i, factor]
    after = _log_of(x[i], one, theta, effects, grid) + _log_of(x[j], other, theta, effects, grid)
    proposed = _distance(x, follow_up, grid, which, box)
    if np.log(rng.random()) < after - before - beta * (proposed - energy):
        return proposed
    x[i, factor], x[j, factor] = x[j, factor], x[i, factor]
    return energy


@njit(cache=True)
def _move_parameter(
    rng: np.random.Generator, x: IntArray, follow_up: IntArray, theta: FloatArray, grid: FloatArray,
    effects: FloatArray, prior: FloatArray,
) -> None:  # fmt: skip
    """A random-walk step of one parameter given the cohort; no print depends on parameters."""
    k = int(rng.random() * theta.size)
    mean, sd = prior[k]
    if sd == 0.0:
        return
    old = theta[k]
    before = -0.5 * ((old - mean) / sd) ** 2
    for i in range(x.shape[0]):
        before += _log_of(x[i], follow_up[:, i], theta, effects, grid)
    theta[k] = old + rng.standard_normal() * min(sd, 3.0 / np.sqrt(x.shape[0]))
    after = -0.5 * ((theta[k] - mean) / sd) ** 2
    for i in range(x.shape[0]):
        after += _log_of(x[i], follow_up[:, i], theta, effects, grid)
    if not np.log(rng.random()) < after - before:
        theta[k] = old


@njit(cache=True)
def _sweep(
    rng: np.random.Generator, x: IntArray, follow_up: IntArray, theta: FloatArray, beta: float, energy: float,
    grid: FloatArray, which: IntArray, box: FloatArray, effects: FloatArray, prior: FloatArray, exchangeable: IntArray,
    moves: FloatArray, n: int,
) -> float:  # fmt: skip
    """Try some moves of one replica; the distance afterwards."""
    for _ in range(n):
        kind = int(np.searchsorted(moves, rng.random(), side="right"))
        if kind <= REDRAW:
            energy = _change_follow_up(
                rng, x, follow_up, theta, beta, energy, grid, which, box, effects, kind == REDRAW
            )
        elif kind == EXCHANGE_FOLLOW_UP:
            energy = _exchange_follow_up(rng, x, follow_up, theta, beta, energy, grid, which, box, effects)
        elif kind == EXCHANGE_LEVEL and exchangeable.size > 0:
            energy = _exchange_level(rng, x, follow_up, theta, beta, energy, grid, which, box, effects, exchangeable)
        elif kind == PARAMETER:
            _move_parameter(rng, x, follow_up, theta, grid, effects, prior)
    return energy


@njit(cache=True)
def _run(
    rng: np.random.Generator, x: IntArray, follow_up: IntArray, theta: FloatArray, betas: FloatArray,
    grid: FloatArray, which: IntArray, box: FloatArray, effects: FloatArray, prior: FloatArray,
    exchangeable: IntArray, moves: FloatArray, n_sweeps: int, moves_per_sweep: int, warm_up: int,
) -> tuple[int, IntArray, IntArray, FloatArray, FloatArray, int]:  # fmt: skip
    """Sweeps of all replicas with exchanges between neighbours; the states of the coldest whose distance is 0."""
    n_replicas, n_patients, n_factors = x.shape
    energy = np.array([_distance(x[r], follow_up[r], grid, which, box) for r in range(n_replicas)])
    state_at = np.arange(n_replicas)  # which state each temperature has
    heading = np.zeros(n_replicas, np.int64)  # of each state: 1 from the coldest to the hottest, 2 on its way back
    kept, trips = 0, 0
    out_x = np.zeros((n_sweeps, n_patients, n_factors), np.int64)
    out_follow_up = np.zeros((n_sweeps, 3, n_patients), np.int64)
    out_theta = np.zeros((n_sweeps, theta.shape[1]))
    tried, made = np.zeros(n_replicas - 1), np.zeros(n_replicas - 1)
    for sweep in range(warm_up + n_sweeps):
        for t in range(n_replicas):
            s, beta = state_at[t], betas[t]
            energy[s] = _sweep(
                rng, x[s], follow_up[s], theta[s], beta, energy[s], grid, which, box, effects, prior, exchangeable,
                moves, moves_per_sweep,
            )  # fmt: skip
        for t in range(sweep % 2, n_replicas - 1, 2):
            hot, cold = state_at[t], state_at[t + 1]
            tried[t] += 1
            if np.log(rng.random()) < (betas[t + 1] - betas[t]) * (energy[cold] - energy[hot]):
                state_at[t], state_at[t + 1] = cold, hot
                made[t] += 1
        coldest, hottest = state_at[n_replicas - 1], state_at[0]
        if heading[coldest] == 2:
            trips += 1
        heading[coldest] = 1
        if heading[hottest] == 1:
            heading[hottest] = 2
        if sweep >= warm_up and energy[coldest] == 0.0:
            out_x[kept], out_follow_up[kept], out_theta[kept] = x[coldest], follow_up[coldest], theta[coldest]
            kept += 1
    return kept, out_x, out_follow_up, out_theta, made / np.maximum(tried, 1), trips
