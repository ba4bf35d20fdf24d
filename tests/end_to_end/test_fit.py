"""From a model file and a table of patients to a folder of results, by the command line and back again."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from ixa_bayes.cohort.table import read_cohort
from ixa_bayes.errors import InputError
from ixa_bayes.inference.survival.file import PATIENT_LEVEL, POSTERIOR, fit_of, save_fit
from ixa_bayes.inference.survival.fitting import fit_survival
from ixa_bayes.inference.survival.question import question_of
from ixa_bayes.models.survival_analysis import SurvivalAnalysis

pytestmark = pytest.mark.compiles

MODEL = """
kind = "survival"
name = "small"
title = "A small model"
endpoint = "os"
[baseline]
law = "weibull"
[baseline.median]
months = 12.0
log_sd = 1.0
source = "test"
[baseline.shape]
log_sd = 0.5
source = "test"
[covariates.emd]
prior = {{ kind = "normal", sd = 1.0, source = "test" }}
[sampler]
draws = {draws}
tune = 200
"""


def _table(n: int = 40) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    times = {"os_time": rng.exponential(10, n).round(1) + 0.1, "os_event": rng.integers(0, 2, n)}
    emd = np.where(np.arange(n) < 3, np.nan, rng.integers(0, 2, n))
    return pd.DataFrame({"patient": [f"secret{i}" for i in range(n)], **times, "emd": emd})


def _run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ixa_bayes", "fit", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=os.environ | {"NO_COLOR": "1"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("fit")
    (where / "small.toml").write_text(MODEL.format(draws=1000), encoding="utf-8")
    (where / "short.toml").write_text(MODEL.format(draws=100), encoding="utf-8")
    _table().to_csv(where / "patients.csv", index=False)
    return where


def test_a_fit_of_real_patients_says_little_of_few_and_nothing_of_one(folder: Path) -> None:
    done = _run("small.toml", "--cohort", "patients.csv", "--output", "out", cwd=folder)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("Prior: median of the reference profile")
    assert "Left out: <5 without a value of a covariate (emd <5)" in lines
    assert lines[-1] == "Report: out/report.html"
    private = folder / "out" / PATIENT_LEVEL
    assert private.stat().st_mode & 0o077 == 0
    assert f"Rows of patients: out/{PATIENT_LEVEL} (keep it as safe as the cohort)" in lines
    shared = [path for path in (folder / "out").rglob("*") if path.is_file() and path != private]
    assert not [path for path in shared if b"secret" in path.read_bytes()]
    with xr.open_datatree(folder / "out" / POSTERIOR, engine="h5netcdf") as posterior:
        assert set(posterior.children) == {"posterior", "sample_stats", "log_prior"}
        assert "row" not in posterior["posterior"].dims
    before = private.stat().st_mtime_ns
    again = _run("small.toml", "--cohort", "patients.csv", "--output", "out", cwd=folder)
    assert "Nothing has changed" in again.stdout
    assert private.stat().st_mtime_ns == before


def test_a_fit_that_has_not_converged_says_so_and_fails(folder: Path) -> None:
    arguments = ["short.toml", "--cohort", "patients.csv", "--output", "short"]
    failed = _run(*arguments, cwd=folder)
    assert failed.returncode == 1
    assert "Not converged:" in failed.stderr
    report = (folder / "short" / "report.html").read_text(encoding="utf-8")
    assert "not converge" in report
    assert not pd.read_csv(folder / "short" / "diagnostics.csv")["ok"].all()
    assert _run(*arguments, "--allow-unconverged", cwd=folder).returncode == 0


@pytest.mark.parametrize(
    ("model", "cohort", "told"),
    [
        ("pfs_weibull", "patients.csv", "cohort patients has follow-up for os"),
        ("orr", "patients.csv", "must be survival here"),
        ("small.toml", "nobody.csv", "neither a path nor a built-in name"),
    ],
)
def test_what_does_not_go_together_ends_with_2(folder: Path, model: str, cohort: str, told: str) -> None:
    refused = _run(model, "--cohort", cohort, cwd=folder)
    assert refused.returncode == 2
    assert told in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_fit_is_read_back_as_it_was_and_only_for_its_own_question(tmp_path: Path) -> None:
    import tomllib

    analysis = SurvivalAnalysis.model_validate(tomllib.loads(MODEL.format(draws=1000)))
    question = question_of(analysis, read_cohort(_table()))
    fit = fit_survival(question, seed=3)
    save_fit(fit, tmp_path)
    back = fit_of(question, tmp_path)
    xr.testing.assert_equal(back.posterior["posterior"].to_dataset(), fit.posterior["posterior"].to_dataset())
    xr.testing.assert_equal(back.posterior["log_likelihood"].to_dataset(), fit.posterior["log_likelihood"].to_dataset())
    assert back.convergence.ok == fit.convergence.ok
    other = question_of(analysis, read_cohort(_table().assign(os_time=lambda t: t["os_time"] + 1)))
    with pytest.raises(InputError, match="data_sha256"):
        fit_of(other, tmp_path)
    with pytest.raises(InputError, match="no such file"):
        fit_of(question, tmp_path / "elsewhere")
