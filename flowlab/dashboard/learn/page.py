"""The Learn page: short lessons whose links open the app in the state they speak of."""

from __future__ import annotations

import streamlit as st

from flowlab.dashboard.shell import links, state
from flowlab.teaching.lessons import Lesson, lessons

PAGE = "learn"


def page() -> None:
    """The list of lessons, and the chosen one beside it."""
    by_key = {lesson.key: lesson for lesson in lessons()}
    if state.is_presenting():
        _present(by_key)
        return
    left, right = st.columns([1, 2.4], gap="large")
    with left:
        present = links.linked(
            PAGE,
            st.radio,
            "Lessons",
            "lesson",
            next(iter(by_key)),
            options=list(by_key),
            noun="lesson",
            show=lambda name: by_key[name].title,
            captions=[lesson.summary for lesson in by_key.values()],
        )
    with right:
        st.header(by_key[present].title)
        st.markdown(by_key[present].body)


def _present(by_key: dict[str, Lesson]) -> None:
    """One step of a lesson at a time, in letters for the back row."""
    asked = state.view(PAGE, "lesson", "")
    lesson = by_key.get(asked) or next(iter(by_key.values()))
    st.header(lesson.title)
    steps = lesson.steps
    numbers = [str(i + 1) for i in range(len(steps))]
    step = links.segmented(PAGE, "Step", numbers, "step", "1")
    with st.container(key="learn_step"):
        st.markdown(steps[int(step) - 1])
