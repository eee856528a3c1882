"""The sidebar: the data and the model of the present run as two cards, and the visitor's runs."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from flowlab import catalog, formatting
from flowlab.catalog import Entry
from flowlab.dashboard.shell import services, state, widgets
from flowlab.records import Spec

BUDGETS = (1, 5, 15)
"""Seconds of training one can ask for."""


def draw(is_open: bool = True) -> None:
    """Two cards to change the data and the model of the present run, and the visitor's runs to go back to.

    A closed card says what it holds and what of that differs from the defaults.
    """
    spec = state.spec()
    with st.expander(_card("Data", catalog.DATASETS, spec.data), expanded=is_open):
        _choose("data", "Data", catalog.DATASETS, spec.data.name)
        widgets.entry_settings("data", catalog.DATASETS[spec.data.name], spec.data)
    with st.expander(_card("Model", catalog.MODELS, spec.model), expanded=is_open):
        _choose("model", "Model", catalog.models_for(spec), spec.model.name)
        entry = catalog.MODELS[spec.model.name]
        if entry.blurb:
            st.caption(entry.blurb)
        widgets.entry_settings("model", entry, spec.model)
        if entry.make.can_time_steps:
            _budget()
        _seed(spec.seed)
    _runs()


def _grouped(entry: Entry) -> str:
    """A choice's name with its group behind it, where many stand in one list."""
    return entry.label if entry.group in ("", entry.label) else f"{entry.label} · {entry.group.lower()}"


def _card(part: str, entries: dict[str, Entry], spec: Spec) -> str:
    """A card's name: what is chosen, and what differs from the defaults."""
    entry = entries[spec.name]
    words = [entry.label, *catalog.differences(entry, [spec, Spec(spec.name)])[:1]]
    return formatting.escaped(f"{part}: {', '.join(word for word in words if word)}")


def _choose(part: str, label: str, entries: dict[str, Entry], present: str) -> None:
    names = [name for name, entry in entries.items() if entry.group != catalog.UPLOADED or name == present]
    key = state.widget_key("choose", part)

    def apply(name: str) -> None:
        state.change(part, name)

    st.selectbox(
        label,
        names,
        index=names.index(present),
        format_func=lambda name: _grouped(entries[name]),
        key=key,
        on_change=state.on_widget(key, apply),
        help="An own table is uploaded on the Data page." if part == "data" else None,
    )
    if st.button("What are these?", key=f"gallery.{part}", type="tertiary", help="Every choice with a sentence"):
        _gallery(part, entries, present)


@st.dialog("Choose", width="large")
def _gallery(part: str, entries: dict[str, Entry], present: str) -> None:
    """All data sets or models in their groups, each with a sentence."""
    groups: dict[str, list[str]] = {}
    for name, entry in entries.items():
        if entry.group != catalog.UPLOADED:
            groups.setdefault(entry.group, []).append(name)
    for group, names in groups.items():
        st.markdown(f"**{group}**")
        for name in names:
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                kind: Literal["primary", "secondary"] = "primary" if name == present else "secondary"
                if st.button(entries[name].label, key=f"gallery.{part}.{name}", type=kind, width=220):
                    state.change(part, name)
                    state.refresh_widgets()
                    st.rerun()
                st.markdown(formatting.escaped(entries[name].blurb))


def _budget() -> None:
    """Seconds instead of steps: measured on this machine, and then the steps stand in the link."""
    key = state.widget_key("budget")

    def apply(seconds: int | None) -> None:
        if seconds:
            state.change("model", n_steps=services.runner().steps_within(state.spec(), seconds))
            state.refresh_widgets()

    st.pills(
        "Steps for a time budget",
        BUDGETS,
        format_func=lambda seconds: f"{seconds} s",
        key=key,
        on_change=state.on_widget(key, apply),
        help="Measures this machine for a moment and sets the steps that fit.",
    )


def _seed(seed: int) -> None:
    key = state.widget_key("seed")
    st.number_input(
        "Seed",
        min_value=0,
        max_value=999_999_999,
        value=seed,
        key=key,
        on_change=state.on_widget(key, state.change_seed),
        help="Division of the rows, initial weights and the batches: the same link gives the same weights.",
    )


def _runs() -> None:
    runs = services.visitor_runs()
    if not runs:
        return
    with st.expander(f"Your runs ({len(runs)})"):
        tags = services.tags_of(runs)
        tag = st.pills("With the tag", tags, format_func=formatting.escaped, key="runs.tag") if tags else None
        shown = [run for run in runs if tag is None or tag in run.label.tags][:20]
        for run, words in zip(shown, services.run_words(shown), strict=True):
            label = f"{words} · {run.status}"
            if run.label.tags:
                label += f" · {run.label.tags_text}"
            if st.button(
                formatting.escaped(label), key=state.widget_key("run", run.run_id), width="stretch", type="tertiary"
            ):
                state.show(run.spec)
                st.rerun()
