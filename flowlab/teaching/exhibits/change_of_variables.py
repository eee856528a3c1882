"""The change of variables in one dimension: stretched cells, both forms of the rule, broken maps and chains of maps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import plotly.graph_objects as go
from scipy.stats import kstest, norm

from flowlab.controls import Choice, Float, Int
from flowlab.formatting import fixed, plural
from flowlab.plots import theme
from flowlab.teaching.exhibit import Exhibit

GRID = 241


REACH = 6.0
"""Both axes run from minus to plus this."""


N_DRAWS = 10_000
"""Rows that are sent through a map."""


@lru_cache(maxsize=1)
def base_draws() -> np.ndarray:
    """Standard normal numbers (N_DRAWS,), the same every time."""
    return np.random.default_rng(2).normal(size=N_DRAWS)


@dataclass(frozen=True, eq=False)
class AffineMap:
    """x = mu + sigma z for standard normal z, and cells of equal mass on both sides.

    Attributes
    ----------
    mu, sigma : shift and stretch; with sigma = 0 there is no density of x
    z, z_density, x, x_density : (m,) both densities on grids
    z_edges, x_edges : (n_cells + 1,) ends of the cells
    bin_edges, bin_density : (k + 1,), (k,) histogram of 10 000 draws sent through the map
    ks_p : p-value of the Kolmogorov-Smirnov test of these draws against the density of x; nan where there is none
    """

    mu: float
    sigma: float
    z: np.ndarray
    z_density: np.ndarray
    x: np.ndarray
    x_density: np.ndarray
    z_edges: np.ndarray
    x_edges: np.ndarray
    bin_edges: np.ndarray
    bin_density: np.ndarray
    ks_p: float

    @property
    def cell_mass(self) -> float:
        """Probability of each cell, on either side."""
        return 1 / (len(self.z_edges) - 1)

    @property
    def area(self) -> float:
        """Area under the density of x, by the trapezoidal rule."""
        return float(np.trapezoid(self.x_density, self.x)) if self.sigma else 1.0

    @property
    def peak(self) -> float:
        """Highest density of x."""
        return float(self.x_density.max()) if self.sigma else np.inf

    @property
    def log_stretch(self) -> float:
        """log |dx/dz| in nats."""
        return float(np.log(self.sigma)) if self.sigma else -np.inf

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        if not self.sigma:
            return "With sigma 0 all mass falls on one point: the map has no inverse, and x has no density."
        verb = "stretches" if self.sigma > 1 else "shrinks" if self.sigma < 1 else "keeps"
        return (
            f"Every cell holds {fixed(100 * self.cell_mass, 1)} % of the mass on both sides. The map {verb} widths by "
            f"{fixed(self.sigma, 2)}, so the density is divided by {fixed(self.sigma, 2)}: its peak is "
            f"{fixed(self.peak, 3)} instead of {fixed(norm.pdf(0), 3)}."
        )


def affine_map(mu: float = 1.0, sigma: float = 0.5, n_cells: int = 8) -> AffineMap:
    """The density of x = mu + sigma z by the change of variables, p(x) = p(z) / sigma at z = (x - mu) / sigma."""
    z = np.linspace(-REACH, REACH, GRID)
    spread = max(REACH, abs(mu) + REACH * sigma)
    x = np.linspace(-spread, spread, 4 * GRID)
    x_density = norm.pdf((x - mu) / sigma) / sigma if sigma else np.zeros_like(x)
    z_edges = norm.ppf(np.linspace(0, 1, n_cells + 1)).clip(-REACH, REACH)
    draws = mu + sigma * base_draws()
    bins = np.linspace(mu - 4 * sigma, mu + 4 * sigma, 41) if sigma else np.array([mu - 0.05, mu + 0.05])
    heights = np.histogram(draws, bins)[0] / (N_DRAWS * np.diff(bins))
    ks_p = float(kstest(draws, norm(mu, sigma).cdf, method="asymp").pvalue) if sigma else np.nan
    return AffineMap(mu, sigma, z, norm.pdf(z), x, x_density, z_edges, mu + sigma * z_edges, bins, heights, ks_p)


def draw_affine_map(result: AffineMap, dark: bool = False, height: int = 420) -> go.Figure:
    """Base density below, its image above, and lines that join the ends of the cells."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, x_title="z (base) and x (data)")
    top = max(0.9, result.peak * 1.12) if result.sigma else 1.2
    middles, widths = (result.bin_edges[1:] + result.bin_edges[:-1]) / 2, np.diff(result.bin_edges)
    fig.add_bar(
        x=middles, y=result.bin_density.clip(max=top), width=widths, yaxis="y2", marker={"color": c.data},
        opacity=0.35, hovertemplate="10 000 draws<br>density %{y:.3f}<extra></extra>",
    )  # fmt: skip
    fig.add_scatter(
        x=result.x, y=result.x_density, yaxis="y2", mode="lines", line={"color": c.model}, fill="tozeroy",
        fillcolor=theme.translucent(c.model, 0.15), hovertemplate="x %{x:.2f}<br>p(x) %{y:.3f}<extra></extra>",
    )  # fmt: skip
    fig.add_scatter(
        x=result.z, y=result.z_density, mode="lines", line={"color": c.data}, fill="tozeroy",
        fillcolor=theme.translucent(c.data, 0.15), hovertemplate="z %{x:.2f}<br>p(z) %{y:.3f}<extra></extra>",
    )  # fmt: skip
    shapes = [
        {
            "type": "line", "xref": "x", "yref": "paper", "x0": z, "x1": x, "y0": 0.42, "y1": 0.58,
            "line": {"color": c.muted, "width": 1},
        }
        for z, x in zip(result.z_edges, result.x_edges, strict=True)
    ]  # fmt: skip
    fig.update_layout(
        shapes=shapes,
        showlegend=False,
        xaxis={"range": [-REACH, REACH]},
        yaxis={"domain": [0, 0.42], "title": {"text": "p(z)"}, "range": [0.45, 0]},
        yaxis2={"domain": [0.58, 1], "title": {"text": "p(x)"}, "range": [0, top]},
    )
    return fig


