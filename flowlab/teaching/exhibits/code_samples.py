"""What autoencoders and flows draw, and what the weight beta trades for it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import plotly.graph_objects as go

from flowlab.controls import Choice
from flowlab.datasets.dataset import Part
from flowlab.evaluation.two_sample import classifier_auroc
from flowlab.formatting import fixed
from flowlab.models.base import GenerativeModel
from flowlab.plots import theme
from flowlab.ranking import auroc
from flowlab.records import Spec
from flowlab.teaching.exhibit import Exhibit
from flowlab.teaching.exhibits.code_scores import LABELLED, N_STEPS, labelled_vae, trained_on

TRADED = {name: LABELLED[name] for name in ("moons", "wine")}
"""Data of few enough columns for a classifier to tell samples from rows within seconds."""


BETAS = (0.01, 0.1, 0.5, 1.0, 4.0, 20.0)


@dataclass(frozen=True, eq=False)
class BetaTradeOff:
    """What the weight of the KL term does, one model for each.

    Attributes
    ----------
    beta, rate, distortion, auroc, told_apart : (m,) each: the weight; mean KL in nats and squared error in squared
        standard deviations over held-out normal rows; AUROC of detection by reconstruction error; AUROC with which
        trees tell samples from rows
    """

    beta: np.ndarray
    rate: np.ndarray
    distortion: np.ndarray
    auroc: np.ndarray
    told_apart: np.ndarray

    @property
    def low_rate(self) -> float:
        """KL at the lowest beta, and so on."""
        return float(self.rate[0])

    @property
    def high_rate(self) -> float:
        """KL at the highest beta."""
        return float(self.rate[-1])

    @property
    def low_distortion(self) -> float:
        """Squared error at the lowest beta."""
        return float(self.distortion[0])

    @property
    def high_distortion(self) -> float:
        """Squared error at the highest beta."""
        return float(self.distortion[-1])

    @property
    def high_auroc(self) -> float:
        """Detection at the highest beta."""
        return float(self.auroc[-1])

    @property
    def low_told_apart(self) -> float:
        """Samples at the lowest beta."""
        return float(self.told_apart[0])

    @property
    def high_told_apart(self) -> float:
        """Samples at the highest beta."""
        return float(self.told_apart[-1])

    @property
    def best_told_apart(self) -> float:
        """Samples at the beta whose samples are hardest to tell from rows."""
        return float(self.told_apart.min())

    @property
    def best_auroc(self) -> float:
        """The highest AUROC of detection."""
        return float(self.auroc.max())

    @property
    def best_samples_at(self) -> float:
        """The beta whose samples are hardest to tell from rows."""
        return float(self.beta[self.told_apart.argmin()])

    @property
    def best_detection_at(self) -> float:
        """The beta with the highest AUROC of detection."""
        return float(self.beta[self.auroc.argmax()])

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"From beta {fixed(self.beta[0], 2)} to {fixed(self.beta[-1], 0)} the KL term falls from "
            f"{fixed(self.low_rate, 2)} to {fixed(self.high_rate, 2)} nats and the squared error rises from "
            f"{fixed(self.low_distortion, 2)} to {fixed(self.high_distortion, 2)}. Detection is best at beta "
            f"{fixed(self.best_detection_at, 2)}, samples are best at {fixed(self.best_samples_at, 2)}."
        )


def beta_trade_off(data: str = "moons") -> BetaTradeOff:
    """Trains a model for each of six weights."""
    return _trade_off(data)


@lru_cache(maxsize=4)
def _trade_off(data: str) -> BetaTradeOff:
    lines = []
    for beta in BETAS:
        vae, dataset = labelled_vae(data, beta)
        rows = dataset.rows(Part.UNSEEN)
        assert dataset.y is not None
        X, y = dataset.X[rows], dataset.y[rows] == 1
        error, real = vae.reconstruction_error(X), dataset.X[dataset.y == 0][:300]
        lines.append(
            (
                beta, vae.kl(X[~y]).mean(), error[~y].mean(), auroc(error, y),
                classifier_auroc(vae.sample(2 * len(real), 0), real),
            )
        )  # fmt: skip
    return BetaTradeOff(*np.array(lines).T)


def draw_beta_trade_off(result: BetaTradeOff, dark: bool = False, height: int = 420) -> go.Figure:
    """Rate and distortion against beta on the left, detection and samples on the right."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "beta", "nats, squared standard deviations")
    lines = (
        ("KL (rate)", result.rate, c.third, "solid", ""),
        ("squared error (distortion)", result.distortion, c.second, "dash", ""),
        ("detection", result.auroc, c.anomaly, "solid", "2"),
        ("samples told apart", result.told_apart, c.model, "dash", "2"),
    )
    for name, values, color, dash, axis in lines:
        fig.add_scatter(
            x=result.beta, y=values, mode="lines+markers", xaxis=f"x{axis}", yaxis=f"y{axis}", name=name,
            line={"color": color, "dash": dash, "width": 3},
            hovertemplate=name + "<br>beta %{x}<br>%{y:.3f}<extra></extra>",
        )  # fmt: skip
    ticks = {"type": "log", "tickvals": list(BETAS), "ticktext": [f"{beta:g}" for beta in BETAS]}
    fig.update_layout(
        xaxis={"domain": [0, 0.42], **ticks},
        xaxis2={"domain": [0.58, 1], "anchor": "y2", "title": {"text": "beta"}, **ticks},
        yaxis2={"anchor": "x2", "title": {"text": "AUROC"}},
    )
    return fig


