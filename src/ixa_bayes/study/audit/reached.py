"""Numbers of events beside the survival median that they must, or cannot, have reached."""

from collections.abc import Iterator, Sequence
from typing import Final

from ixa_bayes.formulas.printed import is_not_reached
from ixa_bayes.study.audit import consequences as then
from ixa_bayes.study.audit.findings import POSSIBLE_STATISTICS, Finding
from ixa_bayes.study.audit.prints import Prints, counted, is_ambiguous
from ixa_bayes.study.ledger_rows import Row

CHECK: Final = "events_and_median"


def check_reached(prints: Prints) -> Iterator[Finding]:
    """A median that is reached without an event, or not reached though more than half had the event.

    Notes
    -----
    At the k-th of d events at most ``n - k + 1`` of n patients are at risk, also where some enter late, so
    that the Kaplan-Meier estimate ends at ``(n - d) / n`` or below. One event can bring it to 0, if the
    others have left.
    """
    for row in prints.rows:
        if row["kind"] != "median" or not row["value"] or prints.kind_of(row["endpoint"]) != "time_to_event":
            continue
        events, size, rows = _numbers(prints, row)
        if not events or not size:
            continue
        if is_not_reached(row["value"]) and 2 * min(events) > max(size):
            computed = f"{min(events)} of {counted(max(size), 'patient')} had the event, more than half"
            yield _finding(prints, row, rows, computed, reached=False)
        if not is_not_reached(row["value"]) and max(events) == 0:
            yield _finding(prints, row, rows, "nobody had the event", reached=True)


def _numbers(prints: Prints, row: Row) -> tuple[Sequence[int], Sequence[int], tuple[str, ...]]:
    """Possible numbers of events and of patients of a row's group, and the rows they rest on."""
    population, factor, level, endpoint = row["population"], row["factor"], row["level"], row["endpoint"]
    size = prints.size(population, factor, level)
    if not factor:
        events = prints.events(population, endpoint)
        return events.values, size.values, (*events.ledger_rows, *size.ledger_rows)
    rows = prints.select((population, factor, level, endpoint), "events")
    return [int(found["count"]) for found in rows], size.values, (*(found["id"] for found in rows), *size.ledger_rows)


def _finding(prints: Prints, row: Row, rows: Sequence[str], computed: str, *, reached: bool) -> Finding:
    ids = tuple(dict.fromkeys((row["id"], *rows)))
    ambiguous = any(is_ambiguous(prints.by_id[name]) for name in ids)
    used = then.EVENTS_OF_SUBGROUP if row["factor"] else then.EACH_ENDPOINT_S_EVENTS
    return Finding(
        CHECK,
        "note" if ambiguous else "contradiction",
        ids,
        printed=f"median {row['value']}",
        computed=computed,
        explanation=f"{prints.subject_words(row)}: the median is printed as "
        + ("reached, which takes an event." if reached else "not reached, which these events exclude."),
        consequence=prints.adjudication_words(ids) or used,
        inspect_sr_item=POSSIBLE_STATISTICS,
    )
