"""One column's distribution, data against samples."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from flowlab.plots import theme

Arrays = Mapping[str, np.ndarray]


def marginal_histogram(arrays: Arrays, column: int, name: str, dark: bool = False, height: int = 330) -> go.Figure:
    """One column's distribution, data against samples, as outlines over one set of bins.

    `arrays` is what `views.marginals` gives, `name` that of the column.
    """
    c = theme.colors(dark)
    fig = theme.figure(dark, height, name, f"density (per unit of {name})")
    edges = arrays["edges"][column]
    for key, label, color, fill in (("data", "data", c.data, "tozeroy"), ("samples", "samples", c.model, "none")):
        y = arrays[key][column]
        fig.add_trace(
            go.Scatter(
                x=np.append(edges[:-1], edges[-1]),
                y=np.append(y, y[-1]),
                mode="lines",
                name=label,
                line={"shape": "hv", "color": color, "dash": "solid" if key == "data" else "dash"},
                fill=fill,
                fillcolor=theme.translucent(color, 0.18),
            )
        )
    return fig
