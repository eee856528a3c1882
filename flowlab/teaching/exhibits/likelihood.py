"""Maximum likelihood in one dimension: what the loss sees of x = mu + sigma z, and the loss over all mu and sigma."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from flowlab.controls import Choice, Flag, Float, Int
from flowlab.formatting import fixed, plural
from flowlab.plots import theme
from flowlab.teaching.exhibit import Exhibit
from flowlab.toys.base import LOG_2PI

TRUE_MU, TRUE_SIGMA = 1.0, 0.5
N_GRID = 100
GRID_MU, GRID_SIGMA = np.linspace(0, 2, N_GRID), np.linspace(0.1, 1.5, N_GRID)
"""Nodes of the grid search; neither 1.0 nor 0.5 is one."""
N_STEPS = 1000


def rows_of(n_rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Standard normal z and x = 1 + 0.5 z, each (n_rows,)."""
    z = np.random.default_rng(seed).normal(size=n_rows)
    return z, TRUE_MU + TRUE_SIGMA * z


def mean_loss(x: np.ndarray, mu: float, sigma: float) -> float:
    """Mean negative log-likelihood of rows x under N(mu, sigma) in nats.

    >>> round(mean_loss(np.array([-1.0, 1.0]), 0.0, 1.0), 4)
    1.4189
    """
    return float(np.mean((x - mu) ** 2) / (2 * sigma**2) + np.log(sigma) + LOG_2PI / 2)


@dataclass(frozen=True, eq=False)
class LossSurface:
    """The mean negative log-likelihood over all mu and sigma, and four places on it.

    Attributes
    ----------
    n_rows : that were drawn from N(1, 0.5)
    mu, sigma : (100,) nodes of the grid
    loss : (100, 100) nats, sigma by rows
    mean, sd : of the rows, which are the exact optimum
    grid_mu, grid_sigma : the best node
    path : (n_steps + 1, 2) mu and sigma on the way of the descent
    loss_true, loss_exact, loss_grid, loss_start, loss_end : nats there
    """

    n_rows: int
    mu: np.ndarray
    sigma: np.ndarray
    loss: np.ndarray
    mean: float
    sd: float
    grid_mu: float
    grid_sigma: float
    path: np.ndarray
    loss_true: float
    loss_exact: float
    loss_grid: float
    loss_start: float
    loss_end: float

    @property
    def grid_above_truth(self) -> float:
        """Loss of the best node less that of the truth, nats for all rows together."""
        return (self.loss_grid - self.loss_true) * self.n_rows

    @property
    def exact_below_truth(self) -> float:
        """Loss of the truth less that of the exact optimum, nats for all rows together; never negative."""
        return (self.loss_true - self.loss_exact) * self.n_rows

    @property
    def end_above_exact(self) -> float:
        """Loss at the end of the descent less that of the exact optimum, nats a row."""
        return self.loss_end - self.loss_exact

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        side = "above" if self.grid_above_truth > 0 else "below"
        reached = "reaches it" if self.end_above_exact < 1e-3 else f"ends {fixed(self.end_above_exact, 3)} nats above"
        if not self.sd:
            return (
                "One row: sigma can shrink without end and the loss with it, so there is no optimum. "
                f"The best node of the grid has sigma {fixed(self.grid_sigma, 2)}."
            )
        return (
            f"For {plural(self.n_rows, 'row')} the exact optimum is mean {fixed(self.mean, 3)} and standard deviation "
            f"{fixed(self.sd, 3)}; the descent {reached}. Summed over the rows the truth is "
            f"{fixed(self.exact_below_truth, 3)} nats above it, and the best node "
            f"{fixed(abs(self.grid_above_truth), 3)} nats {side} the truth."
        )


def loss_surface(mu: float = 0.2, sigma: float = 1.2, rate: float = 0.05, n_rows: int = 10_000) -> LossSurface:
    """The loss of rows of N(1, 0.5) on a grid, and Adam's way from (mu, sigma) in mu and log sigma."""
    _, x = rows_of(n_rows, 0)
    mean, variance = float(x.mean()), float(x.var())
    squares = variance + (mean - GRID_MU) ** 2
    loss = squares[None] / (2 * GRID_SIGMA[:, None] ** 2) + np.log(GRID_SIGMA)[:, None] + LOG_2PI / 2
    row, column = np.unravel_index(loss.argmin(), loss.shape)
    path = descent(mean, variance, mu, sigma, rate)
    sd = float(np.sqrt(variance))
    return LossSurface(
        n_rows, GRID_MU, GRID_SIGMA, loss, mean, sd, float(GRID_MU[column]), float(GRID_SIGMA[row]), path,
        mean_loss(x, TRUE_MU, TRUE_SIGMA), mean_loss(x, mean, sd) if sd else -np.inf, float(loss.min()),
        mean_loss(x, mu, sigma), mean_loss(x, *path[-1]),
    )  # fmt: skip


