"""Which literature a study uses: the folder that it names, or none."""

import re
from pathlib import Path

import pytest

from ixa_bayes.errors import InputError
from ixa_bayes.study.ledger import read_study
from ixa_bayes.study.locate import builtin_root

from .conftest import DEFINITION, StudyMaker

RATE = {"endpoint": "response", "kind": "percent", "value": "33.0"}


def naming(folder: str) -> str:
    return DEFINITION.replace('main_population = "all"', f'main_population = "all"\nliterature = "{folder}"')


def test_a_study_that_names_no_folder_has_no_literature(make_study: StudyMaker) -> None:
    assert make_study(RATE).literature_folder is None


def test_the_folder_is_relative_to_the_study(make_study: StudyMaker, tmp_path: Path) -> None:
    for name in ("literature", f"../{tmp_path.name}_beside"):
        (tmp_path / name).mkdir()
        assert make_study(RATE, definition=naming(name)).literature_folder == (tmp_path / name).resolve()


def test_the_built_in_study_names_the_built_in_literature() -> None:
    assert read_study("zhou2026").literature_folder == (builtin_root() / "data" / "external").resolve()


def test_a_folder_that_does_not_exist_is_told_with_the_other_faults(make_study: StudyMaker, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        make_study(RATE | {"value": "130"}, definition=naming("nowhere"))
    assert [problem.found for problem in caught.value.problems] == ["'130'", "'nowhere'"]
    assert re.search(r"study\.toml, line \d+, key literature$", caught.value.problems[1].where)


def test_a_file_is_no_folder(make_study: StudyMaker, tmp_path: Path) -> None:
    (tmp_path / "response.csv").touch()
    with pytest.raises(InputError, match="must be a folder"):
        make_study(RATE, definition=naming("response.csv"))


@pytest.mark.parametrize("folder", ["/data/literature", "C:/literature", "//server/share/literature"])
def test_a_folder_that_only_one_machine_has_is_refused(make_study: StudyMaker, folder: str) -> None:
    with pytest.raises(InputError, match="relative to the study's") as caught:
        make_study(RATE, definition=naming(folder))
    assert caught.value.problems[0].found == repr(folder)


def test_a_changed_table_changes_the_hash_of_the_study(make_study: StudyMaker, tmp_path: Path) -> None:
    (tmp_path / "literature").mkdir()
    hashes = []
    for content in ("a", "b"):
        (tmp_path / "literature" / "response.csv").write_text(content, encoding="utf-8")
        hashes.append(make_study(RATE, definition=naming("literature")).input_hash)
    assert hashes[0] != hashes[1]
    assert make_study(RATE, definition=naming("literature")).input_hash == hashes[1]
