"""The paradox of the clump: a better density that is a worse detector, and what mends it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from scipy.stats import norm

from flowlab.controls import Choice, Float, Int
from flowlab.formatting import count, fixed, percent, plural
from flowlab.models.flows.families import SplineCouplingFlow
from flowlab.plots import theme
from flowlab.teaching.exhibit import Exhibit
from flowlab.toys.contaminated import Clump1D

N = 2000
"""Quantiles that stand for the bulk, and as many for the clump: shares and areas are exact to about 1e-3."""


BOUND = 10.0
"""Where the splines end, in standard deviations of all rows: beyond any clump that can be set."""


BEYOND = 3.0
"""A place in the bulk's tail whose density is set beside the clump's."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Quantiles of bulk and clump with their probabilities.

    Attributes
    ----------
    x : (2 N,) those of the bulk, then those of the clump
    weight : (2 N,) probability of each, together 1
    is_clump : (2 N,)
    """

    x: np.ndarray
    weight: np.ndarray
    is_clump: np.ndarray

    def auroc(self, score: np.ndarray) -> float:
        """Probability that a row of the clump scores above one of the bulk, ties half."""
        return weighted_auroc(score, self.is_clump.astype(float), (~self.is_clump).astype(float))

    def flagged(self, score: np.ndarray, share: float) -> np.ndarray:
        """Which rows are among the `share` of all rows with the highest scores, (2 N,)."""
        order = np.argsort(-score, kind="stable")
        found = np.zeros(len(score), bool)
        found[order] = np.cumsum(self.weight[order]) <= share + 1e-9
        return found

    def caught(self, score: np.ndarray) -> float:
        """Share of the clump that is flagged when as many rows are flagged as there are anomalies."""
        share = float(self.weight[self.is_clump].sum())
        return float(self.weight[self.flagged(score, share) & self.is_clump].sum() / share)


def rows_of(clump: Clump1D) -> Rows:
    """Bulk and clump by their quantiles."""
    z = norm.ppf((np.arange(N) + 0.5) / N)
    weight = np.repeat([(1 - clump.share) / N, clump.share / N], N)
    return Rows(np.r_[z, clump.distance + clump.width * z], weight, np.repeat([False, True], N))


def weighted_auroc(score: np.ndarray, positive: np.ndarray, negative: np.ndarray) -> float:
    """Area under the ROC curve of rows that count `positive` times as anomalies and `negative` times as normal rows.

    nan where either weighs nothing.

    >>> weighted_auroc(np.array([0.0, 1.0, 2.0]), np.array([0.0, 0.0, 1.0]), np.array([1.0, 1.0, 0.0]))
    1.0
    """
    if not positive.sum() or not negative.sum():
        return float("nan")
    _, place = np.unique(score, return_inverse=True)
    up, down = np.bincount(place, positive), np.bincount(place, negative)
    below = np.cumsum(down) - down / 2
    return float(up @ below / (up.sum() * down.sum()))


SCORES = {
    "density": "density of all rows",
    "bulk": "density of the bulk alone",
    "ratio": "ratio of the two",
    "typicality": "typicality",
}


def anomaly_score(clump: Clump1D, x: np.ndarray, score: str) -> np.ndarray:
    """One of `SCORES` at the places x (n,), from the exact densities: higher is more anomalous, in nats."""
    log_p = clump.log_density(x[:, None])
    log_bulk = clump.log_density_of_bulk(x[:, None])
    if score == "bulk":
        return -log_bulk
    if score == "ratio":
        return log_p - log_bulk
    if score == "typicality":
        return np.abs(-log_p - clump.entropy())
    return -log_p


@dataclass(frozen=True, eq=False)
class Paradox:
    """What an exact score makes of bulk and clump.

    Attributes
    ----------
    share, distance, width, score : as set
    x, density, bulk : (m,) a grid, the exact density of all rows, and that of the bulk alone
    flagged : (m,) whether a row there is among the highest-scoring ones, as many as there are anomalies
    edges, counts : histogram of 20,000 rows
    false_alarm_rate, recall : (k,) the ROC curve
    auroc, caught : of the score; caught, when as many rows are flagged as there are anomalies
    log_p_clump, log_p_3 : exact log-density in the middle of the clump and at 3, in nats
    rarer : share of the bulk where the density is lower than in the middle of the clump
    """

    share: float
    distance: float
    width: float
    score: str
    x: np.ndarray
    density: np.ndarray
    bulk: np.ndarray
    flagged: np.ndarray
    edges: np.ndarray
    counts: np.ndarray
    false_alarm_rate: np.ndarray
    recall: np.ndarray
    auroc: float
    caught: float
    log_p_clump: float
    log_p_3: float
    rarer: float

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        where = "higher" if self.log_p_clump > self.log_p_3 else "lower"
        article = "" if self.score == "typicality" else "the "
        return (
            f"The log-density is {fixed(self.log_p_clump, 2)} nats in the middle of the clump, {where} than at 3 "
            f"({fixed(self.log_p_3, 2)}). By {article}{SCORES[self.score]}, {percent(self.caught)} of the clump are "
            f"among the {percent(self.share)} most anomalous rows; AUROC {fixed(self.auroc)}."
        )


def paradox(share: float = 0.01, distance: float = 10.0, width: float = 0.1, score: str = "density") -> Paradox:
    """Bulk N(0, 1) and a clump N(distance, width), judged by an exact score; nothing is trained."""
    clump = Clump1D(share, distance, width)
    rows = rows_of(clump)
    value = anomaly_score(clump, rows.x, score)
    flagged = rows.flagged(value, share)
    threshold = value[flagged].min() if flagged.any() else np.inf
    high = max(5.0, distance + 5 * width)
    low = min(-5.0, distance - 5 * width)
    x = np.unique(np.r_[np.linspace(low, high, 700), distance + width * np.linspace(-5, 5, 101)])
    fine = np.linspace(low, high, 161)
    drawn = clump.sample(20_000, 0)[:, 0]
    centre = clump.log_density(np.array([[distance], [BEYOND]]))
    order = np.argsort(-value, kind="stable")
    up = np.cumsum(rows.is_clump[order]) / N
    down = np.cumsum(~rows.is_clump[order]) / N
    log_p_bulk = clump.log_density(rows.x[:N, None])
    return Paradox(
        share, distance, width, score, x, np.exp(clump.log_density(x[:, None])),
        (1 - share) * norm.pdf(x), anomaly_score(clump, x, score) >= threshold, fine, np.histogram(drawn, fine)[0],
        np.r_[0, down], np.r_[0, up], rows.auroc(value), rows.caught(value), float(centre[0]), float(centre[1]),
        float(np.mean(log_p_bulk < centre[0])),
    )  # fmt: skip


def draw_paradox(result: Paradox, dark: bool = False, height: int = 420) -> go.Figure:
    """Density on a logarithmic axis over the histogram, with the places that are flagged."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "x", "density, log scale")
    per_unit = result.counts / (result.counts.sum() * np.diff(result.edges))
    fig.add_bar(
        x=(result.edges[1:] + result.edges[:-1]) / 2, y=np.where(per_unit > 0, per_unit, None),
        width=np.diff(result.edges), marker={"color": theme.translucent(c.data, 0.4), "line": {"width": 0}}, base=1e-6,
        hovertemplate="%{customdata} of 20 000 rows<extra></extra>", customdata=result.counts,
    )  # fmt: skip
    fig.add_scatter(
        x=result.x, y=result.density, mode="lines", line={"color": c.truth, "width": 2.5},
        hovertemplate="x %{x:.2f}<br>p(x) %{y:.2g}<extra>exact density</extra>",
    )  # fmt: skip
    fig.add_scatter(
        x=result.x[result.flagged], y=np.full(int(result.flagged.sum()), 1.6e-5), mode="markers",
        marker={"color": c.anomaly, "symbol": "line-ns-open", "size": 10},
        hovertemplate="flagged at x %{x:.2f}<extra></extra>",
    )  # fmt: skip
    fig.add_annotation(
        x=0, y=np.log10(0.75), text="bulk", showarrow=False, font={"color": c.data}, yanchor="bottom"
    )  # fmt: skip
    fig.add_annotation(
        x=result.distance, y=np.log10(max(np.exp(result.log_p_clump), 2e-5)), text="clump", showarrow=False,
        font={"color": c.anomaly}, yshift=12, yanchor="bottom",
    )  # fmt: skip
    fig.add_annotation(
        x=0, y=np.log10(2.6e-5), text="red: flagged", showarrow=False, font={"color": c.anomaly}, yanchor="bottom"
    )
    fig.update_layout(showlegend=False, bargap=0)
    fig.update_xaxes(range=[result.x[0], result.x[-1]])
    fig.update_yaxes(type="log", range=[-5, 1], exponentformat="power", dtick=1)
    return fig


