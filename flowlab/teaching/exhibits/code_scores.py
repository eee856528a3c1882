"""Which rows autoencoders and flows find strange, and what they draw: scores, samples, and what beta trades."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import plotly.graph_objects as go

from flowlab import catalog
from flowlab.controls import Choice, Float, Int
from flowlab.datasets.dataset import Dataset, Part
from flowlab.evaluation.two_sample import classifier_auroc
from flowlab.formatting import fixed
from flowlab.models.autoencoders.variational import VariationalAutoencoder
from flowlab.models.base import DensityModel, GenerativeModel
from flowlab.plots import theme
from flowlab.ranking import auroc, spearman_matrix
from flowlab.records import Scalar, Spec
from flowlab.teaching.exhibit import Exhibit

SCORES = {
    "log_likelihood": "−log p(x)",
    "elbo": "−ELBO",
    "reconstruction": "reconstruction error",
    "kl": "KL from the prior",
    "norm": "norm of mu",
}
"""The anomaly scores of a variational autoencoder."""
LABELLED = {"breast_cancer": "breast cancer", "wine": "wine", "moons": "half moons and outliers"}
TRADED = {name: LABELLED[name] for name in ("moons", "wine")}
"""Data of few enough columns for a classifier to tell samples from rows within seconds."""
N_STEPS = 300
BETAS = (0.01, 0.1, 0.5, 1.0, 4.0, 20.0)
OUTLIERS = {"n_samples": 1000, "anomaly_share": 0.05}


@lru_cache(maxsize=64)
def _trained(data: Spec, model: Spec, seed: int = 0) -> tuple[DensityModel, Dataset]:
    dataset = catalog.make_dataset(data, seed)
    return catalog.make_model(model, seed, dataset).fit(dataset.fitting_rows()), dataset


def _labelled(data: str) -> Spec:
    return Spec(data, OUTLIERS if data == "moons" else {})


def _vae(data: str, beta: float) -> tuple[VariationalAutoencoder, Dataset]:
    params: dict[str, Scalar] = {"n_latent": 2, "beta": beta, "n_steps": N_STEPS}
    vae, dataset = _trained(_labelled(data), Spec("vae", params))
    assert isinstance(vae, VariationalAutoencoder)
    return vae, dataset


@dataclass(frozen=True, eq=False)
class FiveScores:
    """ROC curves of the five anomaly scores of one variational autoencoder, on the same held-out rows.

    Attributes
    ----------
    curves : (5, m, 2) shares of normal rows and of anomalies above each threshold, in the order of `SCORES`
    aurocs : (5,)
    chosen : which of them is drawn strongly
    norm_error : the largest difference between the norm score and the root of the sum of mu squared
    """

    curves: np.ndarray
    aurocs: np.ndarray
    chosen: int
    norm_error: float

    @property
    def best(self) -> float:
        """Highest AUROC."""
        return float(self.aurocs.max())

    @property
    def worst(self) -> float:
        """Lowest AUROC."""
        return float(self.aurocs.min())

    @property
    def likelihood(self) -> float:
        """AUROC by -log p(x), and so on for the other four."""
        return float(self.aurocs[0])

    @property
    def elbo(self) -> float:
        """By -ELBO."""
        return float(self.aurocs[1])

    @property
    def reconstruction(self) -> float:
        """By reconstruction error."""
        return float(self.aurocs[2])

    @property
    def kl(self) -> float:
        """By KL from the prior."""
        return float(self.aurocs[3])

    @property
    def norm(self) -> float:
        """By the norm of mu."""
        return float(self.aurocs[4])

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        names = list(SCORES.values())
        return (
            f"One model, five scores: {names[int(self.aurocs.argmax())]} ranks best with AUROC {fixed(self.best, 3)}, "
            f"{names[int(self.aurocs.argmin())]} worst with {fixed(self.worst, 3)}. The one drawn "
            f"strongly, {names[self.chosen]}, has {fixed(float(self.aurocs[self.chosen]), 3)}."
        )


def five_scores(data: str = "breast_cancer", score: str = "reconstruction", beta: float = 1.0) -> FiveScores:
    """The five scores of a model that is trained on the rows of `data`."""
    vae, dataset = _vae(data, beta)
    rows = dataset.rows(Part.UNSEEN)
    assert dataset.y is not None
    X, y = dataset.X[rows], dataset.y[rows] == 1
    parts = vae.score_parts(X)
    scores = [parts[name] for name in SCORES]
    curves = np.stack([_roc(values, y) for values in scores])
    exact = np.sqrt((vae.posterior(X)[0] ** 2).sum(1))
    return FiveScores(
        curves, np.array([auroc(values, y) for values in scores]), list(SCORES).index(score),
        float(np.abs(parts["norm"] - exact).max()),
    )  # fmt: skip


def _roc(anomaly_score: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Shares (101, 2) of normal rows and of anomalies that are flagged, at 101 thresholds that flag normal rows."""
    normal, strange = np.sort(anomaly_score[~y]), np.sort(anomaly_score[y])
    thresholds = np.r_[np.inf, np.quantile(normal, np.linspace(1, 0, 99)), -np.inf]
    above = [1 - np.searchsorted(values, thresholds, side="right") / len(values) for values in (normal, strange)]
    return np.stack(above, 1)


