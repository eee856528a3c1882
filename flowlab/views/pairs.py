"""Two columns at a time: held-out rows against samples, cell by cell and by the quadrant distance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from flowlab.datasets.dataset import Dataset, Part
from flowlab.models.base import DensityModel
from flowlab.ranking import spearman_matrix

MIN_HELD_OUT = 30
MIN_EXPECTED = 1
"""Cells where fewer rows than this are expected have no residual."""


@dataclass(frozen=True, eq=False)
class PairRows:
    """Held-out rows and samples.

    Attributes
    ----------
    rows : (m,) row numbers, m at most n
    data : (m, n_features) in data units
    samples : (n, n_features) in data units
    part : "test", "test and validation" where those are few, or "train" where too few rows are held out
    """

    rows: np.ndarray
    data: np.ndarray
    samples: np.ndarray
    part: str


def pair_rows(model: DensityModel, dataset: Dataset, n: int = 1500, seed: int = 0) -> PairRows:
    """Held-out rows and `n` samples, for pictures that compare them.

    Raises
    ------
    ValueError
        If the model cannot sample.

    Labelled anomalies are left out where the model is fitted without them.
    """
    if not model.can_sample:
        raise ValueError(f"{type(model).__name__} cannot draw samples")
    n = int(np.clip(n, 10, 20_000))
    parts = (Part.TEST, Part.VALIDATION, Part.TRAIN)
    test, validation, train = (fitted_kind(dataset, dataset.rows(part)) for part in parts)
    rows, part = test, "test"
    if len(rows) < MIN_HELD_OUT:
        rows, part = np.concatenate([test, validation]), "test and validation"
    if len(rows) < MIN_HELD_OUT:
        rows, part = train, "train"
    rows = np.sort(np.random.default_rng([seed, 0xBA1]).permutation(rows)[:n])
    return PairRows(rows, dataset.X[rows], model.sample(n, random_state=int(seed)), part)


def fitted_kind(dataset: Dataset, rows: np.ndarray) -> np.ndarray:
    """Those of the rows, by number, that are of the kind the model is fitted to."""
    return rows[dataset.y[rows] == 0] if dataset.train_on == "normal" and dataset.y is not None else rows


@dataclass(frozen=True)
class Telling:
    """The columns that show best how far samples differ from rows, and why these.

    Attributes
    ----------
    columns : their numbers, ascending
    worst : the pair whose joint distribution differs most between rows and samples, among all pairs
    worst_distance : its quadrant distance
    strongest : the pair with the strongest rank correlation in the data
    strongest_correlation : that correlation
    """

    columns: tuple[int, ...]
    worst: tuple[int, int]
    worst_distance: float
    strongest: tuple[int, int]
    strongest_correlation: float


def telling_columns(tables: TwoTables, most: int = 4) -> Telling:
    """The pair of columns that differs most and the pairs that correlate most, `most` columns together.

    Categories of more than two levels have no order, so that only the first criterion can choose them. ValueError for
    fewer than two columns.
    """
    n_columns = len(tables.names)
    if n_columns < 2:
        raise ValueError(f"pairs need at least two columns that vary, not {n_columns}")
    upper = np.triu_indices(n_columns, 1)
    distance = quadrant_distances(tables.data, tables.on_grid)[upper]
    correlation = rank_correlations(tables.data)
    nominal = [levels is not None and len(levels) > 2 for levels in tables.levels]
    correlation[nominal, :] = correlation[:, nominal] = 0
    strength = np.abs(correlation[upper])
    first, second = int(distance.argmax()), int(strength.argmax())
    columns = {int(upper[0][first]), int(upper[1][first])}
    for k in np.argsort(-strength, kind="stable"):
        for j in (int(upper[0][k]), int(upper[1][k])):
            if len(columns) < most:
                columns.add(j)
        if len(columns) >= min(most, n_columns):
            break
    pairs = [(int(upper[0][k]), int(upper[1][k])) for k in (first, second)]
    strongest = float(correlation[upper][second])
    return Telling(tuple(sorted(columns)), pairs[0], float(distance[first]), pairs[1], strongest)


@dataclass(frozen=True, eq=False)
class PairPanels:
    """The arrays of a matrix of m columns; entries by column are tuples of m, those by pair are (m, m) or dicts.

    Attributes
    ----------
    tables : the columns themselves
    window : (m, 2) ends of the axis of each column
    marginal_edges : bins of each column
    data_share, sample_share : share of each table in each of these bins
    edges : cells of each column, each with about equally many rows
    residual : {(i, j): (cells of i, cells of j)} for i < j, samples less rows in standard errors; nan where too few
        rows are expected
    distance : (m, m) of `quadrant_distances`
    chance : of `distance_by_chance`, of all pairs where these are the telling ones
    data_correlation, sample_correlation : (m, m) rank correlations; nan where a category has no order
    worst : the shown pair that differs most
    """

    tables: TwoTables
    window: np.ndarray
    marginal_edges: tuple[np.ndarray, ...]
    edges: tuple[np.ndarray, ...]
    data_share: tuple[np.ndarray, ...]
    sample_share: tuple[np.ndarray, ...]
    residual: dict[tuple[int, int], np.ndarray]
    distance: np.ndarray
    chance: float
    data_correlation: np.ndarray
    sample_correlation: np.ndarray
    worst: tuple[int, int]


def pair_panels(all_tables: TwoTables, columns: Sequence[int] | None = None, are_telling: bool = False) -> PairPanels:
    """The arrays of a matrix of pairs of these columns, all without a choice; ValueError for fewer than two.

    With `are_telling` the columns were chosen by how much they differ (`telling_columns`): luck had all pairs to choose
    from, so `chance` is that of all.
    """
    tables = all_tables if columns is None else all_tables.of(list(columns))
    data, samples, m = tables.data, tables.samples, len(tables.names)
    if m < 2:
        raise ValueError(f"a matrix of pairs needs at least two columns, not {m}")
    n = min(len(data), len(samples))
    window = np.array([_window(data[:, j], samples[:, j], tables.levels[j]) for j in range(m)])
    marginal_edges = tuple(
        _edges(data[:, j], window[j], tables.levels[j], int(np.clip(np.sqrt(n), 6, 30))) for j in range(m)
    )
    n_cells = int(np.clip(np.sqrt(n / 8), 4, 12))
    edges = tuple(_cells(data[:, j], window[j], marginal_edges[j], tables.levels[j], n_cells) for j in range(m))
    shares = [tuple(np.histogram(T[:, j], marginal_edges[j])[0] / len(T) for j in range(m)) for T in (data, samples)]
    residual = {(i, j): _residual(data[:, [i, j]], samples[:, [i, j]], edges[i], edges[j])
                for i in range(m) for j in range(i + 1, m)}  # fmt: skip
    looked_at = all_tables if are_telling else tables
    distance = quadrant_distances(looked_at.data, looked_at.on_grid)
    chance = distance_by_chance(looked_at.data, looked_at.on_grid)
    if are_telling and columns is not None:
        distance = distance[np.ix_(columns, columns)]
    correlations = [rank_correlations(T) for T in (data, samples)]
    nominal = [levels is not None and len(levels) > 2 for levels in tables.levels]
    for matrix in correlations:
        matrix[nominal, :] = matrix[:, nominal] = np.nan
    flat = int(np.triu(distance, 1).argmax())
    return PairPanels(
        tables,
        window,
        marginal_edges,
        edges,
        shares[0],
        shares[1],
        residual,
        distance,
        chance,
        correlations[0],
        correlations[1],
        (flat // m, flat % m),
    )


def _window(data: np.ndarray, samples: np.ndarray, levels: tuple[str, ...] | None) -> tuple[float, float]:
    """The central 98 % of the rows and a margin, widened towards the samples by the rows' span at most on each side."""
    if levels is not None:
        return -0.5, len(levels) - 0.5
    data, samples = (v[np.isfinite(v)] for v in (data, samples))
    low, high = np.quantile(data, [0.01, 0.99]) if len(data) else (0.0, 0.0)
    span = (high - low) or max(abs(low), 1.0) * 0.5
    if len(samples):
        reach = np.quantile(samples, [0.02, 0.98])
        low, high = max(min(low, reach[0]), low - span), min(max(high, reach[1]), high + span)
    return float(low - 0.08 * span), float(high + 0.08 * span)


