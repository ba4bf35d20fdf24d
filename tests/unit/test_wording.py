import math

import pytest

from ixa_bayes.report.display import parted
from ixa_bayes.report.results import Results
from ixa_bayes.report.study_tables import printed_text
from ixa_bayes.report.wording import (
    number_text,
    numbers_text,
    p_text,
    percent_text,
    points_text,
    prior_label,
    probability_text,
    ratio_text,
    supported_decimals,
)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (2.111, "2.11"),
        (9.996, "10.0"),
        (20.46, "20.5"),
        (99.96, "100"),
        (140.8, "141"),
        (0.0571, "0.06"),
        (0.001, "below 0.01"),
        (math.inf, "above 10,000"),
        (math.nan, "–"),
    ],
)
def test_ratio_text(value: float, words: str) -> None:
    assert ratio_text(value) == words


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((5.81, 4.67, 7.0), ["5.81", "4.67", "7.00"]),
        ((5.0, 4.0, 8.0), ["5", "4", "8"]),
        ((12.34, 9.812, 17.0), ["12.3", "9.8", "17.0"]),
        ((0.05, 0.0523, 0.1), ["0.050", "0.052", "0.100"]),
        ((20.4, 0.012, 310.7), ["20", "0.01", "311"]),
        ((3.21, math.nan, -0.5), ["3.21", "–", "−0.50"]),
        ((0.0, math.nan), ["0", "–"]),
        ((2500.0, 12.5), ["2500", "12"]),
    ],
)
def test_numbers_that_stand_together_have_the_same_decimals(values: tuple[float, ...], words: list[str]) -> None:
    assert numbers_text(values) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.97940820, "0.979"), (0.99999, "above 0.999"), (1e-6, "below 0.001"), (0.9995, "above 0.999")],
)
def test_probability_text(value: float, words: str) -> None:
    assert probability_text(value) == words


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (1.847, 0.0084, "1.8"),
        (0.846, 0.0144, "0.8"),
        (2.724, 0.0065, "2.72"),
        (6.228, 0.137, "6"),
        (53.18, 0.127, "53"),
        (141.2, 6.0, "140"),
        (0.0675, 0.02, "0.07"),
        (0.7, 0.5, "0.7"),
        (3.23, math.nan, "3"),
    ],
)
def test_ratios_show_no_digit_that_simulation_does_not_support(value: float, error: float, words: str) -> None:
    assert ratio_text(value, error) == words


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (0.3541, 0.0065, "0.35"),
        (0.3541, 0.0005, "0.354"),
        (0.9990, 0.0012, "above 0.99"),
        (0.9978, 0.0006, "0.998"),
        (0.0021, 0.004, "below 0.01"),
        (0.5, 0.2, "0.5"),
    ],
)
def test_probabilities_show_no_digit_that_simulation_does_not_support(value: float, error: float, words: str) -> None:
    assert probability_text(value, error) == words


@pytest.mark.parametrize("error", [10**exponent for exponent in (-4.0, -3.2, -2.19, -1.5, -0.3, 0.4)])
def test_last_digit_is_not_finer_than_its_error_nor_needlessly_coarse(error: float) -> None:
    unit = 10.0 ** -supported_decimals(error, most=9)
    assert 1.5 * error <= unit < 15 * error


def test_shares_and_numbers_with_an_error_in_words() -> None:
    assert [percent_text(x, e) for x, e in ((0.0561, 0.0021), (0.0034, 0.005), (0.525, 0.02))] == [
        "6%",
        "below 1%",
        "50%",
    ]
    assert [points_text(x, e) for x, e in ((-0.2185, 0.0078), (0.264, 0.013), (-0.001, 0.0))] == ["−22", "+30", "0"]
    assert [number_text(x, e) for x, e in ((25.55, 0.48), (9.8, 0.344), (1.05, 0.056), (25.55, 0.0))] == [
        "26",
        "10",
        "1.1",
        "25.6",
    ]


def test_small_numbers_in_words() -> None:
    assert [p_text(p) for p in (0.00002, 0.0081, 0.0512, 0.2)] == ["<0.001", "0.008", "0.051", "0.20"]
    assert [percent_text(x) for x in (0.525, 0.056, 0.0996)] == ["52%", "5.6%", "10%"]
    assert [points_text(x) for x in (-0.4388, 0.025, 0.001)] == ["−44", "+2", "0"]


def test_priors_are_worded_for_a_prognostic_factor() -> None:
    assert prior_label("neutral_moderate") == "no effect, moderate (sceptical)"
    assert prior_label("optimistic_weak") == "effect of the stated size, weak"
    assert prior_label("optimistic_moderate", math.log(2)) == "effect of the stated size (HR 2.0), moderate"
    assert prior_label("optimistic_moderate", -math.log(2)) == "effect of the stated size (HR 0.5), moderate"
    assert prior_label("pessimistic_weak", math.log(1.25)) == "opposite effect (HR 1.25), weak"
    assert prior_label("neutral_moderate", 0.0) == "no effect, moderate (sceptical)"
    assert prior_label("pessimistic_strong") == "opposite effect, strong"
    assert prior_label("weakly_informative") == "weakly informative"


def test_survival_at_a_time_says_which(hostile_results: Results) -> None:
    row = dict.fromkeys(hostile_results.study.statistics.columns, "")
    row |= {"kind": "survival_percent", "value": "79", "time": "24", "lower": "70", "upper": "86", "interval": "ci95"}
    assert printed_text(row, time_unit="months") == "79% at 24 months (95% CI 70 to 86)"


def test_long_texts_fold_after_their_first_sentence_or_part() -> None:
    first = "The hazard ratio is 2.5 (95% CI 1.1 to 5.0) " + "in these patients " * 12
    assert parted(f"{first.strip()}. More follows.") == (f"{first.strip()}.", "More follows.")
    assert parted(f"{first.strip()}; then this") == (f"{first.strip()};", "then this")
    listed = "; ".join(["thirty characters of one part"] * 20)
    head, rest = parted(listed)
    assert (head + " " + rest, head.count(";")) == (listed, 7), "seven parts of 31 characters each fit into 220"
    assert parted("Short. Two sentences.") == ("Short. Two sentences.", "")
    assert parted(first) == (first, "")
