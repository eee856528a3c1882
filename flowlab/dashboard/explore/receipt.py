"""The Receipt view of the Explore page: the log-density decomposition of one row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import streamlit as st

from flowlab import formatting, views
from flowlab.dashboard.explore.scene import PAGE, Scene, choose_row, present_row, row_choice
from flowlab.dashboard.shell import state
from flowlab.dashboard.shell.widgets import PLOT, chart, spelled
from flowlab.plots import density as plots
from flowlab.plots import receipt as receipt_plots
from flowlab.views import ALL_LEVELS
from flowlab.views.receipt import TYPICAL_ROWS, Receipt

TABLE_FEATURES = 3
DECIMALS = 3


def short_receipt(scene: Scene, layer: int) -> None:
    """What the present layer does to the present row."""
    row = present_row(scene)
    bill = scene.view(views.receipt, row=row)
    fig = receipt_plots.receipt_bars(bill, scene.dark, layer=layer, height=300)
    if layer:
        change = formatting.fixed(float(bill.log_det[layer - 1]), DECIMALS)
        moved = float(np.linalg.norm(bill.position[layer] - bill.position[layer - 1]))
        finding = (
            f"**Layer {layer}** moves row {formatting.count(row)} by {formatting.number(moved)} scaled units and "
            f"changes its log-density by {change} nats."
        )
    else:
        finding = f"**Data space**: row {formatting.count(row)} before the first layer, each column scaled."
    total = formatting.nats(float(bill.running[-1]))
    alt = f"{finding.replace('**', '')} All items add up to {total}"
    chart(st, fig, theme=None, config=PLOT, key="explore.short_receipt", alt=alt)
    st.markdown(finding)
    st.caption("Bars: what each layer adds to the log-density of this row. Dots: a typical row.")


def receipt(scene: Scene) -> None:
    """Every term of one row's log-density, drawn and listed."""
    left, right = st.columns([1, 1.9], gap="medium")
    with left:
        row = row_choice(scene, "Row (or click a point)")
        if scene.planar and len(scene.columns) == 2:
            _picker(scene, row)
    bill = scene.view(views.receipt, row=row)
    with right:
        st.latex(_formula(bill))
        chart(
            st, receipt_plots.receipt_bars(bill, scene.dark, height=330),
            key="explore.receipt", theme=None, config=PLOT, alt=_finding(bill, row),
        )  # fmt: skip
        st.markdown(f"{_finding(bill, row)}.")
    height = min(38 + 35 * (len(bill.log_det) + 2), 460)
    st.dataframe(spelled(_items(bill, scene)), hide_index=True, height=height, placeholder="")
    off = abs(bill.difference)
    total, own = (formatting.fixed(value, DECIMALS) for value in (bill.running[-1], bill.log_density))
    st.caption(
        f"Sum of the items: {total} nats; the model's own log p(x): {own} nats; they differ "
        f"by {formatting.number(off)}. The dotted line is the receipt of a typical row, "
        f"number {formatting.count(bill.typical_row)}: its log p is the median of up to "
        f"{formatting.count(TYPICAL_ROWS)} training rows."
    )


def _picker(scene: Scene, row: int) -> None:
    """The learned density with rows to click."""
    level = ALL_LEVELS
    if scene.conditioned:
        level = int(scene.dataset.X[row, scene.dataset.context])
    grid = scene.view(views.density_grid, n=64, level=level)
    stage = scene.stage
    here = np.append(stage.rows, row), np.vstack([stage.points, scene.dataset.X[row, scene.columns]])
    points = plots.PickableRows(here[1], here[0], row)
    fig = plots.density_panels(replace(grid, true=None), "density", scene.dark, False, points, stage.axes, height=340)
    fig.update_layout(coloraxis_showscale=False)
    key = state.widget_key(PAGE, "picker")
    at = ", ".join(formatting.number(v) for v in here[1][-1])
    chart(
        st, fig, key=key, theme=None, config=PLOT, selection_mode="points", on_select=choose_row(key),
        alt=f"Learned density and {formatting.plural(len(stage.rows), 'row')}; row {formatting.count(row)} at {at}",
    )  # fmt: skip


def _finding(bill: Receipt, row: int) -> str:
    """What the bars show: their sum, beside a typical row's, and the item that weighs most."""
    names, terms = receipt_plots.item_names(len(bill.log_det)), [bill.scaling, *bill.log_det, bill.base]
    most = int(np.argmax(np.abs(terms)))
    own, typical = (formatting.nats(float(value)) for value in (bill.log_density, bill.typical_running[-1]))
    return (
        f"Items that add up to a log-density of {own} for row {formatting.count(row)}; a typical row has {typical}. "
        f"The largest in size is {names[most]} with {formatting.nats(float(terms[most]))}"
    )


def _formula(bill: Receipt) -> str:
    base, total = (formatting.fixed(value, DECIMALS) for value in (bill.base, bill.running[-1]))
    layers, scaling = (formatting.addend(float(v), DECIMALS) for v in (bill.log_det.sum(), bill.scaling))
    numbers = rf"{base} {layers} {scaling} = {total}\ \text{{nats}}"
    return (
        r"\begin{aligned}\log p(x) &= \log\mathcal N(z;0,I) + \sum_\ell \log\left|\det J_\ell\right| + "
        rf"\log\left|\det J_\text{{scaling}}\right| \\ &= {numbers}\end{{aligned}}"
    )


def _items(bill: Receipt, scene: Scene) -> pd.DataFrame:
    """One line per item: position after it, log-scale and shift used, change of the log-determinant, total."""
    n = len(bill.log_det)
    features = scene.columns if len(scene.columns) <= TABLE_FEATURES else scene.columns[: TABLE_FEATURES - 1]
    position = bill.position
    table: dict[str, Sequence[str] | Sequence[float] | np.ndarray] = {"item": receipt_plots.item_names(n)}
    for j in features:
        table[f"position {j + 1}"] = [*position[:, j], np.nan]
    if len(scene.columns) > TABLE_FEATURES:
        table["length of the position"] = [*np.linalg.norm(position[:, scene.columns], axis=1), np.nan]
    if bill.log_scale is not None and bill.shift is not None:
        for j in features:
            table[f"s {j + 1}"] = [np.nan, *bill.log_scale[:, j], np.nan]
            table[f"t {j + 1}"] = [np.nan, *bill.shift[:, j], np.nan]
    table["change (nats)"] = [bill.scaling, *bill.log_det, bill.base]
    table["total (nats)"] = bill.running
    table["typical row's total"] = bill.typical_running
    return pd.DataFrame(table)
