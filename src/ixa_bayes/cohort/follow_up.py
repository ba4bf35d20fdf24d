"""Follow-up by endpoint: which endpoints a table has, and what must hold between and within its rows."""

from collections.abc import Callable, Collection, Iterator
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr

from ixa_bayes.cohort.cells import FloatArray, numbers, words
from ixa_bayes.cohort.competing import competing_events
from ixa_bayes.cohort.description import (
    DESCRIPTION_FILE,
    CohortDescription,
    CompetingDescription,
    EndpointDescription,
)
from ixa_bayes.cohort.faults import Faults
from ixa_bayes.cohort.source import BoolArray, IntArray
from ixa_bayes.cohort.spans import Spans, spans_of
from ixa_bayes.errors import Problem
from ixa_bayes.study.hints import did_you_mean

LONG_MEDIAN: Final = 240.0
LONG_TIME: Final = 1200.0
"""Months: no cohort is followed for more in the median, nobody at all for longer."""
WEIGHT: Final = "weight"
COMPETING: Final = "competing"


def read_follow_up(
    faults: Faults, endpoints: dict[str, EndpointDescription], *, description: CohortDescription
) -> dict[str, xr.Dataset]:
    """Follow-up of every endpoint, one row per row of the table.

    Parameters
    ----------
    faults : Faults
        Is told everything that is wrong; the result is of use only if nothing is.
    endpoints : dict of str to EndpointDescription
        As :func:`endpoints_of` found them.
    description : CohortDescription
    """
    ids = _patients(faults, description)
    weight = _weights(faults, description)
    code, _ = pd.factorize(ids)
    repeated = bool(pd.Series(code[code >= 0]).duplicated().any())
    without_entry = [name for name, endpoint in endpoints.items() if not (endpoint.entry or endpoint.entry_date)]
    if repeated and without_entry:
        _refuse_repeats(faults, code, column=description.columns.patient, endpoint=without_entry[0])
    elif repeated:
        _check_weights(faults, weight, code=code, column=weight_column(description, faults.raw.cells.columns))
    spans = {}
    for name, endpoint in endpoints.items():
        with faults.of_endpoint(name):
            spans[name] = spans_of(faults, endpoint, description=description)
            _check_order(faults, spans[name])
            _check_length(faults, spans[name], weight=weight, description=description)
            if repeated and not without_entry:
                _check_stretches(faults, spans[name], code=code)
    follow_up = {}
    for name, endpoint in endpoints.items():
        data = _dataset(name, endpoint, spans[name], ids=ids, weight=weight)
        if endpoint.competing:
            data = _with_competing(
                data, endpoint.competing, competing_events(faults, name, endpoint.competing, spans=spans)
            )
        follow_up[name] = data
    return follow_up


def endpoints_of(faults: Faults, description: CohortDescription) -> dict[str, EndpointDescription]:
    """The endpoints of a table with the names of their columns, as declared or by the documented names."""
    columns = list(faults.raw.cells.columns)
    declared = description.endpoints or dict.fromkeys(_by_name(columns), EndpointDescription())
    if not declared:
        mend = f"name its columns <endpoint>_time and <endpoint>_event, or declare endpoints in {DESCRIPTION_FILE}"
        found = f"columns {', '.join(map(repr, columns[:20]))}"
        faults.add(Problem(faults.raw.where, found, "a cohort has follow-up for at least one endpoint", mend))
    return {name: _with_columns(name, endpoint, columns) for name, endpoint in declared.items()}


def columns_of(endpoint: EndpointDescription) -> list[str]:
    """The columns that an endpoint needs."""
    times = ("time", "event", "entry", "time_lower", "time_upper")
    dates = ("start_date", "last_contact_date", "cut_off_date", "entry_date", "lower_date")
    named = [getattr(endpoint, key) for key in (*times, *dates)]
    return [name for name in (*named, *endpoint.event_date) if isinstance(name, str)]


