"""What runs in a worker: a slice of training, or a view of a trained model. No file, no queue, no page.

Both are functions of what they are given, so it does not matter which worker carries them out, or how often.
Workers keep data sets and models they have seen; what they lack they ask for by answering `Needs`.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from flowlab import catalog
from flowlab.models import base
from flowlab.records import RunSpec, TrainEvent

if TYPE_CHECKING:
    from flowlab.datasets.dataset import Dataset
    from flowlab.models.base import DensityModel

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class SliceResult:
    """What a slice brought.

    `checkpoint` is where the next slice goes on; `frame` a picture of the model, if one was asked for; when
    `finished`, `state` is the fitted estimator and `views` what pages draw. `seconds` is the time spent on steps.
    """

    checkpoint: Arrays
    events: tuple[TrainEvent, ...]
    frame: Arrays | None
    finished: bool
    seconds: float
    state: Arrays | None = None
    views: Arrays | None = None


@dataclass(frozen=True)
class Needs:
    """The worker does not hold the data set, or the model: send it along."""

    data: bool = False
    state: bool = False


class Recent:
    """The few values used last, by key; shared by the threads of one worker."""

    def __init__(self, size: int) -> None:
        self._size, self._values, self._lock = size, OrderedDict(), threading.Lock()

    def get(self, key):
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key, value):
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            while len(self._values) > self._size:
                self._values.popitem(last=False)
        return value


_datasets = Recent(6)
_models = Recent(6)


def run_slice(
    spec: RunSpec,
    checkpoint: Arrays | None,
    n_steps: int,
    dataset: Dataset | None = None,
    with_frame: bool = True,
) -> SliceResult | Needs:
    """Train for `n_steps` further steps from `checkpoint` (None: from the start).

    Four slices of ten steps give the bits of one slice of forty. A slice of 0 steps closes a run that was
    stopped: it brings the state and the views of the checkpoint. Needs comes back where the data set is an
    uploaded table this worker has not been sent.
    """
    base.use_one_thread()
    dataset = _dataset(spec, dataset)
    if dataset is None:
        return Needs(data=True)
    model = catalog.make_model(spec.model, spec.seed, dataset)
    events: tuple[TrainEvent, ...] = ()
    start = int(checkpoint.get("train.step", 0)) if checkpoint else 0
    began = time.perf_counter()
    if n_steps == 0 and checkpoint is not None:
        model.set_state(weights(checkpoint))
    else:
        X_val = dataset.part("monitor")
        rows = model.fit_iter(
            dataset.part("train"), X_val if len(X_val) else None, checkpoint=checkpoint, n_steps=n_steps
        )
        events = tuple(rows)
        checkpoint = model.get_checkpoint()
    seconds = time.perf_counter() - began
    # An early stop shows as a slice that took fewer steps than it was given, or none.
    finished = not events or events[-1].step >= events[-1].n_steps or events[-1].step - start < n_steps
    return SliceResult(
        checkpoint=checkpoint,
        events=events,
        frame=_frame(model, dataset) if events and (with_frame or finished) else None,
        finished=finished,
        seconds=seconds,
        state=model.get_state() if finished else None,
        views=_final(model, dataset) if finished else None,
    )


def run_view(
    spec: RunSpec,
    state: Arrays | None,
    name: str,
    kwargs: Mapping[str, Any],
    dataset: Dataset | None = None,
    key: tuple | None = None,
) -> dict[str, np.ndarray] | Needs:
    """The arrays of `views.VIEWS[name](model, dataset, **kwargs)`.

    `state` is the model's state or checkpoint, empty for one that has learned nothing yet; with `key` the worker
    keeps the model, and `state` may be None the next time.
    """
    from flowlab import views

    if name not in views.VIEWS:
        raise ValueError(f"name must be one of {', '.join(views.VIEWS)}, not {name!r}")
    dataset = _dataset(spec, dataset)
    model = _models.get(key) if key else None
    if model is None and state is not None and dataset is not None:
        model = catalog.make_model(spec.model, spec.seed, dataset)
        if state:
            model.set_state(weights(state))
        if key:
            _models.put(key, model)
    if dataset is None or model is None:
        return Needs(data=dataset is None, state=model is None and state is None)
    return views.VIEWS[name](model, dataset, **kwargs)


def start_worker(nice: int = 10) -> None:
    """First thing in a worker process: stand back for the pages, use one thread, and leave when the server does."""
    os.environ["OMP_NUM_THREADS"] = "1"
    os.nice(nice)
    parent = os.getppid()

    def leave_with_parent() -> None:
        # A spawned worker survives a server that was killed, and keeps its 0.4 GB.
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(3)

    threading.Thread(target=leave_with_parent, daemon=True).start()


def warm_up() -> None:
    """Two steps and a picture of the default run: lazy imports cost seconds, and nobody should wait for them."""
    run_slice(catalog.DEFAULT, None, 2)


def _dataset(spec: RunSpec, dataset: Dataset | None) -> Dataset | None:
    key = (spec.data.to_json(), spec.seed)
    if dataset is not None:
        return _datasets.put(key, dataset)
    dataset = _datasets.get(key)
    if dataset is None:
        try:
            dataset = _datasets.put(key, catalog.make_dataset(spec.data, spec.seed, load_table=_not_here))
        except _NotHere:
            return None
    return dataset


class _NotHere(Exception):
    pass


def _not_here(digest: str) -> None:
    raise _NotHere(digest)


def weights(checkpoint: Arrays) -> dict[str, np.ndarray]:
    """A checkpoint without what only training needs: a state."""
    return {key: value for key, value in checkpoint.items() if not key.startswith("train.")}


def _frame(model: DensityModel, dataset: Dataset) -> dict[str, np.ndarray]:
    from flowlab import views

    return views.frame(model, dataset)


def _final(model: DensityModel, dataset: Dataset) -> dict[str, np.ndarray]:
    from flowlab import views

    return views.final(model, dataset)
