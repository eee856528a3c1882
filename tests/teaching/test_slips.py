"""The right forms against SciPy and finite differences; the slips fail where the lesson says so."""

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy

from flowlab.teaching.exhibits.slips import couplings, divergences, halves, likelihood, passes, signs


@pytest.mark.parametrize("theta", [0.0, 2.5, 4.0, 9.0])
def test_row_102_alpha_is_minus_theta_and_chooses_the_same_rows(theta):
    result = signs(theta, -theta)
    assert np.array_equal(result.by_score, result.by_density)
    assert np.array_equal(result.by_density, result.log_density <= -theta) and result.both == result.alarms
    assert signs(theta, -theta - 1).selected <= result.selected


@pytest.mark.parametrize("sigma", [0.2, 1.0, 2.0])
def test_only_the_right_gaussian_has_area_one(sigma):
    assert likelihood("right", sigma).area == pytest.approx(1, abs=1e-6)
    assert likelihood("no half", sigma).area == pytest.approx(np.sqrt(0.5), abs=1e-6)
    assert likelihood("misplaced", sigma).area == pytest.approx(1 / sigma**2, rel=1e-6)


@pytest.mark.parametrize("x", [(0.8, 0.5), (-1.5, 2.0)])
def test_row_15_the_log_determinant_is_the_sum_over_the_half_that_moves(x):
    result = halves(*x)
    assert result.jacobian[0] == pytest.approx([1, 0], abs=1e-6), "triangular"
    assert result.measured == pytest.approx(result.moved, abs=1e-6)
    assert result.wrong > 0.1


@pytest.mark.parametrize("apart, sigma", [(2.0, 1.0), (0.0, 0.5), (6.0, 2.0)])
def test_divergences_are_those_of_scipy_and_formulas(apart, sigma):
    result = divergences(apart, sigma)
    p, q = result.p / result.p.sum(), result.q / result.q.sum()
    assert result.jensen_shannon == pytest.approx(jensenshannon(p, q) ** 2, abs=1e-5)
    assert result.forward == pytest.approx(entropy(p, q), abs=1e-4)
    assert result.forward == pytest.approx(np.log(sigma) + (1 + apart**2) / (2 * sigma**2) - 0.5, abs=1e-6)
    assert 0 < result.jensen_shannon <= result.bound


@pytest.mark.parametrize("convention", ["scale first", "shift first"])
def test_row_14_each_convention_has_its_own_inverse(convention):
    result = couplings(convention)
    assert result.error < 1e-12 < 0.1 < result.other_error


@pytest.mark.parametrize("n_columns", [1, 5, 64])
def test_row_89_one_pass_where_inputs_are_known_and_one_for_each_column_where_not(n_columns):
    result = passes(n_columns)
    assert (result.known, result.unknown) == (1, n_columns) and result.error < 1e-9
