"""Response rates and their contrasts, worded for the page."""

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import pandas as pd

from ixa_bayes.models.response_analysis import ResponseAnalysis
from ixa_bayes.report.display import (
    Column,
    DisplayRow,
    DisplayTable,
    Ledger,
    digits_of,
    display_table,
    evidence_words,
    median_interval,
    records_of,
    table_of_rows,
)
from ixa_bayes.report.wording import (
    Labels,
    interval_text,
    number_text,
    p_text,
    percent_text,
    points_text,
    probability_text,
    ratio_text,
)
from ixa_bayes.study.definition import StudyDefinition

ALONE: Final = "beta_binomial"
POOLED: Final = "hierarchical_binomial"
MODEL_WORDS: Final = {
    ALONE: "each group alone",
    POOLED: "groups inform each other",
}
RATE_PRIOR_WORDS: Final = {"jeffreys": "Jeffreys"}
BASIS_WORDS: Final = {"used": "", "as_printed": "as printed, before adjudication"}
COUNT_WORDS: Final = {
    "unique": "one table fits",
    "unique_by_p": "one table fits, decided by the printed p",
    "several": "several tables fit; each is shown",
    "impossible": "no table fits the print",
    "ambiguous": "not read as a rate: the print is ambiguous",
}
CHOSEN_BY_P: Final = "the printed p chose this table of counts, so that the Fisher p agrees with it is no check"
_MEASURES: Final = ("difference", "risk_ratio", "odds_ratio")


def group_name(row: dict[str, Any], labels: Labels) -> str:
    """Who a rate belongs to: the level, or the whole population."""
    return labels.level(row["factor"], row["level"]) if row["factor"] else labels.population(row["population"])


def population_and_level(row: dict[str, Any], labels: Labels) -> str:
    """Who a rate belongs to, where no heading says the population."""
    if not row["factor"]:
        return labels.population(row["population"])
    parts = [labels.where(row["population"]), labels.level(row["factor"], row["level"])]
    return ", ".join(part for part in parts if part)


def main_rates(
    response: pd.DataFrame, analyses: Sequence[ResponseAnalysis], definition: StudyDefinition
) -> pd.DataFrame:
    """One reading of each rate: as used, each group alone, under the first prior of its analysis; in their order."""
    if response.empty:
        return response
    alone = response[response["model"].eq(ALONE) & response["basis"].eq("used") & response["median"].notna()]
    found = []
    for analysis in analyses:
        of_analysis = alone[alone["prior"].eq(analysis.priors[0].name)]
        for endpoint in analysis.endpoints_of(definition):
            rows = of_analysis[of_analysis["endpoint"].eq(endpoint)]
            whole = rows["factor"].eq("") & rows["population"].eq(definition.main_population)
            found += [rows[whole], rows[~whole]]
    return pd.concat(found) if found else alone.iloc[:0]


def block_name(row: dict[str, Any], labels: Labels) -> str:
    """Endpoint, factor and population of a table of counts, and which of several readings it is."""
    parts = [labels.endpoint(row["endpoint"]), labels.factor(row["factor"]) if row["factor"] else ""]
    parts += [labels.where(row["population"]), BASIS_WORDS.get(row["basis"], row["basis"])]
    if row["n_candidates"] > 1:
        parts.append(f"reading {int(row['candidate'])} of {int(row['n_candidates'])} that the print allows")
    return ", ".join(part for part in parts if part)


def prior_words(row: dict[str, Any]) -> str:
    """Model and prior of a rate in words."""
    model = MODEL_WORDS.get(row["model"], row["model"])
    return model if row["model"] == POOLED else f"{model}, {rate_prior_words(row['prior'])} prior"


def rate_prior_words(prior: str) -> str:
    """A prior on a rate in words: a person's name keeps its capital."""
    return RATE_PRIOR_WORDS.get(prior, prior.replace("_", " "))


def share_interval(row: dict[str, Any]) -> str:
    """Posterior median of a rate with its 95% interval."""
    if math.isnan(row["median"]):
        return "did not converge: no number"
    return with_interval(row, percent_text)


