"""The continuous flow: its velocity's divergence, its density, and that four slices equal one."""

import numpy as np
import pytest
import torch

from flowlab.models.flows.continuous import ContinuousFlow
from flowlab.nets import velocity
from flowlab.toys.curves import Moons

MOONS = Moons(noise=0.1)


@pytest.fixture(scope="module")
def flow():
    return ContinuousFlow(n_steps=400, hidden_features=24, n_hidden=2, steps_per_layer=4).fit(MOONS.sample(1000, 0))


@pytest.mark.parametrize("d", [1, 2, 5])
def test_the_divergence_is_the_trace_of_the_jacobian(d):
    field = velocity.build(d, 16, 2, seed=3).double()
    x = torch.randn(7, d, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    values, divergence = field.with_divergence(x, 0.3)
    assert torch.allclose(values, field(x, torch.full((7, 1), 0.3, dtype=torch.float64)))
    for row, found in zip(x, divergence, strict=True):
        J = torch.autograd.functional.jacobian(lambda r: field(r[None], r.new_full((1, 1), 0.3))[0], row)
        assert found.item() == pytest.approx(J.trace().item(), abs=1e-10)


def test_the_density_integrates_to_one(flow):
    side = np.linspace(-3, 4, 60)
    points = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    mass = np.exp(flow.score_samples(points)).sum() * (side[1] - side[0]) ** 2
    assert mass == pytest.approx(1, abs=0.01)


def test_the_inverse_undoes_the_transform(flow):
    X = MOONS.sample(200, 1)
    assert np.abs(flow.inverse_transform(flow.transform(X)) - X).max() < 1e-4
    assert flow.transform_path(X)[-1] == pytest.approx(flow.transform(X), abs=1e-12)


@pytest.mark.parametrize("layer", [0, 1, 8])
def test_the_log_determinants_are_those_of_the_jacobians(flow, layer):
    x = MOONS.sample(1, 2)
    log_dets = flow.log_det_path(x)[:, 0]
    expected = log_dets.sum() if layer == 0 else log_dets[layer - 1]
    assert np.linalg.slogdet(flow.layer_jacobian(x[0], layer))[1] == pytest.approx(expected, abs=1e-4)


def test_four_slices_of_ten_steps_equal_forty():
    X = MOONS.sample(200, 0)

    def make():
        return ContinuousFlow(n_steps=40, hidden_features=8, n_hidden=1)

    whole, sliced, checkpoint = make().fit(X), make(), None
    for _ in range(4):
        for _ in sliced.fit_iter(X, checkpoint=checkpoint, n_steps=10):
            pass
        checkpoint = sliced.get_checkpoint()
    assert (whole.parameters_ == sliced.parameters_).all()
    restored = make().set_state(whole.get_state())
    assert (restored.score_samples(X) == whole.score_samples(X)).all()


def test_it_learns(flow):
    X_new = MOONS.sample(500, 1)
    early = ContinuousFlow(n_steps=20, hidden_features=24, n_hidden=2, steps_per_layer=4).fit(MOONS.sample(1000, 0))
    gaps = [(MOONS.log_density(X_new) - each.score_samples(X_new)).mean() for each in (early, flow)]
    assert 0 < gaps[1] < gaps[0] - 0.1
    assert np.abs(flow.sample(500, random_state=0).mean(axis=0) - MOONS.sample(1000, 0).mean(axis=0)).max() < 0.2
