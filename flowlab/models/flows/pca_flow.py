"""A flow of a whitened principal-component code: for embeddings and pictures, whose columns say the same again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

import numpy as np
from sklearn.decomposition import PCA
from sklearn.utils.validation import check_is_fitted

from flowlab.constraints import COUNT, Interval
from flowlab.models.base import DensityModel, State
from flowlab.models.flows.families import MaskedAutoregressiveFlow
from flowlab.records import TrainEvent


class PCAFlow(DensityModel):
    """The density of the first principal components of rows, whitened, by an autoregressive flow.

    Flows of embeddings find what is outside where flows of pixels do not (Kirichenko et al. 2020, arXiv:2006.08545).
    The score is the log-density of the code, which is no density of the rows: what the code leaves out is not judged.

    Parameters
    ----------
    n_components : of the code, at most; no more than there are columns, or rows
    n_layers, hidden_features, n_steps, batch_size, learning_rate, random_state : of the flow, see
        `MaskedAutoregressiveFlow`

    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(300, 3)) @ rng.normal(size=(3, 12))
    >>> flow = PCAFlow(n_components=3, n_layers=2, n_steps=100).fit(X)
    >>> bool(flow.anomaly_score(5 * X).mean() > flow.anomaly_score(X).mean())
    True
    """

    is_density = False
    loss_label = "negative log-likelihood of the code (nats)"
    score_label = "log-density of the code (nats)"
    valid = {
        "n_components": COUNT,
        "n_layers": COUNT,
        "hidden_features": COUNT,
        "n_steps": COUNT,
        "batch_size": COUNT,
        "learning_rate": Interval(float, 0, 1, closed="right"),
        "random_state": Interval(int, 0),
    }

    def __init__(
        self,
        n_components: int = 16,
        n_layers: int = 5,
        hidden_features: int = 64,
        n_steps: int = 1000,
        batch_size: int = 256,
        learning_rate: float = 2e-3,
        random_state: int = 0,
    ):
        self.n_components = n_components
        self.n_layers = n_layers
        self.hidden_features = hidden_features
        self.n_steps = n_steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.random_state = random_state

    def _train(
        self, X: np.ndarray, X_val: np.ndarray | None, checkpoint: State | None, n_steps: int | None
    ) -> Iterator[TrainEvent]:
        if checkpoint is None:
            pca = PCA(min(self.n_components, *X.shape), whiten=True, svd_solver="full").fit(X)
            least = 1e-12 * max(float(X.var(axis=0).sum()), 1e-12)  # no direction is stretched without end
            self.mean_, self.components_ = pca.mean_, pca.components_
            self.spread_ = np.sqrt(np.maximum(pca.explained_variance_, least))
            inner = None
        else:
            self._set_code(checkpoint)
            inner = _inner(checkpoint)
        self.flow_ = self._flow()
        val = None if X_val is None else self.code(X_val)
        return self.flow_.fit_iter(self.code(X), val, checkpoint=inner, n_steps=n_steps)

    def code(self, X: np.ndarray) -> np.ndarray:
        """Whitened principal components of rows, (n_samples, n_components)."""
        return (np.asarray(X, np.float64) - self.mean_) @ self.components_.T / self.spread_

    def score_samples(self, X: np.ndarray) -> np.ndarray:
        """Log-density of each row's code in nats per unit of the code, (n_samples,)."""
        check_is_fitted(self, "flow_")
        return self.flow_.score_samples(self.code(self._check_rows(X)))

    def get_state(self) -> dict[str, np.ndarray]:
        """The code and the flow, as arrays."""
        check_is_fitted(self, "flow_")
        return self._with_code(self.flow_.get_state())

    def get_checkpoint(self) -> dict[str, np.ndarray]:
        """The state and what the flow's training goes on from."""
        check_is_fitted(self, "flow_")
        return self._with_code(self.flow_.get_checkpoint())

    def set_state(self, state: State) -> Self:
        """Restore what `get_state` returned. Returns self."""
        self._set_code(state)
        self.n_features_in_ = len(self.mean_)
        self.flow_ = self._flow().set_state(_inner(state))
        return self

    def _flow(self) -> MaskedAutoregressiveFlow:
        return MaskedAutoregressiveFlow(
            self.n_layers, self.hidden_features, n_steps=self.n_steps, batch_size=self.batch_size,
            learning_rate=self.learning_rate, random_state=self.random_state,
        )  # fmt: skip

    def _set_code(self, state: State) -> None:
        self.mean_, self.components_, self.spread_ = (
            np.asarray(state[name]) for name in ("mean", "components", "spread")
        )

    def _with_code(self, inner: State) -> dict[str, np.ndarray]:
        own = {"mean": self.mean_, "components": self.components_, "spread": self.spread_}
        return own | {f"flow.{name}": value for name, value in inner.items()}


def _inner(state: State) -> dict[str, np.ndarray]:
    """What belongs to the flow."""
    return {name.removeprefix("flow."): value for name, value in state.items() if name.startswith("flow.")}