def with_interval(row: dict[str, Any], word: Callable[[float, float], str]) -> str:
    """Posterior median and 95% interval, each with the digits that its Monte Carlo error supports."""
    return median_interval(row, ("median", "q025", "q975"), word)


def chance_lower(row: dict[str, Any]) -> str:
    """P(first group lower) with the digits that its Monte Carlo error supports."""
    return digits_of(row, "p_level_lower", probability_text)


def rate_table(response: pd.DataFrame, labels: Labels, ledger: Ledger, *, anchor: str, caption: str) -> DisplayTable:
    """Rates of every group under every model and prior, with what to expect in the next patients."""
    columns = [
        (Column("Group"), lambda row: group_name(row, labels)),
        (Column("Patients", numeric=True), lambda row: f"{row['responders']:.0f}/{row['evaluable']:.0f}"),
        (Column("Raw rate (95% Clopper-Pearson)", numeric=True), _raw_rate),
        (Column("Model and prior"), prior_words),
        (Column("Rate, median (95% interval)", numeric=True), share_interval),
        (Column("Expected in the next patients (95%)", numeric=True), _next_patients),
    ]
    return display_table(
        response,
        columns,
        ledger=ledger,
        anchor=anchor,
        caption=caption,
        missing="No count of patients can be recovered from the print.",
        file="tables/response.csv",
        group=lambda row: block_name(row, labels),
    )


def _raw_rate(row: dict[str, Any]) -> str:
    low, high = percent_text(row["clopper_pearson_q025"]), percent_text(row["clopper_pearson_q975"])
    return f"{percent_text(row['responders'] / row['evaluable'])} ({interval_text(low, high)})"


def _next_patients(row: dict[str, Any]) -> str:
    if math.isnan(row["next_median"]):
        return "–"
    limits = interval_text(f"{row['next_q025']:.0f}", f"{row['next_q975']:.0f}")
    return f"{row['next_median']:.0f} of {row['next_patients']:.0f} ({limits})"


def contrast_table(
    contrasts: pd.DataFrame, labels: Labels, ledger: Ledger, *, anchor: str, caption: str
) -> DisplayTable:
    """Difference, risk ratio and odds ratio of each pair of groups, one row per model and prior."""
    keys = ["population", "endpoint", "factor", "level", "comparator", "basis", "candidate", "model", "prior"]
    rows = []
    by_measure = contrasts.groupby(keys, sort=False) if not contrasts.empty else ()
    for _, same in by_measure:
        records = {str(row["measure"]): row for row in records_of(same)}
        first = next(iter(records.values()))
        cells = [prior_words(first), *(_measure_cell(records.get(measure)) for measure in _MEASURES)]
        cells.append(chance_lower(first))
        cells += [p_text(first["fisher_p"]), first["printed_p"] or "–"]
        rows.append(
            DisplayRow(tuple(cells), links=ledger.links(first["ledger_rows"]), group=_contrast_block(first, labels))
        )
    heads = ("Difference, points", "Risk ratio", "Odds ratio", "P(first is lower)", "Fisher p", "Printed p")
    return table_of_rows(
        rows,
        ("Model and prior", *(Column(head, numeric=True) for head in heads)),
        anchor=anchor,
        caption=caption,
        evidence=evidence_words(contrasts),
        missing="No two groups can be compared: the print gives no table of counts with two groups.",
        file="tables/response_contrast.csv",
    )


def _contrast_block(row: dict[str, Any], labels: Labels) -> str:
    comparison = labels.comparison(row["factor"], row["level"], row["comparator"])
    chosen = f" – {CHOSEN_BY_P}" if row["counts_status"] == "unique_by_p" else ""
    return f"{comparison} ({block_name(row, labels)}){chosen}"


def _measure_cell(row: dict[str, Any] | None) -> str:
    if row is None or math.isnan(row["median"]):
        return "–"
    return with_interval(row, points_text if row["measure"] == "difference" else ratio_text)


