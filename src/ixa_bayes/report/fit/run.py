"""``ixa-bayes fit``: from a model file and a cohort to a folder of results, once per change of its inputs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from ixa_bayes.cohort.summary import shown_counts
from ixa_bayes.cohort.table import Cohort, read_cohort
from ixa_bayes.files import folder_replaced
from ixa_bayes.inference.survival.attempts import attempts_of
from ixa_bayes.inference.survival.fitting import fit_survival
from ixa_bayes.inference.survival.prior import implied_by_prior
from ixa_bayes.inference.survival.question import SurvivalQuestion, question_of
from ixa_bayes.models.analysis import ModelFile, analysis_from, read_model
from ixa_bayes.models.survival_analysis import SurvivalAnalysis
from ixa_bayes.report.display import records_of
from ixa_bayes.report.fit.extrapolation import beyond_words, is_beyond
from ixa_bayes.report.fit.files import write_fit_files
from ixa_bayes.report.fit.kept_back import events_words
from ixa_bayes.report.fit.results import FitResults, fit_results
from ixa_bayes.report.fit.words import NOT_COMPARED, FitWords, attempts_words, observed_median_words
from ixa_bayes.report.record import Told, check_nothing_foreign, check_output, code_hash, kept, provenance, write_record
from ixa_bayes.report.wording import interval_text, number_text, probability_text, ratio_text

REPORT: Final = "report.html"

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class FitOutcome:
    """Where a fit is and what it says in short.

    Attributes
    ----------
    folder : Path
    unchanged : bool
        Whether an earlier fit stands because no input has changed.
    headlines : list of str
    not_converged : list of str
        Why the posterior cannot be relied on; empty if it converged.
    patient_level : Path or None
        The file that holds rows of patients, to be kept as safe as the cohort itself.
    """

    folder: Path
    unchanged: bool
    headlines: list[str]
    not_converged: list[str]
    patient_level: Path | None


@dataclass(frozen=True, eq=False)
class Asked:
    """A model file and a cohort that go together, read and checked; nothing is sampled yet.

    Attributes
    ----------
    model : ModelFile
    question : SurvivalQuestion
    implied : pd.DataFrame
        What the priors imply for patients.
    """

    model: ModelFile
    question: SurvivalQuestion
    implied: pd.DataFrame


def ask(model: str | Path, cohort: str | Path | Cohort, *, seed: int) -> Asked:
    """Read a model file and a cohort, and say what the priors imply before anything is sampled.

    Raises
    ------
    InputError
        If either has faults or they do not go together.
    """
    file = read_model(model)
    analysis = analysis_from(file, SurvivalAnalysis)
    question = question_of(analysis, cohort if isinstance(cohort, Cohort) else read_cohort(cohort))
    return Asked(file, question, implied_by_prior(question, seed))


def implied_lines(asked: Asked, *, show_small_cells: bool = False) -> list[str]:
    """The priors' implications in words, and who is left out; small counts of real patients are kept back."""
    table = asked.implied
    design, rows = asked.question.design, asked.question.rows
    words = FitWords(asked.question)
    lines = [
        f"Prior: {_implied(row, words)}" for _, row in table[table["population"] == "reference_profile"].iterrows()
    ]
    if design.terms:  # without covariates every patient is the reference profile
        of_cohort = table[(table["population"] == "cohort") & (table["estimand"] == "median")]
        lines += [f"Prior: {_implied(row, words)}" for _, row in of_cohort.iterrows()]
    lines += _centre_lines(asked.question)
    kept_back = asked.question.cohort.evidence_kind == "patients" and not show_small_cells
    n = int(asked.question.unit_weight.sum())
    events = events_words(rows.n_events, n, kept_back=kept_back)
    lines.append(f"Patients: {n:,} used, {events} with the event")
    if design.n_lost:
        (lost,) = shown_counts([design.n_lost], kept_back=kept_back)
        counts = {name: shown_counts([count], kept_back=kept_back)[0] for name, count in design.lost.items() if count}
        by_name = ", ".join(f"{name} {count}" for name, count in counts.items())
        lines.append(f"Left out: {lost} without a value of a covariate ({by_name})")
    if design.n_shortened:
        (shortened,) = shown_counts([design.n_shortened], kept_back=kept_back)
        lines.append(f"Left out in part: of {shortened} more, the rows without a value of a covariate")
    return lines


