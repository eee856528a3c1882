"""Inside one layer, on the Explore page: scale and shift as functions, the Jacobian at a row, the masks."""

from __future__ import annotations

import numpy as np
import streamlit as st

from flowlab.plots import coupling as coupling_plots
from pages.ui import engine, explore_jacobian, explore_masks, state
from pages.ui.explore import PAGE, PLOT, Scene, first_row, mirrored


def coupling(scene: Scene) -> None:
    """One layer opened: what it reads, what it changes, and by how much the volume changes."""
    last = len(engine.view("coupling", layer=1)["moved"])
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        layer = int(mirrored(st.number_input, "Layer", "layer", 1, min_value=1, max_value=last, step=1, width=130))
        row = int(
            mirrored(
                st.number_input, "Row", "row", first_row(scene), min_value=0, max_value=len(scene.dataset) - 1, step=1,
                width=160,
            )
        )  # fmt: skip
        arrays, masks = engine.view("coupling", layer=layer), engine.view("masks", layer=layer)
        told = "log_scale" in arrays
        pair = _read_and_moved(arrays["moved"][layer - 1], scene, masks.get("order")) if told else None
    left, right = st.columns([1, 2], gap="medium")
    with left:
        _scale_and_shift(scene, arrays, pair, layer, row)
    with right:
        explore_jacobian.jacobian(scene, layer, row)
    if masks["transformed"].all():
        st.caption("Every layer changes every feature.")
    else:
        fig = coupling_plots.moved_features(masks["transformed"], scene.dark, layer, 70 + min(22 * last, 260))
        st.plotly_chart(fig, theme=None, config=PLOT, key="explore.moved", alt="Which layer changes which feature")
        st.caption("Blue: the layer changes the feature; grey: it keeps it and reads it.")
    if len(masks["never"]):
        st.warning(explore_masks.never_words(scene, masks["never"], last))
    if "paths" in masks:
        explore_masks.made(scene, masks, layer)
    explore_masks.editor(scene, masks["transformed"])


def _read_and_moved(moved: np.ndarray, scene: Scene, order: np.ndarray | None = None) -> tuple[int, int] | None:
    """The feature shown across, and the moved one whose s and t are shown; a choice where there are many.

    Without a choice: the first kept and the first moved one, or the first and the last in a MADE's `order`.
    """
    kept, changed = np.flatnonzero(~moved), np.flatnonzero(moved)
    if not len(changed):
        return None
    if scene.dataset.n_features <= 2:
        return (int(kept[0]) if len(kept) else 0, int(changed[-1]))
    sources = kept if len(kept) else np.arange(len(moved))
    first, last = (sources[0], changed[0]) if order is None else (order[0], order[-1])
    chosen = []
    for label, name, options, default in (
        ("Reads feature", "reads", sources, first),
        ("Changes feature", "changes", changed, last),
    ):
        default = int(default if default in options else options[0])
        value = int(state.view(PAGE, name, default + 1)) - 1
        value = value if value in options else default
        key = state.widget_key(PAGE, name, len(options), default)
        st.selectbox(
            label,
            [int(j) + 1 for j in options],
            index=int(np.flatnonzero(options == value)[0]),
            format_func=lambda number: f"{number}: {str(scene.dataset.columns[number - 1])[:40]}",
            key=key,
            on_change=state.on_widget(key, lambda new, name=name: state.set_view(PAGE, **{name: new})),
            width=220,
        )
        chosen.append(value)
    return chosen[0], chosen[1]


def _scale_and_shift(scene: Scene, arrays: dict, pair: tuple[int, int] | None, layer: int, row: int) -> None:
    if "log_scale" not in arrays:
        st.info(
            "This model does not tell the scale and shift of its layers; the Jacobian on the right shows what they do."
        )
        return
    if pair is None:
        st.info(f"Layer {layer} changes no feature of these rows.")
        return
    fig = coupling_plots.scale_and_shift(arrays, pair[0], pair[1], scene.dark, row, height=340)
    st.plotly_chart(fig, theme=None, config=PLOT, key="explore.coupling")
    if pair[0] == pair[1]:
        st.caption(f"What layer {layer} does to feature {pair[1] + 1} of every row, against that feature before it.")
        return
    st.caption(
        f"Layer {layer} reads feature {pair[0] + 1} and sets s and t of feature {pair[1] + 1} for every row. "
        "An affine layer draws curves; a spline's slope also depends on the changed feature itself."
    )
