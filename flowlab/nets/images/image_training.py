"""Pictures into the training loop: noise that fills the 8-bit cells, losses against a background, and the device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from flowlab.nets.module import FlatModule

LEVELS = 256
CELL = 1 / 255
"""Pictures are in [0, 1] in steps of this."""
ROWS_AT_ONCE = 256
LogDensity = Callable[[nn.Module, Tensor, Tensor | None, torch.Generator | None], Tensor]
"""(module, rows (n, n_pixels), context (n, n_context) or None, generator of draws) -> log-density (n,) in nats."""


@dataclass(frozen=True)
class Contrast:
    """Pictures a model is trained against (Schirrmeister et al. 2020, arXiv:2006.10848, equation 4 and figure S6).

    With p_g the log-density `log_density` of a general model at background picture x_g, and p of the model in training,
    "outlier" adds -weight log sigmoid((p_g(x_g) - p(x_g)) / temperature), "margin"
    weight max(0, margin + p(x_g) - p(x)), of as many background pictures as there are in the batch.
    """

    rows: Tensor
    log_density: Tensor
    loss: str = "outlier"
    weight: float = 1.0
    temperature: float = 1.0
    margin: float = 0.0

    @classmethod
    def of_arrays(
        cls, rows: np.ndarray, log_density: np.ndarray, loss: str, weight: float, temperature: float, margin: float
    ) -> Contrast:
        """From background rows (n, n_pixels) and their log-densities (n,)."""
        kept, general = (torch.tensor(a, dtype=torch.float32) for a in (rows, log_density))
        return cls(kept, general, loss, weight, temperature, margin)

    def of(self, in_batch: Tensor, background: Tensor, general: Tensor) -> Tensor:
        """What is added to the loss of each row, (n,), from log-densities (n,) in nats."""
        if self.loss == "outlier":
            return -self.weight * functional.logsigmoid((general - background) / self.temperature)
        return self.weight * functional.relu(self.margin + background - in_batch)


@dataclass(frozen=True)
class ImageLoss:
    """Negative log-density of rows (n, n_pixels + n_context), the context after the pixels.

    `dequantizes`: uniform noise fills the cell of each value, of width `cell`. `corruption`: this share of the pixels
    is replaced by uniform ones (Ren et al. 2019, arXiv:1906.02845). All that is random comes from the generator;
    without one, in validation, from a fixed one, and nothing is corrupted.
    """

    n_pixels: int
    log_density: LogDensity
    dequantizes: bool = True
    corruption: float = 0.0
    contrast: Contrast | None = None
    cell: float = CELL

    def __call__(self, module: nn.Module, rows: Tensor, generator: torch.Generator | None) -> Tensor:
        """Loss of each row, (n,), in nats."""
        draws = torch.Generator().manual_seed(0) if generator is None else generator
        pixels, context = rows[:, : self.n_pixels], rows[:, self.n_pixels :]
        pixels = self.filled(pixels, draws, self.corruption if generator is not None else 0.0)
        inside = self.log_density(module, pixels, context if context.shape[1] else None, draws)
        if self.contrast is None:
            return -inside
        chosen = torch.randint(len(self.contrast.rows), (len(rows),), generator=draws)
        background = self.filled(self.contrast.rows[chosen].to(rows.device), draws)
        general = self.contrast.log_density[chosen].to(rows.device)
        return -inside + self.contrast.of(inside, self.log_density(module, background, None, draws), general)

    def filled(self, pixels: Tensor, generator: torch.Generator, corruption: float = 0.0) -> Tensor:
        """Pixels with noise in their cells, some of them corrupted."""

        def uniform() -> Tensor:
            return torch.rand(pixels.shape, generator=generator).to(pixels.device)

        if corruption:
            replaced = uniform() < corruption
            pixels = torch.where(replaced, torch.floor(LEVELS * uniform()) * CELL, pixels)
        return pixels + self.cell * uniform() if self.dequantizes else pixels


class DeviceModule(FlatModule):
    """A `FlatModule` whose module computes on another device; parameters, gradient and batches stay on the CPU.

    So the loop is the same on every device, and so are batches and noise.
    """

    def __init__(self, module: nn.Module, n_features: int, loss_rows: ImageLoss, device: str) -> None:
        super().__init__(module, n_features, loss_rows)
        self.device = device
        if device != "cpu":
            self.parameters, self.gradient = self.parameters.cpu(), self.gradient.cpu()
            self._there = FlatModule(module, n_features, loss_rows)

    def loss_and_gradient(self, x: Tensor, generator: torch.Generator) -> float:
        """See `FlatModule.loss_and_gradient`."""
        if self.device == "cpu":
            return super().loss_and_gradient(x, generator)
        self._there.parameters.copy_(self.parameters)
        loss = self._there.loss_and_gradient(x.to(self.device), generator)
        self.gradient.copy_(self._there.gradient)
        return loss

    def loss(self, x: Tensor) -> Tensor:
        """See `FlatModule.loss`."""
        if self.device == "cpu":
            return super().loss(x)
        self._there.parameters.copy_(self.parameters)
        return self._there.loss(x.to(self.device)).cpu()


def device_of(name: str) -> str:
    """The device of a setting: "auto" is the graphics processor where there is one.

    Products there keep all bits of single precision, so that both give the same numbers.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda":
        if not torch.cuda.is_available():
            raise ValueError("device is 'cuda', but no graphics processor was found; choose 'auto' or 'cpu'")
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    return name


