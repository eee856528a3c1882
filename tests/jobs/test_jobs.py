"""The real runner over an executor of threads, with a model that is a few lines of NumPy."""

from __future__ import annotations

import sys
import time
import types
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from dataclasses import make_dataclass

import numpy as np
import pandas as pd
import pytest

import flowlab
from flowlab import catalog
from flowlab.catalog import Entry
from flowlab.controls import Int, Text
from flowlab.datasets.dataset import Dataset
from flowlab.jobs import JobError, JobRunner, RunStatus, forks, run_slice, slices
from flowlab.models.base import DensityModel
from flowlab.records import RunSpec, Spec, TrainEvent
from flowlab.store.errors import StoreError
from flowlab.store.recent import Recent
from flowlab.store.runs import RunStore


class Walk(DensityModel):
    """Adds one draw to its only weight at each step: any step lost, repeated or taken by another shows."""

    def __init__(
        self,
        n_steps: int = 60,
        pause: float = 0.002,
        patience: int = 0,
        fail: str = "",
        stride: int = 1,
        random_state: int = 0,
    ):
        self.n_steps, self.pause, self.patience, self.fail, self.stride = n_steps, pause, patience, fail, stride
        self.random_state = random_state

    def _train(self, X, X_val, checkpoint, n_steps):
        if self.fail == "table":
            raise ValueError("column 'a' is constant; leave it out")
        self.weight_, self.step_ = float(X[0, 0]), 0
        if checkpoint is not None:
            self.set_state(checkpoint)
            self.step_ = int(checkpoint["train.step"])
        return self._steps(self.n_steps if n_steps is None else min(self.n_steps, self.step_ + n_steps))

    def _steps(self, last):
        while self.step_ < last and not (self.patience and self.step_ >= self.patience):
            if self.fail == "later" and self.step_ >= 20:
                raise RuntimeError("singular matrix")
            time.sleep(self.pause)
            self.weight_ += self.stride * np.random.default_rng([self.random_state, self.step_]).normal()
            self.step_ += 1
            if self.step_ % 5 == 0 or self.step_ in (last, self.patience):
                yield TrainEvent(self.step_, self.n_steps, 0.0, self.weight_, self.weight_, 0.0, 0.0)

    def get_state(self):
        return {"weight": np.array(self.weight_), "n_features_in": np.array(self.n_features_in_)}

    def set_state(self, state):
        self.weight_, self.n_features_in_ = float(state["weight"]), int(state["n_features_in"])
        return self

    def get_checkpoint(self):
        return {**self.get_state(), "train.step": np.array(self.step_)}

    def score_samples(self, X):
        return -np.abs(self._check_rows(X)[:, 0] - self.weight_)

    def sample(self, n_samples=1, random_state=None, temperature=1.0):
        return np.zeros((n_samples, self.n_features_in_))


def table_of(frame: pd.DataFrame, seed: int = 0, digest: str = "", learner: str = "") -> Dataset:
    if frame["a"].nunique() < 2:
        raise ValueError("column 'a' is constant; choose another")
    return Dataset(frame[["a", "b"]].to_numpy(float), ("a", "b"))


def walk(seed: int = 0, **params) -> RunSpec:
    return RunSpec(Spec("moons"), Spec("walk", params), seed)


@pytest.fixture(autouse=True)
def catalogue(monkeypatch):
    """The Walk and a tiny upload in the catalog, and views that know them."""
    controls = tuple(
        Int(name, name, 0, 10**6, learning=name != "fail")
        for name in ("n_steps", "pause", "patience", "fail", "stride")
    )
    monkeypatch.setitem(catalog.MODELS, "walk", Entry("walk", "Walk", Walk, controls))
    upload = Entry("table", "Table", table_of, (Text("digest", "Digest"),), group=catalog.UPLOADED)
    monkeypatch.setitem(catalog.DATASETS, "table", upload)
    pictures = types.ModuleType("flowlab.views")
    frame, final = make_dataclass("Frame", ["weight"]), make_dataclass("Final", ["scores"])
    pictures.frame = lambda model, dataset: frame(np.array(model.weight_))
    pictures.final = lambda model, dataset: final(model.score_samples(dataset.X[:10]))
    monkeypatch.setitem(sys.modules, "flowlab.views", pictures)
    # The real one imports torch, which takes longer than all these tests.
    monkeypatch.setattr(slices.base, "use_one_thread", lambda: None)
    monkeypatch.setattr(flowlab, "views", pictures, raising=False)
    monkeypatch.setattr(slices, "_datasets", Recent(6))
    monkeypatch.setattr(slices, "_models", Recent(6))


