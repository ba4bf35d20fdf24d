"""The log-rank test of two or more groups, stratified or not, with delayed entry."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import chdtrc

from ixa_bayes.crosscheck.observations import BoolArray, FollowUp, IntArray, NotAvailableError, follow_up, response
from ixa_bayes.errors import InputError, Problem

if TYPE_CHECKING:
    from greenwood import TestResult


@dataclass(frozen=True, eq=False)
class LogRank:
    """A log-rank test.

    Attributes
    ----------
    groups : DataFrame
        Indexed by group in sorted order: ``n`` (rows by weight), ``observed`` and ``expected`` events.
    chi_square : float
        On ``degrees_of_freedom``; tied events by the hypergeometric variance.
    degrees_of_freedom : int
        Groups with any expected event, less one.
    p : float
        Two-sided.
    """

    groups: pd.DataFrame
    chi_square: float
    degrees_of_freedom: int
    p: float


def log_rank(
    time: ArrayLike,
    event: ArrayLike,
    *,
    group: ArrayLike,
    strata: ArrayLike | None = None,
    entry: ArrayLike | None = None,
    weight: ArrayLike | None = None,
) -> LogRank:
    """Log-rank test between groups.

    Parameters
    ----------
    time, event, entry, weight
        See ``observations.follow_up``.
    group : array_like, shape (row,)
        Labels that sort; none may be missing.
    strata : array_like, shape (row,), optional
        Observed, expected and variance are added up within strata.

    Returns
    -------
    LogRank

    Raises
    ------
    InputError
        If the arrays have faults.
    NotAvailableError
        If fewer than two groups are at risk at an event, or the groups never meet in one risk set.

    References
    ----------
    Mantel (1966); Klein & Moeschberger (2003), Survival Analysis, ch. 7.
    """
    data = follow_up(time, event, entry=entry, weight=weight)
    code, labels = _codes(group, data, name="group")
    stratum = None if strata is None else _codes(strata, data, name="strata")[0]
    if not data.event.any():
        raise NotAvailableError("there are no events")
    counts = _meets_an_event(data, stratum)
    met = np.unique(code[counts])
    if len(met) < 2:
        raise NotAvailableError("fewer than two groups have patients at risk when an event happens")
    test = _test(data, code, rows=counts, stratum=stratum)
    groups = pd.DataFrame(
        {
            "n": np.bincount(code, weights=data.weight, minlength=len(labels)).astype(np.int64),
            "observed": [test.observed.get(level, 0.0) for level in range(len(labels))],
            "expected": [test.expected.get(level, 0.0) for level in range(len(labels))],
        },
        index=pd.Index(labels, name="group"),
    )
    df = len(met) - 1
    return LogRank(groups, test.statistic, df, float(chdtrc(df, test.statistic)))


def _test(data: FollowUp, code: IntArray, *, rows: BoolArray, stratum: IntArray | None) -> "TestResult":
    from greenwood import logrank_test

    try:
        return logrank_test(
            response(data.rows(rows)),
            code[rows],
            weights=data.weight[rows],
            strata=None if stratum is None else stratum[rows],
        )
    except np.linalg.LinAlgError as error:
        raise NotAvailableError("no event happens while patients of two groups are at risk") from error


def _meets_an_event(data: FollowUp, stratum: IntArray | None) -> BoolArray:
    """Rows at risk at one event of their stratum or more; the others add nothing to any sum."""
    if stratum is None:
        return data.meets_an_event()
    met = np.zeros(data.time.size, dtype=bool)
    for level in np.unique(stratum).tolist():
        rows = np.flatnonzero(stratum == level)
        met[rows] = data.rows(rows).meets_an_event()
    return met


def _codes(labels: ArrayLike, data: FollowUp, *, name: str) -> tuple[IntArray, list[object]]:
    values = pd.Series(np.asarray(labels))
    if len(values) != data.time.size:
        rule = f"the follow-up has {data.time.size}"
        raise InputError([Problem(name, f"{len(values)} rows", rule, "give one label for each row")])
    if (missing := values.isna()).any():
        rows = [row + 1 for row in np.flatnonzero(missing).tolist()]
        mend = "leave these patients out by name, or give them a level of their own"
        raise InputError([Problem(name, f"no label in rows {rows[:20]}", "every row needs one", mend)])
    code, levels = pd.factorize(values, sort=True)
    return code.astype(np.int64), list(levels)
