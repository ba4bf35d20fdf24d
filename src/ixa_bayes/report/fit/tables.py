"""Tables of a report on a fit: estimands, patients, priors and diagnostics, worded for the page."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from ixa_bayes.cohort.summary import SMALL_CELL
from ixa_bayes.models.survival_analysis import MedianPrior, PiecewiseBaseline, WeibullBaseline
from ixa_bayes.report.display import Column, DisplayRow, DisplayTable, evidence_words, records_of, table_of_rows
from ixa_bayes.report.fit.extrapolation import BEYOND_MARK, beyond_words, is_beyond
from ixa_bayes.report.fit.kept_back import FEW, events_words
from ixa_bayes.report.fit.results import FitResults
from ixa_bayes.report.fit.words import NOT_COMPARED, FitWords, estimate_text, months_text, prior_words, starting
from ixa_bayes.report.wording import (
    interval_text,
    percent_text,
    probability_text,
    ratio_text,
)

NONE: Final = "–"
BELIEF: Final = ("the analyst's belief, as the model file states it; no outcome of a patient",)
NO_COVARIATES: Final = "The model has no covariates."

type Record = dict[str, Any]


def count_of(value: float) -> str:
    """A count of patients; what is kept back says so."""
    return "not shown" if np.isnan(float(value)) else f"{int(value):,}"


def total_of(value: float) -> str:
    """A count over all patients, which is kept back only where it is small itself."""
    return FEW if np.isnan(float(value)) else count_of(value)


def all_events(results: FitResults) -> str:
    """How many of all patients used had the event."""
    rows, n = results.fit.question.rows, int(results.fit.question.unit_weight.sum())
    return events_words(rows.n_events, n, kept_back=results.kept_back)


def hazard_ratio_table(results: FitResults) -> DisplayTable:
    """Posterior hazard ratios, the chance that they exceed each threshold, and how many patients they rest on."""
    words, table = FitWords(results.fit.question), results.estimands
    thresholds = [name for name in table.columns if str(name).startswith("p_gt_") and name != "p_gt_1"]
    low, high = results.fit.question.analysis.estimands.equivalence
    columns = [
        Column("Factor"),
        Column("Patients", numeric=True),
        Column("With the event", numeric=True),
        Column("Hazard ratio (95% interval)", numeric=True),
        Column("P(HR > 1)", numeric=True),
        *(Column(f"P(HR > {str(name)[5:].replace('_', '.')})", numeric=True) for name in thresholds),
        Column(f"P({low:g} < HR < {high:g})", numeric=True),
    ]
    rows = []
    for row in records_of(table[table["estimand"] == "hazard_ratio"]):
        chances = [probability_text(float(row[name])) for name in ("p_gt_1", *thresholds, "p_practically_equal")]
        sizes = sizes_of(results, row["factor"], row["level"])
        name = words.ratio(row["factor"], row["level"])
        name += "" if words.is_compared(row["factor"], row["level"]) else f" ({NOT_COMPARED})"
        rows.append(DisplayRow((name, *sizes, estimate_text(row), *chances)))
    return fit_table(
        rows,
        columns,
        results=results,
        anchor="table-hazard-ratios",
        caption="Hazard ratios: posterior median, 95% interval and probabilities",
        missing=NO_COVARIATES,
        file="estimands.csv",
    )


def sizes_of(results: FitResults, factor: str, level: str) -> tuple[str, str]:
    """Patients and events at a level, in words."""
    table = results.patients
    rows = table[(table["factor"] == factor) & (table["level"] == level)]
    return count_of(rows["n"].iloc[0]), count_of(rows["n_events"].iloc[0])


def standardised_table(results: FitResults) -> DisplayTable:
    """Survival, medians and restricted means, averaged over the cohort's patients, by level."""
    words = FitWords(results.fit.question)
    asked = results.fit.question.analysis.estimands
    columns = [
        Column("Everybody's level"),
        *(Column(f"{starting(words.event_free)} at {time:g} months", numeric=True) for time in asked.times),
        Column("Median, months", numeric=True),
        Column(f"Mean up to {asked.horizon:g} months", numeric=True),
    ]
    table = results.estimands[results.estimands["estimand"].isin(["survival", "median", "rmst"])]
    rows = []
    for (factor, level), block in table.groupby(["factor", "level"], sort=False):
        cells = [_marked(row, results) for row in records_of(block)]
        name = words.level(str(factor), str(level)) if factor else "as they are"
        rows.append(DisplayRow((name, *cells), group=words.factor(str(factor)) if factor else "All patients"))
    return fit_table(
        rows,
        columns,
        results=results,
        anchor="table-standardised",
        caption=f"{words.endpoint} of the cohort's patients, as they are and if everybody had one level of a factor"
        f"{_nobody_words(words)}{_mark_words(rows, results)}",
        missing="",
        file="estimands.csv",
    )


