"""The literature: readable, its faults told at once, and each patient counted once."""

import csv
import math
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from ixa_bayes.errors import InputError
from ixa_bayes.study.literature import (
    hazard_ratio_rows,
    read_cited,
    read_prognostic_hr,
    read_response,
    read_survival,
    response_prior_rows,
)
from ixa_bayes.study.locate import builtin_root

EXTERNAL = builtin_root() / "data" / "external"
READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    "response.csv": read_response,
    "survival.csv": read_survival,
    "prognostic_hr.csv": read_prognostic_hr,
    "cited_by_zhou2026.csv": read_cited,
}


def changed(tmp_path: Path, name: str, *changes: tuple[int, str, str]) -> Path:
    """A copy of a built-in file with cells replaced: (line, column, cell)."""
    with (EXTERNAL / name).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    for line, column, cell in changes:
        rows[line - 1][rows[0].index(column)] = cell
    path = tmp_path / name
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return path


def faults(read: Callable[[Path], object], path: Path) -> list[tuple[str, str]]:
    with pytest.raises(InputError) as caught:
        read(path)
    return [(problem.where.removeprefix(f"{path}, "), problem.found) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("name", "rows"),
    [("response.csv", 42), ("survival.csv", 172), ("prognostic_hr.csv", 21), ("cited_by_zhou2026.csv", 18)],
)
def test_the_built_in_files_read(name: str, rows: int) -> None:
    table = READERS[name](EXTERNAL / name)
    assert len(table) == rows
    assert f"| `{name}` | {rows} |" in (EXTERNAL / "README.md").read_text(encoding="utf-8")


def test_numbers_are_floats_and_unseen_is_nan() -> None:
    table = read_survival()
    numeric = ["n", "events", "median_months", "lower95", "upper95", "not_reached", "median_follow_up_months"]
    assert all(pd.api.types.is_float_dtype(table[column]) for column in numeric)
    final = table[table["study_id"].eq("locommotion2024") & table["endpoint"].eq("os")].iloc[0]
    assert final[["n", "events", "median_months", "lower95", "upper95"]].tolist() == [248, 158, 13.8, 10.8, 17.0]
    assert table["events"].isna().sum() == 170


@pytest.mark.parametrize(
    ("name", "line", "column", "cell"),
    [
        ("response.csv", 2, "responders", "361"),
        ("response.csv", 2, "responders", "280.5"),
        ("response.csv", 2, "responders", "-1"),
        ("response.csv", 2, "orr_percent", "130"),
        ("response.csv", 2, "orr_percent", "78,0"),
        ("response.csv", 2, "design", "cohort"),
        ("response.csv", 2, "study_id", ""),
        ("response.csv", 2, "source_url", ""),
        ("survival.csv", 2, "endpoint", "efs"),
        ("survival.csv", 2, "median_months", ""),
        ("survival.csv", 2, "median_months", "0"),
        ("survival.csv", 2, "median_months", "inf"),
        ("survival.csv", 21, "lower95", "15.7"),
        ("survival.csv", 2, "not_reached", ""),
        ("prognostic_hr.csv", 2, "hr", ""),
        ("prognostic_hr.csv", 2, "hr", "-1.5"),
        ("prognostic_hr.csv", 2, "lower95", "1.6"),
        ("prognostic_hr.csv", 2, "p", "1.2"),
        ("prognostic_hr.csv", 2, "adjusted", "both"),
        ("cited_by_zhou2026.csv", 2, "operator", ">>"),
    ],
)
def test_each_fault_is_told_with_line_and_column(tmp_path: Path, name: str, line: int, column: str, cell: str) -> None:
    path = changed(tmp_path, name, (line, column, cell))
    found = faults(READERS[name], path)
    assert found
    assert all(where == f"line {line}, column {column!r}" for where, _ in found)
    assert len(found) == 1, "one fault is told once"


def test_an_interval_on_the_wrong_side_names_the_limit(tmp_path: Path) -> None:
    path = changed(tmp_path, "prognostic_hr.csv", (2, "upper95", "1.4"))
    assert faults(read_prognostic_hr, path) == [("line 2, column 'hr'", "1.5")]


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    path = changed(tmp_path, "response.csv", (2, "responders", "999"), (3, "design", "x"), (5, "year", "MMXX"))
    assert {where for where, _ in faults(read_response, path)} == {
        "line 2, column 'responders'",
        "line 3, column 'design'",
        "line 5, column 'year'",
    }


def test_a_file_that_is_no_table_is_told(tmp_path: Path) -> None:
    assert faults(read_response, tmp_path / "absent.csv")[0][1] == "no such file"
    (tmp_path / "latin.csv").write_bytes("study_id\nZürich".encode("latin-1"))
    assert faults(read_response, tmp_path / "latin.csv")[0][1] == repr(b"\xfc")
    (tmp_path / "header.csv").write_text("study_id,orr\n", encoding="utf-8")
    assert faults(read_response, tmp_path / "header.csv") == [("line 1", "study_id, orr")]
    text = (EXTERNAL / "response.csv").read_text(encoding="utf-8")
    (tmp_path / "ragged.csv").write_text(text + "too,few\n", encoding="utf-8")
    assert faults(read_response, tmp_path / "ragged.csv") == [("line 44", "2 cells")]


