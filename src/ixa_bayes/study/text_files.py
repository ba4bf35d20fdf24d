"""The one way in for every text file of a study: UTF-8, or told where it is not."""

import codecs
from pathlib import Path
from typing import Final

from ixa_bayes.errors import InputError, Problem

_OTHER_FILES: Final = {
    codecs.BOM_UTF16_LE: "text in UTF-16",
    codecs.BOM_UTF16_BE: "text in UTF-16",
    b"PK\x03\x04": "a workbook or another packed file, not text",
}
"""What a file is that begins with these bytes; none of them can begin text in UTF-8 that a study holds."""


def read_text(path: Path, *, if_absent: str, how_to_save: str = "save it again as UTF-8") -> str:
    """The text of a file, without a byte order mark.

    Parameters
    ----------
    path : Path
    if_absent, how_to_save : str
        What to do where there is no such file, or it is not UTF-8; for the message.

    Raises
    ------
    InputError
        If the file is missing or not UTF-8; the message names the line and the likely character, or what
        the file is instead.
    """
    try:
        content = path.read_bytes()
        for start, found in _OTHER_FILES.items():
            if content.startswith(start):
                raise InputError([Problem(str(path), found, "the file must be text in UTF-8", how_to_save)])
        return content.decode("utf-8-sig")
    except FileNotFoundError as error:
        raise InputError([Problem(str(path), "no such file", "it must exist", if_absent)]) from error
    except UnicodeDecodeError as error:
        where = f"{path}, line {error.object[: error.start].count(b'\n') + 1}"
        byte = error.object[error.start : error.start + 1]
        likely = byte.decode("cp1252", errors="replace")
        found = repr(byte) if likely == "\ufffd" else f"{byte!r}, probably {likely!r} in Windows-1252"
        raise InputError([Problem(where, found, "the file must be UTF-8", how_to_save)]) from error
