"""``new-model`` and the guide to model files: what they write and show is read, and applies to a cohort."""

import re
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, t
from typer.testing import CliRunner

from ixa_bayes.cli import app
from ixa_bayes.cohort.table import Cohort, read_cohort
from ixa_bayes.cohort.template import write_cohort_template
from ixa_bayes.errors import InputError
from ixa_bayes.inference.survival.question import question_of
from ixa_bayes.models.analysis import read_model
from ixa_bayes.models.design_matrix import design_of
from ixa_bayes.models.survival_analysis import (
    HorseshoePrior,
    MedianPrior,
    MissingModel,
    ModelCovariate,
    NormalPrior,
    PiecewiseBaseline,
    R2D2Prior,
    RatePrior,
    ShapePrior,
    StudentTPrior,
    SurvivalAnalysis,
    SurvivalEstimands,
    SurvivalSampler,
    Walk,
    WeibullBaseline,
)
from ixa_bayes.models.template import write_model_template
from ixa_bayes.study.locate import builtin_root

RUN = CliRunner()
GUIDE = (builtin_root() / "docs" / "model.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```toml\n(.*?)```", GUIDE, flags=re.DOTALL)
MODELS = (
    *(HorseshoePrior, MedianPrior, MissingModel, ModelCovariate, NormalPrior, PiecewiseBaseline, R2D2Prior, RatePrior),
    *(ShapePrior, StudentTPrior, SurvivalAnalysis, SurvivalEstimands, SurvivalSampler, Walk, WeibullBaseline),
)


def analysis_of(path: Path) -> SurvivalAnalysis:
    analysis = read_model(path).analysis
    assert isinstance(analysis, SurvivalAnalysis)
    return analysis


def odd_cohort() -> Cohort:
    """Columns as hospitals name them, some of which no model can use."""
    n = 40
    rng = np.random.default_rng(3)
    columns = {
        "Größe": rng.normal(170, 10, n),
        "EMD ja/nein": rng.integers(0, 2, n),
        "EMD, ja nein": [*rng.integers(0, 2, n - 3), None, None, None],
        "β2": rng.normal(3, 0.001, n),
        "2nd line": rng.integers(0, 2, n),
        "age>=80": rng.integers(0, 2, n),
        "constant": 1,
        "empty": np.nan,
        "surname": [f"N{i}" for i in range(n)],
        "stage": rng.choice(["I", 'I"I', "III"], n),
    }
    follow_up = {"patient": range(n), "os_time": rng.exponential(20, n) + 0.1, "os_event": rng.integers(0, 2, n)}
    stage = {"kind": "ordered", "levels": ["I", 'I"I', "III"], "label": 'stage "at entry"\n'}
    return read_cohort(pd.DataFrame(follow_up | columns), description={"covariates": {"stage": stage}})


@pytest.mark.parametrize("endpoint", ["pfs", "os"])
def test_the_written_model_applies_to_the_cohort(tmp_path: Path, endpoint: str) -> None:
    path = tmp_path / "Mein Modell.toml"
    done = RUN.invoke(app, ["new-model", str(path), "--cohort", "example_cohort", "--endpoint", endpoint])
    assert done.exit_code == 0, done.output
    assert f"ixa-bayes fit '{path}' --cohort example_cohort" in done.output
    analysis, cohort = analysis_of(path), read_cohort("example_cohort")
    assert (analysis.name, analysis.endpoint) == ("mein_modell", endpoint)
    question = question_of(analysis, cohort)
    assert list(question.design.terms) == list(cohort.declared)
    assert question.design.n_lost == 0
    assert question.design.marginalised == ("high_risk_cytogenetics",)
    assert (analysis.covariates["age"].per, analysis.covariates["age"].centre) == (5, 65)
    assert np.abs(question.design.matrix.to_numpy()[:, :3]).max() <= 10


def test_the_template_of_a_cohort_gets_a_model(tmp_path: Path) -> None:
    write_cohort_template(tmp_path / "c", name="new")
    assert write_model_template(tmp_path / "m.toml", cohort=read_cohort(tmp_path / "c")) == 8
    assert analysis_of(tmp_path / "m.toml").endpoint == "pfs"


