"""A log hazard ratio and its variance from what papers print when they do not print it.

One function per route; a caller takes every route that the print allows and shows their spread.
Group 1 is compared with group 2: a hazard ratio > 1 means that group 1 fares worse. V is the
information, the inverse variance of the log hazard ratio.
"""

import math
from dataclasses import dataclass
from typing import Final

from scipy.special import ndtri

from ixa_bayes.formulas.normal import z_from_p
from ixa_bayes.formulas.printed import Convention, PrintedNumber

SCORE_NEAR_ONE: Final = "log HR = (O - E)/V, which holds near a hazard ratio of 1"
TWO_SIDED: Final = "the p value is two-sided and from a log-rank or Cox test of this comparison alone"


@dataclass(frozen=True)
class ExtractedHazardRatio:
    """A log hazard ratio that one route extracted.

    Attributes
    ----------
    route : str
        ``confidence_interval``, ``p_and_hazard_ratio``, ``p_and_total_events``, ``p_and_group_sizes``,
        ``p_and_events_per_group`` or ``medians``; ``calibrated_at_end`` and ``calibrated_throughout`` where
        :mod:`ixa_bayes.formulas.log_rank` simulated it.
    log_hr : float
    information : float
        V, > 0.
    assumptions : tuple of str
        What the route takes for granted.
    """

    route: str
    log_hr: float
    information: float
    assumptions: tuple[str, ...]

    @property
    def standard_error(self) -> float:
        """Standard error of the log hazard ratio."""
        return 1 / math.sqrt(self.information)

    @property
    def hazard_ratio(self) -> float:
        """Group 1 over group 2."""
        return math.exp(self.log_hr)


def from_confidence_interval(
    hazard_ratio: float, lower: float, *, upper: float, ci_prob: float = 0.95
) -> ExtractedHazardRatio:
    """The ratio with its confidence limits, V = (2z / (ln U - ln L))^2.

    Raises
    ------
    ValueError
        Unless 0 < lower <= hazard_ratio <= upper, with lower < upper, all finite.

    References
    ----------
    Parmar, Torri & Stewart (1998), Stat Med 17:2815; Tierney et al. (2007), Trials 8:16.
    """
    if not (0 < lower <= hazard_ratio <= upper < math.inf and lower < upper):
        raise ValueError(f"{hazard_ratio!r} ({lower!r} to {upper!r}): need 0 < lower <= ratio <= upper, all finite.")
    information = (2 * float(ndtri((1 + ci_prob) / 2)) / math.log(upper / lower)) ** 2
    assumptions = ("the interval is symmetric on the log scale (Wald)",)
    return ExtractedHazardRatio("confidence_interval", math.log(hazard_ratio), information, assumptions)


def from_p_and_total_events(p: float, events: float, *, direction: int) -> ExtractedHazardRatio:
    """Two-sided p and all events of two groups of equal size, V = d / 4.

    Parameters
    ----------
    p : float
        Two-sided, in (0, 1]; half of it enters (Trials 2013;14:391).
    events : float
        Events of both groups together, > 0.
    direction : {1, -1}
        1 if group 1 fares worse.

    Raises
    ------
    ValueError
        If an input is none of these.

    References
    ----------
    Parmar, Torri & Stewart (1998), Stat Med 17:2815.
    """
    _must_be_positive(events=events)
    assumptions = (TWO_SIDED, "groups of equal size and follow-up", SCORE_NEAR_ONE)
    return _from_z("p_and_total_events", _signed_z(p, direction), information=events / 4, assumptions=assumptions)


def from_p_and_group_sizes(p: float, events: float, *, n_1: float, n_2: float, direction: int) -> ExtractedHazardRatio:
    """Two-sided p, all events, and group sizes (or allocation) R:C, V = d R C / (R + C)^2.

    V is its value at a hazard ratio of 1; for unequal groups see :mod:`ixa_bayes.formulas.log_rank`.
    Parameters and errors otherwise as :func:`from_p_and_total_events`.
    """
    _must_be_positive(events=events, n_1=n_1, n_2=n_2)
    information = events * n_1 * n_2 / (n_1 + n_2) ** 2
    assumptions = (TWO_SIDED, "events fall on the groups in proportion to their sizes, as at HR = 1", SCORE_NEAR_ONE)
    return _from_z("p_and_group_sizes", _signed_z(p, direction), information=information, assumptions=assumptions)


def from_p_and_events_per_group(p: float, events_1: float, *, events_2: float, direction: int) -> ExtractedHazardRatio:
    """Two-sided p and the events of each group, V = O1 O2 / (O1 + O2).

    Parameters and errors otherwise as :func:`from_p_and_total_events`.
    """
    _must_be_positive(events_1=events_1, events_2=events_2)
    information = events_1 * events_2 / (events_1 + events_2)
    assumptions = (TWO_SIDED, "equal share of patients at risk at each event", SCORE_NEAR_ONE)
    return _from_z("p_and_events_per_group", _signed_z(p, direction), information=information, assumptions=assumptions)


