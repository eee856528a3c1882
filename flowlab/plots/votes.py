"""Pictures of a vote: how many chose each answer, and the plane in which a point is placed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from flowlab.plots import theme
from flowlab.plots.panels import point_size
from flowlab.plots.table import label

BAR_HEIGHT = 56


def bars(options: Sequence[str], counts: Sequence[int], dark: bool = False) -> go.Figure:
    """A bar for each answer, the first on top, with the number of votes at its end."""
    c = theme.colors(dark)
    fig = theme.figure(dark, BAR_HEIGHT * len(options) + 60, "votes")
    most = max(counts, default=0)
    fig.add_trace(
        go.Bar(
            x=list(counts),
            y=[label(option, 40) for option in options],
            orientation="h",
            marker={"color": [c.model if n == most else c.muted for n in counts]},
            text=list(map(str, counts)),
            textposition="outside",
            cliponaxis=False,
            hoverinfo="skip",
        )
    )
    fig.update_layout(bargap=0.35, margin={"t": 8, "r": 40})
    fig.update_yaxes(autorange="reversed", showgrid=False, automargin=True)
    fig.update_xaxes(range=[0, 1.1 * max(most, 1)], dtick=-(-max(most, 1) // 6), showline=False)
    return fig


def add_points(fig: go.Figure, points: np.ndarray, names: Sequence[str], dark: bool = False) -> None:
    """Mark points (m, 2) that people placed, with their names, on the first panel of a picture of the plane."""
    c = theme.colors(dark)
    fig.add_trace(
        go.Scatter(
            x=points[:, 0],
            y=points[:, 1],
            mode="markers+text",
            text=[label(name, 20) for name in names],
            textposition="top center",
            marker={"size": 13, "symbol": "x", "color": c.anomaly, "line": {"width": 1.5, "color": c.background}},
            hovertemplate="%{text}<br>%{x:.3g}, %{y:.3g}<extra></extra>",
            showlegend=False,
        )
    )


def placing(
    rows: np.ndarray,
    point: tuple[float, float],
    window: tuple[float, float, float, float],
    axes: tuple[str, str],
    dark: bool = False,
) -> go.Figure:
    """Rows (n, 2) of the data within a window (left, right, bottom, top), and the point that somebody places."""
    c = theme.colors(dark)
    fig = theme.figure(dark, 340, *axes)
    fig.add_trace(
        go.Scatter(
            x=rows[:, 0],
            y=rows[:, 1],
            mode="markers",
            marker={"size": point_size(len(rows)), "color": c.data},
            hoverinfo="skip",
        )
    )
    add_points(fig, np.array([point]), [""], dark)
    fig.update_layout(showlegend=False, margin={"t": 8})
    fig.update_xaxes(range=window[:2])
    fig.update_yaxes(range=window[2:])
    return fig
