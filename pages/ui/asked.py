"""Answers under the stage of the Train page, to what people ask when they look at the loss of this run."""

from __future__ import annotations

import math

import numpy as np
import streamlit as st

from flowlab import catalog, views
from flowlab.catalog.faults import faults_of, keeps_density
from flowlab.evaluation.loss_curve import Answer, answers
from flowlab.records import RunSpec, TrainEvent
from flowlab.store.reading import Run
from pages.ui import engine, words


def draw(spec: RunSpec, run: Run | None, events: list[TrainEvent], is_live: bool) -> None:
    """The most pressing answer, if there is any; the others fold away below it once training rests.

    It is the last thing on the page, so that nothing moves when it comes or goes.
    """
    if run is None or not events:
        return
    model = catalog.make_model(spec.model)
    dataset = engine.dataset(spec)
    density = dataset.truth_for(model)
    found = [Answer("fault", f"Broken on purpose: {fault.words}.", fault.what) for fault in faults_of(spec.model)]
    found += answers(
        events,
        len(views.judged(model, dataset)),
        unit="nats" if model.is_density and keeps_density(spec.model) else "",
        entropy=None if density is None else density.entropy(),
        loss_error=None if density is None else _loss_error(spec.data.to_json(), spec.seed, spec),
        notes=_notes(run),
        is_over=run.is_usable,
        is_one_training=not hasattr(model, "n_flows"),
    )
    with st.container(key="answers", gap="small"):
        for i, answer in enumerate(found[:1] if is_live else found):
            text = words.plain(answer.text)
            if i == 0:
                st.markdown(f"**{answer.title}** {text}")
            else:
                st.expander(answer.title).markdown(text)


def _notes(run: Run) -> list[str]:
    """What a finished model says of its own limits."""
    state = run.state or {}
    return [str(note) for note in state.get("notes", ())]


@st.cache_data(show_spinner=False, max_entries=50)
def _loss_error(data_json: str, seed: int, _spec: RunSpec) -> float | None:
    """Standard error, in nats, of the exact density's mean loss over the validation rows."""
    dataset = engine.dataset(_spec)
    losses = -dataset.density.log_density(dataset.part("monitor"))
    return float(np.std(losses) / math.sqrt(len(losses))) if len(losses) else None
