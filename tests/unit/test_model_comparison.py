"""Fits are compared patient by patient: as ArviZ does it, however rows were counted, and never across cohorts."""

from dataclasses import replace
from typing import Any

import arviz as az
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from ixa_bayes.errors import InputError
from ixa_bayes.inference.survival.fitting import LOG_LIKELIHOOD, SurvivalFit
from ixa_bayes.inference.survival.leave_one_out import leave_one_out, unit_of_patient
from ixa_bayes.inference.survival.model_comparison import (
    BEST,
    COLUMNS,
    TOO_SMALL,
    UNCERTAIN,
    WORSE,
    compare,
    reading_of,
)
from ixa_bayes.report.fit.comparison import comparison_lines

from .fits import COVARIATES, patients, question, written_fit

AGE = {"age_decades": COVARIATES["age_decades"]}


def _fit(covariates: dict[str, dict[str, Any]], table: pd.DataFrame | None = None, **kwargs: Any) -> SurvivalFit:
    return written_fit(question(covariates=covariates, table=table), **kwargs)


@pytest.fixture(scope="module")
def pair() -> dict[str, SurvivalFit]:
    """Models that tell different patients apart, so that other rows are counted together in each."""
    return {"age": _fit(AGE), "sex": _fit({"sex": COVARIATES["sex"]}, level=0.3)}


def _as_arviz_has_it(fit: SurvivalFit) -> xr.DataTree:
    """The log-likelihood with one column per patient, as if nothing had been counted together."""
    terms = fit.posterior["log_likelihood"].to_dataset()[LOG_LIKELIHOOD]
    each = terms.isel(row=unit_of_patient(fit)).drop_vars("row").rename(row="patient")
    groups = {name: node.to_dataset() for name, node in fit.posterior.children.items()}
    return xr.DataTree.from_dict(groups | {"log_likelihood": each.to_dataset(name=LOG_LIKELIHOOD)})


def test_without_weights_it_is_what_arviz_says(pair: dict[str, SurvivalFit]) -> None:
    found = compare(pair).set_index("fit")
    wanted = az.compare({name: _as_arviz_has_it(fit) for name, fit in pair.items()}, round_to="none")
    assert list(found.index) == list(wanted.index)
    for ours, theirs in {
        "elpd_loo": "elpd",
        "se_elpd_loo": "se",
        "p_loo": "p",
        "elpd_diff": "elpd_diff",
        "se_diff": "dse",
        "weight": "weight",
    }.items():
        np.testing.assert_allclose(found[ours].to_numpy(float), wanted[theirs].to_numpy(float), rtol=1e-9, err_msg=ours)
    assert (found["n_patients"] == 90).all()
    assert list(found.columns) == [*(name for name in COLUMNS if name != "fit"), "evidence_kind", "ledger_rows"]


def test_alone_it_is_the_loo_of_arviz() -> None:
    fit = _fit(AGE, patients().assign(pfs_time=lambda table: table["pfs_time"] + np.arange(len(table)) / 1e4))
    assert fit.question.rows.event.size == 90
    found, wanted = leave_one_out(fit), az.loo(fit.posterior, var_name=LOG_LIKELIHOOD, pointwise=True)
    for name in ("elpd", "se", "p", "n_data_points", "good_k"):
        assert getattr(found, name) == pytest.approx(getattr(wanted, name), rel=1e-12), name
    np.testing.assert_array_equal(found.elpd_i.to_numpy(), wanted.elpd_i.to_numpy())


def test_a_weight_counts_as_so_many_patients() -> None:
    once = patients()
    twice = pd.concat([once, once.assign(patient=once["patient"] + "-again")], ignore_index=True)
    found = []
    for table in (once.assign(weight=2), twice):
        fits = {"age": _fit(AGE, table), "none": _fit({}, table)}
        assert fits["age"].question.rows.n == 180
        found.append(compare(fits))
    pd.testing.assert_frame_equal(found[0], found[1], rtol=1e-9)
    single = compare({"age": _fit(AGE, once), "none": _fit({}, once)})
    np.testing.assert_allclose(found[0]["elpd_loo"], 2 * single["elpd_loo"], rtol=1e-9)
    np.testing.assert_allclose(found[0]["se_diff"], np.sqrt(2) * single["se_diff"], rtol=1e-9)
    np.testing.assert_allclose(found[0]["weight"], single["weight"], atol=1e-4)


def test_patients_are_matched_in_the_cohorts_order(pair: dict[str, SurvivalFit]) -> None:
    """The terms of a model that counts rows together stand where the patients stand."""
    fit = pair["sex"]
    assert fit.question.rows.event.size < 90
    terms = leave_one_out(fit).elpd_i.to_numpy()
    table = patients()
    alike = table.groupby(["pfs_time", "pfs_time_lower", "pfs_event", "sex"], dropna=False).ngroup().to_numpy()
    for kind in np.unique(alike):
        assert np.unique(terms[alike == kind]).size == 1
    assert np.unique(terms).size == np.unique(alike).size


