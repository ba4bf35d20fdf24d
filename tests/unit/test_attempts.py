"""A fit with divergent draws is sampled again with smaller steps, only then, and says so."""

from collections.abc import Callable
from functools import partial
from math import isnan
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from tests.unit.fits import question, results_of, written_fit
from tests.unit.pages import text_of

from ixa_bayes.inference.diagnostics import MAX_DIVERGENT_SHARE_SHRUNK, Convergence, convergence
from ixa_bayes.inference.survival.attempts import Attempt, attempts_of, with_smaller_steps
from ixa_bayes.inference.survival.file import fit_of, save_fit
from ixa_bayes.report.fit.figures import draw_fit
from ixa_bayes.report.fit.page import render_fit_page
from ixa_bayes.report.fit.run import fit_headlines
from ixa_bayes.report.fit.words import attempts_words

CHAINS, DRAWS = 4, 500


def _run(divergent: int, *, at: float = 0.0, apart: float = 0.0, ratios: bool = True) -> xr.DataTree:
    """Independent draws around ``at``, so many of them divergent, with chains so far apart."""
    rng = np.random.default_rng(1)
    size = (CHAINS, DRAWS)
    noise = rng.normal(size=(*size, 2))
    noise = (noise - np.median(noise, axis=(0, 1))) / noise.std(axis=(0, 1))
    draws = at + noise + apart * np.arange(CHAINS)[:, None, None]
    diverging = np.zeros(CHAINS * DRAWS, dtype=bool)
    diverging[:divergent] = True
    dims = ("chain", "draw")
    name = "log_hazard_ratio" if ratios else "log_median"
    return xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset({name: ((*dims, "coefficient"), draws)}),
            "sample_stats": xr.Dataset(
                {"energy": (dims, rng.normal(size=size)), "diverging": (dims, diverging.reshape(size))}
            ),
        }
    )


def _sampler(runs: dict[float, xr.DataTree]) -> tuple[Callable[[float], xr.DataTree], list[float]]:
    asked: list[float] = []

    def draw(rate: float) -> xr.DataTree:
        asked.append(rate)
        return runs[rate]

    return draw, asked


def test_a_fit_that_passes_is_sampled_once() -> None:
    draw, asked = _sampler({0.9: _run(2)})
    kept, verdict = with_smaller_steps(draw, convergence, target_accept=0.9)
    assert (asked, verdict.ok) == ([0.9], True)
    assert attempts_of(kept) == (Attempt(0.9, 0.001, 0.0, True),)
    assert attempts_words(attempts_of(kept)) == ""


def test_divergences_alone_are_met_with_smaller_steps_until_they_are_few() -> None:
    runs = {0.9: _run(20, at=0.3), 0.95: _run(6), 0.99: _run(1, at=0.1)}
    draw, asked = _sampler(runs)
    kept, verdict = with_smaller_steps(draw, convergence, target_accept=0.9)
    assert (asked, verdict.ok) == ([0.9, 0.95, 0.99], True)
    assert kept is runs[0.99]
    assert [(run.divergent_share, run.reported) for run in attempts_of(kept)] == [
        (0.01, False),
        (0.003, False),
        (0.0005, True),
    ]
    assert [run.moved for run in attempts_of(kept)] == pytest.approx([0.2, 0.1, 0.0])
    draw, asked = _sampler({0.9: _run(20), 0.95: _run(0)})
    with_smaller_steps(draw, convergence, target_accept=0.9)
    assert asked == [0.9, 0.95]


@pytest.mark.parametrize(("first", "then"), [(0.8, [0.8, 0.95, 0.99]), (0.97, [0.97, 0.99]), (0.995, [0.995])])
def test_steps_never_become_larger(first: float, then: list[float]) -> None:
    draw, asked = _sampler({rate: _run(20) for rate in then})
    kept, verdict = with_smaller_steps(draw, convergence, target_accept=first)
    assert (asked, verdict.ok) == (then, False)
    assert "1.00% of draws diverged" in verdict.reasons[0]
    assert len(attempts_of(kept)) == len(then)


