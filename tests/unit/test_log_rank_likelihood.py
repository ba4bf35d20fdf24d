import math

import numpy as np
import pytest
from numpy.typing import NDArray

from ixa_bayes.formulas.log_rank import log_rank_scores
from ixa_bayes.formulas.log_rank_likelihood import GRID, LogRankCurve, combine, invert, simulate_curve
from ixa_bayes.formulas.normal import NormalPrior, update_normal, z_from_p

SCEPTIC = NormalPrior("sceptic", 0.0, 0.355, "test")
WEAK = NormalPrior("weak", 0.0, 1.0, "test")


def _normal_curve(information: float, replicates: int = 20_000) -> LogRankCurve:
    """Exactly normal z with mean log HR sqrt(V): the case that has a closed form."""
    noise = np.random.default_rng(1).standard_normal(replicates)
    noise = (noise - noise.mean()) / noise.std(ddof=1)
    return LogRankCurve(GRID[:, np.newaxis] * math.sqrt(information) + noise)


def _rejection(
    n_1: int, n_2: int, events: int, *, z: float, prior: NormalPrior, draws: int = 400_000
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
    information = 9.0
    found = combine(_normal_curve(information).log_density(z), prior)
    exact = update_normal(z / 3, 1 / 3, prior=prior)
    assert found.quantile(0.5) == pytest.approx(float(exact.quantile(0.5)), rel=0.03)
    assert found.quantile(0.025) == pytest.approx(float(exact.quantile(0.025)), rel=0.05)
    assert found.quantile(0.975) == pytest.approx(float(exact.quantile(0.975)), rel=0.05)
    assert found.p_above(1.0) == pytest.approx(float(exact.p_above(1.0)), abs=0.02)


@pytest.mark.parametrize(
    ("n_1", "n_2", "events", "p", "sign"),
    [(14, 112, 42, 0.043, -1), (91, 35, 42, 0.03, 1), (14, 112, 114, 0.047, -1), (21, 105, 114, 0.001, 1)],
)
@pytest.mark.parametrize("prior", [SCEPTIC, WEAK])
def test_posterior_agrees_with_rejection_sampling(
    n_1: int, n_2: int, events: int, p: float, sign: int, prior: NormalPrior
) -> None:
    z = sign * z_from_p(p)
    curve = simulate_curve(n_1, n_2, events=events, censoring="at_end", replicates=4000, seed=1)
    found = combine(curve.log_density(z), prior)
    draws = _rejection(n_1, n_2, events, z=z, prior=prior)
    spread = float(draws.std())
    assert math.log(found.quantile(0.5)) == pytest.approx(float(np.median(draws)), abs=0.25 * spread)
    assert found.p_above(1.0) == pytest.approx(float((draws > 0).mean()), abs=0.025)


def test_a_local_normal_likelihood_would_fail_where_the_small_group_is_used_up() -> None:
    z = -z_from_p(0.043)
    curve = simulate_curve(14, 112, events=42, censoring="at_end", replicates=4000, seed=1)
    slope = np.gradient(curve.mean, GRID)
    root = int(np.argmin(np.abs(curve.mean - z)))
    assert slope[root] < 0.7 * slope[len(GRID) // 2]
    assert combine(curve.log_density(z), SCEPTIC).p_above(1.0) < 0.15


def test_an_interval_of_z_is_the_sum_of_its_points() -> None:
    curve = _normal_curve(5.0)
    whole = np.exp(curve.log_probability(-math.inf, 1.0)) + np.exp(curve.log_probability(1.0, math.inf))
    np.testing.assert_allclose(whole, 1.0, atol=1e-3)
    inside = np.exp(curve.log_probability(-1.0, 1.0))
    both = np.exp(curve.log_probability(-math.inf, 1.0)) - np.exp(curve.log_probability(-math.inf, -1.0))
    near = np.abs(GRID) < 0.5
    np.testing.assert_allclose(inside[near], both[near], atol=0.02)


def test_inverted_test_covers_the_truth() -> None:
    curve = _normal_curve(9.0)
    limits = invert(curve, 2.5)
    assert limits.p_above(1.0) == pytest.approx(0.99379, abs=0.002)
    assert math.log(limits.quantile(0.025)) == pytest.approx((2.5 - 1.96) / 3, abs=0.03)
    assert math.log(limits.quantile(0.975)) == pytest.approx((2.5 + 1.96) / 3, abs=0.03)


def test_a_limit_that_z_cannot_reach_is_infinite() -> None:
    curve = simulate_curve(14, 112, events=42, censoring="at_end", replicates=1000, seed=1)
    limits = invert(curve, -2.2)
    assert limits.quantile(0.025) == 0.0
    assert 0.2 < limits.quantile(0.975) < 1.0


def test_confidence_falls_with_the_hazard_ratio() -> None:
    curve = simulate_curve(21, 105, events=42, censoring="throughout", replicates=1000, seed=1)
    confidence = invert(curve, 1.5)
    assert confidence.p_above(1 / 50) > 0.99
    assert confidence.p_above(50.0) < 0.01
    assert math.isinf(invert(curve, 50.0).quantile(0.5))
