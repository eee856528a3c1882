"""Kernel density estimates: how wide a kernel should be, and what more columns cost them beside a flow."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import plotly.graph_objects as go
from scipy.stats import norm

from flowlab.controls import Float, Int
from flowlab.formatting import fixed, number, plural
from flowlab.models.classical.density import KDE
from flowlab.models.flows.families import MaskedAutoregressiveFlow
from flowlab.plots import theme
from flowlab.teaching.exhibit import Exhibit

CENTRE, WIDTH = 1.0, 0.25
N_FRESH = 300
BANDWIDTHS = np.geomspace(0.02, 2.0, 17)
"""Where the held-out loss is computed, in standard deviations of the rows."""


def two_humps(x: np.ndarray, width: float = WIDTH) -> np.ndarray:
    """Density of two equally likely Gaussians of this width at -1 and 1."""
    return (norm.pdf(x, -CENTRE, width) + norm.pdf(x, CENTRE, width)) / 2


@lru_cache(maxsize=8)
def humped_rows(n_rows: int, seed: int) -> np.ndarray:
    """Draws of `two_humps`, (n_rows, 1)."""
    rng = np.random.default_rng(seed)
    return rng.choice([-CENTRE, CENTRE], (n_rows, 1)) + WIDTH * rng.normal(size=(n_rows, 1))


@dataclass(frozen=True, eq=False)
class Bandwidth:
    """A kernel density estimate of two humps with a chosen bandwidth, and the loss of fresh rows over all bandwidths.

    Attributes
    ----------
    h : the chosen bandwidth; as all bandwidths here in standard deviations of the rows
    scott, silverman, cv : those of the two rules of thumb and of cross-validation
    rows : (n, 1) that were fitted
    x, density, truth : (m,) the estimate and the exact density
    bandwidths, losses : (k,) mean negative log-likelihood of 300 fresh rows, nats
    loss, loss_scott, loss_silverman, loss_cv : of the fresh rows with these bandwidths
    loss_truth : of the exact density
    """

    h: float
    scott: float
    silverman: float
    cv: float
    rows: np.ndarray
    x: np.ndarray
    density: np.ndarray
    truth: np.ndarray
    bandwidths: np.ndarray
    losses: np.ndarray
    loss: float
    loss_scott: float
    loss_silverman: float
    loss_cv: float
    loss_truth: float

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        side = "wider" if self.h > self.cv else "narrower"
        than = f"{side} than" if abs(self.h / self.cv - 1) > 0.05 else "about"
        return (
            f"With h = {fixed(self.h, 2)}, {than} the {fixed(self.cv, 2)} that cross-validation finds, fresh rows lose "
            f"{fixed(self.loss, 3)} nats; with Scott's {fixed(self.scott, 2)} {fixed(self.loss_scott, 3)}, with the "
            f"cross-validated one {fixed(self.loss_cv, 3)}. The exact density loses {fixed(self.loss_truth, 3)}."
        )


def bandwidth(h: float = 0.5, n_rows: int = 200) -> Bandwidth:
    """KDE of `n_rows` rows of two humps, with bandwidth h and with those that rules and cross-validation choose."""
    rows, fresh = humped_rows(n_rows, 1), humped_rows(N_FRESH, 2)
    (scott, silverman, cv), losses = _rules(n_rows)
    x = np.linspace(-2.5, 2.5, 201)
    density = np.exp(KDE(h).fit(rows).score_samples(x[:, None]))
    return Bandwidth(
        h, scott, silverman, cv, rows, x, density, two_humps(x), BANDWIDTHS, losses[len(RULES) :],
        float(_losses(rows, h)[0]),
        losses[0], losses[1], losses[2], -float(np.log(two_humps(fresh)).mean()),
    )  # fmt: skip


RULES = ("scott", "silverman", "cv")


@lru_cache(maxsize=8)
def _rules(n_rows: int) -> tuple[list[float], np.ndarray]:
    """The bandwidths of the rules, and the losses with them and with all of `BANDWIDTHS`."""
    rows = humped_rows(n_rows, 1)
    found = [float(KDE(rule).fit(rows).bandwidth_) for rule in RULES]
    return found, _losses(rows, *found, *BANDWIDTHS)


def _losses(rows: np.ndarray, *widths: float) -> np.ndarray:
    """The mean loss of fresh rows by estimates of each width, nats; one fit serves them all."""
    model, fresh = KDE(1.0).fit(rows), humped_rows(N_FRESH, 2)
    losses = np.empty(len(widths))
    for i, model.bandwidth_ in enumerate(widths):
        losses[i] = -model.score_samples(fresh).mean()
    return losses


def draw_bandwidth(result: Bandwidth, dark: bool = False, height: int = 420) -> go.Figure:
    """Estimate, truth and rows above; below, the loss over the bandwidths with the rules marked on it."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height)
    fig.add_scatter(
        x=result.x, y=result.truth, mode="lines", line={"color": c.truth, "dash": "dash", "width": 2},
        hovertemplate="truth %{y:.3f}<extra></extra>",
    )  # fmt: skip
    fig.add_scatter(
        x=result.x, y=result.density, mode="lines", line={"color": c.model, "width": 3},
        hovertemplate="estimate %{y:.3f}<extra></extra>",
    )  # fmt: skip
    fig.add_scatter(
        x=result.rows[:, 0], y=np.zeros(len(result.rows)), mode="markers", hoverinfo="skip", cliponaxis=False,
        marker={"symbol": "line-ns-open", "size": 9, "color": theme.translucent(c.data, 0.6)},
    )  # fmt: skip
    fig.add_scatter(
        x=result.bandwidths, y=result.losses, xaxis="x2", yaxis="y2", mode="lines", line={"color": c.model},
        hovertemplate="h %{x:.2f}: %{y:.3f} nats<extra></extra>",
    )  # fmt: skip
    top = result.loss_truth + 1.2
    marks = [
        ("CV", result.cv, result.loss_cv, c.second, "diamond", "bottom center"),
        ("Scott", result.scott, result.loss_scott, c.third, "square", "top left"),
        ("Silverman", result.silverman, result.loss_silverman, c.third, "square-open", "bottom right"),
        ("h", result.h, result.loss, c.anomaly, "circle", "top center"),
    ]
    for name, at, loss, color, symbol, place in marks:
        fig.add_scatter(
            x=[at], y=[min(loss, top)], xaxis="x2", yaxis="y2", mode="markers+text", text=[name], textposition=place,
            textfont={"color": color}, marker={"size": 11, "color": color, "symbol": symbol}, cliponaxis=False,
            hovertemplate=f"{name} %{{x:.3f}}: {fixed(loss, 3)} nats<extra></extra>",
        )  # fmt: skip
    fig.update_layout(
        showlegend=False,
        shapes=[{
            "type": "line", "xref": "x2 domain", "yref": "y2", "x0": 0, "x1": 1,
            "y0": result.loss_truth, "y1": result.loss_truth, "line": {"color": c.truth, "dash": "dash"},
        }],
        xaxis={"domain": [0, 1], "title": {"text": "x"}, "range": [-2.5, 2.5]},
        yaxis={"domain": [0.6, 1], "title": {"text": "density"}, "range": [0, max(1.0, 1.1 * result.density.max())]},
        xaxis2={
            "anchor": "y2", "type": "log", "title": {"text": "bandwidth h (sd)"}, "range": [np.log10(0.02), 0.31],
            "tickvals": [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2],
        },
        yaxis2={
            "domain": [0, 0.38], "title": {"text": "fresh loss (nats)"},
            "range": [result.loss_truth - 0.35, top + 0.2], "nticks": 4,
        },
    )  # fmt: skip
    return fig


