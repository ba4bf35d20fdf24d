"""What the audit must find, on its own, in the built-in study."""

import subprocess
import sys
import time

import pandas as pd
import pytest

from ixa_bayes.study.audit import AUDIT_COLUMNS, SEVERITIES, audit
from ixa_bayes.study.ledger import Study, read_study


@pytest.fixture(scope="module")
def study() -> Study:
    return read_study("zhou2026")


@pytest.fixture(scope="module")
def findings(study: Study) -> pd.DataFrame:
    return audit(study)


EXPECTED = [
    ("counts_behind_percentages", "contradiction", "orr_pi_refractory_no", "53/84 = 63.1%"),
    ("counts_behind_percentages", "contradiction", "pr_all", "31/122 = 25.4%"),
    ("counts_behind_percentages", "contradiction", "fatigue", "5.5% would be 7 of 127 or 128"),
    ("counts_behind_percentages", "contradiction", "leukopenia_ge_3", "7/126 = 5.6%"),
    ("counts_behind_percentages", "contradiction", "n_relapse_ixa_rd", "46.8% is 59/126"),
    ("counts_behind_percentages", "contradiction", "n_relapse_ixa_pd", "24/112 = 21.4%"),
    ("fisher_recomputed", "contradiction", "p_orr_ixa_rd_triple_class", "p = 0.00237 from 1/12 against 27/45"),
    ("stated_direction", "contradiction", "p_os_ixa_rd_responder", "26.9 is the smaller value"),
    ("counts_behind_percentages", "contradiction", "fatigue_abs", "5.6 in place of 5.5 (fatigue) would agree"),
    ("repeated_values", "note", "hr_pfs_triple_class_abs", "0.05 and 0.051 can be the same p value"),
    ("repeated_values", "note", "p_orr_triple_class_abs", "<0.001 and <0.0001"),
    ("range_like_quartiles", "implausible", "time_since_diagnosis_median", "as a range of 126 patients"),
    ("recurring_median", "note", "os_all_abs", "in 6 subgroups"),
    ("measurement_grid", "implausible", "pfs_all_abs", "16 of 17 different times end in .9 or .0"),
    ("nested_groups", "note", "orr_all_abs", "9/19 = 47.4% in the rest"),
    ("limit_at_one", "note", "hr_pfs_triple_class", "between 0.995 and 1.005"),
    ("variance_inflation", "note", "hr_os_triple_class", "the variance is 5.7 times the unadjusted one"),
    ("implied_hazard_ratios", "note", "p_os_triple_class", "5.01 at the edge of p <0.0001, at least 3.12 whatever"),
    (
        "implied_hazard_ratios",
        "note",
        "p_os_high_risk_cytogenetics",
        "at least 1.42 or at most 0.71 (the print does not",
    ),
    ("implied_hazard_ratios", "note", "p_pfs_triple_class", "2.66 at the edge of p <0.0001, at least 2.04 whatever"),
    ("multiplicity", "note", "hr_os_triple_class_abs", "survive Benjamini-Hochberg"),
]


@pytest.mark.parametrize(("check", "severity", "row", "computed"), EXPECTED)
def test_expected_finding(findings: pd.DataFrame, check: str, severity: str, row: str, computed: str) -> None:
    found = findings[
        findings["check"].eq(check)
        & findings["severity"].eq(severity)
        & findings["ledger_rows"].map(lambda rows: row in rows.split(";"))
    ]
    assert any(computed in text for text in found["computed"]), found["computed"].tolist()


def test_contradictions_are_these_alone(findings: pd.DataFrame) -> None:
    accused = findings.loc[findings["severity"].eq("contradiction"), "ledger_rows"].str.split(";").str[0]
    joined = {"fatigue_abs"}  # the other print of a value that is accused already
    assert set(accused) == {row for _, severity, row, _ in EXPECTED if severity == "contradiction"} - joined
    assert accused.is_unique


def test_table_is_sorted_unique_and_explained(findings: pd.DataFrame, study: Study) -> None:
    assert list(findings.columns) == list(AUDIT_COLUMNS)
    order = list(SEVERITIES)
    assert findings["severity"].map(order.index).is_monotonic_increasing
    assert findings["finding_id"].is_unique
    assert findings["evidence_kind"].eq("published_effect").all()
    assert (findings[["printed", "explanation", "consequence"]] != "").to_numpy().all()
    assert set(findings["inspect_sr_item"]) <= {"", "4.6", "4.8", "4.9"}
    rows = {row for rows in findings["ledger_rows"] for row in rows.split(";")}
    assert rows <= set(study.statistics["id"])


def test_adjudicated_findings_say_what_is_used(findings: pd.DataFrame) -> None:
    by_id = findings.set_index("finding_id")["consequence"]
    assert "uses 63.1 for orr_pi_refractory_no" in by_id["counts_behind_percentages-orr_pi_refractory_no"]
    assert "uses not reached" in by_id["stated_direction-p_os_ixa_rd_responder"]


def test_it_is_fast_and_light(study: Study) -> None:
    start = time.perf_counter()
    audit(study)
    assert time.perf_counter() - start < 2
    code = "import sys, ixa_bayes.study.audit; print({'pymc', 'arviz', 'matplotlib', 'nutpie'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"
