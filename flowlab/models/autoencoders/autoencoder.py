"""The autoencoder as an estimator, and how its squared error reads as a Gaussian likelihood."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from flowlab.constraints import NOT_NEGATIVE, Interval, OneOf
from flowlab.models.autoencoders.code_model import CodeModel
from flowlab.models.base import OutlierDetector

if TYPE_CHECKING:
    from flowlab.nets.autoencoder import AutoencoderNet


class GaussianReading(NamedTuple):
    """A squared error read as a Gaussian log-likelihood: -log p = slope * squared_error + intercept (nats)."""

    squared_error: float
    negative_log_likelihood: float
    slope: float
    intercept: float


def gaussian_reading(squared_error: float, n_features: int, sigma: float = 1.0) -> GaussianReading:
    """Both numbers of one row, and the affine map between them.

    For a Gaussian around the reconstruction with the same standard deviation `sigma` in each of `n_features`
    independent directions, -log p(x) = SSE / (2 sigma^2) + n_features * (log sigma + log(2 pi) / 2).

    >>> reading = gaussian_reading(3.0, n_features=2, sigma=0.5)
    >>> round(reading.slope, 3), round(reading.intercept, 3), round(reading.negative_log_likelihood, 3)
    (2.0, 0.452, 6.452)
    """
    if sigma <= 0:
        raise ValueError(f"sigma must be above 0, not {sigma}; it is a standard deviation")
    slope = 0.5 / sigma**2
    intercept = n_features * (math.log(sigma) + 0.5 * math.log(2 * math.pi))
    return GaussianReading(squared_error, slope * squared_error + intercept, slope, intercept)


class Autoencoder(OutlierDetector, CodeModel["AutoencoderNet"]):
    """Encodes rows into a narrow code and back; rows with a large reconstruction error are anomalous.

    Parameters
    ----------
    n_latent : code size; below the number of features the autoencoder is undercomplete, above it over-complete,
        and then only noise, a penalty or weight decay keep it from copying its input
    n_layers, width, activation : hidden layers on each side; `n_layers=0` is linear and, with the squared loss,
        finds the subspace of the first principal components (Baldi & Hornik 1989)
    loss : "squared", "absolute" or "huber" (threshold 1 standard deviation), summed over the features; or
        "cross_entropy", for columns within [0, 1] alone: reconstructions then are within them too, and the loss is in
        nats. No density all the same: of numbers between 0 and 1 the binary cross-entropy is not normalised
        (Loaiza-Ganem & Cunningham 2019, arXiv:1907.06845)
    noise : standard deviation of the noise on the inputs, in standard deviations (denoising, Vincent et al. 2008)
    penalty, penalty_power : adds penalty * sum |code|^power to the loss; power 1 is the sparse autoencoder, the
        negative logarithm of a Laplace prior on the code up to a constant. Smaller codes and
        larger decoder weights lower it without any effect; a little `weight_decay` prevents that.
    contamination : share of the training rows that `predict` calls outliers
    prior : distribution fitted to the training codes from which `sample` draws, "laplace" (independent units) or
        "gaussian" (with covariance). An autoencoder has no density; this prior is a convention.

    `score_samples` is minus the sum of squared errors of a row, in squared standard deviations of the training
    rows, whatever the loss: scores of different autoencoders can be compared.
    """

    score_label = "minus reconstruction error (squared standard deviations)"
    is_density = False
    scores_by_reconstruction = True
    valid = {
        "loss": OneOf("squared", "absolute", "huber", "cross_entropy"),
        "noise": NOT_NEGATIVE,
        "penalty": NOT_NEGATIVE,
        "penalty_power": Interval(float, 0.25, 4),
        "prior": OneOf("laplace", "gaussian"),
    }
    _state_names = ("mean", "scale", "parameters", "code_center", "code_spread")

    def __init__(
        self,
        n_latent: int = 1,
        n_layers: int = 2,
        width: int = 64,
        activation: str = "relu",
        loss: str = "squared",
        noise: float = 0.0,
        penalty: float = 0.0,
        penalty_power: float = 1.0,
        prior: str = "gaussian",
        n_steps: int = 2000,
        batch_size: int = 256,
        learning_rate: float = 5e-3,
        weight_decay: float = 0.0,
        patience: int = 0,
        min_delta: float = 0.0,
        keep_best: bool = True,
        contamination: float = 0.01,
        random_state: int = 0,
    ):
        self.n_latent = n_latent
        self.n_layers = n_layers
        self.width = width
        self.activation = activation
        self.loss = loss
        self.noise = noise
        self.penalty = penalty
        self.penalty_power = penalty_power
        self.prior = prior
        self.n_steps = n_steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.patience = patience
        self.min_delta = min_delta
        self.keep_best = keep_best
        self.contamination = contamination
        self.random_state = random_state

    @property
    def loss_label(self) -> str:  # type: ignore[override]  # read-only in the base too
        """What the loss is, with its unit."""
        unit = "nats" if self.loss == "cross_entropy" else "standard deviations"
        return f"reconstruction loss per row ({unit})"

    def score_samples(self, X: np.ndarray) -> np.ndarray:
        """Minus the reconstruction error, (n_samples,), in squared standard deviations; not a likelihood."""
        return -self.reconstruction_error(X)

    def sample(self, n_samples: int = 1, random_state: int | None = None, temperature: float = 1.0) -> np.ndarray:
        """Decoded draws from the prior fitted to the training codes, (n_samples, n_features)."""
        self._check_is_trained()
        rng = np.random.default_rng(random_state)
        if self.prior == "laplace":
            codes = rng.laplace(size=(n_samples, self.n_latent)) * self.code_spread_
        else:
            codes = rng.standard_normal((n_samples, self.n_latent)) @ self.code_spread_.T
        return self.inverse_transform(self.code_center_ + temperature * codes)

    def _check_rows_to_fit(self, X: np.ndarray) -> None:
        if self.loss == "cross_entropy":
            low, high = X.min(axis=0), X.max(axis=0)
            outside = np.flatnonzero((low < 0) | (high > 1))
            if len(outside):
                j = outside[0]
                name = getattr(self, "feature_names_in_", [f"column {i + 1}" for i in range(X.shape[1])])[j]
                raise ValueError(
                    f"the binary cross-entropy is for columns within 0 and 1, and {name} goes from {low[j]:.4g} to "
                    f"{high[j]:.4g}; choose the squared error, or scale the columns"
                )

    def _keep_codes(self, X: np.ndarray) -> None:
        codes = self._encode(X)
        if self.prior == "laplace":
            self.code_center_ = np.median(codes, 0)
            self.code_spread_ = np.abs(codes - self.code_center_).mean(0)
        else:
            self.code_center_ = codes.mean(0)
            axes = np.linalg.svd((codes - self.code_center_) / math.sqrt(max(len(codes), 1)), full_matrices=False)
            root = np.zeros((self.n_latent, self.n_latent))
            root[:, : len(axes.S)] = axes.Vh.T * axes.S
            self.code_spread_ = root

    def _net(self, parameters: np.ndarray | None) -> AutoencoderNet:
        from flowlab.nets.autoencoder import AutoencoderNet

        return AutoencoderNet(
            self.n_features_in_, self.n_latent, self._hidden(), self.activation, self.loss, self.noise, self.penalty,
            self.penalty_power, parameters, self.mean_, self.scale_,
        )  # fmt: skip
