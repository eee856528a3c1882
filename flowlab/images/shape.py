"""ImageShape: how the columns of a row are laid out as a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ImageShape:
    """Height, width and channels of the pictures that rows hold.

    A row is flat, channels last: its columns run over height, then width, then channels.

    >>> ImageShape(2, 3).of(np.arange(12).reshape(2, 6)).shape
    (2, 2, 3, 1)
    """

    height: int
    width: int
    channels: int = 1

    @property
    def n_pixels(self) -> int:
        """Number of columns of a row: height times width times channels."""
        return self.height * self.width * self.channels

    def of(self, rows: np.ndarray) -> np.ndarray:
        """Pictures (n, height, width, channels) of rows (n, n_pixels)."""
        return np.reshape(rows, (len(rows), self.height, self.width, self.channels))
