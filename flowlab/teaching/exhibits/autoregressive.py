"""Inside an autoregressive layer: the masks of its network, its update, and the passes that its inverse takes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np
import plotly.graph_objects as go

from flowlab.controls import Choice, Flag, Float, Int
from flowlab.formatting import fixed, plural
from flowlab.plots import theme
from flowlab.teaching.exhibit import Exhibit

N_COLUMNS = 4
"""Columns of the network whose masks are shown."""
ORDERS = {"".join(map(str, order)): ", ".join(f"x{i}" for i in order) for order in permutations((1, 2, 3, 4))}
KNOWN = 1e-12
"""Error below which a value counts as known."""


class Made:
    """A masked network (Germain et al. 2015, arXiv:1502.03509) with random weights: mu and alpha of each column.

    Column i's mu and alpha see only the columns before it in `order`, a sequence of 0 .. d - 1. Units are sorted by
    degree. With `masked` False the network sees all columns.
    """

    def __init__(self, order: tuple[int, ...], n_units: int = 16, n_hidden: int = 1, masked: bool = True):
        d = len(order)
        rng = np.random.default_rng(7)
        degree_of_column = np.argsort(order) + 1
        degree = np.arange(n_units) * max(d - 1, 1) // n_units + 1
        self.masks = [degree[:, None] >= degree_of_column]
        self.masks += [degree[:, None] >= degree] * (n_hidden - 1)
        self.masks.append(degree_of_column[:, None] > degree)
        if not masked:
            self.masks = [np.ones_like(mask) for mask in self.masks]
        self.weights = []
        for mask in (*self.masks, self.masks[-1]):
            seen = np.maximum(mask.sum(1, keepdims=True), 1)
            self.weights.append(mask * rng.normal(0, 2, mask.shape) / np.sqrt(seen))
        self.biases = [rng.normal(0, 0.5, len(weight)) for weight in self.weights]

    def readout(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """mu and alpha of each column of x (d,), (d,) each."""
        hidden = x
        for weight, bias in zip(self.weights[:-2], self.biases[:-2], strict=True):
            hidden = np.tanh(weight @ hidden + bias)
        mu, raw = (w @ hidden + b for w, b in zip(self.weights[-2:], self.biases[-2:], strict=True))
        return mu, np.tanh(raw)

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        """d z / d x at x for z = (x - mu) exp(-alpha), (d, d)."""
        hidden, inner = x, np.eye(len(x))
        for weight, bias in zip(self.weights[:-2], self.biases[:-2], strict=True):
            hidden = np.tanh(weight @ hidden + bias)
            inner = (1 - hidden**2)[:, None] * (weight @ inner)
        mu, alpha = self.readout(x)
        d_mu, d_raw = self.weights[-2] @ inner, self.weights[-1] @ inner
        z = (x - mu) * np.exp(-alpha)
        return np.exp(-alpha)[:, None] * (np.eye(len(x)) - d_mu) - (z * (1 - alpha**2))[:, None] * d_raw


@dataclass(frozen=True, eq=False)
class MaskMatrices:
    """The masks of a MADE, and what they do to the Jacobian.

    Attributes
    ----------
    order : (4,) columns from 0, the first to be known first
    masks : of each weight matrix (units, inputs), bool, input and output columns in `order`
    paths : (4, 4) how many paths lead from an input column to an output column, both in `order`
    jacobian : (4, 4) of z by x, both in `order`
    """

    order: tuple[int, ...]
    masks: tuple[np.ndarray, ...]
    paths: np.ndarray
    jacobian: np.ndarray

    @property
    def above(self) -> float:
        """The largest entry above the diagonal of the Jacobian."""
        return float(np.abs(np.triu(self.jacobian, 1)).max())

    @property
    def n_paths(self) -> float:
        """Paths that lead from a column to itself or to one before it; none may."""
        return float(np.triu(self.paths).sum())

    @property
    def log_det_error(self) -> float:
        """How far the sum over the diagonal is from the log-determinant by elimination, in nats."""
        diagonal = np.log(np.abs(np.diag(self.jacobian))).sum()
        return float(abs(diagonal - np.linalg.slogdet(self.jacobian)[1]))

    @property
    def weights_kept(self) -> float:
        """Share of the weights that the masks keep."""
        return float(sum(mask.sum() for mask in self.masks) / sum(mask.size for mask in self.masks))

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        order = ", ".join(f"x{i + 1}" for i in self.order)
        if self.n_paths:
            return (
                f"Without masks every column sees itself: {plural(int(self.n_paths), 'path')} on or above the "
                f"diagonal, and the diagonal misses the log-determinant by {fixed(self.log_det_error, 3)} nats."
            )
        return (
            f"In the order {order} no path leads from a column to itself or back: the Jacobian is lower triangular, "
            f"its largest entry above the diagonal is {fixed(self.above, 3)}. The masks keep "
            f"{fixed(100 * self.weights_kept, 1)} % of the weights."
        )


def mask_matrices(order: str = "1234", n_units: int = 8, n_hidden: int = 1, masked: bool = True) -> MaskMatrices:
    """Masks, paths and Jacobian at one point of a network with random weights."""
    columns = tuple(int(digit) - 1 for digit in order)
    made = Made(columns, n_units, n_hidden, masked)
    sorted_columns = list(columns)
    first, *middle, last = made.masks
    masks = (first[:, sorted_columns], *middle, last[sorted_columns])
    paths = masks[0].astype(float)
    for mask in masks[1:]:
        paths = mask.astype(float) @ paths
    x = np.array([0.5, -1.0, 0.8, 0.3])
    return MaskMatrices(columns, masks, paths, made.jacobian(x)[np.ix_(sorted_columns, sorted_columns)])


def draw_mask_matrices(result: MaskMatrices, dark: bool = False, height: int = 420) -> go.Figure:
    """Each mask as a grid of kept weights, and the Jacobian."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height)
    names = [f"x{i + 1}" for i in result.order]
    panels = [(f"mask {i + 1}", mask.astype(float)) for i, mask in enumerate(result.masks)]
    panels.append(("Jacobian", result.jacobian))
    width = 1 / len(panels)
    axes: dict[str, dict] = {}
    for i, (title, values) in enumerate(panels):
        tail = str(i + 1) if i else ""
        is_jacobian = i == len(panels) - 1
        inputs = names if values.shape[1] == N_COLUMNS else [str(j + 1) for j in range(values.shape[1])]
        outputs = [str(j + 1) for j in range(len(values))]
        if i == len(panels) - 2:
            outputs = names
        elif is_jacobian:
            outputs = ["z" + name[1:] for name in names]
        most = max(float(np.abs(values).max()), 1e-9)
        fig.add_heatmap(
            x=inputs, y=outputs, z=values, xaxis=f"x{tail}", yaxis=f"y{tail}", showscale=False, xgap=2, ygap=2,
            colorscale=theme.colorscale(c.diverging if is_jacobian else (c.grid, c.model)),
            zmin=-most if is_jacobian else 0, zmax=most if is_jacobian else 1,
            text=np.vectorize(lambda v: fixed(v, 2))(values) if is_jacobian else None,
            texttemplate="%{text}" if is_jacobian else None,
            hovertemplate="from %{x} to %{y}: %{z:.3g}<extra></extra>",
        )  # fmt: skip
        title_x = "columns in order" if i == 0 or is_jacobian else "units"
        axes[f"xaxis{tail}"] = {
            "domain": [i * width + 0.035, (i + 1) * width - 0.015], "anchor": f"y{tail}", "type": "category",
            "title": {"text": title_x}, "showgrid": False,
        }  # fmt: skip
        axes[f"yaxis{tail}"] = {
            "anchor": f"x{tail}", "autorange": "reversed", "type": "category", "domain": [0, 0.9],
            "title": {"text": ""}, "showgrid": False,
        }  # fmt: skip
        fig.add_annotation(
            x=i * width + 0.01 + width / 2, y=0.92, xref="paper", yref="paper", text=title, showarrow=False,
            xanchor="center", yanchor="bottom",
        )  # fmt: skip
    return fig.update_layout(axes)


