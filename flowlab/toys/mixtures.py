"""Toy densities that are mixtures: Gaussian modes, a pinwheel, a star."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from flowlab.constraints import Interval
from flowlab.toys.base import LOG_2PI, ToyDensity, entropy_on_grid, log_sum_exp

Window = tuple[float, float, float, float]


@dataclass(frozen=True)
class GaussianModes(ToyDensity):
    """Equal round Gaussians at equal distances on a circle; with the defaults the eight Gaussians of the literature."""

    n_modes: int = 8
    radius: float = 4.0
    noise: float = 0.5

    valid = {"n_modes": Interval(int, 1, 40), "radius": Interval(float, 0.0, 20.0), "noise": Interval(float, 0.05, 5.0)}

    @cached_property
    def _centres(self) -> np.ndarray:
        angle = 2 * np.pi * np.arange(self.n_modes) / self.n_modes
        return self.radius * np.stack([np.cos(angle), np.sin(angle)], axis=-1)

    def _draw(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        mode = rng.integers(0, self.n_modes, n)
        return self._centres[mode] + self.noise * rng.standard_normal((n, 2)), mode

    @property
    def n_classes(self) -> int:
        """Number of modes."""
        return self.n_modes

    def _class_log_density(self, X: np.ndarray) -> np.ndarray:
        terms = -np.sum((X[:, None] - self._centres) ** 2, axis=-1) / (2 * self.noise**2)
        return terms - LOG_2PI - 2 * np.log(self.noise)

    def _log_density(self, X: np.ndarray) -> np.ndarray:
        return log_sum_exp(self._class_log_density(X)) - np.log(self.n_modes)

    def _n_terms(self) -> int:
        return 3 * self.n_modes

    def _entropy(self) -> float:
        half = self.radius + 9 * self.noise
        return entropy_on_grid(self.log_density, (-half, half, -half, half), self.noise / 3)

    def window(self) -> Window:
        """A square that shows the density well: x0, x1, y0, y1."""
        half = self.radius + 3 * self.noise
        return -half, half, -half, half


class _Wheel(ToyDensity):
    """Arms that are one Gaussian, centred on the x axis and turned about the origin."""

    n_arms: int

    @property
    def n_classes(self) -> int:
        """Number of arms."""
        return self.n_arms

    @abstractmethod
    def _arm(self) -> tuple[float, float, float]:
        """Distance of the centre, standard deviation along the arm, standard deviation across it."""

    @abstractmethod
    def _straight(self, X: np.ndarray) -> np.ndarray:
        """The points before the arms were bent, at equal areas, (n, 2)."""

    def _draw_straight(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        centre, along, across = self._arm()
        arm = rng.integers(0, self.n_arms, n)
        points = rng.standard_normal((n, 2)) * [along, across] + [centre, 0.0]
        return rotate(points, self._angles()[arm]), arm

    def _class_log_density(self, X: np.ndarray) -> np.ndarray:
        return self._arm_log_densities(self._straight(X))

    def _log_density(self, X: np.ndarray) -> np.ndarray:
        return log_sum_exp(self._class_log_density(X)) - np.log(self.n_arms)

    def _arm_log_densities(self, straight: np.ndarray) -> np.ndarray:
        centre, along, across = self._arm()
        turned = rotate(straight[:, None], -self._angles())
        terms = -0.5 * ((turned[..., 0] - centre) / along) ** 2 - 0.5 * (turned[..., 1] / across) ** 2
        return terms - np.log(along * across) - LOG_2PI

    def _entropy(self) -> float:
        """Of the straight arms: bending keeps areas."""
        centre, along, across = self._arm()
        half = centre + 9 * max(along, across)

        def log_density(straight: np.ndarray) -> np.ndarray:
            return log_sum_exp(self._arm_log_densities(straight)) - np.log(self.n_arms)

        return entropy_on_grid(log_density, (-half, half, -half, half), min(along, across) / 2.5)

    def _angles(self) -> np.ndarray:
        return self._circle() * np.arange(self.n_arms) / self.n_arms

    def _circle(self) -> float:
        return 2 * np.pi

    def _n_terms(self) -> int:
        return 6 * self.n_arms


@dataclass(frozen=True)
class Pinwheel(_Wheel):
    """Gaussian arms bent into a wheel (Johnson et al. 2016, arXiv:1603.06277, figure 2), made exact.

    The bend turns a point by an angle that depends on its radius alone, which keeps areas, so the density is that of
    the straight arms at the point turned back.
    """

    n_arms: int = 5
    noise: float = 0.1
    bend: float = 0.25

    valid = {"n_arms": Interval(int, 2, 12), "noise": Interval(float, 0.02, 0.5), "bend": Interval(float, 0.0, 1.0)}

    def _arm(self) -> tuple[float, float, float]:
        return 2.0, 0.6, 2 * self.noise

    def _bend_angle(self, X: np.ndarray) -> np.ndarray:
        # The exponential stops growing far outside the arms, where it would turn points many times around.
        return self.bend * np.exp(np.minimum(np.hypot(X[:, 0], X[:, 1]) / 2, 4.0))

    def _draw(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        straight, arm = self._draw_straight(n, rng)
        return rotate(straight, self._bend_angle(straight)), arm

    def _straight(self, X: np.ndarray) -> np.ndarray:
        return rotate(X, -self._bend_angle(X))

    def window(self) -> Window:
        """A square that shows the density well: x0, x1, y0, y1."""
        return -4.5, 4.5, -4.5, 4.5


@dataclass(frozen=True)
class Star(_Wheel):
    """Long Gaussians crossed at the origin: with two of them a cross, with more a star."""

    n_arms: int = 3
    length: float = 1.5
    noise: float = 0.12

    valid = {"n_arms": Interval(int, 1, 12), "length": Interval(float, 0.2, 10.0), "noise": Interval(float, 0.03, 2.0)}

    def _arm(self) -> tuple[float, float, float]:
        return 0.0, self.length, self.noise

    def _circle(self) -> float:
        return np.pi

    def _draw(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return self._draw_straight(n, rng)

    def _straight(self, X: np.ndarray) -> np.ndarray:
        return X

    def window(self) -> Window:
        """A square that shows the density well: x0, x1, y0, y1."""
        half = 2.7 * max(self.length, self.noise)
        return -half, half, -half, half


def rotate(points: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Points (..., 2) turned counter-clockwise by angles that broadcast against their leading shape."""
    cos, sin = np.cos(angle), np.sin(angle)
    x, y = points[..., 0], points[..., 1]
    return np.stack([cos * x - sin * y, sin * x + cos * y], axis=-1)
