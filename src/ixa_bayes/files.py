"""Writing files so that a reader never meets half of one."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ixa_bayes.errors import InputError, Problem


def write_text(path: Path, text: str, *, force: bool) -> None:
    """Write a text file as a whole or not at all.

    Raises
    ------
    InputError
        If the file exists and ``force`` is not given, or it is a folder.
    """
    check_free(path, force=force)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def check_free(path: Path, *, force: bool) -> None:
    """Whether a text file may be written; asked before work whose result goes there.

    Raises
    ------
    InputError
        If there is a folder, or a file and ``force`` is not given.
    """
    if path.is_dir():
        raise InputError([Problem(str(path), "a folder", "a file is written here", "name a file in it")])
    if path.exists() and not force:
        raise InputError([_exists(path)])


@contextmanager
def folder_replaced(path: Path) -> Iterator[Path]:
    """A new folder to fill, which takes the place of ``path`` when the block ends well.

    If the block fails or is interrupted, what stood at ``path`` stands there still.

    Yields
    ------
    Path
        The folder to fill, beside ``path`` so that the exchange is a rename.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as staging:
        fresh, old = Path(staging) / "new", Path(staging) / "old"
        fresh.mkdir()
        yield fresh
        if path.exists():
            path.rename(old)
        try:
            fresh.rename(path)
        except BaseException:
            if old.exists() and not path.exists():
                old.rename(path)
            raise


def _exists(path: Path) -> Problem:
    return Problem(
        str(path), "a file that exists", "nothing is overwritten unasked", "choose another path or add --force"
    )
