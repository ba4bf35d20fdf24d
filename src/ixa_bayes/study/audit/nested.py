"""Parts that lie within a whole: nested groups and their differences, and endpoints that count those of others."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from ixa_bayes.formulas.two_by_two import fisher_exact_p
from ixa_bayes.study.audit import consequences as then
from ixa_bayes.study.audit.findings import NUMBERS_OF_PARTICIPANTS, Finding
from ixa_bayes.study.audit.prints import Prints, Subject, digits, is_ambiguous
from ixa_bayes.study.counts import CountTable
from ixa_bayes.study.definition import PATIENTS, Nesting, Subgroup
from ixa_bayes.study.ledger_rows import Row
from ixa_bayes.study.sizes import Possible

NESTED: Final = "nested_groups"


def check_nested(prints: Prints) -> Iterator[Finding]:
    """Parts above their whole, and counts of nested groups that leave an impossible rest."""
    for subject in prints.by_subject:
        if subject[3] in prints.definition.endpoints:
            yield from _within(prints, subject)
            yield from _included(prints, subject)
    for nesting in prints.definition.nesting:
        yield from _nested_sizes(prints, nesting)
        yield from _subtraction(prints, nesting)
    yield from _nested_sums(prints)


def _within(prints: Prints, subject: Subject) -> Iterator[Finding]:
    population, factor, level, endpoint = subject
    inner = [row for row in prints.select(subject, "count", "percent") if row["count"]]
    for name in prints.definition.endpoints[endpoint].within:
        outer = [r for r in prints.select((population, factor, level, name), "count", "percent") if r["count"]]
        for small in inner[:1]:
            for large in outer[:1]:
                if int(small["count"]) > int(large["count"]):
                    yield _exceeds(prints, small, large)


def _included(prints: Prints, subject: Subject) -> Iterator[Finding]:
    """Events of one endpoint that are events of another too: deaths, where they count for it."""
    population, factor, level, endpoint = subject
    outer = _n_events(prints, subject)
    for name in prints.definition.endpoints[endpoint].includes:
        inner = _n_events(prints, (population, factor, level, name))
        if not inner.values or not outer.values or min(inner.values) <= max(outer.values):
            continue
        rows = (*inner.ledger_rows, *outer.ledger_rows)
        most, least = max(outer.values), min(inner.values)
        yield Finding(
            NESTED,
            "note" if any(is_ambiguous(prints.by_id[row]) for row in rows) else "contradiction",
            rows,
            printed="; ".join(
                f"{prints.endpoint_words(row['endpoint'])} {row['count']} {row['kind']}"
                for row in map(prints.by_id.__getitem__, rows)
                if row["kind"] in ("events", "censored")
            ),
            computed=f"{least} events, of {most} at most",
            explanation=f"{prints.endpoint_words(name)}, {prints.group_words(population, factor, level)}: {least} "
            f"events are more than the {most} of {prints.endpoint_words(endpoint)}, which counts each of them.",
            consequence=then.EVENTS_OF_SUBGROUP if factor else then.EACH_ENDPOINT_S_EVENTS,
            inspect_sr_item=NUMBERS_OF_PARTICIPANTS,
        )


def _n_events(prints: Prints, subject: Subject) -> Possible:
    """Events of a group: as printed, or its size less the censored."""
    if not subject[1]:
        return prints.events(subject[0], subject[3])
    if rows := prints.select(subject, "events"):
        return Possible(tuple(sorted(int(row["count"]) for row in rows)), tuple(row["id"] for row in rows))
    size = prints.size(*subject[:3])
    rows = prints.select(subject, "censored")
    counts = (size.exact - int(row["count"]) for row in rows) if size.exact is not None else ()
    return Possible(tuple(sorted(n for n in counts if n >= 0)), (*size.ledger_rows, *(row["id"] for row in rows)))


def _exceeds(prints: Prints, small: Row, large: Row) -> Finding:
    return Finding(
        NESTED,
        "note" if is_ambiguous(small) or is_ambiguous(large) else "contradiction",
        (small["id"], large["id"]),
        printed=f"{small['count']} and {large['count']}",
        computed=f"at most {large['count']}",
        explanation=f"{prints.subject_words(small)}: {small['count']} patients are more than the {large['count']} of "
        f"{prints.subject_words(large)}, of which they are a part.",
        consequence=prints.adjudication_words([small["id"], large["id"]]) or then.NOT_COMBINED,
        inspect_sr_item=NUMBERS_OF_PARTICIPANTS,
        mends=_mends_of_order(prints, small, large),
    )


def _mends_of_order(prints: Prints, small: Row, large: Row) -> dict[str, frozenset[int]]:
    """Counts of either row with which a part does not exceed its whole."""
    most = max(prints.size(large["population"]).values, default=int(small["count"]))
    return {
        small["id"]: frozenset(range(int(large["count"]) + 1)),
        large["id"]: frozenset(range(int(small["count"]), most + 1)),
    }


def _nested_sizes(prints: Prints, nesting: Nesting) -> Iterator[Finding]:
    inner, outer = nesting.inner, nesting.outer
    for population in prints.definition.populations:
        small = _counted(prints, (population, inner.factor, inner.level, PATIENTS))
        large = _counted(prints, (population, outer.factor, outer.level, PATIENTS))
        if small and large and int(small["count"]) > int(large["count"]):
            yield _exceeds(prints, small, large)


def _nested_sums(prints: Prints) -> Iterator[Finding]:
    """Several levels of one factor within the same group: their sizes cannot add up to more than it."""
    inside: dict[tuple[Subgroup, str], list[str]] = defaultdict(list)
    for nesting in prints.definition.nesting:
        inside[nesting.outer, nesting.inner.factor].append(nesting.inner.level)
    for population in prints.definition.populations:
        for (outer, factor), levels in inside.items():
            whole = _counted(prints, (population, outer.factor, outer.level, PATIENTS))
            parts = [_counted(prints, (population, factor, level, PATIENTS)) for level in dict.fromkeys(levels)]
            known = [part for part in parts if part]
            total = sum(int(part["count"]) for part in known)
            if whole is None or len(known) < 2 or total <= int(whole["count"]):
                continue
            yield Finding(
                NESTED,
                "note" if any(map(is_ambiguous, [whole, *known])) else "contradiction",
                (whole["id"], *(part["id"] for part in known)),
                printed=f"{whole['count']}; {', '.join(part['count'] for part in known)}",
                computed=f"together {total}",
                explanation=f"{prints.subject_words(whole)}: the subgroups within it count more patients together.",
                consequence=then.SIZES_NOT_COMBINED,
                inspect_sr_item=NUMBERS_OF_PARTICIPANTS,
            )


def _counted(prints: Prints, subject: Subject) -> Row | None:
    return next((row for row in prints.select(subject, "count", "percent") if row["count"]), None)


def _subtraction(prints: Prints, nesting: Nesting) -> Iterator[Finding]:
    """Counts of the patients in the outer group who are not in the inner one."""
    for table in prints.closed_tables:
        if table.factor != nesting.inner.factor or nesting.inner.level not in table.levels:
            continue
        for other in prints.closed_tables:
            same = (other.population, other.endpoint) == (table.population, table.endpoint)
            if not same or other.factor != nesting.outer.factor or nesting.outer.level not in other.levels:
                continue
            inner = _cell(table, nesting.inner.level)
            outer = _cell(other, nesting.outer.level)
            rows = tuple(dict.fromkeys((*table.ledger_rows, *other.ledger_rows)))
            yield from _difference(prints, nesting, (table.population, table.endpoint), inner, outer, rows=rows)


def _cell(table: CountTable, level: str) -> set[tuple[int, int]]:
    index = table.levels.index(level)
    return {(c.responders[index], c.evaluable[index]) for c in table.candidates}


def _difference(
    prints: Prints,
    nesting: Nesting,
    subject: tuple[str, str],
    inner: set[tuple[int, int]],
    outer: set[tuple[int, int]],
    *,
    rows: tuple[str, ...],
) -> Iterator[Finding]:
    rest = {(R - r, N - n) for r, n in inner for R, N in outer}
    possible = {(r, n) for r, n in rest if 0 <= r <= n}
    population, endpoint = subject
    small = prints.group_words(population, nesting.inner.factor, nesting.inner.level)
    large = prints.group_words(population, nesting.outer.factor, nesting.outer.level)
    words = prints.endpoint_words(endpoint)
    text = f"{_cells(inner)} in {small}; {_cells(outer)} in {large}"
    if not possible:
        explanation = (
            f"{words}: every patient of {small} belongs to {large}, but their counts leave an impossible rest."
        )
        yield _impossible_rest(prints, rows, printed=text, computed=_cells(rest), explanation=explanation)
    elif len(possible) == 1 and len(inner) == 1:
        ((r, n),), ((r_in, n_in),) = possible, inner
        if n == 0:
            return
        p = float(fisher_exact_p(r_in, n_in, r, n))
        yield Finding(
            NESTED,
            "note",
            rows,
            printed=text,
            computed=f"{r}/{n} = {100 * r / n:.1f}% in the rest; Fisher p = {digits(p)} against {r_in}/{n_in}",
            explanation=f"{words}: by subtraction, {r} of {n} patients of {large} who do not belong to {small}.",
            consequence=then.THIS_FINDING_ONLY,
        )


def _impossible_rest(
    prints: Prints, rows: tuple[str, ...], *, printed: str, computed: str, explanation: str
) -> Finding:
    return Finding(
        NESTED,
        "note" if any(is_ambiguous(prints.by_id[row]) for row in rows) else "contradiction",
        rows,
        printed=printed,
        computed=f"the rest would be {computed}",
        explanation=explanation,
        consequence=then.TABLES_ALONE,
        inspect_sr_item=NUMBERS_OF_PARTICIPANTS,
    )


def _cells(pairs: set[tuple[int, int]]) -> str:
    shown = [f"{r}/{n}" for r, n in sorted(pairs)[:3]]
    return " or ".join(shown) + (f" (one of {len(pairs)})" if len(pairs) > 3 else "")
