"""Log-rank comparisons as the ledger prints them: p, group sizes, events, and which group did worse."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import inf

from ixa_bayes.formulas.printed import PrintedP, is_not_reached, parse_p
from ixa_bayes.study.definition import StudyDefinition
from ixa_bayes.study.effects import Comparison, NotExtractable, comparison_of, repeats
from ixa_bayes.study.ledger import Study, records
from ixa_bayes.study.ledger_rows import Row, number
from ixa_bayes.study.sizes import Possible, group_prints, sizes

_TURNED = {"better": "worse", "worse": "better", "higher": "lower", "lower": "higher"}
"""What a sentence says of the first group, said of the second."""


@dataclass(frozen=True)
class LogRankPrint:
    """A two-group log-rank test with all that its effect can be read from.

    Attributes
    ----------
    comparison : Comparison
    p : PrintedP
        Two-sided.
    direction : {1, -1, 0}
        1 if the level's hazard is printed as the higher one, -1 the lower, 0 if the print does not say.
    n_level, n_comparator : int
        Patients in the two groups.
    n_events : int
        In both groups together.
    medians : tuple of str
        Printed medians of level and comparator; empty strings where none is printed.
    ledger_rows : tuple of str
    """

    comparison: Comparison
    p: PrintedP
    direction: int
    n_level: int
    n_comparator: int
    n_events: int
    medians: tuple[str, str]
    ledger_rows: tuple[str, ...]


def n_events(study: Study, population: str, endpoint: str) -> Possible:
    """Possible numbers of events of a time-to-event endpoint in a whole population.

    Printed events, else the population's size less the printed number of censored patients.
    """
    rows = [
        row
        for row in group_prints(study).rows
        if row["population"] == population and row["endpoint"] == endpoint and not row["factor"]
    ]
    printed = [row for row in rows if row["kind"] == "events"]
    if printed:
        return Possible(tuple(sorted({int(row["count"]) for row in printed})), tuple(row["id"] for row in printed))
    censored = [row for row in rows if row["kind"] == "censored"]
    size = sizes(study, population)
    if not censored or size.exact is None:
        return Possible(())
    values = sorted({size.exact - int(row["count"]) for row in censored if int(row["count"]) <= size.exact})
    return Possible(tuple(values), (*size.ledger_rows, *(row["id"] for row in censored)))


def log_rank_prints(study: Study) -> tuple[list[LogRankPrint], list[NotExtractable]]:
    """Every two-group log-rank comparison of a study, repeats joined.

    Parameters
    ----------
    study : Study
        Adjudicated values are used.

    Returns
    -------
    list of LogRankPrint
        One per comparison, in the order of the ledger, with the p value of most printed digits.
    list of NotExtractable
        Comparisons whose p value alone does not give an effect, and what is missing.
    """
    rows = records(study.used())
    tests = (row for row in rows if row["kind"] == "p_value" and _is_log_rank(study.definition, row))
    found: list[LogRankPrint] = []
    missing: list[NotExtractable] = []
    for (comparison, _), p_rows in repeats(tests).items():
        result = _read(study, comparison, p_rows, rows)
        if isinstance(result, LogRankPrint):
            found.append(result)
        else:
            missing.append(result)
    return found, missing


def _is_log_rank(definition: StudyDefinition, row: Row) -> bool:
    endpoint = definition.endpoints.get(row["endpoint"])
    return endpoint is not None and endpoint.test_used == "log_rank"


def _read(
    study: Study, comparison: Comparison, p_rows: Sequence[Row], rows: Sequence[Row]
) -> LogRankPrint | NotExtractable:
    best = min(p_rows, key=lambda row: (parse_p(row["p"]).operator != "=", parse_p(row["p"]).number.step))
    ids = [row["id"] for row in p_rows]
    if not comparison.level or not comparison.comparator:
        return NotExtractable(
            comparison, "the p value compares more than two groups, or does not say which", tuple(ids)
        )
    groups = [
        sizes(study, comparison.population, factor=comparison.factor, level=level)
        for level in (comparison.level, comparison.comparator)
    ]
    whole = sizes(study, comparison.population)
    events = n_events(study, comparison.population, comparison.endpoint)
    lacking = []
    unknown = [
        study.definition.factors[comparison.factor].levels[level]
        for level, group in zip((comparison.level, comparison.comparator), groups, strict=True)
        if group.exact is None
    ]
    if len(unknown) == len(groups):
        lacking.append("the number of patients in each group")
    elif unknown:
        lacking.append(f"the number of patients in the group “{unknown[0]}”")
    elif events.values and whole.exact is not None and sum(group.values[0] for group in groups) != whole.exact:
        lacking.append("the number of events among the patients compared (others have no value of the factor)")
    if not events.values or max(events.values) == 0:
        lacking.append("the number of events")
    elif whole.exact is not None and max(events.values) > whole.exact:
        lacking.append("a number of events that does not exceed the patients")
    if lacking:
        return NotExtractable(comparison, " and ".join(lacking), tuple(ids))
    medians, median_rows = _medians(comparison, rows)
    direction = _direction(study.definition, comparison, medians, p_rows)
    if direction == 0 and parse_p(best["p"]).operator in ("=", "<", "<="):
        return NotExtractable(comparison, "which group did worse", tuple(ids))
    used = [*ids, *median_rows, *groups[0].ledger_rows, *groups[1].ledger_rows, *events.ledger_rows]
    return LogRankPrint(
        comparison,
        p=parse_p(best["p"]),
        direction=direction,
        n_level=groups[0].values[0],
        n_comparator=groups[1].values[0],
        n_events=max(events.values),
        medians=medians,
        ledger_rows=tuple(dict.fromkeys(used)),
    )


def _medians(comparison: Comparison, rows: Sequence[Row]) -> tuple[tuple[str, str], list[str]]:
    """Printed medians of level and comparator, the first of each, and the rows they stand in."""
    texts, ids = [], []
    for level in (comparison.level, comparison.comparator):
        of_level = [
            row
            for row in rows
            if row["kind"] == "median"
            and (row["endpoint"], row["population"], row["factor"], row["level"])
            == (comparison.endpoint, comparison.population, comparison.factor, level)
        ]
        texts.append(of_level[0]["value"] if of_level else "")
        ids += [row["id"] for row in of_level[:1]]
    return (texts[0], texts[1]), ids


def _direction(
    definition: StudyDefinition, comparison: Comparison, medians: tuple[str, str], p_rows: Sequence[Row]
) -> int:
    """Sign of the level's log hazard ratio: by the medians, else by what the text says."""
    level, comparator = (_as_time(text) for text in medians)
    if level is not None and comparator is not None and level != comparator:
        return 1 if level < comparator else -1
    longer_is = {"higher": "better", "lower": "worse"}.get(definition.endpoints[comparison.endpoint].better)
    claims = {
        row["claim"] if comparison_of(row) == comparison else _TURNED.get(row["claim"], row["claim"]) for row in p_rows
    } - {"", "no_difference"}
    if claims & {"higher", longer_is}:
        return -1
    if claims and longer_is is not None:
        return 1
    return 1 if "lower" in claims else 0


def _as_time(text: str) -> Fraction | float | None:
    if not text:
        return None
    return inf if is_not_reached(text) else number(text).exact
