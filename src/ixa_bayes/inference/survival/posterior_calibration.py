"""Posterior calibration of one survival fit: whether the sampler returns right posteriors for cohorts like its own.

Calibration from the prior asks that of any cohort that the prior can make, most of them unlike the one at
hand. Here parameters are drawn from the posterior of the fit, a second cohort of the same patients is made
with them, and both cohorts are fitted together. Given both, the drawn parameters are one more draw from
that posterior, so their ranks among its draws are uniform if model, simulation and sampler agree.

References
----------
Säilynoja, Schmitt, Bürkner & Vehtari (2025), arXiv:2502.03279.
"""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Final, cast

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from ixa_bayes.errors import InputError, Problem
from ixa_bayes.inference.calibration import AS_SAMPLED, Draws, SBCResult, judge_ranks, simulate_ranks
from ixa_bayes.inference.diagnostics import MAX_DIVERGENT_SHARE, MAX_DIVERGENT_SHARE_SHRUNK
from ixa_bayes.inference.sampling import CHAINS, SamplerSettings, sample
from ixa_bayes.inference.survival.fitting import SurvivalFit, survival_program
from ixa_bayes.inference.survival.parameters import judged, parameters_of, pointwise_log_likelihood
from ixa_bayes.inference.survival.question import SurvivalQuestion, collapsed
from ixa_bayes.inference.survival.simulation import replicate
from ixa_bayes.models.design_matrix import Design
from ixa_bayes.models.missing import PATTERN, log_pattern_probability, patterns_of
from ixa_bayes.models.survival_rows import ROW, SurvivalRows, survival_rows

REPLICATES: Final = 100
RANKED_AMONG: Final = 99
"""Draws of a refit that a true value is ranked among: ten apart, so that they are nearly independent."""
FEWEST: Final = 20
DRAWS: Final = 250
MOST_TUNING: Final = 300
"""Of each chain of a refit; the models' own calibration passes with as little tuning."""
LOG_LIKELIHOOD: Final = "log_likelihood"
LOG_LIKELIHOOD_NEW: Final = "log_likelihood_simulated"
COLUMNS: Final[Mapping[str, str]] = {
    "quantity": "a parameter, or the joint log-likelihood of all patients or of the simulated ones",
    "n_replicates": "simulated cohorts, none left out",
    "n_draws": "draws that each true value was ranked among",
    "mean_rank": "mean rank of the true values as a share of the draws; 0.5 is expected",
    "smallest_tail": "tail probability of the point of the rank distribution that is furthest off",
    "limit": "the tail probability below which the quantity is rejected, with all of them judged together",
    "ok": "whether the ranks are as uniform as chance allows",
}