def from_p_and_hazard_ratio(p: float, hazard_ratio: float) -> ExtractedHazardRatio:
    """Two-sided p and the ratio without its limits, V = (z / ln HR)^2.

    Raises
    ------
    ValueError
        If p is not in (0, 1), or the ratio is 1 or not > 0: then p says nothing about V.

    References
    ----------
    Williamson et al. (2002), Stat Med 21:3337; Tierney et al. (2007), Trials 8:16.
    """
    _must_be_positive(hazard_ratio=hazard_ratio)
    z = z_from_p(p)
    if hazard_ratio == 1 or z == 0:
        raise ValueError(f"hazard ratio {hazard_ratio!r} with p {p!r}: V is not determined at 1.")
    log_hr = math.log(hazard_ratio)
    assumptions = ("the p value is two-sided and from the Wald or score test of this ratio",)
    return ExtractedHazardRatio("p_and_hazard_ratio", log_hr, (z / log_hr) ** 2, assumptions)


def from_medians(median_1: float, median_2: float, *, events_1: float, events_2: float) -> ExtractedHazardRatio:
    """Median times, were survival exponential: HR = median 2 / median 1, 1/V = 1/O1 + 1/O2.

    Raises
    ------
    ValueError
        If a number is not > 0.

    References
    ----------
    Michiels et al. (2005), Int J Technol Assess Health Care 21:119, who find it a poor substitute.
    """
    _must_be_positive(median_1=median_1, median_2=median_2, events_1=events_1, events_2=events_2)
    information = events_1 * events_2 / (events_1 + events_2)
    assumptions = ("survival is exponential in both groups", "V as if all event times were known, not only the medians")
    return ExtractedHazardRatio("medians", math.log(median_2 / median_1), information, assumptions)


def information_interval(
    lower: PrintedNumber, upper: PrintedNumber, *, ci_prob: float = 0.95, convention: Convention = "rounding"
) -> tuple[float, float]:
    """Smallest and largest V that two printed confidence limits allow.

    Parameters
    ----------
    lower, upper : PrintedNumber
        Limits of a ratio, as printed.
    ci_prob : float
        Probability of the interval.
    convention : {"rounding", "truncation"}
        How the limits were printed.

    Returns
    -------
    tuple of float
        From the widest to the narrowest pair of unrounded limits; the smallest V is 0 if a lower
        limit may be 0, the largest infinite if the limits may meet.

    Raises
    ------
    ValueError
        If the printed limits are not 0 <= lower <= upper.
    """
    if not 0 <= lower.exact <= upper.exact or upper.exact == 0:
        raise ValueError(f"limits {lower.text!r} to {upper.text!r}: ratios need 0 <= lower <= upper.")
    double_z = 2 * float(ndtri((1 + ci_prob) / 2))
    (low_from, low_to), (high_from, high_to) = lower.interval(convention), upper.interval(convention)
    least = (double_z / math.log(high_to / low_from)) ** 2 if low_from > 0 else 0.0
    most = (double_z / math.log(high_from / low_to)) ** 2 if 0 < low_to < high_from else math.inf
    return least, most


def standard_error_interval(hazard_ratio: PrintedNumber, p: PrintedNumber) -> tuple[float, float]:
    """Smallest and largest standard error of a log hazard ratio that its printed p value allows, |ln HR| / z.

    Parameters
    ----------
    hazard_ratio : PrintedNumber
    p : PrintedNumber
        Two-sided.

    Returns
    -------
    tuple of float
        0 where the unrounded ratio may be 1 or p may be 0; infinite where p may be 1 or the ratio 0.
    """
    (low, high), (p_low, p_high) = hazard_ratio.interval(), p.interval()
    ends = [abs(math.log(end)) if end > 0 else math.inf for end in (low, high)]
    nearest = 0.0 if low <= 1 <= high else min(ends)
    least = nearest / z_from_p(min(p_low, 1.0)) if p_low > 0 and nearest > 0 else 0.0
    return least, max(ends) / z_from_p(p_high) if p_high < 1 else math.inf


def _from_z(route: str, z: float, *, information: float, assumptions: tuple[str, ...]) -> ExtractedHazardRatio:
    return ExtractedHazardRatio(route, z / math.sqrt(information), information, assumptions)


def _signed_z(p: float, direction: int) -> float:
    if direction not in (1, -1):
        raise ValueError(f"direction is {direction!r}; must be 1 (group 1 fares worse) or -1.")
    return direction * z_from_p(p)


def _must_be_positive(**numbers: float) -> None:
    if bad := {name: number for name, number in numbers.items() if not 0 < number < math.inf}:
        raise ValueError(f"{bad} must be finite and > 0.")