@pytest.fixture
def store(tmp_path) -> RunStore:
    return RunStore(tmp_path)


@pytest.fixture
def open_runner(store):
    runners = []

    def open_(lanes: int = 2, factory=lambda: ThreadPoolExecutor(1)) -> JobRunner:
        runners.append(JobRunner(store, lanes=lanes, executor_factory=factory))
        return runners[-1]

    yield open_
    for runner in runners:
        runner.close()


@pytest.fixture
def runner(open_runner) -> JobRunner:
    return open_runner()


def wait(runner: JobRunner, run_id: str, *states: str, seconds: float = 20) -> RunStatus:
    until = time.monotonic() + seconds
    while (status := runner.status(run_id)).state not in states:
        assert time.monotonic() < until, f"waited for {states}, stands at {status}"
        time.sleep(0.005)
    return status


def in_one_go(spec: RunSpec) -> dict[str, np.ndarray]:
    model = catalog.make_model(spec.model, spec.seed)
    dataset = catalog.make_dataset(spec.data, spec.seed)
    for _ in model.fit_iter(dataset.part("train")):
        pass
    return model.get_state()


def test_slices_of_any_size_give_what_one_go_gives():
    spec = walk(n_steps=40, pause=0)
    whole = run_slice(spec, None, 40)
    checkpoint = None
    for n_steps in (10, 1, 9, 20):
        part = run_slice(spec, checkpoint, n_steps, with_frame=False)
        checkpoint = part.checkpoint
    assert whole.finished and part.finished
    assert part.state["weight"] == whole.state["weight"] == in_one_go(spec)["weight"]
    assert part.views.keys() == whole.views.keys() and part.frame is not None


def test_a_run_is_trained_to_its_end_and_kept(runner, store):
    spec = walk()
    run_id = runner.submit(spec, "anna")
    assert wait(runner, run_id, "done").step == 60
    run = store.load(run_id)
    assert run.status == "done" and run.state["weight"] == in_one_go(spec)["weight"]
    assert [event.step for event in run.events][-1] == 60 and len(run.frames) >= 1 and run.views
    assert [r.run_id for r in store.list("anna")] == [run_id]
    before = run.updated
    assert runner.submit(spec, "bert") == run_id and runner.status(run_id).state == "done"
    assert store.load(run_id).updated == before, "same link, same run: nothing is trained again"
    assert [r.run_id for r in store.list("bert")] == [run_id]


def test_an_early_stop_is_an_end(runner, store):
    run_id = runner.submit(walk(patience=17))
    assert wait(runner, run_id, "done").step == 17
    assert store.load(run_id).state is not None


def test_pause_step_and_resume_change_nothing_but_the_clock(runner, store, monkeypatch):
    sizes = []
    real = slices.run_slice
    monkeypatch.setattr(slices, "run_slice", lambda *arguments: sizes.append(arguments[2]) or real(*arguments))
    spec = walk(n_steps=900)
    run_id = runner.submit(spec)
    while runner.status(run_id).step < 10:
        time.sleep(0.002)
    runner.pause(run_id)
    time.sleep(0.7)  # the slice under way is kept
    paused = runner.status(run_id)
    time.sleep(0.15)
    assert paused.state == "paused" and runner.status(run_id).step == paused.step < 900
    assert store.load(run_id).status == "paused"
    runner.resume(run_id)
    time.sleep(0.05)
    runner.pause(run_id)
    runner.step(run_id, 2)  # counts from the end of the slice under way
    assert wait(runner, run_id, "paused").step == sum(sizes) and sizes[-1] == 2
    for n_steps in (1, 3):
        before = runner.status(run_id).step
        runner.step(run_id, n_steps)
        assert wait(runner, run_id, "paused").step == before + n_steps
    runner.resume(run_id)
    wait(runner, run_id, "done")
    assert store.load(run_id).state["weight"] == in_one_go(spec)["weight"]


def test_a_stopped_run_can_be_used_and_taken_up_again(runner, store):
    spec = walk(n_steps=900)
    run_id = runner.submit(spec)
    while runner.status(run_id).step < 10:
        time.sleep(0.002)
    runner.stop(run_id)
    stopped = wait(runner, run_id, "stopped")
    run = store.load(run_id)
    assert 10 <= stopped.step < 900 and run.status == "stopped"
    assert run.state["weight"] == run.checkpoint["weight"] and run.views is not None
    runner.resume(run_id)
    assert wait(runner, run_id, "done").step == 900
    assert store.load(run_id).state["weight"] == in_one_go(spec)["weight"]


