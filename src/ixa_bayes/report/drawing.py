"""From a matplotlib figure to files: deterministic SVG with alternative text, and PNG."""

import io
import re
from collections import Counter
from dataclasses import dataclass
from html import escape

from matplotlib.figure import Figure as MatplotlibFigure

from ixa_bayes.report.style import SIMULATED, stamp, watermark
from ixa_bayes.report.wording import EVIDENCE_LABELS

# Metadata that would change from run to run, or name a tool, is left out.
_NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))


@dataclass(frozen=True)
class Figure:
    """What a figure is about.

    Attributes
    ----------
    name : str
        File name without its ending; unique within a report.
    title : str
    alt : str
        What the figure shows, with its key numbers, for a reader who does not see it.
    caption : str
        How to read it.
    evidence_kind : str
        One of the five kinds.
    ledger_rows : tuple of str
        Printed statistics that it rests on.
    section : str
        Anchor of the section of the page it belongs to.
    """

    name: str
    title: str
    alt: str
    caption: str
    evidence_kind: str
    ledger_rows: tuple[str, ...]
    section: str


@dataclass(frozen=True)
class DrawnFigure:
    """A figure as files.

    Attributes
    ----------
    figure : Figure
    svg : str
        With title and description; ids are prefixed by the figure's name, so that several figures
        can stand in one page.
    png : bytes
    """

    figure: Figure
    svg: str
    png: bytes


def export(figure: Figure, drawing: MatplotlibFigure) -> DrawnFigure:
    """Stamp a drawing with its evidence kind and write it as SVG and PNG.

    Parameters
    ----------
    figure : Figure
    drawing : matplotlib.figure.Figure
        Made within :func:`ixa_bayes.report.style.house_style`, and exported within it too.

    Returns
    -------
    DrawnFigure
        The same bytes for the same numbers and versions.
    """
    stamp(drawing, EVIDENCE_LABELS[figure.evidence_kind])
    if figure.evidence_kind == SIMULATED:
        for axes in drawing.axes:
            watermark(axes)
    raster = io.BytesIO()
    drawing.savefig(raster, format="png", metadata={"Software": None})
    vector = io.StringIO()
    drawing.savefig(vector, format="svg", metadata=_NO_METADATA)
    return DrawnFigure(figure, accessible_svg(vector.getvalue(), figure), raster.getvalue())


def accessible_svg(svg: str, figure: Figure) -> str:
    """Add role, title and description to an SVG, and make its ids its own.

    Parameters
    ----------
    svg : str
        As matplotlib writes it.
    figure : Figure
        Its texts are escaped here.
    """
    prefix, times = f"{figure.name}-", Counter[str]()

    def own_id(found: re.Match[str]) -> str:
        times[found[1]] += 1
        again = f"-{times[found[1]]}" if times[found[1]] > 1 else ""  # a mark that several axes have
        return f'id="{prefix}{found[1]}{again}"'

    own = re.sub(r'\bid="([^"]*)"', own_id, svg)
    own = re.sub(r'(href="#|url\(#)', rf"\g<1>{prefix}", own)
    title, described = f"{prefix}title", f"{prefix}desc"
    opening = re.search(r"<svg\b[^>]*>", own)
    if opening is None:
        raise ValueError(f"figure {figure.name}: the drawing is no SVG")
    tag = opening[0][:-1] + f' role="img" aria-labelledby="{title} {described}">'
    texts = (
        f'\n <title id="{title}">{escape(figure.title)}</title>\n <desc id="{described}">{escape(figure.alt)}</desc>'
    )
    return own[: opening.start()] + tag + texts + own[opening.end() :]
