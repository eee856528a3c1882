"""Arrays of what one layer of a flow does: scale and shift, its Jacobian, its masks."""

from __future__ import annotations

import numpy as np

from flowlab.datasets.dataset import Dataset
from flowlab.models.base import DensityModel
from flowlab.models.flows.jacobian_form import check_layer
from flowlab.views.context import check_flow
from flowlab.views.density import check_point
from flowlab.views.projection import display_rows

Arrays = dict[str, np.ndarray]

MAX_JACOBIAN = 512
"""Most features whose Jacobian is computed."""
MAX_NUMBERS = 80_000
"""Most coordinates of all rows together: of wide tables fewer rows are taken."""
TINY = np.finfo(float).tiny
"""Smallest size whose logarithm is taken."""


def coupling(model: DensityModel, dataset: Dataset, layer: int = 1, n: int = 1200) -> Arrays:
    """What one layer (1 is the first after the scaling) does to each feature of many rows.

    Returns
    -------
    rows : (m,) row numbers
    before, after : (m, n_features) positions before and after the layer, in the flow's scaled units
    log_scale, shift : (m, n_features) that the layer applied, where the model gives them
    moved : (n_layers, n_features) bool, whether a layer changes a feature of any of these rows
    """
    flow = check_flow(model)
    max_rows = int(np.clip(MAX_NUMBERS // dataset.n_features, 100, 5000))
    rows = display_rows(dataset, int(np.clip(n, 2, max_rows)), 0)
    path = flow.transform_path(dataset.X[rows])
    layer = check_layer(layer, len(path) - 1)
    arrays = {
        "rows": rows,
        "before": path[layer - 1],
        "after": path[layer],
        "moved": np.abs(np.diff(path, axis=0)).max(axis=1) > 1e-9,
    }
    readout = flow.layer_readout(dataset.X[rows])
    if readout is not None:
        log_scale, shift = readout
        arrays |= {"log_scale": log_scale[layer - 1], "shift": shift[layer - 1]}
    return arrays


def jacobian(model: DensityModel, dataset: Dataset, row: tuple[float, ...] | int = 0, layer: int = 1) -> Arrays:
    """Jacobian of one layer (1 the first), or of the whole flow (0), at a row, exact, in the flow's scaled units.

    Returns
    -------
    matrix : (n_features, n_features) d after_i / d before_j
    log_det, reported : () nats, of `matrix`, and as the layer (or all layers together) reports it
    kind, after, before, n_kept : see `LayerForm`: in the orders `after` of its rows and `before` of its columns
        `matrix` is lower triangular; they are empty where it is triangular in none
    log_diagonal : (n_features,) nats, logarithms of the diagonal's sizes in that order, whose sum is `log_det`
    above : () largest size above the diagonal in that order: 0 where the layer has the form it states

    Raises
    ------
    ValueError
        If the model is not a flow, has no such layer, or the data more than 512 features.
    """
    flow = check_flow(model)
    if dataset.n_features > MAX_JACOBIAN:
        raise ValueError(f"Jacobians are shown for up to {MAX_JACOBIAN} features, not {dataset.n_features}")
    x = check_point(dataset, row)
    log_dets = flow.log_det_path(x[None])[:, 0]
    layer = check_layer(layer, len(log_dets)) if layer else 0
    matrix, form = flow.layer_jacobian(x, layer), flow.layer_form(layer)
    sizes = np.abs(matrix[np.ix_(form.after, form.before)])
    return {
        "matrix": matrix,
        "log_det": np.array(np.linalg.slogdet(matrix)[1]),
        "reported": np.array(log_dets[layer - 1] if layer else log_dets.sum()),
        "kind": np.array(form.kind),
        "after": form.after,
        "before": form.before,
        "n_kept": np.array(form.n_kept),
        "log_diagonal": np.log(np.maximum(np.diag(sizes), TINY)),
        "above": np.array(np.triu(sizes, 1).max(initial=0.0)),
    }


def masks(model: DensityModel, dataset: Dataset, layer: int = 1, mask: str = "") -> Arrays:
    """Which columns the layers transform, which never change, and what a masked autoregressive layer lets through.

    Parameters
    ----------
    layer : whose MADE masks are given, 1 the first, where it has some
    mask : with a coupling flow, show `transformed` as this mask would have it, without training

    Returns
    -------
    transformed : (n_layers, n_features) bool, by architecture, or measured on rows where the model does not state it
    never : (n_never,) columns with spread that no layer transforms: their marginal remains the base density's, a normal
    order, input, hidden_1 .., output, paths : see `LayerMasks.made_masks`; absent in layers without a MADE
    """
    flow = check_flow(model)
    if not flow.states_masks:
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
