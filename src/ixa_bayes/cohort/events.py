"""The event column of an endpoint: whether the event was seen, and how a coding that is not 0/1 is declared."""

from typing import Final

import numpy as np
import pandas as pd

from ixa_bayes.cohort.cells import numbers, words
from ixa_bayes.cohort.description import DESCRIPTION_FILE, CohortDescription, EndpointDescription
from ixa_bayes.cohort.faults import WHOLE_COLUMN, Faults
from ixa_bayes.cohort.source import BoolArray
from ixa_bayes.study.hints import did_you_mean

FIND_OUT: Final = "find it out, or leave the patient out of the file"
MOST_OTHER_WORDS: Final = 3
"""Words beside those that are understood: a column with more is told cell by cell, since it may hold remarks."""
_RULE: Final = "must be 1 (event) or 0 (censored)"
_SEEN: Final = {
    *("yes", "y", "ja", "j", "oui", "si", "true", "x", "dead", "died", "death", "deceased", "tot"),
    *("verstorben", "gestorben", "event", "progressed", "progression", "relapse", "relapsed", "pd"),
}
_NOT_SEEN: Final = {
    *("no", "n", "nein", "non", "false", "alive", "living", "lebt", "lebend", "lebendig", "vivant"),
    *("censored", "zensiert", "free", "none", "event-free", "progression-free", "stable"),
}
"""How hospitals write that the event was seen, and that it was not."""


def read_events(
    faults: Faults, column: str, endpoint: EndpointDescription, *, description: CohortDescription
) -> tuple[BoolArray, BoolArray, BoolArray]:
    """Whether the event was seen, whether the cell says so or not, and whether it tells of a competing event.

    Parameters
    ----------
    faults : Faults
        Is told every cell that says neither; a coding of the whole column with the lines that declare it.
    column : str
    endpoint : EndpointDescription
    description : CohortDescription

    Returns
    -------
    event, told, competing : ndarray of bool, shape (row,)
    """
    cells = faults.raw.cells[column]
    competing = np.zeros(len(cells), dtype=bool)
    text = words(cells, missing=description.missing)
    if endpoint.event_is:
        other = endpoint.competing.event_is if endpoint.competing else ()
        known = (*endpoint.event_is, *endpoint.censored_is, *other)
        event, competing, told = (
            text.isin(allowed).to_numpy(dtype=bool) for allowed in (endpoint.event_is, other, known)
        )
        if endpoint.competing and endpoint.competing.counts_as == "event":
            event = event | competing
        empty = text.isna().to_numpy(dtype=bool)
        rule = f"must be one of {', '.join(map(repr, known))}, as declared"
        faults.cells(
            column, ~empty & ~told, rule=rule, mend=lambda cell: did_you_mean(cell.strip("'"), known) or "recode it"
        )
    else:
        read = numbers(cells, decimal=description.decimal, missing=description.missing)
        event, empty, told = read.value == 1, read.empty, np.isin(read.value, (0, 1))
        if (~empty & ~told).any():
            _tell_coding(faults, column, text, bad=~empty & ~told, description=description)
    rule = "must say whether the event was seen; an empty cell is no answer"
    faults.cells(column, empty, rule=rule, mend=FIND_OUT)
    return event, told, competing


def _tell_coding(
    faults: Faults, column: str, text: pd.Series, *, bad: BoolArray, description: CohortDescription
) -> None:
    """A coding of its own is told once, with what to declare; a slip in a 0/1 column cell by cell."""
    # 1 and 2 are censored and event wherever survival software has them.
    found = sorted({str(word) for word in text.dropna()})
    told = f"the words {', '.join(map(repr, found))}"
    where = _where(faults, description)
    numbered = found == ["1", "2"]
    seen = ["2"] if numbered else [word for word in found if word.casefold() in _SEEN]
    not_seen = ["1"] if numbered else [word for word in found if word.casefold() in _NOT_SEEN]
    rest = [word for word in found if word not in (*seen, *not_seen)]
    coded = any(word in ("0", "1") for word in rest)
    if seen and not_seen and len(rest) <= MOST_OTHER_WORDS and not coded:
        others = f", with {', '.join(map(repr, rest))} in one of the two lists or in missing" if rest else ""
        others += ", if 2 is the event and 1 none" * numbered
        faults.column(column, found=told, rule=_RULE, mend=f"write {_keys(seen, not_seen)} {where}{others}")
    elif found == ["0", "1", "2"]:
        other = '{ own = "progression", other = "death", counts_as = "event", event_is = [2] }'
        mend = f"if 2 is another event, write {_keys(['1'], ['0'])}, competing = {other} {where}; if not, recode it"
        if bad.sum() < WHOLE_COLUMN:  # may be slips
            faults.cells(column, bad, rule=_RULE, mend=mend)
        else:
            faults.column(column, found=told, rule=_RULE, mend=mend)
    elif len(found) == 2 and not coded:
        mend = f"write {_keys(found[:1], found[1:])} {where}, or the other way round"
        faults.column(column, found=told, rule=_RULE, mend=mend)
    else:
        mend = (
            f"recode it, or declare event_is and censored_is of the endpoint in {DESCRIPTION_FILE} (and competing, if "
            "it stands for another event)"
        )
        faults.cells(column, bad, rule=_RULE, mend=mend)


def _where(faults: Faults, description: CohortDescription) -> str:
    """Where the keys of the endpoint go; once one endpoint is declared, the others must be too."""
    where = f"below [endpoints.{faults.endpoint}] in {DESCRIPTION_FILE}"
    several = sum(str(column).endswith("_time") for column in faults.raw.cells.columns) > 1
    return f"{where} (and an endpoint there for every other one)" if several and not description.endpoints else where


def _keys(event: list[str], censored: list[str]) -> str:
    """The two keys as TOML has them; numbers stand without quotes."""

    def listed(written: list[str]) -> str:
        return ", ".join(word if word.isdecimal() else f'"{word}"' for word in written)

    return f"event_is = [{listed(event)}], censored_is = [{listed(censored)}]"
