"""What a model makes of points that people place in the plane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flowlab.datasets.dataset import Dataset, Part
from flowlab.models.base import DensityModel
from flowlab.views.context import judged, log_density_at


@dataclass(frozen=True, eq=False)
class Guesses:
    """Points and how normal a model finds them.

    Attributes
    ----------
    points : (m, 2) in data units
    log_density : (m,) in nats
    share_below : (m,) share of the held-out rows that the model finds less probable than the point, 0 to 1
    """

    points: np.ndarray
    log_density: np.ndarray
    share_below: np.ndarray


def guesses(model: DensityModel, dataset: Dataset, points: tuple[tuple[float, float], ...]) -> Guesses:
    """How normal a model of the plane finds points, beside the normal rows that it was not fitted to."""
    at = np.array(points, float).reshape(-1, 2)
    held_out = dataset.rows(Part.TEST)
    if dataset.y is not None:
        held_out = held_out[dataset.y[held_out] == 0]
    of_rows = np.sort(log_density_at(model, dataset, dataset.X[np.ix_(held_out, judged(model, dataset))]))
    log_density = log_density_at(model, dataset, at)
    return Guesses(at, log_density, np.searchsorted(of_rows, log_density) / max(len(of_rows), 1))
