"""Parts that add up to a whole: components of an endpoint, levels of a factor, events and censored patients."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Final

from ixa_bayes.formulas.printed import counts_printed_as
from ixa_bayes.study.audit import consequences as then
from ixa_bayes.study.audit.findings import NUMBERS_OF_PARTICIPANTS, POSSIBLE_STATISTICS, Finding
from ixa_bayes.study.audit.prints import Prints, Subject, is_ambiguous, row_words
from ixa_bayes.study.definition import PATIENTS
from ixa_bayes.study.ledger_rows import Row, number
from ixa_bayes.study.sizes import CONVENTIONS, Possible

COMPONENTS: Final = "components_add_up"
SIZES: Final = "sizes_add_up"
Bounds = tuple[int, int]


def check_sums(prints: Prints) -> Iterator[Finding]:
    """Components that do not add up to their endpoint, levels to their population, events to their patients."""
    for subject in prints.by_subject:
        if subject[3] in prints.definition.endpoints:
            yield from _components(prints, subject)
    yield from _levels(prints)
    yield from _events(prints)


def _bounds(rows: list[Row], n: int) -> Bounds | None:
    """Smallest and largest count that all rows of one group allow out of ``n``; None if they exclude each other."""
    low, high = 0, n
    for row in rows:
        if row["count"]:
            counts = range(int(row["count"]), int(row["count"]) + 1)
        else:
            spans = [counts_printed_as(number(row["value"]), denominator=n, convention=how) for how in CONVENTIONS]
            spans = [span for span in spans if len(span)]
            if not spans:
                return None
            counts = range(min(span[0] for span in spans), max(span[-1] for span in spans) + 1)
        low, high = max(low, counts[0]), min(high, counts[-1])
    return (low, high) if low <= high else None


def _rate_rows(prints: Prints, subject: Subject) -> list[Row]:
    """Count rows of a group, or where there is none its percentages."""
    rows = prints.select(subject, "count", "percent")
    return [row for row in rows if row["count"]] or rows


def _components(prints: Prints, subject: Subject) -> Iterator[Finding]:
    population, factor, level, endpoint = subject
    names = prints.definition.endpoints[endpoint].components
    whole = _rate_rows(prints, subject)
    parts = {name: _rate_rows(prints, (population, factor, level, name)) for name in names}
    if not names or not whole or not all(parts.values()):
        return
    out_of = [n for n in prints.evaluable(population, factor, level, endpoint=endpoint).values if n > 0]
    if out_of:
        if any(_adds_up(whole, parts, n) for n in out_of):
            return
        computed = _sum_words(whole, parts, out_of[0]) if len(out_of) == 1 else "for no number of evaluable patients"
    else:
        if _percentages_add_up(whole, parts):
            return
        computed = f"{sum(float(number(rows[0]['value']).exact) for rows in parts.values()):g}%"
    rows = [*whole, *(row for found in parts.values() for row in found)]
    ambiguous = any(is_ambiguous(row) for row in rows)
    yield Finding(
        COMPONENTS,
        "note" if ambiguous else "contradiction",
        tuple(row["id"] for row in rows),
        printed="; ".join(f"{prints.endpoint_words(row['endpoint'])} {row_words(row)}" for row in rows),
        computed=computed,
        explanation=f"{prints.endpoint_words(endpoint)}, {prints.group_words(population, factor, level)}: its "
        "components "
        "do not add up to it.",
        consequence=prints.adjudication_words(row["id"] for row in rows) or then.COMPONENTS_ALONE,
        inspect_sr_item=POSSIBLE_STATISTICS,
        mends=_mends_of_components(whole, list(parts.values()), out_of),
    )


def _mends_of_components(whole: list[Row], parts: list[list[Row]], out_of: list[int]) -> dict[str, frozenset[int]]:
    totals = {row["count"] for row in whole}
    if len(out_of) != 1 or len(totals) != 1 or not (total := totals.pop()):
        return {}
    if any(not row["count"] for rows in parts for row in rows):
        return {}
    return _mends_of_sum(parts, whole, int(total))


def _adds_up(whole: list[Row], parts: dict[str, list[Row]], n: int) -> bool:
    total, pieces = _bounds(whole, n), [_bounds(rows, n) for rows in parts.values()]
    # A percentage that no count gives is another check's finding.
    if total is None or any(piece is None for piece in pieces):
        return True
    low, high = (sum(piece[side] for piece in pieces if piece) for side in (0, 1))
    return low <= total[1] and high >= total[0]


def _sum_words(whole: list[Row], parts: dict[str, list[Row]], n: int) -> str:
    spans = [_bounds(rows, n) or (0, n) for rows in parts.values()]
    total = _bounds(whole, n) or (0, n)
    terms = " + ".join(_span_words(span) for span in spans)
    added = (sum(s[0] for s in spans), sum(s[1] for s in spans))
    return f"{terms} = {_span_words(added)} of {n}, not {_span_words(total)}"


def _span_words(span: Bounds) -> str:
    return str(span[0]) if span[0] == span[1] else f"{span[0]} to {span[1]}"


def _percentages_add_up(whole: list[Row], parts: dict[str, list[Row]]) -> bool:
    """Whether percentages alone can add up; each may be off by one unit of its last digit."""
    if not all(row["value"] for row in [*whole, *(rows[0] for rows in parts.values())]):
        return True
    pieces = [number(rows[0]["value"]) for rows in parts.values()]
    total = number(whole[0]["value"])
    slack = sum((piece.step for piece in pieces), Fraction(0)) + total.step
    return abs(sum((piece.exact for piece in pieces), Fraction(0)) - total.exact) <= slack


def _levels(prints: Prints) -> Iterator[Finding]:
    """Sizes of the levels of a factor against the size of the population."""
    for population in prints.definition.populations:
        whole = prints.size(population)
        n = whole.exact
        if n is None:
            continue
        for factor, defined in prints.definition.factors.items():
            printed = {
                level: rows
                for level in defined.levels
                if (rows := _rate_rows(prints, (population, factor, level, PATIENTS)))
            }
            spans = [span for rows in printed.values() if (span := _bounds(rows, n))]
            if len(spans) < len(printed) or not spans:
                continue
            low, high = sum(span[0] for span in spans), sum(span[1] for span in spans)
            all_printed = defined.complete and len(printed) == len(defined.levels)
            if low > n or (all_printed and high < n):
                yield _wrong_sum(prints, (population, factor), printed, whole, span=(low, high))


def _wrong_sum(
    prints: Prints, subject: tuple[str, str], printed: dict[str, list[Row]], whole: Possible, *, span: Bounds
) -> Finding:
    rows = [row for found in printed.values() for row in found]
    levels = prints.definition.factors[subject[1]].levels
    return Finding(
        SIZES,
        "note" if any(is_ambiguous(row) for row in rows) else "contradiction",
        (*(row["id"] for row in rows), *whole.ledger_rows),
        printed="; ".join(f"{levels[row['level']]} {row_words(row)}" for row in rows),
        computed=f"together {_span_words(span)}, not {whole.exact}",
        explanation=f"The subgroups by {prints.group_words(*subject)} do not add up to the population.",
        consequence=prints.adjudication_words(row["id"] for row in rows) or then.SIZES_AS_PRINTED,
        inspect_sr_item=NUMBERS_OF_PARTICIPANTS,
        mends=_mends_of_sum(list(printed.values()), [prints.by_id[row] for row in whole.ledger_rows], whole.exact or 0),
    )


def _mends_of_sum(parts: list[list[Row]], whole: list[Row], n: int) -> dict[str, frozenset[int]]:
    """Counts with which parts add up to ``n``, if every part is known exactly; each row's own, others as printed."""
    spans = [_bounds(rows, n) for rows in parts]
    if any(span is None or span[0] != span[1] for span in spans):
        return {}
    counts = [span[0] for span in spans if span]
    total = sum(counts)
    found = {row["id"]: frozenset({total}) for row in [row for row in whole if row["count"] == str(n)][:1]}
    for rows, count in zip(parts, counts, strict=True):
        rest = n - (total - count)
        found |= {row["id"]: frozenset({rest}) for row in [row for row in rows if row["count"]][:1] if rest >= 0}
    return found


