"""Names in a report on a fit: what the model file and the cohort call their factors, levels and methods."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from pydantic import BaseModel

from ixa_bayes.cohort.summary import SMALL_CELL
from ixa_bayes.inference.survival.attempts import Attempt
from ixa_bayes.inference.survival.question import SurvivalQuestion
from ixa_bayes.inference.survival.tables import levels_held
from ixa_bayes.report.fit.results import NOT_KNOWN, FitResults
from ixa_bayes.report.wording import interval_text, number_text, percent_text, points_text, ratio_text

METHODS: Final[Mapping[str, str]] = {
    "posterior": "Posterior (this model)",
    "cox_efron": "Cox, ties by Efron",
    "cox_breslow": "Cox, ties by Breslow",
    "firth": "Cox, Firth's penalty",
    "weibull_mle": "Weibull, maximum likelihood",
    "piecewise_mle": "Piecewise, max. likelihood",
}
CLEAR: Final = 0.975
LEANS: Final = 0.8
"""Probabilities of one side of 1 from which the page calls a direction clear, and from which it leans."""
_PRIORS: Final[Mapping[str, str]] = {
    "normal": "normal, mean {mean:g}, sd {sd:g}",
    "student_t": "Student t, location {location:g}, scale {scale:g}, {df:g} degrees of freedom",
    "horseshoe": "regularised horseshoe over a set: global scale {global_scale:g}, slab scale {slab_scale:g} with "
    "{slab_df:g} degrees of freedom",
    "r2d2": "R2D2 over a set: R² with mean {r2_mean:g} and precision {r2_precision:g}, concentration {concentration:g}",
}
_NUMBERED: Final = ("0", "1")
NOT_COMPARED: Final = "the same for everybody, so no patient tells of it"
"""What stands beside a hazard ratio about which no patient says anything."""


@dataclass(frozen=True, eq=False)
class FitWords:
    """Names of the endpoint, the factors and their levels, as model file and cohort have them.

    Parameters
    ----------
    question : SurvivalQuestion
    """

    question: SurvivalQuestion

    @property
    def endpoint(self) -> str:
        """Label of the endpoint."""
        return str(self._of_endpoint.get("label") or self.question.analysis.endpoint)

    @property
    def event_free(self) -> str:
        """What patients without the event are called."""
        return str(self._of_endpoint.get("event_free", "event-free"))

    @property
    def curve(self) -> str:
        """What the height of a survival curve is the share of."""
        return self.endpoint if self.better == "later" else self.event_free

    @property
    def better(self) -> str:
        """Whether it is better to have the event ``later`` or ``sooner``."""
        return str(self._of_endpoint.get("better", "later"))

    @property
    def above_1(self) -> str:
        """What a hazard ratio above 1 means for the outcome: worse, or better where the event is a good one."""
        return "better" if self.better == "sooner" else "worse"

    @property
    def _of_endpoint(self) -> Mapping[Hashable, Any]:
        return self.question.cohort.follow_up[self.question.analysis.endpoint].attrs

    def direction(self, p_above_1: float) -> str:
        """What a probability that a hazard ratio exceeds 1 says, in words."""
        p = max(p_above_1, 1 - p_above_1)
        side = "worse" if (p_above_1 > 0.5) == (self.above_1 == "worse") else "better"
        if p >= CLEAR:
            return f"clearly a {side} outcome"
        return f"leans to a {side} outcome" if p >= LEANS else "open which way"

    def factor(self, covariate: str) -> str:
        """Label of a covariate; its own name where it is none of the model's."""
        term = self.question.design.terms.get(covariate)
        return term.label if term else covariate.replace("_", " ")

    def level(self, covariate: str, level: str) -> str:
        """A level: the cohort's word for it, yes or no where it has none."""
        term = self.question.design.terms[covariate]
        if term.kind != "binary" or level == NOT_KNOWN:
            return level.replace("_", " ")
        own = self._own_levels(covariate)
        return (own or ("no", "yes"))[int(float(level))]

    def comparison(self, covariate: str, level: str) -> str:
        """What a hazard ratio compares: ``Stage: III v I``, ``Age, per 10 years``; a plain yes needs no word."""
        term = self.question.design.terms[covariate]
        if term.kind == "continuous":
            return term.label if term.reference in term.label else f"{term.label}, {term.reference}"
        if term.kind == "binary" and not self._own_levels(covariate):
            return term.label
        return f"{term.label}: {self.level(covariate, level)} v {self.level(covariate, term.reference)}"

    def ratio(self, covariate: str, level: str) -> str:
        """What a hazard ratio compares, and that it is a mean if the effect changes over time."""
        over_time = ", mean over time" if covariate in self.question.changing else ""
        return f"{self.comparison(covariate, level)}{over_time}"

    def reference_profile(self) -> str:
        """The level or value of each factor that the baseline is about; empty without factors."""
        return "; ".join(
            f"{term.label}: {self._reference_of(name)}" for name, term in self.question.design.terms.items()
        )

    def _reference_of(self, covariate: str) -> str:
        term = self.question.design.terms[covariate]
        if term.kind == "continuous":
            column = self.question.analysis.covariates[covariate].expression(covariate).column
            return f"{term.centre:g} {self.question.cohort.declared[column].unit}".rstrip()
        if term.kind == "factor" or term.centre in (0, 1):
            return self.level(covariate, f"{term.centre:g}" if term.kind == "binary" else term.reference)
        return f"{term.centre:g} of the way from {self.level(covariate, '0')} to {self.level(covariate, '1')}"

    def is_compared(self, covariate: str, level: str) -> bool:
        """Whether the patients differ in what a hazard ratio compares; else no patient tells of it."""
        term, design = self.question.design.terms[covariate], self.question.design
        if term.kind == "continuous":
            return design.matrix[covariate].nunique() > 1
        return {level, term.reference} <= set(levels_held(design, covariate))

    def held_by_nobody(self) -> list[str]:
        """Levels that no patient has, which no curve or average is told of."""
        design, told = self.question.design, []
        for name, term in design.terms.items():
            if term.kind != "continuous":
                held = levels_held(design, name)
                told += [self.group(name, level) for level in (term.reference, *term.levels) if level not in held]
        return told

    def group(self, covariate: str, level: str) -> str:
        """Patients at a level: ``Stage: III``; all of them where no covariate is named."""
        return f"{self.factor(covariate)}: {self.level(covariate, level)}" if covariate else "all patients"

    def _own_levels(self, covariate: str) -> tuple[str, ...]:
        """The cohort's words for the two values of a binary covariate that is one of its columns, if it has any."""
        expression = self.question.analysis.covariates[covariate].expression(covariate)
        levels = self.question.cohort.declared[expression.column].levels
        return () if expression.operator or levels == _NUMBERED else levels


