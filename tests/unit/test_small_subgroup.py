"""The cohorts and the sums behind the table of small subgroups; the table itself is no test."""

from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(Path(__file__).parents[2])
    return import_module("benchmarks.small_subgroup")


def test_cohorts_have_the_index_study_s_sizes_and_nesting(small: ModuleType) -> None:
    cohorts = [small.cohort(np.log(2), np.random.default_rng(seed)) for seed in range(200)]
    for table in cohorts[:5]:
        assert {name: int(table[name].sum()) for name in small.N_WITH} == small.N_WITH
        assert (table["pi_refractory"] >= table["triple_class_refractory"]).all()
    assert np.mean([table["os_event"].sum() for table in cohorts]) == pytest.approx(43, abs=2)


def test_the_hazard_of_the_small_subgroup_is_the_true_multiple(small: ModuleType) -> None:
    """Events over the transformed time t^shape estimate the hazard ratio of an otherwise balanced group."""
    tables = pd.concat([small.cohort(np.log(4), np.random.default_rng(seed)) for seed in range(400)])
    others = sum(value * tables[name] for name, value in small.OTHERS.items())
    exposure = tables["os_time"] ** small.SHAPE * np.exp(others)
    marked = tables[small.SMALL] == 1
    rate = [tables.loc[rows, "os_event"].sum() / exposure[rows].sum() for rows in (marked, ~marked)]
    assert rate[0] / rate[1] == pytest.approx(4, rel=0.05)


def test_an_estimate_without_an_answer_counts_in_the_median_error_alone(small: ModuleType) -> None:
    estimates = pd.DataFrame(
        {
            "method": "Cox",
            "events": 40,
            "events_small": 5,
            "value": [1.0, 2.0, 0.0, -np.inf],
            "lower": [0.0, 1.5, -2.0, np.nan],
            "upper": [2.0, 2.5, 0.5, np.nan],
        }
    )
    (row,) = small.summarise(estimates, 1.0).to_dict("records")
    assert (row["cohorts"], row["no_answer"]) == (4, 1)
    assert row["bias"] == pytest.approx(0.0)
    assert row["rmse"] == pytest.approx(np.sqrt(2 / 3))
    assert row["coverage"] == pytest.approx(1 / 3)
    assert row["mean_width"] == pytest.approx((2 + 1 + 2.5) / 3)
    assert row["median_error"] == pytest.approx(1.0)
    assert row["true_hazard_ratio"] == pytest.approx(np.e)