def rate_prior_table(
    priors: pd.DataFrame, analyses: Sequence[ResponseAnalysis], labels: Labels, ledger: Ledger
) -> DisplayTable:
    """Beta priors on a rate: which rates they serve, mean, what they are worth in patients, and what they imply."""

    def serves(row: dict[str, Any]) -> str:
        if row["endpoint"]:
            return labels.endpoint(row["endpoint"])
        named = [
            a.title_in(labels.definition)
            for a in analyses
            for p in a.priors
            if (p.name, p.a, p.b) == (row["prior"], row["a"], row["b"])
        ]
        return "; ".join(named) or "–"

    columns = [
        (
            Column("Prior"),
            lambda row: " ".join(part for part in (rate_prior_words(row["prior"]), row["regimen"]) if part),
        ),
        (Column("Serves"), serves),
        (Column("Mean rate", numeric=True), lambda row: percent_text(row["mean"])),
        (Column("Expects 95% of rates within", numeric=True), _implied_rates),
        (Column("Worth in patients", numeric=True), lambda row: number_text(row["patients"])),
        (Column("Meaning"), lambda row: row["meaning"]),
        (Column("Source"), lambda row: ". ".join(p.rstrip(".") for p in (row["source"], row["studies"]) if p)),
    ]
    return display_table(
        priors,
        columns,
        ledger=ledger,
        anchor="table-rate-priors",
        caption="Priors on a rate, and what each implies",
        missing="No response analysis was run, so there is no prior on a rate.",
        folded=True,
    )


def _implied_rates(row: dict[str, Any]) -> str:
    return interval_text(percent_text(row["q025"]), percent_text(row["q975"]))


def counts_table(counts: pd.DataFrame, labels: Labels, ledger: Ledger) -> DisplayTable:
    """What the print allows as whole patients, table by table, and whether other studies give a prior."""
    columns = [
        (Column("Table"), lambda row: _counts_name(row, labels)),
        (Column("Read as"), lambda row: BASIS_WORDS.get(row["basis"], str(row["basis"]).replace("_", " ")) or "used"),
        (Column("Whole patients"), lambda row: COUNT_WORDS.get(row["counts_status"], row["counts_status"])),
        (Column("Note"), _counts_note),
        (Column("Prior from other studies"), lambda row: row["literature_prior"]),
    ]
    return display_table(
        counts,
        columns,
        ledger=ledger,
        anchor="table-counts",
        caption="Counts of patients that the print allows",
        missing="No percentage or count of a response is printed.",
        file="tables/response_counts.csv",
        folded=True,
    )


def _counts_note(row: dict[str, Any]) -> str:
    chosen = CHOSEN_BY_P[0].upper() + CHOSEN_BY_P[1:] if row["counts_status"] == "unique_by_p" else ""
    return ". ".join(part for part in (row["note"].rstrip("."), chosen) if part) or "–"


def _counts_name(row: dict[str, Any], labels: Labels) -> str:
    parts = [labels.endpoint(row["endpoint"]), labels.factor(row["factor"]) if row["factor"] else ""]
    return ", ".join(part for part in (*parts, labels.population(row["population"])) if part)


def diagnostics_table(diagnostics: pd.DataFrame, ledger: Ledger) -> DisplayTable:
    """Convergence of every sampled model."""
    columns = [
        (Column("Fit"), lambda row: str(row["fit"]).replace("__", ", ").replace("_", " ")),
        (Column("Converged"), lambda row: "yes" if row["converged"] else f"no: {row['reasons']}"),
        (Column("Largest R-hat", numeric=True), lambda row: f"{row['largest_rhat']:.3f}"),
        (Column("Least bulk ESS", numeric=True), lambda row: f"{row['least_ess_bulk']:,.0f}"),
        (Column("Least tail ESS", numeric=True), lambda row: f"{row['least_ess_tail']:,.0f}"),
        (Column("E-BFMI", numeric=True), lambda row: f"{row['e_bfmi']:.2f}"),
        (Column("Divergent draws", numeric=True), lambda row: percent_text(row["divergent_share"])),
    ]
    return display_table(
        diagnostics,
        columns,
        ledger=ledger,
        anchor="table-diagnostics",
        caption="Convergence of the sampled models",
        missing="No model was sampled: every number here is exact or a closed form.",
    )
