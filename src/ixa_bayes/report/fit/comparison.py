"""``ixa-bayes compare``: fits in their folders, beside each other in a few lines and in a table."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pandas as pd

from ixa_bayes.cohort.table import read_cohort
from ixa_bayes.errors import InputError, Problem
from ixa_bayes.inference.survival.file import load_fit
from ixa_bayes.inference.survival.model_comparison import compare

WEIGHT_WORDS: Final = (
    "Weight: the share of the fit in the best joint prediction (stacking), not the probability that it is right. Where "
    "fits predict alike, one of them may have it all."
)


def compare_folders(folders: Sequence[Path], *, cohort: str | Path | None) -> pd.DataFrame:
    """Compare fits by the names of their folders, or by their paths where two folders have one name.

    Parameters
    ----------
    folders : sequence of Path
        Results of ``ixa-bayes fit``.
    cohort : str, path or None
        Where the cohort of them all is, if no longer where it was fitted from.

    Returns
    -------
    DataFrame
        See :func:`ixa_bayes.inference.survival.model_comparison.compare`.

    Raises
    ------
    InputError
        If a fit cannot be read, is named twice, or cannot be compared with the others.
    """
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise InputError([Problem("fits to compare", "one of them twice", "each is named once", "leave one out")])
    names = [folder.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        names = [str(folder) for folder in folders]
    read = None if cohort is None else read_cohort(cohort)
    return compare({name: load_fit(folder, cohort=read) for name, folder in zip(names, folders, strict=True)})


def comparison_lines(table: pd.DataFrame) -> list[str]:
    """A comparison as aligned lines for a terminal, and what its weights are."""
    cells = [("fit", "elpd (SE)", "difference (SE)", "weight", "reading")]
    for row in table.to_dict("records"):
        difference = "0" if row["elpd_diff"] == 0 else f"{row['elpd_diff']:.1f} ({row['se_diff']:.1f})"
        elpd = f"{row['elpd_loo']:.1f} ({row['se_elpd_loo']:.1f})"
        cells.append((str(row["fit"]), elpd, difference, f"{row['weight']:.2f}", str(row["reading"])))
    widths = [max(len(line[k]) for line in cells) for k in range(4)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[4]]) for line in cells
    ]
    return [*lines, WEIGHT_WORDS]
