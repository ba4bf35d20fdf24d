"""Cox regression by Efron's and Breslow's treatment of ties, and the test of proportional hazards."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ixa_bayes.crosscheck.coefficients import Coefficients, coefficients_of, wald_table
from ixa_bayes.crosscheck.observations import (
    CI_PROB,
    BoolArray,
    FollowUp,
    NotAvailableError,
    checked_design,
    follow_up,
    response,
)
from ixa_bayes.crosscheck.separation import Comparison, cox_comparisons, limits

if TYPE_CHECKING:
    from greenwood import CoxPH

Ties = Literal["efron", "breslow"]
Transform = Literal["km", "rank", "identity"]

# R stops when the relative change of the log-likelihood is this small; one more Newton step costs nothing.
_CONVERGED: Final = 1e-13
# The library keeps some three numbers for each row and pair of coefficients; more than this is gigabytes.
_LARGEST: Final = 100_000_000
_SAME: Final = 1e-9
_SINGULAR: Final = "the information matrix is singular in these patients"


@dataclass(frozen=True, eq=False)
class CoxFit:
    """A Cox regression.

    Attributes
    ----------
    log_hazard_ratios : DataFrame
        By coefficient: ``estimate``, ``standard_error``, ``lower``, ``upper``, ``p`` (Wald, two-sided),
        ``limit`` (finite, or where the estimate runs to).
    log_likelihood, log_likelihood_null : float
        Log partial likelihood at the estimate and at 0.
    likelihood_ratio, score, wald : float
        Chi-squares of all coefficients together on ``degrees_of_freedom``.
    degrees_of_freedom, n, n_events : int
        ``n`` and ``n_events`` by weight.
    ties : {"efron", "breslow"}
    """

    log_hazard_ratios: pd.DataFrame
    log_likelihood: float
    log_likelihood_null: float
    likelihood_ratio: float
    score: float
    wald: float
    degrees_of_freedom: int
    n: int
    n_events: int
    ties: Ties


def cox(
    time: ArrayLike,
    event: ArrayLike,
    *,
    design: pd.DataFrame,
    ties: Ties = "efron",
    entry: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    ci_prob: float = CI_PROB,
) -> CoxFit:
    """Cox's partial likelihood, maximised.

    Parameters
    ----------
    time, event, entry, weight
        See ``observations.follow_up``; a weight w counts as w equal rows, ties included.
    design : DataFrame, shape (row, coefficient)
        Numbers; no intercept.
    ties : {"efron", "breslow"}
    ci_prob : float

    Returns
    -------
    CoxFit
        Where the likelihood has no maximum in a coefficient (separation), its estimate is plus or minus
        infinity without an error; the others are those of the limit.

    Raises
    ------
    InputError
        If the arrays or the design have faults.
    NotAvailableError
        If there are no events, or a column is constant or a combination of others where it counts.

    References
    ----------
    Cox (1972), JRSS B 34:187; Breslow (1974), Biometrics 30:89; Efron (1977), JASA 72:557.
    """
    data = follow_up(time, event, entry=entry, weight=weight)
    columns, comparisons = _coefficients(data, design), cox_comparisons(data)
    fitted = _fitted(data, columns, ties=ties)
    where = limits(columns.scaled, comparisons)
    table = wald_table(columns, fitted.coef_, fitted.vcov_, where=where, ci_prob=ci_prob)
    return CoxFit(
        table,
        log_likelihood=float(fitted.loglik_),
        log_likelihood_null=float(fitted.loglik_null_),
        likelihood_ratio=float(fitted.lr_stat_),
        score=float(fitted.score_stat_),
        wald=float(fitted.wald_stat_),
        degrees_of_freedom=len(columns.names),
        n=int(data.weight.sum()),
        n_events=data.n_events,
        ties=ties,
    )


def proportionality_test(
    time: ArrayLike,
    event: ArrayLike,
    *,
    design: pd.DataFrame,
    transform: Transform = "km",
    ties: Ties = "efron",
    entry: ArrayLike | None = None,
    weight: ArrayLike | None = None,
) -> pd.DataFrame:
    """Score test of proportional hazards, each coefficient and all together.

    The alternative is a log hazard ratio that is linear in a function of time: the left-continuous
    Kaplan-Meier (``km``), the rank of the time, or the time itself. As R's ``cox.zph`` since
    ``survival`` 3.0, not the older approximation by correlation.

    Returns
    -------
    DataFrame
        By coefficient and ``GLOBAL``: ``chi_square``, ``degrees_of_freedom``, ``p``; NaN for a covariate that varies
        among the patients at risk at fewer than two event times, and then for ``GLOBAL`` too.

    Raises
    ------
    InputError, NotAvailableError
        As ``cox``; also where an estimate is infinite, or there are fewer than two distinct event times.

    References
    ----------
    Grambsch & Therneau (1994), Biometrika 81:515; the score form as documented with R's ``survival``.
    """
    data = follow_up(time, event, entry=entry, weight=weight)
    columns, comparisons = _coefficients(data, design), cox_comparisons(data)
    fitted = _fitted(data, columns, ties=ties)
    if any(limit != "finite" for limit in limits(columns.scaled, comparisons)):
        raise NotAvailableError("a hazard ratio runs to 0 or infinity (separation)")
    if len(comparisons) < 2:
        raise NotAvailableError("all events happen at one time")
    try:
        with np.errstate(all="ignore"):
            result = fitted.cox_zph(transform=transform)
    except np.linalg.LinAlgError as error:
        raise NotAvailableError(_SINGULAR) from error
    rows = {**result.per_term, "GLOBAL": result.global_test}
    table = pd.DataFrame.from_dict(rows, orient="index")
    table = table.rename(columns={"chisq": "chi_square", "df": "degrees_of_freedom", "p_value": "p"})
    table.index = pd.Index([*columns.names, "GLOBAL"], name="coefficient")
    tested = _seen_twice(columns, comparisons)
    table.loc[~np.append(tested, tested.all()), ["chi_square", "p"]] = np.nan
    return table[["chi_square", "degrees_of_freedom", "p"]]


def _seen_twice(columns: Coefficients, comparisons: Sequence[Comparison]) -> BoolArray:
    """Coefficients whose covariate varies among those at risk at two event times or more: only they can change."""
    varies = [np.ptp(columns.scaled[c.at_risk], axis=0) > _SAME for c in comparisons]
    return np.asarray(np.sum(varies, axis=0) >= 2)


def _coefficients(data: FollowUp, design: pd.DataFrame) -> Coefficients:
    values = checked_design(design, data)
    if not data.event.any():
        raise NotAvailableError("there are no events")
    return coefficients_of(values, list(design.columns), rows=data.meets_an_event())


def _fitted(data: FollowUp, columns: Coefficients, *, ties: Ties) -> "CoxPH":
    from greenwood import CoxPH

    # greenwood scales weights to mean 1 and leaves them out of Efron's sum, so rows are repeated instead.
    single, every = data.one_by_one(), data.repeated()
    width = len(columns.names)
    if every.size * width**2 > _LARGEST:
        raise NotAvailableError(f"{every.size:,} patients with {width} coefficients need too much memory")
    try:
        # Along a direction of separation the Newton steps leave the range of numbers; `limits` tells which they are.
        with np.errstate(all="ignore"):
            return CoxPH(ties=ties).fit(response(single), columns.scaled[every], tol=_CONVERGED)
    except np.linalg.LinAlgError as error:
        raise NotAvailableError(_SINGULAR) from error
