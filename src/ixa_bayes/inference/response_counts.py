"""Which counts a response analysis rests on, and what the print leaves open about them.

Nothing is picked in silence: where the print allows several tables every one of them is analysed
(or, beyond a handful, the ones at the ends), where an adjudication changes a table the printed one
is analysed too, and a table that cannot be, or whose every print the text leaves ambiguous, is listed
with the reason.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Final, Literal

from ixa_bayes.models.response_analysis import ResponseAnalysis
from ixa_bayes.study.counts import Candidate, CountTable, Rate, agreeing_with_p, count_tables, single_rates
from ixa_bayes.study.definition import PATIENTS
from ixa_bayes.study.ledger import Study, records
from ixa_bayes.study.ledger_rows import Row

SHOWN_AT_MOST: Final = 6
Basis = Literal["used", "as_printed"]
Status = Literal["unique", "unique_by_p", "several", "impossible", "ambiguous"]


@dataclass(frozen=True)
class Counts:
    """One binary endpoint, in a whole population or over the levels of one factor.

    Attributes
    ----------
    population, endpoint, factor : str
        ``factor`` is empty for a whole population.
    levels : tuple of str
        One empty string for a whole population.
    basis : {"used", "as_printed"}
        ``used``: with the study's adjudications; ``as_printed``: without, where that differs.
    status : {"unique", "unique_by_p", "several", "impossible", "ambiguous"}
        ``unique_by_p``: the printed p value decides between tables that the percentages allow.
        ``ambiguous``: every row that prints the endpoint allows several readings, so that its count
        need not be a number of patients with the endpoint; there are no candidates.
    n_candidates : int
        Tables that the print allows.
    candidates : tuple of (number, Candidate)
        Those analysed, numbered from 1 among all of them.
    note : str
        What is open, or why nothing is possible.
    ledger_rows : tuple of str
    """

    population: str
    endpoint: str
    factor: str
    levels: tuple[str, ...]
    basis: Basis
    status: Status
    n_candidates: int
    candidates: tuple[tuple[int, Candidate], ...]
    note: str
    ledger_rows: tuple[str, ...]

    @property
    def subject(self) -> tuple[str, str, str]:
        """Population, endpoint and factor."""
        return self.population, self.endpoint, self.factor


def response_counts(study: Study, analysis: ResponseAnalysis) -> list[Counts]:
    """Counts of every whole population and every table that an analysis asks for.

    Parameters
    ----------
    study : Study
    analysis : ResponseAnalysis

    Returns
    -------
    list of Counts
        Whole populations first, then tables in the order of the ledger, then tables whose levels are
        printed as populations of their own (regimens).
    """
    wanted = set(analysis.endpoints_of(study.definition))
    readings = _readings(study)
    used = [_unless_ambiguous(readings, c) for c in _all_counts(study, "used") if c.endpoint in wanted]
    if not study.definition.adjudications:
        return used
    used = [_with_adjudications(study, counts) for counts in used]
    fillings = {counts.subject: counts.candidates for counts in used}
    printed = [
        _unless_ambiguous(readings, counts)
        for counts in _all_counts(study.as_printed(), "as_printed")
        if counts.endpoint in wanted
    ]
    return used + [counts for counts in printed if counts.candidates != fillings.get(counts.subject)]


def _readings(study: Study) -> dict[str, Row]:
    """The rows that count an endpoint, by id."""
    counting = (row for row in records(study.statistics) if row["kind"] in ("count", "percent"))
    return {row["id"]: row for row in counting if row["endpoint"] != PATIENTS}


def _unless_ambiguous(readings: Mapping[str, Row], counts: Counts) -> Counts:
    """The same counts, without candidates if no row of the endpoint, or of one of its parts, has one reading only.

    A count of which the text does not say whether it counts the patients with the endpoint is no rate.
    """
    rows = [readings[row] for row in counts.ledger_rows if row in readings]
    own = [row for row in rows if row["endpoint"] == counts.endpoint] or rows
    by_endpoint: dict[str, list[Row]] = {}
    for row in own:
        by_endpoint.setdefault(row["endpoint"], []).append(row)
    for printed in by_endpoint.values():
        if all(row["reading"] == "ambiguous" for row in printed):
            told = "; ".join(f"{row['id']}: {row['note']}" for row in printed)
            note = f"not analysed as a rate, since the text allows more than one reading: {told}"
            return replace(counts, status="ambiguous", candidates=(), note=note)
    return counts


def _with_adjudications(study: Study, counts: Counts) -> Counts:
    """The same counts, with a note on every adjudicated cell that they rest on."""
    notes = [
        f"{adjudication.row} prints {study.statistics.loc[adjudication.row, adjudication.field]!s}, "
        f"{adjudication.used} is used: {adjudication.reason}"
        for adjudication in study.definition.adjudications
        if adjudication.row in counts.ledger_rows
    ]
    return replace(counts, note="; ".join(filter(None, [counts.note, *notes])))


def _all_counts(study: Study, basis: Basis) -> Iterator[Counts]:
    rates = [*single_rates(study), *_rates_of_sums(study)]
    tables = count_tables(study)
    for rate in rates:
        yield _of_rate(rate, basis)
    for table in tables:
        yield _of_table(study, table, basis)
    printed = {(table.population, table.endpoint, table.factor) for table in tables}
    for table in _tables_of_populations(study, rates):
        if (table.population, table.endpoint, table.factor) not in printed:
            yield _of_table(study, table, basis)


def _of_rate(rate: Rate, basis: Basis) -> Counts:
    candidates = tuple(Candidate((r,), (n,), "rounding") for r, n in rate.candidates)
    table = CountTable(rate.population, rate.endpoint, "", ("",), candidates, (), (), rate.ledger_rows)
    return _counts(table, basis, allowed=len(rate.candidates))


def _of_table(study: Study, table: CountTable, basis: Basis) -> Counts:
    return _counts(agreeing_with_p(study, table), basis, allowed=len(table.candidates))


def _counts(table: CountTable, basis: Basis, *, allowed: int) -> Counts:
    """``allowed`` is the number of tables that the percentages alone allow."""
    found = len(table.candidates)
    by_p = found < allowed
    status: Status = "several" if found > 1 else "impossible" if not found else "unique_by_p" if by_p else "unique"
    shown = _shown(table.candidates)
    return Counts(
        table.population,
        table.endpoint,
        table.factor,
        table.levels,
        basis=basis,
        status=status,
        n_candidates=found,
        candidates=shown,
        note=_note(table, status, len(shown), allowed=allowed),
        ledger_rows=table.ledger_rows,
    )


def _shown(candidates: tuple[Candidate, ...]) -> tuple[tuple[int, Candidate], ...]:
    """All candidates if they are few; else those with the lowest and highest rate of each level."""
    numbered = list(enumerate(candidates, start=1))
    if len(numbered) <= SHOWN_AT_MOST:
        return tuple(numbered)
    ends: set[int] = set()
    for level in range(len(candidates[0].responders)):
        by_rate = sorted(numbered, key=lambda item, level=level: (_rate(item[1], level), item[0]))  # type: ignore[misc]  # bound per pass
        ends |= {by_rate[0][0], by_rate[-1][0]}
    return tuple(item for item in numbered if item[0] in ends)


def _rate(candidate: Candidate, level: int) -> float:
    return candidate.responders[level] / max(candidate.evaluable[level], 1)


def _note(table: CountTable, status: Status, shown: int, *, allowed: int) -> str:
    if status == "impossible":
        fits = [f"{c.row} prints {c.printed}, {' or '.join(c.fits)} would fit" for c in table.culprits]
        return "no whole numbers agree with every print" + (f": {'; '.join(fits)}" if fits else "")
    decided = f"the printed p value decides between {allowed} tables that the percentages allow"
    notes = [decided] if len(table.candidates) < allowed else []
    if status == "several":
        found = len(table.candidates)
        notes.append(f"{found} tables agree with the print; {'all' if shown == found else f'the {shown} at the ends'}")
        notes[-1] += " are shown, none is preferred"
    if any(c.convention == "truncation" for c in table.candidates):
        notes.append("percentages must have been cut, not rounded")
    return "; ".join(notes)


def _rates_of_sums(study: Study) -> Iterator[Rate]:
    """Endpoints that nobody prints but whose disjoint components are all counted (CR + VGPR)."""
    printed = {(rate.population, rate.endpoint): rate for rate in single_rates(study)}
    for name, endpoint in study.definition.endpoints.items():
        for population in study.definition.populations if endpoint.components else ():
            parts = [printed.get((population, component)) for component in endpoint.components]
            known = [part for part in parts if part is not None and len(part.candidates) == 1]
            if (population, name) in printed or len(known) < len(parts):
                continue
            if len({part.candidates[0][1] for part in known}) == 1:
                total = sum(part.candidates[0][0] for part in known), known[0].candidates[0][1]
                yield Rate(population, name, (total,), _distinct(row for part in known for row in part.ledger_rows))


def _tables_of_populations(study: Study, rates: Iterable[Rate]) -> Iterator[CountTable]:
    """Tables whose levels are printed as populations of their own, such as regimens.

    Populations that are different levels of one factor within one parent share no patient; they need
    not add up to the parent.
    """
    tables: dict[tuple[str, str, str], dict[str, Rate]] = {}
    for rate in rates:
        defined = study.definition.populations[rate.population]
        if defined.parent and defined.factor and defined.level and rate.candidates:
            tables.setdefault((defined.parent, rate.endpoint, defined.factor), {})[defined.level] = rate
    for (parent, endpoint, factor), by_level in tables.items():
        levels = tuple(level for level in study.definition.factors[factor].levels if level in by_level)
        if len(levels) < 2:
            continue
        fillings = product(*(by_level[level].candidates for level in levels))
        candidates = tuple(
            Candidate(tuple(r for r, _ in cells), tuple(n for _, n in cells), "rounding") for cells in fillings
        )
        rows = _distinct(row for level in levels for row in by_level[level].ledger_rows)
        yield CountTable(parent, endpoint, factor, levels, candidates, (), (), rows)


def _distinct(rows: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(rows))
