"""The log-density decomposition of one row: base density, layers and scaling add up to log p(x)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flowlab.datasets.dataset import Dataset, Part
from flowlab.models.base import DensityModel
from flowlab.views.context import check_flow, judged
from flowlab.views.density import check_point

LOG_2PI = float(np.log(2 * np.pi))
TYPICAL_ROWS = 2000


@dataclass(frozen=True, eq=False)
class Receipt:
    """The terms that add up to the log-density of one row, beside those of a typical one.

    log p(x) = log N(z; 0, I) + sum of the layers' log-determinants + log-determinant of the scaling.

    Attributes
    ----------
    position : (n_layers + 1, n_features) scaled data first, latent last
    log_det : (n_layers,) in nats
    log_scale, shift : (n_layers, n_features) that each layer applied; None where the model does not tell them
    scaling : log-determinant of the scaling, in nats
    base : log N(z; 0, I) in nats
    running : (n_layers + 2,) running total: scaling, then each layer, then the base term last
    log_density : as `score_samples` gives it, in nats
    typical_row : number of the row whose log-density is the median of the first 2,000 training rows
    typical_running : (n_layers + 2,) running total of that row
    """

    position: np.ndarray
    log_det: np.ndarray
    log_scale: np.ndarray | None
    shift: np.ndarray | None
    scaling: float
    base: float
    running: np.ndarray
    log_density: float
    typical_row: int
    typical_running: np.ndarray

    @property
    def difference(self) -> float:
        """Sum of the terms less `log_density`, in nats: rounding error."""
        return float(self.running[-1]) - self.log_density


def receipt(model: DensityModel, dataset: Dataset, row: tuple[float, ...] | int = 0) -> Receipt:
    """The log-density decomposition of one row (`row`: its number, or a point's coordinates in data units).

    Raises
    ------
    ValueError
        If the model is not a flow.
    """
    flow = check_flow(model)
    typical = typical_row(flow, dataset)
    X, axes = np.stack([check_point(dataset, row), dataset.X[typical]]), judged(flow, dataset)
    positions, log_dets, scaling = flow.transform_path(X), flow.log_det_path(X), flow.scaling_log_det(X)
    base = -0.5 * np.sum(positions[-1][:, axes] ** 2, axis=1) - len(axes) / 2 * LOG_2PI
    running = np.cumsum(np.concatenate([scaling[None], log_dets, base[None]]), axis=0)
    readout = flow.layer_readout(X)
    return Receipt(
        positions[:, 0],
        log_dets[:, 0],
        None if readout is None else readout[0][:, 0],
        None if readout is None else readout[1][:, 0],
        float(scaling[0]),
        float(base[0]),
        running[:, 0],
        float(flow.score_samples(X)[0]),
        typical,
        running[:, 1],
    )


def typical_row(model: DensityModel, dataset: Dataset) -> int:
    """Number of the training row whose score is the median of the first 2,000."""
    rows = dataset.rows(Part.TRAIN)[:TYPICAL_ROWS]
    scores = model.score_samples(dataset.X[rows])
    return int(rows[np.argsort(scores, kind="stable")[len(rows) // 2]])
