"""Routes to a log hazard ratio: each against its formula by hand and against the others where they must agree."""

import math

import pytest
from scipy.stats import norm

from ixa_bayes.formulas.extraction import (
    ExtractedHazardRatio,
    from_confidence_interval,
    from_medians,
    from_p_and_events_per_group,
    from_p_and_group_sizes,
    from_p_and_hazard_ratio,
    from_p_and_total_events,
    information_interval,
    standard_error_interval,
)
from ixa_bayes.formulas.normal import log_standard_error
from ixa_bayes.formulas.printed import parse_number


def test_confidence_interval() -> None:
    got = from_confidence_interval(20.46, 2.97, upper=140.8)
    assert got.log_hr == pytest.approx(3.0184717605235)
    assert got.standard_error == pytest.approx(0.98440035667668, rel=1e-12)
    assert got.information == pytest.approx(1 / float(log_standard_error(2.97, 140.8)) ** 2)
    assert got.hazard_ratio == pytest.approx(20.46)


def test_a_ninety_percent_interval_holds_less_information_than_a_wider_one_would() -> None:
    ninety = from_confidence_interval(2.0, 1.2, upper=3.3, ci_prob=0.9)
    assert ninety.standard_error == pytest.approx(math.log(3.3 / 1.2) / (2 * 1.6448536269514722))


def test_p_with_total_events_is_two_z_over_root_d() -> None:
    got = from_p_and_total_events(0.03, 100, direction=1)
    z = norm.isf(0.015)
    assert got.log_hr == pytest.approx(2 * z / 10)
    assert got.log_hr * got.information == pytest.approx(0.5 * math.sqrt(100) * z)
    assert got.information == 25


def test_half_of_the_two_sided_p_is_used() -> None:
    # p = 0.05 must give z = 1.96; with p itself it would be 1.64.
    assert from_p_and_total_events(0.05, 4, direction=1).log_hr == pytest.approx(1.959963984540054)


def test_group_sizes_reduce_to_equal_groups_and_to_the_known_value() -> None:
    equal = from_p_and_group_sizes(0.03, 100, n_1=50, n_2=50, direction=-1)
    assert equal.log_hr == pytest.approx(from_p_and_total_events(0.03, 100, direction=-1).log_hr)
    unequal = from_p_and_group_sizes(0.0001, 114, n_1=21, n_2=105, direction=1)
    assert f"{unequal.information:.1f}" == "15.8"
    assert unequal.log_hr * unequal.information == pytest.approx(norm.isf(0.00005) * math.sqrt(114 * 21 * 105) / 126)


def test_events_per_group() -> None:
    got = from_p_and_events_per_group(0.01, 20, events_2=60, direction=1)
    assert got.information == 15
    assert got.log_hr * got.information == pytest.approx(norm.isf(0.005) * math.sqrt(15))


def test_ratio_with_p_recovers_the_interval() -> None:
    wald = from_confidence_interval(2.0, 2 / math.exp(0.5), upper=2 * math.exp(0.5))
    p = float(2 * norm.sf(wald.log_hr / wald.standard_error))
    assert from_p_and_hazard_ratio(p, 2.0).information == pytest.approx(wald.information, rel=1e-9)
    assert from_p_and_hazard_ratio(p, 0.5).log_hr == pytest.approx(-wald.log_hr)


def test_medians_of_exponential_survival() -> None:
    got = from_medians(5.0, 10.0, events_1=20, events_2=80)
    assert got.hazard_ratio == pytest.approx(2.0)
    assert got.standard_error**2 == pytest.approx(1 / 20 + 1 / 80)


def test_every_route_names_itself_and_its_assumptions() -> None:
    routes: list[ExtractedHazardRatio] = [
        from_confidence_interval(2.0, 1.2, upper=3.3),
        from_p_and_total_events(0.03, 100, direction=1),
        from_p_and_group_sizes(0.03, 100, n_1=50, n_2=50, direction=1),
        from_p_and_events_per_group(0.03, 50, events_2=50, direction=1),
        from_p_and_hazard_ratio(0.03, 2.0),
        from_medians(5.0, 10.0, events_1=20, events_2=80),
    ]
    assert len({route.route for route in routes}) == len(routes)
    assert all(route.assumptions for route in routes)


def test_information_allowed_by_the_printed_digits() -> None:
    least, most = information_interval(parse_number("1.94"), parse_number("27.20"))
    by_hand = [(2 * 1.959963984540054 / math.log(ratio)) ** 2 for ratio in (27.205 / 1.935, 27.195 / 1.945)]
    assert (least, most) == pytest.approx(by_hand)
    coarse = information_interval(parse_number("1.9"), parse_number("27"))
    assert coarse[0] < least < most < coarse[1]


def test_information_at_the_edge_of_print() -> None:
    assert information_interval(parse_number("0.0"), parse_number("2.0"))[0] == 0
    assert information_interval(parse_number("1.0"), parse_number("1.0"))[1] == math.inf
    truncated = information_interval(parse_number("1.9"), parse_number("27"), convention="truncation")
    assert truncated[0] == pytest.approx((2 * 1.959963984540054 / math.log(28 / 1.9)) ** 2)


def test_standard_error_allowed_by_the_printed_digits_of_ratio_and_p() -> None:
    least, most = standard_error_interval(parse_number("3.76"), parse_number("0.051"))
    box = [math.log(ratio) / norm.isf(p / 2) for ratio in (3.755, 3.765) for p in (0.0505, 0.0515)]
    assert (least, most) == pytest.approx((min(box), max(box)), rel=1e-12)
    below = standard_error_interval(parse_number("0.5"), parse_number("0.04"))
    assert below == pytest.approx((-math.log(0.55) / norm.isf(0.0175), -math.log(0.45) / norm.isf(0.0225)))


def test_standard_error_at_the_edge_of_print() -> None:
    assert standard_error_interval(parse_number("1.0"), parse_number("0.9"))[0] == 0
    assert standard_error_interval(parse_number("2.0"), parse_number("0.00"))[0] == 0
    assert standard_error_interval(parse_number("2.0"), parse_number("1.0"))[1] == math.inf
    assert standard_error_interval(parse_number("0.0"), parse_number("0.5"))[1] == math.inf


@pytest.mark.parametrize(("lower", "upper"), [("2.0", "1.0"), ("-1.0", "1.0"), ("0.0", "0.0")])
def test_printed_limits_of_no_ratio_are_refused(lower: str, upper: str) -> None:
    with pytest.raises(ValueError, match="lower <= upper"):
        information_interval(parse_number(lower), parse_number(upper))


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="lower <= ratio"):
        from_confidence_interval(4.0, 1.2, upper=3.3)
    with pytest.raises(ValueError, match="events"):
        from_p_and_total_events(0.03, 0, direction=1)
    with pytest.raises(ValueError, match="direction"):
        from_p_and_total_events(0.03, 10, direction=2)
    with pytest.raises(ValueError, match="p is"):
        from_p_and_group_sizes(1.2, 10, n_1=5, n_2=5, direction=1)
    with pytest.raises(ValueError, match="n_2"):
        from_p_and_group_sizes(0.2, 10, n_1=5, n_2=0, direction=1)
    with pytest.raises(ValueError, match="events_2"):
        from_p_and_events_per_group(0.2, 10, events_2=-1, direction=1)
    with pytest.raises(ValueError, match="not determined"):
        from_p_and_hazard_ratio(0.2, 1.0)
    with pytest.raises(ValueError, match="median_1"):
        from_medians(0, 1, events_1=2, events_2=3)
