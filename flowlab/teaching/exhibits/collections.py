"""The log-likelihood of a collection of rows: the sum of their log-densities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from flowlab.controls import Int
from flowlab.formatting import fixed
from flowlab.plots import theme
from flowlab.teaching.exhibit import Exhibit
from flowlab.teaching.exhibits.moons import MOONS


@dataclass(frozen=True, eq=False)
class Collections:
    """Two collections of rows under the exact density of the moons, and their union.

    Attributes
    ----------
    moons, spread : (n, 2), (m, 2) draws from the moons; draws spread evenly over the window
    log_moons, log_spread : (n,), (m,) log p of each row, nats
    log_union : log-likelihood of all rows as one collection
    """

    moons: np.ndarray
    spread: np.ndarray
    log_moons: np.ndarray
    log_spread: np.ndarray
    log_union: float

    @property
    def sum_moons(self) -> float:
        """Log-likelihood of the first."""
        return float(self.log_moons.sum())

    @property
    def sum_spread(self) -> float:
        """Log-likelihood of the second."""
        return float(self.log_spread.sum())

    @property
    def difference(self) -> float:
        """Of the union from the sum of the two, nats."""
        return abs(self.log_union - self.sum_moons - self.sum_spread)

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"The {len(self.moons)} rows of the moons: {fixed(self.sum_moons, 1)} nats. {len(self.spread)} rows spread "
            f"over the window: {fixed(self.sum_spread, 1)} nats. Together: {fixed(self.log_union, 1)} nats, their sum."
        )


def collections(n_moons: int = 20, n_spread: int = 5) -> Collections:
    """Log-likelihoods of independent rows: the sum of their log-densities."""
    x0, x1, y0, y1 = MOONS.window()
    moons = MOONS.sample(n_moons, 3)
    spread = np.random.default_rng(4).uniform([x0, y0], [x1, y1], (n_spread, 2))
    log_moons, log_spread = (MOONS.log_density(rows) if len(rows) else np.zeros(0) for rows in (moons, spread))
    union = MOONS.log_density(np.vstack([moons, spread])).sum() if n_moons + n_spread else 0.0
    return Collections(moons, spread, log_moons, log_spread, float(union))


def draw_collections(result: Collections, dark: bool = False, height: int = 420) -> go.Figure:
    """Log p of every row, stacked into the running sum."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "rows so far", "log-likelihood so far (nats)")
    start, done = 0.0, 0
    for values, name, color, symbol in (
        (result.log_moons, "moons", c.truth, "circle"),
        (result.log_spread, "spread", c.anomaly, "x"),
    ):
        total = start + np.concatenate([[0.0], np.cumsum(values)])
        fig.add_scatter(
            x=done + np.arange(len(total)), y=total, mode="lines+markers", line={"color": color, "width": 3},
            marker={"symbol": symbol, "size": 7}, hovertemplate=f"{name}<br>row %{{x}}: %{{y:.2f}} nats<extra></extra>",
        )  # fmt: skip
        if len(values):
            theme.write_at(fig, done + len(values), float(total[-1]), f"{name} ", color)
        start, done = float(total[-1]), done + len(values)
    return fig.update_layout(showlegend=False)


EXHIBITS = (
    Exhibit(
        "collections",
        (
            Int("n_moons", "Rows of the moons", 0, 60, help="Drawn from the exact density"),
            Int("n_spread", "Rows spread evenly", 0, 60, help="Drawn from the whole window"),
        ),
        collections,
        draw_collections,
        rows=(119,),
    ),
)  # fmt: skip