def check_columns(faults: Faults, wanted: dict[str, list[str]]) -> None:
    """Tell which columns are not there.

    Parameters
    ----------
    faults : Faults
    wanted : dict of str to list of str
        Columns by what they are wanted for.
    """
    known = list(faults.raw.cells.columns)
    for purpose, columns in wanted.items():
        for column in columns:
            if column not in known:
                close = did_you_mean(column, known)
                mend = f"add or rename it, or name the column in {DESCRIPTION_FILE}"
                if close:
                    mend += f"; it may be called {close.removeprefix('write ')}"
                if purpose.startswith("endpoint"):
                    mend += (
                        f". Where a column ending in _time is no follow-up, declare the endpoints in {DESCRIPTION_FILE}"
                    )
                faults.add(Problem(faults.raw.where, f"no column {column!r}", f"{purpose} needs it", mend))


def _by_name(columns: list[str]) -> Iterator[str]:
    seen = set()
    for column in columns:
        for suffix in ("_time", "_time_upper"):
            name = column.removesuffix(suffix)
            if name != column and name and name not in seen:
                seen.add(name)
                yield name


def _with_columns(name: str, endpoint: EndpointDescription, columns: list[str]) -> EndpointDescription:
    if endpoint.by_dates:
        return endpoint
    needed = {"event": f"{name}_event"}
    optional = {key: f"{name}_{key}" for key in ("entry", "time_lower", "time_upper")}
    found = {key: column for key, column in optional.items() if column in columns}
    if endpoint.time_upper or "time_upper" in found:
        found |= {"time": f"{name}_time"} if f"{name}_time" in columns else {}
    else:
        needed["time"] = f"{name}_time"
    own = {key: value for key in (*needed, *optional, "time") if (value := getattr(endpoint, key))}
    return endpoint.model_copy(update=needed | found | own)


def _patients(faults: Faults, description: CohortDescription) -> pd.Series:
    column = description.columns.patient
    ids = words(faults.raw.cells[column], missing=description.missing)
    empty = ids.isna().to_numpy(dtype=bool)
    faults.cells(column, empty, rule="every row belongs to a patient", mend="write the patient's id")
    faults.know_patients(ids)
    return ids


def _weights(faults: Faults, description: CohortDescription) -> IntArray:
    size = len(faults.raw.cells)
    column = weight_column(description, faults.raw.cells.columns)
    if column is None:
        return np.ones(size, dtype=np.int64)
    read = numbers(faults.raw.cells[column], decimal=description.decimal, missing=description.missing)
    whole = (read.value >= 1) & (np.rint(read.value) == read.value) & (read.value < 2**53)
    rule = "a weight is a frequency, a whole number from 1: how many equal patients the row stands for"
    own = "rename the column if it holds anything else, such as kilograms or the weights of a survey"
    faults.cells(column, ~whole, rule=rule, mend=f"count the row, or leave it out; {own}")
    if description.columns.weight is None and size >= 5 and whole.all() and _like_kilograms(read.value):
        found = f"values from {read.value.min():g} to {read.value.max():g}, which may be kilograms"
        mend = f'say that it is with columns.weight = "{column}" in {DESCRIPTION_FILE}; {own}'
        faults.column(column, found=found, rule="a weight is how many equal patients a row stands for", mend=mend)
    return np.where(whole, read.value, 1).astype(np.int64)


def weight_column(description: CohortDescription, columns: Collection[str]) -> str | None:
    """The column of frequency weights: the declared one, else ``weight`` if it has no other use."""
    covariates = {covariate.column or name for name, covariate in description.covariates.items()}
    if description.columns.weight is not None or WEIGHT not in columns:
        return description.columns.weight
    return None if WEIGHT in covariates or WEIGHT in description.columns.ignore else WEIGHT


def _like_kilograms(values: FloatArray) -> bool:
    """Whether whole numbers under the name of weight are what adults weigh."""
    return bool(values.min() >= 30 and values.max() <= 250 and 45 <= np.median(values) <= 120)


