"""What a log-rank z says about the hazard ratio when groups are unequal or the effect is large.

The textbook reading, log HR = z / sqrt(V) with V = d n1 n2 / (n1 + n2)^2, holds at a hazard ratio
of 1. Here the hazard ratio is found whose simulated log-rank z is, on average, the printed one, and
how sharply z tells hazard ratios apart there.

Design: proportional hazards and no ties. The log-rank sees only the order of the times, so the
baseline hazard drops out (exponential, Weibull or any other give the same z), and with it the time
unit. Censoring is either ``at_end`` (follow-up stops at the d-th event of the whole cohort) or
``throughout`` (at random times, independent of the group, so that d events are expected).
"""

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Censoring = Literal["at_end", "throughout"]

_STEP: Final = 0.1
_BATCHES: Final = 20
_LARGEST_LOG_HR: Final = 8.0


class OutOfReachError(ValueError):
    """No hazard ratio makes a z as large as the printed one likely."""


@dataclass(frozen=True)
class CalibratedLogRank:
    """The hazard ratio that a log-rank z implies, by simulation, beside the formula's.

    Attributes
    ----------
    log_hr : float
        True log hazard ratio (group 1 over group 2) whose mean z is the given one.
    information : float
        Inverse variance of the log hazard ratio read off z along the calibration curve,
        (d mean z / d log HR)^2 / var z, at ``log_hr``.
    log_hr_mcse, information_mcse : float
        Monte Carlo standard errors of the two.
    log_rank_variance : float
        Mean variance of O - E, the log-rank's own denominator. It shrinks as the small group is used up, but
        is not the information about the log hazard ratio, since away from 1 O - E is not log HR times it.
    formula_log_hr, formula_information : float
        z / sqrt(V) and V = d n1 n2 / (n1 + n2)^2.
    events_1 : float
        Mean number of events in group 1 at ``log_hr``.
    censoring : {"at_end", "throughout"}
    replicates : int
    """

    log_hr: float
    information: float
    log_hr_mcse: float
    information_mcse: float
    log_rank_variance: float
    formula_log_hr: float
    formula_information: float
    events_1: float
    censoring: Censoring
    replicates: int

    @property
    def standard_error(self) -> float:
        """Standard error of ``log_hr`` from the calibrated information."""
        return 1 / math.sqrt(self.information)


@dataclass(frozen=True, eq=False)
class LogRankScores:
    """Log-rank of many cohorts at once; arrays of shape (replicate,).

    Attributes
    ----------
    observed, expected, variance : ndarray
        Events of group 1, their expectation under equal hazards, and the hypergeometric variance.
    """

    observed: FloatArray
    expected: FloatArray
    variance: FloatArray

    @property
    def z(self) -> FloatArray:
        """(O - E) / sqrt(variance); 0 where no event had both groups at risk."""
        informative = self.variance > 0
        return np.where(
            informative, (self.observed - self.expected) / np.sqrt(np.where(informative, self.variance, 1)), 0.0
        )


def log_rank_scores(time: FloatArray, event: BoolArray, *, in_group_1: BoolArray) -> LogRankScores:
    """Log-rank of cohorts without tied times, all at once.

    Parameters
    ----------
    time : ndarray, shape (replicate, patient)
        Distinct within a cohort.
    event : ndarray of bool, shape (replicate, patient)
        True if the event was seen.
    in_group_1 : ndarray of bool, shape (patient,)

    References
    ----------
    Mantel (1966); Klein & Moeschberger (2003), Survival Analysis, ch. 7.
    """
    order = np.argsort(time, axis=1)
    group = in_group_1[order].astype(float)
    seen = np.take_along_axis(event, order, axis=1).astype(float)
    share = np.cumsum(group[:, ::-1], axis=1)[:, ::-1] / np.arange(time.shape[1], 0, -1)
    return LogRankScores(
        observed=np.sum(seen * group, axis=1),
        expected=np.sum(seen * share, axis=1),
        variance=np.sum(seen * share * (1 - share), axis=1),
    )


