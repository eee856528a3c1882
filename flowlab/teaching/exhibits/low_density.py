"""Alarms where the density is low, and what many columns do to distances and lengths."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import plotly.graph_objects as go
from scipy.spatial.distance import pdist, squareform
from scipy.stats import chi

from flowlab.controls import Float, Int
from flowlab.detection.labelled import threshold_curves
from flowlab.formatting import count, fixed, plural
from flowlab.plots import theme
from flowlab.teaching.exhibit import Exhibit
from flowlab.teaching.exhibits.kernel_density import humped_rows, two_humps

N_NORMAL = 500
STRANGE = np.array([-2.4, -2.2, -0.15, -0.05, 0.0, 0.02, 0.1, 0.2, 2.1, 2.3])
"""Rows that were put in by hand; most lie between the humps, not outside."""


@dataclass(frozen=True, eq=False)
class Alarm:
    """Rows of two humps with ten strange ones among them, and the alarms of a threshold on -log p.

    Attributes
    ----------
    theta : the threshold in nats
    x, score, y : (n,) rows, their -log p in nats, and 1 where a row is strange
    line, curve : (m,) x and -log p there
    alarms, caught, false_alarms : how many rows have a score of theta or more; strange ones among them, and others
    """

    theta: float
    x: np.ndarray
    score: np.ndarray
    y: np.ndarray
    line: np.ndarray
    curve: np.ndarray
    alarms: int
    caught: int
    false_alarms: int

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.x)

    @property
    def strange(self) -> int:
        """How many strange rows there are."""
        return int(self.y.sum())

    @property
    def between(self) -> float:
        """-log p halfway between the humps, nats."""
        return float(-np.log(two_humps(np.array(0.0))))

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"Of {plural(len(self.x), 'row')} {count(self.alarms)} have −log p of {fixed(self.theta, 1)} nats or more: "
            f"{self.caught} of the {self.strange} strange ones, and {plural(self.false_alarms, 'other row')}."
        )


def alarm(theta: float = 4.0) -> Alarm:
    """Alarms where -log p(x) >= theta, for the exact density of two humps."""
    x = np.concatenate([humped_rows(N_NORMAL, 4)[:, 0], STRANGE])
    y = np.repeat([0, 1], [N_NORMAL, len(STRANGE)])
    score = -np.log(two_humps(x))
    line = np.linspace(-2.8, 2.8, 401)
    found = threshold_curves(score, y).confusion(theta)
    alarms = found.true_alarms + found.false_alarms
    return Alarm(
        theta, x, score, y, line, -np.log(two_humps(line)), int(alarms), int(found.true_alarms),
        int(found.false_alarms),
    )  # fmt: skip


def draw_alarm(result: Alarm, dark: bool = False, height: int = 420) -> go.Figure:
    """-log p over x with the threshold, the rows on the curve, and the alarms marked."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "x", "−log p(x) (nats)")
    fig.add_scatter(x=result.line, y=result.curve, mode="lines", line={"color": c.model}, hoverinfo="skip")
    flagged = result.score >= result.theta
    for which, color, size, opacity in ((~flagged, c.data, 6, 0.5), (flagged, c.anomaly, 9, 0.9)):
        fig.add_scatter(
            x=result.x[which], y=result.score[which], mode="markers",
            marker={
                "color": color, "size": size, "opacity": opacity,
                "symbol": np.where(result.y[which] == 1, "diamond", "circle"),
            },
            hovertemplate="x %{x:.2f}: %{y:.2f} nats<extra></extra>",
        )  # fmt: skip
    fig.add_annotation(
        x=1, xanchor="center", y=result.theta, yanchor="bottom", showarrow=False,
        text=f"alarm from θ = {fixed(result.theta, 1)}", font={"color": c.threshold},
    )  # fmt: skip
    fig.update_layout(
        showlegend=False,
        shapes=[{
            "type": "line", "xref": "paper", "yref": "y", "x0": 0, "x1": 1, "y0": result.theta, "y1": result.theta,
            "line": {"color": c.threshold, "width": 2},
        }],
        xaxis={"range": [-2.8, 2.8]}, yaxis={"range": [-0.3, 14]},
    )  # fmt: skip
    return fig


ALARM = Exhibit(
    "alarm",
    (Float("theta", "Threshold theta (nats)", 0, 12, 0.1, help="Rows with −log p of theta or more are alarms"),),
    alarm,
    draw_alarm,
    rows=(1,),
)

MOST_COLUMNS = 256
N_POINTS = 200
SWEPT = tuple(2**k for k in range(9))


