"""The log-density decomposition of one row as bars."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from flowlab.formatting import fixed
from flowlab.plots import theme

Arrays = Mapping[str, np.ndarray]


def receipt_bars(bill: Arrays, dark: bool = False, layer: int = -1, height: int = 330) -> go.Figure:
    """The bill as a staircase: every item lifts or lowers the running total, which ends in log p(x).

    `bill` is what `views.receipt` gives. The typical row's running total is drawn as a line of dots.
    """
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "", "running total (nats)")
    names = item_names(len(bill["log_det"]))
    items = np.concatenate([[bill["scaling"]], bill["log_det"], [bill["base"]]]).astype(float)
    totals = np.asarray(bill["running"], float)
    fig.add_trace(
        go.Bar(
            x=names,
            y=items,
            base=list(totals - items),
            name="this row",
            showlegend=False,
            marker={
                "color": [theme.translucent(c.model if item >= 0 else c.anomaly, 0.75) for item in items],
                "line": {"width": [2 if i == layer else 0 for i in range(len(items))], "color": c.threshold},
                "pattern": {"shape": ["" if item >= 0 else "/" for item in items]},
            },
            customdata=np.stack([items, totals], axis=1),
            hovertemplate="%{x}<br>%{customdata[0]:+.4f} nats<br>total %{customdata[1]:.4f}<extra></extra>",
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
            cliponaxis=False,
            hovertemplate="log p(x) = %{y:.4f} nats<extra></extra>",
        )
    )
    fig.add_trace(
        go.Scatter(
            x=[*names, "log p(x)"],
            y=np.append(bill["typical_running"], bill["typical_running"][-1]),
            mode="lines+markers",
            name=f"typical row ({int(bill['typical_row'])})",
            line={"color": c.data, "dash": "dot", "width": 1.5},
            marker={"symbol": "circle-open", "size": 7},
            hovertemplate="%{x}<br>typical total %{y:.4f}<extra></extra>",
        )
    )
    fig.update_layout(bargap=0.25, showlegend=True)
    return fig


def item_names(n_layers: int) -> list[str]:
    """Names of the items of a receipt: the scaling, each layer, the base density."""
    return ["scaling", *(f"layer {i + 1}" for i in range(n_layers)), "base"]
