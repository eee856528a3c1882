"""Inside a coupling layer, by a small one written out in NumPy: masks, Jacobian, directions, sizes of networks."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import plotly.graph_objects as go

from flowlab.controls import Choice, Flag, Float, Int
from flowlab.formatting import count, fixed
from flowlab.plots import theme
from flowlab.teaching.exhibit import Exhibit


class TinyCoupling:
    """A coupling y = b x + (1 - b) (x exp(s(b x)) + t(b x)) with binary mask b and random networks of one layer.

    Parameters
    ----------
    b : (d,) of 0 and 1; 1 stays
    seed : of the networks
    """

    def __init__(self, b: np.ndarray, seed: int = 0):
        self.b = np.asarray(b, float)
        d, rng = len(self.b), np.random.default_rng(seed)
        self.weights = [rng.normal(0, 1 / np.sqrt(d), (2 * d, d)), rng.normal(0, 0.5, (2 * d, 2 * d))]

    def s_and_t(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log-scale, within 1, and shift of rows x (n, d); both see the masked row alone."""
        hidden = np.tanh((self.b * x) @ self.weights[0].T)
        raw_s, t = np.split(hidden @ self.weights[1].T, 2, axis=1)
        return np.tanh(raw_s), t

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Rows (n, d) through the formula with b."""
        s, t = self.s_and_t(x)
        return self.b * x + (1 - self.b) * (x * np.exp(s) + t)

    def split_forward(self, x: np.ndarray) -> np.ndarray:
        """The same in two halves: columns that stay are copied, the others scaled and shifted."""
        stays = self.b == 1
        s, t = self.s_and_t(x)
        y = np.empty_like(x)
        y[:, stays] = x[:, stays]
        y[:, ~stays] = x[:, ~stays] * np.exp(s[:, ~stays]) + t[:, ~stays]
        return y

    def inverse(self, y: np.ndarray) -> np.ndarray:
        """Rows whose image y (n, d) is: the networks need no inverse, for what they read has stayed."""
        s, t = self.s_and_t(y)
        return self.b * y + (1 - self.b) * (y - t) * np.exp(-s)

    def log_det(self, x: np.ndarray) -> np.ndarray:
        """(n,), the sum of s over what changes."""
        return ((1 - self.b) * self.s_and_t(x)[0]).sum(axis=1)

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        """(d, d) at a row (d,), by central differences: column j is the change of all by column j."""
        step = 1e-5 * np.eye(len(x))
        return ((self.forward(x + step) - self.forward(x - step)) / 2e-5).T


@dataclass(frozen=True, eq=False)
class Masked:
    """A coupling's Jacobian under a binary mask.

    Attributes
    ----------
    b : (d,) the mask
    order : (d,) its columns, those that stay first
    jacobian : (d, d) in that order
    log_det : the sum of s over the columns that change
    error : largest difference between the formula with b and the one in two halves, over 200 rows
    round_trip : largest error of the inverse over the same rows
    """

    b: np.ndarray
    order: np.ndarray
    jacobian: np.ndarray
    log_det: float
    error: float
    round_trip: float

    @property
    def n_kept(self) -> int:
        """How many columns stay."""
        return int(self.b.sum())

    @property
    def log_abs_det(self) -> float:
        """log |det| of the Jacobian by LU, nats."""
        return float(np.linalg.slogdet(self.jacobian)[1])

    @property
    def difference(self) -> float:
        """Between the two ways to the log-determinant."""
        return abs(self.log_abs_det - self.log_det)

    @property
    def above(self) -> float:
        """Largest entry above the diagonal; 0 for a triangular matrix."""
        return float(np.abs(np.triu(self.jacobian, 1)).max(initial=0.0))

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        digits = "".join(str(int(v)) for v in self.b)
        if self.n_kept == len(self.b):
            return f"Mask {digits}: everything stays, so the layer is the identity and changes no volume."
        if self.n_kept == 0:
            return (
                f"Mask {digits}: nothing stays, so s and t are constants and the layer scales and shifts each column; "
                f"the sum of s is {fixed(self.log_det)} nats."
            )
        return (
            f"Mask {digits}: {self.n_kept} columns stay, {len(self.b) - self.n_kept} change. Sorted so, the Jacobian "
            f"is triangular; the sum of s is {fixed(self.log_det)}, log |det| by LU {fixed(self.log_abs_det)} nats."
        )


def masks(kind: str, n_features: int) -> np.ndarray:
    """b of a kind, (n_features,): "alternate", "half" (the first half stays), "all", "none"."""
    j = np.arange(n_features)
    chosen = {"alternate": j % 2 == 0, "half": j < (n_features + 1) // 2, "all": j >= 0, "none": j < 0}
    return chosen[kind].astype(int)


def masked(kind: str = "half", n_features: int = 6, seed: int = 0) -> Masked:
    """A random coupling of `n_features` columns under a mask, at a random row."""
    b = masks(kind, n_features)
    layer = TinyCoupling(b, seed)
    rows = np.random.default_rng([seed, 1]).normal(size=(200, n_features))
    order = np.argsort(1 - b, kind="stable")
    jacobian = layer.jacobian(rows[0])[np.ix_(order, order)]
    y = layer.forward(rows)
    error = float(np.abs(y - layer.split_forward(rows)).max())
    return Masked(
        b, order, jacobian, float(layer.log_det(rows[:1])[0]), error, float(np.abs(layer.inverse(y) - rows).max())
    )


def draw_masked(result: Masked, dark: bool = False, height: int = 420) -> go.Figure:
    """The Jacobian in the order of the mask, its blocks divided."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "column of x, those that stay first", "column of y", square=True)
    top = float(np.abs(result.jacobian).max())
    names = [f"x{j + 1}" for j in result.order]
    fig.add_heatmap(
        x=names, y=[name.replace("x", "y") for name in names], z=result.jacobian, zmin=-top, zmax=top,
        colorscale=theme.colorscale(c.diverging), text=np.round(result.jacobian, 2), texttemplate="%{text:.2f}",
        colorbar={"title": {"text": "dy/dx"}}, hovertemplate="d%{y}/d%{x} = %{z:.3f}<extra></extra>",
    )  # fmt: skip
    d, k = len(result.b), result.n_kept
    if 0 < k < d:
        fig.add_vline(x=k - 0.5, line={"color": c.threshold, "width": 2})
        fig.add_hline(y=k - 0.5, line={"color": c.threshold, "width": 2})
    return fig.update_yaxes(autorange="reversed")


