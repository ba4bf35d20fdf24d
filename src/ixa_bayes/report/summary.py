"""The first screen: a few findings, each computed from the tables and worded for a clinician."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from ixa_bayes.report.display import Ledger, LedgerLink, evidence_words, records_of
from ixa_bayes.report.effect_tables import (
    PRINTED_RATIOS,
    effect_short,
    hr_interval,
    implied_interval,
    likelier_chance,
    likelier_side,
    main_effects,
    median_text,
    open_limit_words,
    points_below,
)
from ixa_bayes.report.response_contrasts import contrast_words
from ixa_bayes.report.response_tables import main_rates, population_and_level, share_interval
from ixa_bayes.report.results import Results
from ixa_bayes.report.wording import (
    FLAT,
    SCEPTICAL,
    Labels,
    count_text,
    prior_label,
    probability_text,
)

WEAK: Final = "neutral_weak"
ADJUSTED: Final = "multivariable"
CONFLICT: Final = 0.05
MOST_NAMED: Final = 6
CLEAR_UNDER_WEAK: Final = 0.975
CLEAR_UNDER_SCEPTICAL: Final = 0.95
"""A direction is clear if it holds under both priors; one rule for every effect, whatever its result."""
BORDERLINE: Final = 0.01
"""Distance of the sceptic's probability from its threshold within which a verdict is called barely so."""


@dataclass(frozen=True)
class SummaryFinding:
    """One finding of the first screen.

    Attributes
    ----------
    headline, text : str
    items : tuple of str
        What the text lists, an entry each.
    more : str
        What a reader needs who wants to rely on it; folded on the screen.
    target : str
        Anchor of the section that holds the numbers.
    links : tuple of LedgerLink
    evidence : tuple of str
    """

    headline: str
    text: str
    target: str
    links: tuple[LedgerLink, ...]
    evidence: tuple[str, ...]
    items: tuple[str, ...] = ()
    more: str = ""


def summary_findings(results: Results) -> list[SummaryFinding]:
    """At most five findings; each table that is empty costs one.

    Returns
    -------
    list of SummaryFinding
        The largest printed effect, how many effects keep their direction for a sceptic, the
        contrasts of response, what the audit found, what cannot be told.
    """
    labels = Labels(results.study.definition)
    ledger = Ledger(results.study.statistics)
    found = [
        *_largest_effect(results, labels, ledger),
        *_directions(results, labels, ledger),
        *_response(results, labels, ledger),
        *_audit(results, ledger),
        *_unreadable(results, ledger),
    ]
    return found[:5]


def _largest_effect(results: Results, labels: Labels, ledger: Ledger) -> Iterator[SummaryFinding]:
    table = results.hazard_ratios
    flat = table[table["prior"].eq(FLAT) & table["source"].isin(PRINTED_RATIOS)]
    if flat.empty:
        return
    largest = records_of(flat.loc[[flat["log_hr"].abs().idxmax()]])[0]
    same = _same_effect(table, largest)
    sceptic = records_of(same[same["prior"].eq(SCEPTICAL)])
    informed = records_of(same[~same["prior"].eq(FLAT)])
    if not sceptic or not informed:
        return
    unadjusted = _unadjusted(table, largest) if largest["source"] == ADJUSTED else []
    kind = "adjusted" if largest["source"] == ADJUSTED else "unadjusted"
    yield SummaryFinding(
        headline=f"The {'largest ' if len(flat) > 1 else ''}{kind} effect "
        f"{_shrinks(median_text(largest), median_text(sceptic[0]))} for a sceptic",
        text=f"{effect_short(largest, labels)}: the paper prints {largest['printed']}"
        f"{_other_print(flat, largest)}. A sceptic, who expects 95% of "
        f"hazard ratios within {implied_interval(sceptic[0], word=_rounded_ratio)}, is left with "
        f"{hr_interval(sceptic[0])}; the probability that it is {_side(sceptic[0])} 1 is {likelier_chance(sceptic[0])}"
        f"{_conflict_words(sceptic[0])}."
        f"{''.join(_unadjusted_words(row) for row in unadjusted)}",
        more=_prior_range(informed),
        target="hazard-ratios",
        links=ledger.links_of([largest, *unadjusted]),
        evidence=evidence_words(flat),
    )


