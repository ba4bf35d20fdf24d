"""What the public functions accept: things already read, or their names."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import ixa_bayes as ib
from ixa_bayes.errors import InputError
from ixa_bayes.models.analysis import analysis_from
from ixa_bayes.models.effects import EffectAnalysis
from ixa_bayes.models.response_analysis import ResponseAnalysis
from ixa_bayes.study.ledger import study_from
from ixa_bayes.study.locate import locate

from .fits import COVARIATES, question, written_fit


@pytest.fixture(scope="module")
def study() -> ib.Study:
    return ib.read_study("zhou2026")


def test_a_study_is_taken_as_it_is_or_by_name_or_path(study: ib.Study) -> None:
    assert study_from(study) is study
    by_name = study_from("zhou2026")
    assert by_name.input_hash == study.input_hash
    assert study_from(locate("zhou2026", "study")).input_hash == study.input_hash


def test_a_study_in_hand_is_not_read_again(study: ib.Study) -> None:
    printed = ib.count_table(study.as_printed(), "all", "orr", "pi_refractory")
    by_name = ib.count_table("zhou2026", "all", "orr", "pi_refractory")
    assert printed is not None
    assert by_name is not None
    assert (printed.status, by_name.status) == ("impossible", "unique")
    assert by_name == ib.count_table(study, "all", "orr", "pi_refractory")
    assert by_name in ib.count_tables("zhou2026")


def test_names_give_what_the_objects_give(study: ib.Study) -> None:
    pd.testing.assert_frame_equal(ib.audit("zhou2026"), ib.audit(study))
    assert [model.path for model in ib.models_for("zhou2026")] == [model.path for model in ib.models_for(study)]


@pytest.mark.parametrize("wanted", [("hazard_ratios", EffectAnalysis), ("orr", ResponseAnalysis)], ids=lambda w: w[0])
def test_an_analysis_is_taken_as_it_is_or_from_its_file(
    wanted: tuple[str, type[EffectAnalysis] | type[ResponseAnalysis]],
) -> None:
    name, kind = wanted
    file = ib.read_model(name)
    assert analysis_from(file.analysis, kind) is file.analysis
    assert analysis_from(file, kind) is file.analysis
    assert analysis_from(file.path, kind) == analysis_from(name, kind) == file.analysis


@pytest.mark.parametrize("given", ["orr", ib.read_model("orr"), ib.read_model("orr").analysis])
def test_an_analysis_of_another_kind_is_told_with_those_that_fit(study: ib.Study, given: Any) -> None:
    with pytest.raises(InputError) as error:
        ib.reanalyse_hazard_ratios(study, given, seed=1)
    (problem,) = error.value.problems
    assert problem.where == "model orr"
    assert problem.found == "kind response"
    assert "hazard_ratios" in problem.mend
    with pytest.raises(InputError, match="built in: orr, response_other"):
        ib.reanalyse_response(study, "hazard_ratios", seed=1)


NOT_A_STUDY = pd.DataFrame({"id": ["orr"]})
CALLS: dict[str, Callable[[Any], object]] = {
    "audit": lambda given: ib.audit(given),
    "count_table": lambda given: ib.count_table(given, "all", "orr", "pi_refractory"),
    "count_tables": lambda given: ib.count_tables(given),
    "extract_hazard_ratios": lambda given: ib.extract_hazard_ratios(given, "hazard_ratios", seed=1),
    "models_for": lambda given: ib.models_for(given),
    "read_study": lambda given: ib.read_study(given),
    "reanalyse": lambda given: ib.reanalyse(given, output="never_written", seed=1),
    "reanalyse_hazard_ratios": lambda given: ib.reanalyse_hazard_ratios(given, "hazard_ratios", seed=1),
    "reanalyse_response": lambda given: ib.reanalyse_response(given, "orr", seed=1),
}


@pytest.mark.parametrize("name", CALLS)
def test_what_is_no_study_is_told_with_what_to_pass(name: str) -> None:
    with pytest.raises(TypeError, match=r"a study is named .* built-in name \(.*zhou2026.*\); found a DataFrame"):
        CALLS[name](NOT_A_STUDY)
    with pytest.raises(InputError, match="'zhuo2026': found neither a path nor a built-in name"):
        CALLS[name]("zhuo2026")


def test_what_is_no_analysis_is_told_with_what_to_pass(study: ib.Study) -> None:
    swapped: Any = study
    with pytest.raises(TypeError, match=r"analysis is a Study; pass a model file of kind response \(built in: orr"):
        ib.reanalyse_response(study, swapped, seed=1)


def test_a_fit_takes_names_and_tells_what_does_not_fit() -> None:
    with pytest.raises(
        InputError, match=r"model orr: found kind response; must be survival here.*built in: .*pfs_weibull"
    ):
        ib.fit("orr", "example_cohort", seed=1)
    with pytest.raises(InputError, match="cohort 'example_cohrt': found neither a path nor a built-in name"):
        ib.fit("pfs_weibull", "example_cohrt", seed=1)
    cohort: Any = ib.read_cohort("example_cohort")
    with pytest.raises(TypeError, match=r"analysis is a Cohort; pass a model file of kind survival"):
        ib.fit(cohort, cohort, seed=1)


def test_unknown_names_of_a_table_are_all_told() -> None:
    with pytest.raises(InputError) as error:
        ib.count_table("zhou2026", "everyone", "orr", "pi_refractry")
    assert [problem.where for problem in error.value.problems] == ["population", "factor"]
    assert error.value.problems[1].mend == "write 'pi_refractory'"


def test_a_fit_that_is_read_back_answers_every_question(tmp_path: Path) -> None:
    fitted = written_fit(question(covariates={name: COVARIATES[name] for name in ("stage", "sex")}))
    ib.save_fit(fitted, tmp_path)
    back = ib.load_fit(str(tmp_path), cohort=fitted.question.cohort)
    profile = {"stage": "b", "sex": 1}
    draws = fitted.posterior["posterior"].sizes["chain"], fitted.posterior["posterior"].sizes["draw"]
    assert ib.hazard_ratios(back).shape == (*draws, 3)
    for curve in (ib.survival, ib.event_probability, ib.cumulative_hazard, ib.hazard):
        assert curve(back, [3.0, 12.0], profile=profile).shape == (*draws, 2)
    assert ib.conditional_survival(back, [12.0], given=3.0, profile=profile).shape == (*draws, 1)
    for number in (ib.quantile(back, profile=profile), ib.rmst(back, 12.0, profile=profile)):
        assert number.shape == draws
    assert ib.hazard_ratio_between(back, profile, {}).shape == draws
    assert ib.standardised(back, covariate="stage", level="b").quantile(0.5).shape == draws
    assert len(ib.power_scaling_table(back)) == len(ib.estimand_table(back))
    assert list(ib.compare({"mine": fitted, "read": back})["elpd_diff"]) == [0.0, 0.0]


def test_a_folder_without_a_fit_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"posterior\.nc: found no such file"):
        ib.load_fit(tmp_path)
    with pytest.raises(InputError, match="0 of them; two or more are compared"):
        ib.compare({})
