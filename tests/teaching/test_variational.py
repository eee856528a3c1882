"""What the exhibits show of variational autoencoders, against what must hold of any."""

import numpy as np
import pytest

from flowlab import catalog
from flowlab.datasets.dataset import Part
from flowlab.records import Spec
from flowlab.teaching.exhibits import variational
from flowlab.teaching.exhibits.variational import fitted_vae

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("data, n_columns", [("moons", 2), ("wine", 13)])
def test_row_134_each_row_has_an_ellipse_and_the_divergence_agrees_with_sampling(data, n_columns):
    found = variational.code_distributions(data)
    assert found.n_columns == n_columns and (found.std > 0).all() and found.mean.shape == found.std.shape
    assert abs(found.kl - found.kl_sampled) < 5 * found.kl_error + 1e-6
    figure = variational.draw_code_distributions(found)
    rings = np.array(figure.data[2].x, float).reshape(-1, 42)
    assert len(rings) == (~found.is_anomaly).sum()
    drawn = np.nanmax(rings, axis=1) - np.nanmin(rings, axis=1)
    assert drawn == pytest.approx(2 * found.std[~found.is_anomaly, 0])


def test_row_136_the_bound_rises_with_the_draws_and_stays_below_the_models_log_density():
    found = variational.bound_and_truth()
    assert found.n_draws[0] == 1 and found.n_draws[-1] == 512
    assert (np.diff(found.bound) > 0).all()
    assert found.bound[0] == pytest.approx(found.elbo)
    vae, dataset = fitted_vae("moons", 1.0)
    rows = dataset.X[dataset.rows(Part.UNSEEN)][:150]
    assert vae.bounds(rows, 512)[0].mean() == pytest.approx(found.tightest)
    assert found.elbo < found.tightest <= found.model + 0.01
    assert found.model < found.truth and found.gap > 0


def test_row_136_the_grid_of_codes_integrates_to_a_density():
    vae, _ = fitted_vae("moons", 1.0)
    side = np.linspace(-4, 5, 61)
    grid = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    mass = np.exp(variational.log_density_by_grid(vae, grid, n=101)).sum() * (side[1] - side[0]) ** 2
    assert mass == pytest.approx(1, abs=0.03)


def test_row_137_the_parts_add_up_to_the_loss():
    found = variational.loss_parts(beta=2.0, n_steps=200)
    # of 100 validation rows, with one draw of the code each in the loss and 16 in the parts
    assert found.farthest < 0.25
    assert found.sum == pytest.approx(found.reconstruction + 2.0 * found.kl)
    assert found.loss[-1] < found.loss[0]


def test_row_140_decodes_of_one_row_differ():
    found = variational.many_decodes(row=3, n=20)
    assert found.n == 20 and found.variance > 0
    assert (found.decodes.var(0) > 0).all()
    assert variational.many_decodes(n=1).variance == 0
    assert catalog.MODELS[Spec("vae").name].make.can_sample
