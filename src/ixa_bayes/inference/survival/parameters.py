"""Draws of a survival program under the names of the model, and their log-likelihood and log prior."""

from typing import Final

import numpy as np
import pandas as pd
import xarray as xr

from ixa_bayes.formulas.piecewise import INTERVAL
from ixa_bayes.inference.survival.question import SurvivalQuestion
from ixa_bayes.models.missing import (
    log_pattern_probability,
    missing_log_prior,
    missing_parameters,
    pattern_eta,
)
from ixa_bayes.models.over_time import CHANGE_Z, change_log_prior, change_parameters, walks_of
from ixa_bayes.models.piecewise import (
    piecewise_law,
    piecewise_log_prior,
    piecewise_parameters,
)
from ixa_bayes.models.ratio_priors import (
    COEFFICIENT,
    LOG_HAZARD_RATIO,
    joined_ratios,
    log_ratio_prior,
    ratios_by_interval,
    shrunk_names,
)
from ixa_bayes.models.shrinkage import shrinkage_log_prior, shrinkage_parameters
from ixa_bayes.models.survival_analysis import SurvivalAnalysis, WeibullBaseline
from ixa_bayes.models.survival_likelihood import Law, log_likelihood, log_likelihood_of_patterns
from ixa_bayes.models.survival_rows import ROW
from ixa_bayes.models.weibull import (
    weibull_law,
    weibull_log_prior,
    weibull_parameters,
)

MOST_TERMS: Final = 20_000_000
"""Numbers of one array of the log-likelihood that are held at once (0.16 GB); more rows are taken block by block."""


def parameters_of(draws: xr.Dataset, question: SurvivalQuestion) -> xr.Dataset:
    """Draws of a compiled program under the names of the model."""
    baseline = question.analysis.baseline
    if isinstance(baseline, WeibullBaseline):
        parameters = weibull_parameters(draws, baseline)
    else:
        parameters = piecewise_parameters(draws, question.cuts)
    if question.design.priors:
        parameters[LOG_HAZARD_RATIO] = joined_ratios(draws, question.design.priors)
    if changing := question.changing:
        ratios = parameters[LOG_HAZARD_RATIO]
        parameters = parameters.merge(change_parameters(draws, ratios, changing=changing, cuts=question.cuts))
    if question.analysis.shrinkage:
        parameters = parameters.merge(shrinkage_parameters(draws, shrunk_names(question.design.priors)))
    if question.patterns.covariates:
        parameters = parameters.merge(missing_parameters(draws, question.patterns))
    return parameters


def pointwise_log_likelihood(parameters: xr.Dataset, question: SurvivalQuestion) -> xr.DataArray:
    """Log-likelihood of each row at each draw, dims (chain, draw, row); missing covariates are summed out."""
    n_rows = question.rows.event.size
    per_row = parameters.sizes["chain"] * parameters.sizes["draw"] * len(question.patterns.bits)
    per_row *= question.structure.n_intervals if question.structure.changing else 1
    at_once = max(1, MOST_TERMS // per_row)
    if n_rows <= at_once:
        return _log_likelihood_of(parameters, question)
    blocks = [np.arange(n_rows)[first : first + at_once] for first in range(0, n_rows, at_once)]
    return xr.concat([_log_likelihood_of(parameters, question.only(block)) for block in blocks], dim=ROW)


def _log_likelihood_of(parameters: xr.Dataset, question: SurvivalQuestion) -> xr.DataArray:
    law = law_of(parameters, question.analysis)
    if not question.patterns.covariates:
        return log_likelihood(law, linear_predictor(parameters, question.design.matrix), question.rows)
    eta = pattern_eta(parameters, question.design, question.patterns)
    log_pattern = log_pattern_probability(parameters, question.patterns)
    return log_likelihood_of_patterns(law, eta, question.rows, log_pattern=log_pattern)


def unit_log_likelihood(parameters: xr.Dataset, question: SurvivalQuestion) -> xr.DataArray:
    """Log-likelihood of each independent unit at each draw, dims (chain, draw, row); see ``SurvivalQuestion.unit``.

    The coordinate is the first row of the cohort that the unit has.
    """
    terms = pointwise_log_likelihood(parameters, question)
    _, first = np.unique(question.unit, return_index=True)
    if first.size < question.unit.size:
        summed = terms.assign_coords(unit=(ROW, question.unit)).groupby("unit").sum()
        terms = summed.rename(unit=ROW).transpose("chain", "draw", ROW)
    return terms.assign_coords({ROW: question.design.rows[first]})


def log_prior(parameters: xr.Dataset, question: SurvivalQuestion) -> xr.Dataset:
    """Log prior density of every free parameter at each draw."""
    baseline = question.analysis.baseline
    if isinstance(baseline, WeibullBaseline):
        density = weibull_log_prior(parameters, baseline)
    else:
        density = piecewise_log_prior(parameters, baseline)
    if question.design.priors:
        own = log_ratio_prior(parameters[LOG_HAZARD_RATIO], question.design.priors)
        density = density.merge(own.to_dataset(name=LOG_HAZARD_RATIO)) if own.size else density
    if question.structure.changing:
        density = density.merge(change_log_prior(parameters, walks_of(question.analysis)))
    if question.analysis.shrinkage:
        density = density.merge(shrinkage_log_prior(parameters, question.analysis.shrinkage))
    if question.patterns.covariates:
        density = density.merge(missing_log_prior(parameters, question.analysis.missing))
    return density


def law_of(parameters: xr.Dataset, analysis: SurvivalAnalysis) -> Law:
    """The baseline's law, with its draws."""
    return weibull_law(parameters) if isinstance(analysis.baseline, WeibullBaseline) else piecewise_law(parameters)


def linear_predictor(parameters: xr.Dataset, values: pd.DataFrame) -> xr.DataArray | float:
    """What covariates add to the log hazard.

    Parameters
    ----------
    parameters : xr.Dataset
        With ``log_hazard_ratio`` (chain, draw, coefficient), unless the model has no covariates.
    values : DataFrame, shape (row, coefficient)

    Returns
    -------
    xr.DataArray, dims (chain, draw, row) or (chain, draw, row, interval)
        0 for a model without covariates; with intervals where an effect changes over time.
    """
    if LOG_HAZARD_RATIO not in parameters:
        return 0.0
    ratios = ratios_by_interval(parameters)
    design = xr.DataArray(
        values[list(ratios[COEFFICIENT].to_numpy())].to_numpy(dtype=float),
        dims=(ROW, COEFFICIENT),
        coords={COEFFICIENT: ratios[COEFFICIENT]},
    )
    eta: xr.DataArray = xr.dot(ratios, design, dim=COEFFICIENT)
    return eta.transpose(..., INTERVAL) if INTERVAL in eta.dims else eta


def judged(parameters: xr.Dataset) -> xr.Dataset:
    """What must have converged: everything but raw steps, local scales and what repeats another."""
    return parameters.drop_vars(["z", "shape", "z_shrunk", "lambda", "phi", CHANGE_Z], errors="ignore")
