"""The survival models return their own posteriors, with late entry and monthly visits; wrong ones are told apart."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.special import expit

from ixa_bayes.cohort.table import read_cohort
from ixa_bayes.inference.calibration import AS_SAMPLED, Draws, blocks, judge_ranks, simulate_ranks
from ixa_bayes.inference.diagnostics import MAX_DIVERGENT_SHARE, MAX_DIVERGENT_SHARE_SHRUNK
from ixa_bayes.inference.sampling import CHAINS, SamplerSettings, sample
from ixa_bayes.inference.survival.fitting import survival_program
from ixa_bayes.inference.survival.parameters import law_of, linear_predictor, parameters_of, pointwise_log_likelihood
from ixa_bayes.inference.survival.prior import prior_of_program
from ixa_bayes.inference.survival.question import SurvivalQuestion, question_of
from ixa_bayes.inference.survival.simulation import seen_of, simulate_times
from ixa_bayes.models.missing import patterns_of
from ixa_bayes.models.survival_analysis import SurvivalAnalysis
from ixa_bayes.models.survival_rows import survival_rows

pytestmark = [pytest.mark.compiles, pytest.mark.calibration]

FULL = os.environ.get("IXA_BAYES_CALIBRATION") == "full"
SEEDS = 10
PER_SEED = 60 if FULL else 10
RANKED_AMONG = 99
N_PATIENTS = 126
N_WITH = {
    "gfr_le_70": 35,
    "triple_class_refractory": 21,
    "extramedullary_disease": 15,
    "high_risk_cytogenetics": 38,
    "age_ge_80": 37,
}
"""Patients of the index study with each factor."""
PRIORS: dict[str, dict[str, Any]] = {
    name: {"kind": "normal", "mean": 0.2, "sd": 0.7, "source": "test"} for name in N_WITH
} | {"extramedullary_disease": {"kind": "student_t", "location": 0.2, "scale": 0.5, "df": 4, "source": "test"}}
MEDIAN = {"median": {"months": 15.0, "log_sd": 0.3, "source": "test"}}
RATE = {"log_rate": {"mean": -0.7, "sd": 0.4, "unit": "year", "source": "test"}}
SHAPE = {"law": "weibull", "shape": {"median": 1.1, "log_sd": 0.25, "source": "test"}}
CUTS = {"law": "piecewise_exponential", "cuts": [6.0, 12.0, 24.0]}


HORSESHOE = {"kind": "horseshoe", "covariates": list(N_WITH), "global_scale": 0.3, "slab_scale": 1.0, "source": "test"}
R2D2 = {"kind": "r2d2", "covariates": list(N_WITH), "r2_mean": 0.3, "r2_precision": 5.0, "source": "test"}
CHANGING = ("triple_class_refractory", "extramedullary_disease")
"""The two smallest groups, whose ratios have priors of different families."""
TESTED = "high_risk_cytogenetics"
N_NOT_TESTED = 40


@dataclass(frozen=True)
class _Case:
    """A model with the way its cohort is followed; three patients in ten enter late in all of them.

    Attributes
    ----------
    baseline : dict
    monthly : bool
        Whether events are looked for at monthly visits.
    shrinkage : dict, optional
        The joint prior of all log hazard ratios, instead of one prior for each.
    changing : tuple of str
        Factors whose effect changes over time.
    untested : bool
        Whether some patients have no cytogenetics, which are then summed out.
    target_accept, max_divergent_share : float
    """

    baseline: dict[str, Any]
    monthly: bool = False
    shrinkage: dict[str, Any] | None = None
    changing: tuple[str, ...] = ()
    untested: bool = False
    target_accept: float = 0.9
    max_divergent_share: float = MAX_DIVERGENT_SHARE


CASES = {
    "weibull_monthly": _Case(SHAPE | RATE, monthly=True),
    "piecewise": _Case(CUTS | MEDIAN),
    "walk_monthly": _Case(CUTS | MEDIAN | {"walk": {"scale": 0.7, "source": "test"}}, monthly=True),
}
if FULL:
    CASES["weibull"] = _Case(SHAPE | MEDIAN)
    CASES["non_proportional"] = _Case(CUTS | MEDIAN, changing=CHANGING)
    CASES["non_proportional_monthly"] = _Case(CUTS | MEDIAN, monthly=True, changing=CHANGING)
    CASES["missing"] = _Case(SHAPE | MEDIAN, untested=True)
    for kind, joint in (("horseshoe", HORSESHOE), ("r2d2", R2D2)):
        CASES[kind] = _Case(
            SHAPE | MEDIAN,
            shrinkage=joint,
            target_accept=0.97,
            max_divergent_share=MAX_DIVERGENT_SHARE_SHRUNK,
        )


@cache
def _question(name: str) -> SurvivalQuestion:
    """The fixed part of every replicate: who has which factor, enters when, and would be censored when."""
    case, rng = CASES[name], np.random.default_rng(126)
    factors = {factor: rng.permutation(np.arange(N_PATIENTS) < n).astype(float) for factor, n in N_WITH.items()}
    entry = np.where(np.arange(N_PATIENTS) % 10 < 3, rng.uniform(0.5, 6, N_PATIENTS), 0.0)
    if case.untested:
        factors[TESTED][:N_NOT_TESTED] = np.nan
    table = pd.DataFrame({"patient": range(N_PATIENTS)} | factors)
    # No two patients are observed equally long, so that none are counted as one; each has monthly visits of its own.
    table = table.assign(os_time=rng.uniform(8, 42, N_PATIENTS), os_event=0, os_entry=entry)
    priors = {} if case.shrinkage else PRIORS
    covariates: dict[str, dict[str, Any]] = {factor: {"prior": priors[factor]} if priors else {} for factor in N_WITH}
    for factor in case.changing:
        covariates[factor]["walk"] = {"scale": 0.8, "source": "test"}
    if case.untested:
        covariates[TESTED]["missing"] = "marginalise"
    content = {"kind": "survival", "name": name, "title": name, "endpoint": "os", "baseline": case.baseline}
    content |= {"covariates": covariates} | ({"shrinkage": case.shrinkage} if case.shrinkage else {})
    question = question_of(SurvivalAnalysis.model_validate(content), read_cohort(table))
    assert question.rows.event.size == N_PATIENTS
    return replace(question, structure=replace(question.structure, between=case.monthly))


def _dataset(draws: Draws) -> xr.Dataset:
    named = {
        name: (("chain", "draw", *(f"{name}_dim_{axis}" for axis in range(values.ndim - 1))), values[np.newaxis])
        for name, values in draws.items()
    }
    return xr.Dataset(named, coords={"chain": [0], "draw": np.arange(len(next(iter(draws.values()))))})


def _prior(question: SurvivalQuestion, size: int, rng: np.random.Generator) -> Draws:
    drawn = prior_of_program(question, size, rng)
    return {str(name): values.isel(chain=0).to_numpy() for name, values in drawn.items()}


@dataclass(frozen=True)
class _Calibration:
    """What :func:`simulate_ranks` asks of a model."""

    name: str

    @property
    def question(self) -> SurvivalQuestion:
        return _question(self.name)

    def simulate(self, rng: np.random.Generator) -> tuple[Draws, SurvivalQuestion]:
        question, monthly = self.question, CASES[self.name].monthly
        truth = _prior(question, 1, rng)
        parameters = parameters_of(_dataset(truth), question)
        known = _with_covariates(question, parameters, rng)
        eta = linear_predictor(parameters, known)
        entry, censoring = question.rows.entry, question.rows.end
        times = simulate_times(law_of(parameters, question.analysis), eta, entry, rng)
        step = np.full(N_PATIENTS, float(monthly))
        seen = seen_of(times, entry=entry, censoring=censoring, step=step, anchor=censoring)
        rows = survival_rows(seen.isel(chain=0, draw=0), np.arange(N_PATIENTS))
        design = replace(question.design, matrix=known.mask(question.design.matrix.isna()))
        return truth, replace(question, rows=rows, design=design, patterns=patterns_of(design))

    def quantities(self, draws: Draws, data: object) -> Draws:
        """Every parameter; the joint log-likelihood; and an effect that counts for or against its group's events."""
        question = cast("SurvivalQuestion", data)
        parameters = parameters_of(_dataset(draws), question)
        joint = pointwise_log_likelihood(parameters, question).sum("row")
        ratios = parameters["log_hazard_ratio"].isel(chain=0).to_pandas()
        found = {str(name): values.to_numpy() for name, values in ratios.items()}
        for name, values in parameters.drop_vars(["log_hazard_ratio", "shape", "log_rate"], errors="ignore").items():
            flat = values.isel(chain=0).to_numpy().reshape(values.sizes["draw"], -1)
            found |= {f"{name}_{index}": column for index, column in enumerate(flat.T)}
        if CASES[self.name].changing:
            found |= _change_by_events(parameters, question)
        triple = question.design.matrix["triple_class_refractory"].to_numpy() == 1
        surplus = int((question.rows.event | question.rows.between)[triple].sum()) - 15
        product = found["triple_class_refractory"] * surplus
        return found | {"log_likelihood": joint.isel(chain=0).to_numpy(), "effect_by_events": product}


