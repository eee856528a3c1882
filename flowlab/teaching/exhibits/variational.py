"""A variational autoencoder: the distributions of its codes, its bound, the two parts of its loss, its decodes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import plotly.graph_objects as go
from scipy.special import logsumexp
from scipy.stats import norm

from flowlab import catalog
from flowlab.controls import Choice, Float, Int
from flowlab.datasets.dataset import Dataset, Part
from flowlab.formatting import count, fixed
from flowlab.models.autoencoders.variational import VariationalAutoencoder
from flowlab.plots import theme
from flowlab.records import Spec
from flowlab.teaching.exhibit import Exhibit
from flowlab.toys.base import LOG_2PI

N_STEPS = 500
N_ROWS = 1000
N_SHOWN = 120
"""Ellipses or rows of one picture."""
DRAWS = tuple(2**i for i in range(10))
"""Numbers of draws of the bound."""
ACTIVE = 0.01
"""Variance of a unit's mean over the rows from which on it counts as active (Burda et al. 2016)."""
DATA = {"moons": "half moons, 2 columns", "wine": "wine, 13 columns", "breast_cancer": "breast cancer, 30 columns"}
ROWS_OF = {"moons": {"n_samples": N_ROWS}}

BETA = Float("beta", "Beta", 0, 20, 0.1, help="Weight of the divergence from the prior")
TABLE = Choice("data", "Data", DATA)


def fitted_vae(
    data: str, beta: float, n_steps: int = N_STEPS, **settings: int | float | str
) -> tuple[VariationalAutoencoder, Dataset]:
    """A variational autoencoder trained for a picture, with its data; the same one again for the same settings."""
    return _fitted(Spec(data, ROWS_OF.get(data, {})), Spec("vae", {"n_latent": 2, "beta": beta, **settings}), n_steps)


@lru_cache(maxsize=32)
def _fitted(data: Spec, model: Spec, n_steps: int) -> tuple[VariationalAutoencoder, Dataset]:
    dataset = catalog.make_dataset(data, 0)
    vae = catalog.make_model(Spec("vae", {**model.params, "n_steps": n_steps}), 0, dataset)
    assert isinstance(vae, VariationalAutoencoder)
    return vae.fit(dataset.fitting_rows()), dataset


@dataclass(frozen=True, eq=False)
class CodeDistributions:
    """q(z|x) of rows in a code of two, and how far it is from the prior.

    Attributes
    ----------
    mean, std : (m, 2) of q(z|x)
    is_anomaly : (m,) bool, all False without labels
    n_columns : of the data
    kl : mean divergence from the prior over the rows in nats, in closed form
    kl_sampled, kl_error : the same by drawing z, with its standard error
    active_units : units whose mean varies over the rows
    """

    mean: np.ndarray
    std: np.ndarray
    is_anomaly: np.ndarray
    n_columns: int
    kl: float
    kl_sampled: float
    kl_error: float
    active_units: int

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"An ellipse of one standard deviation for each of {count(len(self.mean))} rows, {self.n_columns} columns. "
            f"Their divergence from the prior is {fixed(self.kl, 3)} nats a row in closed form, "
            f"{fixed(self.kl_sampled, 3)} ± {fixed(self.kl_error, 3)} by sampling; {self.active_units} of 2 units are "
            "active."
        )


def code_distributions(data: str = "moons", beta: float = 1.0) -> CodeDistributions:
    """q(z|x) of up to 120 rows, and its divergence from the prior both ways."""
    vae, dataset = fitted_vae(data, beta)
    rows = np.random.default_rng(0).permutation(len(dataset))[:N_SHOWN]
    mean, std = vae.posterior(dataset.X[rows])
    eps = np.random.default_rng(1).standard_normal((2000, *mean.shape))
    # log q(z|x) - log p(z), the normalising constants of which cancel but for log std
    log_ratio = (0.5 * ((mean + std * eps) ** 2 - eps**2) - np.log(std)).sum(2).mean(1)
    is_anomaly = np.zeros(len(rows), bool) if dataset.y is None else dataset.y[rows] == 1
    return CodeDistributions(
        mean, std, is_anomaly, dataset.n_features, float(vae.kl(dataset.X[rows]).mean()), float(log_ratio.mean()),
        float(log_ratio.std(ddof=1) / np.sqrt(len(log_ratio))), int((mean.var(0) > ACTIVE).sum()),
    )  # fmt: skip


