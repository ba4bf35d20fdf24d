"""Whole patients behind printed percentages: every count that the ledger allows.

A percentage alone allows several counts; a table of subgroups that partition a population allows
few, often one, because its rows must add up to the printed total. Counts are sets of possible
integers throughout: nothing is guessed, and an empty set is a contradiction that the audit names.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from itertools import permutations, product
from typing import Literal

from ixa_bayes.formulas.printed import Convention, PrintedNumber, counts_printed_as, parse_p
from ixa_bayes.formulas.two_by_two import fisher_exact_p
from ixa_bayes.study.definition import PATIENTS, Endpoint
from ixa_bayes.study.ledger import Row, Study, number, records

CONVENTIONS: tuple[Convention, ...] = ("rounding", "truncation")
DECISIVE_AT_LEAST = 3
"""Percentages that print under one convention only which settle how a paper prints, with this ratio to the others."""
DECISIVE_RATIO = 3
MOST_CANDIDATES = 20_000
Status = Literal["unique", "several", "impossible"]
Pair = tuple[int, int]
Print = tuple[str, str, str]
"""Factor, level and printed percentage of a group."""


@dataclass(frozen=True)
class Possible:
    """Every whole number that a printed size allows.

    Attributes
    ----------
    values : tuple of int
        Increasing; empty if the prints contradict each other.
    ledger_rows : tuple of str
        The rows it follows from; empty if only bounds are known.
    """

    values: tuple[int, ...]
    ledger_rows: tuple[str, ...] = ()

    @property
    def exact(self) -> int | None:
        """The number, if only one is possible."""
        return self.values[0] if len(self.values) == 1 else None


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


class _Prints:
    """The ledger's rows by what they are about, with the sizes that follow from them."""

    def __init__(self, study: Study) -> None:
        self.definition = study.definition
        self.by_subject: dict[tuple[str, str, str, str], list[Row]] = defaultdict(list)
        self.p_values: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
        for row in records(study.used()):
            if row["kind"] in ("count", "percent") and not row["comparator"]:
                self.by_subject[row["population"], row["factor"], row["level"], row["endpoint"]].append(row)
            elif row["kind"] == "p_value":
                self.p_values[row["population"], row["factor"], row["endpoint"]].append(row)
        self.conventions = self._conventions()
        self._sizes: dict[tuple[str, str, str], Possible] = {}

    def _conventions(self) -> tuple[Convention, ...]:
        """How the paper prints percentages, as far as rows with count and denominator tell; both if they do not."""
        only: dict[Convention, int] = dict.fromkeys(CONVENTIONS, 0)
        for (population, factor, _, endpoint), rows in self.by_subject.items():
            whole = {row["count"] for row in self.by_subject.get((population, "", "", PATIENTS), []) if row["count"]}
            of_whole = endpoint == PATIENTS and factor and self.definition.factors[factor].complete and len(whole) == 1
            for row in rows:
                n = int(row["denominator"] or (next(iter(whole)) if of_whole else 0))
                if not row["count"] or not row["value"] or n < int(row["count"]) or n == 0:
                    continue
                share = Fraction(100 * int(row["count"]), n)
                fits = [convention for convention in CONVENTIONS if number(row["value"]).prints(share, convention)]
                if len(fits) == 1:
                    only[fits[0]] += 1
        for convention, other in permutations(CONVENTIONS):
            if only[convention] >= max(DECISIVE_AT_LEAST, DECISIVE_RATIO * only[other]):
                return (convention,)
        return CONVENTIONS

    def size(self, population: str, factor: str = "", level: str = "") -> Possible:
        """Patients of a population or of one level in it."""
        key = population, factor, level
        if key not in self._sizes:
            self._sizes[key] = self._size(*key)
        return self._sizes[key]

    def _size(self, population: str, factor: str, level: str) -> Possible:
        rows = self.by_subject[population, factor, level, PATIENTS]
        whole = self.size(population) if factor else None
        printed = self._printed_counts(rows, whole.values if whole else ())
        if printed is not None:
            return printed
        return self._level_size(population, factor, level) if factor else self._population_size(population)

    def _population_size(self, population: str) -> Possible:
        defined = self.definition.populations[population]
        denominators = {
            int(row["denominator"]): row["id"]
            for (of, factor, _, endpoint), rows in self.by_subject.items()
            for row in rows
            if of == population and row["denominator"] and self._counts_everyone(factor, endpoint)
        }
        if len(denominators) == 1:
            return Possible(tuple(denominators), tuple(denominators.values()))
        if defined.parent is None:
            return Possible(())
        if defined.factor is not None and defined.level is not None:
            return self.size(defined.parent, defined.factor, defined.level)
        return Possible(tuple(range(max(self.size(defined.parent).values, default=-1) + 1)))

    def _counts_everyone(self, factor: str, endpoint: str) -> bool:
        """Whether a printed denominator is the whole population's size."""
        if endpoint == PATIENTS:
            return not factor or self.definition.factors[factor].complete
        return not factor and endpoint in {other.evaluable for other in self.definition.endpoints.values()}

    def _level_size(self, population: str, factor: str, level: str) -> Possible:
        whole = self.size(population)
        others = [name for name in self.definition.factors[factor].levels if name != level]
        parts = [
            self._printed_counts(self.by_subject[population, factor, other, PATIENTS], whole.values) for other in others
        ]
        if self.definition.factors[factor].complete and whole.exact is not None and all(parts):
            known = [part for part in parts if part is not None]
            values = {whole.exact - sum(sizes) for sizes in product(*(part.values for part in known))}
            rows = [*whole.ledger_rows, *(row for part in known for row in part.ledger_rows)]
            return Possible(tuple(sorted(value for value in values if value >= 0)), tuple(rows))
        return Possible(tuple(range(max(whole.values, default=-1) + 1)))

    def evaluable(self, population: str, endpoint: str, factor: str = "", level: str = "") -> Possible:
        """Patients that an endpoint's count is out of."""
        size = self.size(population, factor, level)
        measured_in = self.definition.endpoints[endpoint].evaluable
        if measured_in is None:
            possible = size
        else:
            printed = self._printed_counts(self.by_subject[population, factor, level, measured_in], size.values)
            possible = printed or self._evaluable_bounds(population, measured_in, size)
        printed_out_of = {
            int(row["denominator"])
            for row in self.by_subject[population, factor, level, endpoint]
            if row["denominator"]
        }
        if not printed_out_of:
            return possible
        agreed = printed_out_of if not possible.values else printed_out_of & set(possible.values)
        return Possible(tuple(sorted(agreed)), possible.ledger_rows)

    def _evaluable_bounds(self, population: str, measured_in: str, size: Possible) -> Possible:
        missing, rows = self._missing(population, measured_in)
        if not size.values:
            return size
        first = max(0, min(size.values) - missing) if missing is not None else 0
        return Possible(tuple(range(first, max(size.values) + 1)), (*size.ledger_rows, *rows))

    def _missing(self, population: str | None, measured_in: str) -> tuple[int | None, tuple[str, ...]]:
        """Most patients without the measurement, from the closest population that prints it."""
        while population is not None:
            size = self.size(population)
            printed = self._printed_counts(self.by_subject[population, "", "", measured_in], size.values)
            if printed and printed.values and size.values:
                return max(size.values) - min(printed.values), printed.ledger_rows
            population = self.definition.populations[population].parent
        return None, ()

    def pairs(
        self,
        population: str,
        endpoint: str,
        convention: Convention,
        *,
        factor: str = "",
        level: str = "",
        ignore: Print | None = None,
    ) -> set[Pair]:
        """(responders, evaluable) that the rate rows of one group allow, one printed percentage left out if asked."""
        subject = population, factor, level, endpoint
        # A paper repeats itself: what it prints twice of one group needs reading once.
        rows = {
            (row["value"], row["count"]): row
            for row in self.by_subject[subject]
            if row["count"] or (factor, level, row["value"]) != ignore
        }.values()
        parts = self._component_total(population, endpoint) if not factor else None
        out_of = self.evaluable(population, endpoint, factor, level).values
        found: set[Pair] = set()
        for n in out_of:
            allowed = set(range(n + 1))
            for row in rows:
                allowed &= _counts_in_row(row, n, convention)
            if parts is not None:
                allowed &= {parts}
            found |= {(r, n) for r in allowed}
        return found

    def _component_total(self, population: str, endpoint: str) -> int | None:
        components = self.definition.endpoints[endpoint].components
        totals = [
            {int(row["count"]) for row in self.by_subject[population, "", "", name] if row["count"]}
            for name in components
        ]
        if not components or any(len(total) != 1 for total in totals):
            return None
        return sum(total.pop() for total in totals)

    def _printed_counts(self, rows: Sequence[Row], out_of: Iterable[int]) -> Possible | None:
        """The sizes that rows print, None if there is no row to tell."""
        counted = [row for row in rows if row["count"]]
        if counted:
            agreed = {int(row["count"]) for row in counted}
            return Possible(tuple(agreed) if len(agreed) == 1 else (), tuple(row["id"] for row in counted))
        if not rows:
            return None
        found: set[int] = set()
        for n, convention in product(out_of, self.conventions):
            allowed = [_counts_in_row(row, int(row["denominator"] or n), convention) for row in rows]
            found |= set.intersection(*allowed)
        return Possible(tuple(sorted(found)), tuple(row["id"] for row in rows)) if found else None


