import numpy as np
import pytest
from scipy.special import expit, gammaln
from scipy.stats import beta

from ixa_bayes.inference.literature_prior import literature_prior
from ixa_bayes.models.response_analysis import PoolingPrior

PRIOR = PoolingPrior(mu_mean=0.0, mu_sd=1.5, tau_scale=1.0, meaning="a test", source="a test")


def _by_importance(counts: list[tuple[int, int]], draws: int) -> tuple[float, float, float]:
    """Mean and sd of the predictive rate from weighted prior draws, and the effective number of draws."""
    rng = np.random.default_rng(1)
    mu, tau = rng.normal(0, 1.5, draws), np.abs(rng.normal(0, 1.0, draws))
    log_weight = np.zeros(draws)
    for r, n in counts:
        theta = mu + tau * rng.normal(size=draws)
        log_weight += gammaln(n + 1) - gammaln(r + 1) - gammaln(n - r + 1)
        log_weight += r * np.log(expit(theta)) + (n - r) * np.log(expit(-theta))
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    new = expit(mu + tau * rng.normal(size=draws))
    mean = float(weight @ new)
    return mean, float(np.sqrt(weight @ (new - mean) ** 2)), float(1 / np.sum(weight**2))


@pytest.mark.parametrize("counts", [[(30, 70)], [(12, 25), (24, 38)], [(0, 10), (9, 9), (3, 40)]])
def test_predictive_moments_agree_with_importance_sampling(counts: list[tuple[int, int]]) -> None:
    mean, sd, effective = _by_importance(counts, 1_000_000)
    found = literature_prior(counts, PRIOR)
    assert found.mean == pytest.approx(mean, abs=5 * sd / np.sqrt(effective))
    assert found.sd == pytest.approx(sd, abs=5 * sd / np.sqrt(effective))


def test_the_beta_has_the_predictive_mean_and_sd() -> None:
    found = literature_prior([(281, 360), (27, 32), (367, 564)], PRIOR)
    stands_for = beta(found.mean * found.patients, (1 - found.mean) * found.patients)
    assert stands_for.mean() == pytest.approx(found.mean, rel=1e-12)
    assert stands_for.std() == pytest.approx(found.sd, rel=1e-9)
    assert (found.trials, found.trial_patients) == (3, 956)
    assert found.patients < 956


def test_trials_without_patients_leave_the_prior() -> None:
    mu_tau = _by_importance([], 1_000_000)
    found = literature_prior([(0, 0)], PRIOR)
    assert found.mean == pytest.approx(0.5, abs=1e-6)
    assert found.sd == pytest.approx(mu_tau[1], abs=2e-3)


def test_more_alike_trials_are_worth_more() -> None:
    alike = literature_prior([(50, 100), (50, 100), (50, 100)], PRIOR)
    unlike = literature_prior([(20, 100), (50, 100), (80, 100)], PRIOR)
    assert alike.patients > unlike.patients


@pytest.mark.parametrize("counts", [[], [(5, 4)], [(-1, 4)]])
def test_wrong_counts_are_refused(counts: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="at least one trial"):
        literature_prior(counts, PRIOR)
