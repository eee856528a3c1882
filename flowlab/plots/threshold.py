"""Scores, curves and rules against the threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from flowlab.datasets.dataset import Part
from flowlab.formatting import count, short_percent
from flowlab.plots import theme
from flowlab.plots.score_axis import ScoreAxis

FEW_ROWS = 2000
"""Below so many rows an axis that counts them has 1, 2, 5, 10, 20, ... and not only the powers of ten."""


def score_histogram(
    axis: ScoreAxis,
    edges: np.ndarray,
    counts: Mapping[str, np.ndarray],
    threshold: float,
    marks: Sequence[tuple[str, float]] = (),
    interval: tuple[float, float] | None = None,
    log_counts: bool = False,
    dark: bool = False,
    height: int = 300,
) -> go.Figure:
    """Histogram of anomaly scores, stacked by label, with the threshold as a line.

    Parameters
    ----------
    edges : (n_bins + 1,) bin edges, as scores
    counts : "normal" and "anomaly", or "rows" -> (n_bins,)
    marks : further thresholds by name, as small ticks at the top
    interval : 95 % interval of the threshold, shaded
    """
    c = theme.colors(dark)
    fig = theme.figure(dark, height=height, y_title="rows per bin" + (", log scale" if log_counts else ""))
    places = axis.place(edges)
    looks = {"rows": (c.data, ""), "normal": (c.data, ""), "anomaly": (c.anomaly, "/")}
    for name, values in counts.items():
        color, shape = looks[name]
        fig.add_bar(
            x=(places[1:] + places[:-1]) / 2,
            y=values,
            width=np.diff(places),
            name={"rows": "rows", "normal": "normal rows", "anomaly": "labelled anomalies"}[name],
            marker={
                "color": color,
                "line": {"width": 0},
                "pattern": {"shape": shape, "fgcolor": c.background, "size": 5, "fillmode": "overlay"},
            },
            customdata=np.c_[edges[:-1], edges[1:]],
            hovertemplate="%{y} rows from %{customdata[0]:.4g} to %{customdata[1]:.4g}<extra>%{fullData.name}</extra>",
        )
    fig.update_layout(barmode="stack", bargap=0, showlegend=len(counts) > 1)
    if interval is not None:
        low, high = np.clip(interval, edges[0], edges[-1])
        x0, x1 = axis.place([low, high])
        fig.add_vrect(x0=x0, x1=x1, fillcolor=c.threshold, opacity=0.08, line_width=0)
    threshold_line(fig, c, axis, threshold, edges[0], edges[-1])
    for label, value in marks:
        if edges[0] <= value <= edges[-1] and np.isfinite(value):
            fig.add_scatter(
                x=axis.place([value]),
                y=[0.97],
                yaxis="y2",
                mode="markers",
                marker={"symbol": "triangle-down", "size": 9, "color": c.second},
                hovertemplate=f"{label}: {value:.5g}<extra></extra>",
                showlegend=False,
            )
    fig.update_layout(yaxis2={"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True})
    if log_counts:
        fig.update_layout(yaxis={"type": "log", "dtick": 1})
    axis.apply(fig, edges[0], edges[-1])
    return fig


def curves_against_threshold(
    axis: ScoreAxis,
    thresholds: np.ndarray,
    curves: Mapping[str, np.ndarray],
    bands: Mapping[str, np.ndarray],
    threshold: float,
    y_title: str,
    dark: bool = False,
    height: int = 300,
    from_zero: bool = True,
) -> go.Figure:
    """Curves over the threshold, with the threshold in use as a line.

    Parameters
    ----------
    thresholds : (n,) anomaly scores, ascending
    curves : up to four (n,), by label
    bands : (2, n) lower and upper end of a bootstrap band, by label, for the curves that have one
    threshold : in use
    from_zero : let the vertical axis begin at 0
    """
    c = theme.colors(dark)
    fig = theme.figure(dark, height=height, y_title=y_title)
    looks = [(c.model, "solid"), (c.second, "dash"), (c.third, "dot"), (c.data, "dashdot")]
    x = axis.place(thresholds)
    for (label, values), (color, dash) in zip(curves.items(), looks, strict=False):
        if label in bands:
            low, high = bands[label]
            known = np.isfinite(low) & np.isfinite(high)
            fig.add_scatter(
                x=np.r_[x[known], x[known][::-1]],
                y=np.r_[high[known], low[known][::-1]],
                fill="toself",
                fillcolor=theme.translucent(color, 0.15),
                line={"width": 0},
                hoverinfo="skip",
                showlegend=False,
            )
        fig.add_scatter(
            x=x,
            y=values,
            name=label,
            mode="lines",
            line={"color": color, "dash": dash, "width": 2, "shape": "hv"},
            customdata=thresholds,
            hovertemplate="%{y:.4g} at threshold %{customdata:.4g}<extra>%{fullData.name}</extra>",
        )
    threshold_line(fig, c, axis, threshold, thresholds[0], thresholds[-1], label=False)
    if from_zero:
        fig.update_yaxes(rangemode="tozero")
    axis.apply(fig, thresholds[0], thresholds[-1])
    return fig


def operating_curve(
    curves: Mapping[Part, tuple[np.ndarray, np.ndarray]],
    points: Mapping[Part, tuple[float, float]],
    x_title: str,
    y_title: str,
    diagonal: bool = False,
    dark: bool = False,
    height: int = 320,
    over_rows: bool = False,
) -> go.Figure:
    """A ROC, precision-recall, precision or lift curve of each part of the data, with the threshold's point on it.

    Parameters
    ----------
    curves : (x, y) of the curve, by part: validation or test
    points : (x, y) of the operating point, by part
    diagonal : draw the curve of random scores
    over_rows : whether x counts rows, from 1 on a logarithmic axis, and y begins at 0; otherwise both are shares
    """
    c = theme.colors(dark)
    fig = theme.figure(dark, height=height, x_title=x_title, y_title=y_title)
    if diagonal:
        fig.add_scatter(
            x=[0, 1], y=[0, 1], mode="lines", line={"color": c.muted, "dash": "dot", "width": 1}, showlegend=False
        )
    looks = {Part.VALIDATION: (c.second, "dash", "diamond"), Part.TEST: (c.model, "solid", "circle")}
    for part, (xs, ys) in curves.items():
        color, dash, symbol = looks[part]
        fig.add_scatter(x=xs, y=ys, mode="lines", name=part, line={"color": color, "dash": dash, "width": 2})
        px, py = points[part]
        fig.add_scatter(
            x=[px],
            y=[py],
            mode="markers",
            name=f"threshold, {part}",
            marker={"symbol": symbol, "size": 11, "color": color, "line": {"color": c.threshold, "width": 2}},
            showlegend=False,
        )
    if over_rows:
        most = max((max(xs, default=1) for xs, _ in curves.values()), default=1)
        ticks = [step * 10**power for power in range(9) for step in ((1, 2, 5) if most < FEW_ROWS else (1,))]
        fig.update_xaxes(type="log", tickvals=ticks, ticktext=[count(tick) for tick in ticks])
        fig.update_yaxes(rangemode="tozero")
    else:
        fig.update_xaxes(range=[-0.02, 1.02])
        fig.update_yaxes(range=[-0.02, 1.04])
    return fig


def score_over_time(
    axis: ScoreAxis,
    time: np.ndarray,
    scores: np.ndarray,
    threshold: float,
    events: Sequence[tuple],
    parts: Sequence[tuple[Part, np.datetime64 | float, np.datetime64 | float]],
    time_title: str,
    dark: bool = False,
    height: int = 300,
) -> go.Figure:
    """Anomaly scores over time, with alarms as crosses; nan scores break the line at gaps.

    Parameters
    ----------
    time, scores : (n,) in order of time, from `detection.timeline.signal`
    threshold : anomaly score from which rows are alarms
    events : (begin, end) of labelled stretches
    parts : (name, begin, end) of training, validation and test rows where they follow each other in time
    """
    c = theme.colors(dark)
    fig = theme.figure(dark, height=height, x_title=time_title)
    shades = {Part.TRAIN: c.data, Part.VALIDATION: c.second, Part.TEST: c.model}
    for name, begin, end in parts:
        x0, x1 = _plain_time(begin), _plain_time(end)
        fig.add_vrect(x0=x0, x1=x1, fillcolor=shades[name], opacity=0.08, line_width=0, layer="below")
        fig.add_annotation(x=x0, y=1, yref="paper", text=name, showarrow=False, xanchor="left", yanchor="bottom")
    for begin, end in events:
        x0, x1 = _plain_time(begin), _plain_time(end)
        fig.add_vrect(x0=x0, x1=x1, fillcolor=c.anomaly, opacity=0.2, line={"width": 1, "color": c.anomaly})
    fig.add_scattergl(
        x=time, y=axis.place(scores), mode="lines", name="anomaly score", line={"color": c.data, "width": 1.2},
        customdata=scores, hovertemplate="%{x}: %{customdata:.4g}<extra></extra>", connectgaps=False,
    )  # fmt: skip
    alarms = np.flatnonzero(scores >= threshold)
    fig.add_scattergl(
        x=time[alarms], y=axis.place(scores[alarms]), mode="markers", name="alarm",
        marker={"color": c.anomaly, "size": 6, "symbol": "x"}, hoverinfo="skip",
    )  # fmt: skip
    known = scores[np.isfinite(scores)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    fig.add_hline(y=float(axis.place(np.clip(threshold, low, high))), line={"color": c.threshold, "width": 1.5})
    axis.apply(fig, low, high, along="y")
    fig.update_layout(showlegend=False, margin={"t": 28})
    return fig


def audit_curve(
    axis: ScoreAxis,
    thresholds: np.ndarray,
    bands: Mapping[str, np.ndarray],
    threshold: float,
    dark: bool = False,
    height: int = 300,
) -> go.Figure:
    """Audited shares over the threshold; `bands` holds (3, n) estimate, lower and upper end, by label."""
    curves = {label: values[0] for label, values in bands.items()}
    return curves_against_threshold(
        axis, thresholds, curves, {k: v[1:] for k, v in bands.items()}, threshold, "share (estimated)", dark, height
    )


def threshold_line(
    fig: go.Figure, c: theme.Colors, axis: ScoreAxis, threshold: float, low: float, high: float, label: bool = True
) -> None:
    """Draw the threshold as a vertical line within `low` to `high`, with its value if `label`; none if not finite."""
    if not np.isfinite(threshold):
        return
    place = float(axis.place(np.clip(threshold, low, high)))
    fig.add_vline(x=place, line={"color": c.threshold, "width": 2})
    if label:
        ends = axis.place(np.array([low, high]))
        is_left = bool(place <= ends.mean())  # the label stands on the side that has room
        fig.add_annotation(
            x=place,
            y=0.9,
            yref="paper",
            xshift=5 if is_left else -5,
            xanchor="left" if is_left else "right",
            yanchor="top",
            text=f"{threshold:.5g}",
            showarrow=False,
            font={"color": c.threshold, "size": 13},
            bgcolor=theme.translucent(c.background, 0.7),
        )


def _plain_time(time: np.datetime64 | float) -> str | float:
    """A time as plotly's shapes accept it: dates as text, numbers as float."""
    return str(time) if isinstance(time, np.datetime64) else float(time)


