"""Which rows autoencoders and flows find strange: five scores of one model, and four models on the same rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import plotly.graph_objects as go

from flowlab import catalog
from flowlab.controls import Choice, Float, Int
from flowlab.datasets.dataset import Dataset, Part
from flowlab.formatting import fixed
from flowlab.models.autoencoders.variational import VariationalAutoencoder
from flowlab.models.base import DensityModel
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


N_STEPS = 300


OUTLIERS = {"n_samples": 1000, "anomaly_share": 0.05}


@lru_cache(maxsize=64)
def trained_on(data: Spec, model: Spec, seed: int = 0) -> tuple[DensityModel, Dataset]:
    """The fitted model of a spec, and the data it is fitted to."""
    dataset = catalog.make_dataset(data, seed)
    return catalog.make_model(model, seed, dataset).fit(dataset.fitting_rows()), dataset


def _labelled(data: str) -> Spec:
    return Spec(data, OUTLIERS if data == "moons" else {})


def labelled_vae(data: str, beta: float) -> tuple[VariationalAutoencoder, Dataset]:
    """A variational autoencoder with a code of 2, fitted to data of `LABELLED`, and these."""
    params: dict[str, Scalar] = {"n_latent": 2, "beta": beta, "n_steps": N_STEPS}
    vae, dataset = trained_on(_labelled(data), Spec("vae", params))
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
    vae, dataset = labelled_vae(data, beta)
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
        model, dataset = trained_on(_labelled("moons"), spec, seed)
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
        "four_scorers", (Int("seed", "Seed", 0, 4, help="Of data, split and initialisation"),), four_scorers,
        draw_four_scorers, rows=(143,), is_slow=True,
    ),
)  # fmt: skip
