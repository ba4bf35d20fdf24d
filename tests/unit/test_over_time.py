"""Effects that change over time: likelihood, priors and estimands against sums written out patient by patient."""

import itertools
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from pydantic import ValidationError
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import expon, halfnorm, kstest, norm

from ixa_bayes.cohort.table import read_cohort
from ixa_bayes.errors import InputError
from ixa_bayes.inference.diagnostics import Convergence
from ixa_bayes.inference.survival import fitting, parameters
from ixa_bayes.inference.survival.estimands import (
    conditional_survival,
    hazard,
    hazard_ratio_between,
    hazard_ratio_change,
    hazard_ratios,
    hazard_ratios_over_time,
    quantile,
    rmst,
    standardised,
    survival,
)
from ixa_bayes.inference.survival.fitting import SurvivalFit
from ixa_bayes.inference.survival.parameters import log_prior, parameters_of, pointwise_log_likelihood
from ixa_bayes.inference.survival.prior import implied_by_prior, prior_as_fit, prior_draws, prior_of_program
from ixa_bayes.inference.survival.question import SurvivalQuestion, question_of
from ixa_bayes.inference.survival.simulation import simulate_times
from ixa_bayes.inference.survival.tables import estimand_table
from ixa_bayes.models.over_time import centred_paths
from ixa_bayes.models.piecewise import piecewise_model
from ixa_bayes.models.survival_analysis import SurvivalAnalysis

PRIOR = {"kind": "normal", "mean": 0.1, "sd": 0.8, "source": "test"}
HEAVY = {"kind": "student_t", "location": 0.0, "scale": 1.0, "df": 4, "source": "test"}
LEVEL = {"median": {"months": 11.0, "log_sd": 0.6, "source": "test"}}
CUTS = (3.0, 7.5)
BASELINE = {"law": "piecewise_exponential", "cuts": CUTS} | LEVEL
COVARIATES: dict[str, dict[str, Any]] = {
    # The compiled program sorts coefficients by the family of their prior, otherwise than the model file does.
    "marker": {"prior": HEAVY, "walk": {"scale": 0.9, "source": "test"}},
    "sex": {"prior": PRIOR, "centre": 0.5},
    "stage": {"prior": PRIOR, "walk": {"scale": 0.4, "source": "test"}},
    "age_decades": {"from": "age", "per": 10, "centre": 60, "prior": PRIOR},
}
NAMES = ("marker", "sex", "stage[b]", "stage[c]", "age_decades")
MEAN = dict(zip(NAMES, (0.9, -0.3, 0.5, -0.7, 0.2), strict=True))
LOG_HAZARD = np.array([-2.9, -2.1, -2.6])
SD = {"marker": 0.8, "stage": 0.3}
Z = {"marker": (1.2, -0.4), "stage[b]": (-0.9, 0.7), "stage[c]": (0.3, 2.0)}
N = 12
TABLE = pd.DataFrame(
    {
        "patient": range(N),
        # Events at cut-points, ties, equal rows, late entries.
        "os_time": [3.0, 3.0, 7.5, 9.0, 20.0, 12.0, 1.0, 6.0, 10.0, 0.25, 3.0, 3.0],
        "os_event": [1, 1, 1, 0, 0, 1, 1, 1, 1, 1, 1, 0],
        "os_entry": [0.0, 0, 0, 2, 0, 5, 0, 0, 4, 0, 0, 1.5],
        "weight": [1, 2, 1, 3, 1, 1, 2, 1, 1, 1, 1, 2],
        "marker": [0, 1, 1, 0, 1, 1, 0, 0, 1, 0, 0, 1],
        "sex": [0, 1, 0, 1, 0, 1, 0, 1, 1, 0, 0, 1],
        "stage": ["a", "b", "c", "a", "b", "c", "b", "a", "a", "c", "a", "b"],
        "age": [50, 61, 72, 55, 80, 66, 50, 61, 72, 66, 50, 61],
    }
)
VISITS = [3.0, 3.0, 4.0, np.nan, np.nan, 6.5, 0.0, 6.0, 4.0, 0.25, 1.0, np.nan]
"""Last visit without the event: events on the day, between two visits within an interval and across cut-points."""


