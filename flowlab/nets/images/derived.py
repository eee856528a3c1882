"""Two maps of image couplings with their gradients derived by hand: half the operations autograd would record.

With g = d loss / d y and c = d loss / d log-determinant, of y = (x + t) e^s with s = 2 tanh r:

    dx = dt = g e^s        dr = (g y + c) 2 (1 - tanh^2 r)

and of y = x e^s + t: dx = g e^s, dt = g, dr = (g x e^s + c) 2 (1 - tanh^2 r). Of y = W u with u = (x + b) e^a,
W = P L (U + diag(r e^d)): dW = g u', du = W' g, dx = du e^a, db = sum dx, da = sum du u + c, and with Q = P' dW
dL = Q (U + diag)', d(U + diag) = L' Q, dd = diag(d(U + diag)) r e^d + c.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

LOG_SCALE_BOUND = 2.0


class AffineMap(Function):
    """(x, raw and shift on the last axis, whether the shift comes first) -> y, and the log-determinant (n,)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, raw_shift: Tensor, shifts_first: bool) -> tuple[Tensor, Tensor]:
        """See the class."""
        raw, shift = raw_shift.chunk(2, -1)
        tanh = torch.tanh(raw)
        log_scale = LOG_SCALE_BOUND * tanh
        factor = log_scale.exp()
        y = (x + shift).mul_(factor) if shifts_first else x * factor
        ctx.shifts_first = shifts_first
        ctx.save_for_backward(y, tanh, factor)
        return y if shifts_first else y + shift, log_scale.flatten(1).sum(1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor, c: Tensor) -> tuple[Tensor, Tensor, None]:
        """Gradients of x and of raw and shift."""
        scaled, tanh, factor = ctx.saved_tensors
        by_x = g * factor
        by_scale = torch.addcmul(c[:, None, None, None], g, scaled)
        by_raw = torch.ops.aten.tanh_backward(by_scale, tanh).mul_(LOG_SCALE_BOUND)
        return by_x, torch.cat((by_raw, by_x if ctx.shifts_first else g), -1), None


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
        entered = (x + bias).mul_(factor)
        ctx.save_for_backward(entered, factor, below, above, weight, permutation)
        return entered @ weight.t(), log_scale.sum() + log_diagonal.sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor, c: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of x, b, a, lower, upper and d."""
        entered, factor, below, above, weight, permutation = ctx.saved_tensors
        flat = g.reshape(-1, g.shape[-1])
        by_entered = flat @ weight
        by_weight = permutation.t() @ (flat.t() @ entered.reshape(-1, g.shape[-1]))
        by_log_scale = torch.einsum("ij,ij->j", by_entered, entered.reshape(flat.shape)) + c
        by_x = by_entered.mul_(factor)
        by_above = below.t() @ by_weight
        by_diagonal = by_above.diagonal() * above.diagonal() + c
        by_below = (by_weight @ above.t()).tril_(-1)
        return by_x.view(g.shape), by_x.sum(0), by_log_scale, by_below, by_above.triu(1), by_diagonal, None, None
