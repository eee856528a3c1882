"""The log-density decomposition of one row: base density, layers and scaling add up to log p(x)."""

from __future__ import annotations

import numpy as np

from flowlab.datasets.dataset import Dataset
from flowlab.models.base import DensityModel, FlowModel
from flowlab.views.context import check_flow, judged
from flowlab.views.density import check_point

Arrays = dict[str, np.ndarray]

LOG_2PI = float(np.log(2 * np.pi))
TYPICAL_ROWS = 2000


def receipt(model: DensityModel, dataset: Dataset, row: tuple[float, ...] | int = 0) -> Arrays:
    """The log-density decomposition of one row (`row`: its number, or a point's coordinates in data units).

    log p(x) = log N(z; 0, I) + sum of the layers' log-determinants + log-determinant of the scaling.

    Returns
    -------
    point : (n_features,) in data units
    position : (n_layers + 1, n_features) scaled data first, latent last
    log_det : (n_layers,) in nats
    log_scale, shift : (n_layers, n_features) that each layer applied, where known
    scaling : () log-determinant of the scaling, in nats
    base : () log N(z; 0, I) in nats
    squares : () half the squared norm of z
    running : (n_layers + 2,) running total: scaling, then each layer, then the base term last
    log_density : () as `score_samples` gives it, in nats
    difference : () sum of the terms less `log_density`, in nats: rounding error
    typical_row : () number of the row whose log-density is the median of the first 2,000 training rows
    typical_* : the same entries for that row

    Raises
    ------
    ValueError
        If the model is not a flow.
    """
    flow = check_flow(model)
    X = np.stack([check_point(dataset, row), dataset.X[typical_row(flow, dataset)]])
    decomposition, typical = _decomposition(flow, X, judged(flow, dataset))
    return (
        decomposition
        | {f"typical_{key}": value for key, value in typical.items()}
        | {"typical_row": np.array(typical_row(flow, dataset))}
    )


def typical_row(model: DensityModel, dataset: Dataset) -> int:
    """Number of the training row whose score is the median of the first 2,000."""
    rows = dataset.rows("train")[:TYPICAL_ROWS]
    scores = model.score_samples(dataset.X[rows])
    return int(rows[np.argsort(scores, kind="stable")[len(rows) // 2]])


def _decomposition(flow: FlowModel, X: np.ndarray, axes: np.ndarray) -> list[Arrays]:
    positions, log_dets, scores = flow.transform_path(X), flow.log_det_path(X), flow.score_samples(X)
    scaling = flow.scaling_log_det(X)
    squares = 0.5 * np.sum(positions[-1][:, axes] ** 2, axis=1)
    base = -squares - len(axes) / 2 * LOG_2PI
    readout = flow.layer_readout(X)
    decompositions = []
    for i in range(len(X)):
        terms = np.concatenate([[scaling[i]], log_dets[:, i], [base[i]]])
        decomposition = {
            "point": X[i],
            "position": positions[:, i],
            "log_det": log_dets[:, i],
            "scaling": scaling[i],
            "base": base[i],
            "squares": squares[i],
            "running": np.cumsum(terms),
            "log_density": scores[i],
            "difference": terms.sum() - scores[i],
        }
        if readout is not None:
            decomposition |= {"log_scale": readout[0][:, i], "shift": readout[1][:, i]}
        decompositions.append({key: np.asarray(value) for key, value in decomposition.items()})
    return decompositions
