"""An effect that changes over time against its posterior by quadrature: one binary covariate, two intervals."""

from functools import cache
from typing import Any

import arviz as az
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.interpolate import CubicSpline
from scipy.stats import halfnorm, norm

from ixa_bayes.cohort.table import read_cohort
from ixa_bayes.inference.survival.fitting import SurvivalFit, fit_survival
from ixa_bayes.inference.survival.question import question_of
from ixa_bayes.models.survival_analysis import SurvivalAnalysis

pytestmark = pytest.mark.compiles

CUT = 6.0
RATIO_SD, SCALE = 1.2, 1.5
LEVEL_MONTHS, LEVEL_SD = 9.0, 0.8
COMBINED_ERRORS = 4.5
FloatArray = NDArray[np.float64]


def _patients() -> pd.DataFrame:
    """Sixty patients: with the marker, events come early; without it, late."""
    rng = np.random.default_rng(17)
    marker = np.arange(60) % 3 == 0
    early, late = np.where(marker, 0.16, 0.05), np.where(marker, 0.04, 0.11)
    reached = rng.exponential(size=60)
    exact = np.where(reached < CUT * early, reached / early, CUT + (reached - CUT * early) / late)
    last, entry = rng.uniform(4, 30, 60), np.where(np.arange(60) % 5 == 0, 0.5, 0.0)
    return pd.DataFrame(
        {
            "patient": range(60),
            "os_entry": entry,
            "os_time": np.minimum(exact, last) + entry,
            "os_event": (exact <= last).astype(int),
            "marker": marker.astype(int),
        }
    )


@cache
def _fit() -> SurvivalFit:
    level = {"months": LEVEL_MONTHS, "log_sd": LEVEL_SD, "source": "test"}
    content: dict[str, Any] = {
        "kind": "survival",
        "name": "m",
        "title": "t",
        "endpoint": "os",
        "baseline": {"law": "piecewise_exponential", "cuts": [CUT], "median": level},
        "covariates": {
            "marker": {
                "prior": {"kind": "normal", "sd": RATIO_SD, "source": "test"},
                "walk": {"scale": SCALE, "source": "test"},
            }
        },
        "sampler": {"draws": 4000, "target_accept": 0.95},
    }
    return fit_survival(question_of(SurvivalAnalysis.model_validate(content), read_cohort(_patients())), seed=4)


def _evidence(interval: int) -> CubicSpline:
    """Log marginal likelihood of an interval's events given its log hazard ratio, the log hazard integrated out.

    Up to a constant.
    """
    table = _patients()
    start, stop = (0.0, CUT) if interval == 0 else (CUT, np.inf)
    spent = (table["os_time"].clip(upper=stop) - table["os_entry"].clip(lower=start)).clip(lower=0)
    seen = (table["os_event"] == 1) & (table["os_time"] > start) & (table["os_time"] <= stop)
    with_it = table["marker"] == 1
    exposed, exposed_with = spent[~with_it].sum(), spent[with_it].sum()
    events, events_with = int(seen.sum()), int((seen & with_it).sum())
    mean = np.log(np.log(2) / LEVEL_MONTHS)

    def log_joint(level: float, ratio: float) -> float:
        expected = np.exp(level) * (exposed + exposed_with * np.exp(ratio))
        return float(events * level + events_with * ratio - expected - ((level - mean) / LEVEL_SD) ** 2 / 2)

    ratios = np.linspace(-9, 9, 181)
    found = []
    for ratio in ratios:
        top = max(log_joint(level, ratio) for level in np.linspace(-12, 6, 181))
        area = quad(lambda level, r=ratio, t=top: np.exp(log_joint(level, r) - t), -15, 9, points=[-3], limit=200)[0]
        found.append(np.log(area) + top)
    return CubicSpline(ratios, found)


@cache
def _by_quadrature() -> dict[str, tuple[FloatArray, FloatArray]]:
    """Values and weights of each quantity on a grid of the mean effect, tau and z."""
    mean = np.linspace(-4, 4, 161)[:, None, None]
    tau = np.linspace(0, 5.5, 221)[None, :, None]
    z = np.linspace(-5.5, 5.5, 221)[None, None, :]
    # Midpoints at 3 and, the last interval as wide as the first, 9 months.
    change = tau * z * np.sqrt(0.5)
    first, second = mean - change / 2, mean + change / 2
    log_weight = norm.logpdf(mean, 0, RATIO_SD) + halfnorm.logpdf(tau, scale=SCALE) + norm.logpdf(z)
    log_weight = log_weight + _evidence(0)(np.clip(first, -9, 9)) + _evidence(1)(np.clip(second, -9, 9))
    ends = np.where((tau == 0) | (tau == tau.max()), 0.5, 1.0)  # the trapezoidal rule
    weight = np.exp(log_weight - log_weight.max()) * ends
    weight = weight / weight.sum()
    return {
        "mean": (np.broadcast_to(mean, weight.shape), weight),
        "first": (first, weight),
        "second": (second, weight),
        "change": (np.broadcast_to(change, weight.shape), weight),
        "sd": (np.broadcast_to(tau, weight.shape), weight),
    }


def _draws(name: str) -> xr.DataArray:
    posterior = _fit().posterior["posterior"].to_dataset()
    over_time = posterior["log_hazard_ratio_over_time"].isel(changing=0, drop=True)
    first, second = (over_time.isel(interval=at, drop=True) for at in (0, 1))
    return {
        "mean": posterior["log_hazard_ratio"].isel(coefficient=0, drop=True),
        "first": first,
        "second": second,
        "change": second - first,
        "sd": posterior["change_sd"].isel(changing_covariate=0, drop=True),
    }[name]


@pytest.mark.parametrize("name", ["mean", "first", "second", "change", "sd"])
def test_the_posterior_is_that_of_the_quadrature(name: str) -> None:
    assert _fit().convergence.ok
    values, weight = _by_quadrature()[name]
    draws = _draws(name)
    mean = float((values * weight).sum())
    sd = float(np.sqrt((values**2 * weight).sum() - mean**2))
    assert float(draws.mean()) == pytest.approx(mean, abs=COMBINED_ERRORS * float(az.mcse(draws, method="mean")))
    assert float(draws.std()) == pytest.approx(sd, abs=COMBINED_ERRORS * float(az.mcse(draws, method="sd")))
    for threshold in mean + sd * np.array([-1.5, 0.0, 1.5]):
        below = (draws < threshold).astype(float)
        wanted = float(weight[values < threshold].sum())
        assert float(below.mean()) == pytest.approx(
            wanted, abs=COMBINED_ERRORS * float(az.mcse(below, method="mean")) + 0.004
        )


def test_the_patients_tell_that_the_effect_changes() -> None:
    """What the quadrature answers is no trivial case: far from the prior and from proportional hazards."""
    values, weight = _by_quadrature()["change"]
    assert weight[values < 0].sum() > 0.99
    assert float((_draws("change") < 0).mean()) > 0.99
