"""The analysis of credibility, worded for the page: which belief would undo each printed finding."""

import math
import re
from typing import Any, Final

import pandas as pd

from ixa_bayes.formulas.printed import parse_number, parse_p
from ixa_bayes.report.display import Column, DisplayTable, Ledger, display_table
from ixa_bayes.report.effect_tables import effect_short
from ixa_bayes.report.wording import NO_LIMIT, Labels, interval_text, p_text, ratio_text

_PRINTED_WITH_P: Final = re.compile(r"\((?P<level>[\d.]+)% CI (?P<lower>\S+) to (?P<upper>\S+)\), p (?P<p>\S+)$")


def credibility_table(credibility: pd.DataFrame, labels: Labels, ledger: Ledger) -> DisplayTable:
    """Which belief before the paper would undo each printed interval."""
    columns = [
        (Column("Effect"), lambda row: f"{effect_short(row, labels)} ({row['source'].replace('_', ' ')})"),
        (Column("Printed"), lambda row: row["printed"]),
        (Column("Excludes 1?"), _excludes_one),
        (Column("A sceptic stays unconvinced who expects 95% of HRs within"), scepticism_words),
        (Column("An advocate is convinced who expects 95% of HRs"), _advocacy_words),
        (Column("Estimate beyond that limit? (Matthews)"), lambda row: _yes_no(row["credible_by_matthews"])),
        (Column("p for intrinsic credibility (Held)", numeric=True), lambda row: p_text(row["p_intrinsic"])),
        (Column("Intrinsically credible? (Held)"), lambda row: _yes_no(row["intrinsically_credible"])),
    ]
    return display_table(
        credibility,
        columns,
        ledger=ledger,
        anchor="table-credibility",
        caption="Analysis of credibility",
        missing="The paper prints no hazard ratio with an interval, so there is nothing to judge.",
    )


def _yes_no(answer: bool | float | None) -> str:
    return "does not apply" if pd.isna(answer) else "yes" if answer else "no"


def _excludes_one(row: dict[str, Any]) -> str:
    if row["touches_one"]:
        return f"cannot be told: a limit prints as 1{_side_by_p(row['printed'])}"
    return "yes" if row["significant"] else "no"


def _side_by_p(printed: str) -> str:
    """On which side of 1 the printed p value puts the limit that prints as 1; empty where it decides nothing."""
    found = _PRINTED_WITH_P.search(printed)
    if found is None:
        return ""
    alpha = round(1 - float(found["level"]) / 100, 9)
    low, high = parse_p(found["p"]).interval()
    touching = [name for name in ("lower", "upper") if _prints_as_one(found[name])]
    if len(touching) != 1 or low < alpha < high:
        return ""
    includes_one = low >= alpha
    side = "below" if includes_one == (touching == ["lower"]) else "above"
    return f"; the printed p of {found['p']} puts it {side} 1"


def _prints_as_one(limit: str) -> bool:
    low, high = parse_number(limit).interval()
    return low <= 1 <= high


def scepticism_words(row: dict[str, Any]) -> str:
    """The range of hazard ratios that a sceptic expects, if the finding just fails to convince."""
    if row["touches_one"]:
        ends = [row["scepticism_limit_hr_lowest"], row["scepticism_limit_hr_highest"]]
        shown = " and ".join(_limit_text(end) for end in ends if not math.isnan(end))
        return f"any range: no finite limit as printed (at the two ends of the rounding: {shown or 'none'})"
    limit = row["scepticism_limit_hr"]
    return "does not apply" if math.isnan(limit) else interval_text(ratio_text(1 / limit), ratio_text(limit))


def _limit_text(limit: float) -> str:
    return NO_LIMIT if math.isinf(limit) else ratio_text(limit)


def _advocacy_words(row: dict[str, Any]) -> str:
    limits = [row["advocacy_limit_hr_nearest"], row["advocacy_limit_hr_furthest"]]
    if any(math.isnan(limit) for limit in limits):
        return "does not apply"
    words = (_limit_text(limit) if limit else NO_LIMIT for limit in limits)
    shown = list(dict.fromkeys(word.replace("above", "more than").replace("below", "less than") for word in words))
    if len(shown) == 1:
        return "on that side of 1, however large" if shown[0] == NO_LIMIT else f"between 1 and {shown[0]}"
    nearest, furthest = shown
    if furthest == NO_LIMIT:
        return f"between 1 and {nearest} or any wider range: the rounding of the print leaves it open"
    return f"between 1 and {nearest}, at the other end of the rounding {furthest}"
