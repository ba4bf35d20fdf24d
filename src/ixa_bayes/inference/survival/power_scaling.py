"""Power-scaling sensitivity: how far each reported number would move if the prior, or the data, weighed a little more.

The log density of a component is multiplied by 0.99 and by 1.01, the draws are reweighted accordingly, and the
sensitivity is the rate at which the distribution of an estimand moves (cumulative Jensen-Shannon distance).

References
----------
Kallioinen, Paananen, Bürkner & Vehtari (2024), Statistics and Computing 34:57.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import arviz as az
import numpy as np
import pandas as pd
import xarray as xr

from ixa_bayes.errors import InputError, Problem
from ixa_bayes.inference.survival.fitting import LOG_LIKELIHOOD, SurvivalFit
from ixa_bayes.inference.survival.tables import EVIDENCE, Row, estimand_draws
from ixa_bayes.models.over_time import CHANGE_SD, CHANGE_Z, CHANGING_COVARIATE
from ixa_bayes.models.ratio_priors import COEFFICIENT, LOG_HAZARD_RATIO
from ixa_bayes.models.survival_rows import ROW

ALPHAS: Final = (0.99, 1.01)
THRESHOLD: Final = 0.05
HIGH_PARETO_K: Final = 0.7
OK: Final = "ok"
CONFLICT: Final = "prior-data conflict"
STRONG_PRIOR: Final = "strong prior"
NOT_RELIABLE: Final = "not reliable"
COLUMNS: Final[Mapping[str, str]] = {
    "estimand": "as in estimands.csv",
    "population": "as in estimands.csv",
    "factor": "as in estimands.csv",
    "level": "as in estimands.csv",
    "comparator": "as in estimands.csv",
    "time": "as in estimands.csv",
    "unit": "as in estimands.csv",
    "prior_sensitivity": "rate at which the estimand's distribution moves when all priors weigh more; 0 is none",
    "likelihood_sensitivity": "the same when every patient weighs more",
    "own_prior_sensitivity": "of a hazard ratio, the same when its own covariate's priors alone weigh more; empty if "
    "it shares a joint prior with others",
    "pareto_k_prior": "Pareto k of the weights that stand for another prior; above 0.7 they cannot be relied on",
    "pareto_k_likelihood": "the same of the weights that stand for more data",
    "pareto_k_own_prior": "the same of the weights that stand for another prior of its own covariate",
    "diagnosis": f"`{OK}`; `{CONFLICT}`: both sensitivities reach {THRESHOLD}, so the two may disagree; "
    f"`{STRONG_PRIOR}`: only that to the prior does; `{NOT_RELIABLE}`: a Pareto k is above {HIGH_PARETO_K}, or the "
    "draws are all alike",
}
_LOWER_LEVEL: Final = ("z", "z_shrunk", "lambda", "phi", CHANGE_Z)
"""Parameters whose distribution other parameters set: the priors of those are what an analyst states, and is scaled."""
_UNBOUNDED: Final = ("median", CHANGE_SD)
"""Positive and without an upper end, as ratios are: a few large draws would decide, so their logarithms are taken."""


def power_scaling_table(fit: SurvivalFit) -> pd.DataFrame:
    """Sensitivity of every estimand of a fit to its priors and to its patients, with a diagnosis.

    Hazard ratios, medians and scales are taken on the log scale. The likelihood is that of all patients' follow-up
    given their covariates, each patient counted by the frequency weight. The prior is every one that the model file
    states: of the baseline, of the ratios and their changes, and of the models of missing covariates, which decide
    together with the patients who may have had what. Of a joint shrinkage prior and of a random walk the priors of
    their scales are scaled, not the distributions that these set. The sensitivity to its own prior tells a ratio
    that its covariate's prior moves from one that the priors of others move; the diagnosis is of all priors together.

    Parameters
    ----------
    fit : SurvivalFit
        With the log-likelihood of each patient.

    Returns
    -------
    DataFrame
        One row per estimand, columns of :data:`COLUMNS`, then ``evidence_kind`` and ``ledger_rows``.

    Raises
    ------
    InputError
        If the log-likelihood was not kept.

    Examples
    --------
    >>> import ixa_bayes as ib
    >>> fitted = ib.fit("pfs_weibull", "example_cohort", seed=1)  # doctest: +SKIP
    >>> ib.power_scaling_table(fitted).query("diagnosis != 'ok'")  # doctest: +SKIP
    """
    return sensitivity_of(fit, estimand_draws(fit))


def sensitivity_of(fit: SurvivalFit, drawn: Iterable[tuple[Row, xr.DataArray]]) -> pd.DataFrame:
    """The table of :func:`power_scaling_table` from draws of the estimands that are at hand."""
    joint = {"prior": joint_log_prior(fit), "likelihood": joint_log_likelihood(fit)}
    high = {name: _pareto_k(density) for name, density in joint.items()}
    rows, draws = [], {}
    for position, (row, values) in enumerate(drawn):
        rows.append(row)
        with np.errstate(divide="ignore"):
            draws[str(position)] = xr.ufuncs.log(values) if _is_unbounded(row) else values
    own = [_own(row, draws[str(k)], own_log_prior(fit, row)) for k, row in enumerate(rows)]
    draws, joint = _common_draws(draws, joint)
    evidence = dict(zip(EVIDENCE, (fit.question.cohort.evidence_kind, ""), strict=True))
    moved = {name: _sensitivity(xr.Dataset(draws), density, name) for name, density in joint.items()}
    return pd.DataFrame(
        [
            row | _judged(moved["prior"][str(k)], moved["likelihood"][str(k)], high) | own[k] | evidence
            for k, row in enumerate(rows)
        ],
        columns=[*COLUMNS, *EVIDENCE],
    )


def _own(row: Row, draws: xr.DataArray, density: xr.DataArray | None) -> Row:
    """Sensitivity of an estimand to the priors of its own covariate, with the Pareto k of its weights."""
    if density is None:
        return {}
    moved = _sensitivity(draws.to_dataset(name="own"), density, "prior")["own"]
    return {"own_prior_sensitivity": moved, "pareto_k_own_prior": _pareto_k(density)}


def _common_draws(
    draws: Mapping[str, xr.DataArray], joint: Mapping[str, xr.DataArray]
) -> tuple[dict[str, xr.DataArray], dict[str, xr.DataArray]]:
    """Estimands and densities at the draws that all of them have: averages over many patients use a part."""
    aligned = iter(xr.align(*draws.values(), *joint.values(), join="inner"))
    return {name: next(aligned) for name in draws}, {name: next(aligned) for name in joint}


def joint_log_likelihood(fit: SurvivalFit) -> xr.DataArray:
    """Log-likelihood of all patients together at each draw, equal patients counted, dims (chain, draw).

    Raises
    ------
    InputError
        If the log-likelihood of each patient was not kept.
    """
    if "log_likelihood" not in fit.posterior.children:
        where, rule = f"fit of {fit.question.analysis.name}", "the log-likelihood of each patient is needed"
        mend = "fit fewer rows, or keep patient_level.nc beside posterior.nc"
        raise InputError([Problem(where, "no log-likelihood", rule, mend)])
    terms = fit.posterior["log_likelihood"][LOG_LIKELIHOOD]
    weight = xr.DataArray(fit.question.unit_weight, dims=ROW)
    joint: xr.DataArray = xr.dot(terms.drop_vars(ROW), weight, dim=ROW)
    return joint.transpose("chain", "draw")


def joint_log_prior(fit: SurvivalFit) -> xr.DataArray:
    """Log prior density of what an analyst states, at each draw, dims (chain, draw)."""
    densities = fit.posterior["log_prior"].to_dataset().drop_vars(_LOWER_LEVEL, errors="ignore")
    each = [values.sum([dim for dim in values.dims if dim not in ("chain", "draw")]) for values in densities.values()]
    joint = xr.DataArray(sum(each[1:], start=each[0]))
    return joint.transpose("chain", "draw")


def own_log_prior(fit: SurvivalFit, row: Row) -> xr.DataArray | None:
    """Log prior density of what is stated for the covariate of a hazard ratio alone, dims (chain, draw).

    The prior of its coefficient and, of an effect that changes over time, that of the change's scale. None for what
    is no hazard ratio, and for a coefficient that shares a joint prior with others.

    Parameters
    ----------
    fit : SurvivalFit
    row : Row
        What names the estimand.
    """
    if row.get("population") != "each":
        return None
    densities, covariate = fit.posterior["log_prior"].to_dataset(), str(row["factor"])
    parts = []
    if row["unit"] == "ratio":
        term = fit.question.design.terms[covariate]
        (coefficient,) = (name for name in term.coefficients if term.level_of(name) == row["level"])
        if LOG_HAZARD_RATIO not in densities or coefficient not in densities[COEFFICIENT]:
            return None
        parts.append(densities[LOG_HAZARD_RATIO].sel({COEFFICIENT: coefficient}, drop=True))
    if covariate in fit.question.changing:
        parts.append(densities[CHANGE_SD].sel({CHANGING_COVARIATE: covariate}, drop=True))
    return xr.DataArray(sum(parts[1:], start=parts[0])).transpose("chain", "draw")


def diagnosis_of(prior: float, likelihood: float, *, pareto_k: float) -> str:
    """What two sensitivities say together.

    Parameters
    ----------
    prior, likelihood : float
    pareto_k : float
        The larger one of the weights behind them.
    """
    if not (pareto_k <= HIGH_PARETO_K and np.isfinite([prior, likelihood]).all()):
        return NOT_RELIABLE
    if prior < THRESHOLD:
        return OK
    return CONFLICT if likelihood >= THRESHOLD else STRONG_PRIOR


def _is_unbounded(row: Row) -> bool:
    return row["unit"] == "ratio" or row["estimand"] in _UNBOUNDED


def _judged(prior: float, likelihood: float, high: Mapping[str, float]) -> Row:
    return {
        "prior_sensitivity": prior,
        "likelihood_sensitivity": likelihood,
        "pareto_k_prior": high["prior"],
        "pareto_k_likelihood": high["likelihood"],
        "diagnosis": diagnosis_of(prior, likelihood, pareto_k=max(high.values())),
    }


def _sensitivity(draws: xr.Dataset, density: xr.DataArray, component: str) -> dict[str, float]:
    """ArviZ's power-scaling sensitivity of each variable to one component, which it takes as a group."""
    tree = xr.DataTree.from_dict({"posterior": draws, f"log_{component}": density.to_dataset(name="joint")})
    with np.errstate(divide="ignore", invalid="ignore"):  # draws that are all alike have no distance
        found = az.psense(tree, group=component, alphas=ALPHAS, sample_dims=["chain", "draw"])
    return {str(name): float(value) for name, value in found.items()}


def _pareto_k(density: xr.DataArray) -> float:
    """The larger Pareto k of the two sets of weights, which ArviZ smooths by and does not tell."""
    found = []
    for alpha in ALPHAS:
        log_weight = (alpha - 1) * density
        weight = xr.DataArray(xr.ufuncs.exp(log_weight - log_weight.max()))
        found.append(float(weight.azstats.pareto_khat(tail="right")))
    return max(found)
