import math
from typing import Any

import pytest
from scipy.stats import norm

from ixa_bayes.inference.effects import HazardRatioReanalysis, reanalyse_hazard_ratios
from ixa_bayes.models.analysis import read_model
from ixa_bayes.models.effects import EffectAnalysis
from ixa_bayes.study.effects import printed_ratios
from ixa_bayes.study.ledger import Study, read_study

from .conftest import DEFINITION, StudyMaker

HR = {
    "endpoint": "rfs",
    "factor": "marker",
    "level": "yes",
    "comparator": "no",
    "kind": "hazard_ratio",
    "adjustment": "multivariable",
}
WITH_CI = HR | {"value": "2.11", "lower": "1.21", "upper": "3.70", "interval": "ci95", "p": "0.008"}
SIZES = [
    {"endpoint": "patients", "kind": "count", "count": "126"},
    {"endpoint": "patients", "kind": "count", "factor": "sex", "level": "female", "count": "21"},
    {"endpoint": "rfs", "kind": "censored", "count": "12"},
]
LOG_RANK = {"factor": "sex", "level": "female", "comparator": "male", "endpoint": "rfs", "kind": "p_value"}


@pytest.fixture(scope="module")
def analysis() -> EffectAnalysis:
    read = read_model("hazard_ratios").analysis
    assert isinstance(read, EffectAnalysis)
    return read


@pytest.fixture(scope="module")
def zhou(analysis: EffectAnalysis) -> HazardRatioReanalysis:
    return reanalyse_hazard_ratios(read_study("zhou2026"), analysis, seed=1)


def test_repeats_of_a_ratio_join_behind_the_row_with_the_interval(make_study: StudyMaker) -> None:
    study = make_study(HR | {"value": "2.11", "p": "0.008"}, WITH_CI)
    (ratio,), missing = printed_ratios(study)
    assert ratio.ledger_rows == ("row_1", "row_0")
    assert ratio.standard_error == pytest.approx(math.log(3.70 / 1.21) / (2 * 1.959963984540054))
    assert not missing


def test_roundings_of_one_effect_are_one_effect_at_its_most_precise(make_study: StudyMaker) -> None:
    coarse = WITH_CI | {"value": "2.1", "lower": "1.2", "upper": "3.7"}
    (ratio,), _ = printed_ratios(make_study(coarse, WITH_CI))
    assert ratio.hazard_ratio.text == "2.11"
    assert ratio.ledger_rows == ("row_1", "row_0")


TURNED = WITH_CI | {"level": "no", "comparator": "yes", "value": "0.47", "lower": "0.27", "upper": "0.83"}


def test_a_ratio_and_its_reciprocal_are_one_effect_at_the_more_precise_print(make_study: StudyMaker) -> None:
    # 1 / 2.11 = 0.474, 1 / 3.70 = 0.270, 1 / 1.21 = 0.826: the same effect, named the other way round.
    for rows in ((TURNED, WITH_CI), (WITH_CI, TURNED)):
        (ratio,), missing = printed_ratios(make_study(*rows))
        assert ratio.hazard_ratio.text == "2.11"
        assert (ratio.comparison.level, ratio.comparison.comparator) == ("yes", "no")
        assert set(ratio.ledger_rows) == {"row_0", "row_1"}
        assert not missing
    finer = TURNED | {"value": "0.4739", "lower": "0.2703", "upper": "0.8264"}
    (ratio,), _ = printed_ratios(make_study(WITH_CI, finer))
    assert (ratio.comparison.level, ratio.hazard_ratio.text) == ("no", "0.4739")
    assert ratio.log_hazard_ratio == pytest.approx(-math.log(2.11), abs=1e-3)


@pytest.mark.parametrize("cell", [{"value": "0.49"}, {"lower": "0.29"}, {"upper": "0.85"}, {"interval": "ci90"}])
def test_what_is_not_the_reciprocal_is_another_effect(make_study: StudyMaker, cell: dict[str, str]) -> None:
    assert len(printed_ratios(make_study(WITH_CI, TURNED | cell))[0]) == 2


def test_a_reciprocal_of_another_adjustment_is_another_effect(make_study: StudyMaker) -> None:
    assert len(printed_ratios(make_study(WITH_CI, TURNED | {"adjustment": "univariable"}))[0]) == 2


def test_a_reciprocal_without_an_interval_is_a_repeat(make_study: StudyMaker) -> None:
    (ratio,), missing = printed_ratios(make_study(TURNED | {"lower": "", "upper": "", "interval": ""}, WITH_CI))
    assert ratio.ledger_rows == ("row_1", "row_0")
    assert not missing


