"""The compiled statistics are those of the libraries, on small cohorts of every kind: ties, rests on a half."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ixa_bayes.crosscheck.kaplan_meier import median_survival
from ixa_bayes.crosscheck.log_rank import log_rank as libraries_log_rank
from ixa_bayes.reconstruction.statistics import log_rank, median_with_limits

PATIENTS = st.lists(st.tuples(st.integers(1, 9), st.booleans(), st.integers(0, 2)), min_size=2, max_size=14)


@settings(max_examples=300, deadline=None)
@given(PATIENTS)
def test_median_and_limits_are_those_of_the_library(patients: list[tuple[int, bool, int]]) -> None:
    time, event, group = (np.array(column) for column in zip(*patients, strict=True))
    member = group < 2
    if not member.any():
        return
    found = median_with_limits(time, event, member)
    expected = median_survival(time[member], event[member], kind="log")
    for one, other in zip(found, (expected.estimate, expected.lower, expected.upper), strict=True):
        assert (math.isinf(one) and math.isnan(other)) or one == pytest.approx(other)


@settings(max_examples=300, deadline=None)
@given(PATIENTS)
def test_log_rank_is_that_of_the_library(patients: list[tuple[int, bool, int]]) -> None:
    time, event, group = (np.array(column) for column in zip(*patients, strict=True))
    kept = group < 2
    difference, variance = log_rank(time, event, group)
    if set(group[kept]) != {0, 1} or variance < 1e-12:
        return
    test = libraries_log_rank(time[kept], event[kept], group=group[kept])
    assert difference**2 / variance == pytest.approx(test.chi_square, rel=1e-9)
    assert difference == pytest.approx(float((test.groups["observed"] - test.groups["expected"])[1]), abs=1e-9)


def test_patients_without_follow_up_count_for_nothing() -> None:
    time, event, group = np.array([0, 2, 3, 5]), np.array([True, True, False, True]), np.array([1, 1, 0, 0])
    assert log_rank(time, event, group) == log_rank(time[1:], event[1:], group[1:])
    everybody = np.ones(4, bool)
    assert median_with_limits(time, event, everybody) == median_with_limits(time[1:], event[1:], everybody[1:])
