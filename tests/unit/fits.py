"""A fit for tests of its report: a small cohort whose labels hold HTML, and a posterior that is written down."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ixa_bayes.cohort.table import read_cohort
from ixa_bayes.inference.diagnostics import convergence
from ixa_bayes.inference.survival.fitting import LOG_LIKELIHOOD, SurvivalFit
from ixa_bayes.inference.survival.parameters import judged, log_prior, parameters_of, unit_log_likelihood
from ixa_bayes.inference.survival.prior import implied_by_prior
from ixa_bayes.inference.survival.question import SurvivalQuestion, question_of
from ixa_bayes.models.analysis import read_model
from ixa_bayes.models.survival_analysis import SurvivalAnalysis
from ixa_bayes.report.fit.results import FitResults, fit_results
from ixa_bayes.report.record import Provenance

PRIOR = {"kind": "normal", "mean": 0.0, "sd": 1.0, "source": "test"}
LEVEL = {"median": {"months": 12.0, "log_sd": 1.0, "source": "test"}}
BASELINES: dict[str, dict[str, Any]] = {
    "weibull": {"law": "weibull", "shape": {"log_sd": 0.5, "source": "test"}} | LEVEL,
    "piecewise": {"law": "piecewise_exponential", "cuts": [4.0, 9.0]} | LEVEL,
}
COVARIATES: dict[str, dict[str, Any]] = {
    "marker": {"prior": PRIOR, "missing": "marginalise", "label": "Marker <script>alert('marker')</script>"},
    "stage": {"prior": PRIOR, "label": "Stage"},
    "sex": {"prior": PRIOR, "label": "Sex"},
    "age_decades": {"from": "age", "per": 10, "centre": 60, "prior": PRIOR, "label": "Age"},
}
BETA = {"marker": 0.8, "stage[b]": 0.3, "stage[c]": 0.9, "sex": 0.0, "age_decades": 0.15}
MEDIAN, SHAPE = 11.0, 1.2
RARE = 3
"""Patients of stage c: fewer than may be shown of real ones."""
CHAINS, DRAWS = 4, 120
ID = "EVERY-ID-STARTS-LIKE-THIS"


def patients(size: int = 90) -> pd.DataFrame:
    """Patients as the model and BETA make them: three of a rare level, events found at visits, markers not known."""
    rng = np.random.default_rng(5)
    marker, male = rng.integers(0, 2, size), rng.integers(0, 2, size)
    stage, age = rng.choice(["a", "b"], size), rng.integers(45, 85, size)
    stage[:RARE] = "c"
    eta = BETA["marker"] * marker + BETA["stage[b]"] * (stage == "b") + BETA["stage[c]"] * (stage == "c")
    eta = eta + BETA["age_decades"] * (age - 60) / 10
    exact = MEDIAN * (rng.exponential(size=size) / np.log(2) / np.exp(eta)) ** (1 / SHAPE)
    last = rng.uniform(6, 40, size)
    at_visits = rng.random(size) < 0.5
    seen = np.where(at_visits, np.ceil(exact), exact)
    event = seen <= last
    return pd.DataFrame(
        {
            "patient": [f"{ID}-{number}" for number in range(size)],
            "pfs_time": np.where(event, seen, last).round(3) + 0.001,
            "pfs_time_lower": np.where(event & at_visits, np.ceil(exact) - 1, np.nan),
            "pfs_event": event.astype(int),
            "marker": np.where(np.arange(size) % 15 == 4, np.nan, marker),
            "stage": stage,
            "sex": np.where(male == 1, "male", "female"),
            "age": age,
        }
    )


def question(
    *,
    law: str = "weibull",
    evidence_kind: str = "simulated",
    covariates: dict[str, dict[str, Any]] | None = None,
    table: pd.DataFrame | None = None,
    endpoints: dict[str, dict[str, Any]] | None = None,
    levels: tuple[str, ...] = ("a", "b", "c"),
    reference: str = "",
) -> SurvivalQuestion:
    """A question about :func:`patients`, or a table like it, whose stages are ``levels``, the first for reference."""
    people = patients() if table is None else table
    description = {
        "name": "toy",
        "evidence_kind": evidence_kind,
        "columns": {"weight": "weight"} if "weight" in people else {},
        "endpoints": endpoints or {"pfs": {"label": "Progression <i>free</i>"}},
        "covariates": {
            "marker": {"kind": "binary"},
            "stage": {"kind": "categorical", "levels": list(levels), "reference": reference or levels[0]},
            "sex": {"kind": "binary", "levels": ["female", "male"]},
            "age": {"kind": "continuous", "unit": "years"},
        },
    }
    analysis = SurvivalAnalysis.model_validate(
        {
            "kind": "survival",
            "name": "toy_model",
            "title": "A toy <b>model</b>",
            "endpoint": "pfs",
            "baseline": BASELINES[law],
            "covariates": COVARIATES if covariates is None else covariates,
            "estimands": {"times": [3, 12], "horizon": 12},
        }
    )
    return question_of(analysis, read_cohort(people, description=description))


def written_fit(asked: SurvivalQuestion, *, apart: float = 0.0, level: float = 0.0, spread: float = 1.0) -> SurvivalFit:
    """A posterior of independent normal draws around the truth.

    With ``apart`` the chains disagree; ``level`` shifts the log median away from the truth, ``spread`` scales the
    standard deviations.
    """
    rng = np.random.default_rng(3)
    size = (CHAINS, DRAWS)
    shift = apart * np.arange(CHAINS)[:, None]
    names = list(asked.design.priors)
    raw: dict[str, Any] = {}
    if names:
        beta = np.array([BETA.get(name, BETA["stage[b]"]) for name in names])
        raw["normal"] = (("chain", "draw", "n"), beta + rng.normal(0, 0.2 * spread, (*size, len(names))))
    if asked.structure.law == "weibull":
        raw["log_shape"] = (("chain", "draw"), rng.normal(np.log(SHAPE), 0.08 * spread, size))
        raw["level"] = (("chain", "draw"), rng.normal(np.log(MEDIAN), 0.12 * spread, size) + level + shift)
    else:
        raw["log_hazard"] = (("chain", "draw", "h"), rng.normal(-2.6, 0.2, (*size, 3)) + shift[:, :, None])
    if asked.patterns.covariates:
        n_predictors = asked.patterns.predictors.shape[1]
        raw["missing_intercept"] = (("chain", "draw", "m"), rng.normal(0, 0.3, (*size, 1)))
        raw["missing_coefficient"] = (("chain", "draw", "m", "p"), rng.normal(0, 0.3, (*size, 1, n_predictors)))
    if asked.structure.changing:
        counts, n_steps = asked.structure.changing, asked.structure.n_intervals - 1
        raw["change_sd"] = (("chain", "draw", "c"), np.abs(rng.normal(0.5, 0.1, (*size, len(counts)))))
        raw["change_z"] = (("chain", "draw", "k", "s"), rng.normal(1.0, 0.5, (*size, sum(counts), n_steps)))
    coords = {"chain": np.arange(CHAINS), "draw": np.arange(DRAWS)}
    parameters = parameters_of(xr.Dataset(raw, coords=coords), asked)
    stats = {
        "energy": (("chain", "draw"), rng.normal(size=size)),
        "diverging": (("chain", "draw"), np.zeros(size, dtype=bool)),
    }
    terms = unit_log_likelihood(parameters, asked)
    posterior = xr.DataTree.from_dict(
        {
            "posterior": parameters,
            "sample_stats": xr.Dataset(stats, coords=coords),
            "log_prior": log_prior(parameters, asked),
            "log_likelihood": terms.to_dataset(name=LOG_LIKELIHOOD),
        }
    )
    posterior.attrs.update(
        program=asked.structure.name, model_sha256=asked.analysis.sha256, data_sha256=asked.data_sha256()
    )
    verdict = convergence(posterior, quantities=judged(parameters))
    return SurvivalFit(asked, posterior, verdict if apart else replace(verdict, ok=True, reasons=()))


def results_of(fit: SurvivalFit, *, show_small_cells: bool = False) -> FitResults:
    """Everything that a report on a fit shows."""
    made_with = Provenance("toy_model on toy", {"cohort toy": "0" * 64}, {"ixa-bayes": "0"}, 7, "2026-01-01T00:00:00")
    model = replace(read_model("pfs_weibull"), analysis=fit.question.analysis)
    implied = implied_by_prior(fit.question, 1, size=500)
    return fit_results(fit, model, implied=implied, provenance=made_with, show_small_cells=show_small_cells)
