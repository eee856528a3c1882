"""Flows under a condition: one density per level of a context column (a class, a kind of machine), from one network."""

from __future__ import annotations

from typing import NoReturn

import numpy as np
from sklearn.utils import check_random_state

from flowlab.constraints import COUNT, Interval, OneOf
from flowlab.models.base import FlowModel, State
from flowlab.models.flows.engine_flow import EngineFlow
from flowlab.models.flows.scaling import ContextScaling, Scaling


class ConditionalFlow(EngineFlow):
    """A flow whose networks can read one column of the table as their context instead of modelling it.

    With `context_column` (an index; None for no context) the score of a row is log p(other columns | context), in nats:
    the context enters each layer's network as a one-hot input (Winkler et al. 2019, arXiv:1912.00042) and is given
    no density itself. It may hold any numbers, at most 100 different ones. In latent points the column holds the number
    of the level; a level absent from training conditions on nothing. Draws have the levels in the shares of the
    training rows.

    >>> from flowlab.models.flows.families import SplineCouplingFlow
    >>> rng = np.random.default_rng(0)
    >>> kind = rng.integers(0, 2, 600)
    >>> X = np.column_stack([rng.normal(4.0 * kind, 1), rng.normal(size=600), kind])
    >>> flow = SplineCouplingFlow(n_layers=2, n_steps=150, context_column=2).fit(X)
    >>> bool((flow.most_probable_level(X) == kind).mean() > 0.9)
    True
    >>> flow.sample_given(1, 3).shape
    (3, 3)
    """

    valid = {
        "hidden_features": COUNT,
        "n_hidden": Interval(int, 0),
        "context_column": OneOf(None) | Interval(int),
        "fault": OneOf("none", "no log-determinant", "no mask"),
    }
    can_condition = True
    context_column: int | None

    def level_log_density(self, X: np.ndarray) -> np.ndarray:
        """log p(other columns | level) of each row under every level, (n_samples, n_levels), columns as `levels_`.

        The context column of X is ignored.
        """
        X = self._check_rows(X).copy()
        scaling = self._context_scaling()
        log_density = np.empty((len(X), len(scaling.levels)))
        for i, level in enumerate(scaling.levels):
            X[:, scaling.column] = level
            log_density[:, i] = self.score_samples(X)
        return log_density

    def marginal_log_density(self, X: np.ndarray) -> np.ndarray:
        """log p(other columns), the levels mixed in their training shares, (n_samples,)."""
        return np.logaddexp.reduce(self.level_log_density(X) + self._context_scaling().log_share, axis=1)

    def most_probable_level(self, X: np.ndarray) -> np.ndarray:
        """The level each row most probably has by Bayes' rule, (n_samples,); the context is ignored."""
        log_joint = self.level_log_density(X) + self._context_scaling().log_share
        return self.levels_[log_joint.argmax(1)]

    def sample_given(
        self, level: int, n_samples: int = 1, random_state: int | None = None, temperature: float = 1.0
    ) -> np.ndarray:
        """Draws of one level, (n_samples, n_features), the level in the context column. ValueError if it is unknown."""
        scaling = self._context_scaling()
        if level not in scaling.levels:
            raise ValueError(f"no training row was of level {level!r}; choose one of {scaling.levels.tolist()}")
        latent = scaling.base_sample(n_samples, temperature, check_random_state(random_state))
        latent[:, scaling.column] = np.flatnonzero(scaling.levels == level)[0]
        return self._to_data(latent, exact=False)

    def given(self, level: int) -> FlowGivenLevel:
        """This flow at one level of its context, one of `levels_`: an ordinary flow over the other columns."""
        return FlowGivenLevel(self, level)

    def judged_columns(self) -> np.ndarray:
        """Numbers of the columns that the density is over: all but the context."""
        return np.flatnonzero(self._scaling_checked().judged)

    @property
    def levels_(self) -> np.ndarray:
        """The levels of the context seen in training, ascending."""
        return self._context_scaling().levels

    def _context_scaling(self) -> ContextScaling:
        scaling = self._scaling_checked()
        if not isinstance(scaling, ContextScaling):
            raise ValueError("this flow was trained without a context; set context_column and train again")
        return scaling

    def _fit_scaling(self, X: np.ndarray) -> Scaling:
        column = self.context_column
        if column is None:
            return super()._fit_scaling(X)
        if not -X.shape[1] <= column < X.shape[1]:
            raise ValueError(
                f"context_column must be None or the number of a column of the {X.shape[1]}, not {column!r}"
            )
        return ContextScaling.fit_context(X, int(column) % X.shape[1], self.standardize, self._learns_tails)


