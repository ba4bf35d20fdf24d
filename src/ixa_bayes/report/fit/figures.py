"""Figures of a report on a fit: hazard ratios beside other methods, survival with its band, and hazard over time."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MatplotlibFigure
from matplotlib.lines import Line2D

from ixa_bayes.cohort.summary import SMALL_CELL
from ixa_bayes.models.survival_analysis import PiecewiseBaseline
from ixa_bayes.report.display import records_of
from ixa_bayes.report.drawing import DrawnFigure, Figure, export
from ixa_bayes.report.effect_figures import WIDTH, ratio_limits
from ixa_bayes.report.fit.check_figures import check_figures
from ixa_bayes.report.fit.crosscheck_tables import methods_of, of_complete_cases
from ixa_bayes.report.fit.curves import Band, FloatArray, group_curves, hazard_band, time_ticks
from ixa_bayes.report.fit.extrapolation import beyond_words, is_beyond, late_entry_words
from ixa_bayes.report.fit.over_time_figures import over_time_figures
from ixa_bayes.report.fit.plots import (
    AT_RISK_LINE,
    at_risk_lines,
    at_risk_table,
    colour_of,
    has_long,
    hazard_plot,
    survival_plot,
)
from ixa_bayes.report.fit.posterior_figures import posterior_figures
from ixa_bayes.report.fit.results import FitResults
from ixa_bayes.report.fit.words import METHODS, FitWords, estimate_text, ratio_interval
from ixa_bayes.report.plots import IntervalRow, Mark, interval_plot, plot_height
from ixa_bayes.report.style import INK, house_style
from ixa_bayes.report.wording import interval_text, numbers_text, percent_text

MARKS: Final = {
    "posterior": "neutral",
    "cox_efron": "printed",
    "cox_breslow": "other",
    "firth": "pessimistic",
    "weibull_mle": "optimistic",
    "piecewise_mle": "optimistic",
}
"""Colour and marker of each method: a key of the house style's looks."""
MOST_RATIOS: Final = 8
_LINE: Final = 0.2
_LATE: Final = (
    " Events found at a visit count at that visit in Kaplan-Meier, which therefore runs late; the model does not."
)


def draw_fit(results: FitResults) -> list[DrawnFigure]:
    """Draw every figure that the results support.

    Parameters
    ----------
    results : FitResults

    Returns
    -------
    list of DrawnFigure
        SVG text and PNG bytes with title, alternative text and caption; the same bytes for the same results. Of real
        patients, no curve or number rests on fewer than five at risk unless the results say otherwise.
    """
    with house_style():
        return [
            *_forests(results),
            *over_time_figures(results),
            *_whole_cohort(results),
            *_by_factor(results),
            _hazard(results),
            *posterior_figures(results),
            *check_figures(results),
        ]


def _forests(results: FitResults) -> Iterator[DrawnFigure]:
    table = results.estimands
    ratios = records_of(table[table["estimand"] == "hazard_ratio"])
    parts = [ratios[start : start + MOST_RATIOS] for start in range(0, len(ratios), MOST_RATIOS)]
    for number, part in enumerate(parts, start=1):
        yield _forest(results, part, name=f"hazard_ratios_{number}" if len(parts) > 1 else "hazard_ratios")


def _forest(results: FitResults, ratios: list[dict[str, Any]], *, name: str) -> DrawnFigure:
    words = FitWords(results.fit.question)
    rows, numbers = [], []
    for ours in ratios:
        heading = words.ratio(ours["factor"], ours["level"])
        own = Mark(MARKS["posterior"], float(ours["median"]), lower=float(ours["q025"]), upper=float(ours["q975"]))
        block = [IntervalRow(METHODS["posterior"], (own,), estimate_text(ours), heading=heading)]
        block += [
            IntervalRow(METHODS[row["method"]], (_mark(row),), _beside(row), heading=heading)
            for row in _others(results, ours)
        ]
        numbers.append(f"{heading}: " + "; ".join(f"{row.label} {row.text}" for row in block))
        rows += block
    limits = ratio_limits([mark for row in rows for mark in row.marks if np.isfinite(mark.lower)])
    height = plot_height([row.heading for row in rows], line_height=_LINE)
    drawing, axes = _canvas(height, left=0.37, right=0.75)
    xlabel = f"hazard ratio, log scale (above 1: {words.above_1} outcome)"
    interval_plot(rows, axes, limits=limits, xlabel=xlabel, reference=1.0, ratio=True)
    figure = Figure(
        name,
        title="Hazard ratios: the posterior beside other methods",
        alt=f"Forest plot, estimates and 95% intervals. {'. '.join(numbers)}.",
        caption="Posterior median with its 95% interval, and the same hazard ratio by methods without a prior with "
        f"their 95% confidence intervals{of_complete_cases(results)}. An arrow head marks an interval that goes on "
        "beyond the axis; a method without a mark has no answer, and the table of other methods says why.",
        evidence_kind=results.fit.question.cohort.evidence_kind,
        ledger_rows=(),
        section="hazard-ratios",
    )
    return export(figure, drawing)


