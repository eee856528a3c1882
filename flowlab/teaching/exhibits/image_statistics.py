"""What a picture's likelihood follows: amplitude and not phase, and how few bits it takes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import plotly.graph_objects as go

from flowlab.controls import Choice, Float, Int
from flowlab.formatting import fixed
from flowlab.images.complexity import NeighbourDifferences, coded_bits
from flowlab.images.families import FAMILIES
from flowlab.images.phase import amplitude_only, from_spectrum, mixed, phase_only, spectrum
from flowlab.images.pixels import as_bytes
from flowlab.images.png import data_uri, enlarged
from flowlab.images.shape import ImageShape
from flowlab.images.sources import photo_patches
from flowlab.plots import theme
from flowlab.ranking import spearman_matrix
from flowlab.teaching.exhibit import Exhibit

N_LEARNED, N_SHOWN = 4000, 100
"""Patches that the differences are counted on, and those that are shown and tried."""
N_SHARES = 21


@lru_cache(maxsize=4)
def _patches(side: int) -> tuple[NeighbourDifferences, np.ndarray]:
    """How neighbours differ in patches of china.jpg, and other patches (100, side, side, 1) with contrast."""
    found = photo_patches("china", 3 * N_LEARNED, ImageShape(side, side), np.random.default_rng(0))
    learned = found.pixels[found.split == 0][:N_LEARNED]
    others = found.pixels[found.split > 0]
    strongest = np.argsort(-others.std(axis=(1, 2, 3)), kind="stable")[: len(others) // 2]
    return NeighbourDifferences.of(learned), others[np.sort(strongest)[:N_SHOWN]]


@dataclass(frozen=True, eq=False)
class Phase:
    """Two pictures, what comes of exchanging their waves, and whom the likelihood follows.

    Attributes
    ----------
    pictures : (6, 16, 16, 1) in [0, 1]: first, second, the first's phase with the mixed amplitude, both exchanged,
        the first's amplitude alone and its phase alone
    names : (6,) what they are
    shares : (21,) of the second's amplitude; log_likelihood : (21,) of the first's phase with it, in nats
    share, here : the chosen share, and its log-likelihood
    follows_amplitude, follows_phase : rank correlation, over 50 pairs, of the log-likelihood of a picture with
        exchanged phase with that of the picture whose amplitude, or whose phase, it has
    error : largest difference between a picture and the one made of its own amplitude and phase
    """

    pictures: np.ndarray
    names: tuple[str, ...]
    shares: np.ndarray
    log_likelihood: np.ndarray
    share: float
    here: float
    follows_amplitude: float
    follows_phase: float
    error: float

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"With {fixed(100 * self.share, 0)} % of the second's amplitude the first has a log-likelihood of "
            f"{fixed(self.here, 0)} nats. Over 50 pairs with exchanged phases it follows the picture that gave the "
            f"amplitude (rank correlation {fixed(self.follows_amplitude, 2)}), hardly the one that gave the phase "
            f"({fixed(self.follows_phase, 2)})."
        )


def phase(first: int = 3, second: int = 40, share: float = 1.0) -> Phase:
    """Two of a hundred patches of 16 x 16 pixels; the likelihood is that of the differences of neighbouring pixels."""
    counted, pixels = _patches(16)
    patches = pixels / 255.0
    one, other = patches[[first]], patches[[second]]
    shares = np.linspace(0, 1, N_SHARES)
    curve = counted.log_likelihood(as_bytes(np.concatenate([mixed(one, other, s) for s in shares])))
    chosen = mixed(one, other, share)
    usual = spectrum(patches)[0].mean(axis=0)
    pictures = [one, other, chosen, mixed(other, one, share), amplitude_only(one), phase_only(one, usual)]
    givers, takers = patches[:50], patches[50:]
    exchanged = counted.log_likelihood(as_bytes(from_spectrum(spectrum(givers)[0], spectrum(takers)[1])))
    own = [counted.log_likelihood(as_bytes(each)) for each in (givers, takers)]
    return Phase(
        np.concatenate(pictures).clip(0, 1),
        ("first", "second", "phase of the first", "phase of the second", "amplitude alone", "phase alone"),
        shares,
        curve,
        share,
        float(counted.log_likelihood(as_bytes(chosen))[0]),
        _rank_correlation(exchanged, own[0]),
        _rank_correlation(exchanged, own[1]),
        float(np.abs(from_spectrum(*spectrum(patches)) - patches).max()),
    )


def draw_phase(result: Phase, dark: bool = False, height: int = 420) -> go.Figure:
    """The six pictures, and beside them the log-likelihood against the share of the other amplitude."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "share of the amplitude", "log-likelihood (nats)")
    fig.add_scatter(x=result.shares, y=result.log_likelihood, mode="lines", line={"color": c.model}, hoverinfo="y")
    fig.add_scatter(
        x=[result.share], y=[result.here], mode="markers", marker={"color": c.threshold, "size": 11}, hoverinfo="y"
    )
    _stand_beside(fig, enlarged(as_bytes(result.pictures), 96), result.names, c.text)
    return fig.update_layout(showlegend=False, xaxis={"domain": [0.64, 1], "nticks": 4}, yaxis={"nticks": 6})


