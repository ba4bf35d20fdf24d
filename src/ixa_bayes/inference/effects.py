"""Published hazard ratios read again: posteriors under each prior, and which prior would overturn them."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from ixa_bayes.formulas.credibility import PrintedCredibility, analyse_printed_credibility
from ixa_bayes.formulas.normal import (
    HazardRatioSummary,
    NormalPosterior,
    NormalPrior,
    summarise_hazard_ratio,
    update_normal,
)
from ixa_bayes.formulas.printed import PrintedNumber
from ixa_bayes.models.effects import EffectAnalysis
from ixa_bayes.study.effects import Comparison, NotExtractable, PrintedRatio, printed_ratios
from ixa_bayes.study.ledger import Study

EVIDENCE_KIND: Final = "published_effect"
FLAT: Final = "flat"


@dataclass(frozen=True, eq=False)
class HazardRatioReanalysis:
    """Every published hazard ratio under every prior.

    Attributes
    ----------
    hazard_ratios : pd.DataFrame
        One row per effect and prior, columns of ``hazard_ratios.csv``. The prior ``flat`` is the
        evidence alone.
    credibility : pd.DataFrame
        One row per printed interval: the analysis of credibility.
    not_extractable : pd.DataFrame
        Comparisons whose effect the print does not allow to read, with what is missing.
    """

    hazard_ratios: pd.DataFrame
    credibility: pd.DataFrame
    not_extractable: pd.DataFrame


def reanalyse_hazard_ratios(study: Study, analysis: EffectAnalysis) -> HazardRatioReanalysis:
    """Combine every published hazard ratio with every prior of an analysis.

    Parameters
    ----------
    study : Study
    analysis : EffectAnalysis

    Returns
    -------
    HazardRatioReanalysis

    References
    ----------
    Zampieri et al. (2021), Am J Respir Crit Care Med 203:543 (the grid); Matthews (2018), Royal
    Society Open Science 5:171047, and Held (2019), Royal Society Open Science 6:181534 (credibility).
    """
    ratios, missing = printed_ratios(study)
    rows = [row for ratio in ratios for row in _rows_of_ratio(ratio, analysis)]
    return HazardRatioReanalysis(
        hazard_ratios=pd.DataFrame(rows, columns=hazard_ratio_columns(analysis)),
        credibility=pd.DataFrame(
            [_credibility_row(ratio, ratio.lower, ratio.upper) for ratio in ratios if ratio.lower and ratio.upper]
        ),
        not_extractable=_not_extractable_table(missing),
    )


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
        "prior_mean",
        "prior_sd",
        "prior_source",
        "log_hr",
        "log_hr_se",
        "driven_by_prior",
        "printed",
        "ledger_rows",
        "evidence_kind",
    ]


def _threshold_column(threshold: float) -> str:
    return f"p_gt_{threshold:g}".replace(".", "_")


def _rows_of_ratio(ratio: PrintedRatio, analysis: EffectAnalysis) -> Iterator[dict[str, object]]:
    about = _about(
        ratio.comparison, source=ratio.adjustment, printed=_printed_text(ratio), ledger_rows=ratio.ledger_rows
    )
    flat = NormalPosterior(np.asarray(ratio.log_hazard_ratio), np.asarray(ratio.standard_error))
    estimate = {"log_hr": ratio.log_hazard_ratio, "log_hr_se": ratio.standard_error, "driven_by_prior": False}
    yield about | estimate | _prior_cells(None) | _summary_cells(flat, analysis)
    for prior in analysis.all_priors():
        posterior = update_normal(ratio.log_hazard_ratio, ratio.standard_error, prior=prior)
        yield about | estimate | _prior_cells(prior) | _summary_cells(posterior, analysis)


def _about(comparison: Comparison, *, source: str, printed: str, ledger_rows: Sequence[str]) -> dict[str, object]:
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


def _printed_text(ratio: PrintedRatio) -> str:
    text = f"HR {ratio.hazard_ratio.text}"
    if ratio.lower and ratio.upper:
        text += f" ({100 * ratio.ci_prob:g}% CI {ratio.lower.text} to {ratio.upper.text})"
    return f"{text}, p {ratio.p}" if ratio.p else text


def _prior_cells(prior: NormalPrior | None) -> dict[str, object]:
    if prior is None:
        source = "no prior: the evidence alone"
        return {"prior": FLAT, "prior_mean": math.nan, "prior_sd": math.nan, "prior_source": source}
    return {"prior": prior.name, "prior_mean": prior.mean, "prior_sd": prior.sd, "prior_source": prior.source}


def _summary_cells(posterior: NormalPosterior, analysis: EffectAnalysis) -> dict[str, object]:
    summary: HazardRatioSummary = summarise_hazard_ratio(
        posterior, thresholds=analysis.thresholds, rope=analysis.equivalence
    )
    return {
        "hr_median": float(summary.median),
        "hr_q025": float(summary.lower),
        "hr_q975": float(summary.upper),
        "p_practically_equal": float(summary.p_rope),
        **{_threshold_column(threshold): float(p) for threshold, p in summary.p_above.items()},
    }


def _credibility_row(ratio: PrintedRatio, lower: PrintedNumber, upper: PrintedNumber) -> dict[str, object]:
    found: PrintedCredibility = analyse_printed_credibility(lower, upper, ci_prob=ratio.ci_prob)
    exact = found.as_printed
    limits, advocacy = found.scepticism_limits, found.advocacy_limits
    return _about(
        ratio.comparison, source=ratio.adjustment, printed=_printed_text(ratio), ledger_rows=ratio.ledger_rows
    ) | {
        "significant": exact.significant,
        "touches_one": found.touches_one,
        "scepticism_limit_hr": _ratio_or_nan(exact.scepticism_limit),
        "scepticism_limit_hr_lowest": _ratio_or_nan(limits[0] if limits else None),
        "scepticism_limit_hr_highest": _ratio_or_nan(limits[1] if limits else None),
        "critical_prior_sd": math.nan if exact.critical_prior_sd is None else exact.critical_prior_sd,
        "advocacy_limit_hr_nearest": _ratio_or_nan(advocacy[0] if advocacy else None),
        "advocacy_limit_hr_furthest": _ratio_or_nan(advocacy[1] if advocacy else None),
        "p_intrinsic": exact.p_intrinsic,
        "intrinsically_credible": exact.intrinsically_credible,
        "credible_by_matthews": exact.credible_by_matthews,
        "box_p_conflict": math.nan if exact.box_p_conflict is None else exact.box_p_conflict,
    }


def _ratio_or_nan(log_ratio: float | None) -> float:
    """Ratio of a log limit; NaN where the limit is not defined, infinite where it exceeds a float."""
    if log_ratio is None:
        return math.nan
    return math.exp(log_ratio) if log_ratio < 709 else math.inf


def _not_extractable_table(missing: Sequence[NotExtractable]) -> pd.DataFrame:
    columns = ["endpoint", "population", "factor", "level", "comparator", "missing", "ledger_rows", "evidence_kind"]
    rows = [
        {
            **vars(item.comparison),
            "missing": item.missing,
            "ledger_rows": ";".join(item.ledger_rows),
            "evidence_kind": EVIDENCE_KIND,
        }
        for item in missing
    ]
    return pd.DataFrame(rows, columns=columns)