def draw_roc(result: Paradox, dark: bool = False, height: int = 420) -> go.Figure:
    """The score's ROC curve."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "normal rows flagged (%)", "clump caught (%)")
    fig.add_scatter(
        x=[0, 100], y=[0, 100], mode="lines", line={"color": c.muted, "dash": "dot", "width": 1}, hoverinfo="skip"
    )
    fig.add_scatter(
        x=100 * result.false_alarm_rate, y=100 * result.recall, mode="lines", line={"color": c.truth, "width": 3},
        fill="tozeroy", fillcolor=theme.translucent(c.truth, 0.12),
        hovertemplate="%{x:.2f} % of the bulk flagged<br>%{y:.1f} % of the clump caught<extra></extra>",
    )  # fmt: skip
    fig.add_annotation(
        x=60, y=45, text=f"{SCORES[result.score]}<br>AUROC {fixed(result.auroc)}", showarrow=False,
        font={"color": c.truth},
    )  # fmt: skip
    fig.update_layout(showlegend=False)
    fig.update_xaxes(range=[-1, 100])
    fig.update_yaxes(range=[0, 102])
    return fig


@dataclass(frozen=True, eq=False)
class Learned:
    """A spline flow as it learns bulk and clump.

    Attributes
    ----------
    steps, nats, auroc, caught : (k,) at each report: nats above the exact density, and how well the score detects
    truth_auroc, truth_caught : of the exact density
    """

    steps: np.ndarray
    nats: np.ndarray
    auroc: np.ndarray
    caught: np.ndarray
    truth_auroc: float
    truth_caught: float

    @property
    def first_caught(self) -> float:
        """Share of the clump caught at the first report."""
        return float(self.caught[0])

    @property
    def last_caught(self) -> float:
        """Share of the clump caught at the end."""
        return float(self.caught[-1])

    @property
    def first_nats(self) -> float:
        """Nats above the exact density at the first report."""
        return float(self.nats[0])

    @property
    def last_nats(self) -> float:
        """Nats above the exact density at the end."""
        return float(self.nats[-1])

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"After {plural(int(self.steps[0]), 'step')} the flow is {fixed(self.first_nats, 2)} nats above the truth "
            f"and catches {percent(self.first_caught)} of the clump; after {count(int(self.steps[-1]))} it is "
            f"{fixed(self.last_nats, 2)} nats above and catches {percent(self.last_caught)}. The exact density catches "
            f"{percent(self.truth_caught)}."
        )


def learned(n_steps: int = 800, n_layers: int = 2, share: float = 0.01) -> Learned:
    """Trains a spline flow on 20,000 unlabelled rows and measures it on the way."""
    clump = Clump1D(share)
    rows = rows_of(clump)
    log_p = clump.log_density(rows.x[:, None])
    flow = SplineCouplingFlow(
        n_layers=n_layers, n_bins=16, hidden_features=8, n_steps=n_steps, learning_rate=0.02, tail_bound=BOUND
    )
    found = []
    for event in flow.fit_iter(clump.sample(20_000, 0)):
        score = flow.anomaly_score(rows.x[:, None])
        found.append((event.step, rows.weight @ (log_p + score), rows.auroc(score), rows.caught(score)))
    steps, nats, auroc, caught = np.array(found).T
    return Learned(steps, nats, auroc, caught, rows.auroc(-log_p), rows.caught(-log_p))


def draw_learned(result: Learned, dark: bool = False, height: int = 420) -> go.Figure:
    """Nats above the truth, and below it the share of the clump that is caught, against the steps."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, x_title="training steps")
    line = {"x": result.steps, "mode": "lines+markers"}
    fig.add_scatter(
        **line, y=result.nats, line={"color": c.model}, hovertemplate="%{x:d} steps<br>%{y:.3f} nats<extra></extra>"
    )
    fig.add_scatter(
        **line, y=100 * result.caught, yaxis="y2", line={"color": c.anomaly}, marker={"symbol": "diamond"},
        hovertemplate="%{x:d} steps<br>%{y:.1f} % caught<extra></extra>",
    )  # fmt: skip
    fig.add_shape(
        type="line", xref="paper", x0=0, x1=1, yref="y2", y0=100 * result.truth_caught, y1=100 * result.truth_caught,
        line={"color": c.truth, "dash": "dash"},
    )  # fmt: skip
    fig.add_annotation(
        xref="paper", x=1, yref="y2", y=100 * result.truth_caught, text="exact density", showarrow=False,
        font={"color": c.truth}, xanchor="right", yanchor="bottom",
    )  # fmt: skip
    fig.update_layout(
        showlegend=False,
        xaxis={"anchor": "y2"},
        yaxis={"domain": [0.56, 1], "title": {"text": "nats above<br>the truth"}, "rangemode": "tozero"},
        yaxis2={"domain": [0, 0.44], "title": {"text": "clump<br>caught (%)"}, "range": [-3, 108]},
    )
    return fig


