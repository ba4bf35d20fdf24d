"""Which of several survival models predicts patients like these better, and whether the difference can be told."""

import math
from collections.abc import Iterator, Mapping
from typing import Final

import arviz as az
import numpy as np
import pandas as pd

from ixa_bayes.errors import InputError, Problem
from ixa_bayes.inference.survival.fitting import SurvivalFit
from ixa_bayes.inference.survival.leave_one_out import leave_one_out, used_rows
from ixa_bayes.inference.survival.tables import EVIDENCE, Row

SMALL_DIFFERENCE: Final = 4.0
FEW_PATIENTS: Final = 100
BEST: Final = "highest elpd"
TOO_SMALL: Final = f"too small to tell (below {SMALL_DIFFERENCE:g})"
UNCERTAIN: Final = "uncertain (below two standard errors)"
WORSE: Final = "predicts worse"
COLUMNS: Final[Mapping[str, str]] = {
    "fit": "name of the fit",
    "model": "name of its model file",
    "endpoint": "the endpoint",
    "n_patients": "patients left out one at a time",
    "elpd_loo": "expected log predictive density, summed over the patients; higher is better",
    "se_elpd_loo": "its standard error",
    "p_loo": "effective number of parameters",
    "n_high_pareto_k": "patients for whom the approximation of leaving one out cannot be relied on",
    "elpd_diff": "elpd_loo less that of the best fit",
    "se_diff": "standard error of the difference, from the patients' own differences",
    "weight": "stacking weight: the fit's share in the best joint prediction, not the probability that it is right; "
    "where fits predict alike, one of them may have it all",
    "reading": "what the difference says",
    "converged": "whether the fit converged",
}


def compare(fits: Mapping[str, SurvivalFit]) -> pd.DataFrame:
    """Compare survival models of the same patients by leaving out one patient at a time.

    Parameters
    ----------
    fits : mapping of str to SurvivalFit
        Two or more by name, of the same endpoint and the same patients.

    Returns
    -------
    DataFrame
        Best fit first, columns of :data:`COLUMNS`, then ``evidence_kind`` and ``ledger_rows``. Nothing is rounded.

    Raises
    ------
    InputError
        If the fits are of other patients or another endpoint, or lack their log-likelihood.

    References
    ----------
    Vehtari, Gelman & Gabry (2017), Statistics and Computing 27:1413; Yao, Vehtari, Simpson & Gelman (2018), Bayesian
    Analysis 13:917, for the weights; Sivula, Magnusson, Matamoros & Vehtari (2025), arXiv:2008.10296, for when a
    difference and its standard error can be told.

    Examples
    --------
    >>> import ixa_bayes as ib
    >>> fits = {name: ib.fit(name, "example_cohort", seed=1) for name in ("pfs_weibull", "pfs_piecewise")}
    ... # doctest: +SKIP
    >>> ib.compare(fits)[["fit", "elpd_diff", "se_diff", "weight", "reading"]]  # doctest: +SKIP
    """
    _check(fits)
    each = {name: leave_one_out(fit) for name, fit in fits.items()}
    compared = az.compare(each, round_to="none")
    rows: list[Row] = []
    for name, found in compared.iterrows():
        fit, loo = fits[str(name)], each[str(name)]
        n_high = int((loo.pareto_k > loo.good_k).sum())
        difference, error = float(found["elpd_diff"]), float(found["dse"])
        reading = [
            BEST if not rows else reading_of(difference, error),
            *_cautions(loo.n_data_points, n_high=n_high, converged=fit.convergence.ok),
        ]
        rows.append(
            {
                "fit": name,
                "model": fit.question.analysis.name,
                "endpoint": fit.question.analysis.endpoint,
                "n_patients": loo.n_data_points,
                "elpd_loo": float(loo.elpd),
                "se_elpd_loo": float(loo.se),
                "p_loo": float(loo.p),
                "n_high_pareto_k": n_high,
                "elpd_diff": difference,
                "se_diff": error,
                "weight": float(found["weight"]),
                "reading": "; ".join(reading),
                "converged": fit.convergence.ok,
                **dict(zip(EVIDENCE, (fit.question.cohort.evidence_kind, ""), strict=True)),
            }
        )
    return pd.DataFrame(rows, columns=[*COLUMNS, *EVIDENCE])


def reading_of(difference: float, error: float) -> str:
    """What a difference from the best fit says, given its standard error.

    Parameters
    ----------
    difference, error : float
        In log density over all patients.
    """
    if abs(difference) < SMALL_DIFFERENCE:
        return TOO_SMALL
    return UNCERTAIN if abs(difference) < 2 * error or math.isnan(error) else WORSE


def _cautions(n_patients: int, *, n_high: int, converged: bool) -> Iterator[str]:
    if n_patients < FEW_PATIENTS:
        yield f"fewer than {FEW_PATIENTS} patients, so standard errors may be too small"
    if n_high:
        yield f"Pareto k high for {n_high} of {n_patients} patients, so its elpd may be too high"
    if not converged:
        yield "the fit did not converge"


def _check(fits: Mapping[str, SurvivalFit]) -> None:
    if len(fits) < 2:
        rule = "two or more are compared"
        raise InputError([Problem("fits to compare", f"{len(fits)} of them", rule, "name another fit")])
    (first, one), *others = fits.items()
    problems = []
    for name, other in others:
        where, asked, wanted = f"fit {name}", other.question, one.question
        if asked.analysis.endpoint != wanted.analysis.endpoint:
            rule = f"must be {wanted.analysis.endpoint}, as in fit {first}"
            found, mend = f"endpoint {asked.analysis.endpoint}", "compare fits of one endpoint"
            problems.append(Problem(where, found, rule, mend))
        elif asked.cohort.sha256 != wanted.cohort.sha256:
            rule = f"must be that of fit {first}, {wanted.cohort.name}, with the same content"
            found, mend = f"cohort {asked.cohort.name}", "fit both models to one cohort"
            problems.append(Problem(where, found, rule, mend))
        elif not np.array_equal(used_rows(other), used_rows(one)):
            found = "other patients left out for a missing value"
            rule = f"must use the patients that fit {first} uses"
            mend = 'give the models the same covariates, or missing = "marginalise"'
            problems.append(Problem(where, found, rule, mend))
    if problems:
        raise InputError(problems)
