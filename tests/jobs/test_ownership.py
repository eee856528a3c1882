"""Whose run it is: results are everybody's, control is its owner's, others have a copy."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from test_jobs import catalogue, open_runner, runner, store, walk  # noqa: F401

from flowlab import catalog
from flowlab.jobs import JobError, forks
from flowlab.jobs.runner import AWAY_SECONDS, kept_for
from flowlab.records import RunSpec, Spec
from flowlab.store.errors import RunNotFound
from flowlab.store.label import RunLabel

LONG = 10**6


@pytest.fixture(autouse=True)
def both_are_here(runner):  # noqa: F811
    runner.greet("ann")
    runner.greet("bob")


def wait(holds, seconds=20):
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.005)


def reaches(runner, run_id, step):  # noqa: F811
    wait(lambda: runner.status(run_id).step >= step)


def weights_of(run):
    return float(run.state["weight"])


def test_only_its_owner_pauses_stops_steps_or_starts_again(runner):  # noqa: F811
    run_id = runner.submit(walk(n_steps=LONG), "ann")
    reaches(runner, run_id, 5)
    for act in (runner.pause, runner.stop, runner.restart):
        with pytest.raises(JobError, match="Make it mine"):
            act(run_id, user="bob")
    with pytest.raises(JobError, match="Make it mine"):
        runner.step(run_id, user="bob")
    with pytest.raises(JobError, match="Make it mine"):
        runner.submit(walk(n_steps=LONG), "bob", n_steps=1)
    assert runner.submit(walk(n_steps=LONG), "bob") == run_id, "what trains already need not be asked for"
    assert runner.status(run_id).state.is_live and runner.owner(run_id) == "ann"
    runner.pause(run_id, user="ann")
    with pytest.raises(JobError, match="Make it mine"):
        runner.resume(run_id, user="bob")
    with pytest.raises(JobError, match="Make it mine"):
        runner.submit(walk(n_steps=LONG), "bob")
    assert runner.status(run_id).state == "paused"


def test_a_copy_goes_on_from_the_same_checkpoint_and_ends_in_the_same_weights(runner, store):  # noqa: F811
    spec = walk(n_steps=400)
    run_id = runner.submit(spec, "ann")
    reaches(runner, run_id, 10)
    runner.pause(run_id, "ann")
    wait(lambda: not runner.status(run_id).settling)
    step = store.load(run_id).events[-1].step
    copy = runner.make_mine(run_id, "bob")
    assert copy != run_id and runner.run_id(spec, "bob") == copy and runner.run_id(spec, "ann") == run_id
    assert runner.status(copy).state == "paused" and store.load(copy).events[-1].step == step
    assert store.load(copy).copy_of == run_id and store.load(copy).spec == spec
    runner.resume(copy, "bob")
    wait(lambda: runner.status(copy).state == "done")
    assert runner.status(run_id).state == "paused", "the other run stands where it stood"
    learned = weights_of(store.load(copy))
    runner.resume(run_id, "ann")
    wait(lambda: runner.status(run_id).state == "done")
    assert weights_of(store.load(run_id)) == learned
    with pytest.raises(JobError):
        runner.drop_copy(copy, "ann")
    runner.drop_copy(copy, "bob")
    assert runner.run_id(spec, "bob") == run_id and store.load(copy) is None


def test_a_copy_of_what_trains_trains_beside_it(runner):  # noqa: F811
    run_id = runner.submit(walk(n_steps=LONG), "ann")
    reaches(runner, run_id, 20)
    copy = runner.make_mine(run_id, "bob")
    runner.stop(copy, "bob")
    wait(lambda: runner.status(copy).state == "stopped")
    assert runner.status(run_id).state.is_live and runner.make_mine(run_id, "ann") == run_id


def test_a_finished_run_is_replaced_only_when_the_new_training_is_done(runner, store):  # noqa: F811
    spec = walk(n_steps=120)
    run_id = runner.submit(spec, "ann")
    wait(lambda: store.load(run_id).status == "done")
    before = store.load(run_id)
    again = runner.restart(run_id, "ann")
    assert again != run_id and runner.run_id(spec, "ann") == again
    assert runner.run_id(spec, "bob") == run_id and store.load(run_id).state is not None
    wait(lambda: runner.run_id(spec, "ann") == run_id)
    after = store.load(run_id)
    assert after.status == "done" and after.created > before.created and not after.copy_of
    assert weights_of(after) == weights_of(before) and store.load(again) is None
    assert [run.run_id for run in store.list("ann")] == [run_id]


def test_somebody_else_starts_a_finished_run_again_without_touching_it(runner, store):  # noqa: F811
    spec = walk(n_steps=120)
    run_id = runner.submit(spec, "ann")
    wait(lambda: store.load(run_id).status == "done")
    created = store.load(run_id).created
    runner.restart(run_id, "bob")
    wait(lambda: runner.run_id(spec, "bob") == run_id)
    assert store.load(run_id).created == created


def test_runs_without_an_owner_and_callers_without_a_name_are_held_to_nothing(runner, store):  # noqa: F811
    run_id = runner.submit(walk(n_steps=LONG))
    reaches(runner, run_id, 1)
    runner.pause(run_id, "bob")
    runner.resume(run_id, "bob")
    assert runner.owner(run_id) == "bob", "who goes on with a run of nobody has it"
    wait(lambda: store.load(run_id).user == "bob")
    runner.pause(run_id)
    assert runner.status(run_id).state == "paused"


def test_a_run_whose_owner_left_is_there_for_others_but_not_to_be_stopped(runner):  # noqa: F811
    run_id = runner.submit(walk(n_steps=LONG), "ann")
    reaches(runner, run_id, 1)
    runner._seen["ann"] -= AWAY_SECONDS + 1
    with pytest.raises(JobError):
        runner.stop(run_id, "bob")
    assert runner.make_mine(run_id, "bob") == run_id, "handed over, not copied"
    runner.pause(run_id, "bob")
    runner._seen["bob"] -= AWAY_SECONDS + 1
    runner.greet("ann")
    runner.resume(run_id, "ann")
    assert runner.owner(run_id) == "ann"


def test_the_version_changes_with_the_state_and_not_with_the_steps(runner):  # noqa: F811
    run_id = runner.submit(walk(n_steps=LONG, pause=0.0005), "ann")
    reaches(runner, run_id, 1)
    wait(lambda: runner.status(run_id).state == "running")
    first, step = runner.version(run_id), runner.status(run_id).step
    reaches(runner, run_id, step + 50)
    wait(lambda: runner.status(run_id).state == "running")
    assert runner.version(run_id) == first
    runner.pause(run_id, "ann")
    assert runner.version(run_id) != first


def test_a_fork_of_a_copy_names_the_run_that_all_share_where_that_has_the_step(runner, store):  # noqa: F811
    spec = walk(n_steps=400)
    run_id = runner.submit(spec, "ann")
    reaches(runner, run_id, 10)
    runner.pause(run_id, "ann")
    wait(lambda: not runner.status(run_id).settling)
    reached = store.load(run_id).events[-1].step
    copy = runner.make_mine(run_id, "bob")
    runner.step(copy, 60, "bob")
    wait(lambda: runner.status(copy).state == "paused" and not runner.status(copy).settling)
    assert forks.fork_spec(store, store.load(copy), reached, spec).branch == (run_id, reached)
    assert forks.fork_spec(store, store.load(copy), reached + 60, spec).branch == (copy, reached + 60)
    fork = runner.submit(walk(n_steps=500).forked(run_id, reached), "bob")
    wait(lambda: store.load(fork).status == "done")
    assert runner.owner(fork) == "bob" and catalog.run_id(spec) == run_id


def test_a_set_is_trained_with_copies_of_what_others_have_paused(runner, store):  # noqa: F811
    spec = walk(n_steps=300)
    run_id = runner.submit(spec, "ann", n_steps=5)
    wait(lambda: runner.status(run_id).state == "paused" and not runner.status(run_id).settling)
    (copy,) = runner.submit_many([spec], "bob")
    wait(lambda: runner.status(copy).state == "done")
    assert copy != run_id and np.isfinite(weights_of(store.load(copy)))
    assert runner.status(run_id).state == "paused"


def test_only_who_uploaded_a_table_deletes_it_and_its_runs_stop(runner, store):  # noqa: F811
    frame = pd.DataFrame({"a": np.arange(50.0), "b": np.arange(50.0)})
    digest = store.put_table(frame, owner="anna")
    run_id = runner.submit(RunSpec(Spec("table", {"digest": digest}), Spec("walk", {"n_steps": 5000})), "anna")
    reaches(runner, run_id, 5)
    for user in ("bert", ""):
        with pytest.raises(JobError, match="Only who uploaded this table can delete it"):
            runner.remove_table(digest, user)
    runner.remove_table(digest, "anna")
    assert runner.status(run_id) is None and store.list() == []
    with pytest.raises(RunNotFound):
        store.get_table(digest)


def test_what_is_old_goes_by_the_servers_settings_and_what_trains_stays(runner, store, monkeypatch):  # noqa: F811
    old, live = runner.submit(walk(), "anna"), runner.submit(walk(seed=1, n_steps=5000), "bert")
    wait(lambda: runner.status(old).state == "done" and runner.status(live).step > 0)
    monkeypatch.setenv("FLOWLAB_KEEP_DAYS", "0.0000001")
    monkeypatch.setenv("FLOWLAB_KEEP_GB", "no number")
    wait(lambda: runner.expire(*kept_for()) or runner.status(old) is None)  # once it is older than 9 ms
    assert runner.status(live).state.is_live


def test_only_its_owner_names_a_run_also_when_it_is_done_and_they_are_away(runner):  # noqa: F811
    run_id = runner.submit(walk(n_steps=3), "ann")
    wait(lambda: runner.status(run_id).state == "done")
    runner._seen.clear()
    with pytest.raises(JobError, match="Only who began this run can name it"):
        runner.name(run_id, RunLabel("mine"), "bob")
    assert not runner.may_name(run_id, "bob") and not runner.store.load(run_id).label
    runner.name(run_id, RunLabel("pump 7"), "ann")
    assert runner.store.load(run_id).label.name == "pump 7"
    nobodys = runner.submit(walk(n_steps=4))
    runner.name(nobodys, RunLabel("anybody's"), "bob")
