"""Calibration of one fit passes where its posteriors are right, and finds each way in which they are made wrong."""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from ixa_bayes.cohort.table import read_cohort
from ixa_bayes.errors import InputError
from ixa_bayes.inference.calibration import AS_SAMPLED, Draws, judge_ranks
from ixa_bayes.inference.diagnostics import MAX_DIVERGENT_SHARE
from ixa_bayes.inference.survival.fitting import SurvivalFit, fit_survival
from ixa_bayes.inference.survival.posterior_calibration import (
    COLUMNS,
    LOG_LIKELIHOOD,
    LOG_LIKELIHOOD_NEW,
    RANKED_AMONG,
    PosteriorCalibration,
    calibrate,
    posterior_ranks,
)
from ixa_bayes.inference.survival.question import question_of
from ixa_bayes.models.survival_analysis import SurvivalAnalysis

pytestmark = [pytest.mark.compiles, pytest.mark.calibration]

FULL = os.environ.get("IXA_BAYES_CALIBRATION") == "full"
REPLICATES, N_PATIENTS = (500, 80) if FULL else (20, 40)
"""In ten blocks of 20 replicates of 40 patients each wrong posterior is rejected ten times, the right one never."""
PRIOR = {"kind": "normal", "mean": 0.0, "sd": 0.7, "source": "test"}
SEED = 20261125


def _table() -> pd.DataFrame:
    """Patients of whom some enter late, some are seen at visits, some are counted twice and some are untested."""
    rng = np.random.default_rng(11)
    marker, emd = rng.integers(0, 2, N_PATIENTS), rng.integers(0, 2, N_PATIENTS)
    entry = np.where(rng.random(N_PATIENTS) < 0.3, rng.uniform(0.5, 4, N_PATIENTS), 0.0)
    exact = entry + rng.exponential(12 * np.exp(-0.5 * marker))
    last = entry + rng.uniform(3, 30, N_PATIENTS)
    at_visits = rng.random(N_PATIENTS) < 0.5
    found = np.where(at_visits, np.ceil(exact), exact)
    event = found <= last
    return pd.DataFrame(
        {
            "patient": range(N_PATIENTS),
            "os_time": np.where(event, found, last),
            "os_time_lower": np.where(event & at_visits, np.maximum(np.ceil(exact) - 1, entry), np.nan),
            "os_event": event.astype(int),
            "os_entry": entry,
            "weight": rng.integers(1, 3, N_PATIENTS),
            "marker": np.where(rng.random(N_PATIENTS) < 0.3, np.nan, marker),
            "emd": emd,
        }
    )


@cache
def _fit() -> SurvivalFit:
    content: dict[str, Any] = {
        "kind": "survival",
        "name": "toy",
        "title": "toy",
        "endpoint": "os",
        "baseline": {
            "law": "weibull",
            "shape": {"log_sd": 0.3, "source": "test"},
            "median": {"months": 10.0, "log_sd": 0.7, "source": "test"},
        },
        "covariates": {"marker": {"prior": PRIOR, "missing": "marginalise"}, "emd": {"prior": PRIOR}},
    }
    cohort = read_cohort(_table(), description={"columns": {"weight": "weight"}})
    return fit_survival(question_of(SurvivalAnalysis.model_validate(content), cohort), seed=4)


def _sign_flipped(draws: Draws, rng: np.random.Generator) -> Draws:
    return dict(draws) | {"log_hazard_ratio": -draws["log_hazard_ratio"]}


def _half_width(draws: Draws, rng: np.random.Generator) -> Draws:
    return {name: (values + values.mean(axis=0)) / 2 for name, values in draws.items()}


