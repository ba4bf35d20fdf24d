"""Where studies, models and cohorts are found: a path of the user's, or a name that is built in."""

from collections.abc import Mapping
from importlib.resources import files
from os import PathLike
from pathlib import Path
from typing import Final, Literal

from ixa_bayes.errors import InputError, Problem

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
    raise InputError(
        [
            Problem(
                f"{kind} {str(name)!r}",
                "neither a path nor a built-in name",
                f"built in are {', '.join(builtin_names(kind)) or 'none'}",
                "check the spelling, or give the path",
            )
        ]
    )


def _path(name: object, kind: Kind) -> Path:
    if isinstance(name, str | PathLike):
        return Path(name)
    built_in = ", ".join(builtin_names(kind)) or "none"
    raise TypeError(
        f"a {kind} is named here by its path or a built-in name ({built_in}); found a {type(name).__name__}"
    )
