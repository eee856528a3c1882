"""Arrays for comparing models: what scoring costs, one-line rivals, reconstructions, maps, the trust badge."""

from __future__ import annotations

import time

import numpy as np

from flowlab.datasets.dataset import Dataset
from flowlab.evaluation.trust import audit
from flowlab.evaluation.two_sample import two_sample_tests
from flowlab.models.autoencoders.variational import VariationalAutoencoder
from flowlab.models.base import DensityModel, FlowModel, LatentModel
from flowlab.models.classical.scorers import PCAResidual
from flowlab.models.classical.trivial import BestSingleColumn, LargestZ, RandomScore, SumOfSquares
from flowlab.views.density import grid_points
from flowlab.views.staging import Window, display_rows, stage

Arrays = dict[str, np.ndarray]

TIMED_ROWS = 2000
FIELD = 18
"""Arrows per side of the vector field."""


def cost(model: DensityModel, dataset: Dataset) -> Arrays:
    """Seconds to score 1,000 rows (the faster of two runs), and how many numbers the model learned."""
    X = dataset.X[:TIMED_ROWS]
    seconds = []
    for _ in range(2):
        began = time.perf_counter()
        model.score_samples(X)
        seconds.append(time.perf_counter() - began)
    return {"score_seconds": np.array(min(seconds) * 1000 / len(X)), "n_parameters": np.array(model.n_parameters())}


def trivial_rivals(model: DensityModel, dataset: Dataset) -> Arrays:
    """One-line detectors fitted to the training rows, scoring all rows. The model is not asked.

    Returns
    -------
    name : (m,) text; anomaly_score : (m, n_rows); fit_seconds, score_seconds : (m,), the latter per 1,000 rows
    """
    rivals = [("largest |z|", LargestZ()), ("sum of z²", SumOfSquares()), ("random score", RandomScore())]
    if dataset.n_features > 1:
        rivals.insert(2, ("PCA residual", PCAResidual()))
    names, scores, fits, times = [], [], [], []
    X = dataset.part("train")
    for name, rival in rivals:
        began = time.perf_counter()
        rival.fit(X)
        fits.append(time.perf_counter() - began)
        began = time.perf_counter()
        scores.append(rival.anomaly_score(dataset.X))
        times.append((time.perf_counter() - began) * 1000 / len(dataset))
        names.append(name)
    tested = dataset.rows("test")
    if dataset.y is not None and 0 < dataset.y[tested].sum() < len(tested):
        began = time.perf_counter()
        column = BestSingleColumn().fit(dataset.X[tested], dataset.y[tested])
        fits.append(time.perf_counter() - began)
        scores.append(column.anomaly_score(dataset.X))
        times.append(np.nan)
        names.append(f"column {dataset.columns[column.column_]} alone (hindsight)")
    return {
        "name": np.array(names),
        "anomaly_score": np.stack(scores),
        "fit_seconds": np.array(fits),
        "score_seconds": np.array(times),
    }


def reconstruction(model: DensityModel, dataset: Dataset) -> Arrays:
    """Reconstruction error of every row in squared standard deviations, (n_rows,); of a VAE also its other scores."""
    if not isinstance(model, LatentModel) or isinstance(model, FlowModel):
        raise ValueError(f"{type(model).__name__} does not reconstruct rows through a code")
    out = {"error": model.reconstruction_error(dataset.X)}
    if isinstance(model, VariationalAutoencoder):
        out |= {name: score for name, score in model.score_parts(dataset.X).items() if name != "reconstruction"}
    return out


def reconstruction_map(model: DensityModel, dataset: Dataset, n: int = 90, window: Window | None = None) -> Arrays:
    """For data of two features: where an autoencoder errs, whither it pulls, and what it can say.

    Returns
    -------
    window : (4,); x, y : (n,); error : (n, n) squared standard deviations, row 0 lowest
    tail, tip : (k, 2) arrows from points to their reconstructions
    manifold : (m, 2) decoded codes, one line for a code of one number, nan between the lines of a wider one
    mean, spread : (r, 2) codes of display rows and their posterior standard deviations, for a VAE with two units
    """
    if dataset.n_features != 2 or not isinstance(model, LatentModel) or isinstance(model, FlowModel):
        raise ValueError("a map of reconstructions needs an autoencoder and data of two features")
    window = tuple(float(v) for v in (window or stage(dataset).window))
    points, _ = grid_points(window, int(np.clip(n, 16, 200)), 2)
    n = round(len(points) ** 0.5)
    tail, _ = grid_points(window, FIELD, 2)
    out = {
        "window": np.array(window),
        "x": points[:n, 0].copy(),
        "y": points[::n, 1].copy(),
        "error": model.reconstruction_error(points).reshape(n, n),
        "tail": tail,
        "tip": model.reconstruct(tail),
        "manifold": _manifold(model, dataset),
    }
    if isinstance(model, VariationalAutoencoder) and model.n_latent == 2:
        rows = display_rows(dataset, 150, 40)
        out["mean"], out["spread"] = model.posterior(dataset.X[rows])
    return out


def trust(model: DensityModel, dataset: Dataset, seed: int = 0) -> Arrays:
    """The findings of `diagnostics.audit` as columns: name, value, unit, level, sentence, each (k,)."""
    findings = audit(model, dataset, seed)
    return {
        field: np.array([getattr(finding, field) for finding in findings])
        for field in ("name", "value", "unit", "level", "sentence")
    }


def two_samples(model: DensityModel, dataset: Dataset, first: str = "test", second: str = "samples") -> Arrays:
    """Two-sample tests between two of "train", "validation", "test" and "samples" of the model.

    Returns
    -------
    name, effect_name : (4,) text; effect, p_value : (4,); column_distance : (n_features,) KS distance per column
    """
    tables = []
    for part in (first, second):
        if part == "samples":
            tables.append(model.sample(3000, random_state=1))
        elif part in ("train", "validation", "test"):
            tables.append(dataset.part(part))
        else:
            raise ValueError(f"a table must be train, validation, test or samples, not {part!r}")
    tests = two_sample_tests(*tables)
    return {
        "name": np.array([test.name for test in tests]),
        "effect": np.array([test.effect for test in tests]),
        "effect_name": np.array([test.effect_name for test in tests]),
        "p_value": np.array([test.p_value for test in tests]),
        "column_distance": tests[0].per_axis,
    }


def _manifold(model: LatentModel, dataset: Dataset) -> np.ndarray:
    """Decoded codes over the range the training rows use: a line, or for two units a net of lines."""
    codes = model.transform(dataset.part("train")[:5000])
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