def _others(results: FitResults, ours: dict[str, Any]) -> list[dict[str, Any]]:
    table = results.crosscheck
    same = (table["factor"] == ours["factor"]) & (table["level"] == ours["level"])
    return records_of(table[same & table["method"].isin(methods_of(results))])


def _mark(row: dict[str, Any]) -> Mark:
    kind = MARKS[row["method"]]
    return Mark(kind, float(row["estimate"]), lower=float(row["lower"]), upper=float(row["upper"]))


def _beside(row: dict[str, Any]) -> str:
    """The numbers at the right of a line; reasons are too long for it and stand in the table."""
    return "not available" if np.isnan(row["estimate"]) else ratio_interval(row)


def _canvas(plot: float, *, left: float, right: float, above: float = 0.1) -> tuple[MatplotlibFigure, Axes]:
    height = plot + above + 0.62
    drawing = MatplotlibFigure(figsize=(WIDTH, height))
    return drawing, drawing.add_axes((left, 0.62 / height, right - left, plot / height))


def _whole_cohort(results: FitResults) -> Iterator[DrawnFigure]:
    fit, words = results.fit, FitWords(results.fit.question)
    ticks = time_ticks(fit)
    groups = group_curves(fit, ticks, kept_back=results.kept_back)
    if not groups:
        return
    drawing = MatplotlibFigure(figsize=(WIDTH, 4.1))
    axes = drawing.add_axes((0.11, 0.24, 0.86, 0.66))
    survival_plot(groups, axes, labels=[""], ticks=ticks)
    at_risk_table(groups, axes, labels=["all"], ticks=ticks)
    axes.set_ylabel(words.curve)
    axes.set_xlabel("months")
    _legend(axes, [("Kaplan-Meier", INK), ("posterior, mean of the patients' curves, with 95% band", colour_of(0))])
    late = _LATE if fit.question.rows.between.any() else ""
    stops = " The step curve stops where fewer than 5 are at risk." if results.kept_back else ""
    yield export(
        Figure(
            "survival",
            title=f"{words.endpoint}: Kaplan-Meier and the model",
            alt=f"Survival curves. {_curve_numbers(results, '', '')}.",
            caption=f"All patients used.{late}{stops}{_pale(results, [group.model for group in groups])}"
            f"{late_entry_words(fit)} Numbers of patients at risk stand below the axis.",
            evidence_kind=fit.question.cohort.evidence_kind,
            ledger_rows=(),
            section="survival",
        ),
        drawing,
    )


def _by_factor(results: FitResults) -> Iterator[DrawnFigure]:
    fit, words = results.fit, FitWords(results.fit.question)
    ticks = _fewer(time_ticks(fit))
    panels = {
        name: groups
        for name, term in fit.question.design.terms.items()
        if term.kind != "continuous"
        and (groups := group_curves(fit, ticks, kept_back=results.kept_back, covariate=name))
    }
    if not panels:
        return
    named = {name: [_short(words.level(name, group.level)) for group in groups] for name, groups in panels.items()}
    lines = max(at_risk_lines(labels) for labels in named.values())
    drawing, places = _panels(len(panels), plot=1.75, below=0.5 + AT_RISK_LINE * lines)
    numbers = []
    for (name, groups), place in zip(panels.items(), places, strict=False):
        axes = drawing.add_axes(place)
        survival_plot(groups, axes, labels=named[name], ticks=ticks)
        at_risk_table(groups, axes, labels=named[name], ticks=ticks, below=0.34)
        axes.set_title(words.factor(name), loc="left", color=INK, fontsize=8.5)
        axes.tick_params(labelsize=7)
        if not has_long(named[name]):
            axes.legend(loc="upper right", fontsize=7, handlelength=2.2)
        numbers += [f"{words.group(name, g.level)}: {_curve_numbers(results, name, g.level)}" for g in groups]
    late = _LATE if fit.question.rows.between.any() else ""
    stops = " Step curves stop, and counts are left out (–), where few are at risk." if results.kept_back else ""
    pale = _pale(results, [group.model for groups in panels.values() for group in groups])
    agree = late_entry_words(fit) or " The two should agree if the model fits."
    yield export(
        Figure(
            "survival_by_factor",
            title=f"{words.endpoint} by factor: Kaplan-Meier and the model",
            alt=f"Survival curves by level. {'. '.join(numbers)}.",
            caption="Steps: Kaplan-Meier of the patients with each level. Smooth with a 95% band: the model's curve of "
            "the very same patients, with their own other factors; what the factor itself does is in the tables."
            f"{agree} Months on the axis, patients at risk below it.{late}{stops}{pale}",
            evidence_kind=fit.question.cohort.evidence_kind,
            ledger_rows=(),
            section="survival",
        ),
        drawing,
    )


