"""From files as hospitals have them to one cohort: formats, encodings, marks, descriptions and where they lie."""

import datetime as dt
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from openpyxl import Workbook

from ixa_bayes.cohort.cells import numbers
from ixa_bayes.cohort.description import CohortDescription, read_description
from ixa_bayes.cohort.table import Cohort, read_cohort
from ixa_bayes.errors import InputError, Problem

ROWS = pd.DataFrame(
    {
        "patient": ["007", "008", "Jürgen", "010"],
        "os_time": [10.5, 12.25, 3.0, 7.125],
        "os_event": [1, 0, 1, 0],
        "female": [True, False, True, False],
        "gfr": [55.5, np.nan, 70.0, 81.0],
        "stage": ["II", "I", None, "II"],
    }
)


def content(cohort: Cohort) -> str:
    return cohort.sha256


def faults(source: Any, description: dict[str, Any] | None = None) -> list[Problem]:
    with pytest.raises(InputError) as caught:
        read_cohort(source, description=description)
    return list(caught.value.problems)


@pytest.fixture
def expected() -> str:
    return content(read_cohort(ROWS))


def test_the_contract_of_the_models() -> None:
    cohort = read_cohort(ROWS)
    data = cohort.follow_up["os"]
    assert data["time"].dims == ("row",)
    assert data["patient"].dims == ("row",)
    assert data["patient"].to_numpy().tolist() == ROWS["patient"].tolist()
    assert {name: str(data[name].dtype) for name in data} == {
        "entry": "float64",
        "time": "float64",
        "time_lower": "float64",
        "event": "bool",
        "weight": "int64",
    }
    assert data["time"].attrs["unit"] == "months"
    assert list(cohort.covariates.index) == [0, 1, 2, 3]
    assert {name: str(dtype) for name, dtype in cohort.covariates.dtypes.items()} == {
        "female": "float64",
        "gfr": "float64",
        "stage": "category",
    }
    assert cohort.covariates["female"].tolist() == [1.0, 0.0, 1.0, 0.0]
    assert cohort.covariates["stage"].isna().tolist() == [False, False, True, False]
    assert [cohort.declared[name].kind for name in ("female", "gfr", "stage")] == [
        "binary",
        "continuous",
        "categorical",
    ]
    assert cohort.declared["stage"].levels == ("I", "II")
    assert cohort.declared["stage"].reference is None
    assert cohort.declared["female"].reference == "0"
    assert cohort.evidence_kind == "patients"


def test_csv_as_pandas_writes_it(tmp_path: Path, expected: str) -> None:
    ROWS.to_csv(tmp_path / "t.csv", index=False)
    assert content(read_cohort(tmp_path / "t.csv")) == expected


def test_csv_as_r_writes_it(tmp_path: Path, expected: str) -> None:
    ROWS.to_csv(tmp_path / "t.csv", index=False, na_rep="NA", quoting=1)
    assert content(read_cohort(tmp_path / "t.csv")) == expected


def test_byte_order_mark_windows_line_ends_and_tabs(tmp_path: Path, expected: str) -> None:
    ROWS.to_csv(tmp_path / "t.tsv", index=False, sep="\t", encoding="utf-8-sig", lineterminator="\r\n")
    assert content(read_cohort(tmp_path / "t.tsv")) == expected


def test_semicolons_decimal_commas_and_cp1252(tmp_path: Path, expected: str) -> None:
    path = tmp_path / "t.csv"
    ROWS.to_csv(path, index=False, sep=";", decimal=",", encoding="cp1252")
    [problem] = faults(path)
    assert "line 4" in problem.where
    assert 'encoding = "cp1252"' in problem.mend
    first = faults(path, {"encoding": "cp1252"})[0]
    assert "{'decimal': ','}" in first.mend
    assert content(read_cohort(path, description={"encoding": "cp1252", "decimal": ","})) == expected
    (tmp_path / "cohort.toml").write_text('encoding = "cp1252"\ndecimal = ","\nseparator = ";"\n', encoding="utf-8")
    assert content(read_cohort(path)) == expected


def test_utf_16_as_spreadsheets_save_unicode_text(tmp_path: Path, expected: str) -> None:
    path = tmp_path / "t.txt"
    ROWS.to_csv(path, index=False, sep="\t", encoding="utf-16")
    assert 'encoding = "utf-16"' in faults(path)[0].mend
    assert content(read_cohort(path, description={"encoding": "utf-16"})) == expected


