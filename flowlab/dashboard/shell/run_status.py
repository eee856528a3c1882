"""What pages that need a trained model show before training has ended: where it stands, and its newest checkpoint."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from flowlab import formatting
from flowlab.dashboard.shell import pages, services
from flowlab.jobs import RunStatus, Snapshot
from flowlab.records import RunState
from flowlab.store.reading import Run

TICK_SECONDS = 1.0
STANDING = {RunState.QUEUED: "waiting for its turn", RunState.RUNNING: "still training"}


def run_or_button(what: str, place: str, grows: bool = False) -> services.Trained | None:
    """The present run if there is something to look at; else a sentence saying `what` will be here, and the way there.

    A run that is not finished is looked at as it stood when `place` was opened; a line says so, and follows it.
    `grows`: what is below that line follows by itself.
    """
    run = services.run()
    with st.container(key="standing", gap="small"):  # always there, so that what is below it stays in place
        if run is not None and run.is_usable:
            trained = services.Trained(run)
        else:
            seen = _unfinished(run, what, place, grows)
            trained = None if run is None or seen is None else services.Trained(run, seen)
        for _ in range(2):
            st.empty()  # clears earlier elements before the pictures below are ready
    return trained


def _unfinished(run: Run | None, what: str, place: str, grows: bool) -> Snapshot | None:
    """The checkpoint to look at, if there is one; draws the line that says which."""
    try:
        seen = None if run is None else services.look(run, place)
    except RuntimeError as error:
        st.warning(formatting.escaped(error))
        seen = None
    live = is_live(services.status())
    if seen is None:
        st.fragment(_wait, run_every=0.5 if live else None)(what)
    else:
        st.fragment(_follow, run_every=TICK_SECONDS if live else None)(seen, place, (live, run.status.is_live), grows)
    return seen


def _follow(seen: Snapshot, place: str, was_live: tuple[bool, bool], grows: bool) -> None:
    """Where training stands, and of which step the pictures are; the page goes over to the final model by itself."""
    run, status = services.run(), services.status()
    if run is None or status is None or run.is_usable or was_live != (is_live(status), run.status.is_live):
        st.rerun()  # for the first line of the page too
    if services.look(run, place) is not seen:  # begun again
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        _buttons(status)
        if status.state is not RunState.FAILED:
            _refresh(run, place, is_stale=not grows and seen.step < status.step)
        st.markdown(_standing(status) + ("" if grows else f" · pictures are of **step {formatting.count(seen.step)}**"))
        if status.state is RunState.FAILED:
            st.page_link(pages.path("train"), label="Change the settings")
    if status.state is RunState.FAILED:
        st.warning(_failure(run))
    elif status.message:
        st.caption(formatting.escaped(status.message))


def _buttons(status: RunStatus) -> None:
    run_id, runner = services.run_id(), services.runner()
    label, act = {
        RunState.QUEUED: ("Pause", lambda: runner.pause(run_id)),
        RunState.RUNNING: ("Pause", lambda: runner.pause(run_id)),
        RunState.FAILED: ("Train again", services.train),
    }.get(status.state, ("Go on", services.train))
    if st.button(label, key="trained.main", width=112):
        carry_out(act)
    if status.state is not RunState.FAILED and st.button(
        "Stop", key="trained.stop", help="End here and keep the best weights"
    ):
        carry_out(lambda: runner.stop(run_id))


def _refresh(run: Run, place: str, is_stale: bool) -> None:
    if st.button("Refresh", key="trained.refresh", disabled=not is_stale, help="Pictures of the newest step"):
        services.look(run, place, again=True)
        st.rerun()


def _standing(status: RunStatus) -> str:
    n_steps = f" of {formatting.count(status.n_steps)}" if status.n_steps else ""
    doing = f"{status.ahead} ahead of it" if status.ahead else STANDING.get(status.state, status.state)
    return f"step {formatting.count(status.step)}{n_steps}, {doing}"


def _wait(what: str) -> None:
    """Before the first checkpoint: what will be here, and the button that makes it so."""
    run, status = services.run(), services.status()
    live = is_live(status)
    if run is not None and (run.is_usable or (live and services.runner().snapshot(run.run_id) is not None)):
        st.rerun()
    failed = run is not None and run.status is RunState.FAILED
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):  # in the place of the line above
        if live:
            if st.button("Stop", key="trained.stop", help="End here"):
                services.runner().stop(services.run_id())
            st.markdown(f"{status.ahead} ahead of you" if status.ahead else "starting")
        else:
            label = "Train this model" if status is None else "Train again" if failed else "Go on training"
            if st.button(label, type="primary", key="trained.train"):
                carry_out(services.train)
            if failed:
                st.page_link(pages.path("train"), label="Change the settings")
        st.markdown(what)
    if failed:
        st.warning(_failure(run))


def _failure(run: Run) -> str:
    """Why a run failed; where nothing else is known the sentence begins in the same way."""
    return formatting.escaped(run.error if run.error.startswith("Training failed") else f"Training failed: {run.error}")


def carry_out(act: Callable[[], object]) -> None:
    """What a button does: act and run the page again, or say in a sentence why it could not be done."""
    try:
        act()
    except (ValueError, RuntimeError) as error:
        st.error(formatting.escaped(error))
        return
    st.rerun()


def is_live(status: RunStatus | None) -> bool:
    """Whether what is on the page may change by itself."""
    return status is not None and (status.state.is_live or status.settling)
