"""Cumulative incidence where causes compete: Aalen-Johansen, as progression with death before it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ixa_bayes.crosscheck.observations import (
    CI_PROB,
    BoolArray,
    FloatArray,
    IntArray,
    NotAvailableError,
    follow_up,
    z_of,
)
from ixa_bayes.errors import InputError, Problem


def cumulative_incidence(
    time: ArrayLike,
    cause: ArrayLike,
    *,
    causes: Sequence[str],
    at: Sequence[float] | None = None,
    entry: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    ci_prob: float = CI_PROB,
) -> pd.DataFrame:
    """Aalen-Johansen probability of each cause by a time, the others having their say.

    One minus Kaplan-Meier with the other causes censored would answer for a world without them.

    Parameters
    ----------
    time : array_like, shape (row,)
        Months, > 0.
    cause : array_like of int, shape (row,)
        0 if censored, else 1, 2, ... in the order of ``causes``.
    causes : sequence of str
        Names of the causes.
    at : sequence of float, optional
        Months >= 0; by default every distinct end of follow-up. Beyond the last one the estimate is NaN
        unless everybody has had one of the events.
    entry : array_like, optional
        Refused if anyone enters after 0: `greenwood` has no delayed entry here.
    weight : array_like of int, optional
    ci_prob : float

    Returns
    -------
    DataFrame
        ``cause``, ``time``, ``n_at_risk`` (just before), ``estimate``, ``standard_error`` (delta method), ``lower``
        and ``upper`` (symmetric on the scale log(-log F); NaN where F is 0).

    Raises
    ------
    InputError
        If the arrays have faults or a cause has no name.
    NotAvailableError
        With delayed entry.
    ValueError
        If a time in ``at`` is negative or not finite.

    References
    ----------
    Aalen & Johansen (1978), Scandinavian Journal of Statistics 5:141; Marubini & Valsecchi (1995), ch. 10, for the
    variance; Choudhury (2002), Statistics in Medicine 21:1129, for the scale of the limits.
    """
    z_of(ci_prob)
    code = _codes(cause, causes)
    data = follow_up(time, code > 0, entry=entry, weight=weight)
    if data.has_entry:
        raise NotAvailableError("the library's Aalen-Johansen estimator has no delayed entry")
    every = data.repeated()
    steps = _fitted(data.time[every], code[every], causes, ci_prob=ci_prob)
    if at is None:
        return steps
    asked = np.asarray(list(at), dtype=float)
    if not np.all(np.isfinite(asked) & (asked >= 0)):
        raise ValueError(f"at is {list(at)}; times count from 0 and must be finite and >= 0.")
    at_risk = [int(data.weight[data.time >= t].sum()) for t in asked.tolist()]
    ends_in_events = bool(np.all(data.event[data.time == data.time.max()]))
    unseen = (asked > float(data.time.max())) & (not ends_in_events)
    parts = [_read(part, asked, at_risk=at_risk, unseen=unseen) for _, part in steps.groupby("cause", sort=False)]
    return pd.concat(parts, ignore_index=True)


def _read(steps: pd.DataFrame, asked: FloatArray, *, at_risk: list[int], unseen: BoolArray) -> pd.DataFrame:
    nothing = {"time": 0.0, "estimate": 0.0, "standard_error": 0.0, "lower": np.nan, "upper": np.nan}
    curve = pd.concat([pd.DataFrame([nothing]), steps[list(nothing)]], ignore_index=True)
    read = curve.iloc[np.searchsorted(curve["time"], asked, side="right") - 1].reset_index(drop=True)
    read.loc[unseen, ["estimate", "standard_error", "lower", "upper"]] = np.nan
    read["time"] = asked
    read.insert(0, "cause", steps["cause"].iloc[0])
    read.insert(2, "n_at_risk", at_risk)
    return read


def _fitted(time: FloatArray, code: IntArray, causes: Sequence[str], *, ci_prob: float) -> pd.DataFrame:
    from greenwood import AalenJohansen, Surv

    names = np.array(["censored", *causes])
    states = pd.Categorical(names[code].tolist(), categories=names.tolist())
    model = AalenJohansen(conf_type="log-log", conf_level=ci_prob).fit(Surv(time=time, event=states))
    frame = model.to_frame(format="pandas")
    return pd.DataFrame(
        {
            "cause": frame["cause"],
            "time": frame["time"],
            "n_at_risk": np.rint(frame["n_risk"]).astype(np.int64),
            "estimate": frame["estimate"],
            "standard_error": frame["std_error"],
            "lower": frame["conf_low"],
            "upper": frame["conf_high"],
        }
    )


def _codes(cause: ArrayLike, causes: Sequence[str]) -> IntArray:
    values = np.asarray(cause, dtype=float)
    names = list(causes)
    problems = []
    if not names or len({*names, "censored"}) != len(names) + 1:
        mend = "name each cause once; 'censored' is not a cause"
        problems.append(Problem("causes", repr(names), "one or more distinct names are needed", mend))
    bad = ~np.isin(values, np.arange(len(names) + 1))
    problems += [
        Problem(f"row {row + 1}, cause", repr(float(values[row])), f"must be 0 to {len(names)}", "0 is censored")
        for row in np.flatnonzero(bad).tolist()
    ]
    if problems:
        raise InputError(problems)
    return values.astype(np.int64)
