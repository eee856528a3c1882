"""Inside one layer: scale and shift, masks, and the Jacobian with its triangular order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from flowlab.formatting import fixed
from flowlab.plots import theme
from flowlab.plots.panels import color_steps, colorbar
from flowlab.plots.table import label
from flowlab.views.coupling import CouplingLayer, Jacobian, MadeMasks

MOST_NUMBERS = 6
"""Most features whose cells hold their numbers."""
MOST_GAPS = 32
"""Most features whose cells are separated by gaps."""
MOST_CELLS = 160
"""Wider matrices are drawn in blocks, each by its entry of largest size, so that thin diagonals stay visible."""
MOST_TICKS = 16
"""Most features that all have their tick."""
FEW_TICKS = 9
"""Ticks at most where features are more than that."""


def jacobian_panels(jacobian: Jacobian, names: Sequence[str], dark: bool = False, height: int = 340) -> go.Figure:
    """A layer's Jacobian in the columns' own order; beside it, where it is triangular in another, in that order.

    `names` are those of the features. In the ordered panel the diagonal is outlined, whose product is the determinant,
    and the part that is zero by the layer's form is framed by dots.
    """
    matrix, form = jacobian.matrix, jacobian.form
    own = np.arange(len(matrix))
    pictures = [(own, own, "in the columns' own order")]
    if len(form.after) > 1:
        title = "kept features first, then the moved" if form.n_kept > 0 else "in the order the layer reads them"
        pictures.append((form.after, form.before, title))
    fig = theme.figure(dark, height)
    reach = float(np.abs(matrix[np.isfinite(matrix)]).max(initial=1e-12))
    gap = 0.12
    width = (1 - gap * (len(pictures) - 1)) / len(pictures)
    layout: dict = {"margin": {"t": 28}, "annotations": [], "shapes": []}
    for i, (rows, columns, title) in enumerate(pictures):
        number, left = str(i + 1) if i else "", i * (width + gap)
        x = {"title": {"text": "before, feature"}, "domain": [left, left + width]}
        y = {"title": {"text": "after, feature"}, "autorange": "reversed"}
        x |= {"anchor": f"y{number}", "constrain": "domain"}
        y |= {"anchor": f"x{number}", "constrain": "domain", "constraintoward": "top", "scaleanchor": f"x{number}"}
        layout[f"xaxis{number}"] = {**x, **_ticks(columns)}
        layout[f"yaxis{number}"] = {**y, **_ticks(rows)}
        place = {"x": 0, "y": 1.0, "xref": f"x{number} domain", "yref": f"y{number} domain"}
        place |= {"xanchor": "left", "yanchor": "bottom", "showarrow": False, "font": {"size": 12}}
        block = -(-len(matrix) // MOST_CELLS)
        note = f", largest of {block} × {block}" if block > 1 else ""
        layout["annotations"].append({**place, "text": title + note})
        fig.add_trace(_heatmap(matrix[np.ix_(rows, columns)], rows, columns, names, reach, number, dark, i == 0))
        if i:
            layout["shapes"] += _outlines(len(matrix), form.n_kept, form.kind, dark)
    fig.update_layout(layout)
    return fig


def _heatmap(
    matrix: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    names: Sequence[str],
    reach: float,
    number: str,
    dark: bool,
    with_bar: bool,
) -> go.Heatmap:
    c, n = theme.colors(dark), len(matrix)
    few = n <= MOST_NUMBERS
    hover = {}
    if n <= MOST_GAPS:
        pairs = [[f"{_name(names, i)} by {_name(names, j)}" for j in columns] for i in rows]
        hover = {"customdata": pairs, "hovertemplate": "%{customdata}<br>%{z:.4g}<extra></extra>"}
    else:
        hover = {"hoverinfo": "z"}
    block = -(-n // MOST_CELLS)
    drawn = _largest_of_blocks(matrix, block)
    places = np.arange(len(drawn)) * block + (block - 1) / 2
    return go.Heatmap(
        x=places,
        y=places,
        z=drawn.astype(np.float32),
        zmin=-reach,
        zmax=reach,
        colorscale=color_steps(c.diverging),
        showscale=with_bar,
        colorbar=colorbar(""),
        text=[[fixed(v) for v in line] for line in matrix] if few else None,
        texttemplate="%{text}" if few else None,
        textfont={"size": 11 if n > 3 else 14},
        xgap=int(n <= MOST_GAPS),
        ygap=int(n <= MOST_GAPS),
        xaxis=f"x{number}",
        yaxis=f"y{number}",
        **hover,
    )


def _largest_of_blocks(matrix: np.ndarray, block: int) -> np.ndarray:
    """The entry of largest size in each block of `block` by `block`, with its sign."""
    m = -(-len(matrix) // block)
    padded = np.zeros((m * block, m * block))
    padded[: len(matrix), : len(matrix)] = matrix
    blocks = padded.reshape(m, block, m, block).swapaxes(1, 2).reshape(m, m, -1)
    largest = np.abs(blocks).argmax(axis=2)
    return np.take_along_axis(blocks, largest[:, :, None], axis=2)[:, :, 0]


def _outlines(n: int, n_kept: int, kind: str, dark: bool) -> list[dict]:
    """Squares along the diagonal, or a band where there are many; dots around what is zero: a block or the triangle."""
    c = theme.colors(dark)
    on = {"type": "path", "xref": "x2", "yref": "y2", "layer": "above"}
    if n <= MOST_GAPS:
        squares = (_closed([(i, i), (i + 1, i), (i + 1, i + 1), (i, i + 1)]) for i in range(n))
        diagonal = " ".join(squares)
    else:
        k = n // 50 + 1
        diagonal = _closed([(0, 0), (k, 0), (n, n - k), (n, n), (n - k, n), (0, k)])
    if 0 < n_kept < n and kind == "coupling":
        zero = [(n_kept, 0), (n, 0), (n, n_kept), (n_kept, n_kept)]
    else:
        zero = [(1, 0), (n, 0), (n, n - 1)]
        if n <= MOST_GAPS:
            zero += [corner for i in range(n - 1, 0, -1) for corner in ((i, i), (i, i - 1))]
    frames = [(diagonal, {"color": c.threshold, "width": 1.5})]
    if n > 1:
        frames.append((_closed(zero), {"color": c.anomaly, "width": 1.5, "dash": "dot"}))
    return [{**on, "path": path, "line": line} for path, line in frames]


def _closed(corners: list[tuple[int, int]]) -> str:
    """Path of a closed outline through corners of cells."""
    return "M" + " L".join(f"{x - 0.5},{y - 0.5}" for x, y in corners) + " Z"


def _ticks(order: np.ndarray) -> dict:
    """Ticks of an axis along which features, counted from 1, stand in this order."""
    n = len(order)
    places = np.arange(0, n, 1 if n <= MOST_TICKS else -(-n // FEW_TICKS))
    return {"tickvals": places, "ticktext": [str(order[k] + 1) for k in places], "showgrid": False}


def _name(names: Sequence[str], j: int) -> str:
    return f"{j + 1} {label(names[j], 24)}"


def scale_and_shift(
    layer: CouplingLayer, kept: int, moved: int, dark: bool = False, row: int = -1, height: int = 330
) -> go.Figure:
    """Log-scale s and shift t that a layer applies to feature `moved`, against feature `kept`, which it reads.

    `layer` with scales and shifts; the number `row` is marked where it is among the rows.
    """
    c = theme.colors(dark)
    fig = theme.figure(dark, height, f"position {kept + 1} before the layer", "s and t (scaled units)")
    x = layer.before[:, kept]
    for values, name, color, symbol in (
        (layer.log_scale, "s, log-scale", c.model, "circle"),
        (layer.shift, "t, shift", c.third, "diamond-open"),
    ):
        fig.add_trace(
            go.Scatter(
                x=x,
                y=values[:, moved],
                mode="markers",
                name=name,
                customdata=layer.rows,
                marker={"size": 4, "color": color, "symbol": symbol, "opacity": 0.6},
                hovertemplate=f"row %{{customdata}}<br>{name} %{{y:.4f}}<extra></extra>",
            )
        )
    here = np.flatnonzero(layer.rows == row)
    if len(here):
        fig.add_vline(x=float(x[here[0]]), line={"color": c.threshold, "width": 1.5, "dash": "dot"})
    return fig


def moved_features(moved: np.ndarray, dark: bool = False, layer: int = 0, height: int = 200) -> go.Figure:
    """Which layer (row) changes which feature (column), (n_layers, n_features) bool; `layer`, from 1, is marked.

    A feature whose column is empty is never transformed.
    """
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


def made_masks(made: MadeMasks, dark: bool = False, height: int = 300) -> go.Figure:
    """The masks of a MADE side by side, from the input to their product, which is lower triangular.

    A filled cell of row i and column j means that i sees j.
    """
    c = theme.colors(dark)
    names = [str(j + 1) for j in made.order]
    pictures = [
        (made.input, "hidden unit sees column", None, names),
        *((mask, f"hidden layer {i + 2} sees layer {i + 1}", None, None) for i, mask in enumerate(made.hidden)),
        (made.output, "s and t of column see hidden unit", names, None),
        (made.paths, "product: paths", names, names),
    ]
    fig = theme.figure(dark, height)
    gap = 0.05
    width = (1 - gap * (len(pictures) - 1)) / len(pictures)
    layout: dict = {"margin": {"t": 30}, "annotations": []}
    for i, (seen, title, rows, columns) in enumerate(pictures):
        number, left, is_last = str(i + 1) if i else "", i * (width + gap), i == len(pictures) - 1
        heights = [str(k + 1) for k in range(len(seen))] if rows is None else rows
        widths = [str(k + 1) for k in range(seen.shape[1])] if columns is None else columns
        layout[f"xaxis{number}"] = {"domain": [left, left + width], "anchor": f"y{number}", "type": "category"}
        layout[f"yaxis{number}"] = {"anchor": f"x{number}", "type": "category", "autorange": "reversed"}
        place = {"x": left, "y": 1.0, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom"}
        layout["annotations"].append({**place, "text": title, "showarrow": False, "font": {"size": 12}})
        few = is_last and len(seen) <= 5
        fig.add_trace(
            go.Heatmap(
                x=widths,
                y=heights,
                z=(seen > 0).astype(np.float32),
                customdata=seen.astype(float),
                zmin=0,
                zmax=1,
                colorscale=[[0, theme.translucent(c.data, 0.12)], [1, c.second if is_last else c.model]],
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
