"""What a log-rank p value implies about the hazard ratio, beside the medians and the adjusted ratio."""

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from scipy.special import ndtri

from ixa_bayes.formulas.printed import is_not_reached, parse_p
from ixa_bayes.study.audit import consequences as then
from ixa_bayes.study.audit.findings import TESTS_REPRODUCED, Finding
from ixa_bayes.study.audit.prints import Prints, counted, is_ambiguous, listed, p_words
from ixa_bayes.study.audit.ratios import RatioBox, ratio_box
from ixa_bayes.study.effects import Comparison
from ixa_bayes.study.ledger_rows import Row, number

CHECK: Final = "log_rank_p_and_medians"
ADJUSTED: Final = "log_rank_p_and_adjusted_ratio"
BESIDE: Final = "implied_hazard_ratios"

SHAPES: Final = (0.7, 1.4)
"""Weibull shapes that turn a ratio of medians into a hazard ratio; outside them hazards change sharply with time."""
Z_APART: Final = 3.0
"""Distance in z between what medians and what p say; under proportional hazards it has an SD near 1."""
SE_APART: Final = 3.3
"""Distance of adjusted and unadjusted log ratio in standard errors of both, taken as independent."""


@dataclass(frozen=True)
class LogRank:
    """A log-rank comparison with what is printed about it.

    Attributes
    ----------
    comparison : Comparison
    row : dict
        The row of the p value.
    z : tuple of float
        Absolute normal deviates that print as the p value.
    information : tuple of float
        Smallest and largest variance of the log-rank score that group sizes and events allow
        (d n1 n2 / N^2; Parmar 1998, Tierney 2007).
    events : int
        Most events that the ledger allows among the patients compared.
    medians : tuple of float or None
        Median times of the two groups, infinite if not reached.
    adjusted : RatioBox or None
        The multivariable hazard ratio of the same comparison.
    rows : tuple of str
    """

    comparison: Comparison
    row: Row
    z: tuple[float, float]
    information: tuple[float, float]
    events: int
    medians: tuple[float, float] | None
    adjusted: RatioBox | None
    adjusted_row: Row | None
    rows: tuple[str, ...]

    @property
    def direction(self) -> int:
        """1 if the first group does worse by medians, text or adjusted ratio, -1 if better, 0 if unknown."""
        if self.medians and self.medians[0] != self.medians[1]:
            return 1 if self.medians[0] < self.medians[1] else -1
        if self.row["claim"] in ("better", "worse"):
            return 1 if self.row["claim"] == "worse" else -1
        if self.adjusted:
            return 1 if sum(self.adjusted.log_ratio) > 0 else -1
        return 0


def check_log_rank(prints: Prints) -> Iterator[Finding]:
    """Log-rank p values far from what medians or multivariable hazard ratios of the same groups say."""
    missing: dict[str, list[Row]] = defaultdict(list)
    shown: dict[tuple[str, str], list[LogRank]] = defaultdict(list)
    for row in prints.rows:
        comparison = _compared(prints, row)
        if comparison is None:
            continue
        found = _log_rank(prints, row, comparison)
        if isinstance(found, str):
            missing[found].append(row)
            continue
        shown[comparison.population, comparison.endpoint].append(found)
        yield from _against_medians(prints, found)
        yield from _against_adjusted(prints, found)
    for tests in shown.values():
        yield _beside_each_other(prints, tests)
    for what, rows in missing.items():
        yield _not_computable(prints, rows, what=what)


def _not_computable(prints: Prints, rows: list[Row], *, what: str) -> Finding:
    of = dict.fromkeys(
        f"{prints.endpoint_words(row['endpoint'])} ({prints.group_words(row['population'])})" for row in rows
    )
    return Finding(
        BESIDE,
        "not_computable",
        tuple(row["id"] for row in rows),
        printed=counted(len(rows), "log-rank p value"),
        computed="",
        explanation=f"{listed(list(of))}: no hazard ratio can be derived from "
        f"{'this p value' if len(rows) == 1 else 'these p values'}: {what}.",
        consequence=then.NOT_REANALYSED,
    )


def information(events: float, n1: float, n2: float, *, total: float) -> float:
    """Variance of the log-rank score at a hazard ratio of 1: d n1 n2 / (n1 + n2)^2 with the groups' share of events.

    Far from 1 it is not the information of the estimate, which may be larger (up to d / 4) or smaller.

    References
    ----------
    Parmar, Torri & Stewart (1998), Statistics in Medicine 17:2815.
    """
    both = n1 + n2
    return 0.0 if both == 0 or total == 0 else events * min(both / total, 1.0) * n1 * n2 / both**2


