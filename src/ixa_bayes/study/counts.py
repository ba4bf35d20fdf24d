"""Tables of counts behind printed percentages: every filling that the ledger allows.

A percentage alone allows several counts; a table of subgroups that partition a population allows
few, often one, because its rows must add up to the printed total. The sizes of the groups come from
:mod:`ixa_bayes.study.sizes`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final, Literal

from ixa_bayes.formulas.printed import Convention, PrintedNumber, parse_p
from ixa_bayes.formulas.two_by_two import fisher_exact_p
from ixa_bayes.study.definition import PATIENTS, Endpoint
from ixa_bayes.study.ledger import Study
from ixa_bayes.study.ledger_rows import Row, number
from ixa_bayes.study.sizes import CONVENTIONS, GroupPrints, Pair, Print, group_prints

MOST_CANDIDATES: Final = 20_000
Status = Literal["unique", "several", "impossible"]


@dataclass(frozen=True)
class Candidate:
    """One way to fill a table of counts.

    Attributes
    ----------
    responders, evaluable : tuple of int
        Patients with the endpoint and patients it is out of, one entry per level.
    convention : {"rounding", "truncation"}
        How the percentages must have been printed.
    """

    responders: tuple[int, ...]
    evaluable: tuple[int, ...]
    convention: Convention


@dataclass(frozen=True)
class Culprit:
    """A printed percentage without which an impossible table closes.

    Attributes
    ----------
    row : str
        Its ledger row.
    printed : str
        The printed percentage.
    fits : tuple of str
        ``responders/evaluable = percent`` that would fit, at the printed number of decimals.
    """

    row: str
    printed: str
    fits: tuple[str, ...]


@dataclass(frozen=True)
class CountTable:
    """Counts of one binary endpoint over the levels of one factor in one population.

    Attributes
    ----------
    population, endpoint, factor : str
    levels : tuple of str
        The levels with a printed rate, and the one that follows by subtraction if there is one.
    candidates : tuple of Candidate
        Every table that the prints allow (at most ``MOST_CANDIDATES``).
    culprits : tuple of Culprit
        For an impossible table, the percentages that alone make it so.
    p_rows : tuple of str
        Ledger rows with a printed p value for exactly these levels.
    ledger_rows : tuple of str
        Every row the counts follow from.
    """

    population: str
    endpoint: str
    factor: str
    levels: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    culprits: tuple[Culprit, ...]
    p_rows: tuple[str, ...]
    ledger_rows: tuple[str, ...]

    @property
    def status(self) -> Status:
        """Whether one, several or no table is possible."""
        if not self.candidates:
            return "impossible"
        return "unique" if len(self.candidates) == 1 else "several"


@dataclass(frozen=True)
class Rate:
    """Counts of one binary endpoint in a whole population.

    Attributes
    ----------
    population, endpoint : str
    candidates : tuple of (responders, evaluable)
        Every pair that the prints allow; empty if they contradict each other.
    ledger_rows : tuple of str
    """

    population: str
    endpoint: str
    candidates: tuple[Pair, ...]
    ledger_rows: tuple[str, ...]


def single_rates(study: Study) -> list[Rate]:
    """Counts of every binary endpoint that is printed for a whole population.

    Returns
    -------
    list of Rate
        In the order of the ledger.
    """
    prints = group_prints(study)
    subjects = dict.fromkeys((p, e) for p, factor, _, e in prints.by_subject if not factor and e != PATIENTS)
    rates = []
    for population, endpoint in subjects:
        for convention in dict.fromkeys((*prints.conventions, *CONVENTIONS)):
            pairs = prints.pairs(population, endpoint, convention)
            if pairs:
                break
        rows = prints.by_subject[population, "", "", endpoint]
        if rows:
            ids = (*(row["id"] for row in rows), *prints.evaluable(population, endpoint).ledger_rows)
            rates.append(Rate(population, endpoint, tuple(sorted(pairs)), tuple(dict.fromkeys(ids))))
    return rates


def count_tables(study: Study) -> list[CountTable]:
    """Every table of a binary endpoint over a factor that the ledger prints rates for.

    Returns
    -------
    list of CountTable
        In the order of the ledger; tables with fewer than two levels are left out.
    """
    subjects = dict.fromkeys(
        (p, e, f) for p, f, level, e in group_prints(study).by_subject if f and level and e != PATIENTS
    )
    tables = [count_table(study, population, endpoint, factor) for population, endpoint, factor in subjects]
    return [table for table in tables if table is not None]


def count_table(study: Study, population: str, endpoint: str, factor: str) -> CountTable | None:
    """Every filling of one table of counts that agrees with all its prints.

    Parameters
    ----------
    study : Study
        Adjudicated values are used; pass ``study.as_printed()`` for the printed ones.
    population, endpoint, factor : str
        Names of study.toml; the endpoint is binary.

    Returns
    -------
    CountTable or None
        None if fewer than two levels can be filled.

    Notes
    -----
    For levels that partition the population both counts add up to the population's; otherwise the
    rest must be possible too. Percentages are read as rounded, and as truncated only where no
    table of rounded ones exists; the other way round in a paper that truncates its percentages.
    """
    prints = group_prints(study)
    definition = study.definition.factors[factor]
    printed = [level for level in definition.levels if prints.by_subject[population, factor, level, endpoint]]
    left_out = [level for level in definition.levels if level not in printed]
    closes = definition.complete and len(left_out) <= 1
    levels = tuple(definition.levels) if closes else tuple(printed)
    if len(levels) < 2 or not printed:
        return None
    join = _Join(prints, population, endpoint, factor, levels, closes=closes)
    candidates: tuple[Candidate, ...] = ()
    for convention in dict.fromkeys((*prints.conventions, *CONVENTIONS)):
        if not candidates:
            candidates = tuple(join.fill(convention))
    ids = [
        row["id"]
        for level in ("", *levels)
        for row in prints.by_subject[population, factor if level else "", level, endpoint]
    ]
    for level in ("", *levels):
        ids += prints.evaluable(population, endpoint, factor if level else "", level).ledger_rows
    return CountTable(
        population,
        endpoint,
        factor,
        levels,
        candidates=candidates,
        culprits=() if candidates else tuple(join.culprits()),
        p_rows=tuple(row["id"] for row in prints.p_values[population, factor, endpoint] if _compares(row, levels)),
        ledger_rows=tuple(dict.fromkeys(ids)),
    )


def _compares(row: Row, levels: Sequence[str]) -> bool:
    """Whether a p value compares all these levels with each other."""
    named = {row["level"], row["comparator"]} - {""}
    return not named or named == set(levels) or (len(levels) == 2 and named <= set(levels))


@dataclass(frozen=True)
class _Join:
    """The levels of one table, joined under the population's total."""

    prints: GroupPrints
    population: str
    endpoint: str
    factor: str
    levels: tuple[str, ...]
    closes: bool

    def fill(self, convention: Convention, *, ignore: Print | None = None) -> Iterator[Candidate]:
        totals = self.prints.pairs(self.population, self.endpoint, convention, ignore=ignore)
        groups = [
            sorted(
                self.prints.pairs(
                    self.population, self.endpoint, convention, factor=self.factor, level=level, ignore=ignore
                )
            )
            for level in self.levels
        ]
        for count, cells in enumerate(self._cells(groups, totals)):
            if count == MOST_CANDIDATES:
                return
            yield Candidate(tuple(r for r, _ in cells), tuple(n for _, n in cells), convention)

    def _cells(self, groups: list[list[Pair]], totals: set[Pair]) -> Iterator[tuple[Pair, ...]]:
        if self.closes:
            last = set(groups[-1])
            for head in _product_within(groups[:-1], totals):
                r, n = sum(pair[0] for pair in head), sum(pair[1] for pair in head)
                for total in sorted(totals):
                    if (rest := (total[0] - r, total[1] - n)) in last:
                        yield (*head, rest)
        else:
            for cells in _product_within(groups, totals):
                r, n = sum(pair[0] for pair in cells), sum(pair[1] for pair in cells)
                if any(0 <= total[0] - r <= total[1] - n for total in totals):
                    yield cells

    def culprits(self) -> Iterator[Culprit]:
        subjects = [("", ""), *((self.factor, level) for level in self.levels)]
        for index, (factor, level) in enumerate(subjects):
            accused: dict[str, str] = {}
            for row in self.prints.by_subject[self.population, factor, level, self.endpoint]:
                if row["value"] and not row["count"]:
                    accused.setdefault(row["value"], row["id"])
            for value, row_id in accused.items():
                fits = self._fits(index, ignore=(factor, level, value))
                if fits:
                    yield Culprit(row_id, value, fits)

    def _fits(self, index: int, *, ignore: Print) -> tuple[str, ...]:
        """Counts and percentages that close the table in place of one print; group 0 is the total."""
        convention, printed = self.prints.conventions[0], number(ignore[2])
        pairs = {
            (sum(c.responders), sum(c.evaluable)) if index == 0 else (c.responders[index - 1], c.evaluable[index - 1])
            for c in self.fill(convention, ignore=ignore)
        }
        shown = [(r, n, as_percentage(r, n, printed, convention=convention)) for r, n in sorted(pairs) if n]
        return tuple(f"{r}/{n} = {percentage}%" for r, n, percentage in shown)


