"""The stage: which plane of the data is shown, in which window, and which of the rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from flowlab.columns import spread_of
from flowlab.datasets.dataset import Dataset, Part
from flowlab.formatting import percent

Window = tuple[float, float, float, float]

MAX_POINTS = 600
MAX_ANOMALIES = 150
GOLDEN = 0.6180339887498949
"""Golden ratio less one: its multiples modulo 1 are evenly scattered."""


@dataclass(frozen=True, eq=False)
class Stage:
    """A two-dimensional view of a data set.

    Attributes
    ----------
    rows : (m,) int, the rows of the data set that are shown, m at most 600
    points : (m, 2) their positions
    labels : (m,) uint8, 1 marks an anomaly
    window : x0, x1, y0, y1
    axes : names of the two axes, with units where they have any
    offset, scale : (n_features,); basis : (n_features, 2). The position of a row x is ((x - offset) / scale) @ basis:
        the columns themselves up to two features, else the first two principal axes of the standardised training rows.
        A context has no part in them. One feature has no second axis: points are then spread over the lowest eighth
        of the window.
    """

    rows: np.ndarray
    points: np.ndarray
    labels: np.ndarray
    window: Window
    axes: tuple[str, str]
    offset: np.ndarray
    scale: np.ndarray
    basis: np.ndarray

    def project(self, X: np.ndarray) -> np.ndarray:
        """Positions (n, 2) of rows (n, n_features) in data units."""
        plane = ((np.asarray(X, np.float64) - self.offset) / self.scale) @ self.basis
        if not self.basis[:, 1].any():
            plane[:, 1] = rug(len(plane)) * self.window[3] / 8
        return plane


@lru_cache(maxsize=8)
def stage(dataset: Dataset) -> Stage:
    """The Stage of a data set, cached for each Dataset object."""
    n_features, judged = dataset.n_features, dataset.judged
    offset, scale, basis = np.zeros(n_features), np.ones(n_features), np.zeros((n_features, 2))
    if len(judged) > 2:
        offset[judged], scale[judged], basis[judged], shares = _principal_axes(dataset.part(Part.TRAIN)[:, judged])
        axes = tuple(f"principal axis {i + 1} ({percent(share)} of variance)" for i, share in enumerate(shares))
    else:
        basis[judged] = np.eye(len(judged), 2)
        axes = tuple(dataset.columns[j] for j in judged) + ("density",) * (len(judged) == 1)
    window = _window(dataset, offset, scale, basis)
    rows = display_rows(dataset, MAX_POINTS, MAX_ANOMALIES)
    labels = np.zeros(len(rows), np.uint8) if dataset.y is None else (dataset.y[rows] == 1).astype(np.uint8)
    plane = Stage(rows, np.empty((0, 2)), labels, window, axes, offset, scale, basis)
    return Stage(rows, plane.project(dataset.X[rows]), labels, window, axes, offset, scale, basis)


def display_rows(dataset: Dataset, most: int, most_anomalies: int, seed: int = 0) -> np.ndarray:
    """Numbers of at most `most` rows at random, ascending; up to `most_anomalies` anomalies are always among them."""
    rng = np.random.default_rng([seed, 0xD15])
    rows = rng.permutation(len(dataset))
    if dataset.y is None:
        return np.sort(rows[:most])
    anomalous = dataset.y[rows] == 1
    anomalies = rows[anomalous][:most_anomalies]
    return np.sort(np.concatenate([anomalies, rows[~anomalous][: most - len(anomalies)]]))


def rug(n: int) -> np.ndarray:
    """Evenly scattered numbers in [0, 1), the same every time: heights for points that have only one coordinate."""
    return (np.arange(n) * GOLDEN) % 1.0


def angle_color(points: np.ndarray) -> np.ndarray:
    """(m,) uint8: the direction of each point of (m, 2) from the median, as a place on the circle of hues."""
    x, y = (points - np.median(points, axis=0)).T
    return ((np.arctan2(y, x) / (2 * np.pi) % 1.0) * 256).astype(np.int64).astype(np.uint8)


def column_window(dataset: Dataset, column: int) -> tuple[float, float]:
    """Ends of the window along one column, in data units: nearly all rows, and a margin."""
    return _span(dataset.X[:, column])


def _principal_axes(X: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    offset, scale = X.mean(axis=0), spread_of(X)
    Z = (X - offset) / scale
    values, vectors = np.linalg.eigh(Z.T @ Z / max(1, len(Z)))
    basis = vectors[:, [-1, -2]]
    # The sign of an eigenvector is arbitrary: its largest entry is made positive, so pictures do not flip.
    basis = basis * np.sign(basis[np.abs(basis).argmax(axis=0), [0, 1]])
    return offset, scale, basis, values[[-1, -2]] / max(values.sum(), 1e-300)


def _window(dataset: Dataset, offset: np.ndarray, scale: np.ndarray, basis: np.ndarray) -> Window:
    judged = dataset.judged
    d = len(judged)
    if d <= 2 and dataset.density is not None:
        return dataset.density.window()
    if d == 1:
        values = dataset.X[:, judged[0]]
        x0, x1 = _span(values)
        heights, _ = np.histogram(values, bins=60, range=(x0, x1), density=True)
        return x0, x1, 0.0, 1.2 * float(heights.max())
    plane = ((dataset.X - offset) / scale) @ basis
    x0, x1, y0, y1 = *_span(plane[:, 0]), *_span(plane[:, 1])
    if d > 2:  # principal axes share a unit, so the window is square
        half = max(x1 - x0, y1 - y0) / 2
        x0, x1, y0, y1 = (x0 + x1) / 2 - half, (x0 + x1) / 2 + half, (y0 + y1) / 2 - half, (y0 + y1) / 2 + half
    return x0, x1, y0, y1


def _span(values: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(values, [0.003, 0.997])
    margin = 0.12 * (high - low) or 1.0
    return float(low - margin), float(high + margin)
