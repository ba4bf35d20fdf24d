"""Estimands of a survival posterior against sums, integrals and root searches written out one draw at a time."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.integrate import quad
from scipy.optimize import brentq

from ixa_bayes.cohort.table import Cohort, Covariate, read_cohort
from ixa_bayes.errors import InputError
from ixa_bayes.inference.diagnostics import Convergence
from ixa_bayes.inference.survival.estimands import (
    conditional_survival,
    event_probability,
    hazard,
    hazard_ratio_between,
    hazard_ratios,
    quantile,
    rmst,
    standardised,
    survival,
)
from ixa_bayes.inference.survival.fitting import SurvivalFit
from ixa_bayes.inference.survival.parameters import parameters_of
from ixa_bayes.inference.survival.question import question_of
from ixa_bayes.models.survival_analysis import SurvivalAnalysis

PRIOR = {"kind": "normal", "mean": 0.0, "sd": 1.0, "source": "test"}
LEVEL = {"median": {"months": 12.0, "log_sd": 1.0, "source": "test"}}
BASELINES: dict[str, dict[str, Any]] = {
    "weibull": {"law": "weibull", "shape": {"log_sd": 0.5, "source": "test"}} | LEVEL,
    "piecewise": {"law": "piecewise_exponential", "cuts": [4.0, 9.0]} | LEVEL,
}
COVARIATES = {
    "triple": {"from": "refractoriness == triple_class", "prior": PRIOR, "implies": ["pi"]},
    "pi": {"from": "refractoriness >= pi_only", "prior": PRIOR},
    "stage": {"prior": PRIOR},
    "age_decades": {"from": "age", "per": 10, "centre": 60, "prior": PRIOR},
}
BETA = {"triple": 0.7, "pi": 0.4, "stage[b]": -0.5, "stage[c]": 0.9, "age_decades": 0.15}
LEVELS = ("none", "pi_only", "triple_class")


def _cohort() -> Cohort:
    rng = np.random.default_rng(7)
    n = 40
    refractoriness = pd.Categorical(rng.choice(LEVELS, n), categories=LEVELS, ordered=True)
    table = pd.DataFrame(
        {
            "patient": range(n),
            "pfs_time": rng.exponential(10, n).round(1) + 0.1,
            "pfs_event": rng.integers(0, 2, n),
            "weight": rng.integers(1, 4, n),
            "stage": rng.choice(["a", "b", "c"], n),
            "age": rng.integers(45, 85, n),
        }
    )
    read = read_cohort(table)
    declared = dict(read.declared)
    declared["refractoriness"] = Covariate("refractoriness", "ordered", "refractoriness", "", LEVELS, "none")
    declared["stage"] = replace(declared["stage"], reference="a")
    return replace(read, covariates=read.covariates.assign(refractoriness=refractoriness), declared=declared)


def _fit(law: str) -> SurvivalFit:
    """A posterior of six draws, written down instead of sampled."""
    analysis = SurvivalAnalysis.model_validate(
        {"kind": "survival", "name": "m", "title": "t", "endpoint": "pfs", "baseline": BASELINES[law]}
        | {"covariates": COVARIATES}
    )
    question = question_of(analysis, _cohort())
    rng = np.random.default_rng(3)
    assert list(question.design.matrix.columns) == list(BETA)
    normal = np.array(list(BETA.values())) + rng.normal(0, 0.1, (2, 3, 5))
    draws: dict[str, Any] = {"normal": (("chain", "draw", "normal_dim_0"), normal)}
    if law == "weibull":
        draws["log_shape"] = (("chain", "draw"), rng.normal(0.2, 0.1, (2, 3)))
        draws["level"] = (("chain", "draw"), rng.normal(np.log(14), 0.1, (2, 3)))
    else:
        draws["log_hazard"] = (("chain", "draw", "h"), rng.normal(-2.8, 0.3, (2, 3, 3)))
    coords = {"chain": [0, 1], "draw": [0, 1, 2]}
    parameters = parameters_of(xr.Dataset(draws, coords=coords), question)
    verdict = Convergence(True, (), pd.DataFrame(), 1.0, 0.0)
    return SurvivalFit(question, xr.DataTree.from_dict({"posterior": parameters}), verdict)


FITS = {law: _fit(law) for law in BASELINES}


def _one(fit: SurvivalFit, chain: int, draw: int) -> tuple[Any, np.ndarray]:
    """Baseline cumulative hazard as a plain function, and the coefficients, of one draw."""
    posterior = fit.posterior["posterior"].to_dataset().isel(chain=chain, draw=draw)
    if "shape" in posterior:
        rate, shape = np.exp(float(posterior["log_rate"])), float(posterior["shape"])
        return (lambda t: rate * t**shape), posterior["log_hazard_ratio"].to_numpy()
    first, second, third = np.exp(posterior["log_hazard"].to_numpy())
    return (lambda t: first * min(t, 4) + second * max(0, min(t, 9) - 4) + third * max(0, t - 9)), posterior[
        "log_hazard_ratio"
    ].to_numpy()


def _design(fit: SurvivalFit, **changes: float) -> np.ndarray:
    return fit.question.design.matrix.assign(**changes).to_numpy()


@pytest.mark.parametrize("law", BASELINES)
def test_a_profile_is_the_closed_form(law: str) -> None:
    fit = FITS[law]
    profile = {"stage": "c", "age_decades": 75, "pi": 1}
    x = np.array([0, 1, 0, 1, 1.5])
    curve = survival(fit, [0.0, 3.0, 18.0], profile=profile)
    for chain, draw in [(0, 0), (1, 2)]:
        baseline, beta = _one(fit, chain, draw)
        ratio = np.exp(x @ beta)
        expected = [1.0, np.exp(-ratio * baseline(3.0)), np.exp(-ratio * baseline(18.0))]
        np.testing.assert_allclose(curve[chain, draw], expected, rtol=1e-12)
        median = brentq(lambda t, ratio=ratio, h=baseline: ratio * h(t) - np.log(2), 1e-6, 1e4)
        assert float(quantile(fit, profile=profile)[chain, draw]) == pytest.approx(median, rel=1e-9)
        area = quad(lambda t, ratio=ratio, h=baseline: np.exp(-ratio * h(t)), 0, 24, points=[4, 9])[0]
        assert float(rmst(fit, 24.0, profile=profile)[chain, draw]) == pytest.approx(area, rel=1e-7)
        slope = (baseline(5 + 1e-5) - baseline(5 - 1e-5)) / 2e-5 * ratio
        assert float(hazard(fit, [5.0], profile=profile)[chain, draw, 0]) == pytest.approx(slope, rel=1e-6)


def test_conditional_survival_and_event_probability_follow_from_survival() -> None:
    fit, profile = FITS["weibull"], {"stage": "b"}
    both = survival(fit, [6.0, 18.0], profile=profile)
    given = conditional_survival(fit, [18.0], given=6.0, profile=profile)
    np.testing.assert_allclose(given.isel(time=0), both.sel(time=18.0) / both.sel(time=6.0))
    np.testing.assert_allclose(event_probability(fit, [6.0, 18.0], profile=profile), 1 - both)
    with pytest.raises(ValueError, match="before the 6"):
        conditional_survival(fit, [3.0], given=6.0)


@pytest.mark.parametrize("law", BASELINES)
@pytest.mark.parametrize(
    ("covariate", "level", "changes"),
    [
        (None, None, {}),
        ("triple", 1, {"triple": 1.0, "pi": 1.0}),
        ("pi", 0, {"triple": 0.0, "pi": 0.0}),
        ("pi", 1, {"pi": 1.0}),
        ("stage", "b", {"stage[b]": 1.0, "stage[c]": 0.0}),
        ("stage", "a", {"stage[b]": 0.0, "stage[c]": 0.0}),
        ("age_decades", 80, {"age_decades": 2.0}),
    ],
)
def test_standardising_averages_the_curves_of_all_patients(
    law: str, covariate: str | None, level: float | str | None, changes: dict[str, float]
) -> None:
    fit = FITS[law]
    ours = standardised(fit, covariate=covariate, level=level)
    curve, median, mean = ours.survival([6.0, 20.0]), ours.quantile(), ours.rmst(24.0)
    assert median.dims == ("chain", "draw")
    weight = fit.question.rows.weight
    for chain, draw in [(0, 1), (1, 0)]:
        baseline, beta = _one(fit, chain, draw)
        ratios = np.exp(_design(fit, **changes) @ beta)

        def average(t: float, h: Any = baseline, ratios: np.ndarray = ratios) -> float:
            return float(weight @ np.exp(-ratios * h(t)) / weight.sum())

        np.testing.assert_allclose(curve[chain, draw], [average(6.0), average(20.0)], rtol=1e-10)
        expected = brentq(lambda t, s=average: s(t) - 0.5, 1e-6, 1e5, xtol=1e-12)
        assert float(median[chain, draw]) == pytest.approx(expected, rel=1e-8)
        assert float(mean[chain, draw]) == pytest.approx(quad(average, 0, 24, points=[4, 9])[0], rel=1e-7)


def test_hazard_ratios_are_those_of_the_coefficients() -> None:
    fit = FITS["piecewise"]
    found = hazard_ratios(fit)
    np.testing.assert_allclose(np.log(found), fit.posterior["posterior"]["log_hazard_ratio"])
    both = hazard_ratio_between(fit, {"triple": 1, "pi": 1}, {})
    np.testing.assert_allclose(both, found.sel(coefficient="triple") * found.sel(coefficient="pi"))


def test_a_profile_that_no_patient_can_have_is_refused() -> None:
    with pytest.raises(InputError) as error:
        survival(FITS["weibull"], [6.0], profile={"triple": 1})
    (problem,) = error.value.problems
    assert problem.found == "triple = 1 with pi = 0"


@pytest.mark.parametrize(
    ("profile", "found"),
    [({"stag": "a"}, "'stag'"), ({"stage": "d"}, "'d'"), ({"pi": 2}, "2"), ({"age_decades": "old"}, "'old'")],
)
def test_unknown_profiles_are_named(profile: dict[str, Any], found: str) -> None:
    with pytest.raises(InputError) as error:
        survival(FITS["weibull"], [6.0], profile=profile)
    assert [problem.found for problem in error.value.problems] == [found]


@pytest.mark.parametrize("months", [[-1.0], [np.nan], [np.inf], []])
def test_times_that_are_none_are_refused(months: list[float]) -> None:
    with pytest.raises(ValueError, match="months contains"):
        survival(FITS["weibull"], months)


def test_patients_without_covariates_are_alike() -> None:
    analysis = FITS["weibull"].question.analysis.model_copy(update={"covariates": {}})
    question = question_of(analysis, _cohort())
    draws = xr.Dataset({"log_shape": (("chain", "draw"), [[0.1]]), "level": (("chain", "draw"), [[2.5]])})
    parameters = parameters_of(draws.assign_coords(chain=[0], draw=[0]), question)
    fit = SurvivalFit(question, xr.DataTree.from_dict({"posterior": parameters}), FITS["weibull"].convergence)
    assert standardised(fit).quantile().item() == pytest.approx(np.exp(2.5))
    assert quantile(fit).item() == pytest.approx(np.exp(2.5))
    assert hazard_ratios(fit).sizes["coefficient"] == 0
