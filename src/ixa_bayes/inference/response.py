"""Response rates read again: each subgroup alone, and the subgroups of one factor pooled in part."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr

from ixa_bayes.formulas.binomial import BetaPrior, beta_posterior
from ixa_bayes.inference.diagnostics import Convergence
from ixa_bayes.inference.hierarchical import HierarchicalFit, fit_hierarchical
from ixa_bayes.inference.literature_prior import LiteraturePrior, literature_prior
from ixa_bayes.inference.response_counts import Counts, response_counts
from ixa_bayes.inference.response_rows import (
    EVIDENCE_KIND,
    HIERARCHICAL_MODEL,
    Row,
    Table,
    conjugate_contrast_rows,
    conjugate_rows,
    contrast_frame,
    hierarchical_contrast_rows,
    hierarchical_rows,
    pairs_of,
    response_frame,
)
from ixa_bayes.inference.result_words import told_by_tables
from ixa_bayes.models.analysis import ModelFile, analysis_from
from ixa_bayes.models.response import Groups
from ixa_bayes.models.response_analysis import LITERATURE, ResponseAnalysis
from ixa_bayes.study.ledger import Study, records, study_from
from ixa_bayes.study.literature import read_response, response_prior_rows

NO_PRIOR: Final = "none"
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, eq=False)
class ResponseReanalysis:
    """Every recoverable response rate and contrast of a study under one analysis.

    Attributes
    ----------
    response : pd.DataFrame
        One row per group, model and prior: ``response.csv``.
    response_contrast : pd.DataFrame
        One row per pair of groups, measure, model and prior: ``response_contrast.csv``.
    counts : pd.DataFrame
        One row per population or table: what the print allows, and the literature prior or "none".
    priors : pd.DataFrame
        What each prior implies before any data.
    diagnostics : pd.DataFrame
        One row per pooled fit: whether it converged, and why not.
    posteriors : dict of str to xr.DataTree
        Pooled posteriors by name.
    """

    response: pd.DataFrame
    response_contrast: pd.DataFrame
    counts: pd.DataFrame
    priors: pd.DataFrame
    diagnostics: pd.DataFrame
    posteriors: dict[str, xr.DataTree]

    def __repr__(self) -> str:
        return told_by_tables(self)


@dataclass(frozen=True, eq=False)
class _Collected:
    """What the tables of a run add up to."""

    response: list[Row] = field(default_factory=list)
    contrast: list[Row] = field(default_factory=list)
    diagnostics: list[Row] = field(default_factory=list)
    posteriors: dict[str, xr.DataTree] = field(default_factory=dict)


def reanalyse_response(
    study: Study | Path | str,
    analysis: ResponseAnalysis | ModelFile | Path | str,
    *,
    seed: int,
    progress: Progress | None = None,
) -> ResponseReanalysis:
    """Combine every response rate that a paper's print allows with every prior of an analysis.

    Each group alone has a conjugate Beta posterior. The levels of one factor, and regimens printed
    as populations of their own, are also pooled in part (see :mod:`ixa_bayes.models.response`);
    subgroups of different factors overlap and are never put into one fit.

    Parameters
    ----------
    study : Study, path or str
        A study, its folder or a built-in name.
    analysis : ResponseAnalysis, ModelFile, path or str
        An analysis, the file it was read from, its path, or the name of a built-in model.
    seed : int
        Of the pooled fits; conjugate results use none.
    progress : callable, optional
        Called with (fits done, fits in all, name of the next).

    Returns
    -------
    ResponseReanalysis
        Fits that did not converge have rows without numbers and are named in ``diagnostics``.

    Examples
    --------
    >>> import ixa_bayes as ib
    >>> found = ib.reanalyse_response("zhou2026", "orr", seed=1)
    >>> rows = found.response.query("prior == 'uniform' and factor == 'triple_class_refractory'")
    >>> rows[["population", "level", "responders", "evaluable", "median"]].round(3).head(2).values.tolist()
    [['all', 'yes', 2, 19, 0.131], ['all', 'no', 62, 103, 0.601]]
    """
    study, analysis = study_from(study), analysis_from(analysis, ResponseAnalysis)
    counts = response_counts(study, analysis)
    collected = _Collected()
    literature = _LiteraturePriors(study, analysis)
    tables = [table for item in counts for table in _tables(study, item)]
    n_fits = sum(bool(table.pairs) for table in tables) if analysis.hierarchical else 0
    seeds = _fit_seeds(seed, n_fits)
    for table in tables:
        _add_conjugate(collected, table, analysis, literature)
        if n_fits and table.pairs:
            done = len(collected.diagnostics)
            if progress is not None:
                progress(done, n_fits, fit_name(table))
            _add_pooled(collected, table, study, analysis, seed=seeds[done])
    return ResponseReanalysis(
        response=response_frame(collected.response),
        response_contrast=contrast_frame(collected.contrast),
        counts=_counts_frame(counts, literature),
        priors=prior_frame(analysis, literature),
        diagnostics=_diagnostics_frame(collected.diagnostics),
        posteriors=collected.posteriors,
    )


def fit_name(table: Table) -> str:
    """Name of a pooled fit, used for its file: letters, digits and underscores."""
    parts = [table.counts.endpoint, table.counts.population, table.counts.factor]
    if table.counts.basis != "used":
        parts.append(table.counts.basis)
    if table.counts.n_candidates > 1:
        parts.append(f"candidate_{table.number}")
    return "__".join(parts)


def prior_frame(analysis: ResponseAnalysis, literature: "_LiteraturePriors") -> pd.DataFrame:
    """What each prior implies: its mean, interval, worth in patients, meaning, source, and the studies behind it."""
    rows: list[Row] = []
    for prior in analysis.priors:
        about = {"prior": prior.name, "regimen": "", "endpoint": "", "meaning": prior.meaning, "source": prior.source}
        about["studies"] = ""
        rows.append(about | _implied(prior.mean, prior.patients))
    for (regimen, endpoint), found in literature.found.items():
        meaning = f"One more study like {_studies(found)} of {regimen} with {found.trial_patients} patients in all."
        source = analysis.literature.source if analysis.literature else ""
        about = {"prior": LITERATURE, "regimen": regimen, "endpoint": endpoint, "meaning": meaning, "source": source}
        about["studies"] = literature.studies(regimen, endpoint)
        rows.append(about | _implied(found.mean, found.patients))
    return pd.DataFrame(rows)


def _studies(found: LiteraturePrior) -> str:
    """How many studies a prior rests on; not all of them need be trials."""
    return f"{found.trials} {'study' if found.trials == 1 else 'studies'}"


def _implied(mean: float, patients: float) -> Row:
    distribution = beta_posterior(0, 0, prior=BetaPrior(mean * patients, (1 - mean) * patients, "", ""))
    q025, median, q975 = distribution.quantile([0.025, 0.5, 0.975]).tolist()
    shape = {"a": distribution.a, "b": distribution.b, "patients": patients, "mean": mean}
    return shape | {"q025": q025, "median": median, "q975": q975, "p_above_half": float(1 - distribution.cdf(0.5))}


def _tables(study: Study, counts: Counts) -> list[Table]:
    pairs = pairs_of(study.definition, counts)
    printed = _printed_p(study if counts.basis == "used" else study.as_printed(), counts, pairs)
    return [Table(counts, number, candidate, pairs, printed) for number, candidate in counts.candidates]


def _printed_p(
    study: Study, counts: Counts, pairs: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], tuple[str, tuple[str, ...]]]:
    """Printed p values of each pair; distinct prints of a repeated one joined by a semicolon."""
    rows = [
        row
        for row in records(study.used())
        if row["kind"] == "p_value"
        and (row["population"], row["endpoint"], row["factor"]) == counts.subject
        and counts.factor
    ]
    found = {}
    for pair in pairs:
        named = [row for row in rows if _compares(row["level"], row["comparator"], pair, counts.levels)]
        texts = ";".join(dict.fromkeys(row["p"] for row in named))
        found[pair] = texts, tuple(row["id"] for row in named)
    return found


def _compares(level: str, comparator: str, pair: tuple[str, str], levels: tuple[str, ...]) -> bool:
    """Whether a printed p value is about a pair: named, or unnamed in a table of two."""
    named = {level, comparator} - {""}
    return named == set(pair) or (len(levels) == 2 and named <= set(pair))


def _add_conjugate(
    collected: _Collected, table: Table, analysis: ResponseAnalysis, literature: "_LiteraturePriors"
) -> None:
    stated = [BetaPrior(prior.a, prior.b, prior.name, prior.source) for prior in analysis.priors]
    size = analysis.next_patients
    collected.response.extend(conjugate_rows(table, stated, next_patients=size))
    collected.contrast.extend(conjugate_contrast_rows(table, stated))
    for level in table.counts.levels:
        prior = literature.prior(table.counts, level)
        if prior is not None:
            rows = conjugate_rows(table, [prior], next_patients=size)
            collected.response.extend(row for row in rows if row["level"] == level)


def _add_pooled(collected: _Collected, table: Table, study: Study, analysis: ResponseAnalysis, *, seed: int) -> None:
    if analysis.hierarchical is None:
        return
    groups = Groups(table.counts.levels, table.candidate.responders, table.candidate.evaluable)
    identity = {
        "model_sha256": analysis.sha256,
        "model_file": analysis.model_dump_json(by_alias=True),
        "study": study.definition.name,
        "study_sha256": study.input_hash,
        "evidence_kind": EVIDENCE_KIND,
        "ledger_rows": ";".join(table.counts.ledger_rows),
    }
    fit = fit_hierarchical(groups, analysis.hierarchical, seed=seed, identity=identity)
    rate, converged = fit.posterior["posterior"].to_dataset()["rate"], fit.convergence.ok
    collected.response.extend(hierarchical_rows(table, rate, next_patients=analysis.next_patients, converged=converged))
    collected.contrast.extend(hierarchical_contrast_rows(table, rate, converged=converged))
    collected.diagnostics.append(_diagnostics_row(table, fit))
    collected.posteriors[fit_name(table)] = fit.posterior


def _diagnostics_row(table: Table, fit: HierarchicalFit) -> Row:
    verdict: Convergence = fit.convergence
    return {
        "fit": fit_name(table),
        "model": HIERARCHICAL_MODEL,
        "converged": verdict.ok,
        "reasons": "; ".join(verdict.reasons),
        "largest_rhat": float(verdict.table["rhat"].max()),
        "least_ess_bulk": float(verdict.table["ess_bulk"].min()),
        "least_ess_tail": float(verdict.table["ess_tail"].min()),
        "e_bfmi": verdict.e_bfmi,
        "divergent_share": verdict.divergent_share,
        "seed": int(fit.posterior.attrs["seed"]),
        "sampler": str(fit.posterior.attrs["sampler"]),
        "evidence_kind": EVIDENCE_KIND,
        "ledger_rows": ";".join(table.counts.ledger_rows),
    }


def _diagnostics_frame(rows: list[Row]) -> pd.DataFrame:
    columns = ["fit", "model", "converged", "reasons", "largest_rhat", "least_ess_bulk", "least_ess_tail", "e_bfmi"]
    columns += ["divergent_share", "seed", "sampler", "ledger_rows", "evidence_kind"]
    return pd.DataFrame(rows, columns=columns)


def _counts_frame(counts: Sequence[Counts], literature: "_LiteraturePriors") -> pd.DataFrame:
    columns = ["population", "endpoint", "factor", "levels", "basis", "counts_status", "n_candidates", "note"]
    columns += ["literature_prior", "ledger_rows", "evidence_kind"]
    rows = [
        {
            "population": item.population,
            "endpoint": item.endpoint,
            "factor": item.factor,
            "levels": ";".join(item.levels) if item.factor else "",
            "basis": item.basis,
            "counts_status": item.status,
            "n_candidates": item.n_candidates,
            "note": item.note,
            "literature_prior": literature.describe(item),
            "ledger_rows": ";".join(item.ledger_rows),
            "evidence_kind": EVIDENCE_KIND,
        }
        for item in counts
    ]
    return pd.DataFrame(rows, columns=columns)


def _fit_seeds(seed: int, n_fits: int) -> list[int]:
    return [int(child.generate_state(1)[0]) for child in np.random.SeedSequence(seed).spawn(n_fits)]


class _LiteraturePriors:
    """Priors from other studies for whole regimens, computed once per regimen and endpoint."""

    def __init__(self, study: Study, analysis: ResponseAnalysis) -> None:
        self._definition = study.definition
        self._settings = analysis.literature
        self._folder = study.literature_folder
        regimens = read_response(self._folder)["regimen"].unique() if analysis.literature else ()
        self._regimens = {str(name).casefold(): str(name) for name in regimens}
        self._known: dict[tuple[str, str], LiteraturePrior | None] = {}

    @property
    def found(self) -> dict[tuple[str, str], LiteraturePrior]:
        """By regimen and endpoint, those that exist."""
        return {key: prior for key, prior in self._known.items() if prior is not None}

    def prior(self, counts: Counts, level: str) -> BetaPrior | None:
        """The prior for one group; None unless the group is the whole of a regimen that has rows."""
        regimen = self._regimen(counts, level)
        found = self._of_regimen(regimen, counts.endpoint) if regimen else None
        if found is None:
            return None
        source = f"{_studies(found)} of {regimen}, {found.trial_patients} patients"
        return BetaPrior(found.mean * found.patients, (1 - found.mean) * found.patients, LITERATURE, source)

    def studies(self, regimen: str, endpoint: str) -> str:
        """The counts behind a prior, study by study, with what the literature table notes about each."""
        rows = response_prior_rows(self._folder, regimen, endpoint)
        cells = zip(rows["study_id"], rows["count"], rows["n_evaluable"], rows["notes"].fillna(""), strict=True)
        return ". ".join(f"{study} {r:.0f} of {n:.0f}{f': {notes}' if notes else ''}" for study, r, n, notes in cells)

    def describe(self, counts: Counts) -> str:
        """What the table of counts says about it."""
        told = []
        for level in counts.levels:
            prior = self.prior(counts, level)
            if prior is not None:
                told.append(f"{level or counts.population}: Beta({prior.a:.2f}, {prior.b:.2f}) from {prior.source}")
        return "; ".join(told) or NO_PRIOR

    def _regimen(self, counts: Counts, level: str) -> str | None:
        population = self._definition.populations[counts.population]
        factor, of_level = (counts.factor, level) if counts.factor else (population.factor, population.level)
        names = [] if counts.factor else [population.label]
        if factor and of_level:
            names.append(self._definition.factors[factor].levels[of_level])
        return next((self._regimens[name.casefold()] for name in names if name.casefold() in self._regimens), None)

    def _of_regimen(self, regimen: str, endpoint: str) -> LiteraturePrior | None:
        if self._settings is None:
            return None
        key = regimen, endpoint
        if key not in self._known:
            rows = response_prior_rows(self._folder, regimen, endpoint)
            pairs = [(int(r), int(n)) for r, n in zip(rows["count"], rows["n_evaluable"], strict=True)]
            self._known[key] = literature_prior(pairs, self._settings) if pairs else None
        return self._known[key]
