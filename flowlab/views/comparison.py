"""What models cost, one-line rivals, and two-sample tests, for comparing models."""

from __future__ import annotations

import time

import numpy as np

from flowlab.datasets.dataset import Dataset
from flowlab.evaluation.two_sample import two_sample_tests
from flowlab.models.base import DensityModel
from flowlab.models.classical.scorers import PCAResidual
from flowlab.models.classical.trivial import BestSingleColumn, LargestZ, RandomScore, SumOfSquares

ROUND = 50
"""Steps are given in multiples of this, so that two measurements of one machine often agree."""


def steps_within(model: DensityModel, dataset: Dataset, seconds: float) -> dict[str, np.ndarray]:
    """n_steps: training steps that fit into `seconds` here, in multiples of 50; the model may be unfitted."""
    steps = model.steps_within(seconds, dataset.fitting_rows())
    return {"n_steps": np.asarray(max(ROUND, steps // ROUND * ROUND))}


Arrays = dict[str, np.ndarray]

TIMED_ROWS = 2000


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
