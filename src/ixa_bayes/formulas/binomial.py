"""Beta-binomial posteriors of response rates and exact contrasts of two of them.

No simulation: the contrasts are one-dimensional integrals. Each is transformed so that its
integrand is analytic and falls off exponentially on the whole line, where the trapezoidal rule
converges exponentially; that holds for no responders, all responders, no patients and priors
whose density is infinite at 0 or 1.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize.elementwise import find_root
from scipy.special import betainc, betainccinv, betaincinv, betaln, digamma, expit, polygamma
from scipy.stats import betabinom

FloatArray = NDArray[np.float64]
ContrastKind = Literal["difference", "risk_ratio", "odds_ratio"]

_FIRST_NODES: Final = 128
_MOST_NODES: Final = 2**17
_INTEGRAL_TOLERANCE: Final = 1e-10
_NEGLIGIBLE: Final = 1e-17
_CUT_TAIL: Final = -45.0
_TINY: Final = 1e-300


@dataclass(frozen=True)
class BetaPrior:
    """A belief about a response rate before this evidence, Beta(a, b).

    Attributes
    ----------
    a, b : float
        Parameters, > 0: ``a`` of ``a + b`` patients whom the prior is worth responded.
    name : str
        How tables and files call it.
    source : str
        A citation or an elicitation note.
    """

    a: float
    b: float
    name: str
    source: str

    def __post_init__(self) -> None:
        for parameter in ("a", "b"):
            if not 0 < getattr(self, parameter) < math.inf:
                raise ValueError(
                    f"prior {self.name}: {parameter} is {getattr(self, parameter)!r}; must be finite and > 0."
                )

    @classmethod
    def from_mean_and_patients(cls, mean: float, patients: float, *, name: str, source: str) -> "BetaPrior":
        """Prior with a given mean rate that is worth a given number of patients.

        Raises
        ------
        ValueError
            Unless 0 < mean < 1 and patients > 0.
        """
        if not (0 < mean < 1 and 0 < patients < math.inf):
            raise ValueError(f"prior {name}: mean {mean!r} and patients {patients!r}; need 0 < mean < 1, patients > 0.")
        return cls(mean * patients, (1 - mean) * patients, name, source)

    @property
    def mean(self) -> float:
        """Prior mean of the rate."""
        return self.a / (self.a + self.b)

    @property
    def patients(self) -> float:
        """Number of patients the prior is worth, a + b."""
        return self.a + self.b


UNIFORM: Final = BetaPrior(1.0, 1.0, "uniform", "Laplace's rule of succession: every rate equally likely")
JEFFREYS: Final = BetaPrior(0.5, 0.5, "jeffreys", "Jeffreys (1946), Proc R Soc Lond A 186:453")


@dataclass(frozen=True)
class BetaPosterior:
    """Posterior Beta(a, b) of a response rate.

    Attributes
    ----------
    a, b : float
        Parameters, > 0.
    """

    a: float
    b: float

    @property
    def mean(self) -> float:
        """Posterior mean of the rate."""
        return self.a / (self.a + self.b)

    @property
    def sd(self) -> float:
        """Posterior standard deviation of the rate."""
        return math.sqrt(self.a * self.b / (self.a + self.b + 1)) / (self.a + self.b)

    def cdf(self, rate: ArrayLike) -> FloatArray:
        """P(rate <= x)."""
        return np.asarray(betainc(self.a, self.b, np.asarray(rate, dtype=float)))

    def quantile(self, probability: ArrayLike) -> FloatArray:
        """Rate below which the given probability lies."""
        return np.asarray(betaincinv(self.a, self.b, np.asarray(probability, dtype=float)))

    def complement_quantile(self, probability: ArrayLike) -> FloatArray:
        """1 - quantile, with its digits kept where the rate is near 1."""
        return np.asarray(betainccinv(self.b, self.a, np.asarray(probability, dtype=float)))

    def predictive_pmf(self, patients: int) -> FloatArray:
        """P(k responders) among the next patients, k = 0 to ``patients``; shape (patients + 1,)."""
        return np.asarray(betabinom.pmf(np.arange(patients + 1), patients, self.a, self.b))

    def predictive_quantile(self, probability: float, *, patients: int) -> int:
        """Smallest number of responders k among the next patients with P(at most k) >= ``probability``."""
        return int(betabinom.ppf(probability, patients, self.a, self.b))


def beta_posterior(responders: int, n: int, *, prior: BetaPrior) -> BetaPosterior:
    """Conjugate posterior of a response rate.

    Parameters
    ----------
    responders, n : int
        0 <= responders <= n; n = 0 returns the prior.
    prior : BetaPrior

    Raises
    ------
    ValueError
        If responders lie outside 0 to n.

    References
    ----------
    Gelman et al. (2013), Bayesian Data Analysis, 3rd ed., section 2.4.
    """
    if not 0 <= responders <= n:
        raise ValueError(f"{responders} responders of {n} patients: must lie between 0 and n.")
    return BetaPosterior(prior.a + responders, prior.b + n - responders)


@dataclass(frozen=True)
class Contrast:
    """Posterior of group 1 against group 2: difference, risk ratio or odds ratio of independent rates.

    Attributes
    ----------
    group_1, group_2 : BetaPosterior
    kind : {"difference", "risk_ratio", "odds_ratio"}
        p1 - p2, p1 / p2, or the ratio of the odds.
    """

    group_1: BetaPosterior
    group_2: BetaPosterior
    kind: ContrastKind

    def cdf(self, value: ArrayLike) -> FloatArray:
        """P(contrast <= value), accurate to about 1e-10; shape of ``value``."""
        at = np.asarray(value, dtype=float)
        if self.kind == "difference":
            inside = np.abs(at) < 1
            scaled = np.where(inside, at, 0.0)
        else:
            inside = (at > 0) & np.isfinite(at)
            scaled = np.log(np.where(inside, at, 1.0))
        return np.asarray(np.where(inside, self._cdf(scaled), (at > 0).astype(float)))

    def p_above(self, value: ArrayLike) -> FloatArray:
        """P(contrast > value), by exchanging the groups so that small probabilities keep their digits."""
        at = np.asarray(value, dtype=float)
        with np.errstate(divide="ignore"):
            mirrored = -at if self.kind == "difference" else 1 / at
        return Contrast(self.group_2, self.group_1, self.kind).cdf(mirrored)

    def quantile(self, probability: ArrayLike) -> FloatArray:
        """Value below which the given probability lies, accurate to about 1e-9; shape of ``probability``.

        Raises
        ------
        ValueError
            If a probability is not inside (0, 1).
        ArithmeticError
            If the integral does not converge: parameters below about 0.05 spread a rate over hundreds of
            powers of ten.
        """
        wanted = np.asarray(probability, dtype=float)
        if not np.all((wanted > 0) & (wanted < 1)):
            raise ValueError(f"probability is {probability!r}; must lie in (0, 1).")
        # The contrast passes this bracket only if one of the two rates lies in a tail of half the probability.
        low = self._of_quantiles(wanted / 2, 1 - wanted / 2)
        high = self._of_quantiles((1 + wanted) / 2, (1 - wanted) / 2)

        def excess(at: FloatArray, /, *p: FloatArray, **_: FloatArray) -> FloatArray:
            return self._cdf(at) - p[0]

        found = find_root(excess, (low, high), args=(wanted,), tolerances={"xatol": 1e-12, "xrtol": 1e-12})
        if not np.all(found.success):
            raise ArithmeticError(f"no quantile of {self} found at {probability!r}.")
        return np.asarray(found.x if self.kind == "difference" else np.exp(found.x))

    @property
    def mean(self) -> float:
        """Posterior mean of the difference, or of the natural log of a ratio."""
        if self.kind == "difference":
            return self.group_1.mean - self.group_2.mean
        one, two = (
            float(digamma(group.a) - digamma(group.b if self.kind == "odds_ratio" else group.a + group.b))
            for group in (self.group_1, self.group_2)
        )
        return one - two

    @property
    def sd(self) -> float:
        """Posterior standard deviation of the difference, or of the natural log of a ratio."""
        return math.hypot(self._spread(self.group_1), self._spread(self.group_2))

    def _spread(self, group: BetaPosterior) -> float:
        if self.kind == "difference":
            return group.sd
        trigamma_a = float(polygamma(1, group.a))
        if self.kind == "odds_ratio":
            return math.sqrt(trigamma_a + float(polygamma(1, group.b)))
        return math.sqrt(trigamma_a - float(polygamma(1, group.a + group.b)))

    def _of_quantiles(self, probability_1: FloatArray, probability_2: FloatArray) -> FloatArray:
        """Difference, or log of the ratio, of one quantile of each group."""
        one, two = self.group_1.quantile(probability_1), self.group_2.quantile(probability_2)
        if self.kind == "difference":
            return np.asarray(np.clip(one - two, -1.0, 1.0))
        contrast = np.log(np.maximum(one, _TINY)) - np.log(np.maximum(two, _TINY))
        if self.kind == "odds_ratio":
            not_one = self.group_1.complement_quantile(probability_1)
            not_two = self.group_2.complement_quantile(probability_2)
            contrast += np.log(np.maximum(not_two, _TINY)) - np.log(np.maximum(not_one, _TINY))
        return np.asarray(contrast)

    def _cdf(self, at: FloatArray) -> FloatArray:
        """Cdf at differences in [-1, 1], or at logs of ratios."""
        # Integrating over the narrower of the two densities leaves a factor that is smooth on its scale.
        if self._spread(self.group_1) < self._spread(self.group_2):
            return 1 - _p_below(self.group_2, self.group_1, at=-at, kind=self.kind)
        return _p_below(self.group_1, self.group_2, at=at, kind=self.kind)


def p_lower(group_1: BetaPosterior, group_2: BetaPosterior) -> float:
    """P(p1 < p2), exact for independent posteriors."""
    return float(Contrast(group_1, group_2, "difference").cdf(0.0))


@dataclass(frozen=True, eq=False)
class _Middle:
    """Rates p2 = start + width s, s in (0, 1), to which p1 below a bound in (0, 1) belongs.

    With contrast <= c as p1 <= h(p2): below the middle h(p2) <= 0, above it h(p2) >= 1.
    """

    start: FloatArray
    width: FloatArray
    above: FloatArray


def _middle(at: FloatArray, kind: ContrastKind) -> _Middle:
    if kind == "difference":
        return _Middle(start=np.maximum(0.0, -at), width=1 - np.abs(at), above=np.maximum(0.0, at))
    zero = np.zeros_like(at)
    if kind == "risk_ratio":
        log_width = np.minimum(0.0, -at)
        return _Middle(start=zero, width=np.exp(log_width), above=-np.expm1(log_width))
    return _Middle(start=zero, width=np.ones_like(at), above=zero)


def _p_below(one: BetaPosterior, two: BetaPosterior, *, at: FloatArray, kind: ContrastKind) -> FloatArray:
    """P(contrast <= at) as the mean over p2 of the cdf of p1; s = 1 / (1 + exp(-y)) is integrated over y."""
    column = np.asarray(at, dtype=float)[..., np.newaxis]
    middle = _middle(column, kind)
    surely = betainc(two.b, two.a, middle.above)[..., 0]
    low, high = _range_of_y(two, middle)

    def integrand(y: FloatArray) -> FloatArray:
        log_s, log_t = -np.logaddexp(0.0, -y), -np.logaddexp(0.0, y)
        with np.errstate(divide="ignore"):
            log_width = np.log(middle.width)
            log_p2 = np.logaddexp(np.log(middle.start), log_width + log_s)
            log_q2 = np.logaddexp(np.log(middle.above), log_width + log_t)
        log_density = (two.a - 1) * log_p2 + (two.b - 1) * log_q2 - betaln(two.a, two.b)
        weight = np.exp(log_density + log_width + log_s + log_t)
        return np.asarray(weight * _cdf_of_bound(one, y, at=column, kind=kind))

    return np.asarray(np.clip(surely + _trapezoid(integrand, low, high), 0.0, 1.0))


def _cdf_of_bound(one: BetaPosterior, y: FloatArray, *, at: FloatArray, kind: ContrastKind) -> FloatArray:
    if kind == "odds_ratio":
        p, q = expit(y + at), expit(-y - at)
    elif kind == "risk_ratio":
        log_scale = np.minimum(0.0, at)
        p, q = np.exp(log_scale) * expit(y), -np.expm1(log_scale) + np.exp(log_scale) * expit(-y)
    else:
        width = 1 - np.abs(at)
        p, q = np.maximum(0.0, at) + width * expit(y), np.maximum(0.0, -at) + width * expit(-y)
    near_one = p > 0.5  # there q carries the digits
    shape = np.where(near_one, one.b, one.a), np.where(near_one, one.a, one.b)
    tail = betainc(*shape, np.where(near_one, q, p))
    return np.asarray(np.where(near_one, 1 - tail, tail))


def _range_of_y(two: BetaPosterior, middle: _Middle) -> tuple[FloatArray, FloatArray]:
    """Ends between which the integrand holds all but a negligible part of its mass."""
    lowest, highest = betaincinv(two.a, two.b, _NEGLIGIBLE), betaincinv(two.b, two.a, _NEGLIGIBLE)
    ends = []
    for quantile, cut in ((lowest, middle.start), (highest, middle.above)):
        # Inside a cut the integrand falls off at least as exp(-|y|); at 0 or 1 itself as slowly as the density does.
        floor = np.where(cut > 0, math.exp(_CUT_TAIL), _TINY)
        share = np.clip((quantile - cut) / np.maximum(middle.width, _TINY), floor, 1 - 1e-16)
        ends.append(np.log(share) - np.log1p(-share))
    low, high = ends[0], -ends[1]
    return low, np.maximum(high, low + 1.0)


def _trapezoid(integrand: Callable[[FloatArray], FloatArray], low: FloatArray, high: FloatArray) -> FloatArray:
    """Integral over the last axis, nodes doubled until they no longer matter."""
    nodes, step = _FIRST_NODES, (high - low) / _FIRST_NODES
    total = integrand(low + step * np.arange(nodes + 1)).sum(axis=-1) * step[..., 0]
    while nodes <= _MOST_NODES:
        between = integrand(low + step * (np.arange(nodes) + 0.5)).sum(axis=-1) * step[..., 0]
        finer = (total + between) / 2
        if np.all(np.abs(finer - total) < _INTEGRAL_TOLERANCE):
            return np.asarray(finer)
        nodes, step, total = 2 * nodes, step / 2, finer
    raise ArithmeticError(f"integral not found with {_MOST_NODES} nodes.")
