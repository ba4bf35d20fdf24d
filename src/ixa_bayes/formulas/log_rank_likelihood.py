"""The likelihood of a log hazard ratio given a printed log-rank z, simulated over all hazard ratios.

Where few events are left in a small group the mean of z flattens as the effect grows: z cannot
exceed what the events allow. A normal likelihood with the slope at the best estimate is then wrong
just where a prior pulls, so the distribution of z is simulated along a grid of hazard ratios, and
the likelihood of a printed z (or of an interval of z) is read off it.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.special import log_ndtr, logsumexp, ndtr

from ixa_bayes.formulas.log_rank import Censoring, LogRankCohorts
from ixa_bayes.formulas.normal import NormalPrior

FloatArray = NDArray[np.float64]

GRID: Final[FloatArray] = np.linspace(-4.0, 4.0, 49)
"""Log hazard ratios that are simulated; beyond them z hardly changes any more (hazard ratios of 1/55 and 55)."""
_BANDWIDTH: Final = 0.2
_DEFENSIVE: Final = 0.05
_NORMAL_FROM: Final = 3.5
_POINTS: Final = 4001
_REACH: Final = 9.0


@dataclass(frozen=True, eq=False)
class LogRankCurve:
    """Simulated log-rank z of one design over a grid of hazard ratios.

    Attributes
    ----------
    z : ndarray, shape (grid, replicate)
        The same random numbers in every row, so that each column is a smooth function of the
        hazard ratio.
    """

    z: FloatArray

    @cached_property
    def mean(self) -> FloatArray:
        """Mean of z at each hazard ratio, shape (grid,)."""
        return np.asarray(self.z.mean(axis=1))

    @cached_property
    def sd(self) -> FloatArray:
        """Standard deviation of z at each hazard ratio, shape (grid,)."""
        return np.asarray(self.z.std(axis=1, ddof=1))

    def resampled(self, columns: NDArray[np.int64]) -> "LogRankCurve":
        """The curve from other replicates: a bootstrap draw of the simulation."""
        return LogRankCurve(self.z[:, columns])

    def log_density(self, z: float) -> FloatArray:
        """Log density of z at each hazard ratio, shape (grid,).

        A Gaussian kernel over the simulated values, shrunk so that it keeps their variance, gives way
        between 2.5 and 3.5 sd to the normal density of their mean and sd: out there a single simulated
        value would make a bump, and nothing but the order of magnitude matters.
        """
        kernel = -0.5 * ((z - self._shrunk()) / self._width()) ** 2 - np.log(self._width()) - _LOG_ROOT_2PI
        smooth = logsumexp(kernel, axis=1) - math.log(self.z.shape[1])
        normal = -0.5 * ((z - self.mean) / self.sd) ** 2 - np.log(self.sd) - _LOG_ROOT_2PI
        return self._blended(smooth, normal, distance=(z - self.mean) / self.sd)

    def log_probability(self, low: float, high: float) -> FloatArray:
        """Log probability that z lies between two values, either of which may be infinite; shape (grid,)."""
        smooth = ndtr((high - self._shrunk()) / self._width()) - ndtr((low - self._shrunk()) / self._width())
        with np.errstate(divide="ignore"):  # log 0: nothing simulated, or no normal probability, lies there
            return self._blended(
                np.log(smooth.mean(axis=1)), self._normal_probability(low, high), distance=self._outside(low, high)
            )

    def _normal_probability(self, low: float, high: float) -> FloatArray:
        """Log probability of the interval for a normal z, by the tail that keeps its digits."""
        # Mirrored where the interval lies above the mean: the difference of two probabilities near 1 has no digits.
        mirror = np.where(self.mean < low, -1.0, 1.0)
        ends = mirror * (np.stack([np.full_like(self.mean, low), np.full_like(self.mean, high)]) - self.mean) / self.sd
        below, above = log_ndtr(ends.min(axis=0)), log_ndtr(ends.max(axis=0))
        return np.asarray(above + np.log1p(-np.exp(np.minimum(below - above, 0.0))))

    def _outside(self, low: float, high: float) -> FloatArray:
        """Distance of the mean from the interval in sd; 0 inside."""
        return np.asarray(np.maximum(np.maximum(low - self.mean, self.mean - high), 0.0) / self.sd)

    def _blended(self, smooth: FloatArray, normal: FloatArray, *, distance: FloatArray) -> FloatArray:
        share = (1 - _DEFENSIVE) * np.clip(_NORMAL_FROM - np.abs(distance), 0.0, 1.0)
        with np.errstate(divide="ignore"):
            return np.asarray(np.logaddexp(np.log(share) + smooth, np.log1p(-share) + normal))

    def _width(self) -> FloatArray:
        return _BANDWIDTH * self.sd[:, np.newaxis]

    def _shrunk(self) -> FloatArray:
        centre = self.mean[:, np.newaxis]
        return np.asarray(centre + math.sqrt(1 - _BANDWIDTH**2) * (self.z - centre))


_LOG_ROOT_2PI: Final = 0.5 * math.log(2 * math.pi)


def simulate_curve(
    n_1: int, n_2: int, *, events: int, censoring: Censoring, replicates: int, seed: int
) -> LogRankCurve:
    """Simulate log-rank z of a design over :data:`GRID`.

    Parameters and errors as :func:`ixa_bayes.formulas.log_rank.calibrate_log_rank`.
    """
    cohorts = LogRankCohorts(n_1, n_2, events=events, censoring=censoring, replicates=replicates, seed=seed)
    return LogRankCurve(np.stack([cohorts.scores(float(log_hr)).z for log_hr in GRID]))


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
        Interpolated by monotone cubics, which do not overshoot; constant beyond the ends of the grid.
    prior : NormalPrior

    Returns
    -------
    GridPosterior
        On 4,001 points over 9 prior standard deviations on either side of the prior's mean.
    """
    points = prior.mean + prior.sd * np.linspace(-_REACH, _REACH, _POINTS)
    floor = log_likelihood.max() - 700.0
    between = PchipInterpolator(GRID, np.maximum(log_likelihood, floor))
    log_weight = between(np.clip(points, GRID[0], GRID[-1])) - 0.5 * ((points - prior.mean) / prior.sd) ** 2
    weight = np.exp(log_weight - log_weight.max())
    mass = np.concatenate([[0.0], np.cumsum((weight[1:] + weight[:-1]) / 2)])
    return GridPosterior(points, mass / mass[-1])