def _rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    return float(spearman_matrix(np.column_stack([one, other]))[0, 1])


def _stand_beside(fig: go.Figure, pictures: np.ndarray, names: tuple[str, ...], color: str, across: int = 3) -> None:
    """Put pictures in rows into the left part of a figure, each under its name, whose words stand one below another."""
    paper = {"xref": "paper", "yref": "paper", "xanchor": "center"}
    width, height = 0.42 / across, 1 / -(-len(pictures) // across)
    places = [(width * (i % across + 0.5), 1 - height * (i // across)) for i in range(len(pictures))]
    fig.update_layout(
        images=[
            {**paper, "source": data_uri(picture), "x": x, "y": y - 0.4 * height}
            | {"sizex": 0.9 * width, "sizey": 0.56 * height}
            for picture, (x, y) in zip(pictures, places, strict=True)
        ],
        annotations=[
            {**paper, "x": x, "y": y - 0.38 * height, "yanchor": "bottom", "showarrow": False}
            | {"text": name.replace(" of the ", "<br>of the ").replace(" alone", "<br>alone")}
            | {"font": {"color": color, "size": 12}}
            for name, (x, y) in zip(names, places, strict=True)
        ],
    )


def _stand_above(fig: go.Figure, pictures: np.ndarray, names: tuple[str, ...], color: str) -> None:
    """Put pictures in a line into the upper part of a figure, each under its name."""
    n = len(pictures)
    paper = {"xref": "paper", "yref": "paper", "xanchor": "center"}
    fig.update_layout(
        images=[
            {**paper, "source": data_uri(picture), "x": (i + 0.5) / n, "y": 0.92, "sizex": 0.9 / n, "sizey": 0.34}
            for i, picture in enumerate(pictures)
        ],
        annotations=[
            {**paper, "x": (i + 0.5) / n, "y": 1.0, "yanchor": "top", "text": name, "showarrow": False}
            | {"font": {"color": color, "size": 12}}
            for i, name in enumerate(names)
        ],
    )


@dataclass(frozen=True, eq=False)
class Complexity:
    """Families of pictures: the bits they take, and their log-likelihood.

    Attributes
    ----------
    names : (f,) of the families, "photograph" first
    examples : (f, side, side, 1) uint8
    bits : (f, n) bits a pixel of each picture, as a file
    log_likelihood : (f, n) of the differences of neighbouring pixels, nats a pixel
    photograph, constant, noise : mean bits a pixel of three families
    correlation : rank correlation of bits and log-likelihood over all pictures
    likelier : share of constant pictures that are likelier than the median photograph
    """

    names: tuple[str, ...]
    examples: np.ndarray
    bits: np.ndarray
    log_likelihood: np.ndarray
    photograph: float
    constant: float
    noise: float
    correlation: float
    likelier: float

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"A constant picture takes {fixed(self.constant, 2)} bits a pixel, a patch of the photograph "
            f"{fixed(self.photograph, 2)}, noise {fixed(self.noise, 2)}. The fewer bits, the likelier: rank "
            f"correlation {fixed(self.correlation, 2)}; {fixed(100 * self.likelier, 0)} % of the constant pictures are "
            "likelier than the median patch of the photograph that was learned."
        )


def complexity(side: str = "16", coder: str = "png", n: int = 40) -> Complexity:
    """So many pictures of each family, made of patches of china.jpg where they are made of pictures."""
    counted, patches = _patches(int(side))
    rng, base = np.random.default_rng(1), patches[:n]
    made = {"photograph": base} | {name.replace("_", " "): family(base, rng) for name, family in FAMILIES.items()}
    n_pixels = int(side) ** 2
    bits = np.array([coded_bits(pictures, coder) for pictures in made.values()]) / n_pixels
    nats = np.array([counted.log_likelihood(pictures) for pictures in made.values()]) / n_pixels
    names = tuple(made)
    mean = dict(zip(names, bits.mean(axis=1), strict=True))
    return Complexity(
        names,
        np.stack([pictures[0] for pictures in made.values()]),
        bits,
        nats,
        float(mean["photograph"]),
        float(mean["constant"]),
        float(mean["noise"]),
        _rank_correlation(bits.ravel(), nats.ravel()),
        float(np.mean(nats[names.index("constant")] > np.median(nats[0]))),
    )


def draw_complexity(result: Complexity, dark: bool = False, height: int = 420) -> go.Figure:
    """Log-likelihood against bits, a cloud for each family, with one picture of each above, by its number."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "size of the file (bits a pixel)", "log-likelihood (nats a pixel)")
    colors = [c.data, c.model, c.second, c.third, c.anomaly, c.truth, c.muted, c.threshold, c.model]
    symbols = ["circle", "square", "diamond", "cross", "x", "triangle-up", "star", "hexagon", "circle-open"]
    for i, name in enumerate(result.names):
        fig.add_scatter(
            x=result.bits[i], y=result.log_likelihood[i], mode="markers", name=f"{i + 1} {name}",
            marker={"color": colors[i], "symbol": symbols[i], "size": 7, "opacity": 0.7},
            hovertemplate="%{x:.2f} bits, %{y:.2f} nats<extra>" + name + "</extra>",
        )  # fmt: skip
    numbers = tuple(str(i + 1) for i in range(len(result.names)))
    _stand_above(fig, enlarged(result.examples, 64), numbers, c.text)
    fig.update_layout(yaxis={"domain": [0, 0.6]}, showlegend=True, legend={"y": -0.3, "yanchor": "top"})
    return fig.update_layout(images=[{**image.to_plotly_json(), "sizey": 0.22} for image in fig.layout.images])


EXHIBITS = (
    Exhibit(
        "phase",
        (
            Int("first", "First picture", 0, N_SHOWN - 1, 1, help="One of a hundred patches of china.jpg"),
            Int("second", "Second picture", 0, N_SHOWN - 1, 1, help="It gives its amplitude"),
            Float("share", "Share of its amplitude", 0, 1, 0.05, help="1: the first has its phase alone"),
        ),
        phase,
        draw_phase,
        rows=(80, 81),
    ),
    Exhibit(
        "complexity",
        (
            Choice("side", "Size", {"8": "8 x 8 pixels", "16": "16 x 16 pixels"}),
            Choice("coder", "Packed as", {"png": "a PNG file", "zlib": "zlib's stream"}),
            Int("n", "Pictures of each family", 10, 60, 5, help="More show the spread"),
        ),
        complexity,
        draw_complexity,
        rows=(60, 69),
    ),
)
