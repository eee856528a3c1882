"""Small layers: activation normalisation, permutation, and the planar and radial flows of Rezende & Mohamed.

Planar and radial layers (2015, arXiv:1505.05770) have few parameters and live in the 2-D gallery, so their backward
pass is autograd's; their inverses are exact, by a one-dimensional equation each.
"""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import Tensor
from torch.nn.functional import softplus

from flowlab.nets.engine.conditioner import Take


class ActivationNorm:
    """y = x e^s + t with one s and t per feature, set by the first batch to give mean 0 and deviation 1

    (Kingma & Dhariwal 2018, arXiv:1807.03039). dt = sum g, ds = e^s sum(g x) - 1, dx = g e^s, sums over the batch.
    """

    mask = None

    def __init__(self, n_features: int):
        self.n_log_det = n_features
        self.shapes = [(n_features, 1), (n_features, 1)]

    def attach(self, weights: list[Tensor], gradients: list[Tensor]) -> None:
        self.log_scale, self.shift = weights
        self.log_scale_gradient, self.shift_gradient = gradients

    def initialize(self, generator: torch.Generator) -> None:
        """The identity, until `start_from` sees data."""

    def start_from(self, x: Tensor) -> None:
        self.log_scale.copy_(-x.std(1, keepdim=True).clamp_min(1e-3).log())
        self.shift.copy_(-x.mean(1, keepdim=True) * self.log_scale.exp())

    def buffers(self, w: SimpleNamespace, batch: int, take: Take, training: bool) -> None:
        w.scaled = take("scaled", tuple(w.x.shape))

    def forward(self, w: SimpleNamespace) -> None:
        torch.mul(w.x, self.log_scale.exp(), out=w.scaled)
        torch.add(w.scaled, self.shift, out=w.x)
        w.log_det.copy_(self.log_scale.expand_as(w.log_det))

    def inverse(self, w: SimpleNamespace) -> None:
        w.x.sub_(self.shift).mul_(torch.exp(-self.log_scale))
        w.log_det.copy_(-self.log_scale.expand_as(w.log_det))

    def backward(self, w: SimpleNamespace) -> None:
        self.shift_gradient.copy_(w.g.sum(1, keepdim=True))
        self.log_scale_gradient.copy_((w.g * w.scaled).sum(1, keepdim=True)).sub_(1)
        w.g.mul_(self.log_scale.exp())

    def readout(self, w: SimpleNamespace, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
        return self.log_scale.expand_as(before), self.shift.expand_as(before)


class Permutation:
    """Reorder the features: row i of the output is row order[i] of the input."""

    mask = None
    n_log_det = 0
    shapes: list[tuple[int, int]] = []

    def __init__(self, order: list[int]):
        self.order = torch.tensor(order)
        self.order_back = torch.argsort(self.order)

    def attach(self, weights: list[Tensor], gradients: list[Tensor]) -> None:
        pass

    def initialize(self, generator: torch.Generator) -> None:
        pass

    def buffers(self, w: SimpleNamespace, batch: int, take: Take, training: bool) -> None:
        pass

    def forward(self, w: SimpleNamespace) -> None:
        w.x.copy_(w.x[self.order])

    def inverse(self, w: SimpleNamespace) -> None:
        w.x.copy_(w.x[self.order_back])

    def backward(self, w: SimpleNamespace) -> None:
        w.g.copy_(w.g[self.order_back])

    def readout(self, w: SimpleNamespace, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
        return torch.zeros_like(before), torch.zeros_like(before)


class AutogradLayer:
    """A layer given by `_map(x, *weights) -> (y, log_det)` and `_solve(y, *weights) -> x`; autograd goes back."""

    mask = None
    n_log_det = 1
    shapes: list[tuple[int, int]]

    def attach(self, weights: list[Tensor], gradients: list[Tensor]) -> None:
        self.weights, self.gradients = weights, gradients

    def buffers(self, w: SimpleNamespace, batch: int, take: Take, training: bool) -> None:
        w.before = take("before", tuple(w.x.shape))

    def forward(self, w: SimpleNamespace) -> None:
        w.before.copy_(w.x)
        y, log_det = self._map(w.before, *self.weights)
        w.x.copy_(y)
        w.log_det.copy_(log_det.unsqueeze(0))

    def inverse(self, w: SimpleNamespace) -> None:
        w.x.copy_(self._solve(w.x, *self.weights))
        _, log_det = self._map(w.x, *self.weights)
        w.log_det.copy_(-log_det.unsqueeze(0))

    def backward(self, w: SimpleNamespace) -> None:
        with torch.inference_mode(False), torch.enable_grad():
            inputs = [t.clone().requires_grad_() for t in (w.before, *self.weights)]
            y, log_det = self._map(*inputs)
            outward = w.g.clone(), torch.full_like(log_det, -1 / len(log_det))
            g, *gradients = torch.autograd.grad((y, log_det), inputs, outward)
        w.g.copy_(g)
        for own, gradient in zip(self.gradients, gradients):
            own.copy_(gradient)

    def readout(self, w: SimpleNamespace, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
        """No scale per feature; the displacement as shift."""
        return torch.zeros_like(before), after - before


class Planar(AutogradLayer):
    """y = x + u tanh(w.x + b): pushes along u across the line w.x + b = 0; log-det log(1 + w.u (1 - tanh^2)).

    u is corrected so that w.u > -1 (their appendix A.1), which makes the map invertible.
    """

    def __init__(self, n_features: int):
        self.shapes = [(n_features, 1), (n_features, 1), (1, 1)]

    def initialize(self, generator: torch.Generator) -> None:
        normal, along, offset = self.weights
        normal.normal_(generator=generator)
        along.normal_(0, 0.1, generator=generator)
        offset.normal_(generator=generator)

    @staticmethod
    def _corrected(normal: Tensor, along: Tensor) -> tuple[Tensor, Tensor]:
        """u with w.u above -1, and that product."""
        product = (normal * along).sum()
        allowed = softplus(product) - 1 + 1e-3
        return along + (allowed - product) * normal / (normal * normal).sum().clamp_min(1e-12), allowed

    def _map(self, x: Tensor, normal: Tensor, along: Tensor, offset: Tensor) -> tuple[Tensor, Tensor]:
        u, product = self._corrected(normal, along)
        bend = torch.tanh((normal * x).sum(0) + offset[0])
        return x + u * bend, torch.log1p(product * (1 - bend * bend))

    def _solve(self, y: Tensor, normal: Tensor, along: Tensor, offset: Tensor) -> Tensor:
        """a = w.x solves a + w.u tanh(a + b) = w.y; the left side rises, so bisection finds it."""
        u, product = self._corrected(normal, along)
        target = (normal * y).sum(0)
        low, high = target - product.abs(), target + product.abs()
        for _ in range(60):
            middle = 0.5 * (low + high)
            above = middle + product * torch.tanh(middle + offset[0]) > target
            low, high = torch.where(above, low, middle), torch.where(above, middle, high)
        return y - u * torch.tanh(0.5 * (low + high) + offset[0])


class Radial(AutogradLayer):
    """y = x + beta (x - x_0) / (alpha + r), r = |x - x_0|: swells or shrinks the plane around x_0.

    With h = 1 / (alpha + r) the log-det is (d - 1) log(1 + beta h) + log(1 + alpha beta h^2); alpha > 0 and
    beta > -alpha (their appendix A.2) make the map invertible.
    """

    def __init__(self, n_features: int):
        self.n_features = n_features
        self.shapes = [(n_features, 1), (1, 1), (1, 1)]

    def initialize(self, generator: torch.Generator) -> None:
        center, alpha, beta = self.weights
        center.normal_(generator=generator)
        alpha.fill_(0.5)
        beta.normal_(0.5, 0.1, generator=generator)

    @staticmethod
    def _strengths(alpha: Tensor, beta: Tensor) -> tuple[Tensor, Tensor]:
        alpha = softplus(alpha[0]) + 1e-3
        return alpha, softplus(beta[0]) - alpha + 1e-3

    def _map(self, x: Tensor, center: Tensor, alpha: Tensor, beta: Tensor) -> tuple[Tensor, Tensor]:
        alpha, beta = self._strengths(alpha, beta)
        away = x - center
        h = 1 / (alpha + (away * away).sum(0).clamp_min(1e-24).sqrt())
        log_det = (self.n_features - 1) * torch.log1p(beta * h) + torch.log1p(alpha * beta * h * h)
        return x + beta * h * away, log_det

    def _solve(self, y: Tensor, center: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
        """|y - x_0| = r (1 + beta / (alpha + r)) is a quadratic equation in r."""
        alpha, beta = self._strengths(alpha, beta)
        away = y - center
        reach = (away * away).sum(0).sqrt()
        half = 0.5 * (reach - alpha - beta)
        r = half + torch.sqrt(half * half + alpha * reach)
        return center + away / (1 + beta / (alpha + r))