def _edges(data: np.ndarray, window: np.ndarray, levels: tuple[str, ...] | None, n_bins: int) -> np.ndarray:
    """Bin edges of a column: about each level or whole number where there are few, else equal bins of the window."""
    if levels is not None:
        return np.arange(len(levels) + 1) - 0.5
    known = data[np.isfinite(data)]
    low, high = np.ceil(window[0]), np.floor(window[1])
    if len(known) and high - low < 24 and (known == np.rint(known)).all():
        return np.arange(low, high + 2) - 0.5
    return np.linspace(window[0], window[1], n_bins + 1)


def _cells(
    data: np.ndarray, window: np.ndarray, marginal_edges: np.ndarray, levels: tuple[str, ...] | None, n_cells: int
) -> np.ndarray:
    """Edges between which about equally many rows lie; those of the marginal where it has no more bins than cells."""
    if levels is not None or len(marginal_edges) <= n_cells + 1:
        return marginal_edges
    inner = np.quantile(data[np.isfinite(data)], np.arange(1, n_cells) / n_cells)
    return np.unique(np.concatenate([window, inner[(inner > window[0]) & (inner < window[1])]]))


def _residual(A: np.ndarray, B: np.ndarray, edges_x: np.ndarray, edges_y: np.ndarray) -> np.ndarray:
    """Share of B less share of A in each cell, in standard errors of the pooled share; nan where too few rows."""
    counts = [np.histogram2d(T[:, 0], T[:, 1], (edges_x, edges_y))[0] for T in (A, B)]
    pooled = (counts[0] + counts[1]) / (len(A) + len(B))
    error = np.sqrt(pooled * (1 - pooled) * (1 / len(A) + 1 / len(B)))
    few = (pooled * min(len(A), len(B)) < MIN_EXPECTED) | (error == 0)
    return np.where(few, np.nan, (counts[1] / len(B) - counts[0] / len(A)) / np.where(few, 1.0, error))