AFFINE = Exhibit(
    "affine",
    (
        Float("mu", "Shift mu", -3, 3, 0.1, help="Added to sigma z"),
        Float("sigma", "Stretch sigma", 0, 3, 0.05, help="Multiplies z; 0 has no inverse"),
        Int("n_cells", "Cells of equal mass", 2, 20, help="Each holds the same share of the rows on both sides"),
    ),
    affine_map,
    draw_affine_map,
    rows=(82, 83),
)


@dataclass(frozen=True)
class Map:
    """An increasing map x = f(z) with its derivative, its inverse and the inverse's own derivative, all in formulas."""

    label: str
    forward: Callable[[np.ndarray], np.ndarray]
    slope: Callable[[np.ndarray], np.ndarray]
    inverse: Callable[[np.ndarray], np.ndarray]
    inverse_slope: Callable[[np.ndarray], np.ndarray]


MAPS = {
    "affine": Map(
        "x = 1 + z / 2",
        lambda z: 1 + z / 2, lambda z: np.full_like(z, 0.5),
        lambda x: 2 * (x - 1), lambda x: np.full_like(x, 2.0),
    ),
    "exponential": Map("x = exp(z)", np.exp, np.exp, np.log, lambda x: 1 / x),
    "sinh": Map("x = sinh(z)", np.sinh, np.cosh, np.arcsinh, lambda x: 1 / np.sqrt(1 + x**2)),
    "cubic": Map(
        "x = z + z³",
        lambda z: z + z**3, lambda z: 1 + 3 * z**2,
        lambda x: 2 / np.sqrt(3) * np.sinh(np.arcsinh(1.5 * np.sqrt(3) * x) / 3),
        lambda x: np.cosh(np.arcsinh(1.5 * np.sqrt(3) * x) / 3) / np.sqrt(1 + 6.75 * x**2),
    ),
}  # fmt: skip
"""Maps with an inverse in closed form; the cubic one's is Cardano's."""


