"""Models conditioned on a context: the columns they score, densities given a level or over all levels, latent axes."""

from __future__ import annotations

import numpy as np

from flowlab.datasets.dataset import Dataset
from flowlab.models.base import DensityModel, FlowModel, LatentModel

ALL_LEVELS = -1
"""In place of a level's number: the levels mixed in their training shares."""


def is_conditioned(model: DensityModel | type[DensityModel], dataset: Dataset) -> bool:
    """Whether the model (or class of models) is conditioned on the data's context; others read it as a number."""
    return dataset.context is not None and model.can_condition


def judged(model: DensityModel | type[DensityModel], dataset: Dataset) -> np.ndarray:
    """Numbers (n_judged,) of the columns whose joint score the model gives: all, or all but the context."""
    return dataset.judged if is_conditioned(model, dataset) else np.arange(dataset.n_features)


def is_planar(model: DensityModel | type[DensityModel], dataset: Dataset) -> bool:
    """Whether the whole density can be drawn: as a picture over two columns, or as a curve over one."""
    return len(judged(model, dataset)) <= 2


def check_level(dataset: Dataset, level: int) -> int:
    """A level's number, or ALL_LEVELS; ValueError otherwise. Without a context there are no levels to choose from."""
    if dataset.context is None:
        return ALL_LEVELS
    if not ALL_LEVELS <= level < len(dataset.levels):
        raise ValueError(f"level must be from 0 to {len(dataset.levels) - 1}, or {ALL_LEVELS} for all, not {level!r}")
    return int(level)


def whole_rows(dataset: Dataset, points: np.ndarray, level: int) -> np.ndarray:
    """Rows (n, n_features) of points (n, n_judged) over the judged columns, all at one level (0 for ALL_LEVELS)."""
    rows = np.full((len(points), dataset.n_features), float(max(level, 0)))
    rows[:, dataset.judged] = points
    return rows


def log_density_at(model: DensityModel, dataset: Dataset, points: np.ndarray, level: int = ALL_LEVELS) -> np.ndarray:
    """Log-density in nats (n,) at points (n, n_judged) over the judged columns: given a level, or mixed over all."""
    if not is_conditioned(model, dataset):
        return model.score_samples(points)
    rows = whole_rows(dataset, points, level)
    return model.marginal_log_density(rows) if level == ALL_LEVELS else model.score_samples(rows)


def latent(model: LatentModel, dataset: Dataset, X: np.ndarray) -> np.ndarray:
    """Latent points (n, n_latent) of rows; those of a conditioned flow without the coordinate of the context."""
    Z = model.transform(X)
    return Z[:, dataset.judged] if isinstance(model, FlowModel) and is_conditioned(model, dataset) else Z


def decoded(model: LatentModel, dataset: Dataset, Z: np.ndarray, level: np.ndarray | float = 0) -> np.ndarray:
    """Rows (n, n_features) of latent points as `latent` gives them, at levels (n,) or one level."""
    if isinstance(model, FlowModel) and is_conditioned(model, dataset):
        full = np.empty((len(Z), dataset.n_features))
        full[:, dataset.judged] = Z
        full[:, dataset.context] = np.searchsorted(model.levels_, level).clip(max=len(model.levels_) - 1)
        Z = full
    return model.inverse_transform(Z)


def check_flow(model: DensityModel) -> FlowModel:
    """The model, if it has layers; ValueError otherwise."""
    if not isinstance(model, FlowModel):
        raise ValueError(f"{type(model).__name__} has no layers to look into; choose a flow")
    return model
