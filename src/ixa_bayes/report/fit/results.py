"""What one fit of a survival model found, beside the frequentist answers: all that files, figures and the page show."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ixa_bayes.cohort.summary import SMALL_CELL
from ixa_bayes.crosscheck.curves import curve_table
from ixa_bayes.crosscheck.situations import Situation, named_situations
from ixa_bayes.crosscheck.table import Term, crosscheck_table
from ixa_bayes.inference.diagnostics import (
    MAX_DIVERGENT_SHARE,
    MAX_DIVERGENT_SHARE_SHRUNK,
    MAX_RHAT,
    MIN_E_BFMI,
    MIN_ESS,
)
from ixa_bayes.inference.survival.attempts import attempts_of
from ixa_bayes.inference.survival.fitting import SurvivalFit
from ixa_bayes.inference.survival.leave_one_out import leave_one_out
from ixa_bayes.inference.survival.power_scaling import COLUMNS as SENSITIVITY_COLUMNS
from ixa_bayes.inference.survival.power_scaling import sensitivity_of
from ixa_bayes.inference.survival.tables import EVIDENCE, estimand_draws, table_of
from ixa_bayes.models.analysis import ModelFile
from ixa_bayes.models.survival_rows import SurvivalRows
from ixa_bayes.report.fit.incidence import incidence_of
from ixa_bayes.report.fit.kept_back import may_be_told, without_small
from ixa_bayes.report.record import Provenance

ALL: Final = "all patients"
NOT_KNOWN: Final = "not known"
COMPLETE_CASES: Final = "of the patients with every covariate (the posterior also uses those with one missing)"
ONE_BY_ONE: Final = 20_000
"""Patients up to whom other methods get each of them in a row of its own."""
PATIENT_COLUMNS: Final[Mapping[str, str]] = {
    "factor": "the covariate; empty for all patients",
    "level": "its level, `not known` where both values are summed; empty for all patients and for a measured covariate",
    "n": "patients that the model used; empty where it is kept back",
    "n_events": "those of them with the event; empty where it is kept back",
    "n_missing": "patients left out for want of a value of this covariate (several may be wanting), in a start-stop "
    "table at least for a time; in the row of all patients, those left out altogether",
    "note": "why a number is kept back",
}
DIAGNOSTIC_COLUMNS: Final[Mapping[str, str]] = {
    "quantity": "a parameter, or what is judged of the whole fit",
    "measure": "rhat, ess_bulk, ess_tail, e_bfmi, divergent_share, elpd_loo, se_elpd_loo, p_loo, good_pareto_k, "
    "n_high_pareto_k (patients whose Pareto k is above it); of each run of the sampler (one, unless draws diverged) "
    "divergent_share_at_ and moved_at_ its target acceptance rate: the largest distance of a log hazard ratio's median "
    "from the one reported, in posterior standard deviations",
    "value": "its value",
    "threshold": "what it is judged by; empty for what is not judged",
    "ok": "whether it passes",
}


@dataclass(frozen=True, eq=False)
class FitResults:
    """Everything a report on a fit shows.

    Attributes
    ----------
    fit : SurvivalFit
    model : ModelFile
    implied : pd.DataFrame
        What the priors imply for patients; see ``survival.prior.implied_by_prior``.
    estimands : pd.DataFrame
        Columns of ``survival.tables.COLUMNS``.
    sensitivity : pd.DataFrame
        Columns of ``power_scaling.COLUMNS``; without rows where the log-likelihood of patients was not kept.
    crosscheck : pd.DataFrame
        Columns of ``crosscheck.table.COLUMNS``, with ``evidence_kind``.
    curves : pd.DataFrame
        Kaplan-Meier numbers, columns of ``crosscheck.curves.COLUMNS``, with ``evidence_kind``: of all patients used
        and by level of each covariate. Of real patients, those resting on few are left out, and say so.
    patients : pd.DataFrame
        Columns of :data:`PATIENT_COLUMNS`, with ``evidence_kind``: who was used, and who was left out.
    situations : tuple of Situation
        In which frequentist numbers mislead or do not exist.
    diagnostics : pd.DataFrame
        Columns of :data:`DIAGNOSTIC_COLUMNS`.
    kept_back : bool
        Whether small counts are kept back.
    provenance : Provenance
    """

    fit: SurvivalFit
    model: ModelFile
    implied: pd.DataFrame
    estimands: pd.DataFrame
    sensitivity: pd.DataFrame
    crosscheck: pd.DataFrame
    curves: pd.DataFrame
    patients: pd.DataFrame
    situations: tuple[Situation, ...]
    diagnostics: pd.DataFrame
    kept_back: bool
    provenance: Provenance


def fit_results(
    fit: SurvivalFit,
    model: ModelFile,
    *,
    implied: pd.DataFrame,
    provenance: Provenance,
    show_small_cells: bool = False,
) -> FitResults:
    """Estimands, cross-check and diagnostics of a fit.

    Parameters
    ----------
    fit : SurvivalFit
    model : ModelFile
        The file its analysis was read from.
    implied : pd.DataFrame
        From ``survival.prior.implied_by_prior``.
    provenance : Provenance
    show_small_cells : bool
        Whether Kaplan-Meier numbers of real patients are told where fewer than five are at risk.
    """
    kept_back = fit.question.cohort.evidence_kind == "patients" and not show_small_cells
    drawn, known = list(estimand_draws(fit)), "log_likelihood" in fit.posterior.children
    return FitResults(
        fit=fit,
        model=model,
        implied=implied,
        estimands=table_of(fit, drawn),
        sensitivity=sensitivity_of(fit, drawn) if known else pd.DataFrame(columns=[*SENSITIVITY_COLUMNS, *EVIDENCE]),
        crosscheck=crosscheck_of(fit, kept_back=kept_back),
        curves=curves_of(fit, kept_back=kept_back),
        patients=patients_of(fit, kept_back=kept_back),
        situations=situations_of(fit, kept_back=kept_back),
        diagnostics=diagnostics_of(fit),
        kept_back=kept_back,
        provenance=provenance,
    )


def crosscheck_of(fit: SurvivalFit, *, kept_back: bool) -> pd.DataFrame:
    """The frequentist answers to the question of a fit, beside each other: of covariates, and of competing events."""
    question, evidence = fit.question, fit.question.cohort.evidence_kind
    rows, design, n = _complete(fit)
    terms = {
        str(name): Term(
            question.design.term_of(str(name)).covariate, question.design.term_of(str(name)).level_of(str(name))
        )
        for name in design.columns
    }
    table = crosscheck_table(
        rows.upper,
        rows.event | rows.between,
        design=design,
        terms=terms,
        cuts=question.cuts or None,
        entry=rows.entry,
        weight=rows.weight,
        interval_censored=rows.between,
        n_patients=n,
    )
    whole = int(question.unit_weight.sum())
    if n < whole:
        table["note"] = [f"{note}; {COMPLETE_CASES}" if note else COMPLETE_CASES for note in table["note"]]
    if kept_back:
        told = may_be_told(n=n, n_events=rows.n_events, of=(whole, question.rows.n_events))
        table[[name for name, may in zip(("n", "n_events"), told, strict=True) if not may]] = np.nan
    joined = [part for part in (table, incidence_of(question, kept_back=kept_back)) if len(part)]
    answers = pd.concat(joined, ignore_index=True) if joined else table
    return answers.assign(evidence_kind=evidence, ledger_rows="")


def _complete(fit: SurvivalFit) -> tuple[SurvivalRows, pd.DataFrame, int]:
    """Rows and design of the patients with every covariate, and how many patients that are.

    Equal patients, which the model counts, stand one by one again where they are not too many: some methods know no
    weights. Frequency weights of the cohort's own stay.
    """
    question = fit.question
    rows, matrix = question.rows, question.design.matrix
    which = np.flatnonzero(matrix.notna().all(axis=1).to_numpy(dtype=bool))
    if rows.n == question.member.size <= ONE_BY_ONE:
        which = np.repeat(which, rows.weight[which])
        rows = replace(rows, weight=np.ones_like(rows.weight))
    chosen = rows.chosen(which)
    # A patient with several rows has them all: of start-stop tables no value is summed.
    n = int(question.unit_weight.sum()) if _several_rows(fit) else chosen.n
    return chosen, matrix.iloc[which].reset_index(drop=True), n


def curves_of(fit: SurvivalFit, *, kept_back: bool) -> pd.DataFrame:
    """Kaplan-Meier numbers at the model file's times: of all patients used, and by level of each covariate."""
    groups = {ALL: pd.Series(ALL, index=fit.question.design.matrix.index)}
    for name, term in fit.question.design.terms.items():
        if term.kind != "continuous":
            groups[name] = levels_of(fit, name)
    tables = []
    for factor, labels in groups.items():
        table = _curves(fit, labels)
        if factor != ALL:
            table = _in_order(table, "group", declared(fit, factor))
        if kept_back:
            table = _kept_back(table, fit, labels=labels.to_numpy(dtype=str))
        if factor != ALL:
            table = _in_order(table, "group", _told_in(fit, factor))
        tables.append(table.assign(factor="" if factor == ALL else factor))
    joined = pd.concat(tables, ignore_index=True).rename(columns={"group": "level"})
    joined.loc[joined["factor"] == "", "level"] = ""
    first = ["factor", "level"]
    evidence = {"evidence_kind": fit.question.cohort.evidence_kind, "ledger_rows": ""}
    return joined[[*first, *joined.columns.difference(first, sort=False)]].assign(**evidence)


