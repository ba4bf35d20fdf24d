"""The second cohort of a calibration: the same patients, entries and gaps, and all that the model makes made anew."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from ixa_bayes.cohort.table import read_cohort
from ixa_bayes.errors import InputError
from ixa_bayes.inference.survival.fitting import SurvivalFit
from ixa_bayes.inference.survival.parameters import pointwise_log_likelihood
from ixa_bayes.inference.survival.posterior_calibration import simulate_replicate
from ixa_bayes.inference.survival.question import question_of

from .fits import COVARIATES, patients, question, written_fit


def _fit(law: str = "weibull", *, weight: int = 2) -> SurvivalFit:
    table = patients()
    late = np.where(np.arange(len(table)) % 4 == 0, np.fmin(table["pfs_time"] / 3, table["pfs_time_lower"]), 0.0)
    return written_fit(question(law=law, table=table.assign(pfs_entry=late, weight=weight)))


def _counts(matrix: pd.DataFrame, weight: np.ndarray) -> pd.Series:
    columns = [column for column in matrix.columns if column != "marker"]
    return matrix[columns].assign(weight=weight).groupby(columns)["weight"].sum()


@pytest.mark.parametrize("law", ["weibull", "piecewise"])
def test_the_patients_stay_and_their_follow_up_is_made_anew(law: str) -> None:
    fit = _fit(law)
    asked = fit.question
    truth, found = simulate_replicate(fit, np.random.default_rng(1))
    posterior = fit.posterior["posterior"].to_dataset()
    assert set(truth) == set(posterior.data_vars)
    assert (posterior["log_hazard_ratio"].to_numpy() == truth["log_hazard_ratio"]).all(axis=-1).sum() == 1
    simulated, both = found.simulated, found.both
    assert simulated.rows.n == asked.rows.n == 180
    assert both.rows.n == 2 * asked.rows.n
    pd.testing.assert_series_equal(
        _counts(simulated.design.matrix, simulated.rows.weight), _counts(asked.design.matrix, asked.rows.weight)
    )
    gaps = [q.rows.weight[q.design.matrix["marker"].isna()].sum() for q in (asked, simulated, both)]
    assert gaps == [12, 12, 24]
    entries = [pd.Series(q.rows.weight).groupby(q.rows.entry).sum() for q in (asked, simulated)]
    pd.testing.assert_series_equal(*entries)
    assert not np.isin(simulated.rows.end, asked.rows.end).all()
    assert simulated.rows.upper.max() <= asked.rows.upper.max()
    assert (simulated.rows.end >= simulated.rows.entry).all()
    assert simulated.rows.between.any()
    assert both.cuts == asked.cuts
    assert both.structure == asked.structure
    assert set(both.data()) == set(asked.data())
    _, other = simulate_replicate(fit, np.random.default_rng(2))
    assert not np.array_equal(np.sort(other.simulated.rows.upper), np.sort(simulated.rows.upper))


@pytest.mark.parametrize(("intercept", "value"), [(9.0, 1.0), (-9.0, 0.0)])
def test_a_covariate_with_a_model_of_its_own_is_drawn_from_it(intercept: float, value: float) -> None:
    fit = _fit(weight=1)
    posterior = fit.posterior["posterior"].to_dataset()
    certain = posterior.assign(
        missing_intercept=xr.full_like(posterior["missing_intercept"], intercept),
        missing_coefficient=xr.zeros_like(posterior["missing_coefficient"]),
    )
    groups = {name: node.to_dataset() for name, node in fit.posterior.children.items()} | {"posterior": certain}
    sure = replace(fit, posterior=xr.DataTree.from_dict(groups))
    _, found = simulate_replicate(sure, np.random.default_rng(3))
    assert set(found.simulated.design.matrix["marker"].dropna()) == {value}


def _shifted(one: xr.Dataset, name: str, by: float) -> xr.Dataset:
    """One draw of a Weibull model with one parameter moved, and what depends on it."""
    moved = one.copy(deep=True)
    if name in ("log_shape", "log_median"):
        moved[name] = moved[name] + by
    else:
        moved["log_hazard_ratio"] = moved["log_hazard_ratio"] + by * (moved["coefficient"] == name)
    shape = np.exp(moved["log_shape"])
    return moved.assign(shape=shape, log_rate=np.log(np.log(2)) - shape * moved["log_median"])


def test_the_likelihood_expects_what_is_made() -> None:
    """At the parameters that made them, the slope of the log-likelihood of cohorts is 0 on average."""
    fit, step, size = _fit(weight=1), 1e-3, 150
    one = fit.posterior["posterior"].to_dataset().isel(chain=[0], draw=[7])
    groups = {name: node.to_dataset() for name, node in fit.posterior.children.items()} | {"posterior": one}
    fixed = replace(fit, posterior=xr.DataTree.from_dict(groups))
    names = ["log_shape", "log_median", *one["coefficient"].to_numpy().tolist()]
    moved = [_shifted(one, name, by) for name in names for by in (step, -step)]
    around = xr.concat([each.assign_coords(draw=[k]) for k, each in enumerate(moved)], dim="draw")
    rng, slopes = np.random.default_rng(9), []
    for _ in range(size):
        asked = simulate_replicate(fixed, rng)[1].simulated
        joint = pointwise_log_likelihood(around, asked).isel(chain=0).to_numpy() @ asked.rows.weight
        slopes.append((joint[::2] - joint[1::2]) / (2 * step))
    found = np.array(slopes)
    z = found.mean(axis=0) / (found.std(axis=0) / np.sqrt(size))
    assert (found.std(axis=0) > 1).all()
    assert (np.abs(z) < 4).all(), dict(zip(names, z, strict=True))


def test_times_without_ties_are_not_put_into_a_table() -> None:
    rng = np.random.default_rng(4)
    size = 300
    days = rng.integers(1, 40, size) / 4
    table = pd.DataFrame(
        {
            "patient": range(size),
            "pfs_time": days,
            "pfs_event": rng.integers(0, 2, size),
            "pfs_entry": np.where(np.arange(size) % 2, days / 2, 0.0),
            "weight": 1,
            "marker": rng.integers(0, 2, size),
            "stage": np.where(np.arange(size) % 2, "b", "a"),
            "sex": "male",
            "age": 60 + np.arange(size) % 40,
        }
    )
    fit = written_fit(question(covariates={"age_decades": COVARIATES["age_decades"]}, table=table))
    as_table = replace(fit.question.structure, tabled=True, late_entry=False)
    tabled = replace(fit, question=replace(fit.question, structure=as_table))
    _, found = simulate_replicate(tabled, np.random.default_rng(5))
    assert not found.both.structure.tabled
    assert found.both.structure.late_entry
    assert {"log_entry", "log_end"} <= set(found.both.data())


def test_a_start_stop_table_is_refused() -> None:
    table = pd.DataFrame(
        {
            "patient": ["a", "a", "b"],
            "os_entry": [0.0, 2.0, 0.0],
            "os_time": [2.0, 5.0, 4.0],
            "os_event": [0, 1, 0],
            "x": [0, 1, 0],
        }
    )
    asked = question(covariates={})
    analysis = asked.analysis.model_copy(update={"endpoint": "os"})
    fit = written_fit(question_of(analysis, read_cohort(table)))
    with pytest.raises(InputError, match="a start-stop table"):
        simulate_replicate(fit, np.random.default_rng(1))
