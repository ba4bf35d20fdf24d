"""Figures of a fit and the numbers behind them: steps, patients at risk, bands, and checks of the model."""

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MatplotlibFigure

from ixa_bayes.report.drawing import DrawnFigure
from ixa_bayes.report.fit.checks import calibration_check, can_be_checked, predictive_check
from ixa_bayes.report.fit.curves import GroupCurve, group_curves, hazard_band, observed_steps, only, time_ticks
from ixa_bayes.report.fit.figures import draw_fit
from ixa_bayes.report.fit.plots import rank_plot, survival_plot
from ixa_bayes.report.fit.posterior_figures import SLICES, rank_counts
from ixa_bayes.report.fit.results import FitResults
from ixa_bayes.report.style import house_style

from .fits import COVARIATES, DRAWS, patients, question, results_of, written_fit

SVG = "{http://www.w3.org/2000/svg}"
NAMES = {
    "hazard_ratios",
    "survival",
    "survival_by_factor",
    "hazard",
    "prior_to_posterior",
    "chains",
    "predictive_check",
    "calibration",
}
FIT = written_fit(question())
REAL = written_fit(question(evidence_kind="patients"))


@pytest.fixture(scope="module")
def results() -> FitResults:
    return results_of(FIT)


@pytest.fixture(scope="module")
def drawn(results: FitResults) -> dict[str, DrawnFigure]:
    return {figure.figure.name: figure for figure in draw_fit(results)}


@pytest.fixture
def axes() -> Axes:
    with house_style():
        return MatplotlibFigure().add_subplot()


def test_same_results_give_the_same_bytes(results: FitResults, drawn: dict[str, DrawnFigure]) -> None:
    again = {figure.figure.name: figure for figure in draw_fit(results)}
    assert set(again) == NAMES
    for name, figure in again.items():
        assert figure.svg == drawn[name].svg, name
        assert figure.png == drawn[name].png, name


def test_every_figure_is_marked_and_described(drawn: dict[str, DrawnFigure]) -> None:
    for figure in drawn.values():
        root = ET.fromstring(figure.svg[figure.svg.index("<svg") :])  # noqa: S314  # our own output
        assert root.get("role") == "img"
        described = {element.text for element in root if element.tag in (f"{SVG}title", f"{SVG}desc")}
        assert figure.figure.alt in described
        assert len(figure.figure.alt) > 40
        assert "SIMULATED" in figure.svg
        assert "Evidence: simulated patients" in figure.svg


def test_alternative_text_holds_the_key_numbers(results: FitResults, drawn: dict[str, DrawnFigure]) -> None:
    ratios = results.estimands[results.estimands["estimand"] == "hazard_ratio"]
    cox = results.crosscheck[results.crosscheck["method"] == "cox_efron"]
    for table, column in ((ratios, "median"), (cox, "estimate")):
        for value in table[column]:
            assert f"{value:.1f}"[:3] in drawn["hazard_ratios"].figure.alt
    assert "event-free at 12 months" in drawn["survival"].figure.alt
    assert "R-hat" in drawn["chains"].figure.alt


def test_steps_of_real_patients_stop_where_few_are_at_risk() -> None:
    rows = REAL.question.rows
    whole, part = observed_steps(REAL, kept_back=False), observed_steps(REAL, kept_back=True)
    assert whole[0][-1] == rows.upper.max()
    enough = [t for t in whole[0][1:] if (rows.upper >= t).sum() >= 5]
    assert part[0].tolist() == [0.0, *enough]
    np.testing.assert_array_equal(part[1], whole[1][: len(part[1])])


def test_patients_at_risk_are_those_under_observation() -> None:
    ticks = time_ticks(FIT)
    group = group_curves(FIT, ticks, kept_back=False)[0]
    rows = FIT.question.rows
    counted = [len(rows.upper), *[int((rows.upper >= tick).sum()) for tick in ticks[1:]]]
    assert group.at_risk == tuple(str(count) for count in counted)


def test_small_groups_of_real_patients_have_no_curve_and_no_count() -> None:
    ticks = time_ticks(REAL)
    groups = {group.level: group for group in group_curves(REAL, ticks, kept_back=True, covariate="stage")}
    assert set(groups) == {"a", "b"}
    for group in groups.values():
        assert all(not count.isdigit() or int(count) >= 5 or count == "0" for count in group.at_risk)
    assert "not shown" in groups["a"].at_risk + groups["b"].at_risk
    assert {group.level for group in group_curves(FIT, ticks, kept_back=False, covariate="stage")} == {"a", "b", "c"}


