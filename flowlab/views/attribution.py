"""Attribution of anomaly scores to the user's columns, and counterfactual rows."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from flowlab.datasets.dataset import Dataset, Part
from flowlab.detection.levels import LevelCalibration
from flowlab.explain import Explanation, Reference, Repair, explain, repair, top_sentences
from flowlab.models.base import DensityModel
from flowlab.views.density import check_row


def reasons(model: DensityModel, dataset: Dataset, row: int, n_reasons: int = 20) -> Explanation:
    """Contributions of the user's columns to one row's anomaly score; `similar` are rows of the data set.

    Raises
    ------
    ValueError
        If the data set has no such row.
    """
    explanation = _explain(_judge(model, dataset), dataset, row, n_reasons)
    similar = reference_rows(dataset)[list(explanation.similar)]
    return replace(explanation, similar=tuple(similar.tolist()))


def top_reasons(
    model: DensityModel, dataset: Dataset, rows: tuple[int, ...], n_reasons: int = 3
) -> dict[int, tuple[str, ...]]:
    """By row number: sentences on the columns, at most `n_reasons`, that add most to the anomaly score.

    A value that similar rows have, too, is no reason (`explain.top_sentences`).
    """
    judge = _judge(model, dataset)
    return {row: top_sentences(_explain(judge, dataset, row, n_reasons)) for row in rows}


def repaired(model: DensityModel, dataset: Dataset, row: int, threshold: float) -> Repair:
    """The counterfactual of a row: the smallest set of edits found that brings its anomaly score below the threshold.

    Raises
    ------
    ValueError
        If the data set has no such row.
    """
    row = check_row(dataset, row)
    told = dataset.told_row(row)
    return repair(_judge(model, dataset), dataset.X[row], _reference(dataset), float(threshold), told_row=told)


def _explain(judge: DensityModel | _WithinLevels, dataset: Dataset, row: int, n_reasons: int) -> Explanation:
    row = check_row(dataset, row)
    told = dataset.told_row(row)
    return explain(judge, dataset.X[row], _reference(dataset), n_reasons=n_reasons, told_row=told)


def reference_rows(dataset: Dataset) -> np.ndarray:
    """Numbers of the training rows that rows are compared with: without labelled anomalies if two others are left."""
    rows = dataset.rows(Part.TRAIN)
    if dataset.y is None or (dataset.y[rows] == 0).sum() < 2:
        return rows
    return rows[dataset.y[rows] == 0]


class _WithinLevels:
    """A model whose anomaly scores are calibrated within each level of the context, as those of `ScoredTable` are."""

    def __init__(self, model: DensityModel, calibration: LevelCalibration) -> None:
        self._model, self._calibration = model, calibration

    def __getattr__(self, name: str):
        return getattr(self._model, name)

    def anomaly_score(self, X: np.ndarray) -> np.ndarray:
        return self._calibration.of_rows(self._model.anomaly_score(X), X)


def _judge(model: DensityModel, dataset: Dataset) -> DensityModel | _WithinLevels:
    """What gives the scores that the Detect page shows of the data set's rows."""
    if dataset.context is None:
        return model
    # a model in training is another one at every step: its scores of a few rows tell
    return _WithinLevels(model, _calibration(model, dataset, tuple(model.anomaly_score(dataset.X[:8]))))


@lru_cache(maxsize=4)
def _calibration(model: DensityModel, dataset: Dataset, few_scores: tuple[float, ...]) -> LevelCalibration:
    return LevelCalibration.of(dataset, np.asarray(model.anomaly_score(dataset.X), np.float64))


@lru_cache(maxsize=4)
def _reference(dataset: Dataset) -> Reference:
    return Reference(dataset.X[reference_rows(dataset)], dataset.sources())