def draw_five_scores(result: FiveScores, dark: bool = False, height: int = 420) -> go.Figure:
    """All ROC curves, the chosen one strongly."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "normal rows flagged", "anomalies caught")
    fig.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", hoverinfo="skip", showlegend=False, line={"color": c.muted, "dash": "dot"}
    )
    colors, dashes = (c.model, c.second, c.anomaly, c.third, c.data), ("solid", "dash", "solid", "dashdot", "dot")
    for i, name in enumerate(SCORES.values()):
        is_chosen = i == result.chosen
        fig.add_scatter(
            x=result.curves[i, :, 0], y=result.curves[i, :, 1], mode="lines", opacity=1 if is_chosen else 0.6,
            line={"color": colors[i], "dash": dashes[i], "width": 4 if is_chosen else 2},
            name=f"{name} {fixed(float(result.aurocs[i]), 3)}",
            hovertemplate=name + "<br>%{x:.1%} of normal rows<br>%{y:.1%} of anomalies<extra></extra>",
        )  # fmt: skip
    for axis in (fig.update_xaxes, fig.update_yaxes):
        axis(tickformat=".0%", range=[-0.01, 1.01])
    return fig.update_layout(legend={"orientation": "v", "x": 1, "xanchor": "right", "y": 0.03, "yanchor": "bottom"})


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
        vae, dataset = _vae(data, beta)
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
        model, dataset = _trained(spec, model_spec)
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


RIVALS: dict[str, Spec] = {
    "AE": Spec("autoencoder", {"n_latent": 1, "n_steps": N_STEPS}),
    "VAE": Spec("vae", {"n_latent": 2, "n_steps": N_STEPS}),
    "flow": Spec("spline", {"n_layers": 4, "n_steps": N_STEPS}),
    "KDE": Spec("kde"),
}
"""Reconstruction against three likelihoods: what scores the same rows."""
N_DISAGREEING = 6


@dataclass(frozen=True, eq=False)
class FourScorers:
    """Anomaly scores of four models on the same held-out rows.

    Attributes
    ----------
    correlation : (4, 4) Spearman's, in the order of `RIVALS`
    aurocs : (4,)
    rows : (m, 2) held-out rows, and `rank_gap` (m,) how far the ranks by reconstruction and by the flow's density are
        apart, from -1 (only the flow finds the row strange) to 1
    """

    correlation: np.ndarray
    aurocs: np.ndarray
    rows: np.ndarray
    rank_gap: np.ndarray

    @property
    def ae_flow(self) -> float:
        """Rank correlation of reconstruction error and the flow's score."""
        return float(self.correlation[0, 2])

    @property
    def flow_kde(self) -> float:
        """Rank correlation of two log-densities."""
        return float(self.correlation[2, 3])

    @property
    def ae_auroc(self) -> float:
        """AUROC of the reconstruction error."""
        return float(self.aurocs[0])

    @property
    def flow_auroc(self) -> float:
        """AUROC of the flow."""
        return float(self.aurocs[2])

    @property
    def largest_gap(self) -> float:
        """The largest difference of ranks, as a share of the rows."""
        return float(np.abs(self.rank_gap).max())

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"Reconstruction error and the flow's log-density agree with a rank correlation of "
            f"{fixed(self.ae_flow, 2)}, flow and KDE with {fixed(self.flow_kde, 2)}. The row they judge most "
            f"differently moves by {fixed(100 * self.largest_gap, 0)} % of all ranks; AUROC is "
            f"{fixed(self.ae_auroc, 3)} for the autoencoder and {fixed(self.flow_auroc, 3)} for the flow."
        )


