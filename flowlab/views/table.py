"""Summaries of a table's columns: histograms, correlations, pairs of columns, values over time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from flowlab.encoding.numeric import is_known, numbers
from flowlab.formatting import count
from flowlab.ranking import correlation_matrix

MAX_ROWS = 20_000
"""Rows that histograms are computed from."""
MAX_POINTS = 3_000
"""Points of a scatter."""
MAX_CORRELATED = 160
"""Columns of a correlation matrix."""
MAX_LEVELS = 12
"""Bars of a category."""


def evenly_spread_rows(n_rows: int, y: np.ndarray | None = None, limit: int = MAX_ROWS) -> np.ndarray:
    """Row numbers to draw, ascending: spread evenly over the table, labelled anomalies always among them.

    >>> evenly_spread_rows(100, np.arange(100) == 7, limit=10).tolist()
    [0, 7, 11, 22, 33, 44, 55, 66, 77, 88, 99]
    """
    if n_rows <= limit:
        return np.arange(n_rows)
    even = np.unique(np.linspace(0, n_rows - 1, limit).astype(int))
    if y is None or not y.any():
        return even
    anomalies = np.flatnonzero(y)
    if len(anomalies) > limit // 2:
        anomalies = anomalies[np.linspace(0, len(anomalies) - 1, limit // 2).astype(int)]
    return np.unique(np.concatenate([even, anomalies]))


@dataclass(frozen=True, eq=False)
class ColumnSummary:
    """One column's small histogram.

    For numbers and dates `edges` has one more entry than `normal` and `anomalies` (dates in seconds since 1970); for
    categories `levels` names the bars. Counts are shares of the rows of their kind. `outside` is the share of values
    beyond the edges, which span the central 99 % where tails are long.
    """

    name: str
    kind: str
    missing: float
    n_distinct: int
    normal: np.ndarray
    anomalies: np.ndarray | None
    edges: np.ndarray | None = None
    levels: tuple[str, ...] = ()
    outside: float = 0.0


def column_summaries(
    frame: pd.DataFrame, y: np.ndarray | None = None, names: Sequence[str] | None = None, n_bins: int = 24
) -> list[ColumnSummary]:
    """A small histogram for each column (or those of `names`), split by label; from a sample of large tables."""
    rows = evenly_spread_rows(len(frame), y)
    sample = frame.iloc[rows]
    is_anomaly = None if y is None else y[rows].astype(bool)
    return [_summary(sample[name], is_anomaly, n_bins) for name in (frame if names is None else names)]


def _summary(column: pd.Series, is_anomaly: np.ndarray | None, n_bins: int) -> ColumnSummary:
    name = str(column.name)
    is_date = str(column.dtype).startswith("datetime")
    is_number = pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype)
    if not (is_date or is_number):
        return _level_summary(column.astype("str"), name, is_anomaly)
    values = numbers(column)
    known = is_known(values)
    kind = "date" if is_date else "number"
    missing = float(1 - known.mean()) if len(known) else 0.0
    present = values[known]
    if not len(present):
        return ColumnSummary(name, kind, missing, 0, np.zeros(1), None, np.array([0.0, 1.0]))
    low, high = present.min(), present.max()
    q_low, q_high = np.quantile(present, [0.005, 0.995])
    if high - low > 4 * (q_high - q_low) > 0:
        low, high = q_low, q_high
    if low == high:
        low, high = low - 0.5, high + 0.5
    distinct = np.unique(present)
    if len(distinct) <= n_bins and (np.diff(distinct) > 0).all() and np.all(distinct == np.rint(distinct)):
        span = int(distinct[-1] - distinct[0])
        edges = np.arange(span + 2) + distinct[0] - 0.5 if span < n_bins else np.linspace(low, high, n_bins + 1)
    else:
        edges = np.linspace(low, high, n_bins + 1)
    normal, anomalies = _shares(lambda mask: np.histogram(values[mask], edges)[0], known, is_anomaly)
    outside = float(((present < edges[0]) | (present > edges[-1])).mean())
    return ColumnSummary(name, kind, missing, len(distinct), normal, anomalies, edges, outside=outside)


def _level_summary(column: pd.Series, name: str, is_anomaly: np.ndarray | None) -> ColumnSummary:
    known = column.notna().to_numpy()
    counts = column.value_counts()
    top = [str(level) for level in counts.index[: MAX_LEVELS - (len(counts) > MAX_LEVELS)]]
    codes = pd.Index(top).get_indexer(column.to_numpy(dtype=object))
    codes[codes < 0] = len(top)
    size = len(top) + (len(counts) > MAX_LEVELS)
    normal, anomalies = _shares(lambda m: np.bincount(codes[m], minlength=size)[:size], known, is_anomaly)
    levels = tuple(top) + (f"{count(len(counts) - len(top))} others",) * (size > len(top))
    return ColumnSummary(name, "category", float(1 - known.mean()), len(counts), normal, anomalies, levels=levels)


def _shares(
    counted: Callable[[np.ndarray], np.ndarray], known: np.ndarray, is_anomaly: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None]:
    if is_anomaly is None:
        return counted(known) / max(known.sum(), 1), None
    normal, anomalous = known & ~is_anomaly, known & is_anomaly
    return counted(normal) / max(normal.sum(), 1), counted(anomalous) / max(anomalous.sum(), 1)


@dataclass(frozen=True, eq=False)
class Correlation:
    """Spearman correlations (m, m) of columns, ordered so that related ones are adjacent.

    `left_out` counts the columns beyond MAX_CORRELATED.
    """

    names: tuple[str, ...]
    values: np.ndarray
    left_out: int


def correlation(frame: pd.DataFrame, y: np.ndarray | None = None, names: Sequence[str] | None = None) -> Correlation:
    """Rank correlations of up to MAX_CORRELATED numeric columns, missing values at the median, from 5,000 rows."""
    numeric = [name for name in (frame if names is None else names) if pd.api.types.is_numeric_dtype(frame[name].dtype)]
    sample = frame[numeric].iloc[evenly_spread_rows(len(frame), y, 5000)].astype(float)
    sample = sample.where(np.abs(sample) < 1e100)
    varying = [name for name, varies in zip(numeric, sample.max() > sample.min()) if varies]
    kept = varying[:MAX_CORRELATED]
    if len(kept) < 2:
        return Correlation(tuple(kept), np.ones((len(kept), len(kept))), 0)
    ranks = sample[kept].rank()
    values = correlation_matrix(ranks.fillna(ranks.median()).to_numpy())
    order = _cluster_order(values)
    return Correlation(tuple(kept[i] for i in order), values[np.ix_(order, order)], len(varying) - len(kept))


def _cluster_order(values: np.ndarray) -> np.ndarray:
    """Order of the leaves of an average-linkage tree over 1 - correlation."""
    if len(values) < 4:
        return np.arange(len(values))
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    distance = 1 - values
    distance = (distance + distance.T) / 2
    np.fill_diagonal(distance, 0)
    return leaves_list(linkage(squareform(np.maximum(distance, 0), checks=False), "average"))


@dataclass(frozen=True, eq=False)
class Pair:
    """Two columns of the same rows: x, y (m,), as numbers or texts; anomalous (m,) bool or None; row numbers (m,)."""

    names: tuple[str, str]
    x: np.ndarray
    y: np.ndarray
    anomalous: np.ndarray | None
    rows: np.ndarray


def column_pair(frame: pd.DataFrame, first: str, second: str, y: np.ndarray | None = None) -> Pair:
    """At most MAX_POINTS rows of two columns, labelled anomalies among them."""
    rows = evenly_spread_rows(len(frame), y, MAX_POINTS)
    part = frame[[first] if first == second else [first, second]].iloc[rows]
    values = [_drawable(part[name]) for name in (first, second)]
    return Pair((first, second), values[0], values[1], None if y is None else y[rows].astype(bool), rows)


def _drawable(column: pd.Series) -> np.ndarray:
    if pd.api.types.is_bool_dtype(column.dtype) or not (
        pd.api.types.is_numeric_dtype(column.dtype) or str(column.dtype).startswith("datetime")
    ):
        return column.astype("str").fillna("missing").to_numpy(dtype=object)
    if str(column.dtype).startswith("datetime"):
        return column.to_numpy("datetime64[ns]")
    values = numbers(column)
    return np.where(is_known(values), values, np.nan)


@dataclass(frozen=True, eq=False)
class TimeCourse:
    """A column over time, thinned so that every peak stays: time and value (m,), nan between gaps; where the label
    says anomaly; and where each part of the division begins and ends in time (part 0, 1 or 2)."""

    name: str
    time: np.ndarray
    value: np.ndarray
    anomaly_time: np.ndarray
    anomaly_value: np.ndarray
    parts: tuple[tuple[int, np.datetime64 | float, np.datetime64 | float], ...]


def time_course(
    values: pd.Series, time: np.ndarray, split: np.ndarray, y: np.ndarray | None = None, n_points: int = 2000
) -> TimeCourse:
    """One column in order of time; of each stretch of rows the lowest and the highest value are kept."""
    order = np.argsort(time, kind="stable")
    numeric = numbers(values) if pd.api.types.is_numeric_dtype(values.dtype) else pd.factorize(values)[0].astype(float)
    ordered_values, ordered_time = np.where(is_known(numeric), numeric, np.nan)[order], np.asarray(time)[order]
    kept = _peaks(ordered_values, n_points)
    course = _with_gaps(ordered_time, ordered_values, kept)
    marked = np.zeros(0, dtype=int) if y is None else np.flatnonzero(y[order])
    marked = marked[np.linspace(0, len(marked) - 1, min(len(marked), 1500)).astype(int)] if len(marked) else marked
    spans = []
    parts = split[order]
    starts = np.r_[0, np.flatnonzero(np.diff(parts)) + 1]
    if len(starts) <= 24:  # a random split has no stretches to shade
        ends = np.r_[starts[1:] - 1, len(parts) - 1]
        spans = [(int(parts[a]), ordered_time[a], ordered_time[b]) for a, b in zip(starts, ends)]
    return TimeCourse(str(values.name), *course, ordered_time[marked], ordered_values[marked], tuple(spans))


def _with_gaps(time: np.ndarray, value: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The kept points, and a point without a value in every gap of more than 50 median steps."""
    if len(time) < 3:
        return time[kept], value[kept]
    steps = np.diff(time.astype("int64") if time.dtype.kind == "M" else time)
    median_step = np.median(steps[steps > 0]) if (steps > 0).any() else 0
    if not median_step:
        return time[kept], value[kept]
    gaps = np.flatnonzero(steps > 50 * median_step)
    if len(gaps) > 500:  # irregular rows have no typical step
        return time[kept], value[kept]
    ends = np.unique(np.concatenate([kept, gaps, gaps + 1]))
    places = np.searchsorted(ends, gaps, side="right")
    return np.insert(time[ends], places, time[gaps]), np.insert(value[ends], places, np.nan)


def _peaks(values: np.ndarray, n_points: int) -> np.ndarray:
    if len(values) <= n_points:
        return np.arange(len(values))
    kept = []
    for stretch in np.array_split(np.arange(len(values)), n_points // 2):
        part = values[stretch]
        if np.isnan(part).all():
            kept.append(stretch[0])
        else:
            kept += [stretch[np.nanargmin(part)], stretch[np.nanargmax(part)]]
    return np.unique(kept)
