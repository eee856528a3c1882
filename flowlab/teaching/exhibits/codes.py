"""Codes of autoencoders: how narrow they may be, what they show, and what noise on the input teaches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from scipy.spatial.distance import cdist

from flowlab.controls import Choice, Float, Int
from flowlab.datasets.bundled import make_bundled
from flowlab.formatting import fixed, percent
from flowlab.models.autoencoders.autoencoder import Autoencoder
from flowlab.plots import theme
from flowlab.teaching.exhibit import Exhibit
from flowlab.toys.shapes import Sine


def principal_errors(S: np.ndarray) -> np.ndarray:
    """Mean squared error per row that 0, 1, ..., d principal components leave of standardised rows (n, d): (d + 1,)."""
    variances = np.linalg.svd(S - S.mean(0), compute_uv=False) ** 2 / len(S)
    return np.r_[np.cumsum(variances[::-1])[::-1], 0.0]


@dataclass(frozen=True, eq=False)
class Bottleneck:
    """Reconstruction error against the size of the code, on 178 wines with 13 measurements.

    Attributes
    ----------
    sizes, errors : (m,) code sizes, and the mean squared error per row of an autoencoder
    components, principal : (14,) numbers of principal components and the error they leave
    """

    sizes: np.ndarray
    errors: np.ndarray
    components: np.ndarray
    principal: np.ndarray

    @property
    def narrow(self) -> float:
        """Error with a code of one number."""
        return float(self.errors[0])

    @property
    def widest(self) -> float:
        """Error with the widest code, wider than the table."""
        return float(self.errors[-1])

    @property
    def compression(self) -> float:
        """Share of the numbers that a code of two saves."""
        return 1 - 2 / 13

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"A code of {int(self.sizes[0])} leaves an error of {fixed(self.narrow, 2)} of 13; a code of "
            f"{int(self.sizes[-1])}, wider than the table, leaves {fixed(self.widest, 2)}: it copies."
        )


def bottleneck(n_layers: int = 1, n_steps: int = 600) -> Bottleneck:
    """Trains autoencoders with codes of 1 to 16 on 13 columns, and beside them the exact errors of PCA."""
    X = make_bundled("wine", "none").X
    sizes = np.array([1, 2, 3, 5, 8, 13, 16])
    errors = [
        Autoencoder(int(k), n_layers=n_layers, width=32, n_steps=n_steps, activation="tanh")
        .fit(X)
        .reconstruction_error(X)
        .mean()
        for k in sizes
    ]
    return Bottleneck(sizes, np.array(errors), np.arange(14), principal_errors((X - X.mean(0)) / X.std(0)))


def draw_bottleneck(result: Bottleneck, dark: bool = False, height: int = 420) -> go.Figure:
    """Error against code size: the autoencoder, and PCA."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "numbers in the code", "squared error per row (squared sd)")
    fig.add_scatter(
        x=result.components, y=result.principal, mode="lines", name="principal components",
        line={"color": c.data, "dash": "dash"}, hovertemplate="%{x} components<br>%{y:.2f}<extra></extra>",
    )  # fmt: skip
    fig.add_scatter(
        x=result.sizes, y=result.errors, mode="lines+markers", name="autoencoder",
        line={"color": c.model, "width": 2.5}, customdata=100 * (1 - result.sizes / 13),
        hovertemplate="code of %{x}<br>error %{y:.2f}<br>compression %{customdata:.0f} %<extra></extra>",
    )  # fmt: skip
    fig.add_vline(13, line={"color": c.muted, "dash": "dot"})
    fig.add_annotation(x=13, y=8, text="as wide as<br>the table", showarrow=False, xanchor="right", xshift=-4)
    fig.update_yaxes(rangemode="tozero")
    return fig


@dataclass(frozen=True, eq=False)
class LinearCode:
    """A linear autoencoder with a code of one number beside the first principal axis.

    Attributes
    ----------
    S : (n, 2) standardised rows
    axis, learned : (2,) the first principal axis, and the direction that the decoder can say
    angle : between them, in degrees
    error, principal_error : mean squared error per row of both
    """

    S: np.ndarray
    axis: np.ndarray
    learned: np.ndarray
    angle: float
    error: float
    principal_error: float

    @property
    def ratio(self) -> float:
        """Error of the autoencoder over that of PCA."""
        return self.error / self.principal_error

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"The two lines are {fixed(self.angle, 2)} degrees apart; the errors are {fixed(self.error)} for the "
            f"autoencoder and {fixed(self.principal_error)} for the principal component."
        )


