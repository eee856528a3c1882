"""Trivial detectors, as baselines for comparison."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Self

import numpy as np
from sklearn.utils import Tags
from sklearn.utils.validation import validate_data

from flowlab.hashing import row_hashes
from flowlab.models.base import State, one_step_event
from flowlab.models.classical.one_step import OneStepScorer, mean_and_scale, standardise
from flowlab.ranking import auroc
from flowlab.records import TrainEvent


class LargestZ(OneStepScorer):
    """Minus the largest |z| of a row: how many standard deviations its strangest column is from the mean."""

    _learned = ("mean_", "scale_")
    score_label = "minus the largest |z| (standard deviations)"

    def _fit(self, X: np.ndarray) -> None:
        self.mean_, self.scale_ = mean_and_scale(X)

    def score_samples(self, X: np.ndarray) -> np.ndarray:
        """Minus the largest |z| of each row, (n_samples,), in standard deviations."""
        return -np.abs(standardise(self._check_rows(X), self.mean_, self.scale_)).max(axis=1)


class SumOfSquares(OneStepScorer):
    """Minus the sum of z squared: a Gaussian with independent columns, up to a constant."""

    _learned = ("mean_", "scale_")
    score_label = "minus the sum of z squared"

    def _fit(self, X: np.ndarray) -> None:
        self.mean_, self.scale_ = mean_and_scale(X)

    def score_samples(self, X: np.ndarray) -> np.ndarray:
        """Minus the sum of z squared of each row, (n_samples,)."""
        Z = standardise(self._check_rows(X), self.mean_, self.scale_)
        return -np.einsum("ij,ij->i", Z, Z)


class BestSingleColumn(OneStepScorer):
    """The single column with the highest AUROC against the labels: an upper reference, not a detector.

    `fit(X, y)` takes the column, and of it z, -z or |z|, whose AUROC against `y` (n_samples,) is highest; the
    smallest label marks normal rows. Without both kinds of labels `fit` raises ValueError.
    """

    _learned = ("mean_", "scale_", "column_", "direction_", "auroc_")
    score_label = "score of the column that tells labelled rows best (standard deviations)"
    needs_labels = True

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        """Choose the column by the labels `y`; ValueError without them. Returns self."""
        for _ in self.fit_iter(X, y=y):
            pass
        return self

    def fit_iter(
        self,
        X: np.ndarray,
        X_val: np.ndarray | None = None,
        *,
        checkpoint: State | None = None,
        n_steps: int | None = None,
        y: np.ndarray | None = None,
    ) -> Iterator[TrainEvent]:
        """As every model's, with the labels `y` of the rows of `X`."""
        if checkpoint is not None:
            return super().fit_iter(X, X_val, checkpoint=checkpoint)
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        is_anomaly = np.asarray(y) > np.min(y)
        if not is_anomaly.any():
            raise ValueError(
                "BestSingleColumn needs labels y of both kinds, 0 for normal rows and 1 for anomalies; "
                f"all {len(is_anomaly)} are {np.min(y)}"
            )
        return self._choose(X, is_anomaly) if n_steps is None or n_steps > 0 else iter(())

    def _choose(self, X: np.ndarray, is_anomaly: np.ndarray) -> Iterator[TrainEvent]:
        began = time.perf_counter()
        self._labels = is_anomaly
        self._fit(X)
        del self._labels
        yield one_step_event(self, X, None, time.perf_counter() - began)

    def _fit(self, X: np.ndarray) -> None:
        self.mean_, self.scale_ = mean_and_scale(X)
        Z = standardise(X, self.mean_, self.scale_)
        aurocs = np.array([[auroc(column, self._labels) for column in score.T] for score in (Z, -Z, np.abs(Z))])
        direction, self.column_ = (int(i) for i in np.unravel_index(np.argmax(aurocs), aurocs.shape))
        self.direction_ = ("high", "low", "far")[direction]
        self.auroc_ = float(aurocs.max())

    def score_samples(self, X: np.ndarray) -> np.ndarray:
        """Minus z, -z or |z| of the chosen column, (n_samples,), in standard deviations."""
        Z = standardise(self._check_rows(X), self.mean_, self.scale_)
        z = Z[:, self.column_]
        return -{"high": z, "low": -z, "far": np.abs(z)}[self.direction_]

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


class RandomScore(OneStepScorer):
    """A random number for each row, from -1 to 0: the same for equal rows. Its expected AUROC is 0.5."""

    _learned = ("seed_",)
    score_label = "random number (no unit)"

    def __init__(self, random_state: int = 0):
        self.random_state = random_state

    def _fit(self, X: np.ndarray) -> None:
        self.seed_ = int(self.random_state or 0)

    def score_samples(self, X: np.ndarray) -> np.ndarray:
        """A pseudo-random number per row, (n_samples,), from -1 to 0; a function of the seed and the row's values."""
        return -(row_hashes(self._check_rows(X), self.seed_) >> np.uint64(11)).astype(float) / 2.0**53