BANDWIDTH = Exhibit(
    "bandwidth",
    (
        Float("h", "Bandwidth h", 0.02, 2, 0.02, help="Width of each kernel, in standard deviations of the rows"),
        Int("n_rows", "Rows", 2, 500, help="Of the estimate; the loss is of 300 others"),
    ),
    bandwidth,
    draw_bandwidth,
    rows=(2,),
)

DIMENSIONS = (1, 2, 4, 8)
FLOW: dict[str, Any] = {"n_layers": 3, "n_steps": 300, "hidden_features": 32, "learning_rate": 5e-3}
FIRST_WIDTH, SPREAD = 0.4, 0.5
N_SCORED = 1000


def winding_rows(n_rows: int, n_columns: int, seed: int) -> np.ndarray:
    """Draws (n_rows, n_columns): two humps in the first column, then each the sine of the one before and noise."""
    rng = np.random.default_rng([seed, n_columns])
    X = rng.normal(size=(n_rows, n_columns))
    X[:, 0] = rng.choice([-CENTRE, CENTRE], n_rows) + FIRST_WIDTH * X[:, 0]
    for j in range(1, n_columns):
        X[:, j] = np.sin(1.2 * X[:, j - 1]) + SPREAD * X[:, j]
    return X


def winding_log_density(X: np.ndarray) -> np.ndarray:
    """Exact log-density in nats of rows (n, n_columns) of `winding_rows`."""
    return np.log(two_humps(X[:, 0], FIRST_WIDTH)) + norm.logpdf(X[:, 1:], np.sin(1.2 * X[:, :-1]), SPREAD).sum(axis=1)