def test_stop_before_the_first_step_leaves_nothing_to_use(open_runner, store):
    runner = open_runner(lanes=1)
    first, second = walk(seed=1, n_steps=1000), walk(seed=2)
    runner.submit(first, "anna")
    run_id = runner.submit(second, "anna", queued=True)
    assert runner.status(run_id).state == "queued" and runner.status(run_id).ahead == 1
    runner.stop(run_id)
    assert wait(runner, run_id, "stopped").step == 0
    with pytest.raises(JobError, match="Nothing has been learned yet"):
        runner.call(run_id, _weight)


def test_restart_forgets_what_was_learned_even_in_the_middle_of_a_slice(runner, store):
    spec = walk(n_steps=900)
    run_id = runner.submit(spec)
    while runner.status(run_id).step < 30:
        time.sleep(0.002)
    runner.restart(run_id)
    assert runner.status(run_id).step == 0
    wait(runner, run_id, "done")
    run = store.load(run_id)
    assert run.state["weight"] == in_one_go(spec)["weight"]
    runner.restart(run_id)
    assert wait(runner, run_id, "done").step == 900
    assert store.load(run_id).state["weight"] == run.state["weight"]


def test_a_users_runs_come_one_after_the_other(open_runner):
    runner = open_runner(lanes=2)
    specs = [walk(seed=seed, n_steps=30) for seed in range(3)]
    ids = runner.submit_many(specs, "anna")
    most = 0
    while runner.status(ids[-1]).state != "done":
        most = max(most, sum(runner.status(run_id).state == "running" for run_id in ids))
        time.sleep(0.002)
    assert most <= 2, "one live run, and perhaps the one before still being written"
    assert all(runner.status(run_id).state == "done" for run_id in ids)


def test_a_click_goes_before_ones_own_earlier_run(open_runner):
    runner = open_runner(lanes=1)
    long = runner.submit(walk(seed=1, n_steps=2000), "anna")
    while runner.status(long).step < 10:
        time.sleep(0.002)
    short = runner.submit(walk(seed=2, n_steps=20), "anna")
    wait(runner, short, "done", seconds=5)
    assert runner.status(long).state in ("running", "queued") and runner.status(long).step < 2000


def test_lanes_are_shared_fairly_over_users(open_runner):
    runner = open_runner(lanes=2)
    users = {f"user{i}": runner.submit(walk(seed=i, n_steps=10**6), f"user{i}") for i in range(6)}
    for seed in range(10, 15):  # one user with many runs gets no more than the others
        runner.submit(walk(seed=seed, n_steps=10**6), "user0", queued=True)
    time.sleep(4)
    steps = np.array([runner.status(run_id).step for run_id in users.values()], float)
    jain = steps.sum() ** 2 / (len(steps) * (steps**2).sum())
    status = runner.status(users["user3"])
    assert jain > 0.9, steps
    assert status.turn_every_seconds > 0.5 and status.ahead <= 5


def test_the_first_slice_after_a_click_comes_before_the_turn_of_others(open_runner):
    runner = open_runner(lanes=1)
    for i in range(5):
        runner.submit(walk(seed=i, n_steps=10**6), f"user{i}")
    time.sleep(3)
    began = time.monotonic()
    run_id = runner.submit(walk(seed=99, n_steps=10**6), "late")
    while runner.status(run_id).step == 0:
        time.sleep(0.002)
    assert time.monotonic() - began < 1.0


def test_slices_are_shorter_while_somebody_watches(open_runner, store):
    runner = open_runner(lanes=1)
    run_id = runner.submit(walk(n_steps=10**6))
    time.sleep(2)
    until = time.monotonic() + 2
    seen = set()
    while time.monotonic() < until:
        seen.add(runner.watch(run_id).step)
        time.sleep(0.01)
    assert len(seen) >= 6
    unwatched = runner.status(run_id)
    assert unwatched.turn_every_seconds < 0.4


def test_a_wrong_table_fails_at_once_with_its_sentence(runner, store):
    run_id = runner.submit(walk(fail="table"))
    status = wait(runner, run_id, "failed")
    assert status.message == "column 'a' is constant; leave it out"
    run = store.load(run_id)
    assert run.error == status.message and "ValueError" in run.details


