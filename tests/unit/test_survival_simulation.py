"""Simulated follow-up against the laws it comes from: exact times, censoring, visits, and all of them together."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.stats import expon, kstest, uniform, weibull_min

from ixa_bayes.cohort.table import read_cohort
from ixa_bayes.crosscheck.kaplan_meier import survival_at
from ixa_bayes.errors import InputError
from ixa_bayes.inference.diagnostics import Convergence
from ixa_bayes.inference.survival.fitting import SurvivalFit
from ixa_bayes.inference.survival.parameters import parameters_of
from ixa_bayes.inference.survival.question import question_of
from ixa_bayes.inference.survival.simulation import (
    censoring_times,
    replicate,
    seen_of,
    simulate_times,
    visit_steps,
)
from ixa_bayes.models.piecewise import PiecewiseLaw
from ixa_bayes.models.survival_analysis import SurvivalAnalysis
from ixa_bayes.models.survival_likelihood import Law
from ixa_bayes.models.survival_rows import SurvivalRows, survival_rows
from ixa_bayes.models.weibull import WeibullLaw

N = 4000
ONE = {"chain": [0], "draw": [0]}
WEIBULL = WeibullLaw(
    xr.DataArray([[-3.0]], dims=("chain", "draw"), coords=ONE),
    xr.DataArray([[1.3]], dims=("chain", "draw"), coords=ONE),
)
PIECEWISE = PiecewiseLaw(
    xr.DataArray(np.log([[[0.05, 0.2, 0.02]]]), dims=("chain", "draw", "interval"), coords=ONE), (4.0, 9.0)
)
LAWS: dict[str, Law] = {"weibull": WEIBULL, "piecewise": PIECEWISE}
BETA = 0.8


def _cumulative(law: str, time: np.ndarray) -> np.ndarray:
    """Baseline cumulative hazards, written out."""
    if law == "weibull":
        return np.asarray(-weibull_min(c=1.3, scale=np.exp(3.0 / 1.3)).logsf(time))
    spent = np.minimum(time, 4), np.clip(time - 4, 0, 5), np.clip(time - 9, 0, None)
    return np.asarray(0.05 * spent[0] + 0.2 * spent[1] + 0.02 * spent[2])


def _covariate() -> np.ndarray:
    return np.tile([0.0, 1.0], N // 2)


def _eta() -> xr.DataArray:
    return xr.DataArray(BETA * _covariate()[np.newaxis, np.newaxis], dims=("chain", "draw", "row"), coords=ONE)


def _rows(**columns: Any) -> SurvivalRows:
    size = len(columns["time"])
    table = {"entry": np.zeros(size), "time_lower": columns["time"], "weight": np.ones(size, dtype=int)} | columns
    follow_up = xr.Dataset({name: ("row", np.asarray(values)) for name, values in table.items()})
    return survival_rows(follow_up, np.arange(size))


@pytest.mark.parametrize("law", LAWS)
def test_times_from_the_start_follow_the_law(law: str) -> None:
    times = simulate_times(LAWS[law], _eta(), np.zeros(N), np.random.default_rng(1))
    assert times.dims == ("chain", "draw", "row")
    for value in (0.0, 1.0):
        chosen = times[0, 0].to_numpy()[_covariate() == value]
        gone = _cumulative(law, chosen) * np.exp(BETA * value)
        assert kstest(gone, expon.cdf).pvalue > 1e-3
        at = [2.0, 4.0, 8.0, 15.0]
        curve = survival_at(chosen, np.ones(chosen.size, dtype=bool), at=at)
        expected = np.exp(-_cumulative(law, np.array(at)) * np.exp(BETA * value))
        assert (np.abs(curve["survival"] - expected) < 4 * curve["standard_error"]).all()


@pytest.mark.parametrize("law", LAWS)
def test_patients_who_enter_late_have_had_no_event_before(law: str) -> None:
    entry = np.repeat([0.0, 3.0, 10.0, 40.0], N // 4)
    times = simulate_times(LAWS[law], 0.0, entry, np.random.default_rng(2))[0, 0].to_numpy()
    assert (times >= entry).all()
    assert kstest(_cumulative(law, times) - _cumulative(law, entry), expon.cdf).pvalue > 1e-3


def test_a_missing_covariate_is_not_passed_over() -> None:
    with pytest.raises(ValueError, match="is missing"):
        simulate_times(WEIBULL, _eta().where(_eta() > 0), np.zeros(N), np.random.default_rng(1))


def test_draws_are_simulated_each_from_its_own_law() -> None:
    rate = xr.DataArray([[-3.0, 2.0]], dims=("chain", "draw"), coords={"chain": [0], "draw": [0, 1]})
    times = simulate_times(WeibullLaw(rate, xr.ones_like(rate)), 0.0, np.zeros(N), np.random.default_rng(3))
    for index, log_rate in enumerate([-3.0, 2.0]):
        assert kstest(times[0, index] * np.exp(log_rate), expon.cdf).pvalue > 1e-3


def _censored_cohort(rng: np.random.Generator, *, entry: np.ndarray | None = None) -> tuple[SurvivalRows, np.ndarray]:
    """Exponential events, uniform censoring on (0, 30), and for late entries those who are still there."""
    size = 40_000
    event, censoring = rng.exponential(12, size), rng.uniform(0, 30, size)
    enters = np.zeros(size) if entry is None else rng.choice(entry, size)
    there = np.minimum(event, censoring) > enters
    event, censoring, enters = event[there], censoring[there], enters[there]
    rows = _rows(time=np.minimum(event, censoring), event=event <= censoring, entry=enters)
    return rows, censoring


def test_drawn_censoring_has_the_distribution_of_the_censoring() -> None:
    rng = np.random.default_rng(4)
    rows, truth = _censored_cohort(rng)
    drawn = censoring_times(rows, rng)
    np.testing.assert_array_equal(drawn[~rows.event], rows.end[~rows.event])
    assert (drawn[rows.event] >= rows.end[rows.event]).all()
    assert kstest(drawn[::8], uniform(0, 30).cdf).pvalue > 1e-3
    # Given the event, censoring is uniform between it and 30.
    at = rows.end[rows.event]
    place = (drawn[rows.event] - at) / (30 - at)
    assert kstest(place[::8], uniform.cdf).pvalue > 1e-3
    assert np.mean(drawn) == pytest.approx(np.mean(truth), abs=0.3)


def test_drawn_censoring_counts_late_entries_only_while_they_are_there() -> None:
    rng = np.random.default_rng(5)
    rows, truth = _censored_cohort(rng, entry=np.array([0.0, 10.0, 20.0]))
    drawn = censoring_times(rows, rng)
    for enters in (0.0, 10.0):
        chosen = rows.event & (rows.entry == enters)
        assert drawn[chosen].mean() == pytest.approx(truth[chosen].mean(), abs=0.3)


def test_drawn_censoring_is_the_reverse_estimate_worked_by_hand() -> None:
    """Censored at 2, 4, 4 and 9, events at 1, 4 and 10: 1 of 6 at 2, 2 of 4 at 4 (its event apart), 1 of 2 at 9."""
    rows = _rows(time=[1.0, 2.0, 4.0, 4.0, 4.0, 9.0, 10.0], event=[1, 0, 1, 0, 0, 0, 1])
    drawn = censoring_times(rows, np.random.default_rng(6), size=(20_000,))
    np.testing.assert_array_equal(drawn[:, [1, 3, 4, 5]], np.broadcast_to([2.0, 4.0, 4.0, 9.0], (20_000, 4)))
    shares = {2.0: 1 / 6, 4.0: 5 / 6 * 2 / 4, 9.0: 5 / 6 * 2 / 4 / 2, 10.0: 5 / 6 * 2 / 4 / 2}
    for time, share in shares.items():
        assert np.mean(drawn[:, 0] == time) == pytest.approx(share, abs=0.015)
    for time, share in {4.0: 1 / 2, 9.0: 1 / 4, 10.0: 1 / 4}.items():
        assert np.mean(drawn[:, 2] == time) == pytest.approx(share, abs=0.015)
    assert (drawn[:, 6] == 10).all()


def test_weights_are_patients_when_censoring_is_drawn() -> None:
    once = _rows(time=[1.0, 2.0, 2.0, 5.0, 5.0, 8.0], event=[1, 0, 0, 0, 0, 1])
    counted = _rows(time=[1.0, 2.0, 5.0, 8.0], event=[1, 0, 0, 1], weight=[1, 2, 2, 1])
    drawn = [censoring_times(rows, np.random.default_rng(7), size=(20_000,))[:, 0] for rows in (once, counted)]
    for time in (2.0, 5.0, 8.0):
        assert np.mean(drawn[0] == time) == pytest.approx(np.mean(drawn[1] == time), abs=0.015)


def test_a_cohort_without_censoring_is_followed_to_its_end() -> None:
    rows = _rows(time=[1.0, 5.0], event=[1, 1])
    np.testing.assert_array_equal(censoring_times(rows, np.random.default_rng(1)), [5.0, 5.0])


def test_steps_are_those_of_the_patients_own_visits_or_of_a_patient_with_an_event() -> None:
    rows = _rows(
        time=[6.0, 9.0, 4.5, 7.0, 10.2],
        time_lower=[3.0, 7.0, 4.5, 7.0, 9.2],
        event=[1, 1, 1, 0, 1],
        entry=[0.0, 0.0, 0.0, 0.0, 10.0],
    )
    steps = visit_steps(rows, np.random.default_rng(8), size=(9000,))
    np.testing.assert_array_equal(steps[:, :3], np.broadcast_to([3.0, 2.0, 0.0], (9000, 3)))
    for step, share in {3.0: 1 / 3, 2.0: 1 / 3, 0.0: 1 / 3}.items():
        assert np.mean(steps[:, 3] == step) == pytest.approx(share, abs=0.02)
    assert set(np.unique(steps[:, 4])) == {2.0, 3.0}


def _seen(times: list[float], **known: list[float]) -> pd.DataFrame:
    exact = xr.DataArray([[times]], dims=("chain", "draw", "row"), coords=ONE)
    found = seen_of(exact, **{name: np.array(values) for name, values in known.items()})
    return found[["time", "time_lower", "event"]].isel(chain=0, draw=0, drop=True).to_dataframe()


def test_exact_events_are_seen_until_observation_ends() -> None:
    found = _seen([3.2, 3.2, 5.0, np.inf], entry=[0] * 4, censoring=[4.0, 3.0, 5.0, 7.0], step=[0] * 4, anchor=[1] * 4)
    assert found["time"].to_list() == [3.2, 3.0, 5.0, 7.0]
    assert found["event"].to_list() == [True, False, True, False]
    assert found["time_lower"].to_list() == found["time"].to_list()


def test_events_between_visits_are_found_at_the_next_one() -> None:
    """Visits at 1, 4, 7 and 10 (every 3 months through 7); observation ends at 8.5, so the last one is that of 7."""
    times = [0.4, 1.0, 3.9, 6.99, 7.2, 50.0]
    found = _seen(times, entry=[0] * 6, censoring=[8.5] * 6, step=[3] * 6, anchor=[7] * 6)
    assert found["time"].to_list() == [1, 1, 4, 7, 7, 7]
    assert found["time_lower"].to_list() == [0, 0, 1, 4, 7, 7]
    assert found["event"].to_list() == [True, True, True, True, False, False]


def test_an_event_found_at_the_first_visit_came_after_entry() -> None:
    found = _seen([5.5, 9.5], entry=[5.0, 5.0], censoring=[30.0, 30.0], step=[3, 3], anchor=[30, 30])
    assert found["time"].to_list() == [6, 12]
    assert found["time_lower"].to_list() == [5, 9]


def test_visits_at_tenths_of_a_month_are_not_missed_by_rounding() -> None:
    found = _seen([0.25, 0.65, 0.75], entry=[0] * 3, censoring=[0.7] * 3, step=[0.1] * 3, anchor=[0.1] * 3)
    np.testing.assert_allclose(found["time"], [0.3, 0.7, 0.7])
    np.testing.assert_allclose(found["time_lower"], [0.2, 0.6, 0.7])
    assert found["event"].to_list() == [True, True, False]


def _fit(*, monthly: bool) -> SurvivalFit:
    """Patients simulated from a law, some entering late, and a posterior that knows this law."""
    rng = np.random.default_rng(9)
    size = 600
    entry = np.where(rng.random(size) < 0.3, 2.0, 0.0)
    marker = rng.integers(0, 2, size).astype(float)
    times = simulate_times(WEIBULL, xr.DataArray([[BETA * marker]], dims=("chain", "draw", "row")), entry, rng)
    censoring = np.ceil(rng.uniform(4, 24, size)) if monthly else rng.uniform(4, 24, size)
    step = np.full(size, 1.0 if monthly else 0.0)
    seen = seen_of(times, entry=entry, censoring=censoring, step=step, anchor=censoring).isel(chain=0, draw=0)
    table = pd.DataFrame({"patient": range(size), "marker": marker.astype(int), "pfs_time": seen["time"].to_numpy()})
    table = table.assign(pfs_event=seen["event"].to_numpy().astype(int), pfs_entry=entry, weight=1)
    if monthly:
        table = table.assign(pfs_time_lower=seen["time_lower"].to_numpy(), pfs_time_upper=table["pfs_time"])
    prior = {"kind": "normal", "sd": 1.0, "source": "test"}
    baseline = {"law": "weibull", "shape": {"log_sd": 0.5, "source": "test"}}
    baseline["log_rate"] = {"mean": 0.0, "sd": 1.0, "unit": "month", "source": "test"}
    content = {"kind": "survival", "name": "m", "title": "t", "endpoint": "pfs", "baseline": baseline}
    analysis = SurvivalAnalysis.model_validate(content | {"covariates": {"marker": {"prior": prior}}})
    question = question_of(analysis, read_cohort(table))
    draws = {
        "log_shape": (("chain", "draw"), np.full((2, 100), np.log(1.3))),
        "level": (("chain", "draw"), np.full((2, 100), -3.0)),
        "normal": (("chain", "draw", "k"), np.full((2, 100, 1), BETA)),
    }
    coords = {"chain": [0, 1], "draw": np.arange(100)}
    parameters = parameters_of(xr.Dataset(draws, coords=coords), question)
    verdict = Convergence(True, (), pd.DataFrame(), 1.0, 0.0)
    return SurvivalFit(question, xr.DataTree.from_dict({"posterior": parameters}), verdict)


@pytest.mark.parametrize("monthly", [False, True])
def test_a_replicate_looks_like_the_cohort_it_replicates(monthly: bool) -> None:
    fit = _fit(monthly=monthly)
    rows = fit.question.rows
    assert bool(rows.between.any()) == monthly
    seen = replicate(fit, np.random.default_rng(10), draws=60)
    assert dict(seen["time"].sizes) == {"chain": 2, "draw": 60, "row": 600}
    events = seen["event"].sum("row").to_numpy().ravel()
    assert abs(events.mean() - rows.n_events) < 3 * events.std()
    first = survival_rows(seen.isel(chain=0, draw=0), np.arange(600))
    assert (first.upper > first.entry).all()
    assert bool(first.between.any()) == monthly
    mean_time = seen["time"].mean("row").to_numpy().ravel()
    assert abs(mean_time.mean() - np.average(rows.upper, weights=rows.weight)) < 4 * mean_time.std()
    if monthly:
        np.testing.assert_array_equal(seen["time"], np.round(seen["time"]))
        assert set(np.unique((seen["time"] - seen["time_lower"]).where(seen["event"], 1.0))) == {1.0}


def test_events_of_a_replicate_lie_between_the_visits_of_their_own_patients() -> None:
    """Patients with visits every month, every three months and none, and one in ten found at the first after entry."""
    fit = _fit(monthly=False)
    known = fit.question.rows
    kind = np.arange(known.end.size) % 3
    step = np.choose(kind, [1.0, 3.0, 0.0])
    first = (np.arange(known.end.size) % 10 == 0) & (step > 0)
    entry = np.where(first, 2.3, 0.0)
    upper = np.where(first, 2.3 + 0.6 * step, 12.4)
    end = np.where(first, entry, upper - step)
    at_visits = step > 0
    rows = replace(known, entry=entry, end=end, upper=upper, between=at_visits, event=~at_visits, weight=0 * kind + 1)
    cohort = replace(fit, question=replace(fit.question, rows=rows))
    seen = replicate(cohort, np.random.default_rng(13), draws=40)
    time, lower = seen["time"].to_numpy(), seen["time_lower"].to_numpy()
    event = seen["event"].to_numpy()
    assert event[..., at_visits].mean() > 0.2
    np.testing.assert_array_equal(lower[..., ~at_visits], time[..., ~at_visits])
    own = at_visits & ~first  # whose visits are known; the others share the step of some patient
    whole = ((time - upper) / np.where(at_visits, step, 1.0))[..., own]
    np.testing.assert_allclose(whole, whole.round(), atol=1e-9)
    width = np.minimum(step, time - entry)
    np.testing.assert_allclose((time - lower)[event & own], width[event & own])
    late = event & first
    steps_back = np.stack([np.maximum(time - each, entry) for each in (1.0, 3.0)])
    assert np.isclose(lower, steps_back).any(axis=0)[late].all()
    months = (time - upper)[..., first]  # whole steps of either kind from the visit that found the event
    np.testing.assert_allclose(months, months.round(), atol=1e-9)


def test_a_replicate_has_one_row_per_patient() -> None:
    fit = _fit(monthly=False)
    rows = replace(fit.question.rows, weight=np.where(np.arange(600) < 5, 3, 1))
    weighted = replace(fit, question=replace(fit.question, rows=rows))
    seen = replicate(weighted, np.random.default_rng(11), draws=2)
    assert seen.sizes["row"] == 610
    np.testing.assert_array_equal(seen["entry"][:15], np.repeat(rows.entry[:5], 3))
    assert (seen["weight"] == 1).all()


def test_missing_covariates_are_drawn_as_likely_as_the_others_make_them() -> None:
    """Half the markers are missing; the model says that one in four has it, and the marker brings the event at once."""
    fit = _fit(monthly=False)
    table = pd.DataFrame({"patient": range(600), "pfs_time": 5.0, "pfs_event": 1})
    table["marker"] = np.where(np.arange(600) < 300, np.nan, np.arange(600) % 2)
    analysis = fit.question.analysis
    marker = analysis.covariates["marker"].model_copy(update={"missing": "marginalise"})
    question = question_of(analysis.model_copy(update={"covariates": {"marker": marker}}), read_cohort(table))
    draws = {
        "log_shape": (("chain", "draw"), np.zeros((1, 50))),
        "level": (("chain", "draw"), np.full((1, 50), -25.0)),
        "normal": (("chain", "draw", "k"), np.full((1, 50, 1), 40.0)),
        "missing_intercept": (("chain", "draw", "m"), np.full((1, 50, 1), np.log(1 / 3))),
    }
    parameters = parameters_of(xr.Dataset(draws, coords={"chain": [0], "draw": np.arange(50)}), question)
    missing = SurvivalFit(question, xr.DataTree.from_dict({"posterior": parameters}), fit.convergence)
    early = replicate(missing, np.random.default_rng(12))["time"].isel(chain=0) < 1
    assert float(early.isel(row=slice(0, 300)).mean()) == pytest.approx(0.25, abs=0.02)
    # Equal patients stand together: those without a value, then those without and with the marker.
    np.testing.assert_array_equal(early[:, 300:], np.broadcast_to(np.arange(300) >= 150, (50, 300)))


def test_a_start_stop_table_is_not_replicated() -> None:
    fit = _fit(monthly=False)
    table = pd.DataFrame({"patient": [1, 1, 2], "marker": [0, 1, 0], "pfs_time": [3.0, 7.0, 5.0]})
    cohort = read_cohort(table.assign(pfs_event=[0, 1, 1], pfs_entry=[0.0, 3.0, 0.0]))
    question = question_of(fit.question.analysis, cohort)
    with pytest.raises(InputError) as error:
        replicate(replace(fit, question=question), np.random.default_rng(1))
    assert error.value.problems[0].found == "a start-stop table"
