"""Counts, rates, precision and recall at every threshold, computed once by sorting."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flowlab import ranking
from flowlab.detection.cost import CostCurve, CostModel, cost_curve
from flowlab.detection.threshold import check_scores, just_above


@dataclass(frozen=True)
class Confusion:
    """The confusion matrix at one threshold, in rows.

    Attributes
    ----------
    true_alarms, false_alarms : flagged anomalies, flagged normal rows
    missed, true_normal : anomalies and normal rows that are not flagged
    """

    true_alarms: int
    false_alarms: int
    missed: int
    true_normal: int

    @property
    def n_rows(self) -> int:
        """All rows, the sum of the four counts."""
        return self.true_alarms + self.false_alarms + self.missed + self.true_normal


@dataclass(frozen=True, eq=False)
class Measures:
    """What thresholds do, as arrays of one shape; without labels all but the first two are None.

    Attributes
    ----------
    flagged, flagged_share : rows from the threshold on, and their share of all rows
    false_alarms, missed : normal rows that are flagged, anomalies that are not
    precision, recall, false_alarm_rate : 0 to 1; nan without a denominator, as the precision of no alarm
    f_beta : F-beta (van Rijsbergen 1979), 0 to 1; nan only where there is neither an anomaly nor an alarm
    cost : in the unit of the cost model's prices, None where it is not known
    lift : precision over the share of anomalies in all rows, nan where either has no denominator
    """

    flagged: np.ndarray
    flagged_share: np.ndarray
    false_alarms: np.ndarray | None = None
    missed: np.ndarray | None = None
    precision: np.ndarray | None = None
    recall: np.ndarray | None = None
    false_alarm_rate: np.ndarray | None = None
    f_beta: np.ndarray | None = None
    cost: np.ndarray | None = None
    lift: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class LabelledMeasures(Measures):
    """The `Measures` of rows with labels: all are known."""

    false_alarms: np.ndarray
    missed: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    false_alarm_rate: np.ndarray
    f_beta: np.ndarray
    cost: np.ndarray
    lift: np.ndarray

    @classmethod
    def of_counts(
        cls,
        caught: np.ndarray,
        false: np.ndarray,
        n_anomalous: int | np.ndarray,
        n_normal: int | np.ndarray,
        cost: np.ndarray,
        beta: float = 1.0,
    ) -> LabelledMeasures:
        """From flagged anomalies and flagged normal rows, and how many there are of either; all can be broadcast."""
        flagged, missed, weight = caught + false, n_anomalous - caught, beta**2
        return cls(
            flagged=flagged,
            flagged_share=flagged / (n_anomalous + n_normal),
            false_alarms=false,
            missed=missed,
            precision=ratio(caught, flagged),
            recall=ratio(caught, n_anomalous),
            false_alarm_rate=ratio(false, n_normal),
            f_beta=ratio((1 + weight) * caught, (1 + weight) * caught + weight * missed + false),
            cost=cost,
            lift=ratio(caught * (n_anomalous + n_normal), flagged * n_anomalous),
        )


@dataclass(frozen=True, eq=False)
class LabelledCurves:
    """What labels add to `ThresholdCurves`: the parts of that class that are None without them."""

    normal: np.ndarray
    anomalous: np.ndarray
    costs: CostCurve

    def at(self, thresholds: float | np.ndarray, beta: float = 1.0) -> LabelledMeasures:
        """Every measure at each threshold, as by `ThresholdCurves.at`."""
        thresholds = np.asarray(thresholds, np.float64)
        caught, false = _at_least(self.anomalous, thresholds), _at_least(self.normal, thresholds)
        cost = self.costs.cost(thresholds)
        return LabelledMeasures.of_counts(caught, false, len(self.anomalous), len(self.normal), cost, beta)


@dataclass(frozen=True, eq=False)
class ThresholdCurves:
    """All curves against the threshold; any threshold is answered in O(log n). Made by `threshold_curves`.

    Attributes
    ----------
    ordered : (n,) all scores, ascending
    normal, anomalous : scores of either label, ascending; None without labels
    costs : the cost at every threshold; None without labels
    """

    ordered: np.ndarray
    normal: np.ndarray | None
    anomalous: np.ndarray | None
    costs: CostCurve | None

    @property
    def has_labels(self) -> bool:
        """Whether the rows came with labels."""
        return self.normal is not None

    @property
    def labelled(self) -> LabelledCurves:
        """The parts that labels add; ValueError without labels."""
        if self.normal is None or self.anomalous is None or self.costs is None:
            raise ValueError("this needs labels, and these rows came without")
        return LabelledCurves(self.normal, self.anomalous, self.costs)

    def flagged(self, threshold: float | np.ndarray) -> np.ndarray:
        """Rows with a score of at least `threshold`; a number or an array."""
        return _at_least(self.ordered, threshold)

    def confusion(self, threshold: float) -> Confusion:
        """The confusion matrix at one threshold; needs labels."""
        anomalous, normal = self.labelled.anomalous, self.labelled.normal
        caught, false = int(_at_least(anomalous, threshold)), int(_at_least(normal, threshold))
        return Confusion(caught, false, len(anomalous) - caught, len(normal) - false)

    def at(self, thresholds: float | np.ndarray, beta: float = 1.0) -> Measures:
        """Every measure at each threshold, of the shape of `thresholds`; `beta` is that of F-beta."""
        if self.has_labels:
            return self.labelled.at(thresholds, beta)
        flagged = self.flagged(np.asarray(thresholds, np.float64))
        return Measures(flagged, flagged / len(self.ordered))

    def distinct(self) -> np.ndarray:
        """Every threshold that makes a difference, ascending: the distinct scores and one above them all."""
        return np.r_[np.unique(self.ordered), np.inf]

    def grid(self, n_points: int = 400) -> np.ndarray:
        """Thresholds to draw curves at, ascending: half even in rank, half even in value, extremes included."""
        ordered = self.ordered
        by_rank = ordered[np.linspace(0, len(ordered) - 1, n_points // 2).astype(int)]
        by_value = np.linspace(ordered[0], ordered[-1], n_points - n_points // 2)
        return np.unique(np.r_[by_rank, by_value, just_above(ordered[-1])])

    def roc(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """False-alarm rate, recall and threshold of the ROC curve, from flagging nothing to everything; with labels."""
        thresholds = self.distinct()[::-1]
        at = self.labelled.at(thresholds)
        return at.false_alarm_rate, at.recall, thresholds

    def precision_recall(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Recall, precision and threshold, from flagging nothing (precision nan) to everything; needs labels."""
        thresholds = self.distinct()[::-1]
        at = self.labelled.at(thresholds)
        return at.recall, at.precision, thresholds

    def top(self, n_points: int = 200) -> LabelledMeasures:
        """Measures of the k highest scoring rows, k (`flagged`) from 1 to all in even ratios; needs labels.

        Its precision is "precision at k". Rows of one score go in together, so that k skips what would part them.

        >>> top = threshold_curves([0.1, 0.4, 0.9, 0.8], [0, 0, 1, 0]).top()
        >>> top.flagged.tolist(), top.precision.tolist(), top.lift.tolist()
        ([1, 2, 3, 4], [1.0, 0.5, 0.3333333333333333, 0.25], [4.0, 2.0, 1.3333333333333333, 1.0])
        """
        n_rows = len(self.ordered)
        k = np.unique(np.geomspace(1, n_rows, n_points).round().astype(int))
        return self.labelled.at(np.unique(self.ordered[n_rows - k])[::-1])

    def auroc(self) -> float:
        """Probability that an anomaly scores above a normal row, ties half; nan when one of them is missing."""
        if not self.has_labels or not len(self.labelled.normal) or not len(self.labelled.anomalous):
            return float("nan")
        return ranking.auroc(*self._labelled())

    def average_precision(self) -> float:
        """Mean of precision over the steps of recall (scikit-learn's definition); nan without anomalies."""
        if not self.has_labels or not len(self.labelled.anomalous):
            return float("nan")
        return ranking.average_precision(*self._labelled())

    def _labelled(self) -> tuple[np.ndarray, np.ndarray]:
        normal, anomalous = self.labelled.normal, self.labelled.anomalous
        return np.concatenate([normal, anomalous]), np.repeat([False, True], [len(normal), len(anomalous)])


