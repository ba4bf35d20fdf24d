"""The pooled model returns its own posteriors; posteriors that are wrong in three ways are told apart."""

import os
from collections.abc import Callable
from typing import cast

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.special import expit

from ixa_bayes.inference.calibration import AS_SAMPLED, Draws, blocks, judge_ranks, simulate_ranks
from ixa_bayes.inference.diagnostics import MAX_DIVERGENT_SHARE
from ixa_bayes.inference.hierarchical import hierarchical_program
from ixa_bayes.inference.sampling import CHAINS, SamplerSettings, sample
from ixa_bayes.models.analysis import read_model
from ixa_bayes.models.response import SLOTS, Groups, log_likelihood, model_data, with_groups
from ixa_bayes.models.response_analysis import ResponseAnalysis

pytestmark = [pytest.mark.compiles, pytest.mark.calibration]

FULL = os.environ.get("IXA_BAYES_CALIBRATION") == "full"
SEEDS = 10
PER_SEED = 150 if FULL else 20
"""20 tell the three wrong posteriors from right ones; 150 also tell a prior of tau 1.5 times too wide (measured)."""
SIZES = (19, 103, 12, 45)
"""Evaluable patients of the index study's subgroups, small and large."""
LABELS = tuple("abcd")
RANKED_AMONG = 99
SAMPLER = SamplerSettings(draws=500, tune=300, target_accept=0.95)
PRIOR = cast("ResponseAnalysis", read_model("orr").analysis).hierarchical
assert PRIOR is not None
NUMBERS = PRIOR.prior_numbers()


def _prior_draws(rng: np.random.Generator, size: int) -> Draws:
    return {
        "mu": rng.normal(NUMBERS["mu_mean"], NUMBERS["mu_sd"], size),
        "tau": np.abs(rng.normal(0.0, NUMBERS["tau_scale"], size)),
        "z": rng.normal(size=(size, len(SIZES))),
    }


def _theta(draws: Draws) -> np.ndarray:
    theta: np.ndarray = draws["mu"][:, np.newaxis] + draws["tau"][:, np.newaxis] * draws["z"]
    return theta


def _simulate(rng: np.random.Generator) -> tuple[Draws, Groups]:
    truth = _prior_draws(rng, 1)
    responders = rng.binomial(SIZES, expit(_theta(truth)[0]))
    return truth, Groups(LABELS, tuple(int(r) for r in responders), SIZES)


def _quantities(draws: Draws, data: object) -> Draws:
    theta = xr.DataArray(_theta(draws), dims=("draw", "group"), coords={"group": list(LABELS)})
    joint = log_likelihood(theta, cast("Groups", data)).sum("group").to_numpy()
    by_group = {f"theta_{label}": theta.sel(group=label).to_numpy() for label in LABELS}
    return {"mu": draws["mu"], "tau": draws["tau"], **by_group, "log_likelihood": joint}


class _Fitting:
    """Fits replicates and counts divergences: none is dropped, so their share is what is judged."""

    def __init__(self) -> None:
        self.divergent = 0.0
        self.fits = 0

    def __call__(self, data: object, seed: int) -> Draws:
        numbers = model_data(cast("Groups", data), NUMBERS)
        fit = sample(hierarchical_program(SLOTS), numbers, settings=SAMPLER, seed=seed)
        self.divergent += float(fit["sample_stats"]["diverging"].mean())
        self.fits += 1
        kept = with_groups(fit["posterior"].to_dataset(), LABELS)
        flat = kept.stack(sample=("chain", "draw"))  # noqa: PD013  # xarray, not pandas
        every = flat.isel(sample=np.linspace(0, CHAINS * SAMPLER.draws - 1, RANKED_AMONG).round().astype(int))
        return {name: every[name].transpose("sample", ...).to_numpy() for name in ("mu", "tau", "z")}


def _sign_flipped(draws: Draws, rng: np.random.Generator) -> Draws:
    return {"mu": -draws["mu"], "tau": draws["tau"], "z": -draws["z"]}


def _prior_returned(draws: Draws, rng: np.random.Generator) -> Draws:
    return _prior_draws(rng, len(draws["mu"]))


def _half_width(draws: Draws, rng: np.random.Generator) -> Draws:
    halved = {name: (draws[name] + draws[name].mean(axis=0)) / 2 for name in ("mu", "z")}
    return halved | {"tau": np.sqrt(draws["tau"] * np.exp(np.log(draws["tau"]).mean()))}


CORRUPTIONS: dict[str, Callable[[Draws, np.random.Generator], Draws]] = {
    "sign_flipped": _sign_flipped,
    "prior_returned": _prior_returned,
    "half_width": _half_width,
}


@pytest.fixture(scope="module")
def fitting() -> _Fitting:
    return _Fitting()


@pytest.fixture(scope="module")
def ranks(fitting: _Fitting) -> dict[str, pd.DataFrame]:
    return simulate_ranks(
        _simulate, fitting, _quantities, n_replicates=SEEDS * PER_SEED, seed=20261125, corruptions=CORRUPTIONS
    )


def test_ranks_are_uniform(ranks: dict[str, pd.DataFrame], fitting: _Fitting) -> None:
    verdict = judge_ranks(ranks[AS_SAMPLED], n_draws=RANKED_AMONG)
    assert verdict.uniform, verdict.outside
    assert fitting.divergent / fitting.fits <= MAX_DIVERGENT_SHARE


@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_wrong_posteriors_are_rejected(ranks: dict[str, pd.DataFrame], corruption: str) -> None:
    verdicts = [judge_ranks(block, n_draws=RANKED_AMONG).uniform for block in blocks(ranks[corruption], SEEDS)]
    assert sum(not uniform for uniform in verdicts) >= 9


def test_right_posteriors_pass_in_every_block(ranks: dict[str, pd.DataFrame]) -> None:
    verdicts = [judge_ranks(block, n_draws=RANKED_AMONG).uniform for block in blocks(ranks[AS_SAMPLED], SEEDS)]
    assert sum(not uniform for uniform in verdicts) <= 1
