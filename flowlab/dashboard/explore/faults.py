"""Break it on purpose, beside the trust badge: the same run with one fault, what will happen, and the way back."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from flowlab import catalog, formatting, views
from flowlab.catalog.faults import BREAKABLE, FAULTS, Fault, breaks, faults_of, mended
from flowlab.dashboard.explore.scene import Scene
from flowlab.dashboard.shell import services, state
from flowlab.records import RunSpec


def notice(measured: list[str]) -> None:
    """If the present model is broken on purpose: how, what that does, and the button back to the sound model.

    `measured` are the names of the findings there are: not every one applies to every table.
    """
    spec = state.spec()
    present = faults_of(spec.model)
    if not present:
        return
    with st.container(border=True):
        said, back = st.columns([4.6, 1.4], vertical_alignment="center", gap="medium")
        said.markdown(" ".join(f"**Broken on purpose: {fault.words}.** {_what(fault, measured)}" for fault in present))
        if back.button("Back to the sound model", type="primary", key="faults.back", width="stretch"):
            _look(_sound(spec))


def panel(scene: Scene, measured: list[str]) -> None:
    """One button for each fault this model can be given, with what will happen and which finding tells."""
    spec = state.spec()
    if spec.model.name not in BREAKABLE:
        return
    moved = scene.view(views.masks).transformed[0]
    broken = breaks(spec.model, len(moved), moved.tolist())
    present = {fault.name for fault in faults_of(spec.model)}
    st.markdown("**Break it on purpose**")
    st.caption("The same data, seed and settings with one fault, trained anew: does the badge tell?")
    for name, model in broken.items():
        fault = FAULTS[name]
        if not set(fault.caught_by) & set(measured):
            continue
        button, why = st.columns([2.2, 6.3], vertical_alignment="center")
        pressed = button.button(fault.label, key=f"faults.{name}", disabled=name in present, width="stretch")
        other = catalog.MODELS[model.name].label.lower()
        elsewhere = f"Changes to the {other}. " if model.name != spec.model.name else ""
        why.markdown(elsewhere + _what(fault, measured))
        if pressed:
            new = replace(spec, model=model, parent="")
            state.keep(f"sound.{services.run_id(new)}", _sound(spec))
            _look(new)


def _sound(spec: RunSpec) -> RunSpec:
    """What was looked at before something was broken; behind a link, the same model without its faults."""
    if not faults_of(spec.model):
        return spec
    return state.recall(f"sound.{services.run_id(spec)}") or replace(spec, model=mended(spec.model), parent="")


def _what(fault: Fault, measured: list[str]) -> str:
    """What a fault does, and which of the findings tell of it."""
    findings = [f"**{finding}**" for finding in fault.caught_by if finding in measured]
    return formatting.escaped(fault.what) + (f" Caught by: {', '.join(findings)}." if findings else "")


def _look(spec: RunSpec) -> None:
    try:
        services.train(spec)
    except (ValueError, RuntimeError) as error:
        st.error(formatting.escaped(error))
        return
    state.show(spec)
    st.rerun()
