"""The change of variables in one dimension: a Gaussian that is shifted and stretched."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from scipy.stats import norm

from flowlab.controls import Float, Int
from flowlab.formatting import fixed
from flowlab.plots import theme
from flowlab.teaching.exhibit import Exhibit

GRID = 241
REACH = 6.0
"""Both axes run from minus to plus this."""


@dataclass(frozen=True, eq=False)
class AffineMap:
    """x = mu + sigma z for standard normal z, and cells of equal mass on both sides.

    Attributes
    ----------
    mu, sigma : shift and stretch; with sigma = 0 there is no density of x
    z, z_density, x, x_density : (m,) both densities on grids
    z_edges, x_edges : (n_cells + 1,) ends of the cells
    """

    mu: float
    sigma: float
    z: np.ndarray
    z_density: np.ndarray
    x: np.ndarray
    x_density: np.ndarray
    z_edges: np.ndarray
    x_edges: np.ndarray

    @property
    def cell_mass(self) -> float:
        """Probability of each cell, on either side."""
        return 1 / (len(self.z_edges) - 1)

    @property
    def area(self) -> float:
        """Area under the density of x, by the trapezoidal rule."""
        return float(np.trapezoid(self.x_density, self.x)) if self.sigma else 1.0

    @property
    def peak(self) -> float:
        """Highest density of x."""
        return float(self.x_density.max()) if self.sigma else np.inf

    @property
    def log_stretch(self) -> float:
        """log |dx/dz| in nats."""
        return float(np.log(self.sigma)) if self.sigma else -np.inf

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        if not self.sigma:
            return "With sigma 0 all mass falls on one point: the map has no inverse, and x has no density."
        verb = "stretches" if self.sigma > 1 else "shrinks" if self.sigma < 1 else "keeps"
        return (
            f"Every cell holds {fixed(100 * self.cell_mass, 1)} % of the mass on both sides. The map {verb} widths by "
            f"{fixed(self.sigma, 2)}, so the density is divided by {fixed(self.sigma, 2)}: its peak is "
            f"{fixed(self.peak, 3)} instead of {fixed(norm.pdf(0), 3)}."
        )


def affine_map(mu: float = 1.0, sigma: float = 0.5, n_cells: int = 8) -> AffineMap:
    """The density of x = mu + sigma z by the change of variables, p(x) = p(z) / sigma at z = (x - mu) / sigma."""
    z = np.linspace(-REACH, REACH, GRID)
    spread = max(REACH, abs(mu) + REACH * sigma)
    x = np.linspace(-spread, spread, 4 * GRID)
    x_density = norm.pdf((x - mu) / sigma) / sigma if sigma else np.zeros_like(x)
    z_edges = norm.ppf(np.linspace(0, 1, n_cells + 1)).clip(-REACH, REACH)
    return AffineMap(mu, sigma, z, norm.pdf(z), x, x_density, z_edges, mu + sigma * z_edges)


def draw_affine_map(result: AffineMap, dark: bool = False, height: int = 420) -> go.Figure:
    """Base density below, its image above, and lines that join the ends of the cells."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, x_title="z (base) and x (data)")
    top = max(0.9, result.peak * 1.08) if result.sigma else 1.2
    fig.add_scatter(
        x=result.x, y=result.x_density, yaxis="y2", mode="lines", line={"color": c.model}, fill="tozeroy",
        fillcolor=theme.translucent(c.model, 0.15), hovertemplate="x %{x:.2f}<br>p(x) %{y:.3f}<extra></extra>",
    )  # fmt: skip
    fig.add_scatter(
        x=result.z, y=result.z_density, mode="lines", line={"color": c.data}, fill="tozeroy",
        fillcolor=theme.translucent(c.data, 0.15), hovertemplate="z %{x:.2f}<br>p(z) %{y:.3f}<extra></extra>",
    )  # fmt: skip
    shapes = [
        {
            "type": "line", "xref": "x", "yref": "paper", "x0": z, "x1": x, "y0": 0.42, "y1": 0.58,
            "line": {"color": c.muted, "width": 1},
        }
        for z, x in zip(result.z_edges, result.x_edges, strict=True)
    ]  # fmt: skip
    fig.update_layout(
        shapes=shapes,
        showlegend=False,
        xaxis={"range": [-REACH, REACH]},
        yaxis={"domain": [0, 0.42], "title": {"text": "p(z)"}, "range": [0.45, 0]},
        yaxis2={"domain": [0.58, 1], "title": {"text": "p(x)"}, "range": [0, top]},
    )
    return fig


AFFINE = Exhibit(
    "affine",
    (
        Float("mu", "Shift mu", -3, 3, 0.1, help="Added to sigma z"),
        Float("sigma", "Stretch sigma", 0, 3, 0.05, help="Multiplies z; 0 has no inverse"),
        Int("n_cells", "Cells of equal mass", 2, 20, help="Each holds the same share of the rows on both sides"),
    ),
    affine_map,
    draw_affine_map,
    rows=(82, 83),
)

EXHIBITS = (AFFINE,)
