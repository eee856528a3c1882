"""The film of a training: small pictures of the model as it trains, and the arrays kept when it has ended."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flowlab.datasets.dataset import Dataset
from flowlab.evaluation.known_gap import gap
from flowlab.models.base import DensityModel, LatentModel
from flowlab.views.context import is_planar, judged, latent, log_density_at
from flowlab.views.density import grid_points
from flowlab.views.projection import Stage, rug, stage

FRAME_GRID = 64
FRAME_SAMPLES = 600
FRAME_SEED = 20_24
"""The base noise of the samples is the same in every frame, so that points travel from frame to frame."""

FLOAT16_MAX = 6e4


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame of the film, 10 kB or less; stored with the run, by these names.

    Attributes
    ----------
    window : (4,) x0, x1, y0, y1
    density : (64, 64) uint8, row 0 lowest, 255 at `density_max` (per unit area); for one feature the area under the
        curve is filled; only of models that are densities over one or two columns; the levels of a context, which
        does not count, are mixed
    latent : (m, 2) float16 latent points of `stage(dataset).rows`; only of models with a latent space
    samples : (600, 2) float16 on the stage; only of models that can sample
    """

    window: np.ndarray
    density: np.ndarray | None = None
    density_max: float | None = None
    latent: np.ndarray | None = None
    samples: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Final:
    """What pages draw of a finished run without evaluating the model again; stored with it, by these names.

    Attributes
    ----------
    anomaly_score : (n_rows,) float64 of every row, higher is more anomalous
    gap, gap_error : nats above the truth and its standard error, where the exact density is known
    frame : the last frame
    """

    anomaly_score: np.ndarray
    frame: Frame
    gap: float | None = None
    gap_error: float | None = None


def frame(model: DensityModel, dataset: Dataset) -> Frame:
    """One frame of the film."""
    plane = stage(dataset)
    density = density_max = points = samples = None
    if model.is_density and is_planar(model, dataset):
        density, density_max = _density(model, dataset, plane)
    if isinstance(model, LatentModel):
        points = _half(two_columns(latent(model, dataset, dataset.X[plane.rows])))
    if model.can_sample:
        samples = _half(plane.project(model.sample(FRAME_SAMPLES, random_state=FRAME_SEED)))
    return Frame(np.array(plane.window, np.float64), density, density_max, points, samples)


def final(model: DensityModel, dataset: Dataset) -> Final:
    """What is kept of a model whose training has ended."""
    anomaly_score = np.asarray(model.anomaly_score(dataset.X), np.float64)
    known = None if dataset.truth_for(model) is None else gap(model, dataset)
    nats, error = (None, None) if known is None else (known.nats, known.error)
    return Final(anomaly_score, frame(model, dataset), nats, error)


def _density(model: DensityModel, dataset: Dataset, plane: Stage) -> tuple[np.ndarray, float]:
    n_columns = len(judged(model, dataset))
    points, _ = grid_points(plane.window, FRAME_GRID, n_columns)
    density = np.exp(np.minimum(np.nan_to_num(log_density_at(model, dataset, points), nan=-np.inf), 700))
    highest = max(float(density.max()), 1e-300)
    if n_columns == 1:
        y0, y1 = plane.window[2:]
        heights = y0 + (np.arange(FRAME_GRID) + 0.5) * (y1 - y0) / FRAME_GRID
        image = np.where(heights[:, None] <= density, 160, 0)
    else:
        image = np.round(density.reshape(FRAME_GRID, FRAME_GRID) * (255 / highest))
    return image.astype(np.uint8), highest


def two_columns(Z: np.ndarray, axes: tuple[int, int] = (0, 1)) -> np.ndarray:
    """Two coordinates (m, 2) of latent points; a single one is spread over an arbitrary second coordinate."""
    if Z.shape[1] > 1:
        return Z[:, list(axes)]
    return np.column_stack([Z[:, 0], rug(len(Z)) - 0.5])


def _half(points: np.ndarray) -> np.ndarray:
    return np.clip(np.nan_to_num(points), -FLOAT16_MAX, FLOAT16_MAX).astype(np.float16)
