"""Fisher and Clopper-Pearson against R, scipy and full enumeration."""

import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest, fisher_exact

from ixa_bayes.formulas.two_by_two import (
    clopper_pearson,
    fisher_exact_p,
    fisher_exact_p_rows,
)


def test_all_tables_of_the_reference(frequentist_reference: dict[str, Any]) -> None:
    tables = frequentist_reference["tables"]
    assert len(tables) == 7
    for name, want in tables.items():
        one, two = want["group1"], want["group2"]
        assert fisher_exact_p(one["r"], one["n"], two["r"], two["n"]) == pytest.approx(
            want["fisher"]["p_two_sided"], rel=1e-6
        ), name
        for group in (one, two):
            lower, upper = clopper_pearson(group["r"], group["n"])
            assert lower == pytest.approx(group["clopper_pearson_lower95"], abs=1e-9)
            assert upper == pytest.approx(group["clopper_pearson_upper95"], abs=1e-9)


def test_every_small_table_agrees_with_scipy() -> None:
    tables = [(a, n1, b, n2) for n1 in range(1, 8) for n2 in range(1, 10) for a in range(n1 + 1) for b in range(n2 + 1)]
    a, n1, b, n2 = np.array(tables).T
    got = fisher_exact_p(a, n1, b, n2)
    want = [fisher_exact([[a, n1 - a], [b, n2 - b]]).pvalue for a, n1, b, n2 in tables]
    np.testing.assert_allclose(got, want, rtol=1e-10)


def test_a_large_table_agrees_with_scipy() -> None:
    want = fisher_exact([[300, 700], [420, 900]]).pvalue
    assert fisher_exact_p(300, 1000, 420, 1320) == pytest.approx(want, rel=1e-9)


def test_ties_count_as_no_likelier() -> None:
    # 3/4 against 1/4 has the mirror table 1/4 against 3/4 of exactly its probability: p = 2 (16 + 1)/70.
    assert fisher_exact_p(3, 4, 1, 4) == pytest.approx(34 / 70, rel=1e-12)


def test_margins_without_information_give_one() -> None:
    np.testing.assert_array_equal(fisher_exact_p([0, 5, 0], [5, 5, 0], [0, 4, 2], [4, 4, 4]), [1.0, 1.0, 1.0])


def test_shapes_broadcast() -> None:
    assert fisher_exact_p(np.arange(5)[:, None], 5, np.arange(4), 6).shape == (5, 4)


@pytest.mark.parametrize(("r", "n"), [([2, 5, 1], [6, 7, 9]), ([1, 2, 9], [6, 7, 9]), ([0, 0, 9], [3, 4, 9])])
def test_three_rows_agree_with_exact_enumeration_in_fractions(r: list[int], n: list[int]) -> None:
    weight = {
        counts: math.prod(math.comb(size, x) for size, x in zip(n, counts, strict=True))
        for counts in itertools.product(*(range(size + 1) for size in n))
        if sum(counts) == sum(r)
    }
    observed = weight[tuple(r)]
    want = Fraction(sum(w for w in weight.values() if w <= observed), sum(weight.values()))
    got = fisher_exact_p_rows(r, n)
    assert got.exact
    assert got.p == pytest.approx(float(want), rel=1e-10)
    assert fisher_exact_p_rows(r[::-1], n[::-1]).p == pytest.approx(got.p, rel=1e-12)


def test_two_rows_are_the_two_by_two_test() -> None:
    assert fisher_exact_p_rows([2, 62], [19, 103]).p == pytest.approx(fisher_exact_p(2, 19, 62, 103), rel=1e-12)


def test_too_many_tables_are_simulated_and_say_so() -> None:
    r, n = [12, 8, 20, 9, 15], [140, 141, 142, 143, 144]
    got = fisher_exact_p_rows(r, n, simulations=2_000, seed=3)
    assert not got.exact
    assert got.mcse > 0
    assert fisher_exact_p_rows(r, n, simulations=2_000, seed=3) == got
    assert fisher_exact_p_rows(r, n, simulations=2_000, seed=4) != got


def test_clopper_pearson_agrees_with_scipy_for_every_count() -> None:
    lower, upper = clopper_pearson(np.arange(20), 19, ci_prob=0.9)
    for r in range(20):
        want = binomtest(r, 19).proportion_ci(0.9, method="exact")
        assert (lower[r], upper[r]) == pytest.approx((want.low, want.high), abs=1e-12)


def test_no_patient_says_nothing() -> None:
    assert tuple(map(float, clopper_pearson(0, 0))) == (0.0, 1.0)


@pytest.mark.parametrize("table", [(6, 5, 1, 5), (-1, 5, 1, 5), (1, 5, 6, 5)])
def test_responders_outside_their_group_are_refused(table: tuple[int, int, int, int]) -> None:
    a, n1, b, n2 = table
    with pytest.raises(ValueError, match="responders"):
        fisher_exact_p(a, n1, b, n2)
    with pytest.raises(ValueError, match="responders"):
        fisher_exact_p_rows([a, b], [n1, n2])


def test_other_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="whole numbers"):
        fisher_exact_p(1.5, 5, 1, 5)
    with pytest.raises(ValueError, match="two groups"):
        fisher_exact_p_rows([1], [5])
    with pytest.raises(ValueError, match="between 0 and n"):
        clopper_pearson(6, 5)
    with pytest.raises(ValueError, match="ci_prob"):
        clopper_pearson(1, 5, ci_prob=95)
