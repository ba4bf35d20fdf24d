"""What a row of ``statistics.csv`` is: its columns, its words, and what it may not contradict within itself.

The only home of the ledger's column names. Cells stay the strings that were printed; numbers are
derived from them where they are needed (:mod:`ixa_bayes.formulas.printed`).
"""

from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from typing import Final

import pandera.pandas as pa

from ixa_bayes.formulas.printed import PrintedNumber, is_not_reached, parse_number, parse_p

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


@lru_cache(maxsize=200_000)
def number(text: str) -> PrintedNumber:
    """The printed number in a cell of the ledger (cached: papers repeat themselves)."""
    return parse_number(text)


def faults_of_row(row: Row) -> Iterator[tuple[str, str, str, str]]:
    """What a row contradicts within itself: column, found, rule and mend of each fault."""
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
