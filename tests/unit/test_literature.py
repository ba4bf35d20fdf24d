"""The literature: readable, its faults told at once, each patient counted once, and nothing borrowed unasked."""

import csv
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from ixa_bayes.errors import InputError
from ixa_bayes.study.literature import (
    hazard_ratio_rows,
    literature_factor,
    read_cited,
    read_factors,
    read_prognostic_hr,
    read_response,
    read_survival,
    response_prior_rows,
)
from ixa_bayes.study.locate import builtin_root

EXTERNAL = builtin_root() / "data" / "external"
READERS: dict[str, Callable[[Path | None], pd.DataFrame]] = {
    "response.csv": read_response,
    "survival.csv": read_survival,
    "prognostic_hr.csv": read_prognostic_hr,
    "cited.csv": read_cited,
    "factors.csv": read_factors,
}


def rows_of(name: str) -> list[dict[str, str]]:
    with (EXTERNAL / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def changed(tmp_path: Path, name: str, *changes: tuple[int, str, str]) -> Path:
    """A copy of the built-in folder with cells of one file replaced: (line, column, cell)."""
    folder = Path(shutil.copytree(EXTERNAL, tmp_path / f"literature_{len(list(tmp_path.iterdir()))}"))
    rows = rows_of(name)
    for line, column, cell in changes:
        assert column in rows[line - 2]
        rows[line - 2][column] = cell
    with (folder / name).open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return folder


def line_of(name: str, **cells: str) -> int:
    """The line of the only row with these cells, none of which holds a line break."""
    found = [line for line, row in enumerate(rows_of(name), 2) if cells.items() <= row.items()]
    assert len(found) == 1, found
    return found[0]


def faults(name: str, folder: Path) -> list[tuple[str, str]]:
    with pytest.raises(InputError) as caught:
        READERS[name](folder)
    return [(problem.where.removeprefix(f"{folder / name}, "), problem.found) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("name", "rows"),
    [("response.csv", 53), ("survival.csv", 172), ("prognostic_hr.csv", 21), ("cited.csv", 18), ("factors.csv", 4)],
)
def test_the_built_in_files_read(name: str, rows: int) -> None:
    table = READERS[name](EXTERNAL)
    assert len(table) == rows
    assert f"| `{name}` | {rows} |" in (EXTERNAL / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "context"), [("response.csv", 0), ("survival.csv", 10), ("prognostic_hr.csv", 12)])
def test_newly_diagnosed_and_mixed_stages_are_context_and_nothing_else_is(name: str, context: int) -> None:
    table = READERS[name](EXTERNAL)
    other = table["population"].str.startswith(("NDMM:", "MM,"))
    assert other.sum() == context
    assert table["use"].tolist() == other.map({True: "context", False: "prior"}).tolist()


def test_deeper_responses_lie_within_the_responses_of_the_same_arm() -> None:
    arm = ["study_id", "regimen", "population", "treatment_line"]
    table = read_response(EXTERNAL)
    assert not table.duplicated([*arm, "endpoint"]).any()
    orr, deeper = (table[table["endpoint"].eq(name)] for name in ("orr", "vgpr_or_better"))
    pairs = deeper.merge(orr, on=arm, validate="one_to_one")
    assert len(orr) == 42
    assert len(pairs) == len(deeper) == 11
    assert (pairs["count_x"] < pairs["count_y"]).all()
    assert pairs["n_evaluable_x"].equals(pairs["n_evaluable_y"])


@pytest.mark.parametrize("name", READERS)
def test_without_a_folder_there_are_no_rows_of_the_same_shape(name: str) -> None:
    empty, built_in = READERS[name](None), READERS[name](EXTERNAL)
    assert empty.empty
    assert empty.dtypes.to_dict() == built_in.dtypes.to_dict()
    assert empty.index.name == built_in.index.name


