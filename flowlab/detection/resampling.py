"""How far a threshold hangs on single rows: bootstrap intervals of its value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from flowlab.detection.cost import row_positions
from flowlab.detection.rules import RULES, choose
from flowlab.detection.threshold import Threshold, check_scores


def bootstrap_interval(
    threshold: Threshold,
    scores: np.ndarray,
    y: np.ndarray | None = None,
    context: Mapping | None = None,
    n_boot: int = 50,
    level: float = 0.95,
    random_state: int = 0,
    max_rows: int = 20_000,
) -> Threshold:
    """The same threshold with the interval in which its value lies in a share `level` of bootstrap resamples.

    This tells how far the value hangs on single rows. It is no interval in which the threshold of other rows would lie
    as often: that one is wider, and for rules that cut among the highest scores no resample shows it.

    Parameters
    ----------
    threshold : of a rule in `rules.RULES`; a refused or manual one comes back as it is
    scores, y : (n,) scores and labels (or None) that it was chosen on
    context : as for `rules.choose`
    n_boot : number of resamples
    level : share of resamples in the interval
    random_state : seed of the resamples
    max_rows : rows in one resample, at most

    The rule is applied to `n_boot` resamples of the rows; refusals count as infinite, and a threshold whose
    rule mostly refuses keeps no interval. Beyond `max_rows` rows a random part is resampled, which widens the
    interval. A cost model's tolerance is honoured by resampling blocks that are longer than it.
    """
    if threshold.refused or threshold.rule not in RULES:
        return threshold
    scores, labels = check_scores(scores, y)
    rng = np.random.default_rng(random_state)
    context = dict(context or {})
    block = _block_length(threshold, context.pop("position", None), len(scores))
    values = []
    for _ in range(n_boot):
        rows = _resample(len(scores), min(len(scores), max_rows), block, rng)
        here = {key: _of_rows(value, rows, len(scores), key) for key, value in context.items()}
        resampled = choose(
            threshold.rule, scores[rows], None if labels is None else labels[rows], here, **threshold.parameters
        )
        values.append(resampled.value)
    values, out = np.sort(values), int((1 - level) / 2 * n_boot)
    low, high = (values[i] for i in (out, n_boot - 1 - out))
    return replace(threshold, interval=(float(low), float(high)) if np.isfinite(low) else None)


def _block_length(threshold: Threshold, position: np.ndarray, n_rows: int) -> int:
    """Rows that are resampled together: one, or three times the rows that the tolerance spans."""
    tolerance = float(threshold.parameters.get("tolerance", 0))
    if not tolerance:
        return 1
    step = 1.0
    if position is not None and n_rows > 1:
        step = float(np.median(np.diff(np.sort(row_positions(n_rows, position))))) or 1.0
    return int(np.clip(3 * (2 * tolerance / step + 1), 1, max(n_rows // 5, 1)))


def _resample(n_rows: int, n_drawn: int, block: int, rng: np.random.Generator) -> np.ndarray:
    if block == 1:
        return rng.integers(n_rows, size=n_drawn)
    starts = rng.integers(n_rows, size=-(-n_drawn // block))
    return ((starts[:, None] + np.arange(block)) % n_rows).ravel()[:n_drawn]


def _of_rows(value: np.ndarray | None, rows: np.ndarray, n_rows: int, key: str) -> np.ndarray | None:
    if value is None or key in ("batch", "time", "worth"):
        return value
    return np.asarray(value)[rows]
