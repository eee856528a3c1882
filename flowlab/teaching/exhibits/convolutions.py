"""Convolutional networks from LeNet on: their parameters counted, and those of one layer."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import plotly.graph_objects as go

from flowlab.controls import Int
from flowlab.formatting import count
from flowlab.plots import theme
from flowlab.teaching.exhibit import Exhibit


def _conv(size: int, n_in: int, n_out: int, bias: bool = True) -> int:
    return size * size * n_in * n_out + n_out * bias


def _dense(n_in: int, n_out: int) -> int:
    return n_in * n_out + n_out


def _vgg() -> dict[str, int]:
    widths = [3, 64, 64, 128, 128, 256, 256, 256, *[512] * 6]
    convolutions = sum(_conv(3, a, b) for a, b in pairwise(widths))
    dense = _dense(512 * 49, 4096) + _dense(4096, 4096) + _dense(4096, 1000)
    return {"convolutions": convolutions, "dense layers": dense}


def _resnet() -> dict[str, int]:
    def convolution(size: int, n_in: int, n_out: int) -> int:
        return _conv(size, n_in, n_out, bias=False) + 2 * n_out  # with batch normalisation

    total, n_in = convolution(7, 3, 64), 64
    for width in (64, 128, 256, 512):
        total += convolution(3, n_in, width) + 3 * convolution(3, width, width)
        total += convolution(1, n_in, width) if n_in != width else 0
        n_in = width
    return {"convolutions": total, "dense layers": _dense(512, 1000)}


def _densenet() -> dict[str, int]:
    growth, width = 32, 64
    total = _conv(7, 3, width, bias=False) + 2 * width
    for block, n_layers in enumerate((6, 12, 24, 16)):
        for _ in range(n_layers):
            total += 2 * width + _conv(1, width, 4 * growth, bias=False)
            total += 2 * 4 * growth + _conv(3, 4 * growth, growth, bias=False)
            width += growth
        if block < 3:
            total += 2 * width + _conv(1, width, width // 2, bias=False)
            width //= 2
    return {"convolutions": total + 2 * width, "dense layers": _dense(width, 1000)}


NETWORKS = {
    "LeNet-5 (1998)": {
        "convolutions": _conv(5, 1, 6) + _conv(5, 6, 16),
        "dense layers": _dense(400, 120) + _dense(120, 84) + _dense(84, 10),
    },
    "AlexNet (2012)": {
        "convolutions": _conv(11, 3, 64) + _conv(5, 64, 192) + _conv(3, 192, 384) + _conv(3, 384, 256)
        + _conv(3, 256, 256),
        "dense layers": _dense(9216, 4096) + _dense(4096, 4096) + _dense(4096, 1000),
    },
    "VGG-16 (2014)": _vgg(),
    "ResNet-18 (2015)": _resnet(),
    "DenseNet-121 (2016)": _densenet(),
}  # fmt: skip
"""Parameters of well-known networks by kind of layer, counted from their layers as published (AlexNet: one tower)."""


@dataclass(frozen=True, eq=False)
class Networks:
    """Parameters of networks, and of one layer that is dense or convolutional.

    Attributes
    ----------
    size, channels : of the small picture, and how many maps a layer makes of it
    convolution, dense : parameters of one layer of 3 x 3 weights, and of a dense layer that makes as many numbers
    """

    size: int
    channels: int
    convolution: int
    dense: int

    @property
    def lenet(self) -> int:
        """Parameters of LeNet-5."""
        return sum(NETWORKS["LeNet-5 (1998)"].values())

    @property
    def vgg(self) -> int:
        """Parameters of VGG-16."""
        return sum(NETWORKS["VGG-16 (2014)"].values())

    @property
    def densenet(self) -> int:
        """Parameters of DenseNet-121."""
        return sum(NETWORKS["DenseNet-121 (2016)"].values())

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"From a picture of {self.size} x {self.size} to {self.channels} maps of that size a convolution has "
            f"{count(self.convolution)} parameters, a dense layer {count(self.dense)}."
        )


def networks(size: int = 8, channels: int = 16) -> Networks:
    """Parameters of one layer on a grey picture, convolutional and dense."""
    pixels = size * size
    return Networks(size, channels, _conv(3, 1, channels), _dense(pixels, channels * pixels))


def draw_networks(result: Networks, dark: bool = False, height: int = 420) -> go.Figure:
    """Parameters by network and kind of layer, on a logarithmic axis; the small picture's layers below."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "parameters, log scale")
    small = {
        f"one convolution, {result.size} x {result.size}": {"convolutions": result.convolution},
        f"one dense layer, {result.size} x {result.size}": {"dense layers": result.dense},
    }
    both = NETWORKS | small
    for kind, color, symbol in (("convolutions", c.model, "circle"), ("dense layers", c.third, "square")):
        names = [name for name, parts in both.items() if kind in parts]
        fig.add_scatter(
            x=[both[name][kind] for name in names], y=names, mode="markers", name=kind,
            marker={"color": color, "size": 12, "symbol": symbol}, hovertemplate="%{y}<br>%{x:,}<extra></extra>",
        )  # fmt: skip
    fig.update_xaxes(type="log", dtick=1, exponentformat="power")
    fig.update_yaxes(categoryorder="array", categoryarray=list(both)[::-1])
    return fig


EXHIBITS = (
    Exhibit(
        "networks",
        (
            Int("size", "Side of the picture", 2, 64, help="In pixels"),
            Int("channels", "Maps", 1, 64, help="That one layer makes of the picture"),
        ),
        networks,
        draw_networks,
        rows=(121,),
    ),
)
