"""The link and the session: the only module that touches `st.query_params` and `st.session_state`.

The state of a page is a RunSpec and the view settings of that page. Both are in the address bar, and nothing else
is needed to show the same picture again.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, overload
from urllib.parse import urlencode, urlsplit

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from flowlab import catalog
from flowlab.dashboard.shell import pages, visitors
from flowlab.records import RunSpec, Scalar, Spec

RUN_KEYS = ("data", "model", "seed", "from")
MAX_VIEW_TEXT = 300
PRESENT = "present"
""""1" in a link: the page is shown to a class (presenter mode)."""
LESSON = "lesson"
""""change.2" in a link: the second step of a lesson stands beside the page."""
ROOM = "room"
"""The code of a room in a link: who opens it joins. The link that is then written is without it."""


@dataclass(frozen=True)
class Link:
    """What the address bar is to say: a page, its query, and what becomes of what stood there."""

    page: str
    query: dict[str, str]
    change: str
    """"push": Back leads to it; "replace": it is gone; "stay": the browser has gone here by itself."""
    answers: dict[str, str] = field(default_factory=dict)
    """The query that the browser's history led to, where this link is what became of it."""


def start() -> None:
    """Read the link once per session; afterwards the session is the state, and the link is written from it."""
    if "spec" in st.session_state:
        return
    st.session_state.view = {}
    st.session_state.visitor = visitors.of_cookies(st.context.cookies) or uuid.uuid4().hex
    st.session_state.revision = 0
    st.session_state.slides = False
    st.session_state.link = None
    _read_link(dict(st.query_params))


def return_to_link(page: str) -> None:
    """Where the visitor has gone Back or Forward in the browser's history, the link leads and the session follows."""
    context = get_script_run_ctx()
    if context is None or not context.is_history_navigation:
        return
    asked = dict(st.query_params)
    if asked != query(page):
        st.session_state.view = {
            k: v
            for k, v in st.session_state.view.items()
            if k not in (PRESENT, LESSON) and not k.startswith(f"{page}.")
        }
        _read_link(asked)
        st.session_state.revision += 1
    here = query(page)
    st.session_state.link = Link(page, here, "stay" if asked == here else "replace", asked)


def follow(page: str, query: Mapping[str, str]) -> None:
    """Look at the run and the view settings of somebody else's link to a page; one's own mode of showing stays."""
    own = {k: v for k, v in st.session_state.view.items() if not k.startswith(f"{pages.settings(page)}.")}
    st.session_state.view = own
    _read_link({k: v for k, v in query.items() if k not in (PRESENT, LESSON)})
    st.session_state.revision += 1


def take_room() -> str:
    """The code of the room that the link leads to, once; "" without."""
    return st.session_state.view.pop(ROOM, "")


def _read_link(query: Mapping[str, str]) -> None:
    spec, problems = RunSpec.from_query(query, catalog.DEFAULT)
    st.session_state.spec, more = catalog.tidy(spec)
    st.session_state.problems = problems + more
    st.session_state.view |= {k: v[:MAX_VIEW_TEXT] for k, v in query.items() if not _of_run(k)}


def next_link(page: str, slides: bool = False) -> Link:
    """What the address bar is to say of this page now.

    Each deliberate change is a step that Back undoes; what slides is not, nor a change of page, which is one already.
    """
    before: Link | None = st.session_state.link
    wanted = query(page)
    slides, st.session_state.slides = slides or st.session_state.slides, False
    stays_on_page = before is not None and before.page == page
    if before is None or not stays_on_page or before.query != wanted:
        st.session_state.link = Link(page, wanted, "push" if stays_on_page and not slides else "replace")
    return st.session_state.link


def query(page: str = "") -> dict[str, str]:
    """The present run, and the settings of `page`'s view, as a query."""
    prefix = f"{page}."
    view = {k: v for k, v in st.session_state.view.items() if page and k.startswith(prefix)}
    shown = {PRESENT: "1"} if is_presenting() else {}
    beside = {LESSON: lesson()} if lesson() and page and page != "learn" else {}
    return {**spec().to_query(), **view, **shown, **beside}


def lesson() -> str:
    """The lesson and step that stand beside the pages, as in "change.2"; "" without."""
    return st.session_state.view.get(LESSON, "")


def set_lesson(place: str) -> None:
    """Let a step of a lesson stand beside the pages from now on; "" takes it away."""
    if place:
        st.session_state.view[LESSON] = place
    else:
        st.session_state.view.pop(LESSON, None)


def is_presenting() -> bool:
    """Whether the pages are shown to a class: large type, nothing around them."""
    return st.session_state.view.get(PRESENT) == "1"


def present(on: bool) -> None:
    """Enter or leave presenter mode."""
    if on:
        st.session_state.view[PRESENT] = "1"
    else:
        st.session_state.view.pop(PRESENT, None)


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
    """A name for this browser, or for the session where it takes no cookie; "" outside a session.

    It says who controls a run, whose runs are listed, and whose turn it is.
    """
    return st.session_state.get("visitor", "")


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
    new, problems = catalog.tidy(replace(old, data=after) if part == "data" else replace(old, model=after))
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


def on_widget(key: str, apply: Callable[[Any], object], slides: bool = False) -> Callable[[], None]:
    """A callback that hands a widget's new value to `apply`; what `slides` leaves no step for Back.

    A widget of `widget_key` that has been made anew meanwhile says nothing any more: what the browser sent before it
    saw the new one would set everything back to what it was.
    """
    revision = st.session_state.revision
    mirrors = key.endswith(f".{revision}")

    def changed() -> None:
        if mirrors and st.session_state.revision != revision:
            return
        st.session_state.slides = slides
        apply(st.session_state[key])

    return changed


@overload
def view(page: str, name: str, default: bool) -> bool: ...
@overload
def view(page: str, name: str, default: int) -> int: ...
@overload
def view(page: str, name: str, default: float) -> float: ...
@overload
def view(page: str, name: str, default: str) -> str: ...
@overload
def view(page: str, name: str, default: Scalar) -> Scalar: ...
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


def names(page: str) -> list[str]:
    """The view settings of a page that the link says."""
    return [key.removeprefix(f"{page}.") for key in st.session_state.view if key.startswith(f"{page}.")]


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


def link_to(page: str) -> str:
    """A relative link to a page in its present state, for people to click or copy."""
    return f"/{page}?{urlencode(query(pages.settings(page)))}"


def site() -> str:
    """FlowLab's address in the visitor's browser, such as "http://127.0.0.1:8501"; "" without one."""
    parts = urlsplit(st.context.url or "")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rpartition('/')[0]}" if parts.netloc else ""