def test_what_smaller_steps_do_not_mend_is_not_tried_again() -> None:
    draw, asked = _sampler({0.9: _run(20, apart=1.0)})
    _, verdict = with_smaller_steps(draw, convergence, target_accept=0.9)
    assert (asked, verdict.ok) == ([0.9], False)
    assert len(verdict.reasons) > 1


def test_a_joint_prior_may_have_more_but_they_are_compared_at_smaller_steps() -> None:
    """Shares between 0.1% and 0.5% pass, and the estimand at a higher acceptance rate is on record."""
    judge = partial(convergence, max_divergent_share=MAX_DIVERGENT_SHARE_SHRUNK)
    runs = {0.9: _run(4, at=0.5), 0.95: _run(8), 0.99: _run(6)}
    draw, asked = _sampler(runs)
    kept, verdict = with_smaller_steps(draw, judge, target_accept=0.9)
    assert (asked, verdict.ok) == ([0.9, 0.95, 0.99], True)
    assert kept is runs[0.9]  # of those that pass, the one with the fewest
    assert [run.moved for run in attempts_of(kept)] == pytest.approx([0.0, 0.5, 0.5])
    # A run that passes is not given up for one with fewer divergences that fails otherwise.
    runs = {0.9: _run(4), 0.95: _run(0, apart=1.0)}
    kept, verdict = with_smaller_steps(_sampler(runs)[0], judge, target_accept=0.9)
    assert verdict.ok
    assert kept is runs[0.9]


def test_without_a_hazard_ratio_nothing_has_moved() -> None:
    runs = {0.9: _run(20, ratios=False), 0.95: _run(0, ratios=False)}
    kept, _ = with_smaller_steps(_sampler(runs)[0], convergence, target_accept=0.9)
    assert all(isnan(run.moved) for run in attempts_of(kept))
    assert attempts_words(attempts_of(kept)).endswith("The run at 0.95 is reported.")


def test_divergences_alone_are_told_from_other_faults() -> None:
    def verdict(reasons: tuple[str, ...], share: float, allowed: float) -> bool:
        return Convergence(not reasons, reasons, pd.DataFrame(), 1.0, share, allowed).divergences_alone

    assert not verdict((), 0.001, 0.001)
    assert verdict(("diverged",), 0.002, 0.001)
    assert verdict((), 0.002, 0.005)
    assert not verdict(("R-hat",), 0.002, 0.005)
    assert not verdict(("R-hat", "diverged"), 0.01, 0.005)


def test_every_output_says_that_it_was_sampled_again(tmp_path: Path) -> None:
    fit = written_fit(question())
    once = results_of(fit)
    assert "Sampled 2 times" not in render_fit_page(once, draw_fit(once))
    kept, _ = with_smaller_steps(_sampler({0.9: _run(9), 0.95: _run(1, at=0.25)})[0], convergence, target_accept=0.9)
    fit.posterior.attrs["attempts"] = kept.attrs["attempts"]
    results = results_of(fit)
    told = (
        "Sampled 2 times: at a target acceptance rate of 0.9 0.45% of draws diverged, at a target acceptance rate of "
        "0.95 0.05% of draws diverged. The run at 0.95 is reported; no median of a log hazard ratio moved by more than "
        "0.25 posterior standard deviations."
    )
    assert fit_headlines(results)[-1] == told
    page = text_of(render_fit_page(results, draw_fit(results)))
    assert page.count(told) == 2  # on the first screen and among the checks
    rows = results.diagnostics[results.diagnostics["quantity"] == "attempts"].set_index("measure")
    assert rows["value"].to_dict() == pytest.approx(
        {"divergent_share_at_0.9": 0.0045, "moved_at_0.9": 0.25, "divergent_share_at_0.95": 0.0005, "moved_at_0.95": 0}
    )
    assert not any(name.startswith("attempts") for name in page.split("Convergence of every parameter")[1].split())
    save_fit(fit, tmp_path)
    assert attempts_of(fit_of(fit.question, tmp_path).posterior) == attempts_of(fit.posterior)