SHOWN = 2.2
"""z of `TwoForms` is drawn from minus to plus this."""


@dataclass(frozen=True, eq=False)
class TwoForms:
    """The density of x = f(z) at one point, by the derivative of f and by that of its inverse.

    Attributes
    ----------
    label : the map
    point, image : z and x = f(z)
    slope, inverse_slope : dx/dz at the point and dz/dx at its image, each from its own formula
    base_density : p(z)
    forward, inverse : p(z) / |dx/dz|, and p(f^-1(x)) |dz/dx|
    z, x, z_density, x_density : (m,) the curve and both densities
    """

    label: str
    point: float
    image: float
    slope: float
    inverse_slope: float
    base_density: float
    forward: float
    inverse: float
    z: np.ndarray
    x: np.ndarray
    z_density: np.ndarray
    x_density: np.ndarray

    @property
    def log_base(self) -> float:
        """log p(z) in nats."""
        return float(np.log(self.base_density))

    @property
    def log_slope(self) -> float:
        """log |dx/dz| in nats."""
        return float(np.log(self.slope))

    @property
    def log_density(self) -> float:
        """log p(x) in nats."""
        return self.log_base - self.log_slope

    @property
    def apart(self) -> float:
        """How far both forms are apart."""
        return abs(self.forward - self.inverse)

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"At z = {fixed(self.point, 2)} the map has slope {fixed(self.slope, 3)} and its inverse "
            f"{fixed(self.inverse_slope, 3)}. {fixed(self.base_density, 3)} divided by the one is "
            f"{fixed(self.forward, 4)}, and times the other {fixed(self.inverse, 4)}: that is p(x) at "
            f"x = {fixed(self.image, 2)}."
        )


def two_forms(shape: str = "sinh", z: float = 1.0) -> TwoForms:
    """Both forms of the change of variables at one point of a map of `MAPS`."""
    f = MAPS[shape]
    at = np.array(z)
    image = f.forward(at)
    slope, inverse_slope = f.slope(at), f.inverse_slope(image)
    line = np.linspace(-SHOWN, SHOWN, GRID)
    x = f.forward(line)
    return TwoForms(
        f.label, z, float(image), float(slope), float(inverse_slope), float(norm.pdf(z)), float(norm.pdf(z) / slope),
        float(norm.pdf(f.inverse(image)) * inverse_slope), line, x, norm.pdf(line),
        norm.pdf(f.inverse(x)) * f.inverse_slope(x),
    )  # fmt: skip


