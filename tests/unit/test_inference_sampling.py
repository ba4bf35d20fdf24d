"""The compiled program and its draws: compiled once, exact in its inputs, whole or an error."""

import _thread
import signal
import threading
from collections.abc import Iterator

import numpy as np
import pytest
import xarray as xr

from ixa_bayes.inference import compiled
from ixa_bayes.inference.compiled import Program, cache_folder, program
from ixa_bayes.inference.hierarchical import fit_hierarchical, hierarchical_program, question_hash
from ixa_bayes.inference.posterior_file import load_posterior, save_posterior
from ixa_bayes.inference.sampling import CHAINS, SamplerSettings, sample
from ixa_bayes.models.response import SLOTS, Groups, ModelData, model_data
from ixa_bayes.models.response_analysis import HierarchicalSettings

compiles = pytest.mark.compiles

GROUPS = Groups(("yes", "no"), (2, 62), (19, 103))
NUMBERS = {"mu_mean": 0.0, "mu_sd": 1.5, "tau_scale": 1.0}
SETTINGS = HierarchicalSettings(**NUMBERS, meaning="a test", source="a test", draws=500, tune=500)
SHORT = SamplerSettings(draws=200, tune=200, target_accept=0.9)


@pytest.fixture(scope="module")
def compiled_program() -> Program:
    return hierarchical_program(SLOTS)


@pytest.fixture
def data() -> ModelData:
    return model_data(GROUPS, NUMBERS)


class TestProgram:
    pytestmark = compiles

    def test_is_compiled_once(self, compiled_program: Program) -> None:
        def build() -> None:
            raise AssertionError("compiled twice")

        assert program(compiled_program.name, build) is compiled_program

    def test_refuses_a_forgotten_name(self, compiled_program: Program, data: ModelData) -> None:
        short = {name: value for name, value in data.items() if name != "mu_sd"}
        with pytest.raises(ValueError, match=r"missing=\['mu_sd'\]"):
            compiled_program.with_data(short)
        with pytest.raises(ValueError, match=r"unknown=\['sd'\]"):
            compiled_program.with_data({**data, "sd": 1.0})

    def test_refuses_another_length(self, compiled_program: Program, data: ModelData) -> None:
        with pytest.raises(ValueError, match=r"responders has shape \(2,\)"):
            compiled_program.with_data({**data, "responders": np.array([2, 62])})


class TestSample:
    pytestmark = compiles

    def test_draws_are_whole_and_say_where_they_come_from(self, compiled_program: Program, data: ModelData) -> None:
        fit = sample(compiled_program, data, settings=SHORT, seed=1)
        posterior = fit["posterior"].to_dataset()
        assert dict(posterior.sizes) == {"chain": CHAINS, "draw": 200, "group": SLOTS}
        assert set(fit.children) == {"posterior", "sample_stats"}
        assert fit.attrs["seed"] == 1
        assert fit.attrs["sampler"].startswith("nutpie")
        assert {"version_pymc", "version_nutpie", "version_ixa_bayes"} <= set(fit.attrs)

    def test_the_same_seed_gives_the_same_draws_on_any_cores(self, compiled_program: Program, data: ModelData) -> None:
        one = sample(compiled_program, data, settings=SHORT, seed=1, cores=1)
        two = sample(compiled_program, data, settings=SHORT, seed=1, cores=2)
        other = sample(compiled_program, data, settings=SHORT, seed=2)
        xr.testing.assert_identical(one["posterior"].to_dataset(), two["posterior"].to_dataset())
        assert not np.array_equal(one["posterior"]["mu"], other["posterior"]["mu"])

    @pytest.mark.usefixtures("interruptible")
    def test_an_interrupted_run_is_never_returned(self, compiled_program: Program, data: ModelData) -> None:
        """nutpie's own ``sample`` returns the draws made so far, padded with NaN."""
        endless = SamplerSettings(draws=1_000_000, tune=200, target_accept=0.9)
        timer = threading.Timer(0.5, _thread.interrupt_main)
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            sample(compiled_program, data, settings=endless, seed=1)
        timer.join()
        again = sample(compiled_program, data, settings=SHORT, seed=1)
        assert again["posterior"].sizes["draw"] == 200


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A shell starts its background jobs with interrupts ignored, and the tests with them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class TestFit:
    pytestmark = compiles

    def test_fit_survives_its_file(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        fit = fit_hierarchical(GROUPS, SETTINGS, seed=1, identity={"model_sha256": "abc"})
        path = save_posterior(fit.posterior, tmp_path_factory.mktemp("fit") / "fit.nc")
        expected = {name: fit.posterior.attrs[name] for name in ("program", "model_sha256", "data_sha256")}
        back = load_posterior(path, expected=expected)
        for group in ("posterior", "sample_stats", "observed_data", "log_likelihood", "log_prior"):
            xr.testing.assert_identical(back[group].to_dataset(), fit.posterior[group].to_dataset())
        assert back["observed_data"]["r"].to_numpy().tolist() == [2, 62]

    def test_another_prior_is_another_question(self) -> None:
        wide = SETTINGS.model_copy(update={"tau_scale": 2.0})
        one, two = (fit_hierarchical(GROUPS, settings, seed=1).posterior for settings in (SETTINGS, wide))
        assert one.attrs["program"] == two.attrs["program"]
        assert one.attrs["data_sha256"] != two.attrs["data_sha256"]
        assert float(two["posterior"]["tau"].mean()) > float(one["posterior"]["tau"].mean())

    def test_other_labels_are_another_question(self) -> None:
        data = model_data(GROUPS, NUMBERS)
        swapped = Groups(("no", "yes"), GROUPS.responders, GROUPS.evaluable)
        assert question_hash(GROUPS, data) != question_hash(swapped, data)

    def test_arviz_reads_the_groups(self) -> None:
        import arviz as az

        fit = fit_hierarchical(GROUPS, SETTINGS, seed=1).posterior
        with pytest.warns(UserWarning, match="Pareto"):
            assert az.loo(fit).n_data_points == 2
        assert not az.psense(fit, group="prior", group_var_names=["mu", "tau"]).to_array().isnull().any()


def test_an_interruption_stops_the_chains(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chains that ran on would hold the cores of whatever the user does next."""
    import nutpie

    stopped: list[bool] = []

    class Running:
        def wait(self) -> None:
            raise KeyboardInterrupt

        def cancel(self) -> None:
            stopped.append(True)

    class Compiled:
        def with_data(self) -> "Compiled":
            return self

    monkeypatch.setattr(nutpie, "sample", lambda *_, **__: Running())
    with pytest.raises(KeyboardInterrupt):
        sample(Program("toy/1", Compiled(), {}), {}, settings=SHORT, seed=1)
    assert stopped == [True]


@pytest.fixture
def no_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "_programs", {})


def test_cache_folder_follows_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IXA_BAYES_CACHE", "/somewhere")
    assert str(cache_folder()) == "/somewhere"
    monkeypatch.delenv("IXA_BAYES_CACHE")
    assert cache_folder().name == "ixa-bayes"


def test_a_failed_build_is_not_kept(no_programs: None) -> None:
    def build() -> None:
        raise RuntimeError("no model")

    for _ in range(2):  # the second call builds again
        with pytest.raises(RuntimeError, match="no model"):
            program("broken/1", build)