def _question(
    table: pd.DataFrame = TABLE,
    *,
    baseline: dict[str, Any] = BASELINE,
    covariates: dict[str, Any] = COVARIATES,
    **more: Any,
) -> SurvivalQuestion:
    content = {"kind": "survival", "name": "m", "title": "t", "endpoint": "os", "baseline": baseline}
    description = {
        "columns": {"weight": "weight"} if "weight" in table else {},
        "covariates": {"stage": {"kind": "categorical", "levels": ["a", "b", "c"], "reference": "a"}},
    }
    analysis = SurvivalAnalysis.model_validate(content | {"covariates": covariates} | more)
    return question_of(analysis, read_cohort(table, description=description))


RAW: dict[str, Any] = {
    "log_hazard": LOG_HAZARD,
    "normal": np.array([MEAN[name] for name in NAMES[1:]]),
    "student_t": np.array([MEAN["marker"]]),
    "change_sd": np.array(list(SD.values())),
    "change_z": np.array(list(Z.values())),
}


def _parameters(question: SurvivalQuestion, raw: dict[str, Any] = RAW) -> xr.Dataset:
    draws = {
        name: (("chain", "draw", *(f"{name}_{axis}" for axis in range(np.ndim(value)))), np.asarray(value)[None, None])
        for name, value in raw.items()
    }
    return parameters_of(xr.Dataset(draws, coords={"chain": [0], "draw": [0]}), question)


def _effects() -> dict[str, list[float]]:
    """Log hazard ratio of each coefficient in each interval, written out for three intervals."""
    # Midpoints 1.5, 5.25 and, the last interval as wide as the one before it, 9.75 months.
    first, second = np.sqrt(3.75 / 12), np.sqrt(4.5 / 12)
    found = {}
    for name, mean in MEAN.items():
        if name not in Z:
            found[name] = [mean] * 3
            continue
        sd, (z1, z2) = SD[name.split("[")[0]], Z[name]
        walk = [0.0, sd * first * z1, sd * first * z1 + sd * second * z2]
        found[name] = [mean + at - sum(walk) / 3 for at in walk]
    return found


EFFECTS = _effects()


def _rates(x: dict[str, float]) -> list[float]:
    """Hazard per month of one patient in each interval."""
    return [float(np.exp(LOG_HAZARD[j] + sum(EFFECTS[name][j] * x[name] for name in x))) for j in range(3)]


def _survival(time: float, x: dict[str, float]) -> float:
    edges = (0.0, *CUTS, np.inf)
    parts = zip(_rates(x), pairwise(edges), strict=True)
    return float(np.prod([expon(scale=1 / rate).sf(max(0.0, min(time, b) - a)) for rate, (a, b) in parts]))


def _density(time: float, x: dict[str, float]) -> float:
    interval = 0 if time <= 3 else 1 if time <= 7.5 else 2
    start, rate = (0.0, *CUTS)[interval], _rates(x)[interval]
    return float(_survival(start, x) * expon(scale=1 / rate).pdf(time - start))


def _of_patient(row: pd.Series, **known: float) -> dict[str, float]:
    coded = {
        "marker": row["marker"],
        "sex": row["sex"] - 0.5,
        "stage[b]": float(row["stage"] == "b"),
        "stage[c]": float(row["stage"] == "c"),
        "age_decades": (row["age"] - 60) / 10,
    }
    return coded | known


def _likelihood(row: pd.Series, **known: float) -> float:
    """Of the follow-up, given no event at entry."""
    x, lower = _of_patient(row, **known), row.get("os_time_lower", row["os_time"])
    entry, time = row["os_entry"], row["os_time"]
    if not row["os_event"]:
        probability = _survival(time, x)
    elif lower < time:
        probability = _survival(max(lower, entry), x) - _survival(time, x)
    else:
        probability = _density(time, x)
    return probability / _survival(entry, x)


TABLES = {"exact": TABLE, "visits": TABLE.assign(os_time_lower=VISITS)}


