"""Figures of hazard ratios: printed beside posterior, from prior to posterior, and the chance of harm."""

from collections.abc import Iterator, Sequence
from itertools import batched
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as MatplotlibFigure
from scipy.stats import norm

from ixa_bayes.report.display import records_of
from ixa_bayes.report.drawing import DrawnFigure, Figure, export
from ixa_bayes.report.effect_tables import (
    PRINTED_RATIOS,
    Chance,
    chances_on,
    effect_short,
    hr_interval,
    implied_interval,
    likelier_side,
    main_effects,
    median_text,
    points_below,
)
from ixa_bayes.report.plots import (
    ChanceRow,
    Curve,
    IntervalRow,
    Limits,
    Mark,
    chance_plot,
    density_plot,
    interval_plot,
    legend_of,
    plot_height,
)
from ixa_bayes.report.results import Results
from ixa_bayes.report.summary import CLEAR_UNDER_SCEPTICAL
from ixa_bayes.report.wording import DIRECTIONS, FLAT, Labels, direction_words, prior_label

WIDTH: Final = 6.4
SHOWN_STRENGTH: Final = "moderate"
MOST_EFFECTS: Final = 6
MOST_DENSITIES: Final = 8
_KEYS: Final = ["source", "endpoint", "population", "factor", "level", "comparator", "printed"]
_ROUND_LIMITS: Final = (0.1, 0.2, 0.5)

_ALONE_WORDS: Final = {
    "printed": "the estimate alone, symmetric on the log scale; its limits can differ from the print in the last digit",
    "log_rank": "the hazard ratios that the simulated log-rank test does not reject, which is another method than the "
    "rows below it: not to be compared with them digit by digit",
}

Effect = list[dict[str, Any]]


def effects_of(hazard_ratios: pd.DataFrame) -> list[Effect]:
    """Rows of the table grouped by effect, in order; the first row of each is the print alone."""
    groups: dict[tuple[str, ...], Effect] = {}
    for row in records_of(hazard_ratios):
        groups.setdefault(tuple(str(row[key]) for key in _KEYS), []).append(row)
    return list(groups.values())


def shown(effect: Effect) -> Effect:
    """The print alone, the moderate priors of the grid, and every prior outside the grid."""
    return [row for row in effect if _kind(row["prior"]) != "other" or row["prior"].partition("_")[0] not in DIRECTIONS]


def _kind(prior: str) -> str:
    direction, _, strength = prior.partition("_")
    if prior == FLAT:
        return "printed"
    return direction if direction in DIRECTIONS and strength == SHOWN_STRENGTH else "other"


def hazard_ratio_figures(results: Results) -> Iterator[DrawnFigure]:
    """Forest plots, chances of harm and prior-to-posterior densities of every effect."""
    labels = Labels(results.study.definition)
    effects = effects_of(main_effects(results.hazard_ratios))
    printed = [effect for effect in effects if effect[0]["source"] in PRINTED_RATIOS]
    families = {
        ("printed", "printed hazard ratios"): printed,
        ("log_rank", "read from log-rank p values"): [effect for effect in effects if effect not in printed],
    }
    for (name, words), same in families.items():
        for part, few in enumerate(batched(same, MOST_EFFECTS, strict=False), start=1):
            number = f"_{part}" if len(same) > MOST_EFFECTS else ""
            yield _forest(few, labels, name=f"forest_{name}{number}", source=words)
            yield _chances(few, labels, name=f"chances_{name}{number}", source=words)
    for position, effect in enumerate(printed[:MOST_DENSITIES], start=1):
        yield _densities(effect, labels, name=f"prior_to_posterior_{position}")


def ratio_limits(marks: Sequence[Mark]) -> Limits:
    """Axis for ratios: every median fits, and no single far limit squashes the rest.

    The axis reaches to the furthest interval end, but no further than one and a half times beyond
    the furthest median or one-sided bound (and at least 0.1 to 10); what goes beyond is drawn as an arrow.
    """
    ends = [end for mark in marks if np.isnan(mark.median) for end in (mark.lower, mark.upper) if 0 < end < np.inf]
    medians = [mark.median for mark in marks if 0 < mark.median < np.inf] + ends or [1.0]
    low = max(min(mark.lower for mark in marks), min(0.1, min(medians) / 1.5))
    high = min(max(mark.upper for mark in marks), max(10.0, max(medians) * 1.5))
    return _to_round(min(low, 0.5), down=True), _to_round(max(high, 2.0), down=False)


def _to_round(limit: float, *, down: bool) -> float:
    """The next round ratio beyond a limit near 1, so that a tick stands there; a far limit stays."""
    if down:
        return max((tick for tick in _ROUND_LIMITS if tick <= limit), default=limit)
    return min((1 / tick for tick in _ROUND_LIMITS if 1 / tick >= limit), default=limit)


