"""Formulas that go wrong by a sign, a factor or an index, each beside the right one and with numbers that decide."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from scipy.stats import norm

from flowlab.controls import Choice, Float, Int
from flowlab.formatting import count, fixed, number, plural
from flowlab.plots import theme
from flowlab.teaching.exhibit import Exhibit

N_ROWS = 400


@dataclass(frozen=True, eq=False)
class Signs:
    """One set of rows chosen by two conventions: -log p at least theta, and log p at most alpha.

    Attributes
    ----------
    theta, alpha : the thresholds in nats
    score, log_density : (400,) -log p and log p of the rows
    by_score, by_density : (400,) which rows each convention chooses
    """

    theta: float
    alpha: float
    score: np.ndarray
    log_density: np.ndarray
    by_score: np.ndarray
    by_density: np.ndarray

    @property
    def alarms(self) -> int:
        """Rows with a score of theta or more."""
        return int(self.by_score.sum())

    @property
    def selected(self) -> int:
        """Rows with a log-density of alpha or less."""
        return int(self.by_density.sum())

    @property
    def both(self) -> int:
        """Rows that both choose."""
        return int((self.by_score & self.by_density).sum())

    @property
    def wrong(self) -> int:
        """Rows with a score of alpha or more: the sign forgotten."""
        return int((self.score >= self.alpha).sum())

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.score)

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"At θ = {fixed(self.theta, 1)} and α = {fixed(self.alpha, 1)} {count(self.alarms)} and "
            f"{count(self.selected)} rows are chosen, {count(self.both)} of them by both. With the sign forgotten, "
            f"−log p of α or more, it would be {count(self.wrong)} of {count(self.rows)}."
        )


def signs(theta: float = 4.0, alpha: float = -4.0) -> Signs:
    """Alarms of 400 rows of a two-dimensional standard normal by both conventions."""
    z = np.random.default_rng(1).normal(size=(N_ROWS, 2))
    log_density = norm.logpdf(z).sum(axis=1)
    return Signs(theta, alpha, -log_density, log_density, -log_density >= theta, log_density <= alpha)


def draw_signs(result: Signs, dark: bool = False, height: int = 420) -> go.Figure:
    """Both histograms, one the mirror image of the other, with what each convention chooses marked."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height)
    edges = np.arange(0, 13, 0.5)
    rows = [("", result.score, result.by_score, edges), ("2", result.log_density, result.by_density, -edges[::-1])]
    for axis, values, chosen, bins in rows:
        for which, color in ((~chosen, c.data), (chosen, c.anomaly)):
            heights = np.histogram(values[which], bins)[0]
            fig.add_bar(
                x=(bins[1:] + bins[:-1]) / 2, y=heights, xaxis=f"x{axis}", yaxis=f"y{axis}", width=0.5,
                marker={"color": color}, opacity=0.8, hovertemplate="%{y} rows<extra></extra>",
            )  # fmt: skip
    lines = [("x", "y domain", result.theta), ("x2", "y2 domain", result.alpha)]
    names = [("x", "y domain", result.theta, "θ"), ("x2", "y2 domain", result.alpha, "α")]
    fig.update_layout(
        barmode="stack",
        showlegend=False,
        margin={"t": 28},
        shapes=[
            {
                "type": "line", "xref": x, "yref": y, "x0": at, "x1": at, "y0": 0, "y1": 1,
                "line": {"color": c.threshold, "width": 2},
            }
            for x, y, at in lines
        ],
        annotations=[
            {"xref": x, "yref": y, "x": at, "y": 1, "yanchor": "bottom", "text": text, "showarrow": False}
            for x, y, at, text in names
        ],
        xaxis={"title": {"text": "anomaly score −log p (nats)"}, "range": [0, 12]},
        yaxis={"domain": [0.62, 1], "title": {"text": "rows"}, "nticks": 4},
        xaxis2={"title": {"text": "log p (nats)"}, "range": [-12, 0], "anchor": "y2"},
        yaxis2={"domain": [0, 0.34], "title": {"text": "rows"}, "nticks": 4},
    )  # fmt: skip
    return fig


SIGNS = Exhibit(
    "signs",
    (
        Float("theta", "Alarm from theta (nats)", 0, 12, 0.1, help="Rows with −log p of theta or more"),
        Float("alpha", "Selected up to alpha (nats)", -12, 0, 0.1, help="Rows with log p of alpha or less"),
    ),
    signs,
    draw_signs,
    rows=(102,),
)

