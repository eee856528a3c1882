"""What a page says of a run that is damaged: what cannot be read, what can be saved, and the two ways on."""

from __future__ import annotations

import streamlit as st

from flowlab import formatting
from flowlab.dashboard.shell import services, state
from flowlab.dashboard.shell.run_status import act_button, say_trouble
from flowlab.store.errors import NewerRun, StoreError
from flowlab.store.runs import Damage


def draw(error: StoreError) -> None:
    """The sentence of an error of the store and, where it is about the present run, what can be done with that run."""
    run_id = services.run_id()
    found = None if isinstance(error, NewerRun) else _damage(run_id)
    if found is None or not found.unreadable:
        st.error(formatting.escaped(error))
        return
    st.error(formatting.escaped(sentence(run_id, found)))
    visitor, runner = state.visitor(), services.runner()
    with st.container(horizontal=True):
        if found.step is not None and services.may_control():
            label = f"Go on from step {formatting.count(found.step)}"
            act_button(label, "damage", runner.go_back, (run_id, visitor), type="primary")
        if "run.json" in found.unreadable or services.may_control():
            help = "The run is moved to the folder named damaged on the server; what can be read of it stays readable."
            act_button("Set it aside", "damage", runner.set_aside, (run_id,), help=help)
    say_trouble()


def sentence(run_id: str, found: Damage) -> str:
    """What of a run cannot be read and what can."""
    names = list(found.unreadable)
    listed = ", ".join(names[:3]) + (f" and {len(names) - 3} more files" if len(names) > 3 else "")
    saved = "; ".join(found.readable)
    return f"This run ({run_id}) is damaged: {listed} cannot be read. " + (
        f"What can be read: {saved}." if saved else "Nothing of it can be read."
    )


def _damage(run_id: str) -> Damage | None:
    try:
        return services.store().damage(run_id)
    except StoreError:
        return None
