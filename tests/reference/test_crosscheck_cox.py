"""Cox and its test of proportionality against R's `survival`: every entry of the reference file."""

from typing import Any

import numpy as np
import pytest

from ixa_bayes.crosscheck.cox import Ties, Transform, cox, proportionality_test

from .survival_data import Patients, assert_close, entries, reference_survival

ABSOLUTE = 1e-5
LOG_LIKELIHOOD = 1e-4
RELATIVE_P = 1e-5
WALD_PRINTED = 0.0051
"""R gives the Wald chi-square of a Cox fit with two decimals."""
TIES: tuple[Ties, ...] = ("efron", "breslow")
TRANSFORMS: tuple[Transform, ...] = ("km", "rank", "identity")


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize(("patients", "entry"), entries("cox"))
def test_cox(patients: Patients, entry: dict[str, Any], ties: Ties) -> None:
    want = entry[ties]
    fit = cox(patients.time, patients.event, design=patients.design, ties=ties, entry=patients.entry)
    table = fit.log_hazard_ratios
    assert_close(table["estimate"], want["log_hr"], atol=ABSOLUTE)
    assert_close(table["standard_error"], want["se"], atol=ABSOLUTE)
    assert_close(np.exp(table["estimate"]), want["hr"], atol=ABSOLUTE)
    assert_close(np.exp(table["lower"]), want["hr_lower95"], atol=ABSOLUTE)
    assert_close(np.exp(table["upper"]), want["hr_upper95"], atol=ABSOLUTE)
    assert_close(table["p"], want["wald_p"], rtol=RELATIVE_P)
    assert (table["limit"] == "finite").all()
    assert fit.n == entry["n"]
    assert fit.degrees_of_freedom == want["df"]
    np.testing.assert_allclose(fit.log_likelihood_null, want["loglik_null"], rtol=0, atol=LOG_LIKELIHOOD)
    np.testing.assert_allclose(fit.log_likelihood, want["loglik"], rtol=0, atol=LOG_LIKELIHOOD)
    np.testing.assert_allclose(fit.likelihood_ratio, want["lr_chi2"], rtol=0, atol=LOG_LIKELIHOOD)
    np.testing.assert_allclose(fit.score, want["score_chi2"], rtol=0, atol=LOG_LIKELIHOOD)
    np.testing.assert_allclose(fit.wald, want["wald_chi2"], rtol=0, atol=WALD_PRINTED)


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize(("patients", "entry"), [p for p in entries("cox") if "cox_zph" in p.values[1]["efron"]])
def test_proportionality(patients: Patients, entry: dict[str, Any], ties: Ties, transform: Transform) -> None:
    want = entry[ties]["cox_zph"][transform]
    got = proportionality_test(
        patients.time, patients.event, design=patients.design, transform=transform, ties=ties, entry=patients.entry
    )
    assert_close(got["chi_square"], {name: row["chi2"] for name, row in want.items()}, atol=ABSOLUTE)
    assert_close(got["p"], {name: row["p"] for name, row in want.items()}, rtol=RELATIVE_P)
    assert_close(got["degrees_of_freedom"], {name: row["df"] for name, row in want.items()})


def test_every_survival_entry_of_the_file_is_compared() -> None:
    """The two modules of this folder pick entries by these beginnings; others hold counts and notes."""
    compared = ("km_", "logrank_", "cox", "weibull_ph_mle", "pem_mle")
    left = {
        name
        for entries in reference_survival().values()
        for name, entry in entries.items()
        if isinstance(entry, dict) and not name.startswith(compared)
    }
    assert not left
