"""Statistics of order, once: AUROC, average precision, Spearman's correlation, Kolmogorov-Smirnov distance."""

from __future__ import annotations

import numpy as np


def alarm_counts(
    scores: np.ndarray, is_anomaly: np.ndarray, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Anomalies and normal rows at each distinct score, from the highest score to the lowest.

    Parameters
    ----------
    scores : (n,) higher is more anomalous
    is_anomaly : (n,) bool
    weights : (m, n) how often each row counts, m times; by default once

    Returns
    -------
    anomalies, normal : (m, n_distinct), m being 1 without weights
    """
    scores, is_anomaly = np.asarray(scores, np.float64), np.asarray(is_anomaly, bool)
    W = np.ones((1, len(scores))) if weights is None else weights
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    anomalies = np.add.reduceat(W[:, order] * is_anomaly[order], starts, axis=1)
    return anomalies, np.add.reduceat(W[:, order] * ~is_anomaly[order], starts, axis=1)


def area_under_roc(anomalies: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Area under the ROC curve, (m,), of what `alarm_counts` gives; nan unless both labels occur."""
    below = normal.sum(1, keepdims=True) - normal.cumsum(1) + normal / 2
    return _share((anomalies * below).sum(1), anomalies.sum(1) * normal.sum(1))


def area_under_steps(anomalies: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Average precision, (m,), of what `alarm_counts` gives; nan without anomalies.

    Precision times each step of recall, summed (scikit-learn's definition, without interpolation).
    """
    caught = anomalies.cumsum(1)
    flagged = caught + normal.cumsum(1)
    return _share((anomalies * caught / np.maximum(flagged, 1e-300)).sum(1), anomalies.sum(1))


def auroc(scores: np.ndarray, is_anomaly: np.ndarray) -> float:
    """Probability that an anomaly scores above a normal row, ties half; nan when one of them is missing.

    >>> auroc([3, 2, 1, 1], [True, False, True, False])
    0.625
    """
    return float(area_under_roc(*alarm_counts(scores, is_anomaly))[0])


def average_precision(scores: np.ndarray, is_anomaly: np.ndarray) -> float:
    """Mean of precision over the steps of recall; nan without anomalies.

    >>> average_precision([3, 2, 1, 1], [True, False, True, False])
    0.75
    """
    return float(area_under_steps(*alarm_counts(scores, is_anomaly))[0])


def spearman_matrix(X: np.ndarray) -> np.ndarray:
    """Rank correlations (d, d) of the columns of X (n, d), ties by their mean rank; nan for a constant column.

    >>> spearman_matrix([[1, 10, 0], [2, 30, 0], [3, 20, 0]]).round(12).tolist()
    [[1.0, 0.5, nan], [0.5, 1.0, nan], [nan, nan, nan]]
    """
    from scipy.stats import rankdata

    return correlation_matrix(rankdata(X, axis=0))


def correlation_matrix(X: np.ndarray) -> np.ndarray:
    """Correlations (d, d) of the columns of X (n, d), between -1 and 1; nan for a constant column."""
    deviations = X - X.mean(axis=0)
    length = np.linalg.norm(deviations, axis=0)
    Z = np.divide(deviations, length, out=np.full_like(deviations, np.nan), where=length > 0)
    return np.clip(Z.T @ Z, -1, 1)


def kolmogorov_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Largest difference of the empirical distribution functions of two samples (Kolmogorov-Smirnov), 0 to 1.

    >>> kolmogorov_distance([1, 2, 3], [2, 3, 4, 5])
    0.5
    """
    pooled = np.concatenate([np.asarray(a, np.float64), np.asarray(b, np.float64)])[:, None]
    return float(largest_gaps(*sorted_columns(pooled), sample_steps(len(a), len(b)))[0] / (len(a) * len(b)))


def sample_steps(n: int, m: int) -> np.ndarray:
    """What n rows, then m rows, add to n * m times the difference of their distribution functions, (n + m,)."""
    return np.repeat([float(m), -float(n)], [n, m])


def sorted_columns(pooled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Order of the rows by each column, (n, d), and whether the next value there is a larger one, (n, d)."""
    order = np.argsort(pooled, axis=0, kind="stable")
    return order, np.diff(np.take_along_axis(pooled, order, 0), axis=0, append=np.inf) > 0


def largest_gaps(order: np.ndarray, ends: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Largest |sum of the steps of all rows up to a value|, for each of the `sorted_columns`: (d,)."""
    return np.where(ends, np.abs(np.cumsum(steps[order], axis=0)), 0).max(0)


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
