"""Contradictions with one cause told as one: a wrong number of patients shows wherever that number is used."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from ixa_bayes.study.audit import consequences as then
from ixa_bayes.study.audit.findings import UNEXPLAINED, Finding
from ixa_bayes.study.audit.percentages import CHECK as CELLS
from ixa_bayes.study.audit.prints import Prints
from ixa_bayes.study.ledger import Study

MOST_TRIED: Final = 40
"""Numbers that are tried in place of a printed one; each costs an audit."""
MOST_FITTING: Final = 3
"""Numbers that may fit in place of a printed one; if more do, they explain little."""

Cause = tuple[str, int]
"""A ledger row, and the number of patients that would remove contradictions in place of its own."""
Check = Callable[[Study], Iterable[Finding]]


def joined_by_cause(findings: Iterable[Finding], prints: Prints, *, check: Check) -> list[Finding]:
    """The same findings, with contradictions that one other number of patients would remove joined to one.

    Parameters
    ----------
    findings : iterable of Finding
        In the order of the checks.
    prints : Prints
        What they were found in.
    check : callable
        Every check on another study: a number is a cause only if, put in place of the printed one,
        contradictions are gone and no other has come.

    Returns
    -------
    list of Finding
        A joined finding stands in the place of its first part and bears the name of the first check
        that compares numbers of patients, if there is one. It accuses the row of the number, and rests
        on every row of its parts.

    Notes
    -----
    The number that explains most contradictions is taken first. Where several explain the same
    contradictions, all are told.
    """
    found = list(findings)
    explained = _explained(found, prints, check)
    joined: dict[int, Finding] = {}
    taken: set[int] = set()
    for positions in sorted(set(explained.values()), key=lambda same: (-len(same), same)):
        if taken.isdisjoint(positions):
            taken |= set(positions)
            causes = [cause for cause, same in explained.items() if same == positions]
            joined[positions[0]] = _joined([found[index] for index in positions], causes, prints)
    return [joined.get(index, finding) for index, finding in enumerate(found) if index in joined or index not in taken]


def _explained(found: Sequence[Finding], prints: Prints, check: Check) -> dict[Cause, tuple[int, ...]]:
    """Positions of the contradictions that are gone with another number, for numbers that explain several."""
    before = {_key(finding): index for index, finding in enumerate(found) if finding.severity == "contradiction"}
    if len(before) < 2:
        return {}
    explained = {}
    for cause in _suspected(found)[:MOST_TRIED]:
        for study in _with_count(prints, cause):
            after = {_key(finding) for finding in check(study) if finding.severity == "contradiction"}
            gone = tuple(index for key, index in before.items() if key not in after)
            if after <= before.keys() and len(gone) > 1:
                explained[cause] = gone
                break
    return explained


def _key(finding: Finding) -> tuple[str, frozenset[str]]:
    return finding.check, frozenset(finding.rows)


def _suspected(found: Iterable[Finding]) -> list[Cause]:
    """Numbers that would remove a contradiction each; those that most contradictions name come first."""
    named = Counter(
        (row, number)
        for finding in found
        if finding.severity == "contradiction"
        for row, numbers in finding.mends.items()
        for number in numbers
    )
    suspected: list[Cause] = []
    for row in dict.fromkeys(row for row, _ in named):
        most = max(times for (other, _), times in named.items() if other == row)
        likeliest = [cause for cause, times in named.items() if cause[0] == row and times == most]
        suspected += likeliest if len(likeliest) <= MOST_FITTING else []
    return sorted(suspected, key=lambda cause: -named[cause])


def _with_count(prints: Prints, cause: Cause) -> Iterator[Study]:
    """The study with another number printed, wherever the same number is printed of the same patients.

    A percentage printed with the number may have been computed from it, and is left out in a second study.
    """
    row, number = cause
    about = ("population", "factor", "level", "comparator", "endpoint", "count")
    wrong = prints.by_id[row]
    statistics = prints.study.statistics.copy()
    same = (statistics[list(about)] == [wrong[column] for column in about]).all(axis="columns")
    statistics.loc[same, "count"] = str(number)
    yield replace(prints.study, statistics=statistics)
    if wrong["value"]:
        without = statistics.copy()
        without.loc[same, ["kind", "value"]] = "count", ""
        yield replace(prints.study, statistics=without)


def _joined(parts: Sequence[Finding], causes: Sequence[Cause], prints: Prints) -> Finding:
    rows = tuple(dict.fromkeys(row for row, _ in causes))
    words = " or ".join(
        f"{_either(n for other, n in causes if other == row)} in place of {prints.by_id[row]['count']} ({row})"
        for row in rows
    )
    computed = (part.computed.removeprefix(UNEXPLAINED) for part in parts)
    subject = prints.subject_words(prints.by_id[rows[0]])
    return replace(
        next((part for part in parts if part.check != CELLS), parts[0]),
        rows=tuple(dict.fromkeys((*rows, *(row for part in parts for row in part.rows)))),
        printed=_all_of(part.printed for part in parts),
        computed=_all_of([f"{words} would agree with everything else", *computed]),
        explanation=f"{subject}: one number of patients explains {len(parts)} contradictions. "
        + " ".join(dict.fromkeys(part.explanation for part in parts)),
        consequence=prints.adjudication_words(rows) or then.together(part.consequence for part in parts),
        mends={},
    )


def _all_of(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(part for text in texts for part in text.split("; ") if part))


def _either(numbers: Iterable[int]) -> str:
    return " or ".join(map(str, sorted(numbers)))