@dataclass(frozen=True, eq=False)
class Cures:
    """Detectors of one clump, before and after a cure.

    Attributes
    ----------
    names : of the detectors; the first is the exact density of all rows, uncured
    auroc, caught : (k,)
    """

    names: tuple[str, ...]
    auroc: np.ndarray
    caught: np.ndarray

    @property
    def before(self) -> float:
        """Share of the clump that the exact density catches."""
        return float(self.caught[0])

    @property
    def bulk_only(self) -> float:
        """Share that the density of the bulk alone catches."""
        return float(self.caught[1])

    @property
    def ratio(self) -> float:
        """Share that the ratio of both densities catches."""
        return float(self.caught[2])

    @property
    def typicality(self) -> float:
        """Share that typicality catches."""
        return float(self.caught[3])

    @property
    def wide_kernel(self) -> float:
        """Share that a density smoothed by the kernel catches."""
        return float(self.caught[4])

    @property
    def one_gaussian(self) -> float:
        """Share that one Gaussian catches."""
        return float(self.caught[5])

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        mended = [n for n, v in zip(self.names[1:], self.caught[1:], strict=True) if v > max(0.9, self.before)]
        helped = f"Above 90 % come: {', '.join(mended)}." if mended else "No cure brings it above 90 %."
        return f"The exact density catches {percent(self.before)} of the clump. {helped}"