@dataclass(frozen=True, eq=False)
class Dimensions:
    """A kernel density estimate and a flow on the same rows, with more and more columns.

    Attributes
    ----------
    n_rows : that both were fitted to
    dimensions : (k,) numbers of columns
    kde_gap, flow_gap : (k,) mean nats by which fresh rows are below the exact log-density
    kde_seconds, flow_seconds : (k,) to score 1 000 rows, the best of three
    """

    n_rows: int
    dimensions: np.ndarray
    kde_gap: np.ndarray
    flow_gap: np.ndarray
    kde_seconds: np.ndarray
    flow_seconds: np.ndarray

    @property
    def kde_first(self) -> float:
        """Gap of the kernel density with one column, nats."""
        return float(self.kde_gap[0])

    @property
    def flow_first(self) -> float:
        """Gap of the flow with one column, nats."""
        return float(self.flow_gap[0])

    @property
    def kde_last(self) -> float:
        """Gap of the kernel density with most columns, nats."""
        return float(self.kde_gap[-1])

    @property
    def flow_last(self) -> float:
        """Gap of the flow with most columns, nats."""
        return float(self.flow_gap[-1])

    @property
    def crossing(self) -> float:
        """The smallest number of columns from which on the flow is nearer to the truth; 0 if it never is."""
        nearer = self.flow_gap < self.kde_gap
        from_here = [bool(nearer[i:].all()) for i in range(len(nearer))]
        return float(self.dimensions[from_here.index(True)]) if any(from_here) else 0.0

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        where = (
            f"From {plural(int(self.crossing), 'column')} on the flow is nearer to the truth"
            if self.crossing
            else "The flow is not nearer to the truth at the end"
        )
        return (
            f"{where}. With {self.dimensions[-1]} columns and {plural(self.n_rows, 'row')} the kernel density is "
            f"{fixed(self.kde_last, 2)} nats off and the flow {fixed(self.flow_last, 2)}; scoring 1 000 rows took "
            f"{number(1000 * float(self.kde_seconds[-1]))} and {number(1000 * float(self.flow_seconds[-1]))} ms."
        )


def dimensions(n_rows: int = 500) -> Dimensions:
    """Both models on 1 to 8 columns: cross-validated kernel density and an autoregressive flow of three layers."""
    gaps, times = [], []
    for n_columns in DIMENSIONS:
        X, fresh = winding_rows(n_rows, n_columns, 0), winding_rows(N_SCORED, n_columns, 1)
        truth = winding_log_density(fresh).mean()
        models = KDE("cv").fit(X), MaskedAutoregressiveFlow(**FLOW).fit(X)
        gaps.append([truth - model.score_samples(fresh).mean() for model in models])
        times.append([min(_seconds(model, fresh) for _ in range(3)) for model in models])
    gap, took = np.array(gaps).T, np.array(times).T
    return Dimensions(n_rows, np.array(DIMENSIONS), gap[0], gap[1], took[0], took[1])


def _seconds(model: KDE | MaskedAutoregressiveFlow, X: np.ndarray) -> float:
    start = time.perf_counter()
    model.score_samples(X)
    return time.perf_counter() - start


def draw_dimensions(result: Dimensions, dark: bool = False, height: int = 420) -> go.Figure:
    """Distance from the truth at the left and seconds at the right, both against the number of columns."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height)
    lines = [
        ("kernel density", result.kde_gap, result.kde_seconds, c.second, "square", "dash"),
        ("flow", result.flow_gap, result.flow_seconds, c.model, "circle", "solid"),
    ]
    last = len(result.dimensions) - 1
    for name, gap, took, color, symbol, dash in lines:
        style = {"color": color, "dash": dash}
        place = "top left" if gap[last] >= max(result.kde_gap[last], result.flow_gap[last]) else "bottom left"
        label = [""] * last + [name]
        fig.add_scatter(
            x=result.dimensions, y=gap, mode="lines+markers+text", text=label, textposition=place, line=style,
            marker={"symbol": symbol, "size": 9, "color": color}, textfont={"color": color}, cliponaxis=False,
            hovertemplate=f"{name}, %{{x}} columns: %{{y:.3f}} nats<extra></extra>",
        )  # fmt: skip
        fig.add_scatter(
            x=result.dimensions, y=1000 * took, mode="lines+markers", line=style, xaxis="x2", yaxis="y2",
            marker={"symbol": symbol, "size": 9, "color": color}, cliponaxis=False,
            hovertemplate=f"{name}, %{{x}} columns: %{{y:.3g}} ms<extra></extra>",
        )  # fmt: skip
    axis = {"type": "log", "tickvals": list(result.dimensions), "title": {"text": "columns"}}
    fig.update_layout(
        showlegend=False,
        xaxis={"domain": [0, 0.44], **axis},
        yaxis={"title": {"text": "below the truth (nats)"}, "rangemode": "tozero"},
        xaxis2={"domain": [0.58, 1], "anchor": "y2", **axis},
        yaxis2={"title": {"text": "scoring 1 000 rows (ms)"}, "type": "log", "anchor": "x2", "dtick": 1},
    )
    return fig


DIMENSION = Exhibit(
    "dimensions",
    (Int("n_rows", "Rows", 50, 1000, 50, help="Both models are fitted to as many; it takes some seconds"),),
    dimensions,
    draw_dimensions,
    rows=(3,),
    is_slow=True,
)

EXHIBITS = (BANDWIDTH, DIMENSION)
