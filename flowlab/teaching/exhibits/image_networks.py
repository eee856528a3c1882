"""What a flow of pictures sees: local, convolutional and dense networks, and the differences of neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import plotly.graph_objects as go

from flowlab.controls import Choice
from flowlab.formatting import fixed
from flowlab.images.complexity import NeighbourDifferences
from flowlab.images.pixels import as_bytes
from flowlab.models.images.image_flow import ImageFlow
from flowlab.plots import panels, theme
from flowlab.ranking import spearman_matrix
from flowlab.teaching.exhibit import Exhibit
from flowlab.teaching.exhibits import image_laboratory
from flowlab.teaching.exhibits.image_laboratory import OUTSIDE, SHAPE, detected, laboratory, rank_correlation

MODELS = {
    "convolutional": "convolutional flow",
    "local": "local flow",
    "dense": "dense flow",
    "differences": "differences of neighbours",
}
KINDS = {"inside": "pictures inside"} | OUTSIDE
N_DRAWN = 60
"""Pictures of each kind that are drawn."""


@lru_cache(maxsize=1)
def _log_densities() -> dict[str, dict[str, np.ndarray]]:
    """By model and by kind of pictures, log-likelihoods (n,) in nats."""
    lab = laboratory()
    kinds = {name: lab.rows(name) for name in ("inside", *OUTSIDE)}
    found = {"convolutional": {kind: lab.flow.score_samples(X) for kind, X in kinds.items()}}
    for network in ("local", "dense"):
        flow = ImageFlow(network=network, n_steps=image_laboratory.N_STEPS, random_state=0).fit(lab.train)
        found[network] = {kind: flow.score_samples(X) for kind, X in kinds.items()}
    counted = NeighbourDifferences.of(as_bytes(SHAPE.of(lab.train)))
    return found | {"differences": {kind: counted.log_likelihood(lab.pictures[kind]) for kind in kinds}}


@dataclass(frozen=True, eq=False)
class ImageNetworks:
    """Log-likelihoods of the same pictures by two models, and how alike all of them rank pictures.

    Attributes
    ----------
    kinds : of pictures, in words, "inside" first
    across, up : (n_kinds, n) log-likelihoods in nats by the two models
    across_name, up_name : in words
    correlations : (4, 4) rank correlations over pictures of one kind, in the order of `MODELS`
    of : that kind, in words
    here : rank correlation of the two models over all pictures
    constant_convolutional, constant_dense : AUROC of -log p against pictures of one grey
    """

    kinds: tuple[str, ...]
    across: np.ndarray
    up: np.ndarray
    across_name: str
    up_name: str
    correlations: np.ndarray
    of: str
    here: float
    constant_convolutional: float
    constant_dense: float

    @property
    def local_convolutional(self) -> float:
        """Rank correlation of the local and the convolutional flow."""
        return float(self.correlations[1, 0])

    @property
    def dense_convolutional(self) -> float:
        """Rank correlation of the dense and the convolutional flow."""
        return float(self.correlations[2, 0])

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        more = "more" if self.constant_dense > self.constant_convolutional else "no more"
        return (
            f"Rank correlation of the {self.across_name} and the {self.up_name} over all pictures: "
            f"{fixed(self.here, 2)}. Over {self.of}: local and convolutional flow "
            f"{fixed(self.local_convolutional, 2)}, dense and convolutional {fixed(self.dense_convolutional, 2)}. Of "
            f"pictures of one grey the dense flow finds {more}: AUROC {fixed(self.constant_dense, 2)} against "
            f"{fixed(self.constant_convolutional, 2)}."
        )


def image_networks(across: str = "differences", up: str = "convolutional", of: str = "flower") -> ImageNetworks:
    """Three flows with as many weights each, and the simplest model of pictures, on patches and on what is outside."""
    found = _log_densities()
    drawn = {model: np.stack([values[:N_DRAWN] for values in found[model].values()]) for model in {across, up}}
    correlations = spearman_matrix(np.column_stack([found[model][of] for model in MODELS]))
    constant = tuple(
        detected(-found[model]["inside"], -found[model]["constant"]) for model in ("convolutional", "dense")
    )
    return ImageNetworks(
        ("inside", *OUTSIDE.values()), drawn[across], drawn[up], MODELS[across], MODELS[up], correlations, KINDS[of],
        rank_correlation(drawn[across], drawn[up]), constant[0], constant[1],
    )  # fmt: skip


def draw_image_networks(result: ImageNetworks, dark: bool = False, height: int = 420) -> go.Figure:
    """The two likelihoods against each other, and the matrix of rank correlations."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, f"{result.across_name} (nats)", f"{result.up_name} (nats)")
    colors = [c.data, c.model, c.second, c.third, c.anomaly, c.truth, c.threshold]
    symbols = ["circle", "square", "diamond", "cross", "x", "triangle-up", "star"]
    for i, kind in enumerate(result.kinds):
        fig.add_scatter(
            x=result.across[i], y=result.up[i], mode="markers", name=kind,
            marker={"color": colors[i], "symbol": symbols[i], "size": 6, "opacity": 0.7},
            hovertemplate="%{x:.0f} and %{y:.0f} nats<extra>" + kind + "</extra>",
        )  # fmt: skip
    short = ["conv.", "local", "dense", "diff."]
    fig.add_heatmap(
        x=short, y=short, z=result.correlations, zmin=-1, zmax=1,
        colorscale=theme.colorscale(tuple(reversed(c.diverging))),
        text=[[fixed(value, 2) for value in row] for row in result.correlations], texttemplate="%{text}",
        showscale=False, hovertemplate="%{y} and %{x}: %{z:.3f}<extra></extra>", **panels.on(1),
    )  # fmt: skip
    low, high = np.quantile(result.up, [0.02, 1])  # a few pictures of noise lie far below
    return fig.update_layout(
        xaxis={"domain": [0, 0.46], "nticks": 4},
        yaxis={"range": [low - 0.05 * (high - low), high + 0.05 * (high - low)]},
        xaxis2={"domain": [0.6, 1], "anchor": "y2", "tickangle": 0},
        yaxis2={"anchor": "x2", "autorange": "reversed"},
        legend={"orientation": "v", "x": 0.46, "xanchor": "right", "y": 0, "yanchor": "bottom", "font": {"size": 11}},
    )


EXHIBITS = (
    Exhibit(
        "image_networks",
        (
            Choice("across", "Across", MODELS, help="Whose likelihood is drawn across"),
            Choice("up", "Up", MODELS, help="Whose likelihood is drawn up"),
            Choice("of", "Rank correlations over", KINDS, help="Pictures of one kind"),
        ),
        image_networks,
        draw_image_networks,
        rows=(60, 61, 62),
        is_slow=True,
    ),
)
