"""Covariates: their columns read as declared, and undeclared columns recognised where nothing is left to guess."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import pandas as pd

from ixa_bayes.cohort.cells import numbers, words
from ixa_bayes.cohort.description import DESCRIPTION_FILE, CohortDescription, CovariateDescription, CovariateKind
from ixa_bayes.cohort.faults import Faults
from ixa_bayes.cohort.spans import mend_number
from ixa_bayes.study.hints import did_you_mean

BINARY_LEVELS: Final = ("0", "1")
_UNKNOWN: Final = f"correct it, or add it to missing in {DESCRIPTION_FILE} if it stands for an unknown value"


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


def read_covariates(
    faults: Faults, description: CohortDescription, *, taken: Collection[str | None]
) -> tuple[pd.DataFrame, dict[str, Covariate]]:
    """Read every column that is not taken by an id, a weight or an endpoint.

    Parameters
    ----------
    faults : Faults
        Is told every cell that cannot be read.
    description : CohortDescription
    taken : collection of str
        Columns with another use.

    Returns
    -------
    covariates : pd.DataFrame, shape (row, covariate)
        0.0/1.0, floats or categoricals; NaN is missing.
    declared : dict of str to Covariate
        What each column means.
    """
    columns: dict[str, pd.Series] = {}
    declared: dict[str, Covariate] = {}
    for name, covariate in description.covariates.items():
        column = covariate.column or name
        read = _read_numbers if covariate.kind == "continuous" or _is_coded(covariate) else _read_levels
        columns[name], declared[name] = read(faults, name, covariate, column=column, description=description)
    used = {*taken, *(one.column or name for name, one in description.covariates.items()), *description.columns.ignore}
    for column in faults.raw.cells.columns:
        if column in used:
            continue
        if column in description.covariates:
            rule = f"covariate {column} is declared as another column, {description.covariates[column].column!r}"
            mend = f"rename the covariate, or list {column!r} under columns.ignore in {DESCRIPTION_FILE}"
            faults.column(column, found="a column of the same name", rule=rule, mend=mend)
        else:
            columns[column], declared[column] = _recognised(faults, column, description=description)
    return pd.DataFrame(columns, index=pd.RangeIndex(len(faults.raw.cells))), declared


def covariate_columns(description: CohortDescription) -> Iterator[tuple[str, list[str]]]:
    """The columns that declared covariates need, by what they are needed for."""
    for name, covariate in description.covariates.items():
        yield f"covariate {name}", [covariate.column or name]


def _is_coded(covariate: CovariateDescription) -> bool:
    """Whether a binary covariate has 0 and 1 for its levels."""
    return covariate.kind == "binary" and covariate.levels in ((), BINARY_LEVELS)


def _read_numbers(
    faults: Faults, name: str, covariate: CovariateDescription, *, column: str, description: CohortDescription
) -> tuple[pd.Series, Covariate]:
    read = numbers(faults.raw.cells[column], decimal=description.decimal, missing=description.missing)
    label = covariate.label or name
    mend = partial(mend_number, description=description, otherwise=_UNKNOWN)
    if covariate.kind == "continuous":
        faults.cells(column, read.strange, rule="must be a finite number, or empty if it is not known", mend=mend)
        return pd.Series(read.value), Covariate(name, "continuous", label, covariate.unit, (), None)
    bad = ~read.empty & ~np.isin(read.value, (0, 1))
    how = f"recode it, or declare the two words as levels of {name} in {DESCRIPTION_FILE}, the one for 0 first"
    faults.cells(column, bad, rule="must be 0 or 1, or empty if it is not known", mend=how)
    reference = covariate.reference or "0"
    values = read.value if reference == "0" else 1 - read.value
    levels = BINARY_LEVELS if reference == "0" else BINARY_LEVELS[::-1]
    return pd.Series(values), Covariate(name, "binary", label, "", levels, reference)


def _read_levels(
    faults: Faults, name: str, covariate: CovariateDescription, *, column: str, description: CohortDescription
) -> tuple[pd.Series, Covariate]:
    text = words(faults.raw.cells[column], missing=description.missing)
    levels = covariate.levels or tuple(sorted(map(str, text.dropna().unique())))
    unknown = ~text.isna().to_numpy(dtype=bool) & ~text.isin(levels).to_numpy(dtype=bool)
    rule = f"must be one of the levels {', '.join(map(repr, levels))}, or empty if it is not known"
    otherwise = f"declare the level in {DESCRIPTION_FILE} or correct the cell"

    def mend(cell: str) -> str:
        hint = did_you_mean(cell.strip("'\""), levels)
        return f"{hint}, or {otherwise}" if hint else otherwise

    faults.cells(column, unknown, rule=rule, mend=mend)
    label, reference = covariate.label or name, covariate.reference
    if reference is not None and reference not in levels:
        rule = f"the reference level {reference!r} of {name} must be among its levels"
        faults.column(column, found=", ".join(map(repr, levels)), rule=rule, mend=f"correct {DESCRIPTION_FILE}")
    if covariate.kind == "binary":
        reference = reference or levels[0]
        values = text.ne(reference).astype(float).mask(text.isna())
        ordered_levels = (reference, *(level for level in levels if level != reference))
        return values.reset_index(drop=True), Covariate(name, "binary", label, "", ordered_levels, reference)
    if covariate.kind == "ordered":
        reference = reference or levels[0]
    factor = pd.Categorical(text.where(~unknown), categories=list(levels), ordered=covariate.kind == "ordered")
    return pd.Series(factor), Covariate(name, covariate.kind, label, "", levels, reference)


def _recognised(faults: Faults, column: str, *, description: CohortDescription) -> tuple[pd.Series, Covariate]:
    """A column without a declaration: 0/1 and numbers are what they are, words are levels without a reference."""
    cells = faults.raw.cells[column]
    if not (isinstance(cells.dtype, pd.CategoricalDtype) or pd.api.types.is_datetime64_any_dtype(cells)):
        read = numbers(cells, decimal=description.decimal, missing=description.missing)
        known = ~np.isnan(read.value)
        infinite = pd.api.types.is_numeric_dtype(cells)
        if infinite or not read.strange.any() or known.sum() >= read.strange.sum() or _commas(cells, description):
            told = f"{{}}; or declare {column} in {DESCRIPTION_FILE}, or list it there under columns.ignore"
            faults.cells(
                column,
                read.strange,
                rule="other cells of the column are numbers, and what is not known is empty",
                mend=lambda cell: told.format(mend_number(cell, description=description, otherwise=_UNKNOWN)),
            )
            binary = bool(np.isin(read.value[known], (0, 1)).all()) and bool(known.any())
            kind: CovariateKind = "binary" if binary else "continuous"
            levels, reference = (BINARY_LEVELS, "0") if binary else ((), None)
            return pd.Series(read.value), Covariate(column, kind, column, "", levels, reference)
    text = words(cells, missing=description.missing)
    factor = pd.Categorical(text)
    return pd.Series(factor), Covariate(column, "categorical", column, "", tuple(map(str, factor.categories)), None)


def _commas(cells: pd.Series, description: CohortDescription) -> bool:
    """Whether a column of text holds nothing but numbers with decimal commas, which are not declared."""
    text = words(cells, missing=description.missing).dropna()
    return description.decimal == "." and bool(text.str.fullmatch(r"[+-]?\d+,\d+").all())