def difference_table(results: FitResults) -> DisplayTable:
    """Differences between levels, averaged over the cohort's patients."""
    words = FitWords(results.fit.question)
    asked = results.fit.question.analysis.estimands
    columns = [
        Column("Level against reference"),
        *(Column(f"{starting(words.event_free)} at {time:g} months, points", numeric=True) for time in asked.times),
        Column(f"Mean up to {asked.horizon:g} months, months", numeric=True),
        Column("P(longer)", numeric=True),
    ]
    table = results.estimands[results.estimands["estimand"].isin(["survival_difference", "rmst_difference"])]
    rows = []
    for (factor, level), block in table.groupby(["factor", "level"], sort=False):
        found = records_of(block)
        cells = [_marked(row, results) for row in found]
        longer = probability_text(float(found[-1]["p_gt_1"]))
        rows.append(DisplayRow((words.comparison(str(factor), str(level)), *cells, longer)))
    return fit_table(
        rows,
        columns,
        results=results,
        anchor="table-differences",
        caption=f"Differences between levels, averaged over the cohort's patients{_mark_words(rows, results)}",
        missing="The model has no factor with levels, so there are no levels to compare.",
        file="estimands.csv",
    )


def _marked(row: Record, results: FitResults) -> str:
    """An estimate, with a mark where it is of a time beyond all follow-up."""
    return f"{estimate_text(row)}{BEYOND_MARK if is_beyond(row, results.fit) else ''}"


def _nobody_words(words: FitWords) -> str:
    """Which levels are left out, and why."""
    absent = words.held_by_nobody()
    return f". Left out, since nobody has it and only the prior would speak: {'; '.join(absent)}" if absent else ""


def _mark_words(rows: Sequence[DisplayRow], results: FitResults) -> str:
    """What the mark means, for the caption of a table that has any."""
    marked = any(cell.endswith(BEYOND_MARK) for row in rows for cell in row.cells)
    return f". {BEYOND_MARK} {beyond_words(results)}" if marked else ""


def patient_table(results: FitResults) -> DisplayTable:
    """Who was used and who was left out."""
    words = FitWords(results.fit.question)
    columns = [
        Column("Level"),
        Column("Patients used", numeric=True),
        Column("With the event", numeric=True),
        Column("Left out: value missing", numeric=True),
    ]
    rows = []
    for row in records_of(results.patients):
        counts = [count_of(row[name]) for name in ("n", "n_events", "n_missing")]
        first = not row["level"] or row["level"] == results.fit.question.design.terms[row["factor"]].reference
        counts[2] = counts[2] if first else ""
        name = words.level(row["factor"], row["level"]) if row["level"] else "all"
        group = words.factor(row["factor"]) if row["factor"] else "All patients"
        rows.append(DisplayRow((name, *counts), group=group))
    kept = f" Counts below {SMALL_CELL}, and counts that would tell them, are not shown." if results.kept_back else ""
    return fit_table(
        rows,
        columns,
        results=results,
        anchor="table-patients",
        caption=f"Patients and events by level.{kept}",
        missing="",
        file="patients.csv",
    )


