"""Reconstructions of an autoencoder: errors, displacements and the manifold of decoded codes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flowlab.datasets.dataset import Dataset, Part
from flowlab.models.autoencoders.variational import VariationalAutoencoder
from flowlab.models.base import DensityModel, FlowModel, LatentModel
from flowlab.views.density import grid_points
from flowlab.views.projection import Window, display_rows, stage

FIELD = 18
"""Arrows per side of the vector field."""


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """How well an autoencoder reconstructs each row of a data set.

    Attributes
    ----------
    error : (n_rows,) in squared standard deviations
    kl : (n_rows,) of the posterior from the prior in nats, for a variational autoencoder; else None
    """

    error: np.ndarray
    kl: np.ndarray | None


def reconstruction(model: DensityModel, dataset: Dataset) -> Reconstruction:
    """Reconstruction error of every row, and the rate of a variational autoencoder.

    Raises
    ------
    ValueError
        If the model is not an autoencoder.
    """
    if not isinstance(model, LatentModel) or isinstance(model, FlowModel):
        raise ValueError(f"{type(model).__name__} does not reconstruct rows through a code")
    kl = model.kl(dataset.X) if isinstance(model, VariationalAutoencoder) else None
    return Reconstruction(model.reconstruction_error(dataset.X), kl)


@dataclass(frozen=True, eq=False)
class ReconstructionMap:
    """Reconstruction errors over a window of the plane.

    Attributes
    ----------
    window : x0, x1, y0, y1 in data units
    x, y : (n,) centres of the grid's cells
    error : (n, n) squared standard deviations, row 0 lowest
    tail, tip : (k, 2) arrows from points to their reconstructions
    manifold : (m, 2) decoded codes, one line for a code of one number, nan between the lines of more
    mean, spread : (r, 2) codes of display rows and their posterior standard deviations, for a variational
        autoencoder with two units; else None
    """

    window: Window
    x: np.ndarray
    y: np.ndarray
    error: np.ndarray
    tail: np.ndarray
    tip: np.ndarray
    manifold: np.ndarray
    mean: np.ndarray | None = None
    spread: np.ndarray | None = None


def reconstruction_map(
    model: DensityModel, dataset: Dataset, n: int = 90, window: Window | None = None
) -> ReconstructionMap:
    """Reconstruction error, displacement arrows and the decoder's manifold, for data of two features.

    Raises
    ------
    ValueError
        If the model is not an autoencoder, or the data not of two features.
    """
    if dataset.n_features != 2 or not isinstance(model, LatentModel) or isinstance(model, FlowModel):
        raise ValueError("a map of reconstructions needs an autoencoder and data of two features")
    x0, x1, y0, y1 = (float(v) for v in (window or stage(dataset).window))
    window = x0, x1, y0, y1
    points, _ = grid_points(window, int(np.clip(n, 16, 200)), 2)
    n = round(len(points) ** 0.5)
    tail, _ = grid_points(window, FIELD, 2)
    mean = spread = None
    if isinstance(model, VariationalAutoencoder) and model.n_latent == 2:
        mean, spread = model.posterior(dataset.X[display_rows(dataset, 150, 40)])
    return ReconstructionMap(
        window=window,
        x=points[:n, 0].copy(),
        y=points[::n, 1].copy(),
        error=model.reconstruction_error(points).reshape(n, n),
        tail=tail,
        tip=model.reconstruct(tail),
        manifold=_manifold(model, dataset),
        mean=mean,
        spread=spread,
    )


def _manifold(model: LatentModel, dataset: Dataset) -> np.ndarray:
    """Decoded codes over the range the training rows use: a line, or for two units a net of lines."""
    codes = model.transform(dataset.part(Part.TRAIN)[:5000])
    low, high = np.quantile(codes, [0.005, 0.995], axis=0)
    steps = np.linspace(0, 1, 121)[:, None]
    center = np.median(codes, axis=0)
    if codes.shape[1] == 1:
        return model.inverse_transform(low + steps * (high - low))
    lines = []
    for axis, other in ((0, 1), (1, 0)):
        for share in np.linspace(0, 1, 9):
            line = np.tile(center, (len(steps), 1))
            line[:, axis] = low[axis] + steps[:, 0] * (high[axis] - low[axis])
            line[:, other] = low[other] + share * (high[other] - low[other])
            lines += [model.inverse_transform(line), np.full((1, 2), np.nan)]
    return np.concatenate(lines)
