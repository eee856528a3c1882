"""The server's side of a page: one runner and one store for everybody, and what the present run has to show."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import streamlit as st

from flowlab import catalog, formatting, views
from flowlab.dashboard.shell import state
from flowlab.datasets.dataset import Dataset
from flowlab.jobs import JobRunner, RunStatus, Snapshot
from flowlab.records import RunSpec
from flowlab.store.arrays import from_arrays
from flowlab.store.errors import RunNotFound
from flowlab.store.reading import Run
from flowlab.store.runs import RunStore
from flowlab.teaching.rooms import Rooms
from flowlab.views.film import Final

View = TypeVar("View")


def home() -> Path:
    """The folder of this server's runs and tables: FLOWLAB_HOME, by default .flowlab where the server was started."""
    return Path(os.environ.get("FLOWLAB_HOME", ".flowlab"))


@st.cache_resource(show_spinner=False)
def store() -> RunStore:
    """Where runs and tables are kept."""
    return RunStore(home())


@st.cache_resource(show_spinner=False)
def runner() -> JobRunner:
    """The one dispatcher of this server."""
    made = JobRunner(store())
    _made.append(made)
    return made


@st.cache_resource(show_spinner=False)
def rooms() -> Rooms:
    """The rooms of this server."""
    return Rooms()


_made: list[JobRunner] = []


def close() -> None:
    """Save what trains and end the workers, if any were started."""
    for made in _made:
        made.close()


AT_FULL_RATE = 6
"""So many visitors have pages that follow the training at their full rate."""


def tick_seconds(usual: float) -> float:
    """How often a page that follows the training is drawn anew: more seldom where many visitors are here."""
    return usual * max(1.0, runner().n_here() / AT_FULL_RATE)


def dataset(spec: RunSpec | None = None) -> Dataset:
    """The Dataset of a RunSpec (the present one by default); shared between visitors, so never change it."""
    return runner().dataset(spec or state.spec())


def table(spec: RunSpec | None = None) -> pd.DataFrame | None:
    """The uploaded table of a RunSpec (the present one by default), shared like its Dataset; None for other data."""
    digest = table_digest(spec)
    return store().get_table(digest) if digest else None


def table_digest(spec: RunSpec | None = None) -> str:
    """The digest of the uploaded table of a RunSpec, "" for other data."""
    data = (spec or state.spec()).data
    return str(data.params.get("digest", "")) if catalog.DATASETS[data.name].group == catalog.UPLOADED else ""


def run_id(spec: RunSpec | None = None) -> str:
    """The id of the run this visitor sees of a spec (the present one by default): their own copy, or the shared one."""
    return runner().run_id(spec or state.spec(), state.visitor())


def run(spec: RunSpec | None = None) -> Run | None:
    """The run of a spec as it stands on disk, or None if nobody has trained it here."""
    try:
        return store().load(run_id(spec))
    except RunNotFound:
        return None


def status(spec: RunSpec | None = None) -> RunStatus | None:
    """Where the run of a spec stands, or None before anybody started it."""
    return runner().status(run_id(spec))


def version(spec: RunSpec | None = None) -> tuple:
    """Changes when the run of a spec changes its state or its owner, and with the spec; it is cheap to ask for."""
    return runner().version(run_id(spec))


def may_control(spec: RunSpec | None = None) -> bool:
    """Whether this visitor may pause, stop, go on with or start again the run of a spec."""
    return runner().may_control(run_id(spec), state.visitor())


def train(spec: RunSpec | None = None) -> str:
    """Start (or go on with) the run of a spec for this visitor."""
    return runner().submit(spec or state.spec(), state.visitor())


def look(run: Run, place: str = "", again: bool = False) -> Snapshot | None:
    """What is shown of a run that is not finished: its newest checkpoint when this was first asked for `place`.

    It stays the same until another place is looked at, or until it is asked for `again`, so that pictures stand still
    while training goes on. None before the first checkpoint.
    """
    kept_place, kept = state.recall("snapshot", ("", None))
    if kept is None or again or (kept.run_id, kept.created, kept_place) != (run.run_id, run.created, place):
        kept = runner().snapshot(run.run_id)
        state.keep("snapshot", (place, kept))
    return kept


