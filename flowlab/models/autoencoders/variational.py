"""The variational autoencoder as an estimator: bounds on its log-density, and the other scores it offers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri
from scipy.stats import qmc

from flowlab.constraints import POSITIVE, SHARE, Interval, OneOf
from flowlab.hashing import GOLDEN, row_hashes, splitmix64
from flowlab.models.autoencoders.code_model import CodeModel

if TYPE_CHECKING:
    from flowlab.nets.autoencoder import VariationalNet


class VariationalAutoencoder(CodeModel["VariationalNet"]):
    """A latent-variable density p(x) = integral of p(x|z) p(z), trained by a lower bound (Kingma & Welling 2014).

    Parameters
    ----------
    n_latent, n_layers, width, activation : as for `Autoencoder`; an over-complete code is allowed
    variance : "learned", one output variance per feature, or "fixed" at `sigma`^2 (standard deviations)
    beta : weight of the KL term, 0 to 20 (Higgins et al. 2017). With beta 0 nothing draws the codes towards the
        prior, and samples and likelihood are not meaningful.
    kl_warmup : share of the steps during which the weight rises from 0 to beta
    score_by : what `score_samples` returns: "log_likelihood", the importance-weighted bound with `n_draws` draws
        (Burda et al. 2016), "elbo", minus "reconstruction" error, minus "kl", or minus the "norm" of mu
    n_draws : draws of z per row for bounds. They are quasi-random and depend on the row itself, so a row scores the
        same each time and in any batch.
    """

    loss_label = "reconstruction + beta KL (nats)"
    score_is_bound = True
    valid = {
        "variance": OneOf("learned", "fixed"),
        "sigma": POSITIVE,
        "beta": Interval(float, 0, 20),
        "kl_warmup": SHARE,
        "score_by": OneOf("log_likelihood", "elbo", "reconstruction", "kl", "norm"),
        "n_draws": Interval(int, 1, 10_000),
    }
    _state_names = ("mean", "scale", "parameters")

    def __init__(
        self,
        n_latent: int = 2,
        n_layers: int = 2,
        width: int = 64,
        activation: str = "relu",
        variance: str = "learned",
        sigma: float = 0.3,
        beta: float = 1.0,
        kl_warmup: float = 0.1,
        score_by: str = "log_likelihood",
        n_draws: int = 32,
        n_steps: int = 3000,
        batch_size: int = 256,
        learning_rate: float = 1e-2,
        weight_decay: float = 0.0,
        patience: int = 0,
        min_delta: float = 0.0,
        keep_best: bool = True,
        random_state: int = 0,
    ):
        self.n_latent = n_latent
        self.n_layers = n_layers
        self.width = width
        self.activation = activation
        self.variance = variance
        self.sigma = sigma
        self.beta = beta
        self.kl_warmup = kl_warmup
        self.score_by = score_by
        self.n_draws = n_draws
        self.n_steps = n_steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.patience = patience
        self.min_delta = min_delta
        self.keep_best = keep_best
        self.random_state = random_state

    @property
    def is_density(self) -> bool:  # type: ignore[override]  # read-only in the base too
        """Whether scores are log-densities: true of the importance-weighted estimate alone."""
        return self.score_by == "log_likelihood"

    @property
    def loss_is_likelihood(self) -> bool:
        """Whether the loss is an upper bound of the mean negative log-density: with beta 1, not with another weight."""
        return self.is_density and self.beta == 1

    @property
    def scores_by_reconstruction(self) -> bool:  # type: ignore[override]  # read-only in the base too
        """Whether the score is the reconstruction error."""
        return self.score_by == "reconstruction"

    @property
    def score_label(self) -> str:  # type: ignore[override]  # read-only in the base too
        """What `score_samples` returns, by `score_by`, with its unit."""
        return {
            "log_likelihood": "log-density, estimate of a lower bound (nats)",
            "elbo": "evidence lower bound, estimated (nats)",
            "reconstruction": "minus reconstruction error (squared standard deviations)",
            "kl": "minus KL from the prior (nats)",
            "norm": "minus norm of the code's mean",
        }[self.score_by]

    def score_samples(self, X: np.ndarray) -> np.ndarray:
        """The quantity `score_by` names, (n_samples,); higher is more normal."""
        if self.score_by in ("log_likelihood", "elbo"):
            log_likelihood, elbo = self.bounds(X, self.n_draws)
            return log_likelihood if self.score_by == "log_likelihood" else elbo
        if self.score_by == "reconstruction":
            return -self.reconstruction_error(X)
        return -self.kl(X) if self.score_by == "kl" else -np.linalg.norm(self.transform(X), axis=1)

    def score_parts(self, X: np.ndarray) -> dict[str, np.ndarray]:
        """Every score of a VAE as an anomaly score (higher is stranger), (n_samples,) each, by its name."""
        log_likelihood, elbo = self.bounds(X, self.n_draws)
        return {
            "log_likelihood": -log_likelihood,
            "elbo": -elbo,
            "reconstruction": self.reconstruction_error(X),
            "kl": self.kl(X),
            "norm": np.linalg.norm(self.transform(X), axis=1),
        }

    def bounds(self, X: np.ndarray, n_draws: int) -> tuple[np.ndarray, np.ndarray]:
        """Importance-weighted log-likelihood and ELBO from the same draws, in nats of the data, (n_samples,) each.

        The first is at least the second for every row, and rises with `n_draws` in the mean towards log p(x).
        """
        X = self._check_rows(X)
        net = self._scoring_net()
        log_likelihood, elbo = np.empty(len(X)), np.empty(len(X))
        chunk = max(1, 32_768 // n_draws)
        for start in range(0, len(X), chunk):
            rows = X[start : start + chunk]
            part = net.bounds(self._standardise(rows), _draws_of_rows(rows, n_draws, self.n_latent))
            log_likelihood[start : start + chunk], elbo[start : start + chunk] = part
        log_scale = np.log(self.scale_).sum()
        return log_likelihood - log_scale, elbo - log_scale

    def log_weights(self, X: np.ndarray, n_draws: int) -> np.ndarray:
        """log p(x, z) - log q(z|x) at draws of z from q(z|x), in nats of the data, (n_draws, n_samples).

        Their mean estimates the ELBO, the logarithm of the mean of their exponentials log p(x).
        """
        X = self._check_rows(X)
        log_weights = self._scoring_net().log_weights(self._standardise(X), _draws_of_rows(X, n_draws, self.n_latent))
        return log_weights - np.log(self.scale_).sum()

    def posterior(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of q(z|x), (n_samples, n_latent) each."""
        return self._scoring_net().posterior_rows(self._standardise(self._check_rows(X)))

    def kl(self, X: np.ndarray) -> np.ndarray:
        """KL of q(z|x) from the standard normal prior in nats, closed form, (n_samples,)."""
        mu, std = self.posterior(X)
        return 0.5 * (mu**2 + std**2 - 1 - 2 * np.log(std)).sum(1)

    def output_std(self) -> np.ndarray:
        """Standard deviation of p(x|z) in data units, (n_features,)."""
        self._check_is_trained()
        return np.exp(self._scoring_net().output_log_std()[:, 0].numpy()) * self.scale_

    def decodes(self, X: np.ndarray, n_draws: int = 20, random_state: int | None = None) -> np.ndarray:
        """Stochastic reconstructions: draw z from q(z|x), then x from p(x|z); (n_draws, n_samples, n_features)."""
        mu, std = self.posterior(X)
        rng = np.random.default_rng(random_state)
        Z = mu + std * rng.standard_normal((n_draws, *mu.shape))
        rows = self.inverse_transform(Z.reshape(-1, self.n_latent)).reshape(n_draws, len(mu), -1)
        return rows + self.output_std() * rng.standard_normal(rows.shape)

    def sample(self, n_samples: int = 1, random_state: int | None = None, temperature: float = 1.0) -> np.ndarray:
        """Draws from the model, (n_samples, n_features): z from the prior, then x from p(x|z) with its noise."""
        self._check_is_trained()
        rng = np.random.default_rng(random_state)
        rows = self.inverse_transform(temperature * rng.standard_normal((n_samples, self.n_latent)))
        return rows + temperature * self.output_std() * rng.standard_normal(rows.shape)

    def _net(self, parameters: np.ndarray | None) -> VariationalNet:
        from flowlab.nets.autoencoder import VariationalNet

        return VariationalNet(
            self.n_features_in_, self.n_latent, self._hidden(), self.activation, self.beta,
            self.sigma if self.variance == "fixed" else None, round(self.kl_warmup * self.n_steps),
            float(np.log(self.scale_).sum()), parameters,
        )  # fmt: skip


def _draws_of_rows(X: np.ndarray, n_draws: int, n_latent: int) -> np.ndarray:
    """Standard normal draws (n_latent, n_draws, n_rows) that depend on each row alone.

    A Sobol sequence, shifted modulo 1 by a hash of the row's bytes (Cranley & Patterson 1976): more even than
    random draws, independent between rows, and nested, so that more draws extend fewer.
    """
    hashes = row_hashes(X)
    shift = np.stack([splitmix64(hashes + np.uint64(j + 1) + np.uint64(GOLDEN)) for j in range(n_latent)]) / 2.0**64
    sobol = _sobol(n_latent, n_draws)
    u = (sobol.T[:, :, None] + shift[:, None]) % 1.0
    return ndtri(np.clip(u, 1e-12, 1 - 1e-12))


def _sobol(n_latent: int, n_draws: int) -> np.ndarray:
    exponent = max(0, math.ceil(math.log2(n_draws)))
    return qmc.Sobol(n_latent, scramble=False).random_base2(exponent)[:n_draws]
