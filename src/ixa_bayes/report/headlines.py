"""What a reanalysis says in a few lines of a terminal."""

from typing import Any, Final

import pandas as pd

from ixa_bayes.report.display import records_of
from ixa_bayes.report.effect_tables import PRINTED_RATIOS, hr_interval, likelier_chance, main_effects, points_below
from ixa_bayes.report.response_tables import main_rates, population_and_level, share_interval
from ixa_bayes.report.results import Results
from ixa_bayes.report.wording import SCEPTICAL, Labels, count_text

MOST_LINES: Final = 8


def headlines(results: Results) -> list[str]:
    """The most telling numbers of a reanalysis, a line each.

    Parameters
    ----------
    results : Results

    Returns
    -------
    list of str
        The printed hazard ratios, as printed and for a sceptic; without any, those that log-rank p
        values give; without those, the rates. Empty where the print gives none of them.
    """
    labels = Labels(results.study.definition)
    table = main_effects(results.hazard_ratios)
    sceptical = table[table["prior"].eq(SCEPTICAL)]
    printed = sceptical[sceptical["source"].isin(PRINTED_RATIOS)]
    if not printed.empty:
        return [_printed_line(row, labels) for row in records_of(printed)]
    if not sceptical.empty:
        return _shortened([_effect_line(row, labels) for row in records_of(sceptical)], "hazard ratio")
    return _shortened([_rate_line(row, labels) for row in records_of(_rates(results))], "rate")


def _shortened(lines: list[str], noun: str) -> list[str]:
    left = len(lines) - MOST_LINES
    return lines if left <= 0 else [*lines[:MOST_LINES], f"and {count_text(left, f'more {noun}')} in the report"]


def _printed_line(row: dict[str, Any], labels: Labels) -> str:
    return (
        f"{_subject(row, labels)}: printed {row['printed']}; for a sceptic HR {row['hr_median']:.2f} "
        f"({row['hr_q025']:.2f} to {row['hr_q975']:.2f}), {_side(row)}"
    )


def _effect_line(row: dict[str, Any], labels: Labels) -> str:
    return f"{_subject(row, labels)}: {row['printed']}; for a sceptic HR {hr_interval(row)}, {_side(row)}"


def _side(row: dict[str, Any]) -> str:
    """The likelier side of 1, so that a protective effect is not told by the probability of harm."""
    return f"P(HR {'<' if points_below(row) else '>'} 1) = {likelier_chance(row)}"


def _subject(row: dict[str, Any], labels: Labels) -> str:
    definition = labels.definition
    levels = definition.factors[row["factor"]].levels if row["factor"] else {}
    compared = f"{levels.get(row['level'], '')} v {levels.get(row['comparator'], 'the others')}"
    return f"{labels.endpoint(row['endpoint'])}, {compared}"


def _rates(results: Results) -> pd.DataFrame:
    return main_rates(results.response, results.response_analyses, results.study.definition)


def _rate_line(row: dict[str, Any], labels: Labels) -> str:
    reading = f" (reading {row['candidate']:.0f} of {row['n_candidates']:.0f})" if row["n_candidates"] > 1 else ""
    return (
        f"{labels.endpoint(row['endpoint'])}, {population_and_level(row, labels)}{reading}: "
        f"{row['responders']:.0f} of {row['evaluable']:.0f}; rate {share_interval(row)}, {row['prior']} prior"
    )
