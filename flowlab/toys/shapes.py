"""Toy densities with a formula: checkerboard, banana, uneven sine, funnel, correlated Gaussian."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flowlab.constraints import Interval
from flowlab.toys.base import LOG_2PI, LOG_2PI_E, ToyDensity, square_window

Window = tuple[float, float, float, float]


def _log_normal(x: np.ndarray, sd: np.ndarray | float) -> np.ndarray:
    return -0.5 * (x / sd) ** 2 - np.log(sd) - LOG_2PI / 2


def _one_component(n: int) -> np.ndarray:
    return np.zeros(n, np.int64)


@dataclass(frozen=True)
class Checkerboard(ToyDensity):
    """Uniform on the dark cells of a board of n_cells x n_cells cells of side `cell`, centred at the origin."""

    n_cells: int = 4
    cell: float = 1.0

    valid = {"n_cells": Interval(int, 2, 12), "cell": Interval(float, 0.1, 10.0)}

    def _draw(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        row, column = np.nonzero(np.add.outer(np.arange(self.n_cells), np.arange(self.n_cells)) % 2 == 0)
        dark = rng.integers(0, len(row), n)
        corner = np.stack([column[dark], row[dark]], axis=-1)
        return (corner + rng.uniform(size=(n, 2)) - self.n_cells / 2) * self.cell, dark

    def _log_density(self, X: np.ndarray) -> np.ndarray:
        cells = np.floor(X / self.cell + self.n_cells / 2)
        inside = np.all((cells >= 0) & (cells < self.n_cells), axis=1) & (cells.sum(axis=1) % 2 == 0)
        return np.where(inside, -self._entropy(), -np.inf)

    def _entropy(self) -> float:
        return float(np.log((self.n_cells**2 + 1) // 2) + 2 * np.log(self.cell))

    def _n_panels(self) -> int:
        return 10 * self.n_cells  # the edges of the cells are then edges of panels

    def window(self) -> Window:
        """A square that shows the density well: x0, x1, y0, y1."""
        half = self.n_cells * self.cell * 0.625
        return -half, half, -half, half


@dataclass(frozen=True)
class Banana(ToyDensity):
    """x1 standard normal; x2 = curvature (x1² - 1) plus Gaussian noise: a Gaussian bent without change of area."""

    curvature: float = 0.7
    noise: float = 0.3

    valid = {"curvature": Interval(float, 0.0, 3.0), "noise": Interval(float, 0.02, 3.0)}

    def _draw(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        x1, noise = rng.standard_normal((2, n))
        return np.stack([x1, self.curvature * (x1**2 - 1) + self.noise * noise], axis=-1), _one_component(n)

    def _log_density(self, X: np.ndarray) -> np.ndarray:
        bend = X[:, 1] - self.curvature * (X[:, 0] ** 2 - 1)
        return _log_normal(X[:, 0], 1.0) + _log_normal(bend, self.noise)

    def _entropy(self) -> float:
        return LOG_2PI_E + float(np.log(self.noise))

    def window(self) -> Window:
        """A square that shows the density well: x0, x1, y0, y1."""
        return square_window(-3, 3, -self.curvature - 2.5 * self.noise, 6.3 * self.curvature + 2.5 * self.noise)


@dataclass(frozen=True)
class Sine(ToyDensity):
    """x1 uniform on [-pi, pi]; x2 = 1.5 sin(1.5 x1) plus Gaussian noise that widens from left to right.

    The noise has standard deviation noise * exp(widening * x1 / pi): it breaks models that assume the same noise
    everywhere.
    """

    noise: float = 0.2
    widening: float = 1.0

    valid = {"noise": Interval(float, 0.02, 1.0), "widening": Interval(float, 0.0, 2.0)}

    def _sd(self, x1: np.ndarray) -> np.ndarray:
        return self.noise * np.exp(self.widening * np.clip(x1, -np.pi, np.pi) / np.pi)

    def _draw(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        x1 = rng.uniform(-np.pi, np.pi, n)
        x2 = 1.5 * np.sin(1.5 * x1) + self._sd(x1) * rng.standard_normal(n)
        return np.stack([x1, x2], axis=-1), _one_component(n)

    def _log_density(self, X: np.ndarray) -> np.ndarray:
        log_p = _log_normal(X[:, 1] - 1.5 * np.sin(1.5 * X[:, 0]), self._sd(X[:, 0])) - LOG_2PI
        return np.where(np.abs(X[:, 0]) <= np.pi, log_p, -np.inf)

    def _entropy(self) -> float:
        return LOG_2PI + LOG_2PI_E / 2 + float(np.log(self.noise))

    def window(self) -> Window:
        """A square that shows the density well: x0, x1, y0, y1."""
        half = max(4.0, 1.5 + 2.5 * self.noise * float(np.exp(self.widening)))
        return -half, half, -half, half


@dataclass(frozen=True)
class Funnel(ToyDensity):
    """x1 standard normal, x2 normal with sd exp(steepness x1): Neal (2003), Annals of Statistics 31, section 8."""

    steepness: float = 0.7

    valid = {"steepness": Interval(float, 0.0, 2.0)}

    def _draw(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        x1, noise = rng.standard_normal((2, n))
        return np.stack([x1, np.exp(self.steepness * x1) * noise], axis=-1), _one_component(n)

    def _log_density(self, X: np.ndarray) -> np.ndarray:
        return _log_normal(X[:, 0], 1.0) + _log_normal(X[:, 1], np.exp(self.steepness * X[:, 0]))

    def _entropy(self) -> float:
        return LOG_2PI_E

    def window(self) -> Window:
        """A square that shows the density well: x0, x1, y0, y1."""
        half = max(3.2, 1.6 * float(np.exp(1.5 * self.steepness)))
        return -half, half, -half, half


@dataclass(frozen=True)
class CorrelatedGaussian(ToyDensity):
    """Gaussian with unit variances whose neighbouring features have the given correlation: r_ij = r^|i - j|."""

    n_features: int = 2
    correlation: float = 0.8

    valid = {"n_features": Interval(int, 1, 500), "correlation": Interval(float, -0.99, 0.99)}

    def _draw(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        X = rng.standard_normal((n, self.n_features))
        for i in range(1, self.n_features):
            X[:, i] = self.correlation * X[:, i - 1] + np.sqrt(1 - self.correlation**2) * X[:, i]
        return X, _one_component(n)

    def _log_density(self, X: np.ndarray) -> np.ndarray:
        steps = X[:, 1:] - self.correlation * X[:, :-1]
        first = _log_normal(X[:, 0], 1.0)
        return first + _log_normal(steps, float(np.sqrt(1 - self.correlation**2))).sum(axis=1)

    def _n_terms(self) -> int:
        return 2 * self.n_features

    def _entropy(self) -> float:
        return self.n_features * LOG_2PI_E / 2 + (self.n_features - 1) / 2 * float(np.log1p(-(self.correlation**2)))

    def window(self) -> Window:
        """A square that shows the density well: x0, x1, y0, y1."""
        return (-4.0, 4.0, -4.0, 4.0) if self.n_features > 1 else (-4.0, 4.0, 0.0, 0.45)
