"""The layers of a flow: points and a lattice travel from data space to latent space and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flowlab.dashboard.canvas.component import canvas_component
from flowlab.serving.canvas import pack_layers
from flowlab.views.layers import LayerPath

_mount = canvas_component("layers")


@dataclass(frozen=True)
class LayerChoice:
    """Where the reader stands: the layer (0 = data space) and the number of the row that is followed."""

    layer: int
    row: int | None


def layers_view(
    path: LayerPath,
    key: str,
    *,
    names: Sequence[str] = (),
    axes: tuple[str, str] = ("x", "y"),
    latent_axes: tuple[str, str] = ("latent 1", "latent 2"),
    color: np.ndarray | None = None,
    color_kind: str = "angle",
    layer: int = 0,
    row: int | None = None,
) -> LayerChoice:
    """Show the path through the layers; the layer and row at which the reader stopped.

    path: from `views.layers`. names: of the n_layers layers. color: as in `live.Scene`. row: number of the row to
    follow. The page reruns when the slider is released, a point is clicked, or the animation reaches a layer. Each
    drawing in the browser dispatches `flowlab:draw` with position, playing and row in its detail.
    """
    hint = "Click a point to follow it and to read its receipt."
    header, packed = pack_layers(path, names, axes, latent_axes, color, color_kind, hint)
    last = len(path.points) - 1
    layer = min(max(layer, 0), last)
    start = {"layer": layer, "row": row}
    result = _mount(
        (header, packed),
        (start, {}),
        key,
        default=start,
        on_layer_change=lambda: None,
        on_row_change=lambda: None,
    )
    at, clicked = result.layer, result.row
    return LayerChoice(
        layer=min(max(at, 0), last) if isinstance(at, int) else layer,
        row=clicked if isinstance(clicked, int) and clicked in path.rows else None,
    )
