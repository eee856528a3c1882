"""The address bar: it says the state of a page, one step of the browser's history for each deliberate change.

Streamlit's own `st.query_params` makes a step of every change, a slider's included; this component's script does not.
"""

from __future__ import annotations

from urllib.parse import urlencode

import streamlit as st

from flowlab.app_folder import ASSETS
from flowlab.dashboard.shell import state

_SCRIPT = ASSETS / "address.js"
_bar = st.components.v2.component("flowlab_address", js=_SCRIPT.read_text(encoding="utf-8"))


def write(page: str, place: str = "page", slides: bool = False) -> None:
    """Make the address bar say the whole state of a page; a fragment does so from a `place` of its own.

    What `slides` leaves no step for Back.
    """
    link = state.next_link(page, slides)
    with st.container(height=1, border=False, key=f"address_{place}"):
        data = {
            "page": page,
            "query": urlencode(link.query),
            "change": link.change,
            "answers": urlencode(link.answers),
        }
        _bar(data=data, key=f"address.{place}")
