"""Follow-up that a survival model would produce: exact times, and what a cohort with given visits and censoring sees.

Censoring is not part of the models, so it is taken from the cohort: who was censored keeps the time
of it; who had an event gets one drawn from the reverse Kaplan-Meier estimate, given that it came no
earlier than the event.
"""

from typing import Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ixa_bayes.cohort.follow_up import is_start_stop
from ixa_bayes.errors import InputError, Problem
from ixa_bayes.inference.survival.fitting import SurvivalFit
from ixa_bayes.inference.survival.parameters import law_of, linear_predictor
from ixa_bayes.inference.survival.question import SurvivalQuestion
from ixa_bayes.models.missing import PATTERN, log_pattern_probability, pattern_eta
from ixa_bayes.models.survival_likelihood import Law
from ixa_bayes.models.survival_rows import ROW, SurvivalRows

FloatArray = NDArray[np.float64]

_CERTAIN: Final = 1e3
"""Stands for an infinite cumulative hazard: exp(-1000) is 0."""
_ON_THE_GRID: Final = 1e-9
"""A share of a visit interval by which rounding may miss a visit."""


def simulate_times(law: Law, eta: xr.DataArray | float, entry: FloatArray, rng: np.random.Generator) -> xr.DataArray:
    """Event times of patients who were event-free when they entered.

    The cumulative hazard from entry to the event is exponential with mean 1, whatever the law.

    Parameters
    ----------
    law : Law
        Draws of the baseline, dims (chain, draw).
    eta : xr.DataArray, dims (chain, draw, row)
        What covariates add to the log hazard; 0 for none.
    entry : ndarray, shape (row,)
        Months.
    rng : numpy.random.Generator

    Returns
    -------
    xr.DataArray, dims (chain, draw, row)
        Months, not before ``entry``.

    Raises
    ------
    ValueError
        If a covariate is missing.
    """
    if np.isnan(eta).any():
        raise ValueError("a covariate is missing, and times cannot be simulated without its value")
    entered = xr.DataArray(entry, dims=ROW)
    at_entry = law.cumulative_hazard(entered, eta).transpose("chain", "draw", ROW)
    at_event = at_entry + rng.exponential(size=at_entry.shape)
    times: xr.DataArray = xr.ufuncs.maximum(law.time_of(at_event, eta), entered)
    return times.transpose("chain", "draw", ROW)


def censoring_times(rows: SurvivalRows, rng: np.random.Generator, *, size: tuple[int, ...] = ()) -> FloatArray:
    """When each patient's observation would have ended without an event.

    Parameters
    ----------
    rows : SurvivalRows
        One row per patient, or per group of equal patients.
    rng : numpy.random.Generator
    size : tuple of int
        Of independent repetitions.

    Returns
    -------
    ndarray, shape (*size, row)
        Months. Censored patients have their own time in every repetition. The others have a draw from the reverse
        Kaplan-Meier estimate at or after their event; at equal times events come before censorings, so a
        patient with an event at t was not yet at risk of being censored at t. What the estimate leaves beyond the last
        censoring is put at the longest follow-up of the cohort (Efron's convention), so that no simulated
        follow-up is longer than it.

    References
    ----------
    Efron (1967), Proc. 5th Berkeley Symposium 4:831; Schemper & Smith (1996), Controlled Clinical Trials 17:343.
    """
    seen = rows.event | rows.between
    own = np.where(seen, rows.upper, rows.end)
    times, hazard = _reverse_hazard(rows, own, seen)
    cumulative = np.concatenate([[0.0], np.cumsum(hazard)])
    before = cumulative[np.searchsorted(times, own, side="left")]
    wanted = before + rng.exponential(size=(*size, own.size))
    drawn = np.append(times, own.max())[np.searchsorted(cumulative[1:], wanted, side="left")]
    return np.where(seen, drawn, own)


