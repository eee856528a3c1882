"""Models that are fitted in one go: what their classes share, and a standardisation that never overflows."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Iterator

import numpy as np
from sklearn.utils.validation import check_is_fitted

from flowlab.columns import varies
from flowlab.models.base import DensityModel, State, one_step_event
from flowlab.records import TrainEvent

Z_LIMIT = 1e100
"""Standardised values are cut here, so that their squares, summed over any table, stay finite."""


class OneStepModel(DensityModel):
    """A model without iterations: `fit_iter` yields one event, and a checkpoint is the fitted state.

    A subclass names its fitted attributes in `_learned` and defines `_fit(X)`.
    """

    _learned: tuple[str, ...] = ()

    @abstractmethod
    def _fit(self, X: np.ndarray) -> None:
        """Learn from validated rows; sets every attribute named in `_learned`."""

    def _train(
        self, X: np.ndarray, X_val: np.ndarray | None, checkpoint: State | None, n_steps: int | None
    ) -> Iterator[TrainEvent]:
        """See `DensityModel.fit_iter`; a checkpoint means that nothing is left to do."""
        if checkpoint is not None:
            self.set_state(checkpoint)
            return iter(())
        return self._only_step(X, X_val) if n_steps is None or n_steps > 0 else iter(())

    def _only_step(self, X: np.ndarray, X_val: np.ndarray | None) -> Iterator[TrainEvent]:
        began = time.perf_counter()
        self._fit(X)
        yield one_step_event(self, X, X_val, time.perf_counter() - began)

    def get_state(self) -> dict[str, np.ndarray]:
        """The fitted attributes by name, without the trailing underscore."""
        check_is_fitted(self)
        names = ("n_features_in_", *self._learned)
        return {name.removesuffix("_"): np.asarray(getattr(self, name)) for name in names}

    def set_state(self, state: State) -> OneStepModel:
        """Restore what `get_state` returned. Returns self."""
        for name in ("n_features_in_", *self._learned):
            value = np.asarray(state[name.removesuffix("_")])
            setattr(self, name, value.item() if value.ndim == 0 else value)
        return self


class OneStepScorer(OneStepModel):
    """A one-step model whose score is no density and which cannot be sampled from."""

    loss_label = "mean anomaly score"
    score_label = "score (no unit)"
    is_density = False

    def training_scores(self, X: np.ndarray) -> np.ndarray:
        """Scores of some training rows X, (n_samples,), or of all that are kept, as if they were new to the model."""
        return -self.anomaly_score(X)


def mean_and_scale(X: np.ndarray, standardize: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each column; scale 1 for constant columns, and for all if not `standardize`.

    Neither overflows for finite X: a column is divided by its largest magnitude before it is averaged.
    """
    size = np.abs(X).max(axis=0)
    size[size == 0] = 1.0
    small = X / size
    mean = small.mean(axis=0)
    spread = np.sqrt(np.mean((small - mean) ** 2, axis=0))
    scale = np.where(varies(X) & standardize, spread * size, 1.0)
    return mean * size, np.where(scale == 0, 1.0, scale)


def standardise(X: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """(X - mean) / scale, cut at `Z_LIMIT`: finite for every finite X."""
    with np.errstate(over="ignore"):
        return np.clip((X - mean) / scale, -Z_LIMIT, Z_LIMIT)
