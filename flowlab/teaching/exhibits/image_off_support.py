"""Where there are no rows, the density is the network's own: two flows of equal loss that disagree off the support."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import plotly.graph_objects as go

from flowlab.controls import Choice
from flowlab.formatting import fixed
from flowlab.models.flows.engine_flow import EngineFlow
from flowlab.models.flows.families import AffineCouplingFlow, SplineCouplingFlow
from flowlab.plots import panels, theme
from flowlab.ranking import spearman_matrix
from flowlab.teaching.exhibit import Exhibit
from flowlab.teaching.exhibits.moons import MOONS, N_ROWS

WINDOW = (-4.0, 5.0, -4.0, 4.5)
N_GRID = 60
LOWEST = -60.0
RARE = 0.001
"""The support is where the exact density is above that of all but this share of the rows."""
SECOND = {"spline": "a spline flow", "seed": "the same net, another seed"}


@lru_cache(maxsize=3)
def _flow(name: str) -> EngineFlow:
    """A flow of the half moons, without regularisation."""
    X = MOONS.sample(N_ROWS, 0)
    if name == "spline":
        return SplineCouplingFlow(4, n_steps=300, regularize="none").fit(X)
    seed = 1 if name == "affine" else 2
    return AffineCouplingFlow(6, 48, n_steps=800, regularize="none", random_state=seed).fit(X)


@dataclass(frozen=True, eq=False)
class OffSupport:
    """Two log-densities over the plane.

    Attributes
    ----------
    x, y : (n,) of the grid
    first, second : (n, n) log-densities in nats
    is_support : (n, n) where rows lie
    names : in words
    first_loss, second_loss : negative log-likelihood of new rows, in nats
    on_support, off_support : rank correlation of the two log-densities where rows lie, and where none do
    """

    x: np.ndarray
    y: np.ndarray
    first: np.ndarray
    second: np.ndarray
    is_support: np.ndarray
    names: tuple[str, str]
    first_loss: float
    second_loss: float
    on_support: float
    off_support: float

    @property
    def gap(self) -> float:
        """Difference of the losses, in nats."""
        return abs(self.first_loss - self.second_loss)

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"On new rows the losses differ by {fixed(self.gap, 3)} nats. Where rows lie the two densities rank places "
            f"alike (rank correlation {fixed(self.on_support, 2)}); where none do, {fixed(self.off_support, 2)}."
        )


def off_support(second: str = "spline") -> OffSupport:
    """An affine coupling flow and another, both of half moons."""
    x, y = np.linspace(*WINDOW[:2], N_GRID), np.linspace(*WINDOW[2:], N_GRID)
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    X_new = MOONS.sample(2000, 1)
    flows = _flow("affine"), _flow(second)
    maps = [flow.score_samples(points) for flow in flows]
    losses = [-float(flow.score_samples(X_new).mean()) for flow in flows]
    lies = MOONS.log_density(points) > np.quantile(MOONS.log_density(X_new), RARE)
    both = np.column_stack(maps)
    alike = [float(spearman_matrix(both[where])[0, 1]) for where in (lies, ~lies)]
    square = (N_GRID, N_GRID)
    return OffSupport(
        x, y, maps[0].reshape(square), maps[1].reshape(square), lies.reshape(square),
        ("affine couplings", SECOND[second]), *losses, *alike,
    )  # fmt: skip


def draw_off_support(result: OffSupport, dark: bool = False, height: int = 420) -> go.Figure:
    """Both log-densities on one scale, with the support outlined."""
    c = theme.colors(dark)
    fig = panels.panels(list(result.names), ("x1", "x2"), dark, height, WINDOW)
    top = max(float(result.first.max()), float(result.second.max()))
    for i, log_density in enumerate((result.first, result.second)):
        fig.add_heatmap(
            x=result.x, y=result.y, z=np.clip(log_density, LOWEST, top), zmin=LOWEST, zmax=top,
            colorscale=theme.colorscale(c.sequential), showscale=i == 1, colorbar=panels.colorbar("log p (nats)"),
            hovertemplate="x1 %{x:.2f}<br>x2 %{y:.2f}<br>%{z:.1f} nats<extra></extra>", **panels.on(i),
        )  # fmt: skip
        fig.add_contour(
            x=result.x, y=result.y, z=result.is_support.astype(float), showscale=False, hoverinfo="skip",
            contours={"start": 0.5, "end": 0.5, "coloring": "none"}, line={"color": c.threshold, "width": 1.5},
            showlegend=False, **panels.on(i),
        )  # fmt: skip
    return fig


EXHIBITS = (
    Exhibit(
        "off_support",
        (Choice("second", "Beside it", SECOND, help="Trained on the same rows"),),
        off_support,
        draw_off_support,
        rows=(53,),
        is_slow=True,
    ),
)
