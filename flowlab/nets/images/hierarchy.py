"""A variational autoencoder with two levels of latent variables: a fine code z1 of the picture, a coarse one z2 of z1.

log p(x) is at least E[log p(x | z1)] - KL(q(z1 | x), p(z1 | z2)) - KL(q(z2 | z1), p(z2)), all normal distributions
(Kingma & Welling 2014, arXiv:1312.6114; Rezende et al. 2014, arXiv:1401.4082).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

LOG_2PI = math.log(2 * math.pi)
LOG_STD_BOUND = 5.0


class TwoLevelNetwork(nn.Module):
    """Dense networks with one hidden layer each, over rows standardised by `center` and `spread`."""

    def __init__(
        self, n_pixels: int, n_fine: int, n_coarse: int, width: int, center: float, spread: float, seed: int
    ) -> None:
        super().__init__()
        self.center, self.spread, self.n_fine, self.n_coarse = center, spread, n_fine, n_coarse
        generator = torch.Generator().manual_seed(seed)
        self.to_fine = _dense(n_pixels, width, 2 * n_fine, generator)
        self.to_coarse = _dense(n_fine, width, 2 * n_coarse, generator)
        self.from_coarse = _dense(n_coarse, width, 2 * n_fine, generator)
        self.from_fine = _dense(n_fine, width, n_pixels, generator)
        self.log_std = nn.Parameter(torch.zeros(n_pixels))

    def terms(self, rows: Tensor, noise: Tensor) -> Tensor:
        """log p(x | z1), KL of z1 and KL of z2 in nats, (n, 3), at one draw of z1 from noise (n, n_fine + n_coarse).

        The log-density is per unit of `rows`; the first less the other two is the lower bound.
        """
        x = (rows - self.center) / self.spread
        mean, log_std = _normal(self.to_fine(x))
        fine = mean + log_std.exp() * noise[:, : self.n_fine]
        coarse_mean, coarse_log_std = _normal(self.to_coarse(fine))
        coarse = coarse_mean + coarse_log_std.exp() * noise[:, self.n_fine :]
        prior_mean, prior_log_std = _normal(self.from_coarse(coarse))
        out_log_std = self.log_std.clamp(-LOG_STD_BOUND, LOG_STD_BOUND)
        error = (x - self.from_fine(fine)) * (-out_log_std).exp()
        likelihood = -(0.5 * error.square() + out_log_std + 0.5 * LOG_2PI + math.log(self.spread)).sum(1)
        fine_kl = _kl(mean, log_std, prior_mean, prior_log_std)
        zero = torch.zeros_like(coarse_mean)
        return torch.stack([likelihood, fine_kl, _kl(coarse_mean, coarse_log_std, zero, zero)], 1)

    def codes(self, rows: Tensor) -> Tensor:
        """Means of z1 and, given that, of z2, (n, n_fine + n_coarse)."""
        fine = _normal(self.to_fine((rows - self.center) / self.spread))[0]
        return torch.cat([fine, _normal(self.to_coarse(fine))[0]], 1)

    def decoded(self, noise: Tensor, temperature: float = 1.0) -> Tensor:
        """Rows from draws of z2, z1 and the picture: noise (n, n_fine + n_coarse + n_pixels)."""
        fine_noise, coarse, pixels = noise.tensor_split((self.n_fine, self.n_fine + self.n_coarse), 1)
        mean, log_std = _normal(self.from_coarse(temperature * coarse))
        x = self.from_fine(mean + temperature * log_std.exp() * fine_noise)
        return (x + temperature * self.log_std.exp() * pixels) * self.spread + self.center


def _dense(n_in: int, width: int, n_out: int, generator: torch.Generator) -> nn.Sequential:
    first, last = nn.Linear(n_in, width), nn.Linear(width, n_out)
    with torch.no_grad():
        for layer, gain in ((first, 2.0), (last, 0.25)):
            layer.weight.normal_(0, math.sqrt(gain / layer.in_features), generator=generator)
            layer.bias.zero_()
    return nn.Sequential(first, nn.ReLU(), last)


def _normal(x: Tensor) -> tuple[Tensor, Tensor]:
    mean, log_std = x.chunk(2, 1)
    return mean, LOG_STD_BOUND * torch.tanh(log_std / LOG_STD_BOUND)


def _kl(mean: Tensor, log_std: Tensor, prior_mean: Tensor, prior_log_std: Tensor) -> Tensor:
    gap = (2 * (log_std - prior_log_std)).exp() + ((mean - prior_mean) * (-prior_log_std).exp()).square()
    return 0.5 * (gap - 1).sum(1) + (prior_log_std - log_std).sum(1)