def _change_by_events(parameters: xr.Dataset, question: SurvivalQuestion) -> Draws:
    """A change of effect that counts for or against the late events of its group, for each factor that may change."""
    ratios, rows = parameters["log_hazard_ratio_over_time"].isel(chain=0), question.rows
    seen = rows.event | rows.between
    early, late = seen & (rows.upper <= CUTS["cuts"][0]), seen & (rows.upper > CUTS["cuts"][1])
    found = {}
    for name in ratios["changing"].to_numpy().tolist():
        group = (question.design.matrix[name] == 1).to_numpy()
        change = (ratios.isel(interval=-1) - ratios.isel(interval=0)).sel(changing=name)
        found[f"{name}_change_by_events"] = change.to_numpy() * (int(late[group].sum()) - int(early[group].sum()) + 0.5)
    return found


def _with_covariates(question: SurvivalQuestion, parameters: xr.Dataset, rng: np.random.Generator) -> pd.DataFrame:
    """The design; where a covariate has a model of its own, its value for every patient is drawn from that model."""
    if not question.patterns.covariates:
        return question.design.matrix
    logit = parameters["missing_intercept"] + xr.dot(
        parameters["missing_coefficient"],
        xr.DataArray(question.patterns.predictors.to_numpy(), dims=("row", "predictor")).assign_coords(
            predictor=parameters["predictor"]
        ),
        dim="predictor",
    )
    value = rng.random(N_PATIENTS) < expit(logit.isel(chain=0, draw=0, missing_covariate=0).to_numpy())
    return question.design.matrix.assign(**{TESTED: value.astype(float)})


