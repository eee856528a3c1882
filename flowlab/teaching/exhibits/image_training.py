"""Training flows of pictures in other ways: against a background, and from the weights of another flow."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import plotly.graph_objects as go

from flowlab.controls import Choice, Float
from flowlab.formatting import fixed
from flowlab.images.backgrounds import broad_background
from flowlab.images.pixels import rows_of
from flowlab.images.sources import photo_patches
from flowlab.models.images.image_flow import ImageFlow
from flowlab.plots import theme
from flowlab.teaching.exhibit import Exhibit
from flowlab.teaching.exhibits.image_laboratory import N_PATCHES, OUTSIDE, SHAPE, detected, laboratory

N_STEPS = 200
SMALL: dict[str, Any] = {"n_couplings": 2, "hidden_channels": 16, "batch_size": 32, "random_state": 0}
"""A small flow, of which several are trained for one figure."""
N_JUDGED = 200
"""Pictures of each kind that are scored on the way."""
LOSSES = {"likelihood": "likelihood alone", "outlier": "outlier loss", "margin": "margin loss"}


@dataclass(frozen=True, eq=False)
class ImageLosses:
    """AUROC of -log p during training, with and without a background.

    Attributes
    ----------
    steps : (n,) at which the flows were looked at
    auroc : (3, n) in the order of `LOSSES`
    outside_name : in words
    """

    steps: np.ndarray
    auroc: np.ndarray
    outside_name: str

    @property
    def plain(self) -> float:
        """AUROC at the end, of the likelihood alone."""
        return float(self.auroc[0, -1])

    @property
    def outlier(self) -> float:
        """AUROC at the end, of the outlier loss."""
        return float(self.auroc[1, -1])

    @property
    def margin(self) -> float:
        """AUROC at the end, of the margin loss."""
        return float(self.auroc[2, -1])

    @property
    def margin_drop(self) -> float:
        """How far the margin loss ends below its best."""
        return float(self.auroc[2].max() - self.auroc[2, -1])

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        drop = (
            f"the margin loss ends {fixed(self.margin_drop, 2)} below its best"
            if self.margin_drop > 0.02
            else "the margin loss does not drop again within these steps"
        )
        return (
            f"Against {self.outside_name} the likelihood alone ends at AUROC {fixed(self.plain, 2)}, the outlier loss "
            f"at {fixed(self.outlier, 2)}, the margin loss at {fixed(self.margin, 2)}; {drop}."
        )


@lru_cache(maxsize=12)
def _course(loss: str, weight: float, temperature: float, margin: float) -> tuple[np.ndarray, np.ndarray]:
    """Steps (n,), and AUROC (n, n_outside) there, of a small flow."""
    lab = laboratory()
    flow = ImageFlow(
        **SMALL, n_steps=N_STEPS,
        background="none" if loss == "likelihood" else "broad",
        background_loss="outlier" if loss == "likelihood" else loss,
        background_weight=weight, background_temperature=temperature, background_margin=margin,
    )  # fmt: skip
    steps, found = [], []
    for event in flow.fit_iter(lab.train):
        inside = flow.anomaly_score(lab.rows("inside")[:N_JUDGED])
        found.append([detected(inside, flow.anomaly_score(lab.rows(name)[:N_JUDGED])) for name in OUTSIDE])
        steps.append(event.step)
    return np.array(steps), np.array(found)


def image_losses(
    outside: str = "flower", weight: float = 3.0, temperature: float = 1.0, margin: float = 100.0
) -> ImageLosses:
    """Three small flows of patches; two of them are trained against a broad background that holds no photograph."""
    courses = [
        _course("likelihood", 0.0, 1.0, 0.0),
        _course("outlier", weight, temperature, 0.0),
        _course("margin", weight, 1.0, margin),
    ]
    at = list(OUTSIDE).index(outside)
    return ImageLosses(courses[0][0], np.stack([found[:, at] for _, found in courses]), OUTSIDE[outside])


def draw_image_losses(result: ImageLosses, dark: bool = False, height: int = 420) -> go.Figure:
    """A line for each loss."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "training step", "AUROC of −log p")
    marks = ((c.data, "circle", "solid"), (c.model, "square", "dash"), (c.second, "diamond", "dot"))
    for values, name, (color, symbol, dash) in zip(result.auroc, LOSSES.values(), marks, strict=True):
        fig.add_scatter(
            x=result.steps, y=values, name=name, mode="lines+markers", line={"color": color, "dash": dash},
            marker={"symbol": symbol, "size": 8}, hovertemplate="step %{x}: %{y:.3f}",
        )  # fmt: skip
    fig.add_hline(y=0.5, line={"color": c.muted, "width": 1, "dash": "dot"})
    fig.update_yaxes(range=[0, 1.02])
    return fig.update_layout(legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0})


