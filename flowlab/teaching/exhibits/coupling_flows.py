"""A flow of couplings opened: its chain, the graph of one layer, and what its latent points look like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from scipy.stats import chi2, kstest

from flowlab.controls import Choice, Int
from flowlab.formatting import fixed
from flowlab.plots import theme
from flowlab.teaching.exhibit import Exhibit
from flowlab.teaching.exhibits.moons import MOONS, N_LAYERS, trained


@dataclass(frozen=True, eq=False)
class LayerChain:
    """Rows on their way through the layers.

    Attributes
    ----------
    positions : (n_layers + 1, n, 2), the scaled rows first, the latent points last
    classes : (n,) which moon
    log_det : (n_layers,) mean log-determinant of each layer, nats
    """

    positions: np.ndarray
    classes: np.ndarray
    log_det: np.ndarray

    @property
    def n_layers(self) -> int:
        """How many layers."""
        return len(self.log_det)

    @property
    def total(self) -> float:
        """Mean log-determinant of all."""
        return float(self.log_det.sum())

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"From data (left) to latent space (right) in {self.n_layers} invertible layers; read from right to left "
            f"it draws samples. The layers stretch by {fixed(self.total)} nats on average."
        )


def chain(n_rows: int = 600) -> LayerChain:
    """Rows of the moons through every layer of their flow."""
    rows, classes = MOONS.sample_with_components(n_rows, 0)
    flow = trained().flow
    return LayerChain(flow.transform_path(rows), classes, flow.log_det_path(rows).mean(axis=1))


def draw_chain(result: LayerChain, dark: bool = False, height: int = 420) -> go.Figure:
    """Five thumbnails in a row."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height)
    shown = np.unique(np.linspace(0, result.n_layers, 5).round().astype(int))
    width = 1 / len(shown)
    for i, layer in enumerate(shown):
        axis = "" if i == 0 else str(i + 1)
        points = result.positions[layer]
        for k, (color, symbol) in enumerate(((c.model, "circle"), (c.third, "x"))):
            fig.add_scatter(
                x=points[result.classes == k, 0], y=points[result.classes == k, 1], xaxis=f"x{axis}", yaxis=f"y{axis}",
                mode="markers", marker={"size": 4, "color": color, "symbol": symbol, "opacity": 0.5}, hoverinfo="skip",
            )  # fmt: skip
        name = "data" if layer == 0 else "latent" if layer == result.n_layers else f"after layer {layer}"
        place = {"domain": [i * width, (i + 0.9) * width], "anchor": f"y{axis}", "range": [-3.5, 3.5]}
        fig.update_layout(
            {
                f"xaxis{axis}": place | {"title": {"text": name}, "showticklabels": False},
                f"yaxis{axis}": {
                    "anchor": f"x{axis}",
                    "range": [-3.5, 3.5],
                    "showticklabels": False,
                    "domain": [0.1, 0.9],
                },
            }
        )
    return fig.update_layout(showlegend=False)


@dataclass(frozen=True, eq=False)
class Graph:
    """One coupling layer as a graph of operations, with the numbers of one row.

    Attributes
    ----------
    kept, moved : what enters: the number that stays, and the one that changes
    s, t : what the network makes of `kept`
    result : what leaves in place of `moved`
    expected : the same, as the flow itself has it
    shapes : text of what each tensor is like
    is_inverse : whether the graph runs from latent to data
    layer, kept_column : which layer, and which column stays (1 the first)
    """

    kept: float
    moved: float
    s: float
    t: float
    result: float
    expected: float
    shapes: str
    is_inverse: bool
    layer: int
    kept_column: int

    @property
    def error(self) -> float:
        """Of the numbers on the graph from the flow's own."""
        return abs(self.result - self.expected)

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        if self.is_inverse:
            sum_ = f"({fixed(self.moved)} - {fixed(self.t)}) exp(-{fixed(self.s)}) = {fixed(self.result)}"
        else:
            sum_ = f"{fixed(self.moved)} exp({fixed(self.s)}) + {fixed(self.t)} = {fixed(self.result)}"
        return (
            f"Layer {self.layer} keeps column {self.kept_column}, {fixed(self.kept)}; its network makes s = "
            f"{fixed(self.s)} and t = {fixed(self.t)} of it, and {sum_}."
        )


