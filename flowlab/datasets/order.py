"""Order: whether neighbouring rows of a table resemble each other, so that rows are no independent draws."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

FAR = 5
"""Rows so many places apart are compared with direct neighbours."""
LOCAL = 0.4
"""From this share on, by which neighbours differ less than rows five places apart, a column counts as a series."""
FEWEST_ROWS = 50
MOST_ROWS = 20_000
"""Of longer tables the first rows are looked at."""
SORTED = 0.9
"""A column whose steps go one way more often than this is sorted, which says nothing of the others."""


def local_autocorrelation(values: np.ndarray) -> float:
    """How much more direct neighbours resemble each other than rows five places apart, 0 (not at all) to 1.

    Parameters
    ----------
    values : (n,) a column in the order of its rows

    1 - (d1 / d5) ** 2 for the median absolute differences d1 and d5 at one and at five places. It is 0.76 for an
    autoregression of order 1 with coefficient 0.9, and about 0 for independent rows, also where they are sorted into
    groups: there rows five places apart are mostly of one group, too. 0 for sorted columns and where the rank
    autocorrelation of neighbours is within five standard errors of none.
    """
    values = np.asarray(values, np.float64)
    n = len(values)
    if n < FEWEST_ROWS or not np.isfinite(values).all():
        return 0.0
    steps = np.diff(values)
    moved = steps[steps != 0]
    if len(moved) == 0 or max(np.mean(moved > 0), np.mean(moved < 0)) > SORTED:
        return 0.0
    ranks = rankdata(values)
    if np.corrcoef(ranks[1:], ranks[:-1])[0, 1] < 5 / np.sqrt(n):
        return 0.0
    near, far = np.median(np.abs(steps)), np.median(np.abs(values[FAR:] - values[:-FAR]))
    return float(max(1 - (near / far) ** 2, 0.0)) if far > 0 else 0.0


def columns_in_order(X: np.ndarray) -> np.ndarray:
    """Numbers of the columns of X (n, n_columns) whose neighbouring rows resemble each other."""
    X = np.asarray(X, np.float64)[:MOST_ROWS]
    return np.flatnonzero([local_autocorrelation(column) >= LOCAL for column in X.T])


def is_series(X: np.ndarray) -> bool:
    """Whether the rows of X (n, n_columns) are a series: at least a third of the columns that are numbers say so.

    >>> rng = np.random.default_rng(0)
    >>> is_series(rng.normal(size=(500, 2))), is_series(rng.normal(size=(500, 2)).cumsum(axis=0))
    (False, True)
    """
    n_columns = np.shape(X)[1]
    return n_columns > 0 and 3 * len(columns_in_order(X)) >= n_columns


def independent_share(values: np.ndarray) -> float:
    """How many independent rows each row of a series is worth, above 0 and at most 1.

    Parameters
    ----------
    values : (n,) scores in the order of their rows

    1 / (1 + 2 sum of the autocorrelations of the ranks), summed in pairs while they are positive (Geyer 1992).
    """
    ranks = rankdata(values)
    n = len(ranks)
    centred = ranks - ranks.mean()
    if n < 4 or not centred.any():
        return 1.0
    power = np.abs(np.fft.rfft(centred, 2 * n)) ** 2
    correlation = np.fft.irfft(power)[:n]
    correlation = correlation / correlation[0]
    pairs = correlation[: n // 2 * 2].reshape(-1, 2).sum(axis=1)
    positive = pairs[: int(np.argmax(pairs <= 0))] if (pairs <= 0).any() else pairs
    return float(min(1.0, 1 / max(2 * positive.sum() - 1, 1.0)))
