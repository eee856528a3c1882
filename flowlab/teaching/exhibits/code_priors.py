"""What the codes of autoencoders are distributed like: sparse codes, and draws from priors fitted to codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from flowlab.controls import Float, Int
from flowlab.datasets.bundled import make_bundled
from flowlab.evaluation.two_sample import classifier_auroc
from flowlab.formatting import fixed, plain
from flowlab.models.autoencoders.autoencoder import Autoencoder
from flowlab.models.autoencoders.variational import VariationalAutoencoder
from flowlab.plots import theme
from flowlab.teaching.exhibit import Exhibit
from flowlab.teaching.exhibits.codes import STEPS
from flowlab.toys.curves import Moons

ACTIVE = 0.1
"""A code unit is active when its standard deviation is at least this share of the largest one."""


@dataclass(frozen=True, eq=False)
class SparseCodes:
    """Codes of an over-complete autoencoder with a penalty, and the prior that the penalty is.

    Attributes
    ----------
    penalty : its weight, lambda
    edges, density : (m + 1,), (m,) histogram of all codes, per unit of code
    prior : (m,) Laplace density with scale 1 / lambda at the middles; zeros without a penalty
    fitted : (m,) Laplace density with the codes' own mean absolute value
    unit_spread : (k,) standard deviation of each unit, descending
    mean_abs : mean absolute code
    active : number of active units
    error : mean squared reconstruction error of a row
    identity_gap : largest difference of -log prior and lambda |z| + const over the rows; nan without a penalty
    """

    penalty: float
    edges: np.ndarray
    density: np.ndarray
    prior: np.ndarray
    fitted: np.ndarray
    unit_spread: np.ndarray
    mean_abs: float
    active: int
    error: float
    identity_gap: float

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"With a penalty of {plain(self.penalty)} the mean absolute code is {fixed(self.mean_abs)}, {self.active} "
            f"of {len(self.unit_spread)} units are active, and the error is {fixed(self.error, 2)} of 13."
        )


def sparse_codes(penalty: float = 0.5, n_latent: int = 16) -> SparseCodes:
    """Trains an autoencoder on the wines whose code may be wider than the table, with an L1 penalty on the code."""
    X = make_bundled("wine", "none").X
    model = Autoencoder(
        n_latent, n_layers=1, width=32, penalty=penalty, weight_decay=1.0, n_steps=500, activation="tanh"
    ).fit(X)
    codes = model.transform(X)
    reach = max(float(np.quantile(np.abs(codes), 0.995)), 1e-3)
    edges = np.linspace(-reach, reach, 42)
    middle = (edges[1:] + edges[:-1]) / 2
    counts = np.histogram(codes, edges)[0]
    density = counts / (codes.size * (edges[1] - edges[0]))

    def laplace(scale: float) -> np.ndarray:
        return np.exp(-np.abs(middle) / scale) / (2 * scale)

    mean_abs = float(np.abs(codes).mean())
    gap = np.nan
    if penalty:
        log_prior = np.log(penalty / 2) - penalty * np.abs(codes)
        shifted = -log_prior.sum(1) - penalty * np.abs(codes).sum(1)
        gap = float(np.ptp(shifted))
    spread = np.sort(codes.std(0))[::-1]
    return SparseCodes(
        penalty, edges, density, laplace(1 / penalty) if penalty else np.zeros_like(middle),
        laplace(max(mean_abs, 1e-6)), spread, mean_abs, int((spread >= ACTIVE * max(spread[0], 1e-12)).sum()),
        float(model.reconstruction_error(X).mean()), gap,
    )  # fmt: skip


def draw_sparse_codes(result: SparseCodes, dark: bool = False, height: int = 420) -> go.Figure:
    """Histogram of the codes with both Laplace densities, and the spread of each unit."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "code", "density per unit of code")
    middle = (result.edges[1:] + result.edges[:-1]) / 2
    fig.add_bar(x=middle, y=result.density, width=np.diff(result.edges), marker={"color": c.data}, name="codes")
    fig.add_scatter(x=middle, y=result.fitted, mode="lines", name="Laplace fitted", line={"color": c.model, "width": 3})
    if result.penalty:
        fig.add_scatter(
            x=middle, y=result.prior, mode="lines", name="Laplace 1/λ", line={"color": c.truth, "dash": "dash"}
        )
    fig.add_bar(
        x=np.arange(1, len(result.unit_spread) + 1), y=result.unit_spread, xaxis="x2", yaxis="y2",
        marker={"color": c.model}, showlegend=False, hovertemplate="unit %{x}<br>sd %{y:.3f}<extra></extra>",
    )  # fmt: skip
    fig.update_layout(
        bargap=0.05,
        xaxis={"domain": [0, 0.58]},
        xaxis2={"domain": [0.72, 1], "title": {"text": "unit"}},
        yaxis2={"anchor": "x2", "title": {"text": "sd of its code"}},
    )
    return fig


