"""Threshold: the anomaly score from which a row is flagged, and why that value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import overload

import numpy as np

from flowlab.detection.group_thresholds import GroupThresholds

HIGHEST = 1e100
"""Scores beyond this, infinite ones (density zero) included, count as this, so that arithmetic on them works."""
SPREAD = "In 95 % of resamples of these rows it lies between {low} and {high}; other rows can move it further."
"""What a bootstrap interval says: a fact about resamples, not where the threshold of other rows would lie."""


@dataclass(frozen=True)
class Threshold:
    """A row is flagged when its anomaly score is at least `value`.

    A rule that finds no valid threshold refuses: `refused` is True, `value` is infinite (nothing is flagged) and
    `sentence` says what is missing.

    Attributes
    ----------
    value : threshold in the unit of the anomaly score
    rule : name of the rule in `rules.RULES`, or "manual"
    sentence : why this value, in words that can be quoted
    parameters : the rule's parameters
    caution : what weakens the choice, "" if nothing does
    plateau : (low, high); every threshold above low and up to high does equally well on the rows of the choice
    n_rows : how many rows the choice rests on
    interval : where the value lies in 95 % of resamples (`resampling.bootstrap_interval`), None if it was not computed
    refused : whether the rule found no threshold
    groups : thresholds of the groups of a column (`groups.by_group`), None where all rows have the same
    """

    value: float
    rule: str
    sentence: str
    parameters: Mapping[str, float | str] = field(default_factory=dict)
    caution: str = ""
    plateau: tuple[float, float] | None = None
    n_rows: int = 0
    interval: tuple[float, float] | None = None
    refused: bool = False
    groups: GroupThresholds | None = None

    def flag(self, scores: np.ndarray, levels: np.ndarray | None = None) -> np.ndarray:
        """Which rows are flagged, (n,) bool; none where the rule refused. `levels` (n,) are the rows' groups."""
        return (np.asarray(scores) >= self.of_rows(len(scores), levels)) & (not self.refused)

    def of_rows(self, n_rows: int, levels: np.ndarray | None = None) -> np.ndarray:
        """From which score on each row is flagged, (n_rows,).

        ValueError where groups have thresholds of their own and the rows' groups are not told.
        """
        if self.groups is None:
            return np.full(n_rows, self.value)
        if levels is None:
            raise ValueError(f"levels must be the groups of {self.groups.column}, which have their own thresholds")
        return self.groups.of_rows(levels, self.value)


def refusal(
    rule: str, sentence: str, parameters: Mapping[str, float | str] | None = None, n_rows: int = 0
) -> Threshold:
    """The Threshold of a rule that refuses: nothing is flagged and the sentence says what is missing."""
    return Threshold(math.inf, rule, sentence, parameters or {}, n_rows=n_rows, refused=True)


@overload
def check_scores(scores: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]: ...
@overload
def check_scores(scores: np.ndarray, y: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray | None]: ...
def check_scores(scores: np.ndarray, y: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray | None]:
    """Scores as (n,) float64 and labels as (n,) bool (or None), infinite scores as plus or minus `HIGHEST`.

    ValueError unless scores are at least one number, none of them nan, and labels 0 or 1, one per score.
    """
    scores = np.asarray(scores, np.float64)
    if scores.ndim != 1 or len(scores) == 0:
        raise ValueError(f"scores must be one number per row, at least one row; their shape is {scores.shape}")
    if np.isnan(scores).any():
        raise ValueError(f"scores must not be nan; {int(np.isnan(scores).sum())} of {len(scores)} are")
    scores = np.clip(scores, -HIGHEST, HIGHEST)
    if y is None:
        return scores, None
    y = np.asarray(y)
    if y.shape != scores.shape:
        raise ValueError(f"y must have one label per score: {scores.shape} expected, {y.shape} came")
    if not np.isin(y, (0, 1)).all():
        raise ValueError("y must hold 0 (normal) and 1 (anomaly) only")
    return scores, y.astype(bool)


def just_above(value: float) -> float:
    """The next larger number: a row that scores exactly `value` is not flagged.

    After 0 comes the smallest normal number: processes that train flush denormal ones, such as nextafter(0, 1), to 0.
    """
    tiny = float(np.finfo(np.float64).tiny)
    return tiny if abs(value) < tiny else float(np.nextafter(value, np.inf))


def between(low: float, high: float) -> float:
    """A threshold that leaves `low` unflagged and flags `high`: their middle where there is one, else `high`."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return float(high)
    middle = low + 0.5 * (high - low)
    return float(middle) if low < middle <= high else float(high)


def flag_at_most(ordered: np.ndarray, k: int) -> tuple[float, int]:
    """Threshold that flags the largest possible number of rows up to `k`, and that number.

    Parameters
    ----------
    ordered : (n,) scores in ascending order
    k : how many rows to flag at most; at least one row is left unflagged

    Rows that tie are flagged together or not at all, so ties at the border make it fewer than `k`; where all scores
    are equal none is flagged.
    """
    n = len(ordered)
    if k <= 0:
        return just_above(ordered[-1]), 0
    if k >= n:
        k = n - 1 if n > 1 else 0
        if k == 0:
            return just_above(ordered[-1]), 0
    border = ordered[n - k - 1]
    first = int(np.searchsorted(ordered, border, side="right"))
    if first == n:
        return just_above(border), 0
    return between(border, ordered[first]), n - first
