"""Effects that change over time, the check on proportional hazards: a log hazard ratio of its own in each interval.

``beta_kj = beta_k + tau_k (W_kj - mean_i W_ki)``, where ``W_k1 = 0``, ``W_kj - W_k,j-1 = sqrt(d_j) z_kj``,
``z_kj ~ N(0, 1)``, ``tau_k ~ N+(0, scale_k)`` and d_j is the distance in years of the midpoints of two neighbouring
intervals: a random walk, as that of the log hazards. Centred at its own mean, it leaves ``beta_k`` what the
covariate's prior is about in a model of proportional hazards, its effect, here on average over the intervals; and
``tau_k = 0`` is that model. Sampled by z and not by beta_kj, since an interval of a small cohort has few events. The
levels of a factor share tau.

References
----------
Gamerman (1991), Applied Statistics 40:63 (a hazard and effects that change between intervals).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.stats import halfnorm, norm

from ixa_bayes.formulas.piecewise import INTERVAL, root_distances
from ixa_bayes.models.design_matrix import Design
from ixa_bayes.models.missing import PATTERN
from ixa_bayes.models.ratio_priors import CHANGING, COEFFICIENT, OVER_TIME
from ixa_bayes.models.survival_analysis import SurvivalAnalysis, Walk
from ixa_bayes.models.survival_likelihood import Structure
from ixa_bayes.models.survival_rows import ROW

CHANGING_COVARIATE: Final = "changing_covariate"
CHANGE_STEP: Final = "change_step"
CHANGE_SD: Final = "change_sd"
CHANGE_Z: Final = "change_z"

type Changing = Mapping[str, tuple[str, ...]]
"""Coefficients of each covariate whose effect changes over time."""
FloatArray = NDArray[np.float64]


def changing_of(design: Design, analysis: SurvivalAnalysis) -> dict[str, tuple[str, ...]]:
    """The coefficients of each covariate whose effect changes over time, in the order of the model file."""
    return {name: design.terms[name].coefficients for name, own in analysis.covariates.items() if own.walk}


def walks_of(analysis: SurvivalAnalysis) -> list[Walk]:
    """The prior of each effect that changes over time, in the order of the model file."""
    return [covariate.walk for covariate in analysis.covariates.values() if covariate.walk]


def centred_paths(cuts: Sequence[float]) -> FloatArray:
    """From the steps of a random walk over the intervals to its distance from its own mean.

    Parameters
    ----------
    cuts : sequence of float, shape (interval - 1,)
        Months.

    Returns
    -------
    ndarray, shape (step, interval)
        Row i is the path of a walk whose only step, of one standard deviation of a year's change, is the i-th.
    """
    distances = root_distances(cuts)
    paths = np.triu(np.ones((distances.size, distances.size + 1)), k=1) * distances[:, np.newaxis]
    centred: FloatArray = paths - paths.mean(axis=1, keepdims=True)
    return centred


def change_of_predictor(structure: Structure) -> Any:
    """What changing effects add to the log hazard beyond their mean, inside a ``pm.Model``.

    Parameters ``change_sd`` (changing covariate) and ``change_z`` (changing coefficient, step).

    Returns
    -------
    pytensor variable, shape (row, pattern, interval)
        One pattern if no covariate is marginalised.
    """
    import pymc as pm  # here, because it takes seconds that commands without sampling need not pay
    import pytensor.tensor as pt

    counts, n_steps = structure.changing, structure.n_intervals - 1
    sd = pm.HalfNormal("change_sd", sigma=pm.Data("change_scale", np.ones(len(counts))))
    z = pm.Normal("change_z", shape=(sum(counts), n_steps))
    path = pm.Data("change_path", np.zeros((n_steps, n_steps + 1)))
    change = sd[np.repeat(np.arange(len(counts)), counts)][:, None] * (z @ path)
    shape = (2, 2**structure.n_marginalised, sum(counts))
    design = pm.Data("changing_design", np.zeros(shape), dims=(ROW, PATTERN, CHANGING))
    return pt.tensordot(design, change, axes=1)


def change_data(
    patterns: Sequence[pd.DataFrame], *, changing: Changing, walks: Sequence[Walk], cuts: Sequence[float]
) -> dict[str, ArrayLike]:
    """What the compiled program takes: the covariates whose effect changes, and the numbers of their priors.

    Parameters
    ----------
    patterns : sequence of DataFrame, shape (row, coefficient)
        The design of the program's rows, once per pattern of values of the marginalised covariates.
    changing : mapping of str to tuple of str
    walks : sequence of Walk
        One per covariate of ``changing``.
    cuts : sequence of float
    """
    names = [name for group in changing.values() for name in group]
    return {
        "change_scale": np.array([walk.scale for walk in walks]),
        "change_path": centred_paths(cuts),
        "changing_design": np.stack([design[names].to_numpy(dtype=float) for design in patterns], axis=1),
    }


def change_parameters(
    draws: xr.Dataset, ratios: xr.DataArray, *, changing: Changing, cuts: Sequence[float]
) -> xr.Dataset:
    """The changing effects under their own names.

    Parameters
    ----------
    draws : xr.Dataset
        ``change_sd`` and ``change_z``, dims (chain, draw, and those of their own).
    ratios : xr.DataArray, dims (chain, draw, coefficient)
        Log hazard ratios, on average over the intervals.
    changing : mapping of str to tuple of str
    cuts : sequence of float

    Returns
    -------
    xr.Dataset
        ``log_hazard_ratio_over_time`` (changing, interval; the coordinate is the interval's start), ``change_sd`` (a
        year's change; changing_covariate) and ``change_z`` (changing, change_step).
    """
    names = [name for group in changing.values() for name in group]
    covariate_of = [covariate for covariate, group in changing.items() for _ in group]
    starts = [0.0, *cuts]
    sd = _named(draws[CHANGE_SD], {CHANGING_COVARIATE: list(changing)})
    z = _named(draws[CHANGE_Z], {CHANGING: names, CHANGE_STEP: starts[1:]})
    paths = xr.DataArray(
        centred_paths(cuts), dims=(CHANGE_STEP, INTERVAL), coords={CHANGE_STEP: starts[1:], INTERVAL: starts}
    )
    own_sd = sd.sel({CHANGING_COVARIATE: xr.DataArray(covariate_of, dims=CHANGING)}).drop_vars(CHANGING_COVARIATE)
    mean = ratios.sel({COEFFICIENT: names}).rename({COEFFICIENT: CHANGING})
    over_time = mean + own_sd * xr.dot(z, paths, dim=CHANGE_STEP)
    ordered = over_time.transpose("chain", "draw", CHANGING, INTERVAL)
    return xr.Dataset({OVER_TIME: ordered, CHANGE_SD: sd, CHANGE_Z: z})


def change_log_prior(parameters: xr.Dataset, walks: Sequence[Walk]) -> xr.Dataset:
    """Log prior density of the changing effects' free parameters at each draw, ``change_sd`` on its own scale."""
    sd, z = parameters[CHANGE_SD], parameters[CHANGE_Z]
    scales = np.array([walk.scale for walk in walks])
    return xr.Dataset(
        {CHANGE_SD: sd.copy(data=halfnorm.logpdf(sd, scale=scales)), CHANGE_Z: z.copy(data=norm.logpdf(z))}
    )


def change_prior_draws(
    walks: Sequence[Walk], *, structure: Structure, size: int, rng: np.random.Generator
) -> dict[str, FloatArray]:
    """Independent draws of the compiled program's parameters of changing effects, the first axis running over draws."""
    scales = np.array([walk.scale for walk in walks])
    return {
        CHANGE_SD: np.abs(rng.normal(0.0, scales, (size, scales.size))),
        CHANGE_Z: rng.normal(size=(size, sum(structure.changing), structure.n_intervals - 1)),
    }


def _named(values: xr.DataArray, coords: Mapping[str, Sequence[object]]) -> xr.DataArray:
    own = values.transpose("chain", "draw", ...)
    renamed = own.rename(dict(zip(own.dims[2:], coords, strict=True)))
    return renamed.drop_vars(list(coords), errors="ignore").assign_coords({d: list(v) for d, v in coords.items()})
