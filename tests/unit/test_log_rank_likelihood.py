import itertools
import math
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import cumulative_trapezoid
from scipy.stats import norm

from ixa_bayes.formulas.log_rank import LogRankCohorts, log_rank_scores
from ixa_bayes.formulas.log_rank_likelihood import GRID, Bound, LogRankCurve, combine, invert, simulate_curve
from ixa_bayes.formulas.normal import IntervalPosterior, NormalPrior, update_normal, z_from_p

INF = math.inf
SCEPTIC = NormalPrior("sceptic", 0.0, 0.355, "test")
WEAK = NormalPrior("weak", 0.0, 1.0, "test")


def _normal_curve(information: float, z: float) -> LogRankCurve:
    """Exactly normal z with mean log HR sqrt(V): the case that has a closed form."""
    mean = GRID * math.sqrt(information)
    parts = (norm.logpdf(z - mean), norm.logsf(z - mean), norm.logcdf(z - mean))
    with np.errstate(divide="ignore"):
        within = np.log(norm.cdf(abs(z) - mean) - norm.cdf(-abs(z) - mean)).clip(min=-300.0)
    return LogRankCurve(*(part[np.newaxis] for part in (*parts, within)))


def _rejection(
    n_1: int, n_2: int, events: int, *, z: float, prior: NormalPrior, draws: int = 200_000
) -> NDArray[np.float64]:
    """Posterior draws without any likelihood: cohorts simulated from the prior that show this z."""
    rng = np.random.default_rng(20261125)
    in_group_1 = np.arange(n_1 + n_2) < n_1
    kept = []
    for _ in range(draws // 20_000):
        log_hr = rng.normal(prior.mean, prior.sd, 20_000)
        hazard = np.where(in_group_1, np.exp(log_hr)[:, np.newaxis], 1.0)
        time = rng.exponential(size=(20_000, n_1 + n_2)) / hazard
        last = np.partition(time, events - 1, axis=1)[:, events - 1 : events]
        seen = log_rank_scores(time, time <= last, in_group_1=in_group_1).z
        kept.append(log_hr[np.abs(seen - z) < 0.04])
    return np.concatenate(kept)


@pytest.mark.parametrize("z", [-2.0, 0.5, 3.0])
@pytest.mark.parametrize("prior", [SCEPTIC, WEAK])
def test_a_normal_likelihood_gives_the_conjugate_posterior(z: float, prior: NormalPrior) -> None:
    found = combine(_normal_curve(9.0, z).log_density(), prior)
    exact = update_normal(z / 3, 1 / 3, prior=prior)
    for probability in (0.025, 0.5, 0.975):
        assert found.quantile(probability) == pytest.approx(float(exact.quantile(probability)), rel=1e-4)
    assert found.p_above(1.0) == pytest.approx(float(exact.p_above(1.0)), abs=1e-5)


@pytest.mark.parametrize(("bound", "low", "high"), [("above", 2.0, INF), ("below", -INF, 2.0), ("within", -2.0, 2.0)])
def test_a_bound_of_a_normal_z_has_its_closed_form(bound: Bound, low: float, high: float) -> None:
    found = combine(_normal_curve(9.0, 2.0).log_probability(bound), WEAK)
    exact = IntervalPosterior(low, high, 9.0, WEAK)
    for probability in (0.025, 0.5, 0.975):
        assert found.quantile(probability) == pytest.approx(exact.quantile(probability), rel=1e-3)


@pytest.mark.parametrize(
    ("n_1", "n_2", "events", "p", "sign", "prior"),
    [
        (14, 112, 42, 0.043, -1, SCEPTIC),
        (91, 35, 42, 0.03, 1, WEAK),
        (14, 112, 114, 0.047, -1, WEAK),
        (21, 105, 114, 0.001, 1, SCEPTIC),
    ],
)
def test_posterior_agrees_with_rejection_sampling(
    n_1: int, n_2: int, events: int, p: float, sign: int, prior: NormalPrior
) -> None:
    z = sign * z_from_p(p)
    curve = simulate_curve(n_1, n_2, events=events, z=z, censoring="at_end", replicates=16_000, seed=1)
    found = combine(curve.log_density(), prior)
    draws = _rejection(n_1, n_2, events, z=z, prior=prior)
    for probability in (0.025, 0.5, 0.975):
        below = float((draws <= math.log(found.quantile(probability))).mean())
        assert below == pytest.approx(probability, abs=_four_errors(probability, draws.size))
    p_above = float((draws > 0).mean())
    assert found.p_above(1.0) == pytest.approx(p_above, abs=_four_errors(max(p_above, 0.005), draws.size))


def _four_errors(probability: float, draws: int) -> float:
    return 4 * math.sqrt(probability * (1 - probability) / draws)


def test_the_extreme_design_has_no_smoothing_bias() -> None:
    # 5,000,000 cohorts, log HR from N(0, 1), failure times with 84 censored at the last event: 155,582 of them
    # show the printed z within 0.02, with median 0.3276 (standard error 0.0019) and P(HR > 1) 0.0169 (0.0003).
    curve = simulate_curve(14, 112, events=42, z=-z_from_p(0.043), censoring="at_end", replicates=32_000, seed=1)
    found = combine(curve.log_density(), WEAK)
    assert found.quantile(0.5) == pytest.approx(0.3276, abs=4 * 0.0019)
    assert found.p_above(1.0) == pytest.approx(0.0169, abs=4 * 0.0003)
    assert found.quantile(0.025) == pytest.approx(0.0910, abs=0.002)
    assert found.quantile(0.975) == pytest.approx(0.9243, abs=0.015)


def test_censoring_throughout_agrees_with_rejection_sampling() -> None:
    z, rng = 2.0, np.random.default_rng(3)
    curve = simulate_curve(12, 28, events=20, z=z, censoring="throughout", replicates=16_000, seed=1)
    found = combine(curve.log_density(), WEAK)
    kept = []
    for log_hr in norm.ppf((np.arange(400) + 0.5) / 400):  # one by one: the rate of loss depends on the hazard ratio
        cohorts = LogRankCohorts(
            12, 28, events=20, censoring="throughout", replicates=1_000, seed=int(rng.integers(2**32))
        )
        near = np.abs(cohorts.scores(float(log_hr)).z - z) < 0.04
        kept.append(np.full(int(near.sum()), log_hr))
    draws = np.concatenate(kept)
    for probability in (0.025, 0.5, 0.975):
        below = float((draws <= math.log(found.quantile(probability))).mean())
        assert below == pytest.approx(probability, abs=_four_errors(probability, draws.size))


def test_a_local_normal_likelihood_would_fail_where_the_small_group_is_used_up() -> None:
    z = -z_from_p(0.043)
    cohorts = LogRankCohorts(14, 112, events=42, censoring="at_end", replicates=2000, seed=1)
    mean = np.array([cohorts.scores(float(log_hr)).z.mean() for log_hr in GRID])
    slope = np.gradient(mean, GRID)
    assert slope[int(np.argmin(np.abs(mean - z)))] < 0.7 * slope[len(GRID) // 2]
    curve = simulate_curve(14, 112, events=42, z=z, censoring="at_end", replicates=16_000, seed=1)
    assert combine(curve.log_density(), SCEPTIC).p_above(1.0) < 0.15


def test_bounds_are_the_parts_of_a_whole() -> None:
    curve = simulate_curve(14, 40, events=30, z=1.0, censoring="at_end", replicates=16_000, seed=1)
    parts = [np.exp(curve.log_probability(bound)) for bound in ("above", "below", "within")]
    np.testing.assert_allclose(parts[0] + parts[1], 1.0, rtol=1e-12)
    assert (parts[2] <= parts[1]).all()
    cohorts = LogRankCohorts(14, 40, events=30, censoring="at_end", replicates=4_000, seed=9)
    for place in (24, 28, 34, 40):
        z = cohorts.scores(float(GRID[place])).z
        assert parts[0][place] == pytest.approx(float((z > 1).mean()), abs=0.03)
        assert parts[2][place] == pytest.approx(float((np.abs(z) < 1).mean()), abs=0.03)


@pytest.mark.parametrize("place", [16, 28, 37])
def test_a_cohort_small_enough_to_count_has_its_exact_probability(place: int) -> None:
    # 3 against 4 patients and 4 events: every order of groups, each with the product of its shares of the hazard.
    hazard, above = math.exp(GRID[place]), 0.0
    for order in itertools.product((True, False), repeat=4):
        left_1, left_2, probability, score, variance = 3, 4, 1.0, 0.0, 0.0
        for first in order:
            of_1 = left_1 * hazard / (left_1 * hazard + left_2)
            share = left_1 / (left_1 + left_2)
            probability *= of_1 if first else 1 - of_1
            score, variance = score + first - share, variance + share * (1 - share)
            left_1, left_2 = left_1 - first, left_2 - (not first)
            if left_1 < 0 or left_2 < 0:
                break
        else:
            z = score / math.sqrt(variance)
            assert abs(z - 0.7) > 0.07  # the window widens to half of this, so that 2.3% of the nearest value cross it
            above += probability * (z > 0.7)
    curve = simulate_curve(3, 4, events=4, z=0.7, censoring="at_end", replicates=64_000, seed=1)
    assert math.exp(curve.log_probability("above")[place]) == pytest.approx(above, rel=0.06)


def test_inverted_test_covers_the_truth() -> None:
    limits = invert(_normal_curve(9.0, 2.5))
    assert limits.p_above(1.0) == pytest.approx(0.99379, abs=1e-5)
    assert math.log(limits.quantile(0.025)) == pytest.approx((2.5 - 1.96) / 3, abs=0.005)
    assert math.log(limits.quantile(0.975)) == pytest.approx((2.5 + 1.96) / 3, abs=0.005)


@dataclass(frozen=True, eq=False)
class _FewEvents:
    """Every order of 14 against 112 patients and 42 events in which at most one of the 14 has an event.

    z is -2.557 with none of them, -2.105 to -1.986 with one, and -1.648 or more with two, so that these orders are
    all that a z below -1.7 can come from. ``probability`` has shape (point, order).
    """

    log_hr: NDArray[np.float64]
    z: NDArray[np.float64]
    probability: NDArray[np.float64]


@pytest.fixture(scope="module")
def few_events() -> _FewEvents:
    log_hr = np.linspace(-45.0, 4.0, 9801)
    hazard, z, probability = np.exp(log_hr), [], []
    for place in (None, *range(42)):
        left_1, score, variance, log_probability = 14, 0.0, 0.0, np.zeros_like(log_hr)
        for step in range(42):
            left, first = 126 - step, step == place
            share = left_1 / left
            score, variance = score + first - share, variance + share * (1 - share)
            log_probability += np.log(left_1 * hazard if first else left - left_1)
            log_probability -= np.log(left_1 * hazard + left - left_1)
            left_1 -= first
        z.append(score / math.sqrt(variance))
        probability.append(np.exp(log_probability))
    return _FewEvents(log_hr, np.array(z), np.array(probability).T)


def test_a_z_that_needs_an_event_bounds_the_hazard_ratio_from_below(few_events: _FewEvents) -> None:
    z = -z_from_p(0.043)
    near = few_events.probability @ norm.pdf((few_events.z - z) / 0.015)
    assert np.interp(-math.log(55), few_events.log_hr, near) > 0.25 * near.max()
    curve = simulate_curve(14, 112, events=42, z=z, censoring="at_end", replicates=32_000, seed=1)
    for sd, precision in ((5.0, 0.03), (1.0, 0.02), (0.355, 0.01)):
        weight = near * norm.pdf(few_events.log_hr / sd)
        below = cumulative_trapezoid(weight, few_events.log_hr, initial=0.0)
        exact = np.exp(np.interp((0.025, 0.5, 0.975), below / below[-1], few_events.log_hr))
        found = combine(curve.log_density(), NormalPrior("test", 0.0, sd, "test"))
        assert [found.quantile(p) for p in (0.025, 0.5, 0.975)] == pytest.approx(exact, rel=precision)
        above_1 = 1 - float(np.interp(0.0, few_events.log_hr, below / below[-1]))
        assert found.p_above(1.0) == pytest.approx(above_1, rel=0.05)


@pytest.mark.parametrize(("z", "precision"), [(-z_from_p(0.043), 0.05), (-2.2, 0.1)])
def test_limits_of_the_inverted_test_are_those_of_the_orders(
    few_events: _FewEvents, z: float, precision: float
) -> None:
    above = 1 - few_events.probability @ (few_events.z <= z)
    exact = np.exp(np.interp((0.025, 0.5, 0.975), above, few_events.log_hr))
    found = invert(simulate_curve(14, 112, events=42, z=z, censoring="at_end", replicates=32_000, seed=1))
    assert [found.quantile(p) for p in (0.025, 0.5, 0.975)] == pytest.approx(exact, rel=precision)


def test_a_limit_that_z_cannot_reach_is_zero_or_infinite(few_events: _FewEvents) -> None:
    beyond = float(few_events.z.min()) - 0.3  # no event at all in the small group still gives a larger z
    low, high = (
        invert(simulate_curve(n_1, n_2, events=42, z=z, censoring="at_end", replicates=4_000, seed=1))
        for n_1, n_2, z in ((14, 112, beyond), (112, 14, -beyond))
    )
    assert low.quantile(0.025) == low.quantile(0.5) == 0.0
    assert high.quantile(0.5) == high.quantile(0.975) == INF


@pytest.mark.parametrize("side", [-1, 1])
def test_beyond_the_grid_a_likelihood_goes_on_falling_but_never_rises(side: int) -> None:
    vague = NormalPrior("vague", 0.0, 40.0, "test")
    for slope, factor in ((-0.2, -0.2), (0.2, 0.0), (0.0, 0.0)):
        found = combine(slope * np.maximum(side * GRID, 0.0), vague)
        log_hr = np.linspace(-360.0, 360.0, 200_001)
        likelihood = np.where(side * log_hr < GRID[-1], slope, factor) * np.clip(side * log_hr, 0.0, None)
        likelihood += (slope - factor) * GRID[-1] * (side * log_hr >= GRID[-1])
        weight = np.exp(likelihood - 0.5 * (log_hr / 40.0) ** 2)
        assert found.p_above(1.0) == pytest.approx(weight[log_hr > 0].sum() / weight.sum(), abs=0.002)


def test_confidence_falls_with_the_hazard_ratio() -> None:
    confidence = invert(simulate_curve(21, 105, events=42, z=1.5, censoring="throughout", replicates=4_000, seed=1))
    assert confidence.p_above(1 / 50) > 0.99
    assert confidence.p_above(50.0) < 0.01


def test_a_z_that_no_cohort_shows_widens_the_window_and_stays_finite() -> None:
    curve = simulate_curve(21, 105, events=42, z=50.0, censoring="at_end", replicates=2_000, seed=1)
    assert np.isfinite(curve.log_density()).all()
    assert math.isinf(invert(curve).quantile(0.5))
    assert combine(curve.log_density(), SCEPTIC).quantile(0.5) > 1.0


def test_another_seed_differs_by_the_bootstrap_error() -> None:
    curves = [
        simulate_curve(14, 60, events=40, z=2.0, censoring="at_end", replicates=4_000, seed=seed) for seed in range(8)
    ]
    medians = [combine(curve.log_density(), WEAK).quantile(0.5) for curve in curves]
    rng, first = np.random.default_rng(1), curves[0]
    drawn = [first.resampled(rng.integers(first.n_batches, size=first.n_batches)) for _ in range(100)]
    error = np.std([combine(curve.log_density(), WEAK).quantile(0.5) for curve in drawn])
    assert 0.4 < np.std(medians, ddof=1) / error < 2.5
    again = simulate_curve(14, 60, events=40, z=2.0, censoring="at_end", replicates=4_000, seed=0)
    np.testing.assert_array_equal(again.near, first.near)


def test_bad_designs_are_refused() -> None:
    with pytest.raises(ValueError, match="events"):
        simulate_curve(5, 10, events=16, z=1.0, censoring="at_end", replicates=2_000, seed=1)
