"""Which columns of a table are constant: one answer for encoders, models, checks, explanations and pictures."""

from __future__ import annotations

import numpy as np

ROUNDING = 1e-10
"""Spread of a column, as a share of its largest magnitude, up to which it is rounding error and the column constant."""


def exceeds_rounding(spread: np.ndarray, X: np.ndarray) -> np.ndarray:
    """Whether a spread (d,) of each column of X (n, d), in data units, is more than rounding error, (d,) bool."""
    return spread > ROUNDING * np.abs(X).max(axis=0)


def varies(X: np.ndarray) -> np.ndarray:
    """Which columns of X (n, d) are not constant, (d,) bool; nothing overflows for finite X.

    >>> varies(np.array([[0.1, 1.0, 1e300], [0.1, 2.0, -1e300], [0.1, 2.0, 0.0]]))
    array([False,  True,  True])
    """
    size = np.abs(X).max(axis=0)
    return (X / np.where(size > 0, size, 1.0)).std(axis=0) > ROUNDING


def spread_of(X: np.ndarray) -> np.ndarray:
    """Standard deviation of each column of X (n, d), (d,); 1 for constant ones."""
    return np.where(varies(X), X.std(axis=0), 1.0)
