"""The layers of a flow: points and a lattice travel from data space to latent space and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flowlab.dashboard.canvas.component import canvas_component
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
    points = np.asarray(path.points, np.float32)
    if points.ndim != 3 or points.shape[2] != 2 or len(points) < 2:
        raise ValueError(f"points must have the shape (n_layers + 1, m, 2), got {points.shape}")
    last, layer = len(points) - 1, min(max(layer, 0), len(points) - 1)
    header = {
        "names": ["", *(str(name)[:60] for name in names)],
        "axes": [[str(a)[:60] for a in axes], list(latent_axes)],
        "color_kind": color_kind,
    }
    packed = {"positions": points, "rows": np.asarray(path.rows, np.uint32), "volume": _so_far(path.log_det)}
    if path.grid is not None:
        packed |= {"grid": np.asarray(path.grid, np.float32), "grid_volume": _so_far(path.grid_log_det)}
    if color is not None:
        packed["color"] = np.asarray(color).astype(np.uint8)
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


def _so_far(log_det: np.ndarray) -> np.ndarray:
    """(n_layers, ...) of each layer -> (n_layers + 1, ...) sum up to each layer, 0 at first."""
    total = np.cumsum(np.asarray(log_det, np.float64), axis=0)
    return np.concatenate([np.zeros_like(total[:1]), total]).astype(np.float32)
