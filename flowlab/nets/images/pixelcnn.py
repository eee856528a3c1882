"""A small PixelCNN: each pixel has a mixture of logistic distributions given the pixels before it, row by row.

Masked convolutions (van den Oord et al. 2016, arXiv:1601.06759) with a discretised mixture of logistics (Salimans et
al. 2017, arXiv:1701.05517). The channels of a pixel stand side by side in a picture of that much greater width, so that
each is given those before it.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

LEVELS = 256
LOWEST_LOG_SCALE = -7.0


class MaskedConvolution(nn.Conv2d):
    """A convolution that sees the pixels before in reading order, and the pixel itself if `sees_own`."""

    mask: Tensor

    def __init__(self, n_in: int, n_out: int, reach: tuple[int, int], sees_own: bool, generator: torch.Generator):
        up, aside = reach
        super().__init__(n_in, n_out, (2 * up + 1, 2 * aside + 1), padding=reach)
        mask = torch.zeros(2 * up + 1, 2 * aside + 1)
        mask[:up] = 1
        mask[up, : aside + sees_own] = 1
        self.register_buffer("mask", mask, persistent=False)
        with torch.no_grad():
            self.weight.normal_(0, math.sqrt(2 / (n_in * float(mask.sum()))), generator=generator)
            self.bias.zero_()  # type: ignore[union-attr]  # it has one

    def forward(self, x: Tensor) -> Tensor:
        """(n, n_out, height, width) of (n, n_in, height, width)."""
        return functional.conv2d(x, self.weight * self.mask, self.bias, padding=self.padding)


class PixelNetwork(nn.Module):
    """Log-probabilities of 8-bit pictures (n, height, width, channels)."""

    def __init__(
        self, height: int, width: int, channels: int, hidden: int, n_layers: int, n_components: int, seed: int
    ) -> None:
        super().__init__()
        self.shape = (height, width * channels)
        generator = torch.Generator().manual_seed(seed)
        self.first = MaskedConvolution(1, hidden, (2, 2 * channels), False, generator)
        self.inner = nn.ModuleList(
            [MaskedConvolution(hidden, hidden, (1, channels), True, generator) for _ in range(n_layers)]
        )
        self.last = MaskedConvolution(hidden, 3 * n_components, (0, 0), True, generator)
        with torch.no_grad():
            self.last.weight.mul_(0.1)
            bias = self.last.bias
            assert bias is not None
            bias[n_components : 2 * n_components] = torch.linspace(-0.8, 0.8, n_components)
            bias[2 * n_components :] = -1.0

    def mixtures(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log-weights, means and log-scales of each pixel's mixture, (n, n_components, h, w), of x in [-1, 1]."""
        hidden = functional.relu(self.first(x))
        for layer in self.inner:
            hidden = hidden + functional.relu(layer(hidden))
        weight, mean, log_scale = self.last(hidden).chunk(3, 1)
        return weight.log_softmax(1), mean, log_scale.clamp_min(LOWEST_LOG_SCALE)

    def log_probability(self, rows: Tensor) -> Tensor:
        """Log-probability of each pixel's level given those before, (n, n_pixels), of rows in [0, 1]."""
        level = torch.round(rows.clamp(0, 1) * (LEVELS - 1)).reshape(-1, 1, *self.shape)
        x = level * (2 / (LEVELS - 1)) - 1
        weight, mean, log_scale = self.mixtures(x)
        half = 1 / (LEVELS - 1)
        above, below = ((x + side * half - mean) * (-log_scale).exp() for side in (1, -1))
        log_mass = _log_difference(above, below)
        log_mass = torch.where(level < 0.5, functional.logsigmoid(above), log_mass)
        log_mass = torch.where(level > LEVELS - 1.5, functional.logsigmoid(-below), log_mass)
        return torch.logsumexp(weight + log_mass, 1).reshape(len(rows), -1)

    @torch.no_grad()
    def sample(self, uniform: np.ndarray, temperature: float) -> np.ndarray:
        """Rows (n, n_pixels) in [0, 1], pixel by pixel, from uniform numbers (n, n_pixels, 2).

        `temperature` scales the spread of each component.
        """
        n = len(uniform)
        x = torch.full((n, 1, *self.shape), -1.0)
        height, width = self.shape
        for i in range(height):
            for j in range(width):
                weight, mean, log_scale = (part[:, :, i, j] for part in self.mixtures(x))
                pick, place = (torch.from_numpy(uniform[:, i * width + j, k]).float() for k in (0, 1))
                chosen = (weight.exp().cumsum(1) < pick[:, None]).sum(1).clamp_max(weight.shape[1] - 1)[:, None]
                spread = temperature * log_scale.gather(1, chosen).exp()[:, 0]
                value = mean.gather(1, chosen)[:, 0] + spread * torch.logit(place, eps=1e-6)
                x[:, 0, i, j] = torch.round((value.clamp(-1, 1) + 1) / 2 * (LEVELS - 1)) * (2 / (LEVELS - 1)) - 1
        return ((x.reshape(n, -1) + 1) / 2).double().numpy()


def _log_difference(above: Tensor, below: Tensor) -> Tensor:
    """log(sigmoid(above) - sigmoid(below)) for above > below, without cancellation.

    sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - e^(b - a)).
    """
    return functional.logsigmoid(above) + functional.logsigmoid(-below) + torch.log1p(-torch.exp(below - above))
