"""From score to decision: the sign of a threshold, what it costs, how it carries over, and who else does as well."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import plotly.graph_objects as go
from scipy.spatial.distance import cdist
from scipy.special import logsumexp
from scipy.stats import norm, qmc

from flowlab.controls import Choice, Flag, Float, Int
from flowlab.datasets.dataset import Dataset, Part
from flowlab.datasets.simulated import make_cluster
from flowlab.detection import timeline
from flowlab.detection.cost import CostModel, cost_curve
from flowlab.detection.labelled import least_cost
from flowlab.formatting import brief_seconds, count, fixed, percent, plain, plural
from flowlab.plots import theme
from flowlab.plots.score_axis import ScoreAxis
from flowlab.plots.threshold import score_over_time
from flowlab.ranking import auroc
from flowlab.teaching.exhibit import Exhibit
from flowlab.toys.base import LOG_2PI, LOG_2PI_E
from flowlab.toys.contaminated import Clump2D

LOG_ROWS = 16
"""Shares of lecture 002's exercise are counted on two to this many quasi-random rows of each Gaussian."""


@lru_cache(maxsize=1)
def _exercise() -> tuple[np.ndarray, np.ndarray]:
    """Exact log-densities, of the bulk alone and of the mixture, of rows of X1 and of X2: two of (2, n), sorted."""
    exercise = Clump2D()
    z = norm.ppf(qmc.Sobol(2, rng=0).random_base2(LOG_ROWS))
    r = exercise.correlation
    x1 = np.column_stack([z[:, 0], r * z[:, 0] + np.sqrt(1 - r**2) * z[:, 1]])
    x2 = [exercise.distance, 0.0] + exercise.width * z
    found = [np.sort([exercise.log_density_of_bulk(rows), exercise.log_density(rows)], axis=1) for rows in (x1, x2)]
    return found[0], found[1]


@dataclass(frozen=True, eq=False)
class Selected:
    """The rows {log p <= alpha}, which are {-log p >= theta} for theta = -alpha.

    Attributes
    ----------
    alpha, theta : the two thresholds, nats
    grid : (m,) values of alpha
    x1, x2 : (2, m) share of normal rows and of anomalies selected there, by the bulk alone and by the mixture
    bulk_x1, bulk_x2, mixture_x1, mixture_x2 : at alpha
    at_a_thousandth_bulk, at_a_thousandth_mixture : share of X2 where 0.1 % of X1 are selected
    differ : rows that only one of the two forms selects
    """

    alpha: float
    theta: float
    grid: np.ndarray
    x1: np.ndarray
    x2: np.ndarray
    bulk_x1: float
    bulk_x2: float
    mixture_x1: float
    mixture_x2: float
    at_a_thousandth_bulk: float
    at_a_thousandth_mixture: float
    differ: int

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"At alpha {plain(self.alpha)}, which is theta {plain(self.theta)}, the bulk's density selects "
            f"{percent(self.bulk_x2)} of X2 and {percent(self.bulk_x1)} of X1, the mixture's "
            f"{percent(self.mixture_x2)} and {percent(self.mixture_x1)}."
        )


def selected(alpha: float = -9.0) -> Selected:
    """Shares of X1 and X2 with a log-density of at most alpha, from the exact densities."""
    x1, x2 = _exercise()
    grid = np.linspace(-16, -1, 121)

    def shares(ordered: np.ndarray, at: np.ndarray | float) -> np.ndarray:
        return np.array([np.searchsorted(row, at, side="right") / row.size for row in ordered])

    theta = -alpha
    at_x1, at_x2 = shares(x1, alpha), shares(x2, alpha)
    bulk, mixture = (float(np.mean(x2[i] <= np.quantile(x1[i], 0.001))) for i in (0, 1))
    differ = int(np.sum((x2 <= alpha) != (-x2 >= theta)))
    return Selected(
        alpha, theta, grid, shares(x1, grid), shares(x2, grid), float(at_x1[0]), float(at_x2[0]), float(at_x1[1]),
        float(at_x2[1]), bulk, mixture, differ,
    )  # fmt: skip


