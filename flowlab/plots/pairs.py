"""A matrix of pairs of columns: rows and samples as points, their marginals, and where in the plane they differ."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from flowlab.formatting import fixed
from flowlab.plots import theme
from flowlab.plots.panels import color_steps, colorbar
from flowlab.plots.table import label
from flowlab.views.pairs import PairPanels, TwoTables

POINTS = 3000
"""Points of one table in all panels together."""
REACH = 5.0
"""Standard errors at which the colour of a difference is full."""
GAP = 0.014
"""Between panels, as a share of the width."""
STRIP = 20
"""Pixels above each panel for its name or its numbers."""
PIXELS = 880
"""Width of the matrix on a small screen, for clipping names."""


def pair_matrix(
    panels: PairPanels, rows: np.ndarray, dark: bool = False, row: int = -1, height: int = 520
) -> go.Figure:
    """Points below the diagonal, marginals on it, differences above it; each column of panels shares one window.

    `rows` (n,) are the numbers of the data's rows, which the points carry; `row` is ringed where it is among them.
    Data are slate dots and filled steps, samples blue crosses and dashed steps.
    """
    m = len(panels.tables.names)
    fig = theme.figure(dark, height)
    side, strip = (1 - GAP * (m - 1)) / m, STRIP / height
    layout: dict[str, Any] = {"margin": {"t": 6}, "annotations": [], "hovermode": "closest"}
    traces: list[dict[str, Any]] = []
    for i in range(m):
        for j in range(m):
            number = "" if i == j == 0 else str(i * m + j + 1)
            on = {"xaxis": f"x{number}", "yaxis": f"y{number}"}
            layout[f"xaxis{number}"] = _axis(panels, j, number, "y", j * (side + GAP), side, i == m - 1)
            bottom, tall = (m - 1 - i) / m, 1 / m - strip
            layout[f"yaxis{number}"] = _axis(panels, i, number, "x", bottom, tall, j == 0 and i > 0)
            if i == j:
                layout[f"yaxis{number}"] |= {"range": None, "rangemode": "tozero", "visible": False}
                traces += [{**trace, **on} for trace in _marginals(panels, i, dark, first=i == 0)]
                layout["annotations"].append(_name(panels.tables.names[i], number, m))
            elif i > j:
                traces += [{**trace, **on} for trace in _points(panels, j, i, rows, row, dark)]
            else:
                traces.append({**_difference(panels, i, j, dark, (i, j) == (0, 1)), **on})
                layout["annotations"].append(_numbers(panels, i, j, number))
    fig.add_traces(traces)
    fig.update_layout(layout)
    return fig


def _axis(
    panels: PairPanels, column: int, number: str, other: str, start: float, side: float, labelled: bool
) -> dict[str, Any]:
    axis = {
        "domain": [start, start + side],
        "anchor": f"{other}{number}",
        "range": panels.window[column].tolist(),
        "nticks": 4,
        "showticklabels": labelled,
        "ticks": "outside" if labelled else "",
        "tickfont": {"size": 10},
        "showline": True,
    }
    if panels.tables.is_date[column]:
        axis |= {"type": "date", "nticks": 3}
    levels = panels.tables.levels[column]
    if levels is not None:
        places = range(0, len(levels), -(-len(levels) // 5))
        axis |= {"tickvals": list(places), "ticktext": [label(levels[k], 9) for k in places], "tickangle": 0}
    return axis


def _name(name: str, number: str, m: int) -> dict[str, Any]:
    short = label(name, max(6, round(PIXELS / m / 8)))
    return {"text": f"<b>{short}</b>", "hovertext": label(name, 200), **_above(number), "captureevents": True}


def _numbers(panels: PairPanels, i: int, j: int, number: str) -> dict[str, Any]:
    matrices = panels.distance, panels.data_correlation, panels.sample_correlation
    distance, of_rows, of_samples = (float(matrix[i, j]) for matrix in matrices)
    text = f"Δ {distance:.2f}"
    if distance > panels.chance:
        text = f"<b>{text}</b>"
    if np.isfinite(of_rows) and np.isfinite(of_samples):
        text += f"   ρ {_signed(of_rows)} / {_signed(of_samples)}"
    return {"text": text, **_above(number)}


def _signed(value: float) -> str:
    return fixed(round(value, 2) + 0.0, 2)


def _above(number: str) -> dict[str, Any]:
    """Position and style of the text above a panel."""
    place = {"x": 0, "y": 1, "xref": f"x{number} domain", "yref": f"y{number} domain", "yshift": 1}
    return {**place, "xanchor": "left", "yanchor": "bottom", "align": "left", "showarrow": False, "font": {"size": 11}}


def _marginals(panels: PairPanels, i: int, dark: bool, first: bool) -> list[dict[str, Any]]:
    c, edges = theme.colors(dark), panels.marginal_edges[i]
    widths = np.diff(edges)
    traces = []
    for name, share, color, dash in (
        ("rows", panels.data_share[i], c.data, "solid"),
        ("samples", panels.sample_share[i], c.model, "dash"),
    ):
        heights = share / widths
        traces.append(
            {
                "type": "scatter",
                "x": np.concatenate([edges[:1], edges]),
                "y": np.concatenate([[0], heights, [0]]),
                "mode": "lines",
                "name": name,
                "legendgroup": name,
                "showlegend": first,
                "line": {"shape": "hv", "color": color, "dash": dash, "width": 1.5},
                "fill": "tozeroy" if dash == "solid" else "none",
                "fillcolor": theme.translucent(color, 0.2),
                "hovertemplate": f"{name}: density %{{y:.3g}}<extra></extra>",
            }
        )
    return traces


def _points(panels: PairPanels, across: int, up: int, rows: np.ndarray, row: int, dark: bool) -> list[dict[str, Any]]:
    c, m = theme.colors(dark), len(panels.tables.names)
    most = 2 * POINTS // (m * (m - 1))
    names = [label(panels.tables.names[k], 24) for k in (across, up)]
    formats = ["|%d %b %Y" if panels.tables.is_date[k] else ":.4g" for k in (across, up)]
    hover = f"{names[0]} %{{x{formats[0]}}}<br>{names[1]} %{{y{formats[1]}}}<extra></extra>"
    positions = np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int)
    here = np.flatnonzero(rows == row)
    positions = np.union1d(positions, here)
    table = panels.tables
    data = [_spread(table, table.data[positions], k) for k in (across, up)]
    # As many samples as rows: then equal densities look equal.
    samples = [_spread(table, table.samples[: len(positions)], k) for k in (across, up)]
    traces = [
        {
            "x": samples[0],
            "y": samples[1],
            "name": "samples",
            "marker": {"size": 5, "opacity": 0.8, "symbol": "x-thin", "line": {"width": 1, "color": c.model}},
            "hovertemplate": f"sample<br>{hover}",
        },
        {
            "x": data[0],
            "y": data[1],
            "name": "rows",
            "customdata": rows[positions],
            "marker": {"size": 4, "opacity": 0.6, "color": c.data, "line": {"width": 0}},
            "hovertemplate": f"row %{{customdata}}<br>{hover}",
        },
    ]
    if len(here):
        ringed = np.flatnonzero(rows[positions] == row)
        marker = {"size": 12, "symbol": "circle-open", "color": c.threshold, "line": {"width": 2}}
        traces.append(
            {"x": data[0][ringed], "y": data[1][ringed], "name": f"row {row}", "marker": marker, "hoverinfo": "skip"}
        )
    return [{"type": "scatter", "mode": "markers", "showlegend": False, **trace} for trace in traces]


def _spread(table: TwoTables, values: np.ndarray, column: int) -> np.ndarray:
    """One column's values (n,); those of a category jittered about its place, so that points stay apart."""
    values = values[:, column]
    if table.levels[column] is not None:
        values = values + np.random.default_rng(column).uniform(-0.3, 0.3, len(values))
    return values if table.is_date[column] else values.astype(np.float32)


def _difference(panels: PairPanels, i: int, j: int, dark: bool, with_bar: bool) -> dict[str, Any]:
    """Where samples are too many (blue) or too few (vermilion): column j across, column i up."""
    c = theme.colors(dark)
    bar = {**colorbar("samples less rows (standard errors)", x=1.01), "tickvals": [-4, -2, 0, 2, 4]}
    return {
        "type": "heatmap",
        "x": panels.edges[j],
        "y": panels.edges[i],
        "z": panels.residual[i, j].astype(np.float32),
        "zmin": -REACH,
        "zmax": REACH,
        "colorscale": color_steps(c.diverging),
        "showscale": with_bar,
        "colorbar": bar if with_bar else None,
        "hovertemplate": "samples less rows: %{z:.1f} standard errors<extra></extra>",
    }