@dataclass(frozen=True, eq=False)
class Trained:
    """A run with something to look at: finished, or as a snapshot of its weights while it is not."""

    run: Run
    snapshot: Snapshot | None = None

    @property
    def version(self) -> str:
        """What pictures of it are computed from: a key for keeping them."""
        if self.snapshot is not None:
            return f"{self.snapshot.created} step {self.snapshot.step}"
        return f"{self.run.created} {self.run.status} {len(self.run.events)}"

    @property
    def key(self) -> str:
        """Names this state of this run."""
        return f"{self.run.run_id} {self.version}"

    @property
    def weights(self) -> Mapping[str, np.ndarray]:
        """The state of its model."""
        return (self.run.state or {}) if self.snapshot is None else self.snapshot.weights

    def view(self, compute: Callable[..., View], **kwargs: Any) -> View:
        """`compute(model, dataset, **kwargs)` of a room of `flowlab.views`, on the evaluation lane, and remembered."""
        name = f"{compute.__module__}.{compute.__qualname__}"
        settings = tuple(sorted(kwargs.items()))
        return _view(self.run.run_id, self.version, name, settings, compute, self.snapshot)


@st.cache_data(show_spinner=False, max_entries=300)
def _view(run_id: str, version: str, name: str, settings: tuple, _compute: Callable, _snapshot: Snapshot | None) -> Any:
    return runner().call(run_id, _compute, snapshot=_snapshot, **dict(settings))


def final(run: Run) -> Final | None:
    """What was stored when a run ended, or None while it has not."""
    return None if run.views is None else from_arrays(Final, run.views)


def anomaly_scores(trained: Trained) -> np.ndarray:
    """Anomaly score of every row of a run's data, as stored or else computed on the evaluation lane."""
    return (final(trained.run) or trained.view(views.final)).anomaly_score


def visitor_runs() -> list[Run]:
    """This visitor's runs, newest first."""
    runs = [run for run in store().list(state.visitor()) if is_known(run)]
    copied = {run.copy_of for run in runs}
    return [run for run in runs if run.run_id not in copied]


def is_known(run: Run) -> bool:
    """Whether this FlowLab has the data set and the model of a run; a newer one may have written it."""
    return run.spec.data.name in catalog.DATASETS and run.spec.model.name in catalog.MODELS


def spec_words(spec: RunSpec) -> str:
    """A run in a few words: "half moons · spline flow"."""
    fork = f" · {fork_words(spec)}" if spec.branch else ""
    return f"{data_words(spec)} · {catalog.MODELS[spec.model.name].label}{fork}"


def distinct_words(specs: Sequence[RunSpec]) -> list[str]:
    """Each spec in a few words; where several would have the same, with the settings in which they differ."""
    words = [spec_words(spec) for spec in specs]
    for text in set(words):
        alike = [i for i, own in enumerate(words) if own == text]
        group = [specs[i] for i in alike]
        data = catalog.differences(catalog.DATASETS[group[0].data.name], [spec.data for spec in group])
        model = catalog.differences(catalog.MODELS[group[0].model.name], [spec.model for spec in group])
        seeds = [f"seed {spec.seed}" if len({each.seed for each in group}) > 1 else "" for spec in group]
        for i, *more in zip(alike, data, model, seeds, strict=True):
            words[i] = " · ".join(part for part in (text, *more) if part)
    return words


def run_words(runs: Sequence[Run]) -> list[str]:
    """Each run in a few words: its name, if it has one, before `distinct_words`."""
    words = distinct_words([run.spec for run in runs])
    return [f"{run.label.name} · {text}" if run.label.name else text for run, text in zip(runs, words, strict=True)]


def tags_of(runs: Sequence[Run]) -> list[str]:
    """All tags of some runs, in the order of the alphabet."""
    return sorted({tag for run in runs for tag in run.label.tags}, key=str.lower)


def fork_words(spec: RunSpec) -> str:
    """Where a fork left its parent."""
    return f"forked at step {formatting.count(spec.branch[1])}" if spec.branch else ""


def data_words(spec: RunSpec) -> str:
    """The data in a few words: their name and how many rows."""
    return catalog.describe_data(spec.data)
