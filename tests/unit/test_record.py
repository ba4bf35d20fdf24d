"""The record beside results: what a folder may lose, and what it may not."""

import json
from pathlib import Path

import pytest

from ixa_bayes.errors import InputError
from ixa_bayes.report.record import RECORD, Told, check_nothing_foreign, kept, provenance, write_record


def _results(folder: Path) -> Path:
    (folder / "tables").mkdir()
    (folder / "tables" / "a.csv").write_text("1")
    write_record(folder, provenance("a study", {"ledger": "abc"}, seed=3), Told(["all well"], []))
    return folder


def test_a_run_is_kept_while_its_inputs_and_files_are_the_same(tmp_path: Path) -> None:
    folder = _results(tmp_path)
    assert kept(folder, {"ledger": "abc"}, 3) == Told(["all well"], [])
    assert kept(folder, {"ledger": "abd"}, 3) is None
    assert kept(folder, {"ledger": "abc"}, 4) is None
    (folder / "tables" / "a.csv").unlink()
    assert kept(folder, {"ledger": "abc"}, 3) is None


def test_files_of_somebodys_own_are_named_and_never_replaced(tmp_path: Path) -> None:
    folder = _results(tmp_path)
    (folder / ".DS_Store").write_text("")
    check_nothing_foreign(folder)
    (folder / "tables" / "my_notes.txt").write_text("precious")
    with pytest.raises(InputError) as error:
        check_nothing_foreign(folder)
    (problem,) = error.value.problems
    assert problem.found == "tables/my_notes.txt"


def test_a_folder_without_results_has_nothing_foreign(tmp_path: Path) -> None:
    check_nothing_foreign(tmp_path / "new")
    assert json.loads((_results(tmp_path) / RECORD).read_text())["files"] == ["tables/a.csv"]


def test_results_about_the_results_go_with_them_and_others_do_not(tmp_path: Path) -> None:
    folder = _results(tmp_path)
    for name, subject in (("calibration", "calibration of a study"), ("mine", "calibration of another study")):
        (folder / name).mkdir()
        (folder / name / "ranks.csv").write_text("1")
        write_record(folder / name, provenance(subject, {}, seed=3), Told([], []))
    assert kept(folder, {"ledger": "abc"}, 3) == Told(["all well"], [])
    with pytest.raises(InputError, match=r"found mine/provenance\.json, mine/ranks\.csv; "):
        check_nothing_foreign(folder)
    for file in (folder / "mine").iterdir():
        file.unlink()
    check_nothing_foreign(folder)
    (folder / "calibration" / "notes.txt").write_text("precious")
    with pytest.raises(InputError, match=r"found calibration/notes\.txt; "):
        check_nothing_foreign(folder)
