"""A study as it is read: its definition and its ledger of printed statistics, both checked.

Which columns and words a ledger has, and what a row may hold, stands in :mod:`ixa_bayes.study.ledger_rows`.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, cast

import pandas as pd

from ixa_bayes.errors import InputError, Problem
from ixa_bayes.study.cells import at, line_of, read_cells, schema_problems
from ixa_bayes.study.definition import PATIENTS, StudyDefinition, read_definition
from ixa_bayes.study.hints import did_you_mean, shown
from ixa_bayes.study.ledger_rows import COLUMNS, IMPOSSIBLE, IN_UNIT, SCHEMA, Row, faults_of_row, likely_cells
from ixa_bayes.study.locate import locate
from ixa_bayes.study.toml_files import place_of

MOST_ROWS: Final = 10_000
"""More than any paper prints; the audit compares rows with each other and would take hours on a wrong file."""

STATISTICS_FILE: Final = "statistics.csv"
DEFINITION_FILE: Final = "study.toml"


@dataclass(frozen=True, eq=False)
class Study:
    """A paper's printed statistics with the definition that gives them meaning.

    Attributes
    ----------
    definition : StudyDefinition
        Populations, factors, endpoints, nesting, unknowns, adjudications.
    statistics : pd.DataFrame, shape (statistic, column)
        Every row of the ledger, all cells as the printed strings, indexed by ``id`` with a column
        ``line`` for messages. Columns: :data:`COLUMNS`.
    folder : Path
        Where the study was read from.
    input_hash : str
        SHA-256 over both files and the tables of the literature folder, by which results know what
        they were computed from.
    """

    definition: StudyDefinition
    statistics: pd.DataFrame
    folder: Path
    input_hash: str

    @property
    def literature_folder(self) -> Path | None:
        """Folder of other studies' results; None where the study names none, and no literature is then used."""
        return None if self.definition.literature is None else (self.folder / self.definition.literature).resolve()

    def as_printed(self) -> "Study":
        """The same study without its adjudications."""
        return replace(self, definition=self.definition.model_copy(update={"adjudications": ()}))

    def used(self) -> pd.DataFrame:
        """The ledger with adjudicated values in place of printed ones.

        Returns
        -------
        pd.DataFrame
            As ``statistics``, with a boolean column ``adjudicated``, without the rows whose print is
            impossible and not adjudicated.
        """
        table = self.statistics.assign(adjudicated=False)
        for adjudication in self.definition.adjudications:
            table.loc[adjudication.row, adjudication.field] = adjudication.used
            table.loc[adjudication.row, "adjudicated"] = True
        impossible = table["reading"].eq(IMPOSSIBLE)
        table.loc[impossible & table["adjudicated"], "reading"] = ""
        return table[~impossible | table["adjudicated"]]


def read_study(folder: Path | str) -> Study:
    """Read a study folder: ``study.toml`` and ``statistics.csv``.

    Parameters
    ----------
    folder : path or str
        The folder that holds both files, or the name of a built-in study.

    Returns
    -------
    Study

    Raises
    ------
    InputError
        With every fault of either file: file, line, column, value, rule and how to mend it.

    Examples
    --------
    >>> import ixa_bayes as ib
    >>> study = ib.read_study("zhou2026")
    >>> study.statistics.loc["hr_os_triple_class", ["value", "lower", "upper"]].tolist()
    ['20.46', '2.97', '140.80']
    """
    folder = _folder_of(locate(folder, "study"))
    path = folder / STATISTICS_FILE
    definition, problems = _attempt(lambda: read_definition(folder / DEFINITION_FILE))
    table, unreadable = _attempt(lambda: _read_cells(path))
    problems += unreadable
    if table is not None:
        problems += _ledger_problems(table, definition, path=path)
    if definition is not None:
        if table is not None:
            problems += _adjudication_problems(table, definition, path=folder / DEFINITION_FILE)
        problems += _literature_problems(definition, folder=folder)
    if definition is None or table is None or problems:
        raise InputError(problems)
    study = Study(definition=definition, statistics=table.set_index("id", drop=False), folder=folder, input_hash="")
    return replace(study, input_hash=_hash(study))


def study_from(study: Study | Path | str) -> Study:
    """A study as functions take it: read already, or named.

    Parameters
    ----------
    study : Study, path or str
        What :func:`read_study` returns or takes.

    Raises
    ------
    TypeError
        If it is neither; the message says what to pass.
    InputError
        As :func:`read_study`.
    """
    return study if isinstance(study, Study) else read_study(study)


def _attempt[T](read: Callable[[], T]) -> tuple[T | None, list[Problem]]:
    """What a reader returns, or its faults: one file's must not hide the other's."""
    try:
        return read(), []
    except InputError as error:
        return None, list(error.problems)


def _ledger_problems(table: pd.DataFrame, definition: StudyDefinition | None, *, path: Path) -> list[Problem]:
    """Faults of the ledger by line; without a definition that can be read, those that need none."""
    problems = [
        *schema_problems(table.set_index("line"), SCHEMA, path=path, likely=likely_cells),
        *_row_problems(table, path=path),
    ]
    if definition is not None:
        problems += _reference_problems(table, definition, path=path)
        problems += _unit_problems(table, definition, path=path)
    return sorted(problems, key=line_of)


def _folder_of(path: Path) -> Path:
    """The study's folder, also where one of its two files was named."""
    if path.is_dir():
        return path
    if path.name in (DEFINITION_FILE, STATISTICS_FILE):
        return path.parent
    rule = f"a study is a folder with {DEFINITION_FILE} and {STATISTICS_FILE}"
    raise InputError([Problem(str(path), "a file", rule, "name the folder that holds both")])


