"""Has the sampler converged? Fixed thresholds, and the reasons where it has not.

R-hat and ESS over four chains after Vehtari et al. 2021 (Bayesian Analysis 16:667), E-BFMI after
Betancourt 2016 (arXiv:1604.00695).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr

MAX_RHAT: Final = 1.01
MIN_ESS: Final = 400
MIN_E_BFMI: Final = 0.3
MAX_DIVERGENT_SHARE: Final = 0.001
MAX_DIVERGENT_SHARE_SHRUNK: Final = 0.005
"""For horseshoe and R2D2 priors, whose tails have a curvature that no step size follows everywhere."""


@dataclass(frozen=True, eq=False)
class Convergence:
    """The verdict on one fit.

    Attributes
    ----------
    ok : bool
    reasons : tuple of str
        What missed its threshold, empty if ``ok``.
    table : pd.DataFrame
        One row per scalar quantity: ``rhat``, ``ess_bulk``, ``ess_tail``.
    e_bfmi : float
        The smallest of the chains.
    divergent_share : float
        Of all draws after tuning.
    max_divergent_share : float
        What it was judged by.
    """

    ok: bool
    reasons: tuple[str, ...]
    table: pd.DataFrame
    e_bfmi: float
    divergent_share: float
    max_divergent_share: float = MAX_DIVERGENT_SHARE

    @property
    def divergences_alone(self) -> bool:
        """Whether more draws diverged than under independent priors may, and nothing else is amiss."""
        told = not self.divergent_share <= self.max_divergent_share
        return self.divergent_share > MAX_DIVERGENT_SHARE and len(self.reasons) == told


def convergence(
    fit: xr.DataTree, *, quantities: xr.Dataset | None = None, max_divergent_share: float = MAX_DIVERGENT_SHARE
) -> Convergence:
    """Judge a fit by R-hat, bulk and tail ESS, E-BFMI and divergences.

    Parameters
    ----------
    fit : xr.DataTree
        With groups ``posterior`` and ``sample_stats`` (``energy``, ``diverging``), dims (chain, draw).
    quantities : xr.Dataset, optional
        What is judged, dims (chain, draw, ...); the whole posterior if not given.
    max_divergent_share : float
        0.005 for models with horseshoe or R2D2 priors.

    Returns
    -------
    Convergence
        A quantity without spread or with a value that is not finite never passes.
    """
    import arviz as az  # here, because importing it takes seconds that commands without sampling need not pay

    posterior = fit["posterior"].to_dataset() if quantities is None else quantities
    with np.errstate(invalid="ignore"):  # a quantity without spread has no R-hat; the comparison below refuses it
        table = az.summary(posterior, kind="diagnostics", round_to="none")
    table = table[["r_hat", "ess_bulk", "ess_tail"]].astype(float).rename(columns={"r_hat": "rhat"})
    e_bfmi = float(az.bfmi(fit)["energy"].min())
    divergent = float(fit["sample_stats"]["diverging"].mean())
    reasons = [
        f"{name}: R-hat {row.rhat:.3f} above {MAX_RHAT}"
        if not row.rhat <= MAX_RHAT
        else f"{name}: ESS {min(row.ess_bulk, row.ess_tail):.0f} below {MIN_ESS}"
        for name, row in table.iterrows()
        if not (row.rhat <= MAX_RHAT and min(row.ess_bulk, row.ess_tail) >= MIN_ESS)
    ]
    if not e_bfmi >= MIN_E_BFMI:
        reasons.append(f"E-BFMI {e_bfmi:.2f} below {MIN_E_BFMI}")
    if not divergent <= max_divergent_share:
        reasons.append(f"{divergent:.2%} of draws diverged, more than {max_divergent_share:.1%}")
    if not np.isfinite(posterior.to_array().to_numpy()).all():
        reasons.append("a draw is not finite")
    return Convergence(not reasons, tuple(reasons), table, e_bfmi, divergent, max_divergent_share)
