"""Exact intervals of shares, also of rows that are worth fewer independent ones."""

from __future__ import annotations

import numpy as np
from scipy import stats


def exact_interval(
    count: np.ndarray | float, n: np.ndarray | float, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper ends of the interval of a share (Clopper and Pearson 1934), of the shape of `count` and `n`.

    Parameters
    ----------
    count : how many of `n` rows; need not be whole
    n : rows, or the independent rows that they are worth; 0 gives 0 to 1
    level : coverage, at least

    >>> low, high = exact_interval(8, 8)
    >>> round(float(low), 3), float(high)
    (0.631, 1.0)
    """
    count, n = np.asarray(count, np.float64), np.asarray(n, np.float64)
    rest, tail = n - count, (1 - level) / 2
    low = np.where(count > 0, stats.beta.ppf(tail, np.maximum(count, 1e-9), rest + 1), 0.0)
    high = np.where(rest > 0, stats.beta.ppf(1 - tail, count + 1, np.maximum(rest, 1e-9)), 1.0)
    return low, high
