"""Kinds of plot in a report on a fit: each takes numbers that were computed before, and returns its Axes."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from matplotlib.transforms import blended_transform_factory
from numpy.typing import NDArray

from ixa_bayes.report.fit.curves import Band, GroupCurve
from ixa_bayes.report.plots import ratio_ticks
from ixa_bayes.report.style import GRID, INK, SOFT

FloatArray = NDArray[np.float64]

# The palette of Okabe & Ito (2008), as in the house style; dashes tell groups apart without colour.
COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES: Final = ("-", "--", "-.", ":")
AT_RISK_LINE: Final = 0.15
"""Inches from one line of the table of patients at risk to the next."""
SHORT_LABEL: Final = 9
"""Letters up to which the label of a line of that table fits in the margin; longer ones have a line of their own."""
PALE: Final = 0.4
"""Strength of a model's curve and band where no patient was followed, relative to where some were."""
OVER_TIME_LABEL: Final = "posterior, with 95% band"
CONSTANT_LABEL: Final = "Cox, the same at all times"


def colour_of(position: int) -> str:
    """Colour of the group (or chain) at a position."""
    return COLOURS[position % len(COLOURS)]


def survival_plot(groups: Sequence[GroupCurve], axes: Axes, *, labels: Sequence[str], ticks: FloatArray) -> Axes:
    """Kaplan-Meier steps with the model's curve and band over them.

    Parameters
    ----------
    groups : sequence of GroupCurve
    axes : Axes
    labels : sequence of str
        Name of each group in the legend; empty for none.
    ticks : ndarray
        Months.

    Returns
    -------
    Axes
    """
    alone = len(groups) == 1
    for position, (group, label) in enumerate(zip(groups, labels, strict=True)):
        model, seen = colour_of(position), INK if alone else colour_of(position)
        dash = "-" if alone else DASHES[position % len(DASHES)]
        _model_curve(group.model, axes, colour=model, linewidth=1.0, linestyle=dash)
        axes.step(
            group.time, group.survival, where="post", color=seen, linewidth=1.5, linestyle=dash, zorder=3, label=label
        )
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_locator(FixedLocator([0, 0.25, 0.5, 0.75, 1]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f}%"))
    return time_axis(axes, ticks)


def _model_curve(band: Band, axes: Axes, *, colour: str, linewidth: float, linestyle: str = "-") -> None:
    """A curve of the model with its band, both paler beyond the months to which patients were followed."""
    within = int(np.searchsorted(band.time, band.followed, side="right"))
    beyond = slice(max(within - 1, 0), None)
    for part, strength in ((slice(within), 1.0), (beyond, PALE)):
        time = band.time[part]
        if time.size < 2:
            continue
        axes.fill_between(
            time, band.lower[part], band.upper[part], color=colour, alpha=0.18 * strength, linewidth=0, zorder=1
        )
        axes.plot(
            time, band.median[part], color=colour, alpha=strength, linewidth=linewidth, linestyle=linestyle, zorder=2
        )


def time_axis(axes: Axes, ticks: FloatArray) -> Axes:
    """An axis of months with a light grid both ways."""
    axes.set_xlim(0, float(ticks[-1]))
    axes.xaxis.set_major_locator(FixedLocator(ticks.tolist()))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.grid(True, axis="y", color=GRID, linewidth=0.6)
    return axes


def at_risk_lines(labels: Sequence[str]) -> int:
    """Lines that a table of patients at risk needs below its heading."""
    return len(labels) * (2 if has_long(labels) else 1)


def has_long(labels: Sequence[str]) -> bool:
    """Whether the labels of a table of patients at risk stand on lines of their own, where they serve as a legend."""
    return any(len(label) > SHORT_LABEL for label in labels)


def at_risk_table(
    groups: Sequence[GroupCurve], axes: Axes, *, labels: Sequence[str], ticks: FloatArray, below: float = 0.5
) -> Axes:
    """Patients at risk under the axis of a survival plot, a line per group; two where the labels are long.

    Parameters
    ----------
    groups : sequence of GroupCurve
    axes : Axes
        Its figure needs room of :data:`AT_RISK_LINE` inches for each of the :func:`at_risk_lines`.
    labels : sequence of str
        Names of the groups, at the left or, where any is long, above their numbers and with a sample of their line.
    ticks : ndarray
    below : float
        Inches between the axis and the heading of the table.

    Returns
    -------
    Axes
    """
    height = axes.get_window_extent().height / axes.figure.dpi
    under = blended_transform_factory(axes.transData, axes.transAxes)
    first = -below / height
    axes.text(0, first, "At risk", transform=axes.transAxes, fontsize=7, color=SOFT, va="center", ha="left")
    step, above = AT_RISK_LINE / height, has_long(labels)
    for position, (group, label) in enumerate(zip(groups, labels, strict=True)):
        y = first - step * ((2 if above else 1) * (position + 1))
        colour = INK if len(groups) == 1 else colour_of(position)
        place, side = ((0.11, y + step), "left") if above else ((-0.03, y), "right")
        if above:
            dash = "-" if len(groups) == 1 else DASHES[position % len(DASHES)]
            (sample,) = axes.plot([0.0, 0.09], [y + step] * 2, color=colour, linestyle=dash, transform=axes.transAxes)
            sample.set_clip_on(False)
        axes.text(*place, label, transform=axes.transAxes, fontsize=7, color=colour, va="center", ha=side)
        for tick, count in zip(ticks.tolist(), group.at_risk, strict=True):
            side = "left" if tick == 0 else "center"
            shown = "–" if count == "not shown" else count
            axes.text(tick, y, shown, transform=under, fontsize=7, color=INK, va="center", ha=side)
    return axes


def hazard_plot(band: Band, axes: Axes, *, ticks: FloatArray) -> Axes:
    """Hazard over time with its band.

    Returns
    -------
    Axes
    """
    _model_curve(band, axes, colour=colour_of(0), linewidth=1.4)
    axes.set_ylim(0, 1.05 * float(np.quantile(band.upper, 0.97)))
    return time_axis(axes, ticks)


def ratio_over_time_plot(
    band: Band, axes: Axes, *, constant: float, ticks: FloatArray, limits: tuple[float, float]
) -> Axes:
    """A hazard ratio over time with its band, beside the same ratio taken as constant.

    Parameters
    ----------
    band : Band
        On both sides of every cut-point.
    axes : Axes
    constant : float
        NaN for none.
    ticks : ndarray
        Months.
    limits : (low, high)
        Of the hazard ratio.

    Returns
    -------
    Axes
    """
    _model_curve(band, axes, colour=colour_of(0), linewidth=1.6)
    axes.plot([], [], color=colour_of(0), linewidth=1.6, label=OVER_TIME_LABEL)
    if np.isfinite(constant):
        axes.axhline(constant, color=INK, linewidth=1.1, linestyle="--", label=CONSTANT_LABEL)
    axes.set_yscale("log")
    axes.set_ylim(*limits)
    axes.yaxis.set_major_locator(FixedLocator(ratio_ticks(limits)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.axhline(1, color=SOFT, linewidth=0.8, zorder=0.5)
    return time_axis(axes, ticks)


def trace_plot(draws: FloatArray, axes: Axes, *, title: str) -> Axes:
    """Draws in their order, a line per chain.

    Parameters
    ----------
    draws : ndarray, shape (chain, draw)
    axes : Axes
    title : str

    Returns
    -------
    Axes
    """
    for chain, values in enumerate(draws):
        axes.plot(values, color=colour_of(chain), linewidth=0.5, alpha=0.8)
    axes.set_title(title, loc="left", color=INK, fontsize=7.5)
    axes.set_xticks([])
    return axes


def rank_plot(counts: NDArray[np.int64], axes: Axes, *, expected: tuple[float, float]) -> Axes:
    """How often each chain's draws fall into each slice of the ranks of all draws.

    Parameters
    ----------
    counts : ndarray, shape (chain, slice)
    axes : Axes
    expected : (float, float)
        Between which nearly all counts lie if the chains agree.

    Returns
    -------
    Axes
    """
    edges = np.arange(counts.shape[1] + 1)
    axes.axhspan(*expected, color=GRID, alpha=0.6, linewidth=0)
    for chain, values in enumerate(counts):
        axes.stairs(values, edges, color=colour_of(chain), linewidth=0.9)
    axes.set_ylim(0, 2.2 * float(counts.mean()))
    axes.set_xticks([])
    axes.set_yticks([])
    return axes


def predictive_plot(band: Band, axes: Axes, *, time: FloatArray, survival: FloatArray, ticks: FloatArray) -> Axes:
    """Steps that were seen over the band of steps that a model makes.

    Returns
    -------
    Axes
    """
    axes.fill_between(
        band.time, band.lower, band.upper, color=colour_of(0), alpha=0.25, linewidth=0, step="post", zorder=1
    )
    axes.step(time, survival, where="post", color=INK, linewidth=1.5, zorder=3)
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_locator(FixedLocator([0, 0.25, 0.5, 0.75, 1]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f}%"))
    return time_axis(axes, ticks)


def calibration_plot(
    at: FloatArray, difference: FloatArray, axes: Axes, *, band: tuple[FloatArray, FloatArray]
) -> Axes:
    """Difference of two distribution functions, with the band in which it should lie.

    Returns
    -------
    Axes
    """
    axes.fill_between(at, *band, color=GRID, alpha=0.6, linewidth=0, zorder=1)
    axes.axhline(0, color=SOFT, linewidth=0.8)
    axes.plot(at, difference, color=colour_of(0), linewidth=1.4, zorder=2)
    axes.set_xlim(0, 1)
    axes.grid(True, axis="y", color=GRID, linewidth=0.6)
    return axes
