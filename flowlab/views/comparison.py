"""Training and scoring time, trivial detectors and two-sample tests, for comparing models."""

from __future__ import annotations

import time

import numpy as np

from flowlab.datasets.dataset import Dataset
from flowlab.evaluation.two_sample import two_sample_tests
from flowlab.models.base import DensityModel
from flowlab.models.classical.scorers import PCAResidual
from flowlab.models.classical.trivial import BestSingleColumn, LargestZ, RandomScore, SumOfSquares

ROUND = 50
"""Steps are rounded down to multiples of this, so that repeated measurements on one machine often agree."""


def steps_within(model: DensityModel, dataset: Dataset, seconds: float) -> dict[str, np.ndarray]:
    """Training steps that fit into `seconds` on this machine; the model may be unfitted.

    Returns
    -------
    n_steps : () a multiple of 50, at least 50
    """
    steps = model.steps_within(seconds, dataset.fitting_rows())
    return {"n_steps": np.asarray(max(ROUND, steps // ROUND * ROUND))}


Arrays = dict[str, np.ndarray]

TIMED_ROWS = 2000
"""At most so many rows are scored when scoring is timed."""


def cost(model: DensityModel, dataset: Dataset) -> Arrays:
    """Time to score rows, and the size of a model.

    Returns
    -------
    score_seconds : () per 1,000 rows, the faster of two runs
    n_parameters : () number of learned parameters
    """
    X = dataset.X[:TIMED_ROWS]
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        model.score_samples(X)
        seconds.append(time.perf_counter() - start)
    return {"score_seconds": np.array(min(seconds) * 1000 / len(X)), "n_parameters": np.array(model.n_parameters())}


def trivial_rivals(model: DensityModel, dataset: Dataset) -> Arrays:
    """Anomaly scores of all rows by trivial detectors fitted to the training rows; the model is not used.

    Returns
    -------
    name : (m,) text
    anomaly_score : (m, n_rows) higher is more anomalous
    fit_seconds : (m,)
    score_seconds : (m,) per 1,000 rows; nan for the single column, which is chosen with the labels of the test rows
    """
    rivals = [("largest |z|", LargestZ()), ("sum of z²", SumOfSquares()), ("random score", RandomScore())]
    if dataset.n_features > 1:
        rivals.insert(2, ("PCA residual", PCAResidual()))
    names, anomaly_scores, fit_seconds, score_seconds = [], [], [], []
    X = dataset.part("train")
    for name, rival in rivals:
        start = time.perf_counter()
        rival.fit(X)
        fit_seconds.append(time.perf_counter() - start)
        start = time.perf_counter()
        anomaly_scores.append(rival.anomaly_score(dataset.X))
        score_seconds.append((time.perf_counter() - start) * 1000 / len(dataset))
        names.append(name)
    test_rows = dataset.rows("test")
    if dataset.y is not None and 0 < dataset.y[test_rows].sum() < len(test_rows):
        start = time.perf_counter()
        detector = BestSingleColumn().fit(dataset.X[test_rows], dataset.y[test_rows])
        fit_seconds.append(time.perf_counter() - start)
        anomaly_scores.append(detector.anomaly_score(dataset.X))
        score_seconds.append(np.nan)
        names.append(f"column {dataset.columns[detector.column_]} alone (hindsight)")
    return {
        "name": np.array(names),
        "anomaly_score": np.stack(anomaly_scores),
        "fit_seconds": np.array(fit_seconds),
        "score_seconds": np.array(score_seconds),
    }


def two_samples(model: DensityModel, dataset: Dataset, first: str = "test", second: str = "samples") -> Arrays:
    """Two-sample tests between two of "train", "validation", "test" and "samples" of the model.

    Returns
    -------
    name, effect_name : (4,) text
    effect, p_value : (4,)
    column_distance : (n_features,) Kolmogorov-Smirnov distance of each column

    Raises
    ------
    ValueError
        If `first` or `second` is none of the four.
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
