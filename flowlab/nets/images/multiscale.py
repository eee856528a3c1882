"""A multi-scale coupling flow over pictures, a small Glow among its settings.

Each scale couples pixels by masks, squeezes 2 x 2 pixels into channels, couples those, and lets half of the channels go
as latent variables (Dinh et al. 2017, arXiv:1605.08803). Activation normalisation and an invertible 1 x 1 convolution
may stand before each channel coupling (Kingma & Dhariwal 2018, arXiv:1807.03039).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from flowlab.nets.images.conditioners import ImageConditioner, equal_width
from flowlab.nets.images.derived import LOG_SCALE_BOUND, AffineMap, ChannelMap
from flowlab.nets.images.masks import pixel_masks

LOG_2PI = math.log(2 * math.pi)
LOGIT_MARGIN = 0.05


@dataclass(frozen=True)
class Sizes:
    """What a `MultiscaleFlow` is made of; see `models.images.image_flow.ImageFlow` for the meaning of each."""

    height: int
    width: int
    channels: int = 1
    n_scales: int = 2
    n_couplings: int = 4
    hidden_channels: int = 32
    mask: str = "checkerboard"
    network: str = "convolutional"
    equal_size: bool = True
    bottleneck: int = 0
    convention: str = "shift then scale"
    activation_norm: bool = False
    mix_channels: bool = False
    n_context: int = 0
    seed: int = 0


def squeeze(x: Tensor) -> Tensor:
    """2 x 2 pixels become one with four times the channels: (n, h, w, c) to (n, h/2, w/2, 4c)."""
    n, h, w, c = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2, c).permute(0, 1, 3, 2, 4, 5).reshape(n, h // 2, w // 2, 4 * c)


def unsqueeze(x: Tensor) -> Tensor:
    """Undo `squeeze`."""
    n, h, w, c = x.shape
    return x.reshape(n, h, w, 2, 2, c // 4).permute(0, 1, 3, 2, 4, 5).reshape(n, 2 * h, 2 * w, c // 4)


class ImageCoupling(nn.Module):
    """What is read sets a shift t and a log-scale s, within +-2, of what is changed.

    A pixel coupling has the masks `read` and `changed`, (h, w); a channel coupling reads half of the channels.
    Before it may come a learned scale and shift of each channel, and a linear map of them (see `Mixing`).
    """

    read: Tensor
    changed: Tensor

    def __init__(self, sizes: Sizes, shape: tuple[int, int, int], number: int, generator: torch.Generator, mask: str):
        super().__init__()
        h, w, c = shape
        self.is_masked = mask != "channel"
        self.shifts_first = sizes.convention == "shift then scale"
        self.reads_second = not self.is_masked and number % 2 == 1
        if self.is_masked:
            read, changed = (torch.from_numpy(m)[:, :, None].float() for m in pixel_masks(mask, h, w, number))
            self.register_buffer("read", read, persistent=False)
            self.register_buffer("changed", changed, persistent=False)
        n_read = c if self.is_masked else (c // 2 if not self.reads_second else c - c // 2)
        n_out = 2 * c if self.is_masked else 2 * (c - n_read)
        self.n_first = c // 2
        of = (h, w, n_read)
        width = sizes.hidden_channels
        if sizes.equal_size and sizes.network != "convolutional":
            width = equal_width(sizes.network, of, n_out, width)
        self.mixing = None
        if sizes.activation_norm or (sizes.mix_channels and not self.is_masked):
            mixes = sizes.mix_channels and not self.is_masked
            self.mixing = Mixing(c, sizes.activation_norm, mixes, generator)
        self.net = ImageConditioner(sizes.network, of, n_out, width, sizes.bottleneck, sizes.n_context, generator)

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The picture after, and the log-determinant (n,)."""
        if self.mixing is not None:
            x, gained = self.mixing(x)
        if self.is_masked:
            raw_shift, first, last = self.net(x * self.read, context) * self.changed, 0, x.shape[-1]
        elif self.reads_second:
            raw_shift, first, last = self.net(x[..., self.n_first :], context), 0, self.n_first
        else:
            raw_shift, first, last = self.net(x[..., : self.n_first], context), self.n_first, x.shape[-1]
        y, log_det = AffineMap.apply(x, raw_shift, self.shifts_first, first, last)
        return y, log_det if self.mixing is None else log_det + gained

    def detail(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor, Tensor | float]:
        """The picture after, log-scale and shift of what is changed, and the log-determinant of the mixing."""
        log_det: Tensor | float = 0.0
        if self.mixing is not None:
            x, log_det = self.mixing(x)
        if self.is_masked:
            raw, shift = (self.net(x * self.read, context) * self.changed).chunk(2, -1)
            log_scale = LOG_SCALE_BOUND * torch.tanh(raw)
            return self._moved(x, log_scale, shift), log_scale, shift, log_det
        first, second = x[..., : self.n_first], x[..., self.n_first :]
        kept, moved = (second, first) if self.reads_second else (first, second)
        raw, shift = self.net(kept, context).chunk(2, -1)
        log_scale = LOG_SCALE_BOUND * torch.tanh(raw)
        after = self._moved(moved, log_scale, shift)
        return torch.cat((after, kept) if self.reads_second else (kept, after), -1), log_scale, shift, log_det

    def inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        """The picture before."""
        if self.is_masked:
            raw, shift = (self.net(y * self.read, context) * self.changed).chunk(2, -1)
            x = self._moved_back(y, LOG_SCALE_BOUND * torch.tanh(raw), shift)
        else:
            first, second = y[..., : self.n_first], y[..., self.n_first :]
            kept, moved = (second, first) if self.reads_second else (first, second)
            raw, shift = self.net(kept, context).chunk(2, -1)
            before = self._moved_back(moved, LOG_SCALE_BOUND * torch.tanh(raw), shift)
            x = torch.cat((before, kept) if self.reads_second else (kept, before), -1)
        return x if self.mixing is None else self.mixing.inverse(x)

    def spread(self, part: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Log-scales or shifts of what is changed on the whole picture `shape`; 0 where nothing is changed."""
        if self.is_masked:
            return part
        rest = part.new_zeros(*shape[:-1], shape[-1] - part.shape[-1])
        return torch.cat((part, rest) if self.reads_second else (rest, part), -1)

    def _moved(self, x: Tensor, log_scale: Tensor, shift: Tensor) -> Tensor:
        return (x + shift) * log_scale.exp() if self.shifts_first else x * log_scale.exp() + shift

    def _moved_back(self, y: Tensor, log_scale: Tensor, shift: Tensor) -> Tensor:
        return y * (-log_scale).exp() - shift if self.shifts_first else (y - shift) * (-log_scale).exp()


class Mixing(nn.Module):
    """y = W ((x + b) e^a) for the channels x of each pixel: activation normalisation, then a 1 x 1 convolution.

    W = P L (U + diag(r e^d)): a permutation with signs r, drawn and kept, a unit lower and a strictly upper triangle.
    """

    permutation: Tensor
    sign: Tensor

    def __init__(self, n_channels: int, normalises: bool, mixes: bool, generator: torch.Generator) -> None:
        super().__init__()
        self.normalises, self.mixes = normalises, mixes
        self.bias = nn.Parameter(torch.zeros(n_channels), requires_grad=normalises)
        self.log_scale = nn.Parameter(torch.zeros(n_channels), requires_grad=normalises)
        if mixes:
            rotation = torch.linalg.qr(torch.randn(n_channels, n_channels, generator=generator))[0]
            permutation, lower, upper = torch.linalg.lu(rotation)
            diagonal = upper.diagonal()
            self.register_buffer("permutation", permutation, persistent=False)
            self.register_buffer("sign", diagonal.sign(), persistent=False)
            self.lower, self.upper = nn.Parameter(lower.tril(-1)), nn.Parameter(upper.triu(1))
            self.log_diagonal = nn.Parameter(diagonal.abs().log())

    def matrix(self) -> Tensor:
        """W, (n_channels, n_channels)."""
        lower = self.lower.tril(-1) + torch.eye(len(self.lower), dtype=self.lower.dtype, device=self.lower.device)
        upper = self.upper.triu(1) + torch.diag(self.sign * self.log_diagonal.exp())
        return self.permutation @ lower @ upper

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The picture after, and the log-determinant, the same for each picture."""
        if self.mixes:
            x, per_pixel = ChannelMap.apply(
                x, self.bias, self.log_scale, self.lower, self.upper, self.log_diagonal, self.permutation, self.sign
            )
        else:
            x, per_pixel = (x + self.bias) * self.log_scale.exp(), self.log_scale.sum()
        return x, x.shape[1] * x.shape[2] * per_pixel

    def inverse(self, y: Tensor) -> Tensor:
        """The picture before."""
        if self.mixes:
            y = torch.linalg.solve(self.matrix(), y.reshape(-1, y.shape[-1]).t()).t().reshape(y.shape)
        return y * (-self.log_scale).exp() - self.bias

    @torch.no_grad()
    def start(self, x: Tensor) -> None:
        """Give each channel of a first batch mean 0 and standard deviation 1, by the bias and the log-scale."""
        if self.normalises:
            flat = x.reshape(-1, x.shape[-1])
            self.bias.copy_(-flat.mean(0))
            self.log_scale.copy_(-flat.std(0).clamp_min(1e-3).log())


class Scale(nn.Module):
    """Couplings of pixels, then of channels after a squeeze."""

    pixels: Sequence[ImageCoupling]
    channels: Sequence[ImageCoupling]

    def __init__(self, sizes: Sizes, shape: tuple[int, int, int], generator: torch.Generator, can_squeeze: bool):
        super().__init__()
        h, w, c = shape
        couples_pixels = sizes.mask != "channel"
        # Drawn masks, halves and quarters say what may see what; couplings of channels would undo that.
        couples_channels = can_squeeze and sizes.mask in ("channel", "checkerboard")
        numbers = range(sizes.n_couplings)
        self.squeezes = can_squeeze
        self.pixels = nn.ModuleList(  # type: ignore[assignment]  # see `MultiscaleFlow.scales`
            [ImageCoupling(sizes, shape, i, generator, sizes.mask) for i in numbers] if couples_pixels else []
        )
        squeezed = (h // 2, w // 2, 4 * c)
        self.channels = nn.ModuleList(  # type: ignore[assignment]
            [ImageCoupling(sizes, squeezed, i, generator, "channel") for i in numbers] if couples_channels else []
        )


class MultiscaleFlow(nn.Module):
    """The flow. Latent pictures are in the pixels' layout: each latent variable stands where it came from.

    `center`, `spread` and `squash` bring rows near the standard normal first: z = (g(x) - center) / spread, with g the
    identity ("none"), the logit of x within (0, 1), its ends moved in by 0.05 ("logit"), or the normal quantile
    ("probit"), under which uniform pixels are exactly standard normal. x is a row times `unit`.
    """

    scales: Sequence[Scale]

    def __init__(
        self, sizes: Sizes, center: float = 0.0, spread: float = 1.0, squash: str = "none", unit: float = 1.0
    ) -> None:
        super().__init__()
        self.sizes, self.center, self.spread, self.squash, self.unit = sizes, center, spread, squash, unit
        generator = torch.Generator().manual_seed(sizes.seed)
        h, w, c = sizes.height, sizes.width, sizes.channels
        scales: list[Scale] = []
        self.latent_sizes: list[int] = []
        for k in range(sizes.n_scales):
            can_squeeze = h % 2 == 0 and w % 2 == 0
            scales.append(Scale(sizes, (h, w, c), generator, can_squeeze))
            if not can_squeeze or k == sizes.n_scales - 1:
                break
            h, w, c = h // 2, w // 2, 2 * c
            self.latent_sizes.append(h * w * c)
        self.latent_sizes.append(h * w * c)
        self.scales = nn.ModuleList(scales)  # type: ignore[assignment]  # which yields what it was given

    @property
    def n_layers(self) -> int:
        """How many couplings."""
        return sum(len(scale.pixels) + len(scale.channels) for scale in self.scales)

    def enter(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures near the standard normal, (n, h, w, c), of rows x (n, h w c), and the log-determinant (n,)."""
        log_det = x.new_full((len(x),), x.shape[1] * math.log(self.unit / self.spread))
        x = x * self.unit
        if self.squash == "logit":
            inside = LOGIT_MARGIN + (1 - 2 * LOGIT_MARGIN) * x
            inside = inside.clamp(1e-6, 1 - 1e-6)
            log_det = log_det - (inside.log() + (1 - inside).log()).sum(1) + x.shape[1] * math.log(1 - 2 * LOGIT_MARGIN)
            x = torch.logit(inside)
        elif self.squash == "probit":
            x = torch.special.ndtri(x.clamp(1e-6, 1 - 1e-6))
            log_det = log_det + (0.5 * x.square() + 0.5 * LOG_2PI).sum(1)
        return ((x - self.center) / self.spread).reshape(self._batch_shape()), log_det

    def leave(self, z: Tensor) -> Tensor:
        """Undo `enter`: rows (n, h w c)."""
        x = z.reshape(len(z), -1) * self.spread + self.center
        if self.squash == "logit":
            x = (torch.sigmoid(x) - LOGIT_MARGIN) / (1 - 2 * LOGIT_MARGIN)
        elif self.squash == "probit":
            x = torch.special.ndtr(x)
        return x / self.unit

    def forward(self, z: Tensor, context: Tensor | None = None) -> tuple[list[Tensor], list[Tensor]]:
        """Of pictures from `enter`: the latent part of each scale (n, .), and its log-determinant (n,)."""
        latents, log_dets = [], []
        for k, scale in enumerate(self.scales):
            log_det = z.new_zeros(len(z))
            for layer in scale.pixels:
                z, gained = layer(z, context)
                log_det = log_det + gained
            if scale.squeezes:
                z = squeeze(z)
            for layer in scale.channels:
                z, gained = layer(z, context)
                log_det = log_det + gained
            if k < len(self.scales) - 1:
                gone, z = z.chunk(2, -1)
                latents.append(gone)
            log_dets.append(log_det)
        return [*latents, z], log_dets

    def contributions(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """What each scale adds to log p(x), in nats, (n, n_scales): its latent normal and its log-determinants.

        `enter` belongs to the first scale. The sum over scales is log p(x).
        """
        z, entry = self.enter(x)
        latents, log_dets = self(z, context)
        log_dets[0] = log_dets[0] + entry
        normal = [-0.5 * part.square().flatten(1).sum(1) - 0.5 * LOG_2PI * part[0].numel() for part in latents]
        return torch.stack([a + b for a, b in zip(normal, log_dets, strict=True)], 1)

    def joined(self, latents: list[Tensor]) -> Tensor:
        """The parts of `forward` as one latent picture, each variable at its pixels, (n, h, w, c)."""
        *gone, z = latents
        for k in reversed(range(len(self.scales))):
            if k < len(gone):
                z = torch.cat((gone[k], z), -1)
            if self.scales[k].squeezes:
                z = unsqueeze(z)
        return z

    def parted(self, picture: Tensor) -> list[Tensor]:
        """Undo `joined`."""
        latents, z = [], picture.reshape(self._batch_shape())
        for k, scale in enumerate(self.scales):
            if scale.squeezes:
                z = squeeze(z)
            if k < len(self.scales) - 1:
                gone, z = z.chunk(2, -1)
                latents.append(gone)
        return [*latents, z]

    def inverse(self, picture: Tensor, context: Tensor | None = None) -> Tensor:
        """Rows (n, h w c) of latent pictures."""
        *gone, z = self.parted(picture)
        for k in reversed(range(len(self.scales))):
            scale = self.scales[k]
            if k < len(gone):
                z = torch.cat((gone[k], z), -1)
            for layer in reversed(scale.channels):
                z = layer.inverse(z, context)
            if scale.squeezes:
                z = unsqueeze(z)
            for layer in reversed(scale.pixels):
                z = layer.inverse(z, context)
        return self.leave(z)

    def steps(self, z: Tensor, context: Tensor | None = None, first: int = 0, last: int | None = None) -> list[tuple]:
        """Couplings `first` up to `last` on pictures z in the pixels' layout: for each the picture after,
        log-scales and shifts in that layout, and the log-determinant (n,). Each of the pictures is (n, h, w, c)."""
        found: list[tuple] = []
        number = 0
        for k, scale in enumerate(self.scales):
            for kind, layers in (("pixels", scale.pixels), ("channels", scale.channels)):
                for layer in layers:
                    number += 1
                    if number <= first or (last is not None and number > last):
                        continue
                    parts, inner = self._down(z, k, kind)
                    after, log_scale, shift, gained = layer.detail(inner, context)
                    z = self._up(after, parts, k, kind)
                    zeros = [torch.zeros_like(part) for part in parts]
                    maps = [self._up(layer.spread(m, after.shape), zeros, k, kind) for m in (log_scale, shift)]
                    found.append((z, *maps, log_scale.flatten(1).sum(1) + gained))
        return found

    def path(self, name: str, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Of rows x, layer by layer: "positions", (n, n_layers + 1, h w c), the picture from `enter` first;
        "log_scale" or "shift", (n, n_layers, h w c); or "log_det", (n, n_layers)."""
        z = self.enter(x)[0]
        steps = self.steps(z, context)
        if name == "log_det":
            return torch.stack([step[3] for step in steps], 1)
        pictures = [step[{"positions": 0, "log_scale": 1, "shift": 2}[name]] for step in steps]
        return torch.stack([p.flatten(1) for p in ([z] if name == "positions" else []) + pictures], 1)

    def changed_pixels(self) -> np.ndarray:
        """Which pixels each coupling changes, (n_layers, h w c) bool, in the pixels' layout."""
        changed = []
        for k, scale in enumerate(self.scales):
            for kind, layers in (("pixels", scale.pixels), ("channels", scale.channels)):
                for layer in layers:
                    blank = torch.zeros(1, self.sizes.height, self.sizes.width, self.sizes.channels)
                    parts, inner = self._down(blank, k, kind)
                    moved = torch.zeros_like(inner)
                    if layer.is_masked:
                        moved += layer.changed.float()
                    else:
                        n = layer.n_first
                        moved[..., slice(None, n) if layer.reads_second else slice(n, None)] = 1.0
                    changed.append(self._up(moved, parts, k, kind).reshape(-1).numpy() > 0)
        return np.array(changed)

    @torch.no_grad()
    def start(self, rows: np.ndarray) -> None:
        """Start the activation normalisations from a first batch of rows (n, h w c)."""
        z = self.enter(torch.tensor(rows, dtype=next(self.parameters()).dtype))[0]
        context = z.new_zeros(len(z), self.sizes.n_context) if self.sizes.n_context else None
        for k, scale in enumerate(self.scales):
            for layers in (scale.pixels, scale.channels):
                for layer in layers:
                    if layer.mixing is not None:
                        layer.mixing.start(z)
                    z = layer(z, context)[0]
                if layers is scale.pixels and scale.squeezes:
                    z = squeeze(z)
            if k < len(self.scales) - 1:
                z = z.chunk(2, -1)[1]

    def _batch_shape(self) -> tuple[int, int, int, int]:
        return -1, self.sizes.height, self.sizes.width, self.sizes.channels

    def _down(self, z: Tensor, k: int, kind: str) -> tuple[list[Tensor], Tensor]:
        """From the pixels' layout to where a coupling of scale k works: what was let go before, and its picture."""
        parts = []
        for scale in self.scales[:k]:
            z = squeeze(z) if scale.squeezes else z
            gone, z = z.chunk(2, -1)
            parts.append(gone)
        return parts, squeeze(z) if kind == "channels" else z

    def _up(self, z: Tensor, parts: list[Tensor], k: int, kind: str) -> Tensor:
        """Undo `_down`."""
        z = unsqueeze(z) if kind == "channels" else z
        for scale, gone in zip(reversed(self.scales[:k]), reversed(parts), strict=True):
            z = torch.cat((gone, z), -1)
            z = unsqueeze(z) if scale.squeezes else z
        return z