def draw_code_distributions(result: CodeDistributions, dark: bool = False, height: int = 420) -> go.Figure:
    """An ellipse for each row, and the prior's circles."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "z1", "z2", square=True)
    angle = np.linspace(0, 2 * np.pi, 41)
    circle = np.stack([np.cos(angle), np.sin(angle)], 1)
    for radius, name in ((1.0, "prior, 1 sd"), (2.0, "2 sd")):
        fig.add_scatter(
            x=radius * circle[:, 0], y=radius * circle[:, 1], mode="lines", hoverinfo="skip",
            line={"color": c.truth, "dash": "dash", "width": 1.5},
        )  # fmt: skip
        fig.add_annotation(x=0, y=radius, text=name, showarrow=False, yshift=10, font={"color": c.truth})
    for name, chosen, color, symbol in (
        ("normal row", ~result.is_anomaly, c.model, "circle"),
        ("anomaly", result.is_anomaly, c.anomaly, "diamond"),
    ):
        if not chosen.any():
            continue
        mean, std = result.mean[chosen], result.std[chosen]
        rings = mean[:, None] + std[:, None] * circle
        lines = np.concatenate([rings, np.full((len(rings), 1, 2), np.nan)], 1).reshape(-1, 2)
        fig.add_scatter(
            x=lines[:, 0], y=lines[:, 1], mode="lines", hoverinfo="skip", line={"color": color, "width": 1}, opacity=0.5
        )
        fig.add_scatter(
            x=mean[:, 0], y=mean[:, 1], mode="markers", customdata=std, marker={"color": color, "symbol": symbol},
            hovertemplate=name + "<br>mu %{x:.2f}, %{y:.2f}<br>sigma %{customdata[0]:.2f}, %{customdata[1]:.2f}"
            "<extra></extra>",
        )  # fmt: skip
    return fig.update_layout(showlegend=False)


@dataclass(frozen=True, eq=False)
class BoundAndTruth:
    """Mean log-densities of held-out rows of the half moons, in nats.

    Attributes
    ----------
    n_draws : (m,) draws of the bound
    bound : (m,) the importance-weighted bound with so many draws
    elbo : the evidence lower bound
    model : the model's own log p(x), by summing over a grid of codes
    truth : the exact density
    """

    n_draws: np.ndarray
    bound: np.ndarray
    elbo: float
    model: float
    truth: float

    @property
    def tightest(self) -> float:
        """The bound with the most draws."""
        return float(self.bound[-1])

    @property
    def gap(self) -> float:
        """What the ELBO leaves to the model's log p(x): the mean divergence of q(z|x) from p(z|x)."""
        return self.model - self.elbo

    @property
    def tightest_gap(self) -> float:
        """What the bound with the most draws leaves."""
        return self.model - self.tightest

    @property
    def to_the_truth(self) -> float:
        """What the model itself lacks."""
        return self.truth - self.model

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"The ELBO lies {fixed(self.gap, 3)} nats below the model's log p(x), the bound with {self.n_draws[-1]} "
            f"draws {fixed(self.tightest_gap, 3)} nats. The model itself lies {fixed(self.to_the_truth, 3)} nats "
            "below the exact density."
        )


def bound_and_truth(beta: float = 1.0) -> BoundAndTruth:
    """ELBO, importance-weighted bound, the model's log p(x) and the exact one over up to 150 held-out rows."""
    vae, dataset = fitted_vae("moons", beta)
    assert dataset.density is not None
    X = dataset.X[dataset.rows(Part.UNSEEN)][:150]
    log_weights = vae.log_weights(X, DRAWS[-1])
    bound = []
    for n in DRAWS:
        # the mean over all blocks of n draws: as blocks nest, it cannot fall with n (Jensen's inequality)
        blocks = log_weights.reshape(-1, n, len(X))
        bound.append((logsumexp(blocks, 1) - np.log(n)).mean())
    return BoundAndTruth(
        np.array(DRAWS), np.array(bound), float(log_weights.mean()), float(log_density_by_grid(vae, X).mean()),
        float(dataset.density.log_density(X).mean()),
    )  # fmt: skip


def log_density_by_grid(vae: VariationalAutoencoder, X: np.ndarray, reach: float = 5.0, n: int = 201) -> np.ndarray:
    """log p(x) of a model with a code of two, (n_rows,): the integral of p(x|z) p(z) over a grid of n x n codes."""
    side = np.linspace(-reach, reach, n)
    Z = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    log_mass = norm.logpdf(Z).sum(1) + 2 * np.log(side[1] - side[0])
    centres, std = vae.inverse_transform(Z), vae.output_std()
    constant = np.log(std).sum() + 0.5 * X.shape[1] * LOG_2PI
    squares = (centres / std) ** 2
    found = np.empty(len(X))
    for i, x in enumerate(X / std):
        energy = 0.5 * (squares.sum(1) - 2 * (centres / std) @ x + x @ x)
        found[i] = logsumexp(log_mass - energy) - constant
    return found


