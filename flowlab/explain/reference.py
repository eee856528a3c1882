"""Reference rows that count as normal, and the search for those that resemble a row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from flowlab.columns import exceeds_rounding, spread_of
from flowlab.encoding.sources import Source, feature_sources
from flowlab.ranking import spearman_matrix

N_SIMILAR = 24
"""Number of rows that resemble the explained row in all columns but one; their values of it are the typical ones."""
MAX_REFERENCE = 4000
FAR = 3.0
"""In the search for similar rows the distance in one column counts up to so many robust standard deviations."""


class Reference:
    """Rows that count as normal, to be searched for those that resemble a row.

    Parameters
    ----------
    X : (n, n_features) training rows; a random part of them is used if they are more than 4,000
    columns : names of the features; or `Dataset.sources()`, where a column may have several features
    random_state : seed of that random part

    Attributes
    ----------
    X : (n_used, n_features) the rows used
    rows : (n_used,) their row numbers
    sources : the columns
    starts : (n_columns,) number of each column's first feature
    scale : (n_features,) robust standard deviations
    correlation : (n_columns, n_columns) absolute rank correlation, zero on the diagonal
    """

    def __init__(
        self, X: np.ndarray, columns: Sequence[str] | Sequence[Source] | None = None, random_state: int = 0
    ) -> None:
        X = np.asarray(X, np.float64)
        if X.ndim != 2 or len(X) < 2:
            raise ValueError(f"X must be a matrix of at least 2 rows; its shape is {X.shape}")
        self.rows = part_of(len(X), random_state)
        self.X = X[self.rows]
        if columns is None:
            columns = [f"x{i + 1}" for i in range(X.shape[1])]
        known = tuple(column for column in columns if isinstance(column, Source))
        self.sources = known if len(known) == len(columns) else feature_sources([str(column) for column in columns])
        n_named = self.sources[-1].stop if self.sources else 0
        if n_named != X.shape[1]:
            raise ValueError(f"columns must name {X.shape[1]} features, not {n_named}")
        self.starts = np.array([source.start for source in self.sources])
        self._column_of = np.repeat(np.arange(len(self.sources)), [s.stop - s.start for s in self.sources])
        self._values: dict[int, pd.Series] = {}
        self._settled = self.settled(self.X)
        self.scale = robust_scale(self._settled)
        of_features = _correlation(self._settled)
        self.correlation = np.maximum.reduceat(np.maximum.reduceat(of_features, self.starts), self.starts, axis=1)
        np.fill_diagonal(self.correlation, 0.0)

    @property
    def n_features(self) -> int:
        """Number of features, the numbers a model sees of a row."""
        return self.X.shape[1]

    @property
    def n_columns(self) -> int:
        """Number of the table's columns; one may have several features."""
        return len(self.sources)

    def check(self, x: np.ndarray) -> np.ndarray:
        """`x` as (n_features,) float64; ValueError for another shape or a number that is not finite."""
        x = np.asarray(x, np.float64)
        if x.shape != (self.n_features,) or not np.isfinite(x).all():
            raise ValueError(f"the row must be {self.n_features} finite numbers; its shape is {x.shape}")
        return x

    def settled(self, X: np.ndarray) -> np.ndarray:
        """Rows (n, n_features) as they are compared: categories without the noise that spreads them."""
        if all(source.plan is None for source in self.sources):
            return X
        return np.concatenate([source.settled(X) for source in self.sources], axis=1)

    def similar(self, x: np.ndarray, n_rows: int = 5) -> np.ndarray:
        """Row numbers (`rows`) of those nearest to `x` in robust standard deviations, (n_rows,); not of `x` itself."""
        distance = self._squares(x).sum(axis=1)
        self._leave_out(x, distance)
        return self.rows[np.argsort(distance, kind="stable")[:n_rows]]

    def usual_rows(self, x: np.ndarray, n_values: int = N_SIMILAR) -> np.ndarray:
        """For each column the positions in X of the rows most like `x` in all other columns, (n_columns, n_values).

        Differences count up to three robust standard deviations, so that one corrupted column of `x` does not decide
        which rows are similar.
        """
        return self.nearest_but(self.capped_squares(x), np.arange(self.n_columns), n_values)

    def capped_squares(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Squared distances of all rows from `x`, (n_used, n_columns), each at most 9, and their sums (n_used,)."""
        squares = self._squares(x)
        if self.n_columns < self.n_features:
            squares = np.add.reduceat(squares, self.starts, axis=1)
        np.minimum(squares, FAR**2, out=squares)
        total = squares.sum(axis=1)
        self._leave_out(x, total)
        return squares, total

    def nearest_but(
        self, distances: tuple[np.ndarray, np.ndarray], columns: np.ndarray, n_values: int = N_SIMILAR
    ) -> np.ndarray:
        """For each of `columns` the positions of the rows nearest in all other columns, (len(columns), n_values)."""
        squares, total = distances
        n_values = min(n_values, len(self.X))
        nearest = np.empty((len(columns), n_values), int)
        for i, k in enumerate(columns):
            nearest[i] = np.argpartition(total - squares[:, k], n_values - 1)[:n_values]
        return nearest

    def exchanged(self, x: np.ndarray, rows: np.ndarray, columns: np.ndarray | None = None) -> np.ndarray:
        """The row `x` with column columns[i] as it is in the reference rows rows[i], (len(rows), n_values, n_features).

        None for all columns, in their order.
        """
        batch = np.tile(x, (*rows.shape, 1))
        for i, k in enumerate(range(self.n_columns) if columns is None else columns):
            features = self.sources[k].features
            batch[i, :, features] = self.X[rows[i], features]
        return batch

    def exchanged_once(self, x: np.ndarray, distances: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """The row `x` with each column as it is in the middle of the rows nearest to it, (n_columns, n_features)."""
        near = self.X[np.argpartition(distances[1], min(N_SIMILAR, len(self.X)) - 1)[:N_SIMILAR]]
        off = np.add.reduceat(np.abs(near - np.median(near, axis=0)) / self.scale, self.starts, axis=1)
        middle = near[off.argmin(axis=0)[self._column_of], np.arange(self.n_features)]
        return np.where(self._column_of == np.arange(self.n_columns)[:, None], middle, x)

    def values(self, k: int) -> pd.Series:
        """Column `k` of all rows, in the user's type; read once."""
        if k not in self._values:
            self._values[k] = self.sources[k].read(self.X)
        return self._values[k]

    def _squares(self, x: np.ndarray) -> np.ndarray:
        return ((self._settled - self.settled(x[None])) / self.scale) ** 2

    def _leave_out(self, x: np.ndarray, distance: np.ndarray) -> None:
        same = np.flatnonzero(distance == 0)
        distance[same[(self.X[same] == x).all(axis=1)]] = np.inf


def part_of(n_rows: int, random_state: int = 0) -> np.ndarray:
    """Numbers of the rows that are compared with: all, or 4,000 of them drawn at random, in their order."""
    if n_rows <= MAX_REFERENCE:
        return np.arange(n_rows)
    return np.sort(np.random.default_rng(random_state).choice(n_rows, MAX_REFERENCE, replace=False))


def robust_scale(X: np.ndarray) -> np.ndarray:
    """Spread of each column: interquartile range over 1.349, else standard deviation, else 1; (n_features,)."""
    low, high = np.quantile(X, [0.25, 0.75], axis=0)
    scale = (high - low) / 1.349
    return np.where(exceeds_rounding(scale, X), scale, spread_of(X))


def _correlation(X: np.ndarray) -> np.ndarray:
    """Absolute rank correlation of the features, zero on the diagonal and where a feature is constant."""
    correlation = np.abs(np.nan_to_num(spearman_matrix(X)))
    np.fill_diagonal(correlation, 0.0)
    return correlation
