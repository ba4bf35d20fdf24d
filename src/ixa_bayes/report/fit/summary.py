"""The first screen of a report on a fit: what it found, in words for a clinician, and how far it can be relied on."""

from collections.abc import Iterator
from typing import Any, Final

from ixa_bayes.cohort.summary import shown_counts
from ixa_bayes.inference.survival.attempts import attempts_of
from ixa_bayes.report.display import evidence_words, records_of
from ixa_bayes.report.fit.crosscheck_tables import of_complete_cases
from ixa_bayes.report.fit.extrapolation import beyond_words, is_beyond, late_entry_words
from ixa_bayes.report.fit.over_time import over_time_findings
from ixa_bayes.report.fit.results import NOT_KNOWN, FitResults, patients_of
from ixa_bayes.report.fit.sensitivity import NO_DEPENDENCE, NOT_COMPUTED, sensitivity_words
from ixa_bayes.report.fit.tables import count_of, sizes_of, total_of
from ixa_bayes.report.fit.words import (
    CLEAR,
    METHODS,
    NOT_COMPARED,
    FitWords,
    attempts_words,
    estimate_text,
    observed_median_words,
    ratio_interval,
    starting,
)
from ixa_bayes.report.summary import SummaryFinding
from ixa_bayes.report.wording import count_text, number_text, probability_text, ratio_text

MOST_NAMED: Final = 8
TO_CONVERGE: Final = (
    "Sample for longer (draws, tune) or, if draws diverge, with a higher target_accept; if that does not help, use "
    "tighter priors or fewer factors. What missed its threshold:"
)

type Record = dict[str, Any]


def fit_findings(results: FitResults) -> list[SummaryFinding]:
    """What stands on the first screen: the subgroups, the cohort, convergence, and who was left out.

    Returns
    -------
    list of SummaryFinding
    """
    return [
        *_smallest(results),
        *_ratios(results),
        *over_time_findings(results),
        *_cohort(results),
        *_reliance(results),
        *_not_known(results),
        *_left_out(results),
    ]


def ratios_by_size(results: FitResults) -> list[Record]:
    """Hazard ratios by the smaller of the two groups that each compares, whose level is ``smaller``.

    Groups that are too small to be counted are ordered too: which of two is the smaller one, a figure without a curve
    of it tells as well. Ratios of measured covariates are of everybody, and come last with those that compare nobody.
    """
    table = results.estimands[results.estimands["estimand"] == "hazard_ratio"]
    n = patients_of(results.fit, kept_back=False).set_index(["factor", "level"])["n"]
    terms, words, found = results.fit.question.design.terms, FitWords(results.fit.question), []
    for row in records_of(table):
        factor, level = row["factor"], row["level"]
        sides = (level, terms[factor].reference) if level else (level,)
        smaller = min(sides, key=lambda side: n[factor, side])
        compared = words.is_compared(factor, level)
        order = (n[factor, smaller], n[factor, level]) if level and compared else (float("inf"), float("inf"))
        found.append((order, row | {"smaller": smaller}))
    return [row for _, row in sorted(found, key=lambda pair: pair[0])]


def _smallest(results: FitResults) -> Iterator[SummaryFinding]:
    rows = ratios_by_size(results)
    words = FitWords(results.fit.question)
    if not rows or not rows[0]["level"] or not words.is_compared(rows[0]["factor"], rows[0]["level"]):
        return
    row = rows[0]
    ratio = words.ratio(row["factor"], row["level"])
    of_reference = row["smaller"] != row["level"]
    name = f"{words.group(row['factor'], row['smaller'])}, the reference of {ratio}" if of_reference else ratio
    n, events = sizes_of(results, row["factor"], row["smaller"])
    whole = total_of(results.patients["n"].iloc[0])
    others = results.crosscheck
    same = others[(others["factor"] == row["factor"]) & (others["level"] == row["level"])]
    beside = [
        f"{METHODS[found['method']]}: {ratio_interval(found)}"
        for found in records_of(same[same["method"].isin(["cox_efron", "firth"]) & same["estimate"].notna()])
    ]
    yield SummaryFinding(
        headline=f"Smallest subgroup, {name}: {words.direction(row['p_gt_1'])}",
        text=f"{_size_words(n, events, whole)}. Hazard ratio {estimate_text(row)}; the probability "
        f"that it is above 1 is {probability_text(row['p_gt_1'])}.{_before(results, row)}"
        f"{f' Other methods{of_complete_cases(results)}:' if beside else ''}",
        items=tuple(beside),
        target="hazard-ratios",
        links=(),
        evidence=evidence_words(results.estimands),
    )


