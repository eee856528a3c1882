"""Lessons on the pages: their texts with numbers filled in, the way to a run, and the step beside a page."""

from __future__ import annotations

import streamlit as st

from flowlab import formatting
from flowlab.dashboard.shell import services, state
from flowlab.dashboard.shell.pages import path
from flowlab.jobs import JobError
from flowlab.records import RunSpec, Scalar
from flowlab.teaching import measures
from flowlab.teaching.claims import NAMED, fill
from flowlab.teaching.exhibit import Result, numbers
from flowlab.teaching.exhibits import EXHIBITS
from flowlab.teaching.lessons import ExhibitBlock, Lesson, Part, RunBlock, lessons
from flowlab.teaching.meanings import MEANINGS

SLOW_SECONDS = 120.0
"""How long a page waits for an exhibit that trains or measures."""


@st.cache_resource(show_spinner=False)
def by_key() -> dict[str, Lesson]:
    """All lessons by their keys, read once."""
    return {lesson.key: lesson for lesson in lessons()}


def find(key: str) -> Lesson | None:
    """The lesson of a key, also of one that it had formerly."""
    known = by_key()
    return known.get(key) or next((lesson for lesson in known.values() if key in lesson.formerly), None)


def result(block: ExhibitBlock) -> Result:
    """What an exhibit of a lesson shows with the settings given there."""
    return computed(block.exhibit.key, tuple(block.settings.items()))


@st.cache_data(show_spinner=False, max_entries=300)
def computed(key: str, settings: tuple[tuple[str, Scalar], ...]) -> Result:
    """What an exhibit computes; in a worker where it is slow."""
    exhibit = EXHIBITS[key]
    if exhibit.is_slow:
        return services.runner().compute(exhibit.compute, SLOW_SECONDS, **dict(settings))
    return exhibit.compute(**dict(settings))


def text(lesson: Lesson, words: str, waits: bool = True) -> str:
    """A text of a lesson with its numbers filled in, from exhibits and from runs that have been trained here.

    Unless it `waits`, the numbers of exhibits that train or measure are left open.
    """
    named = {match[1] for match in NAMED.finditer(words)}
    blocks = [block for block in lesson.blocks if block.name in named]
    return fill(words, {block.name: _numbers(block) if waits or not _is_slow(block) else None for block in blocks})


def _is_slow(block: ExhibitBlock | RunBlock) -> bool:
    return isinstance(block, ExhibitBlock) and block.exhibit.is_slow


def _numbers(block: ExhibitBlock | RunBlock) -> dict[str, float] | None:
    if isinstance(block, ExhibitBlock):
        try:
            return numbers(result(block))
        except JobError:  # the exhibit itself says why, in its own place
            return None
    return _run_numbers(block.spec)


def _run_numbers(spec: RunSpec) -> dict[str, float] | None:
    """The numbers of a run that a text may name; None before it is trained here."""
    run = services.run(spec)
    if run is None or not run.is_usable or not run.events:
        return None
    return numbers(measures.of_run(services.Trained(run).view(measures.measure), run.events))


def open_run(lesson: Lesson, at: int, block: RunBlock) -> None:
    """Go to the page and the run a step leads to; the step comes along."""
    views = {key: value for key, value in block.query.items() if key.startswith(f"{block.page}.")}
    state.show(block.spec)
    state.set_view(block.page, **{key.partition(".")[2]: value for key, value in views.items()})
    state.set_lesson(f"{lesson.key}.{at + 1}")
    st.switch_page(path(block.page), query_params=state.query(block.page))


def read(lesson: Lesson, at: int) -> None:
    """Go to a step on the Learn page."""
    state.set_lesson("")
    state.set_view("learn", lesson=lesson.key, step=at + 1)
    st.switch_page(path("learn"), query_params=state.query("learn"))


def run_button(lesson: Lesson, at: int, block: RunBlock, place: str) -> None:
    """The button that leads to a run, and how far it is here."""
    run = services.run(block.spec)
    if st.button(block.label, key=f"{place}.{block.name}", icon=":material/open_in_new:"):
        open_run(lesson, at, block)
    if run is not None and run.is_usable:
        st.caption("Trained here already.")


def beside() -> None:
    """The step of a lesson that stands beside the present page, if one does: its text, and the steps around it."""
    key, _, number = state.lesson().rpartition(".")
    if not key:
        return
    lesson = find(key)
    if lesson is None or not number.isdecimal():
        st.caption(formatting.escaped(f"There is no lesson “{state.lesson()}” here."))
        state.set_lesson("")
        return
    at = min(max(int(number), 1), len(lesson.steps)) - 1
    step = lesson.steps[at]
    with st.container(border=True, key="lesson-beside"):
        st.caption(f"{lesson.title} · step {at + 1} of {len(lesson.steps)}")
        st.markdown(f"**{step.title}**")
        _texts(lesson, at, step.parts)
        if step.question:
            with st.expander(f"Ask: {text(lesson, step.question)}"):
                _texts(lesson, at, step.answer)
        back, read_it, on = st.columns([1, 1.2, 1])
        if back.button("Back", key="lesson.back", disabled=at == 0, width="stretch"):
            go(lesson, at - 1)
        if read_it.button("Lesson", key="lesson.read", width="stretch", help="This step on the Learn page"):
            read(lesson, at)
        if on.button("On", key="lesson.on", disabled=at + 1 == len(lesson.steps), width="stretch"):
            go(lesson, at + 1)
        if st.button("Put the lesson away", key="lesson.away", type="tertiary"):
            state.set_lesson("")
            st.rerun()


def go(lesson: Lesson, at: int) -> None:
    """Go to a step: where it leads first, or its place in the lesson where it leads nowhere."""
    run = next((block for block in lesson.steps[at].blocks if isinstance(block, RunBlock)), None)
    if run is None:
        read(lesson, at)
    else:
        open_run(lesson, at, run)


def _texts(lesson: Lesson, at: int, parts: tuple[Part, ...]) -> None:
    for part in parts:
        if isinstance(part, str):
            st.markdown(text(lesson, part))
        elif isinstance(part, RunBlock) and part.spec != state.spec():
            run_button(lesson, at, part, "beside")


def meaning(page: str, view: str) -> None:
    """The button that says what a view of a page shows, with the present run's numbers, and leads to its lesson.

    A class sees the page without it.
    """
    if state.is_presenting():
        return
    found = MEANINGS[page, view]
    popover = st.popover(
        "What am I looking at?",
        type="tertiary",
        icon=":material/help:",
        on_change="rerun",
        key=f"meaning.{page}.{view}",
    )
    if popover.open:
        with popover:
            st.markdown(found.text(_run_numbers(state.spec())))
            lesson = find(found.lesson)
            if lesson is not None and st.button(f"Lesson: {lesson.title}", key="meaning.lesson"):
                read(lesson, 0)
