"""Tables of a report on a fit that need no model: Kaplan-Meier, other hazard ratios and tests, worded for the page."""

from typing import Any, Final

import numpy as np
import pandas as pd

from ixa_bayes.crosscheck.table import GLOBAL
from ixa_bayes.models.survival_analysis import WeibullBaseline
from ixa_bayes.report.display import Column, DisplayRow, DisplayTable, records_of
from ixa_bayes.report.fit.results import COMPLETE_CASES, FitResults
from ixa_bayes.report.fit.tables import NO_COVARIATES, NONE, count_of, fit_table
from ixa_bayes.report.fit.words import METHODS, FitWords, estimate_text, ratio_interval, starting
from ixa_bayes.report.wording import interval_text, numbers_text, p_text, percent_text

_TESTS: Final = {
    "log_rank": "log-rank test of this factor alone",
    "proportionality_km": "Kaplan-Meier",
    "proportionality_rank": "rank",
    "proportionality_identity": "time",
}

INCIDENCE: Final = {
    "aalen_johansen": "Aalen-Johansen",
    "one_minus_kaplan_meier": "1 minus Kaplan-Meier, as if {other} could not happen",
}
FOLLOW_UP: Final = (
    ". Median follow-up is by reverse Kaplan-Meier, in which events count as censored; it is not reached where that "
    "curve stays above one half, because most patients had the event"
)
_NAMED: Final = {
    "log_rank": "log-rank tests",
    "aalen_johansen": "Aalen-Johansen",
    "one_minus_kaplan_meier": "1 minus Kaplan-Meier",
}

type Record = dict[str, Any]


def kaplan_meier_table(results: FitResults) -> DisplayTable:
    """Kaplan-Meier numbers by level, with the patients at risk."""
    words, curves = FitWords(results.fit.question), results.curves
    asked = results.fit.question.analysis.estimands
    columns = [
        Column("Level"),
        *(Column(f"At {time:g} months (at risk)", numeric=True) for time in asked.times),
        Column("Median, months", numeric=True),
        Column("Median follow-up, months", numeric=True),
    ]
    chosen = curves[curves["quantity"].isin(["survival", "median", "median_follow_up"])]
    chosen = chosen[chosen["interval"] == "log-log"]
    rows = []
    for (factor, level), block in chosen.groupby(["factor", "level"], sort=False):
        cells = [_curve_cell(row) for row in records_of(block)]
        name = words.level(str(factor), str(level)) if factor else "all"
        rows.append(DisplayRow((name, *cells), group=words.factor(str(factor)) if factor else "All patients"))
    unreached = any(row.cells[-1].startswith("not reached") for row in rows)
    return fit_table(
        rows,
        columns,
        results=results,
        anchor="table-kaplan-meier",
        caption=f"Kaplan-Meier, 95% intervals by log-log{FOLLOW_UP if unreached else ''}",
        missing="",
        file="curves.csv",
    )


def _curve_cell(row: Record) -> str:
    numbers = {name: float(row[name]) for name in ("estimate", "lower", "upper", "n_at_risk")}
    estimate, survival, note = numbers["estimate"], row["quantity"] == "survival", str(row["note"])
    at_risk = f"; at risk {count_of(numbers['n_at_risk'])}" if survival else ""
    if np.isnan(estimate):
        told = "not shown" if "not shown" in note else note.rpartition("; ")[2] or NONE
        return f"{told}{'' if np.isnan(numbers['n_at_risk']) else at_risk}"
    if survival and np.isnan(numbers["lower"]):
        return f"{percent_text(estimate)} (no interval){at_risk}"
    absent = "not shown" if "not shown" in note else "not reached"
    values = [numbers[name] for name in ("estimate", "lower", "upper")]
    texts = [percent_text(value) for value in values] if survival else numbers_text(values)
    middle, lower, upper = (absent if np.isnan(value) else text for value, text in zip(values, texts, strict=True))
    return f"{middle} ({interval_text(lower, upper)}){at_risk}"


def methods_of(results: FitResults) -> list[str]:
    """Frequentist methods that stand beside the posterior: of the two parametric ones, that of the model's own law."""
    other = "piecewise_mle" if isinstance(results.fit.question.analysis.baseline, WeibullBaseline) else "weibull_mle"
    return [name for name in METHODS if name not in ("posterior", other)]


def of_complete_cases(results: FitResults) -> str:
    """Of which patients other methods speak, where the posterior uses more, after a comma; else empty."""
    if not results.fit.question.design.marginalised:
        return ""
    table = results.crosscheck
    used = table[table["method"].isin(METHODS)]
    n, n_events = (float(used[name].iloc[0]) for name in ("n", "n_events"))
    events = "" if np.isnan(n_events) else f" ({count_of(n_events)} with the event)"
    told = "patients" if np.isnan(n) else f"{count_of(n)} patients{events}"
    return f", of the {told} who have every covariate"


