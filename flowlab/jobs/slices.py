"""What runs in a worker: a slice of training, or a view of a trained model. No file, no queue, no page.

Both are functions of their arguments, so it does not matter which worker carries them out, or how often. Workers
keep recent data sets and models; what they lack they request by returning `Needs`.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from flowlab import catalog
from flowlab.datasets.dataset import Dataset, Part
from flowlab.models import base
from flowlab.records import RunSpec, TrainEvent
from flowlab.store.arrays import to_arrays
from flowlab.store.recent import Recent

if TYPE_CHECKING:
    from flowlab.models.base import DensityModel

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class SliceResult:
    """The result of a slice.

    Attributes
    ----------
    checkpoint : weights, optimiser and generator state from which the next slice goes on
    events : of this slice
    frame : arrays of a picture of the model, if one was requested
    finished : whether training is over
    seconds : time spent on steps
    state : the fitted estimator's arrays when finished, else None
    views : the arrays that pages draw when finished, else None
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
    """The worker does not hold the data set (`data`) or the model (`state`): the caller sends it with the next try."""

    data: bool = False
    state: bool = False


_NO_MEMORY = re.compile("can't allocate memory|not enough memory|out of memory", re.IGNORECASE)
_datasets: Recent[Dataset] = Recent(6)
_models: Recent[base.DensityModel] = Recent(6)


def run_slice(
    spec: RunSpec,
    checkpoint: Arrays | None,
    n_steps: int,
    dataset: Dataset | None = None,
    with_frame: bool = True,
) -> SliceResult | Needs:
    """Train for `n_steps` further steps from `checkpoint` (None: from the start).

    Four slices of ten steps give the bits of one slice of forty. A slice of 0 steps closes a run that was
    stopped: it gives the state and the views of the checkpoint.

    Parameters
    ----------
    dataset : of the run, needed where that is an uploaded table this worker does not hold: else Needs is returned
    with_frame : whether to give a picture; the last slice always does

    ValueError, in a sentence, where the settings take more memory than the worker may have.
    """
    base.use_one_thread()
    try:
        return _run_slice(spec, checkpoint, n_steps, dataset, with_frame)
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
    # after the handler: an error that led to another would keep all that its frames hold
    raise ValueError(
        "Training with these settings needs more memory than a worker may take; choose a smaller batch, or fewer or "
        "narrower layers."
    )


def _run_slice(
    spec: RunSpec, checkpoint: Arrays | None, n_steps: int, dataset: Dataset | None, with_frame: bool
) -> SliceResult | Needs:
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
        X_val = dataset.fitting_rows(Part.MONITOR)
        rows = model.fit_iter(
            dataset.fitting_rows(), X_val if len(X_val) else None, checkpoint=checkpoint, n_steps=n_steps
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
    view: Callable[..., Any],
    kwargs: Mapping[str, Any],
    dataset: Dataset | None = None,
    key: tuple | None = None,
) -> Any:
    """`view(model, dataset, **kwargs)`, or Needs.

    Parameters
    ----------
    spec : of the run
    state : the model's state or checkpoint, empty for an untrained one; None where the worker holds the model
    view, kwargs : a function of a module, and its arguments
    dataset : of the run, needed where that is an uploaded table this worker does not hold
    key : identifies `state`; with it the worker keeps the model

    Needs is returned where the worker lacks the data set or the model. ValueError, in a sentence, where the view takes
    more memory than the worker may have.
    """
    try:
        return _run_view(spec, state, view, kwargs, dataset, key)
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
    raise ValueError("This view needs more memory than a worker may take; choose a coarser one, or fewer rows.")


def _run_view(
    spec: RunSpec,
    state: Arrays | None,
    view: Callable[..., Any],
    kwargs: Mapping[str, Any],
    dataset: Dataset | None,
    key: tuple | None,
) -> Any:
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
    return view(model, dataset, **kwargs)


def _is_out_of_memory(error: MemoryError | RuntimeError) -> bool:
    """Whether an error is what PyTorch or NumPy raise where memory ends."""
    return isinstance(error, MemoryError) or bool(_NO_MEMORY.search(str(error)))


def start_worker(nice: int = 10, max_bytes: int = 0) -> None:
    """Initialise a worker process: lower its priority by `nice`, use one thread, and exit when the server does.

    `max_bytes`: memory of its own that it may take (0: any amount), where the system has such a limit.
    """
    os.environ["OMP_NUM_THREADS"] = "1"
    be_nice(0, nice)
    if max_bytes:
        limit("RLIMIT_DATA", max_bytes)
    # Not os.getppid(): a server that ended while this process was starting has left it to another parent by now.
    server = multiprocessing.parent_process()
    parent = os.getppid() if server is None else server.pid

    def leave_with_parent() -> None:
        # A spawned worker survives a server that was killed, and keeps its 0.4 GB.
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(3)

    threading.Thread(target=leave_with_parent, daemon=True).start()


def limit(resource_name: str, n_bytes: int) -> None:
    """Bound what this process may take of a resource of the module `resource`, where the system has such limits."""
    with contextlib.suppress(ImportError, ValueError):  # not on Windows; a stricter limit stays
        import resource

        resource.setrlimit(getattr(resource, resource_name), (n_bytes, n_bytes))


def be_nice(pid: int, nice: int) -> None:
    """Have a process (0: this one) run at niceness `nice`, or as it does where that is higher."""
    os.setpriority(os.PRIO_PROCESS, pid, max(nice, os.getpriority(os.PRIO_PROCESS, pid)))


def warm_up() -> None:
    """Train two steps of the default run with a picture, so that no user waits seconds for the lazy imports."""
    run_slice(catalog.DEFAULT, None, 2)


def _dataset(spec: RunSpec, dataset: Dataset | None) -> Dataset | None:
    key = catalog.dataset_key(spec)
    if dataset is not None:
        return _datasets.put(key, dataset)
    dataset = _datasets.get(key)
    if dataset is None:
        try:
            dataset = _datasets.put(key, catalog.dataset_of(spec, _not_here))
        except _NotHere:
            return None
    return dataset


class _NotHere(Exception):
    pass


def _not_here(digest: str) -> None:
    raise _NotHere(digest)


def weights(checkpoint: Arrays) -> dict[str, np.ndarray]:
    """The state in a checkpoint: its arrays without those that only training needs."""
    return {key: value for key, value in checkpoint.items() if not key.startswith("train.")}


def _frame(model: DensityModel, dataset: Dataset) -> dict[str, np.ndarray]:
    from flowlab import views

    return to_arrays(views.frame(model, dataset))


def _final(model: DensityModel, dataset: Dataset) -> dict[str, np.ndarray]:
    from flowlab import views

    return to_arrays(views.final(model, dataset))
