import dataclasses
from pathlib import Path

import pytest

from ixa_bayes.errors import InputError, Problem
from ixa_bayes.study.ledger import MOST_ROWS, read_study
from ixa_bayes.study.ledger_rows import COLUMNS

from .conftest import DEFINITION, StudyMaker

HR = {
    "endpoint": "rfs",
    "factor": "marker",
    "level": "yes",
    "comparator": "no",
    "kind": "hazard_ratio",
    "value": "2.0",
    "lower": "1.0",
    "upper": "4.0",
    "interval": "ci95",
    "adjustment": "multivariable",
}
RATE = {"endpoint": "response", "kind": "percent", "value": "33.0"}


def _only_problem(error: pytest.ExceptionInfo[InputError]) -> Problem:
    assert len(error.value.problems) == 1, error.value
    return error.value.problems[0]


def _write(folder: Path, statistics: bytes, definition: str = DEFINITION) -> Path:
    (folder / "study.toml").write_text(definition, encoding="utf-8")
    (folder / "statistics.csv").write_bytes(statistics)
    return folder


def _csv(*rows: dict[str, str]) -> str:
    lines = [",".join(COLUMNS), *(",".join(row.get(column, "") for column in COLUMNS) for row in rows)]
    return "\n".join(lines) + "\n"


FULL = {"id": "a", "location": "abstract", "population": "all"}


def test_printed_strings_are_kept(make_study: StudyMaker) -> None:
    study = make_study(RATE, HR)
    assert study.statistics.loc["row_0", "value"] == "33.0"
    assert study.statistics.loc["row_1", ["value", "lower", "upper"]].tolist() == ["2.0", "1.0", "4.0"]
    assert study.statistics.loc["row_1", "line"] == 3


@pytest.mark.parametrize(
    ("cells", "column", "found"),
    [
        (RATE | {"value": "130"}, "value", "'130'"),
        (RATE | {"value": "33,0"}, "value", "'33,0'"),
        (RATE | {"value": "not reached"}, "value", "'not reached'"),
        (HR | {"value": "not reached"}, "value", "'not reached'"),
        (RATE | {"value": ""}, "value", "an empty cell"),
        (RATE | {"count": "8", "denominator": "7"}, "count", "'8'"),
        (RATE | {"count": "7.5"}, "count", "'7.5'"),
        (RATE | {"population": "some"}, "population", "'some'"),
        (RATE | {"factor": "colour"}, "factor", "'colour'"),
        (RATE | {"factor": "sex", "level": "neither"}, "level", "'neither'"),
        (RATE | {"level": "female"}, "level", "'female'"),
        (RATE | {"endpoint": "happiness"}, "endpoint", "'happiness'"),
        (RATE | {"kind": "guess"}, "kind", "'guess'"),
        (RATE | {"location": ""}, "location", "an empty cell"),
        (RATE | {"id": "Upper Case"}, "id", "'Upper Case'"),
        (RATE | {"reading": "ambiguous"}, "note", "an empty cell"),
        (RATE | {"claim": "superb"}, "claim", "'superb'"),
        (RATE | {"p": "1.2"}, "p", "'1.2'"),
        (RATE | {"p": "significant"}, "p", "'significant'"),
        (HR | {"value": "4.5"}, "value", "'4.5'"),
        (HR | {"lower": "5"}, "lower", "'5'"),
        (HR | {"value": "-2", "lower": "", "upper": "", "interval": ""}, "value", "'-2'"),
        (HR | {"interval": ""}, "interval", "an empty cell"),
        (HR | {"lower": "", "upper": ""}, "interval", "'ci95'"),
        (RATE | {"value": "130", "reading": "impossible"}, "note", "an empty cell"),
        (RATE | {"reading": "impossible", "note": "checked"}, "reading", "'impossible'"),
        (RATE | {"reading": "unlikely"}, "reading", "'unlikely'"),
        (RATE | {"value": "33,0", "reading": "impossible", "note": "checked"}, "value", "'33,0'"),
        (RATE | {"p": "-0.1"}, "p", "'-0.1'"),
        (HR | {"adjustment": ""}, "adjustment", "an empty cell"),
        (HR | {"level": ""}, "level", "an empty cell"),
        (HR | {"comparator": "yes"}, "comparator", "'yes'"),
        (HR | {"value": "", "lower": "not reached", "kind": "range"}, "lower", "'not reached'"),
    ],
)
def test_each_fault_names_line_column_and_value(
    make_study: StudyMaker, cells: dict[str, str], column: str, found: str
) -> None:
    with pytest.raises(InputError) as error:
        make_study(RATE, cells)
    problem = _only_problem(error)
    assert problem.found == found
    assert f"statistics.csv, line 3, column {column!r}" in problem.where
    assert problem.mend


