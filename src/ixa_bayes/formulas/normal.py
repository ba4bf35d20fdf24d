"""Normal beliefs about a log hazard ratio: the prior, its update, and what the update says.

Closed forms on the log scale (hazard ratio > 1 means a worse outcome with the factor). Where a
paper prints only a bound for p, the likelihood is an interval of z and the update is a
one-dimensional integral, done here as well (:class:`IntervalPosterior`).
"""

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import quad
from scipy.optimize import brentq, minimize_scalar
from scipy.special import log_ndtr, ndtr, ndtri

FloatArray = NDArray[np.float64]

NEUTRAL_SD: Final = {"weak": 5.0, "moderate": 0.355, "strong": 0.205}
WRONG_SIDE: Final = {"weak": 0.30, "moderate": 0.15, "strong": 0.05}
ROPE: Final = (0.8, 1.25)
_ZAMPIERI: Final = "Zampieri et al. 2021, Am J Respir Crit Care Med 203:543"


@dataclass(frozen=True)
class NormalPrior:
    """A belief about a log hazard ratio before this evidence.

    Attributes
    ----------
    name : str
        How tables and files call it, such as ``neutral_moderate``.
    mean, sd : float
        Of the log hazard ratio; ``sd`` > 0.
    source : str
        A citation or an elicitation note.
    """

    name: str
    mean: float
    sd: float
    source: str

    def __post_init__(self) -> None:
        if not math.isfinite(self.mean):
            raise ValueError(f"prior {self.name}: mean is {self.mean!r}; must be finite.")
        if not 0 < self.sd < math.inf:
            raise ValueError(f"prior {self.name}: sd is {self.sd!r}; must be finite and > 0; if vague, raise sd.")

    def hazard_ratio_interval(self, ci_prob: float = 0.95) -> tuple[float, float]:
        """Equal-tailed prior interval of the hazard ratio: what the prior implies, in a clinician's unit."""
        half = float(ndtri((1 + ci_prob) / 2)) * self.sd
        return math.exp(self.mean - half), math.exp(self.mean + half)


@dataclass(frozen=True, eq=False)
class NormalPosterior:
    """A normal posterior of a log hazard ratio, or an array of them.

    Attributes
    ----------
    mean, sd : ndarray, any common shape (0-d for one posterior)
        Of the log hazard ratio.
    """

    mean: FloatArray
    sd: FloatArray

    def quantile(self, probability: float) -> FloatArray:
        """Hazard ratio below which the given probability lies."""
        return np.exp(self.mean + self.sd * ndtri(probability))

    def mean_hazard_ratio(self) -> FloatArray:
        """Posterior mean of the hazard ratio itself (of a log-normal)."""
        return np.exp(self.mean + self.sd**2 / 2)

    def p_above(self, hazard_ratio: float) -> FloatArray:
        """P(HR > c), by the upper tail so that small probabilities keep their digits."""
        return np.asarray(ndtr((self.mean - math.log(hazard_ratio)) / self.sd))

    def p_between(self, lower: float, upper: float) -> FloatArray:
        """P(lower < HR < upper)."""
        return np.asarray(ndtr((math.log(upper) - self.mean) / self.sd) - ndtr((math.log(lower) - self.mean) / self.sd))


@dataclass(frozen=True, eq=False)
class HazardRatioSummary:
    """What is reported of a posterior hazard ratio; arrays of the posterior's shape.

    Attributes
    ----------
    median, lower, upper : ndarray
        Posterior median and equal-tailed interval of the hazard ratio.
    mean : ndarray
        Posterior mean of the hazard ratio.
    p_above : dict of float to ndarray
        P(HR > c) for each threshold c.
    p_rope : ndarray
        P(HR inside the region of practical equivalence).
    ci_prob : float
        Probability of the interval.
    """

    median: FloatArray
    lower: FloatArray
    upper: FloatArray
    mean: FloatArray
    p_above: dict[float, FloatArray]
    p_rope: FloatArray
    ci_prob: float


def log_standard_error(lower: ArrayLike, upper: ArrayLike, *, ci_prob: float = 0.95) -> FloatArray:
    """Standard error of a log ratio from its confidence limits, (ln U - ln L) / 2z.

    Raises
    ------
    ValueError
        Unless 0 < lower < upper, both finite.
    """
    low, high = np.asarray(lower, dtype=float), np.asarray(upper, dtype=float)
    if not np.all((low > 0) & (low < high) & np.isfinite(high)):
        raise ValueError(f"limits {lower!r} to {upper!r}: ratios need 0 < lower < upper, both finite.")
    return (np.log(high) - np.log(low)) / (2 * ndtri((1 + ci_prob) / 2))


