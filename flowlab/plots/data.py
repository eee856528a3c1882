"""Pictures of the Data page: small histograms of the columns, correlations, two columns, a column over time."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from flowlab.plots import theme
from flowlab.plots.panels import colorbar, point_size
from flowlab.tableviews import ColumnSummary, Correlation, Pair, TimeCourse

PARTS = ("training", "validation", "test")
COLUMNS_ACROSS = 6
ROW_HEIGHT = 128


def label(text: object, length: int = 28) -> str:
    """A name a user brought, as plotly shows it: text, never markup, and not too long.

    >>> label("<b>x</b>")
    '&lt;b&gt;x&lt;/b&gt;'
    """
    text = str(text)
    return html.escape(text if len(text) <= length else text[: length - 1] + "…", quote=False)


def column_histograms(
    summaries: Sequence[ColumnSummary], dark: bool = False, across: int = COLUMNS_ACROSS
) -> go.Figure:
    """A grid of small histograms; anomalies, where labelled, are outlined in their colour; missing shares in words."""
    c = theme.colors(dark)
    n_rows = max(1, -(-len(summaries) // across))
    fig = theme.figure(dark, height=ROW_HEIGHT * n_rows + 24)
    if not summaries:
        return fig
    fig.set_subplots(n_rows, across, horizontal_spacing=0.02, vertical_spacing=min(0.34 / n_rows, 0.3))
    for i, summary in enumerate(summaries):
        row, col = i // across + 1, i % across + 1
        _small_histogram(fig, summary, row, col, c, first=i == 0)
        name = "" if i == 0 else str(i + 1)
        words = f"<b>{label(summary.name, 22)}</b>"
        if summary.missing:
            words += f" <span style='color:{c.anomaly}'>{100 * summary.missing:.1f} % missing</span>"
        fig.add_annotation(
            x=0,
            y=1.02,
            xref=f"x{name} domain",
            yref=f"y{name} domain",
            text=words,
            showarrow=False,
            xanchor="left",
            yanchor="bottom",
            font={"size": 12, "color": c.text},
        )
    for i in range(len(summaries), n_rows * across):
        fig.update_xaxes(visible=False, row=i // across + 1, col=i % across + 1)
        fig.update_yaxes(visible=False, row=i // across + 1, col=i % across + 1)
    fig.update_layout(
        bargap=0.06, barmode="overlay", showlegend=False, margin={"l": 4, "r": 4, "t": 28, "b": 4}, dragmode=False
    )
    return fig


def _small_histogram(fig: go.Figure, s: ColumnSummary, row: int, col: int, c: theme.Colors, first: bool) -> None:
    if s.edges is not None:
        x = (s.edges[1:] + s.edges[:-1]) / 2
        width = np.diff(s.edges)
        if s.kind == "date":
            x = (x * 1e3).astype("datetime64[ms]")
            width = width * 1e3
        where = "%{x|%Y-%m-%d}" if s.kind == "date" else "%{x:.4g}"
    else:
        x = [label(level, 16) for level in s.levels]
        width = None
        where = "%{x}"
    hover = f"{label(s.name)} {where}<br>%{{y:.1%}} of rows<extra></extra>"
    fig.add_trace(
        go.Bar(x=x, y=s.normal, width=width, marker={"color": c.data, "line": {"width": 0}}, hovertemplate=hover),
        row,
        col,
    )
    if s.anomalies is not None and s.anomalies.any():
        outline = {"color": theme.translucent(c.anomaly, 0.15), "line": {"color": c.anomaly, "width": 1.2}}
        hover = hover.replace("of rows", "of anomalies")
        fig.add_trace(go.Bar(x=x, y=s.anomalies, width=width, marker=outline, hovertemplate=hover), row, col)
    quiet = {"showgrid": False, "zeroline": False, "tickfont": {"size": 10, "color": c.muted}, "automargin": False}
    kind = {"date": "date", "number": "linear"}.get(s.kind, "category")
    fig.update_xaxes(
        type=kind,
        nticks=3,
        showticklabels=s.kind != "category",
        linecolor=c.grid,
        showline=True,
        row=row,
        col=col,
        **quiet,
    )
    fig.update_yaxes(visible=False, rangemode="tozero", row=row, col=col)


def correlation_heatmap(correlation: Correlation, dark: bool = False, height: int = 460) -> go.Figure:
    """Rank correlations from -1 to 1; names are on the axes while they fit, always in the tooltip."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height)
    names = [label(name) for name in correlation.names]
    fig.add_trace(
        go.Heatmap(
            z=correlation.values.astype(np.float32),
            x=list(range(len(names))),
            y=list(range(len(names))),
            customdata=np.array([[f"{b} and {a}" for b in names] for a in names], dtype=object),
            zmin=-1,
            zmax=1,
            colorscale=theme.colorscale(c.diverging),
            colorbar=colorbar("rank correlation", 1.0),
            hovertemplate="%{customdata}<br>correlation %{z:.3f}<extra></extra>",
        )
    )
    show = len(names) <= 32
    ticks = {"tickvals": list(range(len(names))), "ticktext": names, "showticklabels": show, "showgrid": False}
    fig.update_xaxes(**ticks, tickangle=-45, constrain="domain")
    fig.update_yaxes(**ticks, autorange="reversed", scaleanchor="x", constrain="domain")
    if not show:
        fig.update_xaxes(title_text=f"{len(names)} columns, related ones side by side", ticks="")
        fig.update_yaxes(ticks="")
    return fig


