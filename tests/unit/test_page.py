import math
import re
from dataclasses import replace

import pandas as pd
import pytest

from ixa_bayes.models.analysis import read_model
from ixa_bayes.models.response_analysis import ResponseAnalysis
from ixa_bayes.report.audit_tables import implied_table
from ixa_bayes.report.display import ON_PAPER, Ledger
from ixa_bayes.report.figures import draw_all
from ixa_bayes.report.page import render_page
from ixa_bayes.report.results import Results
from ixa_bayes.report.run import compute
from ixa_bayes.report.summary import summary_findings
from ixa_bayes.study.definition import Limit

from .pages import Outline, empty, long_list, text_of, with_log_rank


@pytest.fixture(scope="module")
def page(hostile_results: Results) -> str:
    return render_page(hostile_results, draw_all(hostile_results))


def test_html_in_labels_is_escaped(page: str) -> None:
    tags = Outline(page).tags
    assert "script" not in tags
    assert "img" not in tags
    assert "alert(&#39;title&#39;)" in page


def test_every_internal_link_reaches_an_anchor_and_no_id_is_used_twice(page: str) -> None:
    outline = Outline(page)
    assert set(outline.links) <= set(outline.ids)
    assert len(outline.ids) == len(set(outline.ids))


def test_every_ledger_row_has_an_anchor_and_every_result_row_links_to_one(page: str, hostile_results: Results) -> None:
    outline = Outline(page)
    anchors = {f"row-{row}" for row in hostile_results.study.statistics.index}
    assert anchors <= set(outline.ids)
    table = page[page.index('id="table-hazard-ratios"') :]
    body = table[: table.index("</table>")]
    rows = [row for row in body.split("<tr") if "<td" in row]
    assert len(rows) == len(hostile_results.hazard_ratios)
    assert all('href="#row-hr_rfs"' in row for row in rows)


def test_nothing_is_fetched(page: str) -> None:
    fetched = re.findall(r'(?:src|href)="((?!#|data:)[^"]*)"', page)
    assert [url for url in fetched if not url.startswith("https://doi.org/")] == []
    assert "url(http" not in page
    assert "@import" not in page


def test_evidence_kind_stands_at_every_result_table(page: str) -> None:
    for anchor in (
        "table-hazard-ratios",
        "table-credibility",
        "table-rates-orr",
        "table-contrasts-orr",
        "table-ledger",
    ):
        caption = page[page.index(f'id="{anchor}"') :]
        assert "Evidence: published statistics" in caption[: caption.index("</caption>")]


def test_limit_of_exactly_one_has_no_finite_scepticism_limit(page: str) -> None:
    assert "no finite limit as printed (at the two ends of the rounding:" in text_of(page)
    assert "has no finite scepticism limit" in text_of(page)


@pytest.mark.parametrize(
    ("printed", "words"),
    [
        ("HR 3.76 (95% CI 1.00 to 14.20), p 0.051", "a limit prints as 1; the printed p of 0.051 puts it below 1 "),
        ("HR 3.76 (95% CI 1.00 to 14.20), p 0.049", "a limit prints as 1; the printed p of 0.049 puts it above 1 "),
        ("HR 0.60 (95% CI 0.36 to 1.00), p <0.05", "a limit prints as 1; the printed p of <0.05 puts it below 1 "),
        ("HR 0.60 (95% CI 0.36 to 1.00), p 0.06", "a limit prints as 1; the printed p of 0.06 puts it above 1 "),
        ("HR 0.60 (90% CI 0.36 to 1.00), p 0.06", "a limit prints as 1; the printed p of 0.06 puts it below 1 "),
        ("HR 0.60 (95% CI 0.36 to 1.00), p >0.05", "a limit prints as 1; the printed p of >0.05 puts it above 1 "),
        ("HR 3.76 (95% CI 1.00 to 14.20), p 0.05", "a limit prints as 1 "),
        ("HR 3.76 (95% CI 1.00 to 14.20)", "a limit prints as 1 "),
    ],
)
def test_printed_p_tells_on_which_side_of_one_a_limit_lies(hostile_results: Results, printed: str, words: str) -> None:
    one = hostile_results.credibility.iloc[:1].assign(touches_one=True, printed=printed)
    shown = (
        text_of(render_page(replace(hostile_results, credibility=one), [])).replace("&lt;", "<").replace("&gt;", ">")
    )
    assert f"cannot be told: {words}" in shown


def test_both_verdicts_of_credibility_are_shown_apart(hostile_results: Results) -> None:
    """HR 2.11 (1.21 to 3.70) lies beyond its scepticism limit and would not surprise that sceptic: yes, and no."""
    one = hostile_results.credibility.iloc[:1].assign(
        touches_one=False, credible_by_matthews=True, p_intrinsic=0.063, intrinsically_credible=False
    )
    shown = text_of(render_page(replace(hostile_results, credibility=one), []))
    verdicts = shown[shown.index("Estimate beyond that limit? (Matthews)") :]
    assert "yes 0.063 no" in verdicts
    assert "would surprise even that sceptic" in shown


