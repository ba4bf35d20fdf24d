"""What must not matter to a survival posterior: row order, repeated rows, the coding of covariates, the unit of time.

All on the log posterior density that the numpy formulas give, so nothing is sampled. Where a change of
coding or unit changes the parameters, the prior is transformed with them.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from ixa_bayes.cohort.table import read_cohort
from ixa_bayes.inference.survival.parameters import log_prior, parameters_of, pointwise_log_likelihood
from ixa_bayes.inference.survival.prior import prior_of_program
from ixa_bayes.inference.survival.question import SurvivalQuestion, question_of
from ixa_bayes.models.design_matrix import design_of
from ixa_bayes.models.missing import patterns_of
from ixa_bayes.models.survival_analysis import SurvivalAnalysis
from ixa_bayes.models.survival_rows import survival_rows

FloatArray = np.ndarray

CUTS = (3.0, 8.0, 20.0)
LAWS = ("weibull", "piecewise", "walk", "changing")
"""``changing``: piecewise, and the marker's effect changes over time."""
EXAMPLES = settings(max_examples=20)
laws = st.sampled_from(LAWS)
seeds = st.integers(0, 2**32 - 1)


def _baseline(law: str, *, scale: float = 1.0) -> dict[str, Any]:
    """Baselines whose level is a median; ``scale`` is that of a change of the unit of time."""
    median = {"median": {"months": 12.0 * scale, "log_sd": 0.8, "source": "test"}}
    if law == "weibull":
        return {"law": "weibull", "shape": {"median": 1.2, "log_sd": 0.4, "source": "test"}} | median
    steps = {"scale": 0.6 / np.sqrt(scale), "source": "test"}
    walk = {"walk": {"walk": steps}, "changing": {"marker_walk": steps}}.get(law, {})
    return {"law": "piecewise_exponential", "cuts": [cut * scale for cut in CUTS]} | median | walk


def _normal(mean: float, sd: float) -> dict[str, Any]:
    return {"kind": "normal", "mean": mean, "sd": sd, "source": "test"}


MARKER = {"prior": _normal(0.4, 0.7)}
AGE = {
    "per": 10.0,
    "centre": 60.0,
    "prior": {"kind": "student_t", "location": 0.1, "scale": 0.3, "df": 4, "source": "test"},
}


def _question(
    table: pd.DataFrame, baseline: dict[str, Any], *, marker: dict[str, Any] = MARKER, age: dict[str, Any] = AGE
) -> SurvivalQuestion:
    if "marker_walk" in baseline:
        marker = marker | {"walk": baseline["marker_walk"]}
        baseline = {key: value for key, value in baseline.items() if key != "marker_walk"}
    content = {"kind": "survival", "name": "m", "title": "t", "endpoint": "os", "baseline": baseline}
    analysis = SurvivalAnalysis.model_validate(content | {"covariates": {"marker": marker, "age": age}})
    return question_of(analysis, read_cohort(table))


def _one_by_one(question: SurvivalQuestion) -> SurvivalQuestion:
    """The same without counting equal rows as one."""
    design = design_of(question.cohort, question.analysis)
    rows = survival_rows(question.cohort.follow_up[question.analysis.endpoint], design.rows)
    return replace(question, design=design, rows=rows, patterns=patterns_of(design))


def _parameters(question: SurvivalQuestion, seed: int) -> xr.Dataset:
    """Three points of the parameter space, under the names of the compiled program."""
    return prior_of_program(question, 3, np.random.default_rng(seed))


def _likelihood(question: SurvivalQuestion, draws: xr.Dataset) -> FloatArray:
    terms = pointwise_log_likelihood(parameters_of(draws, question), question)
    return np.asarray((terms * xr.DataArray(question.rows.weight, dims="row")).sum("row").isel(chain=0))


def _prior(question: SurvivalQuestion, draws: xr.Dataset) -> FloatArray:
    density = log_prior(parameters_of(draws, question), question)
    parts = [values.isel(chain=0).to_numpy().reshape(3, -1).sum(axis=1) for values in density.values()]
    return np.asarray(np.sum(parts, axis=0))


