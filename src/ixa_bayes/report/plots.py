"""Kinds of plot: each takes numbers that were computed before and an Axes, and returns the Axes."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from matplotlib.transforms import blended_transform_factory
from numpy.typing import NDArray

from ixa_bayes.report.style import GRID, INK, LOOKS, SOFT
from ixa_bayes.report.wording import MINUS

Limits = tuple[float, float]
_RATIO_TICKS: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)
_HEADING_HEIGHT: Final = 1.15
_OVER_LINES: Final[dict[str, Any]] = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}


@dataclass(frozen=True)
class Mark:
    """A point with its interval; ``kind`` is a key of :data:`ixa_bayes.report.style.LOOKS`.

    A median of NaN leaves the point out, for an interval that is bounded on one side only.
    """

    kind: str
    median: float
    lower: float
    upper: float


@dataclass(frozen=True)
class IntervalRow:
    """One line of an interval plot.

    Attributes
    ----------
    label : str
        At the left.
    marks : tuple of Mark
        Drawn one under another within the line.
    text : str
        At the right.
    heading : str
        Block the line belongs to; a new one gets its own line above.
    """

    label: str
    marks: tuple[Mark, ...]
    text: str
    heading: str = ""


@dataclass(frozen=True, eq=False)
class Curve:
    """A density over the hazard ratio, per unit of log HR."""

    kind: str
    label: str
    hazard_ratio: NDArray[np.float64]
    density: NDArray[np.float64]


@dataclass(frozen=True)
class ChanceRow:
    """Probabilities of one statement, by prior; keys are kinds of :data:`LOOKS`."""

    label: str
    chances: Mapping[str, float]
    heading: str = ""


@dataclass
class _Lines:
    """Vertical places of rows and headings, from the top down."""

    rows: list[float] = field(default_factory=list)
    headings: list[tuple[float, str]] = field(default_factory=list)
    height: float = 0.0


def _places(headings: Sequence[str]) -> _Lines:
    lines, last = _Lines(), ""
    for heading in headings:
        if heading and heading != last:
            lines.height += _HEADING_HEIGHT
            lines.headings.append((-lines.height + 0.45, heading))
            last = heading
        lines.height += 1
        lines.rows.append(-lines.height + 0.5)
    return lines


def plot_height(headings: Sequence[str], *, line_height: float) -> float:
    """Height in inches that rows with these headings take, without axis and margins."""
    return _places(headings).height * line_height


def interval_plot(
    rows: Sequence[IntervalRow],
    axes: Axes,
    *,
    limits: Limits,
    xlabel: str,
    reference: float | None,
    ratio: bool,
    label_at: float = 0.01,
) -> Axes:
    """Medians and intervals in lines, names at the left and numbers at the right (a forest plot).

    Parameters
    ----------
    rows : sequence of IntervalRow
        Ratios, or shares where ``ratio`` is false.
    axes : Axes
        Names and numbers stand beside it, in the margins of its figure.
    limits : (low, high)
        Of the axis. Intervals that go further end in an arrow head at the edge.
    xlabel : str
        Quantity with its unit.
    reference : float or None
        Where a vertical line means no difference.
    ratio : bool
        A logarithmic axis of ratios, or a linear one of percentages.
    label_at : float
        Left edge of the names, as a share of the figure's width.

    Returns
    -------
    Axes
    """
    lines = _places([row.heading for row in rows])
    axes.set_xscale("log" if ratio else "linear")
    for row, y in zip(rows, lines.rows, strict=True):
        offsets = _offsets(len(row.marks))
        for mark, offset in zip(row.marks, offsets, strict=True):
            _draw_mark(axes, mark, y=y + offset, limits=limits)
    _write_names(axes, lines, [row.label for row in rows], label_at=label_at)
    beside = blended_transform_factory(axes.transAxes, axes.transData)
    for row, y in zip(rows, lines.rows, strict=True):
        axes.text(1.045, y, row.text, transform=beside, va="center", ha="left", fontsize=8)
    _finish(axes, lines, limits=limits, xlabel=xlabel, reference=reference)
    axes.xaxis.set_major_formatter(FuncFormatter(_ratio_tick if ratio else _percent_tick))
    if ratio:
        axes.xaxis.set_major_locator(FixedLocator(ratio_ticks(limits)))
        axes.xaxis.set_minor_locator(NullLocator())
    return axes


def _offsets(count: int) -> list[float]:
    return [0.0] if count == 1 else np.linspace(0.27, -0.27, count).tolist()


def _draw_mark(axes: Axes, mark: Mark, *, y: float, limits: Limits) -> None:
    look = LOOKS[mark.kind]
    if np.isnan(mark.lower):
        return
    low, high = max(mark.lower, limits[0]), min(mark.upper, limits[1])
    axes.plot([low, high], [y, y], color=look.colour, linewidth=1.5, solid_capstyle="butt")
    for cut, edge, head in ((mark.lower < limits[0], limits[0], "<"), (mark.upper > limits[1], limits[1], ">")):
        if cut:
            axes.plot([edge], [y], marker=head, color=look.colour, markersize=5.5, clip_on=False, gid="clipped")
    if limits[0] <= mark.median <= limits[1]:
        axes.plot([mark.median], [y], marker=look.marker, color=look.colour, markersize=4.8)


def _write_names(axes: Axes, lines: _Lines, labels: Sequence[str], *, label_at: float) -> None:
    beside = blended_transform_factory(axes.figure.transFigure, axes.transData)
    for y, heading in lines.headings:
        drawn = axes.text(label_at, y, heading, transform=beside, va="center", ha="left", fontweight="bold")
        drawn.set_bbox(_OVER_LINES)
    indent = 0.015 if lines.headings else 0.0
    for y, label in zip(lines.rows, labels, strict=True):
        axes.text(label_at + indent, y, wrapped(label, 28), transform=beside, va="center", ha="left", linespacing=1.1)


def wrapped(text: str, width: int) -> str:
    """Text broken into at most two lines of about a width in characters."""
    lines = textwrap.wrap(text, width=width, max_lines=2, placeholder=" …", break_long_words=True)
    return "\n".join(lines)


def _finish(axes: Axes, lines: _Lines, *, limits: Limits, xlabel: str, reference: float | None) -> None:
    axes.set_xlim(*limits)
    axes.set_ylim(-lines.height - 0.1, 0.1)
    axes.set_yticks([])
    axes.set_xlabel(xlabel)
    if reference is not None:
        axes.axvline(reference, color=SOFT, linewidth=1.0, zorder=0.5)


def ratio_ticks(limits: Limits, *, most: int = 7) -> list[float]:
    """Round ratios within limits, few enough to be read."""
    inside = [tick for tick in _RATIO_TICKS if limits[0] * 0.999 <= tick <= limits[1] * 1.001]
    if len(inside) <= most:
        return inside
    decades = [tick for tick in inside if round(np.log10(tick), 6) == round(np.log10(tick))]
    return decades if len(decades) >= 3 else inside[::2]


def _ratio_tick(value: float, _: object) -> str:
    return f"{value:g}"


def _percent_tick(value: float, _: object) -> str:
    return f"{100 * value:.0f}%".replace("-", MINUS)


def density_plot(curves: Sequence[Curve], axes: Axes, *, limits: Limits, title: str) -> Axes:
    """Prior, printed evidence and posterior over the hazard ratio, on a logarithmic axis.

    Parameters
    ----------
    curves : sequence of Curve
        The last one is filled: the posterior.
    axes : Axes
    limits : (low, high)
        Of the hazard ratio.
    title : str

    Returns
    -------
    Axes
    """
    for curve in curves:
        look = LOOKS[curve.kind]
        style = "--" if look.dashed else ":" if curve.kind == "printed" else "-"
        axes.plot(
            curve.hazard_ratio, curve.density, color=look.colour, linestyle=style, linewidth=1.5, label=curve.label
        )
        if curve is curves[-1]:
            axes.fill_between(curve.hazard_ratio, curve.density, color=look.colour, alpha=0.18, linewidth=0)
    axes.set_xscale("log")
    axes.set_xlim(*limits)
    axes.set_ylim(bottom=0)
    axes.set_yticks([])
    axes.xaxis.set_major_locator(FixedLocator(ratio_ticks(limits, most=10)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(_ratio_tick))
    axes.axvline(1, color=SOFT, linewidth=1.0, zorder=0.5)
    axes.set_title(title, loc="left", color=INK)
    axes.set_ylabel("density")
    return axes


def chance_plot(rows: Sequence[ChanceRow], axes: Axes, *, xlabel: str, clear: float, label_at: float = 0.01) -> Axes:
    """Probabilities as points on a strip from 0 to 1, one kind of prior per marker.

    Parameters
    ----------
    rows : sequence of ChanceRow
    axes : Axes
    xlabel : str
    clear : float
        Probability from which a direction counts as clear: a dotted line.
    label_at : float
        Left edge of the names, as a share of the figure's width.

    Returns
    -------
    Axes
    """
    lines = _places([row.heading for row in rows])
    for row, y in zip(rows, lines.rows, strict=True):
        axes.plot([0, 1], [y, y], color=GRID, linewidth=3, zorder=0.4, solid_capstyle="butt")
        for kind, chance in row.chances.items():
            look = LOOKS[kind]
            axes.plot([chance], [y], marker=look.marker, color=look.colour, markersize=5.2, clip_on=False, alpha=0.9)
    _write_names(axes, lines, [row.label for row in rows], label_at=label_at)
    _finish(axes, lines, limits=(0.0, 1.0), xlabel=xlabel, reference=0.5)
    axes.axvline(clear, color=SOFT, linewidth=1.0, linestyle=":", zorder=0.5)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1.0])
    return axes


def legend_of(kinds: Sequence[str], axes: Axes, *, words: Mapping[str, str] | None = None, above: float = 1.0) -> Axes:
    """Explain colours and markers above a plot.

    Parameters
    ----------
    kinds : sequence of str
        Keys of :data:`LOOKS`.
    axes : Axes
    words : mapping, optional
        Other words than those of the house style.
    above : float
        Lower edge of the legend in heights of the axes.
    """
    handles = [
        Line2D(
            [],
            [],
            color=LOOKS[kind].colour,
            marker=LOOKS[kind].marker or None,
            markersize=4.8,
            linestyle="--" if LOOKS[kind].dashed else "-",
            label=(words or {}).get(kind, LOOKS[kind].word),
        )
        for kind in kinds
    ]
    axes.figure.legend(handles=handles, loc="upper left", bbox_to_anchor=(0.0, above), ncols=2, columnspacing=1.2)
    return axes