def test_an_analysis_without_an_endpoint_here_is_not_shown(hostile_results: Results, page: str) -> None:
    assert [analysis.name for analysis in hostile_results.response_analyses] == ["orr"]
    assert "Other rates" not in page
    priors = page[page.index('id="table-rate-priors"') :]
    assert priors[: priors.index("</table>")].count("uniform") == 1


def test_a_prior_that_two_analyses_share_is_listed_once(hostile_results: Results) -> None:
    orr = read_model("orr")
    assert isinstance(orr.analysis, ResponseAnalysis)
    reworded = tuple(prior.model_copy(update={"source": "another source"}) for prior in orr.analysis.priors)
    named = {"first": orr.analysis.priors, "second": reworded}
    rates = [
        replace(orr, analysis=orr.analysis.model_copy(update={"name": name, "priors": priors, "hierarchical": None}))
        for name, priors in named.items()
    ]
    models = [read_model("hazard_ratios"), *rates]
    results = compute(hostile_results.study, models, seed=1, inputs={}, progress=lambda step, done, total: None)
    assert list(results.response_priors["prior"]) == [prior.name for prior in orr.analysis.priors]


def test_implied_ratios_are_a_table_of_their_own(hostile_results: Results) -> None:
    row = dict.fromkeys(hostile_results.audit.columns, "x") | {
        "check": "implied_hazard_ratios",
        "severity": "note",
        "explanation": "Survival, All patients: hazard ratios implied by each p value.",
        "computed": "Stage: II (a against b): 2.19 from p = 0.10, 1.99 from medians; Age (c against d): 0.29 at the "
        "edge of p <0.0001, at most 0.32 whatever the groups, 3.1 adjusted",
        "ledger_rows": "hr_rfs",
        "evidence_kind": "published_effect",
    }
    audit = pd.DataFrame([row], columns=hostile_results.audit.columns)
    table = implied_table(audit, Ledger(hostile_results.study.statistics))
    assert [shown.cells for shown in table.rows] == [
        ("Stage: II (a against b)", "2.19 from p = 0.10", "1.99", "–"),
        ("Age (c against d)", "0.29 at the edge of p <0.0001, at most 0.32 whatever the groups", "–", "3.1"),
    ]
    assert {shown.group for shown in table.rows} == {"Survival, All patients"}
    page = text_of(render_page(replace(hostile_results, audit=audit), []))
    assert "see the table of implied hazard ratios below" in page
    unlisted = audit.assign(computed="nothing to list")
    assert implied_table(unlisted, Ledger(hostile_results.study.statistics)).rows == ()
    assert "nothing to list" in render_page(replace(hostile_results, audit=unlisted), [])


def test_a_long_table_is_left_out_on_paper_and_its_file_is_named(hostile_results: Results) -> None:
    many = replace(hostile_results, not_extractable=long_list(hostile_results, rows=ON_PAPER + 1))
    assert "(31 rows): left out on paper; see tables/not_extractable.csv" in text_of(render_page(many, []))
    few = replace(hostile_results, not_extractable=long_list(hostile_results, rows=ON_PAPER))
    assert "left out on paper; see tables/not_extractable.csv" not in text_of(render_page(few, []))


def test_one_row_is_not_rows(hostile_results: Results) -> None:
    one = replace(hostile_results, response_counts=hostile_results.response_counts.iloc[:1])
    shown = text_of(render_page(one, []))
    assert "(1 row)" in shown
    assert "(1 rows)" not in shown


def test_ambiguous_print_is_named_in_summary_and_table(hostile_results: Results) -> None:
    assert "ambiguous print: see" not in text_of(render_page(hostile_results, []))
    statistics = hostile_results.study.statistics.copy()
    statistics.loc["hr_rfs", "reading"] = "ambiguous"
    ambiguous = replace(hostile_results, study=replace(hostile_results.study, statistics=statistics))
    assert "Counted, but ambiguous in print: Relapse-free survival" in summary_findings(ambiguous)[1].more
    (clear,) = summary_findings(with_log_rank(ambiguous))[1].items
    assert clear.endswith("; its print allows another comparison too")
    (plain,) = summary_findings(with_log_rank(hostile_results))[1].items
    assert "another comparison" not in plain
    page = render_page(ambiguous, [])
    heading = page[page.index('id="table-hazard-ratios"') :]
    assert "ambiguous print: see" in heading[: heading.index("</tr>", heading.index("<tbody"))]
    assert "p = 0.05 (ambiguous)" in text_of(page)


def test_priors_are_shown_with_the_ratio_they_expect_of_their_row(hostile_results: Results) -> None:
    """A factor that was expected to protect has its own prior of the stated effect, and its own line."""
    table = hostile_results.hazard_ratios
    protects = table.assign(prior_mean=-table["prior_mean"], level="no", comparator="yes", printed="HR 0.50")
    both = replace(hostile_results, hazard_ratios=pd.concat([table, protects], ignore_index=True))
    shown = text_of(render_page(both, draw_all(both)))
    for ratio in ("2.0", "0.5"):
        assert shown.count(f"effect of the stated size (HR {ratio}), moderate") == 2
        assert shown.count(f"Prior: effect of the stated size (HR {ratio}). Posterior") == 1
    priors = shown[shown.index("Priors on the hazard ratio, and what each implies") :]
    assert priors.count("optimistic_moderate") == 2


