"""Arrays that open a flow up: the way through the layers, and the receipt of one row's log-density."""

from __future__ import annotations

import numpy as np

from flowlab.datasets.dataset import Dataset
from flowlab.models.base import DensityModel, FlowModel
from flowlab.views.context import ALL_LEVELS, check_level, is_conditioned, judged, whole_rows
from flowlab.views.density import check_columns, check_point
from flowlab.views.staging import MAX_ANOMALIES, display_rows, stage

Arrays = dict[str, np.ndarray]

LOG_2PI = float(np.log(2 * np.pi))
TYPICAL_ROWS = 2000
READOUT_FEATURES = 64


def layers(
    model: DensityModel,
    dataset: Dataset,
    n_points: int = 600,
    n_lines: int = 13,
    columns: tuple[int, int] | None = None,
    level: int = ALL_LEVELS,
) -> Arrays:
    """Points, a grid and the local change of volume after each layer of a flow, data side first.

    Under a context `level` shows the rows of one level and how the grid bends given it; all levels have no one grid.
    `columns` chooses two of more than two features; without it the first two principal axes are shown, the same
    plane at every layer. Positions are in the flow's own units: standardised data at first, latent at the end.

    Returns
    -------
    rows : (m,) row numbers; labels : (m,) 1 marks an anomaly
    points : (n_layers + 1, m, 2); log_det : (n_layers, m) in nats, of each layer
    grid : (n_layers + 1, 2 * n_lines, k, 2) upright, then level lines over the window, for two features
    grid_log_det : (n_layers, 2 * n_lines, k) in nats
    """
    flow = check_flow(model)
    n_points = int(np.clip(n_points, 2, 5000))
    rows = display_rows(dataset, n_points, MAX_ANOMALIES)
    conditioned, level = is_conditioned(flow, dataset), check_level(dataset, level)
    if conditioned and level != ALL_LEVELS:
        rows = rows[dataset.X[rows, dataset.context] == level]
    X, axes = dataset.X[rows], judged(flow, dataset)
    path = flow.transform_path(X)
    path = path @ _plane(dataset, columns) if len(axes) > 1 else _with_rug(path[:, :, axes])
    out = {
        "rows": rows,
        "labels": np.zeros(len(rows), np.uint8) if dataset.y is None else (dataset.y[rows] == 1).astype(np.uint8),
        "points": path.astype(np.float32),
        "log_det": flow.log_det_path(X).astype(np.float32),
    }
    if len(axes) == 2 and not (conditioned and level == ALL_LEVELS):
        lines = _grid_lines(stage(dataset).window, int(np.clip(n_lines, 3, 41)))
        flat = whole_rows(dataset, lines.reshape(-1, 2), level)
        out["grid"] = flow.transform_path(flat)[:, :, axes].reshape(-1, *lines.shape).astype(np.float32)
        out["grid_log_det"] = flow.log_det_path(flat).reshape(-1, *lines.shape[:2]).astype(np.float32)
    return out


def receipt(model: DensityModel, dataset: Dataset, row: tuple[float, ...] | int = 0) -> Arrays:
    """The itemised bill of one row's log-density (`row`: its number, or a point's coordinates in data units).

    log p(x) = log N(z; 0, I) + sum of the layers' log-determinants + log-determinant of the scaling.

    Returns
    -------
    point : (n_features,) in data units; position : (n_layers + 1, n_features) scaled data first, latent last
    log_det : (n_layers,) in nats; log_scale, shift : (n_layers, n_features) that each layer applied, where known
    scaling : () log-determinant of the scaling; base : () log N(z; 0, I); squares : () half the squared norm of z
    running : (n_layers + 2,) running total: scaling, then each layer, then the base term last
    log_density : () as `score_samples` gives it; difference : () how far the bill is off, in nats
    typical_row : () number of the row whose log-density is the median of the first 2,000 training rows
    typical_* : the same entries for that row
    """
    flow = check_flow(model)
    X = np.stack([check_point(dataset, row), dataset.X[typical_row(flow, dataset)]])
    bill, typical = _bill(flow, X, judged(flow, dataset))
    return (
        bill
        | {f"typical_{key}": value for key, value in typical.items()}
        | {"typical_row": np.array(typical_row(flow, dataset))}
    )


def typical_row(model: DensityModel, dataset: Dataset) -> int:
    """The training row whose score is the median of the first 2,000."""
    rows = dataset.rows("train")[:TYPICAL_ROWS]
    scores = model.score_samples(dataset.X[rows])
    return int(rows[np.argsort(scores, kind="stable")[len(rows) // 2]])


def _bill(flow: FlowModel, X: np.ndarray, axes: np.ndarray) -> list[Arrays]:
    positions, log_dets, scores = flow.transform_path(X), flow.log_det_path(X), flow.score_samples(X)
    scaling = scaling_log_det(flow, X)
    squares = 0.5 * np.sum(positions[-1][:, axes] ** 2, axis=1)
    base = -squares - len(axes) / 2 * LOG_2PI
    readout = flow.layer_readout(X) if hasattr(flow, "layer_readout") else None
    bills = []
    for i in range(len(X)):
        items = np.concatenate([[scaling[i]], log_dets[:, i], [base[i]]])
        bill = {
            "point": X[i],
            "position": positions[:, i],
            "log_det": log_dets[:, i],
            "scaling": scaling[i],
            "base": base[i],
            "squares": squares[i],
            "running": np.cumsum(items),
            "log_density": scores[i],
            "difference": items.sum() - scores[i],
        }
        if readout is not None:
            bill |= {"log_scale": readout[0][:, i], "shift": readout[1][:, i]}
        bills.append({key: np.asarray(value) for key, value in bill.items()})
    return bills


def scaling_log_det(flow: FlowModel, X: np.ndarray) -> np.ndarray:
    """Log-determinant in nats (n,) of what a flow does to a row before its first layer.

    Flows that do not tell are measured: their scaling works column by column, so the slope of each column of the
    first position against the data is its factor.
    """
    if hasattr(flow, "scaling_log_det"):
        return flow.scaling_log_det(X)
    step = 1e-3 * np.maximum(1.0, np.abs(X))
    return np.log((flow.transform_path(X + step)[0] - flow.transform_path(X - step)[0]) / (2 * step)).sum(axis=1)


def check_flow(model: DensityModel) -> FlowModel:
    """The model, if it has layers; ValueError otherwise."""
    if not isinstance(model, FlowModel):
        raise ValueError(f"{type(model).__name__} has no layers to look into; choose a flow")
    return model


def _plane(dataset: Dataset, columns: tuple[int, int] | None) -> np.ndarray:
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
