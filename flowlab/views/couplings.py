"""Arrays of what one layer of a flow does: scale and shift, its Jacobian, its masks."""

from __future__ import annotations

import numpy as np

from flowlab.datasets.dataset import Dataset
from flowlab.models.base import DensityModel
from flowlab.views.density import check_point
from flowlab.views.inside import check_flow
from flowlab.views.staging import display_rows

Arrays = dict[str, np.ndarray]

MAX_JACOBIAN = 128
STEP = 1e-4
"""Step of the central differences, in standard deviations of a column."""


def coupling(model: DensityModel, dataset: Dataset, layer: int = 1, n: int = 1200) -> Arrays:
    """What one layer (1 is the first after the scaling) does to each feature of many rows.

    Returns
    -------
    rows : (m,) row numbers; before, after : (m, n_features) positions around the layer
    log_scale, shift : (m, n_features) that the layer applied, where the model tells them
    moved : (n_layers, n_features) bool, whether a layer changes a feature of any of these rows
    """
    flow = check_flow(model)
    rows = display_rows(dataset, int(np.clip(n, 2, 5000)), 0)
    path = flow.transform_path(dataset.X[rows])
    layer = _check_layer(layer, len(path) - 1)
    out = {
        "rows": rows,
        "before": path[layer - 1],
        "after": path[layer],
        "moved": np.abs(np.diff(path, axis=0)).max(axis=1) > 1e-9,
    }
    if hasattr(flow, "layer_readout"):
        log_scale, shift = flow.layer_readout(dataset.X[rows])
        out |= {"log_scale": log_scale[layer - 1], "shift": shift[layer - 1]}
    return out


def jacobian(model: DensityModel, dataset: Dataset, row: tuple[float, ...] | int = 0, layer: int = 1) -> Arrays:
    """Jacobian of one layer at a row, measured by central differences, and the log-determinant the flow reports.

    Returns
    -------
    matrix : (n_features, n_features) d after_i / d before_j of the layer, in the flow's scaled units
    total : (n_features, n_features) d z_i / d x_j of the whole flow, scaling included, in data units
    log_det, reported : () nats, of `matrix` and as the layer reports it
    total_log_det, total_reported : () the same of the whole flow
    """
    flow = check_flow(model)
    d = dataset.n_features
    if d > MAX_JACOBIAN:
        raise ValueError(f"Jacobians are shown for up to {MAX_JACOBIAN} features, not {d}")
    x = check_point(dataset, row)
    spread = dataset.X.std(axis=0)
    step = STEP * np.where(spread > 0, spread, 1.0)
    nudges = np.diag(step)
    path = flow.transform_path(np.concatenate([x + nudges, x - nudges]))
    layer = _check_layer(layer, len(path) - 1)
    # (n_layers + 1, i, j): derivative of coordinate i of each position by column j of the data
    slopes = np.swapaxes((path[:, :d] - path[:, d:]) / (2 * step)[:, None], 1, 2)
    matrix = slopes[layer] @ np.linalg.inv(slopes[layer - 1])
    log_dets = flow.log_det_path(x[None])[:, 0]
    scaling = np.linalg.slogdet(slopes[0])[1]
    return {
        "matrix": matrix,
        "total": slopes[-1],
        "log_det": np.array(np.linalg.slogdet(matrix)[1]),
        "reported": np.array(log_dets[layer - 1]),
        "total_log_det": np.array(np.linalg.slogdet(slopes[-1])[1]),
        "total_reported": np.array(log_dets.sum() + scaling),
    }


def masks(model: DensityModel, dataset: Dataset, layer: int = 1, mask: str = "") -> Arrays:
    """Which columns the layers transform, which never change, and what a masked autoregressive layer lets through.

    Parameters
    ----------
    layer : whose MADE masks are given, 1 the first, where it has some
    mask : with a coupling flow, show `transformed` as this mask would have it, without training

    Returns
    -------
    transformed : (n_layers, n_features) bool, by architecture; measured on rows where a model does not tell it
    never : (n_never,) columns with spread that no layer transforms: their marginal stays the base's, a normal
    order, input, hidden_1 .., output, paths : see `LayerMasks.made_masks`; absent in layers without a MADE
    """
    flow = check_flow(model)
    if not hasattr(flow, "transformed_columns"):
        if mask:
            raise ValueError(f"mask must be empty: the layers of {type(flow).__name__} have no masks to edit")
        transformed = coupling(flow, dataset, layer)["moved"]
        return {
            "transformed": transformed,
            "never": np.flatnonzero(np.ptp(dataset.X, axis=0) * ~transformed.any(axis=0)),
        }
    return {
        "transformed": flow.transformed_columns(mask or None),
        "never": flow.untransformed_columns(mask or None),
        **flow.made_masks(layer),
    }


def _check_layer(layer: int, n_layers: int) -> int:
    if not (isinstance(layer, int | np.integer) and 1 <= layer <= n_layers):
        raise ValueError(f"layer must be a whole number from 1 to {n_layers}, not {layer!r}")
    return int(layer)