def _mark(row: dict[str, Any]) -> Mark:
    if row["driven_by_prior"]:
        # A p below a bound bounds one side only; the other limit would be the prior's.
        away = np.inf if row["hr_bound"] > 1 else 0.0
        lower, upper = sorted((row["hr_bound"], away))
        return Mark(_kind(row["prior"]), median=np.nan, lower=lower, upper=upper)
    return Mark(_kind(row["prior"]), median=row["hr_median"], lower=row["hr_q025"], upper=row["hr_q975"])


def _evidence(effects: Sequence[Effect]) -> tuple[str, tuple[str, ...]]:
    """The weakest kind of evidence of a figure's rows, and their ledger rows."""
    rows = [row for effect in effects for row in effect[:1]]
    ids = ";".join(row["ledger_rows"] for row in rows).split(";")
    return rows[0]["evidence_kind"], tuple(dict.fromkeys(ids))


def _row_label(row: dict[str, Any]) -> str:
    if row["prior"] == FLAT:
        return "no prior"
    kind = _kind(row["prior"])
    if kind == "neutral":
        return "no effect (sceptical)"
    if kind not in DIRECTIONS:
        return prior_label(row["prior"])
    # "Effect of the stated size (HR 2.0)" needs two lines, which touch those above and below.
    return direction_words(kind, row["prior_mean"]).replace(DIRECTIONS["optimistic"], "stated effect")


def _forest(effects: Sequence[Effect], labels: Labels, *, name: str, source: str) -> DrawnFigure:
    rows = [
        IntervalRow(_row_label(row), (_mark(row),), hr_interval(row), heading=effect_short(row, labels))
        for effect in effects
        for row in shown(effect)
    ]
    limits = ratio_limits([mark for row in rows for mark in row.marks])
    drawing, axes = _canvas(plot_height([row.heading for row in rows], line_height=0.22))
    interval_plot(
        rows, axes, limits=limits, xlabel="hazard ratio, log scale (above 1: worse outcome)", reference=1.0, ratio=True
    )
    evidence_kind, ledger_rows = _evidence(effects)
    cut = [row for row in rows for mark in row.marks if mark.upper > limits[1] or mark.lower < limits[0]]
    note = " An arrow head marks an interval that goes on beyond the axis; its numbers are at the right." if cut else ""
    if any(row["driven_by_prior"] for effect in effects for row in effect):
        note += " “At least” and “at most”: p is printed as below a bound, which bounds one side only."
    numbers = ". ".join(_effect_numbers(effect, labels) for effect in effects)
    alone = _ALONE_WORDS["printed" if effects[0][0]["source"] in PRINTED_RATIOS else "log_rank"]
    return export(
        Figure(
            name,
            title=f"Hazard ratios without and with moderate priors: {source}",
            alt=f"Forest plot, median and 95% interval. {numbers}.",
            caption="The same printed effect, read alone and by readers with different beliefs: median and 95% "
            f"interval. {_prior_ranges(effects)} “No prior” is {alone}.{note}",
            evidence_kind=evidence_kind,
            ledger_rows=ledger_rows,
            section="hazard-ratios",
        ),
        drawing,
    )


def _prior_ranges(effects: Sequence[Effect]) -> str:
    """What each prior that is drawn expects: the opposite one may be wider than the sceptic's, and so give way more."""
    rows = [row for effect in effects for row in shown(effect) if row["prior"] != FLAT and row["prior_sd"] > 0]
    told = dict.fromkeys(f"{_row_label(row)} {implied_interval(row)}" for row in rows)
    return f"Hazard ratios that each prior expects with 95%: {'; '.join(told)}." if told else ""


def _effect_numbers(effect: Effect, labels: Labels) -> str:
    numbers = "; ".join(f"{_row_label(row)} {hr_interval(row)}" for row in shown(effect))
    return f"{effect_short(effect[0], labels)}: {numbers}"


def _canvas(plot: float, *, left: float = 0.345, right: float = 0.735, above: float = 0.1) -> tuple[Any, Any]:
    """A figure with margins for names at the left and numbers at the right, and its axes."""
    below = 0.62
    height = plot + above + below
    drawing = MatplotlibFigure(figsize=(WIDTH, height))
    bottom = below / height
    axes = drawing.add_axes((left, bottom, right - left, plot / height))
    return drawing, axes


