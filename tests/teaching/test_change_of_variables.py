"""The change of variables in one dimension, against what is known of Gaussians."""

import numpy as np
import pytest
from scipy.stats import norm

from flowlab.teaching.exhibits.change_of_variables import affine_map


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
