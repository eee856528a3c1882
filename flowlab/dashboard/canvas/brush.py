"""Linked brushing: rows marked with a lasso in data space, latent space or along the scores are marked everywhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flowlab.dashboard.canvas.component import canvas_component

_mount = canvas_component("brush")


def brush_view(
    points: np.ndarray,
    score: np.ndarray,
    window: tuple[float, float, float, float],
    key: str,
    *,
    latent: np.ndarray | None = None,
    latent_title: str = "Latent space",
    latent_axes: tuple[str, str] = ("latent 1", "latent 2"),
    labels: np.ndarray | None = None,
    threshold: float | None = None,
    score_label: str = "anomaly score (nats)",
    axes: tuple[str, str] = ("x", "y"),
    color: np.ndarray | None = None,
    color_kind: str = "angle",
    rows: Sequence[int] = (),
) -> list[int]:
    """Three linked pictures; the marked rows, as rising indices into `points`, after each lasso.

    points: (m, 2) in data space, shown in `window` (x0, x1, y0, y1). latent: (m, 2), None for a model without latent
    space. score: (m,), higher is more anomalous. labels: (m,) 1 where a row is labelled an anomaly, for the button that
    marks those. color: (m,) uint8; `color_kind` is "angle", "label" (1 = anomaly)
    or "value" (0..255 on the sequential scale). rows: marked at first and whenever it changes, so that a table can
    mark too. With the keyboard: the arrow keys on the histogram mark the highest scores, Escape clears.
    """
    points = np.asarray(points, np.float32)
    if points.ndim != 2 or points.shape[1] != 2 or len(score) != len(points):
        raise ValueError(f"points must be (m, 2) and score (m,), got {points.shape} and {np.shape(score)}")
    header = {
        "window": [float(v) for v in window],
        "threshold": threshold,
        "score_label": score_label,
        "axes": [str(a)[:60] for a in axes],
        "latent_title": latent_title,
        "latent_axes": [str(a)[:60] for a in latent_axes],
        "color_kind": color_kind,
    }
    arrays = {"points": points, "score": np.asarray(score, np.float32)}
    if latent is not None:
        arrays["latent"] = np.asarray(latent, np.float32)
    if labels is not None and np.any(labels):
        arrays["labels"] = np.asarray(labels).astype(np.uint8)
    if color is not None:
        arrays["color"] = np.asarray(color).astype(np.uint8)
    start = [int(i) for i in rows]
    result = _mount((header, arrays), ({"rows": start}, {}), key, default={"rows": start}, on_rows_change=lambda: None)
    marked = result.rows if isinstance(result.rows, list) else start
    return sorted(i for i in marked if isinstance(i, int) and 0 <= i < len(points))
