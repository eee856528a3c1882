"""Inside a flow, on the Explore page: the way through the layers, the receipt of one row, the film of the training."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from flowlab.plots import density as plots
from flowlab.plots import receipt as receipt_plots
from flowlab.views import ALL_LEVELS
from pages.ui import engine, fork, state, trained, training, words
from pages.ui.explore import (
    PAGE,
    PLOT,
    Scene,
    choose_row,
    column_choice,
    level_choice,
    present_row,
    row_choice,
    segmented,
)
from pages.ui.film import film_view
from pages.ui.layers import layers_view
from pages.ui.live import angle_color

TABLE_FEATURES = 3
FILM_TICK_SECONDS = 0.8


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
    way = engine.view("layers", n_points=2000, columns=columns, level=level)
    last = len(way["points"]) - 1
    wanted = state.view(PAGE, "layer", 0)
    if not 0 <= wanted <= last:
        st.caption(f"The link asks for layer {wanted}; this model has {words.plural(last, 'layer')}.")
    labelled = bool(way["labels"].any())
    names = scene.stage.axes if columns is None else tuple(str(scene.dataset.columns[c])[:60] for c in columns)
    row = np.flatnonzero(way["rows"] == state.view(PAGE, "row", -1))
    left, right = st.columns([1.15, 1], gap="large")
    with left:
        choice = layers_view(
            way,
            f"explore.layers.{scene.run.run_id}.{columns}.{level}",
            names=[_changes(scene, moved) for moved in engine.view("masks")["transformed"]],
            axes=tuple(f"{name} (scaled)" for name in names),
            latent_axes=("latent 1", "latent 2"),
            color=way["labels"] if labelled else angle_color(way["points"][0]),
            color_kind="label" if labelled else "angle",
            layer=min(max(wanted, 0), last),
            row=int(row[0]) if len(row) else None,
        )
    _remember(choice.layer, None if choice.row is None else int(way["rows"][choice.row]))
    with right:
        _short_receipt(scene, choice.layer)


def _changes(scene: Scene, moved: np.ndarray) -> str:
    """Which of the columns a layer changes, in few words."""
    changed = [str(scene.dataset.columns[j]) for j in scene.columns if moved[j]]
    if len(changed) == len(scene.columns):
        return "changes every column" if len(changed) > 1 else ""
    return (
        f"changes {changed[0][:40]}" if len(changed) == 1 else f"changes {len(changed)} of {len(scene.columns)} columns"
    )


def _short_receipt(scene: Scene, layer: int) -> None:
    """What the present layer does to the present row."""
    row = present_row(scene)
    bill = engine.view("receipt", row=row)
    fig = receipt_plots.receipt_bars(bill, scene.dark, layer=layer, height=300)
    st.plotly_chart(fig, theme=None, config=PLOT, key="explore.short_receipt")
    if layer:
        change = _signed(float(bill["log_det"][layer - 1]))
        moved = float(np.linalg.norm(bill["position"][layer] - bill["position"][layer - 1]))
        st.markdown(
            f"**Layer {layer}** moves row {row} by {words.number(moved)} scaled units and changes its log-density by "
            f"{change} nats."
        )
    else:
        st.markdown(f"**Data space**: row {row} before the first layer, each column scaled.")
    st.caption("Bars: what each layer adds to the log-density of this row. Dots: a typical row.")


def receipt(scene: Scene) -> None:
    """The itemised bill of one row's log-density."""
    left, right = st.columns([1, 1.9], gap="medium")
    with left:
        row = row_choice(scene, "Row (or click a point)")
        if scene.planar and len(scene.columns) == 2:
            _picker(scene, row)
    bill = engine.view("receipt", row=row)
    with right:
        st.latex(_formula(bill))
        st.plotly_chart(
            receipt_plots.receipt_bars(bill, scene.dark, height=330), theme=None, config=PLOT, key="explore.receipt",
            alt=f"The items that add up to log p(x) = {float(bill['log_density']):.3f} nats for row {row}",
        )  # fmt: skip
    height = min(38 + 35 * (len(bill["log_det"]) + 2), 460)
    st.dataframe(_items(bill, scene), hide_index=True, height=height, placeholder="")
    off = abs(float(bill["difference"]))
    total, own = (_signed(float(value)) for value in (bill["running"][-1], bill["log_density"]))
    st.caption(
        f"Sum of the items: {total} nats; the model's own log p(x): {own} nats; they differ by {words.number(off)}. "
        f"The dotted line is the receipt of a typical row, number {int(bill['typical_row'])}: its log p is the median "
        "of the training rows."
    )


