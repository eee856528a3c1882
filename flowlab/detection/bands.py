"""Bands around curves against the threshold: exact intervals of shares, wider where rows come in stretches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from flowlab.detection.intervals import exact_interval
from flowlab.detection.metrics import Measures, ThresholdCurves


def confidence_bands(
    curves: ThresholdCurves,
    thresholds: np.ndarray,
    level: float = 0.95,
    beta: float = 1.0,
    stretches: Sequence[ThresholdCurves] = (),
) -> Measures:
    """Bands of every curve: each measure but the false and missed rows as (2, n_thresholds), lower and upper.

    Parameters
    ----------
    curves : of the rows
    thresholds : (n_thresholds,) where to evaluate
    level : coverage, at least, at any one threshold that was not chosen on these rows
    beta : of F-beta
    stretches : curves of consecutive stretches of the same rows, at least two, where neighbouring rows depend on each
        other or events last several rows; none where rows are independent

    Shares have exact intervals (Clopper and Pearson 1934), so a band has a width also where nothing was missed. From
    stretches the variance of each share is taken between them, and the rows count as the independent ones that would
    vary as much (Korn and Graubard 1998). The cost joins the intervals of false alarms and missed rows (Zou and Donner
    2008); it is left out where late rows cost something.
    """
    thresholds = np.asarray(thresholds, np.float64)
    n = len(curves.ordered)
    parts = [_counts(stretch, thresholds) for stretch in stretches]

    whole = _counts(curves, thresholds)

    def band(count: str, of: str, level: float = level) -> np.ndarray:
        by_part = None if not parts else (np.stack([p[count] for p in parts]), np.stack([p[of] for p in parts]))
        return _interval(whole[count], whole[of], by_part, level)

    flagged = band("flagged", "rows")
    costs, anomalous, normal = curves.costs, curves.anomalous, curves.normal
    if costs is None or anomalous is None or normal is None:
        return Measures(flagged * n, flagged)
    at = curves.at(thresholds, beta)
    if beta == 1:
        overlap = band("caught", "anomalous or flagged")
        f_beta = 2 * overlap / (1 + overlap)
    else:
        # it rises in precision and in recall, which share the error
        both = band("caught", "flagged", 0.5 + 0.5 * level), band("caught", "anomalous", 0.5 + 0.5 * level)
        f_beta = np.divide(
            (1 + beta**2) * both[0] * both[1], beta**2 * both[0] + both[1], out=np.zeros_like(both[0]),
            where=both[0] + both[1] > 0,
        )  # fmt: skip
    cost, model = None, costs.model
    if not model.c_late:
        false, missed = n * band("costly alarms", "rows"), n * band("costly misses", "rows")
        most = np.hypot(model.c_alarm * (false[1] - costs.false_alarms(thresholds)),
                        model.c_missed * (missed[1] - costs.missed(thresholds)))  # fmt: skip
        least = np.hypot(model.c_alarm * (costs.false_alarms(thresholds) - false[0]),
                         model.c_missed * (costs.missed(thresholds) - missed[0]))  # fmt: skip
        cost = np.stack([np.maximum(at.cost - least, 0.0), at.cost + most])
    return Measures(
        flagged=flagged * n,
        flagged_share=flagged,
        precision=np.where(at.flagged > 0, band("caught", "flagged"), np.nan),
        recall=np.where(len(anomalous) > 0, band("caught", "anomalous"), np.nan),
        false_alarm_rate=np.where(len(normal) > 0, band("false", "normal"), np.nan),
        f_beta=f_beta,
        cost=cost,
    )


def _counts(curves: ThresholdCurves, thresholds: np.ndarray) -> dict[str, np.ndarray]:
    """Counts of rows at each threshold, (n_thresholds,) each."""
    flagged = curves.flagged(thresholds)
    counts = {"flagged": flagged, "rows": np.full_like(flagged, len(curves.ordered))}
    if curves.costs is not None and curves.anomalous is not None:
        at = curves.at(thresholds)
        n_anomalous = np.full_like(flagged, len(curves.anomalous))
        counts |= {
            "caught": n_anomalous - at.missed,
            "false": np.asarray(at.false_alarms),
            "anomalous": n_anomalous,
            "normal": counts["rows"] - n_anomalous,
            "anomalous or flagged": n_anomalous + at.false_alarms,
            "costly alarms": curves.costs.false_alarms(thresholds),
            "costly misses": curves.costs.missed(thresholds),
        }
    return counts


def _interval(
    count: np.ndarray, of: np.ndarray, by_part: tuple[np.ndarray, np.ndarray] | None, level: float
) -> np.ndarray:
    """Interval of the share count / of, (2, n_thresholds); `by_part` are both for each stretch (n_parts, ...)."""
    if by_part is None:
        return np.stack(exact_interval(count, of, level))
    counts, wholes = by_part
    used = np.maximum((wholes > 0).sum(axis=0), 2)
    share = np.divide(count, of, out=np.zeros(len(count)), where=of > 0)
    # variance of a ratio of totals over stretches (Cochran 1977, section 6.3)
    rest = counts - share * wholes
    variance = used / (used - 1) * (rest**2).sum(axis=0) / np.maximum(of, 1) ** 2
    worth = np.divide(share * (1 - share), variance, out=np.zeros(len(count)), where=variance > 0)
    # fewer stretches tell the variance less well
    worth *= (stats.norm.ppf(0.5 + 0.5 * level) / stats.t.ppf(0.5 + 0.5 * level, used - 1)) ** 2
    # where nothing varies each stretch counts as one row
    worth = np.where(variance > 0, np.minimum(worth, of), np.minimum(used, of))
    return np.stack(exact_interval(share * worth, worth, level))
