"""The Layers view of the Explore page: points and a lattice travel through the flow."""

from __future__ import annotations

import numpy as np
import streamlit as st

from flowlab import formatting, views
from flowlab.dashboard.canvas.layer_player import layers_view
from flowlab.dashboard.explore.receipt import short_receipt
from flowlab.dashboard.explore.scene import PAGE, Scene, column_choice, level_choice, present_row, segmented
from flowlab.dashboard.shell import address, state
from flowlab.views.projection import angle_color


def layers(scene: Scene) -> None:
    """Points and a lattice travel from data to latent and back; the slider stops at any layer."""
    columns, level = None, level_choice(scene)
    if len(scene.columns) > 2:
        with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
            plane = segmented("Plane", ["principal axes", "two columns"], "plane", "principal axes")
            if plane == "two columns":
                columns = (column_choice("Across", scene, "col1", 0), column_choice("Up", scene, "col2", 1))
    if columns is not None and columns[0] == columns[1]:
        st.info("Choose two different columns.")
        return
    st.fragment(_path_and_receipt)(scene, columns, level)


def _path_and_receipt(scene: Scene, columns: tuple[int, int] | None, level: int) -> None:
    """The animation, and beside it the receipt of the row and layer at which it stands; the two follow each other."""
    present = present_row(scene)
    path = scene.view(views.layers, n_points=2000, columns=columns, level=level)
    if present not in path.rows:
        path = scene.view(views.layers, n_points=2000, columns=columns, level=level, row=present)
    last = len(path.points) - 1
    wanted = state.view(PAGE, "layer", 0)
    if not 0 <= wanted <= last:
        st.caption(f"The link asks for layer {wanted}; this model has {formatting.plural(last, 'layer')}.")
    labelled = bool(path.labels.any())
    across, up = scene.stage.axes if columns is None else (str(scene.dataset.columns[c])[:60] for c in columns)
    # a class sees the picture alone
    left, right = (st.container(), None) if state.is_presenting() else st.columns([1.15, 1], gap="large")
    with left:
        choice = layers_view(
            path,
            f"explore.layers.{scene.run.run_id}.{columns}.{level}",
            names=[_changes(scene, moved) for moved in scene.view(views.masks).transformed],
            axes=(f"{across} (scaled)", f"{up} (scaled)"),
            latent_axes=("latent 1", "latent 2"),
            color=path.labels if labelled else angle_color(path.points[0]),
            color_kind="label" if labelled else "angle",
            layer=min(max(wanted, 0), last),
            row=present,
        )
    _remember(choice.layer, None if choice.row == present else choice.row)
    if right is not None:
        with right:
            short_receipt(scene, choice.layer)


def _changes(scene: Scene, moved: np.ndarray) -> str:
    """Which of the columns a layer changes, in few words."""
    changed = [str(scene.dataset.columns[j]) for j in scene.columns if moved[j]]
    if len(changed) == len(scene.columns):
        return "changes every column" if len(changed) > 1 else ""
    return (
        f"changes {changed[0][:40]}" if len(changed) == 1 else f"changes {len(changed)} of {len(scene.columns)} columns"
    )


def _remember(layer: int, row: int | None) -> None:
    """Layer and row of the animation go into the link as soon as the reader stops."""
    if layer != state.view(PAGE, "layer", 0) or (row is not None and row != state.view(PAGE, "row", -1)):
        state.set_view(PAGE, layer=layer)
        if row is not None:
            state.set_view(PAGE, row=row)
            state.refresh_widgets()
        address.write(PAGE, "layers")
