"""``ixa-bayes new-cohort``: a folder to start from, with every key explained and a few invented patients.

The example travels in ``template/`` beside this file, and is read before it is handed out.
"""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ixa_bayes.cohort.description import DESCRIPTION_FILE
from ixa_bayes.cohort.table import read_cohort
from ixa_bayes.errors import InputError, Problem

TABLE_FILE: Final = "patients.csv"
FILES: Final = (DESCRIPTION_FILE, TABLE_FILE, "README.md")
_SOURCE: Final = Path(__file__).parent / "template"
_NAME_LINE: Final = 'name = "my_cohort"'
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,59}")


def write_cohort_template(folder: Path, *, name: str, force: bool = False) -> None:
    """Write a cohort folder that reads without a fault, to be filled with patients.

    Parameters
    ----------
    folder : Path
        Where ``cohort.toml``, ``patients.csv`` and ``README.md`` go; made if absent. Its other files stay.
    name : str
        Name of the cohort: lower-case letters, digits and underscores.
    force : bool
        Whether files of these names may be overwritten.

    Raises
    ------
    InputError
        If the name is no name, the folder is a file, or (without ``force``) a file would be overwritten.
    """
    if problems := list(_problems(folder, name=name, force=force)):
        raise InputError(problems)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".new-cohort-") as staging:
        draft = Path(staging)
        for file in FILES:
            text = (_SOURCE / file).read_text(encoding="utf-8").replace(_NAME_LINE, f'name = "{name}"')
            (draft / file).write_text(text, encoding="utf-8", newline="\n")
        read_cohort(draft)
        for file in FILES:
            (draft / file).replace(folder / file)


def _problems(folder: Path, *, name: str, force: bool) -> Iterator[Problem]:
    if not _NAME.fullmatch(name):
        rule = "must be a lower-case letter, then up to 59 letters, digits and underscores"
        yield Problem("cohort name", repr(name), rule, "choose such a name with --name")
    if folder.exists() and not folder.is_dir():
        yield Problem(str(folder), "a file", "must be a folder", "choose another path")
    elif not force:
        for file in FILES:
            if (folder / file).exists():
                mend = "choose another folder, or add --force"
                yield Problem(str(folder / file), "an existing file", "nothing is overwritten unasked", mend)