def _size_words(n: str, events: str, whole: str) -> str:
    why = "counts below 5, and what would tell them, are not shown"
    if n == "not shown":
        return f"A small part of {whole} patients ({why})"
    if events == "not shown":
        return f"{n} of {whole} patients; how many had the event would tell of few ({why})"
    return f"{n} of {whole} patients, {events} with the event"


def _before(results: FitResults, row: Record) -> str:
    """Where the prior put the same hazard ratio."""
    prior = results.implied[results.implied["estimand"] == "hazard_ratio"]
    same = prior[(prior["factor"] == row["factor"]) & (prior["level"] == row["level"])]
    if same.empty:
        return ""
    low, high = (ratio_text(float(same[name].iloc[0])) for name in ("q025", "q975"))
    return f" Before these patients, 95% of the prior lay between {low} and {high}."


def _ratios(results: FitResults) -> Iterator[SummaryFinding]:
    rows = ratios_by_size(results)
    if not rows:
        return
    words = FitWords(results.fit.question)
    compared = [row for row in rows if words.is_compared(row["factor"], row["level"])]
    clear = [row for row in compared if max(row["p_gt_1"], 1 - row["p_gt_1"]) >= CLEAR]
    named = [
        f"{words.ratio(row['factor'], row['level'])}: {estimate_text(row)}, "
        f"P(HR > 1) {probability_text(row['p_gt_1'])}, "
        f"{words.direction(row['p_gt_1']) if row in compared else NOT_COMPARED}"
        for row in rows[:MOST_NAMED]
    ]
    if len(rows) > MOST_NAMED:
        named.append(f"and {count_text(len(rows) - MOST_NAMED, 'more hazard ratio')}")
    yield SummaryFinding(
        headline=f"{len(clear)} of {count_text(len(rows), 'hazard ratio')} "
        f"{'has' if 1 in (len(rows), len(clear)) else 'have'} a clear direction",
        text="Each adjusted for the others, smallest subgroup first:",
        items=tuple(named),
        more=f"Clear means that one side of 1 has a probability of at least {probability_text(CLEAR)}; an interval "
        "that reaches 1 does not show that there is no effect.",
        target="hazard-ratios",
        links=(),
        evidence=evidence_words(results.estimands),
    )


def _cohort(results: FitResults) -> Iterator[SummaryFinding]:
    table, words = results.estimands, FitWords(results.fit.question)
    whole = table[(table["factor"] == "") & (table["population"] == "cohort")]
    median = records_of(whole[whole["estimand"] == "median"])[0]
    shares = records_of(whole[whole["estimand"] == "survival"])
    beside = f" Kaplan-Meier: {observed_median_words(results)}."
    late = (
        " It takes an event that was found at a visit to have happened then, so it runs late."
        if results.fit.question.rows.between.any()
        else ""
    )
    yield SummaryFinding(
        headline=f"{words.endpoint}: median {estimate_text(median)} months{_beyond(median, results)}",
        text=f"The cohort's patients on average, with 95% interval.{beside}{late}{late_entry_words(results.fit)} "
        f"{starting(words.event_free)}:",
        items=tuple(f"at {row['time']:g} months: {estimate_text(row)}{_beyond(row, results)}" for row in shares),
        target="survival",
        links=(),
        evidence=evidence_words(results.estimands),
    )


def _beyond(row: Record, results: FitResults) -> str:
    return f", {beyond_words(results)}" if is_beyond(row, results.fit) else ""