def _check_order(faults: Faults, spans: Spans) -> None:
    """Starts before ends, and bounds of intervals in their order."""
    with np.errstate(invalid="ignore"):
        for column, who in spans.ends.items():
            before = who & (spans.time < 0)
            faults.cells(column, before, rule="the end of follow-up lies before its start", mend="correct either date")
            same = who & (spans.time == 0)
            mend = "correct either date; for an event on the day of the start decide on a time, say half a day"
            faults.cells(column, same, rule="the end of follow-up is its start, and a time must be above 0", mend=mend)
        counted = spans.time > 0
        early = spans.entry < 0
        late = counted & (spans.entry >= spans.time)
        reversed_bounds = counted & (spans.lower > spans.time)
        unwatched = counted & ~reversed_bounds & ~late & ~early & (spans.lower < spans.entry)
    faults.cells(spans.entry_column, early, rule="nobody is watched before time 0", mend="correct the entry")
    faults.cells(spans.entry_column, late, rule="must lie before the end of follow-up", mend="correct the entry or end")
    rule = "the lower bound of the interval lies above its upper bound"
    faults.cells(spans.lower_column, reversed_bounds, rule=rule, mend="exchange or correct the two")
    rule = "the interval of the event begins before the patient's entry, when there was no event yet"
    faults.cells(spans.lower_column, unwatched, rule=rule, mend="write the entry, or a later visit")


def _check_length(faults: Faults, spans: Spans, *, weight: IntArray, description: CohortDescription) -> None:
    """Days given as months, and slips of a century."""
    known = np.isfinite(spans.time)
    if description.long_follow_up or not known.any():
        return
    median = _weighted_median(spans.time[known], weight[known])
    longest = float(spans.time[known].max())
    if median <= LONG_MEDIAN and longest <= LONG_TIME:
        return
    years = f"a median of {median / 12:.0f} years" if median > LONG_MEDIAN else f"up to {longest / 12:.0f} years"
    mend = f"say that it is right with long_follow_up = true in {DESCRIPTION_FILE}, or correct the cells"
    if description.time_unit in ("months", "years"):
        mend = f'if these are days, set time_unit = "days" in {DESCRIPTION_FILE}; otherwise {mend}'
    rule = "a follow-up above 20 years in the median or 100 in one patient is rarely what is meant"
    faults.column(next(iter(spans.ends)), found=f"follow-up of {years}", rule=rule, mend=mend)


def _weighted_median(values: FloatArray, weight: IntArray) -> float:
    order = np.argsort(values)
    below = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(below, below[-1] / 2)])


def _check_stretches(faults: Faults, spans: Spans, *, code: IntArray) -> None:
    """Several rows of a patient are disjoint stretches of time, with the event in the last."""
    order = np.lexsort((spans.time, spans.entry, code))
    patient, entry, time = code[order], spans.entry[order], spans.time[order]
    same = (patient[1:] == patient[:-1]) & (patient[1:] >= 0)
    latest = pd.Series(time).groupby(patient).cummax().to_numpy()
    reaches = np.maximum.accumulate(np.where(time < latest, 0, np.arange(code.size)))  # the row that lasts so long
    with np.errstate(invalid="ignore"):
        overlap = same & (entry[1:] < latest[:-1])
    bad = np.zeros(code.size, dtype=bool)
    bad[order[1:][overlap]] = True
    before = np.zeros(code.size, dtype=np.int64)
    before[order[1:]] = order[reaches[:-1]]
    rule = "rows of one patient are disjoint stretches (entry, time]"
    mend = "correct the times, or the id if these are two patients"
    faults.cells(
        spans.entry_column,
        bad,
        rule=rule,
        mend=mend,
        beside=before,
        found=lambda cell, line: f"{cell}, before the end of the same patient's {faults.raw.counted} {line}",
    )
    early = np.zeros(code.size, dtype=bool)
    early[order[:-1][same & spans.event[order[:-1]]]] = True
    rule = "an event ends a patient's follow-up, so that only the last row of a patient can have it"
    for column, rows in spans.ends.items():
        faults.cells(column, early & rows, rule=rule, mend="move the event to the last row, or correct the id")


