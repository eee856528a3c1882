"""Maps of the plane on the Compare page: densities beside reconstruction errors and displacements."""

from __future__ import annotations

import streamlit as st

from flowlab import views
from flowlab.dashboard.compare.comparison import PAGE, Compared
from flowlab.dashboard.compare.controls import pair
from flowlab.dashboard.shell import links, services, state
from flowlab.dashboard.shell.widgets import PLOT, chart
from flowlab.plots import reconstruction as code_plots
from flowlab.views.density import DensityGrid
from flowlab.views.reconstruction import ReconstructionMap


def maps(compared: Compared) -> None:
    """Where autoencoders err beside the densities, on the same window."""
    coders, densities = compared.reconstructors(), compared.densities()
    both = pair(compared) if coders and densities else (None, None)
    coder = both[0] or (coders[0] if coders else None)
    flow = both[1] or (densities[0] if densities else None)
    arrows = links.linked(PAGE, st.toggle, "Arrows from points to their reconstructions", "arrows", True)
    stage = views.stage(compared.dataset)
    code = services.Trained(compared.runs[coder]).view(views.reconstruction_map) if coder else None
    grid = services.Trained(compared.runs[flow]).view(views.density_grid, n=100) if flow else None
    pictures: list[tuple[dict[str, ReconstructionMap], dict[str, DensityGrid], str]] = []
    if coder and code:
        pictures.append(({coder: code}, {}, "The autoencoder's error is low along what its decoder can say"))
    if flow and grid:
        pictures.append(({}, {flow: grid}, "The density is high where data are"))
    for i, column in enumerate(st.columns(len(pictures), gap="small")):
        errors, grids, finding = pictures[i]
        fig = code_plots.error_beside_density(
            errors, grids, stage.points, stage.axes, arrows, state.is_dark(), height=440
        )
        chart(column, fig, key=f"compare.map.{i}", config=PLOT, theme=None, alt=finding)
    st.caption(
        "Strong colour means ordinary in both: a small error, a high density. The line is what the decoder can say, "
        "arrows show whither the autoencoder pulls a point."
    )
    if code is not None and code.mean is not None and code.spread is not None:
        fig = code_plots.codes(code.mean, code.spread, None, dark=state.is_dark())
        chart(st, fig, key="compare.codes", config=PLOT, theme=None, alt="Codes of the VAE with their ellipses")
