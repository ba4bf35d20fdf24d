"""Odd cohorts: a fit says what it can and names what is odd, without a warning; bad input is refused, and why."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ixa_bayes.cohort.table import read_cohort
from ixa_bayes.crosscheck import separation
from ixa_bayes.errors import InputError
from ixa_bayes.inference.survival import fitting
from ixa_bayes.inference.survival import question as question_module
from ixa_bayes.inference.survival.estimands import standardised
from ixa_bayes.inference.survival.fitting import fit_survival
from ixa_bayes.inference.survival.prior import prior_as_fit
from ixa_bayes.inference.survival.question import question_of
from ixa_bayes.inference.survival.tables import estimand_table
from ixa_bayes.models.survival_analysis import SurvivalAnalysis
from ixa_bayes.report.fit.results import crosscheck_of, curves_of, diagnostics_of, situations_of

compiles = pytest.mark.compiles

N = 40
SD = 1.0
PRIOR = {"kind": "normal", "mean": 0.0, "sd": SD, "source": "test"}
LEVEL = {"median": {"months": 12.0, "log_sd": 1.0, "source": "test"}}
WEIBULL = {"law": "weibull", "shape": {"log_sd": 0.5, "source": "test"}} | LEVEL


def _analysis(baseline: dict[str, Any] = WEIBULL) -> SurvivalAnalysis:
    content = {"kind": "survival", "name": "m", "title": "t", "endpoint": "os", "baseline": baseline}
    content |= {"sampler": {"target_accept": 0.95}}  # one patient tells so little that the prior's tails are reached
    return SurvivalAnalysis.model_validate(content | {"covariates": {"a": {"prior": PRIOR}, "b": {"prior": PRIOR}}})


def _table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    columns = {"os_time": rng.exponential(10, N).round(1) + 0.1, "os_event": rng.integers(0, 2, N)}
    return pd.DataFrame({"patient": range(N), **columns, "a": rng.integers(0, 2, N), "b": rng.integers(0, 2, N)})


ODD: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str]] = {
    "no events": (lambda t: t.assign(os_event=0), "no_events"),
    "all events": (lambda t: t.assign(os_event=1), "all_events"),
    "one event": (lambda t: t.assign(os_event=(t.index == 3).astype(int)), "one_event"),
    "a constant covariate": (lambda t: t.assign(a=1), "constant_covariate"),
    "a covariate equal to another": (lambda t: t.assign(b=t["a"]), "duplicated_covariates"),
    "perfect separation": (lambda t: t.assign(a=t["os_event"]), "separation"),
    "one patient": (lambda t: t.iloc[:1].assign(os_event=1), "one_event"),
}


@compiles
@pytest.mark.parametrize("name", ODD)
def test_a_fit_of_an_odd_cohort_says_what_it_can(name: str) -> None:
    change, situation = ODD[name]
    fit = fit_survival(question_of(_analysis(), read_cohort(change(_table()))), seed=1)
    assert fit.convergence.ok, fit.convergence.reasons
    kinds = {found.kind for found in situations_of(fit, kept_back=False)}
    assert situation in kinds
    ratios = estimand_table(fit).query("estimand == 'hazard_ratio'")
    assert np.isfinite(ratios[["median", "q025", "q975"]].to_numpy()).all()
    crosscheck = crosscheck_of(fit, kept_back=False)
    assert set(crosscheck.loc[crosscheck["quantity"] == "hazard_ratio", "factor"]) == {"a", "b"}
    assert not curves_of(fit, kept_back=False).empty
    assert diagnostics_of(fit)["ok"].all()


@compiles
def test_a_covariate_without_variation_keeps_its_prior() -> None:
    fit = fit_survival(question_of(_analysis(), read_cohort(_table().assign(a=0))), seed=2)
    draws = fit.posterior["posterior"]["log_hazard_ratio"].sel(coefficient="a")
    assert float(draws.mean()) == pytest.approx(0.0, abs=0.1)
    assert float(draws.std()) == pytest.approx(SD, abs=0.1)


@compiles
def test_the_sum_of_two_equal_covariates_is_known_as_well_as_one() -> None:
    table = _table()
    one = fit_survival(question_of(_analysis(), read_cohort(table.assign(b=0))), seed=3)
    two = fit_survival(question_of(_analysis(), read_cohort(table.assign(b=table["a"]))), seed=3)
    alone = one.posterior["posterior"]["log_hazard_ratio"].sel(coefficient="a")
    together = two.posterior["posterior"]["log_hazard_ratio"].sum("coefficient")
    # The sum has a prior twice as wide in variance, so it lies a little further from 0 and is a little wider.
    assert float(together.mean()) == pytest.approx(float(alone.mean()), abs=0.15)
    assert float(alone.std()) <= float(together.std()) <= 1.3 * float(alone.std())


def test_quantiles_of_events_need_events() -> None:
    baseline = {"law": "piecewise_exponential", "n_intervals": 3} | LEVEL
    with pytest.raises(InputError, match="give `cuts` in months"):
        question_of(_analysis(baseline), read_cohort(_table().assign(os_event=0)))


WIDE, N_EVENTS, STRONG = 60, 40, 1.8
"""Covariates, events, and the log hazard ratio of the one covariate that makes a difference."""


def _wide() -> pd.DataFrame:
    """100 patients with 60 covariates, followed until 40 of them have had the event."""
    rng = np.random.default_rng(WIDE)
    values = rng.integers(0, 2, (100, WIDE))
    time = 12 * (rng.exponential(size=100) / np.log(2) / np.exp(STRONG * values[:, 0]))
    end = np.sort(time)[N_EVENTS - 1]
    columns = {"patient": range(100), "os_time": np.minimum(time, end), "os_event": (time <= end).astype(int)}
    return pd.DataFrame(columns | {f"x{k}": values[:, k] for k in range(WIDE)})


def _wide_analysis(kind: str) -> SurvivalAnalysis:
    names = [f"x{k}" for k in range(WIDE)]
    content: dict[str, Any] = {"kind": "survival", "name": "m", "title": "t", "endpoint": "os", "baseline": WEIBULL}
    content["covariates"] = {name: {"prior": PRIOR} if kind == "normal" else {} for name in names}
    if kind != "normal":
        content |= {"shrinkage": {"kind": kind, "covariates": names, "source": "test"}}
        content |= {"sampler": {"draws": 2000, "target_accept": 0.95}}
    return SurvivalAnalysis.model_validate(content)


@compiles
@pytest.mark.parametrize("kind", ["normal", "horseshoe", "r2d2"])
def test_more_covariates_than_events_are_named_and_left_to_the_prior(kind: str) -> None:
    fit = fit_survival(question_of(_wide_analysis(kind), read_cohort(_wide())), seed=1)
    assert fit.convergence.ok, fit.convergence.reasons
    found = situations_of(fit, kept_back=False)
    assert found[0].kind == "more_covariates_than_events"
    assert found[0].words.startswith("There are more covariates (60) than events (40)")
    ratios = fit.posterior["posterior"]["log_hazard_ratio"]
    low, middle, high = ratios.quantile([0.025, 0.5, 0.975], ["chain", "draw"]).to_numpy()
    assert low[0] < STRONG < high[0]
    assert middle[0] == max(middle)
    others = np.abs(middle[1:]).mean()
    if kind == "normal":  # the data leave each nearly as open as the prior did
        assert 0.3 < float(ratios.std(["chain", "draw"]).mean()) < SD
        assert others > 0.3
    else:  # a joint prior learns that most make no difference
        assert others < 0.1
        assert np.all((low[1:] < 0) & (high[1:] > 0))


@compiles
def test_other_methods_have_no_answer_to_more_covariates_than_events() -> None:
    """Of the prior's own draws: the methods without a prior need no posterior."""
    fit = prior_as_fit(question_of(_wide_analysis("normal"), read_cohort(_wide())), 5, np.random.default_rng(1))
    table = crosscheck_of(fit, kept_back=False)
    ratios = table[table["quantity"] == "hazard_ratio"]
    assert not np.isfinite(ratios["lower"]).any()
    assert (ratios["note"] != "").all()
    assert table.loc[table["method"] == "log_rank", "p"].notna().all()


