"""``statistics.csv``: one row per printed statistic, read and checked.

The only home of the ledger's column names. Cells stay the strings that were printed; numbers are
derived from them where they are needed (:mod:`ixa_bayes.formulas.printed`).
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Final, cast

import pandas as pd
import pandera.pandas as pa

from ixa_bayes.errors import InputError, Problem
from ixa_bayes.formulas.printed import PrintedNumber, is_not_reached, parse_number, parse_p
from ixa_bayes.study.cells import at, line_of, read_cells, schema_problems
from ixa_bayes.study.definition import PATIENTS, StudyDefinition, read_definition
from ixa_bayes.study.locate import locate

COLUMNS: Final[dict[str, str]] = {
    "id": "short name of the row, unique: lower-case letters, digits, underscores",
    "location": "where the paper prints it, such as abstract, results/response or table 2",
    "population": "a population of study.toml",
    "factor": "a factor of study.toml; empty for the whole population",
    "level": "the level the statistic belongs to; for a comparison, the level that is compared",
    "comparator": "for a comparison, the level it is compared with; empty with level empty means all levels",
    "endpoint": "an endpoint of study.toml; `patients` counts who belongs to the population or level",
    "kind": "what the statistic is (see the kinds below)",
    "value": "the printed value: `33.0` is not `33`; `not reached` for a median that was not",
    "lower": "printed lower end of the interval",
    "upper": "printed upper end of the interval; `not reached` is allowed",
    "interval": "what the interval is called: ci95, ci90, ci99, range or iqr",
    "count": "printed number of patients with the endpoint, or of events",
    "denominator": "printed number of patients it is out of",
    "p": "printed p value with its operator: 0.008, <0.001, >0.05, NS",
    "unit": "printed unit",
    "time": "for survival_percent, the time it belongs to",
    "adjustment": "for ratios: univariable or multivariable",
    "claim": "what the text says of level against comparator: better, worse, higher, lower, no_difference",
    "reading": "`ambiguous` where the text allows more than one reading (the note says which); else empty",
    "note": "free text, never copied from the paper",
}

KINDS: Final[dict[str, tuple[str, ...]]] = {
    "count": ("count",),
    "percent": ("value",),
    "median": ("value",),
    "mean": ("value",),
    "standard_deviation": ("value",),
    "range": ("lower", "upper", "interval"),
    "events": ("count",),
    "censored": ("count",),
    "survival_percent": ("value", "time"),
    "hazard_ratio": ("value", "adjustment"),
    "odds_ratio": ("value", "adjustment"),
    "risk_ratio": ("value", "adjustment"),
    "p_value": ("p",),
    "value": ("value",),
    "date": ("value",),
}
INTERVALS: Final = ("ci90", "ci95", "ci99", "range", "iqr")
ADJUSTMENTS: Final = ("univariable", "multivariable")
CLAIMS: Final = ("better", "worse", "higher", "lower", "no_difference")
RATIO_KINDS: Final = ("hazard_ratio", "odds_ratio", "risk_ratio")
_WHOLE: Final = ("count", "denominator")
_NUMERIC: Final = ("value", "lower", "upper", "time")

_AS_PRINTED: Final = (
    "correct the cell; if the paper really prints this, leave the row out and say so in unknowns of study.toml"
)

Row = dict[str, str]

MOST_ROWS: Final = 10_000
"""More than any paper prints; the audit compares rows with each other and would take hours on a wrong file."""

STATISTICS_FILE: Final = "statistics.csv"
DEFINITION_FILE: Final = "study.toml"


def _one_of(words: tuple[str, ...]) -> pa.Check:
    return pa.Check.isin(["", *words], error=f"must be empty or one of {', '.join(words)}")


SCHEMA: Final = pa.DataFrameSchema(
    {
        "id": pa.Column(
            str,
            [pa.Check.str_matches(r"^[a-z][a-z0-9_]{0,99}$", error="must be lower-case letters, digits, underscores")],
            unique=True,
        ),
        "location": pa.Column(str, pa.Check.str_length(min_value=1, error="must say where the paper prints it")),
        "kind": pa.Column(str, pa.Check.isin(list(KINDS), error=f"must be one of {', '.join(KINDS)}")),
        "interval": pa.Column(str, _one_of(INTERVALS)),
        "adjustment": pa.Column(str, _one_of(ADJUSTMENTS)),
        "claim": pa.Column(str, _one_of(CLAIMS)),
        "reading": pa.Column(str, _one_of(("ambiguous",))),
        **{
            column: pa.Column(str, pa.Check.str_matches(r"^\d{0,9}$", error="must be a whole number of patients"))
            for column in _WHOLE
        },
    },
    strict=False,
)


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
            As ``statistics``, with a boolean column ``adjudicated``.
        """
        table = self.statistics.assign(adjudicated=False)
        for adjudication in self.definition.adjudications:
            table.loc[adjudication.row, adjudication.field] = adjudication.used
            table.loc[adjudication.row, "adjudicated"] = True
        return table


