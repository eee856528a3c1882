"""Which pixels an image coupling reads and which it changes."""

from __future__ import annotations

import numpy as np


def pixel_masks(name: str, height: int, width: int, number: int) -> tuple[np.ndarray, np.ndarray]:
    """What coupling `number` (0 the first) reads and what it changes, each (height, width) bool, never both.

    "checkerboard": every other pixel, in turn (Dinh et al. 2017, arXiv:1605.08803). "half": the upper half and the
    lower one. "cycle": of the four quarters, clockwise, each is changed by what stands in the one before alone, so that
    no neighbouring pixel can be copied (after Kirichenko et al. 2020, arXiv:2006.08545). Else a 0 or 1 for each pixel,
    row by row: 1 is changed first, then the others; with "=" before it, 1 is changed each time. ValueError for a drawn
    mask that does not fit.
    """
    row, column = np.indices((height, width))
    if name == "cycle":
        quarter = np.where(row < height // 2, (column >= width // 2) * 1, 3 - (column >= width // 2))
        return quarter == number % 4, quarter == (number + 1) % 4
    if name == "checkerboard":
        changed = (row + column) % 2 == 0
    elif name == "half":
        changed = row >= height // 2
    else:
        digits = name.removeprefix("=")
        if len(digits) != height * width or set(digits) != {"0", "1"}:
            raise ValueError(f"mask must hold 0 and 1 for each of {height} x {width} pixels, not {name[:40]!r}")
        changed = np.array([digit == "1" for digit in digits]).reshape(height, width)
    return (changed, ~changed) if number % 2 and not name.startswith("=") else (~changed, changed)
