"""What must hold of the formulas for any input."""

import math
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ixa_bayes.formulas.binomial import BetaPosterior, BetaPrior, Contrast, ContrastKind, beta_posterior, p_lower
from ixa_bayes.formulas.credibility import analyse_credibility
from ixa_bayes.formulas.extraction import from_confidence_interval, information_interval
from ixa_bayes.formulas.multiplicity import benjamini_hochberg, holm
from ixa_bayes.formulas.normal import NormalPrior, summarise_hazard_ratio, update_from_p_below, update_normal
from ixa_bayes.formulas.printed import Convention, counts_printed_as, parse_number, parse_p
from ixa_bayes.formulas.two_by_two import clopper_pearson, fisher_exact_p

ROUNDINGS = {"half_up": ROUND_HALF_UP, "half_even": ROUND_HALF_EVEN, "truncated": ROUND_DOWN}
kinds: st.SearchStrategy[ContrastKind] = st.sampled_from(["difference", "risk_ratio", "odds_ratio"])
parameters = st.floats(0.5, 300)
log_ratios = st.floats(-3, 3)
standard_errors = st.floats(0.05, 2)


@st.composite
def groups(draw: st.DrawFn, largest: int = 60) -> tuple[int, int]:
    """Responders and patients."""
    n = draw(st.integers(1, largest))
    return draw(st.integers(0, n)), n


def _print(value: Fraction, *, decimals: int, how: str) -> str:
    # The quotient is carried to 60 digits: no count of patients lies that near to a tie without being one.
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return str(exact.quantize(Decimal(1).scaleb(-decimals), rounding=ROUNDINGS[how]))


def _convention(how: str) -> Convention:
    return "truncation" if how == "truncated" else "rounding"


@given(groups(largest=4000), st.integers(0, 3), st.sampled_from(sorted(ROUNDINGS)))
def test_every_count_is_found_behind_its_own_percentage(group: tuple[int, int], decimals: int, how: str) -> None:
    count, n = group
    percentage = Fraction(100 * count, n)
    printed = parse_number(_print(percentage, decimals=decimals, how=how))
    convention = _convention(how)
    assert printed.prints(percentage, convention)
    counts = counts_printed_as(printed, denominator=n, convention=convention)
    assert count in counts
    assert all(printed.prints(Fraction(100 * other, n), convention) for other in counts)
    outside = [other for other in (counts.start - 1, counts.stop) if 0 <= other <= n]
    assert not any(printed.prints(Fraction(100 * other, n), convention) for other in outside)


@given(st.decimals(-1000, 1000, allow_nan=False, places=4), st.integers(0, 3), st.sampled_from(sorted(ROUNDINGS)))
def test_a_value_lies_in_the_interval_of_its_print(value: Decimal, decimals: int, how: str) -> None:
    text = _print(Fraction(value), decimals=decimals, how=how)
    assume(not (text.startswith("-") and set(text) <= set("-0.")))  # minus zero is not printed
    convention = _convention(how)
    # Truncation of -0.5 prints 0, which reads as a positive number: the sign of a zero is lost in print.
    assume(not (how == "truncated" and value < 0 and Fraction(text) == 0))
    assert parse_number(text).prints(Fraction(value), convention)


@given(st.decimals(0, 1, allow_nan=False, places=6), st.integers(1, 4))
def test_a_p_value_lies_in_the_interval_of_its_print(p: Decimal, decimals: int) -> None:
    low, high = parse_p(_print(Fraction(p), decimals=decimals, how="half_up")).interval()
    assert low - 1e-12 <= float(p) <= high + 1e-12


@given(parameters, parameters, parameters, parameters, kinds, st.floats(0.001, 0.999))
def test_swapping_groups_flips_the_contrast(
    a_1: float, b_1: float, a_2: float, b_2: float, kind: ContrastKind, probability: float
) -> None:
    one, two = BetaPosterior(a_1, b_1), BetaPosterior(a_2, b_2)
    there, back = Contrast(one, two, kind), Contrast(two, one, kind)
    at = float(there.quantile(probability))
    assert float(there.cdf(at)) == pytest.approx(probability, abs=1e-8)
    flipped = float(back.quantile(1 - probability))
    assert flipped == pytest.approx(-at if kind == "difference" else 1 / at, rel=1e-6, abs=1e-8)


