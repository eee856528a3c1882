"""Pictures beside the threshold: where the rules put it, why a row is flagged, what has shifted since training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from flowlab.detection.drift import STRONG
from flowlab.plots import theme
from flowlab.plots.detect import threshold_line
from flowlab.plots.scoreaxis import ScoreAxis


def rules_picture(
    axis: ScoreAxis,
    labels: Sequence[str],
    values: np.ndarray,
    intervals: Sequence[tuple[float, float] | None],
    flagged_share: np.ndarray,
    low: float,
    high: float,
    current: float,
    dark: bool = False,
) -> go.Figure:
    """Where each rule puts the threshold, with intervals, and how much it flags; refusals (inf) are left out."""
    c = theme.colors(dark)
    answered = [i for i, value in enumerate(values) if np.isfinite(value)]
    fig = theme.figure(dark, height=90 + 28 * max(len(answered), 1))
    shown = np.clip([values[i] for i in answered], low, high)
    for row, i in enumerate(answered):
        if intervals[i] is not None:
            ends = axis.place(np.clip(intervals[i], low, high))
            fig.add_scatter(
                x=ends, y=[row, row], mode="lines", line={"color": c.second, "width": 4}, opacity=0.4, hoverinfo="skip"
            )
    fig.add_scatter(
        x=axis.place(shown),
        y=np.arange(len(answered)),
        mode="markers+text",
        text=[f"  {100 * flagged_share[i]:.3g} %" for i in answered],
        textposition="middle right",
        marker={"color": c.second, "size": 10, "symbol": "diamond"},
        customdata=[f"{values[i]:.5g}" for i in answered],
        hovertemplate="threshold %{customdata}<extra></extra>",
    )
    threshold_line(fig, c, axis, current, low, high, label=False)
    fig.update_layout(showlegend=False)
    fig.update_yaxes(tickvals=list(range(len(answered))), ticktext=[labels[i] for i in answered], showgrid=False)
    fig.update_yaxes(range=[len(answered) - 0.5, -0.5])
    axis.apply(fig, low, high)
    ends = axis.place([low, high])
    fig.update_xaxes(range=[ends[0] - 0.04 * np.ptp(ends), ends[1] + 0.14 * np.ptp(ends)], tickangle=0)
    return fig


def agreement_heatmap(labels: Sequence[str], overlap: np.ndarray, dark: bool = False) -> go.Figure:
    """Share of rows that two rules agree on, of those either flags; (k, k), nan where neither flags."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height=90 + 28 * max(len(labels), 3))
    fig.add_heatmap(
        z=100 * overlap,
        x=list(labels),
        y=list(labels),
        zmin=0,
        zmax=100,
        colorscale=[[0, c.background], [1, c.model]],
        text=[["" if np.isnan(v) else f"{100 * v:.0f}" for v in row] for row in overlap],
        texttemplate="%{text}",
        xgap=2,
        ygap=2,
        colorbar={"title": {"text": "agree (%)", "font": {"size": 12}}, "thickness": 10, "outlinewidth": 0},
        hovertemplate="%{x} and %{y}: %{z:.0f} %<extra></extra>",
    )
    fig.update_yaxes(autorange="reversed", showgrid=False)
    fig.update_xaxes(showgrid=False, tickangle=-40)
    return fig


def reasons_bars(
    names: Sequence[str], contributions: np.ndarray, unit: str, dark: bool = False, n_shown: int = 8
) -> go.Figure:
    """What the features with the largest contributions add to the anomaly score, largest on top."""
    c = theme.colors(dark)
    names, contributions = list(names)[:n_shown], np.asarray(contributions)[:n_shown]
    fig = theme.figure(dark, height=70 + 28 * max(len(names), 2), x_title=f"part of the anomaly score ({unit})")
    fig.add_bar(
        x=contributions,
        y=[name if len(name) <= 24 else name[:23] + "…" for name in names],
        orientation="h",
        marker={"color": np.where(contributions > 0, c.anomaly, c.data).tolist()},
        hovertemplate="%{y}: %{x:.4g}<extra></extra>",
    )
    fig.update_yaxes(autorange="reversed", showgrid=False)
    return fig


def shift_bars(names: Sequence[str], shift: np.ndarray, dark: bool = False, n_shown: int = 10) -> go.Figure:
    """Population stability index of the columns that shifted most, with the mark of a strong shift at 0.25."""
    c = theme.colors(dark)
    order = np.argsort(-shift, kind="stable")[:n_shown]
    fig = theme.figure(dark, height=80 + 28 * max(len(order), 2), x_title="population stability index")
    strong = shift[order] >= STRONG
    fig.add_bar(
        x=shift[order],
        y=[names[j] if len(names[j]) <= 24 else names[j][:23] + "…" for j in order],
        orientation="h",
        marker={
            "color": np.where(strong, c.anomaly, c.data).tolist(),
            "pattern": {"shape": ["/" if s else "" for s in strong], "fgcolor": c.background, "fillmode": "overlay"},
        },
        hovertemplate="%{y}: %{x:.3f}<extra></extra>",
    )
    fig.add_vline(x=STRONG, line={"color": c.threshold, "width": 1, "dash": "dot"})
    fig.update_yaxes(autorange="reversed", showgrid=False)
    return fig
