"""Reference numbers that tests of several folders compare with, read once."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# A shared machine is slow at times, and a build that fails must fail again when it is repeated.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")

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
