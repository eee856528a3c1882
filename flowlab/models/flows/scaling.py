"""From data units to what a flow reads, and back, with the log-Jacobian: standardise, then compress far values.

A heavy-tailed column can be brought near a normal one before, by the map that does it for a power law whose index is
learned from the column (`Scaling.fit`): beyond the bound of a spline the map is the identity, whatever the data hold.

A column that never varies carries no density a flow could learn (its likelihood is unbounded). It is kept out of
the flow and given a fixed, narrow normal density about its value instead: standard deviation 0.001 of the value's
size, or 0.001 where it is zero. A row with another value there scores low, by a finite amount.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from scipy.optimize import minimize
from scipy.special import gammaln

from flowlab.columns import varies
from flowlab.datasets.tails import NORMAL_QUARTILES, has_heavy_tails

FAR = 8.0
"""Standardised values beyond this are compressed logarithmically."""
CONSTANT_SHARE = 1e-3
LARGEST_LOG = 600.0
LARGEST_INDEX = 100.0
FITTED_ROWS = 20_000
"""Rows of a column from which its tail is learned."""
MAX_LEVELS = 100
LOG_2PI = math.log(2 * math.pi)


@dataclass(frozen=True)
class Scaling:
    """z = squash(tame((x - center) / scale)), column by column.

    squash(v) = v for |v| <= 8 and sign(v) (8 + log(|v| - 7)) beyond: continuous with its first derivative, and
    reversible; a value a thousand standard deviations away becomes 14.9. tame(v) = sign(v) sqrt(a log(1 + v^2 / a))
    with the column's `tail_index` a, infinite where the tails are light: then it is v. It makes Student's t of a
    degrees of freedom almost normal (Wallace 1959).
    """

    center: np.ndarray
    scale: np.ndarray
    varies: np.ndarray
    tail_index: np.ndarray

    @classmethod
    def fit(cls, X: np.ndarray, standardize: bool = True, learn_tails: bool = False) -> Scaling:
        """Means and standard deviations of X (n, d); without `standardize`, 0 and 1 for columns that vary.

        With `learn_tails`, centre, scale and index of Student's t distribution for heavy-tailed columns.
        """
        center, scale = X.mean(0), X.std(0)
        size = np.abs(X).max(0)
        varying = varies(X)
        narrow = CONSTANT_SHARE * np.where(size > 0, size, 1.0)
        if not standardize:
            center, scale = np.where(varying, 0.0, center), np.where(varying, 1.0, scale)
        scale, index = np.where(varying, scale, narrow), np.full(X.shape[1], np.inf)
        for j in np.flatnonzero(varying & has_heavy_tails(X)) if learn_tails and standardize else ():
            center[j], scale[j], index[j] = _fit_student(X[:: -(-len(X) // FITTED_ROWS), j])
        return cls(center, scale, varying, index)

    def forward(self, X: np.ndarray) -> np.ndarray:
        """Scaled rows, same shape as X."""
        return squash(self._tame((X - self.center) / self.scale))

    def inverse(self, Z: np.ndarray) -> np.ndarray:
        """Rows in data units."""
        return self._untame(unsquash(Z)) * self.scale + self.center

    def log_det(self, Z: np.ndarray) -> np.ndarray:
        """Log-determinant of `forward` at scaled rows Z (n, d), shape (n,)."""
        log_det = -np.log(self.scale).sum() - np.maximum(np.abs(Z) - FAR, 0).sum(1)
        tamed = self._tamed
        if tamed.any():
            power = np.maximum(self._power(unsquash(Z[:, tamed])), 1e-12)
            log_det += (0.5 * np.log(np.expm1(power) / power) - power).sum(1)
        return log_det

    def slope(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """At scaled rows Z: derivative of `forward`, and of `log_det` by Z, each (n, d)."""
        beyond = np.abs(Z) > FAR
        slope = np.exp(-np.maximum(np.abs(Z) - FAR, 0)) / self.scale
        by_z = -np.sign(Z) * beyond
        tamed = self._tamed
        if tamed.any():
            before = unsquash(Z[:, tamed])
            power = np.maximum(self._power(before), 1e-12)
            slope[:, tamed] *= np.sqrt(np.expm1(power) / power) * np.exp(-power)
            stretch = np.exp(np.minimum(np.maximum(np.abs(Z[:, tamed]) - FAR, 0), LARGEST_LOG))
            rise = 0.5 * (1 / -np.expm1(-power) - 1 / power) - 1
            by_z[:, tamed] += rise * 2 * before / self.tail_index[tamed] * stretch
        return slope, by_z

    @property
    def _tamed(self) -> np.ndarray:
        return np.isfinite(self.tail_index)

    def _power(self, tame: np.ndarray) -> np.ndarray:
        """tame^2 / index of the heavy-tailed columns, at most `LARGEST_LOG`."""
        return np.minimum(tame**2 / self.tail_index[self._tamed], LARGEST_LOG)

    def _tame(self, V: np.ndarray) -> np.ndarray:
        tamed = self._tamed
        if tamed.any():
            v, index = V[:, tamed], self.tail_index[tamed]
            size = np.abs(v)
            # log(1 + v^2 / a), of values whose square would overflow too
            log = np.where(size < 1e100, np.log1p(np.minimum(size, 1e100) ** 2 / index), 0.0)
            log = np.where(size < 1e100, log, 2 * np.log(np.maximum(size, 1e100)) - np.log(index))
            V[:, tamed] = np.sign(v) * np.sqrt(index * log)
        return V

    def _untame(self, V: np.ndarray) -> np.ndarray:
        tamed = self._tamed
        if tamed.any():
            v = V[:, tamed]
            V = V.copy()
            V[:, tamed] = np.sign(v) * np.sqrt(self.tail_index[tamed] * np.expm1(self._power(v)))
        return V

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
        light = {
            "tail_index": np.full(len(np.asarray(arrays["center"])), np.inf)
        }  # of states saved before there was one
        return cls(*(np.asarray((light | dict(arrays))[field.name]) for field in fields(cls)))


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
    def fit_context(
        cls, X: np.ndarray, column: int, standardize: bool = True, learn_tails: bool = False
    ) -> ContextScaling:
        """`column` is the index of the context; ValueError where it holds more than 100 different values."""
        levels, counts = np.unique(X[:, column], return_counts=True)
        if len(levels) > MAX_LEVELS:
            raise ValueError(
                f"a context must hold at most {MAX_LEVELS} different values; column {column} holds {len(levels)}: "
                "choose a column of classes, or a flow without a context"
            )
        plain = Scaling.fit(X, standardize, learn_tails)
        center, scale, varies, tail_index = plain.center, plain.scale, plain.varies, plain.tail_index
        center[column], scale[column], varies[column], tail_index[column] = 0.0, 1.0, False, np.inf
        return cls(center, scale, varies, tail_index, np.array(column), levels, np.log(counts / len(X)))

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


def _fit_student(x: np.ndarray) -> tuple[float, float, float]:
    """Median of values x (n,), and the scale and index that give Student's t about it the highest likelihood."""
    low, median, high = np.quantile(x, [0.25, 0.5, 0.75])
    start = np.log([(high - low) / NORMAL_QUARTILES, 3.0])

    def loss(logs: np.ndarray) -> float:
        scale, index = np.exp(np.clip(logs, -LARGEST_LOG, LARGEST_LOG))
        index = min(index, LARGEST_INDEX)
        constant = gammaln((index + 1) / 2) - gammaln(index / 2) - 0.5 * np.log(index * np.pi) - np.log(scale)
        return float((index + 1) / 2 * np.mean(np.log1p(((x - median) / scale) ** 2 / index)) - constant)

    scale, index = np.exp(minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-7}).x)
    return float(median), float(scale), float(np.clip(index, 0.2, LARGEST_INDEX))


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
