"""A continuous flow: rows move along a learned velocity instead of through layers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from flowlab.constraints import COUNT, POSITIVE
from flowlab.models.base import FlowModel, State
from flowlab.models.classical.one_step import mean_and_scale, standardise
from flowlab.models.flows.jacobian_form import check_layer
from flowlab.models.flows.scaling import FAR, LOG_2PI, squash, unsquash
from flowlab.records import TrainEvent

if TYPE_CHECKING:
    from flowlab.nets.training import TrainState
    from flowlab.nets.velocity import VelocityField


class ContinuousFlow(FlowModel):
    """Continuous normalizing flow trained by flow matching (Lipman et al. 2023, arXiv:2210.02747).

    Its loss is a squared error of velocities, no likelihood: none is computed while it trains. A row's log-density
    integrates the exact divergence over its path (Chen et al. 2018, arXiv:1806.07366), by Runge-Kutta steps of order 4.
    What has layers elsewhere has stretches of time here. Columns are standardised, and values beyond 8 standard
    deviations squashed.

    Parameters
    ----------
    n_layers : stretches of time from data to noise
    steps_per_layer : Runge-Kutta steps in each; 4 evaluations of the network a step
    hidden_features, n_hidden : width and number of the network's hidden layers
    """

    valid = {
        "n_layers": COUNT,
        "steps_per_layer": COUNT,
        "hidden_features": COUNT,
        "n_hidden": COUNT,
        "n_steps": COUNT,
        "batch_size": COUNT,
        "learning_rate": POSITIVE,
    }
    loss_label = "flow matching loss (squared standard deviations)"

    def __init__(
        self,
        n_layers: int = 8,
        steps_per_layer: int = 2,
        hidden_features: int = 48,
        n_hidden: int = 3,
        n_steps: int = 3000,
        batch_size: int = 256,
        learning_rate: float = 1e-2,
        random_state: int = 0,
    ):
        self.n_layers = n_layers
        self.steps_per_layer = steps_per_layer
        self.hidden_features = hidden_features
        self.n_hidden = n_hidden
        self.n_steps = n_steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.random_state = random_state

    @property
    def loss_is_likelihood(self) -> bool:
        """False: see the class."""
        return False

    def _train(
        self, X: np.ndarray, X_val: np.ndarray | None, checkpoint: State | None, n_steps: int | None
    ) -> Iterator[TrainEvent]:
        """See `DensityModel.fit_iter`."""
        return self._steps(X, X_val, checkpoint, n_steps)

    def _steps(
        self, X: np.ndarray, X_val: np.ndarray | None, checkpoint: State | None, n_steps: int | None
    ) -> Iterator[TrainEvent]:
        from flowlab.nets import velocity
        from flowlab.nets.engine.build import feature_major
        from flowlab.nets.process import use_one_thread
        from flowlab.nets.training import Settings, TrainState, train

        use_one_thread()
        net = velocity.trainable(self._build(X.shape[1]), X.shape[1])
        if checkpoint is None:
            self.mean_, self.scale_ = mean_and_scale(X)
            state = TrainState.start(net)
            self._keep(net.parameters.numpy(), state)
        else:
            self.set_state(checkpoint)
            state = TrainState.from_arrays(checkpoint)
        # averaged weights: single steps chase the noise of the times and draws they happened to get
        settings = Settings(
            self.n_steps, self.batch_size, self.learning_rate, average_rate=0.01, keep_best=False, eval_every=100
        )
        rows = feature_major(self._enter(X)[0])
        held_out = None if X_val is None else feature_major(self._enter(X_val)[0])
        for event in train(net, state, rows, held_out, settings, self.random_state, n_steps):
            self._keep(state.average.numpy(), state)
            yield event

    def _build(self, n_features: int) -> VelocityField:
        from flowlab.nets import velocity

        return velocity.build(n_features, self.hidden_features, self.n_hidden, self.random_state)

    def _keep(self, parameters: np.ndarray, state: TrainState) -> None:
        self.parameters_ = parameters.copy()
        self._train_state = state
        self._ready_field()

    def _ready_field(self) -> None:
        from flowlab.nets import velocity

        self._field = velocity.loaded(self._build(len(self.mean_)), self.parameters_)

    @property
    def _ends(self) -> np.ndarray:
        from flowlab.nets.velocity import times

        return times(self.n_layers, self.steps_per_layer)

    def _enter(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Standardised and squashed rows, and the log-Jacobian (n,) of both, in nats."""
        Z = squash(standardise(X, self.mean_, self.scale_))
        return Z, -np.maximum(np.abs(Z) - FAR, 0.0).sum(axis=1) - np.log(self.scale_).sum()

    def _integrated(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        from flowlab.nets import velocity

        return velocity.path_with_log_det(self._field, self._enter(self._check_rows(X))[0], self._ends)

    def score_samples(self, X: np.ndarray) -> np.ndarray:
        """Log-density in nats in the units of X, (n_samples,)."""
        positions, log_dets = self._integrated(X)
        z = positions[-1]
        base = -0.5 * np.einsum("ij,ij->i", z, z) - 0.5 * z.shape[1] * LOG_2PI
        return base + log_dets.sum(axis=0) + self.scaling_log_det(X)

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Latent points, (n_samples, n_features)."""
        return self.transform_path(X)[-1]

    def transform_path(self, X: np.ndarray) -> np.ndarray:
        """Positions after each stretch of time, standardised data first: (n_layers + 1, n_samples, n_features)."""
        from flowlab.nets import velocity

        return velocity.path(self._field, self._enter(self._check_rows(X))[0], self._ends)

    def log_det_path(self, X: np.ndarray) -> np.ndarray:
        """Integral of the divergence over each stretch of time, in nats: (n_layers, n_samples)."""
        return self._integrated(X)[1]

    def scaling_log_det(self, X: np.ndarray) -> np.ndarray:
        """Log-determinant of standardising and squashing in nats, (n_samples,)."""
        return self._enter(self._check_rows(X))[1]

    def layer_jacobian(self, x: np.ndarray, layer: int = 0) -> np.ndarray:
        """Jacobian of one stretch of time (1 the first), or of all (0), at a row x: that of the Runge-Kutta steps.

        Its log-determinant is that of `log_det_path` up to the error of the steps, of order 4. See
        `FlowModel.layer_jacobian`. ValueError for a stretch that does not exist.
        """
        from flowlab.nets import velocity

        row = self._enter(self._check_rows(np.asarray(x)[None]))[0][0]
        return velocity.jacobian(self._field, row, self._ends, check_layer(layer, self.n_layers) - 1 if layer else None)

    def inverse_transform(self, Z: np.ndarray) -> np.ndarray:
        """Rows in data units, (n_samples, n_features): the same steps backwards, inverse up to their error."""
        from flowlab.nets import velocity

        check_is_fitted(self)
        back = velocity.path(self._field, np.asarray(Z, float), self._ends, is_back=True)
        return unsquash(back[-1]) * self.scale_ + self.mean_

    def sample(self, n_samples: int = 1, random_state: int | None = None, temperature: float = 1.0) -> np.ndarray:
        """Draws, (n_samples, n_features), in the units of the data."""
        check_is_fitted(self)
        rng = check_random_state(random_state)
        return self.inverse_transform(temperature * rng.normal(size=(n_samples, len(self.mean_))))

    def get_state(self) -> dict[str, np.ndarray]:
        """Scaling and weights, as arrays."""
        check_is_fitted(self)
        return {"mean": self.mean_, "scale": self.scale_, "parameters": self.parameters_}

    def set_state(self, state: State) -> ContinuousFlow:
        """Restore what `get_state` returned. Returns self."""
        self.mean_, self.scale_ = np.asarray(state["mean"]), np.asarray(state["scale"])
        self.parameters_ = np.asarray(state["parameters"])
        self.n_features_in_ = len(self.mean_)
        self._ready_field()
        return self

    def get_checkpoint(self) -> dict[str, np.ndarray]:
        """State and `train.*` arrays, for `fit_iter` to go on from."""
        return self.get_state() | self._train_state.to_arrays()

    def n_parameters(self) -> int:
        """How many weights the network has."""
        check_is_fitted(self)
        return int(self.parameters_.size)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in super().__getstate__().items() if key not in ("_field", "_train_state")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if hasattr(self, "parameters_"):
            self._ready_field()
