"""Lanes: places where a slice can run. One worker process each, threads in tests, or slots of a Dask cluster."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ProcessPoolExecutor
from typing import Any

from flowlab.jobs import slices

MAX_DEFAULT_LANES = 8
"""Each worker holds about 0.4 GB; FLOWLAB_LANES asks for more, or fewer."""

MAX_STARTS = 3
TRAINING_NICE, EVALUATION_NICE = 10, 5
"""How far workers stand back for pages; the one that answers stands before those that train: somebody waits for it."""

_LOST = ("KilledWorker", "CommClosedError", "FutureCancelledError", "FuturesCancelledError", "FutureLostError")


class JobError(RuntimeError):
    """What was asked of the runner cannot be done now; the text is a sentence and a next step, fit for a page."""


Post = Callable[[Callable[[], None]], None]


class Lane:
    """One worker slot: "closed", "starting", "free" or "busy". A crash breaks only its own lane; `reopen` mends it."""

    def __init__(self, make_executor: Callable[[], Executor], warm: bool) -> None:
        self._make_executor, self._warm = make_executor, warm
        self.executor: Executor | None = None
        self.state = "closed"
        self._starts = 0
        self.work: Any = None
        """What it is busy with."""
        self.when_warm: Callable[[], None] = lambda: None

    def open(self, post: Post) -> None:
        """Begin to start the worker. It is free once two dummy steps have warmed it: `post` hears of it."""
        self._starts += 1
        self.executor = executor = self._make_executor()
        self.state = "starting" if self._warm else "free"
        if self._warm:
            warm = executor.submit(slices.warm_up)
            warm.add_done_callback(lambda future: post(lambda: self._settle(executor, future, post)))

    def reopen(self, post: Post) -> None:
        """Replace a worker that died."""
        self.close()
        self.open(post)

    def close(self) -> None:
        if self.executor is not None:
            self.executor.shutdown(wait=False)
        self.executor, self.state = None, "closed"

    def kill(self) -> None:
        """End the worker in the middle of its work, which then fails as lost; threads and clusters are left alone."""
        for process in list(getattr(self.executor, "_processes", {}).values()):
            process.kill()

    def _settle(self, executor: Executor, future: Future, post: Post) -> None:
        if executor is not self.executor or future.cancelled():
            return
        error = future.exception()
        if error is not None and is_lost_worker(error) and self._starts < MAX_STARTS:
            self.reopen(post)
            return
        # A warm-up that raised leaves a worker that works; the runs it gets will say what is wrong.
        self.state, self._starts = "free", 0
        self.when_warm()


class Lanes:
    """The lanes that train and the one that answers."""

    def __init__(self, make: Callable[[], Lane], width: int, make_evaluation: Callable[[], Lane] | None = None) -> None:
        self.training = [make() for _ in range(width)]
        self.evaluation = (make_evaluation or make)()

    def open(self, post: Post) -> None:
        """Open one after the other: the first worker is warm sooner when the others do not compete with it."""
        if self.evaluation.state == "closed" or any(lane.state == "closed" for lane in self.training):
            lane = next(lane for lane in (*self.training, self.evaluation) if lane.state == "closed")
            lane.when_warm = lambda: self.open(post)
            lane.open(post)
            if lane.state == "free":
                self.open(post)

    def free(self) -> Lane | None:
        return next((lane for lane in self.training if lane.state == "free"), None)

    def is_free(self, lane: Lane | None) -> bool:
        return lane is not None and lane.state == "free"

    def close(self) -> None:
        for lane in (*self.training, self.evaluation):
            lane.close()


def process_lane(nice: int = TRAINING_NICE) -> Lane:
    """A lane with a spawned process of its own: a pool of one, because one death breaks a whole pool."""
    context = multiprocessing.get_context("spawn")
    return Lane(
        lambda: ProcessPoolExecutor(1, mp_context=context, initializer=slices.start_worker, initargs=(nice,)),
        warm=True,
    )


def asked_width() -> int:
    """How many lanes FLOWLAB_LANES asks for; 0 if it does not say."""
    asked = os.environ.get("FLOWLAB_LANES", "")
    if asked and not (asked.isdecimal() and 1 <= int(asked) <= 256):
        raise ValueError(f"FLOWLAB_LANES must be a number from 1 to 256, not {asked!r}")
    return int(asked or 0)


def default_width() -> int:
    """How many lanes a server opens by itself: one for each core, within reason."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MAX_DEFAULT_LANES)


class DaskLanes(Lanes):
    """A Dask scheduler's workers as lanes. Whoever reaches a Dask scheduler can run code on it: see the README."""

    def __init__(self, address: str, width: int | None = None, timeout: float = 20) -> None:
        from distributed import Client

        try:
            self._client = Client(address, timeout=timeout, set_as_default=False)
        except (OSError, ValueError) as error:
            raise JobError(
                f"The Dask scheduler at {address} does not answer ({error}); start it, or unset FLOWLAB_SCHEDULER."
            ) from error
        # Counted once: a cluster that will grow later is told its width by FLOWLAB_LANES.
        workers = self._client.scheduler_info(n_workers=-1)["workers"].values()
        width = width or asked_width() or max(1, sum(worker["nthreads"] for worker in workers))
        # retries=0: the dispatcher itself submits a lost slice again, and counts.
        super().__init__(lambda: Lane(lambda: self._client.get_executor(pure=False, retries=0), warm=False), width)

    def close(self) -> None:
        super().close()
        self._client.close()


def is_lost_worker(error: BaseException) -> bool:
    """Whether the error says that the worker died, rather than that the work was wrong."""
    return isinstance(error, BrokenExecutor | CancelledError) or type(error).__name__ in _LOST
