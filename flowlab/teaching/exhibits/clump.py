"""The paradox of the clump: a better density that is a worse detector, what mends it, and what labels add."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import plotly.graph_objects as go
from scipy.stats import norm

from flowlab.controls import Choice, Flag, Float, Int
from flowlab.evaluation.two_sample import two_sample_tests
from flowlab.formatting import count, fixed, percent, plural
from flowlab.models.flows.families import SplineCouplingFlow
from flowlab.plots import theme
from flowlab.teaching.exhibit import Exhibit
from flowlab.toys.contaminated import Clump1D, Clump2D

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


@dataclass(frozen=True, eq=False)
class NoisyLabels:
    """A density fitted to the rows that are labelled normal, some of which are not.

    Attributes
    ----------
    missed, false, has_labels : as set
    grid, curve : (k,) share of the anomalies that lack their label, and the share of the clump then caught
    caught, auroc : by true labels; nan without labels, for then nobody can know them
    measured_auroc : AUROC that one computes with the noisy labels
    contamination : share of the clump among the rows that the density is fitted to
    """

    missed: float
    false: float
    has_labels: bool
    grid: np.ndarray
    curve: np.ndarray
    caught: float
    auroc: float
    measured_auroc: float
    contamination: float

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        if not self.has_labels:
            return (
                f"Without labels the density is fitted to all rows, {percent(self.contamination)} of them from the "
                "clump, and there is no recall and no AUROC to be shown: nobody knows them."
            )
        measured = ""
        if np.isfinite(self.measured_auroc):
            measured = f" The noisy labels themselves would report an AUROC of {fixed(self.measured_auroc)}."
        learned_from = (
            f"Where {percent(self.missed)} of the anomalies are labelled normal, the density learns the clump from them"
            if self.missed
            else "No anomaly is labelled normal: the density learns the bulk alone"
        )
        return f"{learned_from} and catches {percent(self.caught)} of the clump; AUROC {fixed(self.auroc)}.{measured}"


def noisy_labels(missed: float = 0.1, false: float = 0.0, has_labels: bool = True) -> NoisyLabels:
    """The exact density of the rows labelled normal: of the clump N(10, 0.1), a share `missed` is among them."""
    clump = Clump1D()
    rows = rows_of(clump)
    x = rows.x

    def score(share_unseen: float) -> np.ndarray:
        kept = clump.share * share_unseen
        bulk = norm.logpdf(x) + np.log1p(-clump.share)
        return -np.logaddexp(bulk, np.log(kept) + norm.logpdf(x, clump.distance, clump.width)) if kept else -bulk

    grid = np.linspace(0, 1, 21)
    curve = np.array([rows.caught(score(value)) for value in grid])
    unseen = missed if has_labels else 1.0
    value = score(unseen)
    labelled = np.where(rows.is_clump, 1 - missed, false) * rows.weight
    nan = float("nan")
    return NoisyLabels(
        missed, false, has_labels, grid, curve,
        rows.caught(value) if has_labels else nan,
        rows.auroc(value) if has_labels else nan,
        weighted_auroc(value, labelled, rows.weight - labelled) if has_labels else nan,
        clump.share * unseen / (clump.share * unseen + (1 - clump.share) * (1 - false * has_labels)),
    )  # fmt: skip


def draw_noisy_labels(result: NoisyLabels, dark: bool = False, height: int = 420) -> go.Figure:
    """The share caught against the share of anomalies labelled normal; without labels, that nothing is known."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "anomalies labelled normal (%)", "clump caught (%)")
    if result.has_labels:
        fig.add_scatter(
            x=100 * result.grid, y=100 * result.curve, mode="lines", line={"color": c.model, "width": 3},
            hovertemplate="%{x:.0f} % lack their label<br>%{y:.1f} % caught<extra></extra>",
        )  # fmt: skip
        fig.add_scatter(
            x=[100 * result.missed], y=[100 * result.caught], mode="markers",
            marker={"color": c.anomaly, "size": 13, "symbol": "diamond"}, hoverinfo="skip",
        )  # fmt: skip
    else:
        fig.add_scatter(x=[], y=[], mode="markers")
        fig.add_annotation(xref="paper", yref="paper", x=0.5, y=0.5, text="no labels: recall unknown", showarrow=False)
    fig.update_layout(showlegend=False)
    fig.update_xaxes(range=[-2, 102])
    fig.update_yaxes(range=[-3, 105])
    return fig


