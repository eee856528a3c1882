"""The address of exactly this state, to copy or to photograph."""

from __future__ import annotations

import streamlit as st

from flowlab.dashboard.shell import reach, room, state


def draw(page: str) -> None:
    """The button that shows the address and its QR code."""
    if st.button("Share", icon=":material/qr_code_2:", key="share", type="tertiary"):
        _show(page)


@st.dialog("Share exactly this state")
def _show(page: str) -> None:
    site, problem = reach.reachable(state.site(), str(st.get_option("server.address") or ""))
    link = site + state.link_to(page)
    st.code(link, language=None, wrap_lines=True)
    if problem:
        st.caption(problem)
    else:
        st.image(reach.qr_code(link), width=320, alt="QR code of the address above")
    room.open_button()