def test_columns_keep_their_spelling_and_unusable_ones_say_why(tmp_path: Path) -> None:
    cohort, path = odd_cohort(), tmp_path / "m.toml"
    assert write_model_template(path, cohort=cohort) == 6
    analysis, text = analysis_of(path), path.read_text(encoding="utf-8")
    sources = {name: covariate.source for name, covariate in analysis.covariates.items()}
    assert sources == {
        "groesse": "Größe",
        "emd_ja_nein": "EMD ja/nein",
        "emd_ja_nein_2": "EMD, ja nein",
        "x_2": "β2",
        "x_2nd_line": "2nd line",
        "stage": "stage",
    }
    assert analysis.covariates["emd_ja_nein_2"].missing == "marginalise"
    for column, why in {
        "age>=80": "rename",
        "constant": "same for everybody",
        "empty": "no patient has a value",
    }.items():
        assert re.search(rf"^# {re.escape(column)}: .*{why}", text, flags=re.MULTILINE)
    assert "N0" not in text
    assert "# surname: words without a reference level" in text
    assert len(design_of(cohort, analysis).matrix) == 40


def test_a_model_file_is_not_overwritten_and_faults_are_told(tmp_path: Path) -> None:
    path, cohort = tmp_path / "m.toml", read_cohort("example_cohort")
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="--force"):
        write_model_template(path, cohort=cohort)
    with pytest.raises(InputError, match="cohort example_cohort has pfs, os"):
        write_model_template(path, cohort=cohort, endpoint="pf", force=True)
    assert path.read_text(encoding="utf-8") == "mine"
    with pytest.raises(InputError, match=r"ends in \.toml"):
        write_model_template(tmp_path / "m.txt", cohort=cohort)


@pytest.mark.parametrize("name", ["patients.toml", "cohort.toml"])
def test_a_model_never_takes_the_place_of_a_description(tmp_path: Path, name: str) -> None:
    write_cohort_template(tmp_path, name="new")
    with pytest.raises(InputError, match="choose another name"):
        write_model_template(tmp_path / name, cohort=read_cohort(tmp_path), force=True)
    assert read_cohort(tmp_path).name == "new"


def test_the_list_and_the_help_lead_to_it() -> None:
    assert "new-model" in RUN.invoke(app, ["list"]).output
    assert "new-model" in RUN.invoke(app, ["--help"]).output


# The guide -------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_every_example_of_the_guide_applies_to_the_example_cohort(number: int) -> None:
    content = tomllib.loads(EXAMPLES[0]) | tomllib.loads(EXAMPLES[number])
    analysis = SurvivalAnalysis.model_validate(content)
    question = question_of(analysis, read_cohort("example_cohort"))
    assert question.design.priors


def test_the_guide_names_every_key() -> None:
    assert len(EXAMPLES) == 5
    for model in MODELS:
        for name, field in model.model_fields.items():
            key = field.alias or name
            sections = ("missing", "estimands", "sampler")
            marks = (f"`{key}`", f"`[{key}]`", *(f"`{section}.{key}`" for section in sections))
            assert any(mark in GUIDE for mark in marks), (model.__name__, key)


def test_what_priors_imply_is_as_the_guide_says() -> None:
    rows = re.findall(r"^\| (normal|student_t), (.*?) \| (\S+) \| (\S+) and (\S+) \|", GUIDE, flags=re.MULTILINE)
    assert len(rows) == 5
    for kind, words, median, low, high in rows:
        numbers = {name: float(value) for name, value in re.findall(r"(\w+) (-?[\d.]+)", words)}
        percentiles = [0.5, 0.025, 0.975]
        if kind == "normal":
            logs = norm.ppf(percentiles, numbers["mean"], numbers["sd"])
        else:
            logs = t.ppf(percentiles, numbers["df"], numbers["location"], numbers["scale"])
        told = [float(median), float(low), float(high)]
        np.testing.assert_allclose(np.exp(logs), told, rtol=0.02)


def test_defaults_stand_in_the_guide_as_they_are() -> None:
    for text, value in {
        "| 0.5 | horseshoe: scale": HorseshoePrior.model_fields["global_scale"].default,
        "| 0.3, 3 | R2D2": R2D2Prior.model_fields["r2_mean"].default,
        "| 0.9 | higher": SurvivalSampler().target_accept,
        "| 12, 24 | when": SurvivalEstimands().times[0],
        "| 24 | until when": SurvivalEstimands().horizon,
    }.items():
        assert text in GUIDE
        assert text.startswith(f"| {value:g}")