def four_scorers(seed: int = 0) -> FourScorers:
    """Four models on half moons with 5 % outliers, with one seed for data, split and initialisation."""
    return _four(seed)


@lru_cache(maxsize=8)
def _four(seed: int) -> FourScorers:
    scores = []
    for spec in RIVALS.values():
        model, dataset = _trained(_labelled("moons"), spec, seed)
        scores.append(model.anomaly_score(dataset.X[dataset.rows(Part.UNSEEN)]))
    assert dataset.y is not None
    held_out = dataset.rows(Part.UNSEEN)
    ranks = np.argsort(np.argsort(np.array(scores), axis=1), axis=1) / (len(held_out) - 1)
    return FourScorers(
        spearman_matrix(np.column_stack(scores)),
        np.array([auroc(values, dataset.y[held_out]) for values in scores]),
        dataset.X[held_out],
        ranks[0] - ranks[2],
    )


def draw_four_scorers(result: FourScorers, dark: bool = False, height: int = 420) -> go.Figure:
    """The matrix of rank correlations, and the rows coloured by how much autoencoder and flow disagree."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height)
    names = list(RIVALS)
    fig.add_heatmap(
        x=names, y=names, z=result.correlation, zmin=-1, zmax=1, colorscale=theme.colorscale(c.diverging),
        text=np.vectorize(lambda v: fixed(v, 2))(result.correlation), texttemplate="%{text}", showscale=False,
        hovertemplate="%{x} and %{y}<br>Spearman %{z:.3f}<extra></extra>",
    )  # fmt: skip
    most = np.abs(result.rank_gap).argsort()
    fig.add_scatter(
        x=result.rows[most, 0], y=result.rows[most, 1], xaxis="x2", yaxis="y2", mode="markers",
        customdata=result.rank_gap[most],
        marker={
            "color": result.rank_gap[most], "colorscale": theme.colorscale(c.diverging[::-1]), "cmin": -1, "cmax": 1,
            "size": 5 + 8 * np.abs(result.rank_gap[most]), "line": {"color": c.muted, "width": 0.5},
        },
        hovertemplate="rank by AE minus rank by flow %{customdata:.0%}<extra></extra>",
    )  # fmt: skip
    for i in most[-N_DISAGREEING:]:
        who = "AE" if result.rank_gap[i] > 0 else "flow"
        fig.add_annotation(
            x=result.rows[i, 0], y=result.rows[i, 1], xref="x2", yref="y2", text=who, showarrow=False, yshift=14
        )
    fig.update_layout(
        showlegend=False,
        xaxis={"domain": [0, 0.42], "title": {"text": "rank correlation"}},
        yaxis={"autorange": "reversed"},
        xaxis2={"domain": [0.54, 1], "anchor": "y2", "title": {"text": "x1"}},
        yaxis2={"anchor": "x2", "title": {"text": "x2"}},
    )
    return fig


LABELLED_TABLE = Choice("data", "Data", LABELLED)

EXHIBITS = (
    Exhibit(
        "vae_scores",
        (
            LABELLED_TABLE,
            Choice("score", "Score", SCORES),
            Float("beta", "Beta", 0, 20, 0.1, help="Weight of the divergence from the prior"),
        ),
        five_scores,
        draw_five_scores,
        rows=(139,),
        is_slow=True,
    ),
    Exhibit(
        "vae_beta", (Choice("data", "Data", TRADED),), beta_trade_off, draw_beta_trade_off, rows=(138, 142),
        is_slow=True,
    ),
    Exhibit(
        "sample_gallery", (Choice("data", "Data", GALLERY),), sample_gallery, draw_sample_gallery, rows=(141,),
        is_slow=True,
    ),
    Exhibit(
        "four_scorers", (Int("seed", "Seed", 0, 4, help="Of data, split and initialisation"),), four_scorers,
        draw_four_scorers, rows=(143,), is_slow=True,
    ),
)  # fmt: skip
