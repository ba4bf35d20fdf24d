"""Sample again with smaller steps where divergences alone speak against a fit; every run stays on record."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
import xarray as xr

from ixa_bayes.inference.diagnostics import Convergence
from ixa_bayes.models.ratio_priors import LOG_HAZARD_RATIO

LADDER: Final = (0.95, 0.99)
"""Target acceptance rates that are tried in turn, where they are above that of the model file."""
ATTRIBUTE: Final = "attempts"


@dataclass(frozen=True)
class Attempt:
    """One run of the sampler.

    Attributes
    ----------
    target_accept : float
    divergent_share : float
        Of all draws after tuning.
    moved : float
        Largest distance between a log hazard ratio's median and the one that is reported, in its posterior standard
        deviations: divergent draws do harm only if smaller steps lead elsewhere. NaN without covariates.
    reported : bool
        Whether the results are those of this run.
    """

    target_accept: float
    divergent_share: float
    moved: float
    reported: bool


def with_smaller_steps(
    draw: Callable[[float], xr.DataTree],
    judge: Callable[[xr.DataTree], Convergence],
    *,
    target_accept: float,
) -> tuple[xr.DataTree, Convergence]:
    """Draw, and draw again at a higher target acceptance rate while divergences alone call for it.

    That is while they are more than a fit with independent priors may have, even where a joint prior is allowed more;
    see ``Convergence.divergences_alone``. Of several runs the one that passes with the smallest share is kept.

    Parameters
    ----------
    draw : callable
        From a target acceptance rate to a posterior with ``posterior`` and ``sample_stats``.
    judge : callable
        From a posterior to the verdict on it.
    target_accept : float
        Of the first run.

    Returns
    -------
    xr.DataTree, Convergence
        The posterior, with every attempt in the attribute :data:`ATTRIBUTE`, and the verdict on it.

    References
    ----------
    Betancourt (2016), arXiv:1604.00695, for what divergences and step sizes have to do with each other.
    """
    runs: list[tuple[float, xr.DataTree, Convergence]] = []
    for rate in (target_accept, *(step for step in LADDER if step > target_accept)):
        posterior = draw(rate)
        runs.append((rate, posterior, judge(posterior)))
        if not runs[-1][2].divergences_alone:
            break
    _, kept, verdict = min(runs, key=lambda run: (not run[2].ok, run[2].divergent_share))
    attempts = [
        Attempt(rate, found.divergent_share, _moved(posterior, kept), posterior is kept)
        for rate, posterior, found in runs
    ]
    kept.attrs[ATTRIBUTE] = json.dumps([asdict(attempt) for attempt in attempts])
    return kept, verdict


def attempts_of(posterior: xr.DataTree) -> tuple[Attempt, ...]:
    """Every run of the sampler that a posterior has on record, in their order."""
    return tuple(Attempt(**attempt) for attempt in json.loads(str(posterior.attrs.get(ATTRIBUTE, "[]"))))


def _moved(posterior: xr.DataTree, kept: xr.DataTree) -> float:
    if LOG_HAZARD_RATIO not in kept["posterior"]:
        return float("nan")
    one, other = (tree["posterior"][LOG_HAZARD_RATIO] for tree in (posterior, kept))
    dims = ("chain", "draw")
    distance = np.abs(one.median(dims) - other.median(dims)) / other.std(dims)
    return float(distance.max())
