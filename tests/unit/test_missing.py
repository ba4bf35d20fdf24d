"""Missing binary covariates: every pattern summed, against sums written out patient by patient."""

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.special import expit
from scipy.stats import norm, weibull_min

from ixa_bayes.cohort.table import read_cohort
from ixa_bayes.errors import InputError
from ixa_bayes.inference.diagnostics import Convergence
from ixa_bayes.inference.survival import fitting
from ixa_bayes.inference.survival.estimands import standardised
from ixa_bayes.inference.survival.fitting import SurvivalFit
from ixa_bayes.inference.survival.parameters import log_prior, parameters_of, pointwise_log_likelihood
from ixa_bayes.inference.survival.prior import implied_by_prior, prior_draws
from ixa_bayes.inference.survival.question import SurvivalQuestion, question_of
from ixa_bayes.models.analysis import read_model
from ixa_bayes.models.survival_analysis import SurvivalAnalysis
from ixa_bayes.models.survival_likelihood import pattern_posterior
from ixa_bayes.models.weibull import weibull_model

PRIOR = {"kind": "normal", "mean": 0.0, "sd": 1.0, "source": "test"}
HEAVY = {"kind": "student_t", "location": 0.0, "scale": 1.0, "df": 4, "source": "test"}
COVARIATES = {
    # A Student t prior first: the compiled program sorts coefficients otherwise than the model file does.
    "emd": {"prior": HEAVY, "missing": "marginalise"},
    "age": {"per": 10, "centre": 60, "prior": PRIOR},
    "cyto": {"prior": PRIOR, "missing": "marginalise", "centre": 0.25},
    "sex": {"prior": PRIOR},
}
N = 9
EMD = [0, 1, np.nan, 1, np.nan, 0, 0, 1, np.nan]
CYTO = [1, np.nan, 0, 1, np.nan, 0, 1, np.nan, 1]
TABLE = pd.DataFrame(
    {
        "patient": range(N),
        "os_time": [3.0, 5, 8, 2, 12, 7, 9, 4, 6],
        "os_event": [1, 0, 1, 1, 0, 1, 0, 1, 1],
        "os_entry": [0.0, 1, 0, 0, 2, 0, 0, 0, 3],
        "weight": [1, 2, 1, 1, 3, 1, 1, 1, 1],
        "emd": EMD,
        "age": [50, 61, 72, 55, 80, 66, 59, 70, 63],
        "cyto": CYTO,
        "sex": [0, 1, 1, 0, 1, 0, 0, 1, 0],
    }
)
RATIOS = {"emd": 0.9, "age": 0.2, "cyto": 0.6, "sex": -0.3}
SHAPE, LOG_RATE = 1.3, -2.7
INTERCEPT = {"emd": -0.8, "cyto": 0.4}
SLOPES = {"emd": {"age": 0.3, "sex": -0.5}, "cyto": {"age": -0.2, "sex": 0.7}}
CYTO_GIVEN_EMD = 1.1


def _question(covariates: dict[str, Any] = COVARIATES, table: pd.DataFrame = TABLE) -> SurvivalQuestion:
    baseline = {
        "law": "weibull",
        "shape": {"log_sd": 0.5, "source": "test"},
        "log_rate": {"mean": -2.0, "sd": 2.0, "unit": "month", "source": "test"},
    }
    content = {"kind": "survival", "name": "m", "title": "t", "endpoint": "os", "baseline": baseline}
    analysis = SurvivalAnalysis.model_validate(content | {"covariates": covariates})
    return question_of(analysis, read_cohort(table))


QUESTION = _question()
DRAWS = {
    "log_shape": np.log(SHAPE),
    "level": LOG_RATE,
    "normal": np.array([RATIOS["age"], RATIOS["cyto"], RATIOS["sex"]]),
    "student_t": np.array([RATIOS["emd"]]),
    "missing_intercept": np.array([INTERCEPT["emd"], INTERCEPT["cyto"]]),
    "missing_coefficient": np.array([[SLOPES[name][z] for z in ("age", "sex")] for name in ("emd", "cyto")]),
    "missing_earlier": np.array([CYTO_GIVEN_EMD]),
}


def _parameters() -> xr.Dataset:
    draws = {
        name: (("chain", "draw", *(f"{name}_{axis}" for axis in range(np.ndim(value)))), np.asarray(value)[None, None])
        for name, value in DRAWS.items()
    }
    return parameters_of(xr.Dataset(draws, coords={"chain": [0], "draw": [0]}), QUESTION)


