"""Power scaling moves estimands as the exact power-scaled posterior does, and names what it finds."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from numpy.typing import NDArray
from scipy.special import logsumexp, rel_entr
from scipy.stats import norm

from ixa_bayes.cohort.table import read_cohort
from ixa_bayes.errors import InputError
from ixa_bayes.inference.diagnostics import Convergence
from ixa_bayes.inference.survival.estimands import hazard_ratios
from ixa_bayes.inference.survival.fitting import LOG_LIKELIHOOD, SurvivalFit
from ixa_bayes.inference.survival.parameters import log_prior, parameters_of, unit_log_likelihood
from ixa_bayes.inference.survival.power_scaling import (
    ALPHAS,
    COLUMNS,
    CONFLICT,
    NOT_RELIABLE,
    OK,
    STRONG_PRIOR,
    _sensitivity,
    diagnosis_of,
    joint_log_likelihood,
    joint_log_prior,
    own_log_prior,
    power_scaling_table,
    sensitivity_of,
)
from ixa_bayes.inference.survival.question import SurvivalQuestion, question_of
from ixa_bayes.inference.survival.tables import ratio_named
from ixa_bayes.models.survival_analysis import SurvivalAnalysis

from .fits import COVARIATES, question, written_fit

FloatArray = NDArray[np.float64]
CHAINS, DRAWS, SEEDS = 4, 2000, 6
GRID = np.linspace(-8.0, 4.0, 50_001)
"""Log hazards per month, far beyond what any posterior here reaches."""


def _asked(table: pd.DataFrame, *, mean: float, sd: float) -> SurvivalQuestion:
    """One parameter: a constant log hazard with a normal prior."""
    content: dict[str, Any] = {
        "kind": "survival",
        "name": "constant",
        "title": "constant hazard",
        "endpoint": "os",
        "baseline": {
            "law": "piecewise_exponential",
            "n_intervals": 1,
            "log_rate": {"mean": mean, "sd": sd, "unit": "month", "source": "test"},
        },
        "estimands": {"times": [6.0], "horizon": 12.0},
    }
    weighted = {"columns": {"weight": "weight"}} if "weight" in table else {}
    return question_of(SurvivalAnalysis.model_validate(content), read_cohort(table, description=weighted))


def _patients(n: int = 12) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    times = rng.exponential(9.0, n).round(2) + 0.01
    return pd.DataFrame({"patient": range(n), "os_time": times, "os_event": (np.arange(n) % 4 > 0).astype(int)})


def _log_posterior(asked: SurvivalQuestion, *, prior: float = 1.0, likelihood: float = 1.0) -> FloatArray:
    """Log density on the grid, components raised to powers, from the events and the time at risk alone."""
    rows, level = asked.rows, asked.analysis.baseline.level
    events, exposure = rows.n_events, float(rows.weight @ (rows.end - rows.entry))
    density = likelihood * (events * GRID - exposure * np.exp(GRID))
    density = density + prior * norm.logpdf(GRID, level.mean, level.sd)
    return np.asarray(density - logsumexp(density))


def _exact_fit(asked: SurvivalQuestion, rng: np.random.Generator) -> SurvivalFit:
    """Independent draws from the exact posterior, in the form of a fit."""
    cumulative = np.cumsum(np.exp(_log_posterior(asked)))
    draws = np.interp(rng.uniform(size=(CHAINS, DRAWS)), cumulative, GRID)
    raw = xr.Dataset(
        {"log_hazard": (("chain", "draw", "h"), draws[:, :, np.newaxis])},
        coords={"chain": np.arange(CHAINS), "draw": np.arange(DRAWS)},
    )
    parameters = parameters_of(raw, asked)
    groups = {
        "posterior": parameters,
        "log_prior": log_prior(parameters, asked),
        "log_likelihood": unit_log_likelihood(parameters, asked).to_dataset(name=LOG_LIKELIHOOD),
    }
    verdict = Convergence(True, (), pd.DataFrame(), float("nan"), 0.0)
    return SurvivalFit(asked, xr.DataTree.from_dict(groups), verdict)


def _distance(p: FloatArray, q: FloatArray, at: FloatArray, span: tuple[float, float]) -> float:
    """Cumulative Jensen-Shannon distance of two distributions given by their masses at rising points.

    Its bound is an integral over the span of the draws, beyond which both are 0 or 1.
    """
    within = (at[:-1] >= span[0]) & (at[1:] <= span[1])
    width, one, other = np.diff(at)[within], np.cumsum(p)[:-1][within], np.cumsum(q)[:-1][within]

    def divergence(a: FloatArray, b: FloatArray) -> float:
        return max(0.0, float(width @ (rel_entr(a, (a + b) / 2) + (b - a) / 2)) / math.log(2))

    total = divergence(one, other) + divergence(other, one)
    return float(np.sqrt(total / float(width @ (one + other))))


def _exact_sensitivity(asked: SurvivalQuestion, component: str, estimand: FloatArray, draws: FloatArray) -> float:
    """The definition of Kallioinen et al. on the grid; the estimand falls with the log hazard."""
    at, base, span = estimand[::-1], np.exp(_log_posterior(asked))[::-1], (float(draws.min()), float(draws.max()))
    moved = []
    for alpha in ALPHAS:
        scaled = np.exp(_log_posterior(asked, **{component: alpha}))[::-1]
        forward = _distance(base, scaled, at, span)
        backward = _distance(base[::-1], scaled[::-1], -at[::-1], (-span[1], -span[0]))
        moved.append(max(forward, backward) / abs(np.log2(alpha)))
    return float(np.mean(moved))


def _estimands(log_hazard: FloatArray) -> dict[str, FloatArray]:
    hazard = np.exp(log_hazard)
    return {
        "survival": np.exp(-6 * hazard),
        "median": np.log(np.log(2)) - log_hazard,  # on the log scale
        "rmst": -np.expm1(-12 * hazard) / hazard,
    }


@pytest.mark.parametrize(
    ("mean", "sd", "diagnosis"), [(-2.4, 2.0, OK), (-0.5, 0.4, CONFLICT)], ids=["weak prior", "prior far from the data"]
)
def test_sensitivities_are_those_of_the_exact_power_scaled_posterior(mean: float, sd: float, diagnosis: str) -> None:
    asked = _asked(_patients().assign(weight=np.arange(12) % 3 + 1), mean=mean, sd=sd)
    fits = [_exact_fit(asked, np.random.default_rng(seed)) for seed in range(SEEDS)]
    tables = [power_scaling_table(fit).set_index("estimand") for fit in fits]
    drawn = [_estimands(fit.posterior["posterior"]["log_hazard"].to_numpy()) for fit in fits]
    for name, on_grid in _estimands(GRID).items():
        for component in ("prior", "likelihood"):
            found = np.array([table.loc[name, f"{component}_sensitivity"] for table in tables])
            wanted = np.array([_exact_sensitivity(asked, component, on_grid, draws[name]) for draws in drawn])
            error = (found - wanted).std() / np.sqrt(SEEDS)
            assert found.mean() == pytest.approx(wanted.mean(), abs=4 * error + 0.002), (name, component)
    repeated = pd.concat(tables)
    assert set(repeated["diagnosis"]) == {diagnosis}
    assert repeated["pareto_k_prior"].max() < 0.7


def test_a_prior_that_says_more_than_the_patients_is_named() -> None:
    """One censored patient says next to nothing about the level."""
    table = pd.DataFrame({"patient": [1], "os_time": [0.05], "os_event": [0]})
    found = power_scaling_table(_exact_fit(_asked(table, mean=-2.0, sd=0.3), np.random.default_rng(4)))
    assert set(found["diagnosis"]) == {STRONG_PRIOR}
    assert (found["likelihood_sensitivity"] < 0.05).all()


def test_a_weight_counts_as_so_many_rows() -> None:
    once = _patients()
    twice = pd.concat([once, once.assign(patient=once["patient"] + 100)], ignore_index=True)
    weighted, repeated = (
        _asked(table, mean=-2.4, sd=1.0) for table in (once.assign(weight=2), twice.sample(frac=1, random_state=1))
    )
    one, other = (_exact_fit(asked, np.random.default_rng(3)) for asked in (weighted, repeated))
    xr.testing.assert_allclose(joint_log_likelihood(one), joint_log_likelihood(other), rtol=1e-12)
    rows = weighted.rows
    rate = one.posterior["posterior"]["log_hazard"].isel(interval=0, drop=True)
    by_hand = rows.n_events * rate - float(rows.weight @ rows.end) * np.exp(rate)
    xr.testing.assert_allclose(joint_log_likelihood(one), by_hand, rtol=1e-12)
    assert rows.n == 24
    columns = ["prior_sensitivity", "likelihood_sensitivity"]
    pd.testing.assert_frame_equal(power_scaling_table(one)[columns], power_scaling_table(other)[columns], rtol=1e-9)


def test_what_a_scale_sets_is_not_scaled_itself() -> None:
    fit = written_fit(question())
    densities = fit.posterior["log_prior"].to_dataset()
    assert {"missing_intercept", "missing_coefficient"} <= set(densities)  # the model file states these priors too
    total = sum(
        values.sum([dim for dim in values.dims if dim not in ("chain", "draw")]) for values in densities.values()
    )
    xr.testing.assert_allclose(joint_log_prior(fit), total)
    steps = densities.assign(z=densities["log_hazard_ratio"] * 3.0, tau=densities["log_shape"] * 2.0)
    groups = {name: node.to_dataset() for name, node in fit.posterior.children.items()} | {"log_prior": steps}
    with_scales = replace(fit, posterior=xr.DataTree.from_dict(groups))
    xr.testing.assert_allclose(joint_log_prior(with_scales), total + steps["tau"])


def _normal_fit(draws: dict[str, FloatArray], priors: dict[str, tuple[float, float]]) -> SurvivalFit:
    """Log hazard ratios as given, each under a normal prior, and patients who say nothing more."""
    fit = written_fit(question(covariates={name: COVARIATES[name] for name in draws}))
    coords = {"chain": np.arange(CHAINS), "draw": np.arange(DRAWS), "coefficient": list(draws)}
    dims = ("chain", "draw", "coefficient")
    ratios = xr.DataArray(np.stack(list(draws.values()), axis=-1), dims=dims, coords=coords)
    own = np.stack([norm.logpdf(values, *priors[name]) for name, values in draws.items()], axis=-1)
    noise = np.random.default_rng(8).normal(0, 0.1, (CHAINS, DRAWS, fit.question.unit_weight.size))
    groups = {
        "posterior": ratios.to_dataset(name="log_hazard_ratio"),
        "log_prior": ratios.copy(data=own).to_dataset(name="log_hazard_ratio"),
        "log_likelihood": xr.Dataset({LOG_LIKELIHOOD: (("chain", "draw", "row"), noise)}).assign_coords(
            {name: coords[name] for name in ("chain", "draw")} | {"row": np.arange(noise.shape[-1])}
        ),
    }
    return replace(fit, posterior=xr.DataTree.from_dict(groups))


def _ratio_table(fit: SurvivalFit) -> pd.DataFrame:
    ratios = hazard_ratios(fit)
    names = ratios["coefficient"].to_numpy().tolist()
    rows = [{"estimand": "hazard_ratio", **ratio_named(fit, name)} for name in names]
    draws = [ratios.sel(coefficient=name, drop=True) for name in names]
    return sensitivity_of(fit, zip(rows, draws, strict=True)).set_index("factor")


def test_the_own_prior_moves_a_ratio_as_the_exact_power_scaled_posterior_is_moved() -> None:
    """A normal posterior under a normal prior whose power changes is normal again."""
    mean, sd, (at, width) = 0.8, 0.4, (-0.5, 0.5)
    grid = np.linspace(mean - 8 * sd, mean + 8 * sd, 40_001)
    found, wanted = [], []
    for seed in range(SEEDS):
        draws = np.random.default_rng(seed).normal(mean, sd, (2, CHAINS, DRAWS))
        fit = _normal_fit({"sex": draws[0], "age_decades": draws[1]}, {"sex": (at, width), "age_decades": (5.0, 0.2)})
        found.append(_ratio_table(fit).loc["sex", "own_prior_sensitivity"])
        moved = []
        for alpha in ALPHAS:
            precision = sd**-2 + (alpha - 1) * width**-2
            centre = (mean * sd**-2 + (alpha - 1) * at * width**-2) / precision
            masses = [norm.pdf(grid, mean, sd), norm.pdf(grid, centre, precision**-0.5)]
            base, scaled = (mass / mass.sum() for mass in masses)
            low, high = draws[0].min(), draws[0].max()
            forward = _distance(base, scaled, grid, (low, high))
            backward = _distance(base[::-1], scaled[::-1], -grid[::-1], (-high, -low))
            moved.append(max(forward, backward) / abs(np.log2(alpha)))
        wanted.append(np.mean(moved))
    error = (np.array(found) - np.array(wanted)).std() / np.sqrt(SEEDS)
    assert np.mean(found) == pytest.approx(np.mean(wanted), abs=4 * error + 0.002)
    assert np.mean(found) > 0.1


def test_a_ratio_that_its_own_prior_moves_is_told_from_one_that_another_prior_moves() -> None:
    """Two ratios whose draws go together; the prior of one is far from them, that of the other says nothing."""
    rng = np.random.default_rng(6)
    sex = rng.normal(0.8, 0.4, (CHAINS, DRAWS))
    age = 0.9 * sex + rng.normal(0, 0.1, sex.shape)
    found = _ratio_table(
        _normal_fit({"sex": sex, "age_decades": age}, {"sex": (-0.5, 0.5), "age_decades": (0.0, 50.0)})
    )
    assert (found["prior_sensitivity"] > 0.1).all()
    assert found.loc["sex", "own_prior_sensitivity"] == pytest.approx(found.loc["sex", "prior_sensitivity"], abs=0.01)
    assert found.loc["age_decades", "own_prior_sensitivity"] < 0.01
    assert (found["pareto_k_own_prior"] < 0.7).all()


def test_the_own_priors_of_an_effect_that_changes_are_those_of_its_mean_and_of_its_change() -> None:
    changing = {name: COVARIATES[name] for name in ("stage", "sex")}
    changing["stage"] = changing["stage"] | {"walk": {"scale": 0.5, "source": "test"}}
    fit = written_fit(question(law="piecewise", covariates=changing))
    densities = fit.posterior["log_prior"].to_dataset()
    ratio, change = densities["log_hazard_ratio"], densities["change_sd"].sel(changing_covariate="stage")
    shared = {"population": "each", "factor": "stage", "unit": "ratio"}
    for estimand in ("hazard_ratio", "hazard_ratio_in_interval", "hazard_ratio_change"):
        found = own_log_prior(fit, {"estimand": estimand, "level": "c", **shared})
        assert found is not None
        np.testing.assert_allclose(found, ratio.sel(coefficient="stage[c]") + change)
    scale = own_log_prior(fit, {"estimand": "change_sd", "level": "", **shared, "unit": "log_ratio"})
    assert scale is not None
    np.testing.assert_allclose(scale, change)
    constant = own_log_prior(fit, ratio_named(fit, "sex"))
    assert constant is not None
    np.testing.assert_allclose(constant, ratio.sel(coefficient="sex"))


def test_what_has_no_prior_of_its_own_has_no_sensitivity_to_it() -> None:
    fit = written_fit(question())
    found = power_scaling_table(fit)
    ratios = found["population"] == "each"
    assert found["own_prior_sensitivity"].notna().equals(ratios)
    assert found["pareto_k_own_prior"].notna().equals(ratios)
    densities = fit.posterior["log_prior"].to_dataset()
    groups = {name: node.to_dataset() for name, node in fit.posterior.children.items()}
    shrunk = densities.sel(coefficient=["marker", "age_decades"])  # the others share a joint prior
    some = replace(fit, posterior=xr.DataTree.from_dict(groups | {"log_prior": shrunk}))
    none = replace(
        fit, posterior=xr.DataTree.from_dict(groups | {"log_prior": densities.drop_vars("log_hazard_ratio")})
    )
    row = {"estimand": "hazard_ratio", "population": "each", "factor": "stage", "level": "b", "unit": "ratio"}
    assert own_log_prior(some, row) is None
    assert own_log_prior(none, row) is None
    assert own_log_prior(some, {**row, "factor": "marker", "level": "1"}) is not None


def test_every_estimand_has_a_row() -> None:
    from ixa_bayes.inference.survival.tables import estimand_table

    fit = written_fit(question(covariates={name: COVARIATES[name] for name in ("marker", "stage")}))
    found, estimands = power_scaling_table(fit), estimand_table(fit)
    keys = ["estimand", "factor", "level", "comparator", "time", "unit", "evidence_kind"]
    pd.testing.assert_frame_equal(found[keys], estimands[keys])
    assert list(found.columns) == [*COLUMNS, "evidence_kind", "ledger_rows"]


def test_draws_that_are_all_alike_have_no_sensitivity() -> None:
    """Nobody is event-free by any time: every draw of the survival is 0."""
    fit = _exact_fit(_asked(_patients(), mean=-2.4, sd=1.0), np.random.default_rng(1))
    drawn = [({"estimand": "survival", "unit": "probability"}, xr.zeros_like(joint_log_prior(fit)))]
    (row,) = sensitivity_of(fit, drawn).to_dict("records")
    assert np.isnan(row["prior_sensitivity"])
    assert row["diagnosis"] == NOT_RELIABLE


def test_without_a_log_likelihood_it_is_refused() -> None:
    fit = written_fit(question(covariates={}))
    groups = {name: node.to_dataset() for name, node in fit.posterior.children.items() if name != "log_likelihood"}
    with pytest.raises(InputError, match="no log-likelihood"):
        power_scaling_table(replace(fit, posterior=xr.DataTree.from_dict(groups)))


@pytest.mark.parametrize(
    ("prior", "likelihood", "pareto_k", "diagnosis"),
    [
        (0.049, 0.2, 0.1, OK),
        (0.05, 0.05, 0.1, CONFLICT),
        (0.2, 0.049, 0.1, STRONG_PRIOR),
        (0.01, 0.2, 0.71, NOT_RELIABLE),
        (0.01, float("nan"), 0.1, NOT_RELIABLE),
        (0.01, 0.2, float("nan"), NOT_RELIABLE),
    ],
)
def test_the_words_follow_the_thresholds(prior: float, likelihood: float, pareto_k: float, diagnosis: str) -> None:
    assert diagnosis_of(prior, likelihood, pareto_k=pareto_k) == diagnosis


def test_weights_that_cannot_be_relied_on_are_named() -> None:
    """A log-likelihood with a tail so heavy that its hundredth still decides everything."""
    fit = _exact_fit(_asked(_patients(), mean=-2.4, sd=1.0), np.random.default_rng(1))
    terms = fit.posterior["log_likelihood"].to_dataset()[LOG_LIKELIHOOD]
    heavy = np.random.default_rng(1).exponential(150.0, (CHAINS, DRAWS))
    spoiled = terms + xr.DataArray(heavy, dims=("chain", "draw")) / terms.sizes["row"]
    groups = {name: node.to_dataset() for name, node in fit.posterior.children.items()}
    groups["log_likelihood"] = spoiled.to_dataset(name=LOG_LIKELIHOOD)
    found = power_scaling_table(replace(fit, posterior=xr.DataTree.from_dict(groups)))
    assert (found["pareto_k_likelihood"] > 0.7).all()
    assert set(found["diagnosis"]) == {NOT_RELIABLE}


def test_an_estimand_of_some_draws_is_moved_by_the_densities_of_those_draws() -> None:
    """Averages over very many patients use evenly spaced draws."""
    fit = _exact_fit(_asked(_patients(), mean=-2.4, sd=1.0), np.random.default_rng(2))
    hazard = fit.posterior["posterior"].to_dataset()["log_hazard"].squeeze(drop=True)
    row: dict[str, object] = {"estimand": "survival", "unit": "probability"}
    part = hazard.isel(draw=slice(3, None, 2))
    whole = sensitivity_of(fit, [(row, hazard), (row, part)])
    assert whole["prior_sensitivity"].notna().all()
    joint = joint_log_prior(fit).sel(draw=part["draw"])
    alone = _sensitivity(xr.Dataset({"0": part}), joint, "prior")["0"]
    assert whole["prior_sensitivity"].to_numpy() == pytest.approx([alone, alone], rel=1e-9)
