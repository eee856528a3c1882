"""Entropy and divergences of two histograms, in bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from scipy.special import rel_entr, xlogy
from scipy.stats import norm

from flowlab.controls import Float, Int
from flowlab.formatting import fixed
from flowlab.plots import theme
from flowlab.teaching.exhibit import Exhibit

REACH = 6.0
"""Bins lie between minus and plus this; what lies beyond is counted in the outermost ones."""


@dataclass(frozen=True, eq=False)
class TwoHistograms:
    """Probabilities of two distributions over the same bins, and how far they are apart, in bits.

    Attributes
    ----------
    edges : (n_bins + 1,)
    p, q : (n_bins,) probabilities; p has two bumps, q has one
    """

    edges: np.ndarray
    p: np.ndarray
    q: np.ndarray

    @property
    def entropy_p(self) -> float:
        """H(p)."""
        return _entropy(self.p)

    @property
    def entropy_q(self) -> float:
        """H(q)."""
        return _entropy(self.q)

    @property
    def kl_p_q(self) -> float:
        """KL(p, q), infinite where q gives a bin nothing that p gives something."""
        return _kl(self.p, self.q)

    @property
    def kl_q_p(self) -> float:
        """KL(q, p)."""
        return _kl(self.q, self.p)

    @property
    def jensen_shannon(self) -> float:
        """Mean divergence of both from their mean: symmetric, at most one bit."""
        mean = (self.p + self.q) / 2
        return (_kl(self.p, mean) + _kl(self.q, mean)) / 2

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        there, back = (_bits(value) for value in (self.kl_p_q, self.kl_q_p))
        return (
            f"H(p) is {fixed(self.entropy_p, 2)} bits and H(q) {fixed(self.entropy_q, 2)} bits. KL(p, q) is {there}, "
            f"KL(q, p) {back}; Jensen-Shannon, {fixed(self.jensen_shannon, 2)} bits, is the same both ways and never "
            "above 1."
        )


def two_histograms(distance: float = 4.0, mean: float = 0.0, width: float = 2.0, n_bins: int = 24) -> TwoHistograms:
    """Histograms of p, two bumps of standard deviation 0.7 that lie `distance` apart, and of q, one Gaussian."""
    edges = np.linspace(-REACH, REACH, n_bins + 1)
    p = (_masses(edges, -distance / 2, 0.7) + _masses(edges, distance / 2, 0.7)) / 2
    return TwoHistograms(edges, p, _masses(edges, mean, width))


def _masses(edges: np.ndarray, mean: float, width: float) -> np.ndarray:
    ends = np.r_[-np.inf, edges[1:-1], np.inf]
    below, above = norm.cdf(ends, mean, width), norm.sf(ends, mean, width)
    return np.where(edges[:-1] < mean, np.diff(below), -np.diff(above))


def _entropy(p: np.ndarray) -> float:
    return float(-xlogy(p, p).sum() / np.log(2)) + 0.0


def _kl(p: np.ndarray, q: np.ndarray) -> float:
    return float(max(rel_entr(p, q).sum() / np.log(2), 0.0))


def _bits(value: float) -> str:
    return f"{fixed(value, 2)} bits" if np.isfinite(value) else "infinite"


def draw_two_histograms(result: TwoHistograms, dark: bool = False, height: int = 420) -> go.Figure:
    """Both histograms, p upwards and q downwards, and the four numbers as bars beside them."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "bin", "probability")
    middle, bin_width = (result.edges[1:] + result.edges[:-1]) / 2, np.diff(result.edges)
    for name, values, color in (("p", result.p, c.truth), ("q", -result.q, c.model)):
        fig.add_bar(
            x=middle, y=values, width=bin_width, name=name, customdata=np.abs(values), offset=None,
            marker={"color": theme.translucent(color, 0.6), "line": {"color": color, "width": 1}},
            hovertemplate=name + " of bin %{x:.2f}<br>%{customdata:.4f}<extra></extra>",
        )  # fmt: skip
    top = 1.15 * float(max(result.p.max(), result.q.max()))
    for name, y, color in (("p", top * 0.9, c.truth), ("q", -top * 0.9, c.model)):
        fig.add_annotation(x=-REACH, y=y, text=name, showarrow=False, xanchor="left", font={"size": 18, "color": color})
    names = ["H(p)", "H(q)", "KL(p,q)", "KL(q,p)", "JS"]
    sizes = [result.entropy_p, result.entropy_q, result.kl_p_q, result.kl_q_p, result.jensen_shannon]
    highest = max([value for value in sizes if np.isfinite(value)] + [1.0])
    fig.add_bar(
        x=names, y=[value if np.isfinite(value) else highest * 1.2 for value in sizes], xaxis="x2", yaxis="y2",
        marker={"color": [c.truth, c.model, c.anomaly, c.anomaly, c.second], "opacity": 0.8}, cliponaxis=False,
        text=[fixed(value, 2) if np.isfinite(value) else "∞" for value in sizes], textposition="outside",
        hoverinfo="skip",
    )  # fmt: skip
    ticks = np.linspace(-1, 1, 5) * round(top * 0.8, 2)
    fig.update_layout(
        barmode="overlay", showlegend=False, bargap=0.35,
        xaxis={"domain": [0, 0.47], "range": [-REACH, REACH]},
        yaxis={"range": [-top, top], "tickvals": ticks, "ticktext": [fixed(abs(t), 2) for t in ticks]},
        xaxis2={"domain": [0.57, 1], "tickangle": 0, "anchor": "y2"},
        yaxis2={"anchor": "x2", "title": {"text": "bits"}, "range": [0, highest * 1.35]},
    )  # fmt: skip
    return fig


DIVERGENCES = Exhibit(
    "divergences",
    (
        Float("distance", "Distance of the bumps of p", 0, 8, 0.1, help="0: one bump"),
        Float("mean", "Mean of q", -4, 4, 0.1),
        Float("width", "Width of q", 0.2, 4, 0.05, help="Standard deviation"),
        Int("n_bins", "Bins", 2, 60, help="Entropy rises with their number; divergences settle"),
    ),
    two_histograms,
    draw_two_histograms,
    rows=(135,),
)

EXHIBITS = (DIVERGENCES,)
