"""The ledger of the index study: complete by section, equal to print where picked by hand, adjudicated with proof."""

from dataclasses import replace
from fractions import Fraction
from math import comb, exp, sqrt

import pandas as pd
import pytest

from ixa_bayes.formulas.normal import prior_grid
from ixa_bayes.formulas.printed import counts_printed_as, is_not_reached, parse_number, parse_p
from ixa_bayes.inference.log_rank_effects import log_rank_rows, simulate
from ixa_bayes.inference.response_counts import response_counts
from ixa_bayes.models.analysis import analysis_from, read_model
from ixa_bayes.models.effects import EffectAnalysis
from ixa_bayes.models.response_analysis import ResponseAnalysis
from ixa_bayes.study.ledger import Study, read_study
from ixa_bayes.study.log_rank import log_rank_prints, n_events

ROWS_PER_LOCATION = {
    "abstract": 18,
    "methods/patients": 3,
    "methods/treatment": 10,
    "results/patients": 21,
    "results/regimens": 12,
    "results/response": 35,
    "results/survival": 50,
    "results/multivariable": 4,
    "results/survival_ixa_rd": 42,
    "results/adverse_events": 38,
    "discussion": 17,
}


@pytest.fixture(scope="module")
def study() -> Study:
    return read_study("zhou2026")


@pytest.fixture(scope="module")
def table(study: Study) -> pd.DataFrame:
    return study.statistics


def used(study: Study, row: str, column: str = "value") -> str:
    return str(study.used().loc[row, column])


def fisher_two_sided(first: tuple[int, int], second: tuple[int, int]) -> float:
    """Exact two-sided p of two counts out of their denominators, summed over tables no likelier than the observed."""
    (a, n), (b, m) = first, second
    weights = {x: comb(n, x) * comb(m, a + b - x) for x in range(max(0, a + b - m), min(n, a + b) + 1)}
    return float(Fraction(sum(w for w in weights.values() if w <= weights[a]), sum(weights.values())))


