"""What is no fault of a cohort but should be known before a fit: alike covariates, empty levels, data cut-offs."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd

from ixa_bayes.cohort.summary import count_among, n_patients
from ixa_bayes.cohort.table import Cohort

_ALIKE: Final = 1e-12
"""How near to 1 a correlation is of columns that say the same; as the cross-check of a fit has it."""
_FEWEST: Final = 5
"""Rows that have a value of both; fewer may say the same by chance."""


def notes_of(cohort: Cohort, *, kept_back: bool) -> Iterator[str]:
    """Everything worth knowing before a fit, in the words that the fit would use of it.

    Parameters
    ----------
    cohort : Cohort
    kept_back : bool
        Whether counts below 5 are.

    Yields
    ------
    str
        A sentence or two each.
    """
    yield from _of_cut_offs(cohort, kept_back=kept_back)
    yield from _of_empty_levels(cohort)
    columns = _columns(cohort)
    constant = [name for name in columns if columns[name].min() == columns[name].max()]
    for name in constant:
        yield f"{name} is the same for everybody: it has no hazard ratio. Leave it out."
    varying = columns.drop(columns=constant)
    correlation = varying.corr(min_periods=_FEWEST).abs().to_numpy()
    first, second = np.nonzero(np.triu(correlation > 1 - _ALIKE, k=1))
    for one, other in zip(varying.columns[first], varying.columns[second], strict=True):
        yield f"{one} and {other} say the same of every patient: leave one of them out."


def _of_cut_offs(cohort: Cohort, *, kept_back: bool) -> Iterator[str]:
    for name, data in cohort.follow_up.items():
        if data.attrs["lacks_cut_off"]:
            yield (
                f"{name} has no cut_off_date, so that everybody is followed until the last contact: "
                "declare the data cut-off if there was one."
            )
        if n_seen := data.attrs["n_seen_after_cut_off"]:
            told = count_among(n_seen, n_patients(cohort), kept_back=kept_back)
            yield f"{told} seen after the data cut-off of {name}, which ends their follow-up: is cut_off_date right?"


def _of_empty_levels(cohort: Cohort) -> Iterator[str]:
    for name, covariate in cohort.declared.items():
        if covariate.kind in ("categorical", "ordered"):
            for level in covariate.levels:
                if not (cohort.covariates[name] == level).any():
                    yield f"nobody has {level} of {name}: of its hazard ratio only the prior would speak."


def _columns(cohort: Cohort) -> pd.DataFrame:
    """Covariates as a model would code them, a column for each level that somebody has beside the reference."""
    columns = {}
    for name, covariate in cohort.declared.items():
        values = cohort.covariates[name]
        if covariate.kind in ("binary", "continuous"):
            columns[name] = values.astype(float)
        elif covariate.reference is not None:
            others = [level for level in covariate.levels if level != covariate.reference and (values == level).any()]
            for level in others:
                columns[f"{name}[{level}]"] = (values == level).astype(float).mask(values.isna())
    return pd.DataFrame(columns, index=cohort.covariates.index)
