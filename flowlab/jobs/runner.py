"""JobRunner: training for pages and the command line: submit, pause, step, stop, status, call."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import math
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from typing import Any

from flowlab import catalog
from flowlab.datasets.dataset import Dataset
from flowlab.jobs import forks
from flowlab.jobs.dispatch import Dispatcher
from flowlab.jobs.evaluation import Answers
from flowlab.jobs.job import Job, Mode, RunStatus, Snapshot, snapshot_of
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
from flowlab.records import RunSpec, RunState
from flowlab.store.errors import StoreError
from flowlab.store.label import RunLabel
from flowlab.store.lease import RENEW_SECONDS, Lease
from flowlab.store.reading import Run
from flowlab.store.recent import Recent
from flowlab.store.runs import RunStore
from flowlab.views.comparison import steps_within
from flowlab.views.estimate import UNKNOWN, TrainingEstimate, estimate

CALL_SECONDS = 60.0
"""How long `JobRunner.call` waits for a view, unless told otherwise."""
MAX_ASKED, MAX_ESTIMATES = 4, 500
"""How many estimates of what training takes wait to be measured, and how many are kept."""
WATCH_SECONDS = 3.0
"""How long after `JobRunner.watch` a run counts as watched."""
HERE_SECONDS = 5.0
"""How long after they were last seen a user counts as one for whom pages are drawn."""
MAX_RUNS = 100
"""How many runs of one user may train or wait at a time."""
EXPIRE_SECONDS = 3600.0
MAX_ADOPTIONS = 3
"""How often servers go on by themselves with a run during which they were killed."""
MAX_REST_SECONDS = 86_400.0
"""A restarted server goes on by itself with runs that were interrupted within this time."""
AWAY_SECONDS = 90.0
"""How long after its owner was last seen a run is there for others. Browsers wake a hidden page once a minute."""

_log = logging.getLogger("flowlab.jobs")


class JobRunner:
    """Trains runs in slices of about 0.5 s, 0.2 s for a watched run, in turn over users.

    An unwatched run goes on to its last step: closing the tab does not stop it. One run per user is live; the others
    wait behind it. One thread writes the store, so no lane waits for the disk. A worker that dies costs its slice,
    nothing else. Only `call` and `steps_within` wait for a worker.

    Results are everybody's: a run's id comes from its spec, so all who ask for a spec see the same run. Control is
    its owner's, who began it: only they pause it, stop it, go on or start it again, and JobError answers others. They
    may have a copy (`make_mine`), which goes on from the same checkpoint under an id made of the run's id and the
    visitor's name; `run_id` then gives them the copy. A copy that reaches the last step holds what the shared run
    holds or would hold, so it replaces that of the same owner, and gives way to a finished one of somebody else. A
    run without an owner, and a caller without a name (the command line), are held to nothing; a run whose owner
    has not been seen for AWAY_SECONDS is there for whoever goes on with it.

    Of several servers on one store the one that holds its lease trains; the others show what is there, refuse to train
    in a sentence, and take over when the lease ends. Who takes over goes on with what the last one was training.

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
        self._datasets: Recent[Dataset] = Recent(12)
        self._estimates: dict[str, Future[TrainingEstimate]] = {}
        self._estimator = ThreadPoolExecutor(1, "flowlab-estimate")
        self._seen: dict[str, float] = {}
        self._closed = False
        self.lease = store.lease = Lease(store.root)
        self._why_not = ""
        scheduler = os.environ.get("FLOWLAB_SCHEDULER", "") if scheduler is None else scheduler
        if executor_factory is not None:
            self._lanes = Lanes(lambda: Lane(executor_factory, warm=False), lanes or 2)
        elif scheduler:
            self._lanes = DaskLanes(scheduler, lanes)
        else:
            width = lanes or asked_width() or default_width()
            self._lanes = Lanes(process_lane, width, lambda: process_lane(EVALUATION_NICE))
        self._saver = Saver(store)
        self._dispatcher = Dispatcher(self._lanes, self._saver, self.dataset)
        self._lock = self._dispatcher.lock
        self._answers = Answers(self._lanes.evaluation, self._dispatcher, self.dataset)
        self._saver.on_finished = lambda job, status: self._dispatcher.post(partial(self._finished, job, status))
        self._saver.on_error = lambda job, sentence: self._dispatcher.post(partial(self._not_saved, job, sentence))
        self._saver.on_gone = lambda job: self._dispatcher.post(partial(self._gone, job))
        self._keep_lease()
        self._closing = threading.Event()
        self._keeper = threading.Thread(target=self._keep, daemon=True, name="flowlab-lease")
        self._keeper.start()

    def run_id(self, spec: RunSpec, user: str = "") -> str:
        """The id of the run that `user` sees of a spec: their own copy if they have one, else the one all share."""
        shared = catalog.run_id(spec)
        copy = copy_id(shared, user)
        return copy if user and (copy in self._jobs or self.store.changed(copy)) else shared

    def version(self, run_id: str) -> tuple:
        """Changes whenever a run is begun, paused, gone on with, ended, replaced or handed over, not with each step.

        It costs no more than one look at a file's time.
        """
        with self._lock:
            job = self._jobs.get(run_id)
            if job is not None and job.mode is not Mode.DONE:
                state = self._state(job)
                standing = "live" if state.is_live else f"{state} {job.is_settling}"
                return run_id, standing, job.user, job.born
        return run_id, self.store.changed(run_id)

    def greet(self, user: str) -> None:
        """Note that `user` is here: their runs stay theirs for the next AWAY_SECONDS."""
        now = time.monotonic()
        self._seen[user] = now
        if len(self._seen) > 1000:
            self._seen = {name: at for name, at in self._seen.copy().items() if now - at < AWAY_SECONDS}

    def n_here(self) -> int:
        """How many users have a page open now."""
        now = time.monotonic()
        return sum(now - at < HERE_SECONDS for at in list(self._seen.values()))

    def owner(self, run_id: str) -> str:
        """Who controls a run; "" for one without an owner, or that is not here."""
        with self._lock:
            job = self._jobs.get(run_id)
            if job is not None:
                return job.user
        run = self.store.load(run_id)
        return "" if run is None else run.user

    def may_control(self, run_id: str, user: str) -> bool:
        """Whether `user` may pause, stop, go on with, step or start again a run.

        Its owner may, anybody may where it has none, and where its owner is away and it rests.
        """
        owner = self.owner(run_id)
        if not user or owner in ("", user):
            return True
        with self._lock:
            job = self._jobs.get(run_id)
            rests = job is None or job.mode not in (Mode.RUNNING, Mode.STOPPING, Mode.FINISHING)
        return rests and self._is_away(owner)

    def may_name(self, run_id: str, user: str) -> bool:
        """Whether `user` may name a run: its owner may, and anybody where it has none."""
        return self.owner(run_id) in ("", user)

    def name(self, run_id: str, label: RunLabel, user: str = "") -> None:
        """Give a run a name, a note and tags. JobError for another user's run."""
        with self._writing():
            if not self.may_name(run_id, user):
                raise JobError("Only who began this run can name it.")
            self._saver.now(self.store.set_label, run_id, label)

    def submit(self, spec: RunSpec, user: str = "", queued: bool = False, n_steps: int | None = None) -> str:
        """Begin or continue to train `spec` and return its run id at once.

        A finished run stays as it is, and so does one that somebody else trains. One that was paused, stopped or
        interrupted goes on; one that failed starts again. A fork (a spec with a parent) continues from its parent's
        step by its own settings: the parent's steps are repeated from the nearest kept checkpoint, to the same bits.

        Parameters
        ----------
        spec : what to train
        user : who trains it; the run enters this user's list, and becomes theirs where it is nobody's
        queued : whether the run waits behind the user's other runs, instead of going before them
        n_steps : pause after so many steps; None for all

        JobError if it rests and another user controls it, or MAX_RUNS of the user's train or wait. StoreError if the
        run cannot be written, or a fork's parent is not here; ValueError if it does not fit.
        """
        run_id = self.run_id(spec, user)
        with self._writing():
            job = self._job(run_id)
            if user and self._dispatcher.turns.n_runs(user) >= MAX_RUNS:
                raise JobError(f"{MAX_RUNS} of your runs train or wait, which is the limit; stop some of them first.")
            if job is None or job.mode in (Mode.DONE, Mode.FAILED):
                run = self.store.load(run_id)
                if run is None:
                    job = self._adopt(self._create(run_id, spec, user), user)
                elif run.status is RunState.DONE:
                    job = None
                else:
                    self._claim(run_id, user)
                    if run.status is RunState.FAILED:
                        run = self._create(run_id, spec, user or run.user, run.copy_of)
                    job = self._adopt(run, user)
            elif job.mode is Mode.RUNNING and n_steps is None and not self.may_control(run_id, user):
                job = None
            else:
                self._claim(run_id, user)
            if user:
                self._saver.now(self.store.note_visitor, run_id, user)
            if job is not None:
                self._dispatcher.go(job, front=not queued)
                job.steps_left = n_steps
        return run_id

    def submit_many(self, specs: list[RunSpec], user: str = "") -> list[str]:
        """Queue several runs of one user, trained one after the other, and return their ids.

        A run that rests and is another user's is trained as a copy.
        """
        for spec in specs:
            run_id = self.run_id(spec, user)
            status = self.status(run_id)
            if status and status.state.rests and not self.may_control(run_id, user):
                self.make_mine(run_id, user)
        return [self.submit(spec, user, queued=True) for spec in specs]

    def pause(self, run_id: str, user: str = "") -> None:
        """Pause a running run; the result of the slice under way is kept. JobError for another user's run."""
        with self._writing():
            job = self._job(run_id)
            if job is not None and job.mode is Mode.RUNNING:
                self._check(run_id, user)
                self._dispatcher.halt(job, Mode.PAUSED)

    def resume(self, run_id: str, user: str = "") -> None:
        """Continue a run that was paused, stopped or interrupted; one that is done or failed stays as it is.

        JobError if there is no such run, or it is another user's.
        """
        with self._writing():
            job = self._find(run_id)
            if job is not None:
                self._claim(run_id, user)
                self._dispatcher.go(job)

    def step(self, run_id: str, n_steps: int = 1, user: str = "") -> None:
        """Train a run for `n_steps` further steps, then pause.

        JobError if there is no such run, or it is another user's.
        """
        if n_steps < 1:
            raise ValueError(f"n_steps must be at least 1, not {n_steps}")
        with self._writing():
            job = self._find(run_id)
            if job is not None:
                self._claim(run_id, user)
                self._dispatcher.go(job)
                job.steps_left = n_steps

    def stop(self, run_id: str, user: str = "") -> None:
        """End a run at its present step; its model is kept and can be used, and `resume` continues from there.

        JobError if there is no such run, or it is another user's.
        """
        with self._writing():
            job = self._find(run_id)
            if job is None or job.mode not in (Mode.RUNNING, Mode.PAUSED):
                return
            self._check(run_id, user)
            if job.checkpoint is None and not job.in_flight:
                self._dispatcher.halt(job, Mode.STOPPED)
            else:
                self._dispatcher.go(job)
                job.mode = Mode.STOPPING

    def restart(self, run_id: str, user: str = "") -> str:
        """Start a run again from the first step, and return the id of what trains.

        A user's restart of a run that is done or stopped trains beside it, as a copy, and replaces it when it is
        done: nothing is lost before. Any other run is begun anew in its place, and so is every run where the
        caller has no name. JobError if there is no such run, or it is another user's and not over.
        """
        with self._writing():
            run = self.store.load(run_id)
            if run is None:
                raise JobError("There is no such run to start again; press train.")
            job = self._jobs.get(run_id)
            trains = job is not None and job.mode in (Mode.RUNNING, Mode.STOPPING)
            if user and run.is_usable and not run.copy_of and not trains:
                run = self._create(copy_id(run_id, user), run.spec, user, run_id)
                self._saver.now(self.store.note_visitor, run.run_id, user)
            else:
                self._check(run_id, user)
                run = self._create(run_id, run.spec, user or run.user, run.copy_of)
            self._dispatcher.go(self._adopt(run, run.user))
        return run.run_id

    def make_mine(self, run_id: str, user: str) -> str:
        """Give `user` control of what a run has learned so far, and return the id of the run they control.

        That is a copy from the same checkpoint, which trains where the run trained and rests where it rested; the
        run itself goes on for the others. A run whose owner is away is handed over instead; of a finished one there
        is nothing to control, and it is returned as it is. JobError if there is no such run.
        """
        with self._writing():
            run = self.store.load(run_id)
            if run is None:
                raise JobError("There is no such run to copy; press train.")
            owner, live = self.owner(run_id), self._is_live(run_id)
            if not user or owner == user or run.status is RunState.DONE:
                return run_id
            if not owner or self._is_away(owner):
                self._hand_over(run_id, user)
                self._saver.now(self.store.note_visitor, run_id, user)
                return run_id
            copy = self._saver.now(self.store.copy, run_id, copy_id(run.copy_of or run_id, user), user)
            self._saver.now(self.store.note_visitor, copy.run_id, user)
            job = self._adopt(copy, user)
            if live:
                self._dispatcher.go(job)
            elif copy.is_usable:
                self._forget(copy.run_id)
            return copy.run_id

    def drop_copy(self, run_id: str, user: str) -> None:
        """Give up a user's own copy of a run: they see the one that all share again. JobError if it is not theirs."""
        with self._writing():
            run = self.store.load(run_id)
            if run is not None and run.copy_of:
                self._check(run_id, user)
                self._forget(run_id)
                self._saver.now(self.store.remove_copy, run_id)

    def status(self, run_id: str) -> RunStatus | None:
        """The status of a run; None if there is no such run."""
        with self._lock:
            job = self._job(run_id)
            if job is not None:
                return RunStatus(
                    state=self._state(job),
                    step=job.step,
                    n_steps=job.n_steps,
                    ahead=self._dispatcher.turns.ahead(job),
                    wait_seconds=self._dispatcher.wait_seconds(job),
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
        # No job of this process; the server that holds the lease may be training it.
        lost = run.status.is_live and (self.lease.is_held or not self.lease.is_anybodys())
        return RunStatus(RunState.INTERRUPTED if lost else run.status, step, n_steps, message=run.error)

    def watch(self, run_id: str) -> RunStatus | None:
        """`status`, and for the next WATCH_SECONDS shorter slices with a picture each."""
        with self._lock:
            job = self._jobs.get(run_id)
            if job is not None:
                job.watched_until = time.monotonic() + WATCH_SECONDS
        return self.status(run_id)

    def snapshot(self, run_id: str) -> Snapshot | None:
        """The present weights of a run, for views while it goes on; None before the first checkpoint."""
        run = self.store.load(run_id)
        with self._lock:
            job = self._jobs.get(run_id)
            checkpoint = None if job is None else job.checkpoint
        return None if run is None else snapshot_of(run, checkpoint)

    def call(
        self,
        run_id: str,
        view: Callable[..., Any],
        timeout: float = CALL_SECONDS,
        snapshot: Snapshot | None = None,
        **kwargs: Any,
    ) -> Any:
        """`view(model, dataset, **kwargs)` for the model of a run or for a `snapshot` of it.

        They are computed on a separate lane, so that it answers while others train.

        Parameters
        ----------
        view : a function of a module, such as those of `flowlab.views`
        timeout : seconds to wait for the result
        snapshot : weights to use; by default the finished model or the newest checkpoint on disk
        kwargs : arguments of the view

        JobError before the first checkpoint, or if it takes longer than `timeout`.
        """
        run = self.store.load(run_id)
        if run is not None and snapshot is not None:
            return self._answers.ask(run.spec, snapshot.weights, snapshot.key, view, kwargs, timeout)
        state = None if run is None else run.state or run.checkpoint
        if run is None or state is None:
            raise JobError("Nothing has been learned yet; press train.")
        return self._answers.ask(run.spec, state, (run_id, run.updated), view, kwargs, timeout)

    def compute(self, function: Callable[..., Any], timeout: float = CALL_SECONDS, **kwargs: Any) -> Any:
        """`function(**kwargs)` of a module on the lane that answers, for what needs no run. JobError as `call`."""
        return self._answers.compute(function, kwargs, timeout)

    def dataset(self, spec: RunSpec) -> Dataset:
        """The Dataset of a run, made once for all who ask: never change it. ValueError as `catalog.make_dataset`."""
        key = catalog.dataset_key(spec)
        return self._datasets.get_or_make(key, lambda: catalog.dataset_of(spec, self.store.get_table))

    def steps_within(self, spec: RunSpec, seconds: float) -> int:
        """How many training steps of a spec fit into `seconds`, by a short measurement on the evaluation lane."""
        key = ("untrained", catalog.run_id(spec))
        return self._answers.ask(spec, {}, key, steps_within, {"seconds": seconds}, CALL_SECONDS)

    def estimate(self, spec: RunSpec, begin: bool = True) -> TrainingEstimate | None:
        """What training a spec will take, by a short measurement on the evaluation lane; None while that is not known.

        It does not wait: it begins the measurement, where it may, and is asked again. At most `MAX_ASKED` wait.
        """
        key = catalog.run_id(spec)
        with self._lock:
            known = self._estimates.get(key)
            n_waiting = sum(not future.done() for future in self._estimates.values())
            if known is None and begin and n_waiting < MAX_ASKED and not self._closed:
                while len(self._estimates) >= MAX_ESTIMATES:
                    self._estimates.pop(next(iter(self._estimates)))
                asked = partial(self._answers.ask, spec, {}, (), estimate, {}, CALL_SECONDS)
                known = self._estimates[key] = self._estimator.submit(asked)
        if known is None or not known.done():
            return None
        return UNKNOWN if known.cancelled() or known.exception() is not None else known.result()

    def occupancy(self) -> dict[str, Counter[str]]:
        """How many "lanes" and how many "runs" of this server are in each state."""
        with self._lock:
            lanes = Counter(lane.state for lane in (*self._lanes.training, self._lanes.evaluation))
            runs = Counter(str(self._state(job)) for job in self._jobs.values())
        return {"lanes": lanes, "runs": runs}

    def close(self) -> None:
        """Stop dispatching, mark live runs as interrupted at their present step, and close the workers."""
        if self._closed:
            return
        self._closed = True
        self._closing.set()
        self._keeper.join()
        self._estimator.shutdown(wait=False, cancel_futures=True)
        self._dispatcher.close()
        for job in self._jobs.values():
            if job.mode in (Mode.RUNNING, Mode.STOPPING):
                self._saver.save(job, None, RunState.INTERRUPTED)
        self._saver.close()
        self.lease.release()
        if self.store.lease is self.lease:
            self.store.lease = None

    def set_aside(self, run_id: str) -> None:
        """Move a damaged run out of the way, so that it can be trained again; what can be read of it is kept."""
        with self._writing():
            self._forget(run_id)
            self._saver.now(self.store.set_aside, run_id)

    def go_back(self, run_id: str, user: str = "") -> None:
        """Have a damaged run train on from its newest checkpoint that can be read. JobError for another user's run."""
        with self._writing():
            self._check(run_id, user)
            self._forget(run_id)
            self._saver.now(self.store.go_back, run_id)
            self.resume(run_id, user)

    def remove_table(self, digest: str, user: str) -> None:
        """Delete an uploaded table and every run on it. JobError unless `user` uploaded it."""
        with self._writing():
            if not user or self.store.table_owner(digest) != user:
                raise JobError("Only who uploaded this table can delete it.")
            self._remove_table(digest)

    def _remove_table(self, digest: str) -> None:
        for run in self.store.runs_on(digest):
            self._forget(run.run_id)
        self._saver.now(self.store.remove_table, digest)
        self._datasets.clear()

    def expire(self, days: float, max_bytes: float) -> None:
        """Remove what `RunStore.expired` and `unused_tables` name, as the settings of the server ask for."""
        with self._writing():
            for run in self.store.expired(days, max_bytes):
                job = self._jobs.get(run.run_id)
                if job is None or job.mode not in (Mode.RUNNING, Mode.STOPPING, Mode.FINISHING):
                    self._forget(run.run_id)
                    self._saver.now(self.store.remove, run.run_id)
            for digest in self.store.unused_tables(days):
                self._remove_table(digest)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """The lock, for what changes runs; JobError, a sentence, where this server may not write them."""
        with self._lock:
            if not self.lease.is_held and not self.lease.renew():
                raise JobError(self._why_not or self.lease.sentence())
            yield

    def _keep(self) -> None:
        """Renew the lease, or try to get it, and now and then remove what is old, until the runner is closed."""
        expire_at = time.monotonic()
        while not self._closing.wait(RENEW_SECONDS):
            try:
                self._keep_lease()
                if self.lease.is_held and time.monotonic() > expire_at:
                    expire_at = time.monotonic() + EXPIRE_SECONDS
                    days, max_bytes = kept_for()
                    if min(days, max_bytes) < math.inf:
                        self.expire(days, max_bytes)
            except Exception:
                _log.exception("the store could not be kept")

    def _keep_lease(self) -> None:
        had = self.lease.number
        if had and self.lease.renew():
            return
        if had:
            with self._lock:
                for run_id in list(self._jobs):
                    self._forget(run_id)
        try:
            has, self._why_not = self.lease.acquire(), ""
        except StoreError as error:
            has, self._why_not = False, str(error)
        if has:
            self._take_over()

    def _take_over(self) -> None:
        """Go on with what the last server on this store was training."""
        self.store.mend()
        for run in reversed(self.store.list()):
            rested = time.time() - self.store.changed(run.run_id) / 1e9
            was_cut_off = run.status is RunState.INTERRUPTED and rested < MAX_REST_SECONDS
            if not run.status.is_live and not was_cut_off:
                continue
            with self._lock, contextlib.suppress(StoreError):
                if run.n_adopted >= MAX_ADOPTIONS:
                    sentence = f"The server ended {MAX_ADOPTIONS} times while this trained; press train to go on."
                    self._saver.now(self.store.set_status, run.run_id, RunState.INTERRUPTED, sentence)
                    continue
                try:
                    self._saver.now(self.store.note_adopted, run.run_id)
                    job = self._adopt(run, run.user)
                except Exception as error:  # a damaged checkpoint, or a parent that is gone: this run alone rests
                    sentence = f"The server was restarted, and this run could not go on by itself: {error}"
                    self._saver.now(self.store.set_status, run.run_id, RunState.INTERRUPTED, sentence)
                    continue
                self._dispatcher.go(job, front=False)
                job.message = f"The server was restarted; training goes on from step {job.step}."

    def _job(self, run_id: str) -> Job | None:
        """The job of a run; None, and it is forgotten, where its directory was deleted."""
        job = self._jobs.get(run_id)
        if job is not None and not self.store.changed(run_id):
            self._forget(run_id)
            return None
        return job

    def _gone(self, job: Job) -> None:
        if self._jobs.get(job.run_id) is job:
            self._forget(job.run_id)

    def _is_away(self, user: str) -> bool:
        return time.monotonic() - self._seen.get(user, -math.inf) > AWAY_SECONDS

    def _is_live(self, run_id: str) -> bool:
        job = self._jobs.get(run_id)
        return job is not None and self._state(job).is_live

    def _check(self, run_id: str, user: str) -> None:
        """JobError unless `user` may control the run: the one place where this is decided."""
        if not self.may_control(run_id, user):
            raise JobError(
                "Somebody else started this run and controls it. Press Make it mine: a copy goes on from the same step."
            )

    def _claim(self, run_id: str, user: str) -> None:
        """Check that `user` may control the run, and make it theirs."""
        self._check(run_id, user)
        if user and self.owner(run_id) != user:
            self._hand_over(run_id, user)

    def _hand_over(self, run_id: str, user: str) -> None:
        job = self._jobs.get(run_id)
        if job is not None:
            self._dispatcher.turns.hand_over(job, user)
        self._saver.now(self.store.set_owner, run_id, user)

    def _forget(self, run_id: str) -> None:
        job = self._jobs.pop(run_id, None)
        if job is not None:
            self._dispatcher.drop(job)

    def _give_way(self, copy: Run) -> None:
        """What becomes of a finished copy: it takes the place of its owner's run, or leaves that to a finished one."""
        shared = self.store.load(copy.copy_of)
        if shared is None or (shared.user in ("", copy.user) and not self._is_live(shared.run_id)):
            self._forget(copy.copy_of)
            self._saver.now(self.store.replace, copy.copy_of, copy.run_id)
            self._saver.now(self.store.note_visitor, copy.copy_of, copy.user)
        elif shared.status is RunState.DONE:
            self._saver.now(self.store.remove_copy, copy.run_id)
        else:
            return
        self._forget(copy.run_id)

    def _create(self, run_id: str, spec: RunSpec, user: str, copy_of: str = "") -> Run:
        """A new run on disk, if a fork's parent is there and fits."""
        if spec.branch:
            forks.parent_of(self.store, spec)
        return self._saver.now(self.store.create, run_id, spec, user, copy_of)

    def _rewind(self, job: Job) -> None:
        """Have a fork begin with its parent's training up to its step."""
        parent = forks.parent_of(self.store, job.spec)
        step = job.spec.branch[1] if job.spec.branch else 0
        job.step, job.checkpoint, job.replay = forks.lineage(self.store, parent, step)
        job.n_steps = parent.events[-1].n_steps

    def _find(self, run_id: str) -> Job | None:
        """The job of a run, taken up from disk if need be; None if the run is over."""
        job = self._job(run_id)
        if job is not None:
            return job
        run = self.store.load(run_id)
        if run is None:
            raise JobError("There is no such run on this server; press train.")
        return None if run.status in (RunState.DONE, RunState.FAILED) else self._adopt(run, run.user)

    def _adopt(self, run: Run, user: str) -> Job:
        """Take a run up as it stands on disk."""
        job = Job(run.run_id, run.spec, user or run.user, checkpoint=run.checkpoint, mode=Mode.PAUSED)
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

    def _state(self, job: Job) -> RunState:
        if job.mode is not Mode.RUNNING:
            return job.mode.state
        live = any(first is job for first in self._dispatcher.turns.live())
        return RunState.RUNNING if job.in_flight or (live and job.turns) else RunState.QUEUED

    def _finished(self, job: Job, status: RunState) -> None:
        job.mode, job.checkpoint = Mode(status), None
        if job.mode is Mode.STOPPED and self._jobs.get(job.run_id) is job:
            # `resume` takes it up from disk.
            del self._jobs[job.run_id]
        if job.mode is Mode.DONE and not job.dropped:
            run = self.store.load(job.run_id)
            if run is not None and run.copy_of:
                self._give_way(run)

    def _not_saved(self, job: Job, sentence: str) -> None:
        job.mode, job.message = Mode.PAUSED, sentence
        self._dispatcher.turns.remove(job)


def kept_for() -> tuple[float, float]:
    """For how many days runs and tables are kept, and how many bytes of runs: FLOWLAB_KEEP_DAYS and FLOWLAB_KEEP_GB.

    Without them, or where they are no numbers, infinity: everything is kept.
    """

    def number(name: str) -> float:
        try:
            value = float(os.environ.get(name, ""))
        except ValueError:
            return math.inf
        return value if value > 0 else math.inf

    return number("FLOWLAB_KEEP_DAYS"), number("FLOWLAB_KEEP_GB") * 1e9


def copy_id(run_id: str, user: str) -> str:
    """The id of a user's own copy of a run: 16 hex digits of both, so that it is found again without a list."""
    return hashlib.sha256(f"{run_id} {user}".encode()).hexdigest()[:16]
