"""``data/external``: what other studies print, read and checked, and which rows may enter a prior.

A prior from the literature counts each patient once. Published cohorts overlap (a trial and its
subgroups, a registry at two data cuts, a pool and its parts), so rows are selected here, in one
place and by a stated rule, before anyone pools them.
"""

import csv
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Final

import pandas as pd
import pandera.pandas as pa

from ixa_bayes.errors import InputError, Problem
from ixa_bayes.formulas.printed import parse_p
from ixa_bayes.study.locate import builtin_root

OTHER_POPULATIONS: Final = ("NDMM:", "MM,")
RESPONSE_COUNTS: Final = {"orr": "responders", "vgpr_or_better": "vgpr_or_better_n"}
_Z95: Final = NormalDist().inv_cdf(0.975)


def _words(*allowed: str) -> pa.Column:
    return pa.Column(str, pa.Check.isin(allowed, error=f"must be one of {', '.join(allowed)}"))


def _filled() -> pa.Column:
    return pa.Column(str, pa.Check.str_length(min_value=1, error="must be filled"))


def _text() -> pa.Column:
    return pa.Column(str)


def _number(*, above: float = -math.inf, at_least: float = -math.inf, at_most: float = math.inf) -> pa.Column:
    rule = f"must be a number above {above:g}" if above > -math.inf else f"must be a number from {at_least:g}"
    check = pa.Check(
        lambda cell: (cell > above) & (cell >= at_least) & (cell <= at_most) & (cell < math.inf),
        error=rule + (f" to {at_most:g}" if at_most < math.inf else ""),
    )
    return pa.Column(float, check, nullable=True)


def _whole(*, at_least: int) -> pa.Column:
    check = pa.Check(lambda cell: (cell >= at_least) & (cell % 1 == 0), error=f"must be a whole number from {at_least}")
    return pa.Column(float, check, nullable=True)


def _known(column: pa.Column) -> pa.Column:
    return pa.Column(float, column.checks, nullable=False)


_DESIGN: Final = ("rct", "phase1_2", "retrospective", "prospective_observational")
_SOURCE: Final = {"study_id": _filled(), "citation": _filled(), "population": _filled()}
_FOUND: Final = {"doi": _text(), "year": _whole(at_least=1900), "source_url": _filled(), "notes": _text()}

RESPONSE: Final = pa.DataFrameSchema(
    _SOURCE
    | _FOUND
    | {
        "design": _words(*_DESIGN),
        "regimen": _filled(),
        "line": _text(),
        "n_evaluable": _whole(at_least=1),
        "responders": _whole(at_least=0),
        "orr_percent": _number(at_least=0, at_most=100),
        "responders_source": _words("printed", "derived_from_percent"),
        "vgpr_or_better_n": _whole(at_least=0),
        "overlaps_with": _text(),
        "seen_excerpt": _text(),
    }
)
SURVIVAL: Final = pa.DataFrameSchema(
    _SOURCE
    | _FOUND
    | {
        "design": _words(*_DESIGN),
        "regimen": _filled(),
        "endpoint": _words("pfs", "os", "ttnt"),
        "n": _whole(at_least=1),
        "events": _whole(at_least=0),
        "median_months": _number(above=0),
        "lower95": _number(above=0),
        "upper95": _number(above=0),
        "not_reached": _known(_number(at_least=0, at_most=1)),
        "median_follow_up_months": _number(above=0),
    }
)
PROGNOSTIC_HR: Final = pa.DataFrameSchema(
    _SOURCE
    | _FOUND
    | {
        "treatment": _filled(),
        "n": _whole(at_least=1),
        "endpoint": _words("pfs", "os", "ttp"),
        "factor": _filled(),
        "definition": _filled(),
        "comparator": _filled(),
        "adjusted": _words("univariable", "multivariable"),
        "hr": _known(_number(above=0)),
        "lower95": _number(above=0),
        "upper95": _number(above=0),
        "p": _text(),
        "overlaps_with": _text(),
    }
)
CITED: Final = pa.DataFrameSchema(
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
)
FACTORS: Final = pa.DataFrameSchema({"factor": _filled(), "literature_factor": _filled(), "difference": _filled()})


@dataclass(frozen=True)
class _Order:
    """``smaller`` must not exceed ``larger`` where both are known."""

    smaller: str
    larger: str


def read_response(path: Path | str | None = None) -> pd.DataFrame:
    """Response rates of other studies.

    Parameters
    ----------
    path : path or str, optional
        A file with the columns of ``data/external/README.md``; default is the built-in one.

    Returns
    -------
    pd.DataFrame, shape (arm or subgroup, column)
        Counts and percentages as float (``nan`` where not seen), all else as str. The index is the
        line of the file.

    Raises
    ------
    InputError
        With every fault of the file: line, column, value, rule and how to mend it.
    """
    orders = [_Order("responders", "n_evaluable"), _Order("vgpr_or_better_n", "responders")]
    return _read(path, "response.csv", RESPONSE, orders=orders)


