"""The look of all figures: colours by meaning, light and dark, and the base layout."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    # Imported by what makes a figure: the film's page takes its colours from here where Plotly is not installed.
    import plotly.graph_objects as go
    from plotly.basedatatypes import BasePlotlyType

    Figure = go.Figure

FONT = '"Source Sans", "Source Sans 3", sans-serif'


@dataclass(frozen=True)
class Colors:
    """Hex colours by meaning; the same meaning has the same colour on every page."""

    data: str
    model: str
    truth: str
    anomaly: str
    threshold: str
    second: str
    third: str
    text: str
    muted: str
    grid: str
    background: str
    sequential: tuple[str, ...]
    """Perceptually uniform, from the background's end (low density) to the strong end (high density)."""
    density: tuple[str, ...]
    """As `sequential`, for canvases, which put the page's own background before the first colour."""
    diverging: tuple[str, ...]
    """Model too high is blue, neutral in the middle, model too low is vermilion."""


_CIVIDIS = (
    "#00204c", "#002d6b", "#253f6c", "#3f506d", "#566271", "#6d7376", "#858678", "#9f9a75", "#bbae6c",
    "#d8c45e", "#f2dd55",
)  # fmt: skip

LIGHT = Colors(
    data="#56657A",
    model="#2F5FD0",
    truth="#00856A",
    anomaly="#D1490C",
    threshold="#1B2333",
    second="#8A4FBF",
    third="#A67C00",
    text="#1B2333",
    muted="#5B6678",
    grid="#E3E7EE",
    background="#FFFFFF",
    sequential=("#FBFCFE", "#E9E6C8", *reversed(_CIVIDIS[:-1])),
    density=("#F3EBC0", "#D9C983", "#A9A077", "#77777A", "#434E6C", "#14284F", "#001B40"),
    diverging=("#D1490C", "#EFA98A", "#F6F5F1", "#93AEEA", "#2F5FD0"),
)
DARK = Colors(
    data="#A9B4C4",
    model="#7EA2FF",
    truth="#37C8A4",
    anomaly="#FF8A55",
    threshold="#FFFFFF",
    second="#C79BF2",
    third="#E0B84C",
    text="#E8ECF4",
    muted="#A0AABB",
    grid="#283042",
    background="#10151F",
    sequential=("#10151F", "#0B1E3C", *_CIVIDIS[1:]),
    density=("#12244A", "#35456B", "#5F6575", "#8E8873", "#BFAE66", "#E8D35A", "#FFF2A6"),
    diverging=("#FF8A55", "#8F4D33", "#1A202C", "#3F558F", "#7EA2FF"),
)


def colors(dark: bool = False) -> Colors:
    """The colours of one theme."""
    return DARK if dark else LIGHT


def canvas_colors() -> dict[str, dict[str, str | tuple[str, ...]]]:
    """The colours of both themes, "light" and "dark", for the canvas components, which follow the theme themselves.

    >>> sorted(canvas_colors()["dark"]) == sorted(vars(DARK))
    True
    """
    return {"light": asdict(LIGHT), "dark": asdict(DARK)}


def colorscale(steps: tuple[str, ...]) -> list[list[float | str]]:
    """A tuple of two or more colours as a plotly colour scale, evenly spaced."""
    return [[i / (len(steps) - 1), color] for i, color in enumerate(steps)]


def translucent(color: str, opacity: float) -> str:
    """A hex colour with an opacity, as plotly takes it for fills and bands.

    >>> translucent("#2F5FD0", 0.2)
    'rgba(47,95,208,0.2)'
    """
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


@lru_cache
def template(dark: bool = False, scale: float = 1.0) -> go.layout.Template:
    """The look as a Plotly template: what every figure of one theme shares, sent in place of Plotly's own 7 kB.

    `scale`: how much larger than usual the letters are.
    """
    import plotly.graph_objects as go

    small, usual = 12 * scale, 13 * scale
    c = colors(dark)
    axis = {
        "gridcolor": c.grid,
        "zeroline": False,
        "showgrid": True,  # said, for colours in a template do not draw the lines
        "showline": True,
        "linecolor": c.grid,
        "ticks": "outside",
        "ticklen": 4,
        "tickcolor": c.grid,
        "tickfont": {"color": c.muted, "size": small},
        "title": {"font": {"color": c.text, "size": usual}, "standoff": 8},
        "automargin": True,
    }
    layout = {
        "margin": {"l": 8, "r": 8, "t": 12, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": usual, "color": c.text},
        "hoverlabel": {
            "bgcolor": c.background, "bordercolor": c.grid, "font": {"color": c.text, "size": usual}, "align": "left",
        },
        "hovermode": "closest",
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "title": {"text": ""}},
        "colorway": [c.model, c.second, c.third, c.data, c.truth, c.anomaly],
        "separators": ".\u2009",
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": c.muted, "activecolor": c.model},
        "autotypenumbers": "strict",
        "coloraxis": {"colorbar": {"outlinewidth": 0}},
        "xaxis": axis,
        "yaxis": axis,
    }  # fmt: skip
    bar = {"marker": {"line": {"color": "#E5ECF6", "width": 0.5}}}
    plain = {"colorbar": {"outlinewidth": 0, "tickfont": {"size": small}}}
    return go.layout.Template(layout=layout, data={"bar": [bar], "heatmap": [plain], "contour": [plain]})


