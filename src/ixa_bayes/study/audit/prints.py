"""The ledger as the checks read it: rows by what they are about, group sizes, and the words for both."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property

from ixa_bayes.formulas.printed import PrintedNumber, is_not_reached
from ixa_bayes.study.counts import CountTable, count_tables, single_rates
from ixa_bayes.study.definition import PATIENTS
from ixa_bayes.study.effects import Comparison
from ixa_bayes.study.ledger import Study, records
from ixa_bayes.study.ledger_rows import AMBIGUOUS, IMPOSSIBLE, RATIO_KINDS, Row, number
from ixa_bayes.study.log_rank import n_events
from ixa_bayes.study.sizes import Possible, evaluable, sizes

Subject = tuple[str, str, str, str]
INTERVAL_NAMES = {"ci95": "95% CI", "ci90": "90% CI", "ci99": "99% CI", "range": "range", "iqr": "quartiles"}


class Prints:
    """A study's printed statistics, indexed for the checks.

    Parameters
    ----------
    study : Study
        Its printed values are audited; its adjudications are only named in consequences, and used
        where a table of counts does not close without them.

    Attributes
    ----------
    rows : list of dict
        The rows that every check reads.
    impossible : list of dict
        Those that are marked as printed though impossible; they are named, and nothing follows from them.
    """

    def __init__(self, study: Study) -> None:
        self.used = study
        self.study = study.as_printed()
        self.definition = study.definition
        everything = records(study.statistics)
        self.by_id = {row["id"]: row for row in everything}
        self.impossible: list[Row] = [row for row in everything if row["reading"] == IMPOSSIBLE]
        self.rows: list[Row] = [row for row in everything if row["reading"] != IMPOSSIBLE]
        self._events: dict[tuple[str, str], Possible] = {}
        self._sizes: dict[tuple[str, str, str], Possible] = {}
        self._evaluable: dict[Subject, Possible] = {}
        self.by_subject: dict[Subject, list[Row]] = defaultdict(list)
        for row in self.rows:
            if not row["comparator"]:
                self.by_subject[row["population"], row["factor"], row["level"], row["endpoint"]].append(row)

    @cached_property
    def tables(self) -> list[CountTable]:
        """Tables of counts behind the printed percentages."""
        return count_tables(self.study)

    @cached_property
    def closed_tables(self) -> list[CountTable]:
        """The tables that have counts: as printed where that closes, else with the adjudicated values."""
        if not self.definition.adjudications:
            return [table for table in self.tables if table.candidates]
        used = {(table.population, table.endpoint, table.factor): table for table in count_tables(self.used)}
        chosen = [
            table if table.candidates else used.get((table.population, table.endpoint, table.factor), table)
            for table in self.tables
        ]
        return [table for table in chosen if table.candidates]

    def select(self, subject: Subject, *kinds: str) -> list[Row]:
        """Rows about a population (or a level in it) and endpoint, of the given kinds."""
        return [row for row in self.by_subject.get(subject, []) if row["kind"] in kinds]

    @cached_property
    def claims_by_factor(self) -> dict[str, list[Row]]:
        """Rows that say which of two levels of a factor has the larger or better values."""
        found: dict[str, list[Row]] = defaultdict(list)
        for row in self.rows:
            if row["claim"] not in ("", "no_difference"):
                found[row["factor"]].append(row)
        return found

    @cached_property
    def adjusted(self) -> dict[tuple[str, str, str], list[Row]]:
        """Rows of multivariable hazard ratios by population, endpoint and factor."""
        found: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
        for row in self.rows:
            if row["kind"] == "hazard_ratio" and row["adjustment"] == "multivariable":
                found[row["population"], row["endpoint"], row["factor"]].append(row)
        return found

    def size(self, population: str, factor: str = "", level: str = "") -> Possible:
        """Possible numbers of patients in a population or a level."""
        key = (population, factor, level)
        if key not in self._sizes:
            self._sizes[key] = sizes(self.study, population, factor=factor, level=level)
        return self._sizes[key]

    def evaluable(self, population: str, factor: str, level: str, *, endpoint: str) -> Possible:
        """Possible numbers of patients that a binary endpoint's count is out of."""
        key = (population, factor, level, endpoint)
        if key not in self._evaluable:
            self._evaluable[key] = evaluable(self.study, population, endpoint, factor=factor, level=level)
        return self._evaluable[key]

    def events(self, population: str, endpoint: str) -> Possible:
        """Possible numbers of events of a time-to-event endpoint in a population."""
        if (population, endpoint) not in self._events:
            self._events[population, endpoint] = n_events(self.study, population, endpoint)
        return self._events[population, endpoint]

    def comparison(self, row: Row) -> Comparison | None:
        """The two levels that a row compares; None if it compares none or more than two."""
        if not row["factor"] or not row["level"]:
            return None
        others = [level for level in self.definition.factors[row["factor"]].levels if level != row["level"]]
        comparator = row["comparator"] or (others[0] if len(others) == 1 else "")
        if not comparator:
            return None
        return Comparison(row["endpoint"], row["population"], row["factor"], row["level"], comparator)

    def kind_of(self, endpoint: str) -> str:
        """Kind of an endpoint; the head count of a subgroup is ``patients``."""
        return PATIENTS if endpoint == PATIENTS else self.definition.endpoints[endpoint].kind

    # words -----------------------------------------------------------------------------------

    def endpoint_words(self, endpoint: str) -> str:
        """The endpoint's label."""
        return "Patients" if endpoint == PATIENTS else self.definition.endpoints[endpoint].label

    def group_words(self, population: str, factor: str = "", level: str = "") -> str:
        """A population, or a level of a factor in it, in the study's own words."""
        words = self.definition.populations[population].label
        if not factor:
            return words
        name = self.level_words(factor, level) if level else self.definition.factors[factor].label
        return f"{name} ({words})"

    def level_words(self, factor: str, level: str) -> str:
        """A level in the study's own words, with its factor where the level does not name it."""
        defined = self.definition.factors[factor]
        words = defined.levels[level]
        return words if defined.label.casefold() in words.casefold() else f"{defined.label}: {words}"

    def subject_words(self, row: Row) -> str:
        """What a row is about."""
        words = f"{self.endpoint_words(row['endpoint'])}, "
        if not row["comparator"]:
            return words + self.group_words(row["population"], row["factor"], row["level"])
        defined = self.definition.factors[row["factor"]]
        return (
            words + f"{self.level_words(row['factor'], row['level'])} against {defined.levels[row['comparator']]} "
            f"({self.definition.populations[row['population']].label})"
        )

    def adjudication_words(self, rows: Iterable[str]) -> str:
        """What study.toml puts in place of the values of rows, empty if nothing."""
        wanted = set(rows)
        return " ".join(
            f"The reanalysis uses {given.used} for {given.row} wherever it needs this value"
            + ("; what the printed value gives is listed beside it." if self._is_recounted(given.row) else ".")
            for given in self.definition.adjudications
            if given.row in wanted
        )

    def _is_recounted(self, row: str) -> bool:
        return self.by_id[row]["reading"] != IMPOSSIBLE and row in self._recounted

    @cached_property
    def _recounted(self) -> frozenset[str]:
        """Rows behind counts that are not the same as printed and as adjudicated."""

        def counts(study: Study) -> dict[tuple[str, str, str], tuple[object, tuple[str, ...]]]:
            rates = {(rate.population, rate.endpoint, ""): rate for rate in single_rates(study)}
            tables = {(table.population, table.endpoint, table.factor): table for table in count_tables(study)}
            return {key: (found.candidates, found.ledger_rows) for key, found in (rates | tables).items()}

        used = counts(self.used)
        pairs = [(found, used[key]) for key, found in counts(self.study).items() if key in used]
        return frozenset(row for old, new in pairs if old[0] != new[0] for row in (*old[1], *new[1]))


