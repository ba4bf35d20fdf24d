"""Which counts of real patients a report on a fit keeps back: small ones, and those that would give small ones away."""

from typing import Final

import numpy as np
import pandas as pd

from ixa_bayes.cohort.summary import SMALL_CELL

FEW: Final = f"fewer than {SMALL_CELL}"


def is_small(counts: pd.Series) -> pd.Series:
    """Which counts are from 1 to 4."""
    return counts.between(0, SMALL_CELL, inclusive="neither")


def without_small(table: pd.DataFrame) -> pd.DataFrame:
    """Counts of one total without small ones, nor those that would give them away.

    Beside a count that is kept back, the first other one of the total is kept back too, as ``check-cohort`` does. Where
    few at a level have not had the event, those who have had it are not told.

    Parameters
    ----------
    table : DataFrame, shape (level, column)
        ``n``, ``n_events``, ``n_missing`` and more; the levels stand in the order in which the cohort declares them.

    Returns
    -------
    DataFrame
        As floats, NaN where a count is kept back, with a ``note`` that says so.
    """
    whole = table.astype({"n": float, "n_events": float, "n_missing": float})
    n, events = whole["n"], whole["n_events"]
    hidden = whole.assign(n_missing=whole["n_missing"].mask(is_small(whole["n_missing"])))
    for column, small in (("n", is_small(n)), ("n_events", is_small(events) | is_small(n - events))):
        others = whole.index[~small & (whole[column] >= SMALL_CELL)]
        hidden[column] = whole[column].mask(small | (whole.index.isin(others[:1]) & small.any()))
    told = hidden[["n", "n_events", "n_missing"]].isna().any(axis="columns")
    note = f"counts below {SMALL_CELL}, and counts that would tell them, are kept back"
    return hidden.assign(note=np.where(told, note, ""))


def may_be_told(*, n: int, n_events: int, of: tuple[int, int]) -> tuple[bool, bool]:
    """Whether the number of patients whom other methods use, and of those with the event, may be told.

    Parameters
    ----------
    n, n_events : int
        Patients whom they use.
    of : (int, int)
        Patients whom the posterior uses, and those of them with the event.

    Returns
    -------
    (bool, bool)
        False where the number or a rest is small: those without the event, and those whom only the posterior uses.
    """
    whole, events = of
    rests = pd.Series([n_events, n - n_events, events - n_events, (whole - n) - (events - n_events)])
    return not is_small(pd.Series([n, whole - n])).any(), not is_small(rests).any()


def events_words(n_events: int, n: int, *, kept_back: bool) -> str:
    """How many of all patients had the event, as far as it may be told."""
    if kept_back and 0 < n_events < SMALL_CELL:
        return FEW
    return f"all but {FEW}" if kept_back and 0 < n - n_events < SMALL_CELL else f"{n_events:,}"
