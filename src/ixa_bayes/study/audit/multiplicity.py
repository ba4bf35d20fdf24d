"""How many p values a paper prints, and how many of them survive a correction."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Final

import numpy as np

from ixa_bayes.formulas.multiplicity import benjamini_hochberg, holm
from ixa_bayes.formulas.printed import PrintedP, parse_p
from ixa_bayes.study.audit import consequences as then
from ixa_bayes.study.audit.findings import Finding
from ixa_bayes.study.audit.prints import Prints, listed
from ixa_bayes.study.audit.repeats import statistic_of_p

CHECK: Final = "multiplicity"
SIGNIFICANT: Final = 0.05


def check_multiplicity(prints: Prints) -> Iterator[Finding]:
    """Number of different p values and how many stay below 0.05 after Benjamini-Hochberg and Holm.

    Repeats of one test count once, with their most precise print: an exact value before an inequality,
    then the finer last digit. Inequalities enter at their edge: ``<0.001`` as 0.001, ``>0.05`` as 1,
    since nothing better is known from above.
    """
    chosen: dict[tuple[str, ...], tuple[str, PrintedP]] = {}
    for row in prints.rows:
        if not row["p"]:
            continue
        key, printed = statistic_of_p(prints, row), parse_p(row["p"])
        if key not in chosen or _coarseness(printed) < _coarseness(chosen[key][1]):
            chosen[key] = (row["id"], printed)
    if len(chosen) < 2:
        return
    ids = np.array([row for row, _ in chosen.values()])
    p = np.array([_at_edge(printed) for _, printed in chosen.values()])
    below = p < SIGNIFICANT
    kept = benjamini_hochberg(p) < SIGNIFICANT
    lost = ids[below & ~kept].tolist()
    yield Finding(
        CHECK,
        "note",
        tuple(ids[below].tolist()) or tuple(ids.tolist()),
        printed=f"{len(p)} different p values, {int(below.sum())} of them below 0.05",
        computed=f"{int(kept.sum())} survive Benjamini-Hochberg, {int((holm(p) < SIGNIFICANT).sum())} survive Holm",
        explanation=f"With {len(p)} tests about {SIGNIFICANT * len(p):.1f} would fall below 0.05 if no difference "
        "existed." + (f" Not below 0.05 after Benjamini-Hochberg: {listed(lost, 15)}." if lost else ""),
        consequence=then.NOTHING_DROPPED,
    )


def _coarseness(printed: PrintedP) -> tuple[bool, bool, Fraction]:
    """Order of prints of one p value, the most precise first; of bounds, one from above before one from below."""
    return printed.operator != "=", printed.operator in (">", ">="), printed.number.step


def _at_edge(printed: PrintedP) -> float:
    return 1.0 if printed.operator in (">", ">=") else printed.number.value
