"""The survival likelihoods against scipy's laws, row by row, in numpy and as compiled."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from numpy.typing import NDArray
from scipy.stats import weibull_min

from ixa_bayes.formulas.piecewise import root_distances
from ixa_bayes.models.piecewise import (
    PiecewiseLaw,
    cut_points,
    hazard_numbers,
    piecewise_data,
    piecewise_log_prior,
    piecewise_model,
    piecewise_parameters,
)
from ixa_bayes.models.ratio_priors import Families, ratio_data
from ixa_bayes.models.survival_analysis import NormalPrior, PiecewiseBaseline, StudentTPrior, WeibullBaseline
from ixa_bayes.models.survival_likelihood import Law, Structure, log_likelihood
from ixa_bayes.models.survival_rows import SurvivalRows, survival_rows
from ixa_bayes.models.weibull import WeibullLaw, weibull_data, weibull_log_prior, weibull_model, weibull_parameters

CUTS = (3.0, 7.5, 12.0)
LOG_SHAPE, LOG_RATE = 0.35, -3.1
LOG_HAZARD = np.array([-3.0, -2.2, -2.9, -1.8])
BETA = np.array([0.8, -0.4])
PRIORS = {
    "a": NormalPrior(kind="normal", mean=0.2, sd=0.7, source="test"),
    "b": StudentTPrior(kind="student_t", location=-0.1, scale=0.5, df=4, source="test"),
}
SHAPE_PRIOR = {"median": 1.1, "log_sd": 0.4, "source": "test"}


def _rows() -> SurvivalRows:
    """Exact events (tied, and on a cut-point), censored rows, late entries, events between visits from 0 and later."""
    table = {
        "entry": [0, 0, 0, 2.0, 0, 5.0, 0, 0, 4.0, 0.0],
        "time": [3.0, 3.0, 7.5, 9.0, 20.0, 12.0, 1.0, 6.0, 10.0, 0.25],
        "time_lower": [3.0, 3.0, 7.5, 9.0, 20.0, 12.0, 0.0, 4.0, 2.0, 0.25],
        "event": [True, True, True, False, False, True, True, True, True, True],
        "weight": [1, 2, 1, 3, 1, 1, 2, 1, 1, 1],
    }
    follow_up = xr.Dataset({name: ("row", values) for name, values in table.items()})
    return survival_rows(follow_up, np.arange(10))


ROWS = _rows()
DESIGN = pd.DataFrame(np.random.default_rng(1).normal(size=(10, 2)), columns=["a", "b"])
ETA = DESIGN.to_numpy() @ BETA

CumulativeHazard = Callable[[float, float], float]


def _weibull_survival(time: float, eta: float) -> float:
    return float(weibull_min(c=np.exp(LOG_SHAPE), scale=np.exp(-(LOG_RATE + eta) / np.exp(LOG_SHAPE))).sf(time))


def _weibull_density(time: float, eta: float) -> float:
    return float(weibull_min(c=np.exp(LOG_SHAPE), scale=np.exp(-(LOG_RATE + eta) / np.exp(LOG_SHAPE))).pdf(time))


def _piecewise_hazard(time: float, eta: float) -> float:
    interval = 0 if time <= 3 else 1 if time <= 7.5 else 2 if time <= 12 else 3
    return float(np.exp(LOG_HAZARD[interval] + eta))


def _piecewise_survival(time: float, eta: float) -> float:
    edges = [0.0, *CUTS, np.inf]
    spent = [max(0.0, min(time, b) - a) for a, b in pairwise(edges)]
    return float(np.exp(-np.exp(eta) * np.dot(spent, np.exp(LOG_HAZARD))))


def _piecewise_density(time: float, eta: float) -> float:
    return _piecewise_hazard(time, eta) * _piecewise_survival(time, eta)


def _expected(density: CumulativeHazard, survival: CumulativeHazard) -> NDArray[np.float64]:
    """By probabilities: of the event, of none so far, or of one between two visits, given none at entry."""
    found = []
    for i, eta in enumerate(ETA):
        entry, end, upper = ROWS.entry[i], ROWS.end[i], ROWS.upper[i]
        if ROWS.event[i]:
            probability = density(end, eta)
        elif ROWS.between[i]:
            probability = survival(end, eta) - survival(upper, eta)
        else:
            probability = survival(end, eta)
        found.append(np.log(probability / survival(entry, eta)))
    return np.array(found)


def _draw(value: float | NDArray[np.float64], *dims: str) -> xr.DataArray:
    return xr.DataArray(np.asarray(value)[np.newaxis, np.newaxis], dims=("chain", "draw", *dims))


LAWS: dict[str, tuple[Law, NDArray[np.float64]]] = {
    "weibull": (
        WeibullLaw(_draw(LOG_RATE), _draw(np.exp(LOG_SHAPE))),
        _expected(_weibull_density, _weibull_survival),
    ),
    "piecewise": (
        PiecewiseLaw(_draw(LOG_HAZARD, "interval"), CUTS),
        _expected(_piecewise_density, _piecewise_survival),
    ),
}


@pytest.mark.parametrize("name", LAWS)
def test_log_likelihood_is_that_of_the_law(name: str) -> None:
    law, expected = LAWS[name]
    got = log_likelihood(law, _draw(ETA, "row"), ROWS)
    assert got.dims == ("chain", "draw", "row")
    np.testing.assert_allclose(got[0, 0], expected, rtol=1e-10, atol=1e-12)


def test_a_patient_who_enters_after_the_last_clear_visit_was_event_free_at_entry() -> None:
    assert ROWS.end[8] == 4.0
    assert ROWS.between[8]


def _structure(law: str, **changes: object) -> Structure:
    sizes = {"families": Families(1, 1), "level": "median", "late_entry": True, "between": True}
    return Structure(law=law, **(sizes | changes))


def _log_densities(model: Any, data: dict[str, object], point: dict[str, object]) -> tuple[float, float]:
    """Log-likelihood and log prior of a PyMC model at a point of its parameters."""
    for name, value in data.items():
        model[name].set_value(np.asarray(value, dtype=float))
    fast = {"mode": "FAST_COMPILE"}
    likelihood = model.compile_logp(vars=model.observed_RVs, **fast)(point)
    prior = model.compile_logp(vars=model.free_RVs, jacobian=False, **fast)(point)
    return float(likelihood), float(prior)


@pytest.mark.parametrize("level", ["median", "log_rate"])
def test_the_compiled_weibull_is_the_same_formula(level: str) -> None:
    source = "test"
    stated = {"months": 11.0, "log_sd": 0.6} if level == "median" else {"mean": -1.0, "sd": 2.0, "unit": "year"}
    baseline = WeibullBaseline(law="weibull", shape=SHAPE_PRIOR, **{level: stated | {"source": source}})
    structure = _structure("weibull", level=level)
    data = weibull_data(ROWS, DESIGN, baseline=baseline, structure=structure) | ratio_data(PRIORS)
    shape = np.exp(LOG_SHAPE)
    value = (np.log(np.log(2)) - LOG_RATE) / shape if level == "median" else LOG_RATE + shape * np.log(12)
    point = {"log_shape": LOG_SHAPE, "level": value, "normal": BETA[:1], "student_t": BETA[1:]}
    likelihood, prior = _log_densities(weibull_model(structure), data, point)
    assert likelihood == pytest.approx(float(ROWS.weight @ LAWS["weibull"][1]), rel=1e-10)

    draws = xr.Dataset({"log_shape": _draw(LOG_SHAPE), "level": _draw(value)})
    parameters = weibull_parameters(draws, baseline)
    np.testing.assert_allclose(parameters["log_rate"], LOG_RATE, rtol=1e-12)
    survived = np.exp(-np.exp(LOG_RATE) * np.exp(parameters["log_median"] * shape))
    np.testing.assert_allclose(survived, 0.5)
    ours = float(weibull_log_prior(parameters, baseline).to_array().sum()) + _ratio_prior()
    assert prior == pytest.approx(ours, rel=1e-10)


def _ratio_prior() -> float:
    from scipy.stats import norm, t

    return float(norm.logpdf(BETA[0], 0.2, 0.7) + t.logpdf(BETA[1], 4, -0.1, 0.5))


@pytest.mark.parametrize("walk", [False, True])
def test_the_compiled_piecewise_model_is_the_same_formula(walk: bool) -> None:
    level = {"median": {"months": 11.0, "log_sd": 0.6, "source": "test"}}
    steps = {"walk": {"scale": 0.8, "source": "test"}} if walk else {}
    baseline = PiecewiseBaseline(law="piecewise_exponential", cuts=CUTS, **level, **steps)
    structure = _structure("piecewise_exponential", n_intervals=4, walk=walk)
    data = piecewise_data(ROWS, DESIGN, baseline=baseline, cuts=CUTS, structure=structure) | ratio_data(PRIORS)
    point: dict[str, object] = {"normal": BETA[:1], "student_t": BETA[1:]}
    if walk:
        z = np.diff(LOG_HAZARD) / root_distances(CUTS) / 0.6
        point |= {"level": LOG_HAZARD[0], "walk_sd_log__": np.log(0.6), "z": z}
        draws = xr.Dataset({"level": _draw(LOG_HAZARD[0]), "walk_sd": _draw(0.6), "z": _draw(z, "z_dim_0")})
    else:
        point |= {"log_hazard": LOG_HAZARD}
        draws = xr.Dataset({"log_hazard": _draw(LOG_HAZARD, "log_hazard_dim_0")})
    likelihood, prior = _log_densities(piecewise_model(structure), data, point)
    assert likelihood == pytest.approx(float(ROWS.weight @ LAWS["piecewise"][1]), rel=1e-10)

    parameters = piecewise_parameters(draws, CUTS)
    np.testing.assert_allclose(parameters["log_hazard"][0, 0], LOG_HAZARD, rtol=1e-12)
    ours = sum(float(density.sum()) for density in piecewise_log_prior(parameters, baseline).values()) + _ratio_prior()
    assert prior == pytest.approx(ours, rel=1e-10)


def test_the_walks_variance_grows_with_the_distance_of_midpoints() -> None:
    # Midpoints 1.5, 5.25, 9.75 and, the last interval as wide as the one before it, 14.25 months.
    np.testing.assert_allclose(root_distances(CUTS), np.sqrt(np.array([3.75, 4.5, 4.5]) / 12))


def test_the_level_of_a_hazard_is_the_median_it_would_have() -> None:
    stated = {"median": {"months": 11.0, "log_sd": 0.6, "source": "test"}}
    mean, sd = hazard_numbers(PiecewiseBaseline(law="piecewise_exponential", cuts=CUTS, **stated))
    assert np.exp(-np.exp(mean) * 11.0) == pytest.approx(0.5)
    assert sd == 0.6
    per_year = {"log_rate": {"mean": 0.5, "sd": 2.0, "unit": "year", "source": "test"}}
    mean, _ = hazard_numbers(PiecewiseBaseline(law="piecewise_exponential", cuts=CUTS, **per_year))
    assert np.exp(mean) * 12 == pytest.approx(np.exp(0.5))


def test_cut_points_at_event_quantiles_are_event_times() -> None:
    level = {"median": {"months": 11.0, "log_sd": 0.6, "source": "test"}}
    thirds = PiecewiseBaseline(law="piecewise_exponential", n_intervals=3, **level)
    # By weight the events are at 0.25, 1, 1, 3, 3, 3, 6, 7.5, 10, 12: thirds have happened at the 4th and the 7th.
    assert cut_points(thirds, ROWS) == (3.0, 6.0)
    tied = PiecewiseBaseline(law="piecewise_exponential", event_quantiles=(0.4, 0.5, 0.6, 0.99), **level)
    assert cut_points(tied, ROWS) == (3.0,)
