"""Curves and tests of one or more groups: hand-worked cases, closed forms, weights, faults."""

import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ixa_bayes.crosscheck.competing import cumulative_incidence
from ixa_bayes.crosscheck.curves import COLUMNS, INTERVAL_CENSORED, curve_table
from ixa_bayes.crosscheck.kaplan_meier import (
    IntervalKind,
    median_follow_up,
    median_survival,
    restricted_mean,
    survival_at,
    survival_curve,
)
from ixa_bayes.crosscheck.log_rank import log_rank
from ixa_bayes.crosscheck.observations import NotAvailableError, follow_up
from ixa_bayes.errors import InputError

TIME = np.array([2, 3, 3, 5, 8, 9, 12, 12], dtype=float)
EVENT = np.array([1, 1, 0, 1, 1, 0, 1, 0]) == 1
Z = 1.959963984540054


def test_kaplan_meier_of_the_hand_worked_case() -> None:
    curve = survival_curve(TIME, EVENT)
    steps = curve[curve["n_events"] > 0]
    np.testing.assert_allclose(steps["time"], [2, 3, 5, 8, 12])
    np.testing.assert_allclose(steps["survival"], [7 / 8, 6 / 8, 3 / 5, 9 / 20, 9 / 40], rtol=1e-12)
    assert list(steps["n_at_risk"]) == [8, 7, 5, 4, 2]
    assert list(curve["n_censored"]) == [0, 1, 0, 0, 1, 1]


def test_greenwood_and_both_scales_by_hand() -> None:
    """At 3 months: 1/(8 x 7) + 1/(7 x 6) of variance of log S, S = 3/4."""
    sigma, survival = math.sqrt(1 / 56 + 1 / 42), 0.75
    for kind, want in {
        "log": (survival * math.exp(-Z * sigma), 1.0),
        "log-log": tuple(survival ** math.exp(sign * Z * sigma / math.log(survival)) for sign in (-1, 1)),
    }.items():
        scale: IntervalKind = "log" if kind == "log" else "log-log"
        row = survival_at(TIME, EVENT, at=[3], kind=scale).iloc[0]
        assert row["standard_error"] == pytest.approx(survival * sigma, rel=1e-12)
        assert (row["lower"], row["upper"]) == pytest.approx(want, rel=1e-9)


def test_the_median_rests_in_the_middle_of_a_stretch_at_one_half() -> None:
    assert median_survival([1, 2, 3, 4], [True] * 4).estimate == 2.5
    assert median_survival([1, 2, 3, 4], [True, True, False, False]).estimate == 2
    assert median_survival([1, 2, 3], [True] * 3).estimate == 2
    assert math.isnan(median_survival([1, 2, 3], [True, False, False]).estimate)


def test_restricted_mean_is_the_area_under_the_hand_worked_curve() -> None:
    area = 2 + 7 / 8 + 2 * 6 / 8 + 3 * 3 / 5 + 2 * 9 / 20
    assert restricted_mean(TIME, EVENT, horizon=10).estimate == pytest.approx(area, rel=1e-12)


def test_without_censoring_the_restricted_mean_has_the_error_of_a_mean() -> None:
    found = restricted_mean([1, 2, 3, 6], [True] * 4, horizon=4)
    shortened = np.array([1, 2, 3, 4])
    assert found.estimate == pytest.approx(shortened.mean())
    assert found.standard_error == pytest.approx(shortened.std() / 2)
    assert found.upper - found.lower == pytest.approx(2 * Z * found.standard_error)


def test_a_horizon_after_the_last_follow_up_is_refused() -> None:
    with pytest.raises(NotAvailableError, match="before the horizon"):
        restricted_mean(TIME, EVENT, horizon=13)
    assert restricted_mean([1, 2], [True, True], horizon=13).estimate == pytest.approx(1.5)
    with pytest.raises(ValueError, match="horizon is 0"):
        restricted_mean(TIME, EVENT, horizon=0)


def test_reverse_kaplan_meier_takes_censoring_as_the_event() -> None:
    """Censorings at 3, 9 and 12 with 7, 3 and 2 at risk: 6/7, 4/7, 2/7."""
    found, flipped = median_follow_up(TIME, EVENT), median_survival(TIME, ~EVENT)
    assert found.estimate == 12
    assert (found.estimate, found.lower) == (flipped.estimate, flipped.lower)


