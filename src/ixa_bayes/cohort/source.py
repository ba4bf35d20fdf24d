"""From a file (or a table in memory) to cells: what stands where, not yet what it means.

Cells of text files stay text, so that ``007`` and ``1.0`` reach the checks as they were written.
"""

import csv
import io
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zipfile import BadZipFile

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from ixa_bayes.cohort.description import DESCRIPTION_FILE, CohortDescription
from ixa_bayes.errors import InputError, Problem
from ixa_bayes.study.text_files import read_text

if TYPE_CHECKING:
    import polars as pl

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]
Lines = Callable[[IntArray], IntArray]

TEXT_SUFFIXES: Final = (".csv", ".txt", ".tsv")
PARQUET_SUFFIXES: Final = (".parquet", ".pq")
EXCEL_SUFFIXES: Final = (".xlsx", ".xlsm")
SUFFIXES: Final = (*TEXT_SUFFIXES, *PARQUET_SUFFIXES, *EXCEL_SUFFIXES)
IN_MEMORY: Final = "table"
_SEPARATORS: Final = {";": '";"', "\t": '"\\t"'}


@dataclass(frozen=True, eq=False)
class RawTable:
    """Cells as they stand in the source.

    Attributes
    ----------
    where : str
        What messages call the source.
    cells : pd.DataFrame, shape (row, column)
        Stripped text from text files, otherwise whatever type the source has. Rows without any cell are left out.
    lines : callable
        Line numbers of some rows, for messages; a file is read a second time only where something is wrong.
    counted : str
        ``line`` or ``row``, what the numbers count.
    """

    where: str
    cells: pd.DataFrame
    lines: Lines
    counted: str

    def place(self, column: str, line: int | None = None) -> str:
        """The place of a column or a cell, as messages name it."""
        row = "" if line is None else f", {self.counted} {line}"
        return f"{self.where}{row}, column {column!r}"


def read_source(path: Path, description: CohortDescription) -> RawTable:
    """Read a file of one of the known formats.

    Parameters
    ----------
    path : Path
        ``.csv``, ``.txt`` or ``.tsv``; ``.parquet``; ``.xlsx``.
    description : CohortDescription
        Says how its cells are written.

    Raises
    ------
    InputError
        If the file is missing, of another format, or cannot be read as what it is; with every row of a wrong length.
    """
    suffix = path.suffix.lower()
    if not path.is_file():
        raise InputError([Problem(str(path), "no such file", "it must exist", "check the path")])
    if suffix in PARQUET_SUFFIXES:
        return _read_parquet(path)
    if suffix in EXCEL_SUFFIXES:
        return _read_excel(path, sheet=description.sheet)
    if suffix in TEXT_SUFFIXES:
        return _read_text_table(path, description)
    rule = f"a cohort is a table in one of the formats {', '.join(SUFFIXES)}"
    raise InputError([Problem(str(path), f"a {suffix or 'nameless'} file", rule, "save the table as CSV UTF-8")])


def from_memory(table: "pd.DataFrame | pl.DataFrame") -> RawTable:
    """Take a pandas or polars table; its rows are counted from 1 in messages."""
    frame = table if isinstance(table, pd.DataFrame) else table.to_pandas()
    frame = frame.set_axis([str(name).strip() for name in frame.columns], axis=1)
    if problems := list(_header_problems(list(frame.columns), where=IN_MEMORY)):
        raise InputError(problems)
    return RawTable(IN_MEMORY, frame.reset_index(drop=True), partial(_shifted, by=1), "row")


def _shifted(rows: IntArray, *, by: int) -> IntArray:
    return rows + by


def _read_parquet(path: Path) -> RawTable:
    try:
        frame = parquet.read_table(path).to_pandas(ignore_metadata=True)  # an index of the writer's is a column
    except (pa.ArrowInvalid, OSError) as error:
        found = str(error).splitlines()[0]
        raise InputError([Problem(str(path), found, "the file must be Parquet", "write it again")]) from error
    frame = frame.loc[:, ~frame.columns.str.startswith("__index_level_")]  # pandas' name of an index without one
    frame = frame.set_axis([str(name).strip() for name in frame.columns], axis=1)
    if problems := list(_header_problems(list(frame.columns), where=str(path))):
        raise InputError(problems)
    return RawTable(str(path), frame.reset_index(drop=True), partial(_shifted, by=1), "row")


