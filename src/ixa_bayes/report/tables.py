"""The result tables as files: CSV with every column explained beside them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pandas as pd

from ixa_bayes.inference.effect_rows import EVIDENCE_KIND
from ixa_bayes.inference.response_rows import CONTRAST_COLUMNS, RESPONSE_COLUMNS
from ixa_bayes.report.results import Results
from ixa_bayes.report.wording import count_text
from ixa_bayes.study.audit import AUDIT_COLUMNS

COLUMNS: Final[Mapping[str, str]] = {
    **AUDIT_COLUMNS,
    **RESPONSE_COLUMNS,
    **CONTRAST_COLUMNS,
    "endpoint": "endpoint of study.toml",
    "population": "population of study.toml",
    "factor": "factor of study.toml; empty for the whole population",
    "level": "level of the factor",
    "comparator": "level it is compared with",
    "source": "where the effect comes from: a printed multivariable or univariable ratio, or a log-rank p value",
    "prior": "name of the prior; `flat` is the evidence alone",
    "model": "conjugate (each group alone) or hierarchical (groups inform each other)",
    "hr_median": "posterior median of the hazard ratio; above 1 means a worse outcome",
    "hr_q025": "lower end of the 95% equal-tailed interval of the hazard ratio",
    "hr_q975": "upper end of the 95% equal-tailed interval of the hazard ratio",
    "p_practically_equal": "probability that the hazard ratio is practically 1 (range in the model file)",
    "prior_mean": "mean of the normal prior on the log hazard ratio",
    "prior_sd": "its standard deviation",
    "prior_source": "where the prior comes from",
    "log_hr": "estimated log hazard ratio before any prior",
    "log_hr_se": "its standard error",
    "open_limit": "lower or upper: the limit that the print leaves open, so that it comes from the prior; else empty",
    "driven_by_prior": "whether median and far limit are the prior's, because p is printed as below a bound",
    "levels": "levels of the factor that the table holds",
    "note": "what a reader must know about the counts",
    "literature_prior": "prior from other studies, or none",
    "regimen": "treatment that a literature prior belongs to",
    "meaning": "the belief in words",
    "a": "first parameter of the Beta distribution",
    "b": "second parameter of the Beta distribution",
    "studies": "the counts of the studies behind a literature prior, with what the literature notes of each",
    "patients": "number of patients that the prior is worth",
    "p_above_half": "prior probability that the rate exceeds one half",
    "hr_bound": "for p printed as below a bound: 97.5% bound of the hazard ratio nearest to 1",
    "prior_conflict_p": "prior-data conflict: two-sided prior predictive p of the estimate (Box 1980)",
    "n_level": "patients with the level",
    "n_comparator": "patients with the comparator",
    "n_events": "events in both groups",
    "formula_hr": "hazard ratio by the formula that holds at a hazard ratio of 1",
    "formula_information": "its information (inverse variance of the log hazard ratio), d R C / (R + C)^2",
    "censoring": "design of the simulation: at_end (follow-up stops at the last event) or throughout",
    "calibrated_hr": "hazard ratio whose simulated log-rank z is, on average, the printed one",
    "calibrated_information": "information about the log hazard ratio there",
    "log_hr_mcse": "Monte Carlo standard error of the log hazard ratio; 0 where nothing was simulated",
    "information_mcse": "Monte Carlo standard error of the calibrated information",
    "replicates": "simulated cohorts",
    "route": "how the hazard ratio was read: from an interval, a p value, by simulation, or as the ratio of medians",
    "lower": "lower end of the 95% interval of the hazard ratio, exp(log_hr - 1.96 se)",
    "upper": "upper end of the 95% interval of the hazard ratio, exp(log_hr + 1.96 se)",
    "se": "standard error of the log hazard ratio",
    "se_lowest": "smallest standard error that the printed digits allow; empty where it does not come from them",
    "se_highest": "largest standard error that the printed digits allow; empty where it does not come from them",
    "hr_spread": "largest over smallest hazard ratio of the routes of one print, the ratio of medians left out",
    "se_spread": "largest over smallest standard error of the routes of one print, the ratio of medians left out",
    "se_mcse": "Monte Carlo standard error of se; 0 where nothing was simulated",
    "applicable": "whether the print allows the route",
    "why_not": "why it does not",
    "assumptions": "what the route takes for granted",
    "study_id": "short name of the other study",
    "citation": "the other study",
    "doi": "its digital object identifier, as far as seen",
    "literature_population": "whom the other study treated",
    "definition": "how the other study defines the factor",
    "adjusted": "univariable or multivariable",
    "hr": "hazard ratio as read by a route, or of another study; above 1 means a worse outcome",
    "lower95": "lower end of its 95% confidence interval",
    "upper95": "upper end of its 95% confidence interval",
    "may_inform_prior": "whether the row is one of the independent rows that may enter a prior",
    "independent_rows": "how many such rows exist for the factor and endpoint",
    "rows_needed": "how many the model file asks for",
    "fit": "name of the fit; its posterior is posterior/NAME.nc",
    "reasons": "why a fit counts as not converged",
    "largest_rhat": "largest R-hat over all parameters",
    "least_ess_bulk": "smallest bulk effective sample size",
    "least_ess_tail": "smallest tail effective sample size",
    "e_bfmi": "smallest energy Bayesian fraction of missing information of the chains",
    "divergent_share": "share of divergent transitions",
    "seed": "seed of the fit",
    "sampler": "sampler that drew the posterior",
    "missing": "what the paper would have to print",
    "ledger_rows": "ids of the printed statistics that the number rests on",
    "evidence_kind": "what the number rests on: published_effect is printed statistics only",
    "significant": "whether the printed interval excludes 1",
    "touches_one": "whether rounding of the printed limits decides that",
    "scepticism_limit_hr": "a sceptic whose 95% prior range ends here or nearer to 1 stays unconvinced",
    "scepticism_limit_hr_lowest": "the same at the one end of the rounding of the printed limits",
    "scepticism_limit_hr_highest": "the same at the other end",
    "critical_prior_sd": "standard deviation of that sceptic's prior on the log hazard ratio",
    "advocacy_limit_hr_nearest": "not significant: end of the prior range an advocate must hold, nearest to 1",
    "advocacy_limit_hr_furthest": "the same, furthest",
    "p_intrinsic": "p value for intrinsic credibility (Held 2019)",
    "intrinsically_credible": "whether p_intrinsic is at most 0.05",
    "credible_by_matthews": "whether the estimate exceeds the scepticism limit (Matthews 2018)",
    "box_p_conflict": "prior-data conflict under the critical prior (Box 1980)",
}


def tables_of(results: Results) -> dict[str, pd.DataFrame]:
    """The tables of a reanalysis by file name without its ending, each with its kind of evidence."""
    tables = {
        "audit": results.audit,
        "response": results.response,
        "response_contrast": results.response_contrast,
        "response_counts": results.response_counts,
        "response_priors": results.response_priors,
        "hazard_ratios": results.hazard_ratios,
        "credibility": results.credibility,
        "calibration": results.calibration,
        "extraction": results.extraction,
        "not_extractable": results.not_extractable,
        "literature": results.literature,
        "diagnostics": results.diagnostics,
    }
    return {name: _with_evidence(table) for name, table in tables.items()}


def _with_evidence(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the two columns that every table has; without a ledger row it rests on none."""
    lacking = {
        name: value for name, value in (("ledger_rows", ""), ("evidence_kind", EVIDENCE_KIND)) if name not in table
    }
    return table.assign(**lacking)


