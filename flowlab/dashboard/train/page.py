"""The Train page: the buttons, the words about where training stands, the live stage, notes on the loss curve."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from flowlab import catalog, formatting, views
from flowlab.catalog.faults import faults_of, keeps_density
from flowlab.dashboard.canvas.live import live_view
from flowlab.dashboard.shell import distance, pages, services, state
from flowlab.dashboard.shell.run_status import carry_out, is_live
from flowlab.evaluation import loss_curve
from flowlab.evaluation.loss_curve import Answer, answers
from flowlab.jobs import RunStatus
from flowlab.models.base import FlowModel
from flowlab.records import RunSpec, RunState, TrainEvent
from flowlab.serving.canvas import TrainingScene, training_scene
from flowlab.serving.film import film_of_run, run_link
from flowlab.store.arrays import from_arrays
from flowlab.store.reading import Run
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


TICK_SECONDS = 0.2
SAVED = "Film, layers, loss and settings in one file that opens without a server"
RESUMABLE = (RunState.PAUSED, RunState.STOPPED, RunState.INTERRUPTED)


def page() -> None:
    """Buttons, words and pictures of the present run; they refresh themselves while it trains."""
    status = services.status()
    live = is_live(status)
    st.fragment(_tick, run_every=TICK_SECONDS if live else None)(live)


def _tick(was_live: bool) -> None:
    spec = state.spec()
    status = services.status()
    run = services.run()
    events = run.events if run else []
    if is_live(status):
        services.runner().watch(services.run_id())
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        _buttons(status)
        st.markdown(_standing(spec, status, events))
        if status is not None and status.state is RunState.DONE and not status.settling:
            st.page_link(pages.path("explore"), label="Explore it")
            st.page_link(pages.path("detect"), label="Set a threshold")
            if run is not None and run.is_usable:
                st.download_button("Save as HTML", page_maker(run), f"{run.run_id}.html", "text/html", help=SAVED)
    frames = run.frames if run else []
    shown = corrected(spec, events)
    frame = from_arrays(Frame, frames[-1]) if len(frames) else None
    live_view(scene(spec), frame, shown, key="live", gap=final_nats(run))
    _loss_notes(spec, run, shown, is_live(status))
    if was_live and not is_live(status):
        st.rerun()


def page_maker(run: Run) -> Callable[[], bytes]:
    """A function that gives the run as one HTML page; what only a page knows is asked here, before a click."""
    trained, dataset, link = services.Trained(run), services.dataset(run.spec), run_link(state.site(), run.spec)
    is_flow = issubclass(catalog.MODELS[run.spec.model.name].make, FlowModel)

    def make() -> bytes:
        layers = (trained.view(views.layers), trained.view(views.masks).transformed) if is_flow else ()
        return film_of_run(run, dataset, *layers, link=link).to_html().encode()

    return make


def _buttons(status: RunStatus | None) -> None:
    """Train or pause or go on, one step, stop, start again: always four, so that nothing moves."""
    now = status.state if status else None
    runner, run_id = services.runner(), services.run_id()
    label, act = {
        None: ("Train", services.train),
        RunState.QUEUED: ("Pause", lambda: runner.pause(run_id)),
        RunState.RUNNING: ("Pause", lambda: runner.pause(run_id)),
        RunState.PAUSED: ("Go on", lambda: runner.resume(run_id)),
        RunState.INTERRUPTED: ("Go on", services.train),
        RunState.STOPPED: ("Go on", services.train),
        RunState.FAILED: ("Train", services.train),
        RunState.DONE: ("Train", services.train),
    }[now]
    # a key for each label: a press on what has been replaced since is not taken for a press on what replaced it
    key = f"train.{label}"
    if st.button(label, type="primary", disabled=now in (RunState.DONE, RunState.FAILED), key=key, width=92):
        carry_out(act)
    can_stop = now is RunState.PAUSED or (now is not None and now.is_live)
    can_step = now in (None, *RESUMABLE)
    if st.button("One step", disabled=not can_step, key="train.step", help="One optimiser step, then pause"):
        carry_out(services.one_step)
    if st.button("Stop", disabled=not can_stop, key="train.stop", help="End here and keep the best weights"):
        carry_out(lambda: runner.stop(run_id))
    if st.button("Start again", disabled=now is None, key="train.again", help="Forget this run and train from step 0"):
        carry_out(lambda: runner.restart(run_id))


def _standing(spec: RunSpec, status: RunStatus | None, events: list[TrainEvent]) -> str:
    """One line of words: step, how far from the truth, speed, place in the queue, trouble."""
    if status is None:
        return "Press **Train**: the density forms on the left, the latent points on the right."
    parts = []
    if status.state is RunState.QUEUED:
        parts.append(
            f"{status.ahead} ahead of you, your turn every {formatting.seconds(status.turn_every_seconds)}"
            if status.ahead
            else "starting"
        )
    if events:
        last = events[-1]
        parts.append(f"step {formatting.count(last.step)} of {formatting.count(last.n_steps)}")
        gap = distance.of_run(services.run()) or distance.of_event(spec, last)
        if gap is not None:
            parts.append(f"**{gap.words()}**")
        if status.state is RunState.RUNNING and last.rows_per_second > 0:
            rate = last.rows_per_second
            parts.append(
                f"{formatting.count(round(rate / 1000))} thousand rows/s"
                if rate >= 1000
                else f"{formatting.number(rate)} rows/s"
            )
    if status.state in (*RESUMABLE, RunState.FAILED):
        parts.append(status.state)
    line = " · ".join(parts)
    notes = [e.note for e in events if e.note]
    for sentence in ([status.message] if status.message else []) + notes[-1:]:
        line += f" · {formatting.escaped(sentence)}"
    return line


def final_nats(run: Run | None) -> float | None:
    """Nats above the truth of a finished run; None while it trains, or where that is not known."""
    gap = distance.of_run(run)
    return None if gap is None else gap.nats


def corrected(spec: RunSpec, events: list[TrainEvent]) -> list[TrainEvent]:
    """Events of a run as they are drawn: `loss_curve.corrected`, where the exact density is known."""
    exact = distance.exact_validation_loss(spec)
    return events if exact is None else loss_curve.corrected(events, exact, services.dataset(spec).density.entropy())


def scene(spec: RunSpec) -> TrainingScene:
    """What stays of the picture while the run of a spec trains; also of its film."""
    return _scene(spec.data.to_json(), spec.model.to_json(), spec.seed, spec)


@st.cache_resource(show_spinner=False, max_entries=50)
def _scene(data_json: str, model_json: str, seed: int, _spec: RunSpec) -> TrainingScene:
    """What stays of the picture while this run trains."""
    model, dataset = catalog.make_model(_spec.model), services.dataset(_spec)
    return training_scene(model, dataset, keeps_density(_spec.model))
