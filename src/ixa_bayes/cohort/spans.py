"""What one endpoint's columns say about every row: from when to when it was watched, and whether the event came."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from ixa_bayes.cohort.cells import Dates, FloatArray, Numbers, dates, numbers, words
from ixa_bayes.cohort.description import (
    DAYS_PER_MONTH,
    DESCRIPTION_FILE,
    MONTHS_PER,
    CohortDescription,
    EndpointDescription,
)
from ixa_bayes.cohort.events import FIND_OUT, read_events
from ixa_bayes.cohort.faults import Faults
from ixa_bayes.cohort.source import BoolArray
from ixa_bayes.study.hints import how_to_write


@dataclass(frozen=True, eq=False)
class Spans:
    """Follow-up for one endpoint in months, with the columns to blame.

    Attributes
    ----------
    entry, time, lower : ndarray, shape (row,)
        Months; ``lower`` equals ``time`` where the event is exact or was not seen. NaN where a cell is at fault.
    event : ndarray of bool, shape (row,)
    ends : dict of str to ndarray of bool, shape (row,)
        Which rows have their ``time`` from which column; the first is the endpoint's main one.
    entry_column, lower_column : str
        Where ``entry`` and ``lower`` come from.
    after_cut_off : ndarray of bool, shape (row,)
        Whose event came after the data cut-off and is counted as not seen.
    seen_after_cut_off : ndarray of bool, shape (row,)
        Who was seen without the event after the data cut-off.
    lacks_cut_off : bool
        Whether follow-up is by dates, and no data cut-off is declared.
    competing : ndarray of bool, shape (row,)
        Whose cell in the event column is a word for a competing event.
    """

    entry: FloatArray
    time: FloatArray
    lower: FloatArray
    event: BoolArray
    ends: dict[str, BoolArray]
    entry_column: str
    lower_column: str
    after_cut_off: BoolArray
    competing: BoolArray
    seen_after_cut_off: BoolArray
    lacks_cut_off: bool = False


def spans_of(faults: Faults, endpoint: EndpointDescription, *, description: CohortDescription) -> Spans:
    """Read an endpoint whose columns are all there.

    Parameters
    ----------
    faults : Faults
        Is told every cell that cannot be read.
    endpoint : EndpointDescription
        With the names of its columns.
    description : CohortDescription
        Says how cells are written, and the unit of times.
    """
    if endpoint.by_dates:
        return _from_dates(faults, endpoint, description=description)
    return _from_times(faults, endpoint, description=description)


def _from_times(faults: Faults, endpoint: EndpointDescription, *, description: CohortDescription) -> Spans:
    size = len(faults.raw.cells)
    event, told, competing = read_events(faults, str(endpoint.event), endpoint, description=description)
    read = partial(_times, faults, description=description)
    nothing = Numbers(np.full(size, np.nan), np.ones(size, dtype=bool), np.zeros(size, dtype=bool))
    time = read(endpoint.time) if endpoint.time else nothing
    upper = read(endpoint.time_upper) if endpoint.time_upper else nothing
    lower = read(endpoint.time_lower, zero=True) if endpoint.time_lower else nothing
    entry = read(endpoint.entry, zero=True) if endpoint.entry else None
    _check_bounds(faults, endpoint, time=time, lower=lower, upper=upper, censored=told & ~event)
    spare = time if endpoint.time else lower
    end = np.where(event, np.where(upper.empty, time.value, upper.value), spare.value)
    event_column = endpoint.time_upper or str(endpoint.time)
    ends = {event_column: event}
    censored_column = endpoint.time or endpoint.time_lower or event_column
    ends[censored_column] = ~event | ends.get(censored_column, False)
    absent = np.where(event, upper.empty & time.empty, spare.empty)
    for column, rows in ends.items():
        faults.cells(column, absent & rows, rule="every patient has a time", mend=FIND_OUT)
    if entry is not None and endpoint.entry:
        mend = "write 0 for who was watched from the start"
        faults.cells(endpoint.entry, entry.empty, rule="every patient has an entry time", mend=mend)
    month = MONTHS_PER[description.time_unit]
    return Spans(
        entry=np.zeros(size) if entry is None else entry.value * month,
        time=end * month,
        lower=np.where(event & ~lower.empty, lower.value, end) * month,
        event=event,
        ends=ends,
        entry_column=endpoint.entry or event_column,
        lower_column=endpoint.time_lower or event_column,
        after_cut_off=np.zeros(size, dtype=bool),
        competing=competing,
        seen_after_cut_off=np.zeros(size, dtype=bool),
    )


def _check_bounds(
    faults: Faults,
    endpoint: EndpointDescription,
    *,
    time: Numbers,
    lower: Numbers,
    upper: Numbers,
    censored: BoolArray,
) -> None:
    """Bounds that say something else than the time they stand beside."""
    if endpoint.time and endpoint.time_upper:
        differs = ~np.isnan(upper.value) & ~np.isnan(time.value) & (upper.value != time.value)
        rule = f"must equal {endpoint.time!r}, which is the end of follow-up, or be empty"
        faults.cells(endpoint.time_upper, differs, rule=rule, mend="correct one of the two, or leave one empty")
    if endpoint.time and endpoint.time_lower:
        differs = censored & ~np.isnan(lower.value) & ~np.isnan(time.value) & (lower.value != time.value)
        rule = f"without an event there is no interval, so that it is empty or equals {endpoint.time!r}"
        faults.cells(endpoint.time_lower, differs, rule=rule, mend="empty the cell, or correct the event")


def _times(faults: Faults, column: str, *, description: CohortDescription, zero: bool = False) -> Numbers:
    read = numbers(faults.raw.cells[column], decimal=description.decimal, missing=description.missing)
    unit = description.time_unit
    mend = partial(mend_number, description=description)
    faults.cells(column, read.strange, rule=f"must be a finite number of {unit}", mend=mend)
    with np.errstate(invalid="ignore"):
        low = read.value < 0 if zero else read.value <= 0
    rule = f"must be {'at least' if zero else 'above'} 0 {unit}"
    mend_low = (
        "correct it" if zero else "correct it; for an event on the day of the start decide on a time, say half a day"
    )
    faults.cells(column, low, rule=rule, mend=mend_low)
    return Numbers(np.where(low, np.nan, read.value), read.empty, read.strange | low)


def mend_number(cell: str, *, description: CohortDescription, otherwise: str = "correct it") -> str:
    """How to mend a cell that should be a number, as messages show it; ``otherwise`` if nothing is likely."""
    text = cell.strip("'\"")
    hint = how_to_write(text)
    if description.decimal == "." and re.fullmatch(r"[+-]?\d+,\d+", text):
        return f'set decimal = "," in {DESCRIPTION_FILE} if the comma is a decimal mark ({hint})'
    if description.decimal == "," and re.fullmatch(r"[+-]?\d+\.\d+", text):
        return f'write a decimal comma, or correct decimal = "," in {DESCRIPTION_FILE}'
    return hint or otherwise


def _from_dates(faults: Faults, endpoint: EndpointDescription, *, description: CohortDescription) -> Spans:
    read = partial(_dates, faults, description=description)
    start_column = str(endpoint.start_date)
    start = read(start_column, absent="every patient has a start")
    cut_off = _cut_off(faults, endpoint, description=description)
    late = start.days >= cut_off
    rule = "a patient starts before the data cut-off"
    mend = "correct the start, leave the patient out, or correct cut_off_date of the endpoint"
    faults.cells(start_column, late, rule=rule, mend=mend)
    events = {column: read(column) for column in endpoint.event_date}
    event_day = np.fmin.reduce([found.days for found in events.values()])
    unclear = np.any([found.strange for found in events.values()], axis=0)
    event = event_day <= cut_off
    after = event_day > cut_off
    last, seen_later = cut_off, np.zeros(event.size, dtype=bool)
    if endpoint.last_contact_date:
        seen = read(endpoint.last_contact_date)
        absent = seen.empty & np.isnan(event_day) & ~unclear
        rule = "a patient without an event was last seen on some day"
        mend = f"{FIND_OUT}; with cut_off_date and no last_contact_date all are followed until the cut-off"
        faults.cells(endpoint.last_contact_date, absent, rule=rule, mend=mend)
        last = np.where(after, cut_off, np.minimum(seen.days, cut_off))
        seen_later = (seen.days > cut_off) & ~event & ~after
    end = np.where(event, event_day, np.where(unclear, np.nan, last))
    end[late] = np.nan
    entry = read(endpoint.entry_date, absent="every patient has an entry date") if endpoint.entry_date else None
    lower = read(endpoint.lower_date) if endpoint.lower_date else None
    lower_day = end if lower is None else np.where(event & ~lower.empty, lower.days, end)
    ends = {column: event & (found.days == event_day) for column, found in events.items()}
    ends[endpoint.last_contact_date or start_column] = ~event
    return Spans(
        entry=np.zeros(end.size) if entry is None else (entry.days - start.days) / DAYS_PER_MONTH,
        time=(end - start.days) / DAYS_PER_MONTH,
        lower=(lower_day - start.days) / DAYS_PER_MONTH,
        event=event,
        ends=ends,
        entry_column=endpoint.entry_date or start_column,
        lower_column=endpoint.lower_date or endpoint.event_date[0],
        after_cut_off=after,
        competing=np.zeros(end.size, dtype=bool),
        seen_after_cut_off=seen_later,
        lacks_cut_off=endpoint.cut_off_date is None,
    )


def _cut_off(faults: Faults, endpoint: EndpointDescription, *, description: CohortDescription) -> FloatArray:
    """Days of the data cut-off; infinite where none is declared."""
    size = len(faults.raw.cells)
    if endpoint.cut_off_date is None:
        return np.full(size, np.inf)
    if isinstance(endpoint.cut_off_date, str):
        absent = "every patient has a data cut-off"
        return _dates(faults, endpoint.cut_off_date, description=description, absent=absent).days
    return np.full(size, float((np.datetime64(endpoint.cut_off_date) - np.datetime64("1970-01-01")).astype(int)))


def _dates(faults: Faults, column: str, *, description: CohortDescription, absent: str = "") -> Dates:
    """Read a column of dates; ``absent`` is the rule that an empty cell breaks, if it breaks one."""
    read = dates(faults.raw.cells[column], date_format=description.date_format, missing=description.missing)
    rule = f"must be a date written as {description.date_format}"
    strange, filled = int(np.count_nonzero(read.strange)), int(np.count_nonzero(~read.empty))
    # Where most cells are read, the format is right and a few cells are wrong.
    few = 2 * strange < filled
    mend: str | Callable[[str], str] = (
        f"no such day, or not written as {description.date_format}: correct the date"
        if few
        else partial(_mend_date, column=words(faults.raw.cells[column], missing=description.missing)[read.strange])
    )
    faults.cells(column, read.strange, rule=rule, mend=mend)
    if absent:
        faults.cells(column, read.empty, rule=absent, mend=FIND_OUT)
    return read


def _mend_date(cell: str, *, column: pd.Series) -> str:
    """The formats that a cell is written in, without those that other cells of the column rule out."""
    text = cell.strip("'\"")
    for pattern, formats in {
        r"\d{1,2}\.\d{1,2}\.\d{4}": ("%d.%m.%Y",),
        r"\d{1,2}\.\d{1,2}\.\d{2}": ("%d.%m.%y",),
        r"\d{1,2}/\d{1,2}/\d{4}": ("%d/%m/%Y", "%m/%d/%Y"),
        r"\d{1,2}-\d{1,2}-\d{4}": ("%d-%m-%Y", "%m-%d-%Y"),
        r"\d{4}-\d{2}-\d{2}": ("%Y-%m-%d",),
        r"\d{4}/\d{1,2}/\d{1,2}": ("%Y/%m/%d",),
        r"\d{8}": ("%Y%m%d",),
    }.items():
        if re.fullmatch(pattern, text):
            read = {one: pd.to_datetime(column, format=one, errors="coerce").notna().sum() for one in formats}
            best = [one for one in formats if read[one] == max(read.values())]
            choice = " or ".join(f'date_format = "{one}"' for one in best)
            return f"set {choice} in {DESCRIPTION_FILE} if dates are written so, or correct the date"
    return f"correct it, or set date_format in {DESCRIPTION_FILE}"
