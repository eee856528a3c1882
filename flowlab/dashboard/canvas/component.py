"""Canvas components: how their code and their arrays reach the browser.

Streamlit sends a component's inline script with every update. So each of ours is two elements: a carrier, which
holds the script and the part of the picture that stays (its message is identical on every rerun, so Streamlit
sends a reference instead), and a small one that holds what changes. Nothing a user wrote goes into markup or
script: it travels in `pack`ed data and is drawn as text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import streamlit as st

from flowlab.app_folder import ASSETS
from flowlab.plots import theme
from flowlab.serving.canvas import join_modules, pack, style_sheet

_FINDER = """
export default async function (component) {
  const entry = ((globalThis.__flowlab ??= {})["%s"] ??= { scenes: new Map(), waiting: [] });
  const bytes = component.data, n = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const { scene } = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + n)));
  while (!entry.scenes.has(scene)) await new Promise((wake) => entry.waiting.push(wake));
  return entry.update(component, entry.scenes.get(scene));
}
"""


def canvas_component(name: str) -> Callable:
    """Register the component of assets/`name`.js, which calls `provide(name, ...)`.

    Returns `mount(scene, change, key, **callbacks)`: `scene` and `change` are (header, arrays) for `pack`; what
    Streamlit's component returns (state set by the script) is returned. The style sheet and the colours of
    `flowlab.plots.theme` are added to the header of every scene.
    """
    css = style_sheet()
    carrier = st.components.v2.component(f"flowlab_{name}_code", js=join_modules(ASSETS / f"{name}.js"))
    view = st.components.v2.component(f"flowlab_{name}", js=_FINDER % name)

    def mount(scene: tuple[dict, dict], change: tuple[dict, dict], key: str, **callbacks: Any) -> Any:
        body = pack(*scene)
        digest = hashlib.sha256(body).hexdigest()[:16]
        with st.container(gap=None):
            header = {**scene[0], "scene": digest, "colors": theme.canvas_colors(), "css": css}
            carrier(data=pack(header, scene[1]), key=f"{key}_code")
            return view(data=pack({**change[0], "scene": digest}, change[1]), key=key, **callbacks)

    return mount
