"""Learn: short lessons whose links open the app in the state they speak of."""

import streamlit as st

from flowlab.dashboard.shell import frame, state
from flowlab.teaching.lessons import lessons

frame.begin("learn")
every = {lesson.key: lesson for lesson in lessons()}
chosen = state.view("learn", "lesson", next(iter(every)))
chosen = chosen if chosen in every else next(iter(every))
left, right = st.columns([1, 2.4], gap="large")
with left:
    key = state.widget_key("lesson")
    st.radio(
        "Lessons",
        list(every),
        index=list(every).index(chosen),
        format_func=lambda name: every[name].title,
        captions=[lesson.summary for lesson in every.values()],
        key=key,
        on_change=state.on_widget(key, lambda name: state.set_view("learn", lesson=name)),
    )
with right:
    st.header(every[chosen].title)
    st.markdown(every[chosen].body)
