"""Priors of log hazard ratios: in PyMC with their numbers as data, and their log densities in numpy.

The coefficients of one compiled program come sorted by the family of their prior, so that a program
depends on how many there are of each family and not on which covariate has which.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from scipy.stats import norm
from scipy.stats import t as student_t

from ixa_bayes.models.survival_analysis import NormalPrior, RatioPrior, StudentTPrior

if TYPE_CHECKING:
    import pymc as pm

COEFFICIENT = "coefficient"
LOG_HAZARD_RATIO = "log_hazard_ratio"


def families(priors: Mapping[str, RatioPrior]) -> tuple[int, int]:
    """Number of coefficients with a normal and with a Student t prior."""
    n_normal = sum(isinstance(prior, NormalPrior) for prior in priors.values())
    return n_normal, len(priors) - n_normal


def by_family(priors: Mapping[str, RatioPrior]) -> list[str]:
    """Coefficients in the order of the compiled program: normal priors first."""
    return sorted(priors, key=lambda name: isinstance(priors[name], StudentTPrior))


def ratio_variables(n_normal: int, n_student_t: int) -> Any:
    """Log hazard ratios as PyMC variables, inside a model.

    Returns
    -------
    pytensor variable, shape (n_normal + n_student_t,)
        ``normal`` and ``student_t`` joined, in this order; data ``normal_mean``, ``normal_sd``,
        ``student_t_location``, ``student_t_scale``, ``student_t_df``.
    """
    import pymc as pm  # here, because it takes seconds that commands without sampling need not pay
    import pytensor.tensor as pt

    parts = []
    if n_normal:
        parts.append(
            pm.Normal("normal", mu=_data("normal_mean", n_normal, 0.0), sigma=_data("normal_sd", n_normal, 1.0))
        )
    if n_student_t:
        location, scale = _data("student_t_location", n_student_t, 0.0), _data("student_t_scale", n_student_t, 1.0)
        parts.append(pm.StudentT("student_t", nu=_data("student_t_df", n_student_t, 4.0), mu=location, sigma=scale))
    return pt.concatenate(parts) if len(parts) > 1 else parts[0]


def ratio_data(priors: Mapping[str, RatioPrior]) -> dict[str, ArrayLike]:
    """The numbers of the priors as the compiled program takes them."""
    normal = [prior for prior in priors.values() if isinstance(prior, NormalPrior)]
    heavy = [prior for prior in priors.values() if isinstance(prior, StudentTPrior)]
    data: dict[str, ArrayLike] = {}
    if normal:
        data["normal_mean"] = np.array([prior.mean for prior in normal])
        data["normal_sd"] = np.array([prior.sd for prior in normal])
    if heavy:
        data["student_t_location"] = np.array([prior.location for prior in heavy])
        data["student_t_scale"] = np.array([prior.scale for prior in heavy])
        data["student_t_df"] = np.array([prior.df for prior in heavy])
    return data


def joined_ratios(draws: xr.Dataset, priors: Mapping[str, RatioPrior]) -> xr.DataArray:
    """Draws of the log hazard ratios under their names, in the order of ``priors``.

    Parameters
    ----------
    draws : xr.Dataset
        ``normal`` and ``student_t`` of the compiled program, dims (chain, draw, and one of their own).
    priors : mapping of str to RatioPrior

    Returns
    -------
    xr.DataArray, dims (chain, draw, coefficient)
    """
    parts = [
        draws[name].rename({draws[name].dims[-1]: COEFFICIENT}).drop_vars(COEFFICIENT, errors="ignore")
        for name in ("normal", "student_t")
        if name in draws
    ]
    joined = xr.concat(parts, dim=COEFFICIENT).assign_coords({COEFFICIENT: by_family(priors)})
    return joined.sel({COEFFICIENT: list(priors)}).rename(LOG_HAZARD_RATIO)


def log_ratio_prior(log_hazard_ratio: xr.DataArray, priors: Mapping[str, RatioPrior]) -> xr.DataArray:
    """Log prior density of each log hazard ratio at each draw.

    Parameters
    ----------
    log_hazard_ratio : xr.DataArray
        With the dim ``coefficient``.
    priors : mapping of str to RatioPrior
    """
    parts = []
    for name, prior in priors.items():
        value = log_hazard_ratio.sel({COEFFICIENT: name})
        if isinstance(prior, NormalPrior):
            density = norm.logpdf(value, prior.mean, prior.sd)
        else:
            density = student_t.logpdf(value, prior.df, prior.location, prior.scale)
        parts.append(value.copy(data=density))
    dims = log_hazard_ratio.dims
    return xr.concat(parts, dim=COEFFICIENT).assign_coords({COEFFICIENT: list(priors)}).transpose(*dims)


def _data(name: str, size: int, value: float) -> "pm.Data":
    import pymc as pm

    return pm.Data(name, np.full(size, value))