def _shrinks(alone: str, sceptical: str) -> str:
    return f"stays at {alone}" if alone == sceptical else f"shrinks from {alone} to {sceptical}"


def _other_print(flat: pd.DataFrame, row: dict[str, Any]) -> str:
    """The same hazard ratio as another place of the paper prints it, where the two differ."""
    same = flat["printed"].ne(row["printed"])
    for key in ("endpoint", "population", "factor", "level", "comparator", "source"):
        same &= flat[key].eq(row[key])
    others = list(dict.fromkeys(flat.loc[same, "printed"]))
    return f", and elsewhere, differently, {' and '.join(others)}" if others else ""


def _rounded_ratio(ratio: float) -> str:
    return f"{ratio:.2g}"


def _prior_range(informed: list[dict[str, Any]]) -> str:
    lowest = min(informed, key=lambda row: row["hr_median"])
    highest = max(informed, key=lambda row: row["hr_median"])
    return (
        f"Over all priors its median runs from {median_text(lowest)} "
        f"({prior_label(lowest['prior'], lowest['prior_mean'])}) to {median_text(highest)} "
        f"({prior_label(highest['prior'], highest['prior_mean'])}): the size depends on what was believed before."
    )


def _conflict_words(sceptical: dict[str, Any]) -> str:
    """A warning where the sceptical prior hardly allows the printed estimate, so that combining the two is doubtful."""
    p = sceptical.get("prior_conflict_p", math.nan)
    if math.isnan(p) or p > CONFLICT:
        return ""
    return f". But this sceptic hardly expected such an estimate: one so far off had a chance of {probability_text(p)}"


def _unadjusted(table: pd.DataFrame, adjusted: dict[str, Any]) -> list[dict[str, Any]]:
    """What the log-rank test of the same comparison tells the sceptic, calibrated by simulation."""
    same = table["prior"].eq(SCEPTICAL) & table["source"].eq("log_rank_calibrated")
    for key in ("endpoint", "population", "factor", "level", "comparator"):
        same &= table[key].eq(adjusted[key])
    return records_of(table[same])


def _unadjusted_words(row: dict[str, Any]) -> str:
    chance = f", {_side(row)} 1 with probability {likelier_chance(row)}"
    return (
        f" Unadjusted for other factors, the same comparison ({row['printed']}) gives the sceptic a hazard ratio of "
        f"{hr_interval(row)}{' (with 97.5% probability)' if row['driven_by_prior'] else chance}."
    )


def _side(row: dict[str, Any]) -> str:
    return "below" if points_below(row) else "above"


def _same_effect(table: pd.DataFrame, row: dict[str, Any]) -> pd.DataFrame:
    same = pd.Series(True, index=table.index)
    for key in ("endpoint", "population", "factor", "level", "comparator", "source", "printed"):
        same &= table[key].eq(row[key])
    return table[same]