BAD: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str]] = {
    "days given as months": (lambda t: t.assign(os_time=t["os_time"] * 30.4375), "{'time_unit': 'days'}"),
    "a time that is not a number": (lambda t: t.assign(os_time=t["os_time"].mask(t.index == 4)), "has a time"),
    "an infinite time": (
        lambda t: t.assign(os_time=t["os_time"].mask(t.index == 4, np.inf)),
        "finite number of months",
    ),
    "a negative time": (lambda t: t.assign(os_time=t["os_time"].mask(t.index == 4, -1.0)), "must be above 0 months"),
    "a time of zero": (lambda t: t.assign(os_time=t["os_time"].mask(t.index == 4, 0.0)), "must be above 0 months"),
    "an infinite covariate": (lambda t: t.assign(a=t["a"].astype(float).mask(t.index == 4, np.inf)), "numbers"),
    "an event coded 2": (lambda t: t.assign(os_event=t["os_event"].mask(t.index == 4, 2)), "must be 1 .event. or 0"),
    "a repeated id": (lambda t: t.assign(patient=t["patient"].mask(t["patient"] == 4, 3)), "a patient has one row"),
    "overlapping rows": (
        lambda t: t.assign(patient=t["patient"].mask(t["patient"] == 4, 3), os_entry=0.0, os_event=0),
        "disjoint stretches",
    ),
    "a weight of a half": (lambda t: t.assign(weight=np.where(t.index == 4, 1.5, 1.0)), "a whole number from 1"),
    "no event column": (lambda t: t.drop(columns="os_event"), "no column 'os_event'"),
    "no covariate column": (lambda t: t.drop(columns="b"), "must be a column of cohort"),
}
"""What is no table of patients, or not one of this model, and what the message says of it."""


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_with_its_reason(name: str) -> None:
    change, told = BAD[name]
    table = _table().assign(os_time=lambda t: t["os_time"] + 20)
    question_of(_analysis(), read_cohort(table))
    with pytest.raises(InputError, match=told) as caught:
        question_of(_analysis(), read_cohort(change(table)))
    assert len(caught.value.problems) == 1


