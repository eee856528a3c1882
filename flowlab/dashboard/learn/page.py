"""The Learn page: short lessons whose links open the app in the state they speak of."""

from __future__ import annotations

import streamlit as st

from flowlab.dashboard.shell import links
from flowlab.teaching.lessons import lessons

PAGE = "learn"


def page() -> None:
    """The list of lessons, and the chosen one beside it."""
    by_key = {lesson.key: lesson for lesson in lessons()}
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