def test_every_section_has_its_rows(table: pd.DataFrame) -> None:
    assert table["location"].value_counts().to_dict() == ROWS_PER_LOCATION
    assert len(table) == 250


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        ("n_all_abs", {"count": "126"}),
        ("age_median", {"value": "65", "lower": "37", "upper": "86", "interval": "range"}),
        ("n_male", {"value": "57.1", "count": "72", "denominator": "126"}),
        ("time_since_diagnosis_median", {"value": "4.4", "lower": "3.1", "upper": "7.2", "unit": "years"}),
        ("n_cd38_refractory_yes", {"value": "23.0", "count": "29", "denominator": ""}),
        ("n_second_line", {"factor": "prior_lines_gt_1", "level": "no", "value": "27.8", "count": "35"}),
        ("n_relapse_ixa_td", {"population": "relapse", "value": "9.5", "count": "12", "reading": "ambiguous"}),
        ("n_maintenance", {"value": "11.1", "count": "14"}),
        ("response_evaluable_all", {"value": "96.8", "count": "122"}),
        ("response_evaluable_ixa_rd", {"count": "57", "denominator": "59"}),
        ("pr_all", {"value": "25.5", "count": "31"}),
        ("cbr_ixa_rd", {"population": "ixa_rd", "value": "75.4"}),
        ("orr_triple_class_no_abs", {"value": "60.2"}),
        ("p_orr_triple_class_abs", {"p": "<0.001", "level": "yes", "comparator": "no", "claim": "lower"}),
        ("p_orr_triple_class", {"p": "<0.0001"}),
        ("orr_prior_lines_gt_1_no", {"value": "77.1"}),
        ("p_orr_ixa_rd_high_risk_cytogenetics", {"p": "0.039", "population": "ixa_rd"}),
        ("pfs_all", {"value": "7.9", "lower": "6.9", "upper": "11.0", "interval": "ci95", "unit": "months"}),
        ("os_ixa_rd", {"value": "71.5", "lower": "39.7", "upper": "not reached"}),
        ("censored_os", {"kind": "censored", "count": "84", "reading": "ambiguous"}),
        ("p_os_extramedullary", {"p": "0.10"}),
        ("p_pfs_prior_lines_gt_1", {"p": "0.00018"}),
        ("os_gfr_no", {"value": "86.8"}),
        ("hr_pfs_gfr", {"value": "2.11", "lower": "1.21", "upper": "3.70", "p": "0.008"}),
        ("hr_os_gfr", {"value": "7.27", "lower": "1.94", "upper": "27.20", "p": "0.003"}),
        ("hr_pfs_triple_class", {"value": "3.76", "lower": "1.00", "upper": "14.20", "p": "0.051"}),
        ("hr_os_triple_class", {"value": "20.46", "lower": "2.97", "upper": "140.80", "p": "0.002"}),
        ("hr_pfs_triple_class_abs", {"value": "3.76", "lower": "", "interval": "", "p": "0.05"}),
        ("os_ixa_rd_responder_yes", {"value": "26.9"}),
        ("os_ixa_rd_responder_no", {"value": "not reached"}),
        ("p_pfs_ixa_rd_prior_lines_gt_3", {"level": "no", "comparator": "yes", "p": "0.009", "claim": "better"}),
        ("p_os_ixa_rd_triple_class", {"p": "0.0054"}),
        ("p_pfs_ixa_rd_gfr", {"p": ">0.05", "claim": "no_difference"}),
        ("os_treatment_setting_maintenance", {"value": "not reached", "reading": "ambiguous"}),
        ("fatigue", {"value": "5.5", "count": "7"}),
        ("fatigue_abs", {"value": "5.6", "count": ""}),
        ("nadir_anc_ixa_td", {"factor": "regimen", "level": "ixa_td", "value": "1.9", "unit": "×1000/µl"}),
        ("p_nadir_anc_imid_containing", {"p": "0.00046"}),
        ("neuropathy_stable", {"population": "preexisting_neuropathy", "count": "19"}),
        ("dose_after_reduction_fatigue", {"value": "2.3", "unit": "mg QW"}),
        ("treatment_window_end", {"kind": "date", "value": "January 2024"}),
        ("n_prior_lines_gt_3_yes_disc", {"value": "28.6", "count": "36"}),
        ("n_ixa_pd_prior_lenalidomide_disc", {"population": "ixa_pd", "factor": "prior_lenalidomide", "count": "25"}),
        ("n_ixa_pd_prior_pi_disc", {"population": "ixa_pd", "factor": "prior_pi", "count": "25"}),
        ("dose_reduction", {"kind": "count", "count": "2", "reading": "ambiguous"}),
        ("orr_ixa_pd_disc", {"population": "ixa_pd", "value": "56.5"}),
    ],
)
def test_picked_rows_stand_as_printed(table: pd.DataFrame, row: str, cells: dict[str, str]) -> None:
    assert {column: table.loc[row, column] for column in cells} == cells


def test_printed_counts_reproduce_their_percentages(study: Study, table: pd.DataFrame) -> None:
    """Count by count against the size that the text gives; what does not fit is named here and nowhere else."""
    sizes = {"all": 126, "relapse": 112, "ixa_rd": 57}
    misfits = set()
    for row in table[table["kind"].eq("percent") & table["count"].ne("")].to_dict("records"):
        of_responses = study.definition.endpoints.get(row["endpoint"])
        evaluable = of_responses is not None and of_responses.evaluable == "response_evaluable"
        size = 122 if evaluable and row["population"] == "all" else sizes[row["population"]]
        if int(row["count"]) not in counts_printed_as(parse_number(row["value"]), denominator=size):
            misfits.add(row["id"])
    assert misfits == {"pr_all", "n_relapse_ixa_rd", "n_relapse_ixa_pd", "n_relapse_ixa_td", "fatigue"}