def linear_code(correlation: float = 0.7, n_steps: int = 800) -> LinearCode:
    """Trains an autoencoder without hidden layers on 1,000 rows of a correlated Gaussian."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1000, 2))
    X[:, 1] = correlation * X[:, 0] + np.sqrt(1 - correlation**2) * X[:, 1]
    S = (X - X.mean(0)) / X.std(0)
    model = Autoencoder(1, n_layers=0, n_steps=n_steps, learning_rate=0.02).fit(S)
    ends = model.inverse_transform(np.array([[0.0], [1.0]]))
    direction = (ends[1] - ends[0]) / max(float(np.linalg.norm(ends[1] - ends[0])), 1e-12)
    axis = np.linalg.svd(S, full_matrices=False).Vh[0]
    angle = float(np.degrees(np.arccos(min(abs(float(direction @ axis)), 1.0))))
    return LinearCode(
        S, axis, direction, angle, float(model.reconstruction_error(S).mean()), float(principal_errors(S)[1])
    )


def draw_linear_code(result: LinearCode, dark: bool = False, height: int = 420) -> go.Figure:
    """The rows with both lines."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "x1 (sd)", "x2 (sd)", square=True)
    fig.add_scatter(
        x=result.S[:, 0], y=result.S[:, 1], mode="markers", marker={"color": c.data, "size": 4, "opacity": 0.4},
        hoverinfo="skip", showlegend=False,
    )  # fmt: skip
    for name, axis, color, dash, width in (
        ("first principal axis", result.axis, c.truth, "solid", 6),
        ("linear autoencoder", result.learned, c.model, "dash", 2.5),
    ):
        fig.add_scatter(
            x=3.2 * axis[0] * np.array([-1, 1]), y=3.2 * axis[1] * np.array([-1, 1]), mode="lines", name=name,
            line={"color": color, "dash": dash, "width": width},
        )  # fmt: skip
    fig.update_layout(xaxis={"range": [-3.5, 3.5]}, yaxis={"range": [-3.5, 3.5]})
    return fig


@dataclass(frozen=True, eq=False)
class Denoised:
    """What an autoencoder does to points around a wave.

    Attributes
    ----------
    X : (n, 2) rows
    tail, tip : (k, 2) noisy points, and their reconstructions
    before, after : mean distance of these points to the wave
    error : mean squared reconstruction error of the rows, squared standard deviations
    compression : (n - k) / n
    """

    X: np.ndarray
    tail: np.ndarray
    tip: np.ndarray
    before: float
    after: float
    error: float
    compression: float

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"Noisy points lie {fixed(self.before, 2)} from the wave, their reconstructions {fixed(self.after, 2)}. "
            f"The code saves {percent(self.compression)} of the numbers; the rows' own error is {fixed(self.error)}."
        )


def denoised(noise: float = 0.3, n_latent: int = 2, n_steps: int = 1000) -> Denoised:
    """Trains an autoencoder on 2,000 rows of a thin wave, with noise on its input."""
    wave = Sine(0.05, 0.0)
    X = wave.sample(2000, 0)
    model = Autoencoder(n_latent, noise=noise, width=48, n_steps=n_steps, activation="tanh").fit(X)
    tail = X[:150] + 0.4 * np.random.default_rng(1).standard_normal((150, 2))
    tip = model.reconstruct(tail)
    x1 = np.linspace(-np.pi, np.pi, 400)
    curve = np.column_stack([x1, 1.5 * np.sin(1.5 * x1)])
    before, after = (float(cdist(points, curve).min(1).mean()) for points in (tail, tip))
    return Denoised(X, tail, tip, before, after, float(model.reconstruction_error(X).mean()), model.compression())


