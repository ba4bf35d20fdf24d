"""The pooled model against long runs of the same model in Stan: every quantity, within Monte Carlo error."""

import math
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, cast

import arviz as az
import numpy as np
import pytest
import xarray as xr

from ixa_bayes.inference.hierarchical import HierarchicalFit, fit_hierarchical
from ixa_bayes.models.analysis import read_model
from ixa_bayes.models.response import Groups
from ixa_bayes.models.response_analysis import HierarchicalSettings, ResponseAnalysis

pytestmark = pytest.mark.compiles

COMBINED_ERRORS = 5
"""Over 914 comparisons; two runs that agree differ by more than 5 combined standard errors once in two million."""
TABLES = (
    "2/19_vs_62/103",
    "27/35_vs_37/87",
    "11/38_vs_53/84",
    "15/40_vs_13/17",
    "5/21_vs_23/36",
    "1/12_vs_27/45",
    "10/28_vs_14/20",
)
ALL = "all_14_groups"

Fit = Callable[[str], tuple[HierarchicalFit, dict[str, Any]]]


@pytest.fixture(scope="module")
def fit(bayes_reference: dict[str, Any]) -> Fit:
    reference = bayes_reference["hierarchical_binomial"]
    stated = cast("ResponseAnalysis", read_model("orr").analysis).hierarchical
    assert stated is not None
    settings = HierarchicalSettings(**stated.model_dump() | {"draws": 8000, "tune": 1500, "target_accept": 0.99})

    @cache
    def make(name: str) -> tuple[HierarchicalFit, dict[str, Any]]:
        wanted = reference[ALL] if name == ALL else reference["each_table_alone"][name]
        labels = tuple(f"group{index}" for index in range(1, len(wanted["groups_n"]) + 1))
        groups = Groups(labels, tuple(wanted["groups_r"]), tuple(wanted["groups_n"]))
        return fit_hierarchical(groups, settings, seed=20261125), wanted

    return make


def _comparisons(posterior: xr.Dataset, wanted: dict[str, Any]) -> Iterator[tuple[str, xr.DataArray, dict[str, Any]]]:
    for name in ("mu", "tau"):
        yield name, posterior[name], wanted[name]
    for index, group in enumerate(wanted["groups"]):
        yield f"theta {index}", posterior["theta"].isel(group=index, drop=True), group["theta_logit"]
        yield f"rate {index}", posterior["rate"].isel(group=index, drop=True), group["rate"]
    for pair in wanted["pairs"]:
        one, two = (posterior[["theta", "rate"]].isel(group=i - 1, drop=True) for i in pair["pair"])
        yield f"difference {pair['pair']}", one["rate"] - two["rate"], pair["difference_p1_minus_p2"]
        yield f"log odds ratio {pair['pair']}", one["theta"] - two["theta"], pair["log_odds_ratio_1_over_2"]
        lower = (one["rate"] < two["rate"]).astype(float)
        p = pair["prob_p1_below_p2"]
        yield f"P(lower) {pair['pair']}", lower, {"mean": p["p"], "mcse_mean": p["mcse"]}


def _estimates(draws: xr.DataArray, wanted: dict[str, Any]) -> Iterator[tuple[str, float, float, float, float]]:
    """What, our value, our error, the reference's value, its error."""
    yield "mean", float(draws.mean()), float(az.mcse(draws, method="mean")), wanted["mean"], wanted["mcse_mean"]
    if "sd" in wanted:
        sd = float(draws.std(ddof=1))
        yield "sd", sd, float(az.mcse(draws, method="sd")), wanted["sd"], wanted["mcse_sd"]
    for name, value in wanted.get("quantiles", {}).items():
        probability = float(name.removeprefix("q")) / 100
        error = float(az.mcse(draws, method="quantile", prob=probability))
        yield name, float(draws.quantile(probability)), error, value, wanted["mcse_quantiles"][name]


@pytest.mark.parametrize("name", [*TABLES, ALL])
def test_every_quantity_agrees_with_stan(fit: Fit, name: str) -> None:
    found, wanted = fit(name)
    assert found.convergence.ok, found.convergence.reasons
    posterior = found.posterior["posterior"].to_dataset()
    misses = [
        f"{quantity} {what}: {got:.5f} ({error:.5f}) against {reference:.5f} ({reference_error:.5f})"
        for quantity, draws, about in _comparisons(posterior, wanted)
        for what, got, error, reference, reference_error in _estimates(draws, about)
        if not abs(got - reference) <= COMBINED_ERRORS * math.hypot(error, reference_error)
    ]
    assert not misses


def test_every_entry_of_the_reference_is_compared(bayes_reference: dict[str, Any]) -> None:
    assert set(bayes_reference["hierarchical_binomial"]["each_table_alone"]) == set(TABLES)


def test_spare_slots_change_nothing(fit: Fit) -> None:
    """A program of 32 slots has the same posterior as one of 16: means of theta within their errors."""
    found, _ = fit(TABLES[0])
    groups = Groups(("group1", "group2"), (2, 62), (19, 103))
    stated = cast("ResponseAnalysis", read_model("orr").analysis).hierarchical
    assert stated is not None
    more = fit_hierarchical(groups, stated, seed=3, slots=32).posterior["posterior"].to_dataset()["theta"]
    few = found.posterior["posterior"].to_dataset()["theta"]
    errors = np.hypot(az.mcse(more, method="mean"), az.mcse(few, method="mean"))
    assert bool((np.abs(more.mean(("chain", "draw")) - few.mean(("chain", "draw"))) < 5 * errors).all())
