"""When likelihood lies: a flow that learned one photograph and finds blank walls likelier; scores that mend it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import plotly.graph_objects as go

from flowlab.controls import Choice
from flowlab.formatting import fixed
from flowlab.models.images.image_flow import ImageFlow
from flowlab.plots import theme
from flowlab.plots.cures import auroc_table
from flowlab.plots.pictures import picture_sheet
from flowlab.teaching.exhibit import Exhibit
from flowlab.teaching.exhibits import image_laboratory
from flowlab.teaching.exhibits.image_laboratory import (
    OUTSIDE,
    SCORES,
    SHAPE,
    detected,
    laboratory,
    rank_correlation,
)
from flowlab.views.pictures import PictureSheet


@dataclass(frozen=True, eq=False)
class ImageParadox:
    """Scores of pictures inside and outside.

    Attributes
    ----------
    inside, outside : (n,) anomaly scores in nats
    outside_name, score_name : in words
    auroc : of the score, the pictures outside being the anomalies
    likelier : share of the pictures outside that are likelier than the median picture inside
    bits_inside, bits_outside : mean bits per dimension of log p, whatever the score
    """

    inside: np.ndarray
    outside: np.ndarray
    outside_name: str
    score_name: str
    auroc: float
    likelier: float
    bits_inside: float
    bits_outside: float

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        verdict = (
            "takes what is outside for more normal than what it learned"
            if self.auroc < 0.5
            else "finds what is outside"
            if self.auroc > 0.9
            else "hardly tells inside from outside"
            if self.auroc < 0.6
            else "finds part of what is outside"
        )
        return (
            f"By {self.score_name} the flow {verdict}: AUROC {fixed(self.auroc, 2)} against {self.outside_name}. A "
            f"pixel inside takes {fixed(self.bits_inside, 2)} bits, outside {fixed(self.bits_outside, 2)}."
        )


def image_paradox(outside: str = "constant", score: str = "likelihood") -> ImageParadox:
    """Patches of china.jpg that were not trained on, against other pictures, by one score."""
    lab = laboratory()
    inside, other = lab.scored("inside", score), lab.scored(outside, score)
    log_p = [lab.flow.score_samples(lab.rows(name)) for name in ("inside", outside)]
    bits = [float(lab.flow.bits_per_dimension(lab.rows(name)).mean()) for name in ("inside", outside)]
    return ImageParadox(
        inside, other, OUTSIDE[outside], SCORES[score], detected(inside, other),
        float((log_p[1] > np.median(log_p[0])).mean()), *bits,
    )  # fmt: skip


def draw_image_paradox(result: ImageParadox, dark: bool = False, height: int = 420) -> go.Figure:
    """Two histograms over each other."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, f"anomaly score: {result.score_name} (nats)", "share of the pictures")
    together = np.concatenate([result.inside, result.outside])
    low, high = np.quantile(together, [0.002, 0.998])
    edges = np.linspace(low, max(high, low + 1e-9), 45)
    tallest = 0.0
    for values, name, color in (
        (result.inside, "inside: china", c.data),
        (result.outside, f"outside: {result.outside_name}", c.anomaly),
    ):
        share = np.histogram(np.clip(values, low, high), edges)[0] / len(values)
        tallest = max(tallest, float(share.max()))
        fig.add_bar(
            x=(edges[1:] + edges[:-1]) / 2, y=share, width=np.diff(edges), name=name, opacity=0.65,
            marker={"color": color}, hovertemplate="%{x:.0f} nats: %{y:.1%}",
        )  # fmt: skip
    fig.update_layout(barmode="overlay", legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0})
    return fig.update_yaxes(range=[0, 1.05 * tallest], tickformat=".0%")


@dataclass(frozen=True, eq=False)
class ImageCures:
    """Every score against everything outside.

    Attributes
    ----------
    table : (n_scores, n_outside) AUROC
    score_names, outside_names : in words
    """

    table: np.ndarray
    score_names: tuple[str, ...]
    outside_names: tuple[str, ...]

    @property
    def worst_of_likelihood(self) -> float:
        """Lowest AUROC of -log p."""
        return float(self.table[0].min())

    @property
    def worst_of_ratio(self) -> float:
        """Lowest AUROC of the ratio."""
        return float(self.table[1].min())

    @property
    def typicality_of_constant(self) -> float:
        """AUROC of the distance from the typical against pictures of one grey."""
        return float(self.table[list(SCORES).index("typicality"), list(OUTSIDE).index("constant")])

    @property
    def n_fooled(self) -> int:
        """How many of the scores are below one half somewhere."""
        return int((self.table < 0.5).any(axis=1).sum())

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        best = int(self.table.min(axis=1).argmax())
        return (
            f"The best worst case has {self.score_names[best]}: AUROC of {fixed(float(self.table[best].min()), 2)} or "
            f"more. {self.n_fooled} of {len(self.table)} scores are fooled by something (AUROC below 0.5)."
        )


