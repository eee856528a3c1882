"""Forks: from any frame of the film a new training goes on with other settings, and races the present one."""

from __future__ import annotations

import streamlit as st

from flowlab import catalog
from flowlab.catalog import Entry
from flowlab.plots.race import Racer, loss_race
from flowlab.records import RunSpec, Spec
from flowlab.runs import Run
from pages.ui import engine, state, training, widgets, words
from pages.ui.explore import PLOT, Scene

SETTINGS = ("learning_rate", "n_steps", "batch_size", "noise", "weight_decay")
"""What a fork may change: nothing that changes the model's shape."""
LIVE = ("queued", "running")


def panel(scene: Scene, step: int) -> None:
    """The settings of a fork at `step`, and the race of the forks so far."""
    spec = state.spec()
    entry = catalog.MODELS[spec.model.name]
    controls = [control for control in entry.controls if control.name in SETTINGS]
    if not controls:
        return
    with st.expander(f"Fork the training at step {words.count(step)}"):
        changed = _settings(entry, spec, controls)
        fork = RunSpec(spec.data, Spec(spec.model.name, {**spec.model.params, **changed}), spec.seed)
        fork = catalog.tidy(fork)[0]
        same = catalog.run_id(fork) == scene.run.run_id
        if st.button("Fork here", type="primary", disabled=same, help="Change a setting first" if same else None):
            engine.runner().fork(scene.run.run_id, step, fork, state.visitor())
            st.rerun()
    forks = [run for run in engine.visitor_runs() if run.parent and run.parent["run_id"] == scene.run.run_id]
    if forks:
        live = any(_state(run) in LIVE for run in forks)
        st.fragment(_race, run_every=1.5 if live else None)(scene, [run.run_id for run in forks], live)


def _settings(entry: Entry, spec: RunSpec, controls: list) -> dict:
    values = entry.complete(spec.model).params
    columns = st.columns(len(controls))
    chosen = {}
    for column, control in zip(columns, controls, strict=True):
        with column:
            chosen[control.name] = widgets.edit(
                control, values[control.name], state.widget_key("fork", entry.name, control.name)
            )
    return chosen


def _race(scene: Scene, fork_ids: list[str], was_live: bool) -> None:
    """Losses of the present run and its forks; draws itself again while one of them trains."""
    forks = [engine.store().load(run_id) for run_id in fork_ids]
    racers = [_racer("this run", scene.run)] + [_racer(_difference(scene.run.spec, run), run) for run in forks]
    label = catalog.make_model(scene.run.spec.model).loss_label
    floor = training.exact_validation_loss(scene.run.spec)
    st.plotly_chart(loss_race(racers, label, floor, scene.dark), theme=None, config=PLOT, key="explore.race")
    for run in forks:
        if _state(run) in LIVE and st.button(f"Stop {_difference(scene.run.spec, run)}", key=f"fork.stop.{run.run_id}"):
            engine.runner().stop(run.run_id)
        if run.status == "failed":
            st.warning(words.plain(f"The fork failed: {run.error}"))
    if was_live and not any(_state(run) in LIVE for run in forks):
        st.rerun()


def _racer(name: str, run: Run) -> Racer:
    events = run.events
    start = int(run.parent["step"]) if run.parent else 0
    return Racer(name, [e.step for e in events], [e.val_loss for e in events], start)


def _difference(base: RunSpec, run: Run) -> str:
    """What a fork changed, in words: "step 500: learning rate 0.001"."""
    entry = catalog.MODELS[base.model.name]
    old, new = entry.complete(base.model).params, entry.complete(run.spec.model).params
    parts = [
        f"{control.label.lower()} {new[control.name]:g}"
        for control in entry.controls
        if control.name in SETTINGS and old[control.name] != new[control.name]
    ]
    return f"from step {run.parent['step']}: {', '.join(parts)}"


def _state(run: Run) -> str:
    status = engine.runner().status(run.run_id)
    return status.state if status else run.status
