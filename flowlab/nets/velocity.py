"""A velocity field that carries data to noise in one unit of time, and the density it gives.

The field is learned by flow matching (Lipman et al. 2023, arXiv:2210.02747; Liu et al. 2023, arXiv:2209.03003): on the
straight line x_t = (1 - t) x + t z from a row to a draw of the base it is to be z - x. Its density is that of the
instantaneous change of variables (Chen et al. 2018, arXiv:1806.07366, eq. 8): log p(x) is log N(z) and the integral
of the divergence over the path. The divergence is exact, a directional derivative for each column.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from flowlab.nets.module import FlatModule, load

ROWS = 4096
TIME_FEATURES = 5
"""What the network is told of the time: t, and sine and cosine of half a turn and a whole one."""


class VelocityField(nn.Module):
    """A network of `n_hidden` hidden layers from (x, t) to a velocity; smooth, so that its divergence is too."""

    def __init__(self, n_features: int, hidden_features: int, n_hidden: int) -> None:
        super().__init__()
        sizes = [n_features + TIME_FEATURES, *[hidden_features] * n_hidden, n_features]
        linears = [nn.Linear(n_in, n_out) for n_in, n_out in pairwise(sizes)]
        self.hidden, self.last = nn.ModuleList(linears[:-1]), linears[-1]

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Velocity (n, n_features) at x (n, n_features) and times t (n, 1)."""
        h = torch.cat([x, _time(t)], dim=1)
        for linear in self.hidden:
            h = nn.functional.silu(linear(h))
        return self.last(h)

    def with_divergence(self, x: Tensor, t: float) -> tuple[Tensor, Tensor]:
        """Velocity (n, n_features) and divergence (n,) at one time: a tangent of each column goes through with x."""
        n, d = x.shape
        h = torch.cat([x, _time(x.new_full((n, 1), t))], dim=1)
        tangents = x.new_zeros(d, n, h.shape[1])
        tangents[torch.arange(d), :, torch.arange(d)] = 1.0
        for linear in self.hidden:
            assert isinstance(linear, nn.Linear)
            h, tangents = linear(h), tangents @ linear.weight.t()
            gate = torch.sigmoid(h)
            tangents = tangents * (gate * (1 + h * (1 - gate)))
            h = h * gate
        return self.last(h), torch.einsum("dnh,dh->n", tangents, self.last.weight)


def _time(t: Tensor) -> Tensor:
    turns = [f(k * math.pi * t) for k in (1, 2) for f in (torch.sin, torch.cos)]
    return torch.cat([t, *turns], dim=1)


def build(n_features: int, hidden_features: int, n_hidden: int, seed: int) -> VelocityField:
    """A new field, its weights drawn from `seed` without touching torch's global generator."""
    with torch.random.fork_rng(devices=[]), torch.inference_mode(False):
        torch.manual_seed(seed)
        return VelocityField(n_features, hidden_features, n_hidden)


def loaded(field: VelocityField, parameters: np.ndarray) -> VelocityField:
    """This field with the flat `parameters`, in float64, no longer trained."""
    return load(field.double(), parameters).eval().requires_grad_(False)


def trainable(field: VelocityField, n_features: int) -> FlatModule[VelocityField]:
    """The field as a net of the training loop, its loss the squared distance from the straight line's velocity."""
    return FlatModule(field, n_features, flow_matching_loss)


def flow_matching_loss(field: VelocityField, rows: Tensor, generator: torch.Generator | None) -> Tensor:
    """Squared error of each row's velocity at a random time, (n,), summed over columns; without unit.

    Without a generator times are spread evenly and the noise is fixed, so that validation losses can be compared.
    """
    if generator is None:
        generator = torch.Generator().manual_seed(len(rows))
    t = (torch.arange(len(rows))[:, None] + torch.rand(len(rows), 1, generator=generator)) / len(rows)
    t = t[torch.randperm(len(rows), generator=generator)]
    z = torch.randn(rows.shape, generator=generator)
    return (field(torch.lerp(rows, z, t), t) - (z - rows)).square().sum(1)


