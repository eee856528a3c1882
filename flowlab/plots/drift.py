"""How far the columns of a new file have shifted from the training data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from flowlab.detection.drift import STRONG
from flowlab.plots import theme


def shift_bars(names: Sequence[str], shift: np.ndarray, dark: bool = False, n_shown: int = 10) -> go.Figure:
    """Population stability index (n_columns,) of the `n_shown` columns that shifted most; a strong shift is marked."""
    c = theme.colors(dark)
    order = np.argsort(-shift, kind="stable")[:n_shown]
    fig = theme.figure(dark, height=80 + 28 * max(len(order), 2), x_title="population stability index")
    strong = shift[order] >= STRONG
    fig.add_bar(
        x=shift[order],
        y=[names[j] if len(names[j]) <= 24 else names[j][:23] + "…" for j in order],
        orientation="h",
        marker={
            "color": np.where(strong, c.anomaly, c.data).tolist(),
            "pattern": {"shape": ["/" if s else "" for s in strong], "fgcolor": c.background, "fillmode": "overlay"},
        },
        hovertemplate="%{y}: %{x:.3f}<extra></extra>",
    )
    fig.add_vline(x=STRONG, line={"color": c.threshold, "width": 1, "dash": "dot"})
    fig.update_yaxes(autorange="reversed", showgrid=False)
    return fig
