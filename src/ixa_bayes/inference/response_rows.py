"""Rows of the response tables: conjugate in closed form, pooled from draws, each with its Monte Carlo error."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import bdtr

from ixa_bayes.formulas.binomial import BetaPosterior, BetaPrior, Contrast, ContrastKind, beta_posterior, p_lower
from ixa_bayes.formulas.two_by_two import clopper_pearson, fisher_exact_p
from ixa_bayes.inference.response_counts import Counts
from ixa_bayes.models.response_analysis import HIERARCHICAL
from ixa_bayes.study.counts import Candidate
from ixa_bayes.study.definition import StudyDefinition

EVIDENCE_KIND: Final = "published_effect"
CONJUGATE_MODEL: Final = "beta_binomial"
HIERARCHICAL_MODEL: Final = "hierarchical_binomial"
MEASURES: Final[tuple[ContrastKind, ...]] = ("difference", "risk_ratio", "odds_ratio")
PROBABILITIES: Final = {"q025": 0.025, "median": 0.5, "q975": 0.975}
_MCSE: Final = "Monte Carlo standard error of {}; 0 where the result is in closed form"
_GROUP: Final = {
    "population": "a population of study.toml",
    "endpoint": "a binary endpoint of study.toml",
    "factor": "the factor whose levels are the groups; empty for a whole population",
    "level": "the group; empty for a whole population",
}
_MODEL: Final = {
    "model": "beta_binomial: each group alone; hierarchical_binomial: the groups of one factor pooled in part",
    "prior": "name of the prior in the model file; literature: from other studies of the regimen",
}
_ERRORS: Final = {f"mcse_{name}": _MCSE.format(name) for name in PROBABILITIES}
_ORIGIN: Final = {
    "basis": "used: with the study's adjudications; as_printed: without, where that gives other counts",
    "counts_status": "unique; unique_by_p: the printed p value decides; several: the print allows several tables; "
    "impossible or ambiguous: none is analysed",
    "candidate": "which of the tables that the print allows, numbered from 1",
    "n_candidates": "how many tables the print allows; none of several is preferred",
    "converged": "whether the sampler met every threshold; where not, the row has no numbers",
    "ledger_rows": "ids of the ledger rows that the counts rest on",
    "evidence_kind": "what the result rests on",
}
RESPONSE_COLUMNS: Final[dict[str, str]] = {
    **_GROUP,
    "responders": "patients with the endpoint",
    "evaluable": "patients it is out of",
    **_MODEL,
    "mean": "posterior mean of the rate",
    "sd": "posterior standard deviation of the rate",
    "q025": "lower end of the 95% equal-tailed interval of the rate",
    "median": "posterior median of the rate",
    "q975": "upper end of the 95% equal-tailed interval of the rate",
    **_ERRORS,
    "clopper_pearson_q025": "lower end of the exact 95% confidence interval (Clopper-Pearson), without any prior",
    "clopper_pearson_q975": "its upper end",
    "next_patients": "size of the next group of such patients",
    "next_q025": "2.5% quantile of the number of responders among them (posterior predictive)",
    "next_median": "its median",
    "next_q975": "its 97.5% quantile",
    **_ORIGIN,
}
"""Columns of ``response.csv`` and what each holds."""
CONTRAST_COLUMNS: Final[dict[str, str]] = {
    **_GROUP,
    "comparator": "the group it is compared with",
    "measure": "difference, risk_ratio or odds_ratio: level against comparator",
    **_MODEL,
    "median": "posterior median of the measure",
    "q025": "lower end of its 95% equal-tailed interval",
    "q975": "upper end of its 95% equal-tailed interval",
    **_ERRORS,
    "p_level_lower": "posterior probability that the level's rate is below the comparator's",
    "mcse_p_level_lower": _MCSE.format("p_level_lower") + "; empty where all draws agree",
    "fisher_p": "two-sided Fisher exact p of the two groups' counts",
    "printed_p": "p values that the paper prints for the pair, joined by a semicolon where repeats differ",
    **_ORIGIN,
}
"""Columns of ``response_contrast.csv`` and what each holds."""

Row = dict[str, object]


@dataclass(frozen=True)
class Table:
    """One filling of one table, with what its rows have in common.

    Attributes
    ----------
    counts : Counts
    number : int
        Of the candidate.
    candidate : Candidate
    pairs : tuple of (level, comparator)
    printed_p : dict
        Printed p values per pair, with the ledger rows they stand in.
    """

    counts: Counts
    number: int
    candidate: Candidate
    pairs: tuple[tuple[str, str], ...]
    printed_p: Mapping[tuple[str, str], tuple[str, tuple[str, ...]]]

    @property
    def shared(self) -> Row:
        """Cells that every row of the table has."""
        return {
            "population": self.counts.population,
            "endpoint": self.counts.endpoint,
            "factor": self.counts.factor,
            "basis": self.counts.basis,
            "counts_status": self.counts.status,
            "candidate": self.number,
            "n_candidates": self.counts.n_candidates,
            "evidence_kind": EVIDENCE_KIND,
        }

    def size(self, level: str) -> tuple[int, int]:
        """Responders and evaluable patients of a level."""
        index = self.counts.levels.index(level)
        return self.candidate.responders[index], self.candidate.evaluable[index]


def pairs_of(definition: StudyDefinition, counts: Counts) -> tuple[tuple[str, str], ...]:
    """Level and comparator of every contrast: against the factor's reference, or every pair if it has none here."""
    if not counts.factor:
        return ()
    reference = definition.factors[counts.factor].reference
    if reference in counts.levels:
        return tuple((level, str(reference)) for level in counts.levels if level != reference)
    return tuple(combinations(counts.levels, 2))


