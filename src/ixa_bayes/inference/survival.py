"""One fit of a proportional-hazards model: from a cohort and a model file to a posterior and the verdict on it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from ixa_bayes.cohort.follow_up import is_start_stop
from ixa_bayes.cohort.table import Cohort, read_cohort
from ixa_bayes.inference.compiled import Program, program
from ixa_bayes.inference.diagnostics import (
    MAX_DIVERGENT_SHARE,
    MAX_DIVERGENT_SHARE_SHRUNK,
    Convergence,
    convergence,
)
from ixa_bayes.inference.posterior_file import data_hash
from ixa_bayes.inference.sampling import SamplerSettings, sample, sample_with_pymc
from ixa_bayes.models.analysis import ModelFile, analysis_from
from ixa_bayes.models.design_matrix import Design, design_of
from ixa_bayes.models.missing import (
    Patterns,
    log_pattern_probability,
    missing_log_prior,
    missing_parameters,
    pattern_data,
    pattern_eta,
    pattern_rows,
    patterns_of,
)
from ixa_bayes.models.piecewise import (
    cut_points,
    piecewise_data,
    piecewise_law,
    piecewise_log_prior,
    piecewise_model,
    piecewise_parameters,
)
from ixa_bayes.models.ratio_priors import (
    COEFFICIENT,
    LOG_HAZARD_RATIO,
    by_family,
    families,
    joined_ratios,
    log_ratio_prior,
    ratio_data,
    shrunk_names,
)
from ixa_bayes.models.shrinkage import shrinkage_log_prior, shrinkage_parameters
from ixa_bayes.models.survival_analysis import PiecewiseBaseline, SurvivalAnalysis, WeibullBaseline
from ixa_bayes.models.survival_likelihood import Law, Structure, log_likelihood, log_likelihood_of_patterns
from ixa_bayes.models.survival_rows import ROW, SurvivalRows, row_kinds, survival_rows
from ixa_bayes.models.weibull import (
    TIME,
    is_tabled,
    weibull_data,
    weibull_law,
    weibull_log_prior,
    weibull_model,
    weibull_parameters,
)

if TYPE_CHECKING:
    import pymc as pm

LOG_LIKELIHOOD: Final = "status"
POINTWISE_LIMIT: Final = 20_000
"""Rows above which the log-likelihood of each row is not kept unless asked for (4,000 draws of each)."""


@dataclass(frozen=True, eq=False)
class SurvivalQuestion:
    """A model file applied to a cohort: all that a posterior depends on, and nothing sampled yet.

    Attributes
    ----------
    analysis : SurvivalAnalysis
    cohort : Cohort
    design : Design
    rows : SurvivalRows
        Those of the design: rows equal in all that the likelihood uses are one, with the sum of their weights.
    member : ndarray of int, shape (row of the cohort that is used,)
        Which of ``rows`` each used row of the cohort is, in the cohort's order.
    unit : ndarray of int, shape (row,)
        Which independent contribution to the likelihood each of ``rows`` belongs to: its own, or in a start-stop table
        that of its patient. Leave-one-out leaves out units.
    cuts : tuple of float
        Cut-points of a piecewise-exponential baseline, in months; empty for a Weibull one.
    structure : Structure
    patterns : Patterns
        What the values of marginalised covariates can be.
    """

    analysis: SurvivalAnalysis
    cohort: Cohort
    design: Design
    rows: SurvivalRows
    member: NDArray[np.int64]
    unit: NDArray[np.int64]
    cuts: tuple[float, ...]
    structure: Structure
    patterns: Patterns

    @property
    def unit_weight(self) -> NDArray[np.int64]:
        """How many equal units each unit stands for, shape (unit,)."""
        _, first = np.unique(self.unit, return_index=True)
        return self.rows.weight[first]

    @property
    def weight_at_entry(self) -> NDArray[np.int64]:
        """Weight of each row among patients as they were at entry, shape (row,): 0 for a patient's later stretches."""
        order = np.lexsort((self.rows.entry, self.unit))
        _, first = np.unique(self.unit[order], return_index=True)
        weight = np.zeros_like(self.rows.weight)
        weight[order[first]] = self.rows.weight[order[first]]
        return weight

    def data(self) -> dict[str, ArrayLike]:
        """Rows and prior numbers as the compiled program takes them."""
        order = by_family(self.design.priors)
        # A missing value stands at 0 before coding; the patterns add what is missing to it.
        baseline, design = self.analysis.baseline, pattern_rows(self.design, self.patterns, 0)[order]
        if isinstance(baseline, WeibullBaseline):
            data = weibull_data(self.rows, design, baseline=baseline, structure=self.structure)
        else:
            data = piecewise_data(self.rows, design, baseline=baseline, cuts=self.cuts, structure=self.structure)
        if self.patterns.covariates:
            data |= pattern_data(self.patterns, self.analysis.missing, coefficients=order)
        return data | ratio_data(self.design.priors)

    def data_sha256(self) -> str:
        """Hash of the rows and prior numbers, and of the names of coefficients and cut-points."""
        labels = (*self.design.matrix.columns, *(f"{cut!r}" for cut in self.cuts))
        return data_hash(self.data(), labels=tuple(str(label) for label in labels))


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


