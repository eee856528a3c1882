"""How complex a picture is without any model: the bits that it takes, and how its neighbouring pixels differ."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from flowlab.images.png import png_bytes


def coded_bits(pictures: np.ndarray, coder: str = "png") -> np.ndarray:
    """Size in bits (n,) of each picture (n, height, width, channels) uint8, as a PNG file or packed by zlib.

    A file's size is an upper bound of its complexity (Serra et al. 2020, arXiv:1909.11480); small pictures take the 57
    bytes of a PNG's frame beside it. ValueError for another coder.
    """
    if coder not in ("png", "zlib"):
        raise ValueError(f"coder must be 'png' or 'zlib', not {coder!r}")
    if coder == "png":
        return np.array([8 * len(png_bytes(picture)) for picture in pictures])
    return np.array([8 * len(zlib.compress(picture.tobytes(), 9)) for picture in pictures])


@dataclass(frozen=True, eq=False)
class NeighbourDifferences:
    """How often neighbouring pixels of some pictures differ by how much: the simplest general model of pictures.

    Its likelihood follows that of a flow closely (Schirrmeister et al. 2020, arXiv:2006.10848).

    Attributes
    ----------
    log_probability : (511,) of the differences -255 to 255, in nats; one of each is added to what was counted
    """

    log_probability: np.ndarray

    @classmethod
    def of(cls, pictures: np.ndarray) -> NeighbourDifferences:
        """From pictures (n, height, width, channels) uint8: differences to the right and down, each channel alone."""
        counts = np.ones(511)
        for steps in _steps(pictures):
            counts += np.bincount(steps.ravel() + 255, minlength=511)
        return cls(np.log(counts / counts.sum()))

    def log_likelihood(self, pictures: np.ndarray) -> np.ndarray:
        """Sum (n,) in nats of the log-probabilities of a picture's differences, taken as if they were independent."""
        total = np.zeros(len(pictures))
        for steps in _steps(pictures):
            total += self.log_probability[steps + 255].reshape(len(pictures), -1).sum(axis=1)
        return total


def _steps(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    values = pictures.astype(np.int64)
    return np.diff(values, axis=1), np.diff(values, axis=2)
