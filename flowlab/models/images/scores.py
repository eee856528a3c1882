"""Anomaly scores of pictures that start from fitted densities, and the classifier and codes they are compared with.

All are pure functions, or small frozen objects fitted once: higher is stranger, in nats unless they say otherwise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from flowlab.images.complexity import coded_bits
from flowlab.images.pixels import as_bytes
from flowlab.images.shape import ImageShape
from flowlab.models.autoencoders.autoencoder import Autoencoder
from flowlab.models.base import DensityModel
from flowlab.models.flows.families import MaskedAutoregressiveFlow
from flowlab.models.images.image_flow import ImageFlow


def likelihood_ratio(model: DensityModel, general: DensityModel, X: np.ndarray) -> np.ndarray:
    """log p_general(x) - log p(x) of each picture, (n,): how much better a general model explains it.

    The general model may have learned a broad set, corrupted pictures (Ren et al. 2019, arXiv:1906.02845), or be a tiny
    net (Schirrmeister et al. 2020, arXiv:2006.10848).
    """
    return model.anomaly_score(X) - general.anomaly_score(X)


def scale_scores(model: ImageFlow, X: np.ndarray, general: ImageFlow | None = None) -> np.ndarray:
    """Minus what each scale adds to log p, (n, n_scales); with a general model of as many scales, the difference."""
    scores = -model.scale_contributions(X)
    if general is None:
        return scores
    others = -general.scale_contributions(X)
    if others.shape != scores.shape:
        raise ValueError(f"the general model has {others.shape[1]} scales, the model {scores.shape[1]}; take as many")
    return scores - others


def last_scale(model: ImageFlow, X: np.ndarray, general: ImageFlow | None = None) -> np.ndarray:
    """The score of the last scale alone, (n,), raw or as a difference: see `scale_scores`."""
    return scale_scores(model, X, general)[:, -1]


def complexity(model: DensityModel, X: np.ndarray, shape: ImageShape, compression: str = "zlib") -> np.ndarray:
    """-log p(x) less the length of the compressed picture in nats, (n,) (Serra et al. 2020, arXiv:1909.11480)."""
    return model.anomaly_score(X) - coded_bits(as_bytes(shape.of(X)), compression) * math.log(2)


def typicality(model: DensityModel, X: np.ndarray, X_in: np.ndarray) -> np.ndarray:
    """|-log p(x) - its mean over pictures X_in that are inside|, (n,) (Nalisnick et al. 2019, arXiv:1906.02994)."""
    return np.abs(model.anomaly_score(X) - model.anomaly_score(X_in).mean())


@dataclass(frozen=True)
class AutoencoderFlow:
    """The code of an autoencoder and the density of the codes; `PCAFlow` is the same of principal components."""

    encoder: Autoencoder
    density: DensityModel

    @classmethod
    def fit(cls, X: np.ndarray, n_code: int = 16, n_steps: int = 1000, random_state: int = 0) -> AutoencoderFlow:
        """To pictures X (n, n_pixels); autoencoder and flow are trained for `n_steps` each."""
        encoder = Autoencoder(n_latent=min(n_code, *X.shape), n_steps=n_steps, random_state=random_state).fit(X)
        flow = MaskedAutoregressiveFlow(n_steps=n_steps, random_state=random_state)
        return cls(encoder, flow.fit(encoder.transform(X)))

    def anomaly_score(self, X: np.ndarray) -> np.ndarray:
        """-log p of the code of each picture, (n,), in nats per unit of the code."""
        return self.density.anomaly_score(self.encoder.transform(X))


@dataclass(frozen=True)
class BackgroundClassifier:
    """A classifier of pictures inside against those of a background."""

    pipeline: Pipeline

    @classmethod
    def fit(
        cls, X: np.ndarray, background: np.ndarray, kind: str = "mlp", random_state: int = 0
    ) -> BackgroundClassifier:
        """To pictures X inside and a background: "logistic" regression, or a small network ("mlp")."""
        if kind not in ("logistic", "mlp"):
            raise ValueError(f"kind must be 'logistic' or 'mlp', not {kind!r}")
        model = (
            LogisticRegression(max_iter=1000)
            if kind == "logistic"
            else MLPClassifier((64,), early_stopping=True, max_iter=100, random_state=random_state)
        )
        rows, label = np.concatenate([X, background]), np.repeat([0, 1], [len(X), len(background)])
        return cls(make_pipeline(StandardScaler(), model).fit(rows, label))

    def anomaly_score(self, X: np.ndarray) -> np.ndarray:
        """Log-odds of the background, (n,)."""
        log_p = self.pipeline.predict_log_proba(X)
        return log_p[:, 1] - log_p[:, 0]
