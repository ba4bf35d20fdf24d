"""Medians of a population beside those of its parts, and numbers beside the words that describe them."""

import math
from collections.abc import Iterator
from typing import Final

from ixa_bayes.formulas.printed import is_not_reached, parse_p
from ixa_bayes.study.audit import consequences as then
from ixa_bayes.study.audit.findings import POSSIBLE_STATISTICS, Finding, Severity
from ixa_bayes.study.audit.prints import Prints, is_ambiguous, listed, p_words, row_words
from ixa_bayes.study.definition import PATIENTS
from ixa_bayes.study.effects import Comparison
from ixa_bayes.study.ledger_rows import RATIO_KINDS, Row, number

POOLED: Final = "pooled_median"
CLAIM: Final = "stated_direction"
SIGNIFICANT: Final = 0.05
MEDIANS_CLOSE: Final = 1.25
"""Ratio of two medians up to which curves that cross can put them in the other order than the test."""
KAPLAN_MEIER_SLACK: Final = 0.05
"""Part of its value by which a pooled Kaplan-Meier median may leave the range of its parts under unequal censoring."""


def check_medians(prints: Prints) -> Iterator[Finding]:
    """Pooled medians outside the medians of the parts."""
    for (population, factor, level, endpoint), rows in list(prints.by_subject.items()):
        pooled = [row for row in rows if row["kind"] == "median"]
        if factor or level or not pooled:
            continue
        for name, defined in prints.definition.factors.items():
            parts = [prints.select((population, name, part, endpoint), "median")[:1] for part in defined.levels]
            if defined.complete and all(parts):
                yield from _pooled(prints, pooled[0], [row for part in parts for row in part], factor=name)


def _ends(row: Row) -> tuple[float, float]:
    return (math.inf, math.inf) if is_not_reached(row["value"]) else number(row["value"]).interval()


def _pooled(prints: Prints, pooled: Row, parts: list[Row], *, factor: str) -> Iterator[Finding]:
    low, high = min(_ends(row)[0] for row in parts), max(_ends(row)[1] for row in parts)
    at_least, at_most = _ends(pooled)
    censored = prints.kind_of(pooled["endpoint"]) == "time_to_event"
    slack = KAPLAN_MEIER_SLACK if censored else 0.0
    if at_least == math.inf or (at_most * (1 + slack) >= low and at_least * (1 - slack) <= high):
        return
    severity: Severity = "implausible" if censored else "contradiction"
    yield Finding(
        POOLED,
        "note" if any(map(is_ambiguous, [pooled, *parts])) else severity,
        (pooled["id"], *(row["id"] for row in parts)),
        printed=f"{pooled['value']} overall; {', '.join(row['value'] for row in parts)}",
        computed=f"the parts allow {low:g} to {high:g}",
        explanation=f"{prints.subject_words(pooled)}: the median lies outside the medians of its parts by "
        f"{prints.definition.factors[factor].label}, between which it must lie"
        + (" unless the parts were censored very differently." if censored else "."),
        consequence=prints.adjudication_words([pooled["id"], *(row["id"] for row in parts)]) or then.DESCRIPTIVE_ONLY,
        inspect_sr_item=POSSIBLE_STATISTICS,
    )


def check_claims(prints: Prints) -> Iterator[Finding]:
    """Sentences whose direction is not that of their numbers, or that deny a difference their p value shows."""
    for row in prints.rows:
        comparison = prints.comparison(row)
        if not row["claim"] or comparison is None or row["endpoint"] == PATIENTS:
            continue
        if row["claim"] == "no_difference":
            yield from _denied(prints, row)
            continue
        stated = _stated_sign(prints, row)
        if stated == 0:
            continue
        if row["kind"] in RATIO_KINDS:
            yield from _against_ratio(prints, row, stated)
        else:
            yield from _against_values(prints, row, comparison, stated=stated)


def _stated_sign(prints: Prints, row: Row) -> int:
    """1 if the words say that the first group's values are the larger ones, -1 if the smaller, 0 if unclear."""
    better = prints.definition.endpoints[row["endpoint"]].better
    if row["claim"] in ("higher", "lower"):
        return 1 if row["claim"] == "higher" else -1
    if better == "neither":
        return 0
    return 1 if (row["claim"] == "better") == (better == "higher") else -1


