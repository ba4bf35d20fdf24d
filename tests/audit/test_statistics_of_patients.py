"""The generator's own statistics, against hand-worked cases and scipy: a wrong generator proves nothing."""

import math

import numpy as np
import pytest
from scipy.stats import CensoredData, fisher_exact, logrank

from .statistics_of_patients import Curve, cox, fisher_p, log_rank_p, printed, printed_p


def test_kaplan_meier_hand_worked() -> None:
    time = np.array([2.0, 3, 3, 5, 8, 9, 12, 12])
    event = np.array([1, 1, 0, 1, 1, 0, 1, 0], dtype=bool)
    curve = Curve.fit(time, event)
    assert curve.time.tolist() == [2, 3, 5, 8, 12]
    assert curve.survival == pytest.approx([7 / 8, 6 / 8, 3 / 5, 9 / 20, 9 / 40])
    assert curve.median() == 8


def test_median_is_the_midpoint_of_a_flat_half() -> None:
    assert Curve.fit(np.array([1.0, 2, 3, 4]), np.ones(4, dtype=bool)).median() == 2.5


@pytest.fixture
def patients() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    group = rng.random(150) < 0.3
    time = rng.exponential(10, 150) / np.where(group, 2.0, 1.0)
    censored = rng.uniform(2, 25, 150)
    return np.minimum(time, censored), time <= censored, group


def test_log_rank_equals_scipy(patients: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    time, event, group = patients
    first, second = (
        CensoredData(uncensored=time[event & members], right=time[~event & members]) for members in (group, ~group)
    )
    assert log_rank_p(time, event, group) == pytest.approx(logrank(first, second).pvalue, rel=1e-9)


def test_cox_maximises_the_partial_likelihood(patients: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    time, event, group = patients
    x = np.stack([group, np.sin(np.arange(150.0))], axis=1).astype(float)

    def log_likelihood(beta: np.ndarray) -> float:
        score = x @ beta
        return float(sum(score[i] - math.log(np.exp(score[time >= time[i]]).sum()) for i in np.flatnonzero(event)))

    fitted = cox(time, event, x)
    assert fitted is not None
    best, step = fitted[0], 1e-4 * np.eye(2)
    slopes = [(log_likelihood(best + h) - log_likelihood(best - h)) / 2e-4 for h in step]
    assert slopes == pytest.approx([0, 0], abs=1e-5)
    curvature = [
        [
            (
                log_likelihood(best + g + h)
                - log_likelihood(best + g - h)
                - log_likelihood(best - g + h)
                + log_likelihood(best - g - h)
            )
            / 4e-8
            for g in step
        ]
        for h in step
    ]
    assert fitted[1] == pytest.approx(np.sqrt(np.diag(np.linalg.inv(-np.array(curvature)))), rel=1e-3)


def test_fisher_of_three_groups_reduces_to_two() -> None:
    assert fisher_p([3, 9, 0], [10, 12, 0]) == pytest.approx(fisher_exact([[3, 7], [9, 3]]).pvalue)


@pytest.mark.parametrize(
    ("value", "decimals", "how", "text"),
    [
        (0.25, 1, "half_up", "0.3"),
        (0.25, 1, "half_even", "0.2"),
        (0.29, 1, "truncation", "0.2"),
        (99.5, 0, "half_even", "100"),
        (math.inf, 1, "half_up", "not reached"),
    ],
)
def test_printing(value: float, decimals: int, how: str, text: str) -> None:
    assert printed(value, decimals, how) == text


def test_p_styles() -> None:
    assert printed_p(0.2, "NS") == "NS"
    assert printed_p(0.2, "above") == ">0.05"
    assert printed_p(0.00021, "three") == "<0.001"
    assert printed_p(0.000213, "significant") == "0.00021"