def rules_picture(
    axis: ScoreAxis,
    labels: Sequence[str],
    values: np.ndarray,
    intervals: Sequence[tuple[float, float] | None],
    flagged_share: np.ndarray,
    low: float,
    high: float,
    current: float,
    dark: bool = False,
) -> go.Figure:
    """The threshold of each rule with its interval, and the share of rows it flags.

    Parameters
    ----------
    values : (k,) thresholds, as anomaly scores; rules without one (inf) are left out
    intervals : of the thresholds, None where a rule gives none
    flagged_share : (k,) 0 to 1
    low, high : range of the scores; thresholds beyond it are drawn at its ends
    current : threshold in use
    """
    c = theme.colors(dark)
    finite = [i for i, value in enumerate(values) if np.isfinite(value)]
    fig = theme.figure(dark, height=90 + 28 * max(len(finite), 1))
    thresholds = np.clip([values[i] for i in finite], low, high)
    for row, i in enumerate(finite):
        if (interval := intervals[i]) is not None:
            ends = axis.place(np.clip(interval, low, high))
            fig.add_scatter(
                x=ends, y=[row, row], mode="lines", line={"color": c.second, "width": 4}, opacity=0.4, hoverinfo="skip"
            )
    fig.add_scatter(
        x=axis.place(thresholds),
        y=np.arange(len(finite)),
        mode="markers+text",
        text=[f"  {short_percent(flagged_share[i])}" for i in finite],
        textposition="middle right",
        marker={"color": c.second, "size": 10, "symbol": "diamond"},
        customdata=[f"{values[i]:.5g}" for i in finite],
        hovertemplate="threshold %{customdata}<extra></extra>",
    )
    threshold_line(fig, c, axis, current, low, high, label=False)
    fig.update_layout(showlegend=False)
    fig.update_yaxes(tickvals=list(range(len(finite))), ticktext=[labels[i] for i in finite], showgrid=False)
    fig.update_yaxes(range=[len(finite) - 0.5, -0.5])
    axis.apply(fig, low, high)
    ends = axis.place([low, high])
    fig.update_xaxes(range=[ends[0] - 0.04 * np.ptp(ends), ends[1] + 0.14 * np.ptp(ends)], tickangle=0)
    return fig


def agreement_heatmap(labels: Sequence[str], overlap: np.ndarray, dark: bool = False) -> go.Figure:
    """Share (k, k) of the rows that both of two rules flag among those either flags; nan where neither flags any."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height=90 + 28 * max(len(labels), 3))
    fig.add_heatmap(
        z=100 * overlap,
        x=list(labels),
        y=list(labels),
        zmin=0,
        zmax=100,
        colorscale=[[0, c.background], [1, c.model]],
        text=[["" if np.isnan(v) else f"{100 * v:.0f}" for v in row] for row in overlap],
        texttemplate="%{text}",
        xgap=2,
        ygap=2,
        colorbar={"title": {"text": "agree (%)", "font": {"size": 12}}, "thickness": 10, "outlinewidth": 0},
        hovertemplate="%{x} and %{y}: %{z:.0f} %<extra></extra>",
    )
    fig.update_yaxes(autorange="reversed", showgrid=False)
    fig.update_xaxes(showgrid=False, tickangle=-40)
    return fig
