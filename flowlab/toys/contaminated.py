"""Toy densities with labelled anomalies: rare clumps (where a better density is a worse detector) and outliers."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from flowlab.constraints import Interval
from flowlab.toys.base import (
    LOG_2PI,
    ToyDensity,
    entropy_on_grid,
    gauss_legendre,
    gauss_legendre_between,
    square_window,
)

Window = tuple[float, float, float, float]


class _Clump(ToyDensity):
    """A bulk and, with probability `share`, a clump; component 1 is the clump."""

    share: float
    anomaly_component = 1

    @abstractmethod
    def log_density_of_bulk(self, X: np.ndarray) -> np.ndarray:
        """Log-density of the bulk alone, in nats: the detector that does not know the clump."""

    @abstractmethod
    def _log_density_of_clump(self, X: np.ndarray) -> np.ndarray:
        """Log-density of the clump alone, in nats."""

    def _log_density(self, X: np.ndarray) -> np.ndarray:
        bulk, clump = self.log_density_of_bulk(X), self._log_density_of_clump(X)
        return np.logaddexp(np.log1p(-self.share) + bulk, np.log(self.share) + clump)

    def _pick(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Exactly round(share * n) rows are of the clump, as in the exercise, in random places."""
        component = np.zeros(n, np.int64)
        component[: round(self.share * n)] = 1
        return rng.permutation(component)


