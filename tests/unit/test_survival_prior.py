"""Draws from the priors against scipy's laws, and what they imply against closed forms."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.stats import halfnorm, kstest, lognorm, norm
from scipy.stats import t as student_t

from ixa_bayes.cohort.table import read_cohort
from ixa_bayes.formulas.piecewise import root_distances
from ixa_bayes.inference.survival.estimands import standardised, survival
from ixa_bayes.inference.survival.parameters import log_prior
from ixa_bayes.inference.survival.prior import implied_by_prior, prior_as_fit, prior_draws
from ixa_bayes.inference.survival.question import SurvivalQuestion, question_of
from ixa_bayes.models.survival_analysis import StudentTPrior, SurvivalAnalysis

SIZE = 4000
NORMAL = {"kind": "normal", "mean": 0.3, "sd": 0.7, "source": "test"}
HEAVY = {"kind": "student_t", "location": -0.2, "scale": 0.5, "df": 3, "source": "test"}
MEDIAN = {"median": {"months": 14.0, "log_sd": 0.8, "source": "test"}}
RATE = {"log_rate": {"mean": -1.0, "sd": 0.6, "unit": "year", "source": "test"}}
SHAPE = {"shape": {"median": 1.2, "log_sd": 0.3, "source": "test"}}
CUTS = {"law": "piecewise_exponential", "cuts": [6.0, 12.0, 30.0]}
WALK = {"walk": {"scale": 0.9, "source": "test"}}
BASELINES: dict[str, dict[str, Any]] = {
    "weibull": {"law": "weibull", **SHAPE, **MEDIAN},
    "weibull_rate": {"law": "weibull", **SHAPE, **RATE},
    "piecewise": {**CUTS, **RATE},
    "walk": {**CUTS, **MEDIAN, **WALK},
}
TABLE = pd.DataFrame(
    {
        "patient": range(7),
        "pfs_time": [2.0, 5.0, 9.0, 14.0, 20.0, 33.0, 35.0],
        "pfs_event": [1, 1, 0, 1, 0, 1, 0],
        "age": [50, 61, 64, 70, 77, 80, 82],
        "marker": [0, 1, 0, 1, 0, 0, 0],
    }
)


def _question(law: str, *, covariates: bool = True) -> SurvivalQuestion:
    chosen = {"age": {"per": 10, "centre": 65, "prior": HEAVY}, "marker": {"prior": NORMAL}} if covariates else {}
    content = {"kind": "survival", "name": "m", "title": "t", "endpoint": "pfs", "baseline": BASELINES[law]}
    return question_of(SurvivalAnalysis.model_validate(content | {"covariates": chosen}), read_cohort(TABLE))


def _drawn(law: str) -> dict[str, np.ndarray]:
    draws = prior_draws(_question(law), SIZE, np.random.default_rng(20261125))
    assert (draws.sizes["chain"], draws.sizes["draw"]) == (1, SIZE)
    return {str(name): values.isel(chain=0).to_numpy() for name, values in draws.items()}


@pytest.mark.parametrize("law", BASELINES)
def test_log_hazard_ratios_follow_their_own_priors(law: str) -> None:
    age, marker = _drawn(law)["log_hazard_ratio"].T
    assert kstest(age, student_t(3, -0.2, 0.5).cdf).pvalue > 1e-3
    assert kstest(marker, norm(0.3, 0.7).cdf).pvalue > 1e-3


def test_the_weibull_baseline_follows_its_priors() -> None:
    drawn = _drawn("weibull")
    assert kstest(drawn["shape"], lognorm(0.3, scale=1.2).cdf).pvalue > 1e-3
    assert kstest(drawn["log_median"], norm(np.log(14), 0.8).cdf).pvalue > 1e-3
    assert kstest(_drawn("weibull_rate")["b0"], norm(-1.0, 0.6).cdf).pvalue > 1e-3


def test_independent_log_hazards_follow_their_prior() -> None:
    hazards = _drawn("piecewise")["log_hazard"]
    assert hazards.shape == (SIZE, 4)
    for interval in hazards.T:
        assert kstest(interval, norm(-1.0 - np.log(12), 0.6).cdf).pvalue > 1e-3
    assert np.abs(np.corrcoef(hazards.T) - np.eye(4)).max() < 0.06


def test_a_random_walk_steps_with_the_distance_of_midpoints() -> None:
    drawn = _drawn("walk")
    first = norm(np.log(np.log(2)) - np.log(14), 0.8)
    assert kstest(drawn["log_hazard"][:, 0], first.cdf).pvalue > 1e-3
    assert kstest(drawn["walk_sd"], halfnorm(scale=0.9).cdf).pvalue > 1e-3
    steps = np.diff(drawn["log_hazard"]) / drawn["walk_sd"][:, np.newaxis] / root_distances((6.0, 12.0, 30.0))
    for step in steps.T:
        assert kstest(step, norm.cdf).pvalue > 1e-3


@pytest.mark.parametrize("law", BASELINES)
def test_the_log_prior_of_its_own_draws_is_minus_the_entropy(law: str) -> None:
    question = _question(law)
    density = log_prior(prior_draws(question, SIZE, np.random.default_rng(5)), question)
    entropy = {
        "log_shape": norm(0, 0.3).entropy(),
        "log_median": norm(0, 0.8).entropy(),
        "b0": norm(0, 0.6).entropy(),
        "log_hazard": norm(0, 0.6).entropy(),
        "level": norm(0, 0.8).entropy(),
        "walk_sd": halfnorm(scale=0.9).entropy(),
        "z": norm().entropy(),
    }
    for name, values in density.drop_vars("log_hazard_ratio").items():
        assert float(values.mean()) == pytest.approx(-entropy[str(name)], abs=5 * float(values.std()) / np.sqrt(SIZE))


def test_what_is_implied_for_the_reference_profile_is_the_closed_form() -> None:
    told = implied_by_prior(_question("weibull"), 3, size=40_000).set_index(["estimand", "population"])
    median = told.loc[("median", "reference_profile")]
    expected = lognorm(0.8, scale=14).ppf([0.5, 0.025, 0.975])
    np.testing.assert_allclose(median[["median", "q025", "q975"]].astype(float), expected, rtol=0.04)

    def below(share: float) -> float:
        """P(S(12) <= share), integrated over the shape: S falls as the median does."""
        needed = np.log(-np.log(share) / np.log(2))

        def given(log_shape: float) -> float:
            log_median = np.log(12) - needed / np.exp(log_shape)
            return float(norm(np.log(1.2), 0.3).pdf(log_shape) * norm(np.log(14), 0.8).cdf(log_median))

        return float(quad(given, -3, 3)[0])

    row = told.loc[("survival", "reference_profile")]
    assert row["time"] == 12.0
    for name, prob in {"median": 0.5, "q025": 0.025, "q975": 0.975}.items():
        assert row[name] == pytest.approx(brentq(lambda s, p=prob: below(s) - p, 1e-9, 1 - 1e-9), abs=0.01)


@pytest.mark.parametrize("law", BASELINES)
def test_each_coefficient_is_told_on_the_scale_of_ratios(law: str) -> None:
    told = implied_by_prior(_question(law), 4).set_index("factor")
    assert told.loc["age", "comparator"] == "per 10"
    assert (told.loc["marker", "level"], told.loc["marker", "comparator"]) == ("1", "0")
    for factor, prior in {"age": student_t(3, -0.2, 0.5), "marker": norm(0.3, 0.7)}.items():
        row = np.log(told.loc[factor, ["median", "q025", "q975"]].astype(float))
        np.testing.assert_allclose(row, prior.ppf([0.5, 0.025, 0.975]), atol=0.15)


@pytest.mark.parametrize("law", BASELINES)
def test_without_covariates_the_cohort_is_its_reference_profile(law: str) -> None:
    told = implied_by_prior(_question(law, covariates=False), 4, size=500)
    numbers = told.set_index("population")[["median", "q025", "q975"]].astype(float)
    np.testing.assert_allclose(numbers.loc["cohort"], numbers.loc["reference_profile"], rtol=1e-7)


@pytest.mark.parametrize("law", BASELINES)
def test_a_prior_with_tails_beyond_all_numbers_is_told_exactly(law: str) -> None:
    """By the definition of a quantile: the share of prior draws whose cohort has its median by then."""
    question = _question(law)
    cauchy = StudentTPrior(kind="student_t", scale=2.5, df=1, source="test")
    heavy = replace(question, design=replace(question.design, priors={"age": cauchy, "marker": cauchy}))
    told = implied_by_prior(heavy, 8).set_index(["estimand", "population"]).loc[("median", "cohort")]
    with np.errstate(over="ignore"):
        patients = standardised(prior_as_fit(heavy, 4000, np.random.default_rng(8)))
        reached = patients.survival([float(told[name]) for name in ("q025", "median", "q975")]) <= 0.5
    np.testing.assert_allclose(reached.mean(("chain", "draw")), [0.025, 0.5, 0.975], atol=1e-3)


def test_every_estimand_can_be_asked_of_the_prior() -> None:
    fit = prior_as_fit(_question("walk"), 50, np.random.default_rng(1))
    assert survival(fit, [3.0, 20.0], profile={"marker": 1}).sizes == {"chain": 1, "draw": 50, "time": 2}
    assert fit.convergence.ok


def test_the_same_seed_implies_the_same() -> None:
    question = _question("piecewise")
    pd.testing.assert_frame_equal(implied_by_prior(question, 7, size=100), implied_by_prior(question, 7, size=100))
