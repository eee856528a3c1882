"""From anomaly scores to tail probabilities: how many rows score at least as high."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

TAIL_SHARE = 0.1
"""The highest scores, whose mean excess sets the scale of the tail."""


@dataclass(frozen=True)
class _Tail:
    """Knots and the slope beyond the last; ValueError where one is no number, as a damaged file may have it."""

    scores: np.ndarray
    surprise: np.ndarray
    slope: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.scores).all() and np.isfinite(self.surprise).all() and math.isfinite(self.slope)):
            raise ValueError("a tail probability needs finite scores, surprises and slope")


@dataclass(frozen=True)
class TailProbability(_Tail):
    """-log of the share of training rows that are at least as anomalous, as a continuous function of the score.

    Between the training scores it is interpolated. Beyond the largest it goes on as a Pareto tail whose scale is the
    mean excess of the highest tenth; its logarithm grows slowly, so that no member dominates the others.
    """

    @classmethod
    def fit(cls, scores: np.ndarray) -> TailProbability:
        """From the anomaly scores (n,) of training rows."""
        ordered = np.sort(scores)
        n = len(ordered)
        knots, first = np.unique(ordered, return_index=True)
        start = ordered[min(n - 1, int((1 - TAIL_SHARE) * n))]
        excess = float(np.mean(ordered[ordered >= start] - start))
        spread = float(ordered[-1] - ordered[0])
        smallest = max(1e-3 * spread, 1e-9 * max(1.0, float(np.abs(ordered[-1]))))
        return cls(knots, -np.log((n - first) / (n + 1)), 1.0 / max(excess, smallest))

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """-log tail probability in nats, shape (n,); finite for every finite score."""
        inside = np.interp(scores, self.scores, self.surprise)
        return inside + np.log1p(np.maximum(scores - self.scores[-1], 0.0) * self.slope)


@dataclass(frozen=True)
class ExponentialTail(_Tail):
    """-log tail probability by an exponential law for the upper half of the training scores, in nats.

    Up to the median it is -log of the share of training rows at least as anomalous, interpolated; from there on a
    straight line through the 90 % quantile, the tail of extreme value theory with shape 0 (Pickands 1975,
    doi:10.1214/aos/1176343003). Two quantiles set its scale, so that the tenth of the rows with the highest scores,
    anomalies among them, does not; and unlike a share of rows it keeps apart what lies beyond all of them.
    """

    @classmethod
    def fit(cls, scores: np.ndarray) -> ExponentialTail:
        """From the anomaly scores (n,) of training rows."""
        median, high = np.quantile(scores, [0.5, 0.9])
        lower = np.sort(scores[scores < median])
        knots, first = np.unique(lower, return_index=True)
        surprise = -np.log1p(-first / len(scores))
        spread, largest = float(np.ptp(scores)), float(np.abs(scores).max())
        scale = (high - median) / math.log(5)
        if scale <= 0:  # more than 40 % of the scores are equal
            scale = 2 * float(np.mean(np.maximum(scores - median, 0.0)))
        scale = max(float(scale), 1e-6 * spread, 1e-9 * max(1.0, largest))
        return cls(np.append(knots, median), np.append(surprise, math.log(2)), 1.0 / scale)

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """-log tail probability in nats, shape (n,); finite for every finite score."""
        inside = np.interp(scores, self.scores, self.surprise)
        return inside + np.maximum(scores - self.scores[-1], 0.0) * self.slope
