"""How far two samples differ in each pair of columns, what luck alone would give, and rank correlations."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

MAX_CUTS = 800
"""Cut points of all columns together; the work grows with their square."""
SHUFFLES = 20


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
    """What the largest off-diagonal entry of `quadrant_distances` is by luck: exceeded once in twenty shuffles."""
    d, rng = A.shape[1], np.random.default_rng(random_state)
    below = _below_cuts(np.concatenate([A, B]), _n_cuts(d))
    is_a, off = np.arange(len(A) + len(B)) < len(A), ~np.eye(d, dtype=bool)
    largest = [_distances(below, rng.permutation(is_a), d)[off].max(initial=0.0) for _ in range(SHUFFLES)]
    return float(np.quantile(largest, 0.95))


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
    both = a.T @ a / len(a) - b.T @ b / len(b)
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
    ranks = rankdata(np.where(np.isnan(X), np.inf, X), axis=0)
    ranks -= ranks.mean(axis=0)
    size = np.linalg.norm(ranks, axis=0)
    ranks /= np.where(size > 0, size, 1.0)
    return ranks.T @ ranks
