"""Routes to a hazard ratio beside each other: each by hand, and each refusal with its reason."""

import math

import pandas as pd
import pytest
from scipy.stats import norm

from ixa_bayes.formulas.log_rank import calibrate_log_rank
from ixa_bayes.inference.effect_routes import EXTRACTION_COLUMNS, extract_hazard_ratios
from ixa_bayes.inference.effects import reanalyse_hazard_ratios
from ixa_bayes.models.analysis import read_model
from ixa_bayes.models.effects import EffectAnalysis
from ixa_bayes.study.ledger import Study, read_study

from .conftest import StudyMaker

Z_95 = 1.959963984540054
HR = {
    "endpoint": "rfs",
    "factor": "marker",
    "level": "yes",
    "comparator": "no",
    "kind": "hazard_ratio",
    "adjustment": "multivariable",
}
SEX = {"endpoint": "rfs", "factor": "sex"}
LOG_RANK = SEX | {"level": "female", "comparator": "male", "kind": "p_value", "claim": "worse"}
MEDIANS = [
    SEX | {"level": "female", "kind": "median", "value": "5.0"},
    SEX | {"level": "male", "kind": "median", "value": "9.5"},
]


def _sizes(female: int, *, total: int = 126) -> list[dict[str, str]]:
    return [
        {"endpoint": "patients", "kind": "count", "count": str(total)},
        {"endpoint": "patients", "kind": "count", "factor": "sex", "level": "female", "count": str(female)},
        {"endpoint": "rfs", "kind": "censored", "count": "12"},
    ]


@pytest.fixture(scope="module")
def analysis() -> EffectAnalysis:
    read = read_model("hazard_ratios").analysis
    assert isinstance(read, EffectAnalysis)
    calibration = read.calibration.model_copy(update={"replicates": 1_000})
    return read.model_copy(update={"calibration": calibration})


def _routes(study: Study, analysis: EffectAnalysis) -> pd.DataFrame:
    return extract_hazard_ratios(study, analysis, seed=1).set_index("route")


def test_a_printed_ratio_by_its_interval_and_by_its_p(make_study: StudyMaker, analysis: EffectAnalysis) -> None:
    study = make_study(HR | {"value": "3.76", "lower": "1.00", "upper": "14.20", "interval": "ci95", "p": "0.051"})
    found = _routes(study, analysis)
    interval, p = found.loc["confidence_interval"], found.loc["p_and_hazard_ratio"]
    error = math.log(14.20 / 1.00) / (2 * Z_95)
    assert interval["se"] == pytest.approx(error)
    assert interval["lower"] == pytest.approx(3.76 * math.exp(-Z_95 * error))
    assert interval["upper"] == pytest.approx(3.76 * math.exp(Z_95 * error))
    assert interval["se_lowest"] == pytest.approx(math.log(14.195 / 1.005) / (2 * Z_95))
    assert interval["se_highest"] == pytest.approx(math.log(14.205 / 0.995) / (2 * Z_95))
    assert p["se"] == pytest.approx(math.log(3.76) / norm.isf(0.0255))
    assert p["se_lowest"] < p["se"] < p["se_highest"]
    assert found["hr"].to_numpy() == pytest.approx(3.76)
    assert found["applicable"].all()
    assert (found["hr_spread"] == 1).all()
    assert found["se_spread"].iloc[0] == pytest.approx(p["se"] / interval["se"])


def test_an_interval_of_another_level_is_shown_at_95_percent(make_study: StudyMaker, analysis: EffectAnalysis) -> None:
    study = make_study(HR | {"value": "2.0", "lower": "1.0", "upper": "4.0", "interval": "ci90"})
    row = _routes(study, analysis).loc["confidence_interval"]
    assert row["upper"] == pytest.approx(2 * 2 ** (Z_95 / 1.6448536269514722))


@pytest.mark.parametrize(("p", "reason"), [("", "no exact p"), ("<0.05", "no exact p"), ("1.0", "of 1")])
def test_a_ratio_whose_p_gives_no_error_says_so(
    make_study: StudyMaker, analysis: EffectAnalysis, p: str, reason: str
) -> None:
    study = make_study(HR | {"value": "2.0", "lower": "1.0", "upper": "4.0", "interval": "ci95", "p": p})
    row = _routes(study, analysis).loc["p_and_hazard_ratio"]
    assert not row["applicable"]
    assert reason in row["why_not"]
    assert math.isnan(row["hr"])
    assert math.isnan(row["hr_spread"])


def test_a_ratio_without_an_interval_says_so(make_study: StudyMaker, analysis: EffectAnalysis) -> None:
    found = _routes(make_study(HR | {"value": "2.0", "p": "0.05"}), analysis)
    assert "no interval" in found.loc["confidence_interval", "why_not"]
    assert found.loc["p_and_hazard_ratio", "se"] == pytest.approx(math.log(2) / Z_95)


