"""What the browser has before a page's script has run: the styles, the room of the sidebar, the widgets' code.

Streamlit sends an empty HTML page, and everything that arrives after the first picture moves what is there already.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from flowlab.app_folder import ASSETS

STYLES = ("style.css", "present.css")
WIDGETS = (
    "BidiComponent", "Button", "ButtonGroup", "Checkbox", "DownloadButton", "NumberInput", "PageLink", "Selectbox",
    "Slider",
)  # fmt: skip
"""Parts of Streamlit's frontend that nearly every page needs, and that it fetches when the first one is drawn."""


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