def conjugate_rows(table: Table, priors: Sequence[BetaPrior], *, next_patients: int) -> Iterator[Row]:
    """Rows of ``response.csv``: each level alone under each prior, exact."""
    for level in table.counts.levels:
        r, n = table.size(level)
        for prior in priors:
            posterior = beta_posterior(r, n, prior=prior)
            quantiles = posterior.quantile(list(PROBABILITIES.values()))
            predicted = {
                name: posterior.predictive_quantile(probability, patients=next_patients)
                for name, probability in PROBABILITIES.items()
            }
            cells = {"model": CONJUGATE_MODEL, "prior": prior.name, "mean": posterior.mean, "sd": posterior.sd}
            yield (
                _level_cells(table, level, next_patients=next_patients)
                | cells
                | dict(zip(PROBABILITIES, quantiles.tolist(), strict=True))
                | _exact("mcse_q025", "mcse_median", "mcse_q975")
                | {f"next_{name}": value for name, value in predicted.items()}
            )


def conjugate_contrast_rows(table: Table, priors: Sequence[BetaPrior]) -> Iterator[Row]:
    """Rows of ``response_contrast.csv``: level against comparator, independent rates, exact."""
    for pair in table.pairs:
        for prior in priors:
            one, two = (_posterior(table, level, prior) for level in pair)
            p = p_lower(one, two)
            for measure in MEASURES:
                quantiles = Contrast(one, two, measure).quantile(list(PROBABILITIES.values()))
                yield (
                    _pair_cells(table, pair)
                    | {"measure": measure, "model": CONJUGATE_MODEL, "prior": prior.name, "p_level_lower": p}
                    | dict(zip(PROBABILITIES, quantiles.tolist(), strict=True))
                    | _exact("mcse_q025", "mcse_median", "mcse_q975", "mcse_p_level_lower")
                )


def hierarchical_rows(table: Table, rate: xr.DataArray, *, next_patients: int, converged: bool) -> Iterator[Row]:
    """Rows of ``response.csv`` from the pooled model; without numbers if it has not converged.

    Parameters
    ----------
    table : Table
    rate : xr.DataArray, dims (chain, draw, group)
    next_patients : int
    converged : bool
    """
    numbers = summarise(rate.to_dataset(name="rate"))["rate"]
    for index, level in enumerate(table.counts.levels):
        cells = {name: float(values[index]) for name, values in numbers.items()}
        cells |= predictive_quantiles(rate.isel(group=index), patients=next_patients)
        yield (
            _level_cells(table, level, next_patients=next_patients)
            | {"model": HIERARCHICAL_MODEL, "prior": HIERARCHICAL}
            | (cells if converged else dict.fromkeys(cells, math.nan))
            | {"converged": converged}
        )