def _read_excel(path: Path, *, sheet: str | None) -> RawTable:
    if find_spec("openpyxl") is None:
        mend = "install it (pip install 'ixa-bayes[excel]'), or save the sheet as CSV UTF-8"
        raise InputError([Problem(str(path), "no library for .xlsx files", "openpyxl reads them", mend)])
    from openpyxl import load_workbook

    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except (BadZipFile, KeyError, ValueError) as error:
        raise InputError([Problem(str(path), str(error), "the file must be .xlsx", "save it again")]) from error
    with closing(book):
        chosen = _sheet(book.sheetnames, sheet=sheet, path=path)
        grid = pd.DataFrame(list(book[chosen].iter_rows(values_only=True)), dtype=object)
    where = f"{path}, sheet {chosen!r}"
    if grid.empty:
        raise InputError([_no_rows(where)])
    cells = grid.map(_stripped)
    header = [str(name) for name in cells.iloc[0]]
    nameless = [index for index, name in enumerate(header) if not name and cells.iloc[1:, index].eq("").all()]
    cells = cells.drop(columns=[cells.columns[index] for index in nameless])
    header = [name for index, name in enumerate(header) if index not in nameless]
    if problems := list(_header_problems(header, where=where)):
        raise InputError(problems)
    return _without_blank_rows(
        RawTable(where, cells.iloc[1:].set_axis(header, axis=1).reset_index(drop=True), partial(_shifted, by=2), "line")
    )


def _stripped(cell: object) -> object:
    if cell is None:
        return ""
    return cell.strip() if isinstance(cell, str) else cell


def _sheet(names: Sequence[str], *, sheet: str | None, path: Path) -> str:
    if sheet is None and len(names) == 1:
        return names[0]
    if sheet is not None and sheet in names:
        return sheet
    found = f"{len(names)} sheets" if sheet is None else repr(sheet)
    rule = f"its sheets are {', '.join(map(repr, names))}"
    raise InputError([Problem(str(path), found, rule, f'set sheet = "{names[0]}" (or another) in {DESCRIPTION_FILE}')])


def _read_text_table(path: Path, description: CohortDescription) -> RawTable:
    content = path.read_bytes()
    encoding = description.encoding
    if content[:4] == b"PK\x03\x04":
        rule = "a text file was expected"
        raise InputError([Problem(str(path), "a zip archive, perhaps .xlsx", rule, "give it its own ending")])
    _check_encoding(path, content, encoding=encoding)
    header, separator = _header(path, content, description)
    try:
        table = arrow_csv.read_csv(
            io.BytesIO(content),
            read_options=arrow_csv.ReadOptions(encoding=encoding, block_size=1 << 24),
            parse_options=arrow_csv.ParseOptions(delimiter=separator, newlines_in_values=b'"' in content),
            convert_options=arrow_csv.ConvertOptions(column_types=dict.fromkeys(header, pa.string())),
        )
    except pa.ArrowInvalid as error:
        problems = list(_ragged(path, content, encoding=encoding, separator=separator, n_columns=len(header)))
        if not problems:
            mend = "correct the quotes or the separator"
            problems.append(Problem(str(path), str(error).splitlines()[0], "the file must be CSV", mend))
        raise InputError(problems) from error
    names = [name.strip() for name in header]
    kept = [i for i, name in enumerate(names) if name or _has_a_cell(table.column(i))]
    names = [names[i] for i in kept]
    if problems := list(_header_problems(names, where=f"{path}, line 1")):
        raise InputError(problems)
    columns = {name: table.column(i).to_pandas().str.strip() for name, i in zip(names, kept, strict=True)}
    lines = partial(_lines, content=content, encoding=encoding, separator=separator)
    return _without_blank_rows(RawTable(str(path), pd.DataFrame(columns), lines, "line"))


def _has_a_cell(column: Any) -> bool:
    return bool(column.to_pandas().str.strip().ne("").any())