def test_a_wrongly_declared_encoding(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    ROWS.to_csv(path, index=False)
    [problem] = faults(path, {"encoding": "ascii"})
    assert "line 4" in problem.where
    assert "ascii" in problem.rule


def test_commas_and_semicolons_leave_a_doubt(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('"patient";"os_time";"os_event";"a, b"\nA;1;0;2\n', encoding="utf-8")
    [problem] = faults(path)
    assert (problem.found, problem.mend) == ('commas and ";"', 'set separator = ";" or "," in cohort.toml')
    assert read_cohort(path, description={"separator": ";"}).declared["a, b"].kind == "continuous"


def test_parquet(tmp_path: Path, expected: str) -> None:
    ROWS.to_parquet(tmp_path / "t.parquet", index=False)
    assert content(read_cohort(tmp_path / "t.parquet")) == expected


def test_parquet_with_an_index(tmp_path: Path, expected: str) -> None:
    ROWS.set_index("patient").to_parquet(tmp_path / "named.parquet")
    assert content(read_cohort(tmp_path / "named.parquet")) == expected
    ROWS.set_index(pd.Index([3, 1, 0, 2])).to_parquet(tmp_path / "nameless.parquet")
    assert content(read_cohort(tmp_path / "nameless.parquet")) == expected


@pytest.mark.parametrize("name", ["t.parquet", "t.xlsx"])
def test_a_file_that_is_not_what_its_ending_says(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("patient,os_time\n", encoding="utf-8")
    assert faults(tmp_path / name)[0].rule.startswith("the file must be")


def test_a_workbook_called_csv(tmp_path: Path) -> None:
    ROWS.to_excel(tmp_path / "t.xlsx", index=False)
    (tmp_path / "t.xlsx").rename(tmp_path / "t.csv")
    assert ".xlsx" in faults(tmp_path / "t.csv")[0].found


def test_excel(tmp_path: Path, expected: str) -> None:
    ROWS.to_excel(tmp_path / "t.xlsx", index=False)
    assert content(read_cohort(tmp_path / "t.xlsx")) == expected


def test_excel_sheets_are_named(tmp_path: Path, expected: str) -> None:
    path = tmp_path / "t.xlsx"
    with pd.ExcelWriter(path) as book:
        pd.DataFrame({"a": [1]}).to_excel(book, sheet_name="Legende", index=False)
        ROWS.to_excel(book, sheet_name="Daten", index=False)
    assert "sheet = " in faults(path)[0].mend
    assert "'Daten'" in faults(path, {"sheet": "Data"})[0].rule
    assert content(read_cohort(path, description={"sheet": "Daten"})) == expected


def test_excel_mixes_numbers_text_and_dates(tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (
        ["patient", "start", "died", "seen", "gfr", None],
        [1, dt.datetime(2020, 1, 1, 13, 30), dt.date(2020, 12, 31), None, "71,5", None],
        [None, None, None, None, None, None],
        [2, "01.01.2020", None, "31.12.2021", 80, None],
        [3, dt.date(2020, 1, 1), None, "gestern", 60.5, None],
    ):
        sheet.append(row)
    book.save(tmp_path / "t.xlsx")
    dates = {"start_date": "start", "event_date": "died", "last_contact_date": "seen"}
    description = {"date_format": "%d.%m.%Y", "decimal": ",", "endpoints": {"os": dates}}
    [problem] = faults(tmp_path / "t.xlsx", description)
    assert problem.where.endswith("line 5, column 'seen'")
    sheet["D5"] = "01.01.2021"
    book.save(tmp_path / "t.xlsx")
    cohort = read_cohort(tmp_path / "t.xlsx", description=description)
    data = cohort.follow_up["os"]
    assert data["patient"].to_numpy().tolist() == ["1", "2", "3"]
    assert data["event"].to_numpy().tolist() == [True, False, False]
    np.testing.assert_allclose(data["time"] * 30.4375, [365, 730, 366], rtol=1e-14)
    assert cohort.covariates["gfr"].tolist() == [71.5, 80.0, 60.5]


def test_without_openpyxl_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ROWS.to_excel(tmp_path / "t.xlsx", index=False)
    monkeypatch.setattr("ixa_bayes.cohort.source.find_spec", lambda _: None)
    assert "ixa-bayes[excel]" in faults(tmp_path / "t.xlsx")[0].mend


def test_polars(expected: str) -> None:
    assert content(read_cohort(pl.DataFrame(ROWS))) == expected


def test_tables_in_memory_of_other_types(expected: str) -> None:
    assert content(read_cohort(ROWS.astype({"stage": "category"}))) == expected
    assert content(read_cohort(ROWS.astype(object))) == expected
    assert content(read_cohort(ROWS.convert_dtypes())) == expected
    assert content(read_cohort(ROWS.convert_dtypes(dtype_backend="pyarrow"))) == expected
    before = ROWS.copy()
    read_cohort(ROWS)
    pd.testing.assert_frame_equal(ROWS, before)


def test_whole_numbers_are_ids_without_decimals() -> None:
    table = ROWS.assign(patient=[1.0, 2.0, 3.0, 4.0])
    assert read_cohort(table).follow_up["os"]["patient"].to_numpy().tolist() == ["1", "2", "3", "4"]


@pytest.mark.parametrize("name", ["t.sav", "t", "t.json"])
def test_other_formats_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("x", encoding="utf-8")
    assert ".parquet" in faults(tmp_path / name)[0].rule


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    [problem] = faults(tmp_path / "absent.csv")
    assert "neither a path nor a built-in name" in problem.found
    assert "example_cohort" in problem.rule


# Where the description is found ----------------------------------------------------------------


def test_a_folder_with_its_description(tmp_path: Path) -> None:
    ROWS.to_csv(tmp_path / "data.csv", index=False)
    ROWS.iloc[:2].to_csv(tmp_path / "old.csv", index=False)
    text = 'name = "mine"\nfile = "data.csv"\nevidence_kind = "digitised"\n[endpoints.os]\nlabel = "Survival"\n'
    (tmp_path / "cohort.toml").write_text(text, encoding="utf-8")
    for source in (tmp_path, tmp_path / "cohort.toml", tmp_path / "data.csv", str(tmp_path)):
        cohort = read_cohort(source)
        assert (cohort.name, cohort.evidence_kind, cohort.path) == ("mine", "digitised", tmp_path / "data.csv")
        assert cohort.follow_up["os"].attrs["label"] == "Survival"
    assert "describes data.csv" in faults(tmp_path / "old.csv")[0].rule
    (tmp_path / "old.toml").write_text("", encoding="utf-8")
    assert read_cohort(tmp_path / "old.csv").name == "old"


def test_a_folder_with_one_table(tmp_path: Path) -> None:
    ROWS.to_csv(tmp_path / "data.csv", index=False)
    assert read_cohort(tmp_path).name == "data"
    ROWS.to_csv(tmp_path / "more.csv", index=False)
    assert "2 tables" in faults(tmp_path)[0].found
    (tmp_path / "cohort.toml").write_text('name = "x"', encoding="utf-8")
    assert "2 tables" in faults(tmp_path)[0].found


def test_a_description_of_the_callers_wins(tmp_path: Path) -> None:
    ROWS.to_csv(tmp_path / "data.csv", index=False)
    (tmp_path / "cohort.toml").write_text('name = "file"', encoding="utf-8")
    assert read_cohort(tmp_path / "data.csv", description={"name": "mine"}).name == "mine"
    assert read_cohort(ROWS, description=CohortDescription(name="mine")).name == "mine"


@pytest.mark.parametrize(
    ("toml", "key", "rule"),
    [
        ("nmae = 'x'", "nmae", "the keys here are name,"),
        ("evidence_kind = 'real'", "evidence_kind", "must be one of patients,"),
        ("file = '/etc/passwd'", "file", "relative"),
        ("encoding = 'ansi-ish'", "encoding", "no encoding"),
        ("date_format = 'dd.mm.yyyy'", "date_format", "%d.%m.%Y"),
        ("separator = ','\ndecimal = ','", "", "both a comma"),
        ("[endpoints.OS]", "endpoints.OS", "lower-case letters"),
        ("[endpoints.os]\nevent_date = 'd'", "endpoints.os", "start_date"),
        ("[endpoints.os]\nstart_date = 's'", "endpoints.os", "event_date"),
        ("[endpoints.os]\nstart_date = 's'\nevent_date = 'd'", "endpoints.os", "last_contact_date or cut_off_date"),
        (
            "[endpoints.os]\nstart_date = 's'\nevent_date = 'd'\nlast_contact_date = 'l'\ntime = 't'",
            "endpoints.os",
            "exclude",
        ),
        ("[endpoints.os]\nevent_is = ['dead']", "endpoints.os", "together"),
        ("[covariates.x]\nkind = 'number'", "covariates.x.kind", "one of binary, "),
        ("[covariates.x]\nkind = 'continuous'\nlevels = ['a']", "covariates.x", "neither levels"),
        ("[covariates.x]\nkind = 'binary'\nunit = 'm'", "covariates.x", "no unit"),
        ("[covariates.x]\nkind = 'binary'\nlevels = ['a']", "covariates.x", "two levels"),
        ("[covariates.x]\nkind = 'ordered'", "covariates.x", "lowest first"),
        ("[covariates.x]\nkind = 'ordered'\nlevels = ['a', 'b', 'a']", "covariates.x", "twice"),
        (
            "[covariates.x]\nkind = 'ordered'\nlevels = ['low', 'high']\nreference = 'lo'",
            "covariates.x",
            "write 'low'",
        ),
    ],
)
def test_a_description_that_cannot_be(tmp_path: Path, toml: str, key: str, rule: str) -> None:
    path = tmp_path / "cohort.toml"
    path.write_text(toml, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_description(path)
    [problem] = caught.value.problems
    assert re.sub(r", line \d+", "", problem.where) == (f"{path}, key {key}" if key else str(path))
    assert rule in problem.rule


# What cells mean -------------------------------------------------------------------------------


@pytest.mark.parametrize(("unit", "months"), [("days", 1 / 30.4375), ("weeks", 7 / 30.4375), ("years", 12.0)])
def test_units_of_time(unit: str, months: float) -> None:
    table = pd.DataFrame({"patient": ["A"], "os_entry": [2], "os_time_lower": [3], "os_time": [5.0], "os_event": [1]})
    data = read_cohort(table, description={"time_unit": unit}).follow_up["os"]
    got = [float(data[name][0]) for name in ("entry", "time_lower", "time")]
    np.testing.assert_allclose(got, [2 * months, 3 * months, 5 * months], rtol=1e-15)


def test_a_point_is_no_decimal_mark_where_a_comma_is_declared() -> None:
    read = numbers(pd.Series(["1,5", "1.5", "2"], dtype="str"), decimal=",", missing=())
    np.testing.assert_array_equal(read.value, [1.5, np.nan, 2.0])
    assert read.strange.tolist() == [False, True, False]


def test_an_empty_cell_among_words_is_no_number() -> None:
    read = numbers(pd.Series(["1", "", "true", "x"], dtype="str"), decimal=".", missing=())
    np.testing.assert_array_equal(read.value, [1.0, np.nan, 1.0, np.nan])
    assert read.empty.tolist() == [False, True, False, False]
    assert read.strange.tolist() == [False, False, False, True]


def test_intervals_by_lower_and_upper_alone() -> None:
    """As R's Surv(type = "interval2") has it: without an upper bound the lower one is where follow-up ends."""
    table = pd.DataFrame(
        {
            "patient": list("ABCD"),
            "pfs_time_lower": [0.0, 3.0, 8.0, np.nan],
            "pfs_time_upper": [2.0, 5.0, np.nan, 4.0],
            "pfs_event": [1, 1, 0, 1],
        }
    )
    data = read_cohort(table).follow_up["pfs"]
    assert data["time"].to_numpy().tolist() == [2.0, 5.0, 8.0, 4.0]
    assert data["time_lower"].to_numpy().tolist() == [0.0, 3.0, 8.0, 4.0]


def test_events_in_words() -> None:
    table = pd.DataFrame({"patient": ["A", "B"], "os_time": [1.0, 2.0], "os_event": ["tot", "lebt"]})
    words = {"event_is": ["tot"], "censored_is": ["lebt"]}
    description = {"endpoints": {"os": words}}
    assert read_cohort(table, description=description).follow_up["os"]["event"].to_numpy().tolist() == [True, False]
    [problem] = faults(table.assign(os_event=["tot", "lebte"]), description)
    assert problem.mend == "write 'lebt'"
    coded = {"endpoints": {"os": {"event_is": ["2"], "censored_is": ["1"]}}}
    seen = read_cohort(table.assign(os_event=[2, 1]), description=coded).follow_up["os"]["event"]
    assert seen.to_numpy().tolist() == [True, False]


def test_levels_written_as_numbers() -> None:
    table = ROWS.assign(stage=[1, 2, np.nan, 2])
    declared = {"covariates": {"stage": {"kind": "categorical", "levels": [1, 2, 3], "reference": 2}}}
    cohort = read_cohort(table, description=declared)
    assert cohort.declared["stage"].levels == ("1", "2", "3")
    assert cohort.declared["stage"].reference == "2"
    assert cohort.covariates["stage"].cat.codes.tolist() == [0, 1, -1, 1]


def test_a_binary_covariate_in_words_and_the_other_way_round() -> None:
    table = ROWS.assign(sex=pd.Series(["f", "m", None, "f"]))
    forward = {"covariates": {"female": {"kind": "binary", "column": "sex", "levels": ["m", "f"]}}}
    cohort = read_cohort(table.drop(columns="female"), description=forward)
    assert cohort.covariates["female"].tolist()[:2] == [1.0, 0.0]
    assert np.isnan(cohort.covariates["female"][2])
    assert cohort.declared["female"].levels == ("m", "f")
    assert "sex" not in cohort.covariates
    reverse = {"covariates": {"sex": {"kind": "binary", "levels": ["m", "f"], "reference": "f"}}}
    assert read_cohort(table, description=reverse).covariates["sex"].tolist()[:2] == [0.0, 1.0]
    coded = {"covariates": {"female": {"kind": "binary", "reference": "1"}}}
    assert read_cohort(table, description=coded).covariates["female"].tolist() == [0.0, 1.0, 0.0, 1.0]


def test_an_ordered_covariate() -> None:
    declared = {"covariates": {"stage": {"kind": "ordered", "levels": ["I", "II", "III"]}}}
    cohort = read_cohort(ROWS, description=declared)
    assert cohort.covariates["stage"].cat.ordered
    assert cohort.covariates["stage"].ge("II").tolist() == [True, False, False, True]
    assert cohort.declared["stage"].reference == "I"


def test_ignored_columns_and_words_for_missing() -> None:
    table = ROWS.assign(note=["1", "2", "3", "late"], gfr=["55.5", "n.d.", "70", "81"])
    cohort = read_cohort(table, description={"columns": {"ignore": ["note"]}, "missing": ["n.d."]})
    assert "note" not in cohort.covariates
    assert cohort.covariates["gfr"].isna().tolist() == [False, True, False, False]


def test_weights_by_another_name() -> None:
    table = ROWS.assign(count=[1, 2, 3, 4])
    cohort = read_cohort(table, description={"columns": {"weight": "count"}})
    assert cohort.follow_up["os"]["weight"].to_numpy().tolist() == [1, 2, 3, 4]
    assert "count" not in cohort.covariates


def test_two_endpoints_share_rows() -> None:
    table = ROWS.assign(pfs_time=[1.0, 2.0, 3.0, 4.0], pfs_event=[1, 1, 0, 0])
    cohort = read_cohort(table)
    assert sorted(cohort.follow_up) == ["os", "pfs"]
    assert "pfs_time" not in cohort.covariates


def test_the_hash_tells_contents_apart() -> None:
    hashes = {
        content(read_cohort(table))
        for table in (
            ROWS,
            ROWS.assign(os_time=ROWS["os_time"] + 1e-9),
            ROWS.assign(os_event=[1, 0, 1, 1]),
            ROWS.assign(gfr=[55.5, 1.0, 70.0, 81.0]),
            ROWS.assign(stage=["II", "I", "I", "II"]),
            ROWS.assign(patient=["007", "008", "J", "010"]),
            ROWS.rename(columns={"gfr": "egfr"}),
            ROWS.assign(weight=[1, 1, 1, 2]),
        )
    }
    assert len(hashes) == 8
    declared = {"covariates": {"stage": {"kind": "categorical", "levels": ["I", "II"]}}}
    referred = {"covariates": {"stage": {"kind": "categorical", "levels": ["I", "II"], "reference": "II"}}}
    assert len({content(read_cohort(ROWS, description=described)) for described in (declared, referred)}) == 2


def test_the_hash_is_the_same_whatever_the_order_of_columns() -> None:
    assert content(read_cohort(ROWS[ROWS.columns[::-1]])) == content(read_cohort(ROWS))
