"""JobRunner: what pages and the command line ask of training: submit, pause, step, stop, status, call."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from typing import Any

import numpy as np

from flowlab import catalog
from flowlab.datasets.dataset import Dataset
from flowlab.jobs import forks, slices
from flowlab.jobs.dispatch import Dispatcher
from flowlab.jobs.evaluation import Answers
from flowlab.jobs.job import Job, RunStatus, Snapshot, snapshot_of
from flowlab.jobs.lanes import (
    EVALUATION_NICE,
    DaskLanes,
    JobError,
    Lane,
    Lanes,
    asked_width,
    default_width,
    process_lane,
)
from flowlab.jobs.saving import Saver
from flowlab.records import RunSpec
from flowlab.store.reading import Run
from flowlab.store.runs import RunStore

CALL_SECONDS = 60.0
WATCH_SECONDS = 3.0


class JobRunner:
    """Trains runs in slices of about half a second, a fifth while somebody watches, in turn over users.

    A run nobody watches goes on to its last step: closing the tab stops nothing, and the number of steps bounds
    it. One run per user is live; the others wait behind it. One thread writes the store, so no lane waits for the
    disk. A worker that dies costs its slice, nothing else. No method but `call` waits for a worker.

    Parameters
    ----------
    store : where runs are kept
    lanes : how many slices run at once; by default FLOWLAB_LANES, or one per core, or per thread of the cluster
    scheduler : address of a Dask scheduler, by default FLOWLAB_SCHEDULER; empty for processes of this machine
    executor_factory : makes the executor of one lane, for tests
    """

    def __init__(
        self,
        store: RunStore,
        lanes: int | None = None,
        scheduler: str | None = None,
        executor_factory: Callable[[], Executor] | None = None,
    ) -> None:
        self.store = store
        self._jobs: dict[str, Job] = {}
        self._datasets = slices.Recent(4)
        self._closed = False
        for run in store.list():
            if run.status in ("queued", "running") and not _alive_elsewhere(run.pid):
                store.set_status(run.run_id, "interrupted", "The server was restarted; press train to go on.")
        scheduler = os.environ.get("FLOWLAB_SCHEDULER", "") if scheduler is None else scheduler
        if executor_factory is not None:
            self._lanes = Lanes(lambda: Lane(executor_factory, warm=False), lanes or 2)
        elif scheduler:
            self._lanes = DaskLanes(scheduler, lanes)
        else:
            width = lanes or asked_width() or default_width()
            self._lanes = Lanes(process_lane, width, lambda: process_lane(EVALUATION_NICE))
        self._saver = Saver(store)
        self._dispatcher = Dispatcher(self._lanes, self._saver, self._dataset)
        self._lock = self._dispatcher.lock
        self._answers = Answers(self._lanes.evaluation, self._dispatcher, self._dataset)
        self._saver.on_finished = lambda job, status: self._dispatcher.post(partial(self._finished, job, status))
        self._saver.on_error = lambda job, sentence: self._dispatcher.post(partial(self._not_saved, job, sentence))

    def submit(self, spec: RunSpec, user: str = "", queued: bool = False, n_steps: int | None = None) -> str:
        """Train `spec` and return its run id, at once.

        A finished run stays as it is: same link, same run. One that was paused, stopped or interrupted goes on;
        one that failed starts again. The run goes before the user's other runs, or with `queued` behind them;
        with `n_steps` it pauses after so many steps.

        A fork (a spec with a parent) has its parent's way up to its step behind it, and goes on as `spec` says. The
        way is exact: from the nearest checkpoint that was kept the steps are taken again, to the same bits.

        StoreError if the run cannot be written, or a fork's parent is not here; ValueError if it does not fit.
        """
        run_id = catalog.run_id(spec)
        with self._lock:
            job = self._jobs.get(run_id)
            if job is None or job.mode in ("done", "failed"):
                run = self.store.load(run_id)
                if run is None or run.status == "failed":
                    run = self._create(run_id, spec, user)
                job = None if run.status == "done" else self._adopt(run, user)
            if user:
                self._saver.now(self.store.note_visitor, run_id, user)
            if job is not None:
                self._dispatcher.go(job, front=not queued)
                job.steps_left = n_steps
        return run_id

    def submit_many(self, specs: list[RunSpec], user: str = "") -> list[str]:
        """Queue several runs of one user, trained one after the other; returns their ids."""
        return [self.submit(spec, user, queued=True) for spec in specs]

    def pause(self, run_id: str) -> None:
        """Take no further slice; the one under way is kept."""
        with self._lock:
            job = self._jobs.get(run_id)
            if job is not None and job.mode == "running":
                self._dispatcher.halt(job, "paused")

    def resume(self, run_id: str) -> None:
        """Go on with a run that was paused, stopped or interrupted; nothing happens to one that is over."""
        with self._lock:
            job = self._find(run_id)
            if job is not None:
                self._dispatcher.go(job)

    def step(self, run_id: str, n_steps: int = 1) -> None:
        """Take `n_steps` steps, then pause."""
        if n_steps < 1:
            raise ValueError(f"n_steps must be at least 1, not {n_steps}")
        with self._lock:
            job = self._find(run_id)
            if job is not None:
                self._dispatcher.go(job)
                job.steps_left = n_steps

    def stop(self, run_id: str) -> None:
        """End the run where it is; its model can be used as it stands, and `resume` goes on from there."""
        with self._lock:
            job = self._find(run_id)
            if job is None or job.mode not in ("running", "paused"):
                return
            if job.checkpoint is None and not job.in_flight:
                self._dispatcher.halt(job, "stopped")
            else:
                self._dispatcher.go(job)
                job.mode = "stopping"

    def restart(self, run_id: str) -> None:
        """Forget what was learned and start again from the first step."""
        with self._lock:
            run = self.store.load(run_id)
            if run is None:
                raise JobError("There is no such run to start again; press train.")
            run = self._create(run_id, run.spec, run.user)
            self._dispatcher.go(self._adopt(run, run.user))

    def status(self, run_id: str) -> RunStatus | None:
        """Where the run stands; None if nobody began it here."""
        with self._lock:
            job = self._jobs.get(run_id)
            if job is not None:
                return RunStatus(
                    state=self._state(job),
                    step=job.step,
                    n_steps=job.n_steps,
                    ahead=self._dispatcher.turns.ahead(job),
                    turn_every_seconds=job.turn_every(),
                    message=job.message,
                    lost_workers=job.lost_workers,
                    settling=job.is_settling,
                )
        run = self.store.load(run_id)
        if run is None:
            return None
        last = run.events[-1] if run.events else None
        step, n_steps = (last.step, last.n_steps) if last else (0, 0)
        # Nobody here has it in hand; perhaps the command line has.
        lost = run.status in ("queued", "running") and not _alive_elsewhere(run.pid)
        return RunStatus("interrupted" if lost else run.status, step, n_steps, message=run.error)

    def watch(self, run_id: str) -> RunStatus | None:
        """`status`, and for the next few seconds shorter slices with a picture each: somebody is looking."""
        with self._lock:
            job = self._jobs.get(run_id)
            if job is not None:
                job.watched_until = time.monotonic() + WATCH_SECONDS
        return self.status(run_id)

    def snapshot(self, run_id: str) -> Snapshot | None:
        """What the run has learned by now, to be looked at while it goes on; None before the first checkpoint."""
        run = self.store.load(run_id)
        with self._lock:
            job = self._jobs.get(run_id)
            checkpoint = None if job is None else job.checkpoint
        return None if run is None else snapshot_of(run, checkpoint)

    def call(
        self,
        run_id: str,
        view_name: str,
        timeout: float = CALL_SECONDS,
        snapshot: Snapshot | None = None,
        **kwargs: Any,
    ) -> dict[str, np.ndarray]:
        """The arrays of `views.VIEWS[view_name]` for a run that has learned something, or for a `snapshot` of it.

        Computed on a lane of its own, so that it answers while others train. Waits for the answer; JobError if
        there is nothing to ask, or if it takes longer than `timeout` seconds.
        """
        run = self.store.load(run_id)
        if run is not None and snapshot is not None:
            return self._answers.ask(run.spec, snapshot.weights, snapshot.key, view_name, kwargs, timeout)
        state = None if run is None else run.state or run.checkpoint
        if state is None:
            raise JobError("Nothing has been learned yet; press train.")
        return self._answers.ask(run.spec, state, (run_id, run.updated), view_name, kwargs, timeout)

    def steps_within(self, spec: RunSpec, seconds: float) -> int:
        """How many steps of this spec's training fit into `seconds`, measured on the evaluation lane for a moment."""
        key = ("untrained", catalog.run_id(spec))
        answer = self._answers.ask(spec, {}, key, "steps_within", {"seconds": seconds}, CALL_SECONDS)
        return int(answer["n_steps"])

    def close(self) -> None:
        """Stop dispatching, note live runs as interrupted where they stand, and let the workers go."""
        if self._closed:
            return
        self._closed = True
        self._dispatcher.close()
        for job in self._jobs.values():
            if job.mode in ("running", "stopping"):
                self._saver.save(job, None, "interrupted")
        self._saver.close()

    def _create(self, run_id: str, spec: RunSpec, user: str) -> Run:
        """A new run on disk, if a fork's parent is there and fits."""
        if spec.branch:
            forks.parent_of(self.store, spec)
        return self._saver.now(self.store.create, run_id, spec, user)

    def _rewind(self, job: Job) -> None:
        """Have a fork begin with its parent's way up to its step."""
        parent = forks.parent_of(self.store, job.spec)
        job.step, job.checkpoint, job.replay = forks.way(self.store, parent, job.spec.branch[1])
        job.n_steps = parent.events[-1].n_steps

    def _find(self, run_id: str) -> Job | None:
        """The job of a run, taken up from disk if need be; None if the run is over."""
        if run_id in self._jobs:
            return self._jobs[run_id]
        run = self.store.load(run_id)
        if run is None:
            raise JobError("There is no such run on this server; press train.")
        return None if run.status in ("done", "failed") else self._adopt(run, run.user)

    def _adopt(self, run: Run, user: str) -> Job:
        """Take a run up as it stands on disk."""
        job = Job(run.run_id, run.spec, user, checkpoint=run.checkpoint, mode="paused")
        if run.events and job.checkpoint is not None:
            last = run.events[-1]
            job.step, job.n_steps = int(job.checkpoint.get("train.step", last.step)), last.n_steps
        elif run.spec.branch:
            self._rewind(job)
        before = self._jobs.get(run.run_id)
        if before is not None:
            self._dispatcher.drop(before)
            job.watched_until = before.watched_until
        self._jobs[run.run_id] = job
        return job

    def _state(self, job: Job) -> str:
        if job.mode in ("stopping", "finishing"):
            return "running"
        if job.mode != "running":
            return job.mode
        live = any(first is job for first in self._dispatcher.turns.live())
        return "running" if job.in_flight or (live and job.turns) else "queued"

    def _finished(self, job: Job, status: str) -> None:
        job.mode, job.checkpoint = status, None
        if status == "stopped" and self._jobs.get(job.run_id) is job:
            # `resume` takes it up from disk.
            del self._jobs[job.run_id]

    def _not_saved(self, job: Job, sentence: str) -> None:
        job.mode, job.message = "paused", sentence
        self._dispatcher.turns.remove(job)

    def _dataset(self, spec: RunSpec) -> Dataset:
        key = (spec.data.to_json(), spec.seed)
        found = self._datasets.get(key)
        if found is None:
            made = catalog.make_dataset(spec.data, spec.seed, load_table=self.store.get_table)
            found = self._datasets.put(key, made)
        return found


def _alive_elsewhere(pid: int) -> bool:
    """Whether another process than this one has the run in hand."""
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
