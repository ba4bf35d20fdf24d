"""A cohort as the models take it: follow-up by endpoint in months, covariates with their levels, all checked."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr

EvidenceKind = Literal["patients", "simulated", "pseudo_cohort", "digitised"]
CovariateKind = Literal["binary", "continuous", "categorical", "ordered"]


@dataclass(frozen=True)
class Covariate:
    """What a column of patients' features means, as declared or (0/1 and numbers) recognised.

    Attributes
    ----------
    name : str
        Name in models and results.
    kind : {"binary", "continuous", "categorical", "ordered"}
    label, unit : str
        For readers; the unit is empty where there is none.
    levels : tuple of str
        Levels of a factor, lowest first if ordered; of a binary covariate the words for 0 and 1; empty for numbers.
    reference : str or None
        The level that others are compared with; None for numbers and where none is declared.
    """

    name: str
    kind: CovariateKind
    label: str
    unit: str
    levels: tuple[str, ...]
    reference: str | None


@dataclass(frozen=True, eq=False)
class Cohort:
    """Patients, checked: what every patient-level model and cross-check takes in.

    Attributes
    ----------
    name : str
    evidence_kind : {"patients", "simulated", "pseudo_cohort", "digitised"}
        What the rows are; every table and figure that rests on them says so.
    follow_up : mapping of str to xr.Dataset
        By endpoint, dim ``row`` with coord ``patient`` (row,). Variables, each (row,): ``entry`` (months >= 0, start of
        observation), ``time`` (months > entry, end of follow-up), ``time_lower`` (months; equal to ``time`` unless the
        event is only known to lie in (time_lower, time]), ``event`` (bool), ``weight`` (int64 >= 1, a frequency).
        A patient has several rows in a start-stop table only.
    covariates : pd.DataFrame, shape (row, covariate)
        In the order of the rows. Binary covariates are 0.0/1.0/NaN, continuous ones float, factors ``pd.Categorical``
        with the declared levels; NaN is missing everywhere.
    declared : mapping of str to Covariate
        What each column of ``covariates`` means.
    path : Path or None
        The table's file, None if it came from memory.
    sha256 : str
        Hash of the content after reading: the same table as CSV, Parquet or in memory has the same.
    """

    name: str
    evidence_kind: EvidenceKind
    follow_up: Mapping[str, xr.Dataset]
    covariates: pd.DataFrame
    declared: Mapping[str, Covariate]
    path: Path | None
    sha256: str


def content_hash(
    follow_up: Mapping[str, xr.Dataset], covariates: pd.DataFrame, declared: Mapping[str, Covariate]
) -> str:
    """SHA-256 over what was read; independent of the order of columns, not of rows."""
    digest = hashlib.sha256()
    for endpoint in sorted(follow_up):
        data = follow_up[endpoint]
        digest.update(endpoint.encode() + b"\0")
        digest.update("\0".join(map(str, data["patient"].to_numpy())).encode())
        for variable in ("entry", "time", "time_lower", "event", "weight"):
            digest.update(np.ascontiguousarray(data[variable].to_numpy()).tobytes())
    for name in sorted(declared):
        column = covariates[name]
        digest.update(repr(declared[name]).encode() + b"\0")
        categorical = isinstance(column.dtype, pd.CategoricalDtype)
        values = column.cat.codes.to_numpy("<i8") if categorical else column.to_numpy("<f8")
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def read_cohort(source: str | Path | pd.DataFrame) -> Cohort:
    """Read a table with the documented column names: ``patient``, ``<endpoint>_time``, ``<endpoint>_event``."""
    path = None if isinstance(source, pd.DataFrame) else Path(source)
    table = source if isinstance(source, pd.DataFrame) else pd.read_csv(source)
    one = np.ones(len(table), dtype=np.int64)
    weight = table["weight"].to_numpy(np.int64) if "weight" in table else one
    follow_up, used = {}, {"patient", "weight"}
    for end in table.columns[table.columns.str.endswith("_time")]:
        endpoint = end.removesuffix("_time")
        time = table[end].to_numpy(float)
        entry, lower = f"{endpoint}_entry", f"{endpoint}_time_lower"
        event = table[f"{endpoint}_event"].to_numpy(bool)
        variables = {
            "entry": table[entry].to_numpy(float) if entry in table else 0.0 * one,
            "time": time,
            "time_lower": np.where(event & table[lower].notna(), table[lower], time) if lower in table else time,
            "event": event,
            "weight": weight,
        }
        used |= {end, entry, lower, f"{endpoint}_event"}
        follow_up[endpoint] = xr.Dataset(
            {name: ("row", values) for name, values in variables.items()},
            coords={"patient": ("row", table["patient"].astype(str).to_numpy(dtype=object))},
        )
    covariates, declared = {}, {}
    for name in [str(name) for name in table.columns if name not in used]:
        column = table[name]
        if not pd.api.types.is_numeric_dtype(column):
            factor = column.astype("category")
            covariates[name] = factor
            declared[name] = Covariate(name, "categorical", name, "", tuple(map(str, factor.cat.categories)), None)
        elif column.dropna().isin([0, 1]).all():
            covariates[name] = column.astype(float)
            declared[name] = Covariate(name, "binary", name, "", ("0", "1"), "0")
        else:
            covariates[name] = column.astype(float)
            declared[name] = Covariate(name, "continuous", name, "", (), None)
    frame = pd.DataFrame(covariates, index=pd.RangeIndex(len(table)))
    title = path.stem if path is not None else "cohort"
    return Cohort(title, "patients", follow_up, frame, declared, path, content_hash(follow_up, frame, declared))