def draw_selected(result: Selected, dark: bool = False, height: int = 420) -> go.Figure:
    """Shares against alpha: anomalies and normal rows, by both densities."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "alpha = -theta (nats)", "selected (%)")
    for i, (name, color) in enumerate((("bulk alone", c.model), ("exact mixture", c.truth))):
        for values, what, dash in ((result.x2, "X2", "solid"), (result.x1, "X1", "dot")):
            fig.add_scatter(
                x=result.grid, y=100 * values[i], mode="lines", name=f"{what}, {name}",
                line={"color": color, "dash": dash},
                hovertemplate="alpha %{x:.2f}<br>%{y:.2f} %<extra>" + f"{what}, {name}</extra>",
            )  # fmt: skip
    fig.add_scatter(
        x=[result.alpha] * 2, y=[100 * result.bulk_x2, 100 * result.mixture_x2], mode="markers", showlegend=False,
        marker={"color": c.anomaly, "size": 11, "symbol": "diamond"}, hoverinfo="skip",
    )  # fmt: skip
    fig.add_vline(result.alpha, line={"color": c.threshold, "width": 1.5})
    fig.update_yaxes(range=[-2, 102])
    return fig


SCORES = {"kde": "kernel density", "squares": "sum of z²", "largest": "largest |z|"}
N_ROWS = 2400
GAP = slice(1750, 1800)
"""Rows that are left out, as if the recorder had stopped."""


@lru_cache(maxsize=1)
def _cluster() -> Dataset:
    return make_cluster(n_rows=N_ROWS, seed=3)


@lru_cache(maxsize=4)
def _scores(score: str) -> tuple[np.ndarray, float]:
    """Anomaly scores of the cluster's rows in training standard deviations, and the seconds they took."""
    began = time.perf_counter()
    data = _cluster()
    trained = data.part(Part.TRAIN)
    S = (data.X - trained.mean(0)) / trained.std(0)
    if score == "squares":
        found = (S**2).sum(1)
    elif score == "largest":
        found = np.abs(S).max(1)
    else:
        known = S[data.rows(Part.TRAIN)]
        d = S.shape[1]
        log_kernel = -0.5 * cdist(S, known, "sqeuclidean") / BANDWIDTH**2
        constant = d * (np.log(BANDWIDTH) + 0.5 * LOG_2PI) + np.log(len(known))
        found = constant - logsumexp(log_kernel, axis=1)
    return found, time.perf_counter() - began


BANDWIDTH = 0.5
"""Of the kernel density, in training standard deviations, as in the course."""


@dataclass(frozen=True, eq=False)
class Costs:
    """What thresholds cost on validation rows, and what they then cost on test rows.

    Attributes
    ----------
    score : which
    thresholds, validation, test : (m,) thresholds, and the cost on both parts
    value, plateau : the cheapest threshold on validation rows, and the ends between which all cost the same there
    on_validation, on_test : its cost on both
    best_on_test : the lowest cost that any threshold has on test rows
    coarse_on_validation, coarse_on_test : costs of the best of a few evenly spaced thresholds
    never_on_test : cost of never alarming
    """

    score: str
    thresholds: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    value: float
    plateau: tuple[float, float]
    on_validation: float
    on_test: float
    best_on_test: float
    coarse_on_validation: float
    coarse_on_test: float
    never_on_test: float

    @property
    def plateau_width(self) -> float:
        """Length of the plateau, in units of the score."""
        return self.plateau[1] - self.plateau[0]

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"The cheapest threshold on validation rows costs {plain(self.on_validation)} there and "
            f"{plain(self.on_test)} on test rows, where the best possible one costs {plain(self.best_on_test)} and "
            f"never alarming {plain(self.never_on_test)}."
        )


