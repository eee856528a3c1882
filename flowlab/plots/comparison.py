"""Comparing models: quadrants of alarms, a leaderboard, agreement of scores, sweeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from flowlab.evaluation.comparison import QUADRANTS, Standing, rank_shares, same_likelihoods
from flowlab.formatting import fixed, shortened
from flowlab.plots import theme

MARKS = (("normal rows", 0, "circle"), ("anomalies", 1, "diamond"))
"""Name, label and symbol of each kind of row."""


def quadrant_scatter(
    reconstruction: np.ndarray,
    negative_log_likelihood: np.ndarray,
    rows: np.ndarray,
    names: tuple[str, str],
    share: float,
    y: np.ndarray | None = None,
    raw: bool = False,
    chosen: Sequence[int] = (),
    dark: bool = False,
    height: int = 430,
) -> go.Figure:
    """Each row at its reconstruction error and its negative log-likelihood, and the four quadrants of alarms.

    Parameters
    ----------
    reconstruction, negative_log_likelihood : (n,) of the compared rows, in squared standard deviations and in nats
    rows : (n,) their numbers, the customdata
    names : of the two models
    share : of the rows on which each of them alarms
    y : (n,) 1 for anomalies
    raw : values instead of rank shares
    chosen : row numbers to ring
    """
    c = theme.colors(dark)
    units = ("(squared sd, logarithmic)", "(nats)") if raw else ("(rank, %)", "(rank, %)")
    fig = theme.figure(
        dark,
        height,
        f"reconstruction error of {names[0]}<br>{units[0]}",
        f"negative log-likelihood of {names[1]}<br>{units[1]}",
    )
    if len(rows) == 0:
        return fig
    x = np.maximum(reconstruction, 1e-12) if raw else 100 * rank_shares(reconstruction)
    v = negative_log_likelihood if raw else 100 * rank_shares(negative_log_likelihood)
    cut_x, cut_v = (float(np.quantile(values, 1 - share)) for values in (x, v))
    _add_kinds(fig, x, v, rows, y, _drawn_rows(x > cut_x, v > cut_v, y), c)
    _add_rings(fig, x, v, np.isin(rows, list(chosen)), c)
    line = {"color": c.threshold, "width": 1.2}
    fig.add_vline(cut_x, line=line)
    fig.add_hline(cut_v, line=line)
    if raw:
        fig.update_xaxes(type="log", exponentformat="power", dtick=1)
    _name_quadrants(fig, x > cut_x, v > cut_v, c)
    fig.update_layout(dragmode="lasso", uirevision="quadrants")
    return fig


def leaderboard_dots(board: Sequence[Standing], dark: bool = False, height: int = 430) -> go.Figure:
    """AUROC of each model with twice its standard deviation; trivial detectors are hollow.

    Without labels, the log-likelihood of held-out rows in nats per row, of the models where it is of the same thing.
    """
    c = theme.colors(dark)
    labelled = any(np.isfinite(s.auroc.mean) for s in board)
    title = "AUROC<br>(line: two standard deviations)" if labelled else "log-likelihood<br>(nats per row)"
    fig = theme.figure(dark, height, title, "")
    measured = [
        (s, s.auroc if labelled else s.log_likelihood) for s in (board if labelled else same_likelihoods(board))
    ]
    measured = [(s, measure) for s, measure in measured if np.isfinite(measure.mean)]
    for trivial, name in ((False, "models"), (True, "one-line rivals")):
        of_kind = [(s, measure) for s, measure in measured if s.trivial is trivial]
        if not of_kind:
            continue
        color = c.data if trivial else c.model
        spread = [2 * np.nan_to_num(measure.spread) for _, measure in of_kind]
        fig.add_trace(
            go.Scatter(
                x=[measure.mean for _, measure in of_kind],
                y=[shortened(s.name) for s, _ in of_kind],
                mode="markers",
                name=name,
                error_x={"array": spread, "color": color, "thickness": 1.5, "width": 0},
                marker={
                    "color": color,
                    "size": 11,
                    "symbol": "circle-open" if trivial else "circle",
                    "line": {"width": 2},
                },
                hovertemplate="%{y}: %{x:.3f}<extra></extra>",
            )
        )
    fig.update_yaxes(
        categoryorder="array", categoryarray=[shortened(s.name) for s, _ in reversed(measured)], showgrid=True
    )
    if labelled and measured:
        lowest = min(measure.mean - 2 * np.nan_to_num(measure.spread) for _, measure in measured)
        fig.update_xaxes(range=[min(0.45, lowest - 0.02), 1.01])
        fig.add_vline(0.5, line={"color": c.muted, "width": 1, "dash": "dot"})
    return fig


def agreement_matrix(names: Sequence[str], matrix: np.ndarray, dark: bool = False, height: int = 430) -> go.Figure:
    """Spearman correlations (m, m) of the scores of the models `names`, with their numbers; nan leaves a cell empty."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height)
    texts = [["" if np.isnan(v) else fixed(v, 2) for v in row] for row in matrix]
    fig.add_trace(
        go.Heatmap(
            x=list(names),
            y=list(names),
            z=matrix,
            zmin=-1,
            zmax=1,
            colorscale=theme.colorscale(c.diverging),
            text=texts,
            texttemplate="%{text}",
            textfont={"size": 12},
            showscale=False,
            hovertemplate="%{x}<br>%{y}<br>%{z:.3f}<extra></extra>",
        )
    )
    fig.update_yaxes(autorange="reversed")
    fig.update_xaxes(tickangle=-35)
    return fig


