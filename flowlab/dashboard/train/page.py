"""The Train page: the buttons, the words about where training stands, the live stage, notes on the loss curve."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import streamlit as st

from flowlab import catalog, formatting, views
from flowlab.catalog.faults import faults_of, keeps_density
from flowlab.catalog.models import NFLOWS
from flowlab.controls import Number
from flowlab.dashboard.canvas.live import Beside, live_view
from flowlab.dashboard.shell import distance, pages, services, state
from flowlab.dashboard.shell.run_status import act_button, is_live, make_mine_button, say_trouble, waiting
from flowlab.evaluation import loss_curve
from flowlab.evaluation.loss_curve import Answer, answers
from flowlab.jobs import RunStatus, forks
from flowlab.models.base import FlowModel
from flowlab.records import RunSpec, RunState, Spec, TrainEvent
from flowlab.serving.canvas import TrainingScene, training_scene
from flowlab.serving.film import film_of_run, run_link
from flowlab.store.arrays import from_arrays
from flowlab.store.reading import Run
from flowlab.views.estimate import TrainingEstimate
from flowlab.views.film import Frame


def _loss_notes(spec: RunSpec, run: Run | None, events: list[TrainEvent], first_only: bool) -> None:
    """The most pressing answer, if there is any; the others fold away below it once training rests.

    It is the last thing on the page, so that nothing moves when it comes or goes.
    """
    if run is None or not events:
        return
    model = catalog.make_model(spec.model)
    dataset = services.dataset(spec)
    is_likelihood = model.loss_is_likelihood and not model.score_is_bound and keeps_density(spec.model)
    density = dataset.truth_for(model)
    gap = distance.of_run(run)
    found = [Answer("fault", f"Broken on purpose: {fault.words}.", fault.what) for fault in faults_of(spec.model)]
    found += answers(
        events,
        len(views.judged(model, dataset)),
        unit="nats" if is_likelihood else "",
        n_scaling=dataset.n_scaling,
        entropy=density.entropy() if density is not None and is_likelihood else None,
        gap=None if gap is None or not is_likelihood else (gap.nats, gap.error),
        notes=_notes(run),
        is_over=run.is_usable,
        is_one_training=not model.is_ensemble,
    )
    with st.container(key="answers", gap="small"):
        for i, answer in enumerate(found[:1] if first_only else found):
            text = formatting.escaped(answer.text)
            if i == 0:
                st.markdown(f"**{answer.title}** {text}")
            else:
                st.expander(answer.title).markdown(text)


def _notes(run: Run) -> list[str]:
    """What a finished model says of its own limits."""
    state = run.state or {}
    return [str(note) for note in state.get("notes", ())]


PAGE = "train"
ONE_ORDER = (
    "With one column there is only one order: permutations and masks change nothing. Affine layers then shift and "
    "scale a Gaussian and leave it one; the bins of a spline shape it."
)
TICK_SECONDS = 0.2
ESTIMATE_SECONDS = 1.0
"""How long settings rest before it is found out what training takes, and how often that is asked for."""
INVITATION = "Press **Train**: the density forms on the left, the latent points on the right."
SAVED = "Film, layers, loss and settings in one file that opens without a server"
RESUMABLE = (RunState.PAUSED, RunState.STOPPED, RunState.INTERRUPTED)
WELCOME = "Watch a flow learn data: press **Train**, or take the [first lesson](/learn?learn.lesson=change)."


def page() -> None:
    """Buttons, words and pictures of the present run, and of one beside it; they refresh themselves while it trains."""
    other = _beside()
    if other is None:
        _watch(state.spec(), PAGE, None)
    else:
        both = ((state.spec(), PAGE, other), (other, "beside", state.spec()))
        for column, (spec, place, twin) in zip(st.columns(2, gap="medium"), both):
            with column:
                st.markdown(f"**{formatting.escaped(catalog.describe(catalog.MODELS[spec.model.name], spec.model))}**")
                _watch(spec, place, twin)
    if state.is_presenting():
        return
    if _has_one_order(state.spec()):
        st.caption(ONE_ORDER)
    _choose_beside()


def _beside() -> RunSpec | None:
    """The run that is watched beside the present one: another model on the same data, as the link says."""
    name = state.view(PAGE, "beside", "")
    if name not in catalog.MODELS:
        return None
    spec = state.spec()
    return catalog.tidy(RunSpec(spec.data, Spec(name), spec.seed))[0]


def _has_one_order(spec: RunSpec) -> bool:
    """Whether a flow that takes columns in turn, or in an order, has a single one."""
    entry = catalog.MODELS[spec.model.name]
    ordered = entry.group == NFLOWS or {"permutation", "mask"} & {control.name for control in entry.controls}
    return bool(ordered) and len(services.dataset(spec).judged) == 1


def _choose_beside() -> None:
    """The other model; below the stage, so that nothing moves."""
    names = ["", *(name for name in catalog.MODELS if name != state.spec().model.name)]
    chosen = state.view(PAGE, "beside", "")
    key = state.widget_key(PAGE, "beside")
    st.selectbox(
        "Watch another model beside it",
        names,
        index=names.index(chosen) if chosen in names else 0,
        format_func=lambda name: catalog.MODELS[name].label if name else "Watch another model beside it",
        key=key,
        label_visibility="collapsed",
        width=320,
        on_change=state.on_widget(key, lambda name: state.set_view(PAGE, beside=name or None)),
    )


def _watch(spec: RunSpec, place: str, twin: RunSpec | None) -> None:
    live = any(is_live(services.status(each)) for each in (spec, twin) if each is not None)
    every = services.tick_seconds(TICK_SECONDS) if live else None
    if every is None and twin is None and _is_estimated(spec):
        every = ESTIMATE_SECONDS if _estimate(spec) is None else None
    st.fragment(_tick, run_every=every)(spec, services.version(spec), place, twin, every == ESTIMATE_SECONDS)


def _is_estimated(spec: RunSpec) -> bool:
    """Whether the page says what training will take: before it, to who asks for more than the first example."""
    return services.status(spec) is None and not _is_first_visit(None) and not state.is_presenting()


def _estimate(spec: RunSpec) -> TrainingEstimate | None:
    """What training will take, None while that is not known; it is measured once the settings have rested a while."""
    name = services.run_id(spec)
    seen, since = state.recall("estimate", ("", 0.0))
    if seen != name:
        state.keep("estimate", (name, time.monotonic()))
        return services.runner().estimate(spec, begin=False)
    return services.runner().estimate(spec, begin=time.monotonic() - since >= ESTIMATE_SECONDS / 2)


def _tick(spec: RunSpec, version: tuple, place: str, twin: RunSpec | None, waits: bool) -> None:
    if services.version(spec) != version or (waits and _estimate(spec) is not None):
        st.rerun()  # for the first line of the page too
    status = services.status(spec)
    run = services.run(spec)
    events = run.events if run else []
    if is_live(status):
        services.runner().watch(services.run_id(spec))
    if place == PAGE and _is_first_visit(status):
        words = WELCOME
    else:
        words = _standing(spec, status, run, events, with_speed=twin is None)
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        _buttons(spec, status, run, place)
        if twin is None:
            st.markdown(words)
        is_over = status is not None and status.state is RunState.DONE and not status.settling
        if is_over and twin is None and not state.is_presenting():
            st.page_link(pages.path("explore"), label="Explore it")
            st.page_link(pages.path("detect"), label="Set a threshold")
            if run is not None and run.is_usable:
                st.download_button("Save as HTML", page_maker(run), f"{run.run_id}.html", "text/html", help=SAVED)
    if twin is not None:  # a line of its own, so that the pictures of both stay side by side
        st.markdown(words)
    say_trouble()
    shown = corrected(spec, events)
    frame, ghost_of = _picture(spec, run, place)
    key = "live" if place == PAGE else place
    beside = None if twin is None else Beside(scene(twin), _shown_events(twin))
    live_view(scene(spec), frame, shown, key, final_nats(run), ghost_of, beside)
    if place == PAGE and not state.is_presenting():
        _loss_notes(spec, run, shown, is_live(status))


def _shown_events(spec: RunSpec) -> list[TrainEvent]:
    run = services.run(spec)
    return corrected(spec, run.events) if run else []


def _is_first_visit(status: RunStatus | None) -> bool:
    """Whether the reader has done nothing yet: neither pressed a button nor come by a link, nor changed a setting."""
    rests = status is None or not status.state.is_live
    return rests and state.spec() == catalog.DEFAULT and not state.recall("has acted")


def _picture(spec: RunSpec, run: Run | None, place: str) -> tuple[Frame | None, str]:
    """The newest frame of the run; before there is one, what the last model learned of these data, and its name."""
    data = (spec.data.to_json(), spec.seed)
    if run is not None and len(run.frames):
        frame = from_arrays(Frame, run.frames[-1])
        name = catalog.describe(catalog.MODELS[spec.model.name], spec.model)
        state.keep(f"ghost.{place}", (data, frame, f"{name}, step {formatting.count(run.frames.steps[-1])}"))
        return frame, ""
    kept, frame, words = state.recall(f"ghost.{place}", (None, None, ""))
    return (frame, words) if kept == data else (None, "")


def page_maker(run: Run) -> Callable[[], bytes]:
    """A function that gives the run as one HTML page; what only a page knows is asked here, before a click."""
    trained, dataset, site = services.Trained(run), services.dataset(run.spec), state.site()
    link = run_link(site, run.spec) if site else ""  # a file that is opened elsewhere has no use for half an address
    is_flow = issubclass(catalog.MODELS[run.spec.model.name].make, FlowModel)

    def make() -> bytes:
        layers, moved = (trained.view(views.layers), trained.view(views.masks).transformed) if is_flow else (None, None)
        return film_of_run(run, dataset, layers, moved, link=link).to_html().encode()

    return make


def _buttons(spec: RunSpec, status: RunStatus | None, run: Run | None, place: str) -> None:
    """Train or pause or go on, one step, stop, start again: always four, so that nothing moves; one for guests."""
    now = status.state if status else None
    runner, run_id, visitor = services.runner(), services.run_id(spec), state.visitor()
    button = partial(act_button, place=place)
    if now not in (None, RunState.DONE) and not services.may_control(spec):
        make_mine_button(place, run_id)
        return
    first: dict[str, Any] = {"type": "primary", "width": "content" if state.is_presenting() else 112}
    longer = _longer(spec, run) if now is RunState.DONE else None
    if now in (RunState.QUEUED, RunState.RUNNING):
        button("Pause", act=runner.pause, args=(run_id, visitor), **first)
    elif now in RESUMABLE:
        button("Go on", act=runner.submit, args=(spec, visitor), **first)
    elif longer is not None and place == PAGE:
        help = f"Go on from here to step {formatting.count(int(longer.model.params['n_steps']))}, as a run of its own"
        button("Train longer", act=_train_longer, args=(longer,), help=help, **first)
    else:
        button("Train", act=runner.submit, args=(spec, visitor), disabled=now is RunState.DONE, **first)
    can_stop = now is RunState.PAUSED or (now is not None and now.is_live)
    can_step = now in (None, *RESUMABLE)
    step = partial(runner.submit, n_steps=1)
    button("One step", act=step, args=(spec, visitor), disabled=not can_step, help="One optimiser step, then pause")
    help = "End here and keep the best weights"
    button("Stop", act=runner.stop, args=(run_id, visitor), disabled=not can_stop, help=help)
    over = now in (RunState.DONE, RunState.STOPPED)
    help = "From step 0, beside this one, which it replaces when done" if over else "Forget this run, from step 0"
    button("Start again", act=runner.restart, args=(run_id, visitor), disabled=now is None, help=help)
    if run is not None and run.copy_of:
        help = "Give up your own copy and see the run that all share"
        button("Shared run", act=runner.drop_copy, args=(run_id, visitor), help=help)


def _longer(spec: RunSpec, run: Run | None) -> RunSpec | None:
    """The fork that trains a finished run for twice its steps; None where its model has no such setting."""
    entry = catalog.MODELS[spec.model.name]
    control = next((c for c in entry.controls if c.name == "n_steps" and c.learning and isinstance(c, Number)), None)
    if run is None or not run.events or control is None:
        return None
    last = run.events[-1].step
    n_steps = int(control.read(2 * last)[0])
    if n_steps <= last:
        return None
    model = Spec(spec.model.name, {**spec.model.params, "n_steps": n_steps})
    fork = forks.fork_spec(services.store(), run, last, replace(spec, model=model))
    return None if catalog.fork_problem(spec, fork) else catalog.tidy(fork)[0]


def _train_longer(fork: RunSpec) -> None:
    services.train(fork)
    state.show(fork)


def _standing(
    spec: RunSpec, status: RunStatus | None, run: Run | None, events: list[TrainEvent], with_speed: bool = True
) -> str:
    """One line of words: step, how far from the truth, speed, place in the queue, trouble."""
    if status is None:
        found = _estimate(spec) if with_speed and _is_estimated(spec) else None
        return found.sentence if found is not None and found.sentence else INVITATION
    parts = []
    if status.state is RunState.QUEUED:
        parts.append(
            f"{waiting(status, 'you')}, your turn every {formatting.seconds(status.turn_every_seconds)}"
            if status.ahead
            else "starting"
        )
    if events:
        last = events[-1]
        parts.append(f"step {formatting.count(last.step)} of {formatting.count(last.n_steps)}")
        gap = distance.of_run(run) or distance.of_event(spec, last)
        if gap is not None:
            parts.append(f"**{gap.words()}**")
        if with_speed and status.state is RunState.RUNNING and last.rows_per_second > 0:
            parts.append(_speed(last, spec))
    if status.state in (*RESUMABLE, RunState.FAILED):
        parts.append(status.state)
    if run is not None and run.copy_of:
        parts.append("your copy")
    elif status.state is not RunState.DONE and not services.may_control(spec):
        parts.append("somebody else's")
    line = " · ".join(parts)
    notes = [e.note for e in events if e.note]
    for sentence in ([status.message] if status.message else []) + notes[-1:]:
        line += f" · {formatting.escaped(sentence)}"
    return line


def _speed(last: TrainEvent, spec: RunSpec) -> str:
    """Rows a second, and steps where a step is a batch of so many rows."""
    rate = last.rows_per_second
    rows = (
        f"{formatting.count(round(rate / 1000))} thousand rows/s"
        if rate >= 1000
        else f"{formatting.number(rate)} rows/s"
    )
    values = catalog.MODELS[spec.model.name].complete(spec.model).params
    if "batch_size" not in values:
        return rows
    batch = min(int(values["batch_size"]), len(services.dataset(spec).fitting_rows()))
    return f"{formatting.number(rate / batch)} steps/s, {rows}"


def final_nats(run: Run | None) -> float | None:
    """Nats above the truth of a finished run; None while it trains, or where that is not known."""
    gap = distance.of_run(run)
    return None if gap is None else gap.nats


def corrected(spec: RunSpec, events: list[TrainEvent]) -> list[TrainEvent]:
    """Events of a run as they are drawn: `loss_curve.corrected`, where the exact density is known."""
    exact, density = distance.exact_validation_loss(spec), services.dataset(spec).density
    return events if exact is None or density is None else loss_curve.corrected(events, exact, density.entropy())


def scene(spec: RunSpec) -> TrainingScene:
    """What stays of the picture while the run of a spec trains; also of its film."""
    return _scene(spec.data.to_json(), spec.model.to_json(), spec.seed, spec)


@st.cache_resource(show_spinner=False, max_entries=50)
def _scene(data_json: str, model_json: str, seed: int, _spec: RunSpec) -> TrainingScene:
    """What stays of the picture while this run trains."""
    model, dataset = catalog.make_model(_spec.model), services.dataset(_spec)
    return training_scene(model, dataset, keeps_density(_spec.model))
