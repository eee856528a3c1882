"""The table of cures as a picture: AUROC by colour and in figures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from flowlab.formatting import fixed
from flowlab.plots import theme


def auroc_table(
    lines: Sequence[str],
    columns: Sequence[str],
    mean: np.ndarray,
    error: np.ndarray | None = None,
    dark: bool = False,
    height: int = 420,
) -> go.Figure:
    """AUROC of scores (lines) against what is outside (columns), one half in the middle of the colours.

    Parameters
    ----------
    mean, error : (n_lines, n_columns) the AUROC and its standard error; nan is left empty
    """
    c = theme.colors(dark)
    fig = theme.figure(dark, height)
    errors = np.full(np.shape(mean), np.nan) if error is None else error
    text = [
        ["" if np.isnan(m) else fixed(m, 2) + ("" if np.isnan(e) else f" ± {fixed(e, 2)}") for m, e in zip(*pair)]
        for pair in zip(np.asarray(mean), errors, strict=True)
    ]
    fig.add_heatmap(
        x=list(columns), y=list(lines), z=mean, zmin=0, zmax=1,
        colorscale=theme.colorscale(tuple(reversed(c.diverging))), showscale=False,
        text=text, texttemplate="%{text}", hoverongaps=False,
        hovertemplate="%{y}<br>against %{x}<br>AUROC %{text}<extra></extra>",
    )  # fmt: skip
    fig.update_yaxes(autorange="reversed", ticks="")
    return fig.update_xaxes(side="top", ticks="")