@dataclass(frozen=True, eq=False)
class OneUpdate:
    """mu and alpha of a point of three columns, and its way to z and back.

    Attributes
    ----------
    x, mu, alpha, z, rebuilt : (3,); z = (x - mu) exp(-alpha), rebuilt column by column from z alone
    """

    x: np.ndarray
    mu: np.ndarray
    alpha: np.ndarray
    z: np.ndarray
    rebuilt: np.ndarray

    @property
    def log_det(self) -> float:
        """Log-determinant of z by x, in nats: minus the sum of alpha."""
        return -float(self.alpha.sum())

    @property
    def error(self) -> float:
        """The largest difference of x and what is rebuilt from z."""
        return float(np.abs(self.x - self.rebuilt).max())

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        parts = "; ".join(
            f"z{i + 1} = ({fixed(self.x[i], 2)} − {fixed(self.mu[i], 2)}) / {fixed(np.exp(self.alpha[i]), 2)} = "
            f"{fixed(self.z[i], 2)}"
            for i in range(3)
        )
        return (
            f"Column by column, {parts}. The log-determinant is {fixed(self.log_det, 3)} nats; back from z the error "
            f"is {fixed(self.error, 6)}."
        )


def one_update(x1: float = 1.0, x2: float = -0.5, x3: float = 0.5) -> OneUpdate:
    """A point through one autoregressive layer of three columns and back."""
    made = Made((0, 1, 2))
    x = np.array([x1, x2, x3])
    mu, alpha = made.readout(x)
    z = (x - mu) * np.exp(-alpha)
    return OneUpdate(x, mu, alpha, z, _rebuilt(made, z, range(3))[-1])


