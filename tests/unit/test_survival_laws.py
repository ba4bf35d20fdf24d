"""The Weibull and piecewise-exponential laws against scipy, integration and each other."""

import numpy as np
import pytest
import xarray as xr
from scipy.integrate import quad
from scipy.stats import weibull_min

from ixa_bayes.formulas import piecewise, weibull

LAWS = [(-2.0, 1.4), (-3.5, 0.7), (0.3, 1.0)]
CUTS = (2.0, 5.0, 9.0)
LOG_HAZARDS = xr.DataArray(np.log([0.05, 0.2, 0.02, 0.4]), dims="interval")
TIMES = (0.5, 2.0, 2.0001, 4.0, 5.0, 8.0, 9.0, 30.0)


def _hazard(time: float) -> float:
    """Intervals told one by one, right-closed."""
    if time <= 2:
        return 0.05
    if time <= 5:
        return 0.2
    return 0.02 if time <= 9 else 0.4


def _cumulative(time: float) -> float:
    return float(quad(_hazard, 0, time, points=[c for c in CUTS if c < time], limit=200)[0])


@pytest.mark.parametrize(("log_rate", "shape"), LAWS)
def test_weibull_is_scipys(log_rate: float, shape: float) -> None:
    law = weibull_min(c=shape, scale=np.exp(-log_rate / shape))
    time = np.array([0.01, 1.0, 7.0, 40.0])
    survival = np.exp(-weibull.cumulative_hazard(time, log_rate=log_rate, shape=shape))
    np.testing.assert_allclose(survival, law.sf(time), rtol=1e-12)
    np.testing.assert_allclose(
        weibull.log_hazard(time, log_rate=log_rate, shape=shape), law.logpdf(time) - law.logsf(time), rtol=1e-10
    )
    prob = np.array([0.0, 0.1, 0.5, 0.99])
    np.testing.assert_allclose(weibull.quantile(prob, log_rate=log_rate, shape=shape), law.ppf(prob), rtol=1e-12)


@pytest.mark.parametrize(("log_rate", "shape"), LAWS)
@pytest.mark.parametrize("horizon", [0.5, 12.0, 600.0])
def test_weibull_restricted_mean_is_the_area_under_survival(log_rate: float, shape: float, horizon: float) -> None:
    law = weibull_min(c=shape, scale=np.exp(-log_rate / shape))
    area = quad(law.sf, 0, horizon, epsabs=1e-12, limit=500)[0]
    assert weibull.rmst(horizon, log_rate=log_rate, shape=shape) == pytest.approx(area, rel=1e-8)


def test_the_rate_of_a_median_has_that_median() -> None:
    for shape in (0.6, 1.0, 2.5):
        log_rate = weibull.log_rate_of_median(np.log(11.0), shape)
        assert weibull.quantile(0.5, log_rate=log_rate, shape=shape) == pytest.approx(11.0)


@pytest.mark.parametrize("time", TIMES)
def test_piecewise_hazard_is_constant_between_cuts_that_close_on_the_right(time: float) -> None:
    assert float(np.exp(piecewise.log_hazard(time, log_hazards=LOG_HAZARDS, cuts=CUTS))) == pytest.approx(_hazard(time))
    got = piecewise.cumulative_hazard(time, log_hazards=LOG_HAZARDS, cuts=CUTS)
    assert float(got) == pytest.approx(_cumulative(time), rel=1e-7)


@pytest.mark.parametrize("prob", [0.0, 0.05, 0.3, 0.5, 0.9, 0.999])
def test_piecewise_quantile_inverts_its_cumulative_hazard(prob: float) -> None:
    time = float(piecewise.quantile(prob, log_hazards=LOG_HAZARDS, cuts=CUTS))
    assert _cumulative(time) == pytest.approx(-np.log1p(-prob), rel=1e-7, abs=1e-12)


def test_piecewise_quantile_at_a_cut_is_the_cut() -> None:
    prob = -np.expm1(-_cumulative(5.0))
    assert float(piecewise.quantile(prob, log_hazards=LOG_HAZARDS, cuts=CUTS)) == pytest.approx(5.0)


@pytest.mark.parametrize("cumulative", [0.0, 0.05, 0.7, 5.0, 60.0])
def test_times_invert_the_cumulative_hazard_however_large(cumulative: float) -> None:
    time = weibull.time_of(cumulative, log_rate=-2.0, shape=1.4)
    assert weibull.cumulative_hazard(time, log_rate=-2.0, shape=1.4) == pytest.approx(cumulative, rel=1e-12)
    assert _cumulative(float(piecewise.time_of(cumulative, log_hazards=LOG_HAZARDS, cuts=CUTS))) == pytest.approx(
        cumulative, rel=1e-7, abs=1e-12
    )


@pytest.mark.parametrize("horizon", [1.0, 5.0, 40.0])
def test_piecewise_restricted_mean_is_the_area_under_survival(horizon: float) -> None:
    area = quad(lambda t: np.exp(-_cumulative(t)), 0, horizon, points=[c for c in CUTS if c < horizon], limit=200)[0]
    assert float(piecewise.rmst(horizon, log_hazards=LOG_HAZARDS, cuts=CUTS)) == pytest.approx(area, rel=1e-6)


def test_piecewise_without_cuts_is_exponential() -> None:
    constant = xr.DataArray(np.log([0.1]), dims="interval")
    assert float(piecewise.quantile(0.5, log_hazards=constant, cuts=())) == pytest.approx(np.log(2) / 0.1)
    assert float(piecewise.rmst(6.0, log_hazards=constant, cuts=())) == pytest.approx(-np.expm1(-0.6) / 0.1)


def test_piecewise_works_draw_by_draw() -> None:
    eta = xr.DataArray([0.0, 1.0, -0.5], dims="draw")
    together = piecewise.quantile(0.5, log_hazards=LOG_HAZARDS + eta, cuts=CUTS)
    alone = [float(piecewise.quantile(0.5, log_hazards=LOG_HAZARDS + e, cuts=CUTS)) for e in eta.values]
    np.testing.assert_allclose(together.values, alone)


def test_piecewise_takes_many_times_at_once() -> None:
    time = xr.DataArray([[2.0, 2.5], [9.0, 30.0]], dims=("row", "visit"))
    eta = xr.DataArray([0.0, 1.0], dims="draw")
    for law in (piecewise.log_hazard, piecewise.cumulative_hazard, piecewise.rmst):
        together = law(time, log_hazards=LOG_HAZARDS + eta, cuts=CUTS)
        assert set(together.dims) == {"row", "visit", "draw"}
        alone = law(30.0, log_hazards=LOG_HAZARDS + 1.0, cuts=CUTS)
        np.testing.assert_allclose(together.isel(row=1, visit=1, draw=1), alone)


def test_exposure_adds_up_and_starts_at_entry() -> None:
    spent = piecewise.exposure([0.0, 3.0, 5.0], [4.0, 12.0, 5.0], CUTS)
    np.testing.assert_allclose(spent, [[2, 2, 0, 0], [0, 2, 4, 3], [0, 0, 0, 0]])


@pytest.mark.parametrize("cuts", [(0.0, 1.0), (2.0, 2.0), (3.0, 1.0), (1.0, np.inf)])
def test_cuts_that_do_not_rise_are_refused(cuts: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="must rise"):
        piecewise.exposure([0.0], [1.0], cuts)