def declared(fit: SurvivalFit, covariate: str) -> list[str]:
    """Levels in the cohort's order, in which counts are kept back: two tables that hid others would tell each other's.

    ``not known`` is the last, though nobody may have it.
    """
    term = fit.question.design.terms[covariate]
    source = fit.question.analysis.covariates[covariate].expression(covariate)
    own = fit.question.cohort.declared[source.column].levels if term.kind == "factor" else ()
    return [*(own or (term.reference, *term.levels)), NOT_KNOWN]


def _told_in(fit: SurvivalFit, covariate: str) -> list[str]:
    """Levels in the order of tables: the reference first."""
    term = fit.question.design.terms[covariate]
    return [term.reference, *term.levels, NOT_KNOWN]


def _in_order(table: pd.DataFrame, column: str, order: list[str]) -> pd.DataFrame:
    return table.sort_values(column, key=lambda levels: levels.map(order.index), kind="stable")


def levels_of(fit: SurvivalFit, covariate: str) -> pd.Series:
    """Level of a covariate of each row used, read back from the design; not of a continuous one."""
    term, matrix = fit.question.design.terms[covariate], fit.question.design.matrix
    if term.kind == "binary":
        known = matrix[covariate].notna()
        values = (matrix[covariate] + term.centre).where(known, 0.0).round().astype(int).astype(str)
        return values.where(known, NOT_KNOWN)
    labels = pd.Series(term.reference, index=matrix.index)
    for name, level in zip(term.coefficients, term.levels, strict=True):
        labels[matrix[name] == 1] = level
    return labels


