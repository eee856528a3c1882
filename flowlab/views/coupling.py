"""Arrays of what one layer of a flow does: scale and shift, its Jacobian, its masks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flowlab.columns import varies
from flowlab.datasets.dataset import Dataset
from flowlab.models.base import DensityModel
from flowlab.models.flows.jacobian_form import LayerForm, check_layer
from flowlab.models.flows.masks import MadeMasks
from flowlab.views.context import check_flow
from flowlab.views.density import check_point
from flowlab.views.projection import display_rows

MAX_JACOBIAN = 512
"""Most features whose Jacobian is computed."""
MAX_NUMBERS = 80_000
"""Most coordinates of all rows together: of wide tables fewer rows are taken."""
TINY = np.finfo(float).tiny
"""Smallest size whose logarithm is taken."""


@dataclass(frozen=True, eq=False)
class CouplingLayer:
    """What one layer of a flow does to each feature of many rows.

    Attributes
    ----------
    rows : (m,) row numbers
    before, after : (m, n_features) positions before and after the layer, in the flow's scaled units
    moved : (n_layers, n_features) bool, whether a layer changes a feature of any of these rows
    log_scale, shift : (m, n_features) that the layer applied; None where the model does not tell them
    """

    rows: np.ndarray
    before: np.ndarray
    after: np.ndarray
    moved: np.ndarray
    log_scale: np.ndarray | None = None
    shift: np.ndarray | None = None


def coupling(model: DensityModel, dataset: Dataset, layer: int = 1, n: int = 1200) -> CouplingLayer:
    """What one layer (1 is the first after the scaling) does to each feature of many rows."""
    flow = check_flow(model)
    max_rows = int(np.clip(MAX_NUMBERS // dataset.n_features, 100, 5000))
    rows = display_rows(dataset, int(np.clip(n, 2, max_rows)), 0)
    path = flow.transform_path(dataset.X[rows])
    layer = check_layer(layer, len(path) - 1)
    moved = np.abs(np.diff(path, axis=0)).max(axis=1) > 1e-9
    readout = flow.layer_readout(dataset.X[rows]) or ()
    return CouplingLayer(rows, path[layer - 1], path[layer], moved, *(part[layer - 1] for part in readout))


@dataclass(frozen=True, eq=False)
class Jacobian:
    """Jacobian of one layer, or of a whole flow, at a row, in the flow's scaled units.

    Attributes
    ----------
    matrix : (n_features, n_features) d after_i / d before_j
    log_det : of `matrix`, in nats
    reported : the same as the layer (or all layers together) reports it, in nats
    form : in the orders `form.after` of its rows and `form.before` of its columns `matrix` is lower triangular
    log_diagonal : (n_features,) nats, logarithms of the diagonal's sizes in that order, whose sum is `log_det`; empty
        where it is triangular in none
    above : largest size above the diagonal in that order: 0 where the layer has the form it states
    """

    matrix: np.ndarray
    log_det: float
    reported: float
    form: LayerForm
    log_diagonal: np.ndarray
    above: float


def jacobian(model: DensityModel, dataset: Dataset, row: tuple[float, ...] | int = 0, layer: int = 1) -> Jacobian:
    """Jacobian of one layer (1 the first), or of the whole flow (0), at a row, exact, in the flow's scaled units.

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
    return Jacobian(
        matrix,
        float(np.linalg.slogdet(matrix)[1]),
        float(log_dets[layer - 1] if layer else log_dets.sum()),
        form,
        np.log(np.maximum(np.diag(sizes), TINY)),
        float(np.triu(sizes, 1).max(initial=0.0)),
    )


@dataclass(frozen=True, eq=False)
class Masks:
    """Which columns the layers of a flow transform, and what one of them lets through.

    Attributes
    ----------
    transformed : (n_layers, n_features) bool, by architecture, or measured on rows where the model does not state it
    never : (n_never,) columns with spread that no layer transforms: their marginal remains the base density's, a normal
    made : the masks of the layer's MADE; None where it has none
    """

    transformed: np.ndarray
    never: np.ndarray
    made: MadeMasks | None = None


def masks(model: DensityModel, dataset: Dataset, layer: int = 1, mask: str = "") -> Masks:
    """Which columns the layers transform, which never change, and what a masked autoregressive layer lets through.

    Parameters
    ----------
    layer : whose MADE masks are given, 1 the first, where it has some
    mask : with a coupling flow, show `transformed` as this mask would have it, without training
    """
    flow = check_flow(model)
    if not flow.states_masks:
        if mask:
            raise ValueError(f"mask must be empty: the layers of {type(flow).__name__} have no masks to edit")
        moved = coupling(flow, dataset, layer).moved
        return Masks(moved, np.flatnonzero(varies(dataset.X) & ~moved.any(axis=0)))
    edited = mask or None
    return Masks(flow.transformed_columns(edited), flow.untransformed_columns(edited), flow.made_masks(layer))
