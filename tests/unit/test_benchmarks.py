"""The benchmarks run; what they measure is no test."""

import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import xarray as xr

ROOT = Path(__file__).parents[2]


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT)
    return import_module("benchmarks.commands")


@pytest.fixture
def cohorts(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT)
    return import_module("benchmarks.cohorts")


@pytest.fixture
def curve(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT)
    return import_module("benchmarks.curve")


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT)
    return import_module("benchmarks.fits")


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_costs_stand_beside_the_first_command_s(commands: ModuleType) -> None:
    idle = [sys.executable, "-c", "import time; time.sleep(0.3)"]
    busy = [sys.executable, "-c", "import time\nwhile time.process_time() < 0.3: pass"]
    lines = commands.measure({"busy": busy, "idle": idle}, repeats=3)
    header, _, first, second = map(cells, lines)
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


def test_an_unknown_section_is_named() -> None:
    asked = [sys.executable, "-m", "benchmarks", "fits", "speed"]
    done = subprocess.run(asked, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 2
    assert "speed: there are commands, process, fits, curve" in done.stderr


def test_the_clock_tells_waiting_from_work(commands: ModuleType) -> None:
    from benchmarks.clock import Cost, middle, timed

    def wait() -> int:
        time.sleep(0.2)
        return 42

    answer, cost = timed(wait)
    assert answer == 42
    assert cost.wall >= 0.2 > 5 * cost.cpu
    assert middle([Cost(1, 9), Cost(2, 8), Cost(5, 1)]) == Cost(2, 8)


def test_binary_covariates_collapse_and_continuous_ones_do_not(cohorts: ModuleType) -> None:
    """Fewer rows than patients is what the curve is about."""
    model = cohorts.analysis("piecewise")
    assert len(cohorts.question(model, cohorts.large_table(2_000)).data()["design"]) <= 2 ** len(cohorts.FACTORS)
    assert len(cohorts.question(model, cohorts.large_table(300, continuous=True)).data()["design"]) == 300


def test_large_cohorts_are_like_the_index_study(cohorts: ModuleType) -> None:
    table = cohorts.large_table(20_000)
    assert table["extramedullary_disease"].mean() == pytest.approx(15 / 126, abs=0.01)
    assert table["os_event"].mean() == pytest.approx(43 / 126, abs=0.04)
    days = cohorts.large_table(20_000, days=True)
    assert (days["os_time"] / cohorts.DAYS_PER_MONTH).mean() == pytest.approx(table["os_time"].mean(), rel=0.01)
    assert days["os_time"].dtype.kind == "i"


def test_ratios_of_the_curve_are_to_a_thousand_patients(curve: ModuleType) -> None:
    points = [curve.Point(126, 90, 0.1, 0.1, 0.5, 1.0, 400), curve.Point(1_000, 300, 0.1, 0.1, 0.25, 2.0, 500)]
    header, _, small, base = map(cells, curve.rows(points))
    assert header[5] == "of N = 1,000"
    assert (small[5], small[7], base[5], base[7]) == ("2.0", "0.5", "1.0", "1.0")
    assert base[:2] == ["1,000", "300"]


def test_ratios_of_fits_are_to_the_first_and_draws_per_second_of_sampling(fits: ModuleType) -> None:
    from benchmarks.clock import Cost

    ours, theirs = fits.Measured("a", Cost(0.2, 0.4), 3000, 0.2), fits.Measured("b", Cost(20, 16), 1000, 4)
    _, _, first, second = map(cells, fits.rows([ours, theirs]))
    assert first[2] == first[4] == "1.0"
    assert (second[2], second[4]) == ("100.0", "40.0")
    assert (first[7], second[7]) == ("15000", "250")


def test_the_smallest_sample_size_is_that_of_the_slowest_coefficient(fits: ModuleType) -> None:
    rng = np.random.default_rng(1)
    draws = rng.normal(size=(4, 500, 2))
    draws[..., 1] = np.repeat(draws[:, ::10, 1], 10, axis=1)  # each value ten times over
    assert fits.smallest_ess(xr.DataArray(draws, dims=("chain", "draw", "covariate"))) == pytest.approx(200, rel=0.4)


@pytest.mark.compiles
def test_a_point_of_the_curve_is_measured_in_its_own_process(curve: ModuleType) -> None:
    case = curve.Case("Weibull", False, False, (126,), draws=100, tune=100)
    found = curve._apart(case, 126)
    assert (found.n, found.n_rows) == (126, 126)
    assert found.wall > 0 < found.cpu
    assert found.peak > 100
