"""Rows of ``hazard_ratios.csv``: one effect under one prior, in the columns that every effect shares."""

import math
from collections.abc import Sequence
from typing import Final

from scipy.special import ndtr

from ixa_bayes.formulas.log_rank_likelihood import ConfidenceDistribution, GridPosterior
from ixa_bayes.formulas.normal import IntervalPosterior, NormalPosterior, NormalPrior, summarise_hazard_ratio
from ixa_bayes.models.effects import EffectAnalysis
from ixa_bayes.study.effects import Comparison, PrintedRatio
from ixa_bayes.study.log_rank import LogRankPrint

EVIDENCE_KIND: Final = "published_effect"
FLAT: Final = "flat"
BOUND_PROBABILITY: Final = 0.975

Row = dict[str, object]


def hazard_ratio_columns(analysis: EffectAnalysis) -> list[str]:
    """Columns of ``hazard_ratios.csv``; one ``p_gt_c`` per threshold of the analysis."""
    return [
        "endpoint",
        "population",
        "factor",
        "level",
        "comparator",
        "source",
        "prior",
        "hr_median",
        "hr_q025",
        "hr_q975",
        *(threshold_column(threshold) for threshold in analysis.thresholds),
        "p_practically_equal",
        "driven_by_prior",
        "open_limit",
        "hr_bound",
        "prior_conflict_p",
        *(f"mcse_{name}" for name in summarised(analysis)),
        "prior_mean",
        "prior_sd",
        "prior_source",
        "log_hr",
        "log_hr_se",
        "printed",
        "ledger_rows",
        "evidence_kind",
    ]


def summarised(analysis: EffectAnalysis) -> list[str]:
    """Columns with a posterior's numbers, each of which has a Monte Carlo error of its own."""
    thresholds = [threshold_column(threshold) for threshold in analysis.thresholds]
    return ["hr_median", "hr_q025", "hr_q975", *thresholds, "p_practically_equal"]


def exact_cells(analysis: EffectAnalysis) -> Row:
    """Cells of a number that no simulation has touched."""
    undefined: Row = {"driven_by_prior": False, "open_limit": "", "hr_bound": math.nan, "prior_conflict_p": math.nan}
    return undefined | {f"mcse_{name}": 0.0 for name in summarised(analysis)}


def about(comparison: Comparison, *, source: str, printed: str, ledger_rows: Sequence[str]) -> Row:
    """What an effect is about, how it was read, and the rows it rests on."""
    return {
        "endpoint": comparison.endpoint,
        "population": comparison.population,
        "factor": comparison.factor,
        "level": comparison.level,
        "comparator": comparison.comparator,
        "source": source,
        "printed": printed,
        "ledger_rows": ";".join(ledger_rows),
        "evidence_kind": EVIDENCE_KIND,
    }


def about_ratio(ratio: PrintedRatio) -> Row:
    """What a printed ratio is about, and how it is printed."""
    printed = f"HR {ratio.hazard_ratio.text}"
    if ratio.lower and ratio.upper:
        printed += f" ({100 * ratio.ci_prob:g}% CI {ratio.lower.text} to {ratio.upper.text})"
    if ratio.p:
        printed += f", p {ratio.p}"
    if ratio.at_edge:
        printed += ", read at the edge: the error is at most this"
    return about(ratio.comparison, source=ratio.adjustment, printed=printed, ledger_rows=ratio.ledger_rows)


def about_log_rank(item: LogRankPrint, *, source: str) -> Row:
    """What a log-rank test is about, and how it is printed."""
    p = item.p.text if item.p.operator != "=" else f"= {item.p.number.text}"
    medians = f", medians {item.medians[0]} and {item.medians[1]}" if all(item.medians) else ""
    return about(
        item.comparison, source=source, printed=f"p {p} (read as log-rank){medians}", ledger_rows=item.ledger_rows
    )


def estimate_cells(log_hazard_ratio: float, standard_error: float) -> Row:
    """The evidence before any prior."""
    return {"log_hr": log_hazard_ratio, "log_hr_se": standard_error}


def prior_cells(prior: NormalPrior | None) -> Row:
    """The prior in its own columns; None is the evidence alone."""
    if prior is None:
        source = "no prior: the evidence alone"
        return {"prior": FLAT, "prior_mean": math.nan, "prior_sd": math.nan, "prior_source": source}
    return {"prior": prior.name, "prior_mean": prior.mean, "prior_sd": prior.sd, "prior_source": prior.source}


def normal_cells(posterior: NormalPosterior, analysis: EffectAnalysis) -> Row:
    """Summary of a normal posterior; exact."""
    summary = summarise_hazard_ratio(posterior, thresholds=analysis.thresholds, rope=analysis.equivalence)
    return exact_cells(analysis) | {
        "hr_median": float(summary.median),
        "hr_q025": float(summary.lower),
        "hr_q975": float(summary.upper),
        "p_practically_equal": float(summary.p_rope),
        **{threshold_column(threshold): float(p) for threshold, p in summary.p_above.items()},
    }


def interval_cells(posterior: IntervalPosterior, analysis: EffectAnalysis) -> Row:
    """Summary of a posterior from a p value printed as an inequality.

    Where p is below a bound, P(HR > c) and the bound nearest to 1 speak of the data; median and far limit are the
    prior's. A p above a bound (or ``NS``) holds z on both sides: its median and interval are the data's as well.
    """
    one_sided = math.isinf(posterior.z_low) != math.isinf(posterior.z_high)
    bound = posterior.bound_nearest_null(BOUND_PROBABILITY) if one_sided else math.nan
    cells = exact_cells(analysis) | posterior_cells(posterior, analysis)
    open_limit = ("upper" if math.isinf(posterior.z_high) else "lower") if one_sided else ""
    return cells | {"driven_by_prior": one_sided, "open_limit": open_limit, "hr_bound": bound}


def posterior_cells(
    posterior: IntervalPosterior | GridPosterior | ConfidenceDistribution, analysis: EffectAnalysis
) -> dict[str, float]:
    """Median, interval and probabilities of a posterior that is known by its quantiles."""
    low, high = analysis.equivalence
    return {
        "hr_median": posterior.quantile(0.5),
        "hr_q025": posterior.quantile(0.025),
        "hr_q975": posterior.quantile(0.975),
        "p_practically_equal": posterior.p_above(low) - posterior.p_above(high),
        **{threshold_column(threshold): posterior.p_above(threshold) for threshold in analysis.thresholds},
    }


def conflict_cells(log_hazard_ratio: float, standard_error: float, prior: NormalPrior) -> Row:
    """Prior-data conflict: two-sided prior predictive p of the estimate (Box 1980, JRSS A 143:383)."""
    distance = abs(log_hazard_ratio - prior.mean) / math.hypot(standard_error, prior.sd)
    return {"prior_conflict_p": float(2 * ndtr(-distance))}


def threshold_column(threshold: float) -> str:
    """Column of P(HR > c)."""
    return f"p_gt_{threshold:g}".replace(".", "_")