def test_long_names_of_levels_stand_above_their_numbers_and_are_not_cut() -> None:
    table = patients().assign(stage=lambda people: people["stage"].replace("b", "spread to the lungs"))
    levels = ("a", "spread to the lungs", "c")
    asked = question(table=table, covariates={"stage": COVARIATES["stage"]}, levels=levels)
    results = results_of(written_fit(asked))
    svg = next(figure.svg for figure in draw_fit(results) if figure.figure.name == "survival_by_factor")
    shown = re.sub(r"<(title|desc)[^>]*>.*?</\1>", "", svg, flags=re.DOTALL)
    assert shown.count(">spread to the lungs<") == 1, "at its numbers, with a sample of its line: no legend is needed"
    assert "…" not in svg


def test_the_band_is_that_of_the_groups_own_patients() -> None:
    ticks = time_ticks(FIT)
    group = next(g for g in group_curves(FIT, ticks, kept_back=False, covariate="sex") if g.level == "1")
    known = FIT.question.design.matrix["marker"].notna().to_numpy()
    posterior = FIT.posterior["posterior"].to_dataset().stack(sample=("chain", "draw"))
    matrix = FIT.question.design.matrix
    members = (matrix["sex"] == 1).to_numpy()
    at = group.model.time[20]
    beta = posterior["log_hazard_ratio"].transpose("coefficient", "sample").to_numpy()
    rate, shape = posterior["log_rate"].to_numpy(), posterior["shape"].to_numpy()
    # Bounds: the unknown markers all 0, or all 1.
    curves = []
    for value in (0.0, 1.0):
        filled = matrix.fillna({"marker": value}).to_numpy()[members]
        curves.append(np.exp(-np.exp(filled @ beta + rate) * at**shape).mean(axis=0))
    low, high = np.quantile(curves[1], 0.5), np.quantile(curves[0], 0.5)
    assert low - 0.01 < group.model.median[20] < high + 0.01
    exact = only(FIT, members & known)
    filled = matrix.to_numpy()[members & known]
    wanted = np.exp(-np.exp(filled @ beta + rate) * at**shape).mean(axis=0)
    band = group_curves(exact, ticks, kept_back=False)[0].model
    np.testing.assert_allclose(
        [band.lower[20], band.median[20], band.upper[20]], np.quantile(wanted, [0.025, 0.5, 0.975]), rtol=1e-9
    )


def test_hazard_of_the_reference_profile_is_the_closed_form() -> None:
    posterior = FIT.posterior["posterior"].to_dataset()
    band = hazard_band(FIT, 24.0)
    t = band.time[50]
    wanted = posterior["shape"] * np.exp(posterior["log_rate"]) * t ** (posterior["shape"] - 1)
    assert band.median[50] == pytest.approx(float(wanted.median()), rel=1e-9)


def test_a_piecewise_hazard_jumps_at_its_cuts() -> None:
    band = hazard_band(written_fit(question(law="piecewise")), 24.0)
    left = int(np.flatnonzero(band.time == 4.0)[0])
    assert band.median[left] == band.median[left - 1]
    assert band.median[left + 1] != band.median[left]


def test_the_axis_holds_the_times_of_the_model_file_and_few_ticks() -> None:
    ticks = time_ticks(FIT)
    asked = FIT.question.analysis.estimands
    assert ticks[-1] >= max(*asked.times, asked.horizon)
    assert 3 <= len(ticks) <= 9


def test_steps_and_curve_are_drawn_at_their_numbers(axes: Axes) -> None:
    ticks = time_ticks(FIT)
    group: GroupCurve = group_curves(FIT, ticks, kept_back=False)[0]
    assert survival_plot([group], axes, labels=["all"], ticks=ticks) is axes
    model, steps = axes.lines
    np.testing.assert_array_equal(model.get_ydata(), group.model.median)
    np.testing.assert_array_equal(steps.get_ydata(), group.survival)
    assert steps.get_drawstyle() == "steps-post"


def test_ranks_of_chains_that_agree_are_even_and_of_others_not(axes: Axes) -> None:
    rng = np.random.default_rng(1)
    draws = rng.normal(size=(4, 1000))
    counts = rank_counts(draws)
    assert counts.shape == (4, SLICES)
    assert (counts.sum(axis=0) == 200).all()
    assert counts.max() < 90
    apart = rank_counts(draws + np.arange(4)[:, np.newaxis])
    assert apart[0, 0] > 150
    assert apart[3, 0] < 5
    assert rank_plot(counts, axes, expected=(30.0, 70.0)) is axes


