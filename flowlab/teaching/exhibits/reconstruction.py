"""What a reconstruction error takes for granted: its reading as a likelihood, its losses, its parts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import plotly.graph_objects as go
from scipy.stats import norm

from flowlab.controls import Float, Int
from flowlab.datasets.dataset import Dataset, Part
from flowlab.datasets.simulated import make_cluster
from flowlab.formatting import count, fixed, percent, plain
from flowlab.models.autoencoders.autoencoder import Autoencoder, gaussian_reading
from flowlab.plots import theme
from flowlab.ranking import auroc
from flowlab.teaching.exhibit import Exhibit
from flowlab.toys.contaminated import WithOutliers
from flowlab.toys.shapes import Sine


@dataclass(frozen=True, eq=False)
class Reading:
    """A squared error beside the Gaussian log-likelihood that it is.

    Attributes
    ----------
    squared_error, sigma : of the marked row, and the noise around a reconstruction
    slope, intercept : -log p = slope * squared error + intercept, in nats
    nll, by_hand : -log p of that row by the map, and as the sum of the columns' Gaussian log-densities
    errors, lines : (m,) squared errors, and -log p there for half of sigma, sigma and its double, (3, m)
    """

    squared_error: float
    sigma: float
    slope: float
    intercept: float
    nll: float
    by_hand: float
    errors: np.ndarray
    lines: np.ndarray

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"A squared error of {fixed(self.squared_error, 2)} is {fixed(self.nll)} nats at sigma "
            f"{plain(self.sigma)}: {plain(self.slope)} times the error, plus {fixed(self.intercept)}."
        )


def reading(squared_error: float = 3.0, sigma: float = 0.5, n_features: int = 2) -> Reading:
    """-log N(x; reconstruction, sigma^2) = squared error / (2 sigma^2) + const, for equal noise in all columns."""
    found = gaussian_reading(squared_error, n_features, sigma)
    errors = np.linspace(0, 10, 51)
    deviations = np.zeros(n_features)
    deviations[0] = np.sqrt(squared_error)
    lines = [
        gaussian_reading(0.0, n_features, s).intercept + errors * gaussian_reading(0.0, n_features, s).slope
        for s in (sigma / 2, sigma, 2 * sigma)
    ]
    return Reading(
        squared_error, sigma, found.slope, found.intercept, found.negative_log_likelihood,
        float(-norm.logpdf(deviations, scale=sigma).sum()), errors, np.array(lines),
    )  # fmt: skip


def draw_reading(result: Reading, dark: bool = False, height: int = 420) -> go.Figure:
    """-log p against the squared error, a straight line for each sigma."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "squared error of a row", "-log p of the row (nats)")
    factors = ((0.5, c.muted, "dot"), (1, c.model, "solid"), (2, c.muted, "dash"))
    top = max(1.25 * result.nll, result.intercept + 1, float(result.lines[2, -1]))
    for (factor, color, dash), line in zip(factors, result.lines, strict=True):
        fig.add_scatter(
            x=result.errors, y=line, mode="lines", line={"color": color, "dash": dash},
            hovertemplate=f"sigma {result.sigma * factor:.3g}<br>error %{{x:.2f}}<br>%{{y:.3f}} nats<extra></extra>",
        )  # fmt: skip
        at = int(np.flatnonzero(line <= top)[-1]) if (line <= top).any() else 0
        fig.add_annotation(
            x=result.errors[at], y=line[at], text=f"σ = {result.sigma * factor:.3g}", showarrow=False, xanchor="right",
            yanchor="bottom", font={"color": color},
        )  # fmt: skip
    fig.add_scatter(
        x=[result.squared_error], y=[result.nll], mode="markers", hoverinfo="skip",
        marker={"color": c.anomaly, "size": 13, "symbol": "diamond"},
    )  # fmt: skip
    low = min(0.0, float(result.lines.min())) - 0.5
    fig.update_layout(showlegend=False, yaxis={"range": [low, top]}, xaxis={"range": [0, 10.2]})
    return fig