@pytest.mark.parametrize(
    ("cells", "mend"),
    [
        (RATE | {"value": "63.6%"}, "write 63.6, without the percent sign"),
        (RATE | {"value": "33,0"}, "write 33.0, with a decimal point"),
        (RATE | {"count": "1,234"}, "write 1234 if the comma separates thousands"),
        (RATE | {"p": "<0,001"}, "write <0.001, with a decimal point"),
        (RATE | {"population": "alll"}, "write 'all', or define this population"),
        (RATE | {"factor": "Sex"}, "write 'sex', or define this factor"),
        (RATE | {"factor": "sex", "level": "femal"}, "write 'female', or define the level"),
        (RATE | {"factor": "sex", "level": "female", "comparator": "males"}, "write 'male', or define the level"),
        (RATE | {"endpoint": "responce"}, "write 'response', or define this endpoint"),
        (RATE | {"kind": "percentage"}, "write 'percent'"),
        (RATE | {"population": "nobody"}, "define this population in study.toml or correct the cell"),
        (HR | {"interval": "95ci"}, "write 'ci95'"),
        (HR | {"interval": "sd"}, "correct the cell"),
        (HR | {"interval": "CI-95"}, "write 'ci95'"),
        (HR | {"adjustment": "multivariate"}, "write 'multivariable'"),
    ],
)
def test_a_fault_says_what_was_probably_meant(make_study: StudyMaker, cells: dict[str, str], mend: str) -> None:
    with pytest.raises(InputError) as error:
        make_study(cells)
    assert _only_problem(error).mend.startswith(mend)


@pytest.mark.parametrize(
    ("cells", "at_fault"),
    [
        ({"kind": "median", "value": "3.1", "unit": "years"}, True),
        ({"kind": "range", "lower": "1", "upper": "2", "interval": "range", "unit": "Months"}, True),
        ({"kind": "median", "value": "3.1", "unit": "months"}, False),
        ({"kind": "median", "value": "3.1"}, False),
        ({"kind": "survival_percent", "value": "60", "time": "24", "unit": "%"}, False),
    ],
)
def test_a_unit_is_that_of_its_endpoint(make_study: StudyMaker, cells: dict[str, str], at_fault: bool) -> None:
    if not at_fault:
        assert len(make_study(cells | {"endpoint": "rfs"}).statistics) == 1
        return
    with pytest.raises(InputError) as error:
        make_study(cells | {"endpoint": "rfs"})
    problem = _only_problem(error)
    assert "column 'unit'" in problem.where
    assert problem.rule == "study.toml gives rfs in months"


def test_an_endpoint_without_a_unit_takes_any(make_study: StudyMaker) -> None:
    definition = DEFINITION.replace('\nunit = "months"', "")
    cells = {"endpoint": "rfs", "kind": "median", "value": "3.1", "unit": "years"}
    assert make_study(cells, definition=definition).statistics.loc["row_0", "unit"] == "years"


@pytest.mark.parametrize(
    "cells",
    [
        RATE | {"value": "0"},
        RATE | {"value": "100.0"},
        RATE | {"count": "7", "denominator": "7"},
        RATE | {"count": "123456789"},
        RATE | {"p": "1"},
        RATE | {"p": "0.000"},
        RATE | {"p": "NS"},
        HR | {"lower": "0.00"},
        HR | {"value": "1.0"},
        HR | {"value": "4.0"},
        HR | {"value": "2.0", "lower": "2.0", "upper": "2.0"},
        HR | {"upper": "not reached"},
        HR | {"lower": ""},
        HR | {"upper": ""},
        {"endpoint": "rfs", "kind": "median", "value": "not reached", "lower": "3", "upper": "NR", "interval": "ci95"},
        {"endpoint": "rfs", "kind": "median", "value": "NR", "lower": "NR", "upper": "NR", "interval": "ci95"},
        {"endpoint": "rfs", "kind": "date", "value": "January 2024"},
    ],
)
def test_what_stands_on_the_edge_of_a_rule_is_no_fault(make_study: StudyMaker, cells: dict[str, str]) -> None:
    assert len(make_study(cells).used()) == 1


