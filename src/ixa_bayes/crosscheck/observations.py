"""What every cross-check takes in: follow-up and design, checked once, and how a method says that it cannot be used."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from ixa_bayes.errors import InputError, Problem

if TYPE_CHECKING:
    from greenwood import Surv

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

CI_PROB: Final = 0.95


class NotAvailableError(ValueError):
    """A method that has no answer for these patients, with the reason in plain words.

    Parameters
    ----------
    reason : str
        A clause that a reader of the cross-check table understands; kept on ``.reason``.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"not available: {reason}")


@dataclass(frozen=True, eq=False)
class FollowUp:
    """Right-censored follow-up, one row per patient (or per stretch of a patient's time).

    Attributes
    ----------
    time : ndarray, shape (row,)
        End of follow-up in months, > 0.
    event : ndarray of bool, shape (row,)
        True if the event was seen at ``time``.
    entry : ndarray, shape (row,)
        Start of observation in months, ``0 <= entry < time``; at risk at t when ``entry < t <= time``.
    weight : ndarray of int, shape (row,)
        How many equal rows this one stands for.
    """

    time: FloatArray
    event: BoolArray
    entry: FloatArray
    weight: IntArray

    @property
    def n_events(self) -> int:
        """Events, each row counted as often as its weight says."""
        return int(self.weight[self.event].sum())

    @property
    def has_entry(self) -> bool:
        """Whether a row is at risk only from some time after 0."""
        return bool(np.any(self.entry > 0))

    @property
    def has_weights(self) -> bool:
        """Whether a row stands for more than one."""
        return bool(np.any(self.weight > 1))

    def repeated(self) -> IntArray:
        """Row numbers with each row as often as its weight, for methods that know no frequency weights."""
        return np.repeat(np.arange(self.time.size), self.weight)

    def rows(self, chosen: BoolArray | IntArray) -> "FollowUp":
        """Some of the rows."""
        return FollowUp(self.time[chosen], self.event[chosen], self.entry[chosen], self.weight[chosen])

    def one_by_one(self) -> "FollowUp":
        """The same patients without weights."""
        every = self.repeated()
        return FollowUp(self.time[every], self.event[every], self.entry[every], np.ones(every.size, dtype=np.int64))

    def at_risk(self, time: float) -> BoolArray:
        """Rows at risk just before a time: ``entry < time <= end``."""
        return (self.entry < time) & (self.time >= time)

    def meets_an_event(self) -> BoolArray:
        """Rows at risk at one event or more; a partial likelihood and a log-rank test see no others."""
        times = np.unique(self.time[self.event])
        met = np.searchsorted(times, self.time, side="right") - np.searchsorted(times, self.entry, side="right")
        return np.asarray(met > 0)


def follow_up(
    time: ArrayLike, event: ArrayLike, *, entry: ArrayLike | None = None, weight: ArrayLike | None = None
) -> FollowUp:
    """Check plain arrays and give them one form.

    Parameters
    ----------
    time : array_like, shape (row,)
        Months, > 0.
    event : array_like of bool or 0/1, shape (row,)
        Exact if True, right-censored if False.
    entry : array_like, shape (row,), optional
        Months, ``0 <= entry < time``; by default everyone is at risk from 0.
    weight : array_like of int, shape (row,), optional
        Frequency weights, >= 1; by default 1.

    Returns
    -------
    FollowUp

    Raises
    ------
    InputError
        With every fault, by row (counted from 1).
    """
    columns = {"time": np.asarray(time, dtype=float), "event": np.asarray(event, dtype=float)}
    size = columns["time"].size
    columns["entry"] = np.zeros(size) if entry is None else np.asarray(entry, dtype=float)
    columns["weight"] = np.ones(size) if weight is None else np.asarray(weight, dtype=float)
    if problems := list(_faults_of_shape(columns)) or list(_faults_of_values(columns)):
        raise InputError(problems)
    return FollowUp(
        columns["time"], columns["event"] == 1, columns["entry"], np.rint(columns["weight"]).astype(np.int64)
    )


def checked_design(design: pd.DataFrame, data: FollowUp) -> FloatArray:
    """The design as numbers, one row per row of the follow-up and one column per coefficient.

    Raises
    ------
    InputError
        If the rows do not match, a name is there twice, or a value is missing or not a finite number.
    """
    problems = []
    if len(design) != data.time.size:
        problems.append(
            Problem("design", f"{len(design)} rows", f"the follow-up has {data.time.size}", "give one row for each")
        )
    problems += [
        Problem("design", f"two columns {name!r}", "each coefficient has its own name", "rename one")
        for name in sorted({str(name) for name in design.columns[design.columns.duplicated()]})
    ]
    if problems:
        raise InputError(problems)
    for name in design.columns:
        values = pd.to_numeric(design[name], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
        rule = "every value must be a finite number"
        mend = "leave out patients with missing values by name, or code the factor as 0/1 columns"
        problems += [
            Problem(f"design, column {name!r}, row {row + 1}", repr(design[name].iloc[row]), rule, mend)
            for row in np.flatnonzero(~np.isfinite(values)).tolist()
        ]
    if problems:
        raise InputError(problems)
    return design.to_numpy(dtype=float)


def response(data: FollowUp) -> "Surv":
    """The follow-up as `greenwood` takes it; its weights are passed apart."""
    from greenwood import Surv

    if data.has_entry:
        return Surv(time=data.entry, time2=data.time, event=data.event)
    return Surv(time=data.time, event=data.event)


def z_of(ci_prob: float) -> float:
    """Standard normal quantile of a two-sided interval.

    Raises
    ------
    ValueError
        If ``ci_prob`` is not in (0, 1).
    """
    if not 0 < ci_prob < 1:
        raise ValueError(f"ci_prob is {ci_prob!r}; must lie in (0, 1).")
    return float(ndtri((1 + ci_prob) / 2))


def _faults_of_shape(columns: dict[str, FloatArray]) -> Iterator[Problem]:
    size = columns["time"].shape
    if columns["time"].ndim != 1 or columns["time"].size == 0:
        yield Problem("time", f"shape {size}", "one number for each of one or more rows is needed", "pass a column")
    for name, values in columns.items():
        if values.shape != size:
            yield Problem(name, f"shape {values.shape}", f"time has shape {size}", "give one value for each row")


def _faults_of_values(columns: dict[str, FloatArray]) -> Iterator[Problem]:
    time, event, entry, weight = (columns[name] for name in ("time", "event", "entry", "weight"))
    faults = {
        "time": (~(np.isfinite(time) & (time > 0)), "must be finite and > 0 months", "correct it"),
        "event": (~np.isin(event, (0, 1)), "must be 0/1 or True/False", "recode it before"),
        "entry": (~((entry >= 0) & (entry < time)), "must lie from 0 to before the end of follow-up", "correct it"),
        "weight": (
            ~(np.isfinite(weight) & (weight >= 1) & (np.rint(weight) == weight)),
            "frequency weights are whole numbers from 1",
            "leave the row out or count it",
        ),
    }
    for name, (bad, rule, mend) in faults.items():
        for row in np.flatnonzero(bad).tolist():
            yield Problem(f"row {row + 1}, {name}", repr(float(columns[name][row])), rule, mend)
