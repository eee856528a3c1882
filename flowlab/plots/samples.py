"""Samples of a model over rows of the data."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from flowlab.plots import theme
from flowlab.plots.panels import on, panels, point_size
from flowlab.views.samples import Samples


def samples_scatter(
    drawn: Samples,
    dark: bool = False,
    side_by_side: bool = False,
    axes: tuple[str, str] = ("x1", "x2"),
    window: tuple[float, float, float, float] | None = None,
    chosen: int = -1,
    nearest: np.ndarray | None = None,
    height: int = 470,
) -> go.Figure:
    """Samples over the data, or beside them.

    Parameters
    ----------
    drawn : from `views.samples`
    chosen : number of a sample to mark, -1 for none
    nearest : (2,) position of the training row nearest to it, joined to it by a line
    """
    c = theme.colors(dark)
    titles = ["data", "samples"] if side_by_side else [""]
    fig = panels(titles, axes, dark, height, window)
    size = point_size(len(drawn.points))
    data = {"color": c.data, "size": size, "opacity": 0.55, "symbol": "circle"}
    sampled = {
        "color": c.model,
        "size": size,
        "opacity": 0.4,
        "symbol": "diamond-open" if len(titles) == 1 else "diamond",
    }
    last = len(titles) - 1
    clouds = ((drawn.data, "data", data, 0), (drawn.points, "samples", sampled, last))
    for points, label, marker, panel in clouds:
        fig.add_trace(
            go.Scattergl(
                x=points[:, 0],
                y=points[:, 1],
                mode="markers",
                name=label,
                marker=marker,
                customdata=np.arange(len(points)),
                hovertemplate="%{x:.3g}, %{y:.3g}<extra>" + label + " %{customdata}</extra>",
                **on(panel),
            )
        )
    if chosen >= 0:
        point = drawn.points[chosen]
        ends = np.stack([point, nearest]) if nearest is not None else point[None]
        fig.add_trace(
            go.Scatter(
                x=ends[:, 0],
                y=ends[:, 1],
                mode="lines+markers",
                name="sample and nearest training row",
                line={"color": c.threshold, "width": 1.5},
                marker={
                    "color": [c.model, c.data][: len(ends)],
                    "size": 11,
                    "line": {"color": c.threshold, "width": 2},
                },
                hoverinfo="skip",
                **on(last),
            )
        )
    fig.update_layout(showlegend=not side_by_side)
    return fig
