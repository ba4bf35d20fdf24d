"""A prior for a response rate from the rates of other trials: the meta-analytic predictive prior.

The rate of one more trial that is as like the others as they are like each other (Neuenschwander
et al. 2010, Clinical Trials 7:5), by numerical integration over the mean and the spread of the
trials, so that it carries no simulation error and needs no sampler.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit

from ixa_bayes.models.response_analysis import PoolingPrior

FloatArray = NDArray[np.float64]

_THETA: Final[FloatArray] = np.linspace(-14.0, 14.0, 1401)
_MU_POINTS: Final = 241
_TAU_POINTS: Final = 60
_REACH: Final = 5.0
"""Standard deviations of the priors that the grids of mu and tau cover."""


@dataclass(frozen=True)
class LiteraturePrior:
    """The predictive distribution of one more trial's rate, and the Beta that stands for it.

    Attributes
    ----------
    mean, sd : float
        Of the rate.
    patients : float
        What the Beta distribution of this mean and sd is worth; usually far less than the trials'
        own patients, since trials differ.
    trials, trial_patients : int
        What it rests on.
    """

    mean: float
    sd: float
    patients: float
    trials: int
    trial_patients: int


def literature_prior(counts: Sequence[tuple[int, int]], settings: PoolingPrior) -> LiteraturePrior:
    """Predictive distribution of a response rate given counts of other trials.

    Parameters
    ----------
    counts : sequence of (responders, evaluable)
        One pair per independent trial; at least one.
    settings : PoolingPrior
        ``logit(rate_h) ~ N(mu, tau^2)``, with normal mu and half-normal tau.

    Returns
    -------
    LiteraturePrior

    Raises
    ------
    ValueError
        If there is no trial, or a count exceeds its total.

    Notes
    -----
    A trapezoidal rule over the logit in steps of 0.02, which resolves the likelihood of trials of up
    to some ten thousand patients; midpoints over mu and tau.
    """
    if not counts or any(not 0 <= r <= n for r, n in counts):
        raise ValueError(f"counts are {list(counts)}; need at least one trial, responders within its total.")
    mu = np.linspace(-_REACH, _REACH, _MU_POINTS) * settings.mu_sd + settings.mu_mean
    taus = (np.arange(_TAU_POINTS) + 0.5) / _TAU_POINTS * _REACH * settings.tau_scale
    likelihoods = np.stack([_likelihood(r, n) for r, n in counts])
    moments = np.stack([expit(_THETA), expit(_THETA) ** 2])
    log_weights, means = [], []
    for tau in taus:
        spread = _normal_weights(mu, tau)
        log_weights.append(np.log(np.maximum(spread @ likelihoods.T, 1e-300)).sum(axis=1))
        means.append(spread @ moments.T)
    log_weight = np.stack(log_weights)
    log_weight += -0.5 * ((mu - settings.mu_mean) / settings.mu_sd) ** 2
    log_weight += -0.5 * (taus[:, np.newaxis] / settings.tau_scale) ** 2
    weight = np.exp(log_weight - log_weight.max())
    first, second = np.tensordot(weight / weight.sum(), np.stack(means), axes=2)
    variance = float(second - first**2)
    patients = float(first * (1 - first) / variance - 1)
    return LiteraturePrior(float(first), variance**0.5, patients, len(counts), sum(n for _, n in counts))


def _likelihood(r: int, n: int) -> FloatArray:
    """Binomial likelihood over the logit grid, 1 at its largest."""
    log_likelihood = r * log_expit(_THETA) + (n - r) * log_expit(-_THETA)
    return np.asarray(np.exp(log_likelihood - log_likelihood.max()))


def _normal_weights(mu: FloatArray, tau: float) -> FloatArray:
    """Weights of the logit grid under N(mu, tau^2), one row per mu, each summing to 1."""
    density = np.exp(-0.5 * ((_THETA - mu[:, np.newaxis]) / tau) ** 2)
    return np.asarray(density / density.sum(axis=1, keepdims=True))
