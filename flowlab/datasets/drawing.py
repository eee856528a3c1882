"""Points a person has painted, as a data set that fits into a link."""

from __future__ import annotations

import base64

import numpy as np

from flowlab.constraints import COUNT, NOT_NEGATIVE, TEXT, checked
from flowlab.datasets.dataset import Dataset, random_split

WINDOW = (-3.0, 3.0)
MAX_POINTS = 900
"""How many points a link can carry: four characters each."""
_CELLS = 2048


def points_to_text(points: np.ndarray, labels: np.ndarray) -> str:
    """Points (m, 2) inside the window and labels (m,) 0 or 1 as text: 11 bits for x, 12 for y, 1 for the label.

    >>> points_from_text(points_to_text(np.array([[0.0, 1.5]]), np.array([1])))[1]
    array([1], dtype=int8)
    """
    if len(points) > MAX_POINTS:
        raise ValueError(f"a link carries at most {MAX_POINTS} points, not {len(points)}; store the table instead")
    low, high = WINDOW
    share = np.clip((np.asarray(points, float).reshape(-1, 2) - low) / (high - low), 0, 1 - 1e-9)
    x, y = (share[:, 0] * _CELLS).astype(np.uint32), (share[:, 1] * 2 * _CELLS).astype(np.uint32)
    packed = (x << 13) | (y << 1) | (np.asarray(labels) > 0)
    data = packed.astype(">u4").view(np.uint8).reshape(-1, 4)[:, 1:].tobytes()
    return base64.urlsafe_b64encode(data).decode()


def points_from_text(text: str) -> tuple[np.ndarray, np.ndarray]:
    """Centres of the cells, shape (m, 2), and labels (m,) int8. Raises ValueError for other text."""
    try:
        data = base64.b64decode(text.encode(), altchars=b"-_", validate=True)
    except ValueError:
        data = b"?"
    if len(data) % 3 or len(data) // 3 > MAX_POINTS:
        raise ValueError("points must be what the drawing canvas wrote into the link; draw them again")
    packed = np.frombuffer(data, np.uint8).reshape(-1, 3).astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    low, high = WINDOW
    x = low + (high - low) * ((packed >> 13) + 0.5) / _CELLS
    y = low + (high - low) * (((packed >> 1) & 0xFFF) + 0.5) / (2 * _CELLS)
    return np.column_stack([x, y]), (packed & 1).astype(np.int8)


_TURN = np.linspace(0, 2 * np.pi, 240, endpoint=False)
EXAMPLE = points_to_text(np.column_stack([2 * np.sin(2 * _TURN), 2 * np.sin(3 * _TURN)]), np.zeros(len(_TURN)))
"""The points shown before anything is drawn: a Lissajous curve."""


@checked(points=TEXT, copies=COUNT, spread=NOT_NEGATIVE)
def make_drawing(*, points: str = EXAMPLE, copies: int = 10, spread: float = 0.05, seed: int = 0) -> Dataset:
    """The painted points, each repeated `copies` times with Gaussian noise of standard deviation `spread`.

    The copies bring a drawing of some hundred points to the thousands of rows a flow is trained on. `points` is the
    text of `points_to_text`. Raises ValueError for other text, and for fewer than 5 points.
    """
    centres, labels = points_from_text(points)
    if len(centres) < 5:
        raise ValueError(f"{len(centres)} points are drawn, at least 5 are needed; draw more on the Data page")
    rng = np.random.default_rng([seed, 0xD2A])
    noise = rng.normal(size=(copies, len(centres), 2)) * spread
    X = (centres + noise).reshape(-1, 2)
    tiled = np.tile(labels, copies)
    y = tiled if tiled.any() and not tiled.all() else None
    split = random_split(len(X), seed=seed, y=y)
    return Dataset(X, ("x", "y"), y=y, name="drawing", split=split, train_on="all" if y is None else "normal")
