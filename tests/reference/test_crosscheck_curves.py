"""Kaplan-Meier and log-rank against R's `survival`: every entry of the reference file."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ixa_bayes.crosscheck.kaplan_meier import IntervalKind, median_survival, restricted_mean, survival_at
from ixa_bayes.crosscheck.log_rank import log_rank

from .survival_data import DATA, Patients, reference_survival

ABSOLUTE = 1e-6
RELATIVE_P = 1e-5
KINDS: dict[str, IntervalKind] = {"conf_log_log": "log-log", "conf_log_r_default": "log"}


@cache
def _groups(data: str) -> dict[str, pd.Series]:
    table = DATA[data].table
    return {
        "trt": table.get("trt", pd.Series()).astype(str),
        "celltype": table.get("celltype", pd.Series()),
        "sex": table.get("sex", pd.Series()).astype(str),
        "ph_ecog": table.get("ph.ecog", pd.Series()).astype(str),
        "year_ge_80": (table.get("year", pd.Series()) >= 80).astype(str).str.upper(),
    }


def _curves() -> Iterator[Any]:
    """Each Kaplan-Meier entry with the patients it rests on."""
    for data, entries in reference_survival().items():
        for name, entry in entries.items():
            if not name.startswith("km_"):
                continue
            patients = DATA[data] if "delayed_entry" in name else DATA[data].from_the_start()
            if "_by_" in name:
                group = _groups(data)[name.partition("_by_")[2]]
                for level, curve in entry.items():
                    yield pytest.param(patients.rows(group == level), curve, id=f"{data}-{name}-{level}")
            else:
                yield pytest.param(patients, entry, id=f"{data}-{name}")


@pytest.mark.parametrize("stated", KINDS)
@pytest.mark.parametrize(("patients", "curve"), list(_curves()))
def test_kaplan_meier(patients: Patients, curve: dict[str, Any], stated: str) -> None:
    assert len(patients.table) == curve["n"]
    assert int(patients.event.sum()) == curve["events"]
    want, kind = curve[stated], KINDS[stated]
    at = [row["time"] for row in want["at"]]
    got = survival_at(patients.time, patients.event, at=at, entry=patients.entry, kind=kind)
    names = {"n_at_risk": "n_risk", "survival": "surv", "standard_error": "std_err_greenwood"}
    for ours, theirs in {**names, "lower": "lower95", "upper": "upper95"}.items():
        expected = np.array([row[theirs] for row in want["at"]], dtype=float)
        np.testing.assert_allclose(got[ours], expected, rtol=0, atol=ABSOLUTE, err_msg=ours)
    median = median_survival(patients.time, patients.event, entry=patients.entry, kind=kind)
    for value, name in (
        (median.estimate, "median"),
        (median.lower, "median_lower95"),
        (median.upper, "median_upper95"),
    ):
        np.testing.assert_allclose(value, np.array(want[name], dtype=float), rtol=0, atol=ABSOLUTE, err_msg=name)
    mean = restricted_mean(patients.time, patients.event, horizon=curve["rmst"]["tau"], entry=patients.entry)
    np.testing.assert_allclose(mean.estimate, curve["rmst"]["rmean"], rtol=0, atol=ABSOLUTE)
    np.testing.assert_allclose(mean.standard_error, curve["rmst"]["se"], rtol=0, atol=ABSOLUTE)


def _tests() -> Iterator[Any]:
    for data, entries in reference_survival().items():
        for name, entry in entries.items():
            if name.startswith("logrank_"):
                yield pytest.param(data, name, entry, id=f"{data}-{name}")


@pytest.mark.parametrize(("data", "name", "want"), list(_tests()))
def test_log_rank(data: str, name: str, want: dict[str, Any]) -> None:
    patients = DATA[data] if name.endswith("_delayed_entry") else DATA[data].from_the_start()
    factor = name.removeprefix("logrank_").removesuffix("_delayed_entry").removesuffix("_ignoring_entry")
    factor, _, strata = factor.partition("_stratified_by_")
    groups = _groups(data)
    got = log_rank(
        patients.time,
        patients.event,
        group=groups[factor],
        strata=groups[strata] if strata else None,
        entry=patients.entry,
    )
    np.testing.assert_allclose(got.chi_square, want["chi2"], rtol=0, atol=ABSOLUTE)
    np.testing.assert_allclose(got.p, want["p"], rtol=RELATIVE_P)
    assert got.degrees_of_freedom == want["df"]
    if "groups" in want:
        assert sorted(got.groups.index) == sorted(want["groups"])
        by_group = got.groups.loc[want["groups"]]
        np.testing.assert_array_equal(by_group["n"], want["n"])
        np.testing.assert_allclose(by_group["observed"], want["observed"], rtol=0, atol=ABSOLUTE)
        np.testing.assert_allclose(by_group["expected"], want["expected"], rtol=0, atol=ABSOLUTE)
    else:
        assert got.groups.loc["TRUE", "observed"] == want["observed_group1"]
        np.testing.assert_allclose(got.groups.loc["TRUE", "expected"], want["expected_group1"], rtol=0, atol=ABSOLUTE)
