"""The benchmarks run; what they measure is no test."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(Path(__file__).parents[2])
    return import_module("benchmarks.commands")


def test_costs_stand_beside_the_first_command_s(commands: ModuleType) -> None:
    idle = [sys.executable, "-c", "import time; time.sleep(0.3)"]
    busy = [sys.executable, "-c", "import time\nwhile time.process_time() < 0.3: pass"]
    lines = commands.measure({"busy": busy, "idle": idle}, repeats=3)
    header, _, first, second = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    assert (first[0], second[0]) == ("`busy`", "`idle`")
    assert first[3] == first[5] == "1.00"
    assert float(second[1]) >= 0.3
    cpu = header.index("CPU s")
    assert float(first[cpu]) >= 0.3
    assert float(second[cpu]) < 0.15


def test_a_command_that_fails_is_no_cost(commands: ModuleType) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        commands.measure({"broken": [sys.executable, "-c", "raise SystemExit(2)"]}, repeats=1)


def test_everything_is_measured_beside_the_import_of_a_sampler(commands: ModuleType) -> None:
    assert next(iter(commands.COMMANDS)) == "python -c 'import pymc'"
    assert {"ixa-bayes --help", "ixa-bayes audit zhou2026"} <= set(commands.COMMANDS)
