"""Hazard ratios, their credibility and what could not be read, worded for the page."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import pandas as pd

from ixa_bayes.report.display import Column, DisplayTable, Ledger, digits_of, display_table, median_interval
from ixa_bayes.report.wording import (
    FLAT,
    Labels,
    interval_text,
    number_text,
    p_text,
    prior_label,
    probability_text,
    ratio_text,
)

_THRESHOLD_PREFIX: Final = "p_gt_"
SOURCE_WORDS: Final = {
    "multivariable": "multivariable, as printed",
    "univariable": "univariable, as printed",
    "log_rank_formula": "from the log-rank p, by formula",
    "log_rank_calibrated": "from the log-rank p, calibrated by simulation",
    "log_rank_formula_edge": "at the edge of the printed p, by formula",
    "log_rank_calibrated_edge": "at the edge of the printed p, calibrated by simulation",
}
_BESIDE: Final = ("log_rank_formula", "log_rank_formula_edge", "log_rank_calibrated_edge")
LEAST_ERROR_SHOWN: Final = 0.0005
PRINTED_RATIOS: Final = ("multivariable", "univariable")


@dataclass(frozen=True)
class Chance:
    """A statement on a hazard ratio whose probability the table holds: above a threshold, or below it."""

    column: str
    threshold: str
    below: bool

    @property
    def label(self) -> str:
        """The statement: ``P(HR > 1.25)``."""
        return f"P(HR {'<' if self.below else '>'} {self.threshold})"

    def of(self, row: dict[str, Any]) -> float:
        """Its probability in a row of ``hazard_ratios.csv``."""
        above = float(row[self.column])
        return 1 - above if self.below else above

    def text(self, row: dict[str, Any]) -> str:
        """Its probability with the digits that its Monte Carlo error supports."""
        return probability_text(self.of(row), error_of(row, self.column))


def chances_of(hazard_ratios: pd.DataFrame) -> list[Chance]:
    """Statements on either side of 1: below each threshold under 1, above each from 1 on; in ascending order."""
    columns = [str(column) for column in hazard_ratios.columns if str(column).startswith(_THRESHOLD_PREFIX)]
    printed = {column: column.removeprefix(_THRESHOLD_PREFIX).replace("_", ".") for column in columns}
    return [Chance(c, printed[c], float(printed[c]) < 1) for c in sorted(columns, key=lambda c: float(printed[c]))]


def chances_on(hazard_ratios: pd.DataFrame, *, below: bool) -> list[Chance]:
    """Statements on one side: 1 and every threshold beyond it, the nearest first.

    For a factor that protects, P(HR > 2) says little: P(HR < 0.5) is the statement of that size.
    Where no threshold below 1 was computed there are only those above.
    """
    found = chances_of(hazard_ratios)
    under = [chance for chance in reversed(found) if chance.below]
    if not below or not under:
        return [chance for chance in found if not chance.below]
    return [*(replace(chance, below=True) for chance in found if float(chance.threshold) == 1), *under]


def points_below(row: dict[str, Any]) -> bool:
    """Whether an effect is rather protective."""
    return bool(row["p_gt_1"] < 0.5)


def source_words(source: str) -> str:
    """Where an effect was read, in words."""
    return SOURCE_WORDS.get(source, source.replace("_", " "))


def main_effects(hazard_ratios: pd.DataFrame) -> pd.DataFrame:
    """One reading of each effect: what stands beside it for comparison (formula, edge of p) left out."""
    return hazard_ratios[~hazard_ratios["source"].isin(_BESIDE)]


def effect_title(row: dict[str, Any], labels: Labels) -> str:
    """Endpoint, comparison, population and analysis of an effect, as a heading."""
    comparison = labels.comparison(row["factor"], row["level"], row["comparator"])
    parts = [labels.endpoint(row["endpoint"]), comparison, labels.where(row["population"]), source_words(row["source"])]
    return ", ".join(part for part in parts if part)


def effect_short(row: dict[str, Any], labels: Labels) -> str:
    """An effect in as few words as tell it apart from the others: for sentences and figures."""
    level = labels.level(row["factor"], row["level"]) if row["level"] else labels.factor(row["factor"])
    against = labels.against(row["factor"], row["comparator"])
    parts = [labels.endpoint(row["endpoint"]), f"{level}{against}", labels.where(row["population"])]
    return ", ".join(part for part in parts if part)


def hr_interval(row: dict[str, Any]) -> str:
    """Posterior median with its 95% interval; only the bound where p is an inequality and the prior drives the rest."""
    if row["driven_by_prior"] and not math.isnan(row["hr_bound"]):
        side, limit = ("at least", "hr_q025") if row["hr_bound"] > 1 else ("at most", "hr_q975")
        return f"{side} {ratio_text(row['hr_bound'], error_of(row, limit))}"
    return _median_interval(row)


def _median_interval(row: dict[str, Any]) -> str:
    return median_interval(row, ("hr_median", "hr_q025", "hr_q975"), ratio_text)


def median_text(row: dict[str, Any]) -> str:
    """Posterior median of the hazard ratio with the digits that its error supports."""
    return digits_of(row, "hr_median", ratio_text)


def error_of(row: dict[str, Any], column: str) -> float:
    """Monte Carlo standard error of a number of ``hazard_ratios.csv``; 0 where nothing was simulated."""
    return float(row[f"mcse_{column}"])


def chance_text(row: dict[str, Any], column: str) -> str:
    """A posterior probability of ``hazard_ratios.csv`` with the digits that its error supports."""
    return digits_of(row, column, probability_text)


def likelier_side(row: dict[str, Any]) -> str:
    """The probability of the likelier side of 1, with its Monte Carlo error where that reaches the last digit shown."""
    error = error_of(row, "p_gt_1")
    words = f"P(HR {'<' if points_below(row) else '>'} 1) {likelier_chance(row)}"
    return f"{words} (Monte Carlo error {error:.1g})" if error >= LEAST_ERROR_SHOWN else words


def likelier_chance(row: dict[str, Any]) -> str:
    """The probability of the likelier side of 1, with the digits that its Monte Carlo error supports."""
    above = float(row["p_gt_1"])
    return probability_text(1 - above if points_below(row) else above, error_of(row, "p_gt_1"))


def hazard_ratio_table(hazard_ratios: pd.DataFrame, labels: Labels, ledger: Ledger) -> DisplayTable:
    """Every effect under every prior."""
    chances = [(Column(chance.label, numeric=True), _in_a_column(chance.text)) for chance in chances_of(hazard_ratios)]
    columns = [
        (Column("Prior (belief before)"), lambda row: prior_label(row["prior"], row["prior_mean"])),
        (Column("HR, median (95% interval)", numeric=True), _median_cell),
        *chances,
        (Column("P(practically 1)", numeric=True), _in_a_column(_practically_equal)),
    ]
    if has_conflicts(hazard_ratios):
        columns.append((Column("Prior-data conflict, p", numeric=True), lambda row: p_text(row["prior_conflict_p"])))
    return display_table(
        hazard_ratios,
        columns,
        ledger=ledger,
        anchor="table-hazard-ratios",
        caption="Hazard ratios under every prior",
        missing="The paper prints no hazard ratio from which a standard error follows.",
        file="tables/hazard_ratios.csv",
        group=lambda row: (
            f"{effect_title(row, labels)} – printed: {row['printed']}{ambiguity_words(row, ledger, before=' – ')}"
        ),
    )


def ambiguity_words(row: dict[str, Any], ledger: Ledger, *, before: str) -> str:
    """A warning where the print of a comparison allows more than one reading, naming its rows; else empty."""
    rows = [link.row for link in ledger.ambiguous(row["ledger_rows"], factor=row["factor"])]
    return f"{before}ambiguous print: see {', '.join(rows)}" if rows else ""


def has_conflicts(hazard_ratios: pd.DataFrame) -> bool:
    """Whether any effect has a prior predictive p, which needs an estimate with a standard error."""
    return "prior_conflict_p" in hazard_ratios and bool(hazard_ratios["prior_conflict_p"].notna().any())


def open_limit_words(row: dict[str, Any], *, before: str) -> str:
    """Which limit of an interval is the prior's, though p is printed exactly; else empty."""
    open_limit = "" if row["driven_by_prior"] else row["open_limit"]
    return f"{before}its {open_limit} limit is the prior's" if open_limit else ""