@dataclass(frozen=True, eq=False)
class Hidden:
    """Lecture 002's exercise in two dimensions.

    Attributes
    ----------
    shown : (m, 2) some of the rows that are not flagged
    flagged, flagged_is_clump : (k, 2), (k,) the rows with the highest scores
    missed_rows : (j, 2) rows of the clump that are not flagged
    reveal : whether the labels are shown
    n_normal, n_anomalous : numbers of rows
    caught : share of the clump that is flagged
    """

    shown: np.ndarray
    flagged: np.ndarray
    flagged_is_clump: np.ndarray
    missed_rows: np.ndarray
    reveal: bool
    n_normal: int
    n_anomalous: int
    caught: float

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        if not self.reveal:
            return (
                f"Of {count(self.n_normal + self.n_anomalous)} rows, the {count(len(self.flagged))} of the lowest "
                "density are marked. Which of them are anomalies is not shown yet."
            )
        found = int(self.flagged_is_clump.sum())
        return (
            f"Of {count(self.n_normal)} normal rows and {count(self.n_anomalous)} anomalies, "
            f"{count(len(self.flagged))} rows are marked; {count(found)} of these are anomalies, "
            f"{percent(self.caught)} of all anomalies."
        )


def hidden(n_flagged: int = 50, by_bulk: bool = False, reveal: bool = False) -> Hidden:
    """50,000 rows of which one in a thousand is of another Gaussian, judged by an exact density."""
    X, is_clump, log_p, log_bulk = _exercise()
    log_p = log_bulk if by_bulk else log_p
    top = np.argsort(log_p, kind="stable")[:n_flagged]
    rest = np.setdiff1d(np.arange(len(X)), top)
    return Hidden(
        X[rest[::20]], X[top], is_clump[top], X[rest[is_clump[rest]]], reveal, int((~is_clump).sum()),
        int(is_clump.sum()), float(is_clump[top].sum() / is_clump.sum()),
    )  # fmt: skip


@lru_cache(maxsize=1)
def _exercise() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The 50,000 rows, which are of the clump, and both exact log-densities."""
    exercise = Clump2D()
    X, component = exercise.sample_with_components(50_000, 0)
    return X, component == 1, exercise.log_density(X), exercise.log_density_of_bulk(X)


def draw_hidden(result: Hidden, dark: bool = False, height: int = 420) -> go.Figure:
    """Rows in the plane, the flagged ones marked; revealed, those that are anomalies are crosses."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "x1", "x2", square=True)
    fig.add_scattergl(
        x=result.shown[:, 0], y=result.shown[:, 1], mode="markers", hoverinfo="skip", name="rows",
        marker={"color": c.data, "size": 3, "opacity": 0.35},
    )  # fmt: skip
    groups = [("flagged", result.flagged, c.threshold, "circle-open")]
    if result.reveal:
        groups = [
            ("false alarms", result.flagged[~result.flagged_is_clump], c.data, "circle-open"),
            ("anomalies caught", result.flagged[result.flagged_is_clump], c.anomaly, "x"),
            ("anomalies missed", result.missed_rows, c.anomaly, "circle-open"),
        ]
    for name, rows, color, symbol in groups:
        fig.add_scatter(
            x=rows[:, 0], y=rows[:, 1], mode="markers", name=name, marker={"color": color, "size": 8, "symbol": symbol}
        )
    fig.update_xaxes(range=[-5, 7])
    fig.update_yaxes(range=[-5, 5])
    return fig


