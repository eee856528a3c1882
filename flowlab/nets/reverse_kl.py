"""Flows fitted to an energy instead of rows: the reverse Kullback-Leibler divergence, by draws of the flow itself.

Rezende & Mohamed 2015, arXiv:1505.05770, section 6.1 and its table 1. The layers run from the base to the plane, as
theirs do, so that planar and radial ones need no inverse.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import relu

from flowlab.nets.engine.build import elementary_stack, feature_major
from flowlab.nets.process import use_one_thread

BATCH = 256
EVERY = 50
BETAS = (0.9, 0.99)
WALL = 4.0
"""Beyond so much the energies rise: three of the table's four are waves without an end, which nothing normalises."""


def _wall(x: Tensor) -> Tensor:
    return 12.5 * (relu(x.abs() - WALL) ** 2).sum(0)


def _wave(x: Tensor) -> Tensor:
    return torch.sin(0.5 * math.pi * x[0])


def _either(first: Tensor, second: Tensor) -> Tensor:
    return -torch.logaddexp(-0.5 * first**2, -0.5 * second**2)


def _ring(x: Tensor) -> Tensor:
    return 0.5 * ((x.norm(dim=0) - 2) / 0.4) ** 2 + _either((x[0] - 2) / 0.6, (x[0] + 2) / 0.6)


def _one_wave(x: Tensor) -> Tensor:
    return 0.5 * ((x[1] - _wave(x)) / 0.4) ** 2


def _split_wave(x: Tensor) -> Tensor:
    bump = 3 * torch.exp(-0.5 * ((x[0] - 1) / 0.6) ** 2)
    return _either((x[1] - _wave(x)) / 0.35, (x[1] - _wave(x) + bump) / 0.35)


def _forked_wave(x: Tensor) -> Tensor:
    step = 3 * torch.sigmoid((x[0] - 1) / 0.3)
    return _either((x[1] - _wave(x)) / 0.4, (x[1] - _wave(x) + step) / 0.35)


ENERGIES = {"ring": _ring, "wave": _one_wave, "split": _split_wave, "fork": _forked_wave}
"""U of table 1 by name, in its order: (2, n) to nats (n,)."""


def energy(name: str, points: np.ndarray) -> np.ndarray:
    """U at points (n, 2) in nats, (n,), the wall included."""
    x = feature_major(points, exact=True)
    return (ENERGIES[name](x) + _wall(x)).numpy()


def fit_energy(
    name: str, kind: str, n_layers: int, n_steps: int, seed: int = 0, learning_rate: float = 0.01
) -> Iterator[tuple[int, float, np.ndarray]]:
    """Fit planar or radial layers to exp(-U) up to its integral, every EVERY steps and at the ends.

    Yields the step, the mean of log q(x) + U(x) in nats over 4,000 draws x of the flow q, and 2,000 of them (2000, 2).
    That mean is KL(q || exp(-U) / Z) - log Z.
    """
    use_one_thread()
    stack = elementary_stack(2, kind, n_layers, seed)
    optimizer = torch.optim.Adam([stack.parameters], learning_rate, betas=BETAS)
    stack.parameters.grad = stack.gradient
    draws = torch.Generator().manual_seed(seed)
    fixed = torch.randn(2, 4000, generator=torch.Generator().manual_seed(seed + 1))
    for step in range(n_steps + 1):
        if step % EVERY == 0 or step == n_steps:
            x, log_det = stack.transform(fixed)
            value = _log_base(fixed) - log_det + ENERGIES[name](x) + _wall(x)
            yield step, float(value.mean()), x[:, :2000].T.double().numpy()
        if step == n_steps:
            return
        rate = learning_rate * min(1.0, 2 * (1 - step / n_steps))
        for group in optimizer.param_groups:
            group["lr"] = rate
        stack.free_energy_and_gradient(torch.randn(2, BATCH, generator=draws), lambda x: with_slope(name, x))
        stack.gradient.mul_((10.0 / stack.gradient.norm().clamp_min(1e-9)).clamp_max(1.0))
        optimizer.step()


def _log_base(z: Tensor) -> Tensor:
    return -0.5 * (z * z).sum(0) - 0.5 * len(z) * math.log(2 * math.pi)


def with_slope(name: str, x: Tensor) -> tuple[Tensor, Tensor]:
    """U (n,) and its gradient (2, n)."""
    with torch.inference_mode(False), torch.enable_grad():
        at = x.clone().requires_grad_()
        values = ENERGIES[name](at) + _wall(at)
        (slope,) = torch.autograd.grad(values.sum(), at)
    return values.detach(), slope
