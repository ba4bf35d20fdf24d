"""The page and the files of a fit: whole, quiet about patients, and plain about what cannot be relied on."""

import re
import stat
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from ixa_bayes.inference.survival.leave_one_out import leave_one_out
from ixa_bayes.inference.survival.power_scaling import CONFLICT, STRONG_PRIOR
from ixa_bayes.models.survival_analysis import HorseshoePrior, NormalPrior, StudentTPrior
from ixa_bayes.models.survival_rows import ROW
from ixa_bayes.report.fit import crosscheck_tables
from ixa_bayes.report.fit.figures import draw_fit
from ixa_bayes.report.fit.files import REPORT, explain, readme, tables_of, write_fit_files
from ixa_bayes.report.fit.page import render_fit_page
from ixa_bayes.report.fit.results import COMPLETE_CASES, FitResults
from ixa_bayes.report.fit.run import fit_headlines
from ixa_bayes.report.fit.sensitivity import NO_DEPENDENCE, NOT_COMPUTED, sensitivity_table, sensitivity_words
from ixa_bayes.report.fit.summary import fit_findings
from ixa_bayes.report.fit.tables import BELIEF, hazard_ratio_table, implied_table, prior_table, standardised_table
from ixa_bayes.report.fit.words import NOT_COMPARED, FitWords, estimate_text, months_text, prior_words, starting
from ixa_bayes.report.wording import p_text

from .fits import COVARIATES, ID, RARE, patients, question, results_of, written_fit
from .pages import Outline, text_of


@pytest.fixture(scope="module")
def simulated() -> FitResults:
    return results_of(written_fit(question()))


@pytest.fixture(scope="module")
def real() -> FitResults:
    return results_of(written_fit(question(evidence_kind="patients")))


@pytest.fixture(scope="module")
def page(simulated: FitResults) -> str:
    return render_fit_page(simulated, draw_fit(simulated))


@pytest.fixture(scope="module")
def real_page(real: FitResults) -> str:
    return render_fit_page(real, draw_fit(real))


def test_html_in_labels_is_escaped(page: str) -> None:
    tags = Outline(page).tags
    assert "script" not in tags
    assert "i" not in tags
    assert "alert(&#39;marker&#39;)" in page
    assert "b" not in tags
    assert "<h1>A toy &lt;b&gt;model&lt;/b&gt;</h1>" in page


def test_every_internal_link_reaches_an_anchor_and_no_id_is_used_twice(page: str) -> None:
    outline = Outline(page)
    assert set(outline.links) <= set(outline.ids)
    assert len(outline.ids) == len(set(outline.ids))


def test_nothing_is_fetched(page: str) -> None:
    assert re.findall(r'(?:src|href)="((?!#|data:)[^"]*)"', page) == []
    assert "url(http" not in page


def test_the_first_screen_answers(simulated: FitResults, page: str) -> None:
    findings = fit_findings(simulated)
    assert len(findings) <= 5
    screen = text_of(page[page.index('id="summary"') : page.index("<nav")]).replace("\u00a0", " ")
    table = simulated.estimands
    ratio = table[(table["estimand"] == "hazard_ratio") & (table["level"] == "c")].iloc[0]
    direction = FitWords(simulated.fit.question).direction(ratio["p_gt_1"])
    assert f"Smallest subgroup, Stage: c v a: {direction}" in screen
    assert f"{RARE} of 90 patients" in screen
    assert estimate_text(ratio.to_dict()) in screen
    assert "probability that it is above 1 is" in screen
    median = table[(table["estimand"] == "median") & (table["factor"] == "")].iloc[0]
    assert f"median {estimate_text(median.to_dict())} months" in screen
    assert "The sampler converged" in screen
    assert "Missing values are weighed, not filled in" in screen
    assert "Marker &lt;script&gt;alert(&#39;marker&#39;)&lt;/script&gt;: 6" in screen


