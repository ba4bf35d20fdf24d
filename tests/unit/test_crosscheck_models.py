"""Regressions beside each other: independent likelihoods, separation, weights, and what cannot be fitted."""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import approx_fprime, brentq, minimize

from ixa_bayes.crosscheck.cox import cox, proportionality_test
from ixa_bayes.crosscheck.firth import firth_cox
from ixa_bayes.crosscheck.observations import NotAvailableError
from ixa_bayes.crosscheck.parametric import piecewise_mle, weibull_mle
from ixa_bayes.errors import InputError

FloatArray = NDArray[np.float64]
CUTS = (4.0, 9.0)
CHI_SQUARE_95 = 3.841458820694124


def _cohort(seed: int = 3, size: int = 60) -> pd.DataFrame:
    """Patients on a monthly grid, so that events tie, with two binary factors and one continuous covariate."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {"factor": rng.random(size) < 0.3, "age": rng.normal(70, 9, size), "other": rng.random(size) < 0.5}
    ).astype(float)
    eta = table["factor"] + 0.02 * (table["age"] - 70)
    table["time"] = np.ceil(rng.exponential(12 * np.exp(-eta)))
    table["event"] = rng.random(size) < 0.7
    return table


COHORT = _cohort()
NAMES = ["factor", "age", "other"]
DESIGN = COHORT[NAMES]
TIME, EVENT = COHORT["time"].to_numpy(), COHORT["event"].to_numpy()
X = DESIGN.to_numpy()


def _breslow(beta: FloatArray) -> tuple[float, FloatArray]:
    """Log partial likelihood and information, one event at a time."""
    value, information = 0.0, np.zeros((len(beta), len(beta)))
    for i in np.flatnonzero(EVENT):
        risk = X[TIME[i] <= TIME]
        weight = np.exp((risk - X[i]) @ beta)
        value -= math.log(weight.sum())
        share = weight / weight.sum()
        mean = share @ risk
        information += (risk.T * share) @ risk - np.outer(mean, mean)
    return value, information


def _breslow_value(beta: FloatArray) -> float:
    return _breslow(beta)[0]


def test_breslow_maximises_the_partial_likelihood() -> None:
    fit = cox(TIME, EVENT, design=DESIGN, ties="breslow")
    beta = fit.log_hazard_ratios["estimate"].to_numpy()
    value, information = _breslow(beta)
    assert fit.log_likelihood == pytest.approx(value, abs=1e-9)
    np.testing.assert_allclose(approx_fprime(beta, _breslow_value, 1e-6), 0, atol=1e-2)
    errors = fit.log_hazard_ratios["standard_error"]
    np.testing.assert_allclose(errors, np.sqrt(np.diag(np.linalg.inv(information))), rtol=1e-8)
    assert fit.wald == pytest.approx(beta @ information @ beta, rel=1e-8)
    assert fit.likelihood_ratio == pytest.approx(2 * (value - _breslow(np.zeros(3))[0]), rel=1e-8)


def _firth(beta: FloatArray) -> float:
    value, information = _breslow(beta)
    return value + float(np.linalg.slogdet(information)[1]) / 2


def test_firth_maximises_the_penalised_likelihood_and_profiles_it() -> None:
    fit = firth_cox(TIME, EVENT, design=DESIGN)
    table = fit.log_hazard_ratios
    best = minimize(lambda b: -_firth(b * [1, 0.1, 1]), np.zeros(3), method="BFGS", options={"gtol": 1e-6})
    np.testing.assert_allclose(table["estimate"], best.x * [1, 0.1, 1], atol=1e-5)
    assert fit.penalised_log_likelihood == pytest.approx(-best.fun, abs=1e-7)

    def profile(value: float) -> float:
        start = table["estimate"].to_numpy()[1:] * [10, 1]
        found = minimize(lambda b: -_firth(np.array([value, b[0] / 10, b[1]])), start, method="BFGS")
        return float(-found.fun)

    def beyond(value: float) -> float:
        return 2 * (fit.penalised_log_likelihood - profile(value)) - CHI_SQUARE_95

    row = table.loc["factor"]
    assert row["lower"] == pytest.approx(brentq(beyond, row["estimate"] - 3, row["estimate"]), abs=1e-4)
    assert row["upper"] == pytest.approx(brentq(beyond, row["estimate"], row["estimate"] + 3), abs=1e-4)
    ratio = 2 * (fit.penalised_log_likelihood - profile(0.0))
    assert row["p"] == pytest.approx(math.erfc(math.sqrt(ratio / 2)), rel=1e-3)


def test_firth_takes_neither_entry_times_nor_weights() -> None:
    with pytest.raises(NotAvailableError, match="delayed entry"):
        firth_cox(TIME, EVENT, design=DESIGN, entry=TIME / 2)
    with pytest.raises(NotAvailableError, match="weights"):
        firth_cox(TIME, EVENT, design=DESIGN, weight=np.full(TIME.size, 2))
    plain = firth_cox(TIME, EVENT, design=DESIGN, entry=TIME * 0, weight=np.ones(TIME.size))
    pd.testing.assert_frame_equal(plain.log_hazard_ratios, firth_cox(TIME, EVENT, design=DESIGN).log_hazard_ratios)


def test_one_factor_without_covariates_has_closed_forms() -> None:
    """Exponential of two groups: the log hazard ratio is that of events over time, its variance 1/d1 + 1/d0."""
    group = DESIGN["factor"].to_numpy() == 1
    events = np.array([EVENT[group].sum(), EVENT[~group].sum()])
    rates = events / np.array([TIME[group].sum(), TIME[~group].sum()])
    fit = piecewise_mle(TIME, EVENT, design=DESIGN[["factor"]], cuts=())
    row = fit.log_hazard_ratios.loc["factor"]
    assert row["estimate"] == pytest.approx(math.log(rates[0] / rates[1]), rel=1e-9)
    assert row["standard_error"] == pytest.approx(math.sqrt((1 / events).sum()), rel=1e-9)
    assert fit.baseline["estimate"][0] == pytest.approx(math.log(rates[1]), rel=1e-9)
    assert fit.baseline["standard_error"][0] == pytest.approx(math.sqrt(1 / events[1]), rel=1e-9)


def test_weibull_with_delayed_entry_maximises_its_likelihood() -> None:
    """An independent likelihood, row by row, and a numerical Hessian."""
    entry = np.where(DESIGN["other"] == 1, TIME / 3, 0)

    def log_likelihood(b0: float, beta: FloatArray, log_shape: float) -> float:
        total = 0.0
        for i in range(TIME.size):
            eta, shape = b0 + X[i] @ beta, math.exp(log_shape)
            total += EVENT[i] * (log_shape + eta + (shape - 1) * math.log(TIME[i]))
            total -= math.exp(eta) * (TIME[i] ** shape - entry[i] ** shape)
        return total

    fit = weibull_mle(TIME, EVENT, design=DESIGN, entry=entry)
    best = np.concatenate(
        [fit.baseline["estimate"][:1], fit.log_hazard_ratios["estimate"], fit.baseline["estimate"][1:]]
    )
    error = np.concatenate(
        [
            fit.baseline["standard_error"][:1],
            fit.log_hazard_ratios["standard_error"],
            fit.baseline["standard_error"][1:],
        ]
    )
    assert fit.log_likelihood == pytest.approx(log_likelihood(best[0], best[1:4], best[4]), abs=1e-8)
    steps = error * 1e-3

    def at(x: FloatArray) -> float:
        return log_likelihood(x[0], x[1:4], x[4])

    moves = np.eye(5) * steps
    hessian = np.array(
        [[at(best + a + b) - at(best + a - b) - at(best - a + b) + at(best - a - b) for b in moves] for a in moves]
    ) / (4 * np.outer(steps, steps))
    gradient = np.array([at(best + a) - at(best - a) for a in moves]) / (2 * steps)
    np.testing.assert_allclose(gradient * error, 0, atol=1e-4)
    np.testing.assert_allclose(error, np.sqrt(np.diag(np.linalg.inv(-hessian))), rtol=1e-3)


@pytest.mark.parametrize("unit", [1 / 365.25, 30.4375, 1e6])
def test_hazard_ratios_do_not_depend_on_the_unit_of_time(unit: float) -> None:
    for fit in (_weibull, _piecewise):
        want = fit(COHORT, 1.0)
        np.testing.assert_allclose(fit(COHORT, unit), want, rtol=1e-6, atol=1e-9)


def _weibull(table: pd.DataFrame, unit: float = 1.0) -> FloatArray:
    fit = weibull_mle(table["time"] * unit, table["event"], design=table[NAMES], **_weights(table))
    return fit.log_hazard_ratios[["estimate", "standard_error"]].to_numpy()


def _piecewise(table: pd.DataFrame, unit: float = 1.0) -> FloatArray:
    cuts = [cut * unit for cut in CUTS]
    fit = piecewise_mle(table["time"] * unit, table["event"], design=table[NAMES], cuts=cuts, **_weights(table))
    return fit.log_hazard_ratios[["estimate", "standard_error"]].to_numpy()


def _efron(table: pd.DataFrame) -> FloatArray:
    fit = cox(table["time"], table["event"], design=table[NAMES], **_weights(table))
    return fit.log_hazard_ratios[["estimate", "standard_error"]].to_numpy()


def _proportionality(table: pd.DataFrame) -> FloatArray:
    return proportionality_test(table["time"], table["event"], design=table[NAMES], **_weights(table)).to_numpy(float)


def _weights(table: pd.DataFrame) -> dict[str, "pd.Series[int]"]:
    return {"weight": table["weight"]} if "weight" in table else {}


METHODS: list[Callable[[pd.DataFrame], FloatArray]] = [_efron, _weibull, _piecewise, _proportionality]


@pytest.mark.parametrize("method", METHODS)
def test_weights_count_rows(method: Callable[[pd.DataFrame], FloatArray]) -> None:
    weighted = COHORT.assign(weight=np.random.default_rng(5).integers(1, 4, len(COHORT)))
    every = weighted.loc[np.repeat(weighted.index, weighted["weight"])].drop(columns="weight")
    np.testing.assert_allclose(method(weighted), method(every), rtol=1e-6, atol=1e-8)
    assert not np.allclose(method(weighted), method(COHORT), rtol=1e-3)


@settings(max_examples=20)
@given(st.permutations(range(len(COHORT))))
def test_row_order_and_coding_are_irrelevant(order: list[int]) -> None:
    recoded = COHORT.assign(factor=1 - COHORT["factor"], age=(COHORT["age"] - 70) / 10).iloc[order]
    for method, scale in ((_efron, [-1, 10, 1]), (_weibull, [-1, 10, 1]), (_piecewise, [-1, 10, 1])):
        want = method(COHORT) * np.column_stack([scale, np.abs(scale)])
        np.testing.assert_allclose(method(recoded), want, rtol=1e-5, atol=1e-7)


FITS: dict[str, Callable[[FloatArray, FloatArray, pd.DataFrame], pd.DataFrame]] = {
    "efron": lambda t, e, x: cox(t, e, design=x).log_hazard_ratios,
    "breslow": lambda t, e, x: cox(t, e, design=x, ties="breslow").log_hazard_ratios,
    "weibull": lambda t, e, x: weibull_mle(t, e, design=x).log_hazard_ratios,
    "piecewise": lambda t, e, x: piecewise_mle(t, e, design=x, cuts=CUTS).log_hazard_ratios,
}


@pytest.mark.parametrize("name", FITS)
def test_a_factor_without_events_runs_to_zero_and_leaves_the_others(name: str) -> None:
    """In the limit its patients leave every risk set: the others are those of a fit without them."""
    inside = X[:, 0] == 0
    spared = EVENT & inside
    table = FITS[name](TIME, spared, DESIGN)
    assert list(table["limit"]) == ["-infinity", "finite", "finite"]
    assert table.loc["factor", "estimate"] == -math.inf
    assert table.loc["factor", ["standard_error", "lower", "upper", "p"]].isna().all()
    without = FITS[name](TIME[inside], spared[inside], DESIGN[inside][["age", "other"]])
    pd.testing.assert_frame_equal(table.drop(index="factor"), without, rtol=1e-5)


@pytest.mark.parametrize("name", FITS)
def test_mirrored_coding_of_that_factor_runs_to_infinity(name: str) -> None:
    spared = EVENT & (X[:, 0] == 0)
    table = FITS[name](TIME, spared, DESIGN.assign(factor=1 - DESIGN["factor"]))
    assert table.loc["factor", "limit"] == "infinity"
    assert table.loc["factor", "estimate"] == math.inf


def test_a_covariate_in_the_order_of_the_events_separates_cox_but_not_weibull() -> None:
    time = np.arange(1.0, 13)
    design = pd.DataFrame({"order": -time + 0.0})
    assert cox(time, np.ones(12), design=design).log_hazard_ratios.loc["order", "limit"] == "infinity"
    event = np.arange(12) % 2 == 0
    weibull = weibull_mle(time, event, design=design).log_hazard_ratios.loc["order"]
    assert weibull["limit"] == "finite"
    firth = firth_cox(time, np.ones(12), design=design).log_hazard_ratios.loc["order"]
    assert math.isfinite(firth["estimate"])
    assert firth["lower"] > 0


def test_firth_is_finite_where_cox_is_not() -> None:
    spared = EVENT & (X[:, 0] == 0)
    row = firth_cox(TIME, spared, design=DESIGN).log_hazard_ratios.loc["factor"]
    assert math.isfinite(row["estimate"])
    assert row["lower"] < row["estimate"] < row["upper"]


def test_no_proportionality_test_where_an_estimate_is_infinite() -> None:
    with pytest.raises(NotAvailableError, match="separation"):
        proportionality_test(TIME, EVENT & (X[:, 0] == 0), design=DESIGN)
    with pytest.raises(NotAvailableError, match="one time"):
        proportionality_test([3, 3, 4, 4, 5], [1, 1, 0, 0, 0], design=pd.DataFrame({"x": [1.0, 3, 2, 4, 0]}))


EVERY_FIT: dict[str, Callable[[FloatArray, FloatArray, pd.DataFrame], object]] = {
    **FITS,
    "firth": lambda t, e, x: firth_cox(t, e, design=x),
    "proportionality": lambda t, e, x: proportionality_test(t, e, design=x),
}


@pytest.mark.parametrize("name", EVERY_FIT)
def test_what_no_fit_can_do_is_said(name: str) -> None:
    fit = EVERY_FIT[name]
    with pytest.raises(NotAvailableError, match="no events"):
        fit(TIME, EVENT & False, DESIGN)
    with pytest.raises(NotAvailableError, match=r"no variation .* in site"):
        fit(TIME, EVENT, DESIGN.assign(site=0.1))
    with pytest.raises(NotAvailableError, match="follows from the others among factor and twin"):
        fit(TIME, EVENT, DESIGN.assign(twin=2 - DESIGN["factor"]))
    with pytest.raises(NotAvailableError, match="no covariates"):
        fit(TIME, EVENT, DESIGN[[]])
    with pytest.raises(InputError, match="row 3"):
        fit(TIME, EVENT, DESIGN.assign(age=np.where(np.arange(len(DESIGN)) == 2, np.nan, DESIGN["age"])))
    with pytest.raises(InputError, match="59 rows"):
        fit(TIME, EVENT, DESIGN.iloc[1:])


def test_a_covariate_that_varies_only_before_the_first_event_has_no_cox_ratio() -> None:
    time = np.append(TIME + 1, [1.0, 1.0])
    event, design = np.append(EVENT, [False, False]), DESIGN.assign(early=0.0)
    design = pd.concat([design, DESIGN.iloc[:2].assign(early=1.0)], ignore_index=True)
    with pytest.raises(NotAvailableError, match="in early"):
        cox(time, event, design=design)
    with pytest.raises(NotAvailableError, match="in early"):
        firth_cox(time, event, design=design)
    assert weibull_mle(time, event, design=design).log_hazard_ratios.loc["early", "limit"] == "-infinity"


def test_no_proportionality_test_of_a_covariate_that_varies_at_one_event_time_only() -> None:
    time, event = [1, 1, 1, 1, 5, 6, 7, 8, 9], [1, 1, 0, 0, 1, 1, 0, 1, 1]
    design = pd.DataFrame({"early": [1.0, 0, 1, 0, 0, 0, 0, 0, 0], "x": [1.0, 2, 3, 2, 4, 1, 3, 2, 3]})
    assert (cox(time, event, design=design).log_hazard_ratios["limit"] == "finite").all()
    table = proportionality_test(time, event, design=design)
    assert list(table["p"].isna()) == [True, False, True]
    assert list(table["chi_square"].isna()) == [True, False, True]


def test_one_event_determines_little_but_breaks_nothing() -> None:
    single = np.arange(TIME.size) == 5
    for name in ("efron", "breslow", "piecewise"):
        assert (FITS[name](TIME, single, DESIGN)["limit"] != "finite").any(), name
    with pytest.raises(NotAvailableError, match="shape runs to infinity"):
        weibull_mle(TIME, single, design=DESIGN)
    firth = firth_cox(TIME, single, design=DESIGN)
    assert np.isfinite(firth.log_hazard_ratios["estimate"]).all()


def test_far_more_covariates_than_events_determine_nothing() -> None:
    """With 20 covariates and 12 events every estimate still exists; with 50 none does."""
    rng = np.random.default_rng(8)
    wide = pd.DataFrame(rng.normal(size=(60, 70))).rename(columns="x{}".format)
    few = np.arange(60) < 12
    some = cox(TIME, few, design=wide.iloc[:, :20]).log_hazard_ratios
    assert (some["limit"] == "finite").all()
    none = cox(TIME, few, design=wide.iloc[:, :50]).log_hazard_ratios
    assert (none["limit"] == "undetermined").all()
    assert none["estimate"].isna().all()
    with pytest.raises(NotAvailableError, match="shape runs to infinity"):
        weibull_mle(TIME, few, design=wide.iloc[:, :50])
    with pytest.raises(NotAvailableError, match="x4 and 65 more"):
        cox(TIME, few, design=wide)


def test_events_only_at_the_end_leave_no_weibull_shape() -> None:
    with pytest.raises(NotAvailableError, match="shape runs to infinity"):
        weibull_mle([1, 2, 3, 9, 9, 9], [0, 0, 0, 1, 1, 0], design=pd.DataFrame({"x": [1.0, 0, 1, 0, 1, 0]}))


def test_events_only_at_the_start_leave_a_weibull_shape() -> None:
    """The shape may become small, but not vanish: its logarithm is in the likelihood."""
    fit = weibull_mle([1, 1, 2, 3, 4, 5], [1, 1, 0, 0, 0, 0], design=pd.DataFrame({"x": [1.0, 0, 1, 0, 1, 0]}))
    assert fit.baseline["estimate"]["log_shape"] < 0
    assert list(fit.log_hazard_ratios["limit"]) == ["finite"]


def test_piecewise_compares_an_event_with_those_observed_in_its_interval_only() -> None:
    """The one with x = 2 leaves before the interval of the event, in which x = 1 is the largest."""
    design = pd.DataFrame({"x": [2.0, 1, 0, 0]})
    table = piecewise_mle([3, 6, 7, 8], [0, 1, 0, 0], design=design, cuts=(4.0,)).log_hazard_ratios
    assert list(table["limit"]) == ["infinity"]
    joined = piecewise_mle([3, 6, 7, 8], [0, 1, 0, 0], design=design, cuts=()).log_hazard_ratios
    assert list(joined["limit"]) == ["finite"]


def test_baselines_count_weights() -> None:
    weight = np.random.default_rng(5).integers(1, 4, len(COHORT))
    every = np.repeat(np.arange(len(COHORT)), weight)
    repeated = DESIGN.iloc[every]
    weighted = piecewise_mle(TIME, EVENT, design=DESIGN, cuts=CUTS, weight=weight)
    single = piecewise_mle(TIME[every], EVENT[every], design=repeated, cuts=CUTS)
    pd.testing.assert_frame_equal(weighted.baseline, single.baseline)
    assert (weighted.n, weighted.n_events) == (single.n, single.n_events)
    assert weighted.log_likelihood == pytest.approx(single.log_likelihood)
    of_weibull = weibull_mle(TIME, EVENT, design=DESIGN, weight=weight)
    pd.testing.assert_frame_equal(
        of_weibull.baseline, weibull_mle(TIME[every], EVENT[every], design=repeated).baseline, rtol=1e-6
    )


def test_an_interval_without_events_has_no_hazard_and_changes_no_ratio() -> None:
    cuts = (4.0, 4.25, 4.5, 9.0)
    fit, plain = (piecewise_mle(TIME, EVENT, design=DESIGN, cuts=c) for c in (cuts, CUTS))
    assert list(fit.baseline["n_events"])[1:3] == [0, 0]
    assert (fit.baseline["estimate"][1:3] == -math.inf).all()
    joined = plain.baseline["exposure"][1] - fit.baseline["exposure"][1:3].sum()
    assert fit.baseline["exposure"][3] == pytest.approx(joined)
    with pytest.raises(ValueError, match="must rise"):
        piecewise_mle(TIME, EVENT, design=DESIGN, cuts=(9, 4))


def test_an_event_on_a_cut_point_belongs_to_the_interval_that_ends_there() -> None:
    fit = piecewise_mle([4, 4, 5, 6], [1, 1, 1, 0], design=pd.DataFrame({"x": [0.0, 1, 1, 0]}), cuts=(4.0,))
    assert list(fit.baseline["n_events"]) == [2, 1]
    assert list(fit.baseline["exposure"]) == [16, 3]


def test_a_cohort_that_would_need_gigabytes_is_refused() -> None:
    with pytest.raises(NotAvailableError, match="too much memory"):
        cox(TIME, EVENT, design=DESIGN, weight=np.full(TIME.size, 500_000))