MAX_LEVELS = 10
"""Levels of a category, the others together being the last."""


@dataclass(frozen=True, eq=False)
class TwoTables:
    """Rows and samples in the same columns, as numbers.

    Attributes
    ----------
    names : of the columns, without those in which nothing varies
    data : (n, d), samples : (m, d); nan where a value is missing
    on_grid : (m, d) samples, those of columns of whole numbers rounded, so that shares can be compared
    levels : for each column the names of its values 0, 1, .. where it is a category, else None
    is_date : for each column whether it holds dates, as milliseconds since 1970
    """

    names: tuple[str, ...]
    data: np.ndarray
    samples: np.ndarray
    on_grid: np.ndarray
    levels: tuple[tuple[str, ...] | None, ...]
    is_date: tuple[bool, ...]

    def of(self, columns: list[int]) -> TwoTables:
        """Only these columns."""
        return TwoTables(
            tuple(self.names[j] for j in columns),
            self.data[:, columns],
            self.samples[:, columns],
            self.on_grid[:, columns],
            tuple(self.levels[j] for j in columns),
            tuple(self.is_date[j] for j in columns),
        )


def two_tables(data: pd.DataFrame, samples: pd.DataFrame) -> TwoTables:
    """Two frames of the same columns as numbers: categories by frequency, rare ones together as the last.

    >>> frame = pd.DataFrame({"x": [1.5, 2.0, 2.5], "kind": ["a", "b", "b"]})
    >>> tables = two_tables(frame, frame.iloc[:2])
    >>> tables.levels, tables.samples.tolist()
    ((None, ('b', 'a')), [[1.5, 1.0], [2.0, 0.0]])
    """
    names, columns, levels, is_date = [], [], [], []
    for j, name in enumerate(data.columns):
        values, column_levels = _column_numbers(pd.concat([data.iloc[:, j], samples.iloc[:, j]], ignore_index=True))
        row_values, sample_values = values[: len(data)], values[len(data) :]
        whole = (row_values == np.rint(row_values))[np.isfinite(row_values)].all()
        on_grid = np.rint(sample_values) if whole else sample_values
        both = np.concatenate([row_values, on_grid])
        if len(np.unique(both[np.isfinite(both)])) > 1:
            names.append(str(name))
            columns.append((row_values, sample_values, on_grid))
            levels.append(column_levels)
            is_date.append(pd.api.types.is_datetime64_any_dtype(data.iloc[:, j].dtype))
    tables = [np.column_stack(parts) for parts in zip(*columns)] if columns else [np.empty((0, 0))] * 3
    return TwoTables(tuple(names), tables[0], tables[1], tables[2], tuple(levels), tuple(is_date))


def _column_numbers(column: pd.Series) -> tuple[np.ndarray, tuple[str, ...] | None]:
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return np.where(column.isna(), np.nan, column.to_numpy("datetime64[ms]").astype(float)), None
    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype):
        return column.to_numpy(dtype=float, na_value=np.nan), None
    text = column.astype("object").where(column.notna(), "missing").astype(str)
    common = text.value_counts().index
    kept = tuple(common[: MAX_LEVELS - (len(common) > MAX_LEVELS)])
    codes = pd.Index(kept).get_indexer(text)
    return np.where(codes < 0, len(kept), codes).astype(float), kept + ("others",) * (len(common) > len(kept))


