"""How numbers, names and kinds of evidence read on the page and in figures: the only home of display words.

Tables keep full precision and short names; a reader gets as many digits as the evidence carries and
the words that the study's own definition uses.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ixa_bayes.study.definition import PATIENTS, StudyDefinition

EVIDENCE_LABELS: Final[Mapping[str, str]] = {
    "published_effect": "published statistics",
    "pseudo_cohort": "pseudo-cohorts (pseudo-individual patient data)",
    "digitised": "digitised curve",
    "patients": "patients",
    "simulated": "simulated patients",
}
EVIDENCE_MEANING: Final[Mapping[str, str]] = {
    "published_effect": "computed from what the paper prints; no patient data were available",
    "pseudo_cohort": "averaged over made-up cohorts that print as the paper does",
    "digitised": "read off a printed survival curve",
    "patients": "computed from patient data",
    "simulated": "computed from simulated patients; says nothing about real ones",
}
DIRECTIONS: Final[Mapping[str, str]] = {
    "neutral": "no effect",
    "optimistic": "effect of the stated size",
    "pessimistic": "opposite effect",
}
SCEPTICAL: Final = "neutral_moderate"
FLAT: Final = "flat"
NO_LIMIT: Final = "no finite limit"
MINUS: Final = "\u2212"
_PLAIN_LEVELS: Final = frozenset({"yes", "no", "none", "other"})


ERRORS_PER_DIGIT: Final = 1.5
"""Least size of the last digit that is shown, in Monte Carlo standard errors."""


def supported_decimals(error: float, *, most: int) -> int:
    """Decimals that a number may show, given its Monte Carlo standard error.

    Another run of the simulation would move the last digit by one at the most, as a rule.

    Parameters
    ----------
    error : float
        Monte Carlo standard error in the unit that is shown; 0 where the number is exact.
    most : int
        Decimals of an exact number.

    Returns
    -------
    int
        At most ``most``. Negative: tens (-1), hundreds (-2), and so on; an error that is not known
        supports nothing.
    """
    if error == 0:
        return most
    return min(most, math.floor(-math.log10(ERRORS_PER_DIGIT * error))) if math.isfinite(error) else -most - 99


def _rounded(value: float, decimals: int) -> str:
    return f"{round(value, decimals):.{max(decimals, 0)}f}"


def _first_digit(value: float) -> int:
    """Decimals that keep one significant digit."""
    return -math.floor(math.log10(abs(value)))


def ratio_text(ratio: float, error: float = 0.0) -> str:
    """A hazard, risk or odds ratio: about three significant digits, fewer where its error asks, at least one."""
    if math.isnan(ratio):
        return "–"
    if math.isinf(ratio) or ratio >= 1e4:
        return "above 10,000"
    if ratio < 0.01:
        return "below 0.01"
    most = 0 if ratio >= 99.95 else 1 if ratio >= 9.995 else 2
    return _rounded(ratio, min(most, max(supported_decimals(error, most=most), _first_digit(ratio))))


def interval_text(lower: str, upper: str) -> str:
    """An interval in the words of medical journals."""
    return f"{lower} to {upper}"


def probability_text(probability: float, error: float = 0.0) -> str:
    """A posterior probability to three decimals, fewer where its error asks; never 0.000 or 1.000."""
    if math.isnan(probability):
        return "–"
    # Two decimals while their unit is no smaller than the error: "below 0.1" in every cell tells a reader nothing.
    decimals = max(2 if error <= 0.01 else 1, supported_decimals(error, most=3))
    unit = 10.0**-decimals
    if probability >= 1 - unit / 2:
        return f"above {1 - unit:.{decimals}f}"
    return f"below {unit:.{decimals}f}" if probability < unit / 2 else f"{probability:.{decimals}f}"


def p_text(p: float) -> str:
    """A p value as medical journals print it."""
    if math.isnan(p):
        return "–"
    if p < 0.001:
        return "<0.001"
    return f"{p:.3f}" if p < 0.0995 else f"{p:.2f}"


def percent_text(fraction: float, error: float = 0.0) -> str:
    """A share as a percentage: whole from 10% on, which is what a few dozen patients support."""
    if math.isnan(fraction):
        return "–"
    decimals = _point_decimals(error, most=0 if fraction >= 0.0995 else 1)
    text = _rounded(100 * fraction, decimals)
    return "below 1%" if text == "0" and fraction else f"{text}%"


def points_text(difference: float, error: float = 0.0) -> str:
    """A difference of two shares in percentage points, with its sign."""
    if math.isnan(difference):
        return "–"
    text = _rounded(abs(100 * difference), _point_decimals(error, most=0))
    return text if text == "0" else f"{MINUS if difference < 0 else '+'}{text}"


def _point_decimals(error: float, *, most: int) -> int:
    """Decimals of a percentage: whole points stay while their error is below one, since tens would lose far more."""
    decimals = supported_decimals(100 * error, most=most)
    return max(0, decimals) if 100 * error < 1 else max(-1, decimals)


def number_text(value: float, error: float = 0.0) -> str:
    """A plain number to at most three significant digits."""
    if math.isnan(value):
        return "–"
    if error == 0 or value == 0:
        return f"{value:.3g}".replace("-", MINUS)
    first = _first_digit(value)
    return _rounded(value, max(supported_decimals(error, most=first + 2), first)).replace("-", MINUS)


def numbers_text(values: Sequence[float]) -> list[str]:
    """Plain numbers that stand together, with as many decimals as three significant digits of any of them need.

    None has more than three significant digits of the largest, nor fewer than one of its own.
    """
    known = [value for value in values if math.isfinite(value) and value != 0]
    if not known:
        return [number_text(value) for value in values]
    needed = max(len(f"{value:.3g}".partition("e")[0].partition(".")[2]) for value in known)
    most = max(0, _first_digit(max(known, key=abs)) + 2)
    return [_with_decimals(value, min(needed, most)) for value in values]


def _with_decimals(value: float, decimals: int) -> str:
    if not math.isfinite(value):
        return number_text(value)
    text = _rounded(value, max(decimals, _first_digit(value)) if value else decimals)
    return text.replace("-", MINUS)


def count_text(count: int, singular: str, plural: str = "") -> str:
    """A number with its noun: ``1 finding``, ``3 findings``."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def prior_label(prior: str, mean: float = math.nan) -> str:
    """A prior in words a clinician can read; files keep the short names.

    Parameters
    ----------
    prior : str
        Its name in the files.
    mean : float
        Its mean on the log hazard ratio, which tells the size and the direction of an expected effect.
    """
    if prior == FLAT:
        return "no prior (the print alone)"
    direction, _, strength = prior.partition("_")
    if direction in DIRECTIONS and strength:
        sceptical = " (sceptical)" if prior == SCEPTICAL else ""
        return f"{direction_words(direction, mean)}, {strength}{sceptical}"
    return prior.replace("_", " ")


