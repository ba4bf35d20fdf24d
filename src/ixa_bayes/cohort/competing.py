"""Which patients had an event that competes with the endpoint's own, as death does before progression: as declared."""

from collections.abc import Mapping

import numpy as np

from ixa_bayes.cohort.description import DESCRIPTION_FILE, CompetingDescription
from ixa_bayes.cohort.faults import Faults
from ixa_bayes.cohort.source import BoolArray
from ixa_bayes.cohort.spans import Spans
from ixa_bayes.errors import Problem
from ixa_bayes.study.hints import did_you_mean

_SAME: float = 1e-9
"""Months, relative: two ends of follow-up that were written alike are one, whatever unit they were converted from."""


def competing_events(
    faults: Faults, name: str, competing: CompetingDescription, *, spans: Mapping[str, Spans]
) -> tuple[BoolArray, BoolArray]:
    """Rows whose follow-up ended with the competing event, and rows that had it later, when nobody watched any more.

    Parameters
    ----------
    faults : Faults
        Is told what the declaration contradicts.
    name : str
        The endpoint.
    competing : CompetingDescription
    spans : mapping of str to Spans
        Of every endpoint of the cohort.

    Returns
    -------
    at_the_end, later : ndarray of bool, shape (row,)
    """
    mine = spans[name]
    nobody = np.zeros(mine.event.size, dtype=bool)
    if competing.endpoint is None:
        return mine.competing, nobody
    if competing.endpoint not in spans or competing.endpoint == name:
        known = [other for other in spans if other != name]
        rule = f"endpoint {name} competes with another endpoint of the table ({', '.join(known) or 'it has none'})"
        mend = did_you_mean(competing.endpoint, known) or f"correct competing.endpoint in {DESCRIPTION_FILE}"
        faults.add(Problem(faults.raw.where, repr(competing.endpoint), rule, mend))
        return nobody, nobody
    other = spans[competing.endpoint]
    with np.errstate(invalid="ignore"):
        together = np.abs(other.time - mine.time) <= _SAME * mine.time
        at_the_end = other.event & together
        before = other.event & ~together & (other.time < mine.time)
        later = other.event & ~together & (other.time > mine.time) & ~mine.event
    for column, rows in mine.ends.items():
        rule = f"nobody is followed for {name} after {competing.other} ({competing.endpoint})"
        mend = f"correct one of the two times, or the declaration of competing in {DESCRIPTION_FILE}"
        faults.cells(column, before & rows, rule=rule, mend=mend)
        if competing.counts_as == "event":
            rule = f"{competing.other} ({competing.endpoint}) counts as an event of {name}, at the same time"
            faults.cells(column, at_the_end & ~mine.event & rows, rule=rule, mend=mend.replace("times", "events"))
    if competing.counts_as == "censored":
        at_the_end &= ~mine.event
    return at_the_end, later
