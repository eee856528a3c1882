"""Which classes of uploaded pictures are anomalies: chosen here before training."""

from __future__ import annotations

import csv
import io

import streamlit as st

from flowlab import catalog, formatting
from flowlab.dashboard.data import sources
from flowlab.dashboard.shell import state
from flowlab.datasets.from_table import label_values
from flowlab.images.reading import LABEL


def panel() -> None:
    """The classes that mean anomaly; a sentence where pictures have no classes."""
    frame, spec = sources.stored_table(), state.spec().data
    if frame is None or LABEL not in frame:
        st.caption(
            "These pictures have no classes; put them into a folder for each class to tell normal from anomalous."
        )
        return
    params = catalog.DATASETS[spec.name].complete(spec).params
    counts = dict(label_values(frame[LABEL], limit=1000))
    present = next(csv.reader([str(params["anomaly_values"])]), [])
    widget = state.widget_key("data", "anomaly_values")

    def apply(values: list[str]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="").writerow(values)
        state.change("data", anomaly_values=text.getvalue())

    st.multiselect(
        "Classes that mean anomaly",
        list(counts),
        [value for value in present if value in counts],
        format_func=lambda value: f"{value} ({formatting.count(counts[value])})",
        key=widget,
        on_change=state.on_widget(widget, apply),
        placeholder="None: the pictures have no labels",
    )