def update_normal(log_hr: ArrayLike, standard_error: ArrayLike, *, prior: NormalPrior) -> NormalPosterior:
    """Combine a normal prior with estimate ~ N(log HR, standard_error^2).

    Parameters
    ----------
    log_hr, standard_error : array_like, shapes that broadcast
        Estimate and its standard error on the log scale; standard errors > 0.
    prior : NormalPrior

    Returns
    -------
    NormalPosterior
        Of the broadcast shape.

    Raises
    ------
    ValueError
        If a standard error is not > 0 or a value is not finite.

    References
    ----------
    Gelman et al. (2013), Bayesian Data Analysis, 3rd ed., section 2.5.
    """
    estimate, se = np.broadcast_arrays(np.asarray(log_hr, dtype=float), np.asarray(standard_error, dtype=float))
    if not (np.all(np.isfinite(estimate)) and np.all(np.isfinite(se) & (se > 0))):
        raise ValueError("log_hr must be finite, standard_error finite and > 0.")
    prior_precision, precision = 1 / prior.sd**2, 1 / se**2
    total = prior_precision + precision
    return NormalPosterior(
        mean=np.asarray((prior.mean * prior_precision + estimate * precision) / total),
        sd=np.asarray(1 / np.sqrt(total)),
    )


def summarise_hazard_ratio(
    posterior: NormalPosterior,
    *,
    ci_prob: float = 0.95,
    thresholds: tuple[float, ...] = (1.0, 1.25, 2.0),
    rope: tuple[float, float] = ROPE,
) -> HazardRatioSummary:
    """Posterior median, equal-tailed interval, mean, P(HR > c) and P(HR inside ``rope``)."""
    return HazardRatioSummary(
        median=posterior.quantile(0.5),
        lower=posterior.quantile((1 - ci_prob) / 2),
        upper=posterior.quantile((1 + ci_prob) / 2),
        mean=posterior.mean_hazard_ratio(),
        p_above={threshold: posterior.p_above(threshold) for threshold in thresholds},
        p_rope=posterior.p_between(*rope),
        ci_prob=ci_prob,
    )


def prior_grid(design_ratio: float | None = None) -> tuple[NormalPrior, ...]:
    """The neutral, optimistic and pessimistic priors, each weak, moderate and strong.

    Parameters
    ----------
    design_ratio : float or None
        The hazard ratio that a study of this effect would be planned on, > 0 and not 1. It fixes
        the optimistic priors (centre ln ratio) and their mirror images, the pessimistic ones; which
        side of 1 is called optimistic follows from it. A retrospective cohort has no design ratio:
        with None only the three neutral priors are returned, since guessing one would be an
        invented prior.

    Returns
    -------
    tuple of NormalPrior
        Names ``neutral_weak`` to ``pessimistic_strong``. The sd of a non-neutral prior leaves
        probability 0.30 (weak), 0.15 (moderate) or 0.05 (strong) on the other side of 1.

    Raises
    ------
    ValueError
        If the design ratio is not positive and finite, or is 1.

    References
    ----------
    Zampieri et al. (2021), Am J Respir Crit Care Med 203:543.
    """
    neutral = tuple(
        NormalPrior(f"neutral_{strength}", 0.0, sd, f"{_ZAMPIERI}: neutral, {strength}")
        for strength, sd in NEUTRAL_SD.items()
    )
    if design_ratio is None:
        return neutral
    if not 0 < design_ratio < math.inf or design_ratio == 1:
        raise ValueError(f"design_ratio is {design_ratio!r}; must be positive, finite and not 1, or None.")
    centre = math.log(design_ratio)
    return neutral + tuple(
        NormalPrior(
            f"{belief}_{strength}",
            sign * centre,
            abs(centre) / float(ndtri(1 - wrong)),
            f"{_ZAMPIERI}: {belief}, {strength}, design ratio {design_ratio:g}",
        )
        for belief, sign in (("optimistic", 1), ("pessimistic", -1))
        for strength, wrong in WRONG_SIDE.items()
    )


def z_from_p(p: float) -> float:
    """Absolute z of a two-sided p value, by p/2.

    The wording of Tierney et al. has led readers to use p itself (Trials 2013;14:391); a two-sided
    p value needs its half.
    """
    if not 0 < p <= 1:
        raise ValueError(f"p is {p!r}; must lie in (0, 1].")
    return float(-ndtri(p / 2))


