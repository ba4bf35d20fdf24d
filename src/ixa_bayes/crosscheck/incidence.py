"""How many have the event by a time where another event competes with it, beside what Kaplan-Meier would say."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ixa_bayes.crosscheck.competing import cumulative_incidence
from ixa_bayes.crosscheck.curves import INTERVAL_CENSORED
from ixa_bayes.crosscheck.kaplan_meier import survival_at
from ixa_bayes.crosscheck.observations import CI_PROB, FollowUp, NotAvailableError, follow_up
from ixa_bayes.crosscheck.table import COLUMNS, NOT_AVAILABLE

LARGEST: Final = 200_000
"""Patients up to whom the library's Aalen-Johansen estimator, which knows no weights, is asked: some seconds."""
_TIES: Final = "events at one time share one set of patients at risk"

type _Row = dict[str, object]


def incidence_table(
    time: ArrayLike,
    event: ArrayLike,
    competing: ArrayLike,
    *,
    own: str,
    other: str,
    at: Sequence[float],
    entry: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    interval_censored: ArrayLike | None = None,
    ci_prob: float = CI_PROB,
) -> pd.DataFrame:
    """Cumulative incidence of an event with another one competing, and of the other one.

    Parameters
    ----------
    time : array_like, shape (row,)
        Months, > 0: of whichever event came first, or the end of follow-up.
    event, competing : array_like of bool, shape (row,)
        Whether it was the endpoint's own event, or the competing one; never both.
    own, other : str
        What the two are called.
    at : sequence of float
        Months.
    entry, weight
        See ``observations.follow_up``.
    interval_censored : array_like of bool, shape (row,), optional
        Rows whose event lies between two visits, of which ``time`` is the later one.
    ci_prob : float

    Returns
    -------
    DataFrame
        Columns of ``table.COLUMNS``: at each time the Aalen-Johansen estimate of both events (``level``), and one minus
        Kaplan-Meier of the own event with the other one censored, which is at least as large.

    Raises
    ------
    InputError
        If the arrays have faults.
    ValueError
        If a row has both events, or a time in ``at`` is negative or not finite.
    """
    mine, theirs = np.asarray(event, dtype=bool), np.asarray(competing, dtype=bool)
    if np.any(mine & theirs):
        raise ValueError(f"a row has both {own} and {other}; follow-up ends with the first.")
    data = follow_up(time, mine, entry=entry, weight=weight)
    between = interval_censored is not None and bool(np.any(np.asarray(interval_censored, dtype=bool) & mine))
    late = INTERVAL_CENSORED if between else ""
    rows = [
        *_aalen_johansen(data, np.where(theirs, 2, mine.astype(int)), (own, other), at=at, late=late, ci_prob=ci_prob),
        *_kaplan_meier(data, own, other, at=at, late=late, ci_prob=ci_prob),
    ]
    events = {own: data.n_events, other: int(data.weight[theirs].sum())}
    counted = [{"n": int(data.weight.sum()), "n_events": events[str(row["level"])]} for row in rows]
    return pd.DataFrame([row | n for row, n in zip(rows, counted, strict=True)], columns=list(COLUMNS))


def _aalen_johansen(
    data: FollowUp, cause: ArrayLike, causes: tuple[str, str], *, at: Sequence[float], late: str, ci_prob: float
) -> Iterator[_Row]:
    shared = _shared("aalen_johansen")
    try:
        if (n := int(data.weight.sum())) > LARGEST:
            raise NotAvailableError(f"{n:,} patients are more than {LARGEST:,}")
        found = cumulative_incidence(
            data.time, cause, causes=causes, at=at, entry=data.entry, weight=data.weight, ci_prob=ci_prob
        )
    except NotAvailableError as none:
        for name in causes:
            yield from ({**shared, "level": name, "time": month, "note": str(none)} for month in at)
        return
    for row in found.to_dict("records"):
        answer = _answer(row["time"], row["estimate"], row["lower"], row["upper"], note=late)
        yield {**shared, "level": row["cause"], **answer}


def _kaplan_meier(
    data: FollowUp, own: str, other: str, *, at: Sequence[float], late: str, ci_prob: float
) -> Iterator[_Row]:
    found = survival_at(data.time, data.event, at=at, entry=data.entry, weight=data.weight, ci_prob=ci_prob)
    told = "; ".join(part for part in (f"as if {other} could not happen", late) if part)
    for row in found.to_dict("records"):
        answer = _answer(row["time"], 1 - row["survival"], 1 - row["upper"], 1 - row["lower"], note=told)
        yield {**_shared("one_minus_kaplan_meier"), "level": own, **answer}


def _shared(method: str) -> _Row:
    return {"method": method, "factor": "", "quantity": "cumulative_incidence", "ties": _TIES}


def _answer(time: float, estimate: float, lower: float, upper: float, *, note: str) -> _Row:
    told = note if np.isfinite(estimate) else f"{NOT_AVAILABLE}: beyond the last follow-up"
    return {"time": time, "estimate": estimate, "lower": lower, "upper": upper, "note": told}
