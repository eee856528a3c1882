"""Pixels as columns: names of the columns, and 8-bit pictures as rows in [0, 1] and back."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from flowlab.images.shape import ImageShape

LEVELS = 256
"""Values a pixel of 8 bits can have."""
CHANNELS = ("red", "green", "blue")
_NAME = re.compile(r"r(\d{1,4})c(\d{1,4})(?: (red|green|blue))?")


def column_names(shape: ImageShape) -> tuple[str, ...]:
    """Names of the columns of a row, in their order: "r0c3" is row 0, column 3; with a colour where there are three.

    >>> column_names(ImageShape(1, 2)), column_names(ImageShape(1, 1, 3))
    (('r0c0', 'r0c1'), ('r0c0 red', 'r0c0 green', 'r0c0 blue'))
    """
    colors = [""] if shape.channels == 1 else [f" {color}" for color in CHANNELS]
    return tuple(f"r{i}c{j}{color}" for i in range(shape.height) for j in range(shape.width) for color in colors)


def shape_of_columns(names: Sequence[str]) -> ImageShape | None:
    """The shape whose `column_names` these are, so that a table or a detector tells it; None for other columns.

    >>> shape_of_columns(column_names(ImageShape(4, 6, 3)))
    ImageShape(height=4, width=6, channels=3)
    >>> shape_of_columns(["x", "y"]) is None
    True
    """
    last = _NAME.fullmatch(str(names[-1])) if len(names) else None
    if last is None:
        return None
    shape = ImageShape(int(last[1]) + 1, int(last[2]) + 1, 3 if last[3] else 1)
    return shape if shape.n_pixels == len(names) and column_names(shape) == tuple(map(str, names)) else None


def rows_of(pictures: np.ndarray) -> np.ndarray:
    """Rows (n, n_pixels) float64 in [0, 1], multiples of 1/255, of pictures (n, height, width, channels) uint8."""
    return pictures.reshape(len(pictures), -1) / (LEVELS - 1.0)


def as_bytes(values: np.ndarray) -> np.ndarray:
    """Values as 8-bit pixels, of the same shape: those beyond [0, 1] are cut off, nan is black.

    >>> as_bytes(np.array([-1.0, 0.5, 2.0])).tolist()
    [0, 128, 255]
    """
    return np.rint(np.clip(np.nan_to_num(values), 0.0, 1.0) * (LEVELS - 1)).astype(np.uint8)
