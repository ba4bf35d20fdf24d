"""p values adjusted for how many there are."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import false_discovery_control

FloatArray = NDArray[np.float64]


def benjamini_hochberg(p: ArrayLike) -> FloatArray:
    """Adjusted p values that control the false discovery rate.

    Parameters
    ----------
    p : array_like of float, shape (test,)
        In [0, 1], in any order.

    Returns
    -------
    ndarray, shape (test,)
        In the same order; the test is kept where this is at most the wanted rate.

    Raises
    ------
    ValueError
        If a p value is not in [0, 1], or p is not one-dimensional.

    References
    ----------
    Benjamini & Hochberg (1995), J R Stat Soc B 57:289.
    """
    values = _p_values(p)
    return np.asarray(false_discovery_control(values, method="bh")) if values.size else values


def holm(p: ArrayLike) -> FloatArray:
    """Adjusted p values that control the chance of any false positive, whatever their dependence.

    Parameters, result and errors are those of :func:`benjamini_hochberg`.

    References
    ----------
    Holm (1979), Scand J Stat 6:65.
    """
    values = _p_values(p)
    order = np.argsort(values)
    stepped = values[order] * np.arange(values.size, 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return adjusted


def _p_values(p: ArrayLike) -> FloatArray:
    values = np.asarray(p, dtype=float)
    if values.ndim != 1 or not np.all((values >= 0) & (values <= 1)):
        raise ValueError("p values must be a one-dimensional sequence within [0, 1].")
    return values