FORMS = {
    "right": "−½ (x − μ)² / σ²",
    "no half": "−(x − μ)² / σ²",
    "misplaced": "−½ (x − μ)², and 1/σ² in front",
}


@dataclass(frozen=True, eq=False)
class Likelihood:
    """A Gaussian's density by the right formula and by one with a slip.

    Attributes
    ----------
    form, sigma : a key of `FORMS`, and the standard deviation
    x, right, written : (m,) both curves around mu = 0
    area, right_area : under them
    """

    form: str
    sigma: float
    x: np.ndarray
    right: np.ndarray
    written: np.ndarray
    area: float
    right_area: float

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        verdict = "it is a density" if abs(self.area - 1) < 1e-3 else "it is no density"
        area = fixed(self.area, 3)
        return f"With σ = {fixed(self.sigma, 2)} the area under the written formula is {area}, so {verdict}."


def likelihood(form: str = "no half", sigma: float = 0.5) -> Likelihood:
    """The formulas of `FORMS` with mean 0, and the area under them."""
    x = np.linspace(-40, 40, 16_001)
    right = norm.pdf(x, 0, sigma)
    written = {
        "right": right,
        "no half": np.exp(-((x / sigma) ** 2)) / (sigma * np.sqrt(2 * np.pi)),
        "misplaced": np.exp(-(x**2) / 2) / (sigma**2 * np.sqrt(2 * np.pi)),
    }[form]
    area, right_area = (float(np.trapezoid(curve, x)) for curve in (written, right))
    shown = np.abs(x) <= 6
    return Likelihood(form, sigma, x[shown][::4], right[shown][::4], written[shown][::4], area, right_area)


def draw_likelihood(result: Likelihood, dark: bool = False, height: int = 420) -> go.Figure:
    """Both curves."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "x − μ", "what the formula gives")
    fig.add_scatter(x=result.x, y=result.right, mode="lines", line={"color": c.truth, "dash": "dash"}, hoverinfo="skip")
    fig.add_scatter(
        x=result.x, y=result.written, mode="lines", line={"color": c.anomaly, "width": 3}, fill="tozeroy",
        fillcolor=theme.translucent(c.anomaly, 0.12), hovertemplate="%{y:.3f}<extra></extra>",
    )  # fmt: skip
    fig.add_annotation(
        x=0.02, y=0.98, xref="paper", yref="paper", xanchor="left", yanchor="top", align="left", showarrow=False,
        text=f"{FORMS[result.form]}<br>area {fixed(result.area, 3)}", font={"color": c.anomaly},
    )  # fmt: skip
    reach = max(3.0, 4 * result.sigma)
    fig.update_layout(showlegend=False, xaxis={"range": [-reach, reach]})
    return fig


LIKELIHOOD = Exhibit(
    "gaussian_formula",
    (
        Choice("form", "The exponent as written", FORMS),
        Float("sigma", "Standard deviation", 0.1, 2, 0.05),
    ),
    likelihood,
    draw_likelihood,
    rows=(5,),
)


@dataclass(frozen=True, eq=False)
class Halves:
    """The log-determinant of a coupling layer summed over the half that moves, and over the other one.

    Attributes
    ----------
    x1, x2 : the point; x1 is kept
    s : (2,) log-scale that a network of x1 gives the kept and the moved column; only the second is used
    jacobian : (2, 2) dy/dx by difference quotients
    moved, kept : the sum over the moved half, and over the half that stays
    measured : log |det| of the Jacobian
    """

    x1: float
    x2: float
    s: np.ndarray
    jacobian: np.ndarray
    moved: float
    kept: float
    measured: float

    @property
    def apart(self) -> float:
        """How far the sum over the moved half is from the measured log-determinant."""
        return abs(self.moved - self.measured)

    @property
    def wrong(self) -> float:
        """How far the sum over the other half is from it, nats."""
        return abs(self.kept - self.measured)

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"The Jacobian measured at the point has log-determinant {fixed(self.measured, 3)}. The sum of s over the "
            f"column that moves is {fixed(self.moved, 3)}, over the one that stays {fixed(self.kept, 3)}."
        )


def halves(x1: float = 0.8, x2: float = 0.5) -> Halves:
    """y1 = x1, y2 = exp(s2(x1)) x2 + t(x1) for a fixed network, and its Jacobian at (x1, x2)."""

    def s_of(a: float) -> np.ndarray:
        return np.array([np.tanh(1.5 - a), 0.8 * np.tanh(2 * a)])

    def layer(at: np.ndarray) -> np.ndarray:
        return np.array([at[0], np.exp(s_of(at[0])[1]) * at[1] + np.sin(at[0])])

    at, step = np.array([x1, x2]), 1e-6
    columns = [(layer(at + step * e) - layer(at - step * e)) / (2 * step) for e in np.eye(2)]
    jacobian, s = np.column_stack(columns), s_of(x1)
    return Halves(x1, x2, s, jacobian, float(s[1]), float(s[0]), float(np.linalg.slogdet(jacobian)[1]))


def draw_halves(result: Halves, dark: bool = False, height: int = 420) -> go.Figure:
    """The Jacobian as a table of four cells, and the three numbers as bars."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height)
    fig.add_heatmap(
        x=["x1", "x2"], y=["y1", "y2"], z=result.jacobian, zmin=-3, zmax=3, showscale=False,
        colorscale=theme.colorscale(c.diverging), text=[[fixed(v, 2) for v in row] for row in result.jacobian],
        texttemplate="%{text}", hovertemplate="d%{y}/d%{x} = %{z:.3f}<extra></extra>",
    )  # fmt: skip
    names = ["measured", "s of the moved", "s of the kept"]
    values = [result.measured, result.moved, result.kept]
    fig.add_bar(
        x=values, y=names, orientation="h", xaxis="x2", yaxis="y2", marker={"color": [c.truth, c.model, c.anomaly]},
        text=[fixed(v, 3) for v in values], textposition="outside", cliponaxis=False,
        hovertemplate="%{x:.4f} nats<extra></extra>",
    )  # fmt: skip
    fig.update_layout(
        showlegend=False,
        xaxis={"domain": [0.3, 0.75], "title": {"text": "Jacobian dy/dx"}},
        yaxis={"domain": [0.56, 1], "autorange": "reversed"},
        xaxis2={"anchor": "y2", "title": {"text": "log-determinant (nats)"}, "range": [-1.4, 1.4]},
        yaxis2={"domain": [0, 0.36], "autorange": "reversed"},
    )
    return fig