def hierarchical_contrast_rows(table: Table, rate: xr.DataArray, *, converged: bool) -> Iterator[Row]:
    """Rows of ``response_contrast.csv`` from the pooled model, contrasted draw by draw."""
    for pair in table.pairs:
        one, two = (rate.isel(group=table.counts.levels.index(level), drop=True) for level in pair)
        contrasts = {
            "difference": one - two,
            "risk_ratio": one / two,
            "odds_ratio": one / (1 - one) / (two / (1 - two)),
        }
        numbers = summarise(xr.Dataset(contrasts | {"lower": (one < two).astype(float)}))
        p = {"p_level_lower": numbers["lower"]["mean"], "mcse_p_level_lower": numbers["lower"]["mcse_mean"]}
        for measure in MEASURES:
            kept = {name: value for name, value in numbers[measure].items() if name in CONTRAST_COLUMNS}
            cells = {name: float(value) for name, value in (kept | p).items()}
            yield (
                _pair_cells(table, pair)
                | {"measure": measure, "model": HIERARCHICAL_MODEL, "prior": HIERARCHICAL}
                | (cells if converged else dict.fromkeys(cells, math.nan))
                | {"converged": converged}
            )


def summarise(draws: xr.Dataset) -> dict[str, dict[str, np.ndarray]]:
    """Mean, sd and quantiles of each variable with their Monte Carlo standard errors.

    Parameters
    ----------
    draws : xr.Dataset, dims (chain, draw, ...)

    Returns
    -------
    dict
        By variable, then ``mean``, ``sd``, ``mcse_mean``, ``q025``, ``mcse_q025``, ...
    """
    import arviz as az  # here, because importing it takes seconds that tables without sampling need not pay

    over = ["chain", "draw"]
    spread = draws.std(over, ddof=1)
    with np.errstate(invalid="ignore"):
        errors = {"mean": az.mcse(draws, method="mean")}
        for name, probability in PROBABILITIES.items():
            errors[name] = az.mcse(draws, method="quantile", prob=probability)
    errors = {name: error.where(spread > 0) for name, error in errors.items()}  # ArviZ says 0 where draws cannot tell
    values = {"mean": draws.mean(over), "sd": spread}
    for name, probability in PROBABILITIES.items():
        values[name] = draws.quantile(probability, dim=over)
    return {
        str(variable): {name: value[variable].to_numpy() for name, value in values.items()}
        | {f"mcse_{name}": error[variable].to_numpy() for name, error in errors.items()}
        for variable in draws
    }


def predictive_quantiles(rate: xr.DataArray, *, patients: int) -> dict[str, float]:
    """Quantiles of the number of responders among the next patients of a group.

    The predictive distribution function is the mean of the binomial ones over the draws, so no
    further simulation error comes in.
    """
    draws = rate.to_numpy().ravel()
    cdf = [float(np.mean(bdtr(k, patients, draws))) for k in range(patients)] + [1.0]
    return {f"next_{name}": float(np.searchsorted(cdf, probability)) for name, probability in PROBABILITIES.items()}


def _posterior(table: Table, level: str, prior: BetaPrior) -> BetaPosterior:
    r, n = table.size(level)
    return beta_posterior(r, n, prior=prior)


def _level_cells(table: Table, level: str, *, next_patients: int) -> Row:
    r, n = table.size(level)
    low, high = clopper_pearson(r, n)
    return table.shared | {
        "level": level,
        "responders": r,
        "evaluable": n,
        "clopper_pearson_q025": float(low),
        "clopper_pearson_q975": float(high),
        "next_patients": next_patients,
        "ledger_rows": ";".join(table.counts.ledger_rows),
    }


def _pair_cells(table: Table, pair: tuple[str, str]) -> Row:
    (r1, n1), (r2, n2) = (table.size(level) for level in pair)
    printed, rows = table.printed_p.get(pair, ("", ()))
    return table.shared | {
        "level": pair[0],
        "comparator": pair[1],
        "fisher_p": float(fisher_exact_p(r1, n1, r2, n2)),
        "printed_p": printed,
        "ledger_rows": ";".join(dict.fromkeys((*table.counts.ledger_rows, *rows))),
    }


def _exact(*names: str) -> Row:
    """Closed forms carry no Monte Carlo error and cannot fail to converge."""
    return {**dict.fromkeys(names, 0.0), "converged": True}


def response_frame(rows: Sequence[Row]) -> pd.DataFrame:
    """Rows as the table ``response.csv``."""
    return pd.DataFrame(rows, columns=list(RESPONSE_COLUMNS))


def contrast_frame(rows: Sequence[Row]) -> pd.DataFrame:
    """Rows as the table ``response_contrast.csv``."""
    return pd.DataFrame(rows, columns=list(CONTRAST_COLUMNS))
