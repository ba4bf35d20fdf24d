"""The tables of a literature folder: their columns, read and checked."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd
import pandera.pandas as pa

from ixa_bayes.errors import InputError, Problem
from ixa_bayes.formulas.printed import parse_p
from ixa_bayes.study.cells import at, read_cells, schema_problems

PRIOR: Final = "prior"
CONTEXT: Final = "context"
_FACTORS_FILE: Final = "factors.csv"


def _words(*allowed: str) -> pa.Column:
    named = ", ".join(word or "empty" for word in allowed)
    return pa.Column(str, pa.Check.isin(allowed, error=f"must be one of {named}"), required="" not in allowed)


def _filled() -> pa.Column:
    return pa.Column(str, pa.Check.str_length(min_value=1, error="must be filled"))


def _text() -> pa.Column:
    return pa.Column(str, required=False)


def _overlaps() -> pa.Column:
    """May be empty in every row but never left out: that would claim independence unseen."""
    return pa.Column(str)


def _number(*, above: float = -math.inf, at_least: float = -math.inf, at_most: float = math.inf) -> pa.Column:
    rule = f"must be a number above {above:g}" if above > -math.inf else f"must be a number from {at_least:g}"
    check = pa.Check(
        lambda cell: (cell > above) & (cell >= at_least) & (cell <= at_most) & (cell < math.inf),
        error=rule + (f" to {at_most:g}" if at_most < math.inf else ""),
    )
    return pa.Column(float, check, nullable=True, required=False)


def _whole(*, at_least: int) -> pa.Column:
    check = pa.Check(lambda cell: (cell >= at_least) & (cell % 1 == 0), error=f"must be a whole number from {at_least}")
    return pa.Column(float, check, nullable=True, required=False)


def _known(column: pa.Column) -> pa.Column:
    return pa.Column(float, column.checks, nullable=False)


_DESIGN: Final = ("rct", "phase1_2", "retrospective", "prospective_observational")
_SOURCE: Final = {"study_id": _filled(), "citation": _filled(), "population": _filled()}
_FOUND: Final = {
    "use": _words(PRIOR, CONTEXT),
    "doi": _text(),
    "year": _whole(at_least=1900),
    "source_url": _filled(),
    "notes": _text(),
}

TABLES: Final[dict[str, pa.DataFrameSchema]] = {
    "response.csv": pa.DataFrameSchema(
        _SOURCE
        | _FOUND
        | {
            "design": _words(*_DESIGN),
            "regimen": _filled(),
            "treatment_line": _text(),
            "endpoint": _filled(),
            "n_evaluable": _whole(at_least=1),
            "count": _whole(at_least=0),
            "percent": _number(at_least=0, at_most=100),
            "count_source": _words("", "printed", "derived_from_percent"),
            "overlaps_with": _overlaps(),
            "seen_excerpt": _text(),
        }
    ),
    "survival.csv": pa.DataFrameSchema(
        _SOURCE
        | _FOUND
        | {
            "design": _words(*_DESIGN),
            "regimen": _filled(),
            "endpoint": _filled(),
            "n": _whole(at_least=1),
            "events": _whole(at_least=0),
            "median_months": _number(above=0),
            "lower95": _number(above=0),
            "upper95": _number(above=0),
            "not_reached": _known(_number(at_least=0, at_most=1)),
            "median_follow_up_months": _number(above=0),
        }
    ),
    "prognostic_hr.csv": pa.DataFrameSchema(
        _SOURCE
        | _FOUND
        | {
            "treatment": _filled(),
            "n": _whole(at_least=1),
            "endpoint": _filled(),
            "factor": _filled(),
            "definition": _filled(),
            "comparator": _filled(),
            "adjusted": _words("univariable", "multivariable"),
            "hr": _known(_number(above=0)),
            "lower95": _number(above=0),
            "upper95": _number(above=0),
            "p": _text(),
            "overlaps_with": _overlaps(),
        }
    ),
    "cited.csv": pa.DataFrameSchema(
        _SOURCE
        | {
            "regimen": _filled(),
            "comparator": _text(),
            "endpoint": _filled(),
            "kind": _words("median", "median_difference", "percent", "hazard_ratio"),
            "operator": _words("=", "<", "<="),
            "value": _known(_number(at_least=0)),
            "unit": _text(),
            "p": _text(),
            "location": _filled(),
            "also_in": _words("", "response.csv", "survival.csv", "prognostic_hr.csv"),
            "notes": _text(),
        }
    ),
    _FACTORS_FILE: pa.DataFrameSchema(
        {"factor": pa.Column(str, _filled().checks, unique=True), "literature_factor": _filled(), "difference": _text()}
    ),
}
"""Columns of each file by its name; those not ``required`` may be left out of a file."""


@dataclass(frozen=True)
class _Order:
    """``smaller`` must not exceed ``larger`` where both are known."""

    smaller: str
    larger: str


def read_response(folder: Path | None) -> pd.DataFrame:
    """Response rates of other studies: ``response.csv``, one row per study arm and endpoint.

    Parameters
    ----------
    folder : Path or None
        A study's literature folder (``Study.literature_folder``). None: no literature, no row.

    Returns
    -------
    pd.DataFrame, shape (arm and endpoint, column)
        Counts and percentages as float (``nan`` where not seen), all else as str. The index is the
        line of the file.

    Raises
    ------
    InputError
        With every fault of the file: line, column, value, rule and how to mend it.
    """
    return _read(folder, "response.csv", orders=[_Order("count", "n_evaluable")])


def read_survival(folder: Path | None) -> pd.DataFrame:
    """Medians of times to an event in other studies, in months: ``survival.csv``.

    Parameters, returns and errors as :func:`read_response`.
    """
    orders = [_Order("lower95", "median_months"), _Order("median_months", "upper95"), _Order("events", "n")]
    table = _read(folder, "survival.csv", orders=orders)
    unclear = table[table["median_months"].isna() != table["not_reached"].eq(1)]
    if folder is not None and not unclear.empty:
        raise InputError(
            Problem(
                at(folder / "survival.csv", line, "median_months"),
                f"median {row['median_months']:g} with not_reached {row['not_reached']:g}",
                "a row has a median, or not_reached is 1",
                "fill one of them",
            )
            for line, row in unclear.iterrows()
        )
    return table


def read_prognostic_hr(folder: Path | None) -> pd.DataFrame:
    """Hazard ratios of prognostic factors in other studies, above 1 worse with the factor: ``prognostic_hr.csv``.

    Parameters, returns and errors as :func:`read_response`.
    """
    return _read(folder, "prognostic_hr.csv", orders=[_Order("lower95", "hr"), _Order("hr", "upper95")])


def read_cited(folder: Path | None) -> pd.DataFrame:
    """Numbers of other studies as the paper under study quotes them: ``cited.csv``.

    Parameters, returns and errors as :func:`read_response`.
    """
    return _read(folder, "cited.csv", orders=[])


def read_factors(folder: Path | None) -> pd.DataFrame:
    """Which factor of the literature is nearest to a factor of the study: ``factors.csv``.

    Parameters, returns and errors as :func:`read_response`, except that the file may be absent:
    factors then have the same names in both.
    """
    present = folder is not None and (folder / _FACTORS_FILE).exists()
    return _read(folder if present else None, _FACTORS_FILE, orders=[])


def check_literature(folder: Path | None) -> dict[str, int]:
    """Read every table of a literature folder.

    Parameters
    ----------
    folder : Path or None
        None has no tables.

    Returns
    -------
    dict of str to int
        Rows by file name.

    Raises
    ------
    InputError
        With every fault of every table.
    """
    if folder is None:
        return {}
    readers = {
        "response.csv": read_response,
        "survival.csv": read_survival,
        "prognostic_hr.csv": read_prognostic_hr,
        "cited.csv": read_cited,
        "factors.csv": read_factors,
    }
    rows: dict[str, int] = {}
    problems: list[Problem] = []
    for name, read in readers.items():
        try:
            rows[name] = len(read(folder))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return rows


def _read(folder: Path | None, name: str, *, orders: Iterable[_Order]) -> pd.DataFrame:
    schema = TABLES[name]
    if folder is None:
        dtypes = {column: "float" if _is_numeric(rule) else "str" for column, rule in schema.columns.items()}
        return pd.DataFrame(columns=list(dtypes), index=pd.Index([], name="line", dtype=int)).astype(dtypes)
    path = folder / name
    cells = read_cells(
        path,
        columns=schema.columns,
        required=[column for column, rule in schema.columns.items() if rule.required],
        if_absent="check the path, or write the header alone if there is nothing to tell",
    )
    table, problems = _with_numbers(cells, schema, path=path)
    told = {problem.where for problem in problems}  # a cell that is no number at all is told once
    problems += [problem for problem in schema_problems(table, schema, path=path) if problem.where not in told]
    told = {problem.where for problem in problems}
    for order in orders:
        problems += _order_problems(table, order, path=path, told=told)
    if "p" in cells:
        problems += _p_problems(cells["p"], path=path)
    if problems:
        raise InputError(problems)
    return table


def _is_numeric(rule: pa.Column) -> bool:
    return str(rule.dtype).startswith("float")


def _with_numbers(cells: pd.DataFrame, schema: pa.DataFrameSchema, *, path: Path) -> tuple[pd.DataFrame, list[Problem]]:
    table, problems = cells.copy(), []
    for column in [column for column, rule in schema.columns.items() if _is_numeric(rule)]:
        table[column] = pd.to_numeric(cells[column].where(cells[column].ne("")), errors="coerce").astype(float)
        for line, cell in cells[column][table[column].isna() & cells[column].ne("")].items():
            rule = "must be a number with a decimal point, or empty"
            problems.append(Problem(at(path, line, column), repr(cell), rule, "correct the cell"))
    return table, problems


def _order_problems(table: pd.DataFrame, order: _Order, *, path: Path, told: set[str]) -> Iterator[Problem]:
    for line, row in table[table[order.smaller] > table[order.larger]].iterrows():
        if told.isdisjoint(at(path, line, column) for column in (order.smaller, order.larger)):
            found, rule = f"{row[order.smaller]:g}", f"must not exceed {order.larger} {row[order.larger]:g}"
            yield Problem(at(path, line, order.smaller), found, rule, "correct one of them")


def _p_problems(cells: "pd.Series[str]", *, path: Path) -> Iterator[Problem]:
    for line, cell in cells[cells.ne("")].items():
        try:
            parse_p(cell)
        except ValueError:
            rule = "a p value lies within 0 and 1 and is printed like 0.008, <0.001 or NS"
            yield Problem(at(path, line, "p"), repr(cell), rule, "correct the cell")
