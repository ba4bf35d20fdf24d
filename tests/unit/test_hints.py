"""What a message says that a cell should have been."""

import pytest

from ixa_bayes.study.hints import did_you_mean, how_to_part, how_to_write, shown


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
        ("p=0.012", "write 0.012 alone"),
        ("P = 0.012", "write 0.012 alone"),
        ("p-value < 0.001", "write <0.001 alone"),
        ("0.012*", "write 0.012 alone"),
        ("<0.001\u2020", "write <0.001 alone"),
        ("p = 0,012", "write 0.012, with a decimal point"),
        ("p = n.s.", "write n.s. alone"),
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
        ("HR", "write 'hazard_ratio'"),
        ("OR", ""),
        ("xyz", ""),
        ("", ""),
    ],
)
def test_the_closest_known_word_is_offered_only_where_it_is_close(word: str, hint: str) -> None:
    assert did_you_mean(word, ["", "female", "male", "hazard_ratio"]) == hint


def test_an_empty_cell_is_called_so() -> None:
    assert (shown(""), shown("x")) == ("an empty cell", "'x'")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("0.21-0.69", "0.21 into lower and 0.69 into upper"),
        ("0.21 \u2013 0.69", "0.21 into lower and 0.69 into upper"),
        ("(0.21 to 0.69)", "0.21 into lower and 0.69 into upper"),
        ("[0.21; 0.69]", "0.21 into lower and 0.69 into upper"),
        ("0.38 (0.21, 0.69)", "0.38 into value, 0.21 into lower and 0.69 into upper"),
        ("24 (40.0%)", "24 into count and 40.0 into value"),
        ("24/60", "24 into count and 60 into denominator"),
    ],
)
def test_several_numbers_in_one_cell_are_parted(text: str, told: str) -> None:
    assert how_to_part(text) == f"one number a cell: write {told}"


@pytest.mark.parametrize("text", ["33.0", "-3", "1,234", "not reached", "", "3-5-7"])
def test_one_number_is_not_parted(text: str) -> None:
    assert how_to_part(text) == ""
