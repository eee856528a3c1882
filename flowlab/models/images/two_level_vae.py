"""The variational autoencoder with two levels of latent variables as an estimator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri
from sklearn.utils import check_random_state

from flowlab.constraints import COUNT, Interval, OneOf
from flowlab.models.base import GenerativeModel
from flowlab.models.images.image_model import ImageModel, uniform_of_rows

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from flowlab.nets.images.hierarchy import TwoLevelNetwork


class TwoLevelVAE(ImageModel, GenerativeModel):
    """A hierarchical variational autoencoder: a fine code of the picture and a coarse code of that code.

    Its score is the evidence lower bound, the mean over `n_draws` draws that depend on the row alone.

    Parameters
    ----------
    n_fine, n_coarse : sizes of the two codes
    hidden_features : width of the hidden layer of each of the four networks
    n_draws : draws of the codes per picture for its score
    dequantize, corruption, n_steps, batch_size, learning_rate, weight_decay, device, random_state, height, width,
    channels : see `ImageModel`
    """

    loss_label = "negative lower bound (nats)"
    score_label = "evidence lower bound, estimated (nats)"
    score_is_bound = True
    valid = {
        "n_fine": COUNT,
        "n_coarse": COUNT,
        "hidden_features": COUNT,
        "n_draws": Interval(int, 1, 256),
        "dequantize": OneOf("uniform", "none"),
    }

    def __init__(
        self,
        n_fine: int = 16,
        n_coarse: int = 4,
        hidden_features: int = 128,
        n_draws: int = 4,
        dequantize: str = "uniform",
        corruption: float = 0.0,
        n_steps: int = 3000,
        batch_size: int = 128,
        learning_rate: float = 3e-3,
        weight_decay: float = 0.0,
        height: int = 0,
        width: int = 0,
        channels: int = 0,
        device: str = "auto",
        random_state: int = 0,
    ):
        self.n_fine = n_fine
        self.n_coarse = n_coarse
        self.hidden_features = hidden_features
        self.n_draws = n_draws
        self.dequantize = dequantize
        self.corruption = corruption
        self.n_steps = n_steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.height = height
        self.width = width
        self.channels = channels
        self.device = device
        self.random_state = random_state

    def _module(self) -> TwoLevelNetwork:
        from flowlab.nets.images.hierarchy import TwoLevelNetwork

        return TwoLevelNetwork(
            self.shape_.n_pixels, self.n_fine, self.n_coarse, self.hidden_features, self.center_, self.spread_,
            self.random_state,
        )  # fmt: skip

    def _log_density(self, module: Any, pixels: Tensor, context: Tensor | None, generator: Generator | None) -> Tensor:
        from flowlab.nets.images.image_training import normal_noise

        terms = module.terms(pixels, normal_noise(len(pixels), self.n_fine + self.n_coarse, pixels, generator))
        return terms[:, 0] - terms[:, 1] - terms[:, 2]

    def score_samples(self, X: np.ndarray) -> np.ndarray:
        """Evidence lower bound of the log-density in nats per unit of X, (n_samples,)."""
        terms = self.bound_terms(X)
        return terms[:, 0] - terms[:, 1] - terms[:, 2]

    def bound_terms(self, X: np.ndarray) -> np.ndarray:
        """log p(x | fine code), KL of the fine code and KL of the coarse one, in nats, (n_samples, 3).

        The first less the others is the score.
        """
        X = self._check_rows(X)
        terms = np.zeros((len(X), 3))
        n_codes = self.n_fine + self.n_coarse
        for draw in range(self.n_draws):
            noise = ndtri(uniform_of_rows(X, n_codes, seed=draw + 1))
            terms += self._evaluate(lambda net, a, b: net.terms(a, b), X, beside=noise) / self.n_draws
        return terms

    def codes(self, X: np.ndarray) -> np.ndarray:
        """Means of the fine and of the coarse code, (n_samples, n_fine + n_coarse)."""
        return self._evaluate(lambda net, a, b: net.codes(a), self._check_rows(X))

    def sample(self, n_samples: int = 1, random_state: int | None = None, temperature: float = 1.0) -> np.ndarray:
        """8-bit pictures, (n_samples, n_features): a coarse code, a fine one, then the picture with its noise."""
        self._net()
        size = (n_samples, self.n_fine + self.n_coarse + self.shape_.n_pixels)
        noise = check_random_state(random_state).standard_normal(size)
        rows = self._evaluate(
            lambda net, a, b: net.decoded(b, temperature), np.zeros((n_samples, self.shape_.n_pixels)), beside=noise
        )
        return self.quantized(rows)
