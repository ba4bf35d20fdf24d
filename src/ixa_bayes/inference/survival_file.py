"""A survival fit on disk: the posterior, which holds no patient, and what is said of each patient, apart from it."""

from pathlib import Path
from typing import Final

import xarray as xr

from ixa_bayes.errors import InputError, Problem
from ixa_bayes.inference.posterior_file import load_posterior, save_posterior
from ixa_bayes.inference.survival import SurvivalFit, verdict_on
from ixa_bayes.inference.survival_question import SurvivalQuestion
from ixa_bayes.models.survival_rows import ROW

POSTERIOR: Final = "posterior.nc"
PATIENT_LEVEL: Final = "patient_level.nc"
PRIVATE: Final = 0o600
_OF_PATIENTS: Final = ("log_likelihood", "observed_data")


def save_fit(fit: SurvivalFit, folder: Path) -> list[Path]:
    """Write a fit as ``posterior.nc`` and, with rows of patients, ``patient_level.nc`` (readable by its owner only).

    Parameters
    ----------
    fit : SurvivalFit
    folder : Path

    Returns
    -------
    list of Path
        What was written.
    """
    groups = {name: node.to_dataset() for name, node in fit.posterior.children.items()}
    shared = xr.DataTree.from_dict({name: group for name, group in groups.items() if name not in _OF_PATIENTS})
    shared.attrs.update(fit.posterior.attrs)
    written = [save_posterior(shared, folder / POSTERIOR)]
    if "log_likelihood" in groups:
        private = xr.DataTree.from_dict(
            {"log_likelihood": groups["log_likelihood"], "observed_data": _observed(fit.question)}
        )
        private.attrs.update(fit.posterior.attrs)
        path = save_posterior(private, folder / PATIENT_LEVEL, mode=PRIVATE)
        written.append(path)
    return written


def load_fit(question: SurvivalQuestion, folder: Path) -> SurvivalFit:
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


def _observed(question: SurvivalQuestion) -> xr.Dataset:
    rows = question.rows
    variables = {name: (ROW, getattr(rows, name)) for name in ("entry", "end", "upper", "event", "between", "weight")}
    return xr.Dataset(variables, coords={ROW: question.design.rows})
