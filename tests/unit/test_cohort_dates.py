"""Follow-up from dates: start, event, last contact and data cut-off, to months of 30.4375 days."""

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ixa_bayes.cohort.table import read_cohort
from ixa_bayes.errors import InputError, Problem

BY_DATES = {"start_date": "start", "event_date": "died", "last_contact_date": "seen"}
ROWS = {
    "patient": ["A", "B", "C"],
    "start": ["2020-01-01", "2020-02-29", "2021-06-15"],
    "died": ["2020-12-31", "", ""],
    "seen": ["2020-12-01", "2021-02-28", "2021-06-16"],
}


def table(**changes: list[str]) -> pd.DataFrame:
    return pd.DataFrame({**ROWS, **changes})


def described(**keys: Any) -> dict[str, Any]:
    return {"endpoints": {"os": {**BY_DATES, **keys}}}


def faults(rows: pd.DataFrame, description: dict[str, Any]) -> list[Problem]:
    with pytest.raises(InputError) as caught:
        read_cohort(rows, description=description)
    return list(caught.value.problems)


def days_and_events(rows: pd.DataFrame, description: dict[str, Any]) -> tuple[list[float], list[bool]]:
    data = read_cohort(rows, description=description).follow_up["os"]
    return (data["time"].to_numpy() * 30.4375).round(9).tolist(), data["event"].to_numpy().tolist()


def test_the_event_or_the_last_contact_ends_follow_up() -> None:
    assert days_and_events(table(), described()) == ([365, 365, 1], [True, False, False])
    assert read_cohort(table(), description=described()).follow_up["os"]["time"][0] == 365 / 30.4375


def test_what_comes_after_the_cut_off_is_not_counted() -> None:
    before = described(cut_off_date=dt.date(2020, 12, 31))
    sound = table(start=["2020-01-01", "2020-02-29", "2020-06-15"], died=["2020-12-31", "2021-01-01", ""])
    assert days_and_events(sound, before) == ([365, 306, 199], [True, False, False])
    assert read_cohort(sound, description=before).follow_up["os"].attrs["n_after_cut_off"] == 1
    assert days_and_events(sound, described(cut_off_date="2020-12-31")) == days_and_events(sound, before)


def test_who_died_after_the_cut_off_lived_until_then_whenever_last_seen() -> None:
    rows = table(died=["2020-12-31", "2021-01-01", ""], seen=["", "2020-04-01", "2021-06-16"])
    description = described(cut_off_date="2020-12-31")
    got = days_and_events(rows.iloc[:2], description)
    assert got == ([365, 306], [True, False])


def test_nobody_starts_after_the_cut_off() -> None:
    problems = faults(table(), described(cut_off_date="2021-06-15"))
    assert [problem.where for problem in problems] == ["table, row 3, column 'start'"]
    assert problems[0].rule == "a patient starts before the data cut-off"


def test_the_cut_off_alone_ends_follow_up_where_everyone_is_followed_until_then() -> None:
    keys = {"start_date": "start", "event_date": "died", "cut_off_date": "2021-12-31"}
    assert days_and_events(table(), {"endpoints": {"os": keys}}) == ([365, 671, 199], [True, False, False])


def test_the_cut_off_may_be_a_column() -> None:
    rows = table(closed=["2020-06-30", "2021-12-31", "2021-12-31"])
    assert days_and_events(rows, described(cut_off_date="closed")) == ([181, 365, 1], [False, False, False])
    [problem] = faults(table(closed=["2020-06-30", "", "2021-12-31"]), described(cut_off_date="closed"))
    assert problem.where == "table, row 2, column 'closed'"


def test_the_earliest_of_several_events_counts() -> None:
    rows = table(progressed=["2020-03-01", "2020-03-30", ""])
    assert days_and_events(rows, described(event_date=["progressed", "died"])) == ([60, 30, 1], [True, True, False])


def test_the_column_of_the_earliest_event_is_to_blame() -> None:
    rows = table(progressed=["", "2020-01-01", ""])
    [problem] = faults(rows, described(event_date=["died", "progressed"]))
    assert problem.where == "table, row 2, column 'progressed'"


def test_entry_and_lower_bound_by_dates() -> None:
    rows = table(registered=["2020-02-01", "2020-02-29", "2021-06-15"], visit=["2020-11-30", "", ""])
    data = read_cohort(rows, description=described(entry_date="registered", lower_date="visit")).follow_up["os"]
    np.testing.assert_allclose(data["entry"] * 30.4375, [31, 0, 0], rtol=1e-14)
    np.testing.assert_allclose(data["time_lower"] * 30.4375, [334, 365, 1], rtol=1e-14)


