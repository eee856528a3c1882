"""A broad background for likelihood ratios: pictures made by chance, and none of what is to be found."""

from __future__ import annotations

import numpy as np

from flowlab.images.families import FAMILIES
from flowlab.images.shape import ImageShape

BACKGROUND_SHARES = {"waves": 0.71, "gradients": 0.14, "shapes": 0.06, "noise": 0.09}
"""What a broad background holds, as shares of its pictures; see `broad_background`."""


def broad_background(shape: ImageShape, n_images: int, random_state: int | np.random.Generator = 0) -> np.ndarray:
    """Pictures (n, height, width, channels) uint8 that owe nothing to any photograph.

    Most are random waves whose amplitude falls with the frequency to a power of 0.5 to 3.5, with a contrast drawn
    evenly on a logarithmic scale; then slopes of any steepness, plain shapes, and a little uniform noise.
    `BACKGROUND_SHARES` says how many of each. None is made of another picture: no constant ones on purpose, no blurs.
    """
    rng = np.random.default_rng(random_state)
    counts = {name: round(share * n_images) for name, share in BACKGROUND_SHARES.items()}
    counts["waves"] += n_images - sum(counts.values())

    def blank(name: str) -> np.ndarray:
        return np.zeros((counts[name], shape.height, shape.width, shape.channels), np.uint8)

    parts = [_waves(blank("waves"), rng), _gradients(blank("gradients"), rng)]
    parts += [FAMILIES[name](blank(name), rng) for name in ("shapes", "noise")]
    return np.concatenate(parts)[rng.permutation(n_images)]


def _waves(pictures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    n, height, width, channels = pictures.shape
    frequency = np.hypot(np.fft.fftfreq(height)[:, None] * height, np.fft.fftfreq(width)[None] * width)
    power = rng.uniform(0.5, 3.5, (n, 1, 1, 1))
    fall = np.where(frequency > 0, 1.0, 0.0)[None, :, :, None] / np.maximum(frequency, 1.0)[None, :, :, None] ** power
    # Channels share most of their waves, as the colours of a photograph do.
    noise = rng.normal(size=(n, height, width, 1)) + rng.uniform(0, 1, (n, 1, 1, 1)) * rng.normal(size=pictures.shape)
    waves = np.fft.ifft2(np.fft.fft2(noise, axes=(1, 2)) * fall, axes=(1, 2)).real
    waves /= waves.std(axis=(1, 2, 3), keepdims=True)
    contrast = np.exp(rng.uniform(np.log(0.25), np.log(100.0), (n, 1, 1, 1)))
    return _pixels(_levels(n, channels, rng) + contrast * waves)


def _gradients(pictures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    n, height, width, channels = pictures.shape
    y, x = np.mgrid[:height, :width].astype(float)
    steep = np.exp(rng.uniform(np.log(1.0), np.log(250.0), (2, n, 1, 1, channels))) * rng.choice(
        [-1, 1], (2, n, 1, 1, 1)
    )
    down, across = (y - (height - 1) / 2) / height, (x - (width - 1) / 2) / width
    return _pixels(_levels(n, channels, rng) + steep[0] * down[..., None] + steep[1] * across[..., None])


def _levels(n: int, channels: int, rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(0, 255, (n, 1, 1, channels))


def _pixels(values: np.ndarray) -> np.ndarray:
    return np.clip(np.floor(values), 0, 255).astype(np.uint8)
