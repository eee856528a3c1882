"""The film of a training: small pictures of the model as it trains, and the arrays kept when it has ended."""

from __future__ import annotations

import numpy as np

from flowlab.datasets.dataset import DIVISION, Dataset
from flowlab.evaluation.known_gap import gap
from flowlab.models.base import DensityModel, LatentModel
from flowlab.views.context import is_planar, judged, latent, log_density_at
from flowlab.views.density import grid_points
from flowlab.views.projection import Stage, rug, stage

Arrays = dict[str, np.ndarray]

FRAME_GRID = 64
FRAME_SAMPLES = 600
FRAME_SEED = 20_24
"""The base noise of the samples is the same in every frame, so that points travel from frame to frame."""

FLOAT16_MAX = 6e4


def frame(model: DensityModel, dataset: Dataset) -> Arrays:
    """One frame of the film, 10 kB or less.

    Returns
    -------
    window : (4,) x0, x1, y0, y1
    density : (64, 64) uint8, row 0 lowest, 255 at `density_max` (per unit area); for one feature the area under the
        curve is filled; only for models that are densities over one or two columns; the levels of a context, which
        does not count, are mixed
    latent : (m, 2) float16 latent points of `stage(dataset).rows`; only for models with a latent space
    samples : (600, 2) float16 on the stage; only for models that can sample
    """
    plane = stage(dataset)
    arrays: Arrays = {"window": np.array(plane.window, np.float64)}
    if model.is_density and is_planar(model, dataset):
        arrays |= _density(model, dataset, plane)
    if isinstance(model, LatentModel):
        arrays["latent"] = _half(two_columns(latent(model, dataset, dataset.X[plane.rows])))
    if model.can_sample:
        arrays["samples"] = _half(plane.project(model.sample(FRAME_SAMPLES, random_state=FRAME_SEED)))
    return arrays


def final(model: DensityModel, dataset: Dataset) -> Arrays:
    """The arrays from which pages draw a finished run without evaluating the model again.

    Returns
    -------
    anomaly_score : (n_rows,) float64 of every row, higher is more anomalous
    loss_train, loss_validation, loss_test : () mean negative score of each part, nan where it has no rows
    gap, gap_error : () nats above the truth and its standard error, where the exact density is known
    frame.* : the last frame
    """
    anomaly_score = np.asarray(model.anomaly_score(dataset.X), np.float64)
    arrays: Arrays = {"anomaly_score": anomaly_score}
    for part in DIVISION:
        rows = dataset.rows(part)
        arrays[f"loss_{part}"] = np.array(anomaly_score[rows].mean() if len(rows) else np.nan)
    if dataset.truth_for(model) is not None:
        divergence = gap(model, dataset)
        arrays |= {"gap": np.array(divergence.nats), "gap_error": np.array(divergence.error)}
    return arrays | {f"frame.{key}": value for key, value in frame(model, dataset).items()}


def _density(model: DensityModel, dataset: Dataset, plane: Stage) -> Arrays:
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
    return {"density": image.astype(np.uint8), "density_max": np.array(highest)}


def two_columns(Z: np.ndarray, axes: tuple[int, int] = (0, 1)) -> np.ndarray:
    """Two coordinates (m, 2) of latent points; a single one is spread over an arbitrary second coordinate."""
    if Z.shape[1] > 1:
        return Z[:, list(axes)]
    return np.column_stack([Z[:, 0], rug(len(Z)) - 0.5])


def _half(points: np.ndarray) -> np.ndarray:
    return np.clip(np.nan_to_num(points), -FLOAT16_MAX, FLOAT16_MAX).astype(np.float16)