def test_two_different_intervals_of_one_comparison_are_both_kept(make_study: StudyMaker) -> None:
    study = make_study(WITH_CI, WITH_CI | {"upper": "3.80"})
    assert len(printed_ratios(study)[0]) == 2


@pytest.mark.parametrize(("interval", "z"), [("ci90", 1.6448536269514722), ("ci99", 2.5758293035489004)])
def test_the_level_of_the_interval_enters(make_study: StudyMaker, interval: str, z: float) -> None:
    (ratio,), _ = printed_ratios(make_study(WITH_CI | {"interval": interval}))
    assert ratio.standard_error == pytest.approx(math.log(3.70 / 1.21) / (2 * z))


def test_without_an_interval_the_standard_error_comes_from_half_of_p(make_study: StudyMaker) -> None:
    (ratio,), _ = printed_ratios(make_study(HR | {"value": "2.0", "p": "0.05"}))
    assert ratio.standard_error == pytest.approx(math.log(2) / 1.959963984540054)
    assert ratio.lower is None


@pytest.mark.parametrize("p", ["", "NS", ">0.05"])
def test_a_ratio_without_a_standard_error_is_named(make_study: StudyMaker, p: str) -> None:
    found, (missing,) = printed_ratios(make_study(HR | {"value": "2.0", "p": p}))
    assert not found
    assert missing.ledger_rows == ("row_0",)


def test_an_open_interval_gives_no_standard_error(make_study: StudyMaker) -> None:
    found, missing = printed_ratios(make_study(WITH_CI | {"upper": "not reached", "p": ""}))
    assert not found
    assert len(missing) == 1


def test_prior_grid_of_the_reference_through_the_api(
    zhou: HazardRatioReanalysis, trial_design_reference: dict[str, list[dict[str, Any]]]
) -> None:
    printed = {"HR 2.11 ": 2.0, "HR 20.46 ": None, "HR 7.27 ": None}
    checked = 0
    for case in trial_design_reference["prior_grid"]:
        inputs = case["inputs"]
        text = f"HR {inputs['hr']:g} "
        if text not in printed:
            continue
        table = zhou.hazard_ratios
        rows = table[table["printed"].str.startswith(text) & table["source"].eq("multivariable")].set_index("prior")
        for want in case["outputs"]["priors"]:
            name = want["prior"]["name"]
            if not name.startswith("neutral") and inputs["design_ratio"] != printed[text]:
                continue
            row = rows.loc[name]
            assert row["hr_median"] == pytest.approx(want["median_hr"], rel=1e-9)
            assert row["hr_q025"] == pytest.approx(want["lower95_hr"], rel=1e-9)
            assert row["hr_q975"] == pytest.approx(want["upper95_hr"], rel=1e-9)
            assert row["p_gt_1"] == pytest.approx(want["p_hr_above_1"], abs=1e-9)
            assert row["p_gt_1_25"] == pytest.approx(want["p_hr_above_1.25"], abs=1e-9)
            assert row["p_gt_2"] == pytest.approx(want["p_hr_above_2"], abs=1e-9)
            assert row["p_practically_equal"] == pytest.approx(want["p_rope"], abs=1e-9)
            checked += 1
    assert checked >= 9 + 3 + 3


def test_every_effect_has_every_prior_and_names_its_rows(zhou: HazardRatioReanalysis) -> None:
    table = zhou.hazard_ratios
    ledger = read_study("zhou2026").statistics
    for rows in table["ledger_rows"].str.split(";"):
        assert set(rows) <= set(ledger.index)
    counts = table.groupby(["endpoint", "factor", "source"])["prior"].agg(["size", "nunique"])
    assert (counts["size"] == counts["nunique"]).all()
    assert set(counts["size"]) == {10, 11}
    assert (table["evidence_kind"] == "published_effect").all()


def test_without_enough_literature_a_labelled_prior_stands_in(zhou: HazardRatioReanalysis) -> None:
    stand_in = zhou.hazard_ratios.query("prior == 'weakly_informative'")
    assert stand_in["prior_source"].str.contains("of 3 independent studies found").all()
    assert not zhou.hazard_ratios["prior"].eq("literature").any()
    assert (zhou.literature["independent_rows"] < 3).all()