def prior_table(results: FitResults) -> DisplayTable:
    """Every prior with its source."""
    question = results.fit.question
    words, baseline = FitWords(question), question.analysis.baseline
    level = baseline.level
    if isinstance(level, MedianPrior):
        what = "Median survival of the reference profile"
        if isinstance(baseline, PiecewiseBaseline):
            what = "Hazard of each interval, as the median it would have if it went on for ever"
        told = f"log-normal, median {level.months:g} months, sd of the logarithm {level.log_sd:g}"
    else:
        what = f"Log hazard level per {level.unit}"
        told = f"normal, mean {level.mean:g}, sd {level.sd:g}"
    rows = [DisplayRow((what, told, level.source), group="Baseline hazard")]
    if isinstance(baseline, WeibullBaseline):
        shape = baseline.shape
        told = f"log-normal, median {shape.median:g}, sd of the logarithm {shape.log_sd:g}"
        rows.append(DisplayRow(("Weibull shape (1: constant hazard)", told, shape.source), group="Baseline hazard"))
    elif baseline.walk is not None:
        told = f"random walk: {_walk_words(baseline.walk.scale)}"
        rows.append(DisplayRow(("Change of the log hazard", told, baseline.walk.source), group="Baseline hazard"))
    for name, prior in question.design.priors.items():
        term = question.design.term_of(name)
        cells = (words.ratio(term.covariate, term.level_of(name)), prior_words(prior), prior.source)
        rows.append(DisplayRow(cells, group="Log hazard ratios"))
    for name, covariate in question.analysis.covariates.items():
        if walk := covariate.walk:
            told = f"random walk around its mean: {_walk_words(walk.scale)}"
            cells = (f"{words.factor(name)}: change over time", told, walk.source)
            rows.append(DisplayRow(cells, group="Log hazard ratios"))
    return fit_table(
        rows,
        ["Of what", "Prior", "Source"],
        results=results,
        anchor="table-priors",
        caption="Priors as the model file states them",
        missing="",
        evidence=BELIEF,
        folded=False,
    )


def _walk_words(scale: float) -> str:
    """What the scale of a random walk says, with the sd below which 95% of the belief lies."""
    return (
        "from one interval to the next a normal change, whose variance grows with the distance of their midpoints; its "
        f"sd over a year is half-normal with scale {scale:g} (95% below {1.96 * scale:.2g})"
    )


def implied_table(results: FitResults) -> DisplayTable:
    """What the priors imply for patients."""
    words = FitWords(results.fit.question)
    by_unit: dict[str, Callable[[float], str]] = {"ratio": ratio_text, "months": months_text}
    people = {"reference_profile": "reference profile", "cohort": "the cohort's patients, on average"}
    rows = []
    for row in records_of(results.implied):
        if row["estimand"] == "hazard_ratio":
            told, group = words.ratio(row["factor"], row["level"]), "Hazard ratios"
        elif row["estimand"] == "hazard_ratio_change":
            told, group = (
                words.comparison(row["factor"], row["level"]),
                "Hazard ratio in the last interval over the first",
            )
        else:
            what = f"{starting(words.event_free)} at {row['time']:g} months"
            what = "Median, months" if row["estimand"] == "median" else what
            told, group = f"{what}: {people[row['population']]}", "Survival"
        word = by_unit.get(row["unit"], percent_text)
        interval = interval_text(word(row["q025"]), word(row["q975"]))
        rows.append(DisplayRow((told, word(row["median"]), interval), group=group))
    columns = [Column("Of what"), Column("Median", numeric=True), Column("95% of the belief", numeric=True)]
    return fit_table(
        rows,
        columns,
        results=results,
        anchor="table-implied",
        caption="What the priors imply before any patient is seen",
        missing="",
        evidence=BELIEF,
        file="prior.csv",
    )


def diagnostics_table(results: FitResults) -> DisplayTable:
    """R-hat and effective sample sizes of every parameter, then what is judged of the whole fit."""
    table = results.diagnostics
    parameters = table[~table["quantity"].isin(["fit", "attempts", "patients"])]
    rows = []
    for name, block in parameters.groupby("quantity", sort=False):
        value = block.set_index("measure")["value"]
        passes = "yes" if block["ok"].all() else "no"
        cells = (f"{value['rhat']:.3f}", f"{value['ess_bulk']:,.0f}", f"{value['ess_tail']:,.0f}", passes)
        rows.append(DisplayRow((str(name), *cells)))
    columns = [
        Column("Parameter"),
        *(Column(name, numeric=True) for name in ("R-hat", "ESS, bulk", "ESS, tail")),
        Column("Passes"),
    ]
    return fit_table(
        rows,
        columns,
        results=results,
        anchor="table-diagnostics",
        caption="Convergence of every parameter",
        missing="",
        file="diagnostics.csv",
    )


def fit_table(
    rows: list[DisplayRow],
    columns: list[Column] | list[str],
    *,
    results: FitResults,
    anchor: str,
    caption: str,
    missing: str,
    file: str = "",
    folded: bool | None = None,
    evidence: Sequence[str] | None = None,
) -> DisplayTable:
    """A table of the page; without ``evidence`` it rests on the cohort's kind of evidence."""
    return table_of_rows(
        rows,
        columns,
        anchor=anchor,
        caption=caption,
        missing=missing,
        evidence=evidence_words(results.estimands) if evidence is None else evidence,
        folded=folded,
        file=file,
    )