@dataclass(frozen=True)
class IntervalPosterior:
    """Posterior of a log hazard ratio when all that is known of the data is an interval of z.

    z given the log hazard ratio b is N(b sqrt(information), 1). A p value printed as an
    inequality bounds z on one side only, so its likelihood never falls as the effect grows:
    median and far limit are then the prior's, and only :meth:`p_above` and
    :meth:`bound_nearest_null` speak of the data.

    Attributes
    ----------
    z_low, z_high : float
        Ends of the interval, positive for hazard ratios > 1; either may be infinite.
    information : float
        V, the inverse variance of the estimated log hazard ratio.
    prior : NormalPrior
    """

    z_low: float
    z_high: float
    information: float
    prior: NormalPrior

    def __post_init__(self) -> None:
        if not self.z_low < self.z_high:
            raise ValueError(f"z interval {self.z_low!r} to {self.z_high!r} is empty.")
        if not 0 < self.information < math.inf:
            raise ValueError(f"information is {self.information!r}; must be finite and > 0.")

    @cached_property
    def _mode_and_peak(self) -> tuple[float, float]:
        found = minimize_scalar(lambda b: -self._log_density(b), bracket=self._bracket())
        return float(found.x), float(-found.fun)

    @cached_property
    def _total(self) -> float:
        return self._mass(-math.inf, math.inf)

    def _bracket(self) -> tuple[float, float]:
        finite = [z for z in (self.z_low, self.z_high) if math.isfinite(z)]
        centre = sum(finite) / len(finite) / math.sqrt(self.information) if finite else self.prior.mean
        return (self.prior.mean, centre) if centre != self.prior.mean else (centre, centre + self.prior.sd)

    def _log_density(self, log_hr: float) -> float:
        shift = log_hr * math.sqrt(self.information)
        low, high = self.z_low - shift, self.z_high - shift
        if low > 0:  # differences of two upper tails lose their digits; mirror them to the lower side
            low, high = -high, -low
        log_high, log_low = float(log_ndtr(high)), float(log_ndtr(low))
        likelihood = log_high + math.log1p(-math.exp(log_low - log_high)) if log_low < log_high else -math.inf
        return -(((log_hr - self.prior.mean) / self.prior.sd) ** 2) / 2 + likelihood

    def _mass(self, low: float, high: float) -> float:
        # The density is log-concave with curvature >= the prior's, so 12 prior sd around the mode hold
        # all of it; panels no wider than the sharper of prior and likelihood leave quad nothing to miss.
        sharp = min(self.prior.sd, 1 / math.sqrt(self.information))
        span = 12 * self.prior.sd
        mode, peak = self._mode_and_peak
        low, high = max(low, mode - span), min(high, mode + span)
        if low >= high:
            return 0.0
        steps = np.concatenate([[0.0], sharp * 2.0 ** np.arange(0, 60)])
        steps = steps[steps < span]
        knots = np.unique(np.clip(np.concatenate([mode - steps, mode + steps, [low, high]]), low, high))
        return sum(
            quad(lambda b: math.exp(self._log_density(b) - peak), a, b, epsabs=1e-14, epsrel=1e-11)[0]
            for a, b in pairwise(knots)
        )

    def p_above(self, hazard_ratio: float) -> float:
        """P(HR > c)."""
        return self._mass(math.log(hazard_ratio), math.inf) / self._total

    def quantile(self, probability: float) -> float:
        """Hazard ratio below which the given probability lies; see the class on what it rests on."""
        if not 0 < probability < 1:
            raise ValueError(f"probability is {probability!r}; must lie in (0, 1).")
        mode, span = self._mode_and_peak[0], 12 * self.prior.sd
        root = brentq(
            lambda b: self._mass(-math.inf, b) / self._total - probability, mode - span, mode + span, xtol=1e-10
        )
        return math.exp(float(root))

    def bound_nearest_null(self, probability: float = 0.975) -> float:
        """Hazard ratio that the effect exceeds (one-sided, away from 1) with the given probability."""
        if math.isinf(self.z_high) and not math.isinf(self.z_low):
            return self.quantile(1 - probability)
        if math.isinf(self.z_low) and not math.isinf(self.z_high):
            return self.quantile(probability)
        raise ValueError("z is bounded on both sides, or on neither; read the quantiles instead.")

    def at_edge(self) -> NormalPosterior:
        """The posterior if z stood exactly at its finite end: the least effect that the text allows."""
        finite = [z for z in (self.z_low, self.z_high) if math.isfinite(z)]
        if len(finite) != 1:
            raise ValueError("z is bounded on both sides, or on neither; there is no one edge.")
        root = math.sqrt(self.information)
        return update_normal(finite[0] / root, 1 / root, prior=self.prior)


def update_from_p_below(p_edge: float, *, direction: int, information: float, prior: NormalPrior) -> IntervalPosterior:
    """Posterior from a two-sided p value printed as ``< p_edge``.

    Parameters
    ----------
    p_edge : float
        The printed bound, in (0, 1).
    direction : {1, -1}
        1 if the paper's effect has hazard ratio > 1, -1 if < 1.
    information : float
        V, the inverse variance of the estimated log hazard ratio.
    prior : NormalPrior

    Returns
    -------
    IntervalPosterior
        ``at_edge()`` is the result beside it: the posterior if p stood at the bound.

    Raises
    ------
    ValueError
        If ``direction`` is neither 1 nor -1, p lies outside (0, 1), or V is not > 0.
    """
    if direction not in (1, -1):
        raise ValueError(f"direction is {direction!r}; must be 1 (HR > 1) or -1 (HR < 1).")
    edge = z_from_p(p_edge)
    low, high = (edge, math.inf) if direction == 1 else (-math.inf, -edge)
    return IntervalPosterior(z_low=low, z_high=high, information=information, prior=prior)


def update_from_p_above(p_edge: float, *, information: float, prior: NormalPrior) -> IntervalPosterior:
    """Posterior from a two-sided p value printed as ``> p_edge`` (or ``NS``): |z| is below its edge."""
    edge = z_from_p(p_edge)
    return IntervalPosterior(z_low=-edge, z_high=edge, information=information, prior=prior)