def costs(score: str = "kde", c_missed: float = 5.0, tolerance: int = 12, n_steps: int = 20) -> Costs:
    """The course's cost model on the simulated cluster: false alarms cost 1, missed rows `c_missed`."""
    data = _cluster()
    found, _ = _scores(score)
    y = np.zeros(len(data)) if data.y is None else data.y
    model = CostModel(c_missed=c_missed, tolerance=tolerance)
    parts = {part: data.rows(part) for part in (Part.VALIDATION, Part.TEST)}
    curves = {part: cost_curve(found[rows], y[rows], model, rows) for part, rows in parts.items()}
    rows = parts[Part.VALIDATION]
    prices: dict[str, Any] = {"c_missed": c_missed, "tolerance": float(tolerance), "position": rows}
    best = least_cost(found[rows], y[rows], **prices)
    few = np.linspace(found[rows].min(), found[rows].max(), n_steps)
    coarse = least_cost(found[rows], y[rows], candidates=few, **prices)
    low, high = np.quantile(found[np.r_[rows, parts[Part.TEST]]], [0.02, 0.99])
    plateau = best.plateau or (best.value, best.value)
    finite = [end if np.isfinite(end) else float(found.max()) for end in plateau]
    value = best.value if np.isfinite(best.value) else float(found.max()) + 1.0
    span = max(high - low, 1e-9)
    grid = np.unique(np.r_[np.linspace(low - 0.1 * span, high, 400), value, finite])
    everything = np.r_[np.unique(found[parts[Part.TEST]]), np.inf]
    on = {part: lambda t, curve=curve: float(curve.cost(t)) for part, curve in curves.items()}
    return Costs(
        score, grid, curves[Part.VALIDATION].cost(grid), curves[Part.TEST].cost(grid), value, (finite[0], finite[1]),
        on[Part.VALIDATION](value), on[Part.TEST](value), float(curves[Part.TEST].cost(everything).min()),
        on[Part.VALIDATION](coarse.value), on[Part.TEST](coarse.value), on[Part.TEST](np.inf),
    )  # fmt: skip


def draw_costs(result: Costs, dark: bool = False, height: int = 420) -> go.Figure:
    """Cost against the threshold on both parts, the plateau shaded and the chosen threshold as a line."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, f"threshold ({SCORES[result.score]})", "cost")
    for name, values, color, dash in (
        ("validation rows", result.validation, c.second, "solid"),
        ("test rows", result.test, c.model, "dash"),
    ):
        fig.add_scatter(
            x=result.thresholds, y=values, mode="lines", name=name, line={"color": color, "dash": dash, "shape": "hv"},
            hovertemplate="threshold %{x:.4g}<br>cost %{y:.0f}<extra>" + name + "</extra>",
        )  # fmt: skip
    low, high = result.plateau
    if high > low:
        fig.add_vrect(x0=low, x1=high, fillcolor=c.threshold, opacity=0.12, line_width=0)
    fig.add_vline(result.value, line={"color": c.threshold, "width": 1.5})
    fig.add_annotation(
        x=result.value, y=1, yref="paper", text="cheapest on validation", showarrow=False, xanchor="left", xshift=5,
        yanchor="top",
    )  # fmt: skip
    fig.update_yaxes(rangemode="tozero")
    return fig


@dataclass(frozen=True, eq=False)
class AlarmSignal:
    """Scores over time with a gap in the recording.

    Attributes
    ----------
    time, scores : (m,) as drawn; nan breaks the line
    events : begin and end of the labelled faults
    parts : training, validation and test rows in time
    threshold : the score from which rows are alarms
    alarms, n_rows, n_breaks : how many rows are alarms, rows in all, and breaks of the line
    """

    time: np.ndarray
    scores: np.ndarray
    events: list[tuple]
    parts: list[tuple]
    threshold: float
    alarms: int
    n_rows: int
    n_breaks: int

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"Of {count(self.n_rows)} rows, {count(self.alarms)} are alarms; the line breaks "
            f"{plural(self.n_breaks, 'time')}, where nothing was recorded."
        )


def alarm_signal(share: float = 0.05, gap: bool = True) -> AlarmSignal:
    """The cluster's sum of z² over its timestamps, with alarms for the `share` of rows that score highest."""
    data = _cluster()
    found, _ = _scores("squares")
    kept = np.delete(np.arange(len(data)), GAP) if gap else np.arange(len(data))
    when = np.arange(len(data)) if data.time is None else data.time
    y = np.zeros(len(data)) if data.y is None else data.y
    threshold = float(np.quantile(found[kept], 1 - share))
    at, scores = timeline.signal(when[kept], found[kept])
    return AlarmSignal(
        at, scores, timeline.events(when[kept], y[kept]), timeline.parts_in_time(when[kept], data.split[kept]),
        threshold, int((found[kept] >= threshold).sum()), len(kept), int(np.isnan(scores).sum()),
    )  # fmt: skip