Corruption = Callable[[Draws, np.random.Generator], Draws]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class PosteriorCalibration:
    """The verdict on the posteriors of one fit's model for cohorts like its own.

    Attributes
    ----------
    sbc : SBCResult
        Ranks and their verdict by quantity.
    divergent_share, max_divergent_share : float
        Share of the draws of all refits that diverged, and the largest that may.
    """

    sbc: SBCResult
    divergent_share: float
    max_divergent_share: float

    @property
    def ok(self) -> bool:
        """Whether all ranks are uniform and few draws diverged."""
        return not self.reasons

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the posteriors cannot be relied on; empty if they can."""
        found = [f"{name}: the ranks of its true values are not uniform" for name in self.sbc.rejected]
        if not self.divergent_share <= self.max_divergent_share:
            found.append(f"{self.divergent_share:.2%} of draws diverged, more than {self.max_divergent_share:.1%}")
        return tuple(found)

    def table(self) -> pd.DataFrame:
        """One row per quantity, columns of :data:`COLUMNS`."""
        ranks, judged_ranks = self.sbc.ranks, self.sbc.outside
        found = pd.DataFrame(
            {
                "quantity": judged_ranks.index,
                "n_replicates": len(ranks),
                "n_draws": self.sbc.n_draws,
                "mean_rank": ranks.mean().loc[judged_ranks.index].to_numpy() / self.sbc.n_draws,
                "smallest_tail": judged_ranks["smallest_tail"].to_numpy(),
                "limit": judged_ranks["limit"].to_numpy(),
                "ok": ~judged_ranks["rejected"].to_numpy(dtype=bool),
            }
        )
        return found[list(COLUMNS)]


def calibrate(
    fit: SurvivalFit,
    *,
    seed: int,
    replicates: int = REPLICATES,
    cores: int | None = None,
    jobs: int = 1,
    progress: Progress = lambda done, total: None,
) -> PosteriorCalibration:
    """Check by simulation that a model's posteriors are right for cohorts like the one that was fitted.

    Each replicate draws parameters from the posterior, makes a second cohort of the same patients (covariates,
    entries, visits and pattern of censoring as in the cohort), fits both together, and ranks the drawn values.

    Parameters
    ----------
    fit : SurvivalFit
        Converged, of a table with one row per patient, and sampled by nutpie.
    seed : int
        The same seed gives the same ranks.
    replicates : int
        None is dropped. With few only gross errors are found.
    cores : int, optional
        Chains of a refit that run at the same time; all available ones if not given.
    jobs : int
        Refits at a time; the ranks are the same for any number. Where cores are few their chains fill them already.
    progress : callable
        Called with refits done and refits in all.

    Returns
    -------
    PosteriorCalibration
        Look at ``ok`` and ``reasons``.

    Raises
    ------
    InputError
        If the fit did not converge, was sampled by PyMC, or is of a start-stop table.
    ValueError
        If ``replicates`` is below 20, which could reject nothing.

    Examples
    --------
    >>> import ixa_bayes as ib
    >>> fitted = ib.fit("pfs_weibull", "example_cohort", seed=1)  # doctest: +SKIP
    >>> ib.calibrate(fitted, seed=2).table()  # doctest: +SKIP
    """
    if replicates < FEWEST:
        raise ValueError(f"replicates is {replicates}; fewer than {FEWEST} could reject nothing.")
    ranks, divergent = posterior_ranks(fit, seed=seed, replicates=replicates, cores=cores, jobs=jobs, progress=progress)
    allowed = MAX_DIVERGENT_SHARE_SHRUNK if fit.question.analysis.shrinkage else MAX_DIVERGENT_SHARE
    return PosteriorCalibration(judge_ranks(ranks[AS_SAMPLED], n_draws=RANKED_AMONG), divergent, allowed)


def posterior_ranks(
    fit: SurvivalFit,
    *,
    seed: int,
    replicates: int,
    cores: int | None = None,
    corruptions: Mapping[str, Corruption] | None = None,
    jobs: int = 1,
    progress: Progress = lambda done, total: None,
) -> tuple[dict[str, pd.DataFrame], float]:
    """Ranks of parameters drawn from a posterior among draws that also know what the parameters made.

    Parameters
    ----------
    fit, seed, replicates, cores, jobs, progress
        As in :func:`calibrate`.
    corruptions : mapping, optional
        Ways to spoil the refits' draws; see :func:`ixa_bayes.inference.calibration.simulate_ranks`.

    Returns
    -------
    dict of str to DataFrame, shape (replicate, quantity)
        Of the draws as sampled and of each corruption.
    float
        Share of all draws that diverged.
    """
    _check(fit)
    asked = fit.question.analysis.sampler
    # The rate of the run that is reported, which may be a second one with smaller steps.
    target_accept = float(fit.posterior.attrs.get("target_accept", asked.target_accept))
    settings = SamplerSettings(draws=DRAWS, tune=min(asked.tune, MOST_TUNING), target_accept=target_accept)
    divergent: list[float] = []

    def refit(data: object, seed: int) -> Draws:
        question = cast("Replicate", data).both
        drawn = sample(survival_program(question.structure), question.data(), settings=settings, seed=seed, cores=cores)
        divergent.append(float(drawn["sample_stats"]["diverging"].mean()))
        every = np.linspace(0, CHAINS * DRAWS - 1, RANKED_AMONG).round().astype(int)
        return {
            name: values[every]
            for name, values in _arrays(parameters_of(drawn["posterior"].to_dataset(), question)).items()
        }

    ranks = simulate_ranks(
        lambda rng: simulate_replicate(fit, rng),
        refit,
        lambda draws, data: _quantities(_dataset(draws, fit), cast("Replicate", data), fit),
        n_replicates=replicates,
        seed=seed,
        corruptions=corruptions,
        jobs=jobs,
        progress=progress,
    )
    return ranks, float(np.mean(sorted(divergent)))  # refits side by side end in any order


@dataclass(frozen=True, eq=False)
class Replicate:
    """A simulated cohort.

    Attributes
    ----------
    simulated : SurvivalQuestion
        The model asked of it alone.
    both : SurvivalQuestion
        The model asked of it and of the cohort that it is like, together.
    """

    simulated: SurvivalQuestion
    both: SurvivalQuestion


def _check(fit: SurvivalFit) -> None:
    where, problems = f"fit of {fit.question.analysis.name}", []
    if not fit.convergence.ok:
        rule = "draws of the posterior are needed, and these are none"
        mend = "fit again with more draws, or with a higher target_accept"
        problems.append(Problem(where, f"no convergence ({'; '.join(fit.convergence.reasons[:3])})", rule, mend))
    if fit.question.analysis.sampler.engine != "nutpie":
        rule = "some hundred refits are made by nutpie, and say nothing of another sampler"
        problems.append(Problem(where, "sampler engine pymc", rule, 'fit with engine = "nutpie"'))
    if problems:
        raise InputError(problems)


def simulate_replicate(fit: SurvivalFit, rng: np.random.Generator) -> tuple[Draws, Replicate]:
    """Parameters from the posterior of a fit, and a cohort of the same patients that they make."""
    posterior = fit.posterior["posterior"].to_dataset()
    chain, draw = (rng.integers(posterior.sizes[dim], size=1) for dim in ("chain", "draw"))
    truth = posterior.isel(chain=chain, draw=draw)
    question = fit.question
    simulated = _another_cohort(fit, truth, rng)
    design = replace(
        question.design, matrix=pd.concat([question.design.matrix, simulated.design.matrix], ignore_index=True)
    )
    return _arrays(truth), Replicate(simulated, _of(question, design, _joined(question.rows, simulated.rows)))


def _another_cohort(fit: SurvivalFit, truth: xr.Dataset, rng: np.random.Generator) -> SurvivalQuestion:
    """A cohort of the same patients, as one draw of the parameters makes it.

    Where a covariate has a model of its own, its value is part of what the model makes: it is drawn for every patient,
    and then missing where it was missing.
    """
    question = fit.question
    which = np.repeat(np.arange(question.rows.weight.size), question.rows.weight)
    rows = question.rows.chosen(which)
    rows = replace(rows, weight=np.ones_like(rows.weight))
    known = question.design.matrix.iloc[which].reset_index(drop=True)
    complete = replace(question.design, matrix=_with_covariates(question, truth, which, known, rng))
    each = np.arange(which.size, dtype=np.int64)
    asked = replace(question, design=complete, rows=rows, member=each, unit=each, patterns=patterns_of(complete))
    one = replace(fit, question=asked, posterior=xr.DataTree.from_dict({"posterior": truth}))
    seen = replicate(one, rng, draws=1).isel(chain=0, draw=0)
    design = replace(complete, matrix=complete.matrix.mask(known.isna()))
    return _of(question, design, survival_rows(seen, each))


def _with_covariates(
    question: SurvivalQuestion,
    truth: xr.Dataset,
    which: NDArray[np.int64],
    known: pd.DataFrame,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """The design of some patients, with values of the marginalised covariates drawn from their own model."""
    patterns = question.patterns
    if not patterns.covariates:
        return known
    unknown = replace(
        patterns,
        missing=np.ones_like(patterns.missing),
        value=np.zeros_like(patterns.value),
        allowed=np.ones_like(patterns.allowed),
    )
    weight = log_pattern_probability(truth, unknown).isel(chain=0, draw=0).transpose(ROW, PATTERN).to_numpy()[which]
    # The largest of log weights plus Gumbel noise is a draw from the weights.
    values = patterns.bits[(weight + rng.gumbel(size=weight.shape)).argmax(axis=1)]
    centres = [question.design.terms[name].centre for name in patterns.covariates]
    return known.assign(**dict(zip(patterns.covariates, (values - centres).T, strict=True)))


def _of(question: SurvivalQuestion, design: Design, rows: SurvivalRows) -> SurvivalQuestion:
    """The same model asked of other rows: cut-points and structure stay."""
    design, rows, member = collapsed(design, rows)
    structure = question.structure
    if structure.tabled:  # simulated times have no ties that a table of times could use
        structure = replace(structure, tabled=False, late_entry=bool(np.any(rows.entry > 0)))
    return replace(
        question,
        design=design,
        rows=rows,
        member=member,
        unit=np.arange(rows.event.size, dtype=np.int64),
        structure=structure,
        patterns=patterns_of(design),
    )


def _joined(one: SurvivalRows, other: SurvivalRows) -> SurvivalRows:
    return SurvivalRows(
        **{each.name: np.concatenate([getattr(one, each.name), getattr(other, each.name)]) for each in fields(one)}
    )


def _quantities(parameters: xr.Dataset, data: Replicate, fit: SurvivalFit) -> Draws:
    """All that is ranked: the parameters, and the joint log-likelihood of all patients and of the simulated ones."""
    found: dict[str, NDArray[np.float64]] = {}
    # b0 is a function of the other two parameters of a Weibull law, under whatever prior.
    for name, values in judged(parameters).drop_vars("log_rate", errors="ignore").items():
        dims = values.dims[2:]
        for labels in itertools.product(*(values[dim].to_numpy().tolist() for dim in dims)):
            label = f"[{', '.join(map(str, labels))}]" if dims else ""
            found[f"{name}{label}"] = values.sel(dict(zip(dims, labels, strict=True))).to_numpy().ravel()
    before, new = (_joint(parameters, asked) for asked in (fit.question, data.simulated))
    return found | {LOG_LIKELIHOOD: before + new, LOG_LIKELIHOOD_NEW: new}


def _joint(parameters: xr.Dataset, question: SurvivalQuestion) -> NDArray[np.float64]:
    """Joint log-likelihood of a cohort at each draw, equal patients counted."""
    weight = xr.DataArray(question.rows.weight, dims=ROW)
    joint: xr.DataArray = xr.dot(pointwise_log_likelihood(parameters, question), weight, dim=ROW)
    return joint.to_numpy().ravel()


def _arrays(parameters: xr.Dataset) -> dict[str, NDArray[np.float64]]:
    """Parameters by name, chains one after the other."""
    ordered = {str(name): values.transpose("chain", "draw", ...) for name, values in parameters.items()}
    return {name: values.to_numpy().reshape(-1, *values.shape[2:]) for name, values in ordered.items()}


def _dataset(draws: Draws, fit: SurvivalFit) -> xr.Dataset:
    """Parameters with the dims and labels that they have in a fit, in one chain."""
    like = fit.posterior["posterior"].to_dataset()
    size = len(next(iter(draws.values())))
    named = {
        name: (("chain", "draw", *like[name].transpose("chain", "draw", ...).dims[2:]), values[np.newaxis])
        for name, values in draws.items()
    }
    coords = {name: values for name, values in like.coords.items() if name not in ("chain", "draw")}
    return xr.Dataset(named, coords={"chain": [0], "draw": np.arange(size), **coords})
