"""What one reanalysis found: the tables that files, figures and the page are made from."""

from dataclasses import dataclass

import pandas as pd
import xarray as xr

from ixa_bayes.models.effects import EffectAnalysis
from ixa_bayes.models.response_analysis import ResponseAnalysis
from ixa_bayes.report.record import Provenance
from ixa_bayes.study.ledger import Study


@dataclass(frozen=True, eq=False)
class Results:
    """Everything a report shows.

    Attributes
    ----------
    study : Study
    audit : pd.DataFrame
        Findings, columns of ``audit.csv``, worst first.
    response, response_contrast : pd.DataFrame
        Columns of ``response.csv`` and ``response_contrast.csv``.
    response_counts : pd.DataFrame
        What the print allows as counts, table by table, and the literature prior or "none".
    response_priors : pd.DataFrame
        What each prior on a rate implies before any data.
    hazard_ratios, credibility, calibration, extraction, not_extractable : pd.DataFrame
        See :class:`ixa_bayes.inference.effects.HazardRatioReanalysis`.
    literature : pd.DataFrame
        Hazard ratios from other studies for the factors at hand: a check of plausibility.
    diagnostics : pd.DataFrame
        Convergence of every sampled model.
    posteriors : dict of str to xr.DataTree
        Sampled posteriors by name.
    effect_analysis : EffectAnalysis
    response_analyses : tuple of ResponseAnalysis
        The analyses as their files state them.
    provenance : Provenance
    """

    study: Study
    audit: pd.DataFrame
    response: pd.DataFrame
    response_contrast: pd.DataFrame
    response_counts: pd.DataFrame
    response_priors: pd.DataFrame
    hazard_ratios: pd.DataFrame
    credibility: pd.DataFrame
    calibration: pd.DataFrame
    extraction: pd.DataFrame
    not_extractable: pd.DataFrame
    literature: pd.DataFrame
    diagnostics: pd.DataFrame
    posteriors: dict[str, xr.DataTree]
    effect_analysis: EffectAnalysis
    response_analyses: tuple[ResponseAnalysis, ...]
    provenance: Provenance
