"""The first line of a page: in words, what one is looking at. It is a link to exactly this state."""

from __future__ import annotations

import math

import streamlit as st

from flowlab import catalog, formatting
from flowlab.catalog.faults import faults_of, keeps_density
from flowlab.dashboard.shell import distance, label, services, share, state
from flowlab.models.detector import Detector
from flowlab.records import RunState
from flowlab.store.reading import Run

POLL_SECONDS = 0.8
"""How often a page looks whether its run has changed: a page shows within a second what others did."""


def draw(page: str, words: str = "") -> None:
    """Data, model, how far from the truth or how good on validation rows, how long it took; or `words` instead."""
    line = f"#### [{formatting.escaped(words) or sentence()}]({state.link_to(page)})"
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="headline"):
        st.fragment(_line, run_every=POLL_SECONDS)(line, None if words else services.version())
        share.draw(page)
        if not words:
            label.draw()


def _line(line: str, version: tuple | None) -> None:
    """The line, and a look at whether the run is still what the page shows: who else starts, pauses or ends it."""
    services.runner().greet(state.visitor())
    if version is not None and services.version() != version:
        st.rerun()
    st.markdown(line)


def sentence() -> str:
    """The line's text, safe for markdown."""
    spec = state.spec()
    run = services.run()
    parts = [run.label.name] if run is not None and run.label.name else []
    parts += [services.data_words(spec), catalog.describe(catalog.MODELS[spec.model.name], spec.model)]
    parts += [f"broken on purpose: {fault.words}" for fault in faults_of(spec.model)]
    if spec.branch:
        parts.append(services.fork_words(spec))
    if run is None:
        parts.append("not trained yet")
    else:
        parts += _result(run)
    return " · ".join(formatting.escaped(part) for part in parts)


def _result(run: Run) -> list[str]:
    if run.status is RunState.FAILED:
        return ["training failed"]
    status = services.status()
    if status is not None and status.state.is_live:
        return ["in training"]
    events = run.events
    if not events:
        return [run.status]
    parts = []
    gap = distance.of_run(run) or distance.of_event(run.spec, events[-1])
    model = catalog.make_model(run.spec.model)
    # the loss of a detector is that of one of its flows, which says nothing of how it detects
    means_something = keeps_density(run.spec.model) and model.loss_label != Detector.loss_label
    if gap is not None:
        parts.append(gap.words())
    elif math.isfinite(events[-1].val_loss) and means_something:
        unit = model.loss_label
        parts.append(f"validation {unit.split(' (')[0]} {formatting.loss(events[-1].val_loss, unit)}")
    done = run.status is RunState.DONE
    standing = run.status if status is None else status.state
    verb = "trained in" if done else f"{standing} after"
    parts.append(f"{verb} {formatting.seconds(events[-1].seconds)}")
    return parts
