"""What a cell was probably meant to say: the likeliest slip, in words for the message about it."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

EMPTY: Final = "an empty cell"
_NUMBER: Final = r"[+-]?\d+(?:\.\d+)?"


def shown(text: str) -> str:
    """A cell's text as messages show it."""
    return repr(text) if text else EMPTY


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``write 'female'`` for ``femal``; empty if no known word is close.

    Case, spaces and hyphens count for nothing, so that ``Triple-class refractory`` finds the name.
    """
    names = {_plain(name): name for name in known if name}
    close = get_close_matches(_plain(word), names, n=1, cutoff=0.7)
    return f"write {names[close[0]]!r}" if close else ""


def _plain(word: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", word.casefold()).strip("_")


def how_to_write(text: str) -> str:
    """How a number is to be written that was written in another way; empty if nothing is likely.

    An operator before the number, as in ``<0,001``, is kept.
    """
    match = re.fullmatch(r"([<>=\u2264\u2265]*)\s*(.*)", text)
    operator, number = match.groups() if match else ("", text)
    if re.fullmatch(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+", number):
        whole = number.replace(",", "")
        if number.count(",") > 1:
            return f"write {operator}{whole}, without thousands separators"
        decimal = number.replace(",", ".")
        return f"write {operator}{whole} if the comma separates thousands, {decimal} if it is a decimal comma"
    if percent := re.fullmatch(rf"({_NUMBER})\s*%", number):
        return f"write {operator}{percent[1]}, without the percent sign: the kind says that it is a percentage"
    if re.fullmatch(r"[+-]?\d+[,\u00b7\u2219]\d+", number):
        return f"write {operator}{re.sub('[^0-9+-]', '.', number)}, with a decimal point"
    if re.fullmatch(r"\d{1,3}(?:[ '\u2019\u00a0\u2009\u202f]\d{3})+", number):
        return f"write {operator}{re.sub('[^0-9]', '', number)}, without thousands separators"
    if re.fullmatch(r"\.\d+", number):
        return f"write {operator}0{number}"
    return ""
