"""The template of a new study: reads without a fault, never overwrites unasked, describes what is read."""

import math
import tomllib
from pathlib import Path
from statistics import NormalDist

import pytest

from ixa_bayes.errors import InputError
from ixa_bayes.formulas.printed import parse_p
from ixa_bayes.study.audit import audit
from ixa_bayes.study.definition import StudyDefinition
from ixa_bayes.study.ledger import read_study
from ixa_bayes.study.ledger_rows import COLUMNS, KINDS
from ixa_bayes.study.literature import (
    TABLES,
    read_cited,
    read_factors,
    read_prognostic_hr,
    read_response,
    read_survival,
)
from ixa_bayes.study.template import FILES, format_description, write_template


def test_the_template_reads_without_a_fault(tmp_path: Path) -> None:
    write_template(tmp_path / "new", name="my_cohort")
    study = read_study(tmp_path / "new")
    assert study.definition.name == "my_cohort"
    assert "myeloma" not in study.definition.disease.lower()
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(FILES)


def test_the_template_shows_what_papers_do(tmp_path: Path) -> None:
    write_template(tmp_path, name="example")
    study = read_study(tmp_path)
    table = study.statistics
    assert len(table) >= 12
    assert any(len(factor.levels) == 3 for factor in study.definition.factors.values())
    assert "relapse_free_survival" in set(table["endpoint"])
    assert {"<0.001", "NS"} <= set(table["p"])
    sizes = table[table["endpoint"].eq("patients") & table["kind"].eq("percent")]
    assert (sizes["count"].eq("") & ~sizes["value"].str.contains(".", regex=False)).any()
    ratios = table[table["kind"].eq("hazard_ratio") & table["level"].eq("iiic")]
    assert set(ratios["location"]) == {"abstract", "table 3"}
    assert ratios["value"].nunique() == 2, "the repeat differs in its digits"


def test_the_template_shows_every_key_of_a_definition(tmp_path: Path) -> None:
    write_template(tmp_path, name="example")
    text = (tmp_path / "study.toml").read_text(encoding="utf-8")
    content = tomllib.loads(text)
    assert set(StudyDefinition.model_fields) - set(content) == {"adjudications", "literature", "main_response"}
    assert "[[adjudications]]" in text, "shown as a comment, since the example needs none"
    assert '\n# literature = "literature"\n' in text, "shown as a comment, since the example is invented"


def test_the_commented_literature_folder_works(tmp_path: Path) -> None:
    write_template(tmp_path, name="example")
    assert read_study(tmp_path).literature_folder is None
    file = tmp_path / "study.toml"
    file.write_text(file.read_text(encoding="utf-8").replace("# literature = ", "literature = "), encoding="utf-8")
    (tmp_path / "literature").mkdir()
    assert read_study(tmp_path).literature_folder == (tmp_path / "literature").resolve()


def test_the_commented_adjudication_works(tmp_path: Path) -> None:
    write_template(tmp_path, name="example")
    file = tmp_path / "study.toml"
    head, mark, tail = file.read_text(encoding="utf-8").partition("# [[adjudications]]")
    assert mark
    file.write_text(head + (mark + tail).replace("\n# ", "\n").removeprefix("# "), encoding="utf-8")
    assert read_study(tmp_path).definition.adjudications[0].row == "toxicity_3"


def test_the_description_is_the_readers(tmp_path: Path) -> None:
    write_template(tmp_path, name="example")
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert text == format_description()
    assert all(f"| `{column}` | {meaning} |" in text for column, meaning in COLUMNS.items())
    assert all(f"| `{kind}` |" in text for kind in KINDS)
    for name, schema in TABLES.items():
        row = next(line for line in text.splitlines() if line.startswith(f"| `{name}` |"))
        assert all(f"`{column}`" in row for column in schema.columns)


def test_the_literature_as_described_reads(tmp_path: Path) -> None:
    """Files of the needed columns alone, without a row, are a literature that has nothing to tell."""
    for line in format_description().splitlines():
        if line.startswith("| `") and ".csv` |" in line:
            name, needed = (cell.strip() for cell in line.split("|")[1:3])
            (tmp_path / name.strip("`")).write_text(needed.replace("`", "").replace(" ", "") + "\n", encoding="utf-8")
    assert {path.name for path in tmp_path.iterdir()} == set(TABLES)
    for read in (read_response, read_survival, read_prognostic_hr, read_cited, read_factors):
        assert read(tmp_path).empty


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        write_template(tmp_path, name="example")
    assert [Path(problem.where).name for problem in caught.value.problems] == ["study.toml"]
    assert (tmp_path / "study.toml").read_text(encoding="utf-8") == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["study.toml"]


def test_force_replaces_the_three_files_and_keeps_the_rest(tmp_path: Path) -> None:
    for name in ("study.toml", "notes.txt"):
        (tmp_path / name).write_text("mine", encoding="utf-8")
    write_template(tmp_path, name="example", force=True)
    assert read_study(tmp_path).definition.name == "example"
    assert (tmp_path / "notes.txt").read_text(encoding="utf-8") == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*FILES, "notes.txt"])


@pytest.mark.parametrize("name", ["", "Two Words", "9lives", "a/b", "a" * 61, "tail\n"])
def test_a_bad_name_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError) as caught:
        write_template(tmp_path / "new", name=name)
    assert caught.value.problems[0].found == repr(name)
    assert not (tmp_path / "new").exists()


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "new").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="must be a folder"):
        write_template(tmp_path / "new", name="example", force=True)


def test_the_examples_ratios_agree_with_their_intervals(tmp_path: Path) -> None:
    """A template that contradicts itself would teach the wrong thing."""
    write_template(tmp_path, name="example")
    table = read_study(tmp_path).statistics
    for row in table[table["kind"].eq("hazard_ratio")].to_dict("records"):
        estimate, lower, upper = (math.log(float(row[column])) for column in ("value", "lower", "upper"))
        assert abs(estimate - (lower + upper) / 2) < 0.02
        p = 2 * NormalDist().cdf(-abs(estimate) / ((upper - lower) / 3.92))
        low, high = parse_p(row["p"]).interval()
        assert low * 0.8 < p < high * 1.2


def test_the_audit_reads_the_example_and_finds_no_contradiction(tmp_path: Path) -> None:
    write_template(tmp_path, name="example")
    findings = audit(read_study(tmp_path))
    assert not findings.empty
    assert set(findings["severity"]) <= {"note", "not_computable"}
