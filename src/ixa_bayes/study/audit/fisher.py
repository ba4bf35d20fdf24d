"""Fisher's exact test, recomputed from every table of counts that can be recovered."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import erfc
from scipy.stats import hypergeom

from ixa_bayes.formulas.printed import PrintedP, parse_p
from ixa_bayes.formulas.two_by_two import fisher_exact_p, fisher_exact_p_rows
from ixa_bayes.study.audit import consequences as then
from ixa_bayes.study.audit.findings import TESTS_REPRODUCED, Finding
from ixa_bayes.study.audit.percentages import paper_convention
from ixa_bayes.study.audit.prints import Prints, counted, digits, overlap, p_words
from ixa_bayes.study.counts import CountTable
from ixa_bayes.study.joins import MOST_CANDIDATES
from ixa_bayes.study.ledger_rows import Row

CHECK: Final = "fisher_recomputed"
SIGNIFICANT: Final = 0.05
MOST_ENUMERATED: Final = 40
"""Candidate tables of three or more levels that are enumerated; each costs milliseconds."""

Cells = tuple[tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True)
class _Tested:
    """A printed p value with every table that it can belong to."""

    row: Row
    table: CountTable
    cells: tuple[Cells, ...]

    @property
    def printed(self) -> PrintedP:
        return parse_p(self.row["p"])


def check_fisher(prints: Prints) -> Iterator[Finding]:
    """Printed p values of Fisher's test that no recoverable table of counts gives.

    The p value of every candidate table is compared with the printed p's rounding interval (or its
    side of an inequality). Truncated p values are allowed.
    """
    without_table = []
    for row in prints.rows:
        if not _is_fisher(prints, row):
            continue
        tested = _tested(prints, row)
        if tested is None:
            without_table.append(row["id"])
        elif finding := _compare(prints, tested):
            yield finding
    if without_table:
        yield Finding(
            CHECK,
            "not_computable",
            tuple(without_table),
            printed=f"{counted(len(without_table), 'p value')} of exact tests",
            computed="",
            explanation="Rates of the compared groups are not printed, or leave no counts, too many, or counts that "
            "depend on whether the paper rounds or truncates.",
            consequence=then.NOT_CHECKED,
        )


def _is_fisher(prints: Prints, row: Row) -> bool:
    if not row["p"] or row["kind"] not in ("p_value", "percent", "count") or not row["factor"]:
        return False
    defined = prints.definition.endpoints.get(row["endpoint"])
    return defined is not None and defined.kind == "binary" and defined.test_used == "fisher"


def _tested(prints: Prints, row: Row) -> _Tested | None:
    for table in prints.closed_tables:
        if (table.population, table.endpoint, table.factor) != (row["population"], row["endpoint"], row["factor"]):
            continue
        if len(table.candidates) >= MOST_CANDIDATES:
            return None  # the true table may be beyond those that were listed
        if not _settled(prints, table):
            return None
        cells = _project(prints, row, table)
        if cells:
            return _Tested(row, table, cells)
    return None


def _settled(prints: Prints, table: CountTable) -> bool:
    """Whether the counts do not depend on how the paper prints its percentages, or this is known."""
    rows = [prints.by_id[row] for row in table.ledger_rows]
    assumed = table.candidates[0].convention
    return paper_convention(prints) == assumed or all(row["count"] for row in rows if row["kind"] == "percent")


def _project(prints: Prints, row: Row, table: CountTable) -> tuple[Cells, ...]:
    """The candidates' counts in the levels that a p value compares."""
    complete = set(table.levels) == set(prints.definition.factors[table.factor].levels)
    if not row["level"]:
        wanted: list[Sequence[int]] = [[index] for index in range(len(table.levels))] if complete else []
    elif row["level"] not in table.levels:
        return ()
    elif row["comparator"]:
        if row["comparator"] not in table.levels:
            return ()
        wanted = [[table.levels.index(row["level"])], [table.levels.index(row["comparator"])]]
    elif complete:  # a level without a comparator is compared with the rest
        first = table.levels.index(row["level"])
        wanted = [[first], [index for index in range(len(table.levels)) if index != first]]
    else:
        wanted = []
    if not wanted:
        return ()
    found = {
        (
            tuple(sum(c.responders[i] for i in group) for group in wanted),
            tuple(sum(c.evaluable[i] for i in group) for group in wanted),
        )
        for c in table.candidates
    }
    return tuple(sorted(found))


