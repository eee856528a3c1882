"""Views of points on the Explore page: samples, the latent space with linked selection, margins."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from flowlab.plots import latent, marginals
from flowlab.plots import samples as plots
from flowlab.tables.export import to_csv_bytes
from flowlab.views import two_columns
from pages.ui import engine, state, words
from pages.ui.brush import brush_view
from pages.ui.explore import PAGE, PLOT, Scene, column_choice, level_choice, mirrored, segmented
from pages.ui.live import angle_color

SELECTED = "explore.selected"
COLORS = {"direction": "Direction", "score": "Anomaly score", "label": "Label"}


def samples(scene: Scene) -> None:
    """Draws over the data or beside them; a clicked sample shows its nearest training row."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        n = int(mirrored(st.number_input, "Samples", "n", 2000, min_value=1, max_value=20_000, step=500, width=130))
        seed = int(mirrored(st.number_input, "Seed", "seed", 0, min_value=0, max_value=10**6, step=1, width=110))
        temperature = float(
            mirrored(
                st.slider, "Temperature", "temperature", 1.0, min_value=0.0, max_value=2.0, step=0.05, width=220,
                help="Scales the latent points: below 1 samples keep to the likely regions",
            )
        )  # fmt: skip
        level = level_choice(scene)
        beside = mirrored(st.toggle, "Side by side", "beside", False)
    chosen = int(state.view(PAGE, "sample", -1))
    chosen = chosen if 0 <= chosen < n else -1
    drawn = engine.view("samples", n=n, seed=seed, temperature=temperature, nearest=chosen, level=level)
    nearest = None
    if chosen >= 0:
        nearest = scene.stage.project(scene.dataset.X[[int(drawn["nearest_row"])]])[0]
    fig = plots.samples_scatter(
        drawn, scene.dark, beside, scene.stage.axes, scene.stage.window, chosen, nearest, height=460
    )
    key = state.widget_key(PAGE, "samples")
    st.plotly_chart(
        fig, key=key, theme=None, config=PLOT, selection_mode="points", on_select=_choose_sample(key),
        alt=f"{n} samples of the model over rows of the data",
    )  # fmt: skip
    if chosen >= 0:
        st.markdown(
            f"Sample {chosen}: nearest training row {int(drawn['nearest_row'])}, "
            f"{float(drawn['nearest_distance']):.3f} standard deviations away."
        )
    else:
        st.caption("Click a sample to find the training row nearest to it: a model that copies has distance zero.")
    _table(scene, drawn["samples"])


def _table(scene: Scene, drawn: np.ndarray) -> None:
    """The samples in the user's columns, and a file of them."""
    table = scene.dataset.table(drawn)
    with st.expander("Samples as a table"):
        st.dataframe(table.head(1000), height=260, hide_index=False)
        st.download_button(
            f"Download {words.plural(len(table), 'synthetic row')}",
            lambda: to_csv_bytes(table),
            file_name="synthetic_rows.csv",
            mime="text/csv",
            on_click="ignore",
        )


def rows(scene: Scene) -> None:
    """Data, latent points and scores, coloured alike; a lasso in any of them marks the same rows in all."""
    pair = engine.view("rows", n=1500)
    Z = pair.get("latent")
    n_layers = int(pair.get("n_layers", 0))
    layer, title = n_layers, "Latent space"
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        names = [c for c in COLORS if c != "label" or _labelled(scene)]
        by = segmented("Colour by", names, "color", "label" if _labelled(scene) else "direction", COLORS.get)
        axes = _latent_axes(Z.shape[1]) if Z is not None else (0, 0)
        if n_layers:
            layer = int(
                mirrored(
                    st.number_input, "After layer", "after", n_layers, min_value=0, max_value=n_layers, step=1,
                    width=130, help="The picture in the middle: 0 is the scaled data, the last layer the latent space",
                )
            )  # fmt: skip
    if layer != n_layers:
        Z = engine.view("rows", n=1500, layer=layer)["latent"]
        title = f"After layer {layer} of {n_layers}" if layer else "Scaled data"
    shown, scores = pair["rows"], pair["anomaly_score"]
    color, kind = _coloring(scene, pair, by)
    marked = brush_view(
        pair["points"],
        scores,
        scene.stage.window,
        f"explore.rows.{scene.run.run_id}.{by}.{axes}.{layer}",
        latent=None if Z is None else two_columns(Z, axes),
        latent_title=title,
        latent_axes=tuple(f"{'latent' if layer == n_layers else 'feature'} {axis + 1}" for axis in axes),
        labels=pair["labels"],
        score_label="anomaly score (nats)" if scene.model.is_density else "anomaly score",
        axes=scene.stage.axes,
        color=color,
        color_kind=kind,
        rows=np.flatnonzero(np.isin(shown, state.recall(SELECTED, []))),
    )
    state.keep(SELECTED, [int(r) for r in shown[marked]])
    if marked:
        st.dataframe(_marked_rows(scene, shown[marked], scores[marked]), hide_index=True, height=240)
    elif Z is not None and scene.model.is_density and layer == n_layers:
        _normality(scene, pair)


