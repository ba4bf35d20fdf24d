"""Conjugate normal update of a log hazard ratio, the prior grid, and p values printed as inequalities."""

import math
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm

from ixa_bayes.formulas.normal import (
    IntervalPosterior,
    NormalPrior,
    log_standard_error,
    prior_grid,
    summarise_hazard_ratio,
    update_from_p_above,
    update_from_p_below,
    update_normal,
    z_from_p,
)

VAGUE = NormalPrior("vague", 0.0, 5.0, "test")


def test_prior_grid_cases_of_the_reference(trial_design_reference: dict[str, list[dict[str, Any]]]) -> None:
    cases = trial_design_reference["prior_grid"]
    assert len(cases) == 4
    for case in cases:
        inputs = case["inputs"]
        priors = prior_grid(inputs["design_ratio"])
        wanted = {want["prior"]["name"]: want for want in case["outputs"]["priors"]}
        assert {prior.name for prior in priors} == set(wanted)
        se = log_standard_error(inputs["lower"], inputs["upper"])
        for prior in priors:
            want = wanted[prior.name]
            posterior = update_normal(math.log(inputs["hr"]), se, prior=prior)
            summary = summarise_hazard_ratio(posterior, thresholds=(1.0, 1.25, 0.8, 2.0))
            got = {
                "posterior_mean_log_hr": posterior.mean,
                "posterior_sd_log_hr": posterior.sd,
                "median_hr": summary.median,
                "lower95_hr": summary.lower,
                "upper95_hr": summary.upper,
                "mean_hr": summary.mean,
                "p_rope": summary.p_rope,
                **{f"p_hr_above_{c:g}": p for c, p in summary.p_above.items()},
            }
            assert {"prior", *got} == set(want)
            assert prior.mean == pytest.approx(want["prior"]["mean"], rel=1e-12, abs=1e-12)
            assert prior.sd == pytest.approx(want["prior"]["sd"], rel=1e-12)
            for name, value in got.items():
                np.testing.assert_allclose(value, want[name], rtol=1e-9, atol=1e-9, err_msg=f"{case['id']} {name}")


def test_upper_tail_probabilities_keep_their_digits(trial_design_reference: dict[str, list[dict[str, Any]]]) -> None:
    case = trial_design_reference["prior_grid"][3]
    posterior = update_normal(math.log(0.74), log_standard_error(0.59, 0.94), prior=prior_grid()[0])
    np.testing.assert_allclose(posterior.p_above(2.0), case["outputs"]["priors"][0]["p_hr_above_2"], rtol=1e-9)


def test_normal_normal_entries_of_the_reference(bayes_reference: dict[str, Any]) -> None:
    seen = 0
    for by_prior in bayes_reference["normal_normal"]["results"].values():
        for want in by_prior.values():
            prior = NormalPrior("reference", want["prior_mean"], want["prior_sd"], "bayes.json")
            se = log_standard_error(want["lower95"], want["upper95"])
            np.testing.assert_allclose(se, want["se_log_hr"], atol=1e-9)
            posterior = update_normal(math.log(want["hr"]), se, prior=prior)
            ninety = summarise_hazard_ratio(posterior, ci_prob=0.9)
            summary = summarise_hazard_ratio(posterior, thresholds=(1.0, 1.25, 1.5))
            got = [posterior.mean, posterior.sd, summary.median, summary.mean, summary.lower, summary.upper]
            got += [ninety.lower, ninety.upper, *summary.p_above.values()]
            names = ["posterior_mean_log_hr", "posterior_sd_log_hr", "posterior_median_hr", "posterior_mean_hr"]
            expected = [want[name] for name in names] + want["crI95"] + want["crI90"]
            expected += [want[f"prob_hr_above_{c}"] for c in ("1", "1.25", "1.5")]
            np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-6)
            seen += 1
    assert seen == 12


def test_update_is_vectorised_over_estimates() -> None:
    estimates, errors = np.array([[0.1], [0.7]]), np.array([0.2, 0.5, 1.0])
    together = update_normal(estimates, errors, prior=VAGUE)
    assert together.mean.shape == (2, 3)
    alone = update_normal(0.7, 0.5, prior=VAGUE)
    assert together.mean[1, 1] == alone.mean
    assert together.p_above(1.25).shape == (2, 3)


def test_without_a_design_ratio_only_neutral_priors() -> None:
    assert [prior.name for prior in prior_grid()] == ["neutral_weak", "neutral_moderate", "neutral_strong"]


@pytest.mark.parametrize("ratio", [0.5, 2.0])
def test_optimistic_priors_lie_on_the_side_of_the_design_ratio(ratio: float) -> None:
    by_name = {prior.name: prior for prior in prior_grid(ratio)}
    assert len(by_name) == 9
    for strength, wrong in (("weak", 0.3), ("moderate", 0.15), ("strong", 0.05)):
        optimistic, pessimistic = by_name[f"optimistic_{strength}"], by_name[f"pessimistic_{strength}"]
        assert optimistic.mean == math.log(ratio)
        assert pessimistic.mean == -math.log(ratio)
        away = norm.cdf(0, optimistic.mean, optimistic.sd)
        assert min(away, 1 - away) == pytest.approx(wrong, abs=1e-12)


def test_moderate_neutral_prior_spans_half_to_double() -> None:
    lower, upper = prior_grid()[1].hazard_ratio_interval()
    assert (round(lower, 2), round(upper, 1)) == (0.50, 2.0)


@pytest.mark.parametrize("ratio", [1.0, 0.0, -2.0, math.inf, math.nan])
def test_a_design_ratio_that_is_none_is_refused(ratio: float) -> None:
    with pytest.raises(ValueError, match="design_ratio"):
        prior_grid(ratio)