def descent(mean: float, variance: float, mu: float, sigma: float, rate: float) -> np.ndarray:
    """(N_STEPS + 1, 2) mu and sigma on the way of Adam (Kingma and Ba 2015) in mu and log sigma."""
    at, path = [mu, math.log(sigma)], [(mu, sigma)]
    first, second = [0.0, 0.0], [0.0, 0.0]
    for step in range(1, N_STEPS + 1):
        s2 = math.exp(2 * at[1])
        for i, slope in enumerate(((at[0] - mean) / s2, 1 - (variance + (at[0] - mean) ** 2) / s2)):
            first[i] = 0.9 * first[i] + 0.1 * slope
            second[i] = 0.999 * second[i] + 0.001 * slope**2
            at[i] -= rate * (first[i] / (1 - 0.9**step)) / (math.sqrt(second[i] / (1 - 0.999**step)) + 1e-8)
        at[1] = max(at[1], -8.0)  # a single row has no best sigma: the way would never end
        path.append((at[0], math.exp(at[1])))
    return np.array(path)


def draw_loss_surface(result: LossSurface, dark: bool = False, height: int = 420) -> go.Figure:
    """The whole surface with the descent at the left, the neighbourhood of the optimum at the right."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height)
    above = np.log10(result.loss - result.loss.min() + 1e-3)
    scale = theme.colorscale(tuple(reversed(c.sequential)))
    ticks = [-3, -2, -1, 0, 1]
    fig.add_heatmap(
        x=result.mu, y=result.sigma, z=above, colorscale=scale, hoverinfo="skip",
        zmin=-3, zmax=1.5,
        colorbar={
            "tickvals": ticks, "ticktext": [f"+{10.0**t:g}" for t in ticks], "thickness": 12, "x": 0.53, "xpad": 2,
        },
    )  # fmt: skip
    every = slice(1, None, 3)
    nodes = np.array([[m, s] for s in result.sigma[every] for m in result.mu[every]])
    fig.add_scatter(
        x=nodes[:, 0], y=nodes[:, 1], mode="markers", marker={"size": 9, "opacity": 0}, name="start here",
        hovertemplate="mu %{x:.2f}, sigma %{y:.2f}<br>click: start here<extra></extra>",
    )  # fmt: skip
    spots = [
        ("truth", TRUE_MU, TRUE_SIGMA, c.truth, "cross"),
        ("exact", result.mean, result.sd, c.model, "diamond"),
        ("best node", result.grid_mu, result.grid_sigma, c.anomaly, "square"),
    ]
    xs, ys = np.array([s[1] for s in spots]), np.array([s[2] for s in spots])
    half = 1.8 * max(np.ptp(xs), np.ptp(ys), 0.012)
    zoom = (xs.max() + xs.min()) / 2, (ys.max() + ys.min()) / 2
    near = [(m, s) for s in result.sigma for m in result.mu if abs(m - zoom[0]) < half and abs(s - zoom[1]) < half]
    fig.add_scatter(
        x=[m for m, _ in near], y=[s for _, s in near], xaxis="x2", yaxis="y2", mode="markers", hoverinfo="skip",
        marker={"size": 6, "color": c.muted, "symbol": "circle-open"},
    )  # fmt: skip
    for axes in ({}, {"xaxis": "x2", "yaxis": "y2"}):
        fig.add_scatter(
            x=result.path[:, 0], y=result.path[:, 1], mode="lines", line={"color": c.second, "width": 3},
            hovertemplate="descent: mu %{x:.3f}, sigma %{y:.3f}<extra></extra>", **axes,
        )  # fmt: skip
    fig.add_scatter(
        x=[result.path[0, 0]], y=[result.path[0, 1]], mode="markers+text", text=["start"], textposition="top center",
        marker={"size": 11, "color": c.second}, hoverinfo="skip",
    )  # fmt: skip
    for name, x, y, color, symbol in spots:
        fig.add_scatter(
            x=[x], y=[y], mode="markers", hoverinfo="skip",
            marker={"size": 11, "color": color, "symbol": symbol, "line": {"color": c.background, "width": 1}},
        )  # fmt: skip
        fig.add_scatter(
            x=[x], y=[y], xaxis="x2", yaxis="y2", mode="markers+text", text=[name],
            textposition="top center" if y == ys.max() else "middle right" if name == "exact" else "bottom center",
            marker={"size": 13, "color": color, "symbol": symbol}, textfont={"color": color}, cliponaxis=False,
            hovertemplate=f"{name}<br>mu %{{x:.4f}}, sigma %{{y:.4f}}<extra></extra>",
        )  # fmt: skip
    fig.update_layout(
        showlegend=False,
        xaxis={"domain": [0, 0.52], "range": [0, 2], "title": {"text": "mu (colour: nats)"}},
        yaxis={"range": [0.1, 1.5], "title": {"text": "sigma"}},
        xaxis2={
            "domain": [0.75, 1], "range": [zoom[0] - half, zoom[0] + half], "anchor": "y2", "nticks": 3,
            "title": {"text": "mu, enlarged"},
        },
        yaxis2={"range": [zoom[1] - half, zoom[1] + half], "anchor": "x2", "nticks": 4},
    )  # fmt: skip
    return fig


SURFACE = Exhibit(
    "loss_surface",
    (
        Float("mu", "Start mu", 0, 2, 0.02, help="Where the descent starts: click the picture or set it here"),
        Float(
            "sigma", "Start sigma", 0.1, 1.5, 0.02, help="Where the descent starts: click the picture or set it here"
        ),
        Float("rate", "Learning rate", 0.01, 0.5, 0.01, help="Of Adam, in mu and log sigma"),
        Int("n_rows", "Rows", 1, 20_000, log=True, help="Drawn from a Gaussian with mean 1 and standard deviation 0.5"),
    ),
    loss_surface,
    draw_loss_surface,
    rows=(85,),
    picks=("mu", "sigma"),
)

STORIES = {"rising": "x = 1 + 0.5 z", "falling": "x = 1 − 0.5 z"}
N_SHOWN = 200


@dataclass(frozen=True, eq=False)
class Unseen:
    """Rows x, the z a model gives them, and the z that made them.

    Attributes
    ----------
    story : how the rows were made, a key of `STORIES`
    is_revealed : whether the true z are shown
    mu, sigma : of the model; with sigma = 0 it has no inverse
    x, true_z, model_z : (n,) the rows, the numbers they were made of, and (x - mu) / sigma
    loss : mean negative log-likelihood of x in nats, which true_z has no part in
    """

    story: str
    is_revealed: bool
    mu: float
    sigma: float
    x: np.ndarray
    true_z: np.ndarray
    model_z: np.ndarray
    loss: float

    @property
    def correlation(self) -> float:
        """Between the model's z and the true ones."""
        return 1.0 if self.story == "rising" else -1.0

    @property
    def apart(self) -> float:
        """Mean distance of the model's z from the true ones."""
        return float(np.abs(self.model_z - self.true_z).mean())

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        if not self.sigma:
            return "With sigma 0 the model has no inverse: no z belongs to a row, and the loss is infinite."
        first = f"The loss is {fixed(self.loss, 3)} nats, computed from x alone."
        if not self.is_revealed:
            return f"{first} Which z made each row is hidden."
        side = "in the same order as" if self.story == "rising" else "in the opposite order to"
        return f"{first} The model's z are {side} the true ones and on average {fixed(self.apart, 2)} away."


