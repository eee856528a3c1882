"""The Data page: where the data come from, and the pictures of what is there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import streamlit as st

from flowlab import catalog, formatting
from flowlab.dashboard.data import classes, roles, sources
from flowlab.dashboard.data.sources import PAGE
from flowlab.dashboard.shell import links, pages, services, state
from flowlab.dashboard.shell.pictures import draw_sheet
from flowlab.dashboard.shell.widgets import PLOT, chart
from flowlab.datasets.dataset import DIVISION, Dataset, Part
from flowlab.plots import table as plots
from flowlab.records import RunSpec, Spec
from flowlab.serving.scored_rows import free_names
from flowlab.views import table
from flowlab.views.pictures import class_sheet, mean_sheet

COLUMNS_SHOWN = 24


def page() -> None:
    """All of the page below its headline."""
    if not sources.choose():
        return
    dataset = _dataset()
    if dataset is None:
        return
    if state.spec().data.name == catalog.TABLE:
        roles.panel(dataset)
    if state.spec().data.name == "pictures":
        classes.panel()
    _onward(dataset)
    _pictures(dataset)


def _dataset() -> Dataset | None:
    """The present data set; where it cannot be made, the sentence that says why, and what still can be changed."""
    try:
        return services.dataset()
    except (ValueError, RuntimeError) as error:
        st.error(formatting.escaped(error))
    if state.spec().data.name == catalog.TABLE and sources.stored_table() is not None:
        roles.panel(None)
    if state.spec().data.name == "pictures" and sources.stored_table() is not None:
        classes.panel()
    return None


def _onward(dataset: Dataset) -> None:
    """Counts in one line, and the button that leads to training."""
    left, right = st.columns([4, 1], vertical_alignment="center")
    parts = [formatting.plural(len(dataset.rows(part)), f"{part} row") for part in DIVISION]
    condition = "" if dataset.context is None else f" given {formatting.escaped(dataset.columns[dataset.context])}"
    if len(dataset.rows(Part.LEFT_OUT)):
        parts.append(formatting.plural(len(dataset.rows(Part.LEFT_OUT)), "row") + " left out")
    shape = dataset.image_shape
    if shape is None:
        parts.append(formatting.plural(len(dataset.judged), "feature") + condition)
    else:
        color = "grey" if shape.channels == 1 else "colour"
        parts.append(f"pictures of {shape.height} x {shape.width} pixels, {color}{condition}")
    if dataset.y is not None:
        labelled = int(dataset.y.sum())
        share = dataset.y[dataset.rows(Part.TRAIN)].mean() if len(dataset.rows(Part.TRAIN)) else 0.0
        counted = formatting.plural(labelled, "labelled anomaly", "labelled anomalies")
        parts.append(f"{counted}, {formatting.percent(share)} of training")
    left.markdown(" · ".join(parts))
    to_look_at = dataset.density is not None or state.spec().data.name == "drawing"
    label = "Train this model" if to_look_at else "Train a detector"
    if right.button(label, type="primary", width="stretch", key="data.train"):
        _train(detector=not to_look_at)


def _train(detector: bool) -> None:
    """Begin to train, tables with a detector, and go where one sees it."""
    spec = state.spec()
    if detector and spec.model == catalog.DEFAULT.model:
        state.show(RunSpec(spec.data, Spec("detector"), spec.seed))
    try:
        services.train()
    except (ValueError, RuntimeError) as error:
        st.error(formatting.escaped(error))
        return
    st.switch_page(pages.path("train"), query_params=state.query("train"))


def _pictures(dataset: Dataset) -> None:
    if dataset.image_shape is not None:
        _image_tabs(dataset)
        return
    frame = _frame(dataset)
    tabs = {"Columns": _columns, "Two columns": _pair, "Correlation": _correlation, "Rows": _rows}
    if dataset.time is not None:
        tabs["Over time"] = _time
    if frame.shape[1] < 2:
        del tabs["Two columns"], tabs["Correlation"]
    names = list(tabs)
    first = "Two columns" if dataset.n_features == 2 else "Columns"
    tab = links.segmented(PAGE, "Show", names, "tab", first if first in names else names[0], noun="tab")
    tabs[tab](dataset, frame)


def _image_tabs(dataset: Dataset) -> None:
    """Rows as pictures, in place of histograms and scatter plots of single pixels."""
    n_kinds = max(1, len(dataset.class_names))
    seed = 0
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        tab = links.segmented(PAGE, "Show", ["Pictures", "Mean and spread"], "tab", "Pictures", noun="tab")
        if tab == "Pictures":
            seed = int(links.linked(PAGE, st.number_input, "Draw", "draw", 0, min_value=0, max_value=10**6, width=120))
    if tab == "Pictures":
        sheet = class_sheet(dataset, 12 if n_kinds > 2 else 36, seed)
        outlined = " Outlined: labelled anomalies." if dataset.y is not None else ""
        draw_sheet(sheet, "data.pictures", f"{len(sheet)} pictures of {formatting.plural(n_kinds, 'class', 'classes')}")
        st.caption(f"Some pictures of each class, at random.{outlined}")
    else:
        sheet = mean_sheet(dataset)
        draw_sheet(sheet, "data.means", "Mean and standard deviation of each pixel, for each class", size=96)
        st.caption(
            "What the pictures of a class share, and where they differ: twice the standard deviation of a pixel."
        )
    st.caption("Histograms, pairs of columns and correlations are not drawn for pictures: a single pixel says little.")


def _frame(dataset: Dataset) -> pd.DataFrame:
    """The table people see: their own columns where it was uploaded, else the data set's."""
    if state.spec().data.name == catalog.TABLE:
        return sources.stored_table()
    return pd.DataFrame(dataset.X, columns=list(dataset.columns))


