"""Rows from draws: every column is what the same draws give in plain numpy."""

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from scipy.stats import binom

from ixa_bayes.formulas.binomial import BetaPrior
from ixa_bayes.inference.response_counts import Counts
from ixa_bayes.inference.response_rows import (
    Row,
    Table,
    conjugate_rows,
    hierarchical_contrast_rows,
    hierarchical_rows,
    pairs_of,
    predictive_quantiles,
)
from ixa_bayes.study.counts import Candidate

from .conftest import StudyMaker

LEVELS = ("one", "two", "three")
CANDIDATE = Candidate((2, 62, 5), (19, 103, 9), "rounding")
COUNTS = Counts(
    "all",
    "response",
    "stage",
    LEVELS,
    basis="used",
    status="unique",
    n_candidates=1,
    candidates=((1, CANDIDATE),),
    note="",
    ledger_rows=("row_a", "row_b"),
)
TABLE = Table(COUNTS, 1, CANDIDATE, (("one", "two"), ("one", "three")), {("one", "two"): ("<0.001", ("p_row",))})


@pytest.fixture
def rate() -> xr.DataArray:
    rng = np.random.default_rng(1)
    draws = rng.beta([3, 63, 6], [18, 42, 5], size=(4, 500, 3))
    return xr.DataArray(draws, dims=("chain", "draw", "group"), coords={"group": list(LEVELS)})


def test_pooled_rows_are_quantiles_of_their_own_group(rate: xr.DataArray) -> None:
    rows = list(hierarchical_rows(TABLE, rate, next_patients=20, converged=True))
    assert [row["level"] for row in rows] == list(LEVELS)
    for index, row in enumerate(rows):
        own = rate.to_numpy()[..., index].ravel()
        got = [row[name] for name in ("mean", "sd", "q025", "median", "q975")]
        np.testing.assert_allclose(got, [own.mean(), own.std(ddof=1), *np.quantile(own, [0.025, 0.5, 0.975])])
        cdf = binom.cdf(np.arange(21)[:, np.newaxis], 20, own).mean(axis=1)
        assert row["next_median"] == np.flatnonzero(cdf >= 0.5)[0]
        assert row["next_q975"] == np.flatnonzero(cdf >= 0.975)[0]


CONTRASTS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "difference": lambda p, q: p - q,
    "risk_ratio": lambda p, q: p / q,
    "odds_ratio": lambda p, q: p * (1 - q) / ((1 - p) * q),
}


def test_pooled_contrasts_are_taken_draw_by_draw(rate: xr.DataArray) -> None:
    rows = list(hierarchical_contrast_rows(TABLE, rate, converged=True))
    assert len(rows) == 6
    for row in rows:
        p, q = (rate.sel(group=row[name]).to_numpy().ravel() for name in ("level", "comparator"))
        want = np.quantile(CONTRASTS[str(row["measure"])](p, q), [0.025, 0.5, 0.975])
        np.testing.assert_allclose([row["q025"], row["median"], row["q975"]], want)
        assert row["p_level_lower"] == np.mean(p < q)
        assert row["p_level_lower"] > 0.5


def test_monte_carlo_errors_are_those_of_independent_draws(rate: xr.DataArray) -> None:
    """2,000 independent draws: the error of a probability p is sqrt(p (1 - p) / 2000), give or take some."""
    p = float(np.mean(rate.sel(group="one").to_numpy() < rate.sel(group="three").to_numpy()))
    last = list(hierarchical_contrast_rows(TABLE, rate, converged=True))[-1]
    assert last["comparator"] == "three"
    assert last["mcse_p_level_lower"] == pytest.approx(np.sqrt(p * (1 - p) / 2000), rel=0.3)


def test_an_event_in_every_draw_claims_no_exactness(rate: xr.DataArray) -> None:
    apart = rate.where(rate["group"] != "two", 0.999)
    row = next(hierarchical_contrast_rows(TABLE, apart, converged=True))
    assert row["p_level_lower"] == 1
    assert np.isnan(row["mcse_p_level_lower"])


def test_printed_p_and_its_rows_belong_to_their_pair(rate: xr.DataArray) -> None:
    by_pair: dict[object, Row] = {
        row["comparator"]: row for row in hierarchical_contrast_rows(TABLE, rate, converged=True)
    }
    assert by_pair["two"]["printed_p"] == "<0.001"
    assert by_pair["two"]["ledger_rows"] == "row_a;row_b;p_row"
    assert by_pair["three"]["printed_p"] == ""
    assert by_pair["three"]["ledger_rows"] == "row_a;row_b"


def test_conjugate_rows_predict_the_next_patients() -> None:
    row = next(conjugate_rows(TABLE, [BetaPrior(1, 1, "uniform", "a test")], next_patients=1))
    assert (row["next_q025"], row["next_median"], row["next_q975"]) == (0, 0, 1)
    assert row["mcse_median"] == 0
    assert row["clopper_pearson_q025"] == pytest.approx(0.0130, abs=1e-4)


def test_predictive_quantiles_of_one_known_rate() -> None:
    found = predictive_quantiles(xr.DataArray(np.full((4, 10), 0.3), dims=("chain", "draw")), patients=20)
    assert list(found.values()) == [binom.ppf(p, 20, 0.3) for p in (0.025, 0.5, 0.975)]


def test_pairs_are_against_the_reference_or_all(make_study: StudyMaker) -> None:
    definition = make_study({"endpoint": "patients", "kind": "count", "count": "10"}).definition
    assert pairs_of(definition, COUNTS) == (("one", "two"), ("one", "three"), ("two", "three"))
    stage = definition.factors["stage"].model_copy(update={"reference": "two"})
    with_reference = definition.model_copy(update={"factors": definition.factors | {"stage": stage}})
    assert pairs_of(with_reference, COUNTS) == (("one", "two"), ("three", "two"))
