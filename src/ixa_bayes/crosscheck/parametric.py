"""Maximum likelihood of the two laws that the posterior uses: Weibull and piecewise-exponential proportional hazards.

Both likelihoods are maximised here directly, with exact gradients and Hessians. `greenwood` fits neither as needed:
its accelerated-failure-time Weibull has no delayed entry and no weights, and its piecewise-exponential model takes
Newton steps of any length from 0 and returns the last one, converged or not. Intervals and exposures are worked out
here too: a cross-check that took them from the model it checks would share its mistakes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.optimize import minimize

from ixa_bayes.crosscheck.coefficients import Coefficients, coefficients_of, wald_table
from ixa_bayes.crosscheck.observations import (
    CI_PROB,
    FloatArray,
    FollowUp,
    IntArray,
    NotAvailableError,
    checked_design,
    follow_up,
)
from ixa_bayes.crosscheck.separation import Comparison, Limit, limits

type Derivatives = Callable[[FloatArray], tuple[float, FloatArray, FloatArray]]

_GRADIENT: Final = 1e-9
_FLAT: Final = 1e-6
_RUNAWAY: Final = 1e3
_LARGEST_EXPONENT: Final = 200.0
_RANK: Final = 1e-12


@dataclass(frozen=True, eq=False)
class ParametricFit:
    """Proportional hazards over a baseline with parameters of its own.

    Attributes
    ----------
    log_hazard_ratios : DataFrame
        As ``cox.CoxFit.log_hazard_ratios``.
    baseline : DataFrame
        ``estimate`` and ``standard_error`` of the baseline's parameters, at a design of zeros; the function
        that fits says which they are.
    log_likelihood : float
        Of the survival times in their unit.
    n, n_events : int
        By weight.
    """

    log_hazard_ratios: pd.DataFrame
    baseline: pd.DataFrame
    log_likelihood: float
    n: int
    n_events: int


def weibull_mle(
    time: ArrayLike,
    event: ArrayLike,
    *,
    design: pd.DataFrame,
    entry: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    ci_prob: float = CI_PROB,
) -> ParametricFit:
    """Weibull proportional hazards by maximum likelihood, with delayed entry and weights.

    The log-likelihood of a row is ``event (log shape + eta + (shape - 1) log t) - exp(eta) (t^shape - entry^shape)``.

    Parameters
    ----------
    time, event, entry, weight
        See ``observations.follow_up``.
    design : DataFrame, shape (row, coefficient)
    ci_prob : float

    Returns
    -------
    ParametricFit
        ``h(t|x) = shape exp(b0 + x'beta) t^(shape - 1)``, t in the unit of the times; baseline ``b0`` (NaN where
        it runs to infinity against a log hazard ratio) and ``log_shape``. Standard errors from the observed
        information. Infinite estimates as in ``cox.cox``.

    Raises
    ------
    InputError
        If the arrays or the design have faults.
    NotAvailableError
        If there are no events, a column is constant or a combination of others, or the likelihood grows
        with the shape for ever (all events at the end of all follow-up).

    References
    ----------
    Kalbfleisch & Prentice (2002), The Statistical Analysis of Failure Time Data, ch. 3.
    """
    data, columns = _inputs(follow_up(time, event, entry=entry, weight=weight), design)
    where = _weibull_limits(data, columns)
    unit = float(np.exp(np.average(np.log(data.time), weights=data.weight)))
    start = np.zeros(len(columns.names) + 2)
    start[0] = np.log(data.n_events / float(data.weight @ (data.time - data.entry)) * unit)
    best, information, value = _maximum(_weibull(data, columns.scaled, unit), start, events=data.n_events)
    covariance = _inverse(information)
    inside = slice(1, -1)
    table = wald_table(columns, best[inside], covariance[inside, inside], where=where, ci_prob=ci_prob)
    shape = float(np.exp(best[-1]))
    # b0 of the design at zeros and in the unit of the times, from that of the centred columns and scaled times.
    back = np.concatenate([[1.0], -columns.centre / columns.scale, [-shape * np.log(unit)]])
    b0 = best[0] + back[inside] @ best[inside] - shape * np.log(unit)
    variance = np.array([back @ covariance @ back, covariance[-1, -1]])
    baseline = _baseline(np.array([b0, best[-1]]), variance).set_axis(["b0", "log_shape"])
    log_likelihood = value - data.n_events * float(np.log(unit))
    return ParametricFit(table, baseline, log_likelihood, n=int(data.weight.sum()), n_events=data.n_events)


def piecewise_mle(
    time: ArrayLike,
    event: ArrayLike,
    *,
    design: pd.DataFrame,
    cuts: Sequence[float],
    entry: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    ci_prob: float = CI_PROB,
) -> ParametricFit:
    """Piecewise-exponential proportional hazards by maximum likelihood, with delayed entry and weights.

    The log-likelihood of a row is ``event (lambda_j + eta) - sum_k exposure_k exp(lambda_k + eta)`` with j the
    interval of its event. An interval without events has a hazard of 0 and drops out.

    Parameters
    ----------
    time, event, entry, weight
        See ``observations.follow_up``.
    design : DataFrame, shape (row, coefficient)
    cuts : sequence of float
        Rising, above 0; intervals are right-closed.
    ci_prob : float

    Returns
    -------
    ParametricFit
        ``h(t|x) = exp(lambda_j + x'beta)`` on ``(c_j-1, c_j]``; the baseline has one row per interval, the last
        open-ended: ``start``, ``stop``, ``n_events``, ``exposure`` and the log hazard (minus infinity without events).

    Raises
    ------
    InputError, NotAvailableError
        As ``weibull_mle``.
    ValueError
        If the cut-points do not rise from above 0.

    References
    ----------
    Friedman (1982), Annals of Statistics 10:101.
    """
    data, columns = _inputs(follow_up(time, event, entry=entry, weight=weight), design)
    edges = _edges(cuts)
    spent = np.clip(np.minimum.outer(data.time, edges[1:]) - np.maximum.outer(data.entry, edges[:-1]), 0, None)
    which = np.searchsorted(edges[1:], data.time, side="left")  # an event at a cut-point ends the interval before it
    total = data.weight @ spent
    events = np.bincount(which[data.event], weights=data.weight[data.event], minlength=total.size)
    kept = np.flatnonzero(events)
    comparisons = [
        Comparison(np.flatnonzero(data.event & (which == j)), np.flatnonzero(spent[:, j] > 0)) for j in kept.tolist()
    ]
    where = limits(columns.scaled, comparisons)
    start = np.concatenate([np.log(events[kept] / total[kept]), np.zeros(len(columns.names))])
    likelihood = _piecewise(data, columns.scaled, spent=spent[:, kept], interval=np.searchsorted(kept, which))
    best, information, value = _maximum(likelihood, start, events=data.n_events)
    covariance, ours = _inverse(information), slice(kept.size, None)
    table = wald_table(columns, best[ours], covariance[ours, ours], where=where, ci_prob=ci_prob)
    # Log hazards of the design at zeros, from those of the centred columns.
    back = np.hstack([np.eye(kept.size), np.tile(-columns.centre / columns.scale, (kept.size, 1))])
    variance = np.einsum("ij,jk,ik->i", back, covariance, back)
    intervals = {"start": edges[:-1], "stop": edges[1:], "n_events": events.astype(np.int64), "exposure": total}
    baseline = pd.DataFrame({**intervals, "estimate": -np.inf, "standard_error": np.nan})
    baseline.loc[kept, ["estimate", "standard_error"]] = _baseline(back @ best, variance).to_numpy()
    return ParametricFit(table, baseline, value, n=int(data.weight.sum()), n_events=data.n_events)


def _inputs(data: FollowUp, design: pd.DataFrame) -> tuple[FollowUp, Coefficients]:
    values = checked_design(design, data)
    if not data.event.any():
        raise NotAvailableError("there are no events")
    everyone = np.ones(data.time.size, dtype=bool)
    return data, coefficients_of(values, list(design.columns), rows=everyone)


def _edges(cuts: Sequence[float]) -> FloatArray:
    inner = np.asarray(list(cuts), dtype=float)
    if not (np.all(np.isfinite(inner)) and np.all(np.diff(inner, prepend=0.0) > 0)):
        raise ValueError(f"cut-points {list(cuts)} must rise from above 0 and be finite.")
    return np.concatenate([[0.0], inner, [np.inf]])


def _baseline(estimate: FloatArray, variance: FloatArray) -> pd.DataFrame:
    # Where a log hazard ratio runs to infinity the baseline may run against it; its error then exceeds any real one.
    exists = (variance > 0) & (variance < _RUNAWAY**2)
    error = np.sqrt(np.where(exists, variance, np.nan))
    return pd.DataFrame({"estimate": np.where(exists, estimate, np.nan), "standard_error": error})


def _weibull_limits(data: FollowUp, columns: Coefficients) -> list[Limit]:
    log_time = np.log(data.time)
    everyone = [Comparison(np.flatnonzero(data.event), np.arange(data.time.size))]
    spread = float(log_time.std())
    extended = np.column_stack([columns.scaled, (log_time - log_time.mean()) / (spread if spread > 0 else 1.0)])
    shape = len(columns.names)
    *where, of_shape = limits(extended, everyone, only_grows=[shape])
    if of_shape != "finite":
        raise NotAvailableError(
            "the Weibull shape runs to infinity (events only at the end of follow-up, or covariates that explain each)"
        )
    return where


def _weibull(data: FollowUp, values: FloatArray, unit: float) -> Derivatives:
    design = np.column_stack([np.ones(data.time.size), values])
    event, weight = data.event.astype(float), data.weight.astype(float)
    late = data.entry > 0
    log_end = np.log(data.time / unit)
    log_start = np.log(np.where(late, data.entry, unit) / unit)

    def derivatives(parameters: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        eta, shape = design @ parameters[:-1], _exp(parameters[-1])
        end = _exp(eta + shape * log_end)
        start = np.where(late, _exp(eta + shape * log_start), 0.0)
        hazard = end - start
        slope = shape * (log_end * end - log_start * start)
        bend = shape**2 * (log_end**2 * end - log_start**2 * start)
        value = weight @ (event * (parameters[-1] + eta + (shape - 1) * log_end) - hazard)
        gradient = np.append(design.T @ (weight * (event - hazard)), weight @ (event * (1 + shape * log_end) - slope))
        cross = -design.T @ (weight * slope)
        last = weight @ (event * shape * log_end - slope - bend)
        hessian = np.block([[-(design.T * (weight * hazard)) @ design, cross[:, None]], [cross[None, :], last]])
        return float(value), gradient, hessian

    return derivatives


def _piecewise(data: FollowUp, values: FloatArray, *, spent: FloatArray, interval: IntArray) -> Derivatives:
    weight, size = data.weight.astype(float), spent.shape[1]
    seen = np.flatnonzero(data.event)
    events = np.bincount(interval[seen], weights=weight[seen], minlength=size)
    sums = weight[seen] @ values[seen]

    def derivatives(parameters: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        log_hazard, beta = parameters[:size], parameters[size:]
        expected = weight[:, None] * spent * _exp(np.add.outer(values @ beta, log_hazard))
        by_row, by_interval = expected.sum(axis=1), expected.sum(axis=0)
        value = events @ log_hazard + sums @ beta - by_row.sum()
        gradient = np.concatenate([events - by_interval, sums - by_row @ values])
        cross = expected.T @ values
        hessian = -np.block([[np.diag(by_interval), cross], [cross.T, (values.T * by_row) @ values]])
        return float(value), gradient, hessian

    return derivatives


def _maximum(derivatives: Derivatives, start: FloatArray, *, events: int) -> tuple[FloatArray, FloatArray, float]:
    """The maximum, the information there and the log-likelihood; per event, so that tolerances mean the same."""

    def loss(x: FloatArray) -> float:
        return -derivatives(x)[0] / events

    def slope(x: FloatArray) -> FloatArray:
        return -derivatives(x)[1] / events

    def bend(x: FloatArray) -> FloatArray:
        return -derivatives(x)[2] / events

    found = minimize(loss, start, jac=slope, hess=bend, method="trust-exact", tol=_GRADIENT)
    best = np.asarray(found.x, dtype=float)
    value, gradient, hessian = derivatives(best)
    if not np.all(np.isfinite(hessian)) or np.abs(gradient).max() > _FLAT * events:
        raise NotAvailableError("the likelihood was not maximised (no convergence)")
    return best, -hessian, value


def _exp(value: FloatArray) -> FloatArray:
    # A trial step may leave the range of numbers; it is turned down all the same if it stays within it.
    return np.asarray(np.exp(np.minimum(value, _LARGEST_EXPONENT)))


def _inverse(information: FloatArray) -> FloatArray:
    """Covariance; along a direction of separation the information vanishes, which must not spoil the others."""
    scale = np.sqrt(np.maximum(np.diag(information), np.finfo(float).tiny))
    even = np.linalg.pinv(information / np.outer(scale, scale), rcond=_RANK, hermitian=True)
    return np.asarray(even / np.outer(scale, scale))
