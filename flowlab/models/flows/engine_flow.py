"""The base of our flows as estimators: scaling, training in slices, scores, paths, the saved state."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from flowlab.constraints import COUNT, NOT_NEGATIVE, YES_OR_NO, Interval, OneOf
from flowlab.models.base import FlowModel, State
from flowlab.models.flows.masks import LayerMasks
from flowlab.models.flows.scaling import Scaling, scaling_from
from flowlab.records import TrainEvent

if TYPE_CHECKING:
    from torch import Tensor

    from flowlab.nets.engine.stack import Stack
    from flowlab.nets.training import Settings

MAX_VALIDATION_ROWS = 2000
FEW_ROWS = 10_000
"""Below this many training rows a flow overfits before its steps are done (measured on the exact toy densities)."""
LOWEST = -1e30
SMOOTHING = 0.2, 0.005


class EngineFlow(LayerMasks, FlowModel):
    """What our flows share. A subclass has the parameters named below and builds its net in `_build`.

    Parameters every flow has
    -------------------------
    n_steps : training steps; the learning rate falls to zero over them
    batch_size, learning_rate, weight_decay : of Adam; the decay is decoupled
    noise : standard deviation of Gaussian noise added to standardised training rows; 0 leaves it to `regularize`
    patience : stop after this many evaluations (one every 50 steps) without progress; 0: never
    min_delta : what the validation loss must fall by, in nats, to count as progress
    keep_best : keep the weights that were best on the validation rows; else those of the last step
    regularize : "auto" sets validation rows aside, keeps the weights that are best on them and, below 10 000 training
        rows, adds noise that falls from 0.2 to 0.005 standard deviations during training: weights are kept at the noise
        whose validation likelihood is best. "none" does none of this
    standardize : scale columns to mean 0 and standard deviation 1 first
    random_state : integer seed of weights, split and batches
    """

    valid = {
        "n_layers": COUNT,
        "n_steps": COUNT,
        "batch_size": COUNT,
        "learning_rate": Interval(float, 0, 1, closed="right"),
        "weight_decay": NOT_NEGATIVE,
        "noise": NOT_NEGATIVE,
        "patience": Interval(int, 0),
        "min_delta": NOT_NEGATIVE,
        "keep_best": YES_OR_NO,
        "regularize": OneOf("auto", "none"),
        "standardize": YES_OR_NO,
        "random_state": Interval(int, 0),
    }
    can_time_steps = True
    _average_rate = 0.01
    """How fast the averaged weights, which are the ones kept, follow the trained ones."""
    _learns_tails = False
    """Whether heavy-tailed columns are brought near normal ones by a map learned from them, before the first layer."""

    @abstractmethod
    def _build(self, n_features: int, exact: bool = False) -> Stack:
        """A new `nets.engine` stack over `n_features` columns; in float64 if `exact`."""

    def _train(
        self, X: np.ndarray, X_val: np.ndarray | None, checkpoint: State | None, n_steps: int | None
    ) -> Iterator[TrainEvent]:
        """See `DensityModel.fit_iter`; without `X_val`, validation rows are set aside as `regularize` says."""
        X, X_val = self._set_aside(X, X_val)
        self._scaling = self._fit_scaling(X) if checkpoint is None else scaling_from(checkpoint)
        net = self._net = self._build(int(self._scaling.varies.sum()))
        self.parameters_ = net.parameters.numpy()
        return self._steps(X, X_val, checkpoint, n_steps)

    def steps_within(self, seconds: float, X: np.ndarray, clock: Callable[[], float] = time.perf_counter) -> int:
        """How many training steps on X fit into `seconds` on this machine, by timing 150 steps of a copy."""
        trial = clone(self).set_params(n_steps=10**9, patience=0)
        for event in trial.fit_iter(X, n_steps=200):
            if event.step == 50:
                began = clock()
        return max(1, int(seconds * 150 / max(clock() - began, 1e-9)))

    def _steps(
        self, X: np.ndarray, X_val: np.ndarray | None, checkpoint: State | None, n_steps: int | None
    ) -> Iterator[TrainEvent]:
        from flowlab.nets.process import use_one_thread
        from flowlab.nets.training import TrainState, train

        use_one_thread()
        net, Z = self._net, self._scaling.forward(X)
        Z_val = None if X_val is None else self._scaling.forward(X_val)
        x, x_val = self._to_tensor(Z), None if Z_val is None else self._to_tensor(Z_val)
        if checkpoint is None:
            net.fit_start(x[:, :MAX_VALIDATION_ROWS])
            self._train_state = TrainState.start(net)
        else:
            self._train_state = TrainState.from_arrays(checkpoint)
        settings = self._settings(len(X), x_val is not None)
        train_shift = self._loss_shift(Z)
        val_shift = self._loss_shift(Z[:MAX_VALIDATION_ROWS] if Z_val is None else Z_val)
        for event in train(net, self._train_state, x, x_val, settings, self.random_state, n_steps):
            note = f"{event.note}; {self._farthest(X)}" if event.note else ""
            train_loss, val_loss = event.train_loss + train_shift, event.val_loss + val_shift
            yield replace(event, note=note, train_loss=train_loss, val_loss=val_loss)

    def _loss_shift(self, Z: np.ndarray) -> float:
        """What scaling adds to the net's mean loss over Z, in nats: with it, losses belong to the units of the data."""
        return -float(np.mean(self._scaling.log_det(Z) + self._scaling.constant_log_density(Z)))

    def _farthest(self, X: np.ndarray) -> str:
        """Column and size of the farthest value, the likely cause of a step that failed, in words."""
        Z = np.abs((X - self._scaling.center) / self._scaling.scale)
        _, column = np.unravel_index(Z.argmax(), Z.shape)
        names = getattr(self, "feature_names_in_", [f"column {i + 1}" for i in range(Z.shape[1])])
        return f"the farthest value is in {names[column]}, {Z.max():.3g} standard deviations out"

    def _fit_scaling(self, X: np.ndarray) -> Scaling:
        return Scaling.fit(X, self.standardize, self._learns_tails)

    def _settings(self, n_rows: int, has_validation: bool) -> Settings:
        from flowlab.nets.training import Settings

        smooth = self.regularize == "auto" and has_validation and self.noise == 0 and n_rows < FEW_ROWS
        noise, noise_end = SMOOTHING if smooth else (self.noise, None)
        return Settings(
            n_steps=self.n_steps,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            noise=noise,
            noise_end=noise_end,
            patience=self.patience,
            min_delta=self.min_delta,
            keep_best=self.keep_best,
            average_rate=self._average_rate,
        )

    def _set_aside(self, X: np.ndarray, X_val: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
        """Training and validation rows: those given, or a tenth to a fifth of X where there are rows to spare."""
        if X_val is None and self.regularize == "auto" and len(X) >= 40:
            n_val = min(max(len(X) // 10, min(len(X) // 5, 50)), MAX_VALIDATION_ROWS)
            order = np.random.default_rng([self.random_state, 1]).permutation(len(X))
            X, X_val = X[np.sort(order[n_val:])], X[order[:n_val]]
        return X, None if X_val is None or len(X_val) == 0 else X_val[:MAX_VALIDATION_ROWS]

    def score_samples(self, X: np.ndarray) -> np.ndarray:
        """Log-density in nats in the units of X, shape (n_samples,).

        Where an unbounded flow (scale_map "exp") overflows, the score is -1e30, never infinite or nan.
        """
        Z = self._scaling_checked().forward(self._check_rows(X))
        log_density = self._net.log_density(self._to_tensor(Z)).double().numpy()
        log_density = np.where(np.isfinite(log_density), log_density, LOWEST)
        return log_density + self._scaling.constant_log_density(Z) + self._scaling.log_det(Z)

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Latent points, shape (n_samples, n_features); close to standard normal where the flow fits."""
        Z = self._scaling_checked().forward(self._check_rows(X))
        latent = self._exact_net().transform(self._to_tensor(Z, exact=True))[0]
        Z[:, self._scaling.varies] = latent.numpy().T
        return Z

    def inverse_transform(self, Z: np.ndarray) -> np.ndarray:
        """Rows in data units, shape (n_samples, n_features), of latent points Z of that shape."""
        return self._to_data(Z, exact=True)

    def _to_data(self, Z: np.ndarray, exact: bool) -> np.ndarray:
        scaling = self._scaling_checked()
        Z = np.array(Z, np.float64)
        if Z.ndim != 2 or Z.shape[1] != self.n_features_in_:
            raise ValueError(f"Z must be (n_samples, {self.n_features_in_}), not {Z.shape}")
        net = self._exact_net() if exact else self._net
        Z[:, scaling.varies] = net.inverse(self._to_tensor(Z, exact))[0].numpy().T
        return scaling.inverse(Z)

    def sample(self, n_samples: int = 1, random_state: int | None = None, temperature: float = 1.0) -> np.ndarray:
        """Draws, (n_samples, n_features); `temperature` scales the latent points: below 1 nearer to the modes."""
        scaling = self._scaling_checked()
        if n_samples < 1:
            raise ValueError(f"n_samples must be at least 1, not {n_samples}")
        if not temperature >= 0:
            raise ValueError(f"temperature must be 0 or more, not {temperature}")
        latent = scaling.base_sample(n_samples, temperature, check_random_state(random_state))
        return self._to_data(latent, exact=False)

    def transform_path(self, X: np.ndarray) -> np.ndarray:
        """Positions (n_layers + 1, n_samples, n_features): the standardised rows first, the latent points last."""
        return self._path(X, "positions")

    def log_det_path(self, X: np.ndarray) -> np.ndarray:
        """Log-determinant of each layer in nats, (n_layers, n_samples).

        log p(x) = log N(z; 0, I) + sum of these + `scaling_log_det(X)`, with z the last position of `transform_path`.
        """
        Z = self._scaling_checked().forward(self._check_rows(X))
        return self._exact_net().path(self._to_tensor(Z, exact=True)).log_dets.numpy()

    def scaling_log_det(self, X: np.ndarray) -> np.ndarray:
        """Log-determinant of standardising and compressing in nats, (n_samples,)."""
        return self._scaling_checked().log_det(self._scaling.forward(self._check_rows(X)))

    def layer_readout(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log-scale and shift that each layer applied to each feature, each (n_layers, n_samples, n_features).

        Features a layer keeps show 0. For splines: the log-derivative, and the displacement y - x.
        """
        return self._path(X, "log_scale"), self._path(X, "shift")

    def score_gradient(self, X: np.ndarray) -> np.ndarray:
        """Gradient of the log-density by each feature, in nats per unit of X, (n_samples, n_features)."""
        scaling = self._scaling_checked()
        Z = scaling.forward(self._check_rows(X))
        gradient = -Z
        gradient[:, scaling.varies] = self._net.input_gradient(self._to_tensor(Z)).numpy().T
        slope, by_z = scaling.slope(Z)
        gradient += by_z
        gradient[:, ~scaling.judged] = 0
        return gradient * slope

    def get_state(self) -> dict[str, np.ndarray]:
        """Scaling and weights, as arrays; the weights in float32."""
        return self._scaling_checked().to_arrays() | {"parameters": self.parameters_.copy()}

    def set_state(self, state: State) -> EngineFlow:
        """Restore what `get_state` returned. Returns self; ValueError where the number of weights differs."""
        self._scaling = scaling_from(state)
        self.n_features_in_ = len(self._scaling.center)
        self._net = self._build(int(self._scaling.varies.sum()))
        parameters = np.asarray(state["parameters"], np.float32)
        if parameters.shape != tuple(self._net.parameters.shape):
            raise ValueError(
                f"the state holds {parameters.size} weights, this model has {len(self._net.parameters)}: "
                f"use the parameters it was trained with, not {self}"
            )
        self.parameters_ = self._net.parameters.numpy()
        self.parameters_[:] = parameters
        return self

    def get_checkpoint(self) -> dict[str, np.ndarray]:
        """State and `train.*` arrays; without the latter if the model was restored rather than trained."""
        state = self.get_state()
        if hasattr(self, "_train_state"):
            state |= self._train_state.to_arrays()
        return state

    def _path(self, X: np.ndarray, name: str) -> np.ndarray:
        """One of the net's (layers, varying features, n) paths as (layers, n, n_features)."""
        scaling = self._scaling_checked()
        Z = scaling.forward(self._check_rows(X))
        values = getattr(self._exact_net().path(self._to_tensor(Z, exact=True)), name).numpy()
        path = np.zeros((len(values), *Z.shape))
        if name == "positions":
            path[:] = Z
        path[:, :, scaling.varies] = values.transpose(0, 2, 1)
        return path

    def _to_tensor(self, Z: np.ndarray, exact: bool = False) -> Tensor:
        """The varying columns of Z, and their context, as a feature-major tensor, float32 or, if `exact`, float64."""
        from flowlab.nets.engine.build import feature_major

        return feature_major(np.concatenate([Z[:, self._scaling.varies], self._scaling.context(Z)], axis=1), exact)

    def _exact_net(self) -> Stack:
        """The net in float64: its inverse undoes it to 1e-9 where float32, amplified by steep layers, loses 1e-3."""
        net = self._net
        if net.twin is None:
            net.twin = self._build(net.n_features, exact=True)
        net.twin.parameters.copy_(net.parameters)
        return net.twin

    def _scaling_checked(self) -> Scaling:
        check_is_fitted(self, "parameters_")
        if not hasattr(self, "_net"):  # unpickled
            self.set_state({"parameters": self.parameters_, **self._scaling.to_arrays()})
        return self._scaling

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        return {key: value for key, value in state.items() if key not in ("_net", "_train_state")}
