"""Figures of whether the model fits: the cohort beside cohorts that the model makes, and its calibration."""

from collections.abc import Iterator

import numpy as np
from matplotlib.figure import Figure as MatplotlibFigure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ixa_bayes.report.drawing import DrawnFigure, Figure, export
from ixa_bayes.report.effect_figures import WIDTH
from ixa_bayes.report.fit.checks import calibration_check, can_be_checked, predictive_check
from ixa_bayes.report.fit.curves import observed_steps, time_ticks
from ixa_bayes.report.fit.plots import calibration_plot, colour_of, predictive_plot
from ixa_bayes.report.fit.results import FitResults
from ixa_bayes.report.fit.words import FitWords
from ixa_bayes.report.style import INK
from ixa_bayes.report.wording import probability_text


def check_figures(results: FitResults) -> Iterator[DrawnFigure]:
    """Posterior predictive check and leave-one-out calibration, where they are possible; within the house style."""
    if can_be_checked(results.fit):
        yield _predictive(results)
        yield _calibration(results)


def _predictive(results: FitResults) -> DrawnFigure:
    fit, words = results.fit, FitWords(results.fit.question)
    ticks = time_ticks(fit)
    asked = fit.question.analysis.estimands.times
    grid = np.linspace(0.0, float(ticks[-1]), 97)
    check = predictive_check(fit, grid=grid, at=asked, seed=results.provenance.seed)
    time, survival = observed_steps(fit, kept_back=results.kept_back)
    drawing = MatplotlibFigure(figsize=(WIDTH, 3.2))
    axes = drawing.add_axes((0.11, 0.17, 0.86, 0.7))
    predictive_plot(check.band, axes, time=time, survival=survival, ticks=ticks)
    axes.set_ylabel(words.curve)
    axes.set_xlabel("months")
    handles = [
        Line2D([], [], color=INK, label="the cohort"),
        Patch(color=colour_of(0), alpha=0.25, label=f"95% of {check.n} cohorts that the model makes"),
    ]
    axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2)
    told = ", ".join(
        f"{probability_text(share, 0.05)} at {at:g} months" for at, share in check.above.items() if np.isfinite(share)
    )
    return export(
        Figure(
            "predictive_check",
            title="The cohort beside cohorts that the model makes",
            alt=f"Kaplan-Meier curve of the cohort over those of {check.n} cohorts that the model makes. Share of them "
            f"above the cohort's: {told or 'not known'}.",
            caption="Kaplan-Meier of the cohort over the Kaplan-Meier curves of cohorts drawn from the posterior: the "
            "same patients, entries and visits, and the same pattern of censoring, drawn in the same way. Where the "
            "step curve leaves the band, the model does not describe the time course. Share of "
            f"the replicated curves above the cohort's: {told or 'not known'}; near 0 or 1 is bad.",
            evidence_kind=fit.question.cohort.evidence_kind,
            ledger_rows=(),
            section="checks",
        ),
        drawing,
    )


def _calibration(results: FitResults) -> DrawnFigure:
    fit = results.fit
    check = calibration_check(fit)
    drawing = MatplotlibFigure(figsize=(WIDTH, 2.6))
    axes = drawing.add_axes((0.11, 0.2, 0.86, 0.72))
    calibration_plot(check.at, check.share - check.at, axes, band=(check.lower - check.at, check.upper - check.at))
    axes.set_xlabel("predicted probability of an event by the time it came")
    axes.set_ylabel("observed minus predicted")
    verdict = "stays within" if check.inside else "leaves"
    furthest = int(np.argmax(np.abs(check.share - check.at)))
    return export(
        Figure(
            "calibration",
            title="Calibration: each patient predicted from the others",
            alt=f"Difference between the observed and the predicted distribution; it {verdict} its 95% band. Largest "
            f"difference {check.share[furthest] - check.at[furthest]:+.2f} at {check.at[furthest]:.2f}.",
            caption="Leave-one-out probability integral transform. Among "
            "well-made predictions, half of the events come by the time at which the model put the probability at one "
            f"half, and so for every probability. The curve {verdict} the band in which all of it lies with 95% "
            "probability, or more, if the model is right. Censored patients are spread over what they leave open. If "
            "many are, the curve moves little, and a wrong time course can stay within the band; the "
            "comparison with Kaplan-Meier is then the sharper check.",
            evidence_kind=fit.question.cohort.evidence_kind,
            ledger_rows=(),
            section="checks",
        ),
        drawing,
    )