@pytest.mark.parametrize(
    ("cells", "columns"),
    [
        (HR | {"value": "-3", "lower": "-4", "upper": "-2"}, ["value", "lower", "upper"]),
        (HR | {"lower": "", "interval": ""}, ["interval"]),
        (HR | {"upper": "", "interval": ""}, ["interval"]),
        (RATE | {"count": "1234567890"}, ["count"]),
    ],
)
def test_each_cell_beyond_a_rule_is_at_fault(make_study: StudyMaker, cells: dict[str, str], columns: list[str]) -> None:
    with pytest.raises(InputError) as error:
        make_study(cells)
    assert [problem.where.split("column ")[1].strip("'") for problem in error.value.problems] == columns


def test_all_faults_of_both_rows_are_listed_at_once(make_study: StudyMaker) -> None:
    with pytest.raises(InputError) as error:
        make_study(RATE | {"value": "130"}, HR | {"p": "2"}, RATE | {"population": "x"})
    assert len(error.value.problems) == 3


def test_faults_are_listed_by_line(make_study: StudyMaker) -> None:
    with pytest.raises(InputError) as error:
        make_study(RATE | {"value": "130"}, RATE | {"population": "x"}, RATE | {"kind": "guess"})
    assert [problem.found for problem in error.value.problems] == ["'130'", "'x'", "'guess'"]


@pytest.mark.parametrize(
    "cells",
    [
        RATE | {"value": "130"},
        RATE | {"value": "-1"},
        RATE | {"count": "8", "denominator": "7"},
        RATE | {"kind": "survival_percent", "endpoint": "rfs", "value": "100.5", "time": "12"},
        HR | {"value": "4.5"},
        HR | {"value": "0.5"},
        HR | {"lower": "5"},
        HR | {"value": "0", "lower": "", "upper": "", "interval": ""},
        HR | {"lower": "-0.1"},
        HR | {"p": ">1.2"},
        {"endpoint": "rfs", "kind": "median", "value": "4", "lower": "NR", "upper": "9", "interval": "ci95"},
    ],
)
def test_what_is_printed_though_impossible_is_kept_where_it_is_marked_and_then_used_nowhere(
    make_study: StudyMaker, cells: dict[str, str]
) -> None:
    with pytest.raises(InputError) as error:
        make_study(RATE, cells)
    assert "if the paper really prints this, write impossible in the column reading" in _only_problem(error).mend
    study = make_study(RATE, cells | {"reading": "impossible", "note": "compared with the paper"})
    assert study.statistics.index.tolist() == ["row_0", "row_1"]
    assert study.used().index.tolist() == study.as_printed().used().index.tolist() == ["row_0"]


def test_an_adjudicated_impossible_print_is_used_with_the_value_that_replaces_it(make_study: StudyMaker) -> None:
    printed = RATE | {"value": "350", "reading": "impossible", "note": "compared with the paper"}
    study = make_study(printed, HR, definition=ADJUDICATED)
    assert study.used().loc["row_0", ["value", "reading", "adjudicated"]].tolist() == ["35.0", "", True]
    assert study.as_printed().used().index.tolist() == ["row_1"]
    with pytest.raises(InputError) as error:
        make_study(printed, HR, definition=ADJUDICATED.replace("35.0", "135.0"))
    assert _only_problem(error).rule == "a percentage lies within 0 and 100"


def test_adjudicated_cells_of_one_row_are_checked_together(make_study: StudyMaker) -> None:
    both = "".join(
        f'\n[[adjudications]]\nrow = "row_0"\nfield = "{field}"\nused = "{used}"\nreason = "exchanged"\n'
        for field, used in (("lower", "4.5"), ("upper", "5.0"), ("value", "4.7"))
    )
    assert make_study(HR, definition=DEFINITION + both).used().loc["row_0", "value"] == "4.7"
    with pytest.raises(InputError) as error:
        make_study(HR, definition=DEFINITION + both.replace("4.7", "5.7"))
    assert "key adjudications.2 (value)" in _only_problem(error).where


def test_duplicate_id_is_named(make_study: StudyMaker) -> None:
    with pytest.raises(InputError) as error:
        make_study(RATE | {"id": "same"}, HR | {"id": "same"})
    assert {(problem.found, problem.rule) for problem in error.value.problems} == {("'same'", "must be unique")}


