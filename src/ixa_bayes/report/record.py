"""The record of a run beside its results: what it was made from, so that nothing is redone or replaced unasked."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Final

from ixa_bayes.errors import InputError, Problem

RECORD: Final = "provenance.json"
_PACKAGES: Final = (
    "ixa-bayes",
    "pymc",
    "pytensor",
    "nutpie",
    "arviz",
    "numpy",
    "scipy",
    "pandas",
    "xarray",
    "matplotlib",
)


@dataclass(frozen=True)
class Provenance:
    """What a result was computed with, so that it can be computed again.

    Attributes
    ----------
    subject : str
        What the results are about: a study, or a model and a cohort.
    inputs : dict of str to str
        SHA-256 of every input: a ledger or cohort, each model file, the literature, the code.
    versions : dict of str to str
        Of the package and the libraries that determine its numbers.
    seed : int
    created : str
        Date and time in UTC, ISO 8601.
    """

    subject: str
    inputs: dict[str, str]
    versions: dict[str, str]
    seed: int
    created: str


@dataclass(frozen=True)
class Told:
    """What a run said when it ended.

    Attributes
    ----------
    headlines : list of str
        What it found, in a few lines.
    not_converged : list of str
        Sampled models that did not converge, with the reasons.
    """

    headlines: list[str]
    not_converged: list[str]


def provenance(subject: str, inputs: dict[str, str], seed: int) -> Provenance:
    """Inputs, versions and seed of a run that starts now."""
    return Provenance(
        subject=subject,
        inputs=inputs,
        versions={name: version(name) for name in _PACKAGES},
        seed=seed,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def write_record(folder: Path, made_with: Provenance, told: Told) -> None:
    """Write the record, last of all files of a run: it lists the others."""
    written = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    content = asdict(made_with) | asdict(told) | {"files": written}
    (folder / RECORD).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def kept(output: Path, inputs: dict[str, str], seed: int) -> Told | None:
    """What an earlier run said if its inputs are these and its files are there, None if it must run again."""
    try:
        earlier = json.loads((output / RECORD).read_text(encoding="utf-8"))
        same = earlier["inputs"] == inputs and earlier["seed"] == seed
        complete = all((output / name).exists() for name in earlier["files"])
        told = Told(earlier["headlines"], earlier["not_converged"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return told if same and complete else None


def check_output(output: Path, *, subject: str, sources: Iterable[Path], force: bool) -> None:
    """Refuse to replace anything but the results of an earlier run, and never what results are made from.

    Parameters
    ----------
    output : Path
        Folder to write.
    subject : str
        What the results are about; those of another are replaced with ``force`` only.
    sources : iterable of Path
        Files and folders that the results are made from.
    force : bool

    Raises
    ------
    InputError
    """
    where, mend = f"--output {output}", "choose another folder"
    target = output.resolve()
    for source in (path.resolve() for path in (*sources, Path.cwd(), Path.home())):
        if target == source or target in source.parents:
            raise InputError([Problem(where, f"a folder that holds {source}", "it would be deleted", mend)])
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return
    if not output.is_dir():
        raise InputError([Problem(where, "a file", "results are a folder", mend)])
    written_for = _subject_of(output / RECORD)
    if written_for is None:
        mend = "choose another folder, or remove it yourself if it holds the results of an older version"
        raise InputError([Problem(where, "a folder that no run of ours has written", "it is never replaced", mend)])
    if written_for != subject and not force:
        found = f"the results of {written_for!r}"
        raise InputError([Problem(where, found, "nothing is overwritten unasked", f"{mend}, or add --force")])


def check_nothing_foreign(output: Path) -> None:
    """Refuse to replace a folder into which somebody has put files of their own.

    Results about these results that stand in a folder of their own, such as the calibration of a fit, are none: they
    are worth nothing without it.

    Raises
    ------
    InputError
        Naming them.
    """
    if not (output / RECORD).is_file():
        return
    subject = _subject_of(output / RECORD)
    about = [record for record in output.rglob(RECORD) if str(_subject_of(record)).endswith(f" of {subject}")]
    ours = {path for record in (output / RECORD, *about) for path in _files_of(record)}
    found = (path for path in output.rglob("*") if path.is_file() and path not in ours)
    foreign = sorted(path.relative_to(output).as_posix() for path in found if not path.name.startswith("."))
    if foreign:
        named = ", ".join(foreign[:5]) + (f" and {len(foreign) - 5} more" if len(foreign) > 5 else "")
        rule = "the folder is replaced as a whole, and these are no results"
        raise InputError([Problem(f"--output {output}", named, rule, "move them elsewhere, or choose another folder")])


def code_hash() -> str:
    """One hash over the package's own files, so that a changed formula never leaves an old number standing."""
    digest = hashlib.sha256()
    root = Path(str(files("ixa_bayes")))
    for path in sorted(root.rglob("*")):
        if path.suffix in (".py", ".j2", ".css", ".html", ".js"):
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _files_of(record: Path) -> set[Path]:
    """The files that a run has written, and its record."""
    written = json.loads(record.read_text(encoding="utf-8"))["files"]
    return {record, *(record.parent / name for name in written)}


def _subject_of(record: Path) -> str | None:
    """What the results in a folder are about; None if it holds no results of ours."""
    try:
        earlier = json.loads(record.read_text(encoding="utf-8"))
        return str(earlier["subject"]) if {"inputs", "files"} <= set(earlier) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
