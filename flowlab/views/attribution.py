"""Why rows are unusual, and the nearest ordinary row, in the user's columns."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from flowlab.datasets.dataset import Dataset
from flowlab.detection.levels import LevelCalibration
from flowlab.explain import Reference, explain, repair
from flowlab.models.base import DensityModel
from flowlab.views.density import check_row

Arrays = dict[str, np.ndarray]


def reasons(model: DensityModel, dataset: Dataset, row: int, n_reasons: int = 20) -> Arrays:
    """Contributions of the user's columns to one row's anomaly score, largest first.

    Returns
    -------
    name : (k,) text; contribution : (k,); value, usual : (k,) the row's value and what similar rows hold, text
    words : (k,) text; score : (); sentence, method : () text; similar : (5,) numbers of the most similar training rows
    """
    row = check_row(dataset, row)
    told = dataset.told_row(row)
    found = explain(_judge(model, dataset), dataset.X[row], _reference(dataset), n_reasons=n_reasons, told_row=told)
    return {
        "name": np.array([reason.name for reason in found.reasons], dtype=str),
        "contribution": np.array([reason.contribution for reason in found.reasons]),
        "value": np.array([reason.told for reason in found.reasons], dtype=str),
        "usual": np.array([reason.usual for reason in found.reasons], dtype=str),
        "words": np.array([reason.sentence for reason in found.reasons], dtype=str),
        "score": np.array(found.score),
        "sentence": np.array(found.sentence),
        "method": np.array(found.method),
        "similar": usual_rows(dataset)[list(found.similar)],
    }


def top_reasons(model: DensityModel, dataset: Dataset, rows: tuple[int, ...], n_reasons: int = 3) -> Arrays:
    """The strongest reasons of several rows.

    Returns
    -------
    rows : (m,) as asked; words : (m, n_reasons) text, "" where fewer columns add to the score
    """
    judge = _judge(model, dataset)
    words = np.full((len(rows), n_reasons), "", dtype=object)
    for i, row in enumerate(rows):
        row, told = check_row(dataset, row), dataset.told_row(row)
        found = explain(judge, dataset.X[row], _reference(dataset), n_reasons=n_reasons, told_row=told)
        texts = [reason.sentence for reason in found.reasons if reason.contribution > 0]
        words[i, : len(texts)] = texts
    return {"rows": np.array(rows, int), "words": words.astype(str)}


def repaired(model: DensityModel, dataset: Dataset, row: int, threshold: float) -> Arrays:
    """The smallest set of edits found that brings a row below the threshold.

    Returns
    -------
    name, old, new : (k,) edited columns and their values, text; row : (n_features,) the edited row
    before, after : () anomaly scores; succeeded : () bool; sentence : () text
    """
    row = check_row(dataset, row)
    told = dataset.told_row(row)
    found = repair(_judge(model, dataset), dataset.X[row], _reference(dataset), float(threshold), told_row=told)
    return {
        "name": np.array([edit.name for edit in found.edits], dtype=str),
        "old": np.array([edit.old for edit in found.edits], dtype=str),
        "new": np.array([edit.new for edit in found.edits], dtype=str),
        "row": found.row,
        "before": np.array(found.before),
        "after": np.array(found.after),
        "succeeded": np.array(found.succeeded),
        "sentence": np.array(found.sentence),
    }


def usual_rows(dataset: Dataset) -> np.ndarray:
    """Numbers of the training rows that count as usual: those labelled as anomalies do not, if others are left."""
    rows = dataset.rows("train")
    if dataset.y is None or (dataset.y[rows] == 0).sum() < 2:
        return rows
    return rows[dataset.y[rows] == 0]


class _WithinLevels:
    """A model whose anomaly scores are calibrated within each level of the context, as those of `Evidence` are."""

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
    return Reference(dataset.X[usual_rows(dataset)], dataset.sources())