@dataclass(frozen=True, eq=False)
class Concentration:
    """Standard normal rows with many columns: their lengths, and how alike their distances are.

    Attributes
    ----------
    n_columns : how many
    norms : (200,) lengths of the rows
    lengths, density : (m,) the density of the length, chi
    swept, nearest : (k,) numbers of columns, and for each the median over the rows of the distance to the nearest
        other row over that to the farthest
    mean_norm, chi_mean : mean length of the rows, and of chi
    contrast : as `nearest`, for `n_columns`
    """

    n_columns: int
    norms: np.ndarray
    lengths: np.ndarray
    density: np.ndarray
    swept: np.ndarray
    nearest: np.ndarray
    mean_norm: float
    chi_mean: float
    contrast: float

    @property
    def root(self) -> float:
        """The square root of the number of columns."""
        return float(np.sqrt(self.n_columns))

    @property
    def within_one(self) -> float:
        """Probability of a length below 1."""
        return float(chi.cdf(1, self.n_columns))

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"With {plural(self.n_columns, 'column')} the mean length is {fixed(self.mean_norm, 2)}, the square root "
            f"of their number {fixed(self.root, 2)}. The nearest other row is {fixed(100 * self.contrast, 1)} % as "
            "far away as the farthest."
        )


@lru_cache(maxsize=1)
def _points() -> np.ndarray:
    return np.random.default_rng(5).normal(size=(N_POINTS, MOST_COLUMNS))


def _nearest(n_columns: int) -> float:
    distances = squareform(pdist(_points()[:, :n_columns]))
    farthest = distances.max(axis=1)
    np.fill_diagonal(distances, np.inf)
    return float(np.median(distances.min(axis=1) / farthest))


@lru_cache(maxsize=1)
def _swept() -> np.ndarray:
    return np.array([_nearest(n) for n in SWEPT])


def concentration(n_columns: int = 64) -> Concentration:
    """Lengths and distances of 200 standard normal rows."""
    norms = np.linalg.norm(_points()[:, :n_columns], axis=1)
    lengths = np.linspace(0, np.sqrt(MOST_COLUMNS) + 4, 500)
    return Concentration(
        n_columns, norms, lengths, chi.pdf(lengths, n_columns), np.array(SWEPT), _swept(), float(norms.mean()),
        float(chi.mean(n_columns)), _nearest(n_columns),
    )  # fmt: skip


def draw_concentration(result: Concentration, dark: bool = False, height: int = 420) -> go.Figure:
    """Lengths beside chi above; below, nearest over farthest distance against the number of columns."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height)
    edges = np.arange(0, result.lengths[-1], 0.25)
    heights = np.histogram(result.norms, edges)[0] / (len(result.norms) * 0.25)
    fig.add_bar(
        x=(edges[1:] + edges[:-1]) / 2, y=heights, width=0.25, marker={"color": c.data}, opacity=0.4, hoverinfo="skip",
    )  # fmt: skip
    fig.add_scatter(
        x=result.lengths, y=result.density, mode="lines", line={"color": c.truth, "width": 3},
        hovertemplate="length %{x:.2f}: %{y:.3f}<extra></extra>",
    )  # fmt: skip
    fig.add_annotation(
        x=result.root, y=1, yref="y domain", yanchor="bottom", showarrow=False, text="√D", font={"color": c.threshold},
    )  # fmt: skip
    fig.add_scatter(
        x=result.swept, y=100 * result.nearest, xaxis="x2", yaxis="y2", mode="lines+markers",
        line={"color": c.data}, hovertemplate="%{x} columns: %{y:.1f} %<extra></extra>",
    )  # fmt: skip
    fig.add_scatter(
        x=[result.n_columns], y=[100 * result.contrast], xaxis="x2", yaxis="y2", mode="markers", hoverinfo="skip",
        marker={"size": 13, "color": c.anomaly},
    )  # fmt: skip
    fig.update_layout(
        showlegend=False,
        margin={"t": 28},
        shapes=[{
            "type": "line", "x0": result.root, "x1": result.root, "xref": "x", "yref": "y domain", "y0": 0, "y1": 1,
            "line": {"color": c.threshold, "width": 2},
        }],
        xaxis={"title": {"text": "length of a row"}, "range": [0, result.lengths[-1]]},
        yaxis={"domain": [0.6, 1], "title": {"text": "density"}, "nticks": 4},
        xaxis2={"anchor": "y2", "type": "log", "tickvals": list(SWEPT), "title": {"text": "columns D"}},
        yaxis2={"domain": [0, 0.38], "title": {"text": "nearest / farthest (%)"}, "range": [0, 100], "nticks": 4},
    )  # fmt: skip
    return fig


CONCENTRATION = Exhibit(
    "concentration",
    (Int("n_columns", "Columns D", 1, MOST_COLUMNS, help="Of 200 standard normal rows"),),
    concentration,
    draw_concentration,
    rows=(101,),
)

EXHIBITS = (ALARM, CONCENTRATION)
