"""Tables of counts behind printed percentages: every filling that the ledger allows.

A percentage alone allows several counts; a table of subgroups that partition a population allows
few, often one, because its rows must add up to the printed total. The sizes of the groups come from
:mod:`ixa_bayes.study.sizes`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ixa_bayes.errors import InputError, Problem
from ixa_bayes.formulas.printed import parse_p
from ixa_bayes.formulas.two_by_two import fisher_exact_p
from ixa_bayes.study.culprits import Culprit, culprits
from ixa_bayes.study.definition import PATIENTS, Endpoint, StudyDefinition
from ixa_bayes.study.hints import did_you_mean
from ixa_bayes.study.joins import Candidate, Join
from ixa_bayes.study.ledger import Study, study_from
from ixa_bayes.study.ledger_rows import Row
from ixa_bayes.study.sizes import CONVENTIONS, GroupPrints, Pair, group_prints

__all__ = [
    "Candidate",
    "CountTable",
    "Culprit",
    "Rate",
    "agreeing_with_p",
    "count_table",
    "count_tables",
    "fisher_p",
    "single_rates",
]

Status = Literal["unique", "several", "impossible"]


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


def count_tables(study: Study | Path | str) -> list[CountTable]:
    """Every table of a binary endpoint over a factor that the ledger prints rates for.

    Returns
    -------
    list of CountTable
        In the order of the ledger; tables with fewer than two levels are left out.

    Examples
    --------
    >>> import ixa_bayes as ib
    >>> [table.factor for table in ib.count_tables("zhou2026") if table.population == "all"]
    ['triple_class_refractory', 'prior_lines_gt_1', 'pi_refractory']
    """
    study = study_from(study)
    subjects = dict.fromkeys(
        (p, e, f) for p, f, level, e in group_prints(study).by_subject if f and level and e != PATIENTS
    )
    tables = [count_table(study, population, endpoint, factor) for population, endpoint, factor in subjects]
    return [table for table in tables if table is not None]


def count_table(study: Study | Path | str, population: str, endpoint: str, factor: str) -> CountTable | None:
    """Every filling of one table of counts that agrees with all its prints.

    Parameters
    ----------
    study : Study, path or str
        A study, its folder or a built-in name. Adjudicated values are used; pass ``study.as_printed()``
        for the printed ones.
    population, endpoint, factor : str
        Names of study.toml; the endpoint is binary.

    Returns
    -------
    CountTable or None
        None if fewer than two levels can be filled.

    Raises
    ------
    InputError
        If study.toml does not define one of the names.

    Notes
    -----
    For levels that partition the population both counts add up to the population's; otherwise the
    rest must be possible too. Percentages are read as rounded, and as truncated only where no
    table of rounded ones exists; the other way round in a paper that truncates its percentages.

    Examples
    --------
    >>> import ixa_bayes as ib
    >>> table = ib.count_table("zhou2026", "all", "orr", "triple_class_refractory")
    >>> table.levels, table.candidates[0].responders, table.candidates[0].evaluable
    (('yes', 'no'), (2, 62), (19, 103))
    """
    study = study_from(study)
    if problems := list(_unknown_names(study.definition, population, endpoint, factor)):
        raise InputError(problems)
    prints = group_prints(study)
    definition = study.definition.factors[factor]
    printed = [level for level in definition.levels if prints.by_subject[population, factor, level, endpoint]]
    left_out = [level for level in definition.levels if level not in printed]
    closes = definition.complete and len(left_out) <= 1
    levels = tuple(definition.levels) if closes else tuple(printed)
    if len(levels) < 2 or not printed:
        return None
    join = Join(population, endpoint, factor, levels, closes=closes)
    fillings = (join.fill(prints, convention) for convention in dict.fromkeys((*prints.conventions, *CONVENTIONS)))
    candidates = tuple(next(filter(None, fillings), ()))
    return CountTable(
        population,
        endpoint,
        factor,
        levels,
        candidates=candidates,
        culprits=() if candidates else tuple(culprits(prints, join)),
        p_rows=tuple(row["id"] for row in prints.p_values[population, factor, endpoint] if _compares(row, levels)),
        ledger_rows=_rows_behind(prints, join),
    )


def _unknown_names(definition: StudyDefinition, population: str, endpoint: str, factor: str) -> Iterator[Problem]:
    """Faults of names that a caller gave."""
    given: dict[str, tuple[str, Iterable[str]]] = {
        "population": (population, definition.populations),
        "endpoint": (endpoint, definition.endpoints),
        "factor": (factor, definition.factors),
    }
    for role, (name, known) in given.items():
        if name not in known:
            mend = did_you_mean(name, known) or f"pass one of these, or define the {role} in study.toml"
            yield Problem(role, repr(name), f"study.toml defines {', '.join(known) or 'none'}", mend)


def _rows_behind(prints: GroupPrints, join: Join) -> tuple[str, ...]:
    """Rows of the rates, then rows of the sizes."""
    groups = [("", ""), *((join.factor, level) for level in join.levels)]
    rates = [row["id"] for group in groups for row in prints.by_subject[(join.population, *group, join.endpoint)]]
    sizes = [row for group in groups for row in prints.evaluable(join.population, join.endpoint, *group).ledger_rows]
    return tuple(dict.fromkeys((*rates, *sizes)))


def _compares(row: Row, levels: Sequence[str]) -> bool:
    """Whether a p value compares all these levels with each other."""
    named = {row["level"], row["comparator"]} - {""}
    return not named or named == set(levels) or (len(levels) == 2 and named <= set(levels))


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
