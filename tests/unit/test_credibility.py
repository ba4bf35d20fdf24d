"""Analysis of credibility against the reference cases and against the definition of its priors."""

import math
from typing import Any

import pytest
from scipy.special import ndtri

from ixa_bayes.formulas.credibility import Credibility, analyse_credibility, analyse_printed_credibility, intrinsic_p
from ixa_bayes.formulas.normal import NormalPrior, update_normal
from ixa_bayes.formulas.printed import parse_number

FIELDS = {
    "log_estimate_midpoint": "log_estimate",
    "se": "standard_error",
    "z": "z",
    "p_two_sided": "p_two_sided",
    "p_intrinsic": "p_intrinsic",
    "significant": "significant",
    "scepticism_limit_log": "scepticism_limit",
    "critical_prior_sd": "critical_prior_sd",
    "relative_prior_variance": "relative_prior_variance",
    "intrinsically_credible": "intrinsically_credible",
    "credible_by_matthews": "credible_by_matthews",
    "box_p_conflict": "box_p_conflict",
    "advocacy_limit_log": "advocacy_limit",
    "advocacy_prior_mean": "advocacy_prior_mean",
    "advocacy_prior_sd": "advocacy_prior_sd",
}


def test_all_cases_of_the_reference(trial_design_reference: dict[str, list[dict[str, Any]]]) -> None:
    cases = trial_design_reference["analysis_of_credibility"]
    assert len(cases) == 8
    for case in cases:
        inputs, outputs = case["inputs"], case["outputs"]
        result = analyse_credibility(inputs["lower"], inputs["upper"])
        for name, attribute in FIELDS.items():
            got = getattr(result, attribute)
            if name not in outputs:
                assert got is None or attribute.startswith("intrinsically"), (case["id"], name)
            else:
                assert got == pytest.approx(outputs[name], rel=1e-9), (case["id"], name)
        assert result.posterior_mean == pytest.approx(outputs["posterior_at_critical_prior"]["mean"], rel=1e-9)
        assert result.posterior_sd == pytest.approx(outputs["posterior_at_critical_prior"]["sd"], rel=1e-9)
        printed_z = math.log(inputs["hr"]) / result.standard_error
        assert intrinsic_p(printed_z) == pytest.approx(outputs["p_intrinsic_printed"], rel=1e-9)


@pytest.mark.parametrize(
    ("lower", "upper", "ci_prob"), [(1.94, 27.2, 0.95), (0.59, 0.94, 0.95), (1.94, 27.2, 0.9), (1.3, 5.0, 0.99)]
)
def test_the_sceptic_just_removes_significance(lower: float, upper: float, ci_prob: float) -> None:
    result = analyse_credibility(lower, upper, ci_prob=ci_prob)
    assert result.critical_prior_sd is not None
    posterior = update_normal(
        result.log_estimate,
        result.standard_error,
        prior=NormalPrior("sceptic", 0.0, result.critical_prior_sd, "test"),
    )
    limits = [float(posterior.mean) + sign * float(ndtri((1 + ci_prob) / 2)) * float(posterior.sd) for sign in (-1, 1)]
    assert min(abs(limit) for limit in limits) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("lower", "upper"), [(0.65, 1.11), (0.8, 2.45)])
def test_the_advocate_just_makes_it_significant(lower: float, upper: float) -> None:
    result = analyse_credibility(lower, upper)
    assert result.posterior_mean is not None
    assert result.posterior_sd is not None
    assert abs(result.posterior_mean) == pytest.approx(1.959963984540054 * result.posterior_sd, rel=1e-12)
    assert math.copysign(1, result.advocacy_limit or 0) == math.copysign(1, result.log_estimate)


def test_inverting_the_ratio_changes_only_the_sign() -> None:
    one, other = analyse_credibility(1.94, 27.2), analyse_credibility(1 / 27.2, 1 / 1.94)
    assert other.log_estimate == pytest.approx(-one.log_estimate)
    assert other.scepticism_limit == pytest.approx(one.scepticism_limit)


def test_a_limit_of_exactly_one_has_no_finite_scepticism_limit() -> None:
    result = analyse_credibility(1.0, 14.2)
    assert not result.significant
    assert result.scepticism_limit == math.inf
    assert result.posterior_mean is None
    assert result.advocacy_limit is None


def test_an_estimate_of_exactly_one_needs_no_advocate() -> None:
    result = analyse_credibility(0.5, 2.0)
    assert (result.advocacy_limit, result.advocacy_prior_sd) == (0.0, 0.0)


def test_a_printed_limit_of_one_shows_both_ends() -> None:
    result = analyse_printed_credibility(parse_number("1.00"), parse_number("14.20"))
    assert result.touches_one
    assert result.scepticism_limits is not None
    assert result.scepticism_limits[1] == math.inf
    assert result.scepticism_limits[0] == pytest.approx(analyse_credibility(1.005, 14.195).scepticism_limit)
    assert result.advocacy_limits is not None
    assert result.advocacy_limits[0] == pytest.approx(analyse_credibility(0.995, 14.195).advocacy_limit)
    assert result.advocacy_limits[1] == math.inf
    assert [corner.significant for corner in result.corners] == [False, False, True, True]


@pytest.mark.parametrize(("lower", "upper"), [("1.94", "27.20"), ("0.59", "0.94"), ("0.65", "1.11"), ("0.9", "1.1")])
def test_the_corners_are_the_extremes_of_the_box(lower: str, upper: str) -> None:
    printed = analyse_printed_credibility(parse_number(lower), parse_number(upper))
    low, high = parse_number(lower).interval(), parse_number(upper).interval()
    inside: list[Credibility] = [
        analyse_credibility(low[0] + i / 10 * (low[1] - low[0]), high[0] + j / 10 * (high[1] - high[0]))
        for i in range(11)
        for j in range(11)
    ]
    for attribute, ends in (
        ("scepticism_limit", printed.scepticism_limits),
        ("advocacy_limit", printed.advocacy_limits),
    ):
        values = [value for result in inside if (value := getattr(result, attribute)) is not None]
        assert bool(values) == (ends is not None)
        if ends is not None:
            assert (min(values), max(values)) == pytest.approx(ends, abs=1e-12)
    assert not printed.touches_one


@pytest.mark.parametrize(("lower", "upper"), [(0.0, 2.0), (3.0, 2.0), (1.0, math.inf)])
def test_limits_that_are_no_interval_are_refused(lower: float, upper: float) -> None:
    with pytest.raises(ValueError, match="0 < lower < upper"):
        analyse_credibility(lower, upper)


def test_a_probability_outside_zero_to_one_is_refused() -> None:
    with pytest.raises(ValueError, match="ci_prob"):
        analyse_credibility(1.1, 2.0, ci_prob=95)
