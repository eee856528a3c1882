"""An exhibit in a lesson: its controls, its figure, and below it in a sentence what it shows."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from flowlab import formatting
from flowlab.controls import Control, Flag
from flowlab.dashboard.shell import lesson, state, widgets
from flowlab.jobs import JobError
from flowlab.records import Scalar
from flowlab.teaching.lessons import ExhibitBlock

PAGE = "learn"
HEIGHT = 440
"""Of a figure, in pixels: with heading, controls and sentence it fits a screen of 800."""


def draw(block: ExhibitBlock) -> None:
    """The exhibit; moving a control draws this exhibit alone anew."""
    st.fragment(_draw)(block)


def forget() -> None:
    """Take the controls' values of a step out of the link, as another step is shown."""
    for name in state.names(PAGE):
        if name not in ("lesson", "step"):
            state.set_view(PAGE, **{name: None})


def _draw(block: ExhibitBlock) -> None:
    settings = _controls(block)
    try:
        with st.spinner("Computing", show_time=True) if block.exhibit.is_slow else st.container():
            result = lesson.computed(block.exhibit.key, tuple(settings.items()))
    except JobError as error:
        st.error(formatting.escaped(error))
        return
    fig = block.exhibit.draw(result, state.is_dark(), HEIGHT)
    if block.exhibit.picks:
        key = state.widget_key("exhibit", block.name)
        picked = {"selection_mode": "points", "on_select": _picked(block, key)}
        widgets.chart(st, fig, key, alt=result.finding, config=widgets.PLOT, theme=None, **picked)
    else:
        widgets.chart(st, fig, f"exhibit.{block.name}", alt=result.finding, config=widgets.PLOT)
    st.caption(formatting.escaped(result.finding))


def _picked(block: ExhibitBlock, key: str) -> Callable[[], None]:
    """A callback for a figure whose clicked point sets two controls."""

    def changed() -> None:
        event = state.widget_value(key)
        points = event["selection"]["points"] if event else []
        if not points or not block.exhibit.picks:
            return
        by_name = {control.name: control for control in block.exhibit.controls}
        for name, axis in zip(block.exhibit.picks, "xy", strict=True):
            value = by_name[name].read_or(round(float(points[0][axis]), 3), block.settings[name])
            state.set_view(PAGE, **{f"{block.name}.{name}": None if value == block.settings[name] else value})
        state.refresh_widgets()

    return changed


def _controls(block: ExhibitBlock) -> dict[str, Scalar]:
    """The controls' values, in a row of widgets; they stand in the link where they differ from the lesson's."""
    values: dict[str, Scalar] = {}
    controls = block.exhibit.controls
    columns = st.columns(min(len(controls), 4)) if controls else []
    for i, control in enumerate(controls):
        name = f"{block.name}.{control.name}"
        default = block.settings[control.name]
        present = control.read_or(state.asked(PAGE, name), default)
        with columns[i % len(columns)]:
            key = state.widget_key(PAGE, name)
            values[control.name] = widgets.edit(control, present, key, _changed(name, control, default, key))
    return values


def _changed(name: str, control: Control, default: Scalar, key: str) -> Callable[[], None]:
    def apply(new: Scalar) -> None:
        state.set_view(PAGE, **{name: None if new == default else new})

    return state.on_widget(key, apply, slides=not isinstance(control, Flag))
