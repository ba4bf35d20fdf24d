"""What the paper prints and what it leaves unsaid, worded for the page."""

from typing import Any, Final

import pandas as pd

from ixa_bayes.report.display import (
    DisplayRow,
    DisplayTable,
    Ledger,
    records_of,
    table_of_rows,
)
from ixa_bayes.report.wording import EVIDENCE_LABELS, Labels
from ixa_bayes.study.ledger import Study

LEDGER_FILE: Final = "statistics.csv of the study"
EVIDENCE: Final = (EVIDENCE_LABELS["published_effect"],)
INTERVAL_WORDS: Final = {"ci90": "90% CI ", "ci95": "95% CI ", "ci99": "99% CI ", "range": "range ", "iqr": "IQR "}
CLAIM_WORDS: Final = {"no_difference": "no difference"}
_RATIOS: Final = {"hazard_ratio": "HR", "odds_ratio": "OR", "risk_ratio": "RR"}
_SUBJECT: Final = ["population", "factor", "level", "comparator", "endpoint", "time"]


def printed_text(row: dict[str, Any], *, time_unit: str) -> str:
    """One ledger row as a paper would print it, digits as printed; times are in the study's unit."""
    parts = [_value_text(row, time_unit)]
    if row["lower"] or row["upper"]:
        limits = f"{INTERVAL_WORDS.get(row['interval'], '')}{row['lower'] or '?'} to {row['upper'] or '?'}"
        parts.append(f"({limits})" if row["value"] else limits)
    if row["p"]:
        parts.append(f"p {row['p']}" if row["p"][0] in "<>=" or not row["p"][0].isdigit() else f"p = {row['p']}")
    return " ".join(part for part in parts if part)


def _value_text(row: dict[str, Any], time_unit: str) -> str:
    count = f"{row['count']}/{row['denominator']}" if row["denominator"] else row["count"]
    if not row["value"]:
        return f"{count} {row['kind']}" if row["kind"] in ("events", "censored") else count
    unit = f" {row['unit']}" if row["unit"] and row["value"] != "not reached" else ""
    if row["kind"] in _RATIOS:
        text = f"{_RATIOS[row['kind']]} {row['value']}"
    elif row["kind"] == "survival_percent":
        text = f"{row['value']}% at {row['time']} {time_unit}"
    elif row["kind"] == "percent":
        text = f"{row['value']}%"
    else:
        text = f"{row['value']}{unit}"
    return f"{text} ({count})" if count else text


def whole_population(study: Study, labels: Labels, ledger: Ledger) -> DisplayTable:
    """What the paper prints for everybody, endpoint by endpoint."""
    table = study.statistics
    whole = table[table["factor"].eq("") & table["population"].eq(study.definition.main_population)]
    rows = [
        DisplayRow(
            (
                labels.endpoint(first["endpoint"]),
                _kind_word(first["kind"]),
                _joined_prints(same, labels),
                _places(same),
            ),
            links=ledger.links(";".join(row["id"] for row in same)),
        )
        for first, same in _same_subject(whole)
    ]
    return table_of_rows(
        rows,
        ("Endpoint", "Statistic", "Printed", "Where"),
        anchor="table-whole",
        caption=f"Printed for {labels.population(study.definition.main_population)}",
        evidence=EVIDENCE,
        missing="The ledger holds no statistic of the whole population.",
        file=LEDGER_FILE,
    )


def comparisons(study: Study, labels: Labels, ledger: Ledger) -> DisplayTable:
    """Ratios and p values that the paper prints, with what its text says of them."""
    table = study.statistics
    compared = table[table["kind"].isin([*_RATIOS, "p_value"])]
    rows = [
        DisplayRow(
            (
                labels.comparison(first["factor"], first["level"], first["comparator"]),
                labels.where(first["population"]) or "all patients",
                _joined_prints(same, labels)
                + "".join(f" ({reading})" for reading in sorted({row["reading"] for row in same} - {""})),
                first["adjustment"] or "test",
                CLAIM_WORDS.get(first["claim"], first["claim"]) or "–",
            ),
            links=ledger.links(";".join(row["id"] for row in same)),
            group=labels.endpoint(first["endpoint"]),
        )
        for first, same in _same_subject(compared)
    ]
    return table_of_rows(
        sorted(rows, key=lambda row: row.group),
        ("Comparison", "In whom", "Printed", "Analysis", "The text says"),
        anchor="table-comparisons",
        caption="Printed comparisons",
        evidence=EVIDENCE,
        missing="The paper prints neither a ratio nor a p value.",
        file=LEDGER_FILE,
    )


