"""Firth's penalised Cox regression, whose estimates are finite where Cox's run to infinity."""

import warnings
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ixa_bayes.crosscheck.coefficients import coefficients_of
from ixa_bayes.crosscheck.observations import (
    CI_PROB,
    FloatArray,
    FollowUp,
    NotAvailableError,
    checked_design,
    follow_up,
    z_of,
)

if TYPE_CHECKING:
    from firthmodels import FirthCoxPH

# Tighter ones stall on rounding: at 1e-8 one small cohort in fifteen did not converge.
_GRADIENT: Final = 1e-6
_STEP: Final = 1e-6
_PROFILE: Final = 1e-8
_ITERATIONS: Final = 200


@dataclass(frozen=True, eq=False)
class FirthFit:
    """Firth's Cox regression; ties by Breslow.

    Attributes
    ----------
    log_hazard_ratios : DataFrame
        By coefficient: ``estimate``, ``standard_error`` (Wald), ``lower``, ``upper`` (penalised profile
        likelihood; NaN where the search found no limit), ``p`` (penalised likelihood ratio;
        NaN likewise).
    penalised_log_likelihood : float
    n, n_events : int
    """

    log_hazard_ratios: pd.DataFrame
    penalised_log_likelihood: float
    n: int
    n_events: int


def firth_cox(
    time: ArrayLike,
    event: ArrayLike,
    *,
    design: pd.DataFrame,
    entry: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    ci_prob: float = CI_PROB,
) -> FirthFit:
    """Cox's partial likelihood (Breslow) times the root of its information determinant, maximised.

    Parameters
    ----------
    time, event, entry, weight
        See ``observations.follow_up``; entry times and weights are refused, see below.
    design : DataFrame, shape (row, coefficient)
    ci_prob : float

    Returns
    -------
    FirthFit

    Raises
    ------
    InputError
        If the arrays or the design have faults.
    NotAvailableError
        With delayed entry or weights (the library has neither, and the fit without them would answer
        another question), without events, or where a column is constant or a combination of others.

    References
    ----------
    Firth (1993), Biometrika 80:27; Heinze & Schemper (2001), Biometrics 57:114; Venzon & Moolgavkar (1988),
    Applied Statistics 37:87, for the interval.
    """
    z_of(ci_prob)
    data = follow_up(time, event, entry=entry, weight=weight)
    values = checked_design(design, data)
    _refuse(data)
    columns = coefficients_of(values, list(design.columns), rows=data.meets_an_event())
    fit, lower, upper = _fitted(columns.scaled, data, ci_prob=ci_prob)
    table = pd.DataFrame(
        {
            "estimate": fit.coef_ / columns.scale,
            "standard_error": fit.bse_ / columns.scale,
            "lower": lower / columns.scale,
            "upper": upper / columns.scale,
            "p": fit.lrt_pvalues_,
        },
        index=pd.Index(columns.names, name="coefficient"),
    )
    # The penalty of the scaled columns differs from that of the design by the logarithm of their scales.
    penalised = float(fit.loglik_) + float(np.log(columns.scale).sum())
    return FirthFit(table, penalised, n=data.time.size, n_events=data.n_events)


def _refuse(data: FollowUp) -> None:
    if data.has_entry:
        raise NotAvailableError("firthmodels has no delayed entry, and leaving the entry times out would bias it")
    if data.has_weights:
        raise NotAvailableError("firthmodels has no weights, and its penalty is that of single patients")
    if not data.event.any():
        raise NotAvailableError("there are no events")


def _fitted(values: FloatArray, data: FollowUp, *, ci_prob: float) -> tuple["FirthCoxPH", FloatArray, FloatArray]:
    from firthmodels import FirthCoxPH

    model = FirthCoxPH(backend="numpy", gtol=_GRADIENT, xtol=_STEP, max_iter=_ITERATIONS)
    # Its warnings say what its results show as well: no convergence, a NaN limit, a NaN p.
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            fit = model.fit(values, (data.event, data.time))
        except np.linalg.LinAlgError as error:
            raise NotAvailableError("the information matrix is singular in these patients") from error
        if not fit.converged_:
            raise NotAvailableError("the penalised likelihood was not maximised (no convergence)")
        limits = np.full((values.shape[1], 2), np.nan)
        for column in range(values.shape[1]):
            # A search that meets a flat stretch of the likelihood leaves its limit or p out, not those of the others.
            with suppress(np.linalg.LinAlgError):
                limits[column] = fit.conf_int(
                    alpha=1 - ci_prob, method="pl", features=column, tol=_PROFILE, max_iter=_ITERATIONS
                )[column]
            for warm_start in (True, False):  # the second does nothing where the first has found p
                with suppress(np.linalg.LinAlgError):
                    fit.lrt(column, warm_start=warm_start)
    return fit, limits[:, 0], limits[:, 1]
