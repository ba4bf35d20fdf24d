"""A cohort as the models take it: follow-up by endpoint in months, covariates with their levels, all checked."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from ixa_bayes.cohort.covariates import Covariate, covariate_columns, read_covariates
from ixa_bayes.cohort.description import (
    DESCRIPTION_FILE,
    CohortDescription,
    EvidenceKind,
    as_python,
    check_description,
    read_description,
)
from ixa_bayes.cohort.faults import Faults
from ixa_bayes.cohort.follow_up import COMPETING, check_columns, columns_of, endpoints_of, read_follow_up, weight_column
from ixa_bayes.cohort.source import SUFFIXES, RawTable, from_memory, read_source
from ixa_bayes.errors import InputError, Problem
from ixa_bayes.study.locate import locate

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Cohort", "Covariate", "EvidenceKind", "read_cohort"]


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
        A patient has several rows in a start-stop table only. Attributes: ``label``, ``better``,
        ``event_free`` (words), ``n_after_cut_off`` (patients whose event came after the data cut-off),
        ``n_seen_after_cut_off`` (patients seen without one after it), ``lacks_cut_off`` (1 where follow-up is by dates
        without a cut-off).
        Where a competing event is declared also ``competing`` (bool: follow-up ended with it; the ``event`` is then
        True if it counts as one), with the attributes ``own_event``, ``competing_event`` (their names),
        ``competing_counts_as`` (``event`` or ``censored``) and ``n_competing_later`` (patients who had it after their
        follow-up for the endpoint had ended).
    covariates : pd.DataFrame, shape (row, covariate)
        In the order of the rows. Binary covariates are 0.0/1.0/NaN, continuous ones float, factors ``pd.Categorical``
        with the declared levels; NaN is missing everywhere.
    declared : mapping of str to Covariate
        What each column of ``covariates`` means.
    path : Path or None
        The table's file, None if it came from memory.
    sha256 : str
        Hash of the content after reading: the same table as CSV, Parquet or in memory has the same.
    title : str
        For readers; empty where none is declared.
    """

    name: str
    evidence_kind: EvidenceKind
    follow_up: Mapping[str, xr.Dataset]
    covariates: pd.DataFrame
    declared: Mapping[str, Covariate]
    path: Path | None
    sha256: str
    title: str = ""


def read_cohort(
    source: "str | Path | pd.DataFrame | pl.DataFrame",
    *,
    description: CohortDescription | Mapping[str, Any] | None = None,
    show_ids: bool = False,
) -> Cohort:
    """Read a table of patients and check it.

    Parameters
    ----------
    source : str, path, pandas or polars DataFrame
        A CSV, Parquet or .xlsx file, a folder or ``cohort.toml`` that names one, a built-in cohort, or a table in
        memory. Without a description its columns are ``patient``, ``<endpoint>_time``, ``<endpoint>_event``, perhaps
        ``<endpoint>_entry``, ``<endpoint>_time_lower``, ``<endpoint>_time_upper`` and ``weight``; all others are
        covariates.
    description : CohortDescription or mapping, optional
        What ``cohort.toml`` would say; by default the ``cohort.toml`` (or ``<table>.toml``) beside the file.
    show_ids : bool
        Whether messages may name patients.

    Returns
    -------
    Cohort

    Raises
    ------
    InputError
        With every fault: file, line, column, value, rule and how to mend it.

    Examples
    --------
    >>> import ixa_bayes as ib
    >>> cohort = ib.read_cohort("example_cohort")
    >>> sorted(cohort.follow_up), len(cohort.covariates)
    (['os', 'pfs'], 126)
    """
    try:
        return _read(source, description, show_ids=show_ids)
    except InputError as error:
        if isinstance(source, str | Path) and description is None:
            raise
        told = (
            replace(problem, rule=as_python(problem.rule), mend=as_python(problem.mend)) for problem in error.problems
        )
        raise InputError(told) from error


def _read(
    source: "str | Path | pd.DataFrame | pl.DataFrame",
    description: CohortDescription | Mapping[str, Any] | None,
    *,
    show_ids: bool,
) -> Cohort:
    path: Path | None = None
    if isinstance(description, Mapping):
        description = check_description(description, where=Path("description"))
    if isinstance(source, str | Path):
        path, beside = _found(locate(source, "cohort"), described=description is not None)
        description = description or (CohortDescription() if beside is None else read_description(beside))
        path = path or _table_of(beside, description)
        raw = read_source(path, description)
    else:
        description = description or CohortDescription()
        raw = from_memory(source)
    name = description.name or (path.stem if path is not None else "cohort")
    return _checked(raw, description, name=name, path=path, show_ids=show_ids)


