"""The likelihood of a log hazard ratio given a printed log-rank z, simulated over all hazard ratios.

Where few events are left in a small group the mean of z flattens as the effect grows: z cannot
exceed what the events allow. A normal likelihood with the slope at the best estimate is then wrong
just where a prior pulls, so cohorts are simulated along a grid of hazard ratios.

The log-rank sees only the order in which patients of the two groups have events (and leave), and the
probability of an order is known at every hazard ratio: it is Cox's partial likelihood. A cohort that
shows the printed z therefore speaks of every hazard ratio, not only of the one it was simulated at. All
cohorts are pooled, each with its probability at a hazard ratio over its probability under the whole
simulation, so that few of them must be near the printed z and a narrow window around it is enough.

The window is the same at every hazard ratio. Where the small group is nearly used up z takes few values,
and a window in proportion to the standard deviation of z, which shrinks there, sees one of them whole at
one hazard ratio and a part of it at the next: with 14 against 112 patients and 42 events such windows move
the median of a posterior by an eighth.
"""

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.special import expit, log_ndtr, logit, logsumexp

from ixa_bayes.formulas.log_rank import Censoring, check_design
from ixa_bayes.formulas.log_rank_orders import LogRankOrders
from ixa_bayes.formulas.normal import NormalPrior

FloatArray = NDArray[np.float64]
Bound = Literal["above", "below", "within"]
"""What is known of a z beside one value: it is larger, smaller, or nearer to 0."""

_FAR: Final = np.array([4.5, 5.5, 7.0, 9.0])
GRID: Final[FloatArray] = np.concatenate([-_FAR[::-1], np.linspace(-4.0, 4.0, 49), _FAR])
"""Log hazard ratios that are simulated, to hazard ratios of 1/8100 and 8100.

A z that needs at least one event in the small group has a likelihood that falls with the hazard ratio until there
is none: with 14 against 112 patients, 42 events and z of -2.02 it is still 27% of its peak at 1/55.
"""
_WINDOW: Final = 0.015
"""Standard deviation of the Gaussian window around z, in units of z; about what two printed digits of p tell apart."""
_BATCHES: Final = 20
_SHARE_NEAR: Final = 0.0025
_POINTS: Final = 4001
_REACH: Final = 9.0


@dataclass(frozen=True, eq=False)
class LogRankCurve:
    """What simulated cohorts of one design say about a printed log-rank z at every hazard ratio of :data:`GRID`.

    Every array is the log of a mean over the cohorts of one batch, shape (batch, grid); batches are independent.

    Attributes
    ----------
    near : ndarray
        Log density of z at the printed value.
    above, below : ndarray
        Log probability that z is larger, or smaller, than the printed value.
    within : ndarray
        Log probability that z is nearer to 0.
    """

    near: FloatArray
    above: FloatArray
    below: FloatArray
    within: FloatArray

    @property
    def n_batches(self) -> int:
        """Number of independent batches."""
        return len(self.near)

    def resampled(self, batches: NDArray[np.int64]) -> "LogRankCurve":
        """The curve from other batches: a bootstrap draw of the simulation."""
        return LogRankCurve(self.near[batches], self.above[batches], self.below[batches], self.within[batches])

    def log_density(self) -> FloatArray:
        """Log likelihood of a z that is printed exactly, shape (grid,)."""
        return _log_mean(self.near)

    def log_probability(self, bound: Bound) -> FloatArray:
        """Log likelihood of a z of which only a bound is printed, shape (grid,).

        Divided by the probability of any z, which is 1 but for the error of the simulation: the two err together.
        """
        whole = np.logaddexp(_log_mean(self.above), _log_mean(self.below))
        part = {"above": self.above, "below": self.below, "within": self.within}[bound]
        return np.asarray(_log_mean(part) - whole)


def _log_mean(batches: FloatArray) -> FloatArray:
    return np.asarray(logsumexp(batches, axis=0) - math.log(len(batches)))


def simulate_curve(
    n_1: int, n_2: int, *, events: int, z: float, censoring: Censoring, replicates: int, seed: int
) -> LogRankCurve:
    """Simulate cohorts of a design over :data:`GRID` and read off what a printed z says.

    Parameters
    ----------
    z : float
        The printed value, or the bound that is printed; positive if group 1 fares worse. Where hardly
        any cohort comes near it, the window widens until the nearest ones stand in it.
    replicates : int
        Simulated cohorts in all, at least 200; spread evenly over :data:`GRID` and rounded up to batches.

    Other parameters and errors as :func:`ixa_bayes.formulas.log_rank.calibrate_log_rank`.

    References
    ----------
    Cox (1975), Biometrika 62:269 (the probability of the order); Veach & Guibas (1995), SIGGRAPH 95:419
    (weights over the mixture of all simulations).
    """
    check_design(n_1, n_2, events=events, z=z, replicates=replicates)
    orders = LogRankOrders(n_1, n_2, events=events, censoring=censoring, log_hr=GRID)
    seeds = np.random.SeedSequence(seed).spawn(_BATCHES)
    size = math.ceil(replicates / (_BATCHES * len(GRID)))
    pilot = np.abs(orders.simulate(size, rng=np.random.default_rng(seeds[0])).z - z)
    window = max(_WINDOW, float(np.quantile(pilot, _SHARE_NEAR)) / 2)
    batches = [_batch(orders, size, z=z, window=window, rng=np.random.default_rng(child)) for child in seeds]
    near, above, below, within = (np.stack(arrays) for arrays in zip(*batches, strict=True))
    return LogRankCurve(near, above, below, within)


