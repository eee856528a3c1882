"""What the browser has before a page's script has run: the styles, the room of the sidebar, the widgets' code.

Streamlit sends an empty HTML page, and everything that arrives after the first picture moves what is there already.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flowlab.app_folder import ASSETS

STYLES = ("style.css", "present.css")
WIDGETS = (
    "BidiComponent", "Button", "ButtonGroup", "Checkbox", "DownloadButton", "NumberInput", "PageLink", "Selectbox",
    "Slider",
)  # fmt: skip
"""Parts of Streamlit's frontend that nearly every page needs, and that it fetches when the first one is drawn."""


class FirstPaint:
    """ASGI middleware that adds `additions` to every HTML page of the dashboard."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.head, self.body = additions()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; a page's answer comes back with the additions."""
        if scope["type"] != "http" or b"text/html" not in dict(scope["headers"]).get(b"accept", b""):
            await self.app(scope, receive, send)
            return
        # as it is, not packed: there is something to be put into it
        scope = {**scope, "headers": [pair for pair in scope["headers"] if pair[0] != b"accept-encoding"]}
        start: Message | None = None  # of an answer that is a page; it waits for the length of its body
        page = bytearray()

        async def send_dressed(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html"):
                    start = message
                    return
            if start is None or message["type"] != "http.response.body":
                await send(message)
                return
            page.extend(message.get("body", b""))
            if message.get("more_body"):
                return
            dressed = page.replace(b"</head>", self.head + b"</head>", 1).replace(b"</body>", self.body + b"</body>", 1)
            headers = MutableHeaders(scope=start)
            headers["content-length"] = str(len(dressed))
            for name in ("etag", "last-modified"):  # of the page without the additions
                del headers[name]
            await send(start)
            await send({"type": "http.response.body", "body": bytes(dressed)})

        await self.app(scope, receive, send_dressed)


def additions(folder: Path | None = None, widgets: Sequence[str] = WIDGETS) -> tuple[bytes, bytes]:
    """What stands at the end of the head and at the end of the body of a page.

    The styles are in the body, because Streamlit writes its own to the end of the head.

    Parameters
    ----------
    folder : of Streamlit's frontend, by default that of the installed one
    widgets : whose code is fetched at once
    """
    scripts = (Path(st.__file__).parent / "static" if folder is None else folder) / "static" / "js"
    found = [file.name for name in widgets for file in sorted(scripts.glob(f"{name}.*.js"))]
    fetch = "".join(f'import("./static/js/{name}");' for name in found)
    head = f"<script>{_read('first_paint.js')}</script>" + (f'<script type="module">{fetch}</script>' if fetch else "")
    return head.encode(), f"<style>{''.join(map(_read, STYLES))}</style>".encode()


def _read(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")
