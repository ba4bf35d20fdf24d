"""The house style of every figure: colours safe for the colour-blind, units on axes, the evidence kind in sight."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MatplotlibFigure

INK: Final = "#1b1f24"
SOFT: Final = "#57606a"
GRID: Final = "#d5dae0"
SIMULATED: Final = "simulated"

_RC: Final = {
    "font.family": "sans-serif",
    # Verdana is as wide as DejaVu Sans, so text that a reader's own fonts draw keeps within its place.
    "font.sans-serif": ["DejaVu Sans", "Verdana", "sans-serif"],
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.labelsize": 8.5,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "x",
    "axes.unicode_minus": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "text.parse_math": False,  # a dollar sign in a label is a dollar sign
    "xtick.color": SOFT,
    "ytick.color": INK,
    "ytick.left": False,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "figure.facecolor": "white",
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "svg.fonttype": "none",
    "svg.hashsalt": "ixa_bayes",
}


@dataclass(frozen=True)
class Look:
    """Colour and marker of one kind of estimate; never told apart by colour alone."""

    colour: str
    marker: str
    word: str
    dashed: bool = False


# The palette of Okabe & Ito (2008), which readers with any common colour blindness can tell apart.
LOOKS: Final[Mapping[str, Look]] = {
    "printed": Look("#000000", "s", "as printed"),
    "neutral": Look("#0072B2", "o", "prior of no effect (sceptical)"),
    "optimistic": Look("#D55E00", "^", "prior of the stated effect"),
    "pessimistic": Look("#009E73", "v", "prior of the opposite effect"),
    "other": Look("#CC79A7", "D", "other prior"),
    "prior": Look("#56B4E9", "", "prior", dashed=True),
    "raw": Look("#000000", "s", "raw rate, 95% Clopper-Pearson"),
    "alone": Look("#E69F00", "^", "group alone, uniform prior"),
    "pooled": Look("#0072B2", "o", "groups inform each other"),
    "literature": Look("#009E73", "D", "another study"),
}


@contextmanager
def house_style() -> Iterator[None]:
    """Matplotlib set up in the house style, and as it was afterwards."""
    with mpl.rc_context():
        mpl.rcParams.update(_RC)  # type: ignore[arg-type]  # matplotlib lists every key as a literal
        yield


def stamp(figure: MatplotlibFigure, evidence: str) -> None:
    """Write the kind of evidence at the foot of a figure."""
    figure.text(0.995, 0.004, f"Evidence: {evidence}", ha="right", va="bottom", fontsize=6.5, color=SOFT)


def watermark(axes: Axes) -> Axes:
    """Mark axes whose numbers come from simulated patients, in letters that fit them."""
    box = axes.get_window_extent()
    inches = min(box.height, box.width / 3) / axes.figure.dpi
    axes.text(
        0.5,
        0.5,
        "SIMULATED",
        transform=axes.transAxes,
        ha="center",
        va="center",
        rotation=25,
        fontsize=min(30.0, max(8.0, 18 * inches)),
        color="#a40000",
        alpha=0.18,
        zorder=0,
        gid="watermark",
    )
    return axes
