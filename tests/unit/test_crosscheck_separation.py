"""Separation found by linear programmes against a search over all directions, and the situations named in words."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ixa_bayes.crosscheck.observations import follow_up
from ixa_bayes.crosscheck.separation import Comparison, Limit, cox_comparisons, limits
from ixa_bayes.crosscheck.situations import SituationKind, named_situations

FloatArray = NDArray[np.float64]


def _by_search(design: FloatArray, comparisons: Sequence[Comparison]) -> list[Limit]:
    """Two coefficients: the edges of the cone are at right angles to differences, so that trying those is enough."""
    differences = np.concatenate([design[c.events][:, None] - design[c.at_risk][None, :] for c in comparisons], axis=1)
    flat = differences.reshape(-1, 2)
    flat = flat[np.any(flat != 0, axis=1)]
    edges = np.concatenate([flat @ [[0, 1], [-1, 0]], flat @ [[0, -1], [1, 0]]]).astype(float)
    edges /= np.linalg.norm(edges, axis=1, keepdims=True)
    inside = edges[np.all(edges @ flat.T >= -1e-9, axis=1)]
    found: list[Limit] = []
    for column in inside.T:
        up, down = bool(np.any(column > 1e-9)), bool(np.any(column < -1e-9))
        found.append("undetermined" if up and down else "infinity" if up else "-infinity" if down else "finite")
    return found


@st.composite
def small_cohorts(draw: st.DrawFn) -> tuple[FloatArray, pd.DataFrame]:
    n = draw(st.integers(3, 9))
    design = draw(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=n, max_size=n))
    time = draw(st.lists(st.integers(1, 5), min_size=n, max_size=n))
    late = draw(st.lists(st.booleans(), min_size=n, max_size=n))
    event = draw(st.lists(st.booleans(), min_size=n, max_size=n))
    assume(any(event))
    entry = [t / 2 if is_late else 0.0 for t, is_late in zip(time, late, strict=True)]
    return np.array(design, dtype=float), pd.DataFrame({"time": time, "event": event, "entry": entry}).astype(float)


@given(small_cohorts())
def test_cox_separation_is_that_of_a_search_over_directions(cohort: tuple[FloatArray, pd.DataFrame]) -> None:
    design, table = cohort
    data = follow_up(table["time"], table["event"], entry=table["entry"])
    comparisons = cox_comparisons(data)
    spread = np.concatenate([design[c.at_risk] - design[c.at_risk].mean(axis=0) for c in comparisons])
    assume(np.linalg.matrix_rank(spread) == 2)
    # Tied events enter a pair by pair comparison too, each being at risk with the other.
    assert limits(design, comparisons) == [_by_pairs(design, comparisons, column) for column in range(2)]


def _by_pairs(design: FloatArray, comparisons: list[Comparison], column: int) -> Limit:
    pairs = [
        Comparison(np.array([event]), np.array([other]))
        for c in comparisons
        for event in c.events.tolist()
        for other in c.at_risk.tolist()
    ]
    return _by_search(design, pairs)[column]


def test_a_coefficient_that_only_grows_has_one_direction() -> None:
    comparisons = [Comparison(np.array([0]), np.array([0, 1]))]
    falling = np.array([[0.0], [1.0]])
    assert limits(falling, comparisons) == ["-infinity"]
    assert limits(falling, comparisons, only_grows=[0]) == ["finite"]


def _kinds(time: Sequence[float], event: Sequence[object], **columns: Sequence[float]) -> list[SituationKind]:
    return [situation.kind for situation in named_situations(time, event, design=pd.DataFrame(columns))]


MANY = 60
TIMES = [float(1 + i % 17) for i in range(MANY)]
EVENTS = [i % 3 != 0 for i in range(MANY)]
X = [float(i % 4) for i in range(MANY)]


def test_nothing_is_said_of_an_ordinary_cohort() -> None:
    assert _kinds(TIMES, EVENTS, x=X) == []


def test_situations_of_events() -> None:
    assert _kinds(TIMES, [False] * MANY, x=X) == ["no_events"]
    assert "one_event" in _kinds(TIMES, [i == 7 for i in range(MANY)], x=X)
    assert _kinds(TIMES, [True] * MANY, x=X) == ["all_events"]
    few = [i in (3, 17, 29, 41, 50) for i in range(MANY)]
    (situation,) = named_situations(TIMES, few, design=pd.DataFrame({"x": X}))
    assert situation.kind == "few_events_per_covariate"
    assert "5 events for one covariate are fewer than 10" in situation.words
    two = named_situations(TIMES, few, design=pd.DataFrame({"x": X, "y": [float(i % 7) for i in range(MANY)]}))
    assert "5 events for 2 covariates are 2.5 each, fewer than 10" in two[0].words
    rng = np.random.default_rng(0)
    many = {f"x{j}": rng.normal(size=MANY).tolist() for j in range(6)}
    assert _kinds(TIMES, few, **many)[0] == "more_covariates_than_events"


def test_weights_count_as_events() -> None:
    few = [i in (3, 17, 29, 41, 50) for i in range(MANY)]
    weighted = named_situations(TIMES, few, design=pd.DataFrame({"x": X}), weight=[2] * MANY)
    assert weighted == ()


def test_situations_of_covariates() -> None:
    assert _kinds(TIMES, EVENTS, x=X, site=[0.3] * MANY) == ["constant_covariate"]
    assert _kinds(TIMES, EVENTS, x=X, mirror=[5 - 3 * x for x in X]) == ["duplicated_covariates"]
    one, two = [float(i % 2) for i in range(MANY)], [float(i % 5) for i in range(MANY)]
    both = [a - b for a, b in zip(one, two, strict=True)]
    (situation,) = named_situations(TIMES, EVENTS, design=pd.DataFrame({"one": one, "two": two, "sum": both, "x": X}))
    assert situation.kind == "dependent_covariates"
    assert set(situation.coefficients) == {"one", "two", "sum"}


def test_separation_is_told_in_words_and_by_name() -> None:
    spared = [float(i in (0, 9, 30, 33)) for i in range(MANY)]
    found = named_situations(TIMES, EVENTS, design=pd.DataFrame({"emd": spared, "x": X}))
    (situation,) = [one for one in found if one.kind == "separation"]
    assert situation.coefficients == ("emd",)
    assert "falls to 0: nobody with its higher value had the event" in situation.words
    order = named_situations(range(1, 41), [True] * 40, design=pd.DataFrame({"order": [-float(i) for i in range(40)]}))
    assert [one.kind for one in order] == ["all_events", "separation"]
    assert "grows without limit" in order[1].words


def test_a_curve_that_ends_early_for_late_entries_is_named() -> None:
    design = pd.DataFrame({"x": [0.0, 1, 0, 1, 1, 0]})
    found = named_situations([1, 1, 5, 6, 7, 8], [1, 1, 1, 0, 1, 0], design=design, entry=[0, 0, 2, 2, 2, 2])
    assert "curve_ends_early" in [situation.kind for situation in found]
    late = named_situations([1, 1, 5, 6, 7, 8], [1, 1, 1, 0, 1, 0], design=design, entry=[0, 0, 0.5, 2, 2, 2])
    assert "curve_ends_early" not in [situation.kind for situation in late]


def test_a_curve_that_ends_with_the_last_patient_is_not_early() -> None:
    design = pd.DataFrame({"x": [0.0, 1, 0, 1]})
    found = named_situations([1, 2, 3, 4], [1, 0, 1, 1], design=design, entry=[0, 0.5, 0.5, 0])
    assert "curve_ends_early" not in [situation.kind for situation in found]


def test_events_per_covariate_rest_on_the_stated_limit() -> None:
    ten = [i in range(10, 20) for i in range(MANY)]
    assert _kinds(TIMES, ten, x=X) == []
    assert math.isclose(sum(ten), 10)


def test_separation_sends_nobody_to_a_method_that_has_no_answer() -> None:
    """Firth's regression takes neither delayed entry nor weights."""
    time, event, group = np.arange(1.0, 9), np.array([1, 1, 1, 0, 0, 1, 0, 0]), np.array([0, 0, 0, 1, 1, 0, 1, 1])
    design = pd.DataFrame({"group": group.astype(float)})
    for more, told in (
        ({}, "read Firth's or the posterior."),
        ({"weight": np.full(8, 2)}, "read the posterior (Firth's knows no delayed entry and no weights)."),
        ({"entry": time / 4}, "read the posterior (Firth's knows no delayed entry and no weights)."),
    ):
        found = named_situations(time, event, design=design, **more)
        assert [one.words.endswith(told) for one in found if one.kind == "separation"] == [True]


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_separation_does_not_depend_on_the_unit_of_a_covariate(scale: float) -> None:
    design = pd.DataFrame({"emd": [scale * (i in (0, 9, 30, 33)) for i in range(MANY)], "x": X})
    kinds = [situation.kind for situation in named_situations(TIMES, EVENTS, design=design)]
    assert kinds == ["separation"]
