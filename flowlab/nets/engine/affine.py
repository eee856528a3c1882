"""Affine and additive maps of single features, whose scale and shift come from a conditioner.

Convention "scale then shift" (Dinh et al. 2017, arXiv:1605.08803, eq. 8):   y = x e^s + t
Convention "shift then scale" (the inverse's way round):                     y = (x + t) e^s
Either way log|dy/dx| = s. With g = d loss / d y and c = d loss / d log-determinant (-1/batch for a mean
negative log-likelihood) the chain rule gives

    scale then shift:  dt = g         ds = g x e^s + c         dx = g e^s
    shift then scale:  dt = g e^s     ds = g y + c             dx = g e^s

s itself is a bounded function of the network's raw output r, a scale map; ds/dr stands beside each one.
Additive layers (NICE, Dinh et al. 2015, arXiv:1410.8516) have s = 0.
"""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Protocol

import torch
from torch import Tensor

from flowlab.nets.engine.conditioner import Take

_tanh_backward = torch.ops.aten.tanh_backward.grad_input
_EPSILON = 1e-3


class Tanh:
    """s = tanh r, within +-1, as in the lectures."""

    def log_scale(self, r: Tensor, out: Tensor) -> None:
        """Write s of raw outputs r into `out`, of the same shape."""
        torch.tanh(r, out=out)

    def pull_back(self, g: Tensor, r: Tensor, s: Tensor) -> None:
        """Multiply `g` = d loss / d s by ds/dr in place."""
        _tanh_backward(g, s, grad_input=g)


class Clamp:
    """s = 2 (2/pi) atan(r/2), softly within +-2 (Ardizzone et al. 2019, arXiv:1907.02392)."""

    def log_scale(self, r: Tensor, out: Tensor) -> None:
        """Write s of raw outputs r into `out`, of the same shape."""
        torch.mul(r, 0.5, out=out).atan_().mul_(4 / math.pi)

    def pull_back(self, g: Tensor, r: Tensor, s: Tensor) -> None:
        """Multiply `g` = d loss / d s by ds/dr in place."""
        g.mul_((2 / math.pi) / (1 + 0.25 * r * r))


class Exp:
    """s = r, unbounded: one far row can make it overflow. For demonstration."""

    def log_scale(self, r: Tensor, out: Tensor) -> None:
        """Write s of raw outputs r into `out`, of the same shape."""
        out.copy_(r)

    def pull_back(self, g: Tensor, r: Tensor, s: Tensor) -> None:
        """Leave `g` = d loss / d s as it is: ds/dr = 1."""


class Sigmoid:
    """e^s = sigmoid(r + 2) + 0.001, as nflows 0.14 couples: it can contract but not expand (e^s below 1.001)."""

    ceiling = 1.0

    def log_scale(self, r: Tensor, out: Tensor) -> None:
        """Write s of raw outputs r into `out`, of the same shape."""
        torch.add(r, 2.0, out=out).sigmoid_().add_(_EPSILON).div_(self.ceiling).log_()

    def pull_back(self, g: Tensor, r: Tensor, s: Tensor) -> None:
        """Multiply `g` = d loss / d s by ds/dr in place."""
        p = torch.sigmoid(r + 2.0)
        g.mul_(p * (1 - p) / (p + _EPSILON))


class Contract(Sigmoid):
    """As sigmoid, but e^s at most 1 exactly: s between -6.9 and 0. A map for detection: no density on duplicates."""

    ceiling = 1.0 + _EPSILON


class Softplus:
    """e^s = softplus(r) + 0.001, as nflows 0.14's masked autoregressive layers scale."""

    def log_scale(self, r: Tensor, out: Tensor) -> None:
        """Write s of raw outputs r into `out`, of the same shape."""
        out.copy_(torch.nn.functional.softplus(r)).add_(_EPSILON).log_()

    def pull_back(self, g: Tensor, r: Tensor, s: Tensor) -> None:
        """Multiply `g` = d loss / d s by ds/dr in place."""
        g.mul_(torch.sigmoid(r) * torch.exp(-s))


class ScaleMap(Protocol):
    """A bounded function s of the raw output, and its slope."""

    def log_scale(self, r: Tensor, out: Tensor) -> None:
        """Write s of raw outputs r into `out`, of the same shape."""

    def pull_back(self, g: Tensor, r: Tensor, s: Tensor) -> None:
        """Multiply `g` = d loss / d s by ds/dr in place."""


SCALE_MAPS: dict[str, type[ScaleMap]] = {
    "tanh": Tanh,
    "clamp": Clamp,
    "contract": Contract,
    "exp": Exp,
    "sigmoid": Sigmoid,
    "softplus": Softplus,
}
CONVENTIONS = ("scale then shift", "shift then scale")


