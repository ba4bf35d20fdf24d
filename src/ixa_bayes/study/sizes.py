"""How many patients a group has: every whole number that its printed sizes and rates allow.

Numbers are sets of possible integers throughout: nothing is guessed, and an empty set is a
contradiction that the audit names. :mod:`ixa_bayes.study.counts` joins the groups of a factor.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import permutations, product
from typing import Final

from ixa_bayes.formulas.printed import Convention, counts_printed_as
from ixa_bayes.study.definition import PATIENTS, StudyDefinition
from ixa_bayes.study.ledger import Study, records
from ixa_bayes.study.ledger_rows import Row, number

CONVENTIONS: Final[tuple[Convention, ...]] = ("rounding", "truncation")
DECISIVE_AT_LEAST: Final = 3
"""Percentages that print under one convention only which settle how a paper prints, with this ratio to the others."""
DECISIVE_RATIO: Final = 3
Pair = tuple[int, int]
"""Patients with an endpoint, and patients it is out of."""


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


class GroupPrints:
    """The ledger's rows by what they are about, with the sizes that follow from them."""

    def __init__(self, definition: StudyDefinition, rows: Iterable[Row]) -> None:
        self.definition = definition
        self.rows = tuple(rows)
        self.by_subject: dict[tuple[str, str, str, str], list[Row]] = defaultdict(list)
        self.p_values: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
        for row in self.rows:
            if row["kind"] in ("count", "percent") and not row["comparator"]:
                self.by_subject[row["population"], row["factor"], row["level"], row["endpoint"]].append(row)
            elif row["kind"] == "p_value":
                self.p_values[row["population"], row["factor"], row["endpoint"]].append(row)
        self.conventions = self._conventions()
        self._sizes: dict[tuple[str, str, str], Possible] = {}

    def changed(self, rows: Mapping[str, Row | None]) -> "GroupPrints":
        """The same prints with other rows in place of those of the given ids, or without them."""
        replaced = (rows.get(row["id"], row) for row in self.rows)
        return GroupPrints(self.definition, [row for row in replaced if row is not None])

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
        if by_endpoint := self._split_size(population, factor, level):
            return by_endpoint
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

    def _split_size(self, population: str, factor: str, level: str) -> Possible | None:
        """Patients with, or evaluable patients without, the endpoint that a factor is defined by."""
        split = self.definition.factors[factor].split_by
        rows = self.by_subject[population, "", "", split.endpoint] if split else []
        if split is None or not rows:
            return None
        pairs = {pair for how in self.conventions for pair in self.pairs(population, split.endpoint, how)}
        values = {r if level == split.having else n - r for r, n in pairs}
        ids = (*(row["id"] for row in rows), *self.evaluable(population, split.endpoint).ledger_rows)
        return Possible(tuple(sorted(values)), tuple(dict.fromkeys(ids)))

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

    def most_missing(self, population: str, endpoint: str) -> int | None:
        """Most patients of a population who can be without the measurement; None if nothing says so."""
        measured_in = self.definition.endpoints[endpoint].evaluable
        return 0 if measured_in is None else self._missing(population, measured_in)[0]

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
    ) -> set[Pair]:
        """(responders, evaluable) that the rate rows of one group allow."""
        subject = population, factor, level, endpoint
        # A paper repeats itself: what it prints twice of one group needs reading once.
        rows = {(row["value"], row["count"]): row for row in self.by_subject[subject]}.values()
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
def group_prints(study: Study) -> GroupPrints:
    """The prints of a study by the group they are about, read once."""
    return GroupPrints(study.definition, records(study.used()))


def sizes(study: Study, population: str, *, factor: str = "", level: str = "") -> Possible:
    """Possible numbers of patients in a population, or in one level of a factor in it."""
    return group_prints(study).size(population, factor, level)


def evaluable(study: Study, population: str, endpoint: str, *, factor: str = "", level: str = "") -> Possible:
    """Possible numbers of patients that a binary endpoint's count is out of.

    A level's evaluable patients lie between its size less everyone whose measurement is missing
    and its size.
    """
    return group_prints(study).evaluable(population, endpoint, factor, level)
