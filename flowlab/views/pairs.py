"""Pairs of columns, held-out rows against samples: which pairs differ, by how much, and where in their plane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flowlab.datasets.dataset import Dataset
from flowlab.models.base import DensityModel
from flowlab.views.quadrants import distance_by_chance, quadrant_distances, rank_correlations
from flowlab.views.twotables import TwoTables

Arrays = dict[str, np.ndarray]

MIN_HELD_OUT = 30
MIN_EXPECTED = 1
"""Where fewer rows than this are expected in a cell, a difference says nothing."""


def pair_rows(model: DensityModel, dataset: Dataset, n: int = 1500, seed: int = 0) -> Arrays:
    """Held-out rows and as many samples as asked for, for pictures that compare them.

    Returns
    -------
    rows : (m,) row numbers, m at most n; data : (m, n_features); samples : (n, n_features), both in data units
    part : "test", "test and validation" where those are few, or "train" where too few rows are held out

    Labelled anomalies are left out where the model is fitted without them.
    """
    if not model.can_sample:
        raise ValueError(f"{type(model).__name__} cannot draw samples")
    n = int(np.clip(n, 10, 20_000))
    test, validation, train = (_fitted_kind(dataset, part) for part in ("test", "validation", "train"))
    rows, part = test, "test"
    if len(rows) < MIN_HELD_OUT:
        rows, part = np.concatenate([test, validation]), "test and validation"
    if len(rows) < MIN_HELD_OUT:
        rows, part = train, "train"
    rows = np.sort(np.random.default_rng([seed, 0xBA1]).permutation(rows)[:n])
    drawn = model.sample(n, random_state=int(seed))
    return {"rows": rows, "data": dataset.X[rows], "samples": drawn, "part": np.array(part)}


def _fitted_kind(dataset: Dataset, part: str) -> np.ndarray:
    """Row numbers of a part, of the kind of rows the model is fitted to."""
    rows = dataset.rows(part)
    return rows[dataset.y[rows] == 0] if dataset.train_on == "normal" and dataset.y is not None else rows


@dataclass(frozen=True)
class Telling:
    """Columns that say most about how well samples resemble rows, and why these.

    Attributes
    ----------
    columns : their numbers, ascending
    worst : the pair whose joint distribution the samples miss most, among all pairs; worst_distance : by how much
    strongest : the pair that depends most on each other in the data; strongest_correlation : its rank correlation
    """

    columns: tuple[int, ...]
    worst: tuple[int, int]
    worst_distance: float
    strongest: tuple[int, int]
    strongest_correlation: float


def telling_columns(tables: TwoTables, most: int = 4) -> Telling:
    """The pair that the samples miss most and the pairs that depend most on each other, `most` columns together.

    Needs two columns or more. Categories of more than two levels have no order: they come in by the first reason only.
    """
    d = len(tables.names)
    if d < 2:
        raise ValueError(f"pairs need at least two columns that vary, not {d}")
    upper = np.triu_indices(d, 1)
    distance = quadrant_distances(tables.data, tables.on_grid)[upper]
    correlation = rank_correlations(tables.data)
    nominal = [levels is not None and len(levels) > 2 for levels in tables.levels]
    correlation[nominal, :] = correlation[:, nominal] = 0
    strength = np.abs(correlation[upper])
    first, second = int(distance.argmax()), int(strength.argmax())
    chosen = {int(upper[0][first]), int(upper[1][first])}
    for k in np.argsort(-strength, kind="stable"):
        for j in (int(upper[0][k]), int(upper[1][k])):
            if len(chosen) < most:
                chosen.add(j)
        if len(chosen) >= min(most, d):
            break
    pairs = [(int(upper[0][k]), int(upper[1][k])) for k in (first, second)]
    return Telling(tuple(sorted(chosen)), pairs[0], float(distance[first]), pairs[1], float(correlation[upper][second]))


@dataclass(frozen=True, eq=False)
class PairPanels:
    """What a matrix of m columns shows; entries by column are tuples of m, those by pair are (m, m) or dicts.

    Attributes
    ----------
    tables : the columns themselves; window : (m, 2) where to look along each
    margin_edges : bins of each column; data_share, sample_share : share of each table in each of them
    edges : cells of each column, each with about equally many rows
    residual : {(i, j): (cells of i, cells of j)} for i < j, samples less rows in standard errors; nan where too few
        rows are expected
    distance : (m, m) of `quadrant_distances`; chance : the largest of them by luck
    data_correlation, sample_correlation : (m, m) rank correlations; nan where a category has no order
    worst : the shown pair that differs most
    """

    tables: TwoTables
    window: np.ndarray
    margin_edges: tuple[np.ndarray, ...]
    edges: tuple[np.ndarray, ...]
    data_share: tuple[np.ndarray, ...]
    sample_share: tuple[np.ndarray, ...]
    residual: dict[tuple[int, int], np.ndarray]
    distance: np.ndarray
    chance: float
    data_correlation: np.ndarray
    sample_correlation: np.ndarray
    worst: tuple[int, int]


def pair_panels(tables: TwoTables) -> PairPanels:
    """Everything a matrix of pairs shows of these few columns."""
    data, samples, m = tables.data, tables.samples, len(tables.names)
    if m < 2:
        raise ValueError(f"a matrix of pairs needs at least two columns, not {m}")
    n = min(len(data), len(samples))
    window = np.array([_window(data[:, j], samples[:, j], tables.levels[j]) for j in range(m)])
    margin_edges = tuple(
        _edges(data[:, j], window[j], tables.levels[j], int(np.clip(np.sqrt(n), 6, 30))) for j in range(m)
    )
    n_cells = int(np.clip(np.sqrt(n / 8), 4, 12))
    edges = tuple(_cells(data[:, j], window[j], margin_edges[j], tables.levels[j], n_cells) for j in range(m))
    shares = [tuple(np.histogram(T[:, j], margin_edges[j])[0] / len(T) for j in range(m)) for T in (data, samples)]
    residual = {(i, j): _residual(data[:, [i, j]], samples[:, [i, j]], edges[i], edges[j])
                for i in range(m) for j in range(i + 1, m)}  # fmt: skip
    distance = quadrant_distances(data, tables.on_grid)
    correlations = [rank_correlations(T) for T in (data, samples)]
    nominal = [levels is not None and len(levels) > 2 for levels in tables.levels]
    for matrix in correlations:
        matrix[nominal, :] = matrix[:, nominal] = np.nan
    flat = int(np.triu(distance, 1).argmax())
    return PairPanels(
        tables,
        window,
        margin_edges,
        edges,
        *shares,
        residual,
        distance,
        distance_by_chance(data, tables.on_grid),
        *correlations,
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
    return np.linspace(*window, n_bins + 1)


def _cells(
    data: np.ndarray, window: np.ndarray, margin_edges: np.ndarray, levels: tuple[str, ...] | None, n_cells: int
) -> np.ndarray:
    """Edges between which about equally many rows lie; those of the margin where these are no more than the cells."""
    if levels is not None or len(margin_edges) <= n_cells + 1:
        return margin_edges
    inner = np.quantile(data[np.isfinite(data)], np.arange(1, n_cells) / n_cells)
    return np.unique(np.concatenate([window, inner[(inner > window[0]) & (inner < window[1])]]))


def _residual(A: np.ndarray, B: np.ndarray, edges_x: np.ndarray, edges_y: np.ndarray) -> np.ndarray:
    counts = [np.histogram2d(T[:, 0], T[:, 1], (edges_x, edges_y))[0] for T in (A, B)]
    pooled = (counts[0] + counts[1]) / (len(A) + len(B))
    error = np.sqrt(pooled * (1 - pooled) * (1 / len(A) + 1 / len(B)))
    few = (pooled * min(len(A), len(B)) < MIN_EXPECTED) | (error == 0)
    return np.where(few, np.nan, (counts[1] / len(B) - counts[0] / len(A)) / np.where(few, 1.0, error))
