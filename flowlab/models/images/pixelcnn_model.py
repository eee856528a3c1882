"""PixelCNN as an estimator: pixel after pixel, given those before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import check_random_state

from flowlab.constraints import COUNT, Interval
from flowlab.models.base import GenerativeModel
from flowlab.models.images.image_model import ImageModel

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from flowlab.nets.images.pixelcnn import PixelNetwork


class PixelCNN(ImageModel, GenerativeModel):
    """Probabilities of 8-bit pictures, one pixel at a time in reading order, by masked convolutions.

    Its score is the log-probability of a picture over the volume of its cell, so that it compares with densities.

    Parameters
    ----------
    hidden_channels : channels of each layer
    n_layers : masked convolutions of 3 x 3 pixels, after a first one of 5 x 5
    n_components : logistic distributions in the mixture of each pixel
    corruption, n_steps, batch_size, learning_rate, weight_decay, device, random_state, height, width, channels : see
        `ImageModel`
    """

    valid = {"hidden_channels": COUNT, "n_layers": Interval(int, 0, 16), "n_components": Interval(int, 1, 32)}

    def __init__(
        self,
        hidden_channels: int = 24,
        n_layers: int = 2,
        n_components: int = 4,
        corruption: float = 0.0,
        n_steps: int = 600,
        batch_size: int = 64,
        learning_rate: float = 4e-3,
        weight_decay: float = 0.0,
        height: int = 0,
        width: int = 0,
        channels: int = 0,
        device: str = "auto",
        random_state: int = 0,
    ):
        self.hidden_channels = hidden_channels
        self.n_layers = n_layers
        self.n_components = n_components
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

    def _module(self) -> PixelNetwork:
        from flowlab.nets.images.pixelcnn import PixelNetwork

        shape = self.shape_
        return PixelNetwork(
            shape.height, shape.width, shape.channels, self.hidden_channels, self.n_layers, self.n_components,
            self.random_state,
        )  # fmt: skip

    def _log_density(self, module: Any, pixels: Tensor, context: Tensor | None, generator: Generator | None) -> Tensor:
        return module.log_probability(pixels).sum(1) - pixels.shape[1] * float(np.log(self.cell_))

    def pixel_log_probability(self, X: np.ndarray) -> np.ndarray:
        """Log-probability of each pixel's level given those before it, in nats, (n_samples, n_pixels)."""
        return self._evaluate(lambda net, a, b: net.log_probability(a), self._check_rows(X))

    def sample(self, n_samples: int = 1, random_state: int | None = None, temperature: float = 1.0) -> np.ndarray:
        """8-bit pictures, (n_samples, n_features), one pass of the network for each pixel."""
        from flowlab.nets.module import load

        self._net()
        uniform = check_random_state(random_state).uniform(size=(n_samples, self.shape_.n_pixels, 2))
        return load(self._module(), self.parameters_).sample(uniform, temperature)
