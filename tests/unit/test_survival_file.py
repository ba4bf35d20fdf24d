"""A fit in its folder finds its model and its cohort again, or says what is missing."""

import re
from pathlib import Path

import pandas as pd
import pytest
import xarray as xr

from ixa_bayes.cohort.table import read_cohort
from ixa_bayes.errors import InputError
from ixa_bayes.inference.survival.file import COHORT_SOURCE, PATIENT_LEVEL, POSTERIOR, load_fit, save_fit
from ixa_bayes.inference.survival.question import SurvivalQuestion, question_of

from .fits import patients, question, written_fit

DESCRIPTION = """
name = "toy"
evidence_kind = "patients"
[endpoints.pfs]
label = "Progression <i>free</i>"
[covariates.marker]
kind = "binary"
[covariates.stage]
kind = "categorical"
levels = ["a", "b", "c"]
reference = "a"
[covariates.sex]
kind = "binary"
levels = ["female", "male"]
[covariates.age]
kind = "continuous"
unit = "years"
"""


def _in_a_file(folder: Path, table: pd.DataFrame | None = None) -> SurvivalQuestion:
    (patients() if table is None else table).to_csv(folder / "patients.csv", index=False)
    (folder / "cohort.toml").write_text(DESCRIPTION, encoding="utf-8")
    return question_of(question().analysis, read_cohort(folder))


def test_a_fit_finds_its_model_and_its_cohort(tmp_path: Path) -> None:
    asked = _in_a_file(tmp_path)
    save_fit(written_fit(asked), tmp_path / "out")
    back = load_fit(tmp_path / "out")
    assert back.question.analysis == asked.analysis
    assert back.question.data_sha256() == asked.data_sha256()
    assert set(back.posterior.children) == {"posterior", "sample_stats", "log_prior", "log_likelihood"}
    for file, kept in ((POSTERIOR, False), (PATIENT_LEVEL, True)):
        with xr.open_datatree(tmp_path / "out" / file, engine="h5netcdf") as opened:
            assert (COHORT_SOURCE in opened.attrs) == kept
    assert str(tmp_path).encode() not in (tmp_path / "out" / POSTERIOR).read_bytes()


def test_a_cohort_that_moved_is_named(tmp_path: Path) -> None:
    save_fit(written_fit(_in_a_file(tmp_path)), tmp_path / "out")
    (tmp_path / "elsewhere").mkdir()
    for name in ("patients.csv", "cohort.toml"):
        (tmp_path / name).rename(tmp_path / "elsewhere" / name)
    with pytest.raises(InputError, match=r"patients\.csv, which is not there; .*--cohort"):
        load_fit(tmp_path / "out")
    assert load_fit(tmp_path / "out", cohort=tmp_path / "elsewhere").question.rows.n == 90


def test_a_cohort_that_changed_is_refused(tmp_path: Path) -> None:
    save_fit(written_fit(_in_a_file(tmp_path)), tmp_path / "out")
    _in_a_file(tmp_path, patients().assign(pfs_time=lambda table: table["pfs_time"] + 1))
    with pytest.raises(InputError, match="found other patients; must be the patients of the fit"):
        load_fit(tmp_path / "out")


def test_another_cohort_is_told_from_the_one_that_was_fitted(tmp_path: Path) -> None:
    save_fit(written_fit(_in_a_file(tmp_path)), tmp_path / "out")
    fitted = re.escape(f"which were those of {tmp_path / 'patients.csv'}")
    other, rows = tmp_path / "other", patients()
    other.mkdir()
    _in_a_file(other, rows.assign(pfs_time=rows["pfs_time"] + 1))
    with pytest.raises(InputError, match=f"found other patients; .*{fitted}"):
        load_fit(tmp_path / "out", cohort=other)
    with pytest.raises(InputError, match=f"found other patients; .*{fitted}(.|\n)*must be a column of cohort"):
        load_fit(tmp_path / "out", cohort=rows[["patient", "pfs_time", "pfs_event"]])


def test_without_rows_of_patients_or_a_file_the_cohort_is_asked_for(tmp_path: Path) -> None:
    asked = question()
    save_fit(written_fit(asked), tmp_path / "out")
    with pytest.raises(InputError, match="a fit to a table in memory"):
        load_fit(tmp_path / "out")
    assert load_fit(tmp_path / "out", cohort=asked.cohort).question.rows.n == 90
    (tmp_path / "out" / PATIENT_LEVEL).unlink()
    with pytest.raises(InputError, match=f"no {PATIENT_LEVEL}, which knows where its cohort is"):
        load_fit(tmp_path / "out")
    assert "log_likelihood" not in load_fit(tmp_path / "out", cohort=asked.cohort).posterior.children
    with pytest.raises(InputError, match="no such file"):
        load_fit(tmp_path / "nowhere")


def test_a_built_in_cohort_is_found_by_its_name(tmp_path: Path) -> None:
    example = read_cohort("example_cohort")
    analysis = question(covariates={}).analysis.model_copy(update={"endpoint": "os"})
    save_fit(written_fit(question_of(analysis, example)), tmp_path / "out")
    with xr.open_datatree(tmp_path / "out" / PATIENT_LEVEL, engine="h5netcdf") as opened:
        assert opened.attrs[COHORT_SOURCE] == "example_cohort"
    assert load_fit(tmp_path / "out").question.cohort.sha256 == example.sha256
