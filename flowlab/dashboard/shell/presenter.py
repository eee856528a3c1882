"""Presenter mode: the pages as a class sees them, in large type with nothing around, and the keys that drive them."""

from __future__ import annotations

import streamlit as st

from flowlab.app_folder import ASSETS
from flowlab.dashboard.shell import state

_keys = st.components.v2.component("flowlab_present", js=(ASSETS / "present.js").read_text(encoding="utf-8"))


def draw() -> None:
    """The keys that enter and leave presenter mode; the look of the page follows them."""
    _keys(data={"on": state.is_presenting()}, key="presenter.keys", on_present_change=_changed)


def _changed() -> None:
    wanted = state.widget_value("presenter.keys")
    state.present(bool(wanted and wanted.get("present")))
