"""Joint priors of log hazard ratios: what a program takes, what it means, and their densities."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.stats import beta, dirichlet, halfcauchy, invgamma, norm

from ixa_bayes.cohort.table import read_cohort
from ixa_bayes.inference.survival.file import fit_of, save_fit
from ixa_bayes.inference.survival.fitting import SurvivalFit, verdict_on
from ixa_bayes.inference.survival.parameters import log_prior, parameters_of
from ixa_bayes.inference.survival.prior import prior_draws
from ixa_bayes.inference.survival.question import SurvivalQuestion, question_of
from ixa_bayes.models.survival_analysis import SurvivalAnalysis
from ixa_bayes.models.weibull import weibull_model

OWN = {"kind": "normal", "mean": 0.1, "sd": 0.5, "source": "test"}
HORSESHOE = {"kind": "horseshoe", "global_scale": 0.4, "slab_scale": 1.5, "slab_df": 5, "source": "test"}
R2D2 = {"kind": "r2d2", "r2_mean": 0.4, "r2_precision": 5, "concentration": 0.6, "scales": {"b": 2.5}, "source": "test"}
TABLE = pd.DataFrame(
    {
        "patient": range(6),
        "os_time": [3.0, 5, 8, 2, 12, 7],
        "os_event": [1, 0, 1, 1, 0, 1],
        "a": [0, 1, 1, 0, 1, 0],
        "b": [1.0, 3.5, 2.0, 7.0, 4.0, 5.5],
        "c": [1, 1, 0, 0, 0, 1],
    }
)
SHARED: dict[str, Any] = {"log_shape": 0.2, "level": 2.4, "normal": np.array([-0.3])}
POINTS: dict[str, dict[str, Any]] = {
    "horseshoe": {
        "z_shrunk": np.array([0.7, -1.2]),
        "tau": 0.3,
        "lambda": np.array([0.5, 4.0]),
        "slab_squared": 1.7,
    },
    "r2d2": {"z_shrunk": np.array([0.7, -1.2]), "r2": 0.35, "phi": np.array([0.2, 0.8])},
}


def _question(shrinkage: dict[str, Any], covariates: tuple[str, ...] = ("a", "b")) -> SurvivalQuestion:
    content = {
        "kind": "survival",
        "name": "m",
        "title": "t",
        "endpoint": "os",
        "baseline": {
            "law": "weibull",
            "shape": {"log_sd": 0.5, "source": "test"},
            "median": {"months": 12.0, "log_sd": 1.0, "source": "test"},
        },
        "covariates": {name: {} if name in covariates else {"prior": OWN} for name in ("c", "a", "b")},
        "shrinkage": shrinkage | {"covariates": covariates},
    }
    return question_of(SurvivalAnalysis.model_validate(content), read_cohort(TABLE))


def _parameters(question: SurvivalQuestion, point: dict[str, Any]) -> xr.Dataset:
    draws = {
        name: (("chain", "draw", *(f"{name}_{axis}" for axis in range(np.ndim(value)))), np.asarray(value)[None, None])
        for name, value in point.items()
    }
    return parameters_of(xr.Dataset(draws, coords={"chain": [0], "draw": [0]}), question)


def test_the_horseshoe_is_regularised_by_its_slab() -> None:
    found = _parameters(_question(HORSESHOE), SHARED | POINTS["horseshoe"])["log_hazard_ratio"]
    local = np.array([0.5, 4.0]) ** 2
    expected = np.array([0.7, -1.2]) * 0.3 * np.sqrt(1.7 * local / (1.7 + 0.3**2 * local))
    np.testing.assert_allclose(found.sel(coefficient=["a", "b"])[0, 0], expected)
    assert found.sel(coefficient="c").item() == -0.3


def test_r2d2_shares_the_variance_and_knows_the_scales() -> None:
    found = _parameters(_question(R2D2), SHARED | POINTS["r2d2"])["log_hazard_ratio"]
    expected = np.array([0.7, -1.2]) * np.sqrt(0.35 / 0.65 * np.array([0.2, 0.8])) / np.array([1.0, 2.5])
    np.testing.assert_allclose(found.sel(coefficient=["a", "b"])[0, 0], expected)


def _scipy(kind: str) -> float:
    point = POINTS[kind]
    own = norm.logpdf(-0.3, 0.1, 0.5) + norm.logpdf(0.2, 0, 0.5) + norm.logpdf(2.4, np.log(12), 1.0)
    total = own + norm.logpdf(point["z_shrunk"]).sum()
    if kind == "horseshoe":
        total += halfcauchy.logpdf(0.3, scale=0.4) + halfcauchy.logpdf(point["lambda"]).sum()
        return float(total + invgamma.logpdf(1.7, 2.5, scale=2.5 * 1.5**2))
    return float(total + beta.logpdf(0.35, 2.0, 3.0) + dirichlet.logpdf([0.2, 0.8], [0.6, 0.6]))


@pytest.mark.parametrize(("kind", "shrinkage"), [("horseshoe", HORSESHOE), ("r2d2", R2D2)])
def test_densities_are_scipys_and_those_that_are_compiled(kind: str, shrinkage: dict[str, Any]) -> None:
    question = _question(shrinkage)
    ours = log_prior(_parameters(question, SHARED | POINTS[kind]), question)
    assert sum(float(density.sum()) for density in ours.values()) == pytest.approx(_scipy(kind), rel=1e-12)

    model: Any = weibull_model(question.structure)
    for name, number in question.data().items():
        model[name].set_value(np.asarray(number, dtype=float))
    point: dict[str, Any] = dict(SHARED)
    for variable in model.free_RVs:
        sampled: Any = model.rvs_to_values[variable]
        value: Any = (SHARED | POINTS[kind])[variable.name]
        transform = model.rvs_to_transforms[variable]
        if transform is not None:
            value = transform.forward(np.asarray(value), *variable.owner.inputs).eval()
        point[sampled.name] = np.asarray(value)
    names = {variable.name for variable in model.value_vars}
    logp = model.compile_logp(vars=model.free_RVs, jacobian=False, mode="FAST_COMPILE")
    assert float(logp({name: point[name] for name in names})) == pytest.approx(_scipy(kind), rel=1e-9)


@pytest.mark.parametrize("shrinkage", [HORSESHOE, R2D2])
def test_prior_draws_have_the_priors_quantiles(shrinkage: dict[str, Any]) -> None:
    draws = prior_draws(_question(shrinkage), 20_000, np.random.default_rng(3))
    if shrinkage["kind"] == "horseshoe":
        assert float(draws["tau"].median()) == pytest.approx(0.4, rel=0.03)
        assert float(draws["slab_squared"].median()) == pytest.approx(
            invgamma.median(2.5, scale=2.5 * 1.5**2), rel=0.03
        )
    else:
        assert float(draws["r2"].mean()) == pytest.approx(0.4, abs=0.005)
        assert float(draws["phi"].var(("chain", "draw"))[0]) == pytest.approx(0.25 / 2.2, rel=0.03)
    assert float((draws["log_hazard_ratio"].sel(coefficient="a") > 0).mean()) == pytest.approx(0.5, abs=0.02)


def test_a_set_of_one_has_all_of_r2() -> None:
    question = _question(R2D2, covariates=("b",))
    found = _parameters(question, SHARED | {"normal": np.array([-0.3, 0.4]), "z_shrunk": np.array([1.0]), "r2": 0.5})
    assert found["log_hazard_ratio"].sel(coefficient="b").item() == pytest.approx(1 / 2.5)


@pytest.mark.parametrize(
    ("covariates", "names", "words"),
    [
        ({"a": {"prior": OWN}}, ("a",), "has a prior of its own and shares"),
        ({"a": {}}, (), "has no prior"),
        ({"a": {"prior": OWN}}, ("b",), "shrinkage names b"),
    ],
)
def test_every_covariate_has_exactly_one_prior(covariates: dict[str, Any], names: tuple[str, ...], words: str) -> None:
    content = {
        "kind": "survival",
        "name": "m",
        "title": "t",
        "endpoint": "os",
        "baseline": {
            "law": "weibull",
            "shape": {"log_sd": 0.5, "source": "test"},
            "median": {"months": 12.0, "log_sd": 1.0, "source": "test"},
        },
        "covariates": covariates,
    }
    shared = {"shrinkage": HORSESHOE | {"covariates": names}} if names else {}
    with pytest.raises(ValueError, match=words):
        SurvivalAnalysis.model_validate(content | shared)


def _saved(question: SurvivalQuestion, folder: Path, *, divergent: float) -> SurvivalFit:
    """A fit of four chains of prior draws, of which a share diverged, written and read back."""
    rng = np.random.default_rng(8)
    draws = xr.concat(
        [prior_draws(question, 1000, rng).assign_coords(chain=[chain]) for chain in range(4)], dim="chain"
    )
    diverging = np.zeros((4, 1000), dtype=bool)
    diverging[:, : round(1000 * divergent)] = True
    statistics = {
        "diverging": (("chain", "draw"), diverging),
        "energy": (("chain", "draw"), rng.normal(size=(4, 1000))),
    }
    tree = xr.DataTree.from_dict(
        {"posterior": draws, "sample_stats": xr.Dataset(statistics, coords=draws[["chain", "draw"]].coords)}
    )
    tree.attrs.update(
        program=question.structure.name, model_sha256=question.analysis.sha256, data_sha256=question.data_sha256()
    )
    save_fit(SurvivalFit(question, tree, verdict_on(tree, question.analysis)), folder)
    return fit_of(question, folder)


def test_a_fit_read_back_is_judged_by_the_thresholds_of_its_priors(tmp_path: Path) -> None:
    joint = _question(HORSESHOE)
    own = question_of(
        joint.analysis.model_copy(update={"shrinkage": None, "covariates": {"c": joint.analysis.covariates["c"]}}),
        read_cohort(TABLE),
    )
    assert _saved(joint, tmp_path / "joint", divergent=0.003).convergence.ok
    assert not _saved(joint, tmp_path / "worse", divergent=0.006).convergence.ok
    (reason,) = _saved(own, tmp_path / "own", divergent=0.003).convergence.reasons
    assert "diverged" in reason