def _compiled(question: SurvivalQuestion, point: dict[str, Any]) -> tuple[float, float]:
    """Log-likelihood and log prior of the PyMC model."""
    model: Any = piecewise_model(question.structure)
    data = question.data()
    assert {variable.name for variable in model.data_vars} == set(data)
    for name, value in data.items():
        model[name].set_value(np.asarray(value, dtype=float))
    fast = {"mode": "FAST_COMPILE"}
    likelihood = model.compile_logp(vars=model.observed_RVs, **fast)(point)
    prior = model.compile_logp(vars=model.free_RVs, jacobian=False, **fast)(point)
    return float(likelihood), float(prior)


def _point(raw: dict[str, Any]) -> dict[str, Any]:
    return {
        (f"{name}_log__" if name == "change_sd" else name): np.log(v) if name == "change_sd" else v
        for name, v in raw.items()
    }


@pytest.mark.parametrize("name", TABLES)
def test_the_likelihood_is_that_of_hazards_whose_ratios_change(name: str) -> None:
    question = _question(TABLES[name])
    assert question.structure.changing == (1, 2)
    expected = np.log([_likelihood(row) for _, row in TABLES[name].iterrows()])
    got = pointwise_log_likelihood(_parameters(question), question)
    assert got.dims == ("chain", "draw", "row")
    np.testing.assert_allclose(got[0, 0].to_numpy()[question.member], expected, rtol=1e-10, atol=1e-12)
    likelihood, prior = _compiled(question, _point(RAW))
    assert likelihood == pytest.approx(float(TABLE["weight"] @ expected), rel=1e-10)
    ours = sum(float(density.sum()) for density in log_prior(_parameters(question), question).values())
    assert prior == pytest.approx(ours, rel=1e-10)


def test_exact_rows_of_one_pattern_are_one() -> None:
    question = _question()
    data = question.data()
    patterns = TABLE[["marker", "sex", "stage", "age"]].drop_duplicates()
    assert np.shape(data["changing_design"]) == (len(patterns), 1, 3)
    assert np.shape(data["exposure"]) == (len(patterns), 3)


def test_a_missing_covariate_whose_effect_changes_is_summed_out() -> None:
    """Two covariates are missing, one with an effect that changes: every pattern, patient by patient."""
    marker, sex = TABLE["marker"].astype(float), TABLE["sex"].astype(float)
    marker[[1, 4, 9]], sex[[2, 4]] = np.nan, np.nan
    table = TABLE.assign(marker=marker, sex=sex)
    covariates = {
        name: own | ({"missing": "marginalise"} if name in ("marker", "sex") else {})
        for name, own in COVARIATES.items()
    }
    question = _question(table, covariates=covariates)
    slopes = np.array([[0.3, -0.2, 0.5], [-0.4, 0.1, 0.2]])
    raw = RAW | {
        "missing_intercept": np.array([-0.5, 0.4]),
        "missing_coefficient": slopes,
        "missing_earlier": np.array([0.8]),
    }
    joint, observed = [], []
    for _, row in table.iterrows():
        x = _of_patient(row)
        predictors = np.array([x[name] for name in question.patterns.predictors.columns])
        total = known = 0.0
        for m, s in itertools.product((0.0, 1.0), repeat=2):
            if row["marker"] == 1 - m or row["sex"] == 1 - s:
                continue
            p_m = expit(-0.5 + slopes[0] @ predictors)
            p_s = expit(0.4 + slopes[1] @ predictors + 0.8 * m)
            p = (p_m if m else 1 - p_m) * (p_s if s else 1 - p_s)
            known += p
            total += p * _likelihood(row, marker=m, sex=s - 0.5)
        joint.append(np.log(total))
        observed.append(np.log(known))
    got = pointwise_log_likelihood(_parameters(question, raw), question)
    expected = np.array(joint) - np.array(observed)
    np.testing.assert_allclose(got[0, 0].to_numpy()[question.member], expected, rtol=1e-10)
    likelihood, prior = _compiled(question, _point(raw))
    assert likelihood == pytest.approx(float(TABLE["weight"] @ joint), rel=1e-10)
    ours = sum(float(density.sum()) for density in log_prior(_parameters(question, raw), question).values())
    assert prior == pytest.approx(ours, rel=1e-10)


