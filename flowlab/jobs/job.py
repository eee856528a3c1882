"""A run that the dispatcher trains, the queue that decides whose turn it is, and what is known of a run."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from flowlab.jobs.slices import Arrays, weights
from flowlab.records import RunSpec, RunState, TrainEvent
from flowlab.store.reading import Run

if TYPE_CHECKING:
    from flowlab.jobs.lanes import Lane

FIRST_STEPS = 4
FIRST_SECONDS = 0.1
WATCHED_SECONDS = 0.2
UNWATCHED_SECONDS = 0.5
SHORTEST_SECONDS = 0.1
"""Slices become shorter, down to this, where many users wait for each lane."""
PATIENT = 2.0
"""So many users wait for a lane before its slices become shorter."""
FILM_LENGTH = 40
"""Pictures in the film of an unwatched run; a watched run has one with each slice."""


class Mode(StrEnum):
    """What a job needs: slices (running), the slice that closes it (stopping), that its result is written (finishing),
    or nothing."""

    RUNNING = "running"
    STOPPING = "stopping"
    FINISHING = "finishing"
    PAUSED = "paused"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"

    @property
    def state(self) -> RunState:
        """The state of its run."""
        return RunState.RUNNING if self in (Mode.STOPPING, Mode.FINISHING) else RunState(self.value)


@dataclass
class Job:
    """A run with its newest checkpoint. Times are those of `time.monotonic`."""

    run_id: str
    spec: RunSpec
    user: str
    checkpoint: Arrays | None = None
    step: int = 0
    n_steps: int = 0
    mode: Mode = Mode.RUNNING
    born: float = field(default_factory=time.monotonic)
    steps_left: int | None = None
    """How many steps to take before pausing; None for all."""
    clicks: int = 0
    """Counts the requests to go on, so that a slice under way does not count for a newer one."""
    replay: tuple[tuple[RunSpec, int], ...] = ()
    """A fork first repeats its parent's steps from the nearest kept checkpoint: each spec up to its step."""
    urgent: bool = True
    """A user just clicked: the next slice goes first, and is short."""
    in_flight: bool = False
    dropped: bool = False
    """The run was started again as another job; the result of a slice of this one is discarded."""
    failures: int = 0
    lost_workers: int = 0
    rate: float = 0.0
    """Steps per second, measured."""
    last_slice: int = 0
    frame_step: int = 0
    message: str = ""
    send_data: bool = False
    lane: Lane | None = None
    watched_until: float = 0.0
    turns: deque[float] = field(default_factory=lambda: deque(maxlen=6))
    unsaved: list[TrainEvent] = field(default_factory=list)
    saved_at: float = 0.0
    writes_asked: int = 0
    """Counted under the dispatcher's lock; `writes_done` by the saver's thread alone."""
    writes_done: int = 0

    @property
    def is_settling(self) -> bool:
        """Whether a slice is under way, or the result of one is not yet on disk."""
        return self.in_flight or self.writes_asked != self.writes_done or bool(self.unsaved)

    @property
    def slice_spec(self) -> RunSpec:
        """The spec of the next slice: the run's own, or its parent's while a fork repeats that."""
        return self.replay[0][0] if self.replay else self.spec

    def next_slice(self, now: float, crowd: float = 0.0) -> tuple[int, bool]:
        """How many steps the next slice takes, and whether it gives a picture.

        Parameters
        ----------
        now : `time.monotonic()`
        crowd : how many users wait for each lane; slices are shorter where they are many

        A slice has a number of steps and is never cut off by the clock; the measured rate only sets that number.
        """
        if self.mode is Mode.STOPPING and not self.replay:
            return 0, False
        watched = now < self.watched_until or self.urgent or self.steps_left is not None
        if not self.rate:
            n_steps = FIRST_STEPS
        else:
            seconds = FIRST_SECONDS if self.urgent else WATCHED_SECONDS if watched else UNWATCHED_SECONDS
            seconds = min(seconds, max(SHORTEST_SECONDS, seconds * PATIENT / max(crowd, PATIENT)))
            n_steps = max(1, min(round(self.rate * seconds), 8 * self.last_slice))
        if self.replay:
            return min(n_steps, self.replay[0][1] - self.step), False
        if self.steps_left is not None:
            n_steps = min(n_steps, self.steps_left)
        due = self.step + n_steps - self.frame_step >= self.n_steps / FILM_LENGTH
        return n_steps, watched or due

    def measure(self, n_steps: int, seconds: float) -> None:
        """Update `rate` from a slice of `n_steps` steps that took `seconds`."""
        newest = n_steps / max(seconds, 1e-4)
        self.rate = newest if self.last_slice <= FIRST_STEPS or not self.rate else 0.5 * (self.rate + newest)
        self.last_slice = max(1, n_steps)

    def turn_every(self) -> float:
        """Mean seconds between the job's last turns; 0 before there were two."""
        return (self.turns[-1] - self.turns[0]) / (len(self.turns) - 1) if len(self.turns) > 1 else 0.0


