"""The report on a fit: one self-contained HTML page, readable without scripts, without a network and on paper."""

from collections.abc import Sequence
from typing import Final

import pandas as pd

from ixa_bayes.cohort.summary import shown_counts
from ixa_bayes.inference.survival.attempts import attempts_of
from ixa_bayes.models.survival_analysis import PiecewiseBaseline
from ixa_bayes.report.display import DisplayTable, Ledger
from ixa_bayes.report.drawing import DrawnFigure
from ixa_bayes.report.fit import crosscheck_tables as other_methods
from ixa_bayes.report.fit import tables as fit_tables
from ixa_bayes.report.fit.extrapolation import entries
from ixa_bayes.report.fit.over_time import changing_factors, over_time_table
from ixa_bayes.report.fit.results import FitResults, allowed_divergent_share
from ixa_bayes.report.fit.sensitivity import sensitivity_table, sensitivity_words
from ixa_bayes.report.fit.summary import TO_CONVERGE, fit_findings, unknown_counts
from ixa_bayes.report.fit.words import CLEAR, LEANS, FitWords, attempts_words
from ixa_bayes.report.rendering import environment, inline
from ixa_bayes.report.style import SIMULATED
from ixa_bayes.report.wording import EVIDENCE_LABELS, EVIDENCE_MEANING, number_text

TEMPLATE: Final = "fit.html.j2"
SECTIONS: Final = ("hazard-ratios", "over-time", "survival", "other-methods", "priors", "checks")
_NO_PRINT: Final = ["location", "reading", "factor"]


def render_fit_page(results: FitResults, figures: Sequence[DrawnFigure]) -> str:
    """Render the report on a fit.

    Parameters
    ----------
    results : FitResults
    figures : sequence of DrawnFigure
        As :func:`ixa_bayes.report.fit.figures.draw_fit` returns them; each stands in the section that it names.

    Returns
    -------
    str
        HTML, complete: styles and pictures are inside, nothing is fetched. No row of a patient is in it.

    References
    ----------
    The methods section follows the Bayesian Analysis Reporting Guidelines: Kruschke (2021), Nature
    Human Behaviour 5:1282.
    """
    question, ledger = results.fit.question, Ledger(pd.DataFrame(columns=_NO_PRINT))
    words, entered = FitWords(question), entries(results.fit)
    evidence = question.cohort.evidence_kind
    diagnostics = results.diagnostics.set_index("measure")["value"]
    shortened = question.design.n_shortened
    competing = question.cohort.follow_up[question.analysis.endpoint].attrs
    return (
        environment(ledger)
        .get_template(TEMPLATE)
        .render(
            analysis=question.analysis,
            cohort=question.cohort.name,
            endpoint=words.endpoint,
            event_free=words.event_free,
            above_1=words.above_1,
            reference_profile=words.reference_profile(),
            n=fit_tables.total_of(results.patients["n"].iloc[0]),
            n_events=fit_tables.all_events(results),
            n_lost=fit_tables.total_of(results.patients["n_missing"].iloc[0]),
            any_lost=question.design.n_lost > 0,
            n_shortened=shown_counts([shortened], kept_back=results.kept_back)[0] if shortened else "",
            unknown=unknown_counts(results),
            evidence=EVIDENCE_LABELS[evidence],
            evidence_meaning=EVIDENCE_MEANING[evidence],
            simulated=evidence == SIMULATED,
            kept_back=results.kept_back,
            verdict=results.fit.convergence,
            findings=fit_findings(results),
            to_converge=TO_CONVERGE,
            situations=results.situations,
            of_complete_cases=other_methods.of_complete_cases(results),
            notes=other_methods.crosscheck_notes(results),
            tables=_tables(results),
            figures={
                section: [inline(f, ledger) for f in figures if f.figure.section == section] for section in SECTIONS
            },
            provenance=results.provenance,
            diagnostics=diagnostics,
            number_text=number_text,
            sensitivity=sensitivity_words(results),
            own_event=competing.get("own_event", ""),
            competing_event=competing.get("competing_event", ""),
            competing_counts=competing.get("competing_counts_as") == "event",
            attempts=attempts_words(attempts_of(results.fit.posterior)),
            divergent_share=allowed_divergent_share(results.fit),
            piecewise=isinstance(question.analysis.baseline, PiecewiseBaseline),
            changing=changing_factors(results),
            cuts=[f"{cut:g}" for cut in question.cuts],
            between=bool(question.rows.between.any()),
            late_entry=bool((entered > 0).any()),
            nobody_early=bool((entered > 0).all()),
            clear=f"{CLEAR:g}",
            leans=f"{LEANS:g}",
        )
    )


def _tables(results: FitResults) -> dict[str, DisplayTable | None]:
    """Every table of the page, by the name the template knows; None where there is nothing of its kind to say."""
    return {
        "hazard_ratios": fit_tables.hazard_ratio_table(results),
        "over_time": over_time_table(results),
        "standardised": fit_tables.standardised_table(results),
        "differences": fit_tables.difference_table(results),
        "kaplan_meier": other_methods.kaplan_meier_table(results),
        "crosscheck": other_methods.crosscheck_ratio_table(results),
        "incidence": other_methods.incidence_table(results),
        "tests": other_methods.tests_table(results),
        "patients": fit_tables.patient_table(results),
        "priors": fit_tables.prior_table(results),
        "implied": fit_tables.implied_table(results),
        "sensitivity": sensitivity_table(results),
        "diagnostics": fit_tables.diagnostics_table(results),
    }
