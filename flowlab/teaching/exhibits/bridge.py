"""The bridge between the moons, over one Gaussian and over two."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import plotly.graph_objects as go
from scipy import ndimage

from flowlab.controls import Choice, Float
from flowlab.formatting import fixed
from flowlab.models.flows.mixture_base import TwoGaussianFlow
from flowlab.plots import theme
from flowlab.teaching.exhibit import Exhibit
from flowlab.teaching.exhibits.moons import MOONS, N_LAYERS, plane, trained

GRID = 110
N_STEPS = 1200
LOWEST = -14.0
ENDS = np.array([[0.0, 1.0], [1.0, -0.5]])
"""The middle of each moon."""


@dataclass(frozen=True, eq=False)
class Bridge:
    """A density, and how deep every way from one moon to the other must go.

    Attributes
    ----------
    x, y : (n,) the window
    log_density : (n, n) nats
    height : of the best way's lowest point on this grid, log p in nats
    truth, other : the same of the exact density, and of the flow over one normal
    base : "one", "two" or "truth": whose density it is
    """

    x: np.ndarray
    y: np.ndarray
    log_density: np.ndarray
    height: float
    truth: float
    other: float
    base: str

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        if self.base == "truth":
            return f"The exact density: the best way between the moons goes down to {fixed(self.height)} nats."
        if self.base == "one":
            return (
                f"Over one Gaussian the moons stay joined: the best way between them goes down to {fixed(self.height)} "
                f"nats, where the exact density goes down to {fixed(self.truth)}."
            )
        verdict = "gone down" if self.height < self.other else "not gone"
        return (
            f"Over two Gaussians the bridge has {verdict}: the best way between the moons goes down to "
            f"{fixed(self.height)} nats; over one it is {fixed(self.other)}."
        )


def lowest_on_best_way(log_density: np.ndarray, start: tuple[int, int], end: tuple[int, int]) -> float:
    """Highest level at which two cells of a grid (n, m) lie in one piece: no way between them stays above it.

    >>> lowest_on_best_way(np.array([[3.0, 1.0, 3.0], [0.0, 2.0, 0.0]]), (0, 0), (0, 2))
    1.0
    """
    levels = np.unique(log_density[log_density <= min(log_density[start], log_density[end])])
    low, high = 0, len(levels) - 1
    while low < high:
        middle = (low + high + 1) // 2
        pieces = ndimage.label(log_density >= levels[middle])[0]
        low, high = (middle, high) if pieces[start] == pieces[end] else (low, middle - 1)
    return float(levels[low])


@lru_cache(maxsize=4)
def _two_gaussians(distance: float) -> TwoGaussianFlow:
    flow = TwoGaussianFlow(N_LAYERS, 24, distance=distance, n_steps=N_STEPS, regularize="none", random_state=0)
    for _ in flow.fit_iter(trained(N_STEPS).X):
        pass
    return flow


def bridge(base: str = "one", distance: float = 10.0) -> Bridge:
    """The density of the moons' flow over one normal, over two `distance` apart, or the exact one."""
    x, y, points = plane(GRID)
    cells = [(int(np.abs(y - end[1]).argmin()), int(np.abs(x - end[0]).argmin())) for end in ENDS]
    one = trained(N_STEPS).flow.score_samples(points)
    exact = MOONS.log_density(points)
    shown = {"one": one, "truth": exact}.get(base)
    if shown is None:
        shown = _two_gaussians(distance).score_samples(points)
    height, truth, other = (lowest_on_best_way(each.reshape(GRID, GRID), *cells) for each in (shown, exact, one))
    return Bridge(x, y, shown.reshape(GRID, GRID), height, truth, other, base)


def draw_bridge(result: Bridge, dark: bool = False, height: int = 420) -> go.Figure:
    """The density, the line at the height of the bridge, and the ends of the way."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "x1", "x2", square=True)
    fig.add_heatmap(
        x=result.x, y=result.y, z=result.log_density.clip(LOWEST), zmin=LOWEST, zmax=1.0,
        colorscale=theme.colorscale(c.sequential), colorbar={"title": {"text": "log p(x)<br>(nats)"}},
        hovertemplate="x1 %{x:.2f}<br>x2 %{y:.2f}<br>log p %{z:.2f}<extra></extra>",
    )  # fmt: skip
    fig.add_contour(
        x=result.x, y=result.y, z=result.log_density, showscale=False, hoverinfo="skip", line={"color": c.anomaly},
        contours={"start": result.height, "end": result.height, "size": 1, "coloring": "lines"},
        colorscale=[[0, c.anomaly], [1, c.anomaly]],
    )  # fmt: skip
    fig.add_scatter(
        x=ENDS[:, 0], y=ENDS[:, 1], mode="markers", hoverinfo="skip",
        marker={"symbol": "cross", "size": 12, "color": c.anomaly},
    )  # fmt: skip
    return fig.update_layout(showlegend=False)


EXHIBITS = (
    Exhibit(
        "bridge",
        (
            Choice(
                "base", "Density", {"one": "flow, one Gaussian", "two": "flow, two Gaussians", "truth": "exact"},
                help="What the latent points are drawn from, or the truth",
            ),
            Float("distance", "Distance of the two", 0, 10, 1, help="In standard deviations; 0 is one Gaussian"),
        ),
        bridge,
        draw_bridge,
        rows=(34, 35),
        is_slow=True,
    ),
)  # fmt: skip
