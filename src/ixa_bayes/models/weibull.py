"""Weibull proportional hazards: ``h(t|x) = shape exp(b0 + x'beta) t^(shape - 1)``, t in months.

The level of the baseline has a prior either as the log median survival of the reference profile, from
which ``b0 = log log 2 - shape log_median``, or as b0 per a declared unit of time.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike
from scipy.sparse import coo_array
from scipy.stats import norm

from ixa_bayes.formulas import weibull
from ixa_bayes.models.ratio_priors import COEFFICIENT
from ixa_bayes.models.survival_analysis import MONTHS_PER, MedianPrior, WeibullBaseline
from ixa_bayes.models.survival_likelihood import Structure, linear_predictor, observe, row_data
from ixa_bayes.models.survival_rows import ROW, FloatArray, SurvivalRows, row_kinds

if TYPE_CHECKING:
    import pymc as pm

TIME: Final = "time"
SMALLEST_TABLED: Final = 2000
TERMS_PER_ROW: Final = 10
LOG_OF_ZERO: Final = -1e6
"""Stands for log 0: exp(shape times it) is exactly 0, and its products with 0 are 0."""
type Times = xr.DataArray | float


@dataclass(frozen=True, eq=False)
class WeibullLaw:
    """Draws of the baseline; see ``survival_likelihood.Law``.

    Attributes
    ----------
    log_rate : xr.DataArray
        b0 per month, dims (chain, draw).
    shape : xr.DataArray
    """

    log_rate: xr.DataArray
    shape: xr.DataArray

    def log_hazard(self, time: Times, eta: Times) -> xr.DataArray:
        """Log hazard per month."""
        return xr.DataArray(weibull.log_hazard(time, log_rate=self.log_rate + eta, shape=self.shape))

    def cumulative_hazard(self, time: Times, eta: Times) -> xr.DataArray:
        """Cumulative hazard from 0."""
        return xr.DataArray(weibull.cumulative_hazard(time, log_rate=self.log_rate + eta, shape=self.shape))

    def quantile(self, prob: float, eta: Times) -> xr.DataArray:
        """Months by which a share ``prob`` has had the event."""
        return xr.DataArray(weibull.quantile(prob, log_rate=self.log_rate + eta, shape=self.shape))

    def time_of(self, cumulative: Times, eta: Times) -> xr.DataArray:
        """Months at which the cumulative hazard reaches a value."""
        return xr.DataArray(weibull.time_of(cumulative, log_rate=self.log_rate + eta, shape=self.shape))

    def rmst(self, horizon: float, eta: Times) -> xr.DataArray:
        """Restricted mean survival time in months."""
        return xr.DataArray(weibull.rmst(horizon, log_rate=self.log_rate + eta, shape=self.shape))


def weibull_model(structure: Structure) -> "pm.Model":
    """Build the model, with rows and prior numbers as ``pm.Data`` so that one compilation serves all.

    Parameters
    ----------
    structure : Structure

    Returns
    -------
    pm.Model
        Parameters ``log_shape``, ``level`` (log median or b0), ``normal`` and ``student_t`` (coefficients);
        the dim ``row`` may have any length.
    """
    import pymc as pm  # here, because it takes seconds that commands without sampling need not pay
    import pytensor.tensor as pt

    with pm.Model(coords={COEFFICIENT: np.arange(structure.n_coefficients)}) as model:
        log_shape = pm.Normal("log_shape", mu=pm.Data("log_shape_mean", 0.0), sigma=pm.Data("log_shape_sd", 1.0))
        level = pm.Normal("level", mu=pm.Data("level_mean", 0.0), sigma=pm.Data("level_sd", 1.0))
        shape = pt.exp(log_shape)
        if structure.level == "median":
            baseline = weibull.LOG_LOG_2 - shape * level
        else:
            baseline = level - shape * pm.Data("log_unit", 0.0)
        log_rate = baseline + linear_predictor(structure)
        log_end = pm.Data("log_end", np.zeros(2), dims=ROW)[:, None]
        to_end = pt.exp(log_rate + shape * log_end)
        cumulative, between = to_end, None
        if structure.tabled:
            # t^shape once per distinct time, summed with how many of a pattern leave (or, negative, enter) at it.
            powers = pt.exp(shape * pm.Data("log_time", np.zeros(2), dims=TIME))
            leaving = pm.Data("leaving", np.zeros((2, 2)), dims=(ROW, TIME))
            cumulative = pt.exp(log_rate) * (leaving @ powers)[:, None]
        elif structure.late_entry:
            cumulative = to_end - pt.exp(log_rate + shape * pm.Data("log_entry", np.zeros(2), dims=ROW)[:, None])
        if structure.between:
            between = pt.exp(log_rate + shape * pm.Data("log_upper", np.zeros(2), dims=ROW)[:, None]) - to_end
        log_hazard = log_shape + log_rate + (shape - 1) * log_end
        observe(log_hazard, cumulative, between, structure=structure)
    return model


def weibull_data(
    rows: SurvivalRows, design: pd.DataFrame, *, baseline: WeibullBaseline, structure: Structure
) -> dict[str, ArrayLike]:
    """What the compiled program takes: the rows, and the prior numbers of the baseline.

    Parameters
    ----------
    rows : SurvivalRows
    design : DataFrame, shape (row, coefficient)
        Columns in the order of the compiled program.
    baseline : WeibullBaseline
    structure : Structure
    """
    mean, sd = level_numbers(baseline)
    data: dict[str, ArrayLike] = {
        "log_shape_mean": math.log(baseline.shape.median),
        "log_shape_sd": baseline.shape.log_sd,
        "level_mean": mean,
        "level_sd": sd,
    }
    if structure.tabled:
        data |= _table(rows, design)
        design = design.drop_duplicates()
    else:
        data |= row_data(rows, structure) | {"log_end": _log(rows.end)}
        if structure.late_entry:
            data["log_entry"] = _log(rows.entry)
    if design.shape[1]:
        data["design"] = design.to_numpy(dtype=float)
    if baseline.log_rate is not None:
        data["log_unit"] = math.log(MONTHS_PER[baseline.log_rate.unit])
    if structure.between:
        data["log_upper"] = _log(rows.upper)
    return data


def is_tabled(rows: SurvivalRows, design: pd.DataFrame) -> bool:
    """Whether patterns by distinct times are fewer terms than rows are, by enough to be worth a program of its own.

    Only for exact rows without missing covariates. A term of the table costs a multiplication where a row costs
    exponentials.
    """
    if rows.event.size < SMALLEST_TABLED or rows.between.any() or design.isna().to_numpy().any():
        return False
    patterns, times = len(design.drop_duplicates()), np.unique(np.concatenate([rows.end, rows.entry])).size
    return patterns * times <= TERMS_PER_ROW * rows.event.size


def _table(rows: SurvivalRows, design: pd.DataFrame) -> dict[str, ArrayLike]:
    """Events, mean log time of events and a table of who leaves when, by covariate pattern: all that exact rows say.

    The patterns are in the order of ``design.drop_duplicates()``.
    """
    kind, weight = row_kinds(design), rows.weight.astype(float)
    size = int(kind.max()) + 1
    times, column = np.unique(np.concatenate([rows.end, rows.entry]), return_inverse=True)
    signed = np.concatenate([weight, -weight])
    leaving = coo_array((signed, (np.concatenate([kind, kind]), column)), shape=(size, times.size)).toarray()
    seen = weight * rows.event
    n_events = np.bincount(kind, weights=seen, minlength=size)
    log_sum = np.bincount(kind, weights=seen * _log(rows.end), minlength=size)
    mean_log = log_sum / np.where(n_events > 0, n_events, 1.0)
    rows_of = {"event": n_events, "weight": np.ones(size), "log_end": mean_log}
    return {**rows_of, "log_time": _log(times), "leaving": leaving}


def level_numbers(baseline: WeibullBaseline) -> tuple[float, float]:
    """Mean and standard deviation of the level's normal prior: of the log median, or of b0 in its own unit."""
    level = baseline.level
    if isinstance(level, MedianPrior):
        return math.log(level.months), level.log_sd
    return level.mean, level.sd