def _data_key() -> str:
    spec = state.spec()
    return f"{spec.data.to_json()} {spec.seed}"


@st.cache_resource(show_spinner=False, max_entries=20)
def _summaries(
    key: str, names: tuple[str, ...], _frame: pd.DataFrame, _y: np.ndarray | None
) -> list[table.ColumnSummary]:
    return table.column_summaries(_frame, _y, names)


@st.cache_resource(show_spinner=False, max_entries=10)
def _correlations(key: str, _frame: pd.DataFrame, _y: np.ndarray | None) -> table.Correlation:
    return table.correlation(_frame, _y)


def _columns(dataset: Dataset, frame: pd.DataFrame) -> None:
    n_pages = -(-frame.shape[1] // COLUMNS_SHOWN)
    number = 1
    if n_pages > 1:
        label = f"Columns, {COLUMNS_SHOWN} at a time"
        number = links.linked(PAGE, st.slider, label, "part", 1, noun="group", min_value=1, max_value=n_pages)
    names = tuple(frame.columns[(number - 1) * COLUMNS_SHOWN : number * COLUMNS_SHOWN])
    summaries = _summaries(_data_key(), names, frame, dataset.y)
    chart(
        st,
        plots.column_histograms(summaries, state.is_dark(), min(plots.COLUMNS_ACROSS, max(len(names), 3))),
        key="data.columns",
        config=PLOT,
        theme=None,
        alt=_fullest(summaries),
    )
    anomalies = " Outlined: rows labelled as anomalies, as shares of their own." if dataset.y is not None else ""
    st.caption(f"Heights are shares of rows; long tails are cut at the central 99 %.{anomalies}")


def _fullest(summaries: list[table.ColumnSummary]) -> str:
    """How many histograms there are, and which column misses most."""
    text = f"Histograms of {formatting.plural(len(summaries), 'column')}"
    worst = max(summaries, key=lambda s: s.missing, default=None)
    if worst is None or not worst.missing:
        return f"{text}; no value is missing"
    return f"{text}; {worst.name} misses most, {formatting.percent(worst.missing)} of its values"


def _pair(dataset: Dataset, frame: pd.DataFrame) -> None:
    names = list(map(str, frame.columns))
    left, right = st.columns(2)
    first = _column_box(left.selectbox, "Across", names, "x", 0)
    second = _column_box(right.selectbox, "Up", names, "y", min(1, len(names) - 1))
    pair = table.column_pair(frame, first, second, dataset.y)
    count = (
        ""
        if len(pair.rows) == len(frame)
        else f" {formatting.count(len(pair.rows))} of {formatting.count(len(frame))} rows"
    )
    chart(
        st,
        plots.column_scatter(pair, state.is_dark()),
        key="data.pair",
        config=PLOT,
        theme=None,
        alt=f"{first} against {second} for {formatting.plural(len(pair.rows), 'row')}",
    )
    if count:
        st.caption(f"Shown:{count}, every labelled anomaly that fits among them.")


def _column_box(selectbox: Callable[..., str], label: str, names: list[str], axis: str, default: int) -> str:
    return links.linked(PAGE, selectbox, label, axis, names[default], options=names, noun="column")


def _strongest(correlations: table.Correlation) -> str:
    """The pair of columns with the largest correlation."""
    values = np.nan_to_num(np.abs(correlations.values)) - 2 * np.eye(len(correlations.names))
    i, j = np.unravel_index(np.argmax(values), values.shape)
    names, strongest = correlations.names, formatting.fixed(float(correlations.values[i, j]))
    return f"Rank correlations of {len(names)} columns; strongest {strongest}, of {names[i]} and {names[j]}"


def _correlation(dataset: Dataset, frame: pd.DataFrame) -> None:
    correlations = _correlations(_data_key(), frame, dataset.y)
    if len(correlations.names) < 2:
        st.markdown("Correlations need at least two columns of numbers that vary.")
        return
    chart(
        st,
        plots.correlation_heatmap(correlations, state.is_dark()),
        key="data.correlation",
        config=PLOT,
        theme=None,
        alt=_strongest(correlations),
    )
    if correlations.left_out:
        st.caption(
            f"The first {len(correlations.names)} columns of numbers; {correlations.left_out} more are not drawn."
        )


def _rows(dataset: Dataset, frame: pd.DataFrame) -> None:
    head = frame.head(200)
    if state.spec().data.name != catalog.TABLE and dataset.y is not None:
        (label,) = free_names([str(name) for name in head], ["label"])
        head = head.assign(**{label: dataset.y[: len(head)]})
    st.dataframe(head, height=420, placeholder="")
    st.caption(f"The first {formatting.plural(len(head), 'row')} of {formatting.count(len(frame))}.")


def _time(dataset: Dataset, frame: pd.DataFrame) -> None:
    names = [str(name) for name in frame if pd.api.types.is_numeric_dtype(frame[name].dtype)]
    if not names or dataset.time is None:
        st.markdown("There is no column of numbers to draw over time.")
        return
    name = _column_box(st.selectbox, "Column", names, "over", 0)
    course = table.time_course(frame[name], dataset.time, dataset.split, dataset.y)
    chart(
        st,
        plots.column_over_time(course, state.is_dark()),
        key="data.time",
        config=PLOT,
        theme=None,
        alt=f"{name} over time; training, validation and test rows shaded",
    )
