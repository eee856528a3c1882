"""Widgets whose value is a view setting of a page and stands in the link."""

from __future__ import annotations

import difflib
from collections.abc import Callable

import streamlit as st

from flowlab import formatting
from flowlab.dashboard.shell import state
from flowlab.records import Scalar


def segmented(
    page: str,
    label: str,
    options: list[str],
    name: str,
    default: str,
    show: Callable[[str], str] = str,
    hidden: bool = True,
) -> str:
    """One of a few options, mirrored in the link of `page` under `name`; an unknown one there gives the nearest.

    `show` gives the word that the page has for an option, where the link has another; in a link both are understood.
    """
    wanted = str(state.view(page, name, default))
    by_word = {show(option): option for option in options}
    present = wanted if wanted in options else by_word.get(wanted) or _nearest(wanted, options) or default
    if wanted != show(present):
        note_absent(page, name, label.lower(), present, show(present))
    key = state.widget_key(page, name, *options)
    st.segmented_control(
        label,
        options,
        default=present,
        required=True,
        format_func=show,
        key=key,
        on_change=state.on_widget(key, lambda value: state.set_view(page, **{name: value})),
        label_visibility="collapsed" if hidden else "visible",
    )
    return present


def note_absent(page: str, name: str, noun: str, value: Scalar, shown: str | None = None) -> None:
    """Remember a sentence where the link asks for a `noun` that does not exist, and `value` stands in for it."""
    text = state.asked(page, name)
    if text is not None and not _same(text, value):
        sentence = f"There is no {noun} “{text}” here; “{value if shown is None else shown}” is shown."
        state.keep("absent", {**state.recall("absent", {}), (page, name): sentence})


def say_absent(page: str) -> None:
    """The sentences remembered for a page since it was last asked."""
    noted = state.recall("absent", {})
    state.keep("absent", {})
    for (of_page, _), sentence in noted.items():
        if of_page == page:
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
