from dataclasses import replace
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MatplotlibFigure

from ixa_bayes.report.drawing import DrawnFigure
from ixa_bayes.report.effect_figures import ratio_limits
from ixa_bayes.report.figures import draw_all
from ixa_bayes.report.page import render_page
from ixa_bayes.report.plots import Curve, IntervalRow, Mark, density_plot, interval_plot, ratio_ticks
from ixa_bayes.report.response_figures import share_limits
from ixa_bayes.report.results import Results
from ixa_bayes.report.style import LOOKS, house_style, watermark
from ixa_bayes.report.wording import ratio_text

from .pages import text_of

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def axes() -> Axes:
    with house_style():
        return MatplotlibFigure().add_subplot()


@pytest.fixture(scope="module")
def drawn(hostile_results: Results) -> list[DrawnFigure]:
    return draw_all(hostile_results)


def by_name(drawn: list[DrawnFigure], name: str) -> DrawnFigure:
    return next(figure for figure in drawn if figure.figure.name == name)


def test_same_results_give_the_same_bytes(hostile_results: Results, drawn: list[DrawnFigure]) -> None:
    again = draw_all(hostile_results)
    assert [figure.svg for figure in again] == [figure.svg for figure in drawn]
    assert [figure.png for figure in again] == [figure.png for figure in drawn]


def test_every_figure_has_title_alternative_text_and_evidence(drawn: list[DrawnFigure]) -> None:
    assert len({figure.figure.name for figure in drawn}) == len(drawn) >= 4
    for figure in drawn:
        root = ET.fromstring(figure.svg[figure.svg.index("<svg") :])  # noqa: S314  # our own output
        assert root.get("role") == "img"
        ids = {element.get("id"): element.text for element in root if element.tag in (f"{SVG}title", f"{SVG}desc")}
        assert root.get("aria-labelledby", "").split() == list(ids)
        assert figure.figure.alt in ids.values()
        assert "Evidence: published statistics" in figure.svg
        assert "date" not in figure.svg.lower().split("<g", maxsplit=1)[0]
        assert figure.png.startswith(b"\x89PNG")


def test_alternative_text_holds_the_key_numbers(hostile_results: Results, drawn: list[DrawnFigure]) -> None:
    table = hostile_results.hazard_ratios
    sceptic = table[table["prior"].eq("neutral_moderate")].iloc[0]
    for name in ("forest_printed", "prior_to_posterior_1"):
        assert ratio_text(sceptic["hr_median"]) in by_name(drawn, name).figure.alt


@pytest.mark.parametrize(
    ("upper", "end"), [(0.07, 0.1), (0.1, 0.1), (0.2, 0.25), (0.51, 1.0), (1.0, 1.0), (np.nan, 1.0)]
)
def test_axis_of_shares_fits_rare_events(upper: float, end: float) -> None:
    assert share_limits([Mark("raw", median=0.01, lower=0.0, upper=upper)]) == (0.0, end)


def test_markup_and_mathematics_in_labels_stay_text(drawn: list[DrawnFigure]) -> None:
    forest = by_name(drawn, "forest_printed").svg
    assert "present &lt;b&gt;$x^2$&lt;/b&gt;" in forest
    assert "<b>" not in forest


def test_ids_do_not_collide_between_figures(drawn: list[DrawnFigure]) -> None:
    ids = [
        element.get("id")
        for figure in drawn
        for element in ET.fromstring(figure.svg[figure.svg.index("<svg") :]).iter()  # noqa: S314  # our own output
        if element.get("id")
    ]
    assert len(ids) == len(set(ids))


def test_an_extreme_limit_ends_in_an_arrow_and_is_said(drawn: list[DrawnFigure]) -> None:
    forest = by_name(drawn, "forest_printed")
    assert "clipped" in forest.svg
    assert "arrow head" in forest.figure.caption
    assert "144" in forest.figure.alt


def test_ratio_limits_keep_medians_and_clip_extremes() -> None:
    few = [Mark("printed", median=2.0, lower=1.2, upper=3.0)]
    assert ratio_limits(few) == (0.5, 5.0)  # a tick stands at each end
    low, high = ratio_limits([*few, Mark("printed", median=20.46, lower=2.97, upper=140.8)])
    assert low == 0.5
    assert 20.46 < high < 40


def _with_not_significant(results: Results, *, first: bool) -> Results:
    """The same study with log-rank p values of two endpoints: one NS, so bounded on both sides, and one printed."""
    printed = results.hazard_ratios.assign(source="log_rank_calibrated", endpoint="rfs", printed="log-rank p = 0.03")
    ns = printed[printed["prior"].ne("flat")].assign(endpoint="os", printed="log-rank p NS", hr_median=0.95)
    ns = ns.assign(hr_q025=0.39, hr_q975=2.14, driven_by_prior=False, hr_bound=np.nan, p_gt_1=0.45)
    order = [ns, printed] if first else [printed, ns]
    return replace(results, hazard_ratios=pd.concat(order, ignore_index=True))


@pytest.mark.parametrize("first", [True, False])
def test_a_p_that_is_not_significant_has_its_median_and_both_limits(hostile_results: Results, first: bool) -> None:
    results = _with_not_significant(hostile_results, first=first)
    drawn = draw_all(results)
    forest = by_name(drawn, "forest_log_rank")
    assert "0.95 (0.39 to 2.14)" in forest.figure.alt
    assert "one side only" not in forest.figure.caption
    assert "nan" not in forest.svg
    shown = text_of(render_page(results, drawn))
    assert "0.95 (0.39 to 2.14)" in shown
    assert "come from the prior" not in shown


