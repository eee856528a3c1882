"""Points, a grid and the change of volume after each layer of a flow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flowlab.datasets.dataset import Dataset
from flowlab.models.base import DensityModel
from flowlab.views.context import ALL_LEVELS, check_flow, check_level, is_conditioned, judged, whole_rows
from flowlab.views.density import check_columns
from flowlab.views.projection import MAX_ANOMALIES, display_rows, stage


@dataclass(frozen=True, eq=False)
class LayerPath:
    """The way of rows and of a grid through a flow, in its own units: standardised data at first, latent at the end.

    Attributes
    ----------
    rows : (m,) row numbers
    labels : (m,) uint8, 1 marks an anomaly
    points : (n_layers + 1, m, 2)
    log_det : (n_layers, m) in nats, of each layer
    grid : (n_layers + 1, 2 * n_lines, k, 2) upright, then level lines over the window; only for two features
    grid_log_det : (n_layers, 2 * n_lines, k) in nats
    """

    rows: np.ndarray
    labels: np.ndarray
    points: np.ndarray
    log_det: np.ndarray
    grid: np.ndarray | None = None
    grid_log_det: np.ndarray | None = None


def layers(
    model: DensityModel,
    dataset: Dataset,
    n_points: int = 600,
    n_lines: int = 13,
    columns: tuple[int, int] | None = None,
    level: int = ALL_LEVELS,
    row: int | None = None,
) -> LayerPath:
    """Points, a grid and the local change of volume after each layer of a flow, data side first.

    Under a context `level` shows the rows of one level and the grid given it; without a level there is no grid.
    `columns` chooses two of more than two features; without it the first two principal axes are shown, the same
    plane at every layer. A `row` is always among those shown.

    Raises
    ------
    ValueError
        If the model is not a flow, or `columns` or `level` are not those of the data.
    """
    flow = check_flow(model)
    n_points = int(np.clip(n_points, 2, 5000))
    rows = display_rows(dataset, n_points, MAX_ANOMALIES)
    conditioned, level = is_conditioned(flow, dataset), check_level(dataset, level)
    if conditioned and level != ALL_LEVELS:
        rows = rows[dataset.X[rows, dataset.context] == level]
    if row is not None:
        rows = np.union1d(rows, row)
    X, axes = dataset.X[rows], judged(flow, dataset)
    path = flow.transform_path(X)
    path = path @ _plane(dataset, columns) if len(axes) > 1 else _with_rug(path[:, :, axes])
    labels = np.zeros(len(rows), np.uint8) if dataset.y is None else (dataset.y[rows] == 1).astype(np.uint8)
    grid = grid_log_det = None
    if len(axes) == 2 and not (conditioned and level == ALL_LEVELS):
        lines = _grid_lines(stage(dataset).window, int(np.clip(n_lines, 3, 41)))
        vertices = whole_rows(dataset, lines.reshape(-1, 2), level)
        grid = flow.transform_path(vertices)[:, :, axes].reshape(-1, *lines.shape).astype(np.float32)
        grid_log_det = flow.log_det_path(vertices).reshape(-1, *lines.shape[:2]).astype(np.float32)
    log_det = flow.log_det_path(X).astype(np.float32)
    return LayerPath(rows, labels, path.astype(np.float32), log_det, grid, grid_log_det)


def _plane(dataset: Dataset, columns: tuple[int, int] | None) -> np.ndarray:
    """Projection (n_features, 2) onto the shown plane."""
    if columns is None:
        return stage(dataset).basis
    return np.eye(dataset.n_features)[:, list(check_columns(dataset, columns))]


def _with_rug(path: np.ndarray) -> np.ndarray:
    """One-dimensional positions with a second coordinate that only spreads the points."""
    heights = (np.argsort(np.argsort(path[0, :, 0])) * 0.618) % 1.0 - 0.5
    return np.concatenate([path, np.broadcast_to(heights[:, None], path.shape)], axis=2)


def _grid_lines(window: tuple[float, float, float, float], n_lines: int, n_points: int = 61) -> np.ndarray:
    """Upright lines, then level ones, over the middle of the window: (2 * n_lines, n_points, 2)."""
    x0, x1, y0, y1 = window
    x, y = np.linspace(x0, x1, n_lines), np.linspace(y0, y1, n_lines)
    upright = np.stack(np.broadcast_arrays(x[:, None], np.linspace(y0, y1, n_points)), axis=-1)
    level = np.stack(np.broadcast_arrays(np.linspace(x0, x1, n_points), y[:, None]), axis=-1)
    return np.concatenate([upright, level])