HALVES = Exhibit(
    "halves",
    (
        Float("x1", "x1 (kept)", -2, 2, 0.05, help="The network reads it"),
        Float("x2", "x2 (moved)", -2, 2, 0.05, help="Scaled by exp(s) and shifted"),
    ),
    halves,
    draw_halves,
    rows=(15,),
)


@dataclass(frozen=True, eq=False)
class Divergences:
    """Two Gaussians, and four numbers that say how far they are apart, in nats.

    Attributes
    ----------
    x, p, q : (m,) both densities
    forward, backward : KL(p, q) and KL(q, p)
    jensen_shannon : mean KL of both to their equal mixture
    """

    x: np.ndarray
    p: np.ndarray
    q: np.ndarray
    forward: float
    backward: float
    jensen_shannon: float

    @property
    def half_jeffreys(self) -> float:
        """Half of the Jeffreys divergence, KL(p, q) + KL(q, p)."""
        return (self.forward + self.backward) / 2

    @property
    def bound(self) -> float:
        """log 2, which no Jensen-Shannon divergence exceeds."""
        return float(np.log(2))

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"KL is {fixed(self.forward, 3)} one way and {fixed(self.backward, 3)} the other; their mean is "
            f"{fixed(self.half_jeffreys, 3)} nats. Jensen–Shannon is {fixed(self.jensen_shannon, 3)}, never more than "
            f"{fixed(self.bound, 3)}."
        )


def divergences(apart: float = 2.0, sigma: float = 1.0) -> Divergences:
    """Divergences of N(0, 1) and N(apart, sigma), by the trapezoidal rule on logs."""
    x = np.linspace(-14, 20, 6801)
    log_p, log_q = norm.logpdf(x), norm.logpdf(x, apart, sigma)
    log_m = np.logaddexp(log_p, log_q) - np.log(2)

    def kl(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.trapezoid(np.exp(a) * (a - b), x))

    p, q = np.exp(log_p), np.exp(log_q)
    shown = slice(None, None, 8)
    return Divergences(
        x[shown], p[shown], q[shown], kl(log_p, log_q), kl(log_q, log_p), (kl(log_p, log_m) + kl(log_q, log_m)) / 2
    )


