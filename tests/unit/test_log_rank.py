"""Calibration of a log-rank z by simulation, against a slow log-rank and against what the numbers must mean."""

import math

import numpy as np
import pytest

from ixa_bayes.formulas.log_rank import Censoring, calibrate_log_rank, log_rank_scores
from ixa_bayes.formulas.normal import z_from_p

PRINTED_Z = z_from_p(0.0001)


def _slow_log_rank(time: list[float], event: list[bool], group: list[bool]) -> tuple[float, float, float]:
    """One cohort, one event time after the other, with the general hypergeometric variance."""
    observed = expected = variance = 0.0
    for now in sorted({t for t, seen in zip(time, event, strict=True) if seen}):
        at_risk = [i for i, t in enumerate(time) if t >= now]
        deaths = [i for i in at_risk if time[i] == now and event[i]]
        n, n_1, d = len(at_risk), sum(group[i] for i in at_risk), len(deaths)
        observed += sum(group[i] for i in deaths)
        expected += d * n_1 / n
        if n > 1:
            variance += d * (n_1 / n) * (1 - n_1 / n) * (n - d) / (n - 1)
    return observed, expected, variance


def test_vectorised_log_rank_is_the_log_rank() -> None:
    rng = np.random.default_rng(1)
    time, event, group = rng.exponential(size=(20, 30)), rng.random((20, 30)) < 0.7, rng.random(30) < 0.3
    scores = log_rank_scores(time, event, in_group_1=group)
    for row in range(20):
        want = _slow_log_rank(time[row].tolist(), event[row].tolist(), group.tolist())
        got = (scores.observed[row], scores.expected[row], scores.variance[row])
        assert got == pytest.approx(want, rel=1e-12)
    np.testing.assert_allclose(scores.z, (scores.observed - scores.expected) / np.sqrt(scores.variance))


def test_a_hand_worked_log_rank() -> None:
    # Group 1 at 1 and 3, group 2 at 2 and 4 (censored): E = 2/4 + 1/3 + 1/2, V = 1/4 + 2/9 + 1/4.
    time, event = np.array([[1.0, 3.0, 2.0, 4.0]]), np.array([[True, True, True, False]])
    scores = log_rank_scores(time, event, in_group_1=np.array([True, True, False, False]))
    assert (scores.observed[0], scores.expected[0]) == pytest.approx((2, 4 / 3))
    assert scores.variance[0] == pytest.approx(13 / 18)


def test_no_informative_event_gives_z_zero() -> None:
    time, event = np.array([[1.0, 2.0]]), np.array([[False, True]])
    assert log_rank_scores(time, event, in_group_1=np.array([True, False])).z[0] == 0


@pytest.mark.parametrize("censoring", ["at_end", "throughout"])
def test_equal_groups_and_a_small_effect_give_the_formula(censoring: Censoring) -> None:
    got = calibrate_log_rank(100, 100, events=150, z=1.0, censoring=censoring, replicates=4_000)
    assert got.formula_information == 37.5
    assert got.log_hr == pytest.approx(got.formula_log_hr, abs=5 * got.log_hr_mcse)
    assert got.information == pytest.approx(37.5, abs=5 * got.information_mcse)
    assert got.log_rank_variance == pytest.approx(37.5, rel=0.04)  # unequal numbers at risk late in follow-up


@pytest.mark.parametrize("censoring", ["at_end", "throughout"])
def test_unequal_groups_and_a_large_effect(censoring: Censoring) -> None:
    # 21 against 105 patients, 114 events, p = 0.0001. The log-rank's own variance falls to half of the
    # formula's; the hazard ratio that fits z is smaller than the formula's, and z tells ratios apart almost as well.
    got = calibrate_log_rank(21, 105, events=114, z=PRINTED_Z, censoring=censoring)
    assert got.formula_information == pytest.approx(15.8, abs=0.05)
    assert got.log_rank_variance == pytest.approx(8.4, abs=0.4)
    assert 0.88 < got.log_hr < 0.97 < got.formula_log_hr
    assert 13.5 < got.information < 17.5
    assert got.log_hr_mcse < 0.01
    assert got.information_mcse < 1
    assert got.events_1 > 19.5


