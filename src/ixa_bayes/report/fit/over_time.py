"""Effects that change over time, as a report on a fit tells them: the check on proportional hazards, in words."""

from collections.abc import Iterator
from typing import Any, Final

from ixa_bayes.cohort.summary import SMALL_CELL
from ixa_bayes.report.display import Column, DisplayRow, DisplayTable, evidence_words, records_of
from ixa_bayes.report.fit.extrapolation import BEYOND_MARK, compared_by
from ixa_bayes.report.fit.results import FitResults
from ixa_bayes.report.fit.tables import fit_table
from ixa_bayes.report.fit.words import CLEAR, LEANS, FitWords, estimate_text, starting
from ixa_bayes.report.summary import SummaryFinding
from ixa_bayes.report.wording import number_text, probability_text

NONE: Final = "–"
PROPORTIONAL: Final = "Every factor multiplies the hazard by the same ratio at all times in this model."

type Record = dict[str, Any]


def changing_effects(results: FitResults) -> Iterator[tuple[Record, list[Record]]]:
    """Each effect that changes over time: the row of its change, and the rows of its intervals in their order."""
    table = results.estimands
    for change in records_of(table[table["estimand"] == "hazard_ratio_change"]):
        same = (table["factor"] == change["factor"]) & (table["level"] == change["level"])
        yield change, records_of(table[same & (table["estimand"] == "hazard_ratio_in_interval")])


def interval_words(results: FitResults, start: float) -> str:
    """An interval by its ends: ``from 3 to 9 months``."""
    later = [cut for cut in results.fit.question.cuts if cut > start]
    if not later:
        return f"after {number_text(start)} months"
    if start == 0:
        return f"up to {number_text(later[0])} months"
    return f"from {number_text(start)} to {number_text(later[0])} months"


def is_carried_on(results: FitResults, interval: Record) -> bool:
    """Whether no patient of one of the two sides was followed into an interval of a hazard ratio."""
    return float(interval["time"]) >= compared_by(results, interval["factor"], interval["level"])


def carried_on_words(results: FitResults) -> str:
    """What to say of the hazard ratio of an interval that patients of one side were not followed into."""
    whom = f"fewer than {SMALL_CELL} patients" if results.kept_back else "no patient"
    return f"{whom} of one of the two groups followed so long: what the prior makes of the intervals before"


def change_words(change: Record) -> str:
    """What the ratio of the last interval's hazard ratio to the first one's says, in words."""
    p = float(change["p_gt_1"])
    surest, way = max(p, 1 - p), "rises" if p > 0.5 else "falls"
    if surest >= CLEAR:
        return f"it clearly {way} with time"
    return (
        f"it leans to {'rising' if p > 0.5 else 'falling'} with time" if surest >= LEANS else "open which way it moves"
    )


def over_time_table(results: FitResults) -> DisplayTable:
    """Hazard ratios by interval, how far they move, and the scale of their movement."""
    words, table = FitWords(results.fit.question), results.estimands
    low, high = results.fit.question.analysis.estimands.equivalence
    columns = [
        Column("When"),
        Column("Hazard ratio (95% interval)", numeric=True),
        Column("P(HR > 1)", numeric=True),
        Column(f"P({low:g} < HR < {high:g})", numeric=True),
    ]
    rows, any_beyond = [], False
    for change, intervals in changing_effects(results):
        group = words.comparison(change["factor"], change["level"])
        beyond = [is_carried_on(results, row) for row in intervals]
        told = [(starting(interval_words(results, row["time"])), row) for row in intervals]
        told.append(("Last interval over first (1: proportional hazards)", change))
        for (name, row), mark in zip(told, [*beyond, beyond[-1]], strict=True):
            chances = [probability_text(float(row[p])) for p in ("p_gt_1", "p_practically_equal")]
            cells = (name, f"{estimate_text(row)}{BEYOND_MARK if mark else ''}", *chances)
            rows.append(DisplayRow(cells, group=group))
        any_beyond |= any(beyond)
        sd = table[(table["estimand"] == "change_sd") & (table["factor"] == change["factor"])]
        name = "Standard deviation of a year's change of the log hazard ratio"
        rows.append(DisplayRow((name, estimate_text(records_of(sd)[0]), NONE, NONE), group=group))
    return fit_table(
        rows,
        columns,
        results=results,
        anchor="table-over-time",
        caption="Hazard ratios over time, of the factors whose effect may change"
        f"{f'. {BEYOND_MARK} {carried_on_words(results)}' if any_beyond else ''}",
        missing=PROPORTIONAL,
        file="estimands.csv",
    )


def over_time_findings(results: FitResults) -> Iterator[SummaryFinding]:
    """On the first screen: whether the effects that may change do so."""
    words, items, clear = FitWords(results.fit.question), [], 0
    for change, intervals in changing_effects(results):
        p = float(change["p_gt_1"])
        clear += max(p, 1 - p) >= CLEAR
        first, last = (
            f"{estimate_text(row)} {interval_words(results, row['time'])}" for row in intervals[:: len(intervals) - 1]
        )
        beyond = " (not followed so long in one group)" if is_carried_on(results, intervals[-1]) else ""
        items.append(
            f"{words.comparison(change['factor'], change['level'])}: {first}, {last}{beyond}; {change_words(change)}, "
            f"P(rises) {probability_text(p)}"
        )
    if not items:
        return
    does = f"{clear} of {len(items)} clearly {'changes' if clear == 1 else 'change'}"
    if not clear:
        does = "No effect is clearly different late from early"
    yield SummaryFinding(
        headline=f"Do effects change over time? {does}",
        text="Hazard ratios of the factors that may change, in the first and in the last interval. Few events fall "
        "into one interval, so that no clear change does not show that there is none:",
        items=tuple(items),
        target="over-time",
        links=(),
        evidence=evidence_words(results.estimands),
    )


def changing_factors(results: FitResults) -> list[str]:
    """Labels of the factors whose effect may change over time."""
    words = FitWords(results.fit.question)
    return [words.factor(name) for name in results.fit.question.changing]
