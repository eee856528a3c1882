"""The frame around every page: navigation on top, present data and model at the side, the link in the address bar."""

from __future__ import annotations

import logging

import streamlit as st

from flowlab import formatting
from flowlab.app_folder import ASSETS
from flowlab.dashboard.shell import address, damage, lesson, links, presenter, room, services, sidebar, state
from flowlab.dashboard.shell.pages import PAGES, path
from flowlab.store.errors import StoreError

_log = logging.getLogger(__name__)

NEED_DATA = ("train", "explore", "compare", "detect")
"""Pages that have nothing to show without a data set."""

CHOOSING = ("data", "train")
"""Pages whose sidebar opens with the settings of data and model; elsewhere they are two closed cards."""

MAX_PROBLEMS = 3
"""So many sentences about parts of a link stand on the page; the others are one line."""

GENERAL_ERROR = "Something went wrong on this page. Your data and runs are kept; reload, or choose another setting."
"""What a page says when an unexpected exception ends it; the traceback goes to the server's log alone."""


def pages() -> list:
    """The pages in the order of the navigation, and a hidden one for the bare address, which leads to Train."""
    named = [st.Page(path(page.key), title=page.title, url_path=page.key) for page in PAGES if path(page.key).exists()]
    return [st.Page(_home, title="FlowLab", url_path="home", default=True, visibility="hidden"), *named]


def _home() -> None:
    st.switch_page(path("train"), query_params=state.query("train"))


def run() -> None:
    """Draw the frame and the chosen page: all that `app.py` does."""
    st.set_page_config(page_title="FlowLab", page_icon=str(ASSETS / "logo.svg"), layout="wide")
    st.logo(str(ASSETS / "wordmark.svg"), icon_image=str(ASSETS / "logo.svg"))
    state.start()
    state.mark_framed()
    page = st.navigation(pages(), position="top")
    absent = st.container()
    try:
        page.run()
        with absent:
            links.say_absent()
    except Exception as error:  # the outermost border under `streamlit run`, which has no on_script_error
        cause = _of_store(error)
        if cause is None:
            _log.exception("the page %s failed", page.title)
            say_error(error)
        else:
            _log.warning("the page %s needs what cannot be read: %s", page.title, cause)
            damage.draw(cause)


def _of_store(error: Exception) -> StoreError | None:
    """The error of the store that an exception is, or that a fragment wrapped in one of its own; else None."""
    for each in (error, error.__context__):
        if isinstance(each, StoreError):
            return each
    return None


def say_error(error: Exception) -> bool:
    """End in a sentence what nobody foresaw, as `st.App` asks it; True: Streamlit shows nothing of the exception.

    The store's errors are sentences themselves.
    """
    st.error(formatting.escaped(error) if isinstance(error, StoreError) else GENERAL_ERROR)
    return True


def begin(name: str) -> None:
    """The first line of every page: see that the frame is there, write the link, say what was wrong with it.

    The first request of a fresh server to a page's own address runs that page without `app.py`; then the frame is
    made to run first, and the page runs again.
    """
    if not state.is_framed():
        st.navigation(pages(), position="hidden")
        st.rerun()
    state.return_to_link(name)
    # It takes no room.
    with st.container(height=1, border=False, gap=None, key="frame"):
        presenter.draw()
        address.write(name)
    room.draw(name)
    if not state.is_presenting() and name != "learn":
        with st.sidebar:
            lesson.beside()
            sidebar.draw(is_open=name in CHOOSING)
    problems = state.take_problems()
    for problem in problems[:MAX_PROBLEMS]:
        st.warning(formatting.escaped(problem))
    if len(problems) > MAX_PROBLEMS:
        st.warning(f"The link has {formatting.count(len(problems) - MAX_PROBLEMS)} more parts that were ignored.")
    if name in NEED_DATA:
        _see_that_data_are_there()
        run = services.run()
        if run is not None and run.is_usable:
            # Here, so that what is damaged ends the page in one sentence, and not each of its fragments in its own.
            _ = run.state


def _see_that_data_are_there() -> None:
    """End the page in a sentence where the data of the link cannot be made: a table of another server, an empty one."""
    try:
        services.dataset()
    except (ValueError, RuntimeError) as error:
        st.error(formatting.escaped(error))
        st.page_link(path("data"), label="Choose or upload data")
        st.stop()
