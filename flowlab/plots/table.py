"""Pictures of a table: histograms, correlations, scatter, values over time."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from flowlab.formatting import count, percent
from flowlab.plots import theme
from flowlab.plots.panels import colorbar, point_size
from flowlab.views.table import ColumnSummary, Correlation, Pair, TimeCourse

PARTS = ("training", "validation", "test", "left out")
COLUMNS_ACROSS = 6
ROW_HEIGHT = 128
_CAPTION = {"xref": "paper", "yref": "paper", "showarrow": False, "xanchor": "left", "yanchor": "bottom"}


def label(text: object, length: int = 28) -> str:
    """A name from the user's data as plotly shows it: text, never markup, of at most `length` characters.

    >>> label("<b>x</b>")
    '&lt;b&gt;x&lt;/b&gt;'
    """
    text = str(text)
    return html.escape(text if len(text) <= length else text[: length - 1] + "…", quote=False)


def column_histograms(
    summaries: Sequence[ColumnSummary], dark: bool = False, across: int = COLUMNS_ACROSS
) -> go.Figure:
    """A grid of small histograms, `across` in a row; labelled anomalies are outlined in their colour.

    The share of missing values stands beside the column's name.
    """
    c = theme.colors(dark)
    n_rows = max(1, -(-len(summaries) // across))
    height = ROW_HEIGHT * n_rows + 8
    fig = theme.figure(dark, height)
    if not summaries:
        return fig
    # One dict for all: plotly's own subplots take seconds for a hundred axes.
    traces: list[dict[str, object]] = []
    layout: dict[str, object] = {}
    notes: list[dict[str, object]] = []
    for i, summary in enumerate(summaries):
        row, col = divmod(i, across)
        number = "" if i == 0 else str(i + 1)
        bars, ticks = _small_histogram(summary, c)
        traces += [{**bar, "xaxis": f"x{number}", "yaxis": f"y{number}"} for bar in bars]
        left, top = col / across, 1 - (row + 24 / ROW_HEIGHT) / n_rows
        bottom = 1 - (row + 1 - 22 / ROW_HEIGHT) / n_rows
        layout[f"xaxis{number}"] = {**ticks, "domain": [left, left + 0.92 / across], "anchor": f"y{number}"}
        layout[f"yaxis{number}"] = {
            "visible": False,
            "rangemode": "tozero",
            "domain": [bottom, top],
            "anchor": f"x{number}",
        }
        words = f"<b>{label(summary.name, 22)}</b>"
        if summary.kind == "category" and summary.n_distinct > len(summary.levels):
            words += f" <span style='color:{c.muted}'>{count(summary.n_distinct)} levels</span>"
        if summary.missing:
            words += f" <span style='color:{c.anomaly}'>{percent(summary.missing)} missing</span>"
        notes.append({"x": left, "y": top, "text": words, **_CAPTION, "font": {"size": 12, "color": c.text}})
    layout |= {"annotations": notes, "bargap": 0.06, "barmode": "overlay", "showlegend": False, "dragmode": False}
    layout["margin"] = {"l": 4, "r": 4, "t": 4, "b": 4}
    base = fig.layout.to_plotly_json()
    return go.Figure({"data": traces, "layout": {**base, **layout}})


def _small_histogram(summary: ColumnSummary, c: theme.Colors) -> tuple[list[dict], dict]:
    """One or two bar traces, and the axis below them."""
    width = None
    value_format = "%{x}"
    if summary.edges is not None:
        x = (summary.edges[1:] + summary.edges[:-1]) / 2
        width = np.diff(summary.edges)
        value_format = "%{x:.4g}"
        if summary.kind == "date":
            x, width, value_format = (x * 1e3).astype("datetime64[ms]"), width * 1e3, "%{x|%Y-%m-%d}"
    else:
        x = [label(level, 16) for level in summary.levels]
    hover = f"{label(summary.name)} {value_format}<br>%{{y:.1%}} of rows<extra></extra>"
    shared = {"type": "bar", "x": x} | ({} if width is None else {"width": width})
    bars = [{**shared, "y": summary.normal, "marker": {"color": c.data, "line": {"width": 0}}, "hovertemplate": hover}]
    if summary.anomalies is not None and summary.anomalies.any():
        marker = {"color": theme.translucent(c.anomaly, 0.06), "line": {"color": c.anomaly, "width": 1.2}}
        hover = hover.replace("of rows", "of anomalies")
        bars.append({**shared, "y": summary.anomalies, "marker": marker, "hovertemplate": hover})
    axis = {
        "type": {"date": "date", "number": "linear"}.get(summary.kind, "category"),
        "nticks": 3,
        "showticklabels": summary.kind != "category",
        "showgrid": False,
        "showline": True,
        "ticks": "",
        "tickfont": {"size": 10},
    }
    return bars, axis


def correlation_heatmap(correlation: Correlation, dark: bool = False, height: int = 460) -> go.Figure:
    """Rank correlations from -1 to 1; names of up to 32 columns are on the axes, all in the tooltip."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height)
    names = [label(name) for name in correlation.names]
    if len(set(names)) < len(names):
        names = [f"{i + 1}: {name}" for i, name in enumerate(names)]
    fig.add_trace(
        go.Heatmap(
            z=np.round(correlation.values, 3).astype(np.float32),
            x=names,
            y=names,
            zmin=-1,
            zmax=1,
            colorscale=theme.colorscale(c.diverging),
            colorbar=colorbar("rank correlation", 1.0),
            hovertemplate="%{y} and %{x}<br>correlation %{z:.3f}<extra></extra>",
        )
    )
    show = len(names) <= 32
    ticks = {"type": "category", "showticklabels": show, "showgrid": False}
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
                    "size": size,
                    "symbol": symbol,
                    "opacity": opacity,
                },
                hovertemplate="row %{customdata}<br>%{x}, %{y}<extra></extra>",
            )
        )
    fig.update_layout(showlegend=pair.anomalous is not None)
    return fig


def _texts(values: np.ndarray) -> np.ndarray:
    """Values of a column, texts as plotly shows them."""
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
    for part, first, last in course.parts:
        start, end = (
            str(t.astype("datetime64[ms]")) if isinstance(t, np.datetime64) else float(t) for t in (first, last)
        )
        shade = {0: 0.05, 1: 0.16, 2: 0.28, 3: 0.0}[part]
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
    fig.update_layout(margin={"t": 30}, legend={"x": 1, "xanchor": "right"})
    return fig


def density_tile(log_density: np.ndarray, dark: bool = False) -> np.ndarray:
    """A log-density (n, m) in nats, row 0 lowest, as a small picture (n, m, 3) uint8, row 0 highest."""
    steps = np.array([[int(s[i : i + 2], 16) for i in (1, 3, 5)] for s in theme.colors(dark).sequential], float)
    density = np.exp(log_density - log_density.max())
    share = np.sqrt(np.clip(density, 0, 1)) * (len(steps) - 1)
    low = np.minimum(share.astype(int), len(steps) - 2)
    weight = (share - low)[..., None]
    return np.rint(steps[low] * (1 - weight) + steps[low + 1] * weight).astype(np.uint8)[::-1]