def _hash(study: Study) -> str:
    digest = hashlib.sha256()
    literature = study.literature_folder
    for path in (
        study.folder / DEFINITION_FILE,
        study.folder / STATISTICS_FILE,
        *(sorted(literature.glob("*.csv")) if literature else ()),
    ):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _read_cells(path: Path) -> pd.DataFrame:
    """All cells as stripped strings, with the line each row begins on."""
    table = read_cells(
        path,
        columns=COLUMNS,
        required=("id", "location", "population", "endpoint", "kind"),
        if_absent="check the path, or write a template with `ixa-bayes new-study`",
    )
    if table.empty:
        rule = "a ledger needs at least one printed statistic"
        raise InputError([Problem(str(path), "no rows", rule, "add rows below the header")])
    if len(table) > MOST_ROWS:
        rule = f"a ledger holds what one paper prints, some hundreds of statistics, {MOST_ROWS:,} at most"
        mend = "check that this is a ledger and not, say, a table of patients"
        raise InputError([Problem(str(path), f"{len(table):,} rows", rule, mend)])
    return table.assign(line=table.index).reset_index(drop=True)


def records(table: pd.DataFrame) -> list[Row]:
    """Rows as dictionaries; ``line`` is the only cell that is no string and is used in messages only."""
    return cast("list[Row]", table.to_dict("records"))


def _reference_problems(table: pd.DataFrame, definition: StudyDefinition, *, path: Path) -> Iterator[Problem]:
    """Names that study.toml does not define."""
    known = {
        "population": set(definition.populations),
        "factor": {"", *definition.factors},
        "endpoint": {PATIENTS, *definition.endpoints},
    }
    for column, names in known.items():
        for row in records(table[~table[column].isin(names)]):
            yield Problem(
                at(path, row["line"], column),
                shown(row[column]),
                f"study.toml defines {', '.join(sorted(names - {''})) or 'none'}",
                _or_define(f"this {column}", did_you_mean(row[column], names)),
            )
    for column in ("level", "comparator"):
        for row in records(table[table[column].ne("") & table["factor"].isin([*definition.factors, ""])]):
            levels = definition.factors[row["factor"]].levels if row["factor"] else {}
            if row[column] not in levels:
                yield Problem(
                    at(path, row["line"], column),
                    repr(row[column]),
                    f"factor {row['factor']!r} has levels {', '.join(levels) or 'none'}",
                    _or_define("the level", did_you_mean(row[column], levels)),
                )


def _or_define(what: str, hint: str) -> str:
    return f"{hint}, or define {what} in study.toml" if hint else f"define {what} in study.toml or correct the cell"


def _unit_problems(table: pd.DataFrame, definition: StudyDefinition, *, path: Path) -> Iterator[Problem]:
    """Units other than the endpoint's, in which its values would be read."""
    for row in records(table[table["unit"].ne("") & table["kind"].isin(IN_UNIT)]):
        endpoint = definition.endpoints.get(row["endpoint"])
        if endpoint is not None and endpoint.unit and row["unit"] != endpoint.unit:
            yield Problem(
                at(path, row["line"], "unit"),
                repr(row["unit"]),
                f"study.toml gives {row['endpoint']} in {endpoint.unit}",
                "correct either; if the paper prints both units, define an endpoint for each and convert nothing",
            )


def _row_problems(table: pd.DataFrame, *, path: Path) -> Iterator[Problem]:
    """What a row contradicts within itself."""
    for row in records(table):
        for fault in faults_of_row(row):
            yield Problem(at(path, row["line"], fault.column), fault.found, fault.rule, fault.mend)


def _adjudication_problems(table: pd.DataFrame, definition: StudyDefinition, *, path: Path) -> Iterator[Problem]:
    rows = {row["id"]: row for row in records(table)}
    cells: dict[str, dict[str, int]] = {}
    for index, adjudication in enumerate(definition.adjudications):
        key, row, field = ("adjudications", index), adjudication.row, adjudication.field
        if row not in rows:
            mend = did_you_mean(row, rows) or "correct the id"
            yield Problem(place_of(key, path=path), repr(row), "must be the id of a ledger row", mend)
        elif field in cells.setdefault(row, {}):
            rule = "a cell is adjudicated once"
            yield Problem(place_of(key, path=path), f"{row}.{field} twice", rule, "merge the two")
        else:
            cells[row][field] = index
    for row, fields in cells.items():
        used = {field: definition.adjudications[index].used for field, index in fields.items()}
        for fault in faults_of_row(rows[row] | used | _no_longer_impossible(rows[row])):
            index = fields.get(fault.column, min(fields.values()))
            where = f"{place_of(('adjudications', index), path=path)} ({fault.column})"
            yield Problem(where, fault.found, fault.rule, fault.mend)


def _no_longer_impossible(row: Row) -> Row:
    """What an adjudication changes in the mark of a row: the value used must be possible."""
    return {"reading": ""} if row["reading"] == IMPOSSIBLE else {}


def _literature_problems(definition: StudyDefinition, *, folder: Path) -> Iterator[Problem]:
    if definition.literature is not None and not (folder / definition.literature).is_dir():
        where = place_of(("literature",), path=folder / DEFINITION_FILE)
        rule = "must be a folder, named relative to the study's"
        yield Problem(where, repr(definition.literature), rule, "correct it, or remove the key to use no literature")