def _posterior(question: SurvivalQuestion, draws: xr.Dataset) -> FloatArray:
    return np.asarray(_likelihood(question, draws) + _prior(question, draws))


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    """Exact and censored times, events between visits and late entries, many of them tied or on a cut-point."""
    size = draw(st.integers(2, 9))

    def column(of: st.SearchStrategy[Any]) -> np.ndarray:
        return np.array(draw(st.lists(of, min_size=size, max_size=size)))

    entry = column(st.sampled_from([0.0, 0.0, 1.5, 3.0]))
    end = entry + column(st.integers(1, 50)) / 2
    event = column(st.integers(0, 1))
    between = (column(st.integers(0, 2)) == 0) & (event == 1)
    return pd.DataFrame(
        {
            "patient": np.arange(size).astype(str),
            "os_entry": entry,
            "os_time": end,
            "os_time_lower": np.where(between, np.maximum(end - column(st.integers(1, 4)), entry), end),
            "os_event": event,
            "weight": column(st.integers(1, 4)),
            # Two values of each: a covariate that all patients share has no place in a model.
            "marker": np.append(column(st.integers(0, 1))[2:], [0, 1]),
            "age": np.append(column(st.integers(40, 90))[2:], [55, 71]),
        }
    )


@EXAMPLES
@given(laws, tables(), seeds)
def test_the_order_of_rows_does_not_matter(law: str, table: pd.DataFrame, seed: int) -> None:
    question = _question(table, _baseline(law))
    shuffled = _question(table.sample(frac=1, random_state=seed), _baseline(law))
    draws = _parameters(question, seed)
    np.testing.assert_allclose(_posterior(shuffled, draws), _posterior(question, draws), rtol=1e-10)


@EXAMPLES
@given(laws, tables(), seeds)
def test_equal_rows_may_be_repeated_weighted_or_counted(law: str, table: pd.DataFrame, seed: int) -> None:
    repeated = table.loc[table.index.repeat(table["weight"])].reset_index(drop=True)
    repeated = repeated.assign(patient=repeated.index.astype(str), weight=1)
    weighted, each = _question(table, _baseline(law)), _question(repeated, _baseline(law))
    draws = _parameters(weighted, seed)
    apart = _one_by_one(each)
    assert apart.rows.event.size == weighted.rows.n
    for other in (each, apart, _one_by_one(weighted)):
        np.testing.assert_allclose(_posterior(other, draws), _posterior(weighted, draws), rtol=1e-10)


@EXAMPLES
@given(laws, tables(), seeds, st.floats(0, 1))
def test_which_value_of_a_binary_covariate_is_called_one_does_not_matter(
    law: str, table: pd.DataFrame, seed: int, centre: float
) -> None:
    """With the reference profile kept where it is, the coefficient and the mean of its prior change their signs."""
    question = _question(table, _baseline(law), marker=MARKER | {"centre": centre})
    flipped = _question(
        table.assign(marker=1 - table["marker"]),
        _baseline(law),
        marker={"prior": _normal(-0.4, 0.7), "centre": 1 - centre},
    )
    draws = _parameters(question, seed)
    written = draws.assign({name: -draws[name] for name in ("normal", "change_z") if name in draws})
    np.testing.assert_allclose(_posterior(flipped, written), _posterior(question, draws), rtol=1e-9)


@EXAMPLES
@given(laws, tables(), seeds, st.floats(0.1, 50))
def test_the_step_of_a_continuous_covariate_does_not_matter(
    law: str, table: pd.DataFrame, seed: int, per: float
) -> None:
    """The coefficient and its prior scale with the step; the density changes by the constant of the substitution."""
    question = _question(table, _baseline(law))
    ratio = per / 10
    prior = {"kind": "student_t", "location": 0.1 * ratio, "scale": 0.3 * ratio, "df": 4, "source": "test"}
    other = _question(table, _baseline(law), age={"per": per, "centre": 60.0, "prior": prior})
    draws = _parameters(question, seed)
    found = _posterior(other, draws.assign(student_t=draws["student_t"] * ratio))
    np.testing.assert_allclose(found + np.log(ratio), _posterior(question, draws), rtol=1e-9)


