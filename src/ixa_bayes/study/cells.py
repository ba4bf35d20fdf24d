"""The one way in for every CSV table of a study: cells as text, and faults told by the line they stand on."""

import csv
import io
import re
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Final

import pandas as pd
import pandera.pandas as pa

from ixa_bayes.errors import InputError, Problem
from ixa_bayes.study.hints import did_you_mean, how_to_write, shown
from ixa_bayes.study.text_files import read_text

_SEPARATORS: Final = {",": "comma", ";": "semicolon", "\t": "tab"}


def at(path: Path, line: object, column: str) -> str:
    """The place of a cell, as messages name it."""
    return f"{path}, line {line}, column {column!r}"


def line_of(problem: Problem) -> int:
    """The line that :func:`at` wrote into a problem's place, to sort by; 0 where it names none."""
    match = re.search(r", line (\d+), column '\w+'$", problem.where)
    return int(match[1]) if match else 0


def read_cells(
    path: Path, *, columns: Collection[str], required: Collection[str], if_absent: str = "check the path"
) -> pd.DataFrame:
    """Read a CSV file without interpreting its cells.

    Parameters
    ----------
    path : Path
        UTF-8, with or without a byte order mark; any line ends. Blank rows are skipped. Commas separate cells,
        or semicolons or tabs where the header shows it (spreadsheets of countries with a decimal comma).
    columns : collection of str
        The columns that may stand in the file, in the order in which they are returned.
    required : collection of str
        Those that must; the others are filled with empty cells.
    if_absent : str
        What to do where there is no such file, for the message.

    Returns
    -------
    pd.DataFrame, shape (row, column)
        Stripped strings, indexed by ``line``: the line a row begins on, also where cells hold line breaks.

    Raises
    ------
    InputError
        If the file is missing, not UTF-8 or not CSV, or with every fault of header and row lengths.
    """
    text = _text(path, if_absent=if_absent)
    separator = _separator(text, columns)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    problems: list[Problem] = []
    header: list[str] = []
    try:
        header = [name.strip() for name in next(reader, [])]
        problems += _header_problems(header, path=path, columns=columns, required=required)
        if problems and len(header) <= 1:  # every row would be at fault for the same reason
            raise InputError(problems)
        start = reader.line_num + 1
        for row in reader:
            if row and len(row) != len(header):
                problems.append(_ragged(path, start, found=len(row), expected=len(header), separator=separator))
            elif any(cell.strip() for cell in row):
                rows.append([cell.strip() for cell in row])
                lines.append(start)
            start = reader.line_num + 1
    except csv.Error as error:
        where = f"{path}, line {reader.line_num}"
        problems.append(Problem(where, str(error), "the file must be CSV", "close the quoted cell"))
    if problems:
        raise InputError(problems)
    table = pd.DataFrame(rows, columns=header, index=pd.Index(lines, name="line", dtype=int), dtype=str)
    return table.reindex(columns=list(columns), fill_value="")


def schema_problems(
    table: pd.DataFrame, schema: pa.DataFrameSchema, *, path: Path, likely: Callable[[str], str] = how_to_write
) -> Iterator[Problem]:
    """Every cell that breaks a rule of its column.

    Parameters
    ----------
    table : pd.DataFrame
        Indexed by line, as :func:`read_cells` returns it.
    schema : pa.DataFrameSchema
        The error text of each check is the rule that is told.
    path : Path
        For the messages.
    likely : callable
        How a cell's text is to be written, for the message; empty if nothing is likely.
    """
    told = {"field_uniqueness": "must be unique", "not_nullable": "must be filled"}
    try:
        schema.validate(table, lazy=True)
    except pa.errors.SchemaErrors as error:
        for case in error.failure_cases.itertuples():
            column, text = str(case.column), str(case.failure_case)
            rule = told.get(str(case.check), str(case.check))
            hint = likely(text) or did_you_mean(text, _allowed(schema, column))
            yield Problem(at(path, case.index, column), shown(text), rule, hint or "correct the cell")


def _allowed(schema: pa.DataFrameSchema, column: str) -> list[str]:
    """The words that a column of a schema may hold, if it lists them."""
    checks = schema.columns[column].checks
    return [word for check in checks for word in check.statistics.get("allowed_values", ())]


def _text(path: Path, *, if_absent: str) -> str:
    mend = "save it again as UTF-8 (in a spreadsheet: CSV UTF-8)"
    text = read_text(path, if_absent=if_absent, how_to_save=mend)
    if "\0" in text:
        raise InputError([Problem(str(path), "a NUL byte", "the file must be text", "save it again as CSV UTF-8")])
    return text


def _header_problems(
    header: list[str], *, path: Path, columns: Collection[str], required: Collection[str]
) -> Iterator[Problem]:
    where = f"{path}, line 1"
    if not header:
        yield Problem(
            str(path),
            "nothing",
            "the file is empty or begins with an empty line",
            f"begin it with the columns {','.join(required)}",
        )
        return
    for name in header:
        if name not in columns:
            hint = did_you_mean(name, set(columns) - set(header))
            mend = f"{hint}, or remove it" if hint else "rename or remove it"
            yield Problem(where, f"column {name!r}", f"the columns are {', '.join(columns)}", mend)
    for name in sorted({name for name in header if header.count(name) > 1}):
        yield Problem(where, f"column {name!r} twice", "each column stands once", "remove one")
    for name in required:
        if name not in header:
            yield Problem(where, f"no column {name!r}", "it must exist", "add it")


def _separator(text: str, columns: Collection[str]) -> str:
    """What parts the header into most of the columns; a comma where nothing does better."""
    header = text.partition("\n")[0]

    def known(mark: str) -> int:
        return len({name.strip(' \r"') for name in header.split(mark)} & set(columns))

    return max(_SEPARATORS, key=known)


def _ragged(path: Path, line: int, *, found: int, expected: int, separator: str) -> Problem:
    name = _SEPARATORS[separator]
    mend = f"quote cells that hold a {name}, or add the missing {name}s"
    return Problem(f"{path}, line {line}", f"{found} cells", f"the header has {expected}", mend)