def crosscheck_ratio_table(results: FitResults) -> DisplayTable:
    """The posterior beside the hazard ratios of other methods."""
    words, methods = FitWords(results.fit.question), methods_of(results)
    columns = [Column("Method"), Column("Hazard ratio (95% interval)", numeric=True), Column("p", numeric=True)]
    rows = []
    ratios = results.estimands[results.estimands["estimand"] == "hazard_ratio"]
    table = results.crosscheck[results.crosscheck["method"].isin(methods)]
    for ours in records_of(ratios):
        group = words.ratio(ours["factor"], ours["level"])
        rows.append(DisplayRow((METHODS["posterior"], estimate_text(ours), NONE), group=group))
        same = table[(table["factor"] == ours["factor"]) & (table["level"] == ours["level"])]
        rows += [
            DisplayRow((METHODS[row["method"]], ratio_interval(row), p_text(row["p"])), group=group)
            for row in records_of(same)
        ]
    return fit_table(
        rows,
        columns,
        results=results,
        anchor="table-crosscheck",
        caption="Hazard ratios by other methods",
        missing=NO_COVARIATES,
        file="crosscheck.csv",
    )


def incidence_table(results: FitResults) -> DisplayTable | None:
    """Cumulative incidence of the endpoint's event with another one competing; None if none is declared."""
    table = results.crosscheck[results.crosscheck["method"].isin(INCIDENCE)]
    if table.empty:
        return None
    other = str(results.fit.question.cohort.follow_up[results.fit.question.analysis.endpoint].attrs["competing_event"])
    times = list(dict.fromkeys(table["time"]))
    columns = [Column("Method"), *(Column(f"By {time:g} months", numeric=True) for time in times)]
    rows = []
    for (level, method), block in table.groupby(["level", "method"], sort=False):
        cells = [_incidence_cell(row) for row in records_of(block)]
        name = INCIDENCE[str(method)].format(other=other)
        rows.append(DisplayRow((name, *cells), group=starting(str(level))))
    own = rows[0].group  # both answers about the endpoint's own event stand together, at the top
    rows = sorted(rows, key=lambda row: row.group != own)
    return fit_table(
        rows,
        columns,
        results=results,
        anchor="table-incidence",
        caption="Share of all patients with each event by a time, 95% intervals by log-log",
        missing="",
        file="crosscheck.csv",
    )


def _incidence_cell(row: Record) -> str:
    if np.isnan(row["estimate"]):
        note = str(row["note"]).split("; ", maxsplit=1)[0]
        return "not shown" if "not shown" in note else note
    limits = [float(row[bound]) for bound in ("lower", "upper")]
    interval = "no interval" if np.isnan(limits).any() else interval_text(*(percent_text(limit) for limit in limits))
    return f"{percent_text(row['estimate'])} ({interval})"


def tests_table(results: FitResults) -> DisplayTable:
    """Log-rank tests, and tests of proportional hazards."""
    words, table = FitWords(results.fit.question), results.crosscheck
    columns = [
        Column("Factor"),
        Column("Log-rank, alone: p", numeric=True),
        *(Column(f"Proportional hazards ({_TESTS[name]}): p", numeric=True) for name in list(_TESTS)[1:]),
    ]
    rows = []
    tests = table[table["method"].isin(_TESTS)]
    for factor, block in tests.groupby("factor", sort=False):
        levels = list(dict.fromkeys(block.loc[block["method"] != "log_rank", "level"]))
        if len(levels) > 1:  # the log-rank test is of all levels at once, the others are of one against the reference
            name = f"{words.factor(str(factor))}, all levels"
            rows.append(DisplayRow((name, _p_of(block, "log_rank", ""), *("" for _ in list(_TESTS)[1:]))))
        for level in levels:
            name = "all together" if factor == GLOBAL else words.comparison(str(factor), str(level))
            log_rank = "" if len(levels) > 1 else _p_of(block, "log_rank", "")
            rows.append(DisplayRow((name, log_rank, *(_p_of(block, test, level) for test in list(_TESTS)[1:]))))
    return fit_table(
        rows,
        columns,
        results=results,
        anchor="table-tests",
        caption="Log-rank tests, and tests of proportional hazards with time on three scales",
        missing=NO_COVARIATES,
        file="crosscheck.csv",
    )


def _p_of(block: pd.DataFrame, method: str, level: str) -> str:
    rows = block[(block["method"] == method) & (block["level"] == level)]
    if rows.empty:
        return NONE
    return p_text(float(rows["p"].iloc[0]))


def crosscheck_notes(results: FitResults) -> list[str]:
    """What the cross-check says about its methods, each thing once, with the methods it is about."""
    table = results.crosscheck
    shown = records_of(table[table["method"].isin([*methods_of(results), *_TESTS, *_NAMED])])
    names = [{**METHODS, **_NAMED}.get(row["method"], "tests of proportional hazards") for row in shown]
    about: dict[str, dict[str, None]] = {}
    for row, name in zip(shown, names, strict=True):
        for part in str(row["note"]).split("; "):
            said = part == COMPLETE_CASES or part.startswith("as if ")  # elsewhere in the section
            if part and not said and not part.endswith(("this factor alone", "of freedom")):
                about.setdefault(part, {})[name] = None
    everyone = len(set(names))
    return [
        f"{'All methods' if len(methods) == everyone else ', '.join(methods)}: {note}."
        for note, methods in about.items()
    ]
