"""Every kind of printed statistic is worked out for the right patients, and its distance to print is 0 inside only."""

import numpy as np
import pytest

from ixa_bayes.crosscheck.kaplan_meier import median_survival
from ixa_bayes.crosscheck.log_rank import log_rank
from ixa_bayes.reconstruction.prints import (
    EVENTS,
    LOG_RANK,
    MEDIAN,
    MEDIAN_LOWER,
    MEDIAN_UPPER,
    OVERALL,
    PROGRESSION_FREE,
    Statistic,
    boxes,
    distance,
    value_of,
)

N = 60
RNG = np.random.default_rng(5)
STAGE, SITE = RNG.integers(0, 4, N), RNG.integers(0, 2, N)
COVARIATES = np.stack([STAGE, SITE], axis=1)
TIMES = np.stack([RNG.integers(1, 20, N), RNG.integers(1, 60, N)])
EVENT = RNG.random((2, N)) < 0.7
OF = {"factor": 0, "levels": (1, 3), "others": (0,), "within": 1, "within_levels": (1,)}
GROUP, OTHER = np.isin(STAGE, (1, 3)) & (SITE == 1), (STAGE == 0) & (SITE == 1)


def _value(kind: int, endpoint: int, **of: object) -> float:
    which, _ = boxes([Statistic(kind, endpoint, 0.0, 1.0, **of)])
    return value_of(which[0], COVARIATES, TIMES, EVENT)


@pytest.mark.parametrize("endpoint", [PROGRESSION_FREE, OVERALL])
def test_statistics_are_of_the_patients_that_they_name(endpoint: int) -> None:
    time, event = TIMES[endpoint], EVENT[endpoint]
    assert _value(EVENTS, endpoint, **OF) == event[GROUP].sum()
    assert _value(EVENTS, endpoint) == event.sum()
    expected = median_survival(time[GROUP], event[GROUP], kind="log")
    limits = {MEDIAN: expected.estimate, MEDIAN_LOWER: expected.lower, MEDIAN_UPPER: expected.upper}
    for kind, one in limits.items():
        assert _value(kind, endpoint, **OF) == pytest.approx(np.inf if np.isnan(one) else one)
    both = GROUP | OTHER
    test = log_rank(time[both], event[both], group=GROUP[both])
    assert _value(LOG_RANK, endpoint, **OF) == pytest.approx(np.sqrt(test.chi_square))


@pytest.mark.parametrize(
    ("kind", "value", "low", "high", "expected"),
    [
        (EVENTS, 46.0, 40, 42, 4.0),
        (EVENTS, 41.0, 40, 42, 0.0),
        (MEDIAN, np.inf, np.inf, np.inf, 0.0),
        (MEDIAN, 12.0, np.inf, np.inf, 1.0),
        (MEDIAN, np.inf, 7.0, 8.0, 1.0),
        (MEDIAN, 16.0, 7.0, 8.0, 0.05 + np.log(2)),
        (MEDIAN_LOWER, 3.5, 7.0, 8.0, 0.05 + np.log(2)),
        (MEDIAN_UPPER, 7.5, 7.0, 8.0, 0.0),
        (LOG_RANK, 1.0, 1.5, 1.6, 0.5),
        (LOG_RANK, np.nan, 0.0, 9.0, 10.0),
    ],
)
def test_distance_to_print(kind: int, value: float, low: float, high: float, expected: float) -> None:
    from ixa_bayes.reconstruction.prints import _outside

    assert _outside(kind, value, np.array([low, high], dtype=float)) == pytest.approx(expected)


def test_distances_add_up() -> None:
    n_events = int(EVENT[OVERALL].sum())
    which, box = boxes([Statistic(EVENTS, OVERALL, n_events + 2, n_events + 9), Statistic(EVENTS, OVERALL, 0, 1)])
    assert distance(which, box, COVARIATES, TIMES, EVENT) == pytest.approx(2 + n_events - 1)
