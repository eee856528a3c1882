"""Paint the pixels of a picture: a brush of one pixel, in grey or in colour."""

from __future__ import annotations

import hashlib

import numpy as np

from flowlab.dashboard.canvas.component import canvas_component

_mount = canvas_component("pixels")


def pixels_view(key: str, picture: np.ndarray) -> np.ndarray:
    """The picture (height, width, channels) float64 in [0, 1] as the reader has painted it; 1 or 3 channels.

    Pixels that were not painted keep their value to the bit; another picture begins anew. The page reruns at the end
    of each stroke.
    """
    shown = np.asarray(picture, np.float32)
    digest = hashlib.sha256(shown.tobytes()).hexdigest()[:16]
    painted = _mount(
        ({}, {"picture": shown}), ({}, {}), f"{key}.{digest}", default={"picture": None}, on_picture_change=lambda: None
    ).picture
    return picture if painted is None else merged(picture, painted)


def merged(picture: np.ndarray, painted: object) -> np.ndarray:
    """`picture` with the values of `painted`, which came from a browser, where they differ by more than rounding.

    What is no list of as many finite numbers changes nothing.

    >>> merged(np.array([[[0.1], [0.2]]]), [0.1000001, 1.7]).ravel().tolist()
    [0.1, 1.0]
    """
    try:
        values = np.asarray(painted, np.float64)
    except (ValueError, TypeError):
        return picture
    if values.shape != (picture.size,) or not np.isfinite(values).all():
        return picture
    values = np.clip(values, 0.0, 1.0).reshape(picture.shape)
    return np.where(np.abs(values - picture) < 1e-3, picture, values)
