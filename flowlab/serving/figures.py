"""Figures of a trained model in one call, for notebooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowlab import views
from flowlab.datasets.dataset import Dataset
from flowlab.models.base import DensityModel
from flowlab.plots.density import density_panels
from flowlab.serving.film import dataset_of
from flowlab.toys.base import ToyDensity

if TYPE_CHECKING:
    import plotly.graph_objects as go


def density_figure(model: DensityModel, data: Dataset | ToyDensity | Any, dark: bool = False) -> go.Figure:
    """The learned density over one or two columns; where the exact one is known, beside it and their difference.

    `data` is what the model was fitted to, as `film` takes it: it gives the window, and the exact density.

    ValueError, one sentence, for what is no density or has more columns.
    """
    dataset = dataset_of(data)
    return density_panels(views.density_grid(model, dataset), dark=dark, axes=views.stage(dataset).axes)
