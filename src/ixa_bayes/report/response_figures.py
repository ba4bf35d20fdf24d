"""Figures of response: rates of subgroups raw and after pooling, contrasts, and the other rates of a study."""

from collections.abc import Iterator, Sequence
from itertools import batched
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as MatplotlibFigure

from ixa_bayes.report.display import records_of
from ixa_bayes.report.drawing import DrawnFigure, Figure, export
from ixa_bayes.report.plots import IntervalRow, Limits, Mark, interval_plot, legend_of, plot_height
from ixa_bayes.report.response_tables import chance_lower, group_name, share_interval, with_interval
from ixa_bayes.report.results import Results
from ixa_bayes.report.wording import Labels, points_text

WIDTH: Final = 6.4
MOST_ROWS: Final = 18
ALONE_PRIOR: Final = "uniform"
_ALONE: Final = "beta_binomial"
_POOLED: Final = "hierarchical_binomial"
_GROUP: Final = ["population", "endpoint", "factor", "level", "candidate"]


def response_figures(results: Results) -> Iterator[DrawnFigure]:
    """Rates and contrasts of every endpoint with subgroups, then the rates of whole populations."""
    labels = Labels(results.study.definition)
    rates = _read_as_used(results.response)
    contrasts = _read_as_used(results.response_contrast)
    if rates.empty:
        return
    grouped = rates[rates["factor"].ne("")]
    for (endpoint, population), _ in grouped.groupby(["endpoint", "population"], sort=False):
        about = {"endpoint": str(endpoint), "population": str(population)}
        subject = f"{labels.endpoint(about['endpoint'])}, {labels.population(about['population'])}"
        name = f"{endpoint}_{population}"
        yield from _rate_figures(_only(rates, about), labels, name=f"rates_{name}", subject=subject, headed_by="factor")
        if not (same := _only(contrasts, about)).empty:
            yield from _contrast_figures(same, labels, name=f"contrasts_{name}", subject=subject)
    whole = rates[rates["factor"].eq("") & rates["population"].eq(results.study.definition.main_population)]
    if not whole.empty:
        subject = labels.population(results.study.definition.main_population)
        yield from _rate_figures(whole, labels, name="rates_whole", subject=subject, headed_by="")


def _read_as_used(table: pd.DataFrame) -> pd.DataFrame:
    """Rows with adjudicated counts; readings as printed are in the tables."""
    return table if table.empty else table[table["basis"].eq("used")]


def _only(table: pd.DataFrame, about: dict[str, str]) -> pd.DataFrame:
    if table.empty:
        return table
    return table[table["endpoint"].eq(about["endpoint"]) & table["population"].eq(about["population"])]


def _rate_figures(
    rates: pd.DataFrame, labels: Labels, *, name: str, subject: str, headed_by: str
) -> Iterator[DrawnFigure]:
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in records_of(rates):
        groups.setdefault(tuple(row[key] for key in _GROUP), []).append(row)
    parts = list(batched(groups.values(), MOST_ROWS, strict=False))
    for part, few in enumerate(parts, start=1):
        number = f"_{part}" if len(parts) > 1 else ""
        yield _rate_figure(few, labels, name=f"{name}{number}", subject=subject, headed_by=headed_by)


def share_limits(marks: Sequence[Mark]) -> Limits:
    """Axis for shares from 0: up to 10%, 25%, 50% or 100%, so that rare events are not all squeezed to one edge."""
    furthest = max((mark.upper for mark in marks if not np.isnan(mark.upper)), default=1.0)
    return 0.0, next(end for end in (0.1, 0.25, 0.5, 1.0) if furthest <= end or end == 1.0)


def _rate_figure(
    groups: Sequence[list[dict[str, Any]]], labels: Labels, *, name: str, subject: str, headed_by: str
) -> DrawnFigure:
    rows = [_rate_row(same, labels, headed_by=headed_by) for same in groups]
    kinds = [kind for kind in ("raw", "alone", "pooled") if any(m.kind == kind for row in rows for m in row.marks)]
    drawing, axes = _canvas(plot_height([row.heading for row in rows], line_height=0.36))
    limits = share_limits([mark for row in rows for mark in row.marks])
    interval_plot(rows, axes, limits=limits, xlabel="share of patients (%)", reference=None, ratio=False)
    legend_of(kinds, axes)
    numbers = "; ".join(f"{row.label}: {row.text}" for row in rows)
    pooled = " A small group is drawn towards the others of its factor." if "pooled" in kinds else ""
    return export(
        Figure(
            name,
            title=f"Rates: {subject}",
            alt=f"Rates with 95% intervals, raw and posterior. {numbers}.",
            caption="At the right: patients with the endpoint out of those evaluable, and the posterior median with "
            f"its 95% interval, {_right_hand(kinds)}.{pooled}",
            evidence_kind=groups[0][0]["evidence_kind"],
            ledger_rows=_ledger_rows(groups),
            section="response",
        ),
        drawing,
    )


