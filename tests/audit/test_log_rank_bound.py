"""The smallest hazard ratio that a log-rank p value leaves possible, against Cox estimates of simulated cohorts."""

import math

import numpy as np
import pytest

from ixa_bayes.study.audit.log_rank import information, least_log_hazard_ratio


def _log_rank_and_cox(first_at_risk: np.ndarray, at_risk: np.ndarray, first_died: np.ndarray) -> tuple[float, float]:
    """Log-rank z and Cox log hazard ratio of untied deaths, from the numbers at risk at each of them."""
    share = first_at_risk / at_risk
    z = (first_died - share).sum() / math.sqrt((share * (1 - share)).sum())
    low, high = -40.0, 40.0
    for _ in range(80):
        middle = (low + high) / 2
        odds = first_at_risk * math.exp(middle)
        low, high = (
            (middle, high) if (first_died - odds / (odds + at_risk - first_at_risk)).sum() > 0 else (low, middle)
        )
    return float(z), middle


@pytest.mark.parametrize(
    ("n1", "n2", "ratio"), [(60, 60, 3.0), (21, 105, 3.3), (8, 118, 9.0), (21, 105, 0.3), (3, 200, 30)]
)
def test_no_cox_estimate_lies_below_the_bound_from_z(n1: int, n2: int, ratio: float) -> None:
    """Whole simulated cohorts with uniform censoring: the bound holds in each of them."""
    rng = np.random.default_rng(n1)
    first, gaps, below_formula = np.arange(n1 + n2) < n1, [], []
    for _ in range(200):
        death = rng.exponential(size=n1 + n2) / np.where(first, ratio, 1.0)
        censored = rng.uniform(0, 1, size=n1 + n2)
        order = np.argsort(np.minimum(death, censored))
        seen, who = (death <= censored)[order], first[order]
        first_at_risk = np.cumsum(who[::-1])[::-1][seen]
        at_risk = np.arange(n1 + n2, 0, -1)[seen]
        compared = (first_at_risk > 0) & (first_at_risk < at_risk)
        z, log_ratio = _log_rank_and_cox(first_at_risk[compared], at_risk[compared], who[seen][compared])
        gaps.append(abs(log_ratio) - least_log_hazard_ratio(abs(z), int(seen.sum())))
        below_formula.append(abs(log_ratio) < abs(z) / math.sqrt(information(seen.sum(), n1, n2, total=n1 + n2)) - 0.1)
    assert min(gaps) > -1e-9
    if n1 > 20:
        assert min(gaps) < 0.3, "the bound is close enough to be of use"
    if n1 < 30 and ratio > 1:
        assert np.mean(below_formula) > 0.5, "the formula is no bound"
