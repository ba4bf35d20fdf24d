"""How often checks alarm on consistent papers and find planted faults; shared by the tests and their full-size run."""

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ixa_bayes.study.audit import audit

from .faults import Fault, Planted
from .probable_faults import whole_months
from .synthetic import synthetic_paper

FULL = os.environ.get("IXA_BAYES_CALIBRATION") == "full"
CLEAN_SEEDS = range(2_000) if FULL else range(80)
FAULT_SEEDS = range(100_000, 150_000)
"""Apart from the clean seeds, on which nothing may be tuned twice."""
PLANTED_PROBABILISTIC = 500 if FULL else 15
PLANTED_DETERMINISTIC = 100 if FULL else 8


@dataclass(frozen=True)
class Detection:
    """Planted faults of one kind, how many were found, and what was missed."""

    planted: int
    found: int
    missed: tuple[tuple[int, Planted], ...]


def alarms_on_clean_papers(seeds: Iterable[int]) -> Counter[tuple[str, str]]:
    """Number of consistent papers with at least one alarm, by (check, severity)."""
    alarms: Counter[tuple[str, str]] = Counter()
    for seed in seeds:
        findings = audit(synthetic_paper(seed).study())
        raised = findings[findings["severity"].isin(["contradiction", "implausible"])]
        alarms.update(set(zip(raised["check"], raised["severity"], strict=True)))
    return alarms


def detection(fault: Fault, *, wanted: int) -> Detection:
    """Plant a fault in ``wanted`` papers that have a place for it, and count where it is found as it should be."""
    planted, missed = 0, []
    for seed in FAULT_SEEDS:
        if planted == wanted:
            break
        paper = synthetic_paper(seed, whole_units=fault is whole_months)
        expected = fault(paper)
        if expected is None:
            continue
        planted += 1
        findings = audit(paper.study())
        joined = findings["computed"].str.contains("would agree with everything else")  # with what else it causes
        hits = findings[
            (findings["check"].eq(expected.check) | joined)
            & findings["severity"].isin(expected.severities)
            & findings["ledger_rows"].map(lambda rows, row=expected.row: row in rows.split(";"))
        ]
        words = " ".join(hits["printed"] + hits["computed"] + hits["explanation"])
        if hits.empty or expected.words not in words:
            missed.append((seed, expected))
    return Detection(planted, planted - len(missed), tuple(missed))
