"""Start-stop tables: a patient's stretches are one contribution, and a change of covariate is felt from its time on."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from ixa_bayes.cohort.table import read_cohort
from ixa_bayes.inference.survival_estimands import standardised
from ixa_bayes.inference.survival_estimands import survival as profile_survival
from ixa_bayes.inference.survival_parameters import law_of, unit_log_likelihood
from ixa_bayes.inference.survival_prior import prior_as_fit, prior_draws
from ixa_bayes.inference.survival_question import SurvivalQuestion, question_of
from ixa_bayes.models.survival_analysis import SurvivalAnalysis

PRIOR = {"kind": "normal", "mean": 0.0, "sd": 0.7, "source": "test"}
ANALYSIS = SurvivalAnalysis.model_validate(
    {
        "kind": "survival",
        "name": "m",
        "title": "t",
        "endpoint": "os",
        "baseline": {
            "law": "weibull",
            "shape": {"log_sd": 0.5, "source": "test"},
            "median": {"months": 12.0, "log_sd": 0.5, "source": "test"},
        },
        "covariates": {"transplant": {"prior": PRIOR}},
    }
)
# Patient b is transplanted at 4 months and dies at 9; a never is; c is from the start.
STRETCHES = pd.DataFrame(
    {
        "patient": ["b", "a", "b", "c"],
        "os_entry": [0.0, 0.0, 4.0, 0.0],
        "os_time": [4.0, 7.0, 9.0, 5.0],
        "os_event": [0, 0, 1, 1],
        "transplant": [0, 0, 1, 1],
    }
)


def _question(table: pd.DataFrame) -> SurvivalQuestion:
    return question_of(ANALYSIS, read_cohort(table))


def test_stretches_of_one_patient_add_up() -> None:
    question = _question(STRETCHES)
    draws = prior_draws(question, 5, np.random.default_rng(1))
    got = unit_log_likelihood(draws, question)
    assert got.sizes["row"] == 3
    np.testing.assert_array_equal(question.unit_weight, [1, 1, 1])
    law: Any = law_of(draws, ANALYSIS)
    ratio = draws["log_hazard_ratio"].isel(coefficient=0)
    before = law.cumulative_hazard(4.0, 0.0)
    after = law.cumulative_hazard(9.0, ratio) - law.cumulative_hazard(4.0, ratio)
    of_b = law.log_hazard(9.0, ratio) - before - after
    np.testing.assert_allclose(got.isel(row=0), of_b, rtol=1e-12)
    np.testing.assert_allclose(got.isel(row=1), -law.cumulative_hazard(7.0, 0.0), rtol=1e-12)


def test_a_cut_without_a_change_changes_nothing() -> None:
    whole = STRETCHES.iloc[[1, 3]]
    cut = pd.concat(
        [
            whole.assign(os_time=[3.0, 2.0], os_event=0),
            whole.assign(os_entry=[3.0, 2.0]),
        ]
    )
    rng = np.random.default_rng(2)
    question, same = _question(whole), _question(cut)
    draws = prior_draws(question, 4, rng)
    one, other = unit_log_likelihood(draws, question), unit_log_likelihood(draws, same)
    np.testing.assert_allclose(other.sum("row"), one.sum("row"), rtol=1e-12)
    assert other.sizes["row"] == 2


def test_equal_stretches_of_different_patients_stay_apart() -> None:
    twins = pd.concat([STRETCHES, STRETCHES.assign(patient=["e", "d", "e", "f"])])
    question = _question(twins)
    assert question.rows.event.size == 8
    assert question.unit_weight.size == 6
    assert question.rows.n_events == pytest.approx(4)


def test_the_cohort_is_its_patients_at_entry() -> None:
    question = _question(STRETCHES)
    np.testing.assert_array_equal(question.weight_at_entry, [1, 1, 0, 1])
    reordered = _question(STRETCHES.iloc[[2, 1, 0, 3]])
    np.testing.assert_array_equal(reordered.weight_at_entry, [0, 1, 1, 1])
    fit = prior_as_fit(question, 3, np.random.default_rng(4))
    survival = standardised(fit).survival([6.0])
    expected = (2 * profile_survival(fit, [6.0]) + profile_survival(fit, [6.0], profile={"transplant": 1})) / 3
    np.testing.assert_allclose(survival, expected, rtol=1e-12)
