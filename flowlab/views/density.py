"""Arrays of density pictures: grids, conditional slices, contour levels of equal mass, profiles along a line."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from flowlab.datasets.dataset import Dataset
from flowlab.models.base import DensityModel
from flowlab.views.context import ALL_LEVELS, check_level, is_conditioned, is_planar, judged, log_density_at, whole_rows
from flowlab.views.projection import Window, column_window, stage

MASSES = (0.5, 0.8, 0.95, 0.99)
"""Shares of the probability that contours enclose."""
TILE_BINS = 24
"""Bins per side of the histogram that stands for a density of more than two features."""
LOWEST_LOG_DENSITY = -700.0
"""Where the exponential is still above 0."""


@dataclass(frozen=True, eq=False)
class DensityMap:
    """A log-density over the cells of a grid.

    Attributes
    ----------
    log_density : (n, n), row 0 lowest, or (n,) for one feature, in nats
    mass : integral of the density over the window
    levels : (4,) log-densities whose contours enclose 50, 80, 95 and 99 % of the probability in the window
    """

    log_density: np.ndarray
    mass: float
    levels: np.ndarray


@dataclass(frozen=True, eq=False)
class DensityGrid:
    """The density of a model on a grid over the window, and the exact one where it is known.

    Attributes
    ----------
    window : x0, x1, y0, y1 in data units
    x : (n,) centres of the grid's cells
    y : (n,) the same of the second feature; None for one feature
    learned : of the model
    true : exact; None where it is not known
    """

    window: Window
    x: np.ndarray
    y: np.ndarray | None
    learned: DensityMap
    true: DensityMap | None

    @property
    def difference(self) -> np.ndarray | None:
        """Density of the model less the true one, as `learned.log_density` lies; None where that is not known."""
        return None if self.true is None else np.exp(self.learned.log_density) - np.exp(self.true.log_density)


def density_grid(
    model: DensityModel, dataset: Dataset, n: int = 120, window: Window | None = None, level: int = ALL_LEVELS
) -> DensityGrid:
    """Log-density of a model on a grid over the window, for data of one or two features.

    A context does not count as a feature: the density is that given its `level`, or of all levels mixed.

    Raises
    ------
    ValueError
        If the model is not a density, or of more than two features.
    """
    _check_density(model)
    d, level = len(judged(model, dataset)), check_level(dataset, level)
    if not is_planar(model, dataset):
        raise ValueError(f"density_grid is for one or two features, not {d}; use density_slice at a row")
    n = _clip(n, 16, 400)
    window = tuple(float(v) for v in (window or stage(dataset).window))
    points, cell = grid_points(window, n, d)
    learned = _density_map(log_density_at(model, dataset, points, level).reshape((n,) * d), cell)
    true = None if dataset.density is None else _density_map(_true_grid(dataset, window, n, level), cell)
    return DensityGrid(window, points[:n, 0].copy(), points[::n, 1].copy() if d == 2 else None, learned, true)


def truth(dataset: Dataset, n: int = 80) -> tuple[np.ndarray, np.ndarray]:
    """The exact density over the window of the stage, and the levels whose contours enclose 50, 80 and 95 % of it.

    (n, n) with row 0 lowest, or (n,) for one feature; per unit area or length, at the middles of equal cells.
    """
    log_density = _true_grid(dataset, tuple(float(v) for v in stage(dataset).window), n, ALL_LEVELS)
    return np.exp(log_density), np.exp(equal_mass_levels(log_density, MASSES[:3]))


@dataclass(frozen=True, eq=False)
class DensitySlice:
    """The density of two columns when all others are held at a row's values.

    Attributes
    ----------
    window, x, y : as of `DensityGrid`, in the units of the two columns
    log_density : (n, n) joint log-density in nats, row 0 lowest
    log_conditional : (n, n) the same less the logarithm of its integral over the window
    levels : (4,) levels of `log_conditional` that enclose 50, 80, 95 and 99 %
    point : (2,) the row's values of the two columns
    row : its number
    """

    window: Window
    x: np.ndarray
    y: np.ndarray
    log_density: np.ndarray
    log_conditional: np.ndarray
    levels: np.ndarray
    point: np.ndarray
    row: int


def density_slice(
    model: DensityModel, dataset: Dataset, row: int = 0, columns: tuple[int, int] = (0, 1), n: int = 80
) -> DensitySlice:
    """The conditional density of two columns when all others are held at a row's values.

    Raises
    ------
    ValueError
        If the model is not a density, or a column is the context.
    """
    _check_density(model)
    row = check_row(dataset, row)
    columns = check_columns(dataset, columns)
    if is_conditioned(model, dataset) and dataset.context in columns:
        raise ValueError(
            f"{dataset.columns[dataset.context]} is the context, which has no density; choose other columns"
        )
    n = _clip(n, 16, 200)
    window = (*column_window(dataset, columns[0]), *column_window(dataset, columns[1]))
    point = dataset.X[row, list(columns)]
    # The window grows where the row lies outside the range of most rows, so that the row stays visible.
    window = (min(window[0], point[0]), max(window[1], point[0]), min(window[2], point[1]), max(window[3], point[1]))
    plane, cell = grid_points(window, n, 2)
    points = np.tile(dataset.X[row], (n * n, 1))
    points[:, list(columns)] = plane
    log_p = model.score_samples(points).reshape(n, n)
    finite = np.isfinite(log_p)
    top = log_p[finite].max(initial=-np.inf)
    log_mass = top + np.log(np.exp(log_p[finite] - top).sum() * cell) if finite.any() else 0.0
    conditional = log_p - log_mass
    x, y, levels = plane[:n, 0].copy(), plane[::n, 1].copy(), equal_mass_levels(conditional)
    return DensitySlice(window, x, y, log_p, conditional, levels, point, row)


@dataclass(frozen=True, eq=False)
class Profile:
    """Log-density along a straight segment.

    Attributes
    ----------
    points : (n, n_judged) in data units
    distance : (n,) from the start, Euclidean, in data units
    log_density : (n,) of the model, in nats
    true_log_density : (n,) the exact one, in nats; None where it is not known
    lowest : index of the lowest log-density of the model on the segment
    """

    points: np.ndarray
    distance: np.ndarray
    log_density: np.ndarray
    true_log_density: np.ndarray | None
    lowest: int


def profile(
    model: DensityModel,
    dataset: Dataset,
    start: tuple[float, ...] | int = 0,
    end: tuple[float, ...] | int = 1,
    n: int = 201,
    level: int = ALL_LEVELS,
) -> Profile:
    """Log-density along the straight segment between two points (or two rows, by number), in data units.

    Under a context points are of the other columns, and the density is that given `level`, or of all levels mixed;
    between rows it is by default that given the level of the first.
    """
    n, level = _clip(n, 11, 2001), check_level(dataset, level)
    columns = judged(model, dataset)
    ends = [check_point(dataset, end_point, columns) for end_point in (start, end)]
    if level == ALL_LEVELS and dataset.context is not None and isinstance(start, (int, np.integer)):
        level = int(dataset.X[start, dataset.context])
    share = np.linspace(0, 1, n)[:, None]
    points = (1 - share) * ends[0] + share * ends[1]
    log_p = log_density_at(model, dataset, points, level)
    is_known = dataset.density is not None and len(columns) == len(dataset.judged)
    true = _true_log_density(dataset, points, level) if is_known else None
    distance = share[:, 0] * np.linalg.norm(ends[1] - ends[0])
    return Profile(points, distance, log_p, true, int(np.argmin(np.where(np.isnan(log_p), np.inf, log_p))))


def tile_log_density(dataset: Dataset, n: int = 3 * TILE_BINS) -> np.ndarray:
    """Log-density of a toy for a small picture, (n, n), row 0 lowest; n is a multiple of 24.

    Exact for two features; for one the area below the density's curve; for more, counts of the first two columns.
    """
    density = dataset.density
    x0, x1, y0, y1 = density.window()
    x, y = np.linspace(x0, x1, n), np.linspace(y0, y1, n)
    if density.n_features == 2:
        log_density = density.log_density(np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)).reshape(n, n)
    elif density.n_features == 1:
        height = np.exp(density.log_density(x[:, None]))
        log_density = np.where(np.linspace(0, 1.1, n)[:, None] <= height / height.max(), 0.0, -20.0)
    else:
        counts = np.histogram2d(dataset.X[:, 1], dataset.X[:, 0], bins=TILE_BINS, range=[[y0, y1], [x0, x1]])[0]
        log_density = np.log(np.kron(counts, np.ones((n // TILE_BINS, n // TILE_BINS))) + 0.1)
    return np.maximum(log_density, LOWEST_LOG_DENSITY)


def equal_mass_levels(log_density: np.ndarray, masses: tuple[float, ...] = MASSES) -> np.ndarray:
    """Log-density levels (n_masses,) above which the shares `masses` of the probability lie; nan without finite values.

    `log_density` holds nats on a grid of equal cells, in any shape.
    """
    values = np.sort(log_density[np.isfinite(log_density)], axis=None)[::-1]
    if not len(values):
        return np.full(len(masses), np.nan)
    mass = np.cumsum(np.exp(values - values[0]))
    return values[np.minimum(np.searchsorted(mass / mass[-1], masses), len(values) - 1)]


def check_row(dataset: Dataset, row: int) -> int:
    """A row number of the data set; ValueError otherwise."""
    if not (isinstance(row, (int, np.integer)) and 0 <= row < len(dataset)):
        raise ValueError(f"row must be a whole number from 0 to {len(dataset) - 1}, not {row!r}")
    return int(row)


def check_columns(dataset: Dataset, columns: tuple[int, int]) -> tuple[int, int]:
    """Two different column numbers of the data set; ValueError otherwise."""
    first, second = (int(c) for c in columns)
    if first == second or not (0 <= first < dataset.n_features and 0 <= second < dataset.n_features):
        raise ValueError(
            f"columns must be two different numbers from 0 to {dataset.n_features - 1}, not {tuple(columns)}"
        )
    return first, second


def check_point(dataset: Dataset, point: tuple[float, ...] | int, columns: np.ndarray | None = None) -> np.ndarray:
    """A point in data units, given as coordinates or as a row's number; ValueError otherwise.

    It has a coordinate for each of `columns`, by default all: (n_columns,).
    """
    columns = np.arange(dataset.n_features) if columns is None else columns
    if isinstance(point, (int, np.integer)):
        return dataset.X[check_row(dataset, point), columns]
    coordinates = np.asarray(point, np.float64)
    if coordinates.shape != (len(columns),) or not np.all(np.isfinite(coordinates)):
        raise ValueError(f"a point must be {len(columns)} finite numbers or a row's number, not {point!r}")
    return coordinates


def _check_density(model: DensityModel) -> None:
    if not model.is_density:
        raise ValueError(f"{type(model).__name__} gives {model.score_label}, which is not a density")


def _clip(n: int, low: int, high: int) -> int:
    return int(min(max(int(n), low), high))


def grid_points(window: Window, n: int, n_features: int) -> tuple[np.ndarray, float]:
    """Centres (n or n * n, n_features) of a window's cells, x running fastest, and the length or area of a cell."""
    x0, x1, y0, y1 = window
    x = x0 + (np.arange(n) + 0.5) * (x1 - x0) / n
    if n_features == 1:
        return x[:, None], (x1 - x0) / n
    y = y0 + (np.arange(n) + 0.5) * (y1 - y0) / n
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2), (x1 - x0) * (y1 - y0) / n**2


@lru_cache(maxsize=16)
def _true_grid(dataset: Dataset, window: Window, n: int, level: int) -> np.ndarray:
    d = len(dataset.judged)
    points, _ = grid_points(window, n, d)
    grid = _true_log_density(dataset, points, level).reshape((n,) * d)
    grid.setflags(write=False)  # the cached array is shared by all callers
    return grid


def _true_log_density(dataset: Dataset, points: np.ndarray, level: int) -> np.ndarray:
    """Exact log-density at points over the judged columns, given a level of the context or over all of them."""
    if dataset.context is None:
        return dataset.density.log_density(points)
    if level == ALL_LEVELS:
        return dataset.density.base.log_density(points)
    return dataset.density.log_density(whole_rows(dataset, points, level))


def _density_map(log_density: np.ndarray, cell: float) -> DensityMap:
    mass = np.exp(log_density[np.isfinite(log_density)]).sum() * cell
    return DensityMap(log_density, float(mass), equal_mass_levels(log_density))
