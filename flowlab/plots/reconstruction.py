"""Reconstruction error, displacement arrows from x to its reconstruction, and codes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from flowlab.plots import theme
from flowlab.plots.panels import LOG_RANGE, color_steps, on, panels, point_size
from flowlab.views.density import DensityGrid
from flowlab.views.reconstruction import ReconstructionMap

QUIET = {"showlegend": False, "hoverinfo": "skip"}
LONGEST_ARROW = 0.045
"""As a share of the window's side."""


def error_beside_density(
    maps: Mapping[str, ReconstructionMap],
    densities: Mapping[str, DensityGrid],
    points: np.ndarray,
    axes: tuple[str, str] = ("x1", "x2"),
    arrows: bool = True,
    dark: bool = False,
    height: int = 400,
) -> go.Figure:
    """Reconstruction errors beside log-densities, on the same window; a strong colour is a low error or a high density.

    Parameters
    ----------
    maps : from `views.reconstruction_map`, by name of the autoencoder; the purple line is the decoder's manifold
    densities : from `views.density_grid`, by name of the model
    points : (m, 2) data
    arrows : from points to their reconstructions
    """
    c = theme.colors(dark)
    titles = [f"error of {name}" for name in maps] + [f"log-density of {name}" for name in densities]
    windows = [picture.window for picture in maps.values()] + [grid.window for grid in densities.values()]
    fig = panels(titles or [""], axes, dark, height, windows[0] if windows else None)
    scale = color_steps(c.sequential)
    for panel, (name, picture) in enumerate(maps.items()):
        error = np.log10(np.maximum(picture.error, 1e-4))
        heat = _heat(picture.x, picture.y, error, color_steps(c.sequential, reverse=True), name)
        fig.add_trace(heat.update(on(panel)))
        if arrows:
            fig.add_trace(_arrows(picture, c.text).update(on(panel)))
        lines = picture.manifold
        line = {"color": c.second, "width": 1.2 if np.isnan(lines).any() else 2.5}
        fig.add_trace(go.Scatter(x=lines[:, 0], y=lines[:, 1], mode="lines", line=line, **on(panel), **QUIET))
    for panel, (name, grid) in enumerate(densities.items(), start=len(maps)):
        log_density = grid.learned.log_density
        floored = np.maximum(log_density, float(np.nanmax(log_density)) - LOG_RANGE)
        if grid.y is not None:
            fig.add_trace(_heat(grid.x, grid.y, floored, scale, name).update(on(panel)))
    marker = {"color": c.data, "size": point_size(len(points)), "opacity": 0.45}
    for panel in range(len(titles)):
        data = go.Scattergl(x=points[:, 0], y=points[:, 1], mode="markers", marker=marker, **on(panel), **QUIET)
        fig.add_trace(data)
    return fig


def codes(
    means: np.ndarray,
    spreads: np.ndarray,
    labels: np.ndarray | None = None,
    axes: tuple[str, str] = ("code 1", "code 2"),
    dark: bool = False,
    height: int = 400,
) -> go.Figure:
    """Means (m, 2) of a variational autoencoder's codes with one-sigma ellipses, over circles of the prior.

    `spreads` (m, 2) are the posterior standard deviations; `labels` (m,) are 1 for anomalies.
    """
    c = theme.colors(dark)
    fig = theme.figure(dark, height, *axes, square=True)
    angle = np.linspace(0, 2 * np.pi, 41)
    circle = np.column_stack([np.cos(angle), np.sin(angle)])
    for radius in (1, 2, 3):
        line = {"color": c.muted, "width": 1, "dash": "dot"}
        fig.add_trace(go.Scatter(x=radius * circle[:, 0], y=radius * circle[:, 1], mode="lines", line=line, **QUIET))
    rings = means[:, None] + spreads[:, None] * circle
    rings = np.concatenate([rings, np.full((len(means), 1, 2), np.nan)], axis=1).reshape(-1, 2)
    line = {"color": c.second, "width": 1}
    fig.add_trace(go.Scatter(x=rings[:, 0], y=rings[:, 1], mode="lines", line=line, opacity=0.6, **QUIET))
    label = np.zeros(len(means), int) if labels is None else (labels == 1).astype(int)
    for name, kind, symbol, color in (("normal rows", 0, "circle", c.data), ("anomalies", 1, "diamond", c.anomaly)):
        here = label == kind
        if here.any():
            marker = {"color": color, "symbol": symbol, "size": 5}
            x, y = means[here].T
            fig.add_trace(go.Scatter(x=x, y=y, mode="markers", name=name, marker=marker, showlegend=labels is not None))
    return fig


def _heat(x: np.ndarray, y: np.ndarray, z: np.ndarray, scale: list, name: str) -> go.Heatmap:
    return go.Heatmap(
        x=x,
        y=y,
        z=z.astype(np.float32),
        colorscale=scale,
        showscale=False,
        hovertemplate="%{x:.3g}, %{y:.3g}: %{z:.3g}<extra>" + name + "</extra>",
    )


def _arrows(picture: ReconstructionMap, color: str) -> go.Scatter:
    """Arrows as one line with gaps, cut to a readable length; a dot marks the end that points to the reconstruction."""
    tail, window = picture.tail, picture.window
    move = picture.tip - tail
    length = np.linalg.norm(move / [window[1] - window[0], window[3] - window[2]], axis=1, keepdims=True)
    end = tail + move * np.minimum(1, LONGEST_ARROW / np.maximum(length, 1e-12))
    path = np.stack([tail, end, np.full_like(tail, np.nan)], axis=1).reshape(-1, 2)
    marker = {"size": np.tile([0, 4, 0], len(tail)), "color": color}
    line = {"color": color, "width": 1}
    return go.Scatter(x=path[:, 0], y=path[:, 1], mode="lines+markers", line=line, marker=marker, opacity=0.7, **QUIET)
