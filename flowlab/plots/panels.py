"""Parts that pictures of the plane share: square panels, colour scales, contours of equal mass."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from flowlab.plots import theme
from flowlab.views.density import DensityGrid

LOG_RANGE = 14.0
"""Nats below the maximum at which the colour scale of a log-density ends."""


def panels(
    titles: list[str], axes: tuple[str, str], dark: bool, height: int, window: tuple[float, ...] | None
) -> go.Figure:
    """Panels side by side, zoomed together, square where the window is; `on(i)` puts a trace on panel i, from 0."""
    fig = theme.figure(dark, height)
    gap = 0.03
    width = (1 - gap * (len(titles) - 1)) / len(titles)
    # Equal scales where the window is square, that is, where both axes share a unit.
    square = window is None or abs((window[1] - window[0]) / (window[3] - window[2]) - 1) < 1e-2
    layout: dict = {"margin": {"t": 30 if any(titles) else 12}, "annotations": []}
    for i, title in enumerate(titles):
        name = str(i + 1) if i else ""
        left = i * (width + gap)
        x: dict = {"title": {"text": axes[0]}, "domain": [left, left + width], "constrain": "domain"}
        x["anchor"] = f"y{name}"
        y: dict = {"title": {"text": "" if i else axes[1]}, "anchor": f"x{name}"}
        if square:
            y |= {"scaleanchor": f"x{name}", "scaleratio": 1, "constrain": "domain"}
        if window is not None:
            x["range"], y["range"] = [float(v) for v in window[:2]], [float(v) for v in window[2:]]
        if i:
            x["matches"] = "x"
            y |= {"matches": "y", "showticklabels": False, "ticks": ""}
        layout |= {f"xaxis{name}": x, f"yaxis{name}": y}
        if title:
            place = {"x": left, "y": 1.0, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom"}
            layout["annotations"].append({**place, "text": title, "showarrow": False, "font": {"size": 14}})
    # One update: plotly takes milliseconds for each.
    fig.update_layout(layout)
    return fig


def on(panel: int) -> dict[str, str]:
    """The axes of a panel, as arguments of a trace."""
    name = str(panel + 1) if panel else ""
    return {"xaxis": f"x{name}", "yaxis": f"y{name}"}


def drawn(log_density: np.ndarray, quantity: str, top: float) -> np.ndarray:
    """A log-density as `quantity` shows it, cut off below `top`, in float32 to halve what is sent to the browser."""
    if quantity == "density":
        return np.exp(np.minimum(log_density, 700)).astype(np.float32)
    floored = np.maximum(np.nan_to_num(log_density, nan=-np.inf, neginf=-1e6), top - 4 * LOG_RANGE)
    return (floored if quantity == "log_density" else -floored).astype(np.float32)


def common_scale(grid: DensityGrid, quantity: str) -> tuple[float, float]:
    """Ends of the common colour scale of learned and true density, in units of `quantity`."""
    maps = [grid.learned.log_density] + ([] if grid.true is None else [grid.true.log_density])
    tops = [float(values[np.isfinite(values)].max()) for values in maps if np.isfinite(values).any()]
    # The truth sets the scale where it is known: a spike of an early model must not darken everything else.
    top = tops[-1] if tops else 0.0
    if quantity == "density":
        return 0.0, float(np.exp(min(top, 700)))
    return (top - LOG_RANGE, top) if quantity == "log_density" else (-top, LOG_RANGE - top)


def mass_contours(
    x: np.ndarray, y: np.ndarray, log_density: np.ndarray, levels: np.ndarray, color: str, panel: int = 0
) -> go.Contour:
    """Contours that enclose 50, 80, 95 and 99 %: of a map of the log-density on which these levels are 4, 3, 2, 1."""
    steps = np.array([-np.inf, *levels[::-1], np.inf])
    z = np.nan_to_num(log_density, nan=-1e6, neginf=-1e6)
    # Piecewise linear between the levels; one nat beyond the outer ones counts as one step.
    knots = np.concatenate(
        [[levels[-1] - 1], np.maximum.accumulate(steps[1:-1]) + 1e-9 * np.arange(4), [levels[0] + 1]]
    )
    ranks = np.interp(z, knots, np.arange(6)).astype(np.float32)
    return go.Contour(
        x=x,
        y=y,
        z=ranks,
        contours={"start": 1, "end": 4, "size": 1, "coloring": "none", "showlabels": False},
        line={"color": color, "width": 1},
        showscale=False,
        hoverinfo="skip",
        name="contours around 50, 80, 95 and 99 % of the probability",
        showlegend=False,
        **on(panel),
    )


def colorbar(title: str, x: float = 1.0, length: float = 0.0) -> dict:
    """A slim colour bar: upright at `x`, or level below the picture, centred on `x`, where `length` is given."""
    bar = {
        "title": {"text": title, "side": "right", "font": {"size": 12}},
        "thickness": 10,
        "len": 0.86,
        "x": x,
        "xanchor": "left",
        "outlinewidth": 0,
        "tickfont": {"size": 11},
        "exponentformat": "power",
    }
    if length:
        below = {"text": title, "side": "bottom", "font": {"size": 12}}
        bar |= {"title": below, "orientation": "h", "len": length, "xanchor": "center", "y": -0.17, "yanchor": "top"}
    return bar


def color_steps(steps: tuple[str, ...], reverse: bool = False) -> list[list[float | str]]:
    """A tuple of colours as a plotly colour scale, from the last to the first if `reverse`."""
    return theme.colorscale(tuple(reversed(steps)) if reverse else steps)


def point_size(n: int) -> float:
    """Diameter of points in pixels: small when many."""
    return 6.0 if n <= 500 else 4.5 if n <= 2500 else 3.0
