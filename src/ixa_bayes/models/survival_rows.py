"""The follow-up as the survival likelihoods take it: one row per patient or stretch of time, in months."""

from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

ROW = "row"


@dataclass(frozen=True, eq=False)
class SurvivalRows:
    """What is known of each row's time to the event.

    Attributes
    ----------
    entry : ndarray, shape (row,)
        Months from which the row is under observation; earlier events would not have been seen.
    end : ndarray, shape (row,)
        Months up to which the row is known to be event-free: its last contact, its event, or the visit
        before its event.
    upper : ndarray, shape (row,)
        The visit at which an event between two visits was found; ``end`` for the others.
    event : ndarray of bool, shape (row,)
        The event happened at ``end`` exactly.
    between : ndarray of bool, shape (row,)
        The event happened in ``(end, upper]``.
    weight : ndarray of int, shape (row,)
        Equal rows that this one stands for.
    """

    entry: FloatArray
    end: FloatArray
    upper: FloatArray
    event: BoolArray
    between: BoolArray
    weight: NDArray[np.int64]

    @property
    def n_events(self) -> int:
        """Events, exact or between two visits, by weight."""
        return int(self.weight[self.event | self.between].sum())

    @property
    def n(self) -> int:
        """Rows by weight."""
        return int(self.weight.sum())

    def chosen(self, rows: BoolArray | NDArray[np.int64]) -> "SurvivalRows":
        """Some of the rows."""
        return SurvivalRows(**{each.name: getattr(self, each.name)[rows] for each in fields(self)})


def survival_rows(follow_up: xr.Dataset, rows: NDArray[np.int64]) -> SurvivalRows:
    """The chosen rows of a cohort's follow-up for one endpoint.

    Parameters
    ----------
    follow_up : xr.Dataset
        ``entry``, ``time``, ``time_lower``, ``event``, ``weight`` with the dim ``row``.
    rows : ndarray of int
        Row numbers.

    Returns
    -------
    SurvivalRows
        A patient who enters after the last event-free visit was event-free at entry, so ``end`` is never
        before ``entry``.
    """
    chosen = follow_up.isel({ROW: rows})
    seen = chosen["event"].to_numpy().astype(bool)
    time, lower, entry = (chosen[name].to_numpy().astype(float) for name in ("time", "time_lower", "entry"))
    between = seen & (lower < time)
    end = np.where(between, np.maximum(lower, entry), time)
    return SurvivalRows(entry, end, time, seen & ~between, between, chosen["weight"].to_numpy().astype(np.int64))


def row_kinds(table: pd.DataFrame) -> NDArray[np.int64]:
    """Which distinct row each row of a table is, in the order of first appearance; a missing value is a value."""
    if not table.shape[1]:
        return np.zeros(len(table), dtype=np.int64)
    return np.asarray(table.groupby(list(table.columns), sort=False, dropna=False).ngroup(), dtype=np.int64)