def _directions(results: Results, labels: Labels, ledger: Ledger) -> Iterator[SummaryFinding]:
    table = main_effects(results.hazard_ratios)
    sceptical = table[table["prior"].eq(SCEPTICAL)]
    if sceptical.empty:
        return
    rows = records_of(sceptical)
    kept = [row for row in rows if _is_clear(row, _same_effect(table, row))]
    counts, named = [], []
    for kind in ("adjusted", "unadjusted"):
        if of_kind := [row for row in rows if _kind(row) == kind]:
            clear = [row for row in kept if _kind(row) == kind]
            counts.append(f"{len(clear)} of {len(of_kind)} {kind}")
            named += _named(clear, labels, ledger, kind=kind)
    missed = [row for row in rows if row not in kept and _is_borderline(row)]
    named += [f"just short of clear: {effect_short(row, labels)}, {likelier_side(row)}" for row in missed]
    yield SummaryFinding(
        headline=f"{' and '.join(counts)} {'effect keeps' if len(rows) == 1 else 'effects keep'} a clear direction "
        "for a sceptic",
        text="Clear: the likelier side of 1 has a probability of at least "
        f"{probability_text(CLEAR_UNDER_WEAK)} under a weak prior and {probability_text(CLEAR_UNDER_SCEPTICAL)} under "
        f"the sceptical one.{' HR for the sceptic, and this probability:' if kept else ''}",
        items=tuple(named),
        more="The rule is one-sided, so the 95% "
        f"interval of a clear effect may reach 1. Probabilities without a Monte Carlo error are good to the last digit."
        f"{_reservations(rows, kept, labels, ledger)}",
        target="hazard-ratios",
        links=ledger.links_of(kept),
        evidence=evidence_words(sceptical),
    )


def _kind(row: dict[str, Any]) -> str:
    return "adjusted" if row["source"] == ADJUSTED else "unadjusted"


def _named(rows: list[dict[str, Any]], labels: Labels, ledger: Ledger, *, kind: str) -> list[str]:
    named = [
        f"{effect_short(row, labels)} ({kind}): {hr_interval(row)}, {likelier_side(row)}{_doubt(row, ledger)}"
        for row in rows[:MOST_NAMED]
    ]
    left = len(rows) - MOST_NAMED
    return [*named, f"and {count_text(left, f'more {kind} effect')}"] if left > 0 else named


def _doubt(row: dict[str, Any], ledger: Ledger) -> str:
    """What makes a clear effect less than clear."""
    borderline = "; barely clear" if _is_borderline(row) else ""
    ambiguous = ledger.ambiguous(row["ledger_rows"], factor=row["factor"])
    another = "; its print allows another comparison too" if ambiguous else ""
    return borderline + open_limit_words(row, before="; ") + another


def _is_borderline(row: dict[str, Any]) -> bool:
    """Whether the sceptic's probability lies so near the threshold that other sound choices might cross it."""
    return bool(abs(max(row["p_gt_1"], 1 - row["p_gt_1"]) - CLEAR_UNDER_SCEPTICAL) < BORDERLINE)


def _reservations(rows: list[dict[str, Any]], kept: list[dict[str, Any]], labels: Labels, ledger: Ledger) -> str:
    """What a reader must know of the counted effects: which are bounds only, and which rest on an ambiguous print."""
    bounds = sum(bool(row["driven_by_prior"]) for row in kept)
    are = "is a bound" if bounds == 1 else "are bounds"
    only = f" Of the clear ones, {bounds} {are} only, since p is printed as an inequality."
    doubtful = [effect_short(row, labels) for row in rows if ledger.ambiguous(row["ledger_rows"], factor=row["factor"])]
    said = f" Counted, but ambiguous in print: {'; '.join(doubtful)}."
    return (only if bounds else "") + (said if doubtful else "")


def _is_clear(sceptical: dict[str, Any], same: pd.DataFrame) -> bool:
    """Whether one side of 1 is clearly the likelier, and the same one, under both priors."""
    weak = records_of(same[same["prior"].eq(WEAK)])
    if not weak:
        return False
    above = weak[0]["p_gt_1"] >= CLEAR_UNDER_WEAK and sceptical["p_gt_1"] >= CLEAR_UNDER_SCEPTICAL
    below = 1 - weak[0]["p_gt_1"] >= CLEAR_UNDER_WEAK and 1 - sceptical["p_gt_1"] >= CLEAR_UNDER_SCEPTICAL
    return bool(above or below)


def _response(results: Results, labels: Labels, ledger: Ledger) -> Iterator[SummaryFinding]:
    """The contrasts of response; where no two groups can be compared, the rates."""
    found = list(_contrasts(results, labels, ledger))
    yield from found or _rates(results, labels, ledger)