def test_enough_literature_becomes_a_prior(make_study: StudyMaker, analysis: EffectAnalysis) -> None:
    study = make_study(WITH_CI)
    folder = study.folder / "literature"
    folder.mkdir()
    names = ["study_id", "citation", "population", "use", "endpoint", "factor", "definition", "comparator", "adjusted"]
    lines = [",".join([*names, "hr", "lower95", "upper95", "overlaps_with", "source_url", "treatment"])]
    for index, (ratio, low, high) in enumerate([(2.0, 1.0, 4.0), (1.5, 0.9, 2.5), (1.8, 1.2, 2.7)]):
        cells = [f"s{index}", "A (2020)", "as here", "prior", "rfs", "marker", "present", "absent", "multivariable"]
        lines.append(",".join([*cells, str(ratio), str(low), str(high), "", "x", "any"]))
    (folder / "prognostic_hr.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    definition = (
        (study.folder / "study.toml")
        .read_text(encoding="utf-8")
        .replace('main_population = "all"', 'main_population = "all"\nliterature = "literature"')
    )
    study = make_study(WITH_CI, definition=definition)
    table = reanalyse_hazard_ratios(study, analysis, seed=1).hazard_ratios
    row = table.set_index("prior").loc["literature"]
    assert 1.3 < math.exp(row["prior_mean"]) < 2.1
    assert row["prior_sd"] > 0.2
    assert row["prior_source"] == "predictive of s0, s1, s2"
    assert 1.5 < row["hr_median"] < 2.11


def test_one_limit_of_exactly_one_has_no_finite_scepticism_limit(zhou: HazardRatioReanalysis) -> None:
    row = zhou.credibility.set_index(["endpoint", "factor"]).loc[("pfs", "triple_class_refractory")]
    assert row["touches_one"]
    assert math.isinf(row["scepticism_limit_hr_highest"])
    assert row["scepticism_limit_hr_lowest"] > 1e5


def test_an_inequality_gives_a_bound_and_its_edge(make_study: StudyMaker, analysis: EffectAnalysis) -> None:
    study = make_study(*SIZES, LOG_RANK | {"p": "<0.0001", "claim": "worse"})
    table = reanalyse_hazard_ratios(study, analysis, seed=1).hazard_ratios.set_index(["source", "prior"])
    bound = table.loc[("log_rank_calibrated", "neutral_weak")]
    edge = table.loc[("log_rank_calibrated_edge", "neutral_weak")]
    assert bound["driven_by_prior"]
    assert bound["hr_bound"] == pytest.approx(bound["hr_q025"], rel=1e-6)
    assert bound["p_gt_1"] > edge["p_gt_1"] > 0.99
    assert bound["hr_median"] > 10 * edge["hr_median"]
    assert ("log_rank_calibrated", "flat") not in table.index


def test_the_other_direction_mirrors(make_study: StudyMaker, analysis: EffectAnalysis) -> None:
    tables = []
    for claim in ("worse", "better"):
        study = make_study(*SIZES, LOG_RANK | {"p": "<0.001", "claim": claim})
        tables.append(reanalyse_hazard_ratios(study, analysis, seed=1).hazard_ratios.set_index(["source", "prior"]))
    key = ("log_rank_formula", "neutral_moderate")
    assert tables[1].loc[key, "hr_median"] == pytest.approx(1 / tables[0].loc[key, "hr_median"], rel=1e-6)
    assert tables[1].loc[key, "p_gt_1"] == pytest.approx(1 - tables[0].loc[key, "p_gt_1"], abs=1e-9)


def test_not_significant_bounds_both_sides(make_study: StudyMaker, analysis: EffectAnalysis) -> None:
    study = make_study(*SIZES, LOG_RANK | {"p": "NS"})
    table = reanalyse_hazard_ratios(study, analysis, seed=1).hazard_ratios
    rows = table.set_index(["source", "prior"])
    formula, simulated = (
        rows.loc[(source, "neutral_moderate")] for source in ("log_rank_formula", "log_rank_calibrated")
    )
    assert formula["hr_median"] == pytest.approx(1, rel=1e-6)
    assert formula["hr_q025"] == pytest.approx(1 / formula["hr_q975"], rel=1e-6)
    assert math.isnan(formula["hr_bound"])
    assert math.isnan(simulated["hr_bound"])
    assert not rows["driven_by_prior"].any()
    assert simulated["hr_median"] == pytest.approx(1, rel=0.05)
    assert simulated["hr_q975"] == pytest.approx(formula["hr_q975"], rel=0.1)


@pytest.mark.parametrize(
    ("expected", "level", "comparator", "sign"),
    [("worse", "yes", "no", 1), ("worse", "no", "yes", -1), ("better", "yes", "no", -1), ("better", "no", "yes", 1)],
)
def test_the_stated_effect_points_where_it_was_expected(
    make_study: StudyMaker, analysis: EffectAnalysis, expected: str, level: str, comparator: str, sign: int
) -> None:
    labels = 'levels = { yes = "present", no = "absent" }\n'
    definition = DEFINITION.replace(labels, f'{labels}reference = "no"\nexpected = "{expected}"\n')
    study = make_study(WITH_CI | {"level": level, "comparator": comparator}, definition=definition)
    table = reanalyse_hazard_ratios(study, analysis, seed=1).hazard_ratios.set_index("prior")
    assert table.loc["optimistic_moderate", "prior_mean"] == pytest.approx(sign * math.log(2))
    assert table.loc["pessimistic_moderate", "prior_mean"] == pytest.approx(-sign * math.log(2))


