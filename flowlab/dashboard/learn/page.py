"""The Learn page: short lessons whose links open the app in the state they speak of."""

from __future__ import annotations

import streamlit as st

from flowlab.dashboard.shell import state
from flowlab.teaching.lessons import lessons

PAGE = "learn"


def page() -> None:
    """The list of lessons, and the chosen one beside it."""
    by_key = {lesson.key: lesson for lesson in lessons()}
    present = state.view(PAGE, "lesson", next(iter(by_key)))
    present = present if present in by_key else next(iter(by_key))
    left, right = st.columns([1, 2.4], gap="large")
    with left:
        key = state.widget_key("lesson")
        st.radio(
            "Lessons",
            list(by_key),
            index=list(by_key).index(present),
            format_func=lambda name: by_key[name].title,
            captions=[lesson.summary for lesson in by_key.values()],
            key=key,
            on_change=state.on_widget(key, lambda name: state.set_view(PAGE, lesson=name)),
        )
    with right:
        st.header(by_key[present].title)
        st.markdown(by_key[present].body)
