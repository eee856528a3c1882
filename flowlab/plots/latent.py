"""Latent points, interpolation paths, and whether the latent space looks normal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from math import lgamma

import numpy as np
import plotly.graph_objects as go
from scipy.special import ndtri

from flowlab.plots import theme
from flowlab.plots.panels import LOG_RANGE, color_steps, mass_contours, point_size
from flowlab.views.density import DensityGrid
from flowlab.views.latent import LatentPaths

Window = tuple[float, float, float, float]

CIRCLES = (0.5, 0.95, 0.997)
"""Shares of a two-dimensional standard normal inside the circles: radius sqrt(-2 log(1 - share))."""
PATH_NAMES = {
    "latent": "straight in latent space",
    "arc": "great circle in latent space",
    "straight": "straight in data space",
}
"""Names of the interpolation paths of `views.latent_paths`."""
N_TARGETS = 45
"""Invisible targets along each side of the plane."""


def latent_plane(
    points: np.ndarray,
    axes: tuple[str, str],
    window: Window,
    dark: bool = False,
    gaussian: bool = True,
    point: np.ndarray | None = None,
    paths: Mapping[str, np.ndarray] | None = None,
    height: int = 380,
) -> go.Figure:
    """Latent points of rows in two latent coordinates.

    Parameters
    ----------
    points : (m, 2)
    axes : titles
    window : x0, x1, y0, y1
    gaussian : draw circles around 50, 95 and 99.7 % of a standard normal
    point : (2,) to mark; the plane then takes clicks: invisible targets report their x and y
    paths : interpolation paths (n, 2) by name, "latent", "arc" or "straight"
    """
    c = theme.colors(dark)
    fig = theme.figure(dark, height, *axes, square=True)
    _add_rows(fig, points, c)
    for share in CIRCLES if gaussian else ():
        radius = math.sqrt(-2 * math.log(1 - share))
        angle = np.linspace(0, 2 * math.pi, 121)
        fig.add_trace(
            go.Scatter(
                x=radius * np.cos(angle), y=radius * np.sin(angle), mode="lines", hoverinfo="skip", showlegend=False,
                line={"color": c.truth, "width": 1.2, "dash": "dash"},
            )
        )  # fmt: skip
        fig.add_annotation(
            x=0, y=radius, text=f"{100 * share:g} %", showarrow=False, yshift=8, font={"size": 11, "color": c.truth}
        )
    _add_paths(fig, paths or {}, c)
    if point is not None:
        _add_targets(fig, window)
        _add_point(fig, point, "z", c)
    return _windowed(fig, window)


def data_plane(
    points: np.ndarray,
    axes: tuple[str, str],
    window: Window,
    dark: bool = False,
    grid: DensityGrid | None = None,
    point: np.ndarray | None = None,
    paths: Mapping[str, np.ndarray] | None = None,
    square: bool = True,
    height: int = 380,
) -> go.Figure:
    """Rows, point and interpolation paths in data space; other parameters as of `latent_plane`.

    Parameters
    ----------
    grid : from `views.density_grid` of two features; the learned log-density is then drawn in place of the rows
    square : one scale for both axes
    """
    c = theme.colors(dark)
    fig = theme.figure(dark, height, *axes, square=square)
    if grid is not None and grid.y is not None:
        log_density = grid.learned.log_density
        finite = log_density[np.isfinite(log_density)]
        top = float(finite.max()) if len(finite) else 0.0
        z = np.maximum(np.nan_to_num(log_density, nan=-1e6, neginf=-1e6), top - LOG_RANGE).astype(np.float32)
        fig.add_trace(
            go.Heatmap(
                x=grid.x, y=grid.y, z=z, colorscale=color_steps(c.sequential), showscale=False,
                hovertemplate="%{x:.3g}, %{y:.3g}<br>log p %{z:.3f} nats<extra></extra>",
            )
        )  # fmt: skip
        fig.add_trace(mass_contours(grid.x, grid.y, log_density, grid.learned.levels, c.text))
    else:
        _add_rows(fig, points, c)
    _add_paths(fig, paths or {}, c)
    if point is not None:
        _add_point(fig, point, "x", c)
    return _windowed(fig, window)


def path_profiles(paths: LatentPaths, score_label: str, dark: bool = False, height: int = 260) -> go.Figure:
    """The model's score along each interpolation path between two rows."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "share of the way", score_label)
    for name, path in paths.by_name().items():
        fig.add_trace(
            go.Scatter(
                x=paths.share, y=np.where(np.isfinite(path.score), path.score, np.nan), mode="lines",
                line=_styles(c)[name], name=PATH_NAMES[name],
                hovertemplate="%{x:.0%} of the way<br>%{y:.3f}<extra></extra>",
            )
        )  # fmt: skip
    return fig


def _styles(c: theme.Colors) -> dict[str, dict]:
    """Line of each interpolation path."""
    return {
        "latent": {"color": c.model, "width": 3},
        "arc": {"color": c.second, "width": 2.5, "dash": "dot"},
        "straight": {"color": c.anomaly, "width": 2.5, "dash": "dash"},
    }