def _product_within(groups: list[list[Pair]], totals: set[Pair]) -> Iterator[tuple[Pair, ...]]:
    """Combinations whose sums do not exceed the largest total."""
    most_r = max((r for r, _ in totals), default=-1)
    most_n = max((n for _, n in totals), default=-1)

    def extend(head: tuple[Pair, ...], r: int, n: int) -> Iterator[tuple[Pair, ...]]:
        if len(head) == len(groups):
            yield head
            return
        for pair in groups[len(head)]:
            if r + pair[0] <= most_r and n + pair[1] <= most_n:
                yield from extend((*head, pair), r + pair[0], n + pair[1])

    return extend((), 0, 0)


def as_percentage(r: int, n: int, like: PrintedNumber, *, convention: Convention = "rounding") -> str:
    """``r`` of ``n`` in percent with the decimals of another printed percentage, rounded half up or truncated."""
    scaled = Fraction(100 * r, n) / like.step
    if convention == "rounding":
        scaled += Fraction(1, 2)
    return f"{float(scaled.numerator // scaled.denominator * like.step):.{like.decimals}f}"


def agreeing_with_p(study: Study, table: CountTable) -> CountTable:
    """The table with only those candidates whose Fisher p prints as the printed p does.

    Unchanged if no p is printed, if it is from another test, or if no candidate agrees (the audit
    then says so).
    """
    endpoint: Endpoint = study.definition.endpoints[table.endpoint]
    rows = study.used()
    allowed = [parse_p(str(rows.loc[row, "p"])).interval() for row in table.p_rows]
    if not allowed or endpoint.test_used != "fisher" or len(table.levels) != 2:
        return table
    agreeing = tuple(
        candidate for candidate in table.candidates if all(low <= fisher_p(candidate) <= high for low, high in allowed)
    )
    if not agreeing or len(agreeing) == len(table.candidates):
        return table
    return replace(table, candidates=agreeing, ledger_rows=tuple(dict.fromkeys((*table.ledger_rows, *table.p_rows))))


def fisher_p(candidate: Candidate) -> float:
    """Two-sided Fisher p of a candidate with two levels."""
    (a, b), (n1, n2) = candidate.responders, candidate.evaluable
    return float(fisher_exact_p(a, n1, b, n2))