def _reverse_hazard(rows: SurvivalRows, own: FloatArray, seen: NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
    """Distinct censoring times, and what each adds to the cumulative hazard of censoring."""
    times = np.unique(own[~seen])
    position = np.searchsorted(times, own[~seen])
    censored = np.bincount(position, weights=rows.weight[~seen], minlength=times.size)
    tied = np.isin(own, times) & seen
    events = np.bincount(np.searchsorted(times, own[tied]), weights=rows.weight[tied], minlength=times.size)
    at_risk = _weight_from(own, rows.weight, times) - _weight_from(rows.entry, rows.weight, times) - events
    share = np.minimum(censored / at_risk, 1.0)
    last = share >= 1
    return times, np.where(last, _CERTAIN, -np.log1p(-np.where(last, 0.0, share)))


def _weight_from(values: FloatArray, weight: NDArray[np.int64], at: FloatArray) -> FloatArray:
    """Total weight of the values that are at least each of some times."""
    order = np.argsort(values)
    total = np.concatenate([[0], np.cumsum(weight[order])])
    found: FloatArray = (total[-1] - total[np.searchsorted(values[order], at, side="left")]).astype(float)
    return found


def visit_steps(rows: SurvivalRows, rng: np.random.Generator, *, size: tuple[int, ...] = ()) -> FloatArray:
    """Months between the visits at which each patient's event is looked for; 0 where it is known to the day.

    An event between two visits shows its patient's own step, an exact one that there are none. Of a
    censored patient the cohort says nothing, so the step is that of a patient with an event, drawn at random;
    likewise of one whose event was found at the first visit after a late entry, among the events between two visits.

    Parameters
    ----------
    rows : SurvivalRows
    rng : numpy.random.Generator
    size : tuple of int
        Of independent repetitions.

    Returns
    -------
    ndarray, shape (*size, row)
    """
    own = np.where(rows.between, rows.upper - rows.end, 0.0)
    steps = np.broadcast_to(own, (*size, own.size)).copy()
    if not rows.between.any():
        return steps
    told = rows.between & ((rows.end > rows.entry) | (rows.entry == 0))
    told = told if told.any() else rows.between
    for unknown, donors in ((rows.between & ~told, told), (~rows.between & ~rows.event, rows.event | told)):
        share = rows.weight[donors] / rows.weight[donors].sum()
        steps[..., unknown] = rng.choice(own[donors], size=(*size, int(unknown.sum())), p=share)
    return steps


def seen_of(
    times: xr.DataArray, *, entry: FloatArray, censoring: FloatArray, step: FloatArray, anchor: FloatArray
) -> xr.Dataset:
    """What is seen of exact event times, in the form of a cohort's follow-up.

    Parameters
    ----------
    times : xr.DataArray, dims (chain, draw, row)
        Months.
    entry : ndarray, shape (row,)
    censoring : ndarray, shape (row,) or that of ``times``
        End of each observation; an event at that very time is seen.
    step : ndarray, shape (row,) or that of ``times``
        Months between visits; 0 for events that are known to the day.
    anchor : ndarray, shape (row,)
        One of the visits. The others are whole steps away from it, and the last one comes no later than
        ``censoring``.

    Returns
    -------
    xr.Dataset
        ``time``, ``time_lower``, ``event`` (chain, draw, row), ``entry``, ``weight`` (row), as
        :func:`ixa_bayes.models.survival_rows.survival_rows` takes them, one draw at a time.
    """
    exact = times.to_numpy()
    at_visits = step > 0
    safe = np.where(at_visits, step, 1.0)
    last_visit = anchor + np.floor((censoring - anchor) / safe + _ON_THE_GRID) * safe
    end = np.where(at_visits, last_visit, censoring)
    found = np.where(at_visits, anchor + np.ceil((exact - anchor) / safe) * safe, exact)
    event = found <= end + _ON_THE_GRID * step
    time = np.where(event, found, end)
    lower = np.where(event & at_visits, np.maximum(time - step, entry), time)
    named = {"time": time, "time_lower": lower, "event": event}
    return xr.Dataset(
        {name: times.copy(data=values) for name, values in named.items()}
        | {"entry": (ROW, entry), "weight": (ROW, np.ones(entry.size, dtype=np.int64))}
    )


def replicate(fit: SurvivalFit, rng: np.random.Generator, *, draws: int = 400) -> xr.Dataset:
    """Follow-up of the cohort's patients as the model predicts it, with the cohort's entries, visits and censoring.

    Parameters
    ----------
    fit : SurvivalFit
        A posterior, or a prior in its shape.
    rng : numpy.random.Generator
    draws : int
        At most this many draws of each chain, evenly spaced.

    Returns
    -------
    xr.Dataset
        See :func:`seen_of`; a row that stands for several equal patients is repeated.
        Each draw has censoring times and visits of its own, and values of missing covariates as likely as the
        patient's other covariates make them.

    Raises
    ------
    InputError
        For a start-stop table, since nobody knows the covariates that a patient would have had later.
    """
    question = fit.question
    if is_start_stop(question.cohort.follow_up[question.analysis.endpoint]):
        rule = "a patient's covariates after the last row are not known, so follow-up cannot be replicated"
        mend = "ask for it with one row per patient, covariates as they were at entry"
        raise InputError([Problem(f"cohort {question.cohort.name}", "a start-stop table", rule, mend)])
    posterior = fit.posterior["posterior"].to_dataset()
    available = posterior.sizes["draw"]
    chosen = np.linspace(0, available - 1, min(draws, available)).round().astype(int)
    parameters = posterior.isel(draw=chosen)
    rows, which = _one_by_one(question.rows)
    eta = _linear_predictor(parameters, question, which, rng)
    times = simulate_times(law_of(parameters, question.analysis), eta, rows.entry, rng)
    size = times.shape[:2]
    return seen_of(
        times,
        entry=rows.entry,
        censoring=censoring_times(rows, rng, size=size),
        step=visit_steps(rows, rng, size=size),
        anchor=np.where(rows.between, rows.upper, rows.end),
    )


def _linear_predictor(
    parameters: xr.Dataset, question: SurvivalQuestion, which: NDArray[np.int64], rng: np.random.Generator
) -> xr.DataArray | float:
    """What covariates add to the log hazard of patients, each with the covariates of a row of the design."""
    if not question.patterns.covariates:
        return linear_predictor(parameters, question.design.matrix.iloc[which])
    weight = log_pattern_probability(parameters, question.patterns).isel({ROW: which})
    # The largest of log weights plus Gumbel noise is a draw from the weights.
    pattern = (weight + rng.gumbel(size=weight.shape)).argmax(PATTERN)
    eta: xr.DataArray = pattern_eta(parameters, question.design, question.patterns).isel({ROW: which})
    return eta.isel({PATTERN: pattern})


def _one_by_one(rows: SurvivalRows) -> tuple[SurvivalRows, NDArray[np.int64]]:
    """One row per patient, and which row of the cohort it was."""
    which = np.repeat(np.arange(rows.weight.size), rows.weight)
    return SurvivalRows(
        entry=rows.entry[which],
        end=rows.end[which],
        upper=rows.upper[which],
        event=rows.event[which],
        between=rows.between[which],
        weight=np.ones(which.size, dtype=np.int64),
    ), which
