"""Masked autoregressive layers: every feature is transformed given the features before it in some order.

    y_i = T(x_i; network_i(x_1 .. x_{i-1}))

The network is a MADE (Germain et al. 2015, arXiv:1502.03509): feature i has degree i, hidden units have degrees, and
a weight is kept only where it leads from a degree to the same or a higher one (to a strictly higher one at the
outputs). Forwards (Papamakarios et al. 2017, MAF, arXiv:1705.07057) all features are transformed at once. Backwards
x_{i+1} is computed after x_i; but hidden units are sorted by degree here, so each step computes only the
units that have just become known, and the whole inverse costs the arithmetic of one pass, not of one per feature.

`inverted=True` trains the other way round (Kingma et al. 2016, IAF, arXiv:1606.04934): sampling is the parallel
pass, density the sequential one, and its gradient the same steps in reverse order.
"""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import Tensor

from flowlab.nets.engine.affine import Additive, Affine
from flowlab.nets.engine.conditioner import Conditioner, Take
from flowlab.nets.engine.spline import Spline

_relu_backward = torch.ops.aten.threshold_backward.grad_input


class MaskedAutoregressive:
    """One masked autoregressive layer; `order` lists the features from the first to the last to be known.

    With `masked` False, a fault for demonstration, the network sees every feature, also the one it transforms: the
    Jacobian is not triangular, and `inverse` does not undo `forward`.
    """

    kind = "autoregressive"

    def __init__(
        self,
        order: list[int],
        transformer: Affine | Additive | Spline,
        hidden_features: int,
        n_hidden: int,
        n_context: int = 0,
        inverted: bool = False,
        masked: bool = True,
    ):
        d = self.n_features = self.n_log_det = len(order)
        self.transformer, self.inverted = transformer, inverted
        self.net = Conditioner(d, transformer.n_raw * d, hidden_features, n_hidden, n_context)
        self.shapes = self.net.shapes
        self.order = torch.tensor(order)
        self.order_back = torch.argsort(self.order)
        # With a context (or one feature) some units see no feature at all: degree 0. The first feature needs them.
        lowest = 0 if n_context or d == 1 else 1
        # Spread evenly over all degrees: with few units, counting 1, 2, 3, .. would leave late features out.
        hidden = torch.arange(hidden_features) * (d - lowest) // hidden_features + lowest
        self.known_units = torch.bincount(hidden, minlength=d + 1).cumsum(0).tolist()
        self.mask = self._masks(self.order_back + 1, hidden, n_hidden)
        if not masked:
            self.mask = [torch.ones_like(mask) for mask in self.mask]
        always = torch.arange(1 + n_context)
        self.columns = torch.cat([always, 1 + n_context + self.order])
        self.columns_back = torch.argsort(self.columns)

    def attach(self, weights: list[Tensor], gradients: list[Tensor]) -> None:
        """Take views of the stack's flat parameters and gradient, one matrix for each of `shapes`."""
        self.net.attach(weights, gradients)

    def initialize(self, generator: torch.Generator) -> None:
        """Draw the network's weights, the last layer small, and set masked weights to zero."""
        self.net.initialize(generator, self.transformer.gain)
        self.transformer.initialize(self.net.weights[-1])
        for weight, mask in zip(self.net.weights, self.mask):
            weight.mul_(mask)

    def buffers(self, w: SimpleNamespace, batch: int, take: Take, training: bool) -> None:
        """Put into `w` the buffers of network and transformer, and of the sequential pass where it may run."""
        self.net.buffers(w, batch, take, training)
        self.transformer.buffers(w, self.n_features, batch, take, training)
        if self.inverted or not training:
            self._sequential_buffers(w, batch, take, training)

    def forward(self, w: SimpleNamespace) -> None:
        """Data to latent, in place of `w.x`: one parallel pass, or the sequential one if `inverted`."""
        self._sequential(w) if self.inverted else self._parallel(w)

    def inverse(self, w: SimpleNamespace) -> None:
        """Latent to data, in place of `w.x`: the sequential pass, or the parallel one if `inverted`."""
        self._parallel(w) if self.inverted else self._sequential(w)

    def backward(self, w: SimpleNamespace) -> None:
        """Turn `w.g` from d loss / d y into d loss / d x; fill the network's gradients."""
        if self.inverted:
            self._sequential_backward(w)
        else:
            self.transformer.backward(w, w.g)
            self.net.backward(w, w.g)

    def readout(self, w: SimpleNamespace, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
        """Log-scale and shift of every feature from the last `forward`, each (n_features, batch).

        Inverted, a layer computes x = (y - t) e^s: the log-scale is that of this map, the shift is t.
        """
        if not self.inverted:
            return self.transformer.readout(w, before, after)
        parts = [self.transformer.readout(part, part.solved, part.mapped) for part in w.features]
        scale, shift = (torch.cat(rows) for rows in zip(*parts))
        return scale[self.order_back], shift[self.order_back]

    def _parallel(self, w: SimpleNamespace) -> None:
        if self.net.n_context:
            w.input_context.copy_(w.context)
        w.input_features.copy_(w.x)
        self.net.forward(w)
        self.transformer.forward(w, w.input_features, w.x)

    def _sequential_buffers(self, w: SimpleNamespace, batch: int, take: Take, training: bool) -> None:
        d, m, c = self.n_features, self.transformer.n_raw, self.net.n_context
        w.ordered = take("ordered inputs", (1 + c + d, batch), 1.0)
        w.ordered_gradient = take("ordered input gradient", (d, batch)) if training else None
        raw = take("ordered raw", (d, m, batch))
        raw_gradient = take("ordered raw gradient", (d, m, batch)) if training else None
        w.ordered_raw_gradient = raw_gradient
        w.hidden_gradient = [take(f"hidden gradient {i}", tuple(h.shape)) for i, h in enumerate(w.hidden)]
        w.mapped = take("mapped", (d, batch))
        w.features = []
        for k in range(d):
            part = SimpleNamespace(raw=raw[k], log_det=w.log_det[k : k + 1], log_det_weight=w.log_det_weight)
            part.mapped, part.solved = w.mapped[k : k + 1], w.ordered[1 + c + k : 2 + c + k]
            if raw_gradient is not None:
                part.raw_gradient, part.g = raw_gradient[k], w.ordered_gradient[k : k + 1]
            self.transformer.buffers(part, 1, batch, take, training)
            w.features.append(part)

    def _ordered_weights(self) -> tuple[Tensor, list[Tensor], Tensor]:
        """First matrix with its columns in order; the middle ones; the last as (n_features in order, n_raw, units)."""
        first, *middle, last = self.net.weights
        last = last.view(self.transformer.n_raw, self.n_features, -1).transpose(0, 1)
        return first[:, self.columns], middle, last[self.order]

    def _new_units(self, k: int) -> tuple[int, int]:
        """Hidden units that the k-th feature in order is the first to need, as a range."""
        return (self.known_units[k - 1] if k else 0), self.known_units[k]

    def _sequential(self, w: SimpleNamespace) -> None:
        """Solve for the features one after the other, in place of `w.x`; log-derivatives are rows in order."""
        first, middle, last = self._ordered_weights()
        c = 1 + self.net.n_context
        torch.index_select(w.x, 0, self.order, out=w.mapped)
        w.ordered[1:c] = w.context
        for k, part in enumerate(w.features):
            a, b = self._new_units(k)
            if b > a:
                rows = w.activations[1][1 + a : 1 + b]
                torch.mm(first[a:b, : c + k], w.ordered[: c + k], out=rows)
                torch.relu_(rows)
                for weight, below, above in zip(middle, w.activations[1:], w.activations[2:]):
                    rows = above[1 + a : 1 + b]
                    torch.mm(weight[a:b, : 1 + b], below[: 1 + b], out=rows)
                    torch.relu_(rows)
            torch.mm(last[k, :, : 1 + b], w.activations[-1][: 1 + b], out=part.raw)
            self.transformer.inverse(part, part.mapped, part.solved)
        torch.index_select(w.ordered[c:], 0, self.order_back, out=w.x)

    def _sequential_backward(self, w: SimpleNamespace) -> None:
        """The steps of `_sequential` in reverse; each hidden unit passes its gradient on once it is complete."""
        first, middle, last = self._ordered_weights()
        c = 1 + self.net.n_context
        torch.index_select(w.g, 0, self.order, out=w.ordered_gradient)
        for gradient in w.hidden_gradient:
            gradient.zero_()
        transformer = self.transformer
        assert not isinstance(transformer, Spline), "no inverse flow of splines is built"
        for k in reversed(range(self.n_features)):
            part, (a, b) = w.features[k], self._new_units(k)
            transformer.inverse_backward(part, part.solved, part.g)
            w.hidden_gradient[-1][:b].addmm_(last[k, :, 1 : 1 + b].t(), part.raw_gradient)
            if b == a:
                continue
            for i in reversed(range(len(w.hidden))):
                rows = w.hidden_gradient[i][a:b]
                _relu_backward(rows, w.hidden[i][a:b], 0, grad_input=rows)
                if i:
                    w.hidden_gradient[i - 1][:b].addmm_(middle[i - 1][a:b, 1 : 1 + b].t(), rows)
                elif k:
                    w.ordered_gradient[:k].addmm_(first[a:b, c : c + k].t(), rows)
        torch.index_select(w.ordered_gradient, 0, self.order_back, out=w.g)
        raw_gradient = w.ordered_raw_gradient[self.order_back].transpose(0, 1).reshape(self.net.n_outputs, -1)
        activations = [w.ordered[self.columns_back], *w.activations[1:]]
        for gradient, above, below in zip(self.net.gradients, [*w.hidden_gradient, raw_gradient], activations):
            torch.mm(above, below.t(), out=gradient)

    def connections(self) -> list[Tensor]:
        """Masks without bias and context, bool: (hidden, d), (hidden, hidden) .., (d, hidden), columns in `order`.

        The transformer's raw numbers of one feature share one mask, so the last has one row for each feature.
        """
        first, *middle, last = self.mask
        input_mask = first[:, 1 + self.net.n_context :][:, self.order]
        output_mask = last[: self.n_features, 1:][self.order]
        return [mask.bool() for mask in (input_mask, *(mask[:, 1:] for mask in middle), output_mask)]

    def _masks(self, feature_degrees: Tensor, hidden: Tensor, n_hidden: int) -> list[Tensor]:
        """One mask of zeros and ones per weight matrix; the columns of bias and context are all ones."""
        outputs = feature_degrees.repeat(self.transformer.n_raw)
        masks = [hidden[:, None] >= feature_degrees]
        masks += [hidden[:, None] >= hidden] * (n_hidden - 1)
        masks.append(outputs[:, None] > hidden)
        always = [1 + self.net.n_context] + [1] * n_hidden
        return [torch.cat([torch.ones(len(m), n), m.float()], 1) for m, n in zip(masks, always)]


def layer_orders(n_features: int, n_layers: int, permutation: str, seed: int) -> list[list[int]]:
    """Orders of successive layers: "none" all the same, "reverse" every other one reversed, "random" all drawn.

    "lu" is as "reverse"; between the layers stands a linear map.
    """
    if permutation not in ("none", "reverse", "random", "lu"):
        raise ValueError(f"permutation must be 'none', 'reverse', 'random' or 'lu', not {permutation!r}")
    if n_features == 0:
        return []
    generator = torch.Generator().manual_seed(seed)
    forward = list(range(n_features))
    if permutation == "random":
        return [torch.randperm(n_features, generator=generator).tolist() for _ in range(n_layers)]
    return [forward[::-1] if permutation in ("reverse", "lu") and i % 2 else forward for i in range(n_layers)]