def test_a_slice_that_keeps_failing_is_tried_three_times(runner, store, monkeypatch):
    tries = []
    steps = Walk._steps
    monkeypatch.setattr(Walk, "_steps", lambda self, last: tries.append(self.step_) or steps(self, last))
    run_id = runner.submit(walk(fail="later"))
    status = wait(runner, run_id, "failed")
    assert tries[-3:] == [status.step] * 3 and tries.count(status.step) == 3
    assert status.step < 20 and "RuntimeError: singular matrix" in status.message
    assert "Traceback" in store.load(run_id).details
    assert runner.submit(walk(fail="later")) == run_id, "training again starts again"
    assert runner.status(run_id).state in ("queued", "running")


class Fragile(ThreadPoolExecutor):
    """Loses its worker when told to."""

    deaths: list[int] = []

    def submit(self, function, *arguments):
        if Fragile.deaths:
            Fragile.deaths.pop()
            future = Future()
            future.set_exception(BrokenExecutor("a child process terminated abruptly"))
            return future
        return super().submit(function, *arguments)


def test_a_lost_worker_costs_one_slice_and_is_mentioned(open_runner, store):
    runner = open_runner(factory=lambda: Fragile(1))
    spec = walk(n_steps=900)
    run_id = runner.submit(spec)
    for _ in range(3):  # three deaths, but never three in a row
        step = runner.status(run_id).step
        Fragile.deaths.append(1)
        while Fragile.deaths or runner.status(run_id).step <= step:
            time.sleep(0.002)
    status = wait(runner, run_id, "done")
    assert status.lost_workers == 3 and "A worker was lost; training goes on from step" in status.message
    assert store.load(run_id).state["weight"] == in_one_go(spec)["weight"]
    Fragile.deaths.extend([1, 1, 1])
    lost = runner.submit(walk(seed=5))
    assert "lost 3 times in a row" in wait(runner, lost, "failed").message


def test_a_full_disk_pauses_the_run_and_freed_space_lets_it_go_on(runner, store, monkeypatch):
    spec = walk(n_steps=900)
    run_id = runner.submit(spec)
    while runner.status(run_id).step < 10:
        time.sleep(0.002)

    def full(*arguments, **settings):
        raise StoreError("The disk is full: nothing was saved. Free some space, then go on.")

    with monkeypatch.context() as patch:
        patch.setattr(store, "append", full)
        status = wait(runner, run_id, "paused")
        assert "disk is full" in status.message
        time.sleep(0.3)
    runner.resume(run_id)
    assert wait(runner, run_id, "done").message == ""
    run = store.load(run_id)
    assert run.state["weight"] == in_one_go(spec)["weight"]
    steps = [event.step for event in run.events]
    assert set(range(5, 901, 5)) <= set(steps), "what could not be written then is written now"


def test_a_restarted_server_goes_on_from_the_checkpoint(open_runner, store):
    runner, spec = open_runner(), walk(n_steps=900)
    run_id = runner.submit(spec)
    while runner.status(run_id).step < 30:
        time.sleep(0.002)
    runner.close()
    assert store.load(run_id).status == "interrupted"
    store.set_status(run_id, "running")  # as a server that was killed leaves it
    second = open_runner()
    status = second.status(run_id)
    assert status.state.is_live and "restarted; training goes on from step" in status.message, "without a click"
    step = int(store.load(run_id).checkpoint["train.step"])
    assert second.submit(spec) == run_id
    assert second.status(run_id).step >= step >= 1
    wait(second, run_id, "done")
    assert store.load(run_id).state["weight"] == in_one_go(spec)["weight"]


def test_an_uploaded_table_is_sent_to_workers_that_lack_it(runner, store, monkeypatch):
    sent = []
    real = slices._dataset
    monkeypatch.setattr(
        slices, "_dataset", lambda spec, dataset: sent.append(dataset is not None) or real(spec, dataset)
    )
    rng = np.random.default_rng(0)
    digest = store.put_table(pd.DataFrame({"a": rng.normal(size=50), "b": rng.normal(size=50)}))
    run_id = runner.submit(RunSpec(Spec("table", {"digest": digest}), Spec("walk")))
    wait(runner, run_id, "done")
    assert sent[0] is False and sum(sent) == 1, "asked for once, sent once"