@pytest.mark.parametrize(
    ("changes", "place", "rule"),
    [
        ({"died": ["2019-12-31", "", ""]}, "row 1, column 'died'", "lies before its start"),
        ({"died": ["2020-01-01", "", ""]}, "row 1, column 'died'", "must be above 0"),
        ({"seen": ["", "2020-02-28", "2021-06-16"]}, "row 2, column 'seen'", "lies before its start"),
        ({"seen": ["", "", "2021-06-16"]}, "row 2, column 'seen'", "last seen on some day"),
        ({"start": ["2020-01-01", "", "2021-06-15"]}, "row 2, column 'start'", "every patient has a start"),
        (
            {"died": ["2020-02-30", "", ""], "seen": ["", "2021-02-28", "2021-06-16"]},
            "row 1, column 'died'",
            "must be a date written as",
        ),
        ({"died": ["2020-02-30", "", ""]}, "row 1, column 'died'", "must be a date written as %Y-%m-%d"),
    ],
)
def test_dates_that_cannot_be(changes: dict[str, list[str]], place: str, rule: str) -> None:
    [problem] = faults(table(**changes), described())
    assert problem.where == f"table, {place}"
    assert rule in problem.rule


def test_an_entry_before_the_start() -> None:
    rows = table(registered=["2019-12-31", "2020-02-29", "2021-06-15"])
    [problem] = faults(rows, described(entry_date="registered"))
    assert problem.where == "table, row 1, column 'registered'"


@pytest.mark.parametrize(
    ("cell", "hints"),
    [
        ("31.12.2024", ["%d.%m.%Y"]),
        ("31.12.24", ["%d.%m.%y"]),
        ("03/04/2024", ["%d/%m/%Y", "%m/%d/%Y"]),
        ("20241231", ["%Y%m%d"]),
        ("someday", ["date_format"]),
    ],
)
def test_a_date_format_is_declared_and_never_guessed(cell: str, hints: list[str]) -> None:
    [problem] = faults(table(seen=["", cell, "2021-06-16"]), described())
    assert problem.found == repr(cell)
    assert all(hint in problem.mend for hint in hints)


def test_one_bad_date_among_good_ones_is_no_reason_for_another_format() -> None:
    first, *others = ROWS["start"]
    assert len(others) == 2, "two of three are right"
    for cell in ("2021-02-31", "31.12.2020"):
        [problem] = faults(table(start=[cell, *others]), described())
        assert problem.found == repr(cell)
        assert problem.mend == "no such day, or not written as %Y-%m-%d: correct the date", first


def test_a_date_that_several_endpoints_need_is_told_once() -> None:
    endpoints = dict.fromkeys(("pfs", "os"), BY_DATES)
    problems = faults(table(start=["2020-02-30", "2020-02-29", "2021-06-17"]), {"endpoints": endpoints})
    assert [problem.where for problem in problems] == [
        "table, row 1, column 'start' (endpoints pfs, os)",
        "table, row 3, column 'seen' (endpoints pfs, os)",
    ]
    [problem] = faults(table(), {"endpoints": endpoints | {"os": {**BY_DATES, "cut_off_date": "2021-06-15"}}})
    assert problem.where == "table, row 3, column 'start'"


def test_other_cells_tell_which_format_is_meant() -> None:
    size = 6
    rows = {
        "patient": [f"P{i}" for i in range(size)],
        "start": ["2020-01-01"] * size,
        "died": ["03/04/2024", "12/31/2024", "", "1/2/2023", "5/6/2022", "11/30/2023"],
        "seen": ["2020-01-02"] * size,
    }
    [problem] = faults(pd.DataFrame(rows), described())
    assert problem.found == "'03/04/2024' (and so all 5 cells, rows 1, 2, 4, 5, 6)"
    assert problem.mend.startswith("pass description={'date_format': '%m/%d/%Y'} if dates")


def test_declared_formats_are_read() -> None:
    german = {key: [f"{d[8:]}.{d[5:7]}.{d[:4]}" if d else "" for d in ROWS[key]] for key in ("start", "died", "seen")}
    description = described() | {"date_format": "%d.%m.%Y"}
    assert days_and_events(table(**german), description) == days_and_events(table(), described())


def test_typed_dates_need_no_format() -> None:
    typed = table().assign(**{key: pd.to_datetime(pd.Series(ROWS[key]), errors="coerce") for key in BY_DATES.values()})
    assert days_and_events(typed, described()) == days_and_events(table(), described())
    zoned = typed.assign(start=(typed["start"] + pd.Timedelta(hours=13)).dt.tz_localize("Europe/Berlin"))
    assert days_and_events(zoned, described()) == days_and_events(table(), described())


def test_a_slip_of_a_century_is_told() -> None:
    [problem] = faults(table(died=["2220-12-31", "", ""]), described())
    assert "up to 201 years" in problem.found
