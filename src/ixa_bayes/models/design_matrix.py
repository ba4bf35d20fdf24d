"""From a cohort and a model file to numbers: the coded covariates, and who is left out for want of a value."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ixa_bayes.cohort.description import DESCRIPTION_FILE, as_python
from ixa_bayes.cohort.follow_up import count_of_patients, is_start_stop
from ixa_bayes.cohort.table import Cohort, Covariate
from ixa_bayes.errors import InputError, Problem
from ixa_bayes.models.survival_analysis import CoefficientPrior, Expression, ModelCovariate, SurvivalAnalysis
from ixa_bayes.study.hints import did_you_mean

_ORDER: Final = ("<=", ">=", "<", ">")

ROWS_TOLD_AT_MOST: Final = 20
"""Rows that contradict one implication; the rest are counted."""

type Value = str | float | bool


@dataclass(frozen=True)
class Term:
    """How one covariate of a model is coded.

    Attributes
    ----------
    covariate, label : str
    kind : {"binary", "continuous", "factor"}
    reference : str
        What a hazard ratio compares with: the reference level, ``0``, or the step of a continuous covariate.
    levels : tuple of str
        Of a factor, without the reference; ``("1",)`` of a binary covariate, empty for a continuous one.
    per, centre : float
    implies : tuple of str
    """

    covariate: str
    label: str
    kind: Literal["binary", "continuous", "factor"]
    reference: str
    levels: tuple[str, ...]
    per: float = 1.0
    centre: float = 0.0
    implies: tuple[str, ...] = ()

    @property
    def coefficients(self) -> tuple[str, ...]:
        """Names of the columns this covariate has in the design."""
        if self.kind != "factor":
            return (self.covariate,)
        return tuple(f"{self.covariate}[{level}]" for level in self.levels)

    def level_of(self, coefficient: str) -> str:
        """The level a coefficient stands for; empty for a continuous covariate."""
        return dict(zip(self.coefficients, self.levels, strict=True))[coefficient] if self.levels else ""

    def code(self, values: pd.Series) -> pd.DataFrame:
        """Columns of the design for values of the covariate; a missing value is missing in all of them."""
        if self.kind != "factor":
            return ((values.astype(float) - self.centre) / self.per).to_frame(self.covariate)
        columns = {
            name: (values == level).astype(float) for name, level in zip(self.coefficients, self.levels, strict=True)
        }
        coded = pd.DataFrame(columns, index=values.index)
        coded.loc[values.isna()] = np.nan
        return coded

    def code_one(self, value: Value) -> dict[str, float]:
        """Columns of the design for one value of the covariate.

        Raises
        ------
        InputError
            If the covariate has no such value.
        """
        if self.kind == "factor":
            known = (self.reference, *self.levels)
            if value not in known:
                raise InputError([self._unknown(value, f"must be one of {', '.join(known)}")])
            return {name: float(value == level) for name, level in zip(self.coefficients, self.levels, strict=True)}
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not math.isfinite(number) or (self.kind == "binary" and number not in (0, 1)):
            raise InputError([self._unknown(value, "must be 0 or 1" if self.kind == "binary" else "must be a number")])
        return {self.covariate: (number - self.centre) / self.per}

    def _unknown(self, value: Value, rule: str) -> Problem:
        return Problem(f"profile, covariate {self.covariate}", repr(value), rule, "choose one of these")


@dataclass(frozen=True, eq=False)
class Design:
    """The covariates of a model for the patients it can use.

    Attributes
    ----------
    matrix : DataFrame, shape (row, coefficient)
        Missing only in columns of marginalised covariates; the index is the row's number in the cohort.
    terms : dict of str to Term
        By covariate, in the order of the model file.
    priors : dict of str to CoefficientPrior
        By coefficient.
    lost : dict of str to int
        Patients (by weight) without a value of the covariate, in a start-stop table in any of their rows; a patient
        without several counts under each.
    n_lost : int
        Patients (by weight) left out altogether.
    n_shortened : int
        Patients (by weight) of whom some rows are left out and others used: in a start-stop table only.
    marginalised : tuple of str
        Binary covariates of which some row has no value that is summed out, in the order of the model file.
    """

    matrix: pd.DataFrame
    terms: dict[str, Term]
    priors: dict[str, CoefficientPrior]
    lost: dict[str, int]
    n_lost: int
    n_shortened: int = 0
    marginalised: tuple[str, ...] = ()

    @property
    def rows(self) -> NDArray[np.int64]:
        """Row numbers of the cohort that are used."""
        return self.matrix.index.to_numpy(dtype=np.int64)

    def term_of(self, coefficient: str) -> Term:
        """The covariate that a coefficient belongs to."""
        return next(term for term in self.terms.values() if coefficient in term.coefficients)


def design_of(cohort: Cohort, analysis: SurvivalAnalysis) -> Design:
    """Code the covariates of a model for the patients of a cohort who have all of them.

    Parameters
    ----------
    cohort : Cohort
        With follow-up for the model's endpoint.
    analysis : SurvivalAnalysis

    Returns
    -------
    Design

    Raises
    ------
    InputError
        If the endpoint or a column is not there, a factor has no reference level, a comparison cannot
        be made, rows contradict what a covariate implies, or no patient has all covariates; every fault at once.
    """
    problems: list[Problem] = []
    if analysis.endpoint not in cohort.follow_up:
        known = list(cohort.follow_up)
        problems.append(
            Problem(
                f"model {analysis.name}, endpoint",
                repr(analysis.endpoint),
                f"cohort {cohort.name} has follow-up for {', '.join(known) or 'none'}",
                did_you_mean(analysis.endpoint, known) or "name one of these, or add its columns to the cohort",
            )
        )
    terms: dict[str, Term] = {}
    observed: dict[str, pd.Series] = {}
    for name, covariate in analysis.covariates.items():
        try:
            term, values = _term(cohort, name, covariate)
        except InputError as error:
            problems += error.problems
            continue
        terms[name], observed[name] = term, values
    problems += [
        *_faults_of_priors(analysis, terms),
        *_faults_of_marginalising(cohort, analysis, terms),
        *_contradictions(cohort, analysis, terms=terms, observed=observed),
    ]
    if problems:
        raise InputError(problems)
    columns = [terms[name].code(values) for name, values in observed.items()]
    priors = {
        coefficient: _prior(analysis, name, terms[name].level_of(coefficient))
        for name in analysis.covariates
        for coefficient in terms[name].coefficients
    }
    return _complete_cases(cohort, analysis, terms=terms, columns=columns, priors=priors)


def implied_by(terms: Mapping[str, Term], covariate: str) -> list[str]:
    """All covariates that one implies, at any remove."""
    found: list[str] = []
    waiting = list(terms[covariate].implies)
    while waiting:
        name = waiting.pop()
        if name in terms and name not in found:
            found.append(name)
            waiting += terms[name].implies
    return found


def _prior(analysis: SurvivalAnalysis, covariate: str, level: str) -> CoefficientPrior:
    own = analysis.covariates[covariate]
    prior = own.levels.get(level, own.prior) or analysis.shrinkage
    if prior is None:
        raise AssertionError("validation lets no covariate without a prior through")
    return prior


def _complete_cases(
    cohort: Cohort,
    analysis: SurvivalAnalysis,
    *,
    terms: dict[str, Term],
    columns: list[pd.DataFrame],
    priors: dict[str, CoefficientPrior],
) -> Design:
    index = pd.RangeIndex(len(cohort.covariates))
    values = pd.concat([column.set_axis(index) for column in columns], axis=1) if columns else pd.DataFrame(index=index)
    absent = {
        name: values[list(term.coefficients)].isna().any(axis=1).to_numpy(dtype=bool) for name, term in terms.items()
    }
    summed = tuple(name for name, rows in absent.items() if _is_summed(analysis, name) and rows.any())
    needed = [rows for name, rows in absent.items() if name not in summed]
    complete = ~np.any(needed, axis=0) if needed else np.ones(len(index), dtype=bool)
    patients = count_of_patients(cohort.follow_up[analysis.endpoint])
    lost = {name: patients(rows) for name, rows in absent.items() if name not in summed}
    if not complete.any():
        counts = ", ".join(f"{name} {count}" for name, count in lost.items())
        rule = "at least one must have them all"
        mend = "leave out the covariates that few patients have"
        raise InputError(
            [Problem(f"cohort {cohort.name}", f"no patient with all covariates (without: {counts})", rule, mend)]
        )
    used = values[complete].astype(float)
    still = tuple(name for name in summed if used[name].isna().any())
    n_used = patients(complete)
    n_lost = patients(np.ones(len(index), dtype=bool)) - n_used
    shortened = patients(~complete) - n_lost
    return Design(used, terms, priors, lost, n_lost, n_shortened=shortened, marginalised=still)


def _is_summed(analysis: SurvivalAnalysis, covariate: str) -> bool:
    return analysis.covariates[covariate].missing == "marginalise"


def _faults_of_priors(analysis: SurvivalAnalysis, terms: Mapping[str, Term]) -> Iterator[Problem]:
    for name, term in terms.items():
        own = analysis.covariates[name].levels
        if unknown := sorted(set(own) - set(term.levels if term.kind == "factor" else ())):
            rule = f"priors by level are for {', '.join(term.levels) if term.kind == 'factor' else 'factors only'}"
            yield Problem(
                f"model {analysis.name}, covariate {name}, levels", repr(unknown), rule, "remove or rename them"
            )
        for other in term.implies:
            if terms.get(other, term).kind != "binary" or term.kind != "binary":
                rule = "only a binary covariate can imply another binary one"
                yield Problem(f"model {analysis.name}, covariate {name}, implies", repr(other), rule, "remove it")


def _faults_of_marginalising(
    cohort: Cohort, analysis: SurvivalAnalysis, terms: Mapping[str, Term]
) -> Iterator[Problem]:
    summed = [name for name in terms if _is_summed(analysis, name)]
    for name in summed:
        if terms[name].kind != "binary":
            mend = 'write missing = "complete_case"'
            yield Problem(
                f"covariate {name}, missing", "marginalise", "only a binary covariate can be summed out", mend
            )
    if summed and analysis.endpoint in cohort.follow_up and is_start_stop(cohort.follow_up[analysis.endpoint]):
        rule = "rows of one patient share the missing value, so they cannot be summed one by one"
        yield Problem("covariates " + ", ".join(summed), "marginalise in a start-stop table", rule, "use complete_case")


def _contradictions(
    cohort: Cohort, analysis: SurvivalAnalysis, *, terms: Mapping[str, Term], observed: Mapping[str, pd.Series]
) -> Iterator[Problem]:
    """Rows in which a covariate is 1 and one that it implies is 0; a missing value contradicts nothing."""
    for name in terms:
        for other in implied_by(terms, name):
            if terms[name].kind != "binary" or terms[other].kind != "binary":
                continue
            bad = np.flatnonzero(observed[name].eq(1).to_numpy() & observed[other].eq(0).to_numpy())
            if not bad.size:
                continue
            covariates = analysis.covariates
            columns = dict.fromkeys(repr(covariates[one].expression(one).column) for one in (name, other))
            found = " with ".join(
                f"{one} = {value}" + (f" ({covariates[one].source})" if covariates[one].source not in ("", one) else "")
                for one, value in ((name, 1), (other, 0))
            )
            rule = f"{name} implies {other} in model {analysis.name}: no patient has this profile"
            mend = "correct these cells, or `implies` in the model file"
            yield Problem(
                f"{cohort.path or f'cohort {cohort.name}'}, {_rows_text(bad)}, "
                f"column{'s' if len(columns) > 1 else ''} {' and '.join(columns)}",
                found,
                rule,
                mend,
            )


def _rows_text(rows: NDArray[np.int64]) -> str:
    """Rows of a cohort as a reader of its table counts them."""
    told = ", ".join(f"{row + 1}" for row in rows[:ROWS_TOLD_AT_MOST].tolist())
    more = f" and {rows.size - ROWS_TOLD_AT_MOST:,} more" if rows.size > ROWS_TOLD_AT_MOST else ""
    return f"row{'s' if rows.size > 1 else ''} {told}{more} (header and blank rows not counted)"


def _term(cohort: Cohort, name: str, covariate: ModelCovariate) -> tuple[Term, pd.Series]:
    expression = covariate.expression(name)
    where = f"covariate {name}"
    if expression.column not in cohort.covariates.columns:
        known = [str(column) for column in cohort.covariates.columns]
        mend = did_you_mean(expression.column, known) or f"columns are {', '.join(known) or 'none'}"
        raise InputError([Problem(where, repr(expression.column), f"must be a column of cohort {cohort.name}", mend)])
    source = cohort.declared[expression.column]
    values = cohort.covariates[expression.column]
    label = covariate.label or (source.label if not expression.operator else "") or name
    if expression.operator:
        compared = _compare(values, expression, source=source, where=where)
        return Term(name, label, "binary", "0", ("1",), centre=covariate.centre, implies=covariate.implies), compared
    if source.kind == "binary":
        term = Term(name, label, "binary", "0", ("1",), centre=covariate.centre, implies=covariate.implies)
    elif source.kind == "continuous":
        unit = f" {source.unit}" if source.unit else ""
        term = Term(name, label, "continuous", f"per {covariate.per:g}{unit}", (), covariate.per, covariate.centre)
    else:
        if source.reference is None:
            rule = f"a {source.kind} covariate needs a reference level (levels: {', '.join(source.levels)})"
            mend = f"declare `reference` of {source.name} in {DESCRIPTION_FILE}"
            mend = mend if cohort.path else as_python(mend)
            raise InputError([Problem(where, "no reference level", rule, mend)])
        levels = tuple(level for level in source.levels if level != source.reference)
        term = Term(name, label, "factor", source.reference, levels, implies=covariate.implies)
    return term, values


def _compare(values: pd.Series, expression: Expression, *, source: Covariate, where: str) -> pd.Series:
    """1 where the comparison holds, 0 where not, missing where the value is."""
    operand: object = expression.operand.strip("'\"")
    if source.kind in ("categorical", "ordered"):
        allowed = (*_ORDER, "==") if source.kind == "ordered" else ("==",)
        if operand not in source.levels or expression.operator not in allowed:
            rule = f"a {source.kind} covariate is compared by {' '.join(allowed)} with {', '.join(source.levels)}"
            found = repr(f"{expression.operator} {operand}")
            raise InputError([Problem(where, found, rule, "correct `from` in the model file")])
    else:
        try:
            operand = float(str(operand))
        except ValueError:
            rule = f"{source.name} is a number and is compared with one"
            raise InputError([Problem(where, repr(operand), rule, "correct `from` in the model file")]) from None
    holds = {"<=": values.le, ">=": values.ge, "<": values.lt, ">": values.gt, "==": values.eq}[expression.operator](
        operand
    )
    return holds.astype(float).mask(values.isna(), np.nan)
