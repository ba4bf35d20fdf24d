"""Priors of log hazard ratios: in PyMC with their numbers as data, and their log densities in numpy.

The coefficients of one compiled program come sorted by the family of their prior, so that a program
depends on how many there are of each family and not on which covariate has which.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from scipy.stats import norm
from scipy.stats import t as student_t

from ixa_bayes.formulas.piecewise import INTERVAL
from ixa_bayes.models.shrinkage import Shrinkage, shrinkage_data, shrunk_ratios, shrunk_variables
from ixa_bayes.models.survival_analysis import (
    CoefficientPrior,
    HorseshoePrior,
    NormalPrior,
    R2D2Prior,
    StudentTPrior,
)

if TYPE_CHECKING:
    import pymc as pm

COEFFICIENT = "coefficient"
LOG_HAZARD_RATIO = "log_hazard_ratio"
OVER_TIME = "log_hazard_ratio_over_time"
CHANGING = "changing"
"""Dim of the coefficients whose effect changes over time; see ``models.over_time``."""


@dataclass(frozen=True)
class Families:
    """How many coefficients have a prior of which family.

    Attributes
    ----------
    n_normal, n_student_t : int
        Each with a prior of its own.
    n_shrunk : int
        Under one joint prior.
    shrinkage : {"", "horseshoe", "r2d2"}
        Which one.
    """

    n_normal: int = 0
    n_student_t: int = 0
    n_shrunk: int = 0
    shrinkage: Literal["", "horseshoe", "r2d2"] = ""

    @property
    def n(self) -> int:
        """All coefficients."""
        return self.n_normal + self.n_student_t + self.n_shrunk


def families(priors: Mapping[str, CoefficientPrior]) -> Families:
    """The families of a model's coefficients."""
    joint = shrinkage_of(priors)
    return Families(
        n_normal=sum(isinstance(prior, NormalPrior) for prior in priors.values()),
        n_student_t=sum(isinstance(prior, StudentTPrior) for prior in priors.values()),
        n_shrunk=len(shrunk_names(priors)),
        shrinkage=joint.kind if joint else "",
    )


def by_family(priors: Mapping[str, CoefficientPrior]) -> list[str]:
    """Coefficients in the order of the compiled program: normal priors, Student t priors, the joint prior's set."""
    order = (NormalPrior, StudentTPrior, HorseshoePrior, R2D2Prior)
    return sorted(priors, key=lambda name: order.index(type(priors[name])))


def shrunk_names(priors: Mapping[str, CoefficientPrior]) -> list[str]:
    """Coefficients under a joint prior."""
    return [name for name, prior in priors.items() if isinstance(prior, HorseshoePrior | R2D2Prior)]


def shrinkage_of(priors: Mapping[str, CoefficientPrior]) -> Shrinkage | None:
    """The joint prior, if there is one."""
    return next((prior for prior in priors.values() if isinstance(prior, HorseshoePrior | R2D2Prior)), None)


def ratio_variables(sizes: Families) -> Any:
    """Log hazard ratios as PyMC variables, inside a model.

    Returns
    -------
    pytensor variable, shape (coefficient,)
        ``normal``, ``student_t`` and the joint prior's set, in this order; data ``normal_mean``, ``normal_sd``,
        ``student_t_location``, ``student_t_scale``, ``student_t_df`` and those of the joint prior.
    """
    import pymc as pm  # here, because it takes seconds that commands without sampling need not pay
    import pytensor.tensor as pt

    parts = []
    if n := sizes.n_normal:
        parts.append(pm.Normal("normal", mu=_data("normal_mean", n, 0.0), sigma=_data("normal_sd", n, 1.0)))
    if n := sizes.n_student_t:
        location, scale = _data("student_t_location", n, 0.0), _data("student_t_scale", n, 1.0)
        parts.append(pm.StudentT("student_t", nu=_data("student_t_df", n, 4.0), mu=location, sigma=scale))
    if sizes.n_shrunk:
        parts.append(shrunk_variables(sizes.shrinkage, sizes.n_shrunk))
    return pt.concatenate(parts) if len(parts) > 1 else parts[0]