@lru_cache(maxsize=1)
def image_cures() -> ImageCures:
    """AUROC of each score against each family of pictures outside."""
    lab = laboratory()
    table = []
    for score in SCORES:
        inside = lab.scored("inside", score)
        table.append([detected(inside, lab.scored(name, score)) for name in OUTSIDE])
    return ImageCures(np.array(table), tuple(SCORES.values()), tuple(OUTSIDE.values()))


def draw_image_cures(result: ImageCures, dark: bool = False, height: int = 420) -> go.Figure:
    """A table of AUROC."""
    return auroc_table(result.score_names, result.outside_names, result.table, None, dark, height)


@dataclass(frozen=True, eq=False)
class ImageScales:
    """What each scale adds to log p, inside and outside.

    Attributes
    ----------
    inside, outside : (n_scales,) mean contribution in nats for each pixel that is decided there
    outside_name : in words
    error : largest difference between the sum over scales and log p, in nats
    first_gap, last_gap : how much more each pixel outside gets than one inside, at the first and at the last scale
    """

    inside: np.ndarray
    outside: np.ndarray
    outside_name: str
    error: float

    @property
    def first_gap(self) -> float:
        """At the first scale, the finest."""
        return float(self.outside[0] - self.inside[0])

    @property
    def last_gap(self) -> float:
        """At the last scale, the coarsest."""
        return float(self.outside[-1] - self.inside[-1])

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"Against {self.outside_name} a variable of the finest scale gets {fixed(self.first_gap, 2)} nats more "
            f"outside than inside, one of the coarsest {fixed(self.last_gap, 2)}. The scales add up to log p within "
            f"{fixed(self.error, 6)} nats."
        )


def image_scales(outside: str = "constant") -> ImageScales:
    """Mean contributions of the scales, for each latent variable."""
    lab = laboratory()
    sizes = np.array(lab.flow.latent_sizes())
    parts = [lab.flow.scale_contributions(lab.rows(name)) for name in ("inside", outside)]
    error = np.abs(parts[0].sum(axis=1) - lab.flow.score_samples(lab.rows("inside"))).max()
    inside, other = (part.mean(axis=0) / sizes for part in parts)
    return ImageScales(inside, other, OUTSIDE[outside], float(error))