@dataclass(frozen=True, eq=False)
class PriorSamples:
    """Decoded draws from the prior of three autoencoders, beside the rows.

    Attributes
    ----------
    rows : (n, 2) the data
    names : of the models
    samples : (3, n, 2)
    auroc : (3,) with which a classifier tells samples from rows; 0.5 where it cannot
    """

    rows: np.ndarray
    names: tuple[str, ...]
    samples: np.ndarray
    auroc: np.ndarray

    @property
    def plain(self) -> float:
        """Of the plain autoencoder with a Gaussian prior."""
        return float(self.auroc[0])

    @property
    def sparse(self) -> float:
        """Of the sparse autoencoder with a Laplace prior."""
        return float(self.auroc[1])

    @property
    def variational(self) -> float:
        """Of the variational autoencoder."""
        return float(self.auroc[2])

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        parts = [f"{name} {fixed(value)}" for name, value in zip(self.names, self.auroc, strict=True)]
        return f"A classifier tells samples from rows with an AUROC of: {', '.join(parts)}. At 0.5 it cannot."


def prior_samples(n_steps: int = 600, penalty: float = 0.1) -> PriorSamples:
    """Trains a plain, a sparse and a variational autoencoder on half moons and samples from each one's prior."""
    X = Moons().sample(2000, 0)
    settings: dict[str, Any] = {"n_latent": 2, "n_steps": n_steps, "width": 48}
    models = {
        "plain": Autoencoder(**settings),
        "sparse, Laplace prior": Autoencoder(**settings, penalty=penalty, weight_decay=0.1, prior="laplace"),
        "VAE": VariationalAutoencoder(**settings),
    }
    fresh = Moons().sample(600, 1)
    samples = np.array([model.fit(X).sample(600, random_state=0) for model in models.values()])
    return PriorSamples(fresh, tuple(models), samples, np.array([classifier_auroc(fresh, s) for s in samples]))


def draw_prior_samples(result: PriorSamples, dark: bool = False, height: int = 420) -> go.Figure:
    """Three planes side by side: rows, and samples over them."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height)
    for i, (name, points) in enumerate(zip(result.names, result.samples, strict=True)):
        axes = {"xaxis": f"x{i + 1}", "yaxis": f"y{i + 1}"}
        fig.add_scatter(
            x=result.rows[:, 0], y=result.rows[:, 1], mode="markers", hoverinfo="skip",
            marker={"color": c.data, "size": 3, "opacity": 0.4}, **axes,
        )  # fmt: skip
        fig.add_scatter(
            x=points[:, 0], y=points[:, 1], mode="markers", hoverinfo="skip",
            marker={"color": c.model, "size": 4, "opacity": 0.6, "symbol": "x-thin-open"}, **axes,
        )  # fmt: skip
        title = f"x1<br>{name}<br>AUROC {result.auroc[i]:.2f}"
        fig.update_layout(
            {
                f"xaxis{i + 1}": {
                    "domain": [i / 3 + 0.015, (i + 1) / 3 - 0.015],
                    "range": [-2, 3],
                    "title": {"text": title},
                    "anchor": f"y{i + 1}",
                },
                f"yaxis{i + 1}": {"range": [-1.5, 2], "anchor": f"x{i + 1}", "showticklabels": i == 0},
            }
        )
    fig.update_layout(showlegend=False)
    return fig


EXHIBITS = (
    Exhibit(
        "sparse_codes",
        (
            Float("penalty", "Penalty lambda", 0, 5, 0.1, help="Times the sum of absolute codes, added to the error"),
            Int("n_latent", "Numbers in the code", 2, 32, help="The table has 13 columns"),
        ),
        sparse_codes,
        draw_sparse_codes,
        rows=(129, 131, 132),
        is_slow=True,
    ),
    Exhibit(
        "prior_samples",
        (
            STEPS,
            Float("penalty", "Penalty of the sparse one", 0, 1, 0.05, help="On absolute codes"),
        ),
        prior_samples,
        draw_prior_samples,
        rows=(133,),
        is_slow=True,
    ),
)
