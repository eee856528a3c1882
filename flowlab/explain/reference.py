"""Reference rows that count as normal, and the search for those that resemble a row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flowlab.columns import exceeds_rounding, spread_of
from flowlab.encoding.sources import Source, feature_sources
from flowlab.ranking import spearman_matrix

N_SIMILAR = 24
"""Number of rows that resemble the explained row in all columns but one; their values of it are the typical ones."""
N_EXCHANGED = 5
"""Number of their values that the column takes in turn; the model judges each."""
MAX_REFERENCE = 4000
FAR_SQUARED = np.float32(3.0**2)
"""In the search for similar rows the distance in one column counts up to three robust standard deviations."""


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
        self._features = [np.arange(source.start, source.stop) for source in self.sources]
        self._column_of = np.repeat(np.arange(len(self.sources)), [s.stop - s.start for s in self.sources])
        self._columns: dict[int, tuple[np.ndarray, np.ndarray | None, np.ndarray]] = {}
        self._settled = self.settled(self.X)
        self.scale = robust_scale(self._settled)
        self._centre = np.median(self._settled, axis=0)
        self._scaled = np.ascontiguousarray(self._placed(self._settled).T)
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
        distance = (((self._settled - self.settled(x[None])) / self.scale) ** 2).sum(axis=1)
        self._leave_out(x, distance)
        return self.rows[np.argsort(distance, kind="stable")[:n_rows]]

    def usual_rows(self, x: np.ndarray, n_values: int = N_SIMILAR) -> np.ndarray:
        """For each column the positions in X of the rows most like `x` in all other columns, (n_columns, n_values).

        Differences count up to three robust standard deviations, so that one corrupted column of `x` does not decide
        which rows are similar.
        """
        [placed], [total] = self.capped_distances(x[None])
        return self.nearest_but(placed, total, np.arange(self.n_columns), n_values)

    def capped_distances(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows (n, n_features) as they are compared, and their squared distances from all rows, (n, n_used).

        The square of each column is at most 9; a row itself counts as far.
        """
        placed = self._placed(self.settled(rows))
        total = np.empty((len(rows), len(self.X)), np.float32)
        for x, at, distances in zip(rows, placed, total, strict=True):
            squares = self._capped_squares(at, self._scaled)
            if self.n_columns < self.n_features:
                squares = np.minimum(np.add.reduceat(squares, self.starts), FAR_SQUARED)
            squares.sum(axis=0, out=distances)
            self._leave_out(x, distances)
        return placed, total

    def nearest(self, totals: np.ndarray, n_values: int = N_SIMILAR) -> np.ndarray:
        """Positions of the rows nearest by each of the distances (n, n_used), (n, n_values)."""
        n_values = min(n_values, len(self.X))
        return np.argpartition(totals, n_values - 1, axis=-1)[..., :n_values]

    def nearest_but(
        self, placed: np.ndarray, total: np.ndarray, columns: np.ndarray, n_values: int = N_SIMILAR
    ) -> np.ndarray:
        """For each of `columns` the positions of the rows nearest in all other columns, (len(columns), n_values).

        `placed` and `total` are of one row, see `capped_distances`.
        """
        features = np.concatenate([self._features[k] for k in columns])
        squares = self._capped_squares(placed[features], self._scaled[features])
        if len(features) > len(columns):
            starts = np.cumsum([0, *(len(self._features[k]) for k in columns[:-1])])
            squares = np.minimum(np.add.reduceat(squares, starts), FAR_SQUARED)
        return self.nearest(np.subtract(total, squares, out=squares), n_values)

    def some_of(self, k: int, rows: np.ndarray) -> np.ndarray:
        """A few of rows (n_similar,) whose values of column `k` stand for those of all: evenly spaced in order."""
        n_some = min(N_EXCHANGED, len(rows))
        places = ((np.arange(n_some) + 0.5) / n_some * len(rows)).astype(int)
        return self.in_order(k, rows)[places]

    def exchanged(self, x: np.ndarray, rows: np.ndarray, columns: Sequence[int] | None = None) -> np.ndarray:
        """The row `x` with column columns[i] as it is in the reference rows rows[i], (len(rows), n_values, n_features).

        None for all columns, in their order.
        """
        batch = np.tile(x, (*rows.shape, 1))
        for i, k in enumerate(range(self.n_columns) if columns is None else columns):
            features = self.sources[k].features
            batch[i, :, features] = self.X[rows[i], features]
        return batch

    def strangest(self, placed: np.ndarray, near: np.ndarray, n_columns: int) -> np.ndarray:
        """Of each row the columns that stand out most from rows near it, (n, at most `n_columns`), ascending.

        `placed` (n, n_features) as `capped_distances` gives it, `near` (n, n_similar) positions of rows.
        """
        if n_columns >= self.n_columns:
            return np.tile(np.arange(self.n_columns), (len(placed), 1))
        others = self._scaled.T[near]
        off = np.abs(placed - np.median(others, axis=1)) / (others.std(axis=1) + 0.1)
        off = np.maximum.reduceat(off, self.starts, axis=1)
        return np.sort(np.argpartition(-off, n_columns - 1, axis=1)[:, :n_columns], axis=1)

    def exchanged_once(self, rows: np.ndarray, near: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Rows (n, n_features) with each of some columns (n, m) as it is in the middle one of the rows near it.

        `near` (n, n_similar) are their positions; the result is (n, m, n_features).
        """
        others = self.X[near]
        off = np.abs(others - np.median(others, axis=1, keepdims=True)) / self.scale
        middle = np.add.reduceat(off, self.starts, axis=2).argmin(axis=1)
        values = np.take_along_axis(others, middle[:, None, self._column_of], axis=1)
        return np.where(self._column_of == columns[:, :, None], values, rows[:, None])

    def values(self, k: int) -> np.ndarray:
        """Column `k` of all rows, in the user's type, (n_used,)."""
        return self._column(k)[0]

    def known(self, k: int, rows: np.ndarray) -> np.ndarray:
        """Those of the rows, positions in X, whose value of column `k` is not missing."""
        is_known = self._column(k)[1]
        return rows if is_known is None else rows[is_known[rows]]

    def in_order(self, k: int, rows: np.ndarray) -> np.ndarray:
        """The rows, positions in X, in the order of their values of column `k`."""
        return rows[self._column(k)[2][rows].argsort(kind="stable")]

    def _column(self, k: int) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
        """Values of column `k`, which of them are known (None: all), and numbers in their order; read once."""
        if k not in self._columns:
            source = self.sources[k]
            column, block = source.read(self.X), self._settled[:, source.features]
            is_known = column.notna().to_numpy()
            by_level = source.kind == "category" and block.shape[1] > 1
            self._columns[k] = (
                column.to_numpy(None if source.plan is None else object),
                None if is_known.all() else is_known,
                block.argmax(axis=1) if by_level else block[:, 0].copy(),
            )
        return self._columns[k]

    def _placed(self, settled: np.ndarray) -> np.ndarray:
        return ((settled - self._centre) / self.scale).astype(np.float32)

    @staticmethod
    def _capped_squares(at: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Squared differences, each at most 9, of one row (n,) from many (n, n_used)."""
        squares = others - at[:, None]
        np.multiply(squares, squares, out=squares)
        return np.minimum(squares, FAR_SQUARED, out=squares)

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