def information_bounds(prints: Prints, comparison: Comparison) -> tuple[tuple[float, float], tuple[str, ...]] | str:
    """Smallest and largest information that the ledger allows for a comparison, or what is missing."""
    events = prints.events(comparison.population, comparison.endpoint)
    whole = prints.size(comparison.population)
    if not events.values or not whole.exact:
        return "the number of events in the population is not printed"
    if max(events.values) == 0:
        return "by the printed numbers nobody had the event"
    sizes = [
        prints.size(comparison.population, comparison.factor, level)
        for level in (comparison.level, comparison.comparator)
    ]
    rows = (*events.ledger_rows, *(row for size in sizes for row in size.ledger_rows))
    if any(size.exact is None for size in sizes):
        return (0.0, max(events.values) / 4), tuple(dict.fromkeys(rows))
    n1, n2 = (size.exact or 0 for size in sizes)
    values = [information(d, n1, n2, total=whole.exact) for d in events.values]
    if min(values) <= 0:
        return "a compared group has no patients"
    return (min(values), max(values)), tuple(dict.fromkeys(rows))


def _compared(prints: Prints, row: Row) -> Comparison | None:
    if row["kind"] not in ("p_value", "median") or not row["p"] or prints.kind_of(row["endpoint"]) != "time_to_event":
        return None
    if prints.definition.endpoints[row["endpoint"]].test_used != "log_rank":
        return None
    return prints.comparison(row)


def _log_rank(prints: Prints, row: Row, comparison: Comparison) -> LogRank | str:
    bounds = information_bounds(prints, comparison)
    if isinstance(bounds, str):
        return bounds
    low, high = parse_p(row["p"]).interval()
    z = -float(ndtri(min(high, 1.0) / 2)), (-float(ndtri(low / 2)) if low > 0 else math.inf)
    medians, median_rows = _medians(prints, comparison)
    adjusted, adjusted_row = adjusted_ratio(prints, comparison)
    rows = (row["id"], *median_rows, *bounds[1], *([adjusted_row["id"]] if adjusted_row else []))
    return LogRank(
        comparison,
        row,
        z=(max(z[0], 0.0), z[1]),
        information=bounds[0],
        events=max(prints.events(comparison.population, comparison.endpoint).values),
        medians=medians,
        adjusted=adjusted,
        adjusted_row=adjusted_row,
        rows=tuple(dict.fromkeys(rows)),
    )


def _medians(prints: Prints, comparison: Comparison) -> tuple[tuple[float, float] | None, tuple[str, ...]]:
    found = []
    for level in (comparison.level, comparison.comparator):
        rows = prints.select((comparison.population, comparison.factor, level, comparison.endpoint), "median")
        if not rows:
            return None, ()
        found.append(rows[0])
    first, second = (math.inf if is_not_reached(row["value"]) else number(row["value"]).value for row in found)
    return (first, second), tuple(row["id"] for row in found)


def adjusted_ratio(prints: Prints, comparison: Comparison) -> tuple[RatioBox | None, Row | None]:
    """The multivariable hazard ratio of a comparison, turned round if it is printed the other way."""
    for row in prints.adjusted.get((comparison.population, comparison.endpoint, comparison.factor), []):
        printed, box = prints.comparison(row), ratio_box(row)
        if box is None or printed is None:
            continue
        if (printed.level, printed.comparator) == (comparison.level, comparison.comparator):
            return box, row
        if (printed.comparator, printed.level) == (comparison.level, comparison.comparator):
            return _turned(box), row
    return None, None


def _turned(box: RatioBox) -> RatioBox:
    def negative(bounds: tuple[float, float]) -> tuple[float, float]:
        return -bounds[1], -bounds[0]

    return RatioBox(negative(box.log_ratio), negative(box.log_upper), negative(box.log_lower), box.quantile)


def _distance(value: tuple[float, float], allowed: tuple[float, float]) -> float:
    """How far two intervals lie apart; 0 if they meet."""
    return max(allowed[0] - value[1], value[0] - allowed[1], 0.0)


def _against_medians(prints: Prints, test: LogRank) -> Iterator[Finding]:
    if not test.medians or 0 in test.medians or math.inf in test.medians or test.information[0] == 0:
        return
    log_ratio = math.log(test.medians[1] / test.medians[0])
    root = math.sqrt(test.information[0]), math.sqrt(test.information[1])
    expected = [abs(log_ratio) * shape * v for shape in SHAPES for v in root]
    apart = _distance((min(expected), max(expected)), test.z)
    if apart <= Z_APART:
        return
    closest = min(expected, key=lambda z: _distance((z, z), test.z))
    ratio = math.exp(abs(log_ratio))
    yield Finding(
        CHECK,
        "note" if is_ambiguous(test.row) else "implausible",
        test.rows,
        printed=f"medians {test.medians[0]:g} and {test.medians[1]:g}, {p_words(test.row['p'])}",
        computed=f"the medians' ratio of {ratio:.2f} gives z near {closest:.1f}; the p value has "
        + (f"z {test.z[0]:.1f}" if math.isfinite(test.z[1]) else f"z above {test.z[0]:.1f}"),
        explanation=f"{prints.subject_words(test.row)}: medians and p value are {apart:.1f} units of z apart, for any "
        f"Weibull shape between {SHAPES[0]} and {SHAPES[1]}; about 1 is usual.",
        consequence=then.NOT_FROM_MEDIANS,
        inspect_sr_item=TESTS_REPRODUCED,
    )


