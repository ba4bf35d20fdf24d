"""Adjusted p values against hand-worked examples."""

import numpy as np
import pytest

from ixa_bayes.formulas.multiplicity import benjamini_hochberg, holm

P = [0.01, 0.04, 0.03, 0.005]


def test_holm_by_hand() -> None:
    # Sorted 0.005 0.01 0.03 0.04 times 4 3 2 1: 0.02 0.03 0.06 0.04, made monotone.
    np.testing.assert_allclose(holm(P), [0.03, 0.06, 0.06, 0.02], rtol=1e-12)


def test_benjamini_hochberg_by_hand() -> None:
    # Sorted times 4/1 4/2 4/3 4/4: 0.02 0.02 0.04 0.04.
    np.testing.assert_allclose(benjamini_hochberg(P), [0.02, 0.04, 0.04, 0.02], rtol=1e-12)


def test_the_example_of_benjamini_and_hochberg() -> None:
    # Their section 4: at 0.05 Bonferroni-type procedures reject 3 of 15 hypotheses, theirs 4.
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528]
    p += [0.7590, 1.0]
    assert int(np.sum(holm(p) <= 0.05)) == 3
    assert int(np.sum(benjamini_hochberg(p) <= 0.05)) == 4


def test_adjusted_values_stay_within_one() -> None:
    assert holm([0.9, 0.8]).max() == 1
    assert benjamini_hochberg([0.9, 1.0]).max() <= 1


def test_one_test_and_none() -> None:
    assert holm([0.03])[0] == benjamini_hochberg([0.03])[0] == 0.03
    assert holm([]).size == benjamini_hochberg([]).size == 0


@pytest.mark.parametrize("p", [[1.2], [-0.1], [float("nan")], [[0.1]]])
def test_what_is_no_p_value_is_refused(p: list[float]) -> None:
    with pytest.raises(ValueError, match="p values"):
        holm(p)
    with pytest.raises(ValueError, match="p values"):
        benjamini_hochberg(p)
