"""Training and scoring time, trivial detectors and two-sample tests, for comparing models."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from flowlab.datasets.dataset import Dataset, Part
from flowlab.evaluation.comparison import Scored, has_labels, held_out, held_out_labels
from flowlab.evaluation.two_sample import TwoSampleTest, two_sample_tests
from flowlab.models.base import DensityModel
from flowlab.models.classical.scorers import PCAResidual
from flowlab.models.classical.trivial import BestSingleColumn, LargestZ, RandomScore, SumOfSquares

ROUND = 50
"""Steps are rounded down to multiples of this, so that repeated measurements on one machine often agree."""
TIMED_ROWS = 2000
"""At most so many rows are scored when scoring is timed."""


def steps_within(model: DensityModel, dataset: Dataset, seconds: float) -> int:
    """Training steps that fit into `seconds` on this machine, a multiple of 50, at least 50; no fit is needed."""
    return max(ROUND, model.steps_within(seconds, dataset.fitting_rows()) // ROUND * ROUND)


@dataclass(frozen=True, eq=False)
class Cost:
    """Time to score rows, and the size of a model.

    Attributes
    ----------
    score_seconds : per 1,000 rows, the faster of two runs
    n_parameters : number of learned parameters
    """

    score_seconds: float
    n_parameters: int


def cost(model: DensityModel, dataset: Dataset) -> Cost:
    """The Cost of a model, measured on rows of the data set."""
    X = dataset.X[:TIMED_ROWS]
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        model.score_samples(X)
        seconds.append(time.perf_counter() - start)
    return Cost(min(seconds) * 1000 / len(X), int(model.n_parameters()))


def trivial_rivals(model: DensityModel, dataset: Dataset) -> tuple[Scored, ...]:
    """Trivial detectors fitted to the training rows, on the rows that models are compared on; `model` is not used.

    The last, where validation rows have both labels, is the single column that detects best on these; the time it takes
    to score is not measured (nan).
    """
    detectors = {"largest |z|": LargestZ(), "sum of z²": SumOfSquares()}
    if dataset.n_features > 1:
        detectors["PCA residual"] = PCAResidual()
    detectors["random score"] = RandomScore()
    X, compared, y, data = dataset.part(Part.TRAIN), held_out(dataset), held_out_labels(dataset), dataset.digest()
    rivals = []
    for name, detector in detectors.items():
        start = time.perf_counter()
        detector.fit(X)
        fitted = time.perf_counter()
        scores = detector.anomaly_score(dataset.X)
        score_seconds = (time.perf_counter() - fitted) * 1000 / len(dataset)
        rivals.append(
            Scored(
                name, scores[compared], y, data, fit_seconds=fitted - start, score_seconds=score_seconds, trivial=True
            )
        )
    chosen_on = dataset.rows(Part.VALIDATION)
    labels = None if dataset.y is None else dataset.y[chosen_on]
    if has_labels(dataset) and 0 < int((labels == 1).sum()) < len(labels) and not np.isin(chosen_on, compared).any():
        start = time.perf_counter()
        column = BestSingleColumn().fit(dataset.X[chosen_on], labels)
        fit_seconds = time.perf_counter() - start
        name = f"column {dataset.columns[column.column_]} alone (best on validation rows)"
        scores = column.anomaly_score(dataset.X[compared])
        rivals.append(Scored(name, scores, y, data, fit_seconds=fit_seconds, trivial=True))
    return tuple(rivals)


def two_samples(
    model: DensityModel, dataset: Dataset, first: Part = Part.TEST, second: Part | None = None
) -> tuple[TwoSampleTest, ...]:
    """The four two-sample tests between two parts of the data set, or one part and samples of the model (None)."""
    rows = model.sample(3000, random_state=1) if second is None else dataset.part(second)
    return tuple(two_sample_tests(dataset.part(first), rows))