def _counts_in_row(row: Row, n: int, convention: Convention) -> set[int]:
    if row["count"]:
        return {int(row["count"])}
    return set(counts_printed_as(number(row["value"]), denominator=n, convention=convention)) if n else set()


@lru_cache(maxsize=8)
def _prints(study: Study) -> _Prints:
    return _Prints(study)


def sizes(study: Study, population: str, *, factor: str = "", level: str = "") -> Possible:
    """Possible numbers of patients in a population, or in one level of a factor in it."""
    return _prints(study).size(population, factor, level)


def evaluable(study: Study, population: str, endpoint: str, *, factor: str = "", level: str = "") -> Possible:
    """Possible numbers of patients that a binary endpoint's count is out of.

    A level's evaluable patients lie between its size less everyone whose measurement is missing
    and its size.
    """
    return _prints(study).evaluable(population, endpoint, factor, level)


def single_rates(study: Study) -> list[Rate]:
    """Counts of every binary endpoint that is printed for a whole population.

    Returns
    -------
    list of Rate
        In the order of the ledger.
    """
    prints = _prints(study)
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
    subjects = dict.fromkeys((p, e, f) for p, f, level, e in _prints(study).by_subject if f and level and e != PATIENTS)
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
    prints = _prints(study)
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

    prints: _Prints
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