def draw_two_forms(result: TwoForms, dark: bool = False, height: int = 420) -> go.Figure:
    """The map with its tangent at the point; the density of z below it and that of x at its left."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height)
    low, high = float(result.x[0]), float(result.x[-1])
    reach = min(0.8, (high - low) / 5 / result.slope)
    fig.add_scatter(x=result.z, y=result.x, mode="lines", line={"color": c.model}, hoverinfo="skip")
    fig.add_scatter(
        x=[result.point - reach, result.point + reach],
        y=[result.image - reach * result.slope, result.image + reach * result.slope],
        mode="lines", line={"color": c.anomaly, "width": 3}, hoverinfo="skip",
    )  # fmt: skip
    fig.add_scatter(
        x=[result.point, result.point, -SHOWN], y=[low, result.image, result.image], mode="lines+markers",
        line={"color": c.muted, "dash": "dot"}, marker={"size": [0, 9, 0], "color": c.anomaly}, hoverinfo="skip",
    )  # fmt: skip
    fig.add_scatter(
        x=result.z, y=result.z_density, xaxis="x", yaxis="y2", mode="lines", line={"color": c.data}, fill="tozeroy",
        fillcolor=theme.translucent(c.data, 0.15), hovertemplate="z %{x:.2f}<br>p(z) %{y:.3f}<extra></extra>",
    )  # fmt: skip
    fig.add_scatter(
        x=result.x_density, y=result.x, xaxis="x2", yaxis="y", mode="lines", line={"color": c.model}, fill="tozerox",
        fillcolor=theme.translucent(c.model, 0.15), hovertemplate="x %{y:.2f}<br>p(x) %{x:.3f}<extra></extra>",
    )  # fmt: skip
    fig.add_annotation(
        x=0.3, y=0.98, xref="paper", yref="paper", xanchor="left", yanchor="top", showarrow=False, align="left",
        text=f"{result.label}<br>slope {fixed(result.slope, 3)}",
    )  # fmt: skip
    for name, x, y, color in (("p(x)", 0.01, 0.98, c.model), ("p(z)", 0.99, 0.01, c.data)):
        fig.add_annotation(
            x=x, y=y, xref="paper", yref="paper", xanchor="left" if x < 0.5 else "right",
            yanchor="top" if y > 0.5 else "bottom", showarrow=False, text=name, font={"color": color},
        )  # fmt: skip
    fig.update_layout(
        showlegend=False,
        xaxis={"domain": [0.28, 1], "range": [-SHOWN, SHOWN], "title": {"text": "z"}, "anchor": "y2"},
        yaxis={"domain": [0.3, 1], "range": [low, high], "title": {"text": "x = f(z)"}, "anchor": "x2"},
        xaxis2={"domain": [0, 0.24], "autorange": "reversed", "anchor": "y", "nticks": 2},
        yaxis2={"domain": [0, 0.22], "anchor": "x", "range": [0.45, 0], "tickvals": [0.2, 0.4]},
    )
    return fig


TWO_FORMS = Exhibit(
    "two_forms",
    (
        Choice("shape", "Map", {key: f.label for key, f in MAPS.items()}, help="Each has an inverse in closed form"),
        Float("z", "Point z", -2, 2, 0.05, help="Where both forms are computed"),
    ),
    two_forms,
    draw_two_forms,
    rows=(9, 82),
)


MOST_LAYERS = 6


STRAIGHT, BENT, STEEP = 0.7, 0.9, 2.0
"""One layer of the chain is x = 0.7 z + 0.9 tanh(2 z): an increasing map that pushes points from the middle."""


@dataclass(frozen=True, eq=False)
class Chain:
    """z sent through equal layers, one after the other.

    Attributes
    ----------
    point : where it starts
    positions : (n_layers + 1,) where it is after each layer
    log_slopes : (n_layers,) log |df/dz| of each layer at the point, nats
    whole : log of the slope of the whole chain there, by a difference quotient
    x, density : (m,) the density after the last layer
    z, base : (m,) and before the first
    """

    point: float
    positions: np.ndarray
    log_slopes: np.ndarray
    whole: float
    x: np.ndarray
    density: np.ndarray
    z: np.ndarray
    base: np.ndarray

    @property
    def layers(self) -> int:
        """How many."""
        return len(self.log_slopes)

    @property
    def total(self) -> float:
        """Sum of the layers' log-determinants in nats."""
        return float(self.log_slopes.sum())

    @property
    def log_density(self) -> float:
        """log p(x) at the end of the chain in nats."""
        return float(norm.logpdf(self.point)) - self.total

    @property
    def apart(self) -> float:
        """How far the sum is from the whole chain's slope."""
        return abs(self.total - self.whole)

    @property
    def at_zero(self) -> float:
        """The density of x at 0."""
        return float(np.interp(0, self.x, self.density))

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        if not len(self.log_slopes):
            return f"No layer yet: x is z, and p(x) at 0 is {fixed(self.at_zero, 3)}."
        return (
            f"At z = {fixed(self.point, 2)} {plural(self.layers, 'log-determinant')} make a sum of "
            f"{fixed(self.total, 3)} nats; the slope of the whole chain says {fixed(self.whole, 3)}. "
            f"At x = 0 the density is {fixed(self.at_zero, 3)} instead of {fixed(norm.pdf(0), 3)}."
        )


