from dataclasses import replace

import pandas as pd

from ixa_bayes.report.effect_tables import effect_short
from ixa_bayes.report.figures import draw_all
from ixa_bayes.report.headlines import headlines
from ixa_bayes.report.page import render_page
from ixa_bayes.report.results import Results
from ixa_bayes.report.summary import summary_findings
from ixa_bayes.report.wording import (
    Labels,
    ratio_text,
)
from ixa_bayes.study.definition import Factor

from .pages import empty, text_of, with_log_rank


def test_summary_is_computed_from_the_tables(hostile_results: Results) -> None:
    findings = summary_findings(hostile_results)
    assert 3 <= len(findings) <= 5
    sceptic = hostile_results.hazard_ratios.query("prior == 'neutral_moderate'").iloc[0]
    assert ratio_text(sceptic["hr_median"]) in findings[0].headline
    moved = hostile_results.hazard_ratios.assign(hr_median=hostile_results.hazard_ratios["hr_median"] * 3)
    assert summary_findings(replace(hostile_results, hazard_ratios=moved))[0].headline != findings[0].headline


def test_summary_names_the_unadjusted_evidence_beside_the_adjusted(hostile_results: Results) -> None:
    largest, directions = summary_findings(with_log_rank(hostile_results))[:2]
    assert largest.headline.startswith("The adjusted effect shrinks")
    assert (
        "(log-rank p <0.0001) gives the sceptic a hazard ratio of at least 1.30 (with 97.5% probability)."
        in largest.text
    )
    assert directions.headline.startswith("0 of 1 adjusted and 1 of 1 unadjusted effects keep a clear direction")
    assert len(directions.items) == 1
    assert "(unadjusted): at least 1.30, P(HR > 1) 0.999" in directions.items[0]
    assert "The rule is one-sided" in directions.more
    assert "1 is a bound only" in directions.more
    alone = summary_findings(hostile_results)[:2]
    assert "Unadjusted" not in alone[0].text + alone[1].more
    assert "bound" not in alone[1].more


def test_likelier_side_is_named_with_its_monte_carlo_error(hostile_results: Results) -> None:
    protects = with_log_rank(hostile_results)
    table = protects.hazard_ratios
    simulated = table["source"].eq("log_rank_calibrated")
    table = table.assign(
        p_gt_1=table["p_gt_1"].where(~simulated, 0.0131), mcse_p_gt_1=simulated.map({True: 0.0012, False: 0.0})
    )
    items = summary_findings(replace(protects, hazard_ratios=table))[1].items
    assert [item.split(", ", maxsplit=1)[-1].rpartition(", ")[2] for item in items] == [
        "P(HR < 1) 0.99 (Monte Carlo error 0.001)"
    ]


def test_what_lies_at_the_threshold_is_said_to_be_barely_clear_or_just_short_of_it(hostile_results: Results) -> None:
    both = with_log_rank(hostile_results)
    simulated = both.hazard_ratios["source"].eq("log_rank_calibrated")
    told = {}
    for p in (0.9405, 0.939, 0.951, 0.97, 1 - 0.951, 1 - 0.945):
        table = both.hazard_ratios.copy()
        weak = table["prior"].eq("neutral_weak")
        table.loc[simulated, "p_gt_1"] = p
        table.loc[simulated & weak, "p_gt_1"] = round(p)
        told[p] = [item for item in summary_findings(replace(both, hazard_ratios=table))[1].items if "Relapse" in item]
    assert [item.startswith("just short of clear: ") for item in told[0.9405] + told[1 - 0.945]] == [True, True]
    assert told[0.939] == []
    assert [item.endswith("; barely clear") for item in told[0.951] + told[1 - 0.951]] == [True, True]
    assert [item.endswith("; barely clear") for item in told[0.97]] == [False]


def test_a_study_of_rates_alone_is_told_by_its_rates(hostile_results: Results) -> None:
    rates = replace(
        empty(hostile_results),
        response=hostile_results.response,
        response_counts=hostile_results.response_counts,
        response_analyses=hostile_results.response_analyses,
    )
    finding = summary_findings(rates)[0]
    assert finding.headline.endswith("All patients: 50% (35% to 65%)")
    assert finding.text.startswith("20 of 40 patients; posterior median and 95% interval under the uniform prior.")
    assert len(finding.items) == 2
    shown = text_of(render_page(rates, draw_all(rates)))
    assert "nothing that can be reanalysed" not in shown
    assert "A reader also brings a belief" not in shown  # there is no hazard ratio to combine it with
    lines = headlines(rates)
    assert len(lines) == 3
    assert lines[0].endswith("All patients: 20 of 40; rate 50% (35% to 65%), uniform prior")


