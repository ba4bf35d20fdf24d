"""The sampler's cohorts and parameters have the distribution that enumeration of all tiny cohorts gives."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import tests.reconstruction.tiny_cohorts as tiny
from numpy.typing import NDArray

from ixa_bayes.reconstruction import sampler
from ixa_bayes.reconstruction.follow_up import N_BASELINE, Grid, log_probability, simulate
from ixa_bayes.reconstruction.prints import (
    EVENTS,
    LOG_RANK,
    MEDIAN,
    OVERALL,
    PROGRESSION_FREE,
    Statistic,
    boxes,
)

FloatArray = NDArray[np.float64]

Z_BOX = (1.2, 1.9)
PROGRESSIONS = (3, 6)  # more than one number, so that moves from one to another are tried too
PRINTED = (
    Statistic(EVENTS, PROGRESSION_FREE, *PROGRESSIONS),
    Statistic(EVENTS, OVERALL, 2, 3),
    Statistic(LOG_RANK, PROGRESSION_FREE, *Z_BOX, factor=0, levels=(1,), others=(0,)),
    Statistic(MEDIAN, PROGRESSION_FREE, 1, 1, factor=0, levels=(1,)),
)
BETAS = np.array([0.0, 1.0, 2.0, 4.0, 8.0])
MOVES = (0.6, 0.02, 0.1, 0.13, 0.15)
"""Hardly any draws from the model, which are right whatever is wrong with the other moves and would cover it up."""
N_BATCHES = 40
MOST_ERRORS = 4.5
"""Standard errors of a quantity: of twelve, chance alone exceeds it in one run of some 10,000."""


GRIDS = {"by cell": tiny.BY_CELL, "sparse visits": tiny.SPARSE_VISITS}
each_grid = pytest.mark.parametrize("grid", GRIDS.values(), ids=list(GRIDS))


@cache
def _enumerated(grid: tiny.TinyGrid) -> tiny.Oracle:
    return tiny.oracle(grid)


def _grid(grid: tiny.TinyGrid) -> FloatArray:
    longest = grid.n_cells * grid.cell
    return Grid(grid.cell, cells_per_visit=grid.per_visit, shortest=grid.shortest, longest=longest).as_array()


def _prior() -> FloatArray:
    known = [np.log(tiny.SHAPES[0]), np.log(tiny.SHAPES[1]), tiny.RATIO_AFTER, tiny.LOSS]
    (level, level_of_death), (effect, effect_of_death) = tiny.PRIOR_OF_LEVELS, tiny.PRIOR_OF_EFFECTS
    rows = [level, (known[0], 0.0), level_of_death, (known[1], 0.0), (known[2], 0.0), (known[3], 0.0)]
    return np.array([*rows, effect, effect_of_death])


def _target(grid: tiny.TinyGrid) -> sampler.Target:
    which, box = boxes(PRINTED)
    effects = np.zeros((1, 2, 1))
    effects[0, 1, 0] = 1.0
    return sampler.Target(_grid(grid), which, box, effects, _prior(), np.array([0]))


COVARIATES = np.repeat([[0], [1]], tiny.SIZES, axis=0)


@dataclass(frozen=True)
class Quantity:
    """Something of a cohort: in every cohort of the oracle, and in draws."""

    name: str
    exact: Callable[[tiny.Oracle], FloatArray]
    drawn: Callable[[sampler.Draws], FloatArray]


def _total(draws: sampler.Draws, row: int, *, group: int | None = None) -> FloatArray:
    seen = draws.follow_up[:, row] > 0
    member = np.ones(seen.shape, bool) if group is None else draws.covariates[:, :, 0] == group
    return np.asarray((seen & member).sum(axis=1), dtype=float)


def _is(column: str, value: int, *, group: int | None) -> Quantity:
    row = sampler.FOUND if column == "found" else sampler.DEAD

    def exact(oracle: tiny.Oracle) -> FloatArray:
        of_none, of_one = tiny.counts(oracle, column)
        each = {0: of_none[:, None] + 0 * of_one[None], 1: 0 * of_none[:, None] + of_one[None]}
        count = of_none[:, None] + of_one[None] if group is None else each[group]
        return np.asarray(count == value, dtype=float)

    where = "all" if group is None else f"group {group}"
    return Quantity(
        f"{value} {column} in {where}", exact, lambda d: np.asarray(_total(d, row, group=group) == value, dtype=float)
    )


def _last_of_all(oracle: tiny.Oracle) -> FloatArray:
    last = tiny.outcomes(oracle.grid)["last"].to_numpy()
    one, other = (last[rows].sum(axis=1).astype(float) for rows in oracle.members)
    return np.asarray(one[:, None] + other[None])


QUANTITIES = (
    _is("found", 3, group=None),
    _is("found", 5, group=None),
    _is("found", 0, group=0),
    _is("found", 1, group=0),
    _is("found", 3, group=1),
    _is("dead", 2, group=None),
    _is("dead", 0, group=1),
    _is("dead", 1, group=1),
    _is("dead", 2, group=1),
    Quantity("cells of all", _last_of_all, lambda d: d.follow_up[:, sampler.LAST].sum(axis=1).astype(float)),
    Quantity("effect on progression", lambda o: o.effects[0], lambda d: d.theta[:, N_BASELINE]),
    Quantity("effect on death", lambda o: o.effects[1], lambda d: d.theta[:, N_BASELINE + 1]),
)


def _kept(oracle: tiny.Oracle) -> FloatArray:
    """Probability of each cohort given what is printed."""
    found, dead = (np.add.outer(*tiny.counts(oracle, column)) for column in ("found", "dead"))
    z = np.abs(tiny.log_rank_z(oracle))
    inside = (
        (found >= PROGRESSIONS[0])
        & (found <= PROGRESSIONS[1])
        & (dead >= 2)
        & (dead <= 3)
        & (z >= Z_BOX[0])
        & (z <= Z_BOX[1])
    )
    inside &= tiny.median_is_the_first_visit(oracle)[None]
    probability = np.where(inside, oracle.probability, 0.0)
    return np.asarray(probability / probability.sum())


def _errors(draws: sampler.Draws, oracle: tiny.Oracle) -> dict[str, float]:
    """Each quantity's difference from the enumeration in standard errors by batch means."""
    probability = _kept(oracle)
    found = {}
    for quantity in QUANTITIES:
        values = quantity.drawn(draws)
        batches = np.array([batch.mean() for batch in np.array_split(values, N_BATCHES)])
        exact = float((probability * quantity.exact(oracle)).sum())
        error = max(float(batches.std(ddof=1)) / np.sqrt(N_BATCHES), 1e-9)  # broken samplers may not move at all
        found[quantity.name] = float(values.mean() - exact) / error
    return found