def write_fit(
    asked: Asked,
    *,
    output: Path,
    seed: int,
    force: bool = False,
    show_small_cells: bool = False,
    progress: Progress = lambda step, done, total: None,
) -> FitOutcome:
    """Sample the posterior of a question and write posterior, tables, figures and the page.

    Parameters
    ----------
    asked : Asked
        From :func:`ask`.
    output : Path
        Folder to write; it appears when everything in it is complete.
    seed : int
    force : bool
        Fit although nothing has changed, and replace the results of another fit.
    show_small_cells : bool
        Whether Kaplan-Meier numbers of real patients are told where fewer than five are at risk.
    progress : callable
        Called with the name of each step, steps done, and steps in all.

    Raises
    ------
    InputError
        If ``output`` holds something else.
    """
    question, words = asked.question, FitWords(asked.question)
    subject = f"{question.analysis.name} on {question.cohort.name}"
    sources = [path for path in (asked.model.path, question.cohort.path) if path is not None]
    check_output(output, subject=subject, sources=sources, force=force)
    inputs = {
        f"models/{asked.model.path.name}": asked.model.sha256,
        f"cohort {question.cohort.name}": question.cohort.sha256,
        "endpoint": f"{words.endpoint}: {words.event_free}, better {words.better}",
        "small cells": "shown" if show_small_cells else "kept back",
        "code": code_hash(),
    }
    private = output / "patient_level.nc"
    if not force and (earlier := kept(output, inputs, seed)) is not None:
        held = private if private.exists() else None
        return FitOutcome(output, True, earlier.headlines, earlier.not_converged, held)
    check_nothing_foreign(output)
    progress("Sampling (the first fit of a model compiles it: up to 20 seconds)", 0, 3)
    fit = fit_survival(question, seed=seed, identity={"model_file": asked.model.text, "cohort": question.cohort.name})
    progress("Estimands and cross-checks", 1, 3)
    made_with = provenance(subject, inputs, seed)
    results = fit_results(
        fit, asked.model, implied=asked.implied, provenance=made_with, show_small_cells=show_small_cells
    )
    progress("Writing tables, figures and the page", 2, 3)
    told = Told(fit_headlines(results), list(fit.convergence.reasons))
    with folder_replaced(output) as fresh:
        _write(results, told, fresh)
    held = private if private.exists() else None
    return FitOutcome(output, False, told.headlines, told.not_converged, held)


def fit_headlines(results: FitResults) -> list[str]:
    """The cohort's median, the hazard ratios, most certain first, and how often the sampler ran if more than once."""
    table = results.estimands
    ratios = table[table["estimand"] == "hazard_ratio"]
    certainty = (ratios["p_gt_1"] - 0.5).abs().sort_values(ascending=False, kind="stable").index
    median = table[(table["estimand"] == "median") & (table["factor"] == "")]
    again = attempts_words(attempts_of(results.fit.posterior))
    return [
        *(_median_line(row, results) for row in records_of(median)),
        *(_ratio_line(row, results) for _, row in ratios.loc[certainty].iterrows()),
        *([again] if again else []),
    ]


def _ratio_line(row: pd.Series, results: FitResults) -> str:
    name = f"{row['factor']} {row['level']}" if row["level"] not in ("", "1") else str(row["factor"])
    error = float(row["mcse"])
    interval = interval_text(ratio_text(row["q025"], error), ratio_text(row["q975"], error))
    against = f" {row['comparator']}" if str(row["comparator"]).startswith("per ") else ""
    over_time = ", mean over time," if row["factor"] in results.fit.question.changing else ""
    compared = FitWords(results.fit.question).is_compared(row["factor"], row["level"])
    return (
        f"{name}: hazard ratio{against}{over_time} {ratio_text(row['median'], error)} (95% {interval}), "
        f"P(HR > 1) {probability_text(row['p_gt_1'])}{'' if compared else f' ({NOT_COMPARED})'}"
    )


def _median_line(row: dict[str, Any], results: FitResults) -> str:
    error = float(row["mcse"])
    interval = interval_text(number_text(row["q025"], error), number_text(row["q975"], error))
    told = f"Median of the cohort: {number_text(row['median'], error)} months (95% {interval})"
    if not is_beyond(row, results.fit):
        return told
    return f"{told}, {beyond_words(results)}; Kaplan-Meier: {observed_median_words(results)}"


def _implied(row: pd.Series, words: FitWords) -> str:
    if row["estimand"] == "median":
        interval = interval_text(number_text(row["q025"]), number_text(row["q975"]))
        whose = str(row["population"]).replace("_", " ")
        return f"median of the {whose} {number_text(row['median'])} months (95% {interval})"
    interval = interval_text(probability_text(row["q025"]), probability_text(row["q975"]))
    return f"{words.event_free} at {row['time']:g} months {probability_text(row['median'])} (95% {interval})"


def _centre_lines(question: SurvivalQuestion) -> list[str]:
    """Of each continuous covariate whose centre is beyond all values: the priors are then about no such patient.

    The values' range is not told, since extremes may point to a patient; the median is told by ``check-cohort`` too.
    """
    lines = []
    for name, term in question.design.terms.items():
        if term.kind != "continuous":
            continue
        coded = question.design.matrix[name].to_numpy()  # 0 at the centre
        if coded.min() <= 0 <= coded.max():
            continue
        middle = float(np.median(np.repeat(coded, question.rows.weight))) * term.per + term.centre
        lines.append(
            f"Warning: the centre of {name} ({term.centre:g}) is outside its values in the cohort, so the reference "
            f"profile is no patient here; set `centre` in the model file (such as `centre = {middle:g}`)"
        )
    return lines


def _write(results: FitResults, told: Told, folder: Path) -> None:
    write_fit_files(results, folder)
    write_record(folder, results.provenance, told)