def _same_subject(table: pd.DataFrame) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Rows on the same statistic of the same patients, which a paper may repeat."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in records_of(table):
        groups.setdefault((*(row[name] for name in _SUBJECT), row["kind"], row["adjustment"]), []).append(row)
    return [(rows[0], rows) for rows in groups.values()]


def _joined_prints(rows: list[dict[str, Any]], labels: Labels) -> str:
    return "; also ".join(dict.fromkeys(printed_text(row, time_unit=labels.time_unit()) for row in rows))


def _places(rows: list[dict[str, Any]]) -> str:
    return ", ".join(dict.fromkeys(row["location"] for row in rows))


def _kind_word(kind: str) -> str:
    return "survival" if kind == "survival_percent" else kind.replace("_", " ")


def adjudications_table(study: Study, labels: Labels, ledger: Ledger) -> DisplayTable:
    """Printed values that cannot stand, beside what is used instead."""
    printed = {row["id"]: row for row in records_of(study.statistics)}
    rows = []
    for item in study.definition.adjudications:
        row = printed[item.row]
        subject = [labels.endpoint(row["endpoint"]), labels.where(row["population"])]
        subject.append(labels.level(row["factor"], row["level"]) if row["factor"] else "")
        rows.append(
            DisplayRow(
                (", ".join(part for part in subject if part), row[item.field] or "nothing", item.used, item.reason),
                links=ledger.links(item.row),
            )
        )
    return table_of_rows(
        rows,
        ("Statistic", "Printed", "Used", "Why"),
        anchor="table-adjudications",
        caption="Printed values that cannot stand",
        evidence=EVIDENCE,
        missing="No printed value is replaced: every number is used as it stands.",
        folded=False,
    )


def limits_table(study: Study) -> DisplayTable:
    """What the design cannot tell, and what follows."""
    return table_of_rows(
        [DisplayRow((item.what, item.consequence)) for item in study.definition.limits],
        ("Limit", "What follows"),
        anchor="table-limits",
        caption="Limits of the design",
        missing="The study file names no limit of its design; that is not to say that it has none.",
        folded=False,
    )


def unknowns_table(study: Study) -> DisplayTable:
    """What the paper does not say, and what follows."""
    return table_of_rows(
        [DisplayRow((item.what, item.consequence)) for item in study.definition.unknowns],
        ("Not said", "What follows"),
        anchor="table-unknowns",
        caption="What the paper does not say",
        missing="The study file names nothing that is unknown.",
        folded=False,
    )


def ledger_table(study: Study, labels: Labels) -> DisplayTable:
    """Every printed statistic, numbered; the target of every link."""
    rows = []
    for number, row in enumerate(records_of(study.statistics), start=1):
        subject = labels.population(row["population"])
        if row["factor"]:
            compared = bool(row["comparator"]) or not row["level"]
            subject += ": " + (
                labels.comparison(row["factor"], row["level"], row["comparator"])
                if compared
                else labels.level(row["factor"], row["level"])
            )
        note = "; ".join(part for part in (row["reading"], row["note"]) if part)
        printed = printed_text(row, time_unit=labels.time_unit())
        cells = (str(number), row["location"], labels.endpoint(row["endpoint"]), subject, printed, note)
        rows.append(DisplayRow(cells, anchor=f"row-{row['id']}"))
    return table_of_rows(
        rows,
        ("No.", "Where", "Endpoint", "In whom", "Printed", "Note"),
        anchor="table-ledger",
        caption="The ledger: every printed statistic, digits as printed",
        evidence=EVIDENCE,
        missing="The ledger is empty.",
        folded=False,
    )