def _batch(
    orders: LogRankOrders, size: int, *, z: float, window: float, rng: np.random.Generator
) -> tuple[FloatArray, ...]:
    drawn = orders.simulate(size, rng=rng)
    log_weight = drawn.log_probability - logsumexp(drawn.log_probability, axis=1, keepdims=True)
    log_weight += math.log(len(GRID)) - math.log(len(drawn.z))
    # The window blurs a bound as it blurs a point, so that their likelihoods belong to each other.
    beyond = (drawn.z - z) / window
    log_near = -0.5 * beyond**2 - math.log(window) - _LOG_ROOT_2PI
    inner, outer = (log_ndtr((sign * abs(z) - drawn.z) / window) for sign in (-1, 1))
    log_within = outer + np.log1p(-np.exp(np.minimum(inner - outer, -1e-12)))
    parts = (log_near, log_ndtr(beyond), log_ndtr(-beyond), log_within)
    return tuple(np.asarray(logsumexp(log_weight + part[:, np.newaxis], axis=0)) for part in parts)


_LOG_ROOT_2PI: Final = 0.5 * math.log(2 * math.pi)


@dataclass(frozen=True, eq=False)
class GridPosterior:
    """A posterior of a log hazard ratio by numerical integration.

    Attributes
    ----------
    log_hr : ndarray, shape (point,)
    cdf : ndarray, shape (point,)
        Posterior probability below each point.
    """

    log_hr: FloatArray
    cdf: FloatArray

    def quantile(self, probability: float) -> float:
        """Hazard ratio below which the given probability lies."""
        return math.exp(float(np.interp(probability, self.cdf, self.log_hr)))

    def p_above(self, hazard_ratio: float) -> float:
        """P(HR > c)."""
        return 1.0 - float(np.interp(math.log(hazard_ratio), self.log_hr, self.cdf))


def combine(log_likelihood: FloatArray, prior: NormalPrior) -> GridPosterior:
    """Combine a likelihood over :data:`GRID` with a normal prior.

    Parameters
    ----------
    log_likelihood : ndarray, shape (grid,)
        Interpolated by a cubic spline (exact for a normal likelihood). Beyond the ends of the grid it goes on with
        its slope there if it falls away, which is the number of events that z needs in the group with the lower
        hazard, and stays constant otherwise, as for a z that no event or only a bound is needed for.
    prior : NormalPrior

    Returns
    -------
    GridPosterior
        On 4,001 points over 9 prior standard deviations on either side of the prior's mean.
    """
    points = prior.mean + prior.sd * np.linspace(-_REACH, _REACH, _POINTS)
    log_weight = _continued(log_likelihood, points) - 0.5 * ((points - prior.mean) / prior.sd) ** 2
    weight = np.exp(log_weight - log_weight.max())
    mass = np.concatenate([[0.0], np.cumsum((weight[1:] + weight[:-1]) / 2)])
    return GridPosterior(points, mass / mass[-1])


def _continued(log_likelihood: FloatArray, points: FloatArray) -> FloatArray:
    """Log likelihood between the points of :data:`GRID`, and beyond its ends, where it cannot rise for ever."""
    between = CubicSpline(GRID, log_likelihood)
    slope_low, slope_high = max(float(between(GRID[0], 1)), 0.0), min(float(between(GRID[-1], 1)), 0.0)
    beyond = slope_low * np.minimum(points - GRID[0], 0.0) + slope_high * np.maximum(points - GRID[-1], 0.0)
    return np.asarray(between(np.clip(points, GRID[0], GRID[-1])) + beyond)


@dataclass(frozen=True, eq=False)
class ConfidenceDistribution:
    """What a z says without a prior: the hazard ratios that its one-sided tests do not reject.

    Attributes
    ----------
    log_odds : ndarray, shape (grid,)
        Log odds of Z >= z at each hazard ratio, made to rise with it: of the confidence that the hazard ratio
        lies below. Linear between the points, since a tail falls by a like factor from one to the next.
    """

    log_odds: FloatArray

    def quantile(self, probability: float) -> float:
        """Confidence limit of the hazard ratio.

        0 or infinite where no hazard ratio of :data:`GRID` is rejected: z cannot tell a large effect from an infinite
        one, because it needs no event in the group with the lower hazard, or the limit lies beyond 1/8100 or 8100.
        """
        wanted = float(logit(probability))
        if wanted <= self.log_odds[0]:
            return 0.0
        if wanted >= self.log_odds[-1]:
            return math.inf
        return math.exp(float(np.interp(wanted, self.log_odds, GRID)))

    def p_above(self, hazard_ratio: float) -> float:
        """Confidence that HR > c; at c = 1 one minus the one-sided p value of the simulated z."""
        return float(expit(-np.interp(math.log(hazard_ratio), GRID, self.log_odds)))


def invert(curve: LogRankCurve) -> ConfidenceDistribution:
    """Invert the log-rank test at the printed z.

    The interval between two quantiles excludes 1 just where the p value of the simulated z does.

    References
    ----------
    Cox & Hinkley (1974), Theoretical Statistics, section 7.2.
    """
    log_odds = curve.log_probability("above") - curve.log_probability("below")
    return ConfidenceDistribution(np.maximum.accumulate(log_odds))