def test_a_log_rank_p_of_unequal_groups_by_every_route(make_study: StudyMaker, analysis: EffectAnalysis) -> None:
    found = _routes(make_study(*_sizes(21), *MEDIANS, LOG_RANK | {"p": "0.001"}), analysis)
    z = norm.isf(0.0005)
    information = 114 * 21 * 105 / 126**2
    by_sizes = found.loc["p_and_group_sizes"]
    assert by_sizes["log_hr"] == pytest.approx(z / math.sqrt(information))
    assert by_sizes["se"] == pytest.approx(1 / math.sqrt(information))
    assert "not of equal size" in found.loc["p_and_total_events", "why_not"]
    assert "not printed" in found.loc["p_and_events_per_group", "why_not"]
    for design in ("at_end", "throughout"):
        alone = calibrate_log_rank(21, 105, events=114, z=z, censoring=design, replicates=20_000, seed=77)
        row = found.loc[f"calibrated_{design}"]
        assert row["log_hr"] == pytest.approx(alone.log_hr, abs=5 * math.hypot(row["log_hr_mcse"], alone.log_hr_mcse))
        assert row["se"] == pytest.approx(alone.standard_error, abs=6 * row["se_mcse"])
        assert 0 < row["se_mcse"] < 0.1 * row["se"]
    medians = found.loc["medians"]
    assert medians["hr"] == pytest.approx(9.5 / 5.0)
    assert "as simulated" in medians["assumptions"]
    assert math.sqrt(1 / 21 + 1 / 93) < medians["se"] < math.sqrt(1 / 19 + 1 / 95)
    used = found.loc[["p_and_group_sizes", "calibrated_at_end", "calibrated_throughout"]]
    assert found["hr_spread"].to_numpy() == pytest.approx(used["hr"].max() / used["hr"].min())
    assert found["se_spread"].to_numpy() == pytest.approx(used["se"].max() / used["se"].min())


def test_equal_groups_need_no_sizes(make_study: StudyMaker, analysis: EffectAnalysis) -> None:
    found = _routes(make_study(*_sizes(60), LOG_RANK | {"p": "0.03"}), analysis)
    row = found.loc["p_and_total_events"]
    assert row["log_hr"] == pytest.approx(2 * norm.isf(0.015) / math.sqrt(114))
    assert row["hr"] == pytest.approx(found.loc["p_and_group_sizes", "hr"], rel=0.01)
    assert "medians of both groups are not printed" in found.loc["medians", "why_not"]


def test_events_per_group_are_used_where_they_are_printed(make_study: StudyMaker, analysis: EffectAnalysis) -> None:
    one = SEX | {"level": "female", "kind": "events", "count": "20"}
    study = make_study(*_sizes(21), *MEDIANS, one, LOG_RANK | {"p": "0.001"})
    found = _routes(study, analysis)
    row = found.loc["p_and_events_per_group"]  # the others follow from 114 events in all
    assert row["se"] == pytest.approx(math.sqrt(1 / 20 + 1 / 94))
    assert row["log_hr"] == pytest.approx(norm.isf(0.0005) * row["se"])
    assert found.loc["medians", "se"] == pytest.approx(row["se"])
    assert set(row["ledger_rows"].split(";")) > set(found.loc["p_and_group_sizes", "ledger_rows"].split(";"))
    assert "row_5" in row["ledger_rows"].split(";")
    censored = SEX | {"level": "male", "kind": "censored", "count": "11"}
    again = _routes(make_study(*_sizes(21), censored, LOG_RANK | {"p": "0.001"}), analysis)
    assert again.loc["p_and_events_per_group", "se"] == pytest.approx(row["se"])


def test_events_that_cannot_be_are_not_used(make_study: StudyMaker, analysis: EffectAnalysis) -> None:
    none = SEX | {"level": "female", "kind": "events", "count": "0"}
    found = _routes(make_study(*_sizes(21), *MEDIANS, none, LOG_RANK | {"p": "0.01"}), analysis)
    assert "without events" in found.loc["p_and_events_per_group", "why_not"]
    assert "without events" in found.loc["medians", "why_not"]
    two = [none | {"count": "19"}, none | {"count": "20"}]
    found = _routes(make_study(*_sizes(21), *two, LOG_RANK | {"p": "0.01"}), analysis)
    assert "not printed" in found.loc["p_and_events_per_group", "why_not"]


def test_the_better_group_has_a_ratio_below_one(make_study: StudyMaker, analysis: EffectAnalysis) -> None:
    events = SEX | {"level": "female", "kind": "events", "count": "20"}
    worse, better = (
        _routes(make_study(*_sizes(21), events, LOG_RANK | {"p": "0.01", "claim": claim}), analysis)
        for claim in ("worse", "better")
    )
    assert better.loc["p_and_events_per_group", "hr"] == pytest.approx(1 / worse.loc["p_and_events_per_group", "hr"])
    assert better.loc["p_and_group_sizes", "hr"] == pytest.approx(1 / worse.loc["p_and_group_sizes", "hr"])
    assert better.loc["calibrated_at_end", "upper"] < 1 < worse.loc["calibrated_at_end", "lower"]


