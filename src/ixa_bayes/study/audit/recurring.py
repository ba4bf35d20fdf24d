"""Medians that recur, and digits that betray the grid on which times were measured."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Final

from scipy.special import betainc

from ixa_bayes.study.audit import consequences as then
from ixa_bayes.study.audit.findings import Finding
from ixa_bayes.study.audit.prints import Prints, listed, value_of
from ixa_bayes.study.ledger_rows import Row

RECURRING: Final = "recurring_median"
HEAPING: Final = "measurement_grid"
GROUPS_SHARING: Final = 6
"""Groups (one per factor, and the whole) that must share a median; large overlapping ones often share the whole's."""
SHARE_OF_GROUPS: Final = 0.7
SIGNIFICANT_DIGITS: Final = 3
"""Digits that a median must have; two often agree by chance."""
FEWEST_DIGITS: Final = 6
HEAPING_P: Final = 0.001
"""Probability, over all the pairs, that so many of evenly spread last digits fall on one pair."""
DIGIT_PAIRS: Final = [(first, (first + 1) % 10) for first in range(10)] + [(0, 5)]
"""Last digits that a grid of whole or half units, rounded or truncated, leaves."""


def check_recurring(prints: Prints) -> Iterator[Finding]:
    """One printed median shared by subgroups of many factors."""
    by_subject: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in prints.rows:
        if row["kind"] == "median" and prints.kind_of(row["endpoint"]) == "time_to_event" and value_of(row):
            by_subject[row["population"], row["endpoint"]].append(row)
    for (population, endpoint), rows in by_subject.items():
        factors = {row["factor"] for row in rows if row["factor"]}
        for text in dict.fromkeys(row["value"] for row in rows):
            sharing = [row for row in rows if row["value"] == text]
            shared = {row["factor"] for row in sharing if row["factor"]}
            number = value_of(sharing[0])
            if number is None or number.exact / number.step < 10 ** (SIGNIFICANT_DIGITS - 1):
                continue
            pooled = any(not row["factor"] for row in sharing)
            if len(shared) + pooled < max(GROUPS_SHARING, SHARE_OF_GROUPS * (len(factors) + 1)):
                continue
            yield _recurs(prints, (population, endpoint), text, sharing, factors=len(factors))


def _recurs(prints: Prints, subject: tuple[str, str], text: str, rows: list[Row], *, factors: int) -> Finding:
    population, endpoint = subject
    groups = [prints.level_words(row["factor"], row["level"]) for row in rows if row["factor"] and row["level"]]
    return Finding(
        RECURRING,
        "note",
        tuple(row["id"] for row in rows),
        printed=text,
        computed=f"in {len(groups)} subgroups, of {factors} factors with medians: "
        f"{listed(list(dict.fromkeys(groups)))}",
        explanation=f"{prints.endpoint_words(endpoint)}, {prints.group_words(population)}: subgroups by different "
        "factors "
        "share one median to the last digit. Their curves cross one half at one and the same time: few events lie "
        "near it, or times stand on a coarse grid, and these medians are one observation rather than several. "
        "Consistent papers with few events show this now and then.",
        consequence=then.DESCRIPTIVE_ONLY,
    )


def check_heaping(prints: Prints) -> Iterator[Finding]:
    """Last digits of times that fall on fewer values than chance lets them."""
    times: dict[str, dict[str, str]] = defaultdict(dict)
    for row in prints.rows:
        if prints.kind_of(row["endpoint"]) != "time_to_event" or row["kind"] != "median":
            continue
        for column in ("value", "lower", "upper"):
            number = value_of(row, column)
            if number and number.decimals == 1:
                times[row["endpoint"]].setdefault(number.text, row["id"])
    short = []
    for endpoint, found in times.items():
        if len(found) < FEWEST_DIGITS:
            short.append(endpoint)
            continue
        yield from _heaped(prints, endpoint, found)
    if short:
        yield Finding(
            HEAPING,
            "not_computable",
            tuple(dict.fromkeys(row for endpoint in short for row in times[endpoint].values())),
            printed=listed([prints.endpoint_words(endpoint) for endpoint in short]),
            computed="",
            explanation=f"Fewer than {FEWEST_DIGITS} different times with one decimal are printed, too few to see on "
            "which "
            "grid times were measured.",
            consequence=then.DESCRIPTIVE_ONLY,
        )


def _heaped(prints: Prints, endpoint: str, found: dict[str, str]) -> Iterator[Finding]:
    last = Counter(text[-1] for text in found)
    pair = max(DIGIT_PAIRS, key=lambda digits: sum(last[str(digit)] for digit in digits))
    hits, total = sum(last[str(digit)] for digit in pair), len(found)
    p = min(1.0, len(DIGIT_PAIRS) * _binomial_tail(hits, total, 0.2))
    if p > HEAPING_P:
        return
    unit = prints.definition.endpoints[endpoint].unit or prints.definition.time_unit
    whole = pair in ((9, 0), (0, 1))
    yield Finding(
        HEAPING,
        "implausible",
        tuple(dict.fromkeys(found.values())),
        printed=listed(sorted(found, key=float), 30),
        computed=f"{hits} of {total} different times end in .{pair[0]} or .{pair[1]} (probability {p:.1g})",
        explanation=f"{prints.endpoint_words(endpoint)}: the printed times fall on "
        + (f"whole {unit}" if whole else "a coarse grid")
        + ", so the times were recorded or read more coarsely than their decimals suggest.",
        consequence=then.DESCRIPTIVE_ONLY,
    )


def _binomial_tail(hits: int, total: int, share: float) -> float:
    """Probability of at least ``hits`` successes."""
    return 1.0 if hits == 0 else float(betainc(hits, total - hits + 1, share))
