"""Reference numbers that tests of several folders compare with, read once."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from ixa_bayes.report.results import Results

# A shared machine is slow at times, and a build that fails must fail again when it is repeated.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Keep tests that compile in one process, where they share programs; the others spread over the processors."""
    if item.get_closest_marker("compiles") is not None:
        item.add_marker(pytest.mark.xdist_group("compiles"))


REFERENCE = Path(__file__).parent / "reference"


def _read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((REFERENCE / name).read_text(encoding="utf-8"))
    return content


@pytest.fixture(scope="session")
def frequentist_reference() -> dict[str, Any]:
    return _read("frequentist.json")


@pytest.fixture(scope="session")
def bayes_reference() -> dict[str, Any]:
    return _read("bayes.json")


@pytest.fixture(scope="session")
def trial_design_reference() -> dict[str, list[dict[str, Any]]]:
    """Cases by kind."""
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for case in _read("trial_design.json")["cases"]:
        by_kind.setdefault(case["kind"], []).append(case)
    return by_kind


HOSTILE_DEFINITION = """
name = "hostile"
title = "A study <script>alert('title')</script>"
citation = "Nobody & Co (2026)"
disease = "a disease"
design = "retrospective cohort"
time_unit = "months"
main_population = "all"
[populations.all]
label = "All patients"
[factors.marker]
label = "Marker <script>alert('factor')</script>"
levels = { yes = "present <b>$x^2$</b>", no = "absent" }
reference = "no"
[endpoints.scanned]
label = "Scanned"
kind = "binary"
[endpoints.orr]
label = "Response <img src=x onerror=alert('endpoint')>"
kind = "binary"
better = "higher"
evaluable = "scanned"
[endpoints.rfs]
label = "Relapse-free survival"
kind = "time_to_event"
better = "higher"
unit = "months"
"""
HOSTILE_ROWS = (
    {"id": "n_all", "endpoint": "patients", "kind": "count", "count": "40"},
    {"id": "n_yes", "factor": "marker", "level": "yes", "endpoint": "patients", "kind": "count", "count": "10"},
    {"id": "orr_all", "endpoint": "orr", "kind": "percent", "value": "50.0", "count": "20", "denominator": "40"},
    {
        "id": "orr_yes",
        "factor": "marker",
        "level": "yes",
        "endpoint": "orr",
        "kind": "percent",
        "value": "20.0",
        "count": "2",
        "denominator": "10",
    },
    {
        "id": "orr_no",
        "factor": "marker",
        "level": "no",
        "endpoint": "orr",
        "kind": "percent",
        "value": "60.0",
        "count": "18",
        "denominator": "30",
    },
    {
        "id": "hr_rfs",
        "factor": "marker",
        "level": "yes",
        "comparator": "no",
        "endpoint": "rfs",
        "kind": "hazard_ratio",
        "value": "12.00",
        "lower": "1.00",
        "upper": "144.00",
        "interval": "ci95",
        "p": "0.05",
        "adjustment": "multivariable",
        "note": "<script>alert('note')</script>",
    },
)


@pytest.fixture(scope="session")
def hostile_results(tmp_path_factory: pytest.TempPathFactory) -> "Results":
    """A small study with HTML in its labels, reanalysed without sampling."""
    from ixa_bayes.models.analysis import read_model
    from ixa_bayes.models.response_analysis import ResponseAnalysis
    from ixa_bayes.report.run import compute
    from ixa_bayes.study.ledger import read_study
    from ixa_bayes.study.ledger_rows import COLUMNS

    folder = tmp_path_factory.mktemp("hostile")
    rows = [{"location": "results", "population": "all"} | row for row in HOSTILE_ROWS]
    lines = [",".join(f'"{row.get(column, "")}"' for column in COLUMNS) for row in rows]
    (folder / "study.toml").write_text(HOSTILE_DEFINITION, encoding="utf-8")
    (folder / "statistics.csv").write_text("\n".join([",".join(COLUMNS), *lines]) + "\n", encoding="utf-8")
    models = [read_model("hazard_ratios")]
    for name in ("orr", "response_other"):
        rates = read_model(name)
        assert isinstance(rates.analysis, ResponseAnalysis)
        models.append(replace(rates, analysis=rates.analysis.model_copy(update={"hierarchical": None})))
    return compute(read_study(folder), models, seed=1, inputs={}, progress=lambda step, done, total: None)