def _ledger_rows(groups: Sequence[list[dict[str, Any]]]) -> tuple[str, ...]:
    ids = [name for same in groups for row in same for name in str(row["ledger_rows"]).split(";") if name]
    return tuple(dict.fromkeys(ids))


def _rate_row(same: list[dict[str, Any]], labels: Labels, *, headed_by: str) -> IntervalRow:
    first = same[0]
    raw = first["responders"] / first["evaluable"]
    marks = [Mark("raw", median=raw, lower=first["clopper_pearson_q025"], upper=first["clopper_pearson_q975"])]
    chosen = first
    for kind, row in _chosen(same).items():
        marks.append(Mark(kind, median=row["median"], lower=row["q025"], upper=row["q975"]))
        chosen = row
    if headed_by:
        label = group_name(first, labels)
        heading = labels.factor(first["factor"]) if first["factor"] else "Whole population"
    else:
        label, heading = labels.endpoint(first["endpoint"]), ""
    text = f"{first['responders']:.0f}/{first['evaluable']:.0f}\n{share_interval(chosen)}"
    return IntervalRow(label, tuple(marks), text, heading=heading)


def _chosen(same: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The group alone under the uniform prior (else the first), and pooled where there is such a fit."""
    alone = [row for row in same if row["model"] == _ALONE]
    uniform = [row for row in alone if row["prior"] == ALONE_PRIOR] or alone
    pooled = [row for row in same if row["model"] == _POOLED and not np.isnan(row["median"])]
    return {kind: rows[0] for kind, rows in (("alone", uniform), ("pooled", pooled)) if rows}


def _contrast_figures(contrasts: pd.DataFrame, labels: Labels, *, name: str, subject: str) -> Iterator[DrawnFigure]:
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in records_of(contrasts[contrasts["measure"].eq("difference")]):
        groups.setdefault((row["factor"], row["level"], row["comparator"], row["candidate"]), []).append(row)
    parts = list(batched(groups.values(), MOST_ROWS, strict=False))
    for part, few in enumerate(parts, start=1):
        number = f"_{part}" if len(parts) > 1 else ""
        yield _contrast_figure(few, labels, name=f"{name}{number}", subject=subject)


def _contrast_figure(groups: Sequence[list[dict[str, Any]]], labels: Labels, *, name: str, subject: str) -> DrawnFigure:
    rows = [_contrast_row(same, labels) for same in groups]
    marks = [mark for row in rows for mark in row.marks if not np.isnan(mark.median)]
    reach = max([0.1, *(abs(end) for mark in marks for end in (mark.lower, mark.upper))])
    kinds = [kind for kind in ("alone", "pooled") if any(mark.kind == kind for mark in marks)]
    drawing, axes = _canvas(plot_height([row.heading for row in rows], line_height=0.36))
    interval_plot(
        rows,
        axes,
        limits=(-min(1.0, reach * 1.05), min(1.0, reach * 1.05)),
        xlabel="difference in rate (percentage points; below 0: first group lower)",
        reference=0.0,
        ratio=False,
    )
    legend_of(kinds, axes)
    numbers = "; ".join(f"{row.label}: {row.text}" for row in rows).replace("\n", ", ")
    return export(
        Figure(
            name,
            title=f"Differences: {subject}",
            alt=f"Differences in rate with 95% intervals, in percentage points. {numbers}.",
            caption="Difference of the first group against the second, in percentage points, and the probability that "
            f"the first is lower, {_right_hand(kinds)}.",
            evidence_kind=groups[0][0]["evidence_kind"],
            ledger_rows=_ledger_rows(groups),
            section="response",
        ),
        drawing,
    )


def _contrast_row(same: list[dict[str, Any]], labels: Labels) -> IntervalRow:
    first = same[0]
    marks, chosen = [], first
    for kind, row in _chosen(same).items():
        marks.append(Mark(kind, median=row["median"], lower=row["q025"], upper=row["q975"]))
        chosen = row
    text = f"{with_interval(chosen, points_text)}\nP(lower) {chance_lower(chosen)}"
    label = labels.comparison(first["factor"], first["level"], first["comparator"])
    return IntervalRow(label, tuple(marks), text)


def _right_hand(kinds: Sequence[str]) -> str:
    """Which model the numbers at the right are of: the same rate has other digits in a figure of the other model."""
    if "pooled" not in kinds:
        return "each group alone"
    return "groups informing each other where such a model is drawn, else each group alone"


def _canvas(plot: float) -> tuple[Any, Any]:
    """A figure with a legend above, names at the left and numbers at the right, and its axes."""
    above, below = 0.5, 0.62
    height = plot + above + below
    drawing = MatplotlibFigure(figsize=(WIDTH, height))
    axes = drawing.add_axes((0.345, below / height, 0.375, plot / height))
    return drawing, axes
