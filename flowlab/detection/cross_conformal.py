"""A promise without rows set aside: each row is scored by the copy of the model that was not fitted to it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from flowlab.constraints import PROPER_SHARE, checked
from flowlab.detection.conformal import false_alarm_promise, normal_rows
from flowlab.detection.threshold import Threshold
from flowlab.formatting import count, short_percent


def worst_rate(rate: float, n_rows: int, n_folds: int) -> float:
    """What share of normal rows may at worst have a p-value of at most `rate`, on average over tables.

    Parameters
    ----------
    rate : level of the p-value, (1 + rows that score at least as high) / (1 + n_rows)
    n_rows : rows that were scored out of their fold
    n_folds : folds; as many as rows for one row left out at a time

    A new row has the least of the K scores by the copies, so it counts as strange only where all copies find it so.
    Then the bound holds for every model and distribution of exchangeable rows. With one row left out at a time it is
    `rate` itself (Barber et al. 2021, theorem 2, "jackknife-minmax"). With K folds the p-value is at least the weighted
    mean of K split conformal p-values, one for each fold, less (K - 1) (1 - rate) / (n + K), and twice a weighted mean
    of p-values is one (Vovk and Wang 2020), so it is at most 2 rate + 2 (K - 1) (1 - rate) / (n + K). Models that
    change little with the rows of one fold stay below `rate`: their copies score alike.

    >>> worst_rate(0.05, 200, 200), round(worst_rate(0.05, 995, 5), 4)
    (0.05, 0.1076)
    """
    if n_folds >= n_rows:
        return rate
    return min(1.0, 2 * rate + 2 * (n_folds - 1) * (1 - rate) / (n_rows + n_folds))


@checked(rate=PROPER_SHARE)
def cross_validated_promise(
    scores: np.ndarray, y: np.ndarray | None = None, *, rate: float = 0.01, n_folds: int
) -> Threshold:
    """Threshold that flags a normal row with probability `rate`, with the words that hold for scores out of the fold.

    Parameters
    ----------
    scores : (n,) anomaly scores, of each row by the copy that was not fitted to it
    y : (n,) 1 for anomalies, or None
    rate : promised share of normal rows that are flagged, on average over tables
    n_folds : copies of the model
    """
    found = false_alarm_promise(scores, y, rate=rate)
    if found.refused:
        return found
    normal, _ = normal_rows(scores, y)
    n = len(normal)
    worst = worst_rate(rate, n, n_folds)
    at_worst = (
        "This holds for any model."
        if worst == rate
        else f"For a model that hangs on the rows of one fold it can at worst be {short_percent(worst)}."
    )
    sentence = (
        f"About {short_percent(rate)} of normal rows are flagged, or fewer, on average over tables: no rows were set "
        f"aside, each of {count(n)} normal rows was scored by the one of {count(n_folds)} models that was not fitted "
        f"to it, and {count(int(np.sum(normal >= found.value)))} of them lie above the threshold. {at_worst} It holds "
        "for independent rows from the same source."
    )
    return replace(found, sentence=sentence)
