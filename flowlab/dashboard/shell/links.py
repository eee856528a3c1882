"""Widgets whose value is a view setting of a page and stands in the link."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from flowlab import formatting
from flowlab.dashboard.shell import state
from flowlab.records import Scalar


def linked(
    page: str,
    widget: Callable[..., Any],
    label: str,
    name: str,
    default: Scalar,
    *,
    options: Sequence[Any] | None = None,
    present: Any = None,
    noun: str = "",
    show: Callable[[Any], str] = str,
    apply: Callable[[Any], object] | None = None,
    **settings: Any,
) -> Any:
    """A widget whose value is a setting of a page and stands in its link; returns the value.

    What the link asks for and the widget cannot hold is answered by the nearest number or the default, and said
    (`say_absent`).

    Parameters
    ----------
    page, name : the setting `page.name` of the link
    widget : such as `st.slider`, `st.toggle` or `st.selectbox`, or the same of a column
    default : where the link says nothing; its type is that of the setting
    options : of a widget that offers some
    present : the value, where the caller has read it from the link already
    noun : what the setting is called in a sentence, by default the label
    show : the word on the page for a value
    apply : what a new value does, by default it goes into the link
    settings : of the widget
    """
    asked = state.view(page, name, default)
    if present is None and options is not None:
        present = asked if asked in options else default
    elif present is None:
        low, high = settings.get("min_value"), settings.get("max_value")
        present = asked if low is None or isinstance(asked, bool | str) else min(max(asked, low), high)
    if state.asked(page, name) != show(present):
        note_absent(page, name, noun or label.lower(), present, show(present))
    key = state.widget_key(page, name, *(() if options is None else options))
    slides = widget.__name__ in ("slider", "select_slider")

    def move(new: Any) -> None:
        if new != state.view(page, name, default):  # else sent of a widget that was drawn before, and is as it was
            state.set_view(page, **{name: new})

    changed = state.on_widget(key, apply or move, slides)
    if options is None:
        return widget(label, value=present, key=key, on_change=changed, **settings)
    if widget.__name__ == "segmented_control":
        settings |= {"default": present, "required": True}
    else:
        settings["index"] = list(options).index(present)
    return widget(label, options, format_func=show, key=key, on_change=changed, **settings)


def segmented(
    page: str,
    label: str,
    options: list[str],
    name: str,
    default: str,
    show: Callable[[str], str] = str,
    hidden: bool = True,
    noun: str = "",
) -> str:
    """One of a few options, side by side; an unknown one in the link gives the nearest.

    `show` gives the word that the page has for an option, where the link has another; in a link both are understood.
    """
    wanted = str(state.view(page, name, default))
    by_word = {show(option): option for option in options}
    present = wanted if wanted in options else by_word.get(wanted) or _nearest(wanted, options) or default
    visible = "collapsed" if hidden else "visible"
    linked(
        page, st.segmented_control, label, name, default,
        options=options, present=present, noun=noun, show=show, label_visibility=visible,
    )  # fmt: skip
    return present


def note_absent(page: str, name: str, noun: str, value: Scalar, shown: str | None = None) -> None:
    """Remember a sentence where the link asks for a `noun` that does not exist, and `value` stands in for it."""
    text = state.asked(page, name)
    if text is not None and not _same(text, value):
        sentence = f"There is no {noun} “{text}” here; “{value if shown is None else shown}” is shown."
        state.keep("absent", {**state.recall("absent", {}), (page, name): sentence})


def say_absent() -> None:
    """The sentences remembered since this was last asked."""
    noted = state.recall("absent", {})
    state.keep("absent", {})
    for sentence in noted.values():
        st.caption(formatting.escaped(sentence))


def _same(text: str, value: Scalar) -> bool:
    if isinstance(value, bool | str):
        return text == (str(value).lower() if isinstance(value, bool) else value)
    try:
        return float(text) == value
    except ValueError:
        return False


def _nearest(text: str, options: list[str]) -> str | None:
    by_lower = {option.lower(): option for option in options}
    matches = difflib.get_close_matches(text.lower(), by_lower, 1)
    return by_lower[matches[0]] if matches else None