def test_a_table_that_is_gone_or_wrong_fails_with_its_sentence(runner, store):
    run_id = runner.submit(RunSpec(Spec("table", {"digest": "0" * 16}), Spec("walk")))
    assert "upload the file again" in wait(runner, run_id, "failed").message
    digest = store.put_table(pd.DataFrame({"a": [1.0] * 9, "b": range(9)}))
    run_id = runner.submit(RunSpec(Spec("table", {"digest": digest}), Spec("walk")))
    assert "column 'a' is constant" in wait(runner, run_id, "failed").message


def test_status_and_control_of_what_is_not_here(runner):
    assert runner.status("0" * 16) is None and runner.watch("0" * 16) is None
    runner.pause("0" * 16)
    for action in (runner.resume, runner.step, runner.stop, runner.restart):
        with pytest.raises(JobError, match="press train"):
            action("0" * 16)


def test_a_view_is_computed_from_what_was_learned(runner, store):
    def distance(model, dataset, at=0.0):
        return {"distance": np.array(abs(model.weight_ - at)), "rows": np.array(len(dataset))}

    def wrong(model, dataset):
        raise ValueError("the window is empty; zoom out")

    run_id = runner.submit(walk())
    wait(runner, run_id, "done")
    weight = float(store.load(run_id).state["weight"])
    assert runner.call(run_id, distance, at=2.0)["distance"] == abs(weight - 2)
    assert runner.call(run_id, distance)["distance"] == abs(weight)
    with pytest.raises(ValueError, match="zoom out"):
        runner.call(run_id, wrong)
    with pytest.raises(JobError, match=r"longer than 0.2 s"):
        runner.call(run_id, lambda model, dataset: time.sleep(1), timeout=0.2)


def _weight(model, dataset) -> float:
    return model.weight_


def test_a_snapshot_stands_still_while_its_run_goes_on(runner, store):
    spec = walk(n_steps=400)
    run_id = catalog.run_id(spec)
    assert runner.snapshot(run_id) is None, "nobody has begun this run"
    runner.submit(spec, n_steps=25)
    wait(runner, run_id, "paused")
    early = runner.snapshot(run_id)
    assert early.step == 25 and set(early.weights) == {"weight", "n_features_in"}, "what only training needs stays away"
    runner.resume(run_id)
    wait(runner, run_id, "done")
    then, now = (runner.call(run_id, _weight, snapshot=s) for s in (early, None))
    assert then == in_one_go(walk(n_steps=25))["weight"] and now == in_one_go(spec)["weight"]
    assert runner.snapshot(run_id).step == 400
    runner.restart(run_id)
    runner.pause(run_id)
    assert runner.snapshot(run_id) is None or runner.snapshot(run_id).key != early.key


def test_a_failed_run_and_a_fork_without_a_step_can_be_looked_at(runner, store):
    failing = walk(fail="later", n_steps=100)
    run_id = runner.submit(failing)
    wait(runner, run_id, "failed")
    assert 0 < runner.snapshot(run_id).step <= 20
    parent_id = runner.submit(walk(n_steps=50))
    wait(runner, parent_id, "done")
    fork = walk(n_steps=60).forked(parent_id, 50)
    store.create(catalog.run_id(fork), fork)
    assert runner.snapshot(catalog.run_id(fork)).step == 50, "it stands where its parent did"


def test_a_fork_goes_its_own_way_from_an_exact_step(runner, store):
    parent = walk(n_steps=400)
    parent_id = runner.submit(parent)
    wait(runner, parent_id, "done")
    longer = walk(n_steps=500).forked(parent_id, 123)
    fork_id = runner.submit(longer, "anna")
    wait(runner, fork_id, "done")
    run = store.load(fork_id)
    assert fork_id == catalog.run_id(longer) and run.spec == longer
    assert fork_id not in (parent_id, catalog.run_id(walk(n_steps=500)))
    # Walk's steps do not depend on n_steps, so the fork must land where the longer walk does.
    assert run.state["weight"] == in_one_go(walk(n_steps=500))["weight"]
    steps = [event.step for event in run.events]
    assert steps[0] == store.load(parent_id).events[0].step and steps[-1] == 500 and sorted(set(steps)) == steps
    assert run.frames.steps[0] == store.load(parent_id).frames.steps[0]
    other = walk(n_steps=500, stride=3).forked(parent_id, 123)
    other_id = runner.submit(other)
    wait(runner, other_id, "done")
    assert store.load(other_id).state["weight"] == by_stretches((parent, 123), (other, 500))
    assert runner.submit(longer) == fork_id and store.load(fork_id).updated == run.updated
    runner.restart(fork_id)
    wait(runner, fork_id, "done")
    assert store.load(fork_id).state["weight"] == run.state["weight"]


