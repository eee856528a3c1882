"""Toy densities around curves: points on a curve plus isotropic Gaussian noise."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import i0e

from flowlab.constraints import Interval
from flowlab.toys.base import LOG_2PI, ToyDensity, entropy_on_grid, gauss_legendre, log_sum_exp, square_window

Window = tuple[float, float, float, float]


class NoisyCurve(ToyDensity):
    """Points c(t) on one or more arms, t with a density on [low, high], plus noise of standard deviation `noise`.

    The density is the integral of the noise over the curve: composite Gauss-Legendre quadrature whose panels are a
    few noise widths long, so that doubling them changes log p by less than 1e-9 (tested).
    """

    noise: float

    @abstractmethod
    def _arms(self) -> int:
        """How many equally likely arms."""

    @abstractmethod
    def _range(self) -> tuple[float, float]:
        """First and last value of t."""

    @abstractmethod
    def _point(self, t: np.ndarray, arm: np.ndarray | int) -> np.ndarray:
        """Points on the curve, (n, 2)."""

    @abstractmethod
    def _draw_t(self, u: np.ndarray) -> np.ndarray:
        """Values of t from uniform numbers."""

    @abstractmethod
    def _density_of_t(self, t: np.ndarray) -> np.ndarray:
        """Density of t."""

    def _draw(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        arm = rng.integers(0, self._arms(), n)
        t = self._draw_t(rng.uniform(size=n))
        return self._point(t, arm) + self.noise * rng.standard_normal((n, 2)), arm

    def _log_density(self, X: np.ndarray) -> np.ndarray:
        centres, log_weights = _curve_nodes(self)
        precision = 1 / self.noise**2
        terms = X @ (precision * centres.T)
        terms += log_weights - precision / 2 * np.sum(centres**2, axis=1)
        return log_sum_exp(terms) - precision / 2 * np.sum(X**2, axis=1) - LOG_2PI - 2 * np.log(self.noise)

    @property
    def n_classes(self) -> int:
        """Number of arms."""
        return self._arms()

    def _class_log_density(self, X: np.ndarray) -> np.ndarray:
        centres, log_weights = _curve_nodes(self)
        terms = log_weights - np.sum((X[:, None] - centres) ** 2, axis=2) / (2 * self.noise**2)
        by_arm = log_sum_exp(terms.reshape(len(X), self._arms(), -1))
        return by_arm + np.log(self._arms()) - LOG_2PI - 2 * np.log(self.noise)

    def _n_terms(self) -> int:
        return len(_curve_nodes(self)[0])

    def _entropy(self) -> float:
        centres, _ = _curve_nodes(self)
        tree, reach = cKDTree(centres), 8 * self.noise

        def near_only(points: np.ndarray) -> np.ndarray:
            near = np.isfinite(tree.query(points, distance_upper_bound=reach)[0])
            return self.log_density(points[near])

        (x0, y0), (x1, y1) = centres.min(axis=0) - reach, centres.max(axis=0) + reach
        return entropy_on_grid(near_only, (x0, x1, y0, y1), self.noise / 1.5)

    def window(self) -> Window:
        """A square that shows the density well: x0, x1, y0, y1."""
        centres, _ = _curve_nodes(self)
        (x0, y0), (x1, y1) = centres.min(axis=0), centres.max(axis=0)
        return square_window(x0, x1, y0, y1, 0.25 * max(x1 - x0, y1 - y0) / 2 + 2 * self.noise)


@lru_cache(maxsize=64)
def _curve_nodes(curve: NoisyCurve) -> tuple[np.ndarray, np.ndarray]:
    """Quadrature points on all arms (n_nodes, 2) and the logarithms of their weights (n_nodes,)."""
    low, high = curve._range()
    fine = curve._point(np.linspace(low, high, 4001), 0)
    fastest = np.sqrt(np.sum(np.diff(fine, axis=0) ** 2, axis=1)).max() * 4000
    t, weights = gauss_legendre(low, high, int(np.ceil(fastest / (4 * curve.noise))) + 2)
    log_weights = np.log(weights * curve._density_of_t(t) / curve._arms())
    centres = np.concatenate([curve._point(t, arm) for arm in range(curve._arms())])
    return centres, np.tile(log_weights, curve._arms())


@dataclass(frozen=True)
class Moons(NoisyCurve):
    """Two interleaved half circles of radius 1 with the geometry of scikit-learn's `make_moons`."""

    noise: float = 0.05

    valid = {"noise": Interval(float, 0.01, 1.0)}

    def _arms(self) -> int:
        return 2

    def _range(self) -> tuple[float, float]:
        return 0.0, np.pi

    def _point(self, t: np.ndarray, arm: np.ndarray | int) -> np.ndarray:
        lower = np.asarray(arm) == 1
        cos, sin = np.cos(t), np.sin(t)
        return np.stack([np.where(lower, 1 - cos, cos), np.where(lower, 0.5 - sin, sin)], axis=-1)

    def _draw_t(self, u: np.ndarray) -> np.ndarray:
        return np.pi * u

    def _density_of_t(self, t: np.ndarray) -> np.ndarray:
        return np.full_like(t, 1 / np.pi)