def graph(row: int = 0, layer: int = 1, direction: str = "forward") -> Graph:
    """The numbers of a row of the moons in a layer (1 the first) of their flow, forward or back."""
    flow, x = trained().flow, trained().X[[row]]
    path = flow.transform_path(x)
    s, t = (values[layer - 1, 0] for values in flow.layer_readout(x))
    before, after = path[layer - 1, 0], path[layer, 0]
    moved = int(np.argmax(np.abs(s) + np.abs(t)))
    kept = 1 - moved
    inverse = direction == "inverse"
    start, end = (after, before) if inverse else (before, after)
    made = (start[moved] - t[moved]) * np.exp(-s[moved]) if inverse else start[moved] * np.exp(s[moved]) + t[moved]
    shapes = f"x1, x2, s, t: (batch, 1); hidden: (batch, {flow.hidden_features})"
    return Graph(
        float(start[kept]), float(start[moved]), float(s[moved]), float(t[moved]), float(made), float(end[moved]),
        shapes, inverse, layer, kept + 1,
    )  # fmt: skip


def draw_graph(result: Graph, dark: bool = False, height: int = 420) -> go.Figure:
    """Boxes and arrows."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "from latent to data" if result.is_inverse else "from data to latent")
    first, last = ("y", "x") if result.is_inverse else ("x", "y")
    steps = ("− t", "× exp(−s)") if result.is_inverse else ("× exp(s)", "+ t")
    boxes = {
        "in kept": (0, 2, f"{first} that stays<br><b>{fixed(result.kept)}</b>", c.data),
        "in moved": (0, 0, f"{first} that changes<br><b>{fixed(result.moved)}</b>", c.data),
        "net": (1.2, 1.1, f"network<br>s = <b>{fixed(result.s)}</b><br>t = <b>{fixed(result.t)}</b>", c.second),
        "first": (1.2, 0, steps[0], c.third),
        "second": (2.1, 0, steps[1], c.third),
        "out kept": (3.2, 2, f"{last} that stays<br><b>{fixed(result.kept)}</b>", c.model),
        "out moved": (3.2, 0, f"{last} that changed<br><b>{fixed(result.result)}</b>", c.model),
    }
    for tail, head in (
        ("in kept", "out kept"), ("in kept", "net"), ("net", "first"), ("net", "second"), ("in moved", "first"),
        ("first", "second"), ("second", "out moved"),
    ):  # fmt: skip
        (x0, y0, *_), (x1, y1, *_) = boxes[tail], boxes[head]
        fig.add_annotation(
            x=x1, y=y1, ax=x0, ay=y0, xref="x", yref="y", axref="x", ayref="y", showarrow=True, arrowhead=2,
            arrowcolor=c.muted, arrowwidth=1.5, standoff=44, startstandoff=44, text="",
        )  # fmt: skip
    for x, y, text, color in boxes.values():
        fig.add_annotation(
            x=x, y=y, text=text, showarrow=False, bgcolor=c.background, bordercolor=color, borderwidth=2, borderpad=6,
            font={"size": 15, "color": c.text},
        )  # fmt: skip
    fig.add_scatter(x=[0, 3.2], y=[0, 2], mode="markers", marker={"opacity": 0}, hoverinfo="skip")
    theme.write_at(fig, 3.6, -0.75, result.shapes, c.muted)
    fig.update_xaxes(range=[-0.6, 3.8], showticklabels=False, showgrid=False, ticks="")
    return fig.update_yaxes(range=[-0.9, 2.6], showticklabels=False, showgrid=False, ticks="").update_layout(
        showlegend=False
    )


@dataclass(frozen=True, eq=False)
class LatentCheck:
    """Latent points against what they should be: independent standard normals.

    Attributes
    ----------
    points : (n, 2) latent
    """

    points: np.ndarray

    @property
    def correlation(self) -> float:
        """Between the two axes."""
        return float(np.corrcoef(self.points.T)[0, 1])

    @property
    def distance_1(self) -> float:
        """Kolmogorov-Smirnov distance of the first axis from N(0, 1)."""
        return float(kstest(self.points[:, 0], "norm").statistic)

    @property
    def distance_2(self) -> float:
        """Kolmogorov-Smirnov distance of the second axis from N(0, 1)."""
        return float(kstest(self.points[:, 1], "norm").statistic)

    @property
    def norm_distance(self) -> float:
        """Kolmogorov-Smirnov distance of the squared lengths from chi-squared with 2 degrees of freedom."""
        return float(kstest((self.points**2).sum(axis=1), chi2(2).cdf).statistic)

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"The axes correlate by {fixed(self.correlation)}; their distances from N(0, 1) are "
            f"{fixed(self.distance_1)} and {fixed(self.distance_2)}, that of the squared lengths from chi-squared "
            f"{fixed(self.norm_distance)} (0 is equal, 1 is apart)."
        )


def latent_check(step: int = 800) -> LatentCheck:
    """Latent points of new rows at the recorded step nearest to `step`."""
    history = trained()
    return LatentCheck(history.at(int(np.abs(history.steps - step).argmin())).transform(history.X_new))


def draw_latent_check(result: LatentCheck, dark: bool = False, height: int = 420) -> go.Figure:
    """The points with the histogram of each axis beside them, and the normal over these."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "z1", "z2")
    grid = np.linspace(-4, 4, 81)
    normal = np.exp(-0.5 * grid**2) / np.sqrt(2 * np.pi)
    z1, z2 = result.points.T
    bins = {"start": -4, "end": 4, "size": 0.25}
    fig.add_scatter(x=z1, y=z2, mode="markers", marker={"color": c.model, "size": 4, "opacity": 0.4})
    fig.add_histogram(x=z1, xbins=bins, histnorm="probability density", yaxis="y2", marker={"color": c.model})
    fig.add_histogram(y=z2, ybins=bins, histnorm="probability density", xaxis="x2", marker={"color": c.model})
    fig.add_scatter(x=grid, y=normal, yaxis="y2", mode="lines", line={"color": c.truth, "width": 3})
    fig.add_scatter(x=normal, y=grid, xaxis="x2", mode="lines", line={"color": c.truth, "width": 3})
    quiet = {"showticklabels": False, "showgrid": False, "ticks": ""}
    return fig.update_layout(
        showlegend=False, hovermode=False, bargap=0.05,
        xaxis={"domain": [0, 0.78], "range": [-4, 4]}, yaxis={"domain": [0, 0.76], "range": [-4, 4]},
        xaxis2={"domain": [0.8, 1], **quiet}, yaxis2={"domain": [0.8, 1], **quiet},
    )  # fmt: skip


EXHIBITS = (
    Exhibit(
        "linear_chain",
        (Int("n_rows", "Rows", 50, 1500, 50, help="Of the moons"),),
        chain,
        draw_chain,
        rows=(109,),
        is_slow=True,
    ),
    Exhibit(
        "graph",
        (
            Int("row", "Row", 0, 50, help="Of the training rows"),
            Int("layer", "Layer", 1, N_LAYERS, help="1 is next to the data"),
            Choice("direction", "Direction", {"forward": "data to latent", "inverse": "latent to data"}, help="Way"),
        ),
        graph,
        draw_graph,
        rows=(12, 13, 14),
        is_slow=True,
    ),
    Exhibit(
        "latent_check",
        (Int("step", "Step", 0, 800, 50, help="Of the training"),),
        latent_check,
        draw_latent_check,
        rows=(11,),
        is_slow=True,
    ),
)  # fmt: skip
