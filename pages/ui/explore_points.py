"""Views of points on the Explore page: samples, the latent space with linked selection, margins."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from flowlab import catalog
from flowlab.plots import explore as plots
from flowlab.plots import insides
from pages.ui import engine, state, words
from pages.ui.explore import PAGE, PLOT, Scene, column_choice, mirrored, picked_rows, segmented

SELECTED = "explore.selected"
COLORS = {"direction": "Direction", "score": "Anomaly score", "label": "Class"}


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
        beside = mirrored(st.toggle, "Side by side", "beside", False)
    chosen = int(state.view(PAGE, "sample", -1))
    chosen = chosen if 0 <= chosen < n else -1
    drawn = engine.view("samples", n=n, seed=seed, temperature=temperature, nearest=chosen)
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
    with st.expander("Samples as a table"):
        table = pd.DataFrame(drawn["samples"][:1000], columns=[str(c) for c in scene.dataset.columns])
        st.dataframe(table, height=260, hide_index=False)


def latent(scene: Scene) -> None:
    """Data and latent points side by side, coloured alike; a lasso on either side marks the same rows everywhere."""
    pair = engine.view("latent", n=1500)
    n_latent = pair["latent"].shape[1]
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        names = [c for c in COLORS if c != "label" or scene.dataset.classes is not None]
        by = segmented("Colour by", names, "color", "direction", COLORS.get)
        axes = _latent_axes(n_latent)
        selected = _selected(pair)
        if len(selected) and st.button(f"Clear selection of {words.plural(len(selected), 'row')}"):
            state.keep(SELECTED, None)
            st.rerun()
    scores = _scores(scene)
    rows = pair["rows"]
    color = {"score": None if scores is None else scores[rows], "label": _classes(scene, rows)}.get(by)
    fig = plots.latent_pair(
        pair, scene.dark, scene.stage.axes, axes, color, COLORS[by].lower(), selected if len(selected) else None,
        scene.stage.window, height=400,
    )  # fmt: skip
    key = state.widget_key(PAGE, "latent", by, len(selected))
    st.plotly_chart(
        fig, key=key, theme=None, config={**PLOT, "displayModeBar": True, "displaylogo": False},
        on_select=_keep_selection(key), selection_mode=("lasso", "box", "points"),
        alt="Data points beside their latent points, in the same colours",
    )  # fmt: skip
    if len(selected):
        _selection(scene, rows[selected], scores)
    else:
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
            insides.margin_histogram(arrays, column, name, scene.dark), theme=None, config=PLOT, key="explore.margin",
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


def _selected(pair: dict) -> np.ndarray:
    """Indices into the shown rows of what the reader has marked in this session."""
    kept = state.recall(SELECTED)
    return np.flatnonzero(np.isin(pair["rows"], kept)) if kept else np.empty(0, int)


def _keep_selection(key: str):
    def changed() -> None:
        rows = picked_rows(state.widget_value(key))
        if rows:
            state.keep(SELECTED, sorted(set(rows)))

    return changed


def _choose_sample(key: str):
    def changed() -> None:
        event = state.widget_value(key)
        points = event["selection"]["points"] if event else []
        # Curve 0 is the data, curve 1 the samples.
        hits = [p for p in points if p.get("curve_number") == 1]
        if hits:
            state.set_view(PAGE, sample=int(hits[0]["point_index"]))

    return changed


def _scores(scene: Scene) -> np.ndarray | None:
    found = scene.run.views
    return None if found is None else found["anomaly_score"]


def _classes(scene: Scene, rows: np.ndarray) -> np.ndarray | None:
    return None if scene.dataset.classes is None else scene.dataset.classes[rows].astype(float)


def _selection(scene: Scene, rows: np.ndarray, scores: np.ndarray | None) -> None:
    """The marked rows in the score histogram and in a table."""
    left, right = st.columns([1, 1.3], gap="medium")
    table = pd.DataFrame(scene.dataset.X[rows], columns=[str(c) for c in scene.dataset.columns])
    table.insert(0, "row", rows)
    if scene.dataset.y is not None:
        table.insert(1, "label", scene.dataset.y[rows])
    if scores is not None:
        table.insert(1, "anomaly score", scores[rows])
        unit = "anomaly score (nats)" if scene.model.is_density else "anomaly score"
        with left:
            fig = insides.marked_scores(scores, rows, unit, scene.dark, height=260)
            st.plotly_chart(fig, theme=None, config=PLOT, key="explore.marked")
    with right:
        st.dataframe(table, hide_index=True, height=250)


def _normality(scene: Scene, pair: dict) -> None:
    """Is the latent space normal? Quantiles and lengths, where the model promises a normal latent space."""
    if not catalog.MODELS[state.spec().model.name].make.is_density:
        st.caption("Draw a lasso around points on either side: the same rows are marked on the other.")
        return
    left, right = st.columns(2, gap="medium")
    with left:
        fig = insides.quantile_lines(pair, scene.dark, height=240)
        st.plotly_chart(fig, theme=None, config=PLOT, key="explore.quantiles")
    with right:
        fig = insides.norm_histogram(pair["norm"], pair["latent"].shape[1], scene.dark, height=240)
        st.plotly_chart(fig, theme=None, config=PLOT, key="explore.norms")
    st.caption("Draw a lasso around points on either side: the same rows are marked on the other, and listed.")
