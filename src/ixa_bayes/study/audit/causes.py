"""Contradictions with one cause told as one: a misprint shows wherever the printed number is used or repeated."""

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

Cause = tuple[str, str, str]
"""A ledger row, a column, and what would remove contradictions if it were printed there."""
Check = Callable[[Study], Iterable[Finding]]


def joined_by_cause(findings: Iterable[Finding], prints: Prints, *, check: Check) -> list[Finding]:
    """The same findings, with contradictions that one other print would remove joined to one.

    Parameters
    ----------
    findings : iterable of Finding
        In the order of the checks.
    prints : Prints
        What they were found in.
    check : callable
        Every check on another study: a number of patients, or another place's print of the same
        statistic, is a cause only if, put in place of the printed one, contradictions are gone and no
        other has come.

    Returns
    -------
    list of Finding
        A joined finding stands in the place of its first part and bears its name; for a number of
        patients, that of the first check that compares such numbers, if there is one. It accuses the
        row of the print, and rests on every row of its parts.

    Notes
    -----
    The print that explains most contradictions is taken first. Where several explain the same
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
    """Positions of the contradictions that are gone with another print, for prints that explain several."""
    before = {_key(finding): index for index, finding in enumerate(found) if finding.severity == "contradiction"}
    if len(before) < 2:
        return {}
    explained = {}
    for cause in _suspected(found)[:MOST_TRIED]:
        for study in _with_print(prints, cause):
            after = {_key(finding) for finding in check(study) if finding.severity == "contradiction"}
            gone = tuple(index for key, index in before.items() if key not in after)
            if after <= before.keys() and len(gone) > 1:
                explained[cause] = gone
                break
    return explained


def _key(finding: Finding) -> tuple[str, frozenset[str]]:
    return finding.check, frozenset(finding.rows)


def _suspected(found: Iterable[Finding]) -> list[Cause]:
    """Prints that would remove a contradiction each; those that most contradictions name come first."""
    contradictions = [finding for finding in found if finding.severity == "contradiction"]
    named = Counter(
        (row, "count", str(number))
        for finding in contradictions
        for row, numbers in finding.mends.items()
        for number in sorted(numbers)
    )
    suspected: list[Cause] = []
    for row in dict.fromkeys(row for row, _, _ in named):
        most = max(times for (other, _, _), times in named.items() if other == row)
        likeliest = [cause for cause, times in named.items() if cause[0] == row and times == most]
        suspected += likeliest if len(likeliest) <= MOST_FITTING else []
    suspected.sort(key=lambda cause: -named[cause])
    return suspected + [(row, *cell) for finding in contradictions for row, cell in finding.reprints.items()]


def _with_print(prints: Prints, cause: Cause) -> Iterator[Study]:
    """The study with another print in a cell; a number of patients changes wherever it is printed of the same patients.

    A percentage printed with the number may have been computed from it, and is left out in a second study.
    """
    row, column, text = cause
    wrong = prints.by_id[row]
    statistics = prints.study.statistics.copy()
    if column != "count":
        statistics.loc[row, column] = text
        yield replace(prints.study, statistics=statistics)
        return
    about = ("population", "factor", "level", "comparator", "endpoint", "count")
    same = (statistics[list(about)] == [wrong[name] for name in about]).all(axis="columns")
    statistics.loc[same, "count"] = text
    yield replace(prints.study, statistics=statistics)
    if wrong["value"]:
        without = statistics.copy()
        without.loc[same, ["kind", "value"]] = "count", ""
        yield replace(prints.study, statistics=without)


def _joined(parts: Sequence[Finding], causes: Sequence[Cause], prints: Prints) -> Finding:
    cells = tuple(dict.fromkeys((row, column) for row, column, _ in causes))
    rows = tuple(dict.fromkeys(row for row, _ in cells))
    words = " or ".join(
        f"{_either(cause[2] for cause in causes if cause[:2] == cell)} in place of "
        f"{prints.by_id[cell[0]][cell[1]]} ({cell[0]})"
        for cell in cells
    )
    of_patients = all(column == "count" for _, column in cells)
    what = "number of patients" if of_patients else "print"
    computed = (part.computed.removeprefix(UNEXPLAINED) for part in parts)
    subject = prints.subject_words(prints.by_id[rows[0]])
    return replace(
        next((part for part in parts if part.check != CELLS), parts[0]) if of_patients else parts[0],
        rows=tuple(dict.fromkeys((*rows, *(row for part in parts for row in part.rows)))),
        printed=_all_of(part.printed for part in parts),
        computed=_all_of([f"{words} would agree with everything else", *computed]),
        explanation=f"{subject}: one {what} explains {len(parts)} contradictions. "
        + " ".join(dict.fromkeys(part.explanation for part in parts)),
        consequence=prints.adjudication_words(rows) or then.together(part.consequence for part in parts),
        mends={},
        reprints={},
    )


def _all_of(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(part for text in texts for part in text.split("; ") if part))


def _either(texts: Iterable[str]) -> str:
    return " or ".join(sorted(texts, key=lambda text: (len(text), text)))
