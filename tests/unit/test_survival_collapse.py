"""Equal rows as one, and patterns of exact rows as one: the same likelihood, draw by draw."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ixa_bayes.cohort.table import read_cohort
from ixa_bayes.inference.survival.parameters import pointwise_log_likelihood
from ixa_bayes.inference.survival.prior import prior_draws
from ixa_bayes.inference.survival.question import SurvivalQuestion, question_of
from ixa_bayes.models import weibull
from ixa_bayes.models.piecewise import piecewise_model
from ixa_bayes.models.survival_analysis import SurvivalAnalysis
from ixa_bayes.models.weibull import weibull_model

PRIOR = {"kind": "normal", "mean": 0.0, "sd": 0.5, "source": "test"}
LEVEL = {"median": {"months": 12.0, "log_sd": 0.5, "source": "test"}}
BASELINES: dict[str, dict[str, Any]] = {
    "weibull": {"law": "weibull", "shape": {"log_sd": 0.3, "source": "test"}} | LEVEL,
    "piecewise": {"law": "piecewise_exponential", "cuts": [3.0, 8.0]} | LEVEL,
}


def _table(n: int = 60) -> pd.DataFrame:
    """Whole months and two binary covariates: many rows are equal."""
    rng = np.random.default_rng(11)
    time = rng.integers(1, 12, n)
    return pd.DataFrame(
        {
            "patient": range(n),
            "os_time": time.astype(float),
            "os_event": rng.integers(0, 2, n),
            "os_entry": np.where(rng.random(n) < 0.2, 0.5, 0.0),
            "weight": rng.integers(1, 3, n),
            "a": rng.integers(0, 2, n),
            "b": rng.integers(0, 2, n),
        }
    )


def _question(law: str, table: pd.DataFrame) -> SurvivalQuestion:
    content = {"kind": "survival", "name": "m", "title": "t", "endpoint": "os", "baseline": BASELINES[law]}
    covariates = {"a": {"prior": PRIOR}, "b": {"prior": PRIOR}}
    return question_of(SurvivalAnalysis.model_validate(content | {"covariates": covariates}), read_cohort(table))


@pytest.mark.parametrize("law", BASELINES)
def test_equal_rows_are_counted_and_every_patient_is_still_known(law: str) -> None:
    table = _table()
    question = _question(law, table)
    assert question.rows.event.size < len(table)
    assert question.rows.n == table["weight"].sum()
    assert question.rows.n_events == table.loc[table["os_event"] == 1, "weight"].sum()
    np.testing.assert_array_equal(question.rows.end[question.member], table["os_time"])
    np.testing.assert_array_equal(question.design.matrix["b"].to_numpy()[question.member], table["b"])


def _log_likelihood(question: SurvivalQuestion, point: dict[str, Any]) -> float:
    model: Any = (weibull_model if question.structure.law == "weibull" else piecewise_model)(question.structure)
    for name, value in question.data().items():
        model[name].set_value(np.asarray(value, dtype=float))
    return float(model.compile_logp(vars=model.observed_RVs, mode="FAST_COMPILE")(point))


POINTS: dict[str, dict[str, Any]] = {
    "weibull": {"log_shape": 0.3, "level": 2.2, "normal": np.array([0.5, -0.8])},
    "piecewise": {"log_hazard": np.array([-2.5, -2.0, -1.2]), "normal": np.array([0.5, -0.8])},
}


@pytest.mark.parametrize("law", BASELINES)
def test_the_compiled_likelihood_of_counted_rows_adds_up_over_patients(law: str) -> None:
    table = _table().iloc[:8]
    alone = [_log_likelihood(_question(law, table.iloc[[i]].assign(weight=1)), POINTS[law]) for i in range(8)]
    together = _log_likelihood(_question(law, table), POINTS[law])
    assert together == pytest.approx(float(table["weight"] @ alone), rel=1e-10)


@pytest.mark.parametrize("law", BASELINES)
def test_the_compiled_likelihood_is_the_weighted_sum_over_rows(law: str) -> None:
    question = _question(law, _table())
    draws = prior_draws(question, 3, np.random.default_rng(2))
    pointwise = pointwise_log_likelihood(draws, question)
    for draw in range(3):
        one = draws.isel(chain=0, draw=draw)
        point: dict[str, Any] = {"normal": one["log_hazard_ratio"].to_numpy()}
        if law == "weibull":
            point |= {"log_shape": float(one["log_shape"]), "level": float(one["log_median"])}
        else:
            point["log_hazard"] = one["log_hazard"].to_numpy()
        total = float(pointwise[0, draw].to_numpy() @ question.rows.weight)
        assert _log_likelihood(question, point) == pytest.approx(total, rel=1e-10)


def test_a_million_patients_are_as_many_rows_as_patterns_for_the_piecewise_model() -> None:
    question = _question("piecewise", _table())
    many = replace(question, rows=replace(question.rows, weight=question.rows.weight * 20_000))
    data = many.data()
    assert np.shape(data["exposure"]) == (4, 3)
    assert float(np.sum(data["event"])) == question.rows.n_events * 20_000


def test_a_table_of_patterns_by_times_is_the_same_likelihood(monkeypatch: pytest.MonkeyPatch) -> None:
    by_row = _question("weibull", _table())
    monkeypatch.setattr(weibull, "SMALLEST_TABLED", 10)
    tabled = _question("weibull", _table())
    assert tabled.structure.tabled
    assert not by_row.structure.tabled
    assert np.shape(tabled.data()["leaving"])[0] == 4
    for log_shape in (-0.5, 0.3, 0.8):
        point = POINTS["weibull"] | {"log_shape": log_shape}
        assert _log_likelihood(tabled, point) == pytest.approx(_log_likelihood(by_row, point), rel=1e-10)


def test_few_patients_and_many_times_are_not_tabled() -> None:
    rng = np.random.default_rng(1)
    rows = pd.DataFrame({"patient": range(3000), "os_time": rng.exponential(10, 3000) + 0.1, "os_event": 1})
    measured = rows.assign(a=rng.normal(size=3000), b=rng.integers(0, 2, 3000))
    assert not _question("weibull", measured).structure.tabled
    in_days = pd.concat([rows] * 3).assign(patient=range(9000), os_time=rng.integers(1, 2000, 9000) / 30.4375)
    assert _question("weibull", in_days.assign(a=rng.integers(0, 2, 9000), b=0)).structure.tabled
