"""The Weibull law of survival times, in the proportional-hazards form.

``H(t) = exp(eta) t^shape`` with ``eta`` the log cumulative hazard at time 1, so a covariate that
adds ``beta`` to ``eta`` multiplies the hazard by ``exp(beta)`` at every time. Everything here takes
and returns arrays that broadcast against each other, numpy's or xarray's.

References
----------
Klein & Moeschberger (2003), Survival Analysis, ch. 2; their ``lambda`` is ``exp(eta)``, their ``alpha`` the shape.
"""

import math
from typing import Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import gammainc, gammaln

type Array = xr.DataArray | NDArray[np.float64] | float

LOG_LOG_2: Final = math.log(math.log(2))


def log_rate_of_median(log_median: Array, shape: Array) -> Array:
    """``eta`` at which half of the patients are event-free beyond the median: ``log log 2 - shape log(median)``."""
    return LOG_LOG_2 - shape * log_median


def log_hazard(time: Array, *, log_rate: Array, shape: Array) -> Array:
    """Log hazard per unit of time, ``log shape + eta + (shape - 1) log t``, at times above 0."""
    return np.log(shape) + log_rate + (shape - 1) * np.log(time)


def cumulative_hazard(time: Array, *, log_rate: Array, shape: Array) -> Array:
    """Cumulative hazard from 0 to ``time`` (at least 0)."""
    return np.exp(log_rate) * time**shape


def quantile(prob: Array, *, log_rate: Array, shape: Array) -> Array:
    """The time by which a share ``prob`` (0 <= prob < 1) has had the event."""
    return time_of(-np.log1p(-prob), log_rate=log_rate, shape=shape)


def time_of(cumulative: Array, *, log_rate: Array, shape: Array) -> Array:
    """The time at which the cumulative hazard reaches ``cumulative`` (at least 0), the inverse of cumulative_hazard."""
    return cumulative ** (1 / shape) * np.exp(-log_rate / shape)


def rmst(horizon: Array, *, log_rate: Array, shape: Array) -> Array:
    """Restricted mean survival time, the area under the survival curve from 0 to ``horizon``.

    With ``u = H(t)`` the integral is an incomplete gamma function:
    ``exp(-eta / shape) Gamma(1 + 1 / shape) P(1 / shape, H(horizon))``.
    """
    scale = np.exp(-log_rate / shape + _ufunc(gammaln, 1 + 1 / shape))
    return scale * _ufunc(gammainc, 1 / shape, cumulative_hazard(horizon, log_rate=log_rate, shape=shape))


def _ufunc(function: np.ufunc, *arrays: Array) -> Array:
    """A scipy function of arrays, by name where they have names."""
    result: Array = xr.apply_ufunc(function, *arrays)
    return result
