"""Which columns the layers of our flows transform, what a masked autoregressive layer lets through, and Jacobians."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone

from flowlab.models.flows.jacobian_form import LayerForm, check_layer, form_of_flow

if TYPE_CHECKING:
    from torch import Tensor

    from flowlab.models.flows.scaling import Scaling
    from flowlab.nets.engine.stack import Stack


@dataclass(frozen=True, eq=False)
class MadeMasks:
    """The masks of a MADE, a masked autoencoder for density estimation (Germain et al. 2015, arXiv:1502.03509).

    Attributes
    ----------
    order : (d,) columns of the data with spread, from the first to the last to be known
    input : (hidden, d) bool, which unit sees which column, columns in `order`; units are sorted by degree
    hidden : of each further hidden layer (hidden, hidden) bool, which of its units sees which of the layer before
    output : (d, hidden) bool, which column's scale and shift see which unit of the last hidden layer
    paths : (d, d) how many paths lead from column j to column i's scale and shift: strictly lower triangular, unless
        `fault` dropped the masks
    """

    order: np.ndarray
    input: np.ndarray
    hidden: tuple[np.ndarray, ...]
    output: np.ndarray
    paths: np.ndarray


class LayerMasks:
    """Masks and Jacobians of a flow in columns of the data; a mixin of `EngineFlow`, whose scaling and net it reads.

    Columns without spread never reach the net; here they count as not transformed.
    """

    states_masks = True
    mask: str
    _scaling: Any
    _net: Any

    if TYPE_CHECKING:  # of the flow that these are mixed into

        def _scaling_checked(self) -> Scaling: ...

        def _check_rows(self, X: np.ndarray) -> np.ndarray: ...

        def _exact_net(self) -> Stack: ...

        def _to_tensor(self, Z: np.ndarray, exact: bool = False) -> Tensor: ...

    def transformed_columns(self, mask: str | None = None) -> np.ndarray:
        """Which columns each layer transforms by its architecture, (n_layers, n_features) bool.

        With `mask`: which they would with that mask, trained on the same rows; ValueError where it does not fit them.
        """
        varies = self._scaling_checked().varies
        net = self._net if mask is None else self._built_with(mask)
        transformed = np.zeros((len(net.layers), len(varies)), bool)
        for row, layer in zip(transformed, net.layers):
            row[np.flatnonzero(varies)[layer.moved if layer.kind == "coupling" else slice(None)]] = True
        return transformed

    def untransformed_columns(self, mask: str | None = None) -> np.ndarray:
        """Columns with spread, (n,), that no layer transforms, at most rescales: their marginal stays normal."""
        layers = self._net.layers if mask is None else self._built_with(mask).layers
        shaping = np.array([layer.kind != "rescaling" for layer in layers], bool)
        touched = self.transformed_columns(mask)[shaping].any(axis=0)
        return np.flatnonzero(self._scaling.varies & ~touched)

    def made_masks(self, layer: int = 1) -> MadeMasks | None:
        """The masks of the MADE in a layer, 1 the first; None if it has none."""
        varies = self._scaling_checked().varies
        inside = self._net.layers[check_layer(layer, len(self._net.layers)) - 1]
        if inside.kind != "autoregressive":
            return None
        first, *middle, last = (mask.numpy() for mask in inside.connections())
        paths = first.astype(float)
        for mask in (*middle, last):
            paths = mask.astype(float) @ paths
        return MadeMasks(np.flatnonzero(varies)[inside.order.numpy()], first, tuple(middle), last, paths)

    def layer_jacobian(self, x: np.ndarray, layer: int = 0) -> np.ndarray:
        """Jacobian of one layer or of all, (n_features, n_features), by our own backward pass in float64.

        See `FlowModel.layer_jacobian`. Columns without spread, and a context, pass all layers as they are: ones on the
        diagonal. ValueError for a layer that does not exist.
        """
        scaling = self._scaling_checked()
        Z = scaling.forward(self._check_rows(np.asarray(x)[None]))
        net = self._exact_net()
        index = check_layer(layer, len(net.layers)) - 1 if layer else None
        matrix = np.eye(Z.shape[1])
        inner = net.jacobian(self._to_tensor(Z, exact=True)[:, 0], index)
        matrix[np.ix_(scaling.varies, scaling.varies)] = inner.numpy()
        return matrix

    def layer_form(self, layer: int = 0) -> LayerForm:
        """In which order of the columns the Jacobian of a layer (1 the first), or of all (0), is triangular, and why.

        Couplings: the kept columns first, then the moved. Autoregressive layers: in their own order. Columns that do
        not vary come first.
        """
        varies = self._scaling_checked().varies
        forms = [_form(inside, varies) for inside in self._net.layers]
        return forms[check_layer(layer, len(forms)) - 1] if layer else form_of_flow(forms)

    def _built_with(self, mask: str):
        """The untrained net of another mask, for the columns of this model's training rows."""
        other = clone(self).set_params(mask=mask)
        other._scaling = self._scaling
        return other._build(int(self._scaling.varies.sum()))

    def _varying_mask(self) -> str:
        """`mask`; where it has a digit for every column, the digits of those that vary."""
        mask, varies = self.mask, self._scaling.varies
        same, digits = str(mask)[:1] == "=", str(mask).removeprefix("=")
        if not isinstance(mask, str) or not set(digits) <= {"0", "1"}:
            return mask
        if len(digits) != len(varies):
            raise ValueError(f"mask must have one digit for each of the {len(varies)} columns, not be {mask!r}")
        inner_mask = "".join(digit for digit, varying in zip(digits, varies) if varying)
        if len(inner_mask) > 1 and len(set(inner_mask)) == 1:
            raise ValueError(
                f"mask must have at least one 0 and one 1 among its digits of the {len(inner_mask)} columns that vary, "
                f"not be {mask!r}"
            )
        return "=" * same + inner_mask


def _form(layer: Any, varies: np.ndarray) -> LayerForm:
    inner, constant = np.flatnonzero(varies), np.flatnonzero(~varies)
    if layer.kind == "coupling":
        order = np.concatenate([constant, inner[layer.kept], inner[layer.moved]])
        return LayerForm(layer.kind, order, order, len(constant) + len(layer.kept))
    if layer.kind == "autoregressive":
        order = np.concatenate([constant, inner[layer.order.numpy()]])
        return LayerForm(layer.kind, order, order, len(constant))
    if layer.kind == "rescaling":
        order = np.concatenate([constant, inner])
        return LayerForm(layer.kind, order, order, len(constant))
    return LayerForm(layer.kind)
