"""What pages that need a trained model show before training has ended: where it stands, and its newest checkpoint."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import streamlit as st

from flowlab import formatting
from flowlab.dashboard.shell import pages, services, state
from flowlab.jobs import RunStatus, Snapshot
from flowlab.records import RunState
from flowlab.store.reading import Run

TICK_SECONDS = 1.0
FOLLOW_SECONDS = 2.0
"""At least so much time lies between two pictures of a page that follows the training."""
SLOWEST_SECONDS = 10.0
TROUBLE_SECONDS = 8.0
STANDING = {RunState.QUEUED: "waiting for its turn", RunState.RUNNING: "still training"}


def run_or_button(what: str, place: str, grows: bool = False) -> services.Trained | None:
    """The present run if there is something to look at; else a sentence saying `what` will be here, and the way there.

    A run that is not finished is looked at as it stood when `place` was opened; a line says so, and follows it.
    `grows`: what is below that line follows by itself.
    """
    run = services.run()
    with st.container(key="standing", gap="small"):  # always there, so that what is below it stays in place
        trained: services.Trained | None
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
    if run is None or seen is None:
        st.fragment(_wait, run_every=0.5 if live else None)(what)
    else:
        st.fragment(_follow, run_every=services.tick_seconds(TICK_SECONDS) if live else None)(
            seen, place, (live, run.status.is_live), grows
        )
    return seen


def _follow(seen: Snapshot, place: str, was_live: tuple[bool, bool], grows: bool) -> None:
    """Where training stands, and of which step the pictures are; the page goes over to the final model by itself."""
    run, status = services.run(), services.status()
    if run is None or status is None or run.is_usable or was_live != (is_live(status), run.status.is_live):
        st.rerun()  # for the first line of the page too
    if services.look(run, place) is not seen:  # begun again
        st.rerun()
    if not grows and seen.step < status.step and _is_due() and services.look(run, place, again=True) is not seen:
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        _buttons(status)
        if not grows:
            st.toggle("Follow", True, key="trained.follow", help="Pictures of the newest step, by themselves")
        st.markdown(_standing(status) + ("" if grows else f" · pictures are of **step {formatting.count(seen.step)}**"))
        if status.state is RunState.FAILED:
            st.page_link(pages.path("train"), label="Change the settings")
    if status.state is RunState.FAILED:
        st.warning(_failure(run))
    elif status.message:
        st.caption(formatting.escaped(status.message))


def _is_due() -> bool:
    """Whether the pictures should be drawn anew: they follow, and rest twice as long as they took."""
    _, drawn_at, seconds = state.recall("pictures", ("", 0.0, 0.0))
    rest = min(max(FOLLOW_SECONDS, 2 * seconds), SLOWEST_SECONDS)
    return bool(state.widget_value("trained.follow")) and time.monotonic() - drawn_at > rest


def pictures_drawn(of: str, began: float) -> None:
    """Note that the pictures of a state of a run (`Trained.key`), begun at `began` (`time.monotonic`), were drawn."""
    if state.recall("pictures", ("",))[0] != of:
        state.keep("pictures", (of, time.monotonic(), time.monotonic() - began))


def _buttons(status: RunStatus) -> None:
    runner, run_id, visitor = services.runner(), services.run_id(), state.visitor()
    if not services.may_control():
        make_mine_button("trained", run_id)
        return
    if status.state is RunState.FAILED:
        act_button("Train again", "trained", runner.submit, (state.spec(), visitor), width=112)
        return
    if status.state.is_live:
        act_button("Pause", "trained", runner.pause, (run_id, visitor), width=112)
    else:
        act_button("Go on", "trained", runner.submit, (state.spec(), visitor), width=112)
    act_button("Stop", "trained", runner.stop, (run_id, visitor), help="End here and keep the best weights")
    say_trouble()


def make_mine_button(place: str, run_id: str) -> None:
    """The button of those who look at somebody else's run."""
    help = "Somebody else trains this run. You get a copy that goes on from the same step, and theirs goes on as it is."
    act_button("Make it mine", place, services.runner().make_mine, (run_id, state.visitor()), help=help)
    say_trouble()


def act_button(label: str, place: str, act: Callable[..., object], args: tuple = (), **looks: Any) -> None:
    """A button that does what its label said when it was drawn, to the run that it was drawn for.

    Each label has its own key, and `act(*args)` is bound now. What cannot be done is said by `say_trouble`.
    """
    st.button(label, key=f"{place}.{label}", on_click=_carry_out, args=(act, *args), **looks)


def _carry_out(act: Callable[..., object], *args: object) -> None:
    state.keep("trouble", None)
    state.keep("has acted", True)
    try:
        act(*args)
    except (ValueError, RuntimeError) as error:
        state.keep("trouble", (time.monotonic(), str(error)))


def say_trouble() -> None:
    """Why the last press on a button could not be carried out, for as long as it takes to read."""
    said_at, sentence = state.recall("trouble") or (-math.inf, "")
    if time.monotonic() - said_at < TROUBLE_SECONDS:
        st.error(formatting.escaped(sentence))


def _standing(status: RunStatus) -> str:
    n_steps = f" of {formatting.count(status.n_steps)}" if status.n_steps else ""
    doing = waiting(status, "it") if status.ahead else STANDING.get(status.state, status.state)
    whose = "" if services.may_control() else " · somebody else's"
    return f"step {formatting.count(status.step)}{n_steps}, {doing}{whose}"


def waiting(status: RunStatus, whom: str) -> str:
    """The place of a run in the queue, and how long until its turn: "3 ahead of you, about 2.1 s"."""
    seconds = f", about {formatting.seconds(status.wait_seconds)}" if status.wait_seconds else ""
    return f"{status.ahead} ahead of {whom}{seconds}"


def _wait(what: str) -> None:
    """Before the first checkpoint: what will be here, and the button that makes it so."""
    run, status = services.run(), services.status()
    live = is_live(status)
    if run is not None and (run.is_usable or (live and services.runner().snapshot(run.run_id) is not None)):
        st.rerun()
    failed = run is not None and run.status is RunState.FAILED
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):  # in the place of the line above
        if status is not None and live:
            if services.may_control():
                act_button(
                    "Stop", "trained", services.runner().stop, (services.run_id(), state.visitor()), help="End here"
                )
            else:
                make_mine_button("trained", services.run_id())
            st.markdown(waiting(status, "you") if status.ahead else "starting")
        else:
            label = "Train this model" if status is None else "Train again" if failed else "Go on training"
            if status is not None and not services.may_control():
                make_mine_button("trained", services.run_id())
            else:
                act = services.runner().submit
                act_button(label, "trained", act, (state.spec(), state.visitor()), type="primary")
                say_trouble()
            if failed:
                st.page_link(pages.path("train"), label="Change the settings")
        st.markdown(what)
    if run is not None and failed:
        st.warning(_failure(run))


def _failure(run: Run) -> str:
    """Why a run failed; where nothing else is known the sentence begins in the same way."""
    return formatting.escaped(run.error if run.error.startswith("Training failed") else f"Training failed: {run.error}")


def is_live(status: RunStatus | None) -> bool:
    """Whether what is on the page may change by itself."""
    return status is not None and (status.state.is_live or status.settling)
