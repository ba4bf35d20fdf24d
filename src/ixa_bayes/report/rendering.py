"""How every page is rendered: templates that escape what they show, and figures placed inside the page."""

import jinja2
from markupsafe import Markup

from ixa_bayes.report.display import Ledger, parted
from ixa_bayes.report.drawing import DrawnFigure
from ixa_bayes.report.wording import EVIDENCE_LABELS, count_text


def environment(ledger: Ledger) -> jinja2.Environment:
    """Templates of the package, in which a name of a ledger row becomes a link to it.

    Parameters
    ----------
    ledger : Ledger
        Without rows for a page that rests on no print.
    """
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("ixa_bayes.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["prose"] = ledger.prose
    templates.filters["parted"] = parted
    templates.globals["count_text"] = count_text
    return templates


def inline(drawn: DrawnFigure, ledger: Ledger) -> dict[str, object]:
    """A figure for the page: SVG from our own drawing code, with its texts escaped there."""
    return {
        "figure": drawn.figure,
        "svg": Markup(drawn.svg[drawn.svg.index("<svg") :]),  # noqa: S704  # drawn by us; texts are escaped in it
        "evidence": EVIDENCE_LABELS[drawn.figure.evidence_kind],
        "links": ledger.links(";".join(drawn.figure.ledger_rows)),
    }