def test_numbers_at_risk_before_between_and_after() -> None:
    rows = survival_at(TIME, EVENT, at=[0, 2, 2.5, 12, 13])
    assert list(rows["n_at_risk"]) == [8, 8, 7, 2, 0]
    np.testing.assert_allclose(rows["survival"], [1, 7 / 8, 7 / 8, 9 / 40, np.nan])
    late = survival_at(TIME, EVENT, at=[0, 1, 2], entry=[0, 1, 1, 0, 0, 0, 0, 0])
    assert list(late["n_at_risk"]) == [6, 6, 8]
    ended = survival_at([1, 2], [True, True], at=[5]).iloc[0]
    assert ended["survival"] == 0
    with pytest.raises(ValueError, match="times count from 0"):
        survival_at(TIME, EVENT, at=[-1])


def test_delayed_entry_takes_patients_into_the_risk_set_after_their_entry() -> None:
    """The last one enters at 3: not at risk of the event at 3 itself."""
    curve = survival_curve([2, 3, 5, 6], [True] * 4, entry=[0, 0, 0, 3])
    assert list(curve["n_at_risk"]) == [3, 2, 2, 1]
    np.testing.assert_allclose(curve["survival"], [2 / 3, 1 / 3, 1 / 6, 0], atol=1e-15)


def test_no_events_and_all_events() -> None:
    none = survival_curve([1, 2, 3], [False] * 3)
    np.testing.assert_allclose(none["survival"], 1)
    assert math.isnan(median_survival([1, 2, 3], [False] * 3).upper)
    assert survival_curve([1, 2, 3], [True] * 3)["survival"].iloc[-1] == 0


def test_rows_that_meet_an_event_are_at_risk_when_it_happens() -> None:
    """Events at 3 and 6: the first leaves before, the second enters at 3 and leaves before 6, the third enters at 3."""
    data = follow_up([2, 5, 7, 3, 6], [0, 0, 0, 1, 1], entry=[0, 3, 3, 0, 5])
    assert list(data.meets_an_event()) == [False, False, True, True, True]


def test_log_rank_by_hand() -> None:
    """Two groups, no ties: expectation and variance by the share at risk before each event."""
    time, event = np.arange(1.0, 7), np.array([1, 1, 0, 1, 1, 1]) == 1
    group = np.array(["a", "b", "a", "a", "b", "b"])
    shares = [(group[i:] == "a").mean() for i in np.flatnonzero(event)]
    excess = (event & (group == "a")).sum() - sum(shares)
    found = log_rank(time, event, group=group)
    assert found.chi_square == pytest.approx(excess**2 / sum(s * (1 - s) for s in shares))
    assert found.groups.loc["a", "expected"] == pytest.approx(sum(shares))
    assert found.degrees_of_freedom == 1
    assert found.p == pytest.approx(math.erfc(math.sqrt(found.chi_square / 2)))


def test_log_rank_leaves_out_a_group_that_no_event_meets() -> None:
    found = log_rank([1, 5, 6, 7, 8], [False, True, True, True, True], group=["early", "a", "b", "a", "b"])
    alone = log_rank([5, 6, 7, 8], [True] * 4, group=["a", "b", "a", "b"])
    assert found.degrees_of_freedom == 1
    assert found.chi_square == pytest.approx(alone.chi_square)
    assert found.groups.loc["early", "n"] == 1
    assert found.groups.loc["early", "expected"] == 0


def test_log_rank_says_when_it_cannot_be_computed() -> None:
    with pytest.raises(NotAvailableError, match="no events"):
        log_rank([1, 2], [False, False], group=[0, 1])
    with pytest.raises(NotAvailableError, match="fewer than two groups"):
        log_rank([1, 2], [True, True], group=[0, 0])
    with pytest.raises(NotAvailableError, match="no event happens while patients of two groups"):
        log_rank([1, 2, 4, 5], [True] * 4, group=[0, 0, 1, 1], entry=[0, 0, 3, 3])
    with pytest.raises(InputError, match="no label in rows"):
        log_rank([1, 2], [True, True], group=["a", None])
    with pytest.raises(InputError, match="3 rows"):
        log_rank([1, 2], [True, True], group=[1, 2, 3])