class Turns:
    """Whose turn it is: the user who has had the least time of lanes; of their runs only the first is live.

    Who joins begins with the time of whoever has had least, so that nobody makes up for having been away.
    """

    def __init__(self) -> None:
        self._queues: OrderedDict[str, list[Job]] = OrderedDict()
        self._seconds: dict[str, float] = {}

    def add(self, job: Job, front: bool = True) -> None:
        """Put a job before its user's other jobs (`front`) or behind them, also if it is queued already."""
        if not self._queues:
            self._seconds.clear()
        least = min((self._seconds[user] for user in self._queues), default=0.0)
        self._seconds[job.user] = max(self._seconds.get(job.user, 0.0), least)
        self.remove(job)
        queue = self._queues.setdefault(job.user, [])
        queue.insert(0 if front else len(queue), job)

    def charge(self, user: str, seconds: float) -> None:
        """Count the time of a slice against its user."""
        if user in self._seconds:
            self._seconds[user] += seconds

    def n_runs(self, user: str) -> int:
        """How many runs of a user have turns or wait for them."""
        return len(self._queues.get(user, ()))

    @property
    def n_users(self) -> int:
        """How many users have turns."""
        return len(self._queues)

    def remove(self, job: Job) -> None:
        """Take a job out; nothing happens if it is not queued."""
        queue = self._queues.get(job.user, [])
        if job in queue:
            queue.remove(job)
        if not queue:
            self._queues.pop(job.user, None)

    def hand_over(self, job: Job, user: str) -> None:
        """Make a job another user's; one that has turns keeps them."""
        queued = job in self._queues.get(job.user, [])
        self.remove(job)
        job.user = user
        if queued:
            self.add(job)

    def live(self) -> Iterator[Job]:
        """The live run of each user, in the order of their turns."""
        order = sorted(self._queues, key=self._seconds.__getitem__)  # of equal time the one who waits longest
        return (self._queues[user][0] for user in order)

    def take(self) -> Job | None:
        """The job to serve now, an urgent one or the first in turn; None if all are under way. Its user goes last."""
        waiting = [job for job in self.live() if not job.in_flight]
        job = next((job for job in waiting if job.urgent), waiting[0] if waiting else None)
        if job is not None:
            self._queues.move_to_end(job.user)
        return job

    def ahead(self, job: Job) -> int:
        """How many runs have their turn before this one."""
        own = self._queues.get(job.user, [])
        if job not in own or job.in_flight:
            return 0
        before = own.index(job)
        for first in self.live():
            if first.user == job.user:
                break
            before += not first.in_flight
        return before


@dataclass(frozen=True)
class RunStatus:
    """The state of a run and its place in the queue.

    Attributes
    ----------
    state : where it stands
    step, n_steps : steps taken, and steps in all; 0 while unknown
    ahead : how many runs have their turn before this one
    wait_seconds : how long until its turn, by what slices take now; 0 where none is ahead
    turn_every_seconds : mean time from one of its turns to the next; 0 while unknown
    steps_per_second : measured rate of training; 0 while unknown
    message : a sentence for the user where something failed or was repeated, else ""
    lost_workers : how many workers died over this run; each cost one slice
    settling : a slice is under way or not yet on disk, so that what is read from disk may still change
    """

    state: RunState
    step: int = 0
    n_steps: int = 0
    ahead: int = 0
    wait_seconds: float = 0.0
    turn_every_seconds: float = 0.0
    message: str = ""
    lost_workers: int = 0
    settling: bool = False


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The weights of a run after `step` steps, without what only training needs.

    Attributes
    ----------
    created : when the run was begun, in seconds since 1970; a run that is started again has other weights at a step
    """

    run_id: str
    created: float
    step: int
    weights: dict[str, np.ndarray]

    @property
    def key(self) -> tuple:
        """Identifies these weights: run id, time of creation and step."""
        return (self.run_id, self.created, self.step)


def snapshot_of(run: Run, checkpoint: Arrays | None = None) -> Snapshot | None:
    """The snapshot of a run at `checkpoint`, by default the newest on disk; None before the first.

    StoreError if the file is damaged.
    """
    checkpoint = checkpoint or run.checkpoint
    step = run.events[-1].step if run.events else 0
    if checkpoint is None and run.kept_steps:
        # A fork that has not taken a step of its own stands where its parent did.
        step = run.kept_steps[-1]
        checkpoint = run.kept_checkpoint(step)
    if checkpoint is None:
        return None
    step = int(checkpoint.get("train.step", checkpoint.get("step", step)))
    return Snapshot(run.run_id, run.created, step, weights(checkpoint))
