"""Where pictures come from without a download: the digits and the two photographs that ship with scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits, load_sample_image

from flowlab.datasets.dataset import random_split
from flowlab.images.openml import FETCHED, fetched
from flowlab.images.shape import ImageShape

PHOTOGRAPHS = {"china": "china.jpg", "flower": "flower.jpg"}
TILE = 32
"""Side of the squares of a photograph, in pixels: the patches of one square belong to one part of the rows."""
LUMINANCE = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue in grey (ITU-R BT.601)."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures with their division and their classes.

    Attributes
    ----------
    pixels : (n, height, width, channels) uint8
    split : (n,) int8; 0 training, 1 validation, 2 test
    classes : (n,) int, places in `class_names`
    """

    pixels: np.ndarray
    split: np.ndarray
    classes: np.ndarray
    class_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.pixels)

    def take(self, rows: np.ndarray) -> Pictures:
        """Some of them, by number or by mask."""
        return Pictures(self.pixels[rows], self.split[rows], self.classes[rows], self.class_names)


def photo_patches(name: str, n: int, shape: ImageShape, rng: np.random.Generator) -> Pictures:
    """Patches of a photograph at random places, of at most 32 pixels a side.

    The photograph is divided into squares of 32 pixels, each of which belongs to training, validation or test rows with
    all of its patches: no pixel of a test patch was in a training patch.

    Parameters
    ----------
    name : "china" or "flower"
    n : how many
    shape : of the patches; one channel for grey, three for colour
    """
    photo = _photograph(name, shape.channels)
    down, across = photo.shape[0] // TILE, photo.shape[1] // TILE
    parts = random_split(down * across, seed=int(rng.integers(2**31)))
    tiles = rng.integers(0, down * across, n)
    top = TILE * (tiles // across) + rng.integers(0, TILE - shape.height + 1, n)
    left = TILE * (tiles % across) + rng.integers(0, TILE - shape.width + 1, n)
    windows = np.lib.stride_tricks.sliding_window_view(photo, (shape.height, shape.width), axis=(0, 1))
    pixels = np.ascontiguousarray(np.moveaxis(windows[top, left], 1, -1))
    return Pictures(pixels, parts[tiles], np.zeros(n, np.int64), (PHOTOGRAPHS[name],))


def digits() -> Pictures:
    """The 1,797 handwritten digits of 8 x 8 pixels, their 17 levels spread over 0 to 255; not yet divided."""
    table = load_digits()
    pixels = np.rint(table.images * (255 / 16)).astype(np.uint8)[..., None]
    names = tuple(str(name) for name in table.target_names)
    return Pictures(pixels, np.zeros(len(pixels), np.int8), table.target.astype(np.int64), names)


def pictures_of(source: str, n: int, shape: ImageShape, rng: np.random.Generator) -> Pictures:
    """Pictures of a photograph, the digits, or MNIST and Fashion-MNIST, brought to `shape` and divided.

    As many as `n`, or as there are. Raises ValueError where a set must be fetched and cannot be.
    """
    if source in PHOTOGRAPHS:
        return photo_patches(source, n, shape, rng)
    found = _fetched(source) if source in FETCHED else digits()
    some = rng.permutation(len(found))[:n]
    split = random_split(len(some), seed=int(rng.integers(2**31)), y=found.classes[some])
    return Pictures(brought_to(shape, found.pixels[some]), split, found.classes[some], found.class_names)


def brought_to(shape: ImageShape, pixels: np.ndarray) -> np.ndarray:
    """Pictures (n, height, width, channels) uint8 in another size and number of channels.

    Whole multiples repeat pixels; other sizes are interpolated. Grey is repeated for colours, colours are weighed for
    grey.
    """
    if pixels.shape[1:3] != (shape.height, shape.width):
        down, rest_down = divmod(shape.height, pixels.shape[1])
        across, rest_across = divmod(shape.width, pixels.shape[2])
        if rest_down or rest_across:
            size = (shape.width, shape.height)
            resized = [Image.fromarray(picture.squeeze()).resize(size, Image.Resampling.BOX) for picture in pixels]
            pixels = np.stack([np.asarray(picture) for picture in resized]).reshape(len(pixels), *size[::-1], -1)
        else:
            pixels = pixels.repeat(down, axis=1).repeat(across, axis=2)
    if pixels.shape[3] == shape.channels:
        return pixels
    return pixels.repeat(3, axis=3) if shape.channels == 3 else grey(pixels)


def grey(pixels: np.ndarray) -> np.ndarray:
    """Colour pictures (..., 3) uint8 as grey ones (..., 1) uint8."""
    return np.floor(pixels @ LUMINANCE + 1e-6).astype(np.uint8)[..., None]


@lru_cache(maxsize=4)
def _photograph(name: str, channels: int) -> np.ndarray:
    photo = np.asarray(load_sample_image(PHOTOGRAPHS[name]))
    return photo if channels == 3 else grey(photo)


@lru_cache(maxsize=2)
def _fetched(name: str) -> Pictures:
    pixels, classes, names = fetched(name)
    return Pictures(pixels, np.zeros(len(pixels), np.int8), classes, names)