def _curves(fit: SurvivalFit, labels: pd.Series) -> pd.DataFrame:
    rows, asked = fit.question.rows, fit.question.analysis.estimands
    return curve_table(
        rows.upper,
        rows.event | rows.between,
        at=asked.times,
        horizon=asked.horizon,
        group=labels.to_numpy(dtype=str),
        entry=rows.entry,
        weight=rows.weight,
        interval_censored=rows.between,
        goes_on=_goes_on(fit),
    )


def _goes_on(fit: SurvivalFit) -> NDArray[np.bool_]:
    """Rows after which the same patient is watched on, in a start-stop table."""
    last = pd.Series(fit.question.rows.upper).groupby(fit.question.unit).transform("max")
    return np.asarray(fit.question.rows.upper < last)


def _kept_back(table: pd.DataFrame, fit: SurvivalFit, *, labels: NDArray[np.str_]) -> pd.DataFrame:
    """The table without what rests on few patients: late times and medians of a group, and all of a small group.

    Where the patients at risk of a group are kept back, so are those of the first other one, since the total would
    give them away.
    """
    at_risk = table["n_at_risk"].astype(float)
    sizes = _sizes(fit, labels)
    hide = (at_risk < SMALL_CELL) | (table["group"].map(sizes) < SMALL_CELL)
    counts = pd.Series(False, index=table.index)
    for _, same in at_risk[table["quantity"] == "survival"].groupby([table["time"], table["interval"]]):
        others = same[same >= SMALL_CELL]
        if (same < SMALL_CELL).any():
            counts |= counts.index.isin(others.index[:1])
    times = table[["estimate", "lower", "upper"]].where(table["quantity"].isin(["median", "median_follow_up"]))
    late = times.apply(lambda row: _few_at(fit, row, chosen=labels == table.loc[row.name, "group"]), axis="columns")
    hide |= late["estimate"]
    hidden = table.copy()
    hidden[late.columns] = table[late.columns].astype(float).mask(late)
    hidden.loc[hide, ["estimate", "lower", "upper", "standard_error"]] = np.nan
    hidden.loc[hide | counts, "n_at_risk"] = np.nan
    told = f"fewer than {SMALL_CELL} patients: not shown"
    hidden.loc[hide, "note"] = told
    for part, words in (
        (counts & ~hide, "number at risk not shown: it would give another away"),
        (late.any(axis="columns") & ~hide, f"a limit: {told}"),
    ):
        hidden.loc[part, "note"] = [f"{note}; {words}" if note else words for note in hidden["note"][part]]
    return hidden


