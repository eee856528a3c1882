"""Widgets whose value is a view setting of a page and stands in the link."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from pages.ui import state


def segmented(
    page: str,
    label: str,
    options: list[str],
    name: str,
    default: str,
    show: Callable[[str], str] = str,
    hidden: bool = True,
) -> str:
    """One of a few options, mirrored in the link of `page` under `name`; an unknown one there gives the default."""
    present = str(state.view(page, name, default))
    present = present if present in options else default
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
