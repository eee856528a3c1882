"""Draws from a model beside data rows, and the model's distance to the exact density."""

from __future__ import annotations

import numpy as np

from flowlab.datasets.dataset import Dataset
from flowlab.models.base import DensityModel, FlowModel
from flowlab.views.context import ALL_LEVELS, check_level, is_conditioned
from flowlab.views.projection import display_rows, stage

Arrays = dict[str, np.ndarray]
GAP_DRAWS = 20_000
GAP_DRAWS_OF_SLOW_MODELS = 5_000
"""Models that are not flows may compare every draw with every training row."""


def samples(
    model: DensityModel,
    dataset: Dataset,
    n: int = 2000,
    seed: int = 0,
    temperature: float = 1.0,
    nearest: int = -1,
    level: int = ALL_LEVELS,
) -> Arrays:
    """Draws from the model beside data rows; of one level of the context only, where a model is conditioned on it.

    Returns
    -------
    samples : (n, n_features) in data units; log_density : (n,) the model's score of each
    points : (n, 2) where they stand on the stage; data : (m, 2) data rows on the stage, m <= n
    nearest_row, nearest_distance : the training row closest to sample number `nearest` (0 or more), and how far it
        is, in standard deviations of the columns
    """
    if not model.can_sample:
        raise ValueError(f"{type(model).__name__} cannot draw samples")
    n, level = int(np.clip(n, 1, 20_000)), check_level(dataset, level)
    how = {"random_state": int(seed), "temperature": float(temperature)}
    beside = display_rows(dataset, n, 0)
    if level != ALL_LEVELS and is_conditioned(model, dataset):
        if level not in model.levels_:
            raise ValueError(f"No training row was of {dataset.levels[level]}, so none can be drawn; choose another.")
        drawn = model.sample_given(level, n, **how)
        beside = beside[dataset.X[beside, dataset.context] == level]
    else:
        drawn = model.sample(n, **how)
    shown = stage(dataset)
    out = {
        "samples": drawn,
        "points": shown.project(drawn),
        "data": shown.project(dataset.X[beside]),
        "log_density": model.score_samples(drawn),
    }
    if nearest >= 0:
        if nearest >= n:
            raise ValueError(f"nearest must be below the number of samples, {n}, not {nearest}")
        rows = dataset.rows("train")
        scale = dataset.X[rows].std(axis=0)
        scale[scale == 0] = 1.0
        square = np.sum(((dataset.X[rows] - drawn[nearest]) / scale) ** 2, axis=1)
        out["nearest_row"] = np.array(rows[np.argmin(square)])
        out["nearest_distance"] = np.sqrt(square.min())
    return out


def gap(model: DensityModel, dataset: Dataset, n: int = 0, seed: int = 1) -> Arrays:
    """Nats above the truth: the Kullback-Leibler divergence of the model from the exact density, with its error.

    The mean over fresh draws x of log p(x) - log q(x). Draws are paired, so the error is that of the difference and
    far below that of either mean.

    Returns
    -------
    gap, gap_error : () nats and the standard error; n : () number of draws
    """
    density = dataset.truth_for(model)
    if density is None:
        raise ValueError("the distance to the truth needs a toy density and a model that gives log-densities of it")
    n = n or (GAP_DRAWS if isinstance(model, FlowModel) else GAP_DRAWS_OF_SLOW_MODELS)
    X = density.sample(n, np.random.default_rng([int(seed), 0x6A9]))
    difference = density.log_density(X) - model.score_samples(X)
    return {
        "gap": np.array(difference.mean()),
        "gap_error": np.array(difference.std() / np.sqrt(n)),
        "n": np.array(n),
    }
