"""Published hazard ratios as the ledger prints them: estimates with the standard error their print implies."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from ixa_bayes.formulas.normal import log_standard_error, z_from_p
from ixa_bayes.formulas.printed import PrintedNumber, is_not_reached, parse_p
from ixa_bayes.study.ledger import Study, records
from ixa_bayes.study.ledger_rows import Row, number

CI_PROB = {"ci90": 0.90, "ci95": 0.95, "ci99": 0.99}


@dataclass(frozen=True)
class Comparison:
    """What is compared with what, in whom, on which endpoint."""

    endpoint: str
    population: str
    factor: str
    level: str
    comparator: str

    @property
    def turned(self) -> "Comparison":
        """The same two groups, named the other way round: its ratios are the reciprocals."""
        return replace(self, level=self.comparator, comparator=self.level)


@dataclass(frozen=True)
class PrintedRatio:
    """A hazard ratio printed with an interval, or with an exact p value.

    Attributes
    ----------
    comparison : Comparison
    adjustment : str
        ``multivariable`` or ``univariable``.
    hazard_ratio : PrintedNumber
    lower, upper : PrintedNumber or None
        Printed limits; None if the standard error comes from p.
    ci_prob : float
        Probability of the printed interval.
    log_hazard_ratio, standard_error : float
        Of the level against the comparator; > 0 means a higher hazard.
    p : str
        Printed p value, empty if none.
    ledger_rows : tuple of str
        The row with the interval first, then its repeats elsewhere in the paper.
    at_edge : bool
        Whether p is printed as ``<`` a number and there is no interval: the standard error is then the largest
        that the print allows, and the evidence at least as strong as it is taken to be.
    """

    comparison: Comparison
    adjustment: str
    hazard_ratio: PrintedNumber
    lower: PrintedNumber | None
    upper: PrintedNumber | None
    ci_prob: float
    log_hazard_ratio: float
    standard_error: float
    p: str
    ledger_rows: tuple[str, ...]
    at_edge: bool = False


@dataclass(frozen=True)
class NotExtractable:
    """A comparison whose effect cannot be read off the print, and what is missing."""

    comparison: Comparison
    missing: str
    ledger_rows: tuple[str, ...]


def comparison_of(row: Row) -> Comparison:
    """The comparison that a ledger row is about."""
    return Comparison(row["endpoint"], row["population"], row["factor"], row["level"], row["comparator"])


def repeats(rows: Iterable[Row], *columns: str) -> dict[tuple[Comparison, tuple[str, ...]], list[Row]]:
    """Rows by what they compare: a paper prints one comparison in several places, either way round.

    Parameters
    ----------
    rows : iterable of dict
    *columns : str
        Columns in which repeats agree as well.

    Returns
    -------
    dict
        Rows by comparison and the cells of ``columns``, both in the order of the ledger. The
        comparison is that of the first row.
    """
    groups: dict[tuple[Comparison, tuple[str, ...]], list[Row]] = defaultdict(list)
    for row in rows:
        comparison, cells = comparison_of(row), tuple(row[column] for column in columns)
        turned = comparison.turned, cells
        groups[turned if comparison.comparator and turned in groups else (comparison, cells)].append(row)
    return groups


def printed_ratios(study: Study) -> tuple[list[PrintedRatio], list[NotExtractable]]:
    """Every printed hazard ratio of the study, repeats joined.

    Parameters
    ----------
    study : Study
        Adjudicated values are used.

    Returns
    -------
    list of PrintedRatio
        One per comparison and adjustment, in the order of the ledger; a second one only where the
        paper prints two different intervals for the same comparison. A ratio and its reciprocal, with
        the groups named the other way round, are one effect, at the more precise print.
    list of NotExtractable
        Hazard ratios printed without anything that gives a standard error.

    Notes
    -----
    The standard error is (ln U - ln L) / 2z; without an interval it is ln HR / z with z from half
    the printed two-sided p value (Parmar et al. 1998, Statistics in Medicine 17:2815, section 3), at the edge
    of a p value printed as ``<``.
    """
    rows = (row for row in records(study.used()) if row["kind"] == "hazard_ratio")
    found: list[PrintedRatio] = []
    missing: list[NotExtractable] = []
    for (comparison, (adjustment,)), printed in repeats(rows, "adjustment").items():
        ratios = list(_ratios_of(adjustment, printed))
        found += ratios
        if not ratios:
            ids = tuple(row["id"] for row in printed)
            missing.append(
                NotExtractable(
                    comparison, "neither a finite interval nor a p value that bounds its error is printed", ids
                )
            )
    return found, missing


def _ratios_of(adjustment: str, rows: Sequence[Row]) -> Iterator[PrintedRatio]:
    ids = [row["id"] for row in rows]
    used: list[Row] = []
    for row in sorted(filter(_has_finite_interval, rows), key=_coarseness):
        if any(_same_numbers(row, finer) for finer in used):
            continue
        used.append(row)
        lower, upper, ci_prob = number(row["lower"]), number(row["upper"]), CI_PROB[row["interval"]]
        yield PrintedRatio(
            comparison_of(row),
            adjustment,
            hazard_ratio=number(row["value"]),
            lower=lower,
            upper=upper,
            ci_prob=ci_prob,
            log_hazard_ratio=math.log(number(row["value"]).value),
            standard_error=float(log_standard_error(lower.value, upper.value, ci_prob=ci_prob)),
            p=row["p"],
            ledger_rows=(row["id"], *(other for other in ids if other != row["id"])),
        )
    if not used:
        yield from _ratio_from_p(adjustment, rows)


def _coarseness(row: Row) -> Fraction:
    """Product of the relative steps: the most precise print of an effect is the one that is used."""
    numbers = [number(row[column]) for column in ("value", "lower", "upper")]
    return math.prod((found.step / found.exact for found in numbers), start=Fraction(1))


def _same_numbers(one: Row, other: Row) -> bool:
    """Whether two prints can be one estimate and interval, rounded differently or printed as the reciprocal."""
    if one["interval"] != other["interval"]:
        return False
    turned = comparison_of(one) != comparison_of(other)
    columns = {"value": "value", "lower": "upper" if turned else "lower", "upper": "lower" if turned else "upper"}
    for column, other_column in columns.items():
        low, high = number(one[column]).exact_interval()
        other_low, other_high = number(other[other_column]).exact_interval()
        if turned:
            other_low, other_high = 1 / other_high, 1 / other_low
        if high < other_low or other_high < low:
            return False
    return True


def _has_finite_interval(row: Row) -> bool:
    if row["interval"] not in CI_PROB or not row["lower"] or not row["upper"]:
        return False
    if is_not_reached(row["lower"]) or is_not_reached(row["upper"]):
        return False
    return 0 < number(row["lower"]).exact < number(row["upper"]).exact


def _ratio_from_p(adjustment: str, rows: Sequence[Row]) -> Iterator[PrintedRatio]:
    for row in rows:
        if not row["p"] or parse_p(row["p"]).operator not in ("=", "<", "<="):
            continue
        printed, hazard_ratio = parse_p(row["p"]), number(row["value"])
        p = printed.number.value
        if not 0 < p < 1 or hazard_ratio.exact == 1:
            continue
        log_hazard_ratio = math.log(hazard_ratio.value)
        yield PrintedRatio(
            comparison_of(row),
            adjustment,
            hazard_ratio=hazard_ratio,
            lower=None,
            upper=None,
            ci_prob=0.95,
            log_hazard_ratio=log_hazard_ratio,
            standard_error=abs(log_hazard_ratio) / z_from_p(p),
            p=row["p"],
            ledger_rows=(row["id"], *(other["id"] for other in rows if other is not row)),
            at_edge=printed.operator != "=",
        )
        return
