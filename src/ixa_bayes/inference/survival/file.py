"""A survival fit on disk: the posterior, which holds no patient, and what is said of each patient, apart from it."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import xarray as xr
from pydantic import ValidationError

from ixa_bayes.cohort.table import Cohort, read_cohort
from ixa_bayes.errors import InputError, Problem
from ixa_bayes.inference.posterior_file import ENGINE, load_posterior, save_posterior
from ixa_bayes.inference.survival.fitting import SurvivalFit, verdict_on
from ixa_bayes.inference.survival.question import SurvivalQuestion, question_of
from ixa_bayes.models.survival_analysis import SurvivalAnalysis
from ixa_bayes.models.survival_rows import ROW
from ixa_bayes.study.locate import builtin_names, builtin_root

if TYPE_CHECKING:
    import pandas as pd

POSTERIOR: Final = "posterior.nc"
PATIENT_LEVEL: Final = "patient_level.nc"
PRIVATE: Final = 0o600
MODEL: Final = "model"
COHORT_SOURCE: Final = "cohort_source"
"""Attribute of the private file: where the cohort was read from; a path may name people."""
_OF_PATIENTS: Final = ("log_likelihood", "observed_data")


def save_fit(fit: SurvivalFit, folder: Path | str) -> list[Path]:
    """Write a fit as ``posterior.nc`` and, with rows of patients, ``patient_level.nc`` (readable by its owner only).

    Parameters
    ----------
    fit : SurvivalFit
    folder : path or str
        Made if needed.

    Returns
    -------
    list of Path
        What was written.

    Examples
    --------
    >>> import ixa_bayes as ib
    >>> fitted = ib.fit("pfs_weibull", "example_cohort", seed=1)  # doctest: +SKIP
    >>> ib.save_fit(fitted, "results/mine")  # doctest: +SKIP
    """
    target = Path(folder)
    groups = {name: node.to_dataset() for name, node in fit.posterior.children.items()}
    model = {MODEL: fit.question.analysis.model_dump_json(by_alias=True, exclude_unset=True)}
    shared = xr.DataTree.from_dict({name: group for name, group in groups.items() if name not in _OF_PATIENTS})
    shared.attrs.update(fit.posterior.attrs | model)
    written = [save_posterior(shared, target / POSTERIOR)]
    if "log_likelihood" in groups:
        private = xr.DataTree.from_dict(
            {"log_likelihood": groups["log_likelihood"], "observed_data": _observed(fit.question)}
        )
        private.attrs.update(fit.posterior.attrs | {COHORT_SOURCE: _source_of(fit.question.cohort)})
        written.append(save_posterior(private, target / PATIENT_LEVEL, mode=PRIVATE))
    return written


def load_fit(folder: Path | str, *, cohort: "Cohort | Path | str | pd.DataFrame | None" = None) -> SurvivalFit:
    """Read back a fit with its model and its cohort, ready for every question that a fit answers.

    Parameters
    ----------
    folder : path or str
        Where ``ixa-bayes fit`` or :func:`save_fit` wrote it.
    cohort : Cohort, path, str or DataFrame, optional
        The patients of the fit, where they are no longer where it read them; it holds no copy of their covariates.

    Returns
    -------
    SurvivalFit

    Raises
    ------
    InputError
        If there is no fit, its cohort cannot be found, or the cohort is not the one that was fitted.

    Examples
    --------
    >>> import ixa_bayes as ib
    >>> fitted = ib.load_fit("results/example")  # doctest: +SKIP
    """
    where = Path(folder)
    fitted = load_posterior(where / POSTERIOR, expected={}).attrs
    analysis = _analysis_of(where / POSTERIOR, fitted.get(MODEL))
    if not isinstance(cohort, Cohort):
        cohort = read_cohort(_cohort_of(where) if cohort is None else cohort)
    try:
        question = question_of(analysis, cohort)
    except InputError as error:
        raise InputError([_other_cohort(cohort, where), *error.problems]) from error
    if fitted.get("model_sha256") == analysis.sha256 and fitted.get("data_sha256") != question.data_sha256():
        raise InputError([_other_cohort(cohort, where)])
    return fit_of(question, where)


def _other_cohort(cohort: Cohort, folder: Path) -> Problem:
    source = _source_told(folder)
    fitted = f"those of {source}" if source and source != _source_of(cohort) else "others, or read otherwise"
    rule = f"must be the patients of the fit in {folder}, which were {fitted}"
    mend = "name the table that was fitted, as it was then, or fit again"
    return Problem(f"cohort {cohort.name}", "other patients", rule, mend)


def fit_of(question: SurvivalQuestion, folder: Path) -> SurvivalFit:
    """Read back a fit of a question.

    Parameters
    ----------
    question : SurvivalQuestion
        The model and cohort that the fit must answer for.
    folder : Path
        Where :func:`save_fit` wrote it; without ``patient_level.nc`` the fit has no log-likelihood.

    Raises
    ------
    InputError
        If there is no posterior, or it belongs to another model or other data.
    """
    expected = {
        "program": question.structure.name,
        "model_sha256": question.analysis.sha256,
        "data_sha256": question.data_sha256(),
    }
    posterior = load_posterior(folder / POSTERIOR, expected=expected)
    private = folder / PATIENT_LEVEL
    if private.is_file():
        rows = load_posterior(private, expected=expected, group="log_likelihood")
        posterior["log_likelihood"] = rows["log_likelihood"]
        if rows["log_likelihood"].sizes[ROW] != question.unit_weight.size:
            mend = "fit again"
            raise InputError([Problem(str(private), "other rows", "must be those of the cohort", mend)])
    return SurvivalFit(question, posterior, verdict_on(posterior, question.analysis))


def _analysis_of(path: Path, told: str | None) -> SurvivalAnalysis:
    """The model that a posterior answers for, from what its file says of it."""
    try:
        return SurvivalAnalysis.model_validate_json(str(told))
    except ValidationError as error:
        found = "no survival model" if told is None else "a survival model that this version does not read"
        rule = "must say which model it answers for"
        raise InputError([Problem(f"{path}, attribute {MODEL!r}", found, rule, "fit again")]) from error


def _source_of(cohort: Cohort) -> str:
    """What finds the cohort again: the name of a built-in one, the path of a file, nothing of a table in memory."""
    if cohort.path is None:
        return ""
    path = cohort.path.resolve()
    builtin = (builtin_root() / "data").resolve()
    if path.parent.parent == builtin and path.parent.name in builtin_names("cohort"):
        return path.parent.name
    return str(path)


def _cohort_of(folder: Path) -> str:
    """Where the cohort of a fit was read from, if it is still there."""
    private = folder / PATIENT_LEVEL
    rule = "the patients' covariates are needed, and a fit keeps no copy of them"
    mend = "name the cohort (--cohort; cohort=... in Python)"
    if not private.is_file():
        found = f"no {PATIENT_LEVEL}, which knows where its cohort is"
        raise InputError([Problem(str(folder), found, rule, mend)])
    source = _source_told(folder)
    if not source:
        raise InputError([Problem(str(folder), "a fit to a table in memory", rule, mend)])
    if source not in builtin_names("cohort") and not Path(source).exists():
        raise InputError([Problem(str(folder), f"a fit to {source}, which is not there", rule, mend)])
    return source


def _source_told(folder: Path) -> str:
    """What finds the cohort of a fit again, as its private file has it; empty where there is none."""
    private = folder / PATIENT_LEVEL
    if not private.is_file():
        return ""
    with xr.open_datatree(private, engine=ENGINE) as opened:
        return str(opened.attrs.get(COHORT_SOURCE, ""))


def _observed(question: SurvivalQuestion) -> xr.Dataset:
    rows = question.rows
    variables = {name: (ROW, getattr(rows, name)) for name in ("entry", "end", "upper", "event", "between", "weight")}
    return xr.Dataset(variables, coords={ROW: question.design.rows})
