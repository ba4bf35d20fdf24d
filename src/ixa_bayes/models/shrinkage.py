"""Joint priors of a named set of log hazard ratios that pull small ones to 0 and leave large ones: horseshoe and R2D2.

Regularised horseshoe: ``beta_k = z_k tau l_k``, ``z_k ~ N(0, 1)``,
``l_k^2 = c^2 lambda_k^2 / (c^2 + tau^2 lambda_k^2)``, ``lambda_k ~ C+(0, 1)``, ``tau ~ C+(0, global_scale)``,
``c^2 ~ InvGamma(df / 2, df slab_scale^2 / 2)``
(Piironen & Vehtari 2017, Electronic Journal of Statistics 11:5018, eq. 2.8).

R2D2 on the linear predictor of a log hazard: ``beta_k = z_k sqrt(W phi_k) / s_k``, ``W = R2 / (1 - R2)``,
``R2 ~ Beta(mean precision, (1 - mean) precision)``, ``phi ~ Dirichlet(concentration, ...)``, s_k the standard
deviation of the covariate as the model file declares it (Zhang, Naughton, Bondell & Reich 2022, JASA 117:862).
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln
from scipy.stats import beta, halfcauchy, invgamma, norm

from ixa_bayes.models.survival_analysis import HorseshoePrior, R2D2Prior

type Shrinkage = HorseshoePrior | R2D2Prior
SHRUNK: Final = "shrunk"
FloatArray = NDArray[np.float64]


def shrunk_variables(kind: str, size: int) -> Any:
    """Coefficients of the set as a PyMC variable, shape (size,), inside a model; see the module for the parameters."""
    import pymc as pm  # here, because it takes seconds that commands without sampling need not pay
    import pytensor.tensor as pt

    z = pm.Normal("z_shrunk", shape=size)
    if kind == "horseshoe":
        tau = pm.HalfCauchy("tau", beta=pm.Data("global_scale", 1.0))
        lambdas = pm.HalfCauchy("lambda", beta=1.0, shape=size)
        slab = pm.InverseGamma("slab_squared", alpha=pm.Data("slab_alpha", 2.0), beta=pm.Data("slab_beta", 2.0))
        local = pt.square(lambdas)
        return z * tau * pt.sqrt(slab * local / (slab + pt.square(tau) * local))
    r2 = pm.Beta("r2", alpha=pm.Data("r2_alpha", 1.0), beta=pm.Data("r2_beta", 1.0))
    phi = pm.Dirichlet("phi", a=pm.Data("concentration", np.ones(size)), shape=size) if size > 1 else pt.ones(1)
    return z * pt.sqrt(r2 / (1 - r2) * phi) / pm.Data("covariate_scale", np.ones(size))


def shrinkage_data(prior: Shrinkage, names: list[str]) -> dict[str, ArrayLike]:
    """The numbers of the joint prior as the compiled program takes them; ``names`` are the coefficients of the set."""
    if isinstance(prior, HorseshoePrior):
        alpha = prior.slab_df / 2
        return {"global_scale": prior.global_scale, "slab_alpha": alpha, "slab_beta": alpha * prior.slab_scale**2}
    data: dict[str, ArrayLike] = {
        "r2_alpha": prior.r2_mean * prior.r2_precision,
        "r2_beta": (1 - prior.r2_mean) * prior.r2_precision,
        "covariate_scale": _scales(prior, names),
    }
    if len(names) > 1:
        data["concentration"] = np.full(len(names), prior.concentration)
    return data


def shrunk_ratios(draws: xr.Dataset, prior: Shrinkage, names: list[str], *, dim: str) -> xr.DataArray:
    """Log hazard ratios of the set from draws of the compiled program, dims (chain, draw, ``dim``)."""
    z = _named(draws["z_shrunk"], names, dim=dim)
    if isinstance(prior, HorseshoePrior):
        local = _named(draws["lambda"], names, dim=dim) ** 2
        slab, tau = draws["slab_squared"], draws["tau"]
        return xr.DataArray(z * tau * xr.ufuncs.sqrt(slab * local / (slab + tau**2 * local)))
    phi = _named(draws["phi"], names, dim=dim) if "phi" in draws else xr.ones_like(z)
    scale = xr.DataArray(_scales(prior, names), dims=dim, coords={dim: names})
    return xr.DataArray(z * xr.ufuncs.sqrt(draws["r2"] / (1 - draws["r2"]) * phi) / scale)


def shrinkage_parameters(draws: xr.Dataset, names: list[str]) -> xr.Dataset:
    """What the joint prior was sampled with, under its own names and with the dim ``shrunk`` where it has one."""
    kept = {}
    for name in ("tau", "lambda", "slab_squared", "r2", "phi", "z_shrunk"):
        if name in draws:
            kept[name] = _named(draws[name], names, dim=SHRUNK) if draws[name].ndim > 2 else draws[name]
    return xr.Dataset(kept)


def shrinkage_log_prior(parameters: xr.Dataset, prior: Shrinkage) -> xr.Dataset:
    """Log prior density of the joint prior's parameters at each draw, each on its own scale."""
    densities: dict[str, FloatArray] = {"z_shrunk": norm.logpdf(parameters["z_shrunk"])}
    if isinstance(prior, HorseshoePrior):
        alpha = prior.slab_df / 2
        densities["tau"] = halfcauchy.logpdf(parameters["tau"], scale=prior.global_scale)
        densities["lambda"] = halfcauchy.logpdf(parameters["lambda"])
        densities["slab_squared"] = invgamma.logpdf(
            parameters["slab_squared"], alpha, scale=alpha * prior.slab_scale**2
        )
    else:
        a, b = prior.r2_mean * prior.r2_precision, (1 - prior.r2_mean) * prior.r2_precision
        densities["r2"] = beta.logpdf(parameters["r2"], a, b)
        if "phi" in parameters:
            size, alpha = parameters.sizes[SHRUNK], prior.concentration
            constant = gammaln(size * alpha) - size * gammaln(alpha)
            log_phi = xr.ufuncs.log(parameters["phi"].clip(min=np.finfo(float).tiny))
            densities["phi"] = ((alpha - 1) * log_phi.sum(SHRUNK) + constant).to_numpy()
    found = {name: parameters[name].copy(data=value) for name, value in densities.items() if name != "phi"}
    if "phi" in densities:
        found["phi"] = parameters["r2"].copy(data=densities["phi"])
    return xr.Dataset(found)