@dataclass(frozen=True, eq=False)
class Rulers:
    """A wave whose noise widens, judged with one ruler and with the exact density.

    Attributes
    ----------
    X, y : (n, 2), (n,) rows, 1 where one is an anomaly
    by_distance, by_density : (n,) whether a row is flagged, as many as there are anomalies
    auroc_distance, auroc_density : of both scores
    caught_distance, caught_density : shares of the anomalies flagged
    """

    X: np.ndarray
    y: np.ndarray
    by_distance: np.ndarray
    by_density: np.ndarray
    auroc_distance: float
    auroc_density: float
    caught_distance: float
    caught_density: float

    @property
    def margin(self) -> float:
        """How much higher the AUROC of the density is."""
        return self.auroc_density - self.auroc_distance

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"The distance to the wave reaches an AUROC of {fixed(self.auroc_distance)} and catches "
            f"{percent(self.caught_distance)} of the anomalies; the density reaches {fixed(self.auroc_density)} and "
            f"catches {percent(self.caught_density)}."
        )


def rulers(noise: float = 0.2, widening: float = 1.0, share: float = 0.05) -> Rulers:
    """The best that one ruler can do: the squared distance to the exact curve, beside the exact density."""
    wave = WithOutliers(Sine(noise, widening), share)
    X, component = wave.sample_with_components(4000, 0)
    y = (component == 0).astype(int)
    distance = (X[:, 1] - 1.5 * np.sin(1.5 * X[:, 0])) ** 2 + np.maximum(np.abs(X[:, 0]) - np.pi, 0) ** 2
    density = -wave.log_density(X)
    n = max(int(y.sum()), 1)
    flagged = []
    for score in (distance, density):
        top = np.zeros(len(X), bool)
        top[np.argsort(-score, kind="stable")[:n]] = True
        flagged.append(top)
    return Rulers(
        X, y, flagged[0], flagged[1], auroc(distance, y), auroc(density, y),
        float(y[flagged[0]].mean()), float(y[flagged[1]].mean()),
    )  # fmt: skip


