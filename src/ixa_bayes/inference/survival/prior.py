"""What the priors of a survival model say before any data: draws of parameters, and what they imply for patients."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from ixa_bayes.inference.diagnostics import Convergence
from ixa_bayes.inference.survival.estimands import hazard_ratio_change, hazard_ratios, quantile, standardised, survival
from ixa_bayes.inference.survival.fitting import SurvivalFit
from ixa_bayes.inference.survival.parameters import parameters_of
from ixa_bayes.inference.survival.question import SurvivalQuestion
from ixa_bayes.inference.survival.tables import ratio_named
from ixa_bayes.models.over_time import change_prior_draws, walks_of
from ixa_bayes.models.piecewise import hazard_numbers
from ixa_bayes.models.ratio_priors import CHANGING, COEFFICIENT
from ixa_bayes.models.shrinkage import shrinkage_prior_draws
from ixa_bayes.models.survival_analysis import NormalPrior, PiecewiseBaseline, StudentTPrior, WeibullBaseline
from ixa_bayes.models.weibull import level_numbers

IMPLIED_AT: Final = 12.0
"""Months at which implied survival is told."""
COLUMNS: Final = (
    "estimand",
    "population",
    "factor",
    "level",
    "comparator",
    "time",
    "unit",
    "median",
    "q025",
    "q975",
)

FloatArray = NDArray[np.float64]
type _Row = dict[str, object]


def prior_draws(question: SurvivalQuestion, size: int, rng: np.random.Generator) -> xr.Dataset:
    """Independent draws from the prior, under the names that a posterior has.

    Parameters
    ----------
    question : SurvivalQuestion
        Of a piecewise-exponential model it says where the intervals end, too.
    size : int
    rng : numpy.random.Generator

    Returns
    -------
    xr.Dataset, dims (chain, draw, ...)
        One chain; names and units as :func:`ixa_bayes.inference.survival.parameters.parameters_of` has them.
    """
    return parameters_of(prior_of_program(question, size, rng), question)


def prior_of_program(question: SurvivalQuestion, size: int, rng: np.random.Generator) -> xr.Dataset:
    """Independent draws of the compiled program's own parameters from their priors; see :func:`prior_draws`."""
    baseline, priors = question.analysis.baseline, question.design.priors
    if isinstance(baseline, WeibullBaseline):
        raw = _weibull(baseline, size, rng)
    else:
        raw = _piecewise(baseline, size, rng, n_intervals=len(question.cuts) + 1, walk=question.structure.walk)
    normal = [prior for prior in priors.values() if isinstance(prior, NormalPrior)]
    heavy = [prior for prior in priors.values() if isinstance(prior, StudentTPrior)]
    if normal:
        raw["normal"] = np.stack([rng.normal(prior.mean, prior.sd, size) for prior in normal], axis=-1)
    if heavy:
        columns = [prior.location + prior.scale * rng.standard_t(prior.df, size) for prior in heavy]
        raw["student_t"] = np.stack(columns, axis=-1)
    if question.analysis.shrinkage:
        n_shrunk = question.structure.families.n_shrunk
        raw |= shrinkage_prior_draws(question.analysis.shrinkage, n_shrunk, size=size, rng=rng)
    if question.structure.changing:
        walks = walks_of(question.analysis)
        raw |= change_prior_draws(walks, structure=question.structure, size=size, rng=rng)
    if question.patterns.covariates:
        raw |= _missing(question, size, rng)
    named = {
        name: (("chain", "draw", *(f"{name}_dim_{axis}" for axis in range(values.ndim - 1))), values[np.newaxis])
        for name, values in raw.items()
    }
    return xr.Dataset(named, coords={"chain": [0], "draw": np.arange(size)})


def prior_as_fit(question: SurvivalQuestion, size: int, rng: np.random.Generator) -> SurvivalFit:
    """The prior in the shape of a fit, so that every estimand of a posterior can be asked of it.

    Independent draws have nothing to converge; the verdict is empty.
    """
    draws = xr.DataTree.from_dict({"posterior": prior_draws(question, size, rng)})
    return SurvivalFit(question, draws, Convergence(True, (), pd.DataFrame(), float("nan"), 0.0))


