"""What follow-up says about a hazard, whichever its law: the observed node in PyMC, and the same formula in numpy.

A row under observation from ``entry``, event-free to ``end``, contributes
``event log h(end) - (H(end) - H(entry))``; if its event lies in ``(end, upper]``, also
``log(1 - exp(-(H(upper) - H(end))))`` (Klein & Moeschberger 2003, Survival Analysis, ch. 3.5). Both are
densities per month.
"""

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from ixa_bayes.models.survival_rows import ROW, SurvivalRows


@dataclass(frozen=True)
class Structure:
    """All that the compiled program of a survival model depends on; data and prior numbers come later.

    Attributes
    ----------
    law : {"weibull", "piecewise_exponential"}
    n_normal, n_student_t : int
        Coefficients by the family of their prior.
    level : {"median", "log_rate"}
        What the prior of the baseline's level is about.
    late_entry, between : bool
        Whether any row enters after 0, and whether any event lies between two visits.
    n_intervals : int
        Of the piecewise-exponential law; 0 otherwise.
    walk : bool
        Whether its log hazards follow a random walk.
    """

    law: Literal["weibull", "piecewise_exponential"]
    n_normal: int
    n_student_t: int
    level: Literal["median", "log_rate"]
    late_entry: bool
    between: bool
    n_intervals: int = 0
    walk: bool = False

    @property
    def name(self) -> str:
        """Name of the compiled program."""
        flags = [word for word in ("late_entry", "between", "walk") if getattr(self, word)]
        sizes = f"{self.n_normal}_normal_{self.n_student_t}_student_t"
        intervals = [f"{self.n_intervals}_intervals"] if self.n_intervals else []
        return "/".join([self.law, *intervals, self.level, sizes, *flags])


class Law(Protocol):
    """A baseline hazard with its draws; ``eta`` is what covariates add to its logarithm."""

    def log_hazard(self, time: xr.DataArray | float, eta: xr.DataArray | float) -> xr.DataArray:
        """Log hazard per month, at times above 0."""
        ...

    def cumulative_hazard(self, time: xr.DataArray | float, eta: xr.DataArray | float) -> xr.DataArray:
        """Cumulative hazard from 0."""
        ...

    def quantile(self, prob: float, eta: xr.DataArray | float) -> xr.DataArray:
        """Months by which a share ``prob`` has had the event."""
        ...

    def time_of(self, cumulative: xr.DataArray | float, eta: xr.DataArray | float) -> xr.DataArray:
        """Months at which the cumulative hazard reaches a value."""
        ...

    def rmst(self, horizon: float, eta: xr.DataArray | float) -> xr.DataArray:
        """Restricted mean survival time in months."""
        ...


def observe(log_hazard: Any, cumulative: Any, between: Any | None) -> None:
    """The observed node of a survival model, inside its ``pm.Model``.

    Parameters
    ----------
    log_hazard : pytensor variable, shape (row,)
        At ``end``; matters only where the event is exact.
    cumulative : pytensor variable, shape (row,)
        From ``entry`` to ``end``.
    between : pytensor variable, shape (row,), optional
        Cumulative hazard from ``end`` to ``upper``, where the structure has such rows.
    """
    import pymc as pm  # here, because it takes seconds that commands without sampling need not pay
    import pytensor.tensor as pt

    event, weight = pm.Data("event", np.ones(2), dims=ROW), pm.Data("weight", np.ones(2), dims=ROW)

    def exact(value: Any, log_hazard: Any, cumulative: Any, weight: Any) -> Any:
        return weight * (value * log_hazard - cumulative)

    def with_between(value: Any, log_hazard: Any, cumulative: Any, weight: Any, inside: Any, found: Any) -> Any:
        # Where nothing lies between, the cumulative hazard there is replaced before the logarithm: 0 times minus
        # infinity has no gradient.
        seen = pt.switch(found > 0, pt.log(-pt.expm1(-pt.switch(found > 0, inside, 1.0))), 0.0)
        return weight * (value * log_hazard - cumulative + seen)

    shared = {"observed": event, "dims": ROW}
    if between is None:
        pm.CustomDist("status", log_hazard, cumulative, weight, logp=exact, signature="(),(),()->()", **shared)
    else:
        found = pm.Data("between", np.zeros(2), dims=ROW)
        arguments = (log_hazard, cumulative, weight, between, found)
        pm.CustomDist("status", *arguments, logp=with_between, signature="(),(),(),(),()->()", **shared)


def row_data(rows: SurvivalRows, structure: Structure) -> dict[str, ArrayLike]:
    """What the observed node takes of the rows, whichever the law."""
    data: dict[str, ArrayLike] = {"event": rows.event.astype(float), "weight": rows.weight.astype(float)}
    if structure.between:
        data["between"] = rows.between.astype(float)
    return data


def log_likelihood(law: Law, eta: xr.DataArray | float, rows: SurvivalRows) -> xr.DataArray:
    """Log-likelihood of each row at each draw, not multiplied by its weight.

    Parameters
    ----------
    law : Law
        Draws of the baseline, dims (chain, draw, ...).
    eta : xr.DataArray
        Dims (chain, draw, row).
    rows : SurvivalRows

    Returns
    -------
    xr.DataArray, dims (chain, draw, row)
    """
    entry, end, upper = (xr.DataArray(values, dims=ROW) for values in (rows.entry, rows.end, rows.upper))
    event, between = xr.DataArray(rows.event, dims=ROW), xr.DataArray(rows.between, dims=ROW)
    spent = law.cumulative_hazard(end, eta)
    total = -spent
    if np.any(rows.entry > 0):
        total = total + law.cumulative_hazard(entry, eta)
    if rows.event.any():
        total = total + xr.where(event, law.log_hazard(end.where(event, 1.0), eta), 0.0)
    if rows.between.any():
        inside = (law.cumulative_hazard(upper, eta) - spent).where(between, 1.0)
        total = total + xr.where(between, xr.ufuncs.log(-xr.ufuncs.expm1(-inside)), 0.0)
    ordered: xr.DataArray = total.transpose("chain", "draw", ROW)
    return ordered
