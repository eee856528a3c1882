"""What every toy density is: seeded draws, an exact log-density and an entropy that does not come from sampling."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import ClassVar

import numpy as np

from flowlab.constraints import Constraint, check_parameters, constraints_of

LOG_2PI = float(np.log(2 * np.pi))
LOG_2PI_E = LOG_2PI + 1.0
CHUNK_NUMBERS = 400_000
"""Numbers one chunk of a (rows, components) matrix may hold: about 3 MB, which stays in the processor's cache."""


class ToyDensity(ABC):
    """A density known exactly. Subclasses are frozen dataclasses, so equal parameters are equal densities.

    Draws come from components (a moon, a ring, a mode); `anomaly_component` is the one that labels call an anomaly.
    Where the components are equally likely classes, `n_classes` counts them; it is 1 otherwise. `valid` says what the
    parameters may be.
    """

    valid: ClassVar[Mapping[str, Constraint]] = {}
    n_features: int = 2
    anomaly_component: int | None = None

    def __post_init__(self) -> None:
        check_parameters(vars(self), constraints_of(type(self)))

    @property
    def n_classes(self) -> int:
        """How many equally likely classes the rows have."""
        return 1

    @property
    def columns(self) -> tuple[str, ...]:
        """One name per feature: x1, x2, ..."""
        return tuple(f"x{i + 1}" for i in range(self.n_features))

    def sample(self, n_samples: int, random_state: int | np.random.Generator | None = None) -> np.ndarray:
        """Independent draws, shape (n_samples, n_features)."""
        return self.sample_with_components(n_samples, random_state)[0]

    def sample_with_components(
        self, n_samples: int, random_state: int | np.random.Generator | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Independent draws (n_samples, n_features) and the component of each (n_samples,)."""
        if n_samples < 0:
            raise ValueError(f"n_samples must be 0 or more, not {n_samples}")
        return self._draw(int(n_samples), np.random.default_rng(random_state))

    def log_density(self, X: np.ndarray) -> np.ndarray:
        """Exact log-density in nats at the rows of X (n_samples, n_features); minus infinity outside the support."""
        X = np.asarray(X, np.float64)
        if X.ndim != 2 or X.shape[1] != self.n_features:
            raise ValueError(f"X must have shape (n_samples, {self.n_features}), not {X.shape}")
        step = max(1, CHUNK_NUMBERS // self._n_terms())
        if len(X) <= step:
            return self._log_density(X)
        return np.concatenate([self._log_density(X[i : i + step]) for i in range(0, len(X), step)])

    def class_log_density(self, X: np.ndarray) -> np.ndarray:
        """Exact log p(x | class) in nats of each row under each class, (n_samples, n_classes)."""
        X = np.asarray(X, np.float64)
        step = max(1, CHUNK_NUMBERS // self._n_terms())
        return np.concatenate([self._class_log_density(X[i : i + step]) for i in range(0, len(X), step)])

    def classes_of(self, component: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Class of each row, 0 to n_classes - 1, by its component."""
        return component

    def entropy(self) -> float:
        """Differential entropy in nats, from a formula or by quadrature; computed once for equal parameters."""
        return _entropy_of(self)

    @abstractmethod
    def window(self) -> tuple[float, float, float, float]:
        """x0, x1, y0, y1: a square that shows the first two columns well (1-D: the density's curve)."""

    @abstractmethod
    def _draw(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draws and their components."""

    @abstractmethod
    def _log_density(self, X: np.ndarray) -> np.ndarray:
        """Log-density of a chunk of checked float64 rows."""

    def _class_log_density(self, X: np.ndarray) -> np.ndarray:
        """Log p(x | class) of a chunk of rows, (n, n_classes)."""
        return self._log_density(X)[:, None]

    @abstractmethod
    def _entropy(self) -> float:
        """Entropy in nats."""

    def _n_terms(self) -> int:
        """How many numbers per row `_log_density` holds at once: sets the chunk."""
        return 8

    def _n_panels(self) -> int:
        """Quadrature panels per side that resolve the density inside its window."""
        return 60


@lru_cache(maxsize=256)
def _entropy_of(density: ToyDensity) -> float:
    return float(density._entropy())


def log_sum_exp(terms: np.ndarray) -> np.ndarray:
    """log of the sum of exponentials along the last axis. Overwrites `terms`, which may be large."""
    top = terms.max(axis=-1, keepdims=True)
    top[~np.isfinite(top)] = 0.0
    terms -= top
    np.exp(terms, out=terms)
    with np.errstate(divide="ignore"):
        return np.log(terms.sum(axis=-1)) + top[..., 0]


def entropy_on_grid(
    log_density: Callable[[np.ndarray], np.ndarray], box: tuple[float, float, float, float], step: float
) -> float:
    """Minus the integral of p log p over a box, in nats, by the trapezoid rule.

    For densities that are smooth on the scale of `step` and vanish at the edges of the box (x0, x1, y0, y1) the
    rule converges faster than any power of the step (Trefethen and Weideman 2014, SIAM Review 56, theorem 5.1).
    """
    x0, x1, y0, y1 = box
    xs, ys = (a + step * np.arange(int(np.ceil((b - a) / step)) + 1) for a, b in ((x0, x1), (y0, y1)))
    total = 0.0
    for block in np.array_split(ys, max(1, len(xs) * len(ys) // 200_000)):
        points = np.stack(np.meshgrid(xs, block), axis=-1).reshape(-1, 2)
        log_p = log_density(points)
        log_p = log_p[log_p > -700]
        total -= np.sum(np.exp(log_p) * log_p)
    return float(total * step * step)


def gauss_legendre(low: float, high: float, n_panels: int, n_nodes: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of composite Gauss-Legendre quadrature on [low, high], each (n_panels * n_nodes,)."""
    return gauss_legendre_between(np.linspace(low, high, n_panels + 1), n_nodes)


def gauss_legendre_between(edges: np.ndarray, n_nodes: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of Gauss-Legendre quadrature on the panels between sorted edges."""
    nodes, weights = np.polynomial.legendre.leggauss(n_nodes)
    half = (edges[1:] - edges[:-1])[:, None] / 2
    centre = (edges[1:] + edges[:-1])[:, None] / 2
    return (centre + half * nodes).ravel(), (half * weights).ravel()


def square_window(x0: float, x1: float, y0: float, y1: float, margin: float = 0.0) -> tuple[float, float, float, float]:
    """The smallest square around a box and a margin, as x0, x1, y0, y1."""
    half = max(x1 - x0, y1 - y0) / 2 + margin
    cx, cy = (x0 + x1) / 2, (y0 + y1) / 2
    x0, x1, y0, y1 = (round(float(edge), 3) for edge in (cx - half, cx + half, cy - half, cy + half))
    return x0, x1, y0, y1
