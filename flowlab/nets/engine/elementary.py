"""Small layers: activation normalisation, permutation, a linear map, planar and radial flows of Rezende & Mohamed.

Planar and radial layers (2015, arXiv:1505.05770) have few parameters and suit densities in two dimensions; the
inverse of each solves a one-dimensional equation.
"""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import Tensor
from torch.nn.functional import softplus

from flowlab.nets.engine.conditioner import Take


class ActivationNorm:
    """y = x e^s + t, one s and t per feature, set by the first batch so that y has mean 0 and standard deviation 1.

    Kingma & Dhariwal 2018, arXiv:1807.03039. dt = sum g, ds = e^s sum(g x) - 1, dx = g e^s, sums over the batch.
    """

    mask = None
    kind = "rescaling"

    def __init__(self, n_features: int):
        self.n_log_det = n_features
        self.shapes = [(n_features, 1), (n_features, 1)]

    def attach(self, weights: list[Tensor], gradients: list[Tensor]) -> None:
        """Take views of the stack's flat parameters and gradient, one matrix for each of `shapes`."""
        self.log_scale, self.shift = weights
        self.log_scale_gradient, self.shift_gradient = gradients

    def initialize(self, generator: torch.Generator) -> None:
        """Nothing to draw: the identity, until `start_from` sets s and t."""

    def start_from(self, x: Tensor) -> None:
        """Set s and t so that x (n_features, batch) leaves with mean 0 and standard deviation 1."""
        self.log_scale.copy_(-x.std(1, keepdim=True).clamp_min(1e-3).log())
        self.shift.copy_(-x.mean(1, keepdim=True) * self.log_scale.exp())

    def buffers(self, w: SimpleNamespace, batch: int, take: Take, training: bool) -> None:
        """Put into `w` the scaled features, which `backward` needs."""
        w.scaled = take("scaled", tuple(w.x.shape))

    def forward(self, w: SimpleNamespace) -> None:
        """Data to latent, in place of `w.x`; s goes into `w.log_det`."""
        torch.mul(w.x, self.log_scale.exp(), out=w.scaled)
        torch.add(w.scaled, self.shift, out=w.x)
        w.log_det.copy_(self.log_scale.expand_as(w.log_det))

    def inverse(self, w: SimpleNamespace) -> None:
        """Latent to data, in place of `w.x`; -s goes into `w.log_det`."""
        w.x.sub_(self.shift).mul_(torch.exp(-self.log_scale))
        w.log_det.copy_(-self.log_scale.expand_as(w.log_det))

    def backward(self, w: SimpleNamespace) -> None:
        """Turn `w.g` from d loss / d y into d loss / d x; fill the gradients of s and t."""
        self.shift_gradient.copy_(w.g.sum(1, keepdim=True))
        self.log_scale_gradient.copy_((w.g * w.scaled).sum(1, keepdim=True)).sub_(w.log_det_weight)
        w.g.mul_(self.log_scale.exp())

    def readout(self, w: SimpleNamespace, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
        """Log-scale and shift of every feature, each (n_features, batch)."""
        return self.log_scale.expand_as(before), self.shift.expand_as(before)


class Permutation:
    """Reorder the features: row i of the output is row order[i] of the input."""

    mask = None
    kind = "permutation"
    n_log_det = 0
    shapes: list[tuple[int, int]] = []

    def __init__(self, order: list[int]):
        self.order = torch.tensor(order)
        self.order_back = torch.argsort(self.order)

    def attach(self, weights: list[Tensor], gradients: list[Tensor]) -> None:
        """Nothing to take: no parameters."""

    def initialize(self, generator: torch.Generator) -> None:
        """Nothing to draw: no parameters."""

    def buffers(self, w: SimpleNamespace, batch: int, take: Take, training: bool) -> None:
        """Nothing to prepare."""

    def forward(self, w: SimpleNamespace) -> None:
        """Reorder the rows of `w.x` in place; no log-determinant."""
        w.x.copy_(w.x[self.order])

    def inverse(self, w: SimpleNamespace) -> None:
        """Undo `forward`, in place of `w.x`."""
        w.x.copy_(w.x[self.order_back])

    def backward(self, w: SimpleNamespace) -> None:
        """Put the rows of `w.g` back into the order before the layer."""
        w.g.copy_(w.g[self.order_back])

    def readout(self, w: SimpleNamespace, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
        """Log-scale and shift, both 0, each (n_features, batch)."""
        return torch.zeros_like(before), torch.zeros_like(before)


class LinearLU:
    """y = L U x, L with ones on its diagonal and U with exp(s) on its: a mixture of all features that is learned.

    Kingma & Dhariwal 2018, arXiv:1807.03039, section 3.2. It begins as the identity; the log-determinant is sum s.
    With G = sum g x^T over the batch: dL = G U^T below the diagonal, dU = L^T G above it, dx = (L U)^T g.
    """

    kind = "linear"

    def __init__(self, n_features: int):
        self.n_log_det = n_features
        self.shapes = [(n_features, n_features), (n_features, n_features), (n_features, 1)]
        whole = torch.ones(n_features, n_features)
        self.mask = [whole.tril(-1), whole.triu(1), whole[:, :1]]

    def attach(self, weights: list[Tensor], gradients: list[Tensor]) -> None:
        """Take views of the stack's flat parameters and gradient, one matrix for each of `shapes`."""
        self.below, self.above, self.log_diagonal = weights
        self.gradients = gradients

    def initialize(self, generator: torch.Generator) -> None:
        """Nothing to draw: the identity."""

    def buffers(self, w: SimpleNamespace, batch: int, take: Take, training: bool) -> None:
        """Put into `w` the features before, which `backward` needs."""
        w.before = take("before", tuple(w.x.shape))

    def forward(self, w: SimpleNamespace) -> None:
        """Data to latent, in place of `w.x`; s goes into `w.log_det`."""
        w.before.copy_(w.x)
        lower, upper = self._factors()
        torch.mm(lower, upper @ w.before, out=w.x)
        w.log_det.copy_(self.log_diagonal.expand_as(w.log_det))

    def inverse(self, w: SimpleNamespace) -> None:
        """Latent to data, in place of `w.x`; -s goes into `w.log_det`."""
        lower, upper = self._factors()
        inner = torch.linalg.solve_triangular(lower, w.x, upper=False, unitriangular=True)
        w.x.copy_(torch.linalg.solve_triangular(upper, inner, upper=True))
        w.log_det.copy_(-self.log_diagonal.expand_as(w.log_det))

    def backward(self, w: SimpleNamespace) -> None:
        """Turn `w.g` from d loss / d y into d loss / d x; fill the gradients of L, U and s."""
        lower, upper = self._factors()
        outer = w.g @ w.before.t()
        by_upper = lower.t() @ outer
        torch.mm(outer, upper.t(), out=self.gradients[0])
        self.gradients[1].copy_(by_upper)
        self.gradients[2].copy_((by_upper.diagonal() * upper.diagonal())[:, None]).sub_(w.log_det_weight)
        w.g.copy_(upper.t() @ (lower.t() @ w.g))

    def readout(self, w: SimpleNamespace, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
        """Log-diagonal of U, and the displacement as shift, each (n_features, batch)."""
        return self.log_diagonal.expand_as(before), after - before

    def _factors(self) -> tuple[Tensor, Tensor]:
        """L and U, (n_features, n_features) each."""
        eye = torch.eye(len(self.below), dtype=self.below.dtype)
        return self.below + eye, self.above + torch.diag(self.log_diagonal[:, 0].exp())


class PointLayer:
    """What planar and radial layers share: few parameters, one log-determinant per row, no scale per feature."""

    mask = None
    kind: str
    n_log_det = 1
    shapes: list[tuple[int, int]]

    def attach(self, weights: list[Tensor], gradients: list[Tensor]) -> None:
        """Take views of the stack's flat parameters and gradient, one matrix for each of `shapes`."""
        self.weights, self.gradients = weights, gradients

    def buffers(self, w: SimpleNamespace, batch: int, take: Take, training: bool) -> None:
        """Put into `w` c = d loss / d log-determinant, which is the same for every row."""
        w.log_det_gradient = -w.log_det_weight / batch

    def readout(self, w: SimpleNamespace, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
        """No scale per feature; the displacement as shift."""
        return torch.zeros_like(before), after - before


class Planar(PointLayer):
    """y = x + v h, h = tanh(a), a = w.x + b: shifts along v, across the line a = 0; log-det log(1 + p h'), p = w.v.

    Invertible where p > -1, so v = u + k w with k = (p - w.u) / |w|^2, p = softplus(w.u) - 1 (their appendix A.1).
    With h' = 1 - h^2 and c = d loss / d log-det:

        da = h' v.g - 2 c p h h' / (1 + p h')        dx = g + w da        dv = sum g h        db = sum da
        dk = w.dv        dp = sum c h' / (1 + p h') + dk / |w|^2        dr = dp sigmoid(r) - dk / |w|^2, r = w.u
        du = dv + dr w        dw = sum x da + k dv + dr u - 2 (k dk / |w|^2) w
    """

    kind = "planar"

    def __init__(self, n_features: int):
        self.shapes = [(n_features, 1), (n_features, 1), (1, 1)]

    def initialize(self, generator: torch.Generator) -> None:
        """Draw w and b standard normal, and u small: the layer starts with a weak shift."""
        normal, along, offset = self.weights
        normal.normal_(generator=generator)
        along.normal_(0, 0.1, generator=generator)
        offset.normal_(generator=generator)

    def _push(self) -> SimpleNamespace:
        """v, p and what leads to them; p stays 0.001 above -1."""
        normal, along, _ = self.weights
        r, square = (normal * along).sum(), (normal * normal).sum().clamp_min(1e-12)
        p = softplus(r) - 1 + 1e-3
        k = (p - r) / square
        return SimpleNamespace(r=r, square=square, p=p, k=k, v=along + k * normal)

    def forward(self, w: SimpleNamespace) -> None:
        """Data to latent, in place of `w.x`; the log-determinant goes into `w.log_det`."""
        normal, _, offset = self.weights
        w.push, w.before = self._push(), w.x.clone()
        w.h = torch.tanh((normal * w.x).sum(0) + offset[0])
        w.slope = 1 - w.h * w.h
        w.x.add_(w.push.v * w.h)
        torch.log1p(w.push.p * w.slope, out=w.log_det[0])

    def backward(self, w: SimpleNamespace) -> None:
        """Turn `w.g` from d loss / d y into d loss / d x; fill the gradients of w, u and b."""
        (normal, along, _), push, c = self.weights, w.push, w.log_det_gradient
        slope_ratio = w.slope / (1 + push.p * w.slope)
        da = w.slope * (push.v * w.g).sum(0) - 2 * c * push.p * w.h * slope_ratio
        dv = w.g @ w.h.unsqueeze(1)
        dk = (normal * dv).sum()
        dp = c * slope_ratio.sum() + dk / push.square
        dr = dp * torch.sigmoid(push.r) - dk / push.square
        normal_gradient, along_gradient, offset_gradient = self.gradients
        torch.mm(w.before, da.unsqueeze(1), out=normal_gradient)
        normal_gradient.add_(push.k * dv + dr * along - 2 * push.k * dk / push.square * normal)
        torch.add(dv, dr * normal, out=along_gradient)
        offset_gradient.fill_(da.sum())
        w.g.add_(normal * da)

    def inverse(self, w: SimpleNamespace) -> None:
        """a - b = w.x solves q + p tanh(q + b) = w.y; the left side rises with q, so bisection finds it."""
        normal, _, offset = self.weights
        push = self._push()
        target = (normal * w.x).sum(0)
        low, high = target - push.p.abs(), target + push.p.abs()
        for _ in range(60):
            middle = 0.5 * (low + high)
            above = middle + push.p * torch.tanh(middle + offset[0]) > target
            low, high = torch.where(above, low, middle), torch.where(above, middle, high)
        h = torch.tanh(0.5 * (low + high) + offset[0])
        w.x.sub_(push.v * h)
        torch.log1p(push.p * (1 - h * h), out=w.log_det[0])
        w.log_det.neg_()


class Radial(PointLayer):
    """y = x + s (x - x_0), s = beta h, h = 1 / (alpha + r), r = |x - x_0|: expands or contracts the plane around x_0.

    log-det (d - 1) log(1 + s) + log(1 + alpha s h); alpha > 0 and beta > -alpha keep it invertible (their appendix
    A.2). With c = d loss / d log-det, q = (x - x_0).g + c (d - 1) / (1 + s) and e = c h / (1 + alpha s h):

        dh = beta (q + 2 alpha e)        dbeta = sum h (q + alpha e)        dalpha = sum (s e - h^2 dh)
        dx = (1 + s) g - h^2 dh (x - x_0) / r        dx_0 = sum (g - dx)
    """

    kind = "radial"

    def __init__(self, n_features: int):
        self.n_features = n_features
        self.shapes = [(n_features, 1), (1, 1), (1, 1)]

    def initialize(self, generator: torch.Generator) -> None:
        """Draw x_0 standard normal and the raw beta near 0.5; the raw alpha starts at 0.5."""
        center, alpha, beta = self.weights
        center.normal_(generator=generator)
        alpha.fill_(0.5)
        beta.normal_(0.5, 0.1, generator=generator)

    def _strengths(self) -> tuple[Tensor, Tensor]:
        """alpha above 0 and beta above -alpha, from raw parameters."""
        _, alpha, beta = self.weights
        positive = softplus(alpha[0]) + 1e-3
        return positive, softplus(beta[0]) - positive + 1e-3

    def _write_log_det(self, w: SimpleNamespace, s: Tensor, alpha: Tensor, h: Tensor) -> None:
        w.log_det[0] = (self.n_features - 1) * torch.log1p(s) + torch.log1p(alpha * s * h)

    def forward(self, w: SimpleNamespace) -> None:
        """Data to latent, in place of `w.x`; the log-determinant goes into `w.log_det`."""
        w.alpha, w.beta = self._strengths()
        w.difference = w.x - self.weights[0]
        w.r = (w.difference * w.difference).sum(0).clamp_min_(1e-24).sqrt_()
        w.h = 1 / (w.alpha + w.r)
        w.s = w.beta * w.h
        w.x.addcmul_(w.s, w.difference)
        self._write_log_det(w, w.s, w.alpha, w.h)

    def backward(self, w: SimpleNamespace) -> None:
        """Turn `w.g` from d loss / d y into d loss / d x; fill the gradients of x_0, alpha and beta."""
        alpha, beta, h, s, c = w.alpha, w.beta, w.h, w.s, w.log_det_gradient
        q = (w.difference * w.g).sum(0) + c * (self.n_features - 1) / (1 + s)
        e = c * h / (1 + alpha * s * h)
        dh = beta * (q + 2 * alpha * e)
        pull = h * h * dh
        dbeta = (h * (q + alpha * e)).sum()
        dalpha = (s * e - pull).sum() - dbeta  # beta = softplus(raw) - alpha
        center_gradient, alpha_gradient, beta_gradient = self.gradients
        alpha_gradient.copy_(dalpha * torch.sigmoid(self.weights[1]))
        beta_gradient.copy_(dbeta * torch.sigmoid(self.weights[2]))
        torch.sum(w.g, 1, keepdim=True, out=center_gradient)
        w.g.mul_(1 + s).sub_(w.difference * (pull / w.r))
        center_gradient.sub_(w.g.sum(1, keepdim=True))

    def inverse(self, w: SimpleNamespace) -> None:
        """|y - x_0| = r (1 + beta / (alpha + r)) is a quadratic equation in r."""
        alpha, beta = self._strengths()
        difference = w.x - self.weights[0]
        distance = (difference * difference).sum(0).sqrt_()
        half = 0.5 * (distance - alpha - beta)
        h = 1 / (alpha + half + torch.sqrt(half * half + alpha * distance))
        torch.add(self.weights[0], difference / (1 + beta * h), out=w.x)
        self._write_log_det(w, beta * h, alpha, h)
        w.log_det.neg_()