def test_missing_file(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(DEFINITION, encoding="utf-8")
    with pytest.raises(InputError) as error:
        read_study(tmp_path)
    assert _only_problem(error).found == "no such file"


def test_missing_study_lists_what_is_built_in() -> None:
    with pytest.raises(InputError) as error:
        read_study("no_such_study")
    assert "built in are" in _only_problem(error).rule


@pytest.mark.parametrize("name", ["study.toml", "statistics.csv"])
def test_either_file_of_a_study_stands_for_its_folder(tmp_path: Path, name: str) -> None:
    folder = _write(tmp_path, _csv(FULL | RATE).encode())
    assert read_study(folder / name).folder == folder


def test_another_file_is_no_study(tmp_path: Path) -> None:
    path = _write(tmp_path, _csv(FULL | RATE).encode()) / "other.csv"
    path.write_text("a,b", encoding="utf-8")
    with pytest.raises(InputError) as error:
        read_study(path)
    assert _only_problem(error).found == "a file"


def test_wrong_encoding_names_the_line(tmp_path: Path) -> None:
    content = _csv(FULL | RATE, FULL | RATE | {"id": "b", "note": "W\xfcrzburg"}).encode("latin-1")
    with pytest.raises(InputError) as error:
        read_study(_write(tmp_path, content))
    assert "line 3" in _only_problem(error).where
    assert "UTF-8" in _only_problem(error).mend


def test_byte_order_mark_and_windows_lines_are_read(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbf" + _csv(FULL | RATE).replace("\n", "\r\n").encode()
    assert read_study(_write(tmp_path, content)).statistics.index.tolist() == ["a"]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "nothing"),
        ((",".join(COLUMNS) + "\n").encode(), "no rows"),
        (_csv(FULL | RATE).replace("location", "place").encode(), "column 'place'"),
        (_csv(FULL | RATE).replace("note", "unit").encode(), "column 'unit' twice"),
        ((_csv(FULL | RATE) + "b,abstract\n").encode(), "2 cells"),
        ((_csv(FULL | RATE) + 'b,"abstract\n').encode(), "unexpected end of data"),
        (b"id,location\0\n", "a NUL byte"),
    ],
)
def test_broken_tables(tmp_path: Path, content: bytes, found: str) -> None:
    with pytest.raises(InputError) as error:
        read_study(_write(tmp_path, content))
    assert found in {problem.found for problem in error.value.problems}


def test_line_numbers_survive_line_breaks_inside_cells(tmp_path: Path) -> None:
    rows = _csv(FULL | RATE | {"note": '"two\nlines"'}, FULL | RATE | {"id": "b", "value": "999"})
    with pytest.raises(InputError) as error:
        read_study(_write(tmp_path, rows.encode()))
    assert "line 4" in _only_problem(error).where


def test_a_hundred_thousand_rows_are_no_ledger(tmp_path: Path) -> None:
    rows = [FULL | RATE | {"id": f"r{index}"} for index in range(100_000)]
    with pytest.raises(InputError) as error:
        read_study(_write(tmp_path, _csv(*rows).encode()))
    assert _only_problem(error).found == "100,000 rows"


def test_the_largest_ledger_reads(tmp_path: Path) -> None:
    rows = [FULL | RATE | {"id": f"r{index}"} for index in range(MOST_ROWS)]
    assert len(read_study(_write(tmp_path, _csv(*rows).encode())).statistics) == MOST_ROWS


def test_only_the_first_of_many_faults_are_shown(make_study: StudyMaker) -> None:
    with pytest.raises(InputError) as error:
        make_study(*(RATE | {"value": "130"} for _ in range(60)))
    assert len(error.value.problems) == 60
    assert str(error.value).count("\n") == InputError.SHOWN_AT_MOST
    assert "10 more" in str(error.value)


ADJUDICATED = DEFINITION + '\n[[adjudications]]\nrow = "row_0"\nfield = "value"\nused = "35.0"\nreason = "it adds up"\n'