@lru_cache(maxsize=200_000)
def number(text: str) -> PrintedNumber:
    """The printed number in a cell of the ledger (cached: papers repeat themselves)."""
    return parse_number(text)


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
    definition = read_definition(folder / DEFINITION_FILE)
    path = folder / STATISTICS_FILE
    table = _read_cells(path)
    problems = sorted(
        [
            *schema_problems(table.set_index("line"), SCHEMA, path=path),
            *_reference_problems(table, definition, path=path),
            *_row_problems(table, path=path),
        ],
        key=line_of,
    )
    problems += _adjudication_problems(table, definition, path=folder / DEFINITION_FILE)
    problems += _literature_problems(definition, folder=folder)
    if problems:
        raise InputError(problems)
    study = Study(definition=definition, statistics=table.set_index("id", drop=False), folder=folder, input_hash="")
    return replace(study, input_hash=_hash(study))


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
                repr(row[column]),
                f"study.toml defines {', '.join(sorted(names - {''})) or 'none'}",
                f"define this {column} in study.toml or correct the cell",
            )
    for column in ("level", "comparator"):
        for row in records(table[table[column].ne("") & table["factor"].isin([*definition.factors, ""])]):
            levels = definition.factors[row["factor"]].levels if row["factor"] else {}
            if row[column] not in levels:
                yield Problem(
                    at(path, row["line"], column),
                    repr(row[column]),
                    f"factor {row['factor']!r} has levels {', '.join(levels) or 'none'}",
                    "define the level in study.toml or correct the cell",
                )


def _row_problems(table: pd.DataFrame, *, path: Path) -> Iterator[Problem]:
    """What a row contradicts within itself."""
    for row in records(table):
        for column, found, rule, mend in _faults_of_row(row):
            yield Problem(at(path, row["line"], column), found, rule, mend)


def _faults_of_row(row: Row) -> Iterator[tuple[str, str, str, str]]:
    kind = row["kind"]
    for column in KINDS.get(kind, ()):
        if not row[column]:
            yield (
                column,
                "an empty cell",
                f"a row of kind {kind} needs it",
                "fill it with what is printed, or use another kind",
            )
    if row["reading"] == "ambiguous" and not row["note"]:
        yield (
            "note",
            "an empty cell",
            "an ambiguous row says which readings there are",
            "write the readings in the note",
        )
    if row["comparator"] and not row["level"]:
        yield "level", "an empty cell", "a comparator needs the level that is compared with it", "fill the level"
    if row["level"] and row["level"] == row["comparator"]:
        yield "comparator", repr(row["comparator"]), "a level is compared with another level", "correct either cell"
    if bool(row["lower"] or row["upper"]) != bool(row["interval"]):
        yield (
            "interval",
            repr(row["interval"]),
            "limits and the name of their interval come together",
            "fill interval with ci95, range or iqr, or empty the limits",
        )
    if row["p"]:
        try:
            parse_p(row["p"])
        except ValueError:
            yield (
                "p",
                repr(row["p"]),
                "a p value lies within 0 and 1 and is printed like 0.008, <0.001 or NS",
                "correct the cell",
            )
    yield from _number_faults(row)


