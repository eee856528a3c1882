"""Draw your own points: a canvas with a spray, an eraser and two kinds of points."""

from __future__ import annotations

import numpy as np

from flowlab.dashboard.canvas.component import canvas_component

MAX_POINTS = 2000
_mount = canvas_component("paint")


def paint_view(
    key: str,
    window: tuple[float, float, float, float] = (-3.0, 3.0, -3.0, 3.0),
    points: np.ndarray | None = None,
    labels: np.ndarray | None = None,
    axes: tuple[str, str] = ("x", "y"),
) -> tuple[np.ndarray, np.ndarray]:
    """What the reader has drawn: points (m, 2) float64 inside `window`, labels (m,) uint8 (1 = anomaly), m <= 2000.

    points, labels: what stands there at first. The page reruns at the end of each stroke.
    """
    x0, x1, y0, y1 = map(float, window)
    start = {}
    if points is not None and len(points):
        start["points"] = np.asarray(points, np.float32).reshape(-1, 2)
        start["labels"] = np.zeros(len(points), np.uint8) if labels is None else np.asarray(labels, np.uint8)
    header = {"window": [x0, x1, y0, y1], "axes": [str(a)[:60] for a in axes]}
    result = _mount((header, {}), ({}, start), key, default={"drawing": None}, on_drawing_change=lambda: None)
    drawn = result.drawing
    if drawn is None:
        drawn = {"points": start.get("points", np.empty((0, 2))), "labels": start.get("labels", np.empty(0))}
    xy = np.asarray(drawn["points"], np.float64).reshape(-1, 2)[:MAX_POINTS]
    kinds = (np.asarray(drawn["labels"], np.float64)[:MAX_POINTS] > 0).astype(np.uint8)
    inside = np.isfinite(xy).all(axis=1) & (xy >= [x0, y0]).all(axis=1) & (xy <= [x1, y1]).all(axis=1)
    return xy[inside], kinds[: len(xy)][inside]
