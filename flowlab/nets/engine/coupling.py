"""Coupling layers: some features stay, and a network that reads them sets how the others are transformed.

    y_kept = x_kept        y_moved = T(x_moved; network(x_kept))

(Dinh et al. 2015 and 2017). The Jacobian is triangular, so its log-determinant is the sum of the log-derivatives of T,
and the inverse costs the same one pass. Backward: T turns d loss / d y_moved into d loss / d x_moved and
d loss / d raw; the network's backward adds its share to d loss / d x_kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import torch
from torch import Tensor

from flowlab.nets.engine.affine import Additive, Affine
from flowlab.nets.engine.conditioner import Conditioner, Take
from flowlab.nets.engine.spline import Spline


class Coupling:
    """One coupling layer over `moved`, a (n_features,) sequence of booleans; True is transformed.

    All layers of a stack work in place on x and g, (n_features, batch). A layer writes one row of log-derivatives
    per moved feature. With `masked` False, a fault for demonstration, the network reads all features, also
    those that move: `inverse` does not undo `forward`, and the Jacobian is not triangular.
    """

    kind = "coupling"

    def __init__(
        self,
        moved: Sequence[bool],
        transformer: Affine | Additive | Spline,
        hidden_features: int,
        n_hidden: int,
        n_context: int = 0,
        masked: bool = True,
    ):
        moved = [bool(m) for m in moved]
        self.moved = [i for i, m in enumerate(moved) if m]
        self.kept = [i for i, m in enumerate(moved) if not m]
        self.n_features = len(moved)
        if not self.moved or (self.n_features > 1 and not self.kept):
            raise ValueError(f"mask must move some features and keep some, not {[int(m) for m in moved]}")
        self.transformer, self.masked = transformer, masked
        n_moved, n_read = len(self.moved), len(self.kept) if masked else self.n_features
        self.net = Conditioner(n_read, transformer.n_raw * n_moved, hidden_features, n_hidden, n_context)
        self.shapes = self.net.shapes
        self.n_log_det = n_moved
        self.mask = None
        slices = _as_slice(self.kept), _as_slice(self.moved)
        self.rows = slices if None not in slices else None
        if self.rows is None:  # scattered features are gathered first, and scattered back
            self.order = torch.tensor(self.kept + self.moved)
            self.order_back = torch.argsort(self.order)

    def attach(self, weights: list[Tensor], gradients: list[Tensor]) -> None:
        """Take views of the stack's flat parameters and gradient, one matrix for each of `shapes`."""
        self.net.attach(weights, gradients)

    def initialize(self, generator: torch.Generator) -> None:
        """Draw the network's weights, the last layer small: the layer starts near the transformer's identity."""
        self.net.initialize(generator, self.transformer.gain)
        self.transformer.initialize(self.net.weights[-1])

    def buffers(self, w: SimpleNamespace, batch: int, take: Take, training: bool) -> None:
        """Put into `w` the buffers of network and transformer, and views of the kept and the moved features."""
        self.net.buffers(w, batch, take, training)
        self.transformer.buffers(w, len(self.moved), batch, take, training)
        x, g = w.x, w.g
        if self.rows is None:
            x = w.x_ordered = take("ordered", tuple(w.x.shape))
            g = w.g_ordered = take("ordered gradient", tuple(w.x.shape)) if training else None
        kept, moved = self.rows or (slice(0, len(self.kept)), slice(len(self.kept), None))
        read = kept if self.masked else slice(None)
        w.x_read, w.x_moved = x[read], x[moved]
        if training:
            w.g_read, w.g_moved = g[read], g[moved]

    def forward(self, w: SimpleNamespace) -> None:
        """Data to latent, in place of `w.x`; log-derivatives of the moved features go into `w.log_det`."""
        self._condition(w)
        self.transformer.forward(w, w.x_moved, w.x_moved)
        self._scatter(w)

    def inverse(self, w: SimpleNamespace) -> None:
        """Latent to data, in place of `w.x`; log-derivatives of the inverse go into `w.log_det`."""
        self._condition(w)
        self.transformer.inverse(w, w.x_moved, w.x_moved)
        self._scatter(w)

    def backward(self, w: SimpleNamespace) -> None:
        """Turn `w.g` from d loss / d y into d loss / d x; fill the network's gradients."""
        if self.rows is None:
            torch.index_select(w.g, 0, self.order, out=w.g_ordered)
        self.transformer.backward(w, w.g_moved)
        self.net.backward(w, w.g_read)
        if self.rows is None:
            torch.index_select(w.g_ordered, 0, self.order_back, out=w.g)

    def readout(self, w: SimpleNamespace, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
        """Log-scale and shift of every feature, (n_features, batch), from the last `forward`; 0 where it is kept."""
        log_scale, shift = torch.zeros_like(before), torch.zeros_like(before)
        log_scale[self.moved], shift[self.moved] = self.transformer.readout(w, before[self.moved], after[self.moved])
        return log_scale, shift

    def _condition(self, w: SimpleNamespace) -> None:
        if self.rows is None:
            torch.index_select(w.x, 0, self.order, out=w.x_ordered)
        if self.net.n_context:
            w.input_context.copy_(w.context)
        w.input_features.copy_(w.x_read)
        self.net.forward(w)

    def _scatter(self, w: SimpleNamespace) -> None:
        if self.rows is None:
            torch.index_select(w.x_ordered, 0, self.order_back, out=w.x)


def alternating_masks(n_features: int, n_layers: int, kind: str, seed: int) -> list[list[bool]]:
    """Masks of successive coupling layers, `n_layers` lists of `n_features` booleans, True = transformed.

    "alternate" moves the even features, then the odd ones; "half" the upper half, then the lower; "random" draws a
    half for each pair of layers and moves it, then its complement; any other text must be of 0 and 1, one digit per
    feature ("0110"), 1 = transformed first, its complement next. After an equals sign ("=0110") they are not
    complemented: each layer transforms the same features, and the others never change.
    """
    if n_features <= 1:
        return [[True]] * n_layers if n_features else []
    generator = torch.Generator().manual_seed(seed)
    masks = []
    for layer in range(n_layers):
        if kind == "alternate":
            first = [i % 2 == 1 for i in range(n_features)]
        elif kind == "half":
            first = [i >= n_features // 2 for i in range(n_features)]
        elif kind == "random":
            if layer % 2 == 0:
                drawn = set(torch.randperm(n_features, generator=generator)[: n_features // 2].tolist())
            first = [i in drawn for i in range(n_features)]
        else:
            first = _custom_mask(kind, n_features)
        same = layer % 2 == 0 or kind.startswith("=")
        masks.append(first if same else [not m for m in first])
    return masks


def _custom_mask(text: str, n_features: int) -> list[bool]:
    digits = text.removeprefix("=") if isinstance(text, str) else ""
    if set(digits) != {"0", "1"} or len(digits) != n_features:
        raise ValueError(
            f"mask must be 'alternate', 'half', 'random' or {n_features} digits 0 and 1 with at least one of each, "
            f"1 for a feature that moves first, and = before them to move the same ones in each layer; not {text!r}"
        )
    return [digit == "1" for digit in digits]


def _as_slice(indices: list[int]) -> slice | None:
    """The slice that selects `indices`, or None when they have no constant step."""
    if not indices:
        return slice(0, 0)
    if len(indices) == 1:
        return slice(indices[0], indices[0] + 1)
    step = indices[1] - indices[0]
    regular = list(range(indices[0], indices[-1] + 1, step))
    return slice(indices[0], indices[-1] + 1, step) if regular == indices else None
