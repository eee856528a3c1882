"""The address of exactly this state, to copy or to photograph."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import segno
import streamlit as st

from flowlab.dashboard.shell import state

OWN = ("localhost", "127.0.0.1", "::1")
"""Names that a computer has for itself, and no other has for it."""
OPEN = ("0.0.0.0", "::", "")
"""Server addresses that listen to the network."""


def draw(page: str) -> None:
    """The button that shows the address and its QR code."""
    if st.button("Share", icon=":material/qr_code_2:", key="share", type="tertiary"):
        _show(page)


@st.dialog("Share exactly this state")
def _show(page: str) -> None:
    site, problem = reachable(state.site(), str(st.get_option("server.address") or ""))
    link = site + state.link_to(page)
    st.code(link, language=None, wrap_lines=True)
    if problem:
        st.caption(problem)
    else:
        code = segno.make(link, error="l", micro=False)
        picture = code.svg_inline(scale=8, dark="#1B2333", light="#FFFFFF", border=2)
        st.image(picture, width=320, alt="QR code of the address above")


def reachable(site: str, listens_to: str, network_address: str | None = None) -> tuple[str, str]:
    """The site's address as others reach it, and a sentence where they do not.

    Parameters
    ----------
    site : as the visitor's browser has it
    listens_to : the address the server is bound to; empty for all
    network_address : of this computer; found out where None

    >>> reachable("http://localhost:8501", "0.0.0.0", "192.168.0.7")
    ('http://192.168.0.7:8501', '')
    >>> reachable("https://flows.example.org", "127.0.0.1")
    ('https://flows.example.org', '')
    """
    parts = urlsplit(site)
    if parts.hostname not in OWN:
        return site, ""
    address = _network_address() if network_address is None else network_address
    port = f":{parts.port}" if parts.port else ""
    if listens_to in OPEN and address:
        return f"{parts.scheme}://{address}{port}", ""
    return site, (
        "This address works on this computer alone. To let a class in, start FlowLab by `flowlab app --address 0.0.0.0`"
        " or `streamlit run app.py --server.address 0.0.0.0`: whoever reaches this computer on the network then sees "
        "FlowLab, its runs and uploaded tables."
    )


def _network_address() -> str:
    """This computer's address in its network, or "" without one; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address reserved for documentation
            return str(probe.getsockname()[0])
        except OSError:
            return ""
