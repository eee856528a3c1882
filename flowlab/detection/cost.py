"""What a threshold costs: false alarms, missed and late anomalies, with a tolerance in rows or in time.

The model is that of the course M. Lombardi, "Anomaly detection as density estimation" (2021): an alarm with
no anomalous row within the tolerance is a false alarm, an anomalous row with no alarm within the tolerance
is missed. Late rows are an addition and cost nothing by default.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from flowlab.constraints import NOT_NEGATIVE, check_parameters
from flowlab.detection.threshold import check_scores


@dataclass(frozen=True)
class CostModel:
    """Prices of the three errors, in any one unit, and the tolerance around an anomaly.

    Attributes
    ----------
    c_alarm : price of one false alarm
    c_missed : price of one missed anomalous row
    c_late : price of each anomalous row before the first alarm of its event, rows of unnoticed events included
    tolerance : how far, in rows or in the unit of `position`, an alarm may lie from an anomaly and still count
    """

    c_alarm: float = 1.0
    c_missed: float = 5.0
    c_late: float = 0.0
    tolerance: float = 0.0

    valid: ClassVar = dict.fromkeys(("c_alarm", "c_missed", "c_late", "tolerance"), NOT_NEGATIVE)

    def __post_init__(self) -> None:
        check_parameters(vars(self), self.valid)


@dataclass(frozen=True, eq=False)
class CostCurve:
    """Cost at any threshold in O(log n), exact. Made by `cost_curve`.

    `alone` are the scores of rows with no anomaly within the tolerance: each is a false alarm at thresholds up to
    its value. `best_near` is, per anomalous row, the highest score within the tolerance: the row is missed above
    it. `best_so_far` is, per anomalous row, the highest score since its event began: the row is late above it.
    All ascending.
    """

    model: CostModel
    alone: np.ndarray
    best_near: np.ndarray
    best_so_far: np.ndarray

    def false_alarms(self, threshold: float | np.ndarray) -> np.ndarray:
        """Flagged rows with no anomaly within the tolerance, at one threshold or at each of an array."""
        return len(self.alone) - np.searchsorted(self.alone, threshold, side="left")

    def missed(self, threshold: float | np.ndarray) -> np.ndarray:
        """Anomalous rows with no alarm within the tolerance, at one threshold or at each of an array."""
        return np.searchsorted(self.best_near, threshold, side="left")

    def late(self, threshold: float | np.ndarray) -> np.ndarray:
        """Anomalous rows before the first alarm of their event, at one threshold or at each of an array."""
        return np.searchsorted(self.best_so_far, threshold, side="left")

    def cost(self, threshold: float | np.ndarray) -> np.ndarray:
        """Total cost at one threshold or at each of an array, in the unit of the prices."""
        cost = self.model.c_alarm * self.false_alarms(threshold) + self.model.c_missed * self.missed(threshold)
        return cost + self.model.c_late * self.late(threshold) if self.model.c_late else cost


def cost_curve(
    scores: np.ndarray,
    y: np.ndarray,
    model: CostModel | None = None,
    position: np.ndarray | None = None,
    judged: np.ndarray | None = None,
) -> CostCurve:
    """The cost at every threshold, computed once.

    Parameters
    ----------
    scores : (n,) anomaly scores
    y : (n,) 1 for anomalous rows
    model : prices and tolerance
    position : (n,) row numbers or times in which the tolerance is measured; 0, 1, 2, ... by default.
        datetime64 positions are turned to seconds.
    judged : numbers of the rows that count; the others only stand beside them. None: all rows

    Sorting and range maxima take O(n log n).

    >>> curve = cost_curve([0, 9, 1, 2, 8], [0, 0, 1, 0, 0], CostModel(tolerance=1))
    >>> curve.cost([0.5, 5, 10]).tolist()
    [1.0, 1.0, 5.0]
    """
    model = model or CostModel()
    scores, y = check_scores(scores, y)
    position = row_positions(len(scores), position)
    order = np.argsort(position, kind="stable")
    scores, y, position = scores[order], y[order], position[order]
    first = np.searchsorted(position, position - model.tolerance, side="left")
    after = np.searchsorted(position, position + model.tolerance, side="right")
    anomalies = np.flatnonzero(y)
    counts = np.ones(len(y), bool) if judged is None else np.isin(order, judged)
    near = np.searchsorted(anomalies, after) > np.searchsorted(anomalies, first)
    best_near = _range_max(scores, first[anomalies], after[anomalies])[counts[anomalies]]
    best_so_far = _range_max(scores, first[_event_starts(y)], anomalies + 1)[counts[anomalies]]
    return CostCurve(model, np.sort(scores[~near & counts]), np.sort(best_near), np.sort(best_so_far))


def row_positions(n_rows: int, position: np.ndarray | None = None) -> np.ndarray:
    """Where rows lie on the axis of the tolerance, (n_rows,) float64: row numbers, or seconds for dates.

    ValueError for another shape or a missing time.
    """
    if position is None:
        return np.arange(n_rows, dtype=np.float64)
    position = np.asarray(position)
    if position.shape != (n_rows,):
        raise ValueError(f"position must have one value per row: ({n_rows},) expected, {position.shape} came")
    if np.issubdtype(position.dtype, np.datetime64):
        if np.isnat(position).any():
            raise ValueError("position must not hold missing times")
        position = (position - position.min()) / np.timedelta64(1, "s")
    return position.astype(np.float64)


def detection_delays(
    scores: np.ndarray, y: np.ndarray, threshold: float, position: np.ndarray | None = None
) -> np.ndarray:
    """Delay from the start of each event to its first alarm, one per event; nan where the event went unnoticed.

    An event is a stretch of consecutive anomalous rows; the unit is that of `position` (rows, or seconds for dates).
    """
    scores, y = check_scores(scores, y)
    position = row_positions(len(scores), position)
    order = np.argsort(position, kind="stable")
    scores, y, position = scores[order], y[order], position[order]
    anomalies = np.flatnonzero(y)
    starts = _event_starts(y)
    delays = []
    for start in np.unique(starts):
        alarms = anomalies[(starts == start) & (scores[anomalies] >= threshold)]
        delays.append(position[alarms[0]] - position[start] if len(alarms) else np.nan)
    return np.array(delays, np.float64)


def _event_starts(y: np.ndarray) -> np.ndarray:
    """For each anomalous row, in order, the first row of its stretch of consecutive anomalous rows."""
    starts = np.flatnonzero(y & ~np.r_[False, y[:-1]])
    anomalies = np.flatnonzero(y)
    return starts[np.searchsorted(starts, anomalies, side="right") - 1] if len(anomalies) else anomalies


def _range_max(values: np.ndarray, first: np.ndarray, after: np.ndarray) -> np.ndarray:
    """max(values[first:after]) per pair of a non-empty range, by a table of maxima over powers of two."""
    result = np.empty(len(first), np.float64)
    length = after - first
    level = np.frexp(length.astype(np.float64))[1] - 1
    table = values
    for power in range(int(level.max(initial=-1)) + 1):
        here = level == power
        result[here] = np.maximum(table[first[here]], table[after[here] - (1 << power)])
        table = np.maximum(table[: -(1 << power)], table[1 << power :])
    return result
