"""The densities of the pooled model: numpy against scipy and against PyMC."""

import numpy as np
import pytest
import xarray as xr
from scipy.special import expit
from scipy.stats import binom, halfnorm, norm

from ixa_bayes.models.response import (
    Groups,
    hierarchical_binomial_model,
    log_likelihood,
    log_prior,
    model_data,
    slots_for,
    with_groups,
)

GROUPS = Groups(("yes", "no", "unknown"), (2, 62, 0), (19, 103, 7))
NUMBERS = {"mu_mean": 0.3, "mu_sd": 1.5, "tau_scale": 0.7}


@pytest.fixture
def draws() -> xr.Dataset:
    rng = np.random.default_rng(1)
    return xr.Dataset(
        {
            "mu": (("chain", "draw"), rng.normal(size=(2, 5))),
            "tau": (("chain", "draw"), np.abs(rng.normal(size=(2, 5)))),
            "z": (("chain", "draw", "group"), rng.normal(size=(2, 5, 16))),
        }
    )


def test_log_likelihood_is_the_binomial(draws: xr.Dataset) -> None:
    kept = with_groups(draws, GROUPS.labels)
    got = log_likelihood(kept["theta"], GROUPS)
    want = binom.logpmf(GROUPS.responders, GROUPS.evaluable, expit(kept["theta"].to_numpy()))
    assert got.dims == ("chain", "draw", "group")
    np.testing.assert_allclose(got, want, rtol=1e-12)


def test_log_likelihood_of_extreme_logits_is_finite() -> None:
    theta = xr.DataArray([[-800.0, 800.0]], dims=("draw", "group"), coords={"group": ["a", "b"]})
    got = log_likelihood(theta, Groups(("a", "b"), (0, 5), (5, 5)))
    np.testing.assert_allclose(got, [[0.0, 0.0]], atol=1e-12)


def test_log_prior_is_normal_and_half_normal(draws: xr.Dataset) -> None:
    got = log_prior(draws, NUMBERS)
    np.testing.assert_allclose(got["mu"], norm.logpdf(draws["mu"], 0.3, 1.5), rtol=1e-12)
    np.testing.assert_allclose(got["tau"], halfnorm.logpdf(draws["tau"], scale=0.7), rtol=1e-12)
    np.testing.assert_allclose(got["z"], norm.logpdf(draws["z"]), rtol=1e-12)


def test_theta_and_rate_of_the_real_groups(draws: xr.Dataset) -> None:
    kept = with_groups(draws, GROUPS.labels)
    assert kept["group"].to_numpy().tolist() == ["yes", "no", "unknown"]
    want = draws["mu"] + draws["tau"] * draws["z"].isel(group=1)
    np.testing.assert_allclose(kept["theta"].sel(group="no"), want)
    np.testing.assert_allclose(kept["rate"].sel(group="no"), expit(want))


@pytest.mark.compiles
@pytest.mark.xdist_group("compiles")
def test_pymc_has_the_same_densities(draws: xr.Dataset) -> None:
    model = hierarchical_binomial_model()
    for name, value in model_data(GROUPS, NUMBERS).items():
        model[name].set_value(np.asarray(value, dtype=model[name].dtype))
    point = draws.isel(chain=0, draw=0)
    kept = with_groups(draws, GROUPS.labels).isel(chain=0, draw=0)
    at = {
        "mu": point["mu"].to_numpy(),
        "tau_log__": np.log(point["tau"].to_numpy()),
        "z": point["z"].to_numpy(),
    }
    likelihood = model.compile_logp(model.observed_RVs, jacobian=False)(at)
    prior = model.compile_logp(model.free_RVs, jacobian=False)(at)
    np.testing.assert_allclose(likelihood, log_likelihood(kept["theta"], GROUPS).sum(), rtol=1e-10)
    want = log_prior(point, NUMBERS)
    np.testing.assert_allclose(prior, sum(float(want[name].sum()) for name in want), rtol=1e-10)


def test_spare_slots_hold_no_patients() -> None:
    data = model_data(GROUPS, NUMBERS)
    assert np.shape(data["responders"]) == (16,)
    assert np.sum(data["evaluable"]) == 129
    assert data["mu_mean"] == 0.3


@pytest.mark.parametrize(("n_groups", "slots"), [(1, 16), (16, 16), (17, 32), (33, 48)])
def test_slots(n_groups: int, slots: int) -> None:
    assert slots_for(n_groups) == slots


@pytest.mark.parametrize(
    ("labels", "responders", "evaluable", "message"),
    [
        (("a",), (5,), (4,), "group 'a' has 5 responders of 4"),
        (("a",), (-1,), (4,), "-1 responders"),
        (("a", "a"), (1, 1), (4, 4), "repeat"),
        (("a", "b"), (1,), (4, 4), "one entry per group"),
        ((), (), (), "at least one group"),
    ],
)
def test_wrong_groups_are_refused(
    labels: tuple[str, ...], responders: tuple[int, ...], evaluable: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Groups(labels, responders, evaluable)


def test_too_many_groups_are_refused() -> None:
    with pytest.raises(ValueError, match="3 groups do not fit into 2 slots"):
        model_data(GROUPS, NUMBERS, slots=2)