def test_populations_have_the_printed_sizes(study: Study, table: pd.DataFrame) -> None:
    sizes = {"relapse": "112", "maintenance": "14", "ixa_rd": "59", "ixa_pd": "25", "ixa_rd_relapse": "55"}
    sizes |= {"tandem_sct": "3", "preexisting_neuropathy": "28"}
    members = table[table["endpoint"].eq("patients")].to_dict("records")
    for name, size in sizes.items():
        part = study.definition.populations[name]
        place = (part.parent, part.factor, part.level)
        assert {row["count"] for row in members if (row["population"], row["factor"], row["level"]) == place} == {size}


def test_parts_add_up_to_their_wholes(table: pd.DataFrame) -> None:
    def total(*rows: str) -> int:
        return sum(int(str(table.loc[row, "count"])) for row in rows)

    assert total("n_relapse", "n_maintenance") == 126
    assert total("n_relapse_doublet", "n_relapse_triplet") == 112
    assert total("n_relapse_ixa_rd", "n_relapse_ixa_pd", "n_relapse_ixa_td") == total("n_relapse_imid")
    assert total("n_relapse_ixa_rd", "n_maintenance_ixa_rd") == total("n_ixa_rd")
    assert total("neuropathy_resolved", "neuropathy_stable", "neuropathy_worsened") == 28
    assert total("neuropathy_new_1", "neuropathy_new_2") == total("neuropathy_new")
    assert total("cr_all", "vgpr_all", "pr_all") in counts_printed_as(parse_number("52.5"), denominator=122)
    assert total("cr_ixa_rd", "vgpr_ixa_rd", "pr_ixa_rd") in counts_printed_as(parse_number("49.1"), denominator=57)


def test_repeats_agree_except_where_known(table: pd.DataFrame) -> None:
    """A row of the abstract or the discussion has the digits of its row in the results."""
    differ = set()
    for row in table["id"]:
        first, mark, last = str(row).rpartition("_")
        if mark and last in ("abs", "disc") and first in table.index:
            for column in ("value", "count", "p", "lower", "upper"):
                pair = {table.loc[row, column], table.loc[first, column]} - {""}
                if len(pair) > 1:
                    differ.add((first, column))
    assert differ == {("p_orr_triple_class", "p"), ("hr_pfs_triple_class", "p"), ("fatigue", "value")}


def test_every_adjudication_is_proved_below(study: Study) -> None:
    assert {(item.row, item.field) for item in study.definition.adjudications} == {
        ("orr_pi_refractory_no", "value"),
        ("pr_all", "value"),
        ("os_ixa_rd_responder_yes", "value"),
        ("os_ixa_rd_responder_no", "value"),
        ("n_relapse_ixa_rd", "value"),
        ("n_relapse_ixa_pd", "value"),
        ("fatigue", "value"),
        ("leukopenia_ge_3", "value"),
    }


def test_only_63_1_percent_completes_the_partition_by_pi_refractoriness(study: Study) -> None:
    refractory, responders, evaluable, patients = parse_number("28.9"), 64, 122, 41
    tables = {(x, n) for n in range(1, patients + 1) for x in counts_printed_as(refractory, denominator=n)}
    assert tables == {(11, 38)}
    assert evaluable - 38 == 84 <= 126 - patients
    assert responders - 11 in counts_printed_as(parse_number(used(study, "orr_pi_refractory_no")), denominator=84)
    printed = parse_number(str(study.statistics.loc["orr_pi_refractory_no", "value"]))
    for convention in ("rounding", "truncation"):
        assert not counts_printed_as(printed, denominator=84, convention=convention)
    low, high = parse_p("0.0008").interval()
    assert low <= fisher_two_sided((11, 38), (53, 84)) <= high
    assert not low <= fisher_two_sided((11, 38), (51, 84)) <= high
    assert not low <= fisher_two_sided((11, 38), (52, 84)) <= high


