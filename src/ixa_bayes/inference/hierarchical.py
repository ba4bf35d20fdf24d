"""One fit of the partially pooled binomial model, from counts to a posterior that knows where it comes from."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from ixa_bayes.inference.compiled import Program, program
from ixa_bayes.inference.diagnostics import Convergence, convergence
from ixa_bayes.inference.posterior_file import data_hash
from ixa_bayes.inference.sampling import SamplerSettings, sample
from ixa_bayes.models.response import (
    NAME,
    Groups,
    ModelData,
    hierarchical_binomial_model,
    log_likelihood,
    log_prior,
    model_data,
    slots_for,
    with_groups,
)
from ixa_bayes.models.response_analysis import HierarchicalSettings

REPORTED = ["mu", "tau", "theta"]


@dataclass(frozen=True, eq=False)
class HierarchicalFit:
    """A posterior and the verdict on it.

    Attributes
    ----------
    posterior : xr.DataTree
        ``posterior`` (``mu``, ``tau``, ``z``, ``theta``, ``rate``; dims chain, draw, group),
        ``sample_stats``, ``observed_data`` (``r``), ``constant_data`` (``evaluable``),
        ``log_likelihood`` (``r``), ``log_prior``.
    convergence : Convergence
        Over ``mu``, ``tau`` and every ``theta``.
    """

    posterior: xr.DataTree
    convergence: Convergence


def fit_hierarchical(
    groups: Groups,
    settings: HierarchicalSettings,
    *,
    seed: int,
    identity: Mapping[str, str] | None = None,
    slots: int | None = None,
) -> HierarchicalFit:
    """Sample the partially pooled model for groups that share no patient.

    Parameters
    ----------
    groups : Groups
        Exchangeable and disjoint: regimens, or the levels of one factor.
    settings : HierarchicalSettings
    seed : int
    identity : mapping, optional
        Attributes kept with the posterior: model file, study, evidence kind.
    slots : int, optional
        Group slots of the compiled program; the fewest that hold the groups if not given. Programs of
        different slots are compiled apart.

    Returns
    -------
    HierarchicalFit
        Whether or not it converged: see ``convergence.ok``.
    """
    slots = slots or slots_for(len(groups.labels))
    data = model_data(groups, settings.prior_numbers(), slots=slots)
    drawn = sample(
        hierarchical_program(slots),
        data,
        settings=SamplerSettings(settings.draws, settings.tune, settings.target_accept),
        seed=seed,
    )
    draws = with_groups(drawn["posterior"].to_dataset(), groups.labels)
    posterior = xr.DataTree.from_dict(
        {
            "posterior": draws,
            "sample_stats": drawn["sample_stats"].to_dataset(),
            "observed_data": _counts("r", groups.responders, groups),
            "constant_data": _counts("evaluable", groups.evaluable, groups).assign(settings.prior_numbers()),
            "log_likelihood": log_likelihood(draws["theta"], groups).to_dataset(name="r"),
            "log_prior": log_prior(draws, settings.prior_numbers()),
        }
    )
    posterior.attrs.update(drawn.attrs | {"data_sha256": question_hash(groups, data)} | dict(identity or {}))
    return HierarchicalFit(posterior, convergence(posterior, quantities=draws[REPORTED]))


def hierarchical_program(slots: int) -> Program:
    """The compiled model with a number of group slots, compiled once per process."""
    return program(f"{NAME}/{slots}", lambda: hierarchical_binomial_model(slots))


def question_hash(groups: Groups, data: ModelData) -> str:
    """Hash of the data a fit answers for: counts, prior numbers and labels."""
    return data_hash(data, labels=groups.labels)


def _counts(name: str, values: tuple[int, ...], groups: Groups) -> xr.Dataset:
    return xr.Dataset({name: ("group", np.asarray(values, dtype=np.int64))}, coords={"group": list(groups.labels)})
