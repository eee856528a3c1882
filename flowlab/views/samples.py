"""Draws from a model beside data rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from flowlab.columns import spread_of
from flowlab.datasets.dataset import Dataset, Part
from flowlab.encoding.roles import ColumnRole
from flowlab.models.base import DensityModel
from flowlab.views.context import ALL_LEVELS, check_level, is_conditioned
from flowlab.views.projection import display_rows, stage


@dataclass(frozen=True, eq=False)
class Samples:
    """Draws from a model, and rows of the data to lay them over.

    Attributes
    ----------
    samples : (n, n_features) in data units
    log_density : (n,) the model's score of each
    points : (n, 2) their positions on the stage
    data : (m, 2) positions of data rows, m <= n
    nearest_row : the training row closest to the sample that was asked about; None where none was
    nearest_distance : its Euclidean distance in standard deviations of the columns
    """

    samples: np.ndarray
    log_density: np.ndarray
    points: np.ndarray
    data: np.ndarray
    nearest_row: int | None = None
    nearest_distance: float | None = None


def in_columns_of(
    drawn: pd.DataFrame, table: pd.DataFrame, dataset: Dataset | None = None, seed: int = 0
) -> pd.DataFrame:
    """Drawn rows in the columns of a table, in its order; columns that no model draws are made up or stay empty.

    With the `dataset` that was made of the table: the label is that of normal rows where only those were fitted, times
    lie in the stretch of the training rows, in order, identifiers are new ones, and constants stay what they are.

    >>> table = pd.DataFrame({"id": [7, 8], "x": [0.5, 1.5], "fraud": ["no", "no"]})
    >>> in_columns_of(pd.DataFrame({"x": [1.25]}), table).to_csv(index=False).split()
    ['id,x,fraud', ',1.25,']
    """
    found = drawn.reindex(columns=list(table.columns))
    if dataset is None or dataset.encoder is None or len(dataset.split) != len(table):
        return found
    rng = np.random.default_rng(seed)
    for role in dataset.encoder.roles or ():
        if role.name in drawn or role.name not in table:
            continue
        made = _made_up(role, table[role.name], dataset, len(drawn), rng)
        if made is not None:
            found[role.name] = made
    return found


def _made_up(
    role: ColumnRole, column: pd.Series, dataset: Dataset, n: int, rng: np.random.Generator
) -> pd.Series | None:
    """Values (n,) of a column that is none of the features; None where there is nothing to say."""
    if role.reason == "constant":
        return pd.Series([column.iloc[0]] * n, dtype=column.dtype)
    if role.role == "label" and dataset.y is not None and dataset.train_on == "normal":
        usual = column[dataset.y == 0].dropna().mode()
        return pd.Series([usual.iloc[0]] * n, dtype=column.dtype) if len(usual) else None
    if role.role == "time":
        known = column[dataset.split == 0].dropna()
        if not len(known):
            return None
        is_date = pd.api.types.is_datetime64_any_dtype(column.dtype)
        numbers = known.astype("int64") if is_date else known
        times = np.sort(rng.uniform(float(numbers.min()), float(numbers.max()), n))
        if not is_date:
            return pd.Series(
                np.rint(times) if pd.api.types.is_integer_dtype(column.dtype) else times, dtype=column.dtype
            )
        dates = pd.Series(times.astype(np.int64).astype(known.to_numpy().dtype))
        return dates.dt.normalize() if (known == known.dt.normalize()).all() else dates.dt.floor("s")
    if role.role == "identifier":
        if pd.api.types.is_integer_dtype(column.dtype):
            return pd.Series(np.arange(n) + int(column.max()) + 1, dtype=column.dtype)
        return pd.Series([f"synthetic {i + 1}" for i in range(n)], dtype="str")
    return None


def samples(
    model: DensityModel,
    dataset: Dataset,
    n: int = 2000,
    seed: int = 0,
    temperature: float = 1.0,
    nearest: int = -1,
    level: int = ALL_LEVELS,
) -> Samples:
    """Draws from the model beside data rows; of one level of the context only, where a model is conditioned on it.

    With `nearest`, a sample's number from 0, the training row closest to it too.

    Raises
    ------
    ValueError
        If the model cannot sample, or `nearest` or `level` are out of range.
    """
    if not model.can_sample:
        raise ValueError(f"{type(model).__name__} cannot draw samples")
    n, level = int(np.clip(n, 1, 20_000)), check_level(dataset, level)
    settings = {"random_state": int(seed), "temperature": float(temperature)}
    data_rows = display_rows(dataset, n, 0)
    if level != ALL_LEVELS and is_conditioned(model, dataset):
        if level not in model.levels_:
            raise ValueError(f"No training row was of {dataset.levels[level]}, so none can be drawn; choose another.")
        X = model.sample_given(level, n, **settings)
        data_rows = data_rows[dataset.X[data_rows, dataset.context] == level]
    else:
        X = model.sample(n, **settings)
    plane = stage(dataset)
    nearest_row = nearest_distance = None
    if nearest >= 0:
        if nearest >= n:
            raise ValueError(f"nearest must be below the number of samples, {n}, not {nearest}")
        rows = dataset.rows(Part.TRAIN)
        square = np.sum(((dataset.X[rows] - X[nearest]) / spread_of(dataset.X[rows])) ** 2, axis=1)
        nearest_row, nearest_distance = int(rows[np.argmin(square)]), float(np.sqrt(square.min()))
    data = plane.project(dataset.X[data_rows])
    return Samples(X, model.score_samples(X), plane.project(X), data, nearest_row, nearest_distance)