def _probability(patient: int, emd: float, cyto: float) -> float:
    """Of two values of the covariates that can be missing, given the patient's others."""
    z = {"age": (TABLE["age"][patient] - 60) / 10, "sex": TABLE["sex"][patient]}
    p_emd = expit(INTERCEPT["emd"] + sum(SLOPES["emd"][name] * z[name] for name in z))
    p_cyto = expit(INTERCEPT["cyto"] + sum(SLOPES["cyto"][name] * z[name] for name in z) + CYTO_GIVEN_EMD * emd)
    return float((p_emd if emd else 1 - p_emd) * (p_cyto if cyto else 1 - p_cyto))


def _eta(patient: int, emd: float, cyto: float) -> float:
    age, sex = (TABLE["age"][patient] - 60) / 10, TABLE["sex"][patient]
    return float(RATIOS["emd"] * emd + RATIOS["age"] * age + RATIOS["cyto"] * (cyto - 0.25) + RATIOS["sex"] * sex)


def _density(patient: int, emd: float, cyto: float) -> float:
    """Of the follow-up, given no event at entry."""
    law = weibull_min(c=SHAPE, scale=np.exp(-(LOG_RATE + _eta(patient, emd, cyto)) / SHAPE))
    time = TABLE["os_time"][patient]
    seen = law.pdf(time) if TABLE["os_event"][patient] else law.sf(time)
    return float(seen / law.sf(TABLE["os_entry"][patient]))


def _patterns(patient: int) -> list[tuple[float, float]]:
    """Values that the two covariates of a patient can have."""
    emd = (0.0, 1.0) if np.isnan(EMD[patient]) else (EMD[patient],)
    cyto = (0.0, 1.0) if np.isnan(CYTO[patient]) else (CYTO[patient],)
    return list(itertools.product(emd, cyto))


JOINT = [sum(_probability(i, *x) * _density(i, *x) for x in _patterns(i)) for i in range(N)]
OBSERVED = [sum(_probability(i, *x) for x in _patterns(i)) for i in range(N)]


def test_each_patient_is_summed_over_all_that_they_may_have() -> None:
    got = pointwise_log_likelihood(_parameters(), QUESTION)
    assert got.dims == ("chain", "draw", "row")
    np.testing.assert_allclose(got[0, 0], np.log(JOINT) - np.log(OBSERVED), rtol=1e-10)


def test_the_compiled_model_is_the_same_sum() -> None:
    model: Any = weibull_model(QUESTION.structure)
    for name, value in QUESTION.data().items():
        model[name].set_value(np.asarray(value, dtype=float))
    fast = {"mode": "FAST_COMPILE"}
    likelihood = model.compile_logp(vars=model.observed_RVs, **fast)(DRAWS)
    assert float(likelihood) == pytest.approx(float(TABLE["weight"] @ np.log(JOINT)), rel=1e-10)
    prior = model.compile_logp(vars=model.free_RVs, jacobian=False, **fast)(DRAWS)
    ours = sum(float(density.sum()) for density in log_prior(_parameters(), QUESTION).values())
    assert float(prior) == pytest.approx(ours, rel=1e-10)


def test_priors_of_the_models_of_missing_covariates_are_normal() -> None:
    density = log_prior(_parameters(), QUESTION)
    expected = norm.logpdf([INTERCEPT["emd"], INTERCEPT["cyto"]], 0, 1.5)
    np.testing.assert_allclose(density["missing_intercept"][0, 0], expected)
    assert list(density["missing_intercept"]["missing_covariate"].to_numpy()) == ["emd", "cyto"]


@pytest.mark.parametrize(("covariate", "value"), [(None, None), ("sex", 1), ("emd", 1), ("cyto", 0)])
def test_standardising_spreads_patients_over_what_they_may_have(covariate: str | None, value: float | None) -> None:
    fit = SurvivalFit(
        QUESTION, xr.DataTree.from_dict({"posterior": _parameters()}), Convergence(True, (), pd.DataFrame(), 1.0, 0.0)
    )
    settings = {} if covariate is None else {covariate: value}

    def survival(patient: int, time: float, emd: float, cyto: float) -> float:
        values = {"emd": emd, "cyto": cyto, "sex": TABLE["sex"][patient]} | settings
        age = (TABLE["age"][patient] - 60) / 10
        eta = RATIOS["emd"] * values["emd"] + RATIOS["age"] * age + RATIOS["cyto"] * (values["cyto"] - 0.25)
        rate = np.exp(LOG_RATE + eta + RATIOS["sex"] * values["sex"])
        return float(np.exp(-rate * time**SHAPE))

    expected = 0.0
    for i in range(N):
        each = [(_probability(i, *x) * _density(i, *x) / JOINT[i]) * survival(i, 7.0, *x) for x in _patterns(i)]
        expected += TABLE["weight"][i] * sum(each) / TABLE["weight"].sum()
    cohort = standardised(fit, covariate=covariate, level=value)
    assert cohort.survival([7.0]).item() == pytest.approx(expected, rel=1e-10)
    prior = standardised(fit, covariate=covariate, level=value, given_outcome=False)
    by_covariates = sum(
        TABLE["weight"][i] * sum(_probability(i, *x) / OBSERVED[i] * survival(i, 7.0, *x) for x in _patterns(i))
        for i in range(N)
    )
    assert prior.survival([7.0]).item() == pytest.approx(by_covariates / TABLE["weight"].sum(), rel=1e-10)
    median = cohort.quantile().item()
    assert cohort.survival([median]).item() == pytest.approx(0.5, rel=1e-8)


