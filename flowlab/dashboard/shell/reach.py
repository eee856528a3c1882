"""How others reach this server: its address in the network, and the code that a telephone reads it from."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import segno

OWN = ("localhost", "127.0.0.1", "::1")
"""Names that a computer has for itself, and no other has for it."""
OPEN = ("0.0.0.0", "::", "")
"""Server addresses that listen to the network."""


def qr_code(link: str) -> str:
    """The QR code of an address, as SVG."""
    return segno.make(link, error="l", micro=False).svg_inline(scale=8, dark="#1B2333", light="#FFFFFF", border=2)


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