def draw_divergences(result: Divergences, dark: bool = False, height: int = 420) -> go.Figure:
    """Both densities above, the divergences as bars below."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height)
    for name, curve, color, dash in (("p", result.p, c.truth, "solid"), ("q", result.q, c.model, "dash")):
        fig.add_scatter(
            x=result.x, y=curve, mode="lines", line={"color": color, "dash": dash, "width": 3}, fill="tozeroy",
            fillcolor=theme.translucent(color, 0.12), hovertemplate=f"{name} %{{y:.3f}}<extra></extra>",
        )  # fmt: skip
        top = int(curve.argmax())
        fig.add_annotation(
            x=result.x[top], y=curve[top], text=name, showarrow=False, yanchor="bottom", font={"color": color}
        )
    names = ["KL(p, q)", "KL(q, p)", "Jeffreys / 2", "Jensen–Shannon"]
    values = [result.forward, result.backward, result.half_jeffreys, result.jensen_shannon]
    fig.add_bar(
        x=values, y=names, orientation="h", xaxis="x2", yaxis="y2", text=[fixed(v, 3) for v in values],
        textposition="outside", cliponaxis=False, marker={"color": [c.data, c.data, c.anomaly, c.second]},
        hovertemplate="%{x:.4f} nats<extra></extra>",
    )  # fmt: skip
    fig.update_layout(
        showlegend=False,
        margin={"t": 24},
        shapes=[{
            "type": "line", "xref": "x2", "yref": "y2 domain", "x0": result.bound, "x1": result.bound, "y0": 0, "y1": 1,
            "line": {"color": c.threshold, "dash": "dash"},
        }],
        xaxis={"range": [-4, 9], "title": {"text": "x"}},
        yaxis={"domain": [0.62, 1], "title": {"text": "density"}, "rangemode": "tozero", "nticks": 4},
        xaxis2={"anchor": "y2", "title": {"text": "nats (dashed: log 2)"}, "range": [0, max(1.0, 1.25 * max(values))]},
        yaxis2={"domain": [0, 0.4], "autorange": "reversed"},
    )  # fmt: skip
    return fig


DIVERGENCES = Exhibit(
    "divergences_named",
    (
        Float("apart", "Distance of the means", 0, 6, 0.1),
        Float("sigma", "Standard deviation of q", 0.3, 2, 0.05, help="That of p is 1"),
    ),
    divergences,
    draw_divergences,
    rows=(135,),
)

CONVENTIONS = {"scale first": "y = exp(s) x + t", "shift first": "y = (x + t) exp(s)"}
INVERSES = {"scale first": "x = (y − t) exp(−s)", "shift first": "x = y exp(−s) − t"}


@dataclass(frozen=True, eq=False)
class Couplings:
    """One column sent through a coupling and back, by the inverse of either convention.

    Attributes
    ----------
    convention : of the layer, a key of `CONVENTIONS`
    x, y : (m,) before and after
    right, other : (m,) what the layer's own inverse and the other convention's make of y
    """

    convention: str
    x: np.ndarray
    y: np.ndarray
    right: np.ndarray
    other: np.ndarray

    @property
    def error(self) -> float:
        """Largest error of the round trip by the layer's own inverse."""
        return float(np.abs(self.right - self.x).max())

    @property
    def other_error(self) -> float:
        """Largest error by the inverse of the other convention."""
        return float(np.abs(self.other - self.x).max())

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"Back by its own inverse the largest error is {number(self.error)}; by the inverse of the other "
            f"convention it is {fixed(self.other_error, 3)}. The log-determinant is s in both."
        )


def couplings(convention: str = "scale first", s: float = 0.7, t: float = 1.0) -> Couplings:
    """A coupling with constant s and t, and both inverses."""
    x = np.linspace(-3, 3, 121)
    inverses = {"scale first": lambda y: (y - t) * np.exp(-s), "shift first": lambda y: y * np.exp(-s) - t}
    y = np.exp(s) * x + t if convention == "scale first" else (x + t) * np.exp(s)
    (other,) = CONVENTIONS.keys() - {convention}
    return Couplings(convention, x, y, inverses[convention](y), inverses[other](y))