def _chances(effects: Sequence[Effect], labels: Labels, *, name: str, source: str) -> DrawnFigure:
    stated = [
        (effect, chance)
        for effect in effects
        for chance in chances_on(pd.DataFrame(effect[:1]), below=points_below(effect[0]))
    ]
    kinds = [kind for kind in ("printed", *DIRECTIONS) if any(_kind(r["prior"]) == kind for e in effects for r in e)]
    rows = [
        ChanceRow(
            chance.label,
            {_kind(row["prior"]): chance.of(row) for row in shown(effect) if _kind(row["prior"]) in kinds},
            heading=effect_short(effect[0], labels),
        )
        for effect, chance in stated
    ]
    drawing, axes = _canvas(plot_height([row.heading for row in rows], line_height=0.22), right=0.95, above=0.5)
    chance_plot(rows, axes, xlabel="posterior probability", clear=CLEAR_UNDER_SCEPTICAL)
    legend_of(kinds, axes, words={"printed": "no prior"})
    evidence_kind, ledger_rows = _evidence(effects)
    numbers = ". ".join(_chance_numbers(effect, chance, kinds, labels) for effect, chance in stated)
    protects = " For a factor that rather protects, the probability that it lies below 1 or an inverse of these."
    return export(
        Figure(
            name,
            title=f"How probable is an effect, and one of a size that matters: {source}",
            alt=f"Strips of posterior probabilities. {numbers}.",
            caption="Posterior probability that the hazard ratio exceeds each value."
            f"{protects if any(chance.below for _, chance in stated) else ''} Dotted: {CLEAR_UNDER_SCEPTICAL}, "
            "what the sceptic must reach before this report calls a direction clear. Points far apart: the answer "
            "depends on the prior.",
            evidence_kind=evidence_kind,
            ledger_rows=ledger_rows,
            section="hazard-ratios",
        ),
        drawing,
    )


def _chance_numbers(effect: Effect, chance: Chance, kinds: Sequence[str], labels: Labels) -> str:
    told = [f"{chance.text(row)} ({_kind(row['prior'])})" for row in shown(effect) if _kind(row["prior"]) in kinds]
    return f"{effect_short(effect[0], labels)}, {chance.label}: {', '.join(told)}"


def _densities(effect: Effect, labels: Labels, *, name: str) -> DrawnFigure:
    flat = effect[0]
    updated = [row for row in effect if _kind(row["prior"]) in DIRECTIONS]
    limits = (
        max(0.02, min(0.1, flat["hr_q025"] / 1.5)),
        min(500.0, max(10.0, flat["hr_median"] * 3)),
    )
    drawing = MatplotlibFigure(figsize=(WIDTH, 0.9 + 1.35 * max(len(updated), 1)), layout="constrained")
    panels = np.atleast_1d(drawing.subplots(max(len(updated), 1), 1, sharex=True))
    for row, axes in zip(updated, panels, strict=False):
        direction = direction_words(_kind(row["prior"]), row["prior_mean"])
        title = f"Prior: {direction}. Posterior HR {hr_interval(row)}, {likelier_side(row)}"
        density_plot(_curves(flat, row, limits), axes, limits=limits, title=title)
        axes.legend(loc="upper left")
    panels[-1].set_xlabel("hazard ratio, log scale (above 1: worse outcome)")
    evidence_kind, ledger_rows = _evidence([effect])
    return export(
        Figure(
            name,
            title=f"From prior to posterior: {effect_short(flat, labels)}",
            alt=f"Densities of the hazard ratio, one panel per moderate prior. {_effect_numbers(effect, labels)}. "
            f"The printed estimate alone peaks at {median_text(flat)}.",
            caption="Dashed: what is believed before, here the moderate prior of each kind. Dotted: what the paper "
            f"prints. Filled: both combined. {_prior_ranges([effect])} "
            "The posterior lies nearer to whichever is narrower.",
            evidence_kind=evidence_kind,
            ledger_rows=ledger_rows,
            section="hazard-ratios",
        ),
        drawing,
    )


def _curves(flat: dict[str, Any], row: dict[str, Any], limits: Limits) -> list[Curve]:
    """Prior, likelihood and posterior: normal densities of the log hazard ratio."""
    log_hr = np.linspace(np.log(limits[0]), np.log(limits[1]), 160)
    posterior_sd = (row["log_hr_se"] ** -2 + row["prior_sd"] ** -2) ** -0.5
    shapes = {
        ("prior", "prior"): (row["prior_mean"], row["prior_sd"]),
        ("printed", "as printed"): (flat["log_hr"], flat["log_hr_se"]),
        (_kind(row["prior"]), "posterior"): (np.log(row["hr_median"]), posterior_sd),
    }
    return [
        Curve(kind, label, np.exp(log_hr), norm.pdf(log_hr, mean, sd)) for (kind, label), (mean, sd) in shapes.items()
    ]