def cures(share: float = 0.01, distance: float = 10.0, width: float = 0.1, kernel: float = 1.0) -> Cures:
    """Five ways to judge the rows other than by their exact density; each is exact, nothing is trained."""
    clump = Clump1D(share, distance, width)
    rows = rows_of(clump)
    x = rows.x
    smooth = np.logaddexp(
        np.log1p(-share) + norm.logpdf(x, scale=np.hypot(1, kernel)),
        np.log(share) + norm.logpdf(x, distance, np.hypot(width, kernel)),
    )
    mean = share * distance
    variance = (1 - share) + share * (width**2 + distance**2) - mean**2
    scores = {f"exact {SCORES['density']}": anomaly_score(clump, x, "density")}
    scores |= {SCORES[score]: anomaly_score(clump, x, score) for score in ("bulk", "ratio", "typicality")}
    scores |= {"kernels of that width": -smooth, "one Gaussian for all": (x - mean) ** 2 / variance}
    return Cures(
        tuple(scores),
        np.array([rows.auroc(score) for score in scores.values()]),
        np.array([rows.caught(score) for score in scores.values()]),
    )


def draw_cures(result: Cures, dark: bool = False, height: int = 420) -> go.Figure:
    """A bar for each detector: the share of the clump it catches, with its AUROC."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "clump caught (%)")
    values = 100 * result.caught
    fig.add_bar(
        x=values, y=list(result.names), orientation="h",
        marker={"color": [c.truth] + [c.model] * (len(values) - 1)},
        text=[f"{v:.0f} %, AUROC {a:.3f}" for v, a in zip(values, result.auroc, strict=True)],
        textposition=["inside" if v > 50 else "outside" for v in values], insidetextanchor="end",
        hovertemplate="%{y}<br>%{x:.1f} % caught<extra></extra>",
    )  # fmt: skip
    fig.update_yaxes(autorange="reversed", showgrid=False)
    fig.update_xaxes(range=[0, 103])
    return fig


SHARE = Float("share", "Share of the clump", 0.001, 0.3, 0.001, help="Contamination: how much of the rows is anomalous")


DISTANCE = Float("distance", "Distance", 0, 20, 0.5, help="Of the clump from the middle of the bulk, in its sd")


CLUMP_WIDTH = Float("width", "Width", 0.02, 5, 0.02, help="Standard deviation of the clump; the bulk's is 1")


SCORE = Choice("score", "Score", SCORES, help="What a row is judged by; each is exact here")


EXHIBITS = (
    Exhibit("clump", (SHARE, DISTANCE, CLUMP_WIDTH, SCORE), paradox, draw_paradox, rows=(98, 100)),
    Exhibit("clump_roc", (SHARE, DISTANCE, CLUMP_WIDTH, SCORE), paradox, draw_roc, rows=(98, 100)),
    Exhibit(
        "clump_learned",
        (
            Int(
                "n_steps",
                "Training steps",
                50,
                1500,
                50,
                help="Of a spline flow, 256 rows each; 800 take a few seconds",
            ),
            Int("n_layers", "Layers", 1, 8, help="Capacity: a spline of 16 bins each"),
            Float("share", "Share of the clump", 0.002, 0.2, 0.002, help="Contamination of the training rows"),
        ),
        learned,
        draw_learned,
        rows=(108,),
        is_slow=True,
    ),
    Exhibit(
        "clump_cures",
        (
            SHARE,
            DISTANCE,
            CLUMP_WIDTH,
            Float("kernel", "Width of the kernels", 0.05, 3, 0.05, help="Smooths the density of all rows"),
        ),
        cures,
        draw_cures,
        rows=(98, 108),
    ),
)
