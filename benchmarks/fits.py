"""A further fit of 126 patients beside its peers, in one process: what it takes, and the effective draws per second."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Final

import arviz as az
import numpy as np
import pandas as pd
import pymc as pm
import xarray as xr

from benchmarks.clock import Cost, middle, timed
from benchmarks.cohorts import FACTORS, analysis, index_table, question
from ixa_bayes.inference.sampling import CHAINS, SamplerSettings, sample
from ixa_bayes.inference.survival.fitting import fit_survival, survival_model, survival_program
from ixa_bayes.inference.survival.parameters import parameters_of
from ixa_bayes.inference.survival.question import SurvivalQuestion
from ixa_bayes.inference.survival.tables import estimand_table
from ixa_bayes.models.survival_analysis import SurvivalAnalysis

REPEATS: Final = 5
HEADER: Final = (
    "| fit | s | of the first | CPU s | of the first | smallest bulk ESS of the coefficients | sampling s "
    "| ESS per s of it |",
    "|---|---|---|---|---|---|---|---|",
)


@dataclass(frozen=True)
class Measured:
    """One kind of fit.

    Attributes
    ----------
    name : str
    cost : Cost
        Of all of it.
    ess : float
        Smallest bulk effective sample size of the coefficients.
    sampling : float
        Seconds by the clock of the sampling alone.
    """

    name: str
    cost: Cost
    ess: float
    sampling: float


def measure(*, draws: int = 1000, tune: int = 500, repeats: int = REPEATS) -> list[str]:
    """The table of all fits, as Markdown; every ratio is to the first line.

    Parameters
    ----------
    draws, tune : int
        Of each of four chains.
    repeats : int
        Of each fit of ours; a peer's is made once, and again where what it keeps between fits could help it.
    """
    model = partial(analysis, draws=draws, tune=tune)
    table = index_table()
    seven = question(model("Weibull"), table)
    cases = {
        "Weibull, 7 covariates": seven,
        "Weibull, 5 covariates": question(model("Weibull", factors=FACTORS[:5]), table),
        "piecewise, 10 intervals, 7 covariates": question(model("piecewise"), table),
        "Weibull, 7 covariates, horseshoe": question(model("Weibull", horseshoe=True), table),
    }
    found = []
    for name, asked in cases.items():
        found += ours(name, asked, repeats)
    found.append(by_pymc(seven))
    notes = []
    if find_spec("bambi"):
        found += by_bambi(table, seven.analysis)
    else:
        notes.append("bambi is not installed (`uv sync --group bench` brings it): not measured.")
    if shutil.which("Rscript") is None:
        notes.append("There is no Rscript here: R's peers are not measured.")
    return [*rows(found), "", *notes]


def rows(found: Sequence[Measured]) -> list[str]:
    """Fits as lines of a Markdown table."""
    first = found[0].cost
    return [
        *HEADER,
        *(
            f"| {fit.name} | {fit.cost.wall:.2f} | {fit.cost.wall / first.wall:.1f} | {fit.cost.cpu:.2f} "
            f"| {fit.cost.cpu / first.cpu:.1f} | {fit.ess:.0f} | {fit.sampling:.2f} | {fit.ess / fit.sampling:.0f} |"
            for fit in found
        ),
    ]


def ours(name: str, asked: SurvivalQuestion, repeats: int) -> list[Measured]:
    """Further fits of a structure that is compiled: sampling alone, and with all that ``fit`` makes of the draws."""
    program, data, settings = survival_program(asked.structure), asked.data(), settings_of(asked.analysis)
    _whole(asked, 0)  # the first of all compiles and imports
    alone, everything, sizes = [], [], []
    for seed in range(1, repeats + 1):
        drawn, cost = timed(partial(sample, program, data, settings=settings, seed=seed))
        alone.append(cost)
        sizes.append(smallest_ess(parameters_of(drawn["posterior"].to_dataset(), asked)["log_hazard_ratio"]))
        everything.append(timed(partial(_whole, asked, seed))[1])
    ess, sampling = float(np.median(sizes)), middle(alone).wall
    return [
        Measured(f"{name}: sampling", middle(alone), ess, sampling),
        Measured(f"{name}: with log-likelihood, log prior, verdict, estimands", middle(everything), ess, sampling),
    ]


def _whole(asked: SurvivalQuestion, seed: int) -> pd.DataFrame:
    return estimand_table(fit_survival(asked, seed=seed))


def by_pymc(asked: SurvivalQuestion) -> Measured:
    """PyMC's own NUTS on the same model, compilation included, chain after chain so that their CPU time counts here."""
    settings = settings_of(asked.analysis)

    def fit() -> xr.DataTree:
        model = survival_model(asked.structure)
        for name, value in asked.data().items():
            model[name].set_value(np.asarray(value, dtype=model[name].dtype))
        with np.errstate(over="ignore"), model:  # early steps may be absurd, and are turned down
            drawn: xr.DataTree = pm.sample(
                draws=settings.draws,
                tune=settings.tune,
                chains=CHAINS,
                cores=1,
                random_seed=1,
                nuts_sampler="pymc",
                nuts={"target_accept": settings.target_accept},
                progressbar=False,
                compute_convergence_checks=False,
            )
        return drawn

    drawn, cost = timed(fit)
    posterior = drawn["posterior"].to_dataset()
    ess = smallest_ess(parameters_of(posterior, asked)["log_hazard_ratio"])
    return Measured("PyMC's own NUTS, the first model, compiled", cost, ess, float(posterior.attrs["sampling_time"]))


def by_bambi(table: pd.DataFrame, model: SurvivalAnalysis) -> list[Measured]:
    """Two fresh fits of bambi's Weibull family, a model of the mean; the second finds PyTensor's cache warm."""
    import bambi

    settings, names = settings_of(model), list(model.covariates)
    data = table.assign(status=np.where(table["os_event"] == 1, "none", "right"))

    def fit() -> xr.DataTree:
        beliefs = {name: bambi.Prior("Normal", mu=0, sigma=1) for name in names}
        formula = f"censored(os_time, status) ~ {' + '.join(names)}"
        built = bambi.Model(formula, data, family="weibull", link="log", priors=beliefs)
        fitted: xr.DataTree = built.fit(
            draws=settings.draws,
            tune=settings.tune,
            chains=CHAINS,
            target_accept=settings.target_accept,
            random_seed=1,
            inference_method="nutpie",
            progressbar=False,
        )
        return fitted

    found = []
    for name in ("bambi by nutpie, a fresh fit", "bambi by nutpie, another fresh fit"):
        drawn, cost = timed(fit)
        posterior = drawn["posterior"].to_dataset()
        ess = smallest_ess(posterior[names].to_dataarray())
        found.append(Measured(name, cost, ess, float(posterior.attrs["sampling_time"])))
    return found


def smallest_ess(coefficients: xr.DataArray) -> float:
    """Smallest bulk effective sample size of coefficients, dims (chain, draw, ...)."""
    return float(az.ess(coefficients.to_dataset(name="log_ratio"), method="bulk")["log_ratio"].min())


def settings_of(model: SurvivalAnalysis) -> SamplerSettings:
    """How the model file says to sample."""
    asked = model.sampler
    return SamplerSettings(asked.draws, asked.tune, asked.target_accept)
