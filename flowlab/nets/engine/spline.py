"""Monotonic rational-quadratic splines (Durkan et al. 2019, arXiv:1906.04032), with linear tails.

Inside [-B, B] a feature passes through K bins of widths w_k and heights h_k with derivatives d_k at the knots;
outside it is left alone. In bin k, with theta = (x - x_k) / w_k, delta = h_k / w_k, m = theta (1 - theta) and
d_0, d_1 the derivatives at the bin's two ends (their eqs. 4 and 5, divided through by delta):

    y = y_k + num / den        num = h_k (delta theta^2 + d_0 m)        den = delta + (d_0 + d_1 - 2 delta) m
    dy/dx = (delta / den)^2 dn        dn = d_1 theta^2 + 2 delta m + d_0 (1 - theta)^2

The backward pass differentiates y and l = log dy/dx = 2 log delta + log dn - 2 log den through num, den and dn. With
g = d loss / d y and c = d loss / d l:

    g_num = g / den        g_den = -g num / den^2 - 2 c / den        g_dn = c / dn
    g_delta = g_num h theta^2 + g_den (1 - 2 m) + 2 m g_dn + 2 c / delta
    g_theta = g_num h (2 delta theta + d_0 (1 - 2 theta)) + g_den (d_0 + d_1 - 2 delta)(1 - 2 theta)
              + 2 g_dn (d_1 theta + delta (1 - 2 theta) - d_0 (1 - theta))
    g_d0 = (g_num h + g_den) m + g_dn (1 - theta)^2        g_d1 = g_den m + g_dn theta^2
    g_h = g_num (delta theta^2 + d_0 m) + g_delta / w      g_w = -(g_delta delta + g_theta theta) / w

and dx = g_theta / w. The left knots are sums of the bins before, x_k = -B + sum_{j<k} w_j, so every earlier width
receives d loss / d x_k = -g_theta / w, and every earlier height d loss / d y_k = g. Widths and heights are softmaxes
of raw outputs, derivatives are softplus; their Jacobians close the chain.
"""

from __future__ import annotations

import math
from types import ModuleType, SimpleNamespace

import torch
from torch import Tensor
from torch.nn.functional import softplus

from flowlab.nets.engine.conditioner import Take

MIN_BIN = 1e-3
"""Smallest width and height of a bin, as a share of the interval."""
MIN_DERIVATIVE = 1e-3


