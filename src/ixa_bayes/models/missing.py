"""Missing binary covariates, summed out of the likelihood exactly under a Bernoulli model of their own.

A patient without the value of a covariate contributes ``sum_x p(x | z) f(t | x) / S(entry | x)``: both
possible values, weighted by how likely each is given the patient's other covariates z. Several missing
covariates have a stated factorisation, in the order of the model file,
``p(x_1 | z) p(x_2 | x_1, z) ...``, and every pattern of values is summed. Patients who have the value teach
the Bernoulli model; it describes patients who are alive and event-free at entry.

References
----------
Little & Rubin (2019), Statistical Analysis with Missing Data, ch. 14; Ibrahim, Chen, Lipsitz & Herring (2005),
JASA 100:332.
"""

import itertools
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike
from scipy.special import log_expit
from scipy.stats import norm

from ixa_bayes.models.design_matrix import Design
from ixa_bayes.models.ratio_priors import COEFFICIENT, ratios_by_interval
from ixa_bayes.models.survival_analysis import MissingModel
from ixa_bayes.models.survival_rows import ROW, BoolArray, FloatArray

PATTERN: Final = "pattern"
COVARIATE: Final = "missing_covariate"
PREDICTOR: Final = "predictor"
EARLIER: Final = "earlier"
IMPOSSIBLE: Final = -1e9
"""Log weight of a pattern that contradicts an observed value; its exponential is exactly 0."""


@dataclass(frozen=True, eq=False)
class Patterns:
    """Which values each patient's marginalised covariates can have.

    Attributes
    ----------
    covariates : tuple of str
        Those that are summed out, in the order of the factorisation.
    bits : ndarray, shape (pattern, covariate)
        0 or 1: what a pattern puts in place of a missing value.
    missing : ndarray of bool, shape (row, covariate)
    value : ndarray, shape (row, covariate)
        0 or 1, and 0 where it is missing.
    allowed : ndarray of bool, shape (row, pattern)
        A pattern that has a 1 where a value is observed would count it twice.
    predictors : DataFrame, shape (row, predictor)
        The coded covariates that everybody has.
    """

    covariates: tuple[str, ...]
    bits: FloatArray
    missing: BoolArray
    value: FloatArray
    allowed: BoolArray
    predictors: pd.DataFrame

    @property
    def filled(self) -> FloatArray:
        """Values of the covariates under each pattern, shape (row, pattern, covariate)."""
        return np.asarray(
            np.expand_dims(self.value, 1) + np.expand_dims(self.missing, 1) * np.expand_dims(self.bits, 0), dtype=float
        )


def patterns_of(design: Design) -> Patterns:
    """The patterns of a design's marginalised covariates; one pattern and no covariates if it has none."""
    covariates = design.marginalised
    centres = np.array([design.terms[name].centre for name in covariates])
    coded = design.matrix[list(covariates)].to_numpy(dtype=float)
    missing = np.isnan(coded)
    value = np.where(missing, 0.0, coded + centres)
    bits = np.array(list(itertools.product([0.0, 1.0], repeat=len(covariates))))
    contradicts = (np.expand_dims(bits, 0) == 1) & ~np.expand_dims(missing, 1)
    predictors = design.matrix.drop(columns=list(covariates))
    return Patterns(covariates, bits, missing, value, ~contradicts.any(axis=2), predictors)


def pattern_rows(design: Design, patterns: Patterns, pattern: int) -> pd.DataFrame:
    """The design with one pattern in place of the missing values, shape (row, coefficient)."""
    filled = patterns.filled[:, pattern, :]
    columns = {
        name: filled[:, k] - design.terms[name].centre  # coded as the observed values are
        for k, name in enumerate(patterns.covariates)
    }
    return design.matrix.assign(**columns)


def pattern_weights(n_marginalised: int, n_predictors: int) -> Any:
    """Log probability of each pattern for each row as a PyMC variable, shape (row, pattern), inside a model.

    Parameters of the Bernoulli models: ``missing_intercept`` (covariate), ``missing_coefficient`` (covariate,
    predictor) and ``missing_earlier`` (one for each pair of an earlier and a later covariate).
    """
    import pymc as pm  # here, because it takes seconds that commands without sampling need not pay
    import pytensor.tensor as pt

    intercept_sd, slope_sd = pm.Data("missing_intercept_sd", 1.5), pm.Data("missing_coefficient_sd", 1.0)
    intercept = pm.Normal("missing_intercept", mu=0.0, sigma=intercept_sd, shape=n_marginalised)
    n_patterns, pairs = 2**n_marginalised, _pairs(n_marginalised)
    total = pm.Data("pattern_allowed", np.zeros((2, n_patterns)), dims=(ROW, PATTERN))
    filled = pm.Data("pattern_value", np.zeros((2, n_patterns, n_marginalised)), dims=(ROW, PATTERN, COVARIATE))
    linear: Any = 0.0
    if n_predictors:
        predictors = pm.Data("missing_predictors", np.zeros((2, n_predictors)), dims=(ROW, PREDICTOR))
        slopes = pm.Normal("missing_coefficient", mu=0.0, sigma=slope_sd, shape=(n_marginalised, n_predictors))
        linear = predictors @ slopes.T
    earlier = pm.Normal("missing_earlier", mu=0.0, sigma=slope_sd, shape=len(pairs)) if pairs else None
    for k in range(n_marginalised):
        logit = intercept[k] + (linear[:, k][:, None] if n_predictors else 0.0)
        for index, (first, second) in enumerate(pairs):
            if second == k and earlier is not None:
                logit = logit + earlier[index] * filled[:, :, first]
        total = total + filled[:, :, k] * logit - pt.softplus(logit)
    return total