def _simulated_cohort_ignored(draws: Draws, rng: np.random.Generator) -> Draws:
    """What a program returns that was never given the simulated rows: the posterior of the cohort alone."""
    posterior = _fit().posterior["posterior"].to_dataset()
    chosen = rng.choice(posterior.sizes["chain"] * posterior.sizes["draw"], RANKED_AMONG, replace=False)
    return {
        name: posterior[name].transpose("chain", "draw", ...).to_numpy().reshape(-1, *values.shape[1:])[chosen]
        for name, values in draws.items()
    }


CORRUPTIONS: dict[str, Callable[[Draws, np.random.Generator], Draws]] = {
    "sign_flipped": _sign_flipped,
    "half_width": _half_width,
    "simulated_cohort_ignored": _simulated_cohort_ignored,
}


@cache
def _ranks() -> tuple[dict[str, pd.DataFrame], float]:
    return posterior_ranks(_fit(), seed=SEED, replicates=REPLICATES, corruptions=CORRUPTIONS)


def test_right_posteriors_pass() -> None:
    ranks, divergent = _ranks()
    found = PosteriorCalibration(judge_ranks(ranks[AS_SAMPLED], n_draws=RANKED_AMONG), divergent, MAX_DIVERGENT_SHARE)
    assert found.ok, found.reasons
    table = found.table()
    assert list(table.columns) == list(COLUMNS)
    assert table["ok"].all()
    assert (table["n_replicates"] == REPLICATES).all()
    wanted = {"log_hazard_ratio[marker]", "log_shape", "log_median", "missing_intercept[marker]"}
    assert wanted | {LOG_LIKELIHOOD, LOG_LIKELIHOOD_NEW} <= set(table["quantity"])


@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_wrong_posteriors_of_the_refits_are_rejected(corruption: str) -> None:
    assert not judge_ranks(_ranks()[0][corruption], n_draws=RANKED_AMONG).uniform


def test_a_program_that_ignores_the_simulated_cohort_is_found_by_its_log_likelihood() -> None:
    verdict = judge_ranks(_ranks()[0]["simulated_cohort_ignored"], n_draws=RANKED_AMONG)
    assert LOG_LIKELIHOOD_NEW in verdict.rejected


def test_a_wrong_posterior_of_the_cohort_is_rejected() -> None:
    """The refits are right here; what is wrong is the fit that the parameters are drawn from."""
    fit = _fit()
    posterior = fit.posterior["posterior"].to_dataset()
    ratios = posterior["log_hazard_ratio"]
    shifted = posterior.assign(log_hazard_ratio=ratios + 2 * ratios.std(["chain", "draw"]))
    wrong = replace(fit, posterior=xr.DataTree.from_dict({"posterior": shifted}))
    found = calibrate(wrong, seed=5, replicates=20)
    assert not found.ok
    assert any("log_hazard_ratio" in reason for reason in found.reasons)
    assert not found.table()["ok"].all()


def test_the_same_seed_gives_the_same_ranks_however_many_jobs_and_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    again, _ = posterior_ranks(_fit(), seed=SEED, replicates=3, jobs=2, progress=lambda *done: told.append(done))
    pd.testing.assert_frame_equal(again[AS_SAMPLED], _ranks()[0][AS_SAMPLED].iloc[:3])
    assert told == [(done, 3) for done in range(4)]


def test_what_cannot_be_calibrated_is_told() -> None:
    fit = _fit()
    with pytest.raises(ValueError, match="replicates is 19"):
        calibrate(fit, seed=1, replicates=19)
    failed = replace(fit, convergence=replace(fit.convergence, ok=False, reasons=("log_shape: R-hat 1.2 above 1.01",)))
    with pytest.raises(InputError, match=r"no convergence \(log_shape: R-hat 1.2"):
        calibrate(failed, seed=1)
    sampler = fit.question.analysis.sampler.model_copy(update={"engine": "pymc"})
    other = replace(fit.question, analysis=fit.question.analysis.model_copy(update={"sampler": sampler}))
    with pytest.raises(InputError, match="sampler engine pymc"):
        calibrate(replace(fit, question=other), seed=1)