def question_of(analysis: SurvivalAnalysis, cohort: Cohort) -> SurvivalQuestion:
    """Apply a model to a cohort.

    Raises
    ------
    InputError
        If the cohort lacks what the model needs; every fault at once.
    """
    design = design_of(cohort, analysis)
    follow_up = cohort.follow_up[analysis.endpoint]
    rows = survival_rows(follow_up, design.rows)
    if is_start_stop(follow_up):  # stretches of one patient must stay apart from those of others
        member = np.arange(rows.event.size, dtype=np.int64)
        unit = np.asarray(pd.factorize(follow_up["patient"].to_numpy()[design.rows])[0], dtype=np.int64)
    else:
        design, rows, member = collapsed(design, rows)
        unit = np.arange(rows.event.size, dtype=np.int64)
    baseline = analysis.baseline
    cuts = cut_points(baseline, rows) if isinstance(baseline, PiecewiseBaseline) else ()
    patterns = patterns_of(design)
    tabled = isinstance(baseline, WeibullBaseline) and is_tabled(rows, design.matrix)
    structure = Structure(
        law=baseline.law,
        families=families(design.priors),
        level="median" if isinstance(baseline, PiecewiseBaseline) or baseline.median else "log_rate",
        late_entry=bool(np.any(rows.entry > 0)) and isinstance(baseline, WeibullBaseline) and not tabled,
        between=bool(rows.between.any()),
        n_intervals=len(cuts) + 1 if isinstance(baseline, PiecewiseBaseline) else 0,
        walk=isinstance(baseline, PiecewiseBaseline) and baseline.walk is not None and bool(cuts),
        tabled=tabled,
        n_marginalised=len(patterns.covariates),
        n_predictors=patterns.predictors.shape[1] if patterns.covariates else 0,
    )
    return SurvivalQuestion(analysis, cohort, design, rows, member, unit, cuts, structure, patterns)


def collapsed(design: Design, rows: SurvivalRows) -> tuple[Design, SurvivalRows, NDArray[np.int64]]:
    """Rows that are equal in all that the likelihood uses as one each, exactly: their weights add up.

    Returns
    -------
    Design, SurvivalRows, ndarray of int
        In the order of first appearance, and which of them each given row is.
    """
    known = pd.DataFrame({name: getattr(rows, name) for name in ("entry", "end", "upper", "event", "between")})
    table = pd.concat([known, design.matrix.reset_index(drop=True)], axis=1)
    member = row_kinds(table)
    _, first = np.unique(member, return_index=True)
    weight = np.bincount(member, weights=rows.weight).round().astype(np.int64)
    return replace(design, matrix=design.matrix.iloc[first]), replace(rows.chosen(first), weight=weight), member


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
    """Sample the posterior of a question.

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
        Whether or not it converged: see ``convergence.ok``.
    """
    drawn = _drawn(question, seed=seed, cores=cores)
    parameters = parameters_of(drawn["posterior"].to_dataset(), question)
    groups = {
        "posterior": parameters,
        "sample_stats": drawn["sample_stats"].to_dataset(),
        "log_prior": log_prior(parameters, question),
    }
    if pointwise or (pointwise is None and question.rows.event.size <= POINTWISE_LIMIT):
        groups["log_likelihood"] = unit_log_likelihood(parameters, question).to_dataset(name=LOG_LIKELIHOOD)
    posterior = xr.DataTree.from_dict(groups)
    posterior.attrs.update(
        drawn.attrs
        | {
            "model_sha256": question.analysis.sha256,
            "data_sha256": question.data_sha256(),
            "evidence_kind": question.cohort.evidence_kind,
        }
        | dict(identity or {})
    )
    share = MAX_DIVERGENT_SHARE_SHRUNK if question.analysis.shrinkage else MAX_DIVERGENT_SHARE
    verdict = convergence(posterior, quantities=judged(parameters), max_divergent_share=share)
    return SurvivalFit(question, posterior, verdict)