def _events(prints: Prints) -> Iterator[Finding]:
    """Events and censored patients against the number of patients."""
    for (population, factor, level, endpoint), found in prints.by_subject.items():
        rows = [row for row in found if row["kind"] in ("events", "censored")]
        n = prints.size(population, factor, level).exact if rows else None
        if n is None:
            continue
        counts = {kind: [int(r["count"]) for r in rows if r["kind"] == kind] for kind in ("events", "censored")}
        total = max(counts["events"], default=0) + max(counts["censored"], default=0)
        both = bool(counts["events"] and counts["censored"])
        if total <= n and not (both and total != n):
            continue
        yield Finding(
            SIZES,
            "note" if any(is_ambiguous(row) for row in rows) else "contradiction",
            (*(row["id"] for row in rows), *prints.size(population, factor, level).ledger_rows),
            printed=", ".join(f"{row['count']} {'events' if row['kind'] == 'events' else 'censored'}" for row in rows),
            computed=f"together {total}, of {n} patients",
            explanation=f"{prints.endpoint_words(endpoint)}, {prints.group_words(population, factor, level)}: events "
            "and "
            "censored patients do not add up to the patients.",
            consequence=then.EVENTS_OF_SUBGROUP
            if factor
            else then.EVENTS_FIRST
            if counts["events"]
            else then.CENSORED_ALONE,
            inspect_sr_item=NUMBERS_OF_PARTICIPANTS,
        )
