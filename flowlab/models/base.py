"""The contract of every model: NumPy in, NumPy out, scikit-learn's rules."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    DensityMixin,
    OutlierMixin,
    TransformerMixin,
)
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_is_fitted, validate_data

from flowlab.constraints import Constraint, Interval, check_parameters, constraints_of
from flowlab.models.flows.jacobian_form import LayerForm
from flowlab.records import TrainEvent

if TYPE_CHECKING:
    from flowlab.datasets.dataset import Dataset
    from flowlab.serving.film import Film

State = Mapping[str, np.ndarray]
"""Named arrays that survive NPZ without pickle; texts are zero-dimensional string arrays."""
ROW_BLOCK = 256
"""Rows from which on linear algebra libraries round each row of a product alike, however many there are."""


class DensityModel(DensityMixin, BaseEstimator, ABC):
    """What can be fitted, and then scores rows: higher is more normal.

    `is_density` says whether `score_samples` is a log-density in nats, in the units of the data the caller
    passed in. A row's score depends on that row alone, never on the batch it came in. Rows are an array, or a frame of
    pandas, Polars or Arrow, the names of whose columns are then expected of the next one.

    What a model can do is said by its class: a `GenerativeModel` draws rows, a `LatentModel` transforms them, an
    `OutlierDetector` predicts; `can_condition`, that it has a parameter `context_column`, a column that conditions the
    others and is not judged itself; `is_for_images`, that its rows are pictures, so that a table is refused;
    `is_ensemble`, that it trains several models in turn; `can_time_steps`, that `steps_within` tells how many training
    steps fit into a time; `asks_if_normal`, that it has a parameter
    `trained_on`, whether its training rows are known to be normal; `score_is_bound`, that scores estimate a lower
    bound of the log-density; `scores_by_reconstruction`, that its anomaly score is the sum of its `feature_errors`.
    `valid` says what parameters may be, together with that of the base classes.
    """

    valid: ClassVar[Mapping[str, Constraint]] = {}

    loss_label = "negative log-likelihood (nats)"
    score_label = "log-density (nats)"
    is_density = True
    can_sample = False
    can_condition = False
    can_time_steps = False
    is_for_images = False
    is_ensemble = False
    asks_if_normal = False
    scores_by_reconstruction = False
    score_is_bound = False
    n_steps = 1

    @property
    def loss_is_likelihood(self) -> bool:
        """Whether losses are mean negative log-densities in nats of the data, or upper bounds of them."""
        return self.is_density

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
        self._check_parameters()
        X, X_val = self._check_training_rows(X, X_val)
        return self._train(X, X_val, checkpoint, n_steps)

    @abstractmethod
    def _train(
        self, X: np.ndarray, X_val: np.ndarray | None, checkpoint: State | None, n_steps: int | None
    ) -> Iterator[TrainEvent]:
        """What `fit_iter` does once parameters and rows are valid; what it refuses, it refuses at the call."""

    def film(self, data: Any) -> Film:
        """Fit to `data` from the start, keep a picture of each stretch of training, and return the film.

        `data` is an exact density such as `Moons()`, a Dataset, or rows (n_samples, n_features). A notebook plays the
        film; its `save` writes it as one HTML page.
        """
        import flowlab  # what draws stands above the models; the table of contents is the way to it

        return flowlab.film(self, data)

    @abstractmethod
    def score_samples(self, X: np.ndarray) -> np.ndarray:
        """Score per row, shape (n_samples,); higher is more normal; a log-density in nats where `is_density`."""

    def anomaly_score(self, X: np.ndarray) -> np.ndarray:
        """Minus `score_samples`, shape (n_samples,): higher is more anomalous.

        The bits of a row's score are those of that row alone. Matrix products round otherwise for a few rows than for
        many, so the number of rows is brought to a multiple of `ROW_BLOCK`, from where on they do not.
        """
        if not hasattr(X, "columns") and not issparse(X):  # a frame keeps its names, what is sparse is refused below
            X = np.asarray(X)
        shape = np.shape(X)
        if len(shape) != 2 or not shape[0] % ROW_BLOCK:
            return -self.score_samples(X)
        rows = np.minimum(np.arange(shape[0] + -shape[0] % ROW_BLOCK), shape[0] - 1)
        return -self.score_samples(_safe_indexing(X, rows))[: shape[0]]

    def score(self, X: np.ndarray, y: np.ndarray | None = None) -> float:
        """Mean of `score_samples`."""
        return float(np.mean(self.score_samples(X)))

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
        return validate_data(self, X, dtype=np.float64, order="C", reset=False)

    def _check_training_rows(
        self, X: np.ndarray, X_val: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        X = validate_data(self, X, dtype=np.float64, order="C", ensure_min_samples=2)
        if X_val is not None:
            X_val = validate_data(self, X_val, dtype=np.float64, order="C", reset=False)
        return X, X_val


class GenerativeModel(DensityModel):
    """A model that rows can be drawn from."""

    can_sample = True

    @abstractmethod
    def sample(self, n_samples: int = 1, random_state: int | None = None, temperature: float = 1.0) -> np.ndarray:
        """Draws from the model, shape (n_samples, n_features), in the units of the data."""


class OutlierDetector(OutlierMixin, DensityModel):
    """A model that says which rows are outliers, as scikit-learn's detectors do.

    `fit` sets `offset_` so that the share `contamination` of the training rows scores below it. Training step by step
    and `set_state` do not set it: there a `Threshold`, chosen on rows that were not trained on, says what is flagged.
    """

    valid = {"contamination": Interval(float, 0, 0.5, closed="right")}
    contamination: float
    offset_: float

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> Self:
        """Fit to `X` (n_samples, n_features) and set `offset_`; `y` is ignored. Returns self."""
        super().fit(X, y)
        self.offset_ = float(np.quantile(-self.anomaly_score(X), self.contamination))
        return self

    def decision_function(self, X: np.ndarray) -> np.ndarray:
        """`score_samples` less `offset_`, (n_samples,): below 0 for outliers."""
        check_is_fitted(self, "offset_", msg="%(name)s has no offset_, which fit sets; or choose a Threshold")
        return -self.anomaly_score(X) - self.offset_

    def predict(self, X: np.ndarray) -> np.ndarray:
        """-1 for outliers and 1 for the others, (n_samples,) int."""
        return np.where(self.decision_function(X) < 0, -1, 1)


class LatentModel(ClassNamePrefixFeaturesOutMixin, TransformerMixin, DensityModel):
    """A model with a latent space: `transform` goes from data to latent, `inverse_transform` back.

    Latent columns are named by the class and a number; `set_output` gives them as a frame.
    """

    @property
    @abstractmethod
    def _n_features_out(self) -> int:
        """Number of latent columns of the fitted model."""

    @abstractmethod
    def transform(self, X: np.ndarray) -> np.ndarray:
        """Latent points, shape (n_samples, n_latent)."""

    @abstractmethod
    def inverse_transform(self, Z: np.ndarray) -> np.ndarray:
        """Rows in data units, shape (n_samples, n_features)."""

    def reconstruct(self, X: np.ndarray) -> np.ndarray:
        """Rows to latent and back, shape (n_samples, n_features)."""
        return self.inverse_transform(np.asarray(self.transform(X)))


class FlowModel(LatentModel, GenerativeModel):
    """An invertible model: the latent space has as many dimensions as the data, and the volume change is known.

    `tail_bound` is where the maps of its layers end, in standard deviations, None where they do not; `states_masks`
    says that it tells which columns its layers transform (`flows.masks.LayerMasks`).
    """

    tail_bound: float | None = None
    states_masks = False

    @property
    def _n_features_out(self) -> int:
        return self.n_features_in_

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

    def loss_of(rows: np.ndarray) -> float:
        names = getattr(model, "feature_names_in_", None)  # rows without their names would be warned about
        return -float(np.mean(model.score_samples(rows if names is None else pd.DataFrame(rows, columns=names))))

    loss = loss_of(X[:2000])
    val_loss = loss if X_val is None or len(X_val) == 0 else loss_of(X_val[:2000])
    return TrainEvent(1, 1, 1.0, loss, val_loss, seconds, len(X) / max(seconds, 1e-9), is_best=True)


def use_one_thread() -> None:
    """One thread for torch, denormals flushed, in the calling thread; see `flowlab.nets.process`."""
    from flowlab.nets.process import use_one_thread

    use_one_thread()
