"""Result tables as a reader sees them: words for names, few digits, a link from every row to the ledger.

A display table holds text only. What it says was computed elsewhere; here it is worded.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import pandas as pd
from markupsafe import Markup, escape

from ixa_bayes.report.wording import EVIDENCE_LABELS, interval_text

Record = Mapping[str, Any]
FOLDED_FROM: Final = 15
"""Tables with more rows start closed on the screen."""
ON_PAPER: Final = 30
"""Tables with more rows are left out on paper, where a file holds them."""
LONG: Final = 220
_SENTENCE: Final = re.compile(r"(?<=[a-z0-9)]{2}[.])\s+(?=[A-Z])")
_UNBROKEN: Final = re.compile(r"P\(HR ([<>]) ")
_PART: Final = re.compile(r"(?<=;)\s+")


@dataclass(frozen=True)
class LedgerLink:
    """A link from a number to the printed statistic it rests on.

    Attributes
    ----------
    row : str
        Id of the ledger row; its anchor is ``row-<id>``.
    number : int
        Position of the row in the ledger, counted from 1: the text of the link.
    printed : str
        Where the paper prints it, shown as a tool tip.
    """

    row: str
    number: int
    printed: str


@dataclass(frozen=True)
class Column:
    """Heading of a column; numbers are set flush right."""

    label: str
    numeric: bool = False


@dataclass(frozen=True)
class DisplayRow:
    """Cells of a row, its heading first, with the ledger rows they rest on.

    ``group`` names the block of the table that the row belongs to.
    """

    cells: tuple[str, ...]
    links: tuple[LedgerLink, ...] = ()
    group: str = ""
    anchor: str = ""


@dataclass(frozen=True)
class DisplayTable:
    """A table of the page.

    Attributes
    ----------
    anchor : str
        Where links reach it.
    caption : str
    columns : tuple of Column
    rows : tuple of DisplayRow
    evidence : tuple of str
        Kinds of evidence that its numbers rest on, in words.
    missing : str
        What the page says instead where the table has no row.
    folded : bool
        Whether the table starts closed, because it is long.
    file : str
        File among the results that holds the table in full; empty if there is none.
    """

    anchor: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[DisplayRow, ...]
    evidence: tuple[str, ...]
    missing: str
    folded: bool = False
    file: str = ""

    @property
    def screen_only(self) -> bool:
        """Whether paper gets the name of the file in place of the table."""
        return bool(self.file) and len(self.rows) > ON_PAPER

    @property
    def wordy(self) -> bool:
        """Whether most columns are text: on a phone such a row reads better as a card than in a scrolling table."""
        return 2 * sum(column.numeric for column in self.columns) < len(self.columns)

    @property
    def linked(self) -> bool:
        """Whether any row links to the ledger."""
        return any(row.links for row in self.rows)

    @property
    def groups(self) -> list[tuple[str, list[DisplayRow]]]:
        """Rows by block, in order; one nameless block where there are none."""
        blocks: dict[str, list[DisplayRow]] = {}
        for row in self.rows:
            blocks.setdefault(row.group, []).append(row)
        return list(blocks.items())


class Ledger:
    """Links to the ledger's rows.

    Parameters
    ----------
    statistics : pd.DataFrame
        The study's ledger, indexed by id.
    """

    def __init__(self, statistics: pd.DataFrame) -> None:
        self._links = {
            str(row): LedgerLink(str(row), position, str(location))
            for position, (row, location) in enumerate(statistics["location"].items(), start=1)
        }
        marked = statistics[statistics["reading"].eq("ambiguous")]
        self._ambiguous = dict(zip(marked.index.astype(str), marked["factor"].astype(str), strict=True))

    def links(self, ids: object) -> tuple[LedgerLink, ...]:
        """Links to the rows named in a ``ledger_rows`` cell; unknown names are left out."""
        names = str(ids).split(";") if isinstance(ids, str) else []
        return tuple(self._links[name] for name in dict.fromkeys(names) if name in self._links)

    def ambiguous(self, ids: object, *, factor: str) -> tuple[LedgerLink, ...]:
        """Links to those rows of a ``ledger_rows`` cell whose print allows more than one reading.

        Parameters
        ----------
        ids : object
        factor : str
            Only rows on this factor count; empty for rows on everybody, such as the number of events.
        """
        return tuple(link for link in self.links(ids) if self._ambiguous.get(link.row) == factor)

    def prose(self, text: str) -> Markup:
        """Text for the page, escaped, with a link in place of each ledger row that it names.

        Only names with an underscore are taken for rows: a row may be called ``fatigue``, and so is
        an illness.
        """
        return Markup("").join(
            Markup('<a href="#row-{}">L{}</a>').format(part, self._links[part].number)
            if "_" in part and part in self._links
            else escape(part)
            for part in re.split(r"(\w+)", _UNBROKEN.sub("P(HR\N{NO-BREAK SPACE}\\1\N{NO-BREAK SPACE}", text))
        )

    def links_of(self, records: Iterable[Record]) -> tuple[LedgerLink, ...]:
        """Links of several result rows, each once."""
        return tuple(dict.fromkeys(link for record in records for link in self.links(record["ledger_rows"])))


def parted(text: str) -> tuple[str, str]:
    """A long text as its first sentence and the rest, a list as its first parts and the rest; a short text as it is.

    Of a list the head takes as many parts as :data:`LONG` characters hold, and at least one.
    """
    if len(text) <= LONG:
        return text, ""
    sentence = _SENTENCE.search(text)
    parts = list(_PART.finditer(text))
    cut = sentence or next((part for part in reversed(parts) if part.start() <= LONG), next(iter(parts), None))
    return (text[: cut.start()], text[cut.end() :]) if cut else (text, "")


def records_of(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a result table as dictionaries."""
    return cast("list[dict[str, Any]]", table.to_dict("records"))