@EXAMPLES
@given(laws, tables(), seeds, st.floats(30, 90))
def test_moving_the_reference_profile_moves_the_baseline(
    law: str, table: pd.DataFrame, seed: int, centre: float
) -> None:
    """The same hazards, written from another reference: the level takes up what the centre gives."""
    question = _question(table, _baseline(law))
    moved = _question(table, _baseline(law), age=AGE | {"centre": centre})
    draws = _parameters(question, seed)
    added = draws["student_t"].isel(student_t_dim_0=0) * (centre - 60) / 10
    if law == "weibull":  # a hazard higher by a factor shortens the median by that factor to the power 1 / shape
        written = draws.assign(level=draws["level"] - added / np.exp(draws["log_shape"]))
    else:
        name = "level" if law == "walk" else "log_hazard"
        written = draws.assign({name: draws[name] + added})
    np.testing.assert_allclose(_likelihood(moved, written), _likelihood(question, draws), rtol=1e-9)


@EXAMPLES
@given(tables(), seeds, st.floats(0, 1))
def test_moving_the_reference_of_a_changing_effect_moves_each_intervals_hazard(
    table: pd.DataFrame, seed: int, centre: float
) -> None:
    question = _question(table, _baseline("changing"))
    moved = _question(table, _baseline("changing"), marker=MARKER | {"centre": centre})
    draws = _parameters(question, seed)
    over_time = parameters_of(draws, question)["log_hazard_ratio_over_time"].isel(changing=0, drop=True)
    added = draws["log_hazard"].copy(data=over_time.to_numpy() * centre)
    written = draws.assign(log_hazard=draws["log_hazard"] + added)
    np.testing.assert_allclose(_likelihood(moved, written), _likelihood(question, draws), rtol=1e-9)


@EXAMPLES
@given(laws, tables(), seeds, st.floats(0.05, 5))
def test_the_unit_of_time_does_not_matter(law: str, table: pd.DataFrame, seed: int, scale: float) -> None:
    """Times, cut-points and priors in another unit: the density changes by the units of its exact events alone."""
    question = _question(table, _baseline(law))
    times = ["os_entry", "os_time", "os_time_lower"]
    rescaled = _question(table.assign(**{name: table[name] * scale for name in times}), _baseline(law, scale=scale))
    draws = _parameters(question, seed)
    substitution = 0.0
    if law == "weibull":
        written = draws.assign(level=draws["level"] + np.log(scale))
    else:
        level, sd = {"walk": ("level", "walk_sd"), "changing": ("log_hazard", "change_sd")}.get(law, ("log_hazard", ""))
        written = draws.assign({level: draws[level] - np.log(scale)})
        if sd:
            written = written.assign({sd: draws[sd] / np.sqrt(scale)})
            substitution = -np.log(scale) / 2
    n_exact = int(question.rows.weight[question.rows.event].sum())
    found = _posterior(rescaled, written) + n_exact * np.log(scale) + substitution
    np.testing.assert_allclose(found, _posterior(question, draws), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("law", ["piecewise", "walk"])
@EXAMPLES
@given(table=tables(), seed=seeds)
def test_the_unit_of_the_prior_of_a_hazard_does_not_matter(law: str, table: pd.DataFrame, seed: int) -> None:
    found = []
    for unit, months in {"month": 1.0, "year": 12.0, "day": 1 / 30.4375}.items():
        rate = {"mean": -2.5 + np.log(months), "sd": 0.5, "unit": unit, "source": "test"}
        question = _question(table, _baseline(law) | {"median": None, "log_rate": rate})
        found.append(_posterior(question, _parameters(question, seed)))
    np.testing.assert_allclose(found[1:], [found[0]] * 2, rtol=1e-10)


@EXAMPLES
@given(tables(), seeds)
def test_the_unit_of_the_prior_of_a_weibull_rate_does_not_matter_to_the_likelihood(
    table: pd.DataFrame, seed: int
) -> None:
    """The cumulative hazard at one year is that at one month times 12 to the power of the shape."""
    by_unit = {
        unit: _question(
            table,
            _baseline("weibull")
            | {"median": None, "log_rate": {"mean": -2.5, "sd": 0.5, "unit": unit, "source": "test"}},
        )
        for unit in ("month", "year")
    }
    draws = _parameters(by_unit["month"], seed)
    yearly = draws.assign(level=draws["level"] + np.exp(draws["log_shape"]) * np.log(12))
    np.testing.assert_allclose(
        _likelihood(by_unit["year"], yearly), _likelihood(by_unit["month"], draws), rtol=1e-9, atol=1e-9
    )