MAX_CUTS = 800
"""Cut points of all columns together; the work grows with their square."""
SHUFFLES = 19
"""Random divisions of the rows: the largest distance of equally distributed samples exceeds all in 1 of 20 cases."""

MOST_SHUFFLED = 16
"""Most columns whose distance by chance is found by shuffling."""


def quadrant_distances(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """How far two samples (n, d) and (m, d) differ in every pair of columns, (d, d), from 0 to 1.

    The largest difference of their shares in any quadrant: the two-dimensional Kolmogorov-Smirnov distance (Peacock
    1983, Fasano & Franceschini 1987), over a grid of common quantiles instead of all points. On the diagonal that of
    the column alone. Missing values count as larger than all others.

    >>> rng = np.random.default_rng(0)
    >>> A = rng.normal(size=(2000, 2)) @ [[1, 0.9], [0, 0.44]]
    >>> B = rng.normal(size=(2000, 2))
    >>> (quadrant_distances(A, B) > 0.15).tolist()
    [[False, True], [True, False]]
    """
    below = _below_cuts(np.concatenate([A, B]), _n_cuts(A.shape[1]))
    return _distances(below, np.arange(len(A) + len(B)) < len(A), A.shape[1])


def distance_by_chance(A: np.ndarray, B: np.ndarray, random_state: int = 0) -> float:
    """What the largest off-diagonal quadrant distance of equally distributed samples exceeds in 5 % of cases at most.

    A permutation test of exact level: the rows of A (n, d) and B (m, d) are pooled and divided at random 19 times, and
    the largest distance of all divisions is taken. Of more than 16 columns a bound, some 15 % above it: each share
    differs by at most half the root of 1 / n + 1 / m, normally distributed, and there are so many quadrants.
    """
    d, rng = A.shape[1], np.random.default_rng(random_state)
    if d > MOST_SHUFFLED:
        n_quadrants = 4 * _n_cuts(d) ** 2 * d * (d - 1) / 2
        return float(norm.isf(0.025 / n_quadrants) * 0.5 * (1 / len(A) + 1 / len(B)) ** 0.5)
    below = _below_cuts(np.concatenate([A, B]), _n_cuts(d))
    is_a, off = np.arange(len(A) + len(B)) < len(A), ~np.eye(d, dtype=bool)
    largest = [_distances(below, rng.permutation(is_a), d)[off].max(initial=0.0) for _ in range(SHUFFLES)]
    return float(np.max(largest))


def _n_cuts(d: int) -> int:
    return int(np.clip(MAX_CUTS // max(d, 1), 3, 24))


def _below_cuts(pooled: np.ndarray, n_cuts: int) -> np.ndarray:
    """Whether each value lies at or below each of its column's cuts: (n, d * n_cuts), as float32 for fast products."""
    values = np.where(np.isnan(pooled), np.inf, pooled)
    cuts = np.quantile(values, (np.arange(n_cuts) + 1) / (n_cuts + 1), axis=0, method="inverted_cdf")
    below = values[:, :, None] <= cuts.T[None]
    return below.reshape(len(values), -1).astype(np.float32)


def _distances(below: np.ndarray, is_a: np.ndarray, d: int) -> np.ndarray:
    a, b = below[is_a], below[~is_a]
    both = a.T @ a / np.float32(len(a)) - b.T @ b / np.float32(len(b))
    single = np.diag(both).copy()  # at or below one cut
    across, up = single[:, None], single[None, :]
    quadrants = (both, across - both, up - both, across + up - both)
    largest = np.max([np.abs(part) for part in quadrants], axis=0)
    n_cuts = len(single) // max(d, 1)
    distances = largest.reshape(d, n_cuts, d, n_cuts).max(axis=(1, 3)).astype(float)
    np.fill_diagonal(distances, np.abs(single).reshape(d, n_cuts).max(axis=1))
    return distances


def rank_correlations(X: np.ndarray) -> np.ndarray:
    """Spearman's rank correlations (d, d) of the columns of X (n, d); 0 where a column does not vary."""
    return np.nan_to_num(spearman_matrix(np.where(np.isnan(X), np.inf, X)))
