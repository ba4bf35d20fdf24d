"""Printed numbers: the text is the datum."""

from fractions import Fraction

import pytest

from ixa_bayes.formulas.printed import Convention, counts_printed_as, is_not_reached, parse_number, parse_p


@pytest.mark.parametrize(
    ("text", "value", "step", "decimals"),
    [
        ("33", Fraction(33), Fraction(1), 0),
        ("33.0", Fraction(33), Fraction(1, 10), 1),
        ("0.050", Fraction(1, 20), Fraction(1, 1000), 3),
        ("-1.2", Fraction(-6, 5), Fraction(1, 10), 1),
        ("\u22121.2", Fraction(-6, 5), Fraction(1, 10), 1),
        ("+2", Fraction(2), Fraction(1), 0),
        ("1e-5", Fraction(1, 100_000), Fraction(1, 100_000), 0),
        ("1.5E2", Fraction(150), Fraction(10), 1),
        (" 7.9 ", Fraction(79, 10), Fraction(1, 10), 1),
    ],
)
def test_numbers_keep_their_digits(text: str, value: Fraction, step: Fraction, decimals: int) -> None:
    number = parse_number(text)
    assert (number.exact, number.step, number.decimals, number.text) == (value, step, decimals, text.strip())


@pytest.mark.parametrize("text", ["", "1,234", "12.", ".5", "abc", "1.2.3", "1 2", "<3", "nan", "inf", "1e9999", "--1"])
def test_what_is_no_number_is_refused_and_shown(text: str) -> None:
    with pytest.raises(ValueError, match="is not a printed number") as raised:
        parse_number(text)
    assert repr(text) in str(raised.value)


def test_rounding_and_truncation_intervals() -> None:
    number = parse_number("33.0")
    assert number.exact_interval() == (Fraction("32.95"), Fraction("33.05"))
    assert number.exact_interval("truncation") == (Fraction(33), Fraction("33.1"))
    assert parse_number("-1.2").exact_interval("truncation") == (Fraction("-1.3"), Fraction("-1.2"))
    assert number.interval() == (32.95, 33.05)


@pytest.mark.parametrize(
    ("value", "convention", "prints"),
    [
        ("7.85", "rounding", True),
        ("7.95", "rounding", True),
        ("8", "rounding", False),
        ("7.9", "truncation", True),
        ("8", "truncation", False),
        ("7.99", "truncation", True),
        ("7.89", "truncation", False),
    ],
)
def test_which_values_print_as_seven_point_nine(value: str, convention: Convention, prints: bool) -> None:
    assert parse_number("7.9").prints(Fraction(value), convention) is prints


def test_negative_values_truncate_towards_zero() -> None:
    number = parse_number("-1.2")
    assert number.prints(Fraction("-1.29"), "truncation")
    assert not number.prints(Fraction("-1.3"), "truncation")
    assert not number.prints(Fraction("-1.19"), "truncation")


@pytest.mark.parametrize(
    ("text", "operator", "interval"),
    [
        ("0.008", "=", (0.0075, 0.0085)),
        ("=0.008", "=", (0.0075, 0.0085)),
        ("<0.001", "<", (0.0, 0.001)),
        ("< 0.001", "<", (0.0, 0.001)),
        ("\u22640.05", "<=", (0.0, 0.05)),
        (">0.05", ">", (0.05, 1.0)),
        ("\u22650.05", ">=", (0.05, 1.0)),
        ("NS", ">", (0.05, 1.0)),
        ("n.s.", ">", (0.05, 1.0)),
        ("1.0", "=", (0.95, 1.0)),
        ("0.00", "<", (0.0, 0.005)),
        ("0.000", "<", (0.0, 0.0005)),
    ],
)
def test_p_values_with_their_operator(text: str, operator: str, interval: tuple[float, float]) -> None:
    p = parse_p(text)
    assert p.operator == operator
    assert p.interval() == pytest.approx(interval)


@pytest.mark.parametrize("text", ["1.2", "-0.1", "<1.5", "", "<", "significant", "0,05", "<<0.1"])
def test_what_is_no_p_value_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a (p value|printed number)"):
        parse_p(text)


@pytest.mark.parametrize(
    ("text", "denominator", "convention", "counts"),
    [
        ("25.4", 122, "rounding", [31]),
        ("25.5", 122, "rounding", []),
        ("10.5", 19, "rounding", [2]),
        ("33", 126, "rounding", [41, 42]),
        ("0", 50, "rounding", [0]),
        ("100", 50, "rounding", [50]),
        ("12.5", 8, "truncation", [1]),
        ("66.6", 3, "truncation", [2]),
        ("66.6", 3, "rounding", []),
        ("66.7", 3, "truncation", []),
        ("0.5", 200, "rounding", [1]),
        ("2", 40, "rounding", [1]),  # 2.5 prints as 2 by half-even
        ("3", 40, "rounding", [1]),  # and as 3 by half-up
        ("2", 50, "truncation", [1]),  # 3.0 itself is excluded
        ("-1", 50, "truncation", []),
        ("-1", 50, "rounding", []),
    ],
)
def test_counts_behind_a_percentage(text: str, denominator: int, convention: Convention, counts: list[int]) -> None:
    assert list(counts_printed_as(parse_number(text), denominator=denominator, convention=convention)) == counts


@pytest.mark.parametrize("text", ["not reached", "Not Reached", "NR", " ne ", "not estimable"])
def test_times_that_were_not_reached(text: str) -> None:
    assert is_not_reached(text)


def test_a_time_is_not_not_reached() -> None:
    assert not is_not_reached("12.0")
