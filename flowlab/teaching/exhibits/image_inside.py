"""Inside a flow of pictures: what each coupling adds to log p, pictures that climb one scale, and codes in levels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import plotly.graph_objects as go

from flowlab.controls import Choice
from flowlab.formatting import fixed
from flowlab.models.images.two_level_vae import TwoLevelVAE
from flowlab.plots import panels, theme
from flowlab.plots.pictures import picture_sheet
from flowlab.teaching.exhibit import Exhibit
from flowlab.teaching.exhibits.image_laboratory import OUTSIDE, SHAPE, detected, laboratory
from flowlab.toys.base import LOG_2PI
from flowlab.views.pictures import PictureSheet

N_CLIMBING, N_CLIMB_STEPS, N_VAE_STEPS = 12, 30, 400


@dataclass(frozen=True, eq=False)
class ImageBalance:
    """Mean log-determinants of the couplings against the norm of the latent pictures, inside and outside.

    Attributes
    ----------
    inside, outside : (n_layers + 2,) in nats: the scaling of pixels, each coupling, and minus half the squared norm
    outside_name : in words
    error : largest difference in nats between log p and the sum of its terms
    """

    inside: np.ndarray
    outside: np.ndarray
    outside_name: str
    error: float

    @property
    def gained_by_scales(self) -> float:
        """How many nats more the couplings add outside than inside."""
        return float((self.outside[:-1] - self.inside[:-1]).sum())

    @property
    def gained_by_norm(self) -> float:
        """How many nats more minus half the squared norm is outside than inside."""
        return float(self.outside[-1] - self.inside[-1])

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"Against {self.outside_name} the couplings add {fixed(self.gained_by_scales, 0)} nats more outside than "
            f"inside, and minus half the squared norm {fixed(self.gained_by_norm, 0)} more. All terms add up to log p "
            f"within {fixed(self.error, 4)} nats."
        )


def image_balance(outside: str = "constant") -> ImageBalance:
    """A large log-scale costs a large norm of z, unless the shift has taken the picture away before."""
    lab = laboratory()
    terms = []
    for name in ("inside", outside):
        X = lab.rows(name)
        half_norm = -0.5 * np.square(lab.flow.transform(X)).sum(axis=1)
        terms.append(np.vstack([lab.flow.scaling_log_det(X), lab.flow.log_det_path(X), half_norm]))
    log_p = lab.flow.score_samples(lab.rows("inside"))
    error = np.abs(terms[0].sum(axis=0) - SHAPE.n_pixels / 2 * LOG_2PI - log_p).max()
    inside, other = (each.mean(axis=1) for each in terms)
    return ImageBalance(inside, other, OUTSIDE[outside], float(error))


def draw_image_balance(result: ImageBalance, dark: bool = False, height: int = 420) -> go.Figure:
    """Bars for each coupling and for the norm."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "coupling", "mean share of log p (nats)")
    names = ["scaling", *(str(i + 1) for i in range(len(result.inside) - 2)), "−½‖z‖²"]
    for values, name, color in (
        (result.inside, "inside: china", c.data), (result.outside, f"outside: {result.outside_name}", c.anomaly),
    ):  # fmt: skip
        fig.add_bar(x=names, y=values, name=name, marker={"color": color}, hovertemplate="%{x}: %{y:.1f} nats")
    return fig.update_layout(barmode="group", legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0})


@dataclass(frozen=True, eq=False)
class ImageMaximised:
    """Pictures, and what becomes of them as they climb what one scale adds to log p.

    Attributes
    ----------
    sheet : the pictures before, and after
    before, after : (n_scales,) mean contributions in nats
    scale : the one that was climbed, 0 the finest
    contrast_before, contrast_after : mean standard deviation of the pixels of a picture
    """

    sheet: PictureSheet
    before: np.ndarray
    after: np.ndarray
    scale: int
    contrast_before: float
    contrast_after: float

    @property
    def gain(self) -> float:
        """Nats that the chosen scale gained."""
        return float(self.after[self.scale] - self.before[self.scale])

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        which = "finest" if self.scale == 0 else "coarsest"
        return (
            f"The {which} scale adds {fixed(self.gain, 0)} nats more after {N_CLIMB_STEPS} steps, and the pictures "
            f"keep {fixed(100 * self.contrast_after / self.contrast_before, 0)} % of their contrast."
        )


