"""Situations in which a regression's numbers mislead or do not exist, named as data with plain words.

They warn and change nothing: the fits themselves refuse what they cannot do.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ixa_bayes.crosscheck.coefficients import redundant
from ixa_bayes.crosscheck.observations import FloatArray, FollowUp, NotAvailableError, checked_design, follow_up
from ixa_bayes.crosscheck.separation import cox_comparisons, limits

SituationKind = Literal[
    "no_events",
    "one_event",
    "all_events",
    "constant_covariate",
    "duplicated_covariates",
    "dependent_covariates",
    "more_covariates_than_events",
    "few_events_per_covariate",
    "separation",
    "separation_not_examined",
    "curve_ends_early",
]

EVENTS_PER_COVARIATE: Final = 10
"""Peduzzi et al. (1995), J Clin Epidemiol 48:1503: below it Cox's estimates and intervals become unreliable."""


@dataclass(frozen=True)
class Situation:
    """One thing that a reader of the cross-check should know.

    Attributes
    ----------
    kind : str
    coefficients : tuple of str
        Those it concerns; empty if it concerns all.
    words : str
        One or two sentences for a clinician.
    """

    kind: SituationKind
    coefficients: tuple[str, ...]
    words: str


def named_situations(
    time: ArrayLike,
    event: ArrayLike,
    *,
    design: pd.DataFrame,
    entry: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    n_patients: int | None = None,
) -> tuple[Situation, ...]:
    """What is special about these patients and covariates, most serious first.

    Parameters
    ----------
    time, event, entry, weight
        See ``observations.follow_up``.
    design : DataFrame, shape (row, coefficient)
    n_patients : int, optional
        Where patients have several rows (start-stop), how many there are; by default as many as rows, by weight.

    Returns
    -------
    tuple of Situation
        Empty if nothing is.

    Raises
    ------
    InputError
        If the arrays or the design have faults.
    """
    data = follow_up(time, event, entry=entry, weight=weight)
    values = checked_design(design, data)
    names = [str(name) for name in design.columns]
    return (
        *_of_events(data, len(names), n_patients=n_patients),
        *_of_covariates(data, values, names),
        *_of_entry(data),
    )


def _of_events(data: FollowUp, width: int, *, n_patients: int | None) -> Iterator[Situation]:
    events = data.n_events
    if events == 0:
        yield Situation(
            "no_events", (), "Nobody had the event: what the posterior says of a hazard ratio is its prior."
        )
        return
    if events == 1:
        yield Situation("one_event", (), "Only one patient had the event: no hazard ratio can be trusted.")
    if events == (int(data.weight.sum()) if n_patients is None else n_patients):
        yield Situation(
            "all_events", (), "Every patient had the event: check that censored patients are coded as such."
        )
    if width > events:
        told = f"There are more covariates ({width}) than events ({events})"
        words = f"{told}: no hazard ratio of them can be trusted. Use fewer."
        yield Situation("more_covariates_than_events", (), words)
    elif width and events < EVENTS_PER_COVARIATE * width:
        per = (
            f"{events} events for one covariate are"
            if width == 1
            else (f"{events} events for {width} covariates are {events / width:.1f} each,")
        )
        words = (
            f"{per} fewer than {EVENTS_PER_COVARIATE}: Cox's hazard ratios vary widely from sample to "
            "sample, and one of them may be infinite. Read the posterior, and report its prior with it."
        )
        yield Situation("few_events_per_covariate", (), words)


def _of_covariates(data: FollowUp, values: FloatArray, names: list[str]) -> Iterator[Situation]:
    spread = values.std(axis=0)
    constant = spread <= 1e-12 * np.maximum(1.0, np.abs(values.mean(axis=0)))
    for name in (name for name, same in zip(names, constant, strict=True) if same):
        yield Situation(
            "constant_covariate", (name,), f"{name} is the same for everybody: it has no hazard ratio. Leave it out."
        )
    varying = [column for column, same in enumerate(constant) if not same]
    if not varying:
        return
    scaled = (values[:, varying] - values[:, varying].mean(axis=0)) / spread[varying]
    labels = [names[column] for column in varying]
    twins = list(_twins(scaled, labels))
    yield from twins
    dependent = tuple(redundant(scaled, labels))
    if dependent and not twins:
        words = f"{', '.join(dependent)} cannot be told apart: one of them follows from the others. Leave it out."
        yield Situation("dependent_covariates", dependent, words)
    if not dependent and data.event.any():
        yield from _separated(data, scaled, labels)


def _twins(scaled: FloatArray, names: list[str]) -> Iterator[Situation]:
    for one in range(len(names)):
        for other in range(one + 1, len(names)):
            # Columns of mean 0 and variance 1 are copies or mirror images of each other when their product is 1.
            if abs(abs(float(np.mean(scaled[:, one] * scaled[:, other]))) - 1) < 1e-12:
                pair = (names[one], names[other])
                words = f"{pair[0]} and {pair[1]} say the same of every patient: leave one of them out."
                yield Situation("duplicated_covariates", pair, words)


def _separated(data: FollowUp, scaled: FloatArray, names: list[str]) -> Iterator[Situation]:
    met = scaled[data.meets_an_event()]
    if redundant(met - met.mean(axis=0), names):
        return
    try:
        comparisons = cox_comparisons(data)
    except NotAvailableError as none:
        words = f"Whether a hazard ratio runs to 0 or infinity (separation) was not examined: {none.reason}."
        yield Situation("separation_not_examined", (), words)
        return
    instead = "read Firth's or the posterior"
    if data.has_entry or data.has_weights:
        instead = "read the posterior (Firth's knows no delayed entry and no weights)"
    for column, limit in enumerate(limits(scaled, comparisons)):
        if limit != "finite":
            end = {"infinity": "grows without limit", "-infinity": "falls to 0"}.get(limit, "is not determined")
            words = (
                f"The hazard ratio of {names[column]} {end}: {_why(data, scaled[:, column])} (separation). "
                f"Cox's estimate does not exist, nor may Weibull's; {instead}."
            )
            yield Situation("separation", (names[column],), words)


def _why(data: FollowUp, column: FloatArray) -> str:
    low, high = float(column.min()), float(column.max())
    if np.all((column == low) | (column == high)):
        for value, side in ((low, "lower"), (high, "higher")):
            if not np.any(data.event[column == value]):
                return f"nobody with its {side} value had the event"
    return "at each event the covariates tell the patient who had it from those still at risk"


def _of_entry(data: FollowUp) -> Iterator[Situation]:
    if not data.has_entry:
        return
    for t in np.unique(data.time[data.event]).tolist():
        at_risk = data.at_risk(t)
        if np.all(data.event[at_risk] & (data.time[at_risk] == t)) and np.any(data.time > t):
            words = (
                f"All patients at risk at {t:g} months had the event then, because others enter later: "
                "the Kaplan-Meier curve is 0 from there on and cannot be read."
            )
            yield Situation("curve_ends_early", (), words)
            return