def _run(module: ModuleType, grid: tiny.TinyGrid, *, n_sweeps: int, seed: int = 1) -> sampler.Draws:
    draws: sampler.Draws = module.draw_cohorts(
        _target(grid),
        COVARIATES,
        betas=BETAS,
        n_sweeps=n_sweeps,
        moves_per_sweep=10,
        warm_up=500,
        rng=np.random.default_rng(seed),
        moves=MOVES,
    )
    return draws


@each_grid
def test_probabilities_of_all_tiny_cohorts_add_up_to_one(grid: tiny.TinyGrid) -> None:
    assert _enumerated(grid).probability.sum() == pytest.approx(1.0, abs=1e-9)


@each_grid
@pytest.mark.parametrize("rates", [(-1.0, -2.0), (0.4, -0.5), (-6.0, 1.5)])
def test_the_compiled_probability_is_that_of_the_oracle(rates: tuple[float, float], grid: tiny.TinyGrid) -> None:
    expected = tiny.log_progression(grid, rates[0]) + tiny.log_death(grid, rates[1])
    found = [
        log_probability(row.found, row.last, row.dead == 1, *rates, _prior()[:, 0], _grid(grid))
        for row in tiny.outcomes(grid).itertuples()
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    assert np.exp(found).sum() == pytest.approx(1.0, abs=1e-12)


def test_follow_up_that_cannot_be_has_no_probability() -> None:
    for found, last in ((2, 1), (3, 4), (-1, 2), (0, 0)):
        assert log_probability(found, last, False, -1.0, -2.0, _prior()[:, 0], _grid(tiny.BY_CELL)) == -np.inf


@each_grid
def test_simulated_follow_up_has_these_probabilities(grid: tiny.TinyGrid) -> None:
    rng, table = np.random.default_rng(3), tiny.outcomes(grid)
    n, places = 20_000, {(r.found, r.last, r.dead): k for k, r in enumerate(table.itertuples())}
    theta, cut = _prior()[:, 0], _grid(grid)
    count = np.zeros(len(table))
    for _ in range(n):
        found, last, dead = simulate(rng, -1.0, -1.2, theta, cut)
        count[places[found, last, int(dead)]] += 1
    expected = np.exp(tiny.log_progression(grid, -1.0) + tiny.log_death(grid, -1.2))
    errors = (count / n - expected) / np.sqrt(expected * (1 - expected) / n)
    assert np.abs(errors).max() < MOST_ERRORS


@each_grid
def test_draws_are_those_of_the_enumeration(grid: tiny.TinyGrid) -> None:
    draws = _run(sampler, grid, n_sweeps=30_000)
    assert draws.round_trips > 500
    assert len(draws.theta) > 0.5 * draws.n_cold
    errors = _errors(draws, _enumerated(grid))
    assert max(map(abs, errors.values())) < MOST_ERRORS, errors


def test_the_same_seed_gives_the_same_draws() -> None:
    one, again, other = (_run(sampler, tiny.BY_CELL, n_sweeps=200, seed=seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one.follow_up, again.follow_up)
    assert not np.array_equal(one.theta, other.theta)


WRONG = {
    "proposals of a progression": ("log_ratio = np.log(visits)", "log_ratio = 0.0"),
    "steps of follow-up": ("log_ratio + after - before)", "log_ratio)"),
    "exchange of follow-up": ("after - before - beta", "-beta"),
    "exchange of replicas": ("(energy[cold] - energy[hot])", "(energy[hot] - energy[cold])"),
    "prior of parameters": ("after = -0.5 * ((theta[k] - mean) / sd) ** 2", "after = 0.0"),
}


def _broken(name: str, folder: Path) -> ModuleType:
    old, new = WRONG[name]
    text = Path(sampler.__file__).read_text()
    assert old in text
    path = folder / "broken.py"
    path.write_text(text.replace(old, new).replace("@njit(cache=True)", "@njit"))
    module = ModuleType("broken")
    module.__file__ = str(path)
    exec(compile(path.read_text(), str(path), "exec"), module.__dict__)  # noqa: S102  # our own text with a fault
    return module


@pytest.mark.parametrize("name", WRONG)
def test_one_wrong_acceptance_ratio_is_seen(name: str, tmp_path: Path) -> None:
    draws = _run(_broken(name, tmp_path), tiny.BY_CELL, n_sweeps=30_000)
    errors = _errors(draws, _enumerated(tiny.BY_CELL)) if len(draws.theta) > N_BATCHES else {"draws": np.inf}
    assert max(map(abs, errors.values())) > MOST_ERRORS, errors