def sweep_curves(
    values: Sequence[float],
    series: Mapping[str, Sequence[float]],
    x_title: str,
    y_title: str,
    dark: bool = False,
    height: int = 330,
    logarithmic: bool = False,
    errors: Mapping[str, Sequence[float]] | None = None,
) -> go.Figure:
    """Measures against the swept setting, one marked line each.

    Parameters
    ----------
    values : (n,) of the setting
    series : up to four measures (n,) by name; nan, for a run that is missing, leaves a gap
    logarithmic : the axis of the setting
    errors : standard errors (n,) by name, drawn as bars
    """
    c = theme.colors(dark)
    fig = theme.figure(dark, height, x_title, y_title)
    styles = (
        (c.model, "circle", "solid"),
        (c.second, "diamond", "dash"),
        (c.third, "square", "dot"),
        (c.data, "x", "dashdot"),
    )
    for (name, heights), (color, symbol, dash) in zip(series.items(), styles):
        fig.add_trace(
            go.Scatter(
                x=list(values),
                y=list(heights),
                name=name,
                mode="lines+markers",
                line={"color": color, "dash": dash},
                marker={"symbol": symbol, "size": 8},
                error_y={"array": list(errors[name]), "color": color} if errors else None,
                hovertemplate=f"{name}: %{{y:.3f}} at %{{x:g}}<extra></extra>",
            )
        )
    if logarithmic:
        fig.update_xaxes(type="log")
    fig.update_layout(showlegend=len(series) > 1)
    return fig


def _drawn_rows(alarm_x: np.ndarray, alarm_v: np.ndarray, y: np.ndarray | None, most: int = 3000) -> np.ndarray:
    """Which rows are drawn, (n,) bool: all alarms and anomalies, and as many others at random as there is room for."""
    drawn = alarm_x | alarm_v
    if y is not None:
        drawn = drawn | (y == 1)
    others = np.flatnonzero(~drawn)
    room = max(most - int(drawn.sum()), 500)
    drawn = drawn.copy()
    drawn[np.random.default_rng(0).permutation(others)[:room]] = True
    return drawn


def _add_kinds(
    fig: go.Figure,
    x: np.ndarray,
    v: np.ndarray,
    rows: np.ndarray,
    y: np.ndarray | None,
    drawn: np.ndarray,
    c: theme.Colors,
) -> None:
    """Normal rows and anomalies, each with their own mark; one kind without a legend where there are no labels."""
    labels = np.zeros(len(rows), int) if y is None else (y == 1).astype(int)
    for name, label, symbol in MARKS:
        of_kind = drawn & (labels == label)
        if not of_kind.any():
            continue
        fig.add_trace(
            go.Scattergl(
                x=x[of_kind],
                y=v[of_kind],
                customdata=rows[of_kind],
                mode="markers",
                name=name,
                showlegend=y is not None,
                marker={
                    "color": c.anomaly if label else c.data,
                    "symbol": symbol,
                    "size": 7 if label else 5,
                    "opacity": 0.75 if label else 0.4,
                },
                selected={"marker": {"opacity": 1}},
                hovertemplate="row %{customdata}<br>%{x:.3g}, %{y:.4g}<extra></extra>",
            )
        )


def _add_rings(fig: go.Figure, x: np.ndarray, v: np.ndarray, ringed: np.ndarray, c: theme.Colors) -> None:
    """Rings around the rows where `ringed` (n,) is true."""
    if not ringed.any():
        return
    ring = {"color": "rgba(0,0,0,0)", "size": 13, "line": {"color": c.threshold, "width": 2}}
    fig.add_trace(go.Scatter(x=x[ringed], y=v[ringed], mode="markers", marker=ring, showlegend=False, hoverinfo="skip"))


def _name_quadrants(fig: go.Figure, alarm_x: np.ndarray, alarm_v: np.ndarray, c: theme.Colors) -> None:
    """The name of each quadrant and how many rows lie in it, in its corner."""
    counts = np.bincount(alarm_x + 2 * alarm_v, minlength=4)
    places = ((0, 0, "left", "bottom"), (1, 0, "right", "bottom"), (0, 1, "left", "top"), (1, 1, "right", "top"))
    for name, count, (px, py, anchor_x, anchor_y) in zip(QUADRANTS, counts, places):
        fig.add_annotation(
            x=px, y=py, xref="paper", yref="paper", xanchor=anchor_x, yanchor=anchor_y, showarrow=False,
            text=f"{name}: {count}", font={"color": c.text, "size": 12}, bgcolor=theme.translucent(c.background, 0.75),
            borderpad=3,
        )  # fmt: skip
