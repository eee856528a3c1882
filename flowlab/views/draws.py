"""Arrays about draws: samples, latent points, margins of data against samples, the distance to the truth."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from flowlab.datasets.dataset import Dataset
from flowlab.models.base import DensityModel, FlowModel, LatentModel
from flowlab.views.context import ALL_LEVELS, check_level, is_conditioned, judged, latent
from flowlab.views.staging import MAX_ANOMALIES, display_rows, stage

Arrays = dict[str, np.ndarray]

LAST = -1
"""In place of a layer's number: the last, whose points are the latent ones."""
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


def rows(model: DensityModel, dataset: Dataset, n: int = 1500, layer: int = LAST) -> Arrays:
    """Rows on the stage with their scores and, where there is a latent space, their latent points.

    `layer` of a flow takes the points after that layer (0 before the first, in scaled units) in place of the last.

    Returns
    -------
    n_layers : () of a flow
    rows : (m,) row numbers; labels : (m,); points : (m, 2) on the stage
    anomaly_score : (m,) higher is more anomalous
    latent : (m, n_latent); norm : (m,) length of each latent vector
    expected : (q,) quantiles of the standard normal; quantiles : (q, n_latent) of the latent margins
    """
    shown = display_rows(dataset, int(np.clip(n, 2, 20_000)), MAX_ANOMALIES)
    X = dataset.X[shown]
    out = {
        "rows": shown,
        "labels": np.zeros(len(shown), np.uint8) if dataset.y is None else (dataset.y[shown] == 1).astype(np.uint8),
        "points": stage(dataset).project(X),
        "anomaly_score": model.anomaly_score(X),
    }
    if isinstance(model, FlowModel):
        out["n_layers"] = np.array(len(model.log_det_path(X[:1])))
    if isinstance(model, LatentModel):
        Z = latent(model, dataset, X) if layer == LAST else _after_layer(model, dataset, X, layer)
        shares = (np.arange(99) + 1) / 100
        out |= {
            "latent": Z,
            "norm": np.linalg.norm(Z, axis=1),
            "expected": ndtri(shares),
            "quantiles": np.quantile(Z, shares, axis=0),
        }
    return out


def _after_layer(model: LatentModel, dataset: Dataset, X: np.ndarray, layer: int) -> np.ndarray:
    if not isinstance(model, FlowModel):
        raise ValueError(f"{type(model).__name__} has no layers to look into; choose a flow")
    path = model.transform_path(X)
    if not 0 <= layer < len(path):
        raise ValueError(f"layer must be a whole number from 0 to {len(path) - 1}, not {layer!r}")
    return path[layer][:, judged(model, dataset)]


def margins(model: DensityModel, dataset: Dataset, n: int = 4000, seed: int = 0, n_bins: int = 48) -> Arrays:
    """Histograms and quantiles of every column, data against samples.

    Returns
    -------
    edges : (n_features, n_bins + 1); data, samples : (n_features, n_bins) densities per unit of the column
    data_quantiles, sample_quantiles : (99, n_features); distance : (n_features,) largest difference of the two
        distribution functions (Kolmogorov-Smirnov)
    """
    if not model.can_sample:
        raise ValueError(f"{type(model).__name__} cannot draw samples")
    X = dataset.X[display_rows(dataset, n, 0)]
    drawn = model.sample(int(n), random_state=int(seed))
    shares = (np.arange(99) + 1) / 100
    d = dataset.n_features
    edges = np.empty((d, n_bins + 1))
    densities = np.empty((2, d, n_bins))
    distance = np.empty(d)
    for j in range(d):
        low, high = np.quantile(X[:, j], [0.002, 0.998])
        margin = 0.1 * (high - low) or 0.5
        edges[j] = np.linspace(low - margin, high + margin, n_bins + 1)
        for k, values in enumerate((X[:, j], drawn[:, j])):
            densities[k, j] = np.histogram(values, edges[j])[0] / (len(values) * np.diff(edges[j]))
        distance[j] = kolmogorov_distance(X[:, j], drawn[:, j])
    return {
        "edges": edges,
        "data": densities[0],
        "samples": densities[1],
        "data_quantiles": np.quantile(X, shares, axis=0),
        "sample_quantiles": np.quantile(drawn, shares, axis=0),
        "distance": distance,
    }


def kolmogorov_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Largest distance between the empirical distribution functions of two samples."""
    both = np.concatenate([a, b])
    below = (np.searchsorted(np.sort(sample), both, side="right") / len(sample) for sample in (a, b))
    first, second = below
    return float(np.abs(first - second).max())


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