def _rates(results: Results, labels: Labels, ledger: Ledger) -> Iterator[SummaryFinding]:
    rows = records_of(main_rates(results.response, results.response_analyses, results.study.definition))
    if not rows:
        return
    first = rows[0]
    named = [f"{_rate_name(row, labels)}: {share_interval(row)}" for row in rows[1 : MOST_NAMED + 1]]
    left = len(rows) - 1 - len(named)
    yield SummaryFinding(
        headline=f"{_rate_name(first, labels)}: {share_interval(first)}",
        text=f"{first['responders']:.0f} of {first['evaluable']:.0f} patients; posterior median and 95% interval under "
        f"the {first['prior']} prior. No two groups can be compared.{' The other rates:' if named else ''}",
        items=(*named, f"and {count_text(left, 'more rate')}") if left > 0 else tuple(named),
        target="response",
        links=ledger.links(first["ledger_rows"]),
        evidence=evidence_words(results.response),
    )


def _rate_name(row: dict[str, Any], labels: Labels) -> str:
    return f"{labels.endpoint(row['endpoint'])}, {population_and_level(row, labels)}"


def _contrasts(results: Results, labels: Labels, ledger: Ledger) -> Iterator[SummaryFinding]:
    words = contrast_words(results, labels)
    if words is None:
        return
    yield SummaryFinding(
        headline=words.headline,
        text=words.text,
        items=words.items,
        target="response",
        links=ledger.links_of(words.rows),
        evidence=evidence_words(results.response_contrast),
    )


def _audit(results: Results, ledger: Ledger) -> Iterator[SummaryFinding]:
    if results.audit.empty:
        return
    serious = results.audit[results.audit["severity"].eq("contradiction")]
    replaced = len(results.study.definition.adjudications)
    used = (
        f" {count_text(replaced, 'printed value')} {'is' if replaced == 1 else 'are'} replaced, with the reason given."
    )
    if serious.empty:
        yield SummaryFinding(
            headline="No printed number contradicts another"
            if len(results.study.statistics) > 1
            else "Too few printed numbers to check against each other",
            text=f"The audit checked the printed numbers against each other.{used if replaced else ''}",
            target="audit",
            links=(),
            evidence=evidence_words(results.audit),
        )
        return
    rows = records_of(serious)
    outcomes = _outcome_rows(results)
    example = next((row for row in rows if row["ledger_rows"].split(";")[0] in outcomes), rows[0])
    yield SummaryFinding(
        headline=f"{count_text(len(rows), 'contradiction')} among the printed numbers",
        text=f"For example: {example['explanation'].rstrip('.')}. Computed: {example['computed'].rstrip('.')}."
        f"{used if replaced else ''}",
        target="audit",
        links=ledger.links_of(rows),
        evidence=evidence_words(results.audit),
    )


def _outcome_rows(results: Results) -> set[str]:
    """Ledger rows of the outcomes that treatment is judged by: survival, and the first rate that is analysed."""
    definition = results.study.definition
    judged = {name for name, endpoint in definition.endpoints.items() if endpoint.kind == "time_to_event"}
    judged |= {name for analysis in results.response_analyses[:1] for name in analysis.endpoints_of(definition)}
    statistics = results.study.statistics
    return set(statistics.index[statistics["endpoint"].isin(judged)])


def _unreadable(results: Results, ledger: Ledger) -> Iterator[SummaryFinding]:
    missing = results.not_extractable
    if missing.empty:
        return
    rows = records_of(missing)
    yield SummaryFinding(
        headline=f"{count_text(len(rows), 'comparison')} cannot be turned into a hazard ratio",
        text="The paper prints too little about them; the list says what is missing for each.",
        target="not-extractable",
        links=ledger.links_of(rows),
        evidence=evidence_words(missing),
    )