def test_31_of_122_prints_as_25_4_only(study: Study) -> None:
    for convention in ("rounding", "truncation"):
        assert 31 in counts_printed_as(parse_number(used(study, "pr_all")), denominator=122, convention=convention)
        assert 31 not in counts_printed_as(parse_number("25.5"), denominator=122, convention=convention)
    assert Fraction("9.0") + Fraction("18.0") + Fraction("25.5") == Fraction("52.5"), "how the printed value came about"


def test_responders_medians_are_exchanged(study: Study, table: pd.DataFrame) -> None:
    assert table.loc["p_os_ixa_rd_responder", "claim"] == "better"
    assert is_not_reached(str(table.loc["os_ixa_rd_responder_no", "value"])), "as printed, non-responders live longer"
    assert is_not_reached(used(study, "os_ixa_rd_responder_yes"))
    assert used(study, "os_ixa_rd_responder_no") == table.loc["os_ixa_rd_responder_yes", "value"]
    assert float(used(study, "os_ixa_rd_responder_no")) < float(str(table.loc["os_ixa_rd", "value"]))


@pytest.mark.parametrize(("row", "count", "of_all"), [("n_relapse_ixa_rd", 55, 59), ("n_relapse_ixa_pd", 24, 25)])
def test_no_denominator_gives_the_printed_share_of_a_regimen(study: Study, row: str, count: int, of_all: int) -> None:
    printed = parse_number(str(study.statistics.loc[row, "value"]))
    for convention in ("rounding", "truncation"):
        fitting = [
            n for n in range(count, 127) if count in counts_printed_as(printed, denominator=n, convention=convention)
        ]
        assert not fitting
    assert count in counts_printed_as(parse_number(used(study, row)), denominator=112)
    whole_cohort = {"n_relapse_ixa_rd": "46.8", "n_relapse_ixa_pd": "19.8"}[row]
    assert of_all in counts_printed_as(parse_number(whole_cohort), denominator=126)


@pytest.mark.parametrize("row", ["fatigue", "leukopenia_ge_3"])
def test_5_5_percent_of_126_exists_only_truncated_in_a_paper_that_rounds(study: Study, row: str) -> None:
    printed = parse_number(str(study.statistics.loc[row, "value"]))
    assert not counts_printed_as(printed, denominator=126)
    assert list(counts_printed_as(printed, denominator=126, convention="truncation")) == [7]
    assert list(counts_printed_as(parse_number(used(study, row)), denominator=126)) == [7]
    assert used(study, row) == study.statistics.loc["fatigue_abs", "value"]
    for rounded, count in (("n_relapse", 112), ("n_triple_class_yes", 21), ("n_male", 72), ("neuropathy_2", 6)):
        percentage = parse_number(str(study.statistics.loc[rounded, "value"]))
        assert count in counts_printed_as(percentage, denominator=126)
        truncated = count in counts_printed_as(percentage, denominator=126, convention="truncation")
        assert truncated == (rounded == "n_male"), "57.14 prints alike either way; the others round up"


def test_a_share_of_the_whole_cohort_is_not_adjudicated(study: Study) -> None:
    assert 12 in counts_printed_as(parse_number(used(study, "n_relapse_ixa_td")), denominator=126)
    assert not study.used().loc["n_relapse_ixa_td", "adjudicated"]


def test_ambiguous_rows_say_their_readings(table: pd.DataFrame) -> None:
    ambiguous = table[table["reading"].eq("ambiguous")]
    assert len(ambiguous) == 13
    assert ambiguous["note"].str.len().min() > 30


def test_every_unknown_has_a_consequence(study: Study) -> None:
    text = " ".join(unknown.what for unknown in study.definition.unknowns)
    for word in ("PFS events", "deaths", "GFR of 70", "80 or older", "cytogenetics", "follow-up", "multivariable"):
        assert word in text


