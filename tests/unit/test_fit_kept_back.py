"""Small counts of real patients: kept back on the page and in its tables, with the counts that would tell them."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from ixa_bayes.report.fit.curves import group_curves
from ixa_bayes.report.fit.figures import draw_fit
from ixa_bayes.report.fit.kept_back import events_words, may_be_told, without_small
from ixa_bayes.report.fit.page import render_fit_page
from ixa_bayes.report.fit.results import FitResults
from ixa_bayes.report.fit.run import Asked, implied_lines
from ixa_bayes.report.fit.summary import fit_findings

from .fits import COVARIATES, patients, question, results_of, written_fit
from .pages import text_of

CENSORED = 3
"""Patients without the event: too few to be told, and what 90 less the events would tell."""


def nearly_all_with_the_event() -> pd.DataFrame:
    table = patients()
    censored = table.index >= len(table) - CENSORED
    return table.assign(
        pfs_event=np.where(censored, 0, 1), pfs_time_lower=table["pfs_time_lower"].mask(censored), marker=1.0
    ).assign(marker=lambda people: np.where(people.index % 2, 1, 0))


@pytest.fixture(scope="module")
def few_censored() -> FitResults:
    return results_of(written_fit(question(table=nearly_all_with_the_event(), evidence_kind="patients")))


def test_the_events_are_not_told_where_they_would_tell_how_few_were_censored(few_censored: FitResults) -> None:
    page = render_fit_page(few_censored, draw_fit(few_censored))
    shown = text_of(page[: page.index('id="provenance"')])
    assert "90 patients used, all but fewer than 5 with the event" in shown
    assert " 87 " not in shown, "90 patients less 87 events are 3"
    assert few_censored.crosscheck["n_events"].isna().all()
    assert few_censored.crosscheck["n"].eq(90).all()
    lines = implied_lines(Asked(few_censored.model, few_censored.fit.question, few_censored.implied))
    assert "Patients: 90 used, all but fewer than 5 with the event" in lines
    simulated = results_of(written_fit(question(table=nearly_all_with_the_event())))
    assert "90 patients used, 87 with the event" in text_of(render_fit_page(simulated, []))
    assert simulated.crosscheck["n_events"].eq(87).all()


def test_no_level_tells_by_its_events_how_few_were_censored(few_censored: FitResults) -> None:
    asked = few_censored.fit.question
    whole = results_of(few_censored.fit, show_small_cells=True).patients
    table = few_censored.patients
    rest = whole["n"] - whole["n_events"]
    small = rest.between(1, 4) | whole["n_events"].between(1, 4)
    assert small.sum() >= 5
    assert table.loc[small, "n_events"].isna().all()
    assert table.loc[table["n_events"].isna(), "note"].str.contains("would tell them").all()
    assert asked.analysis.covariates.keys() <= set(table["factor"])


def test_the_smallest_subgroup_says_that_its_events_are_not_told() -> None:
    table = nearly_all_with_the_event().assign(stage=lambda people: np.where(people.index >= 80, "b", "a"))
    covariates = {name: COVARIATES[name] for name in ("stage", "sex")}
    asked = question(table=table, covariates=covariates, evidence_kind="patients", levels=("a", "b"))
    told = fit_findings(results_of(written_fit(asked)))[0].text
    assert told.startswith("10 of 90 patients; how many had the event would tell of few")


COUNTS = (0, 1, 2, 4, 5, 6, 30)


def test_tables_hide_the_same_counts_and_not_those_that_the_others_tell() -> None:
    """Levels are declared as b, a, c with a for reference; three have c, and the markers of three are not known."""
    table = patients().assign(marker=lambda people: people["marker"].fillna(1).mask(people.index < 3))
    asked = question(table=table, evidence_kind="patients", levels=("b", "a", "c"), reference="a")
    results = results_of(written_fit(asked))
    at_start = {
        name: {
            group.level: group.at_risk[0]
            for group in group_curves(results.fit, np.array([0.0, 12.0]), kept_back=True, covariate=name)
        }
        for name in ("stage", "marker")
    }
    n = results.patients.set_index(["factor", "level"])["n"]
    assert list(n["stage"].index) == ["a", "b", "c"]
    assert np.isnan(n["stage", "b"]), "the first that is declared, as check-cohort has it"
    assert n["stage", "a"] >= 5
    assert at_start["stage"] == {"a": f"{n['stage', 'a']:.0f}", "b": "not shown"}
    assert np.isnan(n["marker", "0"])
    assert at_start["marker"] == {"0": "not shown", "1": f"{n['marker', '1']:.0f}"}
    curves = results.curves
    early = curves[(curves["factor"] == "stage") & (curves["time"] == 3) & (curves["interval"] == "log-log")]
    assert early.set_index("level")["n_at_risk"].isna().to_dict() == {"a": False, "b": True, "c": True}


@pytest.mark.parametrize("n_levels", [2, 3])
def test_no_count_that_is_kept_back_follows_from_the_others_and_the_total(n_levels: int) -> None:
    """Whatever an attacker adds and subtracts: each small count can still be another one."""
    for counts in product(COUNTS, repeat=n_levels):
        table = pd.DataFrame({"n": counts, "n_events": [0] * n_levels, "n_missing": [0] * n_levels})
        n = without_small(table)["n"]
        small = [1 <= count <= 4 for count in counts]
        assert n[small].isna().all()
        if any(small) and max(counts) >= 5:
            assert n.isna().sum() > sum(small), "beside small ones another is kept back"
        if not any(small):
            assert n.notna().all()


@pytest.mark.parametrize(
    ("n", "n_events", "told"),
    [
        (90, 60, (True, True)),
        (84, 57, (True, False)),  # three events are of the six who are left out
        (84, 54, (True, True)),  # all six had the event
        (84, 56, (True, False)),  # two of the six had none
        (88, 60, (False, False)),
        (90, 3, (True, False)),
        (90, 87, (True, False)),
        (4, 0, (False, False)),
    ],
)
def test_counts_of_other_methods_tell_of_no_few(n: int, n_events: int, told: tuple[bool, bool]) -> None:
    of = (90, n_events if n == 90 else 60)
    assert may_be_told(n=n, n_events=n_events, of=of) == told


def test_the_events_of_all_in_words() -> None:
    assert events_words(3, 90, kept_back=True) == "fewer than 5"
    assert events_words(87, 90, kept_back=True) == "all but fewer than 5"
    assert events_words(2, 4, kept_back=True) == "fewer than 5"
    assert events_words(90, 90, kept_back=True) == "90"
    assert events_words(87, 90, kept_back=False) == "87"
    assert events_words(0, 3, kept_back=True) == "all but fewer than 5"