@dataclass(frozen=True, eq=False)
class Compared:
    """Two-sample tests of rows against draws from the bulk alone.

    Attributes
    ----------
    names : of the tests; the first, per column, is Kolmogorov and Smirnov's
    effects, p_values : (4,)
    per_axis : (2,) Kolmogorov-Smirnov distance of each column
    share, n : as set
    """

    names: tuple[str, ...]
    effects: np.ndarray
    p_values: np.ndarray
    per_axis: np.ndarray
    share: float
    n: int

    @property
    def lowest_p(self) -> float:
        """The smallest p-value of the four tests."""
        return float(self.p_values.min())

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        seen = int((self.p_values < 0.01).sum())
        return (
            f"Of {count(self.n)} rows {percent(self.share)} are of the clump, which the model lacks. "
            f"{seen} of 4 tests see it (p below 0.01); the lowest p-value is {fixed(self.lowest_p)}."
        )


def compared(share: float = 0.01, n: int = 600) -> Compared:
    """Rows with a share of the two-dimensional clump, against rows without it, by all four two-sample tests."""
    rng = np.random.default_rng(1)
    exercise = Clump2D()
    A = rng.standard_normal((2 * n, 2))
    A[:, 1] = exercise.correlation * A[:, 0] + np.sqrt(1 - exercise.correlation**2) * A[:, 1]
    rows, draws = A[:n].copy(), A[n:]
    k = round(share * n)
    rows[:k] = [exercise.distance, 0] + exercise.width * rng.standard_normal((k, 2))
    tests = two_sample_tests(rows, draws, 0, n_permutations=199)
    per_axis = tests[0].per_axis
    return Compared(
        ("Kolmogorov-Smirnov,<br>largest column", "energy distance", "mean discrepancy", "classifier"),
        np.array([test.effect for test in tests]),
        np.array([test.p_value for test in tests]),
        np.zeros(2) if per_axis is None else per_axis,
        share,
        n,
    )


def draw_compared(result: Compared, dark: bool = False, height: int = 420) -> go.Figure:
    """The p-value of each test on a logarithmic axis, and the level 0.01."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "p-value by permutation, log scale")
    fig.add_scatter(
        x=result.p_values, y=list(result.names), mode="markers+text", text=[f"{p:.3f}" for p in result.p_values],
        textposition="top center", marker={"color": c.model, "size": 14}, cliponaxis=False,
        customdata=result.effects, hovertemplate="%{y}: p %{x:.3f}, effect %{customdata:.3f}<extra></extra>",
    )  # fmt: skip
    fig.add_vline(0.01, line={"color": c.threshold, "width": 1.5})
    fig.add_annotation(x=-2, y=1, yref="paper", text="0.01", showarrow=False, xanchor="left", yanchor="top", xshift=4)
    fig.update_xaxes(type="log", range=[-3.6, 0.25], dtick=1)
    fig.update_yaxes(range=[3.5, -0.7])
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
    Exhibit(
        "noisy_labels",
        (
            Float("missed", "Anomalies labelled normal", 0, 1, 0.01, help="Share of the anomalies without their label"),
            Float("false", "Normal rows labelled anomalous", 0, 0.05, 0.001, help="Share of the normal rows"),
            Flag("has_labels", "There are labels", help="Without them all rows take part in the fit"),
        ),
        noisy_labels,
        draw_noisy_labels,
        rows=(99,),
    ),
    Exhibit(
        "hidden_clump",
        (
            Int("n_flagged", "Rows marked", 10, 500, 10, help="Those of the lowest density"),
            Flag("by_bulk", "Density of the bulk alone", help="Else the exact density of all rows"),
            Flag("reveal", "Reveal the labels", help="Which rows are of the second Gaussian"),
        ),
        hidden,
        draw_hidden,
        rows=(103,),
    ),
    Exhibit(
        "two_samples",
        (
            Float("share", "Share of the clump", 0, 0.2, 0.005, help="With 0 both samples have one distribution"),
            Int("n", "Rows of each", 50, 1000, 50, help="Rows of data, and draws of the model"),
        ),
        compared,
        draw_compared,
        rows=(97,),
        is_slow=True,
    ),
)
