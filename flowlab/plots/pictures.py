"""Sheets of pictures: pixels stay square and crisp, whatever the size they are shown in."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from flowlab.images.pixels import as_bytes
from flowlab.images.png import data_uri, enlarged
from flowlab.plots import theme
from flowlab.plots.panels import color_steps, colorbar
from flowlab.plots.table import label
from flowlab.views.pictures import PictureSheet

GAP = 8
CAPTION = 17
"""Room under a picture for its caption, in pixels of the screen."""
LETTER = 7
"""Width of a letter of the heads."""


def picture_sheet(
    sheet: PictureSheet, dark: bool = False, size: int = 56, width: int = 960, across: int = 0
) -> go.Figure:
    """Pictures in lines, one image for all; a picture's number of its row is `customdata` of a point upon it.

    Parameters
    ----------
    sheet : from `views.pictures`
    size : longer side of a picture on the screen, about, in pixels; pixels are repeated a whole number of times
    width : of the sheet at most, in pixels of the screen: longer lines are broken
    across : pictures in a line, instead of as many as fit
    """
    c = theme.colors(dark)
    if not len(sheet):
        return theme.figure(dark, 80).update_layout(xaxis={"visible": False}, yaxis={"visible": False})
    pictures = enlarged(sheet.pictures, size)
    n, high, wide, channels = pictures.shape
    gutter = min(170, LETTER * max((len(label(head, 24)) for head in sheet.heads), default=0)) + (
        GAP if sheet.heads else 0
    )
    across = across or max(1, (width - gutter) // (wide + GAP))
    left, top, lines = _places(sheet.heads or ("",) * n, across)
    told = {line for line, text in zip(top.tolist(), sheet.captions) if text}
    heights = [high + GAP + CAPTION * (line in told) for line in range(lines)]
    x, y = gutter + left * (wide + GAP), np.cumsum([0, *heights])[top]
    total = gutter + int(left.max() + 1) * (wide + GAP), sum(heights)
    canvas = np.zeros((total[1], total[0], 4), np.uint8)
    edge = [int(c.grid[i : i + 2], 16) for i in (1, 3, 5)]
    for picture, i, j in zip(pictures, y, x):
        canvas[i : i + high + 2, j : j + wide + 2] = [*edge, 255]
        canvas[i + 1 : i + high + 1, j + 1 : j + wide + 1, :3] = picture if channels == 3 else picture.repeat(3, axis=2)
    fig = theme.figure(dark, total[1] + 16)
    fig.add_trace(go.Image(source=data_uri(canvas), colormodel="rgba256", hoverinfo="skip"))
    fig.add_trace(
        go.Scatter(
            x=x + wide / 2,
            y=y + high / 2,
            mode="markers",
            marker={"size": min(wide, high), "opacity": 0, "symbol": "square"},
            customdata=sheet.rows,
            text=[_hover(sheet, i) for i in range(n)],
            hovertemplate="%{text}<extra></extra>",
            showlegend=False,
        )
    )
    words = [
        {
            "x": gutter - GAP,
            "y": int(i + high / 2),
            "text": label(head, 24),
            "xanchor": "right",  # so that large letters stay off the pictures
            "font": {"color": c.text},
        }
        for head, i in _first_of(sheet.heads, y)
    ]
    words += [
        {
            "x": float(j + wide / 2 + 1),
            "y": int(i + high + 2 + CAPTION / 2),
            "text": label(text, 14),
            "xanchor": "center",
        }
        for text, i, j in zip(sheet.captions, y, x)
        if text
    ]
    outline = {"type": "rect", "line": {"color": c.anomaly, "width": 2}}
    shapes = [
        {**outline, "x0": int(j), "y0": int(i), "x1": int(j + wide + 1), "y1": int(i + high + 1)}
        for i, j, marked in zip(y, x, sheet.marked)
        if marked
    ]
    plain = {"visible": False, "fixedrange": True}
    fig.update_layout(
        margin={"l": 0, "r": 0, "t": 8, "b": 8},
        annotations=[{"showarrow": False, "font": {"size": 12, "color": c.muted}, **word} for word in words],
        shapes=shapes,
        xaxis={**plain, "range": [-1, max(total[0], width) - 1], "constrain": "domain"},
        yaxis={**plain, "range": [total[1], -1], "scaleanchor": "x", "scaleratio": 1, "constrain": "domain"},
    )
    return fig


def pixel_map(values: np.ndarray, unit: str, dark: bool = False, height: int = 300) -> go.Figure:
    """Numbers (height, width) at their pixels, on a scale symmetric around zero; what adds is vermilion."""
    c = theme.colors(dark)
    top = float(np.abs(values).max()) or 1.0
    fig = theme.figure(dark, height)
    fig.add_trace(
        go.Heatmap(
            z=values, zmin=-top, zmax=top, colorscale=color_steps(c.diverging, reverse=True), colorbar=colorbar(unit),
            hovertemplate="row %{y}, column %{x}: %{z:.3g}<extra></extra>",
        )
    )  # fmt: skip
    fig.update_layout(
        xaxis={"visible": False, "constrain": "domain"},
        yaxis={"visible": False, "autorange": "reversed", "scaleanchor": "x", "scaleratio": 1, "constrain": "domain"},
    )
    return fig


def thumbnail(picture: np.ndarray, size: int = 40) -> str:
    """The address of one picture (height, width, channels) in [0, 1] as a small PNG: for a column of a table."""
    return data_uri(enlarged(as_bytes(picture), size))


def _places(heads: tuple[str, ...], across: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Place in its line (n,) and line (n,) of each picture, and the number of lines; each head begins one."""
    left, top = np.zeros(len(heads), int), np.zeros(len(heads), int)
    line, place = 0, 0
    for i, head in enumerate(heads):
        if i and (head != heads[i - 1] or place == across):
            line, place = line + 1, 0
        left[i], top[i] = place, line
        place += 1
    return left, top, line + 1


def _first_of(heads: tuple[str, ...], y: np.ndarray) -> list[tuple[str, int]]:
    return [(head, int(y[i])) for i, head in enumerate(heads) if head and (i == 0 or head != heads[i - 1])]


def _hover(sheet: PictureSheet, i: int) -> str:
    row = int(sheet.rows[i])
    parts = [sheet.heads[i] if sheet.heads else "", f"row {row}" if row >= 0 else ""]
    parts += [sheet.captions[i] if sheet.captions else "", "labelled anomaly" if sheet.marked[i] else ""]
    return " · ".join(label(part) for part in dict.fromkeys(parts) if part)