def draw_couplings(result: Couplings, dark: bool = False, height: int = 420) -> go.Figure:
    """What comes back against what went in."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "x in", "x back")
    (other,) = CONVENTIONS.keys() - {result.convention}
    lines = [(result.right, c.truth, "solid", result.convention), (result.other, c.anomaly, "dash", other)]
    for back, color, dash, name in lines:
        fig.add_scatter(
            x=result.x, y=back, mode="lines", line={"color": color, "dash": dash, "width": 3},
            hovertemplate="in %{x:.2f}, back %{y:.2f}<extra></extra>",
        )  # fmt: skip
        at = 0.72 if name == result.convention else 0.28
        k = int(at * len(back))
        fig.add_annotation(
            x=result.x[k], y=back[k], text=INVERSES[name], font={"color": color}, showarrow=True, arrowcolor=color,
            ax=40 if at > 0.5 else -40, ay=36 if at > 0.5 else -36,
        )  # fmt: skip
    fig.update_layout(showlegend=False, xaxis={"range": [-3, 3]}, yaxis={"range": [-6, 6]})
    return fig


COUPLINGS = Exhibit(
    "conventions",
    (
        Choice("convention", "The layer", CONVENTIONS),
        Float("s", "s", -1, 1, 0.05, help="Log of the scale"),
        Float("t", "t", -2, 2, 0.1, help="Shift"),
    ),
    couplings,
    draw_couplings,
    rows=(14, 46),
)


@dataclass(frozen=True, eq=False)
class Passes:
    """How often an autoregressive network is asked, in the direction that knows its inputs and in the other.

    Attributes
    ----------
    n_columns : D
    known, unknown : passes of the network that each direction took
    error : largest difference after going one way and back
    before, after : (D,) a row and what it becomes
    """

    n_columns: int
    known: int
    unknown: int
    error: float
    before: np.ndarray
    after: np.ndarray

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"With {plural(self.n_columns, 'column')} the direction whose inputs are known asks the network "
            f"{plural(self.known, 'time')}, the other {plural(self.unknown, 'time')}; going and coming back is off by "
            f"{number(self.error)}."
        )


def passes(n_columns: int = 8) -> Passes:
    """A masked linear network with tanh gives s and t of each column from those before it; the passes are counted."""
    rng = np.random.default_rng(n_columns)
    weights = [np.tril(rng.normal(size=(n_columns, n_columns)), -1) / np.sqrt(n_columns) for _ in range(2)]
    asked = {"known": 0, "unknown": 0}

    def network(x: np.ndarray, way: str) -> tuple[np.ndarray, np.ndarray]:
        asked[way] += 1
        return np.tanh(weights[0] @ x), weights[1] @ x

    x = rng.normal(size=n_columns)
    s, t = network(x, "known")
    z = (x - t) * np.exp(-s)
    back = np.zeros(n_columns)
    for j in range(n_columns):
        s, t = network(back, "unknown")
        back[j] = z[j] * np.exp(s[j]) + t[j]
    return Passes(n_columns, asked["known"], asked["unknown"], float(np.abs(back - x).max()), x, z)


def draw_passes(result: Passes, dark: bool = False, height: int = 420) -> go.Figure:
    """The passes of both directions as bars: MAF's and IAF's are the same two, exchanged."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, y_title="passes of the network")
    values = [[result.known, result.unknown], [result.unknown, result.known]]
    for name, passes_of, color in (("MAF", values[0], c.model), ("IAF", values[1], c.second)):
        fig.add_bar(
            x=["density of a row", "a sample"], y=passes_of, text=[f"{name} {v}" for v in passes_of],
            marker={"color": color}, textposition="outside", cliponaxis=False,
            hovertemplate=f"{name}: %{{y}} passes<extra></extra>",
        )  # fmt: skip
    fig.update_layout(showlegend=False, barmode="group", yaxis={"range": [0, 1.15 * max(result.unknown, 2)]})
    return fig


PASSES = Exhibit(
    "passes",
    (Int("n_columns", "Columns D", 1, 64),),
    passes,
    draw_passes,
    rows=(88, 89),
)

EXHIBITS = (SIGNS, LIKELIHOOD, HALVES, DIVERGENCES, COUPLINGS, PASSES)
