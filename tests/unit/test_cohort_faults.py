"""Everything that can be wrong with a table of patients: told at once, at its line and column, with how to mend it."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ixa_bayes.cohort import cells
from ixa_bayes.cohort.description import as_python
from ixa_bayes.cohort.faults import TOLD_AT_MOST
from ixa_bayes.cohort.table import Cohort, read_cohort
from ixa_bayes.errors import InputError, Problem

TableMaker = Callable[..., Path]
HEADER = "patient,os_time,os_event,x"
GOOD = ["A,10,1,0", "B,12.5,0,1", "C,3,1,0"]


@pytest.fixture
def write(tmp_path: Path) -> TableMaker:
    """Write lines as a table, with a description beside it if there is one."""

    def make(
        *lines: str, header: str = HEADER, toml: str = "", name: str = "table.csv", encoding: str = "utf-8"
    ) -> Path:
        path = tmp_path / name
        path.write_bytes("\n".join([header, *lines, ""]).encode(encoding))
        if toml:
            (tmp_path / "cohort.toml").write_text(toml, encoding="utf-8")
        return path

    return make


def faults(source: Any, *, description: Mapping[str, Any] | None = None, show_ids: bool = False) -> list[Problem]:
    with pytest.raises(InputError) as caught:
        read_cohort(source, description=description, show_ids=show_ids)
    return list(caught.value.problems)


def places(problems: list[Problem]) -> list[str]:
    """Line (or row) and column of each problem."""
    return [problem.where.partition(", ")[2] for problem in problems]


def test_a_sound_table_has_no_fault(write: TableMaker) -> None:
    assert isinstance(read_cohort(write(*GOOD)), Cohort)


@pytest.mark.parametrize(
    ("cell", "found", "rule", "mend"),
    [
        ("", "an empty cell", "every patient has a time", "leave the patient out"),
        ("NA", "'NA'", "every patient has a time", "leave the patient out"),
        ("NaN", "'NaN'", "every patient has a time", "leave the patient out"),
        ("inf", "'inf'", "must be a finite number of months", "correct it"),
        ("-inf", "'-inf'", "must be a finite number of months", "correct it"),
        ("-1", "'-1'", "must be above 0 months", "correct it"),
        ("0", "'0'", "must be above 0 months", "half a day"),
        ("a while", "'a while'", "must be a finite number of months", "correct it"),
        ("12,5", "'12,5'", "must be a finite number of months", 'decimal = ","'),
        ("1 200", "'1 200'", "must be a finite number of months", "write 1200"),
    ],
)
def test_a_time_that_is_none(write: TableMaker, cell: str, found: str, rule: str, mend: str) -> None:
    [problem] = faults(write("A,10,1,0", f'B,"{cell}",0,1', "C,3,1,0"))
    assert problem.where.endswith("table.csv, line 3, column 'os_time'")
    assert (problem.found, problem.rule) == (found, rule)
    assert mend in problem.mend


@pytest.mark.parametrize("cell", ["2", "-1", "0.5", "dead", "yes"])
def test_an_event_is_0_or_1(write: TableMaker, cell: str) -> None:
    [problem] = faults(write("A,10,1,0", f"B,12,{cell},1", "C,3,0,1", "D,3,1,1"))
    assert places([problem]) == ["line 3, column 'os_event'"]
    assert problem.found == repr(cell)
    assert problem.rule == "must be 1 (event) or 0 (censored)"
    assert "event_is" in problem.mend


def test_an_event_that_is_not_known(write: TableMaker) -> None:
    [problem] = faults(write("A,10,1,0", "B,12,,1"))
    assert problem.found == "an empty cell"
    assert "an empty cell is no answer" in problem.rule


@pytest.mark.parametrize(
    ("time", "column", "rule"),
    [
        ("10,10,1", "os_entry", "must lie before the end of follow-up"),
        ("11,10,1", "os_entry", "must lie before the end of follow-up"),
        ("-1,10,1", "os_entry", "must be at least 0 months"),
        (",10,1", "os_entry", "every patient has an entry time"),
    ],
)
def test_entry_lies_between_0_and_the_end(write: TableMaker, time: str, column: str, rule: str) -> None:
    [problem] = faults(write("A,0,10,1", f"B,{time}", header="patient,os_entry,os_time,os_event"))
    assert places([problem]) == [f"line 3, column {column!r}"]
    assert problem.rule == rule


@pytest.mark.parametrize(
    ("row", "column", "rule"),
    [
        ("12,10,1", "os_time_lower", "the lower bound of the interval lies above its upper bound"),
        ("-1,10,1", "os_time_lower", "must be at least 0 months"),
        ("soon,10,1", "os_time_lower", "must be a finite number of months"),
        ("8,10,0", "os_time_lower", "without an event there is no interval, so that it is empty or equals 'os_time'"),
    ],
)
def test_bounds_of_an_interval(write: TableMaker, row: str, column: str, rule: str) -> None:
    [problem] = faults(write("A,0,10,1", f"B,{row}", header="patient,os_time_lower,os_time,os_event"))
    assert places([problem]) == [f"line 3, column {column!r}"]
    assert problem.rule == rule


@pytest.mark.parametrize("event", ["", "2"])
def test_where_the_event_is_at_fault_its_interval_is_not(write: TableMaker, event: str) -> None:
    [problem] = faults(write(f"A,8,10,{event}", header="patient,os_time_lower,os_time,os_event"))
    assert places([problem]) == ["line 2, column 'os_event'"]


def test_an_interval_begins_where_the_patient_was_watched(write: TableMaker) -> None:
    header = "patient,os_entry,os_time_lower,os_time,os_event"
    [problem] = faults(write("A,5,5,10,1", "B,5,4,10,1", header=header))
    assert places([problem]) == ["line 3, column 'os_time_lower'"]
    assert "before the patient's entry" in problem.rule


def test_two_upper_bounds_agree(write: TableMaker) -> None:
    header = "patient,os_time,os_time_lower,os_time_upper,os_event"
    [problem] = faults(write("A,10,8,10,1", "B,10,8,11,1", "C,10,,,0", header=header))
    assert places([problem]) == ["line 3, column 'os_time_upper'"]
    assert "must equal 'os_time'" in problem.rule


@pytest.mark.parametrize("cell", ["0", "-1", "1.5", "", "inf", "two"])
def test_a_weight_is_a_frequency(write: TableMaker, cell: str) -> None:
    [problem] = faults(write("A,10,1,1", f"B,12,0,{cell}", header="patient,os_time,os_event,weight"))
    assert places([problem]) == ["line 3, column 'weight'"]
    assert "a whole number from 1" in problem.rule


def test_kilograms_are_no_frequencies(write: TableMaker) -> None:
    header = "patient,os_time,os_event,weight"
    path = write("A,10,1,81", "B,12,0,65", "C,3,1,70", "D,4,1,58", "E,5,0,102", header=header)
    [problem] = faults(path)
    assert places([problem]) == ["column 'weight'"]
    assert problem.found == "values from 58 to 102, which may be kilograms"
    meant = read_cohort(path, description={"columns": {"weight": "weight"}})
    assert int(meant.follow_up["os"]["weight"].sum()) == 376
    body = {"covariates": {"body_weight": {"kind": "continuous", "column": "weight", "unit": "kg"}}}
    cohort = read_cohort(path, description=body)
    assert int(cohort.follow_up["os"]["weight"].sum()) == 5
    assert cohort.covariates["body_weight"].tolist() == [81, 65, 70, 58, 102]
    ignored = read_cohort(path, description={"columns": {"ignore": ["weight"]}})
    assert int(ignored.follow_up["os"]["weight"].sum()) == 5
    assert "weight" not in ignored.covariates


def test_a_covariate_cannot_hide_a_column(write: TableMaker) -> None:
    toml = '[covariates.x]\nkind = "binary"\ncolumn = "z"'
    [problem] = faults(write("A,10,1,0,1", "B,12,0,1,0", header=f"{HEADER},z", toml=toml))
    assert places([problem]) == ["column 'x'"]
    assert "declared as another column, 'z'" in problem.rule


def test_a_repeated_id_is_told_without_the_id(write: TableMaker) -> None:
    path = write("Anna,10,1,0", "B,12,0,1", "Anna,3,1,0")
    [problem] = faults(path)
    assert places([problem]) == ["line 4, column 'patient'"]
    assert problem.found == "the patient of line 2 again"
    assert "os_entry" in problem.mend
    assert "Anna" not in str(problem)
    [named] = faults(path, show_ids=True)
    assert "'Anna' of line 2 again" in named.found


def test_ids_are_shown_only_on_request(write: TableMaker) -> None:
    path = write("Anna,-10,1,0", "Bert,12,0,1")
    assert "Anna" not in str(faults(path)[0])
    assert faults(path, show_ids=True)[0].where.endswith("column 'os_time', patient 'Anna'")


def test_a_row_without_an_id(write: TableMaker) -> None:
    [problem] = faults(write("A,10,1,0", ",12,0,1", ",3,0,1"))[:1]
    assert places([problem]) == ["line 3, column 'patient'"]


START_STOP = "patient,os_entry,os_time,os_event,x"


@pytest.mark.parametrize(
    ("rows", "place", "rule"),
    [
        (["A,0,5,0,0", "A,4,9,1,1"], "line 3, column 'os_entry'", "disjoint stretches"),
        (["A,4,9,1,1", "A,0,5,0,0"], "line 2, column 'os_entry'", "disjoint stretches"),
        (["A,0,5,0,0", "A,0,5,0,0"], "line 3, column 'os_entry'", "disjoint stretches"),
        (["A,0,5,1,0", "A,5,9,1,1"], "line 2, column 'os_time'", "only the last row"),
        (["A,0,20,0,0", "B,0,7,1,1", "A,5,9,0,1"], "line 4, column 'os_entry'", "disjoint stretches"),
    ],
)
def test_rows_of_a_patient_are_disjoint_with_the_event_last(
    write: TableMaker, rows: list[str], place: str, rule: str
) -> None:
    [problem] = faults(write(*rows, header=START_STOP))
    assert places([problem]) == [place]
    assert rule in problem.rule


def test_three_stretches_of_which_the_first_covers_the_third(write: TableMaker) -> None:
    problems = faults(write("A,0,20,0,0", "A,2,3,0,0", "A,15,25,1,0", header=START_STOP))
    assert places(problems) == ["line 3, column 'os_entry'", "line 4, column 'os_entry'"]
    assert all(problem.found.endswith("before the end of the same patient's line 2") for problem in problems)


def test_adjoining_stretches_are_sound(write: TableMaker) -> None:
    cohort = read_cohort(write("A,5,9,1,1", "B,2,4,0,1", "A,0,5,0,0", "B,6,7,0,1", header=START_STOP))
    assert cohort.follow_up["os"]["event"].to_numpy().tolist() == [True, False, False, False]


@pytest.mark.parametrize(
    ("header", "missing", "needed_by"),
    [
        ("id,os_time,os_event", "patient", "every cohort"),
        ("patient,os_time,status", "os_event", "endpoint os"),
    ],
)
def test_a_missing_column_is_named(write: TableMaker, header: str, missing: str, needed_by: str) -> None:
    [problem] = faults(write("A,10,1", header=header))
    assert problem.found == f"no column {missing!r}"
    assert problem.rule == f"{needed_by} needs it"
    assert ("no follow-up" in problem.mend) == needed_by.startswith("endpoint")


def test_a_misspelled_column_is_hinted_at(write: TableMaker) -> None:
    [problem] = faults(write("A,10,1", header="Patient,os_time,os_event"))
    assert "it may be called 'Patient'" in problem.mend


def test_without_follow_up_there_is_no_cohort(write: TableMaker) -> None:
    [problem] = faults(write("A,1,0", header="patient,gfr,emd"))
    assert "at least one endpoint" in problem.rule
    assert "<endpoint>_time" in problem.mend


def test_the_columns_of_a_declared_endpoint_must_be_there(write: TableMaker) -> None:
    toml = '[endpoints.pfs]\ntime = "months"\n[covariates.gfr]\nkind = "continuous"\n[columns]\nweight = "count"'
    found = {problem.found for problem in faults(write(*GOOD, toml=toml))}
    assert found == {f"no column {name!r}" for name in ("months", "pfs_event", "gfr", "count")}


@pytest.mark.parametrize("text", ["", "\n\n", "patient,os_time,os_event\n", "patient,os_time,os_event\n,,\n\n"])
def test_an_empty_table(tmp_path: Path, text: str) -> None:
    path = tmp_path / "empty.csv"
    path.write_text(text, encoding="utf-8")
    [problem] = faults(path)
    assert problem.rule == "a cohort has at least one patient"


def test_an_empty_table_in_memory() -> None:
    [problem] = faults(pd.DataFrame({"patient": [], "os_time": [], "os_event": []}))
    assert problem.found == "no rows"


def test_days_given_as_months(write: TableMaker) -> None:
    path = write("A,400,1,0", "B,300,0,1", "C,90,1,0")
    [problem] = faults(path)
    assert places([problem]) == ["column 'os_time'"]
    assert problem.found == "follow-up of a median of 25 years"
    assert 'time_unit = "days"' in problem.mend
    assert "long_follow_up = true" in problem.mend
    days = read_cohort(path, description={"time_unit": "days"}).follow_up["os"]
    assert days["time"].to_numpy() == pytest.approx([400 / 30.4375, 300 / 30.4375, 90 / 30.4375], rel=1e-15)
    meant = read_cohort(path, description={"long_follow_up": True}).follow_up["os"]
    assert meant["time"].to_numpy().tolist() == [400, 300, 90]


def test_the_median_is_of_patients_not_of_rows(write: TableMaker) -> None:
    header = "patient,os_time,os_event,weight"
    assert read_cohort(write("A,400,1,1", "B,12,0,5", header=header))
    assert faults(write("A,400,1,5", "B,12,0,1", header=header))


def test_twenty_years_are_possible_and_a_century_is_not(write: TableMaker) -> None:
    assert read_cohort(write("A,240,1,0", "B,240,0,1", "C,1200,1,0"))
    [problem] = faults(write("A,24,1,0", "B,24,0,1", "C,1201,1,0"))
    assert problem.found == "follow-up of up to 100 years"


def test_a_number_among_words_and_a_word_among_numbers(write: TableMaker) -> None:
    [problem] = faults(write("A,10,1,55", "B,12,0,n.d.", "C,3,1,70"))
    assert places([problem]) == ["line 3, column 'x'"]
    assert "missing" in problem.mend
    assert "columns.ignore" in problem.mend
    cohort = read_cohort(write("A,10,1,low", "B,12,0,high", "C,3,1,7"))
    assert cohort.declared["x"].kind == "categorical"


def test_undeclared_decimal_commas_are_not_taken_for_words(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("patient;os_time;os_event;gfr\nA;10;1;55,5\nB;12;0;70,1\n", encoding="utf-8")
    problems = faults(path)
    assert places(problems) == ["line 2, column 'gfr'", "line 3, column 'gfr'"]
    assert 'decimal = ","' in problems[0].mend


@pytest.mark.parametrize("cell", ["inf", "-Infinity"])
def test_an_infinite_covariate(write: TableMaker, cell: str) -> None:
    [problem] = faults(write("A,10,1,0.5", f"B,12,0,{cell}", "C,3,1,0"))
    assert places([problem]) == ["line 3, column 'x'"]


def test_an_unknown_level_is_hinted_at(write: TableMaker) -> None:
    toml = '[covariates.x]\nkind = "ordered"\nlevels = ["none", "pi_only", "triple_class"]'
    [problem] = faults(write("A,10,1,none", "B,12,0,triple class", "C,3,1,", toml=toml))
    assert places([problem]) == ["line 3, column 'x'"]
    assert problem.found == "'triple class'"
    assert problem.mend.startswith("write 'triple_class'")


@pytest.mark.parametrize(
    ("toml", "cell", "rule"),
    [
        ('kind = "binary"', "2", "must be 0 or 1"),
        ('kind = "binary"', "yes", "must be 0 or 1"),
        ('kind = "binary"\nlevels = ["no", "yes"]', "maybe", "must be one of the levels 'no', 'yes'"),
        ('kind = "continuous"', "many", "must be a finite number"),
        ('kind = "categorical"\nlevels = ["a", "b"]', "c", "must be one of the levels 'a', 'b'"),
    ],
)
def test_a_declared_covariate_is_what_it_is_declared_to_be(write: TableMaker, toml: str, cell: str, rule: str) -> None:
    [problem] = faults(write(f"A,10,1,{cell}", "B,12,0,", toml=f"[covariates.x]\n{toml}"))
    assert places([problem]) == ["line 2, column 'x'"]
    assert rule in problem.rule


def test_a_reference_that_nobody_has(write: TableMaker) -> None:
    toml = '[covariates.x]\nkind = "categorical"\nreference = "z"'
    [problem] = faults(write("A,10,1,a", "B,12,0,b", toml=toml))
    assert "'z'" in problem.rule


def test_every_fault_is_told_at_once_in_the_order_of_lines(write: TableMaker) -> None:
    problems = faults(write("A,0,1,0", "B,12,2,1", "C,3,1,0", "C,inf,,1", "D,1,0,1"))
    assert places(problems) == [
        "line 2, column 'os_time'",
        "line 3, column 'os_event'",
        "line 5, column 'patient'",
        "line 5, column 'os_event'",
        "line 5, column 'os_time'",
    ]


def test_a_fault_of_many_rows_is_told_so_often_and_counted(write: TableMaker) -> None:
    problems = faults(write(*(f"P{i},{-i if i <= 400 else i / 100},1,0" for i in range(1, 1001))))
    assert len(problems) == TOLD_AT_MOST + 1
    assert problems[0].found == f"{400 - TOLD_AT_MOST} more such cells"


def test_a_column_that_fails_as_a_whole_is_told_once(write: TableMaker) -> None:
    [problem] = faults(write(*(f"P{i},{-i},1,0" for i in range(1, 1001))))
    assert places([problem]) == ["column 'os_time'"]
    assert problem.found == "'-1' (and so all 1,000 cells, lines 2, 3, 4, 5, 6, ...)"
    cells = ["12,5", "3,1", "7", "8,25", "1,5", "2,25"]
    [problem] = faults(write(*(f'P{i},"{cell}",1,0' for i, cell in enumerate(cells))))
    assert problem.found == "'12,5' (and so 5 of 6 cells, lines 2, 3, 5, 6, 7)"
    assert 'decimal = ","' in problem.mend


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        ("1 2 2 1 2 1", "event_is = [2], censored_is = [1]"),
        ("yes no yes no no no", 'event_is = ["yes"], censored_is = ["no"]'),
        ("Nein Ja Ja Nein Ja Ja", 'event_is = ["Ja"], censored_is = ["Nein"]'),
        ("dead alive dead alive alive NA", 'event_is = ["dead"], censored_is = ["alive"]'),
        ("dead alive died alive alive lost", 'event_is = ["dead", "died"], censored_is = ["alive"]'),
        ("A B A B A B", 'event_is = ["A"], censored_is = ["B"]'),
        ("0 1 2 2 2 2 2", "event_is = [1], censored_is = [0], competing = {"),
    ],
)
def test_an_event_column_of_another_coding_is_answered_with_what_to_write(
    write: TableMaker, words: str, keys: str
) -> None:
    path = write(*(f"P{i},{i + 1},{word},0" for i, word in enumerate(words.split())))
    told = [problem for problem in faults(path) if problem.found != "'NA'"]
    assert places(told) == ["column 'os_event'"]
    assert f"{keys}" in told[0].mend
    assert "below [endpoints.os] in cohort.toml" in told[0].mend
    assert ("'lost' in one of the two" in told[0].mend) == ("lost" in words)


def test_what_is_written_mends_the_event_column(write: TableMaker) -> None:
    words = ["1", "2", "2", "1", "2", "1"]
    rows = [f"P{i},{i + 1},{word},0" for i, word in enumerate(words)]
    keys = re.search(r"write (event_is = \S+), (censored_is = \S+) below (\S+) in", faults(write(*rows))[0].mend)
    assert keys is not None
    cohort = read_cohort(write(*rows, toml="\n".join([keys[3], keys[1], keys[2]])))
    assert cohort.follow_up["os"]["event"].to_numpy().tolist() == [word == "2" for word in words]


def test_the_other_endpoints_need_a_declaration_too(write: TableMaker) -> None:
    header = "patient,os_time,os_event,pfs_time,pfs_event"
    [problem] = faults(write("A,1,1,1,1", "B,2,2,2,0", header=header))
    assert "(and an endpoint there for every other one)" in problem.mend


@pytest.mark.parametrize(
    ("changes", "passed"),
    [
        ({"os_event": [1, 2, 2]}, "{'endpoints': {'os': {'event_is': [2], 'censored_is': [1]}}}"),
        ({"os_event": [1, 2, 0]}, "'competing': {'own': 'progression'"),
        ({"os_time": ["1,5", "2", "3"]}, "{'decimal': ','}"),
        ({"os_time": [1000.0, 2000.0, 3000.0]}, "{'time_unit': 'days'}"),
        ({"os_time": [1000.0, 2000.0, 3000.0]}, "{'long_follow_up': True}"),
        ({"x": ["1.5", "2", "n.d."]}, "in description="),
    ],
)
def test_who_passes_a_table_in_python_is_not_sent_to_a_file(changes: dict[str, list[Any]], passed: str) -> None:
    table = {"patient": ["A", "B", "C"], "os_time": [1.0, 2.0, 3.0], "os_event": [1, 0, 1]}
    problems = faults(pd.DataFrame(table | changes))
    assert any(passed in problem.mend for problem in problems), problems
    assert "cohort.toml" not in str(problems)


def test_no_message_of_a_table_in_memory_names_a_file() -> None:
    """Every place of the package that names the file, worded for who has none."""
    folder = Path(cells.__file__).parent
    named = [
        line.strip()
        for file in sorted(folder.glob("*.py"))
        for line in file.read_text(encoding="utf-8").splitlines()
        if "{DESCRIPTION_FILE}" in line
    ]
    assert len(named) > 20
    for line in named:
        assert "cohort.toml" not in as_python(line.replace("{DESCRIPTION_FILE}", "cohort.toml"))
    for text in ('set a.b = "c" in cohort.toml', 'set a.b = ["it\'s"] in cohort.toml'):
        assert as_python(text).startswith("pass description={'a': {'b': ")
    assert as_python('set a = ["c]"] in cohort.toml') == 'set a = ["c]"] in description='


def test_lines_are_the_files_also_after_cells_with_line_breaks_and_blank_rows(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text('patient,os_time,os_event,note\n\nA,10,1,"two\nlines"\n,,,\nB,-1,0,x\n', encoding="utf-8")
    [problem] = faults(path)
    assert places([problem]) == ["line 6, column 'os_time'"]


def test_rows_of_a_wrong_length_are_all_told(write: TableMaker) -> None:
    problems = faults(write("A,10,1,0", "B,12,5,0,1", "C,3,1"))
    assert [(problem.where.rpartition(", ")[2], problem.found) for problem in problems] == [
        ("line 3", "5 cells"),
        ("line 4", "3 cells"),
    ]


def test_an_unclosed_quote(write: TableMaker) -> None:
    assert faults(write("A,10,1,0", 'B,12,0,"x'))


@pytest.mark.parametrize(
    ("header", "found"),
    [("patient,os_time,os_event,x,x", "column 'x' twice"), ("patient,os_time,os_event,,x", "no name")],
)
def test_a_header_names_each_column_once(write: TableMaker, header: str, found: str) -> None:
    [problem] = faults(write("A,10,1,0,1", header=header))
    assert problem.found == found


def test_an_empty_column_without_a_name_is_no_column(write: TableMaker) -> None:
    assert list(read_cohort(write("A,10,1,0,", header=f"{HEADER},")).covariates) == ["x"]


def test_rows_in_memory_are_counted_from_1() -> None:
    table = pd.DataFrame({"patient": ["A", "B"], "os_time": [1.0, -2.0], "os_event": [1, 0]}, index=["Anna", "Bert"])
    [problem] = faults(table)
    assert str(problem.where) == "table, row 2, column 'os_time'"
    assert problem.found == "-2.0"


@pytest.mark.parametrize("event", [0, 1])
def test_all_or_none_may_have_the_event(write: TableMaker, event: int) -> None:
    cohort = read_cohort(write(*(f"P{i},{i + 1},{event},0" for i in range(4))))
    assert cohort.follow_up["os"]["event"].to_numpy().tolist() == [bool(event)] * 4


def test_one_patient_is_a_cohort(write: TableMaker) -> None:
    assert len(read_cohort(write("A,10,1,0")).covariates) == 1
