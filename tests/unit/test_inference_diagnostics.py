from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from ixa_bayes.inference.diagnostics import convergence

DIMS = ("chain", "draw")
Spoil = Callable[[dict[str, np.ndarray]], None]


def _fit(spoil: Spoil | None = None) -> xr.DataTree:
    rng = np.random.default_rng(1)
    values = {
        "mu": rng.normal(size=(4, 1000)),
        "energy": rng.normal(size=(4, 1000)),
        "diverging": np.zeros((4, 1000), dtype=bool),
    }
    if spoil:
        spoil(values)
    statistics = xr.Dataset({name: (DIMS, values[name]) for name in ("energy", "diverging")})
    return xr.DataTree.from_dict({"posterior": xr.Dataset({"mu": (DIMS, values["mu"])}), "sample_stats": statistics})


def test_independent_draws_pass() -> None:
    verdict = convergence(_fit())
    assert verdict.ok
    assert verdict.reasons == ()
    assert verdict.table["ess_bulk"].min() > 3000


def _apart(values: dict[str, np.ndarray]) -> None:
    values["mu"] += np.array([[0.0], [0.0], [0.0], [0.5]])


def _sticky(values: dict[str, np.ndarray]) -> None:
    values["mu"] = np.repeat(values["mu"][:, :50], 20, axis=1)


def _slow_energy(values: dict[str, np.ndarray]) -> None:
    values["energy"] = values["energy"].cumsum(axis=1)


def _divergent(values: dict[str, np.ndarray]) -> None:
    values["diverging"][0, :5] = True


def _constant(values: dict[str, np.ndarray]) -> None:
    values["mu"][:] = 1.0


def _not_finite(values: dict[str, np.ndarray]) -> None:
    values["mu"][0, 0] = np.inf


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_apart, "mu: R-hat"),
        (_sticky, "mu: "),
        (_slow_energy, "E-BFMI"),
        (_divergent, "0.12% of draws diverged"),
        (_constant, "mu: R-hat nan"),
        (_not_finite, "not finite"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_each_threshold_fails_a_fit(spoil: Spoil, reason: str) -> None:
    verdict = convergence(_fit(spoil))
    assert not verdict.ok
    assert any(reason in said for said in verdict.reasons), verdict.reasons


def test_shrinkage_priors_have_their_own_share() -> None:
    assert convergence(_fit(_divergent), max_divergent_share=0.005).ok