class Affine:
    """y = x e^s + t, or (x + t) e^s; raw is [r; t], (2 n, batch) for n features.

    A transformer owns no parameters. Its methods read `w.raw`; x, y and g are (n, batch), y may be x itself, and
    `w.log_det` (n, batch) receives the log-derivative of each feature.
    """

    n_raw = 2
    gain = 0.01

    def __init__(self, scale_map: str = "tanh", convention: str = "scale then shift"):
        if scale_map not in SCALE_MAPS:
            raise ValueError(f"scale_map must be one of {', '.join(SCALE_MAPS)}, not {scale_map!r}")
        if convention not in CONVENTIONS:
            raise ValueError(f"convention must be 'scale then shift' or 'shift then scale', not {convention!r}")
        self.scale_map = SCALE_MAPS[scale_map]()
        self.scale_first = convention == CONVENTIONS[0]

    def initialize(self, last_weight: Tensor) -> None:
        """Nothing beyond the conditioner's small last layer: s and t begin near the map's middle."""

    def buffers(self, w: SimpleNamespace, n: int, batch: int, take: Take, training: bool) -> None:
        """Put into `w`: views of `w.raw` and its gradient, and what `forward` keeps for `backward`."""
        w.r, w.t = w.raw[:n], w.raw[n:]
        w.scale = take("scale", (n, batch))
        w.training = training
        if training:
            w.product = take("product", (n, batch))
            w.r_gradient, w.t_gradient = w.raw_gradient[:n], w.raw_gradient[n:]
            w.log_det_gradient = torch.full((), -w.log_det_weight / batch, dtype=w.raw.dtype)

    def forward(self, w: SimpleNamespace, x: Tensor, y: Tensor) -> None:
        """Write y of x into `y`, and s into `w.log_det`; all (n, batch)."""
        self.scale_map.log_scale(w.r, w.log_det)
        torch.exp(w.log_det, out=w.scale)
        if self.scale_first and not w.training:
            torch.addcmul(w.t, x, w.scale, out=y)
        elif self.scale_first:
            torch.mul(x, w.scale, out=w.product)
            torch.add(w.product, w.t, out=y)
        else:
            torch.add(x, w.t, out=y)
            y.mul_(w.scale)
            if w.training:
                w.product.copy_(y)

    def backward(self, w: SimpleNamespace, g: Tensor) -> None:
        """`g` goes in as d loss / d y and comes out as d loss / d x; fills `w.raw_gradient`."""
        torch.addcmul(w.log_det_gradient, g, w.product, out=w.r_gradient)
        self.scale_map.pull_back(w.r_gradient, w.r, w.log_det)
        if self.scale_first:
            w.t_gradient.copy_(g)
            g.mul_(w.scale)
        else:
            g.mul_(w.scale)
            w.t_gradient.copy_(g)

    def inverse(self, w: SimpleNamespace, y: Tensor, x: Tensor) -> None:
        """Undo `forward`; `w.log_det` receives -s, the log-derivative of the inverse. Leaves e^-s in `w.scale`."""
        self.scale_map.log_scale(w.r, w.log_det)
        torch.neg(w.log_det, out=w.log_det)
        torch.exp(w.log_det, out=w.scale)
        if self.scale_first:
            torch.sub(y, w.t, out=x)
            x.mul_(w.scale)
        else:
            torch.mul(y, w.scale, out=x)
            x.sub_(w.t)

    def inverse_backward(self, w: SimpleNamespace, x: Tensor, g: Tensor) -> None:
        """Turn `g` from d loss / d x into d loss / d y; fills `w.raw_gradient`. For flows trained by their inverse.

        x = (y - t) e^-s has dt = -g e^-s, ds = -g x - c, dy = g e^-s; x = y e^-s - t has dt = -g, ds = -g (x + t) - c,
        dy = g e^-s.
        """
        product = x if self.scale_first else x + w.t
        torch.addcmul(w.log_det_gradient, g, product, out=w.r_gradient)
        w.r_gradient.neg_()
        self.scale_map.pull_back(w.r_gradient, w.r, w.log_det.neg())
        if not self.scale_first:
            torch.neg(g, out=w.t_gradient)
        g.mul_(w.scale)
        if self.scale_first:
            torch.neg(g, out=w.t_gradient)

    def readout(self, w: SimpleNamespace, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Log-scale and shift just applied, each (n, batch)."""
        return w.log_det, w.t


class Additive:
    """y = x + t: volume-preserving; raw is t."""

    n_raw = 1
    gain = 0.01

    def initialize(self, last_weight: Tensor) -> None:
        """Nothing beyond the conditioner's small last layer."""

    def buffers(self, w: SimpleNamespace, n: int, batch: int, take: Take, training: bool) -> None:
        """Nothing to prepare: `w.raw` is the shift."""

    def forward(self, w: SimpleNamespace, x: Tensor, y: Tensor) -> None:
        """Write x + t into `y`, (n, batch), and zeros into `w.log_det`."""
        torch.add(x, w.raw, out=y)
        w.log_det.zero_()

    def backward(self, w: SimpleNamespace, g: Tensor) -> None:
        """Fill `w.raw_gradient`; `g` = d loss / d y is d loss / d x already."""
        w.raw_gradient.copy_(g)

    def inverse(self, w: SimpleNamespace, y: Tensor, x: Tensor) -> None:
        """Write y - t into `x`, (n, batch), and zeros into `w.log_det`."""
        torch.sub(y, w.raw, out=x)
        w.log_det.zero_()

    def inverse_backward(self, w: SimpleNamespace, x: Tensor, g: Tensor) -> None:
        """Fill `w.raw_gradient` with -g; d loss / d y = g."""
        torch.neg(g, out=w.raw_gradient)

    def readout(self, w: SimpleNamespace, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Log-scale, which is 0, and shift, each (n, batch)."""
        return w.log_det, w.raw