def test_a_right_model_could_have_made_its_cohort_and_a_wrong_one_not() -> None:
    grid = np.linspace(0, 24, 25)
    right = predictive_check(FIT, grid=grid, at=(3.0, 12.0), seed=1)
    assert right.n == 100
    assert all(0.02 < share < 0.98 for share in right.above.values())
    wrong = predictive_check(written_fit(question(), level=0.7), grid=grid, at=(3.0, 12.0), seed=1)
    assert all(share > 0.9 for share in wrong.above.values())
    again = predictive_check(FIT, grid=grid, at=(3.0, 12.0), seed=1)
    np.testing.assert_array_equal(again.band.lower, right.band.lower)


def test_a_right_model_is_calibrated_and_a_wrong_one_not() -> None:
    check = calibration_check(FIT)
    assert check.inside
    assert (np.diff(check.share) >= 0).all()
    late = calibration_check(written_fit(question(), level=0.7))
    assert not late.inside
    assert (late.share >= late.at - 0.02).all()  # events come before a model that is too hopeful expects them
    early = calibration_check(written_fit(question(), level=-0.7))
    assert not early.inside
    assert early.share.mean() < late.share.mean()


def test_calibration_spreads_what_is_not_known() -> None:
    """With hardly any uncertainty the transform is F itself: exact events step, others spread evenly."""
    certain = written_fit(question(), spread=0.02)
    check = calibration_check(certain)
    posterior = certain.posterior["posterior"].to_dataset().mean(("chain", "draw"))
    matrix = FIT.question.design.matrix.fillna({"marker": 0.5})
    ratio = np.exp(matrix.to_numpy() @ posterior["log_hazard_ratio"].to_numpy() + float(posterior["log_rate"]))
    rows, shape = FIT.question.rows, float(posterior["shape"])
    start = 1 - np.exp(-ratio * rows.end**shape)
    stop = np.where(rows.event, start, np.where(rows.between, 1 - np.exp(-ratio * rows.upper**shape), 1.0))
    wanted = _spread(start, stop, check.at, rows.weight)
    np.testing.assert_allclose(check.share, wanted, atol=0.025)


def test_each_patient_is_predicted_from_the_others() -> None:
    """Plain importance weights 1/L, unsmoothed, with the law written out; what uses every patient would differ."""
    fit = written_fit(question(covariates={"sex": COVARIATES["sex"]}), spread=2.0)
    posterior = fit.posterior["posterior"].to_dataset().stack(sample=("chain", "draw"))
    rows, sex = fit.question.rows, fit.question.design.matrix["sex"].to_numpy()
    rate = np.exp(posterior["log_rate"].to_numpy() + np.outer(sex, posterior["log_hazard_ratio"].to_numpy()[0]))
    shape = posterior["shape"].to_numpy()

    def without(months: np.ndarray) -> np.ndarray:
        found: np.ndarray = 1 - np.exp(-rate * months[:, np.newaxis] ** shape)
        return found

    chance = {
        "event": (1 - without(rows.upper)) * rate * shape * rows.upper[:, np.newaxis] ** (shape - 1),
        "between": without(rows.upper) - without(rows.end),
        "censored": 1 - without(rows.end),
    }
    kinds = np.where(rows.event, "event", np.where(rows.between, "between", "censored"))
    seen = np.stack([chance[str(kind)][row] for row, kind in enumerate(kinds)])
    shares = {}
    for name, weight in (("loo", 1 / seen), ("all", np.ones_like(seen))):
        weight = weight / weight.sum(axis=1, keepdims=True)
        start, upper = ((without(months) * weight).sum(axis=1) for months in (rows.end, rows.upper))
        stop = np.where(rows.event, start, np.where(rows.between, upper, 1.0))
        shares[name] = _spread(start, stop, calibration_check(fit).at, rows.weight)
    got = calibration_check(fit).share
    np.testing.assert_allclose(got, shares["loo"], atol=1.2 / rows.n)  # smoothing may move one patient past a point
    assert np.abs(got - shares["loo"]).mean() < 0.002
    assert np.abs(got - shares["all"]).mean() > 0.01


def _spread(start: np.ndarray, stop: np.ndarray, at: np.ndarray, weight: np.ndarray) -> list[float]:
    pairs = list(zip(start, stop, strict=True))
    each = [[float(a <= p) if a == b else float(np.clip((p - a) / (b - a), 0, 1)) for a, b in pairs] for p in at]
    return [float(np.average(values, weights=weight)) for values in each]


def test_checks_need_the_log_likelihood_of_each_patient() -> None:
    assert can_be_checked(FIT)
    without = FIT.posterior.copy()
    del without["log_likelihood"]
    assert not can_be_checked(replace(FIT, posterior=without))
    assert FIT.posterior["posterior"].sizes["draw"] == DRAWS
