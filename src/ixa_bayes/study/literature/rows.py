"""Which rows of the literature may enter a prior, each patient counted once.

Published cohorts overlap (a trial and its subgroups, a registry at two data cuts, a pool and its
parts), so rows are selected here, in one place and by a stated rule, before anyone pools them.
"""

from pathlib import Path
from statistics import NormalDist
from typing import Final

import numpy as np
import pandas as pd

from ixa_bayes.study.literature.tables import PRIOR, read_factors, read_prognostic_hr, read_response

_Z95: Final = NormalDist().inv_cdf(0.975)


def response_prior_rows(folder: Path | None, group: str, endpoint: str) -> pd.DataFrame:
    """Independent counts of a treatment group, of those that the table marks for use in a prior.

    Rows need a count and its denominator. Of each study the row with the most patients stays (a
    whole, not its parts); of each set of studies linked by ``overlaps_with``, directly or through
    others, the study with the most patients. Ties keep the earlier line.

    Parameters
    ----------
    folder : Path or None
        As :func:`~ixa_bayes.study.literature.read_response`.
    group, endpoint : str
        The ``regimen`` and ``endpoint`` of ``response.csv``, by their exact names.

    Returns
    -------
    pd.DataFrame
        Rows of ``response.csv``: ``count`` patients with the endpoint out of ``n_evaluable``;
        possibly none. Whether the rows suffice for a prior is the caller's rule.
    """
    table = read_response(folder)
    usable = table[table["use"].eq(PRIOR) & table["regimen"].eq(group) & table["endpoint"].eq(endpoint)]
    usable = usable.dropna(subset=["count", "n_evaluable"])
    return _independent(usable.sort_values("n_evaluable", ascending=False, kind="stable"), links=table)


def hazard_ratio_rows(folder: Path | None, factor: str, endpoint: str) -> pd.DataFrame:
    """Independent hazard ratios of a factor, of those that the table marks for use in a prior.

    Rows need a 95% interval, which gives the standard error. Of each study, and of each set of
    studies linked by ``overlaps_with``, one row stays: a multivariable one before a univariable
    one, then the smallest standard error, then the earlier line.

    Parameters
    ----------
    folder : Path or None
        As :func:`~ixa_bayes.study.literature.read_response`.
    factor : str
        The literature's name, or that of the study which ``factors.csv`` maps to it. Its
        ``definition`` may differ from the study's: show it.
    endpoint : str
        As in ``prognostic_hr.csv``.

    Returns
    -------
    pd.DataFrame
        The columns of ``prognostic_hr.csv``, ``log_hazard_ratio`` and ``standard_error``; possibly no row.

    References
    ----------
    Parmar, Torri, Stewart (1998), Stat Med 17:2815, for the standard error from an interval.
    """
    table = read_prognostic_hr(folder)
    named = table["factor"].eq(literature_factor(folder, factor))
    usable = table[table["use"].eq(PRIOR) & table["endpoint"].eq(endpoint) & named].dropna(
        subset=["lower95", "upper95"]
    )
    usable = usable.assign(
        log_hazard_ratio=np.log(usable["hr"]),
        standard_error=(np.log(usable["upper95"]) - np.log(usable["lower95"])) / (2 * _Z95),
    )
    return _independent(usable.sort_values(["adjusted", "standard_error"], kind="stable"), links=table)


def literature_factor(folder: Path | None, factor: str) -> str:
    """The literature's name for a factor of the study: its own, unless ``factors.csv`` says otherwise."""
    table = read_factors(folder)
    names: dict[str, str] = dict(zip(table["factor"], table["literature_factor"], strict=True))
    return names.get(factor, factor)


def _independent(ordered: pd.DataFrame, *, links: pd.DataFrame) -> pd.DataFrame:
    """The first row of each set of overlapping studies, back in the order of the file.

    Links of all rows of the file count, also through studies that have no usable row: two cohorts
    that each share patients with a third cannot be called independent.
    """
    linked: dict[str, set[str]] = {}
    for study, others in zip(links["study_id"], links["overlaps_with"], strict=True):
        for other in filter(None, (part.strip() for part in others.split(";"))):
            linked.setdefault(study, set()).add(other)
            linked.setdefault(other, set()).add(study)
    taken: set[str] = set()
    kept = []
    for line, study in ordered["study_id"].items():
        if study not in taken:
            kept.append(line)
            taken |= _reachable(study, linked)
    return ordered.loc[kept].sort_index()


def _reachable(study: str, linked: dict[str, set[str]]) -> set[str]:
    found, ahead = {study}, [study]
    while ahead:
        new = linked.get(ahead.pop(), set()) - found
        found |= new
        ahead += new
    return found
