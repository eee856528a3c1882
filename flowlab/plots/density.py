"""Densities: heat maps beside the truth and the difference, curves, slices and profiles along a line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from flowlab.formatting import fixed
from flowlab.plots import theme
from flowlab.plots.panels import LOG_RANGE, color_steps, colorbar, common_scale, drawn, mass_contours, on, panels
from flowlab.views.density import DensityGrid, DensitySlice, Profile

MAX_BELOW = 40.0
"""Nats by which a true log-density is drawn below the lowest learned one."""

QUANTITIES = {"density": "density", "log_density": "log-density (nats)", "energy": "energy (nats)"}
"""What a density picture can show, and the title of its scale; energy is minus the log-density."""
PANEL_HEIGHT = 400


@dataclass(frozen=True, eq=False)
class PickableRows:
    """Rows to click on a picture of the plane.

    Attributes
    ----------
    points : (m, 2) their positions
    rows : (m,) their numbers
    chosen : number of the row that is marked, -1 for none
    """

    points: np.ndarray
    rows: np.ndarray
    chosen: int = -1


def density_panels(
    grid: DensityGrid,
    quantity: str = "density",
    dark: bool = False,
    contours: bool = True,
    points: PickableRows | None = None,
    axes: tuple[str, str] = ("x1", "x2"),
    height: int = PANEL_HEIGHT,
) -> go.Figure:
    """The learned density; where the exact one is known, beside it and their signed difference.

    Parameters
    ----------
    grid : from `views.density_grid`
    quantity : a key of QUANTITIES; learned and true share one colour scale
    contours : around 50, 80, 95 and 99 % of the probability
    points : drawn on the learned density; they can be clicked, their row being the trace's customdata

    Raises
    ------
    ValueError
        If the quantity is not known.
    """
    if quantity not in QUANTITIES:
        raise ValueError(f"quantity must be one of {', '.join(QUANTITIES)}, not {quantity!r}")
    if grid.y is None:
        return density_curves(grid, quantity, dark, axes, height)
    c = theme.colors(dark)
    has_truth = grid.true is not None
    titles = ["learned", "true", "learned − true"] if has_truth else [""]
    fig = panels(titles, axes, dark, height, grid.window)
    low, high = common_scale(grid, quantity)
    maps = [(grid.learned, c.text)] + ([] if grid.true is None else [(grid.true, c.truth)])
    for i, (density, color) in enumerate(maps):
        fig.add_trace(
            go.Heatmap(
                x=grid.x,
                y=grid.y,
                z=drawn(density.log_density, quantity, high if quantity != "energy" else -low),
                coloraxis="coloraxis",
                hovertemplate=f"%{{x:.3g}}, %{{y:.3g}}<br>{QUANTITIES[quantity]} %{{z:.4g}}<extra>{titles[i]}</extra>",
                **on(i),
            )
        )
        if contours:
            fig.add_trace(mass_contours(grid.x, grid.y, density.log_density, density.levels, color, i))
    fig.update_layout(
        coloraxis={
            "colorscale": color_steps(c.sequential, reverse=quantity == "energy"),
            "cmin": low,
            "cmax": high,
            "colorbar": colorbar(QUANTITIES[quantity], 0.33, 0.4) if has_truth else colorbar(QUANTITIES[quantity]),
        }
    )
    if grid.difference is not None:
        fig.add_trace(_difference(grid, grid.difference.astype(np.float32), dark))
    if points is not None:
        _add_pickable(fig, points, dark)
    return fig


def density_curves(
    grid: DensityGrid,
    quantity: str = "density",
    dark: bool = False,
    axes: tuple[str, str] = ("x1", ""),
    height: int = PANEL_HEIGHT,
) -> go.Figure:
    """The densities of one feature as curves: the model's and, where it is known, the true one.

    `grid` and `quantity` as of `density_panels`.
    """
    c = theme.colors(dark)
    title = {"density": f"density (per unit of {axes[0]})"}.get(quantity, QUANTITIES[quantity])
    fig = theme.figure(dark, height, axes[0], title)
    for density, label, color, dash in (
        (grid.true, "true", c.truth, "dash"),
        (grid.learned, "learned", c.model, "solid"),
    ):
        if density is not None:
            top = float(np.nanmax(density.log_density)) if np.isfinite(density.log_density).any() else 0.0
            y = drawn(density.log_density, quantity, top)
            fig.add_trace(go.Scatter(x=grid.x, y=y, name=label, mode="lines", line={"color": color, "dash": dash}))
    return fig


def add_line(
    fig: go.Figure,
    ends: tuple[tuple[float, float], tuple[float, float]],
    window: tuple[float, float, float, float],
    dark: bool = False,
    n_targets: int = 41,
) -> None:
    """Draw a segment on a picture of the plane, and lay invisible targets over it so that any place can be clicked.

    A heat map itself reports no clicks. `ends` are the points ((x, y), (x, y)) of the segment, in data units.
    """
    c = theme.colors(dark)
    x0, x1, y0, y1 = window
    targets = np.stack(np.meshgrid(np.linspace(x0, x1, n_targets), np.linspace(y0, y1, n_targets)), -1).reshape(-1, 2)
    unseen = {"marker": {"opacity": 0}}
    fig.add_trace(
        go.Scatter(
            x=targets[:, 0].astype(np.float32),
            y=targets[:, 1].astype(np.float32),
            mode="markers",
            marker={"opacity": 0, "size": 10},
            selected=unseen,
            unselected=unseen,
            hoverinfo="none",
            showlegend=False,
        )
    )
    line = np.array(ends, float)
    fig.add_trace(
        go.Scatter(
            x=line[:, 0],
            y=line[:, 1],
            mode="lines+markers",
            line={"color": c.threshold, "width": 2.5},
            marker={"symbol": ["circle", "square"], "size": 10, "color": c.anomaly},
            hoverinfo="skip",
            showlegend=False,
        )
    )
    for name, (x, y) in zip(("start", "end"), line, strict=True):
        fig.add_annotation(
            x=x, y=y, text=name, showarrow=False, yshift=18, bgcolor=c.background, opacity=0.9, borderpad=2,
            font={"color": c.text, "size": 12},
        )  # fmt: skip


def _difference(grid: DensityGrid, difference: np.ndarray, dark: bool) -> go.Heatmap:
    reach = float(np.quantile(np.abs(difference[np.isfinite(difference)]), 0.995)) or 1e-12
    return go.Heatmap(
        x=grid.x,
        y=grid.y,
        z=difference,
        zmin=-reach,
        zmax=reach,
        colorscale=color_steps(theme.colors(dark).diverging),
        colorbar=colorbar("density, learned − true", 0.843, 0.28),
        hovertemplate="%{x:.3g}, %{y:.3g}<br>%{z:+.3g}<extra>learned − true</extra>",
        **on(2),
    )


def _add_pickable(fig: go.Figure, points: PickableRows, dark: bool) -> None:
    c = theme.colors(dark)
    positions, rows = points.points, points.rows
    highlighted = rows == points.chosen
    fig.add_trace(
        go.Scatter(
            x=positions[:, 0],
            y=positions[:, 1],
            mode="markers",
            customdata=rows,
            showlegend=False,
            marker={
                "color": np.where(highlighted, c.threshold, c.data),
                "size": np.where(highlighted, 13, 5),
                "opacity": np.where(highlighted, 1.0, 0.55),
                "line": {"width": np.where(highlighted, 2, 0), "color": c.background},
            },
            hovertemplate="row %{customdata}<br>%{x:.3g}, %{y:.3g}<extra>click for its receipt</extra>",
        )
    )


def profile_range(line: Profile) -> tuple[float, float]:
    """Lowest and highest log-density, in nats, that `profile_curve` draws.

    The truth is drawn to its lowest point, unless that lies more than MAX_BELOW nats under the model's: it may lie
    hundreds of nats lower, and the model's curve is to stay readable.
    """
    known = line.log_density if line.true_log_density is None else np.append(line.log_density, line.true_log_density)
    known = known[np.isfinite(known)]
    lowest = float(np.min(line.log_density, where=np.isfinite(line.log_density), initial=np.inf))
    return max(float(known.min()), lowest - MAX_BELOW), float(known.max())


def profile_curve(line: Profile, dark: bool = False, height: int = 330) -> go.Figure:
    """Log-density along a segment, the model's and, where it is known, the true one; the lowest point is marked."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "distance along the line (data units)", "log-density (nats)")
    curves = ((line.true_log_density, "true", c.truth, "dash"), (line.log_density, "learned", c.model, "solid"))
    for log_density, label, color, dash in curves:
        if log_density is not None:
            # Where the density is zero the curve is interrupted.
            y = np.where(np.isfinite(log_density), log_density, np.nan)
            style = {"color": color, "dash": dash, "width": 2.2}
            fig.add_trace(go.Scatter(x=line.distance, y=y, name=label, mode="lines", line=style))
    if len(line.distance):
        values = line.log_density[np.isfinite(line.log_density)]
        if len(values):
            bottom, top = profile_range(line)
            fig.update_yaxes(range=[bottom - 0.08 * (top - bottom), top + 0.08 * (top - bottom)])
            value = float(values.min())
            fig.add_annotation(
                x=float(line.distance[line.lowest]), y=value, text=f"lowest {fixed(value, 2)} nats",
                showarrow=True, arrowcolor=c.muted, ax=0, ay=30, font={"color": c.text},
            )  # fmt: skip
            _say_what_is_cut(fig, line, bottom, c.truth)
    return fig