def _denied(prints: Prints, row: Row) -> Iterator[Finding]:
    if not row["p"] or parse_p(row["p"]).interval()[1] >= SIGNIFICANT:
        return
    yield Finding(
        CLAIM,
        "note" if is_ambiguous(row) else "contradiction",
        (row["id"],),
        printed=p_words(row["p"]),
        computed="below 0.05",
        explanation=f"{prints.subject_words(row)}: the text says that there is no difference, and the p value is "
        "below 0.05.",
        consequence=then.NUMBERS_NOT_WORDS,
    )


def _against_ratio(prints: Prints, row: Row, stated: int) -> Iterator[Finding]:
    value = number(row["value"]).value
    # A ratio of hazards above 1 means shorter times; a ratio of odds or risks above 1 means more events.
    sign = -1 if row["kind"] == "hazard_ratio" and row["claim"] in ("better", "worse") else 1
    if prints.kind_of(row["endpoint"]) == "time_to_event" and row["kind"] == "hazard_ratio":
        sign = -1
    if value == 1 or (value > 1) == (stated * sign > 0):
        return
    yield Finding(
        CLAIM,
        "note" if is_ambiguous(row) else "contradiction",
        (row["id"],),
        printed=f"{row_words(row)}; said to be {row['claim']}",
        computed=f"a ratio {'above' if value > 1 else 'below'} 1",
        explanation=f"{prints.subject_words(row)}: the words and the ratio point in opposite directions.",
        consequence=prints.adjudication_words([row["id"]]) or then.of_ratio(row, then.RATIO_NOT_WORDS),
    )


def _against_values(prints: Prints, row: Row, comparison: Comparison, *, stated: int) -> Iterator[Finding]:
    first = _value_row(prints, row, comparison, comparison.level)
    second = _value_row(prints, row, comparison, comparison.comparator)
    if first is None or second is None or first["kind"] != second["kind"]:
        return
    low, high = _ends(first), _ends(second)
    unclear = low[0] <= high[1] and high[0] <= low[1]
    if unclear or (low[0] > high[1]) == (stated > 0):
        return
    # A test compares whole distributions: medians that differ little can stand in the other order.
    small, large = sorted([low, high])
    close = first["kind"] == "median" and large[0] <= MEDIANS_CLOSE * small[1]
    severity: Severity = "implausible" if close else "contradiction"
    yield Finding(
        CLAIM,
        "note" if is_ambiguous(row) else severity,
        (row["id"], first["id"], second["id"]),
        printed=f"{first['value']} against {second['value']}, {p_words(row['p'])}; said to be {row['claim']}".replace(
            ", ;", ";"
        ),
        computed=f"{first['value']} is the {'larger' if low[0] > high[1] else 'smaller'} value",
        explanation=f"{prints.subject_words(row)}: the text calls the first group {row['claim']}, its numbers say the "
        f"opposite. Either the numbers or the groups were exchanged{_pooled_hint(prints, comparison)}.",
        consequence=prints.adjudication_words([first["id"], second["id"], row["id"]]) or then.NUMBERS_UNTIL_ADJUDICATED,
        inspect_sr_item=POSSIBLE_STATISTICS,
    )


def _value_row(prints: Prints, row: Row, comparison: Comparison, level: str) -> Row | None:
    subject = (comparison.population, comparison.factor, level, comparison.endpoint)
    rows = prints.select(subject, "median", "mean", "percent")
    nearby = [found for found in rows if found["location"] == row["location"]]
    return next(iter(nearby or rows), None)


def _pooled_hint(prints: Prints, comparison: Comparison) -> str:
    """Other comparisons of the same factor whose numbers agree with their words."""
    agreeing = []
    for row in prints.claims_by_factor[comparison.factor]:
        other = prints.comparison(row)
        if (
            other is None
            or other == comparison
            or (other.factor, other.level, other.comparator)
            != (comparison.factor, comparison.level, comparison.comparator)
            or row["kind"] in RATIO_KINDS
            or row["endpoint"] == PATIENTS
        ):
            continue
        first, second = (_value_row(prints, row, other, level) for level in (other.level, other.comparator))
        if first and second and (_ends(first)[0] > _ends(second)[1]) == (_stated_sign(prints, row) > 0):
            agreeing.append(row["id"])
    return f" (words and numbers agree in {listed(agreeing, 4)})" if agreeing else ""