def attempts_words(attempts: Sequence[Attempt]) -> str:
    """How often the sampler ran and why, where it was more than once."""
    if len(attempts) < 2:
        return ""
    told = [
        f"at a target acceptance rate of {run.target_accept:g} {run.divergent_share:.2%} of draws diverged"
        for run in attempts
    ]
    (reported,) = (run.target_accept for run in attempts if run.reported)
    furthest = max(run.moved for run in attempts)
    moved = (
        ""
        if np.isnan(furthest)
        else f"; no median of a log hazard ratio moved by more than {furthest:.2f} posterior standard deviations"
    )
    return f"Sampled {len(attempts)} times: {', '.join(told)}. The run at {reported:g} is reported{moved}."


def starting(text: str) -> str:
    """A text with a capital at its start, unless its first word has capitals of its own (pCR)."""
    first = text.partition(" ")[0]
    return f"{text[0].upper()}{text[1:]}" if first.islower() else text


def estimate_text(row: Mapping[str, Any]) -> str:
    """Median and 95% interval of an estimand in its own unit, no finer than its Monte Carlo error allows."""
    estimand, error = str(row["estimand"]), float(row.get("mcse", 0.0))
    word: Callable[[float, float], str]
    if row["unit"] == "ratio":
        word = ratio_text
    elif estimand.endswith("_difference") and row["unit"] == "probability":
        word = points_text
    else:
        word = percent_text if row["unit"] == "probability" else number_text
    middle, low, high = (word(float(row[name]), error) for name in ("median", "q025", "q975"))
    return f"{middle} ({interval_text(low, high)})"


def observed_median_words(results: FitResults) -> str:
    """Kaplan-Meier's median of all patients used, or why there is none."""
    curves = results.curves
    same = (curves["factor"] == "") & (curves["quantity"] == "median") & (curves["interval"] == "log-log")
    (estimate, note) = curves.loc[same, ["estimate", "note"]].iloc[0]
    if np.isfinite(estimate):
        return f"{number_text(float(estimate))} months"
    return f"not shown (fewer than {SMALL_CELL} patients)" if "not shown" in note else "not reached"


def months_text(months: float) -> str:
    """Months to three significant digits; a prior may reach thousands of them."""
    return f"{months:,.0f}" if months >= 999.5 else number_text(months)


def prior_words(prior: BaseModel) -> str:
    """A prior of a log hazard ratio with its numbers."""
    numbers = prior.model_dump()
    return _PRIORS[numbers["kind"]].format_map(numbers)


def ratio_interval(row: Mapping[str, Any]) -> str:
    """A hazard ratio of the cross-check with its interval; the reason where there is none."""
    estimate, lower, upper = (float(row[name]) for name in ("estimate", "lower", "upper"))
    if np.isnan(estimate):
        return str(row["note"]).split("; ", maxsplit=1)[0] or "not available"
    if np.isnan([lower, upper]).any():
        return f"{'0' if estimate == 0 else ratio_text(estimate)} (no interval)"
    return f"{ratio_text(estimate)} ({interval_text(ratio_text(lower), ratio_text(upper))})"
