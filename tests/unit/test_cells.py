"""CSV cells as text: what every table of a study relies on, whichever columns it has."""

from pathlib import Path

import pytest

from ixa_bayes.errors import InputError
from ixa_bayes.study.cells import read_cells


def written(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    return path


def faults(path: Path) -> list[tuple[str, str]]:
    with pytest.raises(InputError) as caught:
        read_cells(path, columns=("a", "b", "c"), required=("a", "b"))
    return [(problem.where.removeprefix(str(path)).lstrip(", "), problem.found) for problem in caught.value.problems]


def test_cells_are_stripped_text_in_the_callers_order_with_their_lines(tmp_path: Path) -> None:
    path = written(tmp_path, b'\xef\xbb\xbfb , a\r\n 1.0,"x, y"\r\n\r\n,\r\n"two\r\nlines", z\r\n03,\r\n')
    table = read_cells(path, columns=("a", "b", "c"), required=("a", "b"))
    assert list(table) == ["a", "b", "c"]
    assert table.index.tolist() == [2, 5, 7]
    assert table.index.name == "line"
    assert table.to_numpy().tolist() == [["x, y", "1.0", ""], ["z", "two\r\nlines", ""], ["", "03", ""]]


def test_a_header_alone_is_an_empty_table(tmp_path: Path) -> None:
    table = read_cells(written(tmp_path, b"a,b\n"), columns=("a", "b", "c"), required=("a", "b"))
    assert table.empty
    assert list(table) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", [("", "nothing")]),
        (b"a;b\n1,0;2\n3;4;5\n", [("line 3", "3 cells")]),
        ("a,b\n1,2\n".encode("utf-16"), [("", "text in UTF-16")]),
        (b"PK\x03\x04\x14\0", [("", "a workbook or another packed file, not text")]),
        (b"a,d\n", [("line 1", "column 'd'"), ("line 1", "no column 'b'")]),
        (b"a,b,b\n1,2,3\n", [("line 1", "column 'b' twice")]),
        (b'a,b\n"1\n2",3\n4\n5,6,7\n', [("line 4", "1 cells"), ("line 5", "3 cells")]),
        (b'a,b\n1,"2\n', [("line 2", "unexpected end of data")]),
        ("a,b\n1,2\nZürich,3\n".encode("latin-1"), [("line 3", r"b'\xfc', probably 'ü' in Windows-1252")]),
        (b"a,b\n\x81,2\n", [("line 2", r"b'\x81'")]),
        (b"a,b\0\n", [("", "a NUL byte")]),
    ],
)
def test_faults_of_the_file_name_their_line(tmp_path: Path, content: bytes, expected: list[tuple[str, str]]) -> None:
    assert faults(written(tmp_path, content)) == expected


def test_an_absent_file_brings_the_callers_advice(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such file; it must exist\. To mend: write it\."):
        read_cells(tmp_path / "absent.csv", columns=("a",), required=("a",), if_absent="write it")


@pytest.mark.parametrize("mark", [";", "\t"])
def test_semicolons_and_tabs_separate_cells_where_the_header_shows_it(tmp_path: Path, mark: str) -> None:
    """As a spreadsheet writes it in a country with a decimal comma: the cells stay what they are, commas too."""
    text = f'a{mark}"b"{mark}c\r\n1,0{mark}"x{mark}y"{mark}\r\n'
    table = read_cells(written(tmp_path, text.encode()), columns=("a", "b", "c"), required=("a", "b"))
    assert table.to_numpy().tolist() == [["1,0", f"x{mark}y", ""]]


def test_the_usual_name_of_a_column_finds_the_column(tmp_path: Path) -> None:
    path = written(tmp_path, b"id,remarks\n")
    with pytest.raises(InputError) as caught:
        read_cells(path, columns=("id", "note"), required=("id",))
    assert caught.value.problems[0].mend == "write 'note', or remove it"