def pattern_data(patterns: Patterns, prior: MissingModel, *, coefficients: list[str]) -> dict[str, ArrayLike]:
    """What the compiled program takes of the patterns.

    Parameters
    ----------
    patterns : Patterns
    prior : MissingModel
    coefficients : list of str
        All coefficients in the order of the compiled program.
    """
    picks = [[float(name == covariate) for name in coefficients] for covariate in patterns.covariates]
    data: dict[str, ArrayLike] = {
        "missing_intercept_sd": prior.intercept_sd,
        "missing_coefficient_sd": prior.coefficient_sd,
        "pattern_allowed": np.where(patterns.allowed, 0.0, IMPOSSIBLE),
        "pattern_value": patterns.filled,
        "pattern_shift": np.einsum("rk,pk,kc->rpc", patterns.missing, patterns.bits, np.array(picks)),
    }
    if patterns.predictors.shape[1]:
        data["missing_predictors"] = patterns.predictors.to_numpy(dtype=float)
    return data


def missing_parameters(draws: xr.Dataset, patterns: Patterns) -> xr.Dataset:
    """Parameters of the Bernoulli models under their names, from draws of the compiled program."""
    covariates, predictors = list(patterns.covariates), list(patterns.predictors.columns)
    names = {
        "missing_intercept": (COVARIATE,),
        "missing_coefficient": (COVARIATE, PREDICTOR),
        "missing_earlier": (EARLIER,),
    }
    pairs = [f"{covariates[second]} given {covariates[first]}" for first, second in _pairs(len(covariates))]
    coords = {COVARIATE: covariates, PREDICTOR: predictors, EARLIER: pairs}
    found = {}
    for name, dims in names.items():
        if name in draws:
            own = draws[name].transpose("chain", "draw", ...)
            renamed = own.rename(dict(zip(own.dims[2:], dims, strict=True)))
            found[name] = renamed.assign_coords({dim: coords[dim] for dim in dims})
    return xr.Dataset(found)


def missing_log_prior(parameters: xr.Dataset, prior: MissingModel) -> xr.Dataset:
    """Log prior density of the Bernoulli models' parameters at each draw."""
    sds = {"missing_intercept": prior.intercept_sd, "missing_coefficient": prior.coefficient_sd}
    sds["missing_earlier"] = prior.coefficient_sd
    return xr.Dataset(
        {
            name: parameters[name].copy(data=norm.logpdf(parameters[name], 0.0, sd))
            for name, sd in sds.items()
            if name in parameters
        }
    )


def log_pattern_probability(parameters: xr.Dataset, patterns: Patterns) -> xr.DataArray:
    """Log probability of each pattern for each row at each draw, given the covariates that everybody has.

    Returns
    -------
    xr.DataArray, dims (..., row, pattern)
        Of the observed values times the pattern's; ``IMPOSSIBLE`` for a pattern that contradicts an observed value.
    """
    filled = xr.DataArray(patterns.filled, dims=(ROW, PATTERN, COVARIATE))
    total: xr.DataArray = xr.DataArray(np.where(patterns.allowed, 0.0, IMPOSSIBLE), dims=(ROW, PATTERN))
    plain = parameters.drop_vars([COVARIATE, PREDICTOR, EARLIER], errors="ignore")
    predictors = xr.DataArray(patterns.predictors.to_numpy(dtype=float), dims=(ROW, PREDICTOR))
    for k in range(len(patterns.covariates)):
        logit = plain["missing_intercept"].isel({COVARIATE: k})
        if "missing_coefficient" in plain:
            logit = logit + xr.dot(plain["missing_coefficient"].isel({COVARIATE: k}), predictors, dim=PREDICTOR)
        for index, (first, second) in enumerate(_pairs(len(patterns.covariates))):
            if second == k:
                logit = logit + plain["missing_earlier"].isel({EARLIER: index}) * filled.isel({COVARIATE: first})
        value = filled.isel({COVARIATE: k})
        total = total + value * logit + xr.apply_ufunc(log_expit, -logit)
    return total


def pattern_eta(parameters: xr.Dataset, design: Design, patterns: Patterns) -> xr.DataArray:
    """What covariates add to the log hazard under each pattern, dims (..., row, pattern).

    Also with the dim ``interval`` where an effect changes over time.
    """
    ratios = ratios_by_interval(parameters)
    each = np.stack(
        [pattern_rows(design, patterns, p)[list(ratios[COEFFICIENT].to_numpy())] for p in range(len(patterns.bits))],
        axis=1,
    )
    rows = xr.DataArray(each, dims=(ROW, PATTERN, COEFFICIENT), coords={COEFFICIENT: ratios[COEFFICIENT]})
    eta: xr.DataArray = xr.dot(ratios, rows, dim=COEFFICIENT)
    return eta


def _pairs(n_marginalised: int) -> list[tuple[int, int]]:
    """Earlier and later covariate of each pair, in the order of their coefficients."""
    return [(first, second) for second in range(n_marginalised) for first in range(second)]
