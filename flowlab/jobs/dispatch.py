"""Dispatcher: one thread that submits slices to lanes, in turn over users, and takes in their results."""

from __future__ import annotations

import logging
import queue
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from flowlab.datasets.dataset import Dataset
from flowlab.jobs import slices
from flowlab.jobs.job import Job, Mode, Turns
from flowlab.jobs.lanes import Lane, Lanes, is_lost_worker
from flowlab.jobs.saving import Saver
from flowlab.records import RunSpec, RunState
from flowlab.store.errors import StoreError

MAX_FAILURES = 3
LONG_SLICE_SECONDS = 5.0
"""A slice takes half a second; one that takes this long is cut off when its run is stopped or started again."""

_log = logging.getLogger("flowlab.jobs")


class Dispatcher:
    """Keeps the lanes busy with slices of the jobs in `turns`.

    Everything that changes a job happens under `lock`. What comes from other threads (a slice's result, a warm
    worker, a write that failed) is posted and carried out by the dispatcher's own thread.

    Parameters
    ----------
    lanes : where slices run; they are opened
    saver : writes results and statuses
    load : gives the data set of a run, for lanes that cannot build it themselves
    """

    def __init__(self, lanes: Lanes, saver: Saver, load: Callable[[RunSpec], Dataset]) -> None:
        self.lock = threading.RLock()
        self.turns = Turns()
        self._slice_seconds = 0.0
        self._lanes, self._saver, self._load = lanes, saver, load
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._loader = ThreadPoolExecutor(1, "flowlab-load")
        self.closed = False
        lanes.open(self.post)
        self._thread = threading.Thread(target=self._loop, daemon=True, name="flowlab-dispatch")
        self._thread.start()

    def post(self, action: Callable[[], None] = lambda: None) -> None:
        """Have the dispatcher's thread carry out `action`, then look for work; returns at once."""
        self._inbox.put(action)

    def go(self, job: Job, front: bool = True) -> None:
        """Let a job train, before its user's other jobs (`front`) or behind them. One that is over stays as it is."""
        if job.mode not in (Mode.RUNNING, Mode.PAUSED, Mode.STOPPED):
            return
        if job.mode is not Mode.RUNNING or front:
            self.turns.add(job, front)
        job.mode, job.steps_left, job.urgent, job.failures = Mode.RUNNING, None, front, 0
        job.clicks += 1
        if not job.lost_workers:
            job.message = ""
        self.post()

    def halt(self, job: Job, mode: Mode, result: slices.SliceResult | None = None) -> None:
        """Give a job no further turns.

        Parameters
        ----------
        mode : paused or stopped, also the state of the run on disk
        result : of a last slice, still to be saved
        """
        job.mode, job.steps_left = mode, None
        self.turns.remove(job)
        self._saver.save(job, result, mode.state)

    def wait_seconds(self, job: Job) -> float:
        """How long until a job's turn, by what slices take now."""
        return self.turns.ahead(job) * self._slice_seconds / len(self._lanes.training)

    def drop(self, job: Job) -> None:
        """Forget a job; the result of a slice still under way is discarded."""
        job.dropped = True
        self.turns.remove(job)

    def close(self) -> None:
        """Dispatch nothing further and close the lanes."""
        self.closed = True
        self.post()
        self._thread.join()
        self._loader.shutdown(wait=False, cancel_futures=True)
        self._lanes.close()

    def _loop(self) -> None:
        while not self.closed:
            try:
                action = self._inbox.get(timeout=1.0)
            except queue.Empty:
                action = self._cut_off
            with self.lock:
                try:
                    action()
                    while not self.closed and (lane := self._lanes.free()) and (job := self.turns.take()):
                        self._submit(job, job.lane if job.lane is not None and self._lanes.is_free(job.lane) else lane)
                except Exception as error:
                    if _says_shutdown(error):
                        self._leave()
                    else:
                        # An internal error over one job: the others must go on.
                        _log.exception("an action of the dispatcher failed")

    def _submit(self, job: Job, lane: Lane) -> None:
        now = time.monotonic()
        n_steps, with_frame = job.next_slice(now, self.turns.n_users / len(self._lanes.training))
        job.turns.append(now)
        # Its last lane still holds its data set, so it is asked again.
        job.in_flight, job.urgent, job.lane, lane.state = True, False, lane, "busy"
        clicks, lane.work = job.clicks, (job, n_steps, now)
        try:
            dataset = self._load(job.slice_spec) if job.send_data else None
            future = lane.worker.submit(slices.run_slice, job.slice_spec, job.checkpoint, n_steps, dataset, with_frame)
        except Exception as error:
            if _says_shutdown(error):
                raise
            future = Future()
            future.set_exception(error)
        future.add_done_callback(lambda future: self.post(partial(self._settle, job, lane, n_steps, clicks, future)))

    def _settle(self, job: Job, lane: Lane, n_steps: int, clicks: int, future: Future) -> None:
        """Take in the result of a slice of `n_steps`; `clicks` was the job's count when it was submitted."""
        took = time.monotonic() - lane.work[2]
        self.turns.charge(job.user, took)
        self._slice_seconds = 0.8 * self._slice_seconds + 0.2 * took if self._slice_seconds else took
        error = RuntimeError("the slice was cancelled") if future.cancelled() else future.exception()
        lost = error is not None and (future.cancelled() or is_lost_worker(error))
        if lost:
            # Its job goes to a free lane before the new worker competes with that.
            lane.close()
            self.post(lambda: self._reopen(lane))
        else:
            lane.state = "free"
        job.in_flight = False
        if job.dropped:
            return
        if lost and job.mode is Mode.STOPPING and n_steps:
            self._forgo(job)
        elif error is not None:
            self._fail(job, error, lost)
        elif isinstance(future.result(), slices.Needs):
            self._fetch_data(job)
        else:
            self._advance(job, future.result(), n_steps, counts=clicks == job.clicks)

    def _reopen(self, lane: Lane) -> None:
        if not self.closed and lane.state == "closed":
            lane.open(self.post, gently=any(other.state in ("free", "busy") for other in self._lanes.training))

    def _leave(self) -> None:
        """Kill the workers, so that an interpreter that is ending need not wait. Runs stay resumable on disk."""
        self.closed = True
        for lane in (*self._lanes.training, self._lanes.evaluation):
            lane.kill()

    def _cut_off(self) -> None:
        """Kill long slices whose result is no longer needed, such as a step of a slow model on a large table."""
        for lane in self._lanes.training:
            if lane.state == "busy":
                job, n_steps, since = lane.work
                unwanted = job.dropped or (job.mode is Mode.STOPPING and n_steps > 0)
                if unwanted and time.monotonic() - since > LONG_SLICE_SECONDS:
                    lane.kill()

    def _forgo(self, job: Job) -> None:
        """Stop a run whose slice was cut off; with a checkpoint of its own it first gets its closing slice."""
        if job.checkpoint is None or job.replay:
            self.halt(job, Mode.STOPPED)

    def _advance(self, job: Job, result: slices.SliceResult, n_steps: int, counts: bool) -> None:
        job.failures, job.send_data = 0, False
        job.checkpoint = result.checkpoint
        if job.replay:
            self._replayed(job, result)
            return
        if result.events:
            last = result.events[-1]
            job.measure(last.step - job.step, result.seconds)
            job.step, job.n_steps = last.step, last.n_steps
            if result.frame:
                job.frame_step = last.step
        if job.steps_left is not None and counts:
            job.steps_left -= n_steps
        if result.finished:
            job.mode = Mode.FINISHING
            self.turns.remove(job)
            is_short = n_steps == 0 and job.step < job.n_steps
            self._saver.finish(job, result, RunState.STOPPED if is_short else RunState.DONE)
        elif job.mode is Mode.RUNNING and job.steps_left is not None and job.steps_left <= 0:
            self.halt(job, Mode.PAUSED, result)
        else:
            self._saver.save(job, result, RunState.RUNNING if job.mode is Mode.RUNNING else None)

    def _replayed(self, job: Job, result: slices.SliceResult) -> None:
        """Take in a slice of the parent's training; after the last the fork trains by its own spec."""
        if result.events:
            last = result.events[-1]
            job.measure(last.step - job.step, result.seconds)
            job.step, job.n_steps = last.step, last.n_steps
        if result.finished or job.step >= job.replay[0][1]:
            job.replay = job.replay[1:]
            if not job.replay:
                self._saver.save(job, None, None)
        if job.mode is Mode.STOPPING:
            self._forgo(job)

    def _fail(self, job: Job, error: BaseException, lost: bool = False) -> None:
        job.failures += 1
        job.lost_workers += lost
        # These are about the table or the settings, and would be raised again.
        is_permanent = isinstance(error, ValueError | StoreError)
        if job.failures < MAX_FAILURES and not is_permanent:
            incident = "A worker was lost; training goes on" if lost else "A slice failed and is tried again"
            job.message, job.urgent = f"{incident} from step {job.step}.", lost or job.urgent
            return
        if lost:
            job.message = f"The worker was lost {MAX_FAILURES} times in a row; try fewer rows or a smaller model."
        elif is_permanent:
            job.message = str(error)
        else:
            job.message = f"Training failed ({type(error).__name__}: {error}); change a setting and train again."
        job.mode = Mode.FINISHING
        self.turns.remove(job)
        self._saver.fail(job, job.message, "".join(traceback.format_exception(error)))

    def _fetch_data(self, job: Job) -> None:
        """Build an uploaded table's data set on this side, beside the dispatcher, and send it with the next slice."""
        job.in_flight = True

        def fetched(future: Future) -> None:
            job.in_flight = False
            if job.dropped:
                return
            error = future.exception()
            if error is None:
                job.send_data = True
            else:
                self._fail(job, error)

        self._loader.submit(self._load, job.slice_spec).add_done_callback(
            lambda future: self.post(partial(fetched, future))
        )


def _says_shutdown(error: Exception) -> bool:
    """Whether an executor refused work because Python itself is ending; nothing public says so earlier."""
    return type(error) is RuntimeError and "shutdown" in str(error)
