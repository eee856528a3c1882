"""The Explore page: which views the present model has, and the settings they share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import streamlit as st

from flowlab import catalog, views
from flowlab.datasets.dataset import Dataset
from flowlab.models.base import FlowModel, LatentModel
from flowlab.records import Scalar
from flowlab.store.reading import Run
from flowlab.views import Stage
from pages.ui import engine, mirror, state, words
from pages.ui.trained import run_or_button

PAGE = "explore"
PLOT = {"displayModeBar": False, "scrollZoom": False}
NOUNS = {"row": "row", "to": "row", "layer": "layer", "col1": "column", "col2": "column", "column": "column"}
"""What a setting of the link counts, where its label on the page is another word."""
segmented = partial(mirror.segmented, PAGE)


@dataclass(frozen=True, eq=False)
class Scene:
    """What every view of this page needs to know of the present run."""

    run: Run
    dataset: Dataset
    model: type
    stage: Stage
    dark: bool

    @property
    def planar(self) -> bool:
        return views.is_planar(self.model, self.dataset)

    @property
    def conditioned(self) -> bool:
        return views.is_conditioned(self.model, self.dataset)

    @property
    def columns(self) -> list[int]:
        """Numbers of the columns the model judges: all but a context it is conditioned on."""
        return [int(j) for j in views.judged(self.model, self.dataset)]


def page() -> None:
    """All of the page below its headline."""
    from pages.ui import (
        explore_coupling,
        explore_density,
        explore_latent,
        explore_layers,
        explore_pairs,
        explore_points,
        trust,
    )

    what = "Here a trained model opens up: its density beside the truth, samples, layers, single rows."
    opened = state.view(PAGE, "view", "")
    run = run_or_button(what, f"{PAGE} {opened}", grows=opened == "Film")
    if run is None:
        return
    dataset = engine.dataset()
    model = catalog.MODELS[state.spec().model.name].make
    scene = Scene(run, dataset, model, views.stage(dataset), state.is_dark())
    shown: dict[str, Callable[[Scene], None]] = {}
    if model.is_density:
        shown["Density"] = explore_density.density if scene.planar else explore_density.slices
    if model.can_sample:
        shown["Samples"] = explore_points.samples
    if issubclass(model, LatentModel):
        shown["Latent"] = explore_latent.latent
    else:
        shown["Rows"] = explore_points.rows
    if issubclass(model, FlowModel):
        shown["Layers"] = explore_layers.layers
        shown["Coupling"] = explore_coupling.coupling
        shown["Receipt"] = explore_layers.receipt
    if model.is_density:
        shown["Bridge"] = explore_density.bridge
    if model.can_sample:
        shown["Margins"] = explore_points.margins
        if dataset.n_features > 2:
            shown["Pairs"] = explore_pairs.pairs
    if len(run.frames) > 1 or not run.is_usable:
        shown["Film"] = explore_layers.film
    shown["Trust"] = lambda _: trust.panel()
    name = segmented("View", list(shown), "view", next(iter(shown)))
    missing = _missing(scene)
    absent = st.container()
    try:
        shown[name](scene)
    except (ValueError, RuntimeError) as error:
        st.warning(words.plain(error))
    with absent:
        mirror.say_absent(PAGE)
    if missing:
        st.caption(missing)


def mirrored(widget: Callable[..., Any], label: str, name: str, default: Scalar, **settings: Any) -> Any:
    """A widget whose value is a setting of this page and stands in the link; numbers are kept inside their range."""
    value = state.view(PAGE, name, default)
    low, high = settings.get("min_value"), settings.get("max_value")
    if low is not None and not isinstance(value, bool | str):
        value = min(max(value, low), high)
    mirror.note_absent(PAGE, name, NOUNS.get(name, label.lower()), value)
    key = state.widget_key(PAGE, name)
    changed = state.on_widget(key, lambda new: state.set_view(PAGE, **{name: new}))
    return widget(label, value=value, key=key, on_change=changed, **settings)


def level_choice(scene: Scene) -> int:
    """The level of the context that pictures are given, or all of them; no choice where there is no context."""
    if not scene.conditioned:
        return views.ALL_LEVELS
    levels = scene.dataset.levels
    present = int(state.view(PAGE, "given", views.ALL_LEVELS))
    present = present if views.ALL_LEVELS <= present < len(levels) else views.ALL_LEVELS
    key = state.widget_key(PAGE, "given")
    name = str(scene.dataset.columns[scene.dataset.context])[:30]
    st.selectbox(
        f"Given {name}",
        range(views.ALL_LEVELS, len(levels)),
        index=present - views.ALL_LEVELS,
        format_func=lambda i: "all, in their shares" if i == views.ALL_LEVELS else levels[i],
        key=key,
        on_change=state.on_widget(key, lambda value: state.set_view(PAGE, given=value)),
        width=190,
    )
    return present


def column_choice(label: str, scene: Scene, name: str, default: int) -> int:
    """A column that the model judges, by number; its name is shown."""
    columns, options = scene.dataset.columns, scene.columns
    asked = int(state.view(PAGE, name, options[min(default, len(options) - 1)]))
    present = min(options, key=lambda j: abs(j - asked))
    mirror.note_absent(PAGE, name, "column", present, str(columns[present]))
    key = state.widget_key(PAGE, name)
    st.selectbox(
        label,
        options,
        index=options.index(present),
        format_func=lambda i: str(columns[i])[:60],
        key=key,
        on_change=state.on_widget(key, lambda value: state.set_view(PAGE, **{name: value})),
    )
    return present


def row_choice(scene: Scene, label: str = "Row") -> int:
    """The row that single-row views look at."""
    return int(
        mirrored(st.number_input, label, "row", first_row(scene), min_value=0, max_value=len(scene.dataset) - 1, step=1)
    )


def present_row(scene: Scene) -> int:
    """The row that the link names, or the nearest there is."""
    row = min(max(int(state.view(PAGE, "row", first_row(scene))), 0), len(scene.dataset) - 1)
    mirror.note_absent(PAGE, "row", "row", row)
    return row


def choose_row(key: str, then: str = "") -> Callable[[], None]:
    """A callback for a chart whose points are rows: the clicked one becomes the present row, shown in view `then`."""

    def changed() -> None:
        event = state.widget_value(key)
        for point in event["selection"]["points"] if event else ():
            # Plotly hands a row's number over bare or in a list of one.
            data = point.get("customdata")
            row = data[0] if isinstance(data, list) else data
            if row is not None:
                state.set_view(PAGE, row=int(row))
                if then:
                    state.set_view(PAGE, view=then)
                state.refresh_widgets()
                return

    return changed


def first_row(scene: Scene) -> int:
    """The first test row, or the first labelled anomaly where there are labels: something worth looking at."""
    dataset = scene.dataset
    if dataset.y is not None and (dataset.y == 1).any():
        return int((dataset.y == 1).argmax())
    rows = dataset.rows("test")
    return int(rows[0]) if len(rows) else 0


def _label() -> str:
    return catalog.MODELS[state.spec().model.name].label


def _missing(scene: Scene) -> str:
    """What this model does not have, in a sentence or two; empty for most flows."""
    model, context = scene.model, scene.dataset.context
    read = ""
    if context is not None and not scene.conditioned:
        name = words.plain(str(scene.dataset.columns[context])[:60])
        read = f"{_label()} cannot be conditioned: it reads {name} as a number. "
    if issubclass(model, FlowModel):
        return read
    lacks = [] if issubclass(model, LatentModel) else ["latent space"]
    lacks += ["layers", "receipt"] + ([] if model.is_density else ["density"])
    return f"{read}{_label()} has no {', no '.join(lacks)}: choose a flow to see them."
