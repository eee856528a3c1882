"""An exhibit in a lesson: its controls, its figure, and below it in a sentence what it shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from flowlab import formatting
from flowlab.controls import Choice, Control, Flag
from flowlab.dashboard.shell import address, lesson, state, widgets
from flowlab.jobs import JobError
from flowlab.records import Scalar
from flowlab.teaching.lessons import ExhibitBlock

PAGE = "learn"
HEIGHT, PRESENTED_HEIGHT = 440, 350
"""Of a figure, in pixels, the second before it is enlarged for a class: with its controls it fits a screen of 800."""

MOST_IN_A_ROW, WIDER = 4, 1.7
"""Controls in a row, and how much wider than another a choice is."""


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
    presents = state.is_presenting()
    fig = block.exhibit.draw(result, state.is_dark(), PRESENTED_HEIGHT if presents else HEIGHT)
    key = state.widget_key("exhibit", block.name)
    picked: dict[str, Any] = {}
    if block.exhibit.picks:
        picked = {"selection_mode": "points", "on_select": _picked(block, key)}
    widgets.chart(st, fig, key, alt=result.finding, config=widgets.PLOT, theme=None, **picked)
    if not presents:
        st.caption(formatting.escaped(result.finding))
    address.write(PAGE, f"exhibit_{block.name}", slides=True)


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
    widths = [WIDER if isinstance(control, Choice) else 1.0 for control in controls]
    columns = [
        column
        for start in range(0, len(controls), MOST_IN_A_ROW)
        for column in st.columns(widths[start : start + MOST_IN_A_ROW], vertical_alignment="bottom")
    ]
    for i, control in enumerate(controls):
        name = f"{block.name}.{control.name}"
        default = block.settings[control.name]
        present = control.read_or(state.asked(PAGE, name), default)
        with columns[i]:
            key = state.widget_key(PAGE, name)
            values[control.name] = widgets.edit(control, present, key, _changed(name, control, default, key))
    return values


def _changed(name: str, control: Control, default: Scalar, key: str) -> Callable[[], None]:
    def apply(new: Scalar) -> None:
        state.set_view(PAGE, **{name: None if new == default else new})

    return state.on_widget(key, apply, slides=not isinstance(control, Flag))
