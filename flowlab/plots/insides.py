"""Pictures of single rows and lines: the receipt of a log-density, profiles, slices, margins, quantiles."""

from __future__ import annotations

from collections.abc import Mapping
from math import lgamma

import numpy as np
import plotly.graph_objects as go

from flowlab.plots import theme
from flowlab.plots.panels import LOG_RANGE, color_steps, colorbar, mass_contours

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
            text=[f"{totals[-1]:.3f}".replace("-", "−")],
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


def profile_curve(line: Arrays, dark: bool = False, height: int = 330) -> go.Figure:
    """Log-density along a segment, the model's and, where it is known, the true one; the lowest point is marked."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "distance along the line (data units)", "log-density (nats)")
    curves = (("true_log_density", "true", c.truth, "dash"), ("log_density", "learned", c.model, "solid"))
    for name, label, color, dash in curves:
        if name in line:
            # Where the density is zero the curve is interrupted.
            y = np.where(np.isfinite(line[name]), line[name], np.nan)
            style = {"color": color, "dash": dash, "width": 2.2}
            fig.add_trace(go.Scatter(x=line["distance"], y=y, name=label, mode="lines", line=style))
    if len(line["distance"]):
        low = int(line["lowest"])
        values = line["log_density"][np.isfinite(line["log_density"])]
        if len(values):
            # The truth may lie hundreds of nats lower: the axis keeps the model's curve readable.
            top = max(float(values.max()), float(np.nanmax(line.get("true_log_density", values))))
            bottom = float(values.min()) - 12
            fig.update_yaxes(range=[bottom - 0.08 * (top - bottom), top + 0.08 * (top - bottom)])
            value = float(values.min())
            fig.add_annotation(
                x=float(line["distance"][low]), y=value, text=f"lowest {value:.2f} nats".replace("-", "−"),
                showarrow=True, arrowcolor=c.muted, ax=0, ay=30, font={"color": c.text},
            )  # fmt: skip
    return fig


def slice_heatmap(cut: Arrays, axes: tuple[str, str], dark: bool = False, height: int = 430) -> go.Figure:
    """The conditional density of two columns at a row's values of all others; the row is marked."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, axes[0], axes[1])
    top = float(np.nanmax(cut["log_conditional"])) if np.isfinite(cut["log_conditional"]).any() else 0.0
    z = np.maximum(np.nan_to_num(cut["log_conditional"], nan=-1e6, neginf=-1e6), top - LOG_RANGE)
    fig.add_trace(
        go.Heatmap(
            x=cut["x"],
            y=cut["y"],
            z=z.astype(np.float32),
            colorscale=color_steps(c.sequential),
            colorbar=colorbar("log-density given the others (nats)", 1.0),
            hovertemplate="%{x:.4g}, %{y:.4g}<br>%{z:.3f} nats<extra></extra>",
        )
    )
    fig.add_trace(mass_contours(cut, "log_conditional", "levels", c.text))
    fig.add_trace(
        go.Scatter(
            x=cut["point"][:1],
            y=cut["point"][1:],
            mode="markers",
            name=f"row {int(cut['row'])}",
            marker={"symbol": "cross-thin", "size": 16, "line": {"width": 3, "color": c.anomaly}},
            hovertemplate=f"row {int(cut['row'])}<br>%{{x:.4g}}, %{{y:.4g}}<extra></extra>",
        )
    )
    fig.update_xaxes(range=[float(v) for v in cut["window"][:2]])
    fig.update_yaxes(range=[float(v) for v in cut["window"][2:]])
    return fig


def margin_histogram(arrays: Arrays, column: int, name: str, dark: bool = False, height: int = 330) -> go.Figure:
    """One column's distribution, data against samples, as outlines over one set of bins."""
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


def quantile_lines(arrays: Arrays, dark: bool = False, most: int = 8, height: int = 330) -> go.Figure:
    """Latent quantiles against the standard normal's, of up to `most` latent features; a good fit is the diagonal."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "standard normal quantile", "latent quantile")
    ends = [float(arrays["expected"][0]), float(arrays["expected"][-1])]
    fig.add_trace(
        go.Scatter(x=ends, y=ends, mode="lines", name="standard normal", line={"color": c.truth, "dash": "dash"})
    )
    colors, dashes = (c.model, c.second, c.third, c.data), ("solid", "dot", "dashdot", "longdash")
    for j in range(min(most, arrays["quantiles"].shape[1])):
        style = {"color": colors[j % 4], "dash": dashes[(j // 4) % 4], "width": 2}
        y = arrays["quantiles"][:, j]
        fig.add_trace(go.Scatter(x=arrays["expected"], y=y, mode="lines", name=f"z{j + 1}", line=style))
    return fig


def norm_histogram(norms: np.ndarray, n_latent: int, dark: bool = False, height: int = 330) -> go.Figure:
    """Lengths of latent vectors against the chi distribution, which they follow where the latent space is normal."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "length of the latent vector", "density")
    if len(norms):
        high = float(max(np.quantile(norms, 0.995), np.sqrt(n_latent) + 3))
        bars, edges = np.histogram(norms, bins=50, range=(0, high), density=True)
        fig.add_trace(
            go.Bar(
                x=(edges[1:] + edges[:-1]) / 2,
                y=bars,
                width=np.diff(edges),
                name="rows",
                marker={"color": theme.translucent(c.model, 0.45), "line": {"width": 0}},
            )
        )
        r = np.linspace(1e-3, high, 300)
        log_chi = (n_latent - 1) * np.log(r) - r**2 / 2 - (n_latent / 2 - 1) * np.log(2) - lgamma(n_latent / 2)
        line = {"color": c.truth, "dash": "dash", "width": 2}
        fig.add_trace(
            go.Scatter(
                x=r,
                y=np.exp(log_chi),
                mode="lines",
                name=f"chi, {n_latent} degrees of freedom" if n_latent > 1 else "chi, 1 degree of freedom",
                line=line,
            )
        )
    fig.update_layout(bargap=0)
    return fig