def test_who_may_have_what_is_worked_out_once_for_all_averages(monkeypatch: pytest.MonkeyPatch) -> None:
    """And for the patients alone of whom a value is missing."""
    verdict = Convergence(True, (), pd.DataFrame(), 1.0, 0.0)
    fit = SurvivalFit(QUESTION, xr.DataTree.from_dict({"posterior": _parameters()}), verdict)
    calls = []

    def counted(*known: Any, log_pattern: xr.DataArray) -> xr.DataArray:
        calls.append(log_pattern.sizes["row"])
        return pattern_posterior(*known, log_pattern=log_pattern)

    monkeypatch.setattr(fitting, "pattern_posterior", counted)
    for value in (0, 1):
        standardised(fit, covariate="sex", level=value)
    assert calls == [np.isnan([EMD, CYTO]).any(axis=0).sum()]
    other = replace(fit, posterior=xr.DataTree.from_dict({"posterior": _parameters() * 0.5}))
    assert not np.allclose(other.pattern_posterior, fit.pattern_posterior)  # another posterior has its own


def test_who_is_summed_out_is_not_lost() -> None:
    assert QUESTION.design.n_lost == 0
    assert QUESTION.design.marginalised == ("emd", "cyto")
    some = _question(COVARIATES | {"cyto": {"prior": PRIOR}})
    assert some.design.lost["cyto"] == 2 + 3 + 1
    assert some.design.marginalised == ("emd",)


def test_nothing_missing_needs_no_model_of_it() -> None:
    full = TABLE.assign(emd=TABLE["emd"].fillna(0), cyto=TABLE["cyto"].fillna(1))
    question = _question(table=full)
    assert question.design.marginalised == ()
    assert question.structure.n_marginalised == 0


def test_only_a_binary_covariate_can_be_summed_out() -> None:
    with pytest.raises(InputError, match="only a binary covariate can be summed out"):
        _question({"age": {"prior": PRIOR, "missing": "marginalise"}})


def test_rows_of_one_patient_share_what_is_missing() -> None:
    stretches = pd.DataFrame(
        {
            "patient": ["a", "a", "b"],
            "os_entry": [0.0, 3, 0],
            "os_time": [3.0, 8, 5],
            "os_event": [0, 1, 1],
            "emd": [np.nan, np.nan, 1],
        }
    )
    with pytest.raises(InputError, match="share the missing value"):
        _question({"emd": COVARIATES["emd"]}, stretches)


def test_priors_of_missing_covariates_can_be_drawn() -> None:
    draws = prior_draws(QUESTION, 4000, np.random.default_rng(5))
    assert draws["missing_coefficient"].shape == (1, 4000, 2, 2)
    assert float(draws["missing_intercept"].std()) == pytest.approx(1.5, abs=0.06)
    assert float(draws["missing_earlier"].std()) == pytest.approx(1.0, abs=0.05)
    implied = implied_by_prior(QUESTION, 5)
    assert set(implied["population"]) == {"reference_profile", "cohort", "each"}


@pytest.mark.parametrize(
    ("summed", "related"),
    [
        ("triple", "triple implies double"),
        ("double", "double implies single and is implied by triple"),
        ("single", "single is implied by double"),
    ],
)
def test_a_covariate_that_is_bound_to_another_cannot_be_summed_out(tmp_path: Path, summed: str, related: str) -> None:
    """Among its two values is one that no patient has beside the other's."""
    text = read_model("os_weibull").text
    for name, implied in (("triple", '["double"]'), ("double", '["single"]'), ("single", "[]")):
        prior = '{ kind = "normal", sd = 1.0, source = "test" }'
        missing = 'missing = "marginalise"' if name == summed else ""
        text += f"\n[covariates.{name}]\nimplies = {implied}\nprior = {prior}\n{missing}\n"
    file = tmp_path / "mine.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as error:
        read_model(file)
    (problem,) = error.value.problems
    assert f"covariates.{summed}.missing" in problem.where
    assert problem.rule.startswith(f"{related}, and of a marginalised covariate both values are summed")
    assert problem.mend.startswith('write missing = "complete_case", or take ')