def _median_cell(row: dict[str, Any]) -> str:
    if not row["driven_by_prior"]:
        return hr_interval(row) + (" †" if row["open_limit"] and row["prior"] != FLAT else "")
    return f"{hr_interval(row)}; {_median_interval(row)} *"


def _in_a_column(word: Callable[[dict[str, Any]], str]) -> Callable[[dict[str, Any]], str]:
    """Words for a narrow column: ``<0.001`` instead of ``below 0.001``."""
    return lambda row: word(row).replace("below ", "<").replace("above ", ">")


def _practically_equal(row: dict[str, Any]) -> str:
    return chance_text(row, "p_practically_equal")


def not_extractable_table(not_extractable: pd.DataFrame, labels: Labels, ledger: Ledger) -> DisplayTable:
    """Comparisons whose effect the print does not give."""
    columns = [
        (Column("Endpoint"), lambda row: labels.endpoint(row["endpoint"])),
        (Column("Comparison"), lambda row: labels.comparison(row["factor"], row["level"], row["comparator"])),
        (Column("In whom"), lambda row: labels.population(row["population"])),
        (Column("What is missing"), lambda row: row["missing"]),
    ]
    return display_table(
        not_extractable,
        columns,
        ledger=ledger,
        anchor="table-not-extractable",
        caption="Comparisons whose hazard ratio cannot be read",
        missing="Nothing is missing: every printed comparison gave an effect.",
        file="tables/not_extractable.csv",
    )