def test_adjudicated_value_is_used_and_print_is_kept(make_study: StudyMaker) -> None:
    study = make_study(RATE, HR, definition=ADJUDICATED)
    assert study.statistics.loc["row_0", "value"] == "33.0"
    assert study.used().loc["row_0", "value"] == "35.0"
    assert study.used()["adjudicated"].tolist() == [True, False]
    assert study.as_printed().used().loc["row_0", "value"] == "33.0"


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ('row = "row_0"', 'row = "row_9"', "'row_9'"),
        ('used = "35.0"', 'used = "350"', "'350'"),
        ('label = "Marker"', 'lable = "Marker"', "key 'lable'"),
        ('evaluable = "had_scan"', 'evaluable = "rfs"', "'rfs'"),
        ('time_unit = "months"', 'time_unit = "moons"', "'moons'"),
        ('main_population = "all"', 'main_population = "none"', "'none'"),
    ],
)
def test_faults_of_the_definition(make_study: StudyMaker, old: str, new: str, found: str) -> None:
    with pytest.raises(InputError) as error:
        make_study(RATE, definition=ADJUDICATED.replace(old, new))
    assert found in {problem.found for problem in error.value.problems}


def test_a_definition_that_is_not_utf_8_names_its_line(tmp_path: Path) -> None:
    _write(tmp_path, _csv(FULL | RATE).encode())
    (tmp_path / "study.toml").write_bytes(DEFINITION.replace("A toy study", "W\xfcrzburg").encode("latin-1"))
    with pytest.raises(InputError) as error:
        read_study(tmp_path)
    assert "study.toml, line 3" in _only_problem(error).where
    assert "probably '\xfc' in Windows-1252" in _only_problem(error).found


def test_a_missing_key_is_named_without_the_rest_of_the_file(make_study: StudyMaker) -> None:
    with pytest.raises(InputError) as error:
        make_study(RATE, definition=DEFINITION.replace('time_unit = "months"\n', ""))
    problem = _only_problem(error)
    assert (problem.found, problem.rule) == ("no such key", "key time_unit is missing")
    assert problem.mend == "add it with one of days, weeks, months, years"


def test_hash_depends_on_both_files(make_study: StudyMaker) -> None:
    hashes = {
        make_study(RATE).input_hash,
        make_study(HR).input_hash,
        make_study(RATE, definition=DEFINITION + "\n# changed\n").input_hash,
    }
    assert len(hashes) == 3
    assert make_study(RATE).input_hash in hashes


def test_study_is_frozen(make_study: StudyMaker) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        make_study(RATE).input_hash = "0"  # type: ignore[misc]  # the assignment is the point


def test_a_faulty_definition_hides_no_fault_of_the_ledger(make_study: StudyMaker) -> None:
    """What needs no definition is told: cells, numbers, percentages, duplicates."""
    definition = DEFINITION.replace('main_population = "all"', 'main_population = "al"')
    rows = (RATE | {"value": "130"}, RATE | {"id": "row_0"}, RATE | {"endpoint": "unheard_of"})
    with pytest.raises(InputError) as error:
        make_study(*rows, definition=definition)
    told = [(Path(problem.where.split(", ")[0]).name, problem.found) for problem in error.value.problems]
    assert told == [("study.toml", "'al'"), *[("statistics.csv", found) for found in ("'row_0'", "'130'", "'row_0'")]]


@pytest.mark.parametrize(
    ("cells", "mend"),
    [
        (HR | {"kind": "HR"}, "write 'hazard_ratio'"),
        (HR | {"interval": "95% CI"}, "write 'ci95'"),
        (HR | {"p": "p=0.012"}, "write 0.012 alone"),
        (HR | {"p": "0.012*"}, "write 0.012 alone"),
        (HR | {"lower": "0.21-0.69"}, "one number a cell: write 0.21 into lower and 0.69 into upper"),
        (HR | {"adjustment": ""}, "write univariable or multivariable"),
        (RATE | {"count": "24/60"}, "one number a cell: write 24 into count and 60 into denominator"),
    ],
)
def test_a_usual_way_of_writing_is_told_how_to_write(make_study: StudyMaker, cells: dict[str, str], mend: str) -> None:
    with pytest.raises(InputError) as error:
        make_study(cells)
    assert _only_problem(error).mend == mend


def test_a_ledger_with_semicolons_is_the_same_ledger(tmp_path: Path) -> None:
    rows = [FULL | RATE, FULL | HR | {"id": "b"}]
    with_commas = read_study(_write(tmp_path, _csv(*rows).encode())).statistics
    with_semicolons = read_study(_write(tmp_path, _csv(*rows).replace(",", ";").encode())).statistics
    assert with_semicolons.equals(with_commas)