def test_a_stretch_of_time_has_the_effects_of_its_time() -> None:
    """A start-stop table whose covariates do not change says what one row per patient says."""
    whole = TABLE.drop(columns="weight").iloc[[1, 4, 5, 8]].reset_index(drop=True)
    at = [2.0, 8.0, 6.0, 5.0]
    cut = pd.concat([whole.assign(os_time=at, os_event=0), whole.assign(os_entry=at)])
    draws = [_parameters(_question(table)) for table in (whole, cut)]
    one = pointwise_log_likelihood(draws[0], _question(whole)).sum()
    other = pointwise_log_likelihood(draws[1], _question(cut)).sum()
    assert float(other) == pytest.approx(float(one), rel=1e-12)
    assert _compiled(_question(cut), _point(RAW))[0] == pytest.approx(float(one), rel=1e-10)


def test_it_goes_with_a_joint_prior_and_a_walk_of_the_log_hazards() -> None:
    names = list(COVARIATES)
    shrunk = {name: {key: v for key, v in own.items() if key != "prior"} for name, own in COVARIATES.items()}
    content = {"shrinkage": {"kind": "horseshoe", "covariates": names, "source": "test"}}
    baseline = BASELINE | {"walk": {"scale": 0.5, "source": "test"}}
    question = _question(TABLES["visits"], baseline=baseline, covariates=shrunk, **content)
    raw = prior_of_program(question, 1, np.random.default_rng(6))
    positive = ("walk_sd", "change_sd", "tau", "lambda", "slab_squared")
    point = {
        (f"{name}_log__" if name in positive else str(name)): np.log(value) if name in positive else value
        for name, value in ((name, values.to_numpy()[0, 0]) for name, values in raw.items())
    }
    parameters = parameters_of(raw, question)
    likelihood, prior = _compiled(question, point)
    terms = pointwise_log_likelihood(parameters, question)[0, 0].to_numpy()
    assert likelihood == pytest.approx(float(terms @ question.rows.weight), rel=1e-10)
    ours = sum(float(density.sum()) for density in log_prior(parameters, question).values())
    assert prior == pytest.approx(ours, rel=1e-9)  # as of the joint prior alone


def test_the_order_of_rows_and_counting_them_change_nothing() -> None:
    again = TABLE.loc[TABLE.index.repeat(TABLE["weight"])].drop(columns="weight").assign(patient=range(17))
    expected = _compiled(_question(), _point(RAW))
    for table in (TABLE.iloc[::-1], again, again.sample(frac=1, random_state=3)):
        assert _compiled(_question(table), _point(RAW)) == pytest.approx(expected, rel=1e-12)


def test_many_rows_are_taken_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    question = _question(TABLES["visits"])
    draws = prior_draws(question, 5, np.random.default_rng(1))
    together = pointwise_log_likelihood(draws, question)
    monkeypatch.setattr(parameters, "MOST_TERMS", 5 * 3 * 2)
    xr.testing.assert_identical(pointwise_log_likelihood(draws, question), together)


def test_without_any_change_it_is_the_model_of_proportional_hazards() -> None:
    plain = {name: {key: v for key, v in own.items() if key != "walk"} for name, own in COVARIATES.items()}
    constant = _question(covariates=plain)
    still = RAW | {"change_sd": np.full(2, 1e-300)}
    proportional = {name: value for name, value in RAW.items() if not name.startswith("change")}
    assert _compiled(_question(), _point(still))[0] == pytest.approx(_compiled(constant, proportional)[0], rel=1e-12)


