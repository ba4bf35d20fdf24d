"""Cohorts in which other methods fail or mislead: a fit says what it can and names what is odd, without a warning."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ixa_bayes.cohort.table import read_cohort
from ixa_bayes.errors import InputError
from ixa_bayes.inference.survival import fit_survival
from ixa_bayes.inference.survival_question import question_of
from ixa_bayes.inference.survival_tables import estimand_table
from ixa_bayes.models.survival_analysis import SurvivalAnalysis
from ixa_bayes.report.fit.results import crosscheck_of, curves_of, diagnostics_of, situations_of

pytestmark = pytest.mark.compiles

N = 40
SD = 1.0
PRIOR = {"kind": "normal", "mean": 0.0, "sd": SD, "source": "test"}
LEVEL = {"median": {"months": 12.0, "log_sd": 1.0, "source": "test"}}
WEIBULL = {"law": "weibull", "shape": {"log_sd": 0.5, "source": "test"}} | LEVEL


def _analysis(baseline: dict[str, Any] = WEIBULL) -> SurvivalAnalysis:
    content = {"kind": "survival", "name": "m", "title": "t", "endpoint": "os", "baseline": baseline}
    content |= {"sampler": {"target_accept": 0.95}}  # one patient tells so little that the prior's tails are reached
    return SurvivalAnalysis.model_validate(content | {"covariates": {"a": {"prior": PRIOR}, "b": {"prior": PRIOR}}})


def _table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    columns = {"os_time": rng.exponential(10, N).round(1) + 0.1, "os_event": rng.integers(0, 2, N)}
    return pd.DataFrame({"patient": range(N), **columns, "a": rng.integers(0, 2, N), "b": rng.integers(0, 2, N)})


ODD: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str]] = {
    "no events": (lambda t: t.assign(os_event=0), "no_events"),
    "all events": (lambda t: t.assign(os_event=1), "all_events"),
    "one event": (lambda t: t.assign(os_event=(t.index == 3).astype(int)), "one_event"),
    "a constant covariate": (lambda t: t.assign(a=1), "constant_covariate"),
    "a covariate equal to another": (lambda t: t.assign(b=t["a"]), "duplicated_covariates"),
    "perfect separation": (lambda t: t.assign(a=t["os_event"]), "separation"),
    "one patient": (lambda t: t.iloc[:1].assign(os_event=1), "one_event"),
}


@pytest.mark.parametrize("name", ODD)
def test_a_fit_of_an_odd_cohort_says_what_it_can(name: str) -> None:
    change, situation = ODD[name]
    fit = fit_survival(question_of(_analysis(), read_cohort(change(_table()))), seed=1)
    assert fit.convergence.ok, fit.convergence.reasons
    kinds = {found.kind for found in situations_of(fit, kept_back=False)}
    assert situation in kinds
    ratios = estimand_table(fit).query("estimand == 'hazard_ratio'")
    assert np.isfinite(ratios[["median", "q025", "q975"]].to_numpy()).all()
    crosscheck = crosscheck_of(fit, kept_back=False)
    assert set(crosscheck.loc[crosscheck["quantity"] == "hazard_ratio", "factor"]) == {"a", "b"}
    assert not curves_of(fit, kept_back=False).empty
    assert diagnostics_of(fit)["ok"].all()


def test_a_covariate_without_variation_keeps_its_prior() -> None:
    fit = fit_survival(question_of(_analysis(), read_cohort(_table().assign(a=0))), seed=2)
    draws = fit.posterior["posterior"]["log_hazard_ratio"].sel(coefficient="a")
    assert float(draws.mean()) == pytest.approx(0.0, abs=0.1)
    assert float(draws.std()) == pytest.approx(SD, abs=0.1)


def test_the_sum_of_two_equal_covariates_is_known_as_well_as_one() -> None:
    table = _table()
    one = fit_survival(question_of(_analysis(), read_cohort(table.assign(b=0))), seed=3)
    two = fit_survival(question_of(_analysis(), read_cohort(table.assign(b=table["a"]))), seed=3)
    alone = one.posterior["posterior"]["log_hazard_ratio"].sel(coefficient="a")
    together = two.posterior["posterior"]["log_hazard_ratio"].sum("coefficient")
    # The sum has a prior twice as wide in variance, so it lies a little further from 0 and is a little wider.
    assert float(together.mean()) == pytest.approx(float(alone.mean()), abs=0.15)
    assert float(alone.std()) <= float(together.std()) <= 1.3 * float(alone.std())


def test_quantiles_of_events_need_events() -> None:
    baseline = {"law": "piecewise_exponential", "n_intervals": 3} | LEVEL
    with pytest.raises(InputError, match="give `cuts` in months"):
        question_of(_analysis(baseline), read_cohort(_table().assign(os_event=0)))