def _sizes(fit: SurvivalFit, labels: NDArray[np.str_]) -> pd.Series:
    """Patients at each of some labels of the rows; each once, however many rows it has."""
    table = pd.DataFrame({"unit": fit.question.unit, "label": labels, "weight": fit.question.rows.weight})
    return table.drop_duplicates(["unit", "label"]).groupby("label")["weight"].sum()


def _few_at(fit: SurvivalFit, times: pd.Series, *, chosen: NDArray[np.bool_]) -> pd.Series:
    """At which of some times fewer than five of the chosen patients are at risk; at no missing one."""
    rows = fit.question.rows
    counts = [((rows.entry < time) & (rows.upper >= time) & chosen) @ rows.weight for time in times.astype(float)]
    return pd.Series([bool(n < SMALL_CELL) for n in counts], index=times.index) & times.notna()


def patients_of(fit: SurvivalFit, *, kept_back: bool) -> pd.DataFrame:
    """Patients used and their events by level, and those left out by the covariate whose value is missing."""
    rows, design = fit.question.rows, fit.question.design
    ids = fit.question.cohort.follow_up[fit.question.analysis.endpoint]["patient"].to_numpy()[design.rows]
    counts = pd.DataFrame({"n": rows.weight, "n_events": np.where(rows.event | rows.between, rows.weight, 0)})
    # A patient with several rows (start-stop) is one patient, and one at each level that was ever had.
    counts["n"] = counts["n"].where(~pd.Series(ids).duplicated(), 0)
    whole = counts.sum().to_frame().T.assign(factor="", level="", n_missing=design.n_lost)
    tables = [without_small(whole) if kept_back else whole.assign(note="")]
    for name, term in design.terms.items():
        levels = [""] if term.kind == "continuous" else [term.reference, *term.levels]
        levels += [NOT_KNOWN] if name in design.marginalised else []
        labels = pd.Series("", index=counts.index) if levels == [""] else levels_of(fit, name).reset_index(drop=True)
        counts["n"] = np.where(pd.DataFrame({"id": ids, "level": labels}).duplicated(), 0, rows.weight)
        by_level = counts.groupby(labels).sum().reindex(levels, fill_value=0).rename_axis("level").reset_index()
        by_level = by_level.assign(factor=name, n_missing=design.lost.get(name, 0), note="")
        if kept_back:
            order = [""] if levels == [""] else declared(fit, name)
            by_level = without_small(_in_order(by_level, "level", order)).sort_index()
        tables.append(by_level)
    joined = pd.concat(tables, ignore_index=True).assign(
        evidence_kind=fit.question.cohort.evidence_kind, ledger_rows=""
    )
    return joined.reindex(columns=[*PATIENT_COLUMNS, "evidence_kind", "ledger_rows"])