@pytest.mark.parametrize(("mean", "sd"), [(math.nan, 1.0), (0.0, 0.0), (0.0, -1.0), (0.0, math.inf)])
def test_a_prior_without_meaning_is_refused(mean: float, sd: float) -> None:
    with pytest.raises(ValueError, match="prior odd"):
        NormalPrior("odd", mean, sd, "test")


@pytest.mark.parametrize(("lower", "upper"), [(0.0, 1.0), (2.0, 1.0), (1.0, 1.0), (0.5, math.inf), (-1.0, 2.0)])
def test_limits_that_are_no_interval_are_refused(lower: float, upper: float) -> None:
    with pytest.raises(ValueError, match="0 < lower < upper"):
        log_standard_error(lower, upper)


def test_a_standard_error_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="standard_error"):
        update_normal(0.0, [0.1, 0.0], prior=VAGUE)


def test_z_of_a_two_sided_p_uses_its_half() -> None:
    assert z_from_p(0.05) == pytest.approx(1.959963984540054)
    assert z_from_p(1.0) == 0
    with pytest.raises(ValueError, match="p is"):
        z_from_p(0.0)


def test_inequality_leaves_median_and_far_limit_to_the_prior() -> None:
    posterior = update_from_p_below(0.0001, direction=1, information=5.8, prior=VAGUE)
    median, lower, upper = (posterior.quantile(q) for q in (0.5, 0.025, 0.975))
    assert f"{median:.0f}" == "85"
    assert f"{lower:.1f}" == "4.6"
    assert f"{upper:.3g}" == "1.28e+05"
    edge = summarise_hazard_ratio(posterior.at_edge())
    assert (f"{edge.median:.1f}", f"{edge.lower:.1f}", f"{edge.upper:.0f}") == ("5.0", "2.2", "11")
    assert posterior.bound_nearest_null() == pytest.approx(lower, rel=1e-9)


@pytest.mark.parametrize(("information", "sd"), [(5.8, 5.0), (100.0, 0.355), (0.5, 0.205), (2000.0, 5.0)])
def test_inequality_posterior_is_the_conditional_of_a_bivariate_normal(information: float, sd: float) -> None:
    # (b, z) is bivariate normal, so P(b > c | z > edge) is a ratio of two of its orthants.
    prior = NormalPrior("test", 0.2, sd, "test")
    posterior = update_from_p_below(0.01, direction=1, information=information, prior=prior)
    root, edge = math.sqrt(information), z_from_p(0.01)
    mean, cross = [-0.2, -0.2 * root], sd**2 * root
    joint = multivariate_normal(mean, [[sd**2, cross], [cross, 1 + information * sd**2]])
    p_edge = norm.sf(edge, 0.2 * root, math.sqrt(1 + information * sd**2))
    for ratio in (0.9, 1.0, 1.5):
        want = joint.cdf([-math.log(ratio), -edge]) / p_edge
        assert posterior.p_above(ratio) == pytest.approx(want, abs=2e-7)
        assert posterior.p_above(posterior.quantile(0.1)) == pytest.approx(0.9, abs=1e-8)


def test_direction_mirrors_the_posterior() -> None:
    worse = update_from_p_below(0.001, direction=1, information=9.0, prior=NormalPrior("a", 0.1, 1.0, "test"))
    better = update_from_p_below(0.001, direction=-1, information=9.0, prior=NormalPrior("b", -0.1, 1.0, "test"))
    assert better.p_above(1.25) == pytest.approx(1 - worse.p_above(0.8), abs=1e-10)
    assert better.bound_nearest_null() == pytest.approx(1 / worse.bound_nearest_null(), rel=1e-8)
    assert float(better.at_edge().mean) == pytest.approx(-float(worse.at_edge().mean))


def test_a_narrow_interval_of_z_gives_the_normal_update() -> None:
    exact = update_normal(2.0 / 3, 1 / 3, prior=VAGUE)
    narrow = IntervalPosterior(z_low=2.0 - 1e-5, z_high=2.0 + 1e-5, information=9.0, prior=VAGUE)
    assert narrow.quantile(0.975) == pytest.approx(float(exact.quantile(0.975)), rel=1e-6)
    assert narrow.p_above(1.0) == pytest.approx(float(exact.p_above(1.0)), abs=1e-8)


def test_not_significant_bounds_z_on_both_sides() -> None:
    prior = NormalPrior("test", 0.3, 1.0, "test")
    posterior = update_from_p_above(0.05, information=4.0, prior=prior)

    def density(b: float) -> float:
        return float(
            norm.pdf(b, 0.3, 1.0) * (norm.cdf(1.959963984540054 - 2 * b) - norm.cdf(-1.959963984540054 - 2 * b))
        )

    want = quad(density, math.log(1.25), 8)[0] / quad(density, -8, 8)[0]
    assert posterior.p_above(1.25) == pytest.approx(want, abs=1e-9)
    with pytest.raises(ValueError, match="both sides"):
        posterior.at_edge()
    with pytest.raises(ValueError, match="both sides"):
        posterior.bound_nearest_null()


def test_inputs_of_the_inequality_that_mean_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="direction"):
        update_from_p_below(0.01, direction=0, information=1.0, prior=VAGUE)
    with pytest.raises(ValueError, match="information"):
        update_from_p_below(0.01, direction=1, information=0.0, prior=VAGUE)
    with pytest.raises(ValueError, match="empty"):
        IntervalPosterior(z_low=1.0, z_high=1.0, information=1.0, prior=VAGUE)
    with pytest.raises(ValueError, match="probability"):
        update_from_p_below(0.01, direction=1, information=1.0, prior=VAGUE).quantile(1.0)
