"""``ixa-bayes new-study``: a study folder to start from, with every key and column explained.

The example travels in ``template/`` beside this file. The description of the columns is written
from the reader's own tables, so that it cannot say anything else than what is read.
"""

import re
import shutil
import tempfile
from pathlib import Path
from typing import Final

from ixa_bayes.errors import InputError, Problem
from ixa_bayes.study.ledger import DEFINITION_FILE, STATISTICS_FILE, read_study
from ixa_bayes.study.ledger_rows import ADJUSTMENTS, CLAIMS, COLUMNS, INTERVALS, KINDS, READINGS
from ixa_bayes.study.literature import TABLES

README_FILE: Final = "README.md"
FILES: Final = (DEFINITION_FILE, STATISTICS_FILE, README_FILE)
_SOURCE: Final = Path(__file__).parent / "template"
_NAME_LINE: Final = 'name = "my_study"'
_RULES: Final = f"""\
# A study folder

- `{DEFINITION_FILE}`: populations, factors, endpoints, what nests, what is unknown. Its comments explain each key.
- `{STATISTICS_FILE}`: one row per printed statistic, UTF-8, decimal points. Commas, semicolons or tabs
  separate cells; a cell that holds one stands in quotes.

What is printed is the datum: `33.0` and `33` differ, trailing zeros stay, nothing is computed, corrected or
filled in. A number that the paper repeats is a row each time, because repeats can disagree. A comparison of
two groups is a row for each group and a row of kind `p_value`; a hazard ratio is one row. Columns that are
empty throughout may be left out, except `id`, `location`, `population`, `endpoint` and `kind`.
"""
_LITERATURE_RULES: Final = f"""\
## Literature, if you have any

The folder that `literature` in `{DEFINITION_FILE}` names holds these files; one with nothing to tell has its header
alone, and `factors.csv` may be absent. Other studies' numbers only: the study's own must not enter its priors.

- `use`: `prior` if the row may inform a prior, `context` if it is for comparison alone (say, other patients).
- `response.csv`: a row per arm and endpoint; `regimen` is a label and `endpoint` a name of study.toml.
- `overlaps_with`: the `study_id`s that share patients, separated by `;`. Of linked studies one enters a prior.
- `factors.csv`: which `factor` of `prognostic_hr.csv` stands for a factor of the study, where the names differ.

| file | columns it needs | columns it may have |
|---|---|---|
"""
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,59}")


def write_template(folder: Path, *, name: str, force: bool = False) -> None:
    """Write a study folder that reads without a fault, to be filled with another paper's numbers.

    Parameters
    ----------
    folder : Path
        Where ``study.toml``, ``statistics.csv`` and ``README.md`` go; made if absent. Its other files stay.
    name : str
        Name of the study: lower-case letters, digits and underscores.
    force : bool
        Whether files of these names may be overwritten.

    Raises
    ------
    InputError
        If the name is no name, the folder is a file, or (without ``force``) a file would be overwritten.

    Notes
    -----
    The files are prepared and read in a folder beside the target and moved there one by one, so
    that no file is ever half written.
    """
    folder = Path(folder)
    if problems := _problems(folder, name=name, force=force):
        raise InputError(problems)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".new-study-") as staging:
        draft = Path(staging)
        definition = (_SOURCE / DEFINITION_FILE).read_text(encoding="utf-8")
        _write(draft / DEFINITION_FILE, definition.replace(_NAME_LINE, f'name = "{name}"'))
        shutil.copyfile(_SOURCE / STATISTICS_FILE, draft / STATISTICS_FILE)
        _write(draft / README_FILE, format_description())
        read_study(draft)
        for file in FILES:
            (draft / file).replace(folder / file)


def format_description() -> str:
    """The format of the tables as Markdown, made from what the readers check."""
    columns = [f"| `{column}` | {meaning} |" for column, meaning in COLUMNS.items()]
    kinds = [f"| `{kind}` | {', '.join(f'`{column}`' for column in needed)} |" for kind, needed in KINDS.items()]
    tables = [f"| `{name}` | {_names(name, required=True)} | {_names(name, required=False)} |" for name in TABLES]
    words = {"interval": INTERVALS, "adjustment": ADJUSTMENTS, "claim": CLAIMS}
    return "\n".join(
        [
            _RULES,
            *("## Columns", "", "| column | meaning |", "|---|---|", *columns, ""),
            *("## Kinds", "", "| kind | cells it needs |", "|---|---|", *kinds, ""),
            *("## Words", "", *(f"- `{column}`: {', '.join(allowed)}" for column, allowed in words.items())),
            *(f"- `reading` `{word}`: {meaning}" for word, meaning in READINGS.items()),
            "",
            _LITERATURE_RULES + "\n".join(tables) + "\n",
        ]
    )


def _names(table: str, *, required: bool) -> str:
    columns = TABLES[table].columns.items()
    return ", ".join(f"`{name}`" for name, rule in columns if rule.required is required)


def _problems(folder: Path, *, name: str, force: bool) -> list[Problem]:
    problems = []
    if not _NAME.fullmatch(name):
        rule = "must be a lower-case letter, then up to 59 letters, digits and underscores"
        problems.append(Problem("study name", repr(name), rule, "choose such a name"))
    if folder.exists() and not folder.is_dir():
        problems.append(Problem(str(folder), "a file", "must be a folder", "choose another path"))
    elif not force:
        problems += [
            Problem(
                str(folder / file),
                "an existing file",
                "nothing is overwritten unasked",
                "choose another folder, or add --force",
            )
            for file in FILES
            if (folder / file).exists()
        ]
    return problems


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
