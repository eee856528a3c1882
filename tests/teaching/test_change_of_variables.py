"""The change of variables in one dimension, against what is known of Gaussians."""

import numpy as np
import pytest
from scipy.stats import norm

from flowlab.teaching.exhibits.broken_maps import BROKEN, broken_map
from flowlab.teaching.exhibits.change_of_variables import MAPS, affine_map, chain, two_forms


@pytest.mark.parametrize("mu, sigma", [(0.0, 1.0), (1.0, 0.5), (-2.0, 2.5)])
def test_row_82_the_density_is_that_of_the_base_over_the_stretch(mu, sigma):
    result = affine_map(mu, sigma)
    assert result.x_density == pytest.approx(norm(mu, sigma).pdf(result.x), abs=1e-12)
    assert result.area == pytest.approx(1, abs=1e-3)


def test_row_83_cells_of_equal_mass_keep_their_mass():
    result = affine_map(1.0, 0.5, n_cells=10)
    masses = np.diff(norm(1.0, 0.5).cdf(result.x_edges))
    assert masses == pytest.approx(np.full(10, result.cell_mass), abs=1e-6)
    assert np.diff(result.x_edges)[1:-1] == pytest.approx(0.5 * np.diff(result.z_edges)[1:-1])


def test_row_83_draws_through_the_map_follow_the_density():
    result = affine_map(1.0, 0.5)
    assert result.ks_p > 0.05
    middles = (result.bin_edges[1:] + result.bin_edges[:-1]) / 2
    assert result.bin_density == pytest.approx(norm(1.0, 0.5).pdf(middles), abs=0.06)


def test_sigma_zero_leaves_no_density():
    result = affine_map(1.0, 0.0)
    assert "no density" in result.finding and not result.x_density.any()


@pytest.mark.parametrize("shape", MAPS)
@pytest.mark.parametrize("z", [-1.7, 0.0, 1.0])
def test_row_82_both_forms_give_the_same_density(shape, z):
    result = two_forms(shape, z)
    assert result.forward == pytest.approx(result.inverse, rel=1e-6)
    assert np.log(result.forward) == pytest.approx(result.log_base - result.log_slope)
    assert result.x_density == pytest.approx(result.z_density / MAPS[shape].slope(result.z), rel=1e-6)


def test_row_113_inverse_or_derivative_fails_where_the_map_is_no_diffeomorphism():
    good, cube, relu, fold = (broken_map(shape, 1.0) for shape in BROKEN)
    assert (good.n_inverse, good.lost) == (1, 0) and good.area == pytest.approx(1, abs=1e-3) and good.slope > 0
    assert cube.n_inverse == 1 and cube.slope == 0
    assert np.nanmax(cube.formula) > 1e4, "the density has no bound at 0"
    assert cube.area == pytest.approx(1, abs=0.01)
    assert fold.n_inverse == 2 and fold.area == pytest.approx(0.5, abs=1e-3)
    assert broken_map("relu", 0.0).n_inverse == np.inf and relu.at_one_point == 0.5
    assert relu.area == pytest.approx(0.5, abs=1e-3)
    assert broken_map("relu", -1.0).n_inverse == broken_map("fold", -1.0).n_inverse == 0


@pytest.mark.parametrize("n_layers", [0, 1, 6])
def test_row_86_log_determinants_of_layers_add_up(n_layers):
    result = chain(n_layers, 0.5)
    assert result.log_slopes.shape == (n_layers,)
    assert result.total == pytest.approx(result.whole, abs=1e-5)
    assert np.trapezoid(result.density, result.x) == pytest.approx(1, abs=5e-3)
    assert result.log_density == pytest.approx(
        np.log(np.interp(result.positions[-1], result.x, result.density)), abs=1e-3
    )
