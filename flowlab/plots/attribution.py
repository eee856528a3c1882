"""Attribution of a row's anomaly score to its columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from flowlab.plots import theme


def reasons_bars(
    names: Sequence[str], contributions: np.ndarray, unit: str, dark: bool = False, n_shown: int = 8
) -> go.Figure:
    """The contributions of columns to a row's anomaly score as bars, the first on top.

    Parameters
    ----------
    names : of the columns, largest contribution first
    contributions : (k,) in `unit`, that of the anomaly score
    n_shown : bars at most
    """
    c = theme.colors(dark)
    names, contributions = list(names)[:n_shown], np.asarray(contributions)[:n_shown]
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