def in_blocks(
    function: Callable[[Tensor, Tensor | None], Tensor], rows: np.ndarray, context: np.ndarray | None, device: str,
    exact: bool = False,
) -> np.ndarray:  # fmt: skip
    """`function` of rows (n, .) and their context, 256 rows at a time, the last block filled up: as float64.

    So the bits of a row's result do not depend on the rows beside it. `exact`: in float64, for exact round trips.
    """
    kind = torch.float64 if exact else torch.float32
    parts = []
    with torch.no_grad():
        for start in range(0, len(rows), ROWS_AT_ONCE):
            part = np.arange(start, start + ROWS_AT_ONCE).clip(max=len(rows) - 1)
            block = torch.tensor(rows[part], dtype=kind, device=device)
            beside = None if context is None else torch.tensor(context[part], dtype=kind, device=device)
            parts.append(function(block, beside)[: len(rows) - start].double().cpu().numpy())
    return np.concatenate(parts) if parts else np.empty((0, 0))


def normal_noise(n: int, n_columns: int, like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Standard normal numbers (n, n_columns) on the device and of the precision of `like`."""
    return torch.randn(n, n_columns, generator=generator).to(like)


def gradient_of(
    function: Callable[[Tensor, Tensor | None], Tensor], rows: np.ndarray, context: np.ndarray | None
) -> np.ndarray:
    """Gradient of the sum of `function` (n,) of rows (n, .) and their context by the rows, in float64."""
    x = torch.tensor(rows, dtype=torch.float64, requires_grad=True)
    beside = None if context is None else torch.tensor(context, dtype=torch.float64)
    return torch.autograd.grad(function(x, beside).sum(), x)[0].numpy()


def jacobian_of(
    function: Callable[[Tensor, Tensor | None], Tensor], row: np.ndarray, context: np.ndarray | None = None
) -> np.ndarray:
    """Jacobian (d, d) of a map of rows (n, d), and their context, to (n, d) at one row (d,), in float64.

    One backward pass: copy i of the row receives the gradient of number i after. The context is (1, n_context) or None.
    """
    before = torch.tensor(np.tile(row, (len(row), 1)), dtype=torch.float64, requires_grad=True)
    beside = None if context is None else torch.tensor(context, dtype=torch.float64).expand(len(row), -1)
    return torch.autograd.grad(function(before, beside).diagonal().sum(), before)[0].numpy()