def chain(n_layers: int = 3, z: float = 0.5) -> Chain:
    """The density after `n_layers` maps x = 0.7 z + 0.9 tanh(2 z), by adding up the logs of their slopes."""

    def layer(z: np.ndarray) -> np.ndarray:
        return STRAIGHT * z + BENT * np.tanh(STEEP * z)

    def log_slope(z: np.ndarray) -> np.ndarray:
        return np.log(STRAIGHT + BENT * STEEP / np.cosh(STEEP * z) ** 2)

    line = np.linspace(-5, 5, 8 * GRID)
    step = 1e-6
    x, logs, near = line, np.zeros_like(line), np.array([z - step, z + step])
    positions, slopes = [z], []
    for _ in range(n_layers):
        slopes.append(float(log_slope(np.array(positions[-1]))))
        positions.append(float(layer(np.array(positions[-1]))))
        x, logs, near = layer(x), logs + log_slope(x), layer(near)
    whole = float(np.log((near[1] - near[0]) / (2 * step)))
    density = norm.pdf(line) * np.exp(-logs)
    return Chain(z, np.array(positions), np.array(slopes), whole, x, density, line, norm.pdf(line))


def draw_chain(result: Chain, dark: bool = False, height: int = 420) -> go.Figure:
    """The density before and after the chain with the way of the point, and each layer's log-determinant."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height)
    fig.add_scatter(x=result.z, y=result.base, mode="lines", line={"color": c.data, "dash": "dot"}, hoverinfo="skip")
    fig.add_scatter(
        x=result.x, y=result.density, mode="lines", line={"color": c.model}, fill="tozeroy",
        fillcolor=theme.translucent(c.model, 0.15), hovertemplate="x %{x:.2f}<br>p(x) %{y:.3f}<extra></extra>",
    )  # fmt: skip
    n = len(result.log_slopes)
    fig.add_scatter(
        x=result.positions, y=np.zeros(n + 1), mode="markers+lines", line={"color": c.anomaly, "width": 1},
        marker={"color": c.anomaly, "size": 9, "symbol": ["circle-open"] + ["circle"] * n}, cliponaxis=False,
        hovertemplate="x %{x:.3f}<extra></extra>",
    )  # fmt: skip
    names = [f"layer {i + 1}" for i in range(n)] + ["sum"]
    values = [*result.log_slopes, result.total]
    fig.add_bar(
        x=names, y=values, xaxis="x2", yaxis="y2", text=[fixed(v, 2) for v in values], textposition="auto",
        marker={"color": [c.model] * n + [c.anomaly]}, hovertemplate="%{x}: %{y:.4f} nats<extra></extra>",
    )  # fmt: skip
    fig.update_layout(
        showlegend=False,
        xaxis={"domain": [0, 1], "range": [-4, 4], "title": {"text": "z (dotted) and x"}},
        yaxis={"domain": [0.48, 1], "title": {"text": "density"}, "rangemode": "tozero"},
        xaxis2={"domain": [0, 1], "anchor": "y2", "range": [-0.5, max(n, 1) + 0.5], "title": {"text": ""}},
        yaxis2={"domain": [0, 0.26], "title": {"text": "log slope (nats)"}, "zeroline": True, "nticks": 4},
    )
    return fig


CHAIN = Exhibit(
    "chain",
    (
        Int("n_layers", "Layers", 0, MOST_LAYERS, help="Each is x = 0.7 z + 0.9 tanh(2 z)"),
        Float("z", "Point z", -2, 2, 0.05, help="Its way through the layers is the line on the axis"),
    ),
    chain,
    draw_chain,
    rows=(86,),
)


EXHIBITS = (
    AFFINE,
    TWO_FORMS,
    CHAIN,
)