def _rebuilt(made: Made, z: np.ndarray, order: range) -> np.ndarray:
    """x after 0, 1, .. d passes, (d + 1, d); each pass sees the whole of x as it is, and settles one more column."""
    passes = [np.zeros_like(z)]
    for _ in order:
        mu, alpha = made.readout(passes[-1])
        passes.append(mu + np.exp(alpha) * z)
    return np.array(passes)


def draw_one_update(result: OneUpdate, dark: bool = False, height: int = 420) -> go.Figure:
    """For each column x, the mean and spread that the columns before it predict, and z below."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "column", "value")
    names = ["x1", "x2 given x1", "x3 given x1, x2"]
    fig.add_scatter(
        x=names, y=result.mu, mode="markers", marker={"color": c.model, "size": 12, "symbol": "line-ew-open"},
        error_y={"type": "data", "array": np.exp(result.alpha), "color": c.model, "thickness": 3, "width": 14},
        hovertemplate="mu %{y:.3f}<extra></extra>",
    )  # fmt: skip
    fig.add_scatter(
        x=names, y=result.x, mode="markers", marker={"color": c.anomaly, "size": 13, "symbol": "x"},
        hovertemplate="x %{y:.3f}<extra></extra>",
    )  # fmt: skip
    reach = float(max(np.abs(result.mu) + np.exp(result.alpha)) + 0.3)
    reach = max(reach, float(np.abs(result.x).max()) + 0.3)
    for i, name in enumerate(names):
        fig.add_annotation(
            x=name, y=reach, yanchor="bottom", showarrow=False,
            text=f"μ {fixed(result.mu[i], 2)}, e<sup>α</sup> {fixed(np.exp(result.alpha[i]), 2)}<br>"
            f"z {fixed(result.z[i], 2)}",
        )  # fmt: skip
    return fig.update_layout(showlegend=False, yaxis={"range": [-reach, reach * 1.45]}, xaxis={"range": [-0.6, 2.6]})


@dataclass(frozen=True, eq=False)
class InversePasses:
    """The inverse of an autoregressive layer, pass by pass.

    Attributes
    ----------
    error : (d + 1, d) distance of each column from its final value after so many passes
    shown : passes that are shown
    """

    error: np.ndarray
    shown: int

    @property
    def n_columns(self) -> int:
        """d."""
        return self.error.shape[1]

    @property
    def known(self) -> int:
        """Columns that are known after the passes shown."""
        return int((self.error[self.shown] < KNOWN).sum())

    @property
    def passes(self) -> int:
        """Passes until all columns are known."""
        return int((self.error.max(1) >= KNOWN).sum())

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"After {plural(self.shown, 'pass', 'passes')} of the network {self.known} of "
            f"{plural(self.n_columns, 'column')} are known. From x to z it takes 1 pass, from z to x {self.passes}: "
            "one for each column."
        )


def inverse_passes(n_columns: int = 8, n_passes: int = 3) -> InversePasses:
    """Solves x = mu(x) + exp(alpha(x)) z for x, pass by pass, from x = 0."""
    made = Made(tuple(range(n_columns)), n_units=4 * n_columns)
    z = np.random.default_rng(3).standard_normal(n_columns)
    x = _rebuilt(made, z, range(n_columns))
    return InversePasses(np.abs(x - x[-1]), min(n_passes, n_columns))


def draw_inverse_passes(result: InversePasses, dark: bool = False, height: int = 420) -> go.Figure:
    """A row for each pass: which columns are known, and how far the others are off."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "column, in order", "pass of the network")
    n = result.n_columns
    error = result.error[: result.shown + 1]
    known = error < KNOWN
    strength = np.where(known, np.nan, np.log10(np.maximum(error, 1e-3)))
    columns, rows = [f"x{i + 1}" for i in range(n)], [str(i) for i in range(n + 1)]
    empty = np.full((n - result.shown, n), np.nan)
    fig.add_heatmap(
        x=columns, y=rows, z=np.concatenate([strength, empty]), zmin=-3, zmax=1, xgap=2, ygap=2,
        colorscale=theme.colorscale((c.grid, c.anomaly)),
        colorbar={
            "title": {"text": "error"}, "tickvals": [-3, -2, -1, 0, 1], "ticktext": ["0.001", "0.01", "0.1", "1", "10"],
        },
        hovertemplate="%{x} after pass %{y}: error 10^%{z:.1f}<extra></extra>",
    )  # fmt: skip
    fig.add_heatmap(
        x=columns, y=rows, z=np.concatenate([np.where(known, 1.0, np.nan), empty]), xgap=2, ygap=2, showscale=False,
        colorscale=theme.colorscale((c.truth, c.truth)), hovertemplate="%{x} after pass %{y}: known<extra></extra>",
    )  # fmt: skip
    return fig.update_layout(
        xaxis={"type": "category", "showgrid": False},
        yaxis={"type": "category", "range": [n + 0.5, -0.5], "showgrid": False},
    )


EXHIBITS = (
    Exhibit(
        "made",
        (
            Choice("order", "Order of the columns", ORDERS),
            Int("n_units", "Hidden units", 3, 16, help="Sorted by degree: how many columns they may see"),
            Int("n_hidden", "Hidden layers", 1, 3),
            Flag("masked", "Masks", help="Without them every weight stays"),
        ),
        mask_matrices,
        draw_mask_matrices,
        rows=(87,),
    ),
    Exhibit(
        "made_update",
        (Float("x1", "x1", -3, 3, 0.1), Float("x2", "x2", -3, 3, 0.1), Float("x3", "x3", -3, 3, 0.1)),
        one_update,
        draw_one_update,
        rows=(92,),
    ),
    Exhibit(
        "inverse_passes",
        (Int("n_columns", "Columns", 1, 9), Int("n_passes", "Passes done", 0, 9, help="Step through the inverse")),
        inverse_passes,
        draw_inverse_passes,
        rows=(88,),
    ),
)
