"""The simulated patients: made by their script byte for byte, from the truth that is told, and found again."""

import csv
import io
import runpy
import tomllib
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize

from ixa_bayes.cohort.table import Cohort, read_cohort
from ixa_bayes.study.locate import builtin_names, builtin_root

FOLDER = builtin_root() / "data" / "example_cohort"
Simulate = Callable[[dict[str, Any]], str]


@pytest.fixture(scope="module")
def simulate() -> Simulate:
    function: Simulate = runpy.run_path(str(FOLDER / "simulate.py"))["simulate"]
    return function


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    return tomllib.loads((FOLDER / "truth.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return read_cohort("example_cohort")


def test_it_is_built_in(cohort: Cohort) -> None:
    assert "example_cohort" in builtin_names("cohort")
    assert (cohort.name, cohort.evidence_kind) == ("example_cohort", "simulated")


def test_the_script_writes_it_byte_for_byte(simulate: Simulate, truth: dict[str, Any]) -> None:
    assert simulate(truth).encode() == (FOLDER / "patients.csv").read_bytes()
    assert simulate(truth | {"seed": 1}) != simulate(truth)


def test_its_counts_are_like_the_papers(cohort: Cohort) -> None:
    assert len(cohort.covariates) == 126
    assert abs(int(cohort.follow_up["pfs"]["event"].sum()) - 114) <= 3
    assert abs(int(cohort.follow_up["os"]["event"].sum()) - 42) <= 3
    counts = cohort.covariates["refractoriness"].value_counts()
    assert counts.to_dict() == {"none": 85, "pi_only": 20, "triple_class": 21}
    assert cohort.covariates["extramedullary_disease"].sum() == 15
    assert cohort.covariates["high_risk_cytogenetics"].sum() == 61
    assert cohort.covariates["high_risk_cytogenetics"].isna().sum() == 16
    assert cohort.covariates["regimen"].value_counts().to_dict() == {
        "ixa_rd": 59,
        "ixa_pd": 25,
        "ixa_td": 12,
        "other": 30,
    }
    assert cohort.covariates["age"].median() == 65
    assert cohort.covariates["prior_lines"].median() == 2
    assert abs(cohort.covariates["gfr"].median() - 70) < 3


def test_no_death_precedes_the_end_of_progression_free_survival(cohort: Cohort) -> None:
    pfs, os = cohort.follow_up["pfs"], cohort.follow_up["os"]
    assert (pfs["time"] <= os["time"]).all()
    assert pfs["event"].to_numpy()[os["event"].to_numpy()].all(), "a death is an event of both"
    dead_without = os["event"] & (pfs["time"] == os["time"]) & (pfs["time_lower"] == pfs["time"])
    found_at_a_visit = pfs["event"] & ~dead_without
    assert (pfs["time"][found_at_a_visit] % 1 == 0).all()
    np.testing.assert_array_equal((pfs["time"] - pfs["time_lower"])[found_at_a_visit], 1)


def _negative_log_likelihood(parameters: NDArray[np.float64], table: pd.DataFrame, factors: pd.DataFrame) -> float:
    """Weibull proportional hazards with exact, censored and interval-censored times, written out."""
    shape = np.exp(parameters[1])
    log_rate = parameters[0] + factors.to_numpy() @ parameters[2:]
    time, lower = table["time"].to_numpy(), table["lower"].to_numpy()
    until, before = np.exp(log_rate) * time**shape, np.exp(log_rate) * lower**shape
    exact = np.log(shape) + log_rate + (shape - 1) * np.log(time) - until
    interval = np.log(np.exp(-before) - np.exp(-until) + 1e-300)
    event, whole = table["event"].to_numpy() == 1, lower < time
    return -float(np.where(~event, -until, np.where(whole, interval, exact)).sum())


def _errors(text: str, truth: dict[str, Any], endpoint: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Maximum likelihood against the truth, in standard errors, and these; patients with known cytogenetics."""
    rows = pd.DataFrame(list(csv.DictReader(io.StringIO(text))))
    rows = rows[rows["high_risk_cytogenetics"] != ""].reset_index(drop=True)
    factors = pd.DataFrame(
        {
            "gfr_le_70": rows["gfr"].astype(float) <= 70,
            "triple_class_refractory": rows["refractoriness"] == "triple_class",
            "extramedullary_disease": rows["extramedullary_disease"] == "1",
            "high_risk_cytogenetics": rows["high_risk_cytogenetics"] == "1",
            "age_ge_80": rows["age"].astype(float) >= 80,
        }
    ).astype(float)
    time = rows[f"{endpoint}_time"].astype(float)
    lower = pd.to_numeric(rows["pfs_last_free"]).fillna(time) if endpoint == "pfs" else time
    table = pd.DataFrame({"time": time, "lower": lower, "event": rows[f"{endpoint}_event"].astype(int)})
    law = truth[endpoint]
    log_rate = np.log(np.log(2) / law["median_at_reference"] ** law["shape"])
    log_ratios = np.log([law["hazard_ratios"][name] for name in factors])
    want = np.array([log_rate, np.log(law["shape"]), *log_ratios])
    found = minimize(
        lambda x: _negative_log_likelihood(x, table, factors) / len(table), 0 * want, method="BFGS", tol=1e-6
    )
    information = _second_derivatives(lambda x: _negative_log_likelihood(x, table, factors), found.x)
    error = np.sqrt(np.diag(np.linalg.inv(information)))
    return (found.x - want) / error, error


def _second_derivatives(
    function: Callable[[NDArray[np.float64]], float], at: NDArray[np.float64], *, step: float = 1e-3
) -> NDArray[np.float64]:
    """By central differences: of BFGS's own estimate only the direction can be trusted."""
    steps = step * np.eye(at.size)
    return np.array(
        [
            [sum(i * j * function(at + i * a + j * b) for i in (1, -1) for j in (1, -1)) / (4 * step**2) for a in steps]
            for b in steps
        ]
    )


@pytest.mark.parametrize("endpoint", ["pfs", "os"])
def test_a_large_sample_shows_the_truth(simulate: Simulate, truth: dict[str, Any], endpoint: str) -> None:
    times = 160
    sizes = {key: count * times for key, count in truth["patients"].items()}
    z, error = _errors(simulate(truth | {"n": truth["n"] * times, "patients": sizes}), truth, endpoint)
    assert (error < 0.1).all()
    assert (np.abs(z) < 3.5).all(), z


@pytest.mark.parametrize("endpoint", ["pfs", "os"])
def test_its_intervals_hold_the_truth(truth: dict[str, Any], endpoint: str) -> None:
    text = (FOLDER / "patients.csv").read_text(encoding="utf-8")
    z, _ = _errors(text, truth, endpoint)
    assert (np.abs(z) < 1.96).all(), z
