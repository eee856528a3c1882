"""Opens FlowLab's pages in Streamlit's script runner and acts on them; a page that crashes fails the test at once.

The frame turns every exception of a page into a sentence, which `at.exception` does not see. Streamlit's script runner
runs a page inside the frame when it is opened and without it when it is run again, so both are looked at.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.testing.v1 import AppTest

from flowlab import catalog
from flowlab.dashboard.shell import frame
from flowlab.dashboard.shell.pages import PAGES, settings
from flowlab.records import RunSpec, Scalar

APP = Path(__file__).resolve().parents[1] / "app.py"
FILES = {page.key: f"pages/{page.file}" for page in PAGES}


class _Tracebacks(logging.Handler):
    """What the frame wrote to the log of pages that failed: the page itself says one sentence."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(logging.Formatter().format(record))


_tracebacks = _Tracebacks()
logging.getLogger(frame.__name__).addHandler(_tracebacks)


def open_page(page: str, run: RunSpec | Mapping[str, str] = {}, /, **view: Scalar) -> AppTest:  # noqa: B006
    """The page at the link of a run (a RunSpec, or what its link says) with view settings, after its first run."""
    at = AppTest.from_file(APP, default_timeout=90)
    for key, value in {**_query(run), **view_link(page, view)}.items():
        at.query_params[key] = value
    at.switch_page(FILES[page])
    return rerun(at)


def view_link(page: str, view: Mapping[str, Scalar]) -> dict[str, str]:
    """View settings of a page as its link says them."""
    prefix = settings(page)
    return {f"{prefix}.{k}": str(v).lower() if isinstance(v, bool) else str(v) for k, v in view.items()}


def rerun(at: AppTest) -> AppTest:
    """Run the page again and see that it did not crash."""
    st.set_option("client.showErrorDetails", "full")  # the app's own setting leaves the traceback out
    _tracebacks.texts.clear()
    at.run()
    crashes = ["\n".join([e.message, *e.stack_trace]) for e in at.exception]
    if any(error.value == frame.GENERAL_ERROR for error in at.error):
        crashes += [frame.GENERAL_ERROR, *_tracebacks.texts]
    assert not crashes, "\n".join(["the page crashed:", *crashes])
    return at


def press(at: AppTest, button: str) -> AppTest:
    """Press the button of this key or label."""
    found = [b for b in at.button if button in (b.key, b.label)]
    assert found, f"no button {button!r} among {[b.label for b in at.button]}"
    assert not found[0].disabled, f"the button {button!r} cannot be pressed"
    found[0].click()
    return rerun(at)


def enter(at: AppTest, widget: Any, value: object) -> AppTest:
    """Give a widget another value."""
    widget.set_value(value)
    return rerun(at)


def labelled(widgets: Any, label: str) -> Any:
    """The first of the widgets with this label: `labelled(at.number_input, "Row")`."""
    found = [widget for widget in widgets if widget.label == label]
    assert found, f"no {label!r} among {[widget.label for widget in widgets]}"
    return found[0]


def said(at: AppTest) -> str:
    """All words on the page, without the backslashes that keep Markdown from reading them."""
    parts = (at.markdown, at.caption, at.info, at.warning, at.error)
    return " ".join(element.value for elements in parts for element in elements).replace("\\", "")


def in_link(at: AppTest, key: str) -> str | None:
    """What the address bar says of a key, None where it says nothing."""
    return at.session_state.link.query.get(key)


def wait_until(found: Callable[[], Any], seconds: float = 300, says: Callable[[], object] = str) -> Any:
    """What `found` gives as soon as that is true; if it never is, an error with what `says` gives then."""
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {says()}"
        time.sleep(0.1)
    return value


def wait_for_words(at: AppTest, words: str, seconds: float = 300) -> str:
    """Run the page again until it says these words; all that it then says."""
    wait_until(lambda: words in said(at) or words in said(rerun(at)), seconds, lambda: f"no {words!r} in {said(at)!r}")
    return said(at)


def wait_for_run(spec: RunSpec, *states: str) -> None:
    """Until the run is in one of these states ("done" by default); fails at once when training fails unasked."""
    from flowlab.dashboard.shell import services

    wanted = states or ("done",)

    def reached() -> bool:
        status = services.status(spec)
        state = status.state if status else "absent"
        assert state in wanted or state != "failed", status
        return state in wanted

    wait_until(reached, says=lambda: services.status(spec))


def train(*runs: RunSpec | Mapping[str, str]) -> list[str]:
    """Finish runs through the real runner of the test's own store; their ids."""
    from flowlab.dashboard.shell import services

    specs = [run if isinstance(run, RunSpec) else _spec(run) for run in runs]
    ids = [services.runner().submit(spec, f"visitor{i}") for i, spec in enumerate(specs)]
    for spec in specs:
        wait_for_run(spec)
    return ids


def _query(run: RunSpec | Mapping[str, str]) -> dict[str, str]:
    return run.to_query() if isinstance(run, RunSpec) else dict(run)


def _spec(query: Mapping[str, str]) -> RunSpec:
    return catalog.tidy(RunSpec.from_query(query, catalog.DEFAULT)[0])[0]
