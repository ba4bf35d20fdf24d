"""One table of Kaplan-Meier numbers by group, as a paper prints them under its figure."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ixa_bayes.crosscheck.kaplan_meier import (
    IntervalKind,
    TimeEstimate,
    median_follow_up,
    median_survival,
    restricted_mean,
    survival_at,
)
from ixa_bayes.crosscheck.observations import CI_PROB, BoolArray, FollowUp, NotAvailableError, follow_up

COLUMNS: Final = {
    "group": "the group; empty for all patients",
    "quantity": "survival, median, restricted_mean or median_follow_up (reverse Kaplan-Meier)",
    "time": "months: of the survival, or the horizon of the restricted mean",
    "n_at_risk": "patients at risk just before that time",
    "estimate": "a probability for survival, months otherwise; empty where not reached or not observed",
    "lower": "lower limit of the confidence interval",
    "upper": "upper limit",
    "standard_error": "Greenwood's for survival",
    "interval": "scale on which the limits are symmetric: log-log, log or plain",
    "note": "what to know about the row",
}
KINDS: Final[tuple[IntervalKind, ...]] = ("log-log", "log")
INTERVAL_CENSORED: Final = "events between two visits are taken at the later visit"

type _Row = dict[str, object]


def curve_table(
    time: ArrayLike,
    event: ArrayLike,
    *,
    at: Sequence[float],
    horizon: float | None = None,
    group: ArrayLike | None = None,
    entry: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    interval_censored: ArrayLike | None = None,
    goes_on: ArrayLike | None = None,
    ci_prob: float = CI_PROB,
) -> pd.DataFrame:
    """Survival, numbers at risk, medians, restricted means and follow-up by group.

    Parameters
    ----------
    time, event, entry, weight
        See ``observations.follow_up``; for an event between two visits ``time`` is the later one.
    at : sequence of float
        Months at which survival and numbers at risk are given.
    horizon : float, optional
        Of the restricted mean; by default the largest of ``at``.
    group : array_like, shape (row,), optional
        Labels that sort; by default all patients are one group.
    interval_censored : array_like of bool, shape (row,), optional
        Rows whose event lies between two visits; groups with any say so in their notes.
    goes_on : array_like of bool, shape (row,), optional
        Rows of a start-stop table after which the same patient is watched on: their end ends no follow-up.
    ci_prob : float

    Returns
    -------
    DataFrame
        With the columns of ``COLUMNS``; survival and the median once for each scale of the interval.

    Raises
    ------
    InputError
        If the arrays have faults.
    ValueError
        If ``at`` is empty or holds a negative time, or a label is missing.
    """
    data = follow_up(time, event, entry=entry, weight=weight)
    if not len(at):
        raise ValueError("at is empty; give the months at which survival is wanted.")
    labels = pd.Series([""] * data.time.size if group is None else np.asarray(group))
    between = np.zeros(data.time.size, dtype=bool) if interval_censored is None else np.asarray(interval_censored, bool)
    more = np.zeros(data.time.size, dtype=bool) if goes_on is None else np.asarray(goes_on, bool)
    if labels.isna().any() or {len(labels), between.size, more.size} != {data.time.size}:
        raise ValueError(f"group, interval_censored and goes_on need one value for each of the {data.time.size} rows.")
    tau = float(max(at)) if horizon is None else horizon
    rows: list[_Row] = []
    for label, index in labels.groupby(labels, sort=True).groups.items():
        chosen = np.asarray(index, dtype=np.int64)
        note = INTERVAL_CENSORED if between[chosen].any() else ""
        for row in _of_group(data.rows(chosen), at, goes_on=more[chosen], horizon=tau, ci_prob=ci_prob):
            told = "; ".join(part for part in (note, str(row.get("note", ""))) if part)
            rows.append({**row, "group": label, "note": told})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _of_group(
    data: FollowUp, at: Sequence[float], *, goes_on: BoolArray, horizon: float, ci_prob: float
) -> Iterator[_Row]:
    time, event, entry, weight = data.time, data.event, data.entry, data.weight
    for kind in KINDS:
        table = survival_at(time, event, at=at, entry=entry, weight=weight, kind=kind, ci_prob=ci_prob)
        for row in table.rename(columns={"survival": "estimate"}).to_dict("records"):
            beyond = "" if np.isfinite(row["estimate"]) else "beyond the last follow-up"
            yield {
                **{str(name): value for name, value in row.items()},
                "quantity": "survival",
                "interval": kind,
                "note": beyond,
            }
        median = median_survival(time, event, entry=entry, weight=weight, kind=kind, ci_prob=ci_prob)
        yield {**_times(median), "quantity": "median", "interval": kind}
    # Whose follow-up goes on in another row leaves this one as those do who have the event: unlike the censored.
    seen = median_follow_up(time, event | goes_on, entry=entry, weight=weight, ci_prob=ci_prob)
    yield {**_times(seen), "quantity": "median_follow_up", "interval": "log-log"}
    mean: _Row = {"quantity": "restricted_mean", "time": horizon, "interval": "plain"}
    try:
        found = restricted_mean(time, event, horizon=horizon, entry=entry, weight=weight, ci_prob=ci_prob)
    except NotAvailableError as none:
        yield {**mean, "note": str(none)}
    else:
        yield {**mean, **_times(found), "standard_error": found.standard_error, "note": ""}


def _times(found: TimeEstimate) -> _Row:
    note = "" if np.isfinite(found.estimate) else "not reached"
    return {"estimate": found.estimate, "lower": found.lower, "upper": found.upper, "note": note}
