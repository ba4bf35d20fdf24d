"""One table in which the frequentist answers to one question stand beside each other, those that do not exist too."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypedDict

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ixa_bayes.crosscheck.cox import Transform, cox, proportionality_test
from ixa_bayes.crosscheck.curves import INTERVAL_CENSORED
from ixa_bayes.crosscheck.firth import firth_cox
from ixa_bayes.crosscheck.log_rank import log_rank
from ixa_bayes.crosscheck.observations import (
    CI_PROB,
    BoolArray,
    FloatArray,
    FollowUp,
    IntArray,
    NotAvailableError,
    checked_design,
    follow_up,
)
from ixa_bayes.crosscheck.parametric import piecewise_mle, weibull_mle

COLUMNS: Final = {
    "method": "cox_efron, cox_breslow, firth, weibull_mle, piecewise_mle (hazard ratios); "
    "log_rank (of one factor alone); "
    "proportionality_km, _rank, _identity (score test of proportional hazards, for each level and GLOBAL); where a "
    "competing event is declared aalen_johansen and one_minus_kaplan_meier (of all patients)",
    "factor": "the factor; empty for all patients",
    "level": "its level, against the reference; of a cumulative incidence the event it is of",
    "quantity": "hazard_ratio, chi_square or cumulative_incidence",
    "time": "months, of a cumulative incidence",
    "estimate": "the hazard ratio (0 or inf where it runs there), the chi-square, or a probability",
    "lower": "lower limit of the confidence interval: profile likelihood for firth, log-log for a cumulative "
    "incidence, Wald otherwise",
    "upper": "upper limit",
    "p": "two-sided: penalised likelihood ratio for firth, Wald otherwise; chi-square for the tests",
    "n": "patients that the method uses; empty where it is kept back",
    "n_events": "those of them with the event, of a cumulative incidence with the event that it is of; empty likewise",
    "ties": "how equal event times are treated",
    "note": "'not available: ' and the reason where the method has no answer, or what to know about the answer",
}
GLOBAL: Final = "GLOBAL"
NOT_AVAILABLE: Final = "not available"
"""How the note of a row without an answer begins."""
TRANSFORMS: Final[tuple[Transform, ...]] = ("km", "rank", "identity")

_EXACT_TIME: Final = "none needed (continuous time)"
_LATE: Final = f"{INTERVAL_CENSORED}, so all its times are late by part of the time between visits"


@dataclass(frozen=True)
class Term:
    """What a column of the design stands for.

    Attributes
    ----------
    factor, level : str
        ``level`` is empty for a binary or continuous covariate.
    """

    factor: str
    level: str = ""


def crosscheck_table(
    time: ArrayLike,
    event: ArrayLike,
    *,
    design: pd.DataFrame,
    terms: Mapping[str, Term] | None = None,
    cuts: Sequence[float] | None = None,
    entry: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    interval_censored: ArrayLike | None = None,
    n_patients: int | None = None,
    ci_prob: float = CI_PROB,
) -> pd.DataFrame:
    """All frequentist answers about one design, beside each other.

    Parameters
    ----------
    time, event, entry, weight
        See ``observations.follow_up``; for an event between two visits ``time`` is the later one.
    design : DataFrame, shape (row, coefficient)
        The columns that the posterior's model has, without an intercept.
    terms : mapping of column name to Term, optional
        By default each column is a factor of its own.
    cuts : sequence of float, optional
        Cut-points of the piecewise-exponential model, in months.
    interval_censored : array_like of bool, shape (row,), optional
        Rows whose event is only known to lie between two visits. These methods take exact times, so they have
        it at the later visit, as papers do; every answer says so, and those that model the times themselves
        (Weibull, piecewise-exponential) that their times are late.
    n_patients : int, optional
        Where patients have several rows (start-stop), how many there are; by default as many as rows, by weight.
    ci_prob : float

    Returns
    -------
    DataFrame
        One row per method and coefficient (or test), with the columns of ``COLUMNS``. A method that cannot run has
        one row per coefficient all the same, with NaN and the reason.

    Raises
    ------
    InputError
        If the arrays or the design have faults.
    ValueError
        If the cut-points do not rise from above 0, ``terms`` names a column that the design does not have, or
        ``interval_censored`` has another length.
    """
    data = follow_up(time, event, entry=entry, weight=weight)
    checked_design(design, data)
    if unknown := sorted(set(terms or {}) - {str(name) for name in design.columns}):
        raise ValueError(f"terms name {unknown}, which are no columns of the design ({list(design.columns)}).")
    named = {str(name): Term(str(name)) for name in design.columns} | dict(terms or {})
    asked = _Question(data, design.set_axis([str(name) for name in design.columns], axis=1), named, cuts, ci_prob)
    rows: list[_Row] = []
    for method, (ties, fit) in _RATIOS.items():
        rows += _ratios(asked, method, ties=ties, fit=fit)
    rows += _log_ranks(asked)
    rows += [row for transform in TRANSFORMS for row in _proportionality(asked, transform)]
    if _between_visits(data, interval_censored):
        rows = [row | {"note": _at_later_visit(row)} for row in rows]
    n = int(data.weight.sum()) if n_patients is None else n_patients
    return pd.DataFrame([row | {"n": n, "n_events": data.n_events} for row in rows], columns=list(COLUMNS))


def _between_visits(data: FollowUp, interval_censored: ArrayLike | None) -> bool:
    """Whether any event is only known to lie between two visits."""
    if interval_censored is None:
        return False
    between = np.asarray(interval_censored, dtype=bool)
    if between.shape != data.time.shape:
        raise ValueError(f"interval_censored needs one value for each of the {data.time.size} rows.")
    return bool(np.any(between & data.event))


def _at_later_visit(row: "_Row") -> str:
    """The note of a row, with what was done about events between two visits; a missing answer needs no more."""
    note = str(row["note"])
    if note.startswith(NOT_AVAILABLE):
        return note
    told = _LATE if row["ties"] == _EXACT_TIME else INTERVAL_CENSORED
    return f"{note}; {told}" if note else told


class _Arrays(TypedDict):
    time: FloatArray
    event: BoolArray
    entry: FloatArray
    weight: IntArray


@dataclass(frozen=True, eq=False)
class _Question:
    data: FollowUp
    design: pd.DataFrame
    terms: Mapping[str, Term]
    cuts: Sequence[float] | None
    ci_prob: float

    @property
    def patients(self) -> _Arrays:
        """The arrays that every method takes by name."""
        data = self.data
        return {"time": data.time, "event": data.event, "entry": data.entry, "weight": data.weight}


type _Row = dict[str, object]
type _Fit = Callable[[_Question], pd.DataFrame]


def _efron(asked: _Question) -> pd.DataFrame:
    fit = cox(**asked.patients, design=asked.design, ties="efron", ci_prob=asked.ci_prob)
    return fit.log_hazard_ratios


def _breslow(asked: _Question) -> pd.DataFrame:
    fit = cox(**asked.patients, design=asked.design, ties="breslow", ci_prob=asked.ci_prob)
    return fit.log_hazard_ratios


def _firth(asked: _Question) -> pd.DataFrame:
    return firth_cox(**asked.patients, design=asked.design, ci_prob=asked.ci_prob).log_hazard_ratios


def _weibull(asked: _Question) -> pd.DataFrame:
    return weibull_mle(**asked.patients, design=asked.design, ci_prob=asked.ci_prob).log_hazard_ratios


def _piecewise(asked: _Question) -> pd.DataFrame:
    if asked.cuts is None:
        raise NotAvailableError("no cut-points were given")
    fit = piecewise_mle(**asked.patients, design=asked.design, cuts=asked.cuts, ci_prob=asked.ci_prob)
    return fit.log_hazard_ratios


_RATIOS: Final[Mapping[str, tuple[str, _Fit]]] = {
    "cox_efron": ("Efron", _efron),
    "cox_breslow": ("Breslow", _breslow),
    "firth": ("Breslow", _firth),
    "weibull_mle": (_EXACT_TIME, _weibull),
    "piecewise_mle": (_EXACT_TIME, _piecewise),
}


def _ratios(asked: _Question, method: str, *, ties: str, fit: _Fit) -> Iterator[_Row]:
    shared: _Row = {"method": method, "quantity": "hazard_ratio", "ties": ties}
    try:
        table = fit(asked)
    except NotAvailableError as none:
        for term in (asked.terms[name] for name in asked.design.columns):
            yield {**shared, "factor": term.factor, "level": term.level, **_nothing(none)}
        return
    runs_off = "limit" in table and bool((table["limit"] != "finite").any())
    for name, row in table.iterrows():
        term = asked.terms[str(name)]
        with np.errstate(over="ignore"):  # an interval may end beyond the largest number
            ratios = {bound: float(np.exp(row[bound])) for bound in ("estimate", "lower", "upper")}
        note = _note(row, beside_infinite=runs_off)
        yield {**shared, "factor": term.factor, "level": term.level, **ratios, "p": float(row["p"]), "note": note}


def _note(row: "pd.Series[float]", *, beside_infinite: bool) -> str:
    limit = row.get("limit", "finite")
    if limit != "finite":
        end = {"infinity": "to infinity", "-infinity": "to 0"}.get(str(limit), "either way: it is not determined")
        return f"no interval: the hazard ratio runs {end} (separation)"
    absent = ["a limit of the interval"] if np.isnan([row["lower"], row["upper"]]).any() else []
    absent += ["p"] if np.isnan(row["p"]) else []
    if absent:
        return f"{' and '.join(absent)} not found: the search for it did not converge"
    return "another hazard ratio of this fit runs to 0 or infinity" if beside_infinite else ""


def _log_ranks(asked: _Question) -> Iterator[_Row]:
    columns: dict[str, list[str]] = {}
    for name in asked.design.columns:
        columns.setdefault(asked.terms[name].factor, []).append(name)
    for factor, names in columns.items():
        shared: _Row = {"method": "log_rank", "factor": factor, "level": "", "quantity": "chi_square"}
        shared["ties"] = "hypergeometric variance"
        try:
            test = log_rank(**asked.patients, group=_groups(asked.design[names]))
        except NotAvailableError as none:
            yield {**shared, **_nothing(none)}
            continue
        note = f"{len(test.groups)} groups, this factor alone"
        yield {**shared, "estimate": test.chi_square, "p": test.p, "note": note}


def _groups(columns: pd.DataFrame) -> ArrayLike:
    if any(columns[name].nunique() > 2 for name in columns):
        raise NotAvailableError("a continuous covariate makes no groups")
    return columns.groupby(list(columns)).ngroup().to_numpy()


def _proportionality(asked: _Question, transform: Transform) -> Iterator[_Row]:
    shared: _Row = {"method": f"proportionality_{transform}", "quantity": "chi_square", "ties": "Efron"}
    terms = {**asked.terms, GLOBAL: Term(GLOBAL)}
    try:
        table = proportionality_test(**asked.patients, design=asked.design, transform=transform)
    except NotAvailableError as none:
        for term in (terms[name] for name in (*asked.design.columns, GLOBAL)):
            yield {**shared, "factor": term.factor, "level": term.level, **_nothing(none)}
        return
    for name, row in table.iterrows():
        term, df = terms[str(name)], int(row["degrees_of_freedom"])
        test = {"estimate": float(row["chi_square"]), "p": float(row["p"])}
        note = f"{df} degree{'s' if df > 1 else ''} of freedom"
        if np.isnan(row["p"]):
            note = "not available: no variation among the patients at risk at two event times or more"
        yield {**shared, "factor": term.factor, "level": term.level, **test, "note": note}


def _nothing(none: NotAvailableError) -> _Row:
    return {"estimate": np.nan, "lower": np.nan, "upper": np.nan, "p": np.nan, "note": str(none)}
