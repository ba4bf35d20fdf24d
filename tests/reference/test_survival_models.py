"""The survival models against long runs of the same models in Stan: every quantity, within Monte Carlo error."""

import math
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

import arviz as az
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from tests.reference.survival_data import DATA

from ixa_bayes.cohort.table import Cohort, read_cohort
from ixa_bayes.inference.survival.fitting import LOG_LIKELIHOOD, SurvivalFit, fit_survival
from ixa_bayes.inference.survival.question import question_of
from ixa_bayes.models.survival_analysis import SurvivalAnalysis

pytestmark = pytest.mark.compiles

COMBINED_ERRORS = 5
"""Over some 700 comparisons; two runs that agree differ by more than 5 combined standard errors once in two million."""
DAYS_PER_MONTH = 30.4375
PRIOR = {"kind": "normal", "mean": 0.0, "sd": 1.0, "source": "the reference"}
LEVEL = {"mean": 0.0, "sd": 5.0, "unit": "year", "source": "the reference"}
BASELINES: dict[str, dict[str, Any]] = {
    "weibull_ph": {"law": "weibull", "shape": {"median": 1.0, "log_sd": 0.5, "source": "the reference"}},
    "piecewise_exponential_ph": {"law": "piecewise_exponential"},
}
CASES = [(data, model) for data in ("veteran", "lung") for model in BASELINES]

Fitted = tuple[SurvivalFit, dict[str, Any]]
Fit = Callable[[str, str], Fitted]


class Comparison(NamedTuple):
    what: str
    draws: xr.DataArray
    wanted: dict[str, Any]


def _cohort(data: str) -> Cohort:
    patients = DATA[data]
    follow_up = {"os_time": patients.time / DAYS_PER_MONTH, "os_event": patients.event.astype(int)}
    ids = {"patient": [f"p{i}" for i in range(patients.time.size)]}
    return read_cohort(
        pd.DataFrame(ids | follow_up | {str(name): column.to_numpy() for name, column in patients.design.items()})
    )


def _reference_analysis(data: str, model: str, bayes_reference: dict[str, Any]) -> SurvivalAnalysis:
    baseline = BASELINES[model] | {"log_rate": LEVEL}
    if cuts := bayes_reference[data][model].get("cutpoints"):
        baseline["cuts"] = [cut / DAYS_PER_MONTH for cut in cuts]
    return SurvivalAnalysis.model_validate(
        {
            "kind": "survival",
            "name": f"{data}_{model}",
            "title": "Reference",
            "endpoint": "os",
            "baseline": baseline,
            "covariates": {name: {"prior": PRIOR} for name in DATA[data].design},
            "sampler": {"draws": 5000, "tune": 1000, "target_accept": 0.9},
        }
    )


@pytest.fixture(scope="module")
def fit(bayes_reference: dict[str, Any]) -> Fit:
    @cache
    def make(data: str, model: str) -> Fitted:
        question = question_of(_reference_analysis(data, model, bayes_reference), _cohort(data))
        return fit_survival(question, seed=20261125), bayes_reference[data][model]

    return make


def _quantities(fitted: SurvivalFit, wanted: dict[str, Any]) -> Iterator[Comparison]:
    """All that the reference has, in its own parametrisation: hazards per year."""
    posterior = fitted.posterior["posterior"].to_dataset()
    renamed = {"log_alpha": "log_shape", "alpha": "shape", "b0": "b0"}
    for name, numbers in wanted["posterior"].items():
        if name in renamed:
            draws = posterior[renamed[name]]
        elif name.startswith("lambda"):
            interval = int(name.removeprefix("lambda[").removesuffix("]")) - 1
            draws = posterior["log_hazard"].isel(interval=interval, drop=True) + math.log(12)
        else:
            draws = posterior["log_hazard_ratio"].sel(coefficient=name, drop=True)
        yield Comparison(name, draws, numbers)
    for name, numbers in wanted["prob_log_hr_above_0"].items():
        above = (posterior["log_hazard_ratio"].sel(coefficient=name, drop=True) > 0).astype(float)
        yield Comparison(f"P({name} > 0)", above, {"mean": numbers["p"], "mcse_mean": numbers["mcse"]})


