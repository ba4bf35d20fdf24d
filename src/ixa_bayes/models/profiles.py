"""Profiles of patients: from values of covariates to a row of the design, and what no patient can be."""

from collections.abc import Mapping

import pandas as pd

from ixa_bayes.errors import InputError, Problem
from ixa_bayes.models.design_matrix import Design, Value, implied_by
from ixa_bayes.study.hints import did_you_mean

type Profile = Mapping[str, Value]
"""Values by covariate of the model; a covariate that is not named has its reference (a continuous one, its centre)."""


def profile_row(design: Design, profile: Profile) -> pd.DataFrame:
    """The design of one profile.

    Parameters
    ----------
    design : Design
    profile : mapping of str to value
        0 or 1, a number, or a level.

    Returns
    -------
    DataFrame, shape (1, coefficient)

    Raises
    ------
    InputError
        If a covariate or level is unknown, or the profile is one that no patient can have: a covariate is 1
        and one that it implies is 0 (or not named).
    """
    problems: list[Problem] = []
    row = dict.fromkeys(design.matrix.columns, 0.0)
    for term in design.terms.values():
        if term.kind == "binary":
            row |= term.code_one(0)
    for name, value in profile.items():
        if name not in design.terms:
            mend = did_you_mean(name, list(design.terms)) or f"covariates are {', '.join(design.terms)}"
            problems.append(Problem("profile", repr(name), "must be a covariate of the model", mend))
            continue
        try:
            row |= design.terms[name].code_one(value)
        except InputError as error:
            problems += error.problems
    if not problems:
        problems += _impossible(design, profile)
    if problems:
        raise InputError(problems)
    return pd.DataFrame([row], columns=design.matrix.columns, dtype=float)


def level_columns(design: Design, covariate: str, value: Value) -> dict[str, float]:
    """Columns of the design that say that a patient has one value of a covariate, and what goes with it.

    A covariate that is set to 1 sets those that it implies to 1; one that is set to 0 sets those that imply it to 0.

    Parameters
    ----------
    design : Design
    covariate : str
    value : str, float or bool

    Returns
    -------
    dict of str to float
        By coefficient; the others stay as they are.
    """
    settings = {covariate: value}
    term = design.terms[covariate]
    if term.kind == "binary":
        related = implied_by(design.terms, covariate) if float(value) == 1 else _implying(design, covariate)
        settings |= dict.fromkeys(related, float(value))
    return {
        coefficient: number
        for name, to in settings.items()
        for coefficient, number in design.terms[name].code_one(to).items()
    }


def _implying(design: Design, covariate: str) -> list[str]:
    return [name for name in design.terms if covariate in implied_by(design.terms, name)]


def _impossible(design: Design, profile: Profile) -> list[Problem]:
    ones = {name for name, value in profile.items() if design.terms[name].kind == "binary" and float(value) == 1}
    return [
        Problem(
            "profile",
            f"{name} = 1 with {other} = 0",
            f"{name} implies {other}: no patient has this profile",
            f"set {other} to 1 as well",
        )
        for name in sorted(ones)
        for other in implied_by(design.terms, name)
        if other not in ones
    ]
