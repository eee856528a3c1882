"""Digits 0 to 4 inside, 5 to 9 outside: what a convolutional, a dense, a conditioned flow and others make of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import plotly.graph_objects as go

from flowlab.formatting import fixed
from flowlab.images.pixels import rows_of
from flowlab.images.sources import digits
from flowlab.models.flows.pca_flow import PCAFlow
from flowlab.models.images.image_flow import ImageFlow
from flowlab.models.images.image_model import bits_per_dimension
from flowlab.models.images.pixelcnn_model import PixelCNN
from flowlab.plots import theme
from flowlab.teaching.exhibit import Exhibit
from flowlab.teaching.exhibits.image_laboratory import detected

N_STEPS, N_CODE_STEPS = 300, 400
SMALL: dict[str, Any] = {"n_couplings": 2, "hidden_channels": 16}
MODELS = {
    "convolutional": "convolutional flow",
    "classes": "the same, given the class",
    "dense": "dense flow",
    "pixelcnn": "PixelCNN",
    "code": "flow of a whitened PCA code",
}


@dataclass(frozen=True, eq=False)
class ImageDigits:
    """Digits that were not trained on, by several models.

    Attributes
    ----------
    auroc : (5,) of -log p, the digits 5 to 9 being the anomalies, in the order of `MODELS`
    bits : (5,) bits per dimension of digits inside; nan for the code, whose density is of other numbers
    """

    auroc: np.ndarray
    bits: np.ndarray

    @property
    def convolutional(self) -> float:
        """AUROC of the convolutional flow."""
        return float(self.auroc[0])

    @property
    def classes(self) -> float:
        """AUROC of the convolutional flow that was given the class."""
        return float(self.auroc[1])

    @property
    def dense(self) -> float:
        """AUROC of the dense flow."""
        return float(self.auroc[2])

    @property
    def code(self) -> float:
        """AUROC of the flow of the code."""
        return float(self.auroc[4])

    @property
    def bits_dense(self) -> float:
        """Bits per dimension of the dense flow."""
        return float(self.bits[2])

    @property
    def bits_pixelcnn(self) -> float:
        """Bits per dimension of the PixelCNN."""
        return float(self.bits[3])

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        names, best = list(MODELS.values()), int(self.auroc.argmax())
        return (
            f"AUROC of the other digits: convolutional {fixed(self.convolutional, 2)}, given the class "
            f"{fixed(self.classes, 2)}, dense {fixed(self.dense, 2)}, of the code {fixed(self.code, 2)}. The best is "
            f"the {names[best]}. A pixel takes {fixed(self.bits_dense, 2)} bits by the dense flow and "
            f"{fixed(self.bits_pixelcnn, 2)} by the PixelCNN."
        )


@lru_cache(maxsize=1)
def image_digits() -> ImageDigits:
    """Five models of 631 of the digits 0 to 4."""
    every = digits()
    rows, is_inside = rows_of(every.pixels), every.classes < 5
    order = np.random.default_rng(0).permutation(np.flatnonzero(is_inside))
    cut = round(0.7 * len(order))
    train, inside, outside = order[:cut], order[cut:], np.flatnonzero(~is_inside)
    short: dict[str, Any] = {"n_steps": N_STEPS, "batch_size": 64, "random_state": 0}
    flow = ImageFlow(**short, **SMALL).fit(rows[train])
    given = ImageFlow(**short, **SMALL, context_column=-1).fit(np.column_stack([rows, every.classes])[train])
    dense = dense_flow(n_steps=N_STEPS).fit(rows[train])
    pixelcnn = PixelCNN(**short).fit(rows[train])
    code = PCAFlow(n_components=16, n_steps=N_CODE_STEPS).fit(rows[train])
    blank = np.zeros(len(rows))
    by_class = -given.marginal_log_density(np.column_stack([rows, blank]))
    found = [model.anomaly_score(rows) for model in (flow, dense, pixelcnn, code)]
    found.insert(1, by_class)
    bits = [float(model.bits_per_dimension(rows[inside]).mean()) for model in (flow, dense, pixelcnn)]
    bits.insert(1, float(bits_per_dimension(-by_class[inside], rows.shape[1], given.cell_).mean()))
    return ImageDigits(np.array([detected(f[inside], f[outside]) for f in found]), np.array([*bits, np.nan]))


def dense_flow(n_steps: int = 600, random_state: int = 0) -> ImageFlow:
    """A flow whose networks see all the pixels that they read, half of them in turn.

    A twentieth of the pixels of each batch is replaced by uniform ones, so that it does not learn a few hundred
    pictures by heart.
    """
    return ImageFlow(
        network="dense", equal_size=False, mask="checkerboard", hidden_channels=64, n_scales=1, corruption=0.05,
        n_steps=n_steps, random_state=random_state,
    )  # fmt: skip


def draw_image_digits(result: ImageDigits, dark: bool = False, height: int = 420) -> go.Figure:
    """A bar of AUROC for each model."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "AUROC of −log p, digits 5 to 9 outside", "model")
    text = [
        fixed(auroc, 3) + ("" if np.isnan(bits) else f", {fixed(bits, 2)} bits")
        for auroc, bits in zip(result.auroc, result.bits, strict=True)
    ]
    fig.add_bar(
        x=result.auroc, y=list(MODELS.values()), orientation="h", marker={"color": c.model}, text=text,
        textposition="auto", hovertemplate="%{y}: %{x:.3f}<extra></extra>",
    )  # fmt: skip
    fig.update_yaxes(autorange="reversed")
    return fig.update_xaxes(range=[0.5, 1])


EXHIBITS = (Exhibit("image_digits", (), image_digits, draw_image_digits, rows=(58, 71, 79), is_slow=True),)
