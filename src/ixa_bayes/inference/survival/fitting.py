"""One fit of a proportional-hazards model: from a cohort and a model file to a posterior and the verdict on it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
import xarray as xr

from ixa_bayes.cohort.table import Cohort, read_cohort
from ixa_bayes.inference.compiled import Program, program
from ixa_bayes.inference.diagnostics import (
    MAX_DIVERGENT_SHARE,
    MAX_DIVERGENT_SHARE_SHRUNK,
    Convergence,
    convergence,
)
from ixa_bayes.inference.sampling import SamplerSettings, sample, sample_with_pymc
from ixa_bayes.inference.survival.attempts import with_smaller_steps
from ixa_bayes.inference.survival.parameters import (
    judged,
    law_of,
    linear_predictor,
    log_prior,
    parameters_of,
    unit_log_likelihood,
)
from ixa_bayes.inference.survival.question import SurvivalQuestion, question_of
from ixa_bayes.models.analysis import ModelFile, analysis_from
from ixa_bayes.models.missing import log_pattern_probability, pattern_eta
from ixa_bayes.models.piecewise import piecewise_model
from ixa_bayes.models.survival_analysis import SurvivalAnalysis
from ixa_bayes.models.survival_likelihood import Law, Structure, pattern_posterior
from ixa_bayes.models.survival_rows import ROW
from ixa_bayes.models.weibull import TIME, weibull_model

if TYPE_CHECKING:
    import pymc as pm

LOG_LIKELIHOOD: Final = "status"
POINTWISE_LIMIT: Final = 20_000
"""Rows above which the log-likelihood of each row is not kept unless asked for (4,000 draws of each)."""
MOST_VALUES: Final = 20_000_000
"""Draws by distinct rows that an average over patients is computed from: 160 MB, of which several are held at once."""


@dataclass(frozen=True, eq=False)
class SurvivalFit:
    """A posterior and the verdict on it.

    Attributes
    ----------
    question : SurvivalQuestion
    posterior : xr.DataTree
        ``posterior`` (``log_hazard_ratio`` with the dim coefficient and the baseline's parameters; dims chain, draw),
        ``sample_stats``, ``log_prior``, and ``log_likelihood`` of each unit (``status``; row).
    convergence : Convergence
    """

    question: SurvivalQuestion
    posterior: xr.DataTree
    convergence: Convergence

    def __repr__(self) -> str:
        sizes, verdict = self.posterior["posterior"].sizes, "converged" if self.convergence.ok else "not converged"
        about = f"{self.question.analysis.name} for {self.question.cohort.name}"
        draws = f"{sizes['chain']} chains of {sizes['draw']} draws"
        return f"<SurvivalFit of {about}: {draws}, {verdict}; .posterior, .convergence, ib.estimand_table(fitted)>"

    @property
    def law(self) -> Law:
        """Draws of the baseline hazard."""
        return law_of(self.posterior["posterior"].to_dataset(), self.question.analysis)

    def eta(self, values: pd.DataFrame) -> xr.DataArray | float:
        """What covariates add to the log hazard: draws by rows of a design, dims (chain, draw, row)."""
        return linear_predictor(self.posterior["posterior"].to_dataset(), values)

    @cached_property
    def for_averages(self) -> xr.Dataset:
        """Draws that averages over the cohort's patients are computed from.

        All while the log-likelihood of each row is kept too; above, evenly spaced ones within :data:`MOST_VALUES`. A
        row has a value per interval where an effect changes over time.
        """
        parameters = self.posterior["posterior"].to_dataset()
        n_chains, n_draws = parameters.sizes["chain"], parameters.sizes["draw"]
        structure, n_rows = self.question.structure, len(self.question.design.matrix)
        n_values = n_rows * (structure.n_intervals if structure.changing else 1)
        kept = max(1, MOST_VALUES // (n_chains * n_values))
        if n_values <= POINTWISE_LIMIT or kept >= n_draws:
            return parameters
        return parameters.isel(draw=np.linspace(0, n_draws - 1, kept).round().astype(int))

    @cached_property
    def pattern_posterior(self) -> xr.DataArray:
        """How likely each pattern of values is for each incomplete row given all that is known of it.

        Dims (chain, draw, row, pattern), draws of ``for_averages``. Every average over patients uses it.
        """
        asked, parameters = self.question.only(self.question.incomplete), self.for_averages
        return pattern_posterior(
            law_of(parameters, asked.analysis),
            pattern_eta(parameters, asked.design, asked.patterns),
            asked.rows,
            log_pattern=log_pattern_probability(parameters, asked.patterns),
        )


def fit(
    model: SurvivalAnalysis | ModelFile | Path | str,
    cohort: "Cohort | Path | str | pd.DataFrame",
    *,
    seed: int,
    cores: int | None = None,
) -> SurvivalFit:
    """Fit a proportional-hazards model to patients.

    Parameters
    ----------
    model : SurvivalAnalysis, ModelFile, path or str
        A model file of kind ``survival``, or a built-in name such as ``pfs_weibull``.
    cohort : Cohort, path, str or DataFrame
        What :func:`ixa_bayes.read_cohort` returns or takes.
    seed : int
        The same seed gives the same draws.
    cores : int, optional
        Chains that run at the same time; all available ones if not given.

    Returns
    -------
    SurvivalFit
        Look at ``convergence.ok`` before anything else.

    Raises
    ------
    InputError
        If the model file or the cohort has faults, or they do not go together.

    Examples
    --------
    >>> import ixa_bayes as ib
    >>> fitted = ib.fit("pfs_weibull", "example_cohort", seed=1)  # doctest: +SKIP
    >>> ib.estimand_table(fitted).query("estimand == 'hazard_ratio'")  # doctest: +SKIP
    """
    read = cohort if isinstance(cohort, Cohort) else read_cohort(cohort)
    return fit_survival(question_of(analysis_from(model, SurvivalAnalysis), read), seed=seed, cores=cores)


def survival_program(structure: Structure) -> Program:
    """The compiled program of a structure, compiled once per process; rows may be as many as one likes."""
    return program(structure.name, lambda: survival_model(structure), free_dims=(ROW, TIME))


def survival_model(structure: Structure) -> "pm.Model":
    """The PyMC model of a structure, with placeholders for its data."""
    return weibull_model(structure) if structure.law == "weibull" else piecewise_model(structure)


def fit_survival(
    question: SurvivalQuestion,
    *,
    seed: int,
    cores: int | None = None,
    pointwise: bool | None = None,
    identity: Mapping[str, str] | None = None,
) -> SurvivalFit:
    """Sample the posterior of a question, again with smaller steps where divergences alone speak against it.

    Parameters
    ----------
    question : SurvivalQuestion
    seed : int
    cores : int, optional
        Chains that run at the same time; all available ones if not given.
    pointwise : bool, optional
        Keep the log-likelihood of each row; by default up to ``POINTWISE_LIMIT`` rows.
    identity : mapping, optional
        Attributes kept with the posterior.

    Returns
    -------
    SurvivalFit
        Whether or not it converged: see ``convergence.ok``; ``attempts.attempts_of(posterior)`` tells every run.
    """
    posterior, verdict = with_smaller_steps(
        partial(_drawn, question, seed=seed, cores=cores),
        partial(verdict_on, analysis=question.analysis),
        target_accept=question.analysis.sampler.target_accept,
    )
    parameters = posterior["posterior"].to_dataset()
    posterior["log_prior"] = xr.DataTree(log_prior(parameters, question))
    if pointwise or (pointwise is None and question.rows.event.size <= POINTWISE_LIMIT):
        terms = unit_log_likelihood(parameters, question)
        posterior["log_likelihood"] = xr.DataTree(terms.to_dataset(name=LOG_LIKELIHOOD))
    posterior.attrs.update(
        {
            "model_sha256": question.analysis.sha256,
            "data_sha256": question.data_sha256(),
            "evidence_kind": question.cohort.evidence_kind,
        }
        | dict(identity or {})
    )
    return SurvivalFit(question, posterior, verdict)


def verdict_on(posterior: xr.DataTree, analysis: SurvivalAnalysis) -> Convergence:
    """Whether a posterior converged: all that is reported of it, by the thresholds of its priors.

    Parameters
    ----------
    posterior : xr.DataTree
        ``posterior`` under the names of the model, and ``sample_stats``.
    analysis : SurvivalAnalysis
        A joint prior of several coefficients allows a larger share of divergent draws.
    """
    share = MAX_DIVERGENT_SHARE_SHRUNK if analysis.shrinkage else MAX_DIVERGENT_SHARE
    return convergence(posterior, quantities=judged(posterior["posterior"].to_dataset()), max_divergent_share=share)


def _drawn(question: SurvivalQuestion, target_accept: float, *, seed: int, cores: int | None) -> xr.DataTree:
    """Draws of the sampler under the names of the model."""
    asked, structure = question.analysis.sampler, question.structure
    settings = SamplerSettings(asked.draws, asked.tune, target_accept)
    if asked.engine == "pymc":
        model = partial(survival_model, structure)
        drawn = sample_with_pymc(model, question.data(), name=structure.name, settings=settings, seed=seed, cores=cores)
    else:
        drawn = sample(survival_program(structure), question.data(), settings=settings, seed=seed, cores=cores)
    drawn["posterior"] = xr.DataTree(parameters_of(drawn["posterior"].to_dataset(), question))
    return drawn