def draw_image_scales(result: ImageScales, dark: bool = False, height: int = 420) -> go.Figure:
    """Bars for each scale, inside and outside."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "scale", "nats for each variable decided there")
    names = [f"{i + 1}{' (finest)' if i == 0 else ' (coarsest)' if i == len(result.inside) - 1 else ''}"
             for i in range(len(result.inside))]  # fmt: skip
    for values, name, color in (
        (result.inside, "inside: china", c.data), (result.outside, f"outside: {result.outside_name}", c.anomaly),
    ):  # fmt: skip
        fig.add_bar(x=names, y=values, name=name, marker={"color": color}, hovertemplate="scale %{x}: %{y:.2f} nats")
    return fig.update_layout(barmode="group", legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0})


@dataclass(frozen=True, eq=False)
class ImageExtremes:
    """The strangest and the most normal of pictures inside and outside together, by a score.

    Attributes
    ----------
    sheet : two lines of pictures
    outside_among_normal : share of those outside among the most normal ones
    score_name : in words
    """

    sheet: PictureSheet
    outside_among_normal: float
    score_name: str

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"Of the {N_SHOWN} pictures that {self.score_name} calls most normal, "
            f"{fixed(100 * self.outside_among_normal, 0)} % are outside (outlined)."
        )


N_SHOWN = 24


def image_extremes(score: str = "likelihood") -> ImageExtremes:
    """All pictures that were tried, sorted by a score: the lowest and the highest."""
    lab = laboratory()
    names = ("inside", *OUTSIDE)
    values = np.concatenate([lab.scored(name, score) for name in names])
    pixels = np.concatenate([lab.pictures[name] for name in names])
    is_outside = np.arange(len(values)) >= len(lab.pictures["inside"])
    order = np.argsort(values, kind="stable")
    chosen = np.concatenate([order[:N_SHOWN], order[-N_SHOWN:][::-1]])
    heads = ["most normal"] * N_SHOWN + ["strangest"] * N_SHOWN
    sheet = PictureSheet.of(pixels[chosen] / 255.0, heads=heads, marked=is_outside[chosen])
    return ImageExtremes(sheet, float(is_outside[chosen[:N_SHOWN]].mean()), SCORES[score])


def draw_image_extremes(result: ImageExtremes, dark: bool = False, height: int = 420) -> go.Figure:
    """The sheet, twelve pictures in a line."""
    return picture_sheet(result.sheet, dark, size=max(24, height // 8), width=720, across=12)


@dataclass(frozen=True, eq=False)
class ImageCopies:
    """What a coupling's shift says of the pixels it does not see.

    Attributes
    ----------
    sheet : pictures; the pixels that the coupling reads; at those that it changes minus the shift, and the log-scale
    correlation : rank correlation of minus the shift with the pixels it is added to, over pictures it never saw
    latent_correlation : the same of latent pixels with the pixels they came from
    """

    sheet: PictureSheet
    correlation: float
    latent_correlation: float

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"Minus the shift follows the pixels that the coupling does not see: rank correlation "
            f"{fixed(self.correlation, 2)}. The latent pictures still follow the pictures: "
            f"{fixed(self.latent_correlation, 2)}."
        )


@lru_cache(maxsize=1)
def _checkerboard() -> ImageFlow:
    return ImageFlow(
        n_scales=1,
        mask="checkerboard",
        activation_norm=False,
        mix_channels=False,
        n_steps=image_laboratory.N_STEPS,
        random_state=0,
    ).fit(laboratory().train)


def image_copies(outside: str = "flower") -> ImageCopies:
    """The first coupling of pixels of a flow with checkerboard masks, on pictures of one kind."""
    lab, flow = laboratory(), _checkerboard()
    X = lab.rows(outside)[:200]
    seen = flow.transform_path(X)[0]
    (log_scale, shift), changed = (part[0] for part in flow.layer_readout(X)), flow.layer_masks()[0]
    correlation = rank_correlation(-shift[:, changed], seen[:, changed])
    latent = rank_correlation(flow.transform(X), X)
    strongest = np.argsort(-X.std(axis=1), kind="stable")[:N_COPIED]
    pixels = X[strongest]
    read = np.where(changed, 0, pixels)
    copied = np.where(changed, _greys(-shift[strongest], seen[strongest]), 0)
    scales = np.where(changed, 0.5 + log_scale[strongest] / 4, 0)  # log-scales lie within 2
    lines = {"pictures": pixels, "what it reads": read, "minus the shift": copied, "log-scale": scales}
    sheet = PictureSheet.of(SHAPE.of(np.concatenate(list(lines.values()))), np.repeat(list(lines), N_COPIED).tolist())
    return ImageCopies(sheet, correlation, latent)


N_COPIED = 12


def _greys(values: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Values as greys in [0, 1] on the scale of the pictures they stand below."""
    low, high = like.min(axis=1, keepdims=True), like.max(axis=1, keepdims=True)
    return np.clip((values - low) / np.maximum(high - low, 1e-9), 0, 1)


def draw_image_copies(result: ImageCopies, dark: bool = False, height: int = 420) -> go.Figure:
    """Pictures over what the coupling says of them."""
    return picture_sheet(result.sheet, dark, size=max(24, height // 8), width=720, across=12)


_OUTSIDE = Choice("outside", "Outside", OUTSIDE, help="What the flow has not learned")
_SCORE = Choice("score", "Score", SCORES, help="What makes a picture strange; higher is stranger")

EXHIBITS = (
    Exhibit("image_paradox", (_OUTSIDE, _SCORE), image_paradox, draw_image_paradox, rows=(51, 52, 59), is_slow=True),
    Exhibit("image_cures", (), image_cures, draw_image_cures, rows=(63, 68), is_slow=True),
    Exhibit("image_scales", (_OUTSIDE,), image_scales, draw_image_scales, rows=(67, 70), is_slow=True),
    Exhibit("image_extremes", (_SCORE,), image_extremes, draw_image_extremes, rows=(72,), is_slow=True),
    Exhibit("image_copies", (_OUTSIDE,), image_copies, draw_image_copies, rows=(54, 55), is_slow=True),
)
