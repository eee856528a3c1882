"""Lanes: executors of one slice at a time. One worker process each, threads in tests, or slots of a Dask cluster."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any

from flowlab.jobs import slices

MAX_DEFAULT_LANES = 8
"""Each worker holds about 0.4 GB; FLOWLAB_LANES sets another number."""

LEAST_BYTES = 3 * 2**29
"""What a worker may take at least: PyTorch takes a quarter of it, and a table and its model need the rest."""

MAX_STARTS = 3
TRAINING_NICE, EVALUATION_NICE = 10, 5
"""Niceness of workers, below pages; evaluation goes before training, because a user waits for it."""

_LOST = ("KilledWorker", "CommClosedError", "FutureCancelledError", "FuturesCancelledError", "FutureLostError")


class JobError(RuntimeError):
    """A request to the runner cannot be carried out now; the text is a sentence and a next step, fit for a page."""


Post = Callable[[Callable[[], None]], None]


class Lane:
    """One worker slot; `state` is "closed", "starting", "free" or "busy". A crash breaks only its own lane.

    Parameters
    ----------
    make_executor : makes the executor of one worker
    warm : whether to take two dummy steps before the lane is free
    nice : niceness of the worker process, once it works, and from its first moment where it is opened `gently`
    """

    def __init__(self, make_executor: Callable[[], Executor], warm: bool, nice: int = 0) -> None:
        self._make_executor, self._warm, self._nice = make_executor, warm, nice
        self.executor: Executor | None = None
        self.state = "closed"
        self._starts = 0
        self.work: Any = None
        """Job, number of steps and begin (`time.monotonic`) of the slice that the lane works on."""
        self.when_warm: Callable[[], None] = lambda: None

    def open(self, post: Post, gently: bool = False) -> None:
        """Begin to start the worker; its warm-up, when done, is taken in by an action given to `post`.

        `gently`: its start takes no processor time from lanes that train.
        """
        self._starts += 1
        self.executor = executor = self._make_executor()
        self.state = "starting" if self._warm else "free"
        if self._warm:
            warm = executor.submit(slices.warm_up)
            for process in list(getattr(executor, "_processes", {}).values()) if gently else ():
                with contextlib.suppress(OSError):
                    slices.be_nice(process.pid, self._nice)
            warm.add_done_callback(lambda future: post(lambda: self._settle(executor, future, post)))

    @property
    def worker(self) -> Executor:
        """What work is submitted to; JobError where the lane is closed."""
        if self.executor is None:
            raise JobError("The worker is not running; try again in a few seconds.")
        return self.executor

    def reopen(self, post: Post) -> None:
        """Replace the worker, as a rule one that died."""
        self.close()
        self.open(post)

    def close(self) -> None:
        """Let the worker go, without waiting for its work."""
        if self.executor is not None:
            self.executor.shutdown(wait=False)
        self.executor, self.state = None, "closed"

    def kill(self) -> None:
        """Kill the worker process, so that its slice fails as lost; threads and clusters are not affected."""
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
    """The lanes that train and the one that evaluates.

    Parameters
    ----------
    make : makes a lane
    width : number of training lanes
    make_evaluation : makes the evaluation lane, by default `make`
    """

    def __init__(self, make: Callable[[], Lane], width: int, make_evaluation: Callable[[], Lane] | None = None) -> None:
        self.training = [make() for _ in range(width)]
        self.evaluation = (make_evaluation or make)()

    def open(self, post: Post) -> None:
        """Open the lanes one after the other: the first is warm sooner when the others do not compete with it."""
        if self.evaluation.state == "closed" or any(lane.state == "closed" for lane in self.training):
            lane = next(lane for lane in (*self.training, self.evaluation) if lane.state == "closed")
            lane.when_warm = lambda: self.open(post)
            lane.open(post)
            if lane.state == "free":
                self.open(post)

    def free(self) -> Lane | None:
        """A training lane that is free, or None."""
        return next((lane for lane in self.training if lane.state == "free"), None)

    def is_free(self, lane: Lane | None) -> bool:
        """Whether there is such a lane and it is free."""
        return lane is not None and lane.state == "free"

    def close(self) -> None:
        """Close all lanes and end their processes, without waiting for their work."""
        for lane in (*self.training, self.evaluation):
            lane.kill()
            lane.close()


def process_lane(nice: int = TRAINING_NICE) -> Lane:
    """A lane with a spawned process of its own: a pool of one, because one crash breaks a whole pool."""
    context, given = multiprocessing.get_context("spawn"), (nice, worker_bytes())
    return Lane(
        lambda: ProcessPoolExecutor(1, mp_context=context, initializer=slices.start_worker, initargs=given),
        warm=True,
        nice=nice,
    )


def asked_width() -> int:
    """The number of lanes in FLOWLAB_LANES, 0 if it is not set; ValueError unless it is 1 to 256."""
    requested = os.environ.get("FLOWLAB_LANES", "")
    if requested and not (requested.isdecimal() and 1 <= int(requested) <= 256):
        raise ValueError(f"FLOWLAB_LANES must be a number from 1 to 256, not {requested!r}")
    return int(requested or 0)


def worker_bytes() -> int:
    """Bytes of memory that a worker may take, 0 for any amount.

    FLOWLAB_WORKER_GB (in GiB), else its share of half of the machine's or the container's, at least LEAST_BYTES.
    ValueError unless FLOWLAB_WORKER_GB is a number from 1 to 10000.
    """
    requested = os.environ.get("FLOWLAB_WORKER_GB", "")
    if requested:
        try:
            gigabytes = float(requested)
        except ValueError:
            gigabytes = 0.0
        if not 1 <= gigabytes <= 10_000:
            raise ValueError(f"FLOWLAB_WORKER_GB must be a number from 1 to 10000, not {requested!r}")
        return int(gigabytes * 2**30)
    n_workers = (asked_width() or default_width()) + 1
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        with contextlib.suppress(OSError, ValueError):  # a container's own limit, "max" where there is none
            memory = min(memory, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (AttributeError, OSError, ValueError):
        return 0  # Windows, which has no such limit either
    return max(LEAST_BYTES, memory // (2 * n_workers))


def default_width() -> int:
    """The number of lanes without FLOWLAB_LANES: one for each core, at most MAX_DEFAULT_LANES."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MAX_DEFAULT_LANES)