def column_scatter(pair: Pair, dark: bool = False, height: int = 460) -> go.Figure:
    """Two columns against each other; labelled anomalies are crosses in their colour, on top."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, label(pair.names[0]), label(pair.names[1]))
    anomalous = np.zeros(len(pair.rows), bool) if pair.anomalous is None else pair.anomalous
    for mask, name, color, symbol, opacity in (
        (~anomalous, "normal" if pair.anomalous is not None else "rows", c.data, "circle", 0.45),
        (anomalous, "anomaly", c.anomaly, "x", 0.9),
    ):
        if not mask.any() and len(mask):
            continue
        size = point_size(int(mask.sum())) + 2 * (symbol == "x")
        fig.add_trace(
            go.Scattergl(
                x=_texts(pair.x[mask]),
                y=_texts(pair.y[mask]),
                customdata=pair.rows[mask],
                mode="markers",
                name=name,
                marker={
                    "color": color,
                    "size": point_size(len(mask)) + 2 * (symbol == "x"),
                    "symbol": symbol,
                    "opacity": opacity,
                },
                hovertemplate="row %{customdata}<br>%{x}, %{y}<extra></extra>",
            )
        )
    fig.update_layout(showlegend=pair.anomalous is not None)
    return fig


def _texts(values: np.ndarray) -> np.ndarray:
    return np.array([label(v) for v in values], dtype=object) if values.dtype == object else values


def column_over_time(course: TimeCourse, dark: bool = False, height: int = 340) -> go.Figure:
    """A column over time; training, validation and test rows are shaded and named, labelled anomalies are crosses."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "time", label(course.name))
    fig.add_trace(
        go.Scattergl(
            x=course.time,
            y=course.value,
            mode="lines",
            name=label(course.name),
            showlegend=False,
            connectgaps=False,
            line={"color": c.data, "width": 1},
            hovertemplate="%{x}<br>%{y:.4g}<extra></extra>",
        )
    )
    if len(course.anomaly_time):
        fig.add_trace(
            go.Scattergl(
                x=course.anomaly_time,
                y=course.anomaly_value,
                mode="markers",
                name="labelled anomaly",
                marker={"color": c.anomaly, "symbol": "x", "size": 5},
                hovertemplate="%{x}<br>%{y:.4g}<extra>anomaly</extra>",
            )
        )
    named: set[int] = set()
    for part, start, end in course.parts:
        shade = {0: 0.05, 1: 0.16, 2: 0.28}[part]
        fig.add_vrect(x0=start, x1=end, fillcolor=theme.translucent(c.model, shade), line_width=0, layer="below")
        if part not in named:
            named.add(part)
            fig.add_annotation(
                x=start,
                y=1,
                yref="paper",
                text=PARTS[part],
                showarrow=False,
                xanchor="left",
                yanchor="bottom",
                font={"size": 12, "color": c.muted},
            )
    fig.update_layout(margin={"t": 30})
    return fig


def density_tile(log_density: np.ndarray, dark: bool = False) -> np.ndarray:
    """A log-density on a grid (row 0 lowest) as a small picture, shape (n, m, 3) uint8, row 0 highest."""
    steps = np.array([[int(s[i : i + 2], 16) for i in (1, 3, 5)] for s in theme.colors(dark).sequential], float)
    density = np.exp(log_density - log_density.max())
    share = np.sqrt(np.clip(density, 0, 1)) * (len(steps) - 1)
    low = np.minimum(share.astype(int), len(steps) - 2)
    weight = (share - low)[..., None]
    return np.rint(steps[low] * (1 - weight) + steps[low + 1] * weight).astype(np.uint8)[::-1]
