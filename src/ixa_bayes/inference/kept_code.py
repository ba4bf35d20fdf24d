"""Machine code of compiled models, kept on disk between processes.

nutpie has numba compile two C functions of a model, the log density with its gradient and the expansion of a draw, and
that is most of what a first fit takes. numba keeps the code of plain functions on disk, but nutpie's close over
values that differ from process to process. Here they are called by plain functions, under a key that says all that
their code depends on: PyTensor's own key of the graph, the layout of the data, the versions of whatever compiles,
and the text of this module. Code that is read back must first give the values of the graph evaluated op by op, or
it is not used.
"""

import ctypes
import pickle
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pymc as pm

KNOWN_NUTPIE: Final = frozenset({"0.16.11"})
"""Versions whose internal functions, used below, are known; with any other nutpie compiles as it likes, every time."""
TOLERANCE: Final = 1e-8
"""Relative difference that the order of additions may make between compiled and interpreted values."""
_COMPILERS: Final = ("nutpie", "pymc", "pytensor", "numba", "llvmlite", "numpy")
_UNREADABLE: Final = (OSError, EOFError, pickle.UnpicklingError)


def compile_model(model: "pm.Model") -> Any:
    """Compile a model for nutpie, with machine code from the disk where the same model was compiled before.

    Parameters
    ----------
    model : pm.Model
        With all its data as ``pm.Data``.

    Returns
    -------
    nutpie.CompiledModel
        As from ``nutpie.compile_pymc_model(model, backend="numba")``, which is what does the work where nutpie is of a
        version that is not known here.
    """
    if version("nutpie") in KNOWN_NUTPIE:
        return _compile(model)
    import nutpie  # here, because it takes seconds that commands without sampling need not pay

    return nutpie.compile_pymc_model(model, backend="numba")


@dataclass(frozen=True)
class _Data:
    """The data of a model as its C functions find it.

    Attributes
    ----------
    values : dict
        Array of each shared variable, by a name that tells only its place among them.
    pointers : ndarray
        nutpie's record of where the arrays are and of their shapes.
    """

    values: Mapping[str, NDArray[Any]]
    pointers: NDArray[Any]


@dataclass(frozen=True)
class _Function:
    """A function as nutpie hands it to numba, and what it was made from.

    Attributes
    ----------
    raw : callable
        Of C arguments; a closure.
    signature : numba signature
    graph : pytensor function
    used : tuple of str
        Names of its data, in order.
    sizes : tuple of int
        Its first arguments, all but the pointers.
    outputs : tuple of tuple of int
        Shapes of the arrays that it writes, in the order of its arguments.
    """

    raw: Any
    signature: Any
    graph: Any
    used: tuple[str, ...]
    sizes: tuple[int, ...]
    outputs: tuple[tuple[int, ...], ...]


def _compile(model: "pm.Model") -> Any:
    """The steps of nutpie's own compilation for numba, with another way to the machine code."""
    from nutpie import compile_pymc as inside  # here, because it takes seconds
    from pymc.initial_point import make_initial_point_fn

    start = make_initial_point_fn(
        model=model,
        overrides=None,
        default_strategy="support_point",
        jitter_rvs=set(model.free_RVs),
        return_transformed=True,
    )
    n_dim, n_expanded, log_density, expansion, initial_point, shapes, transformed = inside._make_functions(
        model,
        mode="NUMBA",
        compute_grad=True,
        join_expanded=True,
        pymc_initial_point_fn=inside._wrap_with_lock(start),
    )
    variables = dict.fromkeys([*log_density.get_shared(), *expansion.get_shared()])
    names = {variable: f"shared_{index}" for index, variable in enumerate(variables)}
    values = {name: np.array(variable.get_value(), order="C", copy=True) for variable, name in names.items()}
    for value in values.values():
        value.flags.writeable = False
    data = _Data(values, inside.make_user_data(names, values))

    def function(graph: Any, make: Any, sizes: tuple[int, ...], outputs: tuple[tuple[int, ...], ...]) -> _Function:
        used = tuple(names[variable] for variable in graph.get_shared())
        raw, signature = make(*sizes, graph.vm.jit_fn, data.pointers, used, values)
        return _Function(raw, signature, graph, used, sizes, outputs)

    gradient_and_value = ((n_dim,), ())
    logp = function(log_density, inside._make_c_logp_func, (n_dim,), gradient_and_value)
    expand = function(expansion, inside._make_c_expand_func, (n_dim, n_expanded), ((n_expanded,),))
    dims, coords = inside._prepare_dims_and_coords(model, shapes, transformed)
    return inside.CompiledPyMCModel(
        _n_dim=n_dim,
        dims=dims,
        _coords=coords,
        _shapes={name: tuple(shape) for name, _, shape in zip(*shapes, strict=True)},
        compiled_logp_func=_machine_code(logp, data),
        compiled_expand_func=_machine_code(expand, data),
        initial_point_func=initial_point,
        shared_data=values,
        shared_var_keys=names,
        user_data=data.pointers,
        n_expanded=n_expanded,
        shape_info=shapes,
        logp_func=log_density,
        expand_func=expansion,
        reparameterized_names=transformed,
    )


