"""Priors of log hazard ratios: their order in a compiled program, and their densities."""

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm, t

from ixa_bayes.models.ratio_priors import Families, by_family, families, joined_ratios, log_ratio_prior, ratio_data
from ixa_bayes.models.survival_analysis import CoefficientPrior, NormalPrior, StudentTPrior

PRIORS: dict[str, CoefficientPrior] = {
    "a": StudentTPrior(kind="student_t", location=-0.1, scale=0.5, df=4, source="test"),
    "b": NormalPrior(kind="normal", mean=0.2, sd=0.7, source="test"),
    "c": StudentTPrior(kind="student_t", location=0.3, scale=1.5, df=7, source="test"),
}


def test_a_program_takes_normal_priors_first_and_the_names_come_back() -> None:
    assert families(PRIORS) == Families(n_normal=1, n_student_t=2)
    assert by_family(PRIORS) == ["b", "a", "c"]
    np.testing.assert_array_equal(ratio_data(PRIORS)["student_t_scale"], [0.5, 1.5])
    draws = xr.Dataset(
        {
            "normal": (("chain", "draw", "normal_dim_0"), [[[1.0], [1.5]]]),
            "student_t": (("chain", "draw", "student_t_dim_0"), [[[2.0, 3.0], [2.5, 3.5]]]),
        }
    )
    joined = joined_ratios(draws, PRIORS)
    assert list(joined["coefficient"].to_numpy()) == list(PRIORS)
    assert joined.sel(coefficient="b").to_numpy().tolist() == [[1.0, 1.5]]
    assert joined.sel(coefficient="c").to_numpy().tolist() == [[3.0, 3.5]]


def test_densities_are_scipys() -> None:
    values = xr.DataArray(
        [[[0.4, -0.3, 1.0]]], dims=("chain", "draw", "coefficient"), coords={"coefficient": ["a", "b", "c"]}
    )
    expected = [t.logpdf(0.4, 4, -0.1, 0.5), norm.logpdf(-0.3, 0.2, 0.7), t.logpdf(1.0, 7, 0.3, 1.5)]
    got = log_ratio_prior(values, PRIORS)
    assert got.dims == values.dims
    np.testing.assert_allclose(got[0, 0], expected, rtol=1e-12)


def test_one_family_alone_is_a_program_of_its_own() -> None:
    only = {"b": PRIORS["b"]}
    assert families(only) == Families(n_normal=1)
    assert set(ratio_data(only)) == {"normal_mean", "normal_sd"}
    with pytest.raises(KeyError):
        joined_ratios(xr.Dataset({"normal": (("chain", "draw", "k"), np.zeros((1, 1, 1)))}), only).sel(coefficient="a")
