"""A posterior on disk: written whole or not at all, read only as the answer to the same question."""

import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from ixa_bayes.errors import InputError, Problem

ENGINE: Final = "h5netcdf"
IDENTITY: Final = ("program", "model_sha256", "data_sha256")
"""Attributes that say which question a posterior answers: model structure, model file, data and prior numbers."""


def data_hash(data: Mapping[str, ArrayLike], *, labels: tuple[str, ...] = ()) -> str:
    """SHA-256 of everything a fit was conditioned on: names, shapes, values, and the labels of groups."""
    digest = hashlib.sha256("\0".join(labels).encode())
    for name in sorted(data):
        value = np.ascontiguousarray(data[name], dtype="<f8")
        digest.update(f"\n{name} {value.shape}\n".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()


def save_posterior(posterior: xr.DataTree, path: Path, *, mode: int = 0o644) -> Path:
    """Write a posterior as NetCDF, so that a reader sees the old file or the new one, never half of it.

    Parameters
    ----------
    posterior : xr.DataTree
        With the attributes of :data:`IDENTITY`.
    path : Path
        Its folder is made if needed.
    mode : int
        Permissions of the file; it is never readable by others before it has them.

    Raises
    ------
    ValueError
        If an identity attribute is missing: the file could never be read back with confidence.
    """
    if missing := [name for name in IDENTITY if name not in posterior.attrs]:
        raise ValueError(f"the posterior lacks the attributes {missing}, by which it would be recognised.")
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")
    os.close(handle)
    partial = Path(name)
    try:
        posterior.to_netcdf(partial, engine=ENGINE, mode="w")
        partial.chmod(mode)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def load_posterior(path: Path, *, expected: Mapping[str, str], group: str = "posterior") -> xr.DataTree:
    """Read a posterior back, into memory.

    Parameters
    ----------
    path : Path
    expected : mapping
        Identity attributes the file must have; pass all of :data:`IDENTITY` to be sure that it is the same question.
    group : str
        What the file must hold.

    Raises
    ------
    InputError
        If there is no such file, it is no posterior, or it belongs to another model or other data.
    """
    mend = "fit again, or name the file that belongs to this model and data"
    if not path.is_file():
        raise InputError([Problem(str(path), "no such file", "it must exist", "check the path, or fit first")])
    try:
        with xr.open_datatree(path, engine=ENGINE) as opened:
            posterior = opened.load()
    except (OSError, KeyError, ValueError) as error:
        problem = Problem(str(path), f"{type(error).__name__}: {error}", "must be a NetCDF file of a posterior", mend)
        raise InputError([problem]) from error
    problems = [
        Problem(f"{path}, attribute {name!r}", repr(posterior.attrs.get(name)), f"must be {value!r}", mend)
        for name, value in expected.items()
        if posterior.attrs.get(name) != value
    ]
    if group not in posterior.children:
        problems.append(Problem(str(path), f"groups {list(posterior.children)}", f"must hold a {group}", mend))
    if problems:
        raise InputError(problems)
    return posterior