def test_a_covariate_without_a_value_leaves_the_patient_out() -> None:
    question = question_of(_analysis(), read_cohort(_table().assign(a=lambda t: t["a"].mask(t.index == 4))))
    assert (question.design.n_lost, question.rows.n) == (1, N - 1)


def _many(n: int) -> pd.DataFrame:
    """Patients of two kinds followed for whole months, of whom most are like another."""
    rng = np.random.default_rng(7)
    columns = {"os_time": rng.integers(1, 13, n), "os_event": rng.integers(0, 2, n)}
    return pd.DataFrame({"patient": range(n), **columns, "a": rng.integers(0, 2, n), "b": rng.integers(0, 2, n)})


def test_equal_patients_are_no_burden_and_too_many_unlike_ones_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with ten million, but for the sizes: yes-or-no patients are 96 rows, measured ones as many as they are."""
    monkeypatch.setattr(question_module, "MOST_ROWS", 96)
    table = _many(5000)
    question = question_of(_analysis(), read_cohort(table))
    assert (question.rows.event.size, question.rows.n) == (12 * 2 * 2 * 2, 5000)
    measured = table.assign(b=np.random.default_rng(8).normal(size=5000))
    with pytest.raises(InputError, match="at most 96 rows that differ") as caught:
        question_of(_analysis(), read_cohort(measured))
    [problem] = caught.value.problems
    assert problem.found == "5,000 distinct rows"
    assert "round times" in problem.mend


def test_patients_of_few_patterns_may_have_any_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """The piecewise-exponential likelihood needs their events and exposure, and no row of its own for each."""
    monkeypatch.setattr(question_module, "MOST_ROWS", 4)
    table = _many(500).assign(os_time=np.random.default_rng(8).exponential(12, 500))
    piecewise = _analysis({"law": "piecewise_exponential", "cuts": [6, 12]} | LEVEL)
    question = question_of(piecewise, read_cohort(table))
    assert question.rows.event.size == 500
    monkeypatch.setattr(question_module, "MOST_COUNTED_ROWS", 499)
    with pytest.raises(InputError, match="at most 499 rows that differ"):
        question_of(piecewise, read_cohort(table))


def test_averages_over_many_patients_use_fewer_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    table = _many(300).assign(b=np.random.default_rng(8).normal(size=300))
    fit = prior_as_fit(question_of(_analysis(), read_cohort(table)), 200, np.random.default_rng(1))
    every = standardised(replace(fit)).survival([6.0])
    n_rows = len(fit.question.design.matrix)
    monkeypatch.setattr(fitting, "MOST_VALUES", 50 * n_rows)
    assert standardised(replace(fit)).survival([6.0]).sizes["draw"] == 200  # up to so many rows all draws are kept
    monkeypatch.setattr(fitting, "POINTWISE_LIMIT", n_rows - 1)
    some = standardised(fit).survival([6.0])
    assert (every.sizes["draw"], some.sizes["draw"]) == (200, 50)
    np.testing.assert_allclose(some, every.sel(draw=some["draw"]), rtol=1e-12)
    assert some["draw"].to_numpy()[[0, -1]].tolist() == [0, 199]


def test_methods_that_compare_everybody_with_everybody_say_that_they_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = prior_as_fit(question_of(_analysis(), read_cohort(_many(300))), 5, np.random.default_rng(1))
    monkeypatch.setattr(separation, "MOST_COMPARED", 100)
    table = crosscheck_of(fit, kept_back=False).set_index("method")
    for method in ("cox_efron", "cox_breslow", "proportionality_km"):
        assert table.loc[method, "note"].str.startswith("not available: 12 event times with ").all()
    for method in ("weibull_mle", "log_rank"):
        assert table.loc[method, "estimate"].notna().all()
    assert [found.kind for found in situations_of(fit, kept_back=False)] == ["separation_not_examined"]