def _pale(results: FitResults, bands: Iterable[Band]) -> str:
    """What it means that a curve of the model becomes paler, where one does."""
    if not any(band.time[-1] > band.followed for band in bands):
        return ""
    whom, nearly = (
        (f"fewer than {SMALL_CELL} patients were", "nearly ") if results.kept_back else ("no patient was", "")
    )
    return f" The model's curve is paler where {whom} followed so long: there its law {nearly}alone carries it on."


def _fewer(ticks: FloatArray) -> FloatArray:
    """Every other tick, if that leaves the last where it is or beyond."""
    if ticks.size <= 5:
        return ticks
    step = 2 * (ticks[1] - ticks[0])
    return np.arange(0.0, ticks[-1] + step / 2 + 1e-9, step)


def _short(label: str, width: int = 45) -> str:
    """A label as far as it fits into a panel."""
    return label if len(label) <= width else f"{label[: width - 1]}…"


def _panels(
    count: int, *, plot: float, below: float, above: float = 0.3, columns: int = 2
) -> tuple[MatplotlibFigure, list[tuple[float, float, float, float]]]:
    """A figure with room for panels in columns, and the place of each, from the top left."""
    columns = min(columns, count)
    rows = -(-count // columns)
    height = rows * (above + plot + below) + 0.15
    width, left = WIDTH / columns, 0.58
    places = []
    for position in range(count):
        row, column = divmod(position, columns)
        bottom = height - (row + 1) * (above + plot + below) + below
        places.append(((column * width + left) / WIDTH, bottom / height, (width - left - 0.12) / WIDTH, plot / height))
    return MatplotlibFigure(figsize=(WIDTH, height)), places


def _legend(axes: Axes, entries: list[tuple[str, str]]) -> None:
    handles = [Line2D([], [], color=colour, label=label) for label, colour in entries]
    axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, columnspacing=1.4)


def _curve_numbers(results: FitResults, factor: str, level: str) -> str:
    """Kaplan-Meier survival at the model file's times and the median, for a reader who sees no curve."""
    table, event_free = results.curves, FitWords(results.fit.question).event_free
    rows = table[(table["factor"] == factor) & (table["level"] == level) & (table["interval"] == "log-log")]
    told = []
    for row in records_of(rows[rows["quantity"].isin(["survival", "median"])]):
        if np.isnan(row["estimate"]):
            continue
        if row["quantity"] == "survival":
            told.append(f"{percent_text(row['estimate'])} {event_free} at {row['time']:g} months")
        else:
            values = [float(row[name]) for name in ("estimate", "lower", "upper")]
            median, *limits = (
                text if value > 0 else "not reached" for value, text in zip(values, numbers_text(values), strict=True)
            )
            told.append(f"median {median} months ({interval_text(*limits)})")
    own = _model_numbers(results) if not factor else ""
    return f"Kaplan-Meier {', '.join(told) or 'not shown'}{own}"


def _model_numbers(results: FitResults) -> str:
    table, event_free = results.estimands, FitWords(results.fit.question).event_free
    rows = table[(table["factor"] == "") & table["estimand"].isin(["survival", "median"])]
    told = []
    for row in records_of(rows):
        survival = row["estimand"] == "survival"
        beyond = f" ({beyond_words(results)})" if is_beyond(row, results.fit) else ""
        what = (
            f"{estimate_text(row)} {event_free} at {row['time']:g} months"
            if survival
            else f"median {estimate_text(row)} months"
        )
        told.append(f"{what}{beyond}")
    return f". Model {', '.join(told)}"


def _hazard(results: FitResults) -> DrawnFigure:
    fit, words = results.fit, FitWords(results.fit.question)
    ticks = time_ticks(fit)
    band = hazard_band(fit, float(ticks[-1]), kept_back=results.kept_back)
    drawing = MatplotlibFigure(figsize=(WIDTH, 2.7))
    axes = drawing.add_axes((0.11, 0.2, 0.86, 0.74))
    hazard_plot(band, axes, ticks=ticks)
    axes.set_xlabel("months")
    axes.set_ylabel("hazard per month")
    told = [
        "{} ({} to {})".format(*numbers_text([band.median[at], band.lower[at], band.upper[at]]))
        + f" at {band.time[at]:g} months"
        for at in (np.searchsorted(band.time, time) for time in (ticks[1], ticks[-1]))
    ]
    law = (
        "constant within each interval"
        if isinstance(fit.question.analysis.baseline, PiecewiseBaseline)
        else "a steady rise or fall, which is all that a Weibull model can show"
    )
    return export(
        Figure(
            "hazard",
            title="Hazard over time, reference profile",
            alt=f"Hazard per month with a 95% band: {', '.join(told)}.",
            caption=f"Rate of the event among those still {words.event_free}, for the reference profile (written out "
            f"with the priors): {law}. Median and 95% band.{_pale(results, [band])}",
            evidence_kind=fit.question.cohort.evidence_kind,
            ledger_rows=(),
            section="survival",
        ),
        drawing,
    )
