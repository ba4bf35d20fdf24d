"""How Cox, Firth and the package's models fare with a subgroup of 15: ``python -m benchmarks.small_subgroup``.

Cohorts like the index study's (126 patients, some 42 deaths, seven factors with its prevalences) are drawn from
a Weibull proportional-hazards law of known hazard ratios, and every method estimates the log hazard ratio of
the 15 patients with extramedullary disease, adjusted for the six other factors. Writes ``docs/small_subgroup.csv``.
Half an hour of the processors: estimates are kept cohort by cohort, and a run that was stopped goes on where it was.
"""

import argparse
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ixa_bayes.cohort.table import read_cohort
from ixa_bayes.crosscheck.cox import cox
from ixa_bayes.crosscheck.firth import firth_cox
from ixa_bayes.crosscheck.observations import NotAvailableError
from ixa_bayes.inference.sampling import SamplerSettings, sample
from ixa_bayes.inference.survival.fitting import survival_program
from ixa_bayes.inference.survival.parameters import parameters_of
from ixa_bayes.inference.survival.question import question_of
from ixa_bayes.models.survival_analysis import SurvivalAnalysis

SMALL: Final = "extramedullary_disease"
N_PATIENTS: Final = 126
N_WITH: Final = {
    "gfr_le_70": 35,
    "triple_class_refractory": 21,
    SMALL: 15,
    "high_risk_cytogenetics": 38,
    "age_ge_80": 37,
    "pi_refractory": 45,
    "prior_lines_gt_1": 63,
}
"""Patients with each factor; who is triple-class refractory is refractory to a proteasome inhibitor too."""
OTHERS: Final = {
    "gfr_le_70": 0.5,
    "triple_class_refractory": 0.7,
    "high_risk_cytogenetics": 0.4,
    "age_ge_80": 0.5,
    "pi_refractory": 0.3,
    "prior_lines_gt_1": 0.2,
}
"""True log hazard ratios of the other factors."""
SHAPE: Final = 1.1
MEDIAN_AT_REFERENCE: Final = 82.0
"""Months, of a patient with no factor: with the censoring below, some 42 deaths."""
CENSORED_BETWEEN: Final = (6.0, 42.0)
HAZARD_RATIOS: Final = (1.0, 2.0, 4.0)
"""True ones of the small subgroup."""
SAMPLER: Final = SamplerSettings(draws=300, tune=300, target_accept=0.9)
OUTPUT: Final = Path(__file__).parents[1] / "docs" / "small_subgroup.csv"
KEPT: Final = Path(__file__).parents[1] / "results" / "small_subgroup"

FloatArray = NDArray[np.float64]
PRIOR: Final = {"kind": "normal", "mean": 0.0, "sd": 1.0, "source": "weakly informative"}
_MEDIAN: Final = {"median": {"months": 24.0, "log_sd": 1.0, "source": "weakly informative"}}
BASELINES: Final[Mapping[str, Mapping[str, Any]]] = {
    "Weibull": {"law": "weibull", "shape": {"log_sd": 0.5, "source": "weakly informative"}, **_MEDIAN},
    "piecewise": {
        "law": "piecewise_exponential",
        "cuts": [6.0, 12.0, 24.0],
        "walk": {"scale": 0.5, "source": "weakly informative"},
        **_MEDIAN,
    },
}


@dataclass(frozen=True)
class Estimate:
    """What one method says of the small subgroup's log hazard ratio; not finite where it has no answer."""

    value: float
    lower: float
    upper: float


Method = Callable[[pd.DataFrame, int], Estimate]


def cohort(truth: float, rng: np.random.Generator) -> pd.DataFrame:
    """Patients with their factors and follow-up in months."""
    with_factor = {name: rng.permutation(np.arange(N_PATIENTS) < size) for name, size in N_WITH.items()}
    triple = with_factor["triple_class_refractory"]
    pi_only = rng.permutation(np.flatnonzero(~triple))[: N_WITH["pi_refractory"] - triple.sum()]
    with_factor["pi_refractory"] = triple | np.isin(np.arange(N_PATIENTS), pi_only)
    log_ratio = sum(value * with_factor[name] for name, value in (OTHERS | {SMALL: truth}).items())
    needed = rng.exponential(size=N_PATIENTS) / (np.log(2) * np.exp(log_ratio))
    death, censoring = MEDIAN_AT_REFERENCE * needed ** (1 / SHAPE), rng.uniform(*CENSORED_BETWEEN, N_PATIENTS)
    table = pd.DataFrame(
        {"patient": range(N_PATIENTS)} | {name: flag.astype(int) for name, flag in with_factor.items()}
    )
    return table.assign(os_time=np.minimum(death, censoring), os_event=(death <= censoring).astype(int))


def by_cox(table: pd.DataFrame, seed: int) -> Estimate:
    """Cox's estimate with Wald's interval; infinite under separation."""
    found = cox(table["os_time"], table["os_event"], design=table[list(N_WITH)].astype(float)).log_hazard_ratios
    return Estimate(*found.loc[SMALL, ["estimate", "lower", "upper"]])


def by_firth(table: pd.DataFrame, seed: int) -> Estimate:
    """Firth's estimate with the interval of the penalised profile likelihood."""
    found = firth_cox(table["os_time"], table["os_event"], design=table[list(N_WITH)].astype(float)).log_hazard_ratios
    return Estimate(*found.loc[SMALL, ["estimate", "lower", "upper"]])