def test_a_covariates_prior_is_about_its_mean_over_the_intervals() -> None:
    drawn = prior_draws(_question(), 4000, np.random.default_rng(20261125)).isel(chain=0)
    over_time = drawn["log_hazard_ratio_over_time"]
    names = list(over_time["changing"].to_numpy())
    assert names == ["marker", "stage[b]", "stage[c]"]
    mean = drawn["log_hazard_ratio"].sel(coefficient=names).to_numpy()
    np.testing.assert_allclose(over_time.mean("interval"), mean, atol=1e-12)
    assert kstest(mean[:, 1], norm(0.1, 0.8).cdf).pvalue > 1e-3
    for name, scale in (("marker", 0.9), ("stage", 0.4)):
        assert kstest(drawn["change_sd"].sel(changing_covariate=name), halfnorm(scale=scale).cdf).pvalue > 1e-3
    sd = drawn["change_sd"].sel(changing_covariate=["marker", "stage", "stage"]).to_numpy()
    steps = over_time.diff("interval").to_numpy() / sd[:, :, None]
    for step, years in zip(np.moveaxis(steps, 2, 0), (3.75 / 12, 4.5 / 12), strict=True):
        for column in step.T:
            assert kstest(column, norm(0, np.sqrt(years)).cdf).pvalue > 1e-3
    assert np.abs(np.corrcoef(steps.reshape(4000, -1).T) - np.eye(6)).max() < 0.06


def test_the_log_prior_of_its_own_draws_is_minus_the_entropy() -> None:
    question = _question()
    density = log_prior(prior_draws(question, 4000, np.random.default_rng(5)), question)
    by_covariate = density["change_sd"].mean(("chain", "draw"))
    np.testing.assert_allclose(by_covariate, [-halfnorm(scale=scale).entropy() for scale in (0.9, 0.4)], atol=0.06)
    np.testing.assert_allclose(density["change_z"].mean(("chain", "draw")), -norm().entropy(), atol=0.06)


@pytest.mark.parametrize("size", [2, 3, 7])
def test_paths_are_centred_and_step_by_the_distance_of_midpoints(size: int) -> None:
    cuts = np.cumsum(np.random.default_rng(size).uniform(1, 9, size - 1))
    paths = centred_paths(cuts.tolist())
    assert paths.shape == (size - 1, size)
    np.testing.assert_allclose(paths.mean(axis=1), 0, atol=1e-12)
    edges = np.array([0.0, *cuts])
    edges = np.append(edges, 2 * edges[-1] - edges[-2])
    middle = (edges[1:] + edges[:-1]) / 2
    np.testing.assert_allclose(np.diff(paths), np.diag(np.sqrt(np.diff(middle) / 12)), atol=1e-12)


def _fit(table: pd.DataFrame = TABLE) -> SurvivalFit:
    question = _question(table)
    verdict = Convergence(True, (), pd.DataFrame(), 1.0, 0.0)
    return SurvivalFit(question, xr.DataTree.from_dict({"posterior": _parameters(question)}), verdict)


FIT = _fit()
PROFILE = {"marker": 1, "sex": 1, "stage": "c", "age_decades": 75}
CODED = {"marker": 1.0, "sex": 0.5, "stage[b]": 0.0, "stage[c]": 1.0, "age_decades": 1.5}


def test_a_profile_is_the_closed_form() -> None:
    curve = survival(FIT, [0.0, 2.0, 6.0, 18.0], profile=PROFILE)
    expected = [_survival(time, CODED) for time in (0.0, 2.0, 6.0, 18.0)]
    np.testing.assert_allclose(curve[0, 0], expected, rtol=1e-12)
    np.testing.assert_allclose(
        hazard(FIT, [3.0, 3.01, 7.5, 30.0], profile=PROFILE)[0, 0], np.take(_rates(CODED), [0, 1, 1, 2])
    )
    given = conditional_survival(FIT, [6.0, 18.0], given=5.0, profile=PROFILE)
    np.testing.assert_allclose(given[0, 0], np.array(expected[2:]) / _survival(5.0, CODED), rtol=1e-12)
    for share in (0.1, 0.5, 0.9):
        time = brentq(lambda t, share=share: _survival(t, CODED) - (1 - share), 1e-6, 1e4, xtol=1e-12)
        assert quantile(FIT, share, profile=PROFILE).item() == pytest.approx(time, rel=1e-9)
    area = quad(_survival, 0, 24, args=(CODED,), points=list(CUTS))[0]
    assert rmst(FIT, 24.0, profile=PROFILE).item() == pytest.approx(area, rel=1e-7)