def figure(
    dark: bool = False, height: int = 360, x_title: str = "", y_title: str = "", square: bool = False
) -> go.Figure:
    """An empty figure in FlowLab's look: titles on the axes, no chart title, a faint grid.

    `square` gives both axes one scale, as pictures of the plane need.
    """
    import plotly.graph_objects as go

    x: dict[str, object] = {"title": {"text": x_title}}
    y: dict[str, object] = {"title": {"text": y_title}}
    if square:
        x |= {"constrain": "domain"}
        y |= {"constrain": "domain", "scaleanchor": "x", "scaleratio": 1}
    return go.Figure({"layout": {"template": template(dark), "height": height, "xaxis": x, "yaxis": y}})


_FOREIGN = re.compile(
    r"(?:<|\\u003c)(?!(?:/|\\u002f)?(?:b|i|br|em|sub|sup|extra|span)(?:>|\\u003e)"
    r"|span style='color:#?\w{1,20}'(?:>|\\u003e))",
    re.IGNORECASE,
)
"""The beginning of a tag that FlowLab's own figures do not use, in the JSON of a figure."""


def without_foreign_tags(fig: go.Figure) -> go.Figure:
    """The figure with every tag but FlowLab's own shown as the characters it is written with.

    Plotly reads `<a href=...>` in titles, ticks and hover texts as a link; in the name of a column it must be none.
    """
    text = fig.to_json()
    if text is None or not _FOREIGN.search(text):
        return fig
    from plotly.io import from_json

    return from_json(_FOREIGN.sub("&lt;", text))


def enlarged(fig: go.Figure, scale: float, dark: bool = False) -> go.Figure:
    """A figure with all its letters `scale` times as large, and as much higher as its letters need: for a projector.

    >>> large = enlarged(figure(height=300, x_title="z").update_layout(annotations=[{"font": {"size": 12}}]), 2)
    >>> large.layout.annotations[0].font.size, large.layout.template.layout.font.size, large.layout.height
    (24, 26, 400.0)
    """
    import plotly.graph_objects as go

    drawn = go.Figure(fig)
    drawn.update_layout(template=template(dark, scale))
    for part in (drawn.layout, *drawn.data):
        _enlarge(part, scale)
    if drawn.layout.height:
        drawn.layout.height *= 1 + (scale - 1) / 3
    for axis in (*drawn.select_yaxes(), *drawn.select_xaxes()):
        axis.title.text = _in_two_lines(axis.title.text)
    for bar in _level_bars(drawn):
        bar.update(yref="container", y=0, yanchor="bottom")
    return drawn


LONGEST = 36
"""Letters of a title that fit beside a figure when they are large."""


def _in_two_lines(title: str | None) -> str | None:
    """A long title with a break at the space nearest to its middle."""
    if not title or len(title) <= LONGEST or "<br>" in title:
        return title
    spaces = [i for i, letter in enumerate(title) if letter == " "]
    at = min(spaces, key=lambda i: abs(i - len(title) / 2), default=None)
    return title if at is None else f"{title[:at]}<br>{title[at + 1 :]}"


def _level_bars(fig: go.Figure) -> list:
    """Colour bars that lie below the pictures, under the titles of their axes."""
    bars = [axis.colorbar for axis in fig.select_coloraxes()]
    bars += [trace.colorbar for trace in fig.data if "colorbar" in trace]
    return [bar for bar in bars if bar.orientation == "h" and bar.y is not None and bar.y < 0]


def _enlarge(part: BasePlotlyType, scale: float) -> None:
    """Multiply the sizes that fonts in a part of a figure have; the template's are done with."""
    from plotly.basedatatypes import BasePlotlyType

    for name in part:
        if name == "template":
            continue
        value = part[name]
        if name.endswith("font") and "size" in value and value.size is not None:
            value.size = np.multiply(value.size, scale).tolist()
        for inner in value if isinstance(value, tuple) else (value,):
            if isinstance(inner, BasePlotlyType) and not name.endswith("font"):
                _enlarge(inner, scale)


def write_at(fig: go.Figure, x: float, y: float, text: str, color: str, **where: object) -> None:
    """Write on the figure, in a colour, at a place of its first axes: a label on a line in place of a legend.

    The text ends at x and stands above y; `where` are further properties of a Plotly annotation.

    >>> fig = figure()
    >>> write_at(fig, 1, 2, "truth", LIGHT.truth)
    >>> fig.layout.annotations[0].text
    'truth'
    """
    place = {"xanchor": "right", "yanchor": "bottom", "showarrow": False, "font": {"color": color, "size": 14}}
    fig.add_annotation(**{"x": x, "y": y, "text": text, **place, **where})
