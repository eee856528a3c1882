"""Pictures of one layer of a flow: its scale and shift, and its masks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from flowlab.plots import theme

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
            xgap=int(n_features <= 64),
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


def made_masks(arrays: Arrays, dark: bool = False, height: int = 300) -> go.Figure:
    """The masks of a MADE side by side, from the input to the product, whose empty upper triangle is the point of it.

    `arrays` as from `views.masks`: a filled cell of row i and column j means that i sees j.
    """
    c = theme.colors(dark)
    hidden = [name for name in arrays if name.startswith("hidden_")]
    names = [str(j + 1) for j in arrays["order"]]
    pictures = [("input", "hidden unit sees column", None, names)]
    pictures += [(name, f"hidden layer {i + 2} sees layer {i + 1}", None, None) for i, name in enumerate(hidden)]
    pictures += [
        ("output", "s and t of column see hidden unit", names, None),
        ("paths", "product: paths", names, names),
    ]
    fig = theme.figure(dark, height)
    x_style, y_style = fig.layout.xaxis.to_plotly_json(), fig.layout.yaxis.to_plotly_json()
    gap = 0.05
    width = (1 - gap * (len(pictures) - 1)) / len(pictures)
    layout: dict = {"margin": {"t": 30}, "annotations": []}
    for i, (name, title, rows, columns) in enumerate(pictures):
        number, left = str(i + 1) if i else "", i * (width + gap)
        seen = np.asarray(arrays[name])
        heights = [str(k + 1) for k in range(len(seen))] if rows is None else rows
        widths = [str(k + 1) for k in range(seen.shape[1])] if columns is None else columns
        layout[f"xaxis{number}"] = {
            **x_style,
            "domain": [left, left + width],
            "anchor": f"y{number}",
            "type": "category",
        }
        layout[f"yaxis{number}"] = {**y_style, "anchor": f"x{number}", "type": "category", "autorange": "reversed"}
        place = {"x": left, "y": 1.0, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom"}
        layout["annotations"].append({**place, "text": title, "showarrow": False, "font": {"size": 12}})
        few = name == "paths" and len(seen) <= 5
        fig.add_trace(
            go.Heatmap(
                x=widths,
                y=heights,
                z=(seen > 0).astype(np.float32),
                customdata=seen.astype(float),
                zmin=0,
                zmax=1,
                colorscale=[[0, theme.translucent(c.data, 0.12)], [1, c.second if name == "paths" else c.model]],
                showscale=False,
                xgap=int(max(seen.shape) <= 32),
                ygap=int(max(seen.shape) <= 32),
                text=seen.astype(int).astype(str) if few else None,
                texttemplate="%{text}" if few else None,
                hovertemplate="%{y} sees %{x}: %{customdata:.3g}<extra></extra>",
                xaxis=f"x{number}",
                yaxis=f"y{number}",
            )
        )
    fig.update_layout(layout)
    return fig
