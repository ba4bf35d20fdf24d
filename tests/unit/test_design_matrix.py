"""Covariates of a model file, coded for the patients of a cohort: every value, everyone lost, every fault."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ixa_bayes.cohort.table import Cohort, Covariate, read_cohort
from ixa_bayes.errors import InputError
from ixa_bayes.models.design_matrix import design_of
from ixa_bayes.models.survival_analysis import StudentTPrior, SurvivalAnalysis

PRIOR = {"kind": "normal", "mean": 0.0, "sd": 1.0, "source": "test"}
LEVELS = ("none", "pi_only", "triple_class")


def _cohort() -> Cohort:
    table = pd.DataFrame(
        {
            "patient": list("abcdef"),
            "os_time": [1.0, 2, 3, 4, 5, 6],
            "os_event": [1, 0, 1, 0, 1, 0],
            "weight": [1, 1, 3, 1, 1, 1],
            "emd": [0, 1, 1, np.nan, 0, 0],
            "gfr": [70, 70.1, np.nan, 30, 90, 60],
            "site": ["x", "y", "x", "z", "y", "x"],
        }
    )
    read = read_cohort(table)
    levels = pd.Categorical(["none", "pi_only", "triple_class", "none", None, "triple_class"], LEVELS, ordered=True)
    declared = dict(read.declared)
    declared["refractoriness"] = Covariate("refractoriness", "ordered", "refractoriness", "", LEVELS, "none")
    declared["gfr"] = replace(declared["gfr"], unit="mL/min")
    return replace(read, covariates=read.covariates.assign(refractoriness=levels), declared=declared)


def _analysis(covariates: dict[str, Any], *, endpoint: str = "os") -> SurvivalAnalysis:
    baseline = {
        "law": "weibull",
        "shape": {"log_sd": 0.5, "source": "test"},
        "median": {"months": 12.0, "log_sd": 1.0, "source": "test"},
    }
    content = {"kind": "survival", "name": "m", "title": "t", "endpoint": endpoint, "baseline": baseline}
    return SurvivalAnalysis.model_validate(content | {"covariates": covariates})


@pytest.mark.parametrize(
    ("covariate", "expected"),
    [
        ({"from": "gfr <= 70"}, [1, 0, None, 1, 0, 1]),
        ({"from": "gfr < 70"}, [0, 0, None, 1, 0, 1]),
        ({"from": "gfr > 70.1"}, [0, 0, None, 0, 1, 0]),
        ({"from": "gfr >= 70.1"}, [0, 1, None, 0, 1, 0]),
        ({"from": "gfr", "per": 10, "centre": 60}, [1, 1.01, None, -3, 3, 0]),
        ({"from": "emd"}, [0, 1, 1, None, 0, 0]),
        ({"from": "emd", "centre": 0.25}, [-0.25, 0.75, 0.75, None, -0.25, -0.25]),
        ({"from": "refractoriness == triple_class"}, [0, 0, 1, 0, None, 1]),
        ({"from": "refractoriness >= pi_only"}, [0, 1, 1, 0, None, 1]),
        ({"from": "site == 'x'"}, [1, 0, 1, 0, 0, 1]),
    ],
)
def test_values_are_coded(covariate: dict[str, Any], expected: list[float | None]) -> None:
    design = design_of(_cohort(), _analysis({"x": covariate | {"prior": PRIOR}}))
    kept = [row for row, value in enumerate(expected) if value is not None]
    assert list(design.rows) == kept
    np.testing.assert_allclose(design.matrix["x"], [expected[row] for row in kept])


def test_a_factor_has_a_column_for_each_level_but_the_reference() -> None:
    heavy = {"kind": "student_t", "scale": 1.0, "df": 3, "source": "test"}
    covariate = {"prior": PRIOR, "levels": {"triple_class": heavy}}
    design = design_of(_cohort(), _analysis({"refractoriness": covariate}))
    assert list(design.matrix.columns) == ["refractoriness[pi_only]", "refractoriness[triple_class]"]
    np.testing.assert_array_equal(design.matrix, [[0, 0], [1, 0], [0, 1], [0, 0], [0, 1]])
    assert isinstance(design.priors["refractoriness[triple_class]"], StudentTPrior)
    assert not isinstance(design.priors["refractoriness[pi_only]"], StudentTPrior)
    assert design.term_of("refractoriness[pi_only]").level_of("refractoriness[pi_only]") == "pi_only"


def test_who_is_lost_is_counted_by_weight() -> None:
    covariates = {name: {"prior": PRIOR} for name in ("gfr", "emd", "refractoriness")}
    design = design_of(_cohort(), _analysis(covariates))
    assert list(design.rows) == [0, 1, 5]
    assert design.lost == {"gfr": 3, "emd": 1, "refractoriness": 1}
    assert design.n_lost == 5


def test_no_covariates_lose_no_one() -> None:
    design = design_of(_cohort(), _analysis({}))
    assert design.matrix.shape == (6, 0)
    assert design.n_lost == 0


def test_every_fault_is_told_at_once() -> None:
    covariates = {
        "refractorines": {"prior": PRIOR},
        "site": {"prior": PRIOR},
        "old": {"from": "gfr >= old", "prior": PRIOR},
        "site_x": {"from": "site >= x", "prior": PRIOR},
        "worst": {"from": "refractoriness == worst", "prior": PRIOR},
        "emd": {"prior": PRIOR, "levels": {"1": PRIOR}},
    }
    with pytest.raises(InputError) as error:
        design_of(_cohort(), _analysis(covariates, endpoint="pfs"))
    found = {problem.where: problem.found for problem in error.value.problems}
    assert found == {
        "model m, endpoint": "'pfs'",
        "covariate refractorines": "'refractorines'",
        "covariate site": "no reference level",
        "covariate old": "'old'",
        "covariate site_x": "'>= x'",
        "covariate worst": "'== worst'",
        "model m, covariate emd, levels": "['1']",
    }
    assert "write 'refractoriness'" in str(error.value)


def test_nobody_with_all_covariates_is_an_error_that_counts() -> None:
    cohort = _cohort()
    cohort = replace(cohort, covariates=cohort.covariates.assign(emd=np.nan))
    with pytest.raises(InputError, match="without: emd 8"):
        design_of(cohort, _analysis({"emd": {"prior": PRIOR}}))


@pytest.mark.parametrize("source", ["gfr <= ", "gfr << 3", "gfr = 3", "<= 70"])
def test_a_source_that_cannot_be_read_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match="write a column, or a comparison"):
        _analysis({"x": {"from": source, "prior": PRIOR}})


IMPLYING = {
    "high": {"from": "gfr > 80", "prior": PRIOR, "implies": ["middle"]},
    "middle": {"from": "gfr > 50", "prior": PRIOR, "implies": ["emd"]},
    "emd": {"prior": PRIOR},
}


def test_rows_that_contradict_what_a_covariate_implies_are_told() -> None:
    """gfr is 70, 70.1, missing, 30, 90, 60 and emd 0, 1, 1, missing, 0, 0: rows 1, 5 and 6 contradict middle -> emd."""
    with pytest.raises(InputError) as error:
        design_of(_cohort(), _analysis(IMPLYING))
    high, middle = error.value.problems
    # At two removes too, whatever stands between them.
    assert high.where == "cohort cohort, row 5 (header and blank rows not counted), columns 'gfr' and 'emd'"
    assert high.found == "high = 1 (gfr > 80) with emd = 0"
    assert middle.where == "cohort cohort, rows 1, 5, 6 (header and blank rows not counted), columns 'gfr' and 'emd'"
    assert middle.found == "middle = 1 (gfr > 50) with emd = 0"
    assert middle.rule == "middle implies emd in model m: no patient has this profile"
    assert middle.mend == "correct these cells, or `implies` in the model file"


def test_a_missing_value_contradicts_nothing() -> None:
    cohort = _cohort()
    cohort = replace(cohort, covariates=cohort.covariates.assign(emd=[1, np.nan, 0, np.nan, 1, np.nan]))
    assert list(design_of(cohort, _analysis(IMPLYING)).rows) == [0, 4]


def test_contradictions_name_the_file_and_so_many_rows_that_their_cause_is_plain(tmp_path: Path) -> None:
    table = pd.DataFrame({"patient": [f"secret{i}" for i in range(30)], "os_time": 1.0, "os_event": 1, "a": 1, "b": 0})
    file = tmp_path / "patients.csv"
    table.to_csv(file, index=False)
    with pytest.raises(InputError) as error:
        design_of(read_cohort(file), _analysis({"a": {"prior": PRIOR, "implies": ["b"]}, "b": {"prior": PRIOR}}))
    (problem,) = error.value.problems
    rows = ", ".join(str(row) for row in range(1, 21))
    assert problem.where.startswith(f"{file}, rows {rows} and 10 more (")
    assert "secret" not in str(error.value)


def test_rows_that_keep_to_what_is_implied_are_used() -> None:
    covariates = {
        "triple": {"from": "refractoriness == triple_class", "prior": PRIOR, "implies": ["pi"]},
        "pi": {"from": "refractoriness >= pi_only", "prior": PRIOR},
    }
    assert list(design_of(_cohort(), _analysis(covariates)).rows) == [0, 1, 2, 3, 5]
