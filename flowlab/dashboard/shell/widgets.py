"""Widgets for controls: what one says becomes a slider, a box or a switch."""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch
from typing import Any

import streamlit as st

from flowlab.catalog import Entry
from flowlab.controls import Choice, Control, Flag, Int, Mask, Number, Text
from flowlab.dashboard.shell import state
from flowlab.records import Scalar, Spec


def entry_settings(part: str, entry: Entry, spec: Spec) -> None:
    """All editable controls of an entry: the main ones at once, the others folded away."""
    values = entry.complete(spec).params
    editable = [c for c in entry.controls if not isinstance(c, Text)]
    for control in editable:
        if control.main:
            control_widget(part, entry, control, values[control.name])
    rest = [c for c in editable if not c.main]
    if rest:
        with st.expander("More settings"):
            for control in rest:
                control_widget(part, entry, control, values[control.name])


def control_widget(part: str, entry: Entry, control: Control, value: Scalar) -> None:
    """One control, mirroring the parameter of the present spec."""
    key = state.widget_key("spec", part, entry.name, control.name)

    def apply(new: Scalar) -> None:
        state.change(part, **{control.name: new})
        if isinstance(control, Mask) and new not in control.choices:
            state.refresh_widgets()  # what was typed may have been refused

    edit(control, value, key, state.on_widget(key, apply))


@singledispatch
def edit(control: Control, value: Scalar, key: str, changed: Callable[[], None] | None = None) -> Scalar:
    """The widget that fits a control; returns its value."""
    raise NotImplementedError(f"there is no widget for a {type(control).__name__}")


@edit.register
def _(control: Flag, value: Scalar, key: str, changed: Callable[[], None] | None = None) -> bool:
    return st.toggle(value=bool(value), **_shared(control, key, changed))


@edit.register
def _(control: Choice, value: Scalar, key: str, changed: Callable[[], None] | None = None) -> str:
    options = list(control.choices) + [str(value)] * (str(value) not in control.choices)
    return st.selectbox(
        options=options,
        index=options.index(str(value)),
        format_func=lambda name: control.choices.get(name, name),
        accept_new_options=isinstance(control, Mask),
        **_shared(control, key, changed),
    )


@edit.register
def _(control: Text, value: Scalar, key: str, changed: Callable[[], None] | None = None) -> str:
    return st.text_input(value=str(value), **_shared(control, key, changed))


@edit.register
def _(control: Number, value: Scalar, key: str, changed: Callable[[], None] | None = None) -> float:
    if control.log:
        return number_box(control, value, key, changed)
    return st.slider(
        min_value=control.typed(control.low),
        max_value=control.typed(control.high),
        value=control.typed(value),
        step=control.typed(control.step),
        format=f"%.{decimals(control.step)}f",
        **_shared(control, key, changed),
    )


def number_box(
    control: Number, value: Scalar, key: str, changed: Callable[[], None] | None = None, width: int | str = "stretch"
) -> float:
    """A number to type, for ranges too wide for a slider; returns its value."""
    return st.number_input(
        min_value=control.typed(control.low),
        max_value=control.typed(control.high),
        value=control.typed(value),
        step=control.typed(control.step),
        format="%d" if isinstance(control, Int) else "%.6g",
        width=width,
        **_shared(control, key, changed),
    )


def _shared(control: Control, key: str, changed: Callable[[], None] | None) -> dict[str, Any]:
    return {"label": control.label, "key": key, "help": control.help or None, "on_change": changed}


def decimals(step: float) -> int:
    """How many decimals a slider of this step needs.

    >>> decimals(0.05), decimals(1)
    (2, 0)
    """
    text = f"{step:.6f}".rstrip("0")
    return len(text.partition(".")[2])


DOWNLOADABLE = {"displaylogo": False, "modeBarButtons": [["toImage"]], "toImageButtonOptions": {"format": "svg"}}

PLOT = {"displayModeBar": False, "scrollZoom": False}
