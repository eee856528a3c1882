"""From data units to what a flow reads, and back, with the log-Jacobian: standardise, then compress far values.

A column that never varies carries no density a flow could learn (its likelihood is unbounded). It is kept out of
the flow and given a fixed, narrow normal density about its value instead: standard deviation 0.001 of the value's
size, or 0.001 where it is zero. A row with another value there scores low, by a finite amount.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from flowlab.columns import varies

FAR = 8.0
"""Standardised values beyond this are compressed logarithmically."""
CONSTANT_SHARE = 1e-3
LARGEST_LOG = 600.0
MAX_LEVELS = 100
LOG_2PI = math.log(2 * math.pi)


@dataclass(frozen=True)
class Scaling:
    """z = squash((x - center) / scale), column by column.

    squash(v) = v for |v| <= 8 and sign(v) (8 + log(|v| - 7)) beyond: continuous with its first derivative, and
    reversible; a value a thousand standard deviations away becomes 14.9.
    """

    center: np.ndarray
    scale: np.ndarray
    varies: np.ndarray

    @classmethod
    def fit(cls, X: np.ndarray, standardize: bool = True) -> Scaling:
        """Means and standard deviations of X (n, d); without `standardize`, 0 and 1 for columns that vary."""
        center, scale = X.mean(0), X.std(0)
        size = np.abs(X).max(0)
        varying = varies(X)
        narrow = CONSTANT_SHARE * np.where(size > 0, size, 1.0)
        if not standardize:
            center, scale = np.where(varying, 0.0, center), np.where(varying, 1.0, scale)
        return cls(center, np.where(varying, scale, narrow), varying)

    def forward(self, X: np.ndarray) -> np.ndarray:
        """Scaled rows, same shape as X."""
        return squash((X - self.center) / self.scale)

    def inverse(self, Z: np.ndarray) -> np.ndarray:
        """Rows in data units."""
        return unsquash(Z) * self.scale + self.center

    def log_det(self, Z: np.ndarray) -> np.ndarray:
        """Log-determinant of `forward` at scaled rows Z (n, d), shape (n,)."""
        return -np.log(self.scale).sum() - np.maximum(np.abs(Z) - FAR, 0).sum(1)

    @property
    def judged(self) -> np.ndarray:
        """Which columns the density is over, (d,) bool: all but a context."""
        return np.ones(len(self.center), bool)

    @property
    def n_context(self) -> int:
        """How many numbers per row condition the flow instead of passing through it."""
        return 0

    def context(self, Z: np.ndarray) -> np.ndarray:
        """Those numbers, (n, n_context)."""
        return np.zeros((len(Z), 0))

    def base_sample(self, n_samples: int, temperature: float, rng: np.random.RandomState) -> np.ndarray:
        """Latent points (n_samples, d): standard normal times `temperature`."""
        return temperature * rng.standard_normal((n_samples, len(self.center)))

    def constant_log_density(self, Z: np.ndarray) -> np.ndarray:
        """Log-density of the constant columns of scaled rows Z, before `log_det`, shape (n,)."""
        Z = Z[:, ~self.varies]
        return -0.5 * (Z**2).sum(1) - 0.5 * Z.shape[1] * LOG_2PI

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The fields by name, for `scaling_from`; copies."""
        return {name: np.asarray(value).copy() for name, value in vars(self).items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Scaling:
        """The scaling whose `to_arrays` these are among; other arrays are ignored."""
        return cls(*(np.asarray(arrays[field.name]) for field in fields(cls)))


@dataclass(frozen=True)
class ContextScaling(Scaling):
    """Scaling of a table one of whose columns is a context: its levels (a class, a kind) condition the flow.

    A scaled row holds the number of its level there, -1 for a level never seen. The context has no density:
    a row is compared with the rows of its level.
    """

    column: np.ndarray
    levels: np.ndarray
    log_share: np.ndarray

    @classmethod
    def fit_context(cls, X: np.ndarray, column: int, standardize: bool = True) -> ContextScaling:
        """`column` is the index of the context; ValueError where it holds more than 100 different values."""
        levels, counts = np.unique(X[:, column], return_counts=True)
        if len(levels) > MAX_LEVELS:
            raise ValueError(
                f"a context must hold at most {MAX_LEVELS} different values; column {column} holds {len(levels)}: "
                "choose a column of classes, or a flow without a context"
            )
        plain = Scaling.fit(X, standardize)
        center, scale, varies = plain.center, plain.scale, plain.varies
        center[column], scale[column], varies[column] = 0.0, 1.0, False
        return cls(center, scale, varies, np.array(column), levels, np.log(counts / len(X)))

    def forward(self, X: np.ndarray) -> np.ndarray:
        """Scaled rows, same shape as X; the context column holds the number of the level, -1 for an unknown one."""
        Z = super().forward(X)
        code = np.searchsorted(self.levels, X[:, self.column]).clip(max=len(self.levels) - 1)
        Z[:, self.column] = np.where(self.levels[code] == X[:, self.column], code, -1)
        return Z

    def inverse(self, Z: np.ndarray) -> np.ndarray:
        """Rows in data units; the nearest known level in the context column."""
        X = super().inverse(Z)
        X[:, self.column] = self.levels[np.rint(Z[:, self.column]).clip(0, len(self.levels) - 1).astype(int)]
        return X

    def log_det(self, Z: np.ndarray) -> np.ndarray:
        """Log-determinant of `forward` at scaled rows Z (n, d), the context left out, shape (n,)."""
        return super().log_det(self._without_context(Z))

    def constant_log_density(self, Z: np.ndarray) -> np.ndarray:
        """Log-density of the constant columns of scaled rows Z, the context left out, shape (n,)."""
        return super().constant_log_density(self._without_context(Z)) + 0.5 * LOG_2PI

    @property
    def judged(self) -> np.ndarray:
        """Which columns the density is over, (d,) bool: all but the context."""
        return np.arange(len(self.center)) != self.column

    @property
    def n_context(self) -> int:
        """How many levels the context has."""
        return len(self.levels)

    def context(self, Z: np.ndarray) -> np.ndarray:
        """The level of each row as a one-hot vector, (n, n_levels); all zeros for an unknown level."""
        return (np.rint(Z[:, [self.column]]) == np.arange(len(self.levels))).astype(float)

    def base_sample(self, n_samples: int, temperature: float, rng: np.random.RandomState) -> np.ndarray:
        """Latent points (n_samples, d); the context column holds levels drawn in their training shares."""
        Z = super().base_sample(n_samples, temperature, rng)
        share = np.exp(self.log_share)
        Z[:, self.column] = rng.choice(len(self.levels), n_samples, p=share / share.sum())
        return Z

    def _without_context(self, Z: np.ndarray) -> np.ndarray:
        Z = Z.copy()
        Z[:, self.column] = 0
        return Z


def scaling_from(arrays: Mapping[str, np.ndarray]) -> Scaling:
    """The scaling whose `to_arrays` these are among; other arrays are ignored."""
    return (ContextScaling if "log_share" in arrays else Scaling).from_arrays(arrays)


def squash(V: np.ndarray) -> np.ndarray:
    """Compress |v| > 8 logarithmically; the derivative there is 1 / (|v| - 7)."""
    size = np.abs(V)
    if size.size == 0 or size.max() <= FAR:
        return V
    return np.where(size <= FAR, V, np.sign(V) * (FAR + np.log1p(np.maximum(size - FAR, 0))))


def unsquash(Z: np.ndarray) -> np.ndarray:
    """Undo `squash`; finite for every finite Z."""
    size = np.abs(Z)
    return np.where(size <= FAR, Z, np.sign(Z) * (FAR + np.expm1(np.clip(size - FAR, 0, LARGEST_LOG))))