def test_without_a_folder_there_is_no_prior() -> None:
    assert response_prior_rows(None, "Ixa-Rd", "orr").empty
    rows = hazard_ratio_rows(None, "extramedullary_disease", "pfs")
    assert rows.empty
    assert {"log_hazard_ratio", "standard_error"} <= set(rows)
    assert literature_factor(None, "gfr_le_70") == "gfr_le_70"


OTHER_DISEASE = """study_id,citation,population,use,design,regimen,endpoint,n_evaluable,count,overlaps_with,source_url
one,One 2020,stage III melanoma,prior,rct,Nivolumab,toxicity_any,453,439,,https://example.org/1
two,Two 2021,stage III melanoma,prior,retrospective,Nivolumab,toxicity_any,80,70,,https://example.org/2
two,Two 2021,stage III melanoma,prior,retrospective,Nivolumab,toxicity_grade_ge_3,80,12,,https://example.org/2
three,Three 2022,"melanoma, all stages",context,retrospective,Nivolumab,toxicity_any,200,150,,https://example.org/3
"""


def test_another_disease_reads_as_naturally(tmp_path: Path) -> None:
    """Endpoints and groups have any names, and columns that hold nothing may be left out."""
    (tmp_path / "response.csv").write_text(OTHER_DISEASE, encoding="utf-8")
    rows = response_prior_rows(tmp_path, "Nivolumab", "toxicity_any")
    assert rows[["study_id", "count", "n_evaluable"]].to_numpy().tolist() == [["one", 439, 453], ["two", 70, 80]]
    assert response_prior_rows(tmp_path, "Nivolumab", "toxicity_grade_ge_3")["count"].tolist() == [12]
    assert response_prior_rows(tmp_path, "Ixa-Rd", "orr").empty
    assert literature_factor(tmp_path, "stage") == "stage", "factors.csv may be absent"


@pytest.mark.parametrize("column", ["use", "overlaps_with", "endpoint"])
def test_what_decides_over_priors_is_never_left_out(tmp_path: Path, column: str) -> None:
    (tmp_path / "response.csv").write_text(OTHER_DISEASE.replace(column, "notes", 1), encoding="utf-8")
    assert faults("response.csv", tmp_path) == [("line 1", f"no column {column!r}")]


def test_numbers_are_floats_and_unseen_is_nan() -> None:
    table = read_survival(EXTERNAL)
    numeric = ["n", "events", "median_months", "lower95", "upper95", "not_reached", "median_follow_up_months"]
    assert all(pd.api.types.is_float_dtype(table[column]) for column in numeric)
    final = table[table["study_id"].eq("locommotion2024") & table["endpoint"].eq("os")].iloc[0]
    assert final[["n", "events", "median_months", "lower95", "upper95"]].tolist() == [248, 158, 13.8, 10.8, 17.0]
    assert table["events"].isna().sum() == 170


@pytest.mark.parametrize(
    ("name", "line", "column", "cell"),
    [
        ("response.csv", 2, "count", "361"),
        ("response.csv", 2, "count", "280.5"),
        ("response.csv", 2, "count", "-1"),
        ("response.csv", 2, "percent", "130"),
        ("response.csv", 2, "percent", "78,0"),
        ("response.csv", 2, "endpoint", ""),
        ("response.csv", 2, "use", "maybe"),
        ("response.csv", 2, "use", ""),
        ("response.csv", 2, "design", "cohort"),
        ("response.csv", 2, "study_id", ""),
        ("response.csv", 2, "source_url", ""),
        ("survival.csv", 2, "endpoint", ""),
        ("survival.csv", 2, "use", ""),
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
        ("prognostic_hr.csv", 2, "use", ""),
        ("cited.csv", 2, "operator", ">>"),
    ],
)
def test_each_fault_is_told_with_line_and_column(tmp_path: Path, name: str, line: int, column: str, cell: str) -> None:
    found = faults(name, changed(tmp_path, name, (line, column, cell)))
    assert found
    assert all(where == f"line {line}, column {column!r}" for where, _ in found)
    assert len(found) == 1, "one fault is told once"