def draw_alarm_signal(result: AlarmSignal, dark: bool = False, height: int = 420) -> go.Figure:
    """As the Detect page draws it: scores, alarms, labelled faults and the parts of the table."""
    axis = ScoreAxis.of(result.scores[np.isfinite(result.scores)], "sum of z²")
    return score_over_time(
        axis, result.time, result.scores, result.threshold, result.events, result.parts, "time", dark, height
    )


@dataclass(frozen=True, eq=False)
class Rivals:
    """Detectors of the cluster side by side: a density and one-line rivals.

    Attributes
    ----------
    names : of the detectors
    auroc, cost, seconds : (k,) on test rows, the cost at the threshold that is cheapest on validation rows
    """

    names: tuple[str, ...]
    auroc: np.ndarray
    cost: np.ndarray
    seconds: np.ndarray

    @property
    def kde(self) -> float:
        """AUROC of the kernel density."""
        return float(self.auroc[0])

    @property
    def squares(self) -> float:
        """AUROC of the sum of squares."""
        return float(self.auroc[1])

    @property
    def best_column(self) -> float:
        """AUROC of the one column that is best on validation rows."""
        return float(self.auroc[3])

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        best = int(np.argmax(self.auroc))
        return (
            f"The highest AUROC, {fixed(float(self.auroc[best]))}, has: {self.names[best]}. The kernel density has "
            f"{fixed(self.kde)} and took {brief_seconds(float(self.seconds[0]))}; the sum of squares has "
            f"{fixed(self.squares)} and took {brief_seconds(float(self.seconds[1]))}."
        )


def rivals(c_missed: float = 5.0) -> Rivals:
    """Kernel density, sum of z², largest |z|, the best single column on validation rows, and a coin."""
    data = _cluster()
    y = np.zeros(len(data)) if data.y is None else data.y
    trained = data.part(Part.TRAIN)
    validation, test = data.rows(Part.VALIDATION), data.rows(Part.TEST)
    found = {SCORES[score]: _scores(score) for score in SCORES}
    began = time.perf_counter()
    Z = np.abs(data.X - trained.mean(0)) / trained.std(0)
    j = int(np.argmax([auroc(Z[validation, k], y[validation]) for k in range(Z.shape[1])]))
    found[f"|z| of {data.columns[j]}"] = Z[:, j], time.perf_counter() - began
    found["a coin"] = np.random.default_rng(0).random(len(data)), 0.0
    model = CostModel(c_missed=c_missed, tolerance=12)
    prices = []
    for scores, _ in found.values():
        chosen = least_cost(scores[validation], y[validation], c_missed=c_missed, tolerance=12.0, position=validation)
        prices.append(float(cost_curve(scores[test], y[test], model, test).cost(chosen.value)))
    return Rivals(
        tuple(found),
        np.array([auroc(scores[test], y[test]) for scores, _ in found.values()]),
        np.array(prices),
        np.array([seconds for _, seconds in found.values()]),
    )


