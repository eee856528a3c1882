"""Two maps of image couplings with their gradients derived by hand: half the operations autograd would record.

With g = d loss / d y and c = d loss / d log-determinant, of y = (x + t) e^s with s = 2 tanh r:

    dx = dt = g e^s        dr = (g y + c) 2 (1 - tanh^2 r)

and of y = x e^s + t: dx = g e^s, dt = g, dr = (g x e^s + c) 2 (1 - tanh^2 r).

The map of channels y = W diag(f) (x + b), with f = e^a and W = P L U, U with the diagonal r e^d, is one product with
V = W diag(f): dx = V' g, db = sum dx, dV = sum g (x + b)', dW = dV diag(f), da = f sum_i W_i dV_i + c, and with
Q = P' dW: dL = Q U', dU = L' Q, dd = diag(dU) diag(U) + c.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

LOG_SCALE_BOUND = 2.0


class AffineMap(Function):
    """(x, raw and shift on the last axis, whether the shift comes first, first and last channel of x that is moved)
    -> y, and the log-determinant (n,). The other channels stay."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, raw_shift: Tensor, shifts_first: bool, first: int, last: int
    ) -> tuple[Tensor, Tensor]:
        """See the class."""
        raw, shift = raw_shift.chunk(2, -1)
        tanh = torch.tanh(raw)
        log_scale = LOG_SCALE_BOUND * tanh
        factor = log_scale.exp()
        moved = x[..., first:last]
        scaled = (moved + shift).mul_(factor) if shifts_first else moved * factor
        ctx.settings = shifts_first, first, last
        ctx.save_for_backward(scaled, tanh, factor)
        after = scaled if shifts_first else scaled + shift
        if after.shape == x.shape:
            return after.clone(), log_scale.flatten(1).sum(1)
        y = x.clone(memory_format=torch.contiguous_format)
        y[..., first:last] = after
        return y, log_scale.flatten(1).sum(1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor, c: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        """Gradients of x and of raw and shift."""
        scaled, tanh, factor = ctx.saved_tensors
        shifts_first, first, last = ctx.settings
        by_y = g[..., first:last]
        by_moved = by_y * factor
        by_scale = torch.addcmul(c[:, None, None, None], by_y, scaled)
        by_raw = torch.ops.aten.tanh_backward(by_scale, tanh).mul_(LOG_SCALE_BOUND)
        by_shift = by_moved if shifts_first else by_y
        by_x = by_moved
        if by_x.shape != g.shape:
            by_x = g.clone()
            by_x[..., first:last] = by_moved
        return by_x, torch.cat((by_raw, by_shift), -1), None, None, None


class ChannelMap(Function):
    """(x, b, a, lower, upper, d, P, r) -> y, and the log-determinant of one pixel.

    lower and upper hold their own triangle; the rest of them is ignored.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, bias: Tensor, log_scale: Tensor, lower: Tensor, upper: Tensor, log_diagonal: Tensor,
        permutation: Tensor, sign: Tensor,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """See the class."""
        below, above = lower.tril(-1), upper.triu(1)
        below.diagonal().fill_(1.0)
        above.diagonal().copy_(log_diagonal.exp().mul_(sign))
        weight = permutation @ below @ above
        factor = log_scale.exp()
        whole = weight * factor
        flat = x.reshape(-1, x.shape[-1])
        ctx.save_for_backward(flat, bias, factor, below, above, whole, permutation)
        y = torch.addmm(whole @ bias, flat, whole.t()).view(x.shape)
        return y, log_scale.sum() + log_diagonal.sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor, c: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of x, b, a, lower, upper and d."""
        flat, bias, factor, below, above, whole, permutation = ctx.saved_tensors
        by_y = g.reshape(flat.shape)
        total = by_y.sum(0)
        by_whole = torch.addr(by_y.t() @ flat, total, bias)
        by_weight = permutation.t() @ (by_whole * factor)
        by_log_scale = (by_whole * whole).sum(0) + c
        by_above = below.t() @ by_weight
        by_diagonal = by_above.diagonal() * above.diagonal() + c
        by_below = (by_weight @ above.t()).tril_(-1)
        by_x = (by_y @ whole).view(g.shape)
        return by_x, total @ whole, by_log_scale, by_below, by_above.triu(1), by_diagonal, None, None