def test_a_one_sided_bound_has_a_line_and_no_point(axes: Axes) -> None:
    bound = Mark("neutral", median=np.nan, lower=1.3, upper=np.inf)
    limits = ratio_limits([bound])
    interval_plot(
        [IntervalRow("a", (bound,), "at least 1.30")], axes, limits=limits, xlabel="HR", reference=1.0, ratio=True
    )
    assert limits[0] < 1.3 < limits[1]
    assert [line.get_marker() for line in axes.lines if line.get_marker() != "None"] == [">"]


def test_clipped_and_whole_intervals_are_drawn_at_their_numbers(axes: Axes) -> None:
    rows = [
        IntervalRow("a", (Mark("printed", median=2.0, lower=1.2, upper=3.0),), "2.00"),
        IntervalRow("b", (Mark("neutral", median=9.0, lower=0.9, upper=140.0),), "9.00"),
    ]
    got = interval_plot(rows, axes, limits=(0.5, 10.0), xlabel="hazard ratio", reference=1.0, ratio=True)
    assert got is axes
    spans = {tuple(np.asarray(line.get_xdata()).tolist()) for line in axes.lines if len(line.get_xdata()) == 2}
    assert {(1.2, 3.0), (0.9, 10.0)} <= spans
    heads = [line for line in axes.lines if line.get_gid() == "clipped"]
    assert [line.get_marker() for line in heads] == [">"]


def test_densities_are_normal_on_the_log_scale(drawn: list[DrawnFigure], axes: Axes) -> None:
    x = np.linspace(-4, 4, 2001)
    density = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    curves = [Curve("prior", "prior", np.exp(x), density), Curve("neutral", "posterior", np.exp(x), density)]
    assert density_plot(curves, axes, limits=(0.1, 10.0), title="t") is axes
    assert axes.get_xscale() == "log"
    assert np.trapezoid(np.asarray(axes.lines[0].get_ydata(), dtype=float), x) == pytest.approx(1, abs=1e-4)
    assert axes.get_ylabel() == "density"


def test_simulated_evidence_is_watermarked(hostile_results: Results, axes: Axes) -> None:
    simulated = replace(hostile_results, hazard_ratios=hostile_results.hazard_ratios.assign(evidence_kind="simulated"))
    figures = draw_all(simulated)
    assert "SIMULATED" in by_name(figures, "forest_printed").svg
    assert "SIMULATED" not in by_name(figures, "rates_orr_all").svg
    assert watermark(axes) is axes


def test_kinds_differ_in_more_than_colour() -> None:
    together = [LOOKS[kind] for kind in ("printed", "neutral", "optimistic", "pessimistic", "other")]
    assert len({look.marker for look in together}) == len(together)
    assert len({look.colour for look in together}) == len(together)


def test_ticks_are_round_and_few() -> None:
    assert ratio_ticks((0.5, 30.0)) == [0.5, 1.0, 2.0, 5.0, 10.0, 20.0]
    assert len(ratio_ticks((0.01, 500.0))) <= 7


def test_chances_of_a_protective_factor_are_those_of_protection(hostile_results: Results) -> None:
    table = hostile_results.hazard_ratios
    swapped = {"p_gt_1": 1 - table["p_gt_1"], "p_gt_0_8": 1 - table["p_gt_1_25"], "p_gt_0_5": 1 - table["p_gt_2"]}
    protects = replace(hostile_results, hazard_ratios=table.assign(**swapped))
    harm, protection = (by_name(draw_all(results), "chances_printed") for results in (hostile_results, protects))
    assert "P(HR &lt; 0.5)" in protection.svg
    assert "P(HR &gt; 2)" not in protection.svg
    assert "inverse" not in harm.figure.caption
    assert "inverse" in protection.figure.caption

    def numbers(figure: DrawnFigure) -> list[str]:
        return [part.rpartition(": ")[2] for part in figure.figure.alt.split(", P(HR ")[1:]]

    assert [n.split(". ")[0] for n in numbers(harm)] == [n.split(". ")[0] for n in numbers(protection)]


def test_axis_reaches_the_round_ratio_beyond_a_strong_protection() -> None:
    limits = ratio_limits([Mark("printed", median=0.45, lower=0.21, upper=0.9)])
    assert limits == (0.2, 2.0)
    assert ratio_ticks(limits) == [0.2, 0.5, 1.0, 2.0]


def test_captions_tell_what_priors_expect_and_which_model_is_at_the_right(hostile_results: Results) -> None:
    captions = {drawn.figure.name: drawn.figure.caption for drawn in draw_all(hostile_results)}
    forest = captions["forest_printed"]
    assert "no effect (sceptical) 0.50 to 2.0" in forest
    assert "opposite effect (HR 0.5)" in forest
    assert "no effect (sceptical) 0.50 to 2.0" in captions["prior_to_posterior_1"]
    rates = [caption for name, caption in captions.items() if name.startswith(("rates_", "contrasts_"))]
    assert rates
    assert all("each group alone" in caption for caption in rates)
