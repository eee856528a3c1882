"""Where the change of variables ends: maps without an inverse, or without a derivative."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from scipy.stats import norm

from flowlab.controls import Choice, Float
from flowlab.formatting import fixed
from flowlab.plots import theme
from flowlab.teaching.exhibit import Exhibit
from flowlab.teaching.exhibits.change_of_variables import GRID, N_DRAWS, base_draws

BROKEN = {"affine": "x = 1 + z / 2", "cube": "x = z³", "relu": "x = max(0, z)", "fold": "x = |z|"}


@dataclass(frozen=True, eq=False)
class BrokenMap:
    """A map of standard normal z that may not be a diffeomorphism, and what the change of variables makes of it.

    Attributes
    ----------
    shape : a key of `BROKEN`
    asked : the x whose z are looked for
    found : those z, (k,); for x = 0 of the ReLU, which a half line has, its end
    n_inverse : how many z have this x, infinite for the ReLU's zero
    slope : the smallest |dx/dz|
    lost : share of the rows whose z cannot be told from x by one inverse
    at_one_point : share of the rows that fall on a single x
    area : under the formula with one inverse
    z, x : (m,) the map
    line, formula : (k,) x, and the formula's density there, nan where it is none
    bin_edges, bin_density : histogram of 10 000 draws
    """

    shape: str
    asked: float
    found: np.ndarray
    n_inverse: float
    slope: float
    lost: float
    at_one_point: float
    area: float
    z: np.ndarray
    x: np.ndarray
    line: np.ndarray
    formula: np.ndarray
    bin_edges: np.ndarray
    bin_density: np.ndarray

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        where = " and ".join(fixed(float(z), 2) for z in self.found)
        many = (
            "The whole half line z ≤ 0 has"
            if np.isinf(self.n_inverse)
            else ("No z has", "One z has", "Two z have")[len(self.found)]
        )
        place = f": {where}" if np.isfinite(self.n_inverse) and where else ""
        return f"{many} x = {fixed(self.asked, 1)}{place}. {_BREAKS[self.shape].format(area=fixed(self.area, 2))}"


_BREAKS = {
    "affine": "One z for each x and a slope that is never zero: the formula's area is {area}, and it fits the draws.",
    "cube": "There is an inverse, but the slope at 0 is zero and the inverse has none: the density of x is infinite "
    "there, although its area is {area}.",
    "relu": "Half of the rows fall on x = 0, which no density can hold: the formula's area is {area}.",
    "fold": "Two z share each x > 0, and one inverse finds only one of them: the formula's area is {area}, half of "
    "what the draws have.",
}


def broken_map(shape: str = "fold", x: float = 1.0) -> BrokenMap:
    """A map of `BROKEN`, the z of one x, and the formula with one inverse beside a histogram of draws."""
    forward: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "affine": lambda z: 1 + z / 2, "cube": lambda z: z**3, "relu": lambda z: np.maximum(z, 0), "fold": np.abs,
    }  # fmt: skip
    f, z = forward[shape], np.linspace(-3, 3, GRID)
    positive = np.geomspace(1e-9, 5, 4000)
    line = np.concatenate([-positive[::-1], positive])
    with np.errstate(invalid="ignore"):
        if shape == "affine":
            formula, found = 2 * norm.pdf(2 * (line - 1)), [2 * (x - 1)]
        elif shape == "cube":
            formula, found = norm.pdf(np.cbrt(line)) / (3 * np.cbrt(line) ** 2), [float(np.cbrt(x))]
        elif shape == "relu":
            formula, found = np.where(line > 0, norm.pdf(line), np.nan), [x] * (x >= 0)
        else:
            formula, found = np.where(line > 0, norm.pdf(line), np.nan), sorted({-x, x}) if x >= 0 else []
    # The cube's tails beyond 5 hold mass that the window does not show.
    beyond = 2 * norm.sf(np.cbrt(5)) if shape == "cube" else 0.0
    area = float(np.trapezoid(np.nan_to_num(formula), line)) + float(beyond)
    n_inverse = np.inf if shape == "relu" and x == 0 else float(len(found))
    bins = np.linspace(-3.05, 3.05, 62)
    heights = np.histogram(f(base_draws()), bins)[0] / (N_DRAWS * np.diff(bins))
    slope = {"affine": 0.5, "cube": 0.0, "relu": 0.0, "fold": 1.0}[shape]
    lost = 0.5 if shape in ("relu", "fold") else 0.0
    return BrokenMap(
        shape, x, np.array(found, float), n_inverse, slope, lost, 0.5 if shape == "relu" else 0.0, area, z, f(z),
        line, formula, bins, heights,
    )  # fmt: skip


def draw_broken_map(result: BrokenMap, dark: bool = False, height: int = 420) -> go.Figure:
    """The map with the z of the chosen x at the left, and the formula over a histogram of draws at the right."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height)
    fig.add_scatter(x=result.z, y=result.x, mode="lines", line={"color": c.model, "width": 3}, hoverinfo="skip")
    if np.isinf(result.n_inverse):
        fig.add_scatter(x=[-3, 0], y=[0, 0], mode="lines", line={"color": c.anomaly, "width": 6}, hoverinfo="skip")
    fig.add_scatter(
        x=result.found, y=np.full(len(result.found), result.asked), mode="markers",
        marker={"size": 11, "color": c.anomaly}, hovertemplate="z %{x:.2f}, x %{y:.2f}<extra></extra>",
    )  # fmt: skip
    top = 1.3
    middles, widths = (result.bin_edges[1:] + result.bin_edges[:-1]) / 2, np.diff(result.bin_edges)
    fig.add_bar(
        x=result.bin_density.clip(max=top), y=middles, width=widths, orientation="h", xaxis="x2", yaxis="y",
        marker={"color": c.data}, opacity=0.4, hovertemplate="10 000 draws<br>density %{x:.3f}<extra></extra>",
    )  # fmt: skip
    fig.add_scatter(
        x=np.where(result.formula > 3 * top, np.nan, result.formula), y=result.line, xaxis="x2", yaxis="y",
        mode="lines", line={"color": c.model, "width": 3}, hovertemplate="formula %{x:.3f}<extra></extra>",
    )  # fmt: skip
    fig.update_layout(
        shapes=[{
            "type": "line", "xref": "paper", "yref": "y", "x0": 0, "x1": 1, "y0": result.asked, "y1": result.asked,
            "line": {"color": c.anomaly, "width": 1, "dash": "dot"},
        }],
        showlegend=False,
        xaxis={"domain": [0, 0.56], "range": [-3, 3], "title": {"text": "z"}},
        yaxis={"range": [-3, 3], "title": {"text": BROKEN[result.shape]}},
        xaxis2={"domain": [0.62, 1], "range": [0, top], "title": {"text": "p(x): draws, formula"}, "anchor": "y"},
    )  # fmt: skip
    return fig


BROKEN_MAP = Exhibit(
    "broken",
    (
        Choice("shape", "Map", BROKEN, help="Only the first has an inverse with a derivative everywhere"),
        Float("x", "Which z has this x?", -2, 2, 0.1),
    ),
    broken_map,
    draw_broken_map,
    rows=(113,),
)


EXHIBITS = (BROKEN_MAP,)