def _found(given: Path, *, described: bool) -> tuple[Path | None, Path | None]:
    """The table's file (None if the description names it) and its description (None if there is none)."""
    if given.is_dir():
        file = given / DESCRIPTION_FILE
        if file.is_file():
            return None, file
        tables = sorted(path for path in given.iterdir() if path.suffix.lower() in SUFFIXES)
        if len(tables) != 1:
            found = f"{len(tables)} tables and no {DESCRIPTION_FILE}"
            mend = f"name the table, or write {DESCRIPTION_FILE} with its file"
            raise InputError([Problem(str(given), found, "one of the two must say which table is meant", mend)])
        return tables[0], None
    if given.suffix.lower() == ".toml":
        return None, given
    if described:
        return given, None
    own = given.with_suffix(".toml")
    if own.is_file():
        return given, own
    shared = given.parent / DESCRIPTION_FILE
    if not shared.is_file():
        return given, None
    named = read_description(shared).file
    if named is not None and (shared.parent / named).resolve() != given.resolve():
        rule = f"the {DESCRIPTION_FILE} beside it describes {named}"
        mend = f"describe this table in {own.name}, or correct file in {DESCRIPTION_FILE}"
        raise InputError([Problem(str(given), "another table", rule, mend)])
    return given, shared


def _table_of(beside: Path | None, description: CohortDescription) -> Path:
    """The table that a description names, or the only one beside it."""
    folder = Path() if beside is None else beside.parent
    if description.file is not None:
        return folder / description.file
    tables = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if len(tables) == 1:
        return tables[0]
    rule = "file must say which table is described, unless the folder has one only"
    raise InputError([Problem(str(beside), f"{len(tables)} tables beside it", rule, 'add file = "patients.csv"')])


def _checked(raw: RawTable, description: CohortDescription, *, name: str, path: Path | None, show_ids: bool) -> Cohort:
    if raw.cells.empty:
        rule = "a cohort has at least one patient"
        raise InputError([Problem(raw.where, "no rows", rule, "add rows below the header")])
    faults = Faults(raw, show_ids=show_ids)
    endpoints = endpoints_of(faults, description)
    columns = description.columns
    needed = {f"endpoint {key}": columns_of(endpoint) for key, endpoint in endpoints.items()}
    needed |= {"every cohort": [columns.patient], "the weight": [columns.weight] if columns.weight else []}
    needed |= dict(covariate_columns(description))
    check_columns(faults, needed)
    faults.raise_if_any()
    follow_up = read_follow_up(faults, endpoints, description=description)
    taken = {
        columns.patient,
        weight_column(description, raw.cells.columns),
        *(one for key in endpoints for one in needed[f"endpoint {key}"]),
    }
    covariates, declared = read_covariates(faults, description, taken=taken)
    faults.raise_if_any()
    digest = _content_hash(follow_up, covariates, declared)
    return Cohort(name, description.evidence_kind, follow_up, covariates, declared, path, digest, description.title)


def _content_hash(
    follow_up: Mapping[str, xr.Dataset], covariates: pd.DataFrame, declared: Mapping[str, Covariate]
) -> str:
    """SHA-256 over what was read; independent of the order of columns, not of rows."""
    digest = hashlib.sha256()
    for endpoint in sorted(follow_up):
        data = follow_up[endpoint]
        digest.update(endpoint.encode() + b"\0")
        digest.update("\0".join(data["patient"].to_numpy().tolist()).encode())
        told = [COMPETING] if COMPETING in data else []
        for variable in ("entry", "time", "time_lower", "event", "weight", *told):
            digest.update(np.ascontiguousarray(data[variable].to_numpy()).tobytes())
    for name in sorted(declared):
        column = covariates[name]
        digest.update(repr(declared[name]).encode() + b"\0")
        categorical = isinstance(column.dtype, pd.CategoricalDtype)
        values = column.cat.codes.to_numpy("<i8") if categorical else column.to_numpy("<f8")
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()