def _check_encoding(path: Path, content: bytes, *, encoding: str) -> None:
    if encoding == "utf-8":
        try:
            pa.array([content], pa.large_binary()).cast(pa.large_string())  # validates without a copy as Python text
        except pa.ArrowInvalid:
            likely = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "cp1252"
            mend = f'set encoding = "{likely}" in {DESCRIPTION_FILE}, or save it again as UTF-8'
            read_text(path, if_absent="check the path", how_to_save=mend)  # names the line
        return
    try:
        content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        found = repr(content[error.start : error.start + 1])
        raise InputError(
            [
                Problem(
                    f"{path}, line {line}", found, f"declared as {encoding}", f"correct encoding in {DESCRIPTION_FILE}"
                )
            ]
        ) from error


def _header(path: Path, content: bytes, description: CohortDescription) -> tuple[list[str], str]:
    """The names of the first line, and what separates its cells."""
    encoding = "utf-8-sig" if description.encoding == "utf-8" else description.encoding
    stream = io.TextIOWrapper(io.BytesIO(content), encoding=encoding, newline="")
    first = next((line for line in stream if line.strip()), "")
    if not first:
        raise InputError([_no_rows(str(path))])
    separator = description.separator or _separator(first, where=f"{path}, line 1")
    try:
        header = next(csv.reader(itertools.chain([first], stream), delimiter=separator, strict=True))
    except csv.Error as error:
        mend = f"close the quote, or set separator in {DESCRIPTION_FILE}"
        raise InputError([Problem(f"{path}, line 1", str(error), "the file must be CSV", mend)]) from error
    return header, separator


def _separator(first: str, *, where: str) -> str:
    """A header without commas whose cells are parted by semicolons or tabs leaves no doubt; with both it does."""
    mark = next((mark for mark in _SEPARATORS if mark in first), ",")
    if mark != "," and "," in first:
        found = f"commas and {_SEPARATORS[mark]}"
        mend = f'set separator = {_SEPARATORS[mark]} or "," in {DESCRIPTION_FILE}'
        raise InputError([Problem(where, found, "one of the two parts the cells", mend)])
    return mark


def _records(content: bytes, *, encoding: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Rows below the header with the line each begins on, also where cells hold line breaks."""
    plain = "utf-8-sig" if encoding == "utf-8" else encoding
    reader = csv.reader(io.TextIOWrapper(io.BytesIO(content), encoding=plain, newline=""), delimiter=separator)
    header, start = True, 1
    for row in reader:
        if row and not header:
            yield start, row
        header = header and not row
        start = reader.line_num + 1


def _lines(rows: IntArray, *, content: bytes, encoding: str, separator: str) -> IntArray:
    last = int(rows.max(initial=-1))
    records = itertools.islice(_records(content, encoding=encoding, separator=separator), last + 1)
    every = np.fromiter((line for line, _ in records), dtype=np.int64)
    return every[rows]


def _ragged(path: Path, content: bytes, *, encoding: str, separator: str, n_columns: int) -> Iterator[Problem]:
    line = 1
    try:
        for line, row in _records(content, encoding=encoding, separator=separator):
            if len(row) != n_columns:
                mend = f"quote cells that hold {separator!r}, or add the missing cells"
                yield Problem(f"{path}, line {line}", f"{len(row)} cells", f"the header has {n_columns}", mend)
    except csv.Error as error:
        yield Problem(f"{path}, after line {line}", str(error), "the file must be CSV", "close the quoted cell")


def _header_problems(header: Sequence[str], *, where: str) -> Iterator[Problem]:
    for index, name in enumerate(header):
        if not name:
            yield Problem(f"{where}, column {index + 1}", "no name", "every column has one", "name or remove it")
    for name in sorted({name for name in header if name and header.count(name) > 1}):
        yield Problem(where, f"column {name!r} twice", "each column stands once", "remove or rename one")


def _without_blank_rows(raw: RawTable) -> RawTable:
    blank = np.ones(len(raw.cells), dtype=bool)
    for name in raw.cells.columns:
        if not blank.any():
            return raw
        blank &= raw.cells[name].eq("").to_numpy(dtype=bool, na_value=True)
    kept = np.flatnonzero(~blank)
    return RawTable(
        raw.where, raw.cells[~blank].reset_index(drop=True), lambda rows: raw.lines(kept[rows]), raw.counted
    )


def _no_rows(where: str) -> Problem:
    return Problem(where, "no rows", "a cohort has at least one patient", "add rows below the header")