def test_prior_data_conflict_is_the_prior_predictive_p(zhou: HazardRatioReanalysis) -> None:
    row = zhou.hazard_ratios.query(
        "endpoint == 'os' and factor == 'triple_class_refractory' and source == 'multivariable'"
    ).set_index("prior")
    distance = math.log(20.46) / math.hypot(row.loc["neutral_moderate", "log_hr_se"], 0.355)
    assert row.loc["neutral_moderate", "prior_conflict_p"] == pytest.approx(math.erfc(distance / math.sqrt(2)))
    assert math.isnan(row.loc["flat", "prior_conflict_p"])


def test_simulated_numbers_carry_their_error_and_exact_ones_none(zhou: HazardRatioReanalysis) -> None:
    table = zhou.hazard_ratios
    simulated = table["source"].str.startswith("log_rank_calibrated")
    errors = ["mcse_hr_median", "mcse_hr_q025", "mcse_hr_q975", "mcse_p_gt_2"]
    assert (table.loc[~simulated, errors] == 0).all().all()
    assert (table.loc[simulated & table["prior"].eq("neutral_moderate"), errors] > 0).all().all()
    assert (table.loc[simulated & table["prior"].eq("neutral_moderate"), "mcse_hr_median"] < 0.05).all()


def test_the_same_seed_gives_the_same_numbers(make_study: StudyMaker, analysis: EffectAnalysis) -> None:
    study: Study = make_study(*SIZES, LOG_RANK | {"p": "0.01", "claim": "worse"})
    first, again, other = (reanalyse_hazard_ratios(study, analysis, seed=seed).calibration for seed in (1, 1, 2))
    assert first.equals(again)
    assert first["calibrated_hr"].iloc[0] != other["calibrated_hr"].iloc[0]
    assert first["calibrated_hr"].iloc[0] == pytest.approx(other["calibrated_hr"].iloc[0], rel=0.05)


@pytest.mark.parametrize(("p", "edge"), [("<0.001", 0.001), ("0.000", 0.0005)])
def test_a_ratio_with_a_p_below_a_number_is_read_at_its_edge(make_study: StudyMaker, p: str, edge: float) -> None:
    bare = WITH_CI | {"lower": "", "upper": "", "interval": "", "p": p}
    (ratio,), missing = printed_ratios(make_study(bare))
    assert not missing
    assert ratio.at_edge
    # The largest error that the print allows: any smaller p would need a smaller one.
    assert ratio.log_hazard_ratio / ratio.standard_error == pytest.approx(norm.isf(edge / 2))


def test_an_exact_p_is_not_at_an_edge(make_study: StudyMaker) -> None:
    (ratio,), _ = printed_ratios(make_study(WITH_CI | {"lower": "", "upper": "", "interval": "", "p": "0.020"}))
    assert not ratio.at_edge


@pytest.mark.parametrize(
    ("sizes", "p", "claim", "open_limit"),
    [
        ((8, 118, 30), "0.03", "better", "lower"),
        ((60, 66, 60), "0.03", "better", ""),
        ((60, 66, 60), "0.03", "worse", ""),
        ((21, 105, 42), "<0.0001", "worse", "upper"),
        ((60, 66, 60), "<0.001", "better", "lower"),
        ((60, 66, 60), "NS", "", ""),
    ],
)
def test_a_limit_that_the_print_leaves_open_is_named(
    make_study: StudyMaker, analysis: EffectAnalysis, sizes: tuple[int, int, int], p: str, claim: str, open_limit: str
) -> None:
    """Eight patients without an event: no log-rank p can tell a hazard ratio of 0.1 from one of 0."""
    female, male, events = sizes
    counts = zip(SIZES, (female + male, female, female + male - events), strict=True)
    study = make_study(*(row | {"count": str(count)} for row, count in counts), LOG_RANK | {"p": p, "claim": claim})
    table = reanalyse_hazard_ratios(study, analysis, seed=1).hazard_ratios
    simulated = table[table["source"].eq("log_rank_calibrated")]
    assert simulated["open_limit"].unique().tolist() == [open_limit]
    flat = simulated[simulated["prior"].eq("flat")]
    assert flat["hr_q025"].eq(0).tolist() == [open_limit == "lower"] * len(flat)
    formula = table[table["source"].eq("log_rank_formula")]
    assert formula["open_limit"].unique().tolist() == [open_limit if "<" in p else ""]
