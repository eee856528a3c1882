"""The name, note and tags of the present run: its owner changes them, everybody else reads them."""

from __future__ import annotations

import streamlit as st

from flowlab import formatting
from flowlab.dashboard.shell import services, state
from flowlab.store.label import MAX_NAME, MAX_NOTE, RunLabel
from flowlab.store.reading import Run


def draw() -> None:
    """Where there is a run, what opens them; who may not change them sees it only where there are any."""
    run = services.run()
    if run is None or state.is_presenting():
        return
    may_name = services.runner().may_name(run.run_id, state.visitor())
    if not may_name and not run.label:
        return
    words = "Name" if may_name else "About"
    with st.popover(words, icon=":material/label:", type="tertiary", help="Name, note and tags of this run"):
        if may_name:
            _edit(run)
        else:
            _show(run.label)


def _edit(run: Run) -> None:
    label = run.label
    with st.form(f"label.{run.run_id}", border=False):
        name = st.text_input("Name of this run", label.name, max_chars=MAX_NAME, placeholder="pump 7, whole May")
        note = st.text_area("Note", label.note, max_chars=MAX_NOTE)
        tags = st.text_input("Tags, separated by commas", label.tags_text, placeholder="june, final")
        if not st.form_submit_button("Save", key=f"label.save.{run.run_id}"):
            return
    try:
        services.runner().name(run.run_id, RunLabel.of(name, note, tags), state.visitor())
    except (ValueError, RuntimeError) as error:
        st.error(formatting.escaped(error))
        return
    st.rerun()


def _show(label: RunLabel) -> None:
    if label.name:
        st.markdown(f"**{formatting.escaped(label.name)}**")
    for line in label.note.splitlines():
        st.markdown(formatting.escaped(line))
    if label.tags:
        st.caption(formatting.escaped(f"Tags: {label.tags_text}"))
