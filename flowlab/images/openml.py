"""MNIST and Fashion-MNIST, fetched from OpenML by scikit-learn where this computer reaches it."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import fetch_openml

FETCHED = {"mnist": ("MNIST", "mnist_784", 1), "fashion_mnist": ("Fashion-MNIST", "Fashion-MNIST", 1)}
"""Name -> what it is called, and its name and version at OpenML."""
GARMENTS = (
    "T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "trainers", "bag", "ankle boot",
)  # fmt: skip
"""The classes 0 to 9 of Fashion-MNIST."""
SIDE = 28


def fetched(name: str) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Pictures (n, 28, 28, 1) uint8, their classes (n,) 0 to 9, and the classes' names.

    scikit-learn keeps them in its own folder (SCIKIT_LEARN_DATA), so that they are fetched once. ValueError, one
    sentence, where they cannot be fetched or are not what they should be.
    """
    label, at_openml, version = FETCHED[name]
    try:
        answer = fetch_openml(at_openml, version=version, as_frame=False, parser="auto", n_retries=0)
    except Exception as error:  # no network, a refusal, an archive that is damaged: a dozen kinds
        raise ValueError(
            f"{label} is fetched from OpenML, which this computer does not reach ({type(error).__name__}); choose a "
            "set that is here, or upload the pictures as NPZ."
        ) from error
    pixels, classes = np.asarray(answer.data), np.asarray(answer.target)
    if pixels.ndim != 2 or pixels.shape[1] != SIDE * SIDE or len(classes) != len(pixels) or pixels.max() > 255:
        raise ValueError(f"What OpenML gave for {label} is not pictures of {SIDE} x {SIDE} pixels; try again later.")
    names = GARMENTS if name == "fashion_mnist" else tuple(map(str, range(10)))
    return pixels.astype(np.uint8).reshape(-1, SIDE, SIDE, 1), classes.astype(np.int64), names
