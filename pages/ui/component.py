"""Canvas components: how their code and their arrays reach the browser.

Streamlit sends a component's inline script with every update. So each of ours is two elements: a carrier, which
holds the script and the part of the picture that stays (its message is identical on every rerun, so Streamlit
sends a reference instead), and a small one that holds what changes. Nothing a user wrote goes into markup or
script: it travels in `pack`ed data and is drawn as text.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import streamlit as st

SHARED = ("common.js", "drawing.js")
ASSETS = Path(__file__).resolve().parents[2] / "assets"
_KINDS = {"float32": "f4", "float16": "f2", "uint8": "u1", "uint32": "u4"}

_FINDER = """
export default async function (component) {
  const entry = ((globalThis.__flowlab ??= {})["%s"] ??= { scenes: new Map(), waiting: [] });
  const bytes = component.data, n = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const { scene } = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + n)));
  while (!entry.scenes.has(scene)) await new Promise((wake) => entry.waiting.push(wake));
  return entry.update(component, entry.scenes.get(scene));
}
"""


def pack(header: Mapping[str, object], arrays: Mapping[str, np.ndarray]) -> bytes:
    """One block of bytes that `unpack` in assets/common.js reads: a JSON header, then the arrays.

    `arrays` may be float32, float16 (float32 in the browser), uint8 or uint32, of any shape; float64 is sent as
    float32. Numbers of the header that are not finite become null.

    >>> len(pack({"step": 1}, {"a": np.zeros(3, np.float32)})) % 4
    0
    """
    table, blocks, offset = [], [], 0
    for name, array in arrays.items():
        array = np.ascontiguousarray(array, dtype=np.float32 if array.dtype == np.float64 else array.dtype)
        if array.dtype.name not in _KINDS:
            raise TypeError(f"array {name!r} must be one of {', '.join(_KINDS)}, got {array.dtype}")
        block = array.tobytes()
        block += b"\0" * (-len(block) % 4)
        table.append([name, _KINDS[array.dtype.name], list(array.shape), offset])
        blocks.append(block)
        offset += len(block)
    # The offsets count from the start of the message, and their digits are part of it: room for ten digits each.
    fields = {key: _finite(value) for key, value in header.items()}
    start = 4 + len(json.dumps({**fields, "arrays": table})) + 10 * len(table)
    start += -start % 4
    text = json.dumps({**fields, "arrays": [[n, k, s, o + start] for n, k, s, o in table]}).ljust(start - 4)
    return len(text).to_bytes(4, "little") + text.encode() + b"".join(blocks)


def canvas_component(name: str, *files: str) -> Callable:
    """Register a component: the shared scripts of assets/, then `files`, the last of which calls `provide(name, ...)`.

    Returns `mount(scene, change, key, **callbacks)`: `scene` and `change` are (header, arrays) for `pack`; what
    Streamlit's component returns (state set by the script) is returned.
    """
    scripts = [ASSETS / file for file in (*SHARED, *files) if file.endswith(".js")]
    styles = "".join((ASSETS / file).read_text(encoding="utf-8") for file in files if file.endswith(".css"))
    code = f"const CSS = {json.dumps(styles)};\n" + "\n".join(s.read_text(encoding="utf-8") for s in scripts)
    carrier = st.components.v2.component(f"flowlab_{name}_code", js=code)
    view = st.components.v2.component(f"flowlab_{name}", js=_FINDER % name)

    def mount(scene: tuple[dict, dict], change: tuple[dict, dict], key: str, **callbacks: Callable):
        body = pack(*scene)
        digest = hashlib.sha256(body).hexdigest()[:16]
        with st.container(gap=None):
            carrier(data=pack({**scene[0], "scene": digest}, scene[1]), key=f"{key}_code")
            return view(data=pack({**change[0], "scene": digest}, change[1]), key=key, **callbacks)

    return mount


def _finite(value: object) -> object:
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return value.item() if isinstance(value, np.generic) else value