class FlowGivenLevel(FlowModel):
    """A trained `ConditionalFlow` at one level of its context: rows and latent points without the context's column.

    `levels_` of the flow are what `level` may be. It is a view of the flow, which is trained and saved instead of it.
    """

    def __init__(self, flow: FlowModel, level: float):
        self.flow = flow
        self.level = level

    def score_samples(self, X: np.ndarray) -> np.ndarray:
        """Log p(x | level) in nats, (n_samples,)."""
        return self.flow.score_samples(self._whole(X, self.level))

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Latent points, (n_samples, n_features)."""
        return np.asarray(self.flow.transform(self._whole(X, self.level)))[:, self._judged]

    def inverse_transform(self, Z: np.ndarray) -> np.ndarray:
        """Rows in data units, (n_samples, n_features)."""
        return self.flow.inverse_transform(self._whole(Z, self._code))[:, self._judged]

    def sample(self, n_samples: int = 1, random_state: int | None = None, temperature: float = 1.0) -> np.ndarray:
        """Draws at this level, (n_samples, n_features)."""
        return self.flow.sample_given(self.level, n_samples, random_state, temperature)[:, self._judged]

    def transform_path(self, X: np.ndarray) -> np.ndarray:
        """Positions after each layer, (n_layers + 1, n_samples, n_features)."""
        return self.flow.transform_path(self._whole(X, self.level))[:, :, self._judged]

    def log_det_path(self, X: np.ndarray) -> np.ndarray:
        """Log-determinant of each layer in nats, (n_layers, n_samples)."""
        return self.flow.log_det_path(self._whole(X, self.level))

    def scaling_log_det(self, X: np.ndarray) -> np.ndarray:
        """Log-determinant of standardising and compressing in nats, (n_samples,)."""
        return self.flow.scaling_log_det(self._whole(X, self.level))

    def layer_jacobian(self, x: np.ndarray, layer: int = 0) -> np.ndarray:
        """Jacobian of one layer or of all at a row x (n_features,), (n_features, n_features)."""
        matrix = self.flow.layer_jacobian(self._whole(np.asarray(x)[None], self.level)[0], layer)
        return matrix[np.ix_(self._judged, self._judged)]

    def _train(self, *_: object) -> NoReturn:
        """Not possible: train the flow under its context."""
        raise NotImplementedError("a flow given one level is a view of a trained one; train that")

    def get_state(self) -> dict[str, np.ndarray]:
        """State of the whole flow."""
        return self.flow.get_state()

    def set_state(self, state: State) -> FlowGivenLevel:
        """Restore the whole flow."""
        self.flow.set_state(state)
        return self

    @property
    def tail_bound(self) -> float | None:  # type: ignore[override]  # read-only in the base too
        """`tail_bound` of the flow, in standard deviations."""
        return self.flow.tail_bound

    @property
    def _judged(self) -> np.ndarray:
        return self.flow.judged_columns()

    @property
    def _code(self) -> int:
        return int(np.flatnonzero(self.flow.levels_ == self.level)[0])

    def _whole(self, X: np.ndarray, value: float) -> np.ndarray:
        X = np.asarray(X, np.float64)
        whole = np.full((len(X), self.flow.n_features_in_), float(value))
        whole[:, self._judged] = X
        return whole