def situations_of(fit: SurvivalFit, *, kept_back: bool) -> tuple[Situation, ...]:
    """In which frequentist numbers mislead or do not exist for this question."""
    rows, design, n = _complete(fit)
    found = named_situations(
        rows.upper,
        rows.event | rows.between,
        design=design,
        entry=rows.entry,
        weight=rows.weight,
        n_patients=n,
    )
    of = int(fit.question.unit_weight.sum()), fit.question.rows.n_events
    if not kept_back or may_be_told(n=n, n_events=rows.n_events, of=of)[1]:
        return found
    words = "There are few events for so many covariates: read the posterior, and report its prior with it."
    if 0 < rows.n_events < SMALL_CELL:
        words = f"Fewer than {SMALL_CELL} patients had the event: no hazard ratio of them can be trusted."
    counted = ("one_event", "few_events_per_covariate", "more_covariates_than_events")
    uncounted = tuple(situation for situation in found if situation.kind not in counted)
    named = (Situation("few_events_per_covariate", (), words),) if len(uncounted) < len(found) else ()
    return (*named, *uncounted)


def _several_rows(fit: SurvivalFit) -> bool:
    """Whether a patient has several rows."""
    return fit.question.unit_weight.size < fit.question.unit.size


def diagnostics_of(fit: SurvivalFit) -> pd.DataFrame:
    """Convergence of every parameter and of the fit, and PSIS-LOO over the patients."""
    verdict, rows = fit.convergence, []
    thresholds = {"rhat": f"<= {MAX_RHAT}", "ess_bulk": f">= {MIN_ESS}", "ess_tail": f">= {MIN_ESS}"}
    for quantity, values in verdict.table.iterrows():
        passes = {
            "rhat": values["rhat"] <= MAX_RHAT,
            "ess_bulk": values["ess_bulk"] >= MIN_ESS,
            "ess_tail": values["ess_tail"] >= MIN_ESS,
        }
        rows += [(quantity, name, values[name], thresholds[name], bool(ok)) for name, ok in passes.items()]
    e_bfmi, share = verdict.e_bfmi, verdict.divergent_share
    rows.append(("fit", "e_bfmi", e_bfmi, f">= {MIN_E_BFMI}", e_bfmi >= MIN_E_BFMI))
    most = allowed_divergent_share(fit)
    rows.append(("fit", "divergent_share", share, f"<= {most}", share <= most))
    for run in attempts_of(fit.posterior):
        rows.append(("attempts", f"divergent_share_at_{run.target_accept:g}", run.divergent_share, "", True))
        rows.append(("attempts", f"moved_at_{run.target_accept:g}", run.moved, "", True))
    rows += [("patients", name, value, "", True) for name, value in _loo(fit).items()]
    return pd.DataFrame(rows, columns=list(DIAGNOSTIC_COLUMNS))


def allowed_divergent_share(fit: SurvivalFit) -> float:
    """Largest share of divergent draws that a fit may have: more under a joint shrinkage prior."""
    return MAX_DIVERGENT_SHARE_SHRUNK if fit.question.analysis.shrinkage else MAX_DIVERGENT_SHARE


def _loo(fit: SurvivalFit) -> dict[str, float]:
    """PSIS-LOO: terms of single patients, summed with the frequency weights.

    ArviZ's limit of Pareto k falls below 0.7 with fewer than 2,200 draws: Vehtari, Simpson, Gelman, Yao & Gabry (2024),
    Journal of Machine Learning Research 25:72.
    """
    if "log_likelihood" not in fit.posterior.children or fit.question.unit_weight.size < 2:
        return {}
    loo = leave_one_out(fit)
    return {
        "elpd_loo": float(loo.elpd),
        "se_elpd_loo": float(loo.se),
        "p_loo": float(loo.p),
        "good_pareto_k": float(loo.good_k),
        "n_high_pareto_k": float((loo.pareto_k > loo.good_k).sum()),
    }