def film(scene: Scene) -> None:
    """Every kept frame of the training, on one slider; any of them can be forked. It grows while the run trains."""
    live = trained.is_live(engine.status())
    st.fragment(_film, run_every=FILM_TICK_SECONDS if live else None)(scene)
    fork.race(scene, fork.family(scene))


def _film(scene: Scene) -> None:
    engine.runner().watch(scene.run.run_id)  # a frame with each slice, as long as somebody looks
    run = engine.run()
    frames = run.frames
    if not len(frames):
        st.markdown("The film begins with the first picture of the training.")
        return
    above = st.container(horizontal=True, vertical_alignment="center")
    start = state.view(PAGE, "step", -1)
    chosen = film_view(
        training.scene(state.spec()),
        frames,
        frames.steps,
        training.corrected(state.spec(), run.events),
        f"explore.film.{run.run_id}.{run.created}",
        None if start < 0 else start,
        growing=not run.is_usable,
    )
    opened = frames.steps[-1] if start < 0 else min(frames.steps, key=lambda step: abs(step - start))
    if chosen != opened:
        state.set_view(PAGE, step=chosen if chosen < frames.steps[-1] else None)
        state.write_link(PAGE)
    with above:
        fork.panel(scene, chosen)


def _remember(layer: int, row: int | None) -> None:
    """Layer and row of the animation go into the link as soon as the reader stops."""
    if layer != state.view(PAGE, "layer", 0) or (row is not None and row != state.view(PAGE, "row", -1)):
        state.set_view(PAGE, layer=layer)
        if row is not None:
            state.set_view(PAGE, row=row)
            state.refresh_widgets()
        state.write_link(PAGE)


def _picker(scene: Scene, row: int) -> None:
    """The learned density with rows to click."""
    level = ALL_LEVELS
    if scene.conditioned:
        level = int(scene.dataset.X[row, scene.dataset.context])
    grid = engine.view("density_grid", n=64, level=level)
    alone = {k: v for k, v in grid.items() if not k.startswith("true_") and k != "difference"}
    stage = scene.stage
    here = np.append(stage.rows, row), np.vstack([stage.points, scene.dataset.X[row, scene.columns]])
    points = {"rows": here[0], "points": here[1], "chosen": row}
    fig = plots.density_panels(alone, "density", scene.dark, False, points, stage.axes, height=340)
    fig.update_layout(coloraxis_showscale=False)
    key = state.widget_key(PAGE, "picker")
    st.plotly_chart(fig, key=key, theme=None, config=PLOT, selection_mode="points", on_select=choose_row(key))


def _formula(bill: dict) -> str:
    numbers = (
        rf"{_signed(float(bill['base']))} {_term(float(bill['log_det'].sum()))} {_term(float(bill['scaling']))}"
        rf" = {_signed(float(bill['running'][-1]))}\ \text{{nats}}"
    )
    return (
        r"\begin{aligned}\log p(x) &= \log\mathcal N(z;0,I) + \sum_\ell \log\left|\det J_\ell\right| + "
        rf"\log\left|\det J_\text{{scaling}}\right| \\ &= {numbers}\end{{aligned}}"
    )


def _items(bill: dict, scene: Scene) -> pd.DataFrame:
    """One line per item: position after it, log-scale and shift used, change of the log-determinant, total."""
    n = len(bill["log_det"])
    features = scene.columns if len(scene.columns) <= TABLE_FEATURES else scene.columns[: TABLE_FEATURES - 1]
    position = bill["position"]
    table = {"item": receipt_plots.item_names(n)}
    for j in features:
        table[f"position {j + 1}"] = [*position[:, j], np.nan]
    if len(scene.columns) > TABLE_FEATURES:
        table["length of the position"] = [*np.linalg.norm(position[:, scene.columns], axis=1), np.nan]
    if "log_scale" in bill:
        for j in features:
            table[f"s {j + 1}"] = [np.nan, *bill["log_scale"][:, j], np.nan]
            table[f"t {j + 1}"] = [np.nan, *bill["shift"][:, j], np.nan]
    table["change (nats)"] = [float(bill["scaling"]), *bill["log_det"], float(bill["base"])]
    table["total (nats)"] = bill["running"]
    table["typical row's total"] = bill["typical_running"]
    return pd.DataFrame(table).round(4)


def _signed(value: float) -> str:
    return f"{value:.4f}".replace("-", "−")


def _term(value: float) -> str:
    return f"{'-' if value < 0 else '+'} {abs(value):.4f}"