def threshold_curves(
    scores: np.ndarray,
    y: np.ndarray | None = None,
    cost: CostModel | None = None,
    position: np.ndarray | None = None,
    judged: np.ndarray | None = None,
) -> ThresholdCurves:
    """Curves of all measures against the threshold, sorted once.

    Parameters
    ----------
    scores : (n,) anomaly scores, higher is more anomalous
    y : (n,) 1 for anomalies, or None
    cost : prices of the errors, by default those of `CostModel()`
    position : (n,) row numbers or times in which the cost model's tolerance is measured
    judged : numbers of the rows that the curves are over, as for `cost_curve`; None: all rows

    >>> curves = threshold_curves([0.1, 0.4, 0.9, 0.8], [0, 0, 1, 0])
    >>> curves.at([0.8]).precision.tolist(), curves.auroc()
    ([0.5], 1.0)
    """
    scores, y = check_scores(scores, y)
    if y is None:
        scores = scores if judged is None else scores[judged]
        return ThresholdCurves(np.sort(scores), None, None, None)
    costs = cost_curve(scores, y, cost, position, judged)
    if judged is not None:
        scores, y = scores[judged], y[judged]
    return ThresholdCurves(np.sort(scores), np.sort(scores[~y]), np.sort(scores[y]), costs)


def percentiles(scores: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Share of reference rows that score lower, in percent, ties half; (n,).

    Parameters
    ----------
    scores : (n,) anomaly scores
    reference : (m,) anomaly scores to compare with, in any order
    """
    ordered = np.sort(np.asarray(reference, np.float64))
    below = np.searchsorted(ordered, scores, side="left") + np.searchsorted(ordered, scores, side="right")
    return 50.0 * below / max(len(ordered), 1)


def _at_least(ordered: np.ndarray, threshold: float | np.ndarray) -> np.ndarray:
    return len(ordered) - np.searchsorted(ordered, threshold, side="left")


def ratio(part: np.ndarray, whole: int | np.ndarray) -> np.ndarray:
    """part / whole elementwise, nan where the whole is zero."""
    return np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=np.asarray(whole) > 0)


def score_bins(
    scores: np.ndarray, y: np.ndarray | None = None, edges: np.ndarray | None = None, n_bins: int = 80
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Edges (n_bins + 1,) and counts (n_bins,) of a histogram, by label: "normal" and "anomaly", or "rows".

    Parameters
    ----------
    scores : (n,) anomaly scores
    y : (n,) 1 for anomalies, or None
    edges : ascending edges of unequal bins; None: even ones from the lowest to the highest score
    n_bins : number of even bins
    """
    scores, y = check_scores(scores, y)
    if edges is None:
        low, high = float(scores.min()), float(scores.max())
        pad = 0.5 * max(abs(low), 1.0) * 1e-6 if high == low else 0.0
        edges = np.linspace(low - pad, high + pad, n_bins + 1)
    groups = {"rows": scores} if y is None else {"normal": scores[~y], "anomaly": scores[y]}
    return np.asarray(edges), {name: np.histogram(group, edges)[0] for name, group in groups.items()}
