"""The clump with labels and without: labels that are wrong, and fifty rows that hide until they are revealed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import plotly.graph_objects as go
from scipy.stats import norm

from flowlab.controls import Flag, Float, Int
from flowlab.formatting import count, fixed, percent
from flowlab.plots import theme
from flowlab.teaching.exhibit import Exhibit
from flowlab.teaching.exhibits.clump import rows_of, weighted_auroc
from flowlab.toys.contaminated import Clump1D, Clump2D


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


EXHIBITS = (
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
)
