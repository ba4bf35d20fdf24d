"""Beta-binomial posteriors and exact contrasts against R, against quadrature of the definition, and at the extremes."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import beta

from ixa_bayes.formulas.binomial import (
    JEFFREYS,
    UNIFORM,
    BetaPosterior,
    BetaPrior,
    Contrast,
    ContrastKind,
    beta_posterior,
    p_lower,
)

TABLES = ["2/19_vs_62/103", "27/35_vs_37/87", "11/38_vs_53/84", "15/40_vs_13/17", "5/21_vs_23/36"]
TABLES += ["1/12_vs_27/45", "10/28_vs_14/20"]
KINDS: list[ContrastKind] = ["difference", "risk_ratio", "odds_ratio"]


@pytest.mark.parametrize(("key", "prior"), [("beta_1_1", UNIFORM), ("beta_half_half", JEFFREYS)])
@pytest.mark.parametrize("table", TABLES)
def test_every_quantity_of_the_reference(
    bayes_reference: dict[str, Any], key: str, prior: BetaPrior, table: str
) -> None:
    assert set(bayes_reference["beta_binomial"][key]) == set(TABLES)
    want = bayes_reference["beta_binomial"][key][table]
    assert want["prior"] == [prior.a, prior.b]
    groups = []
    for part, name in zip(table.split("_vs_"), ("group1", "group2"), strict=True):
        responders, n = map(int, part.split("/"))
        group = beta_posterior(responders, n, prior=prior)
        assert (group.a, group.b) == (want[name]["post_a"], want[name]["post_b"])
        assert (group.mean, group.sd) == pytest.approx((want[name]["mean"], want[name]["sd"]), abs=1e-9)
        _check_quantiles(group, want[name]["quantiles"])
        groups.append(group)
    one, two = groups
    assert p_lower(one, two) == pytest.approx(want["prob_p1_below_p2"], abs=1e-9)
    difference = Contrast(one, two, "difference")
    assert float(difference.p_above(0)) == pytest.approx(want["prob_p1_above_p2"], rel=1e-6, abs=1e-12)
    expected = want["difference_p1_minus_p2"]
    assert (difference.mean, difference.sd) == pytest.approx((expected["mean"], expected["sd"]), abs=1e-9)
    _check_quantiles(difference, expected["quantiles"])
    odds_ratio, expected = Contrast(one, two, "odds_ratio"), want["odds_ratio_1_over_2"]
    assert (odds_ratio.mean, odds_ratio.sd) == pytest.approx((expected["mean_log"], expected["sd_log"]), abs=1e-9)
    _check_quantiles(odds_ratio, expected["quantiles"])
    _check_quantiles(Contrast(one, two, "risk_ratio"), want["risk_ratio_1_over_2"]["quantiles"])


def _check_quantiles(posterior: BetaPosterior | Contrast, quantiles: dict[str, float]) -> None:
    probabilities = [float(name[1:]) / 100 for name in quantiles]
    np.testing.assert_allclose(posterior.quantile(probabilities), list(quantiles.values()), rtol=1e-6, atol=1e-6)


GROUPS = [
    ((0.5, 10.5), (5.5, 5.5)),
    ((10.5, 0.5), (0.5, 10.5)),
    ((0.5, 0.5), (0.5, 0.5)),
    ((1.0, 1.0), (63.0, 42.0)),
    ((0.5, 200.5), (40.0, 60.0)),
    ((4000.0, 6000.0), (1.0, 9.0)),
    ((4000.0, 6000.0), (4100.0, 5900.0)),
    ((0.5, 1000.5), (1.5, 999.5)),
    ((1000.5, 0.5), (20.0, 2.0)),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("first", "second"), GROUPS)
def test_cdf_is_the_integral_of_its_definition(
    first: tuple[float, float], second: tuple[float, float], kind: ContrastKind
) -> None:
    contrast = Contrast(BetaPosterior(*first), BetaPosterior(*second), kind)
    for probability in (0.001, 0.025, 0.5, 0.9, 0.975):
        at = float(contrast.quantile(probability))
        assert float(contrast.cdf(at)) == pytest.approx(probability, abs=1e-9)
        assert float(contrast.p_above(at)) == pytest.approx(1 - probability, abs=1e-9)
        assert _cdf_by_quantiles(contrast, at) == pytest.approx(probability, abs=1e-6), (kind, probability)


def _cdf_by_quantiles(contrast: Contrast, at: float) -> float:
    """The mean over u = F2(p2) of F1(bound), by adaptive quadrature split where the bound leaves (0, 1)."""
    one, two = contrast.group_1, contrast.group_2
    bounds: dict[str, Callable[[float], float]] = {
        "difference": lambda p: p + at,
        "risk_ratio": lambda p: p * at,
        "odds_ratio": lambda p: at * p / (1 - p + at * p),
    }
    bound = bounds[contrast.kind]
    kinks = {"difference": [-at, 1 - at], "risk_ratio": [1 / at if at else 1.0], "odds_ratio": []}[contrast.kind]
    levels = [1e-12, 1e-9, 1e-6, 1e-4, 1e-2, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.9999, 1 - 1e-6, 1 - 1e-9]
    knots = sorted({0.0, 1.0, *levels, *(float(beta.cdf(k, two.a, two.b)) for k in kinks if 0 < k < 1)})
    total = 0.0
    for low, high in pairwise(knots):
        total += quad(
            lambda u: float(beta.cdf(bound(beta.ppf(u, two.a, two.b)), one.a, one.b)), low, high, epsabs=1e-10
        )[0]
    return total


def test_moments_of_the_log_risk_ratio_are_those_of_two_log_rates() -> None:
    one, two = BetaPosterior(2.5, 17.5), BetaPosterior(62.5, 41.5)
    mean, variance = [], []
    for group in (one, two):
        law = beta(group.a, group.b)
        mean.append(quad(lambda u, law=law: math.log(law.ppf(u)), 0, 1)[0])
        variance.append(quad(lambda u, law=law: math.log(law.ppf(u)) ** 2, 0, 1)[0] - mean[-1] ** 2)
    contrast = Contrast(one, two, "risk_ratio")
    assert contrast.mean == pytest.approx(mean[0] - mean[1], abs=1e-6)
    assert contrast.sd == pytest.approx(math.sqrt(sum(variance)), rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_exchanging_the_groups_mirrors_the_contrast(kind: ContrastKind) -> None:
    one, two = BetaPosterior(2.5, 17.5), BetaPosterior(62.5, 41.5)
    there, back = Contrast(one, two, kind), Contrast(two, one, kind)
    got = back.quantile([0.025, 0.5, 0.975])
    mirrored = there.quantile([0.975, 0.5, 0.025])
    np.testing.assert_allclose(got, -mirrored if kind == "difference" else 1 / mirrored, rtol=1e-8)


def test_p_lower_in_closed_form() -> None:
    # Two uniform rates: 1/2. Beta(2, 1) against uniform: P(p1 < p2) = 1 - 2/3.
    assert p_lower(BetaPosterior(1, 1), BetaPosterior(1, 1)) == pytest.approx(0.5, abs=1e-12)
    assert p_lower(BetaPosterior(2, 1), BetaPosterior(1, 1)) == pytest.approx(1 / 3, abs=1e-12)


def test_the_difference_of_two_uniform_rates_is_triangular() -> None:
    contrast = Contrast(BetaPosterior(1, 1), BetaPosterior(1, 1), "difference")
    at = np.array([-1.0, -0.5, 0.0, 0.5, 1.0, 2.0, -3.0])
    np.testing.assert_allclose(contrast.cdf(at), [0, 0.125, 0.5, 0.875, 1, 1, 0], atol=1e-12)


def test_the_ratio_of_two_uniform_rates() -> None:
    # P(p1 / p2 <= c) is c / 2 for c <= 1 and 1 - 1 / (2c) above.
    contrast = Contrast(BetaPosterior(1, 1), BetaPosterior(1, 1), "risk_ratio")
    np.testing.assert_allclose(contrast.cdf([0.0, 0.5, 1.0, 4.0, math.inf]), [0, 0.25, 0.5, 0.875, 1], atol=1e-10)
    np.testing.assert_allclose(contrast.p_above([0.0, 4.0]), [1, 0.125], atol=1e-10)
    assert float(contrast.quantile(0.975)) == pytest.approx(20, rel=1e-8)


def test_jeffreys_prior_alone_gives_heavy_tails_not_nan() -> None:
    contrast = Contrast(beta_posterior(0, 0, prior=JEFFREYS), beta_posterior(0, 0, prior=JEFFREYS), "odds_ratio")
    low, high = contrast.quantile([0.025, 0.975])
    assert math.log(low) == pytest.approx(-math.log(high), rel=1e-8)
    # The log odds of Beta(1/2, 1/2) has the hyperbolic secant law; two of them differ with density
    # x / (pi^2 sinh(x / 2)), whose upper tail gives the quantile.
    tail = quad(lambda x: x / (2 * math.pi**2 * math.sinh(x / 2)), math.log(high), 80)[0]
    assert tail == pytest.approx(0.025, abs=1e-7)


def test_posterior_probabilities_of_a_rate() -> None:
    posterior = beta_posterior(2, 19, prior=UNIFORM)
    assert float(posterior.cdf(0.2)) == pytest.approx(beta.cdf(0.2, 3, 18))
    assert float(posterior.complement_quantile(0.3)) == pytest.approx(1 - beta.ppf(0.3, 3, 18))


def test_predictive_sums_to_one_and_has_the_posterior_mean() -> None:
    posterior = beta_posterior(2, 19, prior=JEFFREYS)
    pmf = posterior.predictive_pmf(20)
    assert pmf.shape == (21,)
    assert pmf.sum() == pytest.approx(1, abs=1e-12)
    assert pmf @ np.arange(21) == pytest.approx(20 * posterior.mean, rel=1e-10)

    def joint(p: float, k: int) -> float:
        return float(math.comb(20, k) * p**k * (1 - p) ** (20 - k) * beta.pdf(p, 2.5, 17.5))

    want = [quad(joint, 0, 1, args=(k,))[0] for k in (0, 3)]
    assert (pmf[0], pmf[3]) == pytest.approx(want, abs=1e-9)


@pytest.mark.parametrize("probability", [0.025, 0.5, 0.975])
def test_predictive_quantile_is_the_first_count_that_reaches_it(probability: float) -> None:
    posterior = beta_posterior(2, 19, prior=JEFFREYS)
    k, cdf = posterior.predictive_quantile(probability, patients=20), posterior.predictive_pmf(20).cumsum()
    assert cdf[k] >= probability
    assert k == 0 or cdf[k - 1] < probability


def test_a_prior_reads_as_mean_and_patients() -> None:
    prior = BetaPrior.from_mean_and_patients(0.3, 10, name="sceptical", source="test")
    assert (prior.a, prior.b) == pytest.approx((3, 7))
    assert (prior.mean, prior.patients) == pytest.approx((0.3, 10))


@pytest.mark.parametrize(("mean", "patients"), [(0.0, 5), (1.0, 5), (0.5, 0), (0.5, math.inf)])
def test_a_prior_that_is_none_is_refused(mean: float, patients: float) -> None:
    with pytest.raises(ValueError, match="prior odd"):
        BetaPrior.from_mean_and_patients(mean, patients, name="odd", source="test")


def test_other_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="prior odd: b"):
        BetaPrior(1.0, 0.0, "odd", "test")
    with pytest.raises(ValueError, match="between 0 and n"):
        beta_posterior(5, 4, prior=UNIFORM)
    with pytest.raises(ValueError, match="probability"):
        Contrast(BetaPosterior(1, 1), BetaPosterior(1, 1), "difference").quantile([0.5, 1.0])
