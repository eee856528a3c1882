"""The Samples view of the Explore page."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import streamlit as st

from flowlab import formatting, views
from flowlab.dashboard.explore.scene import PAGE, Scene, level_choice, linked
from flowlab.dashboard.shell import services, state
from flowlab.dashboard.shell.pictures import draw_sheet
from flowlab.dashboard.shell.widgets import PLOT, chart
from flowlab.plots import samples as plots
from flowlab.tables.export import to_csv_bytes
from flowlab.views.pictures import MAX_PICTURES, drawn_sheet
from flowlab.views.samples import in_columns_of


def samples(scene: Scene) -> None:
    """Draws over the data or beside them; a clicked one shows its nearest training row. Pictures are drawn as such."""
    are_pictures = scene.dataset.image_shape is not None
    usual, most, step = (68, MAX_PICTURES, 12) if are_pictures else (2000, 20_000, 500)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        n = int(linked(st.number_input, "Samples", "n", usual, min_value=1, max_value=most, step=step, width=130))
        seed = int(linked(st.number_input, "Seed", "seed", 0, min_value=0, max_value=10**6, step=1, width=110))
        temperature = float(
            linked(
                st.slider, "Temperature", "temperature", 1.0, min_value=0.0, max_value=2.0, step=0.05, width=220,
                help="Scales the latent points: below 1 samples keep to the likely regions",
            )
        )  # fmt: skip
        level = level_choice(scene)
        beside = not are_pictures and linked(st.toggle, "Side by side", "beside", False)
    if are_pictures:
        _as_pictures(scene, scene.view(views.samples, n=n, seed=seed, temperature=temperature, level=level).samples)
        return
    sample = int(state.view(PAGE, "sample", -1))
    sample = sample if 0 <= sample < n else -1
    drawn = scene.view(views.samples, n=n, seed=seed, temperature=temperature, nearest=sample, level=level)
    nearest = scene.stage.project(scene.dataset.X[[drawn.nearest_row]])[0] if drawn.nearest_row is not None else None
    fig = plots.samples_scatter(drawn, scene.dark, beside, scene.stage.axes, scene.stage.window, sample, nearest)
    key = state.widget_key(PAGE, "samples")
    chart(
        st, fig, key=key, height="stretch", theme=None, config=PLOT, selection_mode="points",
        on_select=_choose_sample(key), alt=_finding(scene, drawn.samples),
    )  # fmt: skip
    if drawn.nearest_distance is not None and drawn.nearest_row is not None:
        st.markdown(
            f"Sample {formatting.count(sample)}: nearest training row {formatting.count(drawn.nearest_row)}, "
            f"{formatting.fixed(drawn.nearest_distance)} standard deviations away."
        )
    elif not state.is_presenting():
        st.caption("Click a sample to find the training row nearest to it: a model that copies has distance zero.")
    st.caption(f"{_finding(scene, drawn.samples)}.")
    if not state.is_presenting():
        _table(scene, drawn.samples)


def _as_pictures(scene: Scene, drawn: np.ndarray) -> None:
    """The draws, the first of them above the training rows nearest to them."""
    beyond = float(np.mean((drawn < 0) | (drawn > 1)))
    told = f"{formatting.plural(len(drawn), 'picture')} drawn by the model, the first above their nearest training rows"
    draw_sheet(drawn_sheet(scene.dataset, drawn), "explore.drawn", told)
    st.caption(
        "Below the first draws stand the training rows nearest to them, with the root mean square difference of their "
        f"pixels: a model that copies has zero. {formatting.percent(beyond)} of all pixels lie beyond black or white."
    )
    if not state.is_presenting():
        _table(scene, drawn)


def _finding(scene: Scene, drawn: np.ndarray) -> str:
    """How many of the samples lie in the window of the data."""
    x0, x1, y0, y1 = scene.stage.window
    x, y = scene.stage.project(drawn).T
    inside = formatting.percent(float(np.mean((x >= x0) & (x <= x1) & (y >= y0) & (y <= y1))))
    return f"{formatting.plural(len(drawn), 'sample')} of the model over rows of the data; {inside} lie in the window"


def _table(scene: Scene, drawn: np.ndarray) -> None:
    """The samples in the user's columns, and a file of them."""
    table = scene.dataset.table(drawn, drawn=True)
    uploaded = services.table()
    if uploaded is not None:
        table = in_columns_of(table, uploaded, scene.dataset)
    with st.expander("Samples as a table"):
        st.dataframe(table.head(1000), height=260, hide_index=False)
        if uploaded is not None:
            st.caption(
                "The columns of the file, in its order. Those that no model draws are made up: new identifiers, times "
                "within the training rows, the label of normal rows where only those were learned; others are empty."
            )
        st.download_button(
            f"Download {formatting.plural(len(table), 'synthetic row')}",
            lambda: to_csv_bytes(table),
            file_name="synthetic_rows.csv",
            mime="text/csv",
            on_click="ignore",
        )


def _choose_sample(key: str) -> Callable[[], None]:
    def changed() -> None:
        event = state.widget_value(key)
        points = event["selection"]["points"] if event else []
        # Curve 0 is the data, curve 1 the samples.
        hits = [p for p in points if p.get("curve_number") == 1]
        if hits:
            state.set_view(PAGE, sample=int(hits[0]["point_index"]))

    return changed
