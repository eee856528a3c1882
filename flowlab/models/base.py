"""The contract of every model: NumPy in, NumPy out, scikit-learn's rules."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, DensityMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from flowlab.constraints import Constraint, check_parameters, constraints_of
from flowlab.models.flows.jacobian_form import LayerForm
from flowlab.records import TrainEvent

if TYPE_CHECKING:
    from flowlab.datasets.dataset import Dataset

State = Mapping[str, np.ndarray]
"""Named arrays that survive NPZ without pickle; texts are zero-dimensional string arrays."""
ROW_BLOCK = 256
"""Rows from which on linear algebra libraries round each row of a product alike, however many there are."""


class DensityModel(DensityMixin, BaseEstimator, ABC):
    """What can be fitted, and then scores rows: higher is more normal.

    `is_density` says whether `score_samples` is a log-density in nats, in the units of the data the caller
    passed in. A row's score depends on that row alone, never on the batch it came in. What a model can do is said by
    its class: `can_condition`, that it has a parameter `context_column`, a column that conditions the others and is not
    judged itself; `is_ensemble`, that it trains several models in turn; `can_time_steps`, that `steps_within` tells how
    many training steps fit into a time; `asks_if_normal`, that it has a parameter `trained_on`, whether its training
    rows are known to be normal; `scores_by_reconstruction`, that its anomaly score is the sum of its
    `feature_errors`. `valid` says what parameters may be, together with that of the base classes.
    """

    valid: ClassVar[Mapping[str, Constraint]] = {}

    loss_label = "negative log-likelihood (nats)"
    score_label = "log-density (nats)"
    is_density = True
    can_sample = True
    can_condition = False
    can_time_steps = False
    is_ensemble = False
    asks_if_normal = False
    scores_by_reconstruction = False
    n_steps = 1

    @property
    def learner(self) -> str:
        """Who it is to the encoder of a table: a "density" in nats, or a "scorer" that takes numbers as they are."""
        return "density" if self.is_density else "scorer"

    def configured_for(self, dataset: Dataset) -> Self:
        """This model with what it takes from a data set before it is fitted: its context, where it `can_condition`."""
        return self.set_params(context_column=dataset.context) if self.can_condition else self

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        """Fit to `X` (n_samples, n_features); `y` is ignored. Returns self."""
        for _ in self.fit_iter(X):
            pass
        return self

    @abstractmethod
    def fit_iter(
        self,
        X: np.ndarray,
        X_val: np.ndarray | None = None,
        *,
        checkpoint: State | None = None,
        n_steps: int | None = None,
    ) -> Iterator[TrainEvent]:
        """Fit step by step: an iterator of TrainEvents, between which the model can be used.

        Parameters
        ----------
        X : (n_samples, n_features) training rows
        X_val : (n_rows, n_features) validation rows; by default the model sets some of `X` aside, or does without
        checkpoint : what `get_checkpoint` returned; training goes on from there, to the same bits
        n_steps : how many steps to take before handing back; None for all that remain

        Tables that cannot be fitted raise ValueError here, at the call, not at the first event.
        """

    @abstractmethod
    def score_samples(self, X: np.ndarray) -> np.ndarray:
        """Score per row, shape (n_samples,); higher is more normal; a log-density in nats where `is_density`."""

    def anomaly_score(self, X: np.ndarray) -> np.ndarray:
        """Minus `score_samples`, shape (n_samples,): higher is more anomalous.

        The bits of a row's score are those of that row alone. Matrix products round otherwise for a few rows than for
        many, so the number of rows is brought to a multiple of `ROW_BLOCK`, from where on they do not.
        """
        n_rows = len(X)
        if isinstance(X, np.ndarray) and X.ndim == 2 and n_rows % ROW_BLOCK:
            X = np.concatenate([X, np.repeat(X[-1:], -n_rows % ROW_BLOCK, axis=0)])
        return -self.score_samples(X)[:n_rows]

    def score(self, X: np.ndarray, y: np.ndarray | None = None) -> float:
        """Mean of `score_samples`."""
        return float(np.mean(self.score_samples(X)))

    @abstractmethod
    def sample(self, n_samples: int = 1, random_state: int | None = None, temperature: float = 1.0) -> np.ndarray:
        """Draws from the model, shape (n_samples, n_features), in the units of the data."""

    @abstractmethod
    def get_state(self) -> dict[str, np.ndarray]:
        """Everything learned, as arrays; `set_state` on an estimator of the same parameters restores it."""

    @abstractmethod
    def set_state(self, state: State) -> DensityModel:
        """Restore what `get_state` returned. Returns self."""

    def get_checkpoint(self) -> dict[str, np.ndarray]:
        """What `fit_iter` needs to go on exactly where it stopped. Models fitted in one step return their state."""
        return self.get_state()

    def n_parameters(self) -> int:
        """How many numbers were learned."""
        return int(sum(a.size for a in self.get_state().values() if np.issubdtype(a.dtype, np.floating)))

    def _check_parameters(self) -> None:
        """ValueError for the first parameter that `valid` does not allow; subclasses add what concerns several."""
        check_parameters(self.get_params(deep=False), constraints_of(type(self)))

    def _check_rows(self, X: np.ndarray) -> np.ndarray:
        """Validated float64 rows for a fitted model."""
        check_is_fitted(self)
        return validate_data(self, X, dtype=np.float64, reset=False)

    def _check_training_rows(
        self, X: np.ndarray, X_val: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        X = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        if X_val is not None:
            X_val = validate_data(self, X_val, dtype=np.float64, reset=False)
        return X, X_val


class LatentModel(TransformerMixin, DensityModel):
    """A model with a latent space: `transform` goes from data to latent, `inverse_transform` back."""

    @abstractmethod
    def transform(self, X: np.ndarray) -> np.ndarray:
        """Latent points, shape (n_samples, n_latent)."""

    @abstractmethod
    def inverse_transform(self, Z: np.ndarray) -> np.ndarray:
        """Rows in data units, shape (n_samples, n_features)."""

    def reconstruct(self, X: np.ndarray) -> np.ndarray:
        """Rows to latent and back, shape (n_samples, n_features)."""
        return self.inverse_transform(self.transform(X))


class FlowModel(LatentModel):
    """An invertible model: the latent space has as many dimensions as the data, and the volume change is known.

    `tail_bound` is where the maps of its layers end, in standard deviations, None where they do not; `states_masks`
    says that it tells which columns its layers transform (`flows.masks.LayerMasks`).
    """

    tail_bound: float | None = None
    states_masks = False

    @abstractmethod
    def transform_path(self, X: np.ndarray) -> np.ndarray:
        """Positions after each layer, standardised data first, latent last: (n_layers + 1, n_samples, n_features)."""

    @abstractmethod
    def log_det_path(self, X: np.ndarray) -> np.ndarray:
        """Log-determinant contributed by each layer, in nats: (n_layers, n_samples)."""

    @abstractmethod
    def scaling_log_det(self, X: np.ndarray) -> np.ndarray:
        """Log-determinant in nats (n_samples,) of what is done to rows before the first layer."""

    def layer_readout(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Log-scale and shift of each layer, each (n_layers, n_samples, n_features); None where they are not known."""
        return None

    @abstractmethod
    def layer_jacobian(self, x: np.ndarray, layer: int = 0) -> np.ndarray:
        """Jacobian of one layer (1 the first), or of all (0), at a row x (n_features,): (n_features, n_features).

        Element (i, j) is the derivative of feature i after by feature j before, both as in `transform_path`: from the
        scaled row to the latent point if `layer` is 0. Exact to rounding, by reverse-mode differentiation in float64;
        the logarithm of its determinant's size is that of `log_det_path`.
        """

    def layer_form(self, layer: int = 0) -> LayerForm:
        """In which order of the features `layer_jacobian` is triangular, and why."""
        return LayerForm()


def one_step_event(model: DensityModel, X: np.ndarray, X_val: np.ndarray | None, seconds: float) -> TrainEvent:
    """The single event of a model that is fitted in one go."""
    rows = X[:2000]
    loss = -float(np.mean(model.score_samples(rows)))
    val_loss = loss if X_val is None or len(X_val) == 0 else -float(np.mean(model.score_samples(X_val[:2000])))
    return TrainEvent(1, 1, 1.0, loss, val_loss, seconds, len(X) / max(seconds, 1e-9), is_best=True)


def use_one_thread() -> None:
    """One thread for torch, denormals flushed, in the calling thread; see `flowlab.nets.process`."""
    from flowlab.nets.process import use_one_thread

    use_one_thread()
