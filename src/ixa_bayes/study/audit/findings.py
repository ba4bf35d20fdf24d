"""What an audit finds, and the table it is handed on in."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import pandas as pd

Severity = Literal["contradiction", "implausible", "note", "not_computable"]

SEVERITIES: Final[Mapping[Severity, str]] = {
    "contradiction": "the prints cannot all be right, whatever the patients were",
    "implausible": "possible, but so rare in consistent papers that it needs an explanation",
    "note": "consistent, and a reader should know it",
    "not_computable": "a check that the ledger does not hold enough for; the explanation says what is missing",
}
"""Severities and their meaning, the most serious first."""

AUDIT_COLUMNS: Final[Mapping[str, str]] = {
    "finding_id": "the check and the row that is accused; unique within one audit",
    "check": "the check that found it",
    "severity": "; ".join(f"{name}: {meaning}" for name, meaning in SEVERITIES.items()),
    "printed": "what the paper prints",
    "computed": "what follows from the other prints",
    "explanation": "the finding in a sentence",
    "consequence": "what the reanalysis does about it",
    "inspect_sr_item": "the item of INSPECT-SR that it falls under, where one fits",
    "ledger_rows": "ids of the rows it rests on, the accused row first, joined by semicolons",
    "evidence_kind": "always published_effect: an audit reads nothing but print",
}
EVIDENCE_KIND: Final = "published_effect"

UNEXPLAINED: Final = "no single percentage and no single number of patients explains it"
"""Computed of a table by itself; another finding may know the cause."""

NUMBERS_OF_PARTICIPANTS: Final = "4.6"
POSSIBLE_STATISTICS: Final = "4.8"
TESTS_REPRODUCED: Final = "4.9"


@dataclass(frozen=True)
class Finding:
    """One thing that a check found.

    Attributes
    ----------
    check : str
        Name of the check.
    severity : {"contradiction", "implausible", "note", "not_computable"}
    rows : tuple of str
        Ledger rows it rests on, the accused row first.
    printed, computed, explanation, consequence : str
        See :data:`AUDIT_COLUMNS`.
    inspect_sr_item : str
        Item of INSPECT-SR (Wilkinson et al. 2025, doi 10.1101/2025.09.03.25334905), or empty.
    mends : mapping of str to frozenset of int
        For a contradiction: the rows whose number of patients alone can have caused it, and the
        numbers that would remove it (:mod:`ixa_bayes.study.audit.causes` joins findings by them).
    reprints : mapping of str to tuple of str
        For a contradiction between two prints of one statistic: each row, with the column and what the
        other place prints there.
    """

    check: str
    severity: Severity
    rows: tuple[str, ...]
    printed: str
    computed: str
    explanation: str
    consequence: str
    inspect_sr_item: str = ""
    mends: Mapping[str, frozenset[int]] = field(default_factory=dict)
    reprints: Mapping[str, tuple[str, str]] = field(default_factory=dict)


def findings_table(findings: Iterable[Finding]) -> pd.DataFrame:
    """Findings as a table, the most serious first and in the order they were found within a severity.

    Returns
    -------
    pd.DataFrame
        Columns :data:`AUDIT_COLUMNS`, all strings.
    """
    order = list(SEVERITIES)
    ranked = sorted(findings, key=lambda finding: order.index(finding.severity))
    seen: Counter[str] = Counter()
    records = []
    for finding in ranked:
        stem = "-".join([finding.check, *finding.rows[:1]])
        seen[stem] += 1
        records.append(
            {
                "finding_id": stem if seen[stem] == 1 else f"{stem}-{seen[stem]}",
                "check": finding.check,
                "severity": finding.severity,
                "printed": finding.printed,
                "computed": finding.computed,
                "explanation": finding.explanation,
                "consequence": finding.consequence,
                "inspect_sr_item": finding.inspect_sr_item,
                "ledger_rows": ";".join(dict.fromkeys(finding.rows)),
                "evidence_kind": EVIDENCE_KIND,
            }
        )
    return pd.DataFrame(records, columns=list(AUDIT_COLUMNS), dtype=str)