def _p_values(cells: Sequence[Cells]) -> list[float]:
    if len(cells[0][0]) == 2:
        r, n = np.array([c[0] for c in cells]), np.array([c[1] for c in cells])
        return [float(p) for p in fisher_exact_p(r[:, 0], n[:, 0], r[:, 1], n[:, 1])]
    return [fisher_exact_p_rows(r, n).p for r, n in cells[:MOST_ENUMERATED]]


def _compare(prints: Prints, tested: _Tested) -> Finding | None:
    if len(tested.cells[0][0]) > 2 and len(tested.cells) > MOST_ENUMERATED:
        return None
    values = _p_values(tested.cells)
    allowed = _allowed(tested.printed)
    if any(overlap((p, p), allowed, relative=1e-7) for p in values):
        return None
    alternative = _other_test(tested, allowed)
    low, high = min(values), max(values)
    flips = (high < SIGNIFICANT) != (allowed[1] <= SIGNIFICANT) and not low < SIGNIFICANT <= high
    computed = f"p = {digits(low)}" if low == high else f"p between {digits(low)} and {digits(high)}"
    return Finding(
        CHECK,
        "note" if alternative else "contradiction",
        (tested.row["id"], *tested.table.ledger_rows),
        printed=p_words(tested.row["p"]),
        computed=f"{computed} from {_cells_words(tested.cells)}",
        explanation=f"{prints.subject_words(tested.row)}: Fisher's exact test of the recovered counts does not give "
        "the "
        "printed p value"
        + (f"; {alternative} does." if alternative else ", nor does another usual test of the table.")
        + (" The printed and the recomputed value lie on different sides of 0.05." if flips else ""),
        consequence=then.COUNTS_AND_FISHER,
        inspect_sr_item=TESTS_REPRODUCED,
    )


def _allowed(printed: PrintedP) -> tuple[float, float]:
    low, high = printed.interval()
    return (low, high + float(printed.number.step) / 2) if printed.operator == "=" else (low, high)


def _cells_words(cells: Sequence[Cells]) -> str:
    first = " against ".join(f"{r}/{n}" for r, n in zip(*cells[0], strict=True))
    return first if len(cells) == 1 else f"{len(cells)} possible tables, such as {first}"


def _other_test(tested: _Tested, allowed: tuple[float, float]) -> str:
    """The name of another test that gives the printed p from a candidate, empty if none."""
    if len(tested.cells[0][0]) != 2 or tested.printed.operator != "=":
        return ""
    tests: dict[str, Callable[[Cells], float]] = {
        "the chi-square test without continuity correction": lambda cells: _chi_square_p(cells, correction=0.0),
        "the chi-square test with continuity correction": lambda cells: _chi_square_p(cells, correction=0.5),
        "a one-sided Fisher test": _one_sided_p,
    }
    for name, test in tests.items():
        if any(allowed[0] <= test(cells) <= allowed[1] for cells in tested.cells[:MOST_ENUMERATED]):
            return name
    return ""


def _chi_square_p(cells: Cells, *, correction: float) -> float:
    (a, b), (n1, n2) = cells
    total, successes = n1 + n2, a + b
    spread = n1 * n2 * successes * (total - successes)
    if spread == 0:
        return 1.0
    difference = max(abs(a * n2 - b * n1) - correction * total, 0.0)
    return float(erfc(math.sqrt(difference**2 * total / spread / 2)))


def _one_sided_p(cells: Cells) -> float:
    (a, b), (n1, n2) = cells
    lower = float(hypergeom.cdf(a, n1 + n2, a + b, n1))
    upper = float(hypergeom.sf(a - 1, n1 + n2, a + b, n1))
    return min(lower, upper)
