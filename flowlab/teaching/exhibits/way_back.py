"""The way from a flagged row to its repair through latent space: of a flow, an autoencoder and a VAE."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import plotly.graph_objects as go

from flowlab.controls import Choice, Int
from flowlab.explain.counterfactual import repair
from flowlab.explain.reference import Reference
from flowlab.formatting import fixed, plural
from flowlab.models.autoencoders.autoencoder import Autoencoder
from flowlab.models.autoencoders.variational import VariationalAutoencoder
from flowlab.plots import theme
from flowlab.teaching.exhibit import Exhibit
from flowlab.teaching.exhibits.moons import LOWEST, MOONS, plane, trained

ROWS = {
    "between": ("between the moons", (0.5, -0.1)),
    "above": ("above the upper moon", (0.9, 1.1)),
    "corner": ("off both, to the right", (1.5, 0.9)),
    "left": ("off both, to the left", (-0.6, -0.3)),
    "right": ("beside the lower moon", (2.3, -0.3)),
}
"""Rows that the flow flags, in words and in units of the data."""
N_POINTS = 61
FLAGGED = 0.01
"""Share of new normal rows that is flagged."""
MODELS = ("flow", "autoencoder", "VAE")


@dataclass(frozen=True, eq=False)
class WayBack:
    """A row, its repair, and ways from the one to the other.

    Attributes
    ----------
    row, repaired : (2,) in data units
    n_edits : columns that the repair changes
    before, after, threshold : anomaly scores of the flow, nats
    ways : (3, 61, 2) straight lines in the latent space of flow, autoencoder and VAE, as they are in data space
    log_density : (3, 61) of the exact density along them, nats
    line : (61,) the same along the straight line in data space
    x, y, truth : the window, and the exact log-density in it
    at : number of the point of each way that is marked
    """

    row: np.ndarray
    repaired: np.ndarray
    n_edits: int
    before: float
    after: float
    threshold: float
    ways: np.ndarray
    log_density: np.ndarray
    line: np.ndarray
    x: np.ndarray
    y: np.ndarray
    truth: np.ndarray
    at: int

    @property
    def _starts(self) -> np.ndarray:
        return np.linalg.norm(self.ways[:, 0] - self.row, axis=1)

    @property
    def flow_start(self) -> float:
        """How far from the row the flow's way begins, in units of the data."""
        return float(self._starts[0])

    @property
    def ae_start(self) -> float:
        """The autoencoder's."""
        return float(self._starts[1])

    @property
    def vae_start(self) -> float:
        """The VAE's."""
        return float(self._starts[2])

    @property
    def flow_end(self) -> float:
        """How far from the repaired row the flow's way ends."""
        return float(np.linalg.norm(self.ways[0, -1] - self.repaired))

    @property
    def flow_lowest(self) -> float:
        """The lowest exact log-density on the flow's way."""
        return float(self.log_density[0].min())

    @property
    def line_lowest(self) -> float:
        """On the straight line in data space."""
        return float(self.line.min())

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"The repair changes {plural(self.n_edits, 'column')} and brings the score from {fixed(self.before, 1)} to "
            f"{fixed(self.after, 1)} nats. The flow's way begins at the row; the autoencoder's begins "
            f"{fixed(self.ae_start, 2)} away from it, the VAE's {fixed(self.vae_start, 2)}. The lowest log p on the "
            f"way is {fixed(self.flow_lowest, 1)} through the flow, {fixed(self.line_lowest, 1)} on the straight line."
        )


def way_back(row: str = "between", share: int = 50) -> WayBack:
    """The repair of a row that the flow of the moons flags, and the ways to it; a mark at `share` percent of each."""
    x, way = np.array(ROWS[row][1]), np.linspace(0, 1, N_POINTS)[:, None]
    threshold = float(np.quantile(trained().flow.anomaly_score(trained().X_new), 1 - FLAGGED))
    found = repair(trained().flow, x, _reference(), threshold)
    ways = []
    for model in (trained().flow, *_autoencoders()):
        start, end = model.transform(np.stack([x, found.row]))
        ways.append(model.inverse_transform((1 - way) * start + way * end))
    window_x, window_y, points = plane(70)
    return WayBack(
        x,
        found.row,
        len(found.edits),
        found.before,
        found.after,
        threshold,
        np.stack(ways),
        np.stack([MOONS.log_density(points) for points in ways]),
        MOONS.log_density((1 - way) * x + way * found.row),
        window_x,
        window_y,
        MOONS.log_density(points).reshape(len(window_y), len(window_x)),
        round(share / 100 * (N_POINTS - 1)),
    )


