"""The networks of image couplings: convolutional, local and dense, each of the same size where that is asked for."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

KINDS = ("convolutional", "local", "dense")


class PixelLayer(nn.Module):
    """An affine map of the channels around each pixel: a convolution of side `side`, channels last."""

    def __init__(self, n_in: int, n_out: int, side: int, generator: torch.Generator | None) -> None:
        super().__init__()
        self.padding = side // 2
        self.weight = nn.Parameter(torch.zeros(n_out, n_in, side, side) if side > 1 else torch.zeros(n_out, n_in))
        self.bias = nn.Parameter(torch.zeros(n_out))
        if generator is not None:
            with torch.no_grad():
                self.weight.normal_(0, math.sqrt(2 / (n_in * side * side)), generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """(n, height, width, n_out) of (n, height, width, n_in)."""
        if not self.padding:
            return functional.linear(x, self.weight, self.bias)
        y = functional.conv2d(x.permute(0, 3, 1, 2), self.weight, self.bias, padding=self.padding)
        return y.permute(0, 2, 3, 1)


class ImageConditioner(nn.Module):
    """Layers with ReLU between them, from the pixels a coupling reads to the numbers it needs of each pixel.

    "convolutional" looks 3 x 3 pixels wide twice, "local" once and then at each pixel alone, "dense" at the whole
    picture. The last layer starts at zero, so that a new coupling is the identity. A context (n, n_context), one-hot,
    is added to the first hidden layer. `bottleneck` above 0 puts a layer of so few channels in the middle.
    """

    def __init__(
        self,
        kind: str,
        shape: tuple[int, int, int],
        n_out: int,
        width: int,
        bottleneck: int = 0,
        n_context: int = 0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        height, wide, n_in = shape
        self.is_dense = kind == "dense"
        self.out_shape = (height, wide, n_out)
        first, last = {"convolutional": (3, 3), "local": (3, 1), "dense": (1, 1)}[kind]
        if self.is_dense:
            n_in, n_out = height * wide * n_in, height * wide * n_out
        middle = [(width, bottleneck), (bottleneck, width)] if bottleneck else [(width, width)]
        made = generator or torch.Generator().manual_seed(0)
        self.layers = nn.ModuleList(
            [
                PixelLayer(n_in, width, first, made),
                *(PixelLayer(a, b, 1, made) for a, b in middle),
                PixelLayer(width, n_out, last, None),
            ]
        )
        self.context = nn.Parameter(torch.zeros(n_context, width)) if n_context else None

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """(n, height, width, n_out) of what is read, (n, height, width, n_in)."""
        hidden = x.reshape(len(x), 1, 1, -1) if self.is_dense else x
        for i, layer in enumerate(self.layers):
            hidden = layer(hidden)
            if i == 0 and self.context is not None:
                assert context is not None
                hidden = hidden + (context @ self.context)[:, None, None]
            if i < len(self.layers) - 1:
                hidden = hidden.relu_() if i or self.context is None else hidden.relu()
        return hidden.reshape(-1, *self.out_shape)


def n_weights(kind: str, shape: tuple[int, int, int], n_out: int, width: int) -> int:
    """How many weights a conditioner without bottleneck or context has."""
    height, wide, n_in = shape
    first, last = {"convolutional": (9, 9), "local": (9, 1), "dense": (1, 1)}[kind]
    if kind == "dense":
        n_in, n_out = height * wide * n_in, height * wide * n_out
    return (first * n_in + 1) * width + (width + 1) * width + (last * width + 1) * n_out


def equal_width(kind: str, shape: tuple[int, int, int], n_out: int, width: int) -> int:
    """The width at which a conditioner has about as many weights as a convolutional one of `width` channels."""
    wanted = n_weights("convolutional", shape, n_out, width)
    return min(range(1, 4 * width + 1), key=lambda w: abs(n_weights(kind, shape, n_out, w) - wanted))