@given(parameters, parameters, parameters, parameters)
def test_the_three_contrasts_agree_on_who_is_lower(a_1: float, b_1: float, a_2: float, b_2: float) -> None:
    one, two = BetaPosterior(a_1, b_1), BetaPosterior(a_2, b_2)
    lower = p_lower(one, two)
    assert float(Contrast(one, two, "risk_ratio").cdf(1.0)) == pytest.approx(lower, abs=1e-8)
    assert float(Contrast(one, two, "odds_ratio").cdf(1.0)) == pytest.approx(lower, abs=1e-8)
    assert lower + p_lower(two, one) == pytest.approx(1, abs=1e-8)


@given(parameters, parameters, parameters, parameters, kinds)
def test_counting_responders_or_others_is_the_same(
    a_1: float, b_1: float, a_2: float, b_2: float, kind: ContrastKind
) -> None:
    assume(kind != "risk_ratio")  # the ratio of risks is the one contrast that this changes
    of_responders = Contrast(BetaPosterior(a_1, b_1), BetaPosterior(a_2, b_2), kind)
    of_others = Contrast(BetaPosterior(b_2, a_2), BetaPosterior(b_1, a_1), kind)
    assert float(of_others.quantile(0.3)) == pytest.approx(float(of_responders.quantile(0.3)), rel=1e-6, abs=1e-8)


@given(groups())
def test_a_posterior_lies_between_prior_and_data(group: tuple[int, int]) -> None:
    responders, n = group
    prior = BetaPrior.from_mean_and_patients(0.3, 8, name="test", source="test")
    mean = beta_posterior(responders, n, prior=prior).mean
    assert min(0.3, responders / n) - 1e-12 <= mean <= max(0.3, responders / n) + 1e-12


@given(groups(), groups())
def test_fisher_does_not_depend_on_the_order_of_rows_or_columns(one: tuple[int, int], two: tuple[int, int]) -> None:
    (a, n_1), (b, n_2) = one, two
    p = float(fisher_exact_p(a, n_1, b, n_2))
    assert 0 < p <= 1
    assert float(fisher_exact_p(b, n_2, a, n_1)) == pytest.approx(p, rel=1e-9)
    assert float(fisher_exact_p(n_1 - a, n_1, n_2 - b, n_2)) == pytest.approx(p, rel=1e-9)


@given(groups(), st.floats(0.5, 0.999))
def test_clopper_pearson_covers_the_estimate_and_mirrors(group: tuple[int, int], ci_prob: float) -> None:
    responders, n = group
    lower, upper = clopper_pearson(responders, n, ci_prob=ci_prob)
    assert 0 <= lower <= responders / n <= upper <= 1
    mirrored_lower, mirrored_upper = clopper_pearson(n - responders, n, ci_prob=ci_prob)
    assert (float(mirrored_lower), float(mirrored_upper)) == pytest.approx(
        (1 - float(upper), 1 - float(lower)), abs=1e-9
    )


@given(log_ratios, standard_errors)
def test_a_vague_prior_leaves_the_likelihood(log_hr: float, se: float) -> None:
    posterior = update_normal(log_hr, se, prior=NormalPrior("vague", 0.0, 1e6, "test"))
    assert float(posterior.mean) == pytest.approx(log_hr, abs=1e-9)
    assert float(posterior.sd) == pytest.approx(se, rel=1e-9)