def test_headlines_fall_back_from_printed_to_derived_ratios_to_rates(hostile_results: Results) -> None:
    both = with_log_rank(hostile_results)
    assert [line.count("printed HR 12.00") for line in headlines(both)] == [1]
    derived = both.hazard_ratios[both.hazard_ratios["source"].eq("log_rank_calibrated")]
    assert "log-rank p <0.0001; for a sceptic HR at least 1.30" in headlines(replace(both, hazard_ratios=derived))[0]
    assert headlines(empty(hostile_results)) == []


def test_summary_counts_contradictions_of_the_audit(hostile_results: Results) -> None:
    row = dict.fromkeys(hostile_results.audit.columns, "x") | {"severity": "contradiction", "ledger_rows": "orr_yes"}
    audit = pd.DataFrame([row, row], columns=hostile_results.audit.columns)
    headlines = [finding.headline for finding in summary_findings(replace(hostile_results, audit=audit))]
    assert "2 contradictions among the printed numbers" in headlines


def test_a_protective_effect_is_told_by_the_probability_that_it_protects(hostile_results: Results) -> None:
    protects = replace(hostile_results, hazard_ratios=hostile_results.hazard_ratios.assign(p_gt_1=0.008))
    assert [line.rpartition("P(")[2] for line in headlines(protects)] == ["HR < 1) = 0.992"]
    largest, directions = summary_findings(protects)[:2]
    assert "the probability that it is below 1 is 0.992" in largest.text
    assert "P(HR < 1) 0.992" in directions.items[0]
    harms = replace(hostile_results, hazard_ratios=hostile_results.hazard_ratios.assign(p_gt_1=0.992))
    assert [line.rpartition("P(")[2] for line in headlines(harms)] == ["HR > 1) = 0.992"]
    densities = [drawn for drawn in draw_all(protects) if drawn.figure.name.startswith("prior_to_posterior")]
    assert "P(HR &lt; 1) 0.992" in densities[0].svg or "P(HR < 1) 0.992" in densities[0].svg


def test_each_card_states_its_rule_in_the_open(hostile_results: Results) -> None:
    directions = summary_findings(hostile_results)[1]
    assert directions.text.startswith(
        "Clear: the likelier side of 1 has a probability of at least 0.975 under a weak prior and 0.950 under the"
    )


def test_a_single_effect_is_not_the_largest_and_one_that_stays_does_not_shrink(hostile_results: Results) -> None:
    table = hostile_results.hazard_ratios
    only = replace(hostile_results, hazard_ratios=table.assign(hr_median=1.0, mcse_hr_median=0.0))
    assert summary_findings(only)[0].headline == "The adjusted effect stays at 1.00 for a sceptic"


def test_a_ratio_that_is_printed_twice_differently_says_so(hostile_results: Results) -> None:
    table = hostile_results.hazard_ratios
    weaker = table.assign(printed="HR 2.00 (95% CI 1.00 to 4.00)", log_hr=table["log_hr"] / 3)
    twice = replace(hostile_results, hazard_ratios=pd.concat([table, weaker], ignore_index=True))
    assert ", and elsewhere, differently, HR 2.00 (95% CI 1.00 to 4.00). A sceptic" in summary_findings(twice)[0].text
    assert "elsewhere" not in summary_findings(hostile_results)[0].text


def test_a_comparator_is_named_unless_it_is_the_absence_of_the_factor(hostile_results: Results) -> None:
    definition = hostile_results.study.definition
    stage = Factor(label="Drug", levels={"new": "sacubitril/valsartan", "old": "enalapril", "none": "none"})
    labels = Labels(definition.model_copy(update={"factors": {"drug": stage}}))
    row = {"endpoint": "rfs", "population": definition.main_population, "factor": "drug", "level": "new"}
    assert effect_short(row | {"comparator": "old"}, labels).endswith("sacubitril/valsartan v enalapril")
    assert effect_short(row | {"comparator": "none"}, labels).endswith("sacubitril/valsartan")
    assert effect_short(row | {"comparator": ""}, labels).endswith("sacubitril/valsartan")
