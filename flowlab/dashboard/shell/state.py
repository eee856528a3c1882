"""The link and the session: the only module that touches `st.query_params` and `st.session_state`.

The state of a page is a RunSpec and the view settings of that page. Both are in the address bar, and nothing else
is needed to show the same picture again.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from flowlab import catalog
from flowlab.records import RunSpec, Scalar, Spec

RUN_KEYS = ("data", "model", "seed", "from")
MAX_VIEW_TEXT = 300


def start() -> None:
    """Read the link once per session; afterwards the session is the state, and the link is written from it."""
    if "spec" in st.session_state:
        return
    query = dict(st.query_params)
    spec, problems = RunSpec.from_query(query, catalog.DEFAULT)
    spec, more = catalog.tidy(spec)
    st.session_state.spec = spec
    st.session_state.problems = problems + more
    st.session_state.view = {k: v[:MAX_VIEW_TEXT] for k, v in query.items() if not _of_run(k)}
    st.session_state.visitor = uuid.uuid4().hex[:16]
    st.session_state.revision = 0


def write_link(page: str) -> None:
    """Make the address bar say the whole state of this page."""
    wanted = query(page)
    if dict(st.query_params) != wanted:
        st.query_params.from_dict(wanted)


def query(page: str = "") -> dict[str, str]:
    """The present run, and the settings of `page`'s view, as a query."""
    prefix = f"{page}."
    view = {k: v for k, v in st.session_state.view.items() if page and k.startswith(prefix)}
    return {**spec().to_query(), **view}


def mark_framed() -> None:
    """Note that `app.py` has drawn the frame in this session."""
    st.session_state.framed = True


def is_framed() -> bool:
    """Whether `app.py` has drawn the frame in this session."""
    return bool(st.session_state.get("framed"))


def spec() -> RunSpec:
    """What the visitor is looking at."""
    return st.session_state.spec


def visitor() -> str:
    """A random name for this session: whose runs are listed, and whose turn it is in the queue."""
    return st.session_state.visitor


def take_problems() -> list[str]:
    """Sentences about a link's ignored parts, shown once."""
    problems = st.session_state.problems
    st.session_state.problems = []
    return problems


def show(new: RunSpec, **view: Scalar) -> None:
    """Look at another run from now on; widgets are made anew so that they agree."""
    st.session_state.spec, st.session_state.problems = catalog.tidy(new)
    st.session_state.revision += 1
    for key, value in view.items():
        st.session_state.view[key] = str(value)


def change(part: str, name: str | None = None, **params: Scalar) -> None:
    """Another data set or model (`part` is "data" or "model"), or other parameters of the present one."""
    old: RunSpec = st.session_state.spec
    before: Spec = getattr(old, part)
    after = Spec(name, params) if name and name != before.name else Spec(before.name, {**before.params, **params})
    new, problems = catalog.tidy(replace(old, **{part: after}))
    st.session_state.problems += problems
    _look_at(old, new)


def change_seed(seed: int) -> None:
    """Look at the same data and model with another seed."""
    old: RunSpec = st.session_state.spec
    _look_at(old, replace(old, seed=int(seed)))


def _look_at(old: RunSpec, new: RunSpec) -> None:
    """Take the new spec; a fork stays one as long as it still fits the run it was forked from."""
    problem = catalog.fork_problem(old, new) if new.branch else ""
    if problem:
        st.session_state.problems.append(f"{problem} What you see now is a new run, from step 0.")
    st.session_state.spec = replace(new, parent="") if problem else new


def widget_key(*parts: object) -> str:
    """A key for a widget that mirrors the state: it changes when the state is set from elsewhere."""
    return ".".join(str(p) for p in (*parts, st.session_state.revision))


def refresh_widgets() -> None:
    """Let every mirroring widget be made anew from the state."""
    st.session_state.revision += 1


def widget_value(key: str) -> Any:
    """What a widget holds, for callbacks."""
    return st.session_state.get(key)


def on_widget(key: str, apply: Callable[[Any], object]) -> Callable[[], None]:
    """A callback that hands a widget's new value to `apply`."""

    def changed() -> None:
        apply(st.session_state[key])

    return changed


def view(page: str, name: str, default: Scalar) -> Scalar:
    """A view setting of a page (layer, threshold, chosen row), of the type of `default`; nonsense gives the default."""
    text = st.session_state.view.get(f"{page}.{name}")
    if text is None:
        return default
    try:
        if isinstance(default, bool):
            return {"true": True, "false": False}[text]
        value = type(default)(text)
        return value if not isinstance(value, float) or math.isfinite(value) else default
    except (ValueError, KeyError, OverflowError):
        return default


def asked(page: str, name: str) -> str | None:
    """What the link says of a view setting, whether it makes sense or not; None if nothing."""
    return st.session_state.view.get(f"{page}.{name}")


def set_view(page: str, **values: Scalar | None) -> None:
    """Change view settings of a page; None forgets one."""
    for name, value in values.items():
        key = f"{page}.{name}"
        if value is None:
            st.session_state.view.pop(key, None)
        else:
            text = str(value).lower() if isinstance(value, bool) else str(value)
            st.session_state.view[key] = text[:MAX_VIEW_TEXT]


def recall(name: str, default: Any = None) -> Any:
    """Something small a page wants to keep for this session only (not in the link)."""
    return st.session_state.get(f"kept.{name}", default)


def keep(name: str, value: Any) -> None:
    """Keep something for this session, for `recall`."""
    st.session_state[f"kept.{name}"] = value


def is_dark() -> bool:
    """Whether the visitor sees the dark theme."""
    return st.context.theme.type == "dark"


def _of_run(key: str) -> bool:
    return key in RUN_KEYS or key.startswith(("data.", "model."))


def link_to(page: str, new: RunSpec | None = None, view: Mapping[str, Scalar] | None = None) -> str:
    """A relative link to a page with a run and view settings, for people to click or copy."""
    from urllib.parse import urlencode

    values = (new or spec()).to_query()
    values |= {f"{page}.{k}": str(v) for k, v in (view or {}).items()}
    return f"/{page}?{urlencode(values)}"