def test_those_left_out_are_counted_by_what_they_lack() -> None:
    covariates = COVARIATES | {"marker": COVARIATES["marker"] | {"missing": "complete_case", "label": "Marker"}}
    results = results_of(written_fit(question(covariates=covariates)))
    finding = fit_findings(results)[-1]
    assert finding.headline == "6 patients are left out for a missing value"
    assert finding.items == ("Marker: 6",)
    assert results.patients["n"].iloc[0] == 84


def test_simulated_patients_are_marked(page: str, real_page: str) -> None:
    assert "SIMULATED PATIENTS" in page
    assert ">SIMULATED" in page
    assert "SIMULATED" not in real_page
    assert "Evidence: patients" in real_page


def test_a_fit_that_did_not_converge_says_so_in_every_section() -> None:
    results = results_of(written_fit(question(), apart=1.0))
    assert not results.fit.convergence.ok
    page = render_fit_page(results, [])
    for section in ("summary", "hazard-ratios", "survival", "other-methods", "priors", "checks", "patients"):
        start = page.index(f'<section id="{section}"')
        assert "The sampler did not converge" in page[start : page.index("</section>", start)], section
    assert "The sampler did not converge: do not use these numbers" in text_of(page)
    assert text_of(page).count("Sample for longer") == 2, "on the first screen and where the checks are"


def test_a_fit_that_converged_has_no_banner(page: str) -> None:
    assert "did not converge" not in page


def test_every_result_table_states_its_evidence(page: str) -> None:
    for anchor in ("hazard-ratios", "standardised", "differences", "kaplan-meier", "crosscheck", "tests", "patients"):
        caption = page[page.index(f'id="table-{anchor}"') :]
        assert "Evidence: simulated patients" in caption[: caption.index("</caption>")], anchor


def test_no_patient_is_in_the_page_or_the_posterior(real: FitResults, tmp_path: Path) -> None:
    write_fit_files(real, tmp_path)
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert ID.encode() not in path.read_bytes(), path.name
    tree = xr.open_datatree(tmp_path / "posterior.nc", engine="h5netcdf")
    dims = {str(dim) for node in tree.subtree for dim in node.to_dataset().dims}
    tree.close()
    assert ROW not in dims
    assert "patient" not in dims
    assert stat.S_IMODE((tmp_path / "patient_level.nc").stat().st_mode) == 0o600


def test_exact_times_of_real_patients_are_in_no_text(real: FitResults, real_page: str) -> None:
    shown = text_of(real_page)
    exact = real.fit.question.rows.end[~real.fit.question.rows.between]
    told = [f"{time:.3f}" for time in exact if f"{time:.3f}" in shown]
    assert told == []


def test_small_counts_of_real_patients_are_kept_back(real: FitResults, real_page: str, page: str) -> None:
    table = real_page[real_page.index('id="table-hazard-ratios"') :]
    row = text_of(next(part for part in table.split("<tr") if "Stage: c v a" in part))
    assert row.count("not shown") == 2
    assert "A small part of 90 patients" in text_of(real_page)
    assert f"{RARE} of 90 patients" in text_of(page)
    counts = real.patients[real.patients["factor"] == "stage"].set_index("level")
    assert counts.loc["c", ["n", "n_events"]].isna().all()
    assert counts["n"].isna().sum() == 2  # one alone would follow from the total
    curves = real.curves[real.curves["n_at_risk"].notna()]
    assert (curves["n_at_risk"] >= 5).all()
    shown = results_of(real.fit, show_small_cells=True)
    assert shown.patients[shown.patients["level"] == "c"]["n"].iloc[0] == RARE
    assert (shown.curves["n_at_risk"] < 5).any()


def test_a_count_that_would_give_another_away_is_kept_back(real: FitResults) -> None:
    at_risk = real.curves[(real.curves["quantity"] == "survival") & (real.curves["interval"] == "log-log")]
    for _, block in at_risk[at_risk["factor"] != ""].groupby(["factor", "time"]):
        assert block["n_at_risk"].isna().sum() != 1
    told = at_risk[(at_risk["factor"] == "stage") & at_risk["estimate"].notna() & at_risk["n_at_risk"].isna()]
    assert told["note"].str.contains("would give another away").all()