def draw_rivals(result: Rivals, dark: bool = False, height: int = 420) -> go.Figure:
    """A bar for each detector with its AUROC, its cost and its seconds."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "AUROC on test rows")
    fig.add_bar(
        x=result.auroc, y=list(result.names), orientation="h", marker={"color": [c.model] + [c.data] * 4},
        text=[f"{a:.3f}, cost {p:.0f}" for a, p in zip(result.auroc, result.cost, strict=True)],
        textposition="inside", insidetextanchor="end", customdata=result.seconds,
        hovertemplate="%{y}<br>AUROC %{x:.3f}<br>%{customdata:.3f} s<extra></extra>",
    )  # fmt: skip
    fig.update_yaxes(autorange="reversed", showgrid=False)
    fig.update_xaxes(range=[0, 1.02])
    return fig


@dataclass(frozen=True, eq=False)
class NegativeLoss:
    """The lowest loss that is possible for independent Gaussian columns, against their spread.

    Attributes
    ----------
    sd, n_features : of each column, and how many
    spreads, losses : (m,)
    loss : entropy of all columns, in nats
    zero_at : the spread at which it is 0
    """

    sd: float
    n_features: int
    spreads: np.ndarray
    losses: np.ndarray
    loss: float
    zero_at: float

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        side = "below" if self.loss < 0 else "above"
        return (
            f"With {self.n_features} columns of spread {plain(self.sd)} the best loss is {fixed(self.loss, 1)} nats, "
            f"{side} 0; it is 0 at a spread of {fixed(self.zero_at)}."
        )


def negative_loss(sd: float = 0.1, n_features: int = 159) -> NegativeLoss:
    """Entropy of independent Gaussians, n (log sd + log(2 pi e) / 2): the loss of the exact density."""
    spreads = np.geomspace(0.01, 3, 120)
    half = 0.5 * LOG_2PI_E
    return NegativeLoss(
        sd, n_features, spreads, n_features * (np.log(spreads) + half), n_features * float(np.log(sd) + half),
        float(np.exp(-half)),
    )  # fmt: skip


def draw_negative_loss(result: NegativeLoss, dark: bool = False, height: int = 420) -> go.Figure:
    """The best loss against the spread, with the zero line."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "spread of each column, log scale", "best loss (nats)")
    fig.add_scatter(
        x=result.spreads, y=result.losses, mode="lines", line={"color": c.truth, "width": 3},
        hovertemplate="spread %{x:.3f}<br>%{y:.1f} nats<extra></extra>",
    )  # fmt: skip
    fig.add_scatter(
        x=[result.sd], y=[result.loss], mode="markers+text", text=[f"{result.loss:.1f} nats"],
        textposition="top left" if result.sd > 0.3 else "bottom right",
        marker={"color": c.anomaly, "size": 13, "symbol": "diamond"},
    )  # fmt: skip
    fig.add_hline(0, line={"color": c.muted, "dash": "dot"})
    fig.update_layout(showlegend=False)
    fig.update_xaxes(type="log", tickvals=[0.01, 0.03, 0.1, 0.3, 1, 3])
    return fig


MISSED = Float("c_missed", "Price of a missed row", 0, 50, 1, help="A false alarm costs 1")

EXHIBITS = (
    Exhibit(
        "alpha",
        (Float("alpha", "Alpha (nats)", -16, -1, 0.25, help="Rows with a log-density of at most this are selected"),),
        selected,
        draw_selected,
        rows=(102, 106),
    ),
    Exhibit(
        "costs",
        (
            Choice("score", "Score", SCORES, help="What the rows are judged by"),
            MISSED,
            Int("tolerance", "Tolerance", 0, 48, help="Rows by which an alarm may miss an anomaly, either way"),
            Int("n_steps", "Steps of a coarse search", 2, 200, help="Evenly spaced thresholds, beside all of them"),
        ),
        costs,
        draw_costs,
        rows=(41,),
        is_slow=True,
    ),
    Exhibit(
        "alarm_signal",
        (
            Float("share", "Share of alarms", 0.005, 0.5, 0.005, help="Rows with the highest scores"),
            Flag("gap", "A gap in the recording", help="Leaves 50 rows out"),
        ),
        alarm_signal,
        draw_alarm_signal,
        rows=(40,),
        is_slow=True,
    ),
    Exhibit("rivals", (MISSED,), rivals, draw_rivals, rows=(38, 42), is_slow=True),
    Exhibit(
        "negative_loss",
        (
            Float("sd", "Spread of each column", 0.01, 3, 0.01, help="Standard deviation, in the units of the data"),
            Int("n_features", "Columns", 1, 300, help="Independent Gaussians"),
        ),
        negative_loss,
        draw_negative_loss,
        rows=(39,),
    ),
)
