"""Copies of a model, each fitted without one fold of the rows, so that every row has a score of a model new to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from flowlab.constraints import Interval
from flowlab.models.base import DensityModel, State
from flowlab.records import TrainEvent


class FoldEnsemble(DensityModel):
    """K copies of a model, each fitted to all rows but one of K folds. A row scores the least of its K anomaly scores.

    `out_of_fold` gives each row that was fitted to the score of the copy that did not see it. These are the scores to
    calibrate on ("jackknife-minmax" in Barber, Candès, Ramdas and Tibshirani 2021, "Predictive inference with the
    jackknife+"; for detectors Hennhöfer and Preisach 2024). What that promises says
    `detection.cross_conformal.worst_rate`.

    Parameters
    ----------
    model : the model to be copied, unfitted
    n_folds : number of folds K, 2 or more; as many as there are rows leaves one row out at a time
    random_state : seed of the division into folds
    """

    valid = {"n_folds": Interval(int, 2), "random_state": Interval(int, 0)}

    is_density = False
    is_ensemble = True
    _n_rows: int

    def __init__(self, model: DensityModel, n_folds: int = 5, random_state: int = 0):
        self.model = model
        self.n_folds = n_folds
        self.random_state = random_state

    @property
    def learner(self) -> str:
        """That of the model which is copied."""
        return self.model.learner

    def _train(
        self, X: np.ndarray, X_val: np.ndarray | None, checkpoint: State | None, n_steps: int | None
    ) -> Iterator[TrainEvent]:
        """See `DensityModel.fit_iter`. It is fitted as a whole, and a copy that watches validation rows sets some of
        its own aside.
        """
        if checkpoint is not None or n_steps is not None:
            raise ValueError("copies on folds are fitted as a whole; there is no checkpoint, and no n_steps")
        if self.n_folds > len(X):
            raise ValueError(f"n_folds must be at most the number of rows, {len(X)}, not {self.n_folds}")
        self._n_rows = len(X)
        return self._all_folds(X)

    def _all_folds(self, X: np.ndarray) -> Iterator[TrainEvent]:
        models, fold, seconds, spent = [], self.fold_, 0.0, 0.0
        for k in range(self.n_folds):
            models.append(clone(self.model))
            for event in models[k].fit_iter(X[fold != k]):
                self.models_ = models
                seconds = spent + event.seconds
                yield replace(
                    event,
                    step=k * event.n_steps + event.step,
                    n_steps=self.n_folds * event.n_steps,
                    seconds=seconds,
                )
            spent = seconds

    @property
    def fold_(self) -> np.ndarray:
        """The fold of each row that it was fitted to, (n_rows,): equally many in each, up to one."""
        order = np.random.default_rng([self.random_state, 0xF01D]).permutation(self._n_rows)
        return order % self.n_folds

    def out_of_fold(self, X: np.ndarray) -> np.ndarray:
        """Anomaly scores (n_rows,) of the rows that it was fitted to, in their order: each by the copy new to it."""
        check_is_fitted(self, "models_")
        if len(X) != self._n_rows or len(self.models_) < self.n_folds:
            raise ValueError(f"X must be the {self._n_rows} rows that all {self.n_folds} copies were fitted to")
        scores, fold = np.empty(len(X)), self.fold_
        for k, model in enumerate(self.models_):
            scores[fold == k] = model.anomaly_score(X[fold == k])
        return scores

    def score_samples(self, X: np.ndarray) -> np.ndarray:
        """The highest score by any copy, (n_samples,)."""
        check_is_fitted(self, "models_")
        return np.max([model.score_samples(X) for model in self.models_], axis=0)

    def get_state(self) -> dict[str, np.ndarray]:
        """States of all copies, and what their folds are made of."""
        check_is_fitted(self, "models_")
        state = {"n_features_in": np.array(self.n_features_in_), "n_rows": np.array(self._n_rows)}
        for k, model in enumerate(self.models_):
            state |= {f"fold{k}.{key}": array for key, array in model.get_state().items()}
        return state

    def set_state(self, state: State) -> FoldEnsemble:
        """Restore what `get_state` returned. Returns self."""
        self.n_features_in_, self._n_rows = int(state["n_features_in"]), int(state["n_rows"])
        self.models_ = [clone(self.model).set_state(_part(state, f"fold{k}.")) for k in range(self.n_folds)]
        return self


def _part(state: State, prefix: str) -> dict[str, np.ndarray]:
    return {key.removeprefix(prefix): np.asarray(state[key]) for key in state if key.startswith(prefix)}
