"""Whole patients behind percentages: each print alone, and the levels of a factor joined."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Final

from ixa_bayes.formulas.printed import Convention, PrintedNumber, counts_printed_as
from ixa_bayes.study.audit import consequences as then
from ixa_bayes.study.audit.findings import POSSIBLE_STATISTICS, UNEXPLAINED, Finding
from ixa_bayes.study.audit.prints import Prints, counted, is_ambiguous, listed, row_words
from ixa_bayes.study.counts import CountTable, count_table
from ixa_bayes.study.culprits import as_percentage
from ixa_bayes.study.definition import PATIENTS
from ixa_bayes.study.ledger import Study
from ixa_bayes.study.ledger_rows import Row, number
from ixa_bayes.study.sizes import DECISIVE_AT_LEAST, DECISIVE_RATIO

CHECK: Final = "counts_behind_percentages"
MOST_SUGGESTIONS: Final = 4
_CULPRIT_WORDS: Final = {"value": "percentage", "count": "number of patients"}


@dataclass(frozen=True)
class _Verdict:
    """Whether a percentage prints from whole patients, under each convention."""

    row: Row
    out_of: tuple[int, ...]
    elsewhere: tuple[int, ...]
    size_rows: tuple[str, ...]

    @property
    def printed(self) -> PrintedNumber:
        return number(self.row["value"])

    @cached_property
    def rounding(self) -> bool:
        return self._prints("rounding")

    @cached_property
    def truncation(self) -> bool:
        return self._prints("truncation")

    def _prints(self, convention: Convention) -> bool:
        sizes = (*self.out_of, *self.elsewhere)
        if self.row["count"]:
            count = int(self.row["count"])
            return any(self.printed.prints(Fraction(100 * count, n), convention) for n in sizes if n >= count)
        return any(counts_printed_as(self.printed, denominator=n, convention=convention) for n in sizes)


def check_percentages(prints: Prints) -> Iterator[Finding]:
    """Percentages that no whole number of patients gives, alone or joined with the other levels of their factor.

    Exact arithmetic; both half-up and half-even rounding are allowed, and truncation wherever the
    paper's other percentages do not exclude it.
    """
    verdicts = _verdicts(prints)
    convention = paper_convention(prints)
    told_by_table = _told_by_table(prints)
    for verdict in verdicts:
        if verdict.row["id"] in told_by_table:
            continue
        if not verdict.rounding and not verdict.truncation:
            yield _impossible(prints, verdict)
        elif convention and not getattr(verdict, convention):
            yield _other_convention(prints, verdict, convention, verdicts)
    for table in prints.tables:
        if not table.candidates:
            yield _impossible_table(prints, table)
        elif convention == "rounding" and table.candidates[0].convention == "truncation":
            yield _truncated_table(prints, table)
    yield from _without_denominator(prints)


def _told_by_table(prints: Prints) -> set[str]:
    """Percentages of impossible tables: the table says more than one of its cells."""
    found = {culprit.row for table in prints.tables for culprit in table.culprits}
    return found.union(*(_cells_of(prints, table) for table in prints.tables if not table.candidates))


def _cells_of(prints: Prints, table: CountTable) -> list[str]:
    """The rows of a table that print a level's percentage alone."""
    rates = (row for row in _rows_of(prints, table) if row["factor"] and row["endpoint"] == table.endpoint)
    return [row["id"] for row in rates if not row["count"]]


def _rows_of(prints: Prints, table: CountTable) -> list[Row]:
    return [prints.by_id[row] for row in table.ledger_rows]


def _verdict(prints: Prints, row: Row) -> _Verdict | None:
    if row["kind"] != "percent" or row["comparator"]:
        return None
    out_of, size_rows = _denominators(prints, row)
    out_of = tuple(n for n in out_of if n > 0)
    # Another reading of an ambiguous row may place it in another population.
    elsewhere = _known_sizes(prints) if is_ambiguous(row) else set()
    return _Verdict(row, out_of, tuple(elsewhere), size_rows) if out_of else None


