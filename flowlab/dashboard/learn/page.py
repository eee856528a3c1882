"""The Learn page: a gallery of lessons, and a lesson step by step, each one screen."""

from __future__ import annotations

import re

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from flowlab import formatting
from flowlab.dashboard.learn import exhibits
from flowlab.dashboard.shell import lesson as shell
from flowlab.dashboard.shell import links, share, state
from flowlab.plots import theme
from flowlab.teaching.claims import PENDING
from flowlab.teaching.lessons import ExhibitBlock, Lesson, Part, RunBlock

PAGE = "learn"
CARDS = 3
"""Cards in a row of the gallery."""


def page() -> None:
    """The step the link names, or the gallery."""
    with st.container(key="learn-page"):
        _page()


def _page() -> None:
    key = state.view(PAGE, "lesson", "")
    lesson = shell.find(key) if key else None
    if lesson is not None:
        _step(lesson)
        return
    if key:
        links.note_absent(PAGE, "lesson", "lesson", "", "all lessons")
    _gallery()


def _gallery() -> None:
    """All lessons: a picture, a sentence, how long it takes and what one needs to know."""
    lessons = list(shell.by_key().values())
    st.header("Lessons")
    for start in range(0, len(lessons), CARDS):
        for column, lesson in zip(st.columns(CARDS), lessons[start : start + CARDS], strict=False):
            with column.container(border=True, height="stretch", key=f"lesson-{lesson.key}"):
                if lesson.picture.is_file():
                    _picture(lesson)
                st.markdown(f"#### {lesson.title}")
                st.markdown(lesson.summary)
                needs = f" · needs {lesson.needs}" if lesson.needs else ""
                st.caption(f"{lesson.minutes} min · {len(lesson.steps)} steps{needs}")
                if st.button("Open", key=f"open.{lesson.key}"):
                    _show(lesson, 0)


def _picture(lesson: Lesson) -> None:
    """A lesson's drawing in the colours of the theme."""
    drawing = lesson.picture.read_text("utf-8")
    alt = re.search(r'aria-label="([^"]*)"', drawing)
    c = theme.colors(state.is_dark())
    classes = f".model{{stroke:{c.model}}}.truth{{stroke:{c.truth}}}.anomaly{{stroke:{c.anomaly}}}"
    start = drawing.index(">") + 1
    drawing = f"{drawing[:start]}<style>svg{{color:{c.text}}}{classes}</style>{drawing[start:]}"
    if "xmlns" not in drawing:
        drawing = drawing.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    st.image(drawing.replace('width="100%"', 'width="320" height="120"'), width="stretch", alt=alt[1] if alt else "")


def _show(lesson: Lesson | None, at: int = 0) -> None:
    """Look at a step of a lesson, or at the gallery."""
    state.set_view(PAGE, lesson=lesson.key if lesson else None, step=at + 1 if lesson else None)
    exhibits.forget()
    st.rerun()


def _step(lesson: Lesson) -> None:
    """One step: its heading and the way on above, its text and beside it its exhibit."""
    last = len(lesson.steps)
    wanted = state.view(PAGE, "step", 1)
    at = min(max(wanted, 1), last) - 1
    links.note_absent(PAGE, "step", "step", at + 1)
    step = lesson.steps[at]
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="learn-steps"):
        if st.button("All lessons", icon=":material/apps:", type="tertiary"):
            _show(None)
        st.markdown(f"{formatting.escaped(lesson.title)} · step {at + 1} of {last}", width="stretch")
        if st.button("Back", key="learn-back", icon=":material/arrow_back:", disabled=at == 0):
            _show(lesson, at - 1)
        if st.button("On", key="learn-on", icon=":material/arrow_forward:", type="primary", disabled=at + 1 == last):
            _show(lesson, at + 1)
        share.draw(PAGE)
    st.subheader(step.title)
    figures = [part for part in step.parts if isinstance(part, ExhibitBlock)]
    if figures:
        left, right = st.columns([1, 1.45], gap="large")
    else:
        left = st.container(key="learn-text")
    with left:
        words = _words(lesson, at, step.parts)
        if step.question:
            answer = st.expander(
                f"**Ask the class:** {shell.text(lesson, step.question)}",
                key=state.widget_key("ask", lesson.key, at),
                on_change="rerun",
            )
            if answer.open:  # a closed answer computes nothing
                with answer:
                    words += _words(lesson, at, step.answer)
                    for block in step.answer:
                        if isinstance(block, ExhibitBlock):
                            exhibits.draw(block)
    if figures:
        with right, st.container(key="exhibits"):
            for block in figures:
                exhibits.draw(block)
    for place, part in words:
        place.markdown(shell.text(lesson, part))


def _words(lesson: Lesson, at: int, parts: tuple[Part, ...]) -> list[tuple[DeltaGenerator, str]]:
    """Texts and buttons; the texts whose numbers take long, each with its place, for when the exhibits are drawn."""
    unfinished = []
    for part in parts:
        if isinstance(part, str):
            place, present = st.empty(), shell.text(lesson, part, waits=False)
            place.markdown(present)
            if PENDING in present:
                unfinished.append((place, part))
        elif isinstance(part, RunBlock):
            shell.run_button(lesson, at, part, PAGE)
    return unfinished
