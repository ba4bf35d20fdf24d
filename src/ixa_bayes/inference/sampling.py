"""Draw from a compiled program: always four chains, a named sampler, and all draws or an error."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from ixa_bayes.inference.compiled import Program

if TYPE_CHECKING:
    import pymc as pm

CHAINS: Final = 4
SAMPLER: Final = "nutpie (NUTS, low-rank mass matrix)"
"""Low-rank: the slowest parameter of seven response tables had 0.8 to 2.3 times a diagonal one's effective draws."""
PYMC_SAMPLER: Final = "PyMC (NUTS, diagonal mass matrix)"
KEPT_STATISTICS: Final = ("diverging", "energy", "logp", "n_steps", "step_size", "depth")
_PACKAGES: Final = ("ixa-bayes", "pymc", "pytensor", "nutpie", "arviz", "numpy")


@dataclass(frozen=True)
class SamplerSettings:
    """How long and how carefully to sample.

    Attributes
    ----------
    draws, tune : int
        Per chain; tuning draws are discarded.
    target_accept : float
        Higher takes smaller steps: slower, fewer divergences.
    """

    draws: int
    tune: int
    target_accept: float


def sample(
    program: Program,
    data: Mapping[str, ArrayLike],
    *,
    settings: SamplerSettings,
    seed: int,
    cores: int | None = None,
) -> xr.DataTree:
    """Draw from the posterior of a compiled model under some data and prior numbers.

    Parameters
    ----------
    program : Program
    data : mapping
        Every ``pm.Data`` of the model, in the compiled shapes.
    settings : SamplerSettings
    seed : int
        The same seed gives the same draws, on any number of cores.
    cores : int, optional
        Chains that run at the same time; all available ones if not given.

    Returns
    -------
    xr.DataTree
        ``posterior`` and ``sample_stats``, dims (chain, draw, ...); attributes ``sampler``, ``seed``,
        settings and package versions. Without warm-up.

    Raises
    ------
    KeyboardInterrupt
        If interrupted: nutpie would return the draws made so far with the rest as NaN.
    RuntimeError
        If a chain is not complete.
    """
    import nutpie  # here, because it takes seconds that commands without sampling need not pay

    running = nutpie.sample(
        program.with_data(data),
        draws=settings.draws,
        tune=settings.tune,
        chains=CHAINS,
        cores=cores,
        seed=seed,
        target_accept=settings.target_accept,
        adaptation="low_rank",
        save_warmup=False,
        progress_bar=False,
        blocking=False,
    )
    try:
        fit = running.wait()
    except BaseException:
        running.cancel()
        raise
    return _tree(fit, name=program.name, settings=settings, seed=seed, sampler=SAMPLER)


def sample_with_pymc(
    build: Callable[[], "pm.Model"],
    data: Mapping[str, ArrayLike],
    *,
    name: str,
    settings: SamplerSettings,
    seed: int,
    cores: int | None = None,
) -> xr.DataTree:
    """Draw from the posterior by PyMC's own NUTS: slower, and independent of nutpie's code.

    Parameters
    ----------
    build : callable
        Returns the model; see :func:`ixa_bayes.inference.compiled.program`.
    data : mapping
        Every ``pm.Data`` of the model.
    name : str
        Of the program, for the record.
    settings, seed, cores
        As in :func:`sample`.

    Returns
    -------
    xr.DataTree
        As from :func:`sample`, with the dims of the parameters as PyMC names them.
    """
    import pymc as pm  # here, because it takes seconds that commands without sampling need not pay

    model = build()
    for variable, value in data.items():
        model[variable].set_value(np.asarray(value, dtype=model[variable].dtype))
    with np.errstate(over="ignore"), model:  # early steps may be absurd, and are turned down
        fit = pm.sample(
            draws=settings.draws,
            tune=settings.tune,
            chains=CHAINS,
            cores=cores,
            random_seed=seed,
            nuts_sampler="pymc",
            nuts={"target_accept": settings.target_accept},
            progressbar=False,
            compute_convergence_checks=False,
        )
    return _tree(fit, name=name, settings=settings, seed=seed, sampler=PYMC_SAMPLER)


def package_versions() -> dict[str, str]:
    """Versions of the packages that a posterior depends on, by attribute name."""
    return {f"version_{name.replace('-', '_')}": version(name) for name in _PACKAGES}


def _tree(fit: xr.DataTree, *, name: str, settings: SamplerSettings, seed: int, sampler: str) -> xr.DataTree:
    """All draws with what they were drawn by; an error if any are missing."""
    posterior = _complete(fit["posterior"].to_dataset(), settings.draws, name)
    statistics = fit["sample_stats"].to_dataset()
    kept = statistics[[statistic for statistic in KEPT_STATISTICS if statistic in statistics]]
    tree = xr.DataTree.from_dict({"posterior": posterior.drop_attrs(), "sample_stats": kept.drop_attrs()})
    tree.attrs.update(
        {
            "program": name,
            "sampler": sampler,
            "seed": seed,
            "chains": CHAINS,
            "draws": settings.draws,
            "tune": settings.tune,
            "target_accept": settings.target_accept,
            **package_versions(),
        }
    )
    return tree


def _complete(posterior: xr.Dataset, draws: int, name: str) -> xr.Dataset:
    sizes = (posterior.sizes["chain"], posterior.sizes["draw"])
    if sizes != (CHAINS, draws) or bool(posterior.isnull().to_array().any()):
        raise RuntimeError(f"sampling {name} stopped early: {sizes} chains and draws of {(CHAINS, draws)}, or NaN.")
    return posterior
