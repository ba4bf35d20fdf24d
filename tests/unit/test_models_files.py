import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ixa_bayes.cohort.table import read_cohort
from ixa_bayes.errors import InputError
from ixa_bayes.models.analysis import models_for, read_model
from ixa_bayes.models.design_matrix import design_of
from ixa_bayes.models.effects import EffectAnalysis
from ixa_bayes.models.survival_analysis import SurvivalAnalysis
from ixa_bayes.study.locate import builtin_names, locate

from .conftest import StudyMaker

RATE = {"endpoint": "response", "kind": "percent", "value": "33.0"}


@pytest.fixture
def hazard_ratios() -> str:
    return locate("hazard_ratios", "model").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", builtin_names("model"))
def test_built_in_models_read(name: str) -> None:
    model = read_model(name)
    assert model.analysis.name == name
    assert len(model.sha256) == 64


def test_a_path_wins_over_a_built_in_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hazard_ratios: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hazard_ratios").write_text(hazard_ratios.replace("design_ratio = 2.0", "design_ratio = 1.5"))
    analysis = read_model("hazard_ratios").analysis
    assert isinstance(analysis, EffectAnalysis)
    assert analysis.grid.design_ratio == 1.5


def test_without_a_design_ratio_only_neutral_priors_exist(tmp_path: Path, hazard_ratios: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(hazard_ratios.replace("design_ratio = 2.0", ""), encoding="utf-8")
    analysis = read_model(path).analysis
    assert isinstance(analysis, EffectAnalysis)
    assert [prior.name for prior in analysis.fixed_priors()] == ["neutral_weak", "neutral_moderate", "neutral_strong"]


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("design_ratio = 2.0", "design_ratio = 1.0", "grid"),
        ("design_ratio = 2.0", "design_ratio = -2.0", "grid.design_ratio"),
        ("equivalence = [0.8, 1.25]", "equivalence = [1.1, 1.25]", ""),
        ("replicates = 8000", "replicates = 80", "calibration.replicates"),
        ('name = "weakly_informative"', 'name = "neutral_weak"', ""),
        ("min_rows = 3", "min_rows = 3\nmaximum = 4", "literature.maximum"),
        ('kind = "published_effect"', 'kind = "guess"', "kind"),
        ('kind = "published_effect"', "", "kind"),
    ],
)
def test_faults_name_file_and_key(tmp_path: Path, hazard_ratios: str, old: str, new: str, key: str) -> None:
    path = tmp_path / "mine.toml"
    assert old in hazard_ratios
    path.write_text(hazard_ratios.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError) as error:
        read_model(path)
    (problem,) = error.value.problems
    assert re.sub(r", line \d+", "", problem.where) == (f"{path}, key {key}" if key else str(path))


def test_a_study_replaces_and_adds_models(make_study: StudyMaker, hazard_ratios: str) -> None:
    study = make_study(RATE)
    built_in = {model.path.stem for model in models_for(study)}
    of_patients = {name for name in builtin_names("model") if isinstance(read_model(name).analysis, SurvivalAnalysis)}
    assert built_in == set(builtin_names("model")) - of_patients
    assert "pfs_weibull" in of_patients
    own = study.folder / "models"
    own.mkdir()
    (own / "hazard_ratios.toml").write_text(hazard_ratios.replace("design_ratio = 2.0", "design_ratio = 3.0"))
    (own / "extra.toml").write_text(locate("orr", "model").read_text(encoding="utf-8").replace('"orr"', '"extra"', 1))
    models = {model.path.stem: model for model in models_for(study)}
    assert set(models) == {*built_in, "extra"}
    assert models["hazard_ratios"].path.parent == own
    (own / "extra.toml").write_text("kind = 1")
    (own / "hazard_ratios.toml").write_text("kind = 2")
    with pytest.raises(InputError) as error:
        models_for(study)
    assert len(error.value.problems) == 2


PRIOR = (
    'prior = { kind = "normal", mean = 0.0, sd = 1.0, '
    'source = "weakly informative: 95% of hazard ratios between 0.14 and 7.1" }'
)


@pytest.mark.parametrize(
    ("old", "new", "key", "told"),
    [
        (
            PRIOR,
            'prior = { kind = "normal", sd = 1.0 }',
            "prior.source",
            "key covariates.gfr_le_70.prior.source is missing",
        ),
        (PRIOR, 'prior = { sd = 1.0, source = "x" }', "prior.kind", "one of normal, student_t"),
        (PRIOR, 'prior = { kind = "normal", sdd = 1.0, source = "x" }', "prior.sdd", "write 'sd'"),
        (PRIOR, 'prior = { kind = "norml", sd = 1.0, source = "x" }', "prior.kind", "write 'normal'"),
        (PRIOR, f"{PRIOR}\nmising = 'marginalise'", "mising", "write 'missing'"),
    ],
)
def test_faults_of_a_prior_are_named_as_it_is_written(tmp_path: Path, old: str, new: str, key: str, told: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(locate("pfs_weibull", "model").read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError) as error:
        read_model(path)
    (problem,) = error.value.problems
    assert problem.where.endswith(f"key covariates.gfr_le_70.{key}")
    assert told in str(problem)
    assert ".normal." not in str(problem)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("pfs_weibul", "pfs_weibull"),
        ("PFS-Weibull", "pfs_weibull"),
        ("my_modle.toml", "my_model.toml"),
        ("sub/other_mode.toml", "sub/other_model.toml"),
        ("sub/pfs_weibul", ""),
        ("nothing_like_it", ""),
        ("nowhere/my_model.toml", ""),
    ],
)
def test_a_misspelt_model_is_recognised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, meant: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    for file in ("my_model.toml", "sub/other_model.toml", "sub/other_mode.txt"):
        (tmp_path / file).write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="neither a path nor a built-in name") as error:
        read_model(name)
    (problem,) = error.value.problems
    assert problem.mend.startswith(f"did you mean {meant}?" if meant else "check the spelling")


def test_a_misspelt_study_and_cohort_are_recognised() -> None:
    for kind, name, meant in (("study", "zhuo2026", "zhou2026"), ("cohort", "exampel_cohort", "example_cohort")):
        with pytest.raises(InputError, match=f"did you mean {meant}"):
            locate(name, kind)


def test_a_factor_without_a_reference_is_declared_where_its_cohort_is() -> None:
    table = {
        "patient": range(6),
        "pfs_time": np.arange(6) + 1.0,
        "pfs_event": [0, 1] * 3,
        "stage": ["I", "II", "III"] * 2,
    }
    content = {
        "kind": "survival",
        "name": "m",
        "title": "t",
        "endpoint": "pfs",
        "covariates": {"stage": {"prior": NORMAL}},
    }
    analysis = SurvivalAnalysis.model_validate(content | {"baseline": WEIBULL})
    with pytest.raises(InputError, match="declare `reference` of stage in description="):
        design_of(read_cohort(pd.DataFrame(table)), analysis)


NORMAL = {"kind": "normal", "sd": 1.0, "source": "test"}
WEIBULL = {
    "law": "weibull",
    "median": {"months": 12.0, "log_sd": 1.0, "source": "t"},
    "shape": {"log_sd": 0.5, "source": "t"},
}