class _Fitting:
    """Fits replicates and counts their divergences and events: none is dropped, so shares are what is judged."""

    def __init__(self, name: str) -> None:
        self.settings = SamplerSettings(draws=250, tune=250, target_accept=CASES[name].target_accept)
        self.divergent: list[float] = []
        self.events: list[int] = []

    def __call__(self, data: object, seed: int) -> Draws:
        question = cast("SurvivalQuestion", data)
        program = survival_program(question.structure)
        fit = sample(program, question.data(), settings=self.settings, seed=seed)
        self.divergent.append(float(fit["sample_stats"]["diverging"].mean()))
        self.events.append(question.rows.n_events)
        every = np.linspace(0, CHAINS * self.settings.draws - 1, RANKED_AMONG).round().astype(int)
        return {
            str(name): values.to_numpy().reshape(CHAINS * self.settings.draws, *values.shape[2:])[every]
            for name, values in fit["posterior"].to_dataset().items()
        }


def _sign_flipped(draws: Draws, rng: np.random.Generator) -> Draws:
    return dict(draws) | {
        name: -draws[name] for name in ("normal", "student_t", "z_shrunk", "change_z") if name in draws
    }


def _half_width(draws: Draws, rng: np.random.Generator) -> Draws:
    halved = {name: (values + values.mean(axis=0)) / 2 for name, values in draws.items()}
    if "walk_sd" in draws:
        halved["walk_sd"] = np.sqrt(draws["walk_sd"] * np.exp(np.log(draws["walk_sd"]).mean()))
    return halved


def _change_reversed(draws: Draws, rng: np.random.Generator) -> Draws:
    return dict(draws) | {"change_z": -draws["change_z"]}


@dataclass(frozen=True, eq=False)
class _Run:
    """A calibration that has been run."""

    ranks: dict[str, pd.DataFrame]
    fitting: _Fitting


@cache
def _run(name: str) -> _Run:
    calibration, fitting = _Calibration(name), _Fitting(name)
    corruptions: dict[str, Callable[[Draws, np.random.Generator], Draws]] = {
        "sign_flipped": _sign_flipped,
        "prior_returned": lambda draws, rng: _prior(calibration.question, RANKED_AMONG, rng),
        "half_width": _half_width,
    }
    if CASES[name].changing:
        corruptions["change_reversed"] = _change_reversed
        corruptions["change_ignored"] = lambda draws, rng: {
            **draws,
            **{part: _prior(calibration.question, RANKED_AMONG, rng)[part] for part in ("change_sd", "change_z")},
        }
    ranks = simulate_ranks(
        calibration.simulate,
        fitting,
        calibration.quantities,
        n_replicates=SEEDS * PER_SEED,
        seed=20261125,
        corruptions=corruptions,
    )
    return _Run(ranks, fitting)


@pytest.mark.parametrize("name", CASES)
def test_ranks_are_uniform(name: str) -> None:
    run = _run(name)
    verdict = judge_ranks(run.ranks[AS_SAMPLED], n_draws=RANKED_AMONG)
    assert verdict.uniform, verdict.outside
    assert len(run.fitting.events) == len(run.ranks[AS_SAMPLED])
    assert np.mean(run.fitting.divergent) <= CASES[name].max_divergent_share


WRONG = [
    (name, corruption)
    for name, case in CASES.items()
    for corruption in (
        *("sign_flipped", "prior_returned", "half_width"),
        *(("change_reversed", "change_ignored") if case.changing else ()),
    )
]


@pytest.mark.parametrize(("name", "corruption"), WRONG)
def test_wrong_posteriors_are_rejected(name: str, corruption: str) -> None:
    parts = blocks(_run(name).ranks[corruption], SEEDS)
    assert sum(not judge_ranks(part, n_draws=RANKED_AMONG).uniform for part in parts) >= 9


@pytest.mark.parametrize("name", CASES)
def test_right_posteriors_pass_in_every_block(name: str) -> None:
    parts = blocks(_run(name).ranks[AS_SAMPLED], SEEDS)
    assert sum(not judge_ranks(part, n_draws=RANKED_AMONG).uniform for part in parts) <= 1