def image_maximised(scale: str = "finest") -> ImageMaximised:
    """Patches with contrast that follow the gradient of one scale's contribution."""
    lab = laboratory()
    X = lab.rows("inside")
    X = X[np.argsort(-X.std(axis=1), kind="stable")[10 : 10 + N_CLIMBING]]
    k = 0 if scale == "finest" else len(lab.flow.latent_sizes()) - 1
    climbed = lab.flow.maximized(X, k, n_steps=N_CLIMB_STEPS)
    before, after = (lab.flow.scale_contributions(rows).mean(axis=0) for rows in (X, climbed))
    heads = np.repeat(["before", "after"], N_CLIMBING).tolist()
    sheet = PictureSheet.of(SHAPE.of(np.concatenate([X, climbed])), heads)
    return ImageMaximised(sheet, before, after, k, float(X.std(axis=1).mean()), float(climbed.std(axis=1).mean()))


def draw_image_maximised(result: ImageMaximised, dark: bool = False, height: int = 420) -> go.Figure:
    """The pictures before over those after."""
    return picture_sheet(result.sheet, dark, size=max(24, height // 8), width=720, across=N_CLIMBING)


@lru_cache(maxsize=1)
def _two_levels() -> TwoLevelVAE:
    return TwoLevelVAE(n_steps=N_VAE_STEPS, random_state=0).fit(laboratory().train)


@dataclass(frozen=True, eq=False)
class ImageLevels:
    """What each level of a two-level VAE costs, inside and outside.

    Attributes
    ----------
    inside, outside : (3,) means in nats: minus the log-likelihood given the code, KL of the fine and of the coarse code
    auroc : (3,) of each of them as an anomaly score
    outside_name : in words
    error : largest difference in nats between the bound and its terms
    """

    inside: np.ndarray
    outside: np.ndarray
    auroc: np.ndarray
    outside_name: str
    error: float

    @property
    def fine(self) -> float:
        """AUROC of the KL of the fine code."""
        return float(self.auroc[1])

    @property
    def coarse(self) -> float:
        """AUROC of the KL of the coarse code."""
        return float(self.auroc[2])

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"Against {self.outside_name} the error has AUROC {fixed(float(self.auroc[0]), 2)}, the fine code's KL "
            f"{fixed(self.fine, 2)}, the coarse code's {fixed(self.coarse, 2)}. The codes cost "
            f"{fixed(float(self.inside[1]), 1)} and {fixed(float(self.inside[2]), 1)} nats inside, "
            f"{fixed(float(self.outside[1]), 1)} and {fixed(float(self.outside[2]), 1)} outside."
        )


def image_levels(outside: str = "noise") -> ImageLevels:
    """A variational autoencoder whose code has a code."""
    lab, model = laboratory(), _two_levels()
    signs = np.array([-1.0, 1.0, 1.0])
    inside, other = (signs * model.bound_terms(lab.rows(name)) for name in ("inside", outside))
    auroc = np.array([detected(inside[:, i], other[:, i]) for i in range(3)])
    error = np.abs(inside.sum(axis=1) + model.score_samples(lab.rows("inside"))).max()
    return ImageLevels(inside.mean(axis=0), other.mean(axis=0), auroc, OUTSIDE[outside], float(error))


def draw_image_levels(result: ImageLevels, dark: bool = False, height: int = 420) -> go.Figure:
    """Bars of the two divergences, and of the error, each on its own scale."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "", "error (nats)")
    for values, name, color in (
        (result.inside, "inside: china", c.data), (result.outside, f"outside: {result.outside_name}", c.anomaly),
    ):  # fmt: skip
        style: dict[str, Any] = {"marker": {"color": color}, "hovertemplate": "%{x}: %{y:.1f} nats", "name": name}
        fig.add_bar(x=["−log p(x | code)"], y=values[:1], **style)
        style |= {"showlegend": False, **panels.on(1)}
        fig.add_bar(x=["KL, fine code", "KL, coarse code"], y=values[1:], **style)
    return fig.update_layout(
        barmode="group",
        xaxis={"domain": [0, 0.35]},
        xaxis2={"domain": [0.5, 1], "anchor": "y2"},
        yaxis2={"anchor": "x2", "title": {"text": "divergence (nats)"}},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    )


_OUTSIDE = Choice("outside", "Outside", OUTSIDE, help="What the model has not learned")

EXHIBITS = (
    Exhibit("image_balance", (_OUTSIDE,), image_balance, draw_image_balance, rows=(56,), is_slow=True),
    Exhibit(
        "image_maximised",
        (Choice("scale", "Scale", {"finest": "finest", "coarsest": "coarsest"}, help="Whose contribution grows"),),
        image_maximised,
        draw_image_maximised,
        rows=(66,),
        is_slow=True,
    ),
    Exhibit("image_levels", (_OUTSIDE,), image_levels, draw_image_levels, rows=(74,), is_slow=True),
)
