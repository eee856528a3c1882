"""Sampling uncertainty of curves and thresholds: bootstrap bands and intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from flowlab.detection.cost import row_positions
from flowlab.detection.metrics import Measures, ThresholdCurves
from flowlab.detection.rules import RULES, choose
from flowlab.detection.threshold import Threshold, check_scores


def bootstrap_bands(
    curves: ThresholdCurves,
    thresholds: np.ndarray,
    n_boot: int = 300,
    level: float = 0.95,
    beta: float = 1.0,
    random_state: int = 0,
) -> Measures:
    """Bootstrap bands of every curve: each measure but the false and missed rows as (2, n_thresholds), lower and upper.

    Parameters
    ----------
    curves : of the rows that are resampled
    thresholds : (n_thresholds,) where to evaluate; they are sorted first
    n_boot : number of resamples
    level : pointwise coverage of the bands
    beta : of F-beta
    random_state : seed of the resamples

    Only the cell of the threshold grid in which a row's score lies matters to the counts, so resampling rows is
    a multinomial draw over cells: exact, and independent of the number of rows. The band of the cost keeps each
    row's neighbours within the tolerance as they are, and is left out where late rows cost something.
    """
    thresholds = np.sort(np.asarray(thresholds, np.float64))
    rng = np.random.default_rng(random_state)
    if curves.has_labels:
        caught, false = _resampled_counts([curves.anomalous, curves.normal], thresholds, n_boot, rng)
        cost, costs = None, curves.costs
        if not costs.model.c_late:
            groups = [costs.alone, costs.best_near]
            alone, near = _resampled_counts(groups, thresholds, n_boot, rng, len(curves.ordered))
            cost = costs.model.c_alarm * alone[:, 1:] + costs.model.c_missed * (near[:, :1] - near[:, 1:])
        drawn = Measures.of_counts(caught[:, 1:], false[:, 1:], caught[:, :1], false[:, :1], cost, beta)
    else:
        (flagged,) = _resampled_counts([curves.ordered], thresholds, n_boot, rng)
        drawn = Measures(flagged[:, 1:], flagged[:, 1:] / len(curves.ordered))

    def band(values: np.ndarray | None) -> np.ndarray | None:
        return None if values is None else _quantiles(values, [(1 - level) / 2, (1 + level) / 2])

    with np.errstate(all="ignore"):
        flagged = band(drawn.flagged)
        return Measures(
            flagged=flagged,
            flagged_share=flagged / len(curves.ordered),
            precision=band(drawn.precision),
            recall=band(drawn.recall),
            false_alarm_rate=band(drawn.false_alarm_rate),
            f_beta=band(drawn.f_beta),
            cost=band(drawn.cost),
        )


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
    """The same threshold with the bootstrap interval of its value.

    Parameters
    ----------
    threshold : of a rule in `rules.RULES`; a refused or manual one comes back as it is
    scores, y : (n,) scores and labels (or None) that it was chosen on
    context : as for `rules.choose`
    n_boot : number of resamples
    level : coverage of the interval
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
    values = np.sort(values)
    low, high = (values[min(int(tail * n_boot), n_boot - 1)] for tail in ((1 - level) / 2, (1 + level) / 2))
    return replace(threshold, interval=(float(low), float(high)) if np.isfinite(low) else None)


def _resampled_counts(
    groups: list[np.ndarray], thresholds: np.ndarray, n_boot: int, rng: np.random.Generator, n_rows: int | None = None
) -> list[np.ndarray]:
    """Per group (n_boot, 1 + n_thresholds): resampled size, then resampled number of values at each threshold."""
    cells = [np.bincount(np.searchsorted(thresholds, g, side="right"), minlength=len(thresholds) + 1) for g in groups]
    counts = np.concatenate(cells)
    n_rows = n_rows or int(counts.sum())
    counts = np.r_[counts, n_rows - counts.sum()]
    drawn = rng.multinomial(n_rows, counts / n_rows, size=n_boot)[:, :-1]
    parts = np.split(drawn, len(groups), axis=1)
    return [part[:, ::-1].cumsum(axis=1)[:, ::-1] for part in parts]


def _quantiles(values: np.ndarray, tails: list[float]) -> np.ndarray:
    defined = ~np.isnan(values).all(axis=0)
    result = np.full((2, values.shape[1]), np.nan)
    result[:, defined] = np.nanquantile(values[:, defined], tails, axis=0)
    return result


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
    if value is None or key == "batch":
        return value
    return np.asarray(value)[rows]