def draw_rulers(result: Rulers, dark: bool = False, height: int = 420) -> go.Figure:
    """The rows; those that only one of the two scores flags are marked."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "x1", "x2")
    neither = ~(result.by_distance | result.by_density)
    groups = (
        ("neither flags", neither, {"color": c.data, "size": 3, "opacity": 0.4}),
        (
            "both flag",
            result.by_distance & result.by_density,
            {"color": c.anomaly, "size": 6, "symbol": "circle-open"},
        ),
        ("only the distance", result.by_distance & ~result.by_density, {"color": c.second, "size": 9, "symbol": "x"}),
        (
            "only the density",
            ~result.by_distance & result.by_density,
            {"color": c.truth, "size": 9, "symbol": "diamond"},
        ),
    )
    for name, rows, marker in groups:
        fig.add_scatter(x=result.X[rows, 0], y=result.X[rows, 1], mode="markers", name=name, marker=marker)
    return fig


LOSSES = {"squared": "squared", "absolute": "absolute", "huber": "Huber", "cross_entropy": "binary cross-entropy"}


HUBER = 0.1
"""Where the Huber loss of the exhibit turns from a parabola to a line."""


def loss_of(loss: str, x: float, reconstruction: np.ndarray) -> np.ndarray:
    """A loss between a number from 0 to 1 and reconstructions of it, (m,).

    >>> [float(loss_of(name, 0.5, np.array([0.25]))[0]) for name in ("squared", "absolute")]
    [0.0625, 0.25]
    """
    gap = np.abs(x - reconstruction)
    if loss == "squared":
        return gap**2
    if loss == "absolute":
        return gap
    if loss == "huber":
        return np.where(gap <= HUBER, gap**2 / (2 * HUBER), gap - HUBER / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [np.where(a > 0, -a * np.log(b), 0.0) for a, b in ((x, reconstruction), (1 - x, 1 - reconstruction))]
    return parts[0] + parts[1]


@dataclass(frozen=True, eq=False)
class Losses:
    """Losses of reconstructions of a number, and what constant each would choose for many numbers.

    Attributes
    ----------
    value : the number that is reconstructed
    grid : (m,) reconstructions
    curves : a loss of `LOSSES` -> (m,) its values there
    constants : a loss -> the constant with the lowest mean loss over 100 numbers, of which some are outliers
    outliers : share of the numbers that are 1; the others lie around 0.2
    """

    value: float
    grid: np.ndarray
    curves: dict[str, np.ndarray]
    constants: dict[str, float]
    outliers: float

    @property
    def squared(self) -> float:
        """Constant that the squared loss chooses."""
        return self.constants["squared"]

    @property
    def absolute(self) -> float:
        """Constant that the absolute loss chooses."""
        return self.constants["absolute"]

    @property
    def cross_entropy(self) -> float:
        """Constant that the cross-entropy chooses."""
        return self.constants["cross_entropy"]

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"With {percent(self.outliers)} outliers the squared loss and the cross-entropy settle on the mean, "
            f"{fixed(self.squared)}, the absolute one on the median, {fixed(self.absolute)}."
        )


def losses(value: float = 0.2, outliers: float = 0.2) -> Losses:
    """Four losses between a number from 0 to 1 and its reconstruction."""
    grid = np.linspace(0.001, 0.999, 999)
    n = round(100 * outliers)
    numbers = np.r_[np.ones(n), 0.2 + 0.05 * norm.ppf((np.arange(100 - n) + 0.5) / max(100 - n, 1))]
    constants = {
        name: float(grid[np.argmin(np.mean([loss_of(name, x, grid) for x in numbers], axis=0))]) for name in LOSSES
    }
    return Losses(value, grid, {name: loss_of(name, value, grid) for name in LOSSES}, constants, outliers)


def draw_losses(result: Losses, dark: bool = False, height: int = 420) -> go.Figure:
    """Each loss against the reconstruction."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "reconstruction", "loss")
    looks = zip(LOSSES.items(), (c.model, c.second, c.third, c.truth), ("solid", "dash", "dot", "dashdot"), strict=True)
    for (name, label), color, dash in looks:
        fig.add_scatter(
            x=result.grid, y=result.curves[name], mode="lines", name=label, line={"color": color, "dash": dash},
            hovertemplate="reconstruction %{x:.2f}<br>loss %{y:.3f}<extra>" + label + "</extra>",
        )  # fmt: skip
    fig.add_vline(result.value, line={"color": c.muted, "width": 1})
    fig.update_layout(xaxis={"range": [0, 1]}, yaxis={"range": [0, 1.5]})
    return fig


@dataclass(frozen=True, eq=False)
class ErrorMap:
    """Squared errors of an autoencoder by column and row.

    Attributes
    ----------
    columns : names of the columns with the largest errors on the shown rows
    rows : (m,) numbers of the shown rows
    errors : (len(columns), m) squared standard deviations
    row : the chosen one
    top_names, top_errors : the eight columns with the largest errors in that row
    share : of that row's error that the eight columns hold
    kind : 0 where the chosen row is normal, else the kind of fault
    """

    columns: tuple[str, ...]
    rows: np.ndarray
    errors: np.ndarray
    row: int
    top_names: tuple[str, ...]
    top_errors: np.ndarray
    share: float
    kind: int

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        what = "is normal" if self.kind == 0 else f"has a fault of kind {self.kind}"
        return (
            f"Row {count(self.row)} {what}. Its largest error is in {self.top_names[0]}; eight of 159 columns hold "
            f"{percent(self.share)} of its squared error."
        )


N_ROWS = 1000


