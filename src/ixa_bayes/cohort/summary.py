"""What a cohort holds, counted: patients, events, levels; small counts of real patients are kept back."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr

from ixa_bayes.cohort.covariates import Covariate
from ixa_bayes.cohort.follow_up import COMPETING, count_of_patients, is_start_stop
from ixa_bayes.cohort.table import Cohort

SMALL_CELL: Final = 5
MISSING: Final = "missing"
_KEPT_BACK: Final = "not shown"


def of_patients(data: xr.Dataset) -> pd.DataFrame:
    """Follow-up with one row per patient, from first entry to last time, whatever happened between.

    Parameters
    ----------
    data : xr.Dataset
        One endpoint of :class:`Cohort`.

    Returns
    -------
    pd.DataFrame, shape (patient, variable)
        ``entry``, ``time`` (months), ``event``, ``weight``.
    """
    table = pd.DataFrame({name: data[name].to_numpy() for name in ("entry", "time", "event", "weight")})
    ids = pd.Index(data["patient"].to_numpy())
    if not ids.has_duplicates:
        return table
    merged = table.groupby(ids, sort=False).agg({"entry": "min", "time": "max", "event": "any", "weight": "first"})
    return merged.reset_index(drop=True)


def summary_lines(
    cohort: Cohort, *, median_follow_up: Mapping[str, float], show_small_cells: bool = False
) -> Iterator[str]:
    """The cohort in words, a line for each endpoint and covariate.

    Parameters
    ----------
    cohort : Cohort
    median_follow_up : mapping of str to float
        Months by endpoint, NaN if not reached.
    show_small_cells : bool
        Whether counts of real patients below :data:`SMALL_CELL` are told.

    Yields
    ------
    str
    """
    kept_back = cohort.evidence_kind == "patients" and not show_small_cells
    for name, data in cohort.follow_up.items():
        yield _endpoint_line(name, data, median=median_follow_up[name], kept_back=kept_back)
    data = next(iter(cohort.follow_up.values()))
    for name, covariate in cohort.declared.items():
        yield _covariate_line(covariate, cohort.covariates[name], data=data, kept_back=kept_back)


def shown_counts(counts: Sequence[int], *, kept_back: bool) -> list[str]:
    """Counts of one total as they may be shown.

    Below :data:`SMALL_CELL` they are ``<5``. Beside them the first other one is not shown either, since the total
    would give them away: one by subtraction, several where they are all 1 or all 4. Which one is hidden depends on no
    count, or who knows the rule would know its size.
    """
    if not kept_back:
        return [f"{count:,}" for count in counts]
    small = [0 < count < SMALL_CELL for count in counts]
    shown = [f"<{SMALL_CELL}" if hidden else f"{count:,}" for count, hidden in zip(counts, small, strict=True)]
    others = (index for index, count in enumerate(counts) if count >= SMALL_CELL)
    if any(small) and (first := next(others, None)) is not None:
        shown[first] = _KEPT_BACK
    return shown


def count_among(count: int, total: int, *, kept_back: bool) -> str:
    """A count as it may be shown where its total is known: ``all but <5`` where only the others are few."""
    shown, others = shown_counts([count, total - count], kept_back=kept_back)
    return f"all but {others}" if shown == _KEPT_BACK and others != _KEPT_BACK else shown


def n_patients(cohort: Cohort) -> int:
    """Patients, each row counted as often as its weight says and each patient once."""
    return int(of_patients(next(iter(cohort.follow_up.values())))["weight"].sum())


def _endpoint_line(name: str, data: xr.Dataset, *, median: float, kept_back: bool) -> str:
    patients = of_patients(data)
    n, n_events = int(patients["weight"].sum()), int(patients.loc[patients["event"], "weight"].sum())
    events = count_among(n_events, n, kept_back=kept_back)
    with_event = f"{events} with the event" if events.startswith("all") else f"{events} event{'s' * (events != '1')}"
    reached = f"{median:.1f} months" if np.isfinite(median) else "not reached"
    parts = [with_event, f"median follow-up {reached}"]
    weight = data["weight"].to_numpy()
    between = int(weight[(data["time_lower"] < data["time"]).to_numpy()].sum())
    late = int(patients.loc[patients["entry"] > 0, "weight"].sum())
    facts = {
        "event times known to an interval": (between, n_events),
        "with delayed entry": (late, n),
        "events after the data cut-off, counted as censored at it": (int(data.attrs["n_after_cut_off"]), n - n_events),
    }
    for what, (count, total) in facts.items():
        if count:
            parts.append(f"{count_among(count, total, kept_back=kept_back)} {what}")
    if COMPETING in data:
        parts.insert(1, _competing_part(data, n=n, n_events=n_events, kept_back=kept_back))
    label = data.attrs["label"]
    return f"{name}{f' ({label})' if label != name else ''}: {', '.join(parts)}"


def _competing_part(data: xr.Dataset, *, n: int, n_events: int, kept_back: bool) -> str:
    """How many had the competing event, among the events or the censored."""
    n_other = count_of_patients(data)(data[COMPETING].to_numpy())
    among = data.attrs["competing_counts_as"] == "event"
    shown = count_among(n_other, n_events if among else n - n_events, kept_back=kept_back)
    return f"{shown} {'of them ' if among else ''}{data.attrs['competing_event']}{'' if among else ' (censored)'}"


def _covariate_line(covariate: Covariate, column: pd.Series, *, data: xr.Dataset, kept_back: bool) -> str:
    """A covariate in words; where patients have several rows, each counts once at every level it ever had."""
    label = f" ({covariate.label})" if covariate.label != covariate.name else ""
    patients = count_of_patients(data)
    n_missing = patients(column.isna().to_numpy())
    if covariate.kind == "continuous":
        return f"{covariate.name}{label}, continuous: {_numbers(covariate, column, data=data, kept_back=kept_back)}"
    if covariate.reference is None:
        told = count_among(n_missing, patients(column.notna().to_numpy()) + n_missing, kept_back=kept_back)
        words = f"{len(covariate.levels)} different words, {MISSING} {told}"
        return f"{covariate.name}{label}, {covariate.kind} without a reference level: {words}; declare it to use it"
    values = column.map({0.0: covariate.levels[0], 1.0: covariate.levels[1]}) if covariate.kind == "binary" else column
    counts = [patients((values == level).to_numpy()) for level in covariate.levels]
    shown = shown_counts([*counts, n_missing], kept_back=kept_back)
    marked = [f"{level}{' (reference)' * (level == covariate.reference)}" for level in covariate.levels]
    told = ", ".join(f"{level} {count}" for level, count in zip([*marked, MISSING], shown, strict=True))
    return f"{covariate.name}{label}, {covariate.kind}: {told}"


def _numbers(covariate: Covariate, column: pd.Series, *, data: xr.Dataset, kept_back: bool) -> str:
    """Quartiles of a number; where patients have several rows, of the first value that each has."""
    patients, known = count_of_patients(data), column.notna().to_numpy()
    n_known, n_missing = patients(known), patients(~known)
    told = f"{MISSING} {count_among(n_missing, n_known + n_missing, kept_back=kept_back)}"
    if not known.any():
        return f"no value, {told}"
    if kept_back and n_known < SMALL_CELL:
        return f"fewer than {SMALL_CELL} patients with a value, {told}"
    weight, when = data["weight"].to_numpy(), ""
    if is_start_stop(data):
        order = np.argsort(data["entry"].to_numpy(), kind="stable")
        order = order[known[order]]
        known = order[~pd.Index(data["patient"].to_numpy()[order]).duplicated()]
        when = "at first "
    values = np.repeat(column.to_numpy()[known], weight[known] if weight.max() > 1 else 1)
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    unit = f" {covariate.unit}" if covariate.unit else ""
    return f"{when}median {middle:g}{unit}, quartiles {low:g} and {high:g}, {told}"
