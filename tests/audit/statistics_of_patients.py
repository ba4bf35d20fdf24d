"""Textbook statistics of simulated patients, independent of the package: what a paper would compute."""

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, ndtr
from scipy.stats import chi2, fisher_exact

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Curve:
    """A Kaplan-Meier estimate at its event times."""

    time: Floats
    survival: Floats
    greenwood: Floats

    @classmethod
    def fit(cls, time: Floats, event: Bools) -> "Curve":
        times, deaths = np.unique(time[event], return_counts=True)
        at_risk = len(time) - np.searchsorted(np.sort(time), times, side="left")
        with np.errstate(divide="ignore"):
            terms = np.where(at_risk > deaths, deaths / (at_risk * np.maximum(at_risk - deaths, 1e-12)), np.inf)
        return cls(times, np.cumprod(1 - deaths / at_risk), np.cumsum(terms))

    def median(self) -> float:
        """First time with S <= 1/2, the midpoint where S equals 1/2 over an interval; infinite if not reached."""
        return _crossing(self.time, self.survival)

    def median_interval(self) -> tuple[float, float]:
        """95% limits from the log-log interval of S."""
        with np.errstate(divide="ignore", invalid="ignore"):
            log_s = np.log(np.clip(self.survival, 1e-300, 1 - 1e-12))
            half = 1.959964 * np.sqrt(self.greenwood) / np.abs(log_s)
            lower, upper = np.exp(log_s * np.exp(half)), np.exp(log_s * np.exp(-half))
        lower, upper = (np.nan_to_num(np.where(self.survival <= 0, 0.0, s)) for s in (lower, upper))
        return _crossing(self.time, lower), _crossing(self.time, upper)


def _crossing(time: Floats, survival: Floats) -> float:
    below = np.flatnonzero(survival <= 0.5 + 1e-12)
    if not below.size:
        return math.inf
    first = int(below[0])
    if abs(survival[first] - 0.5) < 1e-12 and first + 1 < len(time):
        return float(time[first] + time[first + 1]) / 2
    return float(time[first])


def log_rank_p(time: Floats, event: Bools, group: Bools) -> float:
    """Two-sided p of the two-group log-rank test with the hypergeometric variance."""
    times, deaths = np.unique(time[event], return_counts=True)
    ordered, in_group = np.sort(time), np.sort(time[group])
    n = len(ordered) - np.searchsorted(ordered, times, side="left")
    n1 = len(in_group) - np.searchsorted(in_group, times, side="left")
    own = np.sort(time[event & group])
    d1 = np.searchsorted(own, times, side="right") - np.searchsorted(own, times, side="left")
    variance = deaths * (n1 / n) * (1 - n1 / n) * (n - deaths) / np.maximum(n - 1, 1)
    if variance.sum() == 0:
        return 1.0
    return float(chi2.sf((d1 - deaths * n1 / n).sum() ** 2 / variance.sum(), 1))


def cox(time: Floats, event: Bools, covariates: Floats) -> tuple[Floats, Floats] | None:
    """Log hazard ratios and standard errors (Breslow, Newton); None where no finite maximum is found."""
    order = np.argsort(-time, kind="stable")
    time, event, x = time[order], event[order], covariates[order]
    last = np.searchsorted(-time, -time[event], side="right") - 1
    beta = np.zeros(x.shape[1])
    for _ in range(25):
        weight = np.exp(x @ beta)
        s0 = np.cumsum(weight)[last]
        s1 = np.cumsum(weight[:, None] * x, axis=0)[last]
        s2 = np.cumsum(weight[:, None, None] * x[:, :, None] * x[:, None, :], axis=0)[last]
        mean = s1 / s0[:, None]
        information = (s2 / s0[:, None, None] - mean[:, :, None] * mean[:, None, :]).sum(axis=0)
        if np.linalg.cond(information) > 1e10:
            return None
        step = np.linalg.solve(information, (x[event] - mean).sum(axis=0))
        beta = beta + np.clip(step, -2, 2)
        if np.abs(beta).max() > 6:
            return None
        if np.abs(step).max() < 1e-9:
            return beta, np.sqrt(np.diag(np.linalg.inv(information)))
    return None


def wald_p(z: float) -> float:
    return float(2 * ndtr(-abs(z)))


def fisher_p(responders: list[int], sizes: list[int]) -> float:
    """Fisher p of two groups (scipy), or of three by enumerating every table with the same margins."""
    if len(sizes) == 2:
        table = [[r, n - r] for r, n in zip(responders, sizes, strict=True)]
        return float(fisher_exact(table).pvalue)
    (n1, n2, n3), total = sizes, sum(responders)
    a, b = np.meshgrid(np.arange(n1 + 1), np.arange(n2 + 1), indexing="ij")
    c = total - a - b
    possible = (c >= 0) & (c <= n3)
    logs = _log_choose(n1, a) + _log_choose(n2, b) + _log_choose(n3, np.clip(c, 0, n3))
    weight = np.where(possible, np.exp(logs - logs[possible].max()), 0.0)
    observed = weight[responders[0], responders[1]]
    return float(min(1.0, weight[weight <= observed * (1 + 1e-7)].sum() / weight.sum()))


def _log_choose(n: int, k: NDArray[np.int64]) -> Floats:
    return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))


def printed(value: float | Fraction, decimals: int, how: str = "half_up") -> str:
    """A number as print: half up, half to even, or truncated; not reached if infinite."""
    if value == math.inf:
        return "not reached"
    scaled = Fraction(value) * 10**decimals
    whole = scaled.numerator // scaled.denominator
    rest = scaled - whole
    if how != "truncation" and (rest > Fraction(1, 2) or (rest == Fraction(1, 2) and (how == "half_up" or whole % 2))):
        whole += 1
    return f"{whole // 10**decimals}.{whole % 10**decimals:0{decimals}d}" if decimals else str(whole)


def printed_p(p: float, style: str) -> str:
    """A p value in the style of a journal: three decimals, two significant digits, or NS."""
    if style == "NS" and p >= 0.05:
        return "NS"
    if style == "above" and p >= 0.05:
        return ">0.05"
    if style == "significant":
        if p < 1e-4:
            return "<0.0001"
        decimals = max(2, 1 - math.floor(math.log10(p)))
        return printed(p, decimals)
    return "<0.001" if p < 0.001 else printed(p, 3)
