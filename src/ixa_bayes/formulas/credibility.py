"""Analysis of credibility: which prior would make a finding lose (or gain) its credibility.

Works on the confidence limits of a ratio alone, on the log scale (Matthews 2018, Held 2019).
"""

import math
from dataclasses import dataclass, replace

from scipy.special import ndtr, ndtri

from ixa_bayes.formulas.printed import Convention, PrintedNumber


@dataclass(frozen=True)
class Credibility:
    """Analysis of credibility of one confidence interval of a ratio.

    Attributes
    ----------
    log_estimate, standard_error, z : float
        Midpoint of the log limits, their standard error, and its ratio.
    p_two_sided : float
        Of the midpoint.
    significant : bool
        Whether the interval excludes 1.
    p_intrinsic : float
        Held's p value for intrinsic credibility.
    intrinsically_credible : bool
        Whether ``p_intrinsic`` is at most 1 minus the interval's probability.
    scepticism_limit : float or None
        Significant findings: half-width (log scale, > 0) of the sceptical prior interval around no
        effect that just removes significance. Infinite where a limit is exactly 1. None otherwise.
    critical_prior_sd : float or None
        sd of that sceptical prior, N(0, sd^2).
    relative_prior_variance : float or None
        Its variance in units of the squared standard error.
    credible_by_matthews : bool or None
        Whether the estimate exceeds the scepticism limit.
    box_p_conflict : float or None
        Two-sided prior predictive p of the estimate under the sceptical prior.
    advocacy_limit : float or None
        Non-significant findings: far end (log scale, sign of the estimate) of the advocate's prior
        interval (0, AL) that just makes the finding significant. None otherwise.
    advocacy_prior_mean, advocacy_prior_sd : float or None
        Of that prior.
    posterior_mean, posterior_sd : float or None
        Under the critical prior, log scale; one posterior limit is 0. None if a limit is exactly 1.
    """

    log_estimate: float
    standard_error: float
    z: float
    p_two_sided: float
    significant: bool
    p_intrinsic: float
    intrinsically_credible: bool
    scepticism_limit: float | None = None
    critical_prior_sd: float | None = None
    relative_prior_variance: float | None = None
    credible_by_matthews: bool | None = None
    box_p_conflict: float | None = None
    advocacy_limit: float | None = None
    advocacy_prior_mean: float | None = None
    advocacy_prior_sd: float | None = None
    posterior_mean: float | None = None
    posterior_sd: float | None = None


@dataclass(frozen=True)
class PrintedCredibility:
    """Analysis of credibility over everything that two printed limits allow.

    Attributes
    ----------
    as_printed : Credibility
        With the limits taken at their printed values.
    corners : tuple of four Credibility
        At the ends of the two rounding intervals: (low, low), (low, high), (high, low), (high, high)
        of (lower limit, upper limit). Both limits are monotone within a side of 1, so the corners
        are the extremes.
    """

    as_printed: Credibility
    corners: tuple[Credibility, Credibility, Credibility, Credibility]

    @property
    def touches_one(self) -> bool:
        """Whether rounding alone decides if the interval excludes 1: then no finite scepticism limit stands."""
        infinite = self.as_printed.scepticism_limit == math.inf
        return infinite or len({corner.significant for corner in self.corners}) > 1

    @property
    def scepticism_limits(self) -> tuple[float, float] | None:
        """Smallest and largest scepticism limit (log scale); the largest is infinite if the box reaches 1."""
        finite = [corner.scepticism_limit for corner in self.corners if corner.scepticism_limit is not None]
        if not finite:
            return None
        return min(finite), math.inf if self.touches_one else max(finite)

    @property
    def advocacy_limits(self) -> tuple[float, float] | None:
        """Lowest and highest advocacy limit (log scale); infinite on the estimate's side if the box reaches 1."""
        limits = [corner.advocacy_limit for corner in self.corners if corner.advocacy_limit is not None]
        if not limits:
            return None
        if not self.touches_one:
            return min(limits), max(limits)
        return (min(limits), math.inf) if self.as_printed.log_estimate > 0 else (-math.inf, max(limits))


def intrinsic_p(z: float) -> float:
    """Held's p value for intrinsic credibility, 2(1 - Phi(|z| / sqrt 2)).

    References
    ----------
    Held (2019), R Soc Open Sci 6:181534.
    """
    return float(2 * ndtr(-abs(z) / math.sqrt(2)))


