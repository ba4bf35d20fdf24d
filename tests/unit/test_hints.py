"""What a message says that a cell should have been."""

import pytest

from ixa_bayes.study.hints import did_you_mean, how_to_write, shown


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("63.6%", "write 63.6, without the percent sign: the kind says that it is a percentage"),
        ("63 %", "write 63, without the percent sign: the kind says that it is a percentage"),
        ("0,63", "write 0.63, with a decimal point"),
        ("-12,5", "write -12.5, with a decimal point"),
        ("0\u00b763", "write 0.63, with a decimal point"),
        ("1,234", "write 1234 if the comma separates thousands, 1.234 if it is a decimal comma"),
        ("12,345,678", "write 12345678, without thousands separators"),
        ("1 234", "write 1234, without thousands separators"),
        ("1\u2009234\u2009567", "write 1234567, without thousands separators"),
        ("1'234", "write 1234, without thousands separators"),
        (".05", "write 0.05"),
        ("<.001", "write <0.001"),
        ("< 0,05", "write <0.05, with a decimal point"),
        ("0,001", "write 0.001, with a decimal point"),
        ("33.0", ""),
        ("about 3", ""),
        ("", ""),
        ("1,23,456", ""),
    ],
)
def test_a_number_written_in_another_way_is_shown_as_it_is_to_be_written(text: str, hint: str) -> None:
    assert how_to_write(text) == hint


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("femal", "write 'female'"),
        ("Female", "write 'female'"),
        ("hazard ratio", "write 'hazard_ratio'"),
        ("hazard-ratios", "write 'hazard_ratio'"),
        ("xyz", ""),
        ("", ""),
    ],
)
def test_the_closest_known_word_is_offered_only_where_it_is_close(word: str, hint: str) -> None:
    assert did_you_mean(word, ["", "female", "male", "hazard_ratio"]) == hint


def test_an_empty_cell_is_called_so() -> None:
    assert (shown(""), shown("x")) == ("an empty cell", "'x'")