def _estimates(draws: xr.DataArray, wanted: dict[str, Any]) -> Iterator[tuple[str, float, float, float, float]]:
    """What, our value, our error, the reference's value, its error."""
    constant = float(draws.std()) == 0
    error = 0.0 if constant else float(az.mcse(draws, method="mean"))
    yield "mean", float(draws.mean()), error, wanted["mean"], wanted["mcse_mean"]
    if "sd" in wanted:
        yield "sd", float(draws.std(ddof=1)), float(az.mcse(draws, method="sd")), wanted["sd"], wanted["mcse_sd"]
    for name, value in wanted.get("quantiles", {}).items():
        probability = float(name.removeprefix("q")) / 100
        error = float(az.mcse(draws, method="quantile", prob=probability))
        yield name, float(draws.quantile(probability)), error, value, wanted["mcse_quantiles"][name]


@pytest.mark.parametrize(("data", "model"), CASES)
def test_every_quantity_agrees_with_stan(fit: Fit, data: str, model: str) -> None:
    fitted, wanted = fit(data, model)
    assert fitted.convergence.ok, fitted.convergence.reasons
    compared, off = 0, []
    for what, draws, numbers in _quantities(fitted, wanted):
        for estimate, ours, error, theirs, their_error in _estimates(draws, numbers):
            compared += 1
            if abs(ours - theirs) > COMBINED_ERRORS * math.hypot(error, their_error):
                off.append(f"{what} {estimate}: {ours:.5f} against {theirs:.5f}")
    assert not off
    expected = len(wanted["posterior"]) * 9 + len(wanted["prob_log_hr_above_0"])
    assert compared == expected


@pytest.mark.parametrize(("data", "model"), CASES)
def test_loo_agrees_with_stan_patient_by_patient(fit: Fit, data: str, model: str) -> None:
    fitted, wanted = fit(data, model)
    loo, reference = az.loo(fitted.posterior, var_name=LOG_LIKELIHOOD, pointwise=True), wanted["loo"]
    # The reference's densities are per year.
    question = fitted.question
    per_year = (loo.elpd_i.to_numpy() + np.where(question.rows.event, math.log(12), 0.0))[question.member]
    tolerance = COMBINED_ERRORS * math.sqrt(2) * reference["mcse_elpd_loo"]
    np.testing.assert_allclose(per_year, reference["pointwise_elpd_loo"], atol=tolerance / 2)
    assert per_year.sum() == pytest.approx(reference["elpd_loo"], abs=tolerance)
    assert per_year.std() * math.sqrt(per_year.size) == pytest.approx(reference["se_elpd_loo"], abs=tolerance)
    assert per_year.size == question.rows.n
    assert loo.p == pytest.approx(reference["p_loo"], abs=tolerance)
    assert int((loo.pareto_k > 0.7).sum()) == reference["n_pareto_k_above_0.7"]


@pytest.mark.parametrize("data", ["veteran", "lung"])
def test_models_compare_as_in_stan(fit: Fit, bayes_reference: dict[str, Any], data: str) -> None:
    pointwise = {}
    for model in BASELINES:
        fitted, _ = fit(data, model)
        loo = az.loo(fitted.posterior, var_name=LOG_LIKELIHOOD, pointwise=True)
        pointwise[model] = loo.elpd_i.to_numpy()[fitted.question.member]
    difference = pointwise["weibull_ph"] - pointwise["piecewise_exponential_ph"]
    wanted = bayes_reference[data]["loo_compare"]
    errors = [bayes_reference[data][model]["loo"]["mcse_elpd_loo"] for model in BASELINES]
    tolerance = COMBINED_ERRORS * math.sqrt(2) * math.hypot(*errors)
    assert difference.sum() == pytest.approx(wanted["elpd_diff_weibull_minus_pem"], abs=tolerance)
    assert difference.std() * math.sqrt(difference.size) == pytest.approx(wanted["se_diff"], abs=tolerance)


def test_pymcs_own_sampler_agrees_with_stan_too(bayes_reference: dict[str, Any]) -> None:
    analysis = _reference_analysis("veteran", "weibull_ph", bayes_reference)
    sampler = analysis.sampler.model_copy(update={"engine": "pymc", "draws": 1000})
    question = question_of(analysis.model_copy(update={"sampler": sampler}), _cohort("veteran"))
    fitted = fit_survival(question, seed=20261125, cores=1)
    assert fitted.posterior.attrs["sampler"].startswith("PyMC")
    assert fitted.convergence.ok, fitted.convergence.reasons
    for what, draws, numbers in _quantities(fitted, bayes_reference["veteran"]["weibull_ph"]):
        ours, error, theirs, their_error = next(iter(_estimates(draws, numbers)))[1:]
        assert abs(ours - theirs) <= COMBINED_ERRORS * math.hypot(error, their_error), what