@dataclass(frozen=True, eq=False)
class ConfidenceDistribution:
    """What a z says without a prior: the hazard ratios that its one-sided tests do not reject.

    Attributes
    ----------
    tail : ndarray, shape (grid,)
        P(Z >= z) at each hazard ratio, made to rise with it: the confidence that the hazard ratio
        lies below.
    """

    tail: FloatArray

    def quantile(self, probability: float) -> float:
        """Confidence limit of the hazard ratio.

        0 or infinite where even the most extreme hazard ratio is not rejected, because z cannot tell
        a large effect from an infinite one.
        """
        if probability <= self.tail[0]:
            return 0.0
        if probability >= self.tail[-1]:
            return math.inf
        return math.exp(float(np.interp(probability, self.tail, GRID)))

    def p_above(self, hazard_ratio: float) -> float:
        """Confidence that HR > c; at c = 1 one minus the one-sided p value of the simulated z."""
        return 1.0 - float(np.interp(math.log(hazard_ratio), GRID, self.tail))


def invert(curve: LogRankCurve, z: float) -> ConfidenceDistribution:
    """Invert the log-rank test at a printed z.

    The interval between two quantiles excludes 1 just where the p value of the simulated z does.

    References
    ----------
    Cox & Hinkley (1974), Theoretical Statistics, section 7.2.
    """
    return ConfidenceDistribution(np.maximum.accumulate(np.exp(curve.log_probability(z, math.inf))))