def test_neither_a_censoring_reason_nor_a_count_of_causes_is_read_as_a_rate(study: Study) -> None:
    analysis = read_model("response_other").analysis
    assert isinstance(analysis, ResponseAnalysis)
    found = response_counts(study, analysis)
    by_endpoint = {counts.endpoint: counts for counts in found}
    for endpoint in ("dose_reduction", "non_myeloma_death"):
        assert (by_endpoint[endpoint].status, by_endpoint[endpoint].candidates) == ("ambiguous", ())
    others = {counts.endpoint for counts in found if counts.status == "ambiguous"}
    assert others == {"dose_reduction", "non_myeloma_death"}


def test_neuropathy_is_called_a_prevalence_as_its_sum_says(study: Study, table: pd.DataFrame) -> None:
    counted = {row: int(str(table.loc[row, "count"])) for row in table.index[table["count"].ne("")]}
    under = counted["n_preexisting_neuropathy"] - counted["neuropathy_resolved"] + counted["neuropathy_new"]
    assert under == counted["neuropathy_1"] + counted["neuropathy_2"]
    for endpoint in ("neuropathy", "neuropathy_grade_1", "neuropathy_grade_2"):
        assert "prevalence, not new cases" in study.definition.endpoints[endpoint].label


def _by_formula(events: int, size: int, z: float) -> str:
    """Hazard ratio of ``size`` of 126 patients from a log-rank z, by the formula that holds at a ratio of 1."""
    return f"{exp(z / sqrt(events * size * (126 - size) / 126**2)):.2f}"


def test_unknown_numbers_of_events_say_which_is_used_and_what_the_others_would_change(study: Study) -> None:
    told = {unknown.what.split(":")[0]: unknown.consequence for unknown in study.definition.unknowns}
    deaths, events = told["Number of deaths"], told["Number of PFS events"]
    assert f"{max(n_events(study, 'all', 'os').values)} is used" in deaths
    assert f"{max(n_events(study, 'all', 'pfs').values)} is used" in events
    # z of p = 0.03, 0.0001 and 0.00018: 2.1701, 3.8906 and 3.7455 (two-sided).
    lines, triple = ([_by_formula(d, size, z) for d in (40, 42, 44)] for size, z in ((91, 2.1701), (21, 3.8906)))
    assert f"{lines[0]}, {lines[1]} and {lines[2]} by more than one prior line" in deaths
    assert f"{triple[0]}, {triple[1]} and {triple[2]} at the edge" in deaths
    assert f"{_by_formula(112, 21, 3.8906)} for {_by_formula(114, 21, 3.8906)} at the edge" in events
    assert f"{_by_formula(112, 91, 3.7455)} for {_by_formula(114, 91, 3.7455)} by more than one prior line" in events


def test_what_other_numbers_of_deaths_do_to_the_simulated_bound_is_true(study: Study) -> None:
    analysis = analysis_from("hazard_ratios", EffectAnalysis)
    sceptic = next(prior for prior in prior_grid() if prior.name == "neutral_moderate")
    (item,) = (
        found
        for found in log_rank_prints(study)[0]
        if (found.comparison.endpoint, found.comparison.factor, found.comparison.population)
        == ("os", "triple_class_refractory", "all")
    )
    for events, bound in ((40, 1.11), (44, 1.13)):
        other = replace(item, n_events=events)
        (simulated,) = simulate([other], analysis, seed=1)
        rows = list(log_rank_rows(other, simulated, priors=[sceptic], analysis=analysis))
        (row,) = (row for row in rows if row["source"] == "log_rank_calibrated")
        assert float(str(row["hr_q025"])) == pytest.approx(bound, abs=0.005 + 4 * float(str(row["mcse_hr_q025"])))
    told = {unknown.what.split(":")[0]: unknown.consequence for unknown in study.definition.unknowns}
    assert "at least 1.11, 1.12 and 1.13 by triple-class" in told["Number of deaths"]
