"""Coefficients of a regression: columns brought to one scale for the fit, estimates brought back, Wald's table."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from scipy.special import ndtr

from ixa_bayes.crosscheck.observations import BoolArray, FloatArray, NotAvailableError, z_of
from ixa_bayes.crosscheck.separation import Limit

_NAMED_AT_MOST: Final = 5


@dataclass(frozen=True, eq=False)
class Coefficients:
    """Columns of a design, centred and scaled to standard deviation 1.

    Attributes
    ----------
    names : tuple of str
    scaled : ndarray, shape (row, coefficient)
        ``(design - centre) / scale``; a log hazard ratio of these is ``scale`` times that of the design.
    centre, scale : ndarray, shape (coefficient,)
    """

    names: tuple[str, ...]
    scaled: FloatArray
    centre: FloatArray
    scale: FloatArray


def coefficients_of(design: FloatArray, names: Sequence[object], *, rows: BoolArray) -> Coefficients:
    """Bring the columns to one scale and refuse those that carry no information.

    Parameters
    ----------
    design : ndarray, shape (row, coefficient)
    names : sequence
        One per column.
    rows : ndarray of bool, shape (row,)
        The rows that the likelihood compares with each other.

    Raises
    ------
    NotAvailableError
        If a column is constant in those rows or a combination of other columns; it names them.
    """
    labels = tuple(str(name) for name in names)
    if not labels:
        raise NotAvailableError("there are no covariates")
    centre, scale = design[rows].mean(axis=0), design[rows].std(axis=0)
    # A column of equal numbers has a rounding error for a standard deviation.
    constant = scale <= 1e-12 * np.maximum(1.0, np.abs(centre))
    if constant.any():
        which = _listed([label for label, bad in zip(labels, constant, strict=True) if bad])
        raise NotAvailableError(f"no variation among the patients that are compared in {which}")
    scaled = (design - centre) / scale
    if combined := redundant(scaled[rows], labels):
        raise NotAvailableError(f"one follows from the others among {_listed(combined)}")
    return Coefficients(labels, scaled, centre, scale)


def _listed(names: Sequence[str]) -> str:
    shown = list(names[:_NAMED_AT_MOST])
    if hidden := len(names) - len(shown):
        shown.append(f"{hidden} more")
    return " and ".join(shown)


def redundant(values: FloatArray, names: Sequence[str]) -> list[str]:
    """Names of the columns that take part in a linear combination that is 0 (columns centred and scaled)."""
    _, singular, directions = np.linalg.svd(values, full_matrices=len(values) < values.shape[1])
    padded = np.zeros(values.shape[1])
    padded[: singular.size] = singular
    null = directions[padded <= 1e-9 * max(1.0, float(padded.max()))]
    return [name for name, part in zip(names, np.abs(null).max(axis=0, initial=0.0), strict=True) if part > 1e-6]


def wald_table(
    columns: Coefficients, estimate: FloatArray, covariance: FloatArray, *, where: Sequence[Limit], ci_prob: float
) -> pd.DataFrame:
    """Estimates on the scale of the design with Wald's interval and p.

    Parameters
    ----------
    estimate, covariance : ndarray, shape (coefficient,) and (coefficient, coefficient)
        Of the scaled columns.
    where : sequence of str, one per coefficient
        From ``separation.limits``; an estimate that is not finite has neither error nor interval.

    Returns
    -------
    DataFrame
        By coefficient: ``estimate``, ``standard_error``, ``lower``, ``upper``, ``p``, ``limit``.
    """
    variance = np.diag(covariance)
    exists = np.array([limit == "finite" for limit in where]) & np.isfinite(variance) & (variance > 0)
    error = np.where(exists, np.sqrt(np.where(exists, variance, np.nan)), np.nan) / columns.scale
    value = np.where(exists, estimate, [_value(limit) for limit in where]) / columns.scale
    half = z_of(ci_prob) * error
    return pd.DataFrame(
        {
            "estimate": value,
            "standard_error": error,
            "lower": value - half,
            "upper": value + half,
            "p": 2 * ndtr(-np.abs(np.where(exists, value, np.nan) / error)),
            "limit": [
                limit if fits or limit != "finite" else "undetermined"
                for limit, fits in zip(where, exists, strict=True)
            ],
        },
        index=pd.Index(columns.names, name="coefficient"),
    )


def _value(limit: Limit) -> float:
    return {"infinity": np.inf, "-infinity": -np.inf}.get(limit, np.nan)
