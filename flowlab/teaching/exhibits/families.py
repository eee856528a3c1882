"""The families of flows as cards: what each does in a paragraph, and what it has learned of the moons in a moment."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import plotly.graph_objects as go

from flowlab import catalog
from flowlab.controls import Choice
from flowlab.formatting import count, fixed
from flowlab.plots import theme
from flowlab.records import Spec
from flowlab.teaching.exhibit import Exhibit
from flowlab.teaching.exhibits.moons import MOONS, plane

LOWEST = -12.0


@dataclass(frozen=True)
class Card:
    """One family: its name, a paragraph, and the catalog's model that trains it."""

    label: str
    text: str
    model: Spec


CARDS = {
    "nice": Card(
        "NICE",
        "NICE (2015) couples by shifts alone: half of the columns are moved by a function of the other half. Every "
        "layer keeps volumes, so the density can be bent but nowhere be made higher.",
        Spec("affine", {"scale_map": "additive", "n_layers": 8, "hidden_features": 24, "n_steps": 400}),
    ),
    "realnvp": Card(
        "RealNVP",
        "RealNVP (2017) also scales: y = x exp(s) + t, with s and t functions of the half that stays. The sum of s is "
        "the log-determinant, and the inverse costs the same one pass.",
        Spec("affine", {"n_layers": 8, "hidden_features": 24, "n_steps": 400}),
    ),
    "glow": Card(
        "Glow",
        "Glow (2018) puts a learned normalisation and an invertible linear map of all columns before each coupling, "
        "instead of exchanging halves. On images the linear map is a 1 x 1 convolution.",
        Spec("glow", {"n_layers": 5, "hidden_features": 24, "n_steps": 400, "learning_rate": 5e-3}),
    ),
    "maf": Card(
        "MAF",
        "The masked autoregressive flow (2017) scales and shifts each column by functions of all before it. A density "
        "takes one pass; with the usual inverse a sample takes one pass for each column.",
        Spec("maf", {"hidden_features": 32, "n_steps": 400}),
    ),
    "planar": Card(
        "Planar",
        "A planar layer (2015) pushes points across one line: x + u tanh(w x + b). Its determinant is cheap, but each "
        "layer can do little, and its inverse has no formula.",
        Spec("planar", {"n_steps": 400}),
    ),
}
"""By key, oldest idea first."""


@dataclass(frozen=True, eq=False)
class Family:
    """A family's density of the moons after a short training.

    Attributes
    ----------
    card : what it is
    x, y : (n,) the window
    log_density : (n, n) nats
    gap : nats above the exact density on new rows
    n_parameters : how many numbers were trained
    n_steps : of training
    """

    card: Card
    x: np.ndarray
    y: np.ndarray
    log_density: np.ndarray
    gap: float
    n_parameters: int
    n_steps: int

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"{self.card.text} After {count(self.n_steps)} steps its {count(self.n_parameters)} parameters are "
            f"{fixed(self.gap)} nats above the truth."
        )


@lru_cache(maxsize=8)
def family(name: str = "realnvp") -> Family:
    """A member of the catalog trained for 400 steps on 2 000 rows of the moons."""
    card = CARDS[name]
    model = catalog.make_model(card.model)
    rows, new = MOONS.sample(2000, 0), MOONS.sample(2000, 1)
    for _ in model.fit_iter(rows):
        pass
    x, y, points = plane()
    gap = float((MOONS.log_density(new) - model.score_samples(new)).mean())
    log_density = model.score_samples(points).reshape(len(y), len(x))
    return Family(card, x, y, log_density, gap, len(model.get_state()["parameters"]), model.n_steps)


def draw_family(result: Family, dark: bool = False, height: int = 420) -> go.Figure:
    """The density as a heat map."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "x1", "x2", square=True)
    fig.add_heatmap(
        x=result.x, y=result.y, z=result.log_density.clip(LOWEST), zmin=LOWEST, zmax=1.0,
        colorscale=theme.colorscale(c.sequential), colorbar={"title": {"text": "log p(x)<br>(nats)"}},
        hovertemplate="x1 %{x:.2f}<br>x2 %{y:.2f}<br>log p %{z:.2f}<extra></extra>",
    )  # fmt: skip
    return fig


EXHIBITS = (
    Exhibit(
        "families",
        (Choice("name", "Family", {key: card.label for key, card in CARDS.items()}, help="What is trained"),),
        family,
        draw_family,
        rows=(8,),
        is_slow=True,
    ),
)
