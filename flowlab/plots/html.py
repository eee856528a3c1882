"""Figures as HTML that needs no server and no network."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from flowlab.plots.theme import without_foreign_tags


def figures_html(figures: Sequence[tuple[str, go.Figure]]) -> list[tuple[str, str]]:
    """(caption, HTML) of each (caption, figure); the first carries the plotting script (4.7 MB), the others use it."""
    config = {"displaylogo": False, "modeBarButtons": [["toImage"]]}
    return [
        (caption, without_foreign_tags(fig).to_html(full_html=False, include_plotlyjs=i == 0, config=config))
        for i, (caption, fig) in enumerate(figures)
    ]
