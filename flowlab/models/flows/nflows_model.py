"""The base of nflows' flows as estimators: scaling, training in slices, scores, and notes on its faults."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from flowlab.constraints import COUNT, POSITIVE
from flowlab.models.base import FlowModel, State
from flowlab.models.classical.one_step import mean_and_scale, standardise
from flowlab.models.flows.jacobian_form import LayerForm, check_layer, form_of_flow
from flowlab.models.flows.scaling import FAR, LOG_2PI, squash, unsquash
from flowlab.records import TrainEvent

if TYPE_CHECKING:
    from flowlab.nets.nflows import Flow
    from flowlab.nets.training import Net, TrainState

LOWEST_LOG_DENSITY = -1e30
"""The score of a row whose log-density nflows could not compute."""
VALIDATION_SHARE = 0.1


class NflowsModel(FlowModel):
    """What the estimators over `nets.nflows` share; a subclass says in `_sizes` which flow to build.

    Columns are standardised and values beyond 8 standard deviations squashed (reversibly, with the log-Jacobian in
    the score). Without validation rows a tenth of the training rows is set aside; the best weights on them are kept.
    `notes_` holds a sentence for each of nflows' faults that occurred.
    """

    valid = {
        "n_layers": COUNT,
        "hidden_features": COUNT,
        "n_blocks": COUNT,
        "n_steps": COUNT,
        "batch_size": COUNT,
        "learning_rate": POSITIVE,
    }
    _kind = ""
    _permutation = "reverse"
    _min_features = 1
    _sizes: tuple[str, ...] = ("n_layers", "hidden_features", "n_blocks")

    def __init__(
        self,
        n_layers: int,
        hidden_features: int,
        n_blocks: int,
        n_steps: int,
        batch_size: int,
        learning_rate: float,
        random_state: int,
    ):
        self.n_layers = n_layers
        self.hidden_features = hidden_features
        self.n_blocks = n_blocks
        self.n_steps = n_steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.random_state = random_state

    def _train(
        self, X: np.ndarray, X_val: np.ndarray | None, checkpoint: State | None, n_steps: int | None
    ) -> Iterator[TrainEvent]:
        """See `DensityModel.fit_iter`."""
        if X.shape[1] < self._min_features:
            raise ValueError(
                f"{type(self).__name__} changes one half of the columns at a time and needs at least 2, "
                f"but the table has n_features = {X.shape[1]}; take an autoregressive flow instead"
            )
        return self._steps(X, X_val, checkpoint, n_steps)

    def _steps(
        self, X: np.ndarray, X_val: np.ndarray | None, checkpoint: State | None, n_steps: int | None
    ) -> Iterator[TrainEvent]:
        from flowlab.nets.engine.build import feature_major
        from flowlab.nets.process import use_one_thread
        from flowlab.nets.training import Settings, TrainState, train

        if X_val is None and len(X) >= 50:
            order = np.random.default_rng([self.random_state, 0xF10]).permutation(len(X))
            n_val = round(VALIDATION_SHARE * len(X))
            X, X_val = X[np.sort(order[n_val:])], X[np.sort(order[:n_val])]
        use_one_thread()
        net = self._nets().trainable(self._build(X.shape[1]), X.shape[1])
        if checkpoint is None:
            self.__dict__.pop("_flow", None)
            self.mean_, self.scale_ = mean_and_scale(X)
            self.notes_: list[str] = []
            self._note_limits()
            state = TrainState.start(net)
            self._keep(net, state)
        else:
            self.set_state(checkpoint)
            state = TrainState.from_arrays(checkpoint)
        settings = Settings(
            n_steps=self.n_steps,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            beta2=0.999,
            warmup=0.0,
            decay=False,
        )
        x = feature_major(self._enter(X)[0])
        x_val = None if X_val is None else feature_major(self._enter(X_val)[0])
        # the loop's losses are of standardised, squashed columns; these constants bring them to the data's units
        offset = np.log(self.scale_).sum() - np.mean(self._enter(X)[1])
        val_offset = offset if X_val is None else np.log(self.scale_).sum() - np.mean(self._enter(X_val)[1])
        for event in train(net, state, x, x_val, settings, self.random_state, n_steps):
            self._keep(net, state)
            if event.note:
                self._note(event.note)
            yield replace(event, train_loss=event.train_loss + offset, val_loss=event.val_loss + val_offset)

    def _nets(self) -> ModuleType:
        try:
            from flowlab.nets import nflows
        except ModuleNotFoundError as error:
            raise ImportError(
                f'{type(self).__name__} needs {error.name}; install it with: pip install "flowlab[nflows]"'
            ) from error
        return nflows

    def _build(self, n_features: int) -> Flow:
        sizes = {name: getattr(self, name) for name in self._sizes}
        return self._nets().build(
            self._kind, n_features, permutation=self._permutation, seed=self.random_state, **sizes
        )

    def _keep(self, net: Net, state: TrainState) -> None:
        """Make the estimator usable with the weights that `net` holds now."""
        self.parameters_ = net.parameters.numpy().copy()
        self._train_state = state
        self._ready_flow()

    def _ready_flow(self) -> None:
        if not hasattr(self, "_flow"):
            self._flow = self._build(len(self.mean_))
        self._flow.loaded(self.parameters_)

    def _note_limits(self) -> None:
        """Note what this flow cannot do; nothing by default."""

    def _note(self, text: str) -> None:
        if text not in self.notes_ and len(self.notes_) < 20:
            self.notes_.append(text)

    def _enter(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Standardised and squashed rows, and the log-Jacobian (n,) of the squashing."""
        Z = squash(standardise(X, self.mean_, self.scale_))
        return Z, -np.maximum(np.abs(Z) - FAR, 0.0).sum(axis=1)

    def _leave(self, Z: np.ndarray) -> np.ndarray:
        """Undo `_enter`."""
        return unsquash(Z) * self.scale_ + self.mean_

    def score_samples(self, X: np.ndarray) -> np.ndarray:
        """Log-density in nats in the units of X, (n_samples,); -1e30, with a note, where nflows gives no finite one."""
        X = self._check_rows(X)
        Z, log_jacobian = self._enter(X)
        latent, log_det = self._nets().evaluate(self._flow, Z)
        with np.errstate(over="ignore", invalid="ignore"):
            scores = -0.5 * np.einsum("ij,ij->i", latent, latent) - 0.5 * Z.shape[1] * LOG_2PI + log_det
        scores += log_jacobian - np.log(self.scale_).sum()
        bad = ~np.isfinite(scores) | (scores < LOWEST_LOG_DENSITY)
        if bad.any():
            self._note(f"nflows gave no finite log-density for {bad.sum()} rows; they count as the least likely")
        return np.where(bad, LOWEST_LOG_DENSITY, scores)

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Latent points, shape (n_samples, n_features)."""
        return self._nets().evaluate(self._flow, self._enter(self._check_rows(X))[0])[0]

    def transform_path(self, X: np.ndarray) -> np.ndarray:
        """Positions after each layer, standardised data first: (n_layers + 1, n_samples, n_features)."""
        return self._nets().evaluate_path(self._flow, self._enter(self._check_rows(X))[0])[0]

    def log_det_path(self, X: np.ndarray) -> np.ndarray:
        """Log-determinant of each layer, in nats: (n_layers, n_samples)."""
        return self._nets().evaluate_path(self._flow, self._enter(self._check_rows(X))[0])[1]

    def scaling_log_det(self, X: np.ndarray) -> np.ndarray:
        """Log-determinant of standardising and squashing in nats, (n_samples,)."""
        return self._enter(self._check_rows(X))[1] - np.log(self.scale_).sum()

    def layer_jacobian(self, x: np.ndarray, layer: int = 0) -> np.ndarray:
        """Jacobian of one layer (1 the first), or of all (0), at a row x, by torch's autograd in float64.

        See `FlowModel.layer_jacobian`. ValueError for a layer that does not exist.
        """
        row = self._enter(self._check_rows(np.asarray(x)[None]))[0][0]
        index = check_layer(layer, self.n_layers) - 1 if layer else None
        return self._nets().jacobian(self._flow, row, index)

    def layer_form(self, layer: int = 0) -> LayerForm:
        """In which order of the features `layer_jacobian` is triangular, and why."""
        check_is_fitted(self)
        if self._kind == "glow":  # its linear maps mix all columns
            if layer:
                check_layer(layer, self.n_layers)
            return LayerForm("flow")
        kind = "coupling" if self._kind.endswith("coupling") else "autoregressive"
        forms = [LayerForm(kind, *self._nets().triangular_orders(self._flow, i)) for i in range(self.n_layers)]
        return forms[check_layer(layer, len(forms)) - 1] if layer else form_of_flow(forms)

    def inverse_transform(self, Z: np.ndarray) -> np.ndarray:
        """Rows in data units, shape (n_samples, n_features).

        Where nflows cannot invert a point, the nearest one towards the origin that it can is taken, and noted.
        """
        check_is_fitted(self)
        Z = np.array(Z, dtype=np.float64)
        rows = self._nets().invert(self._flow, Z)
        bad = np.flatnonzero(np.isnan(rows).any(axis=1))
        if len(bad):
            self._note(f"nflows could not invert {len(bad)} latent points; points nearer to the origin stand for them")
        for _ in range(20):
            if not len(bad):
                break
            Z[bad] *= 0.8
            rows[bad] = self._nets().invert(self._flow, Z[bad])
            bad = bad[np.isnan(rows[bad]).any(axis=1)]
        rows[bad] = 0.0
        return self._leave(rows)

    def sample(self, n_samples: int = 1, random_state: int | None = None, temperature: float = 1.0) -> np.ndarray:
        """Draws, shape (n_samples, n_features); points that nflows cannot invert are drawn again, and noted."""
        check_is_fitted(self)
        rng = check_random_state(random_state)
        rows = np.full((n_samples, len(self.mean_)), np.nan)
        bad = np.arange(n_samples)
        for _ in range(20):
            rows[bad] = self._nets().invert(self._flow, temperature * rng.normal(size=(len(bad), rows.shape[1])))
            bad = np.flatnonzero(np.isnan(rows).any(axis=1))
            if not len(bad):
                break
            self._note(f"nflows could not invert {len(bad)} of {n_samples} draws; they were drawn again")
        rows[bad] = 0.0
        return self._leave(rows)

    def get_state(self) -> dict[str, np.ndarray]:
        """Scaling, weights and notes, as arrays."""
        check_is_fitted(self)
        arrays = {"mean": self.mean_, "scale": self.scale_, "parameters": self.parameters_}
        return arrays | {"notes": np.array(self.notes_, dtype=np.str_)}

    def set_state(self, state: State) -> NflowsModel:
        """Restore what `get_state` returned. Returns self."""
        self.mean_, self.scale_ = np.asarray(state["mean"]), np.asarray(state["scale"])
        self.parameters_ = np.asarray(state["parameters"])
        self.notes_ = [str(note) for note in state["notes"]]
        self.n_features_in_ = len(self.mean_)
        self.__dict__.pop("_flow", None)
        self._ready_flow()
        return self

    def get_checkpoint(self) -> dict[str, np.ndarray]:
        """State and `train.*` arrays, for `fit_iter` to go on from."""
        return self.get_state() | self._train_state.to_arrays()

    def n_parameters(self) -> int:
        """How many weights the flow has."""
        check_is_fitted(self)
        return int(self.parameters_.size)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in super().__getstate__().items() if key not in ("_flow", "_train_state")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if hasattr(self, "parameters_"):
            self._ready_flow()