@dataclass(frozen=True, eq=False)
class Directions:
    """One number through a coupling and back.

    Attributes
    ----------
    x, s, t : what goes in, the log-scale and the shift
    y : what comes out forward
    back : y through the inverse
    convention : "scale then shift" or "shift then scale"
    """

    x: float
    s: float
    t: float
    y: float
    back: float
    convention: str

    @property
    def error(self) -> float:
        """How far the way back misses."""
        return abs(self.back - self.x)

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        end = "the same number" if self.error < 1e-9 else f"{fixed(self.error)} off: this is no inverse"
        return f"Forward {fixed(self.x)} becomes {fixed(self.y)}; back it becomes {fixed(self.back)}, {end}."


def directed(x: float, s: float, t: float, direction: int, gate: float) -> float:
    """The lecture's one formula for both ways: x exp(direction s) + direction t exp(gate s).

    Direction 1 with gate 0 is x exp(s) + t; direction -1 with gate -1 is (x - t) exp(-s), its inverse.

    >>> directed(directed(0.5, 1.0, 2.0, 1, 0), 1.0, 2.0, -1, -1)
    0.5
    """
    return float(x * np.exp(direction * s) + direction * t * np.exp(gate * s))


def directions(
    x: float = 1.0, s: float = 0.7, t: float = 0.5, convention: str = "scale then shift", gate: bool = True
) -> Directions:
    """A number forward and back; without `gate`, the shift is not scaled where it must be."""
    first = convention == "scale then shift"
    # x e^s + t has the inverse (y - t) e^-s; (x + t) e^s has the inverse y e^-s - t.
    forward_gate, back_gate = (0, -1) if first else (1, 0)
    y = directed(x, s, t, 1, forward_gate)
    back = directed(y, s, t, -1, back_gate if gate else 0 if first else -1)
    return Directions(x, s, t, y, back, convention)