def _reliance(results: FitResults) -> Iterator[SummaryFinding]:
    """Whether the sampler converged; what else matters stands under a headline of its own, with what to do."""
    verdict, again = results.fit.convergence, attempts_words(attempts_of(results.fit.posterior))
    depends = [told for told in sensitivity_words(results) if told not in (NO_DEPENDENCE, NOT_COMPUTED)]
    warned = (*depends, *_influence(results))
    passes = "R-hat, effective sample sizes, E-BFMI and divergences all pass."
    if not verdict.ok:
        told = ("The sampler did not converge: do not use these numbers", TO_CONVERGE, verdict.reasons)
    elif warned:
        told = ("Before you rely on these numbers", f"The sampler converged: {passes}", warned)
    else:
        told = ("The sampler converged", passes, ())
    headline, text, items = told
    yield SummaryFinding(
        headline=headline,
        text=f"{text} {again}".strip(),
        items=items[:MOST_NAMED],
        target="priors" if verdict.ok and depends else "checks",
        links=(),
        evidence=evidence_words(results.estimands),
    )


def _influence(results: FitResults) -> Iterator[str]:
    """For how many patients the approximation of leaving one out cannot be relied on."""
    loo = results.diagnostics.set_index("measure")["value"]
    if bad := int(loo.get("n_high_pareto_k", 0.0)):
        yield (
            f"For {count_text(bad, 'patient')} leaving one out is approximated badly (Pareto k above "
            f"{number_text(loo['good_pareto_k'])}): choose no model by it alone."
        )


def unknown_counts(results: FitResults) -> list[str]:
    """Each factor whose missing values are summed, with the patients whom it concerns."""
    words, table = FitWords(results.fit.question), results.patients
    return [
        f"{words.factor(row['factor'])}: {count_of(row['n'])}"
        for row in records_of(table[(table["level"] == NOT_KNOWN) & (table["n"] != 0)])
    ]


def _not_known(results: FitResults) -> Iterator[SummaryFinding]:
    if unknown := unknown_counts(results):
        yield SummaryFinding(
            headline="Missing values are weighed, not filled in",
            text="Patients without a value stay in the analysis: both possible values count, each as likely as the "
            "patient's other factors and follow-up make it. Not known:",
            items=tuple(unknown),
            target="patients",
            links=(),
            evidence=evidence_words(results.estimands),
        )


def _left_out(results: FitResults) -> Iterator[SummaryFinding]:
    table, design = results.patients, results.fit.question.design
    yield from _shortened(results)
    if not design.n_lost:
        return
    whole = records_of(table)[0]
    named = _named_missing(results)
    left = starting(total_of(whole["n_missing"]))
    yield SummaryFinding(
        headline=f"{left} {'patient is' if design.n_lost == 1 else 'patients are'} left out for a missing value",
        text=f"The model uses the {total_of(whole['n'])} patients who have every covariate (complete cases). Nothing "
        "was filled in; if those left out differ, the answer may not hold for them. Missing:",
        items=tuple(named),
        target="patients",
        links=(),
        evidence=evidence_words(results.estimands),
    )


def _shortened(results: FitResults) -> Iterator[SummaryFinding]:
    """Patients of whom some stretches of follow-up have no value of a covariate (start-stop tables)."""
    n = results.fit.question.design.n_shortened
    if not n:
        return
    (told,) = shown_counts([n], kept_back=results.kept_back)
    yield SummaryFinding(
        headline=f"Of {told} {'patient' if n == 1 else 'patients'} a part of the follow-up is left out",
        text="In some of their rows a factor has no value. Those rows are not used, the others are: these patients "
        "count as watched for a part of their time only. Missing:",
        items=tuple(_named_missing(results)),
        target="patients",
        links=(),
        evidence=evidence_words(results.estimands),
    )


def _named_missing(results: FitResults) -> list[str]:
    """Each factor that lacks a value in patients or rows which are left out, with the patients whom it concerns."""
    words, table, lost = FitWords(results.fit.question), results.patients, results.fit.question.design.lost
    concerned = table[(table["factor"] != "") & table["factor"].map(lambda name: lost.get(name, 0) > 0)]
    return [
        f"{words.factor(row['factor'])}: {count_of(row['n_missing'])}"
        for row in records_of(concerned.drop_duplicates("factor"))
    ]