def test_prior_data_conflict_is_shown_where_it_is_defined(hostile_results: Results) -> None:
    flat = hostile_results.hazard_ratios["prior"].eq("flat")
    conflict = hostile_results.hazard_ratios.assign(prior_conflict_p=flat.map({True: math.nan, False: 0.0173}))
    shown = text_of(render_page(replace(hostile_results, hazard_ratios=conflict), []))
    assert "hardly expected such an estimate: one so far off had a chance of 0.017" in shown
    assert "if the prior were right" in shown
    assert shown.count("0.017") == 1 + int((~flat).sum())
    agree = hostile_results.hazard_ratios.assign(prior_conflict_p=0.4)
    assert "hardly expected" not in text_of(render_page(replace(hostile_results, hazard_ratios=agree), []))
    undefined = hostile_results.hazard_ratios.assign(prior_conflict_p=math.nan)
    assert "prior-data conflict" not in text_of(render_page(replace(hostile_results, hazard_ratios=undefined), []))


def test_a_printed_p_that_chose_the_counts_is_no_check_of_them(hostile_results: Results) -> None:
    chosen = "the printed p chose this table of counts, so that the Fisher p agrees with it is no check"
    assert chosen[1:] not in text_of(render_page(hostile_results, []))
    by_p = replace(
        hostile_results,
        response_counts=hostile_results.response_counts.assign(counts_status="unique_by_p", note="As read."),
        response_contrast=hostile_results.response_contrast.assign(counts_status="unique_by_p"),
    )
    shown = text_of(render_page(by_p, []))
    assert f" – {chosen}" in shown
    assert f"As read. T{chosen[1:]}" in shown


def test_methods_say_what_is_simulated(page: str) -> None:
    shown = text_of(page)
    assert "by inverting the simulated test" in shown
    assert "The calibrated log-rank rows do: each comparison is simulated with" in shown
    assert "each reading has its own rows" not in shown


def test_empty_tables_say_what_is_missing(hostile_results: Results) -> None:
    bare = empty(hostile_results)
    assert draw_all(bare) == []
    shown = text_of(render_page(bare, []))
    for missing in (
        "The paper prints no hazard ratio from which a standard error follows.",
        "nothing to judge",
        "No response analysis was run.",
        "The audit ran and found nothing that does not agree.",
        "No printed value is replaced",
        "nothing that can be reanalysed",
    ):
        assert missing in shown
    assert set(Outline(render_page(bare, [])).links) <= set(Outline(render_page(bare, [])).ids)


def test_bounds_replace_what_the_prior_drives(hostile_results: Results) -> None:
    table = hostile_results.hazard_ratios
    driven = table.assign(driven_by_prior=table["prior"].ne("flat"), hr_bound=1.5)
    shown = text_of(render_page(replace(hostile_results, hazard_ratios=driven), []))
    assert "at least 1.50" in shown
    assert "come from the prior" in shown


def test_simulated_numbers_lose_digits_on_the_page(hostile_results: Results) -> None:
    table = hostile_results.hazard_ratios.assign(
        hr_median=1.777, mcse_hr_median=0.0084, p_gt_1=0.6541, mcse_p_gt_1=0.0065
    )
    rates = hostile_results.response_contrast.assign(p_level_lower=0.6541, mcse_p_level_lower=0.0065)
    results = replace(hostile_results, hazard_ratios=table, response_contrast=rates)
    shown = text_of(render_page(results, draw_all(results)))
    assert "1.8 (" in shown
    assert "1.78" not in shown
    assert "0.65 " in shown
    assert "0.654" not in shown


def test_a_limit_of_the_prior_is_marked_and_explained(hostile_results: Results) -> None:
    table = hostile_results.hazard_ratios
    marked = replace(hostile_results, hazard_ratios=table.assign(open_limit="lower", driven_by_prior=False))
    shown = text_of(render_page(marked, []))
    assert "†" in shown
    assert "cannot tell a large effect from an infinite one" in shown
    assert "†" not in text_of(render_page(hostile_results, []))
    alone = marked.hazard_ratios["prior"].eq("flat")
    without = replace(marked, hazard_ratios=marked.hazard_ratios[alone])
    assert ") †" not in text_of(render_page(without, [])), "without a prior the limit is the data's"


def test_limits_of_the_design_have_a_section(hostile_results: Results) -> None:
    assert "names no limit of its design" in text_of(render_page(hostile_results, []))
    study = hostile_results.study
    limits = (Limit(what="Not <b>randomised</b>.", consequence="An association."),)
    told = replace(study, definition=study.definition.model_copy(update={"limits": limits}))
    page = render_page(replace(hostile_results, study=told), [])
    assert "Not &lt;b&gt;randomised&lt;/b&gt;." in page
    assert "An association." in page
