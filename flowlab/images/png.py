"""PNG: pixels as the bytes of a file, and as an address that an HTML page shows without asking any server."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image


def png_bytes(pixels: np.ndarray) -> bytes:
    """The PNG file of pixels (height, width, channels) uint8; 1 channel is grey, 3 are colours, 4 have opacity.

    >>> png_bytes(np.zeros((8, 8, 1), np.uint8))[1:4]
    b'PNG'
    """
    buffer = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(buffer, "PNG")
    return buffer.getvalue()


def data_uri(pixels: np.ndarray) -> str:
    """The address of a PNG that carries the picture itself; pixels as of `png_bytes`."""
    return "data:image/png;base64," + base64.b64encode(png_bytes(pixels)).decode()


def enlarged(pictures: np.ndarray, size: int) -> np.ndarray:
    """Pictures (..., height, width, channels) with each pixel repeated, so that the longer side has about `size`.

    >>> enlarged(np.zeros((2, 8, 4, 1), np.uint8), 48).shape
    (2, 48, 24, 1)
    """
    times = max(1, round(size / max(pictures.shape[-3:-1])))
    return pictures.repeat(times, axis=-3).repeat(times, axis=-2)