def unseen(mu: float = 1.0, sigma: float = 0.5, story: str = "falling", reveal: bool = False) -> Unseen:
    """The same rows x told in one of two ways, and the loss of a model x = mu + sigma z."""
    z, x = rows_of(N_SHOWN, 3)
    true_z = z if story == "rising" else -z
    model_z = (x - mu) / sigma if sigma else np.zeros_like(x)
    return Unseen(story, reveal, mu, sigma, x, true_z, model_z, mean_loss(x, mu, sigma) if sigma else np.inf)


def draw_unseen(result: Unseen, dark: bool = False, height: int = 420) -> go.Figure:
    """Each row at its x, across at the model's z and, once revealed, at the z that made it."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "z", "x (the rows)")
    fig.add_scatter(
        x=np.full(len(result.x), -4.2), y=result.x, mode="markers",
        marker={"size": 12, "color": theme.translucent(c.data, 0.6), "symbol": "line-ew-open"}, hoverinfo="skip",
    )  # fmt: skip
    names = [(-4.1, float(result.x.max()) + 0.2, "the rows", c.data)]
    if result.sigma:
        fig.add_scatter(
            x=result.model_z, y=result.x, mode="markers", marker={"size": 7, "color": c.model},
            hovertemplate="model's z %{x:.2f}, x %{y:.2f}<extra></extra>",
        )  # fmt: skip
        high = int(result.x.argmax())
        names.append((float(np.clip(result.model_z[high], -3, 3)), float(result.x.max()) + 0.2, "model's z", c.model))
    if result.is_revealed:
        fig.add_scatter(
            x=result.true_z, y=result.x, mode="markers", hovertemplate="true z %{x:.2f}, x %{y:.2f}<extra></extra>",
            marker={"size": 8, "color": c.truth, "symbol": "diamond-open", "line": {"width": 2}},
        )  # fmt: skip
        low = int(result.x.argmin())
        names.append((float(result.true_z[low]), float(result.x.min()) - 0.2, "true z", c.truth))
    for x, y, text, color in names:
        fig.add_annotation(x=x, y=y, text=text, showarrow=False, font={"color": color})
    fig.update_layout(showlegend=False, xaxis={"range": [-4.8, 4.8]}, yaxis={"range": [-1.0, 3.0]})
    return fig


UNSEEN = Exhibit(
    "unseen",
    (
        Float("mu", "mu", -1, 3, 0.05, help="Of the model"),
        Float("sigma", "sigma", 0, 2, 0.05, help="Of the model; 0 has no inverse"),
        Choice("story", "Rows made by", STORIES, help="Both make the same rows"),
        Flag("reveal", "Reveal z", help="Show the z that made each row; the loss does not change"),
    ),
    unseen,
    draw_unseen,
    rows=(84,),
)

EXHIBITS = (UNSEEN, SURFACE)
