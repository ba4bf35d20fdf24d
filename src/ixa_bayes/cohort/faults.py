"""The faults of a table, gathered while it is read and told together, by line.

A wrong export has the same fault in every row: a column that fails as a whole is told once, with how many cells and
the first of them. A cell that several endpoints need is told once, with their names.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd

from ixa_bayes.cohort.source import BoolArray, IntArray, RawTable
from ixa_bayes.errors import InputError, Problem
from ixa_bayes.study.hints import shown

TOLD_AT_MOST: Final = 100
"""Cells of one column with one fault."""
WHOLE_COLUMN: Final = 5
"""So many cells, if they are at least half of those that say something, are the fault of the column, not of each."""


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
        self._endpoint: str | None = None
        self._found: dict[tuple[int, Problem], list[str]] = {}

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

    @property
    def endpoint(self) -> str | None:
        """The endpoint that is being read, if one is."""
        return self._endpoint

    @contextmanager
    def of_endpoint(self, name: str) -> Iterator[None]:
        """Faults that are added in this block are of one endpoint; the same fault of several is told once."""
        self._endpoint = name
        yield
        self._endpoint = None

    def add(self, problem: Problem) -> None:
        """Add a fault of the table as a whole."""
        self._tell(0, problem)

    def _tell(self, line: int, problem: Problem) -> None:
        endpoints = self._found.setdefault((line, problem), [])
        if self._endpoint is not None and self._endpoint not in endpoints:
            endpoints.append(self._endpoint)

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
            How to mend them; a callable is given the cell as messages show it. Of a column that fails as a whole that
            of its first cell is told.
        found : callable, optional
            What was found, given the cell as messages show it and the line of the row beside it.
        beside : ndarray of int, shape (row,), optional
            For each row another one that it contradicts.
        """
        rows = np.flatnonzero(bad)
        if rows.size == 0:
            return
        whole = self._is_whole(column, rows)
        told = rows[: 1 if whole else TOLD_AT_MOST]
        lines = self._raw.lines(told).tolist()
        others = lines if beside is None else self._raw.lines(beside[told]).tolist()
        for row, line, other in zip(told.tolist(), lines, others, strict=True):
            cell = self.shown(column, row)
            what = found(cell, other) if found else cell
            how = mend if isinstance(mend, str) else mend(cell)
            if whole:
                self.column(column, found=f"{what} ({self._as_a_whole(column, rows)})", rule=rule, mend=how)
                return
            where = self._raw.place(column, line)
            if self._show_ids and self._patients is not None:
                where = f"{where}, patient {self._patients.iloc[row]!r}"
            self._tell(line, Problem(where, what, rule, how))
        if hidden := rows.size - told.size:
            self.column(column, found=f"{hidden:,} more such cells", rule=rule, mend="mend the cause in the export")

    def _is_whole(self, column: str, rows: IntArray) -> bool:
        return rows.size >= WHOLE_COLUMN and 2 * rows.size >= self._n_filled(column, rows)

    def _as_a_whole(self, column: str, rows: IntArray) -> str:
        n, first = self._n_filled(column, rows), self._raw.lines(rows[:WHOLE_COLUMN]).tolist()
        more = ", ..." if rows.size > WHOLE_COLUMN else ""
        share = f"all {n:,} cells" if rows.size == n else f"{rows.size:,} of {n:,} cells"
        return f"and so {share}, {self._raw.counted}s {', '.join(map(str, first))}{more}"

    def _n_filled(self, column: str, rows: IntArray) -> int:
        """Cells that say something; all of the column where some at fault say nothing."""
        cells = self._raw.cells[column]
        empty = (cells.isna() | cells.eq("")).to_numpy(dtype=bool, na_value=True)
        return len(cells) if empty[rows].any() else int(np.count_nonzero(~empty))

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
            found = sorted(self._found.items(), key=lambda item: item[0][0])
            raise InputError(_of_several(problem, endpoints) for (_, problem), endpoints in found)


def _of_several(problem: Problem, endpoints: list[str]) -> Problem:
    if len(endpoints) < 2:
        return problem
    return replace(problem, where=f"{problem.where} (endpoints {', '.join(endpoints)})")