def test_a_fork_of_a_fork_repeats_each_runs_own_stretch(runner, store):
    """Even where no checkpoint is left, the way is the first run's up to its branch and the fork's from there."""
    first = walk(n_steps=200)
    first_id = runner.submit(first)
    wait(runner, first_id, "done")
    second = walk(n_steps=200, stride=5).forked(first_id, 83)
    second_id = runner.submit(second)
    wait(runner, second_id, "done")
    for checkpoint in [
        *store.load(first_id).path.glob("checkpoints/*"),
        *store.load(second_id).path.glob("checkpoints/*"),
    ]:
        checkpoint.unlink()
    third = walk(n_steps=300, stride=9).forked(second_id, 141)
    third_id = runner.submit(third)
    wait(runner, third_id, "done")
    assert store.load(third_id).state["weight"] == by_stretches((first, 83), (second, 141), (third, 300))
    early = forks.fork_spec(store, store.load(third_id), 50, walk(n_steps=300, stride=2))
    assert early.branch == (first_id, 50), "what the first run did, its forks are forks of the first run"
    assert [run.run_id for run in forks.family(store, store.load(second_id))] == [first_id, second_id, third_id]


def by_stretches(*stretches: tuple[RunSpec, int]) -> float:
    """The weight after training each spec up to its step."""
    checkpoint, at = None, 0
    for spec, until in stretches:
        checkpoint, at = run_slice(spec, checkpoint, until - at, with_frame=False).checkpoint, until
    return checkpoint["weight"]


def test_a_fork_that_does_not_fit_is_refused_at_once(runner, store):
    parent_id = runner.submit(walk(n_steps=100))
    wait(runner, parent_id, "done")
    for fork, sentence in (
        (walk(n_steps=200, fail="x"), "fail cannot change in a fork; change n_steps, pause, patience, stride instead"),
        (walk(n_steps=200, seed=2), "its parent's data and seed"),
        (RunSpec(Spec("moons", {"noise": 0.3}), Spec("walk")), "its parent's data and seed"),
        (RunSpec(Spec("moons"), Spec("kde")), "A fork of Walk stays one"),
        (walk(n_steps=50), "step 60, so it needs more steps than 50"),
    ):
        with pytest.raises(ValueError, match=sentence):
            runner.submit(fork.forked(parent_id, 60))
    with pytest.raises(StoreError, match="has 100 steps behind it, not 101"):
        runner.submit(walk(n_steps=200).forked(parent_id, 101))
    with pytest.raises(StoreError, match="not on this server"):
        runner.submit(walk().forked("0" * 16, 5))
    assert [run.run_id for run in store.list()] == [parent_id], "nothing was begun"


def test_a_new_run_takes_exactly_the_steps_asked_for(runner, store):
    run_id = runner.submit(walk(n_steps=100), n_steps=1)
    assert wait(runner, run_id, "paused").step == 1
    while runner.status(run_id).settling:
        time.sleep(0.01)
    assert [event.step for event in store.load(run_id).events] == [1]


def test_kept_checkpoints_are_few_and_exact(store):
    spec = walk(n_steps=400, pause=0)
    run_id = catalog.run_id(spec)
    store.create(run_id, spec)
    checkpoint = None
    for _ in range(40):
        part = run_slice(spec, checkpoint, 10)
        checkpoint = part.checkpoint
        store.append(run_id, part.events, None, checkpoint)
    run = store.load(run_id)
    assert 3 <= len(run.kept_steps) <= 6 and run.kept_steps[0] == 10 and run.kept_steps[-1] == 400
    for step in run.kept_steps:
        assert run.kept_checkpoint(step)["weight"] == run_slice(spec, None, step).checkpoint["weight"]


def test_a_mistake_of_ours_does_not_stop_the_others(runner, store, caplog):
    runner._dispatcher.post(lambda: 1 / 0)
    run_id = runner.submit(walk())
    assert wait(runner, run_id, "done").step == 60
    assert "ZeroDivisionError" in caplog.text
    real = store.append
    store.append = lambda *arguments, **settings: 1 / 0
    broken = runner.submit(walk(seed=1))
    assert "could not be saved (ZeroDivisionError" in wait(runner, broken, "paused").message
    store.append = real