def _say_what_is_cut(fig: go.Figure, line: Profile, bottom: float, color: str) -> None:
    """Where the true curve leaves the picture: how far down it goes."""
    true = line.true_log_density
    if true is None or not np.isfinite(true).any():
        return
    below = np.where(np.isfinite(true), true, np.inf)
    at = int(below.argmin())
    if below[at] < bottom:
        fig.add_annotation(
            x=float(line.distance[at]), y=bottom, text=f"true, down to {fixed(below[at], 1)} nats", showarrow=True,
            arrowcolor=color, ax=0, ay=-28, font={"color": color},
        )  # fmt: skip


def slice_heatmap(cut: DensitySlice, axes: tuple[str, str], dark: bool = False, height: int = 430) -> go.Figure:
    """The conditional density of two columns at a row's values of all others; the row is marked."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, axes[0], axes[1])
    top = float(np.nanmax(cut.log_conditional)) if np.isfinite(cut.log_conditional).any() else 0.0
    z = np.maximum(np.nan_to_num(cut.log_conditional, nan=-1e6, neginf=-1e6), top - LOG_RANGE)
    fig.add_trace(
        go.Heatmap(
            x=cut.x,
            y=cut.y,
            z=z.astype(np.float32),
            colorscale=color_steps(c.sequential),
            colorbar=colorbar("log-density given the others (nats)", 1.0),
            hovertemplate="%{x:.4g}, %{y:.4g}<br>%{z:.3f} nats<extra></extra>",
        )
    )
    fig.add_trace(mass_contours(cut.x, cut.y, cut.log_conditional, cut.levels, c.text))
    fig.add_trace(
        go.Scatter(
            x=cut.point[:1],
            y=cut.point[1:],
            mode="markers",
            name=f"row {cut.row}",
            marker={"symbol": "cross-thin", "size": 16, "line": {"width": 3, "color": c.anomaly}},
            hovertemplate=f"row {cut.row}<br>%{{x:.4g}}, %{{y:.4g}}<extra></extra>",
        )
    )
    fig.update_xaxes(range=cut.window[:2])
    fig.update_yaxes(range=cut.window[2:])
    return fig
