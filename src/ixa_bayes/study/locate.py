"""Where studies, models and cohorts are found: a path of the user's, or a name that is built in."""

from collections.abc import Mapping
from importlib.resources import files
from os import PathLike
from pathlib import Path
from typing import Final, Literal

from ixa_bayes.errors import InputError, Problem
from ixa_bayes.study.hints import did_you_mean

Kind = Literal["study", "model", "cohort"]
CONTENT: Final[Mapping[Kind, str]] = {"study": "study.toml", "cohort": "cohort.toml"}


def builtin_root() -> Path:
    """The folder that holds the built-in ``data`` and ``models``.

    Inside an installed wheel it is the package's own ``builtin``; an editable install has none
    and uses the repository.
    """
    packaged = Path(str(files("ixa_bayes"))) / "builtin"
    return packaged if packaged.exists() else Path(str(files("ixa_bayes"))).parents[1]


def builtin_names(kind: Kind) -> list[str]:
    """Names that ``ixa-bayes list`` shows, sorted."""
    if kind != "model":
        return sorted(path.parent.name for path in (builtin_root() / "data").glob(f"*/{CONTENT[kind]}"))
    return sorted(path.stem for path in (builtin_root() / "models").glob("*.toml"))


def locate(name: str | Path, kind: Kind) -> Path:
    """Find a study folder, a model file or a cohort.

    Parameters
    ----------
    name : str or path
        An existing path wins; otherwise a built-in name.
    kind : {"study", "model", "cohort"}

    Raises
    ------
    InputError
        If it is neither; the message lists the built-in names.
    TypeError
        If it is no name at all, say a study that is already read.
    """
    path = _path(name, kind)
    if path.exists():
        return path
    root = builtin_root()
    candidate = root / "models" / f"{name}.toml" if kind == "model" else root / "data" / name
    if str(name) in builtin_names(kind):
        return candidate
    meant = _meant(path, kind)
    mend = "check the spelling, or give the path"
    raise InputError(
        [
            Problem(
                f"{kind} {str(name)!r}",
                "neither a path nor a built-in name",
                f"built in are {', '.join(builtin_names(kind)) or 'none'}",
                f"did you mean {meant}? If not, {mend}" if meant else mend,
            )
        ]
    )


def _meant(path: Path, kind: Kind) -> str:
    """What stands beside a path that is not there, or is built in, under nearly its name; empty if nothing does."""
    beside = [other for other in path.parent.iterdir() if _may_be(other, kind)] if path.parent.is_dir() else []
    names = {name: str(other) for other in sorted(beside) for name in (other.stem, other.name)}
    names |= {name: name for name in builtin_names(kind)} if path.parent == Path() else {}
    close = did_you_mean(path.name, names) or did_you_mean(path.stem, names)
    return names[close.removeprefix("write ").strip("'")] if close else ""


def _may_be(path: Path, kind: Kind) -> bool:
    if path.name.startswith("."):
        return False
    return path.suffix == ".toml" if kind == "model" else kind == "cohort" or (path / CONTENT[kind]).is_file()


def _path(name: object, kind: Kind) -> Path:
    if isinstance(name, str | PathLike):
        return Path(name)
    built_in = ", ".join(builtin_names(kind)) or "none"
    raise TypeError(
        f"a {kind} is named here by its path or a built-in name ({built_in}); found a {type(name).__name__}"
    )