def read_survival(path: Path | str | None = None) -> pd.DataFrame:
    """Medians of PFS, OS and time to next treatment of other studies, in months.

    Parameters, returns and errors as :func:`read_response`.
    """
    orders = [_Order("lower95", "median_months"), _Order("median_months", "upper95"), _Order("events", "n")]
    table = _read(path, "survival.csv", SURVIVAL, orders=orders)
    unclear = table[table["median_months"].isna() != table["not_reached"].eq(1)]
    if not unclear.empty:
        raise InputError(
            Problem(
                _at(_path(path, "survival.csv"), line, "median_months"),
                f"median {row['median_months']:g} with not_reached {row['not_reached']:g}",
                "a row has a median, or not_reached is 1",
                "fill one of them",
            )
            for line, row in unclear.iterrows()
        )
    return table


def read_prognostic_hr(path: Path | str | None = None) -> pd.DataFrame:
    """Hazard ratios of prognostic factors in other studies; above 1 is worse with the factor.

    Parameters, returns and errors as :func:`read_response`.
    """
    return _read(path, "prognostic_hr.csv", PROGNOSTIC_HR, orders=[_Order("lower95", "hr"), _Order("hr", "upper95")])


def read_cited(path: Path | str | None = None) -> pd.DataFrame:
    """Numbers of other trials as the index paper quotes them.

    Parameters, returns and errors as :func:`read_response`.
    """
    return _read(path, "cited_by_zhou2026.csv", CITED, orders=[])


def response_prior_rows(regimen: str, endpoint: str = "orr", *, path: Path | str | None = None) -> pd.DataFrame:
    """Independent response counts of a regimen in relapsed or refractory myeloma.

    Rows need a count and its denominator. Of each study the row with the most patients stays (a
    whole, not its parts); of each set of studies linked by ``overlaps_with``, directly or through
    others, the study with the most patients. Ties keep the earlier line.

    Parameters
    ----------
    regimen : str
        As in ``response.csv``: ``Ixa-Rd``, ``Ixa-Pd``, ...
    endpoint : str
        ``orr`` or ``vgpr_or_better``; for any other endpoint the literature holds nothing.
    path : path or str, optional
        As :func:`read_response`.

    Returns
    -------
    pd.DataFrame
        The columns of ``response.csv`` and ``count``, the patients with the endpoint out of
        ``n_evaluable``; possibly no row. Whether the rows suffice for a prior is the caller's rule.
    """
    table = read_response(path)
    if endpoint not in RESPONSE_COUNTS:
        return table.iloc[:0].assign(count=pd.Series(dtype=float))
    usable = table.assign(count=table[RESPONSE_COUNTS[endpoint]])
    usable = usable[_is_rrmm(usable) & usable["regimen"].eq(regimen)].dropna(subset=["count", "n_evaluable"])
    ordered = usable.sort_values("n_evaluable", ascending=False, kind="stable")
    return _independent(ordered, links=table)


def hazard_ratio_rows(factor: str, endpoint: str, *, path: Path | str | None = None) -> pd.DataFrame:
    """Independent hazard ratios of a factor in relapsed or refractory myeloma.

    Rows need a 95% interval, which gives the standard error. Of each study, and of each set of
    studies linked by ``overlaps_with``, one row stays: a multivariable one before a univariable
    one, then the smallest standard error, then the earlier line.

    Parameters
    ----------
    factor : str
        The literature's name, or that of a study which ``factors.csv`` maps to it. Its
        ``definition`` may differ from the study's: show it.
    endpoint : str
        ``pfs``, ``os`` or ``ttp``.
    path : path or str, optional
        As :func:`read_prognostic_hr`.

    Returns
    -------
    pd.DataFrame
        The columns of ``prognostic_hr.csv``, ``log_hazard_ratio`` and ``standard_error``; possibly no row.

    References
    ----------
    Parmar, Torri, Stewart (1998), Stat Med 17:2815, for the standard error from an interval.
    """
    names = dict(zip(*(_factors()[column] for column in ("factor", "literature_factor")), strict=True))
    table = read_prognostic_hr(path)
    usable = table[_is_rrmm(table) & table["endpoint"].eq(endpoint) & table["factor"].eq(names.get(factor, factor))]
    usable = usable.dropna(subset=["lower95", "upper95"])
    log_ratio = usable["hr"].map(math.log)
    standard_error = (usable["upper95"].map(math.log) - usable["lower95"].map(math.log)) / (2 * _Z95)
    usable = usable.assign(log_hazard_ratio=log_ratio, standard_error=standard_error)
    return _independent(usable.sort_values(["adjusted", "standard_error"], kind="stable"), links=table)


def _factors() -> pd.DataFrame:
    return _read(None, "factors.csv", FACTORS, orders=[])


def _is_rrmm(table: pd.DataFrame) -> "pd.Series[bool]":
    return ~table["population"].str.startswith(OTHER_POPULATIONS)