def _add_rows(fig: go.Figure, points: np.ndarray, c: theme.Colors) -> None:
    # Not WebGL, which plotly draws above lines and marks.
    fig.add_trace(
        go.Scatter(
            x=points[:, 0].astype(np.float32), y=points[:, 1].astype(np.float32), mode="markers", hoverinfo="skip",
            showlegend=False, marker={"color": c.data, "size": point_size(len(points)), "opacity": 0.35},
        )
    )  # fmt: skip


def _add_paths(fig: go.Figure, paths: Mapping[str, np.ndarray], c: theme.Colors) -> None:
    for name, style in _styles(c).items():
        if name not in paths:
            continue
        line = np.where(np.isfinite(paths[name]), paths[name], np.nan)
        halo = {"color": c.background, "width": style["width"] + 3}
        for line_style in (halo, style):
            # A wider line in the background's colour keeps the path readable on any density.
            fig.add_trace(
                go.Scatter(
                    x=line[:, 0], y=line[:, 1], mode="lines", name=PATH_NAMES[name], hoverinfo="skip",
                    showlegend=False, line=line_style,
                )
            )  # fmt: skip
    if paths:
        ends = next(iter(paths.values()))[[0, -1]]
        fig.add_trace(
            go.Scatter(
                x=ends[:, 0], y=ends[:, 1], mode="markers", hoverinfo="skip", showlegend=False,
                marker={
                    "symbol": ["circle", "square"], "size": 12, "color": c.data,
                    "line": {"width": 2, "color": c.threshold},
                },
            )
        )  # fmt: skip
        for name, end, other in (("from", *ends), ("to", *ends[::-1])):
            _label(fig, end[0], end[1], name, c, above=end[1] >= other[1])


def _add_point(fig: go.Figure, point: np.ndarray, name: str, c: theme.Colors) -> None:
    if not np.isfinite(point).all():
        return
    fig.add_trace(
        go.Scatter(
            x=point[:1], y=point[1:], mode="markers", name=name, showlegend=False,
            marker={"size": 14, "color": c.model, "line": {"width": 2.5, "color": c.background}},
            hovertemplate=name + " at %{x:.4g}, %{y:.4g}<extra></extra>",
        )
    )  # fmt: skip
    _label(fig, point[0], point[1], name, c)


def _label(fig: go.Figure, x: float, y: float, text: str, c: theme.Colors, above: bool = True) -> None:
    fig.add_annotation(
        x=float(x), y=float(y), text=text, showarrow=False, yshift=19 if above else -19,
        bgcolor=c.background, opacity=0.9, borderpad=2, font={"color": c.text, "size": 13},
    )  # fmt: skip


def _add_targets(fig: go.Figure, window: Window) -> None:
    """Invisible points all over the plane, since an empty place reports no click."""
    x0, x1, y0, y1 = window
    side = np.stack(np.meshgrid(np.linspace(x0, x1, N_TARGETS), np.linspace(y0, y1, N_TARGETS)), -1).reshape(-1, 2)
    unseen = {"marker": {"opacity": 0}}
    fig.add_trace(
        go.Scatter(
            x=side[:, 0].astype(np.float32), y=side[:, 1].astype(np.float32), mode="markers", hoverinfo="none",
            marker={"opacity": 0, "size": 10}, selected=unseen, unselected=unseen, showlegend=False,
        )
    )  # fmt: skip


def _windowed(fig: go.Figure, window: Window) -> go.Figure:
    x0, x1, y0, y1 = (float(v) for v in window)
    fig.update_layout(xaxis_range=[x0, x1], yaxis_range=[y0, y1])
    return fig


def quantile_lines(latent: np.ndarray, dark: bool = False, most: int = 8, height: int = 330) -> go.Figure:
    """Quantiles of latent points (m, n_latent), of up to `most` features, against the standard normal's.

    Equal ones lie on the diagonal.
    """
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "standard normal quantile", "latent quantile")
    shares = (np.arange(99) + 1) / 100
    expected = ndtri(shares)
    quantiles = np.quantile(latent[:, :most], shares, axis=0)
    ends = expected[[0, -1]]
    fig.add_trace(
        go.Scatter(x=ends, y=ends, mode="lines", name="standard normal", line={"color": c.truth, "dash": "dash"})
    )
    colors, dashes = (c.model, c.second, c.third, c.data), ("solid", "dot", "dashdot", "longdash")
    for j in range(quantiles.shape[1]):
        style = {"color": colors[j % 4], "dash": dashes[(j // 4) % 4], "width": 2}
        fig.add_trace(go.Scatter(x=expected, y=quantiles[:, j], mode="lines", name=f"z{j + 1}", line=style))
    return fig


def norm_histogram(norms: np.ndarray, n_latent: int, dark: bool = False, height: int = 330) -> go.Figure:
    """Lengths (m,) of latent vectors against the chi distribution with `n_latent` degrees of freedom.

    That is the distribution of the length of a standard normal vector.
    """
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
