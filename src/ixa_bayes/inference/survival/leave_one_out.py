"""Leaving out one patient at a time (PSIS-LOO), however the rows of a fit were counted together."""

import warnings
from dataclasses import replace
from typing import Any, Final

import arviz as az
import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import logsumexp

from ixa_bayes.cohort.follow_up import is_start_stop
from ixa_bayes.errors import InputError, Problem
from ixa_bayes.inference.survival.fitting import LOG_LIKELIHOOD, SurvivalFit
from ixa_bayes.models.design_matrix import design_of
from ixa_bayes.models.survival_rows import ROW

PATIENT: Final = "patient"


def leave_one_out(fit: SurvivalFit) -> Any:
    """Expected log predictive density of each patient from the others, by Pareto-smoothed importance sampling.

    A row that stands for several equal patients counts as each of them: the terms are those of single patients, not
    multiplied, and are there as often as there are patients.

    Parameters
    ----------
    fit : SurvivalFit
        With the log-likelihood of each patient.

    Returns
    -------
    arviz_stats.ELPDData
        As ``arviz.loo`` returns it, with ``elpd_i`` and ``pareto_k`` of each patient used, in the cohort's order,
        so that ArviZ's functions take it.

    Raises
    ------
    InputError
        If the log-likelihood was not kept, or there is one patient only.

    References
    ----------
    Vehtari, Gelman & Gabry (2017), Statistics and Computing 27:1413.
    """
    where = f"fit of {fit.question.analysis.name}"
    if "log_likelihood" not in fit.posterior.children:
        rule, mend = "the log-likelihood of each patient is needed", "keep patient_level.nc beside posterior.nc"
        raise InputError([Problem(where, "no log-likelihood", rule, mend)])
    if fit.question.unit_weight.size < 2:
        rule = "leaving one out needs patients that differ"
        raise InputError([Problem(where, "patients who are all alike", rule, "none: there is nothing to compare")])
    with warnings.catch_warnings():  # a high Pareto k is counted where readers look
        warnings.filterwarnings("ignore", message="Estimated shape parameter of Pareto")
        loo = az.loo(fit.posterior, var_name=LOG_LIKELIHOOD, pointwise=True)
    each = unit_of_patient(fit)
    terms, pareto_k = (xr.DataArray(values.to_numpy()[each], dims=PATIENT) for values in (loo.elpd_i, loo.pareto_k))
    draws = fit.posterior["log_likelihood"][LOG_LIKELIHOOD].transpose("chain", "draw", ROW).to_numpy()
    density = logsumexp(draws, axis=(0, 1)) - np.log(draws.shape[0] * draws.shape[1])
    return replace(
        loo,
        elpd=float(terms.sum()),
        se=float(np.sqrt(each.size * terms.var(ddof=1))),
        p=float(density[each].sum() - terms.sum()),
        n_data_points=each.size,
        elpd_i=terms,
        pareto_k=pareto_k,
        log_weights=None,  # of the rows, not of the patients
    )


def used_rows(fit: SurvivalFit) -> NDArray[np.int64]:
    """Rows of the cohort that a fit uses, before equal ones are counted together."""
    return design_of(fit.question.cohort, fit.question.analysis).rows


def unit_of_patient(fit: SurvivalFit) -> NDArray[np.int64]:
    """Which unit of the log-likelihood each patient used is, in the cohort's order; by weight, so units repeat."""
    question = fit.question
    follow_up = question.cohort.follow_up[question.analysis.endpoint]
    if is_start_stop(follow_up):
        return np.repeat(np.arange(question.unit_weight.size), question.unit_weight)
    return np.repeat(question.member, follow_up["weight"].to_numpy()[used_rows(fit)])
