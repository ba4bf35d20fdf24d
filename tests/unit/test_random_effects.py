import math
from typing import Any

import pytest

from ixa_bayes.formulas.random_effects import predict_next_study


def _predict(inputs: dict[str, Any], *, unit: float = 1.0) -> Any:
    prior = inputs["mu_prior"]
    return predict_next_study(
        [unit * y for y in inputs["y"]],
        [unit * se for se in inputs["se"]],
        mu_mean=unit * prior["mean"],
        mu_sd=math.inf if prior["sd"] is None else unit * prior["sd"],
        tau_scale=unit * inputs["tau_prior"]["scale"],
    )


def test_half_normal_cases_of_the_reference(trial_design_reference: dict[str, Any]) -> None:
    cases = trial_design_reference["nnhm"]
    half_normal = [case for case in cases if case["inputs"]["tau_prior"]["dist"] == "half_normal"]
    assert len(half_normal) == 4
    for case in half_normal:
        found, want = _predict(case["inputs"]), case["outputs"]
        scale = max(abs(y) for y in case["inputs"]["y"])
        assert found.mean == pytest.approx(want["theta_new"]["mean"], abs=1e-8 * scale)
        assert found.sd == pytest.approx(want["theta_new"]["sd"], abs=1e-8 * scale)
        assert found.mean_mu == pytest.approx(want["mu"]["mean"], abs=1e-8 * scale)
        assert found.sd_mu == pytest.approx(want["mu"]["sd"], abs=1e-8 * scale)
        assert found.mean_tau == pytest.approx(want["tau"]["mean"], abs=1e-8 * scale)


def test_a_change_of_unit_rescales(trial_design_reference: dict[str, Any]) -> None:
    inputs = next(case for case in trial_design_reference["nnhm"] if case["id"] == "nnhm-03")["inputs"]
    one, thousand = _predict(inputs), _predict(inputs, unit=1000.0)
    assert thousand.mean == pytest.approx(1000 * one.mean)
    assert thousand.sd == pytest.approx(1000 * one.sd)


def test_one_study_alone_says_little_about_the_next() -> None:
    found = predict_next_study([0.5], [0.1], mu_mean=0.0, mu_sd=1.0, tau_scale=0.5)
    assert found.sd > 0.5 > found.sd_mu * 0.5
    assert 0 < found.mean < 0.5


@pytest.mark.parametrize(
    ("y", "se", "mu_sd", "tau_scale"),
    [([], [], 1, 1), ([1.0], [1.0, 2.0], 1, 1), ([1.0], [0.0], 1, 1), ([math.nan], [1.0], 1, 1), ([1.0], [1.0], 1, 0)],
)
def test_bad_input(y: list[float], se: list[float], mu_sd: float, tau_scale: float) -> None:
    with pytest.raises(ValueError, match=r"need one entry|must be"):
        predict_next_study(y, se, mu_mean=0.0, mu_sd=mu_sd, tau_scale=tau_scale)