def implied_by_prior(question: SurvivalQuestion, seed: int, size: int = 4000) -> pd.DataFrame:
    """What the priors imply for patients, told before anything is sampled from a posterior.

    Parameters
    ----------
    question : SurvivalQuestion
    seed : int
    size : int
        Draws from the prior.

    Returns
    -------
    DataFrame
        ``estimand`` (``median``: months; ``survival`` at :data:`IMPLIED_AT` months; ``hazard_ratio``; of effects that
        change over time ``hazard_ratio_change``, from the first interval to the last),
        ``population`` (``reference_profile``, ``cohort`` for the average over the cohort's patients, ``each``),
        ``factor``, ``level``, ``comparator``, ``time``, ``unit``, ``median``, ``q025``, ``q975`` of the prior
        distribution.
    """
    fit = prior_as_fit(question, size, np.random.default_rng(seed))
    # A heavy-tailed prior reaches hazards whose survival is 0 in any arithmetic, which is what overflow makes of them.
    with np.errstate(over="ignore", under="ignore"):
        rows = [*_of_patients(fit), *_of_coefficients(fit), *_of_changes(fit)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _of_patients(fit: SurvivalFit) -> Iterator[_Row]:
    for population, patients in (("reference_profile", None), ("cohort", standardised(fit, given_outcome=False))):
        shared: _Row = {"population": population, "factor": "", "level": "", "comparator": ""}
        months = quantile(fit) if patients is None else patients.quantile()
        yield {**shared, "estimand": "median", "unit": "months", **_summary(months)}
        share = survival(fit, [IMPLIED_AT]) if patients is None else patients.survival([IMPLIED_AT])
        yield {**shared, "estimand": "survival", "time": IMPLIED_AT, "unit": "probability", **_summary(share)}


def _of_coefficients(fit: SurvivalFit) -> Iterator[_Row]:
    ratios = hazard_ratios(fit)
    for name in ratios[COEFFICIENT].to_numpy().tolist():
        yield {"estimand": "hazard_ratio", **ratio_named(fit, name), **_summary(ratios.sel({COEFFICIENT: name}))}


def _of_changes(fit: SurvivalFit) -> Iterator[_Row]:
    change = hazard_ratio_change(fit)
    for name in change[CHANGING].to_numpy().tolist():
        yield {"estimand": "hazard_ratio_change", **ratio_named(fit, name), **_summary(change.sel({CHANGING: name}))}


def _summary(draws: xr.DataArray) -> _Row:
    low, middle, high = np.quantile(draws.to_numpy(), [0.025, 0.5, 0.975]).tolist()
    return {"median": middle, "q025": low, "q975": high}


def _weibull(baseline: WeibullBaseline, size: int, rng: np.random.Generator) -> dict[str, FloatArray]:
    mean, sd = level_numbers(baseline)
    return {
        "log_shape": rng.normal(np.log(baseline.shape.median), baseline.shape.log_sd, size),
        "level": rng.normal(mean, sd, size),
    }


def _piecewise(
    baseline: PiecewiseBaseline, size: int, rng: np.random.Generator, *, n_intervals: int, walk: bool
) -> dict[str, FloatArray]:
    mean, sd = hazard_numbers(baseline)
    if baseline.walk is None or not walk:
        return {"log_hazard": rng.normal(mean, sd, (size, n_intervals))}
    return {
        "level": rng.normal(mean, sd, size),
        "walk_sd": np.abs(rng.normal(0.0, baseline.walk.scale, size)),
        "z": rng.normal(size=(size, n_intervals - 1)),
    }


def _missing(question: SurvivalQuestion, size: int, rng: np.random.Generator) -> dict[str, FloatArray]:
    """Coefficients of the models of marginalised covariates."""
    prior, n_covariates = question.analysis.missing, len(question.patterns.covariates)
    n_predictors, n_pairs = question.patterns.predictors.shape[1], n_covariates * (n_covariates - 1) // 2
    raw = {"missing_intercept": rng.normal(0, prior.intercept_sd, (size, n_covariates))}
    if n_predictors:
        raw["missing_coefficient"] = rng.normal(0, prior.coefficient_sd, (size, n_covariates, n_predictors))
    if n_pairs:
        raw["missing_earlier"] = rng.normal(0, prior.coefficient_sd, (size, n_pairs))
    return raw
