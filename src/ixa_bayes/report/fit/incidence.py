"""Cumulative incidence of a fit's endpoint where the cohort declares an event that competes with it."""

import numpy as np
import pandas as pd

from ixa_bayes.cohort.follow_up import COMPETING, count_of_patients
from ixa_bayes.cohort.summary import SMALL_CELL, shown_counts
from ixa_bayes.crosscheck.incidence import incidence_table
from ixa_bayes.crosscheck.table import COLUMNS
from ixa_bayes.inference.survival.question import SurvivalQuestion
from ixa_bayes.models.design_matrix import design_of


def incidence_of(question: SurvivalQuestion, *, kept_back: bool) -> pd.DataFrame:
    """Rows of the cross-check at the model file's times: the patients used, all together; none if nothing competes.

    Parameters
    ----------
    question : SurvivalQuestion
    kept_back : bool
        Whether what rests on few patients may not be told. Where at a time fewer than five are at risk, or fewer than
        five had either event, nothing is: with the survival curve, each of the numbers would give away the others.
    """
    data = question.cohort.follow_up[question.analysis.endpoint]
    if COMPETING not in data:
        return pd.DataFrame(columns=list(COLUMNS))
    used = data.isel(row=design_of(question.cohort, question.analysis).rows)
    time, other = used["time"].to_numpy(), used[COMPETING].to_numpy()
    own = used["event"].to_numpy() & ~other
    at = question.analysis.estimands.times
    between = (used["time_lower"] < used["time"]).to_numpy()
    seen = pd.DataFrame({"time": time, "own": own, "other": other, "entry": used["entry"], "between": between})
    equal = used["weight"].to_series().set_axis(seen.index).groupby([seen[name] for name in seen]).sum().reset_index()
    table = incidence_table(
        equal["time"],
        equal["own"],
        equal["other"],
        own=str(data.attrs["own_event"]),
        other=str(data.attrs["competing_event"]),
        at=at,
        entry=equal["entry"],
        weight=equal["weight"],
        interval_censored=equal["between"],
    )
    if later := int(data.attrs["n_competing_later"]):
        (count,) = shown_counts([later], kept_back=kept_back)
        other_event = data.attrs["competing_event"]
        told = f"{count} of the table had {other_event} after this follow-up had ended and count as censored"
        table["note"] = [f"{note}; {told}" if note else told for note in table["note"]]
    if kept_back:
        patients = count_of_patients(used)
        n_events = {data.attrs["own_event"]: patients(own), data.attrs["competing_event"]: patients(other)}
        rest = patients(np.ones_like(own)) - sum(n_events.values())
        if any(0 < count < SMALL_CELL for count in (*n_events.values(), rest)):
            table["n_events"] = np.nan
        for month in at:
            by_then = time <= month
            at_risk = patients((used["entry"].to_numpy() < month) & (time >= month))
            events = [patients(own & by_then), patients(other & by_then)]
            if at_risk < SMALL_CELL or any(0 < count < SMALL_CELL for count in events):
                rows = table["time"] == month
                table.loc[rows, ["estimate", "lower", "upper"]] = np.nan
                table.loc[rows, "note"] = f"fewer than {SMALL_CELL} patients: not shown"
    return table