def test_an_inequality_is_read_at_its_edge_and_says_so(make_study: StudyMaker, analysis: EffectAnalysis) -> None:
    found = _routes(make_study(*_sizes(21), *MEDIANS, LOG_RANK | {"p": "<0.001"}), analysis)
    exact = _routes(make_study(*_sizes(21), *MEDIANS, LOG_RANK | {"p": "0.001"}), analysis)
    assert (found["source"] == "log_rank_edge").all()
    pd.testing.assert_series_equal(found["hr"], exact["hr"])
    assert "read at its bound" in found.loc["p_and_group_sizes", "assumptions"]
    assert "read at its bound" not in found.loc["medians", "assumptions"]


def test_not_significant_names_no_effect(make_study: StudyMaker, analysis: EffectAnalysis) -> None:
    found = _routes(make_study(*_sizes(21), *MEDIANS, LOG_RANK | {"p": "NS", "claim": ""}), analysis)
    assert found["applicable"].to_dict() == {route: route == "medians" for route in found.index}
    assert "in proportion" in found.loc["medians", "assumptions"]
    assert {"calibrated_at_end", "calibrated_throughout"} < set(found.index)


def test_a_median_that_is_not_reached_gives_no_ratio(make_study: StudyMaker, analysis: EffectAnalysis) -> None:
    rows = [MEDIANS[0], MEDIANS[1] | {"value": "not reached"}]
    found = _routes(make_study(*_sizes(21), *rows, LOG_RANK | {"p": "0.01"}), analysis)
    assert found.loc["medians", "why_not"] == "a median is not reached"


def test_a_p_that_no_hazard_ratio_gives_stops_nothing(make_study: StudyMaker, analysis: EffectAnalysis) -> None:
    sizes = [*_sizes(2)[:2], {"endpoint": "rfs", "kind": "events", "count": "30"}]
    study = make_study(*sizes, LOG_RANK | {"p": f"<0.{'0' * 40}1"})
    found = reanalyse_hazard_ratios(study, analysis, seed=1)
    routes = found.extraction.set_index("route")
    assert routes.loc["p_and_group_sizes", "applicable"]
    assert "no hazard ratio" in routes.loc["calibrated_at_end", "why_not"]
    assert found.calibration.empty
    assert found.hazard_ratios["p_gt_1"].between(0, 1).all()


def test_prints_of_one_comparison_stand_together(make_study: StudyMaker, analysis: EffectAnalysis) -> None:
    turned = {"factor": "sex", "level": "male", "comparator": "female", "value": "0.5", "p": "0.01"}
    study = make_study(*_sizes(21), HR | {"value": "2.0", "p": "0.05"}, HR | turned, LOG_RANK | {"p": "0.01"})
    found = extract_hazard_ratios(study, analysis, seed=1)
    assert list(dict.fromkeys(found["factor"])) == ["marker", "sex"]
    assert list(dict.fromkeys(found["source"])) == ["multivariable", "log_rank"]
    assert list(found.columns) == EXTRACTION_COLUMNS


def test_nothing_printed_gives_an_empty_table(make_study: StudyMaker, analysis: EffectAnalysis) -> None:
    found = extract_hazard_ratios(make_study(*_sizes(21)), analysis, seed=1)
    assert found.empty
    assert list(found.columns) == EXTRACTION_COLUMNS


def test_the_index_study_has_the_estimates_of_its_other_tables(analysis: EffectAnalysis) -> None:
    found = reanalyse_hazard_ratios("zhou2026", analysis, seed=1)
    routes = found.extraction
    flat = found.hazard_ratios.query("prior == 'flat'")
    for source, route in (("multivariable", "confidence_interval"), ("log_rank_formula", "p_and_group_sizes")):
        want = flat[flat["source"].isin([source, f"{source}_edge"])]["log_hr"]
        got = routes[routes["route"].eq(route) & routes["applicable"]]["log_hr"]
        assert sorted(got) == pytest.approx(sorted(want))
    calibrated = found.calibration.query("censoring == 'at_end'")["calibrated_hr"]
    got = routes[routes["route"].eq("calibrated_at_end")]["hr"]
    assert sorted(got) == pytest.approx(sorted(calibrated))
    ledger = read_study("zhou2026").statistics
    assert set(";".join(routes["ledger_rows"]).split(";")) <= set(ledger.index)
    assert (routes["applicable"] == routes["hr"].notna()).all()
    assert (routes["applicable"] == routes["why_not"].eq("")).all()