def test_calibration_holds_its_coverage_and_the_log_rank_variance_does_not() -> None:
    # Independent of the calibration's own root search and random numbers: fresh cohorts at its answer.
    got = calibrate_log_rank(21, 105, events=114, z=PRINTED_Z)
    rng, in_group_1 = np.random.default_rng(99), np.arange(126) < 21
    time = rng.exponential(size=(8_000, 126)) / np.where(in_group_1, math.exp(got.log_hr), 1.0)
    z = log_rank_scores(time, time <= np.sort(time, axis=1)[:, 113:114], in_group_1=in_group_1).z
    assert z.mean() == pytest.approx(PRINTED_Z, abs=0.05)
    slope = math.sqrt(got.information) * z.std()
    calibrated = got.log_hr + (z - PRINTED_Z) / slope
    assert (np.abs(calibrated - got.log_hr) < 1.96 * got.standard_error).mean() == pytest.approx(0.95, abs=0.012)
    naive = z / math.sqrt(got.log_rank_variance)
    covered = np.abs(naive - got.log_hr) < 1.96 / math.sqrt(got.log_rank_variance)
    assert covered.mean() < 0.85


def test_z_read_with_a_flat_prior_has_the_calibrated_posterior() -> None:
    # Rejection sampling, with no formula at all: log HR uniform, keep those whose cohort shows the printed z.
    got = calibrate_log_rank(21, 105, events=114, z=PRINTED_Z)
    rng, in_group_1 = np.random.default_rng(5), np.arange(126) < 21
    kept = []
    for _ in range(15):
        log_hr = rng.uniform(-0.5, 2.5, size=4_000)
        time = rng.exponential(size=(4_000, 126)) / np.where(in_group_1, np.exp(log_hr)[:, np.newaxis], 1.0)
        z = log_rank_scores(time, time <= np.sort(time, axis=1)[:, 113:114], in_group_1=in_group_1).z
        kept.append(log_hr[np.abs(z - PRINTED_Z) < 0.1])
    draws = np.concatenate(kept)
    assert draws.size > 600
    assert np.median(draws) == pytest.approx(got.log_hr, abs=0.05)
    assert draws.std() == pytest.approx(got.standard_error, rel=0.12)


def test_exchanging_the_groups_changes_the_sign() -> None:
    there = calibrate_log_rank(30, 70, events=80, z=2.5)
    back = calibrate_log_rank(70, 30, events=80, z=-2.5)
    assert back.log_hr == pytest.approx(-there.log_hr, abs=5 * math.hypot(there.log_hr_mcse, back.log_hr_mcse))


def test_the_seed_decides() -> None:
    assert calibrate_log_rank(20, 40, events=45, z=2.0, seed=7) == calibrate_log_rank(20, 40, events=45, z=2.0, seed=7)
    assert calibrate_log_rank(20, 40, events=45, z=2.0, seed=8) != calibrate_log_rank(20, 40, events=45, z=2.0, seed=7)


@pytest.mark.parametrize("censoring", ["at_end", "throughout"])
def test_without_censoring_both_designs_agree(censoring: Censoring) -> None:
    got = calibrate_log_rank(20, 40, events=60, z=2.0, censoring=censoring)
    assert got.log_hr == calibrate_log_rank(20, 40, events=60, z=2.0).log_hr


def test_follow_up_that_stops_at_an_event_sees_that_event() -> None:
    # One event among 100 against 100: the hypergeometric variance is 1/4 in every cohort.
    assert calibrate_log_rank(100, 100, events=1, z=0.0).log_rank_variance == 0.25


def test_a_z_out_of_reach_is_refused() -> None:
    with pytest.raises(ValueError, match="no hazard ratio"):
        calibrate_log_rank(2, 124, events=30, z=20.0)


def test_bad_designs_are_refused() -> None:
    with pytest.raises(ValueError, match="group sizes"):
        calibrate_log_rank(0, 10, events=5, z=1.0)
    with pytest.raises(ValueError, match="events"):
        calibrate_log_rank(5, 10, events=16, z=1.0)
    with pytest.raises(ValueError, match="z is"):
        calibrate_log_rank(5, 10, events=5, z=math.inf)
    with pytest.raises(ValueError, match="replicates"):
        calibrate_log_rank(5, 10, events=5, z=1.0, replicates=10)
