"""Machine code that is read back from the disk: the same numbers, or not used."""

import subprocess
import sys
from collections.abc import Callable
from ctypes import POINTER, c_double
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pymc as pm
import pytest

from ixa_bayes.inference import kept_code
from ixa_bayes.inference.kept_code import KNOWN_NUTPIE, compile_model

pytestmark = pytest.mark.compiles

DATA = {"x": np.array([0.3, -1.2, 2.0]), "sd": 0.7}
ACROSS_PROCESSES = """
import sys
import numpy as np
from ixa_bayes.inference.compiled import program
from ixa_bayes.inference.sampling import SamplerSettings, sample
from ixa_bayes.inference import kept_code
from tests.unit.test_kept_code import DATA, rate_model

if sys.argv[1] == "nutpie":
    kept_code.KNOWN_NUTPIE = frozenset()
made = program("rate", rate_model, free_dims=("row",))
draws = sample(made, DATA, settings=SamplerSettings(50, 100, 0.8), seed=1, cores=1)["posterior"]
print(getattr(made.compiled.compiled_logp_func, "cache_hits"))
np.save(sys.argv[2], np.stack([draws[name].to_numpy().ravel() for name in ("rate", "half")]))
"""


def rate_model() -> pm.Model:
    """Something with data of several kinds, a transform and a deterministic."""
    with pm.Model(coords={"row": [0, 1]}) as model:
        rate = pm.LogNormal("rate", 0.0, pm.Data("sd", 1.0))
        pm.Deterministic("half", rate / 2)
        pm.Normal("y", mu=0.0, sigma=rate, observed=pm.Data("x", np.zeros(2), dims="row"), dims="row")
    return model


def mean_model() -> pm.Model:
    """Another model with the same layout of parameters and data."""
    with pm.Model(coords={"row": [0, 1]}) as model:
        mean = pm.Normal("mean", 0.0, pm.Data("sd", 1.0))
        pm.Deterministic("half", mean / 2)
        pm.Normal("y", mu=mean, sigma=1.0, observed=pm.Data("x", np.zeros(2), dims="row"), dims="row")
    return model


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from pytensor.link.numba import cache

    monkeypatch.setattr(cache, "NUMBA_CACHE_PATH", tmp_path)
    return tmp_path


def log_density(compiled: Any, at: float) -> tuple[float, float]:
    """Log density and gradient by the C function, under ``DATA``."""
    given = compiled.with_data(**DATA)
    point, gradient, value = np.array([at]), np.zeros(1), np.zeros(1)
    arrays = [array.ctypes.data_as(POINTER(c_double)) for array in (point, gradient, value)]
    assert given.compiled_logp_func.ctypes(1, *arrays, given.user_data.ctypes.data) == 0
    return float(value[0]), float(gradient[0])


def by_hand(at: float) -> tuple[float, float]:
    """Of ``rate_model``: LogNormal(0, sd) for exp(at) with its Jacobian, normal observations about 0."""
    x, sd, rate = DATA["x"], DATA["sd"], np.exp(at)
    log_prior = -((at / sd) ** 2) / 2 - np.log(sd) - np.log(2 * np.pi) / 2
    value = log_prior + np.sum(-((x / rate) ** 2) / 2 - at - np.log(2 * np.pi) / 2)
    return float(value), float(-at / sd**2 + np.sum((x / rate) ** 2 - 1))


def hits(compiled: Any) -> list[int]:
    return [compiled.compiled_logp_func.cache_hits, compiled.compiled_expand_func.cache_hits]


def test_the_locked_nutpie_is_known() -> None:
    """With another version the code below is not used: look at its compile_pymc before you add it."""
    assert version("nutpie") in KNOWN_NUTPIE


def test_code_is_read_back_and_right(folder: Path) -> None:
    first, again = compile_model(rate_model()), compile_model(rate_model())
    assert (hits(first), hits(again)) == ([0, 0], [1, 1])
    for compiled in (first, again):
        assert log_density(compiled, 0.4) == pytest.approx(by_hand(0.4), rel=1e-12)
    assert log_density(again, -0.3) == log_density(first, -0.3)


def test_other_graphs_and_other_layouts_have_other_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    def of_two() -> pm.Model:
        with pm.Model(coords={"row": [0, 1]}) as model:
            sd = pm.Data("sd", np.ones(2))
            pm.Normal("mean", 0.0, sd, shape=2)
        return model

    def of_one() -> pm.Model:
        with pm.Model(coords={"row": [0, 1]}) as model:
            sd = pm.Data("sd", np.ones(2))
            pm.Normal("mean", 0.0, sd[:1], shape=1)
        return model

    models: list[Callable[[], pm.Model]] = [rate_model, mean_model, of_two, of_one]
    found: list[str | None] = []
    monkeypatch.setattr(kept_code, "_machine_code", lambda *given: found.append(kept_code._key(*given)))
    for build in [*models, *models]:
        compile_model(build())
    assert None not in found
    assert found[: len(found) // 2] == found[len(found) // 2 :]
    assert len(set(found)) == len(found) // 2


def test_code_of_another_model_is_not_used(folder: Path) -> None:
    """As if two graphs had one key: the file of one model holds the code of another."""
    compile_model(mean_model())
    wrong = {path.name.split("-")[0]: path.read_bytes() for path in folder.glob("*_numba-*.nbc")}
    compile_model(rate_model())
    ours = [path for path in folder.glob("*_numba-*.nbc") if path.read_bytes() not in wrong.values()]
    assert len(ours) == 2
    for path in ours:
        path.write_bytes(wrong[path.name.split("-")[0]])
    found = compile_model(rate_model())
    assert hits(found) == [0, 0]
    assert log_density(found, 0.4) == pytest.approx(by_hand(0.4), rel=1e-12)


def test_files_cut_short_are_compiled_anew(folder: Path) -> None:
    compile_model(rate_model())
    for left, path in enumerate(folder.glob("*_numba-*.nbc")):
        path.write_bytes(path.read_bytes()[: 100 * left])
    found = compile_model(rate_model())
    assert log_density(found, 0.4) == pytest.approx(by_hand(0.4), rel=1e-12)


def test_with_an_unknown_nutpie_its_own_compilation_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    import nutpie

    monkeypatch.setattr(kept_code, "KNOWN_NUTPIE", frozenset())
    monkeypatch.setattr(nutpie, "compile_pymc_model", lambda model, *, backend: (model, backend))
    model = rate_model()
    assert compile_model(model) == (model, "numba")


def test_every_process_draws_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By nutpie's own compilation, by code that was just compiled, and by code from the disk: bit for bit."""
    monkeypatch.setenv("PYTENSOR_FLAGS", f"base_compiledir={tmp_path / 'cache'}")
    found, read = [], []
    for number, how in enumerate(("nutpie", "kept", "kept")):
        command = [sys.executable, "-c", ACROSS_PROCESSES, how, str(tmp_path / f"{number}.npy")]
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2])
        read.append(int(done.stdout))
        found.append(np.load(tmp_path / f"{number}.npy"))
    assert read == [0, 0, 1]
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_array_equal(found[2], found[0])
