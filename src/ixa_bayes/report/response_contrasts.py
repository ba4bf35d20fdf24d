"""What the first screen says of two groups' rates: every contrast by both models, and where the models disagree."""

from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from ixa_bayes.report.display import records_of
from ixa_bayes.report.response_tables import ALONE, MODEL_WORDS, POOLED, prior_words, with_interval
from ixa_bayes.report.results import Results
from ixa_bayes.report.wording import Labels, count_text, p_text, points_text, probability_text

CLEAR: Final = 0.975
MOST_NAMED: Final = 6
_PAIR: Final = ["population", "factor", "level", "comparator", "candidate"]

Contrast = dict[str, dict[str, Any]]
"""Model to row: one pair of groups under each model that gave a number."""


@dataclass(frozen=True)
class ContrastWords:
    """The card on response, without its links.

    Attributes
    ----------
    headline, text : str
    items : tuple of str
        An entry per pair of groups.
    rows : tuple of dict
        The result rows that the words rest on.
    """

    headline: str
    text: str
    items: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]


def contrast_words(results: Results, labels: Labels) -> ContrastWords | None:
    """Every contrast of the first endpoint by each model, in the study's order; None where no groups are compared."""
    contrasts = _main_contrasts(results)
    if not contrasts:
        return None
    first = next(iter(contrasts[0].values()))
    models = [model for model in (POOLED, ALONE) if any(model in contrast for contrast in contrasts)]
    disagreed = [contrast for contrast in contrasts if len({_is_clear(row) for row in contrast.values()}) > 1]
    items = [_item(contrast, labels, pooled=POOLED in models) for contrast in contrasts[:MOST_NAMED]]
    left = len(contrasts) - len(items)
    rule = f"Clear: probability of the likelier side at least {probability_text(CLEAR)}."
    doubt = (
        f" The two models disagree on {len(disagreed)} of {len(contrasts)}: there the answer depends on the model."
        if disagreed
        else ""
    )
    return ContrastWords(
        headline=_headline(contrasts, models),
        text=f"{rule}{doubt} {labels.endpoint(first['endpoint'])}, first group against second, in percentage points"
        f"{_models_named(max(contrasts, key=len))}:",
        items=(*items, f"and {count_text(left, 'more contrast')}") if left > 0 else tuple(items),
        rows=tuple(row for contrast in contrasts for row in contrast.values()),
    )


def _headline(contrasts: list[Contrast], models: list[str]) -> str:
    """How many contrasts are clear by each model, which is named."""
    counts = {m: (sum(_is_clear(c[m]) for c in contrasts if m in c), sum(m in c for c in contrasts)) for m in models}
    (model, (clear, of)), *others = counts.items()
    verb = "is" if of == 1 or clear == 1 else "are"
    beside = "".join(f", {also} of {n} with {MODEL_WORDS[other]}" for other, (also, n) in others)
    joined = f"if {MODEL_WORDS[model]}" if model == POOLED else f"with {MODEL_WORDS[model]}"
    return f"{clear} of {count_text(of, 'response contrast')} {verb} clear {joined}{beside}"


def _models_named(contrast: Contrast) -> str:
    """By which model each number is, told once for every entry."""
    words = [prior_words(row) for row in contrast.values()]
    return f" ({words[0]})" if len(words) == 1 else f" ({words[0]}; then, as “alone”, {words[1]})"


def _item(contrast: Contrast, labels: Labels, *, pooled: bool) -> str:
    """A pair of groups; where other pairs are pooled, a number that is not says so."""
    first = next(iter(contrast.values()))
    reading = f" (reading {first['candidate']:.0f})" if first["n_candidates"] > 1 else ""
    comparison = labels.comparison(first["factor"], first["level"], first["comparator"])
    told = "; ".join(
        f"{'alone ' if pooled and model == ALONE else ''}{with_interval(row, points_text)}, {_likelier_side(row)}"
        for model, row in contrast.items()
    )
    return f"{comparison}{reading}: {told}; Fisher p {p_text(first['fisher_p'])}"


def _likelier_side(row: dict[str, Any]) -> str:
    lower = row["p_level_lower"] >= 0.5
    chance = row["p_level_lower"] if lower else 1 - row["p_level_lower"]
    return f"P({'lower' if lower else 'higher'}) {probability_text(chance, row['mcse_p_level_lower'])}"


def _is_clear(row: dict[str, Any]) -> bool:
    return bool(max(row["p_level_lower"], 1 - row["p_level_lower"]) >= CLEAR)


def _main_contrasts(results: Results) -> list[Contrast]:
    """Pairs of the first endpoint that is analysed, in the main population where it has any."""
    table = results.response_contrast
    if table.empty:
        return []
    table = table[table["measure"].eq("difference") & table["basis"].eq("used") & table["median"].notna()]
    primary = _first_endpoint(results, table)
    main = primary[primary["population"].eq(results.study.definition.main_population)]
    found: dict[tuple[Any, ...], Contrast] = {}
    # The first prior of each model, which leans to no side, stands for it here; the tables have the others.
    for row in records_of(main if not main.empty else primary):
        found.setdefault(tuple(row[key] for key in _PAIR), {}).setdefault(row["model"], row)
    return [{model: pair[model] for model in (POOLED, ALONE) if model in pair} for pair in found.values()]


def _first_endpoint(results: Results, table: pd.DataFrame) -> pd.DataFrame:
    """Rows of the first endpoint that a response analysis names."""
    for analysis in results.response_analyses:
        for endpoint in analysis.endpoints_of(results.study.definition):
            rows = table[table["endpoint"].eq(endpoint)]
            if not rows.empty:
                return rows
    return table
