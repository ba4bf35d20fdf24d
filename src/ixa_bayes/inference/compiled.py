"""Compile once, sample many: one compiled program per model structure and process.

Building and compiling a model takes seconds where sampling it takes a fraction of one. A program
is therefore compiled the first time it is asked for and then only given other data and other
prior numbers. Compiled programs do not pickle: a task that runs elsewhere compiles its own, or reads the machine
code that another process left on the disk.
"""

import os
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike
from platformdirs import user_cache_path

from ixa_bayes.inference.kept_code import compile_model

if TYPE_CHECKING:
    import pymc as pm

CACHE_VARIABLE: Final = "IXA_BAYES_CACHE"

_programs: dict[str, "Program"] = {}
_lock: Final = Lock()


@dataclass(frozen=True, eq=False)
class Program:
    """A compiled model that takes any data of the shapes it was compiled for.

    Attributes
    ----------
    name : str
        Model and structure, such as ``hierarchical_binomial/16``.
    compiled : nutpie.CompiledModel
        Not picklable.
    shapes : dict
        Name of every ``pm.Data`` and the shape it must have; the name of a dim stands for a length that may be
        another each time, the same for all data of one fit.
    """

    name: str
    compiled: Any
    shapes: Mapping[str, tuple[int | str, ...]]

    def with_data(self, data: Mapping[str, ArrayLike]) -> Any:
        """The compiled model with this data.

        Raises
        ------
        ValueError
            If a name is missing or unknown (a forgotten one would leave the placeholder in place),
            or a shape is not the compiled one or does not agree with the others (the program would read
            past the end of the array).
        """
        if set(data) != set(self.shapes):
            missing, unknown = sorted(set(self.shapes) - set(data)), sorted(set(data) - set(self.shapes))
            raise ValueError(f"program {self.name} takes exactly {sorted(self.shapes)}: {missing=}, {unknown=}.")
        lengths: dict[str, int] = {}
        for name, value in data.items():
            shape, compiled = np.shape(value), self.shapes[name]
            for axis, length in zip(compiled, shape, strict=False):
                if isinstance(axis, str):
                    lengths.setdefault(axis, length)
            expected = tuple(lengths.get(axis, 0) if isinstance(axis, str) else axis for axis in compiled)
            if shape != expected:
                raise ValueError(f"{name} has shape {shape}; program {self.name} takes {expected}.")
        return self.compiled.with_data(**data)


def program(name: str, build: Callable[[], "pm.Model"], *, free_dims: Collection[str] = ()) -> Program:
    """The compiled program of a model, compiled on first use and kept for the process.

    Parameters
    ----------
    name : str
        Model and structure; two models of one name would be confused, so it says all that shapes depend on.
    build : callable
        Returns the PyMC model, with all data and prior numbers as ``pm.Data``.
    free_dims : collection of str
        Dims of data whose length may be another in each fit; no parameter may depend on them.

    Returns
    -------
    Program
    """
    with _lock:
        if name not in _programs:
            _programs[name] = _compile(name, build, free_dims)
        return _programs[name]


def cache_folder() -> Path:
    """Where compiled code is kept between runs: ``$IXA_BAYES_CACHE``, else the user's cache folder."""
    return Path(os.environ.get(CACHE_VARIABLE) or user_cache_path("ixa-bayes"))


def _compile(name: str, build: Callable[[], "pm.Model"], free_dims: Collection[str]) -> Program:
    _point_pytensor_at_cache()
    model = build()
    shapes: dict[str, tuple[int | str, ...]] = {}
    for variable in model.data_vars:
        shape = variable.get_value().shape
        dims = model.named_vars_to_dims.get(variable.name) or (None,) * len(shape)
        shapes[variable.name] = tuple(
            dim if dim in free_dims else length for dim, length in zip(dims, shape, strict=True)
        )
    return Program(name, compile_model(model), shapes)


def _point_pytensor_at_cache() -> None:
    """Keep PyTensor's compiled functions in our cache folder, unless the user or the process decided otherwise."""
    if "pytensor" in sys.modules or "base_compiledir" in os.environ.get("PYTENSOR_FLAGS", ""):
        return
    flags = [flag for flag in os.environ.get("PYTENSOR_FLAGS", "").split(",") if flag]
    os.environ["PYTENSOR_FLAGS"] = ",".join([*flags, f"base_compiledir={cache_folder() / 'pytensor'}"])
