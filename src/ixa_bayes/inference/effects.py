"""Published hazard ratios read again: posteriors under each prior, and which prior would overturn them."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ixa_bayes.formulas.credibility import PrintedCredibility, analyse_printed_credibility
from ixa_bayes.formulas.normal import NormalPosterior, NormalPrior, update_normal
from ixa_bayes.formulas.printed import PrintedNumber
from ixa_bayes.inference.effect_priors import LiteraturePriors
from ixa_bayes.inference.effect_routes import extraction_table
from ixa_bayes.inference.effect_rows import (
    EVIDENCE_KIND,
    Row,
    about_ratio,
    conflict_cells,
    estimate_cells,
    hazard_ratio_columns,
    normal_cells,
    prior_cells,
)
from ixa_bayes.inference.log_rank_effects import calibration_table, log_rank_rows, simulate
from ixa_bayes.inference.result_words import told_by_tables
from ixa_bayes.models.analysis import ModelFile, analysis_from
from ixa_bayes.models.effects import EffectAnalysis
from ixa_bayes.study.effects import NotExtractable, PrintedRatio, printed_ratios
from ixa_bayes.study.ledger import Study, study_from
from ixa_bayes.study.log_rank import log_rank_prints


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
    calibration : pd.DataFrame
        Log-rank p values read by formula and by simulation.
    extraction : pd.DataFrame
        Every route from each print to a hazard ratio, beside each other.
    literature : pd.DataFrame
        Hazard ratios of the same factors in other studies, as a check of plausibility, and which
        of them may inform a prior.
    not_extractable : pd.DataFrame
        Comparisons whose effect the print does not allow to read, with what is missing.
    """

    hazard_ratios: pd.DataFrame
    credibility: pd.DataFrame
    calibration: pd.DataFrame
    extraction: pd.DataFrame
    literature: pd.DataFrame
    not_extractable: pd.DataFrame

    def __repr__(self) -> str:
        return told_by_tables(self)


def reanalyse_hazard_ratios(
    study: Study | Path | str, analysis: EffectAnalysis | ModelFile | Path | str, *, seed: int
) -> HazardRatioReanalysis:
    """Combine every published hazard ratio with every prior of an analysis.

    Printed ratios have a normal likelihood on the log scale. Log-rank p values are read by the
    formula for groups of their sizes and, beside it, calibrated by simulation; a p value printed
    as an inequality gives P(HR > c) and a bound, and the effect at its edge.

    Parameters
    ----------
    study : Study, path or str
        A study, its folder or a built-in name.
    analysis : EffectAnalysis, ModelFile, path or str
        An analysis, the file it was read from, its path, or the name of a built-in model.
    seed : int
        Of the simulations that calibrate log-rank p values.

    Returns
    -------
    HazardRatioReanalysis

    References
    ----------
    Zampieri et al. (2021), Am J Respir Crit Care Med 203:543 (the grid); Parmar et al. (1998),
    Statistics in Medicine 17:2815 (log-rank); Matthews (2018), Royal Society Open Science 5:171047,
    and Held (2019), Royal Society Open Science 6:181534 (credibility).

    Examples
    --------
    >>> import ixa_bayes as ib
    >>> found = ib.reanalyse_hazard_ratios("zhou2026", "hazard_ratios", seed=1)
    >>> os = found.hazard_ratios.query("endpoint == 'os' and factor == 'triple_class_refractory'")
    >>> sceptic = os.query("source == 'multivariable' and prior == 'neutral_moderate'")
    >>> sceptic[["hr_median", "hr_q025", "hr_q975"]].round(2).values.tolist()
    [[1.42, 0.74, 2.72]]
    """
    study, analysis = study_from(study), analysis_from(analysis, EffectAnalysis)
    ratios, without_error = printed_ratios(study)
    prints, without_effect = log_rank_prints(study)
    simulated = simulate(prints, analysis, seed=seed)
    literature = LiteraturePriors(study, analysis)
    rows = [
        row
        for ratio in ratios
        for row in _rows_of_ratio(ratio, priors=literature.priors(ratio.comparison), analysis=analysis)
    ]
    for item, found in zip(prints, simulated, strict=True):
        rows += log_rank_rows(item, found, priors=literature.priors(item.comparison), analysis=analysis)
    comparisons = [*(ratio.comparison for ratio in ratios), *(item.comparison for item in prints)]
    return HazardRatioReanalysis(
        hazard_ratios=pd.DataFrame(rows, columns=hazard_ratio_columns(analysis)),
        credibility=_credibility_table(ratios),
        calibration=calibration_table(prints, simulated),
        extraction=extraction_table(study, analysis, ratios=ratios, prints=prints, simulated=simulated),
        literature=literature.table(comparisons),
        not_extractable=_not_extractable_table([*without_error, *without_effect]),
    )


def _rows_of_ratio(ratio: PrintedRatio, *, priors: Sequence[NormalPrior], analysis: EffectAnalysis) -> Iterator[Row]:
    shared = about_ratio(ratio) | estimate_cells(ratio.log_hazard_ratio, ratio.standard_error)
    flat = NormalPosterior(np.asarray(ratio.log_hazard_ratio), np.asarray(ratio.standard_error))
    yield shared | prior_cells(None) | normal_cells(flat, analysis)
    for prior in priors:
        posterior = update_normal(ratio.log_hazard_ratio, ratio.standard_error, prior=prior)
        conflict = conflict_cells(ratio.log_hazard_ratio, ratio.standard_error, prior)
        yield shared | prior_cells(prior) | normal_cells(posterior, analysis) | conflict


def _credibility_table(ratios: Sequence[PrintedRatio]) -> pd.DataFrame:
    columns = ["endpoint", "population", "factor", "level", "comparator", "source", "printed", "significant"]
    columns += ["touches_one", "scepticism_limit_hr", "scepticism_limit_hr_lowest", "scepticism_limit_hr_highest"]
    columns += ["critical_prior_sd", "advocacy_limit_hr_nearest", "advocacy_limit_hr_furthest", "p_intrinsic"]
    columns += ["intrinsically_credible", "credible_by_matthews", "box_p_conflict", "ledger_rows", "evidence_kind"]
    rows = [_credibility_row(ratio, ratio.lower, ratio.upper) for ratio in ratios if ratio.lower and ratio.upper]
    return pd.DataFrame(rows, columns=columns)


def _credibility_row(ratio: PrintedRatio, lower: PrintedNumber, upper: PrintedNumber) -> Row:
    found: PrintedCredibility = analyse_printed_credibility(lower, upper, ci_prob=ratio.ci_prob)
    exact = found.as_printed
    limits, advocacy = found.scepticism_limits, found.advocacy_limits
    return about_ratio(ratio) | {
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