@dataclass(frozen=True, eq=False)
class ImageWarmStart:
    """Loss on held-out patches during training, from scratch and from the weights of another flow.

    Attributes
    ----------
    steps, long_steps : (n,) and (m,) at which the flows were looked at; the second of the run of twice the length
    warm, scratch, long : negative log-likelihood of held-out patches there, bits per dimension
    """

    steps: np.ndarray
    warm: np.ndarray
    scratch: np.ndarray
    long_steps: np.ndarray
    long: np.ndarray

    @property
    def lead(self) -> float:
        """Bits per dimension by which the warm start is ahead after the first quarter of the steps."""
        return float(self.scratch[0] - self.warm[0])

    @property
    def lead_at_end(self) -> float:
        """Bits per dimension by which it is ahead at the end."""
        return float(self.scratch[-1] - self.warm[-1])

    @property
    def lead_over_long(self) -> float:
        """Bits per dimension by which it is ahead of the run of twice the length."""
        return float(self.long[-1] - self.warm[-1])

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        ahead = "ahead of" if self.lead > 0 else "behind"
        return (
            f"After {int(self.steps[0])} of {int(self.steps[-1])} steps the warm start is {fixed(abs(self.lead), 2)} "
            f"bits per dimension {ahead} the start from scratch. It ends at {fixed(float(self.warm[-1]), 2)}, the "
            f"other at {fixed(float(self.scratch[-1]), 2)}, and after twice the steps at "
            f"{fixed(float(self.long[-1]), 2)}."
        )


@lru_cache(maxsize=3)
def image_warm_start(learned: str = "china") -> ImageWarmStart:
    """A flow of patches that starts from the weights of the flow of a broad synthetic set, and two from scratch."""
    patches = photo_patches(learned, N_PATCHES, SHAPE, np.random.default_rng(1))
    train, judged = (rows_of(patches.pixels[patches.split == part]) for part in (0, 2))

    general = ImageFlow(**SMALL, n_steps=N_STEPS).fit(rows_of(broad_background(SHAPE, N_PATCHES, 0)))

    def course(n_steps: int, is_warm: bool) -> tuple[np.ndarray, np.ndarray]:
        flow = ImageFlow(**SMALL, n_steps=n_steps)
        start = general.get_state() if is_warm else None
        at = [
            (event.step, flow.bits_per_dimension(judged[:N_JUDGED]).mean())
            for event in flow.fit_iter(train, checkpoint=start)
        ]
        return np.array([step for step, _ in at]), np.array([bits for _, bits in at])

    steps, warm = course(N_STEPS, True)
    return ImageWarmStart(steps, warm, course(N_STEPS, False)[1], *course(2 * N_STEPS, False))


def draw_image_warm_start(result: ImageWarmStart, dark: bool = False, height: int = 420) -> go.Figure:
    """The three courses."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "training step", "bits per dimension of held-out patches")
    for steps, values, name, color, symbol, dash in (
        (result.steps, result.warm, "from the broad set's weights", c.model, "circle", "solid"),
        (result.steps, result.scratch, "from scratch", c.data, "square", "dash"),
        (result.long_steps, result.long, "from scratch, twice as long", c.second, "diamond", "dot"),
    ):
        fig.add_scatter(
            x=steps, y=values, name=name, mode="lines+markers", line={"color": color, "dash": dash},
            marker={"symbol": symbol, "size": 8}, hovertemplate="step %{x}: %{y:.3f} bits",
        )  # fmt: skip
    return fig.update_layout(legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0})


EXHIBITS = (
    Exhibit(
        "image_losses",
        (
            Choice("outside", "Outside", OUTSIDE, help="What -log p is to find"),
            Float("weight", "Weight λ", 0.5, 10.0, 0.5, help="Of the background in the loss"),
            Float("temperature", "Temperature T (nats)", 1.0, 100.0, 1.0, help="Of the outlier loss"),
            Float("margin", "Margin (nats)", 0.0, 300.0, 10.0, help="Of the margin loss"),
        ),
        image_losses,
        draw_image_losses,
        rows=(64, 65),
        is_slow=True,
    ),
    Exhibit(
        "image_warm_start",
        (
            Choice(
                "learned", "Learned", {"china": "china.jpg", "flower": "flower.jpg"}, help="Patches that are trained on"
            ),
        ),
        image_warm_start,
        draw_image_warm_start,
        rows=(76,),
        is_slow=True,
    ),
)