def direction_words(direction: str, mean: float) -> str:
    """What a prior of the grid expects, with the hazard ratio where that is not 1."""
    ratio = math.exp(mean)
    if direction == "neutral" or math.isnan(ratio):
        return DIRECTIONS[direction]
    return (
        f"{DIRECTIONS[direction]} (HR {f'{ratio:.1f}' if abs(ratio - round(ratio, 1)) < 1e-6 else ratio_text(ratio)})"
    )


@dataclass(frozen=True)
class Labels:
    """Names of the study's populations, factors and endpoints as its definition words them.

    Parameters
    ----------
    definition : StudyDefinition
    """

    definition: StudyDefinition

    def endpoint(self, name: str) -> str:
        """Label of an endpoint, or its name in words."""
        if name == PATIENTS:
            return "Patients"
        known = self.definition.endpoints.get(name)
        return known.label if known else name.replace("_", " ")

    def population(self, name: str) -> str:
        """Label of a population."""
        known = self.definition.populations.get(name)
        return known.label if known else name.replace("_", " ")

    def factor(self, name: str) -> str:
        """Label of a factor; empty for the whole population."""
        known = self.definition.factors.get(name)
        return known.label if known else name.replace("_", " ")

    def level(self, factor: str, level: str) -> str:
        """Label of a level; a bare yes or no is preceded by what it answers."""
        if not level:
            return "all levels" if factor else "all"
        known = self.definition.factors.get(factor)
        label = known.levels.get(level, level) if known else level.replace("_", " ")
        return f"{self.factor(factor)}: {label}" if label.lower() in _PLAIN_LEVELS else label

    def comparison(self, factor: str, level: str, comparator: str) -> str:
        """``GFR ≤ 70 v GFR > 70``; without a comparator the other patients are meant."""
        first = self.level(factor, level)
        if not comparator:
            return f"{first} v the others" if level else f"levels of {self.factor(factor)}"
        return f"{first} v {self.level(factor, comparator)}"

    def against(self, factor: str, comparator: str) -> str:
        """`` v enalapril`` where a comparator is more than the absence of the factor; else empty."""
        known = self.definition.factors.get(factor)
        if not comparator or known is None or comparator in _PLAIN_LEVELS:
            return ""
        return f" v {self.level(factor, comparator)}"

    def time_unit(self) -> str:
        """Unit of the study's times."""
        return self.definition.time_unit

    def where(self, population: str) -> str:
        """Name of a population where it is not the main one, else empty."""
        return "" if population == self.definition.main_population else self.population(population)