def test_cumulative_incidence_is_one_minus_kaplan_meier_for_one_cause() -> None:
    found = cumulative_incidence(TIME, EVENT.astype(int), causes=["death"])
    curve = survival_curve(TIME, EVENT)
    np.testing.assert_allclose(found["estimate"], 1 - curve["survival"], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(found["standard_error"], curve["standard_error"], rtol=1e-9)


def test_cumulative_incidence_without_censoring_is_a_share_of_patients() -> None:
    cause = np.array([1, 2, 1, 1, 2, 1, 2, 2])
    found = cumulative_incidence(TIME, cause, causes=["progression", "death"])
    for name, code in (("progression", 1), ("death", 2)):
        rows = found[found["cause"] == name]
        share = np.array([((t >= TIME) & (cause == code)).mean() for t in rows["time"]])
        np.testing.assert_allclose(rows["estimate"], share, atol=1e-15)
        np.testing.assert_allclose(rows["standard_error"], np.sqrt(share * (1 - share) / 8), atol=1e-12)


def test_cumulative_incidence_at_given_times() -> None:
    cause = np.array([1, 2, 0, 1, 2, 0, 1, 0])
    rows = cumulative_incidence(TIME, cause, causes=["progression", "death"], at=[0, 3, 14])
    assert list(rows["n_at_risk"]) == [8, 7, 0] * 2
    np.testing.assert_allclose(rows["estimate"], [0, 1 / 8, np.nan, 0, 1 / 8, np.nan])
    assert len(rows.index.unique()) == 6
    low, high = (1 / 8) ** np.exp(np.array([1, -1]) * Z * rows["standard_error"][1] / (1 / 8 * math.log(8)))
    assert (rows["lower"][1], rows["upper"][1]) == pytest.approx((low, high))


def test_cumulative_incidence_stays_known_after_everybody_had_an_event() -> None:
    rows = cumulative_incidence([1, 2, 4], [1, 0, 2], causes=["progression", "death"], at=[9])
    np.testing.assert_allclose(rows["estimate"], [1 / 3, 2 / 3])


def test_cumulative_incidence_counts_weights() -> None:
    cause, weight = np.array([1, 2, 0, 1, 2, 0, 1, 0]), np.array([1, 2, 3, 1, 1, 2, 1, 4])
    every = np.repeat(np.arange(8), weight)
    for at in (None, [0, 3, 10]):
        weighted = cumulative_incidence(TIME, cause, causes=["progression", "death"], weight=weight, at=at)
        single = cumulative_incidence(TIME[every], cause[every], causes=["progression", "death"], at=at)
        pd.testing.assert_frame_equal(weighted, single)


def test_cumulative_incidence_refuses_what_it_cannot_do() -> None:
    with pytest.raises(NotAvailableError, match="delayed entry"):
        cumulative_incidence(TIME, EVENT, causes=["death"], entry=TIME / 2)
    with pytest.raises(InputError, match="must be 0 to 1"):
        cumulative_incidence(TIME, EVENT * 2, causes=["death"])
    with pytest.raises(InputError, match="distinct names"):
        cumulative_incidence(TIME, EVENT, causes=["death", "death"])
    with pytest.raises(ValueError, match="times count from 0"):
        cumulative_incidence(TIME, EVENT, causes=["death"], at=[math.inf])


@st.composite
def cohorts(draw: st.DrawFn) -> pd.DataFrame:
    """Small cohorts with ties, delayed entry, weights and two groups."""
    n = draw(st.integers(2, 12))
    time = draw(st.lists(st.integers(1, 8), min_size=n, max_size=n))
    entry = [draw(st.sampled_from([0.0, t / 2])) for t in time]
    columns = {
        "time": [float(t) for t in time],
        "event": draw(st.lists(st.booleans(), min_size=n, max_size=n)),
        "entry": entry,
        "weight": draw(st.lists(st.integers(1, 3), min_size=n, max_size=n)),
        "group": draw(st.lists(st.sampled_from(["a", "b"]), min_size=n, max_size=n)),
    }
    return pd.DataFrame(columns)


@given(cohorts())
def test_row_order_is_irrelevant_and_weights_count_rows(cohort: pd.DataFrame) -> None:
    order = np.random.default_rng(7).permutation(len(cohort))
    every = cohort.loc[np.repeat(cohort.index, cohort["weight"])].assign(weight=1)
    want = survival_curve(cohort["time"], cohort["event"], entry=cohort["entry"], weight=cohort["weight"])
    for other in (cohort.iloc[order], every):
        got = survival_curve(other["time"], other["event"], entry=other["entry"], weight=other["weight"])
        pd.testing.assert_frame_equal(got, want)
    assert all(later <= sooner + 1e-12 for sooner, later in pairwise(want["survival"]))
    tests = [_log_rank(table) for table in (cohort, cohort.iloc[order], every)]
    np.testing.assert_allclose(tests[1], tests[0], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(tests[2], tests[0], rtol=1e-9, atol=1e-9)


def _log_rank(table: pd.DataFrame) -> NDArray[np.float64]:
    try:
        found = log_rank(
            table["time"], table["event"], group=table["group"], entry=table["entry"], weight=table["weight"]
        )
    except NotAvailableError:
        return np.full(3, np.nan)
    return np.array([found.chi_square, found.p, found.degrees_of_freedom])


def test_curve_table_has_every_group_on_both_scales() -> None:
    group = np.array(["new", "old"] * 4)
    between = np.arange(8) == 1
    table = curve_table(TIME, EVENT, at=[6, 20], group=group, horizon=9, interval_censored=between)
    assert list(table.columns) == list(COLUMNS)
    assert set(table["group"]) == {"new", "old"}
    assert len(table) == 2 * (2 * (2 + 1) + 2)
    old = table[table["group"] == "old"]
    assert old["note"].str.startswith(INTERVAL_CENSORED).all()
    assert not table[table["group"] == "new"]["note"].str.contains(INTERVAL_CENSORED).any()
    beyond = table[(table["quantity"] == "survival") & (table["time"] == 20) & table["estimate"].isna()]
    assert beyond["note"].str.contains("beyond the last follow-up").all()
    chosen = group == "new"
    median = median_survival(TIME[chosen], EVENT[chosen], kind="log")
    row = table[(table["group"] == "new") & (table["quantity"] == "median") & (table["interval"] == "log")].iloc[0]
    np.testing.assert_array_equal([row["estimate"], row["lower"]], [median.estimate, median.lower])
    means = table[table["quantity"] == "restricted_mean"]
    assert list(means["time"]) == [9, 9]
    assert means["estimate"].iloc[0] == restricted_mean(TIME[chosen], EVENT[chosen], horizon=9).estimate
    late = curve_table(TIME, EVENT, at=[6, 20])
    assert late[late["quantity"] == "restricted_mean"]["note"].str.startswith("not available").all()
    with pytest.raises(ValueError, match="at is empty"):
        curve_table(TIME, EVENT, at=[])
    with pytest.raises(ValueError, match="one value for each"):
        curve_table(TIME, EVENT, at=[1], group=["a"])


def test_every_fault_of_the_follow_up_is_listed_at_once() -> None:
    with pytest.raises(InputError) as caught:
        follow_up(
            [1, 0, -2, math.nan, 5, 5], [1, 0, 2, 1, 1, 0], entry=[0, 0, 0, 0, 5, -1], weight=[1, 1, 1, 1, 1.5, 0]
        )
    found = {problem.where for problem in caught.value.problems}
    assert {"row 2, time", "row 3, time", "row 4, time", "row 3, event"} <= found
    assert {"row 5, entry", "row 6, entry", "row 5, weight", "row 6, weight"} <= found
    assert "row 1, time" not in found
    with pytest.raises(InputError, match="one or more rows"):
        follow_up([], [])
    with pytest.raises(InputError, match="time has shape"):
        follow_up([1, 2], [True])
    with pytest.raises(ValueError, match=r"ci_prob is 1\.5"):
        restricted_mean(TIME, EVENT, horizon=5, ci_prob=1.5)