def _independent(ordered: pd.DataFrame, *, links: pd.DataFrame) -> pd.DataFrame:
    """The first row of each set of overlapping studies, back in the order of the file.

    Links of all rows of the file count, also through studies that have no usable row: two cohorts
    that each share patients with a third cannot be called independent.
    """
    linked: dict[str, set[str]] = {}
    for study, others in zip(links["study_id"], links["overlaps_with"], strict=True):
        for other in filter(None, (part.strip() for part in others.split(";"))):
            linked.setdefault(study, set()).add(other)
            linked.setdefault(other, set()).add(study)
    taken: set[str] = set()
    kept = []
    for line, study in ordered["study_id"].items():
        if study not in taken:
            kept.append(line)
            taken |= _reachable(study, linked)
    return ordered.loc[kept].sort_index()


def _reachable(study: str, linked: dict[str, set[str]]) -> set[str]:
    found, ahead = {study}, [study]
    while ahead:
        new = linked.get(ahead.pop(), set()) - found
        found |= new
        ahead += new
    return found


def _path(path: Path | str | None, name: str) -> Path:
    return Path(path) if path is not None else builtin_root() / "data" / "external" / name


def _at(path: Path, line: object, column: str) -> str:
    return f"{path}, line {line}, column {column!r}"


def _read(path: Path | str | None, name: str, schema: pa.DataFrameSchema, *, orders: Iterable[_Order]) -> pd.DataFrame:
    source = _path(path, name)
    cells = _cells(source, columns=list(schema.columns))
    numeric = [column for column, rule in schema.columns.items() if str(rule.dtype).startswith("float")]
    table, problems = cells.copy(), []
    for column in numeric:
        table[column] = pd.to_numeric(cells[column].where(cells[column].ne("")), errors="coerce").astype(float)
        for line, cell in cells[column][table[column].isna() & cells[column].ne("")].items():
            rule = "must be a number with a decimal point, or empty"
            problems.append(Problem(_at(source, line, column), repr(cell), rule, "correct the cell"))
    problems += _schema_problems(table, schema, path=source, told={problem.where for problem in problems})
    told = {problem.where for problem in problems}
    for order in orders:
        for line, row in table[table[order.smaller] > table[order.larger]].iterrows():
            if told.isdisjoint(_at(source, line, column) for column in (order.smaller, order.larger)):
                found, rule = f"{row[order.smaller]:g}", f"must not exceed {order.larger} {row[order.larger]:g}"
                problems.append(Problem(_at(source, line, order.smaller), found, rule, "correct one of them"))
    if "p" in cells:
        problems += _p_problems(cells["p"], path=source)
    if problems:
        raise InputError(problems)
    return table


def _schema_problems(
    table: pd.DataFrame, schema: pa.DataFrameSchema, *, path: Path, told: set[str]
) -> Iterable[Problem]:
    """What pandera finds; a cell that is no number at all has been told already."""
    try:
        schema.validate(table, lazy=True)
    except pa.errors.SchemaErrors as error:
        for case in error.failure_cases.itertuples():
            where = _at(path, case.index, str(case.column))
            if where not in told:
                rule = "must be filled" if case.check == "not_nullable" else str(case.check)
                yield Problem(where, repr(case.failure_case), rule, "correct the cell")


def _p_problems(cells: "pd.Series[str]", *, path: Path) -> Iterable[Problem]:
    for line, cell in cells[cells.ne("")].items():
        try:
            parse_p(cell)
        except ValueError:
            rule = "a p value lies within 0 and 1 and is printed like 0.008, <0.001 or NS"
            yield Problem(_at(path, line, "p"), repr(cell), rule, "correct the cell")


def _cells(path: Path, *, columns: list[str]) -> pd.DataFrame:
    """All cells as stripped strings, indexed by the line each row begins on."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise InputError([Problem(str(path), "no such file", "it must exist", "check the path")]) from error
    except UnicodeDecodeError as error:
        found = repr(error.object[error.start : error.start + 1])
        problem = Problem(f"{path}, byte {error.start}", found, "the file must be UTF-8", "save it again as CSV UTF-8")
        raise InputError([problem]) from error
    reader = csv.reader(io.StringIO(text, newline=""))
    header = [name.strip() for name in next(reader, [])]
    problems, rows, lines, start = [], [], [], reader.line_num + 1
    if sorted(header) != sorted(columns):
        rule = f"the columns are {', '.join(columns)}, each once"
        problems.append(Problem(f"{path}, line 1", ", ".join(header) or "no header", rule, "correct the header"))
    for row in reader:
        if len(row) == len(header) and any(cell.strip() for cell in row):
            rows.append([cell.strip() for cell in row])
            lines.append(start)
        elif row and len(row) != len(header):
            found, rule = f"{len(row)} cells", f"the header has {len(header)}"
            problems.append(Problem(f"{path}, line {start}", found, rule, "quote cells that hold a comma"))
        start = reader.line_num + 1
    if problems:
        raise InputError(problems)
    return pd.DataFrame(rows, columns=header, index=pd.Index(lines, name="line"), dtype=str)[columns]
