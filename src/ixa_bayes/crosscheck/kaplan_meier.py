"""Kaplan-Meier: the survival curve of one group, its median, restricted mean and length of follow-up.

The curve, Greenwood's standard error and the pointwise limits are `greenwood`'s; the median keeps
R's rule for a curve that rests on one half.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ixa_bayes.crosscheck.observations import (
    CI_PROB,
    FloatArray,
    FollowUp,
    IntArray,
    NotAvailableError,
    follow_up,
    response,
    z_of,
)

if TYPE_CHECKING:
    from greenwood import KaplanMeier

IntervalKind = Literal["log-log", "log"]
"""Scale on which the limits of S(t) are symmetric. R's own default is ``log``; ``log-log`` stays inside 0 to 1."""

_HALF: Final = 0.5
# R takes a curve within this of one half as resting on it.
_TOLERANCE: Final = float(np.sqrt(np.finfo(float).eps))


@dataclass(frozen=True)
class TimeEstimate:
    """A time in months with its confidence limits.

    Attributes
    ----------
    estimate, lower, upper : float
        NaN where the curve (or its limit) does not fall far enough: "not reached".
    standard_error : float
        NaN for a median, whose limits come from the curve's.
    ci_prob : float
    """

    estimate: float
    lower: float
    upper: float
    standard_error: float
    ci_prob: float


def survival_curve(
    time: ArrayLike,
    event: ArrayLike,
    *,
    entry: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    kind: IntervalKind = "log-log",
    ci_prob: float = CI_PROB,
) -> pd.DataFrame:
    """Kaplan-Meier curve with Greenwood's standard error.

    Parameters
    ----------
    time, event, entry, weight
        See ``observations.follow_up``.
    kind : {"log-log", "log"}
        Scale of the limits.
    ci_prob : float
        In (0, 1).

    Returns
    -------
    DataFrame
        One row per distinct end of follow-up, in time order: ``time``, ``n_at_risk`` (just before), ``n_events``,
        ``n_censored``, ``survival`` (after), ``standard_error``, ``lower``, ``upper``. Where nobody is
        left (survival 0) the error and the limits are NaN.

    Raises
    ------
    InputError
        If the arrays have faults.

    References
    ----------
    Kaplan & Meier (1958), JASA 53:457; Greenwood (1926); Kalbfleisch & Prentice (2002), ch. 1.4 for the scales.
    """
    return _curve(follow_up(time, event, entry=entry, weight=weight), kind=kind, ci_prob=ci_prob)


def survival_at(
    time: ArrayLike,
    event: ArrayLike,
    *,
    at: Sequence[float],
    entry: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    kind: IntervalKind = "log-log",
    ci_prob: float = CI_PROB,
) -> pd.DataFrame:
    """Kaplan-Meier survival and numbers at risk at given times.

    Parameters
    ----------
    at : sequence of float
        Months, each >= 0. Beyond the last follow-up the survival is NaN unless the curve has reached 0.

    Returns
    -------
    DataFrame
        ``time``, ``n_at_risk`` (just before the time; at 0, those observed from the start), ``survival``,
        ``standard_error``, ``lower``, ``upper``.

    Raises
    ------
    InputError
        If the arrays have faults.
    ValueError
        If a time is negative or not finite.
    """
    data = follow_up(time, event, entry=entry, weight=weight)
    asked = np.asarray(list(at), dtype=float)
    if not np.all(np.isfinite(asked) & (asked >= 0)):
        raise ValueError(f"at is {list(at)}; times count from 0 and must be finite and >= 0.")
    curve = _curve(data, kind=kind, ci_prob=ci_prob)
    start = {"time": 0.0, "survival": 1.0, "standard_error": 0.0, "lower": 1.0, "upper": 1.0}
    steps = pd.concat([pd.DataFrame([start]), curve[list(start)]], ignore_index=True)
    read = steps.iloc[np.searchsorted(steps["time"], asked, side="right") - 1].reset_index(drop=True)
    unseen = (asked > float(steps["time"].iloc[-1])) & (read["survival"].to_numpy() > 0)
    read.loc[unseen, ["survival", "standard_error", "lower", "upper"]] = np.nan
    read["time"] = asked
    read.insert(1, "n_at_risk", numbers_at_risk(data, asked))
    return read


