"""Draw from a compiled program: always four chains, a named sampler, and all draws or an error."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

import xarray as xr
from numpy.typing import ArrayLike

from ixa_bayes.inference.compiled import Program

CHAINS: Final = 4
SAMPLER: Final = "nutpie (NUTS, low-rank mass matrix)"
"""Low-rank: the slowest parameter of seven response tables had 0.8 to 2.3 times a diagonal one's effective draws."""
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
    posterior = _complete(fit["posterior"].to_dataset(), settings.draws, program.name)
    statistics = fit["sample_stats"].to_dataset()
    kept = statistics[[name for name in KEPT_STATISTICS if name in statistics]]
    attributes = {
        "program": program.name,
        "sampler": SAMPLER,
        "seed": seed,
        "chains": CHAINS,
        "draws": settings.draws,
        "tune": settings.tune,
        "target_accept": settings.target_accept,
        **package_versions(),
    }
    tree = xr.DataTree.from_dict({"posterior": posterior.drop_attrs(), "sample_stats": kept.drop_attrs()})
    tree.attrs.update(attributes)
    return tree


def package_versions() -> dict[str, str]:
    """Versions of the packages that a posterior depends on, by attribute name."""
    return {f"version_{name.replace('-', '_')}": version(name) for name in _PACKAGES}


def _complete(posterior: xr.Dataset, draws: int, name: str) -> xr.Dataset:
    sizes = (posterior.sizes["chain"], posterior.sizes["draw"])
    if sizes != (CHAINS, draws) or bool(posterior.isnull().to_array().any()):
        raise RuntimeError(f"sampling {name} stopped early: {sizes} chains and draws of {(CHAINS, draws)}, or NaN.")
    return posterior