def _machine_code(function: _Function, data: _Data) -> Any:
    """The C function: read back if it is kept and right, else compiled, and kept where that can be done."""
    import numba

    key = _key(function, data)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Cannot cache compiled function", category=numba.NumbaWarning)
        if key is not None:
            try:
                kept = numba.cfunc(function.signature, cache=True)(_plain(function.raw, key))
            except _UNREADABLE:  # a file cut short, or a folder that cannot be written
                kept = None
            if kept is not None and (not kept.cache_hits or _is_right(kept, function, data)):
                return kept
        return numba.cfunc(function.signature)(function.raw)


def _key(function: _Function, data: _Data) -> str | None:
    """All that the machine code depends on, hashed; None if PyTensor cannot tell graphs like this one apart."""
    from pytensor.link.numba.cache import CACHED_SRC_FUNCTIONS

    graph = CACHED_SRC_FUNCTIONS.get(function.graph.vm.jit_fn.py_func)
    if graph is None:
        return None
    layout = [(name, value.dtype.str, value.ndim) for name, value in data.values.items()]
    versions = [(package, version(package)) for package in _COMPILERS]
    ours = sha256(Path(__file__).read_bytes()).hexdigest()
    return sha256(repr((graph, function.sizes, function.used, layout, versions, ours)).encode()).hexdigest()


def _plain(raw: Any, key: str) -> Any:
    """A function without closure that calls ``raw``, which numba then finds again by the key alone."""
    import numba
    from pytensor.link.numba.cache import compile_numba_function_src

    arguments = ", ".join(raw.__code__.co_varnames[: raw.__code__.co_argcount])
    called = numba.njit(raw)
    return compile_numba_function_src(
        f"def {raw.__name__}({arguments}):\n    return called({arguments})\n",
        raw.__name__,
        global_env={"called": called, "__name__": __name__},
        cache_key=key,
    )


def _is_right(compiled: Any, function: _Function, data: _Data) -> bool:
    """Whether a C function gives the values of its graph at a point, with data that are not the placeholders."""
    from nutpie import compile_pymc as inside

    rng = np.random.default_rng(0)
    point = rng.uniform(-0.5, 0.5, function.sizes[0])
    moved = {
        name: np.asarray(value + rng.uniform(0.1, 0.4, value.shape)) if value.dtype.kind == "f" else value
        for name, value in data.values.items()
    }
    found = [np.full(shape, np.nan) for shape in function.outputs]
    pointers = inside.update_user_data(data.pointers.copy(), moved)
    arguments = [array.ctypes.data_as(ctypes.POINTER(ctypes.c_double)) for array in (point, *found)]
    if compiled.ctypes(*function.sizes, *arguments, pointers.ctypes.data) != 0:
        return False
    expected = _interpreted(function.graph.maker.fgraph, [point, *(moved[name] for name in function.used)])
    # the C function writes the gradient first, the graph returns it last
    return all(
        np.allclose(one, other, rtol=TOLERANCE, atol=TOLERANCE)
        for one, other in zip(found, reversed(expected), strict=True)
    )


def _interpreted(graph: Any, inputs: Sequence[Any]) -> list[Any]:
    """Outputs of a graph, each operation by its own Python code and nothing compiled."""
    from pytensor.compile.builders import OpFromGraph  # a graph inside, which would be compiled if it were asked itself
    from pytensor.graph.basic import Constant

    def value_of(variable: Any) -> Any:
        return variable.data if isinstance(variable, Constant) else values[variable]

    values = dict(zip(graph.inputs, (np.array(value) for value in inputs), strict=True))
    for node in graph.toposort():
        given = [value_of(variable) for variable in node.inputs]
        outputs: list[list[Any]] = [[None] for _ in node.outputs]
        if isinstance(node.op, OpFromGraph):
            outputs = [[value] for value in _interpreted(node.op.fgraph, given)]
        else:
            node.op.perform(node, given, outputs)
        values.update(zip(node.outputs, (value for (value,) in outputs), strict=True))
    return [value_of(variable) for variable in graph.outputs]