def _drawn(question: SurvivalQuestion, *, seed: int, cores: int | None) -> xr.DataTree:
    asked, structure = question.analysis.sampler, question.structure
    settings = SamplerSettings(asked.draws, asked.tune, asked.target_accept)
    if asked.engine == "pymc":
        model = partial(survival_model, structure)
        return sample_with_pymc(model, question.data(), name=structure.name, settings=settings, seed=seed, cores=cores)
    return sample(survival_program(structure), question.data(), settings=settings, seed=seed, cores=cores)


def parameters_of(draws: xr.Dataset, question: SurvivalQuestion) -> xr.Dataset:
    """Draws of a compiled program under the names of the model."""
    baseline = question.analysis.baseline
    if isinstance(baseline, WeibullBaseline):
        parameters = weibull_parameters(draws, baseline)
    else:
        parameters = piecewise_parameters(draws, question.cuts)
    if question.design.priors:
        parameters[LOG_HAZARD_RATIO] = joined_ratios(draws, question.design.priors)
    if question.analysis.shrinkage:
        parameters = parameters.merge(shrinkage_parameters(draws, shrunk_names(question.design.priors)))
    if question.patterns.covariates:
        parameters = parameters.merge(missing_parameters(draws, question.patterns))
    return parameters


def pointwise_log_likelihood(parameters: xr.Dataset, question: SurvivalQuestion) -> xr.DataArray:
    """Log-likelihood of each row at each draw, dims (chain, draw, row); missing covariates are summed out."""
    law = law_of(parameters, question.analysis)
    if not question.patterns.covariates:
        return log_likelihood(law, linear_predictor(parameters, question.design.matrix), question.rows)
    eta = pattern_eta(parameters, question.design, question.patterns)
    log_pattern = log_pattern_probability(parameters, question.patterns)
    return log_likelihood_of_patterns(law, eta, question.rows, log_pattern=log_pattern)


def unit_log_likelihood(parameters: xr.Dataset, question: SurvivalQuestion) -> xr.DataArray:
    """Log-likelihood of each independent unit at each draw, dims (chain, draw, row); see ``SurvivalQuestion.unit``.

    The coordinate is the first row of the cohort that the unit has.
    """
    terms = pointwise_log_likelihood(parameters, question)
    _, first = np.unique(question.unit, return_index=True)
    if first.size < question.unit.size:
        summed = terms.assign_coords(unit=(ROW, question.unit)).groupby("unit").sum()
        terms = summed.rename(unit=ROW).transpose("chain", "draw", ROW)
    return terms.assign_coords({ROW: question.design.rows[first]})


def log_prior(parameters: xr.Dataset, question: SurvivalQuestion) -> xr.Dataset:
    """Log prior density of every free parameter at each draw."""
    baseline = question.analysis.baseline
    if isinstance(baseline, WeibullBaseline):
        density = weibull_log_prior(parameters, baseline)
    else:
        density = piecewise_log_prior(parameters, baseline)
    if question.design.priors:
        own = log_ratio_prior(parameters[LOG_HAZARD_RATIO], question.design.priors)
        density = density.merge(own.to_dataset(name=LOG_HAZARD_RATIO)) if own.size else density
    if question.analysis.shrinkage:
        density = density.merge(shrinkage_log_prior(parameters, question.analysis.shrinkage))
    if question.patterns.covariates:
        density = density.merge(missing_log_prior(parameters, question.analysis.missing))
    return density


def law_of(parameters: xr.Dataset, analysis: SurvivalAnalysis) -> Law:
    """The baseline's law, with its draws."""
    return weibull_law(parameters) if isinstance(analysis.baseline, WeibullBaseline) else piecewise_law(parameters)


def linear_predictor(parameters: xr.Dataset, values: pd.DataFrame) -> xr.DataArray | float:
    """What covariates add to the log hazard.

    Parameters
    ----------
    parameters : xr.Dataset
        With ``log_hazard_ratio`` (chain, draw, coefficient), unless the model has no covariates.
    values : DataFrame, shape (row, coefficient)

    Returns
    -------
    xr.DataArray, dims (chain, draw, row)
        0 for a model without covariates.
    """
    if LOG_HAZARD_RATIO not in parameters:
        return 0.0
    ratios = parameters[LOG_HAZARD_RATIO]
    design = xr.DataArray(
        values[list(ratios[COEFFICIENT].to_numpy())].to_numpy(dtype=float),
        dims=(ROW, COEFFICIENT),
        coords={COEFFICIENT: ratios[COEFFICIENT]},
    )
    eta: xr.DataArray = xr.dot(ratios, design, dim=COEFFICIENT)
    return eta


def judged(parameters: xr.Dataset) -> xr.Dataset:
    """What must have converged: everything but raw steps, local scales and what repeats another."""
    return parameters.drop_vars(["z", "shape", "z_shrunk", "lambda", "phi"], errors="ignore")