def draw_bound_and_truth(result: BoundAndTruth, dark: bool = False, height: int = 420) -> go.Figure:
    """The bound against the number of draws, with three levels."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "draws K", "mean log-density of held-out rows (nats)")
    fig.add_scatter(
        x=result.n_draws, y=result.bound, mode="lines+markers", line={"color": c.model},
        hovertemplate="K %{x}<br>%{y:.4f} nats<extra></extra>",
    )  # fmt: skip
    levels = (
        ("exact density", result.truth, c.truth, "dash", "bottom"),
        ("model's log p(x)", result.model, c.second, "dashdot", "bottom"),
        ("ELBO", result.elbo, c.third, "dot", "top"),
    )
    ends = [1, DRAWS[-1]]
    for name, level, color, dash, side in levels:
        fig.add_scatter(x=ends, y=[level] * 2, mode="lines", hoverinfo="skip", line={"color": color, "dash": dash})
        fig.add_annotation(
            x=np.log10(DRAWS[-1]), y=level, text=f"{name} {fixed(level, 3)}", showarrow=False, xanchor="right",
            yanchor=side, font={"color": color},
        )  # fmt: skip
    low, high = min(result.elbo, float(result.bound.min())), max(result.truth, result.model)
    margin = 0.12 * (high - low) + 1e-6
    fig.update_xaxes(type="log", tickvals=[1, 4, 16, 64, 256], ticktext=["1", "4", "16", "64", "256"])
    return fig.update_layout(showlegend=False, yaxis={"range": [low - margin, high + margin]})


@dataclass(frozen=True, eq=False)
class LossParts:
    """The loss and its two parts while a variational autoencoder trains, on validation rows, in nats of the data.

    Attributes
    ----------
    step : (m,)
    loss : (m,) as training reports it
    reconstruction : (m,) mean of -log p(x|z) over draws of z from q(z|x)
    kl : (m,) mean divergence from the prior, in closed form
    beta : its weight in the loss
    """

    step: np.ndarray
    loss: np.ndarray
    reconstruction: np.ndarray
    kl: np.ndarray
    beta: float

    @property
    def sum(self) -> np.ndarray:
        """Reconstruction plus beta times KL, (m,)."""
        return self.reconstruction + self.beta * self.kl

    @property
    def last_loss(self) -> float:
        """At the last step, as are the following."""
        return float(self.loss[-1])

    @property
    def last_reconstruction(self) -> float:
        """-log p(x|z)."""
        return float(self.reconstruction[-1])

    @property
    def last_kl(self) -> float:
        """KL."""
        return float(self.kl[-1])

    @property
    def last_sum(self) -> float:
        """What the parts add up to."""
        return float(self.sum[-1])

    @property
    def farthest(self) -> float:
        """The largest difference between loss and sum of the parts, which have draws of their own."""
        return float(np.abs(self.loss - self.sum).max())

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"After {count(int(self.step[-1]))} steps −log p(x|z) is {fixed(self.last_reconstruction, 3)} nats and the "
            f"KL term {fixed(self.beta, 1)} × {fixed(self.last_kl, 3)} nats: together {fixed(self.last_sum, 3)}, and "
            f"the loss is {fixed(self.last_loss, 3)}."
        )


def loss_parts(beta: float = 1.0, n_steps: int = N_STEPS) -> LossParts:
    """Trains on half moons, and measures both parts at each report, with 16 draws of z a row."""
    dataset = catalog.make_dataset(Spec("moons", ROWS_OF["moons"]), 0)
    vae = catalog.make_model(Spec("vae", {"n_latent": 2, "beta": beta, "n_steps": n_steps}), 0, dataset)
    assert isinstance(vae, VariationalAutoencoder)
    X = dataset.fitting_rows(Part.MONITOR)
    lines: list[tuple[float, float, float, float]] = []
    for event in vae.fit_iter(dataset.fitting_rows(), X):
        if event.step >= n_steps / 10 * len(lines) or event.step == n_steps:
            lines.append((event.step, event.val_loss, _reconstruction(vae, X), float(vae.kl(X).mean())))
    step, loss, reconstruction, kl = np.array(lines).T
    return LossParts(step, loss, reconstruction, kl, beta)


def _reconstruction(vae: VariationalAutoencoder, X: np.ndarray, n_draws: int = 16) -> float:
    """Mean of -log p(x|z) over draws of z from q(z|x), in nats of the data."""
    mean, std = vae.posterior(X)
    Z = mean + std * np.random.default_rng(2).standard_normal((n_draws, *mean.shape))
    decoded = vae.inverse_transform(Z.reshape(-1, mean.shape[1])).reshape(n_draws, *X.shape)
    return float(-norm.logpdf(X, decoded, vae.output_std()).sum(2).mean())


def draw_loss_parts(result: LossParts, dark: bool = False, height: int = 420) -> go.Figure:
    """Both parts and the loss over the steps."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "step", "mean over validation rows (nats)")
    lines = (
        ("−log p(x|z)", result.reconstruction, c.second, "solid"),
        ("beta KL", result.beta * result.kl, c.third, "dash"),
        ("their sum", result.sum, c.model, "solid"),
    )
    for name, values, color, dash in lines:
        fig.add_scatter(
            x=result.step, y=values, mode="lines", line={"color": color, "dash": dash, "width": 3}, name=name,
            hovertemplate=name + " at step %{x}<br>%{y:.3f} nats<extra></extra>",
        )  # fmt: skip
    fig.add_scatter(
        x=result.step, y=result.loss, mode="markers", name="loss of the training",
        marker={"color": c.text, "symbol": "circle-open", "size": 11, "line": {"width": 2}},
        hovertemplate="loss at step %{x}<br>%{y:.3f} nats<extra></extra>",
    )  # fmt: skip
    return fig