def _check_weights(faults: Faults, weight: IntArray, *, code: IntArray, column: str | None) -> None:
    """Rows of one patient stand for equally many patients."""
    if column is None:
        return
    first = pd.Series(np.arange(code.size)).groupby(code).transform("min").to_numpy()
    faults.cells(
        column,
        (weight != weight[first]) & (code >= 0),
        rule="all rows of a patient have the same weight",
        mend="correct the weight or the id",
        beside=first,
        found=lambda cell, line: f"{cell}, unlike the same patient's {faults.raw.counted} {line}",
    )


def _refuse_repeats(faults: Faults, code: IntArray, *, column: str, endpoint: str) -> None:
    ids = pd.Series(code)
    bad = ids.duplicated().to_numpy() & (code >= 0)
    first = pd.Series(np.arange(code.size)).groupby(ids).transform("min").to_numpy()
    rule = "a patient has one row"
    mend = f"remove one or correct the id; a start-stop table also needs {endpoint}_entry, where each row begins"
    faults.cells(
        column,
        bad,
        rule=rule,
        mend=mend,
        beside=first,
        found=lambda cell, line: f"{cell if faults.show_ids else 'the patient'} of {faults.raw.counted} {line} again",
    )


def _dataset(name: str, endpoint: EndpointDescription, spans: Spans, *, ids: pd.Series, weight: IntArray) -> xr.Dataset:
    months = {"entry": spans.entry, "time": spans.time, "time_lower": spans.lower}
    variables = {key: ("row", values, {"unit": "months"}) for key, values in months.items()}
    data = xr.Dataset(variables, coords={"patient": ("row", ids.fillna("").to_numpy(dtype=str))})
    data["event"] = ("row", spans.event)
    data["weight"] = ("row", weight)
    patients = count_of_patients(data)
    return data.assign_attrs(
        label=endpoint.label or name,
        better=endpoint.better,
        event_free=endpoint.event_free,
        n_after_cut_off=patients(spans.after_cut_off),
        n_seen_after_cut_off=patients(spans.seen_after_cut_off),
        lacks_cut_off=int(spans.lacks_cut_off),
    )


def _with_competing(data: xr.Dataset, declared: CompetingDescription, found: tuple[BoolArray, BoolArray]) -> xr.Dataset:
    at_the_end, later = found
    return data.assign({COMPETING: ("row", at_the_end)}).assign_attrs(
        own_event=declared.own,
        competing_event=declared.other,
        competing_counts_as=declared.counts_as,
        n_competing_later=count_of_patients(data)(later),
    )


def is_start_stop(data: xr.Dataset) -> bool:
    """Whether a patient has several rows."""
    return bool(pd.Index(data["patient"].to_numpy()).has_duplicates)


def count_of_patients(data: xr.Dataset) -> Callable[[BoolArray], int]:
    """How to count the patients, by weight, who have any of some rows: each once, however many rows they have.

    Parameters
    ----------
    data : xr.Dataset
        One endpoint of a cohort: the coordinate ``patient`` and ``weight``, dim ``row``.

    Returns
    -------
    callable
        From a mask of rows to a number of patients.
    """
    weight = data["weight"].to_numpy()
    if not is_start_stop(data):
        return lambda rows: int(weight[rows].sum())
    codes = pd.factorize(data["patient"].to_numpy())[0]

    def count(rows: BoolArray) -> int:
        chosen = np.flatnonzero(rows)
        _, first = np.unique(codes[chosen], return_index=True)
        return int(weight[chosen[first]].sum())

    return count
