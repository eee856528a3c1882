"""From data units to what a flow reads, and back, with the log-Jacobian: standardise, then compress far values.

A column that never varies carries no density a flow could learn (its likelihood is unbounded). It is kept out of
the flow and given a fixed, narrow normal density about its value instead: standard deviation 0.001 of the value's
size, or 0.001 where it is zero. A row that breaks the constancy thus scores low, by a finite amount.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

FAR = 8.0
"""Standardised values beyond this are compressed logarithmically."""
CONSTANT_SHARE = 1e-3
LARGEST_LOG = 600.0
LOG_2PI = math.log(2 * math.pi)


@dataclass(frozen=True)
class Scaling:
    """z = squash((x - center) / scale), column by column.

    squash(v) = v for |v| <= 8 and sign(v) (8 + log(|v| - 7)) beyond: continuous with its first derivative, and
    reversible, so that one row a thousand standard deviations away cannot break a flow.
    """

    center: np.ndarray
    scale: np.ndarray
    varies: np.ndarray

    @classmethod
    def fit(cls, X: np.ndarray, standardize: bool = True) -> Scaling:
        """Means and standard deviations of X (n, d); without `standardize`, 0 and 1 for columns that vary."""
        center, scale = X.mean(0), X.std(0)
        size = np.abs(X).max(0)
        varies = scale > 1e-10 * size
        narrow = CONSTANT_SHARE * np.where(size > 0, size, 1.0)
        if not standardize:
            center, scale = np.where(varies, 0.0, center), np.where(varies, 1.0, scale)
        return cls(center, np.where(varies, scale, narrow), varies)

    def forward(self, X: np.ndarray) -> np.ndarray:
        """Scaled rows, same shape as X."""
        return squash((X - self.center) / self.scale)

    def inverse(self, Z: np.ndarray) -> np.ndarray:
        """Rows in data units."""
        return unsquash(Z) * self.scale + self.center

    def log_det(self, Z: np.ndarray) -> np.ndarray:
        """Log-determinant of `forward` at scaled rows Z (n, d), shape (n,)."""
        return -np.log(self.scale).sum() - np.maximum(np.abs(Z) - FAR, 0).sum(1)

    def constant_log_density(self, Z: np.ndarray) -> np.ndarray:
        """Log-density of the constant columns of scaled rows Z, before `log_det`, shape (n,)."""
        Z = Z[:, ~self.varies]
        return -0.5 * (Z**2).sum(1) - 0.5 * Z.shape[1] * LOG_2PI


def squash(V: np.ndarray) -> np.ndarray:
    """Compress |v| > 8 logarithmically; the derivative there is 1 / (|v| - 7)."""
    size = np.abs(V)
    return np.where(size <= FAR, V, np.sign(V) * (FAR + np.log1p(np.maximum(size - FAR, 0))))


def unsquash(Z: np.ndarray) -> np.ndarray:
    """Undo `squash`; finite for every finite Z."""
    size = np.abs(Z)
    return np.where(size <= FAR, Z, np.sign(Z) * (FAR + np.expm1(np.clip(size - FAR, 0, LARGEST_LOG))))
