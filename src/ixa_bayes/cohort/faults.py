"""The faults of a table, gathered while it is read and told together, by line.

A wrong export has the same fault in every row; so many are told that its cause is plain, the rest are counted.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
import pandas as pd

from ixa_bayes.cohort.source import BoolArray, IntArray, RawTable
from ixa_bayes.errors import InputError, Problem
from ixa_bayes.study.hints import shown

TOLD_AT_MOST: Final = 100
"""Cells of one column with one fault."""


class Faults:
    """What is wrong with a table so far.

    Parameters
    ----------
    raw : RawTable
        Where the cells stand.
    show_ids : bool
        Whether messages may name patients.
    """

    def __init__(self, raw: RawTable, *, show_ids: bool) -> None:
        self._raw = raw
        self._show_ids = show_ids
        self._patients: pd.Series | None = None
        self._found: list[tuple[int, Problem]] = []

    @property
    def raw(self) -> RawTable:
        """The table whose faults these are."""
        return self._raw

    @property
    def show_ids(self) -> bool:
        """Whether messages may name patients."""
        return self._show_ids

    def know_patients(self, ids: pd.Series) -> None:
        """Let messages name the patient of a row, where ids may be shown."""
        self._patients = ids

    def add(self, problem: Problem) -> None:
        """Add a fault of the table as a whole."""
        self._found.append((0, problem))

    def column(self, column: str, *, found: str, rule: str, mend: str) -> None:
        """Add a fault of a whole column."""
        self.add(Problem(self._raw.place(column), found, rule, mend))

    def cells(
        self,
        column: str,
        bad: BoolArray,
        *,
        rule: str,
        mend: str | Callable[[str], str],
        found: Callable[[str, int], str] | None = None,
        beside: IntArray | None = None,
    ) -> None:
        """Add a fault of some cells of a column.

        Parameters
        ----------
        column : str
        bad : ndarray of bool, shape (row,)
            Which cells are at fault.
        rule : str
            What they should be.
        mend : str or callable
            How to mend them; a callable is given the cell as messages show it.
        found : callable, optional
            What was found, given the cell as messages show it and the line of the row beside it.
        beside : ndarray of int, shape (row,), optional
            For each row another one that it contradicts.
        """
        rows = np.flatnonzero(bad)
        if rows.size == 0:
            return
        told = rows[:TOLD_AT_MOST]
        lines = self._raw.lines(told).tolist()
        others = lines if beside is None else self._raw.lines(beside[told]).tolist()
        for row, line, other in zip(told.tolist(), lines, others, strict=True):
            cell = self.shown(column, row)
            where = self._raw.place(column, line)
            if self._show_ids and self._patients is not None:
                where = f"{where}, patient {self._patients.iloc[row]!r}"
            what = found(cell, other) if found else cell
            self._found.append((line, Problem(where, what, rule, mend if isinstance(mend, str) else mend(cell))))
        if hidden := rows.size - told.size:
            self.column(column, found=f"{hidden:,} more such cells", rule=rule, mend="mend the cause in the export")

    def shown(self, column: str, row: int) -> str:
        """A cell as messages show it."""
        cell = self._raw.cells[column].iloc[row]
        if isinstance(cell, str) or pd.isna(cell):
            return shown("" if not isinstance(cell, str) else cell)
        return repr(cell.item() if isinstance(cell, np.generic) else cell)

    def raise_if_any(self) -> None:
        """Tell every fault, by line.

        Raises
        ------
        InputError
            If there is any.
        """
        if self._found:
            raise InputError(problem for _, problem in sorted(self._found, key=lambda item: item[0]))
