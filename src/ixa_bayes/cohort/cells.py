"""Cells to numbers, words and dates, a whole column at a time: what a cell says, or that it says nothing.

A cell is empty, understood, or neither; the caller decides whether the last two are faults.
"""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import compute

from ixa_bayes.cohort.source import BoolArray

FloatArray = NDArray[np.float64]
_FLAGS: Final = {"true": 1.0, "false": 0.0}


@dataclass(frozen=True, eq=False)
class Numbers:
    """A column read as numbers.

    Attributes
    ----------
    value : ndarray, shape (row,)
        NaN where the cell is empty or no number.
    empty, strange : ndarray of bool, shape (row,)
        Whether the cell says nothing, or something that is no finite number.
    """

    value: FloatArray
    empty: BoolArray
    strange: BoolArray


@dataclass(frozen=True, eq=False)
class Dates:
    """A column read as dates.

    Attributes
    ----------
    days : ndarray, shape (row,)
        Whole days since 1970-01-01; NaN where the cell is empty or no date.
    empty, strange : ndarray of bool, shape (row,)
        As in :class:`Numbers`.
    """

    days: FloatArray
    empty: BoolArray
    strange: BoolArray


def words(column: pd.Series, *, missing: Collection[str]) -> pd.Series:
    """A column as words: text as it stands, whole numbers without decimals, NaN where a cell says nothing."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        numbers = column.to_numpy(dtype=float, na_value=np.nan)
        text = pd.Series(_number_words(numbers), dtype="str")
        return text.mask(np.isnan(numbers))
    text = column.astype("object") if pd.api.types.is_bool_dtype(column) else column
    if text.dtype == object:
        empty = text.isna()
        text = text.map(_as_word).astype("str").mask(empty)
    else:
        text = text.astype("str")
    return text.mask(text.eq("") | text.isin(list(missing)))


def _as_word(cell: object) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def _number_words(numbers: FloatArray) -> list[str]:
    whole = np.isfinite(numbers) & (np.rint(numbers) == numbers)
    return [str(int(x)) if is_whole else repr(x) for x, is_whole in zip(numbers.tolist(), whole.tolist(), strict=True)]


def numbers(column: pd.Series, *, decimal: str, missing: Collection[str]) -> Numbers:
    """A column as numbers; true and false are 1 and 0.

    Parameters
    ----------
    column : Series
        Numbers, truth values, text, or a mixture as spreadsheets have it.
    decimal : {".", ","}
        The decimal mark of numbers written as text.
    missing : collection of str
        Words that say nothing.
    """
    if pd.api.types.is_numeric_dtype(column):
        values = column.to_numpy(dtype=float, na_value=np.nan).copy()
        empty = np.isnan(values)
    else:
        text = words(column, missing=missing)
        empty = text.isna().to_numpy(dtype=bool)
        plain = text if decimal == "." else _with_points(text, written=_is_text(column))
        values = _parsed(plain)
        unread = np.isnan(values) & ~empty
        if unread.any():
            values[unread] = text[unread].str.lower().map(_FLAGS).to_numpy(dtype=float)
    strange = ~empty & ~np.isfinite(values)
    values[strange] = np.nan
    return Numbers(values, empty, strange)


def _parsed(text: pd.Series) -> FloatArray:
    """Numbers written as text, NaN for whatever is none; a column without fault takes the fast way."""
    try:
        return np.array(compute.cast(pa.array(text, from_pandas=True), pa.float64()).to_numpy(zero_copy_only=False))
    except pa.ArrowInvalid:
        code, different = pd.factorize(text)
        found = pd.to_numeric(pd.Series(different, dtype="str"), errors="coerce").to_numpy(dtype=float)
        return np.append(found, np.nan)[code]  # code -1, an empty cell, takes the last


def _with_points(text: pd.Series, *, written: BoolArray) -> pd.Series:
    """Decimal commas as points; a point that was written is then no decimal mark, and its cell no number."""
    unclear = written & text.str.contains(".", regex=False, na=False).to_numpy(dtype=bool)
    return text.mask(unclear).str.replace(",", ".", regex=False)


def _is_text(column: pd.Series) -> BoolArray:
    if column.dtype != object:
        return np.ones(len(column), dtype=bool)
    return np.fromiter((isinstance(cell, str) for cell in column), dtype=bool, count=len(column))


def _is_date(column: pd.Series) -> BoolArray:
    if column.dtype != object:
        return np.zeros(len(column), dtype=bool)
    cells = (isinstance(cell, dt.date) and not pd.isna(cell) for cell in column)
    return np.fromiter(cells, dtype=bool, count=len(column))


def dates(column: pd.Series, *, date_format: str, missing: Collection[str]) -> Dates:
    """A column as dates; the time of day, if any, is left out.

    Parameters
    ----------
    column : Series
        Dates, or text.
    date_format : str
        How dates are written as text, in the notation of ``strftime``.
    missing : collection of str
        Words that say nothing.
    """
    if pd.api.types.is_datetime64_any_dtype(column):
        stamps, empty = column, column.isna()
    else:
        is_date = _is_date(column)
        text = words(column.mask(is_date), missing=missing)
        stamps = pd.to_datetime(text, format=date_format, errors="coerce")
        empty = text.isna() & ~is_date
        if is_date.any():
            stamps = stamps.where(~is_date, pd.to_datetime(column.where(is_date), errors="coerce"))
    if getattr(stamps.dt, "tz", None) is not None:
        stamps = stamps.dt.tz_localize(None)
    since = (stamps - pd.Timestamp(0)).dt.days
    days = np.asarray(since.to_numpy(na_value=np.nan), dtype=np.float64)
    is_empty = empty.to_numpy(dtype=bool)
    return Dates(days, is_empty, np.isnan(days) & ~is_empty)
