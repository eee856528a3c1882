"""Widgets for controls: what one says becomes a slider, a box or a switch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, singledispatch
from typing import Any, Literal

import pandas as pd
import streamlit as st
from pandas.io.formats.style import Styler

from flowlab import formatting
from flowlab.catalog import Entry
from flowlab.controls import Choice, Control, Flag, Int, Mask, Number, Rule, Text
from flowlab.dashboard.shell import state
from flowlab.plots import theme
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
        if getattr(state.spec(), part).name != entry.name:
            return  # sent before the browser saw that something else was chosen
        state.change(part, None, **{control.name: new})
        if isinstance(control, Mask | Rule) and new not in control.choices:
            state.refresh_widgets()  # what was typed may have been refused

    edit(control, value, key, state.on_widget(key, apply, slides=isinstance(control, Number) and not control.log))


def edit(control: Control, value: Scalar, key: str, changed: Callable[[], None] | None = None) -> Scalar:
    """The widget that fits a control; returns its value."""
    return _widget(control, value, key=key, on_change=changed, label=control.label, help=control.help or None)


@singledispatch
def _widget(control: Control, value: Scalar, **shared: Any) -> Scalar:
    raise NotImplementedError(f"there is no widget for a {type(control).__name__}")


@_widget.register
def _(control: Flag, value: Scalar, **shared: Any) -> Scalar:
    return st.toggle(value=bool(value), **shared)


@_widget.register
def _(control: Text, value: Scalar, **shared: Any) -> Scalar:
    return st.text_input(value=str(value), **shared)


@_widget.register
def _(control: Choice, value: Scalar, **shared: Any) -> Scalar:
    options = list(control.choices) + [str(value)] * (str(value) not in control.choices)
    chosen = st.selectbox(
        options=options,
        index=options.index(str(value)),
        format_func=lambda name: control.choices.get(name, name),
        accept_new_options=isinstance(control, Mask | Rule),
        **shared,
    )
    return value if chosen is None else chosen


@_widget.register
def _(control: Number, value: Scalar, **shared: Any) -> Scalar:
    if control.log:
        return _box(control, value, **shared)
    return st.slider(**_numbers(control, value), format=f"%.{decimals(control.step)}f", **shared)


def number_box(
    control: Number, value: Scalar, key: str, changed: Callable[[], None] | None = None, width: int | str = "stretch"
) -> Scalar:
    """A number to type, where a slider would be too coarse or too wide; returns its value."""
    help = control.help or None
    return _box(control, value, key=key, on_change=changed, label=control.label, help=help, width=width)


def _box(control: Number, value: Scalar, **shared: Any) -> Scalar:
    return st.number_input(**_numbers(control, value), format="%d" if isinstance(control, Int) else "%.6g", **shared)


def _numbers(control: Number, value: Scalar) -> dict[str, Any]:
    numbers = {"min_value": control.low, "max_value": control.high, "value": value, "step": control.step}
    return {name: control.typed(float(number)) for name, number in numbers.items()}


def decimals(step: float) -> int:
    """How many decimals a slider of this step needs.

    >>> decimals(0.05), decimals(1)
    (2, 0)
    """
    text = f"{step:.6f}".rstrip("0")
    return len(text.partition(".")[2])


def spelled(frame: pd.DataFrame, **decimals: int) -> Styler | pd.DataFrame:
    """A table of results whose numbers are written as in sentences: counts grouped, others with three decimals.

    `decimals` names the columns that are written so, where others are the user's own and stay as they are. Columns
    still sort by value. Made for a few thousand cells, each formatted in Python; a larger table stays as it is.
    """
    if frame.size > MAX_SPELLED or not frame.columns.is_unique or not frame.index.is_unique:
        return frame
    written: dict[str, Callable[[Any], str]] = {}
    for name, kind in frame.dtypes.items():
        if decimals and name not in decimals:
            continue
        if pd.api.types.is_integer_dtype(kind):
            written[name] = formatting.count
        elif pd.api.types.is_float_dtype(kind):
            written[name] = partial(_spelled, decimals=decimals.get(name, 3))
    return frame.style.format(written)


def _spelled(value: float, decimals: int) -> str:
    return "" if pd.isna(value) else formatting.fixed(float(value), decimals)


MAX_SPELLED = 20_000

PRESENTED = 1.85
"""How much larger than usual the letters of figures are in presenter mode: the smallest, 11 px, have 20."""


def chart(
    where: Any,
    fig: theme.Figure,
    key: str,
    alt: str,
    height: Literal["content", "stretch"] | int = "content",
    **settings: Any,
) -> Any:
    """Draw a figure in a place (`st`, a column); in presenter mode its letters are larger, and it is higher.

    `alt` says what it shows. `height="stretch"`: it grows with the window, by assets/style.css.
    """
    if state.is_presenting():
        fig = theme.enlarged(fig, PRESENTED, state.is_dark())
    fig = theme.without_foreign_tags(fig)
    if height != "stretch":
        return where.plotly_chart(fig, key=key, height=height, alt=alt, **settings)
    with where.container(key=f"picture_{key}"):
        return st.plotly_chart(fig, key=key, height=height, alt=alt, **settings)


DOWNLOADABLE = {"displaylogo": False, "modeBarButtons": [["toImage"]], "toImageButtonOptions": {"format": "svg"}}

PLOT = {"displayModeBar": False, "scrollZoom": False}