def margins(scene: Scene) -> None:
    """One column at a time, data against samples; columns that differ most come first in the table."""
    arrays = engine.view("margins")
    worst = int(np.argmax(arrays["distance"]))
    left, right = st.columns([2, 1], gap="medium")
    with left:
        column = column_choice("Column", scene, "column", worst)
        name = str(scene.dataset.columns[column])[:60]
        st.plotly_chart(
            marginals.marginal_histogram(arrays, column, name, scene.dark), theme=None, config=PLOT, key="explore.margin",
            alt=f"Distribution of {name}, data against samples",
        )  # fmt: skip
    with right:
        order = np.argsort(-arrays["distance"])
        table = pd.DataFrame(
            {"column": [str(scene.dataset.columns[j]) for j in order], "distance": arrays["distance"][order].round(3)}
        )
        st.dataframe(table, hide_index=True, height=340)
    st.caption(
        "Distance: largest difference between the two distribution functions (Kolmogorov-Smirnov), 0 for equal margins."
    )


def _latent_axes(n_latent: int) -> tuple[int, int]:
    if n_latent <= 2:
        return (0, min(1, n_latent - 1))
    chosen = []
    for i, label in enumerate(("Latent across", "Latent up")):
        value = mirrored(st.number_input, label, f"z{i + 1}", i + 1, min_value=1, max_value=n_latent, step=1, width=120)
        chosen.append(int(value) - 1)
    return tuple(chosen)


def _choose_sample(key: str):
    def changed() -> None:
        event = state.widget_value(key)
        points = event["selection"]["points"] if event else []
        # Curve 0 is the data, curve 1 the samples.
        hits = [p for p in points if p.get("curve_number") == 1]
        if hits:
            state.set_view(PAGE, sample=int(hits[0]["point_index"]))

    return changed


def _labelled(scene: Scene) -> bool:
    return scene.dataset.y is not None and bool((scene.dataset.y == 1).any())


def _coloring(scene: Scene, pair: dict, by: str) -> tuple[np.ndarray, str]:
    """(m,) uint8 and what it means, for the canvas."""
    if by == "label":
        return pair["labels"], "label"
    if by == "score":
        order = np.argsort(np.argsort(pair["anomaly_score"]))
        return (255 * order / max(1, len(order) - 1)).astype(np.uint8), "value"
    return angle_color(pair["points"]), "angle"


def _marked_rows(scene: Scene, rows: np.ndarray, scores: np.ndarray) -> pd.DataFrame:
    table = scene.dataset.table(scene.dataset.X[rows])
    lead = {"row": rows, "anomaly score": scores}
    if scene.dataset.y is not None:
        lead["label"] = scene.dataset.y[rows]
    for i, (name, values) in enumerate(lead.items()):
        table.insert(i, name, values, allow_duplicates=True)
    order = np.argsort(-scores)
    return table.iloc[order]


def _normality(scene: Scene, pair: dict) -> None:
    """Is the latent space normal? Quantiles of each axis, and lengths of the latent vectors."""
    left, right = st.columns(2, gap="medium")
    with left:
        fig = latent.quantile_lines(pair, scene.dark, height=240)
        st.plotly_chart(fig, theme=None, config=PLOT, key="explore.quantiles")
    with right:
        fig = latent.norm_histogram(pair["norm"], pair["latent"].shape[1], scene.dark, height=240)
        st.plotly_chart(fig, theme=None, config=PLOT, key="explore.norms")
