"""Widgets for the catalog's controls: what a Control says becomes a slider, a box or a switch."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from flowlab.catalog import Control, Entry
from flowlab.dashboard.shell import state
from flowlab.records import Scalar, Spec


def entry_settings(part: str, entry: Entry, spec: Spec) -> None:
    """All editable controls of an entry: the main ones at once, the others folded away."""
    values = entry.complete(spec).params
    editable = [c for c in entry.controls if c.kind != "text"]
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
        if control.kind == "mask" and new not in control.choices:
            state.refresh_widgets()  # what was typed may have been refused

    edit(control, value, key, state.on_widget(key, apply))


def edit(control: Control, value: Scalar, key: str, changed: Callable[[], None] | None = None) -> Scalar:
    """The widget that fits a control; returns its value."""
    shared = {"label": control.label, "key": key, "help": control.help or None, "on_change": changed}
    if control.kind == "flag":
        return st.toggle(value=bool(value), **shared)
    if control.kind == "choice":
        options = list(control.choices)
        return st.selectbox(
            options=options,
            index=options.index(str(value)),
            format_func=lambda name: control.choices[name],
            **shared,
        )
    if control.kind == "mask":
        options = list(control.choices) + [str(value)] * (str(value) not in control.choices)
        return st.selectbox(
            options=options,
            index=options.index(str(value)),
            format_func=lambda name: control.choices.get(name, name),
            accept_new_options=True,
            **shared,
        )
    if control.kind == "text":
        return st.text_input(value=str(value), **shared)
    if control.log:
        typed = int if control.kind == "int" else float
        return st.number_input(
            min_value=typed(control.low),
            max_value=typed(control.high),
            value=typed(value),
            step=typed(control.step),
            format="%d" if typed is int else "%.4g",
            **shared,
        )
    if control.kind == "int":
        return st.slider(
            min_value=int(control.low), max_value=int(control.high), value=int(value), step=int(control.step), **shared
        )
    return st.slider(
        min_value=float(control.low),
        max_value=float(control.high),
        value=float(value),
        step=float(control.step),
        format=f"%.{decimals(control.step)}f",
        **shared,
    )


def decimals(step: float) -> int:
    """How many decimals a slider of this step needs.

    >>> decimals(0.05), decimals(1)
    (2, 0)
    """
    text = f"{step:.6f}".rstrip("0")
    return len(text.partition(".")[2])


DOWNLOADABLE = {"displaylogo": False, "modeBarButtons": [["toImage"]], "toImageButtonOptions": {"format": "svg"}}

PLOT = {"displayModeBar": False, "scrollZoom": False}
