"""Every route from a print to a hazard ratio, worded for the page."""

import math
from typing import Any, Final

import pandas as pd

from ixa_bayes.report.display import Column, DisplayTable, Ledger, display_table
from ixa_bayes.report.effect_tables import PRINTED_RATIOS
from ixa_bayes.report.wording import Labels, interval_text, number_text, ratio_text

ROUTE_WORDS: Final = {
    "confidence_interval": "printed interval",
    "p_and_hazard_ratio": "printed ratio and its p",
    "p_and_total_events": "p and all events, groups taken as equal",
    "p_and_group_sizes": "p, events and group sizes, by formula",
    "p_and_events_per_group": "p and events per group, by formula",
    "calibrated_at_end": "p, events and group sizes, simulated; follow-up ends together",
    "calibrated_throughout": "p, events and group sizes, simulated; patients leave all the way",
    "medians": "ratio of medians, for comparison",
}


def extraction_table(extraction: pd.DataFrame, labels: Labels, ledger: Ledger) -> DisplayTable:
    """Every route of every printed effect; those that do not apply with the reason."""
    columns = [
        (Column("Route"), lambda row: ROUTE_WORDS.get(row["route"], str(row["route"]).replace("_", " "))),
        (Column("HR (95% interval)", numeric=True), _hr_cell),
        (Column("Standard error of log HR"), _error_cell),
        (Column("Takes for granted, or why it cannot be read"), lambda row: row["assumptions"] or row["why_not"]),
    ]
    return display_table(
        extraction,
        columns,
        ledger=ledger,
        anchor="table-extraction",
        caption="Every route from a print to its hazard ratio",
        missing="The paper prints nothing from which a hazard ratio can be read.",
        file="tables/extraction.csv",
        folded=True,
        group=lambda row: _print_words(row, labels),
    )


def widest_spread(extraction: pd.DataFrame) -> str:
    """Largest factor by which the hazard ratios of one log-rank p differ between routes; empty if it shows as none."""
    spreads = extraction[~extraction["source"].isin(PRINTED_RATIOS)]["hr_spread"].dropna()
    shown = "" if spreads.empty else f"{spreads.max():.1f}"
    return "" if shown == "1.0" else shown


def _print_words(row: dict[str, Any], labels: Labels) -> str:
    comparison = labels.comparison(row["factor"], row["level"], row["comparator"])
    printed_ratio = row["source"] in PRINTED_RATIOS
    parts = [labels.endpoint(row["endpoint"]), comparison, labels.where(row["population"])]
    parts += [row["source"]] if printed_ratio else []
    heading = f"{', '.join(part for part in parts if part)} – printed: {row['printed']}"
    if math.isnan(row["hr_spread"]):
        return heading
    if printed_ratio:
        return heading + _spread_words("standard errors", f"{row['se_spread']:.2f}")
    # One decimal: some of these routes are simulated, and their second one is not safe.
    return heading + _spread_words("hazard ratios", f"{row['hr_spread']:.1f}")


def _spread_words(what: str, factor: str) -> str:
    """By how much the routes differ, if that shows in the digits that are safe."""
    return f" – {what} {'agree' if float(factor) == 1 else f'differ by a factor of {factor}'}"


def _hr_cell(row: dict[str, Any]) -> str:
    if not row["applicable"]:
        return "–"
    limit_error = math.hypot(row["log_hr_mcse"], 1.96 * row["se_mcse"])
    limits = (ratio_text(row[name], row[name] * limit_error) for name in ("lower", "upper"))
    return f"{ratio_text(row['hr'], row['hr'] * row['log_hr_mcse'])} ({interval_text(*limits)})"


def _error_cell(row: dict[str, Any]) -> str:
    """The standard error, and what rounding of the print leaves open where that shows."""
    if not row["applicable"]:
        return "–"
    text = number_text(row["se"], row["se_mcse"])
    if math.isnan(row["se_lowest"]):
        return text
    least, most = (f"{row[name]:.3f}" for name in ("se_lowest", "se_highest"))
    return text if least == most else f"{text} (print allows {interval_text(least, most)})"
