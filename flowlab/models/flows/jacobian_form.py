"""The form of a layer's Jacobian: in which order of the features it is triangular, and for what reason."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


def _no_order() -> np.ndarray:
    return np.empty(0, int)


@dataclass(frozen=True, eq=False)
class LayerForm:
    """What is known of the Jacobian of a layer, or of a whole flow, without computing it.

    Attributes
    ----------
    kind : "coupling", "autoregressive", "rescaling", "linear", "planar", "radial"; "flow" for layers one after the
        other; "" where nothing is known
    after, before : (n_features,) orders of its rows and of its columns in which the Jacobian is lower triangular;
        empty where it is triangular in none
    n_kept : so many features, the first in that order, leave the layer as they entered it
    """

    kind: str = ""
    after: np.ndarray = field(default_factory=_no_order)
    before: np.ndarray = field(default_factory=_no_order)
    n_kept: int = 0

    @property
    def is_triangular(self) -> bool:
        """Whether the Jacobian is lower triangular in some order of the features."""
        return len(self.after) > 0


def form_of_flow(forms: list[LayerForm]) -> LayerForm:
    """The form of layers one after the other: triangular where all of them are so in one order of the features.

    >>> order = np.array([1, 0])
    >>> one, turned = LayerForm("coupling", order, order, 1), LayerForm("coupling", order[::-1], order[::-1], 1)
    >>> form_of_flow([one, one]).is_triangular, form_of_flow([one, turned]).is_triangular
    (True, False)
    """
    # Rescaling is triangular in every order: the other layers say in which.
    shaping = [form for form in forms if form.kind != "rescaling"] or forms
    orders = [order for form in shaping for order in (form.after, form.before)]
    if not orders or not all(len(o) > 0 and np.array_equal(o, orders[0]) for o in orders):
        return shaping[0] if len(forms) == 1 else LayerForm("flow")
    return LayerForm("flow", orders[0], orders[0], min(form.n_kept for form in forms))


def check_layer(layer: int, n_layers: int) -> int:
    """A layer's number, 1 the first; ValueError says which there are otherwise."""
    if not (isinstance(layer, int | np.integer) and 1 <= layer <= n_layers):
        raise ValueError(f"layer must be a whole number from 1 to {n_layers}, not {layer!r}")
    return int(layer)
