"""The base of autoencoders as estimators: rows to a code and back, over the nets of `flowlab.nets.autoencoder`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
from sklearn.utils.validation import check_is_fitted

from flowlab.columns import spread_of
from flowlab.constraints import COUNT, NOT_NEGATIVE, POSITIVE, YES_OR_NO, Interval, OneOf
from flowlab.models.base import GenerativeModel, LatentModel, State
from flowlab.records import TrainEvent

if TYPE_CHECKING:
    from flowlab.nets.autoencoder import AutoencoderNet, VariationalNet
    from flowlab.nets.training import TrainState

CodeNet = TypeVar("CodeNet", "AutoencoderNet", "VariationalNet")


class CodeModel(LatentModel, GenerativeModel, Generic[CodeNet]):
    """What autoencoders share: standardised rows, the training loop, codes, feature errors, the state.

    A subclass names its `_state_names` (attributes without the underscore) and builds its net over given flat
    parameters in `_net`.
    """

    valid = {
        "n_latent": COUNT,
        "n_layers": Interval(int, 0),
        "width": COUNT,
        "activation": OneOf("relu", "tanh", "elu", "silu"),
        "n_steps": COUNT,
        "batch_size": COUNT,
        "learning_rate": POSITIVE,
        "weight_decay": NOT_NEGATIVE,
        "patience": Interval(int, 0),
        "min_delta": NOT_NEGATIVE,
        "keep_best": YES_OR_NO,
    }
    _state_names: tuple[str, ...]

    @abstractmethod
    def _net(self, parameters: np.ndarray | None) -> CodeNet:
        """The net over given flat parameters, or over new ones."""

    def _check_rows_to_fit(self, X: np.ndarray) -> None:
        """ValueError where the loss has no meaning for rows (n_samples, n_features); any rows will do by default."""

    @property
    def _n_features_out(self) -> int:
        return self.n_latent

    def _train(
        self, X: np.ndarray, X_val: np.ndarray | None, checkpoint: State | None, n_steps: int | None
    ) -> Iterator[TrainEvent]:
        """See `DensityModel.fit_iter`; without validation rows the loss is watched on training rows."""
        for rows in (X,) if X_val is None else (X, X_val):
            self._check_rows_to_fit(rows)
        if checkpoint is None:
            self.mean_, self.scale_ = X.mean(0), spread_of(X)
        else:
            self.set_state(checkpoint)
        return self._steps(X, X_val, checkpoint, n_steps)

    def _steps(
        self, X: np.ndarray, X_val: np.ndarray | None, checkpoint: State | None, n_steps: int | None
    ) -> Iterator[TrainEvent]:
        from flowlab.nets.training import Settings, TrainState, train

        net = self._net(None)
        if checkpoint is None:
            net.initialise(self.random_state)
            state = TrainState.start(net)
        else:
            state = TrainState.from_arrays(checkpoint)
        net.step = state.step
        settings = Settings(
            n_steps=self.n_steps,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            patience=self.patience,
            min_delta=self.min_delta,
            keep_best=self.keep_best,
        )
        self._keep(net, state, X)
        x = net.to_tensor(self._standardise(X))
        x_val = None if X_val is None else net.to_tensor(self._standardise(X_val))
        for event in train(net, state, x, x_val, settings, self.random_state, n_steps):
            self._keep(net, state, X)
            yield event

    def _keep(self, net: CodeNet, state: TrainState, X: np.ndarray) -> None:
        """Make the estimator usable with the weights in `net`."""
        self.parameters_ = net.parameters.numpy().copy()
        self._train_state = state
        self._keep_codes(X[:5000])

    def _keep_codes(self, X: np.ndarray) -> None:
        """Set what sampling needs of the training rows' codes; nothing by default."""

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Codes, (n_samples, n_latent); of a variational autoencoder the means of q(z|x)."""
        return self._encode(self._check_rows(X))

    def inverse_transform(self, Z: np.ndarray) -> np.ndarray:
        """Decoded codes (n_samples, n_latent) in data units, (n_samples, n_features)."""
        self._check_is_trained()
        Z = np.array(Z, np.float64)
        if Z.ndim != 2 or Z.shape[1] != self.n_latent:
            raise ValueError(f"Z must have shape (n_samples, {self.n_latent}), one column per code unit, not {Z.shape}")
        return self._decode(Z) * self.scale_ + self.mean_

    def feature_errors(self, X: np.ndarray) -> np.ndarray:
        """Squared reconstruction error of each feature in squared standard deviations, (n_samples, n_features)."""
        X = self._check_rows(X)
        return (self._standardise(X) - self._decode(self._encode(X))) ** 2

    def reconstruction_error(self, X: np.ndarray) -> np.ndarray:
        """Sum of the squared errors of a row's features, in squared standard deviations, (n_samples,)."""
        return self.feature_errors(X).sum(1)

    def compression(self) -> float:
        """Share of the numbers of a row that the code saves, (n - k) / n; below 0 when the code is over-complete."""
        self._check_is_trained()
        return 1 - self.n_latent / self.n_features_in_

    def n_parameters(self) -> int:
        """How many weights encoder and decoder have, learned output variances included."""
        self._check_is_trained()
        return self.parameters_.size

    def get_state(self) -> dict[str, np.ndarray]:
        """The fitted attributes by name, without the trailing underscore."""
        self._check_is_trained()
        return {name: np.asarray(getattr(self, f"{name}_")) for name in self._state_names}

    def set_state(self, state: State) -> LatentModel:
        """Restore what `get_state` returned. Returns self."""
        for name in self._state_names:
            setattr(self, f"{name}_", np.asarray(state[name]))
        self.n_features_in_ = len(self.mean_)
        return self

    def get_checkpoint(self) -> dict[str, np.ndarray]:
        """State and `train.*` arrays, for `fit_iter` to go on from."""
        return self.get_state() | self._train_state.to_arrays()

    def _standardise(self, X: np.ndarray) -> np.ndarray:
        return (X - self.mean_) / self.scale_

    def _check_is_trained(self) -> None:
        check_is_fitted(self)

    def _scoring_net(self) -> CodeNet:
        """The net in float64, so that a row scores the same in any batch."""
        return self._net(self.parameters_.astype(np.float64))

    def _encode(self, X: np.ndarray) -> np.ndarray:
        return self._scoring_net().encode_rows(self._standardise(X))

    def _decode(self, Z: np.ndarray) -> np.ndarray:
        return self._scoring_net().decode_rows(Z)

    def _hidden(self) -> list[int]:
        return [self.width] * self.n_layers