@given(log_ratios, standard_errors, log_ratios, st.floats(0.1, 5))
def test_inverting_the_ratio_mirrors_the_posterior(log_hr: float, se: float, mean: float, sd: float) -> None:
    there = update_normal(log_hr, se, prior=NormalPrior("there", mean, sd, "test"))
    back = update_normal(-log_hr, se, prior=NormalPrior("back", -mean, sd, "test"))
    one, other = summarise_hazard_ratio(there), summarise_hazard_ratio(back)
    assert float(other.median) == pytest.approx(1 / float(one.median))
    assert float(other.lower) == pytest.approx(1 / float(one.upper))
    assert float(other.p_rope) == pytest.approx(float(one.p_rope), abs=1e-9)
    assert float(back.p_above(1.0)) == pytest.approx(1 - float(there.p_above(1.0)), abs=1e-12)
    assert float(there.sd) < min(se, sd)


@given(log_ratios, standard_errors, standard_errors)
def test_two_updates_are_one_with_both(log_hr: float, se_1: float, se_2: float) -> None:
    prior = NormalPrior("test", 0.2, 0.7, "test")
    first = update_normal(log_hr, se_1, prior=prior)
    between = NormalPrior("between", float(first.mean), float(first.sd), "test")
    second = update_normal(0.5, se_2, prior=between)
    pooled = (log_hr / se_1**2 + 0.5 / se_2**2) / (1 / se_1**2 + 1 / se_2**2)
    together = update_normal(pooled, 1 / math.sqrt(1 / se_1**2 + 1 / se_2**2), prior=prior)
    assert float(second.mean) == pytest.approx(float(together.mean), abs=1e-9)
    assert float(second.sd) == pytest.approx(float(together.sd), rel=1e-9)


@given(st.floats(1e-5, 0.2), st.floats(0.5, 100), st.floats(0.2, 5))
def test_an_inequality_says_at_least_what_its_edge_says(p: float, information: float, sd: float) -> None:
    posterior = update_from_p_below(p, direction=1, information=information, prior=NormalPrior("test", 0.0, sd, "test"))
    for ratio in (1.0, 1.25, 2.0):
        assert posterior.p_above(ratio) >= float(posterior.at_edge().p_above(ratio)) - 1e-9


@given(log_ratios, standard_errors)
def test_credibility_does_not_depend_on_the_side_of_one(log_hr: float, se: float) -> None:
    low, high = math.exp(log_hr - 1.96 * se), math.exp(log_hr + 1.96 * se)
    assume(min(abs(math.log(low)), abs(math.log(high))) > 1e-3)
    one, other = analyse_credibility(low, high), analyse_credibility(1 / high, 1 / low)
    assert other.significant == one.significant
    assert (other.scepticism_limit or 0) == pytest.approx(one.scepticism_limit or 0, rel=1e-6)
    assert (other.advocacy_limit or 0) == pytest.approx(-(one.advocacy_limit or 0), rel=1e-6, abs=1e-9)
    if one.critical_prior_sd is not None:
        sceptic = NormalPrior("sceptic", 0.0, one.critical_prior_sd, "test")
        summary = summarise_hazard_ratio(update_normal(one.log_estimate, one.standard_error, prior=sceptic))
        assert min(abs(math.log(summary.lower)), abs(math.log(summary.upper))) == pytest.approx(0, abs=1e-6)


@given(st.floats(0.05, 5), st.floats(1.1, 50), st.integers(1, 3))
def test_printed_limits_hold_the_information_of_the_unrounded(lower: float, ratio: float, decimals: int) -> None:
    upper = lower * ratio
    texts = [_print(Fraction(limit), decimals=decimals, how="half_even") for limit in (lower, upper)]
    least, most = information_interval(parse_number(texts[0]), parse_number(texts[1]))
    exact = from_confidence_interval(math.sqrt(lower * upper), lower, upper=upper).information
    assert least * (1 - 1e-9) <= exact <= most * (1 + 1e-9)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_adjusted_p_values_keep_order_and_never_shrink(p: list[float]) -> None:
    for adjust in (holm, benjamini_hochberg):
        adjusted = adjust(p)
        assert np.all(adjusted >= np.asarray(p) - 1e-15)
        assert np.all(np.diff(adjusted[np.argsort(p)]) >= -1e-15)
    assert np.all(benjamini_hochberg(p) <= holm(p) + 1e-12)
