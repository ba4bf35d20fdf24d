"""What the audit finds in the printed numbers, worded for the page."""

from typing import Any, Final

import pandas as pd

from ixa_bayes.report.display import (
    Column,
    DisplayRow,
    DisplayTable,
    Ledger,
    display_table,
    evidence_words,
    records_of,
    table_of_rows,
)
from ixa_bayes.study.audit.log_rank import BESIDE

SEVERITY_WORDS: Final = {
    "contradiction": "cannot all be right",
    "implausible": "implausible",
    "note": "worth knowing",
    "not_computable": "could not be checked",
}
IMPLIED_ELSEWHERE: Final = "see the table of implied hazard ratios below"


def audit_table(audit: pd.DataFrame, ledger: Ledger) -> DisplayTable:
    """Findings of the audit that a reader must judge, the most serious first."""
    judged = audit[~audit["severity"].eq("not_computable")]
    return _findings(
        judged,
        ledger,
        anchor="table-audit",
        caption="What the printed numbers say about each other",
        missing="The audit ran and found nothing that does not agree.",
        folded=False,
    )


def unchecked_table(audit: pd.DataFrame, ledger: Ledger) -> DisplayTable:
    """Checks for which the paper does not print enough."""
    return _findings(
        audit[audit["severity"].eq("not_computable")],
        ledger,
        anchor="table-unchecked",
        caption="Checks that could not be made",
        missing="Every check could be made.",
        folded=True,
    )


def _findings(
    table: pd.DataFrame, ledger: Ledger, *, anchor: str, caption: str, missing: str, folded: bool = False
) -> DisplayTable:
    columns = [
        (Column("Check"), _check_words),
        (Column("What it means"), lambda row: row["explanation"]),
        (Column("Printed"), lambda row: row["printed"] or "–"),
        (Column("Computed"), lambda row: IMPLIED_ELSEWHERE if implied_rows(row) else row["computed"] or "–"),
        (Column("What this report does"), lambda row: row["consequence"] or "–"),
    ]
    return display_table(
        table,
        columns,
        ledger=ledger,
        anchor=anchor,
        caption=caption,
        missing=missing,
        group=lambda row: SEVERITY_WORDS.get(row["severity"], row["severity"]).capitalize(),
        folded=folded,
        file="tables/audit.csv",
    )


def implied_table(audit: pd.DataFrame, ledger: Ledger) -> DisplayTable:
    """Hazard ratios that log-rank p values and medians imply, one comparison a row, beside the adjusted one."""
    rows = [
        DisplayRow(cells, links=ledger.links(row["ledger_rows"]), group=row["explanation"].partition(": ")[0])
        for row in records_of(audit)
        for cells in implied_rows(row)
    ]
    return table_of_rows(
        rows,
        ("Comparison", "From the log-rank p, by formula", "From the medians", "Adjusted, as printed"),
        anchor="table-implied",
        caption="Hazard ratios that the printed numbers imply",
        evidence=evidence_words(audit),
        missing="No log-rank p value is printed from which a hazard ratio follows.",
        folded=True,
        file="tables/audit.csv",
    )


def implied_rows(row: dict[str, Any]) -> list[tuple[str, ...]]:
    """Comparison, ratio from the p value, from the medians and adjusted, of the audit's finding that lists them.

    Empty for every other finding, and where the list is not one of comparisons.
    """
    listed = [part.rpartition(": ") for part in str(row["computed"]).split("; ")]
    if row["check"] != BESIDE or not all(comparison for comparison, _, _ in listed):
        return []
    return [(comparison, *_by_source(words.split(", "))) for comparison, _, words in listed]


def _by_source(ratios: list[str]) -> tuple[str, str, str]:
    medians = [ratio for ratio in ratios if ratio.endswith(" from medians")]
    adjusted = [ratio for ratio in ratios if ratio.endswith(" adjusted")]
    by_p = ", ".join(ratio for ratio in ratios if ratio not in (*medians, *adjusted))
    beside = [found[0].split(" ")[0] if found else "–" for found in (medians, adjusted)]
    return by_p, beside[0], beside[1]


def _check_words(row: dict[str, Any]) -> str:
    name = str(row["check"]).replace("_", " ").capitalize()
    return f"{name} (INSPECT-SR {row['inspect_sr_item']})" if row["inspect_sr_item"] else name