@lru_cache(maxsize=1)
def _cluster() -> tuple[Dataset, np.ndarray]:
    dataset = make_cluster(n_rows=N_ROWS, seed=1)
    model = Autoencoder(n_latent=16, n_layers=1, n_steps=400, random_state=0).fit(dataset.part(Part.TRAIN))
    return dataset, model.feature_errors(dataset.X)


def error_map(row: int = 620, n_columns: int = 12) -> ErrorMap:
    """Trains an autoencoder on the simulated cluster's first rows; its errors by column on the later ones."""
    dataset, errors = _cluster()
    later = np.arange(N_ROWS // 2, N_ROWS)
    shown = np.argsort(-errors[later].mean(0))[:n_columns]
    top = np.argsort(-errors[row])[:8]
    classes = np.zeros(N_ROWS, int) if dataset.classes is None else dataset.classes
    return ErrorMap(
        tuple(dataset.columns[j] for j in shown), later, errors[later][:, shown].T, row,
        tuple(dataset.columns[j] for j in top), errors[row, top], float(errors[row, top].sum() / errors[row].sum()),
        int(classes[row]),
    )  # fmt: skip


def draw_error_map(result: ErrorMap, dark: bool = False, height: int = 420) -> go.Figure:
    """Heat map of errors over rows, and beside it the eight largest of the chosen row."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "row")
    fig.add_heatmap(
        x=result.rows, y=list(result.columns), z=np.log10(result.errors + 1e-2), showscale=False,
        colorscale=theme.colorscale(c.sequential), customdata=result.errors,
        hovertemplate="row %{x}<br>%{y}<br>squared error %{customdata:.3g}<extra></extra>",
    )  # fmt: skip
    fig.add_bar(
        x=result.top_errors[::-1], y=list(result.top_names[::-1]), orientation="h", xaxis="x2", yaxis="y2",
        marker={"color": c.anomaly}, hovertemplate="%{y}<br>squared error %{x:.3g}<extra></extra>",
    )  # fmt: skip
    if result.row >= result.rows[0]:
        fig.add_vline(result.row, line={"color": c.anomaly, "width": 2})
    fig.update_layout(
        showlegend=False,
        xaxis={"domain": [0, 0.58]},
        xaxis2={"domain": [0.78, 1], "title": {"text": f"squared error, row {result.row}"}},
        yaxis2={"anchor": "x2", "showgrid": False},
    )
    return fig


EXHIBITS = (
    Exhibit(
        "gaussian_reading",
        (
            Float("squared_error", "Squared error", 0, 10, 0.1, help="Sum over the columns of a row"),
            Float("sigma", "Noise sigma", 0.1, 3, 0.05, help="Standard deviation around the reconstruction"),
            Int("n_features", "Columns", 1, 20, help="Each adds log sigma + log(2 pi)/2 to the constant"),
        ),
        reading,
        draw_reading,
        rows=(4, 5),
    ),
    Exhibit(
        "rulers",
        (
            Float("noise", "Noise", 0.05, 0.6, 0.05, help="Standard deviation in the middle of the wave"),
            Float("widening", "Widening", 0, 2, 0.1, help="0: the same noise everywhere"),
            Float("share", "Share of anomalies", 0.01, 0.2, 0.01, help="Spread evenly over the window"),
        ),
        rulers,
        draw_rulers,
        rows=(6,),
    ),
    Exhibit(
        "reconstruction_losses",
        (
            Float("value", "Number to reconstruct", 0, 1, 0.05, help="From 0 to 1, as a grey level"),
            Float("outliers", "Share of outliers", 0, 0.9, 0.01, help="Of the numbers that one constant stands for"),
        ),
        losses,
        draw_losses,
        rows=(127,),
    ),
    Exhibit(
        "error_map",
        (
            Int("row", "Row", 500, N_ROWS - 1, 1, help="Whose eight largest errors stand at the right"),
            Int("n_columns", "Columns shown", 4, 20, help="Those with the largest errors on the later rows"),
        ),
        error_map,
        draw_error_map,
        rows=(7,),
        is_slow=True,
    ),
)