@dataclass(frozen=True)
class Clump1D(_Clump):
    """99 % standard normal, 1 % in a narrow clump at 10: true log p is higher in the clump than at 3.

    So a perfect density flags ordinary rows before the clump: AUROC of -log p is 0.978, of the bulk alone 1.000.
    """

    share: float = 0.01
    distance: float = 10.0
    width: float = 0.1

    n_features = 1

    valid = {
        "share": Interval(float, 0.0001, 0.5),
        "distance": Interval(float, 0.0, 50.0),
        "width": Interval(float, 0.005, 5.0),
    }

    def log_density_of_bulk(self, X: np.ndarray) -> np.ndarray:
        """Log-density of the standard normal, in nats, (n_samples,)."""
        return -0.5 * X[:, 0] ** 2 - LOG_2PI / 2

    def _log_density_of_clump(self, X: np.ndarray) -> np.ndarray:
        return -0.5 * ((X[:, 0] - self.distance) / self.width) ** 2 - LOG_2PI / 2 - np.log(self.width)

    def _draw(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        component = self._pick(n, rng)
        noise = rng.standard_normal(n)
        return np.where(component == 1, self.distance + self.width * noise, noise)[:, None], component

    def _entropy(self) -> float:
        # Panels of both parts: where they overlap the finer edges of one subdivide those of the other.
        parts = [(-12.0, 12.0), (self.distance - 12 * self.width, self.distance + 12 * self.width)]
        edges = np.unique(np.concatenate([np.linspace(a, b, 97) for a, b in parts]))
        x, w = gauss_legendre_between(edges)
        log_p = self.log_density(x[:, None])
        return -float(np.sum(w * np.exp(log_p) * log_p))

    def window(self) -> Window:
        """A square that shows the density well: x0, x1, y0, y1."""
        height = 0.5 if self.share < 0.1 else 1.1 * max(0.4, 0.4 * self.share / self.width)
        return -4.5, max(4.5, self.distance + 6 * self.width + 0.5), 0.0, height


@dataclass(frozen=True)
class Clump2D(_Clump):
    """A correlated Gaussian and a rare wide clump beside it: lecture 002's exercise with 50,000 rows, 0.1 % anomalies.

    The geometry is our own, chosen to reproduce what is known of the exercise: entropy 2.491 nats, AUROC of -log p
    0.986 for the bulk alone and for the mixture, 75 % and 72 % of the clump found when 0.1 % of the bulk is flagged,
    71 % and 42 % at log p <= -9.
    """

    share: float = 0.001
    distance: float = 3.3
    width: float = 0.95
    correlation: float = 0.712

    valid = {
        "share": Interval(float, 0.0001, 0.5),
        "distance": Interval(float, 0.0, 20.0),
        "width": Interval(float, 0.05, 5.0),
        "correlation": Interval(float, -0.95, 0.95),
    }

    def log_density_of_bulk(self, X: np.ndarray) -> np.ndarray:
        """Log-density of the correlated Gaussian, in nats, (n_samples,)."""
        r = self.correlation
        square = (X[:, 0] ** 2 - 2 * r * X[:, 0] * X[:, 1] + X[:, 1] ** 2) / (1 - r**2)
        return -0.5 * square - LOG_2PI - 0.5 * np.log1p(-(r**2))

    def _log_density_of_clump(self, X: np.ndarray) -> np.ndarray:
        square = ((X[:, 0] - self.distance) ** 2 + X[:, 1] ** 2) / self.width**2
        return -0.5 * square - LOG_2PI - 2 * np.log(self.width)

    def _draw(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        component = self._pick(n, rng)
        noise = rng.standard_normal((n, 2))
        second = self.correlation * noise[:, 0] + np.sqrt(1 - self.correlation**2) * noise[:, 1]
        bulk = np.stack([noise[:, 0], second], axis=-1)
        return np.where(component[:, None] == 1, [self.distance, 0.0] + self.width * noise, bulk), component

    def _entropy(self) -> float:
        reach = 9 * max(1.0, self.width)
        narrow = min(self.width, float(np.sqrt(1 - abs(self.correlation))))
        return entropy_on_grid(self.log_density, (-reach, self.distance + reach, -reach, reach), narrow / 3)

    def window(self) -> Window:
        """A square that shows the density well: x0, x1, y0, y1."""
        half = max(4.0, self.distance / 2 + 2.2)
        return square_window(-half + self.distance / 3, half + self.distance / 3, -half, half)


@dataclass(frozen=True)
class WithOutliers(ToyDensity):
    """Any two-dimensional toy density with a share of rows spread evenly over its window, labelled as anomalies."""

    base: ToyDensity
    share: float = 0.01

    valid = {"share": Interval(float, 0.0, 0.5, closed="right")}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.base.n_features != 2:
            raise ValueError(f"base must have 2 features, not {self.base.n_features}")

    @property
    def anomaly_component(self) -> int:  # type: ignore[override]  # read-only in the base too
        """Outliers are component 0; those of the base count from 1."""
        return 0

    def _draw(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        x0, x1, y0, y1 = self.base.window()
        outlier = rng.permutation(np.arange(n) < round(self.share * n))
        X, component = self.base._draw(n, rng)
        spread = rng.uniform([x0, y0], [x1, y1], size=(n, 2))
        return np.where(outlier[:, None], spread, X), np.where(outlier, 0, component + 1)

    @property
    def n_classes(self) -> int:
        """Number of equally likely classes of the base."""
        return self.base.n_classes

    def classes_of(self, component: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """An outlier is of any class."""
        return np.where(component == 0, rng.integers(0, self.n_classes, len(component)), component - 1)

    def _log_density(self, X: np.ndarray) -> np.ndarray:
        return np.logaddexp(np.log1p(-self.share) + self.base.log_density(X), self._log_outlier(X))

    def _class_log_density(self, X: np.ndarray) -> np.ndarray:
        base = self.base.class_log_density(X)
        return np.logaddexp(np.log1p(-self.share) + base, self._log_outlier(X)[:, None])

    def _log_outlier(self, X: np.ndarray) -> np.ndarray:
        x0, x1, y0, y1 = self.base.window()
        inside = (X[:, 0] >= x0) & (X[:, 0] <= x1) & (X[:, 1] >= y0) & (X[:, 1] <= y1)
        return np.where(inside, np.log(self.share) - np.log((x1 - x0) * (y1 - y0)), -np.inf)

    def _n_terms(self) -> int:
        return self.base._n_terms()

    def _entropy(self) -> float:
        """By Gauss-Legendre panels inside the window, to about 1e-3 nats where the base has edges, else far better."""
        x0, x1, y0, y1 = self.base.window()
        (x, wx), (y, wy) = (gauss_legendre(a, b, self.base._n_panels(), 6) for a, b in ((x0, x1), (y0, y1)))
        points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
        weights = np.outer(wy, wx).ravel()
        inside = self.log_density(points)
        base = self.base.log_density(points)
        mass = np.exp(base) * weights
        # Outside the window only the base is left: its own entropy integral less the part inside the window.
        base_inside = -float(np.sum(mass[mass > 0] * base[mass > 0]))
        left, log_kept = 1 - float(mass.sum()), np.log1p(-self.share)
        outside = (1 - self.share) * (self.base.entropy() - base_inside - log_kept * left)
        return -float(np.sum(weights * np.exp(inside) * inside)) + outside

    def window(self) -> Window:
        """A square that shows the density well: x0, x1, y0, y1."""
        return self.base.window()
