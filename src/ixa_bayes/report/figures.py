"""Every figure of a report, in the order of its sections."""

from ixa_bayes.report.drawing import DrawnFigure, Figure
from ixa_bayes.report.effect_figures import hazard_ratio_figures
from ixa_bayes.report.response_figures import response_figures
from ixa_bayes.report.results import Results
from ixa_bayes.report.style import house_style

__all__ = ["DrawnFigure", "Figure", "draw_all"]


def draw_all(results: Results) -> list[DrawnFigure]:
    """Draw every figure that the results support.

    Parameters
    ----------
    results : Results

    Returns
    -------
    list of DrawnFigure
        SVG text and PNG bytes with title, alternative text, caption, kind of evidence and ledger
        rows; the same bytes for the same results. A table without rows has no figure.
    """
    with house_style():
        return [*hazard_ratio_figures(results), *response_figures(results)]
