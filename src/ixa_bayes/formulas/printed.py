"""Printed numbers: the text is the datum, value and rounding interval follow from it.

``33.0`` and ``33`` are different data: the first says that the unrounded value lies within 0.05 of
33, the second within 0.5. All intervals here are computed in exact arithmetic, because the
question whether 31/122 prints as ``25.5`` must not be decided by the last bit of a float.
"""

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

Convention = Literal["rounding", "truncation"]
Operator = Literal["=", "<", ">", "<=", ">="]

_NUMBER = re.compile(r"(?P<sign>[+-]?)(?P<whole>\d+)(?:\.(?P<decimals>\d+))?(?:e(?P<exponent>[+-]?\d{1,3}))?")
_OPERATOR = re.compile(r"(?P<operator><=|>=|<|>|=)?\s*(?P<number>.+)")
_UNICODE = str.maketrans(
    {"\u2212": "-", "\u2010": "-", "\u2011": "-", "\u2264": "<=", "\u2265": ">=", "\u2a7d": "<=", "\u2a7e": ">="}
)
NOT_REACHED = "not reached"
NOT_SIGNIFICANT = "NS"


@dataclass(frozen=True)
class PrintedNumber:
    """A number as it stands in print.

    Attributes
    ----------
    text : str
        The printed digits.
    exact : Fraction
        The printed value.
    step : Fraction
        One unit of the last printed digit: ``33.0`` has step 1/10.
    """

    text: str
    exact: Fraction
    step: Fraction

    @property
    def value(self) -> float:
        """The printed value as a float."""
        return float(self.exact)

    @property
    def decimals(self) -> int:
        """Number of digits behind the decimal point (0 for whole numbers)."""
        _, _, tail = self.text.partition(".")
        return len(re.match(r"\d*", tail)[0])  # type: ignore[index]  # \d* always matches

    def exact_interval(self, convention: Convention = "rounding") -> tuple[Fraction, Fraction]:
        """Unrounded values that print as this text, ends included.

        Both ends belong to the ``rounding`` interval, since half-up and half-even printing
        disagree exactly there and a paper does not say which it used. Under ``truncation`` the
        end further from zero is excluded by the arithmetic of truncation; callers that must be
        exact test it with :meth:`prints`.
        """
        if convention == "rounding":
            return self.exact - self.step / 2, self.exact + self.step / 2
        if self.exact < 0:
            return self.exact - self.step, self.exact
        return self.exact, self.exact + self.step

    def interval(self, convention: Convention = "rounding") -> tuple[float, float]:
        """:meth:`exact_interval` as floats."""
        low, high = self.exact_interval(convention)
        return float(low), float(high)

    def prints(self, value: Fraction, convention: Convention = "rounding") -> bool:
        """Whether an exact value prints as this text."""
        low, high = self.exact_interval(convention)
        if convention == "rounding":
            return low <= value <= high
        return low < value <= high if self.exact < 0 else low <= value < high


@dataclass(frozen=True)
class PrintedP:
    """A p value as it stands in print, with its operator.

    Attributes
    ----------
    text : str
        The printed text, such as ``<0.001``, ``0.05`` or ``NS``.
    operator : {"=", "<", ">", "<=", ">="}
        ``NS`` reads as ``>`` 0.05.
    number : PrintedNumber
        The number behind the operator.
    """

    text: str
    operator: Operator
    number: PrintedNumber

    def interval(self) -> tuple[float, float]:
        """Unrounded p values that the text allows, within [0, 1].

        An equality allows its rounding interval, an inequality everything on its side of the edge.
        """
        if self.operator == "=":
            low, high = self.number.interval()
            return max(low, 0.0), min(high, 1.0)
        if self.operator in ("<", "<="):
            return 0.0, self.number.value
        return self.number.value, 1.0


def parse_number(text: str) -> PrintedNumber:
    """Read a printed number.

    Parameters
    ----------
    text : str
        Digits with an optional sign, decimal point and exponent: ``33.0``, ``-1.2``, ``1e-5``.
        A Unicode minus is accepted; thousands separators and decimal commas are not, because
        ``1,234`` is two different numbers on the two sides of the Atlantic.

    Raises
    ------
    ValueError
        If the text is not such a number; the message shows it.
    """
    match = _NUMBER.fullmatch(text.strip().translate(_UNICODE).lower())
    if match is None:
        raise ValueError(f"{text!r} is not a printed number such as 33.0 (decimal point, no thousands separator)")
    decimals = match["decimals"] or ""
    exponent = int(match["exponent"] or 0)
    scale = Fraction(10) ** (exponent - len(decimals))
    sign = -1 if match["sign"] == "-" else 1
    return PrintedNumber(text=text.strip(), exact=sign * int(match["whole"] + decimals) * scale, step=scale)


def parse_p(text: str) -> PrintedP:
    """Read a printed p value with its operator.

    Parameters
    ----------
    text : str
        ``0.008``, ``=0.008``, ``<0.001``, ``>0.05`` (also with the Unicode operators of print), or ``NS``.
        ``0.000`` reads as ``<0.0005``.

    Raises
    ------
    ValueError
        If the text is none of these or the number lies outside [0, 1].
    """
    stripped = text.strip().translate(_UNICODE)
    if stripped.upper() in (NOT_SIGNIFICANT, "N.S."):
        return PrintedP(text=text.strip(), operator=">", number=parse_number("0.05"))
    match = _OPERATOR.fullmatch(stripped)
    if match is None:
        raise ValueError(f"{text!r} is not a p value such as 0.008, <0.001 or NS")
    number = parse_number(match["number"])
    if not 0 <= number.exact <= 1:
        raise ValueError(f"{text!r} is not a p value: it lies outside 0 to 1")
    operator: Operator = match["operator"] or "="  # type: ignore[assignment]  # the pattern allows these five only
    if operator == "=" and number.exact == 0:
        # No p value is 0: software prints 0.000 for what rounds to it.
        return PrintedP(text=text.strip(), operator="<", number=replace(number, exact=number.step / 2))
    return PrintedP(text=text.strip(), operator=operator, number=number)


def counts_printed_as(percentage: PrintedNumber, *, denominator: int, convention: Convention = "rounding") -> range:
    """Every integer count that prints as a percentage of a denominator.

    Parameters
    ----------
    percentage : PrintedNumber
        A printed percentage, ``0`` to ``100``.
    denominator : int
        Number of patients, > 0.
    convention : {"rounding", "truncation"}
        How the percentage was printed. ``rounding`` accepts half-up and half-even.

    Returns
    -------
    range
        Consecutive counts in 0 to ``denominator``; empty if the percentage is impossible.

    References
    ----------
    Brown & Heathers (2017), Social Psychological and Personality Science 8:363 (the GRIM test),
    for a proportion.
    """
    low, high = percentage.exact_interval(convention)
    first = max(0, -((-low * denominator) // 100))
    last = min(denominator, (high * denominator) // 100)
    if convention == "truncation" and percentage.exact >= 0 and Fraction(100 * last, denominator) == high:
        last -= 1
    if convention == "truncation" and percentage.exact < 0:
        return range(0)
    return range(int(first), int(last) + 1)


def is_not_reached(text: str) -> bool:
    """Whether a printed time is ``not reached`` (also ``NR``, ``not estimable``, ``NE``)."""
    return text.strip().lower() in (NOT_REACHED, "nr", "not estimable", "ne")
