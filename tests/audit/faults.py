"""Faults planted in consistent papers: what an author, a typist or a spreadsheet does wrong.

Each function changes the rows of one paper and says which check must find it and which rows it must
accuse, or returns None where the paper has no place for this fault. Knows nothing of the audit.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

import numpy as np

from .statistics_of_patients import printed, wald_p
from .synthetic import Paper, Row

HOWS = ("half_up", "half_even", "truncation")


@dataclass(frozen=True)
class Planted:
    """What must be found: the check, a row that the finding must rest on, and words it must hold."""

    check: str
    row: str
    words: str = ""
    severities: tuple[str, ...] = ("contradiction",)


Fault = Callable[[Paper], Planted | None]


def shuffled(paper: Paper, rows: list[Row]) -> Iterator[Row]:
    for index in paper.rng.permutation(len(rows)):
        yield rows[int(index)]


def n_patients(paper: Paper) -> int:
    return paper.cohort.n


def _unprintable(count: int, n: int, text: str) -> bool:
    decimals = len(text.partition(".")[2])
    return all(printed(Fraction(100 * count, n), decimals, how) != text for how in HOWS)


def percentage_of_a_count(paper: Paper) -> Planted | None:
    """A percentage printed with its count is two units of its last digit off."""
    first = paper.theme["binary"][0][0]
    assessed = int(paper.cohort.evaluable.sum())
    for row in shuffled(paper, paper.find(kind="percent", population="all", factor="")):
        if not row["count"] or row["location"] == "abstract":
            continue
        whole = row["endpoint"] not in (first, "complete", "partial", "minor")
        n, count = n_patients(paper) if whole else assessed, int(row["count"])
        right = row["value"]
        shift = Fraction(2, 10**paper.style.decimals)
        wrong = printed(Fraction(right) + shift, paper.style.decimals)
        if Fraction(wrong) > 100:
            continue
        row["value"] = wrong
        return Planted("counts_behind_percentages", row["id"], f"{count}/{n} = {printed_half_up(count, n, paper)}%")
    return None


def printed_half_up(count: int, n: int, paper: Paper) -> str:
    return printed(Fraction(100 * count, n), paper.style.decimals)


def percentage_in_a_partition(paper: Paper) -> Planted | None:
    """A percentage printed without its count, which no partition of the whole allows."""
    first, second = (name for name, _ in paper.theme["binary"])
    for row in shuffled(paper, paper.find(kind="percent", population="all", count="")):
        factor, endpoint = row["factor"], row["endpoint"]
        if endpoint not in (first, second) or not factor or factor == paper.names[5] or len(paper.levels(factor)) != 2:
            continue
        if paper.style.rounding == "truncation":
            continue
        codes, among = paper.cohort.factors[factor], paper.cohort.evaluable
        among = among if endpoint == first else np.ones_like(among)
        own = among & (codes == paper.levels(factor).index(row["level"]))
        r, n = int((paper.cohort.binary[endpoint] & own).sum()), int(own.sum())
        wrong = printed(Fraction(row["value"]) + Fraction(20, 10**paper.style.decimals), paper.style.decimals)
        if Fraction(wrong) > 100 or _some_partition(paper, row, wrong):
            continue
        row["value"] = wrong
        # Where patients are missing and no decimals are printed, more counts fit than a finding lists.
        few = paper.style.decimals == 1 or endpoint == second
        return Planted("counts_behind_percentages", row["id"], f"{r}/{n} = " if few else "")
    return None


def _some_partition(paper: Paper, row: Row, wrong: str) -> bool:
    """Brute force: whether any counts print as the two rates and the total, with any patients unassessed."""
    codes = paper.cohort.factors[row["factor"]]
    first = paper.theme["binary"][0][0]
    missing = n_patients(paper) - int(paper.cohort.evaluable.sum()) if row["endpoint"] == first else 0
    total_n = n_patients(paper) - missing
    total = int((paper.cohort.binary[row["endpoint"]]).sum())
    texts = [
        wrong if other["level"] == row["level"] else other["value"]
        for other in paper.find(kind="percent", population="all", factor=row["factor"], endpoint=row["endpoint"])
    ]
    whole = paper.find(kind="percent", population="all", factor="", endpoint=row["endpoint"])[0]
    sizes = [int((codes == code).sum()) for code in (0, 1)]
    if len(texts) != 2:
        return True
    for absent in range(missing + 1):
        ns = sizes[0] - absent, sizes[1] - (missing - absent)
        if min(ns) < 1:
            continue
        fits = [[r for r in range(n + 1) if not _unprintable(r, n, text)] for n, text in zip(ns, texts, strict=True)]
        for a, b in product(*fits):
            together = a + b == total if whole["count"] else not _unprintable(a + b, total_n, whole["value"])
            if together:
                return True
    return False


def last_digit_truncated(paper: Paper) -> Planted | None:
    """One percentage truncated in a paper that rounds."""
    if paper.style.rounding == "truncation":
        return None
    sizes = [r for r in paper.find(kind="percent", endpoint="patients") if r["count"] and r["factor"] != paper.names[5]]
    decisive = [row for row in sizes if _truncated(paper, row) != row["value"] and not _is_tie(paper, row)]
    if len(decisive) < 5:
        return None
    row = next(shuffled(paper, decisive))
    row["value"] = _truncated(paper, row)
    return Planted("counts_behind_percentages", row["id"], f"{row['count']}/{n_patients(paper)}")


def _truncated(paper: Paper, row: Row) -> str:
    return printed(Fraction(100 * int(row["count"]), n_patients(paper)), paper.style.decimals, "truncation")


def _is_tie(paper: Paper, row: Row) -> bool:
    """An exact half may print either way, so nothing can be found there."""
    return bool((Fraction(100 * int(row["count"]), n_patients(paper)) * 10**paper.style.decimals * 2).denominator == 1)


def fisher_p_of_a_table(paper: Paper) -> Planted | None:
    """A p value ten times too large or too small beside a table printed with its counts."""
    for row in shuffled(paper, paper.find(kind="p_value", population="all")):
        about = {"factor": row["factor"], "endpoint": row["endpoint"], "population": "all"}
        rates = paper.find(kind="percent", **about)
        sizes = paper.find(endpoint="patients", factor=row["factor"], population="all")
        known = row["endpoint"] == paper.theme["binary"][1][0] and all(size["count"] for size in sizes)
        known = known and len(sizes) == len(paper.levels(row["factor"]))
        if not rates or not all(rate["count"] and (known or rate["denominator"]) for rate in rates):
            continue
        if not row["p"][0].isdigit():
            continue
        p = float(row["p"])
        if p <= 0.001:
            continue
        row["p"] = printed(p * 10 if p < 0.09 else p / 10, 4)
        row["claim"] = ""
        return Planted("fisher_recomputed", row["id"])
    return None


def component_off_by_one(paper: Paper) -> Planted | None:
    """One component of the endpoint counts a patient too many, its percentage with it."""
    first = paper.theme["binary"][0][0]
    assessed = int(paper.cohort.evaluable.sum())
    whole = paper.find(kind="percent", endpoint=first, factor="", population="all", location="results")[0]
    parts = [paper.find(kind="percent", endpoint=part)[0] for part in ("complete", "partial", "minor")]
    if not all(row["count"] for row in [whole, *parts]):
        return None
    row = parts[int(paper.rng.integers(3))]
    row["count"] = str(int(row["count"]) + 1)
    row["value"] = paper.percent(int(row["count"]), assessed)
    return Planted("components_add_up", row["id"], f"not {whole['count']}")


def level_too_large(paper: Paper) -> Planted | None:
    """A subgroup counts three patients too many, its percentage with it."""
    for factor in some_factors(paper, complete=True):
        rows = [r for r in paper.find(endpoint="patients", factor=factor, population="all") if r["count"]]
        if len(rows) != len(paper.levels(factor)):
            continue
        row = rows[0]
        row["count"] = str(int(row["count"]) + 3)
        if row["value"]:
            row["value"] = paper.percent(int(row["count"]), n_patients(paper))
        return Planted("sizes_add_up", row["id"], f"{n_patients(paper) + 3}")
    return None


def some_factors(paper: Paper, *, complete: bool) -> list[str]:
    names = paper.names[:5] if complete else paper.names
    return [names[int(i)] for i in paper.rng.permutation(len(names))]


def inner_larger_than_outer(paper: Paper) -> Planted | None:
    """A nested subgroup is larger than the one it lies in."""
    outer, inner = paper.names[3:5]
    large = paper.find(endpoint="patients", factor=outer, level="l0", population="all")
    small = paper.find(endpoint="patients", factor=inner, level="l0", population="all")
    if not large[0]["count"] or not small[0]["count"]:
        return None
    small[0]["count"] = str(int(large[0]["count"]) + 1)
    if small[0]["value"]:
        small[0]["value"] = paper.percent(int(small[0]["count"]), n_patients(paper))
    return Planted("nested_groups", small[0]["id"], large[0]["count"])


def repeat_with_another_digit(paper: Paper) -> Planted | None:
    """The abstract prints another last digit than the results."""
    for row in shuffled(paper, [row for row in paper.rows if row["location"] == "abstract" and row["value"]]):
        step = Fraction(1, 10 ** len(row["value"].partition(".")[2]))
        up = Fraction(row["value"]) + step
        row["value"] = printed(up if row["kind"] != "percent" or up <= 100 else up - 2 * step, _decimals(row["value"]))
        return Planted("repeated_values", row["id"], row["value"])
    return None


def _decimals(text: str) -> int:
    return len(text.partition(".")[2])


def groups_exchanged(paper: Paper) -> Planted | None:
    """Two medians printed the wrong way round beside a sentence that has the direction right."""
    for row in shuffled(paper, [row for row in paper.rows if row["claim"] in ("better", "worse")]):
        about = {"kind": "median", "endpoint": row["endpoint"], "factor": row["factor"]}
        first, second = paper.find(**about, level="l0"), paper.find(**about, level="l1")
        if not first or not second or not _clearly_apart(first[0]["value"], second[0]["value"]):
            continue
        first[0]["value"], second[0]["value"] = second[0]["value"], first[0]["value"]
        return Planted("stated_direction", row["id"], second[0]["value"])
    return None


def _clearly_apart(first: str, second: str) -> bool:
    times = sorted(math.inf if text == "not reached" else float(text) for text in (first, second))
    return times[1] > 1.3 * times[0] + 0.2


def difference_denied(paper: Paper) -> Planted | None:
    """The text sees no difference where p is below 0.05."""
    for row in shuffled(paper, [row for row in paper.rows if row["claim"] in ("better", "worse", "higher", "lower")]):
        row["claim"] = "no_difference"
        return Planted("stated_direction", row["id"], row["p"])
    return None


def more_events_than_patients(paper: Paper) -> Planted | None:
    """Events and censored patients that do not add up."""
    rows = [row for row in paper.rows if row["kind"] in ("events", "censored")]
    row = rows[int(paper.rng.integers(len(rows)))]
    paper.add(
        kind="censored" if row["kind"] == "events" else "events",
        endpoint=row["endpoint"],
        count=str(n_patients(paper) - int(row["count"]) + 2),
    )
    return Planted("sizes_add_up", row["id"], f"{n_patients(paper) + 2}")


def _survival(paper: Paper) -> tuple[Row, list[Row]]:
    """The printed median of everyone for the first survival time, and the rows that count its events."""
    endpoint = next(iter(paper.cohort.times))
    median = paper.find(kind="median", endpoint=endpoint, factor="")[0]
    counted = [row for kind in ("events", "censored") for row in paper.find(kind=kind, endpoint=endpoint)]
    return median, counted


def _count_events(paper: Paper, rows: list[Row], events: int) -> None:
    for row in rows:
        row["count"] = str(events if row["kind"] == "events" else n_patients(paper) - events)


def median_without_an_event(paper: Paper) -> Planted | None:
    """Nobody has the event, and yet half of the patients had it by a printed time."""
    median, counted = _survival(paper)
    if median["value"] == "not reached":
        return None
    _count_events(paper, counted, 0)
    return Planted("events_and_median", median["id"], "nobody had the event")


def median_not_reached_by_most(paper: Paper) -> Planted | None:
    """More than half of the patients have the event, and no time is printed by which half had it."""
    median, counted = _survival(paper)
    most = n_patients(paper) // 2 + 1
    _count_events(paper, counted, most)
    median["value"] = median["upper"] = "not reached"
    return Planted("events_and_median", median["id"], f"{most} of {n_patients(paper)} patients had the event")


def significance_flipped(paper: Paper) -> Planted | None:
    """A hazard ratio whose interval excludes 1 beside p = 0.3."""
    for row in shuffled(paper, paper.find(kind="hazard_ratio", location="results")):
        if float(row["lower"]) > 1.02 or float(row["upper"]) < 0.98:
            row["p"] = "0.3"
            return Planted("interval_and_p", row["id"], "different sides of 0.05")
    return None


def interval_too_narrow(paper: Paper) -> Planted | None:
    """An interval narrower than the printed events can give."""
    for row in shuffled(paper, paper.find(kind="hazard_ratio", location="results")):
        events = int(paper.cohort.events[row["endpoint"]].sum())
        if events < 20:
            continue
        set_interval(row, se=1.5 / math.sqrt(events))
        return Planted("interval_narrower_than_events_allow", row["id"], str(events))
    return None


def set_interval(row: Row, *, se: float, log_ratio: float | None = None) -> None:
    """Another interval and the p value that goes with it."""
    centre = math.log(float(row["value"])) if log_ratio is None else log_ratio
    row["value"] = printed(math.exp(centre), 2)
    row["lower"], row["upper"] = (printed(math.exp(centre + side * 1.959964 * se), 2) for side in (-1, 1))
    p = wald_p(centre / se)
    row["p"] = "<0.001" if p < 0.001 else printed(p, 3)


def median_outside_its_range(paper: Paper) -> Planted | None:
    """A subgroup's median above the largest value of all."""
    row = paper.find(kind="median", endpoint="lab", factor="")[0]
    if row["interval"] != "range":
        return None
    part = paper.find(kind="median", endpoint="lab", level="l0")[0]
    part["value"] = printed(float(row["upper"]) + 5, 1)
    return Planted("value_outside_range", part["id"], part["value"])


def pooled_median_outside_parts(paper: Paper) -> Planted | None:
    """A median of everyone above the medians of both halves (complete data)."""
    row = paper.find(kind="median", endpoint="lab", factor="")[0]
    parts = paper.find(kind="median", endpoint="lab", factor=paper.names[0])
    row["value"] = printed(max(float(part["value"]) for part in parts) + 0.5, 1)
    if float(row["value"]) >= float(row["upper"]):
        return None
    return Planted("pooled_median", row["id"], row["value"])


DETERMINISTIC: list[Fault] = [
    percentage_of_a_count,
    percentage_in_a_partition,
    last_digit_truncated,
    fisher_p_of_a_table,
    component_off_by_one,
    level_too_large,
    inner_larger_than_outer,
    repeat_with_another_digit,
    groups_exchanged,
    difference_denied,
    more_events_than_patients,
    median_without_an_event,
    median_not_reached_by_most,
    significance_flipped,
    interval_too_narrow,
    median_outside_its_range,
    pooled_median_outside_parts,
]