def shrinkage_prior_draws(
    prior: Shrinkage, n_names: int, *, size: int, rng: np.random.Generator
) -> dict[str, FloatArray]:
    """Independent draws of the compiled program's parameters of the set, the first axis running over draws."""
    raw = {"z_shrunk": rng.normal(size=(size, n_names))}
    if isinstance(prior, HorseshoePrior):
        alpha = prior.slab_df / 2
        raw["tau"] = prior.global_scale * np.abs(rng.standard_cauchy(size))
        raw["lambda"] = np.abs(rng.standard_cauchy((size, n_names)))
        raw["slab_squared"] = alpha * prior.slab_scale**2 / rng.gamma(alpha, size=size)
        return raw
    raw["r2"] = rng.beta(prior.r2_mean * prior.r2_precision, (1 - prior.r2_mean) * prior.r2_precision, size)
    if n_names > 1:
        raw["phi"] = rng.dirichlet(np.full(n_names, prior.concentration), size)
    return raw


def _named(values: xr.DataArray, names: list[str], *, dim: str) -> xr.DataArray:
    own = values.transpose("chain", "draw", ...)
    renamed = own.rename({own.dims[-1]: dim}).drop_vars(dim, errors="ignore")
    return renamed.assign_coords({dim: names})


def _scales(prior: R2D2Prior, names: list[str]) -> FloatArray:
    by_name: Mapping[str, float] = prior.scales
    return np.array([by_name.get(name, by_name.get(name.split("[")[0], 1.0)) for name in names])