def _may_be_not_reached(row: Row, column: str) -> bool:
    """Whether a cell says that a time was not reached, where only a median or a limit can say so."""
    allowed = column in ("lower", "upper") or (column == "value" and row["kind"] == "median")
    return allowed and is_not_reached(row[column])


def _number_faults(row: Row) -> Iterator[tuple[str, str, str, str]]:
    numbers: dict[str, Fraction] = {}
    for column in _NUMERIC:
        text = row[column]
        if not text or (row["kind"] == "date" and column == "value") or _may_be_not_reached(row, column):
            continue
        try:
            numbers[column] = number(text).exact
        except ValueError:
            yield (
                column,
                repr(text),
                "must be a printed number such as 33.0, or `not reached`",
                "use a decimal point and no thousands separator",
            )
    if row["kind"] in ("percent", "survival_percent") and not 0 <= numbers.get("value", 0) <= 100:
        yield "value", repr(row["value"]), "a percentage lies within 0 and 100", _AS_PRINTED
    if row["kind"] in RATIO_KINDS:
        for column in ("value", "lower", "upper"):
            if numbers.get(column, 1) <= 0 and (column != "lower" or numbers[column] < 0):
                yield column, repr(row[column]), "a ratio is above 0", "correct the cell"
    if is_not_reached(row["lower"]) and "upper" in numbers:
        yield "lower", repr(row["lower"]), "a lower limit is reached before its upper limit", "correct the limits"
    if "lower" in numbers and "upper" in numbers and numbers["lower"] > numbers["upper"]:
        yield "lower", repr(row["lower"]), f"must not exceed upper {row['upper']!r}", "exchange or correct the limits"
    elif "value" in numbers and not numbers.get("lower", numbers["value"]) <= numbers["value"] <= numbers.get(
        "upper", numbers["value"]
    ):
        yield (
            "value",
            repr(row["value"]),
            f"must lie within its interval {row['lower']} to {row['upper']}",
            _AS_PRINTED,
        )
    if row["count"].isdigit() and row["denominator"].isdigit() and int(row["count"]) > int(row["denominator"]):
        yield (
            "count",
            repr(row["count"]),
            f"must not exceed its denominator {row['denominator']}",
            _AS_PRINTED,
        )


def _adjudication_problems(table: pd.DataFrame, definition: StudyDefinition, *, path: Path) -> Iterator[Problem]:
    rows = {row["id"]: row for row in records(table)}
    seen: set[tuple[str, str]] = set()
    for index, adjudication in enumerate(definition.adjudications):
        where = f"{path}, key adjudications.{index}"
        if adjudication.row not in rows:
            yield Problem(where, repr(adjudication.row), "must be the id of a ledger row", "correct the id")
            continue
        if (adjudication.row, adjudication.field) in seen:
            yield Problem(
                where, f"{adjudication.row}.{adjudication.field} twice", "a cell is adjudicated once", "merge the two"
            )
        seen.add((adjudication.row, adjudication.field))
        changed = rows[adjudication.row] | {adjudication.field: adjudication.used}
        for column, found, rule, mend in _faults_of_row(changed):
            yield Problem(f"{where} ({column})", found, rule, mend)


def _literature_problems(definition: StudyDefinition, *, folder: Path) -> Iterator[Problem]:
    if definition.literature is not None and not (folder / definition.literature).is_dir():
        where = f"{folder / DEFINITION_FILE}, key literature"
        rule = "must be a folder, named relative to the study's"
        yield Problem(where, repr(definition.literature), rule, "correct it, or remove the key to use no literature")