@lru_cache(maxsize=1)
def _reference() -> Reference:
    return Reference(trained().X)


@lru_cache(maxsize=1)
def _autoencoders() -> tuple[Autoencoder, VariationalAutoencoder]:
    """An autoencoder with a code of one number, and a VAE with a code as large as the data, on the flow's own rows."""
    ae, vae = Autoencoder(1, width=32, n_steps=1500), VariationalAutoencoder(2, width=32, n_steps=1500)
    return ae.fit(trained().X), vae.fit(trained().X)


def draw_way_back(result: WayBack, dark: bool = False, height: int = 420) -> go.Figure:
    """Left the ways over the exact density, right the log-density along them."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "x1", "x2")
    fig.add_contour(
        x=result.x, y=result.y, z=result.truth.clip(LOWEST), showscale=False, hoverinfo="skip", opacity=0.6,
        colorscale=theme.colorscale(c.sequential), line={"width": 0}, ncontours=10,
    )  # fmt: skip
    along = np.linspace(0, 100, N_POINTS)
    for i, (name, color, dash) in enumerate(
        zip(MODELS, (c.model, c.anomaly, c.second), ("solid", "dash", "dot"), strict=True)
    ):
        way, values = result.ways[i], result.log_density[i]
        for x, y, tail, words in (
            (way[:, 0], way[:, 1], "", "x1 %{x:.2f}, x2 %{y:.2f}"),
            (along, values, "2", "%{x:.0f} % of the way<br>log p %{y:.1f} nats"),
        ):
            style = {"xaxis": f"x{tail}", "yaxis": f"y{tail}", "hovertemplate": f"{name}<br>{words}<extra></extra>"}
            fig.add_scatter(
                x=x, y=y, mode="lines", line={"color": color, "dash": dash, "width": 3}, name=name,
                showlegend=not tail, **style,
            )  # fmt: skip
            fig.add_scatter(
                x=x[[result.at]], y=y[[result.at]], mode="markers", showlegend=False,
                marker={"color": color, "size": 11, "line": {"color": c.background, "width": 2}}, **style,
            )  # fmt: skip
    fig.add_scatter(
        x=along, y=result.line, mode="lines", xaxis="x2", yaxis="y2", name="straight in data space",
        line={"color": c.muted, "dash": "dashdot", "width": 2},
        hovertemplate="straight in data space<br>%{x:.0f} % of the way<br>log p %{y:.1f} nats<extra></extra>",
    )  # fmt: skip
    for point, words, symbol, side in ((result.row, "row", "x", "top"), (result.repaired, "repair", "star", "bottom")):
        fig.add_scatter(
            x=point[:1], y=point[1:], mode="markers", name=words, showlegend=False, hovertemplate=words,
            marker={"symbol": symbol, "size": 14, "color": c.threshold, "line": {"color": c.background, "width": 1}},
        )  # fmt: skip
        theme.write_at(
            fig,
            float(point[0]),
            float(point[1]),
            words,
            c.text,
            xanchor="center",
            yanchor=side,
            yshift=-8 if side == "top" else 8,
        )
    return fig.update_layout(
        xaxis={"domain": [0, 0.54], "range": [-1.6, 2.7]},
        yaxis={"range": [-1.0, 1.5]},
        xaxis2={"domain": [0.64, 1], "anchor": "y2", "title": {"text": "share of the way (%)"}},
        yaxis2={"anchor": "x2", "title": {"text": "exact log p (nats)"}},
    )


EXHIBITS = (
    Exhibit(
        "way_back",
        (
            Choice("row", "Flagged row", {name: words for name, (words, _) in ROWS.items()}, help="Where it lies"),
            Int("share", "Share of the way (%)", 0, 100, 5, help="Where the marks stand"),
        ),
        way_back,
        draw_way_back,
        rows=(),
        is_slow=True,
    ),
)