def literature_table(literature: pd.DataFrame, labels: Labels, ledger: Ledger) -> DisplayTable:
    """Hazard ratios from other studies, for plausibility."""
    columns = [
        (Column("Study"), lambda row: row["citation"]),
        (Column("Factor, as defined there"), lambda row: row["definition"]),
        (Column("Patients"), lambda row: row["literature_population"]),
        (Column("HR (95% CI)", numeric=True), _literature_hr),
        (Column("Analysis"), lambda row: row["adjusted"]),
        (Column("May inform a prior?"), _may_inform),
    ]
    return display_table(
        literature,
        columns,
        ledger=ledger,
        anchor="table-literature",
        caption="The same kind of factor in other studies",
        missing="No hazard ratio from another study is held for the factors of this paper.",
        file="tables/literature.csv",
        group=lambda row: f"{labels.endpoint(row['endpoint'])}, {labels.factor(row['factor'])}",
    )


def _may_inform(row: dict[str, Any]) -> str:
    needed = f"{row['independent_rows']:.0f} of {row['rows_needed']:.0f} independent rows needed"
    return f"yes; {needed}" if row["may_inform_prior"] else f"no; {needed}"


def _literature_hr(row: dict[str, Any]) -> str:
    if math.isnan(row["lower95"]) or math.isnan(row["upper95"]):
        return f"{ratio_text(row['hr'])} (no interval seen)"
    return f"{ratio_text(row['hr'])} ({interval_text(ratio_text(row['lower95']), ratio_text(row['upper95']))})"


def calibration_table(calibration: pd.DataFrame, labels: Labels, ledger: Ledger) -> DisplayTable:
    """Hazard ratios that log-rank p values imply: by formula, and calibrated by simulation."""
    columns = [
        (Column("Effect"), lambda row: effect_short(row, labels)),
        (Column("Patients", numeric=True), lambda row: f"{row['n_level']:.0f} and {row['n_comparator']:.0f}"),
        (Column("Events", numeric=True), lambda row: _events_cell(row, ledger)),
        (Column("Follow-up in the simulation"), lambda row: str(row["censoring"]).replace("_", " ")),
        (Column("HR by formula", numeric=True), lambda row: ratio_text(row["formula_hr"])),
        (Column("HR calibrated", numeric=True), _calibrated_hr),
        (Column("Information by formula", numeric=True), lambda row: number_text(row["formula_information"])),
        (Column("Information calibrated", numeric=True), _calibrated_information),
    ]
    return display_table(
        calibration,
        columns,
        ledger=ledger,
        anchor="table-calibration",
        caption="Hazard ratios from log-rank p values: formula beside simulation",
        missing="No hazard ratio was read from a log-rank p value.",
        file="tables/calibration.csv",
        folded=True,
    )


def _calibrated_hr(row: dict[str, Any]) -> str:
    return ratio_text(row["calibrated_hr"], row["calibrated_hr"] * row["log_hr_mcse"])


def _calibrated_information(row: dict[str, Any]) -> str:
    return number_text(row["calibrated_information"], row["information_mcse"])


def _events_cell(row: dict[str, Any], ledger: Ledger) -> str:
    """The number of events that is used, and where the print allows another."""
    rows = [link.row for link in ledger.ambiguous(row["ledger_rows"], factor="")]
    return f"{row['n_events']:.0f}" + (f" (ambiguous print: {', '.join(rows)})" if rows else "")


def prior_table(hazard_ratios: pd.DataFrame, ledger: Ledger) -> DisplayTable:
    """The priors on a log hazard ratio, with what each implies for the hazard ratio."""
    priors = hazard_ratios.dropna(subset=["prior_sd"]).drop_duplicates(["prior", "prior_mean"])
    columns = [
        (Column("Prior"), lambda row: prior_label(row["prior"], row["prior_mean"])),
        (Column("Name in the files"), lambda row: row["prior"]),
        (Column("Mean, log HR", numeric=True), lambda row: number_text(row["prior_mean"])),
        (Column("SD, log HR", numeric=True), lambda row: number_text(row["prior_sd"])),
        (Column("Expects 95% of HRs within", numeric=True), implied_interval),
        (Column("Source"), lambda row: row["prior_source"]),
    ]
    return display_table(
        priors.drop(columns=["ledger_rows", "evidence_kind"]),
        columns,
        ledger=ledger,
        anchor="table-priors",
        caption="Priors on the hazard ratio, and what each implies",
        missing="No hazard ratio, so no prior on one.",
        folded=True,
    )


def implied_interval(row: dict[str, Any], *, word: Callable[[float], str] = ratio_text) -> str:
    """The range in which a prior expects 95% of hazard ratios."""
    half = 1.959964 * row["prior_sd"]
    lower, upper = math.exp(row["prior_mean"] - half), math.exp(row["prior_mean"] + half)
    return interval_text(word(lower), word(upper))
