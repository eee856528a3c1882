"""Synthetic families of pictures: some made of other pictures, some of nothing but chance."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.ndimage import uniform_filter1d

Family = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""Pictures (n, height, width, channels) uint8 and a source of chance to as many pictures of the same shape.

A family that needs no pictures takes only their shape.
"""


def constant(pictures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each picture as its mean colour alone."""
    return _as_pixels(np.broadcast_to(pictures.mean(axis=(1, 2), keepdims=True), pictures.shape))


def gradient(pictures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A slope of grey in a direction at random, with a steepness and a level at random."""
    n, height, width, channels = pictures.shape
    y, x = np.mgrid[:height, :width].astype(float)
    y, x = (y - (height - 1) / 2) / height, (x - (width - 1) / 2) / width
    level = rng.uniform(0, 255, (n, 1, 1, 1))
    slopes = rng.normal(0, 96, (2, n, 1, 1, channels))
    return _as_pixels(level + slopes[0] * x[None, :, :, None] + slopes[1] * y[None, :, :, None])


def blurred(pictures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each picture under a moving average over 3 x 3 pixels, twice."""
    smooth = pictures.astype(float)
    for _ in range(2):
        for axis in (1, 2):
            smooth = uniform_filter1d(smooth, 3, axis=axis, mode="nearest")
    return _as_pixels(smooth)


def noise(pictures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Uniform noise: every pixel one of 256 values, whatever the others are."""
    return rng.integers(0, 256, pictures.shape, dtype=np.uint8)


def shuffled(pictures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each picture with its pixels in an order of its own at random; colours stay together."""
    n, height, width, channels = pictures.shape
    order = np.argsort(rng.random((n, height * width)), axis=1)
    flat = pictures.reshape(n, height * width, channels)
    return np.take_along_axis(flat, order[:, :, None], axis=1).reshape(pictures.shape)


def half_contrast(pictures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each picture half way to its mean colour."""
    mean = pictures.mean(axis=(1, 2), keepdims=True)
    return _as_pixels(mean + 0.5 * (pictures - mean))


def shapes(pictures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A disc, a bar or a frame of one colour on a ground of another."""
    n, height, width, channels = pictures.shape
    y, x = np.mgrid[:height, :width].astype(float)
    cy, cx = rng.uniform(0.25, 0.75, (2, n, 1, 1)) * np.array([height, width])[:, None, None, None]
    size = rng.uniform(0.15, 0.45, (n, 1, 1)) * min(height, width)
    away_y, away_x = np.abs(y - cy), np.abs(x - cx)
    disc = np.hypot(away_y, away_x) <= size
    bar = np.where(rng.random((n, 1, 1)) < 0.5, away_y, away_x) <= size / 2
    widest = np.maximum(away_y, away_x)
    frame = (widest <= size) & (widest > size - max(1.0, min(height, width) / 8))
    kind = rng.integers(0, 3, (n, 1, 1))
    inside = np.where(kind == 0, disc, np.where(kind == 1, bar, frame))[..., None]
    ground, figure = rng.integers(0, 256, (2, n, 1, 1, channels))
    return np.where(inside, figure, ground).astype(np.uint8)


def clouds(pictures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Noise whose slow waves are the strongest, as in photographs: amplitude falls with the frequency."""
    n, height, width, channels = pictures.shape
    frequency = np.hypot(np.fft.fftfreq(height)[:, None] * height, np.fft.fftfreq(width)[None] * width)
    fall = ((1 + 6 * frequency) ** -1.2)[None, :, :, None]
    waves = np.fft.ifft2(np.fft.fft2(rng.normal(size=(n, height, width, channels)), axes=(1, 2)) * fall, axes=(1, 2))
    return _as_pixels(rng.uniform(0, 255, (n, 1, 1, 1)) + rng.uniform(20, 300, (n, 1, 1, 1)) * waves.real)


FAMILIES: dict[str, Family] = {
    "constant": constant,
    "gradient": gradient,
    "blurred": blurred,
    "noise": noise,
    "shuffled": shuffled,
    "half_contrast": half_contrast,
    "shapes": shapes,
    "clouds": clouds,
}
"""Name -> the family. Constant, blurred, shuffled and half contrast are made of the pictures they are given."""


def _as_pixels(values: np.ndarray) -> np.ndarray:
    """Values in [0, 255] as pixels; those beyond are cut off, the others rounded down."""
    return np.clip(np.floor(values), 0, 255).astype(np.uint8)
