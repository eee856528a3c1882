"""A coupling flow over two Gaussians instead of one, so that data in two pieces need no bridge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils import check_random_state

from flowlab.constraints import NOT_NEGATIVE
from flowlab.models.flows.families import AffineCouplingFlow

if TYPE_CHECKING:
    from flowlab.nets.engine.stack import Stack


class TwoGaussianFlow(AffineCouplingFlow):
    """RealNVP whose base is an even mixture of two unit normals, `distance` apart along the last column.

    A continuous invertible map keeps a region in one piece; the superlevel sets of one normal are in one piece, those
    of two far enough apart are not (Stimper et al. 2022, arXiv:2110.15828, give the argument). `distance` 0 is one
    normal. The other parameters are those of `AffineCouplingFlow`.

    >>> X = np.random.default_rng(0).normal(size=(300, 2)) + [[0.0, 6.0]] * np.array([[0], [1]] * 150)
    >>> flow = TwoGaussianFlow(n_layers=2, n_steps=50).fit(X)
    >>> flow.sample(5, random_state=0).shape
    (5, 2)
    """

    valid = {"distance": NOT_NEGATIVE}

    def __init__(
        self,
        n_layers: int = 8,
        hidden_features: int = 24,
        n_hidden: int = 2,
        distance: float = 8.0,
        scale_map: str = "tanh",
        convention: str = "scale then shift",
        mask: str = "alternate",
        activation_norm: bool = False,
        n_steps: int = 800,
        batch_size: int = 256,
        learning_rate: float = 5e-3,
        weight_decay: float = 0.0,
        noise: float = 0.0,
        patience: int = 0,
        min_delta: float = 0.0,
        keep_best: bool = True,
        regularize: bool | str = "auto",
        standardize: bool = True,
        context_column: int | None = None,
        fault: str = "none",
        random_state: int = 0,
    ):
        super().__init__(
            n_layers, hidden_features, n_hidden, scale_map, convention, mask, activation_norm, n_steps, batch_size,
            learning_rate, weight_decay, noise, patience, min_delta, keep_best, regularize, standardize,
            context_column, fault, random_state,
        )  # fmt: skip
        self.distance = distance

    def _build(self, n_features: int, exact: bool = False) -> Stack:
        from flowlab.nets.engine.build import with_two_centers

        return with_two_centers(super()._build(n_features, exact), self.distance)

    def sample(self, n_samples: int = 1, random_state: int | None = None, temperature: float = 1.0) -> np.ndarray:
        """Draws, (n_samples, n_features); `temperature` scales the latent points about their centre."""
        rng = check_random_state(random_state)
        latent = self._scaling_checked().base_sample(n_samples, temperature, rng)
        last = np.flatnonzero(self._scaling.varies)[-1]
        latent[:, last] += rng.choice([-0.5, 0.5], n_samples) * self.distance
        return self._to_data(latent, exact=False)
