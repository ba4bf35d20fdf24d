"""The same statistic printed more than once."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Final

from ixa_bayes.formulas.printed import PrintedNumber, is_not_reached, parse_p
from ixa_bayes.study.audit import consequences as then
from ixa_bayes.study.audit.findings import POSSIBLE_STATISTICS, Finding, Severity
from ixa_bayes.study.audit.prints import Prints, is_ambiguous, overlap
from ixa_bayes.study.ledger_rows import RATIO_KINDS, Row, number

CHECK: Final = "repeated_values"
SIGNIFICANT: Final = 0.05
_NOT_REPEATED: Final = ("value", "date")
_COLUMN_WORDS: Final = {
    "value": "value",
    "lower": "lower limit",
    "upper": "upper limit",
    "count": "count",
    "denominator": "denominator",
    "p": "p value",
}

Key = tuple[str, ...]


def check_repeats(prints: Prints) -> Iterator[Finding]:
    """Statistics printed in several places with different digits: compatible roundings are notes."""
    groups: dict[Key, list[tuple[str, Row]]] = defaultdict(list)
    for row in prints.rows:
        for column, key in _cells(prints, row):
            groups[key].append((column, row))
    for cells in groups.values():
        column = cells[0][0]
        texts = dict.fromkeys(row[column] for _, row in cells)
        if len(texts) > 1:
            yield _differs(prints, column, [row for _, row in cells])


def _cells(prints: Prints, row: Row) -> Iterator[tuple[str, Key]]:
    """The cells of a row with what each is a statistic of; equal keys mean the same statistic."""
    about = (row["population"], row["factor"], row["level"], row["endpoint"])
    if row["kind"] in _NOT_REPEATED:
        return
    for column in ("count", "denominator"):
        counted = row["kind"] if row["kind"] in ("events", "censored") else "patients"
        if row[column] and not row["comparator"]:
            yield column, (column, counted, *about)
    exact = (row["kind"], row["comparator"], row["unit"], row["time"], row["adjustment"])
    for column in ("value", "lower", "upper"):
        if row[column]:
            yield column, (column, *exact, row["interval"] if column != "value" else "", *about)
    if row["p"]:
        yield "p", ("p", *statistic_of_p(prints, row))


def statistic_of_p(prints: Prints, row: Row) -> Key:
    """What a p value tests; it does not matter which group is named first."""
    comparison = prints.comparison(row)
    levels = sorted((comparison.level, comparison.comparator)) if comparison else [row["level"], row["comparator"]]
    kind = (row["kind"], row["adjustment"]) if row["kind"] in RATIO_KINDS else ("test", "")
    return (row["population"], row["factor"], row["endpoint"], *levels, *kind, row["time"])


def _differs(prints: Prints, column: str, rows: Sequence[Row]) -> Finding:
    texts = list(dict.fromkeys(row[column] for row in rows))
    compatible = all(_compatible(column, a, b) for a, b in combinations(texts, 2))
    places = "; ".join(
        f"{text} in {', '.join(row['location'] for row in rows if row[column] == text)}" for text in texts
    )
    severity: Severity = "note" if compatible or any(map(is_ambiguous, rows)) else "contradiction"
    words = _COLUMN_WORDS[column]
    others = _other_prints(column, rows)
    return Finding(
        CHECK,
        severity,
        tuple(row["id"] for row in rows),
        printed=places,
        computed=_agreement(column, texts) if compatible else "no number rounds to all of them",
        explanation=f"{prints.subject_words(rows[0])}: the {words} is printed with different digits in different places"
        + (", which rounding explains." if compatible else ".")
        + (_sides(texts) if column == "p" else ""),
        consequence=prints.adjudication_words(row["id"] for row in rows) or _consequence(prints, column, rows[0]),
        inspect_sr_item="" if compatible else POSSIBLE_STATISTICS,
        mends={row: frozenset({int(other)}) for row, other in others.items()} if column == "count" else {},
        reprints={} if column == "count" else {row: (column, other) for row, other in others.items()},
    )


def _other_prints(column: str, rows: Sequence[Row]) -> dict[str, str]:
    """What the other place prints, for each row, where only two prints differ and one of them stands once."""
    prints = Counter(row[column] for row in rows)
    if len(prints) != 2:
        return {}
    first, second = prints
    other = {first: second, second: first}
    return {row["id"]: other[row[column]] for row in rows if prints[row[column]] == 1}


def _consequence(prints: Prints, column: str, row: Row) -> str:
    """Which of several prints the reanalysis uses."""
    if column == "p":
        log_rank = prints.kind_of(row["endpoint"]) == "time_to_event" and row["kind"] not in RATIO_KINDS
        return then.MOST_DIGITS if log_rank else then.P_DECIDES_AT_MOST
    if row["kind"] in RATIO_KINDS:
        return then.of_ratio(row, then.EACH_INTERVAL)
    if row["kind"] in ("events", "censored"):
        return then.MOST_EVENTS
    if column == "denominator":
        return then.EVERY_DENOMINATOR
    if column == "count":
        return then.COUNTS_EXCLUDE_EACH_OTHER
    return then.COUNT_OR_ALL_PRINTS if row["kind"] == "percent" else then.DESCRIPTIVE_ONLY


def _compatible(column: str, first: str, second: str) -> bool:
    if first == second:
        return True
    if column == "p":
        return overlap(parse_p(first).interval(), parse_p(second).interval())
    if is_not_reached(first) or is_not_reached(second):
        return is_not_reached(first) and is_not_reached(second)
    a, b = number(first), number(second)
    return a.step != b.step and _rounds_to(*((a, b) if a.step < b.step else (b, a)))


def _rounds_to(fine: PrintedNumber, coarse: PrintedNumber) -> bool:
    """Whether some number prints as both, or the finer print truncates to the coarser."""
    low, high = fine.exact_interval()
    at_least, at_most = coarse.exact_interval()
    return (low <= at_most and at_least <= high) or coarse.prints(fine.exact, "truncation")


def _agreement(column: str, texts: Sequence[str]) -> str:
    if column == "p":
        return f"{' and '.join(texts)} can be the same p value"
    return f"{' and '.join(texts)} can be the same number"


def _sides(texts: Sequence[str]) -> str:
    """A warning where repeats of a p value lie on different sides of 0.05."""
    intervals = [parse_p(text).interval() for text in texts]
    above = any(low >= SIGNIFICANT for low, _ in intervals)
    not_above = any(low < SIGNIFICANT for low, _ in intervals)
    return " One print lies above 0.05, another may lie below." if above and not_above else ""
