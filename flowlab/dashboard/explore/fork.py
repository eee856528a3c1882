"""Forks: from any frame of the film a new run goes on with other settings, and races its family on one chart."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from flowlab import catalog, formatting
from flowlab.controls import Number
from flowlab.dashboard.canvas.race import Racer, race_view
from flowlab.dashboard.explore.scene import Scene
from flowlab.dashboard.shell import pages, services, state, widgets
from flowlab.dashboard.shell.run_status import is_live
from flowlab.dashboard.train import page
from flowlab.evaluation import loss_curve
from flowlab.jobs import forks
from flowlab.records import RunSpec, Scalar, Spec
from flowlab.store.reading import Run

SETTINGS = ("learning_rate", "n_steps", "noise")
MOST_RACERS = 8
TICK_SECONDS = 1.5


def panel(scene: Scene, step: int) -> None:
    """The settings of a fork at `step`, and the button that begins it and shows it train."""
    spec = state.spec()
    entry = catalog.MODELS[spec.model.name]
    controls = [c for c in entry.controls if c.learning and c.name in SETTINGS and isinstance(c, Number)]
    if not controls:
        st.caption(f"{entry.label} has no settings of learning that a fork could change.")
        return
    values = entry.complete(spec.model).params
    with st.popover(f"Fork from step {formatting.count(step)}", help="A new run takes over the weights of this frame."):
        settings = {}
        for control in controls:
            proposed = _proposed(control, values[control.name], step)
            key = f"fork.{scene.run.run_id}.{control.name}.{proposed}"
            settings[control.name] = widgets.number_box(control, proposed, key)
        fork = catalog.tidy(replace(spec, model=Spec(spec.model.name, {**spec.model.params, **settings})))[0]
        fork = forks.fork_spec(services.store(), scene.run, step, fork)
        problem = catalog.fork_problem(spec, fork)
        pressed = st.button("Begin the fork", type="primary", key="fork.begin", disabled=bool(problem))
        st.caption(formatting.escaped(problem) or "It goes on from here with these settings, as a run of its own.")
        if pressed:
            _begin(fork)


def _begin(fork: RunSpec) -> None:
    try:
        services.train(fork)
    except (ValueError, RuntimeError) as error:
        st.error(formatting.escaped(error))
        return
    state.show(fork)
    st.switch_page(pages.path("train"), query_params=state.query("train"))


def _proposed(control: Number, value: Scalar, step: int) -> Scalar:
    """The run's own setting; from its last frame there must be further steps to take."""
    too_few = control.name == "n_steps" and not isinstance(value, str) and value <= step
    return control.read(2 * step)[0] if too_few else value


def family(scene: Scene) -> list[Run]:
    """This run and what it is related to by forks of this visitor's."""
    return forks.family(services.store(), scene.run, state.visitor())


def race(scene: Scene, family: list[Run]) -> None:
    """The losses of a family of runs, drawn again while one of them trains."""
    if len(family) > 1:
        live = _is_any_live(family)
        st.fragment(_race, run_every=TICK_SECONDS if live else None)(scene, live)


def _race(scene: Scene, was_live: bool) -> None:
    runs = family(scene)
    specs = {run.run_id: run.spec for run in runs}
    racing = [run for run in runs if run.events]
    present = next(run for run in runs if run.run_id == scene.run.run_id)
    drawn = _most(racing, present)
    curves: dict[str, loss_curve.Curve] = {}
    for run in racing:  # a parent comes before its forks
        origin, step = run.spec.branch or ("", 0)
        curves[run.run_id] = loss_curve.own_losses(page.corrected(run.spec, run.events), step, curves.get(origin))
    racers = [
        Racer(
            _name(run, specs),
            curves[run.run_id][0].tolist(),
            curves[run.run_id][1].tolist(),
            run.spec.branch[1] if run.spec.branch else 0,
            run is present,
        )
        for run in drawn
    ]
    look = page.scene(scene.run.spec)
    n_steps = max((run.events[-1].n_steps for run in drawn), default=1)
    race_view(racers, n_steps, look.loss_unit, look.entropy, key="explore.race")
    st.caption("Rings: where a fork left the run before it. The run of this page is the thick line.")
    if len(drawn) < len(racing):
        st.caption(f"{formatting.plural(len(racing) - len(drawn), 'older fork')} not shown.")
    for run in runs:
        if run.status == "failed":
            st.warning(formatting.escaped(f"The run {_name(run, specs)} failed: {run.error}"))
    if was_live and not _is_any_live(runs):
        st.rerun()


def _most(family: list[Run], present: Run) -> list[Run]:
    """The first run, the present one and the newest others, in their order."""
    newest = sorted(family[1:], key=lambda run: (run is present, run.created), reverse=True)
    kept = {run.run_id for run in (*family[:1], *newest[: MOST_RACERS - 1])}
    return [run for run in family if run.run_id in kept]


def _name(run: Run, specs: dict[str, RunSpec]) -> str:
    """ "step 500: learning rate 0.001"; the run all began with is the first."""
    if run.spec.branch is None or run.spec.branch[0] not in specs:
        return "first run"
    parent, step = run.spec.branch
    return f"step {formatting.count(step)}: {forks.differences(specs[parent], run.spec)}"


def _is_any_live(runs: list[Run]) -> bool:
    runner = services.runner()
    return any(is_live(runner.status(run.run_id)) for run in runs)
