import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import pandas as pd
import pytest

from ixa_bayes.report.figures import draw_all
from ixa_bayes.report.headlines import headlines
from ixa_bayes.report.page import render_page
from ixa_bayes.report.results import Results
from ixa_bayes.report.study_tables import printed_text
from ixa_bayes.report.summary import summary_findings
from ixa_bayes.report.wording import (
    number_text,
    p_text,
    percent_text,
    points_text,
    prior_label,
    probability_text,
    ratio_text,
    supported_decimals,
)


class Outline(HTMLParser):
    """Ids, internal links and elements of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id" and value:
                self.ids.append(value)
            if name == "href" and value and value.startswith("#"):
                self.links.append(value[1:])


@pytest.fixture(scope="module")
def page(hostile_results: Results) -> str:
    return render_page(hostile_results, draw_all(hostile_results))


def empty(results: Results) -> Results:
    """The same study where nothing could be computed."""
    frames = {name: table.iloc[:0] for name, table in vars(results).items() if isinstance(table, pd.DataFrame)}
    return replace(results, **frames, response_analyses=())


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


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


def test_summary_is_computed_from_the_tables(hostile_results: Results) -> None:
    findings = summary_findings(hostile_results)
    assert 3 <= len(findings) <= 5
    sceptic = hostile_results.hazard_ratios.query("prior == 'neutral_moderate'").iloc[0]
    assert ratio_text(sceptic["hr_median"]) in findings[0].headline
    moved = hostile_results.hazard_ratios.assign(hr_median=hostile_results.hazard_ratios["hr_median"] * 3)
    assert summary_findings(replace(hostile_results, hazard_ratios=moved))[0].headline != findings[0].headline


def with_log_rank(results: Results) -> Results:
    """The same study with a log-rank p value of the same comparison, printed as an inequality."""
    adjusted = results.hazard_ratios
    unadjusted = adjusted[adjusted["prior"].ne("flat")].assign(
        source="log_rank_calibrated", printed="log-rank p <0.0001", driven_by_prior=True, hr_bound=1.3, p_gt_1=0.999
    )
    return replace(results, hazard_ratios=pd.concat([adjusted, unadjusted], ignore_index=True))


def test_summary_names_the_unadjusted_evidence_beside_the_adjusted(hostile_results: Results) -> None:
    largest, directions = summary_findings(with_log_rank(hostile_results))[:2]
    assert largest.headline.startswith("The largest adjusted effect")
    assert (
        "(log-rank p <0.0001) gives the sceptic a hazard ratio of at least 1.30 (one-sided 97.5% bound)."
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
    lines = headlines(rates)
    assert len(lines) == 3
    assert lines[0].endswith("All patients: 20 of 40; rate 50% (35% to 65%), uniform prior")


def test_headlines_fall_back_from_printed_to_derived_ratios_to_rates(hostile_results: Results) -> None:
    both = with_log_rank(hostile_results)
    assert [line.count("printed HR 12.00") for line in headlines(both)] == [1]
    derived = both.hazard_ratios[both.hazard_ratios["source"].eq("log_rank_calibrated")]
    assert "log-rank p <0.0001; for a sceptic HR at least 1.30" in headlines(replace(both, hazard_ratios=derived))[0]
    assert headlines(empty(hostile_results)) == []


def test_an_analysis_without_an_endpoint_here_is_not_shown(hostile_results: Results, page: str) -> None:
    assert [analysis.name for analysis in hostile_results.response_analyses] == ["orr"]
    assert "Other rates" not in page
    priors = page[page.index('id="table-rate-priors"') :]
    assert priors[: priors.index("</table>")].count("uniform") == 1


def test_survival_at_a_time_says_which(hostile_results: Results) -> None:
    row = dict.fromkeys(hostile_results.study.statistics.columns, "")
    row |= {"kind": "survival_percent", "value": "79", "time": "24", "lower": "70", "upper": "86", "interval": "ci95"}
    assert printed_text(row, time_unit="months") == "79% at 24 months (95% CI 70 to 86)"


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
    assert "hardly expected such an estimate (p of prior-data conflict 0.017)" in shown
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


def test_summary_counts_contradictions_of_the_audit(hostile_results: Results) -> None:
    row = dict.fromkeys(hostile_results.audit.columns, "x") | {"severity": "contradiction", "ledger_rows": "orr_yes"}
    audit = pd.DataFrame([row, row], columns=hostile_results.audit.columns)
    headlines = [finding.headline for finding in summary_findings(replace(hostile_results, audit=audit))]
    assert "2 contradictions among the printed numbers" in headlines


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


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (2.111, "2.11"),
        (9.996, "10.0"),
        (20.46, "20.5"),
        (99.96, "100"),
        (140.8, "141"),
        (0.0571, "0.06"),
        (0.001, "below 0.01"),
        (math.inf, "above 10,000"),
        (math.nan, "–"),
    ],
)
def test_ratio_text(value: float, words: str) -> None:
    assert ratio_text(value) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.97940820, "0.979"), (0.99999, "above 0.999"), (1e-6, "below 0.001"), (0.9995, "above 0.999")],
)
def test_probability_text(value: float, words: str) -> None:
    assert probability_text(value) == words


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (1.847, 0.0084, "1.8"),
        (0.846, 0.0144, "0.8"),
        (2.724, 0.0065, "2.72"),
        (6.228, 0.137, "6"),
        (53.18, 0.127, "53"),
        (141.2, 6.0, "140"),
        (0.0675, 0.02, "0.07"),
        (0.7, 0.5, "0.7"),
        (3.23, math.nan, "3"),
    ],
)
def test_ratios_show_no_digit_that_simulation_does_not_support(value: float, error: float, words: str) -> None:
    assert ratio_text(value, error) == words


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (0.3541, 0.0065, "0.35"),
        (0.3541, 0.0005, "0.354"),
        (0.9990, 0.0012, "above 0.99"),
        (0.9978, 0.0006, "0.998"),
        (0.0021, 0.004, "below 0.01"),
        (0.5, 0.2, "0.5"),
    ],
)
def test_probabilities_show_no_digit_that_simulation_does_not_support(value: float, error: float, words: str) -> None:
    assert probability_text(value, error) == words


@pytest.mark.parametrize("error", [10**exponent for exponent in (-4.0, -3.2, -2.19, -1.5, -0.3, 0.4)])
def test_last_digit_is_not_finer_than_its_error_nor_needlessly_coarse(error: float) -> None:
    unit = 10.0 ** -supported_decimals(error, most=9)
    assert 1.5 * error <= unit < 15 * error


def test_shares_and_numbers_with_an_error_in_words() -> None:
    assert [percent_text(x, e) for x, e in ((0.0561, 0.0021), (0.0034, 0.005), (0.525, 0.02))] == [
        "6%",
        "below 1%",
        "50%",
    ]
    assert [points_text(x, e) for x, e in ((-0.2185, 0.0078), (0.264, 0.013), (-0.001, 0.0))] == ["−22", "+30", "0"]
    assert [number_text(x, e) for x, e in ((25.55, 0.48), (9.8, 0.344), (1.05, 0.056), (25.55, 0.0))] == [
        "26",
        "10",
        "1.1",
        "25.6",
    ]


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


def test_small_numbers_in_words() -> None:
    assert [p_text(p) for p in (0.00002, 0.0081, 0.0512, 0.2)] == ["<0.001", "0.008", "0.051", "0.20"]
    assert [percent_text(x) for x in (0.525, 0.056, 0.0996)] == ["52%", "5.6%", "10%"]
    assert [points_text(x) for x in (-0.4388, 0.025, 0.001)] == ["−44", "+2", "0"]


def test_priors_are_worded_for_a_prognostic_factor() -> None:
    assert prior_label("neutral_moderate") == "no effect, moderate (sceptical)"
    assert prior_label("optimistic_weak") == "effect of the stated size, weak"
    assert prior_label("optimistic_moderate", math.log(2)) == "effect of the stated size (HR 2.0), moderate"
    assert prior_label("optimistic_moderate", -math.log(2)) == "effect of the stated size (HR 0.5), moderate"
    assert prior_label("pessimistic_weak", math.log(1.25)) == "opposite effect (HR 1.25), weak"
    assert prior_label("neutral_moderate", 0.0) == "no effect, moderate (sceptical)"
    assert prior_label("pessimistic_strong") == "opposite effect, strong"
    assert prior_label("weakly_informative") == "weakly informative"
