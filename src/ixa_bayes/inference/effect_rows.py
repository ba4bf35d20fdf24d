"""Rows of ``hazard_ratios.csv``: one effect under one prior, in the columns that every effect shares."""

import math
from collections.abc import Sequence
from typing import Final

from ixa_bayes.formulas.normal import IntervalPosterior, NormalPosterior, NormalPrior, summarise_hazard_ratio
from ixa_bayes.models.effects import EffectAnalysis
from ixa_bayes.study.effects import Comparison

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
        *(_threshold_column(threshold) for threshold in analysis.thresholds),
        "p_practically_equal",
        "driven_by_prior",
        "hr_bound",
        "prior_mean",
        "prior_sd",
        "prior_source",
        "log_hr",
        "log_hr_se",
        "printed",
        "ledger_rows",
        "evidence_kind",
    ]


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
    """Summary of a normal posterior."""
    summary = summarise_hazard_ratio(posterior, thresholds=analysis.thresholds, rope=analysis.equivalence)
    return {
        "hr_median": float(summary.median),
        "hr_q025": float(summary.lower),
        "hr_q975": float(summary.upper),
        "p_practically_equal": float(summary.p_rope),
        "driven_by_prior": False,
        "hr_bound": math.nan,
        **{_threshold_column(threshold): float(p) for threshold, p in summary.p_above.items()},
    }


def interval_cells(posterior: IntervalPosterior, analysis: EffectAnalysis) -> Row:
    """Summary of a posterior from a p value printed as an inequality.

    P(HR > c) and the bound nearest to 1 speak of the data; median and far limit are the prior's.
    """
    low, high = analysis.equivalence
    one_sided = math.isinf(posterior.z_low) != math.isinf(posterior.z_high)
    return {
        "hr_median": posterior.quantile(0.5),
        "hr_q025": posterior.quantile(0.025),
        "hr_q975": posterior.quantile(0.975),
        "p_practically_equal": posterior.p_above(low) - posterior.p_above(high),
        "driven_by_prior": True,
        "hr_bound": posterior.bound_nearest_null(BOUND_PROBABILITY) if one_sided else math.nan,
        **{_threshold_column(threshold): posterior.p_above(threshold) for threshold in analysis.thresholds},
    }


def _threshold_column(threshold: float) -> str:
    return f"p_gt_{threshold:g}".replace(".", "_")