def test_of_a_start_stop_table_patients_are_left_out_and_not_rows() -> None:
    rng = np.random.default_rng(6)
    time, change = rng.exponential(8, 30).round(2) + 0.5, rng.uniform(0.1, 0.4, 30).round(3)
    shared = {"patient": np.arange(30), "weight": np.arange(30) % 2 + 1, "marker": 0, "stage": "a", "sex": "male"}
    first = pd.DataFrame(shared | {"pfs_entry": 0.0, "pfs_time": change, "pfs_event": 0, "age": 60})
    later = pd.DataFrame(shared | {"pfs_entry": change, "pfs_time": time, "pfs_event": 1, "age": 70})
    table = pd.concat([first, later]).sort_values(["patient", "pfs_entry"], ignore_index=True)
    fits = {"age": _fit(AGE, table), "none": _fit({}, table)}
    found = compare(fits).set_index("fit")
    assert (found["n_patients"] == 45).all()
    for name, fit in fits.items():
        loo = az.loo(fit.posterior, var_name=LOG_LIKELIHOOD, pointwise=True)
        wanted = float(loo.elpd_i.to_numpy() @ (np.arange(30) % 2 + 1))
        assert found.loc[name, "elpd_loo"] == pytest.approx(wanted, rel=1e-12)


def test_fits_of_other_patients_are_refused(pair: dict[str, SurvivalFit]) -> None:
    first = {"age": pair["age"]}
    with pytest.raises(InputError, match="found 1 of them; two or more"):
        compare(first)
    other = _fit(AGE, patients().iloc[:80])
    with pytest.raises(InputError, match="fit other: found cohort toy; must be that of fit age, toy"):
        compare(first | {"other": other})
    complete = {"marker": COVARIATES["marker"] | {"missing": "complete_case"}}
    with pytest.raises(InputError, match="fit other: found other patients left out for a missing value"):
        compare(first | {"other": _fit(complete)})
    endpoint = pair["sex"].question.analysis.model_copy(update={"endpoint": "os"})
    asked = replace(pair["sex"].question, analysis=endpoint)
    with pytest.raises(InputError, match="fit other: found endpoint os; must be pfs"):
        compare(first | {"other": replace(pair["sex"], question=asked)})
    assert len(compare(first | {"marker": _fit({"marker": COVARIATES["marker"]})})) == 2


def test_without_a_log_likelihood_nothing_is_compared(pair: dict[str, SurvivalFit]) -> None:
    groups = {
        name: node.to_dataset() for name, node in pair["age"].posterior.children.items() if name != "log_likelihood"
    }
    bare = replace(pair["age"], posterior=xr.DataTree.from_dict(groups))
    with pytest.raises(InputError, match=r"no log-likelihood.*keep patient_level\.nc"):
        compare(pair | {"bare": bare})


@pytest.mark.parametrize(
    ("difference", "error", "reading"),
    [
        (-3.99, 0.1, TOO_SMALL),
        (-4.0, 2.01, UNCERTAIN),
        (-4.0, 2.0, WORSE),
        (-40.0, float("nan"), UNCERTAIN),
    ],
)
def test_the_words_follow_the_thresholds(difference: float, error: float, reading: str) -> None:
    assert reading_of(difference, error) == reading


def test_what_makes_a_comparison_doubtful_is_said(pair: dict[str, SurvivalFit]) -> None:
    terms = pair["age"].posterior["log_likelihood"].to_dataset()[LOG_LIKELIHOOD]
    heavy = np.random.default_rng(1).standard_t(1, terms.sizes["chain"] * terms.sizes["draw"])
    one = xr.zeros_like(terms)
    one[{"row": 0}] = -np.abs(heavy).reshape(terms.sizes["chain"], terms.sizes["draw"])
    groups = {name: node.to_dataset() for name, node in pair["age"].posterior.children.items()}
    groups["log_likelihood"] = (terms + one).to_dataset(name=LOG_LIKELIHOOD)
    spoiled = replace(
        pair["age"],
        posterior=xr.DataTree.from_dict(groups),
        convergence=replace(pair["age"].convergence, ok=False, reasons=("x",)),
    )
    found = compare({"spoiled": spoiled, "sex": pair["sex"]}).set_index("fit")
    assert found.loc["spoiled", "n_high_pareto_k"] == 1
    assert "Pareto k high for 1 of 90 patients" in found.loc["spoiled", "reading"]
    assert "the fit did not converge" in found.loc["spoiled", "reading"]
    assert "fewer than 100 patients" in found.loc["sex", "reading"]
    assert not found.loc["spoiled", "converged"]


def test_the_lines_of_a_terminal_hold_the_table(pair: dict[str, SurvivalFit]) -> None:
    table = compare(pair)
    heading, first, second, told = comparison_lines(table)
    assert "not the probability" in told
    assert heading.split() == ["fit", "elpd", "(SE)", "difference", "(SE)", "weight", "reading"]
    assert first.startswith(str(table["fit"].iloc[0]))
    assert f"{table['elpd_loo'].iloc[0]:.1f} ({table['se_elpd_loo'].iloc[0]:.1f})" in first
    assert BEST in first
    assert f"{table['elpd_diff'].iloc[1]:.1f} ({table['se_diff'].iloc[1]:.1f})" in second
    starts = {line.index(cell) for line, cell in ((heading, "weight"), (first, f"{table['weight'].iloc[0]:.2f}"))}
    assert len(starts) == 1
