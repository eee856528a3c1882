"""Saver: writes results of slices in order on one thread, so that neither lanes nor pages wait for the disk."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from flowlab.jobs.job import Job
from flowlab.jobs.slices import Arrays, SliceResult
from flowlab.records import RunState
from flowlab.store.errors import StoreError
from flowlab.store.runs import RunStore

_log = logging.getLogger("flowlab.jobs")

CHECKPOINT_SECONDS = 1.0
"""At most this much training is lost when the whole server dies."""


class Saver:
    """The queue of writes to a store.

    Attributes
    ----------
    on_finished : called with (job, status) when a run is closed on disk
    on_error : called with (job, sentence) when a write failed
    on_gone : called with (job) when its run is not on disk any more
    """

    def __init__(self, store: RunStore) -> None:
        self._store = store
        self._thread = ThreadPoolExecutor(1, "flowlab-save")
        self.on_finished: Callable[[Job, RunState], None] = lambda job, status: None
        self.on_error: Callable[[Job, str], None] = lambda job, sentence: None
        self.on_gone: Callable[[Job], None] = lambda job: None

    def now(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Carry out a write after those that are queued, and return its result."""
        return self._thread.submit(function, *arguments).result()

    def save(self, job: Job, result: SliceResult | None, status: RunState | None = None) -> None:
        """Append a slice's events and picture, and set the status unless it is None.

        The checkpoint is written once in CHECKPOINT_SECONDS, and whenever `status` is another than running.
        """
        # While a fork repeats its parent's steps, the checkpoints are its parent's.
        checkpoint = None if job.replay else job.checkpoint
        self._later(job, partial(self._save, job, result, checkpoint, status))

    def finish(self, job: Job, result: SliceResult, status: RunState) -> None:
        """Write a finished run, its model and views, as done or stopped; then `on_finished` is called."""
        self._later(job, partial(self._finish, job, result, status))

    def fail(self, job: Job, error: str, details: str) -> None:
        """Close a run as failed, with a sentence for people (`error`) and the traceback (`details`)."""
        self._later(job, partial(self._fail, job, error, details))

    def close(self) -> None:
        """Wait until everything queued is written."""
        self._thread.shutdown(wait=True)

    def _later(self, job: Job, write: Callable[[], None]) -> None:
        job.writes_asked += 1
        self._thread.submit(self._attempt, job, write)

    def _attempt(self, job: Job, write: Callable[[], None]) -> None:
        try:
            write()
        except StoreError as error:
            if self._store.changed(job.run_id):
                self.on_error(job, str(error))
            else:
                self.on_gone(job)
        except Exception as error:
            _log.exception("a run could not be saved")
            self.on_error(job, f"The run could not be saved ({type(error).__name__}: {error}); start it again.")
        finally:
            job.writes_done += 1

    def _save(self, job: Job, result: SliceResult | None, checkpoint: Arrays | None, status: RunState | None) -> None:
        due = status is not RunState.RUNNING or time.monotonic() - job.saved_at > CHECKPOINT_SECONDS
        self._append(job, result, checkpoint if due else None)
        if status is not None:
            self._store.set_status(job.run_id, status)

    def _finish(self, job: Job, result: SliceResult, status: RunState) -> None:
        self._append(job, result, result.checkpoint)
        self._store.finish(job.run_id, status, result.state, result.views)
        self.on_finished(job, status)

    def _fail(self, job: Job, error: str, details: str) -> None:
        self._store.set_status(job.run_id, RunState.FAILED, error, details)
        self.on_finished(job, RunState.FAILED)

    def _append(self, job: Job, result: SliceResult | None, checkpoint: Arrays | None) -> None:
        # What could not be written stays in `unsaved` and is tried again with the next slice.
        if result is not None:
            job.unsaved += result.events
        self._store.append(job.run_id, job.unsaved, result.frame if result else None, checkpoint)
        job.unsaved = []
        if checkpoint is not None:
            job.saved_at = time.monotonic()
