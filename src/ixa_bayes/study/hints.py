"""What a cell was probably meant to say: the likeliest slip, in words for the message about it."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

EMPTY: Final = "an empty cell"
_NUMBER: Final = r"[+-]?\d+(?:\.\d+)?"
_USUAL: Final = {
    "hr": "hazard_ratio",
    "ahr": "hazard_ratio",
    "or": "odds_ratio",
    "aor": "odds_ratio",
    "rr": "risk_ratio",
    "relative_risk": "risk_ratio",
    "sd": "standard_deviation",
    "percentage": "percent",
    "rate": "percent",
    "n": "count",
    "number": "count",
    "total": "denominator",
    "p_val": "p",
    "pvalue": "p",
    **{written: f"ci{level}" for level in (90, 95, 99) for written in (f"{level}_ci", f"ci_{level}", f"{level}ci")},
    "ci": "ci95",
    "min_max": "range",
    "interquartile_range": "iqr",
    "q1_q3": "iqr",
    "unadjusted": "univariable",
    "crude": "univariable",
    "adjusted": "multivariable",
    "ci_low": "lower",
    "lcl": "lower",
    "ci_high": "upper",
    "ucl": "upper",
    "remark": "note",
    "remarks": "note",
    "comment": "note",
    "comments": "note",
    "source": "location",
    "page": "location",
    "outcome": "endpoint",
    "cohort": "population",
    "subgroup": "level",
    "reference": "comparator",
}
"""What papers and their readers usually write, for words that no spelling leads to."""
_FOOTNOTE: Final = "*\u2020\u2021\u00a7\u00b6#"


def shown(text: str) -> str:
    """A cell's text as messages show it."""
    return repr(text) if text else EMPTY


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``write 'female'`` for ``femal``, ``write 'hazard_ratio'`` for ``HR``; empty if no known word is close.

    Case, spaces and hyphens count for nothing, so that ``Triple-class refractory`` finds the name.
    """
    names = {_plain(name): name for name in known if name}
    if (usual := _USUAL.get(_plain(word), "")) in names.values():
        return f"write {usual!r}"
    close = get_close_matches(_plain(word), names, n=1, cutoff=0.7)
    return f"write {names[close[0]]!r}" if close else ""


def _plain(word: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", word.casefold()).strip("_")


def how_to_write(text: str) -> str:
    """How a number is to be written that was written in another way; empty if nothing is likely.

    An operator before the number, as in ``<0,001``, is kept; ``p =`` before it and a footnote's mark after it are not.
    """
    bare = re.sub(r"^(?:p(?:[ -]?values?)?\s*(?=[=<>\u2264\u2265]))?\s*=?\s*", "", text, flags=re.IGNORECASE)
    bare = re.sub(rf"\s*[{re.escape(_FOOTNOTE)}]+$", "", bare)
    if bare != text:
        is_plain = re.fullmatch(rf"[<>\u2264\u2265]?\s*{_NUMBER}|n\.?s\.?", bare, flags=re.IGNORECASE)
        return how_to_write(bare) or (f"write {bare.replace(' ', '')} alone" if is_plain else "")
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


def how_to_part(text: str) -> str:
    """Which columns the numbers of one cell belong in, as in ``0.38 (0.21-0.69)``; empty if nothing is likely."""
    number, dash = rf"({_NUMBER.removeprefix('[+-]?')})", r"\s*(?:-|\u2013|\u2014|\bto\b|;|,\s)\s*"
    several = {
        rf"[(\[]?\s*{number}{dash}{number}\s*[)\]]?": ("lower", "upper"),
        rf"{number}\s*[(\[]\s*{number}{dash}{number}\s*[)\]]": ("value", "lower", "upper"),
        rf"{number}\s*\(\s*{number}\s*%?\s*\)": ("count", "value"),
        rf"{number}\s*(?:/|\bof\b)\s*{number}": ("count", "denominator"),
    }
    for pattern, columns in several.items():
        if match := re.fullmatch(pattern, text):
            told = [f"{part} into {column}" for part, column in zip(match.groups(), columns, strict=True)]
            return f"one number a cell: write {', '.join(told[:-1])} and {told[-1]}"
    return ""