def is_ambiguous(row: Row) -> bool:
    """Whether the text allows more than one reading of a row."""
    return row["reading"] == AMBIGUOUS


def value_of(row: Row, column: str = "value") -> PrintedNumber | None:
    """The printed number in a cell; None if it is empty or ``not reached``."""
    return None if not row[column] or is_not_reached(row[column]) else number(row[column])


def row_words(row: Row) -> str:
    """A row as a paper would print it."""
    head = row["value"]
    if row["kind"] in ("percent", "survival_percent"):
        head = f"{head}% at {row['time']}" if row["time"] else f"{head}%"
    if row["count"]:
        counted = f"{row['count']}/{row['denominator']}" if row["denominator"] else row["count"]
        head = f"{counted} ({head})" if head else counted
    if row["kind"] in RATIO_KINDS:
        head = f"{row['kind'].split('_')[0][0].upper()}R {head}"
    if row["interval"]:
        head = f"{head} ({INTERVAL_NAMES[row['interval']]} {row['lower']} to {row['upper']})".strip()
    return ", ".join(part for part in (head, p_words(row["p"])) if part)


def p_words(p: str) -> str:
    """A p value with its letter: ``p = 0.03``, ``p < 0.001``, ``p NS``."""
    if not p:
        return ""
    return f"p = {p}" if p[0].isdigit() or p[0] == "." else f"p {p}"


def counted(count: int, noun: str) -> str:
    """A number with its noun: ``1 ratio``, ``3 ratios``."""
    return f"{count} {noun if count == 1 else noun + 's'}"


def listed(items: Sequence[str], most: int = 12) -> str:
    """Items joined by commas, with a count of those beyond the first few."""
    shown = ", ".join(items[:most])
    return f"{shown} and {len(items) - most} more" if len(items) > most else shown


def digits(value: float, significant: int = 3) -> str:
    """A computed number to a few significant digits, without an exponent where it can be read."""
    return f"{value:.{significant}g}" if 1e-4 <= abs(value) < 10**significant or value == 0 else f"{value:.3g}"


def overlap(first: tuple[float, float], second: tuple[float, float], *, relative: float = 1e-9) -> bool:
    """Whether two closed intervals meet, up to floating-point error."""
    slack = relative * max(abs(first[0]), abs(first[1]), 1e-12)
    return first[0] <= second[1] + slack and second[0] <= first[1] + slack