def test_a_median_that_rests_on_few_is_kept_back(real: FitResults) -> None:
    whole = results_of(real.fit, show_small_cells=True).curves
    rows = real.fit.question.rows
    for index, row in whole[
        whole["quantity"].isin(["median", "median_follow_up"]) & (whole["factor"] == "")
    ].iterrows():
        for bound in ("estimate", "lower", "upper"):
            few = rows.weight[rows.upper >= row[bound]].sum() < 5
            hidden = np.isnan(real.curves.loc[index, bound])
            assert hidden == (few or np.isnan(row[bound]))


def test_nothing_of_a_row_that_is_kept_back_is_told(real: FitResults) -> None:
    hidden = real.curves[real.curves["note"].str.startswith("fewer than 5 patients")]
    assert "median" in set(hidden[hidden["level"] == "not known"]["quantity"])
    assert hidden[["n_at_risk", "estimate", "lower", "upper", "standard_error"]].isna().all(axis=None)


def test_a_method_without_an_answer_says_why(simulated: FitResults) -> None:
    table = simulated.crosscheck.copy()
    firth = table["method"] == "firth"
    table.loc[firth, ["estimate", "lower", "upper", "p"]] = np.nan
    table.loc[firth, "note"] = "not available: firthmodels has no frequency weights"
    page = text_of(render_fit_page(replace(simulated, crosscheck=table), []))
    assert "not available: firthmodels has no frequency weights –" in page


def test_how_many_patients_each_method_uses_is_told(simulated: FitResults, real: FitResults, page: str) -> None:
    """Six of 90 markers are not known: other methods leave those patients out, the posterior does not."""
    known = patients()["marker"].notna()
    events = int(patients()["pfs_event"][known].sum())
    ratios = simulated.crosscheck[simulated.crosscheck["method"] != "log_rank"]
    assert set(zip(ratios["n"], ratios["n_events"], strict=True)) == {(84, events)}
    assert ratios["note"].str.endswith(COMPLETE_CASES).all()
    told = f"of the 84 patients ({events} with the event) who have every covariate"
    assert text_of(page).replace("\u00a0", " ").count(told) == 3  # first screen, forest and section
    covariates = {name: COVARIATES[name] for name in ("stage", "sex")}
    everybody = results_of(written_fit(question(covariates=covariates)))
    assert everybody.crosscheck["n"].eq(90).all()
    assert not everybody.crosscheck["note"].str.contains(COMPLETE_CASES, regex=False).any()
    assert "who have every covariate" not in render_fit_page(everybody, [])
    few = patients().assign(
        marker=lambda people: people["marker"].where(people["marker"].notna() | (people.index > 40), 0)
    )
    hidden = results_of(written_fit(question(evidence_kind="patients", table=few)))
    assert hidden.crosscheck["n"].isna().all()  # fewer than five of 90 are left out
    assert "of the patients who have every covariate" in text_of(render_fit_page(hidden, []))
    assert real.crosscheck["n"].eq(84).all()


def test_equal_patients_are_one_by_one_again_for_methods_without_weights() -> None:
    """Rows that the model counts together must not cost Firth's answer, nor change another."""
    twice = pd.concat([patients(), patients().assign(patient=lambda table: table["patient"] + "-again")])
    asked = question(table=twice)
    assert asked.rows.weight.max() == 2
    table = results_of(written_fit(asked)).crosscheck
    assert table[table["method"] == "firth"]["estimate"].notna().all()
    once = results_of(written_fit(question())).crosscheck
    efron, double = (t[t["method"] == "cox_efron"]["estimate"].to_numpy() for t in (once, table))
    np.testing.assert_allclose(double, efron, rtol=0.1)  # ties by Efron change a little with doubled patients
    weighted = question(table=patients().assign(weight=2))
    firth = results_of(written_fit(weighted)).crosscheck.query("method == 'firth'")
    assert firth["note"].str.startswith("not available").all()


def test_every_column_of_every_table_is_explained(simulated: FitResults) -> None:
    told = readme(simulated)
    for name, table in tables_of(simulated).items():
        assert f"## {name}.csv" in told
        for column in table.columns:
            assert explain(name, str(column)) in told
    with pytest.raises(KeyError, match="not explained"):
        explain("estimands", "mystery")


