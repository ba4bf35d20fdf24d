"""The report: one self-contained HTML page, readable without scripts, without a network and on paper."""

from collections.abc import Sequence
from typing import Final

import pandas as pd

from ixa_bayes.report import (
    audit_tables,
    credibility_tables,
    effect_tables,
    extraction_tables,
    response_tables,
    study_tables,
)
from ixa_bayes.report.display import DisplayTable, Ledger
from ixa_bayes.report.drawing import DrawnFigure
from ixa_bayes.report.rendering import environment, inline
from ixa_bayes.report.response_contrasts import CLEAR
from ixa_bayes.report.results import Results
from ixa_bayes.report.summary import CLEAR_UNDER_SCEPTICAL, CLEAR_UNDER_WEAK, summary_findings
from ixa_bayes.report.wording import EVIDENCE_LABELS, EVIDENCE_MEANING, Labels, probability_text, ratio_text

TEMPLATE: Final = "page.html.j2"
SECTIONS: Final = ("hazard-ratios", "response")


def render_page(results: Results, figures: Sequence[DrawnFigure]) -> str:
    """Render the report.

    Parameters
    ----------
    results : Results
    figures : sequence of DrawnFigure
        As :func:`ixa_bayes.report.figures.draw_all` returns them; each stands in the section that
        it names.

    Returns
    -------
    str
        HTML, complete: styles and pictures are inside, nothing is fetched.

    References
    ----------
    The methods section follows the Bayesian Analysis Reporting Guidelines: Kruschke (2021), Nature
    Human Behaviour 5:1282.
    """
    definition = results.study.definition
    ledger = Ledger(results.study.statistics)
    return (
        environment(ledger)
        .get_template(TEMPLATE)
        .render(
            study=definition,
            main_label=Labels(definition).population(definition.main_population),
            findings=summary_findings(results),
            tables=_tables(results, ledger),
            rate_tables=_rate_tables(results, ledger),
            figures={
                section: [inline(f, ledger) for f in figures if f.figure.section == section] for section in SECTIONS
            },
            evidence=_evidence_in(results),
            provenance=results.provenance,
            analysis=results.effect_analysis,
            rate_analyses=results.response_analyses,
            sampled=not results.diagnostics.empty,
            input_hash=results.study.input_hash,
            n_statistics=len(results.study.statistics),
            conflicts=effect_tables.has_conflicts(results.hazard_ratios),
            widest_spread=extraction_tables.widest_spread(results.extraction),
            driven_by_prior=bool(results.hazard_ratios["driven_by_prior"].any()),
            open_limit=bool(
                (results.hazard_ratios["open_limit"].ne("") & ~results.hazard_ratios["driven_by_prior"]).any()
            ),
            touches_one=bool(not results.credibility.empty and results.credibility["touches_one"].any()),
            clear=probability_text(CLEAR),
            clear_under_weak=probability_text(CLEAR_UNDER_WEAK),
            clear_under_sceptical=probability_text(CLEAR_UNDER_SCEPTICAL),
            ratio_text=ratio_text,
        )
    )


def _tables(results: Results, ledger: Ledger) -> dict[str, DisplayTable]:
    """Every table of the page but those of response, by the name the template knows."""
    study, labels = results.study, Labels(results.study.definition)
    return {
        "whole": study_tables.whole_population(study, labels, ledger),
        "comparisons": study_tables.comparisons(study, labels, ledger),
        "audit": audit_tables.audit_table(results.audit, ledger),
        "implied": audit_tables.implied_table(results.audit, ledger),
        "unchecked": audit_tables.unchecked_table(results.audit, ledger),
        "adjudications": study_tables.adjudications_table(study, labels, ledger),
        "limits": study_tables.limits_table(study),
        "unknowns": study_tables.unknowns_table(study),
        "ledger": study_tables.ledger_table(study, labels),
        "hazard_ratios": effect_tables.hazard_ratio_table(results.hazard_ratios, labels, ledger),
        "credibility": credibility_tables.credibility_table(results.credibility, labels, ledger),
        "not_extractable": effect_tables.not_extractable_table(results.not_extractable, labels, ledger),
        "literature": effect_tables.literature_table(results.literature, labels, ledger),
        "priors": effect_tables.prior_table(results.hazard_ratios, ledger),
        "rate_priors": response_tables.rate_prior_table(
            results.response_priors, results.response_analyses, labels, ledger
        ),
        "counts": response_tables.counts_table(results.response_counts, labels, ledger),
        "calibration": effect_tables.calibration_table(results.calibration, labels, ledger),
        "extraction": extraction_tables.extraction_table(results.extraction, labels, ledger),
        "diagnostics": response_tables.diagnostics_table(results.diagnostics, ledger),
    }


def _rate_tables(results: Results, ledger: Ledger) -> list[tuple[str, list[DisplayTable]]]:
    """Rates and contrasts of each response analysis, under its title."""
    labels = Labels(results.study.definition)
    found = []
    for analysis in results.response_analyses:
        endpoints = analysis.endpoints_of(results.study.definition)
        title = analysis.title_in(results.study.definition)
        rates = results.response[results.response["endpoint"].isin(endpoints)]
        contrasts = results.response_contrast[results.response_contrast["endpoint"].isin(endpoints)]
        tables = [
            response_tables.rate_table(
                rates, labels, ledger, anchor=f"table-rates-{analysis.name}", caption=f"{title}: rates"
            ),
            response_tables.contrast_table(
                contrasts,
                labels,
                ledger,
                anchor=f"table-contrasts-{analysis.name}",
                caption=f"{title}: one group against another",
            ),
        ]
        found.append((title, tables))
    return found


def _evidence_in(results: Results) -> list[tuple[str, str]]:
    """Kinds of evidence that the report rests on, each with what it means."""
    frames = (results.hazard_ratios, results.response, results.audit, results.not_extractable)
    kinds = pd.concat([frame["evidence_kind"] for frame in frames if not frame.empty] or [pd.Series(dtype=str)])
    return [(EVIDENCE_LABELS[kind], EVIDENCE_MEANING[kind]) for kind in dict.fromkeys(kinds)]