def times(n_stretches: int, n_steps: int) -> np.ndarray:
    """Ends of the steps of each stretch, (n_stretches, n_steps + 1), from 0 to 1; closer together near the data.

    There the field is steep: it has to tell apart what the noise has not yet blurred.
    """
    even = np.linspace(0.0, 1.0, n_stretches * n_steps + 1) ** 2
    return np.stack([even[i * n_steps : (i + 1) * n_steps + 1] for i in range(n_stretches)])


def path(field: VelocityField, rows: np.ndarray, ends: np.ndarray, is_back: bool = False) -> np.ndarray:
    """Positions (n_stretches + 1, n, n_features) of rows carried through `times`; `is_back`, from noise to data."""
    with torch.inference_mode():
        parts = [_positions(field, part, ends, is_back) for part in torch.tensor(rows, dtype=torch.float64).split(ROWS)]
    return np.concatenate(parts, axis=1)


def _positions(field: VelocityField, x: Tensor, ends: np.ndarray, is_back: bool) -> np.ndarray:
    positions = [x]
    for stretch in ends[::-1, ::-1] if is_back else ends:
        for before, after in pairwise(stretch):
            x = _step(field, x, before, after)
        positions.append(x)
    return torch.stack(positions).numpy()


def _step(field: VelocityField, x: Tensor, before: float, after: float) -> Tensor:
    """One step of the classical Runge-Kutta method of order 4."""
    h = after - before

    def velocity(at: Tensor, t: float) -> Tensor:
        return field(at, at.new_full((len(at), 1), t))

    k1 = velocity(x, before)
    k2 = velocity(x + 0.5 * h * k1, before + 0.5 * h)
    k3 = velocity(x + 0.5 * h * k2, before + 0.5 * h)
    k4 = velocity(x + h * k3, after)
    return x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def path_with_log_det(field: VelocityField, rows: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions (n_stretches + 1, n, n_features), and the integral of the divergence over each stretch in nats."""
    with torch.inference_mode():
        parts = [_integrated(field, part, ends) for part in torch.tensor(rows, dtype=torch.float64).split(ROWS)]
    positions, log_dets = (np.concatenate(part, axis=1) for part in zip(*parts, strict=True))
    return positions, log_dets


def _integrated(field: VelocityField, x: Tensor, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    positions, log_dets = [x], []
    for stretch in ends:
        log_det = x.new_zeros(len(x))
        for before, after in pairwise(stretch):
            h, middle = after - before, 0.5 * (before + after)
            k1, d1 = field.with_divergence(x, before)
            k2, d2 = field.with_divergence(x + 0.5 * h * k1, middle)
            k3, d3 = field.with_divergence(x + 0.5 * h * k2, middle)
            k4, d4 = field.with_divergence(x + h * k3, after)
            x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            log_det = log_det + h / 6 * (d1 + 2 * d2 + 2 * d3 + d4)
        positions.append(x)
        log_dets.append(log_det)
    return torch.stack(positions).numpy(), torch.stack(log_dets).numpy()


def jacobian(field: VelocityField, row: np.ndarray, ends: np.ndarray, stretch: int | None = None) -> np.ndarray:
    """Jacobian (n_features, n_features) of all steps, or of those of `stretch` (0 the first), at a row by autograd."""
    x = torch.tensor(np.tile(row, (len(row), 1)), dtype=torch.float64)
    first, last = (0, len(ends)) if stretch is None else (stretch, stretch + 1)
    with torch.no_grad():
        for before, after in (pair for part in ends[:first] for pair in pairwise(part)):
            x = _step(field, x, before, after)
    start = x.requires_grad_()
    for before, after in (pair for part in ends[first:last] for pair in pairwise(part)):
        x = _step(field, x, before, after)
    return torch.autograd.grad(x.diagonal().sum(), start)[0].numpy()
