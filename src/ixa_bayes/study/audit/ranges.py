"""Ranges that hold too little to be ranges."""

import math
from collections.abc import Iterator
from typing import Final

from scipy.special import ndtri

from ixa_bayes.study.audit import consequences as then
from ixa_bayes.study.audit.findings import POSSIBLE_STATISTICS, Finding
from ixa_bayes.study.audit.prints import Prints, is_ambiguous, row_words, value_of
from ixa_bayes.study.ledger_rows import Row

QUARTILES: Final = "range_like_quartiles"
OUTSIDE: Final = "value_outside_range"
FEWEST_PATIENTS: Final = 30
NARROW: Final = 0.35
"""SD of the logarithm implied by a range; skewed clinical quantities lie above it (labs, durations: 0.5 to 1.5)."""
SKEW_SD: Final = 2.5
"""Standard errors by which a narrow range must be skewed to the right."""


def check_ranges(prints: Prints) -> Iterator[Finding]:
    """Narrow, right-skewed intervals called ranges, and values outside a printed range."""
    for rows in list(prints.by_subject.values()):
        for row in rows:
            if row["interval"] == "range" and prints.kind_of(row["endpoint"]) == "continuous":
                yield from _outside(prints, row)
                if row["kind"] in ("median", "mean"):
                    yield from _like_quartiles(prints, row)


def extreme_of_normal(n: int) -> tuple[float, float]:
    """Mean and SD of the largest of ``n`` standard normal values.

    References
    ----------
    Mean: Blom (1958), Statistical Estimates and Transformed Beta-Variables. SD: the Gumbel limit.
    """
    return -float(ndtri(0.625 / (n + 0.25))), math.pi / math.sqrt(12 * math.log(n))


def _like_quartiles(prints: Prints, row: Row) -> Iterator[Finding]:
    n = max(prints.size(row["population"], row["factor"], row["level"]).values, default=0)
    middle, lower, upper = (value_of(row, column) for column in ("value", "lower", "upper"))
    if n < FEWEST_PATIENTS or middle is None or lower is None or upper is None:
        return
    low, mid, high = lower.value, middle.value, upper.value
    if not 0 < low < mid < high:
        return
    mean, sd = extreme_of_normal(n)
    implied = math.log(high / low) / (2 * mean)
    skew = math.log((high - mid) / (mid - low))
    # Half a printed digit on each side must not make the skew.
    slack = float(middle.step) / 2 * (1 / (high - mid) + 1 / (mid - low))
    if implied >= NARROW or skew - slack <= SKEW_SD * math.sqrt(2) * sd / mean:
        return
    as_quartiles = math.log(high / low) / (2 * -float(ndtri(0.25)))
    yield Finding(
        QUARTILES,
        "note" if is_ambiguous(row) else "implausible",
        (row["id"], *prints.size(row["population"], row["factor"], row["level"]).ledger_rows),
        printed=row_words(row),
        computed=f"as a range of {n} patients, an SD of {100 * implied:.0f}% of the value; as quartiles, "
        f"{100 * as_quartiles:.0f}%",
        explanation=f"{prints.subject_words(row)}: the interval is called a range, but all {n} patients would lie "
        "within "
        f"{low:g} and {high:g} although the upper half reaches {(high - mid) / (mid - low):.1f} times as far as the "
        "lower. "
        "A quantity so skewed is usually far wider; the limits look like quartiles.",
        consequence=then.DESCRIPTIVE_ONLY,
        inspect_sr_item=POSSIBLE_STATISTICS,
    )


def _outside(prints: Prints, row: Row) -> Iterator[Finding]:
    """Values of the whole or of parts that the printed range does not hold."""
    lower, upper = value_of(row, "lower"), value_of(row, "upper")
    if lower is None or upper is None:
        return
    floor, ceiling = lower.interval()[0], upper.interval()[1]
    for (population, factor, _, endpoint), rows in prints.by_subject.items():
        inside = population == row["population"] and endpoint == row["endpoint"]
        if not inside or (row["factor"] and factor != row["factor"]):
            continue
        for other in rows:
            if row["factor"] and other["level"] != row["level"]:
                continue
            if other["kind"] not in ("median", "mean", "range") or other["unit"] != row["unit"]:
                continue
            columns = ("value", "lower", "upper") if other["interval"] == "range" else ("value",)
            for column in columns:
                found = value_of(other, column)
                if found and (found.interval()[1] < floor or found.interval()[0] > ceiling):
                    yield _outside_finding(prints, row, other, column)


def _outside_finding(prints: Prints, row: Row, other: Row, column: str) -> Finding:
    return Finding(
        OUTSIDE,
        "note" if is_ambiguous(row) or is_ambiguous(other) else "contradiction",
        (other["id"], row["id"]),
        printed=f"{other[column]} in {other['id']}; range {row['lower']} to {row['upper']} in {row['id']}",
        computed=f"{other[column]} lies outside",
        explanation=f"{prints.subject_words(other)}: a value outside the range printed for "
        f"{prints.subject_words(row)}.",
        consequence=prints.adjudication_words([other["id"], row["id"]]) or then.DESCRIPTIVE_ONLY,
        inspect_sr_item=POSSIBLE_STATISTICS,
    )