def draw_directions(result: Directions, dark: bool = False, height: int = 420) -> go.Figure:
    """The map as a line, and the way of the number there and back."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "x", "y")
    grid = np.linspace(-3, 3, 61)
    gate = 0 if result.convention == "scale then shift" else 1
    line = [directed(v, result.s, result.t, 1, gate) for v in grid]
    fig.add_scatter(x=grid, y=line, mode="lines", line={"color": c.model, "width": 3}, hoverinfo="skip")
    formula = "x e^s + t" if gate == 0 else "(x + t) e^s"
    theme.write_at(fig, 2.9, float(line[-1]), f"y = {formula}", c.model)
    fig.add_scatter(
        x=[result.x, result.x, result.back], y=[min(line), result.y, result.y], mode="lines+markers",
        line={"color": c.anomaly if result.error > 1e-9 else c.truth, "dash": "dash"},
        marker={"size": 10, "symbol": ["circle", "circle", "x" if result.error > 1e-9 else "circle-open"]},
        hovertemplate="x %{x:.3f}<br>y %{y:.3f}<extra></extra>",
    )  # fmt: skip
    theme.write_at(fig, result.back, result.y, "back ", c.text)
    return fig.update_layout(showlegend=False)


@dataclass(frozen=True, eq=False)
class NetworkSizes:
    """What the two ways to write a coupling cost in weights.

    Attributes
    ----------
    n_features : (m,) columns of a table
    split, full : (m,) weights of both networks of a layer: from the half that stays to the half that changes; from all
        columns, masked, to all
    inputs : (m,) columns that a network of a split layer reads
    at : number of the chosen table
    """

    n_features: np.ndarray
    split: np.ndarray
    full: np.ndarray
    inputs: np.ndarray
    at: int

    @property
    def columns(self) -> int:
        """Of the chosen table."""
        return int(self.n_features[self.at])

    @property
    def split_weights(self) -> int:
        """Of the chosen table."""
        return int(self.split[self.at])

    @property
    def full_weights(self) -> int:
        """Of the chosen table."""
        return int(self.full[self.at])

    @property
    def ratio(self) -> float:
        """Full over split."""
        return self.full_weights / self.split_weights

    @property
    def kilobytes(self) -> float:
        """Of the full networks in float32."""
        return 4 * self.full_weights / 1000

    @property
    def input_width(self) -> int:
        """Columns that a network of the split layer reads: the sum of the mask."""
        return int(self.inputs[self.at])

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"With {self.n_features[self.at]} columns a network reads the {self.input_width} that stay. A layer has "
            f"{count(self.split_weights)} weights, with masked inputs {count(self.full_weights)}: "
            f"{fixed(self.ratio, 2)} times as many, {fixed(self.kilobytes, 1)} kB."
        )


def weights_of(n_inputs: int, n_outputs: int, width: int, depth: int) -> int:
    """Weights and biases of a network with `depth` hidden layers of `width`.

    >>> weights_of(1, 1, 32, 2), weights_of(3, 2, 32, 0)
    (1153, 8)
    """
    sizes = [n_inputs, *[width] * depth, n_outputs]
    return sum((a + 1) * b for a, b in pairwise(sizes))


def network_sizes(n_features: int = 159, width: int = 32, depth: int = 2) -> NetworkSizes:
    """Weights of the networks for s and t of one coupling layer over tables of 2 columns to 200 and the chosen one."""
    tables = np.array(sorted({*range(2, 201, 6), n_features}))
    inputs = np.array([masks("half", d).sum() for d in tables])
    split = np.array([2 * weights_of(k, d - k, width, depth) for d, k in zip(tables, inputs, strict=True)])
    full = np.array([2 * weights_of(d, d, width, depth) for d in tables])
    return NetworkSizes(tables, split, full, inputs, int(np.flatnonzero(tables == n_features)[0]))


def draw_network_sizes(result: NetworkSizes, dark: bool = False, height: int = 420) -> go.Figure:
    """Weights against columns, both ways, and the width of the input."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "columns of the table", "weights of one layer")
    for values, name, color, dash in (
        (result.full, "masked: all columns in and out", c.anomaly, "solid"),
        (result.split, "split: half in, half out", c.model, "dash"),
    ):
        fig.add_scatter(
            x=result.n_features, y=values, mode="lines", line={"color": color, "dash": dash, "width": 3},
            hovertemplate=f"{name}<br>%{{x}} columns: %{{y}} weights<extra></extra>",
        )  # fmt: skip
        theme.write_at(fig, result.n_features[-1], float(values[-1]), name, color)
    fig.add_scatter(
        x=result.n_features, y=result.inputs, yaxis="y2", mode="lines", line={"color": c.third, "dash": "dot"},
        hovertemplate="%{x} columns: a network reads %{y}<extra></extra>",
    )  # fmt: skip
    chosen = result.n_features[result.at]
    fig.add_vline(x=chosen, line={"color": c.threshold, "width": 1})
    reads = {"title": {"text": "columns read (dotted)"}, "overlaying": "y", "side": "right", "showgrid": False}
    return fig.update_layout(showlegend=False, yaxis2=reads)


_FEATURES = Int("n_features", "Columns", 2, 10, help="Of the table")

EXHIBITS = (
    Exhibit(
        "masked",
        (
            Choice(
                "kind", "Mask", {
                    "half": "the first half stays", "alternate": "every other column stays",
                    "all": "all stay", "none": "none stays",
                },
                help="b in the formula",
            ),
            _FEATURES,
            Int("seed", "Networks", 0, 20, help="Other random weights"),
        ),
        masked,
        draw_masked,
        rows=(15, 117, 118),
    ),
    Exhibit(
        "directions",
        (
            Float("x", "x", -2, 2, 0.1, help="What goes in"),
            Float("s", "s", -2, 2, 0.1, help="Log-scale, given by a network"),
            Float("t", "t", -2, 2, 0.1, help="Shift, given by a network"),
            Choice(
                "convention", "Convention", {
                    "scale then shift": "x e^s + t", "shift then scale": "(x + t) e^s",
                },
                help="Which comes first",
            ),
            Flag("gate", "Right gate on the way back", help="Off: the shift is not scaled where it has to be"),
        ),
        directions,
        draw_directions,
        rows=(14, 24, 46),
    ),
    Exhibit(
        "network_sizes",
        (
            Int("n_features", "Columns", 2, 200, help="Of the table; lecture 000's has 159"),
            Int("width", "Width", 4, 128, 4, help="Units in a hidden layer"),
            Int("depth", "Depth", 0, 4, help="Hidden layers"),
        ),
        network_sizes,
        draw_network_sizes,
        rows=(22, 25, 43),
    ),
)  # fmt: skip
