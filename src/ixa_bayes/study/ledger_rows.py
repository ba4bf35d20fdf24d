"""What a row of ``statistics.csv`` is: its columns, its words, and what it may not contradict within itself.

The only home of the ledger's column names. Cells stay the strings that were printed; numbers are
derived from them where they are needed (:mod:`ixa_bayes.formulas.printed`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Final

import pandera.pandas as pa

from ixa_bayes.formulas.printed import PrintedNumber, is_not_reached, parse_number, parse_p
from ixa_bayes.study.hints import EMPTY, how_to_part, how_to_write

Row = dict[str, str]

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
    "reading": "how a doubtful print is to be read: ambiguous or impossible (see the words below); else empty",
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
AMBIGUOUS: Final = "ambiguous"
IMPOSSIBLE: Final = "impossible"
READINGS: Final = {
    AMBIGUOUS: "the text allows more than one reading, and the note says which",
    IMPOSSIBLE: "the paper prints what cannot be, such as a percentage of 130: the audit names it, no analysis uses it",
}
RATIO_KINDS: Final = ("hazard_ratio", "odds_ratio", "risk_ratio")
IN_UNIT: Final = ("median", "mean", "standard_deviation", "range", "value")
"""Kinds whose numbers are in the unit of their endpoint."""
_WORDS: Final = {"adjustment": ADJUSTMENTS, "interval": ("range", "iqr")}
"""What a cell that a kind needs may say, where that is a choice of words."""
_OPERATORS: Final = "<>=\u2264\u2265\u2a7d\u2a7e "
_WHOLE: Final = ("count", "denominator")
_NUMERIC: Final = ("value", "lower", "upper", "time")

_AS_PRINTED: Final = (
    f"correct the cell; if the paper really prints this, write {IMPOSSIBLE} in the column reading and a note"
)


@dataclass(frozen=True)
class CellFault:
    """One fault of a row: the column, what was found there, the rule it breaks, and the mend."""

    column: str
    found: str
    rule: str
    mend: str


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
        "reading": pa.Column(str, _one_of(tuple(READINGS))),
        **{
            column: pa.Column(str, pa.Check.str_matches(r"^\d{0,9}$", error="must be a whole number of patients"))
            for column in _WHOLE
        },
    },
    strict=False,
)


@lru_cache(maxsize=200_000)
def number(text: str) -> PrintedNumber:
    """The printed number in a cell of the ledger (cached: papers repeat themselves)."""
    return parse_number(text)


def likely_cells(text: str) -> str:
    """How what stands in one cell is to be written, in that cell or in several; empty if nothing is likely."""
    return how_to_part(text) or how_to_write(text)


def faults_of_row(row: Row) -> Iterator[CellFault]:
    """What a row lacks, what cannot be read in it, and what it contradicts within itself.

    A row that is marked as printed though impossible (``reading`` is ``impossible``) is not at fault for
    that, and is at fault if nothing in it is impossible: what other rows contradict, the audit finds.
    """
    yield from _missing_cells(row)
    unreadable = [*_unreadable_numbers(row), *_unreadable_p(row)]
    yield from unreadable
    impossible = list(impossible_in(row))
    if row["reading"] != IMPOSSIBLE:
        yield from impossible
    elif not impossible and not unreadable:
        rule = "nothing in this row is impossible by itself; the audit finds what other rows contradict"
        yield CellFault("reading", repr(IMPOSSIBLE), rule, "empty the cell")


def impossible_in(row: Row) -> Iterator[CellFault]:
    """What a row says that no patients can give, whatever other rows say; cells that cannot be read are left out."""
    if row["p"] and _p_beyond_its_limits(row["p"]):
        yield CellFault("p", repr(row["p"]), "a p value lies within 0 and 1", _AS_PRINTED)
    numbers = _numbers(row)
    if row["kind"] in ("percent", "survival_percent") and not 0 <= numbers.get("value", 0) <= 100:
        yield CellFault("value", repr(row["value"]), "a percentage lies within 0 and 100", _AS_PRINTED)
    if row["kind"] in RATIO_KINDS:
        for column in ("value", "lower", "upper"):
            if numbers.get(column, 1) <= 0 and (column != "lower" or numbers[column] < 0):
                yield CellFault(column, repr(row[column]), "a ratio is above 0", _AS_PRINTED)
    yield from _impossible_limits(row, numbers)
    if row["count"].isdigit() and row["denominator"].isdigit() and int(row["count"]) > int(row["denominator"]):
        rule = f"must not exceed its denominator {row['denominator']}"
        yield CellFault("count", repr(row["count"]), rule, _AS_PRINTED)


def _impossible_limits(row: Row, numbers: Mapping[str, Fraction]) -> Iterator[CellFault]:
    lower, upper, value = (numbers.get(column) for column in ("lower", "upper", "value"))
    if is_not_reached(row["lower"]) and upper is not None:
        yield CellFault("lower", repr(row["lower"]), "a lower limit is reached before its upper limit", _AS_PRINTED)
    if lower is not None and upper is not None and lower > upper:
        rule = f"must not exceed upper {row['upper']!r}"
        yield CellFault("lower", repr(row["lower"]), rule, f"exchange the limits, or {_AS_PRINTED}")
    elif value is not None and ((lower is not None and value < lower) or (upper is not None and value > upper)):
        rule = f"must lie within its interval {row['lower']} to {row['upper']}"
        yield CellFault("value", repr(row["value"]), rule, _AS_PRINTED)


def _missing_cells(row: Row) -> Iterator[CellFault]:
    for column in KINDS.get(row["kind"], ()):
        if not row[column]:
            rule = f"a row of kind {row['kind']} needs it"
            words = _WORDS.get(column)
            mend = f"write {' or '.join(words)}" if words else "fill it with what is printed, or use another kind"
            yield CellFault(column, EMPTY, rule, mend)
    if row["reading"] == AMBIGUOUS and not row["note"]:
        rule = "an ambiguous row says which readings there are"
        yield CellFault("note", EMPTY, rule, "write the readings in the note")
    if row["reading"] == IMPOSSIBLE and not row["note"]:
        rule = "an impossible row says that this is really printed, since a typing error is likelier"
        yield CellFault(
            "note", EMPTY, rule, "write in the note that you compared it with the paper, and what you think"
        )
    if row["comparator"] and not row["level"]:
        rule = "a comparator needs the level that is compared with it"
        yield CellFault("level", EMPTY, rule, "fill the level")
    if row["level"] and row["level"] == row["comparator"]:
        rule = "a level is compared with another level"
        yield CellFault("comparator", repr(row["comparator"]), rule, "correct either cell")
    if (row["lower"] or row["upper"]) and not row["interval"]:
        rule = "limits and the name of their interval come together"
        yield CellFault("interval", EMPTY, rule, f"fill it with one of {', '.join(INTERVALS)}, or empty the limits")
    if row["interval"] and not (row["lower"] or row["upper"]):
        rule = "limits and the name of their interval come together"
        yield CellFault("interval", repr(row["interval"]), rule, "fill lower and upper, or empty the cell")


def _may_be_not_reached(row: Row, column: str) -> bool:
    """Whether a cell says that a time was not reached, where only a median or a limit can say so."""
    allowed = column in ("lower", "upper") or (column == "value" and row["kind"] == "median")
    return allowed and is_not_reached(row[column])


def _numeric_cells(row: Row) -> Iterator[str]:
    """Columns of a row that hold a printed number."""
    for column in _NUMERIC:
        is_date = row["kind"] == "date" and column == "value"
        if row[column] and not is_date and not _may_be_not_reached(row, column):
            yield column


def _numbers(row: Row) -> dict[str, Fraction]:
    """The numbers of a row that can be read."""
    return {column: found.exact for column in _numeric_cells(row) if (found := _readable(row[column]))}


def _readable(text: str) -> PrintedNumber | None:
    try:
        return number(text)
    except ValueError:
        return None


def _unreadable_numbers(row: Row) -> Iterator[CellFault]:
    for column in _numeric_cells(row):
        if _readable(row[column]) is None:
            rule = "must be a printed number such as 33.0, or `not reached`"
            hint = likely_cells(row[column]) or "use a decimal point and no thousands separator"
            yield CellFault(column, repr(row[column]), rule, hint)


def _unreadable_p(row: Row) -> Iterator[CellFault]:
    if not row["p"] or _p_beyond_its_limits(row["p"]):
        return
    try:
        parse_p(row["p"])
    except ValueError:
        rule = "a p value lies within 0 and 1 and is printed like 0.008, <0.001 or NS"
        yield CellFault("p", repr(row["p"]), rule, likely_cells(row["p"]) or "correct the cell")


def _p_beyond_its_limits(text: str) -> bool:
    found = _readable(text.lstrip(_OPERATORS))
    return found is not None and not 0 <= found.exact <= 1
