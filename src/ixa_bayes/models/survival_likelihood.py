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
from scipy.special import logsumexp

from ixa_bayes.models.missing import PATTERN, pattern_weights
from ixa_bayes.models.ratio_priors import COEFFICIENT, Families, ratio_variables
from ixa_bayes.models.survival_rows import ROW, SurvivalRows


@dataclass(frozen=True)
class Structure:
    """All that the compiled program of a survival model depends on; data and prior numbers come later.

    Attributes
    ----------
    law : {"weibull", "piecewise_exponential"}
    families : Families
        Coefficients by the family of their prior.
    level : {"median", "log_rate"}
        What the prior of the baseline's level is about.
    late_entry, between : bool
        Whether any row enters after 0, and whether any event lies between two visits.
    n_intervals : int
        Of the piecewise-exponential law; 0 otherwise.
    walk : bool
        Whether its log hazards follow a random walk.
    tabled : bool
        Whether a Weibull law takes its rows as a table of patterns by times.
    changing : tuple of int
        Of each covariate whose effect changes between the intervals, how many coefficients it has.
    n_marginalised, n_predictors : int
        Covariates that are summed out where they are missing, and the columns that predict them.
    """

    law: Literal["weibull", "piecewise_exponential"]
    families: Families
    level: Literal["median", "log_rate"]
    late_entry: bool
    between: bool
    n_intervals: int = 0
    walk: bool = False
    tabled: bool = False
    changing: tuple[int, ...] = ()
    n_marginalised: int = 0
    n_predictors: int = 0

    @property
    def name(self) -> str:
        """Name of the compiled program."""
        flags = [word for word in ("late_entry", "between", "walk", "tabled") if getattr(self, word)]
        sizes = f"{self.families.n_normal}_normal_{self.families.n_student_t}_student_t"
        if self.families.n_shrunk:
            sizes += f"_{self.families.n_shrunk}_{self.families.shrinkage}"
        intervals = [f"{self.n_intervals}_intervals"] if self.n_intervals else []
        over_time = [f"{'_'.join(map(str, self.changing))}_changing"] if self.changing else []
        summed = [f"{self.n_marginalised}_marginalised_{self.n_predictors}_predictors"] if self.n_marginalised else []
        return "/".join([self.law, *intervals, self.level, sizes, *flags, *over_time, *summed])

    @property
    def n_coefficients(self) -> int:
        """Coefficients of all families."""
        return self.families.n


class Law(Protocol):
    """A baseline hazard with its draws; ``eta`` is what covariates add to its logarithm.

    Where an effect changes over time, which only a piecewise-exponential law knows, ``eta`` has the dim ``interval``.
    """

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


def linear_predictor(structure: Structure) -> Any:
    """What covariates add to the log hazard, inside a ``pm.Model``.

    Returns
    -------
    pytensor variable, shape (row, pattern)
        One pattern if no covariate is marginalised; 0 without covariates.
    """
    import pymc as pm  # here, because it takes seconds that commands without sampling need not pay

    if not structure.n_coefficients:
        return 0.0
    design = pm.Data("design", np.zeros((2, structure.n_coefficients)), dims=(ROW, COEFFICIENT))
    ratios = ratio_variables(structure.families)
    eta = (design @ ratios)[:, None]
    if structure.n_marginalised:
        shape = (2, 2**structure.n_marginalised, structure.n_coefficients)
        eta = eta + pm.Data("pattern_shift", np.zeros(shape), dims=(ROW, PATTERN, COEFFICIENT)) @ ratios
    return eta


def observe(log_hazard: Any, cumulative: Any, between: Any | None, *, structure: Structure) -> None:
    """The observed node of a survival model, inside its ``pm.Model``.

    Parameters
    ----------
    log_hazard : pytensor variable, shape (row, pattern)
        At ``end``; matters only where the event is exact.
    cumulative : pytensor variable, shape (row, pattern)
        From ``entry`` to ``end``.
    between : pytensor variable, shape (row, pattern), optional
        Cumulative hazard from ``end`` to ``upper``, where the structure has such rows.
    structure : Structure
    """
    import pymc as pm  # here, because it takes seconds that commands without sampling need not pay
    import pytensor.tensor as pt
    from pytensor.tensor.special import logsumexp as log_sum

    event, weight = pm.Data("event", np.ones(2), dims=ROW), pm.Data("weight", np.ones(2), dims=ROW)
    known: dict[str, Any] = {"log_hazard": log_hazard, "cumulative": cumulative}
    if between is not None:
        known |= {"between": between, "found": pm.Data("between", np.zeros(2), dims=ROW)}
    if structure.n_marginalised:
        known["pattern"] = pattern_weights(structure.n_marginalised, structure.n_predictors)

    def logp(value: Any, weight: Any, *arguments: Any) -> Any:
        given = dict(zip(known, arguments, strict=True))
        terms = value[:, None] * given["log_hazard"] - given["cumulative"]
        if "between" in given:
            # Where nothing lies between, the cumulative hazard there is replaced before the logarithm: 0 times minus
            # infinity has no gradient.
            found = given["found"][:, None] > 0
            inside = pt.switch(found, given["between"], 1.0)
            terms = terms + pt.switch(found, pt.log(-pt.expm1(-inside)), 0.0)
        if "pattern" in given:
            return weight * log_sum(terms + given["pattern"], axis=1)
        return weight * terms[:, 0]

    cores = ["(p)" if name != "found" else "()" for name in known]
    signature = ",".join(["()", *cores]) + "->()"
    pm.CustomDist("status", weight, *known.values(), logp=logp, signature=signature, observed=event, dims=ROW)


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
    ordered: xr.DataArray = _terms(law, eta, rows).transpose("chain", "draw", ROW)
    return ordered


def log_likelihood_of_patterns(
    law: Law, eta: xr.DataArray, rows: SurvivalRows, *, log_pattern: xr.DataArray
) -> xr.DataArray:
    """Log-likelihood of each row's follow-up given its observed covariates, missing ones summed out.

    ``log sum_x p(x_missing | x_observed, z) f(t | x) / S(entry | x)``, not multiplied by the row's weight.

    Parameters
    ----------
    law : Law
    eta, log_pattern : xr.DataArray, dims (chain, draw, row, pattern)
        From ``missing.pattern_eta`` and ``missing.log_pattern_probability``.
    rows : SurvivalRows

    Returns
    -------
    xr.DataArray, dims (chain, draw, row)
    """
    joint = _log_sum(_terms(law, eta, rows) + log_pattern)
    ordered: xr.DataArray = (joint - _log_sum(log_pattern)).transpose("chain", "draw", ROW)
    return ordered


def pattern_posterior(law: Law, eta: xr.DataArray, rows: SurvivalRows, *, log_pattern: xr.DataArray) -> xr.DataArray:
    """Probability of each pattern given all that is known of the row, dims (chain, draw, row, pattern)."""
    return normalised(_terms(law, eta, rows) + log_pattern)


def normalised(log_weight: xr.DataArray) -> xr.DataArray:
    """Probabilities of patterns from their log weights, summing to 1 over the dim ``pattern``."""
    return xr.DataArray(xr.ufuncs.exp(log_weight - _log_sum(log_weight)))


def _log_sum(terms: xr.DataArray) -> xr.DataArray:
    return xr.DataArray(terms.reduce(logsumexp, dim=PATTERN))


def _terms(law: Law, eta: xr.DataArray | float, rows: SurvivalRows) -> xr.DataArray:
    """Log-likelihood of each row, and pattern where ``eta`` has them."""
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
    return total
