"""A flow that is given an energy and no rows: it draws, and is told of each draw how high that lies."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import plotly.graph_objects as go

from flowlab.controls import Choice, Int
from flowlab.formatting import count, fixed
from flowlab.models.flows.energy_fit import energy, fit_energy
from flowlab.plots import theme
from flowlab.plots.panels import color_steps
from flowlab.teaching.exhibit import Exhibit

SIDE, N_GRID = 5.0, 161
FORMS = {"ring": "A ring with two heavy ends", "wave": "A wave", "split": "A wave that splits", "fork": "A forked wave"}


@dataclass(frozen=True, eq=False)
class EnergyFit:
    """What a flow makes of an energy.

    Attributes
    ----------
    x : (n,) the grid, across and up
    density : (n, n) exp(-U) / Z, row 0 lowest
    draws : (m, 2) of the flow at the end
    steps, divergence : (k,) KL(q || exp(-U) / Z) in nats over the steps, the first before training
    kind, n_layers : of the flow
    """

    x: np.ndarray
    density: np.ndarray
    draws: np.ndarray
    steps: np.ndarray
    divergence: np.ndarray
    kind: str
    n_layers: int

    @property
    def before(self) -> float:
        """The divergence before training, in nats."""
        return float(self.divergence[0])

    @property
    def after(self) -> float:
        """The divergence at the end, in nats."""
        return float(self.divergence[-1])

    @property
    def share_right(self) -> float:
        """Share of the draws to the right of 0."""
        return float((self.draws[:, 0] > 0).mean())

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"{count(self.n_layers)} {self.kind} layers and no row of data: the divergence from q to exp(−U) falls "
            f"from {fixed(self.before)} to {fixed(self.after)} nats in {count(int(self.steps[-1]))} steps."
        )


@lru_cache(maxsize=16)
def fitted(form: str = "wave", kind: str = "planar", n_layers: int = 16, n_steps: int = 600) -> EnergyFit:
    """A flow fitted to one of four energies by the reverse divergence."""
    x = np.linspace(-SIDE, SIDE, N_GRID)
    cell = (x[1] - x[0]) ** 2
    weight = np.exp(-energy(form, np.stack(np.meshgrid(x, x), axis=-1).reshape(-1, 2)))
    log_integral = float(np.log(weight.sum() * cell))
    told = list(fit_energy(form, kind, n_layers, n_steps))
    steps, values, draws = zip(*told)
    density = (weight / (weight.sum() * cell)).reshape(N_GRID, N_GRID)
    return EnergyFit(x, density, draws[-1], np.array(steps), np.array(values) + log_integral, kind, n_layers)


def draw(result: EnergyFit, dark: bool, height: int) -> go.Figure:
    """The density that is meant, the flow's draws over it, and the divergence over the steps."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height)
    for panel in ("", "2"):
        fig.add_heatmap(
            x=result.x, y=result.x, z=result.density, colorscale=color_steps(c.sequential), showscale=False,
            opacity=0.35 if panel else 1.0, xaxis=f"x{panel}", yaxis=f"y{panel}",
            hovertemplate="%{x:.2f}, %{y:.2f}<br>density %{z:.3f}<extra>exp(−U) / Z</extra>",
        )  # fmt: skip
    fig.add_scatter(
        x=result.draws[:, 0], y=result.draws[:, 1], mode="markers", xaxis="x2", yaxis="y2",
        marker={"size": 3, "color": c.model, "opacity": 0.5}, hoverinfo="skip",
    )  # fmt: skip
    fig.add_scatter(
        x=result.steps, y=result.divergence, mode="lines", line={"color": c.model, "width": 2}, xaxis="x3", yaxis="y3",
        hovertemplate="step %{x}<br>%{y:.3f} nats<extra></extra>",
    )  # fmt: skip
    square = {"range": [-SIDE, SIDE], "constrain": "domain"}
    across = {"text": "x1", "standoff": 0}
    upper = {"domain": [0.46, 1], "nticks": 5}
    title = {"xref": "paper", "yref": "paper", "showarrow": False, "xanchor": "left", "yanchor": "bottom", "y": 1.0}
    fig.update_layout(
        showlegend=False,
        margin={"t": 30},
        xaxis=square | {"domain": [0, 0.47], "constraintoward": "left", "title": across},
        yaxis=square | upper | {"scaleanchor": "x", "title": {"text": "x2"}},
        xaxis2=square | {"domain": [0.53, 1], "anchor": "y2", "constraintoward": "left", "title": across},
        yaxis2=square | upper | {"scaleanchor": "x2", "anchor": "x2"},
        xaxis3={"anchor": "y3", "title": {"text": "step"}, "nticks": 7},
        yaxis3={
            "anchor": "x3", "domain": [0, 0.24], "type": "log", "title": {"text": "KL (nats)"},
            "tickvals": [0.03, 0.1, 0.3, 1, 3, 10, 30],
        },
        annotations=[
            {**title, "x": 0, "text": "exp(−U) / Z"},
            {**title, "x": 0.53, "text": "draws of the flow"},
        ],
    )  # fmt: skip
    return fig


EXHIBITS = (
    Exhibit(
        "energy_fit",
        (
            Choice("form", "Energy", FORMS, help="From table 1 of Rezende and Mohamed (2015)"),
            Choice("kind", "Layers", {"planar": "Planar", "radial": "Radial"}),
            Int("n_layers", "How many", 1, 32),
            Int("n_steps", "Steps", 50, 2000, 50),
        ),
        fitted,
        draw,
        rows=(50,),
        is_slow=True,
    ),
)
