"""Prints that are impossible by themselves, whatever the patients were and whatever else is printed."""

from collections.abc import Iterator
from typing import Final

from ixa_bayes.study.audit import consequences as then
from ixa_bayes.study.audit.findings import POSSIBLE_STATISTICS, Finding
from ixa_bayes.study.audit.prints import Prints, row_words
from ixa_bayes.study.ledger_rows import impossible_in

CHECK: Final = "impossible_as_printed"


def check_impossible(prints: Prints) -> Iterator[Finding]:
    """Rows that the ledger marks as printed though impossible: an estimate outside its interval, 130%.

    Without that mark such a row is a typing error of the ledger, and reading it fails.
    """
    for row in prints.impossible:
        rules = "; ".join(f"{fault.column} {fault.found}: {fault.rule}" for fault in impossible_in(row))
        yield Finding(
            CHECK,
            "contradiction",
            (row["id"],),
            printed=row_words(row),
            computed=rules,
            explanation=f"{prints.subject_words(row)}: what is printed is impossible, and stands so in the paper "
            f"({row['note']}).",
            consequence=prints.adjudication_words([row["id"]]) or then.ROW_NOT_USED,
            inspect_sr_item=POSSIBLE_STATISTICS,
        )
