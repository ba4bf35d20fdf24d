"""Where the intervals of a piecewise hazard end when events are only known to lie between two visits."""

from typing import Any

import numpy as np
import pytest

from ixa_bayes.cohort.table import read_cohort
from ixa_bayes.inference.survival.question import question_of
from ixa_bayes.models.analysis import analysis_from, read_model
from ixa_bayes.models.piecewise import cut_points
from ixa_bayes.models.survival_analysis import PiecewiseBaseline, SurvivalAnalysis
from ixa_bayes.models.survival_rows import SurvivalRows

LEVEL = {"median": {"months": 11.0, "log_sd": 0.6, "source": "test"}}
EVERY = 3.0
"""Months between visits."""


def _baseline(**how: Any) -> PiecewiseBaseline:
    return PiecewiseBaseline(law="piecewise_exponential", **LEVEL, **how)


def _rows(lower: list[float], upper: list[float], weight: list[int] | None = None) -> SurvivalRows:
    """Events in (lower, upper], exact where the two are equal; nobody is censored."""
    start, stop = np.array(lower), np.array(upper)
    exact = start == stop
    count = np.array(weight or np.ones(stop.size, dtype=int))
    return SurvivalRows(np.zeros(stop.size), start, stop, exact, ~exact, count)


def test_an_event_between_two_visits_counts_at_the_later_one() -> None:
    rows = _rows([0.0, 3.0, 3.0, 6.0], [3.0, 6.0, 6.0, 9.0])
    assert cut_points(_baseline(n_intervals=4), rows) == (3.0, 6.0)
    assert cut_points(_baseline(event_quantiles=(0.5,)), rows) == (6.0,)
    weighted = _rows([0.0, 3.0, 6.0], [3.0, 6.0, 9.0], weight=[1, 8, 1])
    assert cut_points(_baseline(event_quantiles=(0.25,)), weighted) == (6.0,)


def test_a_wide_interval_counts_at_its_end_however_early_it_begins() -> None:
    """Of exact events at 1, 2, 3 and one anywhere in (0, 24], three quarters have happened by 3 for certain."""
    rows = _rows([1.0, 2.0, 3.0, 0.0], [1.0, 2.0, 3.0, 24.0])
    assert cut_points(_baseline(event_quantiles=(0.25, 0.5, 0.75)), rows) == (1.0, 2.0, 3.0)
    assert cut_points(_baseline(event_quantiles=(0.9,)), rows) == ()  # nothing happens after the last event


@pytest.mark.parametrize("n", range(2, 9))
def test_common_visits_are_never_cut_through(n: int) -> None:
    """Both ends of an event's interval lie in one piece: its likelihood needs the hazard of that piece alone."""
    rng = np.random.default_rng(n)
    upper = EVERY * np.ceil(rng.exponential(4, 60))
    cuts = cut_points(_baseline(n_intervals=n), _rows((upper - EVERY).tolist(), upper.tolist()))
    assert set(cuts) <= set(upper)
    for cut in cuts:
        assert not np.any((upper - EVERY < cut) & (cut < upper))


def test_the_example_has_its_cut_points_at_visits() -> None:
    analysis = analysis_from(read_model("pfs_piecewise"), SurvivalAnalysis)
    question = question_of(analysis, read_cohort("example_cohort"))
    rows = question.rows
    assert len(question.cuts) == 5
    for cut in question.cuts:
        assert cut in rows.upper[rows.between]
        assert not np.any(rows.between & (rows.end < cut) & (cut < rows.upper))
