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
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import streamlit as st

from flowlab.app_folder import ASSETS
from flowlab.plots import theme

_IMPORT = re.compile(r'^import \{\s*\w+(?:,\s*\w+)*,?\s*\} from "\./([\w-]+\.js)";\n', re.MULTILINE)
_OTHER = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)
_TOP_LEVEL = re.compile(r"^(?:async )?(?:function|class|const|let) (\w+)", re.MULTILINE)
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


def join_modules(entry: Path) -> str:
    """One ES module that does what `entry` does: the modules that it imports, each once and before those that need it.

    Follows `import { names } from "./file.js";` and strips `export`. The modules share one scope, so their top-level
    names must differ. Only `entry` may have a default export.

    Raises
    ------
    ValueError
        A module is not there, imports itself by way of others, has an import or export of another form, or a
        top-level name that another module has too.
    """
    parts: dict[Path, str] = {}
    owners: dict[str, str] = {}

    def add(path: Path, importers: tuple[Path, ...]) -> None:
        if path in importers:
            raise ValueError(f"{' -> '.join(p.name for p in (*importers, path))}: a module must not import itself")
        if path in parts:
            return
        if not path.is_file():
            raise ValueError(
                f"{importers[-1].name if importers else 'the page'} imports {path.name}, which is not there"
            )
        text = path.read_text(encoding="utf-8")
        for file in _IMPORT.findall(text):
            add(path.parent / file, (*importers, path))
        body = re.sub(r"^export (?=function|class|const|let)", "", _IMPORT.sub("", text), flags=re.MULTILINE)
        for line in _OTHER.findall(body):
            if not (path == entry and line.startswith("export default ")):
                raise ValueError(f"{path.name}: cannot follow {line!r}")
        for name in _TOP_LEVEL.findall(body):
            if owners.setdefault(name, path.name) != path.name:
                raise ValueError(f"{path.name} and {owners[name]} both have {name} at their top level")
        parts[path] = body

    add(entry, ())
    return "\n".join(parts.values())


def canvas_component(name: str) -> Callable:
    """Register the component of assets/`name`.js, which calls `provide(name, ...)`.

    Returns `mount(scene, change, key, **callbacks)`: `scene` and `change` are (header, arrays) for `pack`; what
    Streamlit's component returns (state set by the script) is returned. The style sheet and the colours of
    `flowlab.plots.theme` are added to the header of every scene.
    """
    css = (ASSETS / "stages.css").read_text(encoding="utf-8")
    carrier = st.components.v2.component(f"flowlab_{name}_code", js=join_modules(ASSETS / f"{name}.js"))
    view = st.components.v2.component(f"flowlab_{name}", js=_FINDER % name)

    def mount(scene: tuple[dict, dict], change: tuple[dict, dict], key: str, **callbacks: Callable):
        body = pack(*scene)
        digest = hashlib.sha256(body).hexdigest()[:16]
        with st.container(gap=None):
            header = {**scene[0], "scene": digest, "colors": theme.canvas_colors(), "css": css}
            carrier(data=pack(header, scene[1]), key=f"{key}_code")
            return view(data=pack({**change[0], "scene": digest}, change[1]), key=key, **callbacks)

    return mount


def _finite(value: object) -> object:
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return value.item() if isinstance(value, np.generic) else value
