"""Figure of effects that change over time: the hazard ratio in each interval beside Cox's, which is constant."""

from collections.abc import Iterator
from textwrap import wrap
from typing import Final

import numpy as np
from matplotlib.figure import Figure as MatplotlibFigure
from numpy.typing import NDArray

from ixa_bayes.report.display import records_of
from ixa_bayes.report.drawing import DrawnFigure, Figure, export
from ixa_bayes.report.effect_figures import WIDTH, ratio_limits
from ixa_bayes.report.fit.curves import Band, time_ticks
from ixa_bayes.report.fit.extrapolation import compared_by
from ixa_bayes.report.fit.over_time import Record, carried_on_words, change_words, changing_effects, interval_words
from ixa_bayes.report.fit.plots import ratio_over_time_plot
from ixa_bayes.report.fit.results import FitResults
from ixa_bayes.report.fit.words import FitWords, estimate_text, ratio_interval
from ixa_bayes.report.plots import Mark
from ixa_bayes.report.style import INK

LETTERS: Final = 48
"""Of a line of a panel's title."""
FloatArray = NDArray[np.float64]


def over_time_figures(results: FitResults) -> Iterator[DrawnFigure]:
    """Hazard ratios over time, a panel per effect that may change; within the house style."""
    effects = list(changing_effects(results))
    if not effects:
        return
    words, ticks = FitWords(results.fit.question), time_ticks(results.fit)
    marks = [
        Mark("neutral", float(row["median"]), lower=float(row["q025"]), upper=float(row["q975"]))
        for _, intervals in effects
        for row in intervals
    ]
    limits = ratio_limits(marks)
    columns = min(2, len(effects))
    lines = -(-len(effects) // columns)
    drawing = MatplotlibFigure(figsize=(WIDTH, 0.75 + 1.9 * lines), layout="constrained")
    panels = drawing.subplots(lines, columns, squeeze=False, sharey=True).ravel().tolist()
    for axes in panels[len(effects) :]:
        axes.set_visible(False)
    numbers, any_pale = [], False
    for (change, intervals), axes in zip(effects, panels, strict=False):
        cox = _cox(results, change)
        constant = float(cox["estimate"]) if cox else float("nan")
        followed = compared_by(results, change["factor"], change["level"])
        band = step_band(intervals, float(ticks[-1]), followed=followed)
        any_pale |= band.time[-1] > followed
        ratio_over_time_plot(band, axes, constant=constant, ticks=ticks, limits=limits)
        name = words.comparison(change["factor"], change["level"])
        axes.set_title("\n".join(wrap(name, LETTERS)), loc="left", color=INK, fontsize=8.5)
        axes.set_xlabel("months")
        told = ", ".join(f"{estimate_text(row)} {interval_words(results, row['time'])}" for row in intervals)
        numbers.append(f"{name}: {told}; {change_words(change)}{f'; Cox {ratio_interval(cox)}' if cox else ''}")
    for axes in panels[::columns]:
        axes.set_ylabel("hazard ratio, log scale")
    handles, labels = panels[0].get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside upper left", ncols=2, fontsize=7.5)
    pale = f" Paler: {carried_on_words(results)}." if any_pale else ""
    yield export(
        Figure(
            "hazard_ratios_over_time",
            title="Hazard ratios over time",
            alt=f"Hazard ratio in each interval with its 95% interval. {'. '.join(numbers)}.",
            caption="Posterior median and 95% interval of the hazard ratio in each interval of the model; the last one "
            "has no end. Dashed: Cox's hazard ratio of the same patients, one for all times. Neighbouring intervals "
            f"are tied by a random walk, so that an interval with few events borrows from those beside it.{pale} A "
            "level line within the band goes with proportional hazards, and does not prove them. A band at the edge of "
            "the axis goes on beyond it.",
            evidence_kind=results.fit.question.cohort.evidence_kind,
            ledger_rows=(),
            section="over-time",
        ),
        drawing,
    )


def step_band(intervals: list[Record], end: float, *, followed: float = np.inf) -> Band:
    """Rows of an effect's intervals as steps from 0 to ``end`` months, on both sides of every cut-point.

    ``followed`` is where the band becomes paler, within an interval or at its start.
    """
    starts = np.array([float(row["time"]) for row in intervals])
    edges = np.unique([*starts[starts < end], *([followed] if followed < end else [])])
    own = np.searchsorted(starts, edges, side="right") - 1
    time = np.repeat([*edges, end], 2)[1:-1]
    median, lower, upper = (
        np.repeat([float(intervals[row][name]) for row in own], 2) for name in ("median", "q025", "q975")
    )
    return Band(time, median=median, lower=lower, upper=upper, followed=followed)


def _cox(results: FitResults, change: Record) -> Record | None:
    """Cox's hazard ratio (ties by Efron) of the same factor and level, if it exists."""
    table = results.crosscheck
    same = (table["factor"] == change["factor"]) & (table["level"] == change["level"])
    found = records_of(table[same & (table["method"] == "cox_efron") & table["estimate"].notna()])
    return found[0] if found else None