def test_everything_is_written(simulated: FitResults, tmp_path: Path) -> None:
    write_fit_files(simulated, tmp_path)
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert {
        REPORT,
        "README.md",
        "posterior.nc",
        "patient_level.nc",
        "figures/survival.svg",
        "figures/chains.png",
    } <= names
    assert {f"{name}.csv" for name in tables_of(simulated)} <= names
    for name, table in tables_of(simulated).items():
        assert len(pd.read_csv(tmp_path / f"{name}.csv")) == len(table)


@pytest.mark.parametrize("covariates", [{}, {"age_decades": COVARIATES["age_decades"]}])
@pytest.mark.parametrize("law", ["weibull", "piecewise"])
def test_models_with_few_or_no_factors_have_a_page(law: str, covariates: dict[str, dict[str, object]]) -> None:
    results = results_of(written_fit(question(law=law, covariates=covariates)))
    page = render_fit_page(results, draw_fit(results))
    assert ("The model has no covariates." in page) == (not covariates)
    assert ("Piecewise-exponential proportional hazards" in page) == (law == "piecewise")
    assert Outline(page).links


def _with_events(number: int) -> pd.DataFrame:
    table = patients()
    seen = np.arange(len(table)) < number
    return table.assign(pfs_event=seen.astype(int), pfs_time_lower=np.nan)


@pytest.mark.parametrize("events", [0, 1, 90])
@pytest.mark.parametrize("evidence_kind", ["simulated", "patients"])
def test_cohorts_with_no_event_one_or_only_events_have_a_page(events: int, evidence_kind: str) -> None:
    asked = question(table=_with_events(events), evidence_kind=evidence_kind)
    results = results_of(written_fit(asked))
    shown = text_of(render_fit_page(results, draw_fit(results)))
    assert "nan" not in shown.lower().split("versions, seed and inputs")[0]
    assert ("Nobody had the event" in shown) == (events == 0)
    if (events, evidence_kind) == (1, "patients"):
        assert "Fewer than 5 patients had the event" in shown
        assert "fewer than 5 with the event" in shown


def test_a_patient_with_several_rows_is_counted_once() -> None:
    once = patients().drop(columns="pfs_time_lower")
    early = once.assign(pfs_entry=0.0, pfs_time=once["pfs_time"] / 2, pfs_event=0)
    late = once.assign(pfs_entry=once["pfs_time"] / 2, sex=np.where(np.arange(len(once)) < 20, "male", once["sex"]))
    covariates = {name: COVARIATES[name] for name in ("sex", "stage")}
    asked = question(table=pd.concat([early, late]), covariates=covariates)
    results = results_of(written_fit(asked))
    whole, *levels = results.patients.to_dict("records")
    assert (asked.rows.n, whole["n"], whole["n_events"]) == (180, 90, once["pfs_event"].sum())
    by_sex = {row["level"]: row["n"] for row in levels if row["factor"] == "sex"}
    assert by_sex["0"] == (once["sex"] == "female").sum()
    assert by_sex["1"] == ((once["sex"] == "male") | (np.arange(90) < 20)).sum()
    page = render_fit_page(results, draw_fit(results))
    assert 'id="figure-survival"' in page
    assert 'id="figure-predictive_check"' not in page  # later covariates are not known, so nothing can be replicated


@pytest.mark.parametrize("size", [1, 4])
def test_a_cohort_of_very_few_has_a_page(size: int) -> None:
    for evidence_kind in ("simulated", "patients"):
        asked = question(table=patients().iloc[-size:], evidence_kind=evidence_kind, covariates={})
        results = results_of(written_fit(asked))
        page = render_fit_page(results, draw_fit(results))
        assert ("fewer than 5 patients used" in text_of(page)) == (evidence_kind == "patients")


