"""Start-stop tables: a patient's stretches are one contribution, and a change of covariate is felt from its time on."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from ixa_bayes.cohort.summary import summary_lines
from ixa_bayes.cohort.table import read_cohort
from ixa_bayes.errors import InputError
from ixa_bayes.inference.survival.estimands import standardised
from ixa_bayes.inference.survival.estimands import survival as profile_survival
from ixa_bayes.inference.survival.parameters import law_of, unit_log_likelihood
from ixa_bayes.inference.survival.prior import implied_by_prior, prior_as_fit, prior_draws
from ixa_bayes.inference.survival.question import SurvivalQuestion, question_of
from ixa_bayes.models.analysis import read_model
from ixa_bayes.models.survival_analysis import SurvivalAnalysis
from ixa_bayes.report.fit.curves import group_curves, time_ticks
from ixa_bayes.report.fit.results import curves_of, situations_of
from ixa_bayes.report.fit.run import Asked, implied_lines

PRIOR = {"kind": "normal", "mean": 0.0, "sd": 0.7, "source": "test"}
ANALYSIS = SurvivalAnalysis.model_validate(
    {
        "kind": "survival",
        "name": "m",
        "title": "t",
        "endpoint": "os",
        "baseline": {
            "law": "weibull",
            "shape": {"log_sd": 0.5, "source": "test"},
            "median": {"months": 12.0, "log_sd": 0.5, "source": "test"},
        },
        "covariates": {"transplant": {"prior": PRIOR}},
    }
)
# Patient b is transplanted at 4 months and dies at 9; a never is; c is from the start.
STRETCHES = pd.DataFrame(
    {
        "patient": ["b", "a", "b", "c"],
        "os_entry": [0.0, 0.0, 4.0, 0.0],
        "os_time": [4.0, 7.0, 9.0, 5.0],
        "os_event": [0, 0, 1, 1],
        "transplant": [0, 0, 1, 1],
    }
)


def _question(table: pd.DataFrame) -> SurvivalQuestion:
    return question_of(ANALYSIS, read_cohort(table))


def test_stretches_of_one_patient_add_up() -> None:
    question = _question(STRETCHES)
    draws = prior_draws(question, 5, np.random.default_rng(1))
    got = unit_log_likelihood(draws, question)
    assert got.sizes["row"] == 3
    np.testing.assert_array_equal(question.unit_weight, [1, 1, 1])
    law: Any = law_of(draws, ANALYSIS)
    ratio = draws["log_hazard_ratio"].isel(coefficient=0)
    before = law.cumulative_hazard(4.0, 0.0)
    after = law.cumulative_hazard(9.0, ratio) - law.cumulative_hazard(4.0, ratio)
    of_b = law.log_hazard(9.0, ratio) - before - after
    np.testing.assert_allclose(got.isel(row=0), of_b, rtol=1e-12)
    np.testing.assert_allclose(got.isel(row=1), -law.cumulative_hazard(7.0, 0.0), rtol=1e-12)


def test_a_cut_without_a_change_changes_nothing() -> None:
    whole = STRETCHES.iloc[[1, 3]]
    cut = pd.concat(
        [
            whole.assign(os_time=[3.0, 2.0], os_event=0),
            whole.assign(os_entry=[3.0, 2.0]),
        ]
    )
    rng = np.random.default_rng(2)
    question, same = _question(whole), _question(cut)
    draws = prior_draws(question, 4, rng)
    one, other = unit_log_likelihood(draws, question), unit_log_likelihood(draws, same)
    np.testing.assert_allclose(other.sum("row"), one.sum("row"), rtol=1e-12)
    assert other.sizes["row"] == 2


def test_equal_stretches_of_different_patients_stay_apart() -> None:
    twins = pd.concat([STRETCHES, STRETCHES.assign(patient=["e", "d", "e", "f"])])
    question = _question(twins)
    assert question.rows.event.size == 8
    assert question.unit_weight.size == 6
    assert question.rows.n_events == pytest.approx(4)


def test_the_cohort_is_its_patients_at_entry() -> None:
    question = _question(STRETCHES)
    np.testing.assert_array_equal(question.weight_at_entry, [1, 1, 0, 1])
    reordered = _question(STRETCHES.iloc[[2, 1, 0, 3]])
    np.testing.assert_array_equal(reordered.weight_at_entry, [0, 1, 1, 1])
    fit = prior_as_fit(question, 3, np.random.default_rng(4))
    survival = standardised(fit).survival([6.0])
    expected = (2 * profile_survival(fit, [6.0]) + profile_survival(fit, [6.0], profile={"transplant": 1})) / 3
    np.testing.assert_allclose(survival, expected, rtol=1e-12)


LONG = pd.DataFrame(
    {
        "patient": ["b", "a", "b", "c", "d", "d"],
        "os_entry": [0.0, 0.0, 4.0, 0.0, 0.0, 3.0],
        "os_time": [4.0, 7.0, 9.0, 5.0, 3.0, 8.0],
        "os_event": [0, 0, 1, 1, 0, 0],
        "transplant": [np.nan, 0, 1, np.nan, np.nan, np.nan],
        "weight": [2, 1, 2, 4, 8, 8],
    }
)
"""Of b a part has no value, of c and d nothing has one."""


def test_who_is_left_out_is_counted_by_patient() -> None:
    design = _question(LONG).design
    assert (design.lost, design.n_lost, design.n_shortened) == ({"transplant": 2 + 4 + 8}, 4 + 8, 2)
    asked = Asked(read_model("os_weibull"), _question(LONG), implied_by_prior(_question(LONG), 1, size=50))
    lines = implied_lines(asked, show_small_cells=True)
    assert "Left out: 12 without a value of a covariate (transplant 14)" in lines
    assert "Left out in part: of 2 more, the rows without a value of a covariate" in lines
    with pytest.raises(InputError, match=r"without: transplant 15"):
        _question(LONG.assign(transplant=np.nan))


def test_who_is_in_the_table_is_counted_by_patient() -> None:
    cohort = read_cohort(LONG.assign(age=[50, 60, 51, 70, 80, 81], os_entry=LONG["os_entry"] + [0, 1, 0, 0, 0, 0]))
    told = list(summary_lines(cohort, median_follow_up={"os": 8.0}, show_small_cells=True))
    assert told == [
        "os: 6 events, median follow-up 8.0 months, 1 with delayed entry",
        "transplant, binary: 0 (reference) 1, 1 2, missing 14",
        "age, continuous: at first median 80, quartiles 70 and 80, missing 0",
    ]


def test_rows_of_one_patient_have_one_weight() -> None:
    with pytest.raises(InputError, match="all rows of a patient have the same weight") as caught:
        read_cohort(LONG.assign(weight=[2, 1, 3, 4, 8, 8]))
    assert [problem.where for problem in caught.value.problems] == ["table, row 3, column 'weight'"]


def test_a_report_counts_patients_and_ends_follow_up_where_it_ends() -> None:
    """One patient in twelve rows is one patient: too few to be shown, and followed until the last of them."""
    table = pd.concat(
        [
            STRETCHES.iloc[[1, 3]].assign(patient=[f"{row}-{k}" for row in "ac"], os_time=[20.0 + k, 5.0 + k])
            for k in range(8)
        ]
    )
    ends = np.arange(3.0, 39.0, 3.0)
    many = pd.DataFrame({"patient": "b", "os_entry": ends - 3, "os_time": ends, "os_event": 0, "transplant": 2})
    declared = {"transplant": {"kind": "categorical", "levels": ["0", "1", "2"], "reference": "0"}}
    cohort = read_cohort(pd.concat([table, many]), description={"covariates": declared})
    fit = prior_as_fit(question_of(ANALYSIS, cohort), 3, np.random.default_rng(4))
    curves = curves_of(fit, kept_back=True).set_index(["level", "quantity"])
    assert curves.loc["2", "estimate"].isna().all()
    shown = curves_of(fit, kept_back=False).set_index(["level", "quantity"])
    assert shown.loc[("2", "median_follow_up"), "estimate"] == 36.0
    assert shown.loc[("", "median_follow_up"), "estimate"] == 24.0
    assert [curve.level for curve in group_curves(fit, time_ticks(fit), kept_back=True, covariate="transplant")] == [
        "0",
        "1",
    ]


def test_everybody_has_the_event_although_most_rows_end_without_it() -> None:
    everybody = STRETCHES.assign(os_event=[0, 1, 1, 1])
    fit = prior_as_fit(_question(everybody), 3, np.random.default_rng(4))
    assert "all_events" in {found.kind for found in situations_of(fit, kept_back=False)}
    fit = prior_as_fit(_question(STRETCHES), 3, np.random.default_rng(4))
    assert "all_events" not in {found.kind for found in situations_of(fit, kept_back=False)}
