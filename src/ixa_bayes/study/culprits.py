"""Which single print keeps a table of counts from joining: a percentage, a count, or the size of a group.

Each print of the table is left out in turn; where the rest joins, that print is accused, with the
numbers that would fit in its place.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

from ixa_bayes.formulas.printed import Convention, PrintedNumber
from ixa_bayes.study.definition import PATIENTS
from ixa_bayes.study.joins import Candidate, Join
from ixa_bayes.study.ledger_rows import Row, number
from ixa_bayes.study.sizes import GroupPrints

MOST_TRIED: Final = 2_000_000
"""Combinations beyond which a print is not tried: without the size of a large group millions can be possible."""
SHOWN: Final = 4

Group = tuple[str, str]
"""Factor and level; both empty for the whole population."""


@dataclass(frozen=True)
class Culprit:
    """A print without which an impossible table joins.

    Attributes
    ----------
    row : str
        Its ledger row, the first of those that print the same.
    column : {"value", "count"}
        Whether it is a percentage or a number of patients.
    printed : str
        What is printed there.
    fits : tuple of str
        What would fit: ``responders/evaluable = percent`` at the printed number of decimals, or
        numbers of patients.
    counts : frozenset of int
        The numbers of patients that would fit; empty for a percentage.
    """

    row: str
    column: Literal["value", "count"]
    printed: str
    fits: tuple[str, ...]
    counts: frozenset[int] = frozenset()


def culprits(prints: GroupPrints, join: Join) -> Iterator[Culprit]:
    """Every single print without which the table joins: percentages first, then numbers of patients.

    Parameters
    ----------
    prints : GroupPrints
    join : Join
        A table that cannot be filled.
    """
    convention = prints.conventions[0]
    groups: list[Group] = [("", ""), *((join.factor, level) for level in join.levels)]
    if not join.closes:
        groups = groups[1:]  # the total of an open table is only bounded by its levels
    for group in groups:
        rows = prints.by_subject[(join.population, *group, join.endpoint)]
        for value, same in _by_cell([row for row in rows if not row["count"]], "value").items():
            pairs = _pairs(join, group, _filled(join, prints.changed(dict.fromkeys(same)), convention))
            if fits := _percentages(pairs, number(value), convention):
                yield Culprit(next(iter(same)), "value", value, fits)
    measured_in = prints.definition.endpoints[join.endpoint].evaluable
    for group in groups:
        for endpoint in filter(None, (join.endpoint, measured_in, PATIENTS)):
            rows = prints.by_subject[(join.population, *group, endpoint)]
            for count, same in _by_cell(rows, "count").items():
                yield from _count_culprit(prints, join, group, endpoint=endpoint, printed=count, rows=same)


def _by_cell(rows: list[Row], column: str) -> dict[str, dict[str, Row]]:
    """Rows with the same text in a column, by that text: a paper repeats itself."""
    found: dict[str, dict[str, Row]] = {}
    for row in rows:
        if row[column]:
            found.setdefault(row[column], {})[row["id"]] = row
    return found


def _filled(join: Join, prints: GroupPrints, convention: Convention) -> list[Candidate]:
    return join.fill(prints, convention) if join.effort(prints, convention) <= MOST_TRIED else []


def _pairs(join: Join, group: Group, candidates: list[Candidate]) -> set[tuple[int, int]]:
    """Responders and evaluable patients of one group in each filling."""
    if group == ("", ""):
        return {(sum(c.responders), sum(c.evaluable)) for c in candidates}
    index = join.levels.index(group[1])
    return {(c.responders[index], c.evaluable[index]) for c in candidates}


def _percentages(pairs: set[tuple[int, int]], printed: PrintedNumber, convention: Convention) -> tuple[str, ...]:
    shown = [(r, n, as_percentage(r, n, printed, convention=convention)) for r, n in sorted(pairs) if n]
    return tuple(f"{r}/{n} = {percentage}%" for r, n, percentage in shown)


def _count_culprit(
    prints: GroupPrints, join: Join, group: Group, *, endpoint: str, printed: str, rows: dict[str, Row]
) -> Iterator[Culprit]:
    """The number of patients printed in ``rows``, if the table joins without it.

    A percentage printed with the number is kept where the table joins so, and else taken for one
    that was computed from the wrong number.
    """
    rest = prints.changed({name: row | {"count": ""} if row["value"] else None for name, row in rows.items()})
    pairs = _pairs(join, group, _filled(join, rest, prints.conventions[0]))
    if not pairs:
        rest = prints.changed(dict.fromkeys(rows))
        pairs = _pairs(join, group, _filled(join, rest, prints.conventions[0]))
    if endpoint == join.endpoint:
        fitting = {r for r, _ in pairs}
    elif endpoint == PATIENTS:
        fitting = {n for _, evaluable in pairs for n in _sizes_with(rest, join, group, evaluable=evaluable)}
    else:
        fitting = {n for _, n in pairs}
    if fitting := fitting - {int(printed)}:
        yield Culprit(next(iter(rows)), "count", printed, _numbers(fitting, int(printed)), frozenset(fitting))


def _sizes_with(prints: GroupPrints, join: Join, group: Group, *, evaluable: int) -> Iterator[int]:
    """Sizes of a group that leave so many evaluable."""
    missing = prints.most_missing(join.population, join.endpoint)
    for size in prints.size(join.population, *group).values:
        if size >= evaluable and (missing is None or size <= evaluable + missing):
            yield size


def _numbers(fitting: set[int], printed: int) -> tuple[str, ...]:
    """The numbers that fit, the closest few if there are many."""
    closest = sorted(sorted(fitting, key=lambda n: abs(n - printed))[:SHOWN])
    more = (f"one of {len(fitting) - SHOWN} more",) if len(fitting) > SHOWN else ()
    return (*map(str, closest), *more)


def as_percentage(r: int, n: int, like: PrintedNumber, *, convention: Convention = "rounding") -> str:
    """``r`` of ``n`` in percent with the decimals of another printed percentage, rounded half up or truncated."""
    scaled = Fraction(100 * r, n) / like.step
    if convention == "rounding":
        scaled += Fraction(1, 2)
    return f"{float(scaled.numerator // scaled.denominator * like.step):.{like.decimals}f}"