def weibull_parameters(draws: xr.Dataset, baseline: WeibullBaseline) -> xr.Dataset:
    """The baseline's parameters under their own names.

    Parameters
    ----------
    draws : xr.Dataset
        ``log_shape`` and ``level``.
    baseline : WeibullBaseline

    Returns
    -------
    xr.Dataset
        ``log_shape``, ``shape``, ``log_median`` (months, of the reference profile), ``log_rate`` (b0 per month), and
        ``b0`` in the unit of its prior where the level has a prior as b0.
    """
    log_shape, level = draws["log_shape"], draws["level"]
    shape = xr.ufuncs.exp(log_shape)
    found = xr.Dataset({"log_shape": log_shape, "shape": shape})
    if baseline.log_rate is None:
        return found.assign(log_median=level, log_rate=weibull.log_rate_of_median(level, shape))
    log_rate = level - shape * math.log(MONTHS_PER[baseline.log_rate.unit])
    return found.assign(log_median=(weibull.LOG_LOG_2 - log_rate) / shape, log_rate=log_rate, b0=level)


def weibull_log_prior(parameters: xr.Dataset, baseline: WeibullBaseline) -> xr.Dataset:
    """Log prior density of the baseline's free parameters at each draw, on the scale they were sampled on."""
    mean, sd = level_numbers(baseline)
    level = "log_median" if baseline.log_rate is None else "b0"
    numbers = {"log_shape": (math.log(baseline.shape.median), baseline.shape.log_sd), level: (mean, sd)}
    return xr.Dataset(
        {name: parameters[name].copy(data=norm.logpdf(parameters[name], *n)) for name, n in numbers.items()}
    )


def weibull_law(parameters: xr.Dataset) -> WeibullLaw:
    """The law of posterior or prior draws, from what :func:`weibull_parameters` returns."""
    return WeibullLaw(parameters["log_rate"], parameters["shape"])


def _log(time: FloatArray) -> FloatArray:
    return np.where(time > 0, np.log(np.where(time > 0, time, 1.0)), LOG_OF_ZERO)