def digits_of(row: Record, column: str, word: Callable[[float, float], str]) -> str:
    """A number of a result table with the digits that its Monte Carlo error, ``mcse_<column>``, supports."""
    return word(row[column], row[f"mcse_{column}"])


def median_interval(row: Record, columns: tuple[str, str, str], word: Callable[[float, float], str]) -> str:
    """Posterior median with its interval, ``1.42 (0.74 to 2.72)``, each number with its own digits.

    Parameters
    ----------
    row : mapping
    columns : tuple of str
        Columns of the median and of the lower and upper end.
    word : function
        From a number and its Monte Carlo error to text.
    """
    median, lower, upper = (digits_of(row, column, word) for column in columns)
    return f"{median} ({interval_text(lower, upper)})"


def evidence_words(table: pd.DataFrame) -> tuple[str, ...]:
    """Kinds of evidence in a result table, in words."""
    if "evidence_kind" not in table or table.empty:
        return ()
    return tuple(EVIDENCE_LABELS.get(str(kind), str(kind)) for kind in dict.fromkeys(table["evidence_kind"]))


def display_table(
    table: pd.DataFrame,
    columns: Sequence[tuple[Column, Callable[[dict[str, Any]], str]]],
    *,
    ledger: Ledger,
    anchor: str,
    caption: str,
    missing: str,
    group: Callable[[dict[str, Any]], str] | None = None,
    folded: bool | None = None,
    file: str = "",
) -> DisplayTable:
    """Word a result table.

    Parameters
    ----------
    table : pd.DataFrame
        A result table, with ``ledger_rows`` and ``evidence_kind`` where its rows have them.
    columns : sequence of (Column, function)
        Each column with the words for its cell of a row; the first is the row's heading.
    ledger : Ledger
    anchor, caption, missing : str
    group : function, optional
        The block that a row belongs to.
    folded : bool, optional
    file : str

    Returns
    -------
    DisplayTable
    """
    rows = [
        DisplayRow(
            tuple(word(record) for _, word in columns),
            links=ledger.links(record.get("ledger_rows")),
            group=group(record) if group else "",
        )
        for record in records_of(table)
    ]
    return table_of_rows(
        rows,
        [column for column, _ in columns],
        anchor=anchor,
        caption=caption,
        missing=missing,
        evidence=evidence_words(table),
        folded=folded,
        file=file,
    )


def table_of_rows(
    rows: Sequence[DisplayRow],
    columns: Sequence[Column | str],
    *,
    anchor: str,
    caption: str,
    missing: str,
    evidence: Sequence[str] = (),
    folded: bool | None = None,
    file: str = "",
) -> DisplayTable:
    """A display table from rows that are worded already.

    Parameters
    ----------
    rows : sequence of DisplayRow
    columns : sequence of Column or str
        A string heads a column of text.
    anchor, caption, missing, evidence, folded, file
        As in :class:`DisplayTable`; without ``folded``, a table of more than :data:`FOLDED_FROM` rows starts closed.

    Returns
    -------
    DisplayTable
    """
    return DisplayTable(
        anchor,
        caption=caption,
        columns=tuple(Column(column) if isinstance(column, str) else column for column in columns),
        rows=tuple(rows),
        evidence=tuple(evidence),
        missing=missing,
        folded=len(rows) > FOLDED_FROM if folded is None else folded,
        file=file,
    )