@dataclass(frozen=True)
class Spirals(NoisyCurve):
    """Two arms of an Archimedean spiral, turned by half a circle; points are spread about evenly along the arms."""

    noise: float = 0.1
    turns: float = 1.5

    valid = {"noise": Interval(float, 0.03, 1.0), "turns": Interval(float, 0.5, 3.0)}

    def _arms(self) -> int:
        return 2

    def _range(self) -> tuple[float, float]:
        return 0.0, 2 * np.pi * self.turns

    def _point(self, t: np.ndarray, arm: np.ndarray | int) -> np.ndarray:
        sign = 1 - 2 * np.asarray(arm)
        return np.stack([-np.cos(t) * t * sign, np.sin(t) * t * sign], axis=-1) / 3

    def _draw_t(self, u: np.ndarray) -> np.ndarray:
        return self._range()[1] * np.sqrt(u)

    def _density_of_t(self, t: np.ndarray) -> np.ndarray:
        return 2 * t / self._range()[1] ** 2


@dataclass(frozen=True)
class SwissRoll(NoisyCurve):
    """The cross section of scikit-learn's `make_swiss_roll`, a fifth of its size: t (cos t, sin t) / 5."""

    noise: float = 0.1

    valid = {"noise": Interval(float, 0.03, 1.0)}

    def _arms(self) -> int:
        return 1

    def _range(self) -> tuple[float, float]:
        return 1.5 * np.pi, 4.5 * np.pi

    def _point(self, t: np.ndarray, arm: np.ndarray | int) -> np.ndarray:
        return np.stack([t * np.cos(t), t * np.sin(t)], axis=-1) / 5

    def _draw_t(self, u: np.ndarray) -> np.ndarray:
        return 1.5 * np.pi * (1 + 2 * u)

    def _density_of_t(self, t: np.ndarray) -> np.ndarray:
        return np.full_like(t, 1 / (3 * np.pi))


@dataclass(frozen=True)
class Rings(ToyDensity):
    """Concentric circles 0.75 apart, equally likely, plus isotropic Gaussian noise.

    The radius of one ring then follows a Rice distribution, so the density needs no quadrature.
    """

    n_rings: int = 4
    noise: float = 0.08

    valid = {"n_rings": Interval(int, 1, 8), "noise": Interval(float, 0.01, 1.0)}

    def _radii(self) -> np.ndarray:
        return 0.75 * np.arange(1, self.n_rings + 1)

    def _draw(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        ring = rng.integers(0, self.n_rings, n)
        angle = rng.uniform(0, 2 * np.pi, n)
        circle = np.stack([np.cos(angle), np.sin(angle)], axis=-1) * self._radii()[ring][:, None]
        return circle + self.noise * rng.standard_normal((n, 2)), ring

    @property
    def n_classes(self) -> int:
        """Number of rings."""
        return self.n_rings

    def _class_log_density(self, X: np.ndarray) -> np.ndarray:
        return self._ring_log_densities(np.hypot(X[:, 0], X[:, 1]))

    def _log_density(self, X: np.ndarray) -> np.ndarray:
        return self._log_density_at(np.hypot(X[:, 0], X[:, 1]))

    def _log_density_at(self, radius: np.ndarray) -> np.ndarray:
        return log_sum_exp(self._ring_log_densities(radius)) - np.log(self.n_rings)

    def _ring_log_densities(self, radius: np.ndarray) -> np.ndarray:
        rings, variance = self._radii(), self.noise**2
        # exp(-(r² + R²)/2σ²) I0(rR/σ²), with the exponentially scaled Bessel function: exp(-(r - R)²/2σ²) i0e(rR/σ²)
        terms = -((radius[:, None] - rings) ** 2) / (2 * variance) + np.log(i0e(radius[:, None] * rings / variance))
        return terms - LOG_2PI - np.log(variance)

    def _entropy(self) -> float:
        end = self._radii()[-1] + 10 * self.noise
        r, weights = gauss_legendre(0, end, int(np.ceil(end / self.noise)))
        log_p = self._log_density_at(r)
        return -float(np.sum(weights * 2 * np.pi * r * np.exp(log_p) * log_p))

    def window(self) -> Window:
        """A square that shows the density well: x0, x1, y0, y1."""
        half = self._radii()[-1] * 1.2 + 2 * self.noise
        return -half, half, -half, half