@pytest.mark.parametrize(
    ("p", "words"),
    [
        (0.975, "clearly a worse outcome"),
        (0.974, "leans to a worse outcome"),
        (0.79, "open which way"),
        (0.19, "leans to a better outcome"),
        (0.02, "clearly a better outcome"),
    ],
)
def test_a_direction_in_words(p: float, words: str, simulated: FitResults) -> None:
    assert FitWords(simulated.fit.question).direction(p) == words
    good = question(endpoints={"pfs": {"label": "Response", "better": "sooner"}})
    swapped = {"worse": "better", "better": "worse"}
    assert FitWords(good).direction(p) == " ".join(swapped.get(word, word) for word in words.split())


def test_words_follow_an_endpoint_whose_event_is_good() -> None:
    endpoint = {"label": "Time to pCR", "better": "sooner", "event_free": "without pCR"}
    results = results_of(written_fit(question(endpoints={"pfs": endpoint})))
    shown = text_of(render_fit_page(results, draw_fit(results)))
    assert "above 1 means a better outcome with the factor" in shown
    assert "above 1: better outcome" in shown
    assert "probability of a better outcome" in shown
    assert "with what probability each makes the outcome better" in shown
    assert "who does better, not why" in shown
    assert "worse outcome" not in shown
    assert "event-free" not in shown.lower()
    assert "Without pCR at 12 months" in shown
    assert FitWords(results.fit.question).curve == "without pCR"
    assert "relate to Time to pCR" in shown, "an abbreviation keeps its capitals"


def test_the_reference_profile_is_written_out_once(page: str) -> None:
    told = "Stage: a; Sex: female; Age: 60 years."
    assert text_of(page).count(told) == 1
    centred = COVARIATES | {"sex": COVARIATES["sex"] | {"centre": 0.5}}
    profile = FitWords(question(covariates=centred)).reference_profile()
    assert profile.endswith("Sex: 0.5 of the way from female to male; Age: 60 years")


def test_kaplan_meier_keeps_the_order_of_the_levels(simulated: FitResults) -> None:
    asked = question(levels=("c", "b", "a"))
    for results, order in ((simulated, ["a", "b", "c"]), (results_of(written_fit(asked)), ["c", "b", "a"])):
        curves = results.curves
        assert list(dict.fromkeys(curves.loc[curves["factor"] == "stage", "level"])) == order


def test_a_step_that_the_label_names_is_not_named_again() -> None:
    covariates = COVARIATES | {"age_decades": COVARIATES["age_decades"] | {"label": "Age, per 10 years"}}
    assert FitWords(question(covariates=covariates)).comparison("age_decades", "") == "Age, per 10 years"
    assert FitWords(question()).comparison("age_decades", "") == "Age, per 10 years"


def test_the_log_rank_test_of_a_factor_with_several_levels_is_told_once(simulated: FitResults) -> None:
    rows = {row.cells[0]: row.cells[1:] for row in crosscheck_tables.tests_table(simulated).rows}
    p = simulated.crosscheck.query("method == 'log_rank' and factor == 'stage'")["p"].iloc[0]
    assert rows["Stage, all levels"] == (p_text(p), "", "", "")
    assert [rows[f"Stage: {level} v a"][0] for level in "bc"] == ["", ""]
    assert rows["Sex: male v female"][0] not in ("", "–")


def test_a_median_follow_up_that_is_not_reached_is_explained(simulated: FitResults) -> None:
    table = crosscheck_tables.kaplan_meier_table(simulated)
    assert "not reached" in [row.cells[-1] for row in table.rows]
    assert "reverse Kaplan-Meier" in table.caption
    reached = simulated.curves.fillna({"estimate": 20.0, "lower": 18.0, "upper": 22.0})
    table = crosscheck_tables.kaplan_meier_table(replace(simulated, curves=reached))
    assert "reverse Kaplan-Meier" not in table.caption


def test_a_word_with_capitals_of_its_own_keeps_its_start() -> None:
    assert [starting(text) for text in ("event-free", "pCR reached", "noch am Leben")] == [
        "Event-free",
        "pCR reached",
        "Noch am Leben",
    ]


def test_months_in_words() -> None:
    assert months_text(1680.4) == "1,680"
    assert months_text(12.06) == "12.1"


