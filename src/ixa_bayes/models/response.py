"""The partially pooled binomial model: in PyMC for sampling, in numpy for its densities.

``r_g ~ Binomial(n_g, rate_g)``, ``logit(rate_g) = theta_g = mu + tau z_g`` with ``z_g ~ N(0, 1)``
(non-centred, so that the sampler meets no funnel when few groups tell little about ``tau``),
``mu ~ N(mu_mean, mu_sd)``, ``tau ~ half-N(tau_scale)``.

The groups of one fit are exchangeable and share no patient: regimens, or the levels of one factor.
Subgroups of different factors overlap, so treating them as independent data would count patients
twice; each factor is its own fit of the same model.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import gammaln, log_expit

if TYPE_CHECKING:
    import pymc as pm

NAME: Final = "hierarchical_binomial"
SLOTS: Final = 16
DATA_NAMES: Final = ("responders", "evaluable", "mu_mean", "mu_sd", "tau_scale")
PARAMETERS: Final = ("mu", "tau", "z")
_LOG_2PI: Final = math.log(2 * math.pi)

ModelData = Mapping[str, NDArray[np.float64] | NDArray[np.int64] | float]


@dataclass(frozen=True)
class Groups:
    """Disjoint groups of patients with a binary endpoint.

    Attributes
    ----------
    labels : tuple of str
    responders, evaluable : tuple of int
        Patients with the endpoint, and patients it is out of, per group.
    """

    labels: tuple[str, ...]
    responders: tuple[int, ...]
    evaluable: tuple[int, ...]

    def __post_init__(self) -> None:
        if not len(self.labels) == len(self.responders) == len(self.evaluable) >= 1:
            raise ValueError(
                f"labels, responders and evaluable have lengths {len(self.labels)}, {len(self.responders)}, "
                f"{len(self.evaluable)}; they need one entry per group and at least one group."
            )
        if len(set(self.labels)) < len(self.labels):
            raise ValueError(f"labels {self.labels} repeat; each group needs its own.")
        for label, r, n in zip(self.labels, self.responders, self.evaluable, strict=True):
            if not 0 <= r <= n:
                raise ValueError(f"group {label!r} has {r} responders of {n}; must lie between 0 and the total.")


def slots_for(n_groups: int) -> int:
    """Length of the compiled model's group dimension: a multiple of :data:`SLOTS`.

    A compiled program cannot change its number of parameters, so one with spare groups serves
    every fit of a run. A spare group has 0 of 0 patients: its likelihood is 1 and it leaves the
    posterior of the others exactly as it is.
    """
    return SLOTS * max(1, math.ceil(n_groups / SLOTS))


def hierarchical_binomial_model(slots: int = SLOTS) -> "pm.Model":
    """Build the model, with data and prior numbers as ``pm.Data`` so that one compilation serves all.

    Parameters
    ----------
    slots : int
        Length of the dim ``group``.

    Returns
    -------
    pm.Model
        Data ``responders``, ``evaluable`` (group,), ``mu_mean``, ``mu_sd``, ``tau_scale`` (scalars);
        parameters ``mu``, ``tau``, ``z`` (group,).
    """
    import pymc as pm  # here, because importing it takes seconds that tables without sampling need not pay

    with pm.Model(coords={"group": np.arange(slots)}) as model:
        responders = pm.Data("responders", np.zeros(slots, dtype=np.int64), dims="group")
        evaluable = pm.Data("evaluable", np.zeros(slots, dtype=np.int64), dims="group")
        mu = pm.Normal("mu", mu=pm.Data("mu_mean", 0.0), sigma=pm.Data("mu_sd", 1.0))
        tau = pm.HalfNormal("tau", sigma=pm.Data("tau_scale", 1.0))
        z = pm.Normal("z", dims="group")
        pm.Binomial("r", n=evaluable, logit_p=mu + tau * z, observed=responders, dims="group")
    return model


def model_data(groups: Groups, prior_numbers: Mapping[str, float], *, slots: int = SLOTS) -> ModelData:
    """What the compiled model takes: counts padded to its slots, and prior numbers.

    Raises
    ------
    ValueError
        If there are more groups than slots.
    """
    spare = slots - len(groups.labels)
    if spare < 0:
        raise ValueError(f"{len(groups.labels)} groups do not fit into {slots} slots; use slots_for().")
    return {
        "responders": np.pad(np.asarray(groups.responders, dtype=np.int64), (0, spare)),
        "evaluable": np.pad(np.asarray(groups.evaluable, dtype=np.int64), (0, spare)),
        **prior_numbers,
    }


def with_groups(draws: xr.Dataset, labels: Sequence[str]) -> xr.Dataset:
    """Posterior of the real groups: spare slots dropped, labelled, with ``theta`` and ``rate`` added.

    Parameters
    ----------
    draws : xr.Dataset
        ``mu``, ``tau`` with dims (chain, draw), ``z`` with (chain, draw, group) over all slots.
    labels : sequence of str, shape (group,)

    Returns
    -------
    xr.Dataset
        ``mu``, ``tau``, ``z``, ``theta`` (logit of the rate) and ``rate``.
    """
    kept = draws[list(PARAMETERS)].isel(group=slice(0, len(labels))).assign_coords(group=list(labels))
    theta = kept["mu"] + kept["tau"] * kept["z"]
    return kept.assign(theta=theta, rate=np.exp(xr.apply_ufunc(log_expit, theta)))


def log_likelihood(theta: xr.DataArray, groups: Groups) -> xr.DataArray:
    """Log probability of each group's count at each draw.

    Parameters
    ----------
    theta : xr.DataArray
        Logit of the rates, with a dim ``group``.
    groups : Groups

    Returns
    -------
    xr.DataArray
        Of ``theta``'s dims: ``log C(n, r) + r log rate + (n - r) log(1 - rate)``.
    """
    coords = {"group": theta["group"]}
    r = xr.DataArray(np.asarray(groups.responders, dtype=float), dims="group", coords=coords)
    n = xr.DataArray(np.asarray(groups.evaluable, dtype=float), dims="group", coords=coords)
    choose = gammaln(n + 1) - gammaln(r + 1) - gammaln(n - r + 1)
    of_rate = r * xr.apply_ufunc(log_expit, theta) + (n - r) * xr.apply_ufunc(log_expit, -theta)
    terms: xr.DataArray = choose + of_rate
    return terms.transpose(*theta.dims)


def log_prior(draws: xr.Dataset, prior_numbers: Mapping[str, float]) -> xr.Dataset:
    """Log prior density of each parameter at each draw, on its own scale (``tau`` not logged).

    ``z`` has the same prior whatever the numbers: sensitivity to the prior is that of ``mu`` and
    ``tau`` alone.
    """
    scale = prior_numbers["tau_scale"]
    return xr.Dataset(
        {
            "mu": _log_normal_density((draws["mu"] - prior_numbers["mu_mean"]) / prior_numbers["mu_sd"])
            - math.log(prior_numbers["mu_sd"]),
            "tau": _log_normal_density(draws["tau"] / scale) + math.log(2 / scale),
            "z": _log_normal_density(draws["z"]),
        }
    )


def _log_normal_density(standardised: xr.DataArray) -> xr.DataArray:
    return -0.5 * (standardised**2 + _LOG_2PI)
