"""A flow fitted to an energy: the divergence falls, its gradient is the true one, and its draws lie where U is low."""

import numpy as np
import pytest
import torch

from flowlab.models.flows.energy_fit import energy
from flowlab.nets.engine.build import elementary_stack
from flowlab.nets.reverse_kl import ENERGIES, with_slope
from flowlab.teaching.exhibits.energies import fitted


@pytest.mark.parametrize("form, kind", [("wave", "planar"), ("fork", "radial")])
def test_row_50_the_reverse_divergence_falls_toward_nought(form, kind):
    fit = fitted(form, kind, n_layers=8, n_steps=200)
    assert np.isfinite(fit.divergence).all() and (fit.divergence > -0.02).all(), "no divergence is below nought"
    assert fit.after < 0.6 * fit.before
    of_draws, of_normal = energy(form, fit.draws), energy(form, np.random.default_rng(0).normal(size=(2000, 2)))
    assert of_draws.mean() < of_normal.mean() - 1


@pytest.mark.parametrize("kind", ["planar", "radial"])
@pytest.mark.parametrize("form", ENERGIES)
def test_the_gradient_of_the_free_energy_is_that_of_differences(form, kind):
    stack = elementary_stack(2, kind, 3, 1, torch.float64)
    z = torch.randn(2, 40, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def value(parameters: torch.Tensor) -> float:
        stack.parameters.copy_(parameters)
        return stack.free_energy_and_gradient(z, lambda x: with_slope(form, x))

    at = stack.parameters.clone()
    value(at)
    gradient, step = stack.gradient.clone(), 1e-6
    for i in range(len(at)):
        shift = torch.zeros_like(at)
        shift[i] = step
        difference = (value(at + shift) - value(at - shift)) / (2 * step)
        assert difference == pytest.approx(gradient[i].item(), rel=1e-4, abs=1e-5)


def test_the_density_that_is_meant_has_the_mass_one():
    fit = fitted("split", "planar", n_layers=1, n_steps=50)
    assert fit.density.sum() * (fit.x[1] - fit.x[0]) ** 2 == pytest.approx(1)
    assert fit.density[0].max() < 1e-6 * fit.density.max(), "nothing is cut off"
