"""What the terminal says of the priors before a model is sampled, and what it warns of."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ixa_bayes.cohort.table import read_cohort
from ixa_bayes.inference.survival.prior import implied_by_prior
from ixa_bayes.inference.survival.question import question_of
from ixa_bayes.models.analysis import read_model
from ixa_bayes.models.survival_analysis import SurvivalAnalysis
from ixa_bayes.report.fit.run import Asked, implied_lines

PRIOR = {"kind": "normal", "mean": 0.0, "sd": 1.0, "source": "test"}
TABLE = pd.DataFrame(
    {
        "patient": range(6),
        "os_time": [3.0, 5, 8, 2, 12, 7],
        "os_event": [1, 0, 1, 1, 0, 1],
        "weight": [1, 1, 1, 1, 1, 4],
        "age": [51, 62, 64, 66, 87, 68],
        "sex": [0, 1, 0, 1, 0, 1],
    }
)


def _lines(covariates: dict[str, Any]) -> tuple[list[str], pd.DataFrame]:
    baseline = {
        "law": "weibull",
        "shape": {"log_sd": 0.5, "source": "test"},
        "median": {"months": 36.0, "log_sd": 1.0, "source": "test"},
    }
    content = {"kind": "survival", "name": "m", "title": "t", "endpoint": "os", "baseline": baseline}
    analysis = SurvivalAnalysis.model_validate(content | {"covariates": covariates})
    question = question_of(analysis, read_cohort(TABLE))
    implied = implied_by_prior(question, 1, size=400)
    return implied_lines(Asked(read_model("os_weibull"), question, implied)), implied


def test_what_the_priors_say_of_the_cohort_stands_beside_the_reference_profile() -> None:
    lines, implied = _lines({"sex": {"prior": PRIOR}})
    assert [line.split(" months")[0].rsplit(" ", 1)[0] for line in lines[:3]] == [
        "Prior: median of the reference profile",
        "Prior: event-free at",
        "Prior: median of the cohort",
    ]
    expected = implied.set_index(["estimand", "population"]).loc[("median", "cohort")]
    told = [float(number) for number in re.findall(r"[\d.]+(?:e\+\d+)?(?= months| to |\))", lines[2])]
    np.testing.assert_allclose(told, expected[["median", "q025", "q975"]].astype(float), rtol=0.005)
    assert lines[3] == "Patients: 9 used, all but fewer than 5 with the event"


def test_without_covariates_the_cohort_is_the_reference_profile() -> None:
    lines, _ = _lines({})
    assert len(lines) == 3
    assert not any("of the cohort" in line for line in lines)


def test_a_centre_that_no_patient_is_near_is_warned_of_with_one_that_would_do() -> None:
    lines, _ = _lines({"age": {"per": 10, "prior": PRIOR}, "sex": {"prior": PRIOR}})
    (told,) = [line for line in lines if line.startswith("Warning")]
    assert told == (
        "Warning: the centre of age (0) is outside its values in the cohort, so the reference profile is no patient "
        "here; set `centre` in the model file (such as `centre = 68`)"
    )  # 68 is the median of the nine patients; the extremes, 51 and 87, are not told


@pytest.mark.parametrize(("centre", "warned"), [(50.9, True), (51, False), (65, False), (87, False), (87.1, True)])
def test_a_centre_among_the_values_is_not_warned_of(centre: float, warned: bool) -> None:
    lines, _ = _lines({"age": {"per": 10, "centre": centre, "prior": PRIOR}})
    assert any(line.startswith("Warning: the centre of age") for line in lines) == warned


def test_a_binary_covariate_has_no_centre_to_warn_of() -> None:
    lines, _ = _lines({"sex": {"prior": PRIOR, "centre": 2.0}})
    assert not any(line.startswith("Warning") for line in lines)
