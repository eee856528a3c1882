"""Attribution of anomaly scores to the user's columns, and counterfactual rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from flowlab.datasets.dataset import Dataset, Part
from flowlab.detection.levels import LevelCalibration
from flowlab.encoding.encoder import TableEncoder
from flowlab.encoding.sources import silent_holes
from flowlab.explain import Explanation, Reference, Repair, RowReasons, anomaly_scores, explain, reasons_of_rows, repair
from flowlab.explain.novelty import row_novelty
from flowlab.models.base import DensityModel
from flowlab.tables.schema import ColumnSchema, as_schema
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
) -> dict[int, RowReasons]:
    """By row number: the columns, at most `n_reasons`, that add most to the anomaly score.

    A value that similar rows have, too, is no reason.

    Raises
    ------
    ValueError
        If the data set has no such row.
    """
    numbers = [check_row(dataset, row) for row in rows]
    told = np.array([dataset.told_row(row) for row in numbers]).reshape(-1, dataset.n_features)
    found = reasons_of_rows(_judge(model, dataset), dataset.X[numbers], _reference(dataset), told, n_reasons)
    return dict(zip(rows, found, strict=True))


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


@dataclass(frozen=True)
class WhatIf:
    """What a freely edited row would be judged: its score, why, and what is new in it ("" for nothing)."""

    score: float
    reasons: RowReasons
    novelty: str


def what_if(model: DensityModel, dataset: Dataset, cells: tuple[tuple[str, Any], ...]) -> WhatIf:
    """The judgement of a row with these cells, (column, value) each; None is a missing one.

    Raises
    ------
    ValueError
        Where a column is absent, or a cell is none that the detector can read; one sentence.
    """
    row = pd.DataFrame({name: [value] for name, value in cells})
    if dataset.encoder is None:
        absent = [name for name, value in cells if value is None]
        if absent:
            raise ValueError(f"{absent[0]} has no value; every column of these data has one.")
        X = row[list(dataset.columns)].to_numpy(np.float64)
        told, novelty = X.copy(), ""
    else:
        row = _typed(dataset.encoder, row)
        X = dataset.encoder.transform(row)
        told, novelty = X.copy(), str(row_novelty(dataset.encoder, row)[0])
        holes = silent_holes(dataset.encoder, row)
        for source in dataset.sources():
            told[holes.get(source.name, []), source.features] = np.nan
    judge = _judge(model, dataset)
    why = reasons_of_rows(judge, X, _reference(dataset), told)[0]
    return WhatIf(float(anomaly_scores(judge, X)[0]), why, novelty)


def scores_elsewhere(model: DensityModel, dataset: Dataset, frame: pd.DataFrame) -> np.ndarray:
    """Anomaly scores (n,) of the rows of another table with the same columns; ValueError names one that is absent."""
    if dataset.encoder is None:
        raise ValueError("Only a table that was uploaded can be scored beside another.")
    absent = [name for name in dict.fromkeys(dataset.encoder.sources_) if name not in frame]
    if absent:
        raise ValueError(f"The older version was trained on the column {absent[0]}, which these rows lack.")
    X = dataset.encoder.transform(_typed(dataset.encoder, frame))
    return anomaly_scores(_judge(model, dataset), X)


def _typed(encoder: TableEncoder, frame: pd.DataFrame) -> pd.DataFrame:
    schemas = {schema["name"]: ColumnSchema.from_dict(schema) for schema in encoder.schema_}
    return pd.DataFrame({name: as_schema(frame[name], schemas[name]).values for name in frame if name in schemas})


def painted_score(model: DensityModel, dataset: Dataset, row: int, pixels: tuple[float, ...]) -> float:
    """The anomaly score of a row whose picture has these pixels instead, in the order of its columns, in [0, 1].

    Raises
    ------
    ValueError
        If the data set has no such row, or its rows are no pictures of so many pixels.
    """
    X = dataset.X[[check_row(dataset, row)]].copy()
    if dataset.image_shape is None or len(pixels) != dataset.image_shape.n_pixels:
        raise ValueError(f"{len(pixels)} pixels are no picture of these data; paint on one of its rows.")
    X[:, slice(None) if dataset.context is None else dataset.judged] = pixels
    return float(anomaly_scores(_judge(model, dataset), X)[0])


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

    @property
    def scores_by_reconstruction(self) -> bool:
        return self._model.scores_by_reconstruction

    def feature_errors(self, X: np.ndarray) -> np.ndarray:
        return self._model.feature_errors(X)

    def anomaly_score(self, X: np.ndarray) -> np.ndarray:
        return self._calibration.of_rows(self._model.anomaly_score(X), X)


def _judge(model: DensityModel, dataset: Dataset) -> DensityModel | _WithinLevels:
    """What gives the scores that the Detect page shows of the data set's rows."""
    if dataset.context is None:
        return model
    # a model in training is another one at every step: its scores of a few rows tell
    calibration = _calibration(model, dataset, tuple(model.anomaly_score(dataset.X[:8])))
    return model if calibration is None else _WithinLevels(model, calibration)


@lru_cache(maxsize=4)
def _calibration(model: DensityModel, dataset: Dataset, few_scores: tuple[float, ...]) -> LevelCalibration | None:
    return LevelCalibration.of(dataset, np.asarray(model.anomaly_score(dataset.X), np.float64))


@lru_cache(maxsize=4)
def _reference(dataset: Dataset) -> Reference:
    return Reference(dataset.X[reference_rows(dataset)], dataset.sources())
