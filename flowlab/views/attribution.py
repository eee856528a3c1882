"""Attribution of anomaly scores to the user's columns, and counterfactual rows."""

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
    name : (k,) text, k at most `n_reasons`
    contribution : (k,) in units of the anomaly score
    value, usual : (k,) the row's value and the value typical of similar rows, text
    words : (k,) one sentence for each contribution
    score : () anomaly score of the row
    sentence, method : () text
    similar : (5,) numbers of the most similar training rows

    Raises
    ------
    ValueError
        If the data set has no such row.
    """
    row = check_row(dataset, row)
    displayed = dataset.told_row(row)
    explanation = explain(
        _judge(model, dataset), dataset.X[row], _reference(dataset), n_reasons=n_reasons, told_row=displayed
    )
    return {
        "name": np.array([reason.name for reason in explanation.reasons], dtype=str),
        "contribution": np.array([reason.contribution for reason in explanation.reasons]),
        "value": np.array([reason.told for reason in explanation.reasons], dtype=str),
        "usual": np.array([reason.usual for reason in explanation.reasons], dtype=str),
        "words": np.array([reason.sentence for reason in explanation.reasons], dtype=str),
        "score": np.array(explanation.score),
        "sentence": np.array(explanation.sentence),
        "method": np.array(explanation.method),
        "similar": reference_rows(dataset)[list(explanation.similar)],
    }


def top_reasons(model: DensityModel, dataset: Dataset, rows: tuple[int, ...], n_reasons: int = 3) -> Arrays:
    """The columns that add most to the anomaly scores of several rows, in words.

    Returns
    -------
    rows : (m,) their numbers, as passed
    words : (m, n_reasons) text, "" where fewer columns add to the score
    """
    judge = _judge(model, dataset)
    words = np.full((len(rows), n_reasons), "", dtype=object)
    for i, row in enumerate(rows):
        row, displayed = check_row(dataset, row), dataset.told_row(row)
        explanation = explain(judge, dataset.X[row], _reference(dataset), n_reasons=n_reasons, told_row=displayed)
        sentences = [reason.sentence for reason in explanation.reasons if reason.contribution > 0]
        words[i, : len(sentences)] = sentences
    return {"rows": np.array(rows, int), "words": words.astype(str)}


def repaired(model: DensityModel, dataset: Dataset, row: int, threshold: float) -> Arrays:
    """The counterfactual of a row: the smallest set of edits found that brings its anomaly score below the threshold.

    Returns
    -------
    name, old, new : (k,) edited columns and their values before and after, text
    row : (n_features,) the edited row in data units
    before, after : () anomaly scores
    succeeded : () bool, whether `after` lies below the threshold
    sentence : () text
    """
    row = check_row(dataset, row)
    displayed = dataset.told_row(row)
    counterfactual = repair(
        _judge(model, dataset), dataset.X[row], _reference(dataset), float(threshold), told_row=displayed
    )
    return {
        "name": np.array([edit.name for edit in counterfactual.edits], dtype=str),
        "old": np.array([edit.old for edit in counterfactual.edits], dtype=str),
        "new": np.array([edit.new for edit in counterfactual.edits], dtype=str),
        "row": counterfactual.row,
        "before": np.array(counterfactual.before),
        "after": np.array(counterfactual.after),
        "succeeded": np.array(counterfactual.succeeded),
        "sentence": np.array(counterfactual.sentence),
    }


def reference_rows(dataset: Dataset) -> np.ndarray:
    """Numbers of the training rows that rows are compared with: without labelled anomalies if two others are left."""
    rows = dataset.rows("train")
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
