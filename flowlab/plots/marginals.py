"""One column's distribution, data against samples."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from flowlab.plots import theme
from flowlab.views.marginals import Marginals


def marginal_histogram(
    marginals: Marginals, column: int, name: str, dark: bool = False, height: int = 330
) -> go.Figure:
    """One column's distribution, data against samples, as outlines over one set of bins.

    `name` is that of the column.
    """
    c = theme.colors(dark)
    fig = theme.figure(dark, height, name, f"density (per unit of {name})")
    edges = marginals.edges[column]
    for heights, label, color, dash, fill in (
        (marginals.data[column], "data", c.data, "solid", "tozeroy"),
        (marginals.samples[column], "samples", c.model, "dash", "none"),
    ):
        fig.add_trace(
            go.Scatter(
                x=np.append(edges[:-1], edges[-1]),
                y=np.append(heights, heights[-1]),
                mode="lines",
                name=label,
                line={"shape": "hv", "color": color, "dash": dash},
                fill=fill,
                fillcolor=theme.translucent(color, 0.18),
            )
        )
    return fig