def test_an_interval_on_the_wrong_side_names_the_limit(tmp_path: Path) -> None:
    folder = changed(tmp_path, "prognostic_hr.csv", (2, "upper95", "1.4"))
    assert faults("prognostic_hr.csv", folder) == [("line 2, column 'hr'", "1.5")]


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    folder = changed(tmp_path, "response.csv", (2, "count", "999"), (3, "design", "x"), (5, "year", "MMXX"))
    assert {where for where, _ in faults("response.csv", folder)} == {
        "line 2, column 'count'",
        "line 3, column 'design'",
        "line 5, column 'year'",
    }


def test_a_factor_is_mapped_once(tmp_path: Path) -> None:
    folder = changed(tmp_path, "factors.csv", (3, "factor", "gfr_le_70"))
    assert set(faults("factors.csv", folder)) == {
        ("line 2, column 'factor'", "'gfr_le_70'"),
        ("line 3, column 'factor'", "'gfr_le_70'"),
    }


@pytest.mark.parametrize("name", [name for name in READERS if name != "factors.csv"])
def test_an_absent_file_is_told(tmp_path: Path, name: str) -> None:
    """A misspelled file name must not pass for a literature that has nothing to say."""
    with pytest.raises(InputError, match="write the header alone") as caught:
        READERS[name](tmp_path)
    assert caught.value.problems[0].where == str(tmp_path / name)


def test_ixa_rd_rows_count_each_patient_once() -> None:
    """INSURE pools UVEA-IXA, which shares patients with the Hungarian and the Czech cohort: one of the four stays."""
    rows = response_prior_rows(EXTERNAL, "Ixa-Rd", "orr")
    assert dict(zip(rows["study_id"], zip(rows["count"], rows["n_evaluable"], strict=True), strict=True)) == {
        "tourmaline_mm1": (281, 360),
        "japan_ph2_ixard": (27, 32),
        "insure2022": (367, 564),
    }


def test_a_whole_stands_for_its_parts() -> None:
    assert response_prior_rows(EXTERNAL, "Ixa-d", "orr")[["count", "n_evaluable"]].to_numpy().tolist() == [[30, 70]]
    assert response_prior_rows(EXTERNAL, "Ixa-Pd", "orr")["n_evaluable"].tolist() == [25, 38]


def test_without_the_pool_its_largest_part_stays(tmp_path: Path) -> None:
    line = line_of("response.csv", study_id="insure2022", endpoint="orr")
    folder = changed(tmp_path, "response.csv", (line, "n_evaluable", ""))
    assert response_prior_rows(folder, "Ixa-Rd", "orr")["study_id"].tolist() == [
        "tourmaline_mm1",
        "uvea_ixa2024",
        "japan_ph2_ixard",
    ]


def test_an_overlap_told_by_the_smaller_study_alone_counts(tmp_path: Path) -> None:
    line = line_of("response.csv", study_id="krishnan2018_ixapd", endpoint="orr")
    folder = changed(tmp_path, "response.csv", (line, "overlaps_with", "voorhees2024_a061202"))
    assert response_prior_rows(folder, "Ixa-Pd", "orr")["study_id"].tolist() == ["voorhees2024_a061202"]


def test_an_endpoint_has_rows_of_its_own() -> None:
    rows = response_prior_rows(EXTERNAL, "Ixa-Pd", "vgpr_or_better")
    assert rows[["study_id", "count"]].to_numpy().tolist() == [["krishnan2018_ixapd", 5], ["voorhees2024_a061202", 11]]


@pytest.mark.parametrize(("regimen", "endpoint"), [("Ixa-Td", "orr"), ("Ixa-Rd", "cr"), ("Ixa-Rd", "fatigue")])
def test_where_the_literature_has_nothing_there_is_no_row(regimen: str, endpoint: str) -> None:
    rows = response_prior_rows(EXTERNAL, regimen, endpoint)
    assert rows.empty
    assert "count" in rows