def _denominators(prints: Prints, row: Row) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Numbers of patients that a percentage can be out of, and the rows they follow from."""
    if row["denominator"]:
        return (int(row["denominator"]),), ()
    if row["endpoint"] != PATIENTS:
        possible = prints.evaluable(row["population"], row["factor"], row["level"], endpoint=row["endpoint"])
        return possible.values, possible.ledger_rows
    if not row["factor"]:
        parent = prints.definition.populations[row["population"]].parent
        whole = prints.size(parent or row["population"])
        return whole.values, whole.ledger_rows
    whole = prints.size(row["population"])
    if prints.definition.factors[row["factor"]].complete:
        return whole.values, whole.ledger_rows
    # Patients without a level may have been left out of the denominator.
    return tuple(range(int(row["count"] or 1), max(whole.values, default=0) + 1)), whole.ledger_rows


def _known_sizes(prints: Prints) -> set[int]:
    found = (prints.size(name).exact for name in prints.definition.populations)
    return {n for n in found if n}


def _sizes_around(prints: Prints, population: str | None) -> set[int]:
    """Known sizes of a population and of those it is a part of."""
    found: set[int] = set()
    while population is not None:
        found |= {n for n in (prints.size(population).exact,) if n}
        population = prints.definition.populations[population].parent
    return found


@lru_cache(maxsize=4)
def _verdicts(prints: Prints) -> tuple[_Verdict, ...]:
    return tuple(verdict for row in prints.rows if (verdict := _verdict(prints, row)))


@lru_cache(maxsize=4)
def paper_convention(prints: Prints) -> Convention | None:
    """How the paper prints its percentages, where enough of them can have been printed in one way only."""
    verdicts = _verdicts(prints)
    only_rounded = sum(v.rounding and not v.truncation for v in verdicts)
    only_truncated = sum(v.truncation and not v.rounding for v in verdicts)
    if only_rounded >= max(DECISIVE_AT_LEAST, DECISIVE_RATIO * only_truncated):
        return "rounding"
    if only_truncated >= max(DECISIVE_AT_LEAST, DECISIVE_RATIO * only_rounded):
        return "truncation"
    return None


def _impossible(prints: Prints, verdict: _Verdict) -> Finding:
    row = verdict.row
    computed = "; ".join(filter(None, [_what_prints(verdict), _what_fits(prints, verdict)]))
    subject = prints.subject_words(row)
    whole = f"{row['count']} patients are" if row["count"] else "No whole number of patients is"
    out_of = f" of {verdict.out_of[0]}" if len(verdict.out_of) == 1 else ""
    never = " not" if row["count"] else ""
    return Finding(
        CHECK,
        "contradiction",
        (row["id"], *verdict.size_rows),
        printed=row_words(row),
        computed=computed,
        explanation=f"{subject}: {whole}{never} {row['value']}%{out_of}, neither rounded nor truncated.",
        consequence=prints.adjudication_words([row["id"]])
        or (then.COUNT_NOT_PERCENTAGE if row["count"] else then.NO_COUNT),
        inspect_sr_item=POSSIBLE_STATISTICS,
        mends=_mends(prints, verdict),
    )


def _mends(prints: Prints, verdict: _Verdict) -> dict[str, frozenset[int]]:
    """Numbers of patients that would print the percentage: another count, or another size of the group."""
    row, printed = verdict.row, verdict.printed
    if len(verdict.out_of) != 1:
        return {}
    n = verdict.out_of[0]
    found = {}
    if row["count"]:
        found[row["id"]] = frozenset(counts_printed_as(printed, denominator=n))
    if not row["denominator"]:
        largest = max([2 * n, *_sizes_around(prints, row["population"])])
        sizes = frozenset(size for size in range(1, largest + 1) if _prints_out_of(verdict, size))
        counted = [name for name in verdict.size_rows if prints.by_id[name]["count"] == str(n)]
        found |= dict.fromkeys(counted[:1], sizes)
    return found


def _prints_out_of(verdict: _Verdict, n: int) -> bool:
    return replace(verdict, out_of=(n,), elsewhere=()).rounding


def _other_convention(
    prints: Prints, verdict: _Verdict, convention: Convention, verdicts: tuple[_Verdict, ...]
) -> Finding:
    row = verdict.row
    needed = [v.row["id"] for v in verdicts if getattr(v, convention) and not (v.rounding and v.truncation)]
    how, other = ("truncated", "rounded") if convention == "rounding" else ("rounded", "truncated")
    return Finding(
        CHECK,
        "contradiction",
        (row["id"], *verdict.size_rows),
        printed=row_words(row),
        computed="; ".join(filter(None, [_what_prints(verdict), _what_fits(prints, verdict)])),
        explanation=f"{prints.subject_words(row)}: {row['value']}% prints only if {how}, while {len(needed)} other "
        f"percentages of this paper print only if {other} ({listed(needed, 3)}).",
        consequence=prints.adjudication_words([row["id"]])
        or (then.COUNT_NOT_PERCENTAGE if row["count"] else then.PAPER_S_CONVENTION),
        inspect_sr_item=POSSIBLE_STATISTICS,
    )


def _what_prints(verdict: _Verdict) -> str:
    """The percentages that whole patients do give, closest to the printed one."""
    row, printed = verdict.row, verdict.printed
    if row["count"]:
        sizes = [n for n in verdict.out_of if n >= int(row["count"])][:MOST_SUGGESTIONS]
        return ", ".join(f"{row['count']}/{n} = {as_percentage(int(row['count']), n, printed)}%" for n in sizes)
    if len(verdict.out_of) > MOST_SUGGESTIONS:
        how = "only truncated" if verdict.truncation else "only rounded" if verdict.rounding else "not"
        return f"a count out of {verdict.out_of[0]} to {verdict.out_of[-1]} prints so {how}".replace(
            "so not", "in no way"
        )
    pairs = []
    for n in verdict.out_of:
        below = min(int(printed.exact * n / 100), n)
        pairs += [f"{r}/{n} = {as_percentage(r, n, printed)}%" for r in dict.fromkeys((below, min(below + 1, n)))]
    return " or ".join(pairs)


def _what_fits(prints: Prints, verdict: _Verdict) -> str:
    """Denominators, or other counts, that would print the percentage."""
    row, printed = verdict.row, verdict.printed
    if not row["count"]:
        return ""
    count, wholes = int(row["count"]), _sizes_around(prints, row["population"])
    largest = max([*verdict.out_of, *wholes])
    fitting = [n for n in range(max(count, 1), 2 * largest + 1) if printed.prints(Fraction(100 * count, n))]
    parts = [
        f"{row['value']}% would be {count} of {' or '.join(map(str, fitting[:MOST_SUGGESTIONS]))}"
        if fitting
        else f"no denominator prints {row['value']}% with {count}"
    ]
    others = [
        f"{r}/{n}"
        for n in sorted({*verdict.out_of[:MOST_SUGGESTIONS], *wholes}, reverse=True)
        for r in counts_printed_as(printed, denominator=n)
        if r != count
    ]
    if others:
        parts.append(f"{row['value']}% is {listed(others, MOST_SUGGESTIONS)}")
    return "; ".join(parts)


def _impossible_table(prints: Prints, table: CountTable) -> Finding:
    found = _table_finding(
        prints,
        table,
        {culprit.row: culprit.fits for culprit in table.culprits},
        because="whole patients, rounded or truncated, cannot give them all",
        kinds=frozenset(_CULPRIT_WORDS[culprit.column] for culprit in table.culprits),
    )
    if not table.culprits:
        verdicts = {verdict.row["id"]: verdict for verdict in _verdicts(prints)}
        alone = [verdicts[row] for row in _cells_of(prints, table) if row in verdicts]
        wrong = [f"{v.row['id']}: {_what_prints(v)}" for v in alone if not v.rounding and not v.truncation]
        return replace(found, computed="; ".join([found.computed, *wrong]))
    return replace(found, mends={culprit.row: culprit.counts for culprit in table.culprits if culprit.counts})


def _truncated_table(prints: Prints, table: CountTable) -> Finding:
    """A table that closes only if truncated, in a paper that rounds: the row without which it closes rounded."""
    culprits: dict[str, tuple[str, ...]] = {}
    for row_id in table.ledger_rows:
        row = prints.by_id[row_id]
        if row["kind"] != "percent" or row["count"] or row["endpoint"] != table.endpoint:
            continue
        rest = count_table(_without(prints.study, row_id), table.population, table.endpoint, table.factor)
        if rest is None or row["level"] not in ("", *rest.levels):
            continue
        fits = {
            (sum(c.responders), sum(c.evaluable))
            if not row["factor"]
            else (c.responders[rest.levels.index(row["level"])], c.evaluable[rest.levels.index(row["level"])])
            for c in rest.candidates
            if c.convention == "rounding"
        }
        if fits:
            culprits[row_id] = tuple(f"{r}/{n} = {as_percentage(r, n, number(row['value']))}%" for r, n in sorted(fits))
    return _table_finding(
        prints,
        table,
        culprits,
        because="they close only if truncated, while this paper rounds its percentages",
        kinds=frozenset(_CULPRIT_WORDS["value"] for _ in culprits),
    )


def _table_finding(
    prints: Prints,
    table: CountTable,
    culprits: dict[str, tuple[str, ...]],
    *,
    because: str,
    kinds: frozenset[str],
) -> Finding:
    different: dict[tuple[str, str], str] = {}
    for row in _rows_of(prints, table):
        different.setdefault((prints.subject_words(row), row_words(row)), row["id"])
    named = [f"{row}: {listed(fits).replace(', ', ' or ')}" for row, fits in culprits.items()]
    return Finding(
        CHECK,
        "contradiction",
        tuple(dict.fromkeys((*culprits, *table.ledger_rows))),
        printed="; ".join(f"{row} {words}" for (_, words), row in different.items()),
        computed="; ".join(named) or UNEXPLAINED,
        explanation=f"{prints.endpoint_words(table.endpoint)} by {prints.group_words(table.population, table.factor)}: "
        f"the printed rates and sizes do not join to one table; {because}."
        + (f" It closes if one {' or one '.join(sorted(kinds, reverse=True))} is replaced." if culprits else ""),
        consequence=prints.adjudication_words(table.ledger_rows)
        or (then.TABLE_TRUNCATED if table.candidates else then.TABLE_LEFT_OUT),
        inspect_sr_item=POSSIBLE_STATISTICS,
    )


def _without(study: Study, row: str) -> Study:
    return replace(study, statistics=study.statistics.drop(index=row))


def _without_denominator(prints: Prints) -> Iterator[Finding]:
    missing = [
        row["id"]
        for row in prints.rows
        if row["kind"] == "percent" and not row["comparator"] and not any(_denominators(prints, row)[0])
    ]
    if missing:
        yield Finding(
            CHECK,
            "not_computable",
            tuple(missing),
            printed=counted(len(missing), "percentage"),
            computed="",
            explanation="The number of patients that these percentages are out of is neither printed nor follows from "
            "other prints.",
            consequence=then.NO_COUNTS,
        )