def median_survival(
    time: ArrayLike,
    event: ArrayLike,
    *,
    entry: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    kind: IntervalKind = "log-log",
    ci_prob: float = CI_PROB,
) -> TimeEstimate:
    """Median survival with the limits where those of the curve cross one half.

    The median is the first time with S(t) <= 1/2. Where the curve rests on exactly one half it is the
    middle of that stretch, as in R's ``survfit``; the same holds for its limits.

    Returns
    -------
    TimeEstimate

    References
    ----------
    Brookmeyer & Crowley (1982), Biometrics 38:29.
    """
    data = follow_up(time, event, entry=entry, weight=weight)
    curve = _curve(data, kind=kind, ci_prob=ci_prob)
    median, lower, upper = (_crossing(curve["time"], curve[name]) for name in ("survival", "lower", "upper"))
    return TimeEstimate(median, lower, upper, standard_error=math.nan, ci_prob=ci_prob)


def restricted_mean(
    time: ArrayLike,
    event: ArrayLike,
    *,
    horizon: float,
    entry: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    ci_prob: float = CI_PROB,
) -> TimeEstimate:
    """Restricted mean survival time: the area under the Kaplan-Meier curve from 0 to a horizon.

    Parameters
    ----------
    horizon : float
        Months, > 0.

    Returns
    -------
    TimeEstimate
        Limits are the estimate plus and minus z standard errors.

    Raises
    ------
    NotAvailableError
        If the horizon lies beyond the last follow-up of a curve that has not reached 0.
    ValueError
        If the horizon is not finite and > 0.

    References
    ----------
    Klein & Moeschberger (2003), Survival Analysis, ch. 4.5; the variance as in R's ``survfit``.
    """
    if not (math.isfinite(horizon) and horizon > 0):
        raise ValueError(f"horizon is {horizon!r}; must be finite and > 0 months.")
    data = follow_up(time, event, entry=entry, weight=weight)
    fitted = _fitted(data, kind="log", ci_prob=ci_prob)
    last = float(data.time.max())
    if horizon > last and fitted.survival_[-1] > 0:
        raise NotAvailableError(f"the last follow-up is at {last:g} months, before the horizon of {horizon:g}")
    mean, _, upper = fitted.rmst(horizon, ci=True)
    half = upper - mean
    return TimeEstimate(mean, mean - half, upper, standard_error=half / z_of(ci_prob), ci_prob=ci_prob)


def median_follow_up(
    time: ArrayLike,
    event: ArrayLike,
    *,
    entry: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    kind: IntervalKind = "log-log",
    ci_prob: float = CI_PROB,
) -> TimeEstimate:
    """Median follow-up by the reverse Kaplan-Meier: censoring is the event, the event censors.

    A patient with the event at t counts as at risk of censoring at t.

    References
    ----------
    Schemper & Smith (1996), Controlled Clinical Trials 17:343.
    """
    seen = follow_up(time, event, entry=entry, weight=weight)
    return median_survival(seen.time, ~seen.event, entry=seen.entry, weight=seen.weight, kind=kind, ci_prob=ci_prob)


def numbers_at_risk(data: FollowUp, at: FloatArray) -> IntArray:
    """Patients at risk just before each time; at time 0, those observed from the start."""
    at_start = int(data.weight[data.entry == 0].sum())
    counts = [int(data.weight[data.at_risk(float(t))].sum()) if t > 0 else at_start for t in at]
    return np.asarray(counts, dtype=np.int64)


def _curve(data: FollowUp, *, kind: IntervalKind, ci_prob: float) -> pd.DataFrame:
    frame = _fitted(data, kind=kind, ci_prob=ci_prob).to_frame(format="pandas")
    return pd.DataFrame(
        {
            "time": frame["time"],
            "n_at_risk": np.rint(frame["n_risk"]).astype(np.int64),
            "n_events": np.rint(frame["n_event"]).astype(np.int64),
            "n_censored": np.rint(frame["n_censor"]).astype(np.int64),
            "survival": frame["estimate"],
            "standard_error": frame["std_error"],
            "lower": frame["conf_low"],
            "upper": frame["conf_high"],
        }
    )


def _fitted(data: FollowUp, *, kind: IntervalKind, ci_prob: float) -> "KaplanMeier":
    from greenwood import KaplanMeier

    z_of(ci_prob)
    return KaplanMeier(conf_type=kind, conf_level=ci_prob).fit(response(data), weights=data.weight)


def _crossing(time: pd.Series, curve: pd.Series) -> float:
    """First time at or below one half; the middle of the stretch where the curve rests on it (R's ``survfit``)."""
    low = curve.to_numpy() < _HALF + _TOLERANCE  # False for NaN
    if not low.any():
        return math.nan
    times, values = time.to_numpy()[low], curve.to_numpy()[low]
    below = values < values[0]
    if abs(values[0] - _HALF) < _TOLERANCE and below.any():
        return float((times[0] + times[below][0]) / 2)
    return float(times[0])