def _against_adjusted(prints: Prints, test: LogRank) -> Iterator[Finding]:
    if not test.adjusted or not test.adjusted_row or test.information[0] == 0 or test.direction == 0:
        return
    v = test.information[1]
    se = sum(test.adjusted.standard_error) / 2
    implied = sorted(test.direction * z / math.sqrt(v) for z in test.z)
    apart = _distance(test.adjusted.log_ratio, (implied[0], implied[1]))
    scale = math.sqrt(se**2 + 1 / v)
    if apart <= SE_APART * scale:
        return
    yield Finding(
        ADJUSTED,
        "note" if is_ambiguous(test.row) else "implausible",
        (test.adjusted_row["id"], *test.rows),
        printed=f"adjusted HR {test.adjusted_row['value']}; log-rank {p_words(test.row['p'])}",
        computed=f"HR {_hazard_ratios(test)}, {apart / scale:.1f} standard errors away by the formula",
        explanation=f"{prints.subject_words(test.row)}: the adjusted hazard ratio lies far from the unadjusted one "
        "that the "
        "p value implies; adjustment alone rarely moves a ratio so far.",
        consequence=then.EACH_ALONE,
        inspect_sr_item=TESTS_REPRODUCED,
    )


def least_log_hazard_ratio(z: float, events: int) -> float:
    """Smallest absolute log hazard ratio that a log-rank z of at least ``z`` leaves possible.

    Parameters
    ----------
    z : float
        Absolute normal deviate of the test, its variance taken at a hazard ratio of 1.
    events : int
        Most events among the patients compared, > 0.

    Returns
    -------
    float
        2 asinh(z / sqrt(events)): a bound on the Cox estimate from the same patients, whatever the
        sizes of the groups and the censoring, as long as no two events are tied.

    Notes
    -----
    At an event with a share p0 of the patients at risk in the first group, Cox's estimate b expects
    p1 = expit(logit p0 + b), and its score equation makes the log-rank score equal to the sum of p1 - p0 =
    sinh(b/2) sqrt(p0 (1 - p0)) / cosh(logit(p1) / 2). As cosh >= 1, and by Cauchy-Schwarz, z is at most
    sinh(|b|/2) sqrt(events). With two equal groups and a small z this is z / sqrt(events / 4).
    """
    return 2 * math.asinh(z / math.sqrt(events))


def _hazard_ratios(test: LogRank) -> str:
    """The hazard ratio behind the p value, in words that say where it is a bound and where a formula.

    Without a printed direction a hazard ratio and its reciprocal are equally possible, and both are told.
    """
    p = f"from {p_words(test.row['p'])}"
    bound = math.exp(least_log_hazard_ratio(test.z[0], test.events))
    at_least = _either(test, f"at least {bound:.2f}", f"at most {1 / bound:.2f}")
    unbounded, wide = not math.isfinite(test.z[1]), test.z[1] - test.z[0] > 1
    if test.information[0] == 0:
        return f"no bound {p}" if wide and not unbounded else f"{at_least} {p}"
    z = test.z[0] if unbounded else test.z[1] if wide else (test.z[0] + test.z[1]) / 2
    ratio = math.exp(z / math.sqrt(test.information[1]))
    by_formula = _either(test, f"{ratio:.2f}", f"{1 / ratio:.2f}")
    if unbounded:
        return f"{by_formula} at the edge of {p_words(test.row['p'])}, {at_least} whatever the groups"
    if not wide:
        return f"{by_formula} {p}"
    return f"between {1 / ratio:.2f} and {ratio:.2f} {p}" if test.direction == 0 else f"between 1 and {by_formula} {p}"


def _either(test: LogRank, worse: str, better: str) -> str:
    """The words for the printed direction, or both."""
    return {1: worse, -1: better, 0: f"{worse} or {better} (the print does not say which)"}[test.direction]


def _beside_each_other(prints: Prints, tests: list[LogRank]) -> Finding:
    parts = []
    for test in tests:
        defined = prints.definition.factors[test.comparison.factor]
        words = [_hazard_ratios(test)]
        if test.medians and math.inf not in test.medians and 0 not in test.medians:
            words.append(f"{test.medians[1] / test.medians[0]:.2f} from medians")
        if test.adjusted_row:
            words.append(f"{test.adjusted_row['value']} adjusted")
        groups = f"{defined.levels[test.comparison.level]} against {defined.levels[test.comparison.comparator]}"
        parts.append(f"{defined.label} ({groups}): {', '.join(words)}")
    first = tests[0].comparison
    return Finding(
        BESIDE,
        "note",
        tuple(dict.fromkeys(row for test in tests for row in test.rows)),
        printed=counted(len(tests), "log-rank p value"),
        computed="; ".join(parts),
        explanation=f"{prints.endpoint_words(first.endpoint)}, {prints.group_words(first.population)}: hazard ratios "
        "implied by each p value with the group sizes and events, by the ratio of medians (exponential times), and as "
        "adjusted. Ratios from p values are those of the formula that holds at a hazard ratio of 1; for unequal groups "
        "with a large effect it is too high or too low. Only where they say at least or at most are they bounds, on "
        "the ratio that Cox's model gives for times without ties.",
        consequence=then.LOG_RANK_WHERE_KNOWN,
    )