def test_a_shared_prior_is_named_and_cited(simulated: FitResults) -> None:
    shared = HorseshoePrior(kind="horseshoe", covariates=("sex",), source="test")
    assert prior_words(shared).startswith("regularised horseshoe over a set: global scale 0.5")
    asked = simulated.fit.question
    analysis = asked.analysis.model_copy(update={"shrinkage": shared})
    fit = replace(simulated.fit, question=replace(asked, analysis=analysis))
    page = text_of(render_fit_page(replace(simulated, fit=fit), []))
    assert "the regularised horseshoe ( Piironen and Vehtari 2017 )" in page
    assert "at most 0.5% of draws diverge" in page
    assert "at most 0.1% of draws diverge" in text_of(render_fit_page(simulated, []))


def test_a_prior_in_words() -> None:
    assert prior_words(NormalPrior(kind="normal", mean=0.5, sd=1, source="s")) == "normal, mean 0.5, sd 1"
    heavy = StudentTPrior(kind="student_t", location=0, scale=0.5, df=4, source="s")
    assert prior_words(heavy) == "Student t, location 0, scale 0.5, 4 degrees of freedom"


def test_beliefs_are_not_told_as_evidence_of_patients(simulated: FitResults) -> None:
    for table in (prior_table(simulated), implied_table(simulated)):
        assert table.evidence == BELIEF
    assert hazard_ratio_table(simulated).evidence == ("simulated patients",)


def test_every_estimand_has_its_sensitivity_on_the_page(simulated: FitResults, page: str) -> None:
    shown = sensitivity_table(simulated)
    assert len(shown.rows) == len(simulated.estimands)
    names = [(row.group, row.cells[0]) for row in shown.rows]
    assert len(set(names)) == len(names)
    assert ("Hazard ratios", "Stage: c v a") in names
    assert ("All patients", "event-free at 12 months") in names
    assert ("Stage", "Stage: c v a, difference in means up to 12 months") in names
    own = simulated.sensitivity["own_prior_sensitivity"]
    assert [row.cells[2] for row in shown.rows] == own.map("{:.3f}".format).where(own.notna(), "–").to_list()
    assert own.notna().to_list() == [group == "Hazard ratios" for group, _ in names]
    section = page[page.index('<section id="priors"') : page.index('<section id="checks"')]
    assert 'id="table-sensitivity"' in section
    assert NO_DEPENDENCE in section


def test_a_ratio_that_its_prior_decides_is_named_on_the_first_screen(simulated: FitResults) -> None:
    spoiled = simulated.sensitivity.copy()
    ratios = spoiled["estimand"] == "hazard_ratio"
    for level, diagnosis, own in (("c", CONFLICT, 0.05), ("b", STRONG_PRIOR, 0.049)):
        spoiled.loc[ratios & (spoiled["level"] == level), ["diagnosis", "own_prior_sensitivity"]] = diagnosis, own
    results = replace(simulated, sensitivity=spoiled)
    assert sensitivity_words(results) == [
        "The priors together, that of the baseline included, and the patients may disagree (power scaling): "
        "Stage: c v a (its own prior alone moves it). If a prior is not what you believe, change it; if it is, report "
        "it beside the result.",
        "The priors together may say more than the patients (power scaling): Stage: b v a (its own prior alone does "
        "not move it). Fit again with another prior, and report both.",
    ]
    spoiled.loc[ratios, "pareto_k_own_prior"] = 0.71
    assert not [told for told in sensitivity_words(replace(results, sensitivity=spoiled)) if "own" in told]
    findings = {finding.headline: finding for finding in fit_findings(results)}
    assert "The sampler converged" not in findings, "no warning stands under a headline that says all is well"
    assert findings["Before you rely on these numbers"].items[:2] == tuple(sensitivity_words(results))
    assert not [finding for finding in fit_findings(simulated) if "power scaling" in " ".join(finding.items)]