def dask_client(address: str, timeout: float = 20) -> Any:
    """A `distributed.Client` of the scheduler at `address`; JobError, a sentence, without the package or an answer."""
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise JobError(
            f"FLOWLAB_SCHEDULER asks for Dask, which is not installed ({error.name} is missing); "
            'install it with: pip install "flowlab[dask]", or unset FLOWLAB_SCHEDULER.'
        ) from error
    try:
        return Client(address, timeout=timeout, set_as_default=False)
    except (OSError, ValueError) as error:
        raise JobError(
            f"The Dask scheduler at {address} does not answer ({error}); start it, or unset FLOWLAB_SCHEDULER."
        ) from error


class DaskLanes(Lanes):
    """A Dask scheduler's workers as lanes. Anybody who reaches a Dask scheduler can run code on it: see the README.

    Parameters
    ----------
    address : of the scheduler, such as "tcp://127.0.0.1:8786"
    width : number of training lanes; by default FLOWLAB_LANES, else one per thread of the cluster
    timeout : seconds to wait for the scheduler; JobError if it does not answer
    """

    def __init__(self, address: str, width: int | None = None, timeout: float = 20) -> None:
        self._client = dask_client(address, timeout)
        # Counted once: a cluster that grows later needs FLOWLAB_LANES.
        workers = self._client.scheduler_info(n_workers=-1)["workers"].values()
        width = width or asked_width() or max(1, sum(worker["nthreads"] for worker in workers))
        # retries=0: the dispatcher itself submits a lost slice again, and counts.
        super().__init__(lambda: Lane(lambda: self._client.get_executor(pure=False, retries=0), warm=False), width)

    def close(self) -> None:
        """Close all lanes and the connection to the scheduler."""
        super().close()
        self._client.close()


def is_lost_worker(error: BaseException) -> bool:
    """Whether the error says that the worker died, rather than that the work was wrong."""
    return isinstance(error, BrokenExecutor | CancelledError) or type(error).__name__ in _LOST
