"""Weibull and piecewise-exponential maximum likelihood against R: every entry of the reference file."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from ixa_bayes.crosscheck.parametric import piecewise_mle, weibull_mle

from .survival_data import DAYS_PER_YEAR, Patients, assert_close, entries

ABSOLUTE = 1e-5
LOG_LIKELIHOOD = 1e-4


@pytest.mark.parametrize(("patients", "want"), entries("weibull_ph_mle"))
def test_weibull(patients: Patients, want: dict[str, Any]) -> None:
    """Times in years, as the reference; b0 and the log-likelihood depend on it."""
    fit = weibull_mle(
        patients.time / DAYS_PER_YEAR, patients.event, design=patients.design, entry=_years(patients.entry)
    )
    b0, shape = fit.baseline.loc["b0"], fit.baseline.loc["log_shape"]
    got = {"b0": b0, **dict(fit.log_hazard_ratios.iterrows()), "log_alpha": shape}
    for name, column in (("estimate", "estimate"), ("se", "standard_error")):
        ours = pd.Series({coefficient: row[column] for coefficient, row in got.items()})
        assert_close(ours, want[name], atol=ABSOLUTE)
    np.testing.assert_allclose(fit.log_likelihood, want["loglik"], rtol=0, atol=LOG_LIKELIHOOD)


@pytest.mark.parametrize(("patients", "want"), entries("pem_mle"))
def test_piecewise(patients: Patients, want: dict[str, Any]) -> None:
    cuts = [cut / DAYS_PER_YEAR for cut in want["cutpoints"]]
    fit = piecewise_mle(
        patients.time / DAYS_PER_YEAR, patients.event, design=patients.design, cuts=cuts, entry=_years(patients.entry)
    )
    np.testing.assert_array_equal(fit.baseline["n_events"], want["events"])
    np.testing.assert_allclose(fit.baseline["exposure"], want["exposure_years"], rtol=0, atol=ABSOLUTE)
    np.testing.assert_allclose(fit.baseline["estimate"], want["log_hazard"], rtol=0, atol=ABSOLUTE)
    np.testing.assert_allclose(fit.baseline["standard_error"], want["log_hazard_se"], rtol=0, atol=ABSOLUTE)
    assert_close(fit.log_hazard_ratios["estimate"], want["log_hr"], atol=ABSOLUTE)
    assert_close(fit.log_hazard_ratios["standard_error"], want["log_hr_se"], atol=ABSOLUTE)
    np.testing.assert_allclose(fit.log_likelihood, want["loglik"], rtol=0, atol=LOG_LIKELIHOOD)


def _years(days: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
    return None if days is None else days / DAYS_PER_YEAR