def test_patients_who_cannot_be_left_out_are_judged_by_the_limit_for_so_many_draws(simulated: FitResults) -> None:
    """With 480 draws the limit is 1 - 1 / log10(480), below the 0.7 of many."""
    value = simulated.diagnostics.set_index("measure")["value"]
    assert value["good_pareto_k"] == pytest.approx(1 - 1 / np.log10(480))
    k = leave_one_out(simulated.fit).pareto_k
    assert value["n_high_pareto_k"] == (k > value["good_pareto_k"]).sum()
    some = simulated.diagnostics["measure"] == "n_high_pareto_k"
    results = replace(simulated, diagnostics=simulated.diagnostics.assign(value=lambda d: d["value"].mask(some, 2.0)))
    (told,) = [finding.items for finding in fit_findings(results) if finding.headline.startswith("Before you rely")]
    assert told == (
        "For 2 patients leaving one out is approximated badly (Pareto k above 0.627): choose no model by it alone.",
    )
    assert "(Pareto k above 0.627) for 2 patients" in text_of(render_fit_page(results, []))


def test_without_the_log_likelihood_of_patients_the_page_says_so(simulated: FitResults) -> None:
    groups = {
        name: node.to_dataset() for name, node in simulated.fit.posterior.children.items() if name != "log_likelihood"
    }
    results = results_of(replace(simulated.fit, posterior=xr.DataTree.from_dict(groups)))
    assert results.sensitivity.empty
    page = render_fit_page(results, [])
    assert NOT_COMPUTED in page
    assert "leaving one out was not computed" in page


def test_a_covariate_that_is_the_same_for_everybody_says_so_wherever_its_ratio_stands() -> None:
    alike = {name: COVARIATES[name] for name in ("stage", "sex")}
    results = results_of(written_fit(question(covariates=alike, table=patients().assign(sex="male"))))
    smallest, ratios = fit_findings(results)[:2]
    assert "Stage: c v a" in smallest.headline, "nobody is female, but that is no subgroup"
    (told,) = [item for item in ratios.items if item.startswith("Sex")]
    assert told == ratios.items[-1]
    assert told.endswith(NOT_COMPARED)
    assert "outcome" not in told
    named = [row.cells[0] for row in hazard_ratio_table(results).rows]
    assert [NOT_COMPARED in name for name in named] == [False, False, True]
    lines = [line for line in fit_headlines(results) if "hazard ratio" in line]
    assert [NOT_COMPARED in line for line in lines if line.startswith("sex")] == [True]
    assert [NOT_COMPARED in line for line in lines if line.startswith("stage")] == [False, False]


def test_a_ratio_without_patients_is_never_clear() -> None:
    alike = {name: COVARIATES[name] for name in ("stage", "sex")}
    results = results_of(written_fit(question(covariates=alike, table=patients().assign(sex="male"))))
    certain = replace(results, estimands=results.estimands.assign(p_gt_1=0.999))
    assert fit_findings(certain)[1].headline == "2 of 3 hazard ratios have a clear direction"


def test_a_level_that_nobody_has_is_in_no_average_and_the_table_says_so() -> None:
    table = patients().assign(sex="male")
    table["stage"] = table["stage"].replace("c", "a")
    results = results_of(written_fit(question(covariates=COVARIATES, table=table)))
    averages = results.estimands[results.estimands["population"] == "cohort"]
    assert set(averages["factor"]) == {"", "marker", "stage"}
    assert set(averages.loc[averages["factor"] == "stage", "level"]) == {"a", "b"}
    assert set(averages.loc[averages["factor"] == "marker", "level"]) == {"0", "1"}
    assert standardised_table(results).caption.endswith(
        "Left out, since nobody has it and only the prior would speak: Stage: c; Sex: female"
    )
    hazard_ratios = results.estimands[results.estimands["estimand"] == "hazard_ratio"]
    assert set(hazard_ratios["level"]) == {"1", "b", "c", ""}


def test_a_reference_that_nobody_has_is_compared_with_nothing() -> None:
    table = patients().assign(stage=lambda people: people["stage"].replace("a", "b"))
    results = results_of(written_fit(question(covariates={"stage": COVARIATES["stage"]}, table=table)))
    assert not results.estimands["estimand"].str.endswith("_difference").any()
    assert all(NOT_COMPARED in row.cells[0] for row in hazard_ratio_table(results).rows)
