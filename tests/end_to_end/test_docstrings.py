"""Every public function has an example, and what it says is what happens."""

import doctest
import inspect
from collections.abc import Iterator, Sequence

import pytest

import ixa_bayes as ib
from ixa_bayes.inference import effect_routes, effects
from ixa_bayes.inference.log_rank_effects import Simulated, simulate
from ixa_bayes.models.effects import EffectAnalysis
from ixa_bayes.study.log_rank import LogRankPrint

FUNCTIONS = [name for name in ib.__all__ if inspect.isfunction(getattr(ib, name))]
SLOW = {"extract_hazard_ratios", "reanalyse_hazard_ratios", "reanalyse_response"}
"""These share a simulation of seconds, or compile."""


@pytest.fixture(scope="module", autouse=True)
def simulated_once() -> Iterator[None]:
    """Examples of one seed share the cohorts that log-rank p values are read by."""
    known: dict[tuple[str, int], list[Simulated]] = {}

    def once(prints: Sequence[LogRankPrint], analysis: EffectAnalysis, *, seed: int) -> list[Simulated]:
        key = (analysis.model_dump_json(), seed)
        if key not in known:
            known[key] = simulate(prints, analysis, seed=seed)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(effects, "simulate", once)
        patch.setattr(effect_routes, "simulate", once)
        yield


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.compiles if name in SLOW else ()) for name in FUNCTIONS]
)
def test_the_example_of_a_public_function_runs(name: str) -> None:
    (found,) = doctest.DocTestFinder(recurse=False).find(getattr(ib, name), name, globs={})
    assert found.examples, f"{name} has no example"
    told: list[str] = []
    doctest.DocTestRunner(verbose=False).run(found, out=told.append)
    assert told == []
