"""The report on effects that change over time: figure, table, page and first screen; none of it without them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ixa_bayes.inference.survival.file import fit_of, save_fit
from ixa_bayes.inference.survival.tables import estimand_table
from ixa_bayes.report.drawing import DrawnFigure
from ixa_bayes.report.fit.extrapolation import BEYOND_MARK, compared_by
from ixa_bayes.report.fit.figures import draw_fit
from ixa_bayes.report.fit.over_time import (
    PROPORTIONAL,
    change_words,
    changing_effects,
    interval_words,
    over_time_findings,
    over_time_table,
)
from ixa_bayes.report.fit.over_time_figures import step_band
from ixa_bayes.report.fit.page import render_fit_page
from ixa_bayes.report.fit.results import FitResults
from ixa_bayes.report.fit.run import fit_headlines
from ixa_bayes.report.fit.summary import fit_findings
from ixa_bayes.report.fit.tables import hazard_ratio_table, implied_table, prior_table
from ixa_bayes.report.fit.words import estimate_text

from .fits import COVARIATES, RARE, patients, question, results_of, written_fit
from .pages import Outline, text_of

WALK = {"walk": {"scale": 0.7, "source": "test"}}
CHANGING = {name: own | (WALK if name in ("marker", "stage") else {}) for name, own in COVARIATES.items()}


@pytest.fixture(scope="module")
def results() -> FitResults:
    return results_of(written_fit(question(law="piecewise", covariates=CHANGING)))


@pytest.fixture(scope="module")
def drawn(results: FitResults) -> dict[str, DrawnFigure]:
    return {figure.figure.name: figure for figure in draw_fit(results)}


@pytest.fixture(scope="module")
def page(results: FitResults, drawn: dict[str, DrawnFigure]) -> str:
    return render_fit_page(results, list(drawn.values()))


def test_each_effect_has_its_intervals_in_order(results: FitResults) -> None:
    effects = list(changing_effects(results))
    assert [(change["factor"], change["level"]) for change, _ in effects] == [
        ("marker", "1"),
        ("stage", "b"),
        ("stage", "c"),
    ]
    for change, intervals in effects:
        assert [row["time"] for row in intervals] == [0.0, 4.0, 9.0]
        ratios = [row["median"] for row in intervals]
        assert change["median"] > 1.0
        assert ratios == sorted(ratios)  # every step of the written posterior goes up on average


def test_an_interval_is_told_by_its_ends(results: FitResults) -> None:
    told = [interval_words(results, start) for start in (0.0, 4.0, 9.0)]
    assert told == ["up to 4 months", "from 4 to 9 months", "after 9 months"]


@pytest.mark.parametrize(
    ("p", "words"),
    [
        (0.99, "it clearly rises with time"),
        (0.01, "it clearly falls with time"),
        (0.9, "it leans to rising with time"),
        (0.1, "it leans to falling with time"),
        (0.5, "open which way it moves"),
    ],
)
def test_the_direction_of_a_change_in_words(p: float, words: str) -> None:
    assert change_words({"p_gt_1": p}) == words


def test_the_table_holds_every_interval_the_change_and_its_scale(results: FitResults) -> None:
    table = over_time_table(results)
    blocks = dict(table.groups)
    assert [len(rows) for rows in blocks.values()] == [5, 5, 5]
    (change, intervals), *_ = changing_effects(results)
    first, *_, last, scale = next(iter(blocks.values()))
    assert first.cells[:2] == ("Up to 4 months", estimate_text(intervals[0]))
    assert last.cells[0] == "Last interval over first (1: proportional hazards)"
    assert last.cells[1] == estimate_text(change)
    assert scale.cells[0].startswith("Standard deviation of a year's change")


def test_steps_are_level_within_intervals_and_end_at_the_axis(results: FitResults) -> None:
    _, intervals = next(changing_effects(results))
    band = step_band(intervals, 24.0)
    np.testing.assert_array_equal(band.time, [0, 4, 4, 9, 9, 24])
    for at, row in enumerate(intervals):
        assert band.median[2 * at] == band.median[2 * at + 1] == row["median"]
        assert (band.lower[2 * at], band.upper[2 * at]) == (row["q025"], row["q975"])
    np.testing.assert_array_equal(step_band(intervals, 9.0).time, [0, 4, 4, 9])


def test_a_ratio_is_marked_where_one_of_its_groups_was_not_followed_so_long(
    results: FitResults, drawn: dict[str, DrawnFigure]
) -> None:
    """Of stage c, the rare one, nobody is followed into the last interval."""
    table = patients()
    end = table.loc[table["stage"] == "c", "pfs_time"].max()
    assert compared_by(results, "stage", "c") == end < 9
    shown = over_time_table(results)
    marked = {
        name: [row.cells[1].endswith(BEYOND_MARK) for row in rows] for name, rows in shown.groups if "Stage" in name
    }
    reached = [start >= end for start in (0, 4, 9)]
    assert marked == {"Stage: b v a": [False] * 5, "Stage: c v a": [*reached, True, False]}
    assert shown.caption.count("no patient of one of the two groups followed so long") == 1
    assert "Paler: no patient of one of the two groups" in drawn["hazard_ratios_over_time"].figure.caption
    hidden = replace(results, kept_back=True)  # as of real patients, of whom three are not told apart
    assert compared_by(hidden, "stage", "c") > 9
    (finding,) = over_time_findings(results)
    assert [item.count("(not followed so long in one group)") for item in finding.items] == [0, 0, 1]
    everybody = results_of(written_fit(question(law="piecewise", covariates=CHANGING, table=table.iloc[RARE:])))
    assert BEYOND_MARK not in over_time_table(everybody).caption


def test_a_band_becomes_paler_where_follow_up_ends(results: FitResults) -> None:
    _, intervals = next(changing_effects(results))
    band = step_band(intervals, 24.0, followed=15.0)
    np.testing.assert_array_equal(band.time, [0, 4, 4, 9, 9, 15, 15, 24])
    assert len(set(band.median[-4:])) == 1
    assert band.followed == 15.0
    np.testing.assert_array_equal(step_band(intervals, 24.0, followed=4.0).time, [0, 4, 4, 9, 9, 24])


def test_the_figure_tells_every_number_and_cox_beside_it(results: FitResults, drawn: dict[str, DrawnFigure]) -> None:
    figure = drawn["hazard_ratios_over_time"].figure
    assert figure.section == "over-time"
    for _, intervals in changing_effects(results):
        for row in intervals:
            assert f"{estimate_text(row)} {interval_words(results, row['time'])}" in figure.alt
    assert figure.alt.count("Cox") == 3


def test_a_ratio_that_changes_is_called_a_mean_wherever_it_is_one_number(results: FitResults, page: str) -> None:
    factors = [row.cells[0] for row in hazard_ratio_table(results).rows]
    assert [name.endswith(", mean over time") for name in factors] == [True, True, True, False, False]
    assert text_of(page).count("Stage: c v a, mean over time") >= 4  # first screen, table, forest, prior


def test_the_page_has_a_section_of_its_own(page: str) -> None:
    outline = Outline(page)
    assert {"over-time", "table-over-time", "figure-hazard_ratios_over_time"} <= set(outline.ids)
    assert set(outline.links) <= set(outline.ids)
    assert "Do effects change over time?" in text_of(page)
    assert "Gamerman (1991)" in text_of(page)
    section = page[page.index('<section id="over-time"') :]
    assert 'href="#table-tests"' in section[: section.index("</section>")]


def test_the_first_screen_says_whether_effects_change(results: FitResults) -> None:
    (finding,) = over_time_findings(results)
    assert finding in fit_findings(results)
    changes = [change for change, _ in changing_effects(results)]
    clear = sum(max(c["p_gt_1"], 1 - c["p_gt_1"]) >= 0.975 for c in changes)
    assert 0 < clear <= 3
    verb = "changes" if clear == 1 else "change"
    assert finding.headline == f"Do effects change over time? {clear} of 3 clearly {verb}"
    assert len(finding.items) == 3


def test_the_prior_of_a_change_is_told(results: FitResults) -> None:
    told = [row.cells for row in prior_table(results).rows if "change over time" in row.cells[0]]
    assert [name for name, *_ in told] == [
        "Marker <script>alert('marker')</script>: change over time",
        "Stage: change over time",
    ]
    assert all("over a year is half-normal with scale 0.7 (95% below 1.4)" in words for _, words, _ in told)
    groups = [name for name, _ in implied_table(results).groups]
    assert "Hazard ratio in the last interval over the first" in groups


def test_the_command_tells_a_mean_as_one(results: FitResults) -> None:
    lines = fit_headlines(results)
    assert sum("hazard ratio, mean over time, " in line for line in lines) == 3
    assert sum("mean over time" in line and line.startswith(("marker", "stage")) for line in lines) == 3


def test_a_fit_is_read_back_with_its_effects_over_time(results: FitResults, tmp_path: Path) -> None:
    save_fit(results.fit, tmp_path)
    again = fit_of(results.fit.question, tmp_path)
    pd.testing.assert_frame_equal(estimand_table(again), results.estimands)
    assert set(again.convergence.table.index) == set(results.fit.convergence.table.index)
    judged_of_change = [name for name in again.convergence.table.index if str(name).startswith("change_")]
    assert judged_of_change == ["change_sd[marker]", "change_sd[stage]"]


def test_without_effects_that_change_nothing_is_said_of_them() -> None:
    proportional = results_of(written_fit(question(law="piecewise")))
    assert list(over_time_findings(proportional)) == []
    assert over_time_table(proportional).missing == PROPORTIONAL
    figures = draw_fit(proportional)
    assert "hazard_ratios_over_time" not in [figure.figure.name for figure in figures]
    page = render_fit_page(proportional, figures)
    assert "over-time" not in Outline(page).ids
    assert "mean over time" not in text_of(page)