def test_ixa_rd_rows_count_each_patient_once() -> None:
    """INSURE pools UVEA-IXA, which shares patients with the Hungarian and the Czech cohort: one of the four stays."""
    rows = response_prior_rows("Ixa-Rd")
    assert dict(zip(rows["study_id"], zip(rows["count"], rows["n_evaluable"], strict=True), strict=True)) == {
        "tourmaline_mm1": (281, 360),
        "japan_ph2_ixard": (27, 32),
        "insure2022": (367, 564),
    }


def test_a_whole_stands_for_its_parts() -> None:
    assert response_prior_rows("Ixa-d")[["count", "n_evaluable"]].to_numpy().tolist() == [[30, 70]]
    assert response_prior_rows("Ixa-Pd")["n_evaluable"].tolist() == [25, 38]


def test_without_the_pool_its_largest_part_stays(tmp_path: Path) -> None:
    path = changed(tmp_path, "response.csv", (22, "n_evaluable", ""))
    assert response_prior_rows("Ixa-Rd", path=path)["study_id"].tolist() == [
        "tourmaline_mm1",
        "uvea_ixa2024",
        "japan_ph2_ixard",
    ]


def test_an_overlap_told_by_the_smaller_study_alone_counts(tmp_path: Path) -> None:
    path = changed(tmp_path, "response.csv", (10, "overlaps_with", "voorhees2024_a061202"))
    assert response_prior_rows("Ixa-Pd", path=path)["study_id"].tolist() == ["voorhees2024_a061202"]


def test_vgpr_or_better_uses_its_own_count() -> None:
    rows = response_prior_rows("Ixa-Pd", "vgpr_or_better")
    assert rows[["study_id", "count"]].to_numpy().tolist() == [["krishnan2018_ixapd", 5], ["voorhees2024_a061202", 11]]


@pytest.mark.parametrize(("regimen", "endpoint"), [("Ixa-Td", "orr"), ("Ixa-Rd", "cr"), ("Ixa-Rd", "fatigue")])
def test_where_the_literature_has_nothing_there_is_no_row(regimen: str, endpoint: str) -> None:
    rows = response_prior_rows(regimen, endpoint)
    assert rows.empty
    assert "count" in rows


def test_newly_diagnosed_and_mixed_populations_enter_no_prior(tmp_path: Path) -> None:
    for population in ("NDMM: of some age", "MM, stage not stated"):
        path = changed(tmp_path, "response.csv", (2, "population", population))
        assert "tourmaline_mm1" not in set(response_prior_rows("Ixa-Rd", path=path)["study_id"])
    assert hazard_ratio_rows("extramedullary_disease", "os").empty, "the only one with an interval is NDMM"


def test_a_hazard_ratio_brings_its_standard_error() -> None:
    rows = hazard_ratio_rows("extramedullary_disease", "pfs")
    assert rows["study_id"].tolist() == ["idecel_emd2024"]
    assert rows["log_hazard_ratio"].tolist() == pytest.approx([math.log(1.5)], abs=1e-15)
    assert rows["standard_error"].tolist() == pytest.approx([math.log(2.2 / 1.1) / 3.919927969080108], abs=1e-12)


def test_overlapping_hazard_ratios_are_one(tmp_path: Path) -> None:
    """Line 5 may share patients with line 2: with an interval of its own, the adjusted ratio still stands for both."""
    limits = ((5, "lower95", "1.8"), (5, "upper95", "2.0"))
    path = changed(tmp_path, "prognostic_hr.csv", *limits)
    assert hazard_ratio_rows("extramedullary_disease", "pfs", path=path)["study_id"].tolist() == ["idecel_emd2024"]
    apart = changed(tmp_path, "prognostic_hr.csv", *limits, (2, "overlaps_with", ""), (5, "overlaps_with", ""))
    assert len(hazard_ratio_rows("extramedullary_disease", "pfs", path=apart)) == 2


def test_a_study_factor_finds_its_literature_name(tmp_path: Path) -> None:
    limits = ((22, "lower95", "1.1"), (22, "upper95", "2.8"))
    path = changed(tmp_path, "prognostic_hr.csv", *limits)
    for factor in ("prior_lines", "prior_lines_gt_1", "prior_lines_gt_3"):
        assert hazard_ratio_rows(factor, "pfs", path=path)["study_id"].tolist() == ["china_pom12"]


@pytest.mark.parametrize("factor", ["gfr_le_70", "triple_class_refractory", "high_risk_cytogenetics", "age_ge_80"])
@pytest.mark.parametrize("endpoint", ["pfs", "os"])
def test_no_factor_of_the_index_study_has_three_independent_rows(factor: str, endpoint: str) -> None:
    assert len(hazard_ratio_rows(factor, endpoint)) < 3


def test_the_index_study_is_not_in_its_own_prior() -> None:
    for table in (read_response(), read_survival(), read_prognostic_hr()):
        assert not table["study_id"].str.contains("zhou").any()
        assert not table["doi"].eq("10.1177/20406207261421841").any()
