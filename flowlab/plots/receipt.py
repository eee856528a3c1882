"""The log-density decomposition of one row as bars."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from flowlab.formatting import count, fixed
from flowlab.plots import theme
from flowlab.views.receipt import Receipt


def receipt_bars(receipt: Receipt, dark: bool = False, layer: int = -1, height: int = 330) -> go.Figure:
    """The log-density decomposition as a staircase: each term raises or lowers the running total, the last is log p(x).

    The running total of its typical row is a dotted line. `layer` is the position of a bar to outline, 0 for the
    scaling.
    """
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "", "running total (nats)")
    names, totals = item_names(len(receipt.log_det)), receipt.running
    terms = np.array([receipt.scaling, *receipt.log_det, receipt.base])
    fig.add_trace(
        go.Bar(
            x=names,
            y=terms,
            base=list(totals - terms),
            name="this row",
            showlegend=False,
            marker={
                "color": [theme.translucent(c.model if item >= 0 else c.anomaly, 0.75) for item in terms],
                "line": {"width": [2 if i == layer else 0 for i in range(len(terms))], "color": c.threshold},
                "pattern": {"shape": ["" if item >= 0 else "/" for item in terms]},
            },
            customdata=np.stack([terms, totals], axis=1),
            hovertemplate="%{x}<br>%{customdata[0]:+.3f} nats<br>total %{customdata[1]:.3f}<extra></extra>",
        )
    )
    fig.add_trace(
        go.Bar(
            x=["log p(x)"],
            y=totals[-1:],
            showlegend=False,
            marker={"color": c.text},
            text=[fixed(totals[-1])],
            textposition="outside",
            constraintext="none",  # else it shrinks with the bar
            textangle=0,
            cliponaxis=False,
            hovertemplate="log p(x) = %{y:.3f} nats<extra></extra>",
        )
    )
    fig.add_trace(
        go.Scatter(
            x=[*names, "log p(x)"],
            y=np.append(receipt.typical_running, receipt.typical_running[-1]),
            mode="lines+markers",
            name=f"typical row, no. {count(receipt.typical_row)}",
            line={"color": c.data, "dash": "dot", "width": 1.5},
            marker={"symbol": "circle-open", "size": 7},
            hovertemplate="%{x}<br>typical total %{y:.3f}<extra></extra>",
        )
    )
    # twelve names lie too close to be read level: plotly would turn them upright
    fig.update_xaxes(tickangle=0 if len(names) < 8 else -40)
    fig.update_layout(bargap=0.25, showlegend=True)
    return fig


def item_names(n_layers: int) -> list[str]:
    """Names of the terms of a decomposition: the scaling, each layer, the base density."""
    return ["scaling", *(f"layer {i + 1}" for i in range(n_layers)), "base"]