@dataclass(frozen=True, eq=False)
class ManyDecodes:
    """Draws of one row's code, and what they are decoded to.

    Attributes
    ----------
    data : (m, 2) rows of the half moons
    row : (2,) the row that is encoded
    decodes : (n, 2) drawn from p(x|z) with z from q(z|x)
    output_std : (2,) of p(x|z)
    """

    data: np.ndarray
    row: np.ndarray
    decodes: np.ndarray
    output_std: np.ndarray

    @property
    def n(self) -> int:
        """How many decodes there are."""
        return len(self.decodes)

    @property
    def variance(self) -> float:
        """Of the decodes, summed over both columns; 0 for a single one."""
        return float(self.decodes.var(0).sum())

    @property
    def output_variance(self) -> float:
        """What p(x|z) alone would give."""
        return float((self.output_std**2).sum())

    @property
    def distance(self) -> float:
        """Of the decodes' mean from the row, in data units."""
        return float(np.linalg.norm(self.decodes.mean(0) - self.row))

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        if self.n == 1:
            return "One draw alone does not show that another one would be different."
        return (
            f"One row, {self.n} different decodes: their variance is {fixed(self.variance, 4)}; the decoder's noise "
            f"alone would give {fixed(self.output_variance, 4)}. Their mean is {fixed(self.distance, 3)} from the row."
        )


def many_decodes(row: int = 0, n: int = 10, beta: float = 1.0) -> ManyDecodes:
    """Ten decodes, or another number, of a row of the half moons."""
    vae, dataset = fitted_vae("moons", beta)
    chosen = dataset.X[row]
    return ManyDecodes(dataset.X[:400], chosen, vae.decodes(chosen[None], n, random_state=0)[:, 0], vae.output_std())


def draw_many_decodes(result: ManyDecodes, dark: bool = False, height: int = 420) -> go.Figure:
    """Data, the row and its decodes."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "x1", "x2", square=True)
    fig.add_scatter(
        x=result.data[:, 0], y=result.data[:, 1], mode="markers", hoverinfo="skip",
        marker={"color": c.data, "size": 4, "opacity": 0.4},
    )  # fmt: skip
    fig.add_scatter(
        x=result.decodes[:, 0], y=result.decodes[:, 1], mode="markers", marker={"color": c.model, "size": 10},
        hovertemplate="a decode at %{x:.2f}, %{y:.2f}<extra></extra>",
    )  # fmt: skip
    fig.add_scatter(
        x=result.row[:1], y=result.row[1:], mode="markers+text", text=["x"], textposition="top center",
        textfont={"size": 18, "color": c.anomaly}, hovertemplate="the row, %{x:.2f}, %{y:.2f}<extra></extra>",
        marker={"color": c.anomaly, "symbol": "x", "size": 14},
    )  # fmt: skip
    return fig.update_layout(showlegend=False)


EXHIBITS = (
    Exhibit("vae_codes", (TABLE, BETA), code_distributions, draw_code_distributions, rows=(134,), is_slow=True),
    Exhibit("vae_bound", (BETA,), bound_and_truth, draw_bound_and_truth, rows=(136,), is_slow=True),
    Exhibit(
        "vae_loss",
        (BETA, Int("n_steps", "Steps", 100, 1000, 100)),
        loss_parts,
        draw_loss_parts,
        rows=(137,),
        is_slow=True,
    ),
    Exhibit(
        "vae_decodes",
        (Int("row", "Row", 0, 99), Int("n", "Decodes", 1, 50), BETA),
        many_decodes,
        draw_many_decodes,
        rows=(140,),
        is_slow=True,
    ),
)