@pytest.mark.parametrize("changes", [{}, {"marker": 1}, {"stage": "b"}, {"sex": 0}])
def test_standardising_averages_the_curves_of_all_patients(changes: dict[str, Any]) -> None:
    covariate, level = next(iter(changes.items()), (None, None))
    ours = standardised(FIT, covariate=covariate, level=level)
    people = [_of_patient(row) for _, row in TABLE.assign(**changes).iterrows()]

    def average(time: float) -> float:
        return float(TABLE["weight"] @ [_survival(time, x) for x in people]) / TABLE["weight"].sum()

    np.testing.assert_allclose(ours.survival([2.0, 20.0])[0, 0], [average(2.0), average(20.0)], rtol=1e-12)
    median = brentq(lambda t: average(t) - 0.5, 1e-6, 1e4, xtol=1e-12)
    assert ours.quantile().item() == pytest.approx(median, rel=1e-8)
    assert ours.rmst(24.0).item() == pytest.approx(quad(average, 0, 24, points=list(CUTS))[0], rel=1e-7)


def test_an_average_over_very_many_patients_has_fewer_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = prior_as_fit(_question(), 40, np.random.default_rng(2))
    n_values = 3 * len(fit.question.design.matrix)
    monkeypatch.setattr(fitting, "MOST_VALUES", 10 * n_values)
    assert standardised(replace(fit)).eta.sizes["draw"] == 40
    monkeypatch.setattr(fitting, "POINTWISE_LIMIT", n_values - 1)
    assert standardised(fit).eta.sizes["draw"] == 10


def test_hazard_ratios_are_told_by_interval_and_on_average() -> None:
    over_time = hazard_ratios_over_time(FIT)
    assert list(over_time["interval"].to_numpy()) == [0.0, 3.0, 7.5]
    for name in over_time["changing"].to_numpy():
        np.testing.assert_allclose(np.log(over_time.sel(changing=name)[0, 0]), EFFECTS[name], rtol=1e-12)
        assert np.log(hazard_ratios(FIT).sel(coefficient=name)).item() == pytest.approx(MEAN[name])
        change = np.log(hazard_ratio_change(FIT).sel(changing=name)).item()
        assert change == pytest.approx(EFFECTS[name][2] - EFFECTS[name][0])
    between = hazard_ratio_between(FIT, PROFILE, {"sex": 1, "age_decades": 75})
    expected = np.array(EFFECTS["marker"]) + EFFECTS["stage[c]"]
    np.testing.assert_allclose(np.log(between)[0, 0], expected, rtol=1e-12)


def test_a_model_of_proportional_hazards_has_no_ratios_over_time() -> None:
    plain = {name: {key: v for key, v in own.items() if key != "walk"} for name, own in COVARIATES.items()}
    fit = prior_as_fit(_question(covariates=plain), 4, np.random.default_rng(1))
    assert hazard_ratios_over_time(fit).sizes == {"chain": 1, "draw": 4, "changing": 0, "interval": 0}
    assert hazard_ratio_change(fit).sizes == {"chain": 1, "draw": 4, "changing": 0}


def test_the_table_tells_each_interval_the_change_and_its_scale() -> None:
    fit = prior_as_fit(_question(), 300, np.random.default_rng(8))
    table = estimand_table(fit)
    assert table["estimand"].value_counts()["hazard_ratio"] == len(NAMES)
    over_time, change = hazard_ratios_over_time(fit), hazard_ratio_change(fit)
    for name, level in (("marker", "1"), ("stage", "b"), ("stage", "c")):
        coefficient = "marker" if name == "marker" else f"stage[{level}]"
        own = table[(table["factor"] == name) & (table["level"] == level)].set_index("estimand")
        intervals = own.loc["hazard_ratio_in_interval"]
        assert intervals["time"].tolist() == [0.0, 3.0, 7.5]
        draws = over_time.sel(changing=coefficient).isel(chain=0)
        np.testing.assert_allclose(intervals["median"].astype(float), draws.median("draw"))
        np.testing.assert_allclose(intervals["p_gt_1"].astype(float), (draws > 1).mean("draw"))
        moved = change.sel(changing=coefficient).to_numpy().ravel()
        told = own.loc["hazard_ratio_change"]
        assert told["q975"] == pytest.approx(np.quantile(moved, 0.975))
        assert told["p_practically_equal"] == pytest.approx(np.mean((moved > 0.8) & (moved < 1.25)))
    sds = table[table["estimand"] == "change_sd"].set_index("factor")
    assert list(sds.index) == ["marker", "stage"]
    sd = fit.posterior["posterior"]["change_sd"].sel(changing_covariate="stage")
    assert sds.loc["stage", "median"] == pytest.approx(float(sd.median()))
    assert sds["p_gt_1"].isna().all()