def analyse_credibility(lower: float, upper: float, *, ci_prob: float = 0.95) -> Credibility:
    """Analysis of credibility from the confidence limits of a ratio.

    Parameters
    ----------
    lower, upper : float
        Confidence limits on the ratio scale, 0 < lower < upper.
    ci_prob : float
        Probability of the interval, 0.95 if not told otherwise.

    Returns
    -------
    Credibility
        With the scepticism limit of a significant finding or the advocacy limit of any other. A
        limit of exactly 1 gives an infinite scepticism limit: no prior centred at no effect is
        needed to remove a significance that is not there.

    Raises
    ------
    ValueError
        If the limits are not such, or ``ci_prob`` is not in (0, 1).

    References
    ----------
    Matthews (2018), R Soc Open Sci 5:171047; Held (2019), R Soc Open Sci 6:181534. With l, u the
    log limits: SL = (u - l)^2 / (4 sqrt(ul)), AL = -(u + l)(u - l)^2 / (2ul).
    """
    if not 0 < lower < upper < math.inf:
        raise ValueError(f"limits {lower!r} to {upper!r}: ratios need 0 < lower < upper, both finite.")
    if not 0 < ci_prob < 1:
        raise ValueError(f"ci_prob is {ci_prob!r}; must lie in (0, 1).")
    low, high, quantile = math.log(lower), math.log(upper), float(ndtri((1 + ci_prob) / 2))
    estimate, se = (low + high) / 2, (high - low) / (2 * quantile)
    z = estimate / se
    p_intrinsic = intrinsic_p(z)
    finding = Credibility(
        log_estimate=estimate,
        standard_error=se,
        z=z,
        p_two_sided=float(2 * ndtr(-abs(z))),
        significant=low * high > 0,
        p_intrinsic=p_intrinsic,
        intrinsically_credible=p_intrinsic <= 1 - ci_prob,
    )
    if low * high < 0:
        return _with_advocate(finding, low=low, high=high, quantile=quantile)
    return _with_sceptic(finding, low=low, high=high, quantile=quantile)


def analyse_printed_credibility(
    lower: PrintedNumber, upper: PrintedNumber, *, ci_prob: float = 0.95, convention: Convention = "rounding"
) -> PrintedCredibility:
    """Analysis of credibility at the printed limits and at every end of their rounding intervals.

    Parameters
    ----------
    lower, upper : PrintedNumber
        Confidence limits as printed.
    ci_prob : float
    convention : {"rounding", "truncation"}
        How the limits were printed.

    Raises
    ------
    ValueError
        If the limits are not 0 < lower < upper, or their rounding intervals overlap or reach 0.
    """
    corners = tuple(
        analyse_credibility(low, high, ci_prob=ci_prob)
        for low in lower.interval(convention)
        for high in upper.interval(convention)
    )
    first, second, third, fourth = corners
    return PrintedCredibility(
        as_printed=analyse_credibility(lower.value, upper.value, ci_prob=ci_prob),
        corners=(first, second, third, fourth),
    )


def _with_sceptic(finding: Credibility, *, low: float, high: float, quantile: float) -> Credibility:
    if low * high == 0:
        unlimited = replace(finding, scepticism_limit=math.inf, critical_prior_sd=math.inf)
        return replace(unlimited, relative_prior_variance=math.inf, credible_by_matthews=False)
    limit = (high - low) ** 2 / (4 * math.sqrt(low * high))
    sd, se = limit / quantile, finding.standard_error
    mean, posterior_sd = _posterior(finding, prior_mean=0.0, prior_sd=sd)
    return replace(
        finding,
        scepticism_limit=limit,
        critical_prior_sd=sd,
        relative_prior_variance=(sd / se) ** 2,
        credible_by_matthews=abs(finding.log_estimate) > limit,
        box_p_conflict=float(2 * ndtr(-abs(finding.log_estimate) / math.hypot(se, sd))),
        posterior_mean=mean,
        posterior_sd=posterior_sd,
    )


def _with_advocate(finding: Credibility, *, low: float, high: float, quantile: float) -> Credibility:
    limit = -(high + low) * (high - low) ** 2 / (2 * low * high)
    prior_mean, prior_sd = limit / 2, abs(limit) / (2 * quantile)
    mean, posterior_sd = _posterior(finding, prior_mean=prior_mean, prior_sd=prior_sd)
    return replace(
        finding,
        advocacy_limit=limit,
        advocacy_prior_mean=prior_mean,
        advocacy_prior_sd=prior_sd,
        posterior_mean=mean,
        posterior_sd=posterior_sd,
    )


def _posterior(finding: Credibility, *, prior_mean: float, prior_sd: float) -> tuple[float, float]:
    # Written with the weight of the data, so that a prior sd of 0 (an estimate of exactly 1) is no special case.
    weight = prior_sd**2 / (prior_sd**2 + finding.standard_error**2)
    return prior_mean + weight * (finding.log_estimate - prior_mean), finding.standard_error * math.sqrt(weight)
