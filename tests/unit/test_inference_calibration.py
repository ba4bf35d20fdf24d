"""The criterion itself: its band has the stated coverage, and it tells wrong posteriors from right ones."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta, kstest

from ixa_bayes.inference.calibration import (
    AS_SAMPLED,
    Draws,
    band_limit,
    blocks,
    judge_ranks,
    rank_of,
    simulate_ranks,
    smallest_tail,
)

N_DRAWS = 99
PATIENTS = 20


def test_band_holds_uniform_ranks_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    limit = band_limit(100, N_DRAWS + 1, 0.95)
    tails = [smallest_tail(rng.integers(0, N_DRAWS + 1, 100), n_draws=N_DRAWS) for _ in range(4000)]
    outside = np.mean(np.array(tails) < limit)
    assert (
        abs(outside - 0.05) < 4 * np.sqrt(0.05 * 0.95 / 4000) + 0.005
    )  # counts are whole: the band holds slightly more


def test_band_agrees_with_the_simulated_one_of_arviz() -> None:
    from arviz_stats.ecdf_utils import simulate_confidence_bands

    share = np.arange(1, 50) / 50
    rng = np.random.default_rng(2)
    simulated = simulate_confidence_bands(100, 1, share, 0.95, 4000, rng)  # type: ignore[no-untyped-call]  # untyped
    assert 1 - band_limit(100, 50, 0.95) == pytest.approx(simulated, abs=0.002)


def test_band_of_one_point_is_the_binomial_tail() -> None:
    """Two bins have one inner point: of 4 ranks, 0 or 4 below the middle happen in 2 of 16 cases."""
    limit = band_limit(4, 2, 0.80)
    assert smallest_tail(np.array([0, 0, 0, 0]), n_draws=1) < limit
    assert smallest_tail(np.array([0, 0, 0, 1]), n_draws=1) >= limit


def _simulate(rng: np.random.Generator) -> tuple[Draws, object]:
    rate = rng.uniform(size=1)
    return {"rate": rate}, int(rng.binomial(PATIENTS, rate[0]))


def _fit(data: object, seed: int) -> Draws:
    """The exact posterior under the uniform prior: a sampler that cannot be wrong."""
    assert isinstance(data, int)
    return {"rate": beta.rvs(1 + data, 1 + PATIENTS - data, size=N_DRAWS, random_state=np.random.default_rng(seed))}


def _quantities(draws: Draws, data: object) -> Draws:
    assert isinstance(data, int)
    rate = np.clip(draws["rate"], 1e-12, 1 - 1e-12)
    return {"rate": rate, "log_likelihood": data * np.log(rate) + (PATIENTS - data) * np.log1p(-rate)}


def _corrupt(how: str, draws: Draws, rng: np.random.Generator) -> Draws:
    if how == "sign_flipped":
        return {"rate": 1 - draws["rate"]}
    if how == "prior_returned":
        return {"rate": rng.uniform(size=N_DRAWS)}
    return {"rate": (draws["rate"] + draws["rate"].mean()) / 2}


HOW = ("sign_flipped", "prior_returned", "half_width")


@pytest.fixture(scope="module")
def ranks() -> dict[str, pd.DataFrame]:
    corruptions = {how: lambda draws, rng, how=how: _corrupt(how, draws, rng) for how in HOW}
    return simulate_ranks(_simulate, _fit, _quantities, n_replicates=1000, seed=7, corruptions=corruptions)


def test_exact_posteriors_pass(ranks: dict[str, pd.DataFrame]) -> None:
    assert judge_ranks(ranks[AS_SAMPLED], n_draws=N_DRAWS).uniform
    assert kstest(ranks[AS_SAMPLED]["rate"] / N_DRAWS, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("how", HOW)
def test_each_corruption_is_rejected_in_nine_of_ten(ranks: dict[str, pd.DataFrame], how: str) -> None:
    verdicts = [judge_ranks(block, n_draws=N_DRAWS) for block in blocks(ranks[how], 10)]
    assert sum(not verdict.uniform for verdict in verdicts) >= 9


def test_prior_returned_is_seen_only_by_the_data_dependent_quantity(ranks: dict[str, pd.DataFrame]) -> None:
    assert judge_ranks(ranks["prior_returned"], n_draws=N_DRAWS).rejected == ("log_likelihood",)


def test_replicates_side_by_side_give_the_same_ranks(ranks: dict[str, pd.DataFrame]) -> None:
    found = simulate_ranks(_simulate, _fit, _quantities, n_replicates=40, seed=7, jobs=3)
    alone = simulate_ranks(_simulate, _fit, _quantities, n_replicates=40, seed=7)
    pd.testing.assert_frame_equal(found[AS_SAMPLED], alone[AS_SAMPLED])
    assert len(found[AS_SAMPLED].drop_duplicates()) > 1


def test_ties_are_broken_at_random() -> None:
    rng = np.random.default_rng(3)
    found = {rank_of(1.0, np.array([0.0, 1.0, 1.0, 2.0]), rng=rng) for _ in range(100)}
    assert found == {1, 2, 3}