def test_what_the_prior_lets_an_effect_change_is_told() -> None:
    told = implied_by_prior(_question(), 3, size=20_000)
    changes = told[told["estimand"] == "hazard_ratio_change"].set_index("factor")
    rng = np.random.default_rng(1)
    for name, scale in (("marker", 0.9), ("stage", 0.4)):
        years = (3.75 + 4.5) / 12
        walk = np.exp(scale * np.abs(rng.normal(size=400_000)) * rng.normal(0, np.sqrt(years), 400_000))
        found = changes.loc[[name], ["q025", "median", "q975"]].astype(float)
        for row in found.to_numpy():
            np.testing.assert_allclose(np.log(row), np.log(np.quantile(walk, [0.025, 0.5, 0.975])), atol=0.08)


def test_simulated_times_follow_the_law() -> None:
    size = 1000
    parameters = FIT.posterior["posterior"].to_dataset()
    eta = FIT.eta(pd.DataFrame([CODED] * size))
    entry = np.where(np.arange(size) % 2 == 0, 0.0, 4.0)
    times = simulate_times(FIT.law, eta, entry, np.random.default_rng(2))[0, 0].to_numpy()
    assert parameters.sizes["draw"] == 1
    for start in (0.0, 4.0):
        own = times[entry == start]
        reached = np.array([_survival(time, CODED) for time in own]) / _survival(start, CODED)
        assert kstest(reached, "uniform").pvalue > 1e-3


@pytest.mark.parametrize(
    ("baseline", "told"),
    [
        ({"law": "weibull", "shape": {"log_sd": 0.3, "source": "test"}}, "needs intervals; write law"),
        ({"law": "piecewise_exponential", "cuts": []}, "needs at least two intervals"),
        ({"law": "piecewise_exponential", "n_intervals": 1}, "needs at least two intervals"),
        ({"law": "piecewise_exponential", "event_quantiles": []}, "needs at least two intervals"),
    ],
)
def test_an_effect_cannot_change_without_intervals(baseline: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=rf"marker, stage changes over time \(`walk`\), which {told}"):
        _question(baseline=baseline | LEVEL)


def test_tied_events_that_leave_one_interval_are_refused() -> None:
    tied = TABLE.assign(os_time=5.0, os_entry=0.0)
    with pytest.raises(InputError, match="at least two intervals") as caught:
        _question(tied, baseline={"law": "piecewise_exponential", "n_intervals": 4} | LEVEL)
    assert [problem.where for problem in caught.value.problems] == ["model m, covariate marker, stage, walk"]


def test_numbers_of_the_prior_are_data_and_who_changes_is_structure() -> None:
    def asked(scale: float, *changing: str) -> SurvivalQuestion:
        walk = {"walk": {"scale": scale, "source": "test"}}
        plain = {name: {k: v for k, v in own.items() if k != "walk"} for name, own in COVARIATES.items()}
        return _question(covariates={name: own | (walk if name in changing else {}) for name, own in plain.items()})

    same = asked(0.2, "marker").structure
    assert asked(0.7, "marker").structure == same
    assert asked(0.2, "sex").structure == same
    assert asked(0.2).structure != same
    assert asked(0.2, "stage").structure.name != same.name
    assert asked(0.2, "sex").data_sha256() != asked(0.2, "marker").data_sha256() != asked(0.3, "marker").data_sha256()
