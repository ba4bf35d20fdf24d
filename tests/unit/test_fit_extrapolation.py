"""What a report says of numbers beyond all follow-up, of averages over late entrants, and of the smallest group."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure as MatplotlibFigure

from ixa_bayes.inference.survival.fitting import SurvivalFit
from ixa_bayes.report.fit.checks import predictive_check
from ixa_bayes.report.fit.curves import group_curves, hazard_band, time_ticks
from ixa_bayes.report.fit.extrapolation import (
    BEYOND_MARK,
    LATE_ENTRY,
    beyond_words,
    followed_by,
    is_beyond,
    late_entry_words,
)
from ixa_bayes.report.fit.figures import draw_fit
from ixa_bayes.report.fit.page import render_fit_page
from ixa_bayes.report.fit.plots import PALE, hazard_plot, survival_plot
from ixa_bayes.report.fit.results import FitResults
from ixa_bayes.report.fit.run import fit_headlines
from ixa_bayes.report.fit.summary import fit_findings, ratios_by_size
from ixa_bayes.report.fit.tables import difference_table, standardised_table
from ixa_bayes.report.style import house_style

from .fits import COVARIATES, patients, question, results_of, written_fit

END = 5.2
"""Months at which follow-up is cut: before the median of 11 months, and before the 12 months of the model file."""
WORDS = "beyond the longest follow-up of 5 months: by the model's law alone"


def cut(table: pd.DataFrame, end: float = END) -> pd.DataFrame:
    """The same patients, all of whom are watched for so many months at most."""
    late = table["pfs_time"] > end
    return table.assign(
        pfs_time=table["pfs_time"].clip(upper=end),
        pfs_event=table["pfs_event"].where(~late, 0),
        pfs_time_lower=table["pfs_time_lower"].where(~late),
    )


def fit_of(table: pd.DataFrame, *, evidence_kind: str = "simulated") -> SurvivalFit:
    covariates = {name: COVARIATES[name] for name in ("stage", "sex")}
    return written_fit(question(table=table, covariates=covariates, evidence_kind=evidence_kind))


@pytest.fixture(scope="module")
def short() -> FitResults:
    return results_of(fit_of(cut(patients())))


@pytest.fixture(scope="module")
def whole() -> FitResults:
    return results_of(fit_of(patients()))


def test_a_median_beyond_all_follow_up_says_so_wherever_it_leads(short: FitResults) -> None:
    line = fit_headlines(short)[0]
    assert line.startswith("Median of the cohort: ")
    assert line.endswith(f", {WORDS}; Kaplan-Meier: not reached")
    (told,) = [finding for finding in fit_findings(short) if finding.target == "survival"]
    assert told.headline.endswith(f" months, {WORDS}")
    assert "Kaplan-Meier: not reached." in told.text
    assert [item.endswith(WORDS) for item in told.items] == [False, True]  # at 3 and at 12 months


def test_numbers_within_follow_up_need_no_such_word(whole: FitResults) -> None:
    (told,) = [finding for finding in fit_findings(whole) if finding.target == "survival"]
    assert "follow-up" not in " ".join([*fit_headlines(whole), told.headline, told.text, *told.items])
    assert " months. " in told.text.partition("Kaplan-Meier: ")[2]
    assert BEYOND_MARK not in standardised_table(whole).caption + difference_table(whole).caption


def test_tables_mark_what_is_beyond_and_explain_the_mark_once(short: FitResults) -> None:
    shown = standardised_table(short)
    assert shown.caption.endswith(f". {BEYOND_MARK} {WORDS}")
    marked = {row.cells[0]: [cell.endswith(BEYOND_MARK) for cell in row.cells[1:]] for row in shown.rows}
    # Event-free at 3 and 12 months, median, mean up to 12 months; stage c has half of its events in time.
    assert marked["as they are"] == [False, True, True, True]
    assert marked["c"] == [False, True, False, True]
    apart = difference_table(short)
    assert apart.caption.count(BEYOND_MARK) == 1
    assert [cell.endswith(BEYOND_MARK) for cell in apart.rows[0].cells[1:]] == [False, True, True, False]


@pytest.mark.parametrize(
    ("estimand", "numbers", "beyond"),
    [
        ("median", {"median": 5.3, "time": np.nan}, True),
        ("median", {"median": 5.1, "time": np.nan}, False),
        ("survival", {"median": 0.4, "time": 6.0}, True),
        ("survival", {"median": 0.4, "time": 5.0}, False),
        ("rmst_difference", {"median": 9.0, "time": 5.0}, False),
        ("hazard_ratio", {"median": 9.0, "time": np.nan}, False),
    ],
)
def test_a_time_is_beyond_where_no_patient_was_followed_to(
    short: FitResults, estimand: str, numbers: dict[str, float], beyond: bool
) -> None:
    assert is_beyond({"estimand": estimand, **numbers}, short.fit) is beyond


def test_the_longest_follow_up_of_a_few_real_patients_is_not_told() -> None:
    real = results_of(fit_of(patients(), evidence_kind="patients"))
    rows = real.fit.question.rows
    few = int((np.round(rows.upper) == np.round(rows.upper.max())).sum())
    assert 0 < few < 5
    assert beyond_words(real) == "beyond the longest follow-up: by the model's law alone"
    assert f" of {round(rows.upper.max())} months" in beyond_words(replace(real, kept_back=False))
    many = results_of(fit_of(cut(patients()), evidence_kind="patients"))
    assert beyond_words(many) == WORDS


def test_a_median_that_is_kept_back_is_not_called_unreached() -> None:
    table = cut(patients().iloc[3:9].assign(sex="male"), end=60.0)  # of six patients the median rests on few
    real = results_of(fit_of(table, evidence_kind="patients"))
    (told,) = [finding for finding in fit_findings(real) if finding.target == "survival"]
    assert "Kaplan-Meier: not shown (fewer than 5 patients)." in told.text


def test_months_that_so_many_patients_were_followed() -> None:
    fit = fit_of(pd.concat([patients(), patients().assign(patient=lambda table: table["patient"] + "-again")]))
    latest = np.sort(patients()["pfs_time"])[::-1]
    assert fit.question.rows.weight.min() == 2
    for count, position in ((1, 0), (2, 0), (3, 1), (4, 1), (5, 2), (10**6, -1)):
        assert followed_by(fit, count) == latest[position]


def test_curves_are_paler_beyond_follow_up(short: FitResults) -> None:
    ticks = time_ticks(short.fit)
    (group,) = group_curves(short.fit, ticks, kept_back=False)
    assert group.model.followed == END
    band = hazard_band(short.fit, float(ticks[-1]))
    with house_style():
        survival, rate = (MatplotlibFigure().add_subplot() for _ in range(2))
        survival_plot([group], survival, labels=["all"], ticks=ticks)
        hazard_plot(band, rate, ticks=ticks)
    for axes in (survival, rate):
        within, beyond = axes.lines[:2]
        assert (within.get_alpha(), beyond.get_alpha()) == (1, PALE)
        followed, further = np.asarray(within.get_xdata()), np.asarray(beyond.get_xdata())
        assert followed[-1] == further[0] <= END < further[1]
        assert further[-1] == ticks[-1]


def test_captions_tell_what_paler_curves_mean(short: FitResults, whole: FitResults) -> None:
    drawn = {one.figure.name: one.figure for one in draw_fit(short)}
    told = "The model's curve is paler where no patient was followed so long: there its law alone carries it on."
    for name in ("survival", "survival_by_factor", "hazard"):
        assert told in drawn[name].caption, name
    assert drawn["survival"].alt.count(WORDS) == 2  # of the median and at 12 months
    kept_back = {one.figure.name: one.figure for one in draw_fit(replace(short, kept_back=True))}
    assert "fewer than 5 patients were followed so long: there its law nearly alone" in kept_back["survival"].caption
    again = {one.figure.name: one.figure for one in draw_fit(whole)}
    assert "paler" not in again["survival"].caption
    assert "The two should agree if the model fits." in again["survival_by_factor"].caption


@pytest.mark.filterwarnings("error")
def test_replicated_curves_end_where_no_replicate_is_followed(short: FitResults) -> None:
    check = predictive_check(short.fit, grid=np.linspace(0, 24, 25), at=(3.0, 12.0), seed=1)
    assert check.band.time.max() <= END
    assert np.isfinite(np.concatenate([check.band.lower, check.band.median, check.band.upper])).all()
    assert np.isnan(check.above[12.0])
    assert 0 <= check.above[3.0] <= 1


def test_late_entry_makes_the_average_one_of_another_mix() -> None:
    table = patients().drop(columns="pfs_time_lower")
    late = fit_of(table.assign(pfs_entry=np.where(np.arange(len(table)) % 4 == 0, table["pfs_time"] / 2, 0.0)))
    results = results_of(late)
    (told,) = [finding for finding in fit_findings(results) if finding.target == "survival"]
    assert f"months.{LATE_ENTRY} Event-free:" in told.text
    drawn = {one.figure.name: one.figure for one in draw_fit(results)}
    assert LATE_ENTRY in drawn["survival"].caption
    assert LATE_ENTRY in drawn["survival_by_factor"].caption
    assert "should agree" not in drawn["survival_by_factor"].caption
    alike = question(table=patients().assign(pfs_entry=0.001, pfs_time_lower=np.nan), covariates={})
    assert late_entry_words(written_fit(alike)) == ""


def test_later_rows_of_a_patient_are_no_late_entry(whole: FitResults) -> None:
    table = patients().drop(columns="pfs_time_lower")
    early = table.assign(pfs_entry=0.0, pfs_time=table["pfs_time"] / 2, pfs_event=0)
    start_stop = fit_of(pd.concat([early, table.assign(pfs_entry=table["pfs_time"] / 2)]))
    assert (start_stop.question.rows.entry > 0).any()
    assert late_entry_words(start_stop) == late_entry_words(whole.fit) == ""


@pytest.mark.parametrize("evidence_kind", ["simulated", "patients"])
def test_the_smallest_group_may_be_a_reference(evidence_kind: str) -> None:
    few = patients()
    few["sex"] = np.where(np.arange(len(few)) < 2, "female", "male")  # fewer than the three of stage c
    results = results_of(fit_of(few, evidence_kind=evidence_kind))
    first = ratios_by_size(results)[0]
    assert (first["factor"], first["level"], first["smaller"]) == ("sex", "1", "0")
    (told,) = [finding for finding in fit_findings(results) if finding.headline.startswith("Smallest subgroup")]
    assert told.headline.startswith("Smallest subgroup, Sex: female, the reference of Sex: male v female: ")
    shown = evidence_kind == "simulated"
    assert told.text.startswith("2 of 90 patients, " if shown else "A small part of 90 patients")


def test_the_prior_of_the_smallest_group_is_told_as_95_percent(whole: FitResults) -> None:
    prior = whole.implied.query("estimand == 'hazard_ratio' and level == 'c'").iloc[0]
    (told,) = [finding for finding in fit_findings(whole) if finding.headline.startswith("Smallest subgroup")]
    assert f"95% of the prior lay between {prior['q025']:.2f} and {prior['q975']:.2f}." in told.text


def test_the_page_says_whom_curves_with_late_entry_are_of(whole: FitResults) -> None:
    late, nobody = "came under observation late: they are here because they were event-free", "Nobody was watched from"
    assert late not in render_fit_page(whole, [])
    table = patients().assign(pfs_time_lower=np.nan)
    few = results_of(fit_of(table.assign(pfs_entry=np.where(np.arange(len(table)) < 20, table["pfs_time"] / 2, 0.0))))
    everybody = replace(few, fit=fit_of(table.assign(pfs_entry=table["pfs_time"] / 2)))
    for results, told in ((few, [True, False]), (everybody, [True, True])):
        page = render_fit_page(results, [])
        assert [words in page for words in (late, nobody)] == told
    early = table.assign(pfs_entry=0.0, pfs_time=table["pfs_time"] / 2, pfs_event=0)
    start_stop = fit_of(pd.concat([early, table.assign(pfs_entry=table["pfs_time"] / 2)]))
    assert late not in render_fit_page(results_of(start_stop), [])
