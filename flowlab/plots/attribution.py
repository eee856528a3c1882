"""Attribution of a row's anomaly score to its columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from flowlab.explain.attribution import Reason
from flowlab.plots import theme


def reasons_bars(reasons: Sequence[Reason], unit: str, dark: bool = False, n_shown: int = 8) -> go.Figure:
    """The contributions of columns to a row's anomaly score as bars, the first on top.

    Parameters
    ----------
    reasons : largest contribution first
    unit : of the anomaly score
    n_shown : bars at most
    """
    c = theme.colors(dark)
    names = [reason.name for reason in reasons[:n_shown]]
    contributions = np.array([reason.contribution for reason in reasons[:n_shown]])
    fig = theme.figure(dark, height=70 + 28 * max(len(names), 2), x_title=f"part of the anomaly score ({unit})")
    fig.add_bar(
        x=contributions,
        y=[name if len(name) <= 24 else name[:23] + "…" for name in names],
        orientation="h",
        marker={"color": np.where(contributions > 0, c.anomaly, c.data).tolist()},
        hovertemplate="%{y}: %{x:.4g}<extra></extra>",
    )
    fig.update_yaxes(autorange="reversed", showgrid=False)
    return fig
