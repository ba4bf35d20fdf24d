"""What a printed ratio, its confidence interval and its p value say about each other."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from scipy.special import erfc, ndtri

from ixa_bayes.formulas.printed import PrintedP, parse_p
from ixa_bayes.study.audit import consequences as then
from ixa_bayes.study.audit.findings import TESTS_REPRODUCED, Finding
from ixa_bayes.study.audit.prints import Prints, counted, digits, is_ambiguous, overlap, row_words, value_of
from ixa_bayes.study.ledger_rows import RATIO_KINDS, Row

SYMMETRY: Final = "interval_symmetry"
INTERVAL_P: Final = "interval_and_p"
LIMIT_AT_ONE: Final = "limit_at_one"
SIGNIFICANT: Final = 0.05
OTHER_TEST_Z: Final = 0.5
"""Distance in z that a likelihood-ratio or score test beside a Wald interval can explain."""
CI_PROB: Final = {"ci90": 0.90, "ci95": 0.95, "ci99": 0.99}

Box = tuple[float, float]


@dataclass(frozen=True)
class RatioBox:
    """A printed ratio with its interval, on the log scale, as boxes that the rounding leaves open.

    Attributes
    ----------
    log_ratio, log_lower, log_upper : tuple of float
        Smallest and largest value that prints so.
    quantile : float
        Normal quantile of the interval (1.96 for 95%).
    """

    log_ratio: Box
    log_lower: Box
    log_upper: Box
    quantile: float

    @property
    def centre(self) -> Box:
        """Midpoint of the interval on the log scale."""
        return (self.log_lower[0] + self.log_upper[0]) / 2, (self.log_lower[1] + self.log_upper[1]) / 2

    @property
    def standard_error(self) -> Box:
        """Standard error of the log ratio that the interval implies."""
        width = max(self.log_upper[0] - self.log_lower[1], 0.0), self.log_upper[1] - self.log_lower[0]
        return width[0] / (2 * self.quantile), width[1] / (2 * self.quantile)

    @property
    def p(self) -> Box:
        """Two-sided Wald p value."""
        low, high = max(self.log_ratio[0], self.centre[0]), min(self.log_ratio[1], self.centre[1])
        if low > high:
            low, high = self.log_ratio
        smallest = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
        largest = max(abs(low), abs(high))
        se_low, se_high = self.standard_error
        return _two_sided(largest / se_low if se_low else math.inf), _two_sided(smallest / se_high)


def ratio_box(row: Row) -> RatioBox | None:
    """Boxes of a ratio with a confidence interval; None if the row has no usable interval."""
    if row["kind"] not in RATIO_KINDS or row["interval"] not in CI_PROB:
        return None
    numbers = [value_of(row, column) for column in ("value", "lower", "upper")]
    if None in numbers:
        return None
    boxes = [number.interval() for number in numbers if number]
    if any(low <= 0 for low, _ in boxes):
        return None
    log_ratio, log_lower, log_upper = ((math.log(low), math.log(high)) for low, high in boxes)
    return RatioBox(log_ratio, log_lower, log_upper, float(ndtri((1 + CI_PROB[row["interval"]]) / 2)))


def check_ratios(prints: Prints) -> Iterator[Finding]:
    """Intervals that are not symmetric on the log scale, p values that the interval does not give, limits at 1."""
    without = []
    with_interval = {_about(row) for row in prints.rows if ratio_box(row)}
    for row in prints.rows:
        if row["kind"] not in RATIO_KINDS:
            continue
        box = ratio_box(row)
        if box is None:
            if _about(row) not in with_interval:
                without.append(row["id"])
            continue
        yield from _symmetry(prints, row, box)
        yield from _limit_at_one(prints, row, box)
        if row["p"]:
            yield from _interval_and_p(prints, row, box, parse_p(row["p"]))
    if without:
        yield Finding(
            INTERVAL_P,
            "not_computable",
            tuple(without),
            printed=counted(len(without), "ratio"),
            computed="",
            explanation="No confidence interval is printed with these ratios, or one of its limits is 0 or not "
            "reached.",
            consequence=then.ONLY_WITH_EXACT_P,
        )


def _two_sided(z: float) -> float:
    return float(erfc(z / math.sqrt(2)))


def _about(row: Row) -> tuple[str, ...]:
    """What a ratio is about: the same ratio may be printed with its interval in another place."""
    return tuple(row[column] for column in ("population", "factor", "level", "endpoint", "kind", "adjustment"))


def _symmetry(prints: Prints, row: Row, box: RatioBox) -> Iterator[Finding]:
    if overlap(box.log_ratio, box.centre):
        return
    middle = math.exp((box.centre[0] + box.centre[1]) / 2)
    yield Finding(
        SYMMETRY,
        "note" if is_ambiguous(row) else "implausible",
        (row["id"],),
        printed=row_words(row),
        computed=f"the interval's middle on the log scale is {digits(middle)}",
        explanation=f"{prints.subject_words(row)}: the interval is not symmetric about the ratio on the log scale, "
        "beyond "
        "what rounding allows. It is then no Wald interval (a profile, bootstrap or exact interval is not "
        "symmetric), or "
        "a digit is wrong.",
        consequence=then.of_ratio(row, then.CENTRE_KEPT),
        inspect_sr_item=TESTS_REPRODUCED,
    )


def _limit_at_one(prints: Prints, row: Row, box: RatioBox) -> Iterator[Finding]:
    for limit, column in ((box.log_lower, "lower"), (box.log_upper, "upper")):
        if not limit[0] <= 0 <= limit[1]:
            continue
        low, high = math.exp(limit[0]), math.exp(limit[1])
        yield Finding(
            LIMIT_AT_ONE,
            "note",
            (row["id"],),
            printed=row_words(row),
            computed=f"the {column} limit lies between {low:.5g} and {high:.5g}",
            explanation=f"{prints.subject_words(row)}: the {column} limit prints as 1 and may lie on either side of "
            "it, so "
            "the interval does not say whether the result is significant.",
            consequence=then.of_ratio(row, then.BOTH_ENDS),
        )


def _interval_and_p(prints: Prints, row: Row, box: RatioBox, printed: PrintedP) -> Iterator[Finding]:
    allowed, implied = _allowed(printed), box.p
    if overlap(allowed, implied, relative=1e-6):
        return
    flips = implied[0] >= SIGNIFICANT >= allowed[1] or implied[1] < SIGNIFICANT <= allowed[0]
    gross = flips and _distance_in_z(allowed, implied) > OTHER_TEST_Z
    yield Finding(
        INTERVAL_P,
        "contradiction" if gross and not is_ambiguous(row) else "implausible",
        (row["id"],),
        printed=row_words(row),
        computed=f"p between {digits(implied[0])} and {digits(implied[1])} from the interval",
        explanation=f"{prints.subject_words(row)}: the printed p value is not the one that the interval gives"
        + (
            ", and the two lie on different sides of 0.05."
            if flips
            else "; a likelihood-ratio or score test beside a Wald interval can explain a small difference."
        ),
        consequence=then.of_ratio(row, then.INTERVAL_NOT_P),
        inspect_sr_item=TESTS_REPRODUCED,
    )


def _distance_in_z(first: Box, second: Box) -> float:
    """Distance of two disjoint intervals of p values in normal deviates."""
    inner = sorted([first, second])
    return -float(ndtri(inner[0][1] / 2)) + float(ndtri(min(inner[1][0], 1.0) / 2))


def _allowed(printed: PrintedP) -> Box:
    """Range of p values that print so, rounded or truncated."""
    low, high = printed.interval()
    return (low, high + float(printed.number.step) / 2) if printed.operator == "=" else (low, high)