def explain(column: str) -> str:
    """One line on a column of any result table.

    Raises
    ------
    KeyError
        If the column has no explanation: a table must not carry a column that its reader cannot look up.
    """
    if column in COLUMNS:
        return COLUMNS[column]
    if column.startswith("mcse_"):
        return f"Monte Carlo standard error of {column.removeprefix('mcse_')}; 0 where nothing was simulated"
    if column.startswith("p_gt_"):
        return f"probability that the hazard ratio exceeds {column.removeprefix('p_gt_').replace('_', '.')}"
    raise KeyError(f"column {column!r} of a result table is not explained in report/tables.py")


def write_tables(results: Results, folder: Path) -> list[Path]:
    """Write every table as CSV, and a README.md that explains each column.

    Returns
    -------
    list of Path
        The CSV files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, table in tables_of(results).items():
        path = folder / f"{name}.csv"
        table.to_csv(path, index=False, lineterminator="\n")
        paths.append(path)
    (folder / "README.md").write_text(_readme(results), encoding="utf-8")
    return paths


def _readme(results: Results) -> str:
    lines = [f"# Tables of the reanalysis of {results.study.definition.title}", ""]
    for name, table in tables_of(results).items():
        lines += [f"## {name}.csv", "", f"{count_text(len(table), 'row')}.", "", "| column | meaning |", "|---|---|"]
        lines += [f"| `{column}` | {explain(str(column))} |" for column in table.columns]
        lines.append("")
    return "\n".join(lines)