def calibrate_log_rank(
    n_1: int,
    n_2: int,
    *,
    events: int,
    z: float,
    censoring: Censoring = "at_end",
    replicates: int = 2_000,
    seed: int = 0,
) -> CalibratedLogRank:
    """Hazard ratio and information that a printed log-rank z implies, by simulation.

    Parameters
    ----------
    n_1, n_2 : int
        Patients per group, > 0.
    events : int
        Events of both groups together, 1 to n_1 + n_2.
    z : float
        Signed: positive if group 1 fares worse. From a two-sided p, ``normal.z_from_p``.
    censoring : {"at_end", "throughout"}
        See the module's docstring; run both where the paper does not say.
    replicates : int
        Simulated cohorts, at least 200.
    seed : int

    Returns
    -------
    CalibratedLogRank

    Raises
    ------
    OutOfReachError
        If no hazard ratio up to exp(8) makes so large a z likely.
    ValueError
        If an input is none of these.
    """
    check_design(n_1, n_2, events=events, z=z, replicates=replicates)
    cohorts = LogRankCohorts(n_1, n_2, events=events, censoring=censoring, replicates=replicates, seed=seed)
    formula_information = events * n_1 * n_2 / (n_1 + n_2) ** 2
    log_hr = _solve(cohorts, z)
    here = cohorts.scores(log_hr)
    slopes = (cohorts.scores(log_hr + _STEP).z - cohorts.scores(log_hr - _STEP).z) / (2 * _STEP)
    batches = [
        _information(s, v) for s, v in zip(*(np.array_split(x, _BATCHES) for x in (slopes, here.z)), strict=True)
    ]
    return CalibratedLogRank(
        log_hr=log_hr,
        information=_information(slopes, here.z),
        log_hr_mcse=float(here.z.std(ddof=1) / math.sqrt(replicates) / slopes.mean()),
        information_mcse=float(np.std(batches, ddof=1) / math.sqrt(_BATCHES)),
        log_rank_variance=float(here.variance.mean()),
        formula_log_hr=z / math.sqrt(formula_information),
        formula_information=formula_information,
        events_1=float(here.observed.mean()),
        censoring=censoring,
        replicates=replicates,
    )


class LogRankCohorts:
    """The same random numbers for every hazard ratio, so that mean z is a smooth function of it."""

    def __init__(self, n_1: int, n_2: int, *, events: int, censoring: Censoring, replicates: int, seed: int) -> None:
        failure, loss = (np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(2))
        self.n_1, self.n_2, self.events, self.censoring = n_1, n_2, events, censoring
        self.in_group_1 = np.arange(n_1 + n_2) < n_1
        self.failure = failure.exponential(size=(replicates, n_1 + n_2))
        self.loss = loss.exponential(size=(replicates, n_1 + n_2))

    def scores(self, log_hr: float) -> LogRankScores:
        """Log-rank of every cohort at one log hazard ratio."""
        hazard = np.where(self.in_group_1, math.exp(log_hr), 1.0)
        time = self.failure / hazard
        if self.events == time.shape[1]:
            return log_rank_scores(time, np.ones_like(time, dtype=bool), in_group_1=self.in_group_1)
        if self.censoring == "at_end":
            last = np.partition(time, self.events - 1, axis=1)[:, self.events - 1 : self.events]
            return log_rank_scores(time, time <= last, in_group_1=self.in_group_1)
        lost = self.loss / loss_hazard(hazard, self.events)
        return log_rank_scores(np.minimum(time, lost), time <= lost, in_group_1=self.in_group_1)


def loss_hazard(hazard: FloatArray, events: int) -> float:
    """Hazard of leaving, the same for all, at which so many events are expected.

    Parameters
    ----------
    hazard : ndarray, shape (patient,)
        Of the event.
    events : int
        Fewer than the patients.
    """
    log_rate = brentq(lambda r: float(np.sum(hazard / (hazard + math.exp(r)))) - events, -40.0, 40.0)
    return math.exp(float(log_rate))


def _solve(cohorts: LogRankCohorts, z: float) -> float:
    def excess(log_hr: float) -> float:
        return float(cohorts.scores(log_hr).z.mean()) - z

    # In very unequal groups mean z falls again at extreme ratios, so the bracket grows from the centre.
    sign, far = math.copysign(1.0, z), 0.25
    while sign * excess(sign * far) < 0:
        far *= 1.5
        if far > _LARGEST_LOG_HR:
            raise OutOfReachError(
                f"no hazard ratio gives groups of {cohorts.n_1} and {cohorts.n_2} with {cohorts.events} events "
                f"a mean z of {z:.3f}; check the p value, the sizes and the events."
            )
    return float(brentq(excess, -sign * 1.0, sign * far, xtol=1e-5))


def _information(slopes: FloatArray, z: FloatArray) -> float:
    return float(slopes.mean() ** 2 / z.var(ddof=1))


def check_design(n_1: int, n_2: int, *, events: int, z: float, replicates: int) -> None:
    """Refuse what no cohort can be simulated from, as :func:`calibrate_log_rank` says."""
    if min(n_1, n_2) < 1:
        raise ValueError(f"group sizes {n_1!r} and {n_2!r}: must be whole and > 0.")
    if not 1 <= events <= n_1 + n_2:
        raise ValueError(f"events is {events!r}; must lie between 1 and the {n_1 + n_2} patients.")
    if not math.isfinite(z):
        raise ValueError(f"z is {z!r}; must be finite.")
    if replicates < 10 * _BATCHES:
        raise ValueError(f"replicates is {replicates!r}; at least {10 * _BATCHES} are needed for a Monte Carlo error.")