class Spline:
    """Rational-quadratic spline of each feature; raw is K widths, K heights, K - 1 derivatives, ((3K - 1) n, batch).

    With numba the three passes are kernels (`spline_kernels`), without it they are tensor operations; the results
    agree to rounding. `use_numba=None` takes numba where it imports.
    """

    gain = 0.1

    def __init__(self, n_bins: int = 8, tail_bound: float = 4.0, use_numba: bool | None = None):
        if n_bins < 2 or n_bins * MIN_BIN >= 1:
            raise ValueError(f"n_bins must be from 2 to {round(1 / MIN_BIN) - 1}, not {n_bins}")
        if not tail_bound > 0:
            raise ValueError(f"tail_bound must be positive, not {tail_bound}")
        self.n_bins, self.tail_bound = n_bins, float(tail_bound)
        self.n_raw = 3 * n_bins - 1
        self.kernels = None if use_numba is False else _kernels(required=bool(use_numba))

    def initialize(self, last_weight: Tensor) -> None:
        """Derivatives begin at one: with near-equal bins that is the identity."""
        n = last_weight.shape[0] // self.n_raw
        last_weight[2 * self.n_bins * n :, 0] = math.log(math.expm1(1 - MIN_DERIVATIVE))

    def buffers(self, w: SimpleNamespace, n: int, batch: int, take: Take, training: bool) -> None:
        """Put into `w`: views of `w.raw` as bins and derivatives, of its gradient, and what `backward` reads."""
        k = self.n_bins
        w.bins = w.raw[: 2 * k * n].view(2, k, n, batch)
        w.slopes = w.raw[2 * k * n :].view(k - 1, n, batch)
        w.training = training
        w.shares = take("shares", (2, k, n, batch))
        w.log_det_gradient = -w.log_det_weight / batch
        if training:
            w.bins_gradient = w.raw_gradient[: 2 * k * n].view(2, k, n, batch)
            w.slopes_gradient = w.raw_gradient[2 * k * n :].view(k - 1, n, batch)
        if self.kernels:
            w.saved, w.bin = take("saved", (5, n, batch)), take("bin", (n, batch), dtype=torch.int32)
            w.arrays = [a.numpy() for a in (w.shares, w.slopes, w.saved, w.bin)]
            w.log_det_array = w.log_det.numpy()
            w.out_gradient = w.raw_gradient.view(self.n_raw, n, batch).numpy() if training else None

    def forward(self, w: SimpleNamespace, x: Tensor, y: Tensor) -> None:
        """Write y of x into `y`, and log dy/dx into `w.log_det`; all (n, batch)."""
        torch.softmax(w.bins, 1, out=w.shares)
        if self.kernels:
            shares, slopes, saved, bin_ = w.arrays
            self.kernels.forward(x.numpy(), shares, slopes, y.numpy(), w.log_det_array, saved, bin_, self.tail_bound)
        else:
            self._forward(w, x, y)

    def backward(self, w: SimpleNamespace, g: Tensor) -> None:
        """Turn `g` from d loss / d y into d loss / d x in place; fill `w.raw_gradient`."""
        if self.kernels:
            shares, _, saved, bin_ = w.arrays
            self.kernels.backward(g.numpy(), w.log_det_gradient, shares, saved, bin_, w.out_gradient, self.tail_bound)
        else:
            self._backward(w, g)

    def inverse(self, w: SimpleNamespace, y: Tensor, x: Tensor) -> None:
        """Write x of y into `x`, and log dx/dy into `w.log_det`; all (n, batch)."""
        torch.softmax(w.bins, 1, out=w.shares)
        if self.kernels:
            shares, slopes, _, _ = w.arrays
            self.kernels.inverse(y.numpy(), shares, slopes, x.numpy(), w.log_det_array, self.tail_bound)
        else:
            self._inverse(w, y, x)

    def readout(self, w: SimpleNamespace, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Log-derivative and displacement y - x at each point: what scale and shift are for an affine layer."""
        return w.log_det, y - x

    def _locate(self, w: SimpleNamespace, v: Tensor, side: int) -> SimpleNamespace:
        """The bin of each `v`, on the x axis (side 0) or the y axis (side 1), and what belongs to that bin."""
        bound, k = self.tail_bound, self.n_bins
        sizes = w.shares.mul(2 * bound * (1 - MIN_BIN * k)).add_(2 * bound * MIN_BIN)
        ends = torch.cumsum(sizes, 1).sub_(bound)
        b = SimpleNamespace(inside=v.abs() < bound, v=v.clamp(-bound + 1e-6, bound - 1e-6))
        b.index = (b.v >= ends[side, :-1]).sum(0, keepdim=True)
        index = b.index.unsqueeze(0).expand(2, 1, *v.shape)
        b.width, b.height = sizes.gather(1, index)[:, 0]
        b.right, b.top = ends.gather(1, index)[:, 0]
        one = torch.ones(1, *v.shape, dtype=v.dtype)
        knots = torch.cat([one, softplus(w.slopes) + MIN_DERIVATIVE, one])
        b.d0, b.d1 = knots.gather(0, b.index)[0], knots.gather(0, b.index + 1)[0]
        b.delta = b.height / b.width
        b.curve = b.d0 + b.d1 - 2 * b.delta
        return b

    def _terms(self, b: SimpleNamespace, theta: Tensor) -> None:
        b.theta, b.rest = theta, 1 - theta
        b.m = theta * b.rest
        b.num = b.height * (b.delta * theta * theta + b.d0 * b.m)
        b.den = torch.addcmul(b.delta, b.curve, b.m)
        b.dn = b.d1 * theta * theta + 2 * b.delta * b.m + b.d0 * b.rest * b.rest

    def _log_derivative(self, b: SimpleNamespace) -> Tensor:
        ratio = b.delta / b.den
        return torch.where(b.inside, (ratio * ratio * b.dn).log(), 0.0)

    def _forward(self, w: SimpleNamespace, x: Tensor, y: Tensor) -> None:
        b = self._locate(w, x, side=0)
        self._terms(b, (b.v - b.right + b.width) / b.width)
        torch.where(b.inside, b.top - b.height + b.num / b.den, x, out=y)
        w.log_det.copy_(self._log_derivative(b))
        if w.training:
            w.bin_terms = b

    def _backward(self, w: SimpleNamespace, g: Tensor) -> None:
        b, k, bound = w.bin_terms, self.n_bins, self.tail_bound
        theta, m, delta, d0 = b.theta, b.m, b.delta, b.d0
        inside = b.inside.to(g.dtype)
        g_in, c = g * inside, inside * w.log_det_gradient
        turn = 1 - 2 * theta
        g_num, g_dn = g_in / b.den, c / b.dn
        g_den = -(g_num * b.num + 2 * c) / b.den
        g_num_h, theta2 = g_num * b.height, theta * theta
        g_delta = g_num_h * theta2 + g_den * (1 - 2 * m) + 2 * m * g_dn + 2 * c / delta
        g_theta = g_num_h * (2 * delta * theta + d0 * turn) + g_den * b.curve * turn
        g_theta += 2 * g_dn * (b.d1 * theta + delta * turn - d0 * b.rest)
        g_d0, g_d1 = (g_num_h + g_den) * m + g_dn * b.rest * b.rest, g_den * m + g_dn * theta2
        g_x = g_theta / b.width
        g_height = g_num * (delta * theta2 + d0 * m) + g_delta / b.width
        g_width = -(g_delta * delta + g_theta * theta) / b.width

        bins = torch.arange(k).view(1, k, 1, 1)
        bin_index = b.index.unsqueeze(0)
        earlier = torch.stack([-g_x, g_in]).unsqueeze(1)
        at_bin = torch.stack([g_width, g_height]).unsqueeze(1)
        g_shares = ((bins < bin_index) * earlier + (bins == bin_index) * at_bin).mul_(w.shares)
        g_shares -= w.shares * g_shares.sum(1, keepdim=True)
        torch.mul(g_shares, 2 * bound * (1 - MIN_BIN * k), out=w.bins_gradient)
        knots = bins[0, 1:]  # interior knot j lies between bins j - 1 and j
        g_knots = (knots == b.index) * g_d0 + (knots == b.index + 1) * g_d1
        torch.mul(g_knots, torch.sigmoid(w.slopes), out=w.slopes_gradient)
        g.mul_(1 - inside).add_(g_x)

    def _inverse(self, w: SimpleNamespace, y: Tensor, x: Tensor) -> None:
        """Solve for theta (their eqs. 6 to 8), by the root that cannot cancel; discriminant clamped at 0."""
        b = self._locate(w, y, side=1)
        u = b.v - b.top + b.height
        uc = u * b.curve
        a2, a1, a0 = uc + b.height * (b.delta - b.d0), b.height * b.d0 - uc, b.delta * u
        theta = 2 * a0 / (a1 + torch.sqrt((a1 * a1 + 4 * a2 * a0).clamp_min_(0)))
        self._terms(b, theta.clamp_(0, 1))
        torch.where(b.inside, theta * b.width + b.right - b.width, y, out=x)
        w.log_det.copy_(self._log_derivative(b)).neg_()


def _kernels(required: bool) -> ModuleType | None:
    try:
        from flowlab.nets.engine import spline_kernels
    except ImportError as error:
        if required:
            raise ImportError("use_numba=True needs numba: pip install numba, or leave use_numba=None") from error
        return None
    return spline_kernels