def ratio_data(priors: Mapping[str, CoefficientPrior]) -> dict[str, ArrayLike]:
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
    if joint := shrinkage_of(priors):
        data |= shrinkage_data(joint, shrunk_names(priors))
    return data


def joined_ratios(draws: xr.Dataset, priors: Mapping[str, CoefficientPrior]) -> xr.DataArray:
    """Draws of the log hazard ratios under their names, in the order of ``priors``.

    Parameters
    ----------
    draws : xr.Dataset
        ``normal``, ``student_t`` and the joint prior's parameters, dims (chain, draw, and one of their own).
    priors : mapping of str to CoefficientPrior

    Returns
    -------
    xr.DataArray, dims (chain, draw, coefficient)
    """
    parts = [
        draws[name].rename({draws[name].dims[-1]: COEFFICIENT}).drop_vars(COEFFICIENT, errors="ignore")
        for name in ("normal", "student_t")
        if name in draws
    ]
    if joint := shrinkage_of(priors):
        names = shrunk_names(priors)
        shrunk = shrunk_ratios(draws, joint, names, dim=COEFFICIENT).transpose("chain", "draw", COEFFICIENT)
        parts.append(shrunk.drop_vars(COEFFICIENT))
    joined = xr.concat(parts, dim=COEFFICIENT).assign_coords({COEFFICIENT: by_family(priors)})
    return joined.sel({COEFFICIENT: list(priors)}).rename(LOG_HAZARD_RATIO)


def log_ratio_prior(log_hazard_ratio: xr.DataArray, priors: Mapping[str, CoefficientPrior]) -> xr.DataArray:
    """Log prior density of each log hazard ratio that has a prior of its own, at each draw.

    Parameters
    ----------
    log_hazard_ratio : xr.DataArray
        With the dim ``coefficient``.
    priors : mapping of str to CoefficientPrior

    Returns
    -------
    xr.DataArray
        Coefficients under a joint prior are left out: their density is that of the prior's own parameters.
    """
    parts, names = [], []
    for name, prior in priors.items():
        if isinstance(prior, HorseshoePrior | R2D2Prior):
            continue
        value = log_hazard_ratio.sel({COEFFICIENT: name})
        if isinstance(prior, NormalPrior):
            density = norm.logpdf(value, prior.mean, prior.sd)
        else:
            density = student_t.logpdf(value, prior.df, prior.location, prior.scale)
        parts.append(value.copy(data=density))
        names.append(name)
    if not parts:
        return log_hazard_ratio.isel({COEFFICIENT: slice(0, 0)})
    return xr.concat(parts, dim=COEFFICIENT).assign_coords({COEFFICIENT: names}).transpose(*log_hazard_ratio.dims)


def ratios_by_interval(parameters: xr.Dataset) -> xr.DataArray:
    """Log hazard ratios of all coefficients as they apply at each time.

    Returns
    -------
    xr.DataArray, dims (..., coefficient) or (..., coefficient, interval)
        With intervals if the effect of any covariate changes; those that do not change are the same in each.
    """
    ratios = parameters[LOG_HAZARD_RATIO]
    if OVER_TIME not in parameters:
        return ratios
    changing = parameters[OVER_TIME].rename({CHANGING: COEFFICIENT})
    names = list(ratios[COEFFICIENT].to_numpy())
    constant = [name for name in names if name not in changing[COEFFICIENT].to_numpy()]
    if not constant:
        return changing.sel({COEFFICIENT: names})
    same = ratios.sel({COEFFICIENT: constant}).expand_dims({INTERVAL: changing[INTERVAL]})
    return xr.concat([changing, same.transpose(*changing.dims)], dim=COEFFICIENT).sel({COEFFICIENT: names})


def _data(name: str, size: int, value: float) -> "pm.Data":
    import pymc as pm

    return pm.Data(name, np.full(size, value))
