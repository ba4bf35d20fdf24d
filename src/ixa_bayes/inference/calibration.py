"""Simulation-based calibration, by which a sampler shows that it returns the posteriors of its own model.

Parameters are drawn from the prior and data from the model, the data are fitted, and the rank of
the true value among the draws is uniform if all three agree. Ranks of the joint log-likelihood
belong to it: a posterior that ignores the data passes on parameters alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import bdtr, bdtrc
from scipy.stats import binom, poisson

from ixa_bayes.parallel import each

FloatArray = NDArray[np.float64]
Draws = Mapping[str, FloatArray]
"""Parameters by name, the first axis running over draws (of length 1 for a true value)."""

BAND_PROB: Final = 0.99
AS_SAMPLED: Final = "as_sampled"
_BISECTIONS: Final = 40


@dataclass(frozen=True, eq=False)
class SBCResult:
    """The verdict on one set of ranks.

    Attributes
    ----------
    ranks : pd.DataFrame, shape (replicate, quantity)
        Whole numbers from 0 to ``n_draws``.
    n_draws : int
        Draws that each true value was ranked among.
    band_prob : float
        Probability that uniform ranks of *all* quantities stay inside their bands.
    outside : pd.DataFrame
        One row per quantity: ``smallest_tail`` (pointwise two-sided tail probability of its most
        extreme ECDF point), ``limit`` (the tail at which the band ends) and ``rejected``.
    """

    ranks: pd.DataFrame
    n_draws: int
    band_prob: float
    outside: pd.DataFrame

    @property
    def uniform(self) -> bool:
        """Whether every quantity stays inside its simultaneous band."""
        return not bool(self.outside["rejected"].any())

    @property
    def rejected(self) -> tuple[str, ...]:
        """The quantities that leave their band."""
        return tuple(self.outside.index[self.outside["rejected"]])


def rank_of(truth: float, draws: FloatArray, *, rng: np.random.Generator) -> int:
    """Number of draws below the true value, ties broken at random."""
    below, ties = int(np.sum(draws < truth)), int(np.sum(draws == truth))
    return below + int(rng.integers(0, ties + 1))


def simulate_ranks(
    simulate: Callable[[np.random.Generator], tuple[Draws, object]],
    fit: Callable[[object, int], Draws],
    quantities: Callable[[Draws, object], Draws],
    *,
    n_replicates: int,
    seed: int,
    corruptions: Mapping[str, Callable[[Draws, np.random.Generator], Draws]] | None = None,
    jobs: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, pd.DataFrame]:
    """Rank true values among posterior draws, replicate by replicate.

    Parameters
    ----------
    simulate : callable
        From a generator to (true parameters, first axis of length 1; data).
    fit : callable
        From data and a seed to nearly independent posterior draws, the same number each time.
    quantities : callable
        From parameters and data to what is ranked, including quantities that depend on the data.
    n_replicates : int
        No replicate is dropped.
    seed : int
    corruptions : mapping, optional
        Ways to spoil the draws; a criterion that does not reject them is worth nothing.
    jobs : int
        Replicates at a time; see :func:`ixa_bayes.parallel.each`. Ranks are the same for any number.
    progress : callable
        Called with replicates done and replicates in all.

    Returns
    -------
    dict of str to pd.DataFrame, shape (replicate, quantity)
        Ranks of the draws as sampled (``as_sampled``) and of each corruption.

    References
    ----------
    Talts et al. (2018), arXiv:1804.06788; Modrák et al. (2023), Bayesian Analysis, for data-dependent quantities.
    """
    ways = {AS_SAMPLED: lambda draws, _rng: draws, **(corruptions or {})}

    def replicate(child: np.random.SeedSequence) -> dict[str, dict[str, int]]:
        rng = np.random.default_rng(child)
        truth, data = simulate(rng)
        draws = fit(data, int(rng.integers(2**32)))
        wanted, ranks = quantities(truth, data), {}
        for name, spoil in ways.items():
            got = quantities(spoil(draws, rng), data)
            ranks[name] = {key: rank_of(float(wanted[key][0]), got[key], rng=rng) for key in wanted}
        return ranks

    found: list[dict[str, dict[str, int]]] = []
    progress(0, n_replicates)
    for ranks in each(replicate, np.random.SeedSequence(seed).spawn(n_replicates), jobs=jobs):
        found.append(ranks)
        progress(len(found), n_replicates)
    return {name: pd.DataFrame([ranks[name] for ranks in found]) for name in ways}


def judge_ranks(ranks: pd.DataFrame, *, n_draws: int, band_prob: float = BAND_PROB) -> SBCResult:
    """Compare the ECDF of each quantity's ranks with its simultaneous band.

    Parameters
    ----------
    ranks : pd.DataFrame, shape (replicate, quantity)
    n_draws : int
        Ranks run from 0 to this.
    band_prob : float
        Over all points of all quantities; quantities share it by Bonferroni's inequality, since their
        ranks depend on each other in ways that no formula knows.

    References
    ----------
    Säilynoja, Bürkner & Vehtari (2022), Statistics and Computing 32:32.
    """
    prob = 1 - (1 - band_prob) / ranks.shape[1]
    limit = band_limit(len(ranks), n_draws + 1, prob)
    tails = {str(name): smallest_tail(column.to_numpy(), n_draws=n_draws) for name, column in ranks.items()}
    outside = pd.DataFrame({"smallest_tail": tails, "limit": limit})
    return SBCResult(ranks, n_draws, band_prob, outside.assign(rejected=outside["smallest_tail"] < limit))


def smallest_tail(ranks: NDArray[np.int64], *, n_draws: int) -> float:
    """Two-sided pointwise tail probability of the most extreme point of the ECDF of some ranks."""
    counts = np.bincount(ranks, minlength=n_draws + 1).cumsum()[:-1].astype(float)
    share = np.arange(1, n_draws + 1) / (n_draws + 1)
    at_most, at_least = bdtr(counts, len(ranks), share), np.where(counts > 0, bdtrc(counts - 1, len(ranks), share), 1.0)
    return float(2 * np.minimum(at_most, at_least).min())


@lru_cache(maxsize=64)
def band_limit(n_ranks: int, n_bins: int, prob: float) -> float:
    """Pointwise tail probability at which a band over all ECDF points holds uniform ranks with ``prob``.

    Exact, by recursion over the bins. ArviZ simulates this limit, which for the high probabilities
    that many quantities need takes far more simulations than its default; a test compares the two.

    Parameters
    ----------
    n_ranks, n_bins : int
        Ranks, and the equally likely values that each can take.
    prob : float
        Simultaneous coverage over the ``n_bins - 1`` inner points.
    """
    low, high = -30.0, 0.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if _coverage(10.0**middle, n_ranks, n_bins) >= prob else (low, middle)
    return float(10.0**low)


def _coverage(tail: float, n_ranks: int, n_bins: int) -> float:
    """Probability that no ECDF point of uniform ranks has a two-sided tail below ``tail``.

    Given their sum, independent Poisson counts per bin are multinomial; so the walk of cumulative
    counts is followed with Poisson steps and conditioned on its end.
    """
    share = np.arange(1, n_bins) / n_bins
    lowest = np.asarray(binom.ppf(tail / 2, n_ranks, share), dtype=int)
    highest = np.asarray(binom.isf(tail / 2, n_ranks, share), dtype=int)
    steps = poisson.pmf(np.arange(n_ranks + 1), n_ranks / n_bins)
    steps = steps[: int(np.flatnonzero(steps > 1e-20).max()) + 1]
    walk = np.zeros(n_ranks + 1)
    walk[0] = 1.0
    for first, last in zip(lowest, highest, strict=True):
        walk = np.convolve(walk, steps)[: n_ranks + 1]
        walk[:first] = 0.0
        walk[last + 1 :] = 0.0
    walk = np.convolve(walk, steps)[: n_ranks + 1]
    return float(walk[-1] / poisson.pmf(n_ranks, n_ranks))


def blocks(ranks: pd.DataFrame, n_blocks: int) -> Sequence[pd.DataFrame]:
    """Equal parts of the replicates, in order: independent repetitions of the whole exercise."""
    size = len(ranks) // n_blocks
    return [ranks.iloc[start : start + size] for start in range(0, n_blocks * size, size)]