def draw_denoised(result: Denoised, dark: bool = False, height: int = 420) -> go.Figure:
    """Arrows from noisy points to their reconstructions, over the rows."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "x1", "x2")
    fig.add_scatter(
        x=result.X[:, 0], y=result.X[:, 1], mode="markers", marker={"color": c.data, "size": 3, "opacity": 0.4},
        name="rows", hoverinfo="skip",
    )  # fmt: skip
    gaps = np.full_like(result.tail, np.nan)
    path = np.stack([result.tail, result.tip, gaps], axis=1).reshape(-1, 2)
    fig.add_scatter(
        x=path[:, 0], y=path[:, 1], mode="lines+markers", name="noisy point to reconstruction",
        line={"color": c.model, "width": 1.3},
        marker={"size": np.tile([0, 6, 0], len(result.tail)), "color": c.model}, hoverinfo="skip",
    )  # fmt: skip
    return fig


def silhouette(points: np.ndarray, classes: np.ndarray) -> float:
    """Mean silhouette of points (n, k): how much nearer a point is to its own class than to the next one, -1 to 1.

    Rousseeuw (1987), Journal of Computational and Applied Mathematics 20. ValueError for fewer than two classes.

    >>> silhouette(np.array([[0.0], [0.1], [9.0], [9.1]]), np.array([0, 0, 1, 1])) > 0.98
    True
    """
    names = np.unique(classes)
    if len(names) < 2:
        raise ValueError("a silhouette needs at least two classes")
    distance = cdist(points, points)
    sums = np.column_stack([distance[:, classes == name].sum(1) for name in names])
    sizes = np.array([(classes == name).sum() for name in names])
    own = np.searchsorted(names, classes)
    rows = np.arange(len(points))
    inside = sums[rows, own] / np.maximum(sizes[own] - 1, 1)
    means = sums / sizes
    means[rows, own] = np.inf
    outside = means.min(1)
    value = (outside - inside) / np.maximum(np.maximum(inside, outside), 1e-300)
    return float(np.where(sizes[own] > 1, value, 0.0).mean())


TABLES = {"wine": "wines of three growers", "iris": "iris flowers", "digits": "handwritten digits"}


@dataclass(frozen=True, eq=False)
class ClassesInCode:
    """Codes of two numbers, coloured by a class that took no part in training.

    Attributes
    ----------
    codes, classes : (n, 2), (n,)
    silhouette, shuffled : of the codes by class, and by shuffled classes
    table : which
    """

    codes: np.ndarray
    classes: np.ndarray
    silhouette: float
    shuffled: float
    table: str

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"The silhouette of the {len(np.unique(self.classes))} classes of {TABLES[self.table]} is "
            f"{fixed(self.silhouette)}; with shuffled classes it is {fixed(self.shuffled)}."
        )


def classes_in_code(table: str = "wine", n_steps: int = 500) -> ClassesInCode:
    """Trains an autoencoder with a code of two, without labels, and colours the codes by class."""
    data = make_bundled(table, "none")
    X = data.X[:900]
    classes = np.zeros(len(X), int) if data.classes is None else data.classes[:900]
    codes = Autoencoder(2, n_layers=1, width=32, n_steps=n_steps, activation="tanh").fit(X).transform(X)
    shuffled = np.random.default_rng(0).permutation(classes)
    return ClassesInCode(codes, classes, silhouette(codes, classes), silhouette(codes, shuffled), table)


def draw_classes_in_code(result: ClassesInCode, dark: bool = False, height: int = 420) -> go.Figure:
    """The codes, with a colour and a symbol for each class."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "first number of the code", "second number")
    colors = (c.model, c.third, c.second, c.truth, c.anomaly, c.data)
    symbols = ("circle", "square", "diamond", "x", "cross", "triangle-up", "star", "pentagon", "hexagon", "bowtie")
    for i, name in enumerate(np.unique(result.classes)):
        rows = result.classes == name
        fig.add_scatter(
            x=result.codes[rows, 0], y=result.codes[rows, 1], mode="markers", name=f"class {name}",
            marker={"color": colors[i % len(colors)], "symbol": symbols[i % len(symbols)], "size": 7},
        )  # fmt: skip
    return fig


STEPS = Int("n_steps", "Training steps", 50, 3000, 50, help="Of 256 rows each")


EXHIBITS = (
    Exhibit(
        "bottleneck",
        (Int("n_layers", "Hidden layers", 0, 2, help="On each side; 0 is linear"), STEPS),
        bottleneck,
        draw_bottleneck,
        rows=(122, 123, 124),
        is_slow=True,
    ),
    Exhibit(
        "linear_code",
        (Float("correlation", "Correlation", 0.05, 0.99, 0.05, help="Of the two columns"), STEPS),
        linear_code,
        draw_linear_code,
        rows=(128,),
        is_slow=True,
    ),
    Exhibit(
        "denoised",
        (
            Float("noise", "Noise on the input", 0, 1, 0.05, help="In standard deviations; 0 trains a plain one"),
            Int("n_latent", "Numbers in the code", 1, 4, help="2 is as wide as the table"),
            STEPS,
        ),
        denoised,
        draw_denoised,
        rows=(126, 130),
        is_slow=True,
    ),
    Exhibit(
        "classes_in_code",
        (Choice("table", "Table", TABLES, help="Its classes only colour the codes"), STEPS),
        classes_in_code,
        draw_classes_in_code,
        rows=(125,),
        is_slow=True,
    ),
)
