"""Anomaly scores on an axis, the same in every picture of the Detect page."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from flowlab.formatting import tick


@dataclass(frozen=True)
class ScoreAxis:
    """Anomaly scores on an axis: as they are, or compressed beyond the bulk so that a long tail fits.

    Compressed positions are asinh((score - centre) / scale): even near the centre, logarithmic far from it.
    """

    centre: float = 0.0
    scale: float = 1.0
    compressed: bool = False
    title: str = "anomaly score"

    @classmethod
    def of(cls, scores: np.ndarray, title: str = "anomaly score") -> ScoreAxis:
        """The axis of scores (n,), compressed where one lies more than 25 interquartile ranges from the median."""
        low, centre, high = np.quantile(scores, [0.25, 0.5, 0.75])
        scale = max(float(high - low), 1e-9 * max(abs(float(scores.max())), 1.0))
        long = max(scores.max() - centre, centre - scores.min()) > 25 * scale
        return cls(float(centre), scale, bool(long), title)

    def place(self, scores: ArrayLike) -> np.ndarray:
        """Positions of scores on the axis."""
        values = np.asarray(scores, np.float64)
        return np.arcsinh((values - self.centre) / self.scale) if self.compressed else values

    def score(self, positions: ArrayLike) -> np.ndarray:
        """Scores at positions of the axis."""
        places = np.asarray(positions, np.float64)
        return np.sinh(places) * self.scale + self.centre if self.compressed else places

    def apply(self, fig: go.Figure, low: float, high: float, along: str = "x") -> None:
        """Set range, ticks and title of one axis for scores from `low` to `high`."""
        ends = self.place([low, high])
        margin = 0.02 * (ends[1] - ends[0]) or 0.5
        settings: dict = {"range": [ends[0] - margin, ends[1] + margin], "title_text": self.title}
        if self.compressed:
            values = _round_values(self.score(np.linspace(ends[0], ends[1], 9)))
            settings |= {"tickvals": self.place(values), "ticktext": [tick(v) for v in values]}
            settings["title_text"] += ", tail compressed"
        (fig.update_xaxes if along == "x" else fig.update_yaxes)(**settings)


def bin_edges(axis: ScoreAxis, scores: np.ndarray, n_bins: int = 90) -> np.ndarray:
    """Edges (n_bins + 1,), as scores, of bins equally wide on the axis that hold all scores."""
    low, high = float(scores.min()), float(scores.max())
    if low == high:
        return np.linspace(low - 0.5, high + 0.5, n_bins + 1)
    first, last = axis.place([low, high])
    edges = axis.score(np.linspace(first, last, n_bins + 1))
    edges[0], edges[-1] = low, high
    return edges


def _round_values(values: np.ndarray) -> np.ndarray:
    """Each value to two significant digits, repeats removed."""
    rounded = [float(f"{v:.1e}") for v in values]
    return np.unique(rounded)
