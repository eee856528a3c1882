"""Heavy tails: columns with more far values than a normal distribution, or a few of them, would have."""

from __future__ import annotations

import numpy as np

FAR = 5.0
"""Values this many robust standard deviations from the median are far; of a normal column 6e-7 are."""
FAR_SHARE, FEWEST_FAR = 0.002, 5
"""Share and number of far rows from which on a column counts as heavy-tailed."""
NORMAL_QUARTILES = 1.349
"""Interquartile range of the standard normal distribution."""


def far_share(X: np.ndarray) -> np.ndarray:
    """Share of the rows X (n, d) that lie far out in each column, (d,); 0 where the middle half has no spread.

    >>> rng = np.random.default_rng(0)
    >>> far_share(np.column_stack([rng.normal(size=5000), rng.standard_t(2, 5000)])).round(2).tolist()
    [0.0, 0.03]
    """
    low, median, high = np.quantile(X, [0.25, 0.5, 0.75], axis=0)
    spread = (high - low) / NORMAL_QUARTILES
    return np.where(spread > 0, np.mean(np.abs(X - median) > FAR * spread, axis=0), 0.0)


def has_heavy_tails(X: np.ndarray) -> np.ndarray:
    """Which columns of X (n, d) have so many far values that they are a part of the shape, (d,) bool."""
    return far_share(X) >= max(FAR_SHARE, FEWEST_FAR / max(len(X), 1))