DRAWN: dict[str, Spec] = {
    "AE": Spec("autoencoder", {"n_latent": 2, "n_steps": N_STEPS}),
    "sparse AE": Spec("autoencoder", {"n_latent": 8, "penalty": 0.05, "prior": "laplace", "n_steps": N_STEPS}),
    "VAE": Spec("vae", {"n_latent": 2, "n_steps": 2 * N_STEPS}),
    "wide VAE": Spec("vae", {"n_latent": 8, "n_steps": 2 * N_STEPS}),
    "flow": Spec("spline", {"n_layers": 4, "n_steps": N_STEPS}),
}
"""Models that draw, in the order of the gallery."""


GALLERY = {"moons": "half moons", "rings": "rings", "eight_gaussians": "eight Gaussians"}


@dataclass(frozen=True, eq=False)
class SampleGallery:
    """Draws of five models beside the data.

    Attributes
    ----------
    data : (n, 2)
    samples : (5, n, 2) in the order of `DRAWN`
    inside : (5,) share of the draws where the exact density is at least that of the data's least likely 1 %
    data_inside : the same share of the data's own fresh draws
    """

    data: np.ndarray
    samples: np.ndarray
    inside: np.ndarray
    data_inside: float

    @property
    def autoencoder(self) -> float:
        """Share of the autoencoder's draws inside, and so on."""
        return float(self.inside[0])

    @property
    def sparse(self) -> float:
        """Of the sparse autoencoder's."""
        return float(self.inside[1])

    @property
    def vae(self) -> float:
        """Of the VAE's."""
        return float(self.inside[2])

    @property
    def wide_vae(self) -> float:
        """Of the VAE's with a code larger than the data."""
        return float(self.inside[3])

    @property
    def flow(self) -> float:
        """Of the flow's."""
        return float(self.inside[4])

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        shares = ", ".join(f"{name} {fixed(100 * share, 1)} %" for name, share in zip(DRAWN, self.inside, strict=True))
        return (
            f"Sharpness, the share of draws inside the region that holds 99 % of the truth: {shares}. Fresh rows "
            f"have {fixed(100 * self.data_inside, 1)} %."
        )


def sample_gallery(data: str = "moons") -> SampleGallery:
    """Trains the five models on 1,000 rows and draws 800 from each."""
    return _gallery(data)


@lru_cache(maxsize=4)
def _gallery(data: str) -> SampleGallery:
    spec = Spec(data, {"n_samples": 1000})
    drawn = []
    for model_spec in DRAWN.values():
        model, dataset = trained_on(spec, model_spec)
        assert isinstance(model, GenerativeModel)
        drawn.append(model.sample(800, 0))
    assert dataset.density is not None
    log_density = dataset.density.log_density
    lowest = float(np.quantile(log_density(dataset.density.sample(20_000, 1)), 0.01))
    inside = [float((log_density(rows) >= lowest).mean()) for rows in (*drawn, dataset.density.sample(4000, 2))]
    return SampleGallery(dataset.X[:800], np.stack(drawn), np.array(inside[:-1]), inside[-1])


def draw_sample_gallery(result: SampleGallery, dark: bool = False, height: int = 420) -> go.Figure:
    """Six small planes: the data and the draws of five models."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height)
    planes = [("data", result.data, result.data_inside, c.data)]
    planes += [
        (name, rows, float(share), c.model)
        for name, rows, share in zip(DRAWN, result.samples, result.inside, strict=True)
    ]
    low, high = result.data.min(0), result.data.max(0)
    middle, half = (low + high) / 2, 0.65 * float((high - low).max())
    for i, (name, rows, share, color) in enumerate(planes):
        column, row = i % 3, i // 3
        tail = str(i + 1) if i else ""
        fig.add_scatter(
            x=rows[:, 0], y=rows[:, 1], mode="markers", xaxis=f"x{tail}", yaxis=f"y{tail}", hoverinfo="skip",
            marker={"color": color, "size": 3, "opacity": 0.55},
        )  # fmt: skip
        x0, y0 = 0.345 * column, 0.53 * (1 - row)
        fig.update_layout(
            {
                f"xaxis{tail}": {
                    "domain": [x0, x0 + 0.31], "range": [middle[0] - half, middle[0] + half], "anchor": f"y{tail}",
                    "showticklabels": False, "ticks": "", "title": {"text": "x1" if row else ""},
                },
                f"yaxis{tail}": {
                    "domain": [y0, y0 + 0.40], "range": [middle[1] - half, middle[1] + half], "anchor": f"x{tail}",
                    "showticklabels": False, "ticks": "", "title": {"text": "x2" if not column else ""},
                },
            }
        )  # fmt: skip
        fig.add_annotation(
            x=x0 + 0.155, y=y0 + 0.41, xref="paper", yref="paper", showarrow=False, yanchor="bottom", xanchor="center",
            text=f"{name} {fixed(100 * share, 0)} %", font={"color": color},
        )  # fmt: skip
    return fig.update_layout(showlegend=False)


EXHIBITS = (
    Exhibit(
        "vae_beta", (Choice("data", "Data", TRADED),), beta_trade_off, draw_beta_trade_off, rows=(138, 142),
        is_slow=True,
    ),
    Exhibit(
        "sample_gallery", (Choice("data", "Data", GALLERY),), sample_gallery, draw_sample_gallery, rows=(141,),
        is_slow=True,
    ),
)  # fmt: skip