def test_context_enters_no_prior(tmp_path: Path) -> None:
    folder = changed(tmp_path, "response.csv", (2, "use", "context"))
    assert "tourmaline_mm1" not in set(response_prior_rows(folder, "Ixa-Rd", "orr")["study_id"])
    assert hazard_ratio_rows(EXTERNAL, "extramedullary_disease", "os").empty, "the only one with an interval is context"
    line = line_of("prognostic_hr.csv", factor="extramedullary_disease", endpoint="os", hr="1.41")
    folder = changed(tmp_path, "prognostic_hr.csv", (line, "use", "prior"))
    assert hazard_ratio_rows(folder, "extramedullary_disease", "os")["hr"].tolist() == [1.41]


def test_the_hazard_ratios_that_may_enter_a_prior() -> None:
    table = read_prognostic_hr(EXTERNAL)
    found = {
        (factor, endpoint): list(zip(rows["study_id"], rows["hr"], strict=True))
        for factor in [*sorted(set(table["factor"])), *read_factors(EXTERNAL)["factor"]]
        for endpoint in ("pfs", "os", "ttp")
        if not (rows := hazard_ratio_rows(EXTERNAL, factor, endpoint)).empty
    }
    assert found == {
        ("extramedullary_disease", "pfs"): [("idecel_emd2024", 1.5)],
        ("iss3", "pfs"): [("mikulski_poland_rd", 1.8)],
        ("iss3", "os"): [("mikulski_poland_rd", 2.1)],
    }


def test_a_hazard_ratio_brings_its_standard_error() -> None:
    rows = hazard_ratio_rows(EXTERNAL, "extramedullary_disease", "pfs")
    assert rows["study_id"].tolist() == ["idecel_emd2024"]
    assert rows["log_hazard_ratio"].tolist() == pytest.approx([math.log(1.5)], abs=1e-15)
    assert rows["standard_error"].tolist() == pytest.approx([math.log(2.2 / 1.1) / 3.919927969080108], abs=1e-12)


def test_overlapping_hazard_ratios_are_one(tmp_path: Path) -> None:
    """Line 5 may share patients with line 2: with an interval of its own, the adjusted ratio still stands for both."""
    limits = ((5, "lower95", "1.8"), (5, "upper95", "2.0"))
    folder = changed(tmp_path, "prognostic_hr.csv", *limits)
    assert hazard_ratio_rows(folder, "extramedullary_disease", "pfs")["study_id"].tolist() == ["idecel_emd2024"]
    apart = changed(tmp_path, "prognostic_hr.csv", *limits, (2, "overlaps_with", ""), (5, "overlaps_with", ""))
    assert len(hazard_ratio_rows(apart, "extramedullary_disease", "pfs")) == 2


def test_a_study_factor_finds_its_literature_name(tmp_path: Path) -> None:
    limits = ((22, "lower95", "1.1"), (22, "upper95", "2.8"))
    folder = changed(tmp_path, "prognostic_hr.csv", *limits)
    for factor in ("prior_lines", "prior_lines_gt_1", "prior_lines_gt_3"):
        assert hazard_ratio_rows(folder, factor, "pfs")["study_id"].tolist() == ["china_pom12"]


@pytest.mark.parametrize("factor", ["gfr_le_70", "triple_class_refractory", "high_risk_cytogenetics", "age_ge_80"])
@pytest.mark.parametrize("endpoint", ["pfs", "os"])
def test_no_factor_of_the_index_study_has_three_independent_rows(factor: str, endpoint: str) -> None:
    assert len(hazard_ratio_rows(EXTERNAL, factor, endpoint)) < 3


def test_the_index_study_is_not_in_its_own_prior() -> None:
    for table in (read_response(EXTERNAL), read_survival(EXTERNAL), read_prognostic_hr(EXTERNAL)):
        assert not table["study_id"].str.contains("zhou").any()
        assert not table["doi"].eq("10.1177/20406207261421841").any()