def by_model(law: str) -> Method:
    """Posterior median with the 95% equal-tailed interval of a model of the package."""
    analysis = SurvivalAnalysis.model_validate(
        {"kind": "survival", "name": law.lower(), "title": law, "endpoint": "os", "baseline": BASELINES[law]}
        | {"covariates": {name: {"prior": PRIOR} for name in N_WITH}}
    )

    def estimate(table: pd.DataFrame, seed: int) -> Estimate:
        question = question_of(analysis, read_cohort(table))
        drawn = sample(survival_program(question.structure), question.data(), settings=SAMPLER, seed=seed)
        parameters = parameters_of(drawn["posterior"].to_dataset(), question)
        draws = parameters["log_hazard_ratio"].sel(coefficient=SMALL).to_numpy()
        lower, middle, upper = np.quantile(draws, [0.025, 0.5, 0.975])
        return Estimate(float(middle), float(lower), float(upper))

    return estimate


def run(truth: float, cohorts: Iterable[int], seed: int, methods: Mapping[str, Method]) -> Iterator[pd.DataFrame]:
    """Estimates of every method, one row each, cohort by cohort; a cohort depends on its number and the seed alone."""
    for index in cohorts:
        table = cohort(truth, np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index,))))
        events = {"events": table["os_event"].sum(), "events_small": table.loc[table[SMALL] == 1, "os_event"].sum()}
        rows = []
        for method, estimate in methods.items():
            try:
                found = estimate(table, index)
            except NotAvailableError:  # counted as no answer
                found = Estimate(math.nan, math.nan, math.nan)
            rows.append({"cohort": index, "method": method} | events | vars(found))
        yield pd.DataFrame(rows)


def resumed(path: Path, truth: float, n_cohorts: int, seed: int, methods: Mapping[str, Method]) -> pd.DataFrame:
    """Estimates of the first cohorts: those kept in a file, and the rest, which are added to it one cohort at a time.

    Parameters
    ----------
    path : Path
        CSV of one truth and one seed; its last cohort is drawn again if it was cut off halfway.
    truth : float
        Log hazard ratio.
    n_cohorts, seed : int
    methods : mapping
        Name and estimate of each method.

    Returns
    -------
    pd.DataFrame
        As of :func:`run`.
    """
    kept = [pd.DataFrame()]
    if path.exists():
        found = pd.read_csv(path)
        whole = found.dropna(subset=["cohort", "method"]).groupby("cohort")["method"].transform("size") == len(methods)
        kept = [found[whole & (found["cohort"] < n_cohorts)]]
        found[whole].to_csv(path, index=False)
    done = set(kept[0].get("cohort", []))
    path.parent.mkdir(parents=True, exist_ok=True)
    for rows in run(truth, [index for index in range(n_cohorts) if index not in done], seed, methods):
        rows.to_csv(path, mode="a", index=False, header=not path.exists())
        kept.append(rows)
    return pd.concat(kept, ignore_index=True).sort_values("cohort", kind="stable")


def summarise(estimates: pd.DataFrame, truth: float) -> pd.DataFrame:
    """Bias, error, coverage and width of each method, each with its Monte Carlo standard error.

    ``no_answer`` counts cohorts where the estimate is infinite or missing or a limit is missing; they are in
    ``median_error`` (median absolute error, which is infinite in them unless there is a finite estimate) and in no
    other average.
    """
    rows = []
    for method, found in estimates.groupby("method", sort=False):
        error = found["value"].to_numpy(dtype=float) - truth
        answered = np.isfinite(found[["value", "lower", "upper"]].to_numpy(dtype=float)).all(axis=1)
        good = found[answered]
        covers = ((good["lower"] <= truth) & (truth <= good["upper"])).to_numpy()
        kept, n = error[answered], int(answered.sum())
        rmse = np.sqrt(np.mean(kept**2))
        rows.append(
            {
                "true_hazard_ratio": np.exp(truth),
                "method": method,
                "cohorts": len(found),
                "no_answer": len(found) - n,
                "mean_events": found["events"].mean(),
                "mean_events_small": found["events_small"].mean(),
                "bias": kept.mean(),
                "bias_mcse": kept.std(ddof=1) / np.sqrt(n),
                "rmse": rmse,
                "rmse_mcse": (kept**2).std(ddof=1) / np.sqrt(n) / (2 * rmse),
                "median_error": np.median(np.nan_to_num(np.abs(error), nan=np.inf)),
                "coverage": covers.mean(),
                "coverage_mcse": np.sqrt(covers.mean() * (1 - covers.mean()) / n),
                "mean_width": (good["upper"] - good["lower"]).mean(),
            }
        )
    return pd.DataFrame(rows)


def main() -> None:
    """Run the simulation, or the rest of it, and write its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cohorts", type=int, default=500)
    parser.add_argument("--seed", type=int, default=20261125)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--kept", type=Path, default=KEPT, help="folder of the estimates; remove it to start afresh")
    parser.add_argument("--hazard-ratios", type=float, nargs="+", default=HAZARD_RATIOS)
    asked = parser.parse_args()
    methods = {"Cox": by_cox, "Firth": by_firth, **{law: by_model(law) for law in BASELINES}}
    tables = []
    for ratio in asked.hazard_ratios:
        start, truth = time.perf_counter(), math.log(ratio)
        estimates = resumed(asked.kept / f"{ratio:g}_{asked.seed}.csv", truth, asked.cohorts, asked.seed, methods)
        tables.append(summarise(estimates, truth))
        pd.concat(tables).round(4).to_csv(asked.output, index=False)
        print(f"hazard ratio {ratio:g}: {asked.cohorts} cohorts in {time.perf_counter() - start:.0f} s")
        print(tables[-1].round(3).to_string(index=False), flush=True)


if __name__ == "__main__":
    main()
