"""The groups of a factor joined under their population's total: every filling that the prints allow."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from math import prod
from typing import Final

from ixa_bayes.formulas.printed import Convention
from ixa_bayes.study.sizes import GroupPrints, Pair

MOST_CANDIDATES: Final = 20_000


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
class Join:
    """The levels of one table of counts.

    Attributes
    ----------
    population, endpoint, factor : str
    levels : tuple of str
    closes : bool
        Whether the levels partition the population, so that both counts add up to its own;
        otherwise what is left over must be possible.
    """

    population: str
    endpoint: str
    factor: str
    levels: tuple[str, ...]
    closes: bool

    def fill(self, prints: GroupPrints, convention: Convention) -> list[Candidate]:
        """Every filling under one way to print percentages, at most ``MOST_CANDIDATES``."""
        groups, totals = self._possible(prints, convention)
        return [
            Candidate(tuple(r for r, _ in cells), tuple(n for _, n in cells), convention)
            for cells in islice(self._cells(groups, totals), MOST_CANDIDATES)
        ]

    def effort(self, prints: GroupPrints, convention: Convention) -> int:
        """Combinations of groups that :meth:`fill` may have to go through."""
        groups, totals = self._possible(prints, convention)
        return prod(map(len, groups[:-1] if self.closes else groups)) * len(totals)

    def _possible(self, prints: GroupPrints, convention: Convention) -> tuple[list[list[Pair]], set[Pair]]:
        totals = prints.pairs(self.population, self.endpoint, convention)
        groups = [
            sorted(prints.pairs(self.population, self.endpoint, convention, factor=self.factor, level=level))
            for level in self.levels
        ]
        return groups, totals

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
