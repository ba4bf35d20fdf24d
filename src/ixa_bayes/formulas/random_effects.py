"""Effects of several studies pooled with the spread between them: what the next study may show.

y_h ~ N(theta_h, se_h^2), theta_h ~ N(mu, tau^2), mu ~ N(mean, sd^2), tau ~ half-N(scale). Given tau
everything is normal; tau itself is integrated numerically, so the result has no simulation error.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

_NODES: Final = 400
_REACH: Final = 9.0
"""Scales of the half-normal prior that are integrated over; beyond lies less than 1e-18 of it."""


@dataclass(frozen=True)
class Predictive:
    """Moments of the effect in one more study, and of what they rest on.

    Attributes
    ----------
    mean, sd : float
        Of the next study's true effect.
    mean_mu, sd_mu : float
        Of the average effect.
    mean_tau : float
        Of the spread between studies.
    """

    mean: float
    sd: float
    mean_mu: float
    sd_mu: float
    mean_tau: float


def predict_next_study(
    estimates: ArrayLike, standard_errors: ArrayLike, *, mu_mean: float, mu_sd: float, tau_scale: float
) -> Predictive:
    """Meta-analytic predictive distribution of the effect in one more study.

    Parameters
    ----------
    estimates, standard_errors : array_like, shape (study,)
        Independent effects and their standard errors, > 0, on one scale.
    mu_mean, mu_sd : float
        Normal prior of the average effect; ``mu_sd`` may be infinite (flat).
    tau_scale : float
        Of the half-normal prior of the spread between studies, > 0.

    Returns
    -------
    Predictive

    Raises
    ------
    ValueError
        If there is no study, the shapes differ, or a scale is not > 0.

    References
    ----------
    Neuenschwander et al. (2010), Clinical Trials 7:5; Roever (2020), Journal of Statistical
    Software 93(6), for the integral over tau.
    """
    y, se = np.atleast_1d(np.asarray(estimates, dtype=float)), np.atleast_1d(np.asarray(standard_errors, dtype=float))
    if y.size == 0 or y.shape != se.shape or y.ndim != 1:
        raise ValueError(f"estimates {y.shape} and standard_errors {se.shape} need one entry per study, at least one.")
    if not (np.all(np.isfinite(y)) and np.all((se > 0) & np.isfinite(se)) and mu_sd > 0 and 0 < tau_scale < math.inf):
        raise ValueError("estimates must be finite; standard_errors, mu_sd and tau_scale must be > 0.")
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    tau = (nodes + 1) / 2 * _REACH * tau_scale
    log_density, mean_mu, variance_mu = _given_tau(tau, y, se, prior=(mu_mean, mu_sd))
    log_density -= (tau / tau_scale) ** 2 / 2
    mass = weights * np.exp(log_density - log_density.max())
    mass /= mass.sum()
    mean = float(mass @ mean_mu)
    between = float(mass @ (mean_mu - mean) ** 2)
    return Predictive(
        mean=mean,
        sd=math.sqrt(float(mass @ (variance_mu + tau**2)) + between),
        mean_mu=mean,
        sd_mu=math.sqrt(float(mass @ variance_mu) + between),
        mean_tau=float(mass @ tau),
    )


def _given_tau(
    tau: FloatArray, y: FloatArray, se: FloatArray, *, prior: tuple[float, float]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Log marginal likelihood of tau, and mean and variance of mu at each tau."""
    prior_mean, prior_sd = prior
    precision = 1 / (se[np.newaxis, :] ** 2 + tau[:, np.newaxis] ** 2)
    prior_precision = 0.0 if math.isinf(prior_sd) else 1 / prior_sd**2
    total = precision.sum(axis=1) + prior_precision
    mean = (precision @ y + prior_precision * prior_mean) / total
    squares = (precision * (y[np.newaxis, :] - mean[:, np.newaxis]) ** 2).sum(axis=1)
    squares += prior_precision * (mean - prior_mean) ** 2
    return (np.log(precision).sum(axis=1) - np.log(total) - squares) / 2, mean, 1 / total
