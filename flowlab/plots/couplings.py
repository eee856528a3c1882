"""Pictures of one layer of a flow: its scale and shift, its Jacobian, and which layer changes which feature."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from flowlab.plots import theme
from flowlab.plots.panels import color_steps, colorbar

Arrays = Mapping[str, np.ndarray]


def scale_and_shift(
    arrays: Arrays, kept: int, moved: int, dark: bool = False, row: int = -1, height: int = 330
) -> go.Figure:
    """Log-scale s and shift t that a layer applies to feature `moved`, against feature `kept`, which it reads."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, f"position {kept + 1} before the layer", "s and t (scaled units)")
    x = arrays["before"][:, kept]
    for key, name, color, symbol in (
        ("log_scale", "s, log-scale", c.model, "circle"),
        ("shift", "t, shift", c.third, "diamond-open"),
    ):
        fig.add_trace(
            go.Scatter(
                x=x,
                y=arrays[key][:, moved],
                mode="markers",
                name=name,
                customdata=arrays["rows"],
                marker={"size": 4, "color": color, "symbol": symbol, "opacity": 0.6},
                hovertemplate=f"row %{{customdata}}<br>{name} %{{y:.4f}}<extra></extra>",
            )
        )
    here = np.flatnonzero(arrays["rows"] == row)
    if len(here):
        fig.add_vline(x=float(x[here[0]]), line={"color": c.threshold, "width": 1.5, "dash": "dot"})
    return fig


def matrix_heatmap(
    matrix: np.ndarray, rows: str, columns: str, dark: bool = False, numbers: bool | None = None, height: int = 330
) -> go.Figure:
    """A square matrix with signs by colour, zero neutral; small ones with their numbers."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, columns, rows)
    n = len(matrix)
    names = [str(i + 1) for i in range(n)]
    reach = float(np.abs(matrix[np.isfinite(matrix)]).max(initial=1e-12))
    text = matrix.round(3).astype(str) if (n <= 6 if numbers is None else numbers) else None
    fig.add_trace(
        go.Heatmap(
            x=names,
            y=names,
            z=matrix,
            zmin=-reach,
            zmax=reach,
            colorscale=color_steps(c.diverging),
            colorbar=colorbar(""),
            text=text,
            texttemplate="%{text}" if text is not None else None,
            hovertemplate=f"{rows} %{{y}}, {columns} %{{x}}<br>%{{z:.4g}}<extra></extra>",
            xgap=1,
            ygap=1,
        )
    )
    fig.update_xaxes(type="category")
    fig.update_yaxes(type="category", autorange="reversed")
    return fig


def moved_features(moved: np.ndarray, dark: bool = False, layer: int = 0, height: int = 200) -> go.Figure:
    """Which layer (row) changes which feature (column): a feature whose column is empty is never transformed."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "feature", "layer")
    n_layers, n_features = moved.shape
    steps = [theme.translucent(c.data, 0.12), c.model]
    fig.add_trace(
        go.Heatmap(
            x=[str(j + 1) for j in range(n_features)],
            y=[str(i + 1) for i in range(n_layers)],
            z=moved.astype(np.float32),
            zmin=0,
            zmax=1,
            colorscale=[[0, steps[0]], [1, steps[1]]],
            showscale=False,
            xgap=1,
            ygap=1,
            hovertemplate="layer %{y} %{text} feature %{x}<extra></extra>",
            text=np.where(moved, "changes", "keeps"),
        )
    )
    if layer:
        fig.add_hline(y=layer - 1, line={"color": c.threshold, "width": 1.5, "dash": "dot"})
    fig.update_xaxes(type="category")
    fig.update_yaxes(type="category", autorange="reversed")
    return fig
